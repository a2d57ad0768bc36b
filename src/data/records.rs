//! Files of examples as plain rows of cells, whatever their format; this file holds the parts that all formats share.

use std::collections::HashMap;

use super::error::DataError;
use super::{read_json, read_parquet, read_table};

/// Longest line (or single example of a JSON list) that is read, in bytes: 10 MB.
pub const LINE_LIMIT_BYTES: usize = 10_000_000;

/// The formats that tasks are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A list of objects, or an object whose `data` is such a list; one object a line is understood too.
    Json,
    /// One object a line.
    JsonLines,
    /// Comma-separated with a header line (`;` and tabs are recognised).
    Csv,
    /// Tab-separated with a header line.
    Tsv,
    /// Apache Parquet, flat columns.
    Parquet,
}

impl Format {
    /// The format that a file's name announces, if any.
    #[must_use]
    pub fn of(file_name: &str) -> Option<Self> {
        let (_, ending) = file_name.rsplit_once('.')?;
        match ending.to_ascii_lowercase().as_str() {
            "json" => Some(Self::Json),
            "jsonl" | "ndjson" => Some(Self::JsonLines),
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }
}

/// What one column of one row holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cell {
    #[default]
    Missing,
    Text(String),
    /// A list or an object: no text, and only an error if the column is used.
    Nested,
}

/// One row: where it stands and its cells, which may be fewer than the columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Row {
    pub line: usize,
    pub cells: Vec<Cell>,
}

impl Row {
    /// The cell in a column; a row may have fewer cells than there are columns.
    pub fn cell(&self, position: usize) -> &Cell {
        self.cells.get(position).unwrap_or(&Cell::Missing)
    }
}

/// The rows of one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Records {
    pub origin: String,
    pub columns: Vec<String>,
    pub rows: Vec<Row>,
    positions: HashMap<String, usize>,
}

impl Records {
    pub fn new(origin: &str) -> Self {
        Self { origin: origin.to_string(), ..Self::default() }
    }

    /// Position of a column, which is added if it is new.
    pub fn column(&mut self, name: &str) -> usize {
        if let Some(&position) = self.positions.get(name) {
            return position;
        }
        let position = self.columns.len();
        self.columns.push(name.to_string());
        self.positions.insert(name.to_string(), position);
        position
    }

    pub fn position(&self, name: &str) -> Option<usize> {
        self.positions.get(name).copied()
    }
}

/// Reads one file's bytes.
///
/// # Errors
/// [`DataError`] when the ending is unknown, the text is not UTF-8, a line is above [`LINE_LIMIT_BYTES`], the format is
/// broken (with its line), or there is no row.
pub(crate) fn read(origin: &str, bytes: &[u8]) -> Result<Records, DataError> {
    let format = Format::of(origin).ok_or_else(|| DataError::UnknownFormat { origin: origin.to_string() })?;
    let records = match format {
        Format::Parquet if bytes.is_empty() => Records::default(),
        Format::Parquet => read_parquet::read(origin, bytes)?,
        Format::Json | Format::JsonLines => read_json::read(origin, utf8(origin, bytes)?, format)?,
        Format::Csv | Format::Tsv => read_table::read(origin, utf8(origin, bytes)?, format)?,
    };
    if records.rows.is_empty() {
        return Err(DataError::Empty { origin: origin.to_string() });
    }
    Ok(records)
}

/// The bytes as text without a byte-order mark.
fn utf8<'a>(origin: &str, bytes: &'a [u8]) -> Result<&'a str, DataError> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
        Err(error) => {
            let offset = error.valid_up_to();
            let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
            Err(DataError::NotUtf8 {
                origin: origin.to_string(),
                line: line_of(bytes, offset),
                offset,
                hint: if utf16 { " (it looks like UTF-16)" } else { "" },
            })
        }
    }
}

/// Number of the line, from 1, on which the byte at `offset` stands.
pub(crate) fn line_of(bytes: &[u8], offset: usize) -> usize {
    bytes.iter().take(offset).filter(|&&byte| byte == b'\n').count() + 1
}

/// Refuses an example above the limit.
pub(crate) fn check_size(origin: &str, line: usize, bytes: usize) -> Result<(), DataError> {
    if bytes > LINE_LIMIT_BYTES {
        return Err(DataError::LineTooLong { origin: origin.to_string(), line, bytes, limit: LINE_LIMIT_BYTES });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formats_are_known_by_their_endings() {
        assert_eq!(Format::of("a/b.c/train.JSONL"), Some(Format::JsonLines));
        assert_eq!(Format::of("train.csv"), Some(Format::Csv));
        assert_eq!(Format::of("train.xlsx"), None);
        assert_eq!(Format::of("train"), None);
    }

    #[test]
    fn nothing_in_a_file_is_an_error_in_every_format() {
        for name in ["a.json", "a.jsonl", "a.csv", "a.tsv", "a.parquet"] {
            assert_eq!(read(name, b""), Err(DataError::Empty { origin: name.into() }), "{name}");
        }
        for (name, text) in [
            ("a.json", "  \n"),
            ("a.json", "[]"),
            ("a.json", r#"{"data": []}"#),
            ("a.jsonl", "\n\n"),
            ("a.csv", "prompt,answer\n"),
        ] {
            assert_eq!(read(name, text.as_bytes()), Err(DataError::Empty { origin: name.into() }), "{name} {text}");
        }
    }

    #[test]
    fn invalid_utf8_is_placed() {
        let bytes = b"{\"prompt\":\"a\",\"answer\":\"b\"}\n{\"prompt\":\"\xff\"}";
        assert_eq!(
            read("a.jsonl", bytes),
            Err(DataError::NotUtf8 { origin: "a.jsonl".into(), line: 2, offset: 39, hint: "" })
        );
        let utf16 = [0xff, 0xfe, b'a', 0];
        assert!(matches!(
            read("a.csv", &utf16),
            Err(DataError::NotUtf8 { offset: 0, line: 1, hint: " (it looks like UTF-16)", .. })
        ));
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_first_column() {
        let records = read("a.csv", "\u{feff}prompt,answer\nx,y\n".as_bytes()).unwrap();
        assert_eq!(records.columns, ["prompt", "answer"]);
    }
}
