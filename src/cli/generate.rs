//! `generate`: continues a text with a model, or a model with an adapter.

use super::args::{EventArgs, GenerateArgs};
use super::progress::Progress;
use super::terminal::{note, say};
use super::{Ending, Session, UsageError, adapter};
use crate::data::prompt::encode_prompt;
use crate::engine::config::ExperimentConfig;
use crate::engine::prepare::{Prepared, load_model, open_model, prepare};
use crate::engine::run::Sink;
use crate::engine::{Control, EngineError, choose, evaluator};
use crate::model::Overlay;
use crate::model::generate::Sampling;
use crate::platform;

/// Positions prepared at most; a longer prompt is cut on the left.
const MOST_POSITIONS: usize = 4096;

pub(super) fn generate(args: &GenerateArgs, session: &Session) -> anyhow::Result<Ending> {
    let mut progress = Progress::new(EventArgs::default(), session.quiet, &Control::default());
    let prepared = platform::block_on(load(args, &mut |event| progress.show(event)))??;
    progress.close();
    let model = &prepared.model;
    let window = model.llama.max_seq();
    if args.max_new_tokens >= window {
        let most = window - 1;
        return Err(UsageError(format!(
            "--max-new-tokens {} does not fit: this model has {window} positions, so at most {most}",
            args.max_new_tokens
        ))
        .into());
    }
    let overlay = match &args.adapter {
        Some(folder) => adapter::load(folder, model)?,
        None => Overlay::default(),
    };
    let mut format = prepared.format;
    format.max_length = window;
    let prompt =
        encode_prompt(&model.tokenizer, &args.prompt, &format, args.max_new_tokens).map_err(EngineError::from)?;
    let room = window - args.max_new_tokens;
    // The data layer keeps a quarter of the window for the prompt; here the new tokens have to fit.
    let cut = prompt.len().saturating_sub(room);
    let whole = model.tokenizer.encode(&args.prompt).map_err(EngineError::from)?.len();
    if whole > prompt.len() - cut {
        note(&format!(
            "note: the prompt has {whole} tokens and was cut on the left, so that {} new ones fit",
            args.max_new_tokens
        ));
    }
    let sampling = Sampling {
        temperature: args.temperature,
        top_k: args.top_k,
        top_p: args.top_p,
        max_new_tokens: args.max_new_tokens,
        stop_tokens: model.stop_tokens.clone(),
    };
    let prompts = [prompt[cut..].to_vec()];
    let texts = platform::block_on(evaluator::generate(model, &overlay, &prompts, &sampling, args.seed))??;
    say(&texts.concat())?;
    Ok(Ending::Done)
}

/// The model with the prompt's frame, and no tasks.
async fn load(args: &GenerateArgs, emit: Sink<'_>) -> Result<Prepared, EngineError> {
    let mut config = ExperimentConfig {
        model: args.model.clone(),
        device: args.device.clone(),
        tasks: Vec::new(),
        ..ExperimentConfig::default()
    };
    let mut folder = open_model(&config.model)?;
    config.training.max_length = folder.config.max_position_embeddings.min(MOST_POSITIONS);
    let device = choose::choose_device(&config, &folder.config, emit).await?;
    let model = load_model(&mut folder, &device, config.training.max_length)?;
    prepare(&config, model, 0)
}
