//! A measurement that goes on: how far it is, stopping it, and why it ended. Shared by paths and planes.

use crate::engine::protocol::{Command, Level};
use crate::ui::panel::Context;
use crate::ui::state::{AppState, Exploration};
use egui::{ProgressBar, Ui};

/// Where a measurement stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Asked for; nothing came yet.
    Waiting,
    Growing,
    Done,
    /// Ended before its end, with a sentence. What was measured is kept.
    Ended(String),
}

impl<R> From<&Exploration<R>> for Progress {
    fn from(exploration: &Exploration<R>) -> Self {
        match &exploration.failed {
            Some(message) => Self::Ended(message.clone()),
            None if exploration.done => Self::Done,
            None => Self::Growing,
        }
    }
}

/// A measurement that was asked for.
#[derive(Clone, Debug)]
pub struct Watched {
    pub id: u64,
    asked_secs: f64,
    stopping: bool,
    pub progress: Progress,
}

impl Watched {
    #[must_use]
    pub fn new(id: u64, now_secs: f64) -> Self {
        Self { id, asked_secs: now_secs, stopping: false, progress: Progress::Waiting }
    }

    /// Takes over what the engine told of it.
    pub fn keep_up(&mut self, state: &AppState, told: Option<Progress>) {
        match told {
            Some(progress) => self.progress = progress,
            // One that failed before its first point is told in the log only.
            None if self.progress == Progress::Waiting => {
                let error =
                    state.log.back().filter(|line| line.level == Level::Error && line.at_secs >= self.asked_secs);
                if let Some(line) = error {
                    self.progress = Progress::Ended(line.message.clone());
                }
            }
            None => {}
        }
    }

    /// Whether nothing more will come.
    #[must_use]
    pub fn is_over(&self) -> bool {
        matches!(self.progress, Progress::Done | Progress::Ended(_))
    }

    /// A bar and a button while it goes on; a sentence if it ended badly.
    pub fn show(&mut self, ui: &mut Ui, context: &mut Context<'_>, known: usize, total: usize) {
        match &self.progress {
            Progress::Done => {}
            Progress::Ended(message) => {
                let kept = if known > 0 { " What was measured is kept." } else { "" };
                ui.colored_label(context.theme.bad(), format!("{message}{kept}"));
            }
            Progress::Waiting | Progress::Growing => {
                if self.progress == Progress::Waiting && context.state.active.is_some() {
                    ui.label("It begins when the run in progress is over.");
                }
                let engine = &context.state.engine;
                let phase = if engine.phase.is_empty() || engine.phase == "idle" { "waiting" } else { &engine.phase };
                let words =
                    if engine.detail.is_empty() { phase.to_string() } else { format!("{phase}: {}", engine.detail) };
                let by_points = if total > 0 { known as f64 / total as f64 } else { 0.0 };
                let share = engine.progress.unwrap_or(by_points).clamp(0.0, 1.0);
                ui.horizontal(|ui| {
                    let width = (ui.available_width() - 90.0).clamp(80.0, 260.0);
                    ui.add(ProgressBar::new(share as f32).desired_width(width).text(words));
                    let label = if self.stopping { "Stopping" } else { "Stop" };
                    let button = ui.add_enabled(!self.stopping, egui::Button::new(label));
                    if button.on_hover_text("Ends it and keeps what was measured.").clicked() {
                        self.stopping = true;
                        context.send(Command::StopMeasuring { id: self.id });
                        if self.progress == Progress::Waiting {
                            self.progress = Progress::Ended("Stopped before the first point.".into());
                        }
                    }
                });
            }
        }
    }
}
