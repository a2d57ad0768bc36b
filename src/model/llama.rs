//! The decoder, top to bottom: Llama (Touvron et al., arXiv 2302.13971) with the variations of its family.
//!
//! Llama 1-3, Mistral, SmolLM, Qwen2/2.5 (bias on q, k, v) and Qwen3 (normalised queries and keys), with tied or untied head.
//! Names are those of the Hugging Face files. The base is frozen; an adapter comes as an argument of the pass.

use super::adapter::{AdapterVars, Group};
use super::config::ModelConfig;
use super::loader::TensorSource;
use super::soft_prompt::{Choice, SoftPrompt};
use super::{ModelError, Projection};
use crate::data::batch::Batch;
use crate::kernels::{self, AttentionShape};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};

/// Rows may be padded beyond the longest sequence to a multiple of at most this many tokens.
pub const MOST_PAD_MULTIPLE: usize = 128;

/// What a caller may choose when a model is put on a device.
#[derive(Clone, Copy, Debug)]
pub struct LlamaOptions {
    /// Longest sequence that will be asked for, prompts and generated text together.
    pub max_seq: usize,
    /// Largest buffer one kernel may bind, in bytes; longer embeddings and heads are held in chunks of rows.
    pub max_binding_bytes: usize,
}

/// One linear layer: `weight [in, out]`, transposed from the file's `[out, in]`, and an optional bias `[out]`.
#[derive(Clone, Debug)]
pub(super) struct Linear {
    pub(super) weight: Tensor<2>,
    pub(super) bias: Option<Tensor<1>>,
}

/// One block. Projections that read the same input are one matrix.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) input_layernorm: Tensor<1>,
    pub(super) qkv: Linear,
    pub(super) query_key_norm: Option<(Tensor<1>, Tensor<1>)>,
    pub(super) o: Linear,
    pub(super) post_attention_layernorm: Tensor<1>,
    pub(super) gate_up: Linear,
    pub(super) down: Linear,
}

/// A model on a device.
#[derive(Clone, Debug)]
pub struct Llama {
    pub config: ModelConfig,
    pub(super) device: Device,
    /// `embed_tokens` in chunks of rows, `[chunk, hidden_size]` each.
    pub(super) embed_tokens: Vec<Tensor<2>>,
    /// `lm_head` likewise; `None` when it is tied to the embedding.
    pub(super) lm_head: Option<Vec<Tensor<2>>>,
    pub(super) layers: Vec<Layer>,
    pub(super) norm: Tensor<1>,
    /// Cosines and sines of the rotary positions, `[max_seq + MOST_PAD_MULTIPLE, head_dim]`.
    pub(super) rope_table: Tensor<2>,
    pub(super) max_seq: usize,
}

/// What a pass through the blocks gives; with [`Pass::rows`] at those positions alone.
#[derive(Clone, Debug)]
pub struct Hidden {
    /// Hidden state after the last norm, `[batch * seq, hidden_size]`.
    pub last: Tensor<2>,
    /// With `keep_layers`: as Hugging Face's `hidden_states`, the embedding output, then the output of every block but the
    /// last, then [`Hidden::last`]: `num_hidden_layers + 1` tensors.
    pub layers: Vec<Tensor<2>>,
    /// Which vectors of a pool stood in front of each row, for passes with such a prompt.
    pub choice: Option<Choice>,
}

/// How a pass is made.
#[derive(Clone, Copy, Debug, Default)]
pub struct Pass<'a> {
    pub adapter: Option<&'a AdapterVars>,
    /// Learned vectors in front of every row. The hidden states that come back are those of the tokens alone.
    pub prompt: Option<&'a SoftPrompt>,
    /// Apply the adapter's dropout (training).
    pub dropout: bool,
    pub keep_layers: bool,
    /// Only these flat positions `row * seq + t` are asked for: [`Hidden`] holds their rows alone, `[rows, hidden_size]`, and the
    /// last block's second half is computed at them alone. Ascending; as many for each adapter that shares the batch.
    pub rows: Option<&'a [u32]>,
}

impl<'a> Pass<'a> {
    /// A pass with an adapter or without, and nothing else.
    #[must_use]
    pub fn of(adapter: Option<&'a AdapterVars>) -> Self {
        Self { adapter, ..Self::default() }
    }
}

/// What is laid over the frozen base: low-rank updates, learned prompt vectors, both, or nothing.
#[derive(Clone, Debug, Default)]
pub struct Overlay {
    pub adapter: Option<AdapterVars>,
    pub prompt: Option<SoftPrompt>,
}

impl Overlay {
    /// A pass with this overlay, without dropout.
    #[must_use]
    pub fn pass(&self) -> Pass<'_> {
        Pass { adapter: self.adapter.as_ref(), prompt: self.prompt.as_ref(), ..Pass::default() }
    }
}

impl From<AdapterVars> for Overlay {
    fn from(adapter: AdapterVars) -> Self {
        Self { adapter: Some(adapter), prompt: None }
    }
}

impl From<SoftPrompt> for Overlay {
    fn from(prompt: SoftPrompt) -> Self {
        Self { adapter: None, prompt: Some(prompt) }
    }
}

impl Llama {
    /// Loads the weights one tensor after the other; the peak above the model itself is one group of a layer.
    ///
    /// # Errors
    /// What `source` reports, or an embedding row that does not fit a binding of the device.
    pub fn load(
        config: &ModelConfig,
        source: &mut dyn TensorSource,
        device: &Device,
        options: LlamaOptions,
    ) -> Result<Self, ModelError> {
        let d = config.hidden_size;
        let vector = |source: &mut dyn TensorSource, name: &str| -> Result<Tensor<1>, ModelError> {
            let values = source.read_f32(name)?;
            let length = values.len();
            Ok(Tensor::from_data(TensorData::new(values, [length]), device))
        };
        let embed_tokens = chunked(source.read_f32("model.embed_tokens.weight")?, d, device, options)?;
        let mut layers = Vec::with_capacity(config.num_hidden_layers);
        for layer in 0..config.num_hidden_layers {
            let prefix = format!("model.layers.{layer}");
            let mut linear = |group: Group| read_linear(config, source, &prefix, group, device);
            let (qkv, o) = (linear(Group::QueryKeyValue)?, linear(Group::Output)?);
            let (gate_up, down) = (linear(Group::GateUp)?, linear(Group::Down)?);
            let query_key_norm = if config.qk_norm {
                Some((
                    vector(source, &format!("{prefix}.self_attn.q_norm.weight"))?,
                    vector(source, &format!("{prefix}.self_attn.k_norm.weight"))?,
                ))
            } else {
                None
            };
            layers.push(Layer {
                input_layernorm: vector(source, &format!("{prefix}.input_layernorm.weight"))?,
                qkv,
                query_key_norm,
                o,
                post_attention_layernorm: vector(source, &format!("{prefix}.post_attention_layernorm.weight"))?,
                gate_up,
                down,
            });
        }
        let norm = vector(source, "model.norm.weight")?;
        let lm_head = if config.tie_word_embeddings {
            None
        } else {
            Some(chunked(source.read_f32("lm_head.weight")?, d, device, options)?)
        };
        Ok(Self {
            config: config.clone(),
            device: device.clone(),
            embed_tokens,
            lm_head,
            layers,
            norm,
            rope_table: rope_table(config, options.max_seq + MOST_PAD_MULTIPLE, device),
            max_seq: options.max_seq,
        })
    }

    /// The device the weights are on, without gradients.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Longest sequence, pads not counted.
    #[must_use]
    pub fn max_seq(&self) -> usize {
        self.max_seq
    }

    /// Looks up the embeddings of token ids; result `[tokens.len(), hidden_size]`.
    #[must_use]
    pub fn embed(&self, tokens: &[u32]) -> Tensor<2> {
        let mut first = 0_usize;
        let mut sum: Option<Tensor<2>> = None;
        for chunk in &self.embed_tokens {
            let rows = chunk.dims()[0];
            let inside = |token: u32| (token as usize).checked_sub(first).filter(|index| *index < rows);
            let indices: Vec<i32> =
                tokens.iter().map(|&t| i32::try_from(inside(t).unwrap_or(0)).unwrap_or(0)).collect();
            let mut part = chunk.clone().select(0, int_tensor(indices, &self.device));
            if self.embed_tokens.len() > 1 {
                let mask: Vec<f32> = tokens.iter().map(|&t| f32::from(u8::from(inside(t).is_some()))).collect();
                let mask = Tensor::<1>::from_data(TensorData::new(mask, [tokens.len()]), &self.device);
                part = part * mask.reshape([tokens.len(), 1]);
            }
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
            first += rows;
        }
        sum.unwrap_or_else(|| Tensor::zeros([tokens.len(), self.config.hidden_size], &self.device))
    }

    /// Runs a batch through all blocks.
    ///
    /// # Panics
    /// When the batch is longer than [`Llama::max_seq`] and its padding: callers cut their texts before.
    #[must_use]
    pub fn forward(&self, batch: &Batch, pass: Pass<'_>) -> Hidden {
        let x = self.embed(&batch.tokens);
        let Some(prompt) = pass.prompt else { return self.forward_embedded(x, batch.batch, batch.seq, pass) };
        let (length, d) = (prompt.length(), self.config.hidden_size);
        let (x, choice) = prompt.prepend(x, &asking(batch), batch.seq);
        let whole = self.forward_embedded(x, batch.batch, length + batch.seq, Pass { rows: None, ..pass });
        // Behind the blocks the vectors have done their work: what comes back has the batch's own shape.
        let tokens_only = |hidden: Tensor<2>| {
            let rows = hidden.reshape([batch.batch, length + batch.seq, d]);
            let tokens = rows.slice([0..batch.batch, length..length + batch.seq, 0..d]);
            self.asked(&tokens.reshape([batch.batch * batch.seq, d]), pass)
        };
        Hidden { last: tokens_only(whole.last), layers: whole.layers.into_iter().map(tokens_only).collect(), choice }
    }

    /// As [`Llama::forward`] from embeddings `[batch * seq, hidden_size]`; `pass.prompt` is not looked at.
    fn forward_embedded(&self, x: Tensor<2>, batch: usize, seq: usize, pass: Pass<'_>) -> Hidden {
        assert!(seq < self.max_seq + MOST_PAD_MULTIPLE, "a sequence of {seq} tokens, but the most is {}", self.max_seq);
        let shape = self.attention_shape(batch, seq);
        let mut x = x;
        let mut layers = Vec::new();
        for (index, layer) in self.layers.iter().enumerate() {
            if pass.keep_layers {
                layers.push(self.asked(&x, pass));
            }
            let qkv = self.query_key_value(layer, index, x.clone(), pass);
            let mut context = kernels::attention(qkv, self.rope_table.clone(), shape);
            if index + 1 == self.layers.len() {
                // No other position is looked at any more.
                (x, context) = (self.asked(&x, pass), self.asked(&context, pass));
            }
            x = x + apply(&layer.o, context, index, Group::Output, pass);
            x = self.feed_forward(layer, index, x, pass);
        }
        let last = kernels::rms_norm(x, self.norm.clone(), self.eps());
        if pass.keep_layers {
            layers.push(last.clone());
        }
        Hidden { last, layers, choice: None }
    }

    /// The rows that the pass asks for; all of them when it does not say.
    fn asked(&self, hidden: &Tensor<2>, pass: Pass<'_>) -> Tensor<2> {
        match pass.rows {
            Some(positions) => self.rows(hidden.clone(), positions),
            None => hidden.clone(),
        }
    }

    /// Sizes of the attention of a batch.
    pub(super) fn attention_shape(&self, batch: usize, seq: usize) -> AttentionShape {
        AttentionShape {
            batch,
            seq,
            heads: self.config.num_attention_heads,
            kv_heads: self.config.num_key_value_heads,
            head_dim: self.config.head_dim,
        }
    }

    #[allow(clippy::cast_possible_truncation)] // an epsilon near 1e-5
    pub(super) fn eps(&self) -> f32 {
        self.config.rms_norm_eps as f32
    }

    /// Normalises the input of the attention and projects it to queries, keys and values, `[n, qkv_columns]`.
    pub(super) fn query_key_value(&self, layer: &Layer, index: usize, x: Tensor<2>, pass: Pass<'_>) -> Tensor<2> {
        let h = kernels::rms_norm(x, layer.input_layernorm.clone(), self.eps());
        let qkv = apply(&layer.qkv, h, index, Group::QueryKeyValue, pass);
        let Some((q_norm, k_norm)) = &layer.query_key_norm else { return qkv };
        // Qwen3: queries and keys are normalised head by head before the rotation.
        let [n, columns] = qkv.dims();
        let (q, k, dim) = (self.config.query_size(), self.config.key_value_size(), self.config.head_dim);
        let norm = |from: usize, to: usize, weight: &Tensor<1>| {
            let heads = qkv.clone().slice([0..n, from..to]).reshape([n * (to - from) / dim, dim]);
            kernels::rms_norm(heads, weight.clone(), self.eps()).reshape([n, to - from])
        };
        Tensor::cat(vec![norm(0, q, q_norm), norm(q, q + k, k_norm), qkv.clone().slice([0..n, q + k..columns])], 1)
    }

    /// The second half of a block: normalise, gate, project down, add.
    pub(super) fn feed_forward(&self, layer: &Layer, index: usize, x: Tensor<2>, pass: Pass<'_>) -> Tensor<2> {
        let h = kernels::rms_norm(x.clone(), layer.post_attention_layernorm.clone(), self.eps());
        let gated = kernels::swiglu(apply(&layer.gate_up, h, index, Group::GateUp, pass));
        x + apply(&layer.down, gated, index, Group::Down, pass)
    }
}

/// How many tokens of each row stand before its answer: what a pool of prompts is asked with, in training as at test, where the
/// answer is not there yet.
fn asking(batch: &Batch) -> Vec<usize> {
    let mut asking = batch.lengths.clone();
    for (&position, &row) in batch.target_positions.iter().zip(&batch.target_rows) {
        let first_of_answer = position as usize % batch.seq + 1;
        if let Some(asking) = asking.get_mut(row as usize) {
            *asking = (*asking).min(first_of_answer);
        }
    }
    asking
}

/// A linear layer with the adapter of its group, if it has one.
pub(super) fn apply(linear: &Linear, x: Tensor<2>, layer: usize, group: Group, pass: Pass<'_>) -> Tensor<2> {
    let y = match pass.adapter.and_then(|adapter| adapter.group(layer, group).map(|vars| (adapter, vars))) {
        None => x.matmul(linear.weight.clone()),
        Some((adapter, vars)) if pass.dropout && adapter.dropout() > 0.0 => {
            // Dropout falls on the LoRA input only, so the two products no longer share their input. The projections of a group
            // share one mask, where PEFT draws one for each.
            let keep = 1.0 - adapter.dropout();
            let mask = x.random_like(Distribution::Bernoulli(keep)).without_autodiff().div_scalar(keep);
            let ([n, d], blocks) = (x.dims(), adapter.adapters());
            let low = (x.clone() * mask).reshape([blocks, n / blocks, d]).matmul(vars.a.clone().swap_dims(1, 2));
            let low = low.matmul(vars.b.clone().swap_dims(1, 2));
            x.matmul(linear.weight.clone()) + low.reshape([n, linear.weight.dims()[1]])
        }
        Some((_, vars)) => kernels::lora_linear(x, linear.weight.clone(), vars.a.clone(), vars.b.clone()),
    };
    match &linear.bias {
        Some(bias) => y + bias.clone().reshape([1, linear.weight.dims()[1]]),
        None => y,
    }
}

/// Integer indices on a device.
pub(super) fn int_tensor(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let length = values.len();
    Tensor::from_data(TensorData::new(values, [length]), device)
}

/// Reads the projections of a group and joins them, `[in, out_1 + out_2 + …]`.
fn read_linear(
    config: &ModelConfig,
    source: &mut dyn TensorSource,
    prefix: &str,
    group: Group,
    device: &Device,
) -> Result<Linear, ModelError> {
    let total: usize = group.members().iter().map(|&projection| config.projection_shape(projection)[0]).sum();
    let inner = group.members().first().map_or(0, |&projection| config.projection_shape(projection)[1]);
    let mut weight = vec![0.0; inner * total];
    let mut bias = vec![0.0; total];
    let mut has_bias = false;
    let mut offset = 0;
    for &projection in group.members() {
        let [out, _] = config.projection_shape(projection);
        let name = module_name(prefix, projection);
        let values = source.read_f32(&format!("{name}.weight"))?;
        for (column, row) in values.chunks_exact(inner).enumerate() {
            for (i, value) in row.iter().enumerate() {
                weight[i * total + offset + column] = *value;
            }
        }
        if config.has_bias(projection) {
            has_bias = true;
            bias[offset..offset + out].copy_from_slice(&source.read_f32(&format!("{name}.bias"))?);
        }
        offset += out;
    }
    let weight = Tensor::from_data(TensorData::new(weight, [inner, total]), device);
    let bias = has_bias.then(|| Tensor::from_data(TensorData::new(bias, [total]), device));
    Ok(Linear { weight, bias })
}

/// Hugging Face module name of a projection, such as `model.layers.0.self_attn.q_proj`.
fn module_name(prefix: &str, projection: Projection) -> String {
    format!("{prefix}.{}.{}", projection.parent(), projection.name())
}

/// Puts `[rows, width]` on the device in as few chunks of rows as the binding limit allows. The values move when one chunk
/// holds them all: an embedding is the largest tensor of a small model, and a copy of it would be the peak of loading.
fn chunked(
    values: Vec<f32>,
    width: usize,
    device: &Device,
    options: LlamaOptions,
) -> Result<Vec<Tensor<2>>, ModelError> {
    let row_bytes = width * size_of::<f32>();
    if row_bytes > options.max_binding_bytes {
        return Err(ModelError::Device(format!(
            "one embedding row takes {row_bytes} bytes but the device binds at most {}: choose another device",
            options.max_binding_bytes
        )));
    }
    let total = values.len() / width;
    let chunks = total.div_ceil(options.max_binding_bytes / row_bytes).max(1);
    if chunks == 1 {
        return Ok(vec![Tensor::from_data(TensorData::new(values, [total, width]), device)]);
    }
    let rows = total.div_ceil(chunks); // equal chunks
    Ok(values
        .chunks(rows * width)
        .map(|chunk| Tensor::from_data(TensorData::new(chunk.to_vec(), [chunk.len() / width, width]), device))
        .collect())
}

/// Cosines, then sines, of every position and frequency: `[max_seq, head_dim]`.
#[allow(clippy::cast_precision_loss)] // positions are far below 2^24
fn rope_table(config: &ModelConfig, max_seq: usize, device: &Device) -> Tensor<2> {
    let frequencies = config.inverse_frequencies();
    let mut table = Vec::with_capacity(max_seq * config.head_dim);
    for position in 0..max_seq {
        let angles = || frequencies.iter().map(|frequency| position as f32 * frequency);
        table.extend(angles().map(f32::cos));
        table.extend(angles().map(f32::sin));
    }
    Tensor::from_data(TensorData::new(table, [max_seq, config.head_dim]), device)
}
