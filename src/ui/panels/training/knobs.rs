//! A method's settings in the draft: which value holds, how it is changed and taken back, and what a half-life means.

use crate::engine::config::{MethodConfig, MethodSettings};
use crate::engine::protocol::cards::{KnobCard, KnobShape, MethodCard};
use crate::ui::widgets::curves::reading;
use crate::ui::widgets::setting::{Numbers, spaced, titled};
use std::collections::BTreeMap;

/// A TOML value as it would be typed.
#[must_use]
pub fn typed(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The preset that a method of the draft starts from.
#[must_use]
pub fn preset(method: &MethodConfig) -> Option<&str> {
    match method {
        MethodConfig::Name(_) => None,
        MethodConfig::Settings(settings) => settings.preset.as_deref(),
    }
}

/// The settings that were changed by hand.
#[must_use]
pub fn changed(method: &MethodConfig) -> Option<&BTreeMap<String, toml::Value>> {
    match method {
        MethodConfig::Name(_) => None,
        MethodConfig::Settings(settings) => Some(&settings.settings),
    }
}

/// The value without changes by hand: the preset's, or the default.
#[must_use]
pub fn baseline<'a>(card: &'a MethodCard, preset: Option<&str>, knob: &'a KnobCard) -> &'a str {
    let of_preset = preset
        .and_then(|name| card.presets.iter().find(|(known, _)| known == name))
        .and_then(|(_, settings)| settings.iter().find(|(name, _)| *name == knob.name));
    of_preset.map_or(knob.default.as_str(), |(_, value)| value.as_str())
}

/// The value that holds, as it would be typed.
#[must_use]
pub fn value(card: &MethodCard, method: &MethodConfig, knob: &KnobCard) -> String {
    let by_hand = changed(method).and_then(|settings| settings.get(&knob.name));
    by_hand.map_or_else(|| baseline(card, preset(method), knob).to_string(), typed)
}

/// Whether two typed values mean the same.
fn means_the_same(shape: &KnobShape, a: &str, b: &str) -> bool {
    match shape {
        KnobShape::Number { .. } => a == b || a.parse::<f64>().is_ok_and(|a| b.parse() == Ok(a)),
        KnobShape::Choice(_) | KnobShape::Switch => a == b,
    }
}

/// The method with another value of a setting. What equals the preset or the default is not written down.
#[must_use]
pub fn with_value(card: &MethodCard, method: &MethodConfig, knob: &KnobCard, value: &str) -> MethodConfig {
    let mut settings = unfolded(method);
    if means_the_same(&knob.kind, value, baseline(card, preset(method), knob)) {
        settings.settings.remove(&knob.name);
    } else {
        let number = || value.parse::<f64>().ok().map(toml::Value::Float);
        let text = || toml::Value::String(value.to_string());
        let value = match knob.kind {
            KnobShape::Number { .. } => {
                value.parse().ok().map(toml::Value::Integer).or_else(number).unwrap_or_else(text)
            }
            KnobShape::Switch => value.parse().map_or_else(|_| text(), toml::Value::Boolean),
            KnobShape::Choice(_) => text(),
        };
        settings.settings.insert(knob.name.clone(), value);
    }
    folded(settings)
}

/// The method with a setting as its preset or default has it.
#[must_use]
pub fn without(method: &MethodConfig, name: &str) -> MethodConfig {
    let mut settings = unfolded(method);
    settings.settings.remove(name);
    folded(settings)
}

/// The method with another preset and no changes by hand, which would hide what the preset sets.
#[must_use]
pub fn with_preset(method: &MethodConfig, preset: Option<&str>) -> MethodConfig {
    let name = method.name().to_string();
    folded(MethodSettings { name, preset: preset.map(ToString::to_string), ..MethodSettings::default() })
}

fn unfolded(method: &MethodConfig) -> MethodSettings {
    match method {
        MethodConfig::Name(name) => MethodSettings { name: name.clone(), ..MethodSettings::default() },
        MethodConfig::Settings(settings) => settings.clone(),
    }
}

/// A name alone where there is nothing else to say.
fn folded(settings: MethodSettings) -> MethodConfig {
    if settings.preset.is_none() && settings.settings.is_empty() {
        MethodConfig::Name(settings.name)
    } else {
        MethodConfig::Settings(settings)
    }
}

/// The numbers that a setting takes.
#[must_use]
pub fn numbers(min: f64, max: Option<f64>) -> Numbers {
    Numbers { max: max.filter(|max| max.is_finite()), ..Numbers::from(min) }
}

/// A setting's name as a label and its unit, where the name ends in one.
#[must_use]
pub fn label(name: &str) -> (String, &'static str) {
    match name.strip_suffix("_steps") {
        Some("half_life") => ("Half-life".into(), "steps"),
        Some(rest) => (titled(rest), "steps"),
        None => (titled(name), ""),
    }
}

/// A preset's name for people.
#[must_use]
pub fn preset_title(preset: Option<&str>) -> String {
    preset.map_or_else(|| "Defaults".into(), spaced)
}

/// Steps after which half of the slow learner is new, as the method's settings say; `None` for a method without one.
/// Infinite where it never changes.
#[must_use]
pub fn half_life(card: &MethodCard, method: &MethodConfig) -> Option<f64> {
    let number = |name: &str| {
        let knob = card.knobs.iter().find(|knob| knob.name == name)?;
        value(card, method, knob).parse::<f64>().ok()
    };
    match (number("half_life_steps"), number("lambda")) {
        (Some(steps), _) if steps > 0.0 => Some(steps),
        (Some(_), Some(lambda)) => Some(half_life_of(lambda)),
        (Some(_), None) => Some(0.0),
        (None, _) => None,
    }
}

/// `lambda^half_life = 1/2`.
fn half_life_of(lambda: f64) -> f64 {
    if lambda >= 1.0 {
        f64::INFINITY
    } else if lambda > 0.0 {
        0.5_f64.ln() / lambda.ln()
    } else {
        0.0
    }
}

/// A half-life in steps and in tasks, such as `half-life 30 steps = 0.4 tasks`.
#[must_use]
pub fn half_life_text(steps: f64, task_steps: Option<f64>) -> String {
    if !steps.is_finite() {
        return "half-life without end: the slow learner never changes".into();
    }
    if steps <= 0.0 {
        return "half-life 0 steps: the slow learner is the fast one".into();
    }
    let plural = |number: f64| if number == 1.0 { "" } else { "s" };
    // Two digits say what there is to know.
    let short = |number: f64| {
        let digits = (1.0 - number.log10().floor()).clamp(0.0, 4.0) as usize;
        format!("{number:.digits$}").parse().map_or_else(|_| reading(number), |number: f64| reading(number))
    };
    let in_steps = if steps >= 10.0 { format!("{steps:.0}") } else { short(steps) };
    let first = format!("half-life {in_steps} step{}", plural(steps));
    match task_steps.filter(|steps| *steps > 0.0) {
        Some(task) => format!("{first} = {} task{}", short(steps / task), plural(steps / task)),
        None => first,
    }
}
