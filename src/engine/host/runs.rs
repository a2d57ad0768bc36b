//! Run folders and capsules as a window opens, renames, packs and deletes them.

use super::{Teller, logged};
use crate::continual::find;
use crate::continual::replay::ReplayBuffer;
use crate::engine::EngineError;
use crate::engine::protocol::buffer::{BufferChange, BufferWatch};
use crate::engine::protocol::{Command, Event};
use crate::engine::report::{RunReport, StepReport};
use crate::engine::run::{read_interrupted, written_adapters};
use crate::engine::run_folder::{BUFFER_FILE, CHECKPOINT_FILE, CONFIG_FILE, REPORT_JSON, RunFolder};
use crate::io::IoError;
use crate::io::atomic::write_file;
use crate::io::capsule;
use crate::platform::{self, fs};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// A title that somebody gave a run; the configuration in the folder stays frozen.
const TITLE_FILE: &str = "title.txt";

/// Answers a command about runs.
pub(super) fn answer(command: &Command, teller: &Teller) -> Result<(), EngineError> {
    match command {
        Command::OpenRuns { run, folder } => open_all(*run, Path::new(folder), teller),
        Command::OpenCapsule { run, path } => open_capsule(*run, Path::new(path), teller),
        Command::SaveCapsule { folder, path, .. } => save_capsule(Path::new(folder), Path::new(path), teller),
        Command::RenameRun { run, folder, title } => {
            let folder = run_folder(Path::new(folder))?;
            write_file(&folder.join(TITLE_FILE), title.trim().as_bytes())?;
            teller.tell(Event::RunRenamed { run: *run, title: title.trim().to_string() });
            Ok(())
        }
        Command::DeleteRun { run, folder } if !fs::is_there(Path::new(folder)) => {
            // Somebody removed it by hand: there is nothing left to delete.
            teller.tell(Event::RunDeleted { run: *run });
            Ok(())
        }
        Command::DeleteRun { run, folder } => {
            let folder = run_folder(Path::new(folder))?;
            fs::remove_dir_all(&folder).map_err(|error| refused(&folder, &error))?;
            teller.tell(Event::RunDeleted { run: *run });
            Ok(())
        }
        _ => Err(EngineError::Setting("this needs a run in progress: start or resume one".into())),
    }
}

fn refused(path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::Run(format!("{} cannot be used: {error}", path.display()))
}

/// The folder, if it is a run's: nothing else is ever deleted or written to.
fn run_folder(folder: &Path) -> Result<PathBuf, EngineError> {
    if fs::is_file(&folder.join(CONFIG_FILE)) {
        return Ok(folder.to_path_buf());
    }
    Err(EngineError::Run(format!("{} is no run's folder: {CONFIG_FILE} is missing there", folder.display())))
}

/// A run that waits for its turn to go on, with the settings that it was begun with.
pub(super) fn queued(run: usize, folder: &Path) -> Result<Event, EngineError> {
    let (_, experiment) = RunFolder::open(folder)?;
    let method = experiment.methods.first().map(|method| method.name().to_string()).unwrap_or_default();
    let method_label = find(&method).map_or(method, |entry| entry.label.to_string());
    Ok(Event::RunQueued { run, method_label, experiment: Box::new(experiment) })
}

/// A run's folder, or all runs in a folder.
fn open_all(first: usize, folder: &Path, teller: &Teller) -> Result<(), EngineError> {
    if fs::is_file(&folder.join(CONFIG_FILE)) {
        teller.tell(open(first, folder, Some(folder))?);
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(|error| refused(folder, &error))?;
    let mut inside: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    inside.retain(|path| fs::is_file(&path.join(CONFIG_FILE)));
    inside.sort();
    if inside.is_empty() {
        return Err(EngineError::Run(format!(
            "{} holds no run: choose a run's folder (with {CONFIG_FILE}) or a folder of runs",
            folder.display()
        )));
    }
    let mut number = first;
    for path in inside {
        match open(number, &path, Some(&path)) {
            Ok(event) => {
                teller.tell(event);
                number += 1;
            }
            Err(error) => teller.tell(Event::Warned { message: format!("left out {}: {error}", path.display()) }),
        }
    }
    Ok(())
}

/// Everything that a folder tells of its run. `shown` is where it lives; `None` for a capsule,
/// which is for looking at.
fn open(run: usize, folder: &Path, shown: Option<&Path>) -> Result<Event, EngineError> {
    let (opened, experiment) = RunFolder::open(folder)?;
    let finished = opened.report()?;
    let (report, steps, steps_total, resumable): (Option<RunReport>, Vec<StepReport>, u64, bool) = match finished {
        Some(report) => {
            let steps = report.steps.clone();
            (Some(report), steps, 0, false)
        }
        None => match read_interrupted(&opened, &experiment)? {
            Some(known) => (Some(known.report), known.steps, known.steps_total, true),
            None => (None, Vec::new(), 0, fs::is_there(&folder.join(CHECKPOINT_FILE))),
        },
    };
    let title = fs::read_to_string(folder.join(TITLE_FILE)).ok().filter(|title| !title.trim().is_empty());
    let report = report.map(|mut report| {
        report.title = title.unwrap_or_else(|| format!("{}, seed {}", report.method_label, report.seed));
        Box::new(report)
    });
    Ok(Event::RunOpened {
        run,
        folder: shown.map(|path| path.display().to_string()),
        experiment: Box::new(experiment),
        report,
        steps_total: steps_total.max(steps.last().map_or(0, |step| step.step)),
        steps,
        buffer: buffer(folder)?.map(Box::new),
        adapters: written_adapters(folder),
        resumable: resumable && shown.is_some(),
    })
}

/// The buffer that a finished run left.
fn buffer(folder: &Path) -> Result<Option<BufferChange>, EngineError> {
    let file = folder.join(BUFFER_FILE);
    let text = match fs::read_to_string(&file) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(IoError::reading(&file, &error).into()),
    };
    let buffer =
        ReplayBuffer::from_jsonl(&text).map_err(|error| EngineError::Run(format!("{}: {error}", file.display())))?;
    let last = buffer.items().iter().filter_map(|item| item.last_replay_step).max().unwrap_or(0);
    Ok(BufferWatch::default().difference(&buffer, last))
}

fn save_capsule(folder: &Path, path: &Path, teller: &Teller) -> Result<(), EngineError> {
    let folder = run_folder(folder)?;
    // Before its end all that a run has measured is in its checkpoint.
    let with_checkpoint = !fs::is_file(&folder.join(REPORT_JSON));
    let summary = capsule::save(&folder, with_checkpoint, path, &mut |_, _| true)
        .map_err(|error| EngineError::Run(error.to_string()))?;
    teller.tell(logged(format!("packed {} files", summary.files)));
    teller.tell(Event::Exported { what: "the capsule".into(), path: path.display().to_string() });
    Ok(())
}

/// Unpacks a capsule into the cache, so that its adapters can be used too, and opens it from there.
fn open_capsule(run: usize, path: &Path, teller: &Teller) -> Result<(), EngineError> {
    let cache = platform::cache_folder().unwrap_or_else(std::env::temp_dir).join("capsules");
    fs::create_dir_all(&cache).map_err(|error| refused(&cache, &error))?;
    let file = fs::File::open(path).map_err(|error| refused(path, &error))?;
    let inside = cache.join(unpacked_name(path, &file.metadata().map_err(|error| refused(path, &error))?));
    // Opened before, and not changed since: it lies there already.
    if let Ok(event) = open(run, &inside, None) {
        teller.tell(event);
        return Ok(());
    }
    let clear = || match fs::remove_dir_all(&inside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(refused(&inside, &error)),
        _ => Ok(()),
    };
    clear()?;
    let unpacked = capsule::unpack(std::io::BufReader::new(file), &inside, &mut |_, _| true)
        .map_err(|error| EngineError::Run(format!("{}: {error}", path.display())))
        .and_then(|_| open(run, &inside, None));
    match unpacked {
        Ok(event) => teller.tell(event),
        Err(error) => {
            // What cannot be opened is not kept either.
            clear()?;
            return Err(error);
        }
    }
    Ok(())
}

/// One folder for one state of one capsule.
fn unpacked_name(path: &Path, file: &fs::Metadata) -> String {
    let whole = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let mut hasher = Sha256::new();
    hasher.update(whole.to_string_lossy().as_bytes());
    hasher.update(format!("{} {:?}", file.len(), file.modified().ok()));
    hasher.finalize().iter().take(12).fold(String::new(), |name, byte| name + &format!("{byte:02x}"))
}
