//! The page's side: its worker, files that people choose or drop, its address.

use super::super::{FromWorker, PlatformError, Wire};
use super::storage::Picked;
use super::{PICKED, reason};
use crate::platform::tree;
use js_sys::{Array, Uint8Array};
use std::cell::{Cell, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
#[cfg(feature = "app")]
use wasm_bindgen_futures::spawn_local;

#[wasm_bindgen]
extern "C" {
    /// Starts the worker, or ends the one that is there and starts another. `heard(kind, what)`.
    #[wasm_bindgen(js_namespace = thalweg, catch)]
    fn spawn(heard: &JsValue) -> Result<(), JsValue>;
    #[wasm_bindgen(js_namespace = thalweg)]
    fn post(letter: &[u8]);
    /// Gives the worker a file without copying it.
    #[wasm_bindgen(js_namespace = thalweg)]
    fn mount(path: &str, file: &web_sys::Blob);
    /// `answer` gets a list of `[path, file]`.
    #[wasm_bindgen(js_namespace = thalweg)]
    fn pick(folder: bool, endings: &str, several: bool, answer: &JsValue);
    /// The same for what was dropped on the page so far.
    #[wasm_bindgen(js_namespace = thalweg, js_name = takeDropped)]
    fn take_dropped() -> Array;
    #[wasm_bindgen(js_namespace = thalweg, js_name = hasWebGpu)]
    pub fn has_webgpu() -> bool;
    #[wasm_bindgen(js_namespace = thalweg, js_name = isReadOnly)]
    pub fn is_read_only() -> bool;
    #[wasm_bindgen(js_namespace = thalweg, js_name = address)]
    fn page_address() -> String;
    #[wasm_bindgen(js_namespace = thalweg, js_name = takeFragment)]
    fn take_page_fragment() -> String;
    #[wasm_bindgen(js_namespace = thalweg, js_name = drawn)]
    fn page_drawn();
    #[wasm_bindgen(js_namespace = thalweg, js_name = windowLost)]
    pub fn window_lost(why: &str);
    #[wasm_bindgen(js_namespace = thalweg, js_name = setWake)]
    fn set_wake(wake: &JsValue);
    #[wasm_bindgen(js_namespace = thalweg, js_name = wantsTree)]
    pub fn wants_tree() -> bool;
    #[wasm_bindgen(js_namespace = thalweg, js_name = showTree)]
    pub fn show_tree(json: &str);
}

thread_local! {
    /// May there be another link, or other files, since they were last asked for? The window asks in every frame, the page only
    /// where it told of something.
    static LINKED: Cell<bool> = const { Cell::new(true) };
    static DROPPED: Cell<bool> = const { Cell::new(true) };
}

type Heard = Rc<RefCell<Vec<FromWorker>>>;

struct WorkerWire {
    heard: Heard,
    callback: Closure<dyn Fn(String, JsValue)>,
}

impl Wire for WorkerWire {
    fn send(&self, letter: &[u8]) {
        post(letter);
    }

    fn receive(&self) -> Vec<FromWorker> {
        self.heard.take()
    }

    fn restart(&self) {
        if let Err(error) = spawn(self.callback.as_ref()) {
            self.heard.borrow_mut().push(FromWorker::Died(reason(&error)));
        }
    }
}

pub fn open_worker(wake: impl Fn() + 'static) -> Result<Box<dyn Wire>, PlatformError> {
    let heard = Heard::default();
    let inbox = heard.clone();
    let callback = Closure::<dyn Fn(String, JsValue)>::new(move |kind: String, what: JsValue| {
        let news = match kind.as_str() {
            "letter" => FromWorker::Letter(Uint8Array::new(&what).to_vec()),
            "lost" => FromWorker::GraphicsLost(what.as_string().unwrap_or_default()),
            _ => FromWorker::Died(what.as_string().unwrap_or_default()),
        };
        inbox.borrow_mut().push(news);
        wake();
    });
    spawn(callback.as_ref()).map_err(|error| PlatformError::NoWorker(reason(&error)))?;
    Ok(Box::new(WorkerWire { heard, callback }))
}

/// Puts chosen files into both trees. The files of one choice lie in a folder named by what they are, so that the same
/// choice is the same path again and another one of the same names is another. Returns what stands at the top.
fn take_in(list: &Array) -> Vec<PathBuf> {
    let files: Vec<(String, web_sys::File)> = list
        .iter()
        .filter_map(|pair| {
            let pair: Array = pair.dyn_into().ok()?;
            Some((pair.get(0).as_string()?, pair.get(1).dyn_into().ok()?))
        })
        .collect();
    // FNV-1a, which is short; nobody attacks the names of his own files
    let mut stamp = 0xcbf2_9ce4_8422_2325_u64;
    for (path, file) in &files {
        for byte in format!("{path}\n{}\n{}\n", file.size(), file.last_modified()).bytes() {
            stamp = (stamp ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    let root = Path::new(PICKED).join(format!("{stamp:016x}"));
    let mut top: Vec<PathBuf> = Vec::new();
    for (path, file) in files {
        let path = path.trim_start_matches('/');
        let whole = root.join(path);
        let first = root.join(path.split('/').next().unwrap_or(path));
        if !top.contains(&first) {
            top.push(first);
        }
        mount(&whole.to_string_lossy(), &file);
        tree::mount(&whole, Arc::new(Picked::new(file.into())), true);
    }
    top
}

pub fn lacks_webgpu() -> bool {
    !has_webgpu()
}

pub fn dropped() -> Vec<PathBuf> {
    if DROPPED.replace(false) { take_in(&take_dropped()) } else { Vec::new() }
}

pub fn address() -> Option<String> {
    Some(page_address()).filter(|text| !text.is_empty())
}

pub fn take_fragment() -> Option<String> {
    LINKED.replace(false).then(take_page_fragment).filter(|text| !text.is_empty())
}

pub fn drawn() {
    page_drawn();
}

pub fn on_news(wake: impl Fn() + 'static) {
    let heard = move || {
        LINKED.set(true);
        DROPPED.set(true);
        wake();
    };
    set_wake(&Closure::<dyn Fn()>::new(heard).into_js_value());
}

#[cfg(feature = "app")]
#[expect(clippy::unnecessary_wraps, reason = "of one shape with native.rs, where it can fail")]
pub fn ask(
    dialogue: &super::super::Dialogue,
    answer: impl FnOnce(Vec<PathBuf>) + Send + 'static,
) -> Result<(), PlatformError> {
    use super::super::Dialogue;
    let (folder, endings, several) = match dialogue {
        Dialogue::Save { name } => {
            let path = Path::new(super::DOWNLOADS).join(name.replace('/', "-"));
            // In a later turn, as a dialogue would.
            spawn_local(async move { answer(vec![path]) });
            return Ok(());
        }
        Dialogue::Folder { .. } => (true, String::new(), true),
        Dialogue::Files { endings, several, .. } => {
            let endings: Vec<String> = endings.iter().map(|ending| format!(".{ending}")).collect();
            (false, endings.join(","), *several)
        }
    };
    let chosen = Closure::once_into_js(move |list: Array| answer(take_in(&list)));
    pick(folder, &endings, several, &chosen);
    Ok(())
}
