//! What a race is: variants of methods, seeds, task orders and sweeps on one experiment, as written in `race.toml`.
//!
//! As with an experiment, unknown settings are refused with their line and the nearest known name.

use super::order::{Design, TaskOrder};
use super::variants::{SweepConfig, VariantConfig};
use crate::continual::knobs::nearest;
use crate::engine::EngineError;
use crate::engine::config::{EvaluationConfig, ExperimentConfig, ReplayConfig, TaskConfig, TrainingConfig, suggestion};
use crate::model::LoraConfig;
use serde::{Deserialize, Serialize};

/// Version of this program, which a race's own `race.toml` carries.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A whole race: every variant with every seed, on one stream of tasks.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RaceConfig {
    /// Version of the program that wrote this file; only in the folder of a race.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    pub title: String,
    /// Folder of the race: its runs and reports.
    pub output: String,
    pub seeds: Vec<u64>,
    pub orders: Vec<TaskOrder>,
    pub design: Design,
    /// Label or method that the others are compared with; without it the first variant of `i_lora`, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The variants, in the order in which they are shown.
    pub methods: Vec<VariantConfig>,
    pub sweeps: Vec<SweepConfig>,
    /// What is the same for all.
    pub experiment: RaceExperiment,
}

/// An experiment without what the race decides: methods, seed and output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RaceExperiment {
    /// `builtin`, or a Hugging Face folder.
    pub model: String,
    /// `auto` is decided once, for all runs.
    pub device: String,
    /// Tasks in the order that is called `given`.
    pub tasks: Vec<TaskConfig>,
    pub lora: LoraConfig,
    pub training: TrainingConfig,
    pub replay: ReplayConfig,
    pub evaluation: EvaluationConfig,
}

/// Names of the races that are part of the program, as `assets/presets/race-NAME.toml`.
pub const RACE_PRESETS: [&str; 3] = ["builtin8", "text8", "paper"];

const PRESET_TEXTS: [&str; 3] = [
    include_str!("../../../assets/presets/race-builtin8.toml"),
    include_str!("../../../assets/presets/race-text8.toml"),
    include_str!("../../../assets/presets/race-paper.toml"),
];

impl Default for RaceConfig {
    fn default() -> Self {
        Self {
            version: None,
            title: "Thalweg race".into(),
            output: "race".into(),
            seeds: vec![1, 2, 3],
            orders: vec![TaskOrder::Given],
            design: Design::Crossed,
            reference: None,
            methods: Vec::new(),
            sweeps: Vec::new(),
            experiment: RaceExperiment::default(),
        }
    }
}

impl Default for RaceExperiment {
    fn default() -> Self {
        let ExperimentConfig { model, device, tasks, lora, training, replay, evaluation, .. } =
            ExperimentConfig::default();
        Self { model, device, tasks, lora, training, replay, evaluation }
    }
}

impl RaceExperiment {
    /// As an experiment of the default methods, from which variants are made.
    #[must_use]
    pub fn to_experiment(&self) -> ExperimentConfig {
        let Self { model, device, tasks, lora, training, replay, evaluation } = self.clone();
        ExperimentConfig { model, device, tasks, lora, training, replay, evaluation, ..ExperimentConfig::default() }
    }

    /// Takes what the race shares out of an experiment.
    #[must_use]
    pub fn of(experiment: ExperimentConfig) -> Self {
        let ExperimentConfig { model, device, tasks, lora, training, replay, evaluation, .. } = experiment;
        Self { model, device, tasks, lora, training, replay, evaluation }
    }
}

impl RaceConfig {
    /// A preset by name.
    ///
    /// # Errors
    /// An unknown name, with the nearest known one.
    pub fn preset(name: &str) -> Result<Self, EngineError> {
        let place = RACE_PRESETS.iter().position(|known| *known == name).ok_or_else(|| {
            let hint = nearest(name, &RACE_PRESETS).map(|n| format!(" (did you mean `{n}`?)")).unwrap_or_default();
            EngineError::Setting(format!("there is no race `{name}`{hint}; there are: {}", RACE_PRESETS.join(", ")))
        })?;
        Self::parse(PRESET_TEXTS[place], &format!("preset {name}"))
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
        config.check().map_err(|error| EngineError::Setting(format!("{where_}: {error}")))?;
        Ok(config)
    }

    /// As TOML.
    ///
    /// # Errors
    /// Never for a configuration that was read; numbers that TOML cannot hold.
    pub fn to_toml(&self) -> Result<String, EngineError> {
        toml::to_string_pretty(self).map_err(|error| EngineError::Setting(error.to_string()))
    }

    /// Seeds with the orders they are run in, in the order of running.
    #[must_use]
    pub fn blocks(&self) -> Vec<(u64, TaskOrder)> {
        self.design.blocks(&self.seeds, &self.orders)
    }

    /// Refuses lists that cannot be meant. What the variants say is looked at when the race is planned.
    ///
    /// # Errors
    /// A sentence that names the setting.
    pub fn check(&self) -> Result<(), EngineError> {
        let no = |what: String| Err(EngineError::Setting(what));
        if let Some(version) = self.version.as_ref().filter(|version| *version != VERSION) {
            return no(format!(
                "this race was run by version {version} of the program, and this is {VERSION}: delete the line `version` to run it anew with another --output"
            ));
        }
        if self.output.trim().is_empty() {
            return no("`output` is empty: name a folder for the race".into());
        }
        if self.seeds.is_empty() {
            return no("`seeds` is empty: give at least one, such as seeds = [1, 2, 3]".into());
        }
        if let Some(seed) = repeated(&self.seeds) {
            return no(format!("`seeds` has {seed} twice: that would be the same runs again"));
        }
        if let Some(seed) = self.seeds.iter().find(|seed| i64::try_from(**seed).is_err()) {
            return no(format!("`seeds` has {seed}: a seed must be at most {}", i64::MAX));
        }
        if self.orders.is_empty() {
            return no("`orders` is empty: give at least one of given, reversed, random".into());
        }
        if let Some(order) = repeated(&self.orders) {
            return no(format!("`orders` has {order} twice: that would be the same runs again"));
        }
        if self.methods.is_empty() && self.sweeps.is_empty() {
            return no("`methods` is empty: name at least one, such as methods = [\"seq\", \"i_lora\"]".into());
        }
        if self.experiment.tasks.is_empty() {
            return no("`experiment.tasks` is empty: name at least two, such as \"builtin:stance\" or a file".into());
        }
        if self.experiment.tasks.len() == 1 && self.orders.len() > 1 {
            return no("`orders` has several, but one task has only one order: keep one of them".into());
        }
        for (place, sweep) in self.sweeps.iter().enumerate() {
            let no = |what: &str| no(format!("sweep {} (of `{}`): {what}", place + 1, sweep.method));
            if sweep.grid.0.is_empty() || sweep.grid.0.len() > 2 {
                return no("`grid` must have one setting, or two; such as grid = { half_life_steps = [3, 10, 30] }");
            }
            if let Some((name, _)) = sweep.grid.0.iter().find(|(_, values)| values.is_empty()) {
                return no(&format!("`grid` has no value for {name}: give at least one"));
            }
        }
        Ok(())
    }
}

/// The first item that stands in a list a second time.
fn repeated<T: PartialEq>(list: &[T]) -> Option<&T> {
    list.iter().enumerate().find(|(place, item)| list[..*place].contains(item)).map(|(_, item)| item)
}

#[cfg(test)]
mod tests;
