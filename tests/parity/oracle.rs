//! The expected numbers: reading fixtures, and saying how far from them a result is.

#![allow(dead_code, reason = "the CPU's and the GPU's tests each use a part")]

use crate::checkout::checkout;
use burn::tensor::{Device, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use thalweg::data::batch::Batch;
use thalweg::engine::device::OpenDevice;
use thalweg::io::{HfFolder, SafetensorsFile};
use thalweg::model::generate::{Generation, Sampling, choose};
use thalweg::model::{Adapter, AdapterVars, Llama, LlamaOptions, ModelConfig, Pass, PlainAdapter, TensorSource};

/// Differences that the fixtures' README grants: logits and hidden states.
pub const LOGITS: f64 = 1e-4;
/// Loss values.
pub const LOSS: f64 = 1e-5;
/// Gradients.
pub const GRADIENT: f64 = 1e-5;
/// Parameters after three optimiser steps.
pub const PARAMETER: f64 = 1e-4;

/// The CPU device.
pub fn cpu() -> OpenDevice {
    OpenDevice::cpu("test")
}

/// `tests/fixtures`.
pub fn fixtures() -> PathBuf {
    checkout().join("tests/fixtures")
}

/// A JSON file.
pub fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// Numbers of a JSON list, or of an array written as `{"shape", "data"}`.
pub fn floats(value: &Value) -> Vec<f32> {
    let list = value.get("data").unwrap_or(value);
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap() as f32).collect()
}

/// Whole numbers of a JSON list.
pub fn integers(value: &Value) -> Vec<u32> {
    value.as_array().unwrap().iter().map(|number| u32::try_from(number.as_u64().unwrap()).unwrap()).collect()
}

/// A batch, field by field.
pub fn batch(value: &Value) -> Batch {
    Batch {
        batch: usize::try_from(value["batch"].as_u64().unwrap()).unwrap(),
        seq: usize::try_from(value["seq"].as_u64().unwrap()).unwrap(),
        tokens: integers(&value["tokens"]),
        lengths: integers(&value["lengths"]).into_iter().map(|length| length as usize).collect(),
        target_positions: integers(&value["target_positions"]),
        target_ids: integers(&value["target_ids"]),
        target_rows: integers(&value["target_rows"]),
    }
}

/// A batch of whole texts: every token but a row's first is a target.
pub fn text_batch(rows: &[Vec<u32>], seq: usize) -> Batch {
    let mut batch = Batch {
        batch: rows.len(),
        seq,
        tokens: vec![0; rows.len() * seq],
        lengths: rows.iter().map(Vec::len).collect(),
        target_positions: Vec::new(),
        target_ids: Vec::new(),
        target_rows: Vec::new(),
    };
    for (row, tokens) in rows.iter().enumerate() {
        batch.tokens[row * seq..row * seq + tokens.len()].copy_from_slice(tokens);
        for (t, &next) in tokens.iter().enumerate().skip(1) {
            batch.target_positions.push((row * seq + t - 1) as u32);
            batch.target_ids.push(next);
            batch.target_rows.push(row as u32);
        }
    }
    batch
}

/// The rows of real tokens of a batch, without pads.
pub fn rows_of(batch: &Batch) -> Vec<Vec<u32>> {
    (0..batch.batch).map(|row| batch.tokens[row * batch.seq..][..batch.lengths[row]].to_vec()).collect()
}

/// Flat positions of all real tokens, row after row.
pub fn real_positions(batch: &Batch) -> Vec<u32> {
    (0..batch.batch).flat_map(|row| (0..batch.lengths[row]).map(move |t| (row * batch.seq + t) as u32)).collect()
}

/// One of the small random models.
pub struct Fixture {
    pub name: &'static str,
    pub folder: PathBuf,
    pub expected: Value,
    pub config: ModelConfig,
}

impl Fixture {
    pub fn open(name: &'static str) -> Self {
        let folder = fixtures().join(name);
        let config_path = folder.join("config.json");
        let config = ModelConfig::parse(&std::fs::read(&config_path).unwrap(), name).unwrap();
        Self { name, expected: json(&folder.join("expected.json")), config, folder }
    }

    pub fn batch(&self) -> Batch {
        batch(&self.expected["batch"])
    }

    pub fn load(&self, device: &OpenDevice) -> Llama {
        self.load_with(device, device.max_binding_bytes)
    }

    /// With embedding and head held in chunks of at most so many bytes.
    pub fn load_with(&self, device: &OpenDevice, max_binding_bytes: usize) -> Llama {
        let (_folder, mut opened) = self.with_tokenizer();
        load(&mut opened, device, 64, max_binding_bytes)
    }

    /// The fixtures have no tokenizer, and a model folder needs one: a copy with an empty one beside it.
    fn with_tokenizer(&self) -> (Scratch, HfFolder) {
        let scratch = Scratch::new();
        for entry in std::fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() {
                std::fs::write(scratch.0.join(path.file_name().unwrap()), std::fs::read(&path).unwrap()).unwrap();
            }
        }
        let opened = open_without_tokenizer(&scratch.0);
        (scratch, opened)
    }

    /// A PEFT folder beside the model.
    pub fn adapter(&self, folder: &str, device: &Device) -> Adapter {
        Adapter::from_plain(&self.plain_adapter(folder), &self.config, device).unwrap()
    }

    pub fn plain_adapter(&self, folder: &str) -> PlainAdapter {
        thalweg::io::peft::read_adapter(&self.folder.join(folder), &self.config).unwrap().adapter
    }

    /// `adapter_expected.safetensors`.
    pub fn adapter_expected(&self) -> SafetensorsFile {
        SafetensorsFile::open(&self.folder.join("adapter_expected.safetensors")).unwrap()
    }
}

/// Opens a model folder after putting an empty tokenizer into it.
pub fn open_without_tokenizer(folder: &Path) -> HfFolder {
    std::fs::write(folder.join("tokenizer.json"), "{}").unwrap();
    HfFolder::open(folder).unwrap()
}

/// Puts an opened folder's model on a device.
pub fn load(folder: &mut HfFolder, device: &OpenDevice, max_seq: usize, max_binding_bytes: usize) -> Llama {
    let options = LlamaOptions { max_seq, max_binding_bytes };
    Llama::load(&folder.config, folder.tensors.as_mut(), &device.device, options).unwrap()
}

/// A folder of its own that vanishes with the value.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("parity-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The factors of an adapter (or their gradients) by PEFT key.
pub fn by_key(plain: &PlainAdapter) -> BTreeMap<String, Vec<f32>> {
    let mut named = BTreeMap::new();
    for ((layer, projection), factors) in &plain.factors {
        let module = format!("base_model.model.model.layers.{layer}.{}.{}", projection.parent(), projection.name());
        named.insert(format!("{module}.lora_A.weight"), factors.lora_a.clone());
        named.insert(format!("{module}.lora_B.weight"), factors.lora_b.clone());
    }
    named
}

/// The same for a flat vector.
pub fn flat_by_key(adapter: &Adapter, flat: Tensor<1>) -> BTreeMap<String, Vec<f32>> {
    by_key(&Adapter::plain(adapter.layout(), &values(flat)))
}

/// Compares every factor with the tensor `prefix + key` of a file, all as one comparison.
pub fn close_by_key(
    what: &str,
    got: &BTreeMap<String, Vec<f32>>,
    file: &mut SafetensorsFile,
    prefix: &str,
    tolerance: f64,
) {
    let listed = file.names().iter().filter(|name| name.starts_with(prefix)).count();
    assert_eq!(listed, got.len(), "{what}: number of factors");
    let want: Vec<f32> = got.keys().flat_map(|key| file.read_f32(&format!("{prefix}{key}")).unwrap()).collect();
    let got: Vec<f32> = got.values().flatten().copied().collect();
    assert!(want.iter().any(|value| value.abs() > 100.0 * tolerance as f32), "{what}: all but zero");
    close(what, &got, &want, tolerance);
}

/// Values of a tensor, row-major.
pub fn values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.without_autodiff().into_data().try_into_vec::<f32>().unwrap()
}

/// The value of a tensor with one element.
pub fn scalar(tensor: Tensor<1>) -> f32 {
    let values = values(tensor);
    assert_eq!(values.len(), 1);
    values[0]
}

/// Largest absolute difference; infinite when a value is not a number.
pub fn largest_difference(got: &[f32], want: &[f32]) -> f64 {
    assert_eq!(got.len(), want.len(), "number of values");
    let gaps = got.iter().zip(want).map(|(got, want)| (f64::from(*got) - f64::from(*want)).abs());
    gaps.fold(0.0, |worst, gap| if gap.is_nan() { f64::INFINITY } else { worst.max(gap) })
}

/// Fails when any value is further from the expected one than `tolerance`; prints the largest difference.
pub fn close(what: &str, got: &[f32], want: &[f32], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}: number of values");
    let worst = largest_difference(got, want);
    println!("{what}: largest difference {worst:.1e} of {tolerance:.0e}, {} values", got.len());
    if worst > tolerance || worst.is_nan() {
        let at =
            got.iter().zip(want).position(|(g, w)| (g - w).abs() > tolerance as f32 || (g - w).is_nan()).unwrap_or(0);
        panic!(
            "{what}: differs by {worst:.2e}, allowed {tolerance:.0e}; first at {at}: {} is not {}",
            got[at], want[at]
        );
    }
}

/// As [`close`], for one number from a JSON file.
pub fn close_number(what: &str, got: f32, want: &Value, tolerance: f64) {
    close(what, &[got], &[want.as_f64().unwrap() as f32], tolerance);
}

/// As [`close`], relative to the length (L2) of the expected vector.
pub fn close_in_length(what: &str, got: &[f32], want: &[f32], tolerance: f64) {
    assert_eq!(got.len(), want.len(), "{what}: number of values");
    let square = |values: &mut dyn Iterator<Item = f64>| values.map(|v| v * v).sum::<f64>().sqrt();
    let length = square(&mut want.iter().map(|v| f64::from(*v)));
    let gap = square(&mut got.iter().zip(want).map(|(g, w)| f64::from(*g) - f64::from(*w)));
    let relative = gap / length.max(f64::MIN_POSITIVE);
    println!("{what}: relative difference {relative:.1e} of {tolerance:.0e}, {} values", got.len());
    assert!(length > 0.0 && relative <= tolerance, "{what}: {gap:.2e} off at a length of {length:.2e}");
}

/// Numbers in `(-1, 1)`, the same for the same seed.
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..count).map(|_| rng.random_range(-1.0_f32..1.0)).collect()
}

/// A tensor of [`noise`].
pub fn random<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    tensor(noise(seed, shape.iter().product()), shape, device)
}

/// A tensor of given values.
pub fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D], device: &Device) -> Tensor<D> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Continues prompts; each row's generator is seeded with its number and `seed`, as a row alone would be with `first_row`.
pub fn write_on(
    model: &Llama,
    adapter: Option<&AdapterVars>,
    prompts: &[Vec<u32>],
    sampling: &Sampling,
    seed: u64,
    first_row: u64,
) -> Vec<Vec<u32>> {
    let mut generation = Generation::start(model, Pass::of(adapter), prompts, sampling.max_new_tokens).unwrap();
    let mut rngs: Vec<_> =
        (0..prompts.len() as u64).map(|row| ChaCha8Rng::seed_from_u64(seed * 1000 + first_row + row)).collect();
    let mut written = vec![Vec::new(); prompts.len()];
    for step in 0..sampling.max_new_tokens {
        let logits = values(generation.logits());
        let vocabulary = logits.len() / prompts.len();
        let next: Vec<u32> =
            logits.chunks_exact(vocabulary).zip(&mut rngs).map(|(row, rng)| choose(row, sampling, rng)).collect();
        written.iter_mut().zip(&next).for_each(|(row, token)| row.push(*token));
        if step + 1 < sampling.max_new_tokens {
            generation.push(&next);
        }
    }
    written
}

/// Continues prompts greedily.
pub fn greedy(model: &Llama, adapter: Option<&AdapterVars>, prompts: &[Vec<u32>], count: usize) -> Vec<Vec<u32>> {
    write_on(model, adapter, prompts, &Sampling::greedy(count, Vec::new()), 0, 0)
}
