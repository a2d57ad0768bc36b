//! How much memory a run will need, estimated from shapes before anything is loaded.
//!
//! All numbers are 32-bit. With `n` tokens in a step (rows times padded length), `h` the hidden size, `f` the intermediate
//! size, `q` and `k` the widths of all query and of all key heads, `heads` query heads and a row of `T` tokens, the backward
//! pass keeps for each block and token (`kernels/autodiff.rs`, in the order of the pass):
//!
//! ```text
//! attention norm     its input                          h
//! q, k, v            input and x·aᵀ, where adapted      h + R
//! query, key norms   their inputs (Qwen 3)              q + k
//! attention          rotated q, k, v; probabilities     q + 2k + heads·T
//! o                  input and x·aᵀ, where adapted      q + R
//! feed-forward norm  its input                          h
//! gate, up           input and x·aᵀ, where adapted      h + R
//! SwiGLU             gate and up                        2f
//! down               input and x·aᵀ, where adapted      f + R
//! ```
//!
//! and once the last hidden state before and after its norm, `2h`. Frozen weights keep nothing. On top comes the room of the
//! one block that is being differentiated. Scoring keeps nothing, but its batch is larger and has a key-value cache; the two
//! do not happen at once, so the larger counts. What the process itself takes (some 25 MB) is not in it.

use crate::engine::config::{ExperimentConfig, MethodConfig};
use crate::engine::protocol::cards::MemoryEstimate;
use crate::model::{LoraConfig, ModelConfig, Projection};

const FLOAT_BYTES: f64 = 4.0;
/// Floats of the largest block of logits that is alive at once (`model/cross_entropy.rs`).
const LOGIT_BLOCK: f64 = 8.0 * 1024.0 * 1024.0;
/// Tokens that an answer is taken to have where a method keeps logits at each of them.
const ANSWER_TOKENS: f64 = 8.0;
/// Bytes of a kept example besides its tokens: two short texts and its history.
const ITEM_BYTES: f64 = 400.0;
/// Parts of the adapter's flat vector begin at multiples of this many floats (`model/adapter.rs`).
const ALIGNMENT: usize = 64;
/// Share of the free memory that a run may take.
const MOST_SHARE: f64 = 0.9;

/// Projections that read the same input share one thin product, so they form a group (`model/adapter.rs`).
const GROUPS: [&[Projection]; 4] = [
    &[Projection::QProj, Projection::KProj, Projection::VProj],
    &[Projection::OProj],
    &[Projection::GateProj, Projection::UpProj],
    &[Projection::DownProj],
];

/// What a method keeps and what takes part in one of its steps.
struct Footprint {
    /// Vectors as long as the adapter: learners, anchors, frozen copies, gradients on memories.
    vectors: f64,
    /// Replayed batches that share the backward pass with the task's.
    replayed: f64,
    /// A second learner reads rows of the step without a backward pass.
    second_learner: bool,
    /// Logits at the targets, in whole: on the tape, and with every kept example.
    whole_logits: bool,
    keeps_logits: bool,
    has_buffer: bool,
    trains: bool,
}

/// Plain fine-tuning.
const PLAIN: Footprint = Footprint {
    vectors: 1.0,
    replayed: 0.0,
    second_learner: false,
    whole_logits: false,
    keeps_logits: false,
    has_buffer: false,
    trains: true,
};

/// What a method of the register keeps (`continual/`).
fn footprint(method: &str, tasks: usize) -> Option<Footprint> {
    let earlier = tasks.saturating_sub(1) as f64;
    let plain = PLAIN;
    let replay = |replayed: f64| Footprint { replayed, has_buffer: true, ..plain };
    Some(match method {
        // Learned vectors are small beside an adapter.
        "seq" | "mtl" | "l2p" | "pp" => plain,
        "zero_shot" => Footprint { vectors: 0.0, trains: false, ..plain },
        "er" => replay(1.0),
        "der" => Footprint { whole_logits: true, keeps_logits: true, ..replay(1.0) },
        "derpp" => Footprint { whole_logits: true, keeps_logits: true, ..replay(2.0) },
        // The working learner and the long-term one.
        "i_lora" => Footprint { vectors: 2.0, second_learner: true, ..replay(1.0) },
        // Gradients on memories; each comes from a pass of its own.
        "a_gem" => Footprint { vectors: 4.0, ..replay(0.0) },
        "gem" => Footprint { vectors: 1.0 + earlier, ..replay(0.0) },
        // Curvature, centre and sum of squares.
        "ewc" => Footprint { vectors: 4.0, ..plain },
        "lwf" => Footprint { vectors: 2.0, second_learner: true, whole_logits: true, ..plain },
        // The frozen adapters, and once more side by side for the pass.
        "o_lora" => Footprint { vectors: 1.0 + 2.0 * earlier, ..plain },
        // The ends of two lines, the sums of their gradients, and the point on a line; each point has a pass of its own.
        "mc_sgd" => Footprint { vectors: 6.0, ..replay(0.0) },
        "one" => Footprint { vectors: 1.0 + earlier, ..plain },
        _ => return None,
    })
}

/// A model and an experiment, with the length of the rows that will go through.
struct Shapes<'a> {
    model: &'a ModelConfig,
    experiment: &'a ExperimentConfig,
    /// Tokens of the longest row, learned vectors and pads included.
    row: f64,
}

impl<'a> Shapes<'a> {
    fn new(model: &'a ModelConfig, experiment: &'a ExperimentConfig, longest_example: Option<usize>) -> Self {
        let training = &experiment.training;
        let longest = training.max_length.min(longest_example.unwrap_or(usize::MAX)).min(model.max_position_embeddings);
        let whole = longest.saturating_add(experiment.prompt_length().unwrap_or(0));
        let row = whole.checked_next_multiple_of(training.pad_multiple.max(1)).unwrap_or(whole);
        Self { model, experiment, row: row as f64 }
    }

    fn widths(&self) -> [f64; 5] {
        let model = self.model;
        [
            model.hidden_size,
            model.intermediate_size,
            model.query_size(),
            model.key_value_size(),
            model.num_attention_heads,
        ]
        .map(|width| width as f64)
    }

    /// Rank of a group: that of all its adapted projections together.
    fn group_rank(&self, group: &[Projection]) -> f64 {
        let lora = &self.experiment.lora;
        let adapted = group.iter().filter(|projection| lora.target_modules.contains(projection)).count();
        (adapted * lora.rank.min(1 << 24)) as f64
    }

    /// Floats of the adapter's flat vector, gaps included.
    fn adapter_floats(&self) -> f64 {
        let aligned = |floats: f64| (floats / ALIGNMENT as f64).ceil() * ALIGNMENT as f64;
        let group_floats = |group: &&[Projection]| {
            let shape = |projection: &Projection| self.model.projection_shape(*projection).map(|size| size as f64);
            let input = group.first().map_or(0.0, |projection| shape(projection)[1]);
            let output: f64 = group.iter().map(|projection| shape(projection)[0]).sum();
            let rank = self.group_rank(group);
            aligned(rank * input) + aligned(rank * output)
        };
        GROUPS.iter().map(group_floats).sum::<f64>() * self.model.num_hidden_layers as f64
    }

    /// Floats that the backward pass keeps of each token.
    fn kept_floats(&self) -> f64 {
        let [h, f, q, k, heads] = self.widths();
        let inputs = [h, q, h, f];
        let adapted: f64 = GROUPS
            .iter()
            .zip(inputs)
            .map(|(group, input)| match self.group_rank(group) {
                rank if rank > 0.0 => input + rank,
                _ => 0.0,
            })
            .sum();
        let norms = 2.0 * h + if self.model.qk_norm { q + k } else { 0.0 };
        let block = norms + adapted + q + 2.0 * k + heads * self.row + 2.0 * f;
        block * self.model.num_hidden_layers as f64 + 2.0 * h
    }

    /// Floats of each token that are alive at once while one block is computed.
    fn forward_floats(&self) -> f64 {
        let [h, f, q, k, heads] = self.widths();
        let attention = 2.0 * h + 2.0 * (q + 2.0 * k) + heads * self.row + q;
        let feed_forward = 3.0 * h + 3.0 * f;
        attention.max(feed_forward)
    }

    /// Floats of each token that are alive at once while one block is differentiated, besides what was kept.
    fn backward_floats(&self) -> f64 {
        let [h, f, q, k, heads] = self.widths();
        let attention = 2.0 * h + 2.0 * (q + 2.0 * k) + 2.0 * heads * self.row;
        let feed_forward = 2.0 * h + 3.0 * f;
        attention.max(feed_forward)
    }

    /// Floats of a scoring batch: one block's work, and the keys and values of all blocks.
    fn scoring_floats(&self) -> f64 {
        let tokens = self.experiment.evaluation.batch_size as f64 * self.row;
        let cache = 2.0 * self.model.num_hidden_layers as f64 * self.model.key_value_size() as f64;
        tokens * (cache + self.forward_floats())
    }

    fn of_method(&self, method: &MethodConfig) -> MemoryEstimate {
        let experiment = self.experiment;
        let keeps = footprint(method.name(), experiment.tasks.len()).unwrap_or(PLAIN);
        let adapter = self.adapter_floats();
        let batch = experiment.training.batch_size as f64;
        let replay_batch = if experiment.replay.batch_size > 0 { experiment.replay.batch_size as f64 } else { batch };
        // A memory that has a pass of its own is as large as a step of its size.
        let alone = if keeps.has_buffer && keeps.replayed == 0.0 { replay_batch } else { 0.0 };
        let tokens = (batch + keeps.replayed * replay_batch).max(alone) * self.row;
        let second =
            if keeps.second_learner { batch.max(replay_batch) * self.row * self.forward_floats() } else { 0.0 };
        let step = tokens * (self.kept_floats() + self.backward_floats()) + second;
        let vocabulary = self.model.vocab_size as f64;
        let answers = (batch + keeps.replayed * replay_batch) * ANSWER_TOKENS.min(self.row) * vocabulary;
        let logits = 2.0 * (tokens * vocabulary).min(LOGIT_BLOCK.max(vocabulary))
            + if keeps.whole_logits { 4.0 * answers } else { 0.0 };
        let item = self.row * FLOAT_BYTES
            + ITEM_BYTES
            + if keeps.keeps_logits { ANSWER_TOKENS * vocabulary * FLOAT_BYTES } else { 0.0 };
        let trained = if keeps.trains { 1.0 } else { 0.0 };
        MemoryEstimate {
            base: bytes((self.model.parameter_count() as f64 + self.row * self.model.head_dim as f64) * FLOAT_BYTES),
            adapters: bytes(keeps.vectors * adapter * FLOAT_BYTES),
            // Two moments, the gradient, and its parts before they are joined.
            optimiser: bytes(trained * 4.0 * adapter * FLOAT_BYTES),
            activations: bytes((trained * step).max(self.scoring_floats()) * FLOAT_BYTES),
            logits: bytes(trained * logits * FLOAT_BYTES),
            buffer: bytes(if keeps.has_buffer { self.kept_items() * item } else { 0.0 }),
        }
    }

    fn kept_items(&self) -> f64 {
        self.experiment.replay.capacity as f64
    }
}

/// Whole bytes, far enough below the largest number that six of them can be added.
fn bytes(count: f64) -> u64 {
    count.clamp(0.0, 1e18) as u64
}

/// What the hungriest of the experiment's methods needs. `longest_example` is the longest example in tokens where it is
/// known; else every row is taken to be as long as `training.max_length` allows.
#[must_use]
pub fn estimate(model: &ModelConfig, experiment: &ExperimentConfig, longest_example: Option<usize>) -> MemoryEstimate {
    let shapes = Shapes::new(model, experiment, longest_example);
    let each = experiment.methods.iter().map(|method| shapes.of_method(method));
    each.max_by_key(MemoryEstimate::total).unwrap_or_else(|| shapes.of_method(&MethodConfig::Name("seq".into())))
}

/// Values that the adapter would train: `r * (in + out)` for each adapted projection of each layer.
#[must_use]
pub fn trainable_parameters(model: &ModelConfig, lora: &LoraConfig) -> u64 {
    let adapted = Projection::ALL.into_iter().filter(|projection| lora.target_modules.contains(projection));
    let widths: usize = adapted.map(|projection| model.projection_shape(projection).iter().sum::<usize>()).sum();
    (widths as u64).saturating_mul(lora.rank as u64).saturating_mul(model.num_hidden_layers as u64)
}

/// Why an experiment would not fit into the memory that is free, and which settings would make it fit.
#[must_use]
pub fn too_large(
    model: &ModelConfig,
    experiment: &ExperimentConfig,
    longest_example: Option<usize>,
    available_bytes: u64,
) -> Option<String> {
    let most = (available_bytes as f64 * MOST_SHARE) as u64;
    let total = |experiment: &ExperimentConfig| estimate(model, experiment, longest_example).total();
    let needed = total(experiment);
    if needed <= most {
        return None;
    }
    let (needed, free) = (in_words(needed), in_words(available_bytes));
    let sentence = format!("This run would need about {needed}, and {free} are free.");
    let weights = estimate(model, experiment, longest_example).base;
    if weights > most {
        return Some(format!("{sentence} The weights alone take {}: choose a smaller model.", in_words(weights)));
    }
    let smaller = shrunk(experiment, longest_example, |experiment| total(experiment) <= most, total);
    Some(match smaller {
        Some((changes, then)) => format!("{sentence} Set {changes}; it would then need about {}.", in_words(then)),
        None => format!(
            "{sentence} Even the smallest `training.batch_size`, `training.max_length` and `lora.r` do not fit: choose a smaller model."
        ),
    })
}

type Field = fn(&mut ExperimentConfig) -> &mut usize;

/// Settings that cost memory, the least regretted first, with the smallest value that makes sense.
const REMEDIES: [(&str, usize, Field); 6] = [
    ("evaluation.batch_size", 1, |experiment| &mut experiment.evaluation.batch_size),
    ("training.batch_size", 1, |experiment| &mut experiment.training.batch_size),
    ("replay.batch_size", 1, |experiment| &mut experiment.replay.batch_size),
    ("training.max_length", 32, |experiment| &mut experiment.training.max_length),
    ("replay.capacity", 50, |experiment| &mut experiment.replay.capacity),
    ("lora.r", 1, |experiment| &mut experiment.lora.rank),
];

/// Halves one setting after the other, as long as that helps, until the experiment fits: the changes in words, and what it
/// needs then.
fn shrunk(
    experiment: &ExperimentConfig,
    longest_example: Option<usize>,
    fits: impl Fn(&ExperimentConfig) -> bool,
    total: impl Fn(&ExperimentConfig) -> u64,
) -> Option<(String, u64)> {
    let mut smaller = experiment.clone();
    // Halving a limit above the longest example would change nothing at first.
    if let Some(longest) = longest_example {
        smaller.training.max_length = smaller.training.max_length.min(longest.max(1));
    }
    // A setting may stand behind another one that outweighs it at first.
    for (_, least, field) in REMEDIES.iter().chain(&REMEDIES) {
        while !fits(&smaller) && *field(&mut smaller) / 2 >= *least {
            let before = total(&smaller);
            let mut halved = smaller.clone();
            *field(&mut halved) /= 2;
            // Less than a hundredth is not worth a change.
            if total(&halved) as f64 > before as f64 * 0.99 {
                break;
            }
            smaller = halved;
        }
    }
    if !fits(&smaller) {
        return None;
    }
    let mut before = experiment.clone();
    let changes: Vec<String> = REMEDIES
        .iter()
        .map(|(name, _, field)| (name, *field(&mut before), *field(&mut smaller)))
        .filter(|(_, before, after)| after < before)
        .map(|(name, _, after)| format!("`{name}` to {after}"))
        .collect();
    let then = total(&smaller);
    Some((changes.join(" and "), then))
}

/// `1.2 GB`, `64 MB`, `1.1 MB`.
fn in_words(bytes: u64) -> String {
    let bytes = bytes as f64;
    match bytes {
        _ if bytes >= 1e9 => format!("{:.1} GB", bytes / 1e9),
        _ if bytes >= 1e7 => format!("{:.0} MB", bytes / 1e6),
        _ => format!("{:.1} MB", bytes / 1e6),
    }
}

#[cfg(test)]
mod tests;
