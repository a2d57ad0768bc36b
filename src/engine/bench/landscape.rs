//! How long the points of a path and of a plane take: adapters together, one after the other, and merged models beside them.
//!
//! All ways see the built-in tasks' examples on the embedded model and must find the same numbers. The adapters are drawn, not
//! trained: times do not depend on their values. The ways:
//!
//! * [`Way::Chosen`]: as `path` and `plane` do it, with as many adapters in a pass as suit the device;
//! * [`Way::Together`]: [`SHARING`] adapters share a pass, whatever the device;
//! * [`Way::Alone`]: one adapter a pass;
//! * [`Way::Merged`]: each point's update is added to a copy of the weights, which the same evaluation then measures;
//! * [`Way::Plain`]: the same copies, evaluated as common tools do it: batches of [`PLAIN_ROWS`] examples one after the other,
//!   states of all positions, a whole pass over prompt and label for every label to choose from, generation with a cache.

use super::super::EngineError;
use super::super::builtin_model;
use super::super::config::{EvaluationConfig, ExperimentConfig, TaskConfig};
use super::super::device::OpenDevice;
use super::super::evaluator::{outcomes, read};
use super::super::explorer::{Explorer, ExplorerSettings, Measured};
use super::super::prepare::{LoadedModel, Prepared, PreparedTask, load_model, prepare};
use crate::data::batch::Batch;
use crate::data::builtin;
use crate::data::prompt::{Encoded, PromptFormat, encode_choice, encode_example};
use crate::data::task::{Metric, Task};
use crate::landscape::path::grid;
use crate::model::{Adapter, AdapterLayout, Llama, LoraConfig, Overlay, Pass};
use crate::platform;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// Examples of a batch of [`Way::Plain`]; evaluation harnesses take 1 to 16.
pub const PLAIN_ROWS: usize = 8;
/// Adapters in a pass of [`Way::Together`].
pub const SHARING: usize = 8;
/// Spread of the drawn `lora_B`, about that of adapters after some dozens of steps.
const SPREAD: f32 = 0.05;

/// How the points are measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    Chosen,
    Together,
    Alone,
    Merged,
    Plain,
}

impl Way {
    /// All of them; the others are compared with the first.
    pub const ALL: [Self; 5] = [Self::Chosen, Self::Together, Self::Alone, Self::Merged, Self::Plain];

    /// In words.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Chosen => "as path and plane do it",
            Self::Together => "8 adapters in a pass",
            Self::Alone => "1 adapter in a pass",
            Self::Merged => "merged models, our evaluation",
            Self::Plain => "merged models, plain evaluation",
        }
    }
}

/// What one way took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WayTiming {
    pub secs: f64,
    /// Largest difference of a loss from that of [`Way::Chosen`], in nats.
    pub loss_difference: f64,
    /// Largest difference of a score.
    pub score_difference: f64,
    /// Largest resident memory while it ran, where the system tells.
    pub peak_bytes: Option<u64>,
}

impl WayTiming {
    /// Of two rounds the shorter time, the larger differences and the larger memory.
    fn with(self, other: Self) -> Self {
        Self {
            secs: self.secs.min(other.secs),
            loss_difference: self.loss_difference.max(other.loss_difference),
            score_difference: self.score_difference.max(other.score_difference),
            peak_bytes: self.peak_bytes.max(other.peak_bytes),
        }
    }
}

/// The examples, the points, and the model on a device.
pub struct LandscapeBench {
    prepared: Prepared,
    /// The same with the place for a merged model.
    other: Prepared,
    settings: ExplorerSettings,
    anchors: [Adapter; 3],
}

impl LandscapeBench {
    /// The embedded model, the built-in tasks, and three drawn adapters of rank 8 on q and v.
    ///
    /// # Errors
    /// A device that cannot hold the model.
    pub fn new(device: &OpenDevice, examples: usize, scores: bool) -> Result<Self, EngineError> {
        let config = ExperimentConfig {
            tasks: builtin::NAMES.iter().map(|name| TaskConfig::Source(format!("builtin:{name}"))).collect(),
            evaluation: EvaluationConfig { max_examples: examples, ..EvaluationConfig::default() },
            ..ExperimentConfig::default()
        };
        let load = || -> Result<LoadedModel, EngineError> {
            load_model(&mut builtin_model::open()?, device, config.training.max_length)
        };
        let prepared = prepare(&config, load()?, 0)?;
        let tasks = prepared.tasks.iter().map(|task| PreparedTask { task: task.task.clone(), train: Vec::new() });
        let other = Prepared {
            model: load()?,
            tasks: tasks.collect(),
            format: prepared.format,
            warnings: Vec::new(),
            zero_shot: OnceLock::new(),
        };
        let llama = &prepared.model.llama;
        let layout = Arc::new(AdapterLayout::new(&llama.config, &LoraConfig::default())?);
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let (mask, plain) = (layout.mask(), Adapter::init(&layout, &mut rng, llama.device()));
        let mut draw = || {
            let values = mask.iter().map(|&mask| mask * rng.random_range(-SPREAD..SPREAD)).collect();
            let noise = Adapter::from_values(&layout, values, llama.device());
            plain.with_flat(plain.flat() + noise.flat())
        };
        let anchors = [draw(), draw(), draw()];
        let settings = ExplorerSettings { examples, points_at_once: 0, scores };
        Ok(Self { prepared, other, settings, anchors })
    }

    /// Real tokens of one point's loss.
    ///
    /// # Errors
    /// As [`Explorer::new`].
    pub fn tokens(&self) -> Result<usize, EngineError> {
        Ok(Explorer::new(&self.prepared, self.settings)?.real_tokens())
    }

    /// Points that [`Way::Chosen`] takes at once.
    ///
    /// # Errors
    /// As [`Explorer::new`].
    pub fn points_at_once(&self) -> Result<usize, EngineError> {
        Ok(Explorer::new(&self.prepared, self.settings)?.points_at_once())
    }

    /// Measures the straight line between two of the adapters in every way, `rounds` times in turn, and takes the shortest time of
    /// each: what else the machine does then disturbs all of them alike. `tell` hears of each way before it starts.
    ///
    /// # Errors
    /// A device that fails.
    pub async fn path(
        &mut self,
        points: usize,
        rounds: usize,
        tell: &mut dyn FnMut(Way),
    ) -> Result<Vec<(Way, WayTiming)>, EngineError> {
        let line: Vec<Adapter> = grid(points).iter().map(|&t| self.anchors[0].lerp(&self.anchors[1], t)).collect();
        // Shaders are compiled and pools are filled before any clock runs.
        self.together(&line[..1], 0).await?;
        let mut first: Option<Vec<Measured>> = None;
        let mut timings: Vec<(Way, WayTiming)> = Vec::with_capacity(Way::ALL.len());
        for way in (0..rounds.max(1)).flat_map(|_| Way::ALL) {
            tell(way);
            let is_reset = platform::reset_peak_memory();
            let start = platform::now_secs();
            let found = match way {
                Way::Chosen => self.together(&line, 0).await?,
                Way::Together => self.together(&line, SHARING).await?,
                Way::Alone => self.together(&line, 1).await?,
                Way::Merged | Way::Plain => self.merged(&line, way == Way::Plain).await?,
            };
            let secs = platform::now_secs() - start;
            let peak_bytes = platform::peak_memory_bytes().filter(|_| is_reset);
            let first = first.get_or_insert_with(|| found.clone());
            let loss_difference = difference(first, &found, |point| &point.losses);
            let score_difference = difference(first, &found, |point| &point.scores);
            let now = WayTiming { secs, loss_difference, score_difference, peak_bytes };
            match timings.iter_mut().find(|(known, _)| *known == way) {
                Some((_, known)) => *known = known.with(now),
                None => timings.push((way, now)),
            }
        }
        Ok(timings)
    }

    /// Seconds and peak memory of a plane of `side` times `side` points through the three adapters, losses alone.
    ///
    /// # Errors
    /// A device that fails.
    pub async fn plane(&self, side: usize) -> Result<WayTiming, EngineError> {
        let explorer = Explorer::new(&self.prepared, ExplorerSettings { scores: false, ..self.settings })?;
        let along = grid(side.max(2));
        let points = |range: Range<usize>| {
            let points: Vec<Adapter> = range
                .map(|index| {
                    let (x, y) = (along[index % along.len()], along[index / along.len()]);
                    self.anchors[0].combine(&self.anchors, &[1.0 - x - y, x, y])
                })
                .collect();
            Adapter::stack(&points.iter().collect::<Vec<_>>())
        };
        let is_reset = platform::reset_peak_memory();
        let start = platform::now_secs();
        let found = explorer.measure(along.len() * along.len(), &points, &mut |_, _| true).await?;
        let secs = platform::now_secs() - start;
        let peak_bytes = platform::peak_memory_bytes().filter(|_| is_reset);
        let holes = found.iter().flat_map(|point| &point.losses).filter(|loss| loss.is_none()).count();
        if holes > 0 {
            return Err(EngineError::Run(format!(
                "{holes} losses of the plane are not finite: the device computes wrongly"
            )));
        }
        Ok(WayTiming { secs, loss_difference: 0.0, score_difference: 0.0, peak_bytes })
    }

    async fn together(&self, line: &[Adapter], points_at_once: usize) -> Result<Vec<Measured>, EngineError> {
        let explorer = Explorer::new(&self.prepared, ExplorerSettings { points_at_once, ..self.settings })?;
        let points = |range: Range<usize>| Adapter::stack(&line[range].iter().collect::<Vec<_>>());
        explorer.measure(line.len(), &points, &mut |_, _| true).await
    }

    async fn merged(&mut self, line: &[Adapter], plain: bool) -> Result<Vec<Measured>, EngineError> {
        let examples = Explorer::new(&self.prepared, self.settings)?;
        let mut found = Vec::with_capacity(line.len());
        for point in line {
            let merged = self.prepared.model.llama.merged(&point.vars(false));
            self.other.model.llama = merged.ok_or_else(|| EngineError::Run("a point is one adapter".into()))?;
            if plain {
                found.push(self.plain().await?);
            } else {
                found.extend(
                    examples.on(&self.other).measure_overlay(1, &Overlay::default()).await?.unwrap_or_default(),
                );
            }
        }
        Ok(found)
    }

    /// The model that lies in `other`, as a common tool evaluates it.
    async fn plain(&self) -> Result<Measured, EngineError> {
        let mut measured = Measured::default();
        for task in &self.other.tasks {
            let (loss, score) = plain_evaluation(&self.other, &task.task, self.settings).await?;
            measured.losses.push(Some(loss));
            measured.scores.push(score);
        }
        Ok(measured)
    }
}

/// Mean loss over the answers' tokens and mean score of one task, batch after batch.
async fn plain_evaluation(
    prepared: &Prepared,
    task: &Task,
    settings: ExplorerSettings,
) -> Result<(f64, Option<f64>), EngineError> {
    let examples = &task.eval[..task.eval.len().min(settings.examples)];
    let (mut sum, mut targets, mut right) = (0.0, 0_usize, 0.0);
    for examples in examples.chunks(PLAIN_ROWS) {
        let tokenizer = &prepared.model.tokenizer;
        let rows = examples.iter().map(|example| encode_example(tokenizer, example, &prepared.format));
        let losses = whole_pass(prepared, &rows.collect::<Result<Vec<_>, _>>()?).await?;
        sum += losses.iter().map(|(loss, _)| loss).sum::<f64>();
        targets += losses.iter().map(|(_, targets)| targets).sum::<usize>();
        if !settings.scores {
            continue;
        }
        if task.metric != Metric::ChoiceLikelihood {
            let outcomes = outcomes(prepared, task, examples, &Overlay::default()).await?;
            right += outcomes.iter().map(|outcome| outcome.score).sum::<f64>();
            continue;
        }
        let format = label_format(prepared, task)?;
        let mut rows = Vec::with_capacity(examples.len() * task.labels.len());
        for example in examples {
            rows.extend(encode_choice(tokenizer, &example.prompt, &task.labels, &format)?);
        }
        let losses = whole_pass(prepared, &rows).await?;
        for (example, losses) in examples.iter().zip(losses.chunks_exact(task.labels.len())) {
            let best = losses.iter().zip(&task.labels).min_by(|a, b| a.0.0.total_cmp(&b.0.0));
            right += f64::from(u8::from(best.is_some_and(|(_, label)| label.trim() == example.answer.trim())));
        }
    }
    #[allow(clippy::cast_precision_loss)] // counts of tokens and examples
    Ok((sum / targets as f64, settings.scores.then(|| right / examples.len() as f64)))
}

/// Labels end with the end token only where one begins another, as our own evaluation has it.
fn label_format(prepared: &Prepared, task: &Task) -> Result<PromptFormat, EngineError> {
    let open_end = PromptFormat { eos: false, ..prepared.format };
    let rows = encode_choice(&prepared.model.tokenizer, "", &task.labels, &open_end)?;
    let answer = |row: &Encoded| row.tokens[row.answer_start..].to_vec();
    let begins = |a: &Encoded| rows.iter().filter(|b| answer(b).starts_with(&answer(a))).count() > 1;
    Ok(if rows.iter().any(begins) { prepared.format } else { open_end })
}

/// Summed loss and number of the targets of each row, from the states of all positions.
async fn whole_pass(prepared: &Prepared, rows: &[Encoded]) -> Result<Vec<(f64, usize)>, EngineError> {
    let (llama, pad): (&Llama, u32) = (&prepared.model.llama, prepared.model.tokenizer.pad_id().unwrap_or(0));
    let batch = Batch::from_encoded(&rows.iter().collect::<Vec<_>>(), pad, 1)?;
    let hidden = llama.forward(&batch, Pass::default()).last;
    let nll = read(llama.nll(hidden, &batch.target_positions, &batch.target_ids)).await?;
    let mut sums = vec![(0.0, 0); rows.len()];
    for (nll, &row) in nll.iter().zip(&batch.target_rows) {
        sums[row as usize].0 += f64::from(*nll);
        sums[row as usize].1 += 1;
    }
    Ok(sums)
}

/// Largest difference between two ways; infinite where one has a hole.
fn difference(left: &[Measured], right: &[Measured], of: fn(&Measured) -> &Vec<Option<f64>>) -> f64 {
    let values = |points: &[Measured]| points.iter().flat_map(|point| of(point).clone()).collect::<Vec<_>>();
    let (left, right) = (values(left), values(right));
    if left.len() != right.len() {
        return f64::INFINITY;
    }
    let gaps = left.into_iter().zip(right).map(|pair| match pair {
        (Some(left), Some(right)) => (left - right).abs(),
        (None, None) => 0.0,
        _ => f64::INFINITY,
    });
    gaps.fold(0.0, f64::max)
}
