//! AdamW on one flat vector, the learning-rate schedules, and clipping by the global norm without a read-back.

use super::config::{Schedule, TrainingConfig};
use crate::kernels::{self, AdamWStep};
use burn::tensor::Tensor;

/// Moments of AdamW and the number of its steps. The moments go on over task boundaries; the schedule does not.
#[derive(Clone, Debug)]
pub struct AdamW {
    pub first: Tensor<1>,
    pub second: Tensor<1>,
    /// Steps made so far.
    pub steps: u64,
}

impl AdamW {
    /// Zero moments for a parameter vector.
    #[must_use]
    pub fn new(parameters: &Tensor<1>) -> Self {
        Self { first: parameters.zeros_like(), second: parameters.zeros_like(), steps: 0 }
    }

    /// One step; returns the new parameters and the gradient's global L2 norm before clipping, `[1]`.
    pub fn step(
        &mut self,
        parameters: Tensor<1>,
        gradient: Tensor<1>,
        learning_rate: f64,
        settings: &TrainingConfig,
    ) -> (Tensor<1>, Tensor<1>) {
        self.steps += 1;
        let norm = (gradient.clone() * gradient.clone()).sum().sqrt();
        let scale = if settings.max_grad_norm > 0.0 {
            // as PyTorch's clip_grad_norm_: max_norm / (norm + 1e-6), at most 1
            norm.clone().add_scalar(1e-6).recip().mul_scalar(settings.max_grad_norm).clamp_max(1.0)
        } else {
            norm.ones_like()
        };
        let step = adamw_step(settings, learning_rate, self.steps);
        let moments = (self.first.clone(), self.second.clone());
        let (parameters, first, second) = kernels::adamw(parameters, gradient, moments, scale, step);
        (self.first, self.second) = (first, second);
        (parameters, norm)
    }
}

/// Settings of step number `count` (from 1), with the bias corrections in double precision.
#[must_use]
#[allow(clippy::cast_possible_truncation)] // settings are near 1
pub fn adamw_step(settings: &TrainingConfig, learning_rate: f64, count: u64) -> AdamWStep {
    let power = i32::try_from(count).unwrap_or(i32::MAX);
    AdamWStep {
        learning_rate: learning_rate as f32,
        beta_1: settings.beta_1 as f32,
        beta_2: settings.beta_2 as f32,
        epsilon: settings.epsilon as f32,
        weight_decay: settings.weight_decay as f32,
        correction_1: (1.0 / (1.0 - settings.beta_1.powi(power))) as f32,
        correction_2: (1.0 / (1.0 - settings.beta_2.powi(power))) as f32,
    }
}

/// The learning rate at step `step` (from 0) of the `total` steps of a task.
#[must_use]
#[allow(clippy::cast_precision_loss)] // step counts are far below 2^52
pub fn learning_rate(settings: &TrainingConfig, step: usize, total: usize) -> f64 {
    let warmup = (settings.warmup_ratio * total as f64).round();
    let at = step as f64;
    if at < warmup {
        return settings.learning_rate * (at + 1.0) / (warmup + 1.0);
    }
    let progress = (at - warmup) / (total as f64 - warmup).max(1.0);
    settings.learning_rate
        * match settings.schedule {
            Schedule::Constant => 1.0,
            Schedule::Linear => 1.0 - progress,
            Schedule::Cosine => 0.5 * (1.0 + (std::f64::consts::PI * progress).cos()),
        }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schedules_rise_and_fall_as_they_should() {
        let settings =
            |schedule| TrainingConfig { learning_rate: 1.0, warmup_ratio: 0.2, schedule, ..TrainingConfig::default() };
        let rates = |schedule| (0..10).map(|step| learning_rate(&settings(schedule), step, 10)).collect::<Vec<_>>();
        let constant = rates(Schedule::Constant);
        assert!((constant[0] - 1.0 / 3.0).abs() < 1e-12 && (constant[1] - 2.0 / 3.0).abs() < 1e-12);
        assert!(constant[2..].iter().all(|rate| (rate - 1.0).abs() < 1e-12));
        let linear = rates(Schedule::Linear);
        assert!((linear[2] - 1.0).abs() < 1e-12 && (linear[6] - 0.5).abs() < 1e-12 && linear[9] > 0.0);
        let cosine = rates(Schedule::Cosine);
        assert!((cosine[6] - 0.5).abs() < 1e-12 && cosine[9] < linear[9]);
    }
}
