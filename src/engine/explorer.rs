//! Loss and score at points between adapters: several points in one pass through the frozen base.
//!
//! A point is an adapter (or the sum of weighted updates), never a merged copy of the model. Points of a path or a plane see the
//! same examples in the same order without dropout, so their values differ by the adapters alone.

use super::EngineError;
use super::evaluator::{outcomes_of_each, read};
use super::prepare::Prepared;
use crate::data::batch::Batch;
use crate::data::prompt::{Encoded, encode_example};
use crate::model::{AdapterVars, Overlay, Pass};
use crate::platform;
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

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

/// Loss and score of one task at one point.
type Values = (Option<f64>, Option<f64>);

/// The examples that all points are measured on.
pub struct Explorer<'a> {
    prepared: &'a Prepared,
    settings: ExplorerSettings,
    /// The evaluation examples of each task, rising in length, in batches of at most the device's `tokens_at_once` (or one
    /// example).
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
            let mut encoded = task.task.eval[..count]
                .iter()
                .map(|example| encode_example(tokenizer, example, &prepared.format))
                .collect::<Result<Vec<Encoded>, _>>()?;
            // Rows of one length stand together, so that little is padded.
            encoded.sort_by_key(|row| row.tokens.len());
            let longest = encoded.last().map_or(1, |row| row.tokens.len());
            let together = (prepared.model.tokens_at_once / longest.max(1)).max(1);
            let mut parts = Vec::new();
            for rows in encoded.chunks(together) {
                let rows: Vec<&Encoded> = rows.iter().collect();
                parts.push(Batch::from_encoded(&rows, tokenizer.pad_id().unwrap_or(0), 1)?);
            }
            batches.push(parts);
        }
        Ok(Self { prepared, settings, batches })
    }

    /// The same examples for another model with the same tokenizer, such as a merged one.
    #[must_use]
    pub fn on<'b>(&self, prepared: &'b Prepared) -> Explorer<'b> {
        Explorer { prepared, settings: self.settings, batches: self.batches.clone() }
    }

    /// Number of points that go through the model together.
    #[must_use]
    pub fn points_at_once(&self) -> usize {
        if self.settings.points_at_once > 0 {
            return self.settings.points_at_once.min(POINTS_AT_ONCE);
        }
        let longest = self.batches.iter().flatten().map(|batch| batch.tokens.len()).max().unwrap_or(1);
        (self.prepared.model.tokens_at_once / longest.max(1)).clamp(1, POINTS_AT_ONCE)
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
            let part = self.measure_overlay(range.len(), &points(range).into()).await?;
            let go_on = tell(start, &part);
            all.extend(part);
            platform::yield_now().await;
            if !go_on {
                break;
            }
        }
        Ok(all)
    }

    /// The `count` points that share the overlay's pass; 1 for an overlay without an adapter, the base model.
    ///
    /// # Errors
    /// A device that fails.
    pub async fn measure_overlay(&self, count: usize, overlay: &Overlay) -> Result<Vec<Measured>, EngineError> {
        let tasks = self.batches.len();
        let at_once = self.prepared.model.passes_at_once.min(tasks);
        let by_task = if at_once > 1 {
            self.tasks_side_by_side(at_once, count, overlay)?
        } else {
            let mut by_task = Vec::with_capacity(tasks);
            for task in 0..tasks {
                by_task.push(self.measure_task(task, count, overlay).await?);
            }
            by_task
        };
        let of = |point: usize| Measured {
            losses: by_task.iter().map(|task| task[point].0).collect(),
            scores: by_task.iter().map(|task| task[point].1).collect(),
        };
        Ok((0..count).map(of).collect())
    }

    /// The tasks on `at_once` threads of the pool, each going on with the next task when it is through with one: a pass has
    /// parts that only one thread works on, and then another pass has the other threads.
    fn tasks_side_by_side(
        &self,
        at_once: usize,
        count: usize,
        overlay: &Overlay,
    ) -> Result<Vec<Vec<Values>>, EngineError> {
        let next = AtomicUsize::new(0);
        let found: Vec<OnceLock<Result<Vec<Values>, EngineError>>> =
            (0..self.batches.len()).map(|_| OnceLock::new()).collect();
        rayon::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|_| {
                    loop {
                        let task = next.fetch_add(1, Ordering::Relaxed);
                        let Some(slot) = found.get(task) else { break };
                        let values = platform::block_on(self.measure_task(task, count, overlay));
                        let _ = slot.set(values.unwrap_or_else(|error| Err(EngineError::Run(error.to_string()))));
                    }
                });
            }
        });
        let untouched = || EngineError::Run("a task was left out".into());
        found.into_iter().map(|slot| slot.into_inner().unwrap_or_else(|| Err(untouched()))).collect()
    }

    /// Loss and score of one task at each of the points that share the overlay's pass.
    async fn measure_task(&self, index: usize, count: usize, overlay: &Overlay) -> Result<Vec<Values>, EngineError> {
        let (parts, llama) = (&self.batches[index], &self.prepared.model.llama);
        let (mut sums, mut targets) = (vec![0.0_f64; count], 0);
        for batch in parts {
            let batch = batch.repeat(count)?;
            let pass = Pass { rows: Some(&batch.target_positions), ..overlay.pass() };
            let nll = read(llama.nll(llama.forward(&batch, pass).last, &[], &batch.target_ids)).await?;
            let block = nll.len() / count;
            for (sum, nll) in sums.iter_mut().zip(nll.chunks_exact(block.max(1))) {
                *sum += nll.iter().map(|value| f64::from(*value)).sum::<f64>();
            }
            targets += block;
        }
        #[allow(clippy::cast_precision_loss)] // counts of tokens
        let losses = sums.into_iter().map(|sum| sum / targets as f64).map(|mean| mean.is_finite().then_some(mean));
        let losses: Vec<Option<f64>> = losses.collect();
        if !self.settings.scores {
            return Ok(losses.into_iter().map(|loss| (loss, None)).collect());
        }
        let task = &self.prepared.tasks[index].task;
        let examples = &task.eval[..task.eval.len().min(self.settings.examples)];
        let mut sums = vec![0.0_f64; count];
        for examples in examples.chunks(parts.first().map_or(1, |part| part.batch)) {
            let outcomes = outcomes_of_each(self.prepared, task, examples, overlay).await?;
            for (sum, outcomes) in sums.iter_mut().zip(outcomes) {
                *sum += outcomes.iter().map(|outcome| outcome.score).sum::<f64>();
            }
        }
        // Scores of a broken model are chance and tell nothing.
        #[allow(clippy::cast_precision_loss)] // counts of examples
        let scores = sums.into_iter().map(|sum| sum / examples.len() as f64);
        Ok(losses.into_iter().zip(scores).map(|(loss, score)| (loss, loss.map(|_| score))).collect())
    }

    /// What the model makes of the place where each answer begins, under one overlay: for every state of the model
    /// (embedding, the output of every block but the last, the normalised output), `[examples, hidden_size]` row by row, the
    /// examples of all tasks one after the other, of a task rising in length. `tell(examples)` counts them and says whether to go on.
    ///
    /// Only the asked rows of a state are kept, so that memory grows with the examples and not with their tokens.
    ///
    /// # Errors
    /// A device that fails.
    pub async fn features(
        &self,
        overlay: &Overlay,
        tell: &mut dyn FnMut(usize) -> bool,
    ) -> Result<Option<Vec<Vec<f32>>>, EngineError> {
        let llama = &self.prepared.model.llama;
        let mut states: Vec<Vec<f32>> = vec![Vec::new(); llama.config.num_hidden_layers + 1];
        for batch in self.batches.iter().flatten() {
            let rows = before_answers(batch);
            let pass = Pass { rows: Some(&rows), keep_layers: true, ..overlay.pass() };
            let hidden = llama.forward(batch, pass).layers;
            for (state, rows) in states.iter_mut().zip(hidden) {
                let length: usize = rows.dims().iter().product();
                state.extend(read(rows.reshape([length])).await?);
            }
            platform::yield_now().await;
            if !tell(batch.batch) {
                return Ok(None);
            }
        }
        Ok(Some(states))
    }

    /// Tokens of all examples, pads not counted.
    #[must_use]
    pub fn real_tokens(&self) -> usize {
        self.batches.iter().flatten().map(Batch::real_tokens).sum()
    }

    /// Examples of all tasks together.
    #[must_use]
    pub fn examples(&self) -> usize {
        self.batches.iter().flatten().map(|batch| batch.batch).sum()
    }
}

/// The flat position of the last token before each row's answer, which predicts its first.
fn before_answers(batch: &Batch) -> Vec<u32> {
    let mut first: Vec<Option<u32>> = vec![None; batch.batch];
    for (&position, &row) in batch.target_positions.iter().zip(&batch.target_rows) {
        first[row as usize].get_or_insert(position);
    }
    first.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_taken_where_the_answer_begins() {
        let row = |tokens: &[u32], answer_start| Encoded {
            tokens: tokens.to_vec(),
            answer_start,
            truncated: 0,
            answer_truncated: 0,
        };
        let (long, short) = (row(&[5, 6, 7, 8, 9], 3), row(&[5, 6], 1));
        let batch = Batch::from_encoded(&[&long, &short], 0, 1).unwrap();
        assert_eq!(batch.target_positions, [2, 3, 5]);
        assert_eq!(before_answers(&batch), [2, 5]);
    }
}
