//! The curves of several runs over one another: average accuracy over the stream, and total loss.

use super::comparison::Shown;
use crate::ui::panel::Context;
use crate::ui::series::Series;
use crate::ui::state::run::RunView;
use crate::ui::widgets::curves::{Curve, CurveFrame, CurvePlot, Section, StepView};
use egui::{RichText, Ui};
use std::collections::BTreeMap;

const HEIGHT: f32 = 200.0;
/// From this width on the two plots stand beside each other.
const SIDE_BY_SIDE: f32 = 640.0;
/// The average of the loss goes over about this part of a curve.
const PARTS: usize = 60;
/// What the last step's label takes beyond the plot.
const LABEL: f32 = 12.0;

/// The plots, and the accuracy as it was computed for what is known.
#[derive(Default)]
pub struct Overlay {
    view: StepView,
    accuracy: CurvePlot,
    loss: CurvePlot,
    kept: BTreeMap<usize, Kept>,
}

struct Kept {
    of: Source,
    accuracy: Series,
}

/// What tells whether a run's accuracy has to be computed again.
#[derive(PartialEq)]
struct Source {
    learner: String,
    points: usize,
    last: Option<(u64, Vec<Option<f64>>)>,
    boundaries: usize,
}

impl Source {
    fn of(run: &RunView) -> Self {
        let learner = run.report.headline_learner();
        let curve = learner.map_or(&[][..], |learner| &learner.curve);
        Self {
            learner: learner.map_or_else(String::new, |learner| learner.name.clone()),
            points: curve.len(),
            last: curve.last().map(|point| (point.step, point.task_scores.clone())),
            boundaries: run.curves.boundaries.len(),
        }
    }
}

impl Overlay {
    pub fn show(&mut self, ui: &mut Ui, context: &Context<'_>, shown: &[Shown<'_>]) {
        self.kept.retain(|number, _| shown.iter().any(|shown| shown.run.number == *number));
        for Shown { run, .. } in shown {
            let of = Source::of(run);
            if self.kept.get(&run.number).is_none_or(|kept| kept.of != of) {
                let accuracy = accuracy(run);
                self.kept.insert(run.number, Kept { of, accuracy });
            }
        }
        if ui.available_width() >= SIDE_BY_SIDE {
            ui.set_max_width(ui.available_width() - LABEL);
            ui.columns(2, |columns| {
                if let [left, right] = columns {
                    self.accuracy_plot(left, context, shown);
                    self.loss_plot(right, context, shown);
                }
            });
        } else {
            self.accuracy_plot(ui, context, shown);
            self.loss_plot(ui, context, shown);
        }
    }

    fn accuracy_plot(&mut self, ui: &mut Ui, context: &Context<'_>, shown: &[Shown<'_>]) {
        heading(ui, "Average accuracy over the tasks learnt so far, %");
        let kept = &self.kept;
        let curves: Vec<Curve<'_>> = shown
            .iter()
            .filter_map(|shown| Some(curve(context, shown, "accuracy", &kept.get(&shown.run.number)?.accuracy)))
            .collect();
        let sections = sections(context, shown);
        let frame = frame("runs accuracy", "Average accuracy of the compared runs", 1.0, shown, &sections);
        self.accuracy.show(ui, context.theme, &mut self.view, &frame, &curves);
    }

    fn loss_plot(&mut self, ui: &mut Ui, context: &Context<'_>, shown: &[Shown<'_>]) {
        heading(ui, "Total loss");
        let curves: Vec<Curve<'_>> = shown
            .iter()
            .filter_map(|shown| Some(curve(context, shown, "loss", shown.run.curves.losses.get("total")?)))
            .collect();
        let sections = sections(context, shown);
        let longest = curves.iter().map(|curve| curve.series.len()).max().unwrap_or(0);
        // powers of two, so that it seldom changes while runs grow
        let window = (longest / PARTS).next_power_of_two().min(64) as f64;
        let frame = frame("runs loss", "Total loss of the compared runs", window, shown, &sections);
        self.loss.show(ui, context.theme, &mut self.view, &frame, &curves);
    }
}

fn heading(ui: &mut Ui, text: &str) {
    ui.label(RichText::new(text).small());
}

fn curve<'a>(context: &Context<'_>, shown: &Shown<'_>, what: &str, series: &'a Series) -> Curve<'a> {
    Curve {
        key: format!("{}/{what}", shown.run.number),
        name: shown.label.to_string(),
        colour: context.theme.run(shown.place),
        series,
        raw: what == "loss",
        // colours repeat after eight runs
        dashed: shown.place >= 8,
    }
}

fn frame<'a>(id: &'a str, name: &'a str, window: f64, shown: &[Shown<'_>], sections: &'a [Section]) -> CurveFrame<'a> {
    let steps = shown.iter().map(|shown| shown.run.steps_total.max(shown.run.steps_done)).max().unwrap_or(0);
    CurveFrame {
        id,
        name,
        height: HEIGHT,
        full: [0.0, steps.max(1) as f64],
        window,
        log: false,
        sections,
        legend: true,
    }
}

/// The stretches of the tasks, where all runs have the same.
fn sections(context: &Context<'_>, shown: &[Shown<'_>]) -> Vec<Section> {
    let longest = shown.iter().map(|shown| shown.run).max_by_key(|run| run.curves.boundaries.len());
    let Some(longest) = longest else { return Vec::new() };
    let alike = |run: &RunView| {
        run.task_names() == longest.task_names() && longest.curves.boundaries.starts_with(&run.curves.boundaries)
    };
    if !shown.iter().all(|shown| alike(shown.run)) {
        return Vec::new();
    }
    let names = longest.task_names();
    let section = |(from, task): &(u64, usize)| Section {
        from: *from as f64,
        name: names.get(*task).map_or_else(|| format!("task {}", task + 1), ToString::to_string),
        colour: context.theme.task(*task),
    };
    longest.curves.boundaries.iter().map(section).collect()
}

/// Average accuracy in percent over the tasks that had begun at each step at which all of those were scored.
pub fn accuracy(run: &RunView) -> Series {
    let mut series = Series::default();
    let Some(learner) = run.report.headline_learner() else { return series };
    for point in &learner.curve {
        let begun =
            run.curves.boundaries.iter().filter(|(start, _)| *start < point.step).map(|(_, task)| task + 1).max();
        let scores = begun.and_then(|begun| point.task_scores.get(..begun));
        let Some(scores) = scores.and_then(|scores| scores.iter().copied().collect::<Option<Vec<f64>>>()) else {
            continue;
        };
        series.push(point.step as f64, 100.0 * scores.iter().sum::<f64>() / scores.len() as f64);
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::CurvePoint;
    use crate::ui::sample;

    #[test]
    fn accuracy_at_the_ends_of_tasks_is_that_of_the_matrix() {
        let mut state = sample::state();
        let run = &state.runs[1];
        let matrix = &run.report.headline_learner().unwrap().matrix;
        let points: Vec<[f64; 2]> = accuracy(run).points().collect();
        assert_eq!(points.len(), 8, "nothing is told of the untrained model");
        for (row, [step, value]) in points.into_iter().enumerate() {
            assert_eq!(step, (row + 1) as f64 * 75.0);
            assert!((value - 100.0 * matrix.average_accuracy_after(row).unwrap()).abs() < 1e-9, "row {row}");
        }
        // a subset that leaves out a task that has begun gives no point
        let learner = state.runs[1].report.headline;
        state.runs[1].report.learners[learner].curve = vec![
            CurvePoint { step: 80, task_scores: vec![Some(0.5), None, Some(1.0)] },
            CurvePoint { step: 90, task_scores: vec![Some(0.5), Some(0.25), None] },
        ];
        assert_eq!(accuracy(&state.runs[1]).points().collect::<Vec<_>>(), [[90.0, 37.5]]);
    }
}
