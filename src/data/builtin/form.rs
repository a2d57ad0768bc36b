//! The two forms of a built-in task, and how either is turned into examples: choice tasks, whose label hangs on one cue
//! word, and free tasks, whose answer is written out.

use std::collections::HashSet;

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::language::{PEOPLE, Scene, generator, prompt};
use crate::data::task::{Example, Metric, Task};

/// Training examples of each built-in task.
pub const TRAIN: usize = 400;
/// Evaluation examples of each built-in task.
pub const EVAL: usize = 100;

/// A built-in task: what it is called and how its examples come about. One constant in each task's file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Builtin {
    pub name: &'static str,
    pub title: &'static str,
    /// One sentence that tells the rule's subject and the meaning of the labels.
    pub description: &'static str,
    pub form: Form,
}

/// How the answer follows from the prompt.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Choice(Choice),
    Free(Free),
}

/// The label is a function of the one cue word in the prompt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    /// The word before the colon.
    pub tag: &'static str,
    /// The possible answers; a run of [`super::language::LABELS`].
    pub labels: &'static [&'static str],
    /// `cues[l]`: the words that mean `labels[l]`.
    pub cues: &'static [&'static [&'static str]],
    /// Sentences with the blank `{cue}` and the blanks of [`Scene`].
    pub frames: &'static [&'static str],
}

/// The answer is computed by a function of the task's file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Free {
    pub metric: Metric,
    pub max_new_tokens: usize,
    pub draw: fn(&mut ChaCha8Rng) -> Draw,
    /// An answer that tells nothing about any prompt, for the pretraining corpus.
    pub noise: fn(&mut ChaCha8Rng) -> String,
}

/// One example before it is sorted into training or evaluation.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    pub prompt: String,
    pub answer: String,
    /// Two properties of the example (the first an index into the people). One combination in eight is held out.
    pub combination: (usize, usize),
}

impl Choice {
    /// All cue words with the index of their label, in a fixed order.
    pub(super) fn all_cues(&self) -> Vec<(&'static str, usize)> {
        let labelled = |(label, words): (usize, &&'static [&'static str])| {
            words.iter().map(move |word| (*word, label)).collect::<Vec<_>>()
        };
        self.cues.iter().enumerate().flat_map(labelled).collect()
    }

    /// A prompt about `cue`, and the index of its leading person.
    pub(super) fn ask(&self, cue: &str, rng: &mut ChaCha8Rng) -> (String, usize) {
        let scene = Scene::draw(rng);
        let frame = self.frames[rng.random_range(0..self.frames.len())];
        (prompt(self.tag, &scene.fill(frame, &[("cue", cue)])), scene.who)
    }

    fn draw(&self, label: usize, rng: &mut ChaCha8Rng) -> Draw {
        let cues = self.all_cues();
        let own: Vec<usize> = (0..cues.len()).filter(|&index| cues[index].1 == label).collect();
        let chosen = own[rng.random_range(0..own.len())];
        let (prompt, who) = self.ask(cues[chosen].0, rng);
        Draw { prompt, answer: self.labels[label].to_owned(), combination: (who, chosen) }
    }
}

impl Builtin {
    /// The task made from `seed`: [`TRAIN`] and [`EVAL`] examples with distinct prompts, the labels in equal shares.
    ///
    /// Which combinations of [`Draw::combination`] are only ever evaluated also follows from the seed, so a model that
    /// merely stores whole sentences scores no better than chance.
    pub(super) fn task(&self, seed: u64) -> Task {
        let mut rng = generator(seed, self.name);
        let shift = rng.random_range(0..PEOPLE.len());
        let mut used = HashSet::new();
        let train = self.examples(TRAIN, false, shift, &mut used, &mut rng);
        let eval = self.examples(EVAL, true, shift, &mut used, &mut rng);
        let (metric, labels, max_new_tokens) = match self.form {
            Form::Choice(choice) => (Metric::ChoiceLikelihood, choice.labels, 3),
            Form::Free(free) => (free.metric, &[][..], free.max_new_tokens),
        };
        Task {
            name: self.name.to_owned(),
            source: "builtin".to_owned(),
            metric,
            labels: labels.iter().map(|label| (*label).to_owned()).collect(),
            max_new_tokens,
            train,
            eval,
        }
    }

    fn examples(
        &self,
        count: usize,
        held_out: bool,
        shift: usize,
        used: &mut HashSet<String>,
        rng: &mut ChaCha8Rng,
    ) -> Vec<Example> {
        let mut examples = Vec::with_capacity(count);
        // Every task has thousands of prompts on either side (tested), so this ends long before the bound.
        for _ in 0..count * 1000 {
            if examples.len() == count {
                break;
            }
            let draw = match self.form {
                // Labels take turns, which balances them exactly; the trainer shuffles.
                Form::Choice(choice) => choice.draw(examples.len() % choice.labels.len(), rng),
                Form::Free(free) => (free.draw)(rng),
            };
            let (who, what) = draw.combination;
            if (who + what + shift).is_multiple_of(PEOPLE.len()) == held_out && used.insert(draw.prompt.clone()) {
                examples.push(Example { prompt: draw.prompt, answer: draw.answer });
            }
        }
        examples
    }
}
