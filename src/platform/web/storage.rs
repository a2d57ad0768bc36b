//! Files that lie outside the module's memory, and the browser's storage that keeps the worker's files over a reload.

use super::{KEPT, reason};
use crate::platform::tree::{self, Content, Outside};
use js_sys::{Array, Promise, Uint8Array};
use send_wrapper::SendWrapper;
use std::cell::RefCell;
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

#[wasm_bindgen]
extern "C" {
    /// What was kept so far: a list of `[path, file]`.
    #[wasm_bindgen(js_namespace = thalweg, js_name = keptFiles)]
    fn kept_files() -> Array;
    /// A sentence where nothing can be kept.
    #[wasm_bindgen(js_namespace = thalweg, js_name = whyNotKept)]
    fn why_not_kept() -> Option<String>;
    /// Writes a file whole or not at all; fulfilled with the file as it lies there.
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
        let told = RefCell::new(Vec::<String>::new());
        loop {
            let mut wait = LOOK_MILLIS;
            for (path, now) in tree::take_changes(Path::new(KEPT)) {
                if let Err(error) = carry(&path, now).await {
                    tree::change_again(&path);
                    wait = PATIENCE_MILLIS;
                    let message = format!(
                        "The browser does not keep {} ({}). What you do goes on, but is lost when this tab is closed: delete runs you do not need, or export this one as a capsule.",
                        path.display(),
                        reason(&error)
                    );
                    if !told.borrow().contains(&message) {
                        told.borrow_mut().push(message.clone());
                        tell(message);
                    }
                    break;
                }
            }
            super::timeout(wait).await;
        }
    });
}

/// Carries one change into the storage.
async fn carry(path: &Path, now: Option<(Content, u64)>) -> std::result::Result<(), JsValue> {
    let name = path.to_string_lossy();
    let Some((content, version)) = now else {
        JsFuture::from(forget(&name)).await?;
        return Ok(());
    };
    let (bytes, large): (JsValue, bool) = match &content {
        Content::Memory(bytes) => (Uint8Array::from(bytes.as_slice()).into(), bytes.len() as u64 > SMALL_BYTES),
        Content::Outside(outside) => {
            let outside: &dyn std::any::Any = &**outside;
            let Some(Picked(blob)) = outside.downcast_ref() else { return Ok(()) };
            ((**blob).clone().into(), true)
        }
    };
    let file: web_sys::Blob = JsFuture::from(keep(&name, &bytes)).await?.dyn_into()?;
    if large {
        tree::settle(path, version, Arc::new(Picked::new(file)));
    }
    Ok(())
}
