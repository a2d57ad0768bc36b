//! Numbers and counts as the panel says them.

use super::Entry;
use crate::engine::protocol::cards::TaskCard;
pub(super) use crate::ui::words::{counted, grouped};
use egui::{TextStyle, Ui};

/// `33 %`, `12.5 %`.
pub(super) fn percent(share: f64) -> String {
    let value = 100.0 * share;
    if (value - value.round()).abs() < 0.05 { format!("{value:.0} %") } else { format!("{value:.1} %") }
}

/// `two` up to `ten`, then digits.
pub(super) fn number_word(count: usize) -> String {
    const WORDS: [&str; 11] = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    WORDS.get(count).map_or_else(|| count.to_string(), ToString::to_string)
}

/// A text of at most so many characters; of a longer one the start.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let text = text.trim();
    if text.chars().count() <= most { text.to_string() } else { text.chars().take(most).chain(['…']).collect() }
}

/// Counts, metric and chance level of a task, in one line.
pub(super) fn facts(card: &TaskCard) -> String {
    let (train, scored, chance) = (grouped(card.train), grouped(card.eval), percent(card.chance));
    format!("{train} to train on, {scored} scored by {}, chance {chance}", card.metric)
}

/// All tasks together.
pub(super) fn summary(entries: &[Entry<'_>]) -> String {
    let cards: Vec<&TaskCard> = entries.iter().filter_map(|entry| entry.known?.ok()).collect();
    let unread = entries.iter().filter(|entry| entry.known.is_none()).count();
    let broken = entries.iter().filter(|entry| matches!(entry.known, Some(Err(_)))).count();
    let mut parts = vec![counted(entries.len(), "task", "tasks")];
    if !cards.is_empty() {
        let train: usize = cards.iter().map(|card| card.train).sum();
        let scored: usize = cards.iter().map(|card| card.eval).sum();
        parts.push(format!("{} to train on", counted(train, "example", "examples")));
        parts.push(format!("{} scored", grouped(scored)));
        let chance = cards.iter().map(|card| card.chance).sum::<f64>() / cards.len() as f64;
        parts.push(format!("mean chance {}", percent(chance)));
    }
    if unread > 0 {
        parts.push(format!("{} being read", grouped(unread)));
    }
    let mut text = parts.join(", ");
    text.push('.');
    if broken > 0 {
        text.push_str(&format!(
            " {} cannot be read and would keep a run from starting.",
            if broken == 1 { "One".to_string() } else { grouped(broken) }
        ));
    }
    text
}

/// Height that a text takes at the width there is.
pub(super) fn height(ui: &Ui, text: &str) -> f32 {
    let font = TextStyle::Body.resolve(ui.style());
    let colour = ui.visuals().text_color();
    ui.painter().layout(text.to_string(), font, colour, ui.available_width()).size().y
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0.5, 1.0 / 3.0, 0.125].map(percent), ["50 %", "33.3 %", "12.5 %"]);
        assert_eq!((shortened(" yes ", 3), shortened("maybe", 3)), ("yes".into(), "may…".into()));
        assert_eq!((number_word(8), number_word(11)), ("eight".into(), "11".into()));
    }
}
