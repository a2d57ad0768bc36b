//! The *Model* panel: where the model comes from, what it is, what of it is trained, whether it fits, and on which device.

mod architecture;
mod device;
mod download;
mod lora;
mod memory;
mod parts;
mod source;
mod units;

#[cfg(test)]
mod tests;

use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::theme::Theme;
use egui::{ScrollArea, Ui};

/// From this width on, the cards stand in two columns.
const TWO_COLUMNS: f32 = 760.0;

/// See the file's head.
#[derive(Default)]
pub struct ModelPanel {
    source: source::SourceChooser,
    device: device::DeviceChooser,
}

impl Panel for ModelPanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Model
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            // the scroll bar floats over the edge
            ui.set_max_width(ui.available_width() - Theme::GAP);
            if ui.available_width() < TWO_COLUMNS {
                self.what(ui, context);
                self.how(ui, context);
            } else {
                ui.columns(2, |columns| {
                    let [left, right] = columns else { return };
                    // columns stretch what stands in them, buttons and text alike, unless they are told not to
                    left.vertical(|ui| self.what(ui, context));
                    right.vertical(|ui| self.how(ui, context));
                });
            }
        });
    }
}

impl ModelPanel {
    /// Which model, what it is, and what of it is trained.
    fn what(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        parts::card(ui, *context.theme, "Source", |ui| self.source.show(ui, context));
        parts::card(ui, *context.theme, "Architecture", |ui| architecture::show(ui, context));
        parts::card(ui, *context.theme, "LoRA adapter", |ui| lora::show(ui, context));
    }

    /// Whether it fits, and where it runs.
    fn how(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        parts::card(ui, *context.theme, "Memory", |ui| memory::show(ui, context));
        parts::card(ui, *context.theme, "Device", |ui| self.device.show(ui, context));
    }
}
