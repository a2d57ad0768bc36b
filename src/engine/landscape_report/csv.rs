//! A path or a plane as CSV: one line a point, a header line, `.` as the decimal point, an empty cell for a hole.

use super::{PathReport, PlaneReport, mean};
use crate::engine::report_csv::{line, number};

/// `path.csv`: `t`, `arc_length`, `coefficient_<control point>`, then `loss_mean`, `loss_<task>`, `score_mean`, `score_<task>`.
#[must_use]
pub fn path_csv(report: &PathReport) -> String {
    let head = ["t", "arc_length"].map(str::to_owned).into_iter();
    let coefficients = report.ends.iter().map(|name| format!("coefficient_{name}"));
    let mut text = line(head.chain(coefficients).chain(measured("loss", report)).chain(measured("score", report)));
    for point in &report.points {
        let place = [Some(point.t), Some(point.arc_length)].into_iter();
        let coefficients = (0..report.ends.len()).map(|index| point.coefficients.get(index).copied());
        let values = [&point.losses, &point.scores].into_iter().flat_map(|list| {
            let tasks = (0..report.tasks.len()).map(|task| list.get(task).copied().flatten());
            std::iter::once(mean(list)).chain(tasks)
        });
        text.push_str(&line(place.chain(coefficients).chain(values).map(number)));
    }
    text
}

/// Names of the columns of one quantity: its mean over the tasks, then each task's.
fn measured<'a>(quantity: &'a str, report: &'a PathReport) -> impl Iterator<Item = String> + 'a {
    let tasks = report.tasks.iter().map(move |name| format!("{quantity}_{name}"));
    std::iter::once(format!("{quantity}_mean")).chain(tasks)
}

/// `plane.csv`: `x`, `y`, `loss_mean`, `loss_<task>`, `score_mean`, `score_<task>`; the first row of the grid comes first.
#[must_use]
pub fn plane_csv(report: &PlaneReport) -> String {
    let named = |quantity: &'static str| {
        let tasks = report.tasks.iter().map(move |name| format!("{quantity}_{name}"));
        std::iter::once(format!("{quantity}_mean")).chain(tasks)
    };
    let mut text = line(["x", "y"].map(str::to_owned).into_iter().chain(named("loss")).chain(named("score")));
    let kinds = [(&report.losses, &report.per_task_losses), (&report.scores, &report.per_task_scores)];
    for (row, y) in report.ys.iter().enumerate() {
        for (column, x) in report.xs.iter().enumerate() {
            let point = row * report.xs.len() + column;
            let at = |list: &Vec<Option<f64>>| list.get(point).copied().flatten();
            let values = kinds.iter().flat_map(|(all, tasks)| {
                let tasks = (0..report.tasks.len()).map(|task| tasks.get(task).and_then(at));
                std::iter::once(at(all)).chain(tasks)
            });
            text.push_str(&line([Some(*x), Some(*y)].into_iter().chain(values).map(number)));
        }
    }
    text
}
