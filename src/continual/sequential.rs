//! One adapter trained by plain cross-entropy: in order (`seq`), with replay (`er`), or on everything at once (`mtl`).
//!
//! * `seq`: plain fine-tuning on one task after the other, the lower bound.
//! * `er`: experience replay, an equal batch from the buffer beside each current batch (Chaudhry et al., arXiv 1902.10486).
//! * `mtl`: the union of all tasks, the upper bound.

use super::knobs::{Knob, KnobKind, Knobs};
use super::{
    Draw, InsertWhen, Learner, Method, MethodEntry, MethodError, ReplayNeeds, Standing, StepContext, StepGradient,
    backward, no_prompt, trains_adapter,
};
use crate::data::batch::Batch;
use crate::model::{Adapter, CrossEntropy, Hidden, Pass, Targets};
use burn::tensor::Tensor;

/// Settings that every method with a memory shares.
pub const REPLAY_KNOBS: [Knob; 4] = [
    Knob {
        name: "ce",
        kind: KnobKind::Choice(&["mean_of_means", "pooled"]),
        default: "mean_of_means",
        about: "How the losses of current and replayed examples meet: the weighted mean of their two means, or one mean over all target tokens.",
    },
    Knob {
        name: "current_share",
        kind: KnobKind::Number { min: 0.0, max: 1.0 },
        default: "0.5",
        about: "Weight of the current task in mean_of_means; the replayed examples get the rest.",
    },
    Knob {
        name: "replay_current",
        kind: KnobKind::Switch,
        default: "false",
        about: "Replay examples of the task being learnt as well.",
    },
    Knob {
        name: "insert",
        kind: KnobKind::Choice(&["after_step", "before_forward"]),
        default: "after_step",
        about: "When a batch enters the buffer; before_forward (the released code), with replay_current, lets a step replay its own batch.",
    },
];

/// How current and replayed examples share the cross-entropy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ReplayLoss {
    pooled: bool,
    current_share: f64,
    needs: ReplayNeeds,
}

impl ReplayLoss {
    /// Reads [`REPLAY_KNOBS`].
    #[must_use]
    pub fn new(knobs: &Knobs) -> Self {
        let before = knobs.word("insert") == "before_forward";
        Self {
            pooled: knobs.word("ce") == "pooled",
            current_share: knobs.number("current_share"),
            needs: ReplayNeeds {
                replay_current: knobs.switch("replay_current"),
                insert: if before { InsertWhen::BeforeForward } else { InsertWhen::AfterStep },
                draw: Draw::Mixed { batches: 1 },
                store_logits: false,
            },
        }
    }

    /// What these settings ask of the buffer.
    #[must_use]
    pub fn needs(&self) -> ReplayNeeds {
        self.needs
    }

    /// Targets of the joint batch (current rows first) with their weights.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // counts are far below 2^24
    pub fn targets(&self, joint: &Batch, current_targets: usize) -> Targets {
        let mut targets = Targets::mean(joint, 1.0);
        let replayed = targets.ids.len() - current_targets;
        if !self.pooled && replayed > 0 {
            let (current, replay) = targets.weights.split_at_mut(current_targets);
            current.fill((self.current_share / current_targets.max(1) as f64) as f32);
            replay.fill(((1.0 - self.current_share) / replayed as f64) as f32);
        }
        targets
    }
}

/// The working learner's pass over current and replayed examples together.
pub struct JointPass {
    pub hidden: Hidden,
    pub loss: CrossEntropy,
    /// Current and replayed examples in one batch, current rows first.
    pub batch: Batch,
    /// How many of the targets belong to the current task.
    pub current_targets: usize,
}

/// Runs the adapter over the current batch and, if there is one, the replay batch, in one pass.
///
/// # Errors
/// Batches that cannot be joined.
pub fn joint_pass(
    context: &StepContext<'_>,
    pass: Pass<'_>,
    replay: Option<&ReplayLoss>,
) -> Result<JointPass, MethodError> {
    let current_targets = context.current.target_ids.len();
    let batch = match context.replay {
        Some(replayed) if replay.is_some() => Batch::concat(context.current, replayed, 0)?,
        _ => context.current.clone(),
    };
    let hidden = context.model.forward(&batch, pass);
    let targets = match replay {
        Some(settings) => settings.targets(&batch, current_targets),
        None => Targets::mean(&batch, 1.0),
    };
    let loss = context.model.cross_entropy(hidden.last.clone(), &targets);
    Ok(JointPass { hidden, loss, batch, current_targets })
}

/// The loss terms of current and replayed examples, and the per-target losses of the replayed ones.
#[must_use]
pub fn split_terms(joint: &JointPass) -> (Vec<(&'static str, Tensor<1>)>, Option<Tensor<1>>) {
    let (n, all) = (joint.current_targets, joint.batch.target_ids.len());
    if n == all {
        return (vec![("task", joint.loss.nll.clone().mean())], None);
    }
    let replayed = joint.loss.nll.clone().slice([n..all]);
    (vec![("task", joint.loss.nll.clone().slice([0..n]).mean()), ("replay", replayed.clone().mean())], Some(replayed))
}

/// One adapter and plain cross-entropy.
struct Sequential {
    adapter: Adapter,
    joint: bool,
    replay: Option<ReplayLoss>,
}

impl Method for Sequential {
    fn joint(&self) -> bool {
        self.joint
    }

    fn replay(&self) -> Option<ReplayNeeds> {
        self.replay.map(|settings| settings.needs())
    }

    trains_adapter!(adapter);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let vars = self.adapter.vars(true);
        let pass = Pass { adapter: Some(&vars), dropout: true, ..Pass::default() };
        let joint = joint_pass(context, pass, self.replay.as_ref())?;
        let (parts, replayed) = split_terms(&joint);
        let mut terms = vec![("total", joint.loss.value.clone())];
        terms.extend(parts);
        let replay_nll = replayed.filter(|_| context.want_replay_losses).map(|nll| (nll, None));
        Ok(StepGradient { replay_nll, ..StepGradient::new(backward(&joint.loss.surrogate, &vars), terms) })
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![Learner::model(self.adapter.clone())]
    }
}

/// Plain fine-tuning on one task after the other.
#[must_use]
pub fn seq() -> MethodEntry {
    MethodEntry {
        name: "seq",
        label: "Seq",
        about: "One adapter, fine-tuned on one task after the other: the lower bound.",
        formula: "loss = CE(current)",
        replays: false,
        source: "plain fine-tuning",
        standing: Standing::Continual,
        knobs: Vec::new,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| Ok(Box::new(Sequential { adapter: setup.adapter, joint: false, replay: None })),
    }
}

/// Experience replay.
#[must_use]
pub fn er() -> MethodEntry {
    MethodEntry {
        name: "er",
        label: "ER",
        about: "Experience replay: an equal batch from the buffer beside each batch of the current task.",
        formula: "loss = a * CE(current) + (1 - a) * CE(replayed)",
        replays: true,
        source: "Chaudhry et al., arXiv 1902.10486",
        standing: Standing::Continual,
        knobs: || REPLAY_KNOBS.to_vec(),
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| {
            let replay = Some(ReplayLoss::new(setup.knobs));
            Ok(Box::new(Sequential { adapter: setup.adapter, joint: false, replay }))
        },
    }
}

/// Joint training on all tasks.
#[must_use]
pub fn mtl() -> MethodEntry {
    MethodEntry {
        name: "mtl",
        label: "MTL",
        about: "One adapter trained on the union of all tasks at once: the upper bound, not continual learning.",
        formula: "loss = CE(batch from the union of all tasks)",
        replays: false,
        source: "Caruana, Machine Learning 28 (1997)",
        standing: Standing::Bound,
        knobs: Vec::new,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| Ok(Box::new(Sequential { adapter: setup.adapter, joint: true, replay: None })),
    }
}
