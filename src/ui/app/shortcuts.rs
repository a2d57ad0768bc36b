//! Which commands of the table the keys of this frame ask for.

use super::App;
use super::commands::{Effect, table};
use egui::{Context, Event, InputState, Key, KeyboardShortcut};

impl App {
    /// What was asked for with the keyboard. Nothing while a question lies over the window; nothing that would keep people
    /// from typing while a text field has the keyboard.
    pub(super) fn shortcuts(&self, ctx: &Context) -> Vec<Effect> {
        let any = ctx.input(|input| input.events.iter().any(|event| matches!(event, Event::Key { pressed: true, .. })));
        if !any || self.sheet || self.storage || !self.dialogues.is_empty() || self.closing() {
            return Vec::new();
        }
        let typing = ctx.text_edit_focused();
        let focused = ctx.memory(|memory| memory.focused().is_some());
        let mut keys: Vec<(KeyboardShortcut, bool, Effect)> = Vec::new();
        for entry in table(&self.state, &self.session) {
            let allowed =
                if self.palette.is_open() { entry.effect == Effect::Palette } else { !typing || entry.while_typing };
            if entry.enabled && allowed {
                keys.extend(entry.shortcuts.iter().map(|shortcut| (*shortcut, entry.repeats, entry.effect.clone())));
            }
        }
        // Of two that fit, the one with more modifiers was meant.
        keys.sort_by_key(|(shortcut, ..)| {
            let modifiers = shortcut.modifiers;
            std::cmp::Reverse(u8::from(modifiers.command) + u8::from(modifiers.shift) + u8::from(modifiers.alt))
        });
        let mut effects = Vec::new();
        for (shortcut, repeats, effect) in keys {
            // A control that has the focus is pressed with the space bar.
            if shortcut.logical_key == Key::Space && focused {
                continue;
            }
            if ctx.input_mut(|input| take(input, &shortcut, repeats)) {
                effects.push(effect);
            }
        }
        effects
    }
}

/// Was it pressed? Then nobody else hears of it.
fn take(input: &mut InputState, shortcut: &KeyboardShortcut, repeats: bool) -> bool {
    let place = input.events.iter().position(|event| {
        matches!(event, Event::Key { key, modifiers, pressed: true, repeat, .. }
            if *key == shortcut.logical_key && modifiers.matches_logically(shortcut.modifiers) && (repeats || !*repeat))
    });
    place.map(|place| input.events.remove(place)).is_some()
}
