//! What the pages of paths, planes and similarities share: their head with the facts, warnings, tasks, how to repeat them, and the foot.

use std::fmt::Write as _;

use super::{PathReport, PlaneReport, SimilarityReport, finite};
use crate::engine::report_html::text::{date, duration, escape, percent, task_class, thousands};
use crate::engine::report_html::{SCRIPT, head};

const STYLE: &str = include_str!("landscape.css");

/// What a report says about how it came to be.
pub struct Origin<'a> {
    pub model: &'a str,
    pub device: &'a str,
    pub seed: u64,
    pub tasks: &'a [String],
    pub metrics: &'a [String],
    pub chance: &'a [Option<f64>],
    pub examples_per_task: usize,
    pub command: &'a str,
    pub version: &'a str,
    pub started_unix: u64,
    pub secs: f64,
    pub warnings: &'a [String],
}

/// All kinds of report have the same fields for this.
macro_rules! origin_of {
    ($report:ident) => {
        impl<'a> From<&'a $report> for Origin<'a> {
            fn from(report: &'a $report) -> Self {
                Self {
                    model: &report.model,
                    device: &report.device,
                    seed: report.seed,
                    tasks: &report.tasks,
                    metrics: &report.metrics,
                    chance: &report.chance,
                    examples_per_task: report.examples_per_task,
                    command: &report.command,
                    version: &report.version,
                    started_unix: report.started_unix,
                    secs: report.secs,
                    warnings: &report.warnings,
                }
            }
        }
    };
}
origin_of!(PathReport);
origin_of!(PlaneReport);
origin_of!(SimilarityReport);

/// The page up to its first paragraph. Facts that differ between the reports say so.
pub fn open(title: &str, kicker: &str, rules: &str, origins: &[Origin<'_>]) -> String {
    let mut html = head(title, &format!("{STYLE}{rules}"));
    let _ = write!(html, "<header>\n<p class=\"kicker\">{kicker}</p>\n<h1>{}</h1>\n<p class=\"meta\">", escape(title));
    let shared = |fact: &dyn Fn(&Origin<'_>) -> String| {
        let mut facts = origins.iter().map(fact);
        let first = facts.next().unwrap_or_default();
        if facts.all(|other| other == first) { first } else { "differs".to_owned() }
    };
    for (name, value) in [
        ("model", shared(&|origin| origin.model.to_owned())),
        ("device", shared(&|origin| origin.device.to_owned())),
        ("seed", shared(&|origin| origin.seed.to_string())),
        ("tasks", shared(&|origin| origin.tasks.len().to_string())),
        ("examples per task", shared(&|origin| thousands(origin.examples_per_task as u64))),
    ] {
        if !value.is_empty() {
            let _ = write!(html, "<span>{name} <b>{}</b></span>", escape(&value));
        }
    }
    if let Some(origin) = origins.first() {
        let _ = write!(html, "<span>{}</span>", date(origin.started_unix));
    }
    html + "</p>\n</header>\n"
}

/// What went wrong without being fatal; each sentence once.
pub fn warnings(html: &mut String, origins: &[Origin<'_>]) {
    let mut told: Vec<&String> = Vec::new();
    for warning in origins.iter().flat_map(|origin| origin.warnings) {
        if !told.contains(&warning) {
            told.push(warning);
            let _ = writeln!(html, "<p class=\"warning\" role=\"note\">{}</p>", escape(warning));
        }
    }
}

/// The tasks with their metrics and the score of guessing.
pub fn tasks(html: &mut String, origin: &Origin<'_>) {
    if origin.tasks.is_empty() {
        return;
    }
    html.push_str(
        "<section>\n<h2 id=\"tasks\">Tasks</h2>\n<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Task</th>\
         <th scope=\"col\">Metric</th><th scope=\"col\" class=\"n\">Chance</th><th scope=\"col\" class=\"n\">Scored on</th>\
         </tr></thead><tbody>\n",
    );
    for (index, name) in origin.tasks.iter().enumerate() {
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\"><i class=\"chip {}\"></i>{}</th><td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            task_class(index),
            escape(name),
            escape(&origin.metrics.get(index).map_or_else(|| "–".to_owned(), |metric| metric.replace('_', " "))),
            percent(finite(origin.chance.get(index).copied().flatten())),
            thousands(origin.examples_per_task as u64)
        );
    }
    html.push_str("</tbody></table></div>\n</section>\n");
}

/// Settings as a table of names and values.
pub fn settings(html: &mut String, rows: &[(&str, String)]) {
    html.push_str("<table class=\"plain settings\"><tbody>\n");
    for (name, value) in rows.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(html, "<tr><th scope=\"row\">{}</th><td>{}</td></tr>", escape(name), escape(value));
    }
    html.push_str("</tbody></table>\n");
}

/// Commands, versions and times; then the foot of the page.
pub fn close(mut html: String, origins: &[Origin<'_>]) -> String {
    html.push_str("<section>\n<h2 id=\"repeat\">Repeat it</h2>\n");
    let mut told: Vec<&str> = Vec::new();
    // one command often makes several paths
    for origin in origins {
        if told.contains(&origin.command) {
            continue;
        }
        told.push(origin.command);
        let secs: f64 = origins.iter().filter(|other| other.command == origin.command).map(|other| other.secs).sum();
        let _ = writeln!(
            html,
            "<p class=\"facts\"><span>{}</span><span>version <b>{}</b></span><span>seed <b>{}</b></span>\
             <span>device <b>{}</b></span><span>took <b>{}</b></span></p>\n<pre>{}</pre><button type=\"button\" data-copy hidden>Copy</button>",
            date(origin.started_unix),
            escape(origin.version),
            origin.seed,
            escape(origin.device),
            duration(secs),
            escape(origin.command)
        );
    }
    let version = origins.first().map_or("", |origin| origin.version);
    let _ = write!(
        html,
        "</section>\n<footer>Made by Thalweg {}. Losses are mean cross-entropies in nats, smaller is better; scores lie between 0 \
         and 100 %, larger is better; distances are L2 norms over all LoRA parameters.</footer>\n</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(version)
    );
    html
}
