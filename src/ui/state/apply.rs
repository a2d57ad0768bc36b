//! The one place where an event changes what is shown.

use super::run::{RunStatus, RunView};
use super::{AppState, CapsuleView};
use crate::engine::protocol::storage::StorageListing;
use crate::engine::protocol::{Event, Level};
use crate::engine::report::{RunReport, StepReport};
use std::path::Path;

impl AppState {
    /// Takes in an event. Events about a run that is not known are ignored.
    #[allow(clippy::too_many_lines)] // one arm an event
    pub fn apply(&mut self, event: Event, now_secs: f64) {
        match event {
            Event::Ready { catalogue, runs_folder } => {
                self.catalogue = *catalogue;
                self.runs_folder = runs_folder;
                self.engine.ready = true;
                self.engine.phase = "idle".into();
            }
            Event::PhaseStarted { phase, detail } => {
                self.engine.progress = None;
                (self.engine.phase, self.engine.detail) = (phase, detail);
            }
            Event::DeviceChosen { name, reason } => {
                self.tell(now_secs, Level::Info, format!("device: {name} ({reason})"));
                (self.engine.device, self.engine.device_reason) = (name, reason);
            }
            Event::RunQueued { run, method_label, experiment } => {
                match self.runs.iter_mut().find(|known| known.number == run && known.folder.is_some()) {
                    // It goes on: what is known of it stays.
                    Some(known) => (known.status, known.experiment) = (RunStatus::Queued, *experiment),
                    None => {
                        self.runs.retain(|known| known.number != run);
                        self.runs.push(RunView::new(run, &method_label, *experiment));
                    }
                }
                if self.active.is_none() {
                    self.selected = Some(run);
                }
            }
            Event::RunStarted { run, steps_done, steps_total, folder, report, method_label, .. } => {
                if self.run(run).is_none() {
                    let experiment = self.draft.config.clone();
                    self.runs.push(RunView::new(run, &method_label, experiment));
                }
                // Whoever followed the run before follows this one; whoever chose another to look at keeps it.
                let follows = self.selected.is_none_or(|shown| {
                    Some(shown) == self.last_active || self.run(shown).is_none_or(|run| run.status == RunStatus::Queued)
                });
                (self.active, self.last_active) = (Some(run), Some(run));
                if follows {
                    self.selected = Some(run);
                }
                self.with_run(run, |view| {
                    view.status = RunStatus::Running;
                    (view.steps_done, view.steps_total) = (steps_done, steps_total);
                    view.folder = folder.or_else(|| view.folder.take());
                    match report {
                        // The window's own curves have all steps, the report's are thinned.
                        Some(report) if !view.curves.learning_rate.is_empty() => {
                            view.report = RunReport { steps: Vec::new(), ..*report };
                        }
                        Some(report) => take_report(view, *report),
                        None => {}
                    }
                });
            }
            Event::Stepped { run, step, steps_total, eta_secs } => self.with_run(run, |view| {
                (view.steps_done, view.steps_total, view.eta_secs) = (step.step, steps_total, eta_secs);
                view.curves.push(&step);
                view.last_step = Some(step);
            }),
            Event::Evaluated { run, after_task, learner, scores } => self.with_run(run, |view| {
                let step = view.steps_done;
                for known in &mut view.report.learners {
                    match after_task {
                        None => {
                            for (task, score) in scores.iter().enumerate() {
                                known.matrix.set_zero_shot(task, score.unwrap_or(f64::NAN));
                            }
                        }
                        Some(row) if known.name == learner => {
                            for (task, score) in scores.iter().enumerate() {
                                known.matrix.set_score(row, task, score.unwrap_or(f64::NAN));
                            }
                        }
                        Some(_) => continue,
                    }
                    let step = if after_task.is_none() { 0 } else { step };
                    known.curve.retain(|point| point.step < step);
                    known.curve.push(crate::engine::report::CurvePoint { step, task_scores: scores.clone() });
                }
            }),
            Event::CurvePointScored { run, learner, point } => self.with_run(run, |view| {
                if let Some(known) = view.report.learners.iter_mut().find(|known| known.name == learner) {
                    known.curve.retain(|before| before.step < point.step);
                    known.curve.push(point);
                }
            }),
            #[allow(clippy::cast_precision_loss)] // counts of examples
            Event::EvaluationProgressed { done, total, .. } => {
                self.engine.progress = (total > 0).then(|| done as f64 / total as f64);
            }
            Event::CheckpointSaved { run, .. } => self.with_run(run, |view| view.resumable = true),
            Event::Paused { run, step } => {
                self.with_run(run, |view| (view.status, view.steps_done) = (RunStatus::Paused, step));
            }
            Event::Resumed { run } => self.with_run(run, |view| view.status = RunStatus::Running),
            Event::Stopped { run, step } => {
                self.end_run(run, RunStatus::Stopped);
                self.tell(now_secs, Level::Info, format!("run {run} stopped after step {step}; it can be resumed"));
            }
            Event::Finished { run, report } => {
                self.with_run(run, |view| {
                    view.steps_done = view.steps_total;
                    view.eta_secs = None;
                    // The steps are in the curves already, and more of them.
                    view.report = RunReport { steps: Vec::new(), ..*report };
                });
                self.end_run(run, RunStatus::Finished);
            }
            Event::Warned { message } => self.tell(now_secs, Level::Warning, message),
            Event::Failed { run, message } => {
                self.end_run(run, RunStatus::Failed(message.clone()));
                self.tell(now_secs, Level::Error, message);
            }
            Event::Unqueued { run } => {
                match self.runs.iter_mut().find(|view| view.number == run && view.folder.is_some()) {
                    // One that was to go on stays as it was.
                    Some(view) if view.status == RunStatus::Queued => view.status = RunStatus::Stopped,
                    Some(_) => {}
                    None => {
                        self.runs.retain(|view| view.number != run || view.status != RunStatus::Queued);
                        self.forget_choice(run);
                    }
                }
            }
            Event::RunOpened { run, folder, experiment, report, steps, steps_total, buffer, adapters, resumable } => {
                // One folder is one row.
                let row = self.runs.iter().find(|known| folder.is_some() && known.folder == folder);
                if row.is_some_and(|row| row.status.is_active() || row.status == RunStatus::Queued) {
                    return;
                }
                let run = row.map_or(run, |row| row.number);
                let label = report.as_ref().map_or_else(String::new, |report| report.method_label.clone());
                let mut view = RunView::new(run, &label, *experiment);
                let finished = report.as_ref().is_some_and(|report| !report.learners.is_empty() && !resumable);
                view.status = if finished { RunStatus::Finished } else { RunStatus::Stopped };
                if let Some(report) = report {
                    view.title.clone_from(&report.title);
                    take_report(&mut view, *report);
                }
                if !steps.is_empty() {
                    take_steps(&mut view, &steps);
                }
                view.steps_total = steps_total;
                if let Some(change) = buffer {
                    view.buffer.apply(*change);
                }
                (view.folder, view.adapters, view.resumable) = (folder, adapters, resumable);
                self.runs.retain(|known| known.number != run);
                self.runs.push(view);
                if self.active.is_none() {
                    self.selected = Some(run);
                }
            }
            Event::AdaptersWritten { run, adapters } => self.with_run(run, |view| view.adapters = adapters),
            Event::RunDeleted { run } => {
                self.runs.retain(|view| view.number != run);
                self.forget_choice(run);
            }
            Event::RunRenamed { run, title } => self.with_run(run, |view| view.title = title),
            Event::Exported { what, path } => {
                self.tell(now_secs, Level::Info, format!("{what} written to {path}"));
                self.toasts.push((Level::Info, format!("{what} written to {path}")));
            }
            Event::CapsuleProgressed { run, packing, done_bytes, total_bytes } => {
                self.capsules.insert(run, CapsuleView { packing, done_bytes, total_bytes });
            }
            Event::CapsuleEnded { run } => {
                self.capsules.remove(&run);
            }
            Event::StorageListed { listing } => self.take_storage(*listing),
            Event::BufferChanged { run, change } => self.with_run(run, |view| view.buffer.apply(*change)),
            Event::BufferMapped { run, map } => self.with_run(run, |view| view.buffer.map = Some(*map)),
            Event::BufferPreviewed { run, preview } => {
                self.with_run(run, |view| view.buffer.preview = Some(*preview));
            }
            Event::DevicesFound { devices } => self.devices = Some(devices),
            Event::ModelInspected { model, result } => {
                if model == self.draft.config.model {
                    self.model = Some(result.map(|card| *card));
                }
            }
            Event::TaskInspected { id, result } => {
                self.tasks.insert(id, result.map(|card| *card).map_err(|problem| *problem));
            }
            Event::DownloadProgressed { id, file, done_bytes, total_bytes, bytes_per_sec, eta_secs } => {
                let view = self.downloads.entry(id).or_default();
                (view.file, view.done_bytes, view.total_bytes) = (file, done_bytes, total_bytes);
                (view.bytes_per_sec, view.eta_secs) = (bytes_per_sec, eta_secs);
            }
            Event::DownloadFinished { id, folder } => {
                self.tell(now_secs, Level::Info, format!("downloaded to {folder}"));
                self.downloads.entry(id).or_default().ended = Some(Ok(folder));
            }
            Event::DownloadFailed { id, message, cancelled } => {
                self.downloads.entry(id).or_default().ended = Some(Err(message.clone()));
                // Whoever cancelled it knows.
                self.tell(now_secs, if cancelled { Level::Info } else { Level::Error }, message);
            }
            Event::Generated { id, source, text, done, tokens_per_sec } => {
                let view = self.generations.entry(id).or_default();
                if view.columns.len() <= source {
                    view.columns.resize(source + 1, (String::new(), false));
                    view.tokens_per_sec.resize(source + 1, 0.0);
                }
                view.columns[source] = (text, done);
                view.tokens_per_sec[source] = tokens_per_sec;
            }
            Event::GenerationFailed { id, message } => {
                self.generations.entry(id).or_default().failed = Some(message.clone());
                self.tell(now_secs, Level::Error, message);
            }
            Event::PathMeasured { id, report, done } => {
                self.failed_explorations.remove(&id);
                self.paths.entry(id).or_default().take(*report, done);
            }
            Event::PlaneMeasured { id, report, done } => {
                self.failed_explorations.remove(&id);
                self.planes.entry(id).or_default().take(*report, done);
            }
            Event::SimilarityMeasured { id, report } => {
                self.failed_explorations.remove(&id);
                self.similarities.entry(id).or_default().take(*report, true);
            }
            Event::ExplorationFailed { id, message } => {
                if let Some(view) = self.paths.get_mut(&id) {
                    view.fail(&message);
                }
                if let Some(view) = self.planes.get_mut(&id) {
                    view.fail(&message);
                }
                if let Some(view) = self.similarities.get_mut(&id) {
                    view.fail(&message);
                }
                self.failed_explorations.insert(id, message.clone());
                self.tell(now_secs, Level::Error, message);
            }
            Event::Marked { id, examples } => {
                self.marks_asked.remove(&id);
                self.marked.insert(id, examples);
            }
            Event::MarkFailed { id, message } => {
                self.marks_asked.remove(&id);
                self.marks_failed.insert(id, message.clone());
                self.tell(now_secs, Level::Error, message);
            }
            Event::MemoryMeasured { peak_bytes } => self.engine.peak_memory_bytes = Some(peak_bytes),
            Event::Logged { level, message } => self.tell(now_secs, level, message),
            Event::Refused { what, message } => self.tell(now_secs, Level::Error, format!("{what}: {message}")),
            Event::EngineDied { message } => {
                if let Some(run) = self.active {
                    self.end_run(run, RunStatus::Failed(message.clone()));
                }
                self.engine.phase = "idle".into();
                self.capsules.clear();
                self.fail_unfinished(&message);
                self.tell(now_secs, Level::Error, message);
            }
        }
    }

    /// What is kept; a run that was deleted there is gone here as well.
    fn take_storage(&mut self, listing: StorageListing) {
        if let Some(path) = &listing.deleted {
            let is_gone =
                |run: &&RunView| run.folder.as_ref().is_some_and(|folder| Path::new(folder) == Path::new(path));
            let gone: Vec<usize> = self.runs.iter().filter(is_gone).map(|run| run.number).collect();
            for run in gone {
                self.runs.retain(|view| view.number != run);
                self.forget_choice(run);
            }
        }
        self.storage = Some(listing);
    }

    /// What the engine was asked and has not answered, it will not answer any more.
    fn fail_unfinished(&mut self, message: &str) {
        for view in self.generations.values_mut() {
            if view.failed.is_none() && (view.columns.is_empty() || view.columns.iter().any(|(_, done)| !done)) {
                view.failed = Some(message.to_string());
            }
        }
        for view in self.paths.values_mut() {
            if !view.done {
                view.fail(message);
            }
            // The adapters of what was measured went with the engine.
            view.earlier = true;
        }
        for view in self.planes.values_mut() {
            if !view.done {
                view.fail(message);
            }
            view.earlier = true;
        }
        for view in self.similarities.values_mut().filter(|view| !view.done) {
            view.fail(message);
        }
        for id in std::mem::take(&mut self.marks_asked) {
            self.marks_failed.insert(id, message.to_string());
        }
    }

    fn with_run(&mut self, number: usize, change: impl FnOnce(&mut RunView)) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.number == number) {
            change(run);
        }
    }

    fn end_run(&mut self, number: usize, status: RunStatus) {
        self.with_run(number, |view| {
            view.status = status;
            view.eta_secs = None;
        });
        if self.active == Some(number) {
            self.active = None;
            (self.engine.phase, self.engine.detail, self.engine.progress) = ("idle".into(), String::new(), None);
        }
    }

    fn forget_choice(&mut self, number: usize) {
        self.compared.remove(&number);
        if self.selected == Some(number) {
            self.selected = self.active.or_else(|| self.runs.last().map(|run| run.number));
        }
    }
}

/// What a report tells goes where the panels look for it.
fn take_report(view: &mut RunView, mut report: RunReport) {
    let steps = std::mem::take(&mut report.steps);
    view.report = report;
    take_steps(view, &steps);
}

fn take_steps(view: &mut RunView, steps: &[StepReport]) {
    view.curves = super::run::Curves::default();
    for step in steps {
        view.curves.push(step);
    }
    if let Some(last) = steps.last() {
        (view.steps_done, view.last_step) = (last.step, Some(last.clone()));
        view.steps_total = view.steps_total.max(last.step);
    }
}
