//! Files that come in pieces: kept one by one as they come, since the browser's storage takes whole files only, and joined at
//! the end by reference, so that the module's memory never holds more than a piece.

use super::storage::Picked;
use super::{reason, timeout};
use crate::platform::fs;
use crate::platform::tree::{self, Content};
use js_sys::{Array, Uint8Array};
use std::io::{Error, ErrorKind, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::spawn_local;

/// Between two looks at whether the whole is kept by now.
const LOOK_MILLIS: i32 = 200;

fn blob(parts: &Array) -> Result<web_sys::Blob> {
    web_sys::Blob::new_with_blob_sequence(parts).map_err(|error| {
        Error::new(ErrorKind::OutOfMemory, format!("the browser has no room for it ({})", reason(&error)))
    })
}

/// Writes a whole file, which lies outside the module's memory at once.
pub fn write_away(path: &Path, bytes: Vec<u8>) -> Result<()> {
    let blob = blob(&Array::of1(&Uint8Array::from(bytes.as_slice())))?;
    tree::mount(path, Arc::new(Picked::new(blob)), false);
    Ok(())
}

/// Makes one file of several. They and `others` go as soon as the whole is kept, since until then its bytes lie in them.
pub fn join(parts: &[PathBuf], others: &[PathBuf], whole: &Path) -> Result<()> {
    let mut blobs = Vec::new();
    for part in parts {
        let (content, _) = tree::content(part).ok_or(ErrorKind::NotFound)?;
        blobs.push(match &content {
            Content::Memory(bytes) => Uint8Array::from(bytes.as_slice()).into(),
            Content::Outside(outside) => {
                let outside: &dyn std::any::Any = &**outside;
                outside.downcast_ref::<Picked>().map_or(JsValue::UNDEFINED, |picked| picked.blob().into())
            }
        });
    }
    let joined: Arc<dyn tree::Outside> = Arc::new(Picked::new(blob(&blobs.into_iter().collect())?));
    tree::mount(whole, joined.clone(), false);
    // A later download may use the same names: only what is there now goes.
    let gone: Vec<(PathBuf, u64)> = parts
        .iter()
        .chain(others)
        .filter_map(|path| tree::content(path).map(|(_, version)| (path.clone(), version)))
        .collect();
    let whole = whole.to_path_buf();
    spawn_local(async move {
        while tree::content(&whole)
            .is_some_and(|(now, _)| matches!(now, Content::Outside(now) if Arc::ptr_eq(&now, &joined)))
        {
            timeout(LOOK_MILLIS).await;
        }
        for (path, version) in gone {
            if tree::content(&path).is_some_and(|(_, now)| now == version) {
                fs::remove_file(&path).ok();
            }
        }
    });
    Ok(())
}
