//! The surface on the GPU: pipelines made once, one texture with depth for each view, drawn before egui's own pass (which has
//! no depth) and shown in it as an image.

use super::camera::Matrix;
use super::field::{CORNER_FLOATS, HeightField, MOST_LEVELS};
use eframe::egui_wgpu::wgpu;
use eframe::egui_wgpu::wgpu::util::DeviceExt as _;
use egui::{Color32, Rect};
use std::sync::Arc;

/// Bytes of the shader's `View` and `Frame`.
const VIEW_FLOATS: usize = 16 + 4 + 9 * 4 + MOST_LEVELS + 4;
const FRAME_FLOATS: usize = 4;
/// WebGPU promises four samples of this format, and that it can be resolved.
const SAMPLES: u32 = 4;
const COLOUR: wgpu::TextureFormat = wgpu::TextureFormat::Rgba8Unorm;
const DEPTH: wgpu::TextureFormat = wgpu::TextureFormat::Depth24Plus;
/// Longest side of a picture in pixels.
const LONGEST: u32 = 4096;

/// Half the width of a level line in pixels, and its opacity.
const LINE_PIXELS: f32 = 0.7;
const LINE_OPACITY: f32 = 0.55;
/// Direction to the light, and the share of it that comes from everywhere.
const LIGHT: [f32; 3] = [-0.45, 0.78, 0.43];
const AMBIENT: f32 = 0.5;

/// How a surface is seen: all that the shader is told besides the triangles.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Look {
    pub matrix: Matrix,
    /// Nine colours, evenly spaced.
    pub palette: [Color32; 9],
}

impl Look {
    /// The shader's `View`.
    fn floats(&self, levels: &[f32]) -> [f32; VIEW_FLOATS] {
        let mut floats = [0.0; VIEW_FLOATS];
        let [matrix, light, palette, lines, counts] = [0, 16, 20, 56, 56 + MOST_LEVELS];
        for (target, column) in floats[matrix..light].chunks_exact_mut(4).zip(&self.matrix) {
            target.copy_from_slice(column);
        }
        floats[light..light + 3].copy_from_slice(&super::camera::normalised(LIGHT));
        floats[light + 3] = AMBIENT;
        for (target, colour) in floats[palette..lines].chunks_exact_mut(4).zip(&self.palette) {
            target.copy_from_slice(&colour.to_array().map(|part| f32::from(part) / 255.0));
        }
        let count = levels.len().min(MOST_LEVELS);
        floats[lines..lines + count].copy_from_slice(&levels[..count]);
        floats[counts..counts + 3].copy_from_slice(&[count as f32, LINE_PIXELS, LINE_OPACITY]);
        floats
    }
}

/// Pipelines and layouts, made once for a device.
pub struct Pipelines {
    surface: wgpu::RenderPipeline,
    view_layout: wgpu::BindGroupLayout,
    picture: wgpu::RenderPipeline,
    picture_layout: wgpu::BindGroupLayout,
    sampler: wgpu::Sampler,
}

fn entry(binding: u32, visibility: wgpu::ShaderStages, ty: wgpu::BindingType) -> wgpu::BindGroupLayoutEntry {
    wgpu::BindGroupLayoutEntry { binding, visibility, ty, count: None }
}

fn uniform(floats: usize) -> wgpu::BindingType {
    wgpu::BindingType::Buffer {
        ty: wgpu::BufferBindingType::Uniform,
        has_dynamic_offset: false,
        min_binding_size: std::num::NonZeroU64::new(4 * floats as u64),
    }
}

impl Pipelines {
    /// `target` is the format of what egui draws into.
    #[must_use]
    pub fn new(device: &wgpu::Device, target: wgpu::TextureFormat) -> Self {
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some("surface"),
            source: wgpu::ShaderSource::Wgsl(include_str!("../../../../shaders/surface.wgsl").into()),
        });
        let both = wgpu::ShaderStages::VERTEX_FRAGMENT;
        let view_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("surface view"),
            entries: &[entry(0, both, uniform(VIEW_FLOATS))],
        });
        let texture = wgpu::BindingType::Texture {
            sample_type: wgpu::TextureSampleType::Float { filterable: true },
            view_dimension: wgpu::TextureViewDimension::D2,
            multisampled: false,
        };
        let picture_layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("surface picture"),
            entries: &[
                entry(1, wgpu::ShaderStages::VERTEX, uniform(FRAME_FLOATS)),
                entry(2, wgpu::ShaderStages::FRAGMENT, texture),
                entry(3, wgpu::ShaderStages::FRAGMENT, wgpu::BindingType::Sampler(wgpu::SamplerBindingType::Filtering)),
            ],
        });
        let corner = wgpu::VertexBufferLayout {
            array_stride: 4 * CORNER_FLOATS as u64,
            step_mode: wgpu::VertexStepMode::Vertex,
            attributes: &wgpu::vertex_attr_array![0 => Float32x3, 1 => Float32x3, 2 => Float32, 3 => Float32],
        };
        let depth = wgpu::DepthStencilState {
            format: DEPTH,
            depth_write_enabled: Some(true),
            depth_compare: Some(wgpu::CompareFunction::Less),
            stencil: wgpu::StencilState::default(),
            bias: wgpu::DepthBiasState::default(),
        };
        let picture_fragment = if target.is_srgb() { "fs_picture_linear" } else { "fs_picture" };
        let over = wgpu::ColorTargetState {
            format: target,
            blend: Some(wgpu::BlendState::PREMULTIPLIED_ALPHA_BLENDING),
            write_mask: wgpu::ColorWrites::ALL,
        };
        let make =
            |label, layout: &wgpu::BindGroupLayout, entries: [&str; 2], buffers: &[_], depth, samples, colour| {
                let layout = device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
                    label: Some(label),
                    bind_group_layouts: &[Some(layout)],
                    immediate_size: 0,
                });
                device.create_render_pipeline(&wgpu::RenderPipelineDescriptor {
                    label: Some(label),
                    layout: Some(&layout),
                    vertex: wgpu::VertexState {
                        module: &module,
                        entry_point: Some(entries[0]),
                        compilation_options: wgpu::PipelineCompilationOptions::default(),
                        buffers,
                    },
                    primitive: wgpu::PrimitiveState::default(),
                    depth_stencil: depth,
                    multisample: wgpu::MultisampleState { count: samples, ..wgpu::MultisampleState::default() },
                    fragment: Some(wgpu::FragmentState {
                        module: &module,
                        entry_point: Some(entries[1]),
                        compilation_options: wgpu::PipelineCompilationOptions::default(),
                        targets: &[Some(colour)],
                    }),
                    multiview_mask: None,
                    cache: None,
                })
            };
        let surface = make(
            "surface",
            &view_layout,
            ["vs_surface", "fs_surface"],
            &[Some(corner)],
            Some(depth),
            SAMPLES,
            COLOUR.into(),
        );
        let picture = make("surface picture", &picture_layout, ["vs_picture", picture_fragment], &[], None, 1, over);
        let sampler = device.create_sampler(&wgpu::SamplerDescriptor {
            label: Some("surface picture"),
            mag_filter: wgpu::FilterMode::Linear,
            min_filter: wgpu::FilterMode::Linear,
            ..wgpu::SamplerDescriptor::default()
        });
        Self { surface, view_layout, picture, picture_layout, sampler }
    }
}

/// The triangles of a field on the GPU.
struct Triangles {
    corners: wgpu::Buffer,
    indices: wgpu::Buffer,
    count: u32,
}

/// What is drawn into.
struct Canvas {
    size: [u32; 2],
    samples: wgpu::TextureView,
    depth: wgpu::TextureView,
    resolved: wgpu::Texture,
    resolved_view: wgpu::TextureView,
    picture: wgpu::BindGroup,
}

/// One view of a surface: its texture, and what was drawn into it last.
pub struct Drawn {
    view: wgpu::Buffer,
    view_group: wgpu::BindGroup,
    frame: wgpu::Buffer,
    canvas: Option<Canvas>,
    triangles: Option<(Arc<HeightField>, Triangles)>,
    look: Option<Look>,
}

impl Drawn {
    #[must_use]
    pub fn new(device: &wgpu::Device, pipelines: &Pipelines) -> Self {
        let buffer = |label, floats: usize| {
            device.create_buffer(&wgpu::BufferDescriptor {
                label: Some(label),
                size: 4 * floats as u64,
                usage: wgpu::BufferUsages::UNIFORM | wgpu::BufferUsages::COPY_DST,
                mapped_at_creation: false,
            })
        };
        let (view, frame) = (buffer("surface view", VIEW_FLOATS), buffer("surface frame", FRAME_FLOATS));
        let view_group = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("surface view"),
            layout: &pipelines.view_layout,
            entries: &[wgpu::BindGroupEntry { binding: 0, resource: view.as_entire_binding() }],
        });
        Self { view, view_group, frame, canvas: None, triangles: None, look: None }
    }

    /// Draws the field at this size, unless that is what the texture holds already.
    pub fn draw(
        &mut self,
        (device, queue, encoder): (&wgpu::Device, &wgpu::Queue, &mut wgpu::CommandEncoder),
        pipelines: &Pipelines,
        field: &Arc<HeightField>,
        look: &Look,
        size: [u32; 2],
    ) {
        let size = size.map(|side| side.clamp(1, LONGEST.min(device.limits().max_texture_dimension_2d)));
        let mut same = self.look == Some(*look);
        if self.canvas.as_ref().is_none_or(|canvas| canvas.size != size) {
            same = false;
            self.canvas = Some(Canvas::new(device, pipelines, &self.frame, size));
        }
        if self.triangles.as_ref().is_none_or(|(known, _)| !Arc::ptr_eq(known, field)) {
            same = false;
            self.triangles = Some((field.clone(), Triangles::new(device, field)));
        }
        if same {
            return;
        }
        self.look = Some(*look);
        queue.write_buffer(&self.view, 0, bytemuck::cast_slice(&look.floats(field.levels())));
        let (Some(canvas), Some((_, triangles))) = (&self.canvas, &self.triangles) else { return };
        let mut pass = encoder.begin_render_pass(&wgpu::RenderPassDescriptor {
            label: Some("surface"),
            color_attachments: &[Some(wgpu::RenderPassColorAttachment {
                view: &canvas.samples,
                depth_slice: None,
                resolve_target: Some(&canvas.resolved_view),
                ops: wgpu::Operations {
                    load: wgpu::LoadOp::Clear(wgpu::Color::TRANSPARENT),
                    store: wgpu::StoreOp::Discard,
                },
            })],
            depth_stencil_attachment: Some(wgpu::RenderPassDepthStencilAttachment {
                view: &canvas.depth,
                depth_ops: Some(wgpu::Operations { load: wgpu::LoadOp::Clear(1.0), store: wgpu::StoreOp::Discard }),
                stencil_ops: None,
            }),
            ..wgpu::RenderPassDescriptor::default()
        });
        if triangles.count > 0 {
            pass.set_pipeline(&pipelines.surface);
            pass.set_bind_group(0, &self.view_group, &[]);
            pass.set_vertex_buffer(0, triangles.corners.slice(..));
            pass.set_index_buffer(triangles.indices.slice(..), wgpu::IndexFormat::Uint32);
            pass.draw_indexed(0..triangles.count, 0, 0..1);
        }
    }

    /// Says which part of the texture the viewport will show: `whole` is where all of it would be, in pixels. egui cuts
    /// viewports off at the edges of the window.
    pub fn cut(&self, queue: &wgpu::Queue, whole: Rect, window: [u32; 2]) {
        let seen =
            whole.intersect(Rect::from_min_size(egui::Pos2::ZERO, egui::vec2(window[0] as f32, window[1] as f32)));
        let share = |place: egui::Pos2| {
            [(place.x - whole.min.x) / whole.width().max(1.0), (place.y - whole.min.y) / whole.height().max(1.0)]
        };
        let part = [share(seen.min), share(seen.max)];
        queue.write_buffer(&self.frame, 0, bytemuck::cast_slice(part.as_flattened()));
    }

    /// Shows the texture in the viewport of egui's pass.
    pub fn show(&self, pass: &mut wgpu::RenderPass<'static>, pipelines: &Pipelines) {
        if let Some(canvas) = &self.canvas {
            pass.set_pipeline(&pipelines.picture);
            pass.set_bind_group(0, &canvas.picture, &[]);
            pass.draw(0..3, 0..1);
        }
    }

    /// The texture that was drawn into.
    #[must_use]
    pub fn texture(&self) -> Option<&wgpu::Texture> {
        self.canvas.as_ref().map(|canvas| &canvas.resolved)
    }
}

impl Canvas {
    fn new(device: &wgpu::Device, pipelines: &Pipelines, frame: &wgpu::Buffer, size: [u32; 2]) -> Self {
        let texture = |label, format, sample_count, usage| {
            device.create_texture(&wgpu::TextureDescriptor {
                label: Some(label),
                size: wgpu::Extent3d { width: size[0], height: size[1], depth_or_array_layers: 1 },
                mip_level_count: 1,
                sample_count,
                dimension: wgpu::TextureDimension::D2,
                format,
                usage,
                view_formats: &[],
            })
        };
        let target = wgpu::TextureUsages::RENDER_ATTACHMENT;
        let read = wgpu::TextureUsages::TEXTURE_BINDING | wgpu::TextureUsages::COPY_SRC;
        let look = wgpu::TextureViewDescriptor::default();
        let resolved = texture("surface", COLOUR, 1, target | read);
        let resolved_view = resolved.create_view(&look);
        let picture = device.create_bind_group(&wgpu::BindGroupDescriptor {
            label: Some("surface picture"),
            layout: &pipelines.picture_layout,
            entries: &[
                wgpu::BindGroupEntry { binding: 1, resource: frame.as_entire_binding() },
                wgpu::BindGroupEntry { binding: 2, resource: wgpu::BindingResource::TextureView(&resolved_view) },
                wgpu::BindGroupEntry { binding: 3, resource: wgpu::BindingResource::Sampler(&pipelines.sampler) },
            ],
        });
        Self {
            size,
            samples: texture("surface samples", COLOUR, SAMPLES, target).create_view(&look),
            depth: texture("surface depth", DEPTH, SAMPLES, target).create_view(&look),
            resolved,
            resolved_view,
            picture,
        }
    }
}

impl Triangles {
    fn new(device: &wgpu::Device, field: &HeightField) -> Self {
        let (corners, indices) = field.triangles();
        let buffer = |label, contents: &[u8], usage| {
            // An empty buffer cannot be bound; nothing is drawn of it.
            let contents = if contents.is_empty() { &[0; 4] } else { contents };
            device.create_buffer_init(&wgpu::util::BufferInitDescriptor { label: Some(label), contents, usage })
        };
        Self {
            corners: buffer("surface corners", bytemuck::cast_slice(&corners), wgpu::BufferUsages::VERTEX),
            indices: buffer("surface triangles", bytemuck::cast_slice(&indices), wgpu::BufferUsages::INDEX),
            count: indices.len() as u32,
        }
    }
}
