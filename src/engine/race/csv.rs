//! `results.csv`: every run of a race as lines of numbers (RFC 4180, a header line, `.` as the decimal point).
//!
//! One line for each run and learner, those of sweeps included. A number that is not defined or was not measured is an
//! empty cell. Scores and transfers are shares of 1.

use super::record::{RaceEntry, RaceRecord};
use super::summary::METRICS;
use super::summary::seeds::{secs_per_step, steps};
use crate::engine::report::LearnerReport;
use crate::engine::report_csv::{line, number};

const BEFORE_SETTINGS: [&str; 7] = ["variant", "method", "learner", "headline", "seed", "order", "sweep"];
const COSTS: [&str; 6] =
    ["train_secs", "eval_secs", "steps", "secs_per_step", "peak_memory_bytes", "trainable_parameters"];

/// All finished runs.
///
/// After the fixed columns come `setting_<name>` for each setting that a sweep varies, the metrics, the costs, and
/// `score_<task>` for each task: its score at the end of the stream, wherever in the stream it stood.
#[must_use]
pub fn results_csv(record: &RaceRecord) -> String {
    let settings = distinct(record.sweeps.iter().flat_map(|sweep| &sweep.settings));
    let tasks = distinct(record.entries.iter().flat_map(|entry| entry.report.tasks.iter().map(|task| &task.name)));
    let fixed = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<String>>();
    let head = [
        fixed(&BEFORE_SETTINGS),
        settings.iter().map(|name| format!("setting_{name}")).collect(),
        METRICS.iter().map(|metric| metric.key.to_owned()).collect(),
        fixed(&COSTS),
        tasks.iter().map(|name| format!("score_{name}")).collect(),
    ];
    let mut text = line(head.into_iter().flatten());
    for entry in &record.entries {
        for (index, learner) in entry.report.learners.iter().enumerate() {
            let cells = [
                place(record, entry, learner, index == entry.report.headline),
                settings.iter().map(|name| setting(record, entry, name)).collect(),
                METRICS.iter().map(|metric| number((metric.of)(&learner.matrix))).collect(),
                costs(entry),
                tasks.iter().map(|name| number(final_score(entry, learner, name))).collect(),
            ];
            text.push_str(&line(cells.into_iter().flatten()));
        }
    }
    text
}

fn place(record: &RaceRecord, entry: &RaceEntry, learner: &LearnerReport, headline: bool) -> Vec<String> {
    let sweep = entry.sweep.as_ref().and_then(|point| record.sweeps.get(point.sweep));
    vec![
        entry.variant.clone(),
        entry.report.method.clone(),
        learner.name.clone(),
        headline.to_string(),
        entry.seed.to_string(),
        entry.order.clone(),
        sweep.map_or_else(String::new, |sweep| sweep.title.clone()),
    ]
}

/// The value that a run's sweep gave to a setting; empty for settings of other sweeps and for runs of none.
fn setting(record: &RaceRecord, entry: &RaceEntry, name: &str) -> String {
    let value = || {
        let point = entry.sweep.as_ref()?;
        let place = record.sweeps.get(point.sweep)?.settings.iter().position(|setting| setting == name)?;
        point.values.get(place).cloned()
    };
    value().unwrap_or_default()
}

fn costs(entry: &RaceEntry) -> Vec<String> {
    let report = &entry.report;
    vec![
        number(Some(report.train_secs)),
        number(Some(report.eval_secs)),
        steps(report).unwrap_or(0).to_string(),
        number(secs_per_step(report)),
        report.peak_memory_bytes.map(|bytes| bytes.to_string()).unwrap_or_default(),
        report.trainable_parameters.to_string(),
    ]
}

/// Score on the task of this name after the last task that was learnt.
fn final_score(entry: &RaceEntry, learner: &LearnerReport, name: &str) -> Option<f64> {
    let task = entry.report.tasks.iter().position(|task| task.name == name)?;
    learner.matrix.score(learner.matrix.learnt().checked_sub(1)?, task)
}

/// The different names in order of first appearance.
fn distinct<'a>(names: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut found: Vec<&str> = Vec::new();
    for name in names {
        if !found.contains(&name.as_str()) {
            found.push(name);
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::super::record::{SweepPoint, SweepRecord, sample};
    use super::*;
    use crate::continual::metrics::AccuracyMatrix;
    use crate::engine::report::{RunReport, StepReport, TaskSummary};

    fn learner(name: &str, scores: [[f64; 2]; 2]) -> LearnerReport {
        let mut matrix = AccuracyMatrix::new(2);
        for (after, row) in scores.into_iter().enumerate() {
            matrix.set_zero_shot(after, 0.25);
            row.into_iter().enumerate().for_each(|(task, score)| matrix.set_score(after, task, score));
        }
        LearnerReport { name: name.into(), matrix, curve: vec![] }
    }

    #[test]
    fn every_learner_of_every_run_has_its_line() {
        let task = |name: &str| TaskSummary { name: name.into(), ..TaskSummary::default() };
        let report = RunReport {
            method: "i_lora".into(),
            tasks: vec![task("law"), task("a, \"b\"")],
            learners: vec![
                learner("working", [[0.75, 0.25], [0.25, 0.5]]),
                learner("long_term", [[0.5, 0.5], [0.5, f64::NAN]]),
            ],
            headline: 1,
            steps: vec![StepReport { step: 8, ..StepReport::default() }],
            train_secs: 2.0,
            eval_secs: f64::NAN,
            peak_memory_bytes: Some(1024),
            trainable_parameters: 64,
            ..RunReport::default()
        };
        // the same tasks the other way round, at a point of a sweep
        let mut reversed =
            RunReport { learners: vec![learner("model", [[0.5, 0.125], [0.375, 0.875]])], ..report.clone() };
        (reversed.headline, reversed.steps, reversed.peak_memory_bytes) = (0, vec![], None);
        reversed.tasks.reverse();
        let entry = |order: &str, sweep, report| RaceEntry {
            variant: "I-LoRA <1>".into(),
            order: order.into(),
            seed: 3,
            sweep,
            report,
        };
        let record = RaceRecord {
            sweeps: vec![SweepRecord {
                title: "Rank".into(),
                method: "i_lora".into(),
                settings: vec!["lora.r".into()],
            }],
            entries: vec![
                entry("given", None, report),
                entry("reversed", Some(SweepPoint { sweep: 0, values: vec!["8".into()] }), reversed),
            ],
            ..RaceRecord::default()
        };
        assert_eq!(
            results_csv(&record),
            "variant,method,learner,headline,seed,order,sweep,setting_lora.r,average_accuracy,backward_transfer,\
             forward_transfer,forgetting,plasticity,train_secs,eval_secs,steps,secs_per_step,peak_memory_bytes,\
             trainable_parameters,score_law,\"score_a, \"\"b\"\"\"\n\
             I-LoRA <1>,i_lora,working,false,3,given,,,0.375,-0.5,0,0.5,0.625,2,,8,0.25,1024,64,0.25,0.5\n\
             I-LoRA <1>,i_lora,long_term,true,3,given,,,,0,0.25,0,,2,,8,0.25,1024,64,0.5,\n\
             I-LoRA <1>,i_lora,model,true,3,reversed,Rank,8,0.625,-0.125,-0.125,0.125,0.6875,2,,0,,,64,0.875,0.375\n"
        );
    }

    #[test]
    fn a_race_has_a_line_for_each_learner_and_all_lines_have_all_cells() {
        let record = sample::race();
        let text = results_csv(&record);
        let cells: Vec<usize> = text.lines().map(|line| line.matches(',').count()).collect();
        assert!(cells.iter().all(|count| *count == cells[0]), "{cells:?}");
        // 6 variants with 7 learners, 5 + 9 points of I-LoRA with 2 each
        assert_eq!(cells.len(), 1 + 3 * 2 * 7 + 3 * 14 * 2);
        assert_eq!(results_csv(&RaceRecord::default()).lines().count(), 1, "an empty race has its head");
    }
}
