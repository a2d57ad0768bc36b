//! The three number types that are converted to and from `f32`.

use crate::model::ModelError;
use half::{bf16, f16, slice::HalfFloatSliceExt};

/// A stored number type, by its name in safetensors files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dtype {
    F32,
    F16,
    BF16,
}

impl Dtype {
    /// The type's name in a header, such as `BF16`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "F32",
            Self::F16 => "F16",
            Self::BF16 => "BF16",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::F32, Self::F16, Self::BF16].into_iter().find(|dtype| dtype.name() == name)
    }

    /// Bytes of one number.
    #[must_use]
    pub fn bytes(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::F16 | Self::BF16 => 2,
        }
    }

    /// Appends the numbers of little-endian `bytes` (a multiple of [`Dtype::bytes`]) to `values`.
    pub(super) fn decode(self, bytes: &[u8], values: &mut Vec<f32>) {
        let pairs = || bytes.as_chunks::<2>().0.iter();
        match self {
            Self::F32 => values.extend(bytes.as_chunks::<4>().0.iter().map(|&four| f32::from_le_bytes(four))),
            Self::BF16 => values.extend(pairs().map(|&two| bf16::from_le_bytes(two).to_f32())),
            Self::F16 => {
                // by slices, for which `half` uses the processor's own conversion
                let halves: Vec<f16> = pairs().map(|&two| f16::from_le_bytes(two)).collect();
                let before = values.len();
                values.resize(before + halves.len(), 0.0);
                halves.convert_to_f32_slice(&mut values[before..]);
            }
        }
    }

    /// Appends `values`, rounded to nearest, to `bytes`. Numbers too large for the type become infinite.
    fn encode(self, values: &[f32], bytes: &mut Vec<u8>) {
        match self {
            Self::F32 => bytes.extend(values.iter().flat_map(|value| value.to_le_bytes())),
            Self::F16 => bytes.extend(values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes())),
            Self::BF16 => bytes.extend(values.iter().flat_map(|&value| bf16::from_f32(value).to_le_bytes())),
        }
    }

    /// Does `value` stay finite in this type?
    fn holds(self, value: f32) -> bool {
        match self {
            Self::F32 => value.is_finite(),
            Self::F16 => f16::from_f32(value).is_finite(),
            Self::BF16 => bf16::from_f32(value).is_finite(),
        }
    }
}

/// Numbers converted at a time, so that a large tensor's bytes are never held beside its values.
const CHUNK: usize = 1 << 16;

/// Gives the stored form of `values` to `put`, piece by piece.
///
/// # Errors
/// A sentence that names the first number which the type cannot hold; whatever `put` reports.
pub(crate) fn encode_checked<E: From<ModelError>>(
    dtype: Dtype,
    values: &[f32],
    (where_, tensor, shape): (&str, &str, &[usize]),
    mut put: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let mut bytes = Vec::with_capacity(values.len().min(CHUNK) * dtype.bytes());
    for (chunk_index, chunk) in values.chunks(CHUNK).enumerate() {
        if let Some(offset) = chunk.iter().position(|&value| !dtype.holds(value)) {
            let advice =
                if chunk[offset].is_finite() { "write it as BF16 or F32 instead" } else { "the training diverged" };
            let what = format!(
                "holds {} at {}, which cannot be written as {}; {advice}.",
                chunk[offset],
                position_words(chunk_index * CHUNK + offset, shape),
                dtype.name()
            );
            return Err(E::from(ModelError::Tensor { where_: where_.to_owned(), tensor: tensor.to_owned(), what }));
        }
        bytes.clear();
        dtype.encode(chunk, &mut bytes);
        put(&bytes)?;
    }
    Ok(())
}

/// `index 7 ([1, 2] of [3, 5])`: a flat index, and the same by rows and columns.
pub(crate) fn position_words(flat: usize, shape: &[usize]) -> String {
    let mut rest = flat;
    let mut place = vec![0; shape.len()];
    for (slot, &size) in place.iter_mut().zip(shape).rev() {
        *slot = rest % size.max(1);
        rest /= size.max(1);
    }
    format!("index {flat} ({place:?} of {shape:?})")
}
