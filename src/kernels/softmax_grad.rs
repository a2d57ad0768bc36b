//! Gradient of the weighted cross-entropy with respect to a chunk of logits: `(softmax - onehot) * weight`.

use super::parallel;
use super::webgpu::{Rows, Shader};

/// `shaders/softmax_grad.wgsl`: buffers logits, lse, targets, weights, out, info `[rows, columns, offset]`; one invocation a logit.
pub(super) const SHADER: Shader =
    Shader::new("softmax_grad", include_str!("../../shaders/softmax_grad.wgsl"), Rows::PerInvocation);

/// The kernel in plain Rust: `out` and `logits` are `[n, columns]`, the others `[n]`; `lse` is the log of the normaliser over
/// the whole vocabulary.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // token ids are small whole numbers
pub fn twin(logits: &[f32], lse: &[f32], targets: &[f32], weights: &[f32], offset: f32, out: &mut [f32]) {
    let columns = logits.len() / lse.len().max(1);
    parallel::rows(out, columns, |first, chunk| {
        for (index, out) in chunk.chunks_exact_mut(columns).enumerate() {
            let row = first + index;
            let (lse, weight) = (lse[row], weights[row]);
            for (out, v) in out.iter_mut().zip(&logits[row * columns..][..columns]) {
                *out = parallel::exp(v - lse) * weight;
            }
            let target = targets[row] - offset;
            if target >= 0.0 && (target as usize) < columns {
                out[target as usize] -= weight;
            }
        }
    });
}
