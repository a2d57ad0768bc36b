//! Who can answer now: the base model, the learners of the run in progress, adapters in the selected run's folder.

use crate::engine::protocol::AdapterSource;
use crate::ui::state::AppState;
use crate::ui::theme::Theme;
use egui::Color32;

/// Somebody who answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// For people; unique among those that can answer at one time.
    pub label: String,
    pub adapter: AdapterSource,
    hue: Hue,
    /// Whether it answers unless somebody switches it off.
    pub on: bool,
    /// Why it cannot answer now.
    pub blocked: Option<&'static str>,
}

/// What it is coloured by.
#[derive(Clone, Debug, PartialEq)]
enum Hue {
    Learner(String),
    Task(usize),
}

impl Source {
    #[must_use]
    pub fn colour(&self, theme: &Theme) -> Color32 {
        match &self.hue {
            Hue::Learner(name) => theme.learner(name),
            Hue::Task(task) => theme.task(*task),
        }
    }

    /// Lies in a folder: there may be many of these.
    #[must_use]
    pub fn is_kept(&self) -> bool {
        matches!(self.adapter, AdapterSource::Folder { .. })
    }
}

/// All that can answer, in the order in which they are shown.
pub fn sources(state: &AppState) -> Vec<Source> {
    let base = Source {
        label: "base model".into(),
        adapter: AdapterSource::Base,
        hue: Hue::Learner("base".into()),
        on: true,
        blocked: None,
    };
    let mut sources = vec![base];
    let active = state.active_run();
    for learner in active.iter().flat_map(|run| &run.report.learners) {
        let label = if learner.name == "model" { "the learner" } else { learner.label() };
        sources.push(Source {
            label: format!("{label}, as it is now"),
            adapter: AdapterSource::Live { learner: learner.name.clone() },
            hue: Hue::Learner(learner.name.clone()),
            on: true,
            blocked: None,
        });
    }
    let Some(run) = state.selected_run() else { return sources };
    // A run in progress holds its own model, and an adapter fits no other.
    let foreign = active.is_some_and(|active| active.experiment.model != run.experiment.model);
    let last = run.adapters.iter().map(|(task, ..)| *task).max();
    let (names, alone) = (run.task_names(), active.is_none());
    for (task, learner, path) in &run.adapters {
        let name = names.get(*task).map_or_else(|| format!("task {}", task + 1), ToString::to_string);
        let who = run.learner(learner).map_or(learner.as_str(), |learner| learner.short_label());
        let who = if who == "model" { "learner" } else { who };
        sources.push(Source {
            label: format!("{who} after {name}"),
            adapter: AdapterSource::Folder { path: path.clone() },
            hue: Hue::Task(*task),
            on: alone && Some(*task) == last,
            blocked: foreign.then_some("It belongs to another model than the run in progress."),
        });
    }
    sources
}
