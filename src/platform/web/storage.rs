//! Files that lie outside the module's memory, and the browser's storage that keeps the worker's files over a reload.

use super::{KEPT, reason};
use crate::platform::fs;
use crate::platform::tree::{self, Content, Outside};
use js_sys::{Array, Promise, Uint8Array};
use send_wrapper::SendWrapper;
use std::io::{Error, Result};
use std::path::Path;
use std::sync::Arc;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

/// Between two looks at what changed.
const LOOK_MILLIS: i32 = 200;
/// The same after a failure.
const PATIENCE_MILLIS: i32 = 5000;
/// Smaller files stay in memory as well.
const SMALL_BYTES: u64 = 64 * 1024;
/// A larger file that somebody chose is read where it lies, and not kept: the copy would fill the storage.
const LARGE_BYTES: u64 = 1 << 30;

#[wasm_bindgen]
extern "C" {
    /// What was kept so far: a list of `[path, file]`.
    #[wasm_bindgen(js_namespace = thalweg, js_name = keptFiles)]
    fn kept_files() -> Array;
    /// A sentence where nothing can be kept.
    #[wasm_bindgen(js_namespace = thalweg, js_name = whyNotKept)]
    fn why_not_kept() -> Option<String>;
    /// Was the storage emptied behind the program's back since the last question?
    #[wasm_bindgen(js_namespace = thalweg, js_name = wasCleared)]
    fn was_cleared() -> bool;
    /// Writes a file whole or not at all; fulfilled with the file as it lies there, with nothing where its content cannot be
    /// read any more.
    #[wasm_bindgen(js_namespace = thalweg)]
    fn keep(path: &str, content: &JsValue) -> Promise;
    #[wasm_bindgen(js_namespace = thalweg)]
    fn forget(path: &str) -> Promise;
    /// A browser without it, or a page that may not ask, throws.
    #[wasm_bindgen(js_namespace = ["navigator", "storage"], catch)]
    fn estimate() -> std::result::Result<Promise, JsValue>;
}

pub async fn storage_estimate() -> Option<(u64, u64)> {
    let told = JsFuture::from(estimate().ok()?).await.ok()?;
    let number = |name: &str| js_sys::Reflect::get(&told, &JsValue::from_str(name)).ok()?.as_f64();
    Some((number("usage")? as u64, number("quota")? as u64))
}

/// A `Blob` or `File`, read in slices. An open file counts as what may go to another thread; here there is one only.
pub struct Picked(SendWrapper<web_sys::Blob>);

impl Picked {
    pub fn new(blob: web_sys::Blob) -> Self {
        Self(SendWrapper::new(blob))
    }
}

impl Outside for Picked {
    fn len(&self) -> u64 {
        self.0.size() as u64
    }

    fn read(&self, start: u64, bytes: usize) -> Result<Vec<u8>> {
        let failed = |error: JsValue| {
            Error::other(format!("the browser cannot read it any more ({}): choose it once more", reason(&error)))
        };
        let end = (start + bytes as u64).min(self.len());
        let slice = self.0.slice_with_f64_and_f64(start as f64, end as f64).map_err(failed)?;
        let reader = web_sys::FileReaderSync::new().map_err(failed)?;
        Ok(Uint8Array::new(&reader.read_as_array_buffer(&slice).map_err(failed)?.into()).to_vec())
    }
}

/// Takes in what was kept, and from now on keeps every change; `tell` hears of trouble, once for each kind.
pub fn open(tell: impl Fn(String) + 'static) {
    for pair in kept_files().iter() {
        let Ok(pair) = pair.dyn_into::<Array>() else { continue };
        if let (Some(path), Ok(file)) = (pair.get(0).as_string(), pair.get(1).dyn_into::<web_sys::Blob>()) {
            tree::mount(Path::new(&path), Arc::new(Picked::new(file)), true);
        }
    }
    if let Some(why) = why_not_kept() {
        tell(why);
        return;
    }
    spawn_local(async move {
        let mut told = Vec::<String>::new();
        loop {
            let mut wait = LOOK_MILLIS;
            for (path, now) in tree::take_changes(Path::new(KEPT)) {
                match carry(&path, now).await {
                    Ok(None) => {}
                    Ok(Some(remark)) => tell(remark),
                    Err(error) => {
                        tree::change_again(&path);
                        wait = PATIENCE_MILLIS;
                        let reason = reason(&error);
                        if !told.contains(&reason) {
                            tell(format!(
                                "The browser does not keep {} ({reason}). What you do goes on, but is lost when this tab is closed: delete runs you do not need, or export this one as a capsule. It is tried again every few seconds.",
                                path.display(),
                            ));
                            told.push(reason);
                        }
                    }
                }
            }
            if was_cleared() {
                tree::change_all(Path::new(KEPT));
                tell(
                    "The browser's storage of this page was emptied while it was open. What is still in memory is being kept again and the run goes on; runs and models that lay in the storage are gone.".to_owned(),
                );
            }
            super::timeout(wait).await;
        }
    });
}

/// Carries one change into the storage; gives a sentence where there is something to remark.
async fn carry(path: &Path, now: Option<(Content, u64)>) -> std::result::Result<Option<String>, JsValue> {
    let name = path.to_string_lossy();
    let Some((content, version)) = now else {
        JsFuture::from(forget(&name)).await?;
        return Ok(None);
    };
    let (bytes, large): (JsValue, bool) = match &content {
        Content::Memory(bytes) => (Uint8Array::from(bytes.as_slice()).into(), bytes.len() as u64 > SMALL_BYTES),
        Content::Outside(outside) if outside.len() > LARGE_BYTES => {
            return Ok(Some(format!(
                "{} is larger than {} GiB: it is read where it lies and not kept. Choose it once more when the page was reloaded.",
                path.display(),
                LARGE_BYTES >> 30
            )));
        }
        Content::Outside(outside) => {
            let outside: &dyn std::any::Any = &**outside;
            let Some(Picked(blob)) = outside.downcast_ref() else { return Ok(None) };
            ((**blob).clone().into(), true)
        }
    };
    let Ok(file) = JsFuture::from(keep(&name, &bytes)).await?.dyn_into::<web_sys::Blob>() else {
        // Whoever wants it hears that it is not there, instead of a fault in the middle of a read.
        fs::remove_file(path).ok();
        return Ok(Some(format!("{} cannot be read any more: choose it once more, if you need it.", path.display())));
    };
    if large {
        tree::settle(path, version, Arc::new(Picked::new(file)));
    }
    Ok(None)
}
