//! Questions that lie over the window until they are answered: one at a time.

use super::App;
use crate::engine::protocol::storage::StoredItem;
use crate::engine::protocol::{Command, Event};
use crate::ui::action::Purpose;
use crate::ui::state::run::RunStatus;
use crate::ui::theme::Theme;
use crate::ui::words;
use egui::{Button, Context, Id, Modal, RichText, Ui};

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Dialogue {
    /// Delete this run?
    Delete(usize),
    /// Delete this, which the program keeps?
    Stored(StoredItem),
    /// What is in this folder, which holds none of the files that would tell?
    Folder(String),
}

/// What somebody answered.
enum Answer {
    Delete(usize),
    DeleteStored(String),
    Open(Purpose, String),
    Nothing,
}

impl App {
    /// Draws the question in front, if there is one.
    pub(super) fn show_dialogue(&mut self, ctx: &Context) {
        let Some(dialogue) = self.dialogues.front().cloned() else { return };
        let (theme, fresh) = (self.session.theme, std::mem::take(&mut self.dialogue_fresh));
        let modal = Modal::new(Id::unique("dialogue")).frame(theme.card_frame().inner_margin(16));
        let response = modal.show(ctx, |ui| {
            ui.set_width(400.0_f32.min(ctx.content_rect().width() - 64.0));
            match &dialogue {
                Dialogue::Delete(run) => self.ask_delete(ui, &theme, *run, fresh),
                Dialogue::Stored(item) => super::storage::ask(ui, &theme, item, fresh)
                    .map(|delete| if delete { Answer::DeleteStored(item.path.clone()) } else { Answer::Nothing }),
                Dialogue::Folder(path) => ask_folder(ui, path),
            }
        });
        let answer = if response.should_close() { Some(Answer::Nothing) } else { response.inner };
        let Some(answer) = answer else { return };
        self.dialogues.pop_front();
        self.dialogue_fresh = true;
        match answer {
            Answer::Delete(run) => self.delete(run),
            Answer::DeleteStored(path) => self.send(Command::DeleteStored { path }),
            Answer::Open(purpose, path) => self.opened(&purpose, vec![path]),
            Answer::Nothing => {}
        }
    }

    fn ask_delete(&self, ui: &mut Ui, theme: &Theme, number: usize, fresh: bool) -> Option<Answer> {
        let Some(run) = self.state.run(number) else { return Some(Answer::Nothing) };
        ui.heading("Delete this run?");
        ui.label(RichText::new(&run.title).strong());
        if run.status.is_active() {
            ui.label("It is in progress: stop it first.");
            return ui.button("Keep it").clicked().then_some(Answer::Nothing);
        }
        ui.label(match (&run.folder, &run.status) {
            (_, RunStatus::Queued) => "It has not begun and is only taken out of the queue.".to_string(),
            (Some(folder), _) => format!(
                "The folder {folder} goes with it: checkpoint, adapters, replay buffer and reports. This cannot be taken back."
            ),
            (None, _) => "It was read from a capsule. It leaves the list; the file stays where it is.".to_string(),
        });
        ui.add_space(Theme::GAP);
        keep_or_delete(ui, theme, "Delete run", fresh)
            .map(|yes| if yes { Answer::Delete(number) } else { Answer::Nothing })
    }

    /// Deletes a run for which somebody said yes.
    fn delete(&mut self, number: usize) {
        let Some(run) = self.state.run(number).filter(|run| !run.status.is_active()) else { return };
        match (&run.folder, &run.status) {
            (_, RunStatus::Queued) => self.link.send(Command::Unqueue { run: number }),
            (Some(folder), _) => self.link.send(Command::DeleteRun { run: number, folder: folder.clone() }),
            (None, _) => self.take_in(Event::RunDeleted { run: number }),
        }
        self.expect_answer();
    }
}

/// Two buttons, and whether to delete; `None` while nobody has answered. The careful one has the focus at first.
pub(super) fn keep_or_delete(ui: &mut Ui, theme: &Theme, delete: &str, fresh: bool) -> Option<bool> {
    ui.horizontal(|ui| {
        let keep = ui.button("Keep it");
        if fresh {
            keep.request_focus();
        }
        let ground = theme.bad();
        let delete = Button::new(RichText::new(delete).color(Theme::on(ground)).strong()).fill(ground);
        if ui.add(delete).clicked() {
            return Some(true);
        }
        keep.clicked().then_some(false)
    })
    .inner
}

fn ask_folder(ui: &mut Ui, path: &str) -> Option<Answer> {
    ui.heading("What is in this folder?");
    ui.label(RichText::new(words::file_name(path)).strong()).on_hover_text(path);
    ui.label("It holds none of the files that would tell.");
    ui.add_space(Theme::GAP);
    let mut answer = None;
    for (title, purpose) in [
        ("Runs of Thalweg", Purpose::RunFolder),
        ("A task with train, eval or test files", Purpose::TaskFiles),
        ("A model", Purpose::ModelFolder),
        ("An adapter", Purpose::AdapterFolder),
    ] {
        let button = Button::new(title).min_size(egui::vec2(ui.available_width(), Theme::TARGET));
        if ui.add(button).clicked() {
            answer = Some(Answer::Open(purpose, path.to_string()));
        }
    }
    ui.add_space(Theme::GAP);
    if ui.button("Do nothing").clicked() {
        answer = Some(Answer::Nothing);
    }
    answer
}
