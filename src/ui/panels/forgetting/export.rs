//! What leaves the panel: tables, pictures and text, with the settings that made them.

use super::learner_label;
use crate::engine::report::LearnerReport;
use crate::engine::report_csv::matrix_csv;
use crate::ui::action::{Action, Export};
use crate::ui::panel::Context;
use crate::ui::state::run::RunView;
use crate::ui::widgets::matrix::{captioned_matrix_svg, matrix_text};
use crate::ui::words::slug;
use egui::{Rect, Ui};

/// The menu; `picture` is where the matrices were drawn.
pub fn menu(ui: &mut Ui, context: &mut Context<'_>, run: &RunView, picture: Option<Rect>) {
    ui.menu_button("Export", |ui| {
        let name = slug(&format!("{} seed {}", run.report.method, run.report.seed));
        if ui.button("Matrix as table (CSV)").clicked() {
            let content = matrix_csv(&run.report);
            context.actions.push(Action::Export(Export::Text { name: format!("matrix-{name}.csv"), content }));
        }
        if ui.button("Curves as table (CSV)").clicked() {
            let content = curves_csv(run);
            context.actions.push(Action::Export(Export::Text { name: format!("curves-{name}.csv"), content }));
        }
        for learner in &run.report.learners {
            let label = learner_label(run, learner);
            if ui.button(format!("Picture of the {label} (SVG)")).clicked() {
                let content =
                    captioned_matrix_svg(&learner.matrix, &run.task_names(), &caption(run, learner), context.theme);
                let name = format!("matrix-{name}-{}.svg", slug(&learner.name));
                context.actions.push(Action::Export(Export::Text { name, content }));
            }
        }
        let area = picture.filter(Rect::is_positive);
        if ui.add_enabled(area.is_some(), egui::Button::new("What is shown (PNG)")).clicked()
            && let Some(area) = area
        {
            let area = [area.min.x, area.min.y, area.max.x, area.max.y];
            context.actions.push(Action::Export(Export::Picture { name: format!("matrix-{name}.png"), area }));
        }
        ui.separator();
        for learner in &run.report.learners {
            if ui.button(format!("Copy the {} as text", learner_label(run, learner))).clicked() {
                context.actions.push(Action::Copy(matrix_text(&learner.matrix, &run.task_names())));
            }
        }
    });
}

/// What made the picture.
fn caption(run: &RunView, learner: &LearnerReport) -> String {
    let report = &run.report;
    let (learnt, tasks) = (learner.matrix.learnt(), learner.matrix.tasks());
    let mut caption = format!(
        "{}, {}, after {learnt} of {tasks} tasks; model {}, seed {}, device {}",
        report.method_label,
        learner_label(run, learner),
        report.model,
        report.seed,
        if report.device.is_empty() { "unknown" } else { &report.device },
    );
    if !report.command.is_empty() {
        caption.push_str(&format!("\n{}", report.command));
    }
    caption
}

/// A line for each point of each learner's curve; `scored` says whether all examples were scored or a subset.
fn curves_csv(run: &RunView) -> String {
    let quoted = |text: &str| {
        if text.contains([',', '"', '\n', '\r']) {
            format!("\"{}\"", text.replace('"', "\"\""))
        } else {
            text.to_string()
        }
    };
    let mut text = String::from("learner,step,scored");
    for task in &run.report.tasks {
        text.push_str(&format!(",{}", quoted(&task.name)));
    }
    text.push('\n');
    for learner in &run.report.learners {
        for point in &learner.curve {
            let all = point.step == 0 || super::live::full_row(learner, point).is_some();
            text.push_str(&format!("{},{},{}", quoted(&learner.name), point.step, if all { "all" } else { "subset" }));
            for task in 0..run.report.tasks.len() {
                let score = point.task_scores.get(task).copied().flatten().filter(|score| score.is_finite());
                text.push_str(&score.map_or_else(|| ",".to_string(), |score| format!(",{score}")));
            }
            text.push('\n');
        }
    }
    text
}
