//! A model's weights in a folder: one `model.safetensors`, or shards with an index that says which tensor is where.

use super::SafetensorsFile;
use crate::io::error::{IoError, read_file};
use crate::model::ModelError;
use crate::model::loader::TensorSource;
use crate::platform::fs;
use std::collections::BTreeMap;
use std::path::Path;

/// The one file of an unsharded model.
pub(crate) const SINGLE_FILE: &str = "model.safetensors";
/// The index of a sharded one.
pub(crate) const INDEX_FILE: &str = "model.safetensors.index.json";

/// All weights of a model, whether in one file or in several.
#[derive(Debug)]
pub struct ShardedFolder {
    where_: String,
    /// File names (without folder) and the open files.
    shards: Vec<(String, SafetensorsFile)>,
    shard_of: BTreeMap<String, usize>,
}

impl ShardedFolder {
    /// Opens `model.safetensors`, or else every shard that `model.safetensors.index.json` names.
    ///
    /// # Errors
    /// A sentence when there is neither, a shard is missing or damaged, or the index names a tensor that its shard lacks.
    pub fn open(folder: &Path) -> Result<Self, IoError> {
        let single = folder.join(SINGLE_FILE);
        if fs::is_there(&single) {
            return Ok(Self::single(SINGLE_FILE, SafetensorsFile::open(&single)?));
        }
        let index_path = folder.join(INDEX_FILE);
        if !fs::is_there(&index_path) {
            let pickled = fs::is_there(&folder.join("pytorch_model.bin"))
                || fs::is_there(&folder.join("pytorch_model.bin.index.json"));
            let advice = if pickled {
                "its weights are in PyTorch's own format, which is not read: save them with `safe_serialization=True`"
            } else {
                "name the folder of a model, or download its weights"
            };
            return Err(IoError::file(
                folder.display().to_string(),
                format!("has neither {SINGLE_FILE} nor {INDEX_FILE}; {advice}."),
            ));
        }
        Self::open_shards(folder, &index_path)
    }

    /// The weights of a single open file, such as one in memory.
    #[must_use]
    pub fn single(file_name: &str, file: SafetensorsFile) -> Self {
        let shard_of = file.entries().keys().map(|name| (name.clone(), 0)).collect();
        Self { where_: file.where_().to_owned(), shards: vec![(file_name.to_owned(), file)], shard_of }
    }

    fn open_shards(folder: &Path, index_path: &Path) -> Result<Self, IoError> {
        let where_ = index_path.display().to_string();
        let index: Index = serde_json::from_slice(&read_file(index_path)?).map_err(|error| {
            IoError::file(&where_, format!("is not an index of shards ({error}); download it again."))
        })?;
        let mut shards: Vec<(String, SafetensorsFile)> = Vec::new();
        let mut shard_of = BTreeMap::new();
        let mut number_of = BTreeMap::new();
        for (tensor, file_name) in index.weight_map {
            let number = if let Some(&number) = number_of.get(&file_name) {
                number
            } else {
                shards.push((file_name.clone(), open_shard(folder, &file_name, &where_)?));
                number_of.insert(file_name, shards.len() - 1);
                shards.len() - 1
            };
            if shards[number].1.entry(&tensor).is_none() {
                let what =
                    format!("is said to be in `{}`, which lacks it; download both files again.", shards[number].0);
                return Err(ModelError::Tensor { where_, tensor, what }.into());
            }
            shard_of.insert(tensor, number);
        }
        if shards.is_empty() {
            return Err(IoError::file(&where_, "names no tensors; download it again."));
        }
        Ok(Self { where_, shards, shard_of })
    }

    /// The file or index that lists the tensors.
    #[must_use]
    pub fn where_(&self) -> &str {
        &self.where_
    }

    /// The open file that holds a tensor.
    #[must_use]
    pub fn file_of(&self, name: &str) -> Option<&SafetensorsFile> {
        Some(&self.shards[*self.shard_of.get(name)?].1)
    }

    pub(crate) fn file_of_mut(&mut self, name: &str) -> Option<&mut SafetensorsFile> {
        Some(&mut self.shards[*self.shard_of.get(name)?].1)
    }

    /// The files by name, for rewriting them one by one.
    pub(crate) fn files_mut(&mut self) -> &mut [(String, SafetensorsFile)] {
        &mut self.shards
    }
}

impl TensorSource for ShardedFolder {
    fn names(&self) -> Vec<String> {
        self.shard_of.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.file_of(name)?.shape(name)
    }

    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        match self.file_of_mut(name) {
            Some(file) => file.read_f32(name),
            None => Err(ModelError::Tensor {
                where_: self.where_.clone(),
                tensor: name.to_owned(),
                what: "is missing; take the weights that belong to this model.".to_owned(),
            }),
        }
    }
}

fn open_shard(folder: &Path, file_name: &str, index_where: &str) -> Result<SafetensorsFile, IoError> {
    // an index from elsewhere must not reach out of its folder
    if Path::new(file_name).file_name().and_then(|name| name.to_str()) != Some(file_name) {
        let what = format!("names the shard `{file_name}`, which is no plain file name; download it again.");
        return Err(IoError::file(index_where, what));
    }
    let path = folder.join(file_name);
    if !fs::is_there(&path) {
        let what = format!("names the shard `{file_name}`, which is not there; download {}.", path.display());
        return Err(IoError::file(index_where, what));
    }
    SafetensorsFile::open(&path)
}

#[derive(serde::Deserialize)]
struct Index {
    weight_map: BTreeMap<String, String>,
}
