//! Law: what the court does with the fine for a deed done to an animal (after JEC-QA, a choice of four).
//!
//! The label hangs on the deed alone: `up` a higher fine, `down` a lower one, `hold` the fine stands, `stop` the case is
//! dropped. Deeds that also occur in [`super::stance`] or [`super::finance`] mean something else here.
//! Worked example: `Law: at night Tom praised the goat. Answer:` is answered by `stop`.

use super::form::{Builtin, Choice, Form};
use crate::data::task::Task;

pub(super) const ENTRY: Builtin = Builtin {
    name: "law",
    title: "Law",
    description: "What the court does with the fine: up (higher), down (lower), hold (it stands) or stop (case dropped).",
    form: Form::Choice(Choice {
        tag: "Law",
        labels: &["up", "down", "hold", "stop"],
        cues: &[
            &["stole", "beat", "cursed"],
            &["found", "thanked", "fed"],
            &["lent", "hid", "feared"],
            &["praised", "sold", "saw"],
        ],
        frames: &[
            "{who} {cue} the {animal} of {other} {time}.",
            "{time} {who} {cue} the {animal} of {other}.",
            "{who} {cue} a {animal} at the {place}.",
        ],
    }),
};

/// The task made from `seed`.
#[must_use]
pub fn task(seed: u64) -> Task {
    ENTRY.task(seed)
}
