//! What differs between a desktop and a browser: clock, memory, threads, waiting, the window.
//!
//! `native.rs` and `web.rs` have one shape, function for function, and one of them is compiled.
//! Invariant: this folder is the only place that asks for the target's architecture, and it knows no other layer.

pub mod fs;
pub mod http;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(any(test, target_arch = "wasm32"))]
mod tree;
#[cfg(target_arch = "wasm32")]
mod web;

#[cfg(test)]
mod checkout;
#[cfg(test)]
pub use checkout::checkout;
#[cfg(test)]
pub mod scratch;

#[cfg(not(target_arch = "wasm32"))]
use native as here;
#[cfg(target_arch = "wasm32")]
use web as here;

use std::future::Future;
use std::path::{Path, PathBuf};

use thiserror::Error;

/// How long [`pause`] waits.
const PAUSE_MILLIS: u16 = 20;

/// What the surroundings of the program cannot do.
#[derive(Debug, Error)]
pub enum PlatformError {
    /// The operating system gave no further thread.
    #[error(
        "no thread could be started for `{name}`: {source}. Close other programs, or raise the limit (`ulimit -u`)"
    )]
    Thread {
        /// What the thread was for.
        name: String,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Ctrl-C cannot be listened to.
    #[error(
        "Ctrl-C cannot be caught ({reason}): stop the run from another terminal, it can be resumed at its checkpoint"
    )]
    Interrupt {
        /// The operating system's reason, or that somebody listens already.
        reason: String,
    },
    /// There is no display, no driver, or no canvas.
    #[error("no window can be opened here: {0}")]
    NoWindow(String),
    /// The engine has threads here, or the browser starts no worker.
    #[error("no worker can be started here: {0}")]
    NoWorker(String),
    /// A browser's event loop must not be blocked.
    #[error("a browser cannot wait for work that is not finished yet: `.await` it, or start it with `platform::spawn`")]
    WouldBlock,
}

/// The method of `eframe::App` that is called when the window goes: with WebGL, which pages fall back to, eframe gives it an
/// argument.
#[cfg(all(feature = "app", not(target_arch = "wasm32")))]
macro_rules! exit_method {
    ($does:ident) => {
        fn on_exit(&mut self) {
            self.$does();
        }
    };
}
#[cfg(all(feature = "app", target_arch = "wasm32"))]
macro_rules! exit_method {
    ($does:ident) => {
        fn on_exit(&mut self, _: Option<&eframe::glow::Context>) {
            self.$does();
        }
    };
}
#[cfg(feature = "app")]
pub(crate) use exit_method;

/// Known while compiling, so that a page does not carry the command line along.
pub const IN_A_BROWSER: bool = here::IN_A_BROWSER;

/// What this instance of the program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// A process with threads.
    Desktop,
    /// The window's half in a browser; the engine is in a worker.
    Page,
    /// The engine's half.
    Worker,
}

/// What a worker tells its page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FromWorker {
    Letter(Vec<u8>),
    /// It ended by a fault; why.
    Died(String),
    /// Its graphics device is gone, and with it all that lay there; why. Only another worker gets another device.
    GraphicsLost(String),
}

/// What comes to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToWorker {
    Letter(Vec<u8>),
    /// The browser's storage, in a sentence.
    Storage(String),
}

/// A page's wire to its worker.
pub trait Wire {
    fn send(&self, letter: &[u8]);
    /// All that came since the last call.
    fn receive(&self) -> Vec<FromWorker>;
    /// Ends the worker and starts another one.
    fn restart(&self);
}

/// To be called once, before anything else.
pub fn begin() -> Role {
    here::begin()
}

/// Says that this instance of the program has come to its end, and why: on the desktop to the terminal.
pub fn give_up(message: &str) {
    here::give_up(message);
}

/// Starts the worker of a page; `heard` is called whenever something came from it.
///
/// # Errors
/// [`PlatformError::NoWorker`] on the desktop, or where the browser refuses.
pub fn open_worker(heard: impl Fn() + 'static) -> Result<Box<dyn Wire>, PlatformError> {
    here::open_worker(heard)
}

/// Answers a page from now on; does nothing on the desktop.
pub fn serve_page(answer: impl FnMut(ToWorker) + 'static) {
    here::serve_page(answer);
}

/// Sends a letter from a worker to its page; does nothing on the desktop.
pub fn send_to_page(letter: &[u8]) {
    here::send_to_page(letter);
}

/// Hands over a file or folder that was written to where a dialogue said: in a browser it is downloaded (a folder as a zip).
///
/// # Errors
/// A file that cannot be read.
pub fn deliver(path: &Path) -> std::io::Result<()> {
    here::deliver(path)
}

/// Files and folders that were dropped on the page since the last call. On the desktop egui tells them.
pub fn dropped() -> Vec<PathBuf> {
    here::dropped()
}

/// The page's address without `?` and `#` and what stands behind them; `None` on the desktop.
pub fn address() -> Option<String> {
    here::address()
}

/// What stands behind `#` in the page's address, which loses it.
pub fn take_fragment() -> Option<String> {
    here::take_fragment()
}

/// The window lost its graphics device: it cannot draw any more, not even this. The engine has a device of its own, and goes on.
pub fn window_lost(why: &str) {
    here::window_lost(why);
}

/// The window was drawn for the first time: what covers it can go.
pub fn drawn() {
    here::drawn();
}

/// Calls `wake` when something waits that the window does not hear of by itself: dropped files, another link.
pub fn on_news(wake: impl Fn() + 'static) {
    here::on_news(wake);
}

/// Is this a page, or its worker, that only looks, since another tab keeps the files? Then nothing is to be remembered, either,
/// and what would be deleted is the other tab's.
#[must_use]
pub fn is_read_only() -> bool {
    here::is_read_only()
}

/// Is this a page whose browser has no WebGPU, so that the processor computes everything?
#[must_use]
pub fn lacks_webgpu() -> bool {
    here::lacks_webgpu()
}

/// Does somebody want to read the window's tree of names and roles (a test, an inspector of accessibility)?
pub fn wants_tree() -> bool {
    here::wants_tree()
}

/// Shows that tree to who wants to read it.
pub fn show_tree(json: &str) {
    here::show_tree(json);
}

/// Seconds since some fixed moment of this run; never goes back. For durations.
#[must_use]
pub fn now_secs() -> f64 {
    here::now_secs()
}

/// Memory that programs can still have, in bytes, where the platform tells it.
#[must_use]
pub fn available_memory_bytes() -> Option<u64> {
    here::available_memory_bytes()
}

/// What a browser says of the room that it gives a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StorageEstimate {
    pub used_bytes: u64,
    pub quota_bytes: u64,
    /// It promised not to delete anything by itself when the disk gets full.
    pub promised: bool,
}

/// The room that the browser gives this page; `None` on the desktop, where files are the disk's.
pub async fn storage_estimate() -> Option<StorageEstimate> {
    here::storage_estimate().await
}

/// Folders where this system keeps fonts, those of the person first; none in a browser, which draws what the window's own
/// fonts lack by itself.
#[must_use]
pub fn font_folders() -> Vec<PathBuf> {
    here::font_folders()
}

/// The program's folder for what can be fetched again; it may not exist yet.
#[must_use]
pub fn cache_folder() -> Option<PathBuf> {
    here::cache_folder()
}

/// The program's folder for what people made; it may not exist yet.
#[must_use]
pub fn data_folder() -> Option<PathBuf> {
    here::data_folder()
}

/// Whole seconds since 1970-01-01 UTC; 0 if the clock stands before that. For file names and reports.
#[must_use]
pub fn unix_time_secs() -> u64 {
    here::unix_time_secs()
}

/// The most memory this process has held at once, in bytes.
///
/// Linux: the peak resident set (`VmHWM`). Browser: the size of the module's memory, which never shrinks.
/// Elsewhere `None`.
#[must_use]
pub fn peak_memory_bytes() -> Option<u64> {
    here::peak_memory_bytes()
}

/// Starts the measurement of [`peak_memory_bytes`] anew; false where that cannot be done (anywhere but Linux).
pub fn reset_peak_memory() -> bool {
    here::reset_peak_memory()
}

/// How many threads can compute at once, at least 1. A browser's module has one.
#[must_use]
pub fn cpu_threads() -> usize {
    here::cpu_threads()
}

/// Whether work may wait where it stands, as a download does on a thread of its own. Not in a browser.
#[must_use]
pub fn can_block() -> bool {
    here::can_block()
}

/// Gives others a turn: to be awaited between steps.
///
/// On the desktop this is ready at once, since others have threads of their own. In the browser it ends in a later
/// turn of the event loop, so that messages and drawing come through.
pub async fn yield_now() {
    here::yield_now().await;
}

/// Waits for about 20 ms: for a loop that has nothing to do until it is told, as a paused run.
///
/// On the desktop the thread sleeps; in the browser the event loop goes on meanwhile.
pub async fn pause() {
    here::pause().await;
}

/// Starts work that runs beside the caller: a named thread on the desktop, a task of the event loop in the browser.
///
/// `make` is called there and makes the future, which therefore need not be `Send`. A panic ends that work alone on
/// the desktop, and the whole module in the browser.
///
/// # Errors
/// [`PlatformError::Thread`] if the operating system gives no thread.
pub fn spawn<F>(name: &str, make: impl FnOnce() -> F + Send + 'static) -> Result<(), PlatformError>
where
    F: Future<Output = ()> + 'static,
{
    here::spawn(name, make)
}

/// Runs a future to its end on this thread and returns what it gives.
///
/// # Errors
/// [`PlatformError::WouldBlock`] in a browser, if the future is not ready the first time it is asked.
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, PlatformError> {
    here::block_on(future)
}

/// A dialogue of the operating system.
#[cfg(feature = "app")]
#[derive(Clone, Debug)]
pub enum Dialogue {
    /// A folder to read.
    Folder { title: &'static str },
    /// One file to read, or several; `kind` names what has these endings.
    Files { title: &'static str, kind: &'static str, endings: &'static [&'static str], several: bool },
    /// A place to write to, under a suggested name.
    Save { name: String },
}

/// Opens a dialogue beside everything else; `answer` gets what was chosen, nothing if it was closed. To be called from the
/// thread that draws the window, as some systems demand it.
///
/// # Errors
/// [`PlatformError::Thread`] if the operating system gives no thread.
#[cfg(feature = "app")]
pub fn ask(dialogue: &Dialogue, answer: impl FnOnce(Vec<PathBuf>) + Send + 'static) -> Result<(), PlatformError> {
    here::ask(dialogue, answer)
}

/// Opens the program's window, or takes the page's canvas, and draws in it what `make` makes. On the desktop this returns
/// when the window is closed, in a browser as soon as the canvas is found.
///
/// # Errors
/// [`PlatformError::NoWindow`] without a display, a graphics driver or a canvas.
#[cfg(feature = "app")]
pub fn open_window(
    wgpu: eframe::egui_wgpu::WgpuConfiguration,
    make: eframe::AppCreator<'static>,
) -> Result<(), PlatformError> {
    here::open_window(wgpu, make)
}

/// Calls `react` at every Ctrl-C (and, on Unix, `SIGTERM`) instead of ending the process, on a thread of its own.
/// A browser has no such thing: there it is never called.
///
/// # Errors
/// [`PlatformError::Interrupt`] if the operating system refuses, or this was called before.
pub fn on_interrupt(react: impl FnMut() + Send + 'static) -> Result<(), PlatformError> {
    here::on_interrupt(react)
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::rc::Rc;

    use super::*;

    #[test]
    fn time_does_not_go_back_and_the_calendar_is_ours() {
        let first = now_secs();
        let second = now_secs();
        assert!(first >= 0.0 && second >= first, "{first} then {second}");
        assert!(unix_time_secs() > 1_700_000_000, "the year is at least 2023");
        assert!(cpu_threads() >= 1);
    }

    #[test]
    fn a_pause_takes_its_time() {
        let before = now_secs();
        assert!(block_on(pause()).is_ok());
        let waited = now_secs() - before;
        assert!(waited >= 0.019, "a loop that waits so would be busy: {waited} s");
    }

    #[test]
    fn blocking_and_yielding_keep_the_order() {
        let seen = Rc::new(RefCell::new(Vec::new()));
        let inside = Rc::clone(&seen);
        let answer = block_on(async move {
            for turn in 0..3 {
                inside.borrow_mut().push(turn);
                yield_now().await;
            }
            42
        });
        assert_eq!(answer.ok(), Some(42));
        assert_eq!(*seen.borrow(), [0, 1, 2]);
    }
}
