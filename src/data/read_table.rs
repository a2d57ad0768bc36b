//! CSV and TSV as rows. The first line names the columns.

use super::error::DataError;
use super::records::{Cell, Format, Records, Row, check_size, line_of};

/// Reads separated values.
///
/// In a `.csv` file the separator is the one of `,`, `;` and tab that the header line has most of. A `.tsv` file is read
/// the plain way first (a tab always separates, a quote is a character); only when rows then differ in length are
/// quotes taken as in CSV.
pub(crate) fn read(origin: &str, text: &str, format: Format) -> Result<Records, DataError> {
    if text.trim().is_empty() {
        return Ok(Records::new(origin));
    }
    if format == Format::Tsv {
        return read_separated(origin, text, b'\t', false).or_else(|_| read_separated(origin, text, b'\t', true));
    }
    let header = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    let count = |byte: u8| header.bytes().filter(|&other| other == byte).count();
    // max_by_key takes the last of equals, so the comma stands last.
    let delimiter = [b'\t', b';', b','].into_iter().max_by_key(|&byte| count(byte)).unwrap_or(b',');
    read_separated(origin, text, delimiter, true)
}

fn read_separated(origin: &str, text: &str, delimiter: u8, quoting: bool) -> Result<Records, DataError> {
    let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).quoting(quoting).from_reader(text.as_bytes());
    let mut records = Records::new(origin);
    let header = reader.headers().map_err(|error| malformed(origin, &error))?.clone();
    let mut positions = Vec::with_capacity(header.len());
    for name in &header {
        let name = unquoted(name.trim(), quoting);
        if records.position(&name).is_some() {
            let reason = format!("the column name `{name}` stands twice in the header");
            return Err(DataError::Malformed { origin: origin.to_string(), line: 1, reason });
        }
        positions.push(records.column(&name));
    }
    // Scanned for line starts once, since a record's own line number points at the line end before it.
    let mut line = 1;
    let mut counted_to = 0;
    let mut record = csv::StringRecord::new();
    while reader.read_record(&mut record).map_err(|error| malformed(origin, &error))? {
        let begin = record.position().map_or(0, |position| usize::try_from(position.byte()).unwrap_or(0));
        let begin =
            begin + text.as_bytes().iter().skip(begin).take_while(|&&byte| byte == b'\n' || byte == b'\r').count();
        let passed = text.as_bytes().get(counted_to..begin).unwrap_or_default();
        line += line_of(passed, passed.len()) - 1;
        counted_to = counted_to.max(begin);
        check_size(origin, line, record.as_slice().len())?;
        let mut cells = vec![Cell::Missing; positions.len()];
        for (position, field) in positions.iter().zip(&record) {
            if let Some(cell) = cells.get_mut(*position) {
                *cell = Cell::Text(unquoted(field, quoting));
            }
        }
        records.rows.push(Row { line, cells });
    }
    Ok(records)
}

/// A field as it was meant: without the reader's quoting, quotes around a whole field are still taken off.
fn unquoted(field: &str, quoting: bool) -> String {
    if !quoting
        && let Some(inner) = field.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'))
        && !inner.replace("\"\"", "").contains('"')
    {
        return inner.replace("\"\"", "\"");
    }
    field.to_string()
}

fn malformed(origin: &str, error: &csv::Error) -> DataError {
    let line = error.position().map_or(1, |position| usize::try_from(position.line()).unwrap_or(1));
    let reason = match error.kind() {
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            format!(
                "this row has {len} field(s) but the header has {expected_len}; fields with separators or line ends need quotes"
            )
        }
        _ => format!("malformed table: {error}"),
    };
    DataError::Malformed { origin: origin.to_string(), line, reason }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(name: &str, text: &str) -> Vec<(usize, Vec<String>)> {
        let records = super::super::records::read(name, text.as_bytes()).unwrap();
        let cell = |cell: &Cell| match cell {
            Cell::Text(text) => text.clone(),
            other => format!("{other:?}"),
        };
        records.rows.iter().map(|row| (row.line, row.cells.iter().map(cell).collect())).collect()
    }

    fn row(line: usize, fields: [&str; 2]) -> (usize, Vec<String>) {
        (line, fields.map(str::to_string).to_vec())
    }

    #[test]
    fn quotes_separators_and_line_ends_inside_fields() {
        let text = "text,label\n\"a, \"\"b\"\"\nc\",yes\n\nd,no\n";
        assert_eq!(rows("a.csv", text), [row(2, ["a, \"b\"\nc", "yes"]), row(5, ["d", "no"])]);
        let windows = "text,label\r\na,yes\r\nb,no\r\n";
        assert_eq!(rows("a.csv", windows), [row(2, ["a", "yes"]), row(3, ["b", "no"])]);
    }

    #[test]
    fn other_separators_are_recognised() {
        assert_eq!(rows("a.csv", "text;label\na,b;c\n"), [row(2, ["a,b", "c"])]);
        assert_eq!(rows("a.csv", "text\tlabel\na;b,d\tc\n"), [row(2, ["a;b,d", "c"])]);
    }

    #[test]
    fn tabs_leave_single_quotes_alone_and_understand_quoted_fields() {
        assert_eq!(
            rows("a.tsv", "text\tlabel\n\"so\tx\nhe said \"no\"\ty\n"),
            [row(2, ["\"so", "x"]), row(3, ["he said \"no\"", "y"])]
        );
        assert_eq!(rows("a.tsv", "text\tlabel\n\"a\tb\"\tx\n"), [row(2, ["a\tb", "x"])]);
        assert_eq!(rows("a.tsv", "\"text\"\tlabel\n\"a \"\"b\"\"\"\tx\n"), [row(2, ["a \"b\"", "x"])]);
    }

    #[test]
    fn a_row_of_another_length_is_refused_with_its_line() {
        let error = super::super::records::read("a.csv", b"text,label\na,b\nc,d,e\n").unwrap_err();
        assert!(
            matches!(&error, DataError::Malformed { line: 3, reason, .. } if reason.contains("3 field(s)")),
            "{error}"
        );
        let error = super::super::records::read("a.csv", b"text,text\na,b\n").unwrap_err();
        assert!(matches!(&error, DataError::Malformed { line: 1, reason, .. } if reason.contains("twice")), "{error}");
    }

    #[test]
    fn a_huge_row_is_refused_with_its_line() {
        let text = format!("text,label\na,b\n{},x\n", "y".repeat(super::super::records::LINE_LIMIT_BYTES + 1));
        let error = super::super::records::read("a.csv", text.as_bytes()).unwrap_err();
        assert!(matches!(error, DataError::LineTooLong { line: 3, .. }), "{error}");
    }
}
