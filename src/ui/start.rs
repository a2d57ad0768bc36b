//! Opens the window: the engine behind it, what the last session left, eframe around it.

use super::app::{App, remembered};
use super::link::EngineLink;
use super::panels;
use super::system_files::SystemFiles;
use super::widgets::surface;
use crate::engine::host::Host;
use crate::engine::protocol::{Command, Event, Level};
use crate::platform::{self, PlatformError};
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

/// Opens the window and returns when it is closed. `capsule` is opened in it.
///
/// # Errors
/// No display, no graphics driver, or no thread.
pub fn start(capsule: Option<&str>) -> Result<(), PlatformError> {
    let runs = platform::data_folder().unwrap_or_else(std::env::temp_dir).join("runs");
    let runs = runs.display().to_string();
    let capsule = capsule.map(ToString::to_string);
    let mut setup = WgpuSetupCreateNew::without_display_handle();
    // The window has a device of its own: on a shared one frames would wait behind the training's work.
    setup.power_preference = eframe::wgpu::PowerPreference::LowPower;
    let make = move |context: &eframe::CreationContext<'_>| -> Result<Box<dyn eframe::App>, Box<dyn std::error::Error + Send + Sync>> {
        let wake = context.egui_ctx.clone();
        let host = Host::start(&runs, Arc::new(move || wake.request_repaint()))?;
        let (session, complaint) = remembered(context.storage);
        let mut app = App::new(Box::new(host), Box::new(SystemFiles::default()), panels::all(), session);
        if let Some(complaint) = complaint {
            app.tell(Level::Warning, complaint);
        }
        if let Some(path) = capsule {
            app.open_capsule(&path);
        }
        app.prepare(&context.egui_ctx);
        if let Some(gpu) = &context.wgpu_render_state {
            surface::install(&context.egui_ctx, gpu);
        }
        Ok(Box::new(app))
    };
    let wgpu = WgpuConfiguration { wgpu_setup: WgpuSetup::CreateNew(setup), ..WgpuConfiguration::default() };
    platform::open_window(wgpu, Box::new(make))
}
