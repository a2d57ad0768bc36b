//! `run`: an experiment from a file, a preset or flags; with `--dry-run` everything but the training.

use super::args::{EventArgs, RunArgs};
use super::command_line::quote;
use super::outcome;
use super::progress::Progress;
use super::table::{percent, table};
use super::terminal::{note, say};
use super::{Ending, Session, command_line, interrupt, overrides};
use crate::engine::config::ExperimentConfig;
use crate::engine::experiment::{self, ExperimentOutcome};
use crate::engine::run::Run;
use crate::engine::{Control, EngineError};
use crate::platform;
use std::fmt::Write as _;
use std::path::Path;

/// What the first Ctrl-C says.
pub(super) const STOPPING: &str = "stopping after this step and keeping everything";

pub(super) fn run(args: &RunArgs, session: &Session) -> anyhow::Result<Ending> {
    let config = overrides::experiment(args)?;
    if args.print_config {
        say(&config.to_toml()?)?;
        return Ok(Ending::Done);
    }
    if args.dry_run {
        return dry_run(&config, args.events, session);
    }
    run_experiment(&config, args.events, session)
}

/// Runs all methods and shows what came out.
pub(super) fn run_experiment(
    config: &ExperimentConfig,
    events: EventArgs,
    session: &Session,
) -> anyhow::Result<Ending> {
    let control = Control::default();
    interrupt::listen(&control, STOPPING);
    let mut progress = Progress::new(events, session.quiet, &control);
    let outcome = platform::block_on(experiment::run_experiment(
        config,
        Some(Path::new(&config.output)),
        &session.command,
        &control,
        &mut |event| progress.show(event),
    ))??;
    progress.close();
    let ending = conclude(&outcome, events)?;
    // What a stop left undone: this run can be resumed, the methods after it have not begun.
    let begun = outcome.reports.len() + outcome.failed.len() + outcome.stopped.len();
    if let (Ending::Stopped, Some(rest)) = (ending, config.methods.get(begun..).filter(|rest| !rest.is_empty())) {
        let names: Vec<&str> = rest.iter().map(super::super::engine::config::MethodConfig::name).collect();
        note(&format!("not started: {}; run the command again with only these methods", names.join(", ")));
    }
    Ok(ending)
}

/// Tables and paths of what was finished, and how to go on with what was stopped.
pub(super) fn conclude(outcome: &ExperimentOutcome, events: EventArgs) -> anyhow::Result<Ending> {
    if !events.json_events && !outcome.reports.is_empty() {
        say(&outcome::summary(&outcome.reports))?;
    }
    if let Some(html) = &outcome.html {
        let line = format!("report: {}", html.display());
        if events.json_events { note(&line) } else { say(&line)? }
    }
    for folder in &outcome.stopped {
        note(&format!("stopped; go on with: {}", command_line::resume(folder)));
    }
    Ok(match (outcome.stopped.is_empty(), outcome.failed.is_empty()) {
        (false, _) => Ending::Stopped,
        (true, false) => Ending::Failed,
        (true, true) => Ending::Done,
    })
}

/// Loads and checks everything, and prints what would run.
fn dry_run(config: &ExperimentConfig, events: EventArgs, session: &Session) -> anyhow::Result<Ending> {
    let mut progress = Progress::new(events, session.quiet, &Control::default());
    let prepared = platform::block_on(experiment::load(config, &mut |event| progress.show(event)))??;
    progress.close();
    let model = &prepared.model;
    let mut text = format!(
        "model   {} ({} parameters, {} layers)\ndevice  {}\noutput  {}\n\n",
        model.name,
        model.llama.config.parameter_count(),
        model.llama.config.num_hidden_layers,
        model.device_name,
        quote(&config.output)
    );
    let tasks: Vec<Vec<String>> = prepared
        .tasks
        .iter()
        .map(|task| {
            let (train, eval) = (task.train.len().to_string(), task.task.eval.len().to_string());
            let chance = percent(Some(task.task.chance()));
            vec![task.task.name.clone(), train, eval, chance, task.task.metric.title().to_string()]
        })
        .collect();
    text += &table(&["task", "train", "scored", "chance %", "metric"], &tasks);
    let mut runs = Vec::with_capacity(config.methods.len());
    let mut settings = String::new();
    for (index, method) in config.methods.iter().enumerate() {
        let mut frozen = config.clone();
        frozen.methods = vec![method.clone()];
        let (entry, knobs) = method.resolve().map_err(EngineError::from)?;
        let run = Run::new(frozen, (index, config.methods.len()), prepared.clone(), None, session.command.clone())?;
        let report = run.report()?;
        let learners = report.learners.len().to_string();
        let (steps, trainable) = (run.total_steps().to_string(), report.trainable_parameters.to_string());
        runs.push(vec![entry.label.to_string(), steps, trainable, learners]);
        let values: Vec<String> = knobs.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !values.is_empty() {
            let _ = writeln!(settings, "{}: {}", entry.label, values.join(" "));
        }
    }
    let _ = write!(text, "\n{}", table(&["method", "steps", "trainable parameters", "learners"], &runs));
    let _ = write!(text, "\n{settings}Nothing was trained (--dry-run).\n");
    say(&text)?;
    Ok(Ending::Done)
}
