//! What front ends say to the engine and hear from it: plain data, the same for the window, the browser's worker, the command
//! line, a recorded run and a test.

use super::report::{RunReport, StepReport};
use serde::{Deserialize, Serialize};

/// What a front end asks of a running experiment. Looked at between steps and between evaluation batches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    /// Wait after the present step.
    Pause,
    /// Go on.
    Resume,
    /// One step, then wait again.
    SingleStep,
    /// Stop after the present step, write a checkpoint, and keep everything that was finished.
    Stop,
}

/// What the engine tells. Every event of a run carries the run's index in its experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "event")]
pub enum Event {
    /// A phase has begun, such as `loading`, `warming up`, `training` or `evaluating`.
    PhaseStarted { phase: String, detail: String },
    /// The device that will be used, and why.
    DeviceChosen { name: String, reason: String },
    /// A run has begun or was resumed.
    RunStarted { run: usize, runs: usize, method_label: String, tasks: Vec<String>, steps_done: u64, steps_total: u64 },
    /// An optimiser step was made and its values were read.
    Stepped { run: usize, step: StepReport, steps_total: u64, eta_secs: Option<f64> },
    /// One learner was scored on all tasks after a task (`after_task` is `None` before training: zero-shot).
    Evaluated { run: usize, after_task: Option<usize>, learner: String, scores: Vec<Option<f64>> },
    /// Evaluation goes on: so many of so many examples.
    EvaluationProgressed { run: usize, done: usize, total: usize },
    /// A checkpoint was written.
    CheckpointSaved { run: usize, step: u64 },
    /// The engine waits.
    Paused { run: usize },
    /// It goes on.
    Resumed { run: usize },
    /// The run was stopped before its end; its folder can be resumed.
    Stopped { run: usize, step: u64 },
    /// The run is complete.
    Finished { run: usize, report: Box<RunReport> },
    /// Something worth knowing that stops nothing.
    Warned { message: String },
    /// The run ended with an error; the others go on.
    Failed { run: usize, message: String },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_survive_json() {
        let event = Event::Stepped {
            run: 1,
            step: StepReport { step: 7, losses: vec![("total".into(), 0.5)], ..StepReport::default() },
            steps_total: 100,
            eta_secs: Some(1.5),
        };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
        assert_eq!(serde_json::to_string(&Command::SingleStep).unwrap(), "\"single_step\"");
    }
}
