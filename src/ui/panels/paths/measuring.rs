//! Measurements that were asked for: how far each is, stopping it, why it ended, and asking once more. Shared by paths and planes.

use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::Command;
use crate::ui::panel::Context;
use crate::ui::state::{AppState, Exploration};
use egui::{ProgressBar, Ui};
use std::collections::BTreeMap;

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
    stopping: bool,
    pub progress: Progress,
}

impl Watched {
    #[must_use]
    pub fn new(id: u64) -> Self {
        Self { id, stopping: false, progress: Progress::Waiting }
    }

    /// It was asked for once more.
    pub fn ask_again(&mut self) {
        (self.stopping, self.progress) = (false, Progress::Waiting);
    }

    /// Takes over what the engine told of it.
    pub fn keep_up(&mut self, state: &AppState, told: Option<Progress>) {
        match told {
            Some(progress) => self.progress = progress,
            // One that failed before its first point is known by its number only.
            None if self.progress == Progress::Waiting => {
                if let Some(message) = state.failed_explorations.get(&self.id) {
                    self.progress = Progress::Ended(message.clone());
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

/// What can be measured: a path or a plane, as it is asked for.
pub trait Measurable: Clone + PartialEq {
    type Report: 'static;
    /// Numbers begin here, so that no other kind has them.
    const FIRST_NUMBER: u64;

    /// In words.
    fn name(&self) -> String;

    fn request(self, id: u64, experiment: ExperimentConfig) -> Command;

    /// What a command asks for, if it asks for one of these.
    fn asked(command: &Command) -> Option<(&Self, &ExperimentConfig)>;

    fn told(state: &AppState) -> &BTreeMap<u64, Exploration<Self::Report>>;
}

/// One that was asked for.
#[derive(Debug)]
pub struct Measured<C> {
    pub watched: Watched,
    pub name: String,
    pub command: C,
    pub experiment: ExperimentConfig,
}

impl<C: Measurable> Measured<C> {
    fn new(id: u64, command: &C, experiment: &ExperimentConfig) -> Self {
        let (name, command) = (command.name(), command.clone());
        Self { watched: Watched::new(id), name, command, experiment: experiment.clone() }
    }

    /// The command that asks for it under its number.
    pub fn request(&self) -> Command {
        self.command.clone().request(self.watched.id, self.experiment.clone())
    }

    fn ask(&mut self, context: &mut Context<'_>) {
        self.watched.ask_again();
        context.send(self.request());
    }

    /// What is known of it by now.
    pub fn report<'a>(&self, state: &'a AppState) -> Option<&'a C::Report> {
        C::told(state).get(&self.watched.id)?.report.as_ref()
    }
}

/// Takes in what was asked for elsewhere (in the last session), and what the engine told of all.
pub fn keep_up<C: Measurable>(all: &mut Vec<Measured<C>>, state: &AppState) {
    for (id, view) in C::told(state) {
        let Some((command, experiment)) = view.asked.as_deref().and_then(C::asked) else { continue };
        if all.iter().all(|known| known.watched.id != *id) {
            all.push(Measured::new(*id, command, experiment));
        }
    }
    for measured in all {
        measured.watched.keep_up(state, C::told(state).get(&measured.watched.id).map(Into::into));
    }
}

/// Asks the engine, also for what is there already: the answer is free while the engine has it, and only the engine knows.
/// Returns its place, and whether it was not asked for before.
pub fn measure<C: Measurable>(
    all: &mut Vec<Measured<C>>,
    context: &mut Context<'_>,
    command: &C,
    experiment: &ExperimentConfig,
) -> (usize, bool) {
    let again = all.iter().position(|known| known.command == *command && known.experiment == *experiment);
    let place = again.unwrap_or_else(|| {
        let known = C::told(context.state).keys().copied().chain(all.iter().map(|known| known.watched.id));
        let id = known.map(|id| id + 1).fold(C::FIRST_NUMBER, u64::max);
        all.push(Measured::new(id, command, experiment));
        all.len() - 1
    });
    // What still goes on is not asked for twice: one stop must end it.
    if again.is_none() || all[place].watched.is_over() {
        all[place].ask(context);
    }
    (place, again.is_none())
}

/// Says that an exploration can be looked at only; whether somebody wants it measured again.
pub fn ask_earlier(ui: &mut Ui, context: &Context<'_>) -> bool {
    let words =
        "Measured before: the engine has its adapters no more. Measured again, the model answers at its points.";
    ui.colored_label(context.theme.warning(), words);
    ui.button("Measure it again").clicked()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::Event;

    #[test]
    fn a_measurement_hears_its_own_failure_and_nobody_elses() {
        let mut state = AppState::default();
        let mut watched = Watched::new(7);
        let failed = |id: u64| Event::ExplorationFailed { id, message: format!("failure of {id}") };
        state.apply(failed(8), 1.0);
        state.apply(Event::Refused { what: "the run".into(), message: "no".into() }, 2.0);
        watched.keep_up(&state, None);
        assert_eq!(watched.progress, Progress::Waiting);
        state.apply(failed(7), 3.0);
        state.apply(Event::Logged { level: crate::engine::protocol::Level::Info, message: "later".into() }, 4.0);
        watched.keep_up(&state, None);
        assert_eq!(watched.progress, Progress::Ended("failure of 7".into()));
    }
}
