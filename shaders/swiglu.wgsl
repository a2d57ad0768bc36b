// Gated activation silu(gate) * up; gate and up stand side by side in each row of gate_up.
// One invocation an output. info = [rows, columns of the output]. Twin: src/kernels/swiglu.rs.
@group(0) @binding(0) var<storage, read_write> gate_up: array<f32>;
@group(0) @binding(1) var<storage, read_write> out: array<f32>;
@group(0) @binding(2) var<storage, read_write> info: array<u32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * 256u + lane;
    let columns = info[1];
    if i >= info[0] * columns { return; }
    let row = i / columns;
    let g = gate_up[i + row * columns];
    out[i] = g / (1.0 + exp(-g)) * gate_up[i + row * columns + columns];
}
