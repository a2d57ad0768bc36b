//! What a run leaves on the disk: its frozen configuration, metrics, adapters, buffer, checkpoint, reports.

use super::EngineError;
use super::config::ExperimentConfig;
use super::prepare::LoadedModel;
use super::report::{RunReport, StepReport};
use super::{report_csv, report_html};
use crate::continual::replay::ReplayBuffer;
use crate::io::atomic::write_file;
use crate::io::{Checkpoint, IoError, peft};
use crate::model::PlainAdapter;
use crate::platform::fs;
use std::path::{Path, PathBuf};

/// The frozen configuration, in every run folder.
pub const CONFIG_FILE: &str = "config.toml";
/// From which an interrupted run goes on.
pub const CHECKPOINT_FILE: &str = "checkpoint.thalweg";
const METRICS_FILE: &str = "metrics.csv";
const MATRIX_FILE: &str = "matrix.csv";
const REPORT_FILE: &str = "report.html";
/// The [`RunReport`] of a finished run.
pub const REPORT_JSON: &str = "report.json";
/// The buffer of a finished run.
pub const BUFFER_FILE: &str = "buffer.jsonl";

/// The folder of one run.
#[derive(Clone, Debug)]
pub struct RunFolder {
    path: PathBuf,
}

fn refused(path: &Path, error: &std::io::Error) -> EngineError {
    EngineError::Run(format!("{} cannot be used: {error}. Choose another `output` folder", path.display()))
}

impl RunFolder {
    /// Makes a new folder inside `parent`, never one that is there already: `name`, `name-2`, `name-3`, …
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create(parent: &Path, name: &str, config: &ExperimentConfig) -> Result<Self, EngineError> {
        fs::create_dir_all(parent).map_err(|error| refused(parent, &error))?;
        for number in 1..10_000 {
            let path = parent.join(if number == 1 { name.to_string() } else { format!("{name}-{number}") });
            match fs::create_dir(&path) {
                Ok(()) => {
                    let folder = Self { path };
                    write_file(&folder.path.join(CONFIG_FILE), config.to_toml()?.as_bytes())?;
                    return Ok(folder);
                }
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(refused(&path, &error)),
            }
        }
        Err(EngineError::Run(format!(
            "{} is full of runs called {name}: choose another `output` folder",
            parent.display()
        )))
    }

    /// Makes the folder `path` with its frozen configuration, for a run that somebody else will start.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create_at(path: &Path, config: &ExperimentConfig) -> Result<Self, EngineError> {
        fs::create_dir_all(path).map_err(|error| refused(path, &error))?;
        write_file(&path.join(CONFIG_FILE), config.to_toml()?.as_bytes())?;
        Ok(Self { path: path.to_path_buf() })
    }

    /// Opens the folder of an earlier run with its frozen configuration.
    ///
    /// # Errors
    /// A folder without a run, or a configuration that cannot be read.
    pub fn open(path: &Path) -> Result<(Self, ExperimentConfig), EngineError> {
        let file = path.join(CONFIG_FILE);
        let text = fs::read_to_string(&file).map_err(|error| {
            EngineError::Run(format!(
                "{} holds no run that can be resumed ({error}): give a run folder with {CONFIG_FILE} and {CHECKPOINT_FILE}",
                path.display()
            ))
        })?;
        let config = ExperimentConfig::parse(&text, &file.display().to_string())?;
        Ok((Self { path: path.to_path_buf() }, config))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The report of a finished run; `None` while there is none.
    ///
    /// # Errors
    /// A report that cannot be read.
    pub fn report(&self) -> Result<Option<RunReport>, EngineError> {
        let file = self.path.join(REPORT_JSON);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(IoError::reading(&file, &error).into()),
        };
        let report = serde_json::from_str(&text).map_err(|error| {
            let advice = "delete it, and `thalweg resume` writes it again from the checkpoint";
            EngineError::Run(format!("{} is no report of this program ({error}): {advice}", file.display()))
        })?;
        Ok(Some(report))
    }

    /// The last good checkpoint with a warning if it is an older one; `None` when none was written yet.
    ///
    /// # Errors
    /// A checkpoint that cannot be read.
    pub fn checkpoint(&self) -> Result<Option<(Checkpoint, Option<String>)>, EngineError> {
        let path = self.path.join(CHECKPOINT_FILE);
        if !fs::is_there(&path) && !fs::is_there(&crate::io::checkpoint::previous_path(&path)) {
            return Ok(None);
        }
        Ok(Some(Checkpoint::load(&path)?))
    }

    /// Replaces the checkpoint.
    ///
    /// # Errors
    /// A full disk; the old checkpoint is then untouched.
    pub fn save_checkpoint(&self, checkpoint: &Checkpoint) -> Result<(), EngineError> {
        Ok(checkpoint.save(&self.path.join(CHECKPOINT_FILE))?)
    }

    /// Writes `metrics.csv`.
    ///
    /// # Errors
    /// A full disk.
    pub fn write_metrics(&self, steps: &[StepReport]) -> Result<(), EngineError> {
        Ok(write_file(&self.path.join(METRICS_FILE), report_csv::metrics_csv(steps).as_bytes())?)
    }

    /// Writes one learner's adapter after a task: `adapters/03-summary/long_term/`.
    ///
    /// # Errors
    /// A full disk.
    pub fn write_adapter(
        &self,
        task: usize,
        name: &str,
        learner: &str,
        adapter: &PlainAdapter,
        model: &LoadedModel,
    ) -> Result<(), EngineError> {
        let folder = self.learner_folder(task, name, learner)?;
        Ok(peft::write_adapter(&folder, adapter, Some(&model.name), Some(&model.fingerprint))?)
    }

    /// Writes one learner's prompt after a task, where [`Self::write_adapter`] writes adapters. `values` are row-major in the
    /// shape beside them.
    ///
    /// # Errors
    /// A full disk.
    pub fn write_prompt(
        &self,
        task: usize,
        name: &str,
        learner: &str,
        (values, shape): (&[f32], &[usize]),
        model: &LoadedModel,
    ) -> Result<(), EngineError> {
        let folder = self.learner_folder(task, name, learner)?;
        Ok(peft::prompt::write_prompt(&folder, values, shape, Some(&model.name), Some(&model.fingerprint))?)
    }

    fn learner_folder(&self, task: usize, name: &str, learner: &str) -> Result<PathBuf, EngineError> {
        let folder = self.path.join("adapters").join(format!("{:02}-{name}", task + 1)).join(learner);
        fs::create_dir_all(&folder).map_err(|error| refused(&folder, &error))?;
        Ok(folder)
    }

    /// Writes the reports, the matrix and the buffer of a finished run.
    ///
    /// # Errors
    /// A full disk.
    pub fn write_report(
        &self,
        report: &RunReport,
        steps: &[StepReport],
        buffer: Option<&ReplayBuffer>,
    ) -> Result<(), EngineError> {
        self.write_metrics(steps)?;
        write_file(&self.path.join(MATRIX_FILE), report_csv::matrix_csv(report).as_bytes())?;
        let json = serde_json::to_string_pretty(report)
            .map_err(|error| EngineError::Run(format!("the report cannot be written as JSON: {error}")))?;
        write_file(&self.path.join(REPORT_JSON), json.as_bytes())?;
        write_html(&self.path, std::slice::from_ref(report))?;
        if let Some(buffer) = buffer {
            write_file(&self.path.join(BUFFER_FILE), buffer.to_jsonl().as_bytes())?;
        }
        Ok(())
    }
}

/// Writes `report.html` of one or several runs into a folder and returns its path.
///
/// # Errors
/// A full disk.
pub fn write_html(folder: &Path, runs: &[RunReport]) -> Result<PathBuf, IoError> {
    let path = folder.join(REPORT_FILE);
    write_file(&path, report_html::render(runs).as_bytes())?;
    Ok(path)
}
