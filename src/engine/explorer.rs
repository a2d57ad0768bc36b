//! Loss and score at points between adapters: several points in one pass through the frozen base.
//!
//! A point is an adapter (or the sum of weighted updates), never a merged copy of the model. Points of a path or a plane see the
//! same examples in the same order without dropout, so their values differ by the adapters alone.

use super::EngineError;
use super::control::Control;
use super::evaluator::{outcomes_of_each, read};
use super::prepare::Prepared;
use crate::data::batch::Batch;
use crate::data::prompt::{Encoded, encode_example};
use crate::data::task::Task;
use crate::model::{AdapterVars, ModelConfig, Overlay, Pass};
use crate::platform;
use sha2::{Digest as _, Sha256};
use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Most points in one pass.
const POINTS_AT_ONCE: usize = 64;
/// Share of the free memory that a pass may take: what is free is not all ours, and the tensors' own pool rounds up.
const MEMORY_SHARE: u64 = 4;

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
pub type Values = (Option<f64>, Option<f64>);

/// The examples that all points are measured on.
pub struct Explorer<'a> {
    prepared: &'a Prepared,
    settings: ExplorerSettings,
    /// The evaluation examples of each task, rising in length, in batches of at most the device's `tokens_at_once` (or one
    /// example).
    batches: Vec<Vec<Batch>>,
    /// What is measured on each task: its tokens and, for scores, its answers.
    contents: Vec<[u8; 32]>,
    control: Control,
}

impl<'a> Explorer<'a> {
    /// Encodes the first examples of every task's evaluation set.
    ///
    /// # Errors
    /// A task without evaluation examples, or one that cannot be encoded.
    pub fn new(prepared: &'a Prepared, settings: ExplorerSettings) -> Result<Self, EngineError> {
        let tokenizer = &prepared.model.tokenizer;
        let mut batches = Vec::with_capacity(prepared.tasks.len());
        let mut contents = Vec::with_capacity(prepared.tasks.len());
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
            contents.push(content(&parts, settings.scores.then_some((&task.task, count))));
            batches.push(parts);
        }
        Ok(Self { prepared, settings, batches, contents, control: Control::default() })
    }

    /// Ends a pass between two of its batches when a stop was asked for here.
    #[must_use]
    pub fn stopped_by(mut self, control: &Control) -> Self {
        self.control = control.clone();
        self
    }

    /// `[tasks]` what stands for the examples of each task and how they are measured: the same bytes, the same values.
    #[must_use]
    pub fn contents(&self) -> &[[u8; 32]] {
        &self.contents
    }

    /// The same examples for another model with the same tokenizer, such as a merged one.
    #[must_use]
    pub fn on<'b>(&self, prepared: &'b Prepared) -> Explorer<'b> {
        Explorer {
            prepared,
            settings: self.settings,
            batches: self.batches.clone(),
            contents: self.contents.clone(),
            control: self.control.clone(),
        }
    }

    /// Number of points that go through the model together: as many as suit the device and as there is memory for.
    #[must_use]
    pub fn points_at_once(&self) -> usize {
        if self.settings.points_at_once > 0 {
            return self.settings.points_at_once.min(POINTS_AT_ONCE);
        }
        let model = &self.prepared.model;
        let fits = |batch: &Batch| {
            let suits = model.tokens_at_once / batch.tokens.len().max(1);
            suits.min(room(&model.llama.config, batch, platform::available_memory_bytes(), model.max_binding_bytes))
        };
        self.batches.iter().flatten().map(fits).min().unwrap_or(1).clamp(1, POINTS_AT_ONCE)
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
            let Some(part) = self.measure_overlay(range.len(), &points(range).into()).await? else { break };
            let go_on = tell(start, &part);
            all.extend(part);
            platform::yield_now().await;
            if !go_on {
                break;
            }
        }
        Ok(all)
    }

    /// The `count` points that share the overlay's pass; 1 for an overlay without an adapter, the base model. `None` after a
    /// stop in the middle.
    ///
    /// # Errors
    /// A device that fails.
    pub async fn measure_overlay(&self, count: usize, overlay: &Overlay) -> Result<Option<Vec<Measured>>, EngineError> {
        let all: Vec<usize> = (0..self.batches.len()).collect();
        let Some(by_task) = self.measure_tasks(&all, count, overlay).await? else { return Ok(None) };
        let of = |point: usize| Measured {
            losses: by_task.iter().map(|task| task[point].0).collect(),
            scores: by_task.iter().map(|task| task[point].1).collect(),
        };
        Ok(Some((0..count).map(of).collect()))
    }

    /// `[these tasks][count]` values of the points that share the overlay's pass. `None` after a stop in the middle.
    ///
    /// # Errors
    /// A device that fails.
    pub async fn measure_tasks(
        &self,
        tasks: &[usize],
        count: usize,
        overlay: &Overlay,
    ) -> Result<Option<Vec<Vec<Values>>>, EngineError> {
        let at_once = self.prepared.model.passes_at_once.min(tasks.len());
        // A browser's one thread cannot wait for a pass where it stands.
        if at_once > 1 && platform::can_block() {
            return self.tasks_side_by_side(tasks, at_once, count, overlay);
        }
        let mut by_task = Vec::with_capacity(tasks.len());
        for &task in tasks {
            let Some(values) = self.measure_task(task, count, overlay).await? else { return Ok(None) };
            by_task.push(values);
            platform::yield_now().await;
        }
        Ok(Some(by_task))
    }

    /// The tasks on `at_once` threads of the pool, each going on with the next task when it is through with one: a pass has
    /// parts that only one thread works on, and then another pass has the other threads.
    fn tasks_side_by_side(
        &self,
        tasks: &[usize],
        at_once: usize,
        count: usize,
        overlay: &Overlay,
    ) -> Result<Option<Vec<Vec<Values>>>, EngineError> {
        let next = AtomicUsize::new(0);
        let found: Vec<OnceLock<Result<Option<Vec<Values>>, EngineError>>> =
            tasks.iter().map(|_| OnceLock::new()).collect();
        rayon::scope(|scope| {
            for _ in 0..at_once {
                scope.spawn(|_| {
                    loop {
                        let turn = next.fetch_add(1, Ordering::Relaxed);
                        let Some((slot, &task)) = found.get(turn).zip(tasks.get(turn)) else { break };
                        let values = platform::block_on(self.measure_task(task, count, overlay));
                        let _ = slot.set(values.unwrap_or_else(|error| Err(EngineError::Run(error.to_string()))));
                    }
                });
            }
        });
        let untouched = || EngineError::Run("a task was left out".into());
        found.into_iter().map(|slot| slot.into_inner().unwrap_or_else(|| Err(untouched()))).collect()
    }

    /// Loss and score of one task at each of the points that share the overlay's pass; `None` after a stop.
    async fn measure_task(
        &self,
        index: usize,
        count: usize,
        overlay: &Overlay,
    ) -> Result<Option<Vec<Values>>, EngineError> {
        let (parts, llama) = (&self.batches[index], &self.prepared.model.llama);
        let (mut sums, mut targets) = (vec![0.0_f64; count], 0);
        for batch in parts {
            if self.control.is_stopped() {
                return Ok(None);
            }
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
            return Ok(Some(losses.into_iter().map(|loss| (loss, None)).collect()));
        }
        let task = &self.prepared.tasks[index].task;
        let examples = &task.eval[..task.eval.len().min(self.settings.examples)];
        let mut sums = vec![0.0_f64; count];
        for examples in examples.chunks(parts.first().map_or(1, |part| part.batch)) {
            if self.control.is_stopped() {
                return Ok(None);
            }
            let outcomes = outcomes_of_each(self.prepared, task, examples, overlay).await?;
            for (sum, outcomes) in sums.iter_mut().zip(outcomes) {
                *sum += outcomes.iter().map(|outcome| outcome.score).sum::<f64>();
            }
        }
        // Scores of a broken model are chance and tell nothing.
        #[allow(clippy::cast_precision_loss)] // counts of examples
        let scores = sums.into_iter().map(|sum| sum / examples.len() as f64);
        Ok(Some(losses.into_iter().zip(scores).map(|(loss, score)| (loss, loss.map(|_| score))).collect()))
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

/// A digest of all that a task's values depend on besides model and adapter.
fn content(parts: &[Batch], scored: Option<(&Task, usize)>) -> [u8; 32] {
    let mut hasher = Sha256::new();
    let mut numbers = |list: &[u32]| {
        hasher.update((list.len() as u64).to_le_bytes());
        for number in list {
            hasher.update(number.to_le_bytes());
        }
    };
    for batch in parts {
        let lengths: Vec<u32> = batch.lengths.iter().map(|length| u32::try_from(*length).unwrap_or(u32::MAX)).collect();
        for list in [&batch.tokens, &lengths, &batch.target_positions, &batch.target_ids] {
            numbers(list);
        }
    }
    if let Some((task, count)) = scored {
        hasher.update(format!("{:?} {:?} {}", task.metric, task.labels, task.max_new_tokens));
        for example in &task.eval[..count] {
            hasher.update(format!("{:?} {:?}", example.prompt, example.answer));
        }
    }
    hasher.finalize().into()
}

/// How many copies of a batch there is room for in a pass, by the memory that is free and by the largest buffer that one kernel
/// may bind. Only what stands in memory at one time counts: no gradient is kept.
fn room(config: &ModelConfig, batch: &Batch, free_bytes: Option<u64>, max_binding_bytes: usize) -> usize {
    let float = size_of::<f32>();
    // The widest states of a block: the two halves of the gated part and their product, or queries, keys and values.
    let wide = (3 * config.intermediate_size).max(4 * config.hidden_size) + 3 * config.hidden_size;
    let states = batch.tokens.len().saturating_mul(wide).saturating_mul(float);
    let attention = config.num_attention_heads.saturating_mul(batch.tokens.len()).saturating_mul(batch.seq) * float;
    let logits = batch.targets().saturating_mul(config.vocab_size).saturating_mul(float);
    let whole = states.saturating_add(2 * attention).saturating_add(2 * logits).max(1);
    let by_memory =
        free_bytes.map_or(usize::MAX, |free| usize::try_from(free / MEMORY_SHARE).unwrap_or(usize::MAX) / whole);
    let widest = (batch.tokens.len() * config.intermediate_size.max(config.hidden_size) * float).max(attention);
    by_memory.min(max_binding_bytes / widest.max(logits).max(1))
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

    #[test]
    fn little_memory_and_small_buffers_leave_room_for_few_points() {
        let config = crate::engine::builtin_model::open().unwrap().config;
        let row = Encoded { tokens: vec![1; 64], answer_start: 60, truncated: 0, answer_truncated: 0 };
        let batch = Batch::from_encoded(&[&row; 8], 0, 1).unwrap();
        assert!(room(&config, &batch, None, usize::MAX) > 1_000_000_000, "nothing is known, nothing limits");
        let half = |bytes: u64| room(&config, &batch, Some(bytes), usize::MAX);
        let (much, little) = (half(1 << 30), half(1 << 29));
        assert!(much > 8 && (much / 2).abs_diff(little) <= 1, "{much} and {little} copies");
        // 512 tokens, and the widest state of a token
        let bound = 512 * config.intermediate_size * 4 * 3;
        let attention = config.num_attention_heads * 512 * 64 * 4;
        assert_eq!(room(&config, &batch, None, bound), bound / attention.max(512 * config.intermediate_size * 4));
        assert_eq!(room(&config, &batch, Some(0), usize::MAX), 0, "at least one is taken all the same");
    }

    #[test]
    fn what_is_measured_has_its_own_content() {
        let row =
            |tokens: &[u32]| Encoded { tokens: tokens.to_vec(), answer_start: 1, truncated: 0, answer_truncated: 0 };
        let of = |tokens: &[u32]| content(&[Batch::from_encoded(&[&row(tokens)], 0, 1).unwrap()], None);
        assert_eq!(of(&[1, 2, 3]), of(&[1, 2, 3]));
        assert_ne!(of(&[1, 2, 3]), of(&[1, 2, 4]));
        let batch = [Batch::from_encoded(&[&row(&[1, 2])], 0, 1).unwrap()];
        let mut task = crate::data::builtin::by_name("stance", 0).unwrap();
        let scored = |task: &Task| content(&batch, Some((task, 2)));
        let before = scored(&task);
        assert_ne!(before, content(&batch, None), "with scores it is another measurement");
        task.eval[1].answer.push('!');
        assert_ne!(before, scored(&task));
    }
}
