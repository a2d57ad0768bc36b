//! The plots of a path: losses and scores over t, chord and barrier, the slider's place, and another path to compare with.

use super::reading::{self, Quantity, Rise, digits};
use crate::engine::landscape_report::PathReport;
use crate::ui::theme::Theme;
use egui::{Align2, Color32, RichText, Sense, Stroke, Ui, WidgetInfo};
use egui_plot::{
    GridMark, HoverPosition, Line, LineStyle, MarkerShape, Plot, PlotPoint, PlotPoints, PlotUi, Points, Text, VLine,
};
use std::collections::BTreeSet;

/// Height of a plot.
const HEIGHT: f32 = 230.0;
/// Above this width loss and score stand side by side.
const PAIR: f32 = 620.0;
/// Width of the mean's curve.
const BOLD: f32 = 3.0;

/// What is drawn.
#[derive(Clone, Copy)]
pub struct Drawn<'a> {
    pub report: &'a PathReport,
    /// Another path with its name.
    pub compared: Option<(&'a str, &'a PathReport)>,
    /// The slider's place.
    pub t: f64,
}

/// Which curves are hidden.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    hidden: BTreeSet<usize>,
    hide_mean: bool,
}

impl Curves {
    /// Draws the plots; returns the place that somebody dragged to.
    pub fn show(&mut self, ui: &mut Ui, theme: &Theme, drawn: Drawn<'_>) -> Option<f64> {
        self.legend(ui, theme, &drawn);
        let scored = drawn.report.points.iter().any(|point| point.scores.iter().any(Option::is_some));
        let mut dragged = None;
        if scored && ui.available_width() >= PAIR {
            ui.columns_const(|[left, right]| {
                dragged = self.plot(left, theme, drawn, false).or(dragged);
                dragged = self.plot(right, theme, drawn, true).or(dragged);
            });
        } else {
            dragged = self.plot(ui, theme, drawn, false);
            if scored {
                dragged = self.plot(ui, theme, drawn, true).or(dragged);
            }
        }
        dragged
    }

    /// Curves by name; a click hides or shows one.
    fn legend(&mut self, ui: &mut Ui, theme: &Theme, drawn: &Drawn<'_>) {
        ui.horizontal_wrapped(|ui| {
            if chip(ui, theme, "mean", theme.text(), !self.hide_mean) {
                self.hide_mean = !self.hide_mean;
            }
            for (task, name) in drawn.report.tasks.iter().enumerate() {
                let on = !self.hidden.contains(&task);
                if chip(ui, theme, name, theme.task(task), on) {
                    if on {
                        self.hidden.insert(task)
                    } else {
                        self.hidden.remove(&task)
                    };
                }
            }
        });
    }

    fn plot(&self, ui: &mut Ui, theme: &Theme, drawn: Drawn<'_>, score: bool) -> Option<f64> {
        let what = if score { "Score, %" } else { "Loss, nats" };
        ui.label(RichText::new(what).strong());
        let [from, to] = reading::range(drawn.report);
        let plot = Plot::new(if score { "scores along the path" } else { "losses along the path" })
            .height(HEIGHT)
            .allow_drag(false)
            .allow_zoom(false)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .sense(Sense::click_and_drag())
            .grid_color(theme.line())
            .include_x(from)
            .include_x(to)
            .x_axis_label("t")
            .y_axis_min_width(34.0)
            .x_grid_spacer(|grid| round_lines(grid.bounds))
            .y_grid_spacer(|grid| round_lines(grid.bounds))
            .x_axis_formatter(|mark, _| format!("{}", (mark.value * 100.0).round() / 100.0))
            .y_axis_formatter(|mark, _| format!("{}", (mark.value * 1e4).round() / 1e4))
            .label_formatter(move |position| match position {
                HoverPosition::NearDataPoint { plot_name, position, .. } if !plot_name.is_empty() => {
                    let value = if score { format!("{:.1} %", position.y) } else { digits(position.y) };
                    Some(format!("{plot_name}\nt = {:.2}: {value}", position.x))
                }
                _ => None,
            });
        let plot = if score { plot.include_y(0.0).include_y(100.0) } else { plot };
        let shown = plot.show(ui, |plot| self.draw(plot, theme, drawn, score));
        let response = shown.response;
        let name = format!("{} along the path", if score { "Score" } else { "Loss" });
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, &name));
        let pointer = response.interact_pointer_pos().filter(|_| response.dragged() || response.clicked())?;
        Some(shown.transform.value_from_position(pointer).x.clamp(from, to))
    }

    fn draw(&self, plot: &mut PlotUi<'_>, theme: &Theme, drawn: Drawn<'_>, score: bool) {
        let Drawn { report, compared, t } = drawn;
        let scale = if score { 100.0 } else { 1.0 };
        for mark in report.marks.iter().filter(|mark| mark.t.is_finite()) {
            let line = VLine::new(mark.name.clone(), mark.t).stroke(Stroke::new(1.0, theme.line()));
            plot.vline(line.style(LineStyle::dotted_dense()));
        }
        for task in (0..report.tasks.len()).filter(|task| !self.hidden.contains(task)) {
            let stroke = Stroke::new(Theme::LINE, theme.task(task));
            let name = &report.tasks[task];
            let quantity = Quantity { task: Some(task), score };
            curve(plot, report, quantity, scale, (name, stroke, LineStyle::Solid));
            task_chord(plot, report, quantity, scale, stroke.color);
        }
        if let Some((name, other)) = compared {
            let mean = Quantity { task: None, score };
            let stroke = Stroke::new(BOLD, theme.muted());
            curve(plot, other, mean, scale, (name, stroke, LineStyle::dashed_loose()));
            if let Some(rise) = reading::rise(other, mean).filter(|_| !score) {
                barrier(plot, theme, rise, theme.muted());
            }
        }
        let mean = Quantity { task: None, score };
        if !self.hide_mean {
            let stroke = Stroke::new(BOLD, theme.text());
            curve(plot, report, mean, scale, ("mean over the tasks", stroke, LineStyle::Solid));
            if let Some([start, end]) = reading::chord(report, mean) {
                let ends = PlotPoints::from(vec![[0.0, scale * start], [1.0, scale * end]]);
                let line = Line::new("chord of the mean", ends).stroke(Stroke::new(1.25, theme.muted()));
                plot.line(line.style(LineStyle::dashed_dense()));
            }
            if let Some(rise) = reading::rise(report, mean).filter(|_| !score) {
                barrier(plot, theme, rise, theme.bad());
            }
            holes(plot, theme, report, mean);
        }
        plot.vline(VLine::new("slider", t).stroke(Stroke::new(1.5, theme.accent())).allow_hover(false));
        if let Some(value) = reading::value_at(report, mean, t).filter(|_| !self.hide_mean) {
            let dot = Points::new("", vec![[t, scale * value]]).radius(Theme::DOT + 1.0).color(theme.accent());
            plot.points(dot.allow_hover(false));
        }
    }
}

/// The chord of a task, thin, and how far the loss rises above it at most.
fn task_chord(plot: &mut PlotUi<'_>, report: &PathReport, quantity: Quantity, scale: f64, colour: Color32) {
    let Some([start, end]) = reading::chord(report, quantity) else { return };
    let colour = Theme::faint(colour, 0.6);
    let ends = PlotPoints::from(vec![[0.0, scale * start], [1.0, scale * end]]);
    let chord = Line::new("", ends).stroke(Stroke::new(0.8, colour)).style(LineStyle::dashed_dense());
    plot.line(chord.allow_hover(false));
    if let Some(rise) = reading::rise(report, quantity).filter(|rise| rise.height > 0.0) {
        let up = Line::new("", vec![[rise.t, rise.chord], [rise.t, rise.value]]).stroke(Stroke::new(0.8, colour));
        plot.line(up.allow_hover(false));
    }
}

/// A curve's name with a stroke of its colour; says whether it was clicked.
fn chip(ui: &mut Ui, theme: &Theme, name: &str, colour: Color32, on: bool) -> bool {
    let words = RichText::new(format!("     {name}")).color(if on { theme.text() } else { theme.muted() });
    let words = if on { words } else { words.strikethrough() };
    let edge = Stroke::new(1.0, if on { colour } else { theme.line() });
    let button = ui.add(egui::Button::new(words).fill(theme.card()).stroke(edge).small());
    let (left, width) = (button.rect.left_center() + egui::vec2(6.0, 0.0), egui::vec2(10.0, 0.0));
    let stroke = Stroke::new(BOLD, if on { colour } else { theme.line() });
    ui.painter().line_segment([left, left + width], stroke);
    button.widget_info(|| WidgetInfo::selected(egui::Role::Button, true, on, name));
    button.clicked()
}

/// Four or five lines at round values.
fn round_lines(bounds: (f64, f64)) -> Vec<GridMark> {
    let (low, high) = bounds;
    let rough = (high - low) / 4.0;
    if !rough.is_finite() || rough <= 0.0 {
        return Vec::new();
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 2.5, 5.0, 10.0].into_iter().map(|part| part * power).find(|step| *step >= rough);
    let step = step.unwrap_or(10.0 * power);
    let marks = ((low / step).ceil() as i64)..=((high / step).floor() as i64);
    // All of them are as strong as the plot's main lines.
    marks.map(|mark| GridMark { value: mark as f64 * step, step_size: high - low }).collect()
}

/// The pieces of a curve; a piece of one point is a dot.
fn curve(
    plot: &mut PlotUi<'_>,
    report: &PathReport,
    quantity: Quantity,
    scale: f64,
    (name, stroke, style): (&str, Stroke, LineStyle),
) {
    for piece in reading::pieces(report, quantity).0 {
        let points: Vec<[f64; 2]> = piece.into_iter().map(|[t, value]| [t, scale * value]).collect();
        if points.len() == 1 {
            plot.points(Points::new(name, points).radius(stroke.width).color(stroke.color));
        } else {
            plot.line(Line::new(name, points).stroke(stroke).style(style));
        }
    }
}

/// The rise above the chord, with its height.
fn barrier(plot: &mut PlotUi<'_>, theme: &Theme, rise: Rise, colour: Color32) {
    if rise.height <= 0.0 {
        return;
    }
    let up = Line::new("", vec![[rise.t, rise.chord], [rise.t, rise.value]]).stroke(Stroke::new(1.5, colour));
    plot.line(up.allow_hover(false));
    let peak = Points::new("barrier", vec![[rise.t, rise.value]]).shape(MarkerShape::Diamond).radius(5.0).color(colour);
    plot.points(peak);
    let least = if rise.holes { "at least " } else { "" };
    let words = RichText::new(format!("  barrier {least}{}  ", digits(rise.height))).color(colour).strong();
    let anchor = if rise.t > 0.6 { Align2::RIGHT_CENTER } else { Align2::LEFT_CENTER };
    let middle = PlotPoint::new(rise.t, f64::midpoint(rise.chord, rise.value));
    let words = words.background_color(Theme::faint(theme.card(), 0.8));
    plot.text(Text::new("", middle, words).anchor(anchor).color(colour).allow_hover(false));
}

/// Crosses at the foot of the plot where there is no finite value.
fn holes(plot: &mut PlotUi<'_>, theme: &Theme, report: &PathReport, quantity: Quantity) {
    let (pieces, holes) = reading::pieces(report, quantity);
    let lowest = pieces.iter().flatten().map(|point| point[1]).fold(f64::INFINITY, f64::min);
    if holes.is_empty() || !lowest.is_finite() {
        return;
    }
    let scale = if quantity.score { 100.0 } else { 1.0 };
    let places: Vec<[f64; 2]> = holes.into_iter().map(|t| [t, scale * lowest]).collect();
    let crosses = Points::new("no finite value", places).shape(MarkerShape::Cross).radius(4.0).color(theme.warning());
    plot.points(crosses);
}

/// The same in sentences, for those who do not see the plot or read it first.
pub fn sentences(ui: &mut Ui, theme: &Theme, drawn: Drawn<'_>, done: bool) {
    let report = drawn.report;
    let ends = (report.ends.first(), report.ends.last());
    if let (Some(first), Some(last)) = ends {
        ui.label(RichText::new(format!("t = 0 is {first}; t = 1 is {last}.")).color(theme.muted()));
    }
    match reading::rise(report, Quantity::MEAN_LOSS) {
        Some(rise) if rise.height > 0.0 => {
            let least = if rise.holes { "at least " } else { "" };
            let height = digits(rise.height);
            ui.label(format!("Barrier of the mean loss: {least}{height} at t = {:.2}.", rise.t)).on_hover_text(
                "The largest rise above the chord, the straight line between the losses of the ends (Entezari et al., \
                 arXiv 2110.06296).",
            );
        }
        Some(_) => {
            ui.label("No barrier: the mean loss nowhere rises above the chord between its ends.");
        }
        None if reading::chord(report, Quantity::MEAN_LOSS).is_some() => {}
        None if done => {
            ui.label("No barrier can be given: the loss of an end is missing.");
        }
        None => {}
    }
    if let Some((height, t)) = reading::rise(report, Quantity::MEAN_LOSS).and_then(|rise| rise.frankle) {
        let height = digits(height);
        ui.label(format!("Above the mean of both ends: {height} at t = {t:.2}.")).on_hover_text(
            "The barrier in the form of Frankle et al. (arXiv 1912.05671). Where the losses of the ends differ it says something \
             else than the rise above the chord.",
        );
    }
    if let Some(length) = reading::length(report) {
        ui.label(format!("Length of the path: {}.", digits(length)))
            .on_hover_text("In the space of adapters, along the measured points from t = 0 to t = 1.");
    }
    if let Some(gain) = report.gain.as_ref().filter(|gain| gain.gain.is_finite()) {
        let points = 100.0 * gain.gain;
        let words = if points >= 0.0 { "above" } else { "below" };
        let points = points.abs();
        ui.label(format!(
            "Best mean score inside: at t = {:.2}, {points:.1} points {words} the better end.",
            gain.at_t
        ));
    }
    if let Some((name, other)) = drawn.compared {
        let barrier =
            reading::rise(other, Quantity::MEAN_LOSS).map_or("none measured".into(), |rise| digits(rise.height));
        let mut words = format!("Dashed: {name}, barrier {barrier}.");
        if let Some(times) = reading::length(report).zip(reading::length(other)).map(|(a, b)| a / b) {
            words += &format!(" This path is {times:.2} times as long.");
        }
        ui.label(words);
    }
    let holes = reading::pieces(report, Quantity::MEAN_LOSS).1.len();
    if holes > 0 {
        let of = report.points.len();
        let words = format!("{holes} of {of} points have no finite mean loss: crosses, and gaps in the curve.");
        ui.colored_label(theme.warning(), words);
    }
    for warning in &report.warnings {
        ui.colored_label(theme.warning(), warning);
    }
}

/// The barrier of every task.
pub fn table(ui: &mut Ui, theme: &Theme, report: &PathReport) {
    egui::CollapsingHeader::new("Barriers by task").show(ui, |ui| {
        egui::Grid::new("barriers").spacing([Theme::GROUP_GAP, 2.0]).striped(true).show(ui, |ui| {
            for heading in ["task", "barrier", "at t", "Frankle's form", "at t", "loss at t = 0", "at t = 1"] {
                ui.label(RichText::new(heading).small().color(theme.muted()));
            }
            ui.end_row();
            let tasks = report.tasks.iter().enumerate().map(|(task, name)| (Some(task), name.as_str()));
            for (task, name) in std::iter::once((None, "mean")).chain(tasks) {
                let quantity = Quantity { task, score: false };
                ui.colored_label(task.map_or(theme.text(), |task| theme.task(task)), name);
                let ends = reading::chord(report, quantity);
                if let Some((rise, [start, end])) = reading::rise(report, quantity).zip(ends) {
                    let least = if rise.holes { "at least " } else { "" };
                    ui.label(format!("{least}{}", digits(rise.height)));
                    ui.label(format!("{:.2}", rise.t));
                    let (height, t) = rise.frankle.map_or_else(
                        || ("-".to_string(), "-".to_string()),
                        |(height, t)| (format!("{least}{}", digits(height)), format!("{t:.2}")),
                    );
                    ui.label(height);
                    ui.label(t);
                    ui.label(digits(start));
                    ui.label(digits(end));
                } else {
                    ui.weak("not known");
                }
                ui.end_row();
            }
        });
    });
}
