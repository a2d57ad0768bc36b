//! What an experiment is: model, device, methods, tasks and settings, as written in `experiment.toml`.
//!
//! A run owns a frozen copy of its configuration. Unknown settings are refused with the nearest known name.

use super::EngineError;
use crate::continual::knobs::{KnobError, Knobs, nearest};
use crate::continual::replay::ReplayPolicy;
use crate::continual::{MethodEntry, find};
use crate::data::task::Metric;
use crate::model::LoraConfig;
use crate::model::llama::MOST_PAD_MULTIPLE;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The name of the model that is part of the program.
pub const BUILTIN_MODEL: &str = "builtin";

/// A whole experiment: one stream of tasks, learnt by one or several methods with the same seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExperimentConfig {
    pub title: String,
    /// `builtin`, or a Hugging Face folder (config.json, model.safetensors, tokenizer.json).
    pub model: String,
    /// `auto`, `cpu`, `webgpu`, `webgpu:NUMBER` or `webgpu:NAME`.
    pub device: String,
    pub seed: u64,
    /// Methods to run, one after the other.
    pub methods: Vec<MethodConfig>,
    /// Tasks in the order they are learnt.
    pub tasks: Vec<TaskConfig>,
    /// Where run folders go.
    pub output: String,
    pub lora: LoraConfig,
    pub training: TrainingConfig,
    pub replay: ReplayConfig,
    pub evaluation: EvaluationConfig,
}

/// A method by name, or with settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum MethodConfig {
    Name(String),
    Settings(MethodSettings),
}

/// A method with a preset and changed settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MethodSettings {
    pub name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Setting by name, as numbers, words or switches.
    #[serde(default)]
    pub settings: BTreeMap<String, toml::Value>,
}

impl MethodConfig {
    /// The method's name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Name(name) => name,
            Self::Settings(settings) => &settings.name,
        }
    }

    /// The register's line and the checked settings.
    ///
    /// # Errors
    /// Unknown method, preset or setting, or a value out of range.
    pub fn resolve(&self) -> Result<(MethodEntry, Knobs), KnobError> {
        let entry = find(self.name())?;
        let knobs = match self {
            Self::Name(_) => Knobs::parse(&entry, None, &BTreeMap::new())?,
            Self::Settings(settings) => {
                let given = settings.settings.iter().map(|(name, value)| (name.clone(), plain(value))).collect();
                Knobs::parse(&entry, settings.preset.as_deref(), &given)?
            }
        };
        Ok((entry, knobs))
    }

    /// The same method with one more setting.
    #[must_use]
    pub fn with_setting(&self, name: &str, value: &str) -> Self {
        let mut settings = match self {
            Self::Name(name) => MethodSettings { name: name.clone(), ..MethodSettings::default() },
            Self::Settings(settings) => settings.clone(),
        };
        settings.settings.insert(name.to_string(), toml::Value::String(value.to_string()));
        Self::Settings(settings)
    }
}

/// A TOML value as it would be typed.
pub(super) fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A task: `builtin:NAME`, a path, or a path with details.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum TaskConfig {
    Source(String),
    Details(TaskDetails),
}

/// A task file or folder with everything that can be said about it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TaskDetails {
    /// `builtin:NAME`, a file, or a folder with train/eval/test.
    pub source: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Column with the prompt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// Column with the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// Prompt template with `{column}` placeholders.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The possible answers of a choice task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metric: Option<Metric>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_new_tokens: Option<usize>,
}

impl TaskConfig {
    /// `builtin:NAME`, a file, or a folder.
    #[must_use]
    pub fn source(&self) -> &str {
        match self {
            Self::Source(source) => source,
            Self::Details(details) => &details.source,
        }
    }

    /// What it is called before it was read: its own name, or what its source ends in.
    #[must_use]
    pub fn short_name(&self) -> String {
        if let Self::Details(TaskDetails { name: Some(name), .. }) = self {
            return name.clone();
        }
        let source = self.source().trim_start_matches("builtin:");
        let file = source.rsplit(['/', '\\']).find(|part| !part.is_empty()).unwrap_or(source);
        file.split('.').next().unwrap_or(file).to_string()
    }
}

/// How the learning rate goes over the steps of one task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    Constant,
    /// Down to 0 at the last step.
    Linear,
    /// Half a cosine down to 0.
    Cosine,
}

/// Settings of the training loop. Schedules restart at each task; AdamW's moments go on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TrainingConfig {
    /// Optimiser steps for each task; 0 takes `epochs`.
    pub steps_per_task: usize,
    /// Passes over a task's examples when `steps_per_task` is 0.
    pub epochs: f64,
    /// Examples of the current task in one step.
    pub batch_size: usize,
    /// Batches whose gradients are averaged into one step.
    pub gradient_accumulation: usize,
    pub learning_rate: f64,
    pub schedule: Schedule,
    /// Share of a task's steps over which the rate rises from 0.
    pub warmup_ratio: f64,
    pub beta_1: f64,
    pub beta_2: f64,
    pub epsilon: f64,
    pub weight_decay: f64,
    /// Largest global norm of the gradient; 0 does not clip.
    pub max_grad_norm: f64,
    /// Longest example in tokens; the prompt is cut on the left.
    pub max_length: usize,
    /// Rows are padded to a multiple of this many tokens, so that shapes stay few.
    pub pad_multiple: usize,
    /// At most this many training examples a task; 0 takes all.
    pub max_train_examples: usize,
    /// Values are read back every so many steps.
    pub report_every: usize,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            steps_per_task: 0,
            epochs: 1.0,
            batch_size: 16,
            gradient_accumulation: 1,
            learning_rate: 3e-3,
            schedule: Schedule::Constant,
            warmup_ratio: 0.05,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-8,
            weight_decay: 0.0,
            max_grad_norm: 1.0,
            max_length: 256,
            pad_multiple: 16,
            max_train_examples: 0,
            report_every: 5,
        }
    }
}

/// Settings of the replay buffer, for the methods that have one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReplayConfig {
    pub policy: ReplayPolicy,
    pub capacity: usize,
    /// Replayed examples in one step; 0 takes `batch_size`.
    pub batch_size: usize,
}

impl Default for ReplayConfig {
    fn default() -> Self {
        Self { policy: ReplayPolicy::Reservoir, capacity: 500, batch_size: 0 }
    }
}

/// Settings of the scoring.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationConfig {
    /// At most this many scored examples a task; 0 takes all.
    pub max_examples: usize,
    pub batch_size: usize,
    /// Score a subset every so many steps, for the curves; 0 only at task boundaries.
    pub every_steps: usize,
    /// Size of that subset.
    pub subset: usize,
}

impl Default for EvaluationConfig {
    fn default() -> Self {
        Self { max_examples: 200, batch_size: 50, every_steps: 0, subset: 40 }
    }
}

impl Default for ExperimentConfig {
    fn default() -> Self {
        Self {
            title: "Thalweg experiment".into(),
            model: BUILTIN_MODEL.into(),
            device: "auto".into(),
            seed: 0,
            methods: vec![MethodConfig::Name("seq".into()), MethodConfig::Name("i_lora".into())],
            tasks: crate::data::builtin::NAMES
                .iter()
                .map(|name| TaskConfig::Source(format!("builtin:{name}")))
                .collect(),
            output: "runs".into(),
            lora: LoraConfig::default(),
            training: TrainingConfig::default(),
            replay: ReplayConfig::default(),
            evaluation: EvaluationConfig::default(),
        }
    }
}

/// Presets by name, as the files in `assets/presets`.
pub(super) const PRESETS: [(&str, &str); 3] = [
    ("demo", include_str!("../../assets/presets/demo.toml")),
    ("demo-quick", include_str!("../../assets/presets/demo-quick.toml")),
    ("paper", include_str!("../../assets/presets/paper.toml")),
];

impl ExperimentConfig {
    /// A preset by name.
    ///
    /// # Errors
    /// An unknown name, with the nearest known one.
    pub fn preset(name: &str) -> Result<Self, EngineError> {
        let names = PRESETS.map(|(name, _)| name);
        let (_, text) = PRESETS.iter().find(|(known, _)| *known == name).ok_or_else(|| {
            let hint = nearest(name, &names).map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
            EngineError::Setting(format!("there is no preset `{name}`{hint}; there are: {}", names.join(", ")))
        })?;
        Self::parse(text, &format!("preset {name}"))
    }

    /// Reads TOML.
    ///
    /// # Errors
    /// A sentence with line and column, and the nearest known name for a mistyped setting.
    pub fn parse(text: &str, where_: &str) -> Result<Self, EngineError> {
        let config: Self = toml::from_str(text).map_err(|error| {
            let message = error.to_string();
            let hint = suggestion(error.message()).map(|name| format!("\ndid you mean `{name}`?")).unwrap_or_default();
            EngineError::Setting(format!("{where_}: {}{hint}", message.trim_end()))
        })?;
        config.check()?;
        Ok(config)
    }

    /// The same configuration with one field changed, `training.learning_rate=0.001`.
    ///
    /// # Errors
    /// An unknown field, or a value of the wrong kind.
    pub fn with_override(&self, assignment: &str) -> Result<Self, EngineError> {
        let (key, value) = assignment.split_once('=').ok_or_else(|| {
            EngineError::Setting(format!(
                "`{assignment}` is no setting: write name=value, such as training.learning_rate=0.001"
            ))
        })?;
        let wrong = |what: String| EngineError::Setting(format!("--set {assignment}: {what}"));
        self.check_seed()?;
        let mut tree = toml::Table::try_from(self).map_err(|error| wrong(error.to_string()))?;
        let parsed: toml::Value = format!("value = {value}")
            .parse::<toml::Table>()
            .ok()
            .and_then(|mut table| table.remove("value"))
            .unwrap_or_else(|| toml::Value::String(value.to_string()));
        let (path, last) = key.rsplit_once('.').map_or((None, key), |(path, last)| (Some(path), last));
        let mut table = &mut tree;
        for part in path.into_iter().flat_map(|path| path.split('.')) {
            let known: Vec<String> = table.keys().cloned().collect();
            table = table.get_mut(part).and_then(toml::Value::as_table_mut).ok_or_else(|| {
                let names: Vec<&str> = known.iter().map(String::as_str).collect();
                let hint = nearest(part, &names).map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
                EngineError::Setting(format!("--set {assignment}: there is no section `{part}`{hint}"))
            })?;
        }
        table.insert(last.trim().to_string(), parsed);
        let config: Self = tree.try_into().map_err(|error: toml::de::Error| {
            let hint = suggestion(error.message()).map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default();
            wrong(format!("{}{hint}", error.message()))
        })?;
        config.check()?;
        Ok(config)
    }

    /// As TOML.
    ///
    /// # Errors
    /// Never for a configuration that was read; numbers that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, EngineError> {
        toml::to_string_pretty(self).map_err(|error| EngineError::Setting(error.to_string()))
    }

    /// Most learned vectors that any of the methods puts before an example.
    ///
    /// # Errors
    /// Unknown method or setting.
    pub fn prompt_length(&self) -> Result<usize, KnobError> {
        self.methods.iter().try_fold(0, |most: usize, method| {
            let (entry, knobs) = method.resolve()?;
            Ok(most.max((entry.prompt_length)(&knobs, self.tasks.len())))
        })
    }

    /// A frozen configuration is TOML, which has no larger whole numbers.
    fn check_seed(&self) -> Result<(), EngineError> {
        let fits = i64::try_from(self.seed).is_ok();
        fits.then_some(()).ok_or_else(|| EngineError::Setting(format!("`seed` must be at most {}", i64::MAX)))
    }

    /// Refuses what cannot work, before anything is loaded.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), EngineError> {
        let t = &self.training;
        let no = |what: &str| Err(EngineError::Setting(what.to_string()));
        if self.methods.is_empty() {
            return no("`methods` is empty: name at least one, such as methods = [\"seq\", \"i_lora\"]");
        }
        if self.tasks.is_empty() {
            return no("`tasks` is empty: name at least one, such as tasks = [\"builtin:stance\"] or a file");
        }
        self.check_seed()?;
        if t.pad_multiple > MOST_PAD_MULTIPLE {
            return Err(EngineError::Setting(format!("`training.pad_multiple` must be at most {MOST_PAD_MULTIPLE}")));
        }
        if t.batch_size == 0 || t.gradient_accumulation == 0 || t.pad_multiple == 0 || t.report_every == 0 {
            return no(
                "`training`: batch_size, gradient_accumulation, pad_multiple and report_every must be at least 1",
            );
        }
        if t.steps_per_task == 0 && !(t.epochs.is_finite() && t.epochs > 0.0) {
            return no("`training`: give steps_per_task, or epochs above 0");
        }
        if !(t.learning_rate.is_finite() && t.learning_rate >= 0.0) {
            return no("`training.learning_rate` must be a number of at least 0");
        }
        let shares = [t.warmup_ratio, t.beta_1, t.beta_2];
        if shares.iter().any(|share| !(0.0..1.0).contains(share)) {
            return no("`training`: warmup_ratio, beta_1 and beta_2 must lie in [0, 1)");
        }
        if !(t.epsilon > 0.0 && t.weight_decay >= 0.0 && t.max_grad_norm >= 0.0) {
            return no("`training`: epsilon must be above 0, weight_decay and max_grad_norm at least 0");
        }
        if t.max_length < 8 || self.evaluation.batch_size == 0 || self.replay.capacity == 0 {
            return no(
                "`training.max_length` must be at least 8, `evaluation.batch_size` and `replay.capacity` at least 1",
            );
        }
        if self.evaluation.every_steps > 0 && self.evaluation.subset == 0 {
            return no("`evaluation.subset` must be at least 1 when `every_steps` is set");
        }
        for method in &self.methods {
            method.resolve()?;
        }
        Ok(())
    }
}

/// The nearest known name in serde's message, which quotes the unknown field first and the known ones after it.
pub(super) fn suggestion(message: &str) -> Option<String> {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    let (unknown, known) = names.split_first()?;
    if message.contains("unknown") { nearest(unknown, known) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_setting_is_named_with_its_line_and_the_right_spelling() {
        let message =
            ExperimentConfig::parse("seed = 1\n[training]\nlerning_rate = 0.1\n", "e.toml").unwrap_err().to_string();
        assert!(message.contains("line 3") && message.contains("did you mean `learning_rate`"), "{message}");
    }

    #[test]
    fn every_preset_is_valid() {
        for (name, _) in PRESETS {
            let config = ExperimentConfig::preset(name).unwrap();
            assert_eq!(ExperimentConfig::parse(&config.to_toml().unwrap(), name).unwrap(), config);
        }
        assert!(ExperimentConfig::preset("demmo").unwrap_err().to_string().contains("did you mean `demo`"));
    }

    #[test]
    fn toml_round_trip_and_overrides() {
        let config = ExperimentConfig::default();
        assert_eq!(ExperimentConfig::parse(&config.to_toml().unwrap(), "x").unwrap(), config);
        let changed =
            config.with_override("training.learning_rate=0.5").unwrap().with_override("model=some/folder").unwrap();
        assert_eq!((changed.training.learning_rate, changed.model.as_str()), (0.5, "some/folder"));
        let message = config.with_override("trainning.epochs=2").unwrap_err().to_string();
        assert!(message.contains("did you mean `training`"), "{message}");
        assert!(config.with_override("training.batch_size=0").is_err());
    }
}
