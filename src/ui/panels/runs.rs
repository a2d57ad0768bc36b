//! *Runs*: the queue and everything that ran, what was changed between runs, and the chosen ones beside one another.

mod cells;
mod columns;
mod comparison;
mod details;
mod differences;
mod export;
mod figures;
mod menu;
mod numbers;
mod overlay;
mod picture;
mod queue;
mod table;
#[cfg(test)]
mod tests;

pub use differences::{Difference, differences};

use crate::ui::action::Action;
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::theme::Theme;
use comparison::Comparison;
use differences::Changes;
use egui::{Button, RichText, ScrollArea, Ui, vec2};
use queue::SeedForm;
use table::RunTable;

/// The panel's own state: how the table is sorted, a title that is being written, the plots.
#[derive(Default)]
pub struct RunsPanel {
    seeds: SeedForm,
    table: RunTable,
    comparison: Comparison,
    changes: Changes,
}

impl Panel for RunsPanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Runs
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        let area = ui.max_rect().intersect(ui.clip_rect());
        ScrollArea::vertical().id_salt("runs panel").auto_shrink([false, false]).show(ui, |ui| {
            if context.state.runs.is_empty() {
                empty(ui, context);
                return;
            }
            let state = context.state;
            let labels = figures::labels(&state.runs);
            self.changes.update(&state.runs, self.table.reference);
            self.seeds.show(ui, context);
            ui.add_space(Theme::GAP);
            self.table.show(ui, context, &labels, &self.changes);
            ui.add_space(Theme::GAP);
            let label = |number: Option<usize>| {
                let place = state.runs.iter().position(|run| Some(run.number) == number);
                place.and_then(|place| labels.get(place)).map_or("", String::as_str)
            };
            if let Some(run) = state.selected_run() {
                let reference = label(self.changes.reference());
                details::show(ui, context, run, label(Some(run.number)), &self.changes, reference);
            }
            ui.add_space(Theme::GROUP_GAP);
            self.comparison.show(ui, context, &labels, &self.changes, area);
        });
    }
}

/// Before any run.
fn empty(ui: &mut Ui, context: &mut Context<'_>) {
    let theme = context.theme;
    ui.add_space(Theme::GROUP_GAP);
    ui.vertical_centered(|ui| {
        ui.set_max_width(ui.available_width().min(460.0));
        ui.label(RichText::new("No run yet").heading());
        let about = "Every run will be here: those that wait, the one in progress and those that are done, with what was \
                     changed between them. Tick several to see their curves, matrices and numbers side by side.";
        ui.label(RichText::new(about).color(theme.muted()));
        ui.add_space(Theme::GAP);
        let text = RichText::new("Watch it forget").strong();
        let button = ui.add(Button::new(text).fill(ui.visuals().selection.bg_fill).min_size(vec2(180.0, 32.0)));
        let about = "Plain fine-tuning, then I-LoRA, on the built-in model and tasks: nothing to download";
        if button.on_hover_text(about).clicked() {
            context.actions.push(Action::WatchItForget);
        }
        ui.add_space(Theme::GAP);
        ui.label(RichText::new("Or look at a run of another day or machine:").color(theme.muted()));
        queue::open_buttons(ui, context);
    });
}
