//! What is wrong with a file, line by line.

use super::words::counted;
use crate::engine::protocol::cards::TaskProblem;
use crate::ui::action::Action;
use crate::ui::panel::Context;
use egui::{Label, RichText, ScrollArea, TextStyle, Ui};

/// Most height of the list.
const HEIGHT: f32 = 170.0;

/// The list of faulty lines, as long as there are some. It is drawn line by line as it is scrolled.
pub(super) fn lines(ui: &mut Ui, context: &mut Context<'_>, problem: &TaskProblem) {
    if problem.lines.is_empty() {
        return;
    }
    let theme = context.theme;
    ui.horizontal_wrapped(|ui| {
        ui.label(RichText::new(counted(problem.lines.len(), "line is wrong", "lines are wrong")).strong());
        if ui.small_button("Copy the list").clicked() {
            let all: Vec<String> = problem.lines.iter().map(|(line, what)| format!("line {line}: {what}")).collect();
            context.actions.push(Action::Copy(all.join("\n")));
        }
    });
    let row = ui.text_style_height(&TextStyle::Body);
    ScrollArea::vertical().id_salt("lines").max_height(HEIGHT).auto_shrink([false, true]).show_rows(
        ui,
        row,
        problem.lines.len(),
        |ui, range| {
            ui.spacing_mut().interact_size.y = row;
            for (line, what) in problem.lines.get(range).unwrap_or_default() {
                ui.horizontal(|ui| {
                    ui.label(RichText::new(format!("line {line}")).color(theme.bad()));
                    ui.add(Label::new(what).truncate());
                });
            }
        },
    );
}
