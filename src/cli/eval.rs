//! `eval`: scores of a model on tasks, with guessing and the model without its adapter beside.

use super::args::{EvalArgs, EventArgs};
use super::progress::Progress;
use super::table::{percent, points, table};
use super::terminal::{note, say};
use super::{Ending, Session, adapter, interrupt};
use crate::engine::config::{EvaluationConfig, ExperimentConfig, TaskConfig, TrainingConfig};
use crate::engine::prepare::Prepared;
use crate::engine::protocol::Event;
use crate::engine::{Control, EngineError, evaluator, experiment};
use crate::model::Overlay;
use crate::platform;
use std::fmt::Write as _;

/// Scores on every task, as far as they were reached.
type Scores = Vec<Option<f64>>;

pub(super) fn eval(args: &EvalArgs, session: &Session) -> anyhow::Result<Ending> {
    let config = experiment_of(args);
    let control = Control::default();
    interrupt::listen(&control, "stopping after this batch");
    let mut progress = Progress::new(EventArgs::default(), session.quiet, &control);
    let prepared = platform::block_on(experiment::load(&config, &mut |event| progress.show(event)))??;
    let adapted = match &args.adapter {
        Some(folder) => Some(adapter::load(folder, &prepared.model)?),
        None => None,
    };
    let mut columns =
        vec![score_all(&prepared, &Overlay::default(), args.batch_size, &control, &mut progress, "without adapter")?];
    if let Some(overlay) = &adapted {
        columns.push(score_all(&prepared, overlay, args.batch_size, &control, &mut progress, "with adapter")?);
    }
    progress.close();
    if control.is_stopped() {
        note("stopped before all tasks were scored");
        return Ok(Ending::Stopped);
    }
    say(&scores_table(&prepared, &columns))?;
    if args.show > 0 {
        say(&predictions(&prepared, &adapted.unwrap_or_default(), args.show)?)?;
    }
    Ok(Ending::Done)
}

fn experiment_of(args: &EvalArgs) -> ExperimentConfig {
    ExperimentConfig {
        model: args.model.clone(),
        device: args.device.clone(),
        seed: args.seed,
        tasks: args.task.iter().map(|task| TaskConfig::Source(task.clone())).collect(),
        training: TrainingConfig {
            max_length: args.max_length,
            // Nothing is trained: one example shows that the task can be encoded.
            max_train_examples: 1,
            ..TrainingConfig::default()
        },
        evaluation: EvaluationConfig {
            max_examples: args.max_examples,
            batch_size: args.batch_size,
            ..EvaluationConfig::default()
        },
        ..ExperimentConfig::default()
    }
}

/// Mean score on each task; what is missing after a stop is `None`.
fn score_all(
    prepared: &Prepared,
    overlay: &Overlay,
    batch_size: usize,
    control: &Control,
    progress: &mut Progress,
    what: &str,
) -> anyhow::Result<Scores> {
    let total: usize = prepared.tasks.iter().map(|task| task.task.eval.len()).sum();
    progress.show(Event::PhaseStarted { phase: "scoring".into(), detail: what.into() });
    let (mut done, mut scores) = (0, Vec::with_capacity(prepared.tasks.len()));
    for task in 0..prepared.tasks.len() {
        let mut watch = |count: usize| {
            done += count;
            progress.show(Event::EvaluationProgressed { run: 0, done, total });
            control.is_stopped()
        };
        let score = evaluator::evaluate(prepared, task, overlay, usize::MAX, batch_size, &mut watch);
        scores.push(platform::block_on(score)??);
    }
    Ok(scores)
}

fn scores_table(prepared: &Prepared, columns: &[Scores]) -> String {
    let mut heading = vec!["task", "scored", "chance %", "zero-shot %"];
    if columns.len() > 1 {
        heading.extend(["adapter %", "change"]);
    }
    heading.push("metric");
    let cell = |column: usize, task: usize| columns.get(column).and_then(|scores| scores.get(task).copied().flatten());
    let rows: Vec<Vec<String>> = prepared
        .tasks
        .iter()
        .enumerate()
        .map(|(index, prepared)| {
            let task = &prepared.task;
            let (base, adapted) = (cell(0, index), cell(1, index));
            let mut row =
                vec![task.name.clone(), task.eval.len().to_string(), percent(Some(task.chance())), percent(base)];
            if columns.len() > 1 {
                row.extend([percent(adapted), points(adapted.zip(base).map(|(new, old)| new - old))]);
            }
            row.push(task.metric.title().to_string());
            row
        })
        .collect();
    table(&heading, &rows)
}

/// The first predictions of each task with their scores: 1 is right.
fn predictions(prepared: &Prepared, overlay: &Overlay, count: usize) -> anyhow::Result<String> {
    let mut text = String::new();
    for prepared_task in &prepared.tasks {
        let task = &prepared_task.task;
        let examples = &task.eval[..task.eval.len().min(count)];
        let outcomes: Result<Vec<evaluator::Outcome>, EngineError> =
            platform::block_on(evaluator::outcomes(prepared, task, examples, overlay))?;
        let _ = writeln!(text, "\n{} ({})", task.name, task.metric.title());
        for (example, outcome) in examples.iter().zip(outcomes?) {
            let _ = writeln!(text, "  {}  {}", mark(outcome.score), one_line(&example.prompt));
            let _ = writeln!(text, "        answer      {}", one_line(&example.answer));
            let _ = writeln!(text, "        prediction  {}", one_line(&outcome.prediction));
        }
    }
    Ok(text)
}

fn mark(score: f64) -> String {
    if score >= 1.0 {
        "right".into()
    } else if score <= 0.0 {
        "wrong".into()
    } else {
        format!("{:>4.1}%", score * 100.0)
    }
}

/// The end of a text on one line, which is where a prompt asks.
fn one_line(text: &str) -> String {
    const SHOWN: usize = 100;
    let shown: String = text.trim().escape_debug().collect();
    let length = shown.chars().count();
    if length <= SHOWN { shown } else { format!("…{}", shown.chars().skip(length - SHOWN).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_lines() {
        assert_eq!((mark(1.0), mark(0.0), mark(0.25)), ("right".into(), "wrong".into(), "25.0%".into()));
        assert_eq!(one_line(" a\nb "), "a\\nb");
        assert_eq!(one_line(&"ä".repeat(300)).chars().count(), 101);
    }
}
