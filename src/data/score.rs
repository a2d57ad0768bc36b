//! Scores one answer of a model against the right one; every metric of [`Metric`] in `[0, 1]`.

use super::edit::edit_similarity;
use super::rouge::rouge_l;
use super::sari::sari;
use super::task::Metric;

/// The score of `prediction` for the right `answer`.
///
/// * `ChoiceLikelihood`: `prediction` is the label that the likelihoods chose; equal to the answer or not.
/// * `ChoiceGeneration`: the label named in the generated text ([`extract_label`]) is the answer.
/// * `FirstCharacter`: the first characters behind white space are the same.
/// * `NumberMatch`: the first numbers have the same value ([`first_number`]); an answer without a number must be met
///   word for word.
/// * `ExactMatch` and `EditSimilarity` leave white space at both ends out.
/// * `Sari` compares with `source`, the text that was to be simplified (the prompt).
///
/// `labels` is used by `ChoiceGeneration` alone and `source` by `Sari` alone.
#[must_use]
pub fn score(metric: Metric, prediction: &str, answer: &str, labels: &[String], source: &str) -> f64 {
    let (said, right) = (prediction.trim(), answer.trim());
    match metric {
        Metric::ChoiceLikelihood | Metric::ExactMatch => hit(said == right),
        Metric::ChoiceGeneration => hit(extract_label(prediction, labels).is_some_and(|label| label.trim() == right)),
        Metric::FirstCharacter => hit(said.chars().next().is_some_and(|first| right.starts_with(first))),
        Metric::NumberMatch => hit(match first_number(right) {
            Some(number) => first_number(said) == Some(number),
            None => !right.is_empty() && said.to_lowercase() == right.to_lowercase(),
        }),
        Metric::RougeL => rouge_l(prediction, answer),
        Metric::Sari => sari(source, prediction, answer).score,
        Metric::EditSimilarity => edit_similarity(said, right),
    }
}

fn hit(hit: bool) -> f64 {
    if hit { 1.0 } else { 0.0 }
}

/// The label that the text names first, as a whole word; of two at the same place the longer.
///
/// Case is ignored, except for labels of one character (an "a" in a sentence is not the option A) and where labels differ
/// by case alone. If no label is found that way, a text that is nothing but a label in the other case still counts.
#[must_use]
pub fn extract_label<'a>(text: &str, labels: &'a [String]) -> Option<&'a str> {
    let plain: Vec<char> = text.chars().collect();
    let lower: Vec<char> = lower(text);
    let mut best: Option<(usize, usize, &'a str)> = None;
    for label in labels {
        let label = label.as_str();
        let trimmed = label.trim();
        let exact = trimmed.chars().nth(1).is_none()
            || labels.iter().any(|other| other != label && same_but_for_case(other, trimmed));
        let found = if exact {
            find_word(&plain, &trimmed.chars().collect::<Vec<_>>())
        } else {
            find_word(&lower, &self::lower(trimmed))
        };
        let Some(place) = found else { continue };
        let length = trimmed.chars().count();
        if best.is_none_or(|(other_place, other_length, _)| (place, other_length) < (other_place, length)) {
            best = Some((place, length, label));
        }
    }
    let alone = || {
        let bare = text.trim_matches(|character: char| !character.is_alphanumeric());
        let mut fitting = labels.iter().filter(|label| same_but_for_case(label, bare));
        fitting.next().filter(|_| fitting.next().is_none()).map(String::as_str)
    };
    best.map(|(_, _, label)| label).or_else(alone)
}

/// Lower case, character for character where that exists, so that places in both texts agree.
fn lower(text: &str) -> Vec<char> {
    let single = |character: char| {
        let mut small = character.to_lowercase();
        small.next().filter(|_| small.next().is_none()).unwrap_or(character)
    };
    text.chars().map(single).collect()
}

fn same_but_for_case(a: &str, b: &str) -> bool {
    lower(a.trim()) == lower(b.trim())
}

/// Place of the first occurrence that is not a part of a longer word.
fn find_word(text: &[char], word: &[char]) -> Option<usize> {
    if word.is_empty() {
        return None;
    }
    (0..(text.len() + 1).saturating_sub(word.len())).find(|&start| {
        let end = start + word.len();
        text[start..end] == *word
            && !(start > 0 && joined(text[start - 1], text[start]))
            && !(end < text.len() && joined(text[end - 1], text[end]))
    })
}

/// Do two neighbouring characters belong to one word? Chinese and Japanese write words without gaps, so there they never do.
fn joined(left: char, right: char) -> bool {
    let in_word = |character: char| (character.is_alphanumeric() || character == '_') && !is_ideograph(character);
    in_word(left) && in_word(right)
}

fn is_ideograph(character: char) -> bool {
    matches!(character, '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{323af}')
}

/// The first number of a text in one form for all its spellings: `1,000.50`, `+1000.5` and `01000.5` give `1000.5`.
///
/// A minus sign counts where no word or number stands right before it (`3-4` starts with 3). Commas are read as
/// thousands only in groups of three digits.
#[must_use]
pub fn first_number(text: &str) -> Option<String> {
    let characters: Vec<char> = text.chars().collect();
    let digit = |at: usize| characters.get(at).is_some_and(char::is_ascii_digit);
    let start = (0..characters.len()).find(|&at| digit(at) || (characters[at] == '.' && digit(at + 1)))?;
    let negative = start > 0
        && matches!(characters[start - 1], '-' | '\u{2212}')
        && !(start > 1 && (characters[start - 2].is_alphanumeric() || characters[start - 2] == ')'));
    let mut at = start;
    let mut whole = String::new();
    while digit(at) || is_thousands_comma(&characters, at, whole.len()) {
        if digit(at) {
            whole.push(characters[at]);
        }
        at += 1;
    }
    let mut fraction = String::new();
    if characters.get(at) == Some(&'.') {
        at += 1;
        while digit(at) {
            fraction.push(characters[at]);
            at += 1;
        }
    }
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let sign = if negative && !(whole.is_empty() && fraction.is_empty()) { "-" } else { "" };
    let whole = if whole.is_empty() { "0" } else { whole };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}

/// Is there a comma at `at` with digits before it and exactly three behind it?
fn is_thousands_comma(characters: &[char], at: usize, digits_before: usize) -> bool {
    let digit = |at: usize| characters.get(at).is_some_and(char::is_ascii_digit);
    characters.get(at) == Some(&',') && digits_before > 0 && (1..=3).all(|step| digit(at + step)) && !digit(at + 4)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn labels(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_string()).collect()
    }

    fn is(actual: f64, expected: f64) -> bool {
        (actual - expected).abs() < 1e-12
    }

    #[test]
    fn labels_are_found_as_the_earliest_and_longest_whole_word() {
        let intents = labels(&["music", "movie times", "movie", "no", "yes"]);
        for (text, expected) in [
            ("It is about Movie Times, or music.", Some("movie times")),
            ("Yes, no doubt", Some("yes")),
            ("nobody knows the movies", None),
            ("a movie.", Some("movie")),
            ("_music_ no", Some("no")),
            ("", None),
        ] {
            assert_eq!(extract_label(text, &intents), expected, "{text}");
        }
    }

    #[test]
    fn letters_need_their_case_unless_they_stand_alone() {
        let options = labels(&["A", "B", "C"]);
        assert_eq!(extract_label("a good question: B", &options), Some("B"));
        assert_eq!(extract_label("(C) because A", &options), Some("C"));
        assert_eq!(extract_label(" b.\n", &options), Some("B"));
        assert_eq!(extract_label("a bad one", &options), None);
        assert_eq!(extract_label("us or US?", &labels(&["US", "us"])), Some("us"));
        assert_eq!(extract_label("我支持他", &labels(&["反对", "支持"])), Some("支持"));
    }

    #[test]
    fn numbers_have_one_form() {
        for (text, expected) in [
            ("The answer is 1,000.50 dollars", "1000.5"),
            ("-7", "-7"),
            ("x = \u{2212}0.50", "-0.5"),
            ("3-4", "3"),
            ("007", "7"),
            ("-0.0", "0"),
            (".5 or 2", "0.5"),
            ("1,2,3", "1"),
            ("12,345,678", "12345678"),
            ("1,0000", "1"),
            ("5.", "5"),
            ("no. 14: yes", "14"),
        ] {
            assert_eq!(first_number(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(first_number("none . - ,"), None);
    }

    #[test]
    fn every_metric_scores_right_wrong_and_empty() {
        let options = labels(&["yes", "no"]);
        let cases = [
            (Metric::ChoiceLikelihood, "yes", "yes ", 1.0),
            (Metric::ChoiceLikelihood, "no", "yes", 0.0),
            (Metric::ChoiceGeneration, "I say: Yes!", "yes", 1.0),
            (Metric::ChoiceGeneration, "no, yes", "yes", 0.0),
            (Metric::ChoiceGeneration, "", "yes", 0.0),
            (Metric::FirstCharacter, " B because", "B\nIt is so", 1.0),
            (Metric::FirstCharacter, "A", "B", 0.0),
            (Metric::FirstCharacter, "", "B", 0.0),
            (Metric::ExactMatch, " a b\n", "a b", 1.0),
            (Metric::ExactMatch, "a  b", "a b", 0.0),
            (Metric::NumberMatch, "it is 14.0 apples", "14", 1.0),
            (Metric::NumberMatch, "14.5", "14", 0.0),
            (Metric::NumberMatch, "november", "November", 1.0),
            (Metric::NumberMatch, "5", "November", 0.0),
            (Metric::NumberMatch, "", "5", 0.0),
            (Metric::RougeL, "a b", "a c", 0.5),
            (Metric::RougeL, "", "a", 0.0),
            (Metric::EditSimilarity, " ab ", "abcd", 0.5),
            (Metric::Sari, "a b", "a b", 1.0),
        ];
        for (metric, prediction, answer, expected) in cases {
            let actual = score(metric, prediction, answer, &options, "a b");
            assert!(is(actual, expected), "{metric:?} {prediction:?} {answer:?}: {actual}");
        }
    }

    /// Values from `tests/parity/metric_fixtures.py`, written independently in Python.
    #[test]
    fn text_metrics_agree_with_python() {
        let path = crate::platform::checkout().join("tests/fixtures/text_metrics.json");
        let fixture: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let text = |pair: &Value, key: &str| pair[key].as_str().unwrap().to_string();
        let pairs = fixture["pairs"].as_array().unwrap();
        assert!(pairs.len() >= 10);
        for pair in pairs {
            let (source, prediction, reference) =
                (text(pair, "source"), text(pair, "prediction"), text(pair, "reference"));
            let all = sari(&source, &prediction, &reference);
            let actual = [
                ("rouge_l", rouge_l(&prediction, &reference)),
                ("edit_similarity", edit_similarity(&prediction, &reference)),
                ("sari", all.score),
                ("sari_keep", all.keep),
                ("sari_add", all.add),
                ("sari_delete", all.delete),
                ("rouge_l", score(Metric::RougeL, &prediction, &reference, &[], &source)),
                ("sari", score(Metric::Sari, &prediction, &reference, &[], &source)),
            ];
            for (name, value) in actual {
                let expected = pair[name].as_f64().unwrap();
                assert!(is(value, expected), "{} {name}: {value} instead of {expected}", pair["note"]);
            }
        }
        assert!(is(rouge_l("", ""), fixture["both_empty"]["rouge_l"].as_f64().unwrap()));
        assert!(is(edit_similarity("", ""), fixture["both_empty"]["edit_similarity"].as_f64().unwrap()));
    }
}
