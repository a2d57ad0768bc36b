//! What front ends say to the engine and hear from it: plain data, the same for the window, the browser's worker, the command
//! line, a recorded run and a test.
//!
//! [`Steer`] is for the run in progress and is looked at between steps; a [`Command`] is anything else that a window may ask,
//! answered by [`Event`]s. What the events carry besides numbers is in [`cards`] (what something is, before it is used) and
//! [`buffer`] (the replay buffer as it changes); what is asked of the loss landscape is in `exploring`.

pub mod buffer;
pub mod cards;
mod exploring;
pub mod storage;
#[cfg(test)]
mod tests;

pub use exploring::{CURVE_LEARNING_RATE, MarkedExample, PathCommand, PlaneCommand, SimilarityCommand};

use super::config::{ExperimentConfig, TaskConfig};
use super::landscape_report::{PathReport, PlaneReport, SimilarityReport};
use super::report::{CurvePoint, RunReport, StepReport};
use buffer::{BufferChange, BufferEdit, BufferMap, BufferPreview};
use cards::{Catalogue, DeviceCard, ModelCard, TaskCard, TaskProblem};
use serde::{Deserialize, Serialize};
use storage::StorageListing;

/// How a running experiment is steered. Looked at between steps and between evaluation batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Steer {
    /// Wait after the present step.
    Pause,
    /// Go on.
    Resume,
    /// One step, then wait again.
    SingleStep,
    /// Stop after the present step, write a checkpoint, and keep everything that was finished.
    Stop,
}

/// Whose text is generated, or which adapter stands at an end of a path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum AdapterSource {
    /// The base model without an adapter.
    Base,
    /// A learner of the run in progress, as it is now: `working`, `long_term` or `model`.
    Live { learner: String },
    /// A folder in PEFT's format.
    Folder { path: String },
    /// The point `t` of the path that was measured under this number.
    OnPath { path: u64, t: f64 },
    /// A point of the plane that was measured under this number.
    OnPlane { plane: u64, x: f64, y: f64 },
}

/// How text is generated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SamplingConfig {
    pub max_new_tokens: usize,
    /// 0 takes the likeliest token always.
    pub temperature: f64,
    pub top_k: usize,
    pub seed: u64,
}

impl Default for SamplingConfig {
    fn default() -> Self {
        Self { max_new_tokens: 48, temperature: 0.0, top_k: 0, seed: 0 }
    }
}

/// What a front end asks of the engine. Numbers called `id` are the front end's own and come back in the answers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "command")]
pub enum Command {
    /// Steers the run in progress.
    Steer {
        steer: Steer,
    },
    /// Which devices there are and how fast each is. Answer: [`Event::DevicesFound`].
    FindDevices,
    /// What a model is and whether an experiment fits, before its weights are loaded. Answer: [`Event::ModelInspected`].
    InspectModel {
        experiment: Box<ExperimentConfig>,
    },
    /// What a task is, with the tokens of some examples. Answer: [`Event::TaskInspected`].
    InspectTask {
        id: u64,
        experiment: Box<ExperimentConfig>,
        task: Box<TaskConfig>,
    },
    /// Fetches a model folder of the hub (`owner/name` or an address). Answers: `Download…` events.
    Download {
        id: u64,
        address: String,
    },
    CancelDownload {
        id: u64,
    },
    /// Queues one run for each method of the experiment. `run` is the number of the first, the next have the next.
    Start {
        run: usize,
        experiment: Box<ExperimentConfig>,
    },
    /// Goes on with an interrupted run.
    ResumeRun {
        run: usize,
        folder: String,
    },
    /// Takes a run that has not begun out of the queue.
    Unqueue {
        run: usize,
    },
    /// Reads a run's folder, or a folder of such folders; `run` is the number of the first. Answers: [`Event::RunOpened`].
    OpenRuns {
        run: usize,
        folder: String,
    },
    /// Reads a `.thalweg` capsule.
    OpenCapsule {
        run: usize,
        path: String,
    },
    /// Packs a run's folder into one file.
    SaveCapsule {
        run: usize,
        folder: String,
        path: String,
    },
    /// Ends the packing or unpacking of a capsule that was asked for under this number.
    CancelCapsule {
        run: usize,
    },
    /// What the program keeps, with sizes. Answer: [`Event::StorageListed`].
    ListStorage,
    /// Deletes one thing of that list, which is told anew.
    DeleteStored {
        path: String,
    },
    /// Gives a run another title.
    RenameRun {
        run: usize,
        folder: String,
        title: String,
    },
    /// Deletes a run's folder.
    DeleteRun {
        run: usize,
        folder: String,
    },
    /// Copies one learner's adapter after a task, in PEFT's format.
    ExportAdapter {
        from: AdapterSource,
        path: String,
    },
    /// Says whether somebody looks at the buffer: its changes are told only then.
    WatchBuffer {
        on: bool,
    },
    /// Changes the replay buffer of the run in progress, between two steps.
    EditBuffer {
        edit: BufferEdit,
    },
    /// What another policy or capacity would keep of the present items. Answer: [`Event::BufferPreviewed`].
    PreviewBuffer {
        policy: crate::continual::replay::ReplayPolicy,
        capacity: usize,
    },
    /// Places the items in two dimensions by their hidden states. Answer: [`Event::BufferMapped`].
    MapBuffer,
    /// Generates text from each of the sources. Answers: [`Event::Generated`].
    Generate {
        id: u64,
        prompt: String,
        sources: Vec<AdapterSource>,
        sampling: SamplingConfig,
        /// The experiment whose model it is, where no run is in progress.
        experiment: Box<ExperimentConfig>,
    },
    StopGenerating {
        id: u64,
    },
    /// Measures a path. Answers: [`Event::PathMeasured`], growing.
    MeasurePath {
        id: u64,
        path: Box<PathCommand>,
        experiment: Box<ExperimentConfig>,
    },
    /// Measures a plane. Answers: [`Event::PlaneMeasured`], growing.
    MeasurePlane {
        id: u64,
        plane: Box<PlaneCommand>,
        experiment: Box<ExperimentConfig>,
    },
    /// Compares adapters with one another. Answer: [`Event::SimilarityMeasured`].
    MeasureSimilarity {
        id: u64,
        similarity: Box<SimilarityCommand>,
        experiment: Box<ExperimentConfig>,
    },
    /// Ends an exploration; what was measured is kept.
    StopMeasuring {
        id: u64,
    },
    /// Predictions and marks of some scored examples at a point. Answer: [`Event::Marked`] or [`Event::MarkFailed`].
    Mark {
        id: u64,
        source: AdapterSource,
        examples: Vec<(usize, usize)>,
        experiment: Box<ExperimentConfig>,
    },
}

/// How weighty a line of the log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    Info,
    Warning,
    Error,
}

/// What the engine tells. Every event of a run carries the run's number.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// The engine is there.
    Ready {
        catalogue: Box<Catalogue>,
        runs_folder: String,
    },
    /// A phase has begun, such as `loading`, `compiling kernels`, `training` or `evaluating`.
    PhaseStarted {
        phase: String,
        detail: String,
    },
    /// The device that will be used, and why.
    DeviceChosen {
        name: String,
        reason: String,
    },
    /// A run waits for its turn. It owns this frozen configuration.
    RunQueued {
        run: usize,
        method_label: String,
        experiment: Box<ExperimentConfig>,
    },
    /// A run has begun or was resumed; `report` is what it holds so far.
    RunStarted {
        run: usize,
        runs: usize,
        method_label: String,
        tasks: Vec<String>,
        steps_done: u64,
        steps_total: u64,
        folder: Option<String>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        report: Option<Box<RunReport>>,
    },
    /// An optimiser step was made and its values were read.
    Stepped {
        run: usize,
        step: StepReport,
        steps_total: u64,
        eta_secs: Option<f64>,
    },
    /// One learner was scored on all tasks after a task (`after_task` is `None` before training: zero-shot).
    Evaluated {
        run: usize,
        after_task: Option<usize>,
        learner: String,
        scores: Vec<Option<f64>>,
    },
    /// One learner was scored on a subset in the middle of a task.
    CurvePointScored {
        run: usize,
        learner: String,
        point: CurvePoint,
    },
    /// Evaluation goes on: so many of so many examples.
    EvaluationProgressed {
        run: usize,
        done: usize,
        total: usize,
    },
    /// A checkpoint was written.
    CheckpointSaved {
        run: usize,
        step: u64,
    },
    /// The engine waits.
    Paused {
        run: usize,
        /// Optimiser steps made so far, reported or not.
        step: u64,
    },
    /// It goes on.
    Resumed {
        run: usize,
    },
    /// The run was stopped before its end; its folder can be resumed.
    Stopped {
        run: usize,
        step: u64,
    },
    /// The run is complete.
    Finished {
        run: usize,
        report: Box<RunReport>,
    },
    /// Something worth knowing that stops nothing.
    Warned {
        message: String,
    },
    /// The run ended with an error; the others go on.
    Failed {
        run: usize,
        message: String,
    },
    /// A run was taken out of the queue.
    Unqueued {
        run: usize,
    },
    /// A run of an earlier session or another machine was read. `folder` is `None` for a capsule.
    RunOpened {
        run: usize,
        folder: Option<String>,
        experiment: Box<ExperimentConfig>,
        /// `None` where a run was interrupted before its first checkpoint.
        report: Option<Box<RunReport>>,
        /// The steps that were reported; of a finished run thinned, as in its report.
        steps: Vec<StepReport>,
        /// Optimiser steps of the whole run.
        steps_total: u64,
        buffer: Option<Box<BufferChange>>,
        /// Adapters that lie in its folder: task index, learner, path.
        adapters: Vec<(usize, String, String)>,
        /// Whether its checkpoint can be gone on from.
        resumable: bool,
    },
    /// Adapters that lie in a run's folder by now: task index, learner, path.
    AdaptersWritten {
        run: usize,
        adapters: Vec<(usize, String, String)>,
    },
    RunDeleted {
        run: usize,
    },
    RunRenamed {
        run: usize,
        title: String,
    },
    /// A file was written: what it is, in words, and where.
    Exported {
        what: String,
        path: String,
    },
    /// A capsule is being packed, or unpacked.
    CapsuleProgressed {
        run: usize,
        packing: bool,
        done_bytes: u64,
        total_bytes: u64,
    },
    /// Packing or unpacking has ended, well or not.
    CapsuleEnded {
        run: usize,
    },
    StorageListed {
        listing: Box<StorageListing>,
    },
    /// Items came, went or changed.
    BufferChanged {
        run: usize,
        change: Box<BufferChange>,
    },
    BufferMapped {
        run: usize,
        map: Box<BufferMap>,
    },
    BufferPreviewed {
        run: usize,
        preview: Box<BufferPreview>,
    },
    DevicesFound {
        devices: Vec<DeviceCard>,
    },
    ModelInspected {
        model: String,
        result: Result<Box<ModelCard>, String>,
    },
    TaskInspected {
        id: u64,
        result: Result<Box<TaskCard>, Box<TaskProblem>>,
    },
    DownloadProgressed {
        id: u64,
        file: String,
        done_bytes: u64,
        total_bytes: Option<u64>,
        bytes_per_sec: f64,
        eta_secs: Option<f64>,
    },
    DownloadFinished {
        id: u64,
        folder: String,
    },
    /// It failed or was cancelled; what was fetched stays and the next attempt goes on from there.
    DownloadFailed {
        id: u64,
        message: String,
        /// Somebody wanted it so.
        cancelled: bool,
    },
    /// Text of one source so far.
    Generated {
        id: u64,
        source: usize,
        text: String,
        done: bool,
        tokens_per_sec: f64,
    },
    GenerationFailed {
        id: u64,
        message: String,
    },
    /// What is known of a path so far.
    PathMeasured {
        id: u64,
        report: Box<PathReport>,
        done: bool,
    },
    /// What is known of a plane so far.
    PlaneMeasured {
        id: u64,
        report: Box<PlaneReport>,
        done: bool,
    },
    SimilarityMeasured {
        id: u64,
        report: Box<SimilarityReport>,
    },
    ExplorationFailed {
        id: u64,
        message: String,
    },
    Marked {
        id: u64,
        examples: Vec<MarkedExample>,
    },
    MarkFailed {
        id: u64,
        message: String,
    },
    /// Memory of the process, told about once a second.
    MemoryMeasured {
        peak_bytes: u64,
    },
    Logged {
        level: Level,
        message: String,
    },
    /// A command could not be carried out: what was wanted, and the sentence.
    Refused {
        what: String,
        message: String,
    },
    /// The engine's thread ended by a fault; a new one has taken its place and nothing on the disk is lost.
    EngineDied {
        message: String,
    },
}
