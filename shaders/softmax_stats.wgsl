// Statistics of a chunk of logits for the cross-entropy: largest value, sum of exp(logit - largest), the target's logit.
// One workgroup of 64 a row. info = [rows, columns, offset of the chunk in the vocabulary]. Twin: src/kernels/softmax_stats.rs.
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> targets: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> info: array<u32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    let columns = info[1];
    let clamped = min(row, info[0] - 1u);
    let base = clamped * columns;
    var top = -3.0e38;
    for (var i = lane; i < columns; i += 64u) {
        top = max(top, logits[base + i]);
    }
    partial[lane] = top;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            partial[lane] = max(partial[lane], partial[lane + width]);
        }
    }
    workgroupBarrier();
    top = partial[0];
    workgroupBarrier();
    var sum = 0.0;
    for (var i = lane; i < columns; i += 64u) {
        sum += exp(logits[base + i] - top);
    }
    partial[lane] = sum;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            partial[lane] += partial[lane + width];
        }
    }
    workgroupBarrier();
    if row < info[0] && lane == 0u {
        let index = i32(targets[clamped]) - i32(info[2]);
        out[row * 3u] = top;
        out[row * 3u + 1u] = partial[0];
        if index >= 0 && index < i32(columns) {
            out[row * 3u + 2u] = logits[base + u32(index)];
        } else {
            out[row * 3u + 2u] = -1.0e30;
        }
    }
}
