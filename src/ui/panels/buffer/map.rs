//! The items in two dimensions: neighbours are items that the model sees alike.

use super::Scene;
use super::choice::{Choice, Wish};
use super::dots::{mark_chosen, mark_pointed, rings, told};
use super::hint;
use super::reading::{counted, grouped};
use super::sprite::DiscSprite;
use crate::engine::protocol::Command;
use crate::engine::protocol::buffer::BufferMap;
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Color32, Key, Modifiers, Response, RichText, Role, Shape, Ui, Vec2, WidgetInfo};
use egui_plot::{Plot, PlotPoint, PlotTransform, PlotUi};
use std::collections::HashMap;

/// How far from a dot the pointer may be, in points.
const REACH: f32 = 9.0;
/// How long an asked map is waited for before the note goes.
const PATIENCE_SECS: f64 = 30.0;

/// An item on the map.
#[derive(Clone, Copy, Debug)]
struct Placed {
    id: u64,
    at: PlotPoint,
    colour: Color32,
    ring: Option<[Color32; 2]>,
}

/// Which map it is.
#[derive(Clone, Copy, PartialEq)]
struct MapKey {
    run: usize,
    step: u64,
    points: usize,
}

/// The map's view.
#[derive(Default)]
pub struct MapView {
    sprite: DiscSprite,
    key: Option<MapKey>,
    /// Where the map has each item.
    places: HashMap<u64, [f32; 2]>,
    /// The version of the arrangement that the items were placed by.
    version: u64,
    placed: Vec<Placed>,
    /// Least and greatest place on each axis, of all items.
    extent: Option<[[f64; 2]; 2]>,
    /// Items that came after the map was made.
    missing: usize,
    /// When a map was asked for, and the step of the one that was there.
    asked: Option<(f64, Option<u64>)>,
}

impl MapView {
    /// Draws the map and says what its keys asked for.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        choice: &mut Choice,
        context: &mut Context<'_>,
        height: f32,
    ) -> Option<Wish> {
        let top = ui.cursor().min.y;
        if let Some(map) = &scene.run.buffer.map {
            self.refresh(scene, map);
        }
        self.head(ui, scene, context);
        let map = scene.run.buffer.map.as_ref()?;
        let height = (height - (ui.cursor().min.y - top)).max(120.0);
        self.plot(ui, scene, choice, map, height)
    }

    /// The button and what is known of the map.
    fn head(&mut self, ui: &mut Ui, scene: &Scene<'_>, context: &mut Context<'_>) {
        let (map, theme) = (scene.run.buffer.map.as_ref(), scene.theme);
        let known = map.map(|map| map.step);
        if let Some((since, before)) = self.asked
            && (before != known || context.now_secs - since > PATIENCE_SECS)
        {
            self.asked = None;
        }
        ui.horizontal_wrapped(|ui| {
            let label = if map.is_some() { "Compute map again" } else { "Compute map" };
            let button = ui.add_enabled(scene.editable, egui::Button::new(label));
            let button = button.on_hover_text(
                "Runs every item through the model and places it by the two directions in which its last hidden states \
                 differ most (PCA). The run waits meanwhile.",
            );
            if button.on_disabled_hover_text("A map needs the model of a running or paused run.").clicked() {
                self.asked = Some((context.now_secs, known));
                context.send(Command::MapBuffer);
            }
            if self.asked.is_some() {
                ui.label("Computing the map…");
                ui.ctx().request_repaint_after(std::time::Duration::from_secs(1));
            }
            let Some(map) = map else {
                let why = if scene.editable {
                    "No map yet. It shows which items the model sees alike."
                } else {
                    "No map was made, and a map needs the model of a running or paused run."
                };
                ui.label(RichText::new(why).color(theme.muted()));
                return;
            };
            let whose = match map.learner.as_str() {
                "working" => "the fast learner (working)",
                "long_term" => "the slow learner (long-term)",
                "base" => "the base model",
                _ => "the model",
            };
            ui.label(
                RichText::new(format!("Step {}, hidden states of {whose}.", grouped(map.step))).color(theme.muted()),
            );
            if self.missing > 0 {
                let came = counted(self.missing as u64, "item has", "items have");
                ui.label(RichText::new(format!("{came} come since and cannot be shown.")).color(theme.warning()));
            } else if scene.run.buffer.step > map.step {
                ui.label(RichText::new("The model has moved on since.").color(theme.muted()));
            }
        });
    }

    /// Puts the shown items on their places, when either has changed.
    fn refresh(&mut self, scene: &Scene<'_>, map: &BufferMap) {
        let key = MapKey { run: scene.run.number, step: map.step, points: map.points.len() };
        let same_map = self.key == Some(key);
        if !same_map {
            self.key = Some(key);
            let finite = |(_, at): &(u64, [f32; 2])| at.iter().all(|value| value.is_finite());
            self.places = map.points.iter().copied().filter(finite).collect();
            let range = |axis: fn(&[f32; 2]) -> f32| {
                let values = || self.places.values().map(axis).map(f64::from);
                [values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)]
            };
            self.extent = (!self.places.is_empty()).then(|| [range(|[x, _]| *x), range(|[_, y]| *y)]);
        }
        if same_map && self.version == scene.arrangement.version {
            return;
        }
        self.version = scene.arrangement.version;
        let row = |row: &super::arrangement::Row| {
            let [x, y] = *self.places.get(&row.id)?;
            let ring = row.pinned.then(|| rings(scene.theme, row.goes));
            Some(Placed { id: row.id, at: PlotPoint::new(x, y), colour: row.colour, ring })
        };
        self.placed = scene.arrangement.rows.iter().filter_map(row).collect();
        // Rings on top, or they would be hidden where items lie close.
        self.placed.sort_by_key(|placed| placed.ring.is_some());
        self.missing = scene.run.buffer.items.keys().filter(|id| !self.places.contains_key(id)).count();
    }

    /// Radius of the dots: smaller where there are many.
    fn radius(&self) -> f32 {
        match self.placed.len() {
            0..=1_000 => Theme::DOT,
            1_001..=4_000 => Theme::DOT * 0.75,
            _ => Theme::DOT * 0.6,
        }
    }

    fn plot(
        &mut self,
        ui: &mut Ui,
        scene: &Scene<'_>,
        choice: &mut Choice,
        map: &BufferMap,
        height: f32,
    ) -> Option<Wish> {
        let axis = |number: usize, share: f64| {
            format!("Component {number} ({:.0} % of the variance)", if share.is_finite() { share * 100.0 } else { 0.0 })
        };
        let [first, second] = map.explained;
        let mut plot = Plot::new("buffer map")
            .height(height)
            .data_aspect(1.0)
            .allow_scroll(false)
            .allow_boxed_zoom(false)
            .show_x(false)
            .show_y(false)
            .label_formatter(|_| None)
            .grid_color(scene.theme.line())
            .set_margin_fraction(Vec2::splat(0.06))
            .x_axis_label(axis(1, first))
            .y_axis_label(axis(2, second));
        if let Some([[left, right], [low, high]]) = self.extent {
            plot = plot.include_x(left).include_x(right).include_y(low).include_y(high);
        }
        let wheel = scene.wide;
        let drawn = plot.show(ui, move |plot| zoom(plot, wheel));
        let (response, transform) = (drawn.response, drawn.transform);
        response.widget_info(|| {
            let mut info = WidgetInfo::labeled(Role::Canvas, true, "Items on the map");
            info.current_text_value = Some(told(scene, choice));
            info
        });
        self.paint(ui, &transform);
        let painter = ui.painter().with_clip_rect(*transform.frame());
        if let Some(placed) = choice.id.and_then(|id| self.placed.iter().find(|placed| placed.id == id)) {
            mark_chosen(&painter, transform.position_from_point(&placed.at), self.radius(), scene.theme);
        }
        choice.reveal = false;
        if let Some(placed) = self.pointed(&response, &transform) {
            mark_pointed(&painter, transform.position_from_point(&placed.at), self.radius(), scene.theme);
            if response.clicked() {
                choice.choose(placed.id);
                response.request_focus();
            }
            hint::show(scene, &response, placed.id);
        }
        super::focus_frame(ui, &response, *transform.frame(), scene.theme);
        choice.keys(ui, &response, 1, 10, &scene.arrangement.rows)
    }

    fn paint(&mut self, ui: &Ui, transform: &PlotTransform) {
        let disc = self.sprite.disc(ui.ctx(), self.radius());
        let mut mesh = disc.mesh();
        let seen = transform.frame().expand(Theme::DOT);
        for placed in &self.placed {
            let at = transform.position_from_point(&placed.at);
            if seen.contains(at) {
                disc.push_item(&mut mesh, at, placed.colour, placed.ring);
            }
        }
        ui.painter().with_clip_rect(*transform.frame()).add(Shape::mesh(mesh));
    }

    /// The item nearest to the pointer, if one is in reach.
    fn pointed(&self, response: &Response, transform: &PlotTransform) -> Option<&Placed> {
        let pointer = response.hover_pos()?;
        let distance = |placed: &&Placed| transform.position_from_point(&placed.at).distance(pointer);
        let nearest = self.placed.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)))?;
        (distance(&nearest) <= REACH).then_some(nearest)
    }
}

/// The wheel zooms around the pointer; plus, minus and 0 zoom by keys.
fn zoom(plot: &mut PlotUi<'_>, wheel: bool) {
    let response = plot.response().clone();
    if wheel && response.hovered() {
        let turned = response.ctx.input(|input| input.smooth_scroll_delta().y);
        if turned != 0.0 {
            plot.zoom_bounds_around_hovered(Vec2::splat((turned / 200.0).exp()));
        }
    }
    if response.has_focus() {
        let pressed = |key: Key| response.ctx.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        let centre = plot.plot_bounds().center();
        if pressed(Key::Plus) || pressed(Key::Equals) {
            plot.zoom_bounds(Vec2::splat(1.25), centre);
        }
        if pressed(Key::Minus) {
            plot.zoom_bounds(Vec2::splat(0.8), centre);
        }
        if pressed(Key::Num0) {
            plot.set_auto_bounds(true);
        }
    }
}
