//! The *Tasks* panel: the stream of tasks that the next run learns, in order, with what each of them is.
//!
//! Everything that is shown of a task comes from its card, which the engine makes ([`crate::engine::protocol::cards`]); every
//! change is an edit of the draft and can be undone.

#![allow(clippy::trivially_copy_pass_by_ref)] // a theme is handed on as `Context` has it

mod add;
mod card;
mod details;
mod fold;
mod histogram;
mod icon;
mod mapping;
mod order;
mod preview;
mod problem;
mod scope;
mod words;

use crate::engine::config::TaskConfig;
use crate::engine::protocol::cards::{TaskCard, TaskProblem};
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::state::task_id;
use crate::ui::theme::Theme;
use crate::ui::widgets::setting::Entries;
use egui::{RichText, ScrollArea, TextStyle, Ui};
use histogram::Histogram;
use std::collections::{BTreeMap, BTreeSet};

/// Least height of the panel at which the summary stands below the list, always in sight.
const ROOM_FOR_SUMMARY: f32 = 240.0;

/// Widget state of the panel.
#[derive(Default)]
pub struct TasksPanel {
    /// Sources of the tasks whose details are open.
    open: BTreeSet<String>,
    /// Which example is shown of a source.
    examples: BTreeMap<String, usize>,
    /// By the number of the card.
    histograms: BTreeMap<u64, Histogram>,
    /// Columns that were found in a source, for the time in which it is read again.
    columns: BTreeMap<String, Vec<String>>,
    /// A text that is being typed and not in the draft yet.
    typed: Option<mapping::Typed>,
    /// Whether the settings above the list are shown.
    scope_open: bool,
    /// What is typed into their numbers.
    entries: Entries,
}

/// A change of the list of tasks.
#[derive(Clone, Debug, PartialEq)]
enum Change {
    /// The task at the first place goes to the second.
    Move(usize, usize),
    Remove(usize),
    Replace(usize, TaskConfig),
}

/// One task as the panel knows it.
struct Entry<'a> {
    place: usize,
    tasks: usize,
    config: &'a TaskConfig,
    /// What identifies its card.
    id: u64,
    /// `None` while it is read.
    known: Option<Result<&'a TaskCard, &'a TaskProblem>>,
}

impl Entry<'_> {
    fn source(&self) -> &str {
        source(self.config)
    }

    /// The name of the card; before it is known what the draft calls it, or the end of its path.
    fn name(&self) -> String {
        if let Some(Ok(card)) = self.known {
            return card.name.clone();
        }
        if let TaskConfig::Details(details) = self.config
            && let Some(name) = &details.name
        {
            return name.clone();
        }
        let source = self.source();
        let path = source.strip_prefix("builtin:").unwrap_or(source).trim_end_matches(['/', '\\']);
        path.rsplit(['/', '\\']).next().unwrap_or(path).to_string()
    }

    fn is_file(&self) -> bool {
        !self.source().starts_with("builtin:")
    }
}

/// Where a task comes from.
fn source(config: &TaskConfig) -> &str {
    match config {
        TaskConfig::Source(source) => source,
        TaskConfig::Details(details) => &details.source,
    }
}

impl Panel for TasksPanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Tasks
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let state = context.state;
        let draft = &state.draft.config;
        let entries: Vec<Entry<'_>> = draft
            .tasks
            .iter()
            .enumerate()
            .map(|(place, config)| {
                let id = task_id(config, draft);
                let known = state.tasks.get(&id).map(Result::as_ref);
                Entry { place, tasks: draft.tasks.len(), config, id, known }
            })
            .collect();
        self.forget_others(&entries);
        let change = mapping::leave(ui, &mut self.typed, &entries);
        add::take_dropped(ui, context);
        let summary = words::summary(&entries);
        let pinned = !entries.is_empty() && ui.available_height() >= ROOM_FOR_SUMMARY;
        let below = if pinned { words::height(ui, &summary) + 2.0 * Theme::GAP } else { 0.0 };
        let height = (ui.available_height() - below).max(0.0);
        let mut changed = None;
        ScrollArea::vertical().auto_shrink(false).max_height(height).show(ui, |ui| {
            add::bar(ui, context);
            if entries.is_empty() {
                add::nothing_yet(ui, context);
                return;
            }
            scope::show(ui, context, &mut self.scope_open, &mut self.entries);
            changed = self.cards(ui, context, &entries);
            if !pinned {
                ui.label(RichText::new(&summary).color(context.theme.muted()));
            }
        });
        if pinned {
            ui.separator();
            ui.label(RichText::new(&summary).color(context.theme.muted()));
        }
        if let Some(change) = changed.or(change) {
            carry_out(context, &entries, change);
        }
    }
}

impl TasksPanel {
    /// All cards; returns what somebody did to the list.
    fn cards(&mut self, ui: &mut Ui, context: &mut Context<'_>, entries: &[Entry<'_>]) -> Option<Change> {
        let mut change = None;
        let mut places = Vec::with_capacity(entries.len());
        for entry in entries {
            if let Some(Ok(card)) = entry.known {
                self.histograms.entry(entry.id).or_insert_with(|| Histogram::new(&card.token_lengths));
            }
            // The same source may be in the stream twice, so the place is part of the identity.
            let shown = ui.push_id((entry.place, entry.source()), |ui| self.card(ui, context, entry));
            places.push(shown.response.rect);
            change = change.or(shown.inner);
        }
        change.or(order::drop(ui, context.theme, &places))
    }

    /// What was kept of tasks that are no longer there is of no use.
    fn forget_others(&mut self, entries: &[Entry<'_>]) {
        if self.histograms.len() > entries.len() + 64 {
            self.histograms.retain(|id, _| entries.iter().any(|entry| entry.id == *id));
        }
        for entry in entries {
            let columns = match entry.known {
                Some(Ok(card)) => &card.columns,
                Some(Err(problem)) => &problem.columns,
                None => continue,
            };
            if !columns.is_empty() && self.columns.get(entry.source()) != Some(columns) {
                self.columns.insert(entry.source().to_string(), columns.clone());
            }
        }
    }
}

/// Makes a change of the list an edit of the draft.
fn carry_out(context: &mut Context<'_>, entries: &[Entry<'_>], change: Change) {
    let name = |place: usize| entries.get(place).map(Entry::name).unwrap_or_default();
    match change {
        Change::Move(from, to) => context.edit(&format!("place of {}", name(from)), |draft| {
            if from < draft.tasks.len() && to < draft.tasks.len() {
                let task = draft.tasks.remove(from);
                draft.tasks.insert(to, task);
            }
        }),
        Change::Remove(place) => context.edit(&format!("remove {}", name(place)), |draft| {
            if place < draft.tasks.len() {
                draft.tasks.remove(place);
            }
        }),
        Change::Replace(place, config) => context.edit(&format!("reading of {}", name(place)), |draft| {
            if let Some(task) = draft.tasks.get_mut(place) {
                *task = config;
            }
        }),
    }
}

/// Small text in the colour of what is less important.
fn small(theme: &Theme, text: impl Into<String>) -> RichText {
    RichText::new(text).text_style(TextStyle::Small).color(theme.muted())
}

#[cfg(test)]
mod tests;
