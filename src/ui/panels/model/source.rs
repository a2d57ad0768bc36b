//! Which model: the embedded one, a folder, or one of the hub.

use super::download::{Downloads, is_fetched};
use super::parts::{field_and_button, long_line, note};
use crate::engine::config::BUILTIN_MODEL;
use crate::io::hub;
use crate::ui::action::{Action, Purpose};
use crate::ui::panel::Context;
use egui::{Button, RichText, Ui};
use std::path::Path;

/// What the lower half of the card shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum View {
    Embedded,
    Folder,
    Hub,
}

/// Widget state of the chooser.
#[derive(Default)]
pub struct SourceChooser {
    /// `None` until somebody chose: then it follows from the draft.
    view: Option<View>,
    path: String,
    downloads: Downloads,
}

impl SourceChooser {
    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let model = &context.state.draft.config.model;
        let of_hub = is_fetched(context.state, model) || hub::address_of(Path::new(model)).is_some();
        ui.horizontal(|ui| {
            ui.label("In use:");
            let name = if model == BUILTIN_MODEL { "the embedded model" } else { model.as_str() };
            long_line(ui, RichText::new(name).strong());
        });
        let of_draft = match (model == BUILTIN_MODEL, of_hub) {
            (true, _) => View::Embedded,
            (false, true) => View::Hub,
            (false, false) => View::Folder,
        };
        let view = self.view.unwrap_or(of_draft);
        ui.horizontal_wrapped(|ui| {
            for (kind, label, about) in [
                (View::Embedded, "Embedded", "The tiny model that is part of the program."),
                (View::Folder, "Folder", "A Hugging Face folder on this machine."),
                (View::Hub, "Hub", "A model of the Hugging Face hub."),
            ] {
                if ui.add(Button::selectable(view == kind, label)).on_hover_text(about).clicked() {
                    self.view = Some(kind);
                    if kind == View::Embedded {
                        use_model(context, BUILTIN_MODEL);
                    }
                }
            }
        });
        match view {
            View::Embedded => {
                note(
                    ui,
                    *context.theme,
                    "A tiny Llama that is part of the program. It needs no download and learns the built-in tasks in minutes \
                     on any machine.",
                );
                if model != BUILTIN_MODEL && ui.button("Use the embedded model").clicked() {
                    use_model(context, BUILTIN_MODEL);
                }
            }
            View::Folder => self.folder(ui, context),
            View::Hub => self.downloads.show(ui, context),
        }
        if view != View::Hub && self.downloads.any_in_progress(context.state) {
            note(ui, *context.theme, "A download goes on under Hub.");
        }
    }

    fn folder(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        note(
            ui,
            *context.theme,
            "A folder with config.json, model.safetensors (or its shards) and tokenizer.json. It can also be dropped on the \
             window.",
        );
        ui.horizontal_wrapped(|ui| {
            if ui.button("Choose a folder…").clicked() {
                context.actions.push(Action::Open(Purpose::ModelFolder));
            }
            let by_file = ui.button("Choose one of its files…");
            if by_file.on_hover_text("config.json or a .safetensors file: its folder is used.").clicked() {
                context.actions.push(Action::Open(Purpose::ModelFile));
            }
        });
        let label = ui.label("or its path").id;
        let texts = ("/folder/of/the/model", "Use", "Write the path of a folder first.");
        let ready = |path: &str| !path.trim().is_empty();
        if field_and_button(ui, *context.theme, &mut self.path, texts, label, ready) {
            use_model(context, self.path.trim());
        }
    }
}

/// Makes it the model of the next run.
pub fn use_model(context: &mut Context<'_>, model: &str) {
    // named with the choice, so that each choice is undone by itself
    context.edit(&format!("model {model}"), |draft| model.clone_into(&mut draft.model));
}
