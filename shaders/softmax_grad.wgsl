// Gradient of the weighted cross-entropy with respect to a chunk of logits: (exp(logit - lse) - onehot) * weight.
// One invocation a logit. info = [rows, columns, offset of the chunk in the vocabulary]. Twin: src/kernels/softmax_grad.rs.
@group(0) @binding(0) var<storage, read_write> logits: array<f32>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<storage, read_write> targets: array<f32>;
@group(0) @binding(3) var<storage, read_write> weights: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> info: array<u32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * 256u + lane;
    let columns = info[1];
    if i >= info[0] * columns { return; }
    let row = i / columns;
    let hit = i32(i % columns) == i32(targets[row]) - i32(info[2]);
    out[i] = (exp(logits[i] - lse[row]) - select(0.0, 1.0, hit)) * weights[row];
}
