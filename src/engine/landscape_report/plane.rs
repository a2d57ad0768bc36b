//! The page of a plane through adapters: heat maps of loss and score, all tasks below, the training tracks on them.

use std::fmt::Write as _;

use super::colour::ColourScale;
use super::heat_map::{HeatMap, track_legend};
use super::map_view::{drawable, greatest_residual, out_of_view};
use super::page::{self, Origin};
use super::tables::{decimals, or_dash};
use super::{PlaneMark, PlaneReport, finite};
use crate::engine::report_html::text::{duration, escape, percent, task_class, thousands};

/// The page of this plane.
#[must_use]
pub fn render_plane(report: &PlaneReport) -> String {
    let origins = [Origin::from(report)];
    let title = if report.title.is_empty() { "A plane through adapters" } else { &report.title };
    let mut html = page::open(title, "Loss landscape: a plane", "", &origins);
    if let Some(fault) = report.fault() {
        let _ = writeln!(html, "<p class=\"warning\" role=\"note\">{}</p>", escape(&fault));
        page::warnings(&mut html, &origins);
        return page::close(html, &origins);
    }
    let _ = writeln!(html, "<p class=\"abstract\">{}</p>", escape(&abstract_text(report)));
    page::warnings(&mut html, &origins);
    html.push_str("<section>\n<h2 id=\"mean\">Mean over the tasks</h2>\n");
    if !report.tracks.is_empty() {
        html.push_str(&track_legend(&report.tracks));
    }
    html.push_str("<div class=\"pair\">\n");
    large(&mut html, report, false);
    large(&mut html, report, true);
    html.push_str("</div>\n");
    marks(&mut html, report);
    html.push_str("</section>\n");
    if report.tasks.len() > 1 {
        html.push_str("<section>\n<h2 id=\"each\">Each task</h2>\n");
        small(&mut html, report, false);
        small(&mut html, report, true);
        html.push_str("</section>\n");
    }
    html.push_str("<section>\n<h2 id=\"settings\">Settings</h2>\n");
    let grid = format!("{} × {} points", report.xs.len(), report.ys.len());
    let span = |places: &[f64]| match places {
        [] => String::new(),
        [.., last] => format!("{} to {}", decimals(places[0]), decimals(*last)),
    };
    page::settings(
        &mut html,
        &[
            ("plane", kind_label(&report.kind).to_owned()),
            ("grid", grid),
            ("first direction", span(&report.xs)),
            ("second direction", span(&report.ys)),
            ("examples per task", thousands(report.examples_per_task as u64)),
            ("seed", report.seed.to_string()),
            ("time", duration(report.secs)),
        ],
    );
    html.push_str("</section>\n");
    page::tasks(&mut html, &origins[0]);
    page::close(html, &origins)
}

/// The kind of a plane in words.
fn kind_label(kind: &str) -> &str {
    match kind {
        "three adapters" => "through three adapters",
        "PCA" => "the two principal directions of the checkpoints",
        "random directions" => "two random directions, filter-normalised",
        other => other,
    }
}

/// Where the plane is lowest, in a few sentences.
fn abstract_text(report: &PlaneReport) -> String {
    let losses = &report.losses;
    let known = || losses.iter().enumerate().filter_map(|(index, loss)| Some((index, finite(*loss)?)));
    let place = |index: usize| (report.xs[index % report.xs.len()], report.ys[index / report.xs.len()]);
    let near = |(x, y): (f64, f64)| {
        // in the space of all adapters, of which the plane is a part
        let distance = |mark: &&PlaneMark| (mark.x - x).hypot(mark.y - y).hypot(mark.residual);
        let anchors = report.anchors.iter().filter(|mark| distance(mark).is_finite());
        let nearest = anchors.min_by(|a, b| distance(a).total_cmp(&distance(b)));
        nearest.map_or_else(String::new, |mark| format!(", {} from {}", decimals(distance(&mark)), mark.name))
    };
    let mut text = String::new();
    let lowest = known().min_by(|a, b| a.1.total_cmp(&b.1));
    if let (Some((index, low)), Some((_, high))) = (lowest, known().max_by(|a, b| a.1.total_cmp(&b.1))) {
        let (x, y) = place(index);
        let _ = write!(
            text,
            "Over {} points the mean loss runs from {} to {}; it is lowest at ({}, {}){}.",
            thousands((losses.len() - report.unmeasured()) as u64),
            decimals(low),
            decimals(high),
            decimals(x),
            decimals(y),
            near((x, y))
        );
    } else {
        text.push_str("No point of this plane has a finite mean loss.");
    }
    let scores = report.scores.iter().enumerate().filter_map(|(index, score)| Some((index, finite(*score)?)));
    if let Some((index, best)) = scores.max_by(|a, b| a.1.total_cmp(&b.1)) {
        let (x, y) = place(index);
        let _ = write!(
            text,
            " The best mean score is {} at ({}, {}){}.",
            percent(Some(best)),
            decimals(x),
            decimals(y),
            near((x, y))
        );
    }
    let unmeasured = report.unmeasured();
    let holes = losses.len() - known().count() - unmeasured;
    if holes > 0 {
        let have = if holes == 1 { "point has" } else { "points have" };
        let _ = write!(text, " {holes} {have} no finite loss and {} hatched.", if holes == 1 { "is" } else { "are" });
    }
    if unmeasured > 0 {
        let were = if unmeasured == 1 { "point was" } else { "points were" };
        let _ = write!(text, " {unmeasured} {were} not measured.");
    }
    match report.share_of_motion.or(report.explained) {
        Some([first, second]) if first.is_finite() && second.is_finite() => {
            let _ = write!(
                text,
                " The two directions hold {} and {} of the motion, {} together.",
                percent(Some(first)),
                percent(Some(second)),
                percent(Some(first + second))
            );
        }
        _ if report.kind == "random directions" => {
            text.push_str(" What share of the motion of training the two directions hold is not known.");
        }
        _ => {}
    }
    text
}

/// The map of a mean with its legend.
fn large(html: &mut String, report: &PlaneReport, score: bool) {
    let values = if score { &report.scores } else { &report.losses };
    let scale = if score { ColourScale::of_scores(values.iter()) } else { ColourScale::of_losses(values.iter()) };
    let Some(scale) = scale else { return };
    let levels = scale.levels();
    let name = if score { "mean score" } else { "mean loss" };
    let map = HeatMap {
        title: format!("Heat map of the {name} over the plane"),
        words: abstract_text(report),
        report,
        values,
        scale: &scale,
        levels: &levels,
        percent: score,
        large: true,
    };
    let legend = scale.legend(if score { "mean score, %" } else { "mean loss, nats, logarithmic" }, &levels, score);
    let mut caption = if score {
        "<b>Mean score.</b> Brighter is better.".to_owned()
    } else {
        "<b>Mean loss.</b> Brighter is lower, equal steps are equal factors.".to_owned()
    };
    clipped(&mut caption, &scale);
    let _ = writeln!(html, "<figure>{}{legend}<figcaption>{caption}</figcaption></figure>", map.to_svg());
}

/// Says what the scale cuts off.
fn clipped(caption: &mut String, scale: &ColourScale) {
    for (count, bound, side) in [(scale.above, scale.high, "above"), (scale.below, scale.low, "below")] {
        if count > 0 {
            let (values, have) = if count == 1 { ("value", "has its") } else { ("values", "have that") };
            let _ = write!(caption, " {count} {values} {side} {} {have} colour.", decimals(bound));
        }
    }
}

/// A small map for each task, all with the same colours.
fn small(html: &mut String, report: &PlaneReport, score: bool) {
    let lists = if score { &report.per_task_scores } else { &report.per_task_losses };
    let all = || lists.iter().take(report.tasks.len()).flatten();
    let Some(scale) = (if score { ColourScale::of_scores(all()) } else { ColourScale::of_losses(all()) }) else {
        return;
    };
    let levels = scale.levels();
    let quantity = if score { "score" } else { "loss" };
    html.push_str("<figure><div class=\"panels maps\">\n");
    for (task, (name, values)) in report.tasks.iter().zip(lists).enumerate() {
        let known = || values.iter().copied().filter_map(finite);
        let (low, high) = (known().fold(f64::INFINITY, f64::min), known().fold(f64::NEG_INFINITY, f64::max));
        let told = if low > high {
            "no finite value".to_owned()
        } else if score {
            format!("{:.1} to {:.1} %", 100.0 * low, 100.0 * high)
        } else {
            format!("{} to {}", decimals(low), decimals(high))
        };
        let map = HeatMap {
            title: format!("Heat map of the {quantity} on {name}"),
            words: format!("{quantity} {told}"),
            report,
            values,
            scale: &scale,
            levels: &levels,
            percent: score,
            large: false,
        };
        let _ = writeln!(
            html,
            "<div><p class=\"panel-name\"><i class=\"chip {}\"></i>{} <small>{told}</small></p>{}</div>",
            task_class(task),
            escape(name),
            map.to_svg()
        );
    }
    let legend = scale.legend(if score { "score, %" } else { "loss, nats, logarithmic" }, &levels, score);
    let name = if score { "Score" } else { "Loss" };
    let mut caption =
        format!("<b>{name} on each task</b>, all maps in the same colours, with level lines at the marked values.");
    clipped(&mut caption, &scale);
    let _ = writeln!(html, "</div>\n<div class=\"under\">{legend}</div><figcaption>{caption}</figcaption></figure>");
}

/// Coordinates and distances from the plane of all adapters, and what tracks leave out of it.
fn marks(html: &mut String, report: &PlaneReport) {
    for track in &report.tracks {
        let residuals = || drawable(track).map(|mark| mark.residual).filter(|residual| residual.is_finite());
        let farthest =
            drawable(track).filter(|mark| mark.residual.is_finite()).max_by(|a, b| a.residual.total_cmp(&b.residual));
        let Some(farthest) = farthest else { continue };
        let mean = residuals().sum::<f64>() / residuals().count() as f64;
        let at = if farthest.name.is_empty() { String::new() } else { format!(" ({})", farthest.name) };
        let _ = writeln!(
            html,
            "<p class=\"facts\">The track of the <b>{}</b> is a projection: its {} points lie {} out of the plane on average, at most {}{}.</p>",
            escape(&track.name),
            thousands(drawable(track).count() as u64),
            decimals(mean),
            decimals(farthest.residual),
            escape(&at)
        );
    }
    if greatest_residual(report) > 0.0 {
        html.push_str("<p class=\"facts\">Tracks are drawn fainter the farther they are from the plane.</p>\n");
    }
    let outside = out_of_view(report);
    if outside > 0 {
        let _ = writeln!(html, "<p class=\"facts\">Outside the picture, or without a place: {outside}.</p>");
    }
    if report.anchors.is_empty() {
        return;
    }
    html.push_str(
        "<div class=\"scroll\"><table class=\"results anchors\">\n<thead><tr><th scope=\"col\">Adapter</th>\
         <th scope=\"col\" class=\"n\">First direction</th><th scope=\"col\" class=\"n\">Second direction</th>\
         <th scope=\"col\" class=\"n\">Out of the plane</th></tr></thead>\n<tbody>\n",
    );
    for mark in &report.anchors {
        let _ = write!(html, "<tr><th scope=\"row\">{}</th>", escape(&mark.name));
        for value in [mark.x, mark.y, mark.residual] {
            let _ = write!(html, "<td>{}</td>", or_dash(Some(value)));
        }
        html.push_str("</tr>\n");
    }
    html.push_str("</tbody></table></div>\n");
}
