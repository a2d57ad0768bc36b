//! What leaves the panel as text: tables, pages, settings, each with what made it.

use super::figures::{number, train_secs};
use crate::engine::report::{RunReport, StepReport};
use crate::engine::report_html;
use crate::ui::series::Series;
use crate::ui::state::run::RunView;
use crate::ui::widgets::matrix::NUMBERS;

/// Most steps in a page: more than its pictures have pixels.
const MOST_STEPS: usize = 4_000;

/// One or two lines that say what made a picture or table.
pub fn caption(run: &RunView) -> String {
    let report = &run.report;
    let device = if report.device.is_empty() { "unknown" } else { &report.device };
    let mut caption = format!(
        "{}; method {}, model {}, seed {}, device {device}",
        run.title, report.method_label, report.model, run.experiment.seed
    );
    if !report.command.is_empty() {
        caption.push_str(&format!("\n{}", report.command));
    }
    caption
}

/// The frozen configuration, with what it belongs to as comments.
pub fn settings_toml(run: &RunView) -> String {
    let mut comment = String::new();
    for line in caption(run).lines() {
        // TOML allows no control characters, and a title may come from a stranger's capsule
        let line: String = line.chars().filter(|letter| !letter.is_control()).collect();
        comment.push_str(&format!("# {line}\n"));
    }
    match run.experiment.to_toml() {
        Ok(toml) => format!("{comment}\n{toml}"),
        Err(error) => format!("{comment}\n# {error}\n"),
    }
}

/// One of a run's numbers over the steps.
struct Track<'a> {
    points: std::iter::Peekable<Box<dyn Iterator<Item = [f64; 2]> + 'a>>,
}

impl<'a> Track<'a> {
    fn new(series: &'a Series) -> Self {
        let points: Box<dyn Iterator<Item = [f64; 2]> + 'a> = Box::new(series.points());
        Self { points: points.peekable() }
    }

    /// The value at this step; steps are asked for in ascending order.
    fn at(&mut self, step: f64) -> Option<f64> {
        while self.points.next_if(|[x, _]| *x < step).is_some() {}
        self.points.next_if(|[x, _]| *x == step).map(|[_, y]| y)
    }
}

/// Every stride-th step of a run, read back from its curves, in order; the last of every task is among them. What curves
/// do not hold (tokens of a step, its time, the buffer's length) is left at zero.
fn steps(run: &RunView, stride: usize) -> impl Iterator<Item = StepReport> + '_ {
    let curves = &run.curves;
    let mut losses: Vec<_> = curves.losses.iter().map(|(name, series)| (name, Track::new(series))).collect();
    let mut diagnostics: Vec<_> = curves.diagnostics.iter().map(|(name, series)| (name, Track::new(series))).collect();
    let (mut norm, mut speed) = (Track::new(&curves.gradient_norm), Track::new(&curves.tokens_per_sec));
    let mut distance = Track::new(&curves.learner_distance);
    let last = curves.learning_rate.len().saturating_sub(1);
    let boundaries = &curves.boundaries;
    curves.learning_rate.points().enumerate().filter_map(move |(index, [x, learning_rate])| {
        let step = x as u64;
        let next = boundaries.partition_point(|(start, _)| *start < step);
        let (start, task) = next.checked_sub(1).and_then(|place| boundaries.get(place)).copied().unwrap_or_default();
        let ends_task = boundaries.get(next).is_some_and(|(start, _)| *start == step);
        if !index.is_multiple_of(stride.max(1)) && index != last && !ends_task {
            return None;
        }
        Some(StepReport {
            step,
            task,
            task_step: step - start,
            task_steps: boundaries.get(next).map_or(0, |(end, _)| end - start),
            losses: losses
                .iter_mut()
                .filter_map(|(name, track)| Some(((*name).clone(), track.at(x)? as f32)))
                .collect(),
            learning_rate,
            gradient_norm: norm.at(x).unwrap_or(f64::NAN) as f32,
            tokens_per_sec: speed.at(x).unwrap_or(f64::NAN),
            learner_distance: distance.at(x).map(|value| value as f32),
            diagnostics: diagnostics
                .iter_mut()
                .filter_map(|(name, track)| Some(((*name).clone(), track.at(x)?)))
                .collect(),
            ..StepReport::default()
        })
    })
}

/// One line a step, with the names that `metrics.csv` of the run's folder has for the same columns.
pub fn metrics_csv(run: &RunView) -> String {
    let curves = &run.curves;
    let mut head: Vec<String> =
        ["step", "task", "task_step", "learning_rate", "gradient_norm", "tokens_per_sec", "learner_distance"]
            .map(ToString::to_string)
            .into();
    head.extend(curves.losses.keys().map(|name| format!("loss_{name}")));
    head.extend(curves.diagnostics.keys().cloned());
    let mut table = Table::new(&head);
    for step in steps(run, 1) {
        let mut cells = vec![
            step.step.to_string(),
            (step.task + 1).to_string(),
            step.task_step.to_string(),
            cell(Some(step.learning_rate)),
            cell(Some(step.gradient_norm)),
            cell(Some(step.tokens_per_sec)),
            cell(step.learner_distance),
        ];
        cells.extend(curves.losses.keys().map(|name| cell(step.loss(name))));
        let found = |name: &String| step.diagnostics.iter().find(|(known, _)| known == name).map(|(_, value)| *value);
        cells.extend(curves.diagnostics.keys().map(|name| cell(found(name))));
        table.line(&cells);
    }
    table.text()
}

/// The five numbers of several runs, one line each, with what made them.
pub fn comparison_csv(runs: &[&RunView]) -> String {
    let fixed = ["run", "method", "seed", "learner", "tasks", "tasks_learnt"];
    let numbers = NUMBERS.map(|number| number.name.replace(' ', "_"));
    let rest = ["steps", "train_secs", "model", "device", "command"];
    let head: Vec<String> =
        fixed.iter().map(ToString::to_string).chain(numbers).chain(rest.iter().map(ToString::to_string)).collect();
    let mut table = Table::new(&head);
    for run in runs {
        let learner = run.report.headline_learner();
        let mut cells = vec![
            run.title.clone(),
            run.report.method.clone(),
            run.experiment.seed.to_string(),
            learner.map_or_else(String::new, |learner| learner.name.clone()),
            run.task_names().join(" "),
            learner.map_or(0, |learner| learner.matrix.learnt()).to_string(),
        ];
        cells.extend(NUMBERS.iter().map(|figure| cell(number(run, figure))));
        cells.push(run.steps_done.to_string());
        cells.push(cell(train_secs(run)));
        cells.extend([&run.report.model, &run.report.device, &run.report.command].map(Clone::clone));
        table.line(&cells);
    }
    table.text()
}

/// The report page of these runs.
pub fn html(runs: &[&RunView]) -> String {
    let reports: Vec<RunReport> = runs
        .iter()
        .map(|run| {
            let stride = run.curves.learning_rate.len().div_ceil(MOST_STEPS);
            RunReport { title: run.title.clone(), steps: steps(run, stride).collect(), ..run.report.clone() }
        })
        .collect();
    report_html::render(&reports)
}

/// A number, or an empty cell.
fn cell<N: Into<f64> + ToString + Copy>(value: Option<N>) -> String {
    value.filter(|value| (*value).into().is_finite()).map(|value| value.to_string()).unwrap_or_default()
}

/// CSV with quotes where they are needed.
struct Table(csv::Writer<Vec<u8>>);

impl Table {
    fn new(head: &[String]) -> Self {
        let mut table = Self(csv::Writer::from_writer(Vec::new()));
        table.line(head);
        table
    }

    fn line(&mut self, cells: &[String]) {
        // Writing into memory does not fail, and all lines have the length of the first.
        self.0.write_record(cells).ok();
    }

    fn text(self) -> String {
        self.0.into_inner().ok().and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::figures::named;
    use super::*;
    use crate::engine::report_csv;
    use crate::ui::sample;
    use std::collections::BTreeMap;

    #[test]
    fn metrics_are_those_that_were_reported() {
        let state = sample::state();
        let run = &state.runs[1];
        let ours = metrics_csv(run);
        let reported: Vec<StepReport> = (1..=600)
            .filter(|step| (step - 1) % 75 % 5 == 4 || (step - 1) % 75 == 0)
            .map(|step| sample::step("i_lora", step))
            .collect();
        let theirs = report_csv::metrics_csv(&reported);
        let read = |text: &str| -> Vec<BTreeMap<String, String>> {
            csv::Reader::from_reader(text.as_bytes()).deserialize().map(Result::unwrap).collect()
        };
        let (ours, theirs) = (read(&ours), read(&theirs));
        assert_eq!((ours.len(), theirs.len()), (128, 128));
        assert!(ours[0].len() == 12, "{:?}", ours[0].keys());
        for (line, wanted) in ours.iter().zip(&theirs) {
            for (name, value) in line {
                assert_eq!(Some(value), wanted.get(name), "{name} of step {}", line["step"]);
            }
        }
    }

    #[test]
    fn a_page_shows_the_curves_of_a_run() {
        let state = sample::state();
        let runs: Vec<&RunView> = state.runs.iter().collect();
        let page = html(&runs);
        assert!(page.contains("Loss terms of I-LoRA") && page.contains("replay") && page.contains("stance"));
        let thinned: Vec<u64> = steps(&state.runs[0], 7).map(|step| step.step).collect();
        assert!(thinned.len() < 40 && (1..=8).all(|task| thinned.contains(&(task * 75))), "{thinned:?}");
    }

    #[test]
    fn settings_and_comparison_say_what_made_them() {
        let mut state = sample::state();
        state.runs[0].title = "a\u{1}\r\u{7f}".into();
        let toml = settings_toml(&state.runs[0]);
        assert!(toml.contains("# thalweg demo\n"), "{toml}");
        let read = crate::engine::config::ExperimentConfig::parse(&toml, "x").unwrap();
        assert_eq!(read, state.runs[0].experiment);
        state.runs[0].title = "a, \"b\"".into();
        let csv = comparison_csv(&[&state.runs[0], &state.runs[1]]);
        assert!(
            csv.contains("\"a, \"\"b\"\"\",seq,1,model,") && csv.contains(",24,builtin,CPU (2 threads),thalweg demo"),
            "{csv}"
        );
        let accuracy = number(&state.runs[1], named("average accuracy").unwrap()).unwrap();
        assert!(csv.contains(&accuracy.to_string()));
    }
}
