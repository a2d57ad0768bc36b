//! What the panel says while there is no buffer to look into, and the next step.

use crate::engine::protocol::Command;
use crate::ui::action::Action;
use crate::ui::panel::{Context, PanelKind};
use crate::ui::state::AppState;
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::theme::Theme;
use egui::{RichText, ScrollArea, Ui};

/// Whether a run keeps a replay buffer.
pub fn has_buffer(state: &AppState, run: &RunView) -> bool {
    let told = !run.buffer.items.is_empty() || run.report.buffer.is_some();
    told || state.catalogue.method(&run.report.method).is_some_and(|method| method.replays)
}

/// Draws the reason and the next step, if there is nothing else to show. `true` if it did.
pub fn show(ui: &mut Ui, context: &mut Context<'_>) -> bool {
    let state = context.state;
    let Some(run) = state.selected_run() else {
        let about = "Here you will see every past example that a run keeps to replay: its task, its text, how often it was \
                     replayed, and its loss under the fast and the slow learner. You can pin, drop and add items while the \
                     run goes on.";
        message(ui, *context.theme, "No run yet", about, |ui| {
            let start =
                ui.button("Watch it forget").on_hover_text("Runs plain fine-tuning, then I-LoRA with a buffer.");
            if start.clicked() {
                context.actions.push(Action::WatchItForget);
            }
        });
        return true;
    };
    if !has_buffer(state, run) {
        without_buffer(ui, context, run);
        return true;
    }
    if !run.buffer.items.is_empty() {
        return false;
    }
    match (&run.status, &run.folder) {
        (RunStatus::Queued, _) => {
            let about = "Its buffer fills up while it learns its first task.";
            message(ui, *context.theme, "This run has not begun", about, |_| {});
        }
        (RunStatus::Running | RunStatus::Paused, _) => {
            let about = "Examples enter while the first task is learnt. They are shown here after the next step.";
            message(ui, *context.theme, "The buffer is still empty", about, |_| {});
        }
        (_, Some(folder)) => {
            let about = "Items of a large buffer are told only while somebody looks, and nobody did while this run went on. \
                         Its folder holds the buffer of its last checkpoint, if it came to one.";
            message(ui, *context.theme, "The items of this run are not loaded", about, |ui| {
                if ui.button("Read the run's folder").clicked() {
                    let command = Command::OpenRuns { run: run.number, folder: folder.clone() };
                    context.actions.push(Action::Send(Box::new(command)));
                }
            });
        }
        (_, None) => {
            let about = "The run ended before anything was kept, or its file does not hold the buffer.";
            message(ui, *context.theme, "No items are known of this run", about, |_| {});
        }
    }
    true
}

fn without_buffer(ui: &mut Ui, context: &mut Context<'_>, run: &RunView) {
    let state = context.state;
    let title = format!("{} keeps no replay buffer", run.report.method_label);
    let methods: Vec<&str> =
        state.catalogue.methods.iter().filter(|method| method.replays).map(|method| method.label.as_str()).collect();
    let about = if methods.is_empty() {
        "It learns each task without looking back at earlier examples.".to_string()
    } else {
        format!(
            "It learns each task without looking back at earlier examples. Methods that replay: {}.",
            methods.join(", ")
        )
    };
    let other = state.runs.iter().rev().find(|other| has_buffer(state, other));
    message(ui, *context.theme, &title, &about, |ui| match other {
        Some(other) => {
            if ui.button(format!("Look at {}", other.title)).clicked() {
                context.actions.push(Action::Select(other.number));
            }
        }
        None => {
            let choose = ui.button("Choose a method").on_hover_text("Opens the Training panel.");
            if choose.clicked() {
                context.actions.push(Action::Show(PanelKind::Training));
            }
        }
    });
}

fn message(ui: &mut Ui, theme: Theme, title: &str, about: &str, next: impl FnOnce(&mut Ui)) {
    ScrollArea::vertical().id_salt("no buffer").auto_shrink([false, false]).show(ui, |ui| {
        ui.vertical_centered(|ui| {
            ui.add_space((ui.available_height() * 0.2).min(90.0));
            ui.set_max_width(ui.available_width().min(440.0));
            ui.label(RichText::new(title).heading());
            ui.label(RichText::new(about).color(theme.muted()));
            ui.add_space(Theme::GAP);
            next(ui);
        });
    });
}
