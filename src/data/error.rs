//! What can go wrong between a file of examples and a batch of tokens, each with the place and the way out.

use thiserror::Error;

/// A fault in task files, their mapping, the tokenizer, or the making of batches.
///
/// `origin` is the name of the file as the user gave it. Lines are counted from 1; in a Parquet file and for settings
/// without lines they are rows, counted from 1 as well.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum DataError {
    /// The file system said no.
    #[error("Cannot read {origin}: {reason}. Check that the path exists and that you may read it.")]
    Read { origin: String, reason: String },

    /// Reading it would take the memory that the training needs.
    #[error("{origin} is too large: {reason}. Give a part of it, such as its first lines.")]
    TooLarge { origin: String, reason: String },

    /// The ending of the file name is not one that can be read.
    #[error("{origin} is not a file of examples: its ending is not known. Use .json, .jsonl, .csv, .tsv or .parquet.")]
    UnknownFormat { origin: String },

    /// A folder without a training file, with two of them, or without the split that was asked for.
    #[error("{origin} cannot be read as a task folder: {reason}.")]
    Folder { origin: String, reason: String },

    /// No bytes, only white space, or a header without rows.
    #[error(
        "{origin} holds no examples. Write one object with a prompt and an answer on each line, or choose another file."
    )]
    Empty { origin: String },

    /// Broken JSON, CSV or Parquet.
    #[error("{origin}, line {line}: {reason}. Correct that line, or export the file again.")]
    Malformed { origin: String, line: usize, reason: String },

    /// A Parquet file that its reader refuses as a whole.
    #[error(
        "{origin} cannot be read as Parquet: {reason}. Export the file again, with snappy, gzip, lz4, brotli or no compression."
    )]
    Parquet { origin: String, reason: String },

    /// Bytes that are not UTF-8.
    #[error("{origin}, line {line}: byte {offset} of the file is not valid UTF-8. Save the file as UTF-8 text{hint}.")]
    NotUtf8 { origin: String, line: usize, offset: usize, hint: &'static str },

    /// A line, or one example of a JSON list, above the limit.
    #[error(
        "{origin}, line {line}: this example is {bytes} bytes long; the limit is {limit} bytes. Split or shorten it."
    )]
    LineTooLong { origin: String, line: usize, bytes: usize, limit: usize },

    /// A column that the mapping names is not in the file.
    #[error(
        "{origin} has no column `{wanted}`.{suggestion} Its columns are: {available}. Name the prompt and answer columns in the column mapping."
    )]
    MissingColumn { origin: String, wanted: String, available: String, suggestion: String },

    /// No mapping was given and none of the known column names are there.
    #[error(
        "{origin}: cannot tell which columns are the prompt and the answer. Its columns are: {available}.{suggestion} Give a column mapping (prompt and answer)."
    )]
    UnknownColumns { origin: String, available: String, suggestion: String },

    /// A used column holds a list or an object.
    #[error(
        "{origin}, line {line}: column `{column}` holds a list or an object, not text. Map a column of plain text, or flatten the file first."
    )]
    NestedColumn { origin: String, line: usize, column: String },

    /// A prompt template that cannot be used.
    #[error(
        "The prompt template is not usable: {reason}. Write columns as {{name}}, and {{{{ or }}}} for a literal brace."
    )]
    Template { reason: String },

    /// A setting of the import out of its range.
    #[error("Setting `{setting}` is {value}: {remedy}.")]
    Setting { setting: &'static str, value: String, remedy: String },

    /// Examples that give the model nothing to learn.
    #[error(
        "{origin}: {count} example(s) have an empty answer (lines {lines}), so there is nothing to learn from them. Fill in the answers or remove these lines."
    )]
    EmptyAnswers { origin: String, count: usize, lines: String },

    /// Answers outside the labels that were given. `known` lists the labels, after a suggestion if one is near.
    #[error(
        "{origin}: {count} answer(s) are not among the labels (lines {lines}); the first is {first:?}.{known} Correct the answers or the list of labels."
    )]
    UnknownLabel { origin: String, count: usize, lines: String, first: String, known: String },

    /// A task that breaks its own rules.
    #[error("Task `{task}` is not usable: {reason}.")]
    Task { task: String, reason: String },

    /// The tokenizer could not be read, trained or applied.
    #[error("Tokenizer {name}: {reason}.")]
    Tokenizer { name: String, reason: String },

    /// An example that leaves no token to learn or to score.
    #[error("{example} has no target token: {reason}.")]
    NoTarget { example: String, reason: String },

    /// Nothing to generate from.
    #[error(
        "The prompt has no token and the format puts none in front, so there is nothing to continue. Write a prompt, or set bos = true."
    )]
    EmptyPrompt,

    /// The window cannot hold what has to be in it.
    #[error("A window of {max_length} tokens is too short: {reason}. Set a larger max_length.")]
    Window { max_length: usize, reason: String },

    /// Rows that cannot be put into one batch.
    #[error("Cannot make a batch: {reason}.")]
    Batch { reason: String },
}

/// The first few of `lines`, and how many more there are.
pub(crate) fn first_lines(lines: &[usize]) -> String {
    const NAMED: usize = 5;
    let text = lines.iter().take(NAMED).map(usize::to_string).collect::<Vec<_>>().join(", ");
    if lines.len() > NAMED { format!("{text} and {} more", lines.len() - NAMED) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_of_lines_is_cut_and_counted() {
        assert_eq!(first_lines(&[3]), "3");
        assert_eq!(first_lines(&[1, 2, 3, 4, 5, 6, 9]), "1, 2, 3, 4, 5 and 2 more");
    }

    #[test]
    fn messages_say_what_where_and_what_to_do() {
        let error = DataError::EmptyAnswers { origin: "a.jsonl".into(), count: 2, lines: "4, 9".into() };
        let text = error.to_string();
        assert!(text.contains("a.jsonl") && text.contains("4, 9") && text.contains("Fill in"), "{text}");
        let text = DataError::Template { reason: "it is empty".into() }.to_string();
        assert!(text.contains("{name}") && text.contains("{{ or }}"), "{text}");
    }
}
