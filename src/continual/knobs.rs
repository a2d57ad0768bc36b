//! Settings of a method, declared once: name, kind, default, range and one sentence. The command line, the panels and the
//! README's table all read these declarations.

use std::collections::BTreeMap;
use thiserror::Error;

/// What a setting may be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum KnobKind {
    /// A number in a closed range.
    Number { min: f64, max: f64 },
    /// One of several words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
}

/// One setting of a method.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knob {
    pub name: &'static str,
    pub kind: KnobKind,
    /// Default, as it would be typed.
    pub default: &'static str,
    /// One sentence.
    pub about: &'static str,
}

/// Checked values of a method's settings.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Knobs {
    values: BTreeMap<&'static str, String>,
}

/// A setting that cannot be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum KnobError {
    #[error("there is no method `{name}`{}; the methods are: {known}", did_you_mean(suggestion.as_deref()))]
    UnknownMethod { name: String, known: String, suggestion: Option<String> },
    #[error("method `{method}` has no setting `{name}`{}; it has: {known}", did_you_mean(suggestion.as_deref()))]
    UnknownKnob { method: String, name: String, known: String, suggestion: Option<String> },
    #[error("method `{method}` has no preset `{name}`; it has: {known}")]
    UnknownPreset { method: String, name: String, known: String },
    #[error("setting `{name}` is `{value}`: {expected}")]
    BadValue { name: String, value: String, expected: String },
}

fn did_you_mean(suggestion: Option<&str>) -> String {
    suggestion.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

/// The known name nearest to a mistyped one, if any is near.
#[must_use]
pub fn nearest(name: &str, known: &[&str]) -> Option<String> {
    known
        .iter()
        // clap's own measure for suggestions
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), *candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= candidate.len().max(name.len()).div_ceil(3).max(1))
        .map(|(_, candidate)| candidate.to_string())
}

impl Knobs {
    /// Checks the given values against a method's declarations; what is not given keeps its default.
    ///
    /// # Errors
    /// An unknown preset or setting, or a value outside its range.
    pub fn parse(
        entry: &super::MethodEntry,
        preset: Option<&str>,
        given: &BTreeMap<String, String>,
    ) -> Result<Self, KnobError> {
        let knobs = (entry.knobs)();
        let names: Vec<&str> = knobs.iter().map(|knob| knob.name).collect();
        let mut values: BTreeMap<&'static str, String> =
            knobs.iter().map(|knob| (knob.name, knob.default.to_string())).collect();
        let mut set = |name: &str, value: &str| -> Result<(), KnobError> {
            let knob = knobs.iter().find(|knob| knob.name == name).ok_or_else(|| KnobError::UnknownKnob {
                method: entry.name.into(),
                name: name.into(),
                known: if names.is_empty() { "none".into() } else { names.join(", ") },
                suggestion: nearest(name, &names),
            })?;
            check(knob, value)?;
            values.insert(knob.name, value.to_string());
            Ok(())
        };
        if let Some(preset) = preset {
            let presets = (entry.presets)();
            let known = presets.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
            let (_, settings) = presets
                .into_iter()
                .find(|(name, _)| *name == preset)
                .ok_or_else(|| KnobError::UnknownPreset { method: entry.name.into(), name: preset.into(), known })?;
            for (name, value) in settings {
                set(name, value)?;
            }
        }
        for (name, value) in given {
            set(name, value)?;
        }
        Ok(Self { values })
    }

    /// All values as typed, for reports and frozen configurations.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.values.iter().map(|(name, value)| (*name, value.as_str()))
    }

    /// A number; declared as one and checked when parsed.
    #[must_use]
    pub fn number(&self, name: &str) -> f64 {
        self.values.get(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }

    /// A number that counts something: the whole part of one in range.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // declared with a range from 0 on
    pub fn count(&self, name: &str) -> usize {
        self.number(name).max(0.0) as usize
    }

    /// A switch.
    #[must_use]
    pub fn switch(&self, name: &str) -> bool {
        self.values.get(name).is_some_and(|value| value == "true")
    }

    /// A word.
    #[must_use]
    pub fn word(&self, name: &str) -> &str {
        self.values.get(name).map_or("", String::as_str)
    }
}

fn check(knob: &Knob, value: &str) -> Result<(), KnobError> {
    let expected = match knob.kind {
        KnobKind::Number { min, max } => match value.parse::<f64>() {
            Ok(number) if (min..=max).contains(&number) => return Ok(()),
            _ => format!("it must be a number from {min} to {max}"),
        },
        KnobKind::Choice(words) if words.contains(&value) => return Ok(()),
        KnobKind::Choice(words) => format!("it must be one of {}", words.join(", ")),
        KnobKind::Switch if value == "true" || value == "false" => return Ok(()),
        KnobKind::Switch => "it must be true or false".to_string(),
    };
    Err(KnobError::BadValue { name: knob.name.into(), value: value.into(), expected })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::continual::find;

    #[test]
    fn a_mistyped_setting_is_refused_with_the_right_name() {
        let entry = find("i_lora").unwrap();
        let given = BTreeMap::from([("gama".to_string(), "1".to_string())]);
        let message = Knobs::parse(&entry, None, &given).unwrap_err().to_string();
        assert!(message.contains("did you mean `gamma`"), "{message}");
        let message = find("ilora").map(|_| ()).unwrap_err().to_string();
        assert!(message.contains("did you mean `i_lora`"), "{message}");
    }

    #[test]
    fn values_out_of_range_are_refused_and_presets_apply_before_given_values() {
        let entry = find("i_lora").unwrap();
        let given = BTreeMap::from([("gamma".to_string(), "-3".to_string())]);
        assert!(matches!(Knobs::parse(&entry, None, &given), Err(KnobError::BadValue { .. })));
        let given = BTreeMap::from([("gamma".to_string(), "0.5".to_string())]);
        let knobs = Knobs::parse(&entry, Some("released_code"), &given).unwrap();
        assert_eq!((knobs.number("gamma"), knobs.number("lambda")), (0.5, 0.25));
    }
}
