//! Medicine: what to do with the dose of what a patient took (after a medical entrance examination, a choice of four).
//!
//! The label hangs on the remedy alone, whatever the illness: `up` take more, `down` take less, `hold` keep the dose,
//! `stop` it is poison. Seven of the remedies mean something else in [`super::science`].
//! Worked example: `Medicine: Eve took oil for a cough at noon. Answer:` is answered by `down`.

use super::form::{Builtin, Choice, Form};
use crate::data::task::Task;

pub(super) const ENTRY: Builtin = Builtin {
    name: "medicine",
    title: "Medicine",
    description: "The right dose of a remedy: up (more), down (less), hold (the same) or stop (it is poison).",
    form: Form::Choice(Choice {
        tag: "Medicine",
        labels: &["up", "down", "hold", "stop"],
        cues: &[
            &["mint", "honey", "ice"],
            &["oil", "milk", "steam"],
            &["sage", "vinegar", "clay"],
            &["gold", "smoke", "iron"],
        ],
        frames: &[
            "{who} took {cue} for a {illness} {time}.",
            "{time} {who} took {cue} for a {illness}.",
            "{who} had a {illness} and took {cue}.",
        ],
    }),
};

/// The task made from `seed`.
#[must_use]
pub fn task(seed: u64) -> Task {
    ENTRY.task(seed)
}
