//! The bar at the bottom: device, model, memory, what is being done, how fast, how long still.

use super::commands::Effect;
use crate::engine::config::BUILTIN_MODEL;
use crate::engine::protocol::Command;
use crate::platform;
use crate::ui::action::Action;
use crate::ui::state::AppState;
use crate::ui::state::run::RunStatus;
use crate::ui::theme::Theme;
use crate::ui::words;
use egui::text::LayoutJob;
use egui::{
    Button, Frame, Label, Margin, Panel, ProgressBar, RichText, Role, Stroke, TextFormat, TextStyle, Ui, WidgetInfo,
};

/// Draws the bar; gives its height.
pub fn show(ui: &mut Ui, theme: &Theme, state: &AppState, effects: &mut Vec<Effect>) -> f32 {
    let frame = Frame::new().fill(theme.card()).inner_margin(Margin::symmetric(10, 4));
    let bar = Panel::bottom("status bar").frame(frame).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            device(ui, theme, state);
            model(ui, theme, state);
            if let Some(bytes) = state.engine.peak_memory_bytes {
                let about = "The most memory that the program has held at once.";
                fact(ui, theme, "Memory", &words::bytes(bytes)).on_hover_text(about);
            }
            phase(ui, theme, state);
            speed(ui, theme, state);
            capsules(ui, theme, state, effects);
            let storage = ui.add_enabled(state.engine.ready, Button::new("Storage").small());
            if storage.on_hover_text("What the program keeps, how large it is, and a way to delete it.").clicked() {
                effects.push(Effect::Storage);
            }
        });
    });
    bar.response.rect.height()
}

/// A muted name and a value, which stay together where the bar breaks into several lines.
fn fact(ui: &mut Ui, theme: &Theme, name: &str, value: &str) -> egui::Response {
    let font = TextStyle::Body.resolve(ui.style());
    let mut text = LayoutJob::default();
    text.append(name, 0.0, TextFormat::simple(font.clone(), theme.muted()));
    text.append(value, if name.is_empty() { 0.0 } else { Theme::GAP }, TextFormat::simple(font, theme.text()));
    let response = ui.add(Label::new(text).extend());
    ui.add_space(Theme::GROUP_GAP - Theme::GAP);
    response
}

fn device(ui: &mut Ui, theme: &Theme, state: &AppState) {
    let engine = &state.engine;
    if platform::lacks_webgpu() {
        let about = "This browser has no WebGPU, so everything is computed by the processor, on one thread. It works, and larger models take their time. A recent Chrome, Edge or Safari has WebGPU; on Linux it may have to be switched on.";
        badge(ui, theme, "CPU engine", about);
    }
    if engine.device.is_empty() {
        let about = "Chosen when a run begins. The form of the next run names a device, or \"auto\" for the fastest.";
        fact(ui, theme, "Device", &format!("{} (not chosen yet)", state.draft.config.device)).on_hover_text(about);
        return;
    }
    fact(ui, theme, "Device", &engine.device).on_hover_text(format!("Because {}.", engine.device_reason));
    if engine.device.to_lowercase().starts_with("cpu") && !platform::lacks_webgpu() {
        badge(ui, theme, "CPU", "No GPU is used. Everything works on the processor; larger models take their time.");
    }
}

fn badge(ui: &mut Ui, theme: &Theme, text: &str, about: &str) {
    let frame =
        Frame::new().stroke(Stroke::new(1.0, theme.warning())).corner_radius(4).inner_margin(Margin::symmetric(5, 0));
    let shown = frame.show(ui, |ui| ui.label(RichText::new(text).small().color(theme.warning()))).inner;
    shown.on_hover_text(about);
    ui.add_space(Theme::GROUP_GAP - Theme::GAP);
}

fn model(ui: &mut Ui, theme: &Theme, state: &AppState) {
    let model = state.active_run().map_or(&state.draft.config.model, |run| &run.experiment.model);
    let name = if model == BUILTIN_MODEL { "embedded" } else { words::file_name(model) };
    fact(ui, theme, "Model", name).on_hover_text(model);
}

fn phase(ui: &mut Ui, theme: &Theme, state: &AppState) {
    let engine = &state.engine;
    let paused = state.active_run().is_some_and(|run| run.status == RunStatus::Paused);
    let word = match (engine.ready, paused) {
        (false, _) => "starting the engine",
        (true, true) => "paused",
        (true, false) => engine.phase.as_str(),
    };
    let text = if engine.detail.is_empty() { word.to_string() } else { format!("{word}: {}", engine.detail) };
    let colour = match word {
        "idle" => theme.muted(),
        "paused" => theme.warning(),
        _ => theme.good(),
    };
    ui.add(Label::new(RichText::new(text).color(colour)).extend());
    let part = engine.progress.or_else(|| state.active_run().map(crate::ui::state::run::RunView::progress));
    if let Some(part) = part {
        let what = if engine.progress.is_some() { "of this evaluation" } else { "of the run's steps" };
        let percent = format!("{:.0} %", part * 100.0);
        let bar = ProgressBar::new(part as f32).desired_width(110.0).desired_height(10.0).fill(theme.accent());
        let ground = std::mem::replace(&mut ui.visuals_mut().extreme_bg_color, theme.line());
        let bar = ui.add(bar.corner_radius(3)).on_hover_text(format!("{percent} {what}"));
        bar.widget_info(|| WidgetInfo::labeled(Role::ProgressIndicator, true, format!("Progress {what}")));
        ui.visuals_mut().extreme_bg_color = ground;
        ui.label(percent);
    }
    ui.add_space(Theme::GROUP_GAP - Theme::GAP);
}

/// Capsules that are being packed or unpacked, with a way out where the engine can hear it.
fn capsules(ui: &mut Ui, theme: &Theme, state: &AppState, effects: &mut Vec<Effect>) {
    for (run, view) in &state.capsules {
        let (doing, cancel) =
            if view.packing { ("Packing", "Cancel packing") } else { ("Unpacking", "Cancel unpacking") };
        let part = view.done_bytes as f64 / view.total_bytes.max(1) as f64;
        let done = format!("{:.0} % of {}", part * 100.0, words::bytes(view.total_bytes));
        fact(ui, theme, &format!("{doing} a capsule"), &done);
        // In a browser the engine is deaf until it is done: it has no threads.
        if platform::can_block() && ui.small_button(cancel).clicked() {
            effects.push(Effect::Do(Action::Send(Box::new(Command::CancelCapsule { run: *run }))));
        }
    }
}

fn speed(ui: &mut Ui, theme: &Theme, state: &AppState) {
    let Some(run) = state.active_run() else { return };
    if run.steps_total > 0 {
        fact(ui, theme, "Step", &format!("{} of {}", run.steps_done, run.steps_total));
    }
    if let Some(step) = &run.last_step {
        if step.secs_per_step.is_finite() && step.secs_per_step > 0.0 {
            fact(ui, theme, "Speed", &format!("{} steps/s", words::short(1.0 / step.secs_per_step)));
        }
        let tokens = words::short(step.tokens_per_sec);
        if !tokens.is_empty() {
            fact(ui, theme, "", &format!("{tokens} tokens/s"));
        }
    }
    if let Some(left) = run.eta_secs.map(words::duration).filter(|left| !left.is_empty()) {
        fact(ui, theme, "Left", &left).on_hover_text("Estimated time until this run's last step.");
    }
}
