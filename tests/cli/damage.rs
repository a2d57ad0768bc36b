//! Model folders with something wrong in them, and disks with no room.

use super::tiny_model::{copy_folder, other_model, tiny_model};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A copy of the tiny model under `parent`, with one file changed.
pub fn model_with(parent: &Path, name: &str, file: &str, change: impl FnOnce(Vec<u8>) -> Vec<u8>) -> String {
    let folder = parent.join(name);
    copy_folder(tiny_model(), &folder);
    let path = folder.join(file);
    std::fs::write(&path, change(std::fs::read(&path).unwrap())).unwrap();
    folder.to_str().unwrap().to_string()
}

/// Replaces bytes, which must be there.
pub fn replaced(bytes: &[u8], from: &str, to: &str) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from.as_bytes()).unwrap();
    [&bytes[..at], to.as_bytes(), &bytes[at + from.len()..]].concat()
}

/// The same with a field of config.json that is a number.
pub fn model_with_size(parent: &Path, name: &str, field: &str, value: &str) -> String {
    model_with(parent, name, "config.json", |bytes| {
        let text = String::from_utf8(bytes).unwrap();
        let start = text.find(&format!("\"{field}\": ")).unwrap() + field.len() + 4;
        let end = start + text[start..].find([',', '\n']).unwrap();
        [&text[..start], value, &text[end..]].concat().into_bytes()
    })
}

/// The tokenizer of a model with a larger vocabulary.
pub fn foreign_tokenizer() -> Vec<u8> {
    std::fs::read(other_model().join("tokenizer.json")).unwrap()
}

/// A small file system in memory at a folder; unmounted when dropped. `None` where that is not allowed.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    pub fn mount(folder: &Path, kilobytes: usize) -> Option<Self> {
        std::fs::create_dir_all(folder).unwrap();
        let size = format!("size={kilobytes}k");
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder).output().ok()?;
        mount.status.success().then(|| Self(folder.to_path_buf()))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}
