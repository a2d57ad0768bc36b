//! Open files and what is said of files, as `std::fs` has them.

use super::{Content, Shared, absent, is_there, lock, metadata, now, refused, whole, with};
use std::ffi::OsString;
use std::io::{ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// Bytes read from outside at a time.
const READ_AHEAD: usize = 1 << 20;

/// As [`std::fs::File`].
pub struct File {
    path: PathBuf,
    data: Shared,
    at: u64,
    writes: bool,
    /// Where it begins and what it holds.
    ahead: (u64, Vec<u8>),
}

impl std::fmt::Debug for File {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("File").field("path", &self.path).field("at", &self.at).finish_non_exhaustive()
    }
}

impl File {
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        OpenOptions::new().read(true).open(path)
    }

    pub fn create_new(path: impl AsRef<Path>) -> Result<Self> {
        if is_there(path.as_ref()) {
            return refused(ErrorKind::AlreadyExists, "it is there already");
        }
        OpenOptions::new().write(true).create(true).open(path)
    }

    /// The browser's storage is written later, whole file by whole file.
    pub fn sync_all(&self) -> Result<()> {
        Ok(())
    }

    pub fn metadata(&self) -> Result<Metadata> {
        Ok(Metadata::of_file(&self.data))
    }

    /// One tab, one thread: nobody else has the file.
    pub fn try_lock(&self) -> std::result::Result<(), std::fs::TryLockError> {
        Ok(())
    }

    pub fn set_len(&self, bytes: u64) -> Result<()> {
        self.change(|content| content.resize(usize::try_from(bytes).unwrap_or(usize::MAX), 0))
    }

    /// Changes the bytes; what lies outside is taken into memory for it.
    fn change(&self, work: impl FnOnce(&mut Vec<u8>)) -> Result<()> {
        if !self.writes {
            return refused(ErrorKind::PermissionDenied, "it was opened for reading");
        }
        let mut data = lock(&self.data);
        if let Content::Outside(outside) = &data.content {
            let bytes = outside.read(0, usize::try_from(outside.len()).unwrap_or(usize::MAX))?;
            data.content = Content::Memory(Arc::new(bytes));
        }
        if let Content::Memory(bytes) = &mut data.content {
            work(Arc::make_mut(bytes));
        }
        data.modified = now();
        with(|tree| {
            tree.version += 1;
            data.version = tree.version;
            tree.changed.insert(self.path.clone());
        });
        Ok(())
    }
}

impl Read for File {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let data = lock(&self.data);
        let left = usize::try_from(data.content.len().saturating_sub(self.at)).unwrap_or(usize::MAX);
        let count = buffer.len().min(left);
        if count == 0 {
            return Ok(0);
        }
        let count = match &data.content {
            Content::Memory(bytes) => {
                let start = usize::try_from(self.at).unwrap_or(usize::MAX);
                let piece = bytes.get(start..start.saturating_add(count)).unwrap_or_default();
                buffer[..piece.len()].copy_from_slice(piece);
                piece.len()
            }
            Content::Outside(outside) => {
                let (start, bytes) = &self.ahead;
                if self.at < *start || self.at >= start + bytes.len() as u64 {
                    let bytes = outside.read(self.at, count.max(READ_AHEAD.min(left)))?;
                    self.ahead = (self.at, bytes);
                }
                let (start, bytes) = &self.ahead;
                let skipped = usize::try_from(self.at - start).unwrap_or(usize::MAX);
                let piece = bytes.get(skipped..).unwrap_or_default();
                let piece = &piece[..piece.len().min(count)];
                buffer[..piece.len()].copy_from_slice(piece);
                piece.len()
            }
        };
        self.at += count as u64;
        Ok(count)
    }
}

impl Write for File {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let at = usize::try_from(self.at).unwrap_or(usize::MAX);
        self.change(|content| {
            let end = at.saturating_add(bytes.len());
            if content.len() < end {
                content.resize(end, 0);
            }
            content[at..end].copy_from_slice(bytes);
        })?;
        self.at += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Seek for File {
    fn seek(&mut self, to: SeekFrom) -> Result<u64> {
        let at = match to {
            SeekFrom::Start(at) => Some(at),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => lock(&self.data).content.len().checked_add_signed(by),
        };
        match at {
            Some(at) => {
                self.at = at;
                Ok(at)
            }
            None => refused(ErrorKind::InvalidInput, "that is before the beginning"),
        }
    }
}

/// As [`std::fs::OpenOptions`].
#[derive(Clone, Debug, Default)]
pub struct OpenOptions {
    write: bool,
    create: bool,
    truncate: bool,
}

impl OpenOptions {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn read(&mut self, _: bool) -> &mut Self {
        self
    }

    pub fn write(&mut self, on: bool) -> &mut Self {
        self.write = on;
        self
    }

    pub fn create(&mut self, on: bool) -> &mut Self {
        self.create = on;
        self
    }

    pub fn truncate(&mut self, on: bool) -> &mut Self {
        self.truncate = on;
        self
    }

    pub fn open(&self, path: impl AsRef<Path>) -> Result<File> {
        let path = whole(path.as_ref());
        with(|tree| {
            let data = match tree.files.get(&path) {
                Some(data) if !self.truncate => data.clone(),
                None if tree.is_folder(&path) => return refused(ErrorKind::IsADirectory, "that is a folder"),
                None if !self.create => return absent(),
                _ => {
                    tree.has_place_for(&path)?;
                    tree.put(path.clone(), Content::Memory(Arc::default()))
                }
            };
            Ok(File { path, data, at: 0, writes: self.write, ahead: (0, Vec::new()) })
        })
    }
}

/// As [`std::fs::Metadata`]; its own kind of file, too.
#[derive(Clone, Copy, Debug)]
pub struct Metadata {
    folder: bool,
    bytes: u64,
    modified: SystemTime,
}

impl Metadata {
    pub(super) fn of_folder() -> Self {
        Self { folder: true, bytes: 0, modified: SystemTime::UNIX_EPOCH }
    }

    pub(super) fn of_file(data: &Shared) -> Self {
        let data = lock(data);
        Self { folder: false, bytes: data.content.len(), modified: data.modified }
    }

    pub fn is_dir(&self) -> bool {
        self.folder
    }

    pub fn is_file(&self) -> bool {
        !self.folder
    }

    pub fn len(&self) -> u64 {
        self.bytes
    }

    pub fn modified(&self) -> Result<SystemTime> {
        Ok(self.modified)
    }
}

/// As [`std::fs::DirEntry`].
#[derive(Debug)]
pub struct DirEntry(PathBuf);

impl DirEntry {
    pub(super) fn at(path: PathBuf) -> Self {
        Self(path)
    }

    pub fn path(&self) -> PathBuf {
        self.0.clone()
    }

    pub fn file_name(&self) -> OsString {
        self.0.file_name().unwrap_or_default().to_owned()
    }

    pub fn metadata(&self) -> Result<Metadata> {
        metadata(&self.0)
    }

    pub fn file_type(&self) -> Result<Metadata> {
        self.metadata()
    }
}
