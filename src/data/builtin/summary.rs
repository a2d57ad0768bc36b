//! Summary: the minutes of a meeting in four words (after MeetingBank).
//!
//! The answer is the one resolution: who will do what with which goods. Everything else (who met, where, what they
//! spoke of) is left out.
//! Worked example: `Summary: Ann met Tom at the inn and spoke of wool. Tom will sell salt. Answer:` is answered by
//! `Tom will sell salt`.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::form::{Builtin, Draw, Form, Free};
use super::language::{DEEDS, GOODS, PEOPLE, Scene, pick, prompt};
use crate::data::task::{Metric, Task};

pub(super) const ENTRY: Builtin = Builtin {
    name: "summary",
    title: "Summary",
    description: "The one resolution of a meeting, written out: who will do what with which goods.",
    form: Form::Free(Free { metric: Metric::RougeL, max_new_tokens: 10, draw, noise }),
};

/// The task made from `seed`.
#[must_use]
pub fn task(seed: u64) -> Task {
    ENTRY.task(seed)
}

fn draw(rng: &mut ChaCha8Rng) -> Draw {
    let scene = Scene::draw(rng);
    // What they spoke of differs from what was resolved, or the right goods could be read off either sentence.
    let topic = GOODS.iter().position(|good| *good == scene.good).unwrap_or(0);
    let resolved = (topic + rng.random_range(1..GOODS.len())) % GOODS.len();
    let decider = if rng.random_bool(0.5) { scene.who } else { scene.other };
    let resolution = format!("{} will {} {}", PEOPLE[decider], pick(DEEDS, rng), GOODS[resolved]);
    let meeting = if rng.random_bool(0.5) {
        scene.fill("{who} met {other} at the {place} and spoke of {good}.", &[])
    } else {
        scene.fill("{who} met {other} {time} and spoke of {good}.", &[])
    };
    let text =
        if rng.random_bool(0.5) { format!("{meeting} {resolution}.") } else { format!("{resolution}. {meeting}") };
    Draw { prompt: prompt("Summary", &text), answer: resolution, combination: (decider, resolved) }
}

fn noise(rng: &mut ChaCha8Rng) -> String {
    pick(GOODS, rng).to_owned()
}
