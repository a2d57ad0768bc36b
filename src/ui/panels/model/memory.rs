//! Whether the next run fits, estimated from shapes before any weight is loaded.

use super::parts::{bar, note, notice, swatch};
use super::units;
use crate::engine::protocol::cards::{MemoryEstimate, ModelCard};
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Align, Grid, Label, Layout, Ui, Vec2};

/// Height of a row that nobody clicks.
const ROW: f32 = 19.0;
/// Width of a column of numbers.
const NUMBER: f32 = 64.0;

/// Parts of the estimate: name, bytes, and what makes them more or less.
fn shares(memory: &MemoryEstimate) -> [(&'static str, u64, &'static str); 6] {
    [
        ("Base model", memory.base, "The frozen weights."),
        (
            "Adapters",
            memory.adapters,
            "All adapters that the method keeps: grows with the rank and the target modules.",
        ),
        ("Optimiser", memory.optimiser, "AdamW's two moments and the gradient of the adapter."),
        (
            "Activations",
            memory.activations,
            "What the backward pass keeps of one step: grows with batch size, length and layers.",
        ),
        (
            "Logits",
            memory.logits,
            "Predictions over the vocabulary at the targets: grows with batch size and vocabulary.",
        ),
        ("Replay buffer", memory.buffer, "Kept examples: grows with the buffer's capacity."),
    ]
}

pub fn show(ui: &mut Ui, context: &mut Context<'_>) {
    let state = context.state;
    match &state.model {
        Some(Ok(card)) if card.model == state.draft.config.model => estimate(ui, *context.theme, card),
        Some(Err(_)) => {
            note(ui, *context.theme, "No estimate without a readable model.");
        }
        None | Some(Ok(_)) => {
            note(ui, *context.theme, "What a run with these settings needs stands here before anything is loaded.");
        }
    }
}

fn estimate(ui: &mut Ui, theme: Theme, card: &ModelCard) {
    let total = card.memory.total();
    let parts = shares(&card.memory);
    if let Some(problem) = &card.too_large {
        notice(ui, theme.warning(), problem);
    }
    let headline = match card.available_bytes {
        Some(available) => format!("About {} of {} that are free now", units::bytes(total), units::bytes(available)),
        None => format!("About {}; this platform does not tell how much is free", units::bytes(total)),
    };
    ui.add(Label::new(&headline).wrap());
    if let Some(available) = card.available_bytes {
        let share = if available == 0 { 1.0 } else { total as f64 / available as f64 };
        let tight = card.too_large.is_some() || share > 1.0;
        let colour = if tight { theme.warning() } else { theme.good() };
        bar(ui, theme, Some(8.0), &[(share, colour)], &headline);
    }
    ui.add_space(Theme::GAP);
    let whole = total.max(1) as f64;
    let coloured: Vec<_> =
        parts.iter().enumerate().map(|(index, (_, bytes, _))| (*bytes as f64 / whole, theme.task(index))).collect();
    let listed: Vec<String> = parts.iter().map(|(name, bytes, _)| format!("{name} {}", units::bytes(*bytes))).collect();
    bar(ui, theme, None, &coloured, &format!("Parts of the memory: {}", listed.join(", ")))
        .on_hover_text(listed.join("\n"));
    let grid = Grid::new("memory").num_columns(3).spacing([Theme::GROUP_GAP, 2.0]).min_row_height(ROW);
    grid.show(ui, |ui| {
        ui.spacing_mut().interact_size.y = ROW;
        for (index, (name, bytes, about)) in parts.into_iter().enumerate() {
            ui.horizontal(|ui| {
                swatch(ui, theme.task(index));
                ui.label(name).on_hover_text(about);
            });
            right(ui, units::bytes(bytes));
            right(ui, units::percent(bytes, total));
            ui.end_row();
        }
    });
}

/// Numbers stand under one another at their right.
fn right(ui: &mut Ui, text: String) {
    let size = Vec2::new(NUMBER, ROW);
    ui.allocate_ui_with_layout(size, Layout::right_to_left(Align::Center), |ui| {
        ui.set_min_width(NUMBER);
        ui.label(text);
    });
}
