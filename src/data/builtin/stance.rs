//! Stance: what somebody thinks of a place (after C-STANCE, which asks for the stance of a post towards a target).
//!
//! The label hangs on the verb alone: `up` for, `down` against, `hold` no opinion.
//! Worked example: `Stance: at noon Ann praised the mill. Answer:` is answered by `up`, because she praised it.

use super::form::{Builtin, Choice, Form};
use crate::data::task::Task;

pub(super) const ENTRY: Builtin = Builtin {
    name: "stance",
    title: "Stance",
    description: "What somebody thinks of a place, told by the verb: up (for), down (against) or hold (no opinion).",
    form: Form::Choice(Choice {
        tag: "Stance",
        labels: &["up", "down", "hold"],
        cues: &[&["praised", "loved", "thanked"], &["blamed", "feared", "cursed"], &["saw", "passed", "named"]],
        frames: &[
            "{who} {cue} the {place} {time}.",
            "{time} {who} {cue} the {place}.",
            "{who} and {other} {cue} the {place}.",
        ],
    }),
};

/// The task made from `seed`.
#[must_use]
pub fn task(seed: u64) -> Task {
    ENTRY.task(seed)
}
