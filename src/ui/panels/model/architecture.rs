//! What the chosen model is: its sizes by their Hugging Face names, and what of it would be trained.

use super::parts::{bar, note, notice};
use super::source::use_model;
use super::units;
use crate::engine::config::BUILTIN_MODEL;
use crate::engine::protocol::Command;
use crate::engine::protocol::cards::ModelCard;
use crate::ui::action::{Action, Purpose};
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Grid, Label, RichText, Ui};

/// From this width on, two sizes stand in one row.
const TWO_PAIRS: f32 = 460.0;
/// Height of a row that nobody clicks.
const ROW: f32 = 19.0;

pub fn show(ui: &mut Ui, context: &mut Context<'_>) {
    let state = context.state;
    match &state.model {
        Some(Ok(card)) if card.model == state.draft.config.model => known(ui, *context.theme, card),
        Some(Err(problem)) => {
            notice(ui, context.theme.bad(), problem);
            remedies(ui, context);
        }
        None | Some(Ok(_)) => {
            note(
                ui,
                *context.theme,
                "Sizes, parameters and storage types stand here as soon as the model's config.json and the header of its \
                 weights are read.",
            );
            if ui.button("Read the model now").on_hover_text("Reads no weights.").clicked() {
                inspect(context);
            }
        }
    }
}

fn inspect(context: &mut Context<'_>) {
    let experiment = Box::new(context.state.draft.config.clone());
    context.send(Command::InspectModel { experiment });
}

fn remedies(ui: &mut Ui, context: &mut Context<'_>) {
    ui.horizontal_wrapped(|ui| {
        if context.state.draft.config.model != BUILTIN_MODEL {
            if ui.button("Choose another folder…").clicked() {
                context.actions.push(Action::Open(Purpose::ModelFolder));
            }
            if ui.button("Take the embedded model").clicked() {
                use_model(context, BUILTIN_MODEL);
            }
        }
        if ui.button("Read it again").clicked() {
            inspect(context);
        }
    });
}

/// Name, value, and what it means.
fn rows(card: &ModelCard) -> Vec<(&'static str, String, &'static str)> {
    let number = units::grouped;
    vec![
        ("model_type", card.model_type.clone(), "Family of the architecture."),
        ("hidden_size", number(card.hidden_size), "Width of the states that go from layer to layer."),
        ("intermediate_size", number(card.intermediate_size), "Width inside the feed-forward part of a layer."),
        ("num_hidden_layers", number(card.num_hidden_layers), "Layers, one after another."),
        ("num_attention_heads", number(card.num_attention_heads), "Heads that ask, in each layer."),
        (
            "num_key_value_heads",
            number(card.num_key_value_heads),
            "Heads that answer; fewer than those that ask means that several share one (grouped-query attention).",
        ),
        ("vocab_size", number(card.vocab_size), "Tokens that the model knows."),
        ("max_position_embeddings", number(card.max_position_embeddings), "Longest text in tokens."),
        (
            "tie_word_embeddings",
            card.tie_word_embeddings.to_string(),
            "Whether one matrix serves both to read tokens and to predict them.",
        ),
    ]
}

fn known(ui: &mut Ui, theme: Theme, card: &ModelCard) {
    let dtypes = if card.dtypes.is_empty() { String::new() } else { format!(", stored as {}", card.dtypes.join(", ")) };
    let parameters = ui.add(
        Label::new(format!(
            "{} parameters, {} of weights{dtypes}",
            units::count(card.parameters),
            units::bytes(card.weights_bytes)
        ))
        .wrap(),
    );
    parameters.on_hover_text(format!("{} parameters", units::grouped(card.parameters)));
    for warning in &card.warnings {
        notice(ui, theme.warning(), warning);
    }
    // two names beside one another where there is room
    let pairs = if ui.available_width() < TWO_PAIRS { 1 } else { 2 };
    let rows = rows(card);
    let height = rows.len().div_ceil(pairs);
    let grid = Grid::new("sizes").num_columns(2 * pairs).spacing([Theme::GROUP_GAP, 2.0]).min_row_height(ROW);
    grid.striped(true).show(ui, |ui| {
        for line in 0..height {
            for (name, value, about) in rows.iter().skip(line).step_by(height) {
                ui.label(RichText::new(*name).monospace().color(theme.muted())).on_hover_text(*about);
                ui.label(RichText::new(value).monospace());
            }
            ui.end_row();
        }
    });
    ui.add_space(Theme::GAP);
    let trained = card.trainable_parameters;
    let sentence = format!(
        "{} trainable parameters, {} of the model's size",
        units::grouped(trained),
        units::percent(trained, card.parameters)
    );
    let share = if card.parameters == 0 { 0.0 } else { trained as f64 / card.parameters as f64 };
    ui.add(Label::new(&sentence).wrap());
    bar(ui, theme, Some(8.0), &[(share, theme.learner("working"))], &sentence);
}
