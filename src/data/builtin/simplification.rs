//! Simplification: say it in easy words (after 20Minuten, simple German news).
//!
//! The hard verb becomes its easy synonym, the adverbial (when, or while somebody slept) is dropped, the rest is copied.
//! Worked example: `Simplify: while Tom slept, Ann purchased the wool. Answer:` is answered by `Ann bought the wool`.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;

use super::form::{Builtin, Draw, Form, Free};
use super::language::{GOODS, Scene, pick, prompt};
use crate::data::task::{Metric, Task};

/// Hard verbs and their easy synonyms.
pub(super) const SYNONYMS: &[(&str, &str)] = &[
    ("purchased", "bought"),
    ("located", "found"),
    ("concealed", "hid"),
    ("observed", "saw"),
    ("retained", "kept"),
    ("conveyed", "brought"),
];

const FRAMES: &[&str] = &[
    "{time}, {who} {verb} the {good}.",
    "{who} {verb} the {good} {time}.",
    "while {other} slept, {who} {verb} the {good}.",
];

pub(super) const ENTRY: Builtin = Builtin {
    name: "simplification",
    title: "Simplification",
    description: "The same in easy words: the hard verb replaced by an easy one, the when and while left out.",
    form: Form::Free(Free { metric: Metric::Sari, max_new_tokens: 10, draw, noise }),
};

/// The task made from `seed`.
#[must_use]
pub fn task(seed: u64) -> Task {
    ENTRY.task(seed)
}

fn draw(rng: &mut ChaCha8Rng) -> Draw {
    let scene = Scene::draw(rng);
    let verb = rng.random_range(0..SYNONYMS.len());
    let (hard, easy) = SYNONYMS[verb];
    let frame = FRAMES.choose(rng).copied().unwrap_or("");
    let text = scene.fill(frame, &[("verb", hard)]);
    let answer = scene.fill("{who} {verb} the {good}", &[("verb", easy)]);
    Draw { prompt: prompt("Simplify", &text), answer, combination: (scene.who, verb) }
}

fn noise(rng: &mut ChaCha8Rng) -> String {
    pick(GOODS, rng).to_owned()
}
