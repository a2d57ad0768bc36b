//! What an open card shows: examples with the loss mask, remarks, faults of the file, and how the file is read.

use super::words::{grouped, shortened};
use super::{Change, Entry, TasksPanel, mapping, preview, problem, small};
use crate::engine::protocol::cards::TaskCard;
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{RichText, Ui};

/// Width from which the labels are a table.
const TABLE: f32 = 360.0;

impl TasksPanel {
    pub(super) fn details(&mut self, ui: &mut Ui, context: &mut Context<'_>, entry: &Entry<'_>) -> Option<Change> {
        let theme = context.theme;
        ui.separator();
        match entry.known {
            Some(Ok(card)) => {
                let shown = self.examples.entry(entry.source().to_string()).or_insert(0);
                preview::show(ui, context, &card.name, &card.preview, shown);
                labels(ui, theme, card);
                remarks(ui, theme, card);
            }
            Some(Err(found)) => problem::lines(ui, context, found),
            None => {}
        }
        if !entry.is_file() {
            return None;
        }
        ui.add_space(Theme::GAP);
        ui.label(small(theme, entry.source()));
        let columns = self.columns.get(entry.source()).map(Vec::as_slice).unwrap_or_default();
        mapping::show(ui, theme, entry, columns, &mut self.typed)
    }
}

/// Every label with both counts, and what a constant answer would score.
fn labels(ui: &mut Ui, theme: &Theme, card: &TaskCard) {
    if card.labels.is_empty() {
        return;
    }
    ui.add_space(Theme::GAP);
    if ui.available_width() >= TABLE {
        egui::Grid::new("labels").num_columns(3).spacing([Theme::GROUP_GAP, 2.0]).show(ui, |ui| {
            for heading in ["Label", "To train on", "Scored"] {
                ui.label(small(theme, heading));
            }
            ui.end_row();
            for label in &card.labels {
                ui.label(shortened(&label.label, 40)).on_hover_text(&label.label);
                ui.label(grouped(label.train));
                ui.label(grouped(label.eval));
                ui.end_row();
            }
        });
    } else {
        for label in &card.labels {
            let (train, scored) = (grouped(label.train), grouped(label.eval));
            ui.label(format!("{}: {train} to train on, {scored} scored", label.label.trim()));
        }
    }
    ui.label(small(
        theme,
        format!("Always giving the most frequent label scores {}.", super::words::percent(card.majority)),
    ));
}

fn remarks(ui: &mut Ui, theme: &Theme, card: &TaskCard) {
    if card.cut > 0 {
        let count = super::words::counted(card.cut, "example is", "examples are");
        let text =
            format!("{count} longer than the limit and cut to fit. Raise \"Longest example\" to keep them whole.");
        ui.label(RichText::new(text).color(theme.warning()));
    }
    for warning in &card.warnings {
        ui.label(RichText::new(warning).color(theme.warning()));
    }
}
