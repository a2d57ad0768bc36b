//! Several methods on one stream, one after the other, from the same seed and in the same order of examples.

use super::EngineError;
use super::choose::choose_device;
use super::config::{ExperimentConfig, TaskConfig};
use super::control::Control;
use super::prepare::{Prepared, load_model, open_model, prepare};
use super::protocol::Event;
use super::report::RunReport;
use super::run::{Ending, Run, Sink};
use super::run_folder::{CONFIG_FILE, RunFolder, write_html};
use crate::model::AdapterLayout;
use crate::platform::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an experiment left.
#[derive(Debug)]
pub struct ExperimentOutcome {
    pub reports: Vec<RunReport>,
    /// The report over all runs, when folders were written.
    pub html: Option<PathBuf>,
    /// Folders of runs that were stopped and can be resumed.
    pub stopped: Vec<PathBuf>,
    /// Sentences about runs that failed.
    pub failed: Vec<String>,
}

/// Loads model and tasks and chooses the device.
///
/// # Errors
/// Whatever cannot be read, with a sentence.
pub async fn load(config: &ExperimentConfig, emit: Sink<'_>) -> Result<Arc<Prepared>, EngineError> {
    config.check()?;
    emit(Event::PhaseStarted { phase: "loading".into(), detail: config.model.clone() });
    let mut folder = open_model(&config.model)?;
    // Refused here, before any folder is made.
    AdapterLayout::to_train(&folder.config, &config.lora)?;
    let longest_answer = 128;
    // All methods of an experiment cut their examples alike, so the room is that of the longest prompt among them.
    let prompt_length = config.prompt_length()?;
    let max_seq = config.training.max_length.saturating_add(longest_answer).saturating_add(prompt_length);
    let device = choose_device(config, &folder.config, emit).await?;
    emit(Event::DeviceChosen { name: device.name.clone(), reason: device.reason.clone() });
    let model = load_model(&mut folder, &device, max_seq)?;
    let prepared = prepare(config, model, prompt_length)?;
    for message in &prepared.warnings {
        emit(Event::Warned { message: message.clone() });
    }
    Ok(Arc::new(prepared))
}

/// Runs all methods of an experiment. A run that fails does not stop the others; a stop stops all.
///
/// # Errors
/// What keeps the experiment from starting. Failures of single runs are in the outcome.
pub async fn run_experiment(
    config: &ExperimentConfig,
    folder: Option<&Path>,
    command: &str,
    control: &Control,
    emit: Sink<'_>,
) -> Result<ExperimentOutcome, EngineError> {
    let prepared = load(config, emit).await?;
    let mut outcome = ExperimentOutcome { reports: Vec::new(), html: None, stopped: Vec::new(), failed: Vec::new() };
    let runs = config.methods.len();
    for (index, method) in config.methods.iter().enumerate() {
        let mut frozen = with_absolute_paths(config);
        frozen.methods = vec![method.clone()];
        prepared.freeze(&mut frozen);
        let name = format!("{}-seed{}", method.name(), config.seed);
        let run_folder = folder.map(|parent| RunFolder::create(parent, &name, &frozen)).transpose()?;
        let path = run_folder.as_ref().map(|folder| folder.path().to_path_buf());
        let mut run = Run::new(frozen, (index, runs), prepared.clone(), run_folder, command.to_string())?;
        match run.execute(control, emit).await {
            Ok(Ending::Finished(report)) => outcome.reports.push(*report),
            Ok(Ending::Stopped) => {
                outcome.stopped.extend(path);
                break;
            }
            Err(error) => {
                let message = format!("{name}: {error}");
                emit(Event::Failed { run: index, message: message.clone() });
                outcome.failed.push(message);
            }
        }
    }
    if let (Some(folder), false) = (folder, outcome.reports.is_empty()) {
        outcome.html = Some(write_html(folder, &outcome.reports)?);
    }
    Ok(outcome)
}

/// The same configuration with absolute paths, so that a run folder can be resumed from anywhere.
pub(super) fn with_absolute_paths(config: &ExperimentConfig) -> ExperimentConfig {
    let absolute = |path: &mut String| {
        if let Ok(whole) = fs::canonicalize(&*path) {
            *path = whole.display().to_string();
        }
    };
    let mut frozen = config.clone();
    absolute(&mut frozen.model);
    for task in &mut frozen.tasks {
        match task {
            TaskConfig::Source(source) => absolute(source),
            TaskConfig::Details(details) => absolute(&mut details.source),
        }
    }
    frozen
}

/// Goes on with an interrupted run.
///
/// # Errors
/// A folder without a run, or a checkpoint that does not fit.
pub async fn resume(
    path: &Path,
    device: Option<&str>,
    control: &Control,
    emit: Sink<'_>,
) -> Result<ExperimentOutcome, EngineError> {
    let (folder, mut config) = RunFolder::open(path)?;
    if let Some(device) = device {
        config.device = device.to_string();
    }
    let prepared = load(&config, emit).await?;
    // A run that had begun brings its command along; for one that had not, as those of a race, this repeats it.
    let command = format!("thalweg run {}", path.join(CONFIG_FILE).display());
    let mut run = Run::new(config, (0, 1), prepared, Some(folder), command)?;
    run.restore(emit)?;
    let mut outcome = ExperimentOutcome { reports: Vec::new(), html: None, stopped: Vec::new(), failed: Vec::new() };
    match run.execute(control, emit).await? {
        Ending::Finished(report) => {
            outcome.html = Some(write_html(path, std::slice::from_ref(&*report))?);
            outcome.reports.push(*report);
        }
        Ending::Stopped => outcome.stopped.push(path.to_path_buf()),
    }
    Ok(outcome)
}
