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

mod file;

pub use file::{DirEntry, File, Metadata, OpenOptions};

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Read as _, Result, Write as _};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

/// Ends the names of files under construction, which are not worth keeping.
const PARTIAL: &str = ".partial";
/// Content that stays where it is.
pub trait Outside: Any + Send + Sync {
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
    Memory(Arc<Vec<u8>>),
    Outside(Arc<dyn Outside>),
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

type Shared = Arc<Mutex<Data>>;

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
        let data = Arc::new(Mutex::new(Data { content, version: self.version, modified: now() }));
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

fn lock(data: &Shared) -> MutexGuard<'_, Data> {
    data.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_in(data: &Shared) -> (Content, u64) {
    let data = lock(data);
    (data.content.clone(), data.version)
}

fn with<T>(work: impl FnOnce(&mut Tree) -> T) -> T {
    TREE.with_borrow_mut(work)
}

pub fn metadata(path: impl AsRef<Path>) -> Result<Metadata> {
    let path = whole(path.as_ref());
    with(|tree| match tree.files.get(&path) {
        Some(data) => Ok(Metadata::of_file(data)),
        None if tree.is_folder(&path) => Ok(Metadata::of_folder()),
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
        Ok(inside.into_iter().map(|path| Ok(DirEntry::at(path))))
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
        let Some(content) = tree.files.get(&from).map(|data| lock(data).content.clone()) else { return absent() };
        if tree.is_there(&to) {
            return refused(ErrorKind::AlreadyExists, "it is there already");
        }
        tree.has_place_for(&to)?;
        tree.put(to, content);
        Ok(())
    })
}

/// What a file holds now, with the version of that.
pub fn content(path: &Path) -> Option<(Content, u64)> {
    with(|tree| tree.files.get(&whole(path)).map(now_in))
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
            let now = tree.files.get(&path).map(now_in);
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

/// Notes all files below `root` as changed: nothing is kept any more.
pub fn change_all(root: &Path) {
    with(|tree| {
        let below: Vec<PathBuf> = tree.files.keys().filter(|path| path.starts_with(root)).cloned().collect();
        tree.changed.extend(below);
    });
}

/// Puts what lies outside at a path, with the folders it needs. It counts as changed where it is not kept yet.
pub fn mount(path: &Path, content: Arc<dyn Outside>, kept: bool) {
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
pub fn settle(path: &Path, version: u64, content: Arc<dyn Outside>) {
    with(|tree| {
        if let Some(data) = tree.files.get(path) {
            let mut data = lock(data);
            if data.version == version {
                data.content = Content::Outside(content);
            }
        }
    });
}

#[cfg(test)]
mod tests;
