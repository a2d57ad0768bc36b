//! The JSON header of a safetensors file, and every way in which it can lie.

use super::Dtype;
use crate::io::error::IoError;
use crate::model::ModelError;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::collections::BTreeMap;

/// The largest header that the format's own reader accepts; a real one takes about 100 bytes a tensor.
const MOST_HEADER_BYTES: u64 = 100_000_000;

/// Type, shape and place of one tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorEntry {
    /// The type's name as the file has it, such as `BF16` or `I64`.
    pub dtype: String,
    pub shape: Vec<usize>,
    /// First byte, counted from the end of the header.
    pub(super) start: u64,
    /// One past the last byte.
    pub(super) end: u64,
}

impl TensorEntry {
    /// The type when its numbers can be read as `f32`.
    #[must_use]
    pub fn convertible(&self) -> Option<Dtype> {
        Dtype::from_name(&self.dtype)
    }

    /// Stored bytes.
    #[must_use]
    pub fn byte_len(&self) -> u64 {
        self.end - self.start
    }

    /// First byte, counted from the end of the header: tensors sorted by it are in the file's order.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.start
    }
}

#[derive(Debug)]
pub(super) struct Header {
    pub(super) entries: BTreeMap<String, TensorEntry>,
    pub(super) metadata: BTreeMap<String, String>,
}

/// The length of the header as the first eight bytes give it, once it is plausible.
pub(super) fn checked_header_bytes(first: [u8; 8], file_bytes: u64, where_: &str) -> Result<usize, IoError> {
    let refuse = |what: String| Err(IoError::file(where_, what));
    if file_bytes < 8 {
        return refuse(format!(
            "is cut off: it has {file_bytes} bytes, and even an empty safetensors file has 10; download it again."
        ));
    }
    if &first == b"version " {
        return refuse(
            "is a Git LFS pointer, not the weights themselves; run `git lfs pull` there, or download the file."
                .to_owned(),
        );
    }
    let header_bytes = u64::from_le_bytes(first);
    if header_bytes > MOST_HEADER_BYTES {
        return refuse(format!(
            "says that its header takes {header_bytes} bytes, and the most is {MOST_HEADER_BYTES}; it is no safetensors file, or damaged: download it again."
        ));
    }
    if header_bytes > file_bytes - 8 {
        return refuse(format!(
            "says that its header takes {header_bytes} bytes, but only {} follow; it is cut off or damaged: download it again.",
            file_bytes - 8
        ));
    }
    // at most 100 million, which every address space holds
    Ok(usize::try_from(header_bytes).unwrap_or(0))
}

impl Header {
    /// Reads the header's text and holds it against the `data_bytes` that follow it.
    pub(super) fn parse(text: &[u8], data_bytes: u64, where_: &str) -> Result<Self, IoError> {
        let raw: RawHeader = serde_json::from_slice(text).map_err(|error| {
            IoError::file(
                where_,
                format!("has a header that is not the JSON of a safetensors file ({error}); download it again."),
            )
        })?;
        let mut entries = BTreeMap::new();
        for (name, raw_entry) in raw.tensors {
            let entry = checked_entry(&name, raw_entry, where_)?;
            if entries.insert(name.clone(), entry).is_some() {
                return Err(tensor_error(
                    where_,
                    &name,
                    "is listed twice in the header; the file is damaged: download it again.",
                ));
            }
        }
        check_layout(&entries, data_bytes, where_)?;
        Ok(Self { entries, metadata: raw.metadata })
    }
}

fn tensor_error(where_: &str, tensor: &str, what: impl Into<String>) -> IoError {
    IoError::Model(ModelError::Tensor { where_: where_.to_owned(), tensor: tensor.to_owned(), what: what.into() })
}

#[derive(serde::Deserialize)]
struct RawEntry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

/// Tensors as a list, because a map would quietly drop a name that comes twice.
struct RawHeader {
    tensors: Vec<(String, RawEntry)>,
    metadata: BTreeMap<String, String>,
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Collect;
        impl<'de> Visitor<'de> for Collect {
            type Value = RawHeader;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object with one entry a tensor")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RawHeader, A::Error> {
                let mut header = RawHeader { tensors: Vec::new(), metadata: BTreeMap::new() };
                while let Some(name) = map.next_key::<String>()? {
                    if name == "__metadata__" {
                        header.metadata = map.next_value()?;
                    } else {
                        header.tensors.push((name, map.next_value()?));
                    }
                }
                Ok(header)
            }
        }
        deserializer.deserialize_map(Collect)
    }
}

/// Bits of one element of every type that the format has; unknown ones cannot be checked, nor read.
fn bits(dtype: &str) -> Option<u64> {
    Some(match dtype {
        "F4" => 4,
        "F6_E2M3" | "F6_E3M2" => 6,
        "BOOL" | "U8" | "I8" | "F8_E5M2" | "F8_E4M3" | "F8_E8M0" | "F8_E4M3FNUZ" | "F8_E5M2FNUZ" => 8,
        "U16" | "I16" | "F16" | "BF16" => 16,
        "U32" | "I32" | "F32" => 32,
        "U64" | "I64" | "F64" | "C64" => 64,
        _ => return None,
    })
}

fn checked_entry(name: &str, raw: RawEntry, where_: &str) -> Result<TensorEntry, IoError> {
    let refuse = |what: String| Err(tensor_error(where_, name, what));
    let (start, end) = raw.data_offsets;
    if start > end {
        return refuse(format!(
            "is said to begin at byte {start} and to end at byte {end}; the file is damaged: download it again."
        ));
    }
    let elements = raw.shape.iter().try_fold(1u64, |product, &size| product.checked_mul(size));
    let shape = raw.shape.iter().map(|&size| usize::try_from(size).ok()).collect::<Option<Vec<_>>>();
    let (Some(elements), Some(shape)) = (elements, shape) else {
        return refuse(format!("has the impossible shape {:?}; the file is damaged: download it again.", raw.shape));
    };
    if let Some(bits) = bits(&raw.dtype) {
        let bytes = elements.checked_mul(bits).map(|bits| bits.div_ceil(8));
        if bytes != Some(end - start) {
            return refuse(format!(
                "has shape {shape:?} of {} and so must take {} bytes, but its place in the file has {}; the file is damaged: download it again.",
                raw.dtype,
                bytes.map_or_else(|| "more than 2^61".to_owned(), |bytes| bytes.to_string()),
                end - start
            ));
        }
    }
    Ok(TensorEntry { dtype: raw.dtype, shape, start, end })
}

/// Tensors must fill the bytes after the header, without overlap, gap or rest.
fn check_layout(entries: &BTreeMap<String, TensorEntry>, data_bytes: u64, where_: &str) -> Result<(), IoError> {
    let mut in_order: Vec<_> = entries.iter().collect();
    in_order.sort_by_key(|(_, entry)| (entry.start, entry.end));
    let (mut reached, mut before) = (0, None::<&String>);
    for (name, entry) in in_order {
        if entry.end > data_bytes {
            let what = format!(
                "ends at byte {} of the data, but the file holds {data_bytes}; it is cut off or damaged: download it again.",
                entry.end
            );
            return Err(tensor_error(where_, name, what));
        }
        if entry.start < reached {
            let other = before.map_or("another", String::as_str);
            return Err(tensor_error(
                where_,
                name,
                format!("overlaps with `{other}`; the file is damaged: download it again."),
            ));
        }
        if entry.start > reached {
            let what = format!(
                "has {} unused bytes before it; the file is damaged: download it again.",
                entry.start - reached
            );
            return Err(tensor_error(where_, name, what));
        }
        (reached, before) = (entry.end, Some(name));
    }
    if reached < data_bytes {
        let what =
            format!("has {} bytes after its last tensor; it is damaged: download it again.", data_bytes - reached);
        return Err(IoError::file(where_, what));
    }
    Ok(())
}
