//! `adapter_config.json`: PEFT's `LoraConfig` in and out.

use crate::io::error::IoError;
use crate::model::lora::{LoraConfig, Projection};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

pub(super) struct Settings {
    pub(super) config: LoraConfig,
    pub(super) base_model_name: Option<String>,
}

/// Beyond this rank a setting is a mistake.
const MOST_RANK: u64 = 1 << 16;

/// Settings of PEFT that change what an adapter computes, each with the reason for refusing it when it is switched on.
const UNSUPPORTED: [(&str, &str); 18] = [
    ("use_dora", "DoRA rescales the columns of the weight"),
    ("use_qalora", "QA-LoRA pools the input"),
    ("use_bdlora", "block-diagonal factors are stored in another form"),
    ("fan_in_fan_out", "it is for layers with transposed weights, which Llama models lack"),
    ("lora_bias", "the adapter would have a bias of its own"),
    ("modules_to_save", "it brings whole trained layers beside the factors"),
    ("rank_pattern", "ranks differ from layer to layer"),
    ("alpha_pattern", "scalings differ from layer to layer"),
    ("layers_to_transform", "only some layers are adapted"),
    ("layer_replication", "it builds a deeper model out of repeated layers"),
    ("exclude_modules", "some layers are left out"),
    ("target_parameters", "it adapts bare parameters instead of layers"),
    ("trainable_token_indices", "it brings trained rows of the embedding"),
    ("alora_invocation_tokens", "the adapter is active from certain tokens on only"),
    ("arrow_config", "it routes between several adapters"),
    ("velora_config", "it is a variant with other arithmetic"),
    ("monteclora_config", "it is a variant with other arithmetic"),
    ("kasa_config", "it is a variant with other arithmetic"),
];

/// Initialisations that leave the base model's weights as they are; others (`pissa`, `olora`, `corda`, `loftq` ...) change them, so that
/// the saved factors do not belong to the plain base model.
const HARMLESS_INITIALISATIONS: [&str; 3] = ["gaussian", "eva", "orthogonal"];

pub(super) fn parse(json: &[u8], where_: &str) -> Result<Settings, IoError> {
    let refuse = |what: String| IoError::file(where_, what);
    let value: Value = serde_json::from_slice(json)
        .map_err(|error| refuse(format!("is not valid JSON ({error}); save the adapter again.")))?;
    let Value::Object(map) = &value else {
        return Err(refuse("is not a JSON object with fields; put PEFT's adapter_config.json here.".to_owned()));
    };
    match map.get("peft_type") {
        Some(kind) if kind == "LORA" => {}
        Some(kind) => {
            return Err(refuse(format!("`peft_type` {kind} is not supported, only \"LORA\" is; take a LoRA adapter.")));
        }
        None => {
            return Err(refuse(
                "`peft_type` is missing; put PEFT's adapter_config.json of a LoRA adapter here.".to_owned(),
            ));
        }
    }
    for (name, reason) in UNSUPPORTED {
        if map.get(name).is_some_and(is_switched_on) {
            return Err(refuse(format!(
                "`{name}` is not supported ({reason}); train or export the adapter without it."
            )));
        }
    }
    if let Some(bias) = map.get("bias").filter(|&bias| bias != "none" && !bias.is_null()) {
        return Err(refuse(format!(
            "`bias` {bias} is not supported, only \"none\" is; train the adapter without biases."
        )));
    }
    if let Some(init) = map.get("init_lora_weights")
        && let Some(name) = init.as_str()
        && !HARMLESS_INITIALISATIONS.contains(&name)
    {
        return Err(refuse(format!(
            "`init_lora_weights` \"{name}\" is not supported: it changes the base model's own weights. Convert the adapter with \
             PEFT's `save_pretrained(path_initial_model_for_weight_conversion=...)`."
        )));
    }
    let rank = match map.get("r").and_then(Value::as_u64) {
        Some(rank @ 1..=MOST_RANK) => usize::try_from(rank).unwrap_or(1),
        _ => {
            return Err(refuse(format!(
                "`r` is {}, and must be a whole number from 1 to {MOST_RANK}; correct it.",
                shown(map, "r")
            )));
        }
    };
    let lora_alpha = match map.get("lora_alpha").and_then(Value::as_f64) {
        Some(alpha) if alpha.is_finite() => alpha,
        _ => {
            return Err(refuse(format!(
                "`lora_alpha` is {}, and must be a number; correct it.",
                shown(map, "lora_alpha")
            )));
        }
    };
    let lora_dropout = match map.get("lora_dropout").filter(|value| !value.is_null()).map_or(Some(0.0), Value::as_f64) {
        Some(dropout) if (0.0..1.0).contains(&dropout) => dropout,
        _ => {
            let shown = shown(map, "lora_dropout");
            return Err(refuse(format!(
                "`lora_dropout` is {shown}, and must be a number from 0 to below 1; correct it."
            )));
        }
    };
    let config = LoraConfig {
        rank,
        // rank-stabilised LoRA (arXiv 2312.03732) scales by alpha / sqrt(r); the same as this alpha over r
        lora_alpha: if map.get("use_rslora").is_some_and(is_switched_on) {
            lora_alpha * square_root(rank)
        } else {
            lora_alpha
        },
        lora_dropout,
        target_modules: target_modules(map, where_)?,
    };
    let base_model_name = map.get("base_model_name_or_path").and_then(Value::as_str).filter(|name| !name.is_empty());
    Ok(Settings { config, base_model_name: base_model_name.map(str::to_owned) })
}

#[allow(clippy::cast_precision_loss)] // ranks are tiny
fn square_root(rank: usize) -> f64 {
    (rank as f64).sqrt()
}

fn shown(map: &Map<String, Value>, name: &str) -> String {
    map.get(name).map_or_else(|| "missing".to_owned(), Value::to_string)
}

/// Anything but null, false and an empty list, object or text.
fn is_switched_on(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(on) => *on,
        Value::Array(list) => !list.is_empty(),
        Value::Object(map) => !map.is_empty(),
        Value::String(text) => !text.is_empty(),
        Value::Number(_) => true,
    }
}

fn target_modules(map: &Map<String, Value>, where_: &str) -> Result<Vec<Projection>, IoError> {
    let supported = Projection::ALL.map(Projection::name).join(", ");
    let refuse = |what: String| IoError::file(where_, what);
    let names = match map.get("target_modules") {
        Some(Value::String(text)) if text == "all-linear" => return Ok(Projection::ALL.to_vec()),
        Some(Value::String(pattern)) => {
            return Err(refuse(format!(
                "`target_modules` is the pattern \"{pattern}\", and patterns are not supported; write a list of {supported}, or \"all-linear\"."
            )));
        }
        Some(Value::Array(names)) if !names.is_empty() => names,
        _ => {
            return Err(refuse(format!(
                "`target_modules` is {}, and must be a list of {supported}; correct it.",
                shown(map, "target_modules")
            )));
        }
    };
    let mut found = BTreeSet::new();
    for name in names {
        let projection = name.as_str().and_then(|text| {
            let (parent, last) = text.rsplit_once('.').map_or((None, text), |(parent, last)| (Some(parent), last));
            Projection::from_name(last).filter(|projection| parent.is_none_or(|parent| parent == projection.parent()))
        });
        match projection {
            Some(projection) => found.insert(projection),
            None => {
                return Err(refuse(format!(
                    "`target_modules` holds {name}, which is not supported; supported are {supported}."
                )));
            }
        };
    }
    Ok(found.into_iter().collect())
}

/// The fields that PEFT needs; it takes its own defaults for all others.
pub(super) fn to_json(config: &LoraConfig, base_model_name: Option<&str>) -> String {
    let names: Vec<&str> = config.target_modules.iter().map(|projection| projection.name()).collect();
    // PEFT's own type for alpha is a whole number, though it computes with any
    #[allow(clippy::cast_possible_truncation)] // guarded
    let alpha = if config.lora_alpha.fract() == 0.0 && config.lora_alpha.abs() < 1e15 {
        json!(config.lora_alpha as i64)
    } else {
        json!(config.lora_alpha)
    };
    let value = json!({
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_model_name,
        "inference_mode": true,
        "r": config.rank,
        "lora_alpha": alpha,
        "lora_dropout": config.lora_dropout,
        "target_modules": names,
        "bias": "none",
        "fan_in_fan_out": false,
        "use_rslora": false,
        "use_dora": false,
        "modules_to_save": null,
        "rank_pattern": {},
        "alpha_pattern": {},
        "init_lora_weights": true,
    });
    format!("{value:#}\n")
}
