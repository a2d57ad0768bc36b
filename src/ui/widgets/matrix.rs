//! The accuracy matrix as a heat map: a row after each task learnt, a column for each task scored.
//!
//! On top the untrained model. What was learnt stands out, what lies ahead is quieter, what was not measured is empty; the
//! row that is being filled now is outlined, and its scores are those on a subset until the task's end. A score that
//! changes moves to its new value, so that one sees what falls.

mod geometry;
mod numbers;
mod paint;
mod reading;
mod svg;
#[cfg(test)]
mod tests;

pub use numbers::{NUMBERS, Number, percent, signed};
pub use reading::{LiveRow, MatrixMode, matrix_text};
pub use svg::{captioned_matrix_svg, matrix_svg};

use crate::continual::metrics::AccuracyMatrix;
use crate::ui::theme::Theme;
use egui::{Rect, Response, Role, Sense, Ui, WidgetInfo};
use geometry::Geometry;
use reading::{Row, Scores};

/// Seconds that a score takes to its new value.
const MOVE_SECS: f32 = 0.4;

/// What to draw.
#[derive(Clone, Copy)]
pub struct MatrixView<'a> {
    /// Whose matrix it is, for people; unique within the panel.
    pub title: &'a str,
    pub matrix: &'a AccuracyMatrix,
    /// Short names of the tasks, in order.
    pub names: &'a [&'a str],
    pub mode: MatrixMode,
    pub live: Option<LiveRow<'a>>,
    /// Row and column of the cell that is chosen.
    pub selected: Option<(usize, usize)>,
    /// Small cells, for a matrix beside others.
    pub small: bool,
}

/// What somebody did with it.
#[derive(Clone, Debug, PartialEq)]
pub struct MatrixAnswer {
    /// Row and column that were clicked; a row's own button gives the task it is named after.
    pub clicked: Option<(usize, usize)>,
    /// Text for the clipboard, where somebody asked for it.
    pub copied: Option<String>,
    /// Where it was drawn.
    pub area: Rect,
}

impl<'a> MatrixView<'a> {
    /// A view of the scores alone.
    #[must_use]
    pub fn new(title: &'a str, matrix: &'a AccuracyMatrix, names: &'a [&'a str]) -> Self {
        Self { title, matrix, names, mode: MatrixMode::Score, live: None, selected: None, small: false }
    }

    /// The width under which its numbers can no longer be read.
    #[must_use]
    pub fn least_width(tasks: usize) -> f32 {
        geometry::LEAST_HEADER + tasks as f32 * geometry::LEAST_READABLE
    }

    /// The width over which it does not grow.
    #[must_use]
    pub fn greatest_width(tasks: usize) -> f32 {
        geometry::LARGEST_HEADER + geometry::STRIPE + tasks as f32 * geometry::LARGEST_CELL
    }

    /// What a cell says: a heading, then sentences.
    #[must_use]
    pub fn words(&self, row: usize, task: usize) -> Vec<String> {
        Scores { matrix: self.matrix, live: self.live, names: self.names }.words(Row::After(row), task)
    }

    /// Draws it over the width that there is; scrolls sideways where it is too wide.
    pub fn show(&self, ui: &mut Ui, theme: &Theme) -> MatrixAnswer {
        let id = ui.make_persistent_id(("accuracy matrix", self.title));
        let scores = Scores { matrix: self.matrix, live: self.live, names: self.names };
        let geometry = Geometry::measure(ui, &scores, self.small);
        if geometry.size().x <= ui.available_width() + 0.5 {
            return self.draw(ui, theme, id, &scores, &geometry);
        }
        let area = egui::ScrollArea::horizontal().id_salt(id.with("scroll"));
        area.show(ui, |ui| self.draw(ui, theme, id, &scores, &geometry)).inner
    }

    fn draw(&self, ui: &mut Ui, theme: &Theme, id: egui::Id, scores: &Scores<'_>, geometry: &Geometry) -> MatrixAnswer {
        let (area, _) = ui.allocate_exact_size(geometry.size(), Sense::hover());
        let mut answer = MatrixAnswer { clicked: None, copied: None, area };
        // One thing to point at for all cells: keyboards and screen readers have the rows' buttons and the description.
        let cells = ui.interact(geometry.cells(area.min), id.with("cells"), Sense::CLICK);
        let description = scores.description(self.title);
        cells.widget_info(|| WidgetInfo::labeled(Role::Image, true, &description));
        let hovered = cells.hover_pos().and_then(|position| geometry.cell_at(area.min, position));
        if cells.clicked()
            && let Some((Row::After(row), task)) = hovered
        {
            answer.clicked = Some((row, task));
        }
        cells.context_menu(|ui| {
            if ui.button("Copy as text").clicked() {
                answer.copied = Some(matrix_text(self.matrix, self.names));
                ui.close();
            }
        });
        let rows: Vec<Response> = (0..self.matrix.tasks())
            .map(|row| {
                let button = ui.interact(geometry.row_header(area.min, row), id.with(("row", row)), Sense::click());
                let label = format!("After {}, {}", scores.name(row), self.title);
                button.widget_info(|| WidgetInfo::labeled(Role::Button, true, &label));
                if button.clicked() {
                    answer.clicked = Some((row, row));
                }
                button
            })
            .collect();
        let moving = |row: Row, task: usize, score: f64| -> f64 {
            let place = id.with((
                "score",
                matches!(row, Row::After(_)),
                if let Row::After(after) = row { after } else { 0 },
                task,
            ));
            f64::from(ui.ctx().animate_value_with_time(place, score as f32, MOVE_SECS))
        };
        if ui.is_rect_visible(area) {
            paint::paint(
                ui,
                theme,
                self,
                scores,
                geometry,
                area.min,
                &paint::Touched { rows: &rows, hovered, moving: &moving },
            );
        }
        if let Some((row, task)) = hovered {
            cells.on_hover_ui_at_pointer(|ui| {
                for (index, line) in scores.words(row, task).into_iter().enumerate() {
                    let text = egui::RichText::new(line);
                    ui.label(if index == 0 { text.strong() } else { text });
                }
            });
        }
        answer
    }
}
