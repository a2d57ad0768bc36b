//! The methods of the draft, one card each: what it does, its formula, its preset and its settings.

use super::knobs;
use crate::engine::config::MethodConfig;
use crate::engine::protocol::cards::{KnobCard, KnobShape, MethodCard};
use crate::ui::panel::Context;
use crate::ui::state::{AppState, task_id};
use crate::ui::theme::Theme;
use crate::ui::widgets::setting::{Change, Control, Entries, Setting};
use egui::{Align, Button, CollapsingHeader, ComboBox, Frame, Label, Layout, RichText, Ui};

/// What is known of a method of the draft.
#[must_use]
pub fn card_of<'a>(context: &Context<'a>, method: &MethodConfig) -> Option<&'a MethodCard> {
    context.state.catalogue.method(method.name())
}

/// Steps that a task of the draft takes: as many as set, or the mean over the tasks whose examples are known.
#[must_use]
#[allow(clippy::cast_precision_loss)] // counts of examples
pub fn task_steps(state: &AppState) -> Option<f64> {
    let draft = &state.draft.config;
    let training = &draft.training;
    if training.steps_per_task > 0 {
        return Some(training.steps_per_task as f64);
    }
    let steps = |examples: usize| {
        let batches = examples.div_ceil(training.batch_size.max(1)) as f64;
        (batches * training.epochs / training.gradient_accumulation.max(1) as f64).ceil().max(1.0)
    };
    let known: Option<Vec<f64>> = draft
        .tasks
        .iter()
        .map(|task| Some(steps(state.tasks.get(&task_id(task, draft))?.as_ref().ok()?.train)))
        .collect();
    let known = known.filter(|known| !known.is_empty())?;
    Some(known.iter().sum::<f64>() / known.len() as f64)
}

/// All methods of the draft and a list to add from.
pub fn show(ui: &mut Ui, context: &mut Context<'_>, entries: &mut Entries) {
    let methods = &context.state.draft.config.methods;
    let steps = task_steps(context.state);
    for (index, method) in methods.iter().enumerate() {
        ui.push_id(("method", index), |ui| {
            context.theme.card_frame().show(ui, |ui| {
                ui.set_width(ui.available_width());
                match card_of(context, method) {
                    Some(card) => {
                        header(ui, context, index, &card.label);
                        about(ui, context.theme, card);
                        settings(ui, context, entries, index, method, card);
                        if let Some(half_life) = knobs::half_life(card, method) {
                            let text = knobs::half_life_text(half_life, steps);
                            ui.label(RichText::new(text).color(context.theme.accent()));
                        }
                    }
                    None => {
                        header(ui, context, index, method.name());
                        let text = if context.state.catalogue.methods.is_empty() {
                            "What this method is will be shown as soon as the engine is there.".to_string()
                        } else {
                            format!(
                                "There is no method \"{}\". Remove it, or add one of the list below.",
                                method.name()
                            )
                        };
                        ui.label(RichText::new(text).color(context.theme.warning()));
                    }
                }
            });
        });
    }
    add(ui, context);
}

fn header(ui: &mut Ui, context: &mut Context<'_>, index: usize, label: &str) {
    let only = context.state.draft.config.methods.len() == 1;
    ui.horizontal(|ui| {
        ui.label(RichText::new(format!("{}.", index + 1)).color(context.theme.muted()));
        ui.add(Label::new(RichText::new(label).strong()).truncate());
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let button = ui.add_enabled(!only, Button::new(RichText::new("Remove").small()).small());
            let clicked = button.clicked();
            button
                .on_hover_text("Takes this method out of the next run.")
                .on_disabled_hover_text("This is the only method; add another before you remove it.")
                .accessible_name(format!("Remove {label}, method {}", index + 1));
            if clicked {
                context.edit("methods", |draft| {
                    if index < draft.methods.len() {
                        draft.methods.remove(index);
                    }
                });
            }
        });
    });
}

/// What the method does, and on demand its formula and source.
fn about(ui: &mut Ui, theme: &Theme, card: &MethodCard) {
    ui.label(RichText::new(&card.about).color(theme.muted()));
    if card.formula.is_empty() && card.source.is_empty() {
        return;
    }
    CollapsingHeader::new(format!("Formula of {}", card.label)).id_salt("formula").show_unindented(ui, |ui| {
        if !card.formula.is_empty() {
            Frame::new().fill(theme.ground()).corner_radius(Theme::ROUNDING).inner_margin(Theme::GAP).show(ui, |ui| {
                ui.set_width(ui.available_width());
                ui.add(Label::new(RichText::new(&card.formula).monospace()).wrap());
            });
        }
        if !card.source.is_empty() {
            ui.label(RichText::new(format!("Source: {}", card.source)).color(theme.muted()).small());
        }
    });
}

fn settings(
    ui: &mut Ui,
    context: &mut Context<'_>,
    entries: &mut Entries,
    index: usize,
    method: &MethodConfig,
    card: &MethodCard,
) {
    if !card.presets.is_empty() {
        preset(ui, context, index, method, card);
    }
    if card.knobs.is_empty() {
        return;
    }
    let changed = knobs::changed(method).map_or(0, std::collections::BTreeMap::len);
    let title = if changed == 0 { "Settings".to_string() } else { format!("Settings ({changed} changed)") };
    CollapsingHeader::new(title).id_salt("settings").default_open(true).show_unindented(ui, |ui| {
        for knob in &card.knobs {
            row(ui, context, entries, index, (method, card, knob));
        }
    });
}

fn preset(ui: &mut Ui, context: &mut Context<'_>, index: usize, method: &MethodConfig, card: &MethodCard) {
    let present = knobs::preset(method);
    let mut chosen = None;
    ui.horizontal(|ui| {
        let label = ui.label("Preset");
        let combo = ComboBox::from_id_salt("preset").selected_text(knobs::preset_title(present)).width(120.0);
        let names = std::iter::once(None).chain(card.presets.iter().map(|(name, _)| Some(name.as_str())));
        let combo = combo.show_ui(ui, |ui| {
            for name in names {
                if ui.selectable_label(name == present, knobs::preset_title(name)).clicked() {
                    chosen = Some(name);
                }
            }
        });
        combo
            .response
            .labelled_by(label.id)
            .on_hover_text("Settings from a publication. Changes made by hand are dropped.");
    });
    if let Some(name) = chosen {
        replace(context, index, "preset", knobs::with_preset(method, name));
    }
}

fn row(
    ui: &mut Ui,
    context: &mut Context<'_>,
    entries: &mut Entries,
    index: usize,
    (method, card, knob): (&MethodConfig, &MethodCard, &KnobCard),
) {
    let key = format!("{index} {} {}", card.name, knob.name);
    let (label, unit) = knobs::label(&knob.name);
    let control = match &knob.kind {
        KnobShape::Number { min, max } => Control::Number(knobs::numbers(*min, *max)),
        KnobShape::Choice(words) => Control::Choice(words),
        KnobShape::Switch => Control::Switch,
    };
    let about = format!("{} In files: {}.", knob.about, knob.name);
    let setting = Setting {
        key: &key,
        label: &label,
        about: &about,
        unit,
        control,
        value: &knobs::value(card, method, knob),
        default: knobs::baseline(card, knobs::preset(method), knob),
        changed: knobs::changed(method).is_some_and(|changed| changed.contains_key(&knob.name)),
    };
    let what = format!("{} of {}", knob.name, card.label);
    match setting.show(ui, context.theme, entries) {
        Some(Change::Set(value)) => replace(context, index, &what, knobs::with_value(card, method, knob, &value)),
        Some(Change::Reset) => replace(context, index, &what, knobs::without(method, &knob.name)),
        None => {}
    }
}

fn replace(context: &mut Context<'_>, index: usize, what: &str, method: MethodConfig) {
    context.edit(what, |draft| {
        if let Some(place) = draft.methods.get_mut(index) {
            *place = method;
        }
    });
}

/// The list of all methods; each is queued after the ones before.
fn add(ui: &mut Ui, context: &mut Context<'_>) {
    let state = context.state;
    if state.catalogue.methods.is_empty() {
        return;
    }
    let mut chosen = None;
    let width = ui.available_width().clamp(220.0, 420.0);
    ui.menu_button("Add method", |ui| {
        egui::ScrollArea::vertical().max_height(360.0).show(ui, |ui| {
            ui.set_width(width - 24.0);
            for card in &state.catalogue.methods {
                if ui.button(RichText::new(&card.label).strong()).clicked() {
                    chosen = Some(card.name.clone());
                    ui.close();
                }
                let buffer = if card.replays { " Keeps a replay buffer." } else { "" };
                let about = RichText::new(format!("{}{buffer}", card.about)).color(context.theme.muted()).small();
                // A menu would spread the words over the line.
                ui.with_layout(Layout::top_down(Align::Min), |ui| ui.label(about));
            }
        });
    })
    .response
    .on_hover_text("Each method is a run of its own; they run one after the other, with the same seed and tasks.");
    if let Some(name) = chosen {
        context.edit("methods", |draft| draft.methods.push(MethodConfig::Name(name)));
    }
}
