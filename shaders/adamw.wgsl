// One AdamW step on a flat parameter vector; the decay is applied first, as PyTorch does.
// One invocation an element. info = [length, learning rate, beta 1, beta 2, epsilon, weight decay, 1/(1-beta1^t), 1/(1-beta2^t)]
// (bits of f32 from the second on). Twin: src/kernels/adamw.rs.
@group(0) @binding(0) var<storage, read_write> param: array<f32>;
@group(0) @binding(1) var<storage, read_write> grad: array<f32>;
@group(0) @binding(2) var<storage, read_write> first: array<f32>;
@group(0) @binding(3) var<storage, read_write> second: array<f32>;
@group(0) @binding(4) var<storage, read_write> grad_scale: array<f32>;
@group(0) @binding(5) var<storage, read_write> out_param: array<f32>;
@group(0) @binding(6) var<storage, read_write> out_first: array<f32>;
@group(0) @binding(7) var<storage, read_write> out_second: array<f32>;
@group(0) @binding(8) var<storage, read_write> info: array<u32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * 256u + lane;
    if i >= info[0] { return; }
    let rate = bitcast<f32>(info[1]);
    let beta_1 = bitcast<f32>(info[2]);
    let beta_2 = bitcast<f32>(info[3]);
    let g = grad[i] * grad_scale[0];
    let m = beta_1 * first[i] + (1.0 - beta_1) * g;
    let v = beta_2 * second[i] + (1.0 - beta_2) * g * g;
    let denominator = sqrt(v * bitcast<f32>(info[7])) + bitcast<f32>(info[4]);
    let decayed = param[i] - rate * bitcast<f32>(info[5]) * param[i];
    out_param[i] = decayed - rate * m * bitcast<f32>(info[6]) / denominator;
    out_first[i] = m;
    out_second[i] = v;
}
