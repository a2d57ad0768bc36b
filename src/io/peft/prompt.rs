//! Soft prompts in files: PEFT's prompt tuning for vectors that stand before every input, and a plain tensor for a pool.

use super::{CONFIG_FILE, FINGERPRINT_KEY, WEIGHTS_FILE, write_together};
use crate::io::error::IoError;
use crate::io::safetensors::{Dtype, TensorToWrite, encode_safetensors};
use serde_json::json;
use std::path::Path;

/// Name of the file that holds a pool of prompts.
const POOL_FILE: &str = "prompt_pool.safetensors";

/// Writes learned vectors, row-major in `shape`: `[vectors, hidden_size]` as an adapter folder of PEFT's prompt tuning, or
/// `[pool, length, hidden_size]` as the tensor `prompts` of `prompt_pool.safetensors`, which PEFT has no format for.
///
/// # Errors
/// A sentence when the values do not fit their shape or hold NaN, or the disk is full; older files are then unchanged.
pub fn write_prompt(
    folder: &Path,
    values: &[f32],
    shape: &[usize],
    base_model_name: Option<&str>,
    base_fingerprint: Option<&str>,
) -> Result<(), IoError> {
    let metadata =
        base_fingerprint.map(|fingerprint| (FINGERPRINT_KEY.to_owned(), fingerprint.to_owned())).into_iter().collect();
    let [vectors, hidden_size] = shape else {
        let pool = [TensorToWrite { name: "prompts", shape, dtype: Dtype::F32, values }];
        let bytes = encode_safetensors(&folder.join(POOL_FILE).display().to_string(), &pool, &metadata)?;
        return write_together(folder, [(POOL_FILE, bytes)]);
    };
    let prompt = [TensorToWrite { name: "prompt_embeddings", shape, dtype: Dtype::F32, values }];
    let bytes = encode_safetensors(&folder.join(WEIGHTS_FILE).display().to_string(), &prompt, &metadata)?;
    let config = json!({
        "peft_type": "PROMPT_TUNING",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model_name,
        "inference_mode": true,
        "num_virtual_tokens": vectors,
        "token_dim": hidden_size,
        "num_transformer_submodules": 1,
        "num_attention_heads": null,
        "num_layers": null,
        "prompt_tuning_init": "RANDOM",
        "prompt_tuning_init_text": null,
        "tokenizer_name_or_path": null,
    });
    write_together(folder, [(WEIGHTS_FILE, bytes), (CONFIG_FILE, format!("{config:#}\n").into_bytes())])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::io::SafetensorsFile;
    use crate::model::TensorSource;
    use crate::platform::scratch;

    #[test]
    fn a_prompt_and_a_pool_are_written_whole() {
        let folder = scratch::folder().unwrap();
        let values: Vec<f32> = (0..12).map(|i| i as f32).collect();
        write_prompt(folder.path(), &values, &[3, 4], Some("base"), Some("print")).unwrap();
        let mut file = SafetensorsFile::open(&folder.path().join(WEIGHTS_FILE)).unwrap();
        assert_eq!(file.shape("prompt_embeddings").unwrap(), [3, 4]);
        assert_eq!(file.read_f32("prompt_embeddings").unwrap(), values);
        let config = std::fs::read_to_string(folder.path().join(CONFIG_FILE)).unwrap();
        assert!(config.contains("\"num_virtual_tokens\": 3") && config.contains("\"token_dim\": 4"), "{config}");
        write_prompt(folder.path(), &values, &[2, 3, 2], None, None).unwrap();
        let mut file = SafetensorsFile::open(&folder.path().join(POOL_FILE)).unwrap();
        assert_eq!(file.read_f32("prompts").unwrap(), values);
        assert!(write_prompt(folder.path(), &values, &[5, 4], None, None).is_err());
    }
}
