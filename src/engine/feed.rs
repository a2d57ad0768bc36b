//! What a step learns from: the order of an epoch, the draw from the replay buffer, and what enters it.

use super::EngineError;
use super::config::{ExperimentConfig, ReplayConfig, TrainingConfig};
use super::evaluator::read;
use super::prepare::Prepared;
use crate::continual::replay::{ReplayBuffer, ReplayItem};
use crate::continual::{Draw, InsertWhen, ReplayNeeds};
use crate::data::batch::{Batch, plan_epoch};
use crate::data::prompt::Encoded;
use burn::tensor::{Tensor, TensorData};
use rand_chacha::ChaCha8Rng;

/// An example by its task and its place there.
pub(super) type Member = (usize, usize);

/// The order of one epoch: of which phase, which epoch, and its batches.
struct EpochPlan {
    phase: usize,
    epoch: usize,
    batches: Vec<Vec<Member>>,
}

/// What one part of a step works on.
pub(super) struct Drawn {
    pub(super) current: Batch,
    pub(super) replay: Option<Batch>,
    /// Logits kept with the replayed examples, `[targets, vocab_size]`.
    pub(super) stored_logits: Option<Tensor<2>>,
    /// A batch of each earlier task.
    pub(super) memories: Vec<Batch>,
    /// Places in the buffer of the examples in `replay`, or in all `memories`.
    pub(super) items: Vec<usize>,
    /// Examples that enter the buffer after the optimiser step.
    pub(super) to_insert: Vec<Member>,
}

impl Drawn {
    /// Tokens that go through the model, pads included.
    pub(super) fn tokens(&self) -> u64 {
        let batches = std::iter::once(&self.current).chain(&self.replay).chain(&self.memories);
        batches.map(|batch| batch.tokens.len() as u64).sum()
    }
}

/// The stream's examples and the memory of those that went by.
pub(super) struct Feed {
    training: TrainingConfig,
    replay: ReplayConfig,
    seed: u64,
    /// All tasks at once.
    joint: bool,
    needs: Option<ReplayNeeds>,
    /// For methods with a memory; part of a checkpoint.
    pub(super) buffer: Option<ReplayBuffer>,
    /// The epoch being read; follows from the position.
    plan: Option<EpochPlan>,
}

impl Feed {
    /// The feed of a method that learns from all tasks at once (`joint`) or from one after the other, and replays what it needs.
    pub(super) fn new(config: &ExperimentConfig, joint: bool, needs: Option<ReplayNeeds>) -> Self {
        Self {
            training: config.training.clone(),
            replay: config.replay.clone(),
            seed: config.seed,
            joint,
            needs,
            buffer: needs.map(|_| ReplayBuffer::new(config.replay.policy, config.replay.capacity)),
            plan: None,
        }
    }

    /// Forgets the order being read, which is made again from the position.
    pub(super) fn rewind(&mut self) {
        self.plan = None;
    }

    /// Examples as a batch for the model.
    ///
    /// # Errors
    /// Examples that make no batch.
    pub(super) fn batch(&self, examples: &[&Encoded], prepared: &Prepared) -> Result<Batch, EngineError> {
        let pad = prepared.model.tokenizer.pad_id().unwrap_or(0);
        Ok(Batch::from_encoded(examples, pad, self.training.pad_multiple)?)
    }

    /// Examples of micro-batch number `index` of the present phase, as (task, example) pairs, and whether it is the first epoch.
    fn examples(&mut self, prepared: &Prepared, phase: usize, index: usize) -> (Vec<Member>, bool) {
        let pool: Vec<usize> = if self.joint { (0..prepared.tasks.len()).collect() } else { vec![phase] };
        let batch_size = self.training.batch_size;
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
            let seed = mix(self.seed, phase as u64, epoch as u64);
            let plan = plan_epoch(&lengths, batch_size, seed, self.training.pad_multiple);
            let batches =
                plan.into_iter().map(|batch| batch.into_iter().map(|index| members[index]).collect()).collect();
            self.plan = Some(EpochPlan { phase, epoch, batches });
        }
        let batches = self.plan.as_ref().map(|plan| plan.batches.as_slice()).unwrap_or_default();
        (batches.get(at % batches.len().max(1)).cloned().unwrap_or_default(), epoch == 0)
    }

    /// Draws part number `index` of a phase, for global step `step`: a batch of the task, and for methods that replay one from
    /// the buffer or one of each earlier task.
    ///
    /// # Errors
    /// Examples that make no batch.
    pub(super) fn draw(
        &mut self,
        prepared: &Prepared,
        (phase, index, step): (usize, usize, u64),
        rng: &mut ChaCha8Rng,
    ) -> Result<Drawn, EngineError> {
        let replayed = self.replay.batch_size;
        let count = if replayed > 0 { replayed } else { self.training.batch_size };
        let (members, first_epoch) = self.examples(prepared, phase, index);
        let encoded: Vec<&Encoded> =
            members.iter().map(|&(task, example)| &prepared.tasks[task].train[example]).collect();
        let current = self.batch(&encoded, prepared)?;
        let needs = self.needs;
        // Each example is offered once, in the first epoch, so that the reservoir stays unbiased.
        let mut to_insert = if needs.is_some() && first_epoch { members } else { Vec::new() };
        if needs.is_some_and(|needs| needs.insert == InsertWhen::BeforeForward) {
            self.insert(prepared, &to_insert, None, step, rng);
            to_insert.clear();
        }
        let mut drawn =
            Drawn { current, replay: None, stored_logits: None, memories: Vec::new(), items: Vec::new(), to_insert };
        if let (Some(buffer), Some(needs)) = (&self.buffer, needs) {
            match needs.draw {
                Draw::Mixed { batches } => {
                    let excluded = (!needs.replay_current).then_some(phase);
                    drawn.items = buffer.sample(count * batches, excluded, rng);
                    drawn.replay = self.replay_batch(&drawn.items, prepared)?;
                    if needs.store_logits {
                        drawn.stored_logits = self.stored_logits(&drawn.items, prepared);
                    }
                }
                Draw::EachTask { examples } => {
                    let each = if examples > 0 { examples } else { count };
                    for task in 0..phase {
                        let items = buffer.sample_task(each, task, rng);
                        drawn.memories.extend(self.replay_batch(&items, prepared)?);
                        drawn.items.extend(items);
                    }
                }
            }
        }
        Ok(drawn)
    }

    /// The logits kept with these items, below one another.
    fn stored_logits(&self, items: &[usize], prepared: &Prepared) -> Option<Tensor<2>> {
        let (buffer, vocab) = (self.buffer.as_ref()?, prepared.model.llama.config.vocab_size);
        let values: Vec<f32> =
            items.iter().filter_map(|&index| buffer.items().get(index)).flat_map(|item| item.logits.clone()).collect();
        let rows = values.len() / vocab;
        (rows > 0).then(|| Tensor::from_data(TensorData::new(values, [rows, vocab]), prepared.model.llama.device()))
    }

    /// Offers examples to the buffer, with their logits where the method keeps them.
    pub(super) fn insert(
        &mut self,
        prepared: &Prepared,
        members: &[Member],
        logits: Option<&[Vec<f32>]>,
        step: u64,
        rng: &mut ChaCha8Rng,
    ) {
        let Some(buffer) = &mut self.buffer else { return };
        for (row, &(task, example)) in members.iter().enumerate() {
            let source = &prepared.tasks[task];
            let (encoded, text) = (&source.train[example], &source.task.train[example]);
            let mut item = ReplayItem::new(task, example, encoded.tokens.clone(), encoded.answer_start, step);
            item.logits = logits.and_then(|rows| rows.get(row)).cloned().unwrap_or_default();
            buffer.insert(item.with_text(text.prompt.clone(), text.answer.clone()), rng);
        }
    }

    fn replay_batch(&self, drawn: &[usize], prepared: &Prepared) -> Result<Option<Batch>, EngineError> {
        let items = self.buffer.as_ref().map(ReplayBuffer::items).unwrap_or_default();
        let encoded: Vec<Encoded> =
            drawn.iter().filter_map(|&index| items.get(index)).map(ReplayItem::encoded).collect();
        let rows: Vec<&Encoded> = encoded.iter().collect();
        if rows.is_empty() {
            return Ok(None);
        }
        self.batch(&rows, prepared).map(Some)
    }

    /// Notes the mean loss of each replayed example under both learners.
    ///
    /// # Errors
    /// When the device cannot be read.
    pub(super) async fn record_losses(
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
}

/// Logits `[targets, vocab_size]` of a batch on the host, for each of its rows.
///
/// # Errors
/// When the device cannot be read.
pub(super) async fn logits_by_row(batch: &Batch, logits: Tensor<2>) -> Result<Vec<Vec<f32>>, EngineError> {
    let [targets, vocab] = logits.dims();
    let values = read(logits.reshape([targets * vocab])).await?;
    let mut rows = vec![Vec::new(); batch.batch];
    for (&row, line) in batch.target_rows.iter().zip(values.chunks_exact(vocab)) {
        rows[row as usize].extend_from_slice(line);
    }
    Ok(rows)
}

/// One number out of three, well mixed (`SplitMix64`'s finaliser), for seeds that must not be correlated.
fn mix(a: u64, b: u64, c: u64) -> u64 {
    let mut z = a ^ b.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ c.wrapping_mul(0xD1B5_4A32_D192_ED03);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}
