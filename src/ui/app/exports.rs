//! Writes what people export: text and pictures here, adapters and capsules by the engine.

use super::App;
use super::commands::Output;
use crate::engine::protocol::{AdapterSource, Command, Level};
use crate::engine::report_csv::matrix_csv;
use crate::ui::action::{Action, Export};
use crate::ui::files::Chosen;
use crate::ui::words;
use egui::Context;
use std::collections::BTreeMap;

/// Most dialogues that nobody answered and that are remembered.
const KEPT: usize = 32;

/// What waits for a place to be written to.
#[derive(Debug, Default)]
pub struct Exports {
    next_id: u64,
    waiting: BTreeMap<u64, Waiting>,
}

/// One of them.
#[derive(Debug)]
enum Waiting {
    /// The dialogue writes it; its name for people.
    Written(String),
    /// The engine writes it.
    Asked(Box<Command>),
}

impl Exports {
    fn wait(&mut self, waiting: Waiting) -> u64 {
        self.next_id += 1;
        if self.waiting.len() >= KEPT {
            self.waiting.pop_first();
        }
        self.waiting.insert(self.next_id, waiting);
        self.next_id
    }
}

impl App {
    /// Asks where to, and has it written there.
    pub(super) fn export(&mut self, ctx: &Context, export: Export) {
        match export {
            Export::Text { name, content } => self.write_bytes(&name, content.into_bytes()),
            Export::Picture { name, area } => self.pictures.request(ctx, name, area),
            Export::Command { name, command } => {
                let id = self.exports.wait(Waiting::Asked(command));
                self.files.save(id, &name, None);
            }
        }
    }

    fn write_bytes(&mut self, name: &str, bytes: Vec<u8>) {
        let id = self.exports.wait(Waiting::Written(name.to_string()));
        self.files.save(id, name, Some(bytes));
    }

    /// Takes pictures that came, and answers of dialogues.
    pub(super) fn take_files(&mut self) {
        for picture in self.pictures.poll() {
            match picture {
                Ok((name, bytes)) => self.write_bytes(&name, bytes),
                Err(message) => self.tell(Level::Error, message),
            }
        }
        for chosen in self.files.poll() {
            match chosen {
                Chosen::Opened { purpose, paths } => self.opened(&purpose, paths),
                Chosen::Failed { message } => self.tell(Level::Error, message),
                Chosen::Saved { export_id, path } => match self.exports.waiting.remove(&export_id) {
                    Some(Waiting::Written(name)) => self.tell(Level::Info, format!("{name} written to {path}")),
                    Some(Waiting::Asked(command)) => self.send_to(*command, path),
                    None => {}
                },
            }
        }
    }

    fn send_to(&mut self, mut command: Command, place: String) {
        match &mut command {
            Command::SaveCapsule { path, .. } | Command::ExportAdapter { path, .. } => {
                *path = place;
                self.send(command);
            }
            _ => self.tell(Level::Error, format!("Nothing was written to {place}: this cannot be exported to a file")),
        }
    }

    /// What the frame offers by name.
    pub(super) fn save_output(&mut self, ctx: &Context, output: Output) {
        let run = self.state.selected_run();
        let export = match output {
            Output::Settings => self
                .state
                .draft
                .config
                .to_toml()
                .map(|content| Export::Text { name: "experiment.toml".into(), content })
                .map_err(|error| format!("The settings were not exported: {error}")),
            Output::Link => {
                if let Some(link) = self.link() {
                    ctx.copy_text(link);
                    self.tell(Level::Info, "The link is on the clipboard");
                }
                return;
            }
            Output::Window => {
                let room = ctx.content_rect();
                let area = [room.left(), room.top(), room.right(), room.bottom()];
                Ok(Export::Picture { name: "thalweg.png".into(), area })
            }
            Output::Matrix => run.ok_or_else(no_run).map(|run| Export::Text {
                name: format!("matrix-{}.csv", words::slug(&run.title)),
                content: matrix_csv(&run.report),
            }),
            Output::Capsule => {
                run.and_then(|run| Some((run, run.folder.clone()?))).ok_or_else(no_run).map(|(run, folder)| {
                    let name = format!("{}.thalweg", words::slug(&run.title));
                    let command = Command::SaveCapsule { run: run.number, folder, path: String::new() };
                    Export::Command { name, command: Box::new(command) }
                })
            }
            Output::Adapter => run.and_then(|run| Some((run, run.adapters.last()?))).ok_or_else(no_run).map(
                |(run, (_, learner, path))| {
                    let from = AdapterSource::Folder { path: path.clone() };
                    let name = words::slug(&format!("{} {learner}", run.title));
                    let command = Command::ExportAdapter { from, path: String::new() };
                    Export::Command { name, command: Box::new(command) }
                },
            ),
        };
        match export {
            Ok(export) => self.carry_out(ctx, Action::Export(export)),
            Err(message) => self.tell(Level::Error, message),
        }
    }
}

fn no_run() -> String {
    "There is no such run to export. Choose one in the Runs panel".to_string()
}
