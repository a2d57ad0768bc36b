//! Everything that the window shows. Only [`AppState::apply`] changes what the engine told, and only the few methods beside
//! it what people chose.
//!
//! Invariant: no widget state here, and no egui type: a recorded stream of events gives the same state without a window.

mod apply;
pub mod buffer;
pub mod draft;
pub mod run;

use crate::data::task::Metric;
use crate::engine::config::{ExperimentConfig, TaskConfig};
use crate::engine::landscape_report::{PathReport, PlaneReport, SimilarityReport};
use crate::engine::protocol::cards::{Catalogue, DeviceCard, ModelCard, TaskCard, TaskProblem};
use crate::engine::protocol::storage::StorageListing;
use crate::engine::protocol::{Command, Level, MarkedExample};
use draft::Draft;
use run::RunView;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Most lines of the log that are kept.
const LOG_LINES: usize = 2_000;

/// What is shown.
#[derive(Debug, Default)]
pub struct AppState {
    pub catalogue: Catalogue,
    /// The next experiment, as the forms show it.
    pub draft: Draft,
    /// The model of the draft; `None` while nothing is known of it.
    pub model: Option<Result<ModelCard, String>>,
    /// `None` until somebody measured them.
    pub devices: Option<Vec<DeviceCard>>,
    /// What is known of the draft's tasks, by [`task_id`].
    pub tasks: BTreeMap<u64, Result<TaskCard, TaskProblem>>,
    pub downloads: BTreeMap<u64, DownloadView>,
    /// All runs of this session, in the order in which they were queued or opened.
    pub runs: Vec<RunView>,
    /// The run in progress.
    pub active: Option<usize>,
    /// The run that was in progress last.
    pub last_active: Option<usize>,
    /// The run that the panels show.
    pub selected: Option<usize>,
    /// Runs whose curves are drawn beside the selected one's.
    pub compared: BTreeSet<usize>,
    pub generations: BTreeMap<u64, GenerationView>,
    pub paths: BTreeMap<u64, Exploration<PathReport>>,
    pub planes: BTreeMap<u64, Exploration<PlaneReport>>,
    pub similarities: BTreeMap<u64, Exploration<SimilarityReport>>,
    /// Why explorations ended, by their numbers.
    pub failed_explorations: BTreeMap<u64, String>,
    pub marked: BTreeMap<u64, Vec<MarkedExample>>,
    /// Marks that were asked for and did not come yet, and why others never will.
    pub marks_asked: BTreeSet<u64>,
    pub marks_failed: BTreeMap<u64, String>,
    /// Folders in PEFT's format that people named as points of paths and planes.
    pub adapter_folders: Vec<String>,
    pub engine: EngineView,
    /// Capsules that are being packed or unpacked, by the number they were asked for under.
    pub capsules: BTreeMap<usize, CapsuleView>,
    /// What the program keeps, as it was when somebody looked.
    pub storage: Option<StorageListing>,
    pub log: VecDeque<LogLine>,
    /// Lines to be shown as toasts, taken out by the frame.
    pub toasts: Vec<(Level, String)>,
    /// Where new run folders go.
    pub runs_folder: String,
}

/// What the engine does now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EngineView {
    /// `false` until it said that it is there.
    pub ready: bool,
    /// `idle`, `loading`, `compiling kernels`, `training`, `evaluating`, …
    pub phase: String,
    pub detail: String,
    pub device: String,
    pub device_reason: String,
    /// Share of the present evaluation or measurement, in `[0, 1]`.
    pub progress: Option<f64>,
    pub peak_memory_bytes: Option<u64>,
}

/// A download.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DownloadView {
    pub address: String,
    pub file: String,
    pub done_bytes: u64,
    pub total_bytes: Option<u64>,
    pub bytes_per_sec: f64,
    pub eta_secs: Option<f64>,
    /// The folder, or why it failed.
    pub ended: Option<Result<String, String>>,
}

/// A capsule that is being packed or unpacked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapsuleView {
    pub packing: bool,
    pub done_bytes: u64,
    pub total_bytes: u64,
}

/// Text that is or was generated.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GenerationView {
    /// `[sources]` text so far, and whether it is complete.
    pub columns: Vec<(String, bool)>,
    pub tokens_per_sec: Vec<f64>,
    pub failed: Option<String>,
}

/// A path or plane as far as it is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Exploration<R> {
    pub report: Option<R>,
    pub done: bool,
    pub failed: Option<String>,
    /// The command that asked for it.
    pub asked: Option<Box<Command>>,
    /// The engine has not (or no longer) the adapters that it was measured with: it can be looked at, and measured again.
    pub earlier: bool,
}

impl<R> Default for Exploration<R> {
    fn default() -> Self {
        Self { report: None, done: false, failed: None, asked: None, earlier: false }
    }
}

impl<R> Exploration<R> {
    /// It was asked for (again); what is known of it stays in sight.
    pub fn ask(&mut self, command: &Command) {
        (self.asked, self.done, self.failed) = (Some(Box::new(command.clone())), false, None);
    }

    /// Takes in what the engine told.
    fn take(&mut self, report: R, done: bool) {
        (self.report, self.done, self.failed, self.earlier) = (Some(report), done, None, false);
    }

    /// Nothing more will come.
    fn fail(&mut self, message: &str) {
        (self.failed, self.done) = (Some(message.to_string()), true);
    }

    fn goes_on(&self) -> bool {
        self.asked.is_some() && !self.done
    }
}

/// A line of the log.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    pub at_secs: f64,
    pub level: Level,
    pub message: String,
}

/// Identifies what is known of a task: the same source with the same mapping has the same number.
#[must_use]
pub fn task_id(task: &TaskConfig, experiment: &ExperimentConfig) -> u64 {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let mut hasher = DefaultHasher::new();
    match task {
        TaskConfig::Source(source) => source.hash(&mut hasher),
        TaskConfig::Details(details) => {
            let metric: Option<Metric> = details.metric;
            (&details.source, &details.name, &details.prompt, &details.answer).hash(&mut hasher);
            (&details.template, &details.labels, metric, details.max_new_tokens).hash(&mut hasher);
        }
    }
    (&experiment.model, experiment.seed, experiment.training.max_length).hash(&mut hasher);
    (experiment.training.max_train_examples, experiment.evaluation.max_examples).hash(&mut hasher);
    hasher.finish()
}

impl AppState {
    /// The run of this number.
    #[must_use]
    pub fn run(&self, number: usize) -> Option<&RunView> {
        self.runs.iter().find(|run| run.number == number)
    }

    /// The run that the panels show.
    #[must_use]
    pub fn selected_run(&self) -> Option<&RunView> {
        self.selected.and_then(|number| self.run(number))
    }

    /// The run in progress.
    #[must_use]
    pub fn active_run(&self) -> Option<&RunView> {
        self.active.and_then(|number| self.run(number))
    }

    /// A number that no run has.
    #[must_use]
    pub fn next_run_number(&self) -> usize {
        self.runs.iter().map(|run| run.number + 1).max().unwrap_or(0)
    }

    /// Numbers of the explorations that were asked for and go on, or wait for their turn.
    #[must_use]
    pub fn measuring(&self) -> Vec<u64> {
        let paths = self.paths.iter().filter(|(_, view)| view.goes_on()).map(|(id, _)| *id);
        let planes = self.planes.iter().filter(|(_, view)| view.goes_on()).map(|(id, _)| *id);
        let others = self.similarities.iter().filter(|(_, view)| view.goes_on()).map(|(id, _)| *id);
        paths.chain(planes).chain(others).collect()
    }

    /// Offers a folder in PEFT's format as a point of paths and planes.
    pub fn add_adapter_folder(&mut self, path: String) {
        if !self.adapter_folders.contains(&path) {
            self.adapter_folders.push(path);
        }
    }

    /// Adds a line to the log, and a toast for what people should notice.
    pub fn tell(&mut self, now_secs: f64, level: Level, message: impl Into<String>) {
        let message = message.into();
        if level > Level::Info {
            self.toasts.push((level, message.clone()));
        }
        if self.log.len() >= LOG_LINES {
            self.log.pop_front();
        }
        self.log.push_back(LogLine { at_secs: now_secs, level, message });
    }
}
