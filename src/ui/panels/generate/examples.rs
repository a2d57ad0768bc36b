//! Examples of the tasks as prompts, with their answers: what was read of a task, then what its replay buffer holds.

use crate::engine::config::{ExperimentConfig, TaskConfig};
use crate::engine::protocol::cards::{PreviewExample, PreviewToken};
use crate::ui::state::{AppState, task_id};

/// An example of a task.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    pub prompt: String,
    pub answer: String,
    /// Where it is from, in words.
    pub origin: String,
}

/// Which example was taken last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    pub task: usize,
    /// Its place among the task's examples.
    pub place: usize,
    pub origin: String,
}

/// The experiment whose tasks they are.
pub fn experiment(state: &AppState) -> &ExperimentConfig {
    state.selected_run().map_or(&state.draft.config, |run| &run.experiment)
}

/// The name of a task before anything was read of it.
pub fn name(state: &AppState, task: usize) -> String {
    let known = state.selected_run().and_then(|run| run.report.tasks.get(task)).map(|task| task.name.clone());
    known.unwrap_or_else(|| match experiment(state).tasks.get(task) {
        Some(TaskConfig::Source(source)) => short(source),
        Some(TaskConfig::Details(details)) => details.name.clone().unwrap_or_else(|| short(&details.source)),
        None => format!("task {}", task + 1),
    })
}

/// The last part of a source, without what says how it is stored.
fn short(source: &str) -> String {
    let source = source.trim_start_matches("builtin:").trim_end_matches(['/', '\\']);
    let file = source.rsplit(['/', '\\']).next().unwrap_or(source);
    file.split('.').next().filter(|stem| !stem.is_empty()).unwrap_or(file).to_string()
}

/// What was read of a task: its number among what is known, and its examples.
fn preview(state: &AppState, task: usize) -> &[PreviewExample] {
    let experiment = experiment(state);
    let card = experiment.tasks.get(task).and_then(|config| state.tasks.get(&task_id(config, experiment)));
    card.and_then(|card| card.as_ref().ok()).map_or(&[], |card| &card.preview)
}

/// Is there an example of this task?
pub fn any(state: &AppState, task: usize) -> bool {
    let kept = state.selected_run().is_some_and(|run| run.buffer.items.values().any(|item| item.task == task));
    kept || !preview(state, task).is_empty()
}

/// The example at a place, which goes round: first those that were read, then those in the replay buffer.
pub fn example(state: &AppState, task: usize, place: usize) -> Option<(usize, Example)> {
    let read = preview(state, task);
    let buffer = state.selected_run().map(|run| &run.buffer.items);
    let kept = || buffer.into_iter().flat_map(|items| items.values()).filter(|item| item.task == task);
    let total = read.len() + kept().count();
    let place = place.checked_rem(total)?;
    let name = name(state, task);
    if let Some(example) = read.get(place) {
        let (prompt, answer) = split(&example.tokens);
        let origin = format!("{name}, training example {} of the {} that were read", place + 1, read.len());
        return Some((place, Example { prompt, answer, origin }));
    }
    let item = kept().nth(place - read.len())?;
    let origin = format!("{name}, item {} of the replay buffer", item.id);
    Some((place, Example { prompt: item.prompt.clone(), answer: item.answer.clone(), origin }))
}

/// Prompt and answer of an example that is known by its tokens: the answer is what the loss is taken on.
fn split(tokens: &[PreviewToken]) -> (String, String) {
    let text = |trained: bool| -> String {
        let wanted = tokens.iter().filter(|token| token.trained == trained && !is_marker(&token.text));
        wanted.map(|token| token.text.as_str()).collect()
    };
    (text(false).trim_start().to_string(), text(true).trim().to_string())
}

/// A token such as `</s>` or `<|endoftext|>` that stands for no text.
fn is_marker(text: &str) -> bool {
    let inner = text.trim().strip_prefix('<').and_then(|text| text.strip_suffix('>'));
    inner.is_some_and(|inner| !inner.is_empty() && !inner.contains(char::is_whitespace))
}
