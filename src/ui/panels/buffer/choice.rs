//! Which item is looked at, and the keys of dots, map and cards.

use super::arrangement::Row;
use egui::{EventFilter, Key, Modifiers, Response, Ui};

/// The chosen item.
#[derive(Debug, Default)]
pub struct Choice {
    pub id: Option<u64>,
    /// Its details are shown.
    pub open: bool,
    /// It was chosen by a key and is to be scrolled to.
    pub reveal: bool,
}

/// What somebody wants to be done with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Pin { id: u64, pinned: bool },
    Drop { id: u64 },
}

impl Choice {
    /// Looks at an item.
    pub fn choose(&mut self, id: u64) {
        (self.id, self.open) = (Some(id), true);
    }

    /// The keys of a focused list with this many columns: arrows, Home, End and the page keys move, Enter opens, Escape closes,
    /// P pins, Delete drops.
    pub fn keys(&mut self, ui: &Ui, list: &Response, columns: usize, page: usize, rows: &[Row]) -> Option<Wish> {
        if !list.has_focus() || rows.is_empty() {
            return None;
        }
        let arrows = EventFilter { horizontal_arrows: true, vertical_arrows: true, escape: self.open, tab: false };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(list.id, arrows));
        let place = self.id.and_then(|id| rows.iter().position(|row| row.id == id));
        let moved = moved_to(ui, place, columns.max(1), page.max(1), rows.len());
        if let Some(row) = moved.and_then(|index| rows.get(index)) {
            (self.id, self.reveal) = (Some(row.id), true);
        }
        let pressed = |key: Key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::Enter) && self.id.is_some() {
            self.open = true;
        }
        if self.open && pressed(Key::Escape) {
            self.open = false;
        }
        let place = self.id.and_then(|id| rows.iter().position(|row| row.id == id))?;
        let row = rows.get(place)?;
        if pressed(Key::P) {
            return Some(Wish::Pin { id: row.id, pinned: !row.pinned });
        }
        pressed(Key::Delete).then_some(Wish::Drop { id: row.id })
    }

    /// Moves on to a neighbour of an item that is about to go.
    pub fn step_off(&mut self, id: u64, rows: &[Row]) {
        if self.id != Some(id) {
            return;
        }
        let place = rows.iter().position(|row| row.id == id);
        let next = place.and_then(|place| rows.get(place + 1).or_else(|| rows.get(place.checked_sub(1)?)));
        self.id = next.map(|row| row.id);
        self.open &= self.id.is_some();
    }
}

/// Where the keys of this frame lead to from a place; without one, any of them leads to the first.
fn moved_to(ui: &Ui, place: Option<usize>, columns: usize, page: usize, rows: usize) -> Option<usize> {
    let pressed = |key: Key| ui.input_mut(|input| input.count_and_consume_key(Modifiers::NONE, key));
    let last = rows.checked_sub(1)?;
    let mut to = place.unwrap_or(0);
    let mut moved = false;
    let steps = [
        (Key::ArrowLeft, 1, false),
        (Key::ArrowRight, 1, true),
        (Key::ArrowUp, columns, false),
        (Key::ArrowDown, columns, true),
        (Key::PageUp, page, false),
        (Key::PageDown, page, true),
        (Key::Home, rows, false),
        (Key::End, rows, true),
    ];
    for (key, step, forward) in steps {
        for _ in 0..pressed(key) {
            let (first, way) = (!moved && place.is_none(), step.min(rows));
            moved = true;
            if first {
                continue;
            }
            // A step beyond the last line of a grid stays where it is.
            to = match (forward, key) {
                (true, Key::ArrowDown) if to + way > last => to,
                (true, _) => (to + way).min(last),
                (false, Key::ArrowUp) if way > to => to,
                (false, _) => to.saturating_sub(way),
            };
        }
    }
    moved.then_some(to)
}
