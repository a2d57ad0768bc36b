//! The surface's shader against what it should draw, and the grammar of every shader.

use super::*;
use field::Height;

/// A bowl of 17 by 13 points over a plane of 4 by 3, with a hole near its right front corner.
fn bowl() -> Arc<HeightField> {
    let places = |count: u32, length: f64| (0..count).map(|at| length * f64::from(at) / f64::from(count - 1)).collect();
    let (xs, ys): (Vec<f64>, Vec<f64>) = (places(17, 4.0), places(13, 3.0));
    let heights = ys.iter().enumerate().flat_map(|(row, y)| {
        xs.iter().enumerate().map(move |(column, x)| {
            let height = (((x - 2.0) / 2.0).powi(2) + ((y - 1.5) / 1.5).powi(2)) as f32 / 2.0;
            let hole = (11..=14).contains(&column) && (1..=3).contains(&row);
            let value = if hole { f32::NAN } else { height * 4.0 };
            Some(Height { height, shade: 1.0 - height, value })
        })
    });
    let heights = heights.collect();
    Arc::new(HeightField::new(&xs, &ys, heights, &[0.5, 1.0, 2.0, 3.0]))
}

/// The first adapter of the machine; `None` (and a word) where there is none, unless one is required.
fn device() -> Option<(wgpu::Device, wgpu::Queue)> {
    let instance = wgpu::Instance::default();
    let ask = async {
        let adapters = instance.enumerate_adapters(wgpu::Backends::all()).await;
        // A software adapter draws the same on every machine.
        let software = adapters.iter().find(|adapter| adapter.get_info().device_type == wgpu::DeviceType::Cpu);
        let adapter = software.or(adapters.first())?;
        let limits = wgpu::DeviceDescriptor {
            required_limits: wgpu::Limits::downlevel_defaults(),
            ..wgpu::DeviceDescriptor::default()
        };
        adapter.request_device(&limits).await.ok()
    };
    let found = crate::platform::block_on(ask).unwrap();
    if found.is_none() {
        assert!(std::env::var("THALWEG_REQUIRE_GPU").as_deref() != Ok("1"), "no adapter, and THALWEG_REQUIRE_GPU=1");
        println!("skipped: this machine has no adapter that wgpu can use");
    }
    found
}

fn camera() -> Camera {
    Camera { yaw: 0.4, pitch: 0.75, distance: 2.9 }
}

fn render(device: &(wgpu::Device, wgpu::Queue), field: &Arc<HeightField>, size: [u32; 2]) -> egui::ColorImage {
    let (camera, theme) = (camera(), Theme::default());
    let render = render_to_image(&device.0, &device.1, size, field, &camera, &theme);
    crate::platform::block_on(render).unwrap().unwrap()
}

#[test]
fn every_shader_is_valid_as_it_stands() {
    let folder = crate::platform::checkout().join("shaders");
    let mut checked = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "wgsl") {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let module = naga::front::wgsl::parse_str(&text)
            .unwrap_or_else(|error| panic!("{}", error.emit_to_string_with_path(&text, &path.to_string_lossy())));
        // What every WebGPU device can do, and no more.
        let (flags, can) = (naga::valid::ValidationFlags::all(), naga::valid::Capabilities::empty());
        let checked_module = naga::valid::Validator::new(flags, can).validate(&module);
        if let Err(error) = checked_module {
            panic!("{}", error.emit_to_string_with_path(&text, &path.to_string_lossy()));
        }
        checked += 1;
    }
    assert!(checked >= 13, "{checked} shaders were found");
}

/// The uniform's bytes are where the shader reads them.
#[test]
fn the_view_s_layout_is_that_of_the_shader() {
    let text = include_str!("../../../../shaders/surface.wgsl");
    let module = naga::front::wgsl::parse_str(text).unwrap();
    let (_, view) = module.types.iter().find(|(_, known)| known.name.as_deref() == Some("View")).unwrap();
    let naga::TypeInner::Struct { members, span } = &view.inner else { panic!("View is a struct") };
    let offsets: Vec<u32> = members.iter().map(|member| member.offset).collect();
    assert_eq!((offsets, *span), (vec![0, 64, 80, 224, 288], 304));
}

/// A corner of the field is drawn where the CPU says, in its colour; nothing is drawn in the hole and beyond the edge.
#[test]
fn the_shader_s_places_are_those_of_the_cpu() {
    let Some(device) = device() else { return };
    let (field, size) = (bowl(), [320, 200]);
    let image = render(&device, &field, size);
    let matrix = camera().matrix(size[0] as f32 / size[1] as f32);
    let pixel = |place: Point| {
        let [x, y, _] = camera::project(&matrix, place).unwrap();
        let (x, y) = ((x * size[0] as f32) as usize, (y * size[1] as f32) as usize);
        image.pixels[y * size[0] as usize + x]
    };
    let mut compared = 0;
    for (x, y) in [(2.0, 1.5), (1.0, 1.5), (2.0, 0.75), (1.5, 2.0), (0.5, 1.0), (2.0, 2.4)] {
        let place = field.place(x, y).unwrap();
        if field.covers(place, camera().eye()) {
            continue;
        }
        let (found, height) = (pixel(place), f64::from(place[1] / field::RELIEF));
        let colour = Theme::default().heat(Some(1.0 - height));
        // Light scales a colour: what remains is the proportion of its channels.
        let proportion = |colour: Color32| {
            let [r, g, b, _] = colour.to_array().map(f64::from);
            [r, g, b].map(|channel| channel / (r + g + b))
        };
        let (seen, wanted) = (proportion(found), proportion(colour));
        let apart = seen.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        assert!(found.a() == 255 && apart < 0.04, "({x}, {y}): {found:?} for {colour:?}");
        compared += 1;
    }
    assert!(compared >= 4, "{compared} places are seen");
    let floor = field.on_floor(3.1, 0.5);
    assert_eq!(pixel([floor[0], 0.2, floor[1]]).a(), 0, "the hole is a hole");
    assert_eq!(image.pixels[0].a(), 0, "nothing beyond the surface");
}

#[test]
fn level_lines_darken_bright_ground_and_an_empty_field_is_an_empty_picture() {
    let Some(device) = device() else { return };
    let lines = bowl();
    let changed = |a: &egui::ColorImage, b: &egui::ColorImage| {
        a.pixels.iter().zip(&b.pixels).filter(|(a, b)| a.r().abs_diff(b.r()).max(a.g().abs_diff(b.g())) > 24).count()
    };
    // The same heights without levels.
    let plain = (*lines).clone().with_levels(&[]);
    let with = render(&device, &lines, [400, 250]);
    let without = render(&device, &Arc::new(plain), [400, 250]);
    let drawn = with.pixels.iter().filter(|pixel| pixel.a() > 0).count();
    let share = changed(&with, &without) as f64 / drawn as f64;
    assert!((0.02..0.3).contains(&share), "level lines take {share} of the surface");
    let empty = render(&device, &Arc::new(HeightField::default()), [33, 17]);
    assert_eq!(empty.size, [33, 17]);
    assert!(empty.pixels.iter().all(|pixel| *pixel == Color32::TRANSPARENT));
}

/// Against a small picture that people have looked at. `THALWEG_UPDATE_SNAPSHOTS=1` writes it anew.
#[test]
fn the_surface_looks_as_it_did() {
    const TOLERANCE: f64 = 3.0;
    let Some(device) = device() else { return };
    let image = render(&device, &bowl(), [96, 96]);
    let bytes: Vec<u8> = image.pixels.iter().flat_map(Color32::to_array).collect();
    let path = crate::platform::checkout().join("tests/fixtures/surface.png");
    if std::env::var("THALWEG_UPDATE_SNAPSHOTS").as_deref() == Ok("1") {
        image::save_buffer(&path, &bytes, 96, 96, image::ColorType::Rgba8).unwrap();
    }
    let known = image::open(&path).unwrap().to_rgba8();
    assert_eq!(known.dimensions(), (96, 96));
    for channel in 0..4 {
        let of = |bytes: &[u8]| bytes.iter().skip(channel).step_by(4).map(|byte| f64::from(*byte)).collect::<Vec<_>>();
        let (new, old) = (of(&bytes), of(known.as_raw()));
        let apart = new.iter().zip(&old).map(|(a, b)| (a - b).abs()).sum::<f64>() / new.len() as f64;
        assert!(apart < TOLERANCE, "channel {channel} differs by {apart} on average");
    }
    let drawn = image.pixels.iter().filter(|pixel| pixel.a() == 255).count();
    assert!((2_000..7_000).contains(&drawn), "{drawn} of 9216 pixels are covered");
}
