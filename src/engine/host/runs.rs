//! Run folders and capsules as a window opens, renames, packs and deletes them.

use super::{Shared, Teller, lock};
use crate::continual::find;
use crate::continual::replay::ReplayBuffer;
use crate::engine::EngineError;
use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::buffer::{BufferChange, BufferWatch};
use crate::engine::protocol::{Command, Event};
use crate::engine::report::{RunReport, StepReport};
use crate::engine::run::{read_interrupted, written_adapters};
use crate::engine::run_folder::{BUFFER_FILE, CHECKPOINT_FILE, CONFIG_FILE, RunFolder};
use crate::io::IoError;
use crate::io::atomic::write_file;
use crate::platform::fs;
use std::path::{Path, PathBuf};

/// A title that somebody gave a run; the configuration in the folder stays frozen.
const TITLE_FILE: &str = "title.txt";

/// Answers a command about runs.
pub(super) fn answer(command: &Command, shared: &Shared, teller: &Teller) -> Result<(), EngineError> {
    match command {
        Command::OpenRuns { run, folder } => open_all(*run, Path::new(folder), teller),
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
            if let Some(why) = shared.holds.why(&folder, &lock(&shared.dropped).clone()) {
                return Err(EngineError::Run(format!("{} was not deleted: {why}", folder.display())));
            }
            fs::remove_dir_all(&folder).map_err(|error| refused(&folder, &error))?;
            teller.tell(Event::RunDeleted { run: *run });
            Ok(())
        }
        _ => Err(EngineError::Setting("this needs a run in progress: start or resume one".into())),
    }
}

pub(super) fn refused(path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::Run(format!("{} cannot be used: {error}", path.display()))
}

/// The folder, if it is a run's: nothing else is ever deleted or written to.
pub(super) fn run_folder(folder: &Path) -> Result<PathBuf, EngineError> {
    if fs::is_file(&folder.join(CONFIG_FILE)) {
        return Ok(folder.to_path_buf());
    }
    Err(EngineError::Run(format!("{} is no run's folder: {CONFIG_FILE} is missing there", folder.display())))
}

fn given_title(folder: &Path) -> Option<String> {
    fs::read_to_string(folder.join(TITLE_FILE)).ok().filter(|title| !title.trim().is_empty())
}

/// What people call the run in this folder, if there is one.
pub(super) fn title_of(folder: &Path) -> Option<String> {
    given_title(folder).or_else(|| {
        let (_, experiment) = RunFolder::open(folder).ok()?;
        let method = experiment.methods.first()?.name();
        let label = find(method).map_or(method, |entry| entry.label);
        Some(format!("{label}, seed {}", experiment.seed))
    })
}

/// A run that waits for its turn to go on, with the settings that it was begun with.
pub(super) fn queued(run: usize, folder: &Path) -> Result<(Event, ExperimentConfig), EngineError> {
    let (_, experiment) = RunFolder::open(folder)?;
    let method = experiment.methods.first().map(|method| method.name().to_string()).unwrap_or_default();
    let method_label = find(&method).map_or(method, |entry| entry.label.to_string());
    Ok((Event::RunQueued { run, method_label, experiment: Box::new(experiment.clone()) }, experiment))
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
pub(super) fn open(run: usize, folder: &Path, shown: Option<&Path>) -> Result<Event, EngineError> {
    let (opened, experiment) = RunFolder::open(folder)?;
    let finished = opened.report()?;
    // The buffer of a run that goes on or was interrupted is in its checkpoint; only a finished run has it in a file.
    let mut in_checkpoint = None;
    let (report, steps, steps_total, resumable): (Option<RunReport>, Vec<StepReport>, u64, bool) = match finished {
        Some(report) => {
            let steps = report.steps.clone();
            (Some(report), steps, 0, false)
        }
        None => match read_interrupted(&opened, &experiment)? {
            Some(known) => {
                in_checkpoint = known.buffer;
                (Some(known.report), known.steps, known.steps_total, true)
            }
            None => (None, Vec::new(), 0, fs::is_there(&folder.join(CHECKPOINT_FILE))),
        },
    };
    let buffer = match in_checkpoint {
        Some((buffer, step)) => BufferWatch::default().difference(&buffer, step),
        None => buffer(folder)?,
    };
    let title = given_title(folder);
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
        buffer: buffer.map(Box::new),
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
