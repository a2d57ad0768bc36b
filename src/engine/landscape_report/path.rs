//! The page of paths between adapters: loss and score of every task along each, chords, barriers, and the best point.
//!
//! Several paths over the same tasks are laid over one another first. The page keeps the rules of a run's report: no
//! network, light and dark, printable, complete without its script, every text from outside escaped.

use std::fmt::Write as _;

use super::curve::{Curve, arc_lengths, named_ends};
use super::page::{self, Origin};
use super::path_chart::{Callout, ChartLine, NAMED, PathChart};
use super::tables::{self, decimals, or_dash};
use super::{PathBeside, PathReport, finite, mean};
use crate::engine::report_html::charts::legend;
use crate::engine::report_html::figure;
use crate::engine::report_html::text::{duration, escape, percent, points, task_class, thousands};

/// The page of these paths.
#[must_use]
pub fn render_path(reports: &[PathReport]) -> String {
    let all: Vec<&PathReport> = reports.iter().collect();
    let origins: Vec<Origin<'_>> = reports.iter().map(Origin::from).collect();
    let labels = labels(reports);
    let title = reports.first().map(|report| report.title.as_str()).filter(|title| !title.is_empty());
    let title = title.unwrap_or("Paths between adapters");
    let lines = reports.iter().map(|report| report.tasks.len()).max().unwrap_or(0).max(reports.len());
    let mut html = page::open(title, "Loss landscape: paths", &emphasis(lines), &origins);
    if reports.is_empty() {
        html.push_str("<p>There is no path to report.</p>\n");
        return page::close(html, &origins);
    }
    for (report, label) in reports.iter().zip(&labels) {
        let _ = writeln!(html, "<p class=\"abstract\">{}</p>", escape(&abstract_text(report, label)));
    }
    page::warnings(&mut html, &origins);
    let comparable = reports.iter().all(|report| report.tasks == reports[0].tasks);
    if reports.len() > 1 && comparable {
        together(&mut html, &all, &labels);
    } else if reports.len() > 1 {
        html.push_str("<p>These paths were measured on different tasks, so each is shown by itself.</p>\n");
    }
    for (index, (report, label)) in reports.iter().zip(&labels).enumerate() {
        section(&mut html, report, label, index, reports.len() == 1 || !comparable);
    }
    page::tasks(&mut html, &origins[0]);
    page::close(html, &origins)
}

/// Class of a path's colour where paths are compared.
pub fn path_class(index: usize) -> String {
    const ORDER: [usize; 10] = [4, 0, 2, 3, 1, 7, 5, 6, 8, 9];
    task_class(ORDER[index % 10] + index / 10 * 10)
}

/// The kind of a path in words.
fn kind_label(kind: &str) -> &str {
    match kind {
        "line" => "straight line",
        "bezier" => "Bezier curve",
        "slerp" => "great circle (slerp)",
        "chain" => "chain through the adapters",
        "product line" => "straight line of the products BA",
        other => other,
    }
}

/// A name for each path: its kind, with the ends where kinds repeat, and with its number where those repeat too.
pub fn labels(reports: &[PathReport]) -> Vec<String> {
    let kind = |report: &PathReport| {
        let label = kind_label(&report.kind);
        if label.is_empty() { "path".to_owned() } else { label.to_owned() }
    };
    let with_ends = |report: &PathReport| format!("{}, {}", kind(report), between(report));
    let once = |of: &dyn Fn(&PathReport) -> String, report: &PathReport| {
        reports.iter().filter(|other| of(other) == of(report)).count() == 1
    };
    let label = |(index, report): (usize, &PathReport)| {
        if once(&kind, report) {
            kind(report)
        } else if once(&with_ends, report) {
            with_ends(report)
        } else {
            format!("{} ({})", with_ends(report), index + 1)
        }
    };
    reports.iter().enumerate().map(label).collect()
}

/// `a to b`.
fn between(report: &PathReport) -> String {
    match (report.ends.first(), report.ends.last()) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "one adapter to another".to_owned(),
    }
}

/// Barrier of the mean over the tasks, by Entezari.
fn mean_barrier(report: &PathReport) -> Option<f64> {
    report.barriers.iter().find(|line| line.task.is_none()).and_then(|line| finite(line.entezari))
}

/// What a path shows, in two sentences.
fn abstract_text(report: &PathReport, label: &str) -> String {
    let losses = Curve::mean_loss(report);
    let mut letters = label.chars();
    let label: String = letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default();
    // a label with the ends in it does not need them again
    let ends = between(report);
    let name = if label.contains(&ends) { label } else { format!("{label} from {ends}") };
    let mut text = match (mean_barrier(report), losses.peak()) {
        (Some(height), Some((t, value))) if height > 0.0 => {
            format!(
                "{name}: the mean loss climbs {} above its chord, to {} at t = {t:.2}.",
                decimals(height),
                decimals(value)
            )
        }
        (Some(height), _) if height <= 0.0 => {
            format!("{name}: no barrier, the mean loss nowhere rises above its chord.")
        }
        (Some(height), _) => format!("{name}: the mean loss climbs {} above its chord.", decimals(height)),
        (None, _) => format!("{name}: no barrier can be given, since an end has no finite mean loss."),
    };
    if let Some((gain, at)) = best(report) {
        let _ = write!(text, " The best mean score is {} at t = {:.2}", percent(Some(at.1 / 100.0)), at.0);
        let told = points(Some(gain.abs()));
        let told = told.trim_start_matches('+');
        text.push_str(&if gain > 0.0 {
            format!(", {told} points above the better end.")
        } else if gain < 0.0 {
            format!(", {told} points below the better end.")
        } else {
            ", no better than an end.".to_owned()
        });
    }
    let holes = losses.holes();
    if holes > 0 {
        let have = if holes == 1 { "point has" } else { "points have" };
        let _ = write!(text, " {holes} of {} {have} no finite mean loss.", losses.points.len());
    }
    text
}

/// The gain, and `(t, mean score in percent)` of the point that has it.
fn best(report: &PathReport) -> Option<(f64, (f64, f64))> {
    let gain = report.gain.as_ref().filter(|gain| gain.gain.is_finite() && gain.at_t.is_finite())?;
    Some((gain.gain, Curve::mean_score(report).nearest(gain.at_t)?))
}

/// Marks of the barrier on the mean loss, and of the best point on the mean score.
fn callouts(report: &PathReport, class: &str) -> (Vec<Callout>, Vec<Callout>) {
    let losses = Curve::mean_loss(report);
    let barrier =
        mean_barrier(report).filter(|height| *height > 0.0).zip(losses.peak()).map(|(height, (t, value))| Callout {
            class: class.to_owned(),
            t,
            value,
            from: losses.chord_at(t),
            text: format!("barrier {} at t = {t:.2}", decimals(height)),
        });
    let best = best(report).map(|(gain, (t, value))| Callout {
        class: class.to_owned(),
        t,
        value,
        from: None,
        text: format!("best {value:.1} % at t = {t:.2} ({})", points(Some(gain))),
    });
    (barrier.into_iter().collect(), best.into_iter().collect())
}

/// The mean over the tasks of the scores of guessing, in percent.
fn floor(report: &PathReport) -> Option<(f64, String)> {
    mean(&report.chance).map(|chance| (100.0 * chance, "chance".to_owned()))
}

/// All means in two charts, and one table of barriers.
fn together(html: &mut String, reports: &[&PathReport], labels: &[String]) {
    html.push_str("<section class=\"path\">\n<h2 id=\"together\">The paths together</h2>\n");
    let entries: Vec<(String, String)> = (reports.iter().zip(labels).enumerate())
        .map(|(index, (report, label))| {
            let length =
                arc_lengths(report).last().map_or_else(String::new, |(_, all)| format!(" (length {})", decimals(*all)));
            (format!("{} k{index}", path_class(index)), format!("{label}{length}"))
        })
        .collect();
    html.push_str(&legend(&entries));
    html.push_str("<div class=\"pair\">\n");
    figure(
        html,
        joint_chart(reports, labels, false),
        "<b>Mean loss over the tasks</b> along each path. Dashed: the chord between its ends; the bracket is the barrier.",
    );
    figure(
        html,
        joint_chart(reports, labels, true),
        "<b>Mean score over the tasks.</b> Ring: the best point, with its gain over the better end in points.",
    );
    html.push_str("</div>\n");
    html.push_str(&tables::barriers(reports, labels));
    html.push_str("</section>\n");
}

/// The mean loss, or the mean score, of all paths in one chart.
pub fn joint_chart(reports: &[&PathReport], labels: &[String], percent: bool) -> Option<String> {
    // where all paths share their ends these can be named once
    let ends = |report: &PathReport| [report.ends.first().cloned(), report.ends.last().cloned()];
    let first = *reports.first()?;
    let shared = reports.iter().all(|report| ends(report) == ends(first));
    let names =
        if shared { [(0.0, 0), (1.0, 1)].map(|(t, end)| (t, ends(first)[end].clone())) } else { Default::default() };
    let names: Vec<(f64, String)> = names.into_iter().filter_map(|(t, name)| Some((t, name?))).collect();
    let lines = reports.iter().zip(labels).enumerate().map(|(index, (report, label))| ChartLine {
        name: label.clone(),
        class: format!("{} k{index} mean", path_class(index)),
        curve: if percent { Curve::mean_score(report) } else { Curve::mean_loss(report) },
    });
    let marks = reports.iter().enumerate().flat_map(|(index, report)| {
        let class = format!("{} k{index}", path_class(index));
        let (barrier, best) = callouts(report, &class);
        let beside = beside(report, &class, percent);
        (if percent { best } else { barrier }).into_iter().chain(beside)
    });
    let words: Vec<String> = reports.iter().zip(labels).map(|(report, label)| abstract_text(report, label)).collect();
    let (title, y_label) = if percent {
        ("Mean score along the paths", "mean score, %")
    } else {
        ("Mean loss along the paths", "mean loss, nats")
    };
    PathChart {
        title: title.to_owned(),
        words: words.join(" "),
        y_label: y_label.to_owned(),
        percent,
        lines: lines.collect(),
        ends: names,
        callouts: marks.collect(),
        floor: floor(first).filter(|_| percent),
        ..PathChart::default()
    }
    .to_svg()
}

/// Rings for the adapters that lie beside a path, at their own values.
fn beside(report: &PathReport, class: &str, percent: bool) -> Vec<Callout> {
    let ring = |place: &PathBeside| {
        let value = if percent { 100.0 * mean(&place.scores)? } else { mean(&place.losses)? };
        let told = if percent { format!("{value:.1} %") } else { decimals(value) };
        let text = format!("{}: {told}", place.name);
        Some(Callout { class: class.to_owned(), t: finite(Some(place.t))?, value, from: None, text })
    };
    report.beside.iter().filter_map(ring).collect()
}

/// One path with all its tasks.
fn section(html: &mut String, report: &PathReport, label: &str, index: usize, with_barriers: bool) {
    let _ = writeln!(html, "<section class=\"path\">\n<h2 id=\"path-{}\">{}</h2>", index + 1, escape(&capital(label)));
    let alone = report.tasks.len() == 1;
    let mut entries = vec![("ink km lead".to_owned(), "mean over the tasks".to_owned())];
    if alone {
        entries[0].1.clone_from(&report.tasks[0]);
    } else {
        let tasks = report.tasks.iter().enumerate();
        entries.extend(tasks.map(|(task, name)| (format!("{} k{task}", task_class(task)), name.clone())));
    }
    html.push_str(&legend(&entries));
    let (mut barrier, mut best) = callouts(report, "ink");
    barrier.extend(beside(report, "ink", false));
    best.extend(beside(report, "ink", true));
    html.push_str("<div class=\"pair\">\n");
    let several_ends = report.ends.len() > NAMED;
    let numbered = report.ends.iter().enumerate().map(|(index, name)| format!("{} {}", index + 1, escape(name)));
    let key =
        if several_ends { format!(" Above: {}.", numbered.collect::<Vec<_>>().join(", ")) } else { String::new() };
    let chart = |title: &str, y_label: &str, percent: bool, callouts: Vec<Callout>| {
        let of = |task: usize| if percent { Curve::task_score(report, task) } else { Curve::task_loss(report, task) };
        let tasks = report.tasks.iter().enumerate().filter(|_| !alone);
        let mut lines: Vec<ChartLine> = tasks
            .map(|(task, name)| ChartLine {
                name: name.clone(),
                class: format!("{} k{task}", task_class(task)),
                curve: of(task),
            })
            .collect();
        // the mean lies over the tasks
        lines.push(ChartLine {
            name: entries[0].1.clone(),
            class: "ink km mean".to_owned(),
            curve: if percent { Curve::mean_score(report) } else { Curve::mean_loss(report) },
        });
        PathChart {
            title: format!("{title}, {label}"),
            words: abstract_text(report, label),
            y_label: y_label.to_owned(),
            percent,
            lines,
            arc: arc_lengths(report),
            ends: named_ends(report),
            marks: report.marks.iter().map(|mark| (mark.t, mark.name.clone())).collect(),
            callouts,
            floor: floor(report).filter(|_| percent),
        }
        .to_svg()
    };
    figure(
        html,
        chart("Loss of every task along the path", "loss, nats", false, barrier),
        &format!(
            "<b>Loss</b> along the path; dashed the chord between the ends. The bracket is the barrier of the mean.{key}"
        ),
    );
    figure(
        html,
        chart("Score of every task along the path", "score, %", true, best),
        &format!("<b>Score</b> along the path. Ring: the best mean, with its gain over the better end in points.{key}"),
    );
    html.push_str("</div>\n");
    if with_barriers {
        html.push_str(&tables::barriers(&[report], &[label.to_owned()]));
    }
    html.push_str(&tables::points(report));
    let marks: Vec<String> =
        report.marks.iter().map(|mark| format!("{} at t = {}", mark.name, or_dash(finite(Some(mark.t))))).collect();
    let near = |place: &PathBeside| {
        let (t, away) = (or_dash(finite(Some(place.t))), or_dash(finite(Some(place.distance))));
        format!("{} nearest at t = {t}, {away} away", place.name)
    };
    let places: Vec<String> = report.beside.iter().map(near).collect();
    page::settings(
        html,
        &[
            ("path", kind_label(&report.kind).to_owned()),
            ("control points", report.ends.join(", ")),
            ("marked", marks.join(", ")),
            ("beside it", places.join(", ")),
            ("points", thousands(report.points.len() as u64)),
            ("length", arc_lengths(report).last().map_or_else(String::new, |(_, length)| decimals(*length))),
            ("seed", report.seed.to_string()),
            ("time", duration(report.secs)),
        ],
    );
    html.push_str("</section>\n");
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// Rules that make the other lines faint while the pointer is on a name in the legend: no script is needed.
fn emphasis(lines: usize) -> String {
    let keys = (0..lines).map(|line| format!("k{line}")).chain(["km".to_owned()]);
    keys.fold(String::new(), |mut rules, key| {
        let _ = writeln!(rules, ".path:has(.legend .{key}:hover) .line:not(.{key}) {{ opacity: .1; }}");
        rules
    })
}
