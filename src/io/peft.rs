//! LoRA adapters in the folders of Hugging Face's PEFT: `adapter_config.json` and `adapter_model.safetensors`.
//!
//! Keys are PEFT's, such as `base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight` of shape `[r, in]`. An adapter
//! whose PEFT settings would change what it computes, in a way that [`PlainAdapter`] cannot say, is refused by that setting's name.

pub mod prompt;
mod settings;

use crate::io::atomic::AtomicFile;
use crate::io::error::{IoError, read_file};
use crate::io::safetensors::{Dtype, SafetensorsFile, TensorToWrite, encode_safetensors};
use crate::model::ModelError;
use crate::model::config::ModelConfig;
use crate::model::loader::TensorSource;
use crate::model::lora::{Factors, LoraConfig, PlainAdapter, Projection};
use crate::platform::fs;
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;

const CONFIG_FILE: &str = "adapter_config.json";
const WEIGHTS_FILE: &str = "adapter_model.safetensors";
/// Key in the weights' header under which this program notes the base model.
const FINGERPRINT_KEY: &str = "thalweg_base_fingerprint";

/// An adapter that was read, and what its files say about its base model.
#[derive(Clone, Debug, PartialEq)]
pub struct LoadedAdapter {
    pub adapter: PlainAdapter,
    /// `base_model_name_or_path`: a hub name or a path, for showing.
    pub base_model_name: Option<String>,
    /// [`crate::io::HfFolder::fingerprint`] of the base model, when this program wrote the adapter.
    pub base_fingerprint: Option<String>,
}

/// Reads an adapter folder and checks that it fits `model`.
///
/// # Errors
/// A sentence when a file is missing or damaged, a setting is not supported, or the adapter is one of another model.
pub fn read_adapter(folder: &Path, model: &ModelConfig) -> Result<LoadedAdapter, IoError> {
    let config_path = folder.join(CONFIG_FILE);
    let config_json = read_file(&config_path)?;
    let weights_path = folder.join(WEIGHTS_FILE);
    if !fs::is_there(&weights_path) && fs::is_there(&folder.join("adapter_model.bin")) {
        return Err(IoError::file(
            folder.join("adapter_model.bin").display().to_string(),
            "is in PyTorch's own format, which is not read; save the adapter again with `safe_serialization=True`.",
        ));
    }
    from_file(&config_json, &config_path.display().to_string(), SafetensorsFile::open(&weights_path)?, model)
}

/// The same for files in memory; `name` stands for the folder's path in messages.
///
/// # Errors
/// As [`read_adapter`].
pub fn adapter_from_bytes(
    config_json: &[u8],
    weights: impl Into<Cow<'static, [u8]>>,
    name: &str,
    model: &ModelConfig,
) -> Result<LoadedAdapter, IoError> {
    let file = SafetensorsFile::from_bytes(weights, &format!("{name}/{WEIGHTS_FILE}"))?;
    from_file(config_json, &format!("{name}/{CONFIG_FILE}"), file, model)
}

fn from_file(
    config_json: &[u8],
    config_where: &str,
    mut file: SafetensorsFile,
    model: &ModelConfig,
) -> Result<LoadedAdapter, IoError> {
    let settings = settings::parse(config_json, config_where)?;
    let where_ = file.where_().to_owned();
    let made_for = settings.base_model_name.as_ref().map_or(String::new(), |name| format!(" (made for `{name}`)"));
    let another_model = |what: String| {
        let what =
            format!("{what}: it is an adapter of another model{made_for}. Choose that model, or another adapter.");
        IoError::Model(ModelError::Adapter { where_: where_.clone(), what })
    };
    let prefix = key_prefix(&file);
    let rank = settings.config.rank;
    let mut keys = BTreeMap::new();
    let mut known = BTreeSet::new();
    for layer in 0..model.num_hidden_layers {
        for &projection in &settings.config.target_modules {
            let [out_features, in_features] = model.projection_shape(projection);
            let [key_a, key_b] = keys_of(prefix, layer, projection);
            for (key, expected) in [(&key_a, [rank, in_features]), (&key_b, [out_features, rank])] {
                match file.shape(key) {
                    None => {
                        return Err(another_model(format!(
                            "tensor `{key}` is missing (this model has {} layers)",
                            model.num_hidden_layers
                        )));
                    }
                    Some(found) if found != expected => {
                        return Err(another_model(format!(
                            "tensor `{key}` has shape {found:?}, and this model needs {expected:?}"
                        )));
                    }
                    Some(_) => known.insert(key.clone()),
                };
            }
            keys.insert((layer, projection), (key_a, key_b, in_features, out_features));
        }
    }
    if let Some(extra) = file.names().into_iter().find(|name| !known.contains(name)) {
        return Err(another_model(format!(
            "tensor `{extra}` has no place in this model of {} layers with the adapter's `target_modules`",
            model.num_hidden_layers
        )));
    }
    let mut factors = BTreeMap::new();
    for (place, (key_a, key_b, in_features, out_features)) in keys {
        let (lora_a, lora_b) = (file.read_f32(&key_a)?, file.read_f32(&key_b)?);
        factors.insert(place, Factors { lora_a, lora_b, in_features, out_features });
    }
    Ok(LoadedAdapter {
        adapter: PlainAdapter { config: settings.config, factors },
        base_model_name: settings.base_model_name,
        base_fingerprint: file.metadata().get(FINGERPRINT_KEY).cloned(),
    })
}

/// PEFT wraps a causal model as `base_model.model.model.`, and a bare one (feature extraction) as `base_model.model.`.
fn key_prefix(file: &SafetensorsFile) -> &'static str {
    let bare = file.entries().keys().any(|key| key.starts_with("base_model.model.layers."));
    if bare { "base_model.model." } else { "base_model.model.model." }
}

/// Keys of `lora_A` and `lora_B`.
fn keys_of(prefix: &str, layer: usize, projection: Projection) -> [String; 2] {
    ["lora_A", "lora_B"]
        .map(|factor| format!("{prefix}layers.{layer}.{}.{}.{factor}.weight", projection.parent(), projection.name()))
}

/// Checks that every factor has its place and size in `model`.
///
/// # Errors
/// A sentence that names the first factor which has not.
pub fn check_fits(adapter: &PlainAdapter, model: &ModelConfig, where_: &str) -> Result<(), ModelError> {
    let refuse = |what: String| Err(ModelError::Adapter { where_: where_.to_owned(), what });
    if adapter.config.rank == 0 {
        return refuse("its rank is 0; use a rank of at least 1.".to_owned());
    }
    for ((layer, projection), factors) in &adapter.factors {
        let name = projection.name();
        let expected = model.projection_shape(*projection);
        let found = [factors.out_features, factors.in_features];
        if *layer >= model.num_hidden_layers {
            return refuse(format!(
                "it changes layer {layer}, and the model has {}; use it with its own model.",
                model.num_hidden_layers
            ));
        }
        if found != expected {
            return refuse(format!(
                "`{name}` of layer {layer} is made for {found:?}, and the model has {expected:?}; use it with its own model."
            ));
        }
    }
    check_lengths(adapter, where_)
}

/// Do all factors have as many numbers as their sizes say?
fn check_lengths(adapter: &PlainAdapter, where_: &str) -> Result<(), ModelError> {
    let rank = adapter.config.rank;
    for ((layer, projection), factors) in &adapter.factors {
        if factors.lora_a.len() != rank * factors.in_features || factors.lora_b.len() != factors.out_features * rank {
            let what = format!(
                "the factors of `{}` in layer {layer} have {} and {} numbers, which is not rank {rank} times {} and {}; make the adapter anew.",
                projection.name(),
                factors.lora_a.len(),
                factors.lora_b.len(),
                factors.in_features,
                factors.out_features
            );
            return Err(ModelError::Adapter { where_: where_.to_owned(), what });
        }
    }
    Ok(())
}

/// Writes an adapter folder that PEFT loads, in f32. Both files change together: they are on the disk before either is renamed.
///
/// # Errors
/// A sentence when the adapter is inconsistent or holds NaN, or the disk is full; older files are then unchanged.
pub fn write_adapter(
    folder: &Path,
    adapter: &PlainAdapter,
    base_model_name: Option<&str>,
    base_fingerprint: Option<&str>,
) -> Result<(), IoError> {
    let (config_json, weights) =
        adapter_to_bytes(adapter, &folder.display().to_string(), base_model_name, base_fingerprint)?;
    write_together(folder, [(WEIGHTS_FILE, weights), (CONFIG_FILE, config_json)])
}

/// Writes files that belong together: all are on the disk before any of them gets its name.
fn write_together<const N: usize>(folder: &Path, files: [(&str, Vec<u8>); N]) -> Result<(), IoError> {
    let mut ready = Vec::with_capacity(N);
    for (name, bytes) in files {
        let path = folder.join(name);
        let mut file = AtomicFile::create(&path)?;
        file.write_all(&bytes).map_err(|error| IoError::writing(&path, &error))?;
        file.sync()?;
        ready.push(file);
    }
    ready.into_iter().try_for_each(AtomicFile::commit)
}

/// The bytes of `adapter_config.json` and `adapter_model.safetensors`; `name` stands for the folder in messages.
///
/// # Errors
/// As [`write_adapter`].
pub fn adapter_to_bytes(
    adapter: &PlainAdapter,
    name: &str,
    base_model_name: Option<&str>,
    base_fingerprint: Option<&str>,
) -> Result<(Vec<u8>, Vec<u8>), IoError> {
    check_lengths(adapter, name)?;
    let LoraConfig { rank, .. } = adapter.config;
    let mut named = Vec::new();
    for ((layer, projection), factors) in &adapter.factors {
        let [key_a, key_b] = keys_of("base_model.model.model.", *layer, *projection);
        named.push((key_a, [rank, factors.in_features], factors.lora_a.as_slice()));
        named.push((key_b, [factors.out_features, rank], factors.lora_b.as_slice()));
    }
    let tensors: Vec<_> = named
        .iter()
        .map(|(key, shape, values)| TensorToWrite { name: key, shape, dtype: Dtype::F32, values })
        .collect();
    let metadata =
        base_fingerprint.map(|fingerprint| (FINGERPRINT_KEY.to_owned(), fingerprint.to_owned())).into_iter().collect();
    let weights = encode_safetensors(&format!("{name}/{WEIGHTS_FILE}"), &tensors, &metadata)?;
    Ok((settings::to_json(&adapter.config, base_model_name).into_bytes(), weights))
}

#[cfg(test)]
mod tests;
