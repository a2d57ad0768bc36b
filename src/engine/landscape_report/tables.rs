//! Numbers of landscapes as the pages write them, and the tables of barriers and of points.

use std::fmt::Write as _;

use super::curve::Curve;
use super::{BarrierLine, PathReport, finite, mean};
use crate::engine::report_html::svg::short_number;
use crate::engine::report_html::text::{escape, plain_percent};

/// A table of points has at most about this many rows; the CSV has all.
const ROWS: usize = 101;

/// A loss or a distance with three or four digits, and a true minus.
pub fn decimals(value: f64) -> String {
    let size = value.abs();
    let text = if size == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        let digits = if size >= 100.0 {
            1
        } else if size >= 10.0 {
            2
        } else {
            3
        };
        format!("{value:.digits$}")
    } else {
        short_number(value)
    };
    text.replace('-', "−")
}

/// The same, or a dash.
pub fn or_dash(value: Option<f64>) -> String {
    finite(value).map_or_else(|| "–".to_owned(), decimals)
}

/// Barriers of the mean and of every task, one pair of columns a path; of one path also the losses and scores of its ends.
pub fn barriers(reports: &[&PathReport], labels: &[String]) -> String {
    let Some(first) = reports.first() else { return String::new() };
    let mut html = String::from("<div class=\"scroll\"><table class=\"results\">\n<thead>");
    let several = reports.len() > 1;
    if several {
        html.push_str("<tr><td></td>");
        for (label, class) in labels.iter().zip((0..).map(super::path::path_class)) {
            let _ = write!(
                html,
                "<th scope=\"colgroup\" colspan=\"2\" class=\"n {class}\"><i class=\"chip\"></i><span class=\"ink\">{}</span></th>",
                escape(label)
            );
        }
        html.push_str("</tr>\n");
    }
    html.push_str("<tr><th scope=\"col\">Task</th>");
    for _ in reports {
        html.push_str(
            "<th scope=\"col\" class=\"n\">Barrier<small>above the chord</small></th>\
             <th scope=\"col\" class=\"n\">Barrier<small>above the mean of the ends</small></th>",
        );
    }
    if !several {
        for (quantity, unit) in [("Loss", "nats"), ("Score", "%")] {
            for place in ["first end", "last end"] {
                let _ = write!(html, "<th scope=\"col\" class=\"n\">{quantity}<small>{place}, {unit}</small></th>");
            }
        }
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    let mut holes = false;
    for task in std::iter::once(None).chain(first.tasks.iter().map(Some)) {
        let name = task.map_or_else(|| "mean over the tasks".to_owned(), |name| escape(name));
        let class = if task.is_none() { " class=\"reference\"" } else { "" };
        let _ = write!(html, "<tr{class}><th scope=\"row\">{name}</th>");
        for report in reports {
            let found: Option<&BarrierLine> = report.barriers.iter().find(|line| line.task.as_ref() == task);
            let at_least = found.is_some_and(|line| line.holes);
            holes |= at_least;
            for value in [found.and_then(|line| line.entezari), found.and_then(|line| line.frankle)] {
                let sign = if at_least && finite(value).is_some() { "≥ " } else { "" };
                let _ = write!(html, "<td>{sign}{}</td>", or_dash(value));
            }
        }
        if !several {
            let index = task.and_then(|name| first.tasks.iter().position(|other| other == name));
            let curves = match (task, index) {
                (Some(_), Some(index)) => (Curve::task_loss(first, index), Curve::task_score(first, index)),
                _ => (Curve::mean_loss(first), Curve::mean_score(first)),
            };
            let (losses, scores) = (curves.0.chord.unzip(), curves.1.chord.unzip());
            for (value, told) in
                [(losses.0, or_dash as fn(_) -> _), (losses.1, or_dash), (scores.0, percentage), (scores.1, percentage)]
            {
                let _ = write!(html, "<td>{}</td>", told(value));
            }
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
    if holes {
        html.push_str("<p class=\"facts\">≥: some point had no finite loss, so the true barrier may be higher.</p>\n");
    }
    html
}

fn percentage(value: Option<f64>) -> String {
    plain_percent(value.map(|value| value / 100.0))
}

/// The measured points of a path, folded away.
pub fn points(report: &PathReport) -> String {
    let stride = report.points.len().div_ceil(ROWS).max(1);
    let all = if stride > 1 { format!(", every {stride}th of {}", report.points.len()) } else { String::new() };
    let mut html = format!(
        "<details><summary>The numbers{all}</summary><div class=\"scroll\"><table class=\"results points\">\n<thead><tr>\
         <th scope=\"col\" class=\"n\">t</th><th scope=\"col\" class=\"n\">Length<small>so far</small></th>"
    );
    for quantity in ["loss", "score, %"] {
        for name in std::iter::once("mean").chain(report.tasks.iter().map(String::as_str)) {
            let _ = write!(html, "<th scope=\"col\" class=\"n\">{}<small>{quantity}</small></th>", escape(name));
        }
    }
    html.push_str("</tr></thead>\n<tbody>\n");
    for point in report.points.iter().step_by(stride) {
        let _ = write!(
            html,
            "<tr><th scope=\"row\" class=\"n\">{}</th><td>{}</td><td>{}</td>",
            or_dash(Some(point.t)),
            or_dash(Some(point.arc_length)),
            or_dash(mean(&point.losses))
        );
        let of = |list: &[Option<f64>], task: usize| list.get(task).copied().flatten();
        for task in 0..report.tasks.len() {
            let _ = write!(html, "<td>{}</td>", or_dash(of(&point.losses, task)));
        }
        let _ = write!(html, "<td>{}</td>", plain_percent(mean(&point.scores)));
        for task in 0..report.tasks.len() {
            let _ = write!(html, "<td>{}</td>", plain_percent(of(&point.scores, task)));
        }
        html.push_str("</tr>\n");
    }
    html + "</tbody></table></div></details>\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_have_three_or_four_digits() {
        let values = [0.0, 0.0123, -1.5, 12.3456, 123.456, 4e-5, 2e6].map(decimals);
        assert_eq!(values, ["0", "0.012", "−1.500", "12.35", "123.5", "4e−5", "2e6"]);
        assert_eq!([or_dash(None), or_dash(Some(f64::NAN))], ["–", "–"]);
    }
}
