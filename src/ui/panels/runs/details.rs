//! What else is known of the selected run: where it lies, how to repeat it, what went wrong, every changed setting.

use super::differences::{Changes, sentence};
use crate::ui::action::Action;
use crate::ui::panel::Context;
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::theme::Theme;
use egui::{CollapsingHeader, Grid, Label, RichText, Ui};

pub fn show(ui: &mut Ui, context: &mut Context<'_>, run: &RunView, label: &str, changes: &Changes, reference: &str) {
    let theme = *context.theme;
    if let RunStatus::Failed(message) = &run.status {
        ui.add(Label::new(RichText::new(format!("{label} failed: {message}")).color(theme.bad())).wrap());
    }
    for warning in &run.report.warnings {
        ui.add(Label::new(RichText::new(warning).color(theme.warning())).wrap());
    }
    CollapsingHeader::new(format!("About {label}")).id_salt("about the selected run").show(ui, |ui| {
        Grid::new("facts of the selected run").num_columns(2).spacing([14.0, 2.0]).show(ui, |ui| {
            fact(ui, theme, "Model", &run.experiment.model);
            fact(ui, theme, "Device", &run.report.device);
            fact(ui, theme, "Program", &run.report.version);
            match &run.folder {
                Some(folder) => fact(ui, theme, "Folder", folder),
                None if run.status == RunStatus::Queued => fact(ui, theme, "Folder", "made when the run begins"),
                None => fact(ui, theme, "Folder", "none: it was opened from a capsule"),
            }
        });
        if !run.report.command.is_empty() {
            ui.horizontal_wrapped(|ui| {
                ui.label(RichText::new("Repeat it").color(theme.muted()));
                ui.label(RichText::new(&run.report.command).monospace());
                if ui.small_button("Copy").accessible_name(format!("Copy the command line of {label}")).clicked() {
                    context.actions.push(Action::Copy(run.report.command.clone()));
                }
            });
        }
        let differences = changes.of(run.number);
        if changes.reference() != Some(run.number) {
            let count = match differences.len() {
                0 => format!("The same settings as {reference}."),
                1 => format!("One setting differs from {reference}:"),
                count => format!("{count} settings differ from {reference}:"),
            };
            ui.label(RichText::new(count).color(theme.muted()));
        }
        for difference in differences {
            ui.add(Label::new(RichText::new(sentence(difference)).monospace()).wrap());
        }
    });
}

fn fact(ui: &mut Ui, theme: Theme, name: &str, value: &str) {
    if !value.is_empty() {
        ui.label(RichText::new(name).color(theme.muted()));
        ui.label(value);
        ui.end_row();
    }
}
