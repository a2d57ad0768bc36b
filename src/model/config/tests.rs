//! Tests of reading, refusing and writing config.json; frequencies are held against transformers 5.23's own output.

use super::*;

/// The configuration of `stories260K`, by hand.
fn small() -> Value {
    json!({
        "model_type": "llama", "vocab_size": 512, "hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 5,
        "num_attention_heads": 8, "num_key_value_heads": 4, "max_position_embeddings": 512, "rms_norm_eps": 1e-5,
        "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu", "rope_scaling": null,
    })
}

fn with(changes: &Value) -> Result<ModelConfig, ModelError> {
    let mut value = small();
    for (key, change) in changes.as_object().unwrap() {
        value[key] = change.clone();
    }
    ModelConfig::parse(value.to_string().as_bytes(), "here/config.json")
}

fn without(names: &[&str], model_type: &str) -> Result<ModelConfig, ModelError> {
    let mut value = small();
    value["model_type"] = json!(model_type);
    for name in names {
        value.as_object_mut().unwrap().remove(*name);
    }
    ModelConfig::parse(value.to_string().as_bytes(), "here/config.json")
}

#[test]
fn reads_a_llama_and_counts_its_parameters() {
    let config = with(&json!({})).unwrap();
    assert_eq!((config.head_dim, config.query_size(), config.key_value_size()), (8, 64, 32));
    assert_eq!(
        (config.bos_token_id, config.eos_token_ids.as_slice(), config.pad_token_id),
        (Some(1), [2].as_slice(), None)
    );
    assert!(
        config.tie_word_embeddings && !config.attention_bias && !config.qkv_bias && !config.qk_norm && !config.mlp_bias
    );
    // embedding 512*64, five layers of 64*64*2 + 32*64*2 + 172*64*3 + 2*64, last norm 64
    assert_eq!(config.parameter_count(), 32_768 + 5 * 45_440 + 64);
    assert_eq!(config.projection_shape(Projection::KProj), [32, 64]);
    assert_eq!(config.projection_shape(Projection::DownProj), [64, 172]);
}

#[test]
fn takes_the_defaults_of_each_family() {
    let llama =
        without(&["num_key_value_heads", "tie_word_embeddings", "max_position_embeddings", "rope_theta"], "llama")
            .unwrap();
    assert_eq!((llama.num_key_value_heads, llama.tie_word_embeddings, llama.max_position_embeddings), (8, false, 2048));
    assert!((llama.rope_theta - 1e4).abs() < 1e-9);
    let qwen2 = without(&["tie_word_embeddings"], "qwen2").unwrap();
    assert!(qwen2.qkv_bias && !qwen2.attention_bias && !qwen2.qk_norm && !qwen2.tie_word_embeddings);
    assert!(qwen2.has_bias(Projection::VProj) && !qwen2.has_bias(Projection::OProj));
    assert_eq!((qwen2.bos_token_id, qwen2.eos_token_ids.len()), (None, 0));
    let qwen3 = without(&[], "qwen3").unwrap();
    assert!(qwen3.qk_norm && !qwen3.qkv_bias);
    assert_eq!(qwen3.head_dim, 128);
    assert!(with(&json!({"attention_bias": true, "mlp_bias": true})).unwrap().has_bias(Projection::OProj));
    // mistral's class has no such switch, so that transformers ignores it there
    let mistral = with(&json!({"model_type": "mistral", "sliding_window": null, "attention_bias": true})).unwrap();
    assert!(!mistral.has_bias(Projection::QProj));
}

#[test]
fn reads_token_ids_of_every_form() {
    let ids = |value: Value| with(&json!({ "eos_token_id": value })).unwrap().eos_token_ids;
    assert_eq!(ids(json!(7)), [7]);
    assert_eq!(ids(json!([7, 9])), [7, 9]);
    assert!(ids(json!(null)).is_empty() && ids(json!(-1)).is_empty());
    assert_eq!(with(&json!({"pad_token_id": 512})).unwrap().pad_token_id, None);
    assert_eq!(with(&json!({"pad_token_id": 3})).unwrap().pad_token_id, Some(3));
}

#[test]
fn reads_both_forms_of_rope_settings() {
    let scaling = json!({
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 64,
    });
    let four = with(&json!({"rope_theta": 500_000.0, "rope_scaling": scaling})).unwrap();
    let mut parameters = scaling;
    parameters["rope_theta"] = json!(500_000.0);
    let mut value = small();
    value.as_object_mut().unwrap().remove("rope_theta");
    value["rope_parameters"] = parameters;
    let five = ModelConfig::parse(value.to_string().as_bytes(), "x").unwrap();
    assert_eq!(four, five);
    let old = with(&json!({"rope_scaling": {"type": "linear", "factor": 2}})).unwrap();
    assert_eq!(old.rope_scaling, Some(RopeScaling::Linear { factor: 2.0 }));
    assert_eq!(
        with(&json!({"rope_parameters": {"rope_type": "default", "rope_theta": 7.0}})).unwrap().rope_scaling,
        None
    );
}

/// Printed by `ROPE_INIT_FUNCTIONS` of transformers 5.23.0, which computes in f32.
#[test]
fn frequencies_equal_those_of_transformers() {
    let llama3 = |original: usize| RopeScaling::Llama3 {
        factor: 8.0,
        low_freq_factor: 1.0,
        high_freq_factor: 4.0,
        original_max_position_embeddings: original,
    };
    let cases: [(usize, f64, Option<RopeScaling>, &[f32]); 3] = [
        (
            16,
            500_000.0,
            Some(llama3(64)),
            &[
                1.0,
                0.079_403_01,
                0.004_700_754,
                0.000_911_583_1,
                0.000_176_776_68,
                3.428_102_4e-5,
                6.647_87e-6,
                1.289_173_2e-6,
            ],
        ),
        (
            16,
            500_000.0,
            Some(llama3(8192)),
            &[
                1.0,
                0.193_922_76,
                0.037_606_03,
                0.007_292_665,
                0.000_524_846,
                3.428_102_4e-5,
                6.647_87e-6,
                1.289_173_2e-6,
            ],
        ),
        (8, 10_000.0, Some(RopeScaling::Linear { factor: 2.5 }), &[0.4, 0.04, 0.004, 0.000_4]),
    ];
    for (head_dim, rope_theta, rope_scaling, expected) in cases {
        let config = ModelConfig { head_dim, rope_theta, rope_scaling, ..with(&json!({})).unwrap() };
        let found = config.inverse_frequencies();
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found / expected - 1.0).abs() < 1e-6, "{found} against {expected}");
        }
    }
    assert_eq!(with(&json!({})).unwrap().inverse_frequencies(), [1.0, 0.1, 0.01, 0.001]);
}

#[test]
fn refuses_by_name_what_it_would_compute_wrongly() {
    let cases = [
        (json!({"model_type": "gemma2"}), vec!["model_type", "gemma2", "llama, mistral, qwen2, qwen3"]),
        (json!({"model_type": null}), vec!["model_type", "missing"]),
        (json!({"num_experts": 8}), vec!["num_experts", "mixture of experts"]),
        (json!({"num_local_experts": 8}), vec!["num_local_experts"]),
        (json!({"quantization_config": {"bits": 4}}), vec!["quantization_config"]),
        (json!({"hidden_act": "gelu"}), vec!["hidden_act", "gelu"]),
        (json!({"partial_rotary_factor": 0.5}), vec!["partial_rotary_factor"]),
        (
            json!({"rope_parameters": {"rope_type": "default", "partial_rotary_factor": 0.5}}),
            vec!["partial_rotary_factor"],
        ),
        (json!({"rope_scaling": {"rope_type": "yarn", "factor": 4}}), vec!["yarn", "rope_scaling"]),
        (json!({"rope_scaling": {"type": "dynamic", "factor": 4}}), vec!["dynamic"]),
        (json!({"rope_scaling": {"type": "longrope"}}), vec!["longrope"]),
        (json!({"rope_scaling": {"type": "su"}}), vec!["\"su\""]),
        (json!({"rope_scaling": {"type": "linear"}}), vec!["factor", "missing"]),
        (json!({"rope_scaling": {"type": "linear", "factor": 0}}), vec!["factor"]),
        (
            json!({"rope_scaling": {"rope_type": "llama3", "factor": 8, "low_freq_factor": 4, "high_freq_factor": 4}}),
            vec!["low_freq_factor"],
        ),
        (json!({"rope_parameters": {"full_attention": {"rope_type": "default"}}}), vec!["layer to layer"]),
        (json!({"rope_scaling": "linear"}), vec!["rope_scaling"]),
        (json!({"model_type": "mistral", "sliding_window": 128}), vec!["sliding_window", "128"]),
        (json!({"model_type": "mistral", "max_position_embeddings": 8192}), vec!["sliding_window", "4096"]),
        (json!({"model_type": "qwen2", "use_sliding_window": true, "sliding_window": 128}), vec!["sliding_window"]),
        (
            json!({"model_type": "qwen3", "layer_types": ["full_attention", "sliding_attention"]}),
            vec!["layer_types", "sliding_attention"],
        ),
        (json!({"layer_types": ["linear_attention"]}), vec!["linear_attention"]),
        (json!({"vocab_size": 0}), vec!["vocab_size"]),
        (json!({"num_hidden_layers": -1}), vec!["num_hidden_layers", "-1"]),
        (json!({"hidden_size": u64::MAX}), vec!["hidden_size"]),
        (json!({"hidden_size": 1e300}), vec!["hidden_size"]),
        (json!({"intermediate_size": "many"}), vec!["intermediate_size", "many"]),
        (json!({"num_attention_heads": 0}), vec!["num_attention_heads"]),
        (json!({"num_key_value_heads": 3}), vec!["num_key_value_heads", "3"]),
        (json!({"num_attention_heads": 5}), vec!["num_attention_heads", "head_dim"]),
        (json!({"head_dim": 7}), vec!["head_dim", "even"]),
        (json!({"vocab_size": 1 << 24, "hidden_size": 1 << 20, "head_dim": 8}), vec!["parameters"]),
        (json!({"rms_norm_eps": 0}), vec!["rms_norm_eps"]),
        (json!({"rms_norm_eps": "tiny"}), vec!["rms_norm_eps"]),
        (json!({"rope_theta": -1}), vec!["rope_theta"]),
        (json!({"tie_word_embeddings": 1}), vec!["tie_word_embeddings"]),
        (json!({"eos_token_id": 512}), vec!["eos_token_id", "512"]),
        (json!({"eos_token_id": [[1]]}), vec!["eos_token_id"]),
        (json!({"bos_token_id": "<s>"}), vec!["bos_token_id"]),
    ];
    for (changes, words) in cases {
        let message = with(&changes).expect_err(&changes.to_string()).to_string();
        for word in words.iter().chain(&["here/config.json"]) {
            assert!(message.contains(word), "{changes}: `{word}` is not in: {message}");
        }
        assert!(message.ends_with('.'), "{message}");
    }
    assert!(without(&["hidden_size"], "llama").unwrap_err().to_string().contains("`hidden_size` is missing"));
}

#[test]
fn accepts_windows_that_do_not_matter() {
    assert!(with(&json!({"model_type": "mistral", "sliding_window": 512})).is_ok());
    assert!(with(&json!({"model_type": "mistral"})).is_ok(), "4096 covers 512 positions");
    assert!(with(&json!({"model_type": "qwen2", "use_sliding_window": false, "sliding_window": 16})).is_ok());
    assert!(with(&json!({"model_type": "qwen2", "layer_types": ["full_attention"]})).is_ok());
}

#[test]
fn text_that_is_no_configuration_is_a_sentence() {
    let nested = "[".repeat(100_000);
    for text in ["", "{", "[]", "3", "{\"rms_norm_eps\": NaN}", "{\"vocab_size\": 1e999}", "\u{0}", &nested] {
        let message = ModelConfig::parse(text.as_bytes(), "here/config.json").unwrap_err().to_string();
        assert!(message.starts_with("here/config.json: is not "), "{message}");
    }
    let config = ModelConfig { rms_norm_eps: f64::NAN, ..with(&json!({})).unwrap() };
    assert!(config.validate("x").unwrap_err().to_string().contains("rms_norm_eps"));
}

#[test]
fn writes_what_it_reads() {
    let llama3 = json!({"rope_type": "llama3", "factor": 8, "low_freq_factor": 1, "high_freq_factor": 4});
    for changes in [
        json!({"attention_bias": true, "mlp_bias": true, "eos_token_id": [3, 4], "rope_scaling": llama3}),
        json!({"model_type": "mistral", "bos_token_id": null, "eos_token_id": null, "pad_token_id": 5}),
        json!({"model_type": "qwen2", "rope_scaling": {"type": "linear", "factor": 3}, "rms_norm_eps": 1e-6}),
        json!({"model_type": "qwen3", "head_dim": 16, "attention_bias": true, "tie_word_embeddings": false}),
    ] {
        let config = with(&changes).unwrap();
        assert_eq!(ModelConfig::parse(config.to_json().as_bytes(), "x").unwrap(), config, "{}", config.to_json());
    }
}

#[test]
fn tensors_add_up_to_the_parameter_count() {
    for changes in [
        json!({}),
        json!({"attention_bias": true, "mlp_bias": true, "tie_word_embeddings": false}),
        json!({"model_type": "mistral"}),
        json!({"model_type": "qwen2"}),
        json!({"model_type": "qwen3", "head_dim": 16}),
    ] {
        let config = with(&changes).unwrap();
        let tensors = expected_tensors(&config);
        let sum: usize = tensors.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
        assert_eq!(sum as u64, config.parameter_count(), "{changes}");
        let names: std::collections::BTreeSet<_> = tensors.iter().map(|(name, _)| name).collect();
        assert_eq!(names.len(), tensors.len());
    }
    let names: Vec<_> = expected_tensors(
        &with(&json!({"model_type": "qwen3", "num_hidden_layers": 1, "tie_word_embeddings": false})).unwrap(),
    )
    .into_iter()
    .map(|(name, _)| name)
    .collect();
    assert_eq!(
        names,
        [
            "model.embed_tokens.weight",
            "model.layers.0.input_layernorm.weight",
            "model.layers.0.self_attn.q_proj.weight",
            "model.layers.0.self_attn.k_proj.weight",
            "model.layers.0.self_attn.v_proj.weight",
            "model.layers.0.self_attn.q_norm.weight",
            "model.layers.0.self_attn.k_norm.weight",
            "model.layers.0.self_attn.o_proj.weight",
            "model.layers.0.post_attention_layernorm.weight",
            "model.layers.0.mlp.gate_proj.weight",
            "model.layers.0.mlp.up_proj.weight",
            "model.layers.0.mlp.down_proj.weight",
            "model.norm.weight",
            "lm_head.weight",
        ]
    );
}
