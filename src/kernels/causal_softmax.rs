//! Softmax of attention scores under the causal mask: position `t` sees positions `0..=t`, the rest becomes exactly 0.

use super::parallel;
use super::webgpu::{Rows, Shader};

/// `shaders/causal_softmax.wgsl`: buffers scores, out, info `[rows, seq, scale bits]`; one workgroup a row.
pub(super) const SHADER: Shader =
    Shader::new("causal_softmax", include_str!("../../shaders/causal_softmax.wgsl"), Rows::PerWorkgroup);

/// The kernel in plain Rust for one row at position `t`, in place: `softmax(scale * row[..=t])`, zeros after it.
#[inline(always)]
pub fn twin_row(row: &mut [f32], t: usize, scale: f32) {
    let (seen, hidden) = row.split_at_mut(t + 1);
    hidden.fill(0.0);
    let top = parallel::max(seen) * scale;
    for v in seen.iter_mut() {
        *v = parallel::exp(*v * scale - top);
    }
    let inverse = 1.0 / parallel::sum(seen);
    for v in seen {
        *v *= inverse;
    }
}
