//! Trains the bends of a curve between two adapters (Garipov et al., "Loss Surfaces, Mode Connectivity, and Fast Ensembling of
//! DNNs", arXiv 1802.10026, as in spec section 7.4).
//!
//! ```text
//! each step: t ~ U(0, 1), point = sum_i w_i(t) * control_i, gradient of the loss at the point; the bends get w_i(t) of it
//! ```
//!
//! The ends stay as they are. Bends begin on the straight line. The loss is the mean over a batch drawn from all the tasks, so
//! that the curve looks for a way that is low for every one of them.

use super::EngineError;
use super::config::TrainingConfig;
use super::evaluator::read;
use super::optimiser::AdamW;
use super::prepare::Prepared;
use crate::continual::cross_entropy_gradient;
use crate::data::batch::Batch;
use crate::data::prompt::Encoded;
use crate::model::Adapter;
use crate::platform;
use burn::tensor::Tensor;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// How the bends of a curve are trained.
#[derive(Clone, Debug, PartialEq)]
pub struct CurveSettings {
    pub bends: usize,
    pub steps: usize,
    /// Examples in a step, drawn from all tasks alike.
    pub batch_size: usize,
    pub learning_rate: f64,
    pub seed: u64,
    /// Rows are padded to a multiple of this.
    pub pad_multiple: usize,
}

/// Share of the learning rate at a step: full for half of the way, then straight down to 1 % at nine tenths, where it stays.
#[must_use]
#[allow(clippy::cast_precision_loss)] // step counts are far below 2^52
pub fn learning_rate_share(step: usize, steps: usize) -> f64 {
    let progress = step as f64 / steps.max(1) as f64;
    (1.0 - 0.99 * ((progress - 0.5) / 0.4).clamp(0.0, 1.0)).max(0.01)
}

/// The control points of a trained curve, ends included. `weights(t)` gives the curve's coefficients, one for each of them.
///
/// `tell(step, steps)` is called after each step and says whether to go on; after a stop the curve is what it is by then.
///
/// # Errors
/// Tasks without training examples, bends that grow beyond all bounds, or a device that fails.
pub async fn train_curve(
    prepared: &Prepared,
    ends: [&Adapter; 2],
    weights: &dyn Fn(f64) -> Vec<f64>,
    settings: &CurveSettings,
    tell: &mut dyn FnMut(usize, usize) -> bool,
) -> Result<Vec<Adapter>, EngineError> {
    let llama = &prepared.model.llama;
    let [first, last] = ends;
    let bends = settings.bends;
    let mut rng = ChaCha8Rng::seed_from_u64(settings.seed);
    #[allow(clippy::cast_precision_loss)] // a few bends
    let mut flat = Tensor::cat(
        (1..=bends).map(|bend| first.lerp(last, bend as f64 / (bends + 1) as f64).flat()).collect::<Vec<_>>(),
        0,
    );
    let length = first.layout().length();
    let controls = |flat: &Tensor<1>| {
        let middle = (0..bends).map(|bend| first.with_flat(flat.clone().slice([bend * length..(bend + 1) * length])));
        std::iter::once(first.clone()).chain(middle).chain([last.clone()]).collect::<Vec<_>>()
    };
    let mut optimiser = AdamW::new(&flat);
    let training = TrainingConfig::default();
    for step in 0..settings.steps {
        let mut drawn: Vec<&Encoded> = Vec::with_capacity(settings.batch_size);
        for _ in 0..settings.batch_size {
            let task = &prepared.tasks[rng.random_range(0..prepared.tasks.len())];
            drawn.push(&task.train[rng.random_range(0..task.train.len())]);
        }
        let pad = prepared.model.tokenizer.pad_id().unwrap_or(0);
        let batch = Batch::from_encoded(&drawn, pad, settings.pad_multiple)?;
        let weights = weights(rng.random_range(0.0..1.0));
        let point = first.combine(&controls(&flat), &weights);
        let (gradient, _) = cross_entropy_gradient(llama, &point, &batch, false);
        let parts = (1..=bends).map(|bend| gradient.clone().mul_scalar(weights[bend])).collect::<Vec<_>>();
        let rate = settings.learning_rate * learning_rate_share(step, settings.steps);
        flat = optimiser.step(flat, Tensor::cat(parts, 0), rate, &training).0;
        platform::yield_now().await;
        if !tell(step + 1, settings.steps) {
            break;
        }
    }
    let values = read(flat.clone()).await?;
    if values.iter().any(|value| !value.is_finite()) {
        return Err(EngineError::Run(format!(
            "the curve's bends are not numbers any more after training: lower its learning rate (now {})",
            settings.learning_rate
        )));
    }
    Ok(controls(&flat))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_stays_falls_and_rests() {
        let shares: Vec<f64> = (0..=100).map(|step| learning_rate_share(step, 100)).collect();
        assert!(shares[..=50].iter().all(|share| (share - 1.0).abs() < 1e-12));
        assert!((shares[70] - 0.505).abs() < 1e-9);
        assert!(shares[90..].iter().all(|share| (share - 0.01).abs() < 1e-9));
    }
}
