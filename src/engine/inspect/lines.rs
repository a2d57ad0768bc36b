//! What is wrong with a file of examples, line by line. A run stops at the first fault; here the reader goes on behind it, so
//! that somebody can mend a file in one go.

use crate::data::error::DataError;
use crate::data::mapping::{ColumnMapping, Layout, Piece, detect};
use crate::data::records::{Cell, Format, Records, read};
use crate::engine::config::TaskDetails;
use crate::platform::fs;
use std::path::{Path, PathBuf};

/// Most lines that are listed.
const MOST_LINES: usize = 1_000;
/// Most lines of a table that are taken out to read on behind them: each costs another reading of the file.
const MOST_MENDED: usize = 40;

/// What was found in the files of a task.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct FileFindings {
    /// Columns of the training file, as far as it could be read.
    pub columns: Vec<String>,
    /// Line (from 1; the row of a Parquet file) and what is wrong with it.
    pub lines: Vec<(usize, String)>,
}

/// Reads a task's files once more. What cannot be read at all gives nothing here; the import has said why.
pub(super) fn findings(details: &TaskDetails) -> FileFindings {
    let mut all = FileFindings::default();
    if details.source.starts_with("builtin:") {
        return all;
    }
    let files = files(Path::new(&details.source));
    let several = files.len() > 1;
    for file in files {
        let name = file.display().to_string();
        let Ok(bytes) = fs::read(&file) else { continue };
        let found = of_file(&name, bytes, details);
        let short = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let place = |(line, what): (usize, String)| (line, if several { format!("{short}: {what}") } else { what });
        all.lines.extend(found.lines.into_iter().map(place));
        if all.columns.is_empty() {
            all.columns = found.columns;
        }
    }
    all.lines.truncate(MOST_LINES);
    all
}

/// The file itself, or those of a folder, the training files first.
fn files(source: &Path) -> Vec<PathBuf> {
    if !fs::is_folder(source) {
        return vec![source.to_path_buf()];
    }
    let name = |path: &Path| path.file_name().map(|name| name.to_string_lossy().to_lowercase()).unwrap_or_default();
    let splits = ["train", "eval", "dev", "valid", "test"];
    let entries = fs::read_dir(source).into_iter().flatten().filter_map(Result::ok);
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| Format::of(&name(path)).is_some() && splits.iter().any(|split| name(path).starts_with(split)))
        .collect();
    files.sort_by_key(|path| (!name(path).starts_with("train"), name(path)));
    files
}

fn of_file(name: &str, bytes: Vec<u8>, details: &TaskDetails) -> FileFindings {
    let (records, mut lines) = read_on(name, bytes);
    let Some(records) = records else { return FileFindings { columns: Vec::new(), lines } };
    let layout = match mapping(details) {
        Some(mapping) => mapping.layout(&records),
        None => detect(&records),
    };
    if let Ok(layout) = layout {
        lines.extend(faults(&records, &layout, details.labels.as_deref()));
    }
    lines.sort_by_key(|(line, _)| *line);
    lines.truncate(MOST_LINES);
    FileFindings { columns: records.columns, lines }
}

/// The column mapping that a run makes of a task's details.
fn mapping(details: &TaskDetails) -> Option<ColumnMapping> {
    let given =
        details.prompt.is_some() || details.answer.is_some() || details.template.is_some() || details.labels.is_some();
    given.then(|| ColumnMapping {
        prompt: details.prompt.clone().or_else(|| details.template.is_none().then(|| "prompt".to_string())),
        answer: details.answer.clone().unwrap_or_else(|| "answer".to_string()),
        labels: details.labels.clone(),
        template: details.template.clone(),
    })
}

/// Reads a file and notes each line that cannot be read; of text files such lines are taken out and the rest is read.
fn read_on(name: &str, bytes: Vec<u8>) -> (Option<Records>, Vec<(usize, String)>) {
    let mut wrong = Vec::new();
    let mut bytes = bytes;
    let format = Format::of(name);
    if format == Some(Format::JsonLines) {
        bytes = take_out_lines(name, &bytes, &mut wrong);
    }
    for _ in 0..=MOST_MENDED {
        let (line, what) = match read(name, &bytes) {
            Ok(records) => return (Some(records), wrong),
            Err(DataError::Malformed { line, reason, .. }) => (line, reason),
            Err(DataError::LineTooLong { line, bytes, limit, .. }) => {
                (line, format!("this example is {bytes} bytes long; the limit is {limit}"))
            }
            Err(DataError::NotUtf8 { line, offset, hint, .. }) => {
                (line, format!("byte {offset} of the file is not valid UTF-8{hint}"))
            }
            Err(_) => break,
        };
        wrong.push((line, what));
        // Inside a JSON list, a quoted field or broken text the next line says nothing by itself.
        let lines_stand_alone = matches!(format, Some(Format::JsonLines | Format::Csv | Format::Tsv));
        if !lines_stand_alone || line <= 1 || !blank(&mut bytes, line) {
            break;
        }
    }
    (None, wrong)
}

/// Reads each line of a JSONL file by itself; those that are no object are emptied, so that the others keep their numbers.
fn take_out_lines(name: &str, bytes: &[u8], wrong: &mut Vec<(usize, String)>) -> Vec<u8> {
    // A list over several lines, or no text: not for this.
    let Ok(text) = std::str::from_utf8(bytes) else { return bytes.to_vec() };
    if text.trim_start_matches('\u{feff}').trim_start().starts_with('[') {
        return bytes.to_vec();
    }
    let mut kept = Vec::with_capacity(bytes.len());
    for (index, line) in text.split('\n').enumerate() {
        if index > 0 {
            kept.push(b'\n');
        }
        match read(name, line.as_bytes()) {
            Err(DataError::Malformed { reason, .. }) if wrong.len() < MOST_LINES => wrong.push((index + 1, reason)),
            _ => kept.extend_from_slice(line.as_bytes()),
        }
    }
    kept
}

/// Empties a line. `false` where it holds a quote, since what it opens or closes would change the lines around it.
fn blank(bytes: &mut Vec<u8>, line: usize) -> bool {
    let start = match line {
        1 => 0,
        _ => match bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(line - 2) {
            Some((at, _)) => at + 1,
            None => return false,
        },
    };
    let rest = bytes.get(start..).unwrap_or_default();
    let length = rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len());
    if length == 0 || rest.iter().take(length).any(|byte| *byte == b'"') {
        return false;
    }
    bytes.drain(start..start + length);
    true
}

/// Rows that can be read and are no example: an empty answer, a nested column, an answer that is no label.
fn faults(records: &Records, layout: &Layout, labels: Option<&[String]>) -> Vec<(usize, String)> {
    let column = |position: usize| records.columns.get(position).map_or("?", String::as_str);
    let used = layout.prompt.iter().filter_map(|piece| match piece {
        Piece::Text(_) => None,
        Piece::Column(position) | Piece::Optional(_, position, _) => Some(*position),
    });
    let used: Vec<usize> = used.chain([layout.answer]).collect();
    let mut faults = Vec::new();
    for row in &records.rows {
        if let Some(position) = used.iter().find(|&&position| *row.cell(position) == Cell::Nested) {
            faults.push((row.line, format!("column `{}` holds a list or an object, not text", column(*position))));
            continue;
        }
        let answer = match row.cell(layout.answer) {
            Cell::Text(text) => text.trim(),
            _ => "",
        };
        if answer.is_empty() {
            faults.push((
                row.line,
                format!("the answer (column `{}`) is empty: nothing to learn", column(layout.answer)),
            ));
        } else if labels.is_some_and(|labels| !is_label(answer, labels)) {
            let shown: String = answer.chars().take(60).collect();
            faults.push((row.line, format!("the answer {shown:?} is none of the labels")));
        }
    }
    faults
}

/// Is it a label, or (as the import takes numbers) the place of one?
fn is_label(answer: &str, labels: &[String]) -> bool {
    labels.iter().any(|label| label.trim() == answer) || answer.parse::<usize>().is_ok_and(|place| place < labels.len())
}
