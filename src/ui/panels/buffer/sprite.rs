//! Thousands of round dots in one mesh: a small picture of a disc, drawn on as many squares.

use egui::{Color32, ColorImage, Mesh, Pos2, Rect, TextureHandle, TextureOptions, Vec2};

/// A disc of one radius, ready to be drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Disc {
    texture: egui::TextureId,
    /// Half of the picture's side, in points.
    half: f32,
    /// Radius of the disc on it, in points.
    radius: f32,
}

impl Disc {
    /// Adds a dot to a mesh of this disc.
    pub fn push(&self, mesh: &mut Mesh, centre: Pos2, radius: f32, colour: Color32) {
        let half = self.half * radius / self.radius;
        let square = Rect::from_center_size(centre, Vec2::splat(2.0 * half));
        mesh.add_rect_with_uv(square, Rect::from_min_max(Pos2::ZERO, Pos2::new(1.0, 1.0)), colour);
    }

    /// A dot; a pinned one has a ring around it.
    pub fn push_item(&self, mesh: &mut Mesh, centre: Pos2, colour: Color32, ring: Option<[Color32; 2]>) {
        if let Some([line, ground]) = ring {
            self.push(mesh, centre, self.radius + 1.5, line);
            self.push(mesh, centre, self.radius, ground);
            self.push(mesh, centre, self.radius - 1.0, colour);
        } else {
            self.push(mesh, centre, self.radius, colour);
        }
    }

    /// An empty mesh that dots can be added to.
    pub fn mesh(&self) -> Mesh {
        Mesh::with_texture(self.texture)
    }
}

/// Keeps the picture between frames.
#[derive(Default)]
pub struct DiscSprite {
    /// Of this radius in eighths of a pixel.
    kept: Option<(u32, TextureHandle)>,
}

impl DiscSprite {
    /// The disc of this radius in points; its picture is made to the pixel, so that its edge is crisp.
    pub fn disc(&mut self, context: &egui::Context, radius: f32) -> Disc {
        let pixels_per_point = context.pixels_per_point();
        let eighths = (radius * pixels_per_point * 8.0).round().max(8.0) as u32;
        let pixels = eighths as f32 / 8.0;
        // Even, so that a disc around a corner of pixels lies on whole ones.
        let side = 2 * (pixels.ceil() as usize + 1);
        let texture = match &self.kept {
            Some((known, texture)) if *known == eighths => texture.id(),
            _ => {
                let texture = context.load_texture("buffer dot", picture(pixels, side), TextureOptions::LINEAR);
                self.kept.insert((eighths, texture)).1.id()
            }
        };
        Disc { texture, half: side as f32 / 2.0 / pixels_per_point, radius: pixels / pixels_per_point }
    }
}

/// A white disc in the middle, with an edge of one pixel.
fn picture(radius: f32, side: usize) -> ColorImage {
    let middle = side as f32 / 2.0;
    let pixel = |index: usize| {
        let (x, y) = ((index % side) as f32 + 0.5 - middle, (index / side) as f32 + 0.5 - middle);
        let cover = (radius + 0.5 - x.hypot(y)).clamp(0.0, 1.0);
        Color32::from_white_alpha((cover * 255.0).round() as u8)
    };
    ColorImage::new([side, side], (0..side * side).map(pixel).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_covers_the_area_of_the_disc() {
        for radius in [1.5_f32, 4.0, 7.25] {
            let side = (2.0 * radius).ceil() as usize + 2;
            let image = picture(radius, side);
            let cover: f32 = image.pixels.iter().map(|pixel| f32::from(pixel.a()) / 255.0).sum();
            let area = std::f32::consts::PI * radius * radius;
            assert!((cover / area - 1.0).abs() < 0.06, "radius {radius}: {cover} for {area}");
            assert_eq!(image.pixels[0].a(), 0, "corners are empty");
        }
    }
}
