//! The worker's side: letters of the page, files that it hands over, and the storage behind.

use super::super::ToWorker;
use super::storage::{self, Picked};
use crate::platform::tree;
use js_sys::{Promise, Uint8Array};
use std::cell::{Cell, RefCell};
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = thalweg, js_name = post)]
    pub fn send_to_page(letter: &[u8]);
    /// `heard(kind, what, file)`; what came before is told at once.
    #[wasm_bindgen(js_namespace = thalweg)]
    fn listen(heard: &JsValue);
    /// Fulfilled with a `Blob`, or with nothing where the server has no such file. `progress(done, total)`.
    #[wasm_bindgen(js_namespace = thalweg, js_name = fetchFile)]
    fn fetch_blob(url: &str, progress: &JsValue) -> Promise;
}

pub fn serve_page(answer: impl FnMut(ToWorker) + 'static) {
    let answer = Rc::new(RefCell::new(answer));
    let of_storage = answer.clone();
    storage::open(move |message| (of_storage.borrow_mut())(ToWorker::Storage(message)));
    let heard = Closure::<dyn Fn(String, JsValue, JsValue)>::new(move |kind: String, what: JsValue, file: JsValue| {
        if kind == "mount" {
            if let (Some(path), Ok(file)) = (what.as_string(), file.dyn_into::<web_sys::Blob>()) {
                tree::mount(Path::new(&path), Arc::new(Picked::new(file)), false);
            }
        } else {
            (answer.borrow_mut())(ToWorker::Letter(Uint8Array::new(&what).to_vec()));
        }
    });
    listen(heard.as_ref());
    // It listens as long as the worker lives.
    heard.forget();
}

pub async fn fetch_file(
    url: &str,
    path: &Path,
    progress: &mut dyn FnMut(u64, Option<u64>) -> bool,
) -> Result<bool, String> {
    // JavaScript's callback notes how far it is, and whether to go on; this task looks at both.
    let state = Rc::new((Cell::new(0.0), Cell::new(0.0), Cell::new(true), RefCell::new(None)));
    let noted = state.clone();
    let note = Closure::<dyn Fn(f64, f64) -> bool>::new(move |done, total| {
        noted.0.set(done);
        noted.1.set(total);
        noted.2.get()
    });
    let (fetched, ended) = (fetch_blob(url, note.as_ref()), state.clone());
    wasm_bindgen_futures::spawn_local(async move {
        *ended.3.borrow_mut() = Some(JsFuture::from(fetched).await);
    });
    let (done, total, go_on, result) = &*state;
    loop {
        let total = (total.get() > 0.0).then(|| total.get() as u64);
        if go_on.get() && !progress(done.get() as u64, total) {
            go_on.set(false);
        }
        match result.borrow_mut().take() {
            None => {}
            Some(Err(_)) if !go_on.get() => return Err("it was cancelled".to_owned()),
            Some(Err(error)) => return Err(super::reason(&error)),
            Some(Ok(blob)) => {
                let Ok(blob) = blob.dyn_into::<web_sys::Blob>() else { return Ok(false) };
                tree::mount(path, Arc::new(Picked::new(blob)), false);
                return Ok(true);
            }
        }
        super::pause().await;
    }
}
