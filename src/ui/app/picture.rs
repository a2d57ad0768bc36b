//! Pictures of a part of the window, as PNG.

use egui::{ColorImage, Context};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use image::{ExtendedColorType, ImageEncoder as _};
use std::sync::{Arc, Mutex, PoisonError};

/// A picture that was taken: suggested name, rectangle in points, pixels a point, pixels.
struct Taken {
    name: String,
    area: [f32; 4],
    pixels_per_point: f32,
    image: Arc<ColorImage>,
}

/// Pictures that were asked for and have come.
#[derive(Clone, Default)]
pub struct Pictures {
    taken: Arc<Mutex<Vec<Taken>>>,
}

impl Pictures {
    /// Asks for a picture of the next frame.
    pub fn request(&self, ctx: &Context, name: String, area: [f32; 4]) {
        let (taken, wake, pixels_per_point) = (Arc::clone(&self.taken), ctx.clone(), ctx.pixels_per_point());
        ctx.request_screenshot(move |image| {
            let picture = Taken { name, area, pixels_per_point, image };
            taken.lock().unwrap_or_else(PoisonError::into_inner).push(picture);
            wake.request_repaint();
        });
    }

    /// The pictures that have come, with their names, or why one could not be made.
    pub fn poll(&self) -> Vec<Result<(String, Vec<u8>), String>> {
        let taken = std::mem::take(&mut *self.taken.lock().unwrap_or_else(PoisonError::into_inner));
        taken.into_iter().map(|picture| encode(&picture).map(|bytes| (picture.name, bytes))).collect()
    }
}

/// First and last pixel of a stretch of points.
fn pixels(from: f32, to: f32, scale: f32, limit: usize) -> (usize, usize) {
    let place = |points: f32| ((points * scale).round().max(0.0) as usize).min(limit);
    (place(from), place(to))
}

fn encode(picture: &Taken) -> Result<Vec<u8>, String> {
    let [width, height] = picture.image.size;
    let [left, top, right, bottom] = picture.area;
    let (left, right) = pixels(left, right, picture.pixels_per_point, width);
    let (top, bottom) = pixels(top, bottom, picture.pixels_per_point, height);
    if right <= left || bottom <= top {
        return Err(format!(
            "{} was not made: what it should show is out of sight. Make the panel larger",
            picture.name
        ));
    }
    let mut bytes = Vec::with_capacity((right - left) * (bottom - top) * 4);
    for row in top..bottom {
        let line = picture.image.pixels.get(row * width + left..row * width + right).unwrap_or_default();
        bytes.extend(line.iter().flat_map(egui::Color32::to_srgba_unmultiplied));
    }
    let mut file = Vec::new();
    // Fast, as it is done between two frames.
    PngEncoder::new_with_quality(&mut file, CompressionType::Fast, FilterType::Adaptive)
        .write_image(&bytes, (right - left) as u32, (bottom - top) as u32, ExtendedColorType::Rgba8)
        .map_err(|error| format!("{} was not made: {error}", picture.name))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::Color32;

    fn taken(area: [f32; 4]) -> Taken {
        let pixels = (0..40 * 20).map(|index| Color32::from_rgb((index % 40) as u8, (index / 40) as u8, 7)).collect();
        let image = Arc::new(ColorImage::new([40, 20], pixels));
        Taken { name: "p.png".into(), area, pixels_per_point: 2.0, image }
    }

    #[test]
    fn the_rectangle_is_cut_out_at_the_screens_scale() {
        let png = encode(&taken([5.0, 2.0, 12.0, 6.0])).unwrap();
        let read = image::load_from_memory(&png).unwrap().to_rgba8();
        assert_eq!((read.width(), read.height()), (14, 8));
        assert_eq!(read.get_pixel(0, 0).0, [10, 4, 7, 255]);
        assert_eq!(read.get_pixel(13, 7).0, [23, 11, 7, 255]);
    }

    #[test]
    fn a_rectangle_outside_is_cut_to_the_window_or_refused() {
        let png = encode(&taken([-5.0, -5.0, 500.0, 500.0])).unwrap();
        assert_eq!(image::load_from_memory(&png).unwrap().width(), 40);
        assert!(encode(&taken([100.0, 0.0, 200.0, 10.0])).unwrap_err().contains("out of sight"));
    }
}
