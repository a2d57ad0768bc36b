//! Small painted signs for buttons: no font has to have them.

use egui::{Atom, AtomPaintArgs, Pos2, Rect, Shape, Ui, Vec2, pos2};

/// What a button does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Icon {
    Play,
    Pause,
    Step,
    Stop,
}

/// Side in points.
const SIDE: f32 = 10.0;

/// The sign, in the colour of the text beside it.
#[must_use]
pub fn icon(icon: Icon) -> Atom<'static> {
    Atom::paint(Vec2::splat(SIDE), move |ui, arguments| paint(icon, ui, &arguments))
}

/// Paints a sign.
pub fn paint(icon: Icon, ui: &Ui, arguments: &AtomPaintArgs) {
    let (area, colour, painter) = (arguments.rect, arguments.fallback_text_color, ui.painter());
    let triangle = |left: f32, right: f32| {
        let corners: Vec<Pos2> = vec![pos2(left, area.top()), pos2(right, area.center().y), pos2(left, area.bottom())];
        painter.add(Shape::convex_polygon(corners, colour, egui::Stroke::NONE));
    };
    let bar = |left: f32| {
        painter.rect_filled(Rect::from_min_size(pos2(left, area.top()), Vec2::new(3.0, area.height())), 1.0, colour);
    };
    match icon {
        Icon::Play => triangle(area.left() + 1.0, area.right()),
        Icon::Pause => {
            bar(area.left() + 1.0);
            bar(area.right() - 4.0);
        }
        Icon::Step => {
            triangle(area.left(), area.right() - 3.0);
            bar(area.right() - 3.0);
        }
        Icon::Stop => {
            painter.rect_filled(area.shrink(1.0), 1.5, colour);
        }
    }
}
