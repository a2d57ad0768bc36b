//! What `thalweg tasks check FILE` says about a file: that it can be used, and what is in it.

use std::collections::HashMap;
use std::fmt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::error::DataError;
use super::import::{ImportSettings, Imported, import_path};
use super::task::{Example, Metric, Task};

/// How often a label is the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelCount {
    pub label: String,
    pub train: usize,
    pub eval: usize,
}

/// Lengths in characters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    pub min: usize,
    /// The middle one; of an even number the upper.
    pub median: usize,
    pub max: usize,
}

/// A task in numbers. `Display` gives the text for the terminal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CheckReport {
    pub name: String,
    pub source: String,
    pub metric: Metric,
    /// In the task's order; empty for free text.
    pub labels: Vec<LabelCount>,
    pub train: usize,
    pub eval: usize,
    /// Score of guessing among the labels, in `[0, 1]`.
    pub chance: f64,
    /// Share of the most frequent label among the scored examples, in `[0, 1]`: what a constant answer gets.
    pub majority: f64,
    pub max_new_tokens: usize,
    /// Over both splits.
    pub prompt_chars: Lengths,
    /// Over both splits.
    pub answer_chars: Lengths,
    /// The first training example.
    pub first: Option<Example>,
    pub warnings: Vec<String>,
}

/// Imports the file or folder and reports on it.
///
/// # Errors
/// Whatever [`import_path`] refuses, which is the finding of the check.
pub fn check(path: &Path, settings: &ImportSettings) -> Result<CheckReport, DataError> {
    Ok(report(&import_path(path, settings)?))
}

/// Reports on a task that was read.
#[must_use]
pub fn report(imported: &Imported) -> CheckReport {
    let task = &imported.task;
    let all = || task.train.iter().chain(&task.eval);
    let labels = label_counts(task);
    let most = labels.iter().map(|label| label.eval).max().unwrap_or(0);
    #[allow(clippy::cast_precision_loss)] // counts of examples
    let majority = if task.eval.is_empty() { 0.0 } else { most as f64 / task.eval.len() as f64 };
    CheckReport {
        name: task.name.clone(),
        source: task.source.clone(),
        metric: task.metric,
        labels,
        train: task.train.len(),
        eval: task.eval.len(),
        chance: task.chance(),
        majority,
        max_new_tokens: task.max_new_tokens,
        prompt_chars: lengths(all().map(|example| example.prompt.as_str())),
        answer_chars: lengths(all().map(|example| example.answer.as_str())),
        first: task.train.first().cloned(),
        warnings: imported.warnings.clone(),
    }
}

fn label_counts(task: &Task) -> Vec<LabelCount> {
    // Of a first-character task only the first character is the label.
    let label_of = |example: &Example| match task.metric {
        Metric::FirstCharacter => example.answer.trim_start().chars().next().map(String::from).unwrap_or_default(),
        _ => example.answer.clone(),
    };
    let count = |examples: &[Example]| {
        let mut counts: HashMap<String, usize> = HashMap::new();
        for example in examples {
            *counts.entry(label_of(example)).or_insert(0) += 1;
        }
        counts
    };
    let (train, eval) = (count(&task.train), count(&task.eval));
    let times = |counts: &HashMap<String, usize>, label: &str| counts.get(label).copied().unwrap_or(0);
    task.labels
        .iter()
        .map(|label| LabelCount { label: label.clone(), train: times(&train, label), eval: times(&eval, label) })
        .collect()
}

fn lengths<'a>(texts: impl Iterator<Item = &'a str>) -> Lengths {
    let mut counts: Vec<usize> = texts.map(|text| text.chars().count()).collect();
    counts.sort_unstable();
    match (counts.first(), counts.get(counts.len() / 2), counts.last()) {
        (Some(&min), Some(&median), Some(&max)) => Lengths { min, median, max },
        _ => Lengths::default(),
    }
}

impl fmt::Display for CheckReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "Task {} from {}", self.name, self.source)?;
        writeln!(f, "  examples   {} to train on, {} scored", self.train, self.eval)?;
        writeln!(f, "  scored by  {}", self.metric.title())?;
        if !self.labels.is_empty() {
            writeln!(
                f,
                "  chance     {:.1} % (always the most frequent label: {:.1} %)",
                100.0 * self.chance,
                100.0 * self.majority
            )?;
            writeln!(f, "  labels     {} (train, scored)", self.labels.len())?;
            for label in &self.labels {
                writeln!(f, "    {:?}: {}, {}", label.label, label.train, label.eval)?;
            }
        }
        for (what, lengths) in [("prompts", self.prompt_chars), ("answers", self.answer_chars)] {
            writeln!(f, "  {what}    {} to {} characters, median {}", lengths.min, lengths.max, lengths.median)?;
        }
        writeln!(f, "  generates  at most {} tokens for an answer", self.max_new_tokens)?;
        if let Some(first) = &self.first {
            writeln!(f, "  first      {:?} -> {:?}", shortened(&first.prompt), shortened(&first.answer))?;
        }
        for warning in &self.warnings {
            writeln!(f, "  note: {warning}")?;
        }
        Ok(())
    }
}

/// The end of a long text, which is where a prompt asks.
fn shortened(text: &str) -> String {
    const SHOWN: usize = 120;
    let count = text.chars().count();
    if count <= SHOWN {
        text.to_string()
    } else {
        format!("…{}", text.chars().skip(count - SHOWN).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::import::import_bytes;

    #[test]
    fn counts_labels_and_lengths() {
        let mut text = String::from("prompt,answer\n");
        for index in 0..20 {
            let answer = if index % 4 == 0 { "no" } else { "yes" };
            text.extend([&"x".repeat(index + 1), ",", answer, "\n"]);
        }
        let imported = import_bytes("data/Mood-Set.csv", text.as_bytes(), &ImportSettings::default()).unwrap();
        let report = report(&imported);
        assert_eq!((report.name.as_str(), report.train, report.eval), ("mood_set", 16, 4));
        assert_eq!(report.labels.iter().map(|label| label.train + label.eval).collect::<Vec<_>>(), [5, 15]);
        assert_eq!(report.prompt_chars, Lengths { min: 1, median: 11, max: 20 });
        assert_eq!(report.answer_chars, Lengths { min: 2, median: 3, max: 3 });
        let shown = report.to_string();
        assert!(
            shown.contains("16 to train on, 4 scored")
                && shown.contains("chance     50.0 %")
                && shown.contains("held out"),
            "{shown}"
        );
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = check(Path::new("/nowhere/tasks.jsonl"), &ImportSettings::default()).unwrap_err().to_string();
        assert!(error.contains("/nowhere/tasks.jsonl"), "{error}");
    }
}
