//! Gradient of the root-mean-square normalisation with respect to its input.
//!
//! With `r = 1/rms(x)` and `g = dy * w`: `dx = r * g - x * r^3 * mean(g * x)`.

use super::parallel;
use super::rms_norm::inverse_rms;
use super::webgpu::{Rows, Shader};

/// `shaders/rms_norm_backward.wgsl`: buffers x, w, dy, out, info `[rows, columns, eps bits]`; one workgroup a row.
pub(super) const SHADER: Shader =
    Shader::new("rms_norm_backward", include_str!("../../shaders/rms_norm_backward.wgsl"), Rows::PerWorkgroup);

/// The kernel in plain Rust: `x`, `dy` and `out` are `[n, w.len()]`.
#[allow(clippy::cast_precision_loss)] // row lengths are far below 2^24
pub fn twin(x: &[f32], w: &[f32], dy: &[f32], eps: f32, out: &mut [f32]) {
    let d = w.len();
    parallel::rows(out, d, |first, chunk| {
        for (row, dx) in chunk.chunks_exact_mut(d).enumerate() {
            let x = &x[(first + row) * d..][..d];
            let dy = &dy[(first + row) * d..][..d];
            let r = inverse_rms(x, eps);
            for ((g, dy), w) in dx.iter_mut().zip(dy).zip(w) {
                *g = dy * w;
            }
            let along = r * r * r * parallel::dot(dx, x) / d as f32;
            for (g, x) in dx.iter_mut().zip(x) {
                *g = *g * r - x * along;
            }
        }
    });
}
