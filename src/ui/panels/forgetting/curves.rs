//! Each task's score over the stream, one learner at a time.
//!
//! Points at the ends of tasks are scored on all examples and drawn as discs; the line between them goes through scores on
//! a subset. Before its task a curve is dashed.

use super::live::full_row;
use super::{learner_label, muted};
use crate::engine::report::LearnerReport;
use crate::ui::panel::Context;
use crate::ui::series::Series;
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use crate::ui::widgets::matrix::percent;
use egui::text::{LayoutJob, TextWrapping};
use egui::{Color32, Response, RichText, Role, Sense, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2};
use egui_plot::{GridMark, HLine, Line, LineStyle, Plot, PlotPoints, PlotTransform, Points, Span};
use std::collections::BTreeSet;

/// Height of the plot.
const HEIGHT: f32 = 240.0;
/// Upper end of the scale in percent: the tasks' names stand above 100.
const TOP: f64 = 110.0;
/// A band narrower than this has no name on it.
const LEAST_BAND: f32 = 22.0;

/// The plot's choices, and its curves as they were computed for what is known.
#[derive(Default)]
pub struct TaskCurves {
    /// The learner that is shown; the run's headline where it has none of this name.
    learner: Option<String>,
    hidden: BTreeSet<usize>,
    known: Option<Known>,
    tasks: Vec<TaskCurve>,
    /// Global step after which each task begins.
    starts: Vec<f64>,
    /// Some points were scored on a subset.
    subsets: bool,
}

/// What the curves were computed from.
#[derive(Clone, Debug, PartialEq)]
struct Known {
    run: usize,
    learner: String,
    points: usize,
    last: Option<(u64, Vec<Option<f64>>)>,
    learnt: usize,
    boundaries: usize,
}

/// One task's scores in percent.
#[derive(Default)]
struct TaskCurve {
    all: Series,
    /// At the ends of tasks.
    full: Vec<[f64; 2]>,
    /// Just after learning it.
    learnt: Option<[f64; 2]>,
}

impl TaskCurves {
    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>, run: &RunView) {
        let theme = context.theme;
        ui.label(RichText::new("Scores over the stream").strong());
        let chosen = self.learner.as_deref().and_then(|name| run.learner(name));
        let Some(learner) = chosen.or_else(|| run.report.headline_learner()) else { return };
        ui.horizontal_wrapped(|ui| {
            if run.report.learners.len() > 1 {
                for other in &run.report.learners {
                    let button = ui.selectable_label(other.name == learner.name, other.short_label());
                    if button.on_hover_text(format!("Show the scores of the {}", other.label())).clicked() {
                        self.learner = Some(other.name.clone());
                    }
                }
                ui.separator();
            }
            for (task, name) in run.task_names().iter().enumerate() {
                let on = !self.hidden.contains(&task);
                if chip(ui, theme, name, theme.task(task), on).clicked() && !self.hidden.remove(&task) {
                    self.hidden.insert(task);
                }
            }
        });
        if learner.curve.is_empty() {
            ui.label(muted(theme, "The curves begin with the scores of the untrained model."));
            return;
        }
        self.compute(run, learner);
        self.plot(ui, theme, run, learner);
        let mut legend =
            "Discs: all scored examples, at the ends of tasks. Dashed: before the task was learnt, and guessing."
                .to_string();
        if self.subsets {
            legend.push_str(&format!(" Lines between discs: {} examples a task.", run.experiment.evaluation.subset));
        }
        ui.label(muted(theme, legend));
    }

    /// Points of the learner that the curves were computed from.
    #[cfg(test)]
    pub fn known_points(&self) -> Option<usize> {
        self.known.as_ref().map(|known| known.points)
    }

    /// Computes the curves anew where something came to be known.
    fn compute(&mut self, run: &RunView, learner: &LearnerReport) {
        let known = Known {
            run: run.number,
            learner: learner.name.clone(),
            points: learner.curve.len(),
            last: learner.curve.last().map(|point| (point.step, point.task_scores.clone())),
            learnt: learner.matrix.learnt(),
            boundaries: run.curves.boundaries.len(),
        };
        if self.known.as_ref() == Some(&known) {
            return;
        }
        self.known = Some(known);
        self.tasks = (0..learner.matrix.tasks()).map(|_| TaskCurve::default()).collect();
        self.subsets = false;
        let mut ends: Vec<(f64, usize)> = Vec::new();
        for point in &learner.curve {
            let (x, row) = (point.step as f64, full_row(learner, point).filter(|_| point.step > 0));
            let full = row.is_some() || point.step == 0;
            self.subsets |= !full;
            ends.extend(row.map(|row| (x, row)));
            for (task, curve) in self.tasks.iter_mut().enumerate() {
                let score = point.task_scores.get(task).copied().flatten();
                let Some(y) = score.filter(|score| score.is_finite()).map(|score| 100.0 * score) else { continue };
                curve.all.push(x, y);
                if full {
                    curve.full.push([x, y]);
                }
                if row == Some(task) {
                    curve.learnt = Some([x, y]);
                }
            }
        }
        // A run that was opened without its steps still has the ends of its tasks.
        self.starts = if run.curves.boundaries.is_empty() {
            std::iter::once(0.0).chain(ends.iter().map(|(x, _)| *x)).take(ends.len()).collect()
        } else {
            run.curves.boundaries.iter().map(|(step, _)| *step as f64).collect()
        };
    }

    fn plot(&self, ui: &mut Ui, theme: &Theme, run: &RunView, learner: &LearnerReport) {
        let last = learner.curve.last().map_or(0, |point| point.step).max(run.steps_total).max(1) as f64;
        // Two points a column: about one a point of the screen.
        let columns = (ui.available_width().max(2.0) / 2.0) as usize;
        let plot = Plot::new(("scores over the stream", run.number))
            .height(HEIGHT)
            .default_x_bounds(-0.008 * last, 1.008 * last)
            .default_y_bounds(0.0, TOP)
            .include_x(0.0)
            .include_x(last)
            .include_y(0.0)
            .include_y(TOP)
            .grid_color(theme.line())
            .allow_scroll(false)
            .x_axis_label(RichText::new("step").small())
            .y_axis_label(RichText::new("score, %").small())
            .y_axis_formatter(|mark, _| format!("{:.0}", mark.value))
            .x_axis_formatter(|mark, _| if mark.value < 0.0 { String::new() } else { format!("{:.0}", mark.value) })
            .y_grid_spacer(|_| {
                (0..=5).map(|mark| GridMark { value: f64::from(mark) * 20.0, step_size: 20.0 }).collect()
            })
            .label_formatter(|_| None)
            .show_crosshair(false)
            .auto_bounds([false, false]);
        let answer = plot.show(ui, |plot| {
            for (task, range) in self.bands(last) {
                let share = if task % 2 == 0 { 0.06 } else { 0.11 };
                plot.span(Span::new("", range).fill(Theme::faint(theme.task(task), share)).border_width(0.0));
            }
            for (chance, colour) in self.chances(theme, learner) {
                let line = HLine::new("", 100.0 * chance).style(LineStyle::dashed_dense()).allow_hover(false);
                plot.hline(line.stroke(Stroke::new(1.0, Theme::faint(colour, 0.55))));
            }
            for (task, curve) in self.tasks.iter().enumerate().filter(|(task, _)| !self.hidden.contains(task)) {
                let colour = theme.task(task);
                let start = self.starts.get(task).copied().unwrap_or(f64::INFINITY);
                let (before, since) = split(curve.all.decimated(0.0, last, columns), start);
                let faint = Line::new("", before).color(Theme::faint(colour, 0.7)).style(LineStyle::dashed_dense());
                plot.line(faint.width(1.0).allow_hover(false));
                plot.line(Line::new("", since).color(colour).width(Theme::LINE).allow_hover(false));
                let discs = PlotPoints::from(curve.full.clone());
                plot.points(Points::new("", discs).radius(Theme::DOT * 0.7).color(colour).allow_hover(false));
                if let Some(learnt) = curve.learnt {
                    let disc = Points::new("", PlotPoints::from(vec![learnt])).radius(Theme::DOT * 1.25);
                    plot.points(disc.color(colour).allow_hover(false));
                }
            }
        });
        let title = format!("Scores of {} over {last:.0} steps, one line for each task", learner_label(run, learner));
        answer.response.widget_info(|| WidgetInfo::labeled(Role::Image, true, &title));
        self.name_bands(ui, theme, run, &answer.transform, last);
        self.hover(ui, theme, run, learner, &answer.response, &answer.transform);
    }

    /// Each task that was begun, with its stretch of the stream.
    fn bands(&self, last: f64) -> Vec<(usize, std::ops::RangeInclusive<f64>)> {
        let ends = self.starts.iter().skip(1).copied().chain(std::iter::once(last));
        self.starts.iter().zip(ends).enumerate().map(|(task, (start, end))| (task, *start..=end.max(*start))).collect()
    }

    /// Scores of guessing, each once: in the task's colour where one task has it.
    fn chances(&self, theme: &Theme, learner: &LearnerReport) -> Vec<(f64, Color32)> {
        let mut chances: Vec<(f64, Color32)> = Vec::new();
        for task in (0..self.tasks.len()).filter(|task| !self.hidden.contains(task)) {
            let Some(chance) = learner.matrix.chance(task) else { continue };
            match chances.iter_mut().find(|(known, _)| *known == chance) {
                Some((_, colour)) => *colour = theme.muted(),
                None => chances.push((chance, theme.task(task))),
            }
        }
        chances
    }

    fn name_bands(&self, ui: &Ui, theme: &Theme, run: &RunView, transform: &PlotTransform, last: f64) {
        let (frame, names) = (*transform.frame(), run.task_names());
        let painter = ui.painter().with_clip_rect(frame.intersect(ui.clip_rect()));
        for (task, range) in self.bands(last) {
            let left = transform.position_from_point_x(*range.start()).max(frame.left());
            let right = transform.position_from_point_x(*range.end()).min(frame.right());
            let Some(name) = names.get(task).filter(|_| right - left >= LEAST_BAND) else { continue };
            let font = TextStyle::Small.resolve(ui.style());
            let mut job = LayoutJob::simple_singleline((*name).to_string(), font, theme.muted());
            job.wrap = TextWrapping::truncate_at_width(right - left - 6.0);
            let galley = painter.layout_job(job);
            painter.galley(pos2(left + 3.0, frame.top() + 2.0), galley, theme.muted());
        }
    }

    /// All scores at the measured step nearest to the pointer.
    fn hover(
        &self,
        ui: &Ui,
        theme: &Theme,
        run: &RunView,
        learner: &LearnerReport,
        response: &Response,
        transform: &PlotTransform,
    ) {
        let Some(position) = response.hover_pos() else { return };
        let x = transform.value_from_position(position).x;
        let after = learner.curve.partition_point(|point| (point.step as f64) < x);
        let near =
            [after.checked_sub(1), Some(after)].into_iter().flatten().filter_map(|index| learner.curve.get(index));
        let distance = |step: u64| (step as f64 - x).abs();
        let Some(point) = near.min_by(|a, b| distance(a.step).total_cmp(&distance(b.step))) else { return };
        let at = transform.position_from_point_x(point.step as f64);
        let frame = *transform.frame();
        if frame.x_range().contains(at) {
            let painter = ui.painter().with_clip_rect(frame.intersect(ui.clip_rect()));
            painter.vline(at, frame.y_range(), Stroke::new(1.0, theme.muted()));
        }
        let names = run.task_names();
        let row = full_row(learner, point).filter(|_| point.step > 0);
        let when = match row.and_then(|row| names.get(row)) {
            _ if point.step == 0 => "untrained model".to_string(),
            Some(name) => format!("step {}, after {name}", point.step),
            None => format!("step {}, on a subset", point.step),
        };
        response.clone().on_hover_ui_at_pointer(|ui| {
            ui.spacing_mut().interact_size.y = 0.0;
            ui.label(RichText::new(when).strong());
            for (task, name) in names.iter().enumerate().filter(|(task, _)| !self.hidden.contains(task)) {
                let Some(score) = point.task_scores.get(task).copied().flatten() else { continue };
                ui.horizontal(|ui| {
                    super::learners::dot(ui, theme.task(task));
                    ui.label(format!("{name} {}", percent(score)));
                });
            }
        });
    }
}

/// What lies before a place and what from there on; the first part reaches to the second.
fn split(points: Vec<[f64; 2]>, at: f64) -> (Vec<[f64; 2]>, Vec<[f64; 2]>) {
    let mut before = points;
    let from = before.partition_point(|[x, _]| *x < at);
    // The point at which the task began belongs to both.
    let since = before.get(from..).unwrap_or_default().to_vec();
    before.truncate((from + 1).min(before.len()));
    (before, since)
}

/// A name with its colour that shows or hides a curve.
fn chip(ui: &mut Ui, theme: &Theme, name: &str, colour: Color32, on: bool) -> Response {
    let ink = if on { theme.text() } else { theme.muted() };
    let galley = ui.painter().layout_no_wrap(name.to_string(), TextStyle::Small.resolve(ui.style()), ink);
    let size = vec2(galley.size().x + 24.0, Theme::TARGET - 2.0);
    let (area, response) = ui.allocate_exact_size(size, Sense::click());
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, true, on, format!("Curve of {name}")));
    let visuals = ui.style().interact(&response);
    let edge = if response.has_focus() { theme.accent() } else { theme.line() };
    ui.painter().rect(
        area.shrink(1.0),
        area.height() / 2.0,
        visuals.weak_bg_fill,
        Stroke::new(1.0, edge),
        egui::StrokeKind::Inside,
    );
    let centre = pos2(area.left() + 11.0, area.center().y);
    if on {
        ui.painter().circle_filled(centre, Theme::DOT, colour);
    } else {
        ui.painter().circle_stroke(centre, Theme::DOT - 0.5, Stroke::new(1.0, colour));
    }
    ui.painter().galley(pos2(area.left() + 18.0, area.center().y - galley.size().y / 2.0), galley, ink);
    response
}
