//! Finance: where the bank will move its rate (after FOMC, which sorts central bank sentences into hawkish, dovish and
//! neutral).
//!
//! The label hangs on the bank's verb alone: `up` hawkish, `down` dovish, `hold` neutral. Five of the verbs mean
//! something else in [`super::stance`]: what the bank fears or blames makes it raise the rate, what it praises or sees
//! makes it lower it, what it loves makes it wait.
//! Worked example: `Finance: the bank of Ann feared the price of salt. Answer:` is answered by `up`.

use super::form::{Builtin, Choice, Form};
use crate::data::task::Task;

pub(super) const ENTRY: Builtin = Builtin {
    name: "finance",
    title: "Finance",
    description: "Where the bank will move its rate, told by its verb: up (hawkish), down (dovish) or hold (neutral).",
    form: Form::Choice(Choice {
        tag: "Finance",
        labels: &["up", "down", "hold"],
        cues: &[&["feared", "blamed", "counted"], &["praised", "saw", "lent"], &["loved", "named", "kept"]],
        frames: &[
            "the bank of {who} {cue} the {good} {time}.",
            "{time} the bank of {who} {cue} the {good}.",
            "{who} of the bank {cue} the price of {good} {time}.",
        ],
    }),
};

/// The task made from `seed`.
#[must_use]
pub fn task(seed: u64) -> Task {
    ENTRY.task(seed)
}
