//! Files: the operating system's on the desktop, a tree in memory in a browser, under the names of `std::fs`.
//!
//! Paths ask here too whether they are there, since those of `std` look at no disk in a browser.

#[cfg(target_arch = "wasm32")]
pub use super::tree::{
    DirEntry, File, Metadata, OpenOptions, canonicalize, create_dir, create_dir_all, hard_link, is_file, is_folder,
    is_there, metadata, read, read_dir, read_to_string, remove_dir, remove_dir_all, remove_file, rename,
    symlink_metadata, write,
};
pub use std::fs::TryLockError;
#[cfg(not(target_arch = "wasm32"))]
pub use std::fs::{
    DirEntry, File, Metadata, OpenOptions, canonicalize, create_dir, create_dir_all, hard_link, metadata, read,
    read_dir, read_to_string, remove_dir, remove_dir_all, remove_file, rename, symlink_metadata, write,
};

#[cfg(target_arch = "wasm32")]
pub use super::web::{join, write_away};

#[cfg(not(target_arch = "wasm32"))]
use std::path::{Path, PathBuf};

/// Writes a whole file, whose bytes need not stay in memory.
///
/// # Errors
/// As [`std::fs::write`].
#[cfg(not(target_arch = "wasm32"))]
pub fn write_away(path: &Path, bytes: Vec<u8>) -> std::io::Result<()> {
    write(path, bytes)
}

/// Makes one file of several, which are gone then, as `others` are. In a browser this copies nothing.
///
/// # Errors
/// When a part cannot be read, or the whole not be written.
#[cfg(not(target_arch = "wasm32"))]
pub fn join(parts: &[PathBuf], others: &[PathBuf], whole: &Path) -> std::io::Result<()> {
    let mut to = File::create(whole)?;
    for part in parts {
        std::io::copy(&mut File::open(part)?, &mut to)?;
    }
    to.sync_all()?;
    parts.iter().chain(others).try_for_each(remove_file)
}

/// Is there anything of this name?
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
pub fn is_there(path: &Path) -> bool {
    path.exists()
}

/// Is it a file?
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
pub fn is_file(path: &Path) -> bool {
    path.is_file()
}

/// Is it a folder?
#[cfg(not(target_arch = "wasm32"))]
#[must_use]
pub fn is_folder(path: &Path) -> bool {
    path.is_dir()
}
