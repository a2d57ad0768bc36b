//! JSON and JSON Lines as rows. Every example keeps the line it starts on, also inside a JSON list.

use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::{Map, Value};

use super::error::DataError;
use super::records::{Cell, Format, Records, Row, check_size, line_of};

/// Reads a list of objects, `{"data": [objects]}`, or one object a line; which of them it is shows in the text itself.
pub(crate) fn read(origin: &str, text: &str, format: Format) -> Result<Records, DataError> {
    let start = text.len() - text.trim_start().len();
    match text.as_bytes().get(start) {
        None => Ok(Records::new(origin)),
        Some(b'[') => read_list(origin, text, start),
        Some(b'{') if format == Format::Json && !first_line_is_example(text) => read_data_object(origin, text, start),
        Some(_) => read_lines(origin, text),
    }
}

/// Is the first line a complete object without a list under `data`? Then the file is one object a line.
fn first_line_is_example(text: &str) -> bool {
    let line = text.trim_start().lines().next().unwrap_or_default();
    match serde_json::from_str::<Map<String, Value>>(line) {
        Ok(object) => !matches!(object.get("data"), Some(Value::Array(_))),
        Err(_) => false,
    }
}

fn read_lines(origin: &str, text: &str) -> Result<Records, DataError> {
    let mut records = Records::new(origin);
    for (index, line) in text.split('\n').enumerate() {
        let number = index + 1;
        check_size(origin, number, line.len())?;
        let line = line.trim();
        if line.is_empty() {
            continue;
        }
        let object = serde_json::from_str::<Map<String, Value>>(line).map_err(|error| {
            let reason = if error.is_data() {
                "this is not a JSON object such as {\"prompt\": \"…\", \"answer\": \"…\"}".to_string()
            } else {
                format!("malformed JSON at column {}: {}", error.column(), plain(&error))
            };
            malformed(origin, number, reason)
        })?;
        push(&mut records, number, object);
    }
    Ok(records)
}

/// A place in the text from which one JSON value after the other is taken.
struct Cursor<'a> {
    origin: &'a str,
    text: &'a str,
    at: usize,
    /// Line number of the byte `counted_to`, so that lines are counted once and not anew for each example.
    line: usize,
    counted_to: usize,
}

impl<'a> Cursor<'a> {
    fn new(origin: &'a str, text: &'a str, at: usize) -> Self {
        Self { origin, text, at, line: 1, counted_to: 0 }
    }

    fn skip_space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start_matches([' ', '\n', '\r', '\t']).len();
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Option<u8> {
        self.skip_space();
        self.text.as_bytes().get(self.at).copied()
    }

    fn line(&mut self) -> usize {
        let passed = &self.text.as_bytes()[self.counted_to..self.at];
        self.line += line_of(passed, passed.len()) - 1;
        self.counted_to = self.at;
        self.line
    }

    fn expect(&mut self, byte: u8) -> Result<(), DataError> {
        if self.peek() == Some(byte) {
            self.at += 1;
            return Ok(());
        }
        let found = self.text[self.at..].chars().next().map_or("the end of the file".to_string(), |c| format!("`{c}`"));
        let line = self.line();
        Err(malformed(self.origin, line, format!("malformed JSON: expected `{}` but found {found}", char::from(byte))))
    }

    /// Takes one value and moves behind it.
    fn take<T: DeserializeOwned>(&mut self) -> Result<T, DataError> {
        self.skip_space();
        let rest = &self.text[self.at..];
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<T>();
        let value = values.next();
        let length = values.byte_offset();
        // The parser counts lines from the place where the value starts.
        let (reason, lines_in) = match value {
            Some(Ok(value)) => {
                self.at += length;
                return Ok(value);
            }
            Some(Err(error)) => {
                let reason = format!("malformed JSON at column {}: {}", error.column(), plain(&error));
                (reason, error.line().saturating_sub(1))
            }
            None => ("malformed JSON: the file ends where a value should stand".to_string(), 0),
        };
        let line = self.line() + lines_in;
        Err(malformed(self.origin, line, reason))
    }
}

fn read_list(origin: &str, text: &str, start: usize) -> Result<Records, DataError> {
    let mut cursor = Cursor::new(origin, text, start);
    let mut records = Records::new(origin);
    take_list(&mut cursor, &mut records)?;
    expect_end(&mut cursor)?;
    Ok(records)
}

fn take_list(cursor: &mut Cursor<'_>, records: &mut Records) -> Result<(), DataError> {
    cursor.expect(b'[')?;
    if cursor.peek() == Some(b']') {
        cursor.at += 1;
        return Ok(());
    }
    loop {
        let first = cursor.peek();
        let line = cursor.line();
        if first.is_some() && first != Some(b'{') {
            let number = records.rows.len() + 1;
            return Err(malformed(
                cursor.origin,
                line,
                format!("entry {number} of the list is not an object with a prompt and an answer"),
            ));
        }
        let begin = cursor.at;
        let object = cursor.take::<Map<String, Value>>()?;
        check_size(cursor.origin, line, cursor.at - begin)?;
        push(records, line, object);
        if cursor.peek() == Some(b',') {
            cursor.at += 1;
        } else {
            return cursor.expect(b']');
        }
    }
}

fn read_data_object(origin: &str, text: &str, start: usize) -> Result<Records, DataError> {
    let mut cursor = Cursor::new(origin, text, start);
    let mut records = Records::new(origin);
    let mut found = false;
    let mut keys = Vec::new();
    cursor.expect(b'{')?;
    if cursor.peek() == Some(b'}') {
        cursor.at += 1;
    } else {
        loop {
            let key = cursor.take::<String>()?;
            cursor.expect(b':')?;
            if key == "data" && cursor.peek() == Some(b'[') && !found {
                take_list(&mut cursor, &mut records)?;
                found = true;
            } else {
                cursor.take::<IgnoredAny>()?;
            }
            keys.push(key);
            if cursor.peek() == Some(b',') {
                cursor.at += 1;
            } else {
                cursor.expect(b'}')?;
                break;
            }
        }
    }
    expect_end(&mut cursor)?;
    if !found {
        let reason = format!(
            "the file is one object without a list under `data` (its keys: {}); write a list of objects",
            keys.join(", ")
        );
        return Err(malformed(origin, 1, reason));
    }
    Ok(records)
}

fn expect_end(cursor: &mut Cursor<'_>) -> Result<(), DataError> {
    if cursor.peek().is_some() {
        let line = cursor.line();
        return Err(malformed(
            cursor.origin,
            line,
            "malformed JSON: there is more text behind the end of the list".to_string(),
        ));
    }
    Ok(())
}

fn push(records: &mut Records, line: usize, object: Map<String, Value>) {
    let mut cells = Vec::with_capacity(records.columns.len());
    for (key, value) in object {
        let position = records.column(&key);
        if cells.len() <= position {
            cells.resize(position + 1, Cell::Missing);
        }
        cells[position] = match value {
            Value::Null => Cell::Missing,
            Value::String(text) => Cell::Text(text),
            Value::Bool(_) | Value::Number(_) => Cell::Text(value.to_string()),
            Value::Array(_) | Value::Object(_) => Cell::Nested,
        };
    }
    records.rows.push(Row { line, cells });
}

/// The parser's message without its own "at line 1 column 7", which counts from another place.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_string()
}

fn malformed(origin: &str, line: usize, reason: String) -> DataError {
    DataError::Malformed { origin: origin.to_string(), line, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> Result<Records, DataError> {
        read("a.json", text, Format::Json)
    }

    fn texts(records: &Records) -> Vec<(usize, Vec<Cell>)> {
        records.rows.iter().map(|row| (row.line, row.cells.clone())).collect()
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_string())
    }

    #[test]
    fn a_list_a_data_object_and_lines_give_the_same_rows() {
        let list = "[\n {\"prompt\": \"a, ]\", \"answer\": 1},\n\n {\"answer\": \"y\",\n \"prompt\": \"b\"}\n]\n";
        let data = "{\"info\": {\"n\": [1, 2]}, \"size\": 2,\n \"data\": [{\"prompt\": \"a, ]\", \"answer\": 1}, {\"answer\": \"y\", \"prompt\": \"b\"}]}";
        let lines = "{\"prompt\": \"a, ]\", \"answer\": 1}\r\n\r\n{\"answer\": \"y\", \"prompt\": \"b\"}";
        let expected = [vec![text("a, ]"), text("1")], vec![text("b"), text("y")]];
        for (input, places) in [(list, [2, 4]), (data, [2, 2]), (lines, [1, 3])] {
            let records = json(input).unwrap();
            assert_eq!(records.columns, ["prompt", "answer"]);
            assert_eq!(
                texts(&records),
                [(places[0], expected[0].clone()), (places[1], expected[1].clone())],
                "{input}"
            );
        }
    }

    #[test]
    fn missing_and_nested_cells_are_kept_apart() {
        let records = json("[{\"a\": null, \"b\": [1]}, {\"c\": true}]").unwrap();
        assert_eq!(texts(&records)[0].1, [Cell::Missing, Cell::Nested]);
        assert_eq!(texts(&records)[1].1, [Cell::Missing, Cell::Missing, text("true")]);
    }

    #[test]
    fn malformed_json_is_placed_on_its_line() {
        let cases = [
            ("[{\"a\": 1},\n{\"a\": 2,}\n]", 2),
            ("[{\"a\": 1},\n{\"a\":\n\n tru}\n]", 4),
            ("[{\"a\": 1}\n{\"a\": 2}]", 2),
            ("[{\"a\": 1},\n 7]", 2),
            ("[{\"a\": 1},\n{\"a\": 2}", 2),
            ("[{\"a\": 1},\n\n", 3),
            ("[{\"a\": 1}]\n\nmore", 3),
            ("{\"train\": [1],\n \"b\": 2}", 1),
            ("{\"a\": 1}\n{\"a\" 2}\n", 2),
            ("{\"a\": 1}\n\n[1]\n", 3),
            ("nonsense", 1),
        ];
        for (input, expected) in cases {
            match json(input) {
                Err(DataError::Malformed { line, .. }) => assert_eq!(line, expected, "{input}"),
                other => panic!("{input}: {other:?}"),
            }
        }
    }

    #[test]
    fn deep_nesting_is_refused_and_does_not_overflow() {
        let deep = format!("[{{\"a\": {}", "[".repeat(100_000));
        assert!(matches!(json(&deep), Err(DataError::Malformed { line: 1, .. })));
    }

    #[test]
    fn a_huge_line_is_refused_with_its_number() {
        let long = "x".repeat(super::super::records::LINE_LIMIT_BYTES);
        let input =
            format!("{{\"prompt\": \"a\", \"answer\": \"b\"}}\n{{\"prompt\": \"{long}\", \"answer\": \"b\"}}\n");
        assert!(matches!(read("a.jsonl", &input, Format::JsonLines), Err(DataError::LineTooLong { line: 2, .. })));
        let input = format!("[{{\"prompt\": \"a\"}},\n\n{{\"prompt\": \"{long}\"}}]");
        assert!(matches!(json(&input), Err(DataError::LineTooLong { line: 3, .. })));
    }

    #[test]
    fn cutting_a_file_anywhere_never_panics() {
        let whole = "{\"x\": \"é\\u00e9\", \"data\": [{\"prompt\": \"ä, ]\", \"answer\": [1, {\"b\": 2}]},\n {\"answer\": \"y\"}]}";
        for cut in (0..whole.len()).filter(|&cut| whole.is_char_boundary(cut)) {
            if !whole[..cut].trim().is_empty() {
                assert!(json(&whole[..cut]).is_err(), "cut at {cut}");
            }
        }
        assert_eq!(json(whole).unwrap().rows.len(), 2);
    }
}
