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

/// A curve in training. It can be set aside between two steps and gone on with, as if nobody had stopped it.
#[derive(Clone, Debug)]
pub struct Bender {
    ends: [Adapter; 2],
    settings: CurveSettings,
    /// The bends one after the other.
    flat: Tensor<1>,
    optimiser: AdamW,
    rng: ChaCha8Rng,
    step: usize,
    /// `(step, loss)` of the steps whose loss somebody read; `None` where it was not finite.
    pub losses: Vec<(usize, Option<f64>)>,
}

impl Bender {
    /// The bends on the straight line between the ends.
    #[must_use]
    pub fn new([first, last]: [&Adapter; 2], settings: CurveSettings) -> Self {
        let bends = settings.bends;
        #[allow(clippy::cast_precision_loss)] // a few bends
        let straight = (1..=bends).map(|bend| first.lerp(last, bend as f64 / (bends + 1) as f64).flat());
        let flat = Tensor::cat(straight.collect::<Vec<_>>(), 0);
        let (optimiser, rng) = (AdamW::new(&flat), ChaCha8Rng::seed_from_u64(settings.seed));
        Self { ends: [first.clone(), last.clone()], settings, flat, optimiser, rng, step: 0, losses: Vec::new() }
    }

    /// Steps made so far.
    #[must_use]
    pub fn steps(&self) -> usize {
        self.step
    }

    /// The control points as they are now, ends included.
    #[must_use]
    pub fn controls(&self) -> Vec<Adapter> {
        let [first, last] = &self.ends;
        let length = first.layout().length();
        let bend = |bend: usize| first.with_flat(self.flat.clone().slice([bend * length..(bend + 1) * length]));
        let middle = (0..self.settings.bends).map(bend);
        std::iter::once(first.clone()).chain(middle).chain([last.clone()]).collect()
    }

    /// One step; the loss of its batch, `[1]`. `weights(t)` gives the curve's coefficients, one for each control point.
    ///
    /// # Errors
    /// Tasks without training examples.
    pub fn advance(
        &mut self,
        prepared: &Prepared,
        weights: &dyn Fn(f64) -> Vec<f64>,
    ) -> Result<Tensor<1>, EngineError> {
        let Self { settings, rng, .. } = self;
        let mut drawn: Vec<&Encoded> = Vec::with_capacity(settings.batch_size);
        for _ in 0..settings.batch_size {
            let task = &prepared.tasks[rng.random_range(0..prepared.tasks.len())];
            drawn.push(&task.train[rng.random_range(0..task.train.len())]);
        }
        let pad = prepared.model.tokenizer.pad_id().unwrap_or(0);
        let batch = Batch::from_encoded(&drawn, pad, settings.pad_multiple)?;
        let weights = weights(rng.random_range(0.0..1.0));
        let point = self.ends[0].combine(&self.controls(), &weights);
        let (gradient, loss) = cross_entropy_gradient(&prepared.model.llama, &point, &batch, false);
        let parts = (1..=self.settings.bends).map(|bend| gradient.clone().mul_scalar(weights[bend]));
        let gradient = Tensor::cat(parts.collect::<Vec<_>>(), 0);
        let rate = self.settings.learning_rate * learning_rate_share(self.step, self.settings.steps);
        self.flat = self.optimiser.step(self.flat.clone(), gradient, rate, &TrainingConfig::default()).0;
        self.step += 1;
        Ok(loss)
    }

    /// Says so if the bends grew beyond all bounds.
    ///
    /// # Errors
    /// Bends that are not finite, or a device that fails.
    pub async fn check(&self) -> Result<(), EngineError> {
        if read(self.flat.clone()).await?.iter().all(|value| value.is_finite()) {
            return Ok(());
        }
        Err(EngineError::Run(format!(
            "the curve's bends are not numbers any more after training: lower its learning rate (now {})",
            self.settings.learning_rate
        )))
    }
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
