//! From a capsule to a folder. Nothing in the capsule is believed before it was checked.

use super::{
    CHUNK_BYTES, CapsuleError, CapsuleIndex, CapsuleSummary, FORMAT_NAME, FORMAT_VERSION, INDEX_NAME, MOST_BYTES,
    MOST_FILES, MOST_INDEX_BYTES, MOST_RATIO, RATIO_FROM_BYTES, hexadecimal, names,
};
use crate::io::atomic::{folder_of, sync_folder};
use crate::io::error::IoError;
use crate::platform::fs::{self, File};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{BufReader, ErrorKind, Read, Seek, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use zip::result::ZipError;
use zip::{CompressionMethod, ZipArchive};

/// The kind of a file in its Unix mode, and that of an ordinary one.
const KIND_OF_FILE: u32 = 0o170_000;
const ORDINARY_FILE: u32 = 0o100_000;

/// What is in a capsule. Sizes and names are checked against the zip's own list; contents are not read.
///
/// # Errors
/// Not a capsule, damaged, of a newer format, larger than allowed, or with names that are dangerous.
pub fn read_index(from: impl Read + Seek) -> Result<CapsuleIndex, CapsuleError> {
    Ok(open(from)?.index)
}

/// Unpacks a capsule into a new folder. `progress` hears how many bytes of how many were written, and ends the work by
/// `false`. The folder appears whole or not at all.
///
/// # Errors
/// As [`read_index`]; a file that differs from its checksum; a folder that is there already; a disk that is full.
pub fn unpack(
    from: impl Read + Seek,
    into: &Path,
    progress: &mut dyn FnMut(u64, u64) -> bool,
) -> Result<CapsuleSummary, CapsuleError> {
    let mut capsule = open(from)?;
    let place = Place::next_to(into)?;
    let summary = CapsuleSummary::from(&capsule.index);
    let mut done = 0;
    for (file, position) in capsule.index.files.iter().zip(&capsule.positions) {
        let path = place.temporary.join(&file.name);
        let failed = |error: std::io::Error| CapsuleError::from(IoError::writing(&path, &error));
        fs::create_dir_all(folder_of(&path)).map_err(failed)?;
        let mut writer = File::create_new(&path).map_err(failed)?;
        let reader = capsule.archive.by_index(*position).map_err(|error| unreadable(&error))?;
        // one byte more than it should have, so that a longer one is noticed
        let mut reader = reader.take(file.bytes + 1);
        let (mut hash, mut bytes) = (Sha256::new(), 0);
        let mut piece = vec![0; CHUNK_BYTES];
        loop {
            let count = read_some(&mut reader, &mut piece, &file.name)?;
            let Some(read) = piece.get(..count).filter(|read| !read.is_empty()) else { break };
            bytes += read.len() as u64;
            if bytes > file.bytes {
                return Err(CapsuleError::Unsafe(format!("{} is larger than the capsule says", file.name)));
            }
            hash.update(read);
            writer.write_all(read).map_err(failed)?;
            if !progress(done + bytes, summary.bytes) {
                return Err(CapsuleError::Cancelled);
            }
        }
        if bytes != file.bytes || hexadecimal(&hash.finalize()) != file.sha256 {
            return Err(CapsuleError::Damaged(format!("{} differs from its checksum", file.name)));
        }
        writer.sync_all().map_err(failed)?;
        done += bytes;
    }
    place.take_name(into)?;
    Ok(summary)
}

/// A capsule whose list of files was checked.
struct Opened<R> {
    archive: ZipArchive<R>,
    index: CapsuleIndex,
    /// Where each file of the index is in the archive.
    positions: Vec<usize>,
}

fn open<R: Read + Seek>(from: R) -> Result<Opened<BufReader<R>>, CapsuleError> {
    let mut from = BufReader::new(from);
    let size = from.seek(SeekFrom::End(0)).map_err(|error| source_failed(&error))?;
    // what does not shrink grows a little: headers and the list
    if size > MOST_BYTES + MOST_BYTES / 64 {
        return Err(CapsuleError::too_many_bytes("the capsule", size));
    }
    from.rewind().map_err(|error| source_failed(&error))?;
    let mut magic = [0; 4];
    let begins_as_zip = match from.read_exact(&mut magic) {
        Ok(()) => magic.starts_with(b"PK"),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(source_failed(&error)),
    };
    if !begins_as_zip {
        return Err(CapsuleError::NotACapsule("it is no zip file".to_owned()));
    }
    let mut archive = ZipArchive::new(from).map_err(|error| unreadable(&error))?;
    let listed = check_list(&mut archive, size)?;
    let Some((index_position, index_bytes)) = listed.get(INDEX_NAME).copied() else {
        return Err(CapsuleError::NotACapsule(format!("it is a zip file without {INDEX_NAME}")));
    };
    if index_bytes > MOST_INDEX_BYTES {
        return Err(CapsuleError::Unsafe(format!("its {INDEX_NAME} is {} MiB large", index_bytes >> 20)));
    }
    let mut json = Vec::new();
    let reader = archive.by_index(index_position).map_err(|error| unreadable(&error))?;
    let read = reader.take(MOST_INDEX_BYTES + 1).read_to_end(&mut json);
    read.map_err(|error| damaged_content(INDEX_NAME, &error))?;
    let index = parse_index(&json)?;
    let positions = check_index(&index, &listed)?;
    Ok(Opened { archive, index, positions })
}

/// Checks what the zip's list says of every entry; gives the place and the size of each by its name.
fn check_list<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    size: u64,
) -> Result<HashMap<String, (usize, u64)>, CapsuleError> {
    let refused = |what: String| Err(CapsuleError::Unsafe(what));
    // and the index
    if archive.len() > MOST_FILES + 1 {
        return refused(format!("it lists {} files, and a capsule has at most {MOST_FILES}", archive.len()));
    }
    if archive.has_duplicate_names() {
        return refused("it lists a file twice".to_owned());
    }
    let mut listed = HashMap::with_capacity(archive.len());
    let mut total: u64 = 0;
    for position in 0..archive.len() {
        let entry = archive.by_index_data(position).map_err(|error| unreadable(&error))?;
        let Ok(name) = std::str::from_utf8(entry.name_raw()) else {
            return refused("the name of a file is not Unicode".to_owned());
        };
        if let Some(fault) = names::fault(name) {
            return refused(format!("the name of the file {name:?} {fault}"));
        }
        let kind = entry.unix_mode().map_or(0, |mode| mode & KIND_OF_FILE);
        if entry.is_dir() || entry.is_symlink() || !(kind == 0 || kind == ORDINARY_FILE) {
            return refused(format!("{name} is a link or something else that is no file"));
        }
        if entry.encrypted() {
            return refused(format!("{name} is encrypted"));
        }
        if !matches!(entry.compression(), CompressionMethod::Stored | CompressionMethod::Deflated) {
            return refused(format!("{name} is packed in a way that capsules do not use"));
        }
        total = total.saturating_add(entry.size());
        listed.insert(name.to_owned(), (position, entry.size()));
    }
    if total > MOST_BYTES {
        return Err(CapsuleError::too_many_bytes("the capsule", total));
    }
    if total > RATIO_FROM_BYTES && total / MOST_RATIO > size {
        return refused(format!("its {} KiB would become {} MiB", size >> 10, total >> 20));
    }
    if let Some(name) = names::clash(listed.keys().map(String::as_str)) {
        return refused(format!("it lists {name} twice, as some systems see it"));
    }
    if archive.has_overlapping_entries().map_err(|error| unreadable(&error))? {
        return refused("its files lie over one another".to_owned());
    }
    Ok(listed)
}

fn parse_index(json: &[u8]) -> Result<CapsuleIndex, CapsuleError> {
    // first only what every format has
    #[derive(Deserialize)]
    struct Head {
        format: String,
        format_version: u64,
    }
    let wrong = |error: serde_json::Error| CapsuleError::Damaged(format!("its {INDEX_NAME} cannot be read ({error})"));
    let head: Head = serde_json::from_slice(json).map_err(wrong)?;
    if head.format != FORMAT_NAME {
        return Err(CapsuleError::NotACapsule(format!("its {INDEX_NAME} belongs to another program")));
    }
    if head.format_version > u64::from(FORMAT_VERSION) {
        return Err(CapsuleError::Newer { found: head.format_version });
    }
    serde_json::from_slice(json).map_err(wrong)
}

/// Checks that the index and the zip list the same files; gives the place of each file of the index.
fn check_index(index: &CapsuleIndex, listed: &HashMap<String, (usize, u64)>) -> Result<Vec<usize>, CapsuleError> {
    let mut positions = Vec::with_capacity(index.files.len());
    let mut seen = std::collections::HashSet::new();
    for file in &index.files {
        let known = listed.get(&file.name).filter(|_| file.name != INDEX_NAME);
        let Some((position, bytes)) = known else {
            return Err(CapsuleError::Damaged(format!("{:?} is missing", file.name)));
        };
        if *bytes != file.bytes {
            let what = format!("{} should have {} bytes and has {bytes}", file.name, file.bytes);
            return Err(CapsuleError::Damaged(what));
        }
        if !seen.insert(file.name.as_str()) {
            return Err(CapsuleError::Unsafe(format!("its {INDEX_NAME} lists {} twice", file.name)));
        }
        positions.push(*position);
    }
    let stranger = listed.keys().filter(|name| *name != INDEX_NAME && !seen.contains(name.as_str())).min();
    match stranger {
        Some(name) => Err(CapsuleError::Unsafe(format!("{name} is in it without being listed in its {INDEX_NAME}"))),
        None => Ok(positions),
    }
}

/// The folder under construction; it vanishes when dropped.
struct Place {
    temporary: PathBuf,
}

impl Place {
    fn next_to(into: &Path) -> Result<Self, CapsuleError> {
        let Some(name) = into.file_name() else {
            return Err(CapsuleError::Place(format!("{} is not the name of a folder", into.display())));
        };
        let taken = match fs::read_dir(into) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) => error.kind() != ErrorKind::NotFound,
        };
        if taken {
            let what = format!("{} is there already and is not empty: choose another folder", into.display());
            return Err(CapsuleError::Place(what));
        }
        let random = RandomState::new().hash_one(name);
        let temporary = folder_of(into).join(format!(".{}.{random:016x}.partial", name.to_string_lossy()));
        fs::create_dir_all(folder_of(into))
            .and_then(|()| fs::create_dir(&temporary))
            .map_err(|error| IoError::writing(into, &error))?;
        Ok(Self { temporary })
    }

    fn take_name(mut self, into: &Path) -> Result<(), CapsuleError> {
        // Windows renames onto nothing that is there, not even an empty folder
        if fs::is_there(into) {
            fs::remove_dir(into).map_err(|error| IoError::writing(into, &error))?;
        }
        fs::rename(&self.temporary, into).map_err(|error| IoError::writing(into, &error))?;
        self.temporary = PathBuf::new();
        sync_folder(&folder_of(into));
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.temporary.as_os_str().is_empty() {
            // nothing to do about a failure here: the name says that it is no run
            fs::remove_dir_all(&self.temporary).ok();
        }
    }
}

fn read_some(reader: &mut impl Read, piece: &mut [u8], name: &str) -> Result<usize, CapsuleError> {
    loop {
        match reader.read(piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            other => return other.map_err(|error| damaged_content(name, &error)),
        }
    }
}

fn damaged_content(name: &str, error: &std::io::Error) -> CapsuleError {
    CapsuleError::Damaged(format!("{name} cannot be unpacked ({error})"))
}

fn source_failed(error: &std::io::Error) -> CapsuleError {
    IoError::reading(Path::new("the capsule"), error).into()
}

fn unreadable(error: &ZipError) -> CapsuleError {
    CapsuleError::Damaged(match error {
        ZipError::Io(error) => error.to_string(),
        other => other.to_string(),
    })
}
