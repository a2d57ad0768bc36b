//! One run as the window knows it: live, queued, finished, or read from a folder or capsule.

use super::buffer::BufferView;
use crate::engine::config::ExperimentConfig;
use crate::engine::report::{LearnerReport, RunReport, StepReport};
use crate::ui::series::Series;
use std::collections::BTreeMap;

/// Where a run stands.
#[derive(Clone, Debug, PartialEq)]
pub enum RunStatus {
    Queued,
    Running,
    Paused,
    /// Stopped before its end; can be resumed.
    Stopped,
    Finished,
    Failed(String),
}

impl RunStatus {
    /// In one word.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Paused => "paused",
            Self::Stopped => "stopped",
            Self::Finished => "finished",
            Self::Failed(_) => "failed",
        }
    }

    /// Running or paused.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self, Self::Running | Self::Paused)
    }
}

/// A run.
#[derive(Debug)]
pub struct RunView {
    /// Unique in this session.
    pub number: usize,
    pub title: String,
    pub status: RunStatus,
    /// Frozen; the forms show the draft of the next.
    pub experiment: ExperimentConfig,
    /// `None` for a capsule and before it begins.
    pub folder: Option<String>,
    pub steps_done: u64,
    pub steps_total: u64,
    pub eta_secs: Option<f64>,
    /// What is known so far: tasks, learners with matrices and curves. Its own `steps` stay empty while a run goes on;
    /// all steps are in [`Self::curves`].
    pub report: RunReport,
    /// The last step that was reported.
    pub last_step: Option<StepReport>,
    pub curves: Curves,
    pub buffer: BufferView,
    /// Adapters in its folder: task index, learner, path.
    pub adapters: Vec<(usize, String, String)>,
    pub resumable: bool,
}

impl RunView {
    /// A run that has not begun.
    #[must_use]
    pub fn new(number: usize, method_label: &str, experiment: ExperimentConfig) -> Self {
        let method = experiment.methods.first().map(|method| method.name().to_string()).unwrap_or_default();
        let report = RunReport {
            title: experiment.title.clone(),
            method,
            method_label: method_label.to_string(),
            seed: experiment.seed,
            model: experiment.model.clone(),
            ..RunReport::default()
        };
        Self {
            number,
            title: format!("{method_label}, seed {}", experiment.seed),
            status: RunStatus::Queued,
            experiment,
            folder: None,
            steps_done: 0,
            steps_total: 0,
            eta_secs: None,
            report,
            last_step: None,
            curves: Curves::default(),
            buffer: BufferView::default(),
            adapters: Vec::new(),
            resumable: false,
        }
    }

    /// Short names of the tasks, in order.
    #[must_use]
    pub fn task_names(&self) -> Vec<&str> {
        self.report.tasks.iter().map(|task| task.name.as_str()).collect()
    }

    /// The learner of this name.
    #[must_use]
    pub fn learner(&self, name: &str) -> Option<&LearnerReport> {
        self.report.learners.iter().find(|learner| learner.name == name)
    }

    /// Share of the steps that are done, in `[0, 1]`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // counts of steps
    pub fn progress(&self) -> f64 {
        if self.steps_total == 0 { 0.0 } else { self.steps_done as f64 / self.steps_total as f64 }
    }
}

/// All steps of a run as columns, ready to be drawn.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    /// Loss terms by name: `total`, `task`, `replay`, `consistency`, the method's own.
    pub losses: BTreeMap<String, Series>,
    pub learning_rate: Series,
    pub gradient_norm: Series,
    /// L2 distance of the two learners.
    pub learner_distance: Series,
    pub tokens_per_sec: Series,
    /// The method's own numbers by name.
    pub diagnostics: BTreeMap<String, Series>,
    /// Global step after which each task begins, with the task's index.
    pub boundaries: Vec<(u64, usize)>,
}

impl Curves {
    /// Appends a step; one that is there already (after a resumption) replaces it and what follows.
    #[allow(clippy::cast_precision_loss)] // counts of steps
    pub fn push(&mut self, step: &StepReport) {
        let x = step.step as f64;
        if self.boundaries.last().is_none_or(|(_, task)| *task != step.task) {
            self.boundaries.retain(|(_, task)| *task < step.task);
            self.boundaries.push((step.step.saturating_sub(step.task_step), step.task));
        }
        for (name, value) in &step.losses {
            self.losses.entry(name.clone()).or_default().push(x, f64::from(*value));
        }
        self.learning_rate.push(x, step.learning_rate);
        self.gradient_norm.push(x, f64::from(step.gradient_norm));
        self.tokens_per_sec.push(x, step.tokens_per_sec);
        if let Some(distance) = step.learner_distance {
            self.learner_distance.push(x, f64::from(distance));
        }
        for (name, value) in &step.diagnostics {
            self.diagnostics.entry(name.clone()).or_default().push(x, *value);
        }
    }
}
