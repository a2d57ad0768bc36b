//! The table in words: cells with intervals, Markdown for the README, and rows for the terminal.

use super::{METRICS, Row, Summary, explain, tenths};
use crate::engine::race::statistics::Estimate;
use crate::engine::report_html::text::{bytes, duration, plain_percent, points};

/// What stands for a number that is not defined or was not measured.
const DASH: &str = "–";

/// `0.062`, or `< 0.001`.
pub(in crate::engine::race) fn p_text(p: Option<f64>) -> String {
    match p {
        None => DASH.to_owned(),
        Some(p) if p < 0.001 => "< 0.001".to_owned(),
        Some(p) => format!("{p:.3}"),
    }
}

/// A quotient as `1.32`.
pub(in crate::engine::race) fn ratio(value: Option<Estimate>) -> String {
    value.map_or_else(|| DASH.to_owned(), |ratio| format!("{:.2}", ratio.mean))
}

/// The interval as `51.0, 57.2`, each end written by `number`; `None` where there is none.
pub(in crate::engine::race) fn within(value: Option<Estimate>, number: fn(Option<f64>) -> String) -> Option<String> {
    let interval = value?.interval?;
    Some(format!("{}, {}", number(Some(interval.low)), number(Some(interval.high))))
}

/// A mean with its interval: `54.3 [51.0, 57.2]`, and `, n = 4` where some of the row's seeds lack the number.
fn cell(value: Option<Estimate>, seeds: usize, number: fn(Option<f64>) -> String) -> String {
    let mut text = number(value.map(|value| value.mean));
    if let Some(interval) = within(value, number) {
        text.push_str(&format!(" [{interval}]"));
    }
    if let Some(value) = value.filter(|value| value.n < seeds) {
        text.push_str(&format!(", n = {}", value.n));
    }
    text
}

impl Summary {
    /// The table as Markdown, with all intervals, and below it how it is to be read.
    #[must_use]
    pub fn to_markdown(&self) -> String {
        let mut heading = vec![String::new()];
        heading.extend(
            METRICS.iter().map(|metric| format!("{}, {}", metric.name, if metric.in_points { "points" } else { "%" })),
        );
        if let Some(reference) = &self.reference {
            heading.extend([format!("difference to {}, points", escaped(reference)), "p".to_owned()]);
        }
        let of = self.yardstick.as_deref().map_or_else(String::new, |label| format!(" of {}", escaped(label)));
        heading.extend(["training".to_owned(), format!("step time, ×{of}"), format!("memory, ×{of}")]);
        let columns = heading.len();
        let mut text = line(heading) + "|---|" + &"--:|".repeat(columns - 1) + "\n";
        let sparse = |cells: &[String]| {
            let empty = columns.saturating_sub(cells.len());
            line(cells.iter().cloned().chain(std::iter::repeat_n(String::new(), empty)).collect())
        };
        for (name, floor) in [("chance", self.chance), ("zero-shot", self.zero_shot)] {
            text += &sparse(&[name.to_owned(), plain_percent(floor.map(|floor| floor.mean))]);
        }
        let best = self.best();
        for group in &self.groups {
            text += &sparse(&[format!("**{}**", explain(group.standing).0)]);
            for row in &group.rows {
                let mut cells = vec![escaped(&self.marked(row))];
                for (column, metric) in METRICS.iter().enumerate() {
                    let value = row.metrics[column];
                    let text = cell(value, row.seeds, if metric.signed { points } else { plain_percent });
                    let is_best = row.headline
                        && group.standing == crate::continual::Standing::Continual
                        && value.is_some_and(|value| best[column] == Some(tenths(value.mean)));
                    cells.push(if is_best { format!("**{text}**") } else { text });
                }
                if self.reference.is_some() {
                    cells.push(cell(row.difference.map(|it| it.difference), row.seeds, points));
                    cells.push(p_text(row.difference.and_then(|it| it.p)));
                }
                if let Some(cost) = &row.cost {
                    let secs = cost.train_secs.map_or(f64::NAN, |secs| secs.mean);
                    cells.extend([duration(secs), ratio(cost.step_ratio), ratio(cost.memory_ratio)]);
                }
                text += &sparse(&cells);
            }
        }
        text.push('\n');
        for group in &self.groups {
            let (title, about) = explain(group.standing);
            text += &format!("{title}: {about} ");
        }
        for sentence in self.reading.iter().chain(&self.warnings) {
            text += &format!("{} ", escaped(sentence));
        }
        text.trim_end().to_owned() + "\n"
    }

    /// Heading and rows for a table in the terminal, the first column to the left; intervals where they matter most.
    ///
    /// The reference has a star; a learner that its method is not judged by stands indented below it.
    #[must_use]
    pub fn terminal(&self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let mut heading = vec!["", "average", "95 %", "backward", "forward", "forgetting", "plasticity"];
        if self.reference.is_some() {
            heading.extend(["difference", "95 %", "p"]);
        }
        heading.extend(["training", "step ×", "memory"]);
        let mut lines = Vec::new();
        for (name, floor) in [("chance", self.chance), ("zero-shot", self.zero_shot)] {
            lines.push(vec![name.to_owned(), plain_percent(floor.map(|floor| floor.mean))]);
        }
        for group in &self.groups {
            lines.push(vec![format!("{}:", explain(group.standing).0)]);
            for row in &group.rows {
                let [average, backward, forward, forgetting, plasticity] = row.metrics;
                let share = |value: Option<Estimate>| plain_percent(value.map(|value| value.mean));
                let signed = |value: Option<Estimate>| points(value.map(|value| value.mean));
                let is_reference = row.headline && self.reference.as_ref() == Some(&row.variant);
                let name = match &row.learner {
                    Some(learner) if !row.headline => format!("    {learner}"),
                    _ => format!("  {}{}", row.name(), if is_reference { " *" } else { "" }),
                };
                let mut cells = vec![
                    name,
                    share(average),
                    within(average, plain_percent).unwrap_or_else(|| DASH.to_owned()),
                    signed(backward),
                    signed(forward),
                    share(forgetting),
                    share(plasticity),
                ];
                if self.reference.is_some() {
                    let difference = row.difference.map(|it| it.difference);
                    cells.push(signed(difference));
                    cells.push(within(difference, points).unwrap_or_else(|| DASH.to_owned()));
                    cells.push(p_text(row.difference.and_then(|it| it.p)));
                }
                if let Some(cost) = &row.cost {
                    let memory = cost.peak_memory_bytes.map(|memory| bytes(memory.mean.round() as u64));
                    cells.push(duration(cost.train_secs.map_or(f64::NAN, |secs| secs.mean)));
                    cells.push(ratio(cost.step_ratio));
                    cells.push(memory.unwrap_or_else(|| DASH.to_owned()));
                }
                lines.push(cells);
            }
        }
        (heading, lines)
    }

    /// The row's name with a mark at the reference and at learners that a method is not judged by.
    fn marked(&self, row: &Row) -> String {
        let mark = match (row.headline, self.reference.as_ref() == Some(&row.variant)) {
            (false, _) => " (other learner)",
            (true, true) => " (reference)",
            (true, false) => "",
        };
        row.name() + mark
    }
}

fn line(cells: Vec<String>) -> String {
    format!("| {} |\n", cells.join(" | "))
}

/// Text from outside as it is to be read, in a cell of a Markdown table.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' | '|' | '<' | '>' | '*' | '_' | '[' | ']' | '`' | '&' | '~' => safe.extend(['\\', character]),
            control if control.is_control() => safe.push(' '),
            other => safe.push(other),
        }
    }
    safe
}
