//! Makes a [`Task`] from a file or a TRACE/LLMCL folder (`train`, `eval`, `test`), in memory or on disk.

use crate::platform::{self, fs};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use super::error::{DataError, first_lines};
use super::kind::{Answer, decide};
use super::mapping::{ColumnMapping, Layout, Piece, detect};
use super::records::{Cell, Format, Records, read};
use super::task::{Example, Metric, Task};

/// Share of a lone file's prompts that is held out for scoring.
pub const HOLD_OUT_SHARE: f64 = 0.2;
/// Most examples that are held out of a lone file.
pub const HOLD_OUT_LIMIT: usize = 500;
/// A file may take so much of the memory that is left: its text and its examples lie there side by side for a while.
const PART_OF_MEMORY: u64 = 8;

/// Which part of a folder is scored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScoreSplit {
    /// `test` if there is one, else `eval`, else examples held out of `train`.
    #[default]
    Auto,
    Test,
    Eval,
    /// Examples held out of `train`, whatever else there is.
    HoldOut,
}

/// How a task is read. The default finds everything out by itself.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ImportSettings {
    /// Name of the task; by default made from the name of the folder or file.
    pub name: Option<String>,
    /// Which columns are prompt and answer; by default the well-known names are looked for.
    pub mapping: Option<ColumnMapping>,
    /// How answers are scored; by default found from the answers.
    pub metric: Option<Metric>,
    /// Longest generated answer in tokens; by default enough characters for 95 % of the answers, at most 128.
    pub max_new_tokens: Option<usize>,
    pub score_split: ScoreSplit,
    /// At most so many training examples, drawn with `seed`.
    pub max_train: Option<usize>,
    /// At most so many scored examples, drawn with `seed`.
    pub max_eval: Option<usize>,
    /// Seed of the hold-out and of the two draws.
    pub seed: u64,
}

/// A task that was read, and what the reader should know about it.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    pub task: Task,
    /// Whole sentences; nothing in them stops the task from being used.
    pub warnings: Vec<String>,
}

/// A file's name (its ending tells the format) and its content.
pub type NamedBytes = (String, Vec<u8>);

/// Reads a task from a file or a folder.
///
/// # Errors
/// [`DataError`]: see [`import_files`]; [`DataError::Read`] when the file system refuses.
pub fn import_path(path: &Path, settings: &ImportSettings) -> Result<Imported, DataError> {
    let source = path.display().to_string();
    let refused = |at: &Path, error: &std::io::Error| DataError::Read {
        origin: at.display().to_string(),
        reason: error.to_string(),
    };
    let mut paths = Vec::new();
    let is_folder = fs::metadata(path).map_err(|error| refused(path, &error))?.is_dir();
    if is_folder {
        for entry in fs::read_dir(path).map_err(|error| refused(path, &error))? {
            let file = entry.map_err(|error| refused(path, &error))?.path();
            let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            if Format::of(&name).is_some() && Split::of(&name).is_some() && fs::is_file(&file) {
                paths.push(file);
            }
        }
        paths.sort();
        if paths.is_empty() {
            let reason = "there is no train.json, .jsonl, .csv, .tsv or .parquet in it".to_string();
            return Err(DataError::Folder { origin: source, reason });
        }
    } else {
        if Format::of(&source).is_none() {
            return Err(DataError::UnknownFormat { origin: source });
        }
        paths.push(path.to_path_buf());
    }
    let mut files = Vec::with_capacity(paths.len());
    for file in paths {
        let bytes = fs::metadata(&file).map_err(|error| refused(&file, &error))?.len();
        if let Some(reason) = too_large(bytes, platform::available_memory_bytes()) {
            return Err(DataError::TooLarge { origin: file.display().to_string(), reason });
        }
        let bytes = fs::read(&file).map_err(|error| refused(&file, &error))?;
        files.push((file.display().to_string(), bytes));
    }
    import_files(&source, &files, settings)
}

/// Why a file of this size is not even begun with.
fn too_large(bytes: u64, free: Option<u64>) -> Option<String> {
    const MEGA: u64 = 1_000_000;
    let most = free? / PART_OF_MEMORY;
    (bytes > most).then(|| format!("it has {} MB, and here is room for {} MB", bytes.div_ceil(MEGA), most / MEGA))
}

/// Reads a task from one file's bytes; `file_name` tells the format by its ending.
///
/// # Errors
/// [`DataError`], see [`import_files`].
pub fn import_bytes(file_name: &str, bytes: &[u8], settings: &ImportSettings) -> Result<Imported, DataError> {
    lone_file(file_name, file_name, bytes, settings)
}

fn lone_file(source: &str, name: &str, bytes: &[u8], settings: &ImportSettings) -> Result<Imported, DataError> {
    if let ScoreSplit::Test | ScoreSplit::Eval = settings.score_split {
        return Err(DataError::Folder {
            origin: source.to_string(),
            reason: "score_split asks for a file of its own, but this is one file; give the folder, or set score_split to auto or hold_out".into(),
        });
    }
    finish(source, Splits { train: vec![parse(name, bytes, settings)?], scored: Vec::new() }, settings)
}

/// Reads a task from the files of one folder, or from a single file.
///
/// A single file, or a folder with `train` alone, is divided: the distinct prompts are shuffled with the seed, and the
/// examples of the first [`HOLD_OUT_SHARE`] of them, at most [`HOLD_OUT_LIMIT`] examples, are scored. All examples of one
/// prompt stay on one side. `dev`, `valid` and `validation` are other names of `eval`; `train-00000-of-00002.parquet` and
/// its like are shards of `train`.
///
/// # Errors
/// [`DataError`] for files that cannot be read as examples, columns that are not there, empty answers, answers outside
/// the given labels, a split that is missing, or settings out of range.
pub fn import_files(source: &str, files: &[NamedBytes], settings: &ImportSettings) -> Result<Imported, DataError> {
    if let [(name, bytes)] = files
        && name == source
    {
        return lone_file(source, name, bytes, settings);
    }
    let folder = |reason: String| DataError::Folder { origin: source.to_string(), reason };
    let of = |split: Split| -> Result<Vec<&NamedBytes>, DataError> {
        let mut found: Vec<&NamedBytes> = files.iter().filter(|(name, _)| Split::of(name) == Some(split)).collect();
        found.sort_by(|a, b| a.0.cmp(&b.0));
        if found.len() > 1 && !found.iter().all(|(name, _)| stem(name).contains("-of-")) {
            let names = found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(" and ");
            return Err(folder(format!("{names} are the same split; keep one of them")));
        }
        Ok(found)
    };
    let train = of(Split::Train)?;
    if train.is_empty() {
        return Err(folder("it has no train file (train.json, .jsonl, .csv, .tsv or .parquet)".to_string()));
    }
    let (test, eval) = (of(Split::Test)?, of(Split::Eval)?);
    let scored = match settings.score_split {
        ScoreSplit::Auto if test.is_empty() => eval,
        ScoreSplit::Auto | ScoreSplit::Test => test,
        ScoreSplit::Eval => eval,
        ScoreSplit::HoldOut => Vec::new(),
    };
    if scored.is_empty() && matches!(settings.score_split, ScoreSplit::Test | ScoreSplit::Eval) {
        let name = if settings.score_split == ScoreSplit::Test { "test" } else { "eval" };
        return Err(folder(format!(
            "score_split asks for its {name} file, which is not there; set score_split to auto or hold_out"
        )));
    }
    let read_all = |files: Vec<&NamedBytes>| -> Result<Vec<Part>, DataError> {
        files.into_iter().map(|(name, bytes)| parse(name, bytes, settings)).collect()
    };
    finish(source, Splits { train: read_all(train)?, scored: read_all(scored)? }, settings)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Split {
    Train,
    Eval,
    Test,
}

impl Split {
    /// The split that a file's name announces.
    fn of(file_name: &str) -> Option<Self> {
        let stem = stem(file_name).to_ascii_lowercase();
        let word =
            stem.split_once('-').filter(|(_, rest)| rest.contains("-of-")).map_or(stem.as_str(), |(word, _)| word);
        match word {
            "train" => Some(Self::Train),
            "eval" | "dev" | "valid" | "validation" => Some(Self::Eval),
            "test" => Some(Self::Test),
            _ => None,
        }
    }
}

fn stem(path: &str) -> &str {
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map_or(name, |(stem, _)| stem)
}

/// The examples of one file with the lines they stand on.
#[derive(Debug)]
struct Part {
    origin: String,
    lines: Vec<usize>,
    examples: Vec<Example>,
    empty_prompts: Vec<usize>,
}

struct Splits {
    train: Vec<Part>,
    scored: Vec<Part>,
}

fn parse(file_name: &str, bytes: &[u8], settings: &ImportSettings) -> Result<Part, DataError> {
    let records = read(file_name, bytes)?;
    let layout = match &settings.mapping {
        Some(mapping) => mapping.layout(&records)?,
        None => detect(&records)?,
    };
    examples(&records, &layout)
}

fn examples(records: &Records, layout: &Layout) -> Result<Part, DataError> {
    let mut part =
        Part { origin: records.origin.clone(), lines: Vec::new(), examples: Vec::new(), empty_prompts: Vec::new() };
    let mut empty_answers = Vec::new();
    for row in &records.rows {
        let text = |position: usize| match row.cell(position) {
            Cell::Text(text) => Ok(text.as_str()),
            Cell::Missing => Ok(""),
            Cell::Nested => Err(DataError::NestedColumn {
                origin: records.origin.clone(),
                line: row.line,
                column: records.columns.get(position).cloned().unwrap_or_default(),
            }),
        };
        let answer = text(layout.answer)?.to_string();
        if answer.trim().is_empty() {
            empty_answers.push(row.line);
            continue;
        }
        let mut prompt = String::new();
        let mut from_columns = false;
        for piece in &layout.prompt {
            match piece {
                Piece::Text(fixed) => prompt.push_str(fixed),
                Piece::Column(position) => {
                    let text = text(*position)?;
                    from_columns |= !text.trim().is_empty();
                    prompt.push_str(text);
                }
                Piece::Optional(before, position, after) => {
                    let text = text(*position)?;
                    if !text.trim().is_empty() {
                        from_columns = true;
                        prompt.extend([*before, text, *after]);
                    }
                }
            }
        }
        if !from_columns {
            part.empty_prompts.push(row.line);
        }
        part.lines.push(row.line);
        part.examples.push(Example { prompt, answer });
    }
    if empty_answers.is_empty() {
        return Ok(part);
    }
    let (origin, count) = (records.origin.clone(), empty_answers.len());
    Err(DataError::EmptyAnswers { origin, count, lines: first_lines(&empty_answers) })
}

fn finish(source: &str, mut splits: Splits, settings: &ImportSettings) -> Result<Imported, DataError> {
    for (setting, value) in [
        ("max_train", settings.max_train),
        ("max_eval", settings.max_eval),
        ("max_new_tokens", settings.max_new_tokens),
    ] {
        if value == Some(0) {
            return Err(DataError::Setting {
                setting,
                value: "0".into(),
                remedy: "set 1 or more, or leave it out".into(),
            });
        }
    }
    let mut warnings = Vec::new();
    for part in splits.train.iter().chain(&splits.scored).filter(|part| !part.empty_prompts.is_empty()) {
        let (count, lines) = (part.empty_prompts.len(), first_lines(&part.empty_prompts));
        warnings.push(format!("{}: {count} example(s) have an empty prompt (lines {lines}).", part.origin));
    }
    let labels = settings.mapping.as_ref().and_then(|mapping| mapping.labels.as_deref());
    let mut answers: Vec<Answer<'_>> = splits.train.iter_mut().chain(&mut splits.scored).flat_map(answers_of).collect();
    let kind = decide(&mut answers, labels, settings.metric)?;
    warnings.extend(kind.warnings);
    let joined = |parts: Vec<Part>| parts.into_iter().flat_map(|part| part.examples).collect::<Vec<_>>();
    let (mut train, mut eval) = (joined(splits.train), joined(splits.scored));
    if eval.is_empty() {
        (train, eval) = hold_out(source, train, settings.seed)?;
        warnings.push(format!(
            "There is no file to score on, so {} of {} examples were held out.",
            eval.len(),
            eval.len() + train.len()
        ));
    }
    warnings.extend(repetitions(&train, &eval));
    let train = drawn(train, settings.max_train, settings.seed, 2);
    let eval = drawn(eval, settings.max_eval, settings.seed, 3);
    let max_new_tokens = settings.max_new_tokens.unwrap_or_else(|| answer_room(kind.metric, &train, &eval));
    let name = task_name(settings.name.as_deref().unwrap_or_else(|| name_in(source)));
    let task = Task {
        name,
        source: source.to_string(),
        metric: kind.metric,
        labels: kind.labels,
        max_new_tokens,
        train,
        eval,
    };
    task.validate()?;
    Ok(Imported { task, warnings })
}

fn answers_of(part: &mut Part) -> Vec<Answer<'_>> {
    let origin = part.origin.as_str();
    part.examples
        .iter_mut()
        .zip(&part.lines)
        .map(|(example, &line)| Answer { origin, line, text: &mut example.answer })
        .collect()
}

/// Divides examples by their prompts: (train, held out), each in file order.
fn hold_out(source: &str, examples: Vec<Example>, seed: u64) -> Result<(Vec<Example>, Vec<Example>), DataError> {
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut prompts = Vec::new();
    for example in &examples {
        let count = counts.entry(&example.prompt).or_insert(0);
        if *count == 0 {
            prompts.push(example.prompt.as_str());
        }
        *count += 1;
    }
    if prompts.len() < 2 {
        let reason = "there are fewer than two different prompts, so none can be held out for scoring; add examples or an eval file";
        return Err(DataError::Task { task: source.to_string(), reason: reason.to_string() });
    }
    prompts.shuffle(&mut generator(seed, 1));
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    // counts of examples
    let share = ((prompts.len() as f64 * HOLD_OUT_SHARE).round() as usize).clamp(1, prompts.len() - 1);
    let mut held_out: HashSet<String> = HashSet::new();
    let mut size = 0;
    for prompt in prompts.into_iter().take(share) {
        size += counts.get(prompt).copied().unwrap_or(0);
        if size > HOLD_OUT_LIMIT && !held_out.is_empty() {
            break;
        }
        held_out.insert(prompt.to_string());
    }
    let (eval, train) = examples.into_iter().partition(|example| held_out.contains(&example.prompt));
    Ok((train, eval))
}

/// At most `limit` of the examples, drawn without replacement and kept in order.
fn drawn(examples: Vec<Example>, limit: Option<usize>, seed: u64, purpose: u64) -> Vec<Example> {
    let Some(limit) = limit.filter(|&limit| limit < examples.len()) else {
        return examples;
    };
    let mut order: Vec<usize> = (0..examples.len()).collect();
    order.shuffle(&mut generator(seed, purpose));
    let chosen: HashSet<usize> = order.into_iter().take(limit).collect();
    examples.into_iter().enumerate().filter(|(index, _)| chosen.contains(index)).map(|(_, example)| example).collect()
}

/// A generator for each purpose, so that limiting one split does not change what is drawn for another.
fn generator(seed: u64, purpose: u64) -> ChaCha8Rng {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(purpose);
    generator
}

/// Warnings about examples that occur more than once, within or across the splits, or contradict each other.
fn repetitions(train: &[Example], eval: &[Example]) -> Vec<String> {
    let mut warnings = Vec::new();
    let mut answers: BTreeMap<&str, HashSet<&str>> = BTreeMap::new();
    let mut repeated = 0;
    for example in train {
        if !answers.entry(&example.prompt).or_default().insert(&example.answer) {
            repeated += 1;
        }
    }
    if repeated > 0 {
        warnings.push(format!("{repeated} training example(s) repeat an earlier one exactly."));
    }
    let contradicted = answers.values().filter(|answers| answers.len() > 1).count();
    if contradicted > 0 {
        warnings.push(format!("{contradicted} training prompt(s) occur with different answers."));
    }
    let seen = eval.iter().filter(|example| {
        answers.get(example.prompt.as_str()).is_some_and(|known| known.contains(example.answer.as_str()))
    });
    let seen = seen.count();
    if seen > 0 {
        warnings.push(format!(
            "{seen} of {} scored examples are in the training examples too, so the score will flatter.",
            eval.len()
        ));
    }
    warnings
}

/// Room for 95 % of the answers at one token a character, the worst case, and at most 128 tokens (LLMCL's limit).
fn answer_room(metric: Metric, train: &[Example], eval: &[Example]) -> usize {
    const LIMIT: usize = 128;
    match metric {
        // The letter may come behind a blank or two.
        Metric::FirstCharacter => 4,
        Metric::NumberMatch => 16,
        _ => {
            let mut lengths: Vec<usize> =
                train.iter().chain(eval).map(|example| example.answer.chars().count()).collect();
            lengths.sort_unstable();
            let long = lengths.get(lengths.len().saturating_sub(1) * 95 / 100).copied().unwrap_or(LIMIT);
            (long + 4).min(LIMIT)
        }
    }
}

/// The part of a path that names the task: its last part without ending, or the folder around `train.jsonl` and its like.
fn name_in(source: &str) -> &str {
    let path = source.trim_end_matches(['/', '\\']);
    let last = if Format::of(path).is_some() { stem(path) } else { path.rsplit(['/', '\\']).next().unwrap_or(path) };
    if Format::of(path).is_some() && Split::of(path).is_some() {
        let mut parts = path.rsplit(['/', '\\']);
        parts.next();
        return parts.next().filter(|parent| !parent.is_empty() && *parent != "." && *parent != "..").unwrap_or(last);
    }
    last
}

/// Lower case, with underscores for everything that is neither a letter nor a digit.
fn task_name(text: &str) -> String {
    let mut name = String::new();
    for character in text.to_lowercase().chars() {
        if character.is_alphanumeric() {
            name.push(character);
        } else if !name.is_empty() && !name.ends_with('_') {
            name.push('_');
        }
    }
    let name = name.trim_end_matches('_');
    if name.is_empty() { "task".to_string() } else { name.to_string() }
}

#[cfg(test)]
mod tests;
