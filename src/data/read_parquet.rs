//! Flat Parquet columns as rows, including the class names that Hugging Face datasets keep beside their integer labels.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use parquet::data_type::ByteArray;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::Value;

use super::error::DataError;
use super::records::{Cell, Records, Row, check_size};

/// Reads a Parquet file; a row's "line" is its number from 1.
pub(crate) fn read(origin: &str, bytes: &[u8]) -> Result<Records, DataError> {
    let refused = |reason: String| DataError::Parquet { origin: origin.to_string(), reason };
    // The reader indexes into pages that a damaged file describes wrongly, and panics on some of them.
    match catch_unwind(AssertUnwindSafe(|| rows(origin, bytes))) {
        Ok(Ok(records)) => Ok(records),
        Ok(Err(Refusal::Data(error))) => Err(error),
        Ok(Err(Refusal::Format(error))) => Err(refused(error.to_string().trim_end_matches('.').to_string())),
        Err(_) => Err(refused("its pages do not agree with its header, so the file is damaged".to_string())),
    }
}

enum Refusal {
    Format(ParquetError),
    Data(DataError),
}

impl From<ParquetError> for Refusal {
    fn from(error: ParquetError) -> Self {
        Self::Format(error)
    }
}

/// The buffer type that `accepts` takes. The reader wants a type of a crate that it does not re-export.
fn buffer<B: From<Vec<u8>>>(bytes: &[u8], _accepts: fn(&mut ByteArray, B)) -> B {
    bytes.to_vec().into()
}

fn rows(origin: &str, bytes: &[u8]) -> Result<Records, Refusal> {
    let reader = SerializedFileReader::new(buffer(bytes, ByteArray::set_data))?;
    let metadata = reader.metadata().file_metadata();
    let class_names = metadata.key_value_metadata().map(|entries| class_names(entries)).unwrap_or_default();
    let mut records = Records::new(origin);
    for field in metadata.schema().get_fields() {
        records.column(field.name());
    }
    for (index, row) in reader.get_row_iter(None)?.enumerate() {
        let line = index + 1;
        let mut cells = vec![Cell::Missing; records.columns.len()];
        let mut size = 0;
        for (name, field) in row?.into_columns() {
            let position = records.column(&name);
            if cells.len() <= position {
                cells.resize(position + 1, Cell::Missing);
            }
            let mut cell = cell(field);
            if let (Cell::Text(text), Some(names)) = (&mut cell, class_names.get(&name))
                && let Some(class) = text.parse::<usize>().ok().and_then(|class| names.get(class))
            {
                text.clone_from(class);
            }
            if let Cell::Text(text) = &cell {
                size += text.len();
            }
            cells[position] = cell;
        }
        check_size(origin, line, size).map_err(Refusal::Data)?;
        records.rows.push(Row { line, cells });
    }
    Ok(records)
}

fn cell(field: Field) -> Cell {
    match field {
        Field::Null => Cell::Missing,
        Field::Str(text) => Cell::Text(text),
        // Old writers leave the mark "this is UTF-8" away.
        Field::Bytes(bytes) => match std::str::from_utf8(bytes.data()) {
            Ok(text) => Cell::Text(text.to_string()),
            Err(_) => Cell::Nested,
        },
        Field::Group(_) | Field::ListInternal(_) | Field::MapInternal(_) => Cell::Nested,
        Field::Bool(value) => Cell::Text(value.to_string()),
        Field::Byte(value) => Cell::Text(value.to_string()),
        Field::Short(value) => Cell::Text(value.to_string()),
        Field::Int(value) => Cell::Text(value.to_string()),
        Field::Long(value) => Cell::Text(value.to_string()),
        Field::UByte(value) => Cell::Text(value.to_string()),
        Field::UShort(value) => Cell::Text(value.to_string()),
        Field::UInt(value) => Cell::Text(value.to_string()),
        Field::ULong(value) => Cell::Text(value.to_string()),
        Field::Float(value) => Cell::Text(value.to_string()),
        Field::Double(value) => Cell::Text(value.to_string()),
        other => Cell::Text(other.to_string()),
    }
}

/// Class names by column, from the key `huggingface` that the `datasets` library writes into the footer.
fn class_names(metadata: &[KeyValue]) -> HashMap<String, Vec<String>> {
    let Some(text) = metadata.iter().find(|entry| entry.key == "huggingface").and_then(|entry| entry.value.as_deref())
    else {
        return HashMap::new();
    };
    let Ok(value) = serde_json::from_str::<Value>(text) else {
        return HashMap::new();
    };
    let Some(features) = value.pointer("/info/features").and_then(Value::as_object) else {
        return HashMap::new();
    };
    let names = |feature: &Value| -> Option<Vec<String>> {
        feature.get("names")?.as_array()?.iter().map(|name| name.as_str().map(str::to_string)).collect()
    };
    features.iter().filter_map(|(column, feature)| Some((column.clone(), names(feature)?))).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use parquet::basic::Compression;
    use parquet::data_type::{ByteArrayType, Int64Type};
    use parquet::file::properties::WriterProperties;
    use parquet::file::writer::SerializedFileWriter;
    use parquet::schema::parser::parse_message_type;

    use super::*;

    /// Rows of (text, label), written by the parquet crate's own writer.
    fn file(compression: Compression, metadata: Option<&str>) -> Vec<u8> {
        let schema = "message m { REQUIRED BYTE_ARRAY text (UTF8); OPTIONAL INT64 label; REPEATED INT64 extra; }";
        let schema = Arc::new(parse_message_type(schema).unwrap());
        let metadata = metadata.map(|text| vec![KeyValue::new("huggingface".to_string(), text.to_string())]);
        let properties =
            WriterProperties::builder().set_compression(compression).set_key_value_metadata(metadata).build();
        let mut bytes = Vec::new();
        let mut writer = SerializedFileWriter::new(&mut bytes, schema, Arc::new(properties)).unwrap();
        let mut group = writer.next_row_group().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        let texts: Vec<ByteArray> =
            ["good film", "bad film", "ähm"].iter().map(|text| ByteArray::from(*text)).collect();
        column.typed::<ByteArrayType>().write_batch(&texts, None, None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[1, 0], Some(&[1, 1, 0]), None).unwrap();
        column.close().unwrap();
        let mut column = group.next_column().unwrap().unwrap();
        column.typed::<Int64Type>().write_batch(&[7, 8], Some(&[1, 1, 0, 0]), Some(&[0, 1, 0, 0])).unwrap();
        column.close().unwrap();
        group.close().unwrap();
        writer.close().unwrap();
        bytes
    }

    fn text(text: &str) -> Cell {
        Cell::Text(text.to_string())
    }

    #[test]
    fn every_codec_gives_the_same_rows() {
        let codecs = [
            Compression::UNCOMPRESSED,
            Compression::SNAPPY,
            Compression::GZIP(parquet::basic::GzipLevel::default()),
            Compression::LZ4_RAW,
            Compression::BROTLI(parquet::basic::BrotliLevel::default()),
        ];
        for codec in codecs {
            let records = read("a.parquet", &file(codec, None)).unwrap();
            assert_eq!(records.columns, ["text", "label", "extra"], "{codec:?}");
            assert_eq!(records.rows[0].cells, [text("good film"), text("1"), Cell::Nested], "{codec:?}");
            assert_eq!(records.rows[2].line, 3);
            assert_eq!(records.rows[2].cells[..2], [text("ähm"), Cell::Missing], "{codec:?}");
        }
    }

    #[test]
    fn class_names_of_hugging_face_replace_the_integers() {
        let metadata = r#"{"info": {"features": {"text": {"dtype": "string"}, "label": {"names": ["neg", "pos"], "_type": "ClassLabel"}}}}"#;
        let records = read("a.parquet", &file(Compression::SNAPPY, Some(metadata))).unwrap();
        assert_eq!(records.rows[0].cells[1], text("pos"));
        assert_eq!(records.rows[1].cells[1], text("neg"));
    }

    #[test]
    fn damaged_files_are_refused_without_a_panic() {
        let whole = file(Compression::SNAPPY, None);
        for cut in 1..whole.len() {
            assert!(matches!(read("a.parquet", &whole[..cut]), Err(DataError::Parquet { .. })), "cut at {cut}");
        }
        // One flipped byte may go unseen in a text, but must never end the program.
        for at in 0..whole.len() {
            for flip in [0xff, 0x01, 0x80] {
                let mut bytes = whole.clone();
                bytes[at] ^= flip;
                let _ = read("a.parquet", &bytes);
            }
        }
    }
}
