//! The fields of training, replay and scoring as rows; an experiment's preset as a whole.

use super::fields::{Field, GROUPS, Group, Kind};
use super::method_cards::card_of;
use crate::engine::config::ExperimentConfig;
use crate::ui::panel::Context;
use crate::ui::widgets::setting::{Change, Control, Entries, Setting};
use egui::{CollapsingHeader, ComboBox, RichText, Ui};

/// All groups of fields.
pub fn show(ui: &mut Ui, context: &mut Context<'_>, entries: &mut Entries) {
    // Made once a frame, not once a row.
    let defaults = ExperimentConfig::default();
    for group in &GROUPS {
        CollapsingHeader::new(RichText::new(group.title).strong())
            .id_salt(group.title)
            .default_open(group.open)
            .show_unindented(ui, |ui| {
                note(ui, context, group);
                for field in group.fields {
                    row(ui, context, entries, field, &defaults);
                }
            });
    }
}

/// A buffer's settings count for some methods only.
fn note(ui: &mut Ui, context: &Context<'_>, group: &Group) {
    let of_replay = group.fields.iter().any(|field| field.name.starts_with("replay."));
    let replays = context
        .state
        .draft
        .config
        .methods
        .iter()
        .any(|method| card_of(context, method).is_none_or(|card| card.replays));
    if of_replay && !replays {
        let text = "None of the chosen methods keeps a replay buffer, so these have no effect.";
        ui.label(RichText::new(text).color(context.theme.muted()));
    }
}

fn row(ui: &mut Ui, context: &mut Context<'_>, entries: &mut Entries, field: &Field, defaults: &ExperimentConfig) {
    let draft = &context.state.draft.config;
    let (value, default) = ((field.read)(draft), (field.read)(defaults));
    let words: Vec<String> = match field.kind {
        Kind::Words(words) => words.iter().map(ToString::to_string).collect(),
        Kind::Number(_) => Vec::new(),
    };
    let control = match field.kind {
        Kind::Number(numbers) => Control::Number(numbers),
        Kind::Words(_) => Control::Choice(&words),
    };
    let about = format!("{} In files: {}.", field.about, field.name);
    let setting = Setting {
        key: field.name,
        label: field.label,
        about: &about,
        unit: field.unit,
        control,
        value: &value,
        default: &default,
        changed: value != default,
    };
    match setting.show(ui, context.theme, entries) {
        Some(Change::Set(text)) => match written(field, draft, &text) {
            Ok(changed) => context.edit(&field.label.to_lowercase(), |draft| *draft = changed),
            Err(problem) => entries.refuse(field.name, problem),
        },
        Some(Change::Reset) => context.edit(&field.label.to_lowercase(), |draft| {
            // What was read from a default can be written.
            let _ = (field.write)(draft, &default);
        }),
        None => {}
    }
}

/// The draft with another value, unless a draft that could be run would then be refused.
fn written(field: &Field, draft: &ExperimentConfig, text: &str) -> Result<ExperimentConfig, String> {
    let mut changed = draft.clone();
    (field.write)(&mut changed, text)
        .ok_or_else(|| format!("\"{text}\" is no value for {}.", field.label.to_lowercase()))?;
    match changed.check() {
        Err(problem) if draft.check().is_ok() => Err(problem.to_string()),
        _ => Ok(changed),
    }
}

/// The list of experiments that the program brings along.
pub fn presets(ui: &mut Ui, context: &mut Context<'_>, problem: &mut Option<String>) {
    let state = context.state;
    let mut chosen = None;
    if state.catalogue.presets.is_empty() {
        return;
    }
    ui.horizontal(|ui| {
        let label = ui.label("Experiment preset");
        let combo = ComboBox::from_id_salt("experiment preset").selected_text("Load…").width(120.0).show_ui(ui, |ui| {
            for (name, text) in &state.catalogue.presets {
                if ui.selectable_label(false, name).clicked() {
                    chosen = Some((name, text));
                }
            }
        });
        combo.response.labelled_by(label.id).on_hover_text(
            "Replaces model, tasks, methods and all settings of the next run. Undo brings the present ones back.",
        );
    });
    if let Some((name, text)) = chosen {
        match ExperimentConfig::parse(text, &format!("preset {name}")) {
            Ok(preset) => {
                *problem = None;
                // Where runs are kept is a matter of this machine, not of the experiment.
                context.edit(&format!("preset {name}"), |draft| {
                    *draft = ExperimentConfig { output: draft.output.clone(), ..preset };
                });
            }
            Err(error) => *problem = Some(format!("The preset {name} cannot be read: {error}")),
        }
    }
    if let Some(problem) = problem {
        ui.label(RichText::new(problem.as_str()).color(context.theme.bad()));
    }
}
