//! The table of a race as plain data: a row for each variant and learner with means, intervals, and differences to the reference.
//!
//! The page, the terminal and the README are written from it. A number that is not defined is `None` and shown as a dash,
//! never as 0. Methods of different standing (see [`Standing`]) stand in groups of their own: a method that is told at test
//! time which task an example belongs to has an easier problem than one that is not.

mod notes;
pub(in crate::engine::race) mod seeds;
mod text;

use super::record::RaceRecord;
use super::statistics::{Estimate, PairedDifference, mean};
use crate::continual::metrics::AccuracyMatrix;
use crate::continual::{Standing, find};
use crate::engine::report::{RunReport, TaskSummary};
use seeds::{Finished, Runs, learner, secs_per_step, steps};
pub(in crate::engine::race) use text::{p_text, ratio, within};

/// One of the five numbers that are read off an accuracy matrix.
pub struct Metric {
    /// Name for people.
    pub name: &'static str,
    /// Name in files.
    pub key: &'static str,
    /// A difference of scores, shown in points with its sign, rather than a score.
    pub signed: bool,
    /// Shown in points rather than in percent.
    pub in_points: bool,
    pub less_is_better: bool,
    /// Its definition.
    pub of: fn(&AccuracyMatrix) -> Option<f64>,
}

/// All metrics in the order in which they are shown.
pub const METRICS: [Metric; 5] = [
    Metric {
        name: "average accuracy",
        key: "average_accuracy",
        signed: false,
        in_points: false,
        less_is_better: false,
        of: AccuracyMatrix::average_accuracy,
    },
    Metric {
        name: "backward transfer",
        key: "backward_transfer",
        signed: true,
        in_points: true,
        less_is_better: false,
        of: AccuracyMatrix::backward_transfer,
    },
    Metric {
        name: "forward transfer",
        key: "forward_transfer",
        signed: true,
        in_points: true,
        less_is_better: false,
        of: AccuracyMatrix::forward_transfer,
    },
    Metric {
        name: "forgetting",
        key: "forgetting",
        signed: false,
        in_points: true,
        less_is_better: true,
        of: AccuracyMatrix::forgetting,
    },
    Metric {
        name: "plasticity",
        key: "plasticity",
        signed: false,
        in_points: false,
        less_is_better: false,
        of: AccuracyMatrix::plasticity,
    },
];
/// Places of metrics in [`METRICS`].
pub(in crate::engine::race) const ACCURACY: usize = 0;
pub(in crate::engine::race) const FORGETTING: usize = 3;
pub(in crate::engine::race) const PLASTICITY: usize = 4;

/// The table of a race.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Summary {
    /// Label of the variant that the others are compared with, if it has finished runs.
    pub reference: Option<String>,
    /// Label of the variant that times and memory are compared with: the first of plain sequential training.
    pub yardstick: Option<String>,
    /// Mean over the tasks of the score of guessing.
    pub chance: Option<Estimate>,
    /// Mean over the tasks of the score before any training.
    pub zero_shot: Option<Estimate>,
    /// Groups that have rows, in the order continual, task-aware, bounds.
    pub groups: Vec<Group>,
    /// How the numbers are to be read, one sentence or two each.
    pub reading: Vec<String>,
    /// What is wrong with the comparison: runs that are missing, tasks or devices that differ.
    pub warnings: Vec<String>,
}

/// Rows whose methods answer the same question.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    pub standing: Standing,
    pub rows: Vec<Row>,
}

/// One learner of one variant.
#[derive(Clone, Debug, PartialEq)]
pub struct Row {
    /// Label of the variant.
    pub variant: String,
    /// Name of its method as in settings; empty if it has no finished run.
    pub method: String,
    /// Which learner, where the method has several.
    pub learner: Option<String>,
    /// The learner that the method is judged by.
    pub headline: bool,
    /// Finished runs.
    pub runs: usize,
    /// Seeds among them.
    pub seeds: usize,
    /// In the order of [`METRICS`], as shares of 1.
    pub metrics: [Option<Estimate>; METRICS.len()],
    /// Average accuracy less that of the reference, as a share of 1; `None` for the reference itself.
    pub difference: Option<PairedDifference>,
    /// What its runs cost; told in the row of the headline learner only.
    pub cost: Option<Cost>,
}

impl Row {
    /// The variant, and which learner where there are several.
    #[must_use]
    pub fn name(&self) -> String {
        self.learner.as_ref().map_or_else(|| self.variant.clone(), |learner| format!("{}, {learner}", self.variant))
    }
}

/// What the runs of a variant cost.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cost {
    pub train_secs: Option<Estimate>,
    pub eval_secs: Option<Estimate>,
    /// Optimiser steps of a run, the most if runs differ.
    pub steps: Option<u64>,
    pub secs_per_step: Option<Estimate>,
    /// Seconds a step relative to the yardstick, run by run.
    pub step_ratio: Option<Estimate>,
    /// Largest memory of the run's process.
    pub peak_memory_bytes: Option<Estimate>,
    /// The same relative to the yardstick, run by run.
    pub memory_ratio: Option<Estimate>,
    /// The most if runs differ.
    pub trainable_parameters: u64,
}

/// The table of a race.
#[must_use]
pub fn table(record: &RaceRecord) -> Summary {
    let finished = Finished::of(record);
    let reference = record.reference.as_deref().filter(|label| !finished.variant(label).entries.is_empty());
    let yardstick = finished.variants.iter().copied().find(|label| finished.variant(label).method() == Some("seq"));
    let (against, pace) = (finished.variant(reference.unwrap_or("")), finished.variant(yardstick.unwrap_or("")));
    let mut groups: Vec<Group> = [Standing::Continual, Standing::TaskAware, Standing::Bound]
        .map(|standing| Group { standing, rows: Vec::new() })
        .into();
    for label in &finished.variants {
        let runs = finished.variant(label);
        let standing = standing(runs.method().unwrap_or_default());
        if let Some(group) = groups.iter_mut().find(|group| group.standing == standing) {
            group.rows.extend(rows(label, &runs, &against, &pace));
        }
    }
    groups.retain(|group| !group.rows.is_empty());
    let raced = finished.raced();
    let mut summary = Summary {
        reference: reference.map(ToOwned::to_owned),
        yardstick: yardstick.map(ToOwned::to_owned),
        chance: floor(&raced, |task| Some(task.chance)),
        zero_shot: floor(&raced, |task| task.zero_shot),
        groups,
        ..Summary::default()
    };
    (summary.reading, summary.warnings) = (notes::reading(&summary), notes::warnings(record, &finished));
    summary
}

impl Summary {
    /// All rows, group after group.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.groups.iter().flat_map(|group| &group.rows)
    }

    /// The best mean of each metric among methods that are one model and not told the task, to a tenth of a percent;
    /// `None` where there is nothing to be better than.
    #[must_use]
    pub fn best(&self) -> [Option<f64>; METRICS.len()] {
        let rows =
            self.groups.iter().filter(|group| group.standing == Standing::Continual).flat_map(|group| &group.rows);
        let rows: Vec<&Row> = rows.filter(|row| row.headline).collect();
        std::array::from_fn(|column| {
            let means: Vec<f64> = rows.iter().filter_map(|row| row.metrics[column]).map(|it| tenths(it.mean)).collect();
            let best = if METRICS[column].less_is_better { f64::min } else { f64::max };
            let is_better = |best: &f64| means.iter().any(|mean| mean != best);
            means.iter().copied().reduce(best).filter(is_better)
        })
    }
}

/// A share rounded as it is shown, so that what reads the same is equally good.
pub(in crate::engine::race) fn tenths(share: f64) -> f64 {
    (share * 1000.0).round() / 1000.0
}

/// The group a method belongs to; one that this version does not know counts as continual.
pub(in crate::engine::race) fn standing(method: &str) -> Standing {
    find(method).map_or(Standing::Continual, |entry| entry.standing)
}

/// What a group has in common: a title, and a sentence on what its rows may be compared with.
pub(in crate::engine::race) fn explain(standing: Standing) -> (&'static str, &'static str) {
    match standing {
        Standing::Continual => (
            "One model for all tasks",
            "Not told at test time which task an example belongs to. The best of these is marked.",
        ),
        Standing::TaskAware => (
            "Told the task",
            "At test time it is given which task an example belongs to, and what was learnt for that task answers: an easier \
             problem, not to be compared with one model.",
        ),
        Standing::Bound => ("Bounds", "No continual learning: the model before training, or all tasks at once."),
    }
}

/// The headline learner's row, then those of other learners.
fn rows(label: &str, runs: &Runs<'_>, reference: &Runs<'_>, yardstick: &Runs<'_>) -> Vec<Row> {
    let seeds = runs.seeds().len();
    let bare = Row {
        variant: label.to_owned(),
        method: runs.method().unwrap_or_default().to_owned(),
        learner: None,
        headline: true,
        runs: runs.entries.len(),
        seeds,
        metrics: [None; METRICS.len()],
        difference: None,
        cost: (seeds > 0).then(|| cost(runs, yardstick)),
    };
    let (Some(first), Some(headline)) = (runs.entries.first(), runs.headline()) else { return vec![bare] };
    let mut learners: Vec<_> = first.report.learners.iter().collect();
    learners.sort_by_key(|learner| learner.name != headline.name);
    let several = learners.len() > 1;
    let rows = learners.into_iter().map(|which| {
        let is_headline = which.name == headline.name;
        let value = |metric: &Metric, report: &RunReport| (metric.of)(&learner(report, &which.name)?.matrix);
        let accuracy = |report: &RunReport| value(&METRICS[ACCURACY], report);
        let theirs = |report: &RunReport| report.headline_learner()?.matrix.average_accuracy();
        let is_reference = is_headline && reference.entries.first().is_some_and(|entry| entry.variant == label);
        let differences = || runs.paired(accuracy, reference, theirs, |ours, theirs| ours - theirs);
        Row {
            learner: several.then(|| which.short_label().to_owned()),
            headline: is_headline,
            metrics: std::array::from_fn(|column| runs.estimate(|report| value(&METRICS[column], report))),
            difference: if is_reference { None } else { PairedDifference::of(&differences()) },
            cost: bare.cost.clone().filter(|_| is_headline),
            ..bare.clone()
        }
    });
    rows.collect()
}

fn cost(runs: &Runs<'_>, yardstick: &Runs<'_>) -> Cost {
    let memory = |report: &RunReport| report.peak_memory_bytes.map(|bytes| bytes as f64);
    let relative = |value: &dyn Fn(&RunReport) -> Option<f64>| {
        Estimate::of(&runs.paired(value, yardstick, value, |ours, theirs| ours / theirs))
    };
    Cost {
        train_secs: runs.estimate(|report| Some(report.train_secs)),
        eval_secs: runs.estimate(|report| Some(report.eval_secs)),
        steps: runs.entries.iter().filter_map(|entry| steps(&entry.report)).max(),
        secs_per_step: runs.estimate(secs_per_step),
        step_ratio: relative(&secs_per_step),
        peak_memory_bytes: runs.estimate(memory),
        memory_ratio: relative(&memory),
        trainable_parameters: runs.entries.iter().map(|entry| entry.report.trainable_parameters).max().unwrap_or(0),
    }
}

/// Mean over tasks and seeds of a number that a task has without any training, from the runs that know it of every task.
fn floor(runs: &Runs<'_>, of: fn(&TaskSummary) -> Option<f64>) -> Option<Estimate> {
    let over_tasks = |report: &RunReport| {
        let values = report.tasks.iter().map(of).collect::<Option<Vec<f64>>>()?;
        (!values.is_empty()).then(|| mean(&values)).filter(|mean| mean.is_finite())
    };
    let known = runs.entries.iter().copied().filter(|entry| over_tasks(&entry.report).is_some());
    Runs { entries: known.collect() }.estimate(over_tasks)
}

#[cfg(test)]
mod tests;
