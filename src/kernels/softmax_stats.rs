//! What the cross-entropy needs of a chunk of logits: largest value, sum of exponentials, and the target's logit.
//!
//! The vocabulary may come in chunks (a head above the device's binding limit); the statistics of chunks combine exactly.

use super::parallel;
use super::webgpu::{Rows, Shader};

/// Stands for "the target is not in this chunk": far below any logit, far above minus infinity.
pub const ABSENT: f32 = -1.0e30;

/// `shaders/softmax_stats.wgsl`: buffers logits, targets, out, info `[rows, columns, offset]`; one workgroup a row.
pub(super) const SHADER: Shader =
    Shader::new("softmax_stats", include_str!("../../shaders/softmax_stats.wgsl"), Rows::PerWorkgroup);

/// The kernel in plain Rust: `logits [n, columns]`, `targets [n]`, `out [n, 3]`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // token ids are small whole numbers
pub fn twin(logits: &[f32], columns: usize, targets: &[f32], offset: f32, out: &mut [f32]) {
    // Rows are long (a vocabulary), so they are spread one by one whatever the size of the output.
    use rayon::prelude::*;
    let arch = pulp::Arch::new();
    out.par_chunks_exact_mut(3).zip(targets).enumerate().for_each(|(row, (out, target))| {
        arch.dispatch(|| {
            let logits = &logits[row * columns..][..columns];
            let top = parallel::max(logits);
            let mut sum = [0.0_f32; 16];
            let (blocks, rest) = logits.as_chunks::<16>();
            for block in blocks {
                for lane in 0..16 {
                    sum[lane] += parallel::exp(block[lane] - top);
                }
            }
            let rest: f32 = rest.iter().map(|v| parallel::exp(v - top)).sum();
            let index = target - offset;
            out[0] = top;
            out[1] = sum.iter().sum::<f32>() + rest;
            out[2] = if index >= 0.0 && (index as usize) < columns { logits[index as usize] } else { ABSENT };
        });
    });
}
