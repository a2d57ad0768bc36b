//! Folders for tests that vanish with the value. (The usual crate for this would be the only dependency of the tests, and
//! the features it turns on elsewhere would have the whole tree compiled twice.)

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// A folder of its own under the system's temporary folder; removed when dropped.
#[derive(Debug)]
pub struct ScratchFolder(PathBuf);

impl ScratchFolder {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for ScratchFolder {
    fn drop(&mut self) {
        // What cannot be removed is left to the system's own cleaning.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Makes a new folder.
///
/// # Errors
/// What the file system says.
pub fn folder() -> std::io::Result<ScratchFolder> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let number = NEXT.fetch_add(1, Ordering::SeqCst);
    let path = std::env::temp_dir().join(format!("thalweg-test-{}-{number}", std::process::id()));
    std::fs::create_dir_all(&path)?;
    Ok(ScratchFolder(path))
}
