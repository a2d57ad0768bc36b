//! Text while it is being written, marks of single examples, and adapters from and to folders: what a window asks of whatever
//! lies over the base model.

use super::EngineError;
use super::evaluator::{generate_with, outcomes};
use super::prepare::{LoadedModel, Prepared};
use super::protocol::{Event, MarkedExample, SamplingConfig};
use crate::data::prompt::encode_prompt;
use crate::io::atomic::write_file;
use crate::io::peft::read_adapter;
use crate::model::generate::Sampling;
use crate::model::{Adapter, Overlay};
use crate::platform::{self, fs};
use std::path::Path;

/// Writes on from a prompt. `tell(text so far, done, tokens a second)` says whether to go on.
///
/// # Errors
/// A prompt that leaves no room, or a device that fails.
pub async fn write(
    prepared: &Prepared,
    overlay: &Overlay,
    prompt: &str,
    sampling: &SamplingConfig,
    tell: &mut dyn FnMut(&str, bool, f64) -> bool,
) -> Result<(), EngineError> {
    let model = &prepared.model;
    let learned = overlay.prompt.as_ref().map_or(0, crate::model::SoftPrompt::length);
    let room = model.llama.max_seq().saturating_sub(learned);
    // At least a quarter of the window stays for the prompt.
    let most = (room - room / 4).max(1);
    let new_tokens = sampling.max_new_tokens.clamp(1, most);
    let mut format = prepared.format;
    format.max_length = room;
    let tokens = encode_prompt(&model.tokenizer, prompt, &format, new_tokens)?;
    let cut = tokens.len().saturating_sub(room.saturating_sub(new_tokens));
    let prompts = [tokens[cut..].to_vec()];
    #[allow(clippy::cast_possible_truncation)] // a temperature
    let choice = Sampling {
        temperature: sampling.temperature.max(0.0) as f32,
        top_k: sampling.top_k,
        top_p: 1.0,
        max_new_tokens: new_tokens,
        stop_tokens: model.stop_tokens.clone(),
    };
    let start = platform::now_secs();
    let mut last = String::new();
    let mut count = 0;
    let mut on_tokens = |written: &[Vec<u32>]| -> bool {
        let Some(tokens) = written.first() else { return false };
        // A character may take several tokens: half of one is not shown.
        if let Ok(text) = model.tokenizer.decode(tokens, true)
            && !text.ends_with('\u{fffd}')
        {
            last = text;
        }
        count = tokens.len();
        tell(&last, false, count as f64 / (platform::now_secs() - start).max(1e-9))
    };
    let texts = generate_with(model, overlay, &prompts, &choice, sampling.seed, &mut on_tokens).await?;
    let rate = count as f64 / (platform::now_secs() - start).max(1e-9);
    tell(&texts.concat(), true, rate);
    Ok(())
}

/// Tells of texts that nobody wants any more that they end here, before they have begun.
pub fn leave_out(id: u64, sources: std::ops::Range<usize>, emit: &mut dyn FnMut(Event)) {
    for source in sources {
        emit(Event::Generated { id, source, text: String::new(), done: true, tokens_per_sec: 0.0 });
    }
}

/// Predictions and scores of some scored examples, given as (task, example); those that are not there are left out.
///
/// # Errors
/// When the device fails.
pub async fn mark(
    prepared: &Prepared,
    overlay: &Overlay,
    examples: &[(usize, usize)],
) -> Result<Vec<MarkedExample>, EngineError> {
    let mut marked = Vec::with_capacity(examples.len());
    for (index, prepared_task) in prepared.tasks.iter().enumerate() {
        let task = &prepared_task.task;
        let wanted: Vec<(usize, _)> = examples
            .iter()
            .filter(|(task, _)| *task == index)
            .filter_map(|(_, example)| Some((*example, task.eval.get(*example)?.clone())))
            .collect();
        let list: Vec<_> = wanted.iter().map(|(_, example)| example.clone()).collect();
        let outcomes = outcomes(prepared, task, &list, overlay).await?;
        for ((example, source), outcome) in wanted.into_iter().zip(outcomes) {
            marked.push(MarkedExample {
                task: index,
                example,
                prompt: source.prompt,
                answer: source.answer,
                prediction: outcome.prediction,
                score: outcome.score,
            });
        }
    }
    Ok(marked)
}

/// An adapter's folder as something to lay over the model.
///
/// # Errors
/// What cannot be read or does not fit the model.
pub fn read_overlay(folder: &Path, model: &LoadedModel) -> Result<Overlay, EngineError> {
    let loaded = read_adapter(folder, &model.llama.config)?;
    Ok(Adapter::from_plain(&loaded.adapter, &model.llama.config, model.llama.device())?.vars(false).into())
}

/// Copies an adapter's two files.
///
/// # Errors
/// Files that cannot be read or written.
pub fn copy_adapter(from: &Path, to: &Path) -> Result<(), EngineError> {
    let refused = |path: &Path, error: &std::io::Error| {
        EngineError::Run(format!("{} cannot be used: {error}. Choose another folder", path.display()))
    };
    fs::create_dir_all(to).map_err(|error| refused(to, &error))?;
    for name in ["adapter_config.json", "adapter_model.safetensors"] {
        let source = from.join(name);
        let bytes = fs::read(&source).map_err(|error| refused(&source, &error))?;
        write_file(&to.join(name), &bytes)?;
    }
    Ok(())
}
