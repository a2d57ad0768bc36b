//! The way back of [`super::rope_split`]: gradients of the heads, turned back, written into the joint projection's gradient.

use super::AttentionShape;
use super::parallel;
use super::rope_split::rotate;
use super::webgpu::{Rows, Shader};

/// `shaders/rope_merge.wgsl`: buffers dq, dk, dv, table, out, info `[batch, seq, heads, kv_heads, head_dim]`; one invocation a pair.
pub(super) const SHADER: Shader =
    Shader::new("rope_merge", include_str!("../../shaders/rope_merge.wgsl"), Rows::PerInvocation);

/// The kernel in plain Rust: `dq [batch, heads, seq, head_dim]`, `dk` and `dv [batch, kv_heads, seq, head_dim]`,
/// `out [batch*seq, qkv_columns]`.
pub fn twin(dq: &[f32], dk: &[f32], dv: &[f32], table: &[f32], shape: AttentionShape, out: &mut [f32]) {
    let AttentionShape { seq, heads, kv_heads, head_dim, .. } = shape;
    let columns = shape.qkv_columns();
    parallel::rows(out, columns, |start, chunk| {
        for (index, line) in chunk.chunks_exact_mut(columns).enumerate() {
            let (row, t) = ((start + index) / seq, (start + index) % seq);
            let angles = &table[t * head_dim..][..head_dim];
            for (h, to) in line.chunks_exact_mut(head_dim).enumerate() {
                let head = |h: usize, count: usize| ((row * count + h) * seq + t) * head_dim;
                if h < heads {
                    rotate(&dq[head(h, heads)..][..head_dim], angles, -1.0, to);
                } else if h < heads + kv_heads {
                    rotate(&dk[head(h - heads, kv_heads)..][..head_dim], angles, -1.0, to);
                } else {
                    to.copy_from_slice(&dv[head(h - heads - kv_heads, kv_heads)..][..head_dim]);
                }
            }
        }
    });
}
