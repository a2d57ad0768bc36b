//! `race`: methods on one stream with the same seeds, each run a process of its own, and the report that compares them.
//!
//! In reading order: this file (what is asked, what is there already, what is told at the end), `workers` (the processes),
//! `tally` (progress while they work).

mod dry_run;
mod tally;
mod workers;

use super::args::{EventArgs, RaceArgs};
use super::progress::Progress;
use super::table::table;
use super::terminal::{note, say};
use super::{Ending, Session, UsageError, interrupt};
use crate::engine::race::config::{RACE_PRESETS, RaceConfig};
use crate::engine::race::folder::{CellState, RaceFolder, record};
use crate::engine::race::plan::Plan;
use crate::engine::race::{inputs, summary};
use crate::engine::report::RunReport;
use crate::engine::{Control, EngineError};
use crate::platform;
use std::collections::BTreeMap;
use std::path::Path;
use tally::Tally;
use workers::{Outcome, Workers};

/// What the first Ctrl-C says.
const STOPPING: &str = "stopping all runs after their present step and keeping everything";

/// A race that was checked, and how far it has come.
struct Checked {
    config: RaceConfig,
    plan: Plan,
    folder: RaceFolder,
    states: Vec<CellState>,
    /// Indices of the runs that were asked for and are not finished.
    open: Vec<usize>,
    tasks: Vec<inputs::TaskLine>,
}

pub(super) fn race(args: &RaceArgs, session: &Session) -> anyhow::Result<Ending> {
    let (config, where_) = asked(args)?;
    let plan = Plan::new(&config).map_err(|error| at(&where_, &error))?;
    let runs = plan.runs_of(&args.only).map_err(|error| UsageError(format!("--only: {error}")))?;
    if args.print_config {
        say(&config.to_toml()?)?;
        return Ok(Ending::Done);
    }
    let control = Control::default();
    interrupt::listen(&control, STOPPING);
    let race = checked(config, plan, &runs, &where_, session, &control)?;
    if args.dry_run {
        return dry_run::dry_run(&race, session);
    }
    race.folder.freeze(&race.config)?;
    let failed = work(&race, args.jobs, session, &control)?;
    conclude(&race, &failed, session, &control)
}

/// The file or preset with the flags, and what it is called in messages.
fn asked(args: &RaceArgs) -> anyhow::Result<(RaceConfig, String)> {
    let (mut config, where_) = match (&args.file, &args.preset) {
        (Some(file), _) => (read(file)?, file.display().to_string()),
        (None, Some(preset)) => (RaceConfig::preset(preset)?, format!("preset {preset}")),
        (None, None) => {
            let presets = RACE_PRESETS.join(", ");
            return Err(UsageError(format!("give a race file, or a --preset: {presets}")).into());
        }
    };
    if let Some(output) = &args.output {
        config.output.clone_from(output);
        config.version = None;
    }
    if let Some(device) = &args.device {
        config.experiment.device.clone_from(device);
    }
    if !args.seeds.is_empty() {
        config.seeds.clone_from(&args.seeds);
    }
    Ok((config, where_))
}

fn read(file: &Path) -> Result<RaceConfig, EngineError> {
    let where_ = file.display().to_string();
    let text = std::fs::read_to_string(file).map_err(|error| {
        EngineError::Setting(format!(
            "{where_} cannot be read ({error}): check the path, or write a race with `thalweg race --preset builtin8 --print-config > {where_}`"
        ))
    })?;
    let mut config = RaceConfig::parse(&text, &where_)?;
    if config.version.is_some() {
        // The race's own file means the folder in which it lies, wherever that has been moved.
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        config.output = parent.display().to_string();
    }
    Ok(config)
}

fn at(where_: &str, error: &EngineError) -> EngineError {
    EngineError::Setting(format!("{where_}: {error}"))
}

/// Everything that can be wrong before anything trains: tasks, model, device, and what the folder holds.
fn checked(
    mut config: RaceConfig,
    mut plan: Plan,
    runs: &[usize],
    where_: &str,
    session: &Session,
    control: &Control,
) -> anyhow::Result<Checked> {
    let inputs = inputs::check(&plan).map_err(|error| at(where_, &error))?;
    let folder = RaceFolder::new(Path::new(&config.output));
    let earlier = folder.earlier()?;
    config.experiment.device = match (config.experiment.device.as_str(), earlier) {
        // What `auto` meant the first time, it means for the rest of the race.
        ("auto", Some(earlier)) => earlier.experiment.device,
        _ => {
            let mut progress = Progress::new(EventArgs::default(), session.quiet, control);
            let device = platform::block_on(inputs::choose(&plan, &mut |event| progress.show(event)))?;
            progress.close();
            device?
        }
    };
    plan = Plan::new(&config).map_err(|error| at(where_, &error))?;
    if let Some(max_length) = inputs.max_length {
        plan.cut(max_length);
    }
    let states = folder.states(&plan)?;
    let is_open = |run: &&usize| !matches!(states[**run], CellState::Finished { .. });
    let open = runs.iter().filter(is_open).copied().collect();
    if !session.quiet {
        for warning in &inputs.warnings {
            note(&format!("note: {warning}"));
        }
    }
    Ok(Checked { config, plan, folder, states, open, tasks: inputs.tasks })
}

/// Has the open runs done; returns a sentence for each that failed.
fn work(race: &Checked, jobs: Option<usize>, session: &Session, control: &Control) -> anyhow::Result<Vec<String>> {
    let mut failed = Vec::new();
    if race.open.is_empty() {
        return Ok(failed);
    }
    let workers = Workers::new(&race.plan, &race.folder, jobs, race.open.len())?;
    let mut tally = Tally::new(race, &workers, session.quiet);
    workers.work(&race.open, control, &mut |news| {
        if let Some((run, Outcome::Failed(reason))) = news.ended() {
            failed.push(format!("{}: {reason}", race.plan.cells[run].name));
        }
        tally.show(&news);
    })?;
    tally.close();
    Ok(failed)
}

/// Reports over all that is finished, the table, and how to go on.
fn conclude(race: &Checked, failed: &[String], session: &Session, control: &Control) -> anyhow::Result<Ending> {
    let cells = &race.plan.cells;
    // A report that cannot be read was told as a failure when its run ended.
    let report = |run: usize| Some((run, race.folder.report(&cells[run]).ok()?));
    let reports: BTreeMap<usize, RunReport> = (0..cells.len()).filter_map(report).collect();
    let left = cells.len() - reports.len() - failed.len();
    let rest = format!("{left} of {} runs: not finished yet", cells.len());
    if reports.is_empty() {
        note("no run is finished, so there is nothing to compare yet");
    } else {
        let missing = failed.iter().chain((left > 0).then_some(&rest)).cloned().collect();
        let record = record(&race.config, &race.plan, &reports, missing, &session.command);
        let [results, html] = race.folder.write_reports(&record)?;
        let summary = summary::table(&record);
        let (heading, rows) = summary.terminal();
        say(&table(&heading, &rows))?;
        say(&format!("results: {}\nreport: {}", results.display(), html.display()))?;
    }
    for sentence in failed {
        note(&format!("failed: {sentence}"));
    }
    if control.is_stopped() && left > 0 {
        note(&format!("stopped; {rest}; go on with: {}", session.command));
        return Ok(Ending::Stopped);
    }
    if !failed.is_empty() {
        note(&format!("the same command tries what failed again: {}", session.command));
        return Ok(Ending::Failed);
    }
    if left > 0 && !session.quiet {
        note(&format!("{rest}, which --only left out"));
    }
    Ok(Ending::Done)
}

#[cfg(test)]
mod tests;
