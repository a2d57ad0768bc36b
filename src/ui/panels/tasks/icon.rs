//! Small buttons with a painted sign, named for the keyboard and for screen readers.

use crate::ui::theme::Theme;
use egui::{Color32, Painter, Rect, Response, Role, Sense, Shape, Stroke, Ui, WidgetInfo, pos2, vec2};

/// What is painted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Icon {
    Up,
    Down,
    Remove,
    /// Two columns of dots: something to take hold of.
    Grip,
    /// Points to the right: closed, or forward.
    Closed,
    /// Points to the left.
    Back,
    Open,
}

impl Icon {
    /// Paints into a square around the middle of `area`.
    pub(super) fn paint(self, painter: &Painter, area: Rect, colour: Color32) {
        let (middle, unit) = (area.center(), area.width().min(area.height()) * 0.18);
        let at = |x: f32, y: f32| pos2(middle.x + x * unit, middle.y + y * unit);
        let line = Stroke::new(Theme::LINE, colour);
        let bend = |points: [egui::Pos2; 3]| Shape::line(points.to_vec(), line);
        match self {
            Self::Up => {
                painter.add(bend([at(-1.2, 0.6), at(0.0, -0.7), at(1.2, 0.6)]));
            }
            Self::Down | Self::Open => {
                painter.add(bend([at(-1.2, -0.6), at(0.0, 0.7), at(1.2, -0.6)]));
            }
            Self::Closed => {
                painter.add(bend([at(-0.6, -1.2), at(0.7, 0.0), at(-0.6, 1.2)]));
            }
            Self::Back => {
                painter.add(bend([at(0.6, -1.2), at(-0.7, 0.0), at(0.6, 1.2)]));
            }
            Self::Remove => {
                painter.line_segment([at(-1.0, -1.0), at(1.0, 1.0)], line);
                painter.line_segment([at(-1.0, 1.0), at(1.0, -1.0)], line);
            }
            Self::Grip => {
                for x in [-0.6, 0.6] {
                    for y in [-1.4, 0.0, 1.4] {
                        painter.circle_filled(at(x, y), unit * 0.32, colour);
                    }
                }
            }
        }
    }
}

/// A square button with a sign, called `name`.
pub(super) fn button(ui: &mut Ui, icon: Icon, name: &str, enabled: bool) -> Response {
    let sense = if enabled { Sense::click() } else { Sense::hover() };
    let (area, response) = ui.allocate_exact_size(vec2(Theme::TARGET, Theme::TARGET), sense);
    let visuals = if enabled { *ui.style().interact(&response) } else { ui.visuals().widgets.noninteractive };
    if ui.is_rect_visible(area) {
        if enabled && (response.hovered() || response.has_focus()) {
            ui.painter().rect(
                area,
                visuals.corner_radius,
                visuals.weak_bg_fill,
                visuals.bg_stroke,
                egui::StrokeKind::Inside,
            );
        }
        let colour = visuals.fg_stroke.color;
        icon.paint(ui.painter(), area, if enabled { colour } else { Theme::faint(colour, 0.35) });
    }
    response.widget_info(|| WidgetInfo::labeled(Role::Button, enabled, name));
    if enabled { response.on_hover_text(name) } else { response }
}
