//! Measurements: how long a training step takes on a device, for a model shape and a method; and in [`landscape`] how long the
//! points of a path take.

pub mod landscape;

use super::EngineError;
use super::config::{MethodConfig, TrainingConfig};
use super::device::OpenDevice;
use super::evaluator::read;
use super::optimiser::AdamW;
use crate::continual::{Setup, StepContext};
use crate::data::batch::Batch;
use crate::model::random::RandomWeights;
use crate::model::{Adapter, AdapterLayout, Llama, LlamaOptions, LoraConfig, ModelConfig};
use crate::platform;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::sync::Arc;

/// What one measured step works on.
#[derive(Clone, Debug)]
pub struct Workload {
    pub batch: usize,
    pub seq: usize,
    pub lora: LoraConfig,
    /// Target tokens in each row; `seq - 1` takes the loss everywhere, as language modelling does.
    pub targets_per_row: usize,
}

impl Workload {
    /// What devices are compared by: a small step with a loss everywhere.
    #[must_use]
    pub fn small() -> Self {
        Self { batch: 8, seq: 128, lora: LoraConfig::default(), targets_per_row: 127 }
    }
}

/// How long a measurement goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// About so many seconds after the first step, at least four steps.
    Secs(f64),
    /// Exactly so many steps (at least two).
    Steps(usize),
}

impl Budget {
    fn is_spent(self, steps: usize, secs: f64) -> bool {
        match self {
            Self::Secs(budget) => steps >= 10_000 || (steps >= 4 && secs > budget),
            Self::Steps(count) => steps >= count.max(2),
        }
    }
}

/// Times of training steps, in seconds.
#[derive(Clone, Debug, PartialEq)]
pub struct StepTiming {
    /// The first step, with shader compilation on a GPU.
    pub first_secs: f64,
    pub median_secs: f64,
    pub min_secs: f64,
    pub steps: usize,
    /// Loss after the last step, so that the work cannot be left out.
    pub loss: f32,
}

/// The shape of karpathy's stories260K.
///
/// # Errors
/// Never; the shape is parsed like any other.
pub fn stories260k() -> Result<ModelConfig, EngineError> {
    shape(512, 64, 172, 5, 8, 4, 512)
}

/// The shape of SmolLM2-135M.
///
/// # Errors
/// Never; the shape is parsed like any other.
pub fn smollm2_135m() -> Result<ModelConfig, EngineError> {
    shape(49_152, 576, 1536, 30, 9, 3, 2048)
}

/// A Llama shape with tied embeddings.
///
/// # Errors
/// Sizes that make no model.
pub fn shape(
    vocab_size: usize,
    hidden_size: usize,
    intermediate_size: usize,
    layers: usize,
    heads: usize,
    kv_heads: usize,
    positions: usize,
) -> Result<ModelConfig, EngineError> {
    let json = serde_json::json!({
        "model_type": "llama", "vocab_size": vocab_size, "hidden_size": hidden_size, "intermediate_size": intermediate_size,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "max_position_embeddings": positions, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
        "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2,
    });
    Ok(ModelConfig::parse(json.to_string().as_bytes(), "shape")?)
}

/// A batch of random tokens.
fn random_batch(workload: &Workload, vocab: usize, rng: &mut ChaCha8Rng) -> Batch {
    let (batch, seq) = (workload.batch, workload.seq);
    let vocab = u32::try_from(vocab).unwrap_or(u32::MAX);
    let tokens: Vec<u32> = (0..batch * seq).map(|_| rng.random_range(0..vocab)).collect();
    let per_row = workload.targets_per_row.clamp(1, seq - 1);
    let positions = (0..batch).flat_map(|row| (seq - 1 - per_row..seq - 1).map(move |t| row * seq + t));
    let (mut target_positions, mut target_ids, mut target_rows) = (Vec::new(), Vec::new(), Vec::new());
    for position in positions {
        target_positions.push(u32::try_from(position).unwrap_or(0));
        target_ids.push(tokens[position + 1]);
        target_rows.push(u32::try_from(position / seq).unwrap_or(0));
    }
    Batch { batch, seq, tokens, lengths: vec![seq; batch], target_positions, target_ids, target_rows }
}

/// Measures training steps of a method on random weights of a shape.
///
/// # Errors
/// Settings that make no model, or a device that fails.
pub async fn measure_step(
    device: &OpenDevice,
    config: &ModelConfig,
    workload: &Workload,
    method: &str,
    budget: Budget,
) -> Result<StepTiming, EngineError> {
    let options = LlamaOptions { max_seq: workload.seq, max_binding_bytes: device.max_binding_bytes };
    let model = Llama::load(config, &mut RandomWeights::new(config, 1), &device.device, options)?;
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let layout = Arc::new(AdapterLayout::new(config, &workload.lora)?);
    let adapter = Adapter::init(&layout, &mut rng, &device.device);
    let (entry, knobs) = MethodConfig::Name(method.into()).resolve()?;
    let mut method = (entry.make)(Setup { adapter, model: &model, knobs: &knobs, rng: &mut rng })?;
    let mut optimiser = AdamW::new(&method.parameters());
    let settings = TrainingConfig::default();
    let current = random_batch(workload, config.vocab_size, &mut rng);
    let replay = method.replay().map(|_| random_batch(workload, config.vocab_size, &mut rng));
    let mut secs: Vec<f64> = Vec::new();
    let start = platform::now_secs();
    let mut loss = f32::NAN;
    loop {
        let before = platform::now_secs();
        let step = secs.len() as u64 + 1;
        let context = StepContext { replay: replay.as_ref(), step, ..StepContext::new(&model, &current) };
        let result = method.gradient(&context)?;
        let (parameters, _) = optimiser.step(method.parameters(), result.gradient, 1e-3, &settings);
        method.set_parameters(parameters);
        method.after_step(step);
        let total = result.terms.into_iter().next().map(|(_, value)| value);
        if let Some(total) = total {
            loss = read(total).await?.first().copied().unwrap_or(f32::NAN);
        }
        // The loss does not depend on the optimiser's launches: wait for those too.
        read(method.parameters().slice([0..1])).await?;
        secs.push(platform::now_secs() - before);
        if budget.is_spent(secs.len(), platform::now_secs() - start - secs[0]) {
            break;
        }
    }
    let first_secs = secs[0];
    let mut rest = secs[1..].to_vec();
    rest.sort_by(f64::total_cmp);
    Ok(StepTiming { first_secs, median_secs: rest[rest.len() / 2], min_secs: rest[0], steps: secs.len(), loss })
}

/// Floating-point operations of a plain LoRA step on `tokens` tokens: forward and the gradient of the activations through the
/// frozen layers (`4 * linear parameters * tokens`), attention, and the head at the targets.
#[must_use]
#[allow(clippy::cast_precision_loss)] // a count for people
pub fn step_flops(config: &ModelConfig, workload: &Workload, forward_only: bool) -> f64 {
    let linear: usize = crate::model::Projection::ALL
        .iter()
        .map(|&projection| config.projection_shape(projection).iter().product::<usize>())
        .sum();
    let tokens = (workload.batch * workload.seq) as f64;
    let linear = (linear * config.num_hidden_layers) as f64;
    let attention = 4.0 * (config.num_hidden_layers * workload.seq * config.query_size()) as f64;
    let head = (workload.batch * workload.targets_per_row * config.vocab_size * config.hidden_size) as f64;
    let forward = tokens * (2.0 * linear + attention) + 2.0 * head;
    if forward_only { forward } else { 2.0 * forward + tokens * attention }
}
