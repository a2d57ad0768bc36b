//! *Forgetting*: the live accuracy matrix of each learner, the five numbers read off it, and each task's score over the
//! stream, beside other runs where somebody compares.

mod curves;
mod export;
mod learners;
mod live;
mod numbers;
mod stage;
#[cfg(test)]
mod tests;

use crate::engine::report::LearnerReport;
use crate::ui::action::Action;
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::theme::Theme;
use crate::ui::widgets::matrix::MatrixMode;
use curves::TaskCurves;
use egui::{Rect, RichText, Ui};
use learners::Chosen;

/// See the file's head.
#[derive(Default)]
pub struct ForgettingPanel {
    mode: MatrixMode,
    /// The cell that was clicked last.
    chosen: Option<Chosen>,
    curves: TaskCurves,
    /// Where the matrices were drawn in the last frame, for a picture of them.
    picture: Option<Rect>,
}

/// Less important text.
fn muted(theme: &Theme, text: impl Into<String>) -> RichText {
    RichText::new(text).small().color(theme.muted())
}

impl Panel for ForgettingPanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Forgetting
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let state = context.state;
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            // The scroll bar floats over the right edge.
            ui.set_max_width(ui.available_width() - Theme::GAP - 2.0);
            match state.selected_run() {
                None => stage::nothing_yet(ui, context),
                Some(run) if run.report.learners.iter().all(|learner| learner.matrix.tasks() == 0) => {
                    stage::not_begun(ui, context, run);
                }
                Some(run) => self.show_run(ui, context, run),
            }
        });
    }
}

impl ForgettingPanel {
    fn show_run(&mut self, ui: &mut Ui, context: &mut Context<'_>, run: &RunView) {
        if self.chosen.as_ref().is_some_and(|chosen| chosen.run != run.number) {
            self.chosen = None;
        }
        stage::head(ui, context, run);
        ui.horizontal_wrapped(|ui| {
            for mode in MatrixMode::ALL {
                ui.selectable_value(&mut self.mode, mode, mode.label()).on_hover_text(mode.about());
            }
            ui.separator();
            export::menu(ui, context, run, self.picture);
            compare_menu(ui, context, run);
        });
        ui.label(muted(
            context.theme,
            format!("Row: after learning a task. Column: score on a task, in percent. {}", self.mode.about()),
        ));
        ui.add_space(Theme::GAP);
        let area = learners::show(ui, context, run, self.mode, &mut self.chosen);
        self.picture = Some(area.intersect(ui.clip_rect()));
        if let Some(chosen) = &self.chosen
            && learners::detail(ui, context, run, chosen)
        {
            self.chosen = None;
        }
        ui.add_space(Theme::GROUP_GAP);
        self.curves.show(ui, context, run);
        let compared: Vec<&RunView> = compared(context, run);
        if run.report.learners.len() > 1 || !compared.is_empty() {
            ui.add_space(Theme::GROUP_GAP);
            numbers::table(ui, context, run, &compared);
        }
        if !compared.is_empty() {
            ui.add_space(Theme::GROUP_GAP);
            learners::compared(ui, context, self.mode, &compared);
        }
    }
}

/// Which runs are shown beside this one.
fn compare_menu(ui: &mut Ui, context: &mut Context<'_>, run: &RunView) {
    let state = context.state;
    let others: Vec<&RunView> = state.runs.iter().filter(|other| other.number != run.number).collect();
    if others.is_empty() {
        return;
    }
    ui.menu_button("Compare", |ui| {
        for other in others {
            let mut on = state.compared.contains(&other.number);
            if ui.checkbox(&mut on, &other.title).changed() {
                context.actions.push(Action::Compare { run: other.number, on });
            }
        }
    });
}

/// Runs to be shown beside this one that have something to show.
fn compared<'a>(context: &Context<'a>, run: &RunView) -> Vec<&'a RunView> {
    let state = context.state;
    let others = state.compared.iter().filter(|number| **number != run.number);
    others.filter_map(|number| state.run(*number)).filter(|other| other.report.headline_learner().is_some()).collect()
}

/// A learner's name for people; the only learner of a run is named by its method.
fn learner_label<'a>(run: &'a RunView, learner: &'a LearnerReport) -> &'a str {
    if learner.name == "model" { &run.report.method_label } else { learner.label() }
}

/// Where a run stands, in a few words.
fn standing(run: &RunView) -> String {
    let tasks = run.report.learners.iter().map(|learner| learner.matrix.tasks()).max().unwrap_or(0);
    let learnt = run.report.learners.iter().map(|learner| learner.matrix.learnt()).max().unwrap_or(0);
    match &run.status {
        RunStatus::Failed(reason) => format!("failed after {learnt} of {tasks} tasks: {reason}"),
        status => format!("{}, {learnt} of {tasks} tasks learnt", status.word()),
    }
}

/// The button that starts the first experience.
fn watch_button(ui: &mut Ui, context: &mut Context<'_>) {
    if ui.button(RichText::new("Watch it forget").strong()).clicked() {
        context.actions.push(Action::WatchItForget);
    }
}
