//! Panel *Paths*: the losses on the way from one adapter to another, and a slider that walks there while the model answers.

pub(super) mod adapters;
mod bending;
mod control;
mod curves;
pub(super) mod form;
pub(super) mod measuring;
mod nearness;
pub(super) mod prompts;
pub(super) mod reading;
pub(super) mod walk;

use crate::engine::config::ExperimentConfig;
use crate::engine::landscape_report::{PathReport, path_csv, render_path};
use crate::engine::protocol::{Command, PathCommand};
use crate::ui::action::{Action, Export};
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::state::{AppState, Exploration};
use crate::ui::theme::Theme;
use curves::{Curves, Drawn};
use egui::{ComboBox, RichText, ScrollArea, Ui};
use form::Form;
use measuring::{Measurable, Measured};
use nearness::Nearness;
use std::collections::BTreeMap;
use walk::{Ground, Walk};

/// Numbers of paths begin here, so that no plane has them.
const FIRST_NUMBER: u64 = 1_000_000;
/// Why a point is not asked for while a run goes on.
pub(super) const BUSY: &str =
    "A run is in progress. The model answers at this point when the run is over; the curves stay as they are.";

impl Measurable for PathCommand {
    type Report = PathReport;
    const FIRST_NUMBER: u64 = FIRST_NUMBER;

    fn name(&self) -> String {
        let from_to = match (self.anchors.first(), self.anchors.last()) {
            (Some((from, _)), Some((to, _))) => format!("{from} – {to}"),
            _ => String::new(),
        };
        let shape = if self.anchors.len() > 2 { "chain" } else { &self.shape };
        format!("{}: {from_to}", reading::kind_name(shape))
    }

    fn request(self, id: u64, experiment: ExperimentConfig) -> Command {
        Command::MeasurePath { id, path: Box::new(self), experiment: Box::new(experiment) }
    }

    fn asked(command: &Command) -> Option<(&Self, &ExperimentConfig)> {
        let Command::MeasurePath { path, experiment, .. } = command else { return None };
        Some((path, experiment))
    }

    fn told(state: &AppState) -> &BTreeMap<u64, Exploration<PathReport>> {
        &state.paths
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct PathsPanel {
    form: Form,
    curves: Curves,
    walk: Walk,
    nearness: Nearness,
    measured: Vec<Measured<PathCommand>>,
    /// Index in `measured`.
    shown: usize,
    compared: Option<usize>,
    /// Folds the form above the curves in the next frame.
    fold: bool,
}

impl Panel for PathsPanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Paths
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let choices = adapters::choices(context.state);
        self.form.keep_up(context.state, &choices);
        measuring::keep_up(&mut self.measured, context.state);
        if let Some(experiment) = self.form.finished_control(context.state, &choices)
            && let Ok(command) = self.form.command(&choices)
        {
            self.measure(context, &command, &experiment);
        }
        ScrollArea::both().auto_shrink(false).show(ui, |ui| {
            if choices.is_empty() && self.measured.is_empty() {
                let about = "Here the loss is measured on the way from one adapter to another: is there a barrier \
                             between two tasks, and does a curve walk around it? A slider moves the model along the way.";
                adapters::nothing_yet(ui, context, about);
                self.form.folders.show(ui, context);
            } else {
                let fold = std::mem::take(&mut self.fold);
                adapters::arrange(ui, "Choose a path", fold, |ui, part| match part {
                    adapters::Part::Ask => self.ask(ui, context, &choices),
                    adapters::Part::Status => self.status(ui, context),
                    adapters::Part::Look => {
                        self.look(ui, context);
                        self.nearness.show(ui, context, &choices, &self.form.anchors);
                    }
                });
            }
        });
    }
}

impl PathsPanel {
    /// The form and the button.
    fn ask(&mut self, ui: &mut Ui, context: &mut Context<'_>, choices: &[adapters::Choice]) {
        self.form.show(ui, context, choices);
        ui.add_space(Theme::GAP);
        let command = self.form.command(choices);
        let button = egui::Button::new(RichText::new("Measure the path").strong());
        if ui.add_enabled(command.is_ok(), button).clicked()
            && let Ok(command) = &command
        {
            let experiment = adapters::experiment_of(context.state, choices, &self.form.anchors);
            self.measure(context, command, &experiment);
        }
        if let Err(words) = &command {
            ui.colored_label(context.theme.warning(), words);
        }
    }

    /// How far the measurement is, and the paths that are there.
    fn status(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        if let Some(measured) = self.measured.get_mut(self.shown) {
            let report = measured.report(context.state);
            let total = report.map_or(0, |report| report.planned).max(measured.command.points);
            let known = report.map_or(0, |report| report.points.len());
            measured.watched.show(ui, context, known, total);
        }
        self.list(ui, context);
    }

    fn measure(&mut self, context: &mut Context<'_>, command: &PathCommand, experiment: &ExperimentConfig) {
        self.fold = true;
        let (place, new) = measuring::measure(&mut self.measured, context, command, experiment);
        self.shown = place;
        if new {
            let ends = |command: &PathCommand| (command.anchors.first().cloned(), command.anchors.last().cloned());
            // A curve is looked at beside the line between the same ends.
            self.compared = self.measured[..place]
                .iter()
                .rposition(|other| ends(&other.command) == ends(command) && other.report(context.state).is_some());
        }
    }

    /// Paths of this session: which one is shown, and which one beside it.
    fn list(&mut self, ui: &mut Ui, context: &Context<'_>) {
        if self.measured.len() < 2 {
            return;
        }
        ui.add_space(Theme::GAP);
        let number = |index: usize, measured: &Measured<PathCommand>| format!("{}. {}", index + 1, measured.name);
        let name = |index: usize| self.measured.get(index).map(|measured| number(index, measured)).unwrap_or_default();
        let (mut shown, mut compared) = (self.shown, self.compared);
        let width = ui.available_width().clamp(120.0, 300.0) - 80.0;
        ui.horizontal(|ui| {
            let label = ui.label("Shown");
            let list = ComboBox::from_id_salt("shown path").selected_text(name(shown)).width(width).truncate();
            let list = list.show_ui(ui, |ui| {
                for index in (0..self.measured.len()).rev() {
                    ui.selectable_value(&mut shown, index, name(index));
                }
            });
            list.response.labelled_by(label.id);
        });
        ui.horizontal(|ui| {
            let label = ui.label("Beside it");
            let text = compared.map_or_else(|| "no other path".into(), name);
            let list = ComboBox::from_id_salt("compared path").selected_text(text).width(width).truncate();
            let list = list.show_ui(ui, |ui| {
                ui.selectable_value(&mut compared, None, "no other path");
                for index in (0..self.measured.len()).rev().filter(|index| *index != shown) {
                    ui.selectable_value(&mut compared, Some(index), name(index));
                }
            });
            list.response.labelled_by(label.id);
        });
        (self.shown, self.compared) = (shown, compared.filter(|other| *other != shown));
        let differ = self.compared.and_then(|other| {
            let other = self.measured.get(other)?.report(context.state)?;
            let shown = self.measured.get(self.shown)?.report(context.state)?;
            (other.tasks != shown.tasks).then_some(())
        });
        if differ.is_some() {
            ui.colored_label(context.theme.warning(), "These two were measured on different tasks.");
        }
    }

    /// Curves, sentences, and the walk.
    fn look(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let Some(measured) = self.measured.get(self.shown) else {
            ui.label("The curves of a path appear here while they are measured, with the barrier between its ends.");
            return;
        };
        // What was measured before stays in sight while the next path has no point yet, and after one that failed.
        let has_points = |measured: &&Measured<PathCommand>| {
            measured.report(context.state).is_some_and(|report| !report.points.is_empty())
        };
        let Some(measured) = Some(measured).filter(has_points).or_else(|| self.measured.iter().rev().find(has_points))
        else {
            ui.label("The curves appear here with the first points.");
            return;
        };
        let Some(report) = measured.report(context.state) else { return };
        let compared = self
            .compared
            .and_then(|index| self.measured.get(index))
            .filter(|other| other.watched.id != measured.watched.id);
        let compared = compared.and_then(|other| Some((other.name.as_str(), other.report(context.state)?)));
        ui.label(RichText::new(&measured.name).heading());
        self.walk.enter(measured.watched.id);
        let drawn = Drawn { report, compared, t: self.walk.t };
        if let Some(t) = self.curves.show(ui, context.theme, drawn) {
            // Hundredths, as the slider has them.
            self.walk.go((t * 100.0).round() / 100.0, context.now_secs);
        }
        if let Some(training) = &report.training {
            bending::show(ui, context.theme, training);
        }
        let name = file_name(&measured.name);
        let id = measured.watched.id;
        let earlier = context.state.paths.get(&id).is_some_and(|view| view.earlier);
        // While the bends are trained there is no path yet to walk along.
        let trains = report.training.as_ref().is_some_and(|training| training.examples.is_some());
        let ground =
            Ground { path: id, report, experiment: &measured.experiment, name: &name, earlier: earlier || trains };
        if earlier && measured.watched.is_over() && measuring::ask_earlier(ui, context) {
            context.send(measured.request());
        }
        context.theme.card_frame().show(ui, |ui| {
            ui.set_width(ui.available_width());
            self.walk.show(ui, context, &ground);
        });
        curves::sentences(ui, context.theme, drawn, measured.watched.is_over());
        curves::table(ui, context.theme, report);
        export(ui, context, report, &name);
    }
}

/// A name for files: words joined by one hyphen each.
fn file_name(name: &str) -> String {
    let words = name.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-")
}

fn export(ui: &mut Ui, context: &mut Context<'_>, report: &PathReport, name: &str) {
    ui.horizontal_wrapped(|ui| {
        if ui.button("Save as CSV...").clicked() {
            let (name, content) = (format!("{name}.csv"), path_csv(report));
            context.actions.push(Action::Export(Export::Text { name, content }));
        }
        if ui.button("Save the report (HTML)...").clicked() {
            let (name, content) = (format!("{name}.html"), render_path(std::slice::from_ref(report)));
            context.actions.push(Action::Export(Export::Text { name, content }));
        }
        if !report.command.is_empty() && ui.button("Copy the command line").clicked() {
            context.actions.push(Action::Copy(report.command.clone()));
        }
    });
}

#[cfg(test)]
pub(in crate::ui::panels) mod stage;
#[cfg(test)]
mod tests;
