//! The row of switches that names a plot's curves, and the readout of all of them at one step.

use super::smooth::Smooth;
use super::{Curve, CurveFrame, grouped, reading};
use crate::ui::theme::Theme;
use egui::{Atom, Button, Grid, RichText, Stroke, Ui, vec2};
use std::collections::BTreeSet;

/// One switch a curve, in its colour, with its last value.
pub(super) fn show(ui: &mut Ui, curves: &[Curve<'_>], hidden: &mut BTreeSet<String>) {
    ui.horizontal_wrapped(|ui| {
        for curve in curves {
            let shown = !hidden.contains(&curve.name);
            let colour = Theme::faint(curve.colour, if shown { 1.0 } else { 0.4 });
            let dashed = curve.dashed;
            let swatch = Atom::paint(vec2(14.0, 10.0), move |ui, args| {
                let (middle, stroke) = (args.rect.center().y, Stroke::new(3.0, colour));
                if dashed {
                    let ends = [args.rect.left_center(), args.rect.right_center()];
                    ui.painter().extend(egui::Shape::dashed_line(&ends, stroke, 4.0, 2.5));
                } else {
                    ui.painter().hline(args.rect.x_range(), middle, stroke);
                }
            });
            let value = curve.series.last().map_or_else(String::new, |[_, value]| reading(value));
            let text = RichText::new(format!("{} {value}", curve.name));
            let button = ui.add(Button::selectable(shown, (swatch, text)));
            let clicked = button.clicked();
            button.accessible_name(format!("Curve {}", curve.name)).on_hover_text(if shown {
                "Click to hide this curve"
            } else {
                "Click to show this curve"
            });
            if clicked && !hidden.remove(&curve.name) {
                hidden.insert(curve.name.clone());
            }
        }
    });
}

/// The curves' values at a step: the average, and what was measured.
pub(super) fn readout<'a>(
    ui: &mut Ui,
    theme: &Theme,
    step: f64,
    frame: &CurveFrame<'_>,
    visible: &[&Curve<'_>],
    smooth: impl Fn(&str) -> Option<&'a Smooth>,
) {
    let nearest = visible.iter().find_map(|curve| curve.series.nearest(step)).map_or(step.round(), |[step, _]| step);
    ui.label(RichText::new(format!("Step {}", grouped(nearest))).strong());
    // A task's first step is the one after its boundary.
    if let Some(section) = frame.sections.iter().rev().find(|section| section.from < nearest) {
        ui.label(RichText::new(format!("Task: {}", section.name)).color(section.colour));
    }
    Grid::new("readout").num_columns(3).spacing(vec2(10.0, 2.0)).show(ui, |ui| {
        for curve in visible {
            let Some([_, raw]) = curve.series.nearest(step) else { continue };
            ui.label(RichText::new(&curve.name).color(curve.colour));
            let average = smooth(&curve.key).and_then(|smooth| smooth.curve().nearest(step));
            match average {
                Some([_, value]) if frame.window > 1.0 => {
                    ui.label(reading(value));
                    ui.label(RichText::new(format!("raw {}", reading(raw))).color(theme.muted()));
                }
                _ => {
                    ui.label(reading(raw));
                }
            }
            ui.end_row();
        }
    });
}
