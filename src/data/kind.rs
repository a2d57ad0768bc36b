//! Decides what kind of task a set of answers makes: a choice between labels, a letter with reasons, a number, or text.

use std::collections::{BTreeMap, BTreeSet};

use super::error::{DataError, first_lines};
use super::mapping::suggestion;
use super::score::first_number;
use super::task::Metric;

/// Most distinct answers that are taken for labels without being told so.
const LABEL_LIMIT: usize = 32;
/// Longest answer, in characters, that is taken for a label without being told so.
const LABEL_LENGTH: usize = 40;
/// Fewest examples per distinct answer, on average, for the answers to be labels.
const EXAMPLES_PER_LABEL: usize = 4;
/// With more distinct answers than this, answers that are all numbers are results, not classes.
const NUMBER_CLASSES: usize = 10;
/// Most options of a multiple-choice question answered by a letter and reasons.
const LETTER_LIMIT: usize = 10;

/// One answer and where it stands.
pub(crate) struct Answer<'a> {
    pub origin: &'a str,
    pub line: usize,
    pub text: &'a mut String,
}

/// What was decided.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Kind {
    pub metric: Metric,
    /// In a fixed order: as given, or sorted.
    pub labels: Vec<String>,
    pub warnings: Vec<String>,
}

/// Decides the metric and the labels; answers of a choice task are set to their label's own spelling.
///
/// Without labels or metric given, the first rule that holds decides:
/// 1. 2 to 32 distinct answers of one line and at most 40 characters, four or more examples for each on average:
///    a choice by likelihood. (More than ten that are all numbers: rule 3.)
/// 2. A letter and a line end open 95 % of the answers, with 2 to 10 letters: the first character (ScienceQA).
/// 3. 80 % of the answers are nothing but a number: number match.
/// 4. A tenth or more of the answers' characters are neither letters, digits nor space, and most have one line: it is code, scored by
///    edit similarity, as `Py150` is in TRACE. (Exact match would give a small model 0 whether it is near or far.)
/// 5. Half of the answers have at most 30 characters: exact match. Otherwise ROUGE-L.
pub(crate) fn decide(
    answers: &mut [Answer<'_>],
    labels: Option<&[String]>,
    metric: Option<Metric>,
) -> Result<Kind, DataError> {
    let choice = matches!(metric, Some(Metric::ChoiceLikelihood | Metric::ChoiceGeneration));
    if let Some(labels) = labels
        && (metric.is_none() || choice)
    {
        return given_labels(answers, labels, metric.unwrap_or(Metric::ChoiceLikelihood));
    }
    let distinct: BTreeSet<String> = answers.iter().map(|answer| answer.text.trim().to_string()).collect();
    if choice || (metric.is_none() && are_labels(&distinct, answers.len())) {
        if distinct.len() < 2 {
            return Err(DataError::Setting {
                setting: "metric",
                value: "a choice".into(),
                remedy: "the answers are all the same, so there is nothing to choose; take another metric or list the labels".into(),
            });
        }
        return Ok(found_labels(answers, metric.unwrap_or(Metric::ChoiceLikelihood)));
    }
    let metric = metric.unwrap_or_else(|| free_metric(answers));
    let mut warnings = Vec::new();
    if distinct.len() > LABEL_LIMIT
        && distinct.len() * EXAMPLES_PER_LABEL <= answers.len()
        && !matches!(metric, Metric::NumberMatch)
    {
        warnings.push(format!(
            "There are only {} different answers. If they are labels, list them in the column mapping, and the task becomes a choice.",
            distinct.len()
        ));
    }
    let labels = match (metric, labels) {
        (Metric::FirstCharacter, Some(labels)) => labels.to_vec(),
        (Metric::FirstCharacter, None) => letters(answers),
        _ => Vec::new(),
    };
    Ok(Kind { metric, labels, warnings })
}

fn are_labels(distinct: &BTreeSet<String>, examples: usize) -> bool {
    let numbers = distinct.iter().all(|answer| is_number(answer));
    (2..=LABEL_LIMIT).contains(&distinct.len())
        && distinct.len() * EXAMPLES_PER_LABEL <= examples
        && distinct.iter().all(|answer| answer.chars().count() <= LABEL_LENGTH && !answer.contains('\n'))
        && !(numbers && distinct.len() > NUMBER_CLASSES)
}

/// The labels are the answers; where one is spelt with different white space, its most frequent spelling is kept.
fn found_labels(answers: &mut [Answer<'_>], metric: Metric) -> Kind {
    let mut spellings: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for answer in answers.iter() {
        *spellings.entry(answer.text.trim().to_string()).or_default().entry(answer.text.clone()).or_insert(0) += 1;
    }
    let several = spellings.values().any(|spelt| spelt.len() > 1);
    let chosen: BTreeMap<String, String> = spellings
        .into_iter()
        .map(|(label, spelt)| {
            let spelling =
                spelt.into_iter().max_by_key(|(_, count)| *count).map_or_else(|| label.clone(), |(text, _)| text);
            (label, spelling)
        })
        .collect();
    for answer in answers.iter_mut() {
        if let Some(spelling) = chosen.get(answer.text.trim())
            && spelling != answer.text
        {
            answer.text.clone_from(spelling);
        }
    }
    let mut warnings = Vec::new();
    if several {
        warnings.push("Some answers differ only in white space at their ends; they were made equal.".to_string());
    }
    Kind { metric, labels: chosen.into_values().collect(), warnings }
}

fn given_labels(answers: &mut [Answer<'_>], labels: &[String], metric: Metric) -> Result<Kind, DataError> {
    let mut by_text: BTreeMap<&str, &String> = BTreeMap::new();
    for label in labels {
        if label.trim().is_empty() || by_text.insert(label.trim(), label).is_some() {
            let remedy = "every label must be there once and must not be empty".to_string();
            return Err(DataError::Setting { setting: "labels", value: format!("{labels:?}"), remedy });
        }
    }
    if labels.len() < 2 {
        let remedy = "a choice needs at least two labels".to_string();
        return Err(DataError::Setting { setting: "labels", value: format!("{labels:?}"), remedy });
    }
    let position = |text: &str| text.trim().parse::<usize>().ok().filter(|&at| at < labels.len());
    let by_position = !labels.iter().any(|label| position(label).is_some())
        && answers.iter().all(|answer| position(answer.text).is_some());
    let mut unknown: Vec<(String, usize, String)> = Vec::new();
    for answer in answers.iter_mut() {
        let label = if by_position {
            position(answer.text).and_then(|at| labels.get(at))
        } else {
            by_text.get(answer.text.trim()).copied()
        };
        match label {
            Some(label) => answer.text.clone_from(label),
            None => unknown.push((answer.origin.to_string(), answer.line, answer.text.clone())),
        }
    }
    if let Some((origin, _, first)) = unknown.first() {
        let shown: String = first.chars().take(80).collect();
        let lines: Vec<usize> =
            unknown.iter().filter(|(other, _, _)| other == origin).map(|(_, line, _)| *line).collect();
        return Err(DataError::UnknownLabel {
            origin: origin.clone(),
            count: lines.len(),
            lines: first_lines(&lines),
            known: format!("{} The labels are: {}.", suggestion(&shown, labels), labels.join(", ")),
            first: shown,
        });
    }
    let mut warnings = Vec::new();
    if by_position {
        warnings
            .push("The answers are numbers; they were read as positions in the list of labels, from 0.".to_string());
    }
    let used: BTreeSet<&str> = answers.iter().map(|answer| answer.text.as_str()).collect();
    let unused: Vec<&str> = labels.iter().map(String::as_str).filter(|label| !used.contains(label)).collect();
    if !unused.is_empty() {
        warnings.push(format!("No example has the label(s) {}.", unused.join(", ")));
    }
    Ok(Kind { metric, labels: labels.to_vec(), warnings })
}

fn free_metric(answers: &[Answer<'_>]) -> Metric {
    let count = answers.len();
    let lettered = answers.iter().filter(|answer| letter(answer.text).is_some()).count();
    if lettered * 100 >= count * 95 && (2..=LETTER_LIMIT).contains(&letters(answers).len()) {
        return Metric::FirstCharacter;
    }
    if answers.iter().filter(|answer| is_number(answer.text)).count() * 100 >= count * 80 {
        return Metric::NumberMatch;
    }
    let one_line = answers.iter().filter(|answer| !answer.text.trim().contains('\n')).count();
    let characters = answers.iter().flat_map(|answer| answer.text.chars());
    let (all, signs) = characters.fold((0_usize, 0_usize), |(all, signs), character| {
        (all + 1, signs + usize::from(!character.is_alphanumeric() && !character.is_whitespace()))
    });
    if signs * 10 >= all && one_line * 2 >= count {
        return Metric::EditSimilarity;
    }
    let short = answers.iter().filter(|answer| answer.text.trim().chars().count() <= 30).count();
    if short * 2 >= count { Metric::ExactMatch } else { Metric::RougeL }
}

/// The capital letter that stands alone on the first line of an answer.
fn letter(answer: &str) -> Option<char> {
    let mut characters = answer.trim_start().chars();
    let first = characters.next().filter(char::is_ascii_uppercase)?;
    matches!(characters.next(), Some('\n' | '\r')).then_some(first)
}

/// The first characters of the answers, sorted: the options of a first-character task.
fn letters(answers: &[Answer<'_>]) -> Vec<String> {
    let firsts: BTreeSet<char> = answers.iter().filter_map(|answer| answer.text.trim_start().chars().next()).collect();
    firsts.into_iter().map(String::from).collect()
}

/// Is the answer nothing but a number, perhaps with a sign, commas, a percent or a currency sign?
fn is_number(answer: &str) -> bool {
    let bare = answer.trim();
    first_number(bare).is_some()
        && bare.chars().all(|character| character.is_ascii_digit() || "+-\u{2212}.,%$€£ ".contains(character))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Decides over answers repeated `times` times.
    fn kind(
        texts: &[&str],
        times: usize,
        labels: Option<&[String]>,
        metric: Option<Metric>,
    ) -> (Result<Kind, DataError>, Vec<String>) {
        let mut texts: Vec<String> = (0..times).flat_map(|_| texts.iter().map(|text| (*text).to_string())).collect();
        let mut answers: Vec<Answer<'_>> = texts
            .iter_mut()
            .enumerate()
            .map(|(index, text)| Answer { origin: "a.jsonl", line: index + 1, text })
            .collect();
        let kind = decide(&mut answers, labels, metric);
        (kind, texts)
    }

    fn metric(texts: &[&str], times: usize) -> Metric {
        kind(texts, times, None, None).0.unwrap().metric
    }

    #[test]
    fn each_kind_is_told_from_the_others() {
        assert_eq!(metric(&["yes", "no", "maybe"], 4), Metric::ChoiceLikelihood);
        assert_eq!(metric(&["yes", "no", "maybe"], 3), Metric::ExactMatch); // too few to tell
        assert_eq!(metric(&["0", "1"], 10), Metric::ChoiceLikelihood);
        assert_eq!(metric(&["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"], 9), Metric::NumberMatch);
        assert_eq!(metric(&["14", "3.5", "$1,000", "-2", "May"], 1), Metric::NumberMatch);
        assert_eq!(
            metric(&["A\nBecause it is so.", "B\nAll of them.", "A\nAnother reason."], 1),
            Metric::FirstCharacter
        );
        assert_eq!(metric(&["self . x = y ( z )", "return a [ 0 ]", "if x :"], 1), Metric::EditSimilarity);
        assert_eq!(metric(&["Paris", "Rome", "The Hague"], 1), Metric::ExactMatch);
        assert_eq!(
            metric(
                &["The council met on Monday and agreed to go on.", "Two reports were read, and a third was put off."],
                1
            ),
            Metric::RougeL
        );
    }

    #[test]
    fn labels_are_sorted_and_spelt_alike() {
        let (decided, texts) = kind(&["spam", " ham", " ham", "ham "], 3, None, None);
        let decided = decided.unwrap();
        assert_eq!(decided.labels, [" ham", "spam"]);
        assert_eq!(decided.warnings.len(), 1);
        assert!(texts.iter().all(|text| text == " ham" || text == "spam"), "{texts:?}");
    }

    #[test]
    fn letters_of_a_first_character_task_are_its_labels() {
        assert_eq!(kind(&["C\nx", "A\ny z", "C\nw"], 1, None, None).0.unwrap().labels, ["A", "C"]);
    }

    #[test]
    fn given_labels_are_kept_in_order_and_checked() {
        let labels: Vec<String> = ["negative", "positive"].map(str::to_string).to_vec();
        let (decided, texts) = kind(&["1", "0"], 1, Some(&labels), None);
        assert_eq!(decided.unwrap().labels, labels);
        assert_eq!(texts, ["positive", "negative"]);
        let error = kind(&["positive", "negativ", "good"], 1, Some(&labels), None).0.unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, DataError::UnknownLabel { count: 2, .. }) && text.contains("Did you mean `negative`?"),
            "{text}"
        );
        assert!(kind(&["a"], 1, Some(&labels[..1]), None).0.is_err());
        assert!(kind(&["a", "b"], 9, Some(&["a".to_string(), "a ".to_string()]), None).0.is_err());
    }

    #[test]
    fn a_given_metric_wins() {
        assert_eq!(kind(&["yes", "no"], 9, None, Some(Metric::RougeL)).0.unwrap().labels, Vec::<String>::new());
        assert_eq!(kind(&["yes", "no"], 1, None, Some(Metric::ChoiceGeneration)).0.unwrap().labels, ["no", "yes"]);
        assert!(kind(&["yes"], 9, None, Some(Metric::ChoiceLikelihood)).0.is_err());
    }
}
