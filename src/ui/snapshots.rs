//! A few small pictures of panels with a recorded session, held against those in `tests/fixtures/snapshots`:
//! what a query by labels cannot see. `UPDATE_SNAPSHOTS=1 cargo test --release --lib snapshots` draws them anew.

use super::panel::{Context, Panel, PanelKind};
use super::panels;
use super::sample;
use super::state::AppState;
use super::theme::Theme;
use egui_kittest::{Harness, SnapshotOptions};

/// Is there a device to draw with? Says so where there is none, and fails where one is required.
fn can_draw() -> bool {
    let instance = eframe::wgpu::Instance::default();
    let found = crate::platform::block_on(instance.enumerate_adapters(eframe::wgpu::Backends::all())).unwrap();
    if found.is_empty() {
        assert!(std::env::var("THALWEG_REQUIRE_GPU").as_deref() != Ok("1"), "no adapter, and THALWEG_REQUIRE_GPU=1");
        println!("skipped: this machine has no adapter that wgpu can use");
    }
    !found.is_empty()
}

fn compare(name: &str, kind: PanelKind, size: [f32; 2], theme: Theme, state: AppState) {
    if !can_draw() {
        return;
    }
    let panel = panels::all().into_iter().find(|panel| panel.kind() == kind).unwrap();
    let mut harness = Harness::builder().with_size(size).with_max_steps(16).wgpu().build_ui_state(
        move |ui, (panel, state): &mut (Box<dyn Panel>, AppState)| {
            theme.apply(ui.ctx());
            let mut actions = Vec::new();
            panel.show(ui, &mut Context { state, theme: &theme, actions: &mut actions, now_secs: 100.0 });
        },
        (panel, state),
    );
    harness.run_steps(6);
    // Another driver may round a colour otherwise; a missing line or word is hundreds of pixels.
    let options = SnapshotOptions::new().output_path("tests/fixtures/snapshots").max_failed_pixels(40_usize);
    harness.snapshot_options(name, &options);
}

#[test]
fn the_matrices_of_both_learners() {
    compare("forgetting", PanelKind::Forgetting, [620.0, 420.0], Theme::default(), sample::state());
}

#[test]
fn the_buffer_as_dots_on_light_ground() {
    let mut state = sample::state();
    let change = sample::buffer(160, 300);
    state.apply(crate::engine::protocol::Event::BufferChanged { run: 1, change: Box::new(change) }, 90.0);
    compare("buffer", PanelKind::Buffer, [420.0, 360.0], Theme { dark: false, ..Theme::default() }, state);
}

#[test]
fn the_curves_of_a_run() {
    compare("training", PanelKind::Training, [420.0, 420.0], Theme::default(), sample::state_after(60));
}
