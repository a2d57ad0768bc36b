//! Opens the window: the engine behind it, what the last session left, eframe around it.

use super::app::{App, remembered};
use super::link::EngineLink;
use super::pace;
use super::panels;
use super::system_files::SystemFiles;
use super::tree::TreeForPage;
use super::widgets::surface;
use super::worker_link::WorkerLink;
use crate::engine::host::Host;
use crate::engine::protocol::{Command, Event, Level};
use crate::platform::{self, PlatformError, Role};
use eframe::egui_wgpu::{WgpuConfiguration, WgpuSetup, WgpuSetupCreateNew};
use std::sync::Arc;

impl EngineLink for Host {
    fn send(&mut self, command: Command) {
        Self::send(self, command);
    }

    fn receive(&mut self) -> Vec<Event> {
        Self::receive(self)
    }
}

/// Opens the window and returns when it is closed (on a page at once). `capsule` is opened in it. On a page the engine is in a
/// worker, on the desktop it has threads.
///
/// # Errors
/// No display, no graphics driver, or no thread.
pub fn start(role: Role, capsule: Option<&str>) -> Result<(), PlatformError> {
    let runs = platform::data_folder().unwrap_or_else(std::env::temp_dir).join("runs");
    let runs = runs.display().to_string();
    let capsule = capsule.map(ToString::to_string);
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    // The window has a device of its own: on a shared one frames would wait behind the training's work.
    setup.power_preference = eframe::wgpu::PowerPreference::LowPower;
    let make = move |context: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, Box<dyn std::error::Error + Send + Sync>> {
        let wake = context.egui_ctx.clone();
        let link: Box<dyn EngineLink> = match role {
            Role::Page => Box::new(WorkerLink::new(platform::open_worker(move || pace::wake(&wake))?)),
            Role::Desktop | Role::Worker => Box::new(Host::start(&runs, Arc::new(move || pace::wake(&wake)))?),
        };
        if platform::wants_tree() {
            context.egui_ctx.add_plugin(TreeForPage);
        }
        let (session, complaint) = remembered(context.storage);
        let mut app = App::new(link, Box::new(SystemFiles::default()), panels::all(), session);
        if let Some(complaint) = complaint {
            app.tell(Level::Warning, complaint);
        }
        let news = context.egui_ctx.clone();
        platform::on_news(move || news.request_repaint());
        if let Some(fragment) = platform::take_fragment() {
            app.follow(&fragment);
        }
        if let Some(path) = capsule {
            app.open_capsule(&path);
        }
        app.prepare(&context.egui_ctx);
        if let Some(gpu) = &context.wgpu_render_state {
            surface::install(&context.egui_ctx, gpu);
            gpu.device.set_device_lost_callback(|_, message| platform::window_lost(&message));
        }
        Ok(Box::new(app))
    };
    let wgpu = WgpuConfiguration { wgpu_setup: WgpuSetup::CreateNew(setup), ..WgpuConfiguration::default() };
    platform::open_window(wgpu, Box::new(make))
}
