//! Gradient of the causal softmax with respect to the raw scores: `dS = scale * P * (dP - sum(dP * P))` per row.

use super::parallel;
use super::webgpu::{Rows, Shader};

/// `shaders/causal_softmax_backward.wgsl`: buffers p, dp, out, info `[rows, seq, scale bits]`; one workgroup a row.
pub(super) const SHADER: Shader = Shader::new(
    "causal_softmax_backward",
    include_str!("../../shaders/causal_softmax_backward.wgsl"),
    Rows::PerWorkgroup,
);

/// The kernel in plain Rust for one row, in place on the gradient `dp`. Hidden positions have `p = 0` and so get 0.
#[inline(always)]
pub fn twin_row(p: &[f32], dp: &mut [f32], scale: f32) {
    let along = parallel::dot(p, dp);
    for (dp, p) in dp.iter_mut().zip(p) {
        *dp = scale * p * (*dp - along);
    }
}
