//! The race's `report.html`: one file that says who raced on what, who won by how much, and how sure one can be.
//!
//! It has the look of a run's report and keeps its rules: no network, light and dark, printable, complete without its
//! script, every text from outside escaped. Tables carry all the numbers; every picture is a view of one of them.

mod costs;
mod forest;
mod results;
mod setup;
mod streams;
mod sweep_chart;
mod sweeps;
mod trade_off;

use std::fmt::Write as _;

use super::record::RaceRecord;
use super::summary::seeds::Finished;
use super::summary::{self, Summary};
use crate::engine::report_html::text::{date, escape, task_class};
use crate::engine::report_html::{SCRIPT, head};

const STYLE: &str = include_str!("html/race.css");

/// What all parts of the page are made from.
struct Page<'a> {
    record: &'a RaceRecord,
    finished: Finished<'a>,
    summary: Summary,
}

/// The page of this race.
#[must_use]
pub fn render(record: &RaceRecord) -> String {
    let page = Page { record, finished: Finished::of(record), summary: summary::table(record) };
    let title = if record.title.is_empty() { "Race of continual-learning methods" } else { &record.title };
    let mut html = head(title, &(STYLE.to_owned() + &page.emphasis()));
    let sections = [
        ("results", "Results", results::section(&page)),
        ("curves", "Learning curves", streams::curves(&page)),
        ("matrices", "Accuracy matrices", streams::matrices(&page)),
        ("sweeps", "Sweeps", sweeps::section(&page)),
        ("cost", "Time and memory", costs::section(&page)),
        ("acts", "What the methods did", costs::diagnostics(&page)),
        ("tasks", "Tasks", setup::tasks(&page)),
        ("settings", "Settings", setup::settings(&page)),
        ("failed", "Runs that failed", setup::failed(&page)),
        ("repeat", "Repeat it", setup::repeat(&page)),
    ];
    page.header(&mut html, title);
    html.push_str("<nav aria-label=\"Parts\">");
    for (id, name, _) in sections.iter().filter(|(_, _, content)| !content.is_empty()) {
        let _ = write!(html, "<a href=\"#{id}\">{name}</a>");
    }
    html.push_str("</nav>\n</header>\n");
    if page.finished.kept.is_empty() {
        html.push_str("<p>No run of this race has finished, so there is nothing to compare yet.</p>\n");
    }
    for (id, name, content) in sections.iter().filter(|(_, _, content)| !content.is_empty()) {
        let _ = write!(html, "<section>\n<h2 id=\"{id}\">{name}</h2>\n{content}</section>\n");
    }
    let _ = write!(
        html,
        "<footer>Made by Thalweg {}. Scores lie between 0 and 100 %, larger is better; a transfer, a forgetting or a \
         difference is a difference of scores, in points.</footer>\n</main>\n<script>\n{SCRIPT}</script>\n</body>\n</html>\n",
        escape(&record.version)
    );
    html
}

impl Page<'_> {
    fn header(&self, html: &mut String, title: &str) {
        let runs = self.finished.raced();
        let _ = write!(html, "<header>\n<p class=\"kicker\">Continual learning race</p>\n<h1>{}</h1>\n", escape(title));
        html.push_str("<p class=\"meta\">");
        let different = |of: fn(&crate::engine::report::RunReport) -> String| {
            let mut found: Vec<String> = Vec::new();
            for value in self.finished.kept.iter().map(|entry| of(&entry.report)) {
                if !found.contains(&value) {
                    found.push(value);
                }
            }
            found.join("; ")
        };
        let seeds: Vec<String> = runs.seeds().iter().map(u64::to_string).collect();
        let sweeps = self.finished.kept.len() - runs.entries.len();
        let finished = match sweeps {
            0 => runs.entries.len().to_string(),
            _ => format!("{} and {sweeps} of sweeps", runs.entries.len()),
        };
        for (name, value) in [
            ("model", different(|report| report.model.clone())),
            ("device", different(|report| report.device.clone())),
            ("tasks", different(|report| report.tasks.len().to_string())),
            ("methods", self.finished.variants.len().to_string()),
            ("seeds", seeds.join(", ")),
            ("orders", runs.orders().join(", ")),
            ("finished runs", finished),
        ] {
            if !value.is_empty() {
                let _ = write!(html, "<span>{name} <b>{}</b></span>", escape(&value));
            }
        }
        let _ = writeln!(html, "<span>{}</span></p>", date(self.record.started_unix));
    }

    /// Class of a variant's colour, the same in all pictures: the reference blue and thick, plain sequential training
    /// vermilion, the others in turn, dashed and dotted when the colours come again; and a class of its own.
    fn class(&self, label: &str) -> String {
        const OTHERS: [usize; 8] = [2, 3, 1, 7, 5, 6, 8, 9];
        let number = self.finished.variants.iter().position(|variant| *variant == label).unwrap_or(0);
        let is = |special: &Option<String>| special.as_deref() == Some(label);
        let (reference, yardstick) = (&self.summary.reference, &self.summary.yardstick);
        let colour = if is(reference) {
            format!("{} lead", task_class(0))
        } else if is(yardstick) {
            task_class(4)
        } else {
            let others =
                self.finished.variants.iter().filter(|variant| {
                    reference.as_deref() != Some(**variant) && yardstick.as_deref() != Some(**variant)
                });
            let place = others.take_while(|variant| **variant != label).count();
            let again = ["", " dashed", " dotted"][place / OTHERS.len() % 3];
            format!("{}{again}", task_class(OTHERS[place % OTHERS.len()]))
        };
        format!("{colour} v{number}")
    }

    /// Class of a task's colour, the same in all orders: its place in the first run's stream.
    fn task_class(&self, name: &str) -> String {
        let tasks = self.finished.kept.first().map(|entry| entry.report.tasks.as_slice()).unwrap_or_default();
        tasks.iter().position(|task| task.name == name).map_or_else(|| "ink".to_owned(), task_class)
    }

    /// Rules that make the other lines faint while the pointer is on a name in the legend: no script is needed.
    fn emphasis(&self) -> String {
        (0..self.finished.variants.len()).fold(String::new(), |mut rules, number| {
            let _ = writeln!(rules, ".curves:has(.legend .v{number}:hover) .line:not(.v{number}) {{ opacity: .1; }}");
            rules
        })
    }
}

/// A table's head: the first column to the left, numbers to the right, each with its unit below where it has one.
fn table_head(class: &str, columns: &[(&str, &str)]) -> String {
    let mut html = format!("<div class=\"scroll\"><table class=\"{class}\">\n<thead><tr>");
    for (index, (name, unit)) in columns.iter().enumerate() {
        let class = if index == 0 { "" } else { " class=\"n\"" };
        let unit = if unit.is_empty() { String::new() } else { format!("<small>{}</small>", escape(unit)) };
        let _ = write!(html, "<th scope=\"col\"{class}>{}{unit}</th>", escape(name));
    }
    html + "</tr></thead>\n"
}

/// A text with its first letter large, for the head of a column.
fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
