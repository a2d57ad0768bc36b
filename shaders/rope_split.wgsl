// Splits the joint projection [batch * seq, (heads + 2 kv_heads) * head_dim] into heads [batch, heads, seq, head_dim] and
// rotates queries and keys by their position (rotate-half layout; the table holds cosines, then sines, for each position).
// One invocation a pair of elements. info = [batch, seq, heads, kv_heads, head_dim]. Twin: src/kernels/rope_split.rs.
@group(0) @binding(0) var<storage, read_write> qkv: array<f32>;
@group(0) @binding(1) var<storage, read_write> table: array<f32>;
@group(0) @binding(2) var<storage, read_write> q: array<f32>;
@group(0) @binding(3) var<storage, read_write> k: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;
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
    let low = qkv[base];
    let high = qkv[base + half];
    let c = table[t * dim + pair];
    let s = table[t * dim + half + pair];
    if h < heads {
        let to = ((row * heads + h) * seq + t) * dim + pair;
        q[to] = low * c - high * s;
        q[to + half] = high * c + low * s;
    } else if h < heads + kv_heads {
        let to = ((row * kv_heads + h - heads) * seq + t) * dim + pair;
        k[to] = low * c - high * s;
        k[to + half] = high * c + low * s;
    } else {
        let to = ((row * kv_heads + h - heads - kv_heads) * seq + t) * dim + pair;
        v[to] = low;
        v[to + half] = high;
    }
}
