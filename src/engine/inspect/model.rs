//! What a model is, from its configuration and the headers of its weights: nothing is put on a device.

use super::memory;
use super::task::open_tokenizer;
use crate::engine::builtin_model;
use crate::engine::config::{BUILTIN_MODEL, ExperimentConfig};
use crate::engine::prepare::open_model;
use crate::engine::protocol::cards::ModelCard;
use crate::io::hf_folder::open_weights;
use crate::io::safetensors::ShardedFolder;
use crate::io::{HfFolder, IoError, SafetensorsFile};
use crate::model::ModelConfig;
use crate::model::config::expected_tensors;
use std::collections::BTreeMap;
use std::path::Path;

/// The card of an experiment's model, with what the experiment would need of it.
///
/// `available_bytes` is the memory that is free, where the platform tells; `longest_example` the longest example of the tasks
/// in tokens, where it is known already (else every row counts as `training.max_length` tokens).
///
/// # Errors
/// The sentence that opening the model's files gives.
pub fn inspect_model(
    experiment: &ExperimentConfig,
    available_bytes: Option<u64>,
    longest_example: Option<usize>,
) -> Result<ModelCard, String> {
    let folder = open_model(&experiment.model).map_err(|error| error.to_string())?;
    let config = &folder.config;
    let (weights_bytes, dtypes) = stored(&experiment.model, config).map_err(|error| error.to_string())?;
    let tokenizer = open_tokenizer(&folder).map_err(|error| error.to_string())?;
    let largest = tokenizer.max_token_id() as usize;
    if largest >= config.vocab_size {
        return Err(format!(
            "{}: tokenizer.json knows token {largest} but the embedding has only {} rows: the tokenizer belongs to another model",
            folder.where_, config.vocab_size
        ));
    }
    let mut warnings = warnings(&folder, experiment);
    warnings.extend(tokenizer.warnings().iter().cloned());
    Ok(ModelCard {
        model: experiment.model.clone(),
        model_type: config.model_type.name().to_string(),
        parameters: config.parameter_count(),
        weights_bytes,
        dtypes,
        vocab_size: config.vocab_size as u64,
        hidden_size: config.hidden_size as u64,
        intermediate_size: config.intermediate_size as u64,
        num_hidden_layers: config.num_hidden_layers as u64,
        num_attention_heads: config.num_attention_heads as u64,
        num_key_value_heads: config.num_key_value_heads as u64,
        max_position_embeddings: config.max_position_embeddings as u64,
        tie_word_embeddings: config.tie_word_embeddings,
        trainable_parameters: memory::trainable_parameters(config, &experiment.lora),
        memory: memory::estimate(config, experiment, longest_example),
        available_bytes,
        too_large: available_bytes
            .and_then(|available| memory::too_large(config, experiment, longest_example, available)),
        warnings,
    })
}

/// Bytes of the model's tensors in its files, and their types, the one with most bytes first.
fn stored(model: &str, config: &ModelConfig) -> Result<(u64, Vec<String>), IoError> {
    let weights = if model == BUILTIN_MODEL {
        let bytes = builtin_model::WEIGHTS;
        ShardedFolder::single("model.safetensors", SafetensorsFile::from_bytes(bytes, BUILTIN_MODEL)?)
    } else {
        open_weights(Path::new(model))?.1
    };
    let mut by_type: BTreeMap<String, u64> = BTreeMap::new();
    for (name, _) in expected_tensors(config) {
        if let Some(entry) = weights.file_of(&name).and_then(|file| file.entry(&name)) {
            *by_type.entry(entry.dtype.clone()).or_insert(0) += entry.byte_len();
        }
    }
    let total = by_type.values().sum();
    let mut types: Vec<(String, u64)> = by_type.into_iter().collect();
    types.sort_by_key(|(_, bytes)| std::cmp::Reverse(*bytes));
    Ok((total, types.into_iter().map(|(name, _)| name).collect()))
}

/// What is odd about the model, or about the experiment's settings for it; nothing that stops a run from being tried.
fn warnings(folder: &HfFolder, experiment: &ExperimentConfig) -> Vec<String> {
    let (config, lora) = (&folder.config, &experiment.lora);
    let mut warnings = Vec::new();
    if !folder.ignored_tensors.is_empty() {
        warnings.push(format!("Tensors that are not used: {}.", folder.ignored_tensors.join(", ")));
    }
    let longest = experiment.training.max_length;
    if longest > config.max_position_embeddings {
        warnings.push(format!(
            "`training.max_length` is {longest}, but the model has {} positions: longer examples lose their start.",
            config.max_position_embeddings
        ));
    }
    if lora.rank == 0 || lora.target_modules.is_empty() {
        warnings.push("The adapter has nothing to train: set `lora.r` to at least 1 and name a module.".to_string());
    } else if lora.rank > config.hidden_size {
        warnings.push(format!(
            "`lora.r` is {}, more than the model's width of {}: choose a smaller rank.",
            lora.rank, config.hidden_size
        ));
    }
    warnings
}
