//! Arithmetic: sums with a one-digit result (after NumGLUE, whose first part is such short stories).
//!
//! The answer is the number somebody has plus the number that comes on top: 2 to 8 and 1 to 3, at most 9 together, so
//! that the 18 sums are a table to be learnt. Evaluation asks known sums of other people.
//! Worked example: `Arithmetic: Ann has 3 plums and gets 2 more at noon. Answer:` is answered by `5`.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::form::{Builtin, Draw, Form, Free};
use super::language::{Scene, prompt};
use crate::data::task::{Metric, Task};

const FRAMES: &[&str] = &[
    "{who} has {first} {counted} and gets {second} more {time}.",
    "{time} {who} has {first} {counted} and gets {second} more.",
    "{who} has {first} {counted}. {other} gives {second} more.",
];

/// Largest number that comes on top, and the largest sum.
const MOST_ADDED: usize = 3;
const LARGEST: usize = 9;

pub(super) const ENTRY: Builtin = Builtin {
    name: "arithmetic",
    title: "Arithmetic",
    description: "How many things somebody has after getting one, two or three more; the answer is a digit.",
    form: Form::Free(Free { metric: Metric::NumberMatch, max_new_tokens: 3, draw, noise }),
};

/// The task made from `seed`.
#[must_use]
pub fn task(seed: u64) -> Task {
    ENTRY.task(seed)
}

fn draw(rng: &mut ChaCha8Rng) -> Draw {
    let scene = Scene::draw(rng);
    let second = rng.random_range(1..=MOST_ADDED);
    let first = rng.random_range(2..=LARGEST - second);
    let frame = FRAMES.choose(rng).copied().unwrap_or("");
    let text = scene.fill(frame, &[("first", &first.to_string()), ("second", &second.to_string())]);
    // 3 * first + second numbers the pairs, so each sum is held out for another person.
    let combination = (scene.who, MOST_ADDED * first + second);
    Draw { prompt: prompt("Arithmetic", &text), answer: (first + second).to_string(), combination }
}

fn noise(rng: &mut ChaCha8Rng) -> String {
    rng.random_range(3..=LARGEST).to_string()
}
