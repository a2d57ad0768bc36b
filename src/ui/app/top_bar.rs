//! The bar on top: run, pause, step, stop, undo, redo, panels, theme, text size, help.

use super::commands::{Effect, Progress, progress};
use super::docking::Docking;
use super::icons::{Icon, icon};
use crate::engine::protocol::{Command, Steer};
use crate::ui::action::Action;
use crate::ui::panel::PanelKind;
use crate::ui::state::AppState;
use crate::ui::theme::Theme;
use egui::{Button, Frame, Margin, Panel, RichText, Ui};

/// Text sizes of the menu, in percent.
const SIZES: [u16; 8] = [75, 90, 100, 110, 125, 150, 175, 200];

/// Draws the bar; what was asked goes into `effects`.
pub fn show(ui: &mut Ui, theme: &Theme, state: &AppState, docking: &Docking, effects: &mut Vec<Effect>) {
    let frame = Frame::new().fill(theme.card()).inner_margin(Margin::symmetric(10, 6));
    Panel::top("top bar").frame(frame).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Thalweg").heading().strong());
            ui.add_space(Theme::GAP);
            steering(ui, theme, state, effects);
            ui.add_space(Theme::GAP);
            history(ui, state, effects);
            ui.add_space(Theme::GAP);
            panels_menu(ui, docking, effects);
            looks(ui, theme, effects);
        });
    });
}

fn steering(ui: &mut Ui, theme: &Theme, state: &AppState, effects: &mut Vec<Effect>) {
    let progress = progress(state);
    let ready = state.engine.ready;
    let (sign, title, about) = match progress {
        Progress::Idle => (Icon::Play, "Run", "Queue the methods of the form and train (Space)"),
        Progress::Waiting => (Icon::Play, "Starting", "The run is being prepared"),
        Progress::Running => (Icon::Pause, "Pause", "Wait after the present step (Space)"),
        Progress::Paused => (Icon::Play, "Go on", "Go on with the run (Space)"),
    };
    let run = if ready && progress != Progress::Waiting {
        ui.add(run_coloured(theme, sign, title))
    } else {
        ui.add_enabled(false, Button::new((icon(sign), title)))
    };
    let waits = if ready { about } else { "The engine is starting" };
    if run.on_hover_text(waits).on_disabled_hover_text(waits).clicked() {
        effects.push(Effect::RunOrPause);
    }
    let active = matches!(progress, Progress::Running | Progress::Paused);
    let step = ui.add_enabled(active, Button::new((icon(Icon::Step), "Step")));
    if step.on_hover_text("One optimiser step, then wait (S)").clicked() {
        effects.push(Effect::Do(Action::Send(Box::new(Command::Steer { steer: Steer::SingleStep }))));
    }
    let stop = ui.add_enabled(progress != Progress::Idle, Button::new((icon(Icon::Stop), "Stop")));
    let about = "Stop after the present step and write a checkpoint; the queue goes on (X)";
    if stop.on_hover_text(about).clicked() {
        effects.push(Effect::Stop);
    }
}

/// The main button, filled so that it is found first.
fn run_coloured(theme: &Theme, sign: Icon, title: &'static str) -> Button<'static> {
    let ground = theme.accent();
    let text = RichText::new(title).color(Theme::on(ground)).strong();
    let sign = egui::Atom::paint(egui::Vec2::splat(10.0), move |ui, mut arguments| {
        arguments.fallback_text_color = Theme::on(ground);
        super::icons::paint(sign, ui, &arguments);
    });
    Button::new((sign, text)).fill(ground)
}

fn history(ui: &mut Ui, state: &AppState, effects: &mut Vec<Effect>) {
    let mut button = |title: &str, what: Option<&str>, keys: &str, action: Action| {
        let about = what.map_or_else(
            || format!("{title} a change of the settings ({keys})"),
            |what| format!("{title}: {what} ({keys})"),
        );
        if ui.add_enabled(what.is_some(), Button::new(title)).on_hover_text(about).clicked() {
            effects.push(Effect::Do(action));
        }
    };
    button("Undo", state.draft.undoable(), "Ctrl+Z", Action::Undo);
    button("Redo", state.draft.redoable(), "Ctrl+Shift+Z", Action::Redo);
}

fn panels_menu(ui: &mut Ui, docking: &Docking, effects: &mut Vec<Effect>) {
    let visible = docking.visible();
    ui.menu_button("Panels", |ui| {
        for (place, kind) in PanelKind::ALL.into_iter().enumerate() {
            let mut shown = visible.contains(&kind);
            let tip = format!("In front when it is ticked (key {})", (place + 1) % 10);
            if ui.checkbox(&mut shown, kind.title()).on_hover_text(tip).clicked() {
                effects.push(if shown { Effect::Do(Action::Show(kind)) } else { Effect::ClosePanel(kind) });
                ui.close();
            }
        }
        ui.separator();
        if ui.button("Reset layout").clicked() {
            effects.push(Effect::ResetLayout);
            ui.close();
        }
        if ui.button("Show the welcome card").clicked() {
            effects.push(Effect::Welcome(true));
            ui.close();
        }
    });
}

fn looks(ui: &mut Ui, theme: &Theme, effects: &mut Vec<Effect>) {
    let other = if theme.dark { "Light theme" } else { "Dark theme" };
    if ui.button(other).on_hover_text("Switch between light and dark (Ctrl+L)").clicked() {
        effects.push(Effect::ToggleTheme);
    }
    let percent = (theme.text_scale * 100.0).round() as u16;
    ui.menu_button(format!("Text {percent} %"), |ui| {
        for size in SIZES {
            if ui.selectable_label(size == percent, format!("{size} %")).clicked() {
                effects.push(Effect::TextSize(f32::from(size) / 100.0));
                ui.close();
            }
        }
    })
    .response
    .on_hover_text("Text size, 75 % to 200 % (Ctrl+Plus, Ctrl+Minus)");
    if ui.button("Commands").on_hover_text("Everything that can be done, by name (Ctrl+P)").clicked() {
        effects.push(Effect::Palette);
    }
    if ui.button("Help").on_hover_text("Keyboard shortcuts (F1)").clicked() {
        effects.push(Effect::Sheet);
    }
}
