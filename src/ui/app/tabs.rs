//! One tab of the docking area: its title, a line where it is the one in front, and a button that closes it.

use crate::ui::theme::Theme;
use egui::{
    Align2, CursorIcon, Id, Rect, Response, Role, Sense, Stroke, StrokeKind, TextStyle, TextWrapMode, Ui, Vec2,
    WidgetInfo, WidgetText, vec2,
};
use egui_tiles::TabState;

/// Room on both sides of the title.
const MARGIN: f32 = 10.0;
/// Side of the close button.
const CLOSE: f32 = 16.0;

/// What somebody did to a tab.
pub struct Tab {
    pub response: Response,
    pub close: bool,
}

/// Draws a tab and listens to it; `id` is the one the tree drags it by.
pub fn tab(ui: &mut Ui, theme: &Theme, id: Id, title: &str, state: &TabState) -> Tab {
    let font = TextStyle::Button.resolve(ui.style());
    let galley = WidgetText::from(title).into_galley(ui, Some(TextWrapMode::Extend), f32::INFINITY, font);
    let for_button = if state.closable { CLOSE + 4.0 } else { 0.0 };
    let size = vec2(galley.size().x + 2.0 * MARGIN + for_button, ui.available_height());
    let (_, area) = ui.allocate_space(size);
    let response = ui.interact(area, id, Sense::click_and_drag()).on_hover_cursor(CursorIcon::Grab);
    response.widget_info(|| WidgetInfo::selected(Role::Button, ui.is_enabled(), state.active, title));
    if !state.is_being_dragged {
        let painter = ui.painter();
        if state.active {
            painter.rect_filled(area, 0.0, theme.ground());
            let line = Rect::from_min_size(area.left_top(), vec2(area.width(), 2.0));
            painter.rect_filled(line, 0.0, theme.accent());
        } else if response.hovered() {
            painter.rect_filled(area, 0.0, Theme::faint(theme.line(), 0.5));
        }
        if response.has_focus() {
            painter.rect_stroke(area.shrink(1.0), 2.0, Stroke::new(1.5, theme.accent()), StrokeKind::Inside);
        }
        let colour = if state.active { theme.text() } else { theme.muted() };
        let place = Align2::LEFT_CENTER.align_size_within_rect(galley.size(), area.shrink2(vec2(MARGIN, 0.0)));
        painter.galley_with_override_text_color(place.min, galley, colour);
    }
    let close = state.closable && close_button(ui, theme, area, title, state);
    let close = close || response.middle_clicked() && state.closable;
    Tab { response, close }
}

fn close_button(ui: &mut Ui, theme: &Theme, tab: Rect, title: &str, state: &TabState) -> bool {
    let area = Align2::RIGHT_CENTER.align_size_within_rect(Vec2::splat(CLOSE), tab.shrink2(vec2(MARGIN * 0.6, 0.0)));
    let id = ui.make_persistent_id(("close", title));
    let response = ui.interact(area, id, Sense::click()).on_hover_text(format!("Close {title}"));
    response.widget_info(|| WidgetInfo::labeled(Role::Button, ui.is_enabled(), format!("Close {title}")));
    if !state.is_being_dragged {
        let lit = response.hovered() || response.has_focus();
        if lit {
            ui.painter().rect_filled(area, 3.0, theme.line());
        }
        let colour = if lit { theme.text() } else { Theme::faint(theme.muted(), if state.active { 0.9 } else { 0.5 }) };
        let (cross, stroke) = (area.shrink(4.5), Stroke::new(1.25, colour));
        ui.painter().line_segment([cross.left_top(), cross.right_bottom()], stroke);
        ui.painter().line_segment([cross.right_top(), cross.left_bottom()], stroke);
    }
    response.clicked()
}
