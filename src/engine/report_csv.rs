//! A run's numbers as CSV (RFC 4180, a header line, `.` as the decimal point) for spreadsheets and scripts.
//!
//! A number that was not measured or is not finite is an empty cell.

use std::fmt::Write as _;

use super::report::{RunReport, StepReport};

/// `metrics.csv`: one line a step. The loss terms and diagnostics of all steps together make the columns.
#[must_use]
pub fn metrics_csv(steps: &[StepReport]) -> String {
    let losses = names(steps.iter().flat_map(|step| step.losses.iter().map(|(name, _)| name)));
    let diagnostics = names(steps.iter().flat_map(|step| step.diagnostics.iter().map(|(name, _)| name)));
    let mut text = metrics_csv_header(&losses, &diagnostics);
    for step in steps {
        text.push_str(&metrics_csv_line(step, &losses, &diagnostics));
    }
    text
}

/// The header line for [`metrics_csv_line`], for a file that grows while a run goes on.
#[must_use]
pub fn metrics_csv_header<S: AsRef<str>>(losses: &[S], diagnostics: &[S]) -> String {
    let fixed = [
        "step",
        "task",
        "task_step",
        "task_steps",
        "learning_rate",
        "gradient_norm",
        "tokens",
        "tokens_per_sec",
        "secs_per_step",
        "buffer_len",
        "learner_distance",
    ];
    let losses = losses.iter().map(|name| format!("loss_{}", name.as_ref()));
    let diagnostics = diagnostics.iter().map(|name| name.as_ref().to_owned());
    line(fixed.iter().map(|name| (*name).to_owned()).chain(losses).chain(diagnostics))
}

/// One line of `metrics.csv`; `task` is counted from 1, as in the report.
#[must_use]
pub fn metrics_csv_line<S: AsRef<str>>(step: &StepReport, losses: &[S], diagnostics: &[S]) -> String {
    let fixed = [
        step.step.to_string(),
        (step.task + 1).to_string(),
        step.task_step.to_string(),
        step.task_steps.to_string(),
        number(Some(step.learning_rate)),
        number(Some(step.gradient_norm)),
        step.tokens.to_string(),
        number(Some(step.tokens_per_sec)),
        number(Some(step.secs_per_step)),
        step.buffer_len.to_string(),
        number(step.learner_distance),
    ];
    let losses = losses.iter().map(|name| number(step.loss(name.as_ref())));
    let diagnostics = diagnostics
        .iter()
        .map(|name| number(step.diagnostics.iter().find(|(found, _)| found == name.as_ref()).map(|(_, value)| *value)));
    line(fixed.into_iter().chain(losses).chain(diagnostics))
}

/// `matrix.csv`: for each learner a row `chance`, a row `zero_shot` and one for each task trained on.
///
/// `after_task` is 0 for the first two and counts from 1 after that; the columns are the tasks that were scored.
#[must_use]
pub fn matrix_csv(run: &RunReport) -> String {
    let head = ["learner", "row", "after_task"].map(str::to_owned);
    let mut text = line(head.into_iter().chain(run.tasks.iter().map(|task| task.name.clone())));
    for learner in &run.learners {
        let matrix = &learner.matrix;
        let tasks = 0..matrix.tasks();
        let mut row = |name: &str, after: usize, scores: Vec<Option<f64>>| {
            let lead = [learner.name.clone(), name.to_owned(), after.to_string()];
            text.push_str(&line(lead.into_iter().chain(scores.into_iter().map(number))));
        };
        row("chance", 0, tasks.clone().map(|task| matrix.chance(task)).collect());
        row("zero_shot", 0, tasks.clone().map(|task| matrix.zero_shot(task)).collect());
        for after in tasks.clone() {
            let name = run.tasks.get(after).map_or("", |task| task.name.as_str());
            row(name, after + 1, tasks.clone().map(|task| matrix.score(after, task)).collect());
        }
    }
    text
}

/// The different names in order of first appearance.
fn names<'a>(all: impl Iterator<Item = &'a String>) -> Vec<&'a str> {
    let mut names: Vec<&str> = Vec::new();
    for name in all {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    names
}

/// A number, or an empty cell.
pub(super) fn number<N: Into<f64> + std::fmt::Display + Copy>(value: Option<N>) -> String {
    value.filter(|value| (*value).into().is_finite()).map(|value| value.to_string()).unwrap_or_default()
}

/// A line of cells, quoted where they have to be.
pub(super) fn line(cells: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for (index, cell) in cells.enumerate() {
        if index > 0 {
            text.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            let _ = write!(text, "\"{}\"", cell.replace('"', "\"\""));
        } else {
            text.push_str(&cell);
        }
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests {
    use super::super::report::{LearnerReport, TaskSummary};
    use super::*;
    use crate::continual::metrics::AccuracyMatrix;

    #[test]
    fn steps_become_lines_with_all_terms_as_columns() {
        let first = StepReport {
            step: 1,
            task_step: 1,
            task_steps: 2,
            losses: vec![("total".into(), 2.5), ("task".into(), f32::NAN)],
            learning_rate: 0.001,
            gradient_norm: f32::INFINITY,
            tokens: 64,
            tokens_per_sec: 128.5,
            secs_per_step: 0.5,
            ..StepReport::default()
        };
        let second = StepReport {
            losses: vec![("total".into(), 1.5), ("replay".into(), 0.25)],
            diagnostics: vec![("a \"b\", c".into(), 3.0)],
            gradient_norm: 0.1,
            learner_distance: Some(0.75),
            task: 1,
            ..first.clone()
        };
        assert_eq!(
            metrics_csv(&[first, second]),
            "step,task,task_step,task_steps,learning_rate,gradient_norm,tokens,tokens_per_sec,secs_per_step,buffer_len,\
             learner_distance,loss_total,loss_task,loss_replay,\"a \"\"b\"\", c\"\n\
             1,1,1,2,0.001,,64,128.5,0.5,0,,2.5,,,\n\
             1,2,1,2,0.001,0.1,64,128.5,0.5,0,0.75,1.5,,0.25,3\n"
        );
    }

    #[test]
    fn a_matrix_has_its_floors_first() {
        let mut matrix = AccuracyMatrix::new(2);
        matrix.set_chance(0, 0.5);
        matrix.set_zero_shot(1, 0.25);
        matrix.set_score(0, 0, 0.875);
        let task = |name: &str| TaskSummary { name: name.into(), ..TaskSummary::default() };
        let run = RunReport {
            tasks: vec![task("law"), task("a,b")],
            learners: vec![LearnerReport { name: "model".into(), matrix, curve: vec![] }],
            ..RunReport::default()
        };
        assert_eq!(
            matrix_csv(&run),
            "learner,row,after_task,law,\"a,b\"\nmodel,chance,0,0.5,\nmodel,zero_shot,0,,0.25\n\
             model,law,1,0.875,\nmodel,\"a,b\",2,,\n"
        );
    }
}
