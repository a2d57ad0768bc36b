//! The command line that repeats what was measured for a window, where a terminal can say it.

use crate::engine::config::{ExperimentConfig, TaskConfig};
use crate::engine::protocol::{AdapterSource, PathCommand, PlaneCommand, SimilarityCommand};
use crate::engine::run_folder::{CONFIG_FILE, RunFolder};
use crate::platform::fs;
use std::path::Path;

/// One word for a shell.
#[must_use]
pub fn quote(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "_@%+=:,./-".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_string();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// `None` where something of it has no folder, or lies in no run with the same model, tasks and seed.
pub(super) fn path(command: &PathCommand, experiment: &ExperimentConfig) -> Option<String> {
    let mut words = begin("path", &command.anchors)?;
    let mut add = |flag: &str, value: String| words.extend([flag.to_string(), value]);
    add("--kind", command.shape.clone());
    add("--points", command.points.to_string());
    if command.beyond > 0.0 {
        add("--beyond", command.beyond.to_string());
    }
    if matches!(command.shape.as_str(), "bezier" | "polychain") {
        add("--bends", command.bends.max(1).to_string());
        add("--steps", command.steps.to_string());
        add("--learning-rate", command.learning_rate.to_string());
    }
    end(words, &command.anchors, experiment, (command.examples, command.scores))
}

/// As [`path`].
pub(super) fn plane(command: &PlaneCommand, experiment: &ExperimentConfig) -> Option<String> {
    if !command.curves.is_empty() {
        return None;
    }
    let mut words = begin("plane", &command.anchors)?;
    match command.shape.as_str() {
        "PCA" => words.push("--pca".into()),
        "random directions" => words.push("--random".into()),
        _ => {}
    }
    for other in folders(&command.others)? {
        words.extend(["--also".into(), other]);
    }
    for track in &command.tracks {
        words.extend(["--track".into(), track.clone()]);
    }
    words.extend(["--points".into(), command.side.to_string()]);
    if command.shape != "random directions" {
        words.extend(["--margin".into(), command.margin.to_string()]);
    }
    end(words, &command.anchors, experiment, (command.examples, command.scores))
}

/// As [`path`].
pub(super) fn similarity(command: &SimilarityCommand, experiment: &ExperimentConfig) -> Option<String> {
    let mut words = begin("similarity", &command.adapters)?;
    if !command.features {
        words.push("--no-cka".into());
    }
    end(words, &command.adapters, experiment, (command.examples, true))
}

fn folders(sources: &[(String, AdapterSource)]) -> Option<Vec<String>> {
    let folder = |(_, source): &(String, AdapterSource)| match source {
        AdapterSource::Folder { path } => Some(path.clone()),
        _ => None,
    };
    sources.iter().map(folder).collect()
}

fn begin(subcommand: &str, anchors: &[(String, AdapterSource)]) -> Option<Vec<String>> {
    let mut words = vec!["thalweg".to_string(), subcommand.to_string()];
    words.extend(folders(anchors)?);
    Some(words)
}

/// Adds what is measured on, and joins the words. On a terminal model, tasks and seed are those of the run in which the first
/// adapter lies.
fn end(
    mut words: Vec<String>,
    anchors: &[(String, AdapterSource)],
    experiment: &ExperimentConfig,
    (examples, scores): (usize, bool),
) -> Option<String> {
    let first = folders(anchors)?.into_iter().next()?;
    let run = Path::new(&first).ancestors().find(|folder| fs::is_file(&folder.join(CONFIG_FILE)))?;
    let of_run = RunFolder::open(run).ok()?.1;
    let same = (&of_run.model, of_run.seed) == (&experiment.model, experiment.seed)
        && of_run.training.max_length == experiment.training.max_length
        && of_run.training.max_train_examples == experiment.training.max_train_examples;
    if !same {
        return None;
    }
    if of_run.tasks != experiment.tasks {
        for task in &experiment.tasks {
            let TaskConfig::Source(source) = task else { return None };
            words.extend(["--task".into(), source.clone()]);
        }
    }
    if of_run.device != experiment.device {
        words.extend(["--device".into(), experiment.device.clone()]);
    }
    words.extend(["--examples".into(), examples.to_string(), "--seed".into(), experiment.seed.to_string()]);
    if !scores {
        words.push("--no-scores".into());
    }
    Some(words.iter().map(|word| quote(word)).collect::<Vec<_>>().join(" "))
}
