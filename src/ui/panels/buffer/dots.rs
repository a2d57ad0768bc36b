//! All items as a grid of dots: one widget and one mesh, whatever their number.

use super::Scene;
use super::choice::{Choice, Wish};
use super::hint;
use super::reading::task_name;
use super::sprite::DiscSprite;
use crate::ui::theme::Theme;
use egui::emath::GuiRounding as _;
use egui::{Mesh, Painter, Pos2, Rect, Role, ScrollArea, Sense, Shape, Stroke, Ui, Vec2, WidgetInfo, vec2};
use std::sync::Arc;

/// Sides of a dot's cell, in points: the largest with which all fit, else the least. Even, so that dots lie on pixels.
const CELLS: [f32; 10] = [24.0, 22.0, 20.0, 18.0, 16.0, 14.0, 12.0, 10.0, 8.0, LEAST];
const LEAST: f32 = 6.0;
/// Kept free for the scroll bar.
const SCROLL_BAR: f32 = 10.0;
/// Kept free at the edges, for the rings around dots.
const MARGIN: f32 = 4.0;
/// Radius of a dot as a share of its cell.
const RADIUS: f32 = 0.4;

/// How dots are laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Grid {
    cell: f32,
    columns: usize,
    lines: usize,
}

impl Grid {
    fn fit(count: usize, width: f32, height: f32) -> Self {
        let of = |cell: f32| {
            let columns = ((width / cell).floor() as usize).max(1);
            Self { cell, columns, lines: count.div_ceil(columns) }
        };
        let fits = |grid: &Self| grid.lines as f32 * grid.cell <= height;
        CELLS.into_iter().map(of).find(fits).unwrap_or_else(|| of(LEAST))
    }

    fn centre(&self, index: usize) -> Vec2 {
        let (column, line) = (index % self.columns, index / self.columns);
        vec2(column as f32 + 0.5, line as f32 + 0.5) * self.cell
    }

    /// The place under a point, if there is one.
    fn at(&self, offset: Vec2, count: usize) -> Option<usize> {
        if offset.x < 0.0 || offset.y < 0.0 {
            return None;
        }
        let (column, line) = ((offset.x / self.cell) as usize, (offset.y / self.cell) as usize);
        let index = line * self.columns + column;
        (column < self.columns && index < count).then_some(index)
    }
}

/// What the mesh was made from.
#[derive(PartialEq)]
struct MeshKey {
    version: u64,
    origin: Pos2,
    grid: Grid,
    lines: std::ops::Range<usize>,
    disc: super::sprite::Disc,
}

/// The grid of dots.
#[derive(Default)]
pub struct Dots {
    sprite: DiscSprite,
    kept: Option<(MeshKey, Arc<Mesh>)>,
}

impl Dots {
    /// Draws the grid and says what its keys asked for.
    pub fn show(&mut self, ui: &mut Ui, scene: &Scene<'_>, choice: &mut Choice, height: f32) -> Option<Wish> {
        let rows = &scene.arrangement.rows;
        let width = (ui.available_width() - SCROLL_BAR - 2.0 * MARGIN).max(LEAST);
        let grid = Grid::fit(rows.len(), width, height - 2.0 * MARGIN);
        let area = ScrollArea::vertical().id_salt("dots").max_height(height).auto_shrink([false, !scene.wide]);
        area.show(ui, |ui| {
            let size = vec2(width, grid.lines as f32 * grid.cell) + Vec2::splat(2.0 * MARGIN);
            let (whole, mut response) = ui.allocate_exact_size(size, Sense::click());
            let rect = whole.shrink(MARGIN);
            let rect = rect.translate(rect.min.round_to_pixels(ui.pixels_per_point()) - rect.min);
            response.widget_info(|| info(scene, choice, ui.is_enabled()));
            if ui.is_rect_visible(rect) {
                let mesh = self.mesh(ui, scene, grid, rect);
                ui.painter().add(Shape::Mesh(mesh));
            }
            let pointed = response.hover_pos().and_then(|at| grid.at(at - rect.min, rows.len()));
            let pointed = pointed.and_then(|index| Some((index, rows.get(index)?.id)));
            if let Some((_, id)) = pointed
                && response.clicked()
            {
                choice.choose(id);
                response.request_focus();
            }
            let page = grid.columns * ((height / grid.cell) as usize).max(1);
            let wish = choice.keys(ui, &response, grid.columns, page, rows);
            if let Some(index) = choice.id.and_then(|id| scene.arrangement.place(id)) {
                mark_chosen(ui.painter(), rect.min + grid.centre(index), grid.cell * RADIUS, scene.theme);
                if std::mem::take(&mut choice.reveal) {
                    let cell = Rect::from_center_size(rect.min + grid.centre(index), Vec2::splat(grid.cell * 2.0));
                    ui.scroll_to_rect_animation(cell, None, egui::style::ScrollAnimation::none());
                }
            }
            if let Some((index, id)) = pointed {
                mark_pointed(ui.painter(), rect.min + grid.centre(index), grid.cell * RADIUS, scene.theme);
                response = response.on_hover_cursor(egui::CursorIcon::PointingHand);
                hint::show(scene, &response, id);
            }
            super::focus_frame(ui, &response, whole, scene.theme);
            wish
        })
        .inner
    }

    /// Where a dot was drawn, for tests.
    #[cfg(test)]
    pub fn centre_of(&self, index: usize) -> Option<Pos2> {
        self.kept.as_ref().map(|(key, _)| key.origin + key.grid.centre(index))
    }

    /// The dots of the visible lines; made anew only when something about them changed.
    fn mesh(&mut self, ui: &Ui, scene: &Scene<'_>, grid: Grid, rect: Rect) -> Arc<Mesh> {
        let seen = ui.clip_rect().intersect(rect);
        let line = |y: f32| ((y - rect.min.y) / grid.cell).max(0.0);
        let lines = line(seen.min.y) as usize..(line(seen.max.y).ceil() as usize).min(grid.lines);
        let disc = self.sprite.disc(ui.ctx(), grid.cell * RADIUS);
        let key = MeshKey { version: scene.arrangement.version, origin: rect.min, grid, lines: lines.clone(), disc };
        if let Some((known, mesh)) = &self.kept
            && *known == key
        {
            return mesh.clone();
        }
        let mut mesh = disc.mesh();
        let (first, end) = (lines.start * grid.columns, lines.end * grid.columns);
        let rows = &scene.arrangement.rows;
        for (index, row) in rows.iter().enumerate().take(end.min(rows.len())).skip(first) {
            let ring = row.pinned.then(|| rings(scene.theme, row.goes));
            disc.push_item(&mut mesh, rect.min + grid.centre(index), row.colour, ring);
        }
        let mesh = Arc::new(mesh);
        self.kept = Some((key, mesh.clone()));
        mesh
    }
}

/// A strong ring around the dot of the chosen item.
pub fn mark_chosen(painter: &Painter, centre: Pos2, radius: f32, theme: Theme) {
    painter.circle_stroke(centre, radius + 1.0, Stroke::new(2.0, theme.ground()));
    painter.circle_stroke(centre, radius + 3.0, Stroke::new(2.5, theme.text()));
}

/// A thin ring around the dot under the pointer.
pub fn mark_pointed(painter: &Painter, centre: Pos2, radius: f32, theme: Theme) {
    painter.circle_stroke(centre, radius + 2.0, Stroke::new(1.0, theme.text()));
}

/// Colours of the ring around a pinned item, and of the gap inside.
pub fn rings(theme: Theme, goes: bool) -> [egui::Color32; 2] {
    [if goes { Theme::faint(theme.text(), 0.3) } else { theme.text() }, theme.ground()]
}

/// What a screen reader tells of the grid.
fn info(scene: &Scene<'_>, choice: &Choice, enabled: bool) -> WidgetInfo {
    let mut info = WidgetInfo::labeled(Role::Canvas, enabled, "Items as dots");
    info.current_text_value = Some(told(scene, choice));
    info
}

/// The chosen item in words.
pub fn told(scene: &Scene<'_>, choice: &Choice) -> String {
    let item = choice.id.and_then(|id| scene.run.buffer.items.get(&id));
    item.map_or_else(
        || "no item chosen".to_string(),
        |item| format!("item {}, {}: {}", item.id, task_name(scene.run, item.task), hint::line(scene, item.id)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grid_takes_the_largest_cells_that_fit() {
        assert_eq!(Grid::fit(500, 360.0, 450.0), Grid { cell: 18.0, columns: 20, lines: 25 });
        assert_eq!(Grid::fit(500, 360.0, 449.0).cell, 16.0);
        assert_eq!(Grid::fit(3, 360.0, 450.0).cell, 24.0);
        assert_eq!(Grid::fit(10_000, 700.0, 400.0), Grid { cell: 6.0, columns: 116, lines: 87 });
        assert_eq!(Grid::fit(0, 10.0, 10.0).lines, 0);
    }

    #[test]
    fn every_dot_is_found_where_it_is_drawn() {
        let grid = Grid::fit(777, 300.0, 200.0);
        for index in 0..777 {
            assert_eq!(grid.at(grid.centre(index), 777), Some(index));
        }
        assert_eq!(grid.at(grid.centre(776) + vec2(grid.cell, 0.0), 777), None);
        assert_eq!(grid.at(vec2(-1.0, 3.0), 777), None);
        assert_eq!(grid.at(vec2(grid.columns as f32 * grid.cell + 1.0, 3.0), 777), None, "beyond the last column");
    }
}
