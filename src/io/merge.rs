//! Writes a plain Hugging Face model with an adapter merged into its weights: `W + (lora_alpha / r) B A`.
//!
//! Shards keep their layout and number types, and everything that the adapter leaves alone is copied byte for byte, one tensor
//! at a time, so that memory holds one weight matrix however large the model is.

use crate::io::atomic::{AtomicFile, folder_of, sync_folder};
use crate::io::error::IoError;
use crate::io::hf_folder::{check_tensors, open_weights};
use crate::io::peft::check_fits;
use crate::io::safetensors::{SafetensorsFile, encode_checked};
use crate::model::config::ModelConfig;
use crate::model::loader::TensorSource;
use crate::model::lora::{Factors, PlainAdapter, Projection};
use crate::platform::fs::{self, File};
use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What a merge did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MergeReport {
    /// Weight matrices that the adapter changed.
    pub merged_tensors: usize,
    /// Files copied as they were (tokenizer, configuration, ...).
    pub copied_files: Vec<String>,
    /// Files not copied because they hold the weights without the adapter in another format.
    pub left_out_files: Vec<String>,
}

/// Endings of files that hold weights in formats which this program does not rewrite.
const OTHER_WEIGHTS: [&str; 12] =
    ["safetensors", "bin", "pt", "pth", "ckpt", "gguf", "ggml", "onnx", "h5", "msgpack", "ot", "tflite"];

/// Merges `adapter` into the model of `base_folder` and writes the result to `out_folder`, which must be absent or empty.
///
/// `progress` gets the number of tensors written and their total; `ControlFlow::Break` cancels.
///
/// # Errors
/// A sentence when the base is damaged, the adapter is one of another model, a merged weight does not fit its number type, the
/// disk is full, or it was cancelled. `out_folder` then is as it was before.
pub fn merge_adapter(
    base_folder: &Path,
    adapter: &PlainAdapter,
    out_folder: &Path,
    progress: &mut dyn FnMut(usize, usize) -> ControlFlow<()>,
) -> Result<MergeReport, IoError> {
    let out_where = out_folder.display().to_string();
    if fs::read_dir(out_folder).is_ok_and(|mut entries| entries.next().is_some()) || fs::is_file(out_folder) {
        return Err(IoError::file(
            out_where,
            "exists already and is not empty; name a new folder for the merged model.",
        ));
    }
    let (config, mut weights) = open_weights(base_folder)?;
    check_tensors(&config, &mut weights)?;
    check_fits(adapter, &config, "to merge")?;
    let changes = changes_by_tensor(adapter);

    let partial = PartialFolder::create(out_folder)?;
    let mut report = MergeReport::default();
    let total: usize = weights.files_mut().iter().map(|(_, file)| file.entries().len()).sum();
    let mut written = 0;
    let mut rewritten = BTreeSet::new();
    for (file_name, file) in weights.files_mut() {
        let mut step = || {
            written += 1;
            match progress(written, total) {
                ControlFlow::Continue(()) => Ok(()),
                ControlFlow::Break(()) => Err(IoError::Cancelled { where_: out_where.clone() }),
            }
        };
        let target = partial.path.join(&*file_name);
        report.merged_tensors += rewrite(file, &target, adapter, &config, &changes, &mut step)?;
        rewritten.insert(file_name.clone());
    }
    copy_other_files(base_folder, &partial.path, &rewritten, &mut report)?;
    partial.commit(out_folder)?;
    Ok(report)
}

type Change<'a> = (Projection, &'a Factors);

fn changes_by_tensor(adapter: &PlainAdapter) -> BTreeMap<String, Change<'_>> {
    let name = |layer: usize, projection: Projection| {
        format!("model.layers.{layer}.{}.{}.weight", projection.parent(), projection.name())
    };
    adapter
        .factors
        .iter()
        .map(|(&(layer, projection), factors)| (name(layer, projection), (projection, factors)))
        .collect()
}

/// Writes one shard anew; returns how many of its tensors were changed.
fn rewrite(
    file: &mut SafetensorsFile,
    target: &Path,
    adapter: &PlainAdapter,
    config: &ModelConfig,
    changes: &BTreeMap<String, Change>,
    step: &mut dyn FnMut() -> Result<(), IoError>,
) -> Result<usize, IoError> {
    let mut out = AtomicFile::create(target)?;
    let failed = |error: std::io::Error| IoError::writing(target, &error);
    out.write_all(&file.preamble()?).map_err(failed)?;
    let mut in_order: Vec<_> =
        file.entries().iter().map(|(name, entry)| (entry.offset(), entry.byte_len(), name.clone())).collect();
    in_order.sort();
    let mut merged = 0;
    for (_, _, name) in in_order {
        let dtype = file.entry(&name).and_then(crate::io::safetensors::TensorEntry::convertible);
        if let (Some(&(projection, factors)), Some(dtype)) = (changes.get(&name), dtype) {
            let shape = config.projection_shape(projection);
            let mut weight = file.read_f32(&name)?;
            add_update(&mut weight, factors, adapter);
            let where_ = target.display().to_string();
            encode_checked(dtype, &weight, (&where_, &name, &shape), |bytes| out.write_all(bytes).map_err(failed))?;
            merged += 1;
        } else {
            file.read_pieces(&name, u64::MAX, |bytes| out.write_all(bytes).map_err(failed))?;
        }
        step()?;
    }
    out.commit()?;
    Ok(merged)
}

/// `weight [out, in] += (lora_alpha / r) B [out, r] A [r, in]`, row by row.
#[allow(clippy::cast_possible_truncation)] // the update is computed in f32, as in the forward pass
fn add_update(weight: &mut [f32], factors: &Factors, adapter: &PlainAdapter) {
    let (rank, scale) = (adapter.config.rank, adapter.config.scale());
    let rows_of_b = factors.lora_b.chunks_exact(rank);
    for (row, row_of_b) in weight.chunks_exact_mut(factors.in_features).zip(rows_of_b) {
        for (b, row_of_a) in row_of_b.iter().zip(factors.lora_a.chunks_exact(factors.in_features)) {
            let factor = (scale * f64::from(*b)) as f32;
            for (w, a) in row.iter_mut().zip(row_of_a) {
                *w += factor * a;
            }
        }
    }
}

fn copy_other_files(
    base: &Path,
    target: &Path,
    rewritten: &BTreeSet<String>,
    report: &mut MergeReport,
) -> Result<(), IoError> {
    let entries = fs::read_dir(base).map_err(|error| IoError::reading(base, &error))?;
    for entry in entries {
        let path = entry.map_err(|error| IoError::reading(base, &error))?.path();
        let Some(name) = path.file_name().map(|name| name.to_string_lossy().into_owned()) else { continue };
        // folders hold other things (.git, original weights); hidden files belong to the place, not to the model
        if !fs::is_file(&path) || name.starts_with('.') || rewritten.contains(&name) {
            continue;
        }
        let stem = name.strip_suffix(".index.json").unwrap_or(&name);
        let ending = Path::new(stem).extension().map(|ending| ending.to_string_lossy().to_lowercase());
        let belongs_to_rewritten =
            name == "model.safetensors.index.json" && rewritten.iter().all(|file| file != "model.safetensors");
        if !belongs_to_rewritten && ending.is_some_and(|ending| OTHER_WEIGHTS.contains(&ending.as_str())) {
            report.left_out_files.push(name);
            continue;
        }
        let copy_path = target.join(&name);
        let mut copy = AtomicFile::create(&copy_path)?;
        let mut original = File::open(&path).map_err(|error| IoError::reading(&path, &error))?;
        std::io::copy(&mut original, &mut copy).map_err(|error| IoError::writing(&copy_path, &error))?;
        copy.commit()?;
        report.copied_files.push(name);
    }
    report.copied_files.sort();
    report.left_out_files.sort();
    Ok(())
}

/// A folder under construction beside its final place; removed when dropped before [`PartialFolder::commit`].
struct PartialFolder {
    path: PathBuf,
}

impl PartialFolder {
    fn create(final_path: &Path) -> Result<Self, IoError> {
        let Some(name) = final_path.file_name() else {
            return Err(IoError::file(final_path.display().to_string(), "is not the name of a new folder."));
        };
        let hidden = format!(".{}.{:016x}.partial", name.to_string_lossy(), RandomState::new().hash_one(name));
        let path = folder_of(final_path).join(hidden);
        fs::create_dir_all(&path).map_err(|error| IoError::writing(final_path, &error))?;
        Ok(Self { path })
    }

    fn commit(mut self, final_path: &Path) -> Result<(), IoError> {
        // removes an empty folder only; renaming onto one is not possible everywhere
        fs::remove_dir(final_path).ok();
        fs::rename(&self.path, final_path).map_err(|error| IoError::writing(final_path, &error))?;
        self.path = PathBuf::new();
        sync_folder(&folder_of(final_path));
        Ok(())
    }
}

impl Drop for PartialFolder {
    fn drop(&mut self) {
        if !self.path.as_os_str().is_empty() {
            fs::remove_dir_all(&self.path).ok();
        }
    }
}

#[cfg(test)]
mod tests;
