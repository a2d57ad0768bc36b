//! The small world that every built-in task speaks of: its people, places, goods and label words, and the frames that
//! make sentences of them.
//!
//! All tasks share these words and the closing `Answer:`, and the choice tasks share the four label words too. That is
//! what makes the stream forgetful: the same inputs and the same output slot are bent to a new convention each time.

use rand::RngExt;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The people. Their number also sets how many combinations are held out: one in `PEOPLE.len()`.
pub(super) const PEOPLE: &[&str] = &["Ann", "Tom", "Eve", "Sam", "Rose", "Jack", "Mary", "Hugh"];
pub(super) const PLACES: &[&str] = &["mill", "bridge", "market", "inn", "farm", "church", "harbour", "school"];
pub(super) const GOODS: &[&str] = &["salt", "bread", "wool", "corn", "fish", "wine", "tea", "cheese"];
pub(super) const ANIMALS: &[&str] = &["goat", "cow", "dog", "horse", "sheep", "goose"];
pub(super) const ILLNESSES: &[&str] = &["cough", "fever", "burn", "rash"];
pub(super) const COUNTED: &[&str] = &["eggs", "nuts", "plums", "coins", "pears", "nails"];
pub(super) const TIMES: &[&str] =
    &["in the rain", "in the snow", "in the sun", "in the wind", "at noon", "at night", "at dawn", "in spring"];
/// What people do to goods, in words that carry no label in any task.
pub(super) const DEEDS: &[&str] = &["sell", "buy", "send", "keep", "bring", "weigh"];

/// The label words of all choice tasks. Tasks of three labels use the first three.
pub(super) const LABELS: &[&str] = &["up", "down", "hold", "stop"];

/// What stands between a prompt and its answer in the corpus, and what a model must be shown when it is trained.
pub(super) const JOIN: &str = " ";
/// The end of every prompt.
pub(super) const SLOT: &str = "Answer:";

/// One of `words`, or the empty string when there are none.
pub(super) fn pick(words: &[&'static str], rng: &mut impl Rng) -> &'static str {
    words.choose(rng).copied().unwrap_or("")
}

/// `Tag: text Answer:`, the shape of every prompt.
pub(super) fn prompt(tag: &str, text: &str) -> String {
    format!("{tag}: {text} {SLOT}")
}

/// The generator of one task (or of the corpus): the same `seed` and `purpose` give the same text on every machine,
/// and two purposes never share a stream, so adding a task leaves the others as they were.
pub(super) fn generator(seed: u64, purpose: &str) -> ChaCha8Rng {
    // FNV-1a, because the hashes of the standard library may change between releases.
    let stream = purpose
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}

/// Who and what a sentence is about; fills the `{who}`, `{other}`, ... of a frame.
#[derive(Clone, Debug)]
pub(super) struct Scene {
    /// Index into [`PEOPLE`] of `{who}`.
    pub who: usize,
    pub other: usize,
    pub place: &'static str,
    pub good: &'static str,
    pub animal: &'static str,
    pub illness: &'static str,
    pub counted: &'static str,
    pub time: &'static str,
}

impl Scene {
    /// Two different people, and one of everything else, uniformly.
    pub(super) fn draw(rng: &mut impl Rng) -> Self {
        let who = rng.random_range(0..PEOPLE.len());
        let other = (who + rng.random_range(1..PEOPLE.len())) % PEOPLE.len();
        Self {
            who,
            other,
            place: pick(PLACES, rng),
            good: pick(GOODS, rng),
            animal: pick(ANIMALS, rng),
            illness: pick(ILLNESSES, rng),
            counted: pick(COUNTED, rng),
            time: pick(TIMES, rng),
        }
    }

    /// The name of `{who}`.
    pub(super) fn who(&self) -> &'static str {
        PEOPLE[self.who % PEOPLE.len()]
    }

    /// The name of `{other}`.
    pub(super) fn other(&self) -> &'static str {
        PEOPLE[self.other % PEOPLE.len()]
    }

    /// The frame with its blanks filled; `extra` are further blanks, by name without braces.
    pub(super) fn fill(&self, frame: &str, extra: &[(&str, &str)]) -> String {
        let own = [
            ("who", self.who()),
            ("other", self.other()),
            ("place", self.place),
            ("good", self.good),
            ("animal", self.animal),
            ("illness", self.illness),
            ("counted", self.counted),
            ("time", self.time),
        ];
        own.iter().chain(extra).fold(frame.to_owned(), |text, (name, word)| text.replace(&format!("{{{name}}}"), word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_filled_completely() {
        let scene = Scene {
            who: 0,
            other: 1,
            place: "mill",
            good: "salt",
            animal: "cow",
            illness: "burn",
            counted: "eggs",
            time: "at noon",
        };
        let text = scene.fill("{time} {who} and {other} {cue} the {animal} at the {place}.", &[("cue", "saw")]);
        assert_eq!(text, "at noon Ann and Tom saw the cow at the mill.");
    }

    #[test]
    fn streams_depend_on_seed_and_purpose() {
        let first = |seed, purpose| generator(seed, purpose).random::<u64>();
        assert_eq!(first(1, "law"), first(1, "law"));
        assert_ne!(first(1, "law"), first(2, "law"));
        assert_ne!(first(1, "law"), first(1, "stance"));
    }

    #[test]
    fn a_scene_has_two_people() {
        let mut rng = generator(3, "scene");
        for _ in 0..200 {
            let scene = Scene::draw(&mut rng);
            assert_ne!(scene.who(), scene.other());
        }
    }
}
