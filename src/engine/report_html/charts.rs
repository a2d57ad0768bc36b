//! The report's pictures: loss by term, scores along the stream, what each task lost, the buffer's shares.

use std::fmt::Write as _;

use super::svg::{Band, FULL, HALF, LineChart, Series};
use super::{escape, percent, task_class};
use crate::engine::report::{LearnerReport, RunReport, StepReport};

/// The smoothing window is this part of the run.
const WINDOWS: usize = 50;

/// A chart with its legend, or `None` when there is nothing to draw.
pub type Figure = Option<String>;

/// Every term of the loss, raw and smoothed, on a logarithmic axis.
pub fn losses(run: &RunReport) -> Figure {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in run.steps.iter().flat_map(|step| &step.losses) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    // where the method adds no term of its own the total is the task's loss, and one line says it
    let same = |step: &StepReport| step.loss("total") == step.loss("task");
    if names.contains(&"total") && run.steps.iter().all(same) {
        names.retain(|name| *name != "task");
    }
    let series = names.iter().map(|name| {
        let class = match *name {
            "total" => "ink".to_owned(),
            "task" => task_class(0),
            "replay" => task_class(1),
            "consistency" => task_class(3),
            other => task_class(4 + names.iter().position(|name| *name == other).unwrap_or(0)),
        };
        step_series(run, name, &class, |step| step.loss(name).map_or(f64::NAN, f64::from))
    });
    let chart = LineChart {
        description: format!("Loss terms of {} over training steps", run.method_label),
        y_label: "loss (logarithmic)".into(),
        series: series.collect(),
        log_y: true,
        width: FULL,
        height: 340.0,
        ..stream_chart(run)
    };
    with_legend(&chart)
}

/// One number of every step, e.g. the gradient's norm.
pub fn step_number(run: &RunReport, name: &str, log_y: bool, value: impl Fn(&StepReport) -> f64) -> Figure {
    LineChart {
        description: format!("{name} over training steps"),
        y_label: name.to_owned(),
        series: vec![step_series(run, name, "t0", value)],
        log_y,
        width: HALF,
        height: 230.0,
        ..stream_chart(run)
    }
    .to_svg()
}

/// Score on every task while the stream goes by.
pub fn scores(run: &RunReport, learner: &LearnerReport) -> Figure {
    let alone = run.learners.iter().filter(|learner| !learner.curve.is_empty()).count() == 1;
    let series = run.tasks.iter().enumerate().map(|(index, task)| Series {
        name: task.name.clone(),
        class: task_class(index),
        points: (learner.curve.iter())
            .filter_map(|point| Some((as_f64(point.step), 100.0 * point.task_scores.get(index).copied().flatten()?)))
            .collect(),
        dots: learner.curve.len() <= 40,
        ..Series::default()
    });
    LineChart {
        description: format!("Score on each task over training steps, {}", learner.label()),
        y_label: "score, %".into(),
        series: series.collect(),
        y_range: Some((0.0, 100.0)),
        end_labels: true,
        width: if alone { FULL } else { HALF },
        height: 300.0,
        ..stream_chart(run)
    }
    .to_svg()
}

/// Average accuracy over the tasks learnt so far, for every run.
pub fn averages(runs: &[RunReport], labels: &[String]) -> Figure {
    let series = runs.iter().enumerate().filter_map(|(index, run)| {
        let matrix = &run.headline_learner()?.matrix;
        let score = |after: usize| matrix.average_accuracy_after(after).map_or(f64::NAN, |score| score * 100.0);
        Some(Series {
            name: labels.get(index)?.clone(),
            class: run_class(index),
            points: (0..matrix.learnt()).map(|after| (count_f64(after + 1), score(after))).collect(),
            dots: true,
            ..Series::default()
        })
    });
    let most = runs.iter().map(|run| run.tasks.len()).max().unwrap_or(0);
    if most < 2 {
        return None;
    }
    let chart = LineChart {
        description: "Average accuracy over the tasks learnt so far".into(),
        x_label: "tasks learnt".into(),
        y_label: "average accuracy, %".into(),
        series: series.collect(),
        y_range: Some((0.0, 100.0)),
        x_range: Some((1.0, count_f64(most))),
        whole_x: true,
        width: HALF,
        height: 280.0,
        ..LineChart::default()
    };
    with_legend(&chart)
}

/// For each task and run a line from the score just after learning (ring) to the score at the end (dot).
pub fn kept(runs: &[RunReport], labels: &[String]) -> Figure {
    const LANE: f64 = 13.0;
    let first = runs.iter().find(|run| !run.tasks.is_empty())?;
    let (left, right, top) = (110.0, HALF - 15.0, 8.0);
    let row_height = count_f64(runs.len()) * LANE + 12.0;
    let bottom = top + row_height * count_f64(first.tasks.len());
    let at = |score: f64| left + (right - left) * score.clamp(0.0, 1.0);
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {HALF} {:.0}\" role=\"img\" aria-label=\"Score on each task just after learning \
         it and at the end, for each run\">\n",
        bottom + 38.0
    );
    for tick in 0..=5 {
        let score = f64::from(tick) / 5.0;
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{0:.1} {top}V{bottom:.1}\"/><text class=\"tick x\" x=\"{0:.1}\" y=\"{1:.1}\">{2}</text>",
            at(score),
            bottom + 15.0,
            20 * tick
        );
    }
    let _ = writeln!(
        svg,
        "<text class=\"label x\" x=\"{:.1}\" y=\"{:.1}\">score, %</text>",
        f64::midpoint(left, right),
        bottom + 32.0
    );
    for (task, summary) in first.tasks.iter().enumerate() {
        let row = top + row_height * count_f64(task);
        let name: String = summary.name.chars().take(15).collect();
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M0 {0:.1}H{right}\"/><text class=\"row-name\" x=\"{1}\" y=\"{2:.1}\">{3}</text>",
            row + row_height,
            left - 12.0,
            row + row_height / 2.0 + 4.0,
            escape(&name)
        );
        for (class, floor) in [("floor-mark", Some(summary.chance)), ("zero-mark", summary.zero_shot)] {
            if let Some(score) = floor.filter(|score| score.is_finite()) {
                let _ = writeln!(
                    svg,
                    "<path class=\"{class}\" d=\"M{:.1} {:.1}V{:.1}\"/>",
                    at(score),
                    row + 3.0,
                    row + row_height - 3.0
                );
            }
        }
        for (index, run) in runs.iter().enumerate() {
            // a run on other tasks has no place in this row
            let same_task = run.tasks.get(task).is_some_and(|other| other.name == summary.name);
            let Some(learner) = run.headline_learner().filter(|_| same_task) else { continue };
            let matrix = &learner.matrix;
            let Some(end) = matrix.learnt().checked_sub(1).and_then(|last| matrix.score(last, task)) else { continue };
            let y = row + 6.0 + LANE * (count_f64(index) + 0.5);
            let class = run_class(index);
            let learnt = matrix.score(task, task);
            let told = format!(
                "{} · {}: {} when learnt, {} at the end",
                labels[index],
                summary.name,
                percent(learnt),
                percent(Some(end))
            );
            let _ = write!(svg, "<g class=\"{class}\"><title>{}</title>", escape(&told));
            if let Some(learnt) = learnt {
                let _ = write!(svg, "<path class=\"bar\" d=\"M{:.1} {y:.1}H{:.1}\"/>", at(learnt), at(end));
                let _ = write!(svg, "<circle class=\"ring\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"3.6\"/>", at(learnt));
            }
            let _ = writeln!(svg, "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{y:.1}\" r=\"4.2\"/></g>", at(end));
        }
    }
    svg.push_str("</svg>\n");
    let entries: Vec<(String, String)> =
        labels.iter().enumerate().map(|(index, label)| (run_class(index), label.clone())).collect();
    Some(legend(&entries) + &svg)
}

/// What the replay buffer holds of each task.
pub fn shares(run: &RunReport) -> Figure {
    let buffer = run.buffer.as_ref()?;
    let shares: Vec<(usize, f64)> =
        buffer.shares.iter().copied().enumerate().filter(|(_, share)| share.is_finite() && *share > 0.0).collect();
    if shares.is_empty() {
        return None;
    }
    let name = |task: usize| run.tasks.get(task).map_or_else(|| format!("task {}", task + 1), |task| task.name.clone());
    let entries: Vec<(String, String)> = shares
        .iter()
        .map(|(task, share)| (task_class(*task), format!("{} {}", name(*task), percent(Some(*share)))))
        .collect();
    let mut html = legend(&entries);
    html.push_str("<div class=\"shares\" aria-hidden=\"true\">");
    for (task, share) in shares {
        let _ = write!(html, "<i class=\"{}\" style=\"flex:{share:.4}\"></i>", task_class(task));
    }
    html.push_str("</div>\n");
    Some(html)
}

/// Colour of a run in pictures that compare runs; the order sets the first two, mostly Seq and I-LoRA, well apart.
fn run_class(index: usize) -> String {
    const ORDER: [usize; 10] = [4, 0, 2, 3, 1, 7, 5, 6, 8, 9];
    task_class(ORDER[index % 10] + index / 10 * 10)
}

/// A chart along the training steps of a run, with the tasks as bands.
fn stream_chart(run: &RunReport) -> LineChart {
    let last = run.steps.last().map_or(0, |step| step.step);
    let end =
        run.learners.iter().filter_map(|learner| learner.curve.last()).map(|point| point.step).fold(last, u64::max);
    let boundaries = run.task_boundaries();
    let bands = boundaries.iter().enumerate().map(|(index, (from, task))| Band {
        from: as_f64(*from),
        to: as_f64(boundaries.get(index + 1).map_or(end, |next| next.0)),
        name: run.tasks.get(*task).map_or_else(String::new, |task| task.name.clone()),
        class: task_class(*task),
    });
    LineChart {
        x_label: "step".into(),
        bands: bands.collect(),
        x_range: Some((0.0, as_f64(end.max(1)))),
        ..LineChart::default()
    }
}

/// A number of every step, raw and smoothed.
///
/// The moving average is centred, so that it does not lag behind a fall, and its window shrinks towards the ends of a task,
/// so that it never mixes two tasks.
fn step_series(run: &RunReport, name: &str, class: &str, value: impl Fn(&StepReport) -> f64) -> Series {
    let raw: Vec<(f64, f64)> = run.steps.iter().map(|step| (as_f64(step.step), value(step))).collect();
    let half = run.steps.len() / WINDOWS / 2;
    let mut points = Vec::with_capacity(raw.len());
    let mut start = 0;
    for task in run.steps.chunk_by(|a, b| a.task == b.task) {
        let part = &raw[start..start + task.len()];
        start += task.len();
        if let Some((x, _)) = part.first().filter(|_| !points.is_empty()) {
            points.push((*x, f64::NAN));
        }
        // sums of the values before each place, and how many of them are numbers
        let mut before = vec![(0.0, 0)];
        for (index, (_, y)) in part.iter().enumerate() {
            let (sum, count) = before[index];
            before.push(if y.is_finite() { (sum + y, count + 1) } else { (sum, count) });
        }
        for (index, (x, y)) in part.iter().enumerate() {
            let half = half.min(index).min(part.len() - 1 - index);
            let (from, to) = (before[index - half], before[index + half + 1]);
            points.push((*x, if y.is_finite() { (to.0 - from.0) / count_f64(to.1 - from.1) } else { f64::NAN }));
        }
    }
    let raw = if half > 0 { raw } else { Vec::new() };
    Series { name: name.to_owned(), class: class.to_owned(), points, raw, dots: false }
}

fn with_legend(chart: &LineChart) -> Figure {
    let svg = chart.to_svg()?;
    let entries: Vec<(String, String)> =
        chart.series.iter().map(|series| (series.class.clone(), series.name.clone())).collect();
    Some(legend(&entries) + &svg)
}

/// Names of lines with their colours.
pub fn legend(entries: &[(String, String)]) -> String {
    let mut html = String::from("<ul class=\"legend\">");
    for (class, name) in entries {
        let _ = write!(html, "<li class=\"{class}\"><i class=\"chip\"></i><span>{}</span></li>", escape(name));
    }
    html + "</ul>\n"
}

#[allow(clippy::cast_precision_loss)] // steps of a run
fn as_f64(step: u64) -> f64 {
    step as f64
}

#[allow(clippy::cast_precision_loss)] // tasks and runs
fn count_f64(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smoothing_does_not_lag_nor_mix_tasks_and_skips_what_is_not_a_number() {
        let ramp = |step: u64| if step > 200 { 80.0 } else { as_f64(step) };
        #[allow(clippy::cast_possible_truncation)]
        let mut steps: Vec<StepReport> = (1..=400)
            .map(|step| StepReport {
                step,
                task: usize::from(step > 200),
                losses: vec![("total".into(), ramp(step) as f32)],
                ..StepReport::default()
            })
            .collect();
        steps[300].losses[0].1 = f32::NAN;
        let run = RunReport { steps, ..RunReport::default() };
        let series = step_series(&run, "total", "ink", |step| step.loss("total").map_or(f64::NAN, f64::from));
        assert_eq!(series.points.len(), 401, "one gap at the boundary");
        for (x, y) in &series.points[..200] {
            assert!((x - y).abs() < 1e-9, "a straight line is its own centred average, at {x}: {y}");
        }
        assert!(series.points[200].1.is_nan() && series.points[301].1.is_nan());
        let rest = series.points[201..].iter().filter(|(_, y)| !y.is_nan());
        assert!(rest.clone().all(|(_, y)| (y - 80.0).abs() < 1e-9) && rest.count() == 199);
    }

    #[test]
    fn smoothing_evens_out_noise() {
        let steps =
            (1..=1000_u64).map(|step| StepReport { step, learning_rate: as_f64(step % 2), ..StepReport::default() });
        let run = RunReport { steps: steps.collect(), ..RunReport::default() };
        let series = step_series(&run, "x", "ink", |step| step.learning_rate);
        // 21 neighbours hold 10 or 11 ones
        assert!(series.points[20..980].iter().all(|(_, y)| (y - 0.5).abs() < 0.03) && series.raw.len() == 1000);
    }
}
