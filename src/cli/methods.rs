//! `methods`: the register with settings, presets and sources.

use super::Ending;
use super::terminal::say;
use crate::continual::knobs::KnobKind;
use crate::continual::{MethodEntry, register};
use std::fmt::Write as _;

pub(super) fn methods() -> anyhow::Result<Ending> {
    let text: Vec<String> = register().iter().map(describe).collect();
    say(&(text.join("\n") + "\nSet one with --set METHOD.SETTING=VALUE, a preset with --set METHOD.preset=NAME.\n"))?;
    Ok(Ending::Done)
}

fn describe(entry: &MethodEntry) -> String {
    let mut text = format!("{}  {}\n  {}\n  source: {}\n", entry.name, entry.label, entry.about, entry.source);
    for knob in (entry.knobs)() {
        let _ = writeln!(text, "    {} = {} ({}): {}", knob.name, knob.default, kind(knob.kind), knob.about);
    }
    for (name, settings) in (entry.presets)() {
        let values: Vec<String> = settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let _ = writeln!(text, "    preset {name}: {}", values.join(" "));
    }
    text
}

fn kind(kind: KnobKind) -> String {
    match kind {
        KnobKind::Number { min, max } => format!("{min} to {max}"),
        KnobKind::Choice(words) => words.join(", "),
        KnobKind::Switch => "true, false".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_setting_and_preset_is_told() {
        for entry in register() {
            let text = describe(&entry);
            for knob in (entry.knobs)() {
                assert!(text.contains(&format!("    {} = {}", knob.name, knob.default)), "{}: {text}", entry.name);
            }
            for (preset, _) in (entry.presets)() {
                assert!(text.contains(&format!("preset {preset}:")), "{}: {text}", entry.name);
            }
        }
        assert_eq!(kind(KnobKind::Number { min: 0.0, max: 1.5 }), "0 to 1.5");
    }
}
