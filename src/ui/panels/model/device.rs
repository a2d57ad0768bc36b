//! On which device: chosen by hand or by measured speed.

use super::parts::{bar, note, notice};
use super::units;
use crate::engine::protocol::Command;
use crate::engine::protocol::cards::DeviceCard;
use crate::ui::panel::Context;
use crate::ui::theme::Theme;
use egui::{Label, RadioButton, RichText, Ui};

/// The setting that leaves the choice to the program.
const AUTO: &str = "auto";
/// After so long a measurement that brought nothing can be asked for again.
const PATIENCE_SECS: f64 = 120.0;

/// Widget state of the chooser.
#[derive(Default)]
pub struct DeviceChooser {
    /// When a measurement was asked for, and what was known then.
    asked: Option<(f64, Option<Vec<DeviceCard>>)>,
}

impl DeviceChooser {
    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let state = context.state;
        let chosen = state.draft.config.device.as_str();
        let devices = state.devices.as_deref().unwrap_or_default();
        if self
            .asked
            .as_ref()
            .is_some_and(|(since, before)| *before != state.devices || context.now_secs - since > PATIENCE_SECS)
        {
            self.asked = None;
        }
        let mut choice = None;
        if ui
            .radio(chosen == AUTO, "Automatic")
            .on_hover_text("Measures all of them before a run, and takes the fastest.")
            .clicked()
        {
            choice = Some(AUTO.to_owned());
        }
        let fastest = fastest(devices);
        for (index, device) in devices.iter().enumerate() {
            let best = fastest.map(|(_, secs)| secs);
            let is_fastest = devices.len() > 1 && fastest.is_some_and(|(place, _)| place == index);
            if row(ui, *context.theme, device, chosen == device.setting, best, is_fastest) {
                choice = Some(device.setting.clone());
            }
        }
        if chosen != AUTO && devices.iter().all(|device| device.setting != chosen) {
            // set in a file, by name, or on another machine: shown so that it is not lost
            let _ = ui.radio(true, format!("{chosen} (as set)"));
        }
        if let Some(device) = choice {
            context.edit(&format!("device {device}"), |draft| draft.device = device);
        }
        if devices.is_empty() {
            note(
                ui,
                *context.theme,
                "How fast each device is on this machine is not measured yet. It takes some seconds.",
            );
        }
        self.measure_button(ui, context, devices.is_empty());
        if !state.engine.device.is_empty() {
            note(ui, *context.theme, format!("Last run on {}: {}", state.engine.device, state.engine.device_reason));
        }
    }

    fn measure_button(&mut self, ui: &mut Ui, context: &mut Context<'_>, first: bool) {
        let training = context.state.active.is_some();
        let label = match (&self.asked, first) {
            (Some(_), _) => "Measuring…",
            (None, true) => "Measure devices",
            (None, false) => "Measure again",
        };
        let button = ui.add_enabled(self.asked.is_none() && !training, egui::Button::new(label));
        let button = if training {
            button.on_disabled_hover_text("A run is in progress, and would slow it down.")
        } else {
            button
        };
        if button.clicked() {
            self.asked = Some((context.now_secs, context.state.devices.clone()));
            context.send(Command::FindDevices);
        }
    }
}

/// Place and step time of the fastest device that can be used.
fn fastest(devices: &[DeviceCard]) -> Option<(usize, f64)> {
    devices
        .iter()
        .enumerate()
        .filter(|(_, device)| device.error.is_none())
        .filter_map(|(index, device)| Some((index, device.step_secs.filter(|secs| *secs > 0.0)?)))
        .min_by(|a, b| a.1.total_cmp(&b.1))
}

/// A device; returns whether it was chosen.
fn row(ui: &mut Ui, theme: Theme, device: &DeviceCard, chosen: bool, best: Option<f64>, is_fastest: bool) -> bool {
    ui.push_id(&device.setting, |ui| {
        let usable = device.error.is_none();
        let radio = ui.add_enabled(usable, RadioButton::new(chosen, device.name.as_str()));
        ui.indent("about", |ui| {
            if !device.detail.is_empty() {
                ui.add(Label::new(RichText::new(&device.detail).small().color(theme.muted())).wrap());
            }
            match (&device.error, device.step_secs.filter(|secs| *secs > 0.0)) {
                (Some(error), _) => notice(ui, theme.bad(), &format!("Cannot be used: {error}")),
                (None, None) => {
                    note(ui, theme, "Not measured");
                }
                (None, Some(secs)) => {
                    let text = format!("{} a step, {:.0} steps a second", units::step_time(secs), 1.0 / secs);
                    ui.horizontal_wrapped(|ui| {
                        ui.label(&text);
                        if is_fastest {
                            ui.label(RichText::new("fastest").strong().color(theme.good()));
                        }
                    });
                    let colour = if is_fastest { theme.good() } else { theme.accent() };
                    bar(
                        ui,
                        theme,
                        Some(8.0),
                        &[(best.unwrap_or(secs) / secs, colour)],
                        &format!("{}: {text}", device.name),
                    );
                }
            }
        });
        radio.clicked()
    })
    .inner
}
