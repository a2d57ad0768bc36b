//! O-LoRA: each task learns a new adapter in a subspace orthogonal to those of the tasks before it; the old ones are frozen and
//! stay in the model (Wang et al., "Orthogonal Subspace Learning for Language Model Continual Learning", arXiv 2310.14152).
//!
//! ```text
//! y    = (W + sum_k B_k A_k + B A) x                                        k: earlier tasks, frozen
//! loss = CE + orthogonality * sum over modules, k, entries of |A_k A'| + shrinkage * sum over modules of |A| + |B|
//! ```
//!
//! The sums and the settings are those of the authors' code (spec section 5): absolute entries, not their squares, and the
//! Euclidean norms of the new factors. The model is not told the task: all adapters together are the model.

use super::knobs::{Knob, KnobKind};
use super::{
    Learner, Learnt, Method, MethodEntry, MethodError, Reading, Standing, StepContext, StepGradient, TaskStart,
    backward, no_prompt, put_list, sum_of_updates, take, take_list, trains_adapter,
};
use crate::model::adapter::ModuleFactors;
use crate::model::{Adapter, AdapterVars, Llama, Pass, Targets};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// The adapter of the present task beside those of the earlier ones.
struct OLora {
    adapter: Adapter,
    frozen: Vec<Adapter>,
    /// A task is being learnt, so that its adapter counts.
    learning: bool,
    /// The frozen adapters' factors beside one another, as the model takes them.
    frozen_vars: Option<AdapterVars>,
    /// For each module the frozen `A_k` of all tasks below one another, `[tasks * r, in]`.
    frozen_a: Vec<Tensor<2>>,
    orthogonality: f64,
    shrinkage: f64,
    /// The last value of the orthogonality term, `[1]`.
    overlap: Tensor<1>,
}

/// Sum of the absolute entries of `A_k A'` over modules and earlier tasks, `[1]`. `frozen` holds each module's `A_k` below one
/// another, `[tasks * r, in]`, and `modules` the new factors in the same order.
#[must_use]
pub fn overlap(frozen: &[Tensor<2>], modules: &[ModuleFactors]) -> Option<Tensor<1>> {
    let terms =
        frozen.iter().zip(modules).map(|(old, new)| old.clone().matmul(new.a.clone().swap_dims(0, 1)).abs().sum());
    terms.reduce(|sum, term| sum + term)
}

/// Sum of the Euclidean norms of all factors, `[1]`.
#[must_use]
pub fn norms(modules: &[ModuleFactors]) -> Option<Tensor<1>> {
    // B starts at zero, where the norm has no gradient: this much keeps the root differentiable.
    let norm = |factor: &Tensor<2>| (factor.clone() * factor.clone()).sum().add_scalar(1e-12).sqrt();
    modules.iter().map(|module| norm(&module.a) + norm(&module.b)).reduce(|sum, term| sum + term)
}

impl OLora {
    /// Takes over a list of frozen adapters.
    fn freeze(&mut self, frozen: Vec<Adapter>) {
        let modules: Vec<Vec<ModuleFactors>> = frozen.iter().map(|adapter| adapter.vars(false).modules()).collect();
        let count = modules.first().map_or(0, Vec::len);
        let below = |module: usize| Tensor::cat(modules.iter().map(|task| task[module].a.clone()).collect(), 0);
        self.frozen_a = (0..count).map(below).collect();
        self.frozen_vars = sum_of_updates(&frozen);
        self.frozen = frozen;
    }
}

impl Method for OLora {
    fn starts_over(&self) -> bool {
        true
    }

    fn begin_task(&mut self, mut start: TaskStart<'_>) -> Result<(), MethodError> {
        self.adapter = start.own_adapter(&self.adapter);
        self.learning = true;
        Ok(())
    }

    trains_adapter!(adapter);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (model, batch) = (context.model, context.current);
        let own = self.adapter.vars(true);
        let modules = own.modules();
        let vars = match &self.frozen_vars {
            Some(frozen) => own.beside(frozen),
            None => own,
        };
        let hidden = model.forward(batch, Pass { adapter: Some(&vars), dropout: true, ..Pass::default() });
        let loss = model.cross_entropy(hidden.last, &Targets::mean(batch, 1.0));
        let (mut surrogate, mut total) = (loss.surrogate, loss.value.clone());
        let mut terms = vec![("task", loss.value)];
        if let Some(term) = overlap(&self.frozen_a, &modules) {
            self.overlap = term.clone().without_autodiff();
            total = total + self.overlap.clone().mul_scalar(self.orthogonality);
            surrogate = surrogate + term.mul_scalar(self.orthogonality);
            terms.push(("overlap", self.overlap.clone()));
        }
        if let Some(term) = norms(&modules).filter(|_| self.shrinkage > 0.0) {
            total = total + term.clone().without_autodiff().mul_scalar(self.shrinkage);
            surrogate = surrogate + term.mul_scalar(self.shrinkage);
        }
        terms.insert(0, ("total", total));
        Ok(StepGradient::new(backward(&surrogate, &vars), terms))
    }

    fn end_task(&mut self, _task: usize, _model: &Llama) {
        let mut frozen = std::mem::take(&mut self.frozen);
        frozen.push(self.adapter.clone());
        self.freeze(frozen);
        self.learning = false;
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        let own = self.learning.then_some(&self.adapter);
        let adapters = self.frozen.iter().chain(own).cloned().collect();
        vec![Learner::model(Learnt::Adapters(adapters))]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        let mut state = put_list("frozen", self.frozen.iter().map(Adapter::flat));
        state.insert("overlap".into(), self.overlap.clone());
        if self.learning {
            state.insert("learning".into(), self.overlap.ones_like());
        }
        state
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        let flats = take_list(state, "frozen", &self.adapter.flat())?;
        self.freeze(flats.into_iter().map(|flat| self.adapter.with_flat(flat)).collect());
        self.overlap = take(state, "overlap", &self.overlap)?;
        self.learning = state.contains_key("learning");
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // a few tasks
    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        vec![
            ("frozen_adapters", Reading::Value(self.frozen.len() as f64)),
            ("overlap", Reading::OnDevice(self.overlap.clone())),
        ]
    }
}

/// The method's settings.
fn knobs() -> Vec<Knob> {
    vec![
        Knob {
            name: "orthogonality",
            kind: KnobKind::Number { min: 0.0, max: 1e6 },
            default: "0.5",
            about: "Weight of the overlap between the new and the old subspaces (lambda_1 in the authors' code).",
        },
        Knob {
            name: "shrinkage",
            kind: KnobKind::Number { min: 0.0, max: 1e6 },
            default: "0",
            about: "Weight of the norms of the new factors (lambda_2 in the authors' code).",
        },
    ]
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "o_lora",
        label: "O-LoRA",
        about: "A new adapter for each task, orthogonal to the frozen ones before it; all of them together are the model.",
        formula: concat!(
            "y    = (W + sum_k B_k A_k + B A) x          k: earlier tasks, frozen\n",
            "loss = CE + orthogonality * sum |A_k A'| + shrinkage * sum (|A| + |B|)",
        ),
        replays: false,
        source: "Wang et al., arXiv 2310.14152",
        standing: Standing::Continual,
        knobs,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| {
            let overlap = Tensor::zeros([1], setup.model.device());
            let (orthogonality, shrinkage) = (setup.knobs.number("orthogonality"), setup.knobs.number("shrinkage"));
            Ok(Box::new(OLora {
                adapter: setup.adapter,
                frozen: Vec::new(),
                learning: false,
                frozen_vars: None,
                frozen_a: Vec::new(),
                orthogonality,
                shrinkage,
                overlap,
            }))
        },
    }
}
