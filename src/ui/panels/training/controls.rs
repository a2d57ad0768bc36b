//! Starting, pausing, stepping, stopping and resuming, and how far the run is.

use super::knobs;
use super::offers::{self, Offer};
use crate::engine::report::StepReport;
use crate::ui::action::Action;
use crate::ui::panel::{Context, PanelKind};
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::theme::Theme;
use crate::ui::widgets::curves::{grouped, reading};
use egui::{Button, Label, ProgressBar, RichText, Ui};

/// The row of buttons and what stands under it. `true` when the settings are to be hidden or shown.
pub fn show(ui: &mut Ui, context: &mut Context<'_>, checked: &Result<(), String>, settings_shown: bool) -> bool {
    let toggled = buttons(ui, context, checked, settings_shown);
    standing(ui, context);
    toggled
}

/// How far the run in progress is, and what became of the selected one.
fn standing(ui: &mut Ui, context: &mut Context<'_>) {
    let state = context.state;
    if let Some(run) = state.active_run() {
        progress(ui, context, run);
    }
    let Some(run) = state.selected_run() else { return };
    match &run.status {
        RunStatus::Failed(message) => failed(ui, context, run, message),
        RunStatus::Queued => {
            let before =
                state.runs.iter().filter(|other| other.status.is_active() || other.status == RunStatus::Queued);
            let before = before.take_while(|other| other.number != run.number).count();
            let text = match before {
                0 => format!("{} begins next.", run.title),
                1 => format!("{} waits for the run before it.", run.title),
                _ => format!("{} waits for {before} runs before it.", run.title),
            };
            ui.label(RichText::new(text).color(context.theme.muted()));
        }
        RunStatus::Stopped | RunStatus::Finished => {
            let text = format!("{}: {} after {}", run.title, run.status.word(), steps(run));
            ui.label(RichText::new(text).color(context.theme.muted()));
        }
        RunStatus::Running | RunStatus::Paused => {}
    }
}

fn buttons(ui: &mut Ui, context: &mut Context<'_>, checked: &Result<(), String>, settings_shown: bool) -> bool {
    let mut toggled = false;
    let state = context.state;
    let paused = state.active_run().is_some_and(|run| run.status == RunStatus::Paused);
    let waiting = state.runs.iter().any(|run| run.status.is_active() || run.status == RunStatus::Queued);
    let count = state.draft.config.methods.len();
    let runs = if count == 1 { "one run".to_string() } else { format!("{count} runs, one for each method") };
    let (start, start_text) = if waiting {
        ("Add to queue", format!("Queues {runs} with the settings as they are now."))
    } else {
        ("Start", format!("Starts {runs} with the settings as they are now."))
    };
    let (pause, pause_text) = if paused {
        ("Resume", "Goes on with the paused run.")
    } else {
        ("Pause", "Waits after the present step; nothing is lost.")
    };
    ui.horizontal_wrapped(|ui| {
        let fill = Some(ui.visuals().selection.bg_fill);
        offer(ui, context, start, &start_text, fill, offers::start(state, checked));
        offer(ui, context, pause, pause_text, None, offers::pause(state));
        offer(ui, context, "Single step", "Makes one step, then waits.", None, offers::single_step(state));
        let text = "Ends the run after the present step. What was learnt and measured is kept, and it can be resumed.";
        offer(ui, context, "Stop and keep", text, None, offers::stop(state));
        let text = "Goes on with the selected run from its last checkpoint.";
        offer(ui, context, "Resume run", text, None, offers::resume_run(state));
        let text = if settings_shown { "Hide settings" } else { "Show settings" };
        toggled = ui.button(text).on_hover_text("Methods and settings of the next run.").clicked();
    });
    if let Err(problem) = checked {
        ui.label(RichText::new(format!("To be mended before a start: {problem}")).color(context.theme.warning()));
    }
    toggled
}

fn offer(ui: &mut Ui, context: &mut Context<'_>, label: &str, text: &str, fill: Option<egui::Color32>, offer: Offer) {
    let mut button = Button::new(label);
    if let Some(fill) = fill.filter(|_| offer.is_ok()) {
        button = button.fill(fill);
    }
    let response = ui.add_enabled(offer.is_ok(), button);
    let clicked = response.clicked();
    match offer {
        Ok(action) => {
            response.on_hover_text(text);
            if clicked {
                context.actions.push(action);
            }
        }
        Err(reason) => {
            response.on_disabled_hover_text(reason);
        }
    }
}

fn steps(run: &RunView) -> String {
    format!("step {} of {}", grouped(run.steps_done as f64), grouped(run.steps_total as f64))
}

fn progress(ui: &mut Ui, context: &Context<'_>, run: &RunView) {
    let (engine, theme) = (&context.state.engine, context.theme);
    let phase = match (&run.status, engine.detail.is_empty()) {
        (RunStatus::Paused, _) => "paused".to_string(),
        (_, true) => engine.phase.clone(),
        (_, false) => format!("{}: {}", engine.phase, engine.detail),
    };
    ui.add(Label::new(RichText::new(format!("{}, {phase}", run.title)).strong()).truncate());
    ui.add(ProgressBar::new(run.progress() as f32).text(steps(run)));
    if let Some(share) = engine.progress {
        let text = format!("{} {:.0} %", engine.phase, share * 100.0);
        ui.add(ProgressBar::new(share as f32).desired_height(16.0).text(RichText::new(text).small()));
    }
    let mut parts = run.last_step.as_ref().map(speed).unwrap_or_default();
    if let Some(eta) = run.eta_secs.filter(|_| run.status == RunStatus::Running) {
        parts.push(format!("{} left", duration(eta)));
    }
    if !parts.is_empty() {
        ui.label(RichText::new(parts.join(" · ")).color(theme.muted()));
    }
}

fn speed(step: &StepReport) -> Vec<String> {
    let tokens = step.tokens_per_sec.is_finite().then(|| format!("{} tokens/s", grouped(step.tokens_per_sec)));
    let time = step.secs_per_step.is_finite().then(|| format!("{} a step", duration(step.secs_per_step)));
    tokens.into_iter().chain(time).collect()
}

/// A stretch of time in words: `40 ms`, `12.3 s`, `2 min 10 s`, `3 h 05 min`.
#[must_use]
pub fn duration(secs: f64) -> String {
    if !secs.is_finite() || secs < 0.0 {
        return "an unknown time".into();
    }
    let whole = secs.round() as u64;
    match whole {
        _ if secs < 0.9995 => format!("{} ms", reading((secs * 1e3 * 10.0).round() / 10.0)),
        _ if secs < 59.95 => format!("{secs:.1} s"),
        60..3_600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
    }
}

fn failed(ui: &mut Ui, context: &mut Context<'_>, run: &RunView, message: &str) {
    let theme = context.theme;
    theme.card_frame().stroke(egui::Stroke::new(1.0, theme.bad())).show(ui, |ui| {
        ui.set_width(ui.available_width());
        ui.label(RichText::new(format!("{} failed at {}", run.title, steps(run))).strong().color(theme.bad()));
        ui.label(message);
        ui.label(RichText::new(offers::advice(message, run.resumable)).color(theme.muted()));
        ui.horizontal_wrapped(|ui| {
            if ui.button("Copy message").clicked() {
                context.actions.push(Action::Copy(message.to_string()));
            }
            if ui.button("Show log").clicked() {
                context.actions.push(Action::Show(PanelKind::Log));
            }
        });
    });
}

/// The last step's numbers in a line: learning rate, gradient norm, distance of the learners, half-life.
pub fn last_step(ui: &mut Ui, theme: &Theme, run: &RunView) {
    let Some(step) = &run.last_step else { return };
    let mut parts = vec![
        format!("learning rate {}", reading(step.learning_rate)),
        format!("gradient norm {}", reading(f64::from(step.gradient_norm))),
    ];
    if let Some(distance) = step.learner_distance {
        parts.push(format!("distance between fast and slow learner {}", reading(f64::from(distance))));
    }
    let half_life = step.diagnostics.iter().find(|(name, _)| name == "half_life_steps");
    if let Some((_, steps)) = half_life {
        parts.push(knobs::half_life_text(*steps, Some(step.task_steps as f64)));
    }
    ui.label(RichText::new(parts.join(" · ")).color(theme.muted()));
}
