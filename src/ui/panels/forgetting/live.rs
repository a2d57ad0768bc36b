//! What is known between two full evaluations: which row is being filled, scores on a subset, and what falls.

use crate::engine::report::{CurvePoint, LearnerReport};
use crate::ui::state::run::RunView;
use crate::ui::widgets::matrix::LiveRow;

/// The matrix's row that a point of the curve became, or `None` for a point on a subset.
///
/// A point at a task's end holds the same numbers as its row, since both come from one evaluation.
pub fn full_row(learner: &LearnerReport, point: &CurvePoint) -> Option<usize> {
    let tasks = learner.matrix.tasks();
    let same = |row: usize| {
        (0..tasks).all(|task| learner.matrix.score(row, task) == point.task_scores.get(task).copied().flatten())
    };
    point.task_scores.iter().any(Option::is_some).then(|| (0..tasks).find(|row| same(*row))).flatten()
}

/// The row that is being filled, or that a stopped run left behind.
pub fn live_row<'a>(run: &RunView, learner: &'a LearnerReport) -> Option<LiveRow<'a>> {
    let (tasks, learnt) = (learner.matrix.tasks(), learner.matrix.learnt());
    let step = run.last_step.as_ref();
    // A method that learns all tasks at once fills the last row only.
    let joint = tasks > 1 && step.is_some_and(|step| run.steps_total > 0 && step.task_steps >= run.steps_total);
    let row = if joint { tasks.checked_sub(1)? } else { learnt.max(step.map_or(0, |step| step.task)) };
    if row >= tasks || learnt > row {
        return None;
    }
    let going = run.status.is_active();
    let point = learner.curve.last().filter(|point| point.step > 0 && full_row(learner, point).is_none());
    let scores = point.map_or(&[][..], |point| &point.task_scores);
    (going || !scores.is_empty()).then_some(LiveRow { row, scores, going })
}

/// A task that was better once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fall {
    pub task: usize,
    /// Score just after learning it.
    pub learnt: f64,
    pub now: f64,
    /// `now` was measured on a subset.
    pub subset: bool,
}

/// Tasks that fell since they were learnt by more than half a point, the worst first.
pub fn falls(learner: &LearnerReport, live: Option<&LiveRow<'_>>) -> Vec<Fall> {
    let matrix = &learner.matrix;
    let Some(last) = matrix.learnt().checked_sub(1) else { return Vec::new() };
    let fall = |task: usize| {
        let learnt = matrix.score(task, task)?;
        let on_subset = live.and_then(|live| live.scores.get(task).copied().flatten());
        let now = on_subset.or_else(|| matrix.score(last, task))?;
        (learnt - now > 0.005).then_some(Fall { task, learnt, now, subset: on_subset.is_some() })
    };
    let mut falls: Vec<Fall> = (0..=last).filter_map(fall).collect();
    falls.sort_by(|a, b| (b.learnt - b.now).total_cmp(&(a.learnt - a.now)));
    falls
}
