//! Capsules, packed and opened on a thread of their own: told as they go on, and cancelled like downloads.

use super::runs::{open, refused, run_folder};
use super::{Shared, Teller, lock, logged};
use crate::engine::EngineError;
use crate::engine::protocol::{Command, Event};
use crate::engine::run::refusal;
use crate::engine::run_folder::REPORT_JSON;
use crate::io::capsule::{self, CapsuleError};
use crate::platform::{self, fs};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// At most one event of progress in so many seconds; what is done sooner is told by its end alone.
const EVENT_SECS: f64 = 0.1;

/// Packs or opens beside everything else; the clerk goes on.
pub(super) fn begin(command: &Command, shared: &Arc<Shared>, teller: &Teller) {
    let (held, why) = match command {
        Command::SaveCapsule { folder, .. } => (PathBuf::from(folder), "it is being packed into a capsule"),
        // Under construction it has another name than later, so the whole folder is held.
        _ => (unpacked_folder(), "a capsule is being unpacked"),
    };
    let hold = shared.holds.hold(None, why, [held]);
    let (own, own_shared, own_teller) = (command.clone(), shared.clone(), teller.clone());
    let spawned = platform::spawn("capsule", move || async move {
        let _hold = hold;
        carry_out(&own, &own_shared, &own_teller);
    });
    if let Err(error) = spawned {
        teller.tell(Event::Refused { what: "the capsule".into(), message: error.to_string() });
    }
}

fn carry_out(command: &Command, shared: &Shared, teller: &Teller) {
    let (run, packing) = match command {
        Command::SaveCapsule { run, .. } => (*run, true),
        Command::OpenCapsule { run, .. } => (*run, false),
        _ => return,
    };
    let mut last_event = platform::now_secs();
    let mut progress = |done_bytes: u64, total_bytes: u64| {
        if platform::now_secs() - last_event >= EVENT_SECS {
            last_event = platform::now_secs();
            teller.tell(Event::CapsuleProgressed { run, packing, done_bytes, total_bytes });
        }
        !lock(&shared.uncapsuled).contains(&run)
    };
    let done = match command {
        Command::SaveCapsule { folder, path, .. } => {
            save(Path::new(folder), Path::new(path), &mut progress).map(|files| {
                teller.tell(logged(format!("packed {files} files")));
                Event::Exported { what: "the capsule".into(), path: path.clone() }
            })
        }
        Command::OpenCapsule { path, .. } => unpack(run, Path::new(path), &unpacked_folder(), &mut progress),
        _ => return,
    };
    // The end first, so that nothing is shown as going on that is told to be there.
    teller.tell(Event::CapsuleEnded { run });
    match done {
        Ok(event) => teller.tell(event),
        Err(Fault::Cancelled) => {
            let what = if packing { "packing" } else { "opening" };
            teller.tell(logged(format!("{what} the capsule was cancelled; nothing was left behind")));
        }
        Err(Fault::Other(error)) => teller.tell(refusal(command, &error)),
    }
}

/// Why there is no capsule, or none that is open.
#[derive(Debug)]
enum Fault {
    Cancelled,
    Other(EngineError),
}

impl From<EngineError> for Fault {
    fn from(error: EngineError) -> Self {
        Self::Other(error)
    }
}

fn fault(error: &CapsuleError, path: Option<&Path>) -> Fault {
    match (error, path) {
        (CapsuleError::Cancelled, _) => Fault::Cancelled,
        (error, Some(path)) => EngineError::Run(format!("{}: {error}", path.display())).into(),
        (error, None) => EngineError::Run(error.to_string()).into(),
    }
}

fn save(folder: &Path, path: &Path, progress: &mut dyn FnMut(u64, u64) -> bool) -> Result<usize, Fault> {
    let folder = run_folder(folder)?;
    // Before its end all that a run has measured is in its checkpoint.
    let with_checkpoint = !fs::is_file(&folder.join(REPORT_JSON));
    let summary = capsule::save(&folder, with_checkpoint, path, progress).map_err(|error| fault(&error, None))?;
    Ok(summary.files)
}

/// Where capsules are unpacked to.
pub(super) fn unpacked_folder() -> PathBuf {
    platform::cache_folder().unwrap_or_else(std::env::temp_dir).join("capsules")
}

/// Unpacks a capsule into the cache, so that its adapters can be used too, and opens it from there.
fn unpack(run: usize, path: &Path, cache: &Path, progress: &mut dyn FnMut(u64, u64) -> bool) -> Result<Event, Fault> {
    fs::create_dir_all(cache).map_err(|error| refused(cache, &error))?;
    let file = fs::File::open(path).map_err(|error| refused(path, &error))?;
    let inside = cache.join(unpacked_name(path, &file.metadata().map_err(|error| refused(path, &error))?));
    // Opened before, and not changed since: it lies there already.
    if let Ok(event) = open(run, &inside, None) {
        return Ok(event);
    }
    let clear = || match fs::remove_dir_all(&inside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(refused(&inside, &error)),
        _ => Ok(()),
    };
    clear()?;
    let unpacked = capsule::unpack(std::io::BufReader::new(file), &inside, progress)
        .map_err(|error| fault(&error, Some(path)))
        .and_then(|_| Ok(open(run, &inside, None)?));
    if unpacked.is_err() {
        // What cannot be opened is not kept either.
        clear()?;
    }
    unpacked
}

/// One folder for one state of one capsule.
fn unpacked_name(path: &Path, file: &fs::Metadata) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut hasher = Sha256::new();
    hasher.update(whole.to_string_lossy().as_bytes());
    hasher.update(format!("{} {:?}", file.len(), file.modified().ok()));
    hasher.finalize().iter().take(12).fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::ExperimentConfig;
    use crate::engine::run_folder::RunFolder;
    use crate::platform::scratch;
    use std::sync::Mutex;

    /// A run with something in it to be packed.
    fn run(parent: &Path) -> PathBuf {
        let experiment = ExperimentConfig {
            methods: vec![crate::engine::config::MethodConfig::Name("seq".into())],
            ..ExperimentConfig::default()
        };
        let folder = RunFolder::create(parent, "seq-seed1", &experiment).unwrap().path().to_path_buf();
        std::fs::write(folder.join("metrics.csv"), vec![b'1'; 1 << 20]).unwrap();
        folder
    }

    #[test]
    fn packing_and_opening_are_told_and_can_be_cancelled() {
        let scratch = scratch::folder().unwrap();
        let (folder, capsule) = (run(scratch.path()), scratch.path().join("run.thalweg"));
        let mut told = Vec::new();
        let files = save(&folder, &capsule, &mut |done, total| {
            told.push((done, total));
            true
        })
        .unwrap();
        assert!(files >= 2 && told.len() > 2 && told.last().unwrap().0 == told.last().unwrap().1, "{told:?}");
        let cancelled = scratch.path().join("cancelled.thalweg");
        assert!(matches!(save(&folder, &cancelled, &mut |done, _| done == 0), Err(Fault::Cancelled)));
        assert!(!cancelled.exists());

        let cache = scratch.path().join("cache");
        assert!(matches!(unpack(7, &capsule, &cache, &mut |_, _| false), Err(Fault::Cancelled)));
        assert_eq!(std::fs::read_dir(&cache).unwrap().count(), 0, "nothing was left behind");
        let opened = unpack(7, &capsule, &cache, &mut |_, _| true).unwrap();
        assert!(matches!(opened, Event::RunOpened { run: 7, folder: None, .. }));
    }

    #[test]
    fn the_end_is_told_whatever_it_is() {
        let scratch = scratch::folder().unwrap();
        let folder = run(scratch.path()).display().to_string();
        let path = scratch.path().join("run.thalweg").display().to_string();
        let told = Arc::new(Mutex::new(Vec::new()));
        let heard = told.clone();
        let teller = Teller(Arc::new(move |event| lock(&heard).push(event)));
        let shared = Shared::default();
        let command = Command::SaveCapsule { run: 4, folder, path: path.clone() };
        lock(&shared.uncapsuled).insert(4);
        carry_out(&command, &shared, &teller);
        let cancelled = std::mem::take(&mut *lock(&told));
        assert!(
            matches!(cancelled.as_slice(), [Event::CapsuleEnded { run: 4 }, Event::Logged { message, .. }] if message.contains("cancelled")),
            "{cancelled:?}"
        );
        lock(&shared.uncapsuled).clear();
        carry_out(&command, &shared, &teller);
        assert!(matches!(lock(&told).last(), Some(Event::Exported { path: written, .. }) if *written == path));
    }
}
