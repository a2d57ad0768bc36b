//! MC-SGD: look for a minimum that is joined by low-loss lines to the old minimum and to the new task's own (Mirzadeh et al.,
//! "Linear Mode Connectivity in Multitask and Continual Learning", arXiv 2010.04495): the nearest relative of I-LoRA.
//!
//! Each task but the first is learnt in two stages from `w_old`, where the task before left the model:
//!
//! ```text
//! 1. w_new: plain training on the task, from w_old
//! 2. w    : from the middle of the two, minimise over w the mean over a = 1/n, 2/n, ..., 1 of
//!           1/2 L_memory(w_old + a (w - w_old)) + 1/2 L_task(w_new + a (w - w_new))
//! ```
//!
//! `L_memory` is the loss on a replay batch, `L_task` that on the task's batch. The gradient at a point of a line comes back to
//! `w` with the factor `a` (chain rule). The paper adds the two sums; halving both changes the step size alone, and keeps it
//! comparable with replay's mean of two losses.

use super::knobs::{Knob, KnobKind};
use super::{
    Draw, Learner, Method, MethodEntry, MethodError, Reading, ReplayNeeds, Standing, StepContext, StepGradient,
    TaskStart, cross_entropy_gradient, no_prompt, take, trains_adapter,
};
use crate::model::Adapter;
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// The point being trained and the two ends it shall be joined to.
struct McSgd {
    working: Adapter,
    /// `w_old`; none in the first task.
    old: Option<Adapter>,
    /// `w_new`; none until the second stage.
    new: Option<Adapter>,
    first_stage: f64,
    points: usize,
    start: f64,
}

/// Mean over `points` of `a` times the gradient, and of the loss, at `from + a (to - from)`.
///
/// `gradient` gives the flat gradient and the loss `[1]` at a point.
#[must_use]
#[allow(clippy::cast_precision_loss)] // a few points
pub fn line_gradient(
    from: &Adapter,
    to: &Adapter,
    points: usize,
    mut gradient: impl FnMut(&Adapter) -> (Tensor<1>, Tensor<1>),
) -> (Tensor<1>, Tensor<1>) {
    let count = points.max(1);
    let (mut sum, mut value) = (to.flat().zeros_like(), Tensor::zeros([1], &to.flat().device()));
    for point in 1..=count {
        let a = point as f64 / count as f64;
        let (part, loss) = if point == count { gradient(to) } else { gradient(&from.lerp(to, a)) };
        sum = sum + part.mul_scalar(a / count as f64);
        value = value + loss.div_scalar(count as f64);
    }
    (sum, value)
}

impl McSgd {
    /// Is this step one of the second stage?
    #[allow(clippy::cast_precision_loss)] // step counts are far below 2^52
    fn in_second_stage(&self, context: &StepContext<'_>) -> bool {
        self.old.is_some() && context.task_step as f64 > self.first_stage * context.task_steps as f64
    }
}

impl Method for McSgd {
    fn replay(&self) -> Option<ReplayNeeds> {
        Some(ReplayNeeds::earlier_tasks(Draw::Mixed { batches: 1 }))
    }

    fn begin_task(&mut self, start: TaskStart<'_>) -> Result<(), MethodError> {
        self.old = (start.task > 0).then(|| self.working.clone());
        self.new = None;
        Ok(())
    }

    trains_adapter!(working);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let model = context.model;
        let (Some(old), Some(memory), true) = (&self.old, context.replay, self.in_second_stage(context)) else {
            let (gradient, loss) = cross_entropy_gradient(model, &self.working, context.current, true);
            return Ok(StepGradient::new(gradient, vec![("total", loss)]));
        };
        let old = old.clone();
        if self.new.is_none() {
            // The first stage ends here: what it found stays as the line's end, and the search begins between the two.
            let new = self.working.clone();
            self.working = old.lerp(&new, self.start);
            self.new = Some(new);
        }
        let new = self.new.as_ref().unwrap_or(&self.working);
        let on = |batch| move |at: &Adapter| cross_entropy_gradient(model, at, batch, true);
        let (to_old, memory_loss) = line_gradient(&old, &self.working, self.points, on(memory));
        let (to_new, task_loss) = line_gradient(new, &self.working, self.points, on(context.current));
        let total = (memory_loss.clone() + task_loss.clone()).mul_scalar(0.5);
        let terms = vec![("total", total), ("line_to_new", task_loss), ("line_to_old", memory_loss)];
        Ok(StepGradient::new((to_old + to_new).mul_scalar(0.5), terms))
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![Learner::model(self.working.clone())]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        let ends = [("old", &self.old), ("new", &self.new)];
        ends.into_iter().filter_map(|(name, end)| Some((name.to_string(), end.as_ref()?.flat()))).collect()
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        let end = |name: &str| -> Result<Option<Adapter>, MethodError> {
            if !state.contains_key(name) {
                return Ok(None);
            }
            Ok(Some(self.working.with_flat(take(state, name, &self.working.flat())?)))
        };
        (self.old, self.new) = (end("old")?, end("new")?);
        Ok(())
    }

    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        let distance = |end: &Adapter| {
            let gap = end.flat() - self.working.flat();
            Reading::OnDevice((gap.clone() * gap).sum().sqrt())
        };
        let ends = [("distance_to_old", &self.old), ("distance_to_new", &self.new)];
        ends.into_iter().filter_map(|(name, end)| Some((name, distance(end.as_ref()?)))).collect()
    }
}

/// The method's settings.
fn knobs() -> Vec<Knob> {
    vec![
        Knob {
            name: "first_stage",
            kind: KnobKind::Number { min: 0.0, max: 1.0 },
            default: "0.5",
            about: "Share of a task's steps in which the task alone is learnt, before the lines are.",
        },
        Knob {
            name: "points",
            kind: KnobKind::Number { min: 1.0, max: 50.0 },
            default: "3",
            about: "Points on each line; a step of the second stage costs twice as many passes.",
        },
        Knob {
            name: "start",
            kind: KnobKind::Number { min: 0.0, max: 1.0 },
            default: "0.5",
            about: "Where on the line from the old to the new minimum the second stage begins.",
        },
    ]
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "mc_sgd",
        label: "MC-SGD",
        about: "Mode-connectivity SGD: finds a minimum joined by low-loss lines to the old and to the new one.",
        formula: concat!(
            "1. w_new: plain training on the task, from w_old\n",
            "2. w: minimise over w the mean over a = 1/n, 2/n, ..., 1 of\n",
            "   1/2 L_memory(w_old + a (w - w_old)) + 1/2 L_task(w_new + a (w - w_new))",
        ),
        replays: true,
        source: "Mirzadeh et al., arXiv 2010.04495",
        standing: Standing::Continual,
        knobs,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| {
            let points = setup.knobs.count("points");
            let (first_stage, start) = (setup.knobs.number("first_stage"), setup.knobs.number("start"));
            Ok(Box::new(McSgd { working: setup.adapter, old: None, new: None, first_stage, points, start }))
        },
    }
}
