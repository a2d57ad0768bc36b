//! The desktop: threads, the operating system's clocks, `/proc`.

pub mod http;

use std::env;
use std::fs;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use super::{PAUSE_MILLIS, PlatformError, Role, StorageEstimate, ToWorker, Wire};

/// Under which the system keeps the window's memory.
#[cfg(feature = "app")]
const APP_ID: &str = "thalweg";

pub const IN_A_BROWSER: bool = false;

pub fn begin() -> Role {
    Role::Desktop
}

pub fn give_up(message: &str) {
    eprintln!("{message}");
}

pub fn open_worker(_: impl Fn() + 'static) -> Result<Box<dyn Wire>, PlatformError> {
    Err(PlatformError::NoWorker("the engine has a thread of its own".to_owned()))
}

pub fn serve_page(_: impl FnMut(ToWorker) + 'static) {}

pub fn send_to_page(_: &[u8]) {}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with web.rs, where it can fail")]
pub fn deliver(_: &Path) -> std::io::Result<()> {
    Ok(())
}

pub fn dropped() -> Vec<PathBuf> {
    Vec::new()
}

pub fn address() -> Option<String> {
    None
}

pub fn take_fragment() -> Option<String> {
    None
}

pub fn window_lost(why: &str) {
    eprintln!(
        "the window lost its graphics device ({why}): start the program anew; a run goes on from its last checkpoint"
    );
}

pub fn drawn() {}

pub fn on_news(_: impl Fn() + 'static) {}

pub fn is_read_only() -> bool {
    false
}

pub fn lacks_webgpu() -> bool {
    false
}

pub fn wants_tree() -> bool {
    false
}

pub fn show_tree(_: &str) {}

#[expect(clippy::disallowed_methods, reason = "this is the clock that all others ask")]
pub fn now_secs() -> f64 {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed().as_secs_f64()
}

#[expect(clippy::disallowed_methods, reason = "this is the calendar that all others ask")]
pub fn unix_time_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

pub fn peak_memory_bytes() -> Option<u64> {
    peak_resident_bytes(&fs::read_to_string("/proc/self/status").ok()?)
}

pub fn available_memory_bytes() -> Option<u64> {
    kibibytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable:")
}

pub fn cache_folder() -> Option<PathBuf> {
    folder("XDG_CACHE_HOME", ".cache", "Library/Caches")
}

pub fn data_folder() -> Option<PathBuf> {
    folder("XDG_DATA_HOME", ".local/share", "Library/Application Support")
}

#[expect(clippy::unused_async, reason = "of one shape with web.rs")]
pub async fn storage_estimate() -> Option<StorageEstimate> {
    None
}

pub fn font_folders() -> Vec<PathBuf> {
    let home = |below: &str| env::var_os("HOME").map(|home| Path::new(&home).join(below));
    let all = match env::consts::OS {
        "windows" => vec![
            env::var_os("LOCALAPPDATA").map(|local| Path::new(&local).join("Microsoft/Windows/Fonts")),
            env::var_os("WINDIR").map(|windows| Path::new(&windows).join("Fonts")),
        ],
        "macos" => {
            vec![home("Library/Fonts"), Some("/Library/Fonts".into()), Some("/System/Library/Fonts".into())]
        }
        _ => vec![
            home(".local/share/fonts"),
            home(".fonts"),
            Some("/usr/local/share/fonts".into()),
            Some("/usr/share/fonts".into()),
        ],
    };
    all.into_iter().flatten().collect()
}

/// The program's part of the folder where this system keeps such things.
fn folder(variable: &str, below_home: &str, on_mac: &str) -> Option<PathBuf> {
    let set = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let root = match env::consts::OS {
        "windows" => set("LOCALAPPDATA"),
        "macos" => set("HOME").map(|home| home.join(on_mac)),
        _ => set(variable).or_else(|| set("HOME").map(|home| home.join(below_home))),
    };
    root.map(|root| root.join("thalweg"))
}

pub fn reset_peak_memory() -> bool {
    // proc(5): "5" sets the peak resident set to what is resident now.
    fs::write("/proc/self/clear_refs", "5").is_ok()
}

#[expect(clippy::disallowed_methods, reason = "this is the count that all others ask")]
pub fn cpu_threads() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

pub fn can_block() -> bool {
    true
}

#[expect(clippy::unused_async, reason = "of one shape with web.rs; others have threads of their own")]
pub async fn yield_now() {}

#[expect(clippy::unused_async, reason = "of one shape with web.rs; this thread has nothing else to do")]
pub async fn pause() {
    thread::sleep(Duration::from_millis(PAUSE_MILLIS.into()));
}

pub fn spawn<F>(name: &str, make: impl FnOnce() -> F + Send + 'static) -> Result<(), PlatformError>
where
    F: Future<Output = ()> + 'static,
{
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || wait_for(make()))
        .map(drop)
        .map_err(|source| PlatformError::Thread { name: name.to_owned(), source })
}

#[expect(clippy::unnecessary_wraps, reason = "of one shape with web.rs, where it can fail")]
pub fn block_on<T>(future: impl Future<Output = T>) -> Result<T, PlatformError> {
    Ok(wait_for(future))
}

#[cfg(feature = "app")]
pub fn ask(
    dialogue: &super::Dialogue,
    answer: impl FnOnce(Vec<PathBuf>) + Send + 'static,
) -> Result<(), PlatformError> {
    use super::Dialogue;
    use rfd::{AsyncFileDialog, FileHandle};
    let paths = |handles: Vec<FileHandle>| handles.iter().map(|handle| handle.path().to_path_buf()).collect();
    // Made here, on the window's thread, as macOS wants it, and waited for on another.
    match dialogue {
        Dialogue::Folder { title } => {
            let chosen = AsyncFileDialog::new().set_title(*title).pick_folder();
            spawn("dialogue", move || async move { answer(paths(chosen.await.into_iter().collect())) })
        }
        Dialogue::Files { title, kind, endings, several } => {
            let dialogue = AsyncFileDialog::new().set_title(*title).add_filter(*kind, endings);
            if *several {
                let chosen = dialogue.pick_files();
                spawn("dialogue", move || async move { answer(paths(chosen.await.unwrap_or_default())) })
            } else {
                let chosen = dialogue.pick_file();
                spawn("dialogue", move || async move { answer(paths(chosen.await.into_iter().collect())) })
            }
        }
        Dialogue::Save { name } => {
            let chosen = AsyncFileDialog::new().set_file_name(name).save_file();
            spawn("dialogue", move || async move { answer(paths(chosen.await.into_iter().collect())) })
        }
    }
}

#[cfg(feature = "app")]
pub fn open_window(
    wgpu: eframe::egui_wgpu::WgpuConfiguration,
    make: eframe::AppCreator<'static>,
) -> Result<(), PlatformError> {
    let options = eframe::NativeOptions {
        viewport: eframe::egui::ViewportBuilder::default()
            .with_app_id(APP_ID)
            .with_title("Thalweg")
            .with_inner_size([1280.0, 800.0])
            .with_min_inner_size([480.0, 360.0])
            .with_drag_and_drop(true),
        renderer: eframe::Renderer::Wgpu,
        wgpu_options: wgpu,
        persist_window: true,
        ..eframe::NativeOptions::default()
    };
    eframe::run_native("Thalweg", options, make).map_err(|error| PlatformError::NoWindow(error.to_string()))
}

pub fn on_interrupt(mut react: impl FnMut() + Send + 'static) -> Result<(), PlatformError> {
    static LISTENING: AtomicBool = AtomicBool::new(false);
    let refused = |reason: String| PlatformError::Interrupt { reason };
    if LISTENING.swap(true, Ordering::SeqCst) {
        return Err(refused("somebody listens already".to_owned()));
    }
    let heard = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&heard)).map_err(|error| refused(error.to_string()))?;
    }
    // A signal handler may do next to nothing, so it sets a flag and this thread looks at it.
    thread::Builder::new()
        .name("interrupts".to_owned())
        .spawn(move || {
            loop {
                if heard.swap(false, Ordering::SeqCst) {
                    react();
                }
                thread::sleep(Duration::from_millis(PAUSE_MILLIS.into()));
            }
        })
        .map(drop)
        .map_err(|error| refused(error.to_string()))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn wait_for<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut context = Context::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => return value,
            // A wake between the poll and this line is not lost: it leaves a token that park() takes.
            Poll::Pending => thread::park(),
        }
    }
}

/// Reads the line `VmHWM:   12345 kB` of `/proc/self/status`.
fn peak_resident_bytes(status: &str) -> Option<u64> {
    kibibytes(status, "VmHWM:")
}

/// The number behind `name` in a file of lines such as `name  12345 kB`, in bytes; the kernel's kB are 1024 bytes.
fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kibibytes.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn the_peak_is_read_in_bytes() {
        assert_eq!(peak_resident_bytes("Name:\tx\nVmHWM:\t    2048 kB\nVmRSS:\t 1 kB\n"), Some(2_097_152));
        assert_eq!(peak_resident_bytes("Name:\tx\n"), None);
        assert_eq!(peak_resident_bytes("VmHWM:\tmany kB\n"), None);
        assert_eq!(peak_resident_bytes("VmHWM: 18446744073709551615 kB\n"), None);
    }

    #[test]
    fn memory_that_was_touched_is_in_the_peak() {
        let Some(before) = peak_memory_bytes() else { return };
        let block = vec![1_u8; 64 << 20];
        let after = peak_memory_bytes().unwrap();
        assert!(after >= 64 << 20, "64 MiB are held but the peak is {after}, before {before}, {}", block[7]);
    }

    #[test]
    fn a_spawned_task_runs_on_a_thread_of_its_name_and_is_woken_from_another() {
        let (done, finished) = mpsc::channel();
        spawn("a task", move || async move {
            let mut woken = false;
            std::future::poll_fn(|context| {
                if woken {
                    return Poll::Ready(());
                }
                woken = true;
                let waker = context.waker().clone();
                thread::Builder::new().spawn(move || waker.wake()).unwrap();
                Poll::Pending
            })
            .await;
            done.send(thread::current().name().map(ToOwned::to_owned)).unwrap();
        })
        .unwrap();
        assert_eq!(finished.recv_timeout(Duration::from_secs(10)).unwrap().as_deref(), Some("a task"));
    }

    #[cfg(unix)]
    #[test]
    fn an_interrupt_calls_instead_of_ending_and_has_one_listener() {
        let (heard, interrupts) = mpsc::channel();
        on_interrupt(move || heard.send(()).unwrap()).unwrap();
        for _ in 0..2 {
            let sent =
                std::process::Command::new("sh").args(["-c", &format!("kill -INT {}", std::process::id())]).status();
            assert!(sent.unwrap().success());
            interrupts.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        assert!(matches!(on_interrupt(|| {}), Err(PlatformError::Interrupt { .. })));
    }
}
