//! Files that lie outside the module's memory, and the browser's storage that keeps the worker's files over a reload.

use super::{KEPT, PICKED, reason};
use crate::platform::tree::{self, Content, Outside};
use crate::platform::{StorageEstimate, fs};
use js_sys::{Array, Promise, Uint8Array};
use send_wrapper::SendWrapper;
use std::collections::BTreeMap;
use std::io::{Error, Result};
use std::path::{Path, PathBuf};
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
/// A file that did not fit is tried again when so much more is free: checkpoints come and go meanwhile.
const MORE_BYTES: u64 = 16 << 20;
/// It is tried again after so long whatever is free, from then on after twice as long each time, up to a longest.
const FIRST_SECS: f64 = 30.0;
const LONGEST_SECS: f64 = 900.0;

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
    /// Did the browser promise not to delete anything by itself?
    #[wasm_bindgen(js_namespace = ["navigator", "storage"], catch)]
    fn persisted() -> std::result::Result<Promise, JsValue>;
}

pub async fn storage_estimate() -> Option<StorageEstimate> {
    let told = JsFuture::from(estimate().ok()?).await.ok()?;
    let number = |name: &str| js_sys::Reflect::get(&told, &JsValue::from_str(name)).ok()?.as_f64();
    let (used_bytes, quota_bytes) = (number("usage")? as u64, number("quota")? as u64);
    let promised = match persisted() {
        Ok(answer) => JsFuture::from(answer).await.is_ok_and(|answer| answer.is_truthy()),
        Err(_) => false,
    };
    Some(StorageEstimate { used_bytes, quota_bytes, promised })
}

/// A `Blob` or `File`, read in slices. An open file counts as what may go to another thread; here there is one only.
pub struct Picked(SendWrapper<web_sys::Blob>);

impl Picked {
    pub fn new(blob: web_sys::Blob) -> Self {
        Self(SendWrapper::new(blob))
    }

    pub fn blob(&self) -> &web_sys::Blob {
        &self.0
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

/// Takes in what was kept, and from now on keeps every change; `tell` hears of trouble, once for each kind, and of its end.
pub fn open(tell: impl Fn(String) + 'static) {
    for pair in kept_files().iter() {
        let Ok(pair) = pair.dyn_into::<Array>() else { continue };
        if let (Some(path), Ok(file)) = (pair.get(0).as_string(), pair.get(1).dyn_into::<web_sys::Blob>()) {
            tree::mount(Path::new(&path), Arc::new(Picked::new(file)), true);
        }
    }
    let keeps = match why_not_kept() {
        None => true,
        Some(why) => {
            tell(why);
            false
        }
    };
    spawn_local(async move {
        let mut trouble = Trouble::default();
        loop {
            let wait = if keeps {
                trouble.pass(&tell).await
            } else {
                let changes = tree::take_changes(Path::new(KEPT));
                // Only so that the page does not hand out again what was deleted.
                for (path, _) in changes.into_iter().filter(|(_, now)| now.is_none()) {
                    JsFuture::from(forget(&path.to_string_lossy())).await.ok();
                }
                LOOK_MILLIS
            };
            super::timeout(wait).await;
        }
    });
}

/// What could not be kept so far.
#[derive(Default)]
struct Trouble {
    /// The kinds that were told.
    told: Vec<String>,
    /// Files from outside for which there is no room.
    waiting: BTreeMap<PathBuf, Waiting>,
    /// When the room is looked at again.
    look_secs: f64,
    /// Something was deleted since then.
    freed: bool,
}

/// When a file is tried again. It is large: to write it every few seconds, only to see that it does not fit, would wear the disk.
struct Waiting {
    /// As soon as there is so much room by the browser's own estimate.
    room_bytes: u64,
    /// In any case at this time: the disk can be full while the estimate says that there is room, which then stays the same.
    again_secs: f64,
    patience_secs: f64,
}

impl Trouble {
    /// Carries out what changed; gives the time to wait.
    async fn pass(&mut self, tell: &impl Fn(String)) -> i32 {
        self.try_waiting().await;
        let mut wait = LOOK_MILLIS;
        for (path, now) in tree::take_changes(Path::new(KEPT)) {
            let outside = match &now {
                Some((Content::Outside(content), _)) => Some(content.len()),
                _ => None,
            };
            let gone = now.is_none();
            let error = match carry(&path, now).await {
                Ok(remark) => {
                    if self.waiting.remove(&path).is_some() && !gone && !self.waits_beside(&path) {
                        tell(format!("There is room for {} again: it is kept.", path.display()));
                    }
                    self.freed |= gone;
                    remark.into_iter().for_each(tell);
                    continue;
                }
                Err(error) => error,
            };
            if let (Some(bytes), Failure::Full(room)) = (outside, &error) {
                self.freed = false;
                let room_bytes = room.map_or(u64::MAX, |room| bytes.max(room.saturating_add(MORE_BYTES)));
                let is_told = self.waits_beside(&path);
                let before = self.waiting.get(&path).map(|known| 2.0 * known.patience_secs);
                let patience_secs = before.unwrap_or(FIRST_SECS).min(LONGEST_SECS);
                let again_secs = super::now_secs() + patience_secs;
                self.waiting.insert(path.clone(), Waiting { room_bytes, again_secs, patience_secs });
                if !is_told {
                    tell(format!(
                        "{} does not fit into the browser's storage ({} MB, {}). It can be used until this tab is closed, and is kept as soon as there is room: delete what you do not need in the list of what is stored.",
                        path.display(),
                        bytes.div_ceil(1_000_000),
                        room.map_or_else(
                            || "which is full".to_owned(),
                            |room| format!("{} MB are free", room / 1_000_000)
                        ),
                    ));
                }
                continue;
            }
            tree::change_again(&path);
            wait = PATIENCE_MILLIS;
            let reason = error.reason();
            if !self.told.contains(&reason) {
                tell(format!(
                    "The browser does not keep {} ({reason}). What you do goes on, but is lost when this tab is closed: delete runs you do not need, or export this one as a capsule. It is tried again every few seconds.",
                    path.display(),
                ));
                self.told.push(reason);
            }
        }
        if wait == LOOK_MILLIS && !self.told.is_empty() {
            self.told.clear();
            tell("The browser keeps again what you do.".to_owned());
        }
        if was_cleared() {
            tree::change_all(Path::new(KEPT));
            tell(
                "The browser's storage of this page was emptied while it was open. What is still in memory is being kept again and the run goes on; runs and models that lay in the storage are gone.".to_owned(),
            );
        }
        wait
    }

    /// Does a file of the same folder wait for room? Then one sentence stands for all: a download comes in many pieces.
    fn waits_beside(&self, path: &Path) -> bool {
        self.waiting.keys().any(|known| known.parent() == path.parent())
    }

    /// Notes files that wait for room as changed again, if there may be room by now.
    async fn try_waiting(&mut self) {
        if self.waiting.is_empty() || super::now_secs() < self.look_secs {
            return;
        }
        self.look_secs = super::now_secs() + f64::from(PATIENCE_MILLIS) / 1000.0;
        // A browser that does not tell its room: whatever is deleted may have made some.
        let freed = std::mem::take(&mut self.freed);
        let room = free_bytes().await;
        for (path, known) in &self.waiting {
            if room.map_or(freed, |room| room >= known.room_bytes) || super::now_secs() >= known.again_secs {
                tree::change_again(path);
            }
        }
    }
}

/// Why something was not kept.
enum Failure {
    /// There is no room, but for so many bytes, where that is known.
    Full(Option<u64>),
    Other(JsValue),
}

impl Failure {
    fn reason(&self) -> String {
        match self {
            Self::Full(_) => "its storage is full".to_owned(),
            Self::Other(error) => reason(error),
        }
    }
}

async fn free_bytes() -> Option<u64> {
    storage_estimate().await.map(|room| room.quota_bytes.saturating_sub(room.used_bytes))
}

/// Waits for the storage; tells apart what another attempt cannot help.
async fn done(work: Promise) -> std::result::Result<JsValue, Failure> {
    match JsFuture::from(work).await {
        Ok(value) => Ok(value),
        Err(error) => {
            let name = js_sys::Reflect::get(&error, &JsValue::from_str("name")).ok().and_then(|name| name.as_string());
            if name.as_deref() == Some("QuotaExceededError") {
                return Err(Failure::Full(free_bytes().await));
            }
            Err(Failure::Other(error))
        }
    }
}

/// Carries one change into the storage; gives a sentence where there is something to remark.
async fn carry(path: &Path, now: Option<(Content, u64)>) -> std::result::Result<Option<String>, Failure> {
    let name = path.to_string_lossy();
    let Some((content, version)) = now else {
        done(forget(&name)).await?;
        return Ok(None);
    };
    let (bytes, large): (JsValue, bool) = match &content {
        Content::Memory(bytes) => (Uint8Array::from(bytes.as_slice()).into(), bytes.len() as u64 > SMALL_BYTES),
        Content::Outside(outside) if path.starts_with(PICKED) && outside.len() > LARGE_BYTES => {
            return Ok(Some(format!(
                "{} is larger than {} GiB: it is read where it lies and not kept. Choose it once more when the page was reloaded.",
                path.display(),
                LARGE_BYTES >> 30
            )));
        }
        Content::Outside(outside) => {
            let outside: &dyn std::any::Any = &**outside;
            let Some(Picked(blob)) = outside.downcast_ref() else { return Ok(None) };
            if let Some(room) = free_bytes().await
                && room < blob.size() as u64
            {
                return Err(Failure::Full(Some(room)));
            }
            ((**blob).clone().into(), true)
        }
    };
    let Ok(file) = done(keep(&name, &bytes)).await?.dyn_into::<web_sys::Blob>() else {
        // Whoever wants it hears that it is not there, instead of a fault in the middle of a read.
        fs::remove_file(path).ok();
        return Ok(Some(format!(
            "{} cannot be read any more: choose or fetch it once more, if you need it.",
            path.display()
        )));
    };
    if large {
        tree::settle(path, version, Arc::new(Picked::new(file)));
    }
    Ok(None)
}
