//! A file system in memory, of the shape of `std::fs` as far as this program uses it: what a browser has instead of a disk.
//!
//! What lies outside the memory (a file somebody chose, the browser's own storage) is read in pieces where it lies. Every
//! change is noted, so that `web` can carry it into the browser's storage ([`take_changes`]).

#![allow(
    clippy::unnecessary_wraps,
    clippy::unused_self,
    clippy::len_without_is_empty,
    reason = "of one shape with std's"
)]
#![cfg_attr(test, allow(dead_code, reason = "the tests need not call all that the program calls in a browser"))]

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::io::{Error, ErrorKind, Read, Result, Seek, SeekFrom, Write};
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::time::{Duration, SystemTime};

/// Ends the names of files under construction, which are not worth keeping.
const PARTIAL: &str = ".partial";
/// Bytes read from outside at a time.
const READ_AHEAD: usize = 1 << 20;

/// Content that stays where it is.
pub trait Outside: Any {
    fn len(&self) -> u64;
    /// Reads so many bytes from there.
    ///
    /// # Errors
    /// When they are not there any more.
    fn read(&self, start: u64, bytes: usize) -> Result<Vec<u8>>;
}

/// What a file holds.
#[derive(Clone)]
pub enum Content {
    Memory(Rc<Vec<u8>>),
    Outside(Rc<dyn Outside>),
}

impl Content {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(bytes) => bytes.len() as u64,
            Self::Outside(outside) => outside.len(),
        }
    }
}

struct Data {
    content: Content,
    /// Rises with every change, over all files.
    version: u64,
    modified: SystemTime,
}

type Shared = Rc<RefCell<Data>>;

#[derive(Default)]
struct Tree {
    folders: BTreeSet<PathBuf>,
    files: BTreeMap<PathBuf, Shared>,
    changed: BTreeSet<PathBuf>,
    version: u64,
}

thread_local! { static TREE: RefCell<Tree> = RefCell::default(); }

fn refused<T>(kind: ErrorKind, what: &str) -> Result<T> {
    Err(Error::new(kind, what.to_string()))
}

fn absent<T>() -> Result<T> {
    refused(ErrorKind::NotFound, "there is no such file or folder")
}

/// The path from the root, without `.` and `..`.
fn whole(path: &Path) -> PathBuf {
    let mut out = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => out.push(name),
            Component::ParentDir => {
                out.pop();
            }
            Component::RootDir | Component::CurDir | Component::Prefix(_) => {}
        }
    }
    out
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(super::unix_time_secs())
}

impl Tree {
    fn is_folder(&self, path: &Path) -> bool {
        path == Path::new("/") || self.folders.contains(path)
    }

    fn is_there(&self, path: &Path) -> bool {
        self.is_folder(path) || self.files.contains_key(path)
    }

    fn has_place_for(&self, path: &Path) -> Result<()> {
        match path.parent() {
            Some(folder) if self.is_folder(folder) => Ok(()),
            Some(folder) if self.files.contains_key(folder) => refused(ErrorKind::NotADirectory, "that is no folder"),
            _ => absent(),
        }
    }

    fn put(&mut self, path: PathBuf, content: Content) -> Shared {
        self.version += 1;
        let data = Rc::new(RefCell::new(Data { content, version: self.version, modified: now() }));
        self.changed.insert(path.clone());
        self.files.insert(path, data.clone());
        data
    }

    fn make_folders(&mut self, path: &Path) -> Result<()> {
        for folder in path.ancestors() {
            if self.files.contains_key(folder) {
                return refused(ErrorKind::AlreadyExists, "a file has this name");
            }
        }
        self.folders.extend(path.ancestors().filter(|folder| folder.parent().is_some()).map(Path::to_path_buf));
        Ok(())
    }

    fn below<'a>(&'a self, path: &'a Path) -> impl Iterator<Item = &'a PathBuf> {
        self.files.keys().chain(&self.folders).filter(move |inside| inside.parent() == Some(path))
    }
}

fn with<T>(work: impl FnOnce(&mut Tree) -> T) -> T {
    TREE.with_borrow_mut(work)
}

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
        let mut data = self.data.borrow_mut();
        if let Content::Outside(outside) = &data.content {
            let bytes = outside.read(0, usize::try_from(outside.len()).unwrap_or(usize::MAX))?;
            data.content = Content::Memory(Rc::new(bytes));
        }
        if let Content::Memory(bytes) = &mut data.content {
            work(Rc::make_mut(bytes));
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
        let data = self.data.borrow();
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
            SeekFrom::End(by) => self.data.borrow().content.len().checked_add_signed(by),
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
                    tree.put(path.clone(), Content::Memory(Rc::default()))
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
    fn of_file(data: &Shared) -> Self {
        let data = data.borrow();
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

pub fn metadata(path: impl AsRef<Path>) -> Result<Metadata> {
    let path = whole(path.as_ref());
    with(|tree| match tree.files.get(&path) {
        Some(data) => Ok(Metadata::of_file(data)),
        None if tree.is_folder(&path) => Ok(Metadata { folder: true, bytes: 0, modified: SystemTime::UNIX_EPOCH }),
        None => absent(),
    })
}

/// There are no links here.
pub fn symlink_metadata(path: impl AsRef<Path>) -> Result<Metadata> {
    metadata(path)
}

pub fn is_there(path: &Path) -> bool {
    metadata(path).is_ok()
}

pub fn is_file(path: &Path) -> bool {
    metadata(path).is_ok_and(|found| found.is_file())
}

pub fn is_folder(path: &Path) -> bool {
    metadata(path).is_ok_and(|found| found.is_dir())
}

pub fn canonicalize(path: impl AsRef<Path>) -> Result<PathBuf> {
    metadata(&path).map(|_| whole(path.as_ref()))
}

pub fn read(path: impl AsRef<Path>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.read_to_end(&mut bytes)?;
    Ok(bytes)
}

pub fn read_to_string(path: impl AsRef<Path>) -> Result<String> {
    String::from_utf8(read(path)?).or_else(|_| refused(ErrorKind::InvalidData, "it is not text in UTF-8"))
}

pub fn write(path: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> Result<()> {
    OpenOptions::new().write(true).create(true).truncate(true).open(path)?.write_all(bytes.as_ref())
}

pub fn create_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = whole(path.as_ref());
    with(|tree| {
        if tree.is_there(&path) {
            return refused(ErrorKind::AlreadyExists, "it is there already");
        }
        tree.has_place_for(&path)?;
        tree.make_folders(&path)
    })
}

pub fn create_dir_all(path: impl AsRef<Path>) -> Result<()> {
    with(|tree| tree.make_folders(&whole(path.as_ref())))
}

pub fn read_dir(path: impl AsRef<Path>) -> Result<impl Iterator<Item = Result<DirEntry>>> {
    let path = whole(path.as_ref());
    with(|tree| {
        if tree.files.contains_key(&path) {
            return refused(ErrorKind::NotADirectory, "that is no folder");
        }
        if !tree.is_folder(&path) {
            return absent();
        }
        let inside: Vec<PathBuf> = tree.below(&path).cloned().collect();
        Ok(inside.into_iter().map(|path| Ok(DirEntry(path))))
    })
}

pub fn remove_file(path: impl AsRef<Path>) -> Result<()> {
    let path = whole(path.as_ref());
    with(|tree| {
        if tree.files.remove(&path).is_none() {
            return absent();
        }
        tree.changed.insert(path);
        Ok(())
    })
}

pub fn remove_dir(path: impl AsRef<Path>) -> Result<()> {
    let path = whole(path.as_ref());
    with(|tree| {
        if tree.below(&path).next().is_some() {
            return refused(ErrorKind::DirectoryNotEmpty, "it is not empty");
        }
        if tree.folders.remove(&path) { Ok(()) } else { absent() }
    })
}

pub fn remove_dir_all(path: impl AsRef<Path>) -> Result<()> {
    let path = whole(path.as_ref());
    with(|tree| {
        if !tree.folders.remove(&path) {
            return absent();
        }
        tree.folders.retain(|folder| !folder.starts_with(&path));
        let gone: Vec<PathBuf> = tree.files.keys().filter(|file| file.starts_with(&path)).cloned().collect();
        for file in gone {
            tree.files.remove(&file);
            tree.changed.insert(file);
        }
        Ok(())
    })
}

/// One file or a whole folder; a file that had the new name is gone.
pub fn rename(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let (from, to) = (whole(from.as_ref()), whole(to.as_ref()));
    with(|tree| {
        tree.has_place_for(&to)?;
        if let Some(data) = tree.files.remove(&from) {
            if tree.is_folder(&to) {
                tree.files.insert(from, data);
                return refused(ErrorKind::IsADirectory, "a folder has this name");
            }
            tree.files.insert(to.clone(), data);
            tree.changed.extend([from, to]);
            return Ok(());
        }
        if !tree.folders.contains(&from) {
            return absent();
        }
        if tree.below(&to).next().is_some() || tree.files.contains_key(&to) {
            return refused(ErrorKind::DirectoryNotEmpty, "the name is taken");
        }
        let moved = |path: &Path| path.strip_prefix(&from).map(|rest| to.join(rest)).ok();
        let folders: Vec<PathBuf> = tree.folders.iter().filter(|path| path.starts_with(&from)).cloned().collect();
        for folder in folders {
            tree.folders.remove(&folder);
            tree.folders.extend(moved(&folder));
        }
        let files: Vec<PathBuf> = tree.files.keys().filter(|path| path.starts_with(&from)).cloned().collect();
        for file in files {
            if let (Some(data), Some(place)) = (tree.files.remove(&file), moved(&file)) {
                tree.files.insert(place.clone(), data);
                tree.changed.extend([file, place]);
            }
        }
        Ok(())
    })
}

/// The second name gets the content as it is now; what is written later goes to one of them only, as this program writes.
pub fn hard_link(from: impl AsRef<Path>, to: impl AsRef<Path>) -> Result<()> {
    let (from, to) = (whole(from.as_ref()), whole(to.as_ref()));
    with(|tree| {
        let Some(content) = tree.files.get(&from).map(|data| data.borrow().content.clone()) else { return absent() };
        if tree.is_there(&to) {
            return refused(ErrorKind::AlreadyExists, "it is there already");
        }
        tree.has_place_for(&to)?;
        tree.put(to, content);
        Ok(())
    })
}

/// A file's path, and what it holds now with the version of that; `None` where it is gone.
pub type Change = (PathBuf, Option<(Content, u64)>);

/// The files below `root` that changed since the last call, without those under construction, in the order in which they are
/// to be kept: those that are gone come last.
#[must_use]
pub fn take_changes(root: &Path) -> Vec<Change> {
    with(|tree| {
        let kept = |path: &PathBuf| path.starts_with(root) && !path.to_string_lossy().contains(PARTIAL);
        let changed: Vec<PathBuf> = std::mem::take(&mut tree.changed).into_iter().filter(kept).collect();
        let look = |path: PathBuf| {
            let now = tree.files.get(&path).map(|data| (data.borrow().content.clone(), data.borrow().version));
            (path, now)
        };
        let mut changes: Vec<Change> = changed.into_iter().map(look).collect();
        // What lies outside may lie where the next one is about to be written.
        changes.sort_by_key(|(_, now)| match now {
            Some((Content::Outside(_), version)) => (0, *version),
            Some((Content::Memory(_), version)) => (1, *version),
            None => (2, 0),
        });
        changes
    })
}

/// Notes a file as changed once more: it could not be carried out.
pub fn change_again(path: &Path) {
    with(|tree| tree.changed.insert(path.to_path_buf()));
}

/// Puts what lies outside at a path, with the folders it needs. It counts as changed where it is not kept yet.
pub fn mount(path: &Path, content: Rc<dyn Outside>, kept: bool) {
    let path = whole(path);
    with(|tree| {
        if let Some(folder) = path.parent() {
            // A folder that is a file: the later one wins, as when a folder is dropped on the page twice.
            let _ = tree.make_folders(folder);
        }
        tree.put(path.clone(), Content::Outside(content));
        if kept {
            tree.changed.remove(&path);
        }
    });
}

/// Lets go of bytes in memory that lie outside by now, unless the file changed meanwhile.
pub fn settle(path: &Path, version: u64, content: Rc<dyn Outside>) {
    with(|tree| {
        if let Some(data) = tree.files.get(path) {
            let mut data = data.borrow_mut();
            if data.version == version {
                data.content = Content::Outside(content);
            }
        }
    });
}

#[cfg(test)]
mod tests;
