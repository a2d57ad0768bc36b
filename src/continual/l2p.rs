//! L2P: a pool of prompts, of which every input takes those nearest to it (Wang et al., "Learning to Prompt for Continual
//! Learning", arXiv 2112.08654), with the base model frozen and no adapter.
//!
//! ```text
//! query  = mean of the token embeddings before the answer   key of a prompt = mean of its vectors
//! prefix = the top_k prompts by cosine similarity, the nearest first
//! loss   = CE([prefix, input]) - pull * mean cosine similarity of the queries and their keys
//! ```
//!
//! Queries and keys are those of spec section 5; the paper's own keys are learned apart and its query is a frozen encoder's
//! class token, which a decoder does not have. Which prompts an input takes says which task it looks like, so the task need
//! not be told. (In the released code the prompts stop being parameters when they are moved to the GPU, and stay untrained.)

use super::knobs::{Knob, KnobKind};
use super::{Learner, Learnt, Method, MethodEntry, MethodError, Reading, Standing, StepContext, StepGradient, take};
use crate::model::{Llama, Pass, SoftPrompt, Targets};
use burn::tensor::Tensor;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;

/// The pool, as one flat vector `[pool * length * hidden_size]`.
struct L2p {
    flat: Tensor<1>,
    pool: usize,
    length: usize,
    hidden_size: usize,
    top_k: usize,
    pull: f64,
    /// How many rows have taken each prompt in training, `[pool]`.
    taken: Tensor<1>,
}

/// Embeddings of randomly drawn tokens: prompts that begin among the vectors that the model knows.
pub(super) fn random_embeddings(model: &Llama, count: usize, rng: &mut ChaCha8Rng) -> Tensor<2> {
    let vocab = u32::try_from(model.config.vocab_size).unwrap_or(u32::MAX);
    let tokens: Vec<u32> = (0..count).map(|_| rng.random_range(0..vocab)).collect();
    model.embed(&tokens)
}

impl L2p {
    fn prompt(&self, flat: &Tensor<1>) -> SoftPrompt {
        let prompts = flat.clone().reshape([self.pool, self.length, self.hidden_size]);
        SoftPrompt::Pool { prompts, top_k: self.top_k }
    }
}

impl Method for L2p {
    fn parameters(&self) -> Tensor<1> {
        self.flat.clone()
    }

    fn set_parameters(&mut self, parameters: Tensor<1>) {
        self.flat = parameters;
    }

    fn trainable_parameters(&self) -> usize {
        self.flat.dims()[0]
    }

    fn gradient(&mut self, context: &StepContext<'_>) -> Result<StepGradient, MethodError> {
        let (model, batch) = (context.model, context.current);
        let leaf = self.flat.clone().autodiff().require_grad();
        let prompt = self.prompt(&leaf);
        let hidden = model.forward(batch, Pass { prompt: Some(&prompt), ..Pass::default() });
        let loss = model.cross_entropy(hidden.last, &Targets::mean(batch, 1.0));
        let (mut surrogate, mut total) = (loss.surrogate, loss.value.clone());
        let mut terms = vec![("task", loss.value)];
        if let Some(choice) = hidden.choice {
            let similarity = choice.similarity.clone().without_autodiff();
            self.taken = self.taken.clone() + choice.counts;
            total = total - similarity.clone().mul_scalar(self.pull);
            surrogate = surrogate - choice.similarity.mul_scalar(self.pull);
            terms.push(("similarity", similarity));
        }
        terms.insert(0, ("total", total));
        let gradients = surrogate.backward();
        let gradient = leaf.grad(&gradients).unwrap_or_else(|| self.flat.zeros_like());
        Ok(StepGradient::new(gradient, terms))
    }

    fn learners(&self, _task: usize) -> Vec<Learner> {
        vec![Learner::model(Learnt::Prompt(self.prompt(&self.flat)))]
    }

    fn state(&self) -> BTreeMap<String, Tensor<1>> {
        BTreeMap::from([("taken".into(), self.taken.clone())])
    }

    fn restore(&mut self, state: &BTreeMap<String, Tensor<1>>) -> Result<(), MethodError> {
        self.taken = take(state, "taken", &self.taken)?;
        Ok(())
    }

    fn diagnostics(&self) -> Vec<(&'static str, Reading)> {
        let used = self.taken.clone().greater_elem(0.0).float().sum();
        let most = self.taken.clone().max() / self.taken.clone().sum().clamp_min(1.0);
        vec![("prompts_used", Reading::OnDevice(used)), ("share_of_favourite_prompt", Reading::OnDevice(most))]
    }
}

/// The method's settings.
fn knobs() -> Vec<Knob> {
    vec![
        Knob {
            name: "pool",
            kind: KnobKind::Number { min: 1.0, max: 1000.0 },
            default: "10",
            about: "Number of prompts.",
        },
        Knob {
            name: "length",
            kind: KnobKind::Number { min: 1.0, max: 100.0 },
            default: "5",
            about: "Vectors in each prompt.",
        },
        Knob {
            name: "top_k",
            kind: KnobKind::Number { min: 1.0, max: 20.0 },
            default: "3",
            about: "Prompts that every input takes.",
        },
        Knob {
            name: "pull",
            kind: KnobKind::Number { min: 0.0, max: 100.0 },
            default: "0.5",
            about: "Weight of the similarity that draws the keys of taken prompts to the inputs.",
        },
    ]
}

/// The register's line.
#[must_use]
pub fn entry() -> MethodEntry {
    MethodEntry {
        name: "l2p",
        label: "L2P",
        about: "Learning to prompt: a pool of prompts, of which every input takes the nearest; no adapter.",
        formula: concat!(
            "query  = mean of the token embeddings before the answer\n",
            "prefix = the top_k prompts by cosine similarity, the nearest first\n",
            "loss   = CE([prefix, input]) - pull * mean cosine similarity of queries and keys",
        ),
        replays: false,
        source: "Wang et al., arXiv 2112.08654",
        standing: Standing::Continual,
        knobs,
        presets: Vec::new,
        prompt_length: |knobs, _| knobs.count("top_k").min(knobs.count("pool")) * knobs.count("length"),
        make: |setup| {
            let (pool, length) = (setup.knobs.count("pool"), setup.knobs.count("length"));
            let hidden_size = setup.model.config.hidden_size;
            let flat = random_embeddings(setup.model, pool * length, setup.rng).reshape([pool * length * hidden_size]);
            let (top_k, pull) = (setup.knobs.count("top_k"), setup.knobs.number("pull"));
            let taken = Tensor::zeros([pool], setup.model.device());
            Ok(Box::new(L2p { flat, pool, length, hidden_size, top_k, pull, taken }))
        },
    }
}
