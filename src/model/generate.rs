//! Generating text with a key-value cache: greedy, or sampled with temperature, top-k and top-p.
//!
//! Prompts of different lengths share a batch: they are padded on the right, new tokens go behind the longest prompt, and each
//! row sees its own prompt, none of the pads, and what it wrote itself.

use super::ModelError;
use super::SoftPrompt;
use super::adapter::Group;
use super::cross_entropy::combine;
use super::llama::{Llama, Pass, apply};
use crate::kernels;
use burn::tensor::{Tensor, TensorData, activation};
use rand::{Rng, RngExt};

/// How the next token is chosen, and when a row ends.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// 0 takes the most likely token.
    pub temperature: f32,
    /// Keep the `top_k` most likely tokens; 0 keeps all.
    pub top_k: usize,
    /// Keep the smallest set of tokens whose probabilities reach `top_p`.
    pub top_p: f32,
    pub max_new_tokens: usize,
    /// A row ends when it writes one of these (which is not part of its text).
    pub stop_tokens: Vec<u32>,
}

impl Sampling {
    /// The most likely token each time.
    #[must_use]
    pub fn greedy(max_new_tokens: usize, stop_tokens: Vec<u32>) -> Self {
        Self { temperature: 0.0, top_k: 0, top_p: 1.0, max_new_tokens, stop_tokens }
    }
}

/// A batch of prompts being continued, one token a step.
pub struct Generation<'a> {
    model: &'a Llama,
    pass: Pass<'a>,
    /// Positions that each row's prompt takes, learned vectors included.
    lengths: Vec<usize>,
    prompt_seq: usize,
    written: usize,
    capacity: usize,
    /// Keys and values of each layer, `[batch * kv_heads, capacity, head_dim]`.
    cache: Vec<(Tensor<3>, Tensor<3>)>,
    /// Logits of each row's next token, `[batch, vocab_size]`.
    logits: Tensor<2>,
}

impl<'a> Generation<'a> {
    /// Reads the prompts (none empty) under what `pass` lays over the base, and makes room for `max_new_tokens` more.
    ///
    /// # Errors
    /// An empty prompt, or prompts and answer longer than the model's rotary table.
    pub fn start(
        model: &'a Llama,
        pass: Pass<'a>,
        prompts: &[Vec<u32>],
        max_new_tokens: usize,
    ) -> Result<Self, ModelError> {
        let batch = prompts.len();
        let longest = prompts.iter().map(Vec::len).max().unwrap_or(0);
        let learned = pass.prompt.map_or(0, SoftPrompt::length);
        let prompt_seq = learned + longest;
        if prompts.iter().any(Vec::is_empty) || batch == 0 {
            return Err(ModelError::Device("cannot continue an empty prompt: give at least one token".into()));
        }
        let capacity = prompt_seq + max_new_tokens;
        if capacity > model.max_seq {
            return Err(ModelError::Device(format!(
                "a prompt of {prompt_seq} tokens and {max_new_tokens} new ones exceed the {} positions prepared: shorten the prompt or ask for fewer",
                model.max_seq
            )));
        }
        let mut tokens = vec![0; batch * longest];
        for (row, prompt) in tokens.chunks_exact_mut(longest).zip(prompts) {
            row[..prompt.len()].copy_from_slice(prompt);
        }
        let pass = Pass { dropout: false, keep_layers: false, rows: None, ..pass };
        let shape = model.attention_shape(batch, prompt_seq);
        let heads = batch * shape.kv_heads;
        let mut x = model.embed(&tokens);
        if let Some(prompt) = pass.prompt {
            let lengths: Vec<usize> = prompts.iter().map(Vec::len).collect();
            x = prompt.prepend(x, &lengths, longest).0;
        }
        let ends: Vec<u32> = prompts
            .iter()
            .enumerate()
            .map(|(row, prompt)| u32::try_from(row * prompt_seq + learned + prompt.len() - 1).unwrap_or(0))
            .collect();
        let mut cache = Vec::with_capacity(model.layers.len());
        for (index, layer) in model.layers.iter().enumerate() {
            let qkv = model.query_key_value(layer, index, x.clone(), pass);
            let (context, k, v) = kernels::attention_with_cache(qkv, model.rope_table.clone(), shape);
            let room = |from: Tensor<3>| {
                let room = Tensor::zeros([heads, capacity, shape.head_dim], &model.device);
                room.slice_assign([0..heads, 0..prompt_seq, 0..shape.head_dim], from)
            };
            cache.push((room(k), room(v)));
            let mut context = context;
            if index + 1 == model.layers.len() {
                // Behind the last attention only the places that are continued matter.
                (x, context) = (model.rows(x, &ends), model.rows(context, &ends));
            }
            x = x + apply(&layer.o, context, index, Group::Output, pass);
            x = model.feed_forward(layer, index, x, pass);
        }
        let logits = model.logits(kernels::rms_norm(x, model.norm.clone(), model.eps()));
        let lengths = prompts.iter().map(|prompt| learned + prompt.len()).collect();
        Ok(Self { model, pass, lengths, prompt_seq, written: 0, capacity, cache, logits })
    }

    /// Logits of each row's next token, `[batch, vocab_size]`.
    #[must_use]
    pub fn logits(&self) -> Tensor<2> {
        self.logits.clone()
    }

    /// Repeats every row `times` times, one after the other, so that each copy can be continued differently.
    #[must_use]
    pub fn expand(mut self, times: usize) -> Self {
        let batch = self.lengths.len();
        let kv = self.model.config.num_key_value_heads;
        let (capacity, dim) = (self.capacity, self.model.config.head_dim);
        let repeat = |cache: Tensor<3>| {
            let rows = cache.reshape([batch, 1, kv * capacity * dim]).repeat_dim(1, times);
            rows.reshape([batch * times * kv, capacity, dim])
        };
        self.cache = self.cache.into_iter().map(|(k, v)| (repeat(k), repeat(v))).collect();
        let vocab = self.model.config.vocab_size;
        self.logits = self.logits.reshape([batch, 1, vocab]).repeat_dim(1, times).reshape([batch * times, vocab]);
        self.lengths = self.lengths.iter().flat_map(|&length| std::iter::repeat_n(length, times)).collect();
        self
    }

    /// Negative log-likelihood of one next token for each row, `[batch]`.
    #[must_use]
    pub fn nll(&self, tokens: &[u32]) -> Tensor<1> {
        let ids: Vec<f32> = tokens.iter().map(|&token| token as f32).collect();
        let ids = Tensor::<1>::from_data(TensorData::new(ids, [tokens.len()]), &self.model.device);
        let (normaliser, target) = combine(std::slice::from_ref(&self.logits), &ids, tokens.len());
        normaliser - target
    }

    /// Appends one token to each row; afterwards [`Generation::logits`] is for the one after it.
    pub fn push(&mut self, tokens: &[u32]) {
        let (model, batch) = (self.model, tokens.len());
        let shape = model.attention_shape(batch, 1);
        let (dim, half, kv) = (shape.head_dim, shape.head_dim / 2, shape.kv_heads);
        let slot = self.prompt_seq + self.written;
        let pass = self.pass;
        // Each row stands at its own position; it sees its prompt and what was written after it.
        let positions: Vec<u32> = self.lengths.iter().map(|n| u32::try_from(n + self.written).unwrap_or(0)).collect();
        let angles = model.rows(model.rope_table.clone(), &positions);
        let cos = angles.clone().slice([0..batch, 0..half]).reshape([batch, 1, half]);
        let sin = angles.slice([0..batch, half..dim]).reshape([batch, 1, half]);
        let (capacity, prompt_seq) = (self.capacity, self.prompt_seq);
        let hidden: Vec<f32> = self
            .lengths
            .iter()
            .flat_map(|&n| {
                (0..capacity).map(move |j| if j < n || (j >= prompt_seq && j <= slot) { 0.0 } else { -1.0e9 })
            })
            .collect();
        let mask = Tensor::<1>::from_data(TensorData::new(hidden, [batch * self.capacity]), &model.device)
            .reshape([batch, 1, 1, self.capacity])
            .repeat_dim(1, kv)
            .reshape([batch * kv, 1, self.capacity]);
        let rotate = |x: Tensor<3>, heads: usize| {
            let low = x.clone().slice([0..batch, 0..heads, 0..half]);
            let high = x.slice([0..batch, 0..heads, half..dim]);
            Tensor::cat(
                vec![low.clone() * cos.clone() - high.clone() * sin.clone(), high * cos.clone() + low * sin.clone()],
                2,
            )
        };
        let mut x = model.embed(tokens);
        for (index, layer) in model.layers.iter().enumerate() {
            let qkv = model.query_key_value(layer, index, x.clone(), pass);
            let part = |from: usize, count: usize| {
                qkv.clone().slice([0..batch, from * dim..(from + count) * dim]).reshape([batch, count, dim])
            };
            let q = rotate(part(0, shape.heads), shape.heads).reshape([batch * kv, shape.group(), dim]);
            let k = rotate(part(shape.heads, kv), kv).reshape([batch * kv, 1, dim]);
            let v = part(shape.heads + kv, kv).reshape([batch * kv, 1, dim]);
            let at = [0..batch * kv, slot..slot + 1, 0..dim];
            let (keys, values) = &mut self.cache[index];
            *keys = keys.clone().slice_assign(at.clone(), k);
            *values = values.clone().slice_assign(at, v);
            let scores = q.matmul(keys.clone().swap_dims(1, 2)).mul_scalar(shape.scale()) + mask.clone();
            let context = activation::softmax(scores, 2).matmul(values.clone()).reshape([batch, shape.heads * dim]);
            x = x + apply(&layer.o, context, index, Group::Output, pass);
            x = model.feed_forward(layer, index, x, pass);
        }
        self.written += 1;
        self.logits = model.logits(kernels::rms_norm(x, model.norm.clone(), model.eps()));
    }
}

/// Chooses the next token from one row of logits.
#[must_use]
pub fn choose(logits: &[f32], sampling: &Sampling, rng: &mut impl Rng) -> u32 {
    let id = |index: usize| u32::try_from(index).unwrap_or(0);
    let best =
        logits.iter().enumerate().fold((0, f32::NEG_INFINITY), |best, (i, &v)| if v > best.1 { (i, v) } else { best });
    if sampling.temperature <= 0.0 {
        return id(best.0);
    }
    let mut order: Vec<(usize, f32)> =
        logits.iter().enumerate().map(|(i, &v)| (i, ((v - best.1) / sampling.temperature).exp())).collect();
    order.sort_by(|a, b| b.1.total_cmp(&a.1));
    if sampling.top_k > 0 {
        order.truncate(sampling.top_k);
    }
    let total: f32 = order.iter().map(|(_, p)| p).sum();
    let mut reached = 0.0;
    let kept = order.iter().take_while(|(_, p)| {
        let before = reached;
        reached += p / total;
        before < sampling.top_p
    });
    let kept: Vec<_> = kept.copied().collect();
    let mut draw = rng.random_range(0.0..1.0) * kept.iter().map(|(_, p)| p).sum::<f32>();
    for (index, p) in &kept {
        draw -= p;
        if draw <= 0.0 {
            return id(*index);
        }
    }
    kept.last().map_or(id(best.0), |(index, _)| id(*index))
}
