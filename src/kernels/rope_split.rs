//! Splits the joint projection into heads and rotates queries and keys (RoPE, Su et al., arXiv 2104.09864; the rotate-half
//! layout of Hugging Face: element `i` pairs with `i + head_dim / 2`).

use super::AttentionShape;
use super::parallel;
use super::webgpu::{Rows, Shader};

/// `shaders/rope_split.wgsl`: buffers qkv, table, q, k, v, info `[batch, seq, heads, kv_heads, head_dim]`; one invocation a pair.
pub(super) const SHADER: Shader =
    Shader::new("rope_split", include_str!("../../shaders/rope_split.wgsl"), Rows::PerInvocation);

/// Rotates `head_dim` elements by the angles of one position; `table` holds cosines, then sines. `sign` -1 turns back.
#[inline(always)]
pub(super) fn rotate(from: &[f32], table: &[f32], sign: f32, to: &mut [f32]) {
    let half = to.len() / 2;
    let (cos, sin) = table.split_at(half);
    let (low, high) = from.split_at(half);
    let (to_low, to_high) = to.split_at_mut(half);
    for i in 0..half {
        let s = sin[i] * sign;
        to_low[i] = low[i] * cos[i] - high[i] * s;
        to_high[i] = high[i] * cos[i] + low[i] * s;
    }
}

/// The kernel in plain Rust for one of the three outputs `[batch, count, seq, head_dim]`; `first` is the first head in `qkv`.
pub fn twin(
    qkv: &[f32],
    table: &[f32],
    shape: AttentionShape,
    first: usize,
    count: usize,
    turn: bool,
    out: &mut [f32],
) {
    let AttentionShape { seq, head_dim, .. } = shape;
    let columns = shape.qkv_columns();
    parallel::rows(out, seq * head_dim, |start, chunk| {
        for (index, head) in chunk.chunks_exact_mut(seq * head_dim).enumerate() {
            let (row, h) = ((start + index) / count, (start + index) % count);
            for (t, to) in head.chunks_exact_mut(head_dim).enumerate() {
                let from = &qkv[(row * seq + t) * columns + (first + h) * head_dim..][..head_dim];
                if turn {
                    rotate(from, &table[t * head_dim..][..head_dim], 1.0, to);
                } else {
                    to.copy_from_slice(from);
                }
            }
        }
    });
}
