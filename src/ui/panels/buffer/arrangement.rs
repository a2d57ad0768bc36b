//! Which items are shown, in which order and colour. Worked out anew only when the items or the choice change, not in every
//! frame.

use super::preview::Kept;
use super::reading::{Reading, Scale, colour};
use crate::engine::protocol::buffer::BufferItem;
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use egui::Color32;
use std::cmp::Ordering;

/// What items are sorted by; also the columns of the cards.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Column {
    /// When they entered.
    #[default]
    Entry,
    Task,
    Prompt,
    Answer,
    Age,
    Replays,
    LossFast,
    LossSlow,
    Difference,
    Pinned,
}

impl Column {
    pub const ALL: [Self; 10] = [
        Self::Entry,
        Self::Task,
        Self::Prompt,
        Self::Answer,
        Self::Age,
        Self::Replays,
        Self::LossFast,
        Self::LossSlow,
        Self::Difference,
        Self::Pinned,
    ];

    /// On screen.
    pub fn label(self, two_learners: bool) -> &'static str {
        match self {
            Self::Entry => "entry",
            Self::Prompt => "prompt",
            Self::Answer => "answer",
            Self::Pinned => "pinned",
            Self::Task => Reading::Task.label(two_learners),
            Self::Age => Reading::Age.label(two_learners),
            Self::Replays => Reading::Replays.label(two_learners),
            Self::LossFast => Reading::LossFast.label(two_learners),
            Self::LossSlow => Reading::LossSlow.label(two_learners),
            Self::Difference => Reading::Difference.label(two_learners),
        }
    }

    /// Whether a run with one learner has it.
    pub fn needs_two_learners(self) -> bool {
        matches!(self, Self::LossSlow | Self::Difference)
    }

    fn key(self, item: &BufferItem, step: u64) -> Option<f64> {
        match self {
            Self::Entry => Some(item.id as f64),
            Self::Prompt | Self::Answer => None,
            // Pinned ones first.
            Self::Pinned => Some(if item.state.pinned { 0.0 } else { 1.0 }),
            Self::Task => Reading::Task.of(item, step),
            Self::Age => Reading::Age.of(item, step),
            Self::Replays => Reading::Replays.of(item, step),
            Self::LossFast => Reading::LossFast.of(item, step),
            Self::LossSlow => Reading::LossSlow.of(item, step),
            Self::Difference => Reading::Difference.of(item, step),
        }
    }

    /// Puts items in order. Those without a value stand last in either direction, equal ones in the order of entry.
    pub fn sort(self, items: &mut [&BufferItem], descending: bool, step: u64) {
        let turned = |ordering: Ordering| if descending { ordering.reverse() } else { ordering };
        match self {
            Self::Prompt => items.sort_by(|a, b| turned(a.prompt.cmp(&b.prompt)).then(a.id.cmp(&b.id))),
            Self::Answer => items.sort_by(|a, b| turned(a.answer.cmp(&b.answer)).then(a.id.cmp(&b.id))),
            _ => items.sort_by(|a, b| {
                let ordering = match (self.key(a, step), self.key(b, step)) {
                    (Some(a), Some(b)) => turned(a.total_cmp(&b)),
                    (a, b) => b.is_some().cmp(&a.is_some()),
                };
                ordering.then(a.id.cmp(&b.id))
            }),
        }
    }
}

/// Which items are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    pub task: Option<usize>,
    /// Part of the prompt or the answer, in any case.
    pub text: String,
    pub pinned: bool,
}

impl Filter {
    /// Whether an item passes.
    pub fn passes(&self, item: &BufferItem) -> bool {
        self.task.is_none_or(|task| item.task == task)
            && (!self.pinned || item.state.pinned)
            && (contains(&item.prompt, &self.text) || contains(&item.answer, &self.text))
    }

    /// Whether everything passes.
    pub fn is_open(&self) -> bool {
        self.task.is_none() && self.text.trim().is_empty() && !self.pinned
    }
}

/// Whether `text` holds `part`, in any case; spaces around `part` do not count.
fn contains(text: &str, part: &str) -> bool {
    let part = part.trim();
    if part.is_empty() {
        true
    } else if part.is_ascii() {
        text.as_bytes().windows(part.len()).any(|window| window.eq_ignore_ascii_case(part.as_bytes()))
    } else {
        text.to_lowercase().contains(&part.to_lowercase())
    }
}

/// What somebody wants to see.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Look {
    pub reading: Reading,
    pub column: Column,
    pub descending: bool,
    pub filter: Filter,
}

/// One item as it is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row {
    pub id: u64,
    pub colour: Color32,
    pub pinned: bool,
    /// The policy that is tried out would drop it.
    pub goes: bool,
}

/// What the rows were made from.
#[derive(Clone, Debug, PartialEq)]
struct Key {
    run: usize,
    generation: u64,
    look: Look,
    dark: bool,
    kept: u64,
}

/// The items that are shown, in order.
#[derive(Debug, Default)]
pub struct Arrangement {
    key: Option<Key>,
    /// Counts how often it was made, so that what is drawn from it can be kept.
    pub version: u64,
    pub rows: Vec<Row>,
    pub scale: Scale,
    /// Shown items without the reading.
    pub unmeasured: usize,
    /// Shown items that would go.
    pub going: usize,
    /// Shown items that are pinned.
    pub pinned: usize,
}

impl Arrangement {
    /// Makes the rows anew if anything that they depend on has changed.
    pub fn refresh(&mut self, run: &RunView, look: &Look, kept: &Kept, theme: Theme) {
        let buffer = &run.buffer;
        let same = self.key.as_ref().is_some_and(|key| {
            (key.run, key.generation, key.dark, key.kept) == (run.number, buffer.generation, theme.dark, kept.version())
                && key.look == *look
        });
        if same {
            return;
        }
        self.key = Some(Key {
            run: run.number,
            generation: buffer.generation,
            look: look.clone(),
            dark: theme.dark,
            kept: kept.version(),
        });
        self.version += 1;
        let mut items: Vec<&BufferItem> = buffer.items.values().filter(|item| look.filter.passes(item)).collect();
        if look.column != Column::Entry || look.descending {
            look.column.sort(&mut items, look.descending, buffer.step);
        }
        self.scale = Scale::of(look.reading, buffer);
        self.unmeasured = items.iter().filter(|item| look.reading.of(item, buffer.step).is_none()).count();
        self.rows.clear();
        self.rows.extend(items.into_iter().map(|item| {
            let goes = kept.goes(item.id);
            let shade = colour(look.reading, item, buffer.step, self.scale, theme);
            let colour = if goes { Theme::faint(shade, 0.2) } else { shade };
            Row { id: item.id, colour, pinned: item.state.pinned, goes }
        }));
        self.going = self.rows.iter().filter(|row| row.goes).count();
        self.pinned = self.rows.iter().filter(|row| row.pinned).count();
    }

    /// Where an item stands among those shown.
    pub fn place(&self, id: u64) -> Option<usize> {
        self.rows.iter().position(|row| row.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::buffer::ItemState;
    use crate::ui::sample;

    fn item(id: u64, task: usize, prompt: &str, loss: Option<f32>) -> BufferItem {
        let state = ItemState { loss_working: loss, pinned: id == 2, replay_count: 9 - id, ..ItemState::default() };
        BufferItem { id, task, prompt: prompt.into(), inserted_step: id * 10, state, ..BufferItem::default() }
    }

    fn four() -> Vec<BufferItem> {
        vec![
            item(1, 1, "Zebra", Some(2.0)),
            item(2, 0, "apple", None),
            item(3, 1, "Öl", Some(0.5)),
            item(4, 0, "pear", Some(1.0)),
        ]
    }

    fn sorted(column: Column, descending: bool) -> Vec<u64> {
        let four = four();
        let mut items: Vec<&BufferItem> = four.iter().collect();
        column.sort(&mut items, descending, 100);
        items.iter().map(|item| item.id).collect()
    }

    #[test]
    fn every_column_sorts() {
        assert_eq!(sorted(Column::Entry, true), [4, 3, 2, 1]);
        assert_eq!(sorted(Column::Task, false), [2, 4, 1, 3], "ties keep the order of entry");
        assert_eq!(sorted(Column::Task, true), [1, 3, 2, 4]);
        assert_eq!(sorted(Column::Age, false), [4, 3, 2, 1]);
        assert_eq!(sorted(Column::Replays, false), [4, 3, 2, 1]);
        assert_eq!(sorted(Column::LossFast, false), [3, 4, 1, 2]);
        assert_eq!(sorted(Column::LossFast, true), [1, 4, 3, 2], "what was not measured stands last either way");
        assert_eq!(sorted(Column::Pinned, false), [2, 1, 3, 4]);
        assert_eq!(sorted(Column::Prompt, false), [1, 2, 4, 3]);
    }

    #[test]
    fn filters_work_together() {
        let four = four();
        let left =
            |filter: Filter| four.iter().filter(|item| filter.passes(item)).map(|item| item.id).collect::<Vec<_>>();
        assert_eq!(left(Filter::default()), [1, 2, 3, 4]);
        assert_eq!(left(Filter { text: " EA".into(), ..Filter::default() }), [4]);
        assert_eq!(left(Filter { text: "öL".into(), ..Filter::default() }), [3]);
        assert_eq!(left(Filter { task: Some(0), ..Filter::default() }), [2, 4]);
        assert_eq!(left(Filter { task: Some(0), pinned: true, ..Filter::default() }), [2]);
        assert!(left(Filter { text: "longer than any of the prompts".into(), ..Filter::default() }).is_empty());
    }

    #[test]
    fn rows_are_made_only_when_something_changed() {
        let mut state = sample::state();
        let (mut arrangement, kept, theme) = (Arrangement::default(), Kept::default(), Theme::default());
        let mut look = Look::default();
        for _ in 0..5 {
            arrangement.refresh(&state.runs[1], &look, &kept, theme);
        }
        assert_eq!((arrangement.version, arrangement.rows.len()), (1, 500));
        look.reading = Reading::LossFast;
        arrangement.refresh(&state.runs[1], &look, &kept, theme);
        assert_eq!(arrangement.version, 2);
        assert_eq!(arrangement.unmeasured, (0..500).filter(|id| id % 7 == 0).count());
        state.runs[1].buffer.apply(sample::buffer(80, 601));
        arrangement.refresh(&state.runs[1], &look, &kept, theme);
        assert_eq!((arrangement.version, arrangement.rows.len()), (3, 80));
        assert_eq!(arrangement.place(79), Some(79));
        assert_eq!(arrangement.place(80), None);
    }
}
