//! What an experiment found, for the terminal: the matrices of the headline learners, then one line for each learner.

use super::matrix_table::{ColorMode, TitledMatrix, matrix_table, matrix_tables};
use super::table::{percent, points, table};
use super::terminal;
use crate::engine::report::{LearnerReport, RunReport};

/// The whole summary, as wide and as colourful as stdout allows.
pub(super) fn summary(reports: &[RunReport]) -> String {
    format!("{}\n{}", matrices(reports, terminal::width(), terminal::color()), numbers(reports))
}

/// Matrices of the learners that the runs are judged by, two side by side where there is room.
fn matrices(reports: &[RunReport], width: usize, color: ColorMode) -> String {
    let named: Vec<(String, Vec<String>, &LearnerReport)> = reports
        .iter()
        .filter_map(|report| {
            let learner = report.headline_learner()?;
            let tasks = report.tasks.iter().map(|task| task.name.clone()).collect();
            Some((name(report, learner), tasks, learner))
        })
        .collect();
    let titled: Vec<TitledMatrix<'_>> =
        named.iter().map(|(title, tasks, learner)| TitledMatrix { title, matrix: &learner.matrix, tasks }).collect();
    let blocks: Vec<String> = titled
        .chunks(2)
        .map(|pair| match pair {
            [left, right] => matrix_tables(*left, *right, width, color),
            rest => rest.iter().map(|matrix| matrix_table(*matrix, width, color)).collect(),
        })
        .collect();
    blocks.join("\n")
}

/// The method, and which learner where there are several.
fn name(report: &RunReport, learner: &LearnerReport) -> String {
    if report.learners.len() > 1 {
        format!("{}, {}", report.method_label, learner.short_label())
    } else {
        report.method_label.clone()
    }
}

/// One line for each learner of each run: what it knows at the end, what it lost, and the two floors beside.
fn numbers(reports: &[RunReport]) -> String {
    let mut rows = Vec::new();
    let mut several = false;
    for report in reports {
        several |= report.learners.len() > 1;
        for (index, learner) in report.learners.iter().enumerate() {
            let matrix = &learner.matrix;
            let mark = if report.learners.len() > 1 && index == report.headline { " *" } else { "" };
            rows.push(vec![
                name(report, learner) + mark,
                percent(matrix.average_accuracy()),
                points(matrix.backward_transfer()),
                percent(matrix.forgetting()),
                points(matrix.forward_transfer()),
                percent(matrix.plasticity()),
                percent(matrix.average_chance()),
                percent(matrix.average_zero_shot()),
                format!("{:.1}", report.train_secs),
            ]);
        }
    }
    let heading =
        ["run", "average", "backward", "forgetting", "forward", "plasticity", "chance", "zero-shot", "training s"];
    let mut text = table(&heading, &rows);
    text += "average: mean score on all tasks at the end, in %; backward, forward: transfer in points; plasticity: mean just after learning\n";
    if several {
        text += "* the learner that the run is judged by\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::continual::metrics::AccuracyMatrix;
    use crate::engine::report::TaskSummary;

    fn report(label: &str, learners: &[&str], last: f64) -> RunReport {
        let mut matrix = AccuracyMatrix::new(2);
        for task in 0..2 {
            matrix.set_chance(task, 0.5);
            matrix.set_zero_shot(task, 0.4);
        }
        for (after, task, score) in [(0, 0, 0.9), (0, 1, 0.5), (1, 0, last), (1, 1, 0.8)] {
            matrix.set_score(after, task, score);
        }
        let learner = |name: &&str| LearnerReport { name: (*name).into(), matrix: matrix.clone(), curve: Vec::new() };
        RunReport {
            method_label: label.into(),
            tasks: ["law", "stance"]
                .iter()
                .map(|name| TaskSummary { name: (*name).into(), ..TaskSummary::default() })
                .collect(),
            learners: learners.iter().map(learner).collect(),
            headline: learners.len() - 1,
            train_secs: 12.34,
            ..RunReport::default()
        }
    }

    #[test]
    fn every_learner_has_its_line_with_the_floors_beside() {
        let text = numbers(&[report("Seq", &["model"], 0.3), report("I-LoRA", &["working", "long_term"], 0.85)]);
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        // average (0.3 + 0.8) / 2, backward 0.3 - 0.9, forward 0.5 - 0.4, plasticity (0.9 + 0.8) / 2
        assert_eq!(lines[1], ["Seq", "55.0", "-60.0", "60.0", "+10.0", "85.0", "50.0", "40.0", "12.3"]);
        assert!(lines[2].starts_with(&["I-LoRA,", "fast", "learner", "82.5", "-5.0"]), "{text}");
        assert!(lines[3].starts_with(&["I-LoRA,", "slow", "learner", "*"]), "{text}");
    }

    #[test]
    fn two_matrices_stand_side_by_side() {
        let text = matrices(
            &[report("Seq", &["model"], 0.3), report("I-LoRA", &["a", "long_term"], 0.8)],
            120,
            ColorMode::Plain,
        );
        let first = text.lines().next().unwrap();
        assert!(first.contains("Seq") && first.contains("I-LoRA, slow learner"), "{text}");
        assert!(matrices(&[], 80, ColorMode::Plain).is_empty());
    }
}
