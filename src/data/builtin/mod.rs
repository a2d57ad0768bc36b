//! Eight small tasks made from a seed, in the spirit of the eight domains of the I-LoRA paper and in their order, and the
//! corpus that teaches a tiny model their language without their rules.
//!
//! Every prompt has the shape `Tag: text Answer:`; the answer follows after one space. The rules are functions of the
//! prompt and hold for every seed (the seed only chooses which examples are drawn), yet they cannot be guessed: each is
//! a convention, and the same word may mean something else in the next task. That is what a model trained on one task
//! after another forgets, and what a model trained on all of them at once can hold.
//!
//! To add a task: one file with its `ENTRY`, and one line in `ENTRIES`.

pub mod arithmetic;
mod corpus;
pub mod finance;
mod form;
mod language;
pub mod law;
pub mod medicine;
pub mod science;
pub mod simplification;
pub mod stance;
pub mod summary;

pub use corpus::pretraining_text;
pub use form::{EVAL, TRAIN};

use super::task::Task;
use form::Builtin;

/// The tasks in the order they are learnt.
const ENTRIES: &[Builtin] = &[
    stance::ENTRY,
    finance::ENTRY,
    summary::ENTRY,
    science::ENTRY,
    arithmetic::ENTRY,
    simplification::ENTRY,
    medicine::ENTRY,
    law::ENTRY,
];

/// The names of the built-in tasks in the order they are learnt.
pub const NAMES: [&str; ENTRIES.len()] = {
    let mut names = [""; ENTRIES.len()];
    let mut index = 0;
    while index < names.len() {
        names[index] = ENTRIES[index].name;
        index += 1;
    }
    names
};

/// What a built-in task is called on screen, and one sentence about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Description {
    pub title: &'static str,
    pub sentence: &'static str,
}

/// All built-in tasks in the order they are learnt, made from `seed`.
#[must_use]
pub fn all(seed: u64) -> Vec<Task> {
    ENTRIES.iter().map(|entry| entry.task(seed)).collect()
}

/// The built-in task of that name made from `seed`, or `None` if there is none (see [`NAMES`]).
#[must_use]
pub fn by_name(name: &str, seed: u64) -> Option<Task> {
    entry(name).map(|entry| entry.task(seed))
}

/// Title and description of the built-in task of that name, or `None` if there is none (see [`NAMES`]).
#[must_use]
pub fn describe(name: &str) -> Option<Description> {
    entry(name).map(|entry| Description { title: entry.title, sentence: entry.description })
}

fn entry(name: &str) -> Option<&'static Builtin> {
    ENTRIES.iter().find(|entry| entry.name == name)
}

#[cfg(test)]
mod tests;
