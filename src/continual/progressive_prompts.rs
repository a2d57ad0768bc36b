//! Progressive prompts: each task learns a prompt of its own, which is put before the frozen prompts of the earlier tasks
//! (Razdaibiedina et al., "Progressive Prompts: Continual Learning for Language Models", arXiv 2301.12314), with the base model
//! frozen and no adapter.
//!
//! ```text
//! prompt = P + W2 relu(W1 P + b1) + b2        P [length, hidden_size], through a residual MLP that only training needs
//! input  = [prompt of this task, prompt of the task before, ..., prompt of the first task, tokens]
//! ```
//!
//! An example is tested with the prompts up to its own task, so the task has to be told; a task that comes later is tested with
//! all prompts so far. The order is that of spec section 5. The authors' MLP may end in a layer norm; here it does not, since
//! the norm's unit scale drowns prompts that begin as embeddings.

use super::knobs::{Knob, KnobKind};
use super::l2p::random_embeddings;
use super::{
    Learner, Learnt, Method, MethodEntry, MethodError, Reading, Standing, StepContext, StepGradient, TaskStart,
    put_list, take_list,
};
use crate::model::{Llama, Pass, SoftPrompt, Targets};
use burn::tensor::{Tensor, TensorData, activation};
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::ops::Range;

/// Where the parts lie in the flat vector of trained values.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// Vectors in a prompt.
    pub length: usize,
    pub hidden_size: usize,
    /// Width of the MLP; 0 trains the prompt itself.
    pub bottleneck: usize,
}

impl Shape {
    /// Ranges of `P [length, hidden_size]`, `W1 [hidden_size, bottleneck]`, `b1`, `W2 [bottleneck, hidden_size]` and `b2`.
    fn parts(self) -> [Range<usize>; 5] {
        let (d, b) = (self.hidden_size, self.bottleneck);
        let sizes = [self.length * d, d * b, b, b * d, if b > 0 { d } else { 0 }];
        let mut end = 0;
        sizes.map(|size| {
            end += size;
            end - size..end
        })
    }

    /// Number of trained values.
    #[must_use]
    pub fn size(self) -> usize {
        self.parts()[4].end
    }

    /// The prompt that the values make, `[length, hidden_size]`; on the tape when they are.
    #[must_use]
    pub fn prompt(self, flat: &Tensor<1>) -> Tensor<2> {
        let [prompt, w1, b1, w2, b2] = self.parts();
        let (d, b) = (self.hidden_size, self.bottleneck);
        let prompt = flat.clone().slice([prompt]).reshape([self.length, d]);
        if b == 0 {
            return prompt;
        }
        let matrix =
            |range: Range<usize>, rows: usize, columns: usize| flat.clone().slice([range]).reshape([rows, columns]);
        let inner = activation::relu(prompt.clone().matmul(matrix(w1, d, b)) + matrix(b1, 1, b));
        prompt + inner.matmul(matrix(w2, b, d)) + matrix(b2, 1, d)
    }

    /// Values to begin a task with: embeddings of random tokens, and an MLP as PyTorch's `Linear` begins.
    #[allow(clippy::cast_precision_loss)] // widths are far below 2^24
    fn fresh(self, model: &Llama, rng: &mut ChaCha8Rng) -> Tensor<1> {
        let (d, b) = (self.hidden_size, self.bottleneck);
        let prompt = random_embeddings(model, self.length, rng).reshape([self.length * d]);
        let mut uniform = |count: usize, inputs: usize| {
            let bound = 1.0 / (inputs.max(1) as f32).sqrt();
            (0..count).map(|_| rng.random_range(-bound..bound)).collect::<Vec<f32>>()
        };
        if b == 0 {
            return prompt;
        }
        let mut mlp = uniform(d * b, d);
        mlp.extend(uniform(b, d));
        mlp.extend(uniform(b * d, b));
        mlp.extend(uniform(d, b));
        let length = mlp.len();
        Tensor::cat(vec![prompt, Tensor::from_data(TensorData::new(mlp, [length]), model.device())], 0)
    }
}

/// The prompt of the present task in its trained form, and those of the tasks before it.
struct ProgressivePrompts {
    shape: Shape,
    flat: Tensor<1>,
    /// Prompts `[length * hidden_size]` of the tasks learnt, in their order.
    learnt: Vec<Tensor<1>>,
    /// A task is being learnt, so that its prompt counts.
    learning: bool,
}

impl ProgressivePrompts {
    /// The newest prompt first, then the frozen ones backwards in time.
    fn stack(&self, newest: Option<Tensor<2>>, frozen: &[Tensor<1>]) -> Option<SoftPrompt> {
        let tracked = newest.as_ref().is_some_and(Tensor::is_tracked);
        let frozen = frozen.iter().rev().map(|flat| {
            let prompt = flat.clone().reshape([self.shape.length, self.shape.hidden_size]);
            if tracked { prompt.autodiff() } else { prompt }
        });
        let parts: Vec<Tensor<2>> = newest.into_iter().chain(frozen).collect();
        (!parts.is_empty()).then(|| SoftPrompt::Fixed(Tensor::cat(parts, 0)))
    }
}

impl Method for ProgressivePrompts {
    fn starts_over(&self) -> bool {
        true
    }

    fn begin_task(&mut self, start: TaskStart<'_>) -> Result<(), MethodError> {
        if start.task > 0 {
            self.flat = self.shape.fresh(start.model, start.rng);
        }
        self.learning = true;
        Ok(())
    }

    fn parameters(&self) -> Tensor<1> {
        self.flat.clone()
    }

    fn set_parameters(&mut self, parameters: Tensor<1>) {
        self.flat = parameters;
    }

    fn trainable_parameters(&self) -> usize {
        self.shape.size()
    }

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (model, batch) = (context.model, context.current);
        let leaf = self.flat.clone().autodiff().require_grad();
        let prompt = self.stack(Some(self.shape.prompt(&leaf)), &self.learnt);
        let hidden = model.forward(batch, Pass { prompt: prompt.as_ref(), ..Pass::default() });
        let loss = model.cross_entropy(hidden.last, &Targets::mean(batch, 1.0));
        let gradients = loss.surrogate.backward();
        let gradient = leaf.grad(&gradients).unwrap_or_else(|| self.flat.zeros_like());
        Ok(StepGradient::new(gradient, vec![("total", loss.value)]))
    }

    fn end_task(&mut self, _task: usize, _model: &Llama) {
        // Only the prompt is kept; the MLP has done its work.
        let prompt = self.shape.prompt(&self.flat);
        self.learnt.push(prompt.reshape([self.shape.length * self.shape.hidden_size]));
        self.learning = false;
    }

    fn learners(&self, task: usize) -> Vec<Learner> {
        let known = self.learnt.len();
        let prompt = if task < known {
            self.stack(None, &self.learnt[..=task])
        } else {
            self.stack(self.learning.then(|| self.shape.prompt(&self.flat)), &self.learnt)
        };
        vec![Learner::model(prompt.map_or(Learnt::Base, Learnt::Prompt))]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        let mut state = put_list("learnt", self.learnt.iter().cloned());
        if self.learning {
            state.insert("learning".into(), Tensor::ones([1], &self.flat.device()));
        }
        state
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        let like = self.flat.clone().slice([0..self.shape.length * self.shape.hidden_size]);
        self.learnt = take_list(state, "learnt", &like)?;
        self.learning = state.contains_key("learning");
        Ok(())
    }

    #[allow(clippy::cast_precision_loss)] // a few tasks
    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        let vectors = (self.learnt.len() + 1) * self.shape.length;
        vec![("prompt_vectors", Reading::Value(vectors as f64))]
    }
}

/// The method's settings.
fn knobs() -> Vec<Knob> {
    vec![
        Knob {
            name: "length",
            kind: KnobKind::Number { min: 1.0, max: 200.0 },
            default: "20",
            about: "Vectors in each task's prompt; all tasks' prompts stand before an example.",
        },
        Knob {
            name: "bottleneck",
            kind: KnobKind::Number { min: 0.0, max: 4096.0 },
            default: "128",
            about: "Width of the residual MLP that the prompt is trained through; 0 trains the prompt itself.",
        },
    ]
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "pp",
        label: "PP",
        about: "Progressive prompts: each task learns a prompt that is put before the frozen ones of earlier tasks; no adapter.",
        formula: concat!(
            "prompt = P + W2 relu(W1 P + b1) + b2\n",
            "input  = [prompt of this task, ..., prompt of the first task, tokens]",
        ),
        replays: false,
        source: "Razdaibiedina et al., arXiv 2301.12314",
        standing: Standing::TaskAware,
        knobs,
        presets: Vec::new,
        prompt_length: |knobs, tasks| knobs.count("length") * tasks,
        make: |setup| {
            let shape = Shape {
                length: setup.knobs.count("length"),
                hidden_size: setup.model.config.hidden_size,
                bottleneck: setup.knobs.count("bottleneck"),
            };
            let flat = shape.fresh(setup.model, setup.rng);
            Ok(Box::new(ProgressivePrompts { shape, flat, learnt: Vec::new(), learning: false }))
        },
    }
}
