//! The numbers of a run, as plain data: what the engine gathers and `report.html`, the CSV files and the terminal show.
//!
//! Numbers that are not finite (a diverged loss) are written as JSON's `null` and come back as NaN, so that a report of a
//! failed run can always be written and read.

use serde::{Deserialize, Serialize};

use crate::continual::metrics::AccuracyMatrix;

/// What one optimiser step did.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// Global step, from 1, over all tasks.
    pub step: u64,
    /// Index of the task being learnt.
    pub task: usize,
    /// Step within the task, from 1.
    pub task_step: u64,
    /// Steps this task takes in all.
    pub task_steps: u64,
    /// The terms of the loss by name, as they were added up: `total`, `task`, `replay`, `consistency` and the method's own.
    #[serde(with = "named_f32")]
    pub losses: Vec<(String, f32)>,
    #[serde(with = "nullable_f64")]
    pub learning_rate: f64,
    /// Global L2 norm of the gradient before clipping.
    #[serde(with = "nullable_f32")]
    pub gradient_norm: f32,
    /// Tokens that went through the model in this step, replayed ones included.
    pub tokens: u64,
    #[serde(with = "nullable_f64")]
    pub tokens_per_sec: f64,
    #[serde(with = "nullable_f64")]
    pub secs_per_step: f64,
    /// Items in the replay buffer after the step.
    pub buffer_len: usize,
    /// L2 distance between the working and the long-term learner's adapters, where there are two.
    pub learner_distance: Option<f32>,
    /// Further numbers of the method by name.
    #[serde(with = "named_f64")]
    pub diagnostics: Vec<(String, f64)>,
}

impl StepReport {
    /// The loss term of this name.
    #[must_use]
    pub fn loss(&self, name: &str) -> Option<f32> {
        self.losses.iter().find(|(term, _)| term == name).map(|(_, value)| *value)
    }
}

/// Scores at one step of the stream.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// Global step; 0 is before training.
    pub step: u64,
    /// `[tasks]` scores in `[0, 1]`; `None` where a task was not scored.
    pub task_scores: Vec<Option<f64>>,
}

/// How one learner of a run did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LearnerReport {
    /// `working`, `long_term`, or `model` where there is only one.
    pub name: String,
    pub matrix: AccuracyMatrix,
    /// Scores while training, in ascending order of steps; may be empty.
    pub curve: Vec<CurvePoint>,
}

impl LearnerReport {
    /// The name for people.
    #[must_use]
    pub fn label(&self) -> &str {
        match self.name.as_str() {
            "working" => "fast learner (working)",
            "long_term" => "slow learner (long-term)",
            other => other,
        }
    }

    /// The same in two words.
    #[must_use]
    pub fn short_label(&self) -> &str {
        self.label().split(" (").next().unwrap_or_default()
    }
}

/// A task of the stream without its examples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TaskSummary {
    /// Short identifier.
    pub name: String,
    /// The name for people.
    pub title: String,
    /// Name of the metric, e.g. `choice_likelihood`.
    pub metric: String,
    /// Score of guessing.
    #[serde(with = "nullable_f64")]
    pub chance: f64,
    /// Score before any training.
    pub zero_shot: Option<f64>,
    /// Number of training examples.
    pub train: usize,
    /// Number of scored examples.
    pub eval: usize,
    /// `builtin`, or the path it came from.
    pub source: String,
}

/// The replay buffer at the end of a run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BufferSummary {
    pub capacity: usize,
    pub len: usize,
    /// Examples offered to it.
    pub n_seen: u64,
    /// `[tasks]` share of the items that each task holds.
    pub shares: Vec<f64>,
}

/// Everything that is told about one run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RunReport {
    pub title: String,
    /// Name of the method as in settings, e.g. `i_lora`.
    pub method: String,
    /// Name of the method for people, e.g. `I-LoRA`.
    pub method_label: String,
    pub seed: u64,
    pub device: String,
    pub model: String,
    pub tasks: Vec<TaskSummary>,
    pub learners: Vec<LearnerReport>,
    /// Index in `learners` of the one that the run is judged by.
    pub headline: usize,
    /// Steps, thinned by [`thin_steps`] if there were many.
    pub steps: Vec<StepReport>,
    #[serde(with = "nullable_f64")]
    pub train_secs: f64,
    #[serde(with = "nullable_f64")]
    pub eval_secs: f64,
    pub total_tokens: u64,
    /// Largest memory of the process, where the platform tells it.
    pub peak_memory_bytes: Option<u64>,
    pub trainable_parameters: u64,
    /// The run's configuration as flat keys and values.
    pub settings: Vec<(String, String)>,
    /// The command line that repeats the run.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Start, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    pub buffer: Option<BufferSummary>,
    pub warnings: Vec<String>,
}

impl RunReport {
    /// The learner that the run is judged by.
    #[must_use]
    pub fn headline_learner(&self) -> Option<&LearnerReport> {
        self.learners.get(self.headline)
    }

    /// Global step after which each task begins, with the task's index: `(0, 0)`, then one a change of task.
    #[must_use]
    pub fn task_boundaries(&self) -> Vec<(u64, usize)> {
        let mut boundaries: Vec<(u64, usize)> = Vec::new();
        for step in &self.steps {
            if boundaries.last().is_none_or(|(_, task)| *task != step.task) {
                // a thinned list may lack the task's first step, but every step knows its place in the task
                boundaries.push((step.step.saturating_sub(step.task_step), step.task));
            }
        }
        boundaries
    }
}

/// Thins a list of steps to about `limit` (at least the first and the last step of every task stay).
///
/// Steps are dropped evenly, without averaging: every number left is one that was measured.
#[must_use]
pub fn thin_steps(steps: &[StepReport], limit: usize) -> Vec<StepReport> {
    let stride = steps.len().div_ceil(limit.max(1)).max(1);
    let is_edge = |index: usize| {
        let differs = |other: Option<usize>| {
            other.and_then(|other| steps.get(other)).is_none_or(|other| other.task != steps[index].task)
        };
        differs(index.checked_sub(1)) || differs(index.checked_add(1))
    };
    (0..steps.len()).filter(|index| index % stride == 0 || is_edge(*index)).map(|index| steps[index].clone()).collect()
}

/// JSON has no NaN: a number that is not finite is written as `null` and read as NaN.
macro_rules! nullable_number {
    ($module:ident, $number:ident) => {
        mod $module {
            use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

            #[allow(clippy::trivially_copy_pass_by_ref)] // the shape serde asks for
            pub fn serialize<S: Serializer>(value: &$number, serializer: S) -> Result<S::Ok, S::Error> {
                value.is_finite().then_some(*value).serialize(serializer)
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$number, D::Error> {
                Ok(Option::<$number>::deserialize(deserializer)?.unwrap_or($number::NAN))
            }
        }
    };
}
nullable_number!(nullable_f32, f32);
nullable_number!(nullable_f64, f64);

/// The same for lists of named numbers.
macro_rules! named_numbers {
    ($module:ident, $number:ident) => {
        mod $module {
            use serde::{Deserialize as _, Deserializer, Serializer};

            pub fn serialize<S: Serializer>(list: &[(String, $number)], serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_seq(list.iter().map(|(name, value)| (name, value.is_finite().then_some(*value))))
            }

            pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(String, $number)>, D::Error> {
                let list = Vec::<(String, Option<$number>)>::deserialize(deserializer)?;
                Ok(list.into_iter().map(|(name, value)| (name, value.unwrap_or($number::NAN))).collect())
            }
        }
    };
}
named_numbers!(named_f32, f32);
named_numbers!(named_f64, f64);

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(of_each_task: &[u64]) -> Vec<StepReport> {
        let mut steps = Vec::new();
        for (task, count) in of_each_task.iter().enumerate() {
            for task_step in 1..=*count {
                let step = steps.len() as u64 + 1;
                steps.push(StepReport { step, task, task_step, task_steps: *count, ..StepReport::default() });
            }
        }
        steps
    }

    #[test]
    fn a_diverged_run_is_written_and_read() {
        let step = StepReport {
            losses: vec![("total".into(), f32::NAN), ("task".into(), 0.25)],
            diagnostics: vec![("fisher".into(), f64::NEG_INFINITY)],
            gradient_norm: f32::INFINITY,
            learning_rate: 1e-4,
            ..StepReport::default()
        };
        let text = serde_json::to_string(&step).unwrap();
        assert!(text.contains(r#"["total",null],["task",0.25]"#), "{text}");
        let read: StepReport = serde_json::from_str(&text).unwrap();
        assert!(read.losses[0].1.is_nan() && read.gradient_norm.is_nan() && read.diagnostics[0].1.is_nan());
        assert_eq!((read.loss("task"), read.loss("replay")), (Some(0.25), None));
        assert_eq!(read.learning_rate.to_bits(), 1e-4_f64.to_bits());
    }

    #[test]
    fn thinning_keeps_first_and_last_of_every_task() {
        let all = steps(&[500, 3, 497]);
        let thin = thin_steps(&all, 50);
        assert!((50..=56).contains(&thin.len()), "{}", thin.len());
        let kept: Vec<u64> = thin.iter().map(|step| step.step).collect();
        for edge in [1, 500, 501, 503, 504, 1000] {
            assert!(kept.contains(&edge), "step {edge} is missing");
        }
        assert!(kept.is_sorted());
        assert_eq!(thin_steps(&all, 5000), all);
        assert!(thin_steps(&[], 0).is_empty());
    }

    #[test]
    fn boundaries_survive_thinning() {
        let all = RunReport { steps: steps(&[10, 20, 5]), ..RunReport::default() };
        let expected = [(0, 0), (10, 1), (30, 2)];
        assert_eq!(all.task_boundaries(), expected);
        let last_of_each = all.steps.iter().filter(|step| step.task_step == 4).cloned().collect();
        assert_eq!(RunReport { steps: last_of_each, ..RunReport::default() }.task_boundaries(), expected);
    }
}
