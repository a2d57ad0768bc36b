//! What can go wrong with model folders, adapters and checkpoints on the disk.

use crate::model::ModelError;
use crate::platform::fs;
use std::path::Path;
use thiserror::Error;

/// A sentence that says what is wrong, in which file, and what to do about it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum IoError {
    /// The operating system refused to open, read or write.
    #[error("{where_}: {what}")]
    System { where_: String, what: String },
    /// A file is not what it should be: absent, damaged, cut off, of another version, or contradictory.
    #[error("{where_}: {what}")]
    File { where_: String, what: String },
    /// The work was cancelled before its end; nothing was left behind.
    #[error("{where_}: cancelled, and nothing was written; start it again when you like.")]
    Cancelled { where_: String },
    /// A configuration, tensor or adapter that does not fit.
    #[error(transparent)]
    Model(#[from] ModelError),
}

impl IoError {
    /// A file whose content is refused.
    pub(crate) fn file(where_: impl Into<String>, what: impl Into<String>) -> Self {
        Self::File { where_: where_.into(), what: what.into() }
    }

    /// A failed read; absent files and folders get their own advice.
    pub(crate) fn reading(path: &Path, error: &std::io::Error) -> Self {
        let where_ = path.display().to_string();
        match error.kind() {
            std::io::ErrorKind::NotFound => {
                Self::File { where_, what: "is not there; check the path, or download the file.".to_owned() }
            }
            _ => {
                Self::System { where_, what: format!("cannot be read ({error}); check the path and its permissions.") }
            }
        }
    }

    /// A failed write; whatever was at the path before is still there.
    pub(crate) fn writing(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let advice = match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => "make room on the disk and try again",
            _ => "check the folder and its permissions",
        };
        Self::System {
            where_: path.display().to_string(),
            what: format!("cannot be written ({error}); what was there before is unchanged. To go on, {advice}."),
        }
    }
}

/// Reads a whole file.
///
/// # Errors
/// A sentence when it is absent or unreadable.
pub(crate) fn read_file(path: &Path) -> Result<Vec<u8>, IoError> {
    fs::read(path).map_err(|error| IoError::reading(path, &error))
}
