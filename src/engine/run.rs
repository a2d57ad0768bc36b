//! One run: zero-shot scores, then task after task, with evaluation at each boundary; pausable, resumable, in its own folder.

mod outcome;
mod scoring;
mod service;

pub use outcome::{Interrupted, read_interrupted, written_adapters};
pub(super) use service::refusal;

use super::EngineError;
use super::config::ExperimentConfig;
use super::control::{Control, Next};
use super::prepare::Prepared;
use super::protocol::Event;
use super::protocol::buffer::BufferWatch;
use super::report::{LearnerReport, RunReport, StepReport};
use super::run_folder::RunFolder;
use super::trainer::{self, Trainer};
use crate::continual::metrics::AccuracyMatrix;
use crate::io::Checkpoint;
use crate::platform;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Receives the engine's events.
pub type Sink<'a> = &'a mut dyn FnMut(Event);

/// How often a checkpoint is written while training, in seconds.
const CHECKPOINT_SECS: f64 = 30.0;
/// Who pauses may be about to close the window. Single steps, which pause as well, write at most so often.
const PAUSE_CHECKPOINT_SECS: f64 = 2.0;
/// At most one event of an evaluation's progress in so many seconds.
const EVENT_SECS: f64 = 0.05;
/// The phase in which a GPU sees its kernels for the first time.
const COMPILING: &str = "compiling kernels";

/// What a run has gathered; part of its checkpoint.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Gathered {
    learners: Vec<LearnerReport>,
    headline: usize,
    zero_shot: Vec<Option<f64>>,
    steps: Vec<StepReport>,
    train_secs: f64,
    eval_secs: f64,
    started_unix: u64,
    /// The command line that started the run; a resumed run is repeated by the same.
    command: String,
    /// Phases whose boundary evaluation is complete.
    evaluated_phases: usize,
    finished: bool,
    /// All optimiser steps of the run; 0 in checkpoints of earlier versions.
    #[serde(default)]
    steps_total: u64,
    /// What was changed by hand while it went on, in sentences for its report.
    #[serde(default)]
    by_hand: Vec<String>,
}

/// How a run ended.
#[derive(Debug)]
pub enum Ending {
    Finished(Box<RunReport>),
    Stopped,
}

/// A run in progress.
pub struct Run {
    /// Frozen: the form on screen is a draft of the next run.
    config: ExperimentConfig,
    index: usize,
    runs: usize,
    prepared: Arc<Prepared>,
    trainer: Trainer,
    gathered: Gathered,
    folder: Option<RunFolder>,
    last_checkpoint: f64,
    /// What was told of the replay buffer, while somebody looks at it.
    watch: Option<BufferWatch>,
    last_watch: f64,
}

impl Run {
    /// A run at its start; `config.methods` holds the one method. Without a folder nothing is written.
    ///
    /// # Errors
    /// Settings that do not fit.
    pub fn new(
        config: ExperimentConfig,
        (index, runs): (usize, usize),
        prepared: Arc<Prepared>,
        folder: Option<RunFolder>,
        command: String,
    ) -> Result<Self, EngineError> {
        let trainer = Trainer::new(&config, &prepared)?;
        let tasks = prepared.tasks.len();
        let mut learners = Vec::new();
        let mut headline = 0;
        for (position, learner) in trainer.learners(0).into_iter().enumerate() {
            let mut matrix = AccuracyMatrix::new(tasks);
            for (task, prepared) in prepared.tasks.iter().enumerate() {
                matrix.set_chance(task, prepared.task.chance());
            }
            if learner.headline {
                headline = position;
            }
            learners.push(LearnerReport { name: learner.name.to_string(), matrix, curve: Vec::new() });
        }
        let gathered = Gathered {
            learners,
            headline,
            zero_shot: vec![None; tasks],
            started_unix: platform::unix_time_secs(),
            command,
            ..Gathered::default()
        };
        let now = platform::now_secs();
        Ok(Self {
            config,
            index,
            runs,
            prepared,
            trainer,
            gathered,
            folder,
            last_checkpoint: now,
            watch: None,
            last_watch: 0.0,
        })
    }

    /// Takes the state of an interrupted run from its folder's checkpoint, if there is one.
    ///
    /// # Errors
    /// A checkpoint that cannot be read or belongs to another model.
    pub fn restore(&mut self, emit: Sink<'_>) -> Result<(), EngineError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let Some((checkpoint, warning)) = folder.checkpoint()? else { return Ok(()) };
        if let Some(message) = warning {
            emit(Event::Warned { message });
        }
        let fingerprint: String = checkpoint.get_state("base_model")?;
        if fingerprint != self.prepared.model.fingerprint {
            return Err(EngineError::Run(format!(
                "the checkpoint in {} was made with another base model than `{}`: give the model it was started with",
                folder.path().display(),
                self.prepared.model.name
            )));
        }
        self.gathered = checkpoint.get_state("gathered")?;
        self.trainer.restore(&checkpoint, &self.prepared)
    }

    /// Is the run complete already?
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.gathered.finished
    }

    /// All optimiser steps of the run.
    #[must_use]
    pub fn total_steps(&self) -> u64 {
        (0..self.trainer.phases(&self.prepared))
            .map(|phase| self.trainer.phase_steps(&self.prepared, phase) as u64)
            .sum()
    }

    /// Runs to the end, or until it is stopped. What was finished is kept either way.
    ///
    /// # Errors
    /// A diverging loss, a device that fails, or a folder that cannot be written; a checkpoint is left where possible.
    pub async fn execute(&mut self, control: &Control, emit: Sink<'_>) -> Result<Ending, EngineError> {
        let (entry, _) = self.config.methods[0].resolve()?;
        emit(Event::RunStarted {
            run: self.index,
            runs: self.runs,
            method_label: entry.label.to_string(),
            tasks: self.prepared.tasks.iter().map(|task| task.task.name.clone()).collect(),
            steps_done: self.trainer.position().step,
            steps_total: self.total_steps(),
            folder: self.folder.as_ref().map(|folder| folder.path().display().to_string()),
            report: Some(Box::new(self.report()?)),
        });
        self.gathered.steps_total = self.total_steps();
        self.tell_adapters(emit);
        if !self.gathered.finished {
            if self.gathered.zero_shot.iter().any(Option::is_none) && !self.zero_shot(control, emit).await? {
                return self.stop(emit).await;
            }
            let phases = self.trainer.phases(&self.prepared);
            while self.gathered.evaluated_phases < phases {
                if self.trainer.position().task == self.gathered.evaluated_phases
                    && !self.train_phase(control, emit).await?
                {
                    return self.stop(emit).await;
                }
                let joint = phases == 1 && self.prepared.tasks.len() > 1;
                let row = if joint { self.prepared.tasks.len() - 1 } else { self.gathered.evaluated_phases };
                if !self.boundary(row, control, emit).await? {
                    return self.stop(emit).await;
                }
                self.gathered.evaluated_phases += 1;
                self.gathered.finished = self.gathered.evaluated_phases == phases;
                // As with a checkpoint: what cannot be written must not end the training.
                match self.write_learners(row).await {
                    Err(error @ (EngineError::Io(_) | EngineError::Run(_))) => {
                        emit(Event::Warned {
                            message: format!("the adapters were not written, the run goes on: {error}"),
                        });
                    }
                    other => other?,
                }
                self.tell_adapters(emit);
                self.tell_buffer_at_task_end(control, emit).await;
                self.save(emit).await?;
            }
        }
        let report = self.report()?;
        if let Some(folder) = &self.folder
            && let Err(error) = folder.write_report(&report, &self.gathered.steps, self.trainer.buffer())
        {
            // The numbers are told before the error, so that a window can still show and export them.
            emit(Event::Finished { run: self.index, report: Box::new(report) });
            return Err(error);
        }
        emit(Event::Finished { run: self.index, report: Box::new(report.clone()) });
        Ok(Ending::Finished(Box::new(report)))
    }

    async fn stop(&mut self, emit: Sink<'_>) -> Result<Ending, EngineError> {
        self.checkpoint(emit).await?;
        emit(Event::Stopped { run: self.index, step: self.trainer.position().step });
        Ok(Ending::Stopped)
    }

    /// Trains the present phase to its last step; `false` when stopped.
    async fn train_phase(&mut self, control: &Control, emit: Sink<'_>) -> Result<bool, EngineError> {
        let phase = self.trainer.position().task;
        let steps = self.trainer.phase_steps(&self.prepared, phase);
        let detail = if self.trainer.phases(&self.prepared) == 1 && self.prepared.tasks.len() > 1 {
            "all tasks at once".to_string()
        } else {
            self.prepared.tasks[phase].task.name.clone()
        };
        let phase_name = match (self.is_uncompiled(), self.trainer.position().step) {
            (true, _) => COMPILING,
            (false, 0) => "warming up",
            (false, _) => "training",
        };
        emit(Event::PhaseStarted { phase: phase_name.into(), detail: detail.clone() });
        self.trainer.reset_clock();
        while self.trainer.position().task_step < steps {
            // Looked at before a step, so that a point whose scoring was interrupted is made up for.
            if self.curve_point_is_due() {
                self.curve_point(control, emit).await?;
                self.trainer.reset_clock();
            }
            if !self.wait(control, emit).await {
                return Ok(false);
            }
            let before = platform::now_secs();
            let first = self.trainer.position().step == 0 || self.is_uncompiled();
            let result = Box::pin(self.trainer.step(&self.prepared)).await;
            self.gathered.train_secs += platform::now_secs() - before;
            let report = match result {
                Ok(report) => report,
                Err(error) => {
                    // Keep what was measured so far; the checkpoint before it stays as it is.
                    if let Some(folder) = &self.folder
                        && let Err(unwritten) = folder.write_metrics(&self.gathered.steps)
                    {
                        emit(Event::Warned { message: format!("the last metrics were not written: {unwritten}") });
                    }
                    return Err(error);
                }
            };
            if first {
                self.prepared.model.uncompiled.store(false, Ordering::Relaxed);
                emit(Event::PhaseStarted { phase: "training".into(), detail: detail.clone() });
            }
            if let Some(report) = report {
                let every = self.config.training.report_every;
                if trainer::is_due(every, report.step, report.task_step, report.task_steps) {
                    self.gathered.steps.push(report.clone());
                }
                emit(Event::Stepped {
                    run: self.index,
                    step: report,
                    steps_total: self.total_steps(),
                    eta_secs: self.eta_secs(),
                });
            }
            self.tell_buffer(control, emit);
            if platform::now_secs() - self.last_checkpoint > CHECKPOINT_SECS {
                self.save(emit).await?;
            }
            platform::yield_now().await;
        }
        let before = platform::now_secs();
        let run = self.index;
        let mut last_event = before;
        let mut go_on = |done: usize, total: usize| {
            if done > 0 && platform::now_secs() - last_event >= EVENT_SECS {
                last_event = platform::now_secs();
                emit(Event::EvaluationProgressed { run, done, total });
            }
            !control.is_stopped()
        };
        let ended = self.trainer.end_phase(&self.prepared, &mut go_on).await?;
        self.gathered.train_secs += platform::now_secs() - before;
        Ok(ended)
    }

    /// Will the next work find a device that has no kernels yet?
    fn is_uncompiled(&self) -> bool {
        self.prepared.model.uncompiled.load(Ordering::Relaxed)
    }

    /// Waits while paused; `false` when stopped.
    async fn wait(&mut self, control: &Control, emit: Sink<'_>) -> bool {
        let mut told = false;
        loop {
            self.serve(control, emit).await;
            match control.next() {
                Next::Stop => return false,
                next @ (Next::Go | Next::OneStep) => {
                    if next == Next::OneStep {
                        self.trainer.report_next_step();
                    }
                    if told {
                        // The time of waiting is no time of a step.
                        self.trainer.reset_clock();
                        emit(Event::Resumed { run: self.index });
                    }
                    return true;
                }
                Next::Wait => {
                    if !told {
                        emit(Event::Paused { run: self.index, step: self.trainer.position().step });
                        told = true;
                        if platform::now_secs() - self.last_checkpoint > PAUSE_CHECKPOINT_SECS
                            && let Err(error) = self.save(emit).await
                        {
                            emit(Event::Warned { message: format!("no checkpoint was written at the pause: {error}") });
                        }
                    }
                    platform::pause().await;
                }
            }
        }
    }

    /// Seconds left, from the mean time of a step and of an evaluation so far.
    #[allow(clippy::cast_precision_loss)] // counts far below 2^52
    fn eta_secs(&self) -> Option<f64> {
        let step = self.trainer.position().step;
        if step < 2 {
            return None;
        }
        let phases = self.trainer.phases(&self.prepared) as f64;
        let learners = self.gathered.learners.len() as f64;
        let evaluated = 1.0 + self.gathered.evaluated_phases as f64 * learners;
        let per_evaluation = self.gathered.eval_secs / evaluated;
        let evaluations_left = (phases - self.gathered.evaluated_phases as f64) * learners;
        let steps_left = (self.total_steps() - step.min(self.total_steps())) as f64;
        Some(steps_left * self.gathered.train_secs / step as f64 + evaluations_left * per_evaluation)
    }

    /// A checkpoint while the run goes on: a disk that is full must not end the training, so that is told and tried again.
    async fn save(&mut self, emit: Sink<'_>) -> Result<(), EngineError> {
        match self.checkpoint(emit).await {
            Err(EngineError::Io(error)) => {
                emit(Event::Warned { message: format!("no checkpoint was written, the run goes on: {error}") });
                Ok(())
            }
            other => other,
        }
    }

    async fn checkpoint(&mut self, emit: Sink<'_>) -> Result<(), EngineError> {
        self.last_checkpoint = platform::now_secs();
        let Some(folder) = &self.folder else { return Ok(()) };
        let mut checkpoint = Checkpoint::default();
        checkpoint.put_state("base_model", &self.prepared.model.fingerprint)?;
        checkpoint.put_state("gathered", &self.gathered)?;
        self.trainer.save(&mut checkpoint).await?;
        folder.save_checkpoint(&checkpoint)?;
        folder.write_metrics(&self.gathered.steps)?;
        emit(Event::CheckpointSaved { run: self.index, step: self.trainer.position().step });
        Ok(())
    }
}
