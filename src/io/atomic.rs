//! Files that appear whole or not at all: written under a temporary name, synced, then renamed.

use crate::io::error::IoError;
use crate::platform::fs::{self, File};
use std::ffi::OsString;
use std::hash::{BuildHasher, RandomState};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Ends the name of a file that is still being written.
const PARTIAL: &str = "partial";

/// A temporary file left by a process that was killed is removed by the next writer after this time.
const LEFT_OVER_AFTER: Duration = Duration::from_hours(1);

/// A file under construction; it takes its name at [`AtomicFile::commit`], and vanishes when dropped before.
#[derive(Debug)]
pub struct AtomicFile {
    path: PathBuf,
    temporary: PathBuf,
    writer: Option<BufWriter<File>>,
    written_bytes: u64,
}

impl AtomicFile {
    /// Starts writing what will become `path`, in the same folder, which is created when absent.
    ///
    /// # Errors
    /// A sentence when the folder cannot be made or written to.
    pub fn create(path: &Path) -> Result<Self, IoError> {
        let failed = |error: std::io::Error| IoError::writing(path, &error);
        let name =
            path.file_name().ok_or_else(|| IoError::file(path.display().to_string(), "is not the name of a file."))?;
        let folder = folder_of(path);
        fs::create_dir_all(&folder).map_err(failed)?;
        // a random name, so that two processes never write into the same temporary file
        let mut temporary_name = OsString::from(".");
        temporary_name.push(name);
        temporary_name.push(format!(".{:016x}.{PARTIAL}", RandomState::new().hash_one(name)));
        let temporary = folder.join(temporary_name);
        let file = File::create_new(&temporary).map_err(failed)?;
        remove_left_overs(&folder, name.to_string_lossy().as_ref(), &file);
        Ok(Self { path: path.to_owned(), temporary, writer: Some(BufWriter::new(file)), written_bytes: 0 })
    }

    /// Puts everything on the disk, still under the temporary name.
    ///
    /// # Errors
    /// A sentence when the disk is full or gone; the temporary file is then removed on drop.
    pub fn sync(&mut self) -> Result<(), IoError> {
        if let Some(writer) = &mut self.writer {
            let result = writer.flush().and_then(|()| writer.get_ref().sync_all());
            result.map_err(|error| IoError::writing(&self.path, &error))?;
        }
        Ok(())
    }

    /// Syncs, and takes the final name, replacing what had it.
    ///
    /// # Errors
    /// A sentence; the old file is then unchanged.
    pub fn commit(mut self) -> Result<(), IoError> {
        self.sync()?;
        if let Some(writer) = self.writer.take() {
            // closed before the renaming, which Windows wants; the buffer is empty since `sync`
            drop(writer.into_parts().0);
        }
        fs::rename(&self.temporary, &self.path).map_err(|error| IoError::writing(&self.path, &error))?;
        self.temporary = PathBuf::new();
        sync_folder(&folder_of(&self.path));
        Ok(())
    }

    /// Bytes written so far.
    #[must_use]
    pub fn written_bytes(&self) -> u64 {
        self.written_bytes
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        #[cfg(test)]
        quota::spend(bytes.len())?;
        let Some(writer) = &mut self.writer else { return Err(std::io::ErrorKind::BrokenPipe.into()) };
        let written = writer.write(bytes)?;
        self.written_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.writer.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take() {
            // without flushing: these bytes are not wanted any more
            drop(writer.into_parts().0);
        }
        if !self.temporary.as_os_str().is_empty() {
            // nothing to do about a failure here: the next writer of this name removes it later
            fs::remove_file(&self.temporary).ok();
        }
    }
}

/// Writes a whole small file atomically.
///
/// # Errors
/// A sentence; what was at `path` before is then unchanged, and no temporary file is left.
pub fn write_file(path: &Path, bytes: &[u8]) -> Result<(), IoError> {
    let mut file = AtomicFile::create(path)?;
    file.write_all(bytes).map_err(|error| IoError::writing(path, &error))?;
    file.commit()
}

/// Makes renames in a folder last, on systems where folders can be synced; elsewhere the system does so by itself.
pub(crate) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        folder.sync_all().ok();
    }
}

/// The folder that holds `path`; `.` for a bare name.
pub(crate) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Removes temporary files of this name whose writer died long ago, by the file system's own clock.
fn remove_left_overs(folder: &Path, name: &str, new_file: &File) {
    let Ok(now) = new_file.metadata().and_then(|metadata| metadata.modified()) else { return };
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let file_name = entry.file_name();
        let Some(middle) = file_name.to_str().and_then(|text| {
            text.strip_prefix('.')?.strip_prefix(name)?.strip_prefix('.')?.strip_suffix(PARTIAL)?.strip_suffix('.')
        }) else {
            continue;
        };
        let is_ours = middle.len() == 16 && middle.bytes().all(|byte| byte.is_ascii_hexdigit());
        let age = entry
            .metadata()
            .and_then(|metadata| metadata.modified())
            .ok()
            .and_then(|then| now.duration_since(then).ok());
        if is_ours && age.is_some_and(|age| age > LEFT_OVER_AFTER) {
            fs::remove_file(entry.path()).ok();
        }
    }
}

/// A disk that is full after so many bytes, for the tests of everything that writes.
#[cfg(test)]
pub(crate) mod quota {
    use std::cell::Cell;

    thread_local! { static LEFT: Cell<Option<usize>> = const { Cell::new(None) }; }

    /// Runs `work` on a disk with room for `bytes` more.
    pub(crate) fn with<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
        LEFT.set(Some(bytes));
        let result = work();
        LEFT.set(None);
        result
    }

    pub(super) fn spend(bytes: usize) -> std::io::Result<()> {
        match LEFT.get() {
            None => Ok(()),
            Some(left) if left >= bytes => {
                LEFT.set(Some(left - bytes));
                Ok(())
            }
            Some(_) => Err(std::io::ErrorKind::StorageFull.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn replaces_the_old_file_only_at_commit() {
        let folder = crate::platform::scratch::folder().unwrap();
        let path = folder.path().join("new/state.json");
        write_file(&path, b"old").unwrap();
        let mut file = AtomicFile::create(&path).unwrap();
        file.write_all(b"new").unwrap();
        file.sync().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"old");
        file.commit().unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(names(path.parent().unwrap()), ["state.json"]);
    }

    #[test]
    fn full_disk_leaves_the_old_file_and_no_temporary_one() {
        let folder = crate::platform::scratch::folder().unwrap();
        let path = folder.path().join("state.json");
        write_file(&path, b"old").unwrap();
        let error = quota::with(2, || write_file(&path, b"longer than the disk")).unwrap_err().to_string();
        assert!(error.contains("state.json") && error.contains("make room"), "{error}");
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["state.json"]);
    }

    #[test]
    fn a_folder_in_the_way_is_a_sentence() {
        let folder = crate::platform::scratch::folder().unwrap();
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("inside")).unwrap();
        assert!(write_file(&path, b"x").unwrap_err().to_string().contains("taken"));
        assert_eq!(names(folder.path()), ["taken"]);
        assert!(write_file(Path::new(""), b"x").is_err());
        assert!(write_file(Path::new("/"), b"x").is_err());
    }

    #[test]
    fn removes_what_a_killed_writer_left_but_not_a_living_ones() {
        let folder = crate::platform::scratch::folder().unwrap();
        let path = folder.path().join("state.json");
        let old = folder.path().join(".state.json.0123456789abcdef.partial");
        let fresh = folder.path().join(".state.json.0123456789abcdee.partial");
        let foreign = folder.path().join(".state.json.notes.partial");
        for left_over in [&old, &fresh, &foreign] {
            fs::write(left_over, b"half").unwrap();
        }
        let long_ago = fs::metadata(&fresh).unwrap().modified().unwrap() - Duration::from_hours(2);
        for left_over in [&old, &foreign] {
            File::options().write(true).open(left_over).unwrap().set_modified(long_ago).unwrap();
        }
        write_file(&path, b"whole").unwrap();
        assert!(!old.exists() && fresh.exists() && foreign.exists());
    }
}
