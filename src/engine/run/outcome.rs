//! What a run leaves: what its learners have learnt, as files, and its report.

use super::Run;
use crate::continual::Learnt;
use crate::engine::EngineError;
use crate::engine::config::ExperimentConfig;
use crate::engine::evaluator::read;
use crate::engine::report::{BufferSummary, RunReport, TaskSummary, thin_steps};
use crate::model::{Adapter, PlainAdapter};
use crate::platform;

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
            buffer: self.trainer.buffer().map(|buffer| BufferSummary {
                capacity: buffer.capacity(),
                len: buffer.len(),
                n_seen: buffer.n_seen(),
                shares: buffer.task_shares(),
            }),
            warnings: self.prepared.warnings.clone(),
        })
    }
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
