//! The browser, page or worker: one thread, an event loop, JavaScript's clocks.
//!
//! What JavaScript does better stands in `web/page.js` and `web/worker.js`, under `globalThis.thalweg`; `page` and `worker`
//! call it. `storage` keeps files.

pub mod http;
mod page;
mod pieces;
mod storage;
mod worker;

pub use page::{
    address, drawn, dropped, is_read_only, lacks_webgpu, on_news, open_worker, show_tree, take_fragment, wants_tree,
    window_lost,
};
pub use pieces::{join, write_away};
pub use storage::storage_estimate;
pub use worker::{send_to_page, serve_page};

#[cfg(feature = "app")]
pub use page::ask;

use std::cell::Cell;
use std::future::Future;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use js_sys::{Date, Function, Promise};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::fs;
use super::{PAUSE_MILLIS, PlatformError, Role};

/// The element of `web/index.html` that the window is drawn in.
#[cfg(feature = "app")]
const CANVAS_ID: &str = "thalweg";

/// Everything below is kept in the browser's storage.
const KEPT: &str = "/thalweg";
/// In it, what somebody chose or dropped.
const PICKED: &str = "/thalweg/files";
/// Everything below is downloaded.
const DOWNLOADS: &str = "/downloads";
/// Other tasks get their turn after so long.
const TURN_SECS: f64 = 0.008;

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = thalweg, js_name = isWorker)]
    fn is_worker() -> bool;
    /// Shows or tells that this instance has come to its end.
    #[wasm_bindgen(js_namespace = thalweg)]
    fn died(message: &str);
    /// Hands a file over to the person at the page.
    #[wasm_bindgen(js_namespace = thalweg)]
    fn download(name: &str, bytes: &[u8]);
    /// Fulfilled in a later turn of the event loop, without the four milliseconds that `setTimeout` takes.
    #[wasm_bindgen(js_namespace = thalweg, js_name = nextTurn)]
    fn next_turn() -> Promise;
    #[wasm_bindgen(js_namespace = console, js_name = error)]
    fn console_error(message: &str);
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now_millis() -> f64;
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(run: &Function, delay_millis: i32) -> JsValue;
}

#[expect(unsafe_code, reason = "the linker's name for what must be called once before anything else")]
mod constructors {
    unsafe extern "C" {
        fn __wasm_call_ctors();
    }

    /// Runs what the crates registered to be run at the start. A module that never does so itself runs it again at every
    /// call from JavaScript, tens of thousands of registrations each time.
    pub fn run() {
        // SAFETY: made by the linker, takes and gives nothing; `begin` calls it once.
        unsafe { __wasm_call_ctors() }
    }
}

pub const IN_A_BROWSER: bool = true;

pub fn begin() -> Role {
    constructors::run();
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.to_string();
        console_error(&message);
        died(&message);
    }));
    if is_worker() { Role::Worker } else { Role::Page }
}

pub fn give_up(message: &str) {
    died(message);
}

pub fn deliver(path: &Path) -> std::io::Result<()> {
    if !path.starts_with(DOWNLOADS) {
        return Ok(());
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if fs::is_folder(path) {
        download(&format!("{name}.zip"), &zipped(path)?);
        return fs::remove_dir_all(path);
    }
    download(&name, &fs::read(path)?);
    fs::remove_file(path)
}

/// A folder without folders in it, as one file.
fn zipped(folder: &Path) -> std::io::Result<Vec<u8>> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        zip.start_file(
            path.file_name().unwrap_or_default().to_string_lossy(),
            zip::write::SimpleFileOptions::default(),
        )?;
        zip.write_all(&fs::read(&path)?)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// JavaScript's reason for a failure.
fn reason(error: &JsValue) -> String {
    error
        .dyn_ref::<js_sys::Error>()
        .map(|error| String::from(error.message()))
        .or_else(|| error.dyn_ref::<web_sys::DomException>().map(web_sys::DomException::message))
        .or_else(|| error.as_string())
        .unwrap_or_else(|| "the browser says no more".to_owned())
}

pub fn now_secs() -> f64 {
    performance_now_millis() / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a float that is cut off to a u64 is never out of range"
)]
pub fn unix_time_secs() -> u64 {
    (Date::now() / 1000.0) as u64
}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with native.rs, where it is not always known")]
pub fn peak_memory_bytes() -> Option<u64> {
    const PAGE_BYTES: u64 = 65_536;
    Some(core::arch::wasm32::memory_size::<0>() as u64 * PAGE_BYTES)
}

/// What is left of the four gibibytes that a module can address.
pub fn available_memory_bytes() -> Option<u64> {
    peak_memory_bytes().map(|used| (4_u64 << 30).saturating_sub(used))
}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with native.rs, where it is not always known")]
pub fn cache_folder() -> Option<PathBuf> {
    Some(Path::new(KEPT).join("cache"))
}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with native.rs, where it is not always known")]
pub fn data_folder() -> Option<PathBuf> {
    Some(PathBuf::from(KEPT))
}

pub fn font_folders() -> Vec<PathBuf> {
    Vec::new()
}

pub fn reset_peak_memory() -> bool {
    false
}

pub fn cpu_threads() -> usize {
    1
}

pub fn can_block() -> bool {
    false
}

pub async fn yield_now() {
    thread_local! { static LAST_TURN: Cell<f64> = const { Cell::new(0.0) }; }
    if now_secs() - LAST_TURN.get() >= TURN_SECS {
        JsFuture::from(next_turn()).await.ok();
        LAST_TURN.set(now_secs());
    }
}

pub async fn pause() {
    timeout(PAUSE_MILLIS.into()).await;
}

/// A promise that is already fulfilled would go on before any message or frame; a timeout goes on after them.
async fn timeout(millis: i32) {
    let later = Promise::new(&mut |resolve, _reject| {
        set_timeout(&resolve, millis);
    });
    // setTimeout never rejects.
    JsFuture::from(later).await.ok();
}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with native.rs, where it can fail")]
pub fn spawn<F>(_name: &str, make: impl FnOnce() -> F + Send + 'static) -> Result<(), PlatformError>
where
    F: Future<Output = ()> + 'static,
{
    spawn_local(async move { make().await });
    Ok(())
}

pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, PlatformError> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Ok(value),
        Poll::Pending => Err(PlatformError::WouldBlock),
    }
}

#[cfg(feature = "app")]
pub fn open_window(
    wgpu: eframe::egui_wgpu::WgpuConfiguration,
    make: eframe::AppCreator<'static>,
) -> Result<(), PlatformError> {
    let canvas = web_sys::window()
        .and_then(|window| window.document())
        .and_then(|document| document.get_element_by_id(CANVAS_ID))
        .and_then(|element| element.dyn_into::<web_sys::HtmlCanvasElement>().ok())
        .ok_or_else(|| PlatformError::NoWindow(format!("the page has no canvas named `{CANVAS_ID}`")))?;
    // Where there is no WebGPU, WebGL draws the window as well; only the relief of the landscape stays a map.
    let renderer = if page::has_webgpu() { eframe::Renderer::Wgpu } else { eframe::Renderer::Glow };
    let options = eframe::WebOptions { renderer, wgpu_options: wgpu, ..eframe::WebOptions::default() };
    spawn_local(async move {
        if let Err(error) = eframe::WebRunner::new().start(canvas, options, make).await {
            died(&format!("the window could not be drawn: {}", reason(&error)));
        }
    });
    Ok(())
}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with native.rs, where it can fail")]
pub fn on_interrupt(_react: impl FnMut() + Send + 'static) -> Result<(), PlatformError> {
    Ok(())
}
