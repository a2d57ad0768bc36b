//! The picked point of a plane: its values, what the model answers there, and its export.

use super::map::short;
use super::scale::Quantity;
use super::scene;
use crate::engine::config::ExperimentConfig;
use crate::engine::landscape_report::PlaneReport;
use crate::engine::protocol::{AdapterSource, Command};
use crate::ui::action::{Action, Export};
use crate::ui::panel::Context;
use crate::ui::panels::paths::prompts::Prompts;
use crate::ui::panels::paths::walk::REST_SECS;
use egui::{RichText, Ui};

/// Numbers of generations begin here, so that no other panel has them.
const FIRST_NUMBER: u64 = 3_500_000;

/// A point and what is asked there.
#[derive(Debug, Default)]
pub struct Picked {
    pub place: Option<[f64; 2]>,
    plane: Option<u64>,
    prompts: Prompts,
    /// When the point was moved last, until the model has been asked.
    moved_at: Option<f64>,
    next: u64,
}

impl Picked {
    /// Leaves the point of another plane.
    pub fn enter(&mut self, plane: u64) {
        if self.plane != Some(plane) {
            (self.plane, self.place, self.moved_at) = (Some(plane), None, None);
            self.prompts.forget();
        }
    }

    pub fn go(&mut self, place: [f64; 2], now_secs: f64) {
        (self.place, self.moved_at) = (Some(place), Some(now_secs));
    }

    pub fn show(
        &mut self,
        ui: &mut Ui,
        context: &mut Context<'_>,
        (plane, earlier): (u64, bool),
        report: &PlaneReport,
        experiment: &ExperimentConfig,
    ) {
        self.prompts.propose(context.state, experiment);
        let Some([x, y]) = self.place else {
            ui.label("Click a point, or move with the arrow keys on the map, and the model answers from there.");
            return;
        };
        let source = AdapterSource::OnPlane { plane, x, y };
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(format!("Point ({}, {})", short(x, false), short(y, false))).strong());
            let export = ui.add_enabled(!earlier, egui::Button::new("Export this point..."));
            if export.on_hover_text("As an adapter in PEFT's format.").clicked() {
                let command = Box::new(Command::ExportAdapter { from: source.clone(), path: String::new() });
                let name = format!("plane-{x:.2}-{y:.2}");
                context.actions.push(Action::Export(Export::Command { name, command }));
            }
        });
        if let Some(index) = scene::nearest(report, x, y) {
            ui.label(RichText::new(values(report, index, ", ")).color(context.theme.muted()));
        }
        if context.state.active.is_some() {
            ui.colored_label(context.theme.warning(), crate::ui::panels::paths::BUSY);
        } else if let Some(moved) = self.moved_at.filter(|_| !earlier) {
            let rested = context.now_secs - moved;
            if rested >= REST_SECS {
                self.moved_at = None;
                let next = &mut self.next;
                self.prompts.ask(context, &source, experiment, || {
                    *next += 1;
                    FIRST_NUMBER + *next
                });
            } else {
                let left = std::time::Duration::from_secs_f64((REST_SECS - rested).max(0.0));
                ui.ctx().request_repaint_after(left);
            }
        }
        if self.prompts.show(ui, context, experiment) {
            self.moved_at = Some(context.now_secs);
        }
    }
}

/// Mean loss and score, then each task's, of a grid point.
#[must_use]
pub fn values(report: &PlaneReport, index: usize, between: &str) -> String {
    let told = |quantity: Quantity| {
        let value = quantity.of(report).get(index).copied().flatten().filter(|value| value.is_finite());
        value.map(|value| quantity.told(value))
    };
    let mut words = match told(Quantity::default()) {
        Some(loss) => format!("mean loss {loss}"),
        None if !report.is_measured(index) => return "not measured".to_string(),
        None => "no finite mean loss".to_string(),
    };
    if let Some(score) = told(Quantity { score: true, task: None }) {
        words += &format!(", mean score {score}");
    }
    for (task, name) in report.tasks.iter().enumerate() {
        let loss = told(Quantity { score: false, task: Some(task) }).unwrap_or_else(|| "no value".into());
        words += &format!("{between}{name} {loss}");
        if let Some(score) = told(Quantity { score: true, task: Some(task) }) {
            words += &format!(" ({score})");
        }
    }
    words
}
