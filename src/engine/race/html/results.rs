//! Who won: a sentence or two, the table with all intervals, average accuracies and differences as dots with whiskers.

use std::fmt::Write as _;

use super::forest::{Forest, Line, Mark, Row as ForestRow};
use super::{Page, capital, table_head};
use crate::continual::Standing;
use crate::engine::race::statistics::Estimate;
use crate::engine::race::summary::{ACCURACY, METRICS, Metric, Row, explain, p_text, tenths, within};
use crate::engine::report_html::figure;
use crate::engine::report_html::text::{escape, percent, plain_percent, points};

/// The section, or nothing if no run has finished.
pub fn section(page: &Page<'_>) -> String {
    let mut html = String::new();
    if page.finished.kept.is_empty() {
        return html;
    }
    if let Some(text) = in_short(page) {
        // no line begins with a lone percent sign
        let _ = writeln!(html, "<p class=\"abstract\">{}</p>", escape(&text.replace(" %", "\u{a0}%")));
    }
    for warning in &page.summary.warnings {
        let _ = writeln!(html, "<p class=\"warning\" role=\"note\">{}</p>", escape(warning));
    }
    table(&mut html, page);
    html.push_str("<div class=\"pair\">\n");
    figure(
        &mut html,
        accuracies(page),
        "<b>Average accuracy</b> at the end of the stream. Dot: mean over seeds; whisker: 95 % interval; ring: a learner that \
         its method is not judged by.",
    );
    let reference = page.summary.reference.as_deref().unwrap_or_default();
    figure(
        &mut html,
        differences(page),
        &format!(
            "<b>Difference to {}</b> in average accuracy, seed by seed: left of the line is worse. Whisker: 95 % interval of \
             the mean difference.",
            escape(reference)
        ),
    );
    html.push_str("</div>\n");
    html
}

/// A mean with its interval in words: `74.3 % [71.0, 77.2]`.
fn told(value: Option<Estimate>) -> String {
    let interval = within(value, plain_percent).map_or_else(String::new, |interval| format!(" [{interval}]"));
    percent(value.map(|value| value.mean)) + &interval
}

/// How it ended, in words.
fn in_short(page: &Page<'_>) -> Option<String> {
    let summary = &page.summary;
    let group = summary.groups.iter().find(|group| group.standing == Standing::Continual)?;
    let mut ranked: Vec<(&Row, Estimate)> =
        (group.rows.iter()).filter(|row| row.headline).filter_map(|row| Some((row, row.metrics[ACCURACY]?))).collect();
    ranked.sort_by(|a, b| b.1.mean.total_cmp(&a.1.mean));
    let (best, accuracy) = *ranked.first()?;
    let mut text = format!("{} has an average accuracy of {}", best.name(), told(Some(accuracy)));
    if ranked.len() > 1 {
        let _ = write!(text, ", the best of {} methods that are one model and not told the task", ranked.len());
    }
    let is_reference = |row: &Row| summary.reference.as_ref() == Some(&row.variant);
    // the reference, or where that is the best the next one
    let other = ranked.iter().find(|(row, _)| is_reference(row)).filter(|(row, _)| row.variant != best.variant);
    if let Some((row, accuracy)) = other.or_else(|| ranked.get(1)) {
        let _ = write!(text, "; {} has {}", row.name(), told(Some(*accuracy)));
        let compared = if is_reference(row) { best.difference } else { row.difference };
        if let Some((difference, p)) = compared.and_then(|it| Some((it.difference, it.p?))) {
            let _ = write!(text, " (they differ by {:.1} points, p {})", difference.mean.abs() * 100.0, equal(p));
        }
    }
    text.push('.');
    let mut bounds = Vec::new();
    if let Some(chance) = summary.chance {
        bounds.push(format!("guessing {}", percent(Some(chance.mean))));
    }
    if let Some(zero_shot) = summary.zero_shot {
        bounds.push(format!("the model before training {}", percent(Some(zero_shot.mean))));
    }
    for row in summary.rows().filter(|row| row.headline && ["one", "mtl"].contains(&row.method.as_str())) {
        if let Some(accuracy) = row.metrics[ACCURACY] {
            bounds.push(format!("{} {}", row.name(), percent(Some(accuracy.mean))));
        }
    }
    if !bounds.is_empty() {
        let _ = write!(text, " To compare with: {}.", bounds.join(", "));
    }
    Some(text)
}

/// `= 0.062`, `< 0.001`.
fn equal(p: f64) -> String {
    let text = p_text(Some(p));
    if text.starts_with('<') { text } else { format!("= {text}") }
}

fn table(html: &mut String, page: &Page<'_>) {
    let summary = &page.summary;
    let names = METRICS.each_ref().map(|metric| capital(metric.name));
    let mut columns = vec![("Method", "")];
    let unit = |metric: &Metric| if metric.in_points { "points" } else { "%" };
    columns.extend(METRICS.iter().zip(&names).map(|(metric, name)| (name.as_str(), unit(metric))));
    let difference = summary.reference.as_ref().map(|reference| format!("Difference to {reference}"));
    if let Some(difference) = &difference {
        columns.extend([(difference.as_str(), "points"), ("p", "")]);
    }
    html.push_str("<figure>");
    html.push_str(&table_head("results race", &columns));
    html.push_str("<tbody class=\"run\">\n");
    for (name, floor) in [("chance", summary.chance), ("zero-shot", summary.zero_shot)] {
        let mean = plain_percent(floor.map(|floor| floor.mean));
        let empty = "<td></td>".repeat(columns.len() - 2);
        let _ = writeln!(html, "<tr class=\"floor\"><th scope=\"row\">{name}</th><td>{mean}</td>{empty}</tr>");
    }
    html.push_str("</tbody>\n");
    let best = summary.best();
    for group in &summary.groups {
        let (title, about) = explain(group.standing);
        let _ = writeln!(
            html,
            "<tbody class=\"run\">\n<tr class=\"group\"><th scope=\"rowgroup\" colspan=\"{}\"><span><b>{title}.</b> {about}</span></th></tr>",
            columns.len()
        );
        for row in &group.rows {
            let is_reference = row.headline && summary.reference.as_ref() == Some(&row.variant);
            let class = match (row.headline, is_reference) {
                (false, _) => " class=\"second\"",
                (true, true) => " class=\"reference\"",
                (true, false) => "",
            };
            let name = row.learner.as_ref().filter(|_| !row.headline).map_or_else(|| row.name(), Clone::clone);
            let _ = write!(
                html,
                "<tr{class}><th scope=\"row\" title=\"{} runs of {} seeds\"><i class=\"chip {}\"></i>{}</th>",
                row.runs,
                row.seeds,
                page.class(&row.variant),
                escape(&name)
            );
            for (column, metric) in METRICS.iter().enumerate() {
                let value = row.metrics[column];
                let marked = row.headline
                    && group.standing == Standing::Continual
                    && value.is_some_and(|value| best[column] == Some(tenths(value.mean)));
                html.push_str(&cell(value, row.seeds, if metric.signed { points } else { plain_percent }, marked));
            }
            if difference.is_some() {
                if is_reference {
                    html.push_str("<td class=\"same\">reference</td><td></td>");
                } else {
                    html.push_str(&cell(row.difference.map(|it| it.difference), row.seeds, points, false));
                    let _ = write!(html, "<td>{}</td>", escape(&p_text(row.difference.and_then(|it| it.p))));
                }
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n");
    }
    html.push_str("</table></div>\n<figcaption>");
    for sentence in &summary.reading {
        let _ = write!(html, "{} ", escape(sentence));
    }
    html.push_str(
        "With a(i, j) the score on task j after training task i of T: <b>average accuracy</b> is the mean of a(T, j); \
         <b>backward transfer</b> the mean of a(T, j) − a(j, j) over the tasks before the last; <b>forward transfer</b> the mean \
         of a(j−1, j) − zero-shot(j) over the tasks after the first; <b>forgetting</b> the mean of max a(i, j) − a(T, j) over the \
         tasks before the last; <b>plasticity</b> the mean of a(j, j). A dash: not defined or not measured.</figcaption></figure>\n",
    );
}

/// A mean with its interval below; how many seeds, where some of the row's lack the number.
fn cell(value: Option<Estimate>, seeds: usize, number: fn(Option<f64>) -> String, best: bool) -> String {
    let text = number(value.map(|value| value.mean));
    let text = if best { format!("<span class=\"best\">{text}</span>") } else { text };
    let mut below = within(value, number).map_or_else(String::new, |interval| format!("[{interval}]"));
    if let Some(value) = value.filter(|value| value.n < seeds) {
        let _ = write!(below, " n = {}", value.n);
    }
    if below.is_empty() { format!("<td>{text}</td>") } else { format!("<td>{text}<small>{below}</small></td>") }
}

/// Average accuracy of every row, with lines at chance, zero-shot, ONE and MTL.
fn accuracies(page: &Page<'_>) -> Option<String> {
    let summary = &page.summary;
    let mut marks = Vec::new();
    for (name, class, floor) in
        [("chance", "floor-mark", summary.chance), ("zero-shot", "zero-mark", summary.zero_shot)]
    {
        if let Some(floor) = floor {
            marks.push(Mark { name: format!("{name} {}", plain_percent(Some(floor.mean))), class, value: floor.mean });
        }
    }
    for (method, class) in [("one", "one-mark"), ("mtl", "mtl-mark")] {
        let row = summary.rows().find(|row| row.headline && row.method == method);
        if let Some((row, accuracy)) = row.and_then(|row| Some((row, row.metrics[ACCURACY]?))) {
            let name = format!("{} {}", row.variant, plain_percent(Some(accuracy.mean)));
            marks.push(Mark { name, class, value: accuracy.mean });
        }
    }
    let row = |row: &Row| {
        let estimate = row.metrics[ACCURACY];
        (estimate, told(estimate), String::new())
    };
    Forest {
        title: "Average accuracy of every method with its interval".into(),
        x_label: "average accuracy, %".into(),
        lines: lines(page, |_| true, row),
        marks,
        note_heading: "",
    }
    .to_svg()
}

/// Differences to the reference, with p at the right.
fn differences(page: &Page<'_>) -> Option<String> {
    let row = |row: &Row| {
        let difference = row.difference.map(|it| it.difference);
        let interval = within(difference, points).map_or_else(String::new, |interval| format!(" [{interval}]"));
        let p = p_text(row.difference.and_then(|it| it.p));
        (difference, format!("{} points{interval}, p {p}", points(difference.map(|it| it.mean))), p)
    };
    let reference = page.summary.reference.as_ref()?;
    Forest {
        title: format!("Difference in average accuracy to {reference}, with its interval and p"),
        x_label: format!("average accuracy less that of {reference}, points"),
        lines: lines(page, |row| row.difference.is_some(), row),
        marks: vec![Mark { name: String::new(), class: "zero-line", value: 0.0 }],
        note_heading: "p",
    }
    .to_svg()
}

/// The rows of the table that are wanted, group after group; `of` gives a row's mean, what it says, and its note.
fn lines(
    page: &Page<'_>,
    wanted: impl Fn(&Row) -> bool,
    of: impl Fn(&Row) -> (Option<Estimate>, String, String),
) -> Vec<Line> {
    let mut lines = Vec::new();
    for group in &page.summary.groups {
        let rows: Vec<&Row> = group.rows.iter().filter(|row| wanted(row)).collect();
        if rows.is_empty() {
            continue;
        }
        if page.summary.groups.len() > 1 {
            lines.push(Line::Heading(explain(group.standing).0.to_owned()));
        }
        for row in rows {
            let (estimate, told, note) = of(row);
            let label = row.learner.as_ref().filter(|_| !row.headline).unwrap_or(&row.variant).clone();
            let (class, told) = (page.class(&row.variant), format!("{}: {told}", row.name()));
            lines.push(Line::Row(ForestRow { label, class, estimate, told, note, second: !row.headline }));
        }
    }
    lines
}
