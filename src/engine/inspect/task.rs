//! What a task is, read as a run would read it, with the tokens that the model sees and those that it is trained on.

use super::lines::{FileFindings, findings};
use crate::data::DataError;
use crate::data::check::report;
use crate::data::import::Imported;
use crate::data::prompt::{Encoded, PromptFormat, encode_all};
use crate::data::tokenizer::Tokenizer;
use crate::engine::config::{ExperimentConfig, TaskConfig, TaskDetails};
use crate::engine::prepare::load_task;
use crate::engine::protocol::cards::{PreviewExample, PreviewToken, TaskCard, TaskProblem};
use crate::io::HfFolder;

/// Training examples that a card shows.
const SHOWN: usize = 12;

/// A model's tokenizer with the begin and end tokens that a run would use.
///
/// # Errors
/// [`DataError::Tokenizer`] if one of the files is not what it should be.
pub fn open_tokenizer(folder: &HfFolder) -> Result<Tokenizer, DataError> {
    let mut tokenizer =
        Tokenizer::from_bytes(&folder.tokenizer_json, folder.tokenizer_config.as_deref(), &folder.where_)?;
    if let Some(bos) = folder.config.bos_token_id {
        tokenizer.set_bos_id(Some(bos));
    }
    if let Some(&eos) = folder.eos_token_ids().first() {
        tokenizer.set_eos_id(Some(eos));
    }
    Ok(tokenizer)
}

/// The card of a task of an experiment. `tokenizer` is the model's ([`open_tokenizer`]) and `positions` the length of its
/// window in tokens.
///
/// # Errors
/// What keeps the source from being a task, with every line that is wrong and the columns that were found.
pub fn inspect_task(
    task: &TaskConfig,
    experiment: &ExperimentConfig,
    tokenizer: &Tokenizer,
    positions: usize,
) -> Result<TaskCard, TaskProblem> {
    let details = match task {
        TaskConfig::Source(source) => TaskDetails { source: source.clone(), ..TaskDetails::default() },
        TaskConfig::Details(details) => details.clone(),
    };
    let problem = |message: String| {
        let FileFindings { columns, lines } = findings(&details);
        TaskProblem { message, lines, columns }
    };
    let (task, mut warnings) = load_task(task, experiment).map_err(|error| problem(error.to_string()))?;
    let learned = experiment.prompt_length().unwrap_or(0);
    let format = PromptFormat {
        bos: tokenizer.bos_id().is_some(),
        eos: tokenizer.eos_id().is_some(),
        max_length: experiment.training.max_length.min(positions.saturating_sub(learned)),
    };
    let name = task.name.clone();
    let (encoded, notes) = encode_all(tokenizer, &task.train, &format, &format!("task `{name}`"))
        .map_err(|error| problem(error.to_string()))?;
    warnings.extend(notes);
    // All text is in `encoded` now, so the report may take the task.
    let report = report(&Imported { task, warnings });
    Ok(TaskCard {
        name,
        source: details.source.clone(),
        metric: report.metric.title().to_string(),
        chance: report.chance,
        majority: report.majority,
        train: report.train,
        eval: report.eval,
        labels: report.labels,
        token_lengths: encoded.iter().map(whole_length).collect(),
        cut: encoded.iter().filter(|example| example.truncated + example.answer_truncated > 0).count(),
        preview: encoded.iter().take(SHOWN).map(|example| preview(tokenizer, example)).collect(),
        columns: findings(&details).columns,
        warnings: report.warnings,
    })
}

/// Tokens of an example before anything was cut off.
fn whole_length(example: &Encoded) -> u32 {
    let length = example.tokens.len() + example.truncated + example.answer_truncated;
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn preview(tokenizer: &Tokenizer, example: &Encoded) -> PreviewExample {
    let token = |(index, &id): (usize, &u32)| PreviewToken {
        text: text_of(tokenizer, id),
        id,
        // The first token of a row has none before it that could predict it.
        trained: index >= example.answer_start.max(1),
    };
    PreviewExample { tokens: example.tokens.iter().enumerate().map(token).collect() }
}

/// A token's text by itself, with the space that it begins with; special tokens by name, parts of a character as bytes.
fn text_of(tokenizer: &Tokenizer, id: u32) -> String {
    let spelling = tokenizer.token_text(id).unwrap_or_else(|| format!("<{id}>"));
    // SentencePiece writes a space as U+2581, and its decoder drops the first one of a text.
    if spelling.contains('\u{2581}') {
        return spelling.replace('\u{2581}', " ");
    }
    match tokenizer.decode(&[id], false) {
        Ok(text) if !text.is_empty() && !text.contains('\u{fffd}') => text,
        _ => spelling,
    }
}
