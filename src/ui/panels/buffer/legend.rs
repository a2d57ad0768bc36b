//! What the colours mean.

use super::Scene;
use super::reading::{Reading, counted, task_name, tasks_seen, unmeasured};
use crate::ui::theme::Theme;
use egui::{Color32, CornerRadius, Mesh, RichText, Sense, Shape, Ui, pos2, vec2};

/// Width of the colour scale.
const SCALE: f32 = 120.0;
/// Strips that it is drawn with.
const STRIPS: usize = 32;

/// Draws the legend in as many lines as it takes.
pub fn show(ui: &mut Ui, scene: &Scene<'_>, reading: Reading) {
    let (theme, arrangement) = (scene.theme, scene.arrangement);
    let dense = |ui: &mut Ui| {
        if reading == Reading::Task {
            for task in 0..tasks_seen(scene.run) {
                entry(ui, Some(theme.task(task)), &task_name(scene.run, task), theme);
            }
        } else {
            ui.label(RichText::new(capitalised(reading.label(scene.two_learners))).color(theme.muted()));
            let (low, high) = ends(reading, scene);
            ui.label(low);
            gradient(ui, theme);
            ui.label(high);
        }
        if arrangement.unmeasured > 0 {
            let count = counted(arrangement.unmeasured as u64, "item", "items");
            entry(ui, Some(unmeasured(theme)), &format!("not measured yet ({count})"), theme);
        }
        if arrangement.going > 0 {
            let count = counted(arrangement.going as u64, "item", "items");
            entry(ui, Some(Theme::faint(theme.text(), 0.2)), &format!("faint: would go ({count})"), theme);
        }
        if arrangement.pinned > 0 {
            let count = counted(arrangement.pinned as u64, "item", "items");
            entry(ui, None, &format!("ring: pinned ({count})"), theme);
        }
    };
    ui.scope(|ui| {
        ui.spacing_mut().interact_size.y = ui.text_style_height(&egui::TextStyle::Body);
        ui.spacing_mut().item_spacing.x = 10.0;
        ui.horizontal_wrapped(dense);
    });
}

/// What stands at both ends of the scale.
fn ends(reading: Reading, scene: &Scene<'_>) -> (String, String) {
    let scale = scene.arrangement.scale;
    let more = if scale.capped { " or more" } else { "" };
    match reading {
        Reading::Task => (String::new(), String::new()),
        Reading::Age => (format!("{:.0}", scale.low), counted(scale.high.max(0.0) as u64, "step", "steps")),
        Reading::Replays => ("0".into(), format!("{:.0}", scale.high)),
        Reading::LossFast | Reading::LossSlow => ("0".into(), format!("{:.2}{more} nats", scale.high)),
        Reading::Difference => {
            (format!("slow worse by {:.2}{more}", scale.high), format!("fast worse by {:.2}{more}", scale.high))
        }
    }
}

/// With a capital letter.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A swatch (or a ring) with its meaning; the two stay together when the line breaks.
fn entry(ui: &mut Ui, colour: Option<Color32>, text: &str, theme: Theme) {
    let text = egui::WidgetText::from(RichText::new(text).color(theme.text()));
    let galley = text.into_galley(ui, Some(egui::TextWrapMode::Extend), f32::INFINITY, egui::TextStyle::Body);
    let size = vec2(galley.size().x + 2.0 * Theme::DOT + 5.0, galley.size().y);
    let (rect, response) = ui.allocate_exact_size(size, Sense::hover());
    let label = galley.text().to_string();
    response.widget_info(|| egui::WidgetInfo::labeled(egui::Role::Label, true, &label));
    let centre = pos2(rect.min.x + Theme::DOT, rect.center().y);
    match colour {
        Some(colour) => ui.painter().circle_filled(centre, Theme::DOT, colour),
        None => ui.painter().circle_stroke(centre, Theme::DOT, egui::Stroke::new(1.0, theme.text())),
    };
    ui.painter().galley(pos2(rect.min.x + 2.0 * Theme::DOT + 5.0, rect.min.y), galley, theme.text());
}

/// The colour scale from low to high.
fn gradient(ui: &mut Ui, theme: Theme) {
    let height = ui.text_style_height(&egui::TextStyle::Body);
    let (rect, _) = ui.allocate_exact_size(vec2(SCALE, height), Sense::hover());
    let rect = rect.shrink2(vec2(0.0, 2.0));
    let mut mesh = Mesh::default();
    for strip in 0..=STRIPS {
        let share = strip as f32 / STRIPS as f32;
        let colour = theme.heat(Some(f64::from(share)));
        let x = rect.min.x + share * rect.width();
        mesh.colored_vertex(pos2(x, rect.min.y), colour);
        mesh.colored_vertex(pos2(x, rect.max.y), colour);
        if strip > 0 {
            let corner = 2 * strip as u32;
            mesh.add_triangle(corner - 2, corner - 1, corner);
            mesh.add_triangle(corner - 1, corner, corner + 1);
        }
    }
    ui.painter().add(Shape::mesh(mesh));
    let line = egui::Stroke::new(1.0, theme.line());
    ui.painter().rect_stroke(rect, CornerRadius::ZERO, line, egui::StrokeKind::Outside);
}
