//! `race --dry-run`: loads model and tasks, makes every variant's first run, and prints what would be done.

use super::Checked;
use crate::cli::args::EventArgs;
use crate::cli::command_line::quote;
use crate::cli::progress::Progress;
use crate::cli::table::{percent, table};
use crate::cli::terminal::say;
use crate::cli::{Ending, Session};
use crate::engine::config::ExperimentConfig;
use crate::engine::race::folder::CellState;
use crate::engine::run::Run;
use crate::engine::{Control, EngineError, experiment};
use crate::platform;
use std::fmt::Write as _;

pub(super) fn dry_run(race: &Checked, session: &Session) -> anyhow::Result<Ending> {
    let plan = &race.plan;
    let Some(first) = plan.cells.first() else { anyhow::bail!("the race has no run: name a method and a seed") };
    let mut progress = Progress::new(EventArgs::default(), session.quiet, &Control::default());
    // With all methods, so that there is room for the longest prompts among them.
    let methods = plan.variants.iter().flat_map(|variant| variant.config.methods.clone()).collect();
    let all = ExperimentConfig { methods, ..first.config.clone() };
    let prepared = platform::block_on(experiment::load(&all, &mut |event| progress.show(event)))??;
    progress.close();
    let mut text = format!(
        "model   {} ({} parameters, {} layers)\ndevice  {}\noutput  {}\nseeds   {}\n\n",
        prepared.model.name,
        prepared.model.llama.config.parameter_count(),
        prepared.model.llama.config.num_hidden_layers,
        prepared.model.device_name,
        quote(&race.config.output),
        race.config.blocks().iter().map(|(seed, order)| format!("{seed} {order}")).collect::<Vec<_>>().join(", ")
    );
    let tasks: Vec<Vec<String>> = race
        .tasks
        .iter()
        .map(|task| {
            let (train, eval) = (task.train.to_string(), task.eval.to_string());
            vec![task.name.clone(), train, eval, percent(Some(task.chance)), task.metric.to_string()]
        })
        .collect();
    text += &table(&["task", "train", "scored", "chance %", "metric"], &tasks);
    let mut rows = Vec::with_capacity(plan.variants.len());
    for (index, variant) in plan.variants.iter().enumerate() {
        let mut runs =
            plan.cells.iter().zip(&race.states).filter(|(cell, _)| cell.variant == variant.runs_as).peekable();
        let Some((cell, _)) = runs.peek() else { continue };
        let numbers = (index, plan.variants.len());
        let run = Run::new(cell.config.clone(), numbers, prepared.clone(), None, session.command.clone());
        let told = |error: EngineError| EngineError::Setting(format!("variant `{}`: {error}", variant.label));
        let run = run.map_err(told)?;
        let report = run.report()?;
        let (mut all, mut finished) = (0_usize, 0_usize);
        for (_, state) in runs {
            all += 1;
            finished += usize::from(matches!(state, CellState::Finished { .. }));
        }
        let owner = &plan.variants[variant.runs_as].label;
        let note = if variant.runs_as == index { finished.to_string() } else { format!("as {owner}") };
        let numbers = [run.total_steps(), report.trainable_parameters, report.learners.len() as u64, all as u64];
        let mut row = vec![variant.label.clone(), variant.method.clone()];
        row.extend(numbers.iter().map(u64::to_string));
        row.push(note);
        rows.push(row);
    }
    let heading = ["variant", "method", "steps", "trainable parameters", "learners", "runs", "finished"];
    let _ = write!(text, "\n{}", table(&heading, &rows));
    let (all, open) = (plan.cells.len(), race.open.len());
    let _ = write!(text, "\n{all} runs, {open} to do. Nothing was trained (--dry-run).\n");
    say(&text)?;
    Ok(Ending::Done)
}
