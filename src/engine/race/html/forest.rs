//! Means with their intervals as dots with whiskers, one row a variant, on one axis: a forest plot.

use std::fmt::Write as _;

use crate::engine::race::statistics::Estimate;
use crate::engine::report_html::svg::{Axis, HALF, short_number, ticks};
use crate::engine::report_html::text::escape;

/// A line of the plot.
pub enum Line {
    /// Opens a group.
    Heading(String),
    Row(Row),
}

/// A mean with its interval.
pub struct Row {
    pub label: String,
    /// Class that colours it.
    pub class: String,
    pub estimate: Option<Estimate>,
    /// What the row says under the pointer.
    pub told: String,
    /// At the right end of the row.
    pub note: String,
    /// A learner that its method is not judged by: a ring instead of a dot.
    pub second: bool,
}

/// A value that all rows are to be seen against.
pub struct Mark {
    pub name: String,
    pub class: &'static str,
    pub value: f64,
}

/// A forest plot. Values are drawn 100 times as large: they are shares, the axis is in percent or points.
pub struct Forest {
    /// What it shows, for people who cannot see it.
    pub title: String,
    pub x_label: String,
    pub lines: Vec<Line>,
    pub marks: Vec<Mark>,
    /// Heading of the notes; empty where there are none.
    pub note_heading: &'static str,
}

const LEFT: f64 = 150.0;
const ROW: f64 = 21.0;
/// Letters of a name that fit beside the plot.
const LETTERS: usize = 20;

impl Forest {
    /// The plot as an `<svg>` element; `None` if no row has a mean.
    pub fn to_svg(&self) -> Option<String> {
        let right = HALF - if self.note_heading.is_empty() { 16.0 } else { 64.0 };
        let (low, high) = self.range()?;
        let x = Axis { low, high, from: LEFT, to: right, log: false };
        let (names, floors) = self.mark_names(x);
        let top = 8.0 + 13.0 * floors.max(if self.note_heading.is_empty() { 0.0 } else { 1.0 });
        let bottom = top + ROW * self.lines.len() as f64 + 4.0;
        let height = bottom + 38.0;
        let mut svg = format!(
            "<svg class=\"chart forest\" viewBox=\"0 0 {HALF} {height:.0}\" role=\"img\" aria-label=\"{0}\">\n<desc>{1}</desc>\n",
            escape(&self.title),
            escape(&self.in_words())
        );
        for tick in ticks(low, high, 6, false) {
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{0:.1} {top:.1}V{bottom:.1}\"/><text class=\"tick x\" x=\"{0:.1}\" y=\"{1:.1}\">{2}</text>",
                x.at(tick),
                bottom + 15.0,
                short_number(tick).replace('-', "−")
            );
        }
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{LEFT} {bottom:.1}H{right}\"/><text class=\"label x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            f64::midpoint(LEFT, right),
            bottom + 32.0,
            escape(&self.x_label)
        );
        for mark in &self.marks {
            let at = x.at(mark.value * 100.0);
            let _ = writeln!(svg, "<path class=\"{}\" d=\"M{at:.1} {:.1}V{bottom:.1}\"/>", mark.class, top - 2.0);
        }
        svg.push_str(&names);
        if !self.note_heading.is_empty() {
            let _ = writeln!(
                svg,
                "<text class=\"tick y\" x=\"{HALF}\" y=\"{:.1}\">{}</text>",
                top - 4.0,
                self.note_heading
            );
        }
        for (index, line) in self.lines.iter().enumerate() {
            let y = top + ROW * (index as f64 + 0.5) + 2.0;
            match line {
                Line::Heading(text) => {
                    let _ = writeln!(
                        svg,
                        "<path class=\"group-rule\" d=\"M0 {:.1}H{HALF}\"/><text class=\"group-name\" x=\"0\" y=\"{:.1}\">{}</text>",
                        y - ROW / 2.0,
                        y + 5.0,
                        escape(text)
                    );
                }
                Line::Row(row) => draw_row(&mut svg, row, x, y),
            }
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }

    /// Least and greatest value of the axis, with some air.
    fn range(&self) -> Option<(f64, f64)> {
        let estimates = self.lines.iter().filter_map(|line| match line {
            Line::Row(row) => row.estimate,
            Line::Heading(_) => None,
        });
        let mut ends: Vec<f64> = Vec::new();
        for estimate in estimates {
            ends.push(estimate.mean);
            ends.extend(estimate.interval.iter().flat_map(|interval| [interval.low, interval.high]));
        }
        if ends.is_empty() {
            return None;
        }
        ends.extend(self.marks.iter().map(|mark| mark.value));
        let (low, high) = ends.iter().fold((f64::MAX, f64::MIN), |(low, high), end| (low.min(*end), high.max(*end)));
        let air = ((high - low) * 0.04).max(0.01);
        Some(((low - air) * 100.0, (high + air) * 100.0))
    }

    /// Names of the marks above the plot, one line below the other where they would cover each other; how many lines.
    fn mark_names(&self, x: Axis) -> (String, f64) {
        let mut named: Vec<(f64, f64, &Mark)> = (self.marks.iter())
            .filter(|mark| !mark.name.is_empty())
            .map(|mark| (x.at(mark.value * 100.0), 3.2 * mark.name.chars().count() as f64 + 3.0, mark))
            .collect();
        named.sort_by(|a, b| a.0.total_cmp(&b.0));
        // right ends of the names already in each line, the lowest line first
        let mut lines: Vec<f64> = Vec::new();
        let mut placed = Vec::new();
        for (at, half, mark) in named {
            let at = at.min(HALF - half);
            let line = lines.iter().position(|end| at - half > *end).unwrap_or(lines.len());
            if line == lines.len() {
                lines.push(0.0);
            }
            lines[line] = at + half;
            placed.push((at, line, mark));
        }
        let count = lines.len() as f64;
        let mut svg = String::new();
        for (at, line, mark) in placed {
            let y = 8.0 + 13.0 * (count - line as f64) - 4.0;
            let _ = writeln!(svg, "<text class=\"mark-name\" x=\"{at:.1}\" y=\"{y:.1}\">{}</text>", escape(&mark.name));
        }
        (svg, count)
    }

    /// The plot read out.
    fn in_words(&self) -> String {
        let rows = self.lines.iter().filter_map(|line| match line {
            Line::Row(row) => Some(row.told.as_str()),
            Line::Heading(_) => None,
        });
        rows.collect::<Vec<_>>().join("; ")
    }
}

fn draw_row(svg: &mut String, row: &Row, x: Axis, y: f64) {
    let label = if row.label.chars().count() > LETTERS {
        row.label.chars().take(LETTERS - 1).chain(['…']).collect()
    } else {
        row.label.clone()
    };
    let _ = write!(
        svg,
        "<g class=\"{}\"><title>{}</title><text class=\"row-name{}\" x=\"{}\" y=\"{:.1}\">{}</text>",
        row.class,
        escape(&row.told),
        if row.second { " second" } else { "" },
        LEFT - 10.0,
        y + 4.0,
        escape(&label)
    );
    if let Some(estimate) = row.estimate {
        if let Some(interval) = estimate.interval {
            let (low, high) = (x.at(interval.low * 100.0), x.at(interval.high * 100.0));
            let _ = write!(
                svg,
                "<path class=\"whisker\" d=\"M{low:.1} {y:.1}H{high:.1}M{low:.1} {0:.1}v8M{high:.1} {0:.1}v8\"/>",
                y - 4.0
            );
        }
        let shape = if row.second { "ring" } else { "dot" };
        let _ =
            write!(svg, "<circle class=\"{shape}\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4\"/>", x.at(estimate.mean * 100.0));
    }
    let _ = writeln!(svg, "<text class=\"tick y\" x=\"{HALF}\" y=\"{:.1}\">{}</text></g>", y + 4.0, escape(&row.note));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::race::statistics::Interval;

    fn row(label: &str, low: f64, mean: f64, high: f64) -> Line {
        let estimate = Estimate { mean, interval: Some(Interval { low, high }), n: 5 };
        Line::Row(Row {
            label: label.into(),
            class: "t0".into(),
            estimate: Some(estimate),
            told: format!("{label} told"),
            note: String::new(),
            second: false,
        })
    }

    fn forest(lines: Vec<Line>, marks: Vec<Mark>) -> Forest {
        Forest { title: "a & b".into(), x_label: "points".into(), lines, marks, note_heading: "" }
    }

    #[test]
    fn dots_and_whiskers_lie_where_the_axis_says() {
        // from 0 to 1 with 4 % of air: 150 to 499 stands for -4 to 104
        let svg = forest(vec![row("<er>", 0.0, 0.5, 1.0)], vec![]).to_svg().unwrap();
        let at = |value: f64| 150.0 + (value + 4.0) / 108.0 * 349.0;
        assert!(svg.contains(&format!("cx=\"{:.1}\" cy=\"20.5\"", at(50.0))), "{svg}");
        assert!(svg.contains(&format!("M{:.1} 20.5H{:.1}", at(0.0), at(100.0))), "{svg}");
        assert!(svg.contains("&lt;er&gt; told</title>") && svg.contains("aria-label=\"a &amp; b\""));
        crate::engine::report_html::tests::tag_counts(&svg);
    }

    #[test]
    fn names_of_marks_that_are_near_each_other_stand_in_different_lines() {
        let mark = |name: &str, value| Mark { name: name.into(), class: "floor-mark", value };
        let marks = vec![mark("chance 30.1 %", 0.301), mark("zero-shot 30.9 %", 0.309), mark("MTL 95.0 %", 0.95)];
        let svg = forest(vec![row("ER", 0.2, 0.5, 0.99)], marks).to_svg().unwrap();
        let heights: Vec<&str> = (svg.lines().filter(|line| line.contains("mark-name")))
            .map(|line| line.split("y=\"").nth(1).unwrap().split('"').next().unwrap())
            .collect();
        assert_eq!(heights, ["30.0", "17.0", "30.0"]);
    }

    #[test]
    fn rows_without_a_mean_keep_their_place_and_none_at_all_is_no_plot() {
        let empty = || {
            let Line::Row(row) = row("ER", 0.0, 0.5, 1.0) else { panic!("a row") };
            Line::Row(Row { estimate: None, ..row })
        };
        assert_eq!(forest(vec![empty()], vec![]).to_svg(), None);
        let svg = forest(vec![empty(), row("Seq", 0.1, 0.2, 0.3)], vec![]).to_svg().unwrap();
        assert_eq!((svg.matches("row-name").count(), svg.matches("<circle").count()), (2, 1));
    }
}
