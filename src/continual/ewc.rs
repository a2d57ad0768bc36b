//! EWC: parameters that mattered to earlier tasks are held near where they were (Kirkpatrick et al., "Overcoming catastrophic
//! forgetting in neural networks", arXiv 1612.00796, equation 3), and its online form (Schwarz et al., "Progress & Compress",
//! arXiv 1805.06370).
//!
//! ```text
//! loss = CE + penalty/2 * sum_k sum_i F_k,i (theta_i - theta_k,i)^2       separate: one anchor for each task k
//! loss = CE + penalty/2 * sum_i F_i (theta_i - theta_i*)^2                online: F = decay * F + F_new, the latest anchor
//! ```
//!
//! `F_k` is the diagonal Fisher information at the end of task `k`: the mean over its examples of the squared gradient of one
//! example's log-likelihood, with the true answers as labels (the empirical Fisher). The sum over tasks of the separate form is
//! itself one quadratic, so only its curvature, its centre and a constant are kept, however many tasks there are.

use super::knobs::{Knob, KnobKind};
use super::{
    Learner, Method, MethodEntry, MethodError, Reading, Standing, StepContext, StepGradient, backward,
    cross_entropy_gradient, no_prompt, take, trains_adapter,
};
use crate::data::batch::Batch;
use crate::model::{Adapter, Llama, Pass, Targets};
use burn::tensor::Tensor;
use std::collections::BTreeMap;

/// The sum of all tasks' quadratics: `1/2 sum_i curvature_i (theta_i - centre_i)^2 + constant/2`.
#[derive(Clone, Debug)]
pub struct Anchors {
    pub curvature: Tensor<1>,
    pub centre: Tensor<1>,
    /// `[1]`: what the quadratics add up to at their common centre.
    pub constant: Tensor<1>,
}

impl Anchors {
    /// No task learnt yet.
    #[must_use]
    pub fn none(parameters: &Tensor<1>) -> Self {
        let zero = parameters.zeros_like();
        Self { curvature: zero.clone(), centre: zero.clone(), constant: zero.slice([0..1]) }
    }

    /// The quadratics so far plus `1/2 sum_i fisher_i (theta_i - anchor_i)^2`.
    #[must_use]
    pub fn with_task(&self, fisher: Tensor<1>, anchor: Tensor<1>) -> Self {
        let total = self.curvature.clone() + fisher.clone();
        // Where nothing matters to any task the centre is of no account.
        let safe = total.clone().clamp_min(f64::from(f32::MIN_POSITIVE));
        let share = fisher / safe;
        let gap = anchor - self.centre.clone();
        let constant = (self.curvature.clone() * share.clone() * gap.clone() * gap.clone()).sum();
        Self { curvature: total, centre: self.centre.clone() + gap * share, constant: self.constant.clone() + constant }
    }

    /// The older quadratic faded to `decay` of its curvature, the newer added, and both centred at the latest anchor.
    #[must_use]
    pub fn online(&self, fisher: Tensor<1>, anchor: Tensor<1>, decay: f64) -> Self {
        let curvature = self.curvature.clone().mul_scalar(decay) + fisher;
        Self { curvature, centre: anchor, constant: self.constant.zeros_like() }
    }

    /// The penalty for `weight = 1`, `[1]`, and its gradient.
    #[must_use]
    pub fn penalty(&self, parameters: Tensor<1>) -> (Tensor<1>, Tensor<1>) {
        let gap = parameters - self.centre.clone();
        let gradient = self.curvature.clone() * gap.clone();
        let value = ((gradient.clone() * gap).sum() + self.constant.clone()).mul_scalar(0.5);
        (value, gradient)
    }
}

/// One adapter, held by springs.
struct Ewc {
    adapter: Adapter,
    penalty: f64,
    /// Share of the older importance that stays at each new task; `None` keeps a quadratic for each task.
    decay: Option<f64>,
    examples: usize,
    anchors: Anchors,
    /// Sum of squared gradients of the examples seen at the end of the task, and their number.
    squares: Tensor<1>,
    seen: usize,
    /// A task has been learnt.
    anchored: bool,
}

impl Method for Ewc {
    trains_adapter!(adapter);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (gradient, loss) = cross_entropy_gradient(context.model, &self.adapter, context.current, true);
        if !self.anchored {
            return Ok(StepGradient::new(gradient, vec![("total", loss)]));
        }
        let (value, pull) = self.anchors.penalty(self.adapter.flat());
        let (value, pull) = (value.mul_scalar(self.penalty), pull.mul_scalar(self.penalty));
        let terms = vec![("total", loss.clone() + value.clone()), ("task", loss), ("penalty", value)];
        Ok(StepGradient::new(gradient + pull, terms))
    }

    fn end_examples(&self) -> usize {
        self.examples
    }

    #[allow(clippy::cast_precision_loss)] // target counts are small
    fn observe(&mut self, model: &Llama, example: &Batch, index: usize) {
        if index == 0 {
            self.squares = self.squares.zeros_like();
            self.seen = 0;
        }
        let vars = self.adapter.vars(true);
        let hidden = model.forward(example, Pass { adapter: Some(&vars), ..Pass::default() });
        // The likelihood of an answer is the product of its tokens' likelihoods: their sum, not their mean.
        let targets = Targets::mean(example, example.target_ids.len() as f64);
        let gradient = backward(&model.cross_entropy(hidden.last, &targets).surrogate, &vars);
        self.squares = self.squares.clone() + gradient.clone() * gradient;
        self.seen += 1;
    }

    #[allow(clippy::cast_precision_loss)] // a few hundred examples
    fn end_task(&mut self, _task: usize, _model: &Llama) {
        let fisher = self.squares.clone().div_scalar(self.seen.max(1) as f64);
        let anchor = self.adapter.flat();
        self.anchors = match self.decay {
            Some(decay) => self.anchors.online(fisher, anchor, decay),
            None => self.anchors.with_task(fisher, anchor),
        };
        self.anchored = true;
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![Learner::model(self.adapter.clone())]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        if !self.anchored {
            return BTreeMap::new();
        }
        BTreeMap::from([
            ("curvature".into(), self.anchors.curvature.clone()),
            ("centre".into(), self.anchors.centre.clone()),
            ("constant".into(), self.anchors.constant.clone()),
        ])
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        self.anchored = !state.is_empty();
        if !self.anchored {
            return Ok(());
        }
        let flat = self.adapter.flat();
        self.anchors = Anchors {
            curvature: take(state, "curvature", &flat)?,
            centre: take(state, "centre", &flat)?,
            constant: take(state, "constant", &self.anchors.constant)?,
        };
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // sizes are far below 2^52
    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        let mean = self.anchors.curvature.clone().sum().div_scalar(self.trainable_parameters().max(1) as f64);
        vec![("fisher_mean", Reading::OnDevice(mean))]
    }
}

/// The method's settings.
fn knobs() -> Vec<Knob> {
    vec![
        Knob {
            name: "penalty",
            kind: KnobKind::Number { min: 0.0, max: 1e12 },
            default: "1000",
            about: "Weight of the quadratic penalty (lambda in the paper).",
        },
        Knob {
            name: "variant",
            kind: KnobKind::Choice(&["separate", "online"]),
            default: "separate",
            about: "An anchor for each task, or one running importance with the latest anchor.",
        },
        Knob {
            name: "decay",
            kind: KnobKind::Number { min: 0.0, max: 1.0 },
            default: "0.9",
            about: "Share of the older importance that the online variant keeps at each new task (gamma in the paper).",
        },
        Knob {
            name: "fisher_examples",
            kind: KnobKind::Number { min: 1.0, max: 1e6 },
            default: "100",
            about: "Examples of a task whose gradients make its Fisher information, one pass each.",
        },
    ]
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "ewc",
        label: "EWC",
        about: "Elastic weight consolidation: parameters that mattered to earlier tasks are held near where they were.",
        formula: concat!(
            "loss = CE + penalty/2 * sum_i F_i (theta_i - theta_i*)^2\n",
            "F = Fisher information at the end of each earlier task, summed (or decayed: online)",
        ),
        replays: false,
        source: "Kirkpatrick et al., arXiv 1612.00796; online: Schwarz et al., arXiv 1805.06370",
        standing: Standing::Continual,
        knobs,
        presets: || vec![("online", vec![("variant", "online")])],
        prompt_length: no_prompt,
        make: |setup| {
            let knobs = setup.knobs;
            let parameters = setup.adapter.flat();
            Ok(Box::new(Ewc {
                adapter: setup.adapter,
                penalty: knobs.number("penalty"),
                decay: (knobs.word("variant") == "online").then(|| knobs.number("decay")),
                examples: knobs.count("fisher_examples"),
                anchors: Anchors::none(&parameters),
                squares: parameters.zeros_like(),
                seen: 0,
                anchored: false,
            }))
        },
    }
}
