//! A window with the real engine behind it and nobody in front of it.

use egui_kittest::kittest::{NodeT as _, Queryable as _};
use egui_kittest::wgpu::{WgpuTestRenderer, create_render_state, default_wgpu_setup};
use egui_kittest::{Harness, Node};
use image::codecs::png::{CompressionType, FilterType, PngEncoder};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use thalweg::engine::host::Host;
use thalweg::ui::app::App;
use thalweg::ui::files::Scripted;
use thalweg::ui::panels;
use thalweg::ui::session::Session;
use thalweg::ui::state::AppState;
use thalweg::ui::widgets::surface;

/// Of the harness's pictures, in pixels.
const MARGIN: u32 = 8;

/// A folder that vanishes with the test.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::SeqCst);
        let path = std::env::temp_dir().join(format!("thalweg-ui-{}-{name}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn file(&self, name: &str) -> String {
        self.0.join(name).display().to_string()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The window, its files, and the folder for its runs.
pub struct Stage {
    pub harness: Harness<'static, App>,
    pub files: Scripted,
    pub scratch: Scratch,
}

impl Stage {
    /// A window of this size; `drawn` renders on the graphics device too, for pictures.
    pub fn new(name: &str, size: [f32; 2], session: Session, drawn: bool) -> Self {
        let scratch = Scratch::new(name);
        Self::on(scratch, size, session, drawn)
    }

    /// The same on a folder that is there already.
    pub fn on(scratch: Scratch, size: [f32; 2], session: Session, drawn: bool) -> Self {
        let runs = scratch.0.join("runs").display().to_string();
        let host = Host::start(&runs, Arc::new(|| {})).unwrap();
        let files = Scripted::default();
        let app = App::new(Box::new(host), Box::new(files.clone()), panels::all(), session);
        let mut builder = Harness::builder().with_size(size).with_max_steps(8).with_step_dt(0.02);
        if drawn {
            let gpu = create_render_state(default_wgpu_setup(), eframe::egui_wgpu::RendererOptions::PREDICTABLE);
            builder = builder.renderer(WgpuTestRenderer::from_render_state(gpu.clone()));
            builder = builder.with_context_setup(move |context| surface::install(context, &gpu));
        }
        let harness = builder.build_ui_state(|ui, app: &mut App| app.ui(ui), app);
        Self { harness, files, scratch }
    }

    pub fn state(&self) -> &AppState {
        self.harness.state().state()
    }

    /// Draws until `of` gives something.
    #[allow(clippy::disallowed_methods, reason = "a test may ask the clock")]
    pub fn wait<T>(&mut self, what: &str, secs: u64, mut of: impl FnMut(&AppState) -> Option<T>) -> T {
        let start = Instant::now();
        loop {
            self.harness.step();
            if let Some(found) = of(self.state()) {
                self.harness.step();
                return found;
            }
            let log: Vec<&str> = self.state().log.iter().map(|line| line.message.as_str()).collect();
            let runs: Vec<_> = self.state().runs.iter().map(|run| (&run.title, &run.status, run.steps_done)).collect();
            assert!(
                start.elapsed() < Duration::from_secs(secs),
                "{what} did not come; the log says: {log:#?}, the runs: {runs:?}"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Draws for a while.
    pub fn rest(&mut self, secs: f64) {
        for _ in 0..(secs * 50.0) as usize {
            self.harness.step();
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Two frames: what was clicked in the first shows in the second.
    pub fn settle(&mut self) {
        self.harness.run_steps(3);
    }

    /// Clicks what has this name.
    pub fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.settle();
    }

    /// Clicks the first of those that have this name, as a screen reader does: it may lie below something.
    pub fn click_first(&mut self, label: &str) {
        let first = self.harness.get_all_by_label(label).next();
        first.unwrap_or_else(|| panic!("nothing is called `{label}`")).click_accesskit();
        self.settle();
    }

    /// Clicks the last of those that have this name.
    pub fn click_last(&mut self, label: &str) {
        let last = self.harness.get_all_by_label(label).last();
        last.unwrap_or_else(|| panic!("nothing is called `{label}`")).click();
        self.settle();
    }

    /// Does anything have a name or text that contains this?
    pub fn shows(&self, text: &str) -> bool {
        fn any(node: Node<'_>, text: &str) -> bool {
            let accesskit = node.accesskit_node();
            let has = |found: Option<String>| found.is_some_and(|found| found.contains(text));
            has(accesskit.label()) || has(accesskit.value()) || node.children().any(|child| any(child, text))
        }
        any(self.harness.root(), text)
    }

    /// A picture of the window as it is.
    pub fn picture(&mut self, path: &Path) {
        let image = self.harness.render().unwrap();
        // The harness leaves a margin around what it shows.
        let (width, height) = (image.width() - 2 * MARGIN, image.height() - 2 * MARGIN);
        let image = image::imageops::crop_imm(&image, MARGIN, MARGIN, width, height).to_image();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let file = std::io::BufWriter::new(std::fs::File::create(path).unwrap());
        let encoder = PngEncoder::new_with_quality(file, CompressionType::Best, FilterType::Adaptive);
        image::DynamicImage::from(image).to_rgb8().write_with_encoder(encoder).unwrap();
        println!("{}", path.display());
    }
}
