//! Panel *Landscape*: the loss on a plane through adapters, as a map and as a surface one can turn, with the training tracks
//! on it, and a point from which the model answers.

mod form;
mod labels;
mod legend;
mod map;
mod point;
mod relief;
mod scale;
mod scene;

use super::paths::adapters::{self, Choice};
use super::paths::measuring::{self, Measurable, Measured, Progress};
use crate::engine::config::ExperimentConfig;
use crate::engine::landscape_report::{PlaneReport, plane_csv, render_plane};
use crate::engine::protocol::{Command, PlaneCommand};
use crate::ui::action::{Action, Export};
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::state::{AppState, Exploration};
use crate::ui::theme::Theme;
use egui::{ComboBox, RichText, ScrollArea, Ui};
use form::Form;
use map::{Map, Shown};
use point::Picked;
use relief::Relief;
use scale::Quantity;
use scene::{Key, Scene};
use std::collections::BTreeMap;

/// Numbers of planes begin here, so that no path has them.
const FIRST_NUMBER: u64 = 2_000_000;

impl Measurable for PlaneCommand {
    type Report = PlaneReport;
    const FIRST_NUMBER: u64 = FIRST_NUMBER;

    fn name(&self) -> String {
        match (self.anchors.as_slice(), self.curves.first()) {
            (_, Some((path, _))) => format!("Along {path}"),
            ([(middle, _)], _) => format!("Random directions around {middle}"),
            ([(a, _), (b, _), (c, _)], _) if self.shape != "PCA" => format!("Through {a}; {b}; {c}"),
            (anchors, _) => format!("Main directions of {} adapters", anchors.len()),
        }
    }

    fn request(self, id: u64, experiment: ExperimentConfig) -> Command {
        Command::MeasurePlane { id, plane: Box::new(self), experiment: Box::new(experiment) }
    }

    fn asked(command: &Command) -> Option<(&Self, &ExperimentConfig)> {
        let Command::MeasurePlane { plane, experiment, .. } = command else { return None };
        Some((plane, experiment))
    }

    fn told(state: &AppState) -> &BTreeMap<u64, Exploration<PlaneReport>> {
        &state.planes
    }
}

impl Measured<PlaneCommand> {
    /// Whether all of it was measured.
    fn is_whole(&self, state: &AppState) -> bool {
        self.watched.progress == Progress::Done && self.report(state).is_some_and(|report| report.unmeasured() == 0)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct LandscapePanel {
    form: Form,
    measured: Vec<Measured<PlaneCommand>>,
    /// Index in `measured`.
    shown: usize,
    quantity: Quantity,
    /// The surface instead of the map.
    surface: bool,
    map: Map,
    relief: Relief,
    scene: Option<Scene>,
    picked: Picked,
    /// Folds the form above the map in the next frame.
    fold: bool,
}

impl Panel for LandscapePanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Landscape
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let choices = adapters::choices(context.state);
        self.form.keep_up(context.state, &choices);
        measuring::keep_up(&mut self.measured, context.state);
        ScrollArea::both().auto_shrink(false).show(ui, |ui| {
            if choices.is_empty() && self.measured.is_empty() {
                let about = "Here the loss is measured on a plane through adapters: valleys, ridges, and the way that \
                             training took between them, as a map and as a surface one can turn.";
                adapters::nothing_yet(ui, context, about);
                self.form.folders.show(ui, context);
            } else {
                let fold = std::mem::take(&mut self.fold);
                adapters::arrange(ui, "Choose a plane", fold, |ui, part| match part {
                    adapters::Part::Ask => self.ask(ui, context, &choices),
                    adapters::Part::Status => self.status(ui, context),
                    adapters::Part::Look => self.look(ui, context),
                });
            }
        });
    }
}

impl LandscapePanel {
    /// The form and the button.
    fn ask(&mut self, ui: &mut Ui, context: &mut Context<'_>, choices: &[Choice]) {
        self.form.show(ui, context, choices);
        ui.add_space(Theme::GAP);
        let command = self.form.command(context.state, choices);
        let button = egui::Button::new(RichText::new("Measure the plane").strong());
        if ui.add_enabled(command.is_ok(), button).clicked()
            && let Ok(command) = &command
        {
            let experiment = self.form.experiment(context.state, choices);
            self.measure(context, command, &experiment);
        }
        if let Err(words) = &command {
            ui.colored_label(context.theme.warning(), words);
        }
    }

    fn measure(&mut self, context: &mut Context<'_>, command: &PlaneCommand, experiment: &ExperimentConfig) {
        self.fold = true;
        (self.shown, _) = measuring::measure(&mut self.measured, context, command, experiment);
    }

    /// How far the measurement is, and the planes that are there.
    fn status(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        if let Some(measured) = self.measured.get_mut(self.shown) {
            let total = measured.command.side * measured.command.side;
            let known = measured.report(context.state).map_or(0, |report| report.losses.len() - report.unmeasured());
            measured.watched.show(ui, context, known, total);
        }
        if self.measured.len() < 2 {
            return;
        }
        let name = |index: usize| {
            self.measured.get(index).map(|measured| format!("{}. {}", index + 1, measured.name)).unwrap_or_default()
        };
        ui.horizontal(|ui| {
            let label = ui.label("Shown");
            let width = ui.available_width().clamp(100.0, 260.0);
            let list = ComboBox::from_id_salt("shown plane").selected_text(name(self.shown)).width(width).truncate();
            let list = list.show_ui(ui, |ui| {
                for index in (0..self.measured.len()).rev() {
                    ui.selectable_value(&mut self.shown, index, name(index));
                }
            });
            list.response.labelled_by(label.id);
        });
    }

    /// Map or surface, what it says, and the picked point.
    fn look(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let has_values = |measured: &&Measured<PlaneCommand>| {
            measured.report(context.state).is_some_and(|report| {
                report.losses.iter().flatten().any(|loss| loss.is_finite()) || measured.watched.is_over()
            })
        };
        // What was measured before stays in sight while the next plane has no value yet, and after one that failed.
        let shown = self.measured.get(self.shown).filter(has_values);
        let Some(measured) = shown.or_else(|| self.measured.iter().rev().find(has_values)) else {
            ui.label("The map of a plane appears here while it is measured, coarse points first.");
            return;
        };
        let Some(report) = measured.report(context.state) else { return };
        let plane = measured.watched.id;
        ui.label(RichText::new(&measured.name).heading());
        if let Some(fault) = report.fault() {
            ui.colored_label(context.theme.bad(), fault);
            return;
        }
        self.picked.enter(plane);
        let earlier = context.state.planes.get(&plane).is_some_and(|view| view.earlier);
        if earlier && measured.watched.is_over() && measuring::ask_earlier(ui, context) {
            context.send(measured.request());
        }
        choose(ui, report, &mut self.surface, &mut self.quantity);
        let done = measured.is_whole(context.state);
        let key = Key::new(plane, report, self.quantity, done);
        if self.scene.as_ref().is_none_or(|scene| scene.key != key) {
            self.scene = Scene::new(key, report);
        }
        let Some(scene) = &self.scene else {
            let words = format!("No point has a finite {}.", self.quantity.name(report));
            ui.colored_label(context.theme.warning(), words);
            return;
        };
        let shown = if self.surface {
            Some(self.relief.show(ui, context.theme, report, scene, self.picked.place))
        } else {
            self.map.show(ui, context.theme, report, scene, self.picked.place)
        };
        if self.surface {
            let words = "Drag or arrow keys turn it, the wheel or + and - come closer, Home resets.";
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new(words).small().color(context.theme.muted()));
                if ui.button("Reset the view").clicked() {
                    self.relief = Relief::default();
                }
            });
        }
        legend::show(ui, context.theme, report, scene);
        sentences(ui, context.theme, report, scene);
        if let Some(shown) = shown {
            if let Some(place) = shown.picked {
                self.picked.go(place, context.now_secs);
            }
            export(ui, context, report, shown.area);
            tell(shown, report);
        }
        context.theme.card_frame().show(ui, |ui| {
            ui.set_width(ui.available_width());
            self.picked.show(ui, context, (plane, earlier), report, &measured.experiment);
        });
    }
}

/// Map or surface; loss or score; of which task.
fn choose(ui: &mut Ui, report: &PlaneReport, surface: &mut bool, quantity: &mut Quantity) {
    let scored = report.scores.iter().flatten().any(|score| score.is_finite());
    if !scored {
        quantity.score = false;
    }
    quantity.task = quantity.task.filter(|task| *task < report.tasks.len());
    ui.horizontal_wrapped(|ui| {
        ui.selectable_value(surface, false, "Map");
        ui.selectable_value(surface, true, "Surface");
        ui.separator();
        ui.selectable_value(&mut quantity.score, false, "Loss");
        ui.add_enabled_ui(scored, |ui| ui.selectable_value(&mut quantity.score, true, "Score"));
        ui.separator();
        let label = ui.label("of");
        let name = |task: Option<usize>| {
            task.and_then(|task| report.tasks.get(task)).map_or("the mean over the tasks", String::as_str)
        };
        let list = ComboBox::from_id_salt("task of the plane").selected_text(name(quantity.task)).show_ui(ui, |ui| {
            for task in std::iter::once(None).chain((0..report.tasks.len()).map(Some)) {
                ui.selectable_value(&mut quantity.task, task, name(task));
            }
        });
        list.response.labelled_by(label.id);
    });
}

/// How much of the motion the plane holds, how far the tracks lie from it, and what is missing.
fn sentences(ui: &mut Ui, theme: &Theme, report: &PlaneReport, scene: &Scene) {
    let shares = report.share_of_motion.or(report.explained);
    if let Some([first, second]) = shares.map(|shares| shares.map(|share| 100.0 * share)) {
        let both = first + second;
        ui.label(format!(
            "The two directions hold {first:.1} % and {second:.1} % of the motion of the adapters, {both:.1} % together."
        ));
    } else if report.kind == "random directions" {
        let words =
            "What share of the motion of training these directions hold is not known: show a run's track on them.";
        ui.colored_label(theme.warning(), words);
    }
    for track in &report.tracks {
        let far: Vec<f64> = track.points.iter().map(|mark| mark.residual).filter(|far| far.is_finite()).collect();
        if !far.is_empty() {
            let mean = far.iter().sum::<f64>() / far.len() as f64;
            let words = format!("{}: {} from the plane on average.", track.name, super::paths::reading::digits(mean));
            ui.label(RichText::new(words).color(theme.muted()));
        }
    }
    let growing = scene.measured.iter().filter(|measured| !**measured).count();
    if !scene.key.done && growing > 0 {
        let words = format!("{growing} points are not measured; they are faint and show the nearest one that is.");
        ui.label(RichText::new(words).color(theme.muted()));
    }
    if scene.holes() > 0 {
        let words = format!("{} points have no finite value: hatched on the map, holes in the surface.", scene.holes());
        ui.colored_label(theme.warning(), words);
    }
    for warning in &report.warnings {
        ui.colored_label(theme.warning(), warning);
    }
}

/// The values under the pointer.
fn tell(shown: Shown, report: &PlaneReport) {
    let Some([x, y]) = shown.hovered else { return };
    let Some(index) = scene::nearest(report, x, y) else { return };
    shown.response.on_hover_ui_at_pointer(|ui| {
        ui.set_max_width(300.0);
        let extent = report.xs.last().zip(report.xs.first()).map_or(0.0, |(last, first)| last - first);
        let near = |mark: &&crate::engine::landscape_report::PlaneMark| (mark.x - x).hypot(mark.y - y) < 0.02 * extent;
        let marks = report.anchors.iter().chain(report.tracks.iter().flat_map(|track| &track.points));
        for mark in marks.filter(near).take(4) {
            let off = super::paths::reading::digits(mark.residual);
            ui.label(RichText::new(format!("{} ({off} from the plane)", mark.name)).strong());
        }
        let [x, y] = scene::place(report, index).unwrap_or([x, y]);
        ui.label(format!("({}, {})", map::short(x, false), map::short(y, false)));
        ui.label(point::values(report, index, "\n"));
    });
}

fn export(ui: &mut Ui, context: &mut Context<'_>, report: &PlaneReport, area: egui::Rect) {
    ui.horizontal_wrapped(|ui| {
        if ui.button("Save as CSV...").clicked() {
            let content = plane_csv(report);
            context.actions.push(Action::Export(Export::Text { name: "plane.csv".into(), content }));
        }
        if ui.button("Save the report (HTML)...").clicked() {
            let content = render_plane(report);
            context.actions.push(Action::Export(Export::Text { name: "plane.html".into(), content }));
        }
        if ui.button("Save the picture...").clicked() {
            let area = [area.left(), area.top(), area.right(), area.bottom()];
            context.actions.push(Action::Export(Export::Picture { name: "plane.png".into(), area }));
        }
        if !report.command.is_empty() && ui.button("Copy the command line").clicked() {
            context.actions.push(Action::Copy(report.command.clone()));
        }
    });
}

#[cfg(test)]
mod tests;
