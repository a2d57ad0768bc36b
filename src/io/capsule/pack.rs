//! From a run's folder to a capsule.

use super::{
    CHUNK_BYTES, CapsuleError, CapsuleFile, CapsuleIndex, CapsuleSummary, FORMAT_NAME, FORMAT_VERSION, INDEX_NAME,
    MOST_BYTES, MOST_FILES, hexadecimal, names,
};
use crate::io::atomic::AtomicFile;
use crate::io::error::{IoError, read_file};
use crate::platform::fs::{self, File};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::cell::Cell;
use std::io::{ErrorKind, Read as _, Seek, Write};
use std::path::Path;
use zip::write::{SimpleFileOptions, ZipWriter};
use zip::{CompressionMethod, DateTime};

/// Without it a folder is no run's.
const CONFIG_FILE: &str = "config.toml";
const REPORT_FILE: &str = "report.json";
/// What else a run leaves at the top of its folder; each may be missing.
const OTHER_FILES: [&str; 5] = ["buffer.jsonl", "matrix.csv", "metrics.csv", "report.html", "title.txt"];
/// Everything below it is taken.
const ADAPTERS_FOLDER: &str = "adapters";
const CHECKPOINT_FILE: &str = "checkpoint.thalweg";

/// Packs a run's folder. `progress` hears how many bytes of how many were read, and ends the work by `false`.
///
/// # Errors
/// A folder without a run, with links or with names that other systems do not allow; more than a capsule may hold; a file
/// that cannot be read or written. What was written until then is no capsule: [`save`] leaves nothing of it.
pub fn pack(
    folder: &Path,
    with_checkpoint: bool,
    into: &mut impl Write,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<CapsuleSummary, CapsuleError> {
    let found = list(folder, with_checkpoint)?;
    let shut = Cell::new(false);
    let mut zip = ZipWriter::new_stream(Gate { into, shut: &shut });
    let result = write_all(&mut zip, folder, &found, progress);
    shut.set(result.is_err());
    let index = result?;
    zip.finish().map_err(zip_not_written)?.into_inner().flush().map_err(not_written)?;
    Ok(CapsuleSummary::from(&index))
}

/// Writes all files, then the index.
fn write_all<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    folder: &Path,
    found: &[(String, u64)],
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<CapsuleIndex, CapsuleError> {
    let total: u64 = found.iter().map(|(_, bytes)| bytes).sum();
    let mut files = Vec::with_capacity(found.len());
    let mut done = 0;
    for (name, _) in found {
        files.push(add(zip, folder, name, &mut |bytes| {
            done += bytes;
            if done > MOST_BYTES {
                return Err(CapsuleError::too_many_bytes("the run", done));
            }
            // a file may have grown since it was listed
            progress(done, total.max(done)).then_some(()).ok_or(CapsuleError::Cancelled)
        })?);
    }
    let (title, created_unix) = title_and_start(folder);
    let index = CapsuleIndex {
        format: FORMAT_NAME.to_owned(),
        format_version: FORMAT_VERSION,
        program_version: env!("CARGO_PKG_VERSION").to_owned(),
        title,
        created_unix,
        files,
    };
    let json = serde_json::to_vec_pretty(&index).map_err(|error| not_written(std::io::Error::other(error)))?;
    zip.start_file(INDEX_NAME, options()).map_err(zip_not_written)?;
    zip.write_all(&json).map_err(not_written)?;
    Ok(index)
}

/// What a zip is written through. A zip that is dropped before its end writes its list all the same, and complains where it
/// cannot: once shut, nothing comes through.
struct Gate<'a, W> {
    into: &'a mut W,
    shut: &'a Cell<bool>,
}

impl<W: Write> Write for Gate<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.shut.get() {
            return Ok(bytes.len());
        }
        let result = self.into.write(bytes);
        if result.as_ref().is_err_and(|error| error.kind() != ErrorKind::Interrupted) {
            self.shut.set(true);
        }
        result
    }

    fn flush(&mut self) -> std::io::Result<()> {
        if self.shut.get() { Ok(()) } else { self.into.flush() }
    }
}

/// Packs a run's folder into a file, which appears whole or not at all.
///
/// # Errors
/// As [`pack`].
pub fn save(
    folder: &Path,
    with_checkpoint: bool,
    path: &Path,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<CapsuleSummary, CapsuleError> {
    let mut file = AtomicFile::create(path)?;
    let summary = pack(folder, with_checkpoint, &mut file, progress)?;
    file.commit()?;
    Ok(summary)
}

/// The names and sizes of what is packed, in ascending order.
fn list(folder: &Path, with_checkpoint: bool) -> Result<Vec<(String, u64)>, CapsuleError> {
    let mut found = Vec::new();
    let checkpoint = with_checkpoint.then_some(CHECKPOINT_FILE);
    for name in [CONFIG_FILE, REPORT_FILE].into_iter().chain(OTHER_FILES).chain(checkpoint) {
        take(folder, name.to_owned(), &mut found)?;
    }
    if found.first().is_none_or(|(name, _)| name != CONFIG_FILE) {
        let what = format!("{} holds no run: it has no {CONFIG_FILE}. Choose the folder of a run", folder.display());
        return Err(CapsuleError::Place(what));
    }
    take_folder(folder, ADAPTERS_FOLDER.to_owned(), &mut found)?;
    found.sort_unstable();
    let total = found.iter().map(|(_, bytes)| bytes).sum();
    if total > MOST_BYTES {
        return Err(CapsuleError::too_many_bytes("the run", total));
    }
    if found.len() > MOST_FILES {
        let what = format!("the run has {} files, and a capsule holds at most {MOST_FILES}", found.len());
        return Err(CapsuleError::TooLarge(format!("{what}. Copy the run's folder instead")));
    }
    match names::clash(found.iter().map(|(name, _)| name.as_str())) {
        Some(name) => Err(CapsuleError::Place(format!(
            "{name} differs from another file only by upper and lower case, which not every system tells apart: rename one"
        ))),
        None => Ok(found),
    }
}

/// Lists a file, if it is there.
fn take(folder: &Path, name: String, found: &mut Vec<(String, u64)>) -> Result<(), CapsuleError> {
    let path = folder.join(&name);
    let metadata = match fs::symlink_metadata(&path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(IoError::reading(&path, &error).into()),
    };
    if !metadata.is_file() {
        let what = format!("{} is a link or no file: put the file itself there", path.display());
        return Err(CapsuleError::Place(what));
    }
    if let Some(fault) = names::fault(&name) {
        return Err(CapsuleError::Place(format!("{} cannot be packed, its name {fault}: rename it", path.display())));
    }
    found.push((name, metadata.len()));
    Ok(())
}

/// Lists what lies below a folder, if it is there. Files that are being written begin with a dot and are left out.
fn take_folder(folder: &Path, name: String, found: &mut Vec<(String, u64)>) -> Result<(), CapsuleError> {
    let path = folder.join(&name);
    let failed = |error: std::io::Error| CapsuleError::from(IoError::reading(&path, &error));
    let entries = match fs::read_dir(&path) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed)?;
        let Ok(part) = entry.file_name().into_string() else {
            let what = format!("{} cannot be packed, its name is not Unicode: rename it", entry.path().display());
            return Err(CapsuleError::Place(what));
        };
        if part.starts_with('.') {
            continue;
        }
        let name = format!("{name}/{part}");
        if entry.file_type().map_err(failed)?.is_dir() {
            // refused here already, so that a loop of mounts ends
            if let Some(fault) = names::fault(&name) {
                let what = format!("{} cannot be packed, its name {fault}: rename it", entry.path().display());
                return Err(CapsuleError::Place(what));
            }
            take_folder(folder, name, found)?;
        } else {
            take(folder, name, found)?;
        }
    }
    Ok(())
}

/// Writes one file and says what went in; `went` hears the size of each piece.
fn add<W: Write + Seek>(
    zip: &mut ZipWriter<W>,
    folder: &Path,
    name: &str,
    went: &mut dyn FnMut(u64) -> Result<(), CapsuleError>,
) -> Result<CapsuleFile, CapsuleError> {
    let path = folder.join(name);
    let failed = |error: std::io::Error| CapsuleError::from(IoError::reading(&path, &error));
    let mut file = File::open(&path).map_err(failed)?;
    zip.start_file(name, options()).map_err(zip_not_written)?;
    let (mut hash, mut bytes) = (Sha256::new(), 0);
    let mut piece = Vec::with_capacity(CHUNK_BYTES);
    loop {
        piece.clear();
        // whole pieces whatever the system returns at a time: how they are cut may show in the packed bytes
        (&mut file).take(CHUNK_BYTES as u64).read_to_end(&mut piece).map_err(failed)?;
        if piece.is_empty() {
            break;
        }
        hash.update(&piece);
        zip.write_all(&piece).map_err(not_written)?;
        bytes += piece.len() as u64;
        went(piece.len() as u64)?;
    }
    Ok(CapsuleFile { name: name.to_owned(), bytes, sha256: hexadecimal(&hash.finalize()) })
}

/// Nothing in them depends on the machine or the day.
fn options() -> SimpleFileOptions {
    SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(DateTime::default())
        .unix_permissions(0o644)
        .system(zip::System::Unix)
}

/// The run's title and when it was started, from its report, else its configuration, else the folder's name.
fn title_and_start(folder: &Path) -> (String, u64) {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Head {
        title: String,
        started_unix: u64,
    }
    let text = |name: &str| read_file(&folder.join(name)).ok().and_then(|bytes| String::from_utf8(bytes).ok());
    let report = text(REPORT_FILE).and_then(|text| serde_json::from_str(&text).ok());
    let head: Head = report.or_else(|| toml::from_str(&text(CONFIG_FILE)?).ok()).unwrap_or_default();
    let title = if head.title.is_empty() {
        folder.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
    } else {
        head.title
    };
    (title, head.started_unix)
}

fn not_written(error: std::io::Error) -> CapsuleError {
    IoError::writing(Path::new("the capsule"), &error).into()
}

fn zip_not_written(error: zip::result::ZipError) -> CapsuleError {
    match error {
        zip::result::ZipError::Io(error) => not_written(error),
        other => not_written(std::io::Error::other(other)),
    }
}
