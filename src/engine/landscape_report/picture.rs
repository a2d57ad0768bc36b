//! The means along one path or several as one SVG file: for a paper, a README, or wherever a page is too much.
//!
//! It carries its own style, light and dark, and needs no font and no script. One unit is a CSS pixel.

use std::fmt::Write as _;

use super::PathReport;
use super::path::{joint_chart, labels, path_class};
use super::tables::decimals;
use crate::engine::report_html::svg::HALF;
use crate::engine::report_html::text::escape;

const STYLE: &str = include_str!("figure.css");
/// Between the two charts, and around them.
const GAP: f64 = 26.0;
const MARGIN: f64 = 12.0;
/// Height of a line of the key.
const ROW: f64 = 19.0;

/// Mean loss along the paths, and beside it the mean score where it was measured; `None` where no point has a loss.
#[must_use]
pub fn path_svg(reports: &[PathReport]) -> Option<String> {
    let all: Vec<&PathReport> = reports.iter().collect();
    let labels = labels(reports);
    let charts: Vec<String> =
        [joint_chart(&all, &labels, false)?].into_iter().chain(joint_chart(&all, &labels, true)).collect();
    let mut keys = Vec::new();
    for (index, (report, label)) in reports.iter().zip(&labels).enumerate() {
        let ends = match (report.ends.first(), report.ends.last()) {
            (Some(first), Some(last)) if !label.contains(first.as_str()) => format!(": {first} to {last}"),
            _ => String::new(),
        };
        let rings =
            report.beside.iter().map(|place| format!("; ring: {}, {} away", place.name, decimals(place.distance)));
        let beside = rings.collect::<Vec<_>>().concat();
        keys.push((path_class(index), format!("{label}{ends}{beside}")));
    }
    let head = MARGIN + 18.0;
    let top = head + 10.0 + ROW * (keys.len() + 1) as f64;
    let heights: Vec<f64> = charts.iter().map(|chart| height_of(chart)).collect();
    let width = charts.len() as f64 * (HALF + GAP) - GAP + 2.0 * MARGIN;
    let height = top + heights.iter().fold(0.0, |most: f64, height| most.max(*height)) + MARGIN;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"figure\" width=\"{width:.0}\" height=\"{height:.0}\" viewBox=\"0 0 {width:.0} {height:.0}\">\n\
         <style>{STYLE}</style>\n<rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n"
    );
    let title = reports.first().map_or("", |report| report.title.as_str());
    let _ = writeln!(svg, "<text class=\"title\" x=\"{MARGIN}\" y=\"{head:.0}\">{}</text>", escape(title));
    for (row, (class, text)) in keys.iter().enumerate() {
        let y = head + ROW * (row + 1) as f64 + 4.0;
        let _ = writeln!(
            svg,
            "<g class=\"{class}\"><rect class=\"chip\" x=\"{MARGIN}\" y=\"{:.1}\" width=\"20\" height=\"4\"/></g><text class=\"key\" x=\"{}\" y=\"{y:.1}\">{}</text>",
            y - 6.0,
            MARGIN + 28.0,
            escape(text)
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"key note\" x=\"{MARGIN}\" y=\"{:.1}\">{}</text>",
        head + ROW * (keys.len() + 1) as f64 + 4.0,
        escape(&note(reports))
    );
    for (index, (chart, height)) in charts.iter().zip(heights).enumerate() {
        let x = MARGIN + index as f64 * (HALF + GAP);
        let place = format!("<svg x=\"{x:.0}\" y=\"{top:.0}\" width=\"{HALF}\" height=\"{height}\" ");
        svg.push_str(&chart.replacen("<svg ", &place, 1));
    }
    svg.push_str("</svg>\n");
    Some(svg)
}

/// Model, tasks and examples that all paths share.
fn note(reports: &[PathReport]) -> String {
    let Some(first) = reports.first() else { return String::new() };
    let model = std::path::Path::new(&first.model)
        .file_name()
        .map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    let tasks = match first.tasks.as_slice() {
        [one] => one.clone(),
        tasks => format!("mean over {} tasks", tasks.len()),
    };
    format!("{model}, {tasks}, {} examples of each; dashed: chord between the ends", first.examples_per_task)
}

/// Of a chart's view box.
fn height_of(chart: &str) -> f64 {
    let numbers = chart.split("viewBox=\"").nth(1).and_then(|rest| rest.split('"').next());
    numbers.and_then(|numbers| numbers.split(' ').nth(3)).and_then(|height| height.parse().ok()).unwrap_or(332.0)
}

#[cfg(test)]
mod tests {
    use super::super::PathBeside;
    use super::super::sample;
    use super::*;
    use crate::engine::report_html::tests::tag_counts;

    #[test]
    fn a_picture_stands_alone_and_says_what_its_lines_are() {
        let mut reports = [sample::path("line", 0.0), sample::path("bezier", 1.0)];
        reports[0].beside = vec![PathBeside {
            name: "slow <learner>".into(),
            t: 0.4,
            distance: 0.75,
            losses: vec![Some(1.0); 8],
            scores: vec![Some(0.5); 8],
        }];
        let svg = path_svg(&reports).unwrap();
        let counts = tag_counts(&svg);
        // the file, two charts and the frame of each
        assert_eq!((counts["svg"], counts["style"]), (5, 1), "{counts:?}");
        assert!(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
        assert_eq!(svg.matches("http").count(), 1, "nothing from elsewhere");
        assert!(svg.contains("ring: slow &lt;learner&gt;, 0.750 away") && svg.contains("mean over 8 tasks"), "{svg}");
        // the ring lies at t = 0.4 of an axis from 52 to 497, in both charts
        assert_eq!(svg.matches("<circle class=\"ring\" cx=\"230.0\"").count(), 2, "{svg}");
        for class in ["line t4", "line t0"] {
            assert!(svg.contains(class), "{class}");
        }
        assert_eq!(path_svg(&[]), None);
    }
}
