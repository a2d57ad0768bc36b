//! Scores an adapter on a task: likelihood of the labels, or generated text against the answer.

use super::EngineError;
use super::prepare::{LoadedModel, Prepared};
use crate::data::batch::Batch;
use crate::data::prompt::{Encoded, PromptFormat, encode_choice, encode_prompt};
use crate::data::score::score;
use crate::data::task::{Example, Metric, Task};
use crate::model::AdapterVars;
use crate::model::generate::{Generation, Sampling, choose};
use crate::model::llama::Pass;
use crate::platform;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// How one scored example came out.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// The chosen label, or the generated text.
    pub prediction: String,
    /// In `[0, 1]`.
    pub score: f64,
}

/// Mean score of an adapter (or of the base model) on the first `limit` scored examples of a task.
///
/// # Errors
/// When the device fails. Stops early with `None` when `stopped` says so.
pub async fn evaluate(
    prepared: &Prepared,
    task: usize,
    adapter: Option<&AdapterVars>,
    limit: usize,
    batch_size: usize,
    stopped: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<f64>, EngineError> {
    let task = &prepared.tasks[task].task;
    let examples = &task.eval[..task.eval.len().min(limit)];
    let mut sum = 0.0;
    for chunk in examples.chunks(batch_size.max(1)) {
        let outcomes = outcomes(prepared, task, chunk, adapter).await?;
        sum += outcomes.iter().map(|outcome| outcome.score).sum::<f64>();
        platform::yield_now().await;
        if stopped(chunk.len()) {
            return Ok(None);
        }
    }
    #[allow(clippy::cast_precision_loss)] // example counts are far below 2^52
    Ok((!examples.is_empty()).then(|| sum / examples.len() as f64))
}

/// Prediction and score of each example.
///
/// # Errors
/// When the device fails.
pub async fn outcomes(
    prepared: &Prepared,
    task: &Task,
    examples: &[Example],
    adapter: Option<&AdapterVars>,
) -> Result<Vec<Outcome>, EngineError> {
    if task.metric == Metric::ChoiceLikelihood {
        return choices(prepared, task, examples, adapter).await;
    }
    let model = &prepared.model;
    let prompts = examples
        .iter()
        .map(|example| encode_prompt(&model.tokenizer, &example.prompt, &prepared.format, task.max_new_tokens))
        .collect::<Result<Vec<_>, _>>()?;
    let texts =
        generate(model, adapter, &prompts, &Sampling::greedy(task.max_new_tokens, model.stop_tokens.clone()), 0)
            .await?;
    Ok(examples
        .iter()
        .zip(texts)
        .map(|(example, prediction)| {
            let score = score(task.metric, &prediction, &example.answer, &task.labels, &example.prompt);
            Outcome { prediction, score }
        })
        .collect())
}

/// Generates text for a batch of prompts.
///
/// # Errors
/// Prompts that do not fit the model, or a device that fails.
pub async fn generate(
    model: &LoadedModel,
    adapter: Option<&AdapterVars>,
    prompts: &[Vec<u32>],
    sampling: &Sampling,
    seed: u64,
) -> Result<Vec<String>, EngineError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut written: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
    let mut ended = vec![false; prompts.len()];
    let mut generation = Generation::start(&model.llama, adapter, prompts, sampling.max_new_tokens)?;
    for step in 0..sampling.max_new_tokens {
        let vocab = model.llama.config.vocab_size;
        let logits = read(generation.logits().reshape([prompts.len() * vocab])).await?;
        let tokens: Vec<u32> = logits.chunks_exact(vocab).map(|row| choose(row, sampling, &mut rng)).collect();
        for ((token, text), ended) in tokens.iter().zip(&mut written).zip(&mut ended) {
            *ended |= sampling.stop_tokens.contains(token);
            if !*ended {
                text.push(*token);
            }
        }
        if ended.iter().all(|ended| *ended) || step + 1 == sampling.max_new_tokens {
            break;
        }
        generation.push(&tokens);
    }
    written.iter().map(|tokens| Ok(model.tokenizer.decode(tokens, true)?)).collect()
}

/// The label with the largest summed log-probability of its tokens (without the end token), for each example.
async fn choices(
    prepared: &Prepared,
    task: &Task,
    examples: &[Example],
    adapter: Option<&AdapterVars>,
) -> Result<Vec<Outcome>, EngineError> {
    let model = &prepared.model;
    let pad = model.tokenizer.pad_id().unwrap_or(0);
    let format = PromptFormat { eos: false, ..prepared.format };
    let mut rows: Vec<Encoded> = Vec::with_capacity(examples.len() * task.labels.len());
    for example in examples {
        rows.extend(encode_choice(&model.tokenizer, &example.prompt, &task.labels, &format)?);
    }
    let labels = task.labels.len();
    // Labels of one token each differ only in the last token: the prompt is read once for all of them.
    let single = rows.iter().all(|row| row.tokens.len() == row.answer_start + 1);
    let stride = if single { labels } else { 1 };
    let read_rows: Vec<&Encoded> = rows.iter().step_by(stride).collect();
    let batch = Batch::from_encoded(&read_rows, pad, 8)?;
    let hidden = model.llama.forward(&batch, Pass { adapter, ..Pass::default() }).last;
    let (mut positions, mut ids, mut owner) = (Vec::new(), Vec::new(), Vec::new());
    if single {
        for (index, encoded) in rows.iter().enumerate() {
            positions.push(u32::try_from(index / labels * batch.seq + encoded.answer_start - 1).unwrap_or(0));
            ids.push(encoded.tokens[encoded.answer_start]);
            owner.push(index);
        }
    } else {
        positions.clone_from(&batch.target_positions);
        ids.clone_from(&batch.target_ids);
        owner.extend(batch.target_rows.iter().map(|&row| row as usize));
    }
    let nll = read(model.llama.nll(hidden, &positions, &ids)).await?;
    let mut total = vec![0.0_f64; rows.len()];
    for (owner, nll) in owner.iter().zip(nll) {
        total[*owner] += f64::from(nll);
    }
    Ok(examples
        .iter()
        .zip(total.chunks_exact(labels.max(1)))
        .map(|(example, nll)| {
            let best = nll.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index);
            let prediction = task.labels[best].clone();
            let right = prediction.trim() == example.answer.trim();
            Outcome { prediction, score: f64::from(u8::from(right)) }
        })
        .collect())
}

/// Reads a vector back from the device.
pub(super) async fn read(tensor: burn::tensor::Tensor<1>) -> Result<Vec<f32>, EngineError> {
    let data = tensor.into_data_async().await.map_err(|error| EngineError::reading(&error))?;
    data.try_into_vec::<f32>().map_err(|error| EngineError::reading(&format!("{error:?}")))
}
