//! `report.html`: one file that shows one run or compares several, and needs nothing but a browser.
//!
//! No network, no fonts or scripts from elsewhere (a content security policy says so to the browser), light and dark,
//! printable, complete without its script, which adds values under the pointer. Every text from outside is escaped.

pub(in crate::engine) mod charts;
pub(in crate::engine) mod matrix;
pub(in crate::engine) mod svg;
pub(in crate::engine) mod text;

use std::fmt::Write as _;

use super::report::{LearnerReport, RunReport, StepReport};
use crate::continual::metrics::AccuracyMatrix;
use text::{bytes, date, duration, escape, percent, plain_percent, points, run_labels, shared, task_class, thousands};

const STYLE: &str = include_str!("report_html/page.css");
/// Values under the pointer, and copying.
pub(in crate::engine) const SCRIPT: &str = include_str!("report_html/page.js");

/// The page for these runs; each is compared with the others where they have tasks in common.
#[must_use]
pub fn render(runs: &[RunReport]) -> String {
    let labels = run_labels(runs);
    let title =
        runs.first().map(|run| run.title.as_str()).filter(|title| !title.is_empty()).unwrap_or("Thalweg report");
    let mut html = head(title, "");
    header(&mut html, title, runs, &labels);
    if runs.is_empty() {
        html.push_str("<p>There is no run to report.</p>\n");
    } else {
        results(&mut html, runs, &labels);
        for (index, run) in runs.iter().enumerate() {
            run_section(&mut html, index, run, &labels[index]);
        }
        tasks(&mut html, runs);
        settings(&mut html, runs, &labels);
        repeat(&mut html, runs, &labels);
    }
    let version = runs.first().map_or("", |run| run.version.as_str());
    let _ = write!(
        html,
        "<footer>Made by Thalweg {}. Scores lie between 0 and 100 %, larger is better; a transfer is a difference of \
         scores, in points.</footer>\n</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(version)
    );
    html
}

/// The page up to the start of its content, in the report's style with further rules.
pub(in crate::engine) fn head(title: &str, rules: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">\n\
         <title>{0}</title>\n<style>\n{STYLE}{rules}</style>\n</head>\n<body>\n<main>\n",
        escape(title)
    )
}

fn header(html: &mut String, title: &str, runs: &[RunReport], labels: &[String]) {
    let _ = write!(html, "<header>\n<p class=\"kicker\">Continual learning report</p>\n<h1>{}</h1>\n", escape(title));
    if let Some(run) = runs.first() {
        html.push_str("<p class=\"meta\">");
        let facts = [
            ("model", shared(runs, |run| run.model.clone())),
            ("device", shared(runs, |run| run.device.clone())),
            ("seed", shared(runs, |run| run.seed.to_string())),
            ("tasks", shared(runs, |run| run.tasks.len().to_string())),
        ];
        for (name, value) in facts {
            let _ = write!(html, "<span>{name} <b>{}</b></span>", escape(&value));
        }
        let _ = writeln!(html, "<span>{}</span></p>", date(run.started_unix));
    }
    if runs.len() > 1 {
        html.push_str("<nav aria-label=\"Runs\">");
        for (index, label) in labels.iter().enumerate() {
            let _ = write!(html, "<a href=\"#run-{}\">{}</a>", index + 1, escape(label));
        }
        html.push_str("<a href=\"#settings\">Settings</a><a href=\"#repeat\">Repeat it</a></nav>\n");
    }
    html.push_str("</header>\n");
}

fn results(html: &mut String, runs: &[RunReport], labels: &[String]) {
    if let Some(text) = abstract_text(runs, labels) {
        let _ = writeln!(html, "<p class=\"abstract\">{}</p>", escape(&text));
    }
    result_table(html, runs, labels);
    html.push_str("<div class=\"pair\">\n");
    figure(
        html,
        charts::kept(runs, labels),
        "<b>What was kept.</b> From the score just after learning a task (ring) to the score at the end of the stream \
         (dot). Solid tick: chance; dashed tick: the model before training.",
    );
    figure(
        html,
        charts::averages(runs, labels),
        "<b>Average accuracy over the tasks learnt so far</b>, after each task of the stream.",
    );
    html.push_str("</div>\n");
}

/// One or two sentences that say how it ended.
fn abstract_text(runs: &[RunReport], labels: &[String]) -> Option<String> {
    let mut ranked: Vec<(f64, &LearnerReport, &String)> = (runs.iter().zip(labels))
        .filter_map(|(run, label)| {
            let learner = run.headline_learner()?;
            Some((learner.matrix.average_accuracy()?, learner, label))
        })
        .collect();
    ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
    let lost = |learner: &LearnerReport| {
        learner
            .matrix
            .forgetting()
            .map_or_else(String::new, |lost| format!(", with {:.1} points forgotten", lost * 100.0))
    };
    let (best, learner, label) = ranked.first()?;
    let mut text = format!("{label} ends at {} average accuracy{}", percent(Some(*best)), lost(learner));
    if let Some((worst, other, label)) = ranked.last().filter(|_| ranked.len() > 1) {
        let _ = write!(text, "; {label} ends at {}{}", percent(Some(*worst)), lost(other));
    }
    text.push('.');
    let matrix = &learner.matrix;
    match (matrix.average_chance(), matrix.average_zero_shot()) {
        (Some(chance), Some(zero)) => {
            let _ = write!(
                text,
                " Guessing gives {}, the model before training {}.",
                percent(Some(chance)),
                percent(Some(zero))
            );
        }
        (Some(chance), None) => {
            let _ = write!(text, " Guessing gives {}.", percent(Some(chance)));
        }
        _ => {}
    }
    Some(text)
}

fn result_table(html: &mut String, runs: &[RunReport], labels: &[String]) {
    html.push_str(
        "<figure><div class=\"scroll\"><table class=\"results\">\n<thead><tr><th scope=\"col\">Run</th>\
         <th scope=\"col\" class=\"n\">Average accuracy<small>%</small></th>\
         <th scope=\"col\" class=\"n\">Backward transfer<small>points</small></th>\
         <th scope=\"col\" class=\"n\">Forward transfer<small>points</small></th>\
         <th scope=\"col\" class=\"n\">Forgetting<small>points</small></th>\
         <th scope=\"col\" class=\"n\">Plasticity<small>%</small></th>\
         <th scope=\"col\" class=\"n\">Training<small>time</small></th>\
         <th scope=\"col\" class=\"n\">Memory<small>peak</small></th></tr></thead>\n",
    );
    let floors = runs.iter().find_map(RunReport::headline_learner).map(|learner| &learner.matrix);
    html.push_str("<tbody class=\"run\">\n");
    for (name, score) in [
        ("chance", floors.and_then(AccuracyMatrix::average_chance)),
        ("zero-shot", floors.and_then(AccuracyMatrix::average_zero_shot)),
    ] {
        let _ = writeln!(
            html,
            "<tr class=\"floor\"><th scope=\"row\">{name}</th><td>{}</td><td></td><td></td><td></td><td></td><td></td><td></td></tr>",
            plain_percent(score)
        );
    }
    html.push_str("</tbody>\n");
    let columns: Vec<[Option<f64>; 5]> =
        runs.iter().map(|run| run.headline_learner().map_or([None; 5], numbers)).collect();
    // of forgetting less is better, of all others more; what rounds to the same is equally good
    let rounded = |value: f64| (value * 1000.0).round() / 1000.0;
    let best: [Option<f64>; 5] = std::array::from_fn(|column| {
        let values = columns.iter().filter_map(|row| row[column]).map(rounded);
        if runs.len() < 2 {
            None
        } else if column == 3 {
            values.min_by(f64::total_cmp)
        } else {
            values.max_by(f64::total_cmp)
        }
    });
    for (index, run) in runs.iter().enumerate() {
        html.push_str("<tbody class=\"run\">\n");
        let several = run.learners.len() > 1;
        let mut order: Vec<usize> = (0..run.learners.len()).collect();
        order.sort_by_key(|learner| *learner != run.headline);
        if order.is_empty() {
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\">{}</th><td colspan=\"7\">no scores</td></tr>",
                escape(&labels[index])
            );
        }
        for learner_index in order {
            let learner = &run.learners[learner_index];
            let headline = learner_index == run.headline;
            let name = match (headline, several) {
                (true, false) => escape(&labels[index]),
                (true, true) => format!("{}, {}", escape(&labels[index]), escape(learner.short_label())),
                (false, _) => escape(learner.short_label()),
            };
            let _ =
                write!(html, "<tr{}><th scope=\"row\">{name}</th>", if headline { "" } else { " class=\"second\"" });
            for (column, value) in numbers(learner).into_iter().enumerate() {
                let text = if matches!(column, 1 | 2) { points(value) } else { plain_percent(value) };
                let is_best = headline && value.map(rounded).is_some_and(|value| best[column] == Some(value));
                let _ = write!(
                    html,
                    "<td>{}</td>",
                    if is_best { format!("<span class=\"best\">{text}</span>") } else { text }
                );
            }
            let (time, memory) = if headline {
                (duration(run.train_secs), run.peak_memory_bytes.map_or_else(|| "–".to_owned(), bytes))
            } else {
                (String::new(), String::new())
            };
            let _ = writeln!(html, "<td>{time}</td><td>{memory}</td></tr>");
        }
        html.push_str("</tbody>\n");
    }
    html.push_str(
        "</table></div>\n<figcaption>With a(i, j) the score on task j after training task i of T: <b>average accuracy</b> \
         is the mean of a(T, j); <b>backward transfer</b> the mean of a(T, j) − a(j, j) over the tasks before the last; \
         <b>forward transfer</b> the mean of a(j−1, j) − zero-shot(j) over the tasks after the first; <b>forgetting</b> the \
         mean of max a(i, j) − a(T, j) over the tasks before the last; <b>plasticity</b> the mean of a(j, j). A dash: not \
         defined or not measured.</figcaption></figure>\n",
    );
}

/// Average accuracy, backward transfer, forward transfer, forgetting, plasticity.
fn numbers(learner: &LearnerReport) -> [Option<f64>; 5] {
    let matrix = &learner.matrix;
    [
        matrix.average_accuracy(),
        matrix.backward_transfer(),
        matrix.forward_transfer(),
        matrix.forgetting(),
        matrix.plasticity(),
    ]
}

fn run_section(html: &mut String, index: usize, run: &RunReport, label: &str) {
    let _ = write!(html, "<section>\n<h2 id=\"run-{}\">{}</h2>\n<p class=\"facts\">", index + 1, escape(label));
    for (name, value) in [
        ("method", run.method.clone()),
        ("seed", run.seed.to_string()),
        ("device", run.device.clone()),
        ("trainable parameters", thousands(run.trainable_parameters)),
        ("tokens", thousands(run.total_tokens)),
        ("training", duration(run.train_secs)),
        ("evaluation", duration(run.eval_secs)),
    ] {
        let _ = write!(html, "<span>{name} <b>{}</b></span>", escape(&value));
    }
    html.push_str("</p>\n");
    for warning in &run.warnings {
        let _ = writeln!(html, "<p class=\"warning\" role=\"note\">{}</p>", escape(warning));
    }
    html.push_str("<figure><div class=\"pair\">\n");
    for learner in &run.learners {
        html.push_str(&matrix::table(run, learner));
    }
    html.push_str(
        "</div>\n<figcaption><b>Accuracy matrix</b>, in %: a row is scored after training on its task, a column is the task scored. Outlined: just \
         learnt. The gauge at the right of a cell is filled up to the score; its orange part is what was lost since the \
         task was learnt, which the small number gives in points. Grey: not trained on yet.</figcaption></figure>\n",
    );
    figure(
        html,
        charts::losses(run),
        "<b>Loss by term</b>: every step faintly, on top the centred moving average over a fiftieth of the run, which does \
         not reach across tasks.",
    );
    html.push_str("<div class=\"pair\">\n");
    for learner in run.learners.iter().filter(|learner| !learner.curve.is_empty()) {
        let caption = format!("<b>Score on each task while the stream goes by</b>, {}.", escape(learner.label()));
        figure(html, charts::scores(run, learner), &caption);
    }
    html.push_str("</div>\n");
    if let Some(buffer) = &run.buffer {
        let caption = format!(
            "<b>Replay buffer at the end</b>: {} of {} places taken, after {} examples went by. Share of each task.",
            thousands(buffer.len as u64),
            thousands(buffer.capacity as u64),
            thousands(buffer.n_seen)
        );
        figure(html, charts::shares(run), &caption);
    }
    let nan = f64::NAN;
    let mut diagnostics = vec![
        charts::step_number(run, "learning rate", false, |step| step.learning_rate),
        charts::step_number(run, "gradient norm", true, |step| f64::from(step.gradient_norm)),
        charts::step_number(run, "distance between learners", false, |step| {
            step.learner_distance.map_or(nan, f64::from)
        }),
    ];
    let mut names: Vec<&str> =
        run.steps.iter().flat_map(|step| &step.diagnostics).map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    for name in names {
        let value = |step: &StepReport| {
            step.diagnostics.iter().find(|(found, _)| found == name).map_or(nan, |(_, value)| *value)
        };
        diagnostics.push(charts::step_number(run, name, false, value));
    }
    if diagnostics.iter().any(Option::is_some) {
        html.push_str("<details><summary>Diagnostics of every step</summary><div class=\"pair small\">\n");
        for chart in diagnostics.into_iter().flatten() {
            let _ = writeln!(html, "<div>{chart}</div>");
        }
        html.push_str("</div></details>\n");
    }
    html.push_str("</section>\n");
}

fn tasks(html: &mut String, runs: &[RunReport]) {
    let Some(run) = runs.iter().find(|run| !run.tasks.is_empty()) else { return };
    html.push_str(
        "<section>\n<h2 id=\"tasks\">Tasks</h2>\n<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Task</th>\
         <th scope=\"col\">Metric</th><th scope=\"col\" class=\"n\">Chance</th><th scope=\"col\" class=\"n\">Zero-shot</th>\
         <th scope=\"col\" class=\"n\">Trained on</th><th scope=\"col\" class=\"n\">Scored on</th><th scope=\"col\">Source</th>\
         </tr></thead><tbody>\n",
    );
    for (index, task) in run.tasks.iter().enumerate() {
        let title = if task.title.is_empty() || task.title == task.name {
            String::new()
        } else {
            format!(" {}", escape(&task.title))
        };
        let _ = writeln!(
            html,
            "<tr><th scope=\"row\"><i class=\"chip {}\"></i>{}<span class=\"same\">{title}</span></th><td>{}</td>\
             <td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td>{}</td></tr>",
            task_class(index),
            escape(&task.name),
            escape(&task.metric.replace('_', " ")),
            percent(Some(task.chance)),
            percent(task.zero_shot),
            thousands(task.train as u64),
            thousands(task.eval as u64),
            escape(&task.source)
        );
    }
    html.push_str("</tbody></table></div>\n</section>\n");
}

fn settings(html: &mut String, runs: &[RunReport], labels: &[String]) {
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in runs.iter().flat_map(|run| &run.settings) {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    if keys.is_empty() {
        return;
    }
    let value = |run: &RunReport, key: &str| {
        run.settings.iter().find(|(found, _)| found == key).map(|(_, value)| value.clone())
    };
    html.push_str("<section>\n<h2 id=\"settings\">Settings</h2>\n");
    let (same, different): (Vec<&str>, Vec<&str>) =
        keys.into_iter().partition(|key| runs.iter().all(|run| value(run, key) == value(&runs[0], key)));
    if !different.is_empty() {
        html.push_str("<h3>What differs</h3>\n<div class=\"scroll\"><table class=\"plain\"><thead><tr><th scope=\"col\">Setting</th>");
        for label in labels {
            let _ = write!(html, "<th scope=\"col\">{}</th>", escape(label));
        }
        html.push_str("</tr></thead><tbody>\n");
        for key in &different {
            let _ = write!(html, "<tr><th scope=\"row\"><code>{}</code></th>", escape(key));
            for run in runs {
                let text = value(run, key).unwrap_or_else(|| "–".to_owned());
                let _ = write!(html, "<td><code>{}</code></td>", escape(&text));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody></table></div>\n");
    }
    if !same.is_empty() {
        let open = if different.is_empty() { " open" } else { "" };
        let name = if runs.len() > 1 { "Settings that are the same in all runs" } else { "All settings" };
        let _ =
            writeln!(html, "<details{open}><summary>{name} ({})</summary><table class=\"plain\"><tbody>", same.len());
        for key in &same {
            let text = value(&runs[0], key).unwrap_or_default();
            let _ = writeln!(
                html,
                "<tr><th scope=\"row\"><code>{}</code></th><td><code>{}</code></td></tr>",
                escape(key),
                escape(&text)
            );
        }
        html.push_str("</tbody></table></details>\n");
    }
    html.push_str("</section>\n");
}

fn repeat(html: &mut String, runs: &[RunReport], labels: &[String]) {
    html.push_str("<section>\n<h2 id=\"repeat\">Repeat it</h2>\n");
    for (run, label) in runs.iter().zip(labels) {
        let _ = writeln!(
            html,
            "<h3>{}</h3><p class=\"facts\"><span>{}</span><span>version <b>{}</b></span><span>seed <b>{}</b></span>\
             <span>device <b>{}</b></span></p>",
            escape(label),
            date(run.started_unix),
            escape(&run.version),
            run.seed,
            escape(&run.device)
        );
        let _ =
            writeln!(html, "<pre>{}</pre><button type=\"button\" data-copy hidden>Copy</button>", escape(&run.command));
    }
    html.push_str("</section>\n");
}

/// A picture with its caption, if there is a picture.
pub(in crate::engine) fn figure(html: &mut String, picture: Option<String>, caption: &str) {
    if let Some(picture) = picture {
        let _ = writeln!(html, "<figure>{picture}<figcaption>{caption}</figcaption></figure>");
    }
}

#[cfg(test)]
pub(in crate::engine) mod tests;
