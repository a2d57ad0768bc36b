//! The columns of the table of runs: what they are called, how wide they are and how they sort.

use super::figures::{named, number, train_secs};
use crate::ui::state::run::RunView;
use egui_extras::Column as Width;
use std::cmp::Ordering;

/// A column that can be sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Column {
    Title,
    Method,
    Seed,
    Status,
    Accuracy,
    Backward,
    Forgetting,
    Steps,
    Time,
}

impl Column {
    pub const ALL: [Self; 9] = [
        Self::Title,
        Self::Method,
        Self::Seed,
        Self::Status,
        Self::Accuracy,
        Self::Backward,
        Self::Forgetting,
        Self::Steps,
        Self::Time,
    ];

    /// On its header.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Title => "Run",
            Self::Method => "Method",
            Self::Seed => "Seed",
            Self::Status => "Status",
            Self::Accuracy => "Average\naccuracy",
            Self::Backward => "Backward\ntransfer",
            Self::Forgetting => "Forgetting",
            Self::Steps => "Steps",
            Self::Time => "Time",
        }
    }

    /// In small letters.
    pub fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Method => "method",
            Self::Seed => "seed",
            Self::Status => "status",
            Self::Accuracy => "average accuracy",
            Self::Backward => "backward transfer",
            Self::Forgetting => "forgetting",
            Self::Steps => "steps",
            Self::Time => "time",
        }
    }

    pub fn width(self) -> Width {
        match self {
            Self::Title => Width::remainder().at_least(190.0).clip(true),
            Self::Method => Width::exact(70.0).clip(true),
            Self::Seed => Width::exact(44.0).clip(true),
            Self::Status => Width::exact(90.0).clip(true),
            Self::Accuracy | Self::Backward | Self::Forgetting => Width::exact(68.0),
            Self::Steps => Width::exact(80.0).clip(true),
            Self::Time => Width::exact(96.0).clip(true),
        }
    }

    /// What a run is sorted by in this column.
    pub fn key(self, run: &RunView) -> Key {
        let text = |text: &str| Key::Text(text.to_lowercase());
        match self {
            Self::Title => text(&run.title),
            Self::Method => text(&run.report.method_label),
            Self::Seed => Key::Whole(run.experiment.seed),
            Self::Status => text(run.status.word()),
            Self::Accuracy | Self::Backward | Self::Forgetting => {
                Key::Number(named(self.name()).and_then(|figure| number(run, figure)))
            }
            Self::Steps => Key::Whole(run.steps_done),
            Self::Time => Key::Number(train_secs(run)),
        }
    }
}

/// What a run is sorted by.
pub enum Key {
    Text(String),
    Whole(u64),
    Number(Option<f64>),
}

impl Key {
    /// In the order wanted; what is not known comes last in either.
    pub fn compare(&self, other: &Self, falling: bool) -> Ordering {
        let ordering = match (self, other) {
            (Self::Text(one), Self::Text(two)) => one.cmp(two),
            (Self::Whole(one), Self::Whole(two)) => one.cmp(two),
            (Self::Number(Some(one)), Self::Number(Some(two))) => one.total_cmp(two),
            (Self::Number(one), Self::Number(two)) => return one.is_none().cmp(&two.is_none()),
            _ => Ordering::Equal,
        };
        if falling { ordering.reverse() } else { ordering }
    }
}
