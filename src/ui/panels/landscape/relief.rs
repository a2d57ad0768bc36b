//! The plane as a surface one can turn, with the same marks lying on it: what the surface hides of them is faint.

use super::labels::Labels;
use super::map::{self, short};
use super::scene::{self, Scene};
use crate::engine::landscape_report::{PlaneMark, PlaneReport};
use crate::ui::theme::Theme;
use crate::ui::widgets::surface::camera::Point;
use crate::ui::widgets::surface::field::{HeightField, RELIEF};
use crate::ui::widgets::surface::{self, SurfaceView};
use egui::{Color32, Pos2, Shape, Stroke, Ui, vec2};

/// The window's surfaces are told apart by numbers; this panel has one.
const SURFACE: u64 = 1;
/// Pieces of a track between two of its points.
const PIECES: usize = 24;
/// What lies on the surface is drawn so far above it.
const LIFT: f32 = 0.012;
/// Distance within which the pointer finds a point, in points of the window.
const NEAR: f32 = 16.0;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Relief {
    pub view: SurfaceView,
}

impl Relief {
    pub fn show(
        &mut self,
        ui: &mut Ui,
        theme: &Theme,
        report: &PlaneReport,
        scene: &Scene,
        picked: Option<[f64; 2]>,
    ) -> map::Shown {
        let width = ui.available_width().max(160.0);
        let size = vec2(width, (width * 0.62).clamp(180.0, 520.0));
        let quantity = scene.key.quantity;
        let name = format!(
            "Surface of the {}, from {} to {}",
            quantity.name(report),
            quantity.told(scene.scale.low),
            quantity.told(scene.scale.high)
        );
        let field = &scene.field;
        let floor = ui.painter().add(Shape::Noop);
        let shown = self.view.show(ui, SURFACE, size, field, theme, &name);
        if shown.drawn && ui.is_rect_visible(shown.rect) {
            let mut labels = Labels::new(ui, theme, shown.rect);
            ui.painter().set(floor, frame(theme, field, &shown));
            scale(ui, theme, scene, &shown, &mut labels);
            Self::marks(ui, theme, report, field, &shown, &mut labels);
            if let Some(place) = picked.and_then(|[x, y]| field.place(x, y)) {
                pin(ui, theme, field, &shown, place);
            }
            if shown.response.has_focus() {
                let stroke = Stroke::new(2.0, theme.accent());
                ui.painter().rect_stroke(shown.rect, 2.0, stroke, egui::StrokeKind::Inside);
            }
        }
        let under = |pointer: Pos2| {
            let index = shown.nearest(field, pointer, NEAR)?;
            scene::place(report, index)
        };
        let hovered = shown.response.hover_pos().filter(|_| !shown.response.dragged()).and_then(under);
        let picked = shown.response.interact_pointer_pos().filter(|_| shown.response.clicked()).and_then(under);
        map::Shown { area: shown.rect, response: shown.response, hovered, picked }
    }

    fn marks(
        ui: &Ui,
        theme: &Theme,
        report: &PlaneReport,
        field: &HeightField,
        shown: &surface::Shown,
        labels: &mut Labels,
    ) {
        let painter = ui.painter().with_clip_rect(shown.rect);
        for (index, track) in report.tracks.iter().enumerate() {
            let colour = map::track_colour(theme, track, index);
            for pair in track.points.windows(2) {
                if let [from, to] = pair {
                    stretch(&painter, theme, field, shown, (from, to), colour);
                }
            }
            for (task, mark) in track.points.iter().enumerate() {
                let Some(place) = lifted(field, mark.x, mark.y) else { continue };
                let Some(at) = shown.project(place) else { continue };
                let seen = if shown.hides(field, place) { 0.3 } else { 1.0 };
                let edge = Stroke::new(1.5, Theme::faint(theme.ground(), seen));
                painter.circle(at, Theme::DOT, Theme::faint(theme.task(task), seen), edge);
            }
        }
        for mark in &report.anchors {
            let Some(place) = lifted(field, mark.x, mark.y) else { continue };
            let Some(at) = shown.project(place) else { continue };
            if !shown.hides(field, place) {
                map::anchor(&painter, theme, at, map::off_plane(report, mark));
                labels.keep(at, 6.0);
            }
            labels.put(at, 8.0, &mark.name, theme.text());
        }
    }
}

fn lifted(field: &HeightField, x: f64, y: f64) -> Option<Point> {
    field.place(x, y).map(|[x, y, z]| [x, y + LIFT, z])
}

/// A piece of a track between two of its points: seen parts bold, hidden parts faint, none over holes.
fn stretch(
    painter: &egui::Painter,
    theme: &Theme,
    field: &HeightField,
    shown: &surface::Shown,
    (from, to): (&PlaneMark, &PlaneMark),
    colour: Color32,
) {
    let mut run: (bool, Vec<Pos2>) = (false, Vec::new());
    let draw = |(hidden, points): (bool, Vec<Pos2>)| {
        if points.len() < 2 {
            return;
        }
        if hidden {
            painter.add(Shape::dotted_line(&points, Theme::faint(colour, 0.55), 4.0, 0.8));
        } else {
            map::haloed(painter, theme, points, colour);
        }
    };
    for piece in 0..=PIECES {
        let share = piece as f64 / PIECES as f64;
        let (x, y) = (from.x + share * (to.x - from.x), from.y + share * (to.y - from.y));
        let place = lifted(field, x, y).and_then(|place| Some((shown.hides(field, place), shown.project(place)?)));
        match place {
            Some((hidden, at)) if hidden == run.0 || run.1.is_empty() => {
                run.0 = hidden;
                run.1.push(at);
            }
            Some((hidden, at)) => {
                // The pieces meet where one begins to be hidden.
                run.1.push(at);
                draw(std::mem::replace(&mut run, (hidden, vec![at])));
            }
            None => draw(std::mem::take(&mut run)),
        }
    }
    draw(run);
}

/// The floor's edges and the four posts of the box around the surface, behind it.
fn frame(theme: &Theme, field: &HeightField, shown: &surface::Shown) -> Shape {
    let [x, z] = field.reach();
    let stroke = Stroke::new(1.0, theme.line());
    let corners = [[-x, -z], [x, -z], [x, z], [-x, z]];
    let line = |from: Point, to: Point| {
        let ends = [shown.project(from)?, shown.project(to)?];
        Some(Shape::line_segment(ends, stroke))
    };
    let mut lines = Vec::with_capacity(12);
    for (index, [x, z]) in corners.into_iter().enumerate() {
        let [next_x, next_z] = corners[(index + 1) % 4];
        lines.extend(line([x, 0.0, z], [next_x, 0.0, next_z]));
        lines.extend(line([x, 0.0, z], [x, RELIEF, z]));
    }
    Shape::Vec(lines)
}

/// Heights with their values, at the post that stands farthest to the left.
fn scale(ui: &Ui, theme: &Theme, scene: &Scene, shown: &surface::Shown, labels: &mut Labels) {
    let [x, z] = scene.field.reach();
    let at = |corner: &[f32; 2], y: f32| shown.project([corner[0], y, corner[1]]);
    let corners = [[-x, -z], [x, -z], [x, z], [-x, z]];
    let left = |corner: &[f32; 2]| at(corner, 0.0).map_or(f32::INFINITY, |at| at.x);
    let Some(post) = corners.into_iter().min_by(|a, b| left(a).total_cmp(&left(b))) else { return };
    let Some((foot, top)) = at(&post, 0.0).zip(at(&post, RELIEF)) else { return };
    let stroke = Stroke::new(1.0, theme.muted());
    ui.painter().line_segment([foot, top], stroke);
    let quantity = scene.key.quantity;
    let levels = scene.levels.iter().map(|(level, _)| *level);
    for value in [scene.scale.low, scene.scale.high].into_iter().chain(levels) {
        let Some(at) = at(&post, scene.scale.height(value) as f32 * RELIEF) else { continue };
        let rounded = value != scene.scale.low && value != scene.scale.high;
        let text = if rounded { short(value, quantity.score) } else { quantity.told(value) };
        let text_at = at - vec2(6.0 + 3.6 * text.chars().count() as f32, 0.0);
        if labels.put_on(text_at, &text, theme.muted()) {
            ui.painter().line_segment([at, at - vec2(5.0, 0.0)], stroke);
        }
    }
}

/// The picked point: a needle that stands on it.
fn pin(ui: &Ui, theme: &Theme, field: &HeightField, shown: &surface::Shown, place: Point) {
    let head = [place[0], place[1] + 0.16, place[2]];
    let (Some(foot), Some(head)) = (shown.project(place), shown.project(head)) else { return };
    let painter = ui.painter().with_clip_rect(shown.rect);
    let seen = if shown.hides(field, place) { 0.4 } else { 1.0 };
    for (width, colour) in [(4.0, theme.ground()), (2.0, theme.accent())] {
        painter.line_segment([foot, head], Stroke::new(width, Theme::faint(colour, seen)));
    }
    painter.circle(head, 5.5, theme.accent(), Stroke::new(1.5, theme.ground()));
}
