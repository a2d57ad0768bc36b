//! Gradient of the gated activation: with `s = sigmoid(gate)`, `d gate = dy * up * s * (1 + gate * (1 - s))` and
//! `d up = dy * gate * s`.

use super::parallel;
use super::webgpu::{Rows, Shader};

/// `shaders/swiglu_backward.wgsl`: buffers `gate_up`, dy, out, info `[rows, columns]`; one invocation a pair.
pub(super) const SHADER: Shader =
    Shader::new("swiglu_backward", include_str!("../../shaders/swiglu_backward.wgsl"), Rows::PerInvocation);

/// The kernel in plain Rust: `gate_up` and `out` are `[n, 2f]`, `dy [n, f]`.
pub fn twin(gate_up: &[f32], f: usize, dy: &[f32], out: &mut [f32]) {
    parallel::rows(out, 2 * f, |first, chunk| {
        for (row, dx) in chunk.chunks_exact_mut(2 * f).enumerate() {
            let (gate, up) = gate_up[(first + row) * 2 * f..][..2 * f].split_at(f);
            let dy = &dy[(first + row) * f..][..f];
            let (d_gate, d_up) = dx.split_at_mut(f);
            for i in 0..f {
                let s = 1.0 / (1.0 + parallel::exp(-gate[i]));
                let silu = gate[i] * s;
                d_gate[i] = dy[i] * up[i] * (s + silu * (1.0 - s));
                d_up[i] = dy[i] * silu;
            }
        }
    });
}
