//! What a run leaves: what its learners have learnt, as files, and its report.

use super::{Gathered, Run};
use crate::continual::Learnt;
use crate::continual::replay::ReplayBuffer;
use crate::engine::EngineError;
use crate::engine::config::ExperimentConfig;
use crate::engine::evaluator::read;
use crate::engine::report::{BufferSummary, RunReport, StepReport, TaskSummary, thin_steps};
use crate::engine::run_folder::RunFolder;
use crate::engine::trainer::Position;
use crate::model::{Adapter, PlainAdapter};
use crate::platform::{self, fs};
use std::path::Path;

/// Step reports kept in the report.
const KEPT_STEPS: usize = 2000;

impl Run {
    /// Writes what all learners have learnt after a task, in PEFT's format.
    pub(super) async fn write_learners(&self, row: usize) -> Result<(), EngineError> {
        let Some(folder) = &self.folder else { return Ok(()) };
        let (task, model) = (&self.prepared.tasks[row].task.name, &self.prepared.model);
        for learner in self.trainer.learners(row) {
            match learner.learnt {
                Learnt::Base => {}
                Learnt::Adapters(adapters) => {
                    let mut plain = Vec::with_capacity(adapters.len());
                    for adapter in adapters {
                        plain.push(Adapter::plain(adapter.layout(), &read(adapter.flat()).await?));
                    }
                    if let Some(sum) = PlainAdapter::concat(&plain) {
                        folder.write_adapter(row, task, learner.name, &sum, model)?;
                    }
                }
                Learnt::Prompt(prompt) => {
                    let shape = prompt.shape();
                    let values = read(prompt.vectors().reshape([prompt.parameters()])).await?;
                    folder.write_prompt(row, task, learner.name, (&values, &shape), model)?;
                }
            }
        }
        Ok(())
    }

    /// The run's report.
    ///
    /// # Errors
    /// Never for a run that was made; the method's settings are resolved again.
    pub fn report(&self) -> Result<RunReport, EngineError> {
        let (entry, knobs) = self.config.methods[0].resolve()?;
        let tasks = self
            .prepared
            .tasks
            .iter()
            .zip(&self.gathered.zero_shot)
            .map(|(task, zero_shot)| TaskSummary {
                name: task.task.name.clone(),
                title: task.task.name.clone(),
                metric: task.task.metric.title().to_string(),
                chance: task.task.chance(),
                zero_shot: *zero_shot,
                train: task.train.len(),
                eval: task.task.eval.len(),
                source: task.task.source.clone(),
            })
            .collect();
        let mut settings: Vec<(String, String)> =
            knobs.iter().map(|(name, value)| (format!("{}.{name}", entry.name), value.to_string())).collect();
        settings.extend(flat_settings(&self.config));
        Ok(RunReport {
            title: self.config.title.clone(),
            method: entry.name.to_string(),
            method_label: entry.label.to_string(),
            seed: self.config.seed,
            device: self.prepared.model.device_name.clone(),
            model: self.prepared.model.name.clone(),
            tasks,
            learners: self.gathered.learners.clone(),
            headline: self.gathered.headline,
            steps: thin_steps(&self.gathered.steps, KEPT_STEPS),
            train_secs: self.gathered.train_secs,
            eval_secs: self.gathered.eval_secs,
            total_tokens: self.trainer.position().tokens,
            peak_memory_bytes: platform::peak_memory_bytes(),
            trainable_parameters: self.trainer.trainable_parameters() as u64,
            settings,
            command: self.gathered.command.clone(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            started_unix: self.gathered.started_unix,
            buffer: self.trainer.buffer().map(summary),
            warnings: self.prepared.warnings.iter().chain(&self.gathered.by_hand).cloned().collect(),
        })
    }
}

fn summary(buffer: &ReplayBuffer) -> BufferSummary {
    BufferSummary {
        capacity: buffer.capacity(),
        len: buffer.len(),
        n_seen: buffer.n_seen(),
        shares: buffer.task_shares(),
    }
}

/// What is known of a run that was interrupted.
pub struct Interrupted {
    pub report: RunReport,
    /// All that were reported.
    pub steps: Vec<StepReport>,
    /// Of the whole run; 0 if the checkpoint does not tell.
    pub steps_total: u64,
    /// Where the checkpoint is an older one.
    pub warning: Option<String>,
    /// The replay buffer and the step it is of, for methods that keep one.
    pub buffer: Option<(ReplayBuffer, u64)>,
}

/// What an interrupted run had gathered by its last checkpoint, without loading its model: the report as far as it is known, all
/// steps, and a warning where the checkpoint is an older one. `None` before the first checkpoint.
///
/// # Errors
/// A checkpoint that cannot be read, or a configuration that names an unknown method.
pub fn read_interrupted(folder: &RunFolder, config: &ExperimentConfig) -> Result<Option<Interrupted>, EngineError> {
    let Some((checkpoint, warning)) = folder.checkpoint()? else { return Ok(None) };
    let gathered: Gathered = checkpoint.get_state("gathered")?;
    let position: Position = checkpoint.get_state("position")?;
    let buffer: Option<ReplayBuffer> = checkpoint.get_state("buffer")?;
    let Some(method) = config.methods.first() else { return Ok(None) };
    let (entry, _) = method.resolve()?;
    let chance = |task| gathered.learners.first().and_then(|learner| learner.matrix.chance(task));
    let tasks = config.tasks.iter().zip(&gathered.zero_shot).enumerate().map(|(index, (task, zero_shot))| {
        let name = task.short_name();
        TaskSummary {
            name: name.clone(),
            title: name,
            chance: chance(index).unwrap_or(f64::NAN),
            zero_shot: *zero_shot,
            source: task.source().to_string(),
            ..TaskSummary::default()
        }
    });
    let report = RunReport {
        title: config.title.clone(),
        method: entry.name.to_string(),
        method_label: entry.label.to_string(),
        seed: config.seed,
        model: config.model.clone(),
        tasks: tasks.collect(),
        learners: gathered.learners.clone(),
        headline: gathered.headline,
        steps: thin_steps(&gathered.steps, KEPT_STEPS),
        train_secs: gathered.train_secs,
        eval_secs: gathered.eval_secs,
        settings: flat_settings(config),
        command: gathered.command.clone(),
        version: env!("CARGO_PKG_VERSION").to_string(),
        started_unix: gathered.started_unix,
        warnings: gathered.by_hand.clone(),
        total_tokens: position.tokens,
        buffer: buffer.as_ref().map(summary),
        ..RunReport::default()
    };
    let buffer = buffer.map(|buffer| (buffer, position.step));
    Ok(Some(Interrupted { report, steps: gathered.steps, steps_total: gathered.steps_total, warning, buffer }))
}

/// The adapters in a run's folder: task index, learner, path; in the order of tasks.
#[must_use]
pub fn written_adapters(folder: &Path) -> Vec<(usize, String, String)> {
    let names = |path: &Path| {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        let mut names: Vec<String> = entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    };
    let root = folder.join("adapters");
    let mut found = Vec::new();
    for task in names(&root) {
        let Some(number) = task.split('-').next().and_then(|number| number.parse::<usize>().ok()) else { continue };
        for learner in names(&root.join(&task)) {
            let path = root.join(&task).join(&learner);
            if fs::is_file(&path.join("adapter_config.json")) {
                found.push((number.saturating_sub(1), learner, path.display().to_string()));
            }
        }
    }
    found
}

/// The configuration as `section.name = value` lines, without the lists of tasks and methods.
fn flat_settings(config: &ExperimentConfig) -> Vec<(String, String)> {
    let Ok(table) = toml::Table::try_from(config) else { return Vec::new() };
    let mut lines = Vec::new();
    for (name, value) in table {
        match value {
            toml::Value::Table(section) => {
                lines.extend(section.into_iter().map(|(key, value)| (format!("{name}.{key}"), value.to_string())));
            }
            toml::Value::Array(_) => {}
            value => lines.push((name, value.to_string())),
        }
    }
    lines
}
