//! Dark experience replay: remembered examples keep the logits that the model gave when it met them, and the model shall give
//! them again (Buzzega et al., "Dark Experience for General Continual Learning", arXiv 2004.07211, equations 5 and 6).
//!
//! ```text
//! DER:    loss = CE(current) + alpha * mean |logits - stored logits|^2                        on a batch from the buffer
//! DER++:  loss = CE(current) + alpha * mean |logits - stored logits|^2 + beta * CE(replayed)   on two batches from the buffer
//! ```
//!
//! Logits are kept at the targets of an example, over the whole vocabulary, and the mean runs over all of them as in the
//! authors' code: the buffer takes `4 * vocab_size` bytes for each target token. Every step whose examples may enter the buffer
//! reads its logits back.

use super::knobs::{Knob, KnobKind};
use super::{
    Draw, InsertWhen, Learner, Method, MethodEntry, MethodError, ReplayNeeds, Standing, StepContext, StepGradient,
    backward, no_prompt, trains_adapter,
};
use crate::data::batch::Batch;
use crate::model::{Adapter, Pass, Targets};
use burn::tensor::Tensor;

/// One adapter; the memory is the trainer's buffer.
struct DarkReplay {
    adapter: Adapter,
    /// Weight of the squared difference of logits.
    alpha: f64,
    /// Weight of the replayed cross-entropy; `None` in DER.
    beta: Option<f64>,
}

/// Mean squared difference of logits `[targets, vocab_size]`, `[1]`.
#[must_use]
#[allow(clippy::cast_precision_loss)] // counts are far below 2^52
pub fn logit_distance(logits: Tensor<2>, stored: Tensor<2>) -> Tensor<1> {
    let [rows, columns] = logits.dims();
    let gap = logits - stored;
    // sum over count, not mean(): see i_lora's consistency term
    (gap.clone() * gap).sum().div_scalar((rows * columns).max(1) as f64)
}

impl Method for DarkReplay {
    fn replay(&self) -> Option<ReplayNeeds> {
        let batches = if self.beta.is_some() { 2 } else { 1 };
        Some(ReplayNeeds {
            // As the authors: the buffer is one stream, which the present task is a part of.
            replay_current: true,
            insert: InsertWhen::AfterStep,
            draw: Draw::Mixed { batches },
            store_logits: true,
        })
    }

    trains_adapter!(adapter);

    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // counts are far below 2^24
    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (model, current) = (context.model, context.current);
        let batch = match context.replay {
            Some(replay) => Batch::concat(current, replay, 0)?,
            None => current.clone(),
        };
        let vars = self.adapter.vars(true);
        let hidden = model.forward(&batch, Pass { adapter: Some(&vars), dropout: true, ..Pass::default() }).last;
        // Targets in the order: current, the batch whose logits count, the batch whose answers count.
        let now = current.target_ids.len();
        let all = batch.target_ids.len();
        let dark_rows = context.replay.map_or(0, |replay| match self.beta {
            Some(_) => replay.batch.div_ceil(2),
            None => replay.batch,
        });
        let dark = now
            + context
                .replay
                .map_or(0, |replay| replay.target_rows.iter().filter(|&&row| (row as usize) < dark_rows).count());
        let mut targets = Targets::mean(&batch, 1.0);
        targets.weights[..now].fill(1.0 / now.max(1) as f32);
        targets.weights[now..dark].fill(0.0);
        let beta = self.beta.unwrap_or(0.0);
        targets.weights[dark..].fill((beta / (all - dark).max(1) as f64) as f32);
        let loss = model.cross_entropy(hidden.clone(), &targets);
        let (mut surrogate, mut total) = (loss.surrogate.clone(), loss.value.clone());
        let mut terms = vec![("task", loss.nll.clone().slice([0..now]).mean())];
        if dark > now
            && let Some(stored) = context.stored_logits
        {
            let logits = model.logits(model.rows(hidden.clone(), &batch.target_positions[now..dark]));
            let stored = stored.clone().slice([0..dark - now, 0..model.config.vocab_size]);
            let term = logit_distance(logits, stored);
            let value = term.clone().without_autodiff();
            surrogate = surrogate + term.mul_scalar(self.alpha);
            total = total + value.clone().mul_scalar(self.alpha);
            terms.push(("logit_distance", value));
        }
        if all > dark {
            terms.push(("replay", loss.nll.clone().slice([dark..all]).mean()));
        }
        terms.insert(0, ("total", total));
        let current_logits = model.logits(model.rows(hidden.without_autodiff(), &batch.target_positions[..now]));
        let replay_nll = (context.want_replay_losses && all > now).then(|| (loss.nll.clone().slice([now..all]), None));
        let gradient = backward(&surrogate, &vars);
        Ok(StepGradient { current_logits: Some(current_logits), replay_nll, ..StepGradient::new(gradient, terms) })
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![Learner::model(self.adapter.clone())]
    }
}

const ALPHA: Knob = Knob {
    name: "alpha",
    kind: KnobKind::Number { min: 0.0, max: 1e6 },
    default: "0.5",
    about: "Weight of the squared difference between logits and stored logits.",
};

const BETA: Knob = Knob {
    name: "beta",
    kind: KnobKind::Number { min: 0.0, max: 1e6 },
    default: "0.5",
    about: "Weight of the cross-entropy of a second replayed batch.",
};

/// Dark experience replay.
#[must_use]
pub fn der() -> MethodEntry {
    MethodEntry {
        name: "der",
        label: "DER",
        about: "Dark experience replay: remembered examples shall get the logits they got when they were met.",
        formula: "loss = CE(current) + alpha * mean |logits - stored logits|^2",
        replays: true,
        source: "Buzzega et al., arXiv 2004.07211",
        standing: Standing::Continual,
        knobs: || vec![ALPHA],
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| {
            let alpha = setup.knobs.number("alpha");
            Ok(Box::new(DarkReplay { adapter: setup.adapter, alpha, beta: None }))
        },
    }
}

/// Dark experience replay with the right answers beside the old logits.
#[must_use]
pub fn der_plus_plus() -> MethodEntry {
    MethodEntry {
        name: "derpp",
        label: "DER++",
        about: "Dark experience replay and, on a second batch from the buffer, the right answers.",
        formula: "loss = CE(current) + alpha * mean |logits - stored logits|^2 + beta * CE(replayed)",
        replays: true,
        source: "Buzzega et al., arXiv 2004.07211",
        standing: Standing::Continual,
        knobs: || vec![ALPHA, BETA],
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| {
            let (alpha, beta) = (setup.knobs.number("alpha"), setup.knobs.number("beta"));
            Ok(Box::new(DarkReplay { adapter: setup.adapter, alpha, beta: Some(beta) }))
        },
    }
}
