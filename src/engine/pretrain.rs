//! Trains a small Llama from text: a byte-level BPE vocabulary, all weights trained, written as a Hugging Face folder.
//!
//! Made for the embedded demonstration model: real enough to be fine-tuned, small enough to be carried along.

use super::EngineError;
use super::config::{Schedule, TrainingConfig};
use super::control::{Control, Next};
use super::device::{DeviceChoice, OpenDevice, candidates};
use super::evaluator::read;
use super::optimiser::{adamw_step, learning_rate};
use super::protocol::Event;
use super::report::StepReport;
use super::run::Sink;
use crate::data::batch::Batch;
use crate::data::builtin;
use crate::data::tokenizer::Tokenizer;
use crate::io::atomic::write_file;
use crate::io::safetensors::{Dtype, TensorToWrite, write_safetensors};
use crate::kernels;
use crate::model::llama::Pass;
use crate::model::random::RandomWeights;
use crate::model::trainable::WeightVisitor;
use crate::model::{Llama, LlamaOptions, ModelConfig, Targets};
use crate::platform::{self, fs};
use burn::tensor::{Gradients, Tensor};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is trained, on what, and how.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PretrainConfig {
    /// Plain text files; blank lines separate documents.
    pub texts: Vec<PathBuf>,
    /// At most this many characters of each file; 0 takes all.
    pub max_chars_per_text: usize,
    /// Sentences in the language of the built-in tasks that are mixed in (without any of their rules); 0 for none.
    pub builtin_sentences: usize,
    /// Share of training rows that come from the built-in language.
    pub builtin_share: f64,
    pub output: PathBuf,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    pub num_key_value_heads: usize,
    /// Tokens in a row.
    pub seq: usize,
    /// Positions the saved model declares (`max_position_embeddings`).
    pub max_position_embeddings: usize,
    pub batch_size: usize,
    pub steps: usize,
    pub learning_rate: f64,
    pub seed: u64,
    pub device: String,
}

impl Default for PretrainConfig {
    fn default() -> Self {
        Self {
            texts: Vec::new(),
            max_chars_per_text: 0,
            builtin_sentences: 60_000,
            builtin_share: 0.7,
            output: PathBuf::from("demo-model"),
            vocab_size: 1024,
            hidden_size: 128,
            intermediate_size: 384,
            num_hidden_layers: 5,
            num_attention_heads: 4,
            num_key_value_heads: 2,
            seq: 64,
            max_position_embeddings: 512,
            batch_size: 32,
            steps: 1500,
            learning_rate: 3e-3,
            seed: 1,
            device: "cpu".into(),
        }
    }
}

/// What came out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PretrainReport {
    pub parameters: u64,
    pub steps: usize,
    /// Mean loss per token on held-out rows, in nats.
    pub held_out_loss: f64,
    /// The same before training.
    pub first_loss: f64,
    pub secs: f64,
    pub output: PathBuf,
    /// The training was stopped before its end; the model so far was saved.
    pub stopped: bool,
}

/// Trains and saves a model.
///
/// # Errors
/// Texts that cannot be read, sizes that make no model, a full disk, or a loss that diverges.
pub async fn pretrain(
    config: &PretrainConfig,
    control: &Control,
    emit: Sink<'_>,
) -> Result<PretrainReport, EngineError> {
    let started = platform::now_secs();
    emit(Event::PhaseStarted { phase: "reading".into(), detail: format!("{} text files", config.texts.len()) });
    let corpus = Corpus::read(config)?;
    emit(Event::PhaseStarted {
        phase: "training the tokenizer".into(),
        detail: format!("{} tokens", config.vocab_size),
    });
    let tokenizer = corpus.tokenizer(config)?;
    let bos = tokenizer.bos_id().unwrap_or(0);
    let streams = corpus.encode(&tokenizer, bos)?;
    let model_config = model_config(config, &tokenizer)?;
    let device = candidates(&DeviceChoice::parse(&config.device)?).await?.remove(0);
    emit(Event::DeviceChosen { name: device.name.clone(), reason: device.reason.clone() });
    let mut model = fresh_model(config, &model_config, &device)?;
    model.visit(&mut Track);
    let mut rng = ChaCha8Rng::seed_from_u64(config.seed);
    let held_out: Vec<Batch> = {
        let mut rng = ChaCha8Rng::seed_from_u64(config.seed ^ 0xE7A1);
        (0..4).map(|_| streams.batch(config, &mut rng, true)).collect()
    };
    let first_loss = mean_loss(&model, &held_out).await?;
    let settings = TrainingConfig {
        learning_rate: config.learning_rate,
        schedule: Schedule::Cosine,
        warmup_ratio: 0.03,
        beta_2: 0.99,
        weight_decay: 0.05,
        ..TrainingConfig::default()
    };
    emit(Event::PhaseStarted {
        phase: "training".into(),
        detail: format!("{} parameters", model_config.parameter_count()),
    });
    let mut moments: Vec<(Tensor<1>, Tensor<1>)> = Vec::new();
    let mut stopped = false;
    let mut tokens = 0;
    let training = platform::now_secs();
    let mut done = 0;
    for step in 0..config.steps {
        match control.next() {
            Next::Go | Next::OneStep => {}
            Next::Stop => {
                stopped = true;
                break;
            }
            Next::Wait => {
                while control.next() == Next::Wait {
                    platform::pause().await;
                }
            }
        }
        let batch = streams.batch(config, &mut rng, false);
        tokens += batch.tokens.len() as u64;
        let hidden = model.forward(&batch, Pass::default()).last;
        let loss = model.cross_entropy(hidden, &Targets::mean(&batch, 1.0));
        let gradients = loss.surrogate.backward();
        let mut norm = SquaredNorm { gradients: &gradients, sum: None };
        model.visit(&mut norm);
        let norm = norm.sum.map_or_else(|| loss.value.zeros_like(), Tensor::sqrt);
        let scale = norm.clone().add_scalar(1e-6).recip().clamp_max(1.0);
        let rate = learning_rate(&settings, step, config.steps);
        let decayed = adamw_step(&settings, rate, step as u64 + 1);
        let plain = kernels::AdamWStep { weight_decay: 0.0, ..decayed };
        model.visit(&mut Update { gradients: &gradients, moments: &mut moments, next: 0, scale, decayed, plain });
        done = step + 1;
        if done.is_multiple_of(10) || done == config.steps {
            let value = read(loss.value).await?.first().copied().unwrap_or(f32::NAN);
            if !value.is_finite() {
                return Err(EngineError::Run(format!(
                    "the loss is not a number any more at step {done}: lower learning_rate"
                )));
            }
            let secs = platform::now_secs() - training;
            #[allow(clippy::cast_precision_loss)] // counts far below 2^52
            let per_step = secs / done as f64;
            #[allow(clippy::cast_precision_loss)]
            emit(Event::Stepped {
                run: 0,
                step: StepReport {
                    step: done as u64,
                    task_step: done as u64,
                    task_steps: config.steps as u64,
                    losses: vec![("total".into(), value)],
                    learning_rate: rate,
                    gradient_norm: read(norm).await?.first().copied().unwrap_or(f32::NAN),
                    tokens,
                    tokens_per_sec: tokens as f64 / secs,
                    secs_per_step: per_step,
                    ..StepReport::default()
                },
                steps_total: config.steps as u64,
                eta_secs: Some(per_step * (config.steps - done) as f64),
            });
        }
        platform::yield_now().await;
    }
    let held_out_loss = mean_loss(&model, &held_out).await?;
    save(config, &model, &tokenizer).await?;
    Ok(PretrainReport {
        parameters: model_config.parameter_count(),
        steps: done,
        held_out_loss,
        first_loss,
        secs: platform::now_secs() - started,
        output: config.output.clone(),
        stopped,
    })
}

/// The texts: those of the files, and the language of the built-in tasks.
struct Corpus {
    files: Vec<String>,
    language: String,
}

impl Corpus {
    fn read(config: &PretrainConfig) -> Result<Self, EngineError> {
        let mut files = Vec::new();
        for path in &config.texts {
            let text = fs::read_to_string(path).map_err(|error| {
                EngineError::Setting(format!("{} cannot be read: {error}. Give a UTF-8 text file", path.display()))
            })?;
            let limit = if config.max_chars_per_text == 0 { usize::MAX } else { config.max_chars_per_text };
            files.push(text.chars().take(limit).collect());
        }
        let language = if config.builtin_sentences > 0 {
            builtin::pretraining_text(config.seed, config.builtin_sentences)
        } else {
            String::new()
        };
        if files.is_empty() && language.is_empty() {
            return Err(EngineError::Setting("there is no text to train on: give at least one --text FILE".into()));
        }
        Ok(Self { files, language })
    }

    fn tokenizer(&self, config: &PretrainConfig) -> Result<Tokenizer, EngineError> {
        let texts: Vec<&str> = self.files.iter().map(String::as_str).chain([self.language.as_str()]).collect();
        Ok(Tokenizer::train_bpe(&texts, config.vocab_size, &[])?)
    }

    fn encode(&self, tokenizer: &Tokenizer, bos: u32) -> Result<Streams, EngineError> {
        let stream = |text: &str| -> Result<Vec<u32>, EngineError> {
            let mut tokens = Vec::new();
            for document in text.split("\n\n").map(str::trim).filter(|document| !document.is_empty()) {
                tokens.push(bos);
                tokens.extend(tokenizer.encode(document)?);
            }
            Ok(tokens)
        };
        let mut files = Vec::new();
        for text in &self.files {
            files.extend(stream(text)?);
        }
        Ok(Streams { files, language: stream(&self.language)? })
    }
}

/// Token streams; the last twentieth of each is held out.
struct Streams {
    files: Vec<u32>,
    language: Vec<u32>,
}

impl Streams {
    fn batch(&self, config: &PretrainConfig, rng: &mut ChaCha8Rng, held_out: bool) -> Batch {
        let seq = config.seq;
        let mut rows = Vec::with_capacity(config.batch_size);
        for _ in 0..config.batch_size {
            let language =
                self.files.is_empty() || (!self.language.is_empty() && rng.random_bool(config.builtin_share));
            let stream = if language { &self.language } else { &self.files };
            let split = stream.len() - stream.len() / 20;
            let (from, to) = if held_out { (split, stream.len()) } else { (0, split) };
            let room = to.saturating_sub(from).saturating_sub(seq + 1).max(1);
            let start = (from + rng.random_range(0..room)).min(stream.len().saturating_sub(seq));
            let mut row: Vec<u32> = stream[start..(start + seq).min(stream.len())].to_vec();
            row.resize(seq, 0);
            rows.push(row);
        }
        let (mut tokens, mut target_positions, mut target_ids, mut target_rows) = (vec![], vec![], vec![], vec![]);
        for (index, row) in rows.iter().enumerate() {
            for (t, id) in row.iter().enumerate().skip(1) {
                target_positions.push(u32::try_from(index * seq + t - 1).unwrap_or(0));
                target_ids.push(*id);
                target_rows.push(u32::try_from(index).unwrap_or(0));
            }
            tokens.extend_from_slice(row);
        }
        let batch = rows.len();
        Batch { batch, seq, tokens, lengths: vec![seq; batch], target_positions, target_ids, target_rows }
    }
}

fn model_config(config: &PretrainConfig, tokenizer: &Tokenizer) -> Result<ModelConfig, EngineError> {
    let json = serde_json::json!({
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": tokenizer.vocab_size(),
        "hidden_size": config.hidden_size,
        "intermediate_size": config.intermediate_size,
        "num_hidden_layers": config.num_hidden_layers,
        "num_attention_heads": config.num_attention_heads,
        "num_key_value_heads": config.num_key_value_heads,
        "max_position_embeddings": config.max_position_embeddings,
        "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0,
        "tie_word_embeddings": true,
        "hidden_act": "silu",
        "bos_token_id": tokenizer.bos_id(),
        "eos_token_id": tokenizer.eos_id(),
    });
    Ok(ModelConfig::parse(json.to_string().as_bytes(), "pretrain")?)
}

fn fresh_model(config: &PretrainConfig, model: &ModelConfig, device: &OpenDevice) -> Result<Llama, EngineError> {
    let options = LlamaOptions { max_seq: config.seq, max_binding_bytes: device.max_binding_bytes };
    Ok(Llama::load(model, &mut RandomWeights::new(model, config.seed), &device.device, options)?)
}

async fn mean_loss(model: &Llama, batches: &[Batch]) -> Result<f64, EngineError> {
    let (mut sum, mut count) = (0.0, 0.0);
    for batch in batches {
        let hidden = model.forward(batch, Pass::default()).last;
        let nll = read(model.nll(hidden, &batch.target_positions, &batch.target_ids)).await?;
        sum += nll.iter().map(|value| f64::from(*value)).sum::<f64>();
        #[allow(clippy::cast_precision_loss)] // counts far below 2^52
        {
            count += nll.len() as f64;
        }
    }
    Ok(if count > 0.0 { sum / count } else { f64::NAN })
}

/// Makes every weight a leaf of the tape.
struct Track;

impl WeightVisitor for Track {
    fn vector(&mut self, weight: &mut Tensor<1>) {
        *weight = weight.clone().without_autodiff().autodiff().require_grad();
    }
    fn matrix(&mut self, weight: &mut Tensor<2>) {
        *weight = weight.clone().without_autodiff().autodiff().require_grad();
    }
}

/// Sums the squares of all gradients.
struct SquaredNorm<'a> {
    gradients: &'a Gradients,
    sum: Option<Tensor<1>>,
}

impl SquaredNorm<'_> {
    fn add<const D: usize>(&mut self, weight: &Tensor<D>) {
        if let Some(gradient) = weight.grad(self.gradients) {
            let square = (gradient.clone() * gradient).sum();
            self.sum = Some(match self.sum.take() {
                Some(sum) => sum + square,
                None => square,
            });
        }
    }
}

impl WeightVisitor for SquaredNorm<'_> {
    fn vector(&mut self, weight: &mut Tensor<1>) {
        self.add(weight);
    }
    fn matrix(&mut self, weight: &mut Tensor<2>) {
        self.add(weight);
    }
}

/// One AdamW step on every weight; norm weights are not decayed.
struct Update<'a> {
    gradients: &'a Gradients,
    moments: &'a mut Vec<(Tensor<1>, Tensor<1>)>,
    next: usize,
    scale: Tensor<1>,
    decayed: kernels::AdamWStep,
    plain: kernels::AdamWStep,
}

impl Update<'_> {
    fn apply<const D: usize>(&mut self, weight: &mut Tensor<D>, step: kernels::AdamWStep) {
        let index = self.next;
        self.next += 1;
        let shape = weight.dims();
        let values = weight.clone().without_autodiff().reshape([shape.iter().product::<usize>()]);
        if self.moments.len() <= index {
            self.moments.push((values.zeros_like(), values.zeros_like()));
        }
        let Some(gradient) = weight.grad(self.gradients) else { return };
        let gradient = gradient.reshape([values.dims()[0]]);
        let (values, first, second) =
            kernels::adamw(values, gradient, self.moments[index].clone(), self.scale.clone(), step);
        self.moments[index] = (first, second);
        *weight = values.reshape(shape).autodiff().require_grad();
    }
}

impl WeightVisitor for Update<'_> {
    fn vector(&mut self, weight: &mut Tensor<1>) {
        self.apply(weight, self.plain);
    }
    fn matrix(&mut self, weight: &mut Tensor<2>) {
        self.apply(weight, self.decayed);
    }
}

/// Writes the Hugging Face folder, weights in f16.
async fn save(config: &PretrainConfig, model: &Llama, tokenizer: &Tokenizer) -> Result<(), EngineError> {
    let folder = &config.output;
    fs::create_dir_all(folder).map_err(|error| {
        EngineError::Run(format!("{} cannot be made: {error}. Choose another output", folder.display()))
    })?;
    let mut weights = Vec::new();
    for weight in model.export() {
        weights.push((weight.name, weight.shape, read(weight.values).await?));
    }
    let tensors: Vec<TensorToWrite<'_>> =
        weights.iter().map(|(name, shape, values)| TensorToWrite { name, shape, dtype: Dtype::F16, values }).collect();
    write_safetensors(&folder.join("model.safetensors"), &tensors, &std::collections::BTreeMap::new())?;
    write_file(&folder.join("config.json"), model.config.to_json().as_bytes())?;
    write_file(&folder.join("tokenizer.json"), tokenizer.to_json()?.as_bytes())?;
    let special =
        serde_json::json!({ "bos_token": "<s>", "eos_token": "</s>", "tokenizer_class": "PreTrainedTokenizerFast" });
    write_file(&folder.join("tokenizer_config.json"), format!("{special:#}\n").as_bytes())?;
    let generation = serde_json::json!({ "bos_token_id": tokenizer.bos_id(), "eos_token_id": tokenizer.eos_id() });
    write_file(&folder.join("generation_config.json"), format!("{generation:#}\n").as_bytes())?;
    Ok(())
}
