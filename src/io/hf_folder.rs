//! A model as Hugging Face's hub hands it out: config.json, weights, tokenizer.json, and two optional files.

use crate::io::error::{IoError, read_file};
use crate::io::safetensors::{SafetensorsFile, ShardedFolder};
use crate::model::ModelError;
use crate::model::config::{ModelConfig, expected_tensors, read_token_ids};
use crate::model::loader::TensorSource;
use crate::platform::fs;
use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::Path;

/// Of each tensor so many bytes go into the fingerprint: enough to tell two trainings of one architecture apart.
const FINGERPRINT_BYTES: u64 = 4096;

/// A checked model: every tensor that its configuration asks for is there, with its shape and a type that can be read.
pub struct HfFolder {
    /// Path of the folder, or the name under which its parts were given.
    pub where_: String,
    pub config: ModelConfig,
    /// The weights, still on the disk.
    pub tensors: Box<dyn TensorSource + Send>,
    pub tokenizer_json: Vec<u8>,
    pub tokenizer_config: Option<Vec<u8>>,
    /// End tokens of `generation_config.json`; empty when there is none. See [`HfFolder::eos_token_ids`].
    pub generation_eos_token_ids: Vec<u32>,
    /// Tensors in the files that the model does not use, such as the head of another task. Worth a warning.
    pub ignored_tensors: Vec<String>,
    /// SHA-256, in hexadecimal, of the configuration and of each tensor's name, type, shape and first bytes: the same for the
    /// same weights however they are split into files, and another after any training of all layers. Adapters and checkpoints
    /// carry it to recognise their base model.
    pub fingerprint: String,
}

/// The files of a model that is not in a folder: embedded in the program, or chosen in a browser.
pub struct ModelParts {
    pub config_json: Cow<'static, [u8]>,
    /// One unsharded safetensors file.
    pub safetensors: Cow<'static, [u8]>,
    pub tokenizer_json: Cow<'static, [u8]>,
    pub tokenizer_config: Option<Vec<u8>>,
    pub generation_config: Option<Vec<u8>>,
}

impl HfFolder {
    /// Opens a model folder. Of the weights, only headers and the fingerprint's sample are read.
    ///
    /// # Errors
    /// A sentence for each file that is missing, damaged, not supported, or at odds with config.json.
    pub fn open(folder: &Path) -> Result<Self, IoError> {
        let (config, weights) = open_weights(folder)?;
        let tokenizer_path = folder.join("tokenizer.json");
        if !fs::is_there(&tokenizer_path) {
            return Err(IoError::file(
                tokenizer_path.display().to_string(),
                "is not there; download it with the model, or make it from the older files with transformers' \
                 `AutoTokenizer.from_pretrained(folder).save_pretrained(folder)`.",
            ));
        }
        let tokenizer_json = read_file(&tokenizer_path)?;
        let generation_path = folder.join("generation_config.json");
        Self::assemble(
            folder.display().to_string(),
            config,
            weights,
            tokenizer_json,
            read_optional(&folder.join("tokenizer_config.json"))?,
            read_optional(&generation_path)?.map(|json| (json, generation_path.display().to_string())),
        )
    }

    /// The same for files in memory; `name` stands for the folder's path in messages.
    ///
    /// # Errors
    /// As [`HfFolder::open`].
    pub fn from_parts(name: &str, parts: ModelParts) -> Result<Self, IoError> {
        let config = ModelConfig::parse(&parts.config_json, &format!("{name}/config.json"))?;
        let file = SafetensorsFile::from_bytes(parts.safetensors, &format!("{name}/model.safetensors"))?;
        Self::assemble(
            name.to_owned(),
            config,
            ShardedFolder::single("model.safetensors", file),
            parts.tokenizer_json.into_owned(),
            parts.tokenizer_config,
            parts.generation_config.map(|json| (json, format!("{name}/generation_config.json"))),
        )
    }

    fn assemble(
        where_: String,
        config: ModelConfig,
        mut weights: ShardedFolder,
        tokenizer_json: Vec<u8>,
        tokenizer_config: Option<Vec<u8>>,
        generation_config: Option<(Vec<u8>, String)>,
    ) -> Result<Self, IoError> {
        check_tensors(&config, &mut weights)?;
        Ok(Self {
            fingerprint: fingerprint(&config, &mut weights)?,
            ignored_tensors: ignored_tensors(&config, &weights),
            generation_eos_token_ids: match generation_config {
                None => Vec::new(),
                Some((json, generation_where)) => generation_eos_token_ids(&json, &generation_where)?,
            },
            where_,
            config,
            tensors: Box::new(weights),
            tokenizer_json,
            tokenizer_config,
        })
    }

    /// All tokens that end a generation: of `config.json` and of `generation_config.json`, each once.
    #[must_use]
    pub fn eos_token_ids(&self) -> Vec<u32> {
        let all: BTreeSet<u32> =
            self.config.eos_token_ids.iter().chain(&self.generation_eos_token_ids).copied().collect();
        all.into_iter().collect()
    }
}

/// Configuration and open, unchecked weights of a folder.
pub(crate) fn open_weights(folder: &Path) -> Result<(ModelConfig, ShardedFolder), IoError> {
    let where_ = folder.display().to_string();
    match fs::metadata(folder) {
        Err(error) => return Err(IoError::reading(folder, &error)),
        Ok(metadata) if !metadata.is_dir() => {
            return Err(IoError::file(where_, "is a file; name the folder that holds config.json and the weights."));
        }
        Ok(_) => {}
    }
    let config_path = folder.join("config.json");
    let config = ModelConfig::parse(&read_file(&config_path)?, &config_path.display().to_string())?;
    Ok((config, ShardedFolder::open(folder)?))
}

fn read_optional(path: &Path) -> Result<Option<Vec<u8>>, IoError> {
    if fs::is_there(path) { read_file(path).map(Some) } else { Ok(None) }
}

/// Holds names, shapes and types in the headers against the configuration, before any weight is read.
///
/// # Errors
/// A sentence that names the first tensor which is missing, misshapen or of a type that cannot be read, or a second head that
/// contradicts `tie_word_embeddings`.
pub(crate) fn check_tensors(config: &ModelConfig, weights: &mut ShardedFolder) -> Result<(), IoError> {
    let expected = expected_tensors(config);
    let where_ = weights.where_().to_owned();
    let refuse = |tensor: &str, what: String| {
        Err(IoError::Model(ModelError::Tensor { where_: where_.clone(), tensor: tensor.to_owned(), what }))
    };
    for (name, shape) in &expected {
        let Some(entry) = weights.file_of(name).and_then(|file| file.entry(name)) else {
            let missing = expected.iter().filter(|(name, _)| weights.file_of(name).is_none()).count();
            let advice = if name == "lm_head.weight" {
                "if the model's head is its embedding, set `tie_word_embeddings` to true in config.json"
            } else {
                "take the config.json and the weights of one and the same model, or download them again"
            };
            return refuse(
                name,
                format!(
                    "is missing ({missing} of the {} tensors that config.json asks for are); {advice}.",
                    expected.len()
                ),
            );
        };
        if entry.shape != *shape {
            let what = format!(
                "has shape {:?}, but config.json asks for {shape:?}; take the config.json and the weights of one and the same model.",
                entry.shape
            );
            return refuse(name, what);
        }
        if entry.convertible().is_none() {
            let what = format!(
                "is of type {}; supported are F32, F16 and BF16. Convert the weights, or take another model.",
                entry.dtype
            );
            return refuse(name, what);
        }
    }
    let (head, embedding) = ("lm_head.weight", "model.embed_tokens.weight");
    if config.tie_word_embeddings && weights.file_of(head).is_some() && !same_bytes(weights, head, embedding)? {
        let what = format!(
            "differs from `{embedding}`, but config.json ties the two; set `tie_word_embeddings` to false there to use this head."
        );
        return refuse(head, what);
    }
    Ok(())
}

/// Do two tensors hold the same stored bytes?
fn same_bytes(weights: &mut ShardedFolder, one: &str, other: &str) -> Result<bool, IoError> {
    let mut digests = Vec::new();
    for name in [one, other] {
        let mut digest = Sha256::new();
        if let Some(file) = weights.file_of_mut(name) {
            file.read_pieces(name, u64::MAX, |piece| {
                digest.update(piece);
                Ok::<_, IoError>(())
            })?;
        }
        digests.push(digest.finalize());
    }
    Ok(digests[0] == digests[1])
}

fn ignored_tensors(config: &ModelConfig, weights: &ShardedFolder) -> Vec<String> {
    let expected: BTreeSet<String> = expected_tensors(config).into_iter().map(|(name, _)| name).collect();
    let harmless = |name: &str| {
        // tables that old files carry and everybody computes anew; a copy of a tied head, compared before
        name.ends_with(".rotary_emb.inv_freq")
            || name.ends_with(".self_attn.masked_bias")
            || (config.tie_word_embeddings && name == "lm_head.weight")
    };
    weights.names().into_iter().filter(|name| !expected.contains(name) && !harmless(name)).collect()
}

fn generation_eos_token_ids(json: &[u8], where_: &str) -> Result<Vec<u32>, IoError> {
    let value: serde_json::Value = serde_json::from_slice(json)
        .map_err(|error| IoError::file(where_, format!("is not valid JSON ({error}); correct it, or remove it.")))?;
    value.get("eos_token_id").map_or(Ok(Vec::new()), |ids| {
        read_token_ids(ids).map_err(|bad| {
            IoError::file(
                where_,
                format!("`eos_token_id` holds {bad}, and must be a token number or a list; correct it."),
            )
        })
    })
}

fn fingerprint(config: &ModelConfig, weights: &mut ShardedFolder) -> Result<String, IoError> {
    let mut digest = Sha256::new();
    digest.update(config.to_json());
    for (name, shape) in expected_tensors(config) {
        if let Some(file) = weights.file_of_mut(&name) {
            let dtype = file.entry(&name).map_or(String::new(), |entry| entry.dtype.clone());
            digest.update(format!("\n{name} {dtype} {shape:?}\n"));
            file.read_pieces(&name, FINGERPRINT_BYTES, |piece| {
                digest.update(piece);
                Ok::<_, IoError>(())
            })?;
        }
    }
    Ok(hexadecimal(&digest.finalize()))
}

/// Lower-case hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|digit| char::from_digit(u32::from(digit), 16))
        .collect()
}

#[cfg(test)]
mod tests;
