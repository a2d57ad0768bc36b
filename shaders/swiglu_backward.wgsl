// Gradient of the gated activation: with s = sigmoid(gate), d gate = dy * up * s * (1 + gate * (1 - s)), d up = dy * gate * s.
// One invocation a (gate, up) pair. info = [rows, columns of dy]. Twin: src/kernels/swiglu_backward.rs.
@group(0) @binding(0) var<storage, read_write> gate_up: array<f32>;
@group(0) @binding(1) var<storage, read_write> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> out: array<f32>;
@group(0) @binding(3) var<storage, read_write> info: array<u32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * 256u + lane;
    let columns = info[1];
    if i >= info[0] * columns { return; }
    let gate = i + (i / columns) * columns;
    let g = gate_up[gate];
    let s = 1.0 / (1.0 + exp(-g));
    let silu = g * s;
    out[gate] = dy[i] * gate_up[gate + columns] * (s + silu * (1.0 - s));
    out[gate + columns] = dy[i] * silu;
}
