//! Safetensors files: headers that are checked before they are believed, tensors that are read one at a time.
//!
//! The format (<https://huggingface.co/docs/safetensors>) is eight bytes of header length, a JSON header, then the numbers. We
//! parse it here rather than with the `safetensors` crate, because that one wants the whole file in memory and reports a lying
//! header as an enum variant, without the tensor's name or what to do about it.

mod dtype;
mod folder;
mod header;
mod writer;

pub use dtype::Dtype;
pub(crate) use dtype::{encode_checked, position_words};
pub use folder::ShardedFolder;
pub use header::TensorEntry;
pub use writer::{TensorLayout, TensorToWrite, encode_safetensors, write_safetensors, write_safetensors_one_by_one};

use crate::io::error::IoError;
use crate::model::ModelError;
use crate::model::loader::TensorSource;
use crate::platform::fs::File;
use header::Header;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;

/// Bytes read at a time; a multiple of every element size.
const CHUNK_BYTES: usize = 1 << 18;

/// An open safetensors file: its header in memory, its numbers where they were.
#[derive(Debug)]
pub struct SafetensorsFile {
    where_: String,
    source: Source,
    header: Header,
    /// Where the numbers begin.
    data_start: u64,
}

#[derive(Debug)]
enum Source {
    File(File),
    Bytes(Cow<'static, [u8]>),
}

impl Source {
    fn len(&self) -> std::io::Result<u64> {
        match self {
            Self::File(file) => Ok(file.metadata()?.len()),
            Self::Bytes(bytes) => Ok(bytes.len() as u64),
        }
    }

    fn read_at(&mut self, start: u64, buffer: &mut [u8]) -> std::io::Result<()> {
        match self {
            Self::File(file) => {
                file.seek(SeekFrom::Start(start))?;
                file.read_exact(buffer)
            }
            Self::Bytes(bytes) => {
                let rest = usize::try_from(start).ok().and_then(|start| bytes.get(start..));
                let mut rest = rest.ok_or(std::io::ErrorKind::UnexpectedEof)?;
                rest.read_exact(buffer)
            }
        }
    }
}

impl SafetensorsFile {
    /// Opens a file and reads its header only.
    ///
    /// # Errors
    /// A sentence when the file is absent, cut off, or its header is not true to it.
    pub fn open(path: &Path) -> Result<Self, IoError> {
        let file = File::open(path).map_err(|error| IoError::reading(path, &error))?;
        if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
            return Err(IoError::file(
                path.display().to_string(),
                "is a folder, not a safetensors file; name the file in it.",
            ));
        }
        Self::from_source(Source::File(file), path.display().to_string())
    }

    /// The same over bytes in memory (a browser's upload, an embedded model); `name` stands for the path in messages.
    ///
    /// # Errors
    /// As [`SafetensorsFile::open`].
    pub fn from_bytes(bytes: impl Into<Cow<'static, [u8]>>, name: &str) -> Result<Self, IoError> {
        Self::from_source(Source::Bytes(bytes.into()), name.to_owned())
    }

    fn from_source(mut source: Source, where_: String) -> Result<Self, IoError> {
        let unreadable = |error: std::io::Error| IoError::reading(Path::new(&where_), &error);
        let file_bytes = source.len().map_err(unreadable)?;
        let mut first = [0; 8];
        if file_bytes >= 8 {
            source.read_at(0, &mut first).map_err(unreadable)?;
        }
        let header_bytes = header::checked_header_bytes(first, file_bytes, &where_)?;
        let mut text = vec![0; header_bytes];
        source.read_at(8, &mut text).map_err(unreadable)?;
        let data_start = 8 + header_bytes as u64;
        let header = Header::parse(&text, file_bytes - data_start, &where_)?;
        Ok(Self { where_, source, header, data_start })
    }

    /// The path or name under which it was opened.
    #[must_use]
    pub fn where_(&self) -> &str {
        &self.where_
    }

    /// Type, shape and place of a tensor.
    #[must_use]
    pub fn entry(&self, name: &str) -> Option<&TensorEntry> {
        self.header.entries.get(name)
    }

    /// All tensors by name.
    #[must_use]
    pub fn entries(&self) -> &BTreeMap<String, TensorEntry> {
        &self.header.entries
    }

    /// The free text pairs of the header (`__metadata__`).
    #[must_use]
    pub fn metadata(&self) -> &BTreeMap<String, String> {
        &self.header.metadata
    }

    /// Everything before the numbers, byte for byte: for writing a file of the same layout.
    pub(crate) fn preamble(&mut self) -> Result<Vec<u8>, IoError> {
        let mut bytes = vec![0; usize::try_from(self.data_start).unwrap_or(0)];
        let result = self.source.read_at(0, &mut bytes);
        result.map_err(|error| IoError::reading(Path::new(&self.where_), &error))?;
        Ok(bytes)
    }

    /// Gives a tensor's first `most_bytes` stored bytes to `take`, piece by piece; pieces hold whole elements.
    pub(crate) fn read_pieces<E: From<ModelError>>(
        &mut self,
        name: &str,
        most_bytes: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let Some(entry) = self.header.entries.get(name) else {
            return Err(E::from(
                self.tensor_error(name, "is not in the file; take the weights that belong to this model."),
            ));
        };
        let mut start = self.data_start + entry.start;
        let mut left = entry.byte_len().min(most_bytes);
        let mut buffer = vec![0; usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES)];
        while left > 0 {
            let piece_bytes = usize::try_from(left).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
            let piece = &mut buffer[..piece_bytes];
            if let Err(error) = self.source.read_at(start, piece) {
                let what = format!(
                    "cannot be read ({error}); the file changed or its disk failed: try again, or download it again."
                );
                return Err(E::from(self.tensor_error(name, what)));
            }
            take(piece)?;
            start += piece_bytes as u64;
            left -= piece_bytes as u64;
        }
        Ok(())
    }

    fn tensor_error(&self, name: &str, what: impl Into<String>) -> ModelError {
        ModelError::Tensor { where_: self.where_.clone(), tensor: name.to_owned(), what: what.into() }
    }
}

impl TensorSource for SafetensorsFile {
    fn names(&self) -> Vec<String> {
        self.header.entries.keys().cloned().collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.entry(name).map(|entry| entry.shape.clone())
    }

    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let Some(entry) = self.entry(name) else {
            return Err(self.tensor_error(name, "is not in the file; take the weights that belong to this model."));
        };
        let Some(dtype) = entry.convertible() else {
            let what = format!(
                "is of type {}; supported are F32, F16 and BF16. Convert the file, or take another one.",
                entry.dtype
            );
            return Err(self.tensor_error(name, what));
        };
        let shape = entry.shape.clone();
        let mut values = Vec::new();
        let count = usize::try_from(entry.byte_len()).unwrap_or(usize::MAX) / dtype.bytes();
        if values.try_reserve_exact(count).is_err() {
            let what =
                format!("of shape {shape:?} does not fit into memory; close other programs, or take a smaller model.");
            return Err(self.tensor_error(name, what));
        }
        let where_ = self.where_.clone();
        self.read_pieces(name, u64::MAX, |piece| {
            let before = values.len();
            dtype.decode(piece, &mut values);
            match values[before..].iter().position(|value| !value.is_finite()) {
                None => Ok(()),
                Some(offset) => Err(ModelError::Tensor {
                    where_: where_.clone(),
                    tensor: name.to_owned(),
                    what: format!(
                        "holds {} at {}; the file is damaged or its training diverged: take another one.",
                        values[before + offset],
                        position_words(before + offset, &shape)
                    ),
                }),
            }
        })?;
        Ok(values)
    }
}

#[cfg(test)]
mod tests;
