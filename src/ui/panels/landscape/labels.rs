//! Names beside marks, where there is room for them.

use crate::ui::theme::Theme;
use egui::{Color32, Painter, Pos2, Rect, TextStyle, Ui, Vec2, vec2};

/// Places that are taken already.
pub struct Labels {
    painter: Painter,
    bounds: Rect,
    font: egui::FontId,
    ground: Color32,
    taken: Vec<Rect>,
}

impl Labels {
    #[must_use]
    pub fn new(ui: &Ui, theme: &Theme, bounds: Rect) -> Self {
        let font = TextStyle::Small.resolve(ui.style());
        let painter = ui.painter().with_clip_rect(bounds);
        Self { painter, bounds, font, ground: Theme::faint(theme.card(), 0.85), taken: Vec::new() }
    }

    /// Keeps a place free.
    pub fn keep(&mut self, middle: Pos2, radius: f32) {
        self.taken.push(Rect::from_center_size(middle, Vec2::splat(2.0 * radius)));
    }

    /// Writes a name near a place, or nowhere if there is no room; says whether it did.
    pub fn put(&mut self, at: Pos2, gap: f32, text: &str, colour: Color32) -> bool {
        let half = self.size(text) / 2.0 + Vec2::splat(gap);
        let (x, y) = (half.x, half.y);
        let tries = [
            vec2(x, 0.0),
            vec2(-x, 0.0),
            vec2(0.0, -y),
            vec2(0.0, y),
            vec2(x, -y),
            vec2(-x, -y),
            vec2(x, y),
            vec2(-x, y),
        ];
        self.write(tries.into_iter().map(|by| at + by), text, colour)
    }

    /// Writes a name on a place; says whether there was room.
    pub fn put_on(&mut self, at: Pos2, text: &str, colour: Color32) -> bool {
        self.write(std::iter::once(at), text, colour)
    }

    fn size(&self, text: &str) -> Vec2 {
        let galley = self.painter.layout_no_wrap(text.to_string(), self.font.clone(), self.ground);
        galley.size() + vec2(6.0, 2.0)
    }

    fn write(&mut self, mut middles: impl Iterator<Item = Pos2>, text: &str, colour: Color32) -> bool {
        let galley = self.painter.layout_no_wrap(text.to_string(), self.font.clone(), colour);
        let size = galley.size() + vec2(6.0, 2.0);
        let room = middles.find_map(|middle| {
            let rect = Rect::from_center_size(middle, size);
            let free = self.bounds.contains_rect(rect) && self.taken.iter().all(|taken| !taken.intersects(rect));
            free.then_some(rect)
        });
        if let Some(rect) = room {
            self.painter.rect_filled(rect, 3.0, self.ground);
            self.painter.galley(rect.min + vec2(3.0, 1.0), galley, colour);
            self.taken.push(rect);
        }
        room.is_some()
    }
}
