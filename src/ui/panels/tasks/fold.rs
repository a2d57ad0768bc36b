//! A line that opens and closes what stands below it: an arrow and a text that is cut to the width there is.

use super::icon::Icon;
use crate::ui::theme::Theme;
use egui::{
    Rect, Response, RichText, Role, Sense, StrokeKind, TextStyle, TextWrapMode, Ui, WidgetInfo, WidgetText, pos2, vec2,
};

/// Width of the arrow.
const ARROW: f32 = 18.0;

/// Draws the line, `width` wide, under the name `name`; the whole of it can be clicked.
pub(super) fn line(ui: &mut Ui, text: RichText, name: &str, width: f32, open: bool) -> Response {
    let (area, response) = ui.allocate_exact_size(vec2(width.max(40.0), Theme::TARGET), Sense::click());
    let visuals = *ui.style().interact(&response);
    if response.has_focus() {
        ui.painter().rect_stroke(area, visuals.corner_radius, visuals.bg_stroke, StrokeKind::Inside);
    }
    let square = Rect::from_center_size(pos2(area.left() + ARROW / 2.0, area.center().y), vec2(ARROW, ARROW));
    let icon = if open { Icon::Open } else { Icon::Closed };
    icon.paint(ui.painter(), square, visuals.fg_stroke.color);
    let whole = text.text().to_string();
    let room = (area.width() - ARROW - 4.0).max(8.0);
    let galley = WidgetText::from(text).into_galley(ui, Some(TextWrapMode::Truncate), room, TextStyle::Button);
    let text_at = pos2(area.left() + ARROW + 2.0, area.center().y - galley.size().y / 2.0);
    let cut = galley.elided;
    ui.painter().galley(text_at, galley, visuals.fg_stroke.color);
    response.widget_info(|| WidgetInfo::selected(Role::Button, true, open, name));
    if cut { response.on_hover_text(whole) } else { response }
}
