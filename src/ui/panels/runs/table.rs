//! The table of runs: the queue, what is in progress and what is done, sortable by every column.

use super::cells::{self, Line};
use super::columns::{Column, Key};
use super::differences::Changes;
use super::figures::{named, number, plain, time, unit};
use super::menu;
use crate::engine::protocol::{Command, Level};
use crate::ui::action::Action;
use crate::ui::panel::Context;
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use egui::{Align, Button, Layout, RichText, ScrollArea, Sense, TextEdit, TextWrapMode, Ui, vec2};
use egui_extras::{Column as Width, TableBuilder, TableRow};
use std::cmp::Ordering;

/// Two lines: the title and what was changed.
const ROW: f32 = 50.0;
const HEADER: f32 = 38.0;
const CHIP: f32 = 18.0;
/// About six runs; more scroll.
const MOST_HEIGHT: f32 = 360.0;
/// Below this width the table scrolls sideways.
const LEAST_WIDTH: f32 = 1_000.0;

/// A title that is being written.
pub struct Rename {
    pub run: usize,
    pub text: String,
    /// Whether the field has had the keyboard.
    pub begun: bool,
}

/// What somebody chose in the table.
#[derive(Default)]
pub struct RunTable {
    /// The column, and whether it falls; `None` is the order of the queue.
    sort: Option<(Column, bool)>,
    pub rename: Option<Rename>,
    /// The run that the others are compared with; `None` is the first.
    pub reference: Option<usize>,
}

impl RunTable {
    /// Places in the list of runs, in the order in which they are shown.
    fn order(&self, runs: &[RunView]) -> Vec<usize> {
        let mut order: Vec<usize> = (0..runs.len()).collect();
        if let Some((column, falling)) = self.sort {
            let keys: Vec<Key> = runs.iter().map(|run| column.key(run)).collect();
            order.sort_by(|one, two| match (keys.get(*one), keys.get(*two)) {
                (Some(one), Some(two)) => one.compare(two, falling),
                _ => Ordering::Equal,
            });
        }
        order
    }

    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>, labels: &[String], changes: &Changes) {
        let order = self.order(&context.state.runs);
        ScrollArea::horizontal().id_salt("runs sideways").show(ui, |ui| {
            ui.set_min_width(LEAST_WIDTH);
            let mut table = TableBuilder::new(ui)
                .id_salt("runs")
                .striped(true)
                .cell_layout(Layout::left_to_right(Align::Center))
                .max_scroll_height(MOST_HEIGHT)
                .min_scrolled_height(ROW * 2.0)
                .auto_shrink([false, true])
                .column(Width::exact(26.0));
            for column in Column::ALL {
                table = table.column(column.width());
                if column == Column::Title {
                    table = table.column(Width::exact(130.0));
                }
            }
            table.header(HEADER, |mut row| self.header(&mut row, *context.theme)).body(|body| {
                body.rows(ROW, order.len(), |mut row| {
                    let place = order.get(row.index()).copied().unwrap_or_default();
                    if let (Some(run), Some(label)) = (context.state.runs.get(place), labels.get(place)) {
                        row.set_selected(context.state.selected == Some(run.number));
                        self.row(&mut row, context, &Line { run, label, place, changes });
                    }
                });
            });
        });
    }

    fn header(&mut self, row: &mut TableRow<'_, '_>, theme: Theme) {
        row.col(|_| {});
        for column in Column::ALL {
            row.col(|ui| self.header_cell(ui, theme, column));
            if column == Column::Title {
                row.col(|_| {});
            }
        }
    }

    fn header_cell(&mut self, ui: &mut Ui, theme: Theme, column: Column) {
        let figure = named(column.name());
        let falling = self.sort.filter(|(by, _)| *by == column).map(|(_, falling)| falling);
        let colour = if falling.is_some() { theme.text() } else { theme.muted() };
        let text = RichText::new(column.heading()).color(colour).small();
        let button = match falling {
            None => Button::new(text),
            Some(falling) => Button::new((text, cells::arrow(colour, falling))),
        };
        let button = ui.add(button.frame(false).wrap_mode(TextWrapMode::Extend));
        let hint = match figure {
            Some(figure) => {
                format!(
                    "{}, in {}, of the learner that a run is judged by. {}",
                    figure.name,
                    unit(figure),
                    figure.about
                )
            }
            None => format!("Sort by {}", column.name()),
        };
        if button.on_hover_text(hint).accessible_name(format!("Sort by {}", column.name())).clicked() {
            self.sort = match falling {
                None => Some((column, false)),
                Some(false) => Some((column, true)),
                Some(true) => None,
            };
        }
    }

    fn row(&mut self, row: &mut TableRow<'_, '_>, context: &mut Context<'_>, line: &Line<'_>) {
        let (run, label) = (line.run, line.label);
        row.col(|ui| {
            let mut on = context.state.compared.contains(&run.number);
            let tick = ui.checkbox(&mut on, "").on_hover_text("Show its curves beside the selected one's");
            if tick.accessible_name(format!("Compare {label}")).changed() {
                context.actions.push(Action::Compare { run: run.number, on });
            }
        });
        for column in Column::ALL {
            row.col(|ui| {
                cells::plainly(ui, *context.theme);
                match column {
                    Column::Title => self.title(ui, context, line),
                    Column::Method => cells::text(ui, &run.report.method_label),
                    Column::Seed => cells::text(ui, &run.experiment.seed.to_string()),
                    Column::Status => cells::status(ui, context, line),
                    Column::Accuracy | Column::Backward | Column::Forgetting => {
                        if let Some(figure) = named(column.name()) {
                            cells::text(ui, &plain(figure, number(run, figure)));
                        }
                    }
                    Column::Steps if run.steps_total == 0 => cells::text(ui, "–"),
                    Column::Steps => cells::text(ui, &format!("{} / {}", run.steps_done, run.steps_total)),
                    Column::Time => cells::text(ui, &time(run)),
                }
            });
            if column == Column::Title {
                row.col(|ui| {
                    cells::plainly(ui, *context.theme);
                    menu::buttons(ui, context, run, label, self, line.changes.reference());
                });
            }
        }
    }

    /// The title over what was changed.
    fn title(&mut self, ui: &mut Ui, context: &mut Context<'_>, line: &Line<'_>) {
        let Line { run, label, place, changes } = *line;
        let (theme, selected) = (*context.theme, context.state.selected == Some(run.number));
        let (swatch, _) = ui.allocate_exact_size(vec2(6.0, ROW - 14.0), Sense::hover());
        ui.painter().rect_filled(swatch, 2.0, theme.run(place));
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing.y = 2.0;
            ui.add_space(2.0);
            if self.rename.as_ref().is_some_and(|rename| rename.run == run.number) {
                self.rename_field(ui, context, run, label);
            } else {
                let button = ui.add(Button::selectable(selected, &run.title).truncate());
                let hint = format!("{}\nClick to look at this run in all panels", run.title);
                if button.on_hover_text(hint).accessible_name(label).clicked() {
                    context.actions.push(Action::Select(run.number));
                }
            }
            ui.horizontal(|ui| {
                ui.spacing_mut().interact_size.y = CHIP;
                // in line with the title's first letter
                ui.add_space(ui.spacing().button_padding.x);
                cells::what_changed(ui, theme, run.number, changes);
            });
        });
    }

    fn rename_field(&mut self, ui: &mut Ui, context: &mut Context<'_>, run: &RunView, label: &str) {
        let Some(rename) = &mut self.rename else { return };
        let field = ui.add(TextEdit::singleline(&mut rename.text).desired_width(f32::INFINITY).char_limit(200));
        let field = field.accessible_name(format!("New title of {label}"));
        if !rename.begun {
            rename.begun = true;
            field.request_focus();
            return;
        }
        if !field.lost_focus() {
            return;
        }
        let title = rename.text.trim().to_string();
        self.rename = None;
        if ui.input(|input| input.key_pressed(egui::Key::Escape)) || title == run.title {
            return;
        }
        match &run.folder {
            _ if title.is_empty() => {
                let message = "A run needs a title: it keeps the one that it had.".to_string();
                context.actions.push(Action::Toast { level: Level::Warning, message });
            }
            Some(folder) => context.send(Command::RenameRun { run: run.number, folder: folder.clone(), title }),
            None => {}
        }
    }
}
