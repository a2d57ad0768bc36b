//! I-LoRA: a fast (working) LoRA learns from the task and a replay buffer, a slow (long-term) LoRA follows it by
//! interpolation, and a consistency term ties them (arXiv 2402.18865; `spec/i-lora.md` section 2).
//!
//! One step `k`, counted over *all* tasks:
//!
//! ```text
//! loss      = a * CE(working, task batch) + (1 - a) * CE(working, replay batch) + gamma * MSE(f(working), f(long_term))
//! working   = AdamW step on the loss
//! lambda_k  = min(1 - 1/(k+1), lambda)
//! long_term = lambda_k * long_term + (1 - lambda_k) * working
//! ```
//!
//! `f` are hidden states of the replayed examples at their real tokens; no gradient goes into `f(long_term)`. The counter
//! never restarts: at a task boundary the clip would turn the slow learner into the mean of the new task alone and erase the memory.

use super::knobs::{Knob, KnobKind, Knobs};
use super::sequential::{JointPass, REPLAY_KNOBS, ReplayLoss, joint_pass, split_terms};
use super::{
    Learner, Method, MethodEntry, MethodError, Reading, ReplayNeeds, Standing, StepContext, StepGradient, backward,
    no_prompt, take, trains_adapter,
};
use crate::data::batch::Batch;
use crate::model::{Adapter, Hidden, Llama, Pass};
use burn::tensor::{Tensor, activation};
use std::collections::BTreeMap;

/// Which representation the consistency term compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Features {
    /// Hidden state after the last norm.
    Last,
    /// Embedding output, every block's output and the state after the last norm (the released code).
    AllLayers,
    /// Logits (CLS-ER).
    Logits,
}

/// The method's settings.
fn knobs() -> Vec<Knob> {
    let mut knobs = vec![
        Knob {
            name: "half_life_steps",
            kind: KnobKind::Number { min: 0.0, max: 1e9 },
            default: "0",
            about: "Steps after which half of the slow learner's memory is replaced; 0 takes `lambda` as given.",
        },
        Knob {
            name: "lambda",
            kind: KnobKind::Number { min: 0.0, max: 1.0 },
            default: "0.99",
            about: "Weight of the slow learner's old value in each interpolation; larger is slower.",
        },
        Knob {
            name: "clip",
            kind: KnobKind::Switch,
            default: "true",
            about: "Start as a running mean: lambda is at most 1 - 1/(k+1) at step k.",
        },
        Knob {
            name: "gamma",
            kind: KnobKind::Number { min: 0.0, max: 1e6 },
            default: "1",
            about: "Weight of the consistency term between the fast and the slow learner's features.",
        },
        Knob {
            name: "features",
            kind: KnobKind::Choice(&["last", "all_layers", "logits"]),
            default: "last",
            about: "What the consistency term compares: the last hidden state, all hidden states, or the logits.",
        },
        Knob {
            name: "consistency",
            kind: KnobKind::Choice(&["symmetric", "one_sided"]),
            default: "symmetric",
            about: "Squared difference, or only where the slow learner is larger (the released code's maximum).",
        },
    ];
    knobs.extend(REPLAY_KNOBS);
    knobs
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "i_lora",
        label: "I-LoRA",
        about: "A fast LoRA learns with replay, a slow LoRA follows it by interpolation, and a consistency term ties them.",
        formula: concat!(
            "loss      = a * CE(fast, task) + (1 - a) * CE(fast, replay) + gamma * MSE(f(fast), f(slow))\n",
            "fast      = AdamW step on the loss\n",
            "lambda_k  = min(1 - 1/(k+1), lambda)\n",
            "slow      = lambda_k * slow + (1 - lambda_k) * fast",
        ),
        replays: true,
        source: "Ren et al., arXiv 2402.18865",
        standing: Standing::Continual,
        knobs,
        presets: || {
            vec![
                ("paper", vec![("features", "last"), ("consistency", "symmetric"), ("ce", "mean_of_means")]),
                (
                    "released_code",
                    vec![
                        ("half_life_steps", "0"),
                        ("lambda", "0.25"),
                        ("gamma", "1"),
                        ("features", "all_layers"),
                        ("consistency", "one_sided"),
                        ("ce", "mean_of_means"),
                        ("insert", "before_forward"),
                        ("replay_current", "true"),
                    ],
                ),
                (
                    "cls_er",
                    vec![
                        ("half_life_steps", "0"),
                        ("lambda", "0.999"),
                        ("gamma", "0.1"),
                        ("features", "logits"),
                        ("consistency", "symmetric"),
                        ("ce", "pooled"),
                        ("insert", "after_step"),
                        ("replay_current", "true"),
                    ],
                ),
            ]
        },
        prompt_length: no_prompt,
        make: |setup| Ok(Box::new(ILora::new(setup.adapter, setup.knobs))),
    }
}

/// Both learners and the settings that tie them.
pub struct ILora {
    working: Adapter,
    long_term: Adapter,
    lambda: f64,
    clip: bool,
    gamma: f64,
    features: Features,
    one_sided: bool,
    replay: ReplayLoss,
    /// Steps so far, over all tasks.
    step: u64,
}

impl ILora {
    /// Both learners start as the same adapter.
    #[must_use]
    pub fn new(adapter: Adapter, knobs: &Knobs) -> Self {
        let half_life = knobs.number("half_life_steps");
        Self {
            long_term: adapter.clone(),
            working: adapter,
            // lambda^half_life = 1/2
            lambda: if half_life > 0.0 { 0.5_f64.powf(1.0 / half_life) } else { knobs.number("lambda") },
            clip: knobs.switch("clip"),
            gamma: knobs.number("gamma"),
            features: match knobs.word("features") {
                "all_layers" => Features::AllLayers,
                "logits" => Features::Logits,
                _ => Features::Last,
            },
            one_sided: knobs.word("consistency") == "one_sided",
            replay: ReplayLoss::new(knobs),
            step: 0,
        }
    }

    /// The slow learner's weight on its old value at step `k` (from 1).
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // step counts are far below 2^52
    pub fn lambda_at(&self, k: u64) -> f64 {
        if self.clip { self.lambda.min(1.0 - 1.0 / (k as f64 + 1.0)) } else { self.lambda }
    }

    /// The consistency term on the tape, `[1]`: the mean over real tokens of the replayed rows and over feature dimensions.
    fn consistency(
        &self,
        model: &Llama,
        working: &Hidden,
        slow: &Hidden,
        joint: &JointPass,
        replay: &Batch,
    ) -> Tensor<1> {
        let first_row = joint.batch.batch - replay.batch;
        let working_rows = real_positions(&joint.batch, first_row, joint.batch.seq);
        let slow_rows = real_positions(replay, 0, replay.seq);
        let pick = |hidden: &Tensor<2>, rows: &[u32]| model.rows(hidden.clone(), rows);
        let pairs: Vec<(Tensor<2>, Tensor<2>)> = match self.features {
            Features::Last => vec![(pick(&working.last, &working_rows), pick(&slow.last, &slow_rows))],
            Features::Logits => {
                vec![(model.logits(pick(&working.last, &working_rows)), model.logits(pick(&slow.last, &slow_rows)))]
            }
            Features::AllLayers => working
                .layers
                .iter()
                .zip(&slow.layers)
                .map(|(h, g)| (pick(h, &working_rows), pick(g, &slow_rows)))
                .collect(),
        };
        #[allow(clippy::cast_precision_loss)] // 65 layers at the most
        let count = pairs.len() as f64;
        let mut sum: Option<Tensor<1>> = None;
        for (h, g) in pairs {
            let gap = if self.one_sided { activation::relu(g - h) } else { h - g };
            // sum over count, not mean(): burn reduces a sum in a tree, a mean of a matrix in one serial loop per output
            let [rows, columns] = gap.dims();
            let term = (gap.clone() * gap).sum().div_scalar((rows * columns).max(1) as f64);
            sum = Some(match sum {
                Some(sum) => sum + term,
                None => term,
            });
        }
        sum.unwrap_or_else(|| Tensor::zeros([1], model.device())).div_scalar(count)
    }
}

/// Flat positions of the real tokens of all rows from `first_row` on, in a batch with rows of `seq`.
fn real_positions(batch: &Batch, first_row: usize, seq: usize) -> Vec<u32> {
    (first_row..batch.batch)
        .flat_map(|row| (0..batch.lengths[row]).map(move |t| u32::try_from(row * seq + t).unwrap_or(0)))
        .collect()
}

impl Method for ILora {
    fn replay(&self) -> Option<ReplayNeeds> {
        Some(self.replay.needs())
    }

    trains_adapter!(working);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let vars = self.working.vars(true);
        let consistent = context.replay.filter(|_| self.gamma > 0.0);
        let keep_layers = self.features == Features::AllLayers && consistent.is_some();
        let pass = Pass { adapter: Some(&vars), dropout: true, keep_layers, ..Pass::default() };
        let joint = joint_pass(context, pass, Some(&self.replay))?;
        let (parts, replayed) = split_terms(&joint);
        let mut surrogate = joint.loss.surrogate.clone();
        let mut total = joint.loss.value.clone();
        let mut consistency = None;
        let mut slow_nll = None;
        if let Some(replay) = context.replay.filter(|_| consistent.is_some() || context.want_replay_losses) {
            // The slow learner reads the replay batch without dropout and without a tape.
            let slow_vars = self.long_term.vars(false);
            let slow_pass = Pass { adapter: Some(&slow_vars), keep_layers, ..Pass::default() };
            let slow = context.model.forward(replay, slow_pass);
            if context.want_replay_losses {
                slow_nll = Some(context.model.nll(slow.last.clone(), &replay.target_positions, &replay.target_ids));
            }
            if consistent.is_some() {
                let term = self.consistency(context.model, &joint.hidden, &slow, &joint, replay);
                surrogate = surrogate + term.clone().mul_scalar(self.gamma);
                let value = term.without_autodiff();
                total = total + value.clone().mul_scalar(self.gamma);
                consistency = Some(value);
            }
        }
        let mut terms = vec![("total", total)];
        terms.extend(parts);
        terms.extend(consistency.map(|value| ("consistency", value)));
        let replay_nll = replayed.filter(|_| context.want_replay_losses).map(|nll| (nll, slow_nll));
        Ok(StepGradient { replay_nll, ..StepGradient::new(backward(&surrogate, &vars), terms) })
    }

    fn after_step(&mut self, step: u64) {
        self.step = step;
        let lambda = self.lambda_at(step);
        self.long_term = self.working.lerp(&self.long_term, lambda);
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![
            Learner { name: "working", learnt: self.working.clone().into(), headline: false },
            Learner { name: "long_term", learnt: self.long_term.clone().into(), headline: true },
        ]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        BTreeMap::from([("long_term".to_string(), self.long_term.flat())])
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        self.long_term = self.long_term.with_flat(take(state, "long_term", &self.long_term.flat())?);
        Ok(())
    }

    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        let lambda = self.lambda_at(self.step.max(1));
        let half_life = if lambda > 0.0 && lambda < 1.0 { 0.5_f64.ln() / lambda.ln() } else { 0.0 };
        vec![("lambda", Reading::Value(lambda)), ("half_life_steps", Reading::Value(half_life))]
    }
}
