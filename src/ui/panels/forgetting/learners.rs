//! The learners of a run side by side, each with its matrix, its numbers and what it lost most; and other runs, small.

use super::live::{falls, live_row};
use super::{learner_label, muted, numbers};
use crate::engine::protocol::{AdapterSource, Command};
use crate::engine::report::LearnerReport;
use crate::ui::action::{Action, Export};
use crate::ui::panel::{Context, PanelKind};
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use crate::ui::widgets::matrix::{LiveRow, MatrixMode, MatrixView, percent};
use egui::{Rect, RichText, Ui};

/// Width that the numbers need beside a matrix.
const BESIDE: f32 = 320.0;
/// Falls that are told of each learner.
const FALLS: usize = 3;

/// A cell that somebody clicked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chosen {
    pub run: usize,
    pub learner: String,
    pub row: usize,
    pub task: usize,
}

/// All learners, beside each other where there is room. Returns where they were drawn.
pub fn show(
    ui: &mut Ui,
    context: &mut Context<'_>,
    run: &RunView,
    mode: MatrixMode,
    chosen: &mut Option<Chosen>,
) -> Rect {
    let learners = &run.report.learners;
    let tasks = learners.iter().map(|learner| learner.matrix.tasks()).max().unwrap_or(0);
    let names = run.task_names();
    let each = MatrixView::least_width(tasks) + Theme::GROUP_GAP;
    let beside = ((ui.available_width() / each).floor() as usize).clamp(1, learners.len().max(1));
    let drawn = ui.scope(|ui| {
        let gap = std::mem::replace(&mut ui.spacing_mut().item_spacing.x, 2.0 * Theme::GROUP_GAP);
        for row in learners.chunks(beside) {
            ui.columns(beside, |columns| {
                for (ui, learner) in columns.iter_mut().zip(row) {
                    ui.spacing_mut().item_spacing.x = gap;
                    ui.vertical(|ui| one(ui, context, run, learner, &names, mode, chosen));
                }
            });
            ui.add_space(Theme::GAP);
        }
    });
    drawn.response.rect
}

fn one(
    ui: &mut Ui,
    context: &mut Context<'_>,
    run: &RunView,
    learner: &LearnerReport,
    names: &[&str],
    mode: MatrixMode,
    chosen: &mut Option<Chosen>,
) {
    let theme = context.theme;
    let title = learner_label(run, learner);
    let headline =
        run.report.learners.len() > 1 && run.report.headline_learner().is_some_and(|it| it.name == learner.name);
    ui.horizontal_wrapped(|ui| {
        dot(ui, theme.learner(&learner.name));
        ui.label(RichText::new(title).strong());
        if headline {
            ui.label(muted(theme, "what the run is judged by"));
        }
    });
    let live = live_row(run, learner);
    let here = chosen.as_ref().filter(|it| it.learner == learner.name).map(|it| (it.row, it.task));
    let view = MatrixView { mode, live, selected: here, ..MatrixView::new(title, &learner.matrix, names) };
    // Where there is room, the numbers stand beside the matrix rather than under it.
    let wide = ui.available_width() >= MatrixView::greatest_width(learner.matrix.tasks()) + BESIDE;
    let answer = if wide {
        ui.horizontal_top(|ui| {
            let answer = ui.push_id(run.number, |ui| view.show(ui, theme)).inner;
            ui.add_space(Theme::GROUP_GAP);
            ui.vertical(|ui| under(ui, theme, learner, title, live.as_ref(), names));
            answer
        })
        .inner
    } else {
        let answer = ui.push_id(run.number, |ui| view.show(ui, theme)).inner;
        under(ui, theme, learner, title, live.as_ref(), names);
        answer
    };
    if let Some((row, task)) = answer.clicked {
        *chosen = Some(Chosen { run: run.number, learner: learner.name.clone(), row, task });
    }
    if let Some(text) = answer.copied {
        context.actions.push(Action::Copy(text));
    }
}

/// What fell, and the five numbers.
fn under(ui: &mut Ui, theme: &Theme, learner: &LearnerReport, title: &str, live: Option<&LiveRow<'_>>, names: &[&str]) {
    ui.scope(|ui| {
        // Lines of text, nothing to click.
        ui.spacing_mut().interact_size.y = 0.0;
        ui.spacing_mut().item_spacing.y = 2.0;
        ticker(ui, theme, learner, live, names);
    });
    ui.add_space(Theme::GAP);
    numbers::tiles(ui, theme, title, &learner.matrix);
}

/// What fell most since it was learnt.
fn ticker(ui: &mut Ui, theme: &Theme, learner: &LearnerReport, live: Option<&LiveRow<'_>>, names: &[&str]) {
    let falls = falls(learner, live);
    let learnt = learner.matrix.learnt();
    if falls.is_empty() {
        let text = match learnt {
            0 => "Nothing learnt yet.",
            1 => "One task learnt: there is nothing to forget yet.",
            _ => "Nothing learnt so far is lost.",
        };
        ui.label(muted(theme, text));
        return;
    }
    for fall in falls.iter().take(FALLS) {
        ui.horizontal_wrapped(|ui| {
            dot(ui, theme.task(fall.task));
            let name = names.get(fall.task).copied().unwrap_or("a task");
            let about = if fall.subset { "about " } else { "" };
            let text = format!("{name}: {} when learnt, {about}{} now", percent(fall.learnt), percent(fall.now));
            let lost = fall.learnt - fall.now;
            ui.label(RichText::new(text).color(if lost >= 0.1 { theme.bad() } else { theme.text() }));
        });
    }
    if falls.len() > FALLS {
        ui.label(muted(theme, format!("and {} more fell", falls.len() - FALLS)));
    }
}

/// A small disc of a colour before a name.
pub fn dot(ui: &mut Ui, colour: egui::Color32) {
    let size = egui::vec2(2.0 * Theme::DOT + 2.0, ui.text_style_height(&egui::TextStyle::Body));
    let (area, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    ui.painter().circle_filled(area.center(), Theme::DOT, colour);
}

/// What the chosen cell says and what can be done with its adapter. True when it is to be closed.
pub fn detail(ui: &mut Ui, context: &mut Context<'_>, run: &RunView, chosen: &Chosen) -> bool {
    let Some(learner) = run.learner(&chosen.learner) else { return true };
    let names = run.task_names();
    let theme = context.theme;
    let mut close = false;
    theme.card_frame().show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        let live = live_row(run, learner);
        let view = MatrixView { live, ..MatrixView::new("", &learner.matrix, &names) };
        let words = view.words(chosen.row, chosen.task);
        let mut lines = words.iter();
        if let Some(first) = lines.next() {
            ui.label(RichText::new(format!("{}: {first}", learner_label(run, learner))).strong());
        }
        ui.label(lines.cloned().collect::<Vec<_>>().join(" "));
        ui.horizontal_wrapped(|ui| {
            let adapter = run.adapters.iter().find(|(task, name, _)| *task == chosen.row && *name == chosen.learner);
            if let Some((_, name, path)) = adapter {
                if ui.button("Export this adapter\u{2026}").clicked() {
                    let after = names.get(chosen.row).copied().unwrap_or("task");
                    let from = AdapterSource::Folder { path: path.clone() };
                    let command = Box::new(Command::ExportAdapter { from, path: String::new() });
                    let name = crate::ui::words::slug(&format!("{name} after {after}"));
                    context.actions.push(Action::Export(Export::Command { name, command }));
                }
                if ui.button("Open Paths").clicked() {
                    context.actions.push(Action::Show(PanelKind::Paths));
                }
            } else {
                let folder = run.folder.as_ref().filter(|_| run.adapters.is_empty() && !run.status.is_active());
                if let Some(folder) = folder {
                    ui.label(muted(theme, "The adapters that this run kept are not listed yet."));
                    if ui.button("List its adapters").clicked() {
                        context.send(Command::OpenRuns { run: run.number, folder: folder.clone() });
                    }
                } else {
                    ui.label(muted(theme, "No adapter of this row is at hand."));
                }
            }
            close = ui.button("Close").clicked();
        });
    });
    close
}

/// The headline matrices of the compared runs, small.
pub fn compared(ui: &mut Ui, context: &mut Context<'_>, mode: MatrixMode, runs: &[&RunView]) {
    let theme = context.theme;
    ui.label(RichText::new("Compared runs").strong());
    let tasks = runs.iter().map(|run| run.report.tasks.len()).max().unwrap_or(0);
    let each = MatrixView::least_width(tasks);
    let beside = ((ui.available_width() / each).floor() as usize).clamp(1, runs.len().max(1));
    for row in runs.chunks(beside) {
        ui.columns(beside, |columns| {
            for (ui, run) in columns.iter_mut().zip(row) {
                let Some(learner) = run.report.headline_learner() else { continue };
                ui.horizontal_wrapped(|ui| {
                    ui.label(&run.title);
                    if run.report.learners.len() > 1 {
                        ui.label(muted(theme, learner.label()));
                    }
                    let show = ui.small_button("Show").accessible_name(format!("Show {}", run.title));
                    if show.clicked() {
                        context.actions.push(Action::Select(run.number));
                    }
                    let hide = ui.small_button("Hide").accessible_name(format!("Hide {}", run.title));
                    if hide.clicked() {
                        context.actions.push(Action::Compare { run: run.number, on: false });
                    }
                });
                let names = run.task_names();
                let title = format!("{}, {}", run.title, learner_label(run, learner));
                let view = MatrixView {
                    mode,
                    live: live_row(run, learner),
                    small: true,
                    ..MatrixView::new(&title, &learner.matrix, &names)
                };
                let answer = ui.push_id(run.number, |ui| view.show(ui, theme)).inner;
                if let Some(text) = answer.copied {
                    context.actions.push(Action::Copy(text));
                }
            }
        });
        ui.add_space(Theme::GAP);
    }
}
