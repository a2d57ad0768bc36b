//! Which columns become the prompt and which the answer: by the user's mapping, or by the names that data sets use.

use serde::{Deserialize, Serialize};

use super::edit::levenshtein;
use super::error::DataError;
use super::records::Records;

/// Names the columns that become prompt and answer.
///
/// With a `template` such as `"Review: {text}\nSentiment:"` the prompt is the template with each `{column}` replaced (and
/// `prompt` may be left out); `{{` and `}}` stand for the braces themselves.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnMapping {
    /// The column that is the prompt; needed unless there is a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The column that is the answer.
    pub answer: String,
    /// The possible answers. Given labels make it a choice task. If every answer is a number from 0 to `labels - 1` and
    /// no label is such a number, the answers are taken as positions in this list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Vec<String>>,
    /// The prompt with `{column}` in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
}

/// A piece of a prompt: fixed text, or the text of the column at a position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Text(String),
    Column(usize),
    /// Fixed text, a column and fixed text, all left out where the column is empty (Alpaca's `input`).
    Optional(&'static str, usize, &'static str),
}

/// A mapping applied to the columns of one file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub prompt: Vec<Piece>,
    pub answer: usize,
}

impl ColumnMapping {
    /// Mapping of two columns, taken as they are.
    #[must_use]
    pub fn columns(prompt: &str, answer: &str) -> Self {
        Self { prompt: Some(prompt.to_string()), answer: answer.to_string(), labels: None, template: None }
    }

    /// # Errors
    /// [`DataError::MissingColumn`] with the nearest name, [`DataError::Template`] for a broken template.
    pub(crate) fn layout(&self, records: &Records) -> Result<Layout, DataError> {
        let answer = position(records, &self.answer)?;
        let prompt = match (&self.template, &self.prompt) {
            (Some(template), _) => template_pieces(template, records)?,
            (None, Some(prompt)) => vec![Piece::Column(position(records, prompt)?)],
            (None, None) => {
                let reason = "the mapping names neither a prompt column nor a template".to_string();
                return Err(DataError::Template { reason });
            }
        };
        Ok(Layout { prompt, answer })
    }
}

fn position(records: &Records, wanted: &str) -> Result<usize, DataError> {
    records.position(wanted).ok_or_else(|| DataError::MissingColumn {
        origin: records.origin.clone(),
        wanted: wanted.to_string(),
        available: listed(&records.columns),
        suggestion: suggestion(wanted, &records.columns),
    })
}

fn template_pieces(template: &str, records: &Records) -> Result<Vec<Piece>, DataError> {
    let broken = |reason: &str| DataError::Template { reason: reason.to_string() };
    let mut pieces = Vec::new();
    let mut text = String::new();
    let mut rest = template.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '{' | '}' if rest.peek() == Some(&character) => {
                rest.next();
                text.push(character);
            }
            '{' => {
                let mut name = String::new();
                loop {
                    match rest.next() {
                        Some('}') => break,
                        Some('{') => return Err(broken("a `{` stands inside a placeholder")),
                        Some(other) => name.push(other),
                        None => return Err(broken("a `{` is not closed")),
                    }
                }
                if !text.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut text)));
                }
                pieces.push(Piece::Column(position(records, name.trim())?));
            }
            '}' => return Err(broken("a `}` stands alone")),
            other => text.push(other),
        }
    }
    if !text.is_empty() {
        pieces.push(Piece::Text(text));
    }
    if !pieces.iter().any(|piece| matches!(piece, Piece::Column(_))) {
        return Err(broken("it names no column, so every prompt would be the same"));
    }
    Ok(pieces)
}

/// Column names of known data sets: the prompt's parts in order with the text around each, then the answer's names.
/// The first line whose prompt columns and one of whose answers exist is taken. A name starting with `?` is optional.
const KNOWN: &[(&[&str], &[&str])] = &[
    (&["prompt"], &["answer", "completion", "response", "output", "target", "chosen"]),
    (&["instruction", "?input"], &["output", "response", "answer", "completion"]),
    (&["?context", "question"], &["answer", "label", "output"]),
    (&["input"], &["output", "target", "answer", "label"]),
    (&["premise", "hypothesis"], &["label", "label_text", "answer"]),
    (&["sentence1", "sentence2"], &["label", "label_text", "answer"]),
    (&["text"], &["label_text", "label", "labels", "intent", "category", "class", "sentiment", "answer"]),
    (&["sentence"], &["label_text", "label", "labels", "sentiment", "answer"]),
    (&["title", "content"], &["label", "label_text"]),
    (&["review"], &["sentiment", "label"]),
    (&["document"], &["summary"]),
    (&["article"], &["highlights", "summary"]),
];

/// Finds prompt and answer by the names that data sets use, upper or lower case.
///
/// `prompt` and `input` are taken as they stand. `instruction` and `input` are joined by a line end and followed by
/// `"\nAnswer:"`. Every other part becomes a line with its name in front, as in `"Context: …\nQuestion: …\nAnswer:"` or
/// `"Text: …\nLabel:"`.
pub(crate) fn detect(records: &Records) -> Result<Layout, DataError> {
    let find = |name: &str| records.columns.iter().position(|column| column.trim().eq_ignore_ascii_case(name));
    for (parts, answers) in KNOWN {
        let found: Vec<(&'static str, bool, Option<usize>)> = parts
            .iter()
            .map(|part| {
                let name = part.trim_start_matches('?');
                (name, part.starts_with('?'), find(name))
            })
            .collect();
        if found.iter().any(|(_, optional, position)| !optional && position.is_none()) {
            continue;
        }
        if let Some((answer_name, answer)) = answers.iter().find_map(|name| Some((*name, find(name)?))) {
            let label = answer_name.starts_with("label") || answer_name == "sentiment";
            return Ok(Layout { prompt: known_prompt(&found, label), answer });
        }
    }
    let wanted = ["prompt", "answer"].into_iter().find(|name| find(name).is_none()).unwrap_or("prompt");
    Err(DataError::UnknownColumns {
        origin: records.origin.clone(),
        available: listed(&records.columns),
        suggestion: suggestion(wanted, &records.columns),
    })
}

fn known_prompt(found: &[(&'static str, bool, Option<usize>)], label: bool) -> Vec<Piece> {
    let mut pieces = Vec::new();
    for &(name, optional, position) in found {
        let Some(position) = position else { continue };
        match (name, optional) {
            ("prompt", _) | ("input", false) => return vec![Piece::Column(position)],
            ("instruction", _) => pieces.push(Piece::Column(position)),
            ("input", true) => pieces.push(Piece::Optional("\n", position, "")),
            ("context", _) => pieces.push(Piece::Optional("Context: ", position, "\n")),
            _ => {
                let mut title = name.to_string();
                if let Some(first) = title.get_mut(..1) {
                    first.make_ascii_uppercase();
                }
                let before = if matches!(pieces.last(), Some(Piece::Column(_))) { "\n" } else { "" };
                pieces.push(Piece::Text(format!("{before}{title}: ")));
                pieces.push(Piece::Column(position));
            }
        }
    }
    pieces.push(Piece::Text(if label { "\nLabel:" } else { "\nAnswer:" }.to_string()));
    pieces
}

fn listed(columns: &[String]) -> String {
    const SHOWN: usize = 20;
    let text = columns.iter().take(SHOWN).map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    match columns.len() {
        0 => "none".to_string(),
        count if count > SHOWN => format!("{text} and {} more", count - SHOWN),
        _ => text,
    }
}

/// " Did you mean `x`?" for the known name nearest to what was asked for, or nothing if none is near.
pub(crate) fn suggestion(wanted: &str, known: &[String]) -> String {
    let lower = wanted.trim().to_lowercase();
    let near = known
        .iter()
        .filter(|name| name.chars().count() <= 100)
        .map(|name| {
            let other = name.trim().to_lowercase();
            let contained =
                !other.is_empty() && !lower.is_empty() && (other.contains(&lower) || lower.contains(&other));
            (if contained { usize::from(other != lower) } else { levenshtein(&lower, &other) }, name)
        })
        .min_by_key(|(distance, _)| *distance);
    match near {
        Some((distance, name)) if distance <= (lower.chars().count() / 3).max(2) => format!(" Did you mean `{name}`?"),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(columns: &[&str]) -> Records {
        let mut records = Records::new("a.csv");
        for column in columns {
            records.column(column);
        }
        records
    }

    fn text(text: &str) -> Piece {
        Piece::Text(text.to_string())
    }

    #[test]
    fn templates_are_cut_at_their_placeholders() {
        let mapping = ColumnMapping {
            answer: "stars".into(),
            template: Some("{{x}} Review: {text}\nBy { author }:".into()),
            ..ColumnMapping::default()
        };
        let layout = mapping.layout(&records(&["author", "text", "stars"])).unwrap();
        let expected = [text("{x} Review: "), Piece::Column(1), text("\nBy "), Piece::Column(0), text(":")];
        assert_eq!(layout, Layout { prompt: expected.to_vec(), answer: 2 });
    }

    #[test]
    fn broken_templates_are_refused() {
        for template in ["", "no column", "{text", "text}", "{te{xt}}", "{}"] {
            let mapping =
                ColumnMapping { answer: "text".into(), template: Some(template.into()), ..ColumnMapping::default() };
            let error = mapping.layout(&records(&["text"])).unwrap_err();
            assert!(
                matches!(error, DataError::Template { .. } | DataError::MissingColumn { .. }),
                "{template}: {error}"
            );
        }
    }

    #[test]
    fn a_wrong_column_is_answered_with_the_nearest_name() {
        let error = ColumnMapping::columns("promt", "answer")
            .layout(&records(&["id", "prompt", "answer"]))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no column `promt`. Did you mean `prompt`?") && error.contains("`id`, `prompt`, `answer`"),
            "{error}"
        );
        let error =
            ColumnMapping::columns("qqqqq", "answer").layout(&records(&["id", "answer"])).unwrap_err().to_string();
        assert!(!error.contains("Did you mean"), "{error}");
        let error = detect(&records(&["Prompts", "answr"])).unwrap_err().to_string();
        assert!(error.contains("Did you mean `Prompts`?"), "{error}");
    }

    #[test]
    fn known_names_are_found() {
        let cases: [(&[&str], Vec<Piece>, usize); 6] = [
            (&["id", "Prompt", "Answer"], vec![Piece::Column(1)], 2),
            (&["question", "answer"], vec![text("Question: "), Piece::Column(0), text("\nAnswer:")], 1),
            (
                &["context", "question", "answer"],
                vec![Piece::Optional("Context: ", 0, "\n"), text("Question: "), Piece::Column(1), text("\nAnswer:")],
                2,
            ),
            (&["text", "label"], vec![text("Text: "), Piece::Column(0), text("\nLabel:")], 1),
            (
                &["premise", "hypothesis", "label"],
                vec![text("Premise: "), Piece::Column(0), text("\nHypothesis: "), Piece::Column(1), text("\nLabel:")],
                2,
            ),
            (
                &["instruction", "input", "output"],
                vec![Piece::Column(0), Piece::Optional("\n", 1, ""), text("\nAnswer:")],
                2,
            ),
        ];
        for (columns, prompt, answer) in cases {
            assert_eq!(detect(&records(columns)).unwrap(), Layout { prompt, answer }, "{columns:?}");
        }
        assert_eq!(
            detect(&records(&["input", "output"])).unwrap(),
            Layout { prompt: vec![Piece::Column(0)], answer: 1 }
        );
        assert!(matches!(detect(&records(&["messages"])), Err(DataError::UnknownColumns { .. })));
    }
}
