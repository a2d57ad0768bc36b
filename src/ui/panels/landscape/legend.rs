//! What the colours, lines and dots of a plane mean.

use super::map::{short, track_colour};
use super::scene::Scene;
use crate::engine::landscape_report::PlaneReport;
use crate::ui::theme::Theme;
use egui::{Align2, Mesh, Rect, RichText, Sense, Shape, Stroke, TextStyle, Ui, WidgetInfo, pos2, vec2};

/// Widest bar.
const WIDEST: f32 = 420.0;
/// Colours of the bar.
const SHADES: usize = 64;

pub fn show(ui: &mut Ui, theme: &Theme, report: &PlaneReport, scene: &Scene) {
    let (scale, quantity) = (&scene.scale, scene.key.quantity);
    let spacing = if scale.log { "logarithmic" } else { "linear" };
    let unit = if quantity.score { "" } else { ", nats" };
    let name = format!("{}{unit} ({spacing})", quantity.name(report));
    ui.label(RichText::new(&name).small().color(theme.muted()));
    let text = ui.text_style_height(&TextStyle::Small);
    let size = vec2(ui.available_width().min(WIDEST), 14.0 + text + 6.0);
    let (area, response) = ui.allocate_exact_size(size, Sense::hover());
    let ends = [scale.low, scale.high].map(|value| quantity.told(value));
    let bound = |cut: bool, word: &str, told: &str| if cut { format!("{word} {told}") } else { told.to_string() };
    let ends = [bound(scale.cut[0], "up to", &ends[0]), bound(scale.cut[1], "from", &ends[1])];
    let words = format!("Colours: {name}, from {} to {}", ends[0], ends[1]);
    response.widget_info(|| WidgetInfo::labeled(egui::Role::Image, true, &words));
    let bar = Rect::from_min_size(area.min, vec2(area.width(), 12.0));
    let mut mesh = Mesh::default();
    for shade in 0..SHADES {
        let [from, to] = [shade, shade + 1].map(|edge| bar.left() + bar.width() * edge as f32 / SHADES as f32);
        let place = (shade as f64 + 0.5) / SHADES as f64;
        // The bar rises from left to right in value, whichever end is bright.
        let share = if scale.shade(scale.low) > scale.shade(scale.high) { 1.0 - place } else { place };
        mesh.add_colored_rect(
            Rect::from_min_max(pos2(from, bar.top()), pos2(to, bar.bottom())),
            theme.heat(Some(share)),
        );
    }
    let painter = ui.painter();
    painter.add(Shape::mesh(mesh));
    let font = TextStyle::Small.resolve(ui.style());
    let below = bar.bottom() + 5.0;
    let first = painter.text(pos2(bar.left(), below), Align2::LEFT_TOP, &ends[0], font.clone(), theme.muted());
    let last = painter.text(pos2(bar.right(), below), Align2::RIGHT_TOP, &ends[1], font.clone(), theme.muted());
    let mut taken = vec![first.expand(4.0), last.expand(4.0)];
    for (level, _) in &scene.levels {
        let x = bar.left() + bar.width() * scale.height(*level) as f32;
        painter.line_segment([pos2(x, bar.bottom()), pos2(x, bar.bottom() + 4.0)], Stroke::new(1.0, theme.muted()));
        let galley = painter.layout_no_wrap(short(*level, quantity.score), font.clone(), theme.muted());
        let rect = Rect::from_min_size(pos2(x - galley.size().x / 2.0, below), galley.size());
        if taken.iter().all(|taken| !taken.intersects(rect)) {
            painter.galley(rect.min, galley, theme.muted());
            taken.push(rect.expand(4.0));
        }
    }
    marks(ui, theme, report);
}

/// Tracks, their dots, and adapters.
fn marks(ui: &mut Ui, theme: &Theme, report: &PlaneReport) {
    ui.horizontal_wrapped(|ui| {
        for (index, track) in report.tracks.iter().enumerate() {
            let (rect, _) = ui.allocate_exact_size(vec2(22.0, Theme::TARGET), Sense::hover());
            let stroke = Stroke::new(2.5, track_colour(theme, track, index));
            ui.painter().line_segment([rect.left_center(), rect.right_center()], stroke);
            ui.painter().circle_filled(rect.center(), Theme::DOT, theme.task(0));
            let name = track.name.replace("long_term", "slow learner").replace("working", "fast learner");
            ui.label(name).on_hover_text("One dot after each task, in the task's colour.");
        }
        if !report.anchors.is_empty() {
            let (rect, _) = ui.allocate_exact_size(vec2(14.0, Theme::TARGET), Sense::hover());
            ui.painter().circle_filled(rect.center(), 5.0, theme.text());
            ui.label("adapter in the plane");
        }
        if report.anchors.iter().any(|mark| super::map::off_plane(report, mark)) {
            let (rect, _) = ui.allocate_exact_size(vec2(14.0, Theme::TARGET), Sense::hover());
            ui.painter().circle_stroke(rect.center(), 4.5, Stroke::new(2.0, theme.text()));
            ui.label("beside it, projected");
        }
    });
}
