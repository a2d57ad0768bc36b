//! What can go wrong while a model is fetched: one sentence each, with what to do about it.

use crate::io::error::IoError;
use crate::platform;
use std::path::Path;
use thiserror::Error;

/// Why a model was not fetched. Unless a sentence says otherwise, what was fetched stays, and the next attempt goes on from it.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum HubError {
    #[error(
        "`{address}` {what}. Write owner/name, such as HuggingFaceTB/SmolLM2-135M, or the https address of its page."
    )]
    Address { address: String, what: String },
    #[error(
        "There is no model `{name}` at {endpoint}, or it is private. Check the spelling; for a private model {}.",
        if platform::IN_A_BROWSER {
            "download its files from its page and choose their folder"
        } else {
            "set HF_TOKEN to a token that may read it, and start Thalweg again"
        }
    )]
    NoSuchModel { name: String, endpoint: String },
    #[error(
        "`{name}` has no revision `{revision}`. Take a branch, a tag or a commit of the model, or leave it away for `main`."
    )]
    NoSuchRevision { name: String, revision: String },
    #[error("`{name}` may not be fetched: {what}")]
    NotAllowed { name: String, what: String },
    #[error("`{name}` has no {file}. {remedy}")]
    MissingFile { name: String, file: String, remedy: String },
    #[error(
        "{where_} answered with a web page instead of {file}. A login page of the network may be in between: open the address \
         in a browser, then try again."
    )]
    WebPage { file: String, where_: String },
    #[error(
        "model.safetensors.index.json names a file `{file}`, which is no plain file name; nothing was written for it. \
             Do not trust this model, and take another."
    )]
    UnsafeName { file: String },
    #[error("model.safetensors.index.json cannot be used: {what}. Take another revision, or tell the model's author.")]
    Index { what: String },
    #[error(
        "{file} arrived damaged: its SHA-256 is {found}, and should be {expected}. It was deleted; try again, and on another \
         network if it happens twice."
    )]
    Checksum { file: String, expected: String, found: String },
    #[error("{file} has {found} bytes, and should have {expected}. It was deleted; try again.")]
    Size { file: String, expected: u64, found: u64 },
    #[error(
        "The disk is full: {path} has no room for the rest. Make room and try again; it goes on from what is there."
    )]
    DiskFull { path: String },
    #[error("{path}: cannot be written or read ({what}). Check the folder and its permissions, and try again.")]
    Disk { path: String, what: String },
    #[error(transparent)]
    File(#[from] IoError),
    #[error(
        "The connection broke at {file} and {attempts} attempts did not mend it ({what}). Check the network and try again; it \
         goes on from what is there."
    )]
    Broken { file: String, attempts: u32, what: String },
    #[error("{where_} asks to wait: too many requests. Try again in a few minutes; it goes on from what is there.")]
    TooManyRequests { where_: String },
    #[error("{where_} answered {file} with status {status}. Try again later; it goes on from what is there.")]
    Status { file: String, where_: String, status: u16 },
    #[error("{path} is being fetched already, here or by another Thalweg. Wait for it, or cancel it first.")]
    Busy { path: String },
    #[error("Cancelled. What was fetched stays, and the next attempt goes on from there.")]
    Cancelled,
}

impl HubError {
    /// What the operating system said about a file.
    pub(super) fn disk(path: &Path, error: &std::io::Error) -> Self {
        use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
        let path = path.display().to_string();
        match error.kind() {
            StorageFull | QuotaExceeded | FileTooLarge => Self::DiskFull { path },
            _ => Self::Disk { path, what: error.to_string() },
        }
    }
}
