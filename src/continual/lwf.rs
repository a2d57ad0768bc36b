//! `LwF`: on the new task's inputs the model shall still answer as it did before the task (Li and Hoiem, "Learning without
//! Forgetting", arXiv 1606.09282). No example of an earlier task is kept.
//!
//! ```text
//! loss = CE(current) + weight * T^2 * mean over targets of KL( softmax(old logits / T) || softmax(logits / T) )
//! ```
//!
//! The old logits are those of the adapter as it was when the task began, at the targets of the current batch and over the
//! whole vocabulary; `T^2` keeps the size of the gradient as `T` changes (Hinton et al., arXiv 1503.02531). The paper's
//! distillation loss is the cross-entropy to the old answers: the divergence and a constant, so the gradient is the same.

use super::knobs::{Knob, KnobKind};
use super::{
    Learner, Method, MethodEntry, MethodError, Standing, StepContext, StepGradient, TaskStart, backward, no_prompt,
    take, trains_adapter,
};
use crate::model::{Adapter, Pass, Targets};
use burn::tensor::{Tensor, activation};
use std::collections::BTreeMap;

/// One adapter and its copy from before the task.
struct Lwf {
    adapter: Adapter,
    /// The teacher: the adapter after the tasks before this one; none in the first task.
    teacher: Option<Adapter>,
    weight: f64,
    temperature: f64,
}

/// `T^2` times the mean over rows of the divergence of the student's from the teacher's softened answers, `[1]`.
///
/// `student` and `teacher` are logits `[rows, vocab_size]`; the gradient goes into the student alone.
#[must_use]
#[allow(clippy::cast_precision_loss)] // row counts are far below 2^24
pub fn distillation(student: Tensor<2>, teacher: Tensor<2>, temperature: f64) -> Tensor<1> {
    let rows = student.dims()[0].max(1);
    let softened = |logits: Tensor<2>| activation::log_softmax(logits.div_scalar(temperature), 1);
    let (student, teacher) = (softened(student), softened(teacher));
    let divergence = (teacher.clone().exp() * (teacher - student)).sum();
    divergence.mul_scalar(temperature * temperature / rows as f64)
}

impl Method for Lwf {
    fn begin_task(&mut self, start: TaskStart<'_>) -> Result<(), MethodError> {
        self.teacher = (start.task > 0).then(|| self.adapter.clone());
        Ok(())
    }

    trains_adapter!(adapter);

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (model, batch) = (context.model, context.current);
        let vars = self.adapter.vars(true);
        let hidden = model.forward(batch, Pass { adapter: Some(&vars), dropout: true, ..Pass::default() }).last;
        let loss = model.cross_entropy(hidden.clone(), &Targets::mean(batch, 1.0));
        let Some(teacher) = &self.teacher else {
            return Ok(StepGradient::new(backward(&loss.surrogate, &vars), vec![("total", loss.value)]));
        };
        let old_vars = teacher.vars(false);
        let old = model.forward(batch, Pass { adapter: Some(&old_vars), ..Pass::default() }).last;
        let logits = |hidden: Tensor<2>| model.logits(model.rows(hidden, &batch.target_positions));
        let term = distillation(logits(hidden), logits(old), self.temperature).mul_scalar(self.weight);
        let value = term.clone().without_autodiff();
        let terms = vec![("total", loss.value.clone() + value.clone()), ("task", loss.value), ("distillation", value)];
        Ok(StepGradient::new(backward(&(loss.surrogate + term), &vars), terms))
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![Learner::model(self.adapter.clone())]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        self.teacher.iter().map(|teacher| ("teacher".to_string(), teacher.flat())).collect()
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        self.teacher = None;
        if !state.is_empty() {
            self.teacher = Some(self.adapter.with_flat(take(state, "teacher", &self.adapter.flat())?));
        }
        Ok(())
    }
}

/// The method's settings.
fn knobs() -> Vec<Knob> {
    vec![
        Knob {
            name: "weight",
            kind: KnobKind::Number { min: 0.0, max: 1e6 },
            default: "1",
            about: "Weight of the distillation from the model before the task.",
        },
        Knob {
            name: "temperature",
            kind: KnobKind::Number { min: 0.01, max: 100.0 },
            default: "2",
            about: "Softens the answers of both models; larger looks more at unlikely tokens.",
        },
    ]
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "lwf",
        label: "LwF",
        about: "Learning without forgetting: on the new inputs, answer as before the task. Keeps no example.",
        formula: "loss = CE(current) + weight * T^2 * KL( softmax(old logits / T) || softmax(logits / T) )",
        replays: false,
        source: "Li and Hoiem, arXiv 1606.09282",
        standing: Standing::Continual,
        knobs,
        presets: Vec::new,
        prompt_length: no_prompt,
        make: |setup| {
            let (weight, temperature) = (setup.knobs.number("weight"), setup.knobs.number("temperature"));
            Ok(Box::new(Lwf { adapter: setup.adapter, teacher: None, weight, temperature }))
        },
    }
}
