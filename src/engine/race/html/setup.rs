//! What was raced: tasks, settings, runs that failed, and how to do it again.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::Page;
use crate::engine::race::record::RaceEntry;
use crate::engine::race::statistics::mean;
use crate::engine::report::TaskSummary;
use crate::engine::report_html::text::{date, escape, percent, thousands};

/// Settings that say which run it is rather than how it was made.
const OF_THE_RUN: [&str; 3] = ["seed", "title", "output"];

/// The tasks with metric, chance and zero-shot score, in the order of the first run.
pub fn tasks(page: &Page<'_>) -> String {
    let Some(first) = page.finished.kept.first().filter(|entry| !entry.report.tasks.is_empty()) else {
        return String::new();
    };
    let mut html = String::from(
        "<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Task</th><th scope=\"col\">Metric</th>\
         <th scope=\"col\" class=\"n\">Chance</th><th scope=\"col\" class=\"n\">Zero-shot</th><th scope=\"col\" class=\"n\">Trained on</th>\
         <th scope=\"col\" class=\"n\">Scored on</th><th scope=\"col\">Source</th></tr></thead><tbody>\n",
    );
    for task in &first.report.tasks {
        let everywhere: Vec<&TaskSummary> = (page.finished.kept.iter())
            .filter_map(|entry| entry.report.tasks.iter().find(|other| other.name == task.name))
            .collect();
        let over_runs = |of: fn(&TaskSummary) -> Option<f64>| {
            let values: Vec<f64> =
                everywhere.iter().filter_map(|task| of(task)).filter(|value| value.is_finite()).collect();
            (!values.is_empty()).then(|| mean(&values))
        };
        let title = if task.title.is_empty() || task.title == task.name {
            String::new()
        } else {
            format!("<span class=\"same\"> {}</span>", escape(&task.title))
        };
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\">{}{title}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td>\
             <td class=\"n\">{}</td><td>{}</td></tr>",
            escape(&task.name),
            escape(&task.metric.replace('_', " ")),
            percent(over_runs(|task| Some(task.chance))),
            percent(over_runs(|task| task.zero_shot)),
            thousands(task.train as u64),
            thousands(task.eval as u64),
            escape(&task.source)
        );
    }
    html + "</tbody></table></div>\n"
}

/// Settings that all variants share, and what each variant has of its own.
pub fn settings(page: &Page<'_>) -> String {
    let runs: Vec<(&str, &RaceEntry)> = (page.finished.variants.iter())
        .filter_map(|label| Some((*label, *page.finished.variant(label).entries.first()?)))
        .collect();
    let told = |entry: &'_ RaceEntry| -> Vec<(String, String)> {
        entry.report.settings.iter().filter(|(name, _)| !OF_THE_RUN.contains(&name.as_str())).cloned().collect()
    };
    let mut holders: BTreeMap<(String, String), usize> = BTreeMap::new();
    for setting in runs.iter().flat_map(|(_, entry)| told(entry)) {
        *holders.entry(setting).or_default() += 1;
    }
    if holders.is_empty() {
        return String::new();
    }
    let is_shared = |setting: &(String, String)| holders.get(setting).is_some_and(|count| *count == runs.len());
    let mut html = String::from(
        "<h3>What a method has of its own</h3>\n<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Method</th>\
         <th scope=\"col\">Settings</th></tr></thead><tbody>\n",
    );
    for (label, entry) in &runs {
        let own: Vec<String> = (told(entry).iter().filter(|setting| !is_shared(setting)))
            .map(|(name, value)| format!("<code>{} = {}</code>", escape(name), escape(value)))
            .collect();
        let own = if own.is_empty() { "–".to_owned() } else { own.join("<br/>") };
        let _ = writeln!(html, "<tr><th scope=\"row\">{}</th><td>{own}</td></tr>", escape(label));
    }
    html.push_str("</tbody></table></div>\n");
    let shared: Vec<(String, String)> = runs.first().map(|(_, entry)| told(entry)).unwrap_or_default();
    let shared: Vec<&(String, String)> = shared.iter().filter(|setting| is_shared(setting)).collect();
    if !shared.is_empty() {
        let _ = writeln!(
            html,
            "<details><summary>Settings that all methods share ({})</summary><table class=\"plain\"><tbody>",
            shared.len()
        );
        for (name, value) in shared {
            let (name, value) = (escape(name), escape(value));
            let _ = writeln!(html, "<tr><th scope=\"row\"><code>{name}</code></th><td><code>{value}</code></td></tr>");
        }
        html.push_str("</tbody></table></details>\n");
    }
    html
}

/// Runs that failed, and what runs warned of.
pub fn failed(page: &Page<'_>) -> String {
    let mut html = String::new();
    if !page.record.failed.is_empty() {
        html.push_str("<ul class=\"failed\">\n");
        for sentence in &page.record.failed {
            let _ = writeln!(html, "<li>{}</li>", escape(sentence));
        }
        html.push_str("</ul>\n");
    }
    html
}

/// Command, version, date, and what the runs warned of.
pub fn repeat(page: &Page<'_>) -> String {
    let record = page.record;
    let mut html = format!(
        "<p class=\"facts\"><span>{}</span><span>version <b>{}</b></span></p>\n<pre>{}</pre><button type=\"button\" data-copy hidden>Copy</button>\n",
        date(record.started_unix),
        escape(&record.version),
        escape(&record.command)
    );
    let mut warnings: BTreeMap<&str, usize> = BTreeMap::new();
    for warning in page.finished.kept.iter().flat_map(|entry| &entry.report.warnings) {
        *warnings.entry(warning).or_default() += 1;
    }
    if !warnings.is_empty() {
        let _ = writeln!(html, "<details><summary>What runs warned of ({})</summary>", warnings.len());
        for (warning, count) in warnings {
            let runs = if count == 1 { "1 run".to_owned() } else { format!("{count} runs") };
            let _ = writeln!(html, "<p class=\"warning\" role=\"note\">{} ({runs})</p>", escape(warning));
        }
        html.push_str("</details>\n");
    }
    html
}
