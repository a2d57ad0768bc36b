//! The selected run and those that were ticked, beside one another: numbers, curves, matrices.

use super::differences::Changes;
use super::export;
use super::figures::listed;
use super::numbers;
use super::overlay::Overlay;
use super::picture;
use crate::ui::action::{Action, Export};
use crate::ui::panel::Context;
use crate::ui::state::run::{RunStatus, RunView};
use crate::ui::theme::Theme;
use crate::ui::widgets::matrix::MatrixView;
use egui::{Rect, RichText, ScrollArea, Sense, Ui, vec2};
use std::collections::BTreeSet;

/// A run that is shown.
#[derive(Clone, Copy)]
pub struct Shown<'a> {
    pub run: &'a RunView,
    /// What it is called here.
    pub label: &'a str,
    /// Among all runs; gives its colour.
    pub place: usize,
}

/// The section under the table.
#[derive(Default)]
pub struct Comparison {
    overlay: Overlay,
}

impl Comparison {
    /// `picture` is what a picture of the panel takes in.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        context: &mut Context<'_>,
        labels: &[String],
        changes: &Changes,
        picture: Rect,
    ) {
        let state = context.state;
        let chosen = |run: &RunView| state.selected == Some(run.number) || state.compared.contains(&run.number);
        let shown: Vec<Shown<'_>> = state
            .runs
            .iter()
            .zip(labels)
            .enumerate()
            .filter(|(_, (run, _))| chosen(run) && run.status != RunStatus::Queued)
            .map(|(place, (run, label))| Shown { run, label, place })
            .collect();
        let theme = *context.theme;
        ui.horizontal(|ui| {
            ui.label(RichText::new("Comparison").heading());
            if !shown.is_empty() {
                let menu = ui.menu_button("Export", |ui| exports(ui, context, &shown, picture));
                menu.response.accessible_name("Export the comparison");
            }
        });
        if shown.is_empty() {
            let text = "Select a run, or tick several that have begun, to see their numbers, curves and matrices side by side.";
            ui.label(RichText::new(text).color(theme.muted()));
            return;
        }
        if let Some(note) = comparability(&shown) {
            ui.label(RichText::new(note).color(theme.warning()));
        } else if shown.len() == 1 {
            let text = "Tick further runs in the table to see them beside this one.";
            ui.label(RichText::new(text).color(theme.muted()));
        }
        ui.add_space(Theme::GAP);
        numbers::table(ui, theme, &shown, changes, same_tasks(&shown));
        ui.add_space(Theme::GROUP_GAP);
        self.overlay.show(ui, context, &shown);
        ui.add_space(Theme::GROUP_GAP);
        matrices(ui, context, &shown);
    }
}

/// The colour of a run beside its name.
pub fn swatch(ui: &mut Ui, theme: Theme, place: usize) {
    let (area, _) = ui.allocate_exact_size(vec2(12.0, 12.0), Sense::hover());
    ui.painter().rect_filled(area, 2.0, theme.run(place));
}

/// Whether all runs learn the same tasks in the same order.
pub fn same_tasks(shown: &[Shown<'_>]) -> bool {
    let mut names = shown.iter().map(|shown| (shown.run.task_names(), &shown.run.experiment.tasks));
    let first = names.next();
    names.all(|other| Some(other) == first)
}

/// Why the numbers of these runs must not be held against one another; `None` where they may.
pub fn comparability(shown: &[Shown<'_>]) -> Option<String> {
    let differ = |fact: &dyn Fn(&RunView) -> String| {
        let mut seen = BTreeSet::new();
        let facts = shown.iter().map(|shown| fact(shown.run)).filter(|fact| seen.insert(fact.clone()));
        let facts: Vec<String> = facts.collect();
        (facts.len() > 1).then_some(facts)
    };
    let mut reasons = Vec::new();
    if !same_tasks(shown) {
        reasons.push("other tasks, or another order of tasks".to_string());
    }
    if let Some(seeds) = differ(&|run| run.experiment.seed.to_string()) {
        reasons.push(format!("other seeds ({})", listed(&seeds)));
    }
    if let Some(models) = differ(&|run| run.experiment.model.clone()) {
        reasons.push(format!("other models ({})", listed(&models)));
    }
    if differ(&|run| format!("{:?}", run.experiment.evaluation)).is_some() {
        reasons.push("other settings of the scoring".to_string());
    }
    let learnt = |run: &RunView| run.report.headline_learner().map_or(0, |learner| learner.matrix.learnt());
    if same_tasks(shown)
        && let Some(counts) = differ(&|run| learnt(run).to_string())
    {
        reasons.push(format!("not all have learnt the same number of tasks yet ({})", listed(&counts)));
    }
    if reasons.is_empty() {
        return None;
    }
    let seeds_only = reasons.len() == 1 && reasons.iter().all(|reason| reason.starts_with("other seeds"));
    let advice = if seeds_only { " Compare averages over several seeds of each." } else { "" };
    Some(format!("Not comparable one to one: {}.{advice}", reasons.join("; ")))
}

fn matrices(ui: &mut Ui, context: &Context<'_>, shown: &[Shown<'_>]) {
    ui.label(
        RichText::new("Accuracy matrices: a row after each task learnt, a column for each task scored, %").small(),
    );
    ScrollArea::horizontal().id_salt("matrices sideways").show(ui, |ui| {
        ui.horizontal_top(|ui| {
            for Shown { run, label, place } in shown {
                let Some(learner) = run.report.headline_learner() else { continue };
                let names = run.task_names();
                ui.push_id(run.number, |ui| {
                    ui.vertical(|ui| {
                        ui.horizontal(|ui| {
                            swatch(ui, *context.theme, *place);
                            ui.label(RichText::new(*label).strong());
                        });
                        ui.label(RichText::new(learner.label()).small().color(context.theme.muted()));
                        let title = format!("{label}, {}", learner.label());
                        let view = MatrixView { small: true, ..MatrixView::new(&title, &learner.matrix, &names) };
                        if let Some(text) = view.show(ui, context.theme).copied {
                            ui.ctx().copy_text(text);
                        }
                    });
                });
                ui.add_space(Theme::GROUP_GAP);
            }
        });
    });
}

fn exports(ui: &mut Ui, context: &mut Context<'_>, shown: &[Shown<'_>], picture: Rect) {
    let runs: Vec<&RunView> = shown.iter().map(|shown| shown.run).collect();
    let text = |context: &mut Context<'_>, name: &str, content: String| {
        context.actions.push(Action::Export(Export::Text { name: name.to_string(), content }));
    };
    if ui.button("Numbers (CSV)").clicked() {
        text(context, "comparison.csv", export::comparison_csv(&runs));
    }
    if ui.button("Curves (SVG)").clicked() {
        let svg = picture::curves_svg(*context.theme, shown);
        text(context, "comparison.svg", svg);
    }
    if ui.button("What is shown (PNG)").on_hover_text("The panel as it is now").clicked() && picture.is_positive() {
        let area = [picture.min.x, picture.min.y, picture.max.x, picture.max.y];
        context.actions.push(Action::Export(Export::Picture { name: "comparison.png".to_string(), area }));
    }
    if ui.button("Report of these runs (HTML)").clicked() {
        text(context, "comparison.html", export::html(&runs));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::sample;
    use crate::ui::state::AppState;

    fn note(state: &AppState) -> Option<String> {
        let shown: Vec<Shown<'_>> =
            state.runs.iter().enumerate().map(|(place, run)| Shown { run, label: "x", place }).collect();
        comparability(&shown)
    }

    #[test]
    fn what_differs_beside_the_method_is_named() {
        let mut state = sample::state();
        assert_eq!(note(&state), None, "another method is what one compares");
        state.runs[1].experiment.seed = 5;
        assert_eq!(
            note(&state).unwrap(),
            "Not comparable one to one: other seeds (1 and 5). Compare averages over several seeds of each."
        );
        state.runs[1].experiment.tasks.reverse();
        state.runs[1].experiment.evaluation.max_examples = 7;
        assert_eq!(
            note(&state).unwrap(),
            "Not comparable one to one: other tasks, or another order of tasks; other seeds (1 and 5); other settings of the scoring."
        );
    }

    #[test]
    fn a_run_that_has_not_come_so_far_is_named() {
        let whole = sample::session().len();
        let state = sample::state_after(whole - 60);
        assert!(note(&state).unwrap().contains("not all have learnt the same number of tasks yet (8 and "));
    }
}
