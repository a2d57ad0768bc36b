//! What was fetched into a folder, so that the next attempt does not fetch it again: `.download.json` beside the files.

use super::listing::Wanted;
use super::part::Memory;
use crate::io::atomic::write_file;
use crate::io::error::IoError;
use crate::platform::fs;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const NAME: &str = ".download.json";

/// The complete files of a folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Endpoint and model.
    source: String,
    files: BTreeMap<String, Entry>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Entry {
    #[serde(flatten)]
    content: Memory,
    /// The commit that it was taken from, where the hub told it.
    commit: Option<String>,
}

impl Record {
    /// Reads the record; an empty one where there is none, or one of another model.
    pub fn read(folder: &Path, source: &str) -> Self {
        let known: Option<Self> = fs::read(folder.join(NAME)).ok().and_then(|json| serde_json::from_slice(&json).ok());
        known
            .filter(|known| known.source == source)
            .unwrap_or_else(|| Self { source: source.to_owned(), ..Self::default() })
    }

    /// Notes a complete file.
    pub fn add(&mut self, folder: &Path, name: &str, content: Memory, commit: Option<&str>) -> Result<(), IoError> {
        self.files.insert(name.to_owned(), Entry { content, commit: commit.map(str::to_owned) });
        self.write(folder)
    }

    fn write(&self, folder: &Path) -> Result<(), IoError> {
        write_file(&folder.join(NAME), &serde_json::to_vec_pretty(self).unwrap_or_default())
    }

    /// Size of a file that is complete on the disk as far as its name and size tell.
    fn complete(&self, folder: &Path, name: &str) -> Option<(&Entry, u64)> {
        let entry = self.files.get(name)?;
        let bytes = fs::metadata(folder.join(name)).ok().filter(fs::Metadata::is_file)?.len();
        (entry.content.bytes == Some(bytes)).then_some((entry, bytes))
    }

    /// Size of a file that need not be asked for: it has the sum, or comes from the commit, that is wanted.
    pub fn has(&self, folder: &Path, wanted: &Wanted, commit: Option<&str>) -> Option<u64> {
        let (entry, bytes) = self.complete(folder, &wanted.name)?;
        let same_sum = wanted.sha256.is_some() && wanted.sha256 == entry.content.sha256;
        let same_commit = commit.is_some() && commit == entry.commit.as_deref();
        (same_sum || same_commit).then_some(bytes)
    }

    /// Size of a file whose server shows the same tag as when it was fetched.
    pub fn has_tag(&self, folder: &Path, name: &str, etag: Option<&str>) -> Option<u64> {
        let (entry, bytes) = self.complete(folder, name)?;
        (etag.is_some() && etag == entry.content.etag.as_deref()).then_some(bytes)
    }

    /// Removes files of an earlier revision that the present one does not have: they would be taken for part of it.
    pub fn keep_only(&mut self, folder: &Path, names: &BTreeSet<String>) -> Result<(), IoError> {
        let before = self.files.len();
        self.files.retain(|name, _| {
            let keep = names.contains(name);
            if !keep {
                fs::remove_file(folder.join(name)).ok();
            }
            keep
        });
        if self.files.len() == before { Ok(()) } else { self.write(folder) }
    }
}
