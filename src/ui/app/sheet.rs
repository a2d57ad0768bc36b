//! The sheet of keyboard shortcuts on F1, made from the table of commands.

use super::commands::Entry;
use crate::ui::theme::Theme;
use egui::{Context, Grid, Id, Key, Modal, Modifiers, RichText, ScrollArea, Ui};

/// Keys that are not commands of the frame.
const OTHERS: [(&str, &str); 5] = [
    ("Tab, Shift+Tab", "Next or previous control"),
    ("Space, Enter", "Press the control that has the focus"),
    ("Ctrl+Tab", "Next tab under the pointer"),
    ("Arrow keys", "Move in what has the focus"),
    ("Esc", "Close what lies on top"),
];

/// Groups of the left and of the right half.
const HALVES: [&[&str]; 2] = [&["Runs", "Settings", "Files", "Everywhere"], &["Window", "Panels"]];
/// Width of one half, in points.
const COLUMN: f32 = 440.0;

/// Draws the sheet; `false` when somebody closed it.
pub fn show(ctx: &Context, theme: &Theme, entries: &[Entry]) -> bool {
    let room = ctx.content_rect();
    let modal = Modal::new(Id::unique("shortcuts")).frame(theme.card_frame().inner_margin(16));
    let wide = room.width() > 2.0 * COLUMN + 120.0;
    let response = modal.show(ctx, |ui| {
        ui.set_width(if wide { 2.0 * COLUMN + Theme::GROUP_GAP } else { COLUMN.min(room.width() - 64.0) });
        ui.heading("Keyboard shortcuts");
        let most = room.height() - 140.0;
        ScrollArea::vertical().max_height(most).min_scrolled_height(most).auto_shrink([false, true]).show(ui, |ui| {
            ui.spacing_mut().interact_size.y = 18.0;
            if wide {
                ui.columns(2, |columns| {
                    for (ui, groups) in columns.iter_mut().zip(HALVES) {
                        grid(ui, theme, entries, groups);
                    }
                });
            } else {
                grid(ui, theme, entries, &HALVES.concat());
            }
        });
        ui.add_space(Theme::GAP);
        let close = ui.button("Close");
        if ui.memory(|memory| memory.focused().is_none()) {
            close.request_focus();
        }
        close.clicked()
    });
    let again = ctx.input_mut(|input| input.consume_key(Modifiers::NONE, Key::F1));
    !(response.inner || again || response.should_close())
}

fn grid(ui: &mut Ui, theme: &Theme, entries: &[Entry], groups: &[&str]) {
    Grid::new(("shortcuts", groups)).num_columns(2).spacing([Theme::GROUP_GAP, 4.0]).show(ui, |ui| {
        for group in groups {
            ui.label(RichText::new(*group).strong().color(theme.accent()));
            ui.end_row();
            for entry in entries.iter().filter(|entry| entry.group == *group && !entry.shortcuts.is_empty()) {
                let keys: Vec<String> =
                    entry.shortcuts.iter().take(2).map(|shortcut| ui.ctx().format_shortcut(shortcut)).collect();
                line(ui, &keys.join(", "), &entry.title);
            }
            if *group == "Everywhere" {
                for (keys, about) in OTHERS {
                    line(ui, keys, about);
                }
            }
        }
    });
}

fn line(ui: &mut Ui, keys: &str, about: &str) {
    ui.label(RichText::new(keys).monospace());
    ui.add(egui::Label::new(about).wrap());
    ui.end_row();
}
