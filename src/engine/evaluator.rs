//! Scores an adapter on a task: likelihood of the labels, or generated text against the answer.

use super::EngineError;
use super::prepare::{LoadedModel, Prepared};
use crate::data::prompt::{Encoded, PromptFormat, encode_choice, encode_prompt};
use crate::data::score::score;
use crate::data::task::{Example, Metric, Task};
use crate::model::generate::{Generation, Sampling, choose};
use crate::model::{AdapterVars, Llama, Overlay, Pass, SoftPrompt};
use crate::platform;
use burn::tensor::Tensor;
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

/// Mean score of what lies over the base model on the first `limit` scored examples of a task.
///
/// # Errors
/// When the device fails. Stops early with `None` when `stopped` says so.
pub async fn evaluate(
    prepared: &Prepared,
    task: usize,
    overlay: &Overlay,
    limit: usize,
    batch_size: usize,
    stopped: &mut dyn FnMut(usize) -> bool,
) -> Result<Option<f64>, EngineError> {
    let task = &prepared.tasks[task].task;
    let examples = &task.eval[..task.eval.len().min(limit)];
    let mut sum = 0.0;
    for chunk in examples.chunks(batch_size.max(1)) {
        let outcomes = outcomes(prepared, task, chunk, overlay).await?;
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
    overlay: &Overlay,
) -> Result<Vec<Outcome>, EngineError> {
    Ok(outcomes_of_each(prepared, task, examples, overlay).await?.into_iter().next().unwrap_or_default())
}

/// Prediction and score of each example under each of the adapters that share the overlay's pass; one list an adapter.
///
/// # Errors
/// When the device fails.
pub async fn outcomes_of_each(
    prepared: &Prepared,
    task: &Task,
    examples: &[Example],
    overlay: &Overlay,
) -> Result<Vec<Vec<Outcome>>, EngineError> {
    let copies = overlay.adapter.as_ref().map_or(1, AdapterVars::adapters);
    if examples.is_empty() {
        return Ok(vec![Vec::new(); copies]);
    }
    if task.metric == Metric::ChoiceLikelihood {
        return choices(prepared, task, examples, (overlay.pass(), copies)).await;
    }
    let model = &prepared.model;
    let prompts = examples
        .iter()
        .map(|example| encode_prompt(&model.tokenizer, &example.prompt, &prepared.format, task.max_new_tokens))
        .collect::<Result<Vec<_>, _>>()?;
    let prompts = repeated(&prompts, copies);
    let texts =
        generate(model, overlay, &prompts, &Sampling::greedy(task.max_new_tokens, model.stop_tokens.clone()), 0)
            .await?;
    let mut texts = texts.into_iter();
    let of_one = |texts: &mut dyn Iterator<Item = String>| {
        let scored = |(example, prediction): (&Example, String)| {
            let score = score(task.metric, &prediction, &example.answer, &task.labels, &example.prompt);
            Outcome { prediction, score }
        };
        examples.iter().zip(texts).map(scored).collect()
    };
    Ok((0..copies).map(|_| of_one(&mut texts)).collect())
}

/// Generates text for a batch of prompts.
///
/// # Errors
/// Prompts that do not fit the model, or a device that fails.
pub async fn generate(
    model: &LoadedModel,
    overlay: &Overlay,
    prompts: &[Vec<u32>],
    sampling: &Sampling,
    seed: u64,
) -> Result<Vec<String>, EngineError> {
    generate_with(model, overlay, prompts, sampling, seed, &mut |_| true).await
}

/// As [`generate`]; `go_on` sees every row's new tokens after each step and says whether there shall be another.
///
/// # Errors
/// As [`generate`].
pub async fn generate_with(
    model: &LoadedModel,
    overlay: &Overlay,
    prompts: &[Vec<u32>],
    sampling: &Sampling,
    seed: u64,
    go_on: &mut dyn FnMut(&[Vec<u32>]) -> bool,
) -> Result<Vec<String>, EngineError> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut written: Vec<Vec<u32>> = vec![Vec::new(); prompts.len()];
    let mut ended = vec![false; prompts.len()];
    let mut generation = Generation::start(&model.llama, overlay.pass(), prompts, sampling.max_new_tokens)?;
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
        if !go_on(&written) || ended.iter().all(|ended| *ended) || step + 1 == sampling.max_new_tokens {
            break;
        }
        generation.push(&tokens);
    }
    written.iter().map(|tokens| Ok(model.tokenizer.decode(tokens, true)?)).collect()
}

/// Floats that the key-value caches of one scoring batch may take: 256 MiB.
const CACHE_FLOATS: usize = 64 * 1024 * 1024;

/// The label with the largest summed log-probability of its tokens, for each example.
///
/// The prompt is read once for all labels: their tokens continue copies of its key-value cache. The end token counts only
/// where the tokens of one label begin another's ("1" and "14"), since the shorter could never lose otherwise.
async fn choices(
    prepared: &Prepared,
    task: &Task,
    examples: &[Example],
    (pass, copies): (Pass<'_>, usize),
) -> Result<Vec<Vec<Outcome>>, EngineError> {
    let (tokenizer, llama, labels) = (&prepared.model.tokenizer, &prepared.model.llama, task.labels.len());
    let open_end = PromptFormat { eos: false, ..prepared.format };
    let mut outcomes = vec![Vec::with_capacity(examples.len()); copies];
    let Some(first) = examples.first() else { return Ok(outcomes) };
    // The labels' tokens are the same behind every prompt: what they ask for is found on the first.
    let alone = encode_choice(tokenizer, &first.prompt, &task.labels, &open_end)?;
    let format = if some_label_begins_another(&alone) { prepared.format } else { open_end };
    let longest = alone.iter().map(|row| answer(row).len()).max().unwrap_or(1);
    let places = pass.prompt.map_or(0, SoftPrompt::length) + prepared.format.max_length + longest + 1;
    let row_floats = 2 * llama.config.num_hidden_layers * llama.config.key_value_size() * places;
    let count = (CACHE_FLOATS / (row_floats * labels.max(1) * copies).max(1)).max(1);
    for now in examples.chunks(count) {
        let mut rows: Vec<Encoded> = Vec::with_capacity(now.len() * labels);
        for example in now {
            rows.extend(encode_choice(tokenizer, &example.prompt, &task.labels, &format)?);
        }
        let block = rows.len();
        let nll = label_losses(llama, pass, &repeated(&rows, copies), labels).await?;
        for (outcomes, nll) in outcomes.iter_mut().zip(nll.chunks_exact(block)) {
            outcomes.extend(now.iter().zip(nll.chunks_exact(labels.max(1))).map(|(example, nll)| {
                let best = nll.iter().enumerate().min_by(|a, b| a.1.total_cmp(b.1)).map_or(0, |(index, _)| index);
                let prediction = task.labels[best].clone();
                let right = prediction.trim() == example.answer.trim();
                Outcome { prediction, score: f64::from(u8::from(right)) }
            }));
        }
    }
    Ok(outcomes)
}

/// The whole list again and again: a block of rows for each adapter.
fn repeated<T: Clone>(rows: &[T], copies: usize) -> Vec<T> {
    (0..copies).flat_map(|_| rows.iter().cloned()).collect()
}

fn answer(row: &Encoded) -> &[u32] {
    &row.tokens[row.answer_start..]
}

fn some_label_begins_another(rows: &[Encoded]) -> bool {
    rows.iter()
        .enumerate()
        .any(|(i, a)| rows.iter().enumerate().any(|(j, b)| i != j && answer(b).starts_with(answer(a))))
}

/// Summed negative log-likelihood of each row's answer tokens. Every `labels` rows share their prompt.
async fn label_losses(llama: &Llama, pass: Pass<'_>, rows: &[Encoded], labels: usize) -> Result<Vec<f64>, EngineError> {
    let prompts: Vec<Vec<u32>> =
        rows.iter().step_by(labels.max(1)).map(|row| row.tokens[..row.answer_start].to_vec()).collect();
    let longest = rows.iter().map(|row| answer(row).len()).max().unwrap_or(0);
    let mut generation = Generation::start(llama, pass, &prompts, longest.saturating_sub(1))?.expand(labels);
    let mut losses = Vec::with_capacity(longest);
    for place in 0..longest {
        // Labels that have ended go on with any token; what it costs is not counted.
        let tokens: Vec<u32> = rows.iter().map(|row| answer(row).get(place).copied().unwrap_or(0)).collect();
        losses.push(generation.nll(&tokens));
        if place + 1 < longest {
            generation.push(&tokens);
        }
    }
    let mut total = vec![0.0_f64; rows.len()];
    for (index, nll) in read(Tensor::cat(losses, 0)).await?.into_iter().enumerate() {
        let (place, row) = (index / rows.len(), index % rows.len());
        if place < answer(&rows[row]).len() {
            total[row] += f64::from(nll);
        }
    }
    Ok(total)
}

/// Reads a vector back from the device.
pub(super) async fn read(tensor: Tensor<1>) -> Result<Vec<f32>, EngineError> {
    let data = tensor.into_data_async().await.map_err(|error| EngineError::reading(&error))?;
    data.try_into_vec::<f32>().map_err(|error| EngineError::reading(&format!("{error:?}")))
}
