//! A file on its way: `<name>.part`, beside it `<name>.part.json` with what its bytes belong to, and the sum over them.

use super::HubError;
use super::body::{self, Body};
use super::listing::Wanted;
use super::meter::Meter;
use super::transport::Header;
use crate::io::atomic::{folder_of, sync_folder, write_file};
use crate::platform::{self, fs};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// Which content the bytes of a part belong to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// A strong `ETag` of the server that handed out the bytes.
    pub etag: Option<String>,
    pub sha256: Option<String>,
    /// Of the whole file.
    pub bytes: Option<u64>,
}

/// What an answer means for the bytes that are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// The answer goes on where the part ends.
    Continues,
    /// The answer is the whole file: begin anew with it.
    Whole,
    /// The answer belongs to other bytes: begin anew, and ask again for the whole.
    Another,
}

/// A file on its way. It stays on the disk when dropped after [`Part::flush`], and the next [`Part::open`] goes on with it.
pub(super) struct Part {
    target: PathBuf,
    path: PathBuf,
    memory_path: PathBuf,
    body: Box<dyn Body>,
    /// Bytes that are there, and those that are gathered.
    len: u64,
    hasher: Sha256,
    memory: Memory,
    /// What the whole file's sum must be, as told in this attempt.
    sha256: Option<String>,
}

impl Part {
    /// Opens or starts the part of a file. What is there already is read once for its sum, which `meter` shows.
    pub async fn open(
        folder: &Path,
        wanted: &Wanted,
        piece_bytes: Option<usize>,
        meter: &mut Meter<'_>,
    ) -> Result<Self, HubError> {
        let with = |ending: &str| folder.join(format!("{}{ending}", wanted.name));
        let (path, memory_path) = (with(".part"), with(".part.json"));
        let failed = |error: std::io::Error| match error.kind() {
            ErrorKind::ResourceBusy => HubError::Busy { path: path.display().to_string() },
            _ => HubError::disk(&path, &error),
        };
        let body = body::open(&path, piece_bytes).map_err(failed)?;
        let len = body.len().map_err(failed)?;
        let memory: Option<Memory> = fs::read(&memory_path).ok().and_then(|json| serde_json::from_slice(&json).ok());
        let mut part = Self {
            target: folder.join(&wanted.name),
            body,
            path,
            memory_path,
            len,
            hasher: Sha256::new(),
            memory: memory.unwrap_or_default(),
            sha256: wanted.sha256.clone(),
        };
        if part.len > 0 {
            let other = part.sha256.is_some() && part.memory.sha256 != part.sha256;
            let unknown = part.memory.etag.is_none() && part.memory.sha256.is_none();
            let limit = wanted.bytes.or(part.memory.bytes);
            if other || unknown || limit.is_some_and(|limit| part.len > limit) {
                part.restart()?;
            } else {
                part.sum_up(meter).await?;
            }
        }
        Ok(part)
    }

    fn failed(&self, error: &std::io::Error) -> HubError {
        HubError::disk(&self.path, error)
    }

    /// Takes what is there into the sum, and stands at its end.
    async fn sum_up(&mut self, meter: &mut Meter<'_>) -> Result<(), HubError> {
        let mut summed = 0;
        loop {
            let bytes = self.body.read().map_err(|error| self.failed(&error))?;
            if bytes.is_empty() {
                break;
            }
            self.hasher.update(&bytes);
            summed += bytes.len() as u64;
            meter.count(summed, self.memory.bytes, 0)?;
            platform::yield_now().await;
        }
        self.len = summed;
        Ok(())
    }

    /// Bytes that are there.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Size of the whole file, where known.
    pub fn total(&self) -> Option<u64> {
        self.memory.bytes
    }

    /// Forgets all bytes.
    pub fn restart(&mut self) -> Result<(), HubError> {
        if self.len > 0 {
            self.body.clear().map_err(|error| self.failed(&error))?;
        }
        self.len = 0;
        self.hasher = Sha256::new();
        self.memory = Memory::default();
        Ok(())
    }

    /// How an answer of status 200 or 206 fits to what is there.
    pub fn fit(&self, header: &Header) -> Fit {
        let Some((start, total)) = header.range else { return Fit::Whole };
        if start == 0 && self.len == 0 {
            return Fit::Whole;
        }
        let sha256 = header.linked_sha256.as_ref().or(self.sha256.as_ref());
        let same = match (sha256, &self.memory.sha256) {
            (Some(now), Some(then)) => now == then,
            _ => header.etag.is_some() && header.etag == self.memory.etag,
        };
        let fits = total.is_none() || self.memory.bytes.is_none() || total == self.memory.bytes;
        if same && fits && start == self.len { Fit::Continues } else { Fit::Another }
    }

    /// Begins with a whole file that has just been answered, and remembers what it is.
    pub fn begin(&mut self, header: &Header, wanted: &Wanted) -> Result<(), HubError> {
        self.restart()?;
        if self.sha256.is_none() {
            self.sha256.clone_from(&header.linked_sha256);
        }
        self.memory = Memory {
            etag: header.etag.clone(),
            sha256: self.sha256.clone(),
            bytes: wanted.bytes.or(header.whole_bytes),
        };
        let json = serde_json::to_vec(&self.memory).unwrap_or_default();
        Ok(write_file(&self.memory_path, &json)?)
    }

    /// Appends bytes. More than the file has are refused, and the part is deleted.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), HubError> {
        let len = self.len + bytes.len() as u64;
        if let Some(expected) = self.memory.bytes.filter(|expected| len > *expected) {
            let error = HubError::Size { file: self.name(), expected, found: len };
            self.delete();
            return Err(error);
        }
        self.body.append(bytes).map_err(|error| self.failed(&error))?;
        self.hasher.update(bytes);
        self.len = len;
        Ok(())
    }

    /// Puts what was gathered to the rest.
    pub fn flush(&mut self) -> Result<(), HubError> {
        self.body.flush().map_err(|error| HubError::disk(&self.path, &error))
    }

    /// Checks size and sum, and gives the file its name.
    pub fn finish(mut self) -> Result<Memory, HubError> {
        self.flush()?;
        if let Some(expected) = self.memory.bytes.filter(|expected| *expected != self.len) {
            let error = HubError::Size { file: self.name(), expected, found: self.len };
            self.delete();
            return Err(error);
        }
        let found = format!("{:x}", std::mem::take(&mut self.hasher).finalize());
        let expected = self.sha256.clone().or_else(|| self.memory.sha256.clone());
        if let Some(expected) = expected.filter(|expected| *expected != found) {
            let error = HubError::Checksum { file: self.name(), expected, found };
            self.delete();
            return Err(error);
        }
        let Self { target, memory_path, body, len, memory, .. } = self;
        body.finish(&target, &memory_path).map_err(|error| HubError::disk(&target, &error))?;
        sync_folder(&folder_of(&target));
        Ok(Memory { bytes: Some(len), ..memory })
    }

    /// Removes the part and what was remembered of it.
    pub fn delete(&mut self) {
        self.body.remove();
        self.len = 0;
        self.hasher = Sha256::new();
        self.memory = Memory::default();
        fs::remove_file(&self.memory_path).ok();
    }

    /// Removes a part in which nothing is.
    pub fn discard_if_empty(&mut self) {
        if self.len == 0 {
            self.delete();
        }
    }

    fn name(&self) -> String {
        self.target.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }
}
