//! Curves over training steps: the raw trace faint behind, an average over it on top, tasks as coloured stretches, a readout
//! of all curves at the step under the pointer. Plots that share a [`StepView`] show the same steps.
//!
//! A plot hands at most about two points a pixel to the painter, whatever the number of steps, and keeps what it computed
//! until a curve grows or the view changes.

#![allow(clippy::trivially_copy_pass_by_ref)] // a theme is handed on as `Context` has it

mod axis;
mod drawn;
mod legend;
mod smooth;
#[cfg(test)]
mod tests;
mod view;

pub use axis::{grouped, reading};
pub use view::StepView;

use crate::ui::series::Series;
use crate::ui::theme::Theme;
use axis::Scale;
use drawn::Drawn;
use egui::{Color32, Id, Key, Pos2, Rect, Response, Role, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2};
use egui_plot::{AxisHints, Line, LineStyle, Plot, PlotPoints, PlotTransform, Points, VLine};
use smooth::Smooth;
use std::collections::{BTreeMap, BTreeSet};

/// Points that are averaged in one frame; more wait for the next frame.
const BUDGET: usize = 250_000;
/// Height of the band that names the tasks.
const BAND: f32 = 16.0;
/// Smallest height of a plot whose band has room for names.
const NAMED_BAND: f32 = 150.0;

/// One curve of a plot.
pub struct Curve<'a> {
    /// Tells the curve from all others that this plot ever shows, such as `3/total`.
    pub key: String,
    pub name: String,
    pub colour: Color32,
    pub series: &'a Series,
    /// Whether the raw trace is drawn behind the average.
    pub raw: bool,
    /// Dashed, so that it is told apart where colours are alike.
    pub dashed: bool,
}

/// A stretch of steps with a name and a colour: a task. It ends where the next begins.
pub struct Section {
    pub from: f64,
    pub name: String,
    pub colour: Color32,
}

/// How a plot is drawn.
pub struct CurveFrame<'a> {
    /// Unique within the panel.
    pub id: &'a str,
    /// What a screen reader calls it.
    pub name: &'a str,
    pub height: f32,
    /// All steps there are.
    pub full: [f64; 2],
    /// Points that the average goes over; 1 draws the raw curve alone.
    pub window: f64,
    pub log: bool,
    pub sections: &'a [Section],
    /// Whether a row of switches names the curves.
    pub legend: bool,
}

/// What is kept of one curve from frame to frame.
#[derive(Default)]
struct Kept {
    smooth: Smooth,
    smooth_drawn: Drawn,
    raw_drawn: Drawn,
}

/// A plot's own state.
#[derive(Default)]
pub struct CurvePlot {
    kept: BTreeMap<String, Kept>,
    /// Names of curves that are switched off.
    hidden: BTreeSet<String>,
    /// Values that a dragged box chose, on the axis of that scale.
    values: Option<(Scale, [f64; 2])>,
    /// Where the box began that is being dragged.
    corner: Option<Pos2>,
    #[cfg(test)]
    handed: usize,
}

impl CurvePlot {
    /// Points that were handed to the painter in the last frame.
    #[cfg(test)]
    pub fn points_last_frame(&self) -> usize {
        self.handed
    }

    /// Values of this curve that were not finite, so far as it was looked through.
    #[must_use]
    pub fn gaps(&self, key: &str) -> usize {
        self.kept.get(key).map_or(0, |kept| kept.smooth.gaps())
    }

    /// Shows all values again.
    pub fn reset(&mut self) {
        self.values = None;
    }

    /// Whether it shows all values.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.values.is_none()
    }

    /// Draws the curves and lets people move about in them.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        theme: &Theme,
        view: &mut StepView,
        frame: &CurveFrame<'_>,
        curves: &[Curve<'_>],
    ) -> Response {
        if frame.legend {
            legend::show(ui, curves, &mut self.hidden);
        }
        let scale = if frame.log { Scale::Log } else { Scale::Linear };
        let steps = view.shown(frame.full);
        let visible: Vec<&Curve<'_>> = curves.iter().filter(|curve| !self.hidden.contains(&curve.name)).collect();
        if !self.follow(ui.available_width(), frame, steps, curves, &visible) {
            ui.ctx().request_repaint();
        }
        let values = match self.values {
            Some((of, values)) if of == scale => values,
            _ => self.fitting(&visible, steps, scale, frame),
        };
        let (lines, points) = self.lines(&visible, frame, scale, values[0]);
        let mut marks: Vec<VLine> = frame
            .sections
            .iter()
            .filter(|section| section.from > steps[0] && section.from < steps[1])
            .map(|section| VLine::new("", section.from).stroke(Stroke::new(1.0, Theme::faint(section.colour, 0.6))))
            .collect();
        if let Some(step) = view.hover() {
            marks.push(VLine::new("", step).stroke(Stroke::new(1.0, theme.muted())));
        }
        let shown = plot(ui, theme, frame, scale).show(ui, move |plot_ui| {
            plot_ui.set_plot_bounds_x(steps[0]..=steps[1]);
            plot_ui.set_plot_bounds_y(values[0]..=values[1]);
            for mark in marks {
                plot_ui.vline(mark.allow_hover(false));
            }
            for line in lines {
                plot_ui.line(line.allow_hover(false));
            }
            for single in points {
                plot_ui.points(single.allow_hover(false));
            }
        });
        let (response, transform) = (shown.response, shown.transform);
        sections(ui, theme, frame, steps, &transform);
        self.interact(ui, theme, view, frame, scale, &response, &transform);
        if response.has_focus() {
            let stroke = Stroke::new(1.5, theme.accent());
            ui.painter().rect_stroke(*transform.frame(), 2.0, stroke, egui::StrokeKind::Inside);
        }
        response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, spoken(frame, &visible)));
        if let Some(step) = view.hover().filter(|_| response.hovered() && !response.dragged()) {
            let pointer = egui::PopupAnchor::Pointer;
            // At once: whoever moves along a curve reads while moving.
            let tooltip = egui::Tooltip::always_open(ui.ctx().clone(), ui.layer_id(), response.id, pointer).gap(14.0);
            tooltip.show(|ui| {
                let kept = |key: &str| self.kept.get(key).map(|kept| &kept.smooth);
                legend::readout(ui, theme, step, frame, &visible, kept);
            });
        }
        response
    }

    /// Brings averages and reduced points up to date; `false` when some are left for the next frame.
    fn follow(
        &mut self,
        width: f32,
        frame: &CurveFrame<'_>,
        steps: [f64; 2],
        curves: &[Curve<'_>],
        visible: &[&Curve<'_>],
    ) -> bool {
        // Two points a column of the raw trace, one of the average, which has no peaks.
        let columns = width.clamp(32.0, 8_192.0) as usize;
        let (mut budget, mut complete) = (BUDGET, true);
        self.kept.retain(|key, _| curves.iter().any(|curve| curve.key == *key));
        for curve in visible {
            let kept = self.kept.entry(curve.key.clone()).or_default();
            complete &= kept.smooth.follow(curve.series, frame.window, &mut budget);
            if frame.window > 1.0 {
                kept.smooth_drawn.update(kept.smooth.curve(), steps, columns.div_ceil(2));
            }
            if curve.raw || frame.window <= 1.0 {
                kept.raw_drawn.update(curve.series, steps, columns);
            }
        }
        complete
    }

    /// What is drawn of a curve: the raw trace, then the line on top.
    fn traces(&self, curve: &Curve<'_>, window: f64) -> (Option<&Drawn>, Option<&Drawn>) {
        let Some(kept) = self.kept.get(&curve.key) else { return (None, None) };
        if window <= 1.0 {
            (None, Some(&kept.raw_drawn))
        } else {
            (curve.raw.then_some(&kept.raw_drawn), Some(&kept.smooth_drawn))
        }
    }

    /// The values of what is drawn, with a margin, and with room for the band of the tasks.
    fn fitting(&self, visible: &[&Curve<'_>], steps: [f64; 2], scale: Scale, frame: &CurveFrame<'_>) -> [f64; 2] {
        let extents = visible.iter().flat_map(|curve| {
            let (raw, line) = self.traces(curve, frame.window);
            [raw, line].into_iter().flatten().filter_map(|drawn| drawn.extent(steps, scale))
        });
        let [low, high] = extents.reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])]).unwrap_or(match scale {
            Scale::Linear => [0.0, 1.0],
            Scale::Log => [-1.0, 0.0],
        });
        let span = if high > low { high - low } else { scale.span_of_one_value(low) };
        let top = 0.06 + f64::from(band(frame) / frame.height.max(1.0));
        [
            low - 0.06 * span - if high > low { 0.0 } else { span / 2.0 },
            high + top * span + if high > low { 0.0 } else { span / 2.0 },
        ]
    }

    fn lines(
        &mut self,
        visible: &[&Curve<'_>],
        frame: &CurveFrame<'_>,
        scale: Scale,
        floor: f64,
    ) -> (Vec<Line<'static>>, Vec<Points<'static>>) {
        let (mut lines, mut points) = (Vec::new(), Vec::new());
        let mut handed = 0;
        for (on_top, share, width) in [(false, 0.35, 1.0), (true, 1.0, Theme::LINE)] {
            for curve in visible {
                let (raw, line) = self.traces(curve, frame.window);
                let Some(drawn) = (if on_top { line } else { raw }) else { continue };
                let colour = Theme::faint(curve.colour, share);
                for stretch in drawn.stretches(scale, floor) {
                    handed += stretch.len();
                    if stretch.len() == 1 {
                        points.push(Points::new("", PlotPoints::from(stretch)).radius(width).color(colour));
                    } else {
                        let style = if curve.dashed { LineStyle::dashed_dense() } else { LineStyle::Solid };
                        let line = Line::new("", PlotPoints::from(stretch)).stroke(Stroke::new(width, colour));
                        // A band instead of a zigzag: cheap where there are two points a pixel, wedges where there are not.
                        lines.push(line.style(style).allow_band(!on_top && drawn.is_dense()));
                    }
                }
            }
        }
        #[cfg(test)]
        {
            self.handed = handed;
        }
        let _ = handed;
        (lines, points)
    }

    #[allow(clippy::too_many_arguments)] // the pieces of one frame
    fn interact(
        &mut self,
        ui: &Ui,
        theme: &Theme,
        view: &mut StepView,
        frame: &CurveFrame<'_>,
        scale: Scale,
        response: &Response,
        transform: &PlotTransform,
    ) {
        let full = frame.full;
        let at = |pos: Pos2| transform.value_from_position(pos);
        view.point(response.id, response.hover_pos().map(|pos| at(pos).x));
        if response.dragged_by(egui::PointerButton::Primary) && !ui.input(|input| input.modifiers.shift) {
            view.pan(-f64::from(response.drag_delta().x) * transform.dvalue_dpos()[0], full);
        }
        if response.contains_pointer() {
            let factor = f64::from(ui.input(egui::InputState::zoom_delta));
            if let (true, Some(pos)) = (factor != 1.0, ui.input(|input| input.pointer.hover_pos())) {
                view.zoom(factor, at(pos).x, full);
            }
        }
        if response.double_clicked() {
            view.reset();
            self.reset();
        }
        self.drag_box(ui, theme, view, full, scale, response, transform);
        if response.has_focus() {
            keys(ui, view, full, response.id);
        }
    }

    /// A box that is dragged with the other button, or with Shift, becomes the view.
    #[allow(clippy::too_many_arguments)] // the pieces of one frame
    fn drag_box(
        &mut self,
        ui: &Ui,
        theme: &Theme,
        view: &mut StepView,
        full: [f64; 2],
        scale: Scale,
        response: &Response,
        transform: &PlotTransform,
    ) {
        let shift = ui.input(|input| input.modifiers.shift);
        let begins = response.drag_started_by(egui::PointerButton::Secondary)
            || response.drag_started_by(egui::PointerButton::Primary) && shift;
        if begins {
            self.corner = ui.input(|input| input.pointer.press_origin());
        }
        let (Some(from), Some(to)) = (self.corner, response.interact_pointer_pos()) else { return };
        let area = Rect::from_two_pos(from, to).intersect(*transform.frame());
        if response.drag_stopped() {
            self.corner = None;
            if area.width() > 4.0 && area.height() > 4.0 {
                let (low, high) = (
                    transform.value_from_position(area.left_bottom()),
                    transform.value_from_position(area.right_top()),
                );
                view.set([low.x, high.x], full);
                self.values = Some((scale, [low.y, high.y]));
            }
        } else {
            let painter = ui.painter();
            painter.rect_filled(area, 0.0, Theme::faint(theme.accent(), 0.15));
            painter.rect_stroke(area, 0.0, Stroke::new(1.0, theme.accent()), egui::StrokeKind::Inside);
        }
    }
}

/// Arrows move, plus and minus zoom, Home shows all.
fn keys(ui: &Ui, view: &mut StepView, full: [f64; 2], id: Id) {
    let filter = egui::EventFilter { horizontal_arrows: true, ..egui::EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(id, filter));
    let [from, to] = view.shown(full);
    let pressed = |key: Key| ui.input(|input| input.key_pressed(key));
    if pressed(Key::ArrowLeft) {
        view.pan((from - to) / 8.0, full);
    }
    if pressed(Key::ArrowRight) {
        view.pan((to - from) / 8.0, full);
    }
    if pressed(Key::Plus) || pressed(Key::Equals) {
        view.zoom(1.5, from.midpoint(to), full);
    }
    if pressed(Key::Minus) {
        view.zoom(1.0 / 1.5, from.midpoint(to), full);
    }
    if pressed(Key::Home) {
        view.reset();
    }
}

/// The plot without its curves.
fn plot<'a>(ui: &Ui, theme: &Theme, frame: &CurveFrame<'_>, scale: Scale) -> Plot<'a> {
    let font = TextStyle::Small.resolve(ui.style());
    let steps = AxisHints::new_x()
        .formatter(|mark, _| axis::step_label(mark.value))
        .tick_label_color(theme.muted())
        .tick_label_font(font.clone());
    let values = AxisHints::new_y()
        .formatter(move |mark, _| scale.label(mark))
        .tick_label_color(theme.muted())
        .tick_label_font(font)
        .min_thickness(46.0);
    let plot = Plot::new(frame.id)
        .height(frame.height)
        .allow_zoom(false)
        .allow_drag(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .allow_axis_zoom_drag(false)
        .allow_double_click_reset(false)
        .auto_bounds(false)
        .show_x(false)
        .show_y(false)
        .grid_color(Theme::faint(theme.line(), 0.6))
        .custom_x_axes(vec![steps])
        .custom_y_axes(vec![values]);
    let plot = plot.x_grid_spacer(|input| axis::round_marks(&input, 76.0)).grid_fade(0.0);
    match scale {
        Scale::Linear => plot.y_grid_spacer(|input| axis::round_marks(&input, 26.0)),
        Scale::Log => plot.y_grid_spacer(|input| axis::log_marks(&input)),
    }
}

fn band(frame: &CurveFrame<'_>) -> f32 {
    match frame.sections {
        [] => 0.0,
        _ if frame.height >= NAMED_BAND => BAND,
        _ => 4.0,
    }
}

/// The band of the tasks at the top of the plot.
fn sections(ui: &Ui, theme: &Theme, frame: &CurveFrame<'_>, steps: [f64; 2], transform: &PlotTransform) {
    let area = *transform.frame();
    let (height, painter) = (band(frame), ui.painter().with_clip_rect(area.intersect(ui.clip_rect())));
    let font = TextStyle::Small.resolve(ui.style());
    for (index, section) in frame.sections.iter().enumerate() {
        let to = frame.sections.get(index + 1).map_or(frame.full[1], |next| next.from);
        let (from, to) = (section.from.max(steps[0]), to.min(steps[1]));
        if from >= to {
            continue;
        }
        let (left, right) = (transform.position_from_point_x(from), transform.position_from_point_x(to));
        let part = Rect::from_min_max(pos2(left, area.top()), pos2(right, area.top() + height));
        let plain = height < BAND;
        // Over the grid and the curves, which would run through the names.
        painter.rect_filled(part, 0.0, ui.visuals().extreme_bg_color);
        painter.rect_filled(part, 0.0, Theme::faint(section.colour, if plain { 0.8 } else { 0.28 }));
        if !plain && part.width() > 22.0 {
            let mut job = egui::text::LayoutJob::simple_singleline(section.name.clone(), font.clone(), theme.text());
            job.wrap = egui::text::TextWrapping::truncate_at_width(part.width() - 6.0);
            let text = painter.layout_job(job);
            let place = part.left_center() + vec2(4.0, -text.size().y / 2.0);
            painter.galley(place, text, theme.text());
        }
    }
}

/// What a screen reader says.
fn spoken(frame: &CurveFrame<'_>, visible: &[&Curve<'_>]) -> String {
    let last = visible.iter().filter_map(|curve| Some((curve, curve.series.last()?)));
    let values: Vec<String> = last.map(|(curve, [_, value])| format!("{} {}", curve.name, reading(value))).collect();
    let step = visible.iter().filter_map(|curve| curve.series.last()).map(|[step, _]| step).fold(0.0, f64::max);
    format!("{} at step {}: {}", frame.name, grouped(step), values.join(", "))
}
