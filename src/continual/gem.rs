//! GEM: the gradient may not raise the loss on the memory of any earlier task (Lopez-Paz and Ranzato, "Gradient Episodic
//! Memory for Continual Learning", arXiv 1706.08840).
//!
//! With `g_k` the gradient on the memory of task `k`, the step's gradient `g` becomes the nearest `z` that agrees with all of
//! them (equations 8 to 11):
//!
//! ```text
//! minimise 1/2 |z - g|^2  subject to  z . g_k >= 0 for every earlier task k
//! dual:    minimise 1/2 v' G G' v + g' G' v  subject to  v >= margin,   then z = g + G' v
//! ```
//!
//! The dual has one unknown for each earlier task, so it is solved on the host from the products of the gradients with one
//! another: the only numbers that a step has to read back. As in the authors' code, nothing is changed while all products are
//! non-negative, and `margin` pushes further into the allowed side, which favours the old tasks.

use super::a_gem::Tally;
use super::knobs::{Knob, KnobKind};
use super::{
    Correction, Draw, Learner, Method, MethodEntry, MethodError, Reading, ReplayNeeds, Standing, StepContext,
    StepGradient, cross_entropy_gradient, no_prompt, trains_adapter,
};
use crate::model::Adapter;
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// Sweeps over the unknowns. Each is exact in one unknown; the count is reached only by nearly parallel gradients.
const SWEEPS: usize = 10_000;
/// A sweep that changes the solution by less than this share of its size is the last.
const PRECISION: f64 = 1e-12;

/// One adapter and a constraint for each earlier task.
struct Gem {
    adapter: Adapter,
    margin: f64,
    examples: usize,
    tally: Tally,
}

/// The dual solution `v` for the products of gradient and memory gradients with one another (`gram`, row after row, the
/// gradient first); `None` when the gradient agrees with all memories.
///
/// Coordinate descent with the bound `v >= margin` (Hildreth's procedure): each sweep solves for one unknown after the other.
#[must_use]
pub fn dual(gram: &[f64], margin: f64) -> Option<Vec<f64>> {
    let size = gram.len().isqrt();
    let at = |row: usize, column: usize| gram[row * size + column];
    if (1..size).all(|k| at(0, k) >= 0.0) || gram.iter().any(|product| !product.is_finite()) {
        return None;
    }
    let mut v = vec![margin; size - 1];
    for _ in 0..SWEEPS {
        let (mut change, mut largest) = (0.0_f64, 0.0_f64);
        for k in 0..size - 1 {
            let own = at(k + 1, k + 1);
            if own <= 0.0 {
                continue; // a memory without gradient asks for nothing
            }
            let others: f64 = (0..size - 1).filter(|&j| j != k).map(|j| at(k + 1, j + 1) * v[j]).sum();
            let best = (-(at(0, k + 1) + others) / own).max(margin);
            change = change.max((best - v[k]).abs());
            largest = largest.max(best.abs());
            v[k] = best;
        }
        if change <= PRECISION * largest.max(1.0) {
            break;
        }
    }
    Some(v)
}

impl Method for Gem {
    fn replay(&self) -> Option<ReplayNeeds> {
        Some(ReplayNeeds::earlier_tasks(Draw::EachTask { examples: self.examples }))
    }

    trains_adapter!(adapter);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (gradient, loss) = cross_entropy_gradient(context.model, &self.adapter, context.current, true);
        let mut result = StepGradient::new(gradient, vec![("total", loss)]);
        for memory in context.memories {
            let (reference, _) = cross_entropy_gradient(context.model, &self.adapter, memory, true);
            result.references.push(reference);
        }
        Ok(result)
    }

    fn correct(&mut self, gradient: Tensor<1>, references: &[Tensor<1>]) -> Correction {
        if references.is_empty() {
            return Correction::Final(gradient);
        }
        self.tally.held = self.tally.held.clone().add_scalar(1.0);
        let rows: Vec<Tensor<2>> =
            std::iter::once(&gradient).chain(references).map(|row| row.clone().unsqueeze()).collect();
        let rows = Tensor::cat(rows, 0);
        Correction::Weigh(rows.clone().matmul(rows.swap_dims(0, 1)))
    }

    fn weights(&mut self, gram: &[f64]) -> Option<Vec<f64>> {
        let weights = dual(gram, self.margin)?;
        self.tally.projected = self.tally.projected.clone().add_scalar(1.0);
        Some(weights)
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![Learner::model(self.adapter.clone())]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        self.tally.state()
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        self.tally.restore(state)
    }

    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        self.tally.diagnostics()
    }
}

/// The method's settings.
fn knobs() -> Vec<Knob> {
    vec![
        Knob {
            name: "margin",
            kind: KnobKind::Number { min: 0.0, max: 100.0 },
            default: "0.5",
            about: "Least weight of every memory's gradient once any is in conflict; more favours the old tasks.",
        },
        Knob {
            name: "memory_batch",
            kind: KnobKind::Number { min: 0.0, max: 1e6 },
            default: "0",
            about: "Remembered examples of each earlier task in a step; 0 takes the replay batch. The cost grows with the tasks.",
        },
    ]
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "gem",
        label: "GEM",
        about: "Turns each gradient as little as needed to agree with the gradients on the memory of every earlier task.",
        formula: concat!("minimise 1/2 |z - g|^2\n", "subject to z . g_k >= 0 for every earlier task k",),
        replays: true,
        source: "Lopez-Paz and Ranzato, arXiv 1706.08840",
        standing: Standing::Continual,
        knobs,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| {
            let tally = Tally::new(setup.model.device());
            let (margin, examples) = (setup.knobs.number("margin"), setup.knobs.count("memory_batch"));
            Ok(Box::new(Gem { adapter: setup.adapter, margin, examples, tally }))
        },
    }
}
