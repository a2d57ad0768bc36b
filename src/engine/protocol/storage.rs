//! What the program keeps on this machine, or in this browser, and may be deleted to make room.

use serde::{Deserialize, Serialize};

/// Where something that is kept comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StoredKind {
    /// A model that was fetched from a hub.
    Model,
    /// The files of a capsule that was opened.
    Capsule,
    /// Files that were chosen on a page.
    File,
    /// A run in the folder for runs.
    Run,
}

/// One thing that is kept and can be deleted as a whole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredItem {
    pub kind: StoredKind,
    /// For people.
    pub name: String,
    pub path: String,
    pub bytes: u64,
    /// Why it cannot be deleted now, as the end of a sentence; `None` where it can be.
    pub needed: Option<String>,
}

/// Room that a browser gives the page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageRoom {
    pub used_bytes: u64,
    pub quota_bytes: u64,
    /// It promised not to delete anything by itself when the disk gets full.
    #[serde(default)]
    pub promised: bool,
}

/// Everything that is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct StorageListing {
    /// By kind, the largest first.
    pub items: Vec<StoredItem>,
    /// `None` on the desktop, where the disk has no quota of ours.
    pub room: Option<StorageRoom>,
    /// The path that was deleted just now.
    pub deleted: Option<String>,
}

impl StorageListing {
    /// Bytes of all items.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.items.iter().map(|item| item.bytes).sum()
    }
}
