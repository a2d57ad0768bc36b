//! The command palette: type a few letters of anything that can be done, and do it.

use super::commands::{Effect, Entry};
use crate::ui::theme::Theme;
use egui::{
    Align2, Area, Button, Context, Id, Key, Modal, Modifiers, Order, RichText, ScrollArea, TextEdit, Ui, UiKind, vec2,
};

/// Widest palette, in points.
const WIDTH: f32 = 520.0;

/// The palette's own state.
#[derive(Debug, Default)]
pub struct Palette {
    open: bool,
    query: String,
    /// Place in the filtered list.
    selected: usize,
    /// The text field takes the keyboard in the first frame.
    fresh: bool,
}

/// How well a title answers what was typed; `None` if it does not.
#[must_use]
pub fn score(title: &str, query: &str) -> Option<i32> {
    let (title, query) = (title.to_lowercase(), query.trim().to_lowercase());
    if query.is_empty() {
        return Some(0);
    }
    if let Some(place) = title.find(&query) {
        let starts_word = title[..place].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
        return Some(1000 - (place.min(200) as i32) + if starts_word { 500 } else { 0 });
    }
    let letters: Vec<char> = title.chars().collect();
    let (mut at, mut total, mut last) = (0, 0, None);
    for wanted in query.chars().filter(|letter| !letter.is_whitespace()) {
        let found = at + letters.get(at..)?.iter().position(|letter| *letter == wanted)?;
        let starts_word = found == 0 || letters.get(found - 1).is_some_and(|before| !before.is_alphanumeric());
        total += match last {
            Some(before) if before + 1 == found => 5,
            _ if starts_word => 4,
            Some(before) => -(((found - before) as i32).min(8)),
            None => 0,
        };
        (at, last) = (found + 1, Some(found));
    }
    Some(total)
}

/// Places of the entries that can be done and answer the query, the best first.
fn filtered(entries: &[Entry], query: &str) -> Vec<usize> {
    let mut found: Vec<(i32, usize)> = entries
        .iter()
        .enumerate()
        .filter(|(_, entry)| entry.enabled && entry.effect != Effect::Palette)
        .filter_map(|(place, entry)| Some((score(&entry.title, query)?, place)))
        .collect();
    found.sort_by_key(|(score, place)| (-score, *place));
    found.into_iter().map(|(_, place)| place).collect()
}

impl Palette {
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.open
    }

    pub fn toggle(&mut self) {
        *self = Self { open: !self.open, fresh: true, ..Self::default() };
    }

    pub fn close(&mut self) {
        self.open = false;
    }

    /// Draws the palette if it is open; gives the place of the entry that was chosen.
    pub fn show(&mut self, ctx: &Context, theme: &Theme, entries: &[Entry]) -> Option<usize> {
        if !self.open {
            return None;
        }
        let room = ctx.content_rect();
        let width = WIDTH.min(room.width() - 48.0);
        let area = Area::new(Id::unique("palette"))
            .kind(UiKind::Modal)
            .order(Order::Foreground)
            .anchor(Align2::CENTER_TOP, vec2(0.0, (room.height() * 0.12).min(90.0)))
            .accessible_name("Command palette");
        let modal = Modal::new(Id::unique("palette")).area(area).frame(theme.card_frame());
        let response = modal.show(ctx, |ui| {
            ui.set_width(width);
            self.contents(ui, theme, entries, room.height())
        });
        if response.inner.is_some() || response.should_close() {
            self.close();
        }
        response.inner
    }

    fn contents(&mut self, ui: &mut Ui, theme: &Theme, entries: &[Entry], room: f32) -> Option<usize> {
        let moved = ui.input_mut(|input| {
            let down = input.consume_key(Modifiers::NONE, Key::ArrowDown);
            let up = input.consume_key(Modifiers::NONE, Key::ArrowUp);
            i32::from(down) - i32::from(up)
        });
        let enter = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        let field = TextEdit::singleline(&mut self.query)
            .desired_width(f32::INFINITY)
            .hint_text("Type a command")
            .align(egui::Align2::LEFT_CENTER);
        let response = ui.add(field.id(Id::unique("palette query")));
        response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::TextInput, true, "Command"));
        if std::mem::take(&mut self.fresh) || enter {
            response.request_focus();
        }
        if response.changed() {
            self.selected = 0;
        }
        let found = filtered(entries, &self.query);
        let last = found.len().saturating_sub(1);
        self.selected = match moved {
            1 if self.selected >= last => 0,
            1 => self.selected + 1,
            -1 if self.selected == 0 => last,
            -1 => self.selected - 1,
            _ => self.selected.min(last),
        };
        if found.is_empty() {
            ui.label(RichText::new("No command has these letters. Try fewer of them.").color(theme.muted()));
            return None;
        }
        let mut chosen = if enter { found.get(self.selected).copied() } else { None };
        let most = (room * 0.55).min(380.0);
        let list = ScrollArea::vertical().max_height(most).min_scrolled_height(most).auto_shrink([false, true]);
        list.show(ui, |ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            for (place, index) in found.iter().enumerate() {
                let Some(entry) = entries.get(*index) else { continue };
                let mut button = Button::selectable(place == self.selected, entry.title.as_str());
                if let Some(shortcut) = entry.shortcuts.first() {
                    button =
                        button.shortcut_text(RichText::new(ui.ctx().format_shortcut(shortcut)).color(theme.muted()));
                }
                let row = ui.add(button.min_size(vec2(ui.available_width(), Theme::TARGET)));
                if moved != 0 && place == self.selected {
                    row.scroll_to_me(None);
                }
                if row.clicked() {
                    chosen = Some(*index);
                }
            }
        });
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_are_enough_and_words_win() {
        assert!(score("Reset layout", "rsly").is_some());
        assert_eq!(score("Reset layout", "layoutx"), None);
        assert!(score("Use method I-LoRA", "lora") > score("Show panel Landscape of replay", "lora"));
        assert!(score("Light theme", "theme") > score("Watch the method go again", "theme"));
        assert_eq!(score("anything", "  "), Some(0));
    }
}
