//! Asks the engine what the draft's model and tasks are, once for each thing that is not known yet.

use crate::engine::config::{ExperimentConfig, TaskConfig};
use crate::engine::protocol::Command;
use crate::ui::state::{AppState, task_id};
use std::collections::BTreeSet;

/// A draft must rest for so long before it is looked at again, so that a dragged slider asks once.
const REST_SECS: f64 = 0.25;

/// What was asked.
#[derive(Debug, Default)]
pub struct Inspector {
    /// The draft that was looked at last.
    seen: Option<ExperimentConfig>,
    /// When the draft changed, if it was not looked at since.
    changed_secs: Option<f64>,
    /// What the present model card was asked for.
    model: Option<ExperimentConfig>,
    tasks: BTreeSet<u64>,
}

/// The experiment without what a model card does not depend on.
fn relevant(draft: &ExperimentConfig) -> ExperimentConfig {
    let base = ExperimentConfig::default();
    let mut kept = draft.clone();
    (kept.title, kept.seed, kept.output, kept.evaluation) = (base.title, base.seed, base.output, base.evaluation);
    let training = &mut kept.training;
    (training.steps_per_task, training.epochs) = (base.training.steps_per_task, base.training.epochs);
    (training.learning_rate, training.schedule) = (base.training.learning_rate, base.training.schedule);
    (training.warmup_ratio, training.report_every) = (base.training.warmup_ratio, base.training.report_every);
    (training.beta_1, training.beta_2, training.epsilon) =
        (base.training.beta_1, base.training.beta_2, base.training.epsilon);
    (training.weight_decay, training.max_grad_norm) = (base.training.weight_decay, base.training.max_grad_norm);
    kept
}

impl Inspector {
    /// Answers that have not come will not come: asks again for what is not known.
    pub fn forget_unanswered(&mut self, state: &AppState) {
        self.tasks.retain(|id| state.tasks.contains_key(id));
        if state.model.is_none() {
            self.model = None;
        }
        self.seen = None;
    }

    /// The model's files are others now: asks again for it, and for tasks that could not be read without it.
    pub fn forget_model(&mut self, state: &mut AppState) {
        state.tasks.retain(|_, task| task.is_ok());
        state.model = None;
        self.forget_unanswered(state);
    }

    /// Seconds until the draft has rested; `None` when nothing is to be asked.
    #[must_use]
    pub fn next_look_secs(&self, now_secs: f64) -> Option<f64> {
        self.changed_secs.map(|since| (since + REST_SECS - now_secs).max(0.0))
    }

    /// The questions that are due. A card of another model is taken away at once.
    pub fn look(&mut self, state: &mut AppState, now_secs: f64) -> Vec<Command> {
        let draft = &state.draft.config;
        if !state.engine.ready || self.seen.as_ref() == Some(draft) {
            return Vec::new();
        }
        let other_model = self.model.as_ref().is_none_or(|asked| asked.model != draft.model);
        let since = *self.changed_secs.get_or_insert(if self.seen.is_none() { f64::NEG_INFINITY } else { now_secs });
        if now_secs - since < REST_SECS && !other_model {
            return Vec::new();
        }
        let draft = draft.clone();
        self.changed_secs = None;
        let mut commands = Vec::new();
        let asked = relevant(&draft);
        if self.model.as_ref() != Some(&asked) {
            if other_model {
                state.model = None;
            }
            self.model = Some(asked);
            commands.push(Command::InspectModel { experiment: Box::new(draft.clone()) });
        }
        for task in &draft.tasks {
            let id = task_id(task, &draft);
            if !state.tasks.contains_key(&id) && self.tasks.insert(id) {
                let (experiment, task): (Box<ExperimentConfig>, Box<TaskConfig>) =
                    (Box::new(draft.clone()), Box::new(task.clone()));
                commands.push(Command::InspectTask { id, experiment, task });
            }
        }
        self.seen = Some(draft);
        commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::protocol::cards::TaskProblem;

    fn ready() -> AppState {
        let mut state = AppState::default();
        state.engine.ready = true;
        state
    }

    fn kinds(commands: &[Command]) -> (usize, usize) {
        let models = commands.iter().filter(|command| matches!(command, Command::InspectModel { .. })).count();
        (models, commands.len() - models)
    }

    #[test]
    fn everything_is_asked_once_and_again_only_when_it_changed() {
        let (mut inspector, mut state) = (Inspector::default(), ready());
        assert_eq!(kinds(&inspector.look(&mut state, 0.0)), (1, 8));
        assert!(inspector.look(&mut state, 1.0).is_empty());

        state.draft.config.training.learning_rate = 0.5;
        assert!(inspector.look(&mut state, 2.0).is_empty(), "it has to rest first");
        assert!(inspector.next_look_secs(2.1).is_some());
        assert!(inspector.look(&mut state, 3.0).is_empty(), "neither model nor tasks depend on the rate");

        state.draft.config.lora.rank = 3;
        inspector.look(&mut state, 4.0);
        assert_eq!(kinds(&inspector.look(&mut state, 5.0)), (1, 0));

        state.draft.config.tasks.push(TaskConfig::Source("my.csv".into()));
        inspector.look(&mut state, 6.0);
        assert_eq!(kinds(&inspector.look(&mut state, 7.0)), (1, 1));
    }

    #[test]
    fn another_model_is_asked_for_at_once_and_its_old_card_goes() {
        let (mut inspector, mut state) = (Inspector::default(), ready());
        inspector.look(&mut state, 0.0);
        state.model = Some(Err("of the old one".into()));
        state.draft.config.model = "models/other".into();
        assert_eq!(kinds(&inspector.look(&mut state, 0.1)).0, 1);
        assert!(state.model.is_none());
    }

    #[test]
    fn a_model_that_has_come_is_asked_for_again_with_what_needed_it() {
        let (mut inspector, mut state) = (Inspector::default(), ready());
        inspector.look(&mut state, 0.0);
        let draft = state.draft.config.clone();
        state.model = Some(Err("no such folder".into()));
        for (place, task) in draft.tasks.iter().enumerate() {
            let card = if place < 2 { Ok(crate::ui::sample::task_card("x")) } else { Err(TaskProblem::default()) };
            state.tasks.insert(task_id(task, &draft), card);
        }
        inspector.forget_model(&mut state);
        assert_eq!(kinds(&inspector.look(&mut state, 1.0)), (1, 6));
    }

    #[test]
    fn after_a_fault_only_what_is_missing_is_asked_again() {
        let (mut inspector, mut state) = (Inspector::default(), ready());
        inspector.look(&mut state, 0.0);
        let draft = state.draft.config.clone();
        state.model = Some(Err("known".into()));
        for task in &draft.tasks[..5] {
            state.tasks.insert(task_id(task, &draft), Ok(crate::ui::sample::task_card("x")));
        }
        inspector.forget_unanswered(&state);
        assert_eq!(kinds(&inspector.look(&mut state, 1.0)), (0, 3));
    }
}
