//! What happened along the stream, one picture for each order of the tasks: learning curves, and accuracy matrices.
//!
//! Both are read off one matrix for each variant and order, the mean over seeds. Where the order is drawn from the seed
//! there is no mean of a task at a place, so there the places themselves are averaged: whichever task was learnt first.

use std::fmt::Write as _;

use super::Page;
use crate::continual::metrics::AccuracyMatrix;
use crate::engine::race::statistics::mean;
use crate::engine::race::summary::seeds::{Runs, learner};
use crate::engine::report::{LearnerReport, RunReport, TaskSummary};
use crate::engine::report_html::charts::legend;
use crate::engine::report_html::matrix;
use crate::engine::report_html::svg::{Band, LineChart, Series};
use crate::engine::report_html::text::escape;

/// Names of places where tasks differ from seed to seed.
const PLACES: [&str; 12] = [
    "first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh",
    "twelfth",
];

/// One order of the tasks, and the mean matrix of every variant that has runs in it.
struct Stream<'a> {
    order: &'a str,
    /// The tasks as they were learnt, by name; places where seeds have different ones.
    names: Vec<String>,
    /// Seeds have different tasks at a place.
    by_place: bool,
    /// Variant, its headline learner's name where it has several, mean matrix.
    variants: Vec<(&'a str, Option<&'a str>, AccuracyMatrix)>,
}

fn streams<'a>(page: &Page<'a>) -> Vec<Stream<'a>> {
    let raced = page.finished.raced();
    let orders = raced.orders().into_iter().filter_map(|order| {
        let runs = raced.in_order(order);
        let names = |report: &RunReport| report.tasks.iter().map(|task| task.name.clone()).collect::<Vec<String>>();
        let first = names(&runs.entries.first()?.report);
        let by_place = runs.entries.iter().any(|entry| names(&entry.report) != first);
        let place = |index: usize| PLACES.get(index).map_or_else(|| format!("no. {}", index + 1), ToString::to_string);
        let variants = page.finished.variants.iter().filter_map(|label| {
            let runs = page.finished.variant(label).in_order(order);
            let headline = runs.headline()?;
            let several = runs.entries.iter().any(|entry| entry.report.learners.len() > 1);
            let name = several.then(|| headline.short_label());
            Some((*label, name, mean_matrix(&runs, &headline.name, first.len())))
        });
        let variants = variants.collect();
        let names = if by_place { (0..first.len()).map(place).collect() } else { first };
        Some(Stream { order, names, by_place, variants })
    });
    orders.collect()
}

/// Place by place the mean over runs; a place is empty if one of the runs lacks it.
fn mean_matrix(runs: &Runs<'_>, name: &str, tasks: usize) -> AccuracyMatrix {
    let mut means = AccuracyMatrix::new(tasks);
    let matrices: Vec<&AccuracyMatrix> =
        runs.entries.iter().filter_map(|entry| Some(&learner(&entry.report, name)?.matrix)).collect();
    if matrices.is_empty() {
        return means;
    }
    let over_runs = |of: &dyn Fn(&AccuracyMatrix) -> Option<f64>| {
        matrices.iter().map(|matrix| of(matrix)).collect::<Option<Vec<f64>>>().map(|values| mean(&values))
    };
    for task in 0..tasks {
        if let Some(score) = over_runs(&|matrix| matrix.chance(task)) {
            means.set_chance(task, score);
        }
        if let Some(score) = over_runs(&|matrix| matrix.zero_shot(task)) {
            means.set_zero_shot(task, score);
        }
        for after in 0..tasks {
            if let Some(score) = over_runs(&|matrix| matrix.score(after, task)) {
                means.set_score(after, task, score);
            }
        }
    }
    means
}

impl Stream<'_> {
    fn heading(&self) -> String {
        if self.by_place {
            return format!(
                "<h3>Order: {}</h3>\n<p class=\"facts\">Drawn from the seed: what is averaged are places in the stream, whichever task stood there.</p>\n",
                escape(self.order)
            );
        }
        let names: Vec<String> = self.names.iter().map(|name| escape(name)).collect();
        format!("<h3>Order: {}</h3>\n<p class=\"facts\">{}</p>\n", escape(self.order), names.join(" → "))
    }
}

/// Accuracy matrices side by side.
pub fn matrices(page: &Page<'_>) -> String {
    let streams = streams(page);
    let mut html = String::new();
    if streams.is_empty() {
        return html;
    }
    html.push_str("<figure>\n");
    for stream in &streams {
        html.push_str(&stream.heading());
        html.push_str("<div class=\"matrices\">\n");
        let tasks =
            stream.names.iter().map(|name| TaskSummary { name: name.clone(), ..TaskSummary::default() }).collect();
        let run = RunReport { tasks, ..RunReport::default() };
        for (variant, which, matrix) in &stream.variants {
            let name = which.map_or_else(|| (*variant).to_owned(), |which| format!("{variant}, {which}"));
            html.push_str(&matrix::table(&run, &LearnerReport { name, matrix: matrix.clone(), curve: Vec::new() }));
        }
        html.push_str("</div>\n");
    }
    html.push_str(
        "<figcaption><b>Accuracy matrices</b>, in %, means over seeds: a row is scored after training on its task, a column is \
         the task scored, both in the order in which they were learnt. Outlined: just learnt. The gauge at the right of a cell is \
         filled up to the score; its orange part is what was lost since the task was learnt. Grey: not trained on yet.</figcaption></figure>\n",
    );
    html
}

/// For each task, or place, its score before training and after each task of the stream, for every variant.
pub fn curves(page: &Page<'_>) -> String {
    let streams: Vec<Stream<'_>> = streams(page).into_iter().filter(|stream| stream.names.len() > 1).collect();
    let mut html = String::new();
    if streams.is_empty() {
        return html;
    }
    html.push_str("<figure class=\"curves\">\n");
    let names: Vec<(String, String)> =
        page.finished.variants.iter().map(|label| (page.class(label), (*label).to_owned())).collect();
    html.push_str(&legend(&names));
    for stream in &streams {
        html.push_str(&stream.heading());
        html.push_str("<div class=\"panels\">\n");
        for (task, name) in stream.names.iter().enumerate() {
            if let Some(chart) = panel(page, stream, task) {
                let _ = writeln!(
                    html,
                    "<div><p class=\"panel-name\"><i class=\"chip {}\"></i>{}. {}</p>{chart}</div>",
                    page.task_class(name),
                    task + 1,
                    escape(name)
                );
            }
        }
        html.push_str("</div>\n");
    }
    html.push_str(
        "<figcaption><b>Score on each task while the stream goes by</b>, means over seeds: at 0 the model before training, then \
         after each task. The coloured bar at the top is where the task itself is trained; the grey line is chance. A single \
         dot: all tasks at once, scored at the end. Put the pointer on a name above to see that method alone.</figcaption></figure>\n",
    );
    html
}

fn panel(page: &Page<'_>, stream: &Stream<'_>, task: usize) -> Option<String> {
    let tasks = stream.names.len();
    let chance = stream.variants.iter().find_map(|(_, _, matrix)| matrix.chance(task));
    let floor = chance.map(|chance| Series {
        name: "chance".into(),
        class: "floor".into(),
        points: vec![(0.0, 100.0 * chance), (tasks as f64, 100.0 * chance)],
        ..Series::default()
    });
    let lines = stream.variants.iter().map(|(variant, _, matrix)| {
        let after = (0..tasks).map(|after| (after as f64 + 1.0, matrix.score(after, task)));
        let points = [(0.0, matrix.zero_shot(task))].into_iter().chain(after);
        let points: Vec<(f64, f64)> =
            points.map(|(x, score)| (x, score.map_or(f64::NAN, |score| 100.0 * score))).collect();
        // a score with none beside it makes no line
        let alone = |place: usize| {
            let missing =
                |place: Option<usize>| place.and_then(|place| points.get(place)).is_none_or(|it| it.1.is_nan());
            place > 0 && points[place].1.is_finite() && missing(place.checked_sub(1)) && missing(place.checked_add(1))
        };
        Series {
            name: (*variant).to_owned(),
            class: page.class(variant),
            dots: (0..points.len()).any(alone),
            points,
            ..Series::default()
        }
    });
    let at_the_end = stream.variants.iter().filter_map(|(variant, _, matrix)| {
        let score = matrix.score(tasks.checked_sub(1)?, task)?;
        Some(format!("{variant} {:.1} %", 100.0 * score))
    });
    let words = escape(&at_the_end.collect::<Vec<_>>().join(", "));
    // thick lines last, on top
    let mut lines: Vec<Series> = lines.collect();
    lines.sort_by_key(|line| line.class.contains("lead"));
    let chart = LineChart {
        description: format!("Score on {} after each task of the stream, order {}", stream.names[task], stream.order),
        x_label: "tasks learnt".into(),
        y_label: "score, %".into(),
        series: floor.into_iter().chain(lines).collect(),
        bands: vec![Band {
            from: task as f64,
            to: task as f64 + 1.0,
            name: String::new(),
            class: page.task_class(&stream.names[task]),
        }],
        y_range: Some((0.0, 100.0)),
        x_range: Some((0.0, tasks as f64)),
        whole_x: true,
        width: 270.0,
        height: 190.0,
        ..LineChart::default()
    };
    // the numbers in words, for people who cannot see the lines
    Some(chart.to_svg()?.replacen(">\n", &format!(">\n<desc>At the end of the stream: {words}</desc>\n"), 1))
}
