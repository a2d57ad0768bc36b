//! One AdamW step (Loshchilov and Hutter, arXiv 1711.05101) on a whole flat adapter: one launch, not a dozen per tensor.

use super::parallel;
use super::webgpu::{Rows, Shader};

/// `shaders/adamw.wgsl`: buffers param, grad, first, second, `grad_scale`, out param, out first, out second, info
/// `[length, settings bits…]`; one invocation an element.
pub(super) const SHADER: Shader = Shader::new("adamw", include_str!("../../shaders/adamw.wgsl"), Rows::PerInvocation);

/// Settings of one step, with the bias corrections already worked out on the host in double precision.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamWStep {
    pub learning_rate: f32,
    pub beta_1: f32,
    pub beta_2: f32,
    pub epsilon: f32,
    pub weight_decay: f32,
    /// `1 / (1 - beta_1^t)`.
    pub correction_1: f32,
    /// `1 / (1 - beta_2^t)`.
    pub correction_2: f32,
}

impl AdamWStep {
    /// Bits of the settings in the order the shader reads them.
    pub(super) fn bits(self) -> [u32; 7] {
        [
            self.learning_rate,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            self.weight_decay,
            self.correction_1,
            self.correction_2,
        ]
        .map(f32::to_bits)
    }
}

/// The kernel in plain Rust, in place on the parameter and both moments. As in PyTorch the decay is applied first.
pub fn twin(param: &mut [f32], grad: &[f32], first: &mut [f32], second: &mut [f32], grad_scale: f32, step: AdamWStep) {
    parallel::rows3(param, first, second, |start, param, first, second| {
        let grad = &grad[start..][..param.len()];
        for (((p, m), v), g) in param.iter_mut().zip(first).zip(second).zip(grad) {
            let g = g * grad_scale;
            *m = step.beta_1 * *m + (1.0 - step.beta_1) * g;
            *v = step.beta_2 * *v + (1.0 - step.beta_2) * g * g;
            let denominator = (*v * step.correction_2).sqrt() + step.epsilon;
            *p -= step.learning_rate * step.weight_decay * *p;
            *p -= step.learning_rate * *m * step.correction_1 / denominator;
        }
    });
}
