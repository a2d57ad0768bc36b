//! What can be done with a run: the two menus of its row.

use super::export;
use super::table::{Rename, RunTable};
use crate::engine::protocol::{AdapterSource, Command};
use crate::engine::report_csv::matrix_csv;
use crate::ui::action::{Action, Export};
use crate::ui::panel::Context;
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::widgets::matrix::captioned_matrix_svg;
use crate::ui::words::slug;
use egui::{Button, Response, ScrollArea, Ui};

/// The folder from which a run can go on; `None` where it cannot.
pub fn resumable(run: &RunView) -> Option<&str> {
    let ended = matches!(run.status, RunStatus::Stopped | RunStatus::Failed(_));
    run.folder.as_deref().filter(|_| ended && run.resumable)
}

/// Both menus.
pub fn buttons(
    ui: &mut Ui,
    context: &mut Context<'_>,
    run: &RunView,
    label: &str,
    table: &mut RunTable,
    reference: Option<usize>,
) {
    let menu = ui.menu_button("Actions", |ui| actions(ui, context, run, table, reference));
    menu.response.accessible_name(format!("Actions for {label}"));
    let menu = ui.menu_button("Export", |ui| exports(ui, context, run));
    menu.response.accessible_name(format!("Export {label}"));
}

/// An entry that is there but cannot be chosen says why.
fn entry(ui: &mut Ui, text: &str, obstacle: Option<&str>) -> Response {
    let button = ui.add_enabled(obstacle.is_none(), Button::new(text));
    match obstacle {
        Some(reason) => button.on_disabled_hover_text(reason),
        None => button,
    }
}

fn actions(ui: &mut Ui, context: &mut Context<'_>, run: &RunView, table: &mut RunTable, reference: Option<usize>) {
    let number = run.number;
    if run.status == RunStatus::Queued {
        if ui.button("Remove from the queue").clicked() {
            context.send(Command::Unqueue { run: number });
        }
    } else if let Some(folder) = resumable(run)
        && ui.button("Resume").clicked()
    {
        context.send(Command::ResumeRun { run: number, folder: folder.to_string() });
    }
    let without_folder = run.folder.is_none().then_some(match run.status {
        RunStatus::Queued => "It gets a folder, and can be renamed, when it begins",
        _ => "It has no folder on this machine: the title is part of its capsule",
    });
    if entry(ui, "Rename", without_folder).clicked() {
        table.rename = Some(Rename { run: number, text: run.title.clone(), begun: false });
    }
    let is_reference = reference == Some(number);
    let already = is_reference.then_some("The others are compared with this run already");
    if entry(ui, "Compare all settings with this run", already).clicked() {
        table.reference = Some(number);
    }
    ui.separator();
    let command = &run.report.command;
    let no_command = command.is_empty().then_some("The command line is known once the run has begun");
    if entry(ui, "Copy command line", no_command).on_hover_text("Repeats this run in a terminal").clicked() {
        context.actions.push(Action::Copy(command.clone()));
    }
    if let Some(folder) = &run.folder
        && ui.button("Copy the folder's path").on_hover_text(folder).clicked()
    {
        context.actions.push(Action::Copy(folder.clone()));
    }
    ui.separator();
    let busy = match run.status {
        RunStatus::Running | RunStatus::Paused => Some("Stop it first"),
        RunStatus::Queued => Some("Remove it from the queue instead"),
        _ => None,
    };
    if entry(ui, "Delete…", busy).on_hover_text("Asks before it deletes anything").clicked() {
        context.actions.push(Action::Delete(number));
    }
}

fn exports(ui: &mut Ui, context: &mut Context<'_>, run: &RunView) {
    let (report, name) = (&run.report, slug(&run.title));
    let text = |context: &mut Context<'_>, ending: &str, content: String| {
        context.actions.push(Action::Export(Export::Text { name: format!("{name}{ending}"), content }));
    };
    let nothing_scored = report.learners.iter().all(|learner| learner.matrix.learnt() == 0);
    let no_matrix = nothing_scored.then_some("No task has been learnt and scored yet");
    let no_steps = run.curves.learning_rate.is_empty().then_some("No step has been reported yet");
    if entry(ui, "Metrics of every step (CSV)", no_steps).clicked() {
        text(context, "-metrics.csv", export::metrics_csv(run));
    }
    if entry(ui, "Accuracy matrices (CSV)", no_matrix).clicked() {
        text(context, "-matrix.csv", matrix_csv(report));
    }
    if entry(ui, "Accuracy matrix (SVG)", no_matrix).clicked()
        && let Some(learner) = report.headline_learner()
    {
        let caption = format!("{}\n{}", learner.label(), export::caption(run));
        let svg = captioned_matrix_svg(&learner.matrix, &run.task_names(), &caption, context.theme);
        text(context, "-matrix.svg", svg);
    }
    if entry(ui, "Report (HTML)", no_matrix.and(no_steps)).clicked() {
        text(context, "-report.html", export::html(&[run]));
    }
    if ui.button("Settings (TOML)").clicked() {
        text(context, "-config.toml", export::settings_toml(run));
    }
    ui.separator();
    let no_folder = run.folder.is_none().then_some("It has no folder on this machine");
    adapters(ui, context, run, &name);
    let capsule = entry(ui, "Capsule (.thalweg)", no_folder);
    let about = "The whole run in one file, which opens on another machine without the model";
    if capsule.on_hover_text(about).clicked()
        && let Some(folder) = &run.folder
    {
        let command = Command::SaveCapsule { run: run.number, folder: folder.clone(), path: String::new() };
        let export = Export::Command { name: format!("{name}.thalweg"), command: Box::new(command) };
        context.actions.push(Action::Export(export));
    }
}

/// One entry for each adapter in the run's folder.
fn adapters(ui: &mut Ui, context: &mut Context<'_>, run: &RunView, name: &str) {
    if run.adapters.is_empty() {
        entry(ui, "Adapter (PEFT)", Some("An adapter is saved at the end of every task, in the run's folder"));
        return;
    }
    ui.menu_button("Adapter (PEFT)", |ui| {
        ScrollArea::vertical().max_height(320.0).show(ui, |ui| {
            for (task, learner, path) in &run.adapters {
                let task_name = run.report.tasks.get(*task).map_or("", |task| task.name.as_str());
                let report = run.learner(learner);
                let label = report.map_or(learner.as_str(), |report| report.short_label());
                if ui.button(format!("After task {} {task_name}, {label}", task + 1)).on_hover_text(path).clicked() {
                    let from = AdapterSource::Folder { path: path.clone() };
                    let command = Box::new(Command::ExportAdapter { from, path: String::new() });
                    let name = format!("{name}-{:02}-{}", task + 1, slug(learner));
                    context.actions.push(Action::Export(Export::Command { name, command }));
                }
            }
        });
    });
}
