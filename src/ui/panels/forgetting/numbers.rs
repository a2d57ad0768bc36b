//! The five numbers: large on tiles, each with what it means, and as a table of learners and runs.

use super::{learner_label, muted};
use crate::continual::metrics::AccuracyMatrix;
use crate::ui::panel::Context;
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use crate::ui::widgets::matrix::{NUMBERS, Number, signed};
use egui::{Color32, RichText, Ui};
use std::cmp::Ordering;

/// Least width of a tile.
const TILE: f32 = 138.0;

/// The numbers of one learner.
pub fn tiles(ui: &mut Ui, theme: &Theme, learner: &str, matrix: &AccuracyMatrix) {
    let room = ((ui.available_width() + Theme::GAP) / (TILE + Theme::GAP)).floor().max(1.0) as usize;
    // As many in each line as the number of lines needs, so that no tile stands alone where two could stand together.
    let beside = NUMBERS.len().div_ceil(NUMBERS.len().div_ceil(room));
    for row in NUMBERS.chunks(beside) {
        ui.columns(beside, |columns| {
            for (ui, number) in columns.iter_mut().zip(row) {
                // Columns justify their text, which tears short lines apart.
                ui.vertical(|ui| tile(ui, theme, learner, number, matrix));
            }
        });
    }
}

fn tile(ui: &mut Ui, theme: &Theme, learner: &str, number: &Number, matrix: &AccuracyMatrix) {
    let value = (number.read)(matrix);
    theme.card_frame().show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.set_min_height(62.0);
        ui.spacing_mut().item_spacing.y = 1.0;
        ui.horizontal(|ui| {
            ui.label(muted(theme, number.name));
            ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| about(ui, theme, learner, number));
        });
        let shown = number.written(value);
        let (digits, unit) = shown.split_once(' ').unwrap_or((&shown, ""));
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 3.0;
            ui.label(RichText::new(digits).heading().color(colour(theme, number, value)));
            ui.label(muted(theme, unit));
        });
        let floors = [("chance", matrix.average_chance()), ("untrained", matrix.average_zero_shot())];
        if let Some(reason) = number.reason(matrix) {
            ui.label(muted(theme, reason));
        } else if number.name == "average accuracy" {
            let floors: Vec<String> =
                floors.iter().filter_map(|(name, share)| Some(format!("{name} {:.0}", 100.0 * (*share)?))).collect();
            ui.label(muted(theme, floors.join(", ")));
        }
    });
}

/// The question mark: one sentence, the formula, where it comes from.
fn about(ui: &mut Ui, theme: &Theme, learner: &str, number: &Number) {
    let name = format!("What is {}? ({learner})", number.name);
    let button = ui.menu_button(RichText::new("?").small(), |ui| {
        ui.set_max_width(320.0);
        ui.vertical(|ui| {
            ui.label(RichText::new(number.name).strong());
            ui.label(number.about);
            ui.label(RichText::new(number.formula).monospace());
            ui.label(muted(theme, "a(i, j): score on task j after learning task i, of T tasks learnt so far"));
            ui.label(muted(theme, number.source));
        });
    });
    button.response.accessible_name(name);
}

fn colour(theme: &Theme, number: &Number, value: Option<f64>) -> Color32 {
    match value.map(|value| number.verdict(value)) {
        None => theme.muted(),
        Some(Ordering::Less) => theme.bad(),
        Some(Ordering::Greater) => theme.good(),
        Some(Ordering::Equal) => theme.text(),
    }
}

/// All learners of the run, what the second has over the first, and the compared runs.
pub fn table(ui: &mut Ui, context: &Context<'_>, run: &RunView, compared: &[&RunView]) {
    let theme = context.theme;
    ui.label(RichText::new("In numbers").strong());
    egui::ScrollArea::horizontal().id_salt("numbers").show(ui, |ui| {
        egui::Grid::new("numbers of the learners").striped(true).spacing([Theme::GROUP_GAP, Theme::GAP]).show(
            ui,
            |ui| {
                ui.label("");
                for number in &NUMBERS {
                    ui.label(muted(theme, number.name)).on_hover_text(number.about);
                }
                ui.end_row();
                for learner in &run.report.learners {
                    ui.label(learner_label(run, learner));
                    values(ui, theme, &learner.matrix);
                }
                if let [first, second, ..] = run.report.learners.as_slice() {
                    ui.label(RichText::new(format!("{} minus {}", second.short_label(), first.short_label())).strong());
                    for number in &NUMBERS {
                        difference(ui, theme, number, &first.matrix, &second.matrix);
                    }
                    ui.end_row();
                }
                for other in compared {
                    let Some(learner) = other.report.headline_learner() else { continue };
                    let name = if other.report.learners.len() > 1 { learner.short_label() } else { "" };
                    ui.label(format!("{} {name}", other.title).trim_end());
                    values(ui, theme, &learner.matrix);
                }
            },
        );
    });
}

fn values(ui: &mut Ui, theme: &Theme, matrix: &AccuracyMatrix) {
    for number in &NUMBERS {
        let value = (number.read)(matrix);
        let label = ui.label(RichText::new(number.written(value)).color(colour(theme, number, value)));
        if let Some(reason) = number.reason(matrix) {
            label.on_hover_text(reason);
        }
    }
    ui.end_row();
}

fn difference(ui: &mut Ui, theme: &Theme, number: &Number, first: &AccuracyMatrix, second: &AccuracyMatrix) {
    let both = (number.read)(first).zip((number.read)(second));
    let Some((one, two)) = both else {
        ui.label(RichText::new("\u{2013}").color(theme.muted())).on_hover_text("one of the two was not measured");
        return;
    };
    let gain = if number.larger_is_better { two - one } else { one - two };
    let colour = match gain {
        gain if gain > 0.0005 => theme.good(),
        gain if gain < -0.0005 => theme.bad(),
        _ => theme.text(),
    };
    ui.label(RichText::new(format!("{} points", signed(two - one, 1))).color(colour));
}
