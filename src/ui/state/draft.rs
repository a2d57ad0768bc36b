//! The draft of the next experiment, with undo and redo.

use crate::engine::config::ExperimentConfig;

/// Most changes that can be taken back.
const STEPS: usize = 200;

/// The next experiment, as the forms show it. A run that was started owns a copy of its own.
#[derive(Debug, Default)]
pub struct Draft {
    pub config: ExperimentConfig,
    past: Vec<(String, ExperimentConfig)>,
    future: Vec<(String, ExperimentConfig)>,
}

impl Draft {
    /// A draft without a history.
    #[must_use]
    pub fn new(config: ExperimentConfig) -> Self {
        Self { config, past: Vec::new(), future: Vec::new() }
    }

    /// Replaces the draft. Changes of one name that follow one another count as one.
    pub fn edit(&mut self, what: &str, config: ExperimentConfig) {
        if config == self.config {
            return;
        }
        let before = std::mem::replace(&mut self.config, config);
        let same = self.future.is_empty() && self.past.last().is_some_and(|(last, _)| last == what);
        if !same {
            if self.past.len() >= STEPS {
                self.past.remove(0);
            }
            self.past.push((what.to_string(), before));
        }
        self.future.clear();
    }

    /// Name of the change that [`Self::undo`] would take back.
    #[must_use]
    pub fn undoable(&self) -> Option<&str> {
        self.past.last().map(|(what, _)| what.as_str())
    }

    /// Name of the change that [`Self::redo`] would make again.
    #[must_use]
    pub fn redoable(&self) -> Option<&str> {
        self.future.last().map(|(what, _)| what.as_str())
    }

    pub fn undo(&mut self) {
        if let Some((what, config)) = self.past.pop() {
            let now = std::mem::replace(&mut self.config, config);
            self.future.push((what, now));
        }
    }

    pub fn redo(&mut self) {
        if let Some((what, config)) = self.future.pop() {
            let now = std::mem::replace(&mut self.config, config);
            self.past.push((what, now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seeded(seed: u64) -> ExperimentConfig {
        ExperimentConfig { seed, ..ExperimentConfig::default() }
    }

    #[test]
    fn changes_of_one_name_are_taken_back_together() {
        let mut draft = Draft::new(seeded(0));
        draft.edit("seed", seeded(1));
        draft.edit("seed", seeded(12));
        draft.edit("title", ExperimentConfig { title: "t".into(), ..seeded(12) });
        assert_eq!(draft.undoable(), Some("title"));
        draft.undo();
        assert_eq!((draft.config.seed, draft.undoable(), draft.redoable()), (12, Some("seed"), Some("title")));
        draft.undo();
        assert_eq!((draft.config.seed, draft.undoable()), (0, None));
        draft.redo();
        draft.redo();
        assert_eq!((draft.config.seed, draft.config.title.as_str()), (12, "t"));
        draft.undo();
        draft.edit("seed", seeded(5));
        assert_eq!(draft.redoable(), None, "a new change closes the way back");
    }
}
