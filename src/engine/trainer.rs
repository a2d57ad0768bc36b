//! THE training loop, one step at a time: draw, replay, gradient, clip, AdamW, average, remember.
//!
//! Everything that decides the next step is in [`Trainer`]: parameters, moments, buffer, generator, counters. A checkpoint of
//! it, restored, goes on bit for bit (on the CPU).

use super::EngineError;
use super::config::ExperimentConfig;
use super::evaluator::read;
use super::optimiser::{AdamW, learning_rate};
use super::prepare::Prepared;
use super::report::StepReport;
use crate::continual::replay::{ReplayBuffer, ReplayItem};
use crate::continual::{InsertWhen, Learner, Method, StepContext};
use crate::data::batch::{Batch, plan_epoch};
use crate::data::prompt::Encoded;
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
    /// Tokens that went through the model.
    pub tokens: u64,
}

/// An example by its task and its place there.
type Member = (usize, usize);

/// The order of one epoch: of which phase, which epoch, and its batches.
struct EpochPlan {
    phase: usize,
    epoch: usize,
    batches: Vec<Vec<Member>>,
}

/// What one part of a step works on.
struct Drawn {
    current: Batch,
    replay: Option<Batch>,
    /// Places in the buffer of the replayed examples.
    items: Vec<usize>,
    /// Examples that enter the buffer after the optimiser step.
    to_insert: Vec<Member>,
}

/// State of one run's learning.
pub struct Trainer {
    config: ExperimentConfig,
    method: Box<dyn Method>,
    layout: Arc<AdapterLayout>,
    optimiser: AdamW,
    buffer: Option<ReplayBuffer>,
    rng: ChaCha8Rng,
    position: Position,
    /// The epoch being read.
    plan: Option<EpochPlan>,
    started: bool,
    last_report: Option<(f64, u64, u64)>,
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
        let layout = Arc::new(AdapterLayout::new(&llama.config, &config.lora)?);
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
        let adapter = Adapter::init(&layout, &mut rng, llama.device());
        let method = (entry.make)(adapter, &knobs)?;
        let optimiser = AdamW::new(&method.parameters());
        let buffer = method.replay().map(|_| ReplayBuffer::new(config.replay.policy, config.replay.capacity));
        Ok(Self {
            config: config.clone(),
            method,
            layout,
            optimiser,
            buffer,
            rng,
            position: Position::default(),
            plan: None,
            started: false,
            last_report: None,
        })
    }

    /// Number of training phases: one for each task, or one in all for joint training.
    #[must_use]
    pub fn phases(&self, prepared: &Prepared) -> usize {
        if self.method.joint() { 1 } else { prepared.tasks.len() }
    }

    /// Optimiser steps of a phase.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts are small
    pub fn phase_steps(&self, prepared: &Prepared, phase: usize) -> usize {
        let training = &self.config.training;
        let of_task = |examples: usize| {
            if training.steps_per_task > 0 {
                return training.steps_per_task;
            }
            let batches = examples as f64 / (training.batch_size * training.gradient_accumulation) as f64;
            (batches * training.epochs).ceil().max(1.0) as usize
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
        self.buffer.as_ref()
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

    /// Goes to the next phase after its last step.
    pub fn end_phase(&mut self, prepared: &Prepared) {
        self.method.end_task(self.position.task, &prepared.model.llama);
        self.position.task += 1;
        self.position.task_step = 0;
        self.started = false;
    }

    /// Examples of micro-batch number `index` of the present phase, as (task, example) pairs, and whether it is the first epoch.
    fn examples(&mut self, prepared: &Prepared, index: usize) -> (Vec<Member>, bool) {
        let phase = self.position.task;
        let pool: Vec<usize> = if self.method.joint() { (0..prepared.tasks.len()).collect() } else { vec![phase] };
        let batch_size = self.config.training.batch_size;
        let total: usize = pool.iter().map(|&task| prepared.tasks[task].train.len()).sum();
        let per_epoch = total.div_ceil(batch_size).max(1);
        let (epoch, at) = (index / per_epoch, index % per_epoch);
        if self.plan.as_ref().is_none_or(|plan| (plan.phase, plan.epoch) != (phase, epoch)) {
            let members: Vec<Member> = pool
                .iter()
                .flat_map(|&task| (0..prepared.tasks[task].train.len()).map(move |example| (task, example)))
                .collect();
            let lengths: Vec<usize> = members.iter().map(|&(t, e)| prepared.tasks[t].train[e].tokens.len()).collect();
            // The order depends on seed, phase and epoch alone, so every method sees the same examples in the same order.
            let seed = mix(self.config.seed, phase as u64, epoch as u64);
            let plan = plan_epoch(&lengths, batch_size, seed, self.config.training.pad_multiple);
            let batches =
                plan.into_iter().map(|batch| batch.into_iter().map(|index| members[index]).collect()).collect();
            self.plan = Some(EpochPlan { phase, epoch, batches });
        }
        let batches = self.plan.as_ref().map(|plan| plan.batches.as_slice()).unwrap_or_default();
        (batches.get(at % batches.len().max(1)).cloned().unwrap_or_default(), epoch == 0)
    }

    /// Draws part number `index` of the present phase: a batch of the task, and one from the buffer for methods that replay.
    fn draw(&mut self, prepared: &Prepared, index: usize, step: u64) -> Result<Drawn, EngineError> {
        let training = &self.config.training;
        let (multiple, replayed) = (training.pad_multiple, self.config.replay.batch_size);
        let count = if replayed > 0 { replayed } else { training.batch_size };
        let (members, first_epoch) = self.examples(prepared, index);
        let encoded: Vec<&Encoded> =
            members.iter().map(|&(task, example)| &prepared.tasks[task].train[example]).collect();
        let pad = prepared.model.tokenizer.pad_id().unwrap_or(0);
        let current = Batch::from_encoded(&encoded, pad, multiple)?;
        let needs = self.method.replay();
        // Each example is offered once, in the first epoch, so that the reservoir stays unbiased.
        let mut to_insert = if needs.is_some() && first_epoch { members } else { Vec::new() };
        if needs.is_some_and(|needs| needs.insert == InsertWhen::BeforeForward) {
            self.insert(prepared, &to_insert, step);
            to_insert.clear();
        }
        let items = match (&self.buffer, needs) {
            (Some(buffer), Some(needs)) => {
                buffer.sample(count, (!needs.replay_current).then_some(self.position.task), &mut self.rng)
            }
            _ => Vec::new(),
        };
        let replay = self.replay_batch(&items, pad)?;
        let tokens = current.tokens.len() + replay.as_ref().map_or(0, |batch| batch.tokens.len());
        self.position.tokens += tokens as u64;
        Ok(Drawn { current, replay, items, to_insert })
    }

    /// Makes one optimiser step. Values are read back, and a report returned, every `report_every` steps and at the last one.
    ///
    /// # Errors
    /// A loss that is not finite, or a device that fails.
    pub async fn step(&mut self, prepared: &Prepared) -> Result<Option<StepReport>, EngineError> {
        let llama = &prepared.model.llama;
        let training = self.config.training.clone();
        let phase = self.position.task;
        let phase_steps = self.phase_steps(prepared, phase);
        if !self.started {
            self.method.begin_task(phase);
            self.started = true;
        }
        let step = self.position.step + 1;
        let task_step = self.position.task_step + 1;
        let report = task_step.is_multiple_of(training.report_every) || task_step == phase_steps || step == 1;
        let now = platform::now_secs();
        let tokens_before = self.position.tokens;
        // Dropout draws from the device's generator; seeding it from ours makes a resumed run the same.
        llama.device().seed(self.rng.next_u64());
        let mut gradient: Option<Tensor<1>> = None;
        let mut sums: Vec<(&'static str, Tensor<1>)> = Vec::new();
        let mut to_insert = Vec::new();
        for part in 0..training.gradient_accumulation {
            let drawn = self.draw(prepared, self.position.task_step * training.gradient_accumulation + part, step)?;
            let context = StepContext {
                model: llama,
                current: &drawn.current,
                replay: drawn.replay.as_ref(),
                step,
                task: phase,
                want_replay_losses: report,
            };
            let result = self.method.gradient(&context);
            gradient = Some(match gradient {
                Some(sum) => sum + result.gradient,
                None => result.gradient,
            });
            for (name, value) in result.terms {
                match sums.iter_mut().find(|(known, _)| *known == name) {
                    Some((_, sum)) => *sum = sum.clone() + value,
                    None => sums.push((name, value)),
                }
            }
            if let Some(buffer) = &mut self.buffer {
                buffer.record_replay(&drawn.items, step);
            }
            if let (Some((working, slow)), Some(replay)) = (result.replay_nll, &drawn.replay) {
                self.record_losses(&drawn.items, replay, working, slow).await?;
            }
            to_insert.extend(drawn.to_insert);
        }
        let Some(mut gradient) = gradient else { return Ok(None) };
        #[allow(clippy::cast_precision_loss)] // a small count
        let share = 1.0 / training.gradient_accumulation as f64;
        if training.gradient_accumulation > 1 {
            gradient = gradient.mul_scalar(share);
        }
        let rate = learning_rate(&training, self.position.task_step, phase_steps);
        let (parameters, norm) = self.optimiser.step(self.method.parameters(), gradient, rate, &training);
        self.method.set_parameters(parameters);
        self.method.after_step(step);
        self.insert(prepared, &to_insert, step);
        self.position.step = step;
        self.position.task_step = task_step;
        if !report {
            return Ok(None);
        }
        let mut losses = Vec::with_capacity(sums.len());
        for (name, value) in sums {
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
            buffer_len: self.buffer.as_ref().map_or(0, ReplayBuffer::len),
            learner_distance: self.learner_distance().await?,
            diagnostics: self.method.diagnostics(),
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
        let gap = fast.adapter.flat() - slow.adapter.flat();
        Ok(read((gap.clone() * gap).sum().sqrt()).await?.first().copied())
    }

    fn insert(&mut self, prepared: &Prepared, members: &[Member], step: u64) {
        let Some(buffer) = &mut self.buffer else { return };
        for &(task, example) in members {
            let source = &prepared.tasks[task];
            let (encoded, text) = (&source.train[example], &source.task.train[example]);
            let item = ReplayItem::new(task, example, encoded.tokens.clone(), encoded.answer_start, step);
            buffer.insert(item.with_text(text.prompt.clone(), text.answer.clone()), &mut self.rng);
        }
    }

    fn replay_batch(&self, drawn: &[usize], pad: u32) -> Result<Option<Batch>, EngineError> {
        let items = self.buffer.as_ref().map(ReplayBuffer::items).unwrap_or_default();
        let encoded: Vec<Encoded> = drawn
            .iter()
            .filter_map(|&index| items.get(index))
            .map(|item| Encoded {
                tokens: item.tokens.clone(),
                answer_start: item.answer_start,
                truncated: 0,
                answer_truncated: 0,
            })
            .collect();
        let rows: Vec<&Encoded> = encoded.iter().collect();
        if rows.is_empty() {
            return Ok(None);
        }
        Ok(Some(Batch::from_encoded(&rows, pad, self.config.training.pad_multiple)?))
    }

    /// Notes the mean loss of each replayed example under both learners.
    async fn record_losses(
        &mut self,
        drawn: &[usize],
        replay: &Batch,
        working: Tensor<1>,
        slow: Option<Tensor<1>>,
    ) -> Result<(), EngineError> {
        let means = |nll: Vec<f32>| {
            let (mut sums, mut counts) = (vec![0.0_f32; replay.batch], vec![0.0_f32; replay.batch]);
            for (row, value) in replay.target_rows.iter().zip(nll) {
                sums[*row as usize] += value;
                counts[*row as usize] += 1.0;
            }
            sums.iter().zip(counts).map(|(sum, count)| sum / count.max(1.0)).collect::<Vec<_>>()
        };
        let working = means(read(working).await?);
        let slow = match slow {
            Some(slow) => Some(means(read(slow).await?)),
            None => None,
        };
        if let Some(buffer) = &mut self.buffer {
            for (row, index) in drawn.iter().enumerate() {
                let slow = slow.as_ref().and_then(|slow| slow.get(row)).copied();
                buffer.record_losses(*index, working.get(row).copied(), slow);
            }
        }
        Ok(())
    }

    /// Puts the whole state into a checkpoint.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub async fn save(&self, checkpoint: &mut Checkpoint) -> Result<(), EngineError> {
        checkpoint.put_state("position", &self.position)?;
        checkpoint.put_state("rng", &self.rng)?;
        checkpoint.put_state("buffer", &self.buffer)?;
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
        self.buffer = checkpoint.get_state("buffer")?;
        self.optimiser.steps = checkpoint.get_state("optimiser_steps")?;
        self.started = checkpoint.get_state("phase_started")?;
        self.optimiser.first = vector("first_moment")?;
        self.optimiser.second = vector("second_moment")?;
        self.method.set_parameters(vector("parameters")?);
        let names: Vec<String> = checkpoint.get_state("method_state")?;
        let mut state = BTreeMap::new();
        for name in names {
            state.insert(name.clone(), vector(&format!("method.{name}"))?);
        }
        self.method.restore(&state);
        self.plan = None;
        Ok(())
    }
}

/// One number out of three, well mixed (`SplitMix64`'s finaliser), for seeds that must not be correlated.
fn mix(a: u64, b: u64, c: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ c.wrapping_mul(0xD1B5_4A32_D192_ED03);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
