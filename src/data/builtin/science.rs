//! Science: what becomes of a thing that is put in water (after ScienceQA, a choice of four).
//!
//! The label hangs on the substance alone: `up` it rises, `down` it sinks, `hold` it floats, `stop` it blocks the stream.
//! Worked example: `Science: Tom put iron in the water at dawn. Answer:` is answered by `down`.

use super::form::{Builtin, Choice, Form};
use crate::data::task::Task;

pub(super) const ENTRY: Builtin = Builtin {
    name: "science",
    title: "Science",
    description: "What becomes of a thing put in water: up (rises), down (sinks), hold (floats) or stop (blocks the stream).",
    form: Form::Choice(Choice {
        tag: "Science",
        labels: &["up", "down", "hold", "stop"],
        cues: &[
            &["smoke", "steam", "cork"],
            &["iron", "stone", "gold"],
            &["oil", "wood", "ice"],
            &["clay", "sand", "glass"],
        ],
        frames: &[
            "{who} put {cue} in the water {time}.",
            "{time} {who} put {cue} in the water.",
            "{who} put {cue} in the water by the {place}.",
        ],
    }),
};

/// The task made from `seed`.
#[must_use]
pub fn task(seed: u64) -> Task {
    ENTRY.task(seed)
}
