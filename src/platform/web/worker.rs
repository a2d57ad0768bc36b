//! The worker's side: letters of the page, files that it hands over, and the storage behind.

use super::super::ToWorker;
use super::storage::{self, Picked};
use crate::platform::tree;
use js_sys::Uint8Array;
use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = thalweg, js_name = post)]
    pub fn send_to_page(letter: &[u8]);
    /// `heard(kind, what, file)`; what came before is told at once.
    #[wasm_bindgen(js_namespace = thalweg)]
    fn listen(heard: &JsValue);
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
