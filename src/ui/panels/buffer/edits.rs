//! What is changed about a buffer by hand: items are pinned, dropped and put back.

use super::choice::Wish;
use super::reading::task_name;
use crate::engine::protocol::buffer::{BufferEdit, BufferItem};
use crate::engine::protocol::{Command, Level};
use crate::ui::action::Action;
use crate::ui::panel::Context;
use crate::ui::state::run::RunView;
use egui::{RichText, Ui};

/// Most dropped items that can be put back.
const MOST_DROPPED: usize = 50;

/// Why nothing can be changed.
pub const NOT_ACTIVE: &str = "Only the buffer of a running or paused run can be changed.";

/// Remembers what was dropped, so that it can be put back.
#[derive(Debug, Default)]
pub struct Edits {
    /// The run's number and the item.
    dropped: Vec<(usize, BufferItem)>,
}

impl Edits {
    /// Does what was wanted, or says why not.
    pub fn carry_out(&mut self, wish: Wish, run: &RunView, editable: bool, context: &mut Context<'_>) {
        if !editable {
            context.actions.push(Action::Toast { level: Level::Info, message: NOT_ACTIVE.to_string() });
            return;
        }
        let edit = match wish {
            Wish::Pin { id, pinned } => BufferEdit::Pin { id, pinned },
            Wish::Drop { id } => {
                let Some(item) = run.buffer.items.get(&id) else { return };
                if self.dropped.len() >= MOST_DROPPED {
                    self.dropped.remove(0);
                }
                self.dropped.push((run.number, item.clone()));
                BufferEdit::Drop { id }
            }
        };
        context.send(Command::EditBuffer { edit });
    }

    /// One line about the item that was dropped last, with a way back.
    pub fn show(&mut self, ui: &mut Ui, run: &RunView, editable: bool, context: &mut Context<'_>) {
        // An item that is still there was not dropped (yet).
        let gone =
            |(number, item): &(usize, BufferItem)| *number == run.number && !run.buffer.items.contains_key(&item.id);
        let Some(place) = self.dropped.iter().rposition(gone).filter(|_| editable) else { return };
        let Some((_, item)) = self.dropped.get(place) else { return };
        let line = format!("Dropped item {} ({}).", item.id, task_name(run, item.task));
        let edit = BufferEdit::Add { task: item.task, example_index: item.example_index };
        let back = ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new(line).color(context.theme.muted()));
            ui.button("Put back")
                .on_hover_text("Adds the same example again, pinned. Its losses and replays begin anew.")
                .clicked()
        });
        if back.inner {
            self.dropped.remove(place);
            context.send(Command::EditBuffer { edit });
        }
    }
}
