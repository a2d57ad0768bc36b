//! A surface one can turn: a height field drawn by `shaders/surface.wgsl`, with the matrix that places other things on it.
//!
//! Drag or arrow keys turn it, the wheel or + and - come closer, Home shows it as at first. The window's frame calls
//! [`install`] once; without it (a window without wgpu) the widget says so instead of drawing.

pub mod camera;
pub mod field;
mod gpu;

use crate::ui::theme::Theme;
use camera::{Camera, Matrix, Point};
use eframe::egui_wgpu::{self, wgpu};
use egui::{Color32, Key, Pos2, Rect, Response, Role, Sense, Ui, Vec2, WidgetInfo};
use field::HeightField;
use gpu::{Drawn, Look, Pipelines};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Radians for one press of an arrow key, and for one point of a drag.
const KEY_TURN: f32 = 0.12;
const DRAG_TURN: f32 = 0.01;
/// Factor of the distance for one press of + or -.
const KEY_ZOOM: f32 = 1.15;

/// What the renderer of the window keeps for all surfaces.
struct Surfaces {
    pipelines: Pipelines,
    drawn: BTreeMap<u64, Drawn>,
}

fn installed() -> egui::Id {
    egui::Id::unique("surfaces can be drawn")
}

/// Makes surfaces drawable in this window: to be called once, when the window is made.
pub fn install(ctx: &egui::Context, state: &egui_wgpu::RenderState) {
    let pipelines = Pipelines::new(&state.device, state.target_format);
    state.renderer.write().callback_resources.insert(Surfaces { pipelines, drawn: BTreeMap::new() });
    ctx.data_mut(|data| data.insert_temp(installed(), true));
}

/// Nine colours of the theme's heat, for the shader.
fn palette(theme: &Theme) -> [Color32; 9] {
    std::array::from_fn(|index| theme.heat(Some(index as f64 / 8.0)))
}

/// Where the eye of one view is.
#[derive(Clone, Debug, Default)]
pub struct SurfaceView {
    pub camera: Camera,
}

/// A surface that was shown.
pub struct Shown {
    pub response: Response,
    pub rect: Rect,
    matrix: Matrix,
    eye: Point,
    /// Whether there is a renderer that draws it.
    pub drawn: bool,
}

impl Shown {
    /// Where a place in the scene is in the window.
    #[must_use]
    pub fn project(&self, place: Point) -> Option<Pos2> {
        let [x, y, _] = camera::project(&self.matrix, place)?;
        Some(self.rect.min + Vec2::new(x * self.rect.width(), y * self.rect.height()))
    }

    /// Whether the surface stands before a place on it.
    #[must_use]
    pub fn hides(&self, field: &HeightField, place: Point) -> bool {
        field.covers(place, self.eye)
    }

    /// The grid point nearest to the pointer, at most `within` points away, with the pointer's distance.
    #[must_use]
    pub fn nearest(&self, field: &HeightField, pointer: Pos2, within: f32) -> Option<usize> {
        let [columns, rows] = field.size();
        let near = (0..columns * rows).filter_map(|index| {
            let corner = field.corner(index)?;
            let distance = self.project(corner)?.distance(pointer);
            (distance <= within).then_some((index, distance, corner))
        });
        let mut near: Vec<_> = near.collect();
        near.sort_by(|a, b| a.1.total_cmp(&b.1));
        near.iter().find(|(_, _, corner)| !self.hides(field, *corner)).map(|(index, _, _)| *index)
    }
}

impl SurfaceView {
    /// Shows a field. `id` tells surfaces of one window apart, `name` is for people who cannot see it.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        id: u64,
        size: Vec2,
        field: &Arc<HeightField>,
        theme: &Theme,
        name: &str,
    ) -> Shown {
        let (rect, mut response) = ui.allocate_exact_size(size, Sense::click_and_drag());
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, name));
        self.turn(ui, &mut response);
        let matrix = self.camera.matrix(rect.width() / rect.height().max(1.0));
        let drawn = ui.ctx().data(|data| data.get_temp(installed())).unwrap_or(false);
        if drawn && ui.is_rect_visible(rect) {
            let look = Look { matrix, palette: palette(theme) };
            let painted = Painted { id, field: field.clone(), look, rect };
            ui.painter().add(egui_wgpu::Callback::new_paint_callback(rect, painted));
        } else if !drawn {
            let words =
                "This window cannot draw surfaces: it runs without a GPU interface. The map shows the same values.";
            ui.put(rect.shrink(12.0), egui::Label::new(words).wrap().selectable(false));
        }
        Shown { response, rect, matrix, eye: self.camera.eye(), drawn }
    }

    fn turn(&mut self, ui: &Ui, response: &mut Response) {
        let before = self.camera;
        if response.dragged() {
            let by = response.drag_delta();
            self.camera.turn(-by.x * DRAG_TURN, by.y * DRAG_TURN);
        }
        if response.clicked() || response.drag_started() {
            response.request_focus();
        }
        if response.hovered() {
            let (scroll, zoom) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            self.camera.approach(zoom * (scroll * 0.004).exp());
            if scroll != 0.0 {
                // The page stays where it is.
                ui.input_mut(|input| input.smooth_scroll_delta.y = 0.0);
            }
        }
        if response.has_focus() {
            // Arrow keys turn the surface instead of moving on to another control.
            let filter =
                egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..egui::EventFilter::default() };
            ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
            for (key, yaw, pitch) in [
                (Key::ArrowLeft, -KEY_TURN, 0.0),
                (Key::ArrowRight, KEY_TURN, 0.0),
                (Key::ArrowUp, 0.0, KEY_TURN),
                (Key::ArrowDown, 0.0, -KEY_TURN),
            ] {
                let presses = ui.input_mut(|input| input.count_and_consume_key(egui::Modifiers::NONE, key));
                self.camera.turn(yaw * presses as f32, pitch * presses as f32);
            }
            let pressed = |key| ui.input(|input| input.key_pressed(key));
            if pressed(Key::Plus) || pressed(Key::Equals) {
                self.camera.approach(KEY_ZOOM);
            }
            if pressed(Key::Minus) {
                self.camera.approach(1.0 / KEY_ZOOM);
            }
            if pressed(Key::Home) {
                self.camera = Camera::default();
            }
        }
        if self.camera != before {
            response.mark_changed();
        }
    }
}

/// One surface in one frame of the window.
struct Painted {
    id: u64,
    field: Arc<HeightField>,
    look: Look,
    rect: Rect,
}

impl egui_wgpu::CallbackTrait for Painted {
    fn prepare(
        &self,
        device: &wgpu::Device,
        queue: &wgpu::Queue,
        screen: &egui_wgpu::ScreenDescriptor,
        encoder: &mut wgpu::CommandEncoder,
        resources: &mut egui_wgpu::CallbackResources,
    ) -> Vec<wgpu::CommandBuffer> {
        if let Some(Surfaces { pipelines, drawn }) = resources.get_mut::<Surfaces>() {
            let drawn = drawn.entry(self.id).or_insert_with(|| Drawn::new(device, pipelines));
            let pixels = (self.rect * screen.pixels_per_point).round();
            let size = [pixels.width() as u32, pixels.height() as u32];
            drawn.draw((device, queue, encoder), pipelines, &self.field, &self.look, size);
            drawn.cut(queue, pixels, screen.size_in_pixels);
        }
        Vec::new()
    }

    fn paint(
        &self,
        _: egui::PaintCallbackInfo,
        pass: &mut wgpu::RenderPass<'static>,
        resources: &egui_wgpu::CallbackResources,
    ) {
        if let Some(Surfaces { pipelines, drawn }) = resources.get::<Surfaces>()
            && let Some(drawn) = drawn.get(&self.id)
        {
            drawn.show(pass, pipelines);
        }
    }
}

/// Draws a field without a window and reads the picture back.
///
/// # Errors
/// A device that was lost, as a sentence.
pub async fn render_to_image(
    device: &wgpu::Device,
    queue: &wgpu::Queue,
    [width, height]: [u32; 2],
    field: &Arc<HeightField>,
    camera: &Camera,
    theme: &Theme,
) -> Result<egui::ColorImage, String> {
    let pipelines = Pipelines::new(device, wgpu::TextureFormat::Rgba8Unorm);
    let mut drawn = Drawn::new(device, &pipelines);
    let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("surface") });
    let look = Look { matrix: camera.matrix(width as f32 / height.max(1) as f32), palette: palette(theme) };
    drawn.draw((device, queue, &mut encoder), &pipelines, field, &look, [width, height]);
    let texture = drawn.texture().ok_or("The surface was not drawn.")?;
    // Rows of a buffer begin at multiples of 256 bytes.
    let row = (4 * texture.width()).next_multiple_of(wgpu::COPY_BYTES_PER_ROW_ALIGNMENT);
    let buffer = device.create_buffer(&wgpu::BufferDescriptor {
        label: Some("surface picture"),
        size: u64::from(row) * u64::from(texture.height()),
        usage: wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::MAP_READ,
        mapped_at_creation: false,
    });
    let layout = wgpu::TexelCopyBufferLayout { offset: 0, bytes_per_row: Some(row), rows_per_image: None };
    encoder.copy_texture_to_buffer(
        texture.as_image_copy(),
        wgpu::TexelCopyBufferInfo { buffer: &buffer, layout },
        texture.size(),
    );
    queue.submit([encoder.finish()]);
    let (tell, mapped) = std::sync::mpsc::channel();
    buffer.slice(..).map_async(wgpu::MapMode::Read, move |result| {
        // Nobody listens any more if the wait was given up.
        tell.send(result).ok();
    });
    loop {
        // Only looks, so that a browser may do it too; there its own event loop brings the answer.
        device.poll(wgpu::PollType::Poll).map_err(|error| format!("The device was lost while drawing: {error}."))?;
        match mapped.try_recv() {
            Ok(result) => break result.map_err(|error| format!("The picture cannot be read: {error}."))?,
            Err(std::sync::mpsc::TryRecvError::Empty) => crate::platform::yield_now().await,
            Err(error) => return Err(format!("The picture cannot be read: {error}.")),
        }
    }
    let size = [texture.width() as usize, texture.height() as usize];
    let bytes = buffer.slice(..).get_mapped_range().map_err(|error| format!("The picture cannot be read: {error}."))?;
    let pixels = bytes.chunks_exact(row as usize).flat_map(|row| row[..4 * size[0]].chunks_exact(4));
    let pixels = pixels.map(|part| Color32::from_rgba_premultiplied(part[0], part[1], part[2], part[3])).collect();
    Ok(egui::ColorImage::new(size, pixels))
}

#[cfg(test)]
mod tests;
