//! Another policy or capacity, tried out before it is applied; and examples that are added by hand.

use super::Scene;
use super::edits::NOT_ACTIVE;
use super::preview::Kept;
use super::reading::{counted, grouped, task_name, tasks_seen};
use super::summary::{policy_about, policy_name};
use crate::continual::replay::ReplayPolicy;
use crate::engine::protocol::Command;
use crate::engine::protocol::buffer::BufferEdit;
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Button, ComboBox, DragValue, Grid, RichText, Ui, vec2};

/// The most that can be typed as a capacity.
const MOST: usize = 1_000_000;
const POLICIES: [ReplayPolicy; 3] = [ReplayPolicy::Reservoir, ReplayPolicy::Ring, ReplayPolicy::Balanced];

/// What is on the form.
#[derive(Debug, Default)]
pub struct PolicyForm {
    /// The run and its settings when the form was filled; when these change, the form follows.
    base: Option<(usize, ReplayPolicy, usize)>,
    policy: ReplayPolicy,
    capacity: usize,
}

impl PolicyForm {
    /// Draws the form, the preview and its buttons.
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, kept: &mut Kept, context: &mut Context<'_>) {
        let buffer = &scene.run.buffer;
        let base = (scene.run.number, buffer.policy, buffer.capacity);
        if self.base != Some(base) {
            self.base = Some(base);
            (self.policy, self.capacity) = (buffer.policy, buffer.capacity);
        }
        ui.add_enabled_ui(scene.editable, |ui| self.fields(ui));
        ui.label(RichText::new(policy_about(self.policy)).color(scene.theme.muted()));
        let changed = (self.policy, self.capacity) != (buffer.policy, buffer.capacity);
        ui.horizontal_wrapped(|ui| {
            let see = ui.add_enabled(scene.editable && changed, Button::new("See what would be kept"));
            let same = "Choose another policy or capacity first.";
            let why = if scene.editable { same } else { NOT_ACTIVE };
            if see.on_disabled_hover_text(why).clicked() {
                kept.ask(scene.run.number, self.policy, self.capacity);
                context.send(Command::PreviewBuffer { policy: self.policy, capacity: self.capacity });
            }
            let apply = ui.add_enabled(scene.editable && changed, Button::new("Apply"));
            let apply = apply.on_hover_text("Holds from the next step on. A smaller capacity drops items at once.");
            if apply.on_disabled_hover_text(why).clicked() {
                kept.clear();
                let edit = BufferEdit::Configure { policy: self.policy, capacity: self.capacity };
                context.send(Command::EditBuffer { edit });
            }
            if (kept.shown().is_some() || kept.is_waiting()) && ui.button("Hide preview").clicked() {
                kept.clear();
            }
        });
        if !scene.editable {
            ui.label(RichText::new(NOT_ACTIVE).color(scene.theme.muted()));
        } else if kept.is_waiting() {
            ui.label(RichText::new("Waiting for the preview…").color(scene.theme.muted()));
        }
        preview(ui, scene, kept);
    }

    fn fields(&mut self, ui: &mut Ui) {
        Grid::new("policy").num_columns(2).show(ui, |ui| {
            let label = ui.label("Policy");
            let combo = ComboBox::from_id_salt("policy").width(110.0).selected_text(policy_name(self.policy));
            let response = combo.show_ui(ui, |ui| {
                for policy in POLICIES {
                    let choice = ui.selectable_value(&mut self.policy, policy, policy_name(policy));
                    choice.on_hover_text(policy_about(policy));
                }
            });
            response.response.labelled_by(label.id);
            ui.end_row();
            let label = ui.label("Capacity");
            ui.add(DragValue::new(&mut self.capacity).range(1..=MOST).speed(1.0)).labelled_by(label.id);
        });
    }
}

/// What would stay and go, in numbers; the dots, map and cards show which.
fn preview(ui: &mut Ui, scene: &Scene<'_>, kept: &Kept) {
    let Some(shown) = kept.shown() else { return };
    let (theme, buffer) = (scene.theme, &scene.run.buffer);
    let counts = kept.counts(buffer);
    let (now, then) = counts.iter().fold((0, 0), |(now, then), (a, b)| (now + a, then + b));
    ui.add_space(Theme::GAP);
    ui.label(format!(
        "{} of capacity {}: {} of {} stay, {} would go.",
        super::legend::capitalised(policy_name(shown.policy)),
        grouped(shown.capacity as u64),
        grouped(then as u64),
        counted(now as u64, "item", "items"),
        grouped((now - then) as u64)
    ));
    if buffer.step > kept.step {
        let line = format!("As of step {}; the run has gone on since.", grouped(kept.step));
        ui.label(RichText::new(line).color(theme.muted()));
    }
    Grid::new("preview").num_columns(3).spacing(vec2(14.0, 3.0)).min_row_height(0.0).show(ui, |ui| {
        ui.spacing_mut().interact_size.y = 0.0;
        for heading in ["Task", "Now", "Then"] {
            ui.label(RichText::new(heading).color(theme.muted()));
        }
        ui.end_row();
        for (task, (now, then)) in counts.iter().enumerate() {
            ui.label(RichText::new(task_name(scene.run, task)).color(theme.task(task)));
            ui.label(grouped(*now as u64));
            ui.label(grouped(*then as u64));
            ui.end_row();
        }
    });
}

/// Which example is to be added.
#[derive(Debug)]
pub struct AddForm {
    task: usize,
    /// From 1, as people count.
    number: usize,
}

impl Default for AddForm {
    fn default() -> Self {
        Self { task: 0, number: 1 }
    }
}

impl AddForm {
    /// Draws the form and its button.
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, context: &mut Context<'_>) {
        let tasks = &scene.run.report.tasks;
        let all = tasks.len().max(tasks_seen(scene.run));
        self.task = self.task.min(all.saturating_sub(1));
        let examples = tasks.get(self.task).map_or(usize::MAX, |task| task.train.max(1));
        self.number = self.number.clamp(1, examples);
        ui.add_enabled_ui(scene.editable, |ui| {
            Grid::new("add").num_columns(2).show(ui, |ui| {
                let label = ui.label("From task");
                let combo =
                    ComboBox::from_id_salt("add task").width(110.0).selected_text(task_name(scene.run, self.task));
                let response = combo.show_ui(ui, |ui| {
                    for task in 0..all {
                        ui.selectable_value(&mut self.task, task, task_name(scene.run, task));
                    }
                });
                response.response.labelled_by(label.id);
                ui.end_row();
                let label = ui.label("Example");
                ui.horizontal(|ui| {
                    ui.add(DragValue::new(&mut self.number).range(1..=examples).speed(0.5)).labelled_by(label.id);
                    if examples < usize::MAX {
                        ui.label(RichText::new(format!("of {}", grouped(examples as u64))).color(scene.theme.muted()));
                    }
                    let add = ui.button("Add").on_hover_text("Puts this training example in, pinned.");
                    if add.on_disabled_hover_text(NOT_ACTIVE).clicked() {
                        let edit = BufferEdit::Add { task: self.task, example_index: self.number - 1 };
                        context.send(Command::EditBuffer { edit });
                    }
                });
            });
        });
        let full = scene.run.buffer.items.len() >= scene.run.buffer.capacity;
        let note = if full {
            "The buffer is full: a random item that is not pinned makes room."
        } else {
            "It is pinned, so that the policy does not replace it at once."
        };
        ui.label(RichText::new(note).color(scene.theme.muted()));
    }
}
