//! The base model as it is: what every method starts from, and the floor that forgetting is measured against.

use super::{Learner, Learnt, Method, MethodEntry, MethodError, Standing, StepContext, StepGradient, no_prompt};
use burn::tensor::Tensor;

/// No training at all.
struct ZeroShot {
    /// One number that nobody trains: the optimiser's vector is never empty.
    parameters: Tensor<1>,
}

impl Method for ZeroShot {
    fn trains(&self) -> bool {
        false
    }

    fn parameters(&self) -> Tensor<1> {
        self.parameters.clone()
    }

    fn set_parameters(&mut self, parameters: Tensor<1>) {
        self.parameters = parameters;
    }

    fn trainable_parameters(&self) -> usize {
        0
    }

    fn gradient(&mut self, _context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let none = self.parameters.zeros_like();
        Ok(StepGradient::new(none.clone(), vec![("total", none)]))
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![Learner::model(Learnt::Base)]
    }
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "zero_shot",
        label: "Zero-shot",
        about: "The base model without any training: the floor.",
        formula: "no training",
        replays: false,
        source: "Brown et al., arXiv 2005.14165",
        standing: Standing::Bound,
        knobs: Vec::new,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| Ok(Box::new(ZeroShot { parameters: Tensor::zeros([1], setup.model.device()) })),
    }
}
