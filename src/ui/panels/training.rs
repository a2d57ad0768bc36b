//! The *Training* panel: methods and settings of the next run, the run in progress and its curves.

#![allow(clippy::trivially_copy_pass_by_ref)] // a theme is handed on as `Context` has it

mod changes;
mod controls;
mod fields;
mod form;
mod knobs;
mod method_cards;
mod offers;
#[cfg(test)]
mod tests;
mod traces;

use crate::engine::config::ExperimentConfig;
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::theme::Theme;
use crate::ui::widgets::setting::Entries;
use changes::Differences;
use egui::{CollapsingHeader, Layout, RichText, ScrollArea, Ui, vec2};
use traces::Traces;

/// From this size on, settings and curves stand beside each other.
const WIDE: egui::Vec2 = vec2(760.0, 380.0);
/// Width of the settings beside the curves.
const SETTINGS_WIDTH: f32 = 350.0;

/// Widget state of the panel.
#[derive(Default)]
pub struct TrainingPanel {
    entries: Entries,
    /// Whether the settings are shown, once somebody chose.
    settings_shown: Option<bool>,
    checked: Option<(ExperimentConfig, Result<(), String>)>,
    differences: Differences,
    preset_problem: Option<String>,
    traces: Traces,
}

impl Panel for TrainingPanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Training
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        self.check(context);
        let size = ui.available_size();
        if size.x >= WIDE.x && size.y >= WIDE.y {
            self.head(ui, context, true);
            ui.add_space(Theme::GAP);
            self.beside(ui, context);
        } else {
            ScrollArea::vertical().id_salt("training").auto_shrink(false).show(ui, |ui| {
                // The scroll bar floats over what is drawn.
                ui.set_max_width(ui.available_width() - 12.0);
                self.head(ui, context, false);
                ui.add_space(Theme::GAP);
                if self.shown(context, false) {
                    self.settings(ui, context);
                    ui.add_space(Theme::GROUP_GAP);
                }
                self.traces.show(ui, context);
            });
        }
    }
}

impl TrainingPanel {
    /// Points that were handed to the painter in the last frame.
    #[cfg(test)]
    pub fn plot_points_last_frame(&self) -> usize {
        self.traces.points_last_frame()
    }

    /// Looks whether the draft can be run, when it changed.
    fn check(&mut self, context: &Context<'_>) {
        let draft = &context.state.draft.config;
        if self.checked.as_ref().is_none_or(|(before, _)| before != draft) {
            let result = draft.check().map_err(|error| error.to_string());
            self.checked = Some((draft.clone(), result));
        }
    }

    /// On a small panel the curves come first once there is something to see.
    fn shown(&self, context: &Context<'_>, wide: bool) -> bool {
        self.settings_shown.unwrap_or(wide || context.state.runs.is_empty())
    }

    /// What is always to be seen: the buttons, the progress, what differs.
    fn head(&mut self, ui: &mut Ui, context: &mut Context<'_>, wide: bool) {
        let fine = Ok(());
        let checked = self.checked.as_ref().map_or(&fine, |(_, result)| result);
        let shown = self.shown(context, wide);
        if controls::show(ui, context, checked, shown) {
            self.settings_shown = Some(!shown);
        }
        self.differs(ui, context);
    }

    /// What the next run would do otherwise than the selected one.
    fn differs(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let Some(run) = context.state.selected_run() else { return };
        let list = self.differences.of(run, context.state);
        if list.is_empty() {
            let text = format!("The settings below are those of {}.", run.title);
            ui.label(RichText::new(text).color(context.theme.muted()));
            return;
        }
        let (count, s) = (list.len(), if list.len() == 1 { "" } else { "s" });
        let title = format!("{count} setting{s} changed since {}", run.title);
        CollapsingHeader::new(title).id_salt("differences").show_unindented(ui, |ui| {
            for difference in list {
                ui.label(changes::line(difference));
            }
            let button = ui.button("Use the settings of that run");
            if button.on_hover_text("The draft of the next run becomes what this run was. It can be undone.").clicked()
            {
                context.edit("settings of a run", |draft| *draft = run.experiment.clone());
            }
        });
    }

    fn beside(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let size = ui.available_size();
        ui.allocate_ui_with_layout(size, Layout::left_to_right(egui::Align::Min), |ui| {
            if self.shown(context, true) {
                ui.allocate_ui_with_layout(vec2(SETTINGS_WIDTH, size.y), Layout::top_down(egui::Align::Min), |ui| {
                    ScrollArea::vertical().id_salt("settings").auto_shrink(false).show(ui, |ui| {
                        ui.set_max_width(SETTINGS_WIDTH - 14.0);
                        self.settings(ui, context);
                    });
                });
                ui.add_space(Theme::GAP);
            }
            let rest = vec2(ui.available_width(), size.y);
            ui.allocate_ui_with_layout(rest, Layout::top_down(egui::Align::Min), |ui| {
                ScrollArea::vertical().id_salt("curves").auto_shrink(false).show(ui, |ui| {
                    ui.set_max_width(ui.available_width() - 12.0);
                    self.traces.show(ui, context);
                });
            });
        });
    }

    fn settings(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        form::presets(ui, context, &mut self.preset_problem);
        ui.label(RichText::new("Methods of the next run").strong());
        method_cards::show(ui, context, &mut self.entries);
        ui.add_space(Theme::GAP);
        form::show(ui, context, &mut self.entries);
    }
}
