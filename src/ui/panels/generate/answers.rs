//! What was answered: a column for each source as it streams in, with its mark, and the prompts before.

use super::form::muted;
use super::sources::Source;
use super::{Asked, GeneratePanel};
use crate::ui::panel::Context;
use crate::ui::state::{AppState, GenerationView};
use crate::ui::theme::Theme;
use egui::{Label, RichText, Sense, TextStyle, Ui, vec2};

/// Least width of a column.
const COLUMN: f32 = 210.0;
/// Letters of a prompt in the list of those before.
const LETTERS: usize = 60;

/// How an answer stands to the expected one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    /// The same but for white space around it.
    Right,
    /// It begins with the expected answer and goes on.
    Begins,
    Wrong,
}

/// Marks a text; `None` where no answer is expected.
pub(super) fn mark(text: &str, expected: &str) -> Option<Mark> {
    let (text, expected) = (text.trim(), expected.trim());
    if expected.is_empty() {
        return None;
    }
    if text == expected {
        return Some(Mark::Right);
    }
    // `nothing` does not begin with the answer `no`.
    let rest = text.strip_prefix(expected);
    let ends =
        rest.is_some_and(|rest| !rest.starts_with(char::is_alphanumeric) || !expected.ends_with(char::is_alphanumeric));
    Some(if ends { Mark::Begins } else { Mark::Wrong })
}

impl Asked {
    /// Is it still being written?
    pub(super) fn is_going(&self, state: &AppState) -> bool {
        if self.stopped {
            return false;
        }
        let Some(view) = state.generations.get(&self.id) else { return true };
        let done = view.columns.iter().filter(|(_, done)| *done).count();
        view.failed.is_none() && done < self.sources.len()
    }
}

impl GeneratePanel {
    /// The columns of what is shown.
    pub(super) fn answers(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let theme = context.theme;
        let Some(asked) = self.asked.get(self.shown) else {
            ui.label(muted(
                theme,
                "The texts will stream in here side by side, so that one sees what a learner has learnt and what it has lost.",
            ));
            return;
        };
        let view = context.state.generations.get(&asked.id);
        if self.shown > 0 || asked.prompt != self.prompt {
            ui.label(muted(theme, "Answers to:"));
            ui.label(RichText::new(shortened(&asked.prompt, 4 * LETTERS)).italics());
        }
        if !asked.expected.is_empty() {
            ui.horizontal_wrapped(|ui| {
                ui.label(muted(theme, "Expected"));
                ui.label(RichText::new(&asked.expected).strong());
            });
        }
        if let Some(message) = view.and_then(|view| view.failed.as_ref()) {
            ui.colored_label(theme.bad(), format!("The text could not be generated: {message}"));
        }
        let beside = ((ui.available_width() / COLUMN).floor() as usize).clamp(1, asked.sources.len().max(1));
        for (row, sources) in asked.sources.chunks(beside).enumerate() {
            ui.columns(beside, |columns| {
                for (place, (ui, source)) in columns.iter_mut().zip(sources).enumerate() {
                    ui.vertical(|ui| column(ui, theme, asked, source, view, row * beside + place));
                }
            });
            ui.add_space(Theme::GAP);
        }
    }

    /// The prompts before this one.
    pub(super) fn history(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        if self.asked.len() < 2 {
            return;
        }
        ui.add_space(Theme::GROUP_GAP);
        ui.label(RichText::new("Asked before").strong());
        let mut chosen = None;
        for (place, asked) in self.asked.iter().enumerate() {
            ui.horizontal_wrapped(|ui| {
                let text = shortened(&asked.prompt, LETTERS);
                if ui.selectable_label(place == self.shown, text).clicked() {
                    chosen = Some(place);
                }
                let right = rights(asked, context.state.generations.get(&asked.id));
                if let Some(right) = right {
                    ui.label(muted(context.theme, format!("{right} of {} right", asked.sources.len())));
                }
            });
        }
        if let Some(place) = chosen {
            self.shown = place;
            if let Some(asked) = self.asked.get(place) {
                (self.prompt, self.expected) = (asked.prompt.clone(), asked.expected.clone());
                (self.sampling, self.taken) = (asked.sampling.clone(), None);
            }
        }
    }
}

/// How many of the sources answered right; `None` where there is nothing to compare with yet.
fn rights(asked: &Asked, view: Option<&GenerationView>) -> Option<usize> {
    let view = view.filter(|view| !asked.expected.is_empty() && view.columns.iter().any(|(_, done)| *done))?;
    let right = |(text, done): &&(String, bool)| *done && mark(text, &asked.expected) != Some(Mark::Wrong);
    Some(view.columns.iter().filter(right).count())
}

fn column(ui: &mut Ui, theme: &Theme, asked: &Asked, source: &Source, view: Option<&GenerationView>, place: usize) {
    let known = view.and_then(|view| view.columns.get(place));
    let (text, done) = known.map_or(("", false), |(text, done)| (text.as_str(), *done));
    let speed =
        view.and_then(|view| view.tokens_per_sec.get(place)).copied().filter(|speed| speed.is_finite() && *speed > 0.0);
    theme.card_frame().show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.horizontal_wrapped(|ui| {
            let size = vec2(2.0 * Theme::DOT + 2.0, ui.text_style_height(&TextStyle::Body));
            let (area, _) = ui.allocate_exact_size(size, Sense::hover());
            ui.painter().circle_filled(area.center(), Theme::DOT, source.colour(theme));
            ui.label(RichText::new(&source.label).strong());
        });
        if !text.is_empty() {
            ui.add(Label::new(text).selectable(true).wrap());
        }
        let failed = view.is_some_and(|view| view.failed.is_some());
        let state = match (text.is_empty(), done) {
            (true, true) => Some("It answered nothing."),
            (_, true) => None,
            (_, false) if failed => Some("No further text."),
            (_, false) if asked.stopped => Some("Stopped."),
            (true, false) => Some("Waiting for its turn."),
            (false, false) => Some("Writing\u{2026}"),
        };
        if let Some(state) = state {
            ui.label(muted(theme, state));
        }
        ui.horizontal_wrapped(|ui| {
            if let Some(mark) = mark(text, &asked.expected).filter(|_| done) {
                let (word, colour) = match mark {
                    Mark::Right => ("right", theme.good()),
                    Mark::Begins => ("right, and goes on", theme.good()),
                    Mark::Wrong => ("wrong", theme.bad()),
                };
                ui.label(RichText::new(word).strong().color(colour));
            }
            if let Some(speed) = speed {
                ui.label(muted(theme, format!("{speed:.0} tokens/s")));
            }
        });
    });
}

/// In one line of at most so many letters.
fn shortened(text: &str, letters: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() <= letters {
        return line;
    }
    line.chars().take(letters).chain(std::iter::once('\u{2026}')).collect()
}
