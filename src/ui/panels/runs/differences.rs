//! What was changed: the settings in which two runs differ, on flat keys such as `training.learning_rate`.

use crate::engine::config::{ExperimentConfig, MethodConfig, TaskConfig};
use crate::ui::state::run::RunView;
use serde_json::Value;

/// A setting's key, its value in the run that is compared with, and its value in the other.
pub type Difference = (String, String, String);

/// Written where one of the two does not have the setting.
const ABSENT: &str = "not set";

/// The settings of an experiment as flat keys and values as they would be typed, the weightiest first. Title and place of
/// the run's folder are left out: they change no result.
pub fn flatten(experiment: &ExperimentConfig) -> Vec<(String, String)> {
    let mut flat = Vec::new();
    for (index, method) in experiment.methods.iter().enumerate() {
        let key = if experiment.methods.len() == 1 { "method".to_string() } else { format!("method {}", index + 1) };
        flat.push((key.clone(), method.name().to_string()));
        if let MethodConfig::Settings(settings) = method {
            flat.extend(settings.preset.iter().map(|preset| (format!("{key}.preset"), preset.clone())));
            for (name, value) in &settings.settings {
                walk(&format!("{key}.{name}"), &serde_json::to_value(value).unwrap_or_default(), &mut flat);
            }
        }
    }
    flat.push(("seed".to_string(), experiment.seed.to_string()));
    let short = |source: &str| source.strip_prefix("builtin:").unwrap_or(source).to_string();
    let names = experiment.tasks.iter().map(|task| match task {
        TaskConfig::Source(source) => short(source),
        TaskConfig::Details(details) => short(&details.source),
    });
    flat.push(("tasks".to_string(), names.collect::<Vec<_>>().join(", ")));
    for task in &experiment.tasks {
        if let TaskConfig::Details(details) = task
            && let Ok(Value::Object(fields)) = serde_json::to_value(details)
        {
            for (name, value) in fields.iter().filter(|(name, _)| *name != "source") {
                walk(&format!("tasks.{}.{name}", short(&details.source)), value, &mut flat);
            }
        }
    }
    if let Ok(Value::Object(fields)) = serde_json::to_value(experiment) {
        let told = ["title", "output", "methods", "seed", "tasks"];
        for (name, value) in fields.iter().filter(|(name, _)| !told.contains(&name.as_str())) {
            walk(name, value, &mut flat);
        }
    }
    flat
}

fn walk(key: &str, value: &Value, flat: &mut Vec<(String, String)>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                walk(&format!("{key}.{name}"), value, flat);
            }
        }
        other => flat.push((key.to_string(), word(other))),
    }
}

/// A value as it would be typed.
fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(word).collect::<Vec<_>>().join(", "),
        Value::Number(number) => {
            let text = number.to_string();
            text.strip_suffix(".0").map_or(text.clone(), ToString::to_string)
        }
        Value::Null => ABSENT.to_string(),
        other => other.to_string(),
    }
}

/// The settings in which `new` differs from `old`.
#[must_use]
pub fn differences(old: &ExperimentConfig, new: &ExperimentConfig) -> Vec<Difference> {
    between(&flatten(old), &flatten(new))
}

fn between(old: &[(String, String)], new: &[(String, String)]) -> Vec<Difference> {
    let find = |list: &[(String, String)], key: &str| {
        list.iter().find(|(known, _)| known == key).map_or_else(|| ABSENT.to_string(), |(_, value)| value.clone())
    };
    let mut keys: Vec<&String> = new.iter().map(|(key, _)| key).collect();
    // what only the old one has goes behind its neighbour, so that a method's settings stay together
    for (index, (key, _)) in old.iter().enumerate() {
        if !keys.contains(&key) {
            let before = index.checked_sub(1).and_then(|before| old.get(before)).map(|(key, _)| key);
            let place = before.and_then(|before| keys.iter().position(|known| *known == before)).map_or(0, |at| at + 1);
            keys.insert(place, key);
        }
    }
    keys.into_iter()
        .map(|key| (key.clone(), find(old, key), find(new, key)))
        .filter(|(_, before, after)| before != after)
        .collect()
}

/// One difference in a few words, for a chip.
pub fn chip((key, _, new): &Difference) -> String {
    let name = key.rsplit('.').next().unwrap_or(key);
    if name == "tasks" {
        return "other tasks".to_string();
    }
    let value: String = new.chars().take(18).collect();
    format!("{name} {value}{}", if value.len() < new.len() { "…" } else { "" })
}

/// One difference in full.
pub fn sentence((key, old, new): &Difference) -> String {
    format!("{key}: {old} → {new}")
}

/// The differences of all runs from one of them, kept until a run comes, goes or is replaced.
#[derive(Default)]
pub struct Changes {
    known: Vec<Known>,
    reference: Option<usize>,
}

struct Known {
    number: usize,
    of: ExperimentConfig,
    flat: Vec<(String, String)>,
    differences: Vec<Difference>,
}

impl Changes {
    /// Brings everything up to date; without a reference the first run is it.
    pub fn update(&mut self, runs: &[RunView], reference: Option<usize>) {
        let reference = reference
            .filter(|number| runs.iter().any(|run| run.number == *number))
            .or_else(|| runs.first().map(|run| run.number));
        let same = self.reference == reference
            && self.known.len() == runs.len()
            && self.known.iter().zip(runs).all(|(known, run)| known.number == run.number && known.of == run.experiment);
        if same {
            return;
        }
        self.reference = reference;
        let flats: Vec<_> = runs.iter().map(|run| flatten(&run.experiment)).collect();
        let place = runs.iter().position(|run| Some(run.number) == reference);
        let first = place.and_then(|place| flats.get(place)).cloned().unwrap_or_default();
        self.known = runs
            .iter()
            .zip(flats)
            .map(|(run, flat)| Known {
                number: run.number,
                of: run.experiment.clone(),
                differences: between(&first, &flat),
                flat,
            })
            .collect();
    }

    /// The run that the others are compared with.
    pub fn reference(&self) -> Option<usize> {
        self.reference
    }

    /// In what this run differs from the reference.
    pub fn of(&self, number: usize) -> &[Difference] {
        self.known(number).map_or(&[], |known| &known.differences)
    }

    /// Whether two runs are the same experiment but for the seed.
    pub fn same_but_seed(&self, one: usize, other: usize) -> bool {
        let (Some(one), Some(other)) = (self.known(one), self.known(other)) else { return false };
        let no_seed = |entry: &&(String, String)| entry.0 != "seed";
        one.flat.iter().filter(no_seed).eq(other.flat.iter().filter(no_seed))
    }

    fn known(&self, number: usize) -> Option<&Known> {
        self.known.iter().find(|known| known.number == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::config::{MethodSettings, TaskDetails};
    use crate::ui::sample;

    fn told(old: &ExperimentConfig, new: &ExperimentConfig) -> Vec<String> {
        differences(old, new).iter().map(sentence).collect()
    }

    #[test]
    fn settings_that_differ_are_told_with_both_values() {
        let old = ExperimentConfig { methods: vec![MethodConfig::Name("seq".into())], ..ExperimentConfig::default() };
        let mut new = old.clone();
        assert!(told(&old, &new).is_empty());
        (new.title, new.output) = ("another name".into(), "elsewhere".into());
        assert!(told(&old, &new).is_empty(), "names are no settings");
        (new.seed, new.training.learning_rate, new.lora.lora_alpha) = (7, 0.000_1, 32.5);
        new.training.max_grad_norm = 2.0;
        assert_eq!(
            told(&old, &new),
            [
                "seed: 0 → 7",
                "lora.lora_alpha: 16 → 32.5",
                "training.learning_rate: 0.003 → 0.0001",
                "training.max_grad_norm: 1 → 2"
            ]
        );
    }

    #[test]
    fn a_method_by_name_is_one_without_settings() {
        let with = |settings: &[(&str, toml::Value)], preset: Option<&str>| ExperimentConfig {
            methods: vec![MethodConfig::Settings(MethodSettings {
                name: "i_lora".into(),
                preset: preset.map(ToString::to_string),
                settings: settings.iter().map(|(name, value)| ((*name).to_string(), value.clone())).collect(),
            })],
            ..ExperimentConfig::default()
        };
        let plain =
            ExperimentConfig { methods: vec![MethodConfig::Name("i_lora".into())], ..ExperimentConfig::default() };
        assert!(told(&plain, &with(&[], None)).is_empty());
        let typed = with(&[("gamma", toml::Value::Integer(2))], None);
        assert!(told(&typed, &with(&[("gamma", "2".into())], None)).is_empty(), "a word and a number mean the same");
        assert_eq!(told(&plain, &typed), ["method.gamma: not set → 2"]);
        let mut other = with(&[("gamma", 2.5.into())], Some("released_code"));
        other.seed = 3;
        assert_eq!(
            told(&typed, &other),
            ["method.preset: not set → released_code", "method.gamma: 2 → 2.5", "seed: 0 → 3"]
        );
        let seq = ExperimentConfig { methods: vec![MethodConfig::Name("seq".into())], ..ExperimentConfig::default() };
        assert_eq!(told(&typed, &seq), ["method: i_lora → seq", "method.gamma: 2 → not set"]);
    }

    #[test]
    fn tasks_are_one_list_and_their_details_settings() {
        let with = |tasks: Vec<TaskConfig>| ExperimentConfig { tasks, ..ExperimentConfig::default() };
        let source = |source: &str| TaskConfig::Source(source.into());
        let old = with(vec![source("builtin:law"), source("my.csv")]);
        let new = with(vec![source("my.csv"), source("builtin:law")]);
        assert_eq!(told(&old, &new), ["tasks: law, my.csv → my.csv, law"]);
        let details =
            TaskDetails { source: "my.csv".into(), template: Some("{text}".into()), ..TaskDetails::default() };
        let mapped = with(vec![source("builtin:law"), TaskConfig::Details(details)]);
        assert_eq!(told(&old, &mapped), ["tasks.my.csv.template: not set → {text}"]);
    }

    #[test]
    fn the_largest_seed_is_told() {
        let (old, new) =
            (ExperimentConfig::default(), ExperimentConfig { seed: u64::MAX, ..ExperimentConfig::default() });
        assert_eq!(told(&old, &new), ["seed: 0 → 18446744073709551615"]);
    }

    #[test]
    fn chips_are_short() {
        let chips: Vec<String> = [
            ("training.learning_rate", "0.003", "0.001"),
            ("tasks", "a", "b, c"),
            ("model", "builtin", "/a/very/long/path/to/a/model"),
        ]
        .map(|(key, old, new)| chip(&(key.into(), old.into(), new.into())))
        .into();
        assert_eq!(chips, ["learning_rate 0.001", "other tasks", "model /a/very/long/path/…"]);
    }

    #[test]
    fn changes_follow_the_reference() {
        let state = sample::state();
        let mut changes = Changes::default();
        changes.update(&state.runs, None);
        assert_eq!(changes.reference(), Some(0));
        assert!(changes.of(0).is_empty());
        assert_eq!(changes.of(1), [("method".to_string(), "seq".to_string(), "i_lora".to_string())]);
        changes.update(&state.runs, Some(1));
        assert_eq!(changes.of(0), [("method".to_string(), "i_lora".to_string(), "seq".to_string())]);
        changes.update(&state.runs, Some(99));
        assert_eq!(changes.reference(), Some(0), "one that is gone gives way to the first");
        assert!(!changes.same_but_seed(0, 1) && changes.same_but_seed(1, 1));
    }
}
