//! The gated activation of a Llama block, `silu(gate) * up` (Shazeer, arXiv 2002.05202).

use super::parallel;
use super::webgpu::{Rows, Shader};

/// `shaders/swiglu.wgsl`: buffers `gate_up`, out, info `[rows, columns]`; one invocation an output.
pub(super) const SHADER: Shader = Shader::new("swiglu", include_str!("../../shaders/swiglu.wgsl"), Rows::PerInvocation);

/// The kernel in plain Rust: `gate_up [n, 2f]`, `out [n, f]`.
pub fn twin(gate_up: &[f32], f: usize, out: &mut [f32]) {
    parallel::rows(out, f, |first, chunk| {
        for (row, y) in chunk.chunks_exact_mut(f).enumerate() {
            let (gate, up) = gate_up[(first + row) * 2 * f..][..2 * f].split_at(f);
            for ((y, g), u) in y.iter_mut().zip(gate).zip(up) {
                *y = g / (1.0 + parallel::exp(-g)) * u;
            }
        }
    });
}
