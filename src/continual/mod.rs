//! Continual learning: one method a file, the replay buffer, and the measures of forgetting.
//!
//! A method is a value that owns what it learns. The trainer (`engine::trainer`) draws batches, calls [`Method::gradient`],
//! steps the optimiser on the method's flat parameter vector, and calls [`Method::after_step`]. **Lambda acts in
//! [`i_lora`]**, in `after_step`.
//!
//! To add a method: one new file that implements [`Method`], and one line in [`register`]. Files in reading order:
//! [`sequential`] (the simplest), [`i_lora`] (the paper's own), then replay ([`der`]), projection ([`a_gem`], [`gem`]),
//! penalties ([`ewc`], [`lwf`]), parameters of their own for each task ([`one`], [`o_lora`], [`l2p`],
//! [`progressive_prompts`]), paths between minima ([`mc_sgd`]), and no training at all ([`zero_shot`]).

pub mod a_gem;
pub mod der;
pub mod ewc;
pub mod gem;
pub mod i_lora;
pub mod knobs;
pub mod l2p;
pub mod lwf;
pub mod mc_sgd;
pub mod metrics;
pub mod o_lora;
pub mod one;
pub mod progressive_prompts;
pub mod replay;
pub mod sequential;
pub mod zero_shot;

use crate::data::batch::Batch;
use crate::data::error::DataError;
use crate::model::{Adapter, AdapterVars, Llama, Overlay, Pass, SoftPrompt, Targets};
use burn::tensor::Tensor;
use knobs::{Knob, KnobError, Knobs};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use thiserror::Error;

/// What a method is made from.
pub struct Setup<'a> {
    /// A fresh adapter, the same for every method of one seed.
    pub adapter: Adapter,
    pub model: &'a Llama,
    pub knobs: &'a Knobs,
    /// The run's one generator.
    pub rng: &'a mut ChaCha8Rng,
}

/// What a method is told when a task begins.
pub struct TaskStart<'a> {
    /// Index of the task.
    pub task: usize,
    pub model: &'a Llama,
    /// The run's one generator, for parameters that begin anew.
    pub rng: &'a mut ChaCha8Rng,
}

impl TaskStart<'_> {
    /// The adapter to begin the task with, where every task has one of its own: the one that the run began with in the first
    /// task, then fresh ones.
    pub(crate) fn own_adapter(&mut self, adapter: &Adapter) -> Adapter {
        if self.task == 0 { adapter.clone() } else { Adapter::init(adapter.layout(), self.rng, self.model.device()) }
    }
}

/// What a method sees of one training step (or of one part of it, with gradient accumulation).
#[derive(Clone, Copy, Debug)]
pub struct StepContext<'a> {
    pub model: &'a Llama,
    /// Examples of the task being learnt.
    pub current: &'a Batch,
    /// Examples drawn from the buffer, for methods with [`Draw::Mixed`], when there are any.
    pub replay: Option<&'a Batch>,
    /// The logits that the model gave for the replayed targets when they entered the buffer, `[targets, vocab_size]`, for
    /// methods that asked for them.
    pub stored_logits: Option<&'a Tensor<2>>,
    /// One batch from the memory of each earlier task, for methods with [`Draw::EachTask`].
    pub memories: &'a [Batch],
    /// Optimiser steps so far over *all* tasks, this one included: 1 at the first.
    pub step: u64,
    /// Index of the task being learnt.
    pub task: usize,
    /// Step within the task, from 1, and how many the task takes.
    pub task_step: usize,
    pub task_steps: usize,
    /// Somebody will look at the losses of the replayed examples after this step.
    pub want_replay_losses: bool,
}

impl<'a> StepContext<'a> {
    /// The first step of the first task, without replay.
    #[must_use]
    pub fn new(model: &'a Llama, current: &'a Batch) -> Self {
        Self {
            model,
            current,
            replay: None,
            stored_logits: None,
            memories: &[],
            step: 1,
            task: 0,
            task_step: 1,
            task_steps: 1,
            want_replay_losses: false,
        }
    }
}

/// The gradient of one step with the values it came from; tensors stay on the device until somebody reads them.
#[derive(Debug)]
pub struct StepGradient {
    /// With respect to [`Method::parameters`].
    pub gradient: Tensor<1>,
    /// Gradients on memories, to which [`Method::correct`] holds the gradient when all parts of the step are in.
    pub references: Vec<Tensor<1>>,
    /// Named loss terms, `[1]` each; the first is the total.
    pub terms: Vec<(&'static str, Tensor<1>)>,
    /// Negative log-likelihood of each replayed target under the working learner and, if there is one, the long-term learner.
    pub replay_nll: Option<(Tensor<1>, Option<Tensor<1>>)>,
    /// Logits at the current batch's targets, `[targets, vocab_size]`, for methods whose buffer keeps them.
    pub current_logits: Option<Tensor<2>>,
}

impl StepGradient {
    /// A gradient with its loss terms and nothing else.
    #[must_use]
    pub fn new(gradient: Tensor<1>, terms: Vec<(&'static str, Tensor<1>)>) -> Self {
        Self { gradient, references: Vec::new(), terms, replay_nll: None, current_logits: None }
    }
}

/// What becomes of a gradient that was held against the gradients on memories.
#[derive(Debug)]
#[allow(clippy::large_enum_variant)] // handles of tensors, one of them at a time
pub enum Correction {
    /// This is the gradient to step with.
    Final(Tensor<1>),
    /// The products of the gradient and the references with one another, `[1 + references, 1 + references]`, the gradient
    /// first, have to be read before [`Method::weights`] can say how much of each reference is added.
    Weigh(Tensor<2>),
}

/// Something that a method has learnt and that can be laid over the base model.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // as above
pub enum Learnt {
    /// Nothing: the base model as it is.
    Base,
    /// Adapters whose updates add up; mostly one.
    Adapters(Vec<Adapter>),
    Prompt(SoftPrompt),
}

impl Learnt {
    /// As the model takes it.
    #[must_use]
    pub fn overlay(&self) -> Overlay {
        match self {
            Self::Base => Overlay::default(),
            Self::Prompt(prompt) => prompt.clone().into(),
            Self::Adapters(adapters) => Overlay { adapter: sum_of_updates(adapters), prompt: None },
        }
    }

    /// The adapter, where it is exactly one.
    #[must_use]
    pub fn adapter(&self) -> Option<&Adapter> {
        match self {
            Self::Adapters(adapters) if adapters.len() == 1 => adapters.first(),
            _ => None,
        }
    }
}

/// The factors of several adapters beside one another, without gradients.
fn sum_of_updates(adapters: &[Adapter]) -> Option<AdapterVars> {
    let mut vars = adapters.iter().map(|adapter| adapter.vars(false));
    let first = vars.next()?;
    Some(vars.fold(first, |sum, next| next.beside(&sum)))
}

impl From<Adapter> for Learnt {
    fn from(adapter: Adapter) -> Self {
        Self::Adapters(vec![adapter])
    }
}

/// One of the things a method has learnt that can be evaluated.
#[derive(Clone, Debug)]
pub struct Learner {
    /// `model`, `working` or `long_term`.
    pub name: &'static str,
    pub learnt: Learnt,
    /// The one whose scores the method stands for.
    pub headline: bool,
}

impl Learner {
    /// The only learner of a method.
    #[must_use]
    pub fn model(learnt: impl Into<Learnt>) -> Self {
        Self { name: "model", learnt: learnt.into(), headline: true }
    }
}

/// What a method needs of the replay buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReplayNeeds {
    /// Replay examples of the task being learnt as well.
    pub replay_current: bool,
    /// When the current batch enters the buffer.
    pub insert: InsertWhen,
    pub draw: Draw,
    /// Keep the model's logits at an example's targets with the example.
    pub store_logits: bool,
}

impl ReplayNeeds {
    /// One batch of earlier tasks' examples a step; the current batch enters after it.
    #[must_use]
    pub fn earlier_tasks(draw: Draw) -> Self {
        Self { replay_current: false, insert: InsertWhen::AfterStep, draw, store_logits: false }
    }
}

/// How a step's examples are drawn from the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Draw {
    /// So many times the replay batch, from all tasks alike.
    Mixed { batches: usize },
    /// A batch of each earlier task; 0 takes the size of the replay batch.
    EachTask { examples: usize },
}

/// When the current batch enters the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InsertWhen {
    /// After the optimiser step (the spec's rule, and CLS-ER's).
    AfterStep,
    /// Before the forward pass, so that a step may replay its own batch (the released I-LoRA code).
    BeforeForward,
}

/// A number that shows what a method does.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)] // as above
pub enum Reading {
    Value(f64),
    /// `[1]`, read back only at report points.
    OnDevice(Tensor<1>),
}

/// A step that cannot be made, or a state that does not fit.
#[derive(Debug, Error)]
pub enum MethodError {
    #[error(transparent)]
    Batch(#[from] DataError),
    #[error(
        "the checkpoint's `{name}` has {found} numbers, this run needs {expected}: it belongs to another model or other settings"
    )]
    StateSize { name: String, found: usize, expected: usize },
    #[error("the checkpoint lacks `{name}`: it was written by another version or for another method")]
    StateAbsent { name: String },
}

/// A way of learning one task after another.
pub trait Method: Send {
    /// Trains on the union of all tasks at once (the upper bound MTL)?
    fn joint(&self) -> bool {
        false
    }

    /// Is there anything to train? Without training a run is its evaluation.
    fn trains(&self) -> bool {
        true
    }

    /// Does every task begin with new parameters, so that the optimiser's moments begin anew too?
    fn starts_over(&self) -> bool {
        false
    }

    /// What it needs of the replay buffer; `None` for methods without memory.
    fn replay(&self) -> Option<ReplayNeeds> {
        None
    }

    /// Called before the first step of a task: fresh adapters, anchors, prompts.
    ///
    /// # Errors
    /// What keeps the task from being learnt.
    fn begin_task(&mut self, _start: TaskStart<'_>) -> Result<(), MethodError> {
        Ok(())
    }

    /// Everything the optimiser trains, as one flat vector of constant length.
    fn parameters(&self) -> Tensor<1>;

    /// Puts the optimiser's result back.
    fn set_parameters(&mut self, parameters: Tensor<1>);

    /// Number of values the optimiser trains, structural zeros not counted.
    fn trainable_parameters(&self) -> usize;

    /// Loss and gradient of one step. It is taken at [`Method::parameters`] as they are when it returns.
    ///
    /// # Errors
    /// Batches that do not fit together.
    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError>;

    /// Holds the step's whole gradient against the gradients on memories (GEM, A-GEM).
    fn correct(&mut self, gradient: Tensor<1>, _references: &[Tensor<1>]) -> Correction {
        Correction::Final(gradient)
    }

    /// How much of each reference is added to the gradient, given the products that [`Correction::Weigh`] asked for, row after
    /// row; `None` leaves the gradient as it is.
    fn weights(&mut self, _gram: &[f64]) -> Option<Vec<f64>> {
        None
    }

    /// Called after the optimiser step: averages, importance counters. `step` counts over all tasks, from 1.
    fn after_step(&mut self, _step: u64) {}

    /// How many examples of a task it wants to see one by one when the task has been learnt (Fisher information).
    fn end_examples(&self) -> usize {
        0
    }

    /// Shown one example of the task just learnt; `index` counts from 0, and 0 begins anew.
    fn observe(&mut self, _model: &Llama, _example: &Batch, _index: usize) {}

    /// Called after the last step of a task and after its examples were shown: frozen copies, anchors.
    fn end_task(&mut self, _task: usize, _model: &Llama) {}

    /// What can be evaluated, for examples of `task` (methods that isolate parameters answer differently for each task).
    /// Always the same number of learners in the same order.
    fn learners(&self, task: usize) -> Vec<Learner>;

    /// Named vectors that a checkpoint must hold besides the trained parameters.
    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        BTreeMap::new()
    }

    /// Takes back what [`Method::state`] gave.
    ///
    /// # Errors
    /// A vector that is absent or has another length.
    fn restore(&mut self, _state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        Ok(())
    }

    /// Numbers that show that the method acts, such as its half-life in steps.
    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        Vec::new()
    }
}

/// The part of a [`Method`] that says that the optimiser trains the adapter in this field.
macro_rules! trains_adapter {
    ($field:ident) => {
        fn parameters(&self) -> burn::tensor::Tensor<1> {
            self.$field.flat()
        }

        fn set_parameters(&mut self, parameters: burn::tensor::Tensor<1>) {
            self.$field = self.$field.with_flat(parameters);
        }

        fn trainable_parameters(&self) -> usize {
            self.$field.layout().parameters()
        }
    };
}
use trains_adapter;

/// What a method knows when it is tested, and what it therefore may be compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// One model for all tasks, which is not told the task.
    Continual,
    /// Is told at test time which task an example belongs to.
    TaskAware,
    /// Not continual learning: a floor or a ceiling for the others.
    Bound,
}

/// A named set of settings: its name, and each changed setting with its value as typed.
pub type Preset = (&'static str, Vec<(&'static str, &'static str)>);

/// Makes a method.
pub type MakeMethod = fn(Setup<'_>) -> Result<Box<dyn Method>, KnobError>;

/// One line of the register: how a method is called, described, set and made.
pub struct MethodEntry {
    /// Name in files and flags.
    pub name: &'static str,
    /// Name on screen.
    pub label: &'static str,
    /// One sentence.
    pub about: &'static str,
    /// Its equation in plain text, one or a few lines.
    pub formula: &'static str,
    /// Keeps a replay buffer (what [`Method::replay`] says once it is made).
    pub replays: bool,
    /// Where it was published.
    pub source: &'static str,
    pub standing: Standing,
    /// Its settings.
    pub knobs: fn() -> Vec<Knob>,
    /// Named sets of settings.
    pub presets: fn() -> Vec<Preset>,
    /// Most learned vectors that may stand in front of an example, for these settings and so many tasks.
    pub prompt_length: fn(&Knobs, usize) -> usize,
    pub make: MakeMethod,
}

/// For methods without learned vectors in front of an example.
fn no_prompt(_: &Knobs, _: usize) -> usize {
    0
}

/// All methods, in the order in which they are shown.
#[must_use]
pub fn register() -> Vec<MethodEntry> {
    vec![
        zero_shot::entry(),
        sequential::seq(),
        sequential::er(),
        der::der(),
        der::der_plus_plus(),
        a_gem::entry(),
        gem::entry(),
        ewc::entry(),
        lwf::entry(),
        o_lora::entry(),
        l2p::entry(),
        progressive_prompts::entry(),
        mc_sgd::entry(),
        i_lora::entry(),
        one::entry(),
        sequential::mtl(),
    ]
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

/// Mean cross-entropy of a batch under an adapter, `[1]`, and its gradient with respect to the adapter's flat vector.
pub(crate) fn cross_entropy_gradient(
    model: &Llama,
    adapter: &Adapter,
    batch: &Batch,
    dropout: bool,
) -> (Tensor<1>, Tensor<1>) {
    let vars = adapter.vars(true);
    let hidden = model.forward(batch, Pass { adapter: Some(&vars), dropout, ..Pass::default() });
    let loss = model.cross_entropy(hidden.last, &Targets::mean(batch, 1.0));
    (backward(&loss.surrogate, &vars), loss.value)
}

/// The vector of this name in a checkpoint's state, with as many numbers as `like`.
fn take(state: &BTreeMap<String, Tensor<1>>, name: &str, like: &Tensor<1>) -> Result<Tensor<1>, MethodError> {
    let vector = state.get(name).ok_or_else(|| MethodError::StateAbsent { name: name.into() })?;
    let (found, expected) = (vector.dims()[0], like.dims()[0]);
    if found != expected {
        return Err(MethodError::StateSize { name: name.into(), found, expected });
    }
    Ok(vector.clone())
}

/// The vectors `prefix.0`, `prefix.1`, … of a checkpoint's state, each with as many numbers as `like`.
fn take_list(
    state: &BTreeMap<String, Tensor<1>>,
    prefix: &str,
    like: &Tensor<1>,
) -> Result<Vec<Tensor<1>>, MethodError> {
    let names = (0..).map(|index| format!("{prefix}.{index}"));
    names.take_while(|name| state.contains_key(name)).map(|name| take(state, &name, like)).collect()
}

/// Vectors under the names that [`take_list`] reads.
fn put_list(prefix: &str, list: impl Iterator<Item = Tensor<1>>) -> BTreeMap<String, Tensor<1>> {
    list.enumerate().map(|(index, vector)| (format!("{prefix}.{index}"), vector)).collect()
}
