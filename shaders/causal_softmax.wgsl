// Softmax of scaled attention scores under the causal mask: row r stands at position r % seq and sees columns 0..=position.
// One workgroup of 64 a row. info = [rows, seq, scale bits]. Twin: src/kernels/causal_softmax.rs.
@group(0) @binding(0) var<storage, read_write> scores: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read_write> info: array<u32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    let seq = info[1];
    let scale = bitcast<f32>(info[2]);
    let clamped = min(row, info[0] - 1u);
    let base = clamped * seq;
    let seen = clamped % seq + 1u;
    var top = -3.0e38;
    for (var i = lane; i < seen; i += 64u) {
        top = max(top, scores[base + i] * scale);
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
    for (var i = lane; i < seen; i += 64u) {
        sum += exp(scores[base + i] * scale - top);
    }
    partial[lane] = sum;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            partial[lane] += partial[lane + width];
        }
    }
    workgroupBarrier();
    let inverse = 1.0 / partial[0];
    if row < info[0] {
        for (var i = lane; i < seq; i += 64u) {
            out[base + i] = select(0.0, exp(scores[base + i] * scale - top) * inverse, i < seen);
        }
    }
}
