//! From a configuration to things in memory: device, model, tokenizer, tasks as tokens.

use super::EngineError;
use super::builtin_model;
use super::config::{BUILTIN_MODEL, ExperimentConfig, TaskConfig, TaskDetails};
use super::device::OpenDevice;
use crate::data::builtin;
use crate::data::import::{ImportSettings, import_path};
use crate::data::mapping::ColumnMapping;
use crate::data::prompt::{Encoded, PromptFormat, encode_all};
use crate::data::task::Task;
use crate::data::tokenizer::Tokenizer;
use crate::io::HfFolder;
use crate::model::{Llama, LlamaOptions, ModelError};
use crate::platform::fs;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;

/// Fewest tokens of an example that must fit behind learned vectors.
const LEAST_TOKENS: usize = 8;

/// A model on a device, with its tokenizer.
pub struct LoadedModel {
    pub llama: Llama,
    pub tokenizer: Tokenizer,
    /// Path, or `builtin`.
    pub name: String,
    /// Identifies the base model in adapters and checkpoints.
    pub fingerprint: String,
    pub device_name: String,
    /// [`OpenDevice::passes_at_once`].
    pub passes_at_once: usize,
    /// [`OpenDevice::tokens_at_once`].
    pub tokens_at_once: usize,
    /// [`OpenDevice::max_binding_bytes`].
    pub max_binding_bytes: usize,
    /// [`OpenDevice::compiles_kernels`], and no training step was made with it yet.
    pub uncompiled: AtomicBool,
    /// Tokens that end a generation.
    pub stop_tokens: Vec<u32>,
    pub warnings: Vec<String>,
}

/// A task whose training examples are tokens.
pub struct PreparedTask {
    pub task: Task,
    pub train: Vec<Encoded>,
}

/// Everything a run needs, shared by all runs of an experiment.
pub struct Prepared {
    pub model: LoadedModel,
    pub tasks: Vec<PreparedTask>,
    pub format: PromptFormat,
    pub warnings: Vec<String>,
    /// Scores of the base model on each task: the same for all runs, so the first one to need them fills them in.
    pub zero_shot: OnceLock<Vec<Option<f64>>>,
}

impl Prepared {
    /// Writes down how long examples really are: beside a method with learned vectors they may be shorter than asked for, and
    /// one of these runs, resumed or repeated alone, has to cut them as it did beside the others.
    pub fn freeze(&self, run: &mut ExperimentConfig) {
        run.training.max_length = self.format.max_length;
    }
}

/// Opens a model's files without putting them on a device.
///
/// # Errors
/// What the files' checks say.
pub fn open_model(model: &str) -> Result<HfFolder, EngineError> {
    if model == BUILTIN_MODEL {
        return Ok(builtin_model::open()?);
    }
    let path = Path::new(model);
    if !fs::is_there(path) {
        return Err(EngineError::Setting(format!(
            "model `{model}` is not there: give a Hugging Face folder with config.json, model.safetensors and tokenizer.json, or `{BUILTIN_MODEL}`"
        )));
    }
    Ok(HfFolder::open(path)?)
}

/// Puts a model on a device. Positions are prepared for `max_seq` tokens.
///
/// # Errors
/// What reading the weights says, or a tokenizer that does not match the embedding.
pub fn load_model(folder: &mut HfFolder, device: &OpenDevice, max_seq: usize) -> Result<LoadedModel, EngineError> {
    let mut warnings = Vec::new();
    if !folder.ignored_tensors.is_empty() {
        warnings.push(format!("{}: tensors that are not used: {}", folder.where_, folder.ignored_tensors.join(", ")));
    }
    let mut tokenizer =
        Tokenizer::from_bytes(&folder.tokenizer_json, folder.tokenizer_config.as_deref(), &folder.where_)?;
    warnings.extend(tokenizer.warnings().iter().cloned());
    if let Some(bos) = folder.config.bos_token_id {
        tokenizer.set_bos_id(Some(bos));
    }
    let stop_tokens = folder.eos_token_ids();
    if let Some(&eos) = stop_tokens.first() {
        tokenizer.set_eos_id(Some(eos));
    }
    let largest = tokenizer.max_token_id() as usize;
    if largest >= folder.config.vocab_size {
        return Err(EngineError::Model(ModelError::Config {
            where_: folder.where_.clone(),
            what: format!(
                "tokenizer.json knows token {largest} but the embedding has only {} rows: the tokenizer belongs to another model",
                folder.config.vocab_size
            ),
        }));
    }
    let options = LlamaOptions {
        max_seq: max_seq.min(folder.config.max_position_embeddings),
        max_binding_bytes: device.max_binding_bytes,
    };
    let llama = Llama::load(&folder.config, folder.tensors.as_mut(), &device.device, options)?;
    Ok(LoadedModel {
        llama,
        tokenizer,
        name: folder.where_.clone(),
        fingerprint: folder.fingerprint.clone(),
        device_name: device.name.clone(),
        passes_at_once: device.passes_at_once,
        tokens_at_once: device.tokens_at_once,
        max_binding_bytes: device.max_binding_bytes,
        uncompiled: AtomicBool::new(device.compiles_kernels),
        stop_tokens,
        warnings,
    })
}

/// Reads one task.
///
/// # Errors
/// An unknown built-in task, or what the import says.
pub fn load_task(config: &TaskConfig, experiment: &ExperimentConfig) -> Result<(Task, Vec<String>), EngineError> {
    let details = match config {
        TaskConfig::Source(source) => TaskDetails { source: source.clone(), ..TaskDetails::default() },
        TaskConfig::Details(details) => details.clone(),
    };
    let limit = |value: usize| (value > 0).then_some(value);
    let (max_train, max_eval) =
        (limit(experiment.training.max_train_examples), limit(experiment.evaluation.max_examples));
    if let Some(name) = details.source.strip_prefix("builtin:") {
        let mut task = builtin::by_name(name, experiment.seed).ok_or_else(|| {
            EngineError::Setting(format!(
                "there is no built-in task `{name}`; there are: {}",
                builtin::NAMES.join(", ")
            ))
        })?;
        task.train.truncate(max_train.unwrap_or(usize::MAX));
        task.eval.truncate(max_eval.unwrap_or(usize::MAX));
        return Ok((task, Vec::new()));
    }
    let mapping = match (&details.prompt, &details.answer, &details.template, &details.labels) {
        (None, None, None, None) => None,
        (prompt, answer, template, labels) => Some(ColumnMapping {
            prompt: prompt.clone().or_else(|| template.is_none().then(|| "prompt".to_string())),
            answer: answer.clone().unwrap_or_else(|| "answer".to_string()),
            labels: labels.clone(),
            template: template.clone(),
        }),
    };
    let settings = ImportSettings {
        name: details.name,
        mapping,
        metric: details.metric,
        max_new_tokens: details.max_new_tokens,
        max_train,
        max_eval,
        seed: experiment.seed,
        ..ImportSettings::default()
    };
    let imported = import_path(Path::new(&details.source), &settings)?;
    Ok((imported.task, imported.warnings))
}

/// Loads and encodes all tasks of an experiment. `prompt_length` places before every example stay free for learned vectors.
///
/// # Errors
/// What [`load_task`] and the encoding say.
pub fn prepare(config: &ExperimentConfig, model: LoadedModel, prompt_length: usize) -> Result<Prepared, EngineError> {
    let tokenizer = &model.tokenizer;
    let positions = model.llama.max_seq();
    if prompt_length + LEAST_TOKENS > positions {
        return Err(EngineError::Setting(format!(
            "the methods put up to {prompt_length} learned vectors before an example, and the model has {positions} positions: choose fewer or shorter prompts"
        )));
    }
    let format = PromptFormat {
        bos: tokenizer.bos_id().is_some(),
        eos: tokenizer.eos_id().is_some(),
        max_length: config.training.max_length.min(positions - prompt_length),
    };
    let mut warnings = model.warnings.clone();
    let mut tasks = Vec::with_capacity(config.tasks.len());
    for source in &config.tasks {
        let (task, notes) = load_task(source, config)?;
        warnings.extend(notes);
        let (train, cut) = encode_all(tokenizer, &task.train, &format, &format!("task `{}`", task.name))?;
        warnings.extend(cut);
        if train.is_empty() {
            return Err(EngineError::Setting(format!("task `{}` has no training examples", task.name)));
        }
        tasks.push(PreparedTask { task, train });
    }
    Ok(Prepared { model, tasks, format, warnings, zero_shot: OnceLock::new() })
}
