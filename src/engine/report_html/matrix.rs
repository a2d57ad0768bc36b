//! The accuracy matrix as a table in which forgetting is drawn.
//!
//! Each measured cell carries a gauge at its right edge: filled up to the score, and in the colour of loss from there up
//! to the score the task had when it was learnt. The last row says in points what was lost or gained since.

use std::fmt::Write as _;

use super::{escape, percent, points, task_class};
use crate::continual::metrics::AccuracyMatrix;
use crate::engine::report::{LearnerReport, RunReport};

/// One learner's matrix.
pub fn table(run: &RunReport, learner: &LearnerReport) -> String {
    let matrix = &learner.matrix;
    let tasks = matrix.tasks();
    let name = |task: usize| run.tasks.get(task).map_or_else(|| format!("task {}", task + 1), |task| task.name.clone());
    let mut html = format!(
        "<div class=\"scroll\"><table class=\"matrix{}\">\n<caption>{}</caption>\n<thead><tr><td class=\"none\"></td>",
        if tasks > 5 { " many" } else { "" },
        escape(learner.label())
    );
    for task in 0..tasks {
        let _ = write!(
            html,
            "<th scope=\"col\"><span><i class=\"chip {}\"></i>{}</span></th>",
            task_class(task),
            escape(&name(task))
        );
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for (label, score) in [
        ("chance", AccuracyMatrix::chance as fn(&AccuracyMatrix, usize) -> Option<f64>),
        ("zero-shot", AccuracyMatrix::zero_shot),
    ] {
        let _ = write!(html, "<tr class=\"floor\"><th scope=\"row\">{label}</th>");
        for task in 0..tasks {
            let _ = write!(html, "<td>{}</td>", number(score(matrix, task)));
        }
        html.push_str("</tr>\n");
    }
    for after in 0..matrix.learnt() {
        let _ = write!(html, "<tr><th scope=\"row\">{} {}</th>", after + 1, escape(&name(after)));
        for task in 0..tasks {
            html.push_str(&cell(matrix, after, task, &name(task), &name(after)));
        }
        html.push_str("</tr>\n");
    }
    if matrix.learnt() > 1 {
        html.push_str("<tr class=\"change\"><th scope=\"row\">since learnt</th>");
        for task in 0..tasks {
            html.push_str(&change(matrix, task));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div>\n"
}

fn cell(matrix: &AccuracyMatrix, after: usize, task: usize, name: &str, trained: &str) -> String {
    let Some(score) = matrix.score(after, task) else { return "<td class=\"none\">–</td>".to_owned() };
    let mut told = format!("{name} after training {trained}: {}", percent(Some(score)));
    if task > after {
        told.push_str(", not trained on yet");
        return format!("<td class=\"before\" title=\"{}\">{}</td>", escape(&told), number(Some(score)));
    }
    let learnt = matrix.score(task, task);
    let mut below = String::new();
    if let Some(learnt) = learnt.filter(|_| task < after) {
        let _ = write!(told, ", {} points since it was learnt", points(Some(score - learnt)));
        if (score - learnt).abs() >= 0.0005 {
            let _ = write!(below, "<small>{}</small>", points(Some(score - learnt)));
        }
    }
    format!(
        "<td class=\"a{}\" style=\"--s:{:.4};--p:{:.4}\" title=\"{}\">{}{below}</td>",
        if task == after { " now" } else { "" },
        score.clamp(0.0, 1.0),
        learnt.unwrap_or(score).clamp(0.0, 1.0),
        escape(&told),
        number(Some(score)),
    )
}

fn change(matrix: &AccuracyMatrix, task: usize) -> String {
    let change = matrix.change_since_learnt(task).filter(|_| task + 1 < matrix.learnt());
    let Some(change) = change else { return "<td></td>".to_owned() };
    let (class, arrow) = match change {
        _ if change.abs() < 0.0005 => return "<td class=\"same\">=</td>".to_owned(),
        change if change < 0.0 => ("down", '▼'),
        _ => ("up", '▲'),
    };
    format!("<td class=\"{class}\">{arrow}{:.1}</td>", change.abs() * 100.0)
}

/// A score in percent without its sign, for cells whose caption gives the unit.
fn number(score: Option<f64>) -> String {
    score.map_or_else(|| "–".to_owned(), |score| format!("{:.1}", score * 100.0))
}
