//! What a task is: examples of prompt and answer, how they are scored, and the order they come in.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::error::DataError;

/// One training or evaluation example: the model reads `prompt` and is trained to continue with `answer`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Example {
    pub prompt: String,
    pub answer: String,
}

/// How an answer is scored. Every score lies in `[0, 1]`, larger is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The label with the largest likelihood (summed log-probability of its tokens) is the gold label.
    ChoiceLikelihood,
    /// The first label that the generated text names is the gold label.
    ChoiceGeneration,
    /// The first character of the generation equals the answer's first character (ScienceQA in LLMCL).
    FirstCharacter,
    /// Generated text equals the answer after trimming white space.
    ExactMatch,
    /// First number in the generated text equals the first number of the answer.
    NumberMatch,
    /// ROUGE-L F1 over words; an empty generation scores 0 (LLMCL drops it, which inflates the score).
    RougeL,
    /// SARI / 100 with the answer as the one reference and the prompt's source text as the input.
    Sari,
    /// `1 - levenshtein / max(len)` over characters (the fuzzy ratio of Py150).
    EditSimilarity,
}

impl Metric {
    /// Does scoring need generated text (rather than likelihoods of the labels)?
    #[must_use]
    pub fn needs_generation(self) -> bool {
        !matches!(self, Self::ChoiceLikelihood)
    }

    /// Must the answer be one of the task's labels?
    #[must_use]
    pub fn is_choice(self) -> bool {
        matches!(self, Self::ChoiceLikelihood | Self::ChoiceGeneration)
    }

    /// What is counted, in the words of the papers.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::ChoiceLikelihood => "accuracy (likelihood)",
            Self::ChoiceGeneration => "accuracy (generation)",
            Self::FirstCharacter => "accuracy (first character)",
            Self::ExactMatch => "exact match",
            Self::NumberMatch => "number match",
            Self::RougeL => "ROUGE-L",
            Self::Sari => "SARI",
            Self::EditSimilarity => "edit similarity",
        }
    }
}

/// A named set of examples with its metric.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Short identifier, used in files and flags: lower case, digits and underscores.
    pub name: String,
    /// Where it came from: `builtin`, or the path of its file or folder.
    pub source: String,
    pub metric: Metric,
    /// The possible answers of a choice task, in a fixed order; the possible first characters of a first-character task
    /// (they only set the chance level); empty for free text.
    pub labels: Vec<String>,
    /// Longest generated answer in tokens, for metrics that generate.
    pub max_new_tokens: usize,
    pub train: Vec<Example>,
    /// The examples that are scored.
    pub eval: Vec<Example>,
}

impl Task {
    /// Score of guessing: `1 / labels` for choice tasks, 0 for free text.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // label counts are tiny
    pub fn chance(&self) -> f64 {
        if self.labels.is_empty() { 0.0 } else { 1.0 / self.labels.len() as f64 }
    }

    /// Checks what training and evaluation rely on.
    ///
    /// # Errors
    /// [`DataError::Task`] if the name has other characters than lower-case letters, digits and underscores, a split is
    /// empty, an answer is blank, a choice has fewer than two labels, doubled ones or an answer that is none of them, or
    /// no token may be generated.
    pub fn validate(&self) -> Result<(), DataError> {
        let refused = |reason: String| Err(DataError::Task { task: self.name.clone(), reason });
        let fits = |character: char| character == '_' || (character.is_alphanumeric() && !character.is_uppercase());
        if self.name.is_empty() || !self.name.chars().all(fits) {
            return refused(
                "its name may have lower-case letters, digits and underscores only, and at least one of them".into(),
            );
        }
        if self.max_new_tokens == 0 {
            return refused("max_new_tokens is 0; set how many tokens an answer may have".into());
        }
        let labels: HashSet<&str> = self.labels.iter().map(String::as_str).collect();
        if self.metric.is_choice() && self.labels.len() < 2 {
            return refused(format!(
                "{} needs at least two labels; list them, or choose another metric",
                self.metric.title()
            ));
        }
        if labels.len() < self.labels.len() {
            return refused("a label is listed twice; list each one once".into());
        }
        for (split, examples) in [("training", &self.train), ("scored", &self.eval)] {
            if examples.is_empty() {
                return refused(format!("it has no {split} examples; add some"));
            }
            for (index, example) in examples.iter().enumerate() {
                let number = index + 1;
                if example.answer.trim().is_empty() {
                    return refused(format!("{split} example {number} has an empty answer; fill it in"));
                }
                if self.metric.is_choice() && !labels.contains(example.answer.as_str()) {
                    let answer: String = example.answer.chars().take(80).collect();
                    return refused(format!(
                        "{split} example {number} has the answer {answer:?}, which is none of its labels; correct it"
                    ));
                }
            }
        }
        Ok(())
    }
}

/// Tasks in the order they are learnt.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskStream {
    pub tasks: Vec<Task>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn task() -> Task {
        let example = |answer: &str| Example { prompt: "Is it so?".into(), answer: answer.into() };
        Task {
            name: "so_1".into(),
            source: "builtin".into(),
            metric: Metric::ChoiceLikelihood,
            labels: vec!["yes".into(), "no".into()],
            max_new_tokens: 3,
            train: vec![example("yes"), example("no")],
            eval: vec![example("no")],
        }
    }

    type Break = fn(&mut Task);

    #[test]
    fn a_sound_task_passes_and_each_fault_is_named() {
        assert_eq!(task().validate(), Ok(()));
        assert!((task().chance() - 0.5).abs() < 1e-12);
        let faults: [(Break, &str); 8] = [
            (|task| task.name = "So 1".into(), "name"),
            (|task| task.max_new_tokens = 0, "max_new_tokens"),
            (|task| task.labels = vec!["yes".into()], "two labels"),
            (|task| task.labels.push("no".into()), "twice"),
            (|task| task.train.clear(), "no training"),
            (|task| task.eval.clear(), "no scored"),
            (|task| task.train[1].answer = " ".into(), "training example 2 has an empty answer"),
            (|task| task.eval[0].answer = "maybe".into(), "scored example 1 has the answer \"maybe\""),
        ];
        for (spoil, expected) in faults {
            let mut task = task();
            spoil(&mut task);
            let text = task.validate().unwrap_err().to_string();
            assert!(text.contains(expected), "{text}");
        }
    }

    #[test]
    fn tasks_survive_json() {
        let text = serde_json::to_string(&task()).unwrap();
        assert!(text.contains("\"choice_likelihood\""), "{text}");
        assert_eq!(serde_json::from_str::<Task>(&text).unwrap(), task());
    }
}
