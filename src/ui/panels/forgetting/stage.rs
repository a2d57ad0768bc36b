//! Where the run stands: before any run, before its first score, while it is scored, and at its end.

use super::{muted, standing, watch_button};
use crate::continual::metrics::AccuracyMatrix;
use crate::ui::action::Action;
use crate::ui::panel::{Context, PanelKind};
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::theme::Theme;
use crate::ui::widgets::matrix::MatrixView;
use egui::{RichText, Ui};

/// Before any run: what will be here, and the way there.
pub fn nothing_yet(ui: &mut Ui, context: &mut Context<'_>) {
    ui.heading("Here you will see what is forgotten");
    ui.label(
        "The model learns one task after another. After each it is scored on all of them: a row of this matrix. Where a \
         column grows dark below the diagonal, an old task was forgotten.",
    );
    ui.add_space(Theme::GAP);
    watch_button(ui, context);
    ui.label(muted(
        context.theme,
        "Plain fine-tuning, then I-LoRA, on what is built in. The first rows come in under a minute.",
    ));
    ui.add_space(Theme::GROUP_GAP);
    let names: Vec<&str> = context.state.catalogue.tasks.iter().map(String::as_str).collect();
    if !names.is_empty() {
        // What it will look like, with nothing measured: no number is made up for show.
        let matrix = AccuracyMatrix::new(names.len());
        MatrixView { small: true, ..MatrixView::new("nothing measured yet", &matrix, &names) }.show(ui, context.theme);
    }
}

/// A run without a learner yet: it waits, loads, or failed before it began.
pub fn not_begun(ui: &mut Ui, context: &mut Context<'_>, run: &RunView) {
    ui.heading(&run.title);
    match &run.status {
        RunStatus::Failed(reason) => {
            ui.colored_label(context.theme.bad(), format!("This run failed before anything was scored: {reason}"));
            if ui.button("Show the log").clicked() {
                context.actions.push(Action::Show(PanelKind::Log));
            }
        }
        RunStatus::Queued => {
            ui.label("This run waits for its turn. Its accuracy matrix will be here as soon as it begins.");
            show_active(ui, context, run);
        }
        RunStatus::Running | RunStatus::Paused => {
            let engine = &context.state.engine;
            ui.label(format!(
                "The engine is {} {}. The first scores are those of the untrained model.",
                engine.phase, engine.detail
            ));
            if let Some(share) = engine.progress {
                ui.add(egui::ProgressBar::new(share as f32).show_percentage());
            }
        }
        RunStatus::Stopped | RunStatus::Finished => {
            ui.label(
                "This run was stopped before anything was scored. Resume it in the list of runs, or start another.",
            );
            if ui.button("Show the runs").clicked() {
                context.actions.push(Action::Show(PanelKind::Runs));
            }
        }
    }
}

/// Which run it is and what happens to it now.
pub fn head(ui: &mut Ui, context: &mut Context<'_>, run: &RunView) {
    let theme = context.theme;
    ui.horizontal_wrapped(|ui| {
        ui.heading(&run.title);
        let colour = if matches!(run.status, RunStatus::Failed(_)) { theme.bad() } else { theme.muted() };
        ui.label(RichText::new(standing(run)).color(colour));
    });
    if context.state.active != Some(run.number) {
        show_active(ui, context, run);
        return;
    }
    let engine = &context.state.engine;
    if engine.phase == "evaluating" || engine.progress.is_some() {
        let share = engine.progress.unwrap_or(0.0);
        let text = format!("{} {}: {:.0} %", engine.phase, engine.detail, 100.0 * share);
        ui.add(egui::ProgressBar::new(share as f32).desired_height(Theme::TARGET * 0.75).text(text));
    } else if let Some(step) = &run.last_step {
        let names = run.task_names();
        let name = names.get(step.task).copied().unwrap_or("a task");
        let verb = if run.status == RunStatus::Paused { "paused while learning" } else { "learning" };
        ui.label(muted(theme, format!("{verb} {name}, step {} of {}", step.task_step, step.task_steps)));
    } else {
        ui.label(muted(theme, format!("{} {}", engine.phase, engine.detail)));
    }
    if context.state.draft.config.evaluation.every_steps == 0 && run.experiment.evaluation.every_steps == 0 {
        ui.horizontal_wrapped(|ui| {
            ui.label(muted(theme, "This run is scored at the ends of tasks only."));
            if ui.small_button("Score every 20 steps in the next run").clicked() {
                context.edit("scoring interval", |draft| draft.evaluation.every_steps = 20);
            }
        });
    }
}

fn show_active(ui: &mut Ui, context: &mut Context<'_>, run: &RunView) {
    if let Some(active) = context.state.active.filter(|active| *active != run.number)
        && ui.button("Show the run in progress").clicked()
    {
        context.actions.push(Action::Select(active));
    }
}
