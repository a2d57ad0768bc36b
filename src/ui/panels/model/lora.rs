//! Settings of the adapter, by PEFT's names.

use super::parts::{note, notice};
use crate::model::lora::{LoraConfig, Projection};
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Button, DragValue, Grid, RichText, Role, Ui, WidgetInfo};

/// Largest rank that can be set here.
const MOST_RANK: usize = 512;

const ATTENTION: [Projection; 4] = [Projection::QProj, Projection::KProj, Projection::VProj, Projection::OProj];
const MLP: [Projection; 3] = [Projection::GateProj, Projection::UpProj, Projection::DownProj];

pub fn show(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = *context.theme;
    note(ui, theme, "The model stays as it is; a small product of two matrices is trained beside each chosen weight.");
    let now = context.state.draft.config.lora.clone();
    let mut lora = now.clone();
    let standard = LoraConfig::default();
    Grid::new("lora").num_columns(3).spacing([Theme::GROUP_GAP, Theme::GAP]).show(ui, |ui| {
        let label =
            ui.label("Rank (r)").on_hover_text("Columns of the two matrices: more can be learnt, and more is stored.");
        ui.add(DragValue::new(&mut lora.rank).range(1..=MOST_RANK).speed(0.1)).labelled_by(label.id);
        if reset(ui, "Rank (r)", lora.rank != standard.rank, &standard.rank.to_string()) {
            lora.rank = standard.rank;
        }
        ui.end_row();
        let label = ui.label("lora_alpha").on_hover_text("The product counts lora_alpha / r times.");
        let alpha = DragValue::new(&mut lora.lora_alpha).range(0.01..=4096.0).speed(0.25).max_decimals(3);
        ui.add(alpha).labelled_by(label.id);
        if reset(ui, "lora_alpha", lora.lora_alpha != standard.lora_alpha, &standard.lora_alpha.to_string()) {
            lora.lora_alpha = standard.lora_alpha;
        }
        ui.end_row();
        let label = ui
            .label("lora_dropout")
            .on_hover_text("Share of the adapter's input that is left out at random in training.");
        let dropout = DragValue::new(&mut lora.lora_dropout).range(0.0..=0.95).speed(0.005).max_decimals(3);
        ui.add(dropout).labelled_by(label.id);
        if reset(ui, "lora_dropout", lora.lora_dropout != standard.lora_dropout, &standard.lora_dropout.to_string()) {
            lora.lora_dropout = standard.lora_dropout;
        }
        ui.end_row();
    });
    note(ui, theme, format!("Scale lora_alpha / r = {}", short(lora.lora_alpha / lora.rank.max(1) as f64)));
    if let Some(Ok(card)) = &context.state.model
        && card.hidden_size > 0
        && lora.rank as u64 * 2 >= card.hidden_size
    {
        let text = format!(
            "From r = {} on, the adapter of q_proj holds as many numbers as the weight itself.",
            card.hidden_size.div_ceil(2)
        );
        notice(ui, theme.warning(), &text);
    }
    modules(ui, theme, &mut lora);
    // numbers are dragged, and one drag is undone as one; of the modules each choice is
    let names = lora.target_modules.iter().map(|module| module.name().trim_end_matches("_proj"));
    let modules_edit = format!("target_modules {}", names.collect::<Vec<_>>().join(" "));
    for (what, changed) in [
        ("rank", lora.rank != now.rank),
        ("lora_alpha", lora.lora_alpha != now.lora_alpha),
        ("lora_dropout", lora.lora_dropout != now.lora_dropout),
        (modules_edit.as_str(), lora.target_modules != now.target_modules),
    ] {
        // one control changes at a time, so the whole is that one change
        if changed {
            context.edit(what, |draft| draft.lora = lora.clone());
        }
    }
}

/// Which weights get an adapter.
fn modules(ui: &mut Ui, theme: Theme, lora: &mut LoraConfig) {
    ui.add_space(Theme::GAP);
    ui.horizontal_wrapped(|ui| {
        ui.label("target_modules").on_hover_text("The weights of each layer that get an adapter.");
        for (name, preset, about) in [
            ("q and v", [Projection::QProj, Projection::VProj].as_slice(), "As in the papers; the smallest."),
            ("Attention", ATTENTION.as_slice(), "All four weights of the attention."),
            ("All linear", Projection::ALL.as_slice(), "All seven weights of each layer."),
        ] {
            let chosen = same(&lora.target_modules, preset);
            if ui.add(Button::selectable(chosen, name)).on_hover_text(about).clicked() && !chosen {
                lora.target_modules = preset.to_vec();
            }
        }
    });
    Grid::new("modules").num_columns(2).spacing([Theme::GROUP_GAP, Theme::GAP]).show(ui, |ui| {
        for (part, projections) in [("Attention", ATTENTION.as_slice()), ("MLP", MLP.as_slice())] {
            ui.label(RichText::new(part).color(theme.muted()));
            ui.horizontal_wrapped(|ui| {
                for projection in projections {
                    let mut on = lora.target_modules.contains(projection);
                    if ui.checkbox(&mut on, projection.name()).changed() {
                        // in the order of the block, so that one choice is always written in one way
                        let wanted = |other: &Projection| {
                            if other == projection { on } else { lora.target_modules.contains(other) }
                        };
                        let chosen: Vec<Projection> = Projection::ALL.into_iter().filter(wanted).collect();
                        lora.target_modules = chosen;
                    }
                }
            });
            ui.end_row();
        }
    });
    if lora.target_modules.is_empty() {
        notice(ui, theme.bad(), "Nothing would be trained: tick at least one weight.");
    }
}

/// The same set, in any order.
fn same(a: &[Projection], b: &[Projection]) -> bool {
    Projection::ALL.iter().all(|projection| a.contains(projection) == b.contains(projection))
}

/// A button that shows only where a setting differs from the usual.
fn reset(ui: &mut Ui, name: &str, differs: bool, usual: &str) -> bool {
    if !differs {
        ui.label("");
        return false;
    }
    let response = ui.small_button("Reset").on_hover_text(format!("Back to {usual}"));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Reset {name}")));
    response.clicked()
}

/// At most three digits after the point, without zeros at the end.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}
