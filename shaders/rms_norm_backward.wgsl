// Gradient of the root-mean-square normalisation: dx = r * g - x * r^3 * mean(g * x), with g = dy * w and r = 1 / rms(x).
// One workgroup of 64 a row. info = [rows, columns, eps bits]. Twin: src/kernels/rms_norm_backward.rs.
@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> w: array<f32>;
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> info: array<u32>;

var<workgroup> squares: array<f32, 64>;
var<workgroup> products: array<f32, 64>;

@compute @workgroup_size(64, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let row = group.y * groups.x + group.x;
    let columns = info[1];
    let base = min(row, info[0] - 1u) * columns;
    var square = 0.0;
    var product = 0.0;
    for (var i = lane; i < columns; i += 64u) {
        let v = x[base + i];
        square += v * v;
        product += dy[base + i] * w[i] * v;
    }
    squares[lane] = square;
    products[lane] = product;
    for (var width = 32u; width > 0u; width /= 2u) {
        workgroupBarrier();
        if lane < width {
            squares[lane] += squares[lane + width];
            products[lane] += products[lane + width];
        }
    }
    workgroupBarrier();
    let r = inverseSqrt(squares[0] / f32(columns) + bitcast<f32>(info[2]));
    let along = r * r * r * products[0] / f32(columns);
    if row < info[0] {
        for (var i = lane; i < columns; i += 64u) {
            out[base + i] = dy[base + i] * w[i] * r - x[base + i] * along;
        }
    }
}
