//! THE training loop, one step at a time: draw, replay, gradient, clip, AdamW, average, remember.
//!
//! Everything that decides the next step is in [`Trainer`]: parameters, moments, buffer, generator, counters. A checkpoint of
//! it, restored, goes on bit for bit (on the CPU).

use super::EngineError;
use super::config::ExperimentConfig;
use super::evaluator::read;
use super::feed::{Feed, logits_by_row};
use super::optimiser::{AdamW, learning_rate};
use super::prepare::Prepared;
use super::report::StepReport;
use crate::continual::replay::ReplayBuffer;
use crate::continual::{Correction, Learner, Method, Reading, Setup, StepContext, StepGradient, TaskStart};
use crate::io::Checkpoint;
use crate::model::{Adapter, AdapterLayout};
use crate::platform;
use burn::tensor::{Tensor, TensorData};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Where a run is. Training step numbers are those already made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Task being learnt.
    pub task: usize,
    /// Steps made of this task.
    pub task_step: usize,
    /// Optimiser steps made over all tasks.
    pub step: u64,
    /// Tokens drawn for training, replayed ones and pads included; each counts once, however many passes a method makes.
    pub tokens: u64,
}

/// The parts of a step (with gradient accumulation there are several), added up.
#[derive(Default)]
struct Sum {
    gradient: Option<Tensor<1>>,
    references: Vec<Tensor<1>>,
    terms: Vec<(&'static str, Tensor<1>)>,
}

impl Sum {
    fn add(&mut self, part: StepGradient) {
        self.gradient = Some(match self.gradient.take() {
            Some(sum) => sum + part.gradient,
            None => part.gradient,
        });
        for (index, reference) in part.references.into_iter().enumerate() {
            match self.references.get_mut(index) {
                Some(sum) => *sum = sum.clone() + reference,
                None => self.references.push(reference),
            }
        }
        for (name, value) in part.terms {
            match self.terms.iter_mut().find(|(known, _)| *known == name) {
                Some((_, sum)) => *sum = sum.clone() + value,
                None => self.terms.push((name, value)),
            }
        }
    }
}

/// State of one run's learning.
pub struct Trainer {
    config: ExperimentConfig,
    method: Box<dyn Method>,
    layout: Arc<AdapterLayout>,
    optimiser: AdamW,
    feed: Feed,
    rng: ChaCha8Rng,
    position: Position,
    started: bool,
    /// The next step is reported, whether or not its turn has come.
    report_next: bool,
    last_report: Option<(f64, u64, u64)>,
}

/// Whether a step's numbers belong into the run's record: every `report_every`th of a task, its last, and the very first.
#[must_use]
pub fn is_due(report_every: usize, step: u64, task_step: u64, task_steps: u64) -> bool {
    task_step.is_multiple_of(report_every as u64) || task_step == task_steps || step == 1
}

impl Trainer {
    /// A run at its start. Every method starts from the same adapter for the same seed.
    ///
    /// # Errors
    /// Settings that do not fit the model or the method.
    pub fn new(config: &ExperimentConfig, prepared: &Prepared) -> Result<Self, EngineError> {
        let method = config.methods.first().ok_or_else(|| EngineError::Setting("a run needs a method".into()))?;
        let (entry, knobs) = method.resolve()?;
        let llama = &prepared.model.llama;
        let layout = Arc::new(AdapterLayout::to_train(&llama.config, &config.lora)?);
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let adapter = Adapter::init(&layout, &mut rng, llama.device());
        let method = (entry.make)(Setup { adapter, model: llama, knobs: &knobs, rng: &mut rng })?;
        let optimiser = AdamW::new(&method.parameters());
        let feed = Feed::new(config, method.joint(), method.replay());
        Ok(Self {
            config: config.clone(),
            method,
            layout,
            optimiser,
            feed,
            rng,
            position: Position::default(),
            started: false,
            report_next: false,
            last_report: None,
        })
    }

    /// Has the next step reported even if it is not due ([`is_due`]): somebody steps by hand and looks.
    pub fn report_next_step(&mut self) {
        self.report_next = true;
    }

    /// Number of training phases: one for each task, or one in all for joint training and for no training at all.
    #[must_use]
    pub fn phases(&self, prepared: &Prepared) -> usize {
        if self.method.joint() || !self.method.trains() { 1 } else { prepared.tasks.len() }
    }

    /// Optimiser steps of a phase.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts are small
    pub fn phase_steps(&self, prepared: &Prepared, phase: usize) -> usize {
        if !self.method.trains() {
            return 0;
        }
        let training = &self.config.training;
        let of_task = |examples: usize| {
            if training.steps_per_task > 0 {
                return training.steps_per_task;
            }
            // Whole batches, the last of an epoch may be smaller: as many as `Feed` takes.
            let batches = examples.div_ceil(training.batch_size) as f64;
            (batches * training.epochs / training.gradient_accumulation as f64).ceil().max(1.0) as usize
        };
        if self.method.joint() {
            prepared.tasks.iter().map(|task| of_task(task.train.len())).sum()
        } else {
            of_task(prepared.tasks[phase].train.len())
        }
    }

    /// Where the run is.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// The replay buffer, for methods that have one.
    #[must_use]
    pub fn buffer(&self) -> Option<&ReplayBuffer> {
        self.feed.buffer.as_ref()
    }

    /// Does something to the replay buffer with the run's generator; `None` for methods without one.
    pub(super) fn with_buffer<T>(&mut self, change: impl FnOnce(&mut ReplayBuffer, &mut ChaCha8Rng) -> T) -> Option<T> {
        self.feed.buffer.as_mut().map(|buffer| change(buffer, &mut self.rng))
    }

    /// What can be evaluated for examples of a task.
    #[must_use]
    pub fn learners(&self, task: usize) -> Vec<Learner> {
        self.method.learners(task)
    }

    /// Layout of the adapters.
    #[must_use]
    pub fn layout(&self) -> &Arc<AdapterLayout> {
        &self.layout
    }

    /// Number of values that the optimiser trains.
    #[must_use]
    pub fn trainable_parameters(&self) -> usize {
        self.method.trainable_parameters()
    }

    /// Ends a phase after its last step: shows the method the examples it asks for, one by one, and goes to the next phase.
    ///
    /// `go_on(shown, of)` is asked before each example; when it says no, nothing has changed and `false` comes back.
    ///
    /// # Errors
    /// Examples that make no batch.
    pub async fn end_phase(
        &mut self,
        prepared: &Prepared,
        go_on: &mut dyn FnMut(usize, usize) -> bool,
    ) -> Result<bool, EngineError> {
        let llama = &prepared.model.llama;
        let examples = &prepared.tasks[self.position.task].train;
        let count = self.method.end_examples().min(examples.len());
        let mut tokens = 0;
        for index in 0..count {
            if !go_on(index, count) {
                return Ok(false);
            }
            // Spread evenly over the task, whatever its order.
            let example = &examples[index * examples.len() / count];
            let batch = self.feed.batch(&[example], prepared)?;
            tokens += batch.tokens.len() as u64;
            self.method.observe(llama, &batch, index);
            platform::yield_now().await;
        }
        self.method.end_task(self.position.task, llama);
        self.position.tokens += tokens;
        self.position.task += 1;
        self.position.task_step = 0;
        self.started = false;
        Ok(true)
    }

    /// Makes one optimiser step. Values are read back, and a report returned, every `report_every` steps and at the last one.
    ///
    /// # Errors
    /// A loss that is not finite, or a device that fails.
    #[allow(clippy::too_many_lines)] // one step from top to bottom, in the order in which it happens
    pub async fn step(&mut self, prepared: &Prepared) -> Result<Option<StepReport>, EngineError> {
        let llama = &prepared.model.llama;
        let training = self.config.training.clone();
        let phase = self.position.task;
        let phase_steps = self.phase_steps(prepared, phase);
        if !self.started {
            self.method.begin_task(TaskStart { task: phase, model: llama, rng: &mut self.rng })?;
            if self.method.starts_over() {
                self.optimiser = AdamW::new(&self.method.parameters());
            }
            self.started = true;
        }
        let step = self.position.step + 1;
        let task_step = self.position.task_step + 1;
        let due = is_due(training.report_every, step, task_step as u64, phase_steps as u64);
        let report = std::mem::take(&mut self.report_next) || due;
        let now = platform::now_secs();
        let tokens_before = self.position.tokens;
        // Dropout draws from the device's generator; seeding it from ours makes a resumed run the same.
        llama.device().seed(self.rng.next_u64());
        let mut sum = Sum::default();
        let mut to_insert = Vec::new();
        for part in 0..training.gradient_accumulation {
            let index = self.position.task_step * training.gradient_accumulation + part;
            let drawn = self.feed.draw(prepared, (phase, index, step), &mut self.rng)?;
            self.position.tokens += drawn.tokens();
            let context = StepContext {
                model: llama,
                current: &drawn.current,
                replay: drawn.replay.as_ref(),
                stored_logits: drawn.stored_logits.as_ref(),
                memories: &drawn.memories,
                step,
                task: phase,
                task_step,
                task_steps: phase_steps,
                // A report out of turn must leave no trace in the buffer.
                want_replay_losses: due,
            };
            let mut result = self.method.gradient(&context)?;
            if let Some(buffer) = &mut self.feed.buffer {
                buffer.record_replay(&drawn.items, step);
            }
            if let (Some((working, slow)), Some(replay)) = (result.replay_nll.take(), &drawn.replay) {
                self.feed.record_losses(&drawn.items, replay, working, slow).await?;
            }
            let logits = result.current_logits.take().filter(|_| !drawn.to_insert.is_empty());
            let logits = match logits {
                Some(logits) => Some(logits_by_row(&drawn.current, logits).await?),
                None => None,
            };
            sum.add(result);
            to_insert.push((drawn.to_insert, logits));
        }
        let Some(mut gradient) = sum.gradient else { return Ok(None) };
        #[allow(clippy::cast_precision_loss)] // a small count
        let share = 1.0 / training.gradient_accumulation as f64;
        if training.gradient_accumulation > 1 {
            gradient = gradient.mul_scalar(share);
            sum.references = sum.references.into_iter().map(|reference| reference.mul_scalar(share)).collect();
        }
        let gradient = self.corrected(gradient, &sum.references).await?;
        let rate = learning_rate(&training, self.position.task_step, phase_steps);
        let (parameters, norm) = self.optimiser.step(self.method.parameters(), gradient, rate, &training);
        self.method.set_parameters(parameters);
        self.method.after_step(step);
        for (members, logits) in &to_insert {
            self.feed.insert(prepared, members, logits.as_deref(), step, &mut self.rng);
        }
        self.position.step = step;
        self.position.task_step = task_step;
        if !report {
            return Ok(None);
        }
        let mut losses = Vec::with_capacity(sum.terms.len());
        for (name, value) in sum.terms {
            let value = read(value.mul_scalar(share)).await?.first().copied().unwrap_or(f32::NAN);
            losses.push((name.to_string(), value));
        }
        let gradient_norm = read(norm).await?.first().copied().unwrap_or(f32::NAN);
        if losses.iter().any(|(_, value)| !value.is_finite()) || !gradient_norm.is_finite() {
            return Err(EngineError::Run(format!(
                "the loss is not a number any more at step {step} (task {}): lower training.learning_rate (now {}) or set training.max_grad_norm",
                phase + 1,
                training.learning_rate
            )));
        }
        // Numbers beyond f32 can end in hidden states of 0 instead of NaN: a finite loss without any gradient.
        let total = losses.first().map_or(0.0, |(_, value)| *value);
        if gradient_norm == 0.0 && total > 1e-3 && rate > 0.0 && self.layout.config().lora_alpha != 0.0 {
            return Err(EngineError::Run(format!(
                "no gradient is left at step {step} (task {}) although the loss is {total}, since the numbers have grown beyond all bounds: lower training.learning_rate (now {}) or set training.max_grad_norm",
                phase + 1,
                training.learning_rate
            )));
        }
        let (secs, steps, tokens) = match self.last_report {
            Some((at, step, tokens)) => {
                (platform::now_secs() - at, self.position.step - step, self.position.tokens - tokens)
            }
            None => (platform::now_secs() - now, 1, self.position.tokens),
        };
        self.last_report = Some((platform::now_secs(), self.position.step, self.position.tokens));
        #[allow(clippy::cast_precision_loss)] // counts far below 2^52
        let report = StepReport {
            step,
            task: phase,
            task_step: task_step as u64,
            task_steps: phase_steps as u64,
            losses,
            learning_rate: rate,
            gradient_norm,
            tokens: self.position.tokens - tokens_before,
            tokens_per_sec: tokens as f64 / secs.max(1e-9),
            secs_per_step: secs / steps.max(1) as f64,
            buffer_len: self.buffer().map_or(0, ReplayBuffer::len),
            learner_distance: self.learner_distance().await?,
            diagnostics: self.diagnostics().await?,
        };
        Ok(Some(report))
    }

    /// Forgets when the last report was, so that time spent on evaluation does not count as training.
    pub fn reset_clock(&mut self) {
        self.last_report = Some((platform::now_secs(), self.position.step, self.position.tokens));
    }

    /// L2 distance between the two learners, where there are two.
    async fn learner_distance(&self) -> Result<Option<f32>, EngineError> {
        let learners = self.method.learners(self.position.task);
        let [fast, slow] = learners.as_slice() else { return Ok(None) };
        let (Some(fast), Some(slow)) = (fast.learnt.adapter(), slow.learnt.adapter()) else { return Ok(None) };
        let gap = fast.flat() - slow.flat();
        Ok(read((gap.clone() * gap).sum().sqrt()).await?.first().copied())
    }

    /// The gradient after the method has held it against its references.
    async fn corrected(&mut self, gradient: Tensor<1>, references: &[Tensor<1>]) -> Result<Tensor<1>, EngineError> {
        let gram = match self.method.correct(gradient.clone(), references) {
            Correction::Final(gradient) => return Ok(gradient),
            Correction::Weigh(gram) => gram,
        };
        let size = references.len() + 1;
        let gram: Vec<f64> = read(gram.reshape([size * size])).await?.into_iter().map(f64::from).collect();
        let weights = self.method.weights(&gram).unwrap_or_default();
        let parts = references.iter().zip(weights).map(|(reference, weight)| reference.clone().mul_scalar(weight));
        Ok(parts.fold(gradient, |sum, part| sum + part))
    }

    /// The method's numbers, read back.
    async fn diagnostics(&self) -> Result<Vec<(String, f64)>, EngineError> {
        let mut numbers = Vec::new();
        for (name, reading) in self.method.diagnostics() {
            let value = match reading {
                Reading::Value(value) => value,
                Reading::OnDevice(value) => read(value).await?.first().copied().map_or(f64::NAN, f64::from),
            };
            numbers.push((name.to_string(), value));
        }
        Ok(numbers)
    }

    /// Puts the whole state into a checkpoint.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub async fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), EngineError> {
        checkpoint.put_state("position", &self.position)?;
        checkpoint.put_state("rng", &self.rng)?;
        checkpoint.put_state("buffer", &self.feed.buffer)?;
        checkpoint.put_state("optimiser_steps", &self.optimiser.steps)?;
        checkpoint.put_state("phase_started", &self.started)?;
        let state = self.method.state();
        checkpoint.put_state("method_state", &state.keys().collect::<Vec<_>>())?;
        let fixed = [
            ("parameters", self.method.parameters()),
            ("first_moment", self.optimiser.first.clone()),
            ("second_moment", self.optimiser.second.clone()),
        ];
        for (name, tensor) in fixed {
            checkpoint.put_f32(name, &read(tensor).await?);
        }
        for (name, tensor) in state {
            checkpoint.put_f32(&format!("method.{name}"), &read(tensor).await?);
        }
        Ok(())
    }

    /// Takes the whole state from a checkpoint.
    ///
    /// # Errors
    /// A checkpoint of another model or other settings.
    pub fn restore(&mut self, checkpoint: &Checkpoint, prepared: &Prepared) -> Result<(), EngineError> {
        let device = prepared.model.llama.device();
        let expected = self.method.parameters().dims()[0];
        let vector = |name: &str| -> Result<Tensor<1>, EngineError> {
            let values = checkpoint.get_f32(name)?;
            if values.len() != expected {
                return Err(EngineError::Run(format!(
                    "the checkpoint's `{name}` has {} numbers, this run needs {expected}: it belongs to another model or other LoRA settings",
                    values.len()
                )));
            }
            Ok(Tensor::from_data(TensorData::new(values, [expected]), device))
        };
        self.position = checkpoint.get_state("position")?;
        self.rng = checkpoint.get_state("rng")?;
        self.feed.buffer = checkpoint.get_state("buffer")?;
        self.optimiser.steps = checkpoint.get_state("optimiser_steps")?;
        self.started = checkpoint.get_state("phase_started")?;
        self.optimiser.first = vector("first_moment")?;
        self.optimiser.second = vector("second_moment")?;
        self.method.set_parameters(vector("parameters")?);
        let names: Vec<String> = checkpoint.get_state("method_state")?;
        let mut state = BTreeMap::new();
        for name in names {
            let values = checkpoint.get_f32(&format!("method.{name}"))?;
            let length = values.len();
            state.insert(name, Tensor::from_data(TensorData::new(values, [length]), device));
        }
        self.method.restore(&state)?;
        self.feed.rewind();
        Ok(())
    }
}
