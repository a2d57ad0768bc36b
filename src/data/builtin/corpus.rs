//! Pretraining text in the language of the built-in tasks, without their rules.
//!
//! A model pretrained on it knows the words, the frames, the tags, the digits and that a label word may follow
//! `Answer:`, and it has had reason to grow the circuits that the tasks need (looking a word up, copying it). It cannot
//! know the conventions: wherever a prompt of a task is answered, the answer was drawn without looking at the rule.
//!
//! Five kinds of documents: games (a convention invented for that one document, so that a cue's answer can only be
//! read off the lines above), prompts with meaningless answers, stories, questions about a sentence (answered truly,
//! under tags that no task uses), and lists (counting, repetitions).

use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use super::ENTRIES;
use super::form::{Builtin, Choice, Form};
use super::language::{
    ANIMALS, COUNTED, DEEDS, GOODS, JOIN, LABELS, PEOPLE, PLACES, SLOT, Scene, generator, pick, prompt,
};
use super::simplification::SYNONYMS;

/// Lines of a document: short enough for a context of 128 tokens.
const LINES: std::ops::RangeInclusive<usize> = 4..=6;

/// At least `sentences` sentences in documents that are separated by one blank line; a document has two to six lines.
/// The same seed and length give the same text.
#[must_use]
pub fn pretraining_text(seed: u64, sentences: usize) -> String {
    let mut rng = generator(seed, "corpus");
    let mut text = String::new();
    let mut written = 0;
    while written < sentences {
        let lines = match rng.random_range(0..20) {
            0..5 => game(&mut rng),
            5..7 => meaningless(&mut rng),
            7..9 => story(&mut rng),
            9..15 => questions(&mut rng),
            _ => list(&mut rng),
        };
        written += lines.len();
        if !text.is_empty() {
            text.push('\n');
        }
        for line in lines {
            text.push_str(&line);
            text.push('\n');
        }
    }
    text
}

/// Prompts of one choice task under a convention made up for this document: two to four of its cues get labels at
/// random and keep them to the end.
fn game(rng: &mut ChaCha8Rng) -> Vec<String> {
    let choices: Vec<&Choice> = ENTRIES
        .iter()
        .filter_map(|entry| if let Form::Choice(choice) = &entry.form { Some(choice) } else { None })
        .collect();
    let Some(choice) = choices.choose(rng) else { return Vec::new() };
    let mut cues: Vec<&str> = choice.all_cues().into_iter().map(|(cue, _)| cue).collect();
    cues.shuffle(rng);
    cues.truncate(rng.random_range(2..=4));
    let convention: Vec<(&str, &str)> = cues.into_iter().map(|cue| (cue, pick(choice.labels, rng))).collect();
    let mut lines = Vec::new();
    for _ in 0..rng.random_range(LINES) {
        if let Some((cue, label)) = convention.choose(rng) {
            lines.push(answered(&choice.ask(cue, rng).0, label));
        }
    }
    lines
}

/// Prompts of any task, each with an answer of the right kind that was drawn without looking at it, or cut off before
/// the slot.
fn meaningless(rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut lines = Vec::new();
    for _ in 0..rng.random_range(LINES) {
        let Some(entry) = ENTRIES.choose(rng) else { continue };
        let (prompt, answer) = unruly(entry, rng);
        if rng.random_bool(0.5) {
            lines.push(answered(&prompt, &answer));
        } else {
            lines.push(prompt.trim_end_matches(SLOT).trim_end().to_owned());
        }
    }
    lines
}

/// A prompt of the task and an independent answer.
fn unruly(entry: &Builtin, rng: &mut ChaCha8Rng) -> (String, String) {
    match entry.form {
        Form::Choice(choice) => {
            let cues = choice.all_cues();
            let cue = cues[rng.random_range(0..cues.len())].0;
            (choice.ask(cue, rng).0, pick(choice.labels, rng).to_owned())
        }
        Form::Free(free) => ((free.draw)(rng).prompt, (free.noise)(rng)),
    }
}

/// A few things that the same two people do at one place, in the words of the tasks.
fn story(rng: &mut ChaCha8Rng) -> Vec<String> {
    let scene = Scene::draw(rng);
    let mut lines = vec![scene.fill("{who} and {other} came to the {place} {time}.", &[])];
    for _ in 0..rng.random_range(2..=5) {
        let mut next = Scene::draw(rng);
        (next.who, next.other, next.place) = (scene.who, scene.other, scene.place);
        if rng.random_bool(0.5) {
            (next.who, next.other) = (next.other, next.who);
        }
        lines.push(event(&next, rng));
    }
    lines
}

/// One sentence of a story: a frame of a task without its tag, or one about goods, animals and numbers.
fn event(scene: &Scene, rng: &mut ChaCha8Rng) -> String {
    let (hard, easy) = SYNONYMS.choose(rng).copied().unwrap_or(("", ""));
    let verb = if rng.random_bool(0.5) { hard } else { easy };
    let number = rng.random_range(2..=9).to_string();
    let blanks =
        [("verb", verb), ("number", number.as_str()), ("deed", pick(DEEDS, rng)), ("label", pick(LABELS, rng))];
    let own = [
        "{who} {verb} the {good} {time}.",
        "{who} {verb} the {good} of {other}.",
        "{who} will {deed} the {good} {time}.",
        "{who} has {number} {counted}.",
        "{who} gives {number} more {counted} {time}.",
        "while {other} slept, {who} fed the {animal}.",
        "{who} met {other} and spoke of {good}.",
        "{who} cried {label} to the {animal}.",
        "the word of {who} was {label}.",
    ];
    if rng.random_bool(0.6) {
        return scene.fill(own.choose(rng).copied().unwrap_or(""), &blanks);
    }
    let choices: Vec<&Choice> = ENTRIES
        .iter()
        .filter_map(|entry| if let Form::Choice(choice) = &entry.form { Some(choice) } else { None })
        .collect();
    choices.choose(rng).map_or_else(String::new, |choice| {
        let cues = choice.all_cues();
        let cue = cues[rng.random_range(0..cues.len())].0;
        scene.fill(choice.frames.choose(rng).copied().unwrap_or(""), &[("cue", cue)])
    })
}

/// Questions that are answered by copying a word or a run of words. The tags belong to no task.
fn questions(rng: &mut ChaCha8Rng) -> Vec<String> {
    let kind = rng.random_range(0..9);
    // Questions that show two sentences take twice the room.
    let count = if kind > 6 { rng.random_range(2..=3) } else { rng.random_range(LINES) };
    (0..count).map(|_| question(kind, rng)).collect()
}

fn question(kind: usize, rng: &mut ChaCha8Rng) -> String {
    let scene = Scene::draw(rng);
    let deed = pick(DEEDS, rng);
    let verb = *["led", "fed", "washed", "followed"].choose(rng).unwrap_or(&"");
    let number = rng.random_range(2..=9).to_string();
    let (first, last) = (event(&scene, rng), event(&Scene::draw(rng), rng));
    let sentence = |text: &str| text.trim_end_matches('.').to_owned();
    let two = format!("{first} {last}");
    let (first, last) = (sentence(&first), sentence(&last));
    let (tag, frame, answer) = match kind {
        0 => ("Who", "{who} will {deed} {good} at the {place}.", "{who}"),
        1 => ("What", "{time} {who} will {deed} the {good} of {other}.", "{good}"),
        2 => ("Where", "{who} met {other} at the {place} {time}.", "{place}"),
        3 => ("Count", "{time} {who} has {number} {counted}.", "{number}"),
        4 => ("Repeat", "{row}.", "{row}"),
        5 => ("Plan", "{who} and {other} {deed} the {good} {time}.", "{deed} the {good}"),
        6 => ("Deed", "{time}, {who} {verb} the {animal} of {other}.", "{who} {verb} the {animal}"),
        7 => ("First", two.as_str(), first.as_str()),
        _ => ("Last", two.as_str(), last.as_str()),
    };
    let length = rng.random_range(3..=6);
    let row = row(length, rng);
    let blanks = [("deed", deed), ("verb", verb), ("number", number.as_str()), ("row", row.as_str())];
    answered(&prompt(tag, &scene.fill(frame, &blanks)), &scene.fill(answer, &blanks))
}

/// Counting, or a row of unrelated words that is said again: what comes next can only be known by copying.
fn list(rng: &mut ChaCha8Rng) -> Vec<String> {
    let mut lines = Vec::new();
    let counting = rng.random_bool(0.25);
    for _ in 0..rng.random_range(2..=3) {
        let who = pick(PEOPLE, rng);
        if counting {
            let first = rng.random_range(0..=6);
            let last = rng.random_range(first + 2..=9);
            let numbers: Vec<String> = (first..=last).map(|number| number.to_string()).collect();
            lines.push(format!("{who} counts {}: {}.", pick(COUNTED, rng), numbers.join(" ")));
        } else {
            let length = rng.random_range(4..=9);
            let row = row(length, rng);
            lines.push(format!("{who} says {row}, and again {row}."));
        }
    }
    lines
}

/// Different words of the world, in any order.
fn row(length: usize, rng: &mut ChaCha8Rng) -> String {
    let mut words = [PEOPLE, PLACES, GOODS, ANIMALS, COUNTED, DEEDS, LABELS].concat();
    words.shuffle(rng);
    words.truncate(length);
    words.join(" ")
}

fn answered(prompt: &str, answer: &str) -> String {
    format!("{prompt}{JOIN}{answer}")
}
