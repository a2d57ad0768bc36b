//! How the bends of a curve are trained: the curve as it bends away from the chord, and the loss of the steps.

use super::reading::digits;
use crate::engine::landscape_report::CurveTraining;
use crate::ui::theme::Theme;
use egui::{RichText, Sense, Stroke, Ui, WidgetInfo};
use egui_plot::{Line, LineStyle, MarkerShape, Plot, PlotPoints, Points};

/// Height of the two plots.
const HEIGHT: f32 = 130.0;

/// Draws both, and says how far it is.
pub fn show(ui: &mut Ui, theme: &Theme, training: &CurveTraining) {
    let last = training.losses.iter().rev().find_map(|(_, loss)| *loss);
    let mut words = format!("Bends trained: step {} of {}", training.done, training.steps);
    if let Some(loss) = last {
        words += &format!(", loss {}", digits(loss));
    }
    let farthest = training.outline.iter().map(|place| place[1]).filter(|far| far.is_finite()).fold(0.0, f64::max);
    words += &format!(". The curve bends {} of its chord's length away from it.", digits(farthest));
    ui.label(words);
    if let Some(examples) = training.examples {
        let words = format!("A glance while it trains: the curves are of {examples} examples of each task.");
        ui.label(RichText::new(words).small().color(theme.muted()));
    }
    ui.columns_const(|[left, right]| {
        outline(left, theme, training);
        losses(right, theme, training);
    });
}

fn plot<'a>(name: &'static str, x: &'a str) -> Plot<'a> {
    Plot::new(name)
        .height(HEIGHT)
        .allow_drag(false)
        .allow_zoom(false)
        .allow_scroll(false)
        .allow_boxed_zoom(false)
        .sense(Sense::hover())
        .x_axis_label(x)
        .y_axis_min_width(34.0)
}

/// The curve from end to end over its chord, seen in the plane of both at every place.
fn outline(ui: &mut Ui, theme: &Theme, training: &CurveTraining) {
    ui.label(RichText::new("Distance from the chord").small().color(theme.muted()));
    let finite = |places: &[[f64; 2]]| -> Vec<[f64; 2]> {
        places.iter().copied().filter(|[along, far]| along.is_finite() && far.is_finite()).collect()
    };
    let shown = plot("the curve over its chord", "along the chord").include_y(0.0).include_y(0.2).show(ui, |plot| {
        let chord = Line::new("chord", PlotPoints::from(vec![[0.0, 0.0], [1.0, 0.0]]));
        plot.line(chord.stroke(Stroke::new(1.25, theme.muted())).style(LineStyle::dashed_dense()));
        plot.line(Line::new("curve", finite(&training.outline)).stroke(Stroke::new(2.5, theme.accent())));
        let bends = Points::new("bend", finite(&training.bends)).shape(MarkerShape::Diamond).radius(5.0);
        plot.points(bends.color(theme.text()));
    });
    shown.response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, "The curve over its chord"));
}

fn losses(ui: &mut Ui, theme: &Theme, training: &CurveTraining) {
    ui.label(RichText::new("Loss of the steps").small().color(theme.muted()));
    let known = training.losses.iter().filter_map(|(step, loss)| Some([*step as f64, (*loss)?]));
    let points: Vec<[f64; 2]> = known.collect();
    let shown = plot("loss of the bends", "step").include_x(0.0).include_x(training.steps as f64).show(ui, |plot| {
        plot.line(Line::new("loss", points).stroke(Stroke::new(1.5, theme.text())));
    });
    shown.response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, "Loss of the steps"));
}
