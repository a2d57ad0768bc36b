//! The browser, page or worker: one thread, an event loop, JavaScript's clocks.

use std::future::Future;
use std::path::PathBuf;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use js_sys::{Date, Function, Promise};
use wasm_bindgen::JsCast as _;
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::{JsFuture, spawn_local};

use super::{PAUSE_MILLIS, PlatformError};

/// The element of `web/index.html` that the window is drawn in.
#[cfg(feature = "app")]
const CANVAS_ID: &str = "thalweg";

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_namespace = performance, js_name = now)]
    fn performance_now_millis() -> f64;
    #[wasm_bindgen(js_name = setTimeout)]
    fn set_timeout(run: &Function, delay_millis: i32) -> JsValue;
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

pub fn available_memory_bytes() -> Option<u64> {
    None
}

pub fn cache_folder() -> Option<PathBuf> {
    None
}

pub fn data_folder() -> Option<PathBuf> {
    None
}

pub fn reset_peak_memory() -> bool {
    false
}

pub fn cpu_threads() -> usize {
    1
}

pub async fn yield_now() {
    timeout(0).await;
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
    let options = eframe::WebOptions { wgpu_options: wgpu, ..eframe::WebOptions::default() };
    spawn_local(async move {
        if let Err(error) = eframe::WebRunner::new().start(canvas, options, make).await {
            tracing::error!("the window could not be drawn: {error:?}");
        }
    });
    Ok(())
}

#[cfg(feature = "app")]
pub fn ask(_: &super::Dialogue, _: impl FnOnce(Vec<PathBuf>) + Send + 'static) -> Result<(), PlatformError> {
    Err(PlatformError::NoDialogue)
}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with native.rs, where it can fail")]
pub fn on_interrupt(_react: impl FnMut() + Send + 'static) -> Result<(), PlatformError> {
    Ok(())
}
