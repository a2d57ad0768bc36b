// out = base + u · v for a thin u: the low-rank part of a LoRA layer on top of the frozen product.
// The rows fall into equal blocks, one for each adapter of the batch, each with its own v.
// One invocation an output. info = [rows, columns, rank, rows per adapter, v stride of columns, v stride of ranks].
// Twin: src/kernels/low_rank_add.rs.
@group(0) @binding(0) var<storage, read_write> base: array<f32>;
@group(0) @binding(1) var<storage, read_write> u: array<f32>;
@group(0) @binding(2) var<storage, read_write> v: array<f32>;
@group(0) @binding(3) var<storage, read_write> out: array<f32>;
@group(0) @binding(4) var<storage, read_write> info: array<u32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * 256u + lane;
    let columns = info[1];
    if i >= info[0] * columns { return; }
    let rank = info[2];
    let row = i / columns;
    let start = (row / info[3]) * rank * columns + (i % columns) * info[4];
    var sum = base[i];
    for (var r = 0u; r < rank; r++) {
        sum += u[row * rank + r] * v[start + r * info[5]];
    }
    out[i] = sum;
}
