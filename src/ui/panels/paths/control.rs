//! The independent control: one task learnt from two seeds, to show where a straight line does meet a barrier. One click queues
//! the second run, and measures the path between the two when it is over, on the task that both learnt.

use super::adapters::{self, Choice};
use crate::engine::config::ExperimentConfig;
use crate::engine::protocol::AdapterSource;
use crate::ui::action::Action;
use crate::ui::panel::Context;
use crate::ui::state::AppState;
use crate::ui::state::run::{RunStatus, RunView};
use egui::Ui;

/// A control that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Control {
    /// The run whose first task is learnt again.
    run: usize,
    /// What is learnt; `None` where both runs are there already.
    draft: Option<ExperimentConfig>,
    /// Numbers that runs had before: the control's is none of them.
    before: Vec<usize>,
}

/// The button, what it is for, and how far a control is.
pub fn show(
    ui: &mut Ui,
    context: &mut Context<'_>,
    run: &RunView,
    choices: &[Choice],
    waiting: &mut Option<Control>,
    anchors: &mut Vec<AdapterSource>,
) {
    let there = partner(context.state, run, choices);
    ui.menu_button("Independent control", |ui| {
        ui.set_max_width(320.0);
        ui.label(
            "Two adapters of one task, trained from different seeds. Neighbours on the way of one run are usually \
             joined by a low straight line; independent ones need not be. Without this control a low line says little.",
        );
        if waiting.is_some() {
            ui.label("The second run is queued. The path is measured when it is over.");
            if ui.button("Do not measure it").clicked() {
                *waiting = None;
                ui.close();
            }
        } else if let Some(pair) = there {
            if ui.button("Measure between the two runs that are there").clicked() {
                *anchors = pair.to_vec();
                *waiting = Some(Control { run: run.number, draft: None, before: Vec::new() });
                ui.close();
            }
        } else {
            ui.label("It needs a second run of the first task with another seed.");
            let help = "The draft stays as it is. When the run is over the path is measured on its task.";
            if ui.button("Learn the first task again, and measure").on_hover_text(help).clicked() {
                *waiting = Some(queue(context, run));
                ui.close();
            }
        }
    });
}

/// The first adapter of this run, and of another of the same method and first task with another seed.
fn partner(state: &AppState, run: &RunView, choices: &[Choice]) -> Option<[AdapterSource; 2]> {
    let learner = adapters::headline(run);
    let first = |run: usize| Some(adapters::of_learner(choices, run, &learner).first()?.source.clone());
    let same_task = |other: &&RunView| {
        other.experiment.seed != run.experiment.seed
            && other.report.method == run.report.method
            && other.report.tasks.first().map(|task| &task.name) == run.report.tasks.first().map(|task| &task.name)
    };
    let there = state.runs.iter().filter(same_task).find_map(|other| first(other.number))?;
    Some([first(run.number)?, there])
}

/// Queues the first task of a run with the next seed, and leaves the draft as it was.
fn queue(context: &mut Context<'_>, run: &RunView) -> Control {
    let mut draft = run.experiment.clone();
    draft.seed = draft.seed.wrapping_add(1);
    draft.tasks.truncate(1);
    draft.methods.truncate(1);
    draft.title = format!("Independent control, seed {}", draft.seed);
    let changes = draft != context.state.draft.config;
    if changes {
        context.actions.push(Action::Edit { what: "independent control".into(), draft: Box::new(draft.clone()) });
    }
    context.actions.push(Action::StartDraft);
    if changes {
        context.actions.push(Action::Undo);
    }
    let before = context.state.runs.iter().map(|run| run.number).collect();
    Control { run: run.number, draft: Some(draft), before }
}

/// The two ends and what both learnt, once the control is over. One that failed or was taken out of the queue is forgotten.
pub fn finished(
    waiting: &mut Option<Control>,
    state: &AppState,
    choices: &[Choice],
) -> Option<(Vec<AdapterSource>, ExperimentConfig)> {
    let control = waiting.as_ref()?;
    let Some(run) = state.run(control.run) else {
        *waiting = None;
        return None;
    };
    let mut experiment = run.experiment.clone();
    experiment.tasks.truncate(1);
    let learner = adapters::headline(run);
    let first = |run: usize| Some(adapters::of_learner(choices, run, &learner).first()?.source.clone());
    let pair = match &control.draft {
        None => partner(state, run, choices),
        Some(draft) => {
            let is_it = |other: &&RunView| {
                !control.before.contains(&other.number)
                    && (other.experiment.seed, &other.experiment.tasks) == (draft.seed, &draft.tasks)
            };
            let other = state.runs.iter().find(is_it)?;
            match &other.status {
                // Its adapters may be told of a moment later than its end.
                RunStatus::Finished => Some([first(run.number)?, first(other.number)?]),
                RunStatus::Failed(_) | RunStatus::Stopped => None,
                _ => return None,
            }
        }
    };
    *waiting = None;
    Some((pair?.to_vec(), experiment))
}
