//! The folder of a race: `race.toml`, a folder for each run under `runs/`, `results.csv` and `report.html`.
//!
//! What is there already is taken as it is if it is exactly what the race asks for, and refused otherwise: a report must
//! never mix runs of two settings, or of two versions of the program.

use super::config::{RaceConfig, RaceExperiment, VERSION};
use super::plan::{Cell, Plan};
use super::record::{RaceEntry, RaceRecord};
use super::{csv, html, summary};
use crate::engine::EngineError;
use crate::engine::config::ExperimentConfig;
use crate::engine::experiment::with_absolute_paths;
use crate::engine::report::RunReport;
use crate::engine::run_folder::{CHECKPOINT_FILE, CONFIG_FILE, REPORT_JSON, RunFolder};
use crate::io::atomic::write_file;
use crate::platform::fs;
use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// The race's own frozen configuration.
pub const RACE_FILE: &str = "race.toml";
/// One row a run and learner.
pub const RESULTS_FILE: &str = "results.csv";
/// The comparison, in one file.
pub const REPORT_FILE: &str = "report.html";
const TABLE_FILE: &str = "table.md";
const RUNS_FOLDER: &str = "runs";

/// How far a run has come.
#[derive(Clone, Debug, PartialEq)]
pub enum CellState {
    /// Nothing is there yet.
    New,
    /// It was started, and goes on from its last checkpoint.
    Begun,
    /// It took so many seconds of training and scoring.
    Finished { secs: f64 },
}

/// The folder of a race, which need not exist yet.
#[derive(Clone, Debug)]
pub struct RaceFolder {
    path: PathBuf,
}

fn refused(what: String) -> EngineError {
    EngineError::Run(format!("{what}; choose another --output, or delete the folder"))
}

impl RaceFolder {
    /// The folder at `path`; nothing is read or made.
    #[must_use]
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_path_buf() }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where a run goes.
    #[must_use]
    pub fn run_path(&self, cell: &Cell) -> PathBuf {
        self.path.join(RUNS_FOLDER).join(&cell.name)
    }

    /// The configuration that an earlier call froze here; `None` in a folder without a race.
    ///
    /// # Errors
    /// A race of another version, a `race.toml` that no race wrote, or reports that would be overwritten.
    pub fn earlier(&self) -> Result<Option<RaceConfig>, EngineError> {
        let file = self.path.join(RACE_FILE);
        let text = match fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return self.without_race().map(|()| None),
            Err(error) => return Err(refused(format!("{} cannot be read ({error})", file.display()))),
        };
        let where_ = file.display().to_string();
        let version = text.parse::<toml::Table>().ok().and_then(|table| table.get("version").cloned());
        match version.as_ref().and_then(toml::Value::as_str) {
            Some(VERSION) => RaceConfig::parse(&text, &where_).map(Some),
            Some(other) => Err(refused(format!(
                "{} holds a race of version {other} of the program, and this is {VERSION}: their runs cannot be compared",
                self.path.display()
            ))),
            None => Err(EngineError::Run(format!(
                "{where_} was not written by a race, and would be overwritten by its settings: choose another --output"
            ))),
        }
    }

    /// A folder without `race.toml` may hold anything but what the race would overwrite.
    fn without_race(&self) -> Result<(), EngineError> {
        for name in [RESULTS_FILE, REPORT_FILE] {
            if fs::is_there(&self.path.join(name)) {
                return Err(EngineError::Run(format!(
                    "{} holds a {name} but no {RACE_FILE}, so no race wrote it, and it would be overwritten: choose another --output",
                    self.path.display()
                )));
            }
        }
        Ok(())
    }

    /// How far each run of the plan has come.
    ///
    /// # Errors
    /// A run folder with other settings, of another version, or without its configuration; a report that cannot be read.
    pub fn states(&self, plan: &Plan) -> Result<Vec<CellState>, EngineError> {
        plan.cells.iter().map(|cell| self.state(cell)).collect()
    }

    fn state(&self, cell: &Cell) -> Result<CellState, EngineError> {
        let Some(folder) = self.open(cell)? else { return Ok(CellState::New) };
        Ok(match finished(&folder)? {
            None => CellState::Begun,
            Some(report) => CellState::Finished { secs: report.train_secs + report.eval_secs },
        })
    }

    /// The folder of a run that has one, with exactly the settings that are asked for.
    fn open(&self, cell: &Cell) -> Result<Option<RunFolder>, EngineError> {
        let path = self.run_path(cell);
        if !fs::is_there(&path.join(CONFIG_FILE)) {
            return match [CHECKPOINT_FILE, REPORT_JSON].into_iter().find(|name| fs::is_there(&path.join(name))) {
                Some(name) => Err(refused(format!("{} holds a {name} but no {CONFIG_FILE}", path.display()))),
                None => Ok(None),
            };
        }
        let (folder, config) = RunFolder::open(&path).map_err(|error| {
            let advice = "was it written by another version of the program?";
            refused(format!("{} cannot be taken over ({error}): {advice}", path.display()))
        })?;
        let differences = differences(&config, &cell.config);
        if !differences.is_empty() {
            return Err(refused(format!(
                "{} holds a run with other settings: {}",
                path.display(),
                differences.join(", ")
            )));
        }
        Ok(Some(folder))
    }

    /// Makes the folder and writes `race.toml`: the configuration with absolute paths and the version of the program.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn freeze(&self, config: &RaceConfig) -> Result<(), EngineError> {
        // first, so that its absolute path is known
        fs::create_dir_all(&self.path).map_err(|error| {
            EngineError::Run(format!("{} cannot be used: {error}. Choose another --output", self.path.display()))
        })?;
        let output = fs::canonicalize(&self.path).unwrap_or_else(|_| self.path.clone());
        let frozen = RaceConfig {
            version: Some(VERSION.into()),
            output: output.display().to_string(),
            experiment: RaceExperiment::of(with_absolute_paths(&config.experiment.to_experiment())),
            ..config.clone()
        };
        Ok(write_file(&self.path.join(RACE_FILE), frozen.to_toml()?.as_bytes())?)
    }

    /// Makes the folder of a run that was not begun, so that `resume` can start it.
    ///
    /// # Errors
    /// When the file system refuses.
    pub fn create_run(&self, cell: &Cell) -> Result<PathBuf, EngineError> {
        Ok(RunFolder::create_at(&self.run_path(cell), &cell.config)?.path().to_path_buf())
    }

    /// The report of a finished run.
    ///
    /// # Errors
    /// A sentence when there is none, or none that can be read or belongs to the race.
    pub fn report(&self, cell: &Cell) -> Result<RunReport, EngineError> {
        let report = self.open(cell)?.map(|folder| finished(&folder)).transpose()?.flatten();
        report
            .ok_or_else(|| EngineError::Run(format!("there is no {REPORT_JSON} in {}", self.run_path(cell).display())))
    }

    /// Writes `results.csv`, `report.html` and `table.md` (the table of the page, for a README) and returns the first two paths.
    ///
    /// # Errors
    /// A full disk.
    pub fn write_reports(&self, record: &RaceRecord) -> Result<[PathBuf; 2], EngineError> {
        let (results, report) = (self.path.join(RESULTS_FILE), self.path.join(REPORT_FILE));
        write_file(&results, csv::results_csv(record).as_bytes())?;
        write_file(&report, html::render(record).as_bytes())?;
        write_file(&self.path.join(TABLE_FILE), summary::table(record).to_markdown().as_bytes())?;
        Ok([results, report])
    }
}

/// The report of this version in a run folder, if the run is finished.
fn finished(folder: &RunFolder) -> Result<Option<RunReport>, EngineError> {
    let report = folder.report()?;
    match &report {
        Some(report) if report.version != VERSION => Err(refused(format!(
            "{} holds a run of version {} of the program, and this is {VERSION}: their runs cannot be compared",
            folder.path().display(),
            report.version
        ))),
        _ => Ok(report),
    }
}

/// What the reports of a race are made from: all that is finished, and a sentence for each run that failed.
#[must_use]
pub fn record(
    config: &RaceConfig,
    plan: &Plan,
    reports: &BTreeMap<usize, RunReport>,
    failed: Vec<String>,
    command: &str,
) -> RaceRecord {
    let entries: Vec<RaceEntry> = plan
        .entries()
        .filter_map(|(variant, cell)| {
            let (variant, report) = (&plan.variants[variant], reports.get(&cell)?.clone());
            let (order, seed) = (plan.cells[cell].order.name().to_string(), plan.cells[cell].seed);
            Some(RaceEntry { variant: variant.label.clone(), order, seed, sweep: variant.point.clone(), report })
        })
        .collect();
    let main = plan.variants.iter().filter(|variant| variant.point.is_none());
    RaceRecord {
        title: config.title.clone(),
        reference: plan.reference.clone(),
        variants: main.map(|variant| variant.label.clone()).collect(),
        sweeps: plan.sweeps.clone(),
        started_unix: entries.iter().map(|entry| entry.report.started_unix).min().unwrap_or_default(),
        entries,
        failed,
        command: command.to_string(),
        version: VERSION.into(),
    }
}

/// `training.learning_rate is 0.003 there and 0.001 here`, for everything that differs.
fn differences(there: &ExperimentConfig, here: &ExperimentConfig) -> Vec<String> {
    let flat = |config| {
        let mut list = BTreeMap::new();
        if let Ok(table) = toml::Table::try_from(config) {
            flatten(String::new(), toml::Value::Table(table), &mut list);
        }
        list
    };
    let (there, here): (BTreeMap<String, String>, BTreeMap<String, String>) = (flat(there), flat(here));
    let mut names: Vec<&String> = there.keys().chain(here.keys()).collect();
    names.sort();
    names.dedup();
    let told = |value: Option<&String>| value.map_or_else(|| "not set".into(), Clone::clone);
    names
        .into_iter()
        .filter(|name| there.get(*name) != here.get(*name))
        .map(|name| format!("{name} is {} there and {} here", told(there.get(name)), told(here.get(name))))
        .collect()
}

/// Single values by their paths; the items of a list are counted from 1.
fn flatten(path: String, value: toml::Value, list: &mut BTreeMap<String, String>) {
    match value {
        toml::Value::Table(table) => {
            for (name, value) in table {
                flatten(if path.is_empty() { name } else { format!("{path}.{name}") }, value, list);
            }
        }
        toml::Value::Array(items) => {
            for (place, item) in items.into_iter().enumerate() {
                flatten(format!("{path}[{}]", place + 1), item, list);
            }
        }
        value => {
            list.insert(path, value.to_string());
        }
    }
}

#[cfg(test)]
mod tests;
