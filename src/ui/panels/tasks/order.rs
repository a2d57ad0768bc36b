//! Dragging a card to another place of the stream.

use super::Change;
use super::icon::Icon;
use crate::ui::theme::Theme;
use egui::{DragAndDrop, Rect, Role, Sense, Stroke, Ui, WidgetInfo, vec2};

/// The card that is being dragged, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dragged(usize);

/// Height at the list's edges in which it scrolls while a card is dragged.
const EDGE: f32 = 28.0;
/// Points that it then scrolls in a frame.
const SCROLL: f32 = 6.0;

/// Where a card is taken hold of.
pub(super) fn grip(ui: &mut Ui, theme: &Theme, place: usize, name: &str) {
    let (area, response) = ui.allocate_exact_size(vec2(14.0, Theme::TARGET), Sense::drag());
    response.dnd_set_drag_payload(Dragged(place));
    let colour = if response.hovered() || response.dragged() { theme.text() } else { theme.muted() };
    Icon::Grip.paint(ui.painter(), Rect::from_center_size(area.center(), vec2(18.0, 18.0)), colour);
    response.widget_info(|| WidgetInfo::labeled(Role::Button, true, format!("Drag {name} to another place")));
}

/// Is this card being dragged?
pub(super) fn is_dragged(ui: &Ui, place: usize) -> bool {
    DragAndDrop::payload::<Dragged>(ui.ctx()).is_some_and(|dragged| dragged.0 == place)
}

/// Shows where a dragged card would go; the move when it is let go. `cards` are the cards' places on the screen.
pub(super) fn drop(ui: &Ui, theme: &Theme, cards: &[Rect]) -> Option<Change> {
    let dragged = DragAndDrop::payload::<Dragged>(ui.ctx())?.0;
    let pointer = ui.ctx().pointer_interact_pos()?;
    let list = ui.clip_rect();
    if !list.x_range().contains(pointer.x) {
        return None;
    }
    let gap = cards.iter().filter(|card| card.center().y < pointer.y).count();
    let to = if gap > dragged { gap - 1 } else { gap };
    if ui.input(|input| input.pointer.any_released()) {
        DragAndDrop::take_payload::<Dragged>(ui.ctx());
        return (to != dragged).then_some(Change::Move(dragged, to));
    }
    if to != dragged {
        let y = match (gap.checked_sub(1).and_then(|above| cards.get(above)), cards.get(gap)) {
            (Some(above), Some(below)) => f32::midpoint(above.bottom(), below.top()),
            (Some(above), None) => above.bottom() + Theme::GAP / 2.0,
            (None, Some(below)) => below.top() - Theme::GAP / 2.0,
            (None, None) => return None,
        };
        let width = cards.first().map_or(list.x_range(), Rect::x_range);
        ui.painter().hline(width, y, Stroke::new(3.0, theme.accent()));
    }
    if pointer.y < list.top() + EDGE {
        ui.scroll_with_delta(vec2(0.0, SCROLL));
    } else if pointer.y > list.bottom() - EDGE {
        ui.scroll_with_delta(vec2(0.0, -SCROLL));
    }
    None
}
