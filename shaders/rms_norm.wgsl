// Root-mean-square normalisation of each row: out = x / sqrt(mean(x^2) + eps) * w.
// One workgroup of 64 a row. info = [rows, columns, eps bits]. Twin: src/kernels/rms_norm.rs.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> info: array<u32>;

var<workgroup> partial: array<f32, 64>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    let columns = info[1];
    // Surplus workgroups repeat the last row but write nothing, so that every barrier is reached by all.
    let base = min(row, info[0] - 1u) * columns;
    var sum = 0.0;
    for (var i = lane; i < columns; i += 64u) {
        sum += x[base + i] * x[base + i];
    }
    partial[lane] = sum;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            partial[lane] += partial[lane + width];
        }
    }
    workgroupBarrier();
    let r = inverseSqrt(partial[0] / f32(columns) + bitcast<f32>(info[2]));
    if row < info[0] {
        for (var i = lane; i < columns; i += 64u) {
            out[base + i] = x[base + i] * r * w[i];
        }
    }
}
