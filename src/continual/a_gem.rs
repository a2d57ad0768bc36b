//! A-GEM: the gradient may not raise the loss on a batch of remembered examples (Chaudhry et al., "Efficient Lifelong Learning
//! with A-GEM", arXiv 1812.00420, equation 11).
//!
//! ```text
//! g_ref = gradient of the loss on a batch from the memory of all earlier tasks
//! g     = g - (g . g_ref / g_ref . g_ref) g_ref     if g . g_ref < 0
//! ```
//!
//! The projection is made on the device, and on the whole gradient of a step, before the optimiser sees it. (The released
//! code's reference starts as ones, is never updated, and acts after the step: spec section 5.)

use super::{
    Correction, Draw, Learner, Method, MethodEntry, MethodError, Reading, ReplayNeeds, Standing, StepContext,
    StepGradient, cross_entropy_gradient, no_prompt, take, trains_adapter,
};
use crate::model::Adapter;
use burn::tensor::{Device, Tensor};
use std::collections::BTreeMap;

/// One adapter and one averaged constraint.
struct AveragedGem {
    adapter: Adapter,
    tally: Tally,
}

/// How often a gradient was projected: what shows that A-GEM and GEM act. `[1]` each.
pub(super) struct Tally {
    /// Steps whose gradient was held against a memory.
    pub(super) held: Tensor<1>,
    /// Steps whose gradient was changed.
    pub(super) projected: Tensor<1>,
}

impl Tally {
    pub(super) fn new(device: &Device) -> Self {
        Self { held: Tensor::zeros([1], device), projected: Tensor::zeros([1], device) }
    }

    pub(super) fn state(&self) -> BTreeMap<String, Tensor<1>> {
        BTreeMap::from([("projected".into(), self.projected.clone()), ("held".into(), self.held.clone())])
    }

    pub(super) fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        self.projected = take(state, "projected", &self.projected)?;
        self.held = take(state, "held", &self.held)?;
        Ok(())
    }

    pub(super) fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        vec![
            ("gradients_held_against_memory", Reading::OnDevice(self.held.clone())),
            ("gradients_projected", Reading::OnDevice(self.projected.clone())),
        ]
    }
}

/// Takes from `gradient` what goes against `reference`. The second value is 1 if there was anything, else 0; `[1]`.
#[must_use]
pub fn project(gradient: Tensor<1>, reference: Tensor<1>) -> (Tensor<1>, Tensor<1>) {
    let agreement = (gradient.clone() * reference.clone()).sum();
    let length = (reference.clone() * reference.clone()).sum();
    let conflict = agreement.clone().lower_elem(0.0).float();
    // A reference of zeros never conflicts, so what stands in the place of its length does not matter.
    let share = conflict.clone() * agreement / length.clamp_min(f64::from(f32::MIN_POSITIVE));
    (gradient - reference * share, conflict)
}

impl Method for AveragedGem {
    fn replay(&self) -> Option<ReplayNeeds> {
        Some(ReplayNeeds::earlier_tasks(Draw::Mixed { batches: 1 }))
    }

    trains_adapter!(adapter);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (gradient, loss) = cross_entropy_gradient(context.model, &self.adapter, context.current, true);
        let mut result = StepGradient::new(gradient, vec![("total", loss)]);
        if let Some(memory) = context.replay {
            let (reference, loss) = cross_entropy_gradient(context.model, &self.adapter, memory, true);
            result.references.push(reference);
            result.terms.push(("memory", loss));
        }
        Ok(result)
    }

    fn correct(&mut self, gradient: Tensor<1>, references: &[Tensor<1>]) -> Correction {
        let Some(reference) = references.first() else { return Correction::Final(gradient) };
        let (gradient, conflict) = project(gradient, reference.clone());
        self.tally.projected = self.tally.projected.clone() + conflict;
        self.tally.held = self.tally.held.clone().add_scalar(1.0);
        Correction::Final(gradient)
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

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "a_gem",
        label: "A-GEM",
        about: "Takes from each gradient what would raise the loss on a batch of remembered examples.",
        formula: concat!(
            "g_ref = gradient of the loss on a batch from the memory of all earlier tasks\n",
            "g     = g - (g . g_ref / g_ref . g_ref) g_ref     if g . g_ref < 0",
        ),
        replays: true,
        source: "Chaudhry et al., arXiv 1812.00420",
        standing: Standing::Continual,
        knobs: Vec::new,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| {
            let tally = Tally::new(setup.model.device());
            Ok(Box::new(AveragedGem { adapter: setup.adapter, tally }))
        },
    }
}
