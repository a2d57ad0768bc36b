//! An example as tokens: begin token, prompt, answer, end token, and where the answer starts.
//!
//! Prompt and answer are encoded **apart** and joined as tokens, in training, in choosing and in generating alike. So the
//! prompt's tokens are the ones that generation starts from, and a label has the same tokens behind every prompt. Encoding
//! them together could merge the prompt's last letters with the answer's first ones, and such a token would belong to both.
//!
//! One space stands between the two ("Answer:" and "yes" read "Answer: yes") and belongs to the answer, because byte-level
//! tokenizers write words with the space in front, and `SentencePiece` ones put it there anyway. Spaces at the prompt's end
//! move over to the answer for the same reason. After a line end or a tab, and after an empty prompt, the answer follows as it
//! stands.

use serde::{Deserialize, Serialize};

use super::error::{DataError, first_lines};
use super::task::Example;
use super::tokenizer::Tokenizer;

/// The frame around prompt and answer; the same one must serve training and evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PromptFormat {
    /// Put the begin token in front.
    pub bos: bool,
    /// Put the end token behind the answer, so that the model learns to stop.
    pub eos: bool,
    /// Longest row in tokens, at most the model's window.
    pub max_length: usize,
}

impl PromptFormat {
    /// The format that the tokenizer's model expects: the begin token if its own template adds one, the end token if
    /// there is one.
    #[must_use]
    pub fn of(tokenizer: &Tokenizer, max_length: usize) -> Self {
        Self { bos: tokenizer.adds_bos(), eos: tokenizer.eos_id().is_some(), max_length }
    }
}

/// An example as tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encoded {
    /// Begin token, prompt, answer, end token (each if the format has it).
    pub tokens: Vec<u32>,
    /// Position of the first answer token. The tokens from here on are the targets (the first row position has none).
    pub answer_start: usize,
    /// Tokens that were cut off the prompt's start.
    pub truncated: usize,
    /// Tokens that were cut off the answer's end; then the end token is missing too.
    pub answer_truncated: usize,
}

/// Encodes one example for training.
///
/// A prompt that does not fit loses its start: the begin token and the whole answer stay, since the question stands at the
/// prompt's end. Only an answer that does not fit by itself (with begin and end token) is cut, at its end; then the
/// prompt keeps its last quarter window, as an answer without its question teaches nothing.
///
/// # Errors
/// [`DataError::NoTarget`] for an answer without tokens, [`DataError::Window`] if not even one answer token fits,
/// [`DataError::Tokenizer`] if the text cannot be encoded or a token that the format wants is not there.
pub fn encode_example(tokenizer: &Tokenizer, example: &Example, format: &PromptFormat) -> Result<Encoded, DataError> {
    let join = Join::of(&example.prompt);
    let prompt = tokenizer.encode(join.prompt)?;
    let mut answer = join.answer(tokenizer, &example.answer)?;
    if example.answer.trim().is_empty() || answer.is_empty() {
        return Err(no_target(&example.prompt, "its answer is empty; fill it in or remove the example"));
    }
    let (bos, eos) = frame(tokenizer, format)?;
    let max_length = format.max_length;
    let fixed = usize::from(bos.is_some());
    let needed = fixed + answer.len() + usize::from(eos.is_some());
    let (kept, answer_truncated) = if needed <= max_length {
        answer.extend(eos);
        (prompt.len().min(max_length - needed), 0)
    } else {
        let kept = prompt.len().min(max_length / 4);
        let room = max_length.saturating_sub(fixed + kept);
        let cut = answer.len().saturating_sub(room);
        answer.truncate(room);
        (kept, cut)
    };
    let encoded = assemble(bos, &prompt, kept, &answer, answer_truncated);
    if encoded.tokens.len() <= encoded.answer_start.max(1) {
        return Err(DataError::Window {
            max_length,
            reason: format!(
                "no token of the answer to {:?} has both a place and a token before it",
                ending(&example.prompt)
            ),
        });
    }
    Ok(encoded)
}

/// Encodes all examples of one split and says in whole sentences what had to be cut. `what` names the split.
///
/// # Errors
/// As [`encode_example`].
pub fn encode_all(
    tokenizer: &Tokenizer,
    examples: &[Example],
    format: &PromptFormat,
    what: &str,
) -> Result<(Vec<Encoded>, Vec<String>), DataError> {
    let mut encoded = Vec::with_capacity(examples.len());
    for example in examples {
        encoded.push(encode_example(tokenizer, example, format)?);
    }
    let numbers = |cut: fn(&Encoded) -> bool| -> Vec<usize> {
        encoded.iter().enumerate().filter(|(_, encoded)| cut(encoded)).map(|(index, _)| index + 1).collect()
    };
    let mut warnings = Vec::new();
    let (prompts, answers) =
        (numbers(|encoded| encoded.truncated > 0), numbers(|encoded| encoded.answer_truncated > 0));
    let (total, window) = (examples.len(), format.max_length);
    if !prompts.is_empty() {
        let count = prompts.len();
        warnings.push(format!(
            "{what}: {count} of {total} prompts lost their start to fit {window} tokens (examples {}).",
            first_lines(&prompts)
        ));
    }
    if !answers.is_empty() {
        let count = answers.len();
        warnings.push(format!(
            "{what}: {count} of {total} answers lost their end to fit {window} tokens (examples {}).",
            first_lines(&answers)
        ));
    }
    Ok((encoded, warnings))
}

/// Encodes a prompt for generation, cut on the left so that `max_new_tokens` fit behind it; the prompt keeps at least a
/// quarter window.
///
/// # Errors
/// [`DataError::EmptyPrompt`] if there is no token to continue; [`DataError::Tokenizer`] as in [`encode_example`].
pub fn encode_prompt(
    tokenizer: &Tokenizer,
    prompt: &str,
    format: &PromptFormat,
    max_new_tokens: usize,
) -> Result<Vec<u32>, DataError> {
    let ids = tokenizer.encode(Join::of(prompt).prompt)?;
    let (bos, _) = frame(tokenizer, format)?;
    let room = format
        .max_length
        .saturating_sub(usize::from(bos.is_some()).saturating_add(max_new_tokens))
        .max(format.max_length / 4);
    let encoded = assemble(bos, &ids, ids.len().min(room), &[], 0);
    if encoded.tokens.is_empty() {
        return Err(DataError::EmptyPrompt);
    }
    Ok(encoded.tokens)
}

/// Encodes a prompt with each label behind it, for scoring by likelihood: the score of a label is the summed
/// log-probability of its tokens from `answer_start` on, the end token included where the format has one.
///
/// All rows have the same prompt tokens (room is left for the longest label), so likelihoods are compared on one context.
///
/// # Errors
/// [`DataError::Window`] if a label does not fit with a token before it, [`DataError::NoTarget`] for an empty label or
/// no label at all, [`DataError::Tokenizer`] as in [`encode_example`].
pub fn encode_choice(
    tokenizer: &Tokenizer,
    prompt: &str,
    labels: &[String],
    format: &PromptFormat,
) -> Result<Vec<Encoded>, DataError> {
    let join = Join::of(prompt);
    let ids = tokenizer.encode(join.prompt)?;
    let (bos, eos) = frame(tokenizer, format)?;
    let mut answers = Vec::with_capacity(labels.len());
    for label in labels {
        let mut answer = join.answer(tokenizer, label)?;
        if label.trim().is_empty() || answer.is_empty() {
            return Err(no_target(prompt, "one of its labels is empty; name every label"));
        }
        answer.extend(eos);
        answers.push(answer);
    }
    let Some(longest) = answers.iter().map(Vec::len).max() else {
        return Err(no_target(prompt, "there are no labels to choose from; list at least two"));
    };
    let fixed = usize::from(bos.is_some());
    let kept = format.max_length.checked_sub(fixed + longest).map(|room| ids.len().min(room));
    let Some(kept) = kept.filter(|kept| fixed + kept > 0) else {
        let reason = format!("the longest label has {longest} tokens and needs at least one token before it");
        return Err(DataError::Window { max_length: format.max_length, reason });
    };
    Ok(answers.iter().map(|answer| assemble(bos, &ids, kept, answer, 0)).collect())
}

/// Where a prompt ends and how the answer follows.
struct Join<'a> {
    /// The prompt without the spaces at its end.
    prompt: &'a str,
    /// Does one space stand before the answer?
    space: bool,
}

impl<'a> Join<'a> {
    fn of(prompt: &'a str) -> Self {
        let prompt = prompt.trim_end_matches(' ');
        Self { prompt, space: prompt.chars().next_back().is_some_and(|last| !last.is_whitespace()) }
    }

    fn answer(&self, tokenizer: &Tokenizer, answer: &str) -> Result<Vec<u32>, DataError> {
        let bare = answer.trim_start_matches(' ');
        match (self.space, tokenizer.adds_space()) {
            (true, true) => tokenizer.encode(bare),
            (true, false) => tokenizer.encode(&format!(" {bare}")),
            (false, false) => tokenizer.encode(answer),
            (false, true) if self.prompt.is_empty() => tokenizer.encode(answer),
            // The tokenizer would put a space there: let a line end take it, and leave both out.
            (false, true) => {
                let (before, both) = (tokenizer.encode("\n")?, tokenizer.encode(&format!("\n{answer}"))?);
                match both.strip_prefix(before.as_slice()) {
                    Some(rest) => Ok(rest.to_vec()),
                    None => tokenizer.encode(answer),
                }
            }
        }
    }
}

/// The begin and end tokens that the format wants.
fn frame(tokenizer: &Tokenizer, format: &PromptFormat) -> Result<(Option<u32>, Option<u32>), DataError> {
    let wanted = |wanted: bool, id: Option<u32>, setting: &str| match (wanted, id) {
        (false, _) => Ok(None),
        (true, Some(id)) => Ok(Some(id)),
        (true, None) => {
            let reason =
                format!("the prompt format wants a token for `{setting}` but it has none; set {setting} = false");
            Err(DataError::Tokenizer { name: tokenizer.name().to_string(), reason })
        }
    };
    Ok((wanted(format.bos, tokenizer.bos_id(), "bos")?, wanted(format.eos, tokenizer.eos_id(), "eos")?))
}

fn assemble(bos: Option<u32>, prompt: &[u32], kept: usize, answer: &[u32], answer_truncated: usize) -> Encoded {
    let truncated = prompt.len() - kept;
    let mut tokens: Vec<u32> = bos.into_iter().collect();
    tokens.extend_from_slice(&prompt[truncated..]);
    let answer_start = tokens.len();
    tokens.extend_from_slice(answer);
    Encoded { tokens, answer_start, truncated, answer_truncated }
}

fn no_target(prompt: &str, reason: &str) -> DataError {
    DataError::NoTarget {
        example: format!("The example with the prompt {:?}", ending(prompt)),
        reason: reason.to_string(),
    }
}

/// The last characters of a prompt, which tell it from the others.
fn ending(prompt: &str) -> String {
    let count = prompt.chars().count();
    prompt.chars().skip(count.saturating_sub(60)).collect()
}

#[cfg(test)]
mod tests;
