//! Closing the window while a run goes on: stop it, wait for its checkpoint, remember where it is.

use super::App;
use crate::engine::protocol::{Command, Steer};
use crate::ui::state::run::RunStatus;
use crate::ui::theme::Theme;
use egui::{Context, Id, Modal, ViewportCommand};

/// The window closes after this time whatever the engine says.
pub const PATIENCE_SECS: f64 = 15.0;

/// How far the closing is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Closing {
    #[default]
    No,
    /// A checkpoint is being written since then, of this run.
    Saving { since_secs: f64, run: Option<usize> },
    /// The next request to close goes through.
    Go,
}

impl App {
    /// Is the window about to close, as soon as a checkpoint is written?
    #[must_use]
    pub fn closing(&self) -> bool {
        matches!(self.closing, Closing::Saving { .. })
    }

    fn has_work(&self) -> bool {
        self.state.active.is_some()
            || self.state.runs.iter().any(|run| run.status == RunStatus::Queued)
            || !self.state.measuring().is_empty()
    }

    /// Looks whether somebody wants to close the window, and whether it may close by now. Works without drawing, since a
    /// window can be closed while it is hidden.
    pub(super) fn attend_closing(&mut self, ctx: &Context) {
        let requested = ctx.input(|input| input.viewport().close_requested());
        if requested && self.closing == Closing::No && self.has_work() {
            self.begin_closing();
        }
        if let Closing::Saving { since_secs, run } = self.closing {
            if self.has_work() && self.now() - since_secs < PATIENCE_SECS {
                if requested {
                    ctx.send_viewport_cmd(ViewportCommand::CancelClose);
                }
                // One that was between the queue and its beginning when the window was closed.
                if self.state.active.is_some() && self.state.active != run {
                    self.stop_for_closing();
                }
                ctx.request_repaint_after_secs(0.05);
            } else {
                self.closing = Closing::Go;
                if !requested {
                    ctx.send_viewport_cmd(ViewportCommand::Close);
                }
            }
        }
    }

    fn begin_closing(&mut self) {
        let queued = self.state.runs.iter().filter(|run| run.status == RunStatus::Queued);
        let (again, new): (Vec<_>, Vec<_>) = queued.partition(|run| run.folder.is_some());
        // What waits is taken out first, or the engine would begin it as soon as this run stops.
        for run in again.iter().chain(&new) {
            self.link.send(Command::Unqueue { run: run.number });
        }
        if let Some(folder) = again.first().and_then(|run| run.folder.clone()) {
            self.session.interrupted.get_or_insert(folder);
        }
        self.session.waiting.extend(new.iter().filter_map(|run| run.experiment.to_toml().ok()));
        // What was measured so far is told once more, and remembered.
        for id in self.state.measuring() {
            self.link.send(Command::StopMeasuring { id });
        }
        self.closing = Closing::Saving { since_secs: self.now(), run: None };
        self.stop_for_closing();
    }

    fn stop_for_closing(&mut self) {
        if let Some(run) = self.state.active_run() {
            let (number, folder) = (run.number, run.folder.clone());
            if folder.is_some() {
                self.session.interrupted = folder;
            }
            self.link.send(Command::Steer { steer: Steer::Stop });
            if let Closing::Saving { run, .. } = &mut self.closing {
                *run = Some(number);
            }
        }
    }

    /// Draws what is waited for.
    pub(super) fn show_closing(&mut self, ctx: &Context) {
        let Closing::Saving { since_secs, .. } = self.closing else { return };
        let theme = self.session.theme;
        let left = (PATIENCE_SECS - (self.now() - since_secs)).max(0.0);
        let modal = Modal::new(Id::unique("closing")).frame(theme.card_frame().inner_margin(16));
        let response = modal.show(ctx, |ui| {
            ui.set_width(360.0_f32.min(ctx.content_rect().width() - 64.0));
            let run = self.state.active.is_some() || self.state.measuring().is_empty();
            ui.horizontal(|ui| {
                ui.spinner();
                ui.heading(if run { "Saving a checkpoint…" } else { "Keeping what was measured…" });
            });
            ui.label(if run {
                "The run stops after the present step. At the next start, \"Resume last session\" goes on from there."
            } else {
                "The measurement stops after the present points. They are there at the next start."
            });
            ui.label(format!("The window closes in {left:.0} s at the latest."));
            ui.add_space(Theme::GAP);
            ui.horizontal(|ui| (ui.button("Close now").clicked(), ui.button("Keep the window open").clicked())).inner
        });
        match response.inner {
            (true, _) => {
                self.closing = Closing::Go;
                ctx.send_viewport_cmd(ViewportCommand::Close);
            }
            (_, true) => {
                self.closing = Closing::No;
                self.queue_waiting();
            }
            _ => {}
        }
    }

    /// The window is gone: gives a run that still goes on a moment for its checkpoint.
    pub(super) fn last_moment(&mut self) {
        let works = |app: &Self| app.state.active.is_some() || !app.state.measuring().is_empty();
        if !works(self) || self.closing == Closing::Go {
            return;
        }
        self.begin_closing();
        let until = self.now() + PATIENCE_SECS / 3.0;
        while works(self) && self.now() < until {
            self.drain();
            // A browser cannot wait here, and says so.
            if crate::platform::block_on(crate::platform::pause()).is_err() {
                break;
            }
        }
    }
}
