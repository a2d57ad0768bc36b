//! Root-mean-square normalisation, `y = x / sqrt(mean(x^2) + eps) * w` (Zhang and Sennrich, arXiv 1910.07467).

use super::parallel;
use super::webgpu::{Rows, Shader};

/// `shaders/rms_norm.wgsl`: buffers x, w, out, info `[rows, columns, eps bits]`; one workgroup a row.
pub(super) const SHADER: Shader =
    Shader::new("rms_norm", include_str!("../../shaders/rms_norm.wgsl"), Rows::PerWorkgroup);

/// `1 / sqrt(mean(x^2) + eps)` of one row.
#[inline(always)]
#[allow(clippy::cast_precision_loss)] // row lengths are far below 2^24
pub(super) fn inverse_rms(x: &[f32], eps: f32) -> f32 {
    1.0 / (parallel::dot(x, x) / x.len() as f32 + eps).sqrt()
}

/// The kernel in plain Rust: `x` and `out` are `[n, w.len()]`.
pub fn twin(x: &[f32], w: &[f32], eps: f32, out: &mut [f32]) {
    let d = w.len();
    parallel::rows(out, d, |first, chunk| {
        for (row, y) in chunk.chunks_exact_mut(d).enumerate() {
            let x = &x[(first + row) * d..][..d];
            let r = inverse_rms(x, eps);
            for ((y, x), w) in y.iter_mut().zip(x).zip(w) {
                *y = x * r * w;
            }
        }
    });
}
