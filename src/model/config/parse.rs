//! From the text of a config.json to a [`ModelConfig`], with the defaults of transformers' own classes.
//!
//! A field that changes what the model computes is either understood or refused by name; all others are left alone.

use super::{ModelConfig, ModelType, RopeScaling};
use crate::model::ModelError;
use serde_json::{Map, Value};

/// The fields of one JSON object, with the place that error messages name.
struct Fields<'a> {
    map: &'a Map<String, Value>,
    where_: &'a str,
}

pub(super) fn parse(json: &[u8], where_: &str) -> Result<ModelConfig, ModelError> {
    let value: Value = serde_json::from_slice(json).map_err(|error| ModelError::Config {
        where_: where_.to_owned(),
        what: format!("is not valid JSON ({error}); download it again, or correct that place."),
    })?;
    let Value::Object(map) = &value else {
        return Err(ModelError::Config {
            where_: where_.to_owned(),
            what: "is not a JSON object with fields; put the model's config.json here.".to_owned(),
        });
    };
    let fields = Fields { map, where_ };
    let model_type = fields.model_type()?;
    fields.refuse_what_is_not_computed()?;

    let num_attention_heads = fields.required_size("num_attention_heads")?;
    let hidden_size = fields.required_size("hidden_size")?;
    let vocab_size = fields.required_size("vocab_size")?;
    let max_position_embeddings = fields.size("max_position_embeddings")?.unwrap_or(match model_type {
        ModelType::Llama => 2048,
        ModelType::Mistral => 131_072,
        ModelType::Qwen2 | ModelType::Qwen3 => 32_768,
    });
    fields.refuse_sliding_window(model_type, max_position_embeddings)?;
    let (rope_theta, rope_scaling) = fields.rope(max_position_embeddings)?;
    let (bos_default, eos_default) = match model_type {
        ModelType::Llama | ModelType::Mistral => (Some(1), vec![2]),
        ModelType::Qwen2 | ModelType::Qwen3 => (None, Vec::new()),
    };
    Ok(ModelConfig {
        model_type,
        vocab_size,
        hidden_size,
        intermediate_size: fields.required_size("intermediate_size")?,
        num_hidden_layers: fields.required_size("num_hidden_layers")?,
        num_attention_heads,
        num_key_value_heads: match fields.size("num_key_value_heads")? {
            Some(heads) => heads,
            None if model_type == ModelType::Mistral && !map.contains_key("num_key_value_heads") => 8,
            None => num_attention_heads,
        },
        head_dim: match fields.size("head_dim")? {
            Some(size) => size,
            None if model_type == ModelType::Qwen3 && !map.contains_key("head_dim") => 128,
            None => fields.hidden_per_head(hidden_size, num_attention_heads)?,
        },
        max_position_embeddings,
        rms_norm_eps: fields.number("rms_norm_eps")?.unwrap_or(1e-6),
        rope_theta,
        rope_scaling,
        // false in all four classes of transformers
        tie_word_embeddings: fields.switch("tie_word_embeddings")?,
        attention_bias: matches!(model_type, ModelType::Llama | ModelType::Qwen3) && fields.switch("attention_bias")?,
        qkv_bias: model_type == ModelType::Qwen2,
        qk_norm: model_type == ModelType::Qwen3,
        mlp_bias: model_type == ModelType::Llama && fields.switch("mlp_bias")?,
        bos_token_id: fields.token_ids("bos_token_id")?.map_or(bos_default, |ids| ids.first().copied()),
        eos_token_ids: fields.token_ids("eos_token_id")?.unwrap_or(eos_default),
        // padding is masked, so that an id beyond the vocabulary (some files have one) does no harm: it counts as absent
        pad_token_id: fields
            .token_ids("pad_token_id")?
            .and_then(|ids| ids.first().copied())
            .filter(|&id| (id as usize) < vocab_size),
    })
}

impl Fields<'_> {
    fn refuse<T>(&self, what: String) -> Result<T, ModelError> {
        Err(ModelError::Config { where_: self.where_.to_owned(), what })
    }

    /// The field's value; `null` counts as absent.
    fn get(&self, name: &str) -> Option<&Value> {
        self.map.get(name).filter(|value| !value.is_null())
    }

    fn size(&self, name: &str) -> Result<Option<usize>, ModelError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_u64().and_then(|number| usize::try_from(number).ok()) {
            Some(number) => Ok(Some(number)),
            None => self.refuse(format!("`{name}` is {value}, and must be a whole number above 0; correct it.")),
        }
    }

    fn required_size(&self, name: &str) -> Result<usize, ModelError> {
        match self.size(name)? {
            Some(number) => Ok(number),
            None => self.refuse(format!("`{name}` is missing; take the config.json that belongs to the weights.")),
        }
    }

    fn number(&self, name: &str) -> Result<Option<f64>, ModelError> {
        let Some(value) = self.get(name) else { return Ok(None) };
        match value.as_f64() {
            Some(number) if number.is_finite() => Ok(Some(number)),
            _ => self.refuse(format!("`{name}` is {value}, and must be a number; correct it.")),
        }
    }

    fn switch(&self, name: &str) -> Result<bool, ModelError> {
        match self.get(name) {
            None => Ok(false),
            Some(Value::Bool(on)) => Ok(*on),
            Some(value) => self.refuse(format!("`{name}` is {value}, and must be true or false; correct it.")),
        }
    }

    /// `None` when the field is not there, else its ids: none for null or a negative number, one, or a list.
    fn token_ids(&self, name: &str) -> Result<Option<Vec<u32>>, ModelError> {
        let Some(value) = self.map.get(name) else { return Ok(None) };
        read_token_ids(value).map(Some).or_else(|bad| {
            self.refuse(format!("`{name}` holds {bad}, and must be a token number or a list of them; correct it."))
        })
    }

    fn model_type(&self) -> Result<ModelType, ModelError> {
        let supported = ModelType::ALL.map(ModelType::name).join(", ");
        let Some(name) = self.get("model_type") else {
            return self.refuse(format!("`model_type` is missing; supported are {supported}."));
        };
        match ModelType::ALL.into_iter().find(|known| name == known.name()) {
            Some(known) => Ok(known),
            None => self.refuse(format!(
                "`model_type` {name} is not supported; supported are {supported} (SmolLM and TinyLlama are llama). Take a model of these families."
            )),
        }
    }

    fn refuse_what_is_not_computed(&self) -> Result<(), ModelError> {
        for name in ["num_experts", "num_local_experts"] {
            if self.get(name).is_some_and(|value| value.as_u64() != Some(0)) {
                return self.refuse(format!(
                    "`{name}` says that this is a mixture of experts, which is not supported; take a dense model."
                ));
            }
        }
        if self.get("quantization_config").is_some() {
            return self.refuse(
                "`quantization_config` says that the weights are quantized, which is not supported; take the model's f32, f16 or bf16 weights."
                    .to_owned(),
            );
        }
        if let Some(activation) = self.get("hidden_act")
            && activation != "silu"
            && activation != "swish"
        {
            return self
                .refuse(format!("`hidden_act` {activation} is not supported, only \"silu\" is; take another model."));
        }
        self.refuse_partial_rotation()
    }

    fn refuse_partial_rotation(&self) -> Result<(), ModelError> {
        match self.number("partial_rotary_factor")? {
            #[allow(clippy::float_cmp)] // exactly 1 is the only value that is computed
            Some(factor) if factor != 1.0 => self.refuse(format!(
                "`partial_rotary_factor` {factor} is not supported: heads are always rotated whole (1.0); take another model."
            )),
            _ => Ok(()),
        }
    }

    fn hidden_per_head(&self, hidden_size: usize, heads: usize) -> Result<usize, ModelError> {
        match hidden_size.checked_div(heads) {
            Some(size) if size * heads == hidden_size => Ok(size),
            _ => self.refuse(format!(
                "`hidden_size` ({hidden_size}) is not a multiple of `num_attention_heads` ({heads}), and `head_dim` is not given; correct one of them."
            )),
        }
    }

    fn refuse_sliding_window(&self, model_type: ModelType, positions: usize) -> Result<(), ModelError> {
        let window = match model_type {
            // transformers' default when the file does not say
            ModelType::Mistral if !self.map.contains_key("sliding_window") => Some(4096),
            ModelType::Mistral => self.size("sliding_window")?,
            ModelType::Qwen2 | ModelType::Qwen3 if self.switch("use_sliding_window")? => {
                Some(self.size("sliding_window")?.unwrap_or(4096))
            }
            ModelType::Llama | ModelType::Qwen2 | ModelType::Qwen3 => None,
        };
        if let Some(window) = window.filter(|&window| window < positions) {
            return self.refuse(format!(
                "`sliding_window` {window} is below `max_position_embeddings` {positions}, and sliding windows are not supported; \
                 where texts of at most {window} tokens are enough, set `max_position_embeddings` to {window}."
            ));
        }
        let Some(kinds) = self.get("layer_types") else { return Ok(()) };
        let Value::Array(kinds) = kinds else {
            return self.refuse(format!("`layer_types` is {kinds}, and must be a list of names; correct it."));
        };
        // a sliding layer whose window covers all positions is a full one
        match kinds.iter().find(|&kind| kind != "full_attention" && !(kind == "sliding_attention" && window.is_some()))
        {
            Some(kind) => self.refuse(format!(
                "`layer_types` holds {kind}, which is not supported, only \"full_attention\" is; take another model."
            )),
            None => Ok(()),
        }
    }

    /// `rope_theta` and the scaling, in the form of transformers 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`).
    fn rope(&self, positions: usize) -> Result<(f64, Option<RopeScaling>), ModelError> {
        let theta_beside = self.number("rope_theta")?;
        let Some((field, value)) = ["rope_parameters", "rope_scaling"]
            .into_iter()
            .find_map(|field| self.get(field).map(|value| (field, value)))
        else {
            return Ok((theta_beside.unwrap_or(10_000.0), None));
        };
        let Value::Object(map) = value else {
            return self
                .refuse(format!("`{field}` is {value}, and must be an object with `rope_type`, or null; correct it."));
        };
        if map.values().any(Value::is_object) {
            return self.refuse(format!(
                "`{field}` differs from layer to layer, which is not supported; take a model with one rotation for all layers."
            ));
        }
        let where_ = format!("{}, `{field}`", self.where_);
        let inner = Fields { map, where_: &where_ };
        inner.refuse_partial_rotation()?;
        let theta = inner.number("rope_theta")?.or(theta_beside).unwrap_or(10_000.0);
        let needed = |name: &str| match inner.number(name)? {
            Some(number) => Ok(number),
            None => inner.refuse(format!("`{name}` is missing; take the config.json that belongs to the weights.")),
        };
        let default = Value::from("default");
        let kind = inner.get("rope_type").or_else(|| inner.get("type")).unwrap_or(&default);
        let scaling = match kind.as_str() {
            Some("default") => None,
            Some("linear") => Some(RopeScaling::Linear { factor: needed("factor")? }),
            Some("llama3") => Some(RopeScaling::Llama3 {
                factor: needed("factor")?,
                low_freq_factor: needed("low_freq_factor")?,
                high_freq_factor: needed("high_freq_factor")?,
                original_max_position_embeddings: inner.size("original_max_position_embeddings")?.unwrap_or(positions),
            }),
            _ => {
                return inner.refuse(format!(
                    "rope type {kind} is not supported; supported are default, linear and llama3. Take another model."
                ));
            }
        };
        Ok((theta, scaling))
    }
}

/// Token ids of a JSON value: none for null or a negative number (old files say -1), one, or a list.
///
/// # Errors
/// The value that is no token id, as text.
pub(crate) fn read_token_ids(value: &Value) -> Result<Vec<u32>, String> {
    match value {
        Value::Null => Ok(Vec::new()),
        Value::Array(list) if list.iter().all(|item| !item.is_array()) => {
            list.iter().map(read_token_ids).collect::<Result<Vec<_>, _>>().map(|lists| lists.concat())
        }
        Value::Number(number) if number.as_i64().is_some_and(|id| id < 0) => Ok(Vec::new()),
        _ => value.as_u64().and_then(|id| u32::try_from(id).ok()).map(|id| vec![id]).ok_or_else(|| value.to_string()),
    }
}
