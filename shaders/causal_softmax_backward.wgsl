// Gradient of the causal softmax with respect to the raw scores: scale * p * (dp - sum(dp * p)); hidden columns have p = 0.
// One workgroup of 64 a row. info = [rows, seq, scale bits]. Twin: src/kernels/causal_softmax_backward.rs.
@group(0) @binding(0) var<storage, read_write> p: array<f32>;
@group(0) @binding(1) var<storage, read_write> dp: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> info: array<u32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    let seq = info[1];
    let base = min(row, info[0] - 1u) * seq;
    var sum = 0.0;
    for (var i = lane; i < seq; i += 64u) {
        sum += p[base + i] * dp[base + i];
    }
    partial[lane] = sum;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            partial[lane] += partial[lane + width];
        }
    }
    workgroupBarrier();
    if row < info[0] {
        for (var i = lane; i < seq; i += 64u) {
            out[base + i] = bitcast<f32>(info[2]) * p[base + i] * (dp[base + i] - partial[0]);
        }
    }
}
