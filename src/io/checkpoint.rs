//! A run's state in one file that is either whole or recognised as damaged: named sections, a version, a checksum.
//!
//! Layout, all numbers little-endian: magic (8 bytes), version (u32), number of sections (u32), length of the whole file (u64);
//! for each section, in the order of names: length of name (u32), name, length of content (u64), content; at the end the SHA-256
//! of everything before it. The checkpoint saved before stays beside it under `.previous`.

use crate::io::atomic::{AtomicFile, folder_of};
use crate::io::error::{IoError, read_file};
use crate::platform::fs;
use serde::{Serialize, de::DeserializeOwned};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

const MAGIC: [u8; 8] = *b"THALWEG\n";
/// Rises whenever the layout, or the meaning of a section, changes.
const VERSION: u32 = 1;
const PREAMBLE_BYTES: usize = 8 + 4 + 4 + 8;
const CHECKSUM_BYTES: usize = 32;

/// Named sections of bytes: small state as CBOR, tensors as raw numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    pub sections: BTreeMap<String, Vec<u8>>,
}

impl Checkpoint {
    /// Stores `value` as CBOR (RFC 8949), which keeps every number bit for bit.
    ///
    /// # Errors
    /// A sentence when the value has no such form.
    pub fn put_state<T: Serialize + ?Sized>(&mut self, name: &str, value: &T) -> Result<(), IoError> {
        let mut bytes = Vec::new();
        ciborium::into_writer(value, &mut bytes).map_err(|error| {
            IoError::file(
                format!("section `{name}` of the checkpoint"),
                format!("cannot be written as CBOR ({error})."),
            )
        })?;
        self.sections.insert(name.to_owned(), bytes);
        Ok(())
    }

    /// The value stored under `name` with [`Checkpoint::put_state`].
    ///
    /// # Errors
    /// A sentence when the section is missing or is not a `T`.
    pub fn get_state<T: DeserializeOwned>(&self, name: &str) -> Result<T, IoError> {
        ciborium::from_reader(self.section(name)?).map_err(|error| {
            let what =
                format!("does not hold what is expected there ({error}); resume with the version that wrote it.");
            IoError::file(format!("section `{name}` of the checkpoint"), what)
        })
    }

    /// Stores numbers bit for bit, NaN and all.
    pub fn put_f32(&mut self, name: &str, values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.sections.insert(name.to_owned(), bytes);
    }

    /// The numbers stored under `name` with [`Checkpoint::put_f32`].
    ///
    /// # Errors
    /// A sentence when the section is missing or its length is not a multiple of four.
    pub fn get_f32(&self, name: &str) -> Result<Vec<f32>, IoError> {
        let bytes = self.section(name)?;
        let (fours, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            let what =
                format!("has {} bytes, which are no f32 numbers; resume with the version that wrote it.", bytes.len());
            return Err(IoError::file(format!("section `{name}` of the checkpoint"), what));
        }
        Ok(fours.iter().map(|&four| f32::from_le_bytes(four)).collect())
    }

    fn section(&self, name: &str) -> Result<&[u8], IoError> {
        self.sections.get(name).map(Vec::as_slice).ok_or_else(|| {
            IoError::file(
                format!("section `{name}` of the checkpoint"),
                "is missing; resume with the version that wrote it.",
            )
        })
    }

    /// The bytes of the whole file.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(usize::try_from(self.file_bytes()).unwrap_or(0));
        // a vector takes every byte
        self.write_to(&mut bytes).ok();
        bytes
    }

    fn file_bytes(&self) -> u64 {
        let sections: u64 =
            self.sections.iter().map(|(name, content)| (4 + name.len() + 8 + content.len()) as u64).sum();
        (PREAMBLE_BYTES + CHECKSUM_BYTES) as u64 + sections
    }

    fn write_to(&self, out: &mut dyn Write) -> std::io::Result<()> {
        let mut digest = Sha256::new();
        let mut put = |bytes: &[u8]| {
            digest.update(bytes);
            out.write_all(bytes)
        };
        let too_large = |_| std::io::Error::from(std::io::ErrorKind::FileTooLarge);
        put(&MAGIC)?;
        put(&VERSION.to_le_bytes())?;
        put(&u32::try_from(self.sections.len()).map_err(too_large)?.to_le_bytes())?;
        put(&self.file_bytes().to_le_bytes())?;
        for (name, content) in &self.sections {
            put(&u32::try_from(name.len()).map_err(too_large)?.to_le_bytes())?;
            put(name.as_bytes())?;
            put(&(content.len() as u64).to_le_bytes())?;
            put(content)?;
        }
        out.write_all(&digest.finalize())
    }

    /// Reads the bytes of a file; `where_` (its path) opens every error message.
    ///
    /// # Errors
    /// A sentence when it is no checkpoint, one of another version, cut off, or damaged.
    pub fn from_bytes(bytes: &[u8], where_: &str) -> Result<Self, IoError> {
        read(bytes).map_err(|fault| fault.sentence(where_))
    }

    /// Writes the file; a checkpoint that was there before becomes `<path>.previous`.
    ///
    /// # Errors
    /// A sentence when the disk is full or not writable; the old checkpoint is then unchanged.
    pub fn save(&self, path: &Path) -> Result<(), IoError> {
        let mut file = AtomicFile::create(path)?;
        self.write_to(&mut file).map_err(|error| IoError::writing(path, &error))?;
        file.sync()?;
        // a damaged checkpoint must not push out the good one before it
        if looks_whole(path) {
            keep_as_previous(path)?;
        }
        file.commit()
    }

    /// Reads a checkpoint; when it is damaged or gone, the one saved before it, with a warning to show.
    ///
    /// # Errors
    /// A sentence when both are unusable, or it was written by another version.
    pub fn load(path: &Path) -> Result<(Self, Option<String>), IoError> {
        let error = match read_file(path).map(|bytes| read(&bytes)) {
            Ok(Ok(checkpoint)) => return Ok((checkpoint, None)),
            Ok(Err(fault @ Fault::Version(_))) => return Err(fault.sentence(&path.display().to_string())),
            Ok(Err(fault)) => fault.sentence(&path.display().to_string()),
            Err(error) => error,
        };
        let previous = previous_path(path);
        match read_file(&previous).map(|bytes| read(&bytes)) {
            Ok(Ok(checkpoint)) => {
                let warning = format!("{error} Going on from the checkpoint before it, {}.", previous.display());
                Ok((checkpoint, Some(warning)))
            }
            _ => Err(error),
        }
    }
}

/// Where the checkpoint before the last is kept: `run.ckpt.previous` beside `run.ckpt`.
#[must_use]
pub fn previous_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".previous");
    folder_of(path).join(name)
}

/// Gives the file at `path` a second name, so that at no moment there is no checkpoint at all.
fn keep_as_previous(path: &Path) -> Result<(), IoError> {
    let previous = previous_path(path);
    let failed = |error: std::io::Error| IoError::writing(&previous, &error);
    let mut linked = previous.clone().into_os_string();
    linked.push(".new");
    let linked = PathBuf::from(linked);
    fs::remove_file(&linked).ok();
    if fs::hard_link(path, &linked).is_ok() {
        fs::rename(&linked, &previous).map_err(failed)
    } else {
        // a file system without links: for a moment only `.previous` exists, which `load` takes
        fs::rename(path, &previous).map_err(failed)
    }
}

/// Is there a file of the length that its preamble says? Cheap, and catches a file cut off by a power failure.
fn looks_whole(path: &Path) -> bool {
    let Ok(mut file) = fs::File::open(path) else { return false };
    let mut preamble = [0; PREAMBLE_BYTES];
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    file.read_exact(&mut preamble).is_ok()
        && preamble[..8] == MAGIC
        && Reader { rest: &preamble[16..] }.u64().is_ok_and(|stated| stated == length)
}

/// Why bytes are no usable checkpoint.
enum Fault {
    NotACheckpoint,
    Version(u32),
    CutOff { bytes: usize },
    Damaged,
}

impl Fault {
    fn sentence(&self, where_: &str) -> IoError {
        let what = match self {
            Self::NotACheckpoint => {
                "is not a checkpoint of this program; name the checkpoint file of a run.".to_owned()
            }
            Self::Version(version) => format!(
                "is a checkpoint of version {version}, and this program reads version {VERSION}; resume with the program that wrote it."
            ),
            Self::CutOff { bytes } => {
                format!("is cut off after {bytes} bytes and cannot be used; restore it, or start the run anew.")
            }
            Self::Damaged => {
                "is damaged (its checksum is wrong) and cannot be used; restore it, or start the run anew.".to_owned()
            }
        };
        IoError::file(where_, what)
    }
}

fn read(bytes: &[u8]) -> Result<Checkpoint, Fault> {
    let cut_off = Fault::CutOff { bytes: bytes.len() };
    if bytes.len() < MAGIC.len() {
        return Err(if MAGIC.starts_with(bytes) { cut_off } else { Fault::NotACheckpoint });
    }
    let Some(rest) = bytes.strip_prefix(&MAGIC) else { return Err(Fault::NotACheckpoint) };
    let mut reader = Reader { rest };
    let preamble = (|| Ok::<_, Fault>((reader.u32()?, reader.u32()?, reader.u64()?)))();
    let Ok((version, section_count, file_bytes)) = preamble else { return Err(cut_off) };
    if version != VERSION {
        return Err(Fault::Version(version));
    }
    if (bytes.len() as u64) < file_bytes {
        return Err(cut_off);
    }
    let Some((content, checksum)) = bytes.split_last_chunk::<CHECKSUM_BYTES>() else { return Err(cut_off) };
    if Sha256::digest(content).as_slice() != checksum {
        return Err(Fault::Damaged);
    }
    // beyond this point only a faulty writer can be at odds with itself; it is still checked rather than trusted
    reader.rest = content.get(PREAMBLE_BYTES..).ok_or(Fault::Damaged)?;
    let mut sections = BTreeMap::new();
    for _ in 0..section_count {
        let name_bytes = u64::from(reader.u32()?);
        let name = String::from_utf8(reader.take(name_bytes)?.to_vec()).map_err(|_| Fault::Damaged)?;
        let content_bytes = reader.u64()?;
        sections.insert(name, reader.take(content_bytes)?.to_vec());
    }
    if reader.rest.is_empty() { Ok(Checkpoint { sections }) } else { Err(Fault::Damaged) }
}

/// Takes numbers and bytes off the front, never beyond the end.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn take(&mut self, count: u64) -> Result<&'a [u8], Fault> {
        let count = usize::try_from(count).map_err(|_| Fault::Damaged)?;
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(Fault::Damaged)?;
        self.rest = rest;
        Ok(taken)
    }

    fn u32(&mut self) -> Result<u32, Fault> {
        let (number, rest) = self.rest.split_first_chunk().ok_or(Fault::Damaged)?;
        self.rest = rest;
        Ok(u32::from_le_bytes(*number))
    }

    fn u64(&mut self) -> Result<u64, Fault> {
        let (number, rest) = self.rest.split_first_chunk().ok_or(Fault::Damaged)?;
        self.rest = rest;
        Ok(u64::from_le_bytes(*number))
    }
}

#[cfg(test)]
mod tests;
