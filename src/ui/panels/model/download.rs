//! Models of the hub: what to fetch, how far it is, and what came of it.

use super::parts::{bar, field_and_button, long_line, note, notice};
use super::source::use_model;
use super::units;
use crate::engine::protocol::Command;
use crate::io::hub;
use crate::ui::panel::Context;
use crate::ui::state::{AppState, DownloadView};
use crate::ui::theme::Theme;
use egui::{Button, RichText, Ui};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Small models of the family that the program trains, to begin with.
const SUGGESTIONS: [&str; 2] = ["HuggingFaceTB/SmolLM2-135M", "HuggingFaceTB/SmolLM2-360M"];

/// Widget state of the list.
#[derive(Default)]
pub struct Downloads {
    address: String,
    /// What was asked for here, by number: the engine's answers do not repeat it.
    asked: BTreeMap<u64, String>,
    /// Those that somebody cancelled: their end is no error.
    cancelled: BTreeSet<u64>,
    /// Those that are not listed any more.
    dismissed: BTreeSet<u64>,
}

/// One line of the list.
struct Item<'a> {
    id: u64,
    address: &'a str,
    /// `None` until the engine has told anything.
    view: Option<&'a DownloadView>,
}

impl Item<'_> {
    fn in_progress(&self) -> bool {
        self.view.is_none_or(|view| view.ended.is_none())
    }
}

/// What somebody wants of the list; carried out after it was drawn.
enum Wish {
    Fetch(String),
    Cancel(u64),
    Dismiss(u64),
    Use(String),
}

impl Downloads {
    pub fn any_in_progress(&self, state: &AppState) -> bool {
        self.items(state).iter().any(Item::in_progress)
    }

    /// All downloads, newest first; of several attempts at one address the last.
    fn items<'a>(&'a self, state: &'a AppState) -> Vec<Item<'a>> {
        let ids: BTreeSet<u64> = state.downloads.keys().chain(self.asked.keys()).copied().collect();
        let mut seen = BTreeSet::new();
        let mut items = Vec::new();
        for id in ids.into_iter().rev() {
            let view = state.downloads.get(&id);
            let told = view.map(|view| view.address.as_str()).filter(|address| !address.is_empty());
            let address = told.or_else(|| self.asked.get(&id).map(String::as_str)).unwrap_or_default();
            // one that is not listed any more hides the earlier attempts too
            let newest = address.is_empty() || seen.insert(address);
            if newest && !self.dismissed.contains(&id) {
                items.push(Item { id, address, view });
            }
        }
        items
    }

    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let mut wishes = Vec::new();
        self.offer(ui, context, &mut wishes);
        self.form(ui, context, &mut wishes);
        let state = context.state;
        for item in self.items(state) {
            ui.separator();
            ui.push_id(item.id, |ui| self.item(ui, context, &item, &mut wishes));
        }
        for wish in wishes {
            self.carry_out(context, wish);
        }
    }

    /// A model that the experiment is for and that is not here: a link brings its name along, not its weights. Nothing is asked of
    /// another host before somebody presses the button.
    fn offer(&self, ui: &mut Ui, context: &Context<'_>, wishes: &mut Vec<Wish>) {
        let state = context.state;
        let Some(address) = hub::address_of(Path::new(&state.draft.config.model)) else { return };
        // What was fetched or tried already stands in the list below.
        if !matches!(state.model, Some(Err(_))) || self.items(state).iter().any(|item| item.address == address) {
            return;
        }
        notice(
            ui,
            context.theme.warning(),
            &format!("This experiment is for {address} of the hub, which is not here yet."),
        );
        if ui.button(format!("Download {address}")).clicked() {
            wishes.push(Wish::Fetch(address));
        }
        ui.separator();
    }

    fn form(&mut self, ui: &mut Ui, context: &Context<'_>, wishes: &mut Vec<Wish>) {
        let label = ui.label("Name or address of the model").id;
        let problem = problem(&self.address);
        let written = self.address.trim();
        let busy = self.items(context.state).iter().any(|item| item.in_progress() && item.address == written);
        let why_not = if busy { "It is being fetched already." } else { "Write owner/name first." };
        let ready = |address: &str| problem.is_none() && !busy && !address.trim().is_empty();
        if field_and_button(ui, *context.theme, &mut self.address, ("owner/name", "Download", why_not), label, ready) {
            wishes.push(Wish::Fetch(self.address.trim().to_owned()));
        }
        if let Some(problem) = problem {
            notice(ui, context.theme.warning(), problem);
        }
        if self.address.trim().is_empty() {
            ui.horizontal_wrapped(|ui| {
                note(ui, *context.theme, "For example");
                for suggestion in SUGGESTIONS {
                    if ui.small_button(suggestion).on_hover_text("Fill this in").clicked() {
                        suggestion.clone_into(&mut self.address);
                    }
                }
            });
        }
    }

    fn item(&self, ui: &mut Ui, context: &Context<'_>, item: &Item<'_>, wishes: &mut Vec<Wish>) {
        let theme = *context.theme;
        let name = if item.address.is_empty() { format!("Download {}", item.id) } else { item.address.to_owned() };
        long_line(ui, RichText::new(name).strong());
        match item.view.map(|view| (view, &view.ended)) {
            Some((view, None)) if !view.file.is_empty() => {
                progress(ui, theme, view);
                cancel_button(ui, item, wishes);
            }
            None | Some((_, None)) => {
                note(ui, theme, "Asking the hub…");
                cancel_button(ui, item, wishes);
            }
            Some((view, Some(Err(message)))) => {
                if self.cancelled.contains(&item.id) {
                    note(ui, theme, format!("Cancelled; {} are kept.", units::bytes(view.done_bytes)));
                } else {
                    notice(ui, theme.bad(), message);
                }
                ui.horizontal(|ui| {
                    let retry = ui.add_enabled(!item.address.is_empty(), Button::new("Retry"));
                    if retry.on_hover_text("Goes on from what is there.").clicked() {
                        wishes.push(Wish::Fetch(item.address.to_owned()));
                    }
                    if ui.button("Remove from list").on_hover_text("What was fetched stays on the disk.").clicked() {
                        wishes.push(Wish::Dismiss(item.id));
                    }
                });
            }
            Some((view, Some(Ok(folder)))) => {
                let size = view.total_bytes.unwrap_or(view.done_bytes);
                let size = if size > 0 { format!("{} in ", units::bytes(size)) } else { String::new() };
                long_line(ui, RichText::new(format!("{size}{folder}")).color(theme.muted()));
                if context.state.draft.config.model == *folder {
                    ui.label(RichText::new("In use").color(theme.good()));
                } else if ui.button("Use this model").clicked() {
                    wishes.push(Wish::Use(folder.clone()));
                }
            }
        }
    }

    fn carry_out(&mut self, context: &mut Context<'_>, wish: Wish) {
        match wish {
            Wish::Fetch(address) => {
                let taken = context.state.downloads.keys().chain(self.asked.keys()).max();
                let id = taken.map_or(0, |id| id + 1);
                self.asked.insert(id, address.clone());
                context.send(Command::Download { id, address });
            }
            Wish::Cancel(id) => {
                self.cancelled.insert(id);
                context.send(Command::CancelDownload { id });
                if !context.state.downloads.contains_key(&id) {
                    // the engine may never tell of one that it has not begun
                    self.dismissed.insert(id);
                }
            }
            Wish::Dismiss(id) => {
                self.dismissed.insert(id);
            }
            Wish::Use(folder) => use_model(context, &folder),
        }
    }
}

fn cancel_button(ui: &mut Ui, item: &Item<'_>, wishes: &mut Vec<Wish>) {
    if ui.button("Cancel").on_hover_text("What was fetched is kept.").clicked() {
        wishes.push(Wish::Cancel(item.id));
    }
}

fn progress(ui: &mut Ui, theme: Theme, view: &DownloadView) {
    let done = units::bytes(view.done_bytes);
    match view.total_bytes.filter(|total| *total > 0) {
        Some(total) => {
            let text = format!("{done} of {} ({})", units::bytes(total), units::percent(view.done_bytes, total));
            ui.label(&text);
            let share = view.done_bytes as f64 / total as f64;
            bar(ui, theme, None, &[(share, theme.accent())], &format!("Download: {text}"));
        }
        None => {
            ui.label(format!("{done} so far; the whole size is not known yet."));
        }
    }
    let mut line = view.file.clone();
    if view.bytes_per_sec > 0.0 {
        line.push_str(&format!(", {}/s", units::bytes(view.bytes_per_sec as u64)));
    }
    if let Some(eta) = view.eta_secs {
        line.push_str(&format!(", {} left", units::duration(eta)));
    }
    long_line(ui, RichText::new(line).color(theme.muted()));
}

/// Whether this folder was fetched in this session.
pub fn is_fetched(state: &AppState, folder: &str) -> bool {
    state.downloads.values().any(|view| matches!(&view.ended, Some(Ok(fetched)) if fetched == folder))
}

/// What is plainly wrong with what is typed; the rest the hub says.
fn problem(address: &str) -> Option<&'static str> {
    let address = address.trim();
    if address.is_empty() {
        None
    } else if address.contains(char::is_whitespace) {
        Some("A name or address has no spaces.")
    } else if !address.contains('/') {
        Some("Write owner/name, as at the top of the model's page.")
    } else {
        None
    }
}
