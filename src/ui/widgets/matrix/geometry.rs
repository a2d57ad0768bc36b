//! Where the parts of the matrix lie, from the width that there is and the lengths of the names.

use super::reading::{Row, Scores};
use crate::ui::theme::Theme;
use egui::{Color32, FontId, Pos2, Rect, TextStyle, Ui, Vec2, pos2, vec2};

/// Least and largest width of the rows' names.
pub const LEAST_HEADER: f32 = 84.0;
pub const LARGEST_HEADER: f32 = 150.0;
/// A cell narrower than this has no room for its number.
pub const LEAST_READABLE: f32 = 26.0;
/// A cell is never narrower than this: the matrix scrolls instead.
const LEAST_CELL: f32 = 18.0;
/// Nor wider than this.
pub const LARGEST_CELL: f32 = Theme::CELL * 1.5;
/// Least height of a cell, a little less than something to be clicked has.
const LEAST_HEIGHT: f32 = 20.0;
/// Largest height of names that are turned.
const LARGEST_TURNED: f32 = 84.0;
/// Between the untrained model and the rows after tasks.
const ZERO_GAP: f32 = 5.0;
/// Between the names and the cells: room for the tasks' colours.
pub const STRIPE: f32 = 6.0;

/// Sizes of the parts.
#[derive(Clone, Debug)]
pub struct Geometry {
    pub tasks: usize,
    /// Width of the rows' names.
    pub left: f32,
    /// Height of the columns' names.
    pub top: f32,
    pub cell: Vec2,
    /// The columns' names are turned upright.
    pub turned: bool,
    /// Of the names.
    pub font: FontId,
}

impl Geometry {
    pub fn measure(ui: &Ui, scores: &Scores<'_>, small: bool) -> Self {
        let tasks = scores.matrix.tasks();
        let font = TextStyle::Small.resolve(ui.style());
        let width_of = |text: String| ui.painter().layout_no_wrap(text, font.clone(), Color32::WHITE).size().x;
        let longest = (0..tasks).map(|task| width_of(scores.name(task))).fold(0.0, f32::max);
        let first = longest.max(width_of("untrained".into())) + 2.0 * STRIPE;
        let available = ui.available_width();
        let left = first.clamp(LEAST_HEADER.min(first), LARGEST_HEADER.min((available * 0.36).max(LEAST_HEADER)));
        let most = if small { Theme::CELL * 0.64 } else { LARGEST_CELL };
        let width = ((available - left - STRIPE) / tasks.max(1) as f32).floor().clamp(LEAST_CELL, most);
        let height = (width * 0.72).clamp(LEAST_HEIGHT, if small { 22.0 } else { Theme::CELL * 0.8 });
        let turned = longest + 4.0 > width;
        let line = font.size + 4.0;
        let top = if turned { (longest + STRIPE).min(LARGEST_TURNED) } else { line };
        Self { tasks, left, top: top + STRIPE, cell: vec2(width, height), turned, font }
    }

    pub fn size(&self) -> Vec2 {
        let rows = self.tasks as f32 + 1.0;
        vec2(self.left + STRIPE + self.cell.x * self.tasks as f32, self.top + ZERO_GAP + self.cell.y * rows)
    }

    fn origin(&self, at: Pos2) -> Pos2 {
        pos2(at.x + self.left + STRIPE, at.y + self.top)
    }

    /// All cells.
    pub fn cells(&self, at: Pos2) -> Rect {
        Rect::from_min_max(self.origin(at), at + self.size())
    }

    fn row_top(&self, at: Pos2, row: Row) -> f32 {
        let origin = self.origin(at);
        match row {
            Row::Untrained => origin.y,
            Row::After(after) => origin.y + ZERO_GAP + self.cell.y * (after as f32 + 1.0),
        }
    }

    pub fn cell(&self, at: Pos2, row: Row, task: usize) -> Rect {
        let x = self.origin(at).x + self.cell.x * task as f32;
        Rect::from_min_size(pos2(x, self.row_top(at, row)), self.cell)
    }

    /// All cells of a row.
    pub fn row(&self, at: Pos2, row: Row) -> Rect {
        let size = vec2(self.cell.x * self.tasks as f32, self.cell.y);
        Rect::from_min_size(pos2(self.origin(at).x, self.row_top(at, row)), size)
    }

    /// The name of a row, and the colour after it.
    pub fn header_of(&self, at: Pos2, row: Row) -> Rect {
        Rect::from_min_size(pos2(at.x, self.row_top(at, row)), vec2(self.left + STRIPE, self.cell.y))
    }

    pub fn row_header(&self, at: Pos2, row: usize) -> Rect {
        self.header_of(at, Row::After(row))
    }

    /// The name of a column, and the colour under it.
    pub fn column_header(&self, at: Pos2, task: usize) -> Rect {
        let x = self.origin(at).x + self.cell.x * task as f32;
        Rect::from_min_size(pos2(x, at.y), vec2(self.cell.x, self.top))
    }

    /// The cell under a place.
    pub fn cell_at(&self, at: Pos2, position: Pos2) -> Option<(Row, usize)> {
        let origin = self.origin(at);
        let task = ((position.x - origin.x) / self.cell.x).floor();
        if task < 0.0 || task as usize >= self.tasks {
            return None;
        }
        let below = position.y - origin.y;
        let row = if (0.0..self.cell.y).contains(&below) {
            Row::Untrained
        } else {
            let after = ((below - ZERO_GAP) / self.cell.y).floor() - 1.0;
            if after < 0.0 || after as usize >= self.tasks {
                return None;
            }
            Row::After(after as usize)
        };
        Some((row, task as usize))
    }
}
