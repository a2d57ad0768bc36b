//! What the methods cost, and what they say they did.

use std::fmt::Write as _;

use super::{Page, table_head};
use crate::engine::race::statistics::mean;
use crate::engine::race::summary::{Row, ratio};
use crate::engine::report::RunReport;
use crate::engine::report_html::svg::short_number;
use crate::engine::report_html::text::{bytes, duration, escape, thousands};

/// Times, memory and parameters of every variant; nothing if no run has finished.
pub fn section(page: &Page<'_>) -> String {
    let rows: Vec<&Row> = page.summary.rows().filter(|row| row.cost.is_some()).collect();
    if rows.is_empty() {
        return String::new();
    }
    let against = page.summary.yardstick.as_deref().map_or_else(|| "plain training".to_owned(), ToOwned::to_owned);
    let times = format!("× {against}");
    let columns = [
        ("Method", ""),
        ("Training", "time"),
        ("Evaluation", "time"),
        ("Steps", ""),
        ("A step", "milliseconds"),
        ("A step", times.as_str()),
        ("Memory", "peak"),
        ("Memory", times.as_str()),
        ("Trained", "parameters"),
    ];
    let mut html = String::from("<figure>");
    html.push_str(&table_head("results", &columns));
    html.push_str("<tbody class=\"run\">\n");
    for row in rows {
        let Some(cost) = &row.cost else { continue };
        let dash = || "–".to_owned();
        let cells = [
            cost.train_secs.map_or_else(dash, |secs| duration(secs.mean)),
            cost.eval_secs.map_or_else(dash, |secs| duration(secs.mean)),
            cost.steps.map_or_else(dash, thousands),
            cost.secs_per_step.map_or_else(dash, |secs| short_number(round_to_three(secs.mean * 1000.0))),
            ratio(cost.step_ratio),
            cost.peak_memory_bytes.map_or_else(dash, |memory| bytes(memory.mean.round() as u64)),
            ratio(cost.memory_ratio),
            thousands(cost.trainable_parameters),
        ];
        let _ = write!(
            html,
            "<tr><th scope=\"row\"><i class=\"chip {}\"></i>{}</th>",
            page.class(&row.variant),
            escape(&row.variant)
        );
        for cell in cells {
            let _ = write!(html, "<td>{cell}</td>");
        }
        html.push_str("</tr>\n");
    }
    let _ = write!(
        html,
        "</tbody></table></div>\n<figcaption>Means over seeds, of runs. Times are wall-clock times and depend on what else the \
         machine did, other runs of the race included; the quotients compare runs of the same seed and order with those of {}. \
         Memory is that of the whole process, the base model included, at its largest.</figcaption></figure>\n",
        escape(&against)
    );
    html
}

/// The last numbers that each variant's runs reported of themselves; nothing if there are none.
pub fn diagnostics(page: &Page<'_>) -> String {
    let mut body = String::new();
    for label in &page.finished.variants {
        let runs = page.finished.variant(label);
        let reported: Vec<Vec<(String, f64)>> = runs.entries.iter().map(|entry| of_run(&entry.report)).collect();
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in reported.iter().flatten() {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        for (index, name) in names.iter().enumerate() {
            let values: Vec<f64> =
                reported.iter().flatten().filter(|(found, _)| found == name).map(|(_, value)| *value).collect();
            body.push_str(if index == 0 { "<tr class=\"first\">" } else { "<tr>" });
            if index == 0 {
                let _ = write!(
                    body,
                    "<th scope=\"rowgroup\" rowspan=\"{}\"><i class=\"chip {}\"></i>{}</th>",
                    names.len(),
                    page.class(label),
                    escape(label)
                );
            }
            let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), it| (low.min(*it), high.max(*it)));
            let number = |value: f64| short_number(round_to_three(value)).replace('-', "−");
            let range = if low < high { format!("{} to {}", number(low), number(high)) } else { "the same".to_owned() };
            let _ = writeln!(
                body,
                "<td>{}</td><td class=\"n\">{}</td><td class=\"n\">{range}</td><td class=\"n\">{}</td></tr>",
                escape(name),
                number(mean(&values)),
                values.len()
            );
        }
    }
    if body.is_empty() {
        return body;
    }
    format!(
        "<p>The numbers that each method reported of itself last, so that one sees that it acts.</p>\n\
         <div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Method</th><th scope=\"col\">Number</th>\
         <th scope=\"col\" class=\"n\">Mean</th><th scope=\"col\" class=\"n\">Over runs</th><th scope=\"col\" class=\"n\">Runs</th>\
         </tr></thead><tbody>\n{body}</tbody></table></div>\n"
    )
}

/// What a run says of itself: the method's own numbers and the learners' distance where they were last told, the buffer.
fn of_run(report: &RunReport) -> Vec<(String, f64)> {
    let told = report.steps.iter().rfind(|step| !step.diagnostics.is_empty());
    let told = told.map(|step| step.diagnostics.as_slice()).unwrap_or_default();
    let mut numbers: Vec<(String, f64)> = told.iter().map(|(name, value)| (name.replace('_', " "), *value)).collect();
    if let Some(distance) = report.steps.iter().rev().find_map(|step| step.learner_distance) {
        numbers.push(("distance between the learners".to_owned(), f64::from(distance)));
    }
    if let Some(buffer) = &report.buffer {
        numbers.push(("examples in the replay buffer".to_owned(), buffer.len as f64));
        numbers.push((
            "tasks in the replay buffer".to_owned(),
            buffer.shares.iter().filter(|share| **share > 0.0).count() as f64,
        ));
    }
    numbers.retain(|(_, value)| value.is_finite());
    numbers
}

/// Three significant digits.
fn round_to_three(value: f64) -> f64 {
    if value == 0.0 || !value.is_finite() {
        return value;
    }
    let unit = 10_f64.powf(value.abs().log10().floor() - 2.0);
    (value / unit).round() * unit
}
