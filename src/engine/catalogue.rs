//! What the program brings along, as a front end is told it: methods with their settings, built-in tasks, presets.

use super::config::PRESETS;
use super::protocol::cards::{Catalogue, KnobCard, KnobShape, MethodCard};
use crate::continual::knobs::{Knob, KnobKind};
use crate::continual::{MethodEntry, register};
use crate::data::builtin;

/// The catalogue.
#[must_use]
pub fn catalogue() -> Catalogue {
    Catalogue {
        methods: register().iter().map(method).collect(),
        tasks: builtin::NAMES.iter().map(ToString::to_string).collect(),
        presets: PRESETS.iter().map(|(name, text)| ((*name).to_string(), (*text).to_string())).collect(),
        version: env!("CARGO_PKG_VERSION").to_string(),
    }
}

fn method(entry: &MethodEntry) -> MethodCard {
    let presets = (entry.presets)().into_iter().map(|(name, settings)| {
        let settings = settings.into_iter().map(|(key, value)| (key.to_string(), value.to_string())).collect();
        (name.to_string(), settings)
    });
    MethodCard {
        name: entry.name.into(),
        label: entry.label.into(),
        about: entry.about.into(),
        formula: entry.formula.into(),
        source: entry.source.into(),
        replays: entry.replays,
        knobs: (entry.knobs)().iter().map(knob).collect(),
        presets: presets.collect(),
    }
}

fn knob(knob: &Knob) -> KnobCard {
    let kind = match knob.kind {
        KnobKind::Number { min, max } => KnobShape::Number { min, max: max.is_finite().then_some(max) },
        KnobKind::Choice(words) => KnobShape::Choice(words.iter().map(ToString::to_string).collect()),
        KnobKind::Switch => KnobShape::Switch,
    };
    KnobCard { name: knob.name.into(), kind, default: knob.default.into(), about: knob.about.into() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::ExperimentConfig;

    #[test]
    fn the_catalogue_survives_json_and_its_presets_can_be_read() {
        let catalogue = catalogue();
        let json = serde_json::to_string(&catalogue).unwrap();
        assert_eq!(serde_json::from_str::<Catalogue>(&json).unwrap(), catalogue);
        for (name, text) in &catalogue.presets {
            assert!(ExperimentConfig::parse(text, name).is_ok(), "{name}");
        }
        assert!(catalogue.method("i_lora").is_some_and(|method| method.replays && !method.formula.is_empty()));
    }
}
