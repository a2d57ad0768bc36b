//! What the draft would do otherwise than the run that is looked at.

use super::knobs;
use crate::engine::config::{ExperimentConfig, MethodConfig};
use crate::ui::state::AppState;
use crate::ui::state::run::RunView;

/// Settings that say nothing about how a run goes.
const OF_NO_ACCOUNT: [&str; 2] = ["title", "output"];

/// One difference: the setting, the run's value and the draft's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    pub name: String,
    pub run: String,
    pub draft: String,
}

/// The differences, kept until the draft or the run changes.
#[derive(Debug, Default)]
pub struct Differences {
    basis: Option<(usize, ExperimentConfig)>,
    list: Vec<Difference>,
}

impl Differences {
    /// Between this run's frozen configuration and the draft.
    pub fn of(&mut self, run: &RunView, state: &AppState) -> &[Difference] {
        let draft = &state.draft.config;
        if !self.basis.as_ref().is_some_and(|(number, before)| *number == run.number && before == draft) {
            self.basis = Some((run.number, draft.clone()));
            self.list = differences(&run.experiment, draft, state);
        }
        &self.list
    }
}

/// All settings with their values, by full name.
fn flat(config: &ExperimentConfig) -> Vec<(String, String)> {
    fn walk(prefix: &str, table: &toml::Table, into: &mut Vec<(String, String)>) {
        for (key, value) in table {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(table) => walk(&name, table, into),
                toml::Value::Array(items) if items.iter().all(toml::Value::is_str) => {
                    let words: Vec<String> = items.iter().map(knobs::typed).collect();
                    into.push((name, words.join(", ")));
                }
                other => into.push((name, knobs::typed(other))),
            }
        }
    }
    let mut list = Vec::new();
    // A seed that TOML cannot hold is refused where it is typed.
    if let Ok(table) = toml::Table::try_from(config) {
        walk("", &table, &mut list);
    }
    list
}

fn differences(run: &ExperimentConfig, draft: &ExperimentConfig, state: &AppState) -> Vec<Difference> {
    let mut list = of_methods(run, draft, state);
    let (run, draft) = (flat(run), flat(draft));
    let find = |list: &[(String, String)], name: &str| {
        list.iter().find(|(known, _)| known == name).map_or_else(|| "not set".to_string(), |(_, value)| value.clone())
    };
    let names = run.iter().chain(draft.iter().filter(|(name, _)| !run.iter().any(|(known, _)| known == name)));
    for (name, _) in names {
        let (before, now) = (find(&run, name), find(&draft, name));
        if before != now && name != "methods" && !OF_NO_ACCOUNT.contains(&name.as_str()) {
            list.push(Difference { name: name.clone(), run: before, draft: now });
        }
    }
    list
}

/// A run has one method, a draft may have several: compared is the one of the same name.
fn of_methods(run: &ExperimentConfig, draft: &ExperimentConfig, state: &AppState) -> Vec<Difference> {
    let Some(frozen) = run.methods.first() else { return Vec::new() };
    let label = |name: &str| state.catalogue.method(name).map_or_else(|| name.to_string(), |card| card.label.clone());
    if draft.methods.contains(frozen) {
        return Vec::new();
    }
    let Some(next) = draft.methods.iter().find(|method| method.name() == frozen.name()) else {
        let methods: Vec<String> = draft.methods.iter().map(|method| label(method.name())).collect();
        let difference = Difference { name: "method".into(), run: label(frozen.name()), draft: methods.join(", ") };
        return vec![difference];
    };
    let Some(card) = state.catalogue.method(frozen.name()) else {
        let text = |method: &MethodConfig| format!("{:?}", knobs::changed(method));
        return vec![Difference { name: frozen.name().into(), run: text(frozen), draft: text(next) }];
    };
    let values = card.knobs.iter().map(|knob| {
        let (before, now) = (knobs::value(card, frozen, knob), knobs::value(card, next, knob));
        Difference { name: format!("{} {}", card.label, knob.name), run: before, draft: now }
    });
    let same = |difference: &Difference| {
        difference.run == difference.draft
            || difference.run.parse::<f64>().is_ok_and(|number| difference.draft.parse() == Ok(number))
    };
    values.filter(|difference| !same(difference)).collect()
}

/// In one line: `training.learning_rate 0.003 becomes 0.001`.
#[must_use]
pub fn line(difference: &Difference) -> String {
    let Difference { name, run, draft } = difference;
    let short = |value: &str| {
        let cut: String = value.chars().take(60).collect();
        if cut.len() < value.len() { format!("{cut}…") } else { cut }
    };
    format!("{name}: {} becomes {}", short(run), short(draft))
}
