//! Adding tasks: built-in ones, files from a dialogue, files that are dropped.

use super::source;
use super::words::number_word;
use crate::engine::config::{ExperimentConfig, TaskConfig};
use crate::ui::action::{Action, Purpose};
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Button, RichText, Ui};
use std::path::Path;

/// Endings of files that hold examples.
const ENDINGS: [&str; 6] = ["json", "jsonl", "ndjson", "csv", "tsv", "parquet"];

fn builtin(name: &str) -> String {
    format!("builtin:{name}")
}

/// Appends a source, unless it is in the stream already.
fn append(draft: &mut ExperimentConfig, new: &str) {
    if !draft.tasks.iter().any(|task| source(task) == new) {
        draft.tasks.push(TaskConfig::Source(new.to_string()));
    }
}

/// Built-in tasks that the draft has not.
fn missing<'a>(context: &Context<'a>) -> Vec<&'a str> {
    let state = context.state;
    let has =
        |name: &str| state.draft.config.tasks.iter().any(|task| source(task).strip_prefix("builtin:") == Some(name));
    state.catalogue.tasks.iter().map(String::as_str).filter(|name| !has(name)).collect()
}

/// Appends every built-in task that the draft has not.
fn add_all(context: &mut Context<'_>) {
    let names = missing(context);
    context.edit("add the built-in tasks", |draft| {
        for name in names {
            append(draft, &builtin(name));
        }
    });
}

fn all_label(context: &Context<'_>) -> String {
    let count = context.state.catalogue.tasks.len();
    if count == 0 { "All built-in tasks".into() } else { format!("All {} built-in tasks", number_word(count)) }
}

/// The row of buttons above the list.
pub(super) fn bar(ui: &mut Ui, context: &mut Context<'_>) {
    let missing = missing(context);
    let mut chosen = None;
    ui.horizontal_wrapped(|ui| {
        ui.menu_button("Add task", |ui| {
            for name in &missing {
                if ui.button(*name).clicked() {
                    chosen = Some(*name);
                    ui.close();
                }
            }
            if missing.is_empty() {
                let why = if context.state.catalogue.tasks.is_empty() {
                    "The engine has not said yet which there are."
                } else {
                    "All built-in tasks are in the list."
                };
                ui.label(RichText::new(why).color(context.theme.muted()));
            }
        })
        .response
        .on_hover_text("A task that is part of the program");
        let files = ui.button("Add files…");
        if files.clicked() {
            context.actions.push(Action::Open(Purpose::TaskFiles));
        }
        files.on_hover_text(
            "JSON, JSONL, CSV, TSV or Parquet, or a folder with train and test files; or drop them here",
        );
        if !context.state.draft.config.tasks.is_empty() {
            if !missing.is_empty() && ui.button(all_label(context)).clicked() {
                add_all(context);
            }
            let none = ui.button("Remove all").on_hover_text("Empties the list; undo brings it back");
            if none.clicked() {
                context.edit("remove all tasks", |draft| draft.tasks.clear());
            }
        }
    });
    if let Some(name) = chosen {
        context.edit(&format!("add {name}"), |draft| append(draft, &builtin(name)));
    }
    if ui.input(|input| !input.raw.hovered_files.is_empty()) {
        ui.label(RichText::new("Let go to add these files as tasks.").color(context.theme.accent()).strong());
    }
}

/// What stands where the list would be.
pub(super) fn nothing_yet(ui: &mut Ui, context: &mut Context<'_>) {
    ui.add_space(Theme::GROUP_GAP);
    ui.vertical_centered(|ui| {
        ui.label(RichText::new("No tasks yet").heading());
        ui.label(
            "A run learns one task after another; what it forgets of the earlier ones is what this program shows. \
             Begin with the tasks that are built in, or with files of your own: one prompt and one answer in each row.",
        );
        ui.add_space(Theme::GAP);
        let all = Button::new(RichText::new(all_label(context)).strong());
        if ui.add_enabled(!context.state.catalogue.tasks.is_empty(), all).clicked() {
            add_all(context);
        }
        ui.add_space(Theme::GAP);
        ui.label(
            RichText::new("JSON, JSONL, CSV, TSV and Parquet files can be dropped here.").color(context.theme.muted()),
        );
    });
}

/// Takes files of examples that were dropped onto the window. Folders and other files are left to others.
pub(super) fn take_dropped(ui: &Ui, context: &mut Context<'_>) {
    let is_task = |path: &Path| {
        let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
        // In a browser a dropped file has a name only; its bytes are the frame's business.
        path.is_absolute() && ENDINGS.contains(&ending.as_str())
    };
    let mut paths = Vec::new();
    ui.input_mut(|input| {
        input.raw.dropped_files.retain(|file| {
            let takes = is_task(file.path());
            if takes {
                paths.push(file.path().display().to_string());
            }
            !takes
        });
    });
    if !paths.is_empty() {
        context.edit("add files", |draft| paths.iter().for_each(|path| append(draft, path)));
    }
}
