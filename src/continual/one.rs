//! ONE: a fresh adapter for each task, and each task tested with its own.
//!
//! Nothing can be forgotten, nothing can be passed on, and the memory grows with every task: what a single task gives when it
//! is learnt alone. (The released code wraps a model that holds the old adapters already, so that they stay in it: spec section 5.)

use super::{
    Learner, Learnt, Method, MethodEntry, MethodError, Reading, Standing, StepContext, StepGradient, TaskStart,
    cross_entropy_gradient, no_prompt, put_list, take_list, trains_adapter,
};
use crate::model::{Adapter, Llama};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// One adapter for each task.
struct One {
    /// Adapter of the task being learnt.
    adapter: Adapter,
    /// Adapters of the tasks before it.
    learnt: Vec<Adapter>,
}

impl Method for One {
    fn starts_over(&self) -> bool {
        true
    }

    fn begin_task(&mut self, mut start: TaskStart<'_>) -> Result<(), MethodError> {
        self.adapter = start.own_adapter(&self.adapter);
        Ok(())
    }

    trains_adapter!(adapter);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (gradient, loss) = cross_entropy_gradient(context.model, &self.adapter, context.current, true);
        Ok(StepGradient::new(gradient, vec![("total", loss)]))
    }

    fn end_task(&mut self, _task: usize, _model: &Llama) {
        self.learnt.push(self.adapter.clone());
        // Until the next task begins there is no update but those that were learnt.
        self.adapter = self.adapter.with_flat(self.adapter.flat().zeros_like());
    }

    fn learners(&self, task: usize) -> Vec<Learner> {
        // A task that comes later has no adapter yet: for it the model is the base.
        let current = || if task == self.learnt.len() { self.adapter.clone().into() } else { Learnt::Base };
        let learnt = self.learnt.get(task).map_or_else(current, |adapter| adapter.clone().into());
        vec![Learner::model(learnt)]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        put_list("learnt", self.learnt.iter().map(Adapter::flat))
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        let flats = take_list(state, "learnt", &self.adapter.flat())?;
        self.learnt = flats.into_iter().map(|flat| self.adapter.with_flat(flat)).collect();
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // a few tasks
    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        vec![("adapters", Reading::Value(self.learnt.len() as f64 + 1.0))]
    }
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "one",
        label: "ONE",
        about: "A fresh adapter for each task, tested on that task: nothing forgotten, nothing shared.",
        formula: "loss = CE(task k), with an adapter of its own for each task k",
        replays: false,
        source: "single-task fine-tuning",
        standing: Standing::TaskAware,
        knobs: Vec::new,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| Ok(Box::new(One { adapter: setup.adapter, learnt: Vec::new() })),
    }
}
