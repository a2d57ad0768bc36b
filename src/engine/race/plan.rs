//! From a race file to runs: every variant checked and named, every run with its frozen configuration and its folder.
//!
//! Nothing is read or written here. A plan that was made can be run as far as its file is concerned; what lies outside of
//! it (model, tasks, the folder of the race) is looked at by [`super::inputs`] and [`super::folder`].

use super::config::RaceConfig;
use super::order::TaskOrder;
use super::record::{SweepPoint, SweepRecord};
use super::variants::{SweepConfig, VariantConfig};
use crate::continual::find;
use crate::continual::knobs::nearest;
use crate::engine::EngineError;
use crate::engine::config::{ExperimentConfig, MethodConfig, MethodSettings, plain};
use crate::engine::experiment::with_absolute_paths;
use std::collections::BTreeMap;

/// Sections of the experiment that a variant may change; what is learnt and how it is scored is the same for all.
const SECTIONS: [&str; 3] = ["lora", "training", "replay"];
/// The variant that others are compared with, unless the race says otherwise.
const REFERENCE: &str = "i_lora";

/// What takes part: a method with settings, or one point of a sweep.
#[derive(Clone, Debug, PartialEq)]
pub struct Variant {
    /// Unique in the race.
    pub label: String,
    /// Name of the method in the register.
    pub method: String,
    /// Its place, where it belongs to a sweep.
    pub point: Option<SweepPoint>,
    /// Index of the variant whose runs stand for it: its own, unless it is a point with the settings of an earlier variant.
    pub runs_as: usize,
    /// With its one method, the tasks as given, absolute paths, and no seed yet.
    pub config: ExperimentConfig,
}

/// One run.
#[derive(Clone, Debug, PartialEq)]
pub struct Cell {
    /// Name of its folder, such as `i-lora-seed1-given`.
    pub name: String,
    /// Index in [`Plan::variants`].
    pub variant: usize,
    pub seed: u64,
    pub order: TaskOrder,
    /// What is frozen in its folder. It names no folder itself, so that a race can be moved.
    pub config: ExperimentConfig,
}

/// All runs of a race.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// Those of `methods` first, then the points of the sweeps.
    pub variants: Vec<Variant>,
    pub sweeps: Vec<SweepRecord>,
    /// Label of the variant that others are compared with.
    pub reference: Option<String>,
    /// In the order of running: all variants of one seed and order, then of the next, so that a race that is stopped has
    /// compared like with like.
    pub cells: Vec<Cell>,
}

impl Plan {
    /// Plans a race.
    ///
    /// # Errors
    /// A sentence that names the variant: an unknown method, preset or setting, a value out of range, a path that is no part
    /// of an experiment; two variants, or two runs, of one name; a reference that takes no part.
    pub fn new(config: &RaceConfig) -> Result<Self, EngineError> {
        config.check()?;
        let base = with_absolute_paths(&config.experiment.to_experiment());
        let mut variants = Vec::new();
        for entry in &config.methods {
            variants.push(variant(&base, entry, None)?);
        }
        let reference = reference(config.reference.as_deref(), &variants)?;
        let mut sweeps = Vec::new();
        for sweep in &config.sweeps {
            let points = points(sweep, sweeps.len())?;
            sweeps.push(described(sweep)?);
            for (entry, point) in points {
                variants.push(variant(&base, &entry, Some(point))?);
            }
        }
        refuse_same_names(&variants)?;
        share_runs(&mut variants)?;
        let cells = cells(&variants, &config.blocks());
        Ok(Self { variants, sweeps, reference, cells })
    }

    /// Every report that the race needs: index of the variant, index of the run.
    pub fn entries(&self) -> impl Iterator<Item = (usize, usize)> {
        self.variants.iter().enumerate().flat_map(|(index, variant)| {
            let runs = self.cells.iter().enumerate().filter(|(_, cell)| cell.variant == variant.runs_as);
            runs.map(move |(cell, _)| (index, cell))
        })
    }

    /// The runs of the named variants: labels, methods (without the sweeps), or titles of sweeps. No name means all.
    ///
    /// # Errors
    /// A name that means nothing here, with the nearest that does.
    pub fn runs_of(&self, names: &[String]) -> Result<Vec<usize>, EngineError> {
        if names.is_empty() {
            return Ok((0..self.cells.len()).collect());
        }
        let mut wanted = vec![false; self.variants.len()];
        for name in names {
            let mut found = false;
            for variant in self.variants.iter().filter(|variant| self.answers_to(variant, name)) {
                wanted[variant.runs_as] = true;
                found = true;
            }
            if !found {
                let mut known: Vec<&str> = self.variants.iter().map(|variant| variant.label.as_str()).collect();
                known.extend(self.variants.iter().map(|variant| variant.method.as_str()));
                known.extend(self.sweeps.iter().map(|sweep| sweep.title.as_str()));
                return Err(EngineError::Setting(format!("no variant is called `{name}`{}", hint(name, &known))));
            }
        }
        Ok((0..self.cells.len()).filter(|cell| wanted[self.cells[*cell].variant]).collect())
    }

    /// Cuts the examples of all runs to the same number of tokens, where that is less than what is set.
    pub fn cut(&mut self, max_length: usize) {
        for cell in &mut self.cells {
            cell.config.training.max_length = cell.config.training.max_length.min(max_length);
        }
    }

    fn answers_to(&self, variant: &Variant, name: &str) -> bool {
        let by_title = |point: &SweepPoint| self.sweeps[point.sweep].title == name;
        variant.label == name || variant.point.as_ref().map_or(variant.method == name, by_title)
    }
}

/// Checks one variant and makes its configuration.
fn variant(base: &ExperimentConfig, entry: &VariantConfig, point: Option<SweepPoint>) -> Result<Variant, EngineError> {
    let name = entry.label.as_deref().unwrap_or(&entry.name);
    let wrong = |error: EngineError| {
        let message = error.to_string();
        // an override of the command line and one of a file are refused by the same code
        let message = message.strip_prefix("--set ").map_or(message.clone(), |rest| format!("`set` {rest}"));
        EngineError::Setting(format!("variant `{name}`: {message}"))
    };
    let method = if entry.preset.is_none() && entry.settings.is_empty() {
        MethodConfig::Name(entry.name.clone())
    } else {
        MethodConfig::Settings(MethodSettings {
            name: entry.name.clone(),
            preset: entry.preset.clone(),
            settings: entry.settings.clone(),
        })
    };
    let (known, _) = method.resolve().map_err(|error| wrong(error.into()))?;
    let mut config = ExperimentConfig { methods: vec![method], ..base.clone() };
    for (path, value) in flat("", &entry.set) {
        let section = path.split_once('.').map_or("", |(section, _)| section);
        if !SECTIONS.contains(&section) {
            return Err(wrong(EngineError::Setting(format!(
                "`set` cannot change `{path}` for one variant, only what is in {}, such as training.learning_rate: settings of the method belong in `settings`, and what all variants share in [experiment]",
                SECTIONS.join(", ")
            ))));
        }
        config = config.with_override(&format!("{path}={value}")).map_err(wrong)?;
    }
    config.check().map_err(wrong)?;
    let label = entry.label.clone().unwrap_or_else(|| known.label.to_string());
    if slug(&label).is_empty() {
        return Err(wrong(EngineError::Setting("its label needs a letter or a digit to name folders by".into())));
    }
    Ok(Variant { label, method: known.name.to_string(), point, runs_as: 0, config })
}

/// Paths and values, whether `"training.learning_rate" = 1` was written or `training.learning_rate = 1`.
fn flat(parent: &str, table: &BTreeMap<String, toml::Value>) -> Vec<(String, toml::Value)> {
    let mut list = Vec::new();
    for (name, value) in table {
        let path = if parent.is_empty() { name.clone() } else { format!("{parent}.{name}") };
        match value {
            toml::Value::Table(inner) => list.extend(flat(&path, &inner.clone().into_iter().collect())),
            value => list.push((path, value.clone())),
        }
    }
    list
}

/// The points of a sweep, the last setting varying fastest.
fn points(sweep: &SweepConfig, index: usize) -> Result<Vec<(VariantConfig, SweepPoint)>, EngineError> {
    let label = label_of(sweep)?;
    let start = VariantConfig {
        name: sweep.method.clone(),
        label: Some(label),
        preset: sweep.preset.clone(),
        settings: sweep.settings.clone(),
        set: sweep.set.clone(),
    };
    let mut points = vec![(start, SweepPoint { sweep: index, values: Vec::new() })];
    for (name, values) in &sweep.grid.0 {
        let mut longer = Vec::with_capacity(points.len() * values.len());
        for (entry, point) in &points {
            for value in values {
                let (mut entry, mut point, typed) = (entry.clone(), point.clone(), plain(value));
                entry.label = entry.label.map(|label| format!("{label} {name}={typed}"));
                let place = if name.contains('.') { &mut entry.set } else { &mut entry.settings };
                place.insert(name.clone(), value.clone());
                point.values.push(typed);
                longer.push((entry, point));
            }
        }
        points = longer;
    }
    Ok(points)
}

fn label_of(sweep: &SweepConfig) -> Result<String, EngineError> {
    let known = find(&sweep.method).map_err(|error| EngineError::Setting(format!("sweep: {error}")))?;
    Ok(sweep.label.clone().unwrap_or_else(|| known.label.to_string()))
}

fn described(sweep: &SweepConfig) -> Result<SweepRecord, EngineError> {
    let settings: Vec<String> = sweep.grid.0.iter().map(|(name, _)| name.clone()).collect();
    let title = match &sweep.title {
        Some(title) => title.clone(),
        None => format!("{}: {}", label_of(sweep)?, settings.join(" and ")),
    };
    Ok(SweepRecord { title, method: sweep.method.clone(), settings })
}

/// Two variants of one label could not be told apart, and two of one folder would overwrite each other.
fn refuse_same_names(variants: &[Variant]) -> Result<(), EngineError> {
    let mut labels: BTreeMap<String, &str> = BTreeMap::new();
    for variant in variants {
        let name = slug(&variant.label);
        if let Some(other) = labels.insert(name.clone(), &variant.label) {
            let what = if other == variant.label {
                format!("two variants are called `{other}`, so two runs would have the same name")
            } else {
                format!("the runs of `{other}` and `{}` would have the same name, `{name}-…`", variant.label)
            };
            let point = if variant.point.is_some() { "the sweep" } else { "one of them" };
            return Err(EngineError::Setting(format!("{what}: give {point} another `label`")));
        }
    }
    Ok(())
}

/// A point of a sweep that is an earlier variant by its settings is not run again.
fn share_runs(variants: &mut [Variant]) -> Result<(), EngineError> {
    let mut seen = Vec::with_capacity(variants.len());
    for index in 0..variants.len() {
        let mut config = variants[index].config.clone();
        let (_, knobs) = config.methods[0].resolve()?;
        config.methods = vec![MethodConfig::Name(variants[index].method.clone())];
        let same = |(others, other): &(ExperimentConfig, _)| *others == config && *other == knobs;
        let earlier = if variants[index].point.is_some() { seen.iter().position(same) } else { None };
        variants[index].runs_as = earlier.map_or(index, |earlier| variants[earlier].runs_as);
        seen.push((config, knobs));
    }
    Ok(())
}

/// A label or the name of a method that only one variant has.
fn reference(given: Option<&str>, variants: &[Variant]) -> Result<Option<String>, EngineError> {
    let label = |variant: &Variant| Some(variant.label.clone());
    let Some(given) = given else {
        return Ok(variants.iter().find(|variant| variant.method == REFERENCE).and_then(label));
    };
    if let Some(variant) = variants.iter().find(|variant| variant.label == given) {
        return Ok(label(variant));
    }
    let of_method: Vec<&Variant> = variants.iter().filter(|variant| variant.method == given).collect();
    match of_method.as_slice() {
        [variant] => Ok(label(variant)),
        [] => {
            let known: Vec<&str> = variants.iter().flat_map(|v| [v.label.as_str(), v.method.as_str()]).collect();
            Err(EngineError::Setting(format!(
                "`reference` is `{given}`, which takes no part{}: name a label or a method of `methods`",
                hint(given, &known)
            )))
        }
        several => {
            let labels: Vec<String> = several.iter().map(|variant| format!("`{}`", variant.label)).collect();
            Err(EngineError::Setting(format!(
                "`reference` is `{given}`, which may be {}: name the label",
                labels.join(" or ")
            )))
        }
    }
}

/// The nearest known name, or all of them, each once.
fn hint(name: &str, known: &[&str]) -> String {
    let once: Vec<&str> =
        (0..known.len()).filter(|at| !known[..*at].contains(&known[*at])).map(|at| known[at]).collect();
    nearest(name, &once)
        .map_or_else(|| format!("; there are: {}", once.join(", ")), |nearest| format!(" (did you mean `{nearest}`?)"))
}

fn cells(variants: &[Variant], blocks: &[(u64, TaskOrder)]) -> Vec<Cell> {
    let mut cells = Vec::with_capacity(variants.len() * blocks.len());
    for &(seed, order) in blocks {
        for (index, variant) in variants.iter().enumerate().filter(|(index, variant)| variant.runs_as == *index) {
            let config = ExperimentConfig {
                title: format!("{}, seed {seed}, {order} order", variant.label),
                seed,
                tasks: order.arrange(&variant.config.tasks, seed),
                ..variant.config.clone()
            };
            let name = format!("{}-seed{seed}-{order}", slug(&variant.label));
            cells.push(Cell { name, variant: index, seed, order, config });
        }
    }
    cells
}

/// A label as a part of a folder's name: lower case, and nothing that a file system or a shell takes amiss.
fn slug(label: &str) -> String {
    let fits = |c: char| c.is_alphanumeric() || "._+=".contains(c);
    let plain: String = label.to_lowercase().chars().map(|c| if fits(c) { c } else { ' ' }).collect();
    let words: Vec<&str> = plain.split_whitespace().collect();
    let name = words.join("-");
    if name.chars().any(char::is_alphanumeric) { name.trim_matches(['.', '-']).to_string() } else { String::new() }
}

#[cfg(test)]
mod tests;
