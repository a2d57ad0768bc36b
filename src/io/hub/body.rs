//! The bytes of a file on its way: one file that grows, or pieces that are joined at the end, for a browser's storage, which
//! takes whole files only.

use crate::platform::fs::{self, File, OpenOptions, TryLockError};
use std::collections::BTreeSet;
use std::io::{BufWriter, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Bytes gathered before they are written, and read at a time.
const BUFFER: usize = 256 * 1024;

/// Bytes that outlive the program, but for those that came since [`Body::flush`] or, in pieces, since the last piece.
pub(super) trait Body {
    /// Bytes that are there when it is opened.
    fn len(&self) -> Result<u64>;
    /// Reads on from the beginning; nothing at the end. To be read to its end before anything is appended.
    fn read(&mut self) -> Result<Vec<u8>>;
    fn append(&mut self, bytes: &[u8]) -> Result<()>;
    /// Puts what was gathered where it outlives the program.
    fn flush(&mut self) -> Result<()>;
    /// Forgets all bytes.
    fn clear(&mut self) -> Result<()>;
    /// Forgets all bytes and leaves nothing behind.
    fn remove(&mut self);
    /// Gives all bytes the name `target`; `memory`, which says what they are, goes.
    fn finish(self: Box<Self>, target: &Path, memory: &Path) -> Result<()>;
}

/// Opens or starts the body at `path`, in pieces of so many bytes where they are told.
///
/// # Errors
/// [`ErrorKind::ResourceBusy`] where somebody else has it open.
pub(super) fn open(path: &Path, piece_bytes: Option<usize>) -> Result<Box<dyn Body>> {
    Ok(match piece_bytes {
        None => Box::new(Growing::open(path)?),
        Some(piece_bytes) => Box::new(Pieces::open(path, piece_bytes)?),
    })
}

struct Growing {
    path: PathBuf,
    writer: BufWriter<File>,
}

impl Growing {
    fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => return Err(ErrorKind::ResourceBusy.into()),
            // a file system without locks
            Ok(()) | Err(TryLockError::Error(_)) => {}
        }
        Ok(Self { path: path.to_owned(), writer: BufWriter::with_capacity(BUFFER, file) })
    }
}

impl Body for Growing {
    fn len(&self) -> Result<u64> {
        Ok(self.writer.get_ref().metadata()?.len())
    }

    fn read(&mut self) -> Result<Vec<u8>> {
        let mut bytes = vec![0; BUFFER];
        let read = self.writer.get_mut().read(&mut bytes)?;
        bytes.truncate(read);
        Ok(bytes)
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.writer.write_all(bytes)
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush()
    }

    fn clear(&mut self) -> Result<()> {
        self.writer.flush()?;
        let file = self.writer.get_mut();
        file.set_len(0)?;
        file.seek(SeekFrom::Start(0)).map(drop)
    }

    fn remove(&mut self) {
        // its content is wrong, so a failure here only leaves bytes that the next attempt begins anew
        self.clear().ok();
        fs::remove_file(&self.path).ok();
    }

    fn finish(self: Box<Self>, target: &Path, memory: &Path) -> Result<()> {
        let Self { path, mut writer } = *self;
        writer.flush()?;
        writer.get_ref().sync_all()?;
        // closed before the renaming, which Windows wants; the buffer is empty since `flush`
        drop(writer);
        fs::rename(&path, target)?;
        fs::remove_file(memory).ok();
        Ok(())
    }
}

/// Files `<path>-<first byte>`: a piece that is missing or cut off is seen by the next one's name.
struct Pieces {
    path: PathBuf,
    piece_bytes: usize,
    /// First byte of each.
    there: Vec<u64>,
    /// Bytes in them.
    len: u64,
    /// Pieces already read.
    read: usize,
    gathered: Vec<u8>,
}

/// What is open: files would be locked instead.
fn all_open() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    static OPEN: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());
    OPEN.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Pieces {
    fn open(path: &Path, piece_bytes: usize) -> Result<Self> {
        if !all_open().insert(path.to_owned()) {
            return Err(ErrorKind::ResourceBusy.into());
        }
        let path = path.to_owned();
        let mut pieces = Self { path, piece_bytes, there: Vec::new(), len: 0, read: 0, gathered: Vec::new() };
        while let Ok(about) = fs::metadata(pieces.at(pieces.len))
            && about.len() > 0
        {
            pieces.there.push(pieces.len);
            pieces.len += about.len();
        }
        pieces.tidy();
        Ok(pieces)
    }

    /// Begins the names of all pieces.
    fn stem(&self) -> String {
        format!("{}-", self.path.file_name().unwrap_or_default().to_string_lossy())
    }

    fn at(&self, first_byte: u64) -> PathBuf {
        self.path.with_file_name(format!("{}{first_byte}", self.stem()))
    }

    /// Removes all pieces but those that are counted: others lie behind a gap.
    fn tidy(&self) {
        let (stem, there) = (self.stem(), self.paths());
        let inside = self.path.parent().and_then(|folder| fs::read_dir(folder).ok());
        for entry in inside.into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().starts_with(&stem) && !there.contains(&entry.path()) {
                fs::remove_file(entry.path()).ok();
            }
        }
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.there.iter().map(|first_byte| self.at(*first_byte)).collect()
    }
}

impl Drop for Pieces {
    fn drop(&mut self) {
        all_open().remove(&self.path);
    }
}

impl Body for Pieces {
    fn len(&self) -> Result<u64> {
        Ok(self.len)
    }

    fn read(&mut self) -> Result<Vec<u8>> {
        let Some(first_byte) = self.there.get(self.read).copied() else { return Ok(Vec::new()) };
        if let Ok(bytes) = fs::read(self.at(first_byte)) {
            self.read += 1;
            return Ok(bytes);
        }
        // Somebody emptied the browser's storage: it is gone on with from what can still be read.
        self.there.truncate(self.read);
        self.len = first_byte;
        self.tidy();
        Ok(Vec::new())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<()> {
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() < self.piece_bytes { Ok(()) } else { self.flush() }
    }

    fn flush(&mut self) -> Result<()> {
        if self.gathered.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.gathered);
        let len = bytes.len() as u64;
        fs::write_away(&self.at(self.len), bytes)?;
        self.there.push(self.len);
        self.len += len;
        Ok(())
    }

    fn clear(&mut self) -> Result<()> {
        self.there.clear();
        self.gathered.clear();
        (self.len, self.read) = (0, 0);
        self.tidy();
        Ok(())
    }

    fn remove(&mut self) {
        self.clear().ok();
    }

    fn finish(mut self: Box<Self>, target: &Path, memory: &Path) -> Result<()> {
        self.flush()?;
        fs::join(&self.paths(), &[memory.to_owned()], target)
    }
}
