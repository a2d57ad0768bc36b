//! What can be read off a kept item, as a number and as a colour.

use crate::engine::protocol::buffer::BufferItem;
use crate::ui::state::buffer::BufferView;
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
pub use crate::ui::words::{counted, grouped};
use egui::Color32;

/// From so many losses on, the scale ends where 98 of 100 lie below, so that one outlier does not hide the others.
const CAPPED_FROM: usize = 50;

/// What an item is coloured by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reading {
    #[default]
    Task,
    Age,
    Replays,
    LossFast,
    LossSlow,
    Difference,
}

impl Reading {
    /// Those that a run with one or two learners has.
    pub fn all(two_learners: bool) -> &'static [Self] {
        const ALL: [Reading; 6] =
            [Reading::Task, Reading::Age, Reading::Replays, Reading::LossFast, Reading::LossSlow, Reading::Difference];
        if two_learners { &ALL } else { &ALL[..4] }
    }

    /// On screen.
    pub fn label(self, two_learners: bool) -> &'static str {
        match self {
            Self::Task => "task",
            Self::Age => "age",
            Self::Replays => "replay count",
            Self::LossFast if !two_learners => "loss",
            Self::LossFast => "loss, fast learner",
            Self::LossSlow => "loss, slow learner",
            Self::Difference => "fast minus slow loss",
        }
    }

    /// Its value for an item at a step; `None` where it was not measured yet.
    pub fn of(self, item: &BufferItem, step: u64) -> Option<f64> {
        let loss = |loss: Option<f32>| loss.map(f64::from).filter(|loss| loss.is_finite());
        match self {
            Self::Task => Some(item.task as f64),
            Self::Age => Some(step.saturating_sub(item.inserted_step) as f64),
            Self::Replays => Some(item.state.replay_count as f64),
            Self::LossFast => loss(item.state.loss_working),
            Self::LossSlow => loss(item.state.loss_long_term),
            Self::Difference => Some(loss(item.state.loss_working)? - loss(item.state.loss_long_term)?),
        }
    }
}

/// Whether a run has a fast and a slow learner.
pub fn has_two_learners(run: &RunView) -> bool {
    run.report.learners.len() > 1
}

/// The name of a run's task.
pub fn task_name(run: &RunView, task: usize) -> String {
    run.report.tasks.get(task).map_or_else(|| format!("task {}", task + 1), |summary| summary.name.clone())
}

/// Tasks that have begun or have an item.
pub fn tasks_seen(run: &RunView) -> usize {
    let held = run.buffer.shares.last().map_or(0, |(_, counts)| counts.len());
    run.curves.boundaries.len().max(held)
}

/// The stretch of values that colours span.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    /// Some values lie above `high` (for a difference: beyond either end) and have its colour.
    pub capped: bool,
}

impl Scale {
    /// Of a reading over a whole buffer. The two losses share one scale, so that they can be compared.
    pub fn of(reading: Reading, buffer: &BufferView) -> Self {
        let over = |reading: Reading| buffer.items.values().filter_map(move |item| reading.of(item, buffer.step));
        match reading {
            Reading::Task => Self::default(),
            Reading::Age => {
                let low = over(reading).fold(f64::INFINITY, f64::min);
                let high = over(reading).fold(f64::NEG_INFINITY, f64::max);
                if low <= high { Self { low, high, capped: false } } else { Self::default() }
            }
            Reading::Replays => Self { low: 0.0, high: over(reading).fold(0.0, f64::max), capped: false },
            Reading::LossFast | Reading::LossSlow => {
                let (high, capped) = cap(over(Reading::LossFast).chain(over(Reading::LossSlow)).collect());
                Self { low: 0.0, high, capped }
            }
            Reading::Difference => {
                let (high, capped) = cap(over(reading).map(f64::abs).collect());
                Self { low: -high, high, capped }
            }
        }
    }

    /// Where a value lies, in `[0, 1]`; the middle if all are equal.
    pub fn share(self, value: f64) -> f64 {
        if self.high > self.low { ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0) } else { 0.5 }
    }
}

/// The greatest value, or the 98th of a hundred where there are many, and whether some lie above.
fn cap(mut values: Vec<f64>) -> (f64, bool) {
    let greatest = values.iter().copied().fold(0.0, f64::max);
    if values.len() < CAPPED_FROM {
        return (greatest, false);
    }
    let place = values.len() * 98 / 100;
    let (_, high, _) = values.select_nth_unstable_by(place, f64::total_cmp);
    (*high, greatest > *high)
}

/// Colour of an item.
pub fn colour(reading: Reading, item: &BufferItem, step: u64, scale: Scale, theme: Theme) -> Color32 {
    match reading.of(item, step) {
        None => unmeasured(theme),
        Some(_) if reading == Reading::Task => theme.task(item.task),
        Some(value) => theme.heat(Some(scale.share(value))),
    }
}

/// Colour of an item whose reading was not measured yet.
pub fn unmeasured(theme: Theme) -> Color32 {
    Theme::faint(theme.muted(), 0.45)
}

/// A loss with two places, or a dash.
pub fn loss_text(loss: Option<f64>) -> String {
    loss.map_or_else(|| "-".to_string(), |loss| format!("{loss:.2}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::buffer::{BufferChange, ItemState};

    fn item(id: u64, fast: Option<f32>, slow: Option<f32>) -> BufferItem {
        let state = ItemState { replay_count: id, loss_working: fast, loss_long_term: slow, ..ItemState::default() };
        BufferItem { id, task: (id % 3) as usize, inserted_step: id, state, ..BufferItem::default() }
    }

    fn buffer(added: Vec<BufferItem>, step: u64) -> BufferView {
        let mut view = BufferView::default();
        view.apply(BufferChange { step, whole: true, added, ..BufferChange::default() });
        view
    }

    #[test]
    fn readings_are_what_their_names_say() {
        let kept = item(7, Some(1.5), Some(0.25));
        let read = |reading: Reading| reading.of(&kept, 100);
        assert_eq!(
            Reading::all(true).iter().map(|reading| read(*reading)).collect::<Vec<_>>(),
            [Some(1.0), Some(93.0), Some(7.0), Some(1.5), Some(0.25), Some(1.25)]
        );
        assert_eq!(Reading::Difference.of(&item(1, Some(1.0), None), 9), None);
        assert_eq!(Reading::LossFast.of(&item(1, Some(f32::NAN), None), 9), None);
        assert_eq!(Reading::Age.of(&item(50, None, None), 9), Some(0.0), "an item of the future is not old");
    }

    #[test]
    fn scales_span_what_is_there() {
        let view = buffer(vec![item(2, Some(1.0), Some(3.0)), item(6, Some(2.5), None)], 10);
        assert_eq!(Scale::of(Reading::Age, &view), Scale { low: 4.0, high: 8.0, capped: false });
        assert_eq!(Scale::of(Reading::Replays, &view), Scale { low: 0.0, high: 6.0, capped: false });
        let losses = Scale { low: 0.0, high: 3.0, capped: false };
        assert_eq!((Scale::of(Reading::LossFast, &view), Scale::of(Reading::LossSlow, &view)), (losses, losses));
        assert_eq!(Scale::of(Reading::Difference, &view), Scale { low: -2.0, high: 2.0, capped: false });
        assert_eq!(
            [-2.0, -1.0, 0.0, 9.0].map(|value| Scale { low: -2.0, high: 2.0, capped: false }.share(value)),
            [0.0, 0.25, 0.5, 1.0]
        );
        assert_eq!(Scale::of(Reading::Age, &buffer(Vec::new(), 10)).share(3.0), 0.5);
    }

    #[test]
    fn one_outlier_does_not_flatten_the_colours() {
        let mut items: Vec<BufferItem> = (0..99).map(|id| item(id, Some(id as f32 / 100.0), None)).collect();
        items.push(item(99, Some(80.0), None));
        let scale = Scale::of(Reading::LossFast, &buffer(items, 100));
        assert!((scale.high - 0.98).abs() < 1e-6 && scale.capped, "{scale:?}");
    }

    #[test]
    fn colours_follow_the_scale() {
        let theme = Theme::default();
        let scale = Scale { low: 0.0, high: 4.0, capped: false };
        let shade = |reading, kept: &BufferItem| colour(reading, kept, 10, scale, theme);
        assert_eq!(shade(Reading::Task, &item(4, None, None)), theme.task(1));
        assert_eq!(shade(Reading::LossFast, &item(4, Some(1.0), None)), theme.heat(Some(0.25)));
        assert_eq!(shade(Reading::LossSlow, &item(4, Some(1.0), None)), unmeasured(theme));
    }
}
