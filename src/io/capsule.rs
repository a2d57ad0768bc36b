//! The capsule: a whole run in one `.thalweg` file, which opens again on another machine without the model.
//!
//! Layout: a zip whose entries are the files of the run's folder (`config.toml`, `report.json`, the tables, the buffer, the
//! adapters and, if wanted, the checkpoint), deflated, in the order of their names and without times, so that the same
//! folder always gives the same bytes; at the end `capsule.json`, a [`CapsuleIndex`] with the size and SHA-256 of every file.
//!
//! A capsule comes from strangers. Everything about it is checked before the first byte is written, every file against its
//! size and checksum while it is written, and the folder takes its name only when all of it is there.

mod names;
mod pack;
#[cfg(test)]
mod tests;
mod unpack;

use crate::io::error::IoError;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use pack::{pack, save};
pub use unpack::{read_index, unpack};

/// Rises when an older program could not read what is written.
pub const FORMAT_VERSION: u32 = 1;
/// The entry that lists the others.
pub const INDEX_NAME: &str = "capsule.json";
/// What [`CapsuleIndex::format`] always says.
const FORMAT_NAME: &str = "thalweg capsule";

/// Most files in a capsule.
const MOST_FILES: usize = 10_000;
/// Most bytes of all files together.
const MOST_BYTES: u64 = 2 << 30;
/// Most bytes of the index.
const MOST_INDEX_BYTES: u64 = 4 << 20;
/// Beyond [`RATIO_FROM_BYTES`], files as a whole may be so many times as large as the capsule. Tables and text are packed
/// about ten times smaller; deflate could reach a thousand, which only something made to fill a disk does.
const MOST_RATIO: u64 = 100;
const RATIO_FROM_BYTES: u64 = 64 << 20;
/// Read, hashed and written at a time; between two such pieces the work can be cancelled.
const CHUNK_BYTES: usize = 64 << 10;

/// What lies in a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapsuleIndex {
    /// Always `thalweg capsule`.
    pub format: String,
    pub format_version: u32,
    /// Of the program that wrote it.
    pub program_version: String,
    /// Of the run.
    pub title: String,
    /// When the run was started, in seconds since 1970-01-01 UTC; 0 where the run does not tell it.
    pub created_unix: u64,
    /// In ascending order of names.
    pub files: Vec<CapsuleFile>,
}

/// One file of a capsule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CapsuleFile {
    /// Relative to the run's folder, with `/` between its parts.
    pub name: String,
    pub bytes: u64,
    /// Lower-case hexadecimal.
    pub sha256: String,
}

/// What was packed or unpacked, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CapsuleSummary {
    pub title: String,
    pub program_version: String,
    pub created_unix: u64,
    pub files: usize,
    /// Of all files, unpacked.
    pub bytes: u64,
}

impl From<&CapsuleIndex> for CapsuleSummary {
    fn from(index: &CapsuleIndex) -> Self {
        Self {
            title: index.title.clone(),
            program_version: index.program_version.clone(),
            created_unix: index.created_unix,
            files: index.files.len(),
            bytes: index.files.iter().map(|file| file.bytes).sum(),
        }
    }
}

/// Why a capsule was not written or not opened, as a sentence.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum CapsuleError {
    #[error(
        "this is not a capsule ({0}): choose a file that was saved as a capsule. (The `checkpoint.thalweg` of a run's folder is none; open its folder instead.)"
    )]
    NotACapsule(String),
    #[error("the capsule is damaged or cut off: {0}. Copy it again from where it came from")]
    Damaged(String),
    /// Nothing that this program writes, and dangerous to unpack.
    #[error("the capsule is refused: {0}. Nothing of it was written; ask whoever gave it to you for another one")]
    Unsafe(String),
    #[error("{0}")]
    TooLarge(String),
    #[error(
        "the capsule has format {found}, and this program reads format {FORMAT_VERSION} at most: update the program, then open it again"
    )]
    Newer { found: u64 },
    /// What should be packed, or the place to unpack to, will not do.
    #[error("{0}")]
    Place(String),
    #[error("cancelled; nothing was left behind")]
    Cancelled,
    #[error(transparent)]
    Io(#[from] IoError),
}

impl CapsuleError {
    fn too_many_bytes(whose: &str, bytes: u64) -> Self {
        Self::TooLarge(format!(
            "{whose} holds {} MiB, and a capsule at most {} MiB. Save it without its checkpoint, or copy the run's folder instead",
            bytes >> 20,
            MOST_BYTES >> 20
        ))
    }
}

/// The checksum as it stands in the index.
fn hexadecimal(hash: &[u8]) -> String {
    let mut text = String::with_capacity(2 * hash.len());
    for byte in hash {
        text.push_str(&format!("{byte:02x}"));
    }
    text
}
