//! Writing safetensors files, one tensor at a time.

use super::{Dtype, encode_checked};
use crate::io::atomic::AtomicFile;
use crate::io::error::IoError;
use crate::model::ModelError;
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;

/// A tensor to write, without its numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorLayout {
    pub name: String,
    pub shape: Vec<usize>,
    pub dtype: Dtype,
}

/// A tensor to write, with its numbers, row-major.
#[derive(Clone, Debug)]
pub struct TensorToWrite<'a> {
    pub name: &'a str,
    pub shape: &'a [usize],
    pub dtype: Dtype,
    pub values: &'a [f32],
}

impl TensorToWrite<'_> {
    /// The same without the numbers.
    #[must_use]
    pub fn layout(&self) -> TensorLayout {
        TensorLayout { name: self.name.to_owned(), shape: self.shape.to_vec(), dtype: self.dtype }
    }
}

/// Writes tensors that are in memory. `metadata` goes into the header, with `format: pt`, which transformers looks for.
///
/// # Errors
/// A sentence when a tensor does not fit its shape, holds a number that its type cannot (NaN, infinite, above 65504 in f16),
/// or the disk is full; an older file at `path` is then unchanged.
pub fn write_safetensors(
    path: &Path,
    tensors: &[TensorToWrite],
    metadata: &BTreeMap<String, String>,
) -> Result<(), IoError> {
    let layouts: Vec<_> = tensors.iter().map(TensorToWrite::layout).collect();
    let mut file = AtomicFile::create(path)?;
    stream(&mut file, &path.display().to_string(), &layouts, metadata, |index| {
        Ok(Cow::Borrowed(tensors[index].values))
    })?;
    file.commit()
}

/// Writes tensors that are asked for one after the other, so that only one is in memory: `values` gets each layout's index.
///
/// # Errors
/// As [`write_safetensors`], and whatever `values` reports.
pub fn write_safetensors_one_by_one(
    path: &Path,
    layouts: &[TensorLayout],
    metadata: &BTreeMap<String, String>,
    mut values: impl FnMut(usize) -> Result<Vec<f32>, IoError>,
) -> Result<(), IoError> {
    let mut file = AtomicFile::create(path)?;
    stream(&mut file, &path.display().to_string(), layouts, metadata, |index| values(index).map(Cow::Owned))?;
    file.commit()
}

/// The bytes of such a file, for where there is no disk; `name` stands for the path in messages.
///
/// # Errors
/// As [`write_safetensors`].
pub fn encode_safetensors(
    name: &str,
    tensors: &[TensorToWrite],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, IoError> {
    let layouts: Vec<_> = tensors.iter().map(TensorToWrite::layout).collect();
    let mut bytes = Vec::new();
    stream(&mut bytes, name, &layouts, metadata, |index| Ok(Cow::Borrowed(tensors[index].values)))?;
    Ok(bytes)
}

fn stream<'a>(
    out: &mut dyn Write,
    where_: &str,
    layouts: &[TensorLayout],
    metadata: &BTreeMap<String, String>,
    mut values: impl FnMut(usize) -> Result<Cow<'a, [f32]>, IoError>,
) -> Result<(), IoError> {
    let failed = |error: std::io::Error| IoError::writing(Path::new(where_), &error);
    // four-byte numbers first, so that all are aligned for readers that map the file
    let mut order: Vec<usize> = (0..layouts.len()).collect();
    order.sort_by_key(|&index| layouts[index].dtype.bytes() != 4);
    out.write_all(&header(where_, layouts, &order, metadata)?).map_err(failed)?;
    for index in order {
        let layout = &layouts[index];
        let values = values(index)?;
        let expected: usize = layout.shape.iter().product();
        if values.len() != expected {
            let what =
                format!("has {} numbers for its shape {:?}, which takes {expected}.", values.len(), layout.shape);
            return Err(ModelError::Tensor { where_: where_.to_owned(), tensor: layout.name.clone(), what }.into());
        }
        encode_checked(layout.dtype, &values, (where_, &layout.name, &layout.shape), |bytes| {
            out.write_all(bytes).map_err(failed)
        })?;
    }
    Ok(())
}

/// Length and JSON, padded with spaces so that the numbers begin at a multiple of eight.
fn header(
    where_: &str,
    layouts: &[TensorLayout],
    order: &[usize],
    metadata: &BTreeMap<String, String>,
) -> Result<Vec<u8>, IoError> {
    let mut texts: Map<String, Value> = Map::new();
    texts.insert("format".to_owned(), json!("pt"));
    texts.extend(metadata.iter().map(|(key, text)| (key.clone(), json!(text))));
    let mut map = Map::new();
    map.insert("__metadata__".to_owned(), Value::Object(texts));
    let mut start = 0u64;
    for &index in order {
        let TensorLayout { name, shape, dtype } = &layouts[index];
        let refuse = |what: &str| {
            IoError::from(ModelError::Tensor { where_: where_.to_owned(), tensor: name.clone(), what: what.to_owned() })
        };
        let bytes = shape.iter().try_fold(dtype.bytes() as u64, |product, &size| product.checked_mul(size as u64));
        let end =
            bytes.and_then(|bytes| start.checked_add(bytes)).ok_or_else(|| refuse("is too large to be written."))?;
        let entry = json!({ "dtype": dtype.name(), "shape": shape, "data_offsets": [start, end] });
        if map.insert(name.clone(), entry).is_some() {
            return Err(refuse("is to be written twice; give each tensor its own name."));
        }
        start = end;
    }
    let mut text = Value::Object(map).to_string().into_bytes();
    text.resize(text.len().next_multiple_of(8), b' ');
    let mut header = (text.len() as u64).to_le_bytes().to_vec();
    header.append(&mut text);
    Ok(header)
}
