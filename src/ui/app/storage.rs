//! The sheet of what the program keeps: models, unpacked capsules, chosen files and runs, with sizes and a way to delete each.

use super::App;
use super::dialogues::{Dialogue, keep_or_delete};
use crate::engine::protocol::storage::{StorageListing, StoredItem, StoredKind};
use crate::ui::theme::Theme;
use crate::ui::words;
use egui::{Button, Context, Grid, Id, Label, Modal, RichText, Role, ScrollArea, Ui, WidgetInfo};

/// Widest sheet, in points.
const WIDTH: f32 = 620.0;
/// Width of the columns beside the names.
const BESIDE: f32 = 190.0;

const KINDS: [StoredKind; 4] = [StoredKind::Model, StoredKind::Capsule, StoredKind::File, StoredKind::Run];

fn title(kind: StoredKind) -> &'static str {
    match kind {
        StoredKind::Model => "Models that were downloaded",
        StoredKind::Capsule => "Capsules that were opened, unpacked",
        StoredKind::File => "Files that were chosen on this page",
        StoredKind::Run => "Runs",
    }
}

/// What deleting one means.
fn consequence(kind: StoredKind) -> &'static str {
    match kind {
        StoredKind::Model => {
            "It can be downloaded again. Until then, runs that were trained with it cannot go on and answer nothing."
        }
        StoredKind::Capsule => {
            "The capsule itself stays where it is. Its adapters cannot be used until it is opened again."
        }
        StoredKind::File => {
            "The browser's copy is deleted, the files on your disk stay. Models and tasks that use it have to be chosen again."
        }
        StoredKind::Run => {
            "Checkpoint, adapters, replay buffer and reports go with it. This cannot be taken back: export it as a capsule first to keep it."
        }
    }
}

impl App {
    /// Draws the sheet, if somebody asked for it.
    pub(super) fn show_storage(&mut self, ctx: &Context) {
        if !self.storage {
            return;
        }
        let (theme, room) = (self.session.theme, ctx.content_rect());
        let modal = Modal::new(Id::unique("storage")).frame(theme.card_frame().inner_margin(16));
        let response = modal.show(ctx, |ui| {
            ui.set_width(WIDTH.min(room.width() - 64.0));
            ui.heading("Storage");
            let wish = match &self.state.storage {
                Some(listing) => contents(ui, &theme, listing, room.height() - 200.0),
                None => {
                    ui.label("Looking at the folders...");
                    None
                }
            };
            ui.add_space(Theme::GAP);
            let close = ui.button("Close");
            if ui.memory(|memory| memory.focused().is_none()) {
                close.request_focus();
            }
            (wish, close.clicked())
        });
        let dismissed = response.should_close();
        let (wish, closed) = response.inner;
        if let Some(item) = wish {
            self.dialogues.push_back(Dialogue::Stored(item));
        }
        if closed || self.dialogues.is_empty() && dismissed {
            self.storage = false;
        }
    }
}

/// The list; gives what somebody wants deleted.
fn contents(ui: &mut Ui, theme: &Theme, listing: &StorageListing, most: f32) -> Option<StoredItem> {
    let about = match &listing.room {
        Some(room) => format!(
            "The browser keeps {} for this page, of at most {}. {}",
            words::bytes(room.used_bytes),
            words::bytes(room.quota_bytes),
            if room.promised {
                "Nothing is deleted by itself."
            } else {
                "It has not promised to keep it when the disk gets full: export what you want to keep."
            }
        ),
        None => "What the program keeps on this machine. Nothing is deleted by itself.".to_string(),
    };
    ui.add(Label::new(RichText::new(about).color(theme.muted())).wrap());
    let mut wish = None;
    ScrollArea::vertical().max_height(most).auto_shrink([false, true]).show(ui, |ui| {
        for kind in KINDS {
            let items: Vec<&StoredItem> = listing.items.iter().filter(|item| item.kind == kind).collect();
            // On the desktop nothing is ever copied that somebody chose.
            if items.is_empty() && kind == StoredKind::File && listing.room.is_none() {
                continue;
            }
            ui.add_space(Theme::GAP);
            ui.label(RichText::new(title(kind)).strong().color(theme.accent()));
            if items.is_empty() {
                ui.label(RichText::new("none").color(theme.muted()));
                continue;
            }
            let names = ui.available_width() - BESIDE;
            Grid::new(("storage", kind as usize)).num_columns(3).spacing([Theme::GROUP_GAP, 4.0]).show(ui, |ui| {
                for item in items {
                    ui.scope(|ui| {
                        ui.set_width(names);
                        ui.add(Label::new(&item.name).truncate()).on_hover_text(&item.path);
                    });
                    ui.label(words::bytes(item.bytes));
                    if delete_button(ui, item) {
                        wish = Some(item.clone());
                    }
                    ui.end_row();
                }
            });
        }
    });
    ui.add_space(Theme::GAP);
    ui.label(RichText::new(format!("In all {}", words::bytes(listing.total_bytes()))).strong());
    wish
}

fn delete_button(ui: &mut Ui, item: &StoredItem) -> bool {
    let free = item.needed.is_none();
    let button = ui.add_enabled(free, Button::new("Delete..."));
    button.widget_info(|| WidgetInfo::labeled(Role::Button, free, format!("Delete {}", item.name)));
    let button = match &item.needed {
        Some(why) => button.on_disabled_hover_text(format!("It cannot be deleted now: {why}.")),
        None => button,
    };
    button.clicked()
}

/// Asks whether to delete; `None` while nobody has answered.
pub(super) fn ask(ui: &mut Ui, theme: &Theme, item: &StoredItem, fresh: bool) -> Option<bool> {
    ui.heading("Delete this?");
    ui.add(Label::new(RichText::new(format!("{}, {}", item.name, words::bytes(item.bytes))).strong()).wrap());
    ui.add(Label::new(RichText::new(&item.path).color(theme.muted())).wrap());
    ui.label(consequence(item.kind));
    ui.add_space(Theme::GAP);
    keep_or_delete(ui, theme, "Delete it", fresh)
}
