//! The replay buffer of the selected run: every item as a dot, on a map or as a card, each task's share over time, and the
//! ways to pin, drop and add items and to try another policy.
//!
//! In reading order: `reading` (what colours mean), `arrangement` (which items in which order), the views `dots`,
//! `map`, `cards` and `shares`, then `details` of one item and `policy`.
//!
//! Invariant: nothing is sorted, coloured or laid out for all items in a frame in which neither they nor the choice changed.

mod arrangement;
mod cards;
mod choice;
mod controls;
mod details;
mod dots;
mod edits;
mod empty;
mod hint;
mod legend;
mod map;
mod policy;
mod preview;
mod reading;
mod shares;
mod sprite;
mod summary;
#[cfg(test)]
mod tests;

use crate::engine::protocol::Command;
use crate::ui::panel::{Context, Panel, PanelKind};
use crate::ui::state::run::RunView;
use crate::ui::theme::Theme;
use arrangement::{Arrangement, Look};
use choice::{Choice, Wish};
use controls::View;
use egui::{CentralPanel, CollapsingHeader, Rect, Response, RichText, ScrollArea, Stroke, StrokeKind, Ui};

/// Narrower or lower than this, everything stands in one column that scrolls.
const WIDE: [f32; 2] = [640.0, 300.0];
/// Width of the item's details beside the view.
const SIDE: f32 = 290.0;
/// Lower than this, the controls are folded away.
const FOLDED: f32 = 480.0;
/// Height of the view in one column.
const VIEW_IN_COLUMN: std::ops::RangeInclusive<f32> = 200.0..=420.0;

/// What all parts of the panel draw from.
struct Scene<'a> {
    run: &'a RunView,
    theme: Theme,
    arrangement: &'a Arrangement,
    /// The run goes on, so its buffer can be changed.
    editable: bool,
    two_learners: bool,
    /// View and details stand beside each other.
    wide: bool,
}

/// The replay buffer.
#[derive(Default)]
pub struct BufferPanel {
    view: View,
    look: Look,
    arrangement: Arrangement,
    choice: Choice,
    kept: preview::Kept,
    edits: edits::Edits,
    dots: dots::Dots,
    map: map::MapView,
    shares: shares::Shares,
    policy: policy::PolicyForm,
    add: policy::AddForm,
    watch: Watch,
    /// The run that was drawn last.
    run: Option<usize>,
}

/// Sees to it that the engine tells the buffer's changes.
#[derive(Debug, Default)]
struct Watch {
    run: Option<usize>,
    frame: u64,
}

impl Watch {
    /// Asks once for each run in progress, and again when the panel was out of sight in between.
    fn refresh(&mut self, ui: &Ui, context: &mut Context<'_>) {
        let frame = ui.ctx().cumulative_frame_nr();
        let was_hidden = frame > self.frame + 1;
        self.frame = frame;
        let state = context.state;
        let wanted =
            state.active_run().filter(|run| state.selected == Some(run.number) && empty::has_buffer(state, run));
        let wanted = wanted.map(|run| run.number);
        if wanted.is_some() && (wanted != self.run || was_hidden) {
            context.send(Command::WatchBuffer { on: true });
        }
        self.run = wanted;
    }
}

impl Panel for BufferPanel {
    fn kind(&self) -> PanelKind {
        PanelKind::Buffer
    }

    fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>) {
        self.watch.refresh(ui, context);
        if empty::show(ui, context) {
            return;
        }
        let state = context.state;
        let Some(run) = state.selected_run() else { return };
        if self.run != Some(run.number) {
            self.run = Some(run.number);
            self.choice = Choice::default();
            self.look.filter.task = None;
        }
        let two_learners = reading::has_two_learners(run);
        if !reading::Reading::all(two_learners).contains(&self.look.reading) {
            self.look.reading = reading::Reading::default();
        }
        if self.look.column.needs_two_learners() && !two_learners {
            self.look.column = arrangement::Column::default();
        }
        self.kept.refresh(run.number, &run.buffer);
        self.arrangement.refresh(run, &self.look, &self.kept, *context.theme);
        let arrangement = std::mem::take(&mut self.arrangement);
        let available = ui.available_size();
        let scene = Scene {
            run,
            theme: *context.theme,
            arrangement: &arrangement,
            editable: run.status.is_active() && state.active == Some(run.number),
            two_learners,
            wide: available.x >= WIDE[0] && available.y >= WIDE[1],
        };
        let wish = if scene.wide { self.beside(ui, &scene, context) } else { self.in_column(ui, &scene, context) };
        if let Some(wish) = wish {
            if let (Wish::Drop { id }, true) = (wish, scene.editable) {
                self.choice.step_off(id, &scene.arrangement.rows);
            }
            self.edits.carry_out(wish, run, scene.editable, context);
        }
        self.arrangement = arrangement;
    }
}

impl BufferPanel {
    /// View on the left, details on the right.
    fn beside(&mut self, ui: &mut Ui, scene: &Scene<'_>, context: &mut Context<'_>) -> Option<Wish> {
        let side = egui::Panel::right("buffer details").default_size(SIDE).size_range(220.0..=480.0);
        let by_buttons = side.show(ui, |ui| {
            ScrollArea::vertical()
                .id_salt("details")
                .auto_shrink([false, false])
                .show(ui, |ui| self.details(ui, scene, context))
                .inner
        });
        let by_keys = CentralPanel::no_frame().show(ui, |ui| {
            ui.set_max_width(ui.available_width() - Theme::GAP);
            self.head(ui, scene, false);
            let height = ui.available_height();
            self.view(ui, scene, context, height)
        });
        by_buttons.inner.or(by_keys.inner)
    }

    /// Everything in one column.
    fn in_column(&mut self, ui: &mut Ui, scene: &Scene<'_>, context: &mut Context<'_>) -> Option<Wish> {
        let folded = ui.available_height() < FOLDED;
        let height = (ui.available_height() * 0.7).clamp(*VIEW_IN_COLUMN.start(), *VIEW_IN_COLUMN.end());
        ScrollArea::vertical()
            .id_salt("buffer")
            .auto_shrink([false, false])
            .show(ui, |ui| {
                self.head(ui, scene, folded);
                let by_keys = self.view(ui, scene, context, height);
                ui.add_space(Theme::GAP);
                by_keys.or(self.details(ui, scene, context))
            })
            .inner
    }

    /// Summary, views, controls (folded where there is little room) and legend.
    fn head(&mut self, ui: &mut Ui, scene: &Scene<'_>, folded: bool) {
        ui.label(RichText::new(summary::line(scene.run)));
        controls::views(ui, scene, &mut self.view, &mut self.look);
        if self.view == View::Shares {
            return;
        }
        if folded {
            CollapsingHeader::new("Colour, order and filters")
                .default_open(false)
                .show(ui, |ui| controls::look(ui, scene, self.view, &mut self.look));
        } else {
            controls::look(ui, scene, self.view, &mut self.look);
        }
        if self.view != View::Cards {
            legend::show(ui, scene, self.look.reading);
        }
    }

    fn view(&mut self, ui: &mut Ui, scene: &Scene<'_>, context: &mut Context<'_>, height: f32) -> Option<Wish> {
        if scene.arrangement.rows.is_empty() && self.view != View::Shares {
            ui.label("No item passes the filters. Change them, or press Show all.");
            return None;
        }
        match self.view {
            View::Dots => self.dots.show(ui, scene, &mut self.choice, height),
            View::Map => self.map.show(ui, scene, &mut self.choice, context, height),
            View::Cards => cards::show(ui, scene, &mut self.look, &mut self.choice, height),
            View::Shares => {
                self.shares.show(ui, scene, height);
                None
            }
        }
    }

    fn details(&mut self, ui: &mut Ui, scene: &Scene<'_>, context: &mut Context<'_>) -> Option<Wish> {
        self.edits.show(ui, scene.run, scene.editable, context);
        let wish = details::show(ui, scene, &mut self.choice, context);
        ui.add_space(Theme::GAP);
        CollapsingHeader::new("Policy and capacity")
            .default_open(true)
            .show(ui, |ui| self.policy.show(ui, scene, &mut self.kept, context));
        CollapsingHeader::new("Add an example").default_open(false).show(ui, |ui| self.add.show(ui, scene, context));
        wish
    }
}

/// A line around what has the keyboard's focus.
fn focus_frame(ui: &Ui, response: &Response, rect: Rect, theme: Theme) {
    if response.has_focus() {
        let rect = rect.intersect(ui.clip_rect()).shrink(1.0);
        ui.painter().rect_stroke(rect, 2.0, Stroke::new(1.0, theme.accent()), StrokeKind::Inside);
    }
}
