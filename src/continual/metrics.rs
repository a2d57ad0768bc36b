//! What a run is judged by: the accuracy matrix and the five numbers read off it.
//!
//! `a(i, j)` is the score on task `j` after training on task `i`, both counted from 0 here. Definitions follow GEM
//! (Lopez-Paz & Ranzato 2017, arXiv 1706.08840) for average accuracy and the two transfers, Chaudhry et al. 2018
//! (arXiv 1801.10112) for forgetting in its maximum form.
//!
//! Invariant: a number is `None` when a score that its definition needs was not measured, or when it averages over
//! nothing (transfer and forgetting of a single task). No number is ever made up from a part of its terms.

use serde::{Deserialize, Serialize};

/// Scores on every task after every task, with the two floors that make them readable: guessing and no training.
///
/// All scores lie in `[0, 1]`, larger is better. A score that is not finite counts as not measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "StoredMatrix")]
pub struct AccuracyMatrix {
    /// `[tasks][tasks]`: the row is the task just trained on, the column the task that is scored.
    scores: Vec<Vec<Option<f64>>>,
    /// `[tasks]` scores of the model before any training.
    zero_shot: Vec<Option<f64>>,
    /// `[tasks]` scores of guessing.
    chance: Vec<Option<f64>>,
}

impl AccuracyMatrix {
    /// A matrix in which nothing has been measured yet.
    #[must_use]
    pub fn new(tasks: usize) -> Self {
        Self { scores: vec![vec![None; tasks]; tasks], zero_shot: vec![None; tasks], chance: vec![None; tasks] }
    }

    /// Number of tasks in the stream, learnt or not.
    #[must_use]
    pub fn tasks(&self) -> usize {
        self.scores.len()
    }

    /// `a(after, task)`, or `None` when it was not measured or lies outside the matrix.
    #[must_use]
    pub fn score(&self, after: usize, task: usize) -> Option<f64> {
        self.scores.get(after)?.get(task).copied().flatten()
    }

    /// Score on `task` before any training.
    #[must_use]
    pub fn zero_shot(&self, task: usize) -> Option<f64> {
        self.zero_shot.get(task).copied().flatten()
    }

    /// Score of guessing on `task`.
    #[must_use]
    pub fn chance(&self, task: usize) -> Option<f64> {
        self.chance.get(task).copied().flatten()
    }

    /// Records `a(after, task)`. Places outside the matrix are ignored.
    pub fn set_score(&mut self, after: usize, task: usize, score: f64) {
        if let Some(cell) = self.scores.get_mut(after).and_then(|row| row.get_mut(task)) {
            *cell = finite(score);
        }
    }

    /// Records the score on `task` before any training.
    pub fn set_zero_shot(&mut self, task: usize, score: f64) {
        if let Some(cell) = self.zero_shot.get_mut(task) {
            *cell = finite(score);
        }
    }

    /// Records the score of guessing on `task`.
    pub fn set_chance(&mut self, task: usize, score: f64) {
        if let Some(cell) = self.chance.get_mut(task) {
            *cell = finite(score);
        }
    }

    /// How many tasks the scores reach: one more than the last row that holds a score.
    ///
    /// A finished run gives [`Self::tasks`]; one that was stopped after task 3 of 8 gives 3, and every number below is
    /// then taken over those three tasks.
    #[must_use]
    pub fn learnt(&self) -> usize {
        self.scores.iter().rposition(|row| row.iter().any(Option::is_some)).map_or(0, |last| last + 1)
    }

    /// `1/T * sum_j a(T, j)`: the mean score on the tasks learnt, at the end.
    #[must_use]
    pub fn average_accuracy(&self) -> Option<f64> {
        self.average_accuracy_after(self.learnt().checked_sub(1)?)
    }

    /// Mean of `a(after, j)` over the tasks `0..=after`.
    #[must_use]
    pub fn average_accuracy_after(&self, after: usize) -> Option<f64> {
        mean((0..=after).map(|j| self.score(after, j)))
    }

    /// Mean score of guessing on the tasks learnt, to stand beside [`Self::average_accuracy`].
    #[must_use]
    pub fn average_chance(&self) -> Option<f64> {
        mean((0..self.learnt()).map(|j| self.chance(j)))
    }

    /// Mean score before training on the tasks learnt, to stand beside [`Self::average_accuracy`].
    #[must_use]
    pub fn average_zero_shot(&self) -> Option<f64> {
        mean((0..self.learnt()).map(|j| self.zero_shot(j)))
    }

    /// `1/(T-1) * sum_{j<T} [a(T, j) - a(j, j)]`: what later training did to earlier tasks; negative means forgetting.
    #[must_use]
    pub fn backward_transfer(&self) -> Option<f64> {
        let last = self.learnt().checked_sub(1)?;
        mean((0..last).map(|j| self.change_since_learnt(j)))
    }

    /// `1/(T-1) * sum_{j<T} [max_i a(i, j) - a(T, j)]`: the fall from the best score ever seen; never negative.
    ///
    /// The maximum runs over the scores that were measured, but `a(j, j)` and `a(T, j)` have to be among them.
    #[must_use]
    pub fn forgetting(&self) -> Option<f64> {
        let last = self.learnt().checked_sub(1)?;
        mean((0..last).map(|j| {
            self.score(j, j)?;
            let end = self.score(last, j)?;
            let best = (0..=last).filter_map(|i| self.score(i, j)).fold(end, f64::max);
            Some(best - end)
        }))
    }

    /// `1/(T-1) * sum_{j>1} [a(j-1, j) - z(j)]`: how much earlier tasks helped a task that was not trained on yet.
    #[must_use]
    pub fn forward_transfer(&self) -> Option<f64> {
        mean((1..self.learnt()).map(|j| Some(self.score(j - 1, j)? - self.zero_shot(j)?)))
    }

    /// `1/T * sum_j a(j, j)`: the mean score on each task just after learning it.
    #[must_use]
    pub fn plasticity(&self) -> Option<f64> {
        mean((0..self.learnt()).map(|j| self.score(j, j)))
    }

    /// `a(T, j) - a(j, j)`: the change on one task since it was learnt; 0 for the last task by definition.
    #[must_use]
    pub fn change_since_learnt(&self, task: usize) -> Option<f64> {
        let last = self.learnt().checked_sub(1)?;
        if task > last {
            return None;
        }
        Some(self.score(last, task)? - self.score(task, task)?)
    }

    /// Forgetting of one task, `-(a(T, j) - a(j, j))`: positive when the score fell.
    #[must_use]
    pub fn task_forgetting(&self, task: usize) -> Option<f64> {
        // `0.0 -` rather than a sign change, so that "nothing lost" is 0 and not -0
        self.change_since_learnt(task).map(|change| 0.0 - change)
    }
}

/// A matrix as it lies in a file, before its shape is checked.
#[derive(Deserialize)]
struct StoredMatrix {
    scores: Vec<Vec<Option<f64>>>,
    zero_shot: Vec<Option<f64>>,
    chance: Vec<Option<f64>>,
}

/// An accuracy matrix in a file whose parts do not fit together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the accuracy matrix has {tasks} rows, but {part} has {found} entries. The file was changed or cut off; use the run's previous checkpoint"
)]
pub struct MatrixShapeError {
    tasks: usize,
    part: String,
    found: usize,
}

impl TryFrom<StoredMatrix> for AccuracyMatrix {
    type Error = MatrixShapeError;

    fn try_from(stored: StoredMatrix) -> Result<Self, MatrixShapeError> {
        let tasks = stored.scores.len();
        let rows = stored.scores.iter().enumerate().map(|(i, row)| (format!("row {i} of `scores`"), row.len()));
        let floors = [("`zero_shot`", stored.zero_shot.len()), ("`chance`", stored.chance.len())];
        let parts = rows.chain(floors.map(|(part, found)| (part.to_owned(), found)));
        for (part, found) in parts {
            if found != tasks {
                return Err(MatrixShapeError { tasks, part, found });
            }
        }
        let keep = |row: Vec<Option<f64>>| row.into_iter().map(|score| score.and_then(finite)).collect();
        Ok(Self {
            scores: stored.scores.into_iter().map(keep).collect(),
            zero_shot: keep(stored.zero_shot),
            chance: keep(stored.chance),
        })
    }
}

fn finite(score: f64) -> Option<f64> {
    score.is_finite().then_some(score)
}

/// The mean, or `None` when a term is missing or there is none.
#[allow(clippy::cast_precision_loss)] // counts of tasks
fn mean(terms: impl Iterator<Item = Option<f64>>) -> Option<f64> {
    let terms: Vec<f64> = terms.collect::<Option<_>>()?;
    (!terms.is_empty()).then(|| terms.iter().sum::<f64>() / terms.len() as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matrix(rows: &[&[f64]], zero_shot: &[f64]) -> AccuracyMatrix {
        let mut matrix = AccuracyMatrix::new(zero_shot.len());
        for (i, row) in rows.iter().enumerate() {
            for (j, score) in row.iter().enumerate() {
                matrix.set_score(i, j, *score);
            }
        }
        for (j, score) in zero_shot.iter().enumerate() {
            matrix.set_zero_shot(j, *score);
        }
        matrix
    }

    #[track_caller]
    fn close(found: Option<f64>, expected: f64) {
        let found = found.expect("the number is defined");
        assert!((found - expected).abs() < 1e-12, "found {found}, expected {expected}");
    }

    fn three() -> AccuracyMatrix {
        matrix(&[&[0.9, 0.3, 0.1], &[0.6, 0.8, 0.2], &[0.4, 0.85, 0.7]], &[0.25, 0.2, 0.3])
    }

    #[test]
    fn numbers_of_three_tasks_worked_out_by_hand() {
        let m = three();
        close(m.average_accuracy(), (0.4 + 0.85 + 0.7) / 3.0);
        close(m.average_accuracy_after(1), 0.7);
        close(m.backward_transfer(), f64::midpoint(-0.5, 0.05));
        // task 2 was never better than at the end, so only task 1 counts in the maximum form
        close(m.forgetting(), 0.25);
        close(m.forward_transfer(), f64::midpoint(0.3 - 0.2, 0.2 - 0.3));
        close(m.plasticity(), 0.8);
        close(m.task_forgetting(0), 0.5);
        close(m.task_forgetting(1), -0.05);
        close(m.task_forgetting(2), 0.0);
        assert_eq!(m.task_forgetting(3), None);
        close(m.average_zero_shot(), 0.25);
        assert_eq!(m.average_chance(), None, "no chance level was recorded");
    }

    #[test]
    fn the_maximum_may_lie_between_learning_and_the_end_or_before_learning() {
        close(matrix(&[&[0.5, 0.1], &[0.2, 0.6]], &[0.0; 2]).forgetting(), 0.3);
        let peak_between = matrix(&[&[0.5, 0.0, 0.0], &[0.9, 0.6, 0.0], &[0.4, 0.6, 0.7]], &[0.0; 3]);
        close(peak_between.forgetting(), 0.25);
        let peak_before = matrix(&[&[0.5, 0.95, 0.0], &[0.5, 0.6, 0.0], &[0.5, 0.55, 0.7]], &[0.0; 3]);
        close(peak_before.forgetting(), 0.2);
    }

    #[test]
    fn constant_columns_transfer_nothing_backward() {
        let m = matrix(&[&[0.3, 0.5, 0.7], &[0.3, 0.5, 0.7], &[0.3, 0.5, 0.7]], &[0.1; 3]);
        close(m.backward_transfer(), 0.0);
        close(m.forgetting(), 0.0);
    }

    #[test]
    fn one_task_has_no_transfer_and_no_forgetting() {
        let m = matrix(&[&[0.75]], &[0.5]);
        close(m.average_accuracy(), 0.75);
        close(m.plasticity(), 0.75);
        assert_eq!((m.backward_transfer(), m.forward_transfer(), m.forgetting()), (None, None, None));
    }

    #[test]
    fn nothing_measured_gives_no_number() {
        for tasks in 0..3 {
            let m = AccuracyMatrix::new(tasks);
            assert_eq!(m.learnt(), 0);
            assert_eq!((m.average_accuracy(), m.plasticity(), m.forgetting()), (None, None, None));
            assert_eq!((m.backward_transfer(), m.forward_transfer(), m.task_forgetting(0)), (None, None, None));
        }
    }

    #[test]
    fn a_stopped_run_is_judged_on_the_tasks_it_reached() {
        let m = matrix(&[&[0.9], &[0.5, 0.7]], &[0.2; 4]);
        assert_eq!(m.learnt(), 2);
        close(m.average_accuracy(), 0.6);
        close(m.backward_transfer(), -0.4);
        close(m.forgetting(), 0.4);
        assert_eq!(m.forward_transfer(), None, "nothing above the diagonal was measured");
        assert_eq!(m.change_since_learnt(2), None);
    }

    #[test]
    fn joint_training_fills_only_the_last_row() {
        let m = matrix(&[&[], &[], &[0.9, 0.8, 0.7]], &[0.2; 3]);
        close(m.average_accuracy(), 0.8);
        assert_eq!((m.backward_transfer(), m.plasticity(), m.forgetting()), (None, None, None));
    }

    #[test]
    fn a_missing_score_is_never_left_out_of_an_average() {
        let mut m = three();
        m.set_score(2, 1, f64::NAN);
        assert_eq!(m.score(2, 1), None);
        assert_eq!((m.average_accuracy(), m.backward_transfer(), m.forgetting()), (None, None, None));
        close(m.plasticity(), 0.8);
        m.set_score(9, 9, 0.5); // outside: ignored, no panic
        assert_eq!(m.tasks(), 3);
    }

    #[test]
    fn files_round_trip_and_lying_shapes_are_refused() {
        let mut m = three();
        m.set_score(0, 2, f64::INFINITY);
        let text = serde_json::to_string(&m).unwrap();
        assert_eq!(serde_json::from_str::<AccuracyMatrix>(&text).unwrap(), m);
        let ragged = r#"{"scores":[[0.1,0.2],[0.3]],"zero_shot":[null,null],"chance":[0.5,0.5]}"#;
        let error = serde_json::from_str::<AccuracyMatrix>(ragged).unwrap_err().to_string();
        assert!(error.contains("2 rows, but row 1 of `scores` has 1 entries"), "{error}");
    }

    #[test]
    fn numbers_equal_those_of_the_python_script() {
        let path = crate::platform::checkout().join("tests/fixtures/matrix_metrics.json");
        let fixture: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let cases = fixture["cases"].as_array().unwrap();
        assert!(cases.len() >= 3);
        for case in cases {
            let numbers = |value: &serde_json::Value| -> Vec<f64> {
                value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
            };
            let rows: Vec<Vec<f64>> = case["matrix"].as_array().unwrap().iter().map(numbers).collect();
            let rows: Vec<&[f64]> = rows.iter().map(Vec::as_slice).collect();
            let m = matrix(&rows, &numbers(&case["zero_shot"]));
            for (name, found) in [
                ("average_accuracy", m.average_accuracy()),
                ("plasticity", m.plasticity()),
                ("backward_transfer", m.backward_transfer()),
                ("forgetting", m.forgetting()),
                ("forward_transfer", m.forward_transfer()),
            ] {
                match case[name].as_f64() {
                    Some(expected) => close(found, expected),
                    None => assert_eq!(found, None, "{name} is undefined here"),
                }
            }
            let seen = numbers(&case["average_accuracy_seen_after_each_task"]);
            seen.iter().enumerate().for_each(|(after, expected)| close(m.average_accuracy_after(after), *expected));
        }
    }
}
