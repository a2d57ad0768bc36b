//! Draws the matrix: names, colours of the tasks, cells, outlines.

use super::MatrixView;
use super::geometry::{Geometry, LEAST_READABLE, STRIPE};
use super::reading::{Look, Row, Scores};
use crate::ui::theme::Theme;
use egui::epaint::TextShape;
use egui::text::{LayoutJob, TextWrapping};
use egui::{Align2, Color32, FontId, Pos2, Rect, Response, Stroke, StrokeKind, TextStyle, Ui, pos2, vec2};
use std::sync::Arc;

/// Rounding of a cell.
const ROUND: f32 = 3.0;
/// Height of the bar in a cell.
const BAR: f32 = 3.0;

/// What the pointer and the keyboard are on, and how scores move.
pub struct Touched<'a> {
    /// The rows' buttons.
    pub rows: &'a [Response],
    pub hovered: Option<(Row, usize)>,
    /// The score that is shown now on its way to the measured one.
    pub moving: &'a dyn Fn(Row, usize, f64) -> f64,
}

pub fn paint(
    ui: &Ui,
    theme: &Theme,
    view: &MatrixView<'_>,
    scores: &Scores<'_>,
    geometry: &Geometry,
    at: Pos2,
    touched: &Touched<'_>,
) {
    let learnt = scores.matrix.learnt();
    let going = view.live.filter(|live| live.going).map(|live| live.row);
    for task in 0..geometry.tasks {
        let known = task < learnt || going == Some(task);
        column_name(ui, theme, geometry, at, task, &scores.name(task), known);
    }
    for row in scores.rows() {
        let (name, button) = match row {
            Row::Untrained => ("untrained".to_string(), None),
            Row::After(after) => (scores.name(after), touched.rows.get(after)),
        };
        let known = match row {
            Row::Untrained => false,
            Row::After(after) => after < learnt || going == Some(after),
        };
        row_name(ui, theme, geometry, at, row, &name, known, button);
        for task in 0..geometry.tasks {
            let shown = scores.score(row, task).0.map(|score| (touched.moving)(row, task, score));
            let look = scores.look(view.mode, row, task, shown, theme);
            let rect = geometry.cell(at, row, task).shrink(1.0);
            cell(ui, theme, rect, &look, scores.matrix.chance(task));
            if touched.hovered == Some((row, task)) {
                ui.painter().rect_stroke(rect, ROUND, Stroke::new(1.5, theme.text()), StrokeKind::Inside);
            }
        }
    }
    if let Some(row) = going {
        let rect = geometry.row(at, Row::After(row)).expand(1.0);
        ui.painter().rect_stroke(rect, ROUND + 1.0, Stroke::new(2.0, theme.accent()), StrokeKind::Middle);
    }
    if let Some((row, task)) = view.selected {
        let rect = geometry.cell(at, Row::After(row), task);
        ui.painter().rect_stroke(rect, ROUND + 1.0, Stroke::new(2.0, theme.text()), StrokeKind::Middle);
    }
}

fn cell(ui: &Ui, theme: &Theme, rect: Rect, look: &Look, chance: Option<f64>) {
    let painter = ui.painter();
    painter.rect_filled(rect, ROUND, look.fill);
    if look.text.is_empty() {
        painter.rect_stroke(rect, ROUND, Stroke::new(1.0, Theme::faint(theme.line(), 0.6)), StrokeKind::Inside);
        if look.unmeasured {
            painter.circle_filled(rect.center(), 1.5, Theme::faint(theme.muted(), 0.7));
        }
        return;
    }
    let has_bar = look.bar.is_some() && rect.height() >= 24.0 && rect.width() >= LEAST_READABLE;
    if rect.width() + 2.0 >= LEAST_READABLE {
        let large = !look.quiet && rect.width() >= 34.0;
        let style = if large { TextStyle::Body } else { TextStyle::Small };
        let font = style.resolve(ui.style());
        let centre = rect.center() - vec2(0.0, if has_bar { BAR * 0.6 } else { 0.0 });
        painter.text(centre, Align2::CENTER_CENTER, &look.text, font, look.ink);
    }
    if let (true, Some(score)) = (has_bar, look.bar) {
        // A second sign of the score beside its colour, with guessing as a tick on it.
        let strip = Rect::from_min_max(pos2(rect.left() + 3.0, rect.bottom() - BAR - 2.0), rect.max - vec2(3.0, 2.0));
        let ink = Theme::faint(look.ink, if look.quiet { 0.4 } else { 0.75 });
        painter.rect_filled(strip, 1.0, Theme::faint(look.ink, 0.16));
        let filled = strip.width() * score.clamp(0.0, 1.0) as f32;
        painter.rect_filled(Rect::from_min_size(strip.min, vec2(filled, BAR)), 1.0, ink);
        if let Some(chance) = chance {
            let x = strip.left() + strip.width() * chance.clamp(0.0, 1.0) as f32;
            painter.vline(x, strip.top() - 2.0..=strip.bottom() + 1.0, Stroke::new(1.5, look.ink));
        }
    }
}

/// Text in one line that ends in an ellipsis where it is too long.
fn shortened(ui: &Ui, text: &str, font: FontId, colour: Color32, width: f32) -> Arc<egui::Galley> {
    let mut job = LayoutJob::simple_singleline(text.to_string(), font, colour);
    job.wrap = TextWrapping::truncate_at_width(width.max(8.0));
    ui.painter().layout_job(job)
}

fn column_name(ui: &Ui, theme: &Theme, geometry: &Geometry, at: Pos2, task: usize, name: &str, known: bool) {
    let area = geometry.column_header(at, task);
    let colour = if known { theme.text() } else { theme.muted() };
    let stripe =
        Rect::from_min_max(pos2(area.left() + 1.0, area.bottom() - 4.0), pos2(area.right() - 1.0, area.bottom() - 1.0));
    ui.painter().rect_filled(stripe, 1.5, theme.task(task));
    let room = if geometry.turned { area.height() - STRIPE } else { area.width() - 2.0 };
    let galley = shortened(ui, name, geometry.font.clone(), colour, room);
    let size = galley.size();
    let shape = if geometry.turned {
        let from = pos2(area.center().x - size.y / 2.0, area.bottom() - STRIPE);
        TextShape::new(from, galley, colour).with_angle(-std::f32::consts::FRAC_PI_2)
    } else {
        TextShape::new(pos2(area.center().x - size.x / 2.0, area.bottom() - STRIPE - size.y), galley, colour)
    };
    ui.painter().add(shape);
}

#[allow(clippy::too_many_arguments)] // a name, its place and what is going on with it
fn row_name(
    ui: &Ui,
    theme: &Theme,
    geometry: &Geometry,
    at: Pos2,
    row: Row,
    name: &str,
    known: bool,
    button: Option<&Response>,
) {
    let area = geometry.header_of(at, row);
    if let Some(button) = button {
        if button.hovered() {
            ui.painter().rect_filled(area.shrink(1.0), ROUND, Theme::faint(theme.accent(), 0.25));
        }
        if button.has_focus() {
            ui.painter().rect_stroke(area.shrink(1.0), ROUND, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
        }
    }
    let colour = if known { theme.text() } else { theme.muted() };
    let galley = shortened(ui, name, geometry.font.clone(), colour, geometry.left - STRIPE);
    let size = galley.size();
    let right = area.right() - STRIPE - 3.0;
    ui.painter().galley(pos2(right - size.x, area.center().y - size.y / 2.0), galley, colour);
    if let Row::After(after) = row {
        let stripe = Rect::from_min_max(
            pos2(area.right() - 4.0, area.top() + 1.0),
            pos2(area.right() - 1.0, area.bottom() - 1.0),
        );
        ui.painter().rect_filled(stripe, 1.5, theme.task(after));
    }
}
