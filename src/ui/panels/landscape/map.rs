//! The plane as a heat map with level lines, adapters and training tracks. Both axes have one scale, so that distances and
//! angles are those of the plane.

use super::labels::Labels;
use super::scale::round_values;
use super::scene::{self, Scene};
use crate::engine::landscape_report::{PlaneMark, PlaneReport, PlaneTrack};
use crate::ui::panels::paths::reading::digits;
use crate::ui::theme::Theme;
use egui::{
    Align2, Color32, Key, Mesh, Pos2, Rect, Response, Sense, Shape, Stroke, TextStyle, Ui, Vec2, WidgetInfo, pos2, vec2,
};
use std::sync::Arc;

/// Room for the numbers below and left of the map.
const LEFT: f32 = 46.0;
const BELOW: f32 = 34.0;
/// Tallest map.
const TALLEST: f32 = 560.0;

/// From places on the plane to places in the window.
#[derive(Clone, Copy, Debug)]
pub struct Frame {
    rect: Rect,
    from: [f64; 2],
    scale: f64,
}

impl Frame {
    /// The largest frame of the plane's proportions in so much room; cells reach half-way beyond the outer points.
    fn new(room: Rect, xs: &[f64], ys: &[f64]) -> Option<Self> {
        let [left, right] = ends(&edges(xs))?;
        let [low, high] = ends(&edges(ys))?;
        let scale = (f64::from(room.width()) / (right - left)).min(f64::from(room.height()) / (high - low));
        if !scale.is_finite() || scale <= 0.0 {
            return None;
        }
        let size = vec2(((right - left) * scale) as f32, ((high - low) * scale) as f32);
        Some(Self { rect: Rect::from_min_size(room.min, size), from: [left, low], scale })
    }

    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> Pos2 {
        pos2(
            self.rect.left() + ((x - self.from[0]) * self.scale) as f32,
            self.rect.bottom() - ((y - self.from[1]) * self.scale) as f32,
        )
    }

    #[must_use]
    pub fn place(&self, at: Pos2) -> [f64; 2] {
        let across = f64::from(at.x - self.rect.left()) / self.scale;
        let up = f64::from(self.rect.bottom() - at.y) / self.scale;
        [self.from[0] + across, self.from[1] + up]
    }
}

fn ends(places: &[f64]) -> Option<[f64; 2]> {
    Some([*places.first()?, *places.last()?])
}

/// Edges of the cells around places in ascending order: half-way between neighbours.
fn edges(places: &[f64]) -> Vec<f64> {
    let (Some(first), Some(last)) = (places.first(), places.last()) else { return Vec::new() };
    let half = |pair: Option<&[f64]>| pair.map_or(0.5, |pair| (pair[1] - pair[0]) / 2.0);
    let mut edges = vec![first - half(places.get(..2))];
    edges.extend(places.windows(2).map(|pair| f64::midpoint(pair[0], pair[1])));
    edges.push(last + half(places.len().checked_sub(2).and_then(|from| places.get(from..))));
    edges
}

/// What somebody did with the map.
pub struct Shown {
    pub response: Response,
    /// The place under the pointer.
    pub hovered: Option<[f64; 2]>,
    /// The place that was picked in this frame.
    pub picked: Option<[f64; 2]>,
    pub area: Rect,
}

/// The coloured cells of the last frame.
#[derive(Clone, Debug, Default)]
pub struct Map {
    painted: Option<(super::scene::Key, Rect, bool, Arc<Mesh>)>,
}

impl Map {
    pub fn show(
        &mut self,
        ui: &mut Ui,
        theme: &Theme,
        report: &PlaneReport,
        scene: &Scene,
        picked: Option<[f64; 2]>,
    ) -> Option<Shown> {
        let width = ui.available_width().max(160.0);
        let room = Rect::from_min_size(Pos2::ZERO, vec2(width - LEFT - 8.0, TALLEST));
        let size = Frame::new(room, &report.xs, &report.ys)?.rect.size();
        let (area, mut response) = ui.allocate_exact_size(size + vec2(LEFT + 8.0, BELOW + 6.0), Sense::click());
        let room = Rect::from_min_size(area.min + vec2(LEFT, 6.0), size);
        let frame = Frame::new(room, &report.xs, &report.ys)?;
        let name = format!(
            "Map of the {}, from {} to {}",
            scene.key.quantity.name(report),
            scene.key.quantity.told(scene.scale.low),
            scene.key.quantity.told(scene.scale.high)
        );
        response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, &name));
        if ui.is_rect_visible(area) {
            self.cells(ui, theme, report, scene, &frame);
            level_lines(ui, scene, &frame);
            axes(ui, theme, report, &frame);
            let mut labels = Labels::new(ui, theme, frame.rect);
            for mark in &report.anchors {
                labels.keep(frame.at(mark.x, mark.y), 6.0);
            }
            for (index, track) in report.tracks.iter().enumerate() {
                draw_track(ui, theme, track, index, &frame);
            }
            anchors(ui, theme, report, &frame, &mut labels);
            level_names(scene, &frame, &mut labels, theme);
            if let Some([x, y]) = picked {
                crosshair(ui, theme, frame.at(x, y), frame.rect);
            }
            if response.has_focus() {
                ui.painter().rect_stroke(frame.rect, 0.0, Stroke::new(2.0, theme.accent()), egui::StrokeKind::Outside);
            }
        }
        let inside = |at: &Pos2| frame.rect.contains(*at);
        let hovered = response.hover_pos().filter(inside).map(|at| frame.place(at));
        let mut chosen =
            response.interact_pointer_pos().filter(|at| response.clicked() && inside(at)).map(|at| frame.place(at));
        if response.clicked() {
            response.request_focus();
        }
        if let Some(index) = keys(ui, &response, report, picked) {
            chosen = scene::place(report, index);
        }
        if chosen.is_some() {
            response.mark_changed();
        }
        Some(Shown { response, hovered, picked: chosen, area })
    }

    fn cells(&mut self, ui: &Ui, theme: &Theme, report: &PlaneReport, scene: &Scene, frame: &Frame) {
        let fits = |(key, rect, dark, _): &&(super::scene::Key, Rect, bool, Arc<Mesh>)| {
            *key == scene.key && *rect == frame.rect && *dark == theme.dark
        };
        let mesh = self
            .painted
            .as_ref()
            .filter(fits)
            .map_or_else(|| Arc::new(cells(theme, report, scene, frame)), |known| known.3.clone());
        self.painted = Some((scene.key.clone(), frame.rect, theme.dark, mesh.clone()));
        ui.painter().add(Shape::mesh(mesh));
    }
}

/// One rectangle a point; a hole is hatched, a point still to be measured is fainter.
fn cells(theme: &Theme, report: &PlaneReport, scene: &Scene, frame: &Frame) -> Mesh {
    let (columns, rows) = (edges(&report.xs), edges(&report.ys));
    let mut mesh = Mesh::default();
    for (index, value) in scene.values.iter().enumerate() {
        let (column, row) = (index % report.xs.len(), index / report.xs.len());
        let Some((from, to)) = columns
            .get(column..column + 2)
            .zip(rows.get(row..row + 2))
            .map(|(x, y)| (frame.at(x[0], y[1]), frame.at(x[1], y[0])))
        else {
            continue;
        };
        let rect = Rect::from_min_max(from, to);
        match value {
            Some(value) => {
                let colour = theme.heat(Some(scene.scale.shade(*value)));
                let measured = scene.measured.get(index).copied().unwrap_or(false);
                mesh.add_colored_rect(rect, if measured { colour } else { Theme::faint(colour, 0.45) });
            }
            // Nothing near it was measured either.
            None if !scene.measured.get(index).copied().unwrap_or(true) => {}
            None => hatch(&mut mesh, rect, theme),
        }
    }
    mesh
}

/// Diagonal stripes on the ground.
fn hatch(mesh: &mut Mesh, rect: Rect, theme: &Theme) {
    mesh.add_colored_rect(rect, theme.ground());
    let colour = theme.muted();
    let stripe = |mesh: &mut Mesh, from: Pos2, to: Pos2| {
        let first = mesh.vertices.len() as u32;
        for corner in [from, from + vec2(1.2, 0.0), to + vec2(1.2, 0.0), to] {
            mesh.colored_vertex(corner, colour);
        }
        mesh.add_triangle(first, first + 1, first + 2);
        mesh.add_triangle(first, first + 2, first + 3);
    };
    let parts = (rect.width() / 7.0).floor().max(1.0);
    for part in 0..parts as usize {
        let left = rect.left() + rect.width() * part as f32 / parts;
        stripe(mesh, pos2(left, rect.bottom()), pos2(left + rect.width() / parts - 1.2, rect.top()));
    }
}

/// Dark lines on bright ground, bright ones on dark.
fn ink(shade: f64) -> Color32 {
    if shade > 0.55 { Color32::from_black_alpha(150) } else { Color32::from_white_alpha(150) }
}

fn level_lines(ui: &Ui, scene: &Scene, frame: &Frame) {
    let painter = ui.painter().with_clip_rect(frame.rect);
    for (level, lines) in &scene.levels {
        let stroke = Stroke::new(1.0, ink(scene.scale.shade(*level)));
        for line in lines {
            let points: Vec<Pos2> = line.points.iter().map(|(x, y)| frame.at(*x, *y)).collect();
            painter.add(if line.closed { Shape::closed_line(points, stroke) } else { Shape::line(points, stroke) });
        }
    }
}

/// The values of the level lines on their longest pieces.
fn level_names(scene: &Scene, frame: &Frame, labels: &mut Labels, theme: &Theme) {
    for (level, lines) in &scene.levels {
        let Some(longest) = lines.iter().max_by_key(|line| line.points.len()) else { continue };
        let text = short(*level, scene.key.quantity.score);
        for part in [2, 3, 5, 7] {
            if let Some((x, y)) = longest.points.get(longest.points.len() / part)
                && labels.put_on(frame.at(*x, *y), &text, theme.muted())
            {
                break;
            }
        }
    }
}

/// A round value without zeros at its end.
#[must_use]
pub fn short(value: f64, percent: bool) -> String {
    if percent {
        format!("{} %", (value * 1e3).round() / 10.0)
    } else if value != 0.0 && (value.abs() < 1e-3 || value.abs() >= 1e5) {
        digits(value)
    } else {
        format!("{}", (value * 1e4).round() / 1e4)
    }
}

fn axes(ui: &Ui, theme: &Theme, report: &PlaneReport, frame: &Frame) {
    let painter = ui.painter();
    let font = TextStyle::Small.resolve(ui.style());
    let rect = frame.rect;
    painter.rect_stroke(rect, 0.0, Stroke::new(1.0, theme.line()), egui::StrokeKind::Outside);
    let stroke = Stroke::new(1.0, theme.muted());
    let few = |length: f32| ((length / 70.0) as usize).clamp(2, 8);
    if let Some([low, high]) = ends(&report.xs) {
        for x in round_values(low, high, few(rect.width())) {
            let at = pos2(frame.at(x, 0.0).x, rect.bottom());
            painter.line_segment([at, at + vec2(0.0, 4.0)], stroke);
            painter.text(at + vec2(0.0, 5.0), Align2::CENTER_TOP, short(x, false), font.clone(), theme.muted());
        }
    }
    if let Some([low, high]) = ends(&report.ys) {
        for y in round_values(low, high, few(rect.height())) {
            let at = pos2(rect.left(), frame.at(0.0, y).y);
            painter.line_segment([at, at - vec2(4.0, 0.0)], stroke);
            painter.text(at - vec2(6.0, 0.0), Align2::RIGHT_CENTER, short(y, false), font.clone(), theme.muted());
        }
    }
    let below = rect.center_bottom() + vec2(0.0, 18.0);
    painter.text(below, Align2::CENTER_TOP, "distance in the space of adapters", font, theme.muted());
}

/// The colour of a track.
#[must_use]
pub fn track_colour(theme: &Theme, track: &PlaneTrack, index: usize) -> Color32 {
    if track.name.contains("long_term") || track.name.contains("slow") {
        theme.learner("long_term")
    } else if track.name.contains("working") || track.name.contains("fast") {
        theme.learner("working")
    } else {
        theme.run(index)
    }
}

/// A line that stands out from any ground.
pub fn haloed(painter: &egui::Painter, theme: &Theme, points: Vec<Pos2>, colour: Color32) {
    painter.add(Shape::line(points.clone(), Stroke::new(5.0, theme.ground())));
    painter.add(Shape::line(points, Stroke::new(2.5, colour)));
}

fn sound(mark: &&PlaneMark) -> bool {
    mark.x.is_finite() && mark.y.is_finite()
}

fn draw_track(ui: &Ui, theme: &Theme, track: &PlaneTrack, index: usize, frame: &Frame) {
    let painter = ui.painter().with_clip_rect(frame.rect);
    let colour = track_colour(theme, track, index);
    let points = track.points.iter().filter(sound).map(|mark| frame.at(mark.x, mark.y));
    haloed(&painter, theme, points.collect(), colour);
    // What has no name is a place on the way of a drawn path, and no adapter.
    let named = track.points.iter().enumerate().filter(|(_, mark)| sound(mark) && !mark.name.is_empty());
    for (task, mark) in named {
        let at = frame.at(mark.x, mark.y);
        painter.circle(at, Theme::DOT, theme.task(task), Stroke::new(1.5, theme.ground()));
    }
}

fn anchors(ui: &Ui, theme: &Theme, report: &PlaneReport, frame: &Frame, labels: &mut Labels) {
    let painter = ui.painter().with_clip_rect(frame.rect);
    for mark in report.anchors.iter().filter(sound) {
        let at = frame.at(mark.x, mark.y);
        anchor(&painter, theme, at, off_plane(report, mark));
        labels.put(at, 7.0, &mark.name, theme.text());
    }
}

/// A disc in the plane, a ring beside it.
pub fn anchor(painter: &egui::Painter, theme: &Theme, at: Pos2, off: bool) {
    painter.circle_filled(at, 7.0, theme.ground());
    if off {
        painter.circle_stroke(at, 4.5, Stroke::new(2.0, theme.text()));
    } else {
        painter.circle_filled(at, 5.0, theme.text());
    }
}

/// Whether a mark lies out of the plane by more than a hundredth of the plane's extent.
#[must_use]
pub fn off_plane(report: &PlaneReport, mark: &PlaneMark) -> bool {
    let extent = |places: &[f64]| ends(places).map_or(0.0, |[low, high]| high - low);
    mark.residual > 0.01 * extent(&report.xs).max(extent(&report.ys))
}

fn crosshair(ui: &Ui, theme: &Theme, at: Pos2, rect: Rect) {
    let painter = ui.painter().with_clip_rect(rect);
    for (width, colour) in [(4.0, theme.ground()), (1.5, theme.accent())] {
        let stroke = Stroke::new(width, colour);
        painter.circle_stroke(at, 8.0, stroke);
        for arm in [Vec2::X, Vec2::Y, -Vec2::X, -Vec2::Y] {
            painter.line_segment([at + arm * 8.0, at + arm * 16.0], stroke);
        }
    }
}

/// Arrow keys move the picked point along the grid.
pub fn keys(ui: &Ui, response: &Response, report: &PlaneReport, picked: Option<[f64; 2]>) -> Option<usize> {
    if !response.has_focus() {
        return None;
    }
    let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..egui::EventFilter::default() };
    ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
    let presses = |key| ui.input_mut(|input| input.count_and_consume_key(egui::Modifiers::NONE, key)) as isize;
    let right = presses(Key::ArrowRight) - presses(Key::ArrowLeft);
    let up = presses(Key::ArrowUp) - presses(Key::ArrowDown);
    if right == 0 && up == 0 {
        return None;
    }
    let [columns, rows] = [report.xs.len(), report.ys.len()];
    let from = picked.and_then(|[x, y]| scene::nearest(report, x, y)).unwrap_or(columns * (rows / 2) + columns / 2);
    let moved = |place: usize, by: isize, count: usize| place.saturating_add_signed(by).min(count.saturating_sub(1));
    Some(moved(from / columns.max(1), up, rows) * columns + moved(from % columns.max(1), right, columns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_keeps_proportions_and_goes_there_and_back() {
        let room = Rect::from_min_size(pos2(10.0, 20.0), vec2(300.0, 300.0));
        let frame = Frame::new(room, &[0.0, 1.0, 2.0], &[0.0, 1.0]).unwrap();
        assert_eq!(frame.rect, Rect::from_min_size(pos2(10.0, 20.0), vec2(300.0, 200.0)));
        assert_eq!(frame.at(-0.5, -0.5), frame.rect.left_bottom());
        let [x, y] = frame.place(frame.at(1.25, 0.75));
        assert!((x - 1.25).abs() < 1e-4 && (y - 0.75).abs() < 1e-4);
        assert!(Frame::new(room, &[], &[1.0]).is_none() && Frame::new(room, &[1.0], &[1.0]).is_some());
    }

    #[test]
    fn round_numbers_are_short() {
        let told = [0.5, 2.0, 0.000_02, 1e7].map(|value| short(value, false));
        assert_eq!(told, ["0.5", "2", "2.0e-5", "1.0e7"]);
        assert_eq!(short(0.125, true), "12.5 %");
    }
}
