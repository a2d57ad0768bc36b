//! What a panel is: widget state of its own, a title, and a way to draw itself from what is known.
//!
//! To add a panel: one file in `panels/`, one variant here, one line in `panels::all`.

use super::action::Action;
use super::state::AppState;
use super::theme::Theme;
use serde::{Deserialize, Serialize};

/// The panels, in the order of the menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PanelKind {
    Model,
    Tasks,
    Training,
    Forgetting,
    Buffer,
    Runs,
    Generate,
    Paths,
    Landscape,
    Log,
}

impl PanelKind {
    pub const ALL: [Self; 10] = [
        Self::Model,
        Self::Tasks,
        Self::Training,
        Self::Forgetting,
        Self::Buffer,
        Self::Runs,
        Self::Generate,
        Self::Paths,
        Self::Landscape,
        Self::Log,
    ];

    /// On its tab and in the menu.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Model => "Model",
            Self::Tasks => "Tasks",
            Self::Training => "Training",
            Self::Forgetting => "Forgetting",
            Self::Buffer => "Replay buffer",
            Self::Runs => "Runs",
            Self::Generate => "Generate",
            Self::Paths => "Paths",
            Self::Landscape => "Landscape",
            Self::Log => "Log",
        }
    }
}

/// What a panel draws from and answers with.
pub struct Context<'a> {
    pub state: &'a AppState,
    pub theme: &'a Theme,
    pub actions: &'a mut Vec<Action>,
    /// Seconds since the program started.
    pub now_secs: f64,
}

impl Context<'_> {
    pub fn send(&mut self, command: crate::engine::protocol::Command) {
        self.actions.push(Action::Send(Box::new(command)));
    }

    /// Changes the draft of the next experiment.
    pub fn edit(&mut self, what: &str, change: impl FnOnce(&mut crate::engine::config::ExperimentConfig)) {
        let mut draft = Box::new(self.state.draft.config.clone());
        change(&mut draft);
        if *draft != self.state.draft.config {
            self.actions.push(Action::Edit { what: what.to_string(), draft });
        }
    }
}

/// A panel. Its fields are widget state only: what is known lives in [`AppState`].
pub trait Panel {
    fn kind(&self) -> PanelKind;

    fn show(&mut self, ui: &mut egui::Ui, context: &mut Context<'_>);
}
