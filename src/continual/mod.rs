//! Continual learning: one method a file, the replay buffer, and the measures of forgetting.
//!
//! A method is a value that owns what it learns. The trainer (`engine::trainer`) draws batches, calls [`Method::gradient`],
//! steps the optimiser on the method's flat parameter vector, and calls [`Method::after_step`]. **Lambda acts in
//! [`i_lora`]**, in `after_step`.
//!
//! To add a method: one new file that implements [`Method`], and one line in [`register`].

pub mod i_lora;
pub mod knobs;
pub mod metrics;
pub mod replay;
pub mod sequential;

use crate::data::batch::Batch;
use crate::model::{Adapter, AdapterVars, Llama};
use burn::tensor::Tensor;
use knobs::{Knob, KnobError, Knobs};
use std::collections::BTreeMap;

/// What a method sees of one training step (or of one part of it, with gradient accumulation).
#[derive(Debug)]
pub struct StepContext<'a> {
    pub model: &'a Llama,
    /// Examples of the task being learnt.
    pub current: &'a Batch,
    /// Examples drawn from the buffer, when the method replays and there are any.
    pub replay: Option<&'a Batch>,
    /// Optimiser steps so far over *all* tasks, this one included: 1 at the first.
    pub step: u64,
    /// Index of the task being learnt.
    pub task: usize,
    /// Somebody will look at the losses of the replayed examples after this step.
    pub want_replay_losses: bool,
}

/// The gradient of one step with the values it came from; tensors stay on the device until somebody reads them.
#[derive(Debug)]
pub struct StepGradient {
    /// With respect to [`Method::parameters`].
    pub gradient: Tensor<1>,
    /// Named loss terms, `[1]` each; the first is the total.
    pub terms: Vec<(&'static str, Tensor<1>)>,
    /// Negative log-likelihood of each replayed target under the working learner and, if there is one, the long-term learner.
    pub replay_nll: Option<(Tensor<1>, Option<Tensor<1>>)>,
}

/// One of the things a method has learnt that can be evaluated.
#[derive(Clone, Debug)]
pub struct Learner {
    /// `model`, `working` or `long_term`.
    pub name: &'static str,
    pub adapter: Adapter,
    /// The one whose scores the method stands for.
    pub headline: bool,
}

/// What a method needs of the replay buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayNeeds {
    /// Replay examples of the task being learnt as well.
    pub replay_current: bool,
    /// When the current batch enters the buffer.
    pub insert: InsertWhen,
}

/// When the current batch enters the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertWhen {
    /// After the optimiser step (the spec's rule, and CLS-ER's).
    AfterStep,
    /// Before the forward pass, so that a step may replay its own batch (the released I-LoRA code).
    BeforeForward,
}

/// A way of learning one task after another.
pub trait Method: Send {
    /// Trains on the union of all tasks at once (the upper bound MTL)?
    fn joint(&self) -> bool {
        false
    }

    /// What it needs of the replay buffer; `None` for methods without memory.
    fn replay(&self) -> Option<ReplayNeeds> {
        None
    }

    /// Called before the first step of a task: fresh adapters, anchors, prompts.
    fn begin_task(&mut self, _task: usize) {}

    /// Everything the optimiser trains, as one flat vector.
    fn parameters(&self) -> Tensor<1>;

    /// Puts the optimiser's result back.
    fn set_parameters(&mut self, parameters: Tensor<1>);

    /// Loss and gradient of one step, after any change the method makes to it (projection, penalty).
    fn gradient(&mut self, context: &StepContext<'_>) -> StepGradient;

    /// Called after the optimiser step: averages, importance counters. `step` counts over all tasks, from 1.
    fn after_step(&mut self, _step: u64) {}

    /// Called after the last step of a task (Fisher information, frozen copies).
    fn end_task(&mut self, _task: usize, _model: &Llama) {}

    /// What can be evaluated, for examples of `task` (methods that isolate parameters answer differently for each task).
    fn learners(&self, task: usize) -> Vec<Learner>;

    /// Named vectors that a checkpoint must hold besides the trained parameters.
    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        BTreeMap::new()
    }

    /// Takes back what [`Method::state`] gave.
    fn restore(&mut self, _state: &BTreeMap<String, Tensor<1>>) {}

    /// Numbers that show that the method acts, such as its half-life in steps.
    fn diagnostics(&self) -> Vec<(String, f64)> {
        Vec::new()
    }
}

/// A named set of settings: its name, and each changed setting with its value as typed.
pub type Preset = (&'static str, Vec<(&'static str, &'static str)>);

/// Makes a method around a fresh adapter.
pub type MakeMethod = fn(Adapter, &Knobs) -> Result<Box<dyn Method>, KnobError>;

/// One line of the register: how a method is called, described, set and made.
pub struct MethodEntry {
    /// Name in files and flags.
    pub name: &'static str,
    /// Name on screen.
    pub label: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Where it was published.
    pub source: &'static str,
    /// Its settings.
    pub knobs: fn() -> Vec<Knob>,
    /// Named sets of settings.
    pub presets: fn() -> Vec<Preset>,
    /// Makes it around a fresh adapter.
    pub make: MakeMethod,
}

/// All methods, in the order in which they are shown.
#[must_use]
pub fn register() -> Vec<MethodEntry> {
    vec![sequential::seq(), sequential::er(), i_lora::entry(), sequential::mtl()]
}

/// The method of this name.
///
/// # Errors
/// An unknown name, with the nearest known one.
pub fn find(name: &str) -> Result<MethodEntry, KnobError> {
    let names: Vec<&str> = register().iter().map(|entry| entry.name).collect();
    let suggestion = knobs::nearest(name, &names);
    register().into_iter().find(|entry| entry.name == name).ok_or_else(|| KnobError::UnknownMethod {
        name: name.into(),
        known: names.join(", "),
        suggestion,
    })
}

/// Backward pass from a scalar on the tape to the adapter's flat gradient.
pub(crate) fn backward(loss: &Tensor<1>, vars: &AdapterVars) -> Tensor<1> {
    vars.gradient(&loss.backward())
}
