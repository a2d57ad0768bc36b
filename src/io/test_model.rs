//! For the tests of `io`: a tiny model folder and adapter with reproducible numbers, and files with lies in them.

use crate::io::safetensors::{Dtype, TensorToWrite, write_safetensors};
use crate::model::config::{ModelConfig, expected_tensors};
use crate::model::lora::{Factors, LoraConfig, PlainAdapter, Projection};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Reproducible numbers (the 64-bit generator of Knuth's MMIX).
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }

    /// Multiples of 1/64 from -1 to 1: exact in all three number types.
    pub(crate) fn values(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| (f32::from(u8::try_from(self.below(129)).unwrap()) - 64.0) / 64.0).collect()
    }
}

/// Two layers of width 6, three query heads of two, one key head.
pub(crate) fn config() -> ModelConfig {
    let json = json!({
        "model_type": "llama", "vocab_size": 11, "hidden_size": 6, "intermediate_size": 10, "num_hidden_layers": 2,
        "num_attention_heads": 3, "num_key_value_heads": 1, "max_position_embeddings": 32,
    });
    ModelConfig::parse(json.to_string().as_bytes(), "config").unwrap()
}

/// Names, shapes and values of all tensors of the model.
pub(crate) fn weights(seed: u64) -> Vec<(String, Vec<usize>, Vec<f32>)> {
    let mut numbers = Numbers(seed);
    expected_tensors(&config())
        .into_iter()
        .map(|(name, shape)| {
            let values = numbers.values(shape.iter().product());
            (name, shape, values)
        })
        .collect()
}

pub(crate) fn write_tensors(path: &Path, tensors: &[(String, Vec<usize>, Vec<f32>)], dtype: Dtype) {
    let tensors: Vec<_> =
        tensors.iter().map(|(name, shape, values)| TensorToWrite { name, shape, dtype, values }).collect();
    write_safetensors(path, &tensors, &BTreeMap::new()).unwrap();
}

/// A whole model folder, in one file.
pub(crate) fn write_folder(folder: &Path, dtype: Dtype) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(folder.join("config.json"), config().to_json()).unwrap();
    std::fs::write(folder.join("tokenizer.json"), "{}").unwrap();
    write_tensors(&folder.join("model.safetensors"), &weights(1), dtype);
}

/// The same in two shards, tensors alternating between them.
pub(crate) fn write_sharded_folder(folder: &Path, dtype: Dtype) {
    write_folder(folder, dtype);
    std::fs::remove_file(folder.join("model.safetensors")).unwrap();
    let mut map = serde_json::Map::new();
    for shard in 0..2 {
        let file_name = format!("model-{shard}.safetensors");
        let part: Vec<_> = weights(1).into_iter().skip(shard).step_by(2).collect();
        write_tensors(&folder.join(&file_name), &part, dtype);
        map.extend(part.into_iter().map(|(name, ..)| (name, Value::from(file_name.clone()))));
    }
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map});
    std::fs::write(folder.join("model.safetensors.index.json"), index.to_string()).unwrap();
}

pub(crate) fn adapter(rank: usize, target_modules: &[Projection]) -> PlainAdapter {
    let (config, mut numbers) = (config(), Numbers(7));
    let mut factors = BTreeMap::new();
    for layer in 0..config.num_hidden_layers {
        for &projection in target_modules {
            let [out_features, in_features] = config.projection_shape(projection);
            let (lora_a, lora_b) = (numbers.values(rank * in_features), numbers.values(out_features * rank));
            factors.insert((layer, projection), Factors { lora_a, lora_b, in_features, out_features });
        }
    }
    let config = LoraConfig { rank, lora_alpha: 3.0, lora_dropout: 0.25, target_modules: target_modules.to_vec() };
    PlainAdapter { config, factors }
}

/// A safetensors file with this header, whatever it says.
pub(crate) fn raw_file(header: &str, data: &[u8]) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes(), header.as_bytes(), data].concat()
}

/// Names in a folder, sorted: to see that nothing was left behind.
pub(crate) fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}
