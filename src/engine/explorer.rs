//! Loss and score at points between adapters: several points in one pass through the frozen base.
//!
//! A point is an adapter (or the sum of weighted updates), never a merged copy of the model. Points of a path or a plane see the
//! same examples in the same order without dropout, so their values differ by the adapters alone.

use super::EngineError;
use super::evaluator::{outcomes_of_each, read};
use super::prepare::Prepared;
use crate::data::batch::Batch;
use crate::data::prompt::{Encoded, encode_example};
use crate::model::{AdapterVars, Overlay};
use crate::platform;
use std::ops::Range;

/// Tokens that go through the model in one pass when nobody says how many points go together: enough to fill the matrix
/// products, few enough for the cache of a CPU.
const TOKENS_AT_ONCE: usize = 8192;
/// Most points in one pass.
const POINTS_AT_ONCE: usize = 64;

/// What is measured at a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ExplorerSettings {
    /// Evaluation examples of each task.
    pub examples: usize,
    /// Points in one pass; 0 chooses.
    pub points_at_once: usize,
    /// Measure the tasks' metrics as well as the loss.
    pub scores: bool,
}

/// Values at one point, by task; `None` is a hole: a loss that is not finite, or what was not asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Measured {
    /// Mean cross-entropy of the answers' tokens, in nats.
    pub losses: Vec<Option<f64>>,
    /// Mean score in the task's metric, in `[0, 1]`.
    pub scores: Vec<Option<f64>>,
}

/// The examples that all points are measured on.
pub struct Explorer<'a> {
    prepared: &'a Prepared,
    settings: ExplorerSettings,
    /// The evaluation examples of each task, in batches of at most [`TOKENS_AT_ONCE`] (or one example).
    batches: Vec<Vec<Batch>>,
}

impl<'a> Explorer<'a> {
    /// Encodes the first examples of every task's evaluation set.
    ///
    /// # Errors
    /// A task without evaluation examples, or one that cannot be encoded.
    pub fn new(prepared: &'a Prepared, settings: ExplorerSettings) -> Result<Self, EngineError> {
        let tokenizer = &prepared.model.tokenizer;
        let mut batches = Vec::with_capacity(prepared.tasks.len());
        for task in &prepared.tasks {
            let count = task.task.eval.len().min(settings.examples);
            if count == 0 {
                return Err(EngineError::Setting(format!(
                    "task `{}` has no evaluation examples to measure on: give it some, or leave the task out",
                    task.task.name
                )));
            }
            let encoded = task.task.eval[..count]
                .iter()
                .map(|example| encode_example(tokenizer, example, &prepared.format))
                .collect::<Result<Vec<Encoded>, _>>()?;
            let longest = encoded.iter().map(|row| row.tokens.len()).max().unwrap_or(1);
            let together = (TOKENS_AT_ONCE / longest.max(1)).max(1);
            let mut parts = Vec::new();
            for rows in encoded.chunks(together) {
                let rows: Vec<&Encoded> = rows.iter().collect();
                parts.push(Batch::from_encoded(&rows, tokenizer.pad_id().unwrap_or(0), 1)?);
            }
            batches.push(parts);
        }
        Ok(Self { prepared, settings, batches })
    }

    /// Number of points that go through the model together.
    #[must_use]
    pub fn points_at_once(&self) -> usize {
        if self.settings.points_at_once > 0 {
            return self.settings.points_at_once.min(POINTS_AT_ONCE);
        }
        let longest = self.batches.iter().flatten().map(|batch| batch.tokens.len()).max().unwrap_or(1);
        (TOKENS_AT_ONCE / longest.max(1)).clamp(1, POINTS_AT_ONCE)
    }

    /// Measures `count` points. `points(range)` makes the factors of some of them, one block each, in their order.
    ///
    /// `tell(first, values)` is given each part as it comes and says whether to go on; after a stop the points measured so far
    /// are what comes back.
    ///
    /// # Errors
    /// A device that fails.
    pub async fn measure(
        &self,
        count: usize,
        points: &dyn Fn(Range<usize>) -> AdapterVars,
        tell: &mut dyn FnMut(usize, &[Measured]) -> bool,
    ) -> Result<Vec<Measured>, EngineError> {
        let mut all = Vec::with_capacity(count);
        let step = self.points_at_once();
        for start in (0..count).step_by(step) {
            let range = start..(start + step).min(count);
            let part = self.measure_together(range.len(), points(range).into()).await?;
            let go_on = tell(start, &part);
            all.extend(part);
            platform::yield_now().await;
            if !go_on {
                break;
            }
        }
        Ok(all)
    }

    /// Points that share one pass.
    async fn measure_together(&self, count: usize, overlay: Overlay) -> Result<Vec<Measured>, EngineError> {
        let tasks = self.batches.len();
        let mut measured =
            vec![Measured { losses: Vec::with_capacity(tasks), scores: Vec::with_capacity(tasks) }; count];
        let llama = &self.prepared.model.llama;
        for (index, parts) in self.batches.iter().enumerate() {
            let (mut sums, mut targets) = (vec![0.0_f64; count], 0);
            for batch in parts {
                let batch = batch.repeat(count)?;
                let hidden = llama.forward(&batch, overlay.pass()).last;
                let nll = read(llama.nll(hidden, &batch.target_positions, &batch.target_ids)).await?;
                let block = nll.len() / count;
                for (sum, nll) in sums.iter_mut().zip(nll.chunks_exact(block.max(1))) {
                    *sum += nll.iter().map(|value| f64::from(*value)).sum::<f64>();
                }
                targets += block;
            }
            for (point, sum) in measured.iter_mut().zip(sums) {
                #[allow(clippy::cast_precision_loss)] // counts of tokens
                let mean = sum / targets as f64;
                point.losses.push(mean.is_finite().then_some(mean));
            }
            if !self.settings.scores {
                for point in &mut measured {
                    point.scores.push(None);
                }
                continue;
            }
            let task = &self.prepared.tasks[index].task;
            let examples = &task.eval[..task.eval.len().min(self.settings.examples)];
            let mut sums = vec![0.0_f64; count];
            for examples in examples.chunks(parts.first().map_or(1, |part| part.batch)) {
                let outcomes = outcomes_of_each(self.prepared, task, examples, &overlay).await?;
                for (sum, outcomes) in sums.iter_mut().zip(outcomes) {
                    *sum += outcomes.iter().map(|outcome| outcome.score).sum::<f64>();
                }
            }
            for (point, sum) in measured.iter_mut().zip(sums) {
                // Scores of a broken model are chance and tell nothing.
                let hole = point.losses.last().is_none_or(Option::is_none);
                #[allow(clippy::cast_precision_loss)] // counts of examples
                point.scores.push((!hole).then_some(sum / examples.len() as f64));
            }
        }
        Ok(measured)
    }
}
