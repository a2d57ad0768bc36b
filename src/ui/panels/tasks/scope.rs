//! How much of each task is read and scored: the settings that belong to the data.

use super::fold;
use crate::engine::config::ExperimentConfig;
use crate::ui::panel::Context;
use crate::ui::widgets::setting::{self, Change, Control, Entries, Numbers, Setting};
use egui::{RichText, Ui};

/// A number of the draft.
struct Field {
    key: &'static str,
    label: &'static str,
    about: &'static str,
    unit: &'static str,
    least: f64,
    of: fn(&mut ExperimentConfig) -> &mut usize,
}

const FIELDS: [Field; 5] = [
    Field {
        key: "max_train_examples",
        label: "Training examples a task",
        about: "At most so many examples of each task are trained on; 0 takes all of them.",
        unit: "",
        least: 0.0,
        of: |draft| &mut draft.training.max_train_examples,
    },
    Field {
        key: "max_length",
        label: "Longest example",
        about: "An example with more tokens loses the start of its prompt; longer rows need more memory and time.",
        unit: "tokens",
        least: 8.0,
        of: |draft| &mut draft.training.max_length,
    },
    Field {
        key: "max_examples",
        label: "Scored examples a task",
        about: "After each task at most so many examples of every task are scored; 0 takes all of them.",
        unit: "",
        least: 0.0,
        of: |draft| &mut draft.evaluation.max_examples,
    },
    Field {
        key: "every_steps",
        label: "Score every",
        about: "Scores a few examples every so many steps, so that forgetting is seen while it happens; 0 scores between tasks only.",
        unit: "steps",
        least: 0.0,
        of: |draft| &mut draft.evaluation.every_steps,
    },
    Field {
        key: "subset",
        label: "Examples of such a score",
        about: "So many examples of each task are scored in the middle of a task; more are less noisy and take longer.",
        unit: "",
        least: 1.0,
        of: |draft| &mut draft.evaluation.subset,
    },
];

/// What is set, in a few words.
fn in_words(draft: &ExperimentConfig) -> String {
    let count = |value: usize| if value == 0 { "all".to_string() } else { super::words::grouped(value) };
    format!(
        "Train on {}, score {}, up to {} tokens",
        count(draft.training.max_train_examples),
        count(draft.evaluation.max_examples),
        super::words::grouped(draft.training.max_length)
    )
}

/// The settings, folded away below a line that says what they are.
pub(super) fn show(ui: &mut Ui, context: &mut Context<'_>, open: &mut bool, entries: &mut Entries) {
    let state = context.state;
    let title = in_words(&state.draft.config);
    let width = ui.available_width();
    if fold::line(ui, RichText::new(&title).color(context.theme.muted()), &title, width, *open).clicked() {
        *open = !*open;
    }
    if !*open {
        return;
    }
    ui.indent("how much is read and scored", |ui| {
        let (mut now, mut default) = (state.draft.config.clone(), ExperimentConfig::default());
        for field in &FIELDS {
            let (value, usual) = (*(field.of)(&mut now), *(field.of)(&mut default));
            let (text, usual_text) = (value.to_string(), usual.to_string());
            let setting = Setting {
                key: field.key,
                label: field.label,
                about: field.about,
                unit: field.unit,
                control: Control::Number(Numbers::whole(field.least)),
                value: &text,
                default: &usual_text,
                changed: value != usual,
            };
            let new = match setting.show(ui, context.theme, entries) {
                Some(Change::Set(text)) => text.parse().ok(),
                Some(Change::Reset) => Some(usual),
                None => None,
            };
            if let Some(new) = new {
                context.edit(&field.label.to_lowercase(), |draft| *(field.of)(draft) = new);
            }
        }
        setting::gap(ui);
    });
}
