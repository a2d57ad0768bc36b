//! What a Llama-family model is made of: the sizes and switches of Hugging Face's `config.json`, by their own names.
//!
//! [`ModelConfig::parse`] reads such a file and refuses, by name, everything that this program would compute wrongly;
//! [`ModelConfig::to_json`] writes one that transformers loads; [`expected_tensors`] lists the tensors that belong to it.

mod parse;
mod rope;
mod tensors;

pub(crate) use parse::read_token_ids;
pub use rope::RopeScaling;
pub use tensors::expected_tensors;

use crate::model::ModelError;
use crate::model::lora::Projection;
use serde_json::{Map, Value, json};

/// The architectures that `model/llama.rs` computes, by Hugging Face's `model_type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ModelType {
    /// Llama 1 to 3.x and what shares its code: `SmolLM`, `TinyLlama`, and others.
    Llama,
    /// Mistral without a sliding window.
    Mistral,
    /// Qwen 2 and 2.5: biases on q, k and v.
    Qwen2,
    /// Qwen 3 (dense): a norm over each head of q and k.
    Qwen3,
}

impl ModelType {
    /// All of them, in the order in which error messages list them.
    pub const ALL: [Self; 4] = [Self::Llama, Self::Mistral, Self::Qwen2, Self::Qwen3];

    /// The value of `model_type` in config.json.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
        }
    }

    /// The class that transformers instantiates for it.
    #[must_use]
    pub fn architecture(self) -> &'static str {
        match self {
            Self::Llama => "LlamaForCausalLM",
            Self::Mistral => "MistralForCausalLM",
            Self::Qwen2 => "Qwen2ForCausalLM",
            Self::Qwen3 => "Qwen3ForCausalLM",
        }
    }
}

/// Sizes and switches of a model. Field names are those of config.json.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::struct_excessive_bools)] // they are config.json's own switches
pub struct ModelConfig {
    pub model_type: ModelType,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub intermediate_size: usize,
    pub num_hidden_layers: usize,
    pub num_attention_heads: usize,
    /// Heads of keys and values; each serves `num_attention_heads / num_key_value_heads` query heads.
    pub num_key_value_heads: usize,
    pub head_dim: usize,
    pub max_position_embeddings: usize,
    pub rms_norm_eps: f64,
    pub rope_theta: f64,
    pub rope_scaling: Option<RopeScaling>,
    /// The head is the embedding's own matrix.
    pub tie_word_embeddings: bool,
    /// `q_proj`, `k_proj`, `v_proj` and `o_proj` have biases (llama and qwen3, when the file says so).
    pub attention_bias: bool,
    /// `q_proj`, `k_proj` and `v_proj` have biases (always and only qwen2).
    pub qkv_bias: bool,
    /// Queries and keys go through an RMS norm per head (always and only qwen3).
    pub qk_norm: bool,
    /// `gate_proj`, `up_proj` and `down_proj` have biases (llama, when the file says so).
    pub mlp_bias: bool,
    pub bos_token_id: Option<u32>,
    /// Tokens that end a generation; may be empty.
    pub eos_token_ids: Vec<u32>,
    pub pad_token_id: Option<u32>,
}

/// The most weights that a model may have: beyond it a configuration is a mistake or an attack.
const MOST_PARAMETERS: u64 = 1 << 40;

impl ModelConfig {
    /// Reads a config.json; `where_` (its path) opens every error message.
    ///
    /// # Errors
    /// A sentence that names the field which is absent, contradictory, impossible or not supported.
    pub fn parse(json: &[u8], where_: &str) -> Result<Self, ModelError> {
        let config = parse::parse(json, where_)?;
        config.validate(where_)?;
        Ok(config)
    }

    /// Checks sizes that were read or typed in: none is zero or absurd, and they agree with each other.
    ///
    /// # Errors
    /// A sentence that names the field.
    pub fn validate(&self, where_: &str) -> Result<(), ModelError> {
        let refuse = |what: String| Err(ModelError::Config { where_: where_.to_owned(), what });
        for (name, value, most) in [
            ("vocab_size", self.vocab_size, 1 << 24),
            ("hidden_size", self.hidden_size, 1 << 20),
            ("intermediate_size", self.intermediate_size, 1 << 22),
            ("num_hidden_layers", self.num_hidden_layers, 1 << 12),
            ("num_attention_heads", self.num_attention_heads, 1 << 12),
            ("num_key_value_heads", self.num_key_value_heads, 1 << 12),
            ("head_dim", self.head_dim, 1 << 14),
            ("max_position_embeddings", self.max_position_embeddings, 1 << 30),
        ] {
            if value == 0 || value > most {
                return refuse(format!(
                    "`{name}` is {value}, and must lie between 1 and {most}; correct the file or download it again."
                ));
            }
        }
        if !self.num_attention_heads.is_multiple_of(self.num_key_value_heads) {
            return refuse(format!(
                "`num_attention_heads` ({}) is not a multiple of `num_key_value_heads` ({}), so query heads cannot share them; \
                 correct one of the two.",
                self.num_attention_heads, self.num_key_value_heads
            ));
        }
        if !self.head_dim.is_multiple_of(2) {
            return refuse(format!(
                "`head_dim` is {}, and rotary embeddings turn pairs of numbers, so it must be even; correct `head_dim`.",
                self.head_dim
            ));
        }
        if !(self.rms_norm_eps.is_finite() && self.rms_norm_eps > 0.0 && self.rms_norm_eps < 1.0) {
            return refuse(format!(
                "`rms_norm_eps` is {}, and must be a small number above 0, such as 1e-6.",
                self.rms_norm_eps
            ));
        }
        if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
            return refuse(format!(
                "`rope_theta` is {}, and must be a number above 0, such as 10000.",
                self.rope_theta
            ));
        }
        if let Some(scaling) = &self.rope_scaling {
            scaling.validate(where_)?;
        }
        for (name, id) in self
            .eos_token_ids
            .iter()
            .map(|&id| ("eos_token_id", id))
            .chain(self.bos_token_id.map(|id| ("bos_token_id", id)))
        {
            if id as usize >= self.vocab_size {
                return refuse(format!(
                    "`{name}` is {id}, which lies outside of the {} tokens of `vocab_size`; correct it or set it to null.",
                    self.vocab_size
                ));
            }
        }
        let parameters = self.parameter_count();
        if parameters > MOST_PARAMETERS {
            return refuse(format!(
                "these sizes make a model of {parameters} parameters, and the most is {MOST_PARAMETERS}; correct the sizes."
            ));
        }
        Ok(())
    }

    /// Width of all query heads side by side: `num_attention_heads * head_dim`.
    #[must_use]
    pub fn query_size(&self) -> usize {
        self.num_attention_heads * self.head_dim
    }

    /// Width of all key heads (and of all value heads) side by side: `num_key_value_heads * head_dim`.
    #[must_use]
    pub fn key_value_size(&self) -> usize {
        self.num_key_value_heads * self.head_dim
    }

    /// Shape `[out, in]` of a projection's weight.
    #[must_use]
    pub fn projection_shape(&self, projection: Projection) -> [usize; 2] {
        match projection {
            Projection::QProj => [self.query_size(), self.hidden_size],
            Projection::KProj | Projection::VProj => [self.key_value_size(), self.hidden_size],
            Projection::OProj => [self.hidden_size, self.query_size()],
            Projection::GateProj | Projection::UpProj => [self.intermediate_size, self.hidden_size],
            Projection::DownProj => [self.hidden_size, self.intermediate_size],
        }
    }

    /// Has this projection a bias of `out` numbers?
    #[must_use]
    pub fn has_bias(&self, projection: Projection) -> bool {
        match projection {
            Projection::QProj | Projection::KProj | Projection::VProj => self.attention_bias || self.qkv_bias,
            Projection::OProj => self.attention_bias,
            Projection::GateProj | Projection::UpProj | Projection::DownProj => self.mlp_bias,
        }
    }

    /// Number of weights; a tied head counts once. Saturates instead of overflowing.
    #[must_use]
    pub fn parameter_count(&self) -> u64 {
        let size = |numbers: &[usize]| numbers.iter().fold(1u64, |product, &n| product.saturating_mul(n as u64));
        let mut layer = size(&[2, self.hidden_size]);
        for projection in Projection::ALL {
            let shape = self.projection_shape(projection);
            layer = layer.saturating_add(size(&shape));
            if self.has_bias(projection) {
                layer = layer.saturating_add(shape[0] as u64);
            }
        }
        if self.qk_norm {
            layer = layer.saturating_add(size(&[2, self.head_dim]));
        }
        let embedding = size(&[self.vocab_size, self.hidden_size]);
        let head = if self.tie_word_embeddings { 0 } else { embedding };
        layer
            .saturating_mul(self.num_hidden_layers as u64)
            .saturating_add(embedding)
            .saturating_add(head)
            .saturating_add(self.hidden_size as u64)
    }

    /// Rotation per position of each pair of a head's numbers, `[head_dim / 2]`, in radians.
    ///
    /// Su et al., `RoFormer` (arXiv 2104.09864), eq. 15: `rope_theta ^ (-2 i / head_dim)`, then stretched by `rope_scaling`.
    /// Computed in `f64` and rounded once.
    #[must_use]
    pub fn inverse_frequencies(&self) -> Vec<f32> {
        rope::inverse_frequencies(self.head_dim, self.rope_theta, self.rope_scaling.as_ref())
    }

    /// The text of a config.json that transformers (4 and 5) and [`ModelConfig::parse`] read back.
    ///
    /// `rope_theta` and `rope_scaling` are written in the form of transformers 4, which 5 still reads.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut map = Map::new();
        let mut put = |key: &str, value: Value| map.insert(key.to_owned(), value);
        put("architectures", json!([self.model_type.architecture()]));
        put("model_type", json!(self.model_type.name()));
        put("vocab_size", json!(self.vocab_size));
        put("hidden_size", json!(self.hidden_size));
        put("intermediate_size", json!(self.intermediate_size));
        put("num_hidden_layers", json!(self.num_hidden_layers));
        put("num_attention_heads", json!(self.num_attention_heads));
        put("num_key_value_heads", json!(self.num_key_value_heads));
        put("head_dim", json!(self.head_dim));
        put("hidden_act", json!("silu"));
        put("max_position_embeddings", json!(self.max_position_embeddings));
        put("rms_norm_eps", json!(self.rms_norm_eps));
        put("rope_theta", json!(self.rope_theta));
        put("rope_scaling", self.rope_scaling.as_ref().map_or(Value::Null, RopeScaling::to_json));
        put("tie_word_embeddings", json!(self.tie_word_embeddings));
        if matches!(self.model_type, ModelType::Llama | ModelType::Qwen3) {
            put("attention_bias", json!(self.attention_bias));
        }
        match self.model_type {
            ModelType::Llama => put("mlp_bias", json!(self.mlp_bias)),
            // transformers would otherwise assume a window of 4096
            ModelType::Mistral => put("sliding_window", Value::Null),
            ModelType::Qwen2 | ModelType::Qwen3 => put("use_sliding_window", json!(false)),
        };
        put("bos_token_id", json!(self.bos_token_id));
        put(
            "eos_token_id",
            match self.eos_token_ids.as_slice() {
                [] => Value::Null,
                [one] => json!(one),
                many => json!(many),
            },
        );
        put("pad_token_id", json!(self.pad_token_id));
        // `{:#}` prints a `Value` indented, and cannot fail
        format!("{:#}\n", Value::Object(map))
    }
}

#[cfg(test)]
mod tests;
