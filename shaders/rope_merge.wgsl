// The way back of rope_split: gradients of the heads, turned back by their positions, gathered into the gradient of the joint
// projection. One invocation a pair of elements. info = [batch, seq, heads, kv_heads, head_dim]. Twin: src/kernels/rope_merge.rs.
@group(0) @binding(0) var<storage, read_write> dq: array<f32>;
@group(0) @binding(1) var<storage, read_write> dk: array<f32>;
@group(0) @binding(2) var<storage, read_write> dv: array<f32>;
@group(0) @binding(3) var<storage, read_write> table: array<f32>;
@group(0) @binding(4) var<storage, read_write> out: array<f32>;
@group(0) @binding(5) var<storage, read_write> info: array<u32>;

@compute @workgroup_size(256, 1, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
    let i = (group.y * groups.x + group.x) * 256u + lane;
    let seq = info[1];
    let heads = info[2];
    let kv_heads = info[3];
    let dim = info[4];
    let half = dim / 2u;
    let all = heads + 2u * kv_heads;
    if i >= info[0] * seq * all * half { return; }
    let pair = i % half;
    let h = (i / half) % all;
    let line = i / (half * all);
    let row = line / seq;
    let t = line % seq;
    let base = (line * all + h) * dim + pair;
    let c = table[t * dim + pair];
    let s = table[t * dim + half + pair];
    if h < heads {
        let at = ((row * heads + h) * seq + t) * dim + pair;
        out[base] = dq[at] * c + dq[at + half] * s;
        out[base + half] = dq[at + half] * c - dq[at] * s;
    } else if h < heads + kv_heads {
        let at = ((row * kv_heads + h - heads) * seq + t) * dim + pair;
        out[base] = dk[at] * c + dk[at + half] * s;
        out[base + half] = dk[at + half] * c - dk[at] * s;
    } else {
        let at = ((row * kv_heads + h - heads - kv_heads) * seq + t) * dim + pair;
        out[base] = dv[at];
        out[base + half] = dv[at + half];
    }
}
