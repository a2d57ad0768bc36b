//! Tests of adapter folders, in both directions and against those that PEFT 0.21 wrote.

use super::*;
use crate::io::atomic::quota;
use crate::io::hf_folder::open_weights;
use crate::io::test_model::{self, names_in};
use serde_json::{Value, json};
use std::fs;

/// As PEFT writes it for `test_model::adapter(2, [q_proj, down_proj])`, with some of its many other fields.
fn settings_json() -> Value {
    json!({
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "r": 2, "lora_alpha": 3, "lora_dropout": 0.25, "bias": "none",
        "target_modules": ["down_proj", "q_proj"], "alpha_pattern": {}, "rank_pattern": {}, "modules_to_save": null,
        "use_dora": false, "use_rslora": false, "fan_in_fan_out": false, "base_model_name_or_path": "some/base",
        "megatron_core": "megatron.core", "peft_version": "0.21.2", "init_lora_weights": true, "loftq_config": {}, "eva_config": null,
    })
}

const TARGETS: [Projection; 2] = [Projection::QProj, Projection::DownProj];

fn read_with(changes: &Value) -> Result<LoadedAdapter, String> {
    let mut settings = settings_json();
    for (key, change) in changes.as_object().unwrap() {
        settings[key] = change.clone();
    }
    let (_, weights) = adapter_to_bytes(&test_model::adapter(2, &TARGETS), "a", None, None).unwrap();
    adapter_from_bytes(settings.to_string().as_bytes(), weights, "runs/a", &test_model::config())
        .map_err(|error| error.to_string())
}

#[test]
fn writes_what_it_reads() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("adapter");
    for (rank, targets) in [(2, TARGETS.as_slice()), (1, &[Projection::KProj]), (3, &Projection::ALL)] {
        let adapter = test_model::adapter(rank, targets);
        write_adapter(&path, &adapter, Some("some/base"), Some("f00d")).unwrap();
        let loaded = read_adapter(&path, &test_model::config()).unwrap();
        assert_eq!(loaded.adapter, adapter);
        assert_eq!(
            (loaded.base_model_name.as_deref(), loaded.base_fingerprint.as_deref()),
            (Some("some/base"), Some("f00d"))
        );
        assert_eq!(names_in(&path), ["adapter_config.json", "adapter_model.safetensors"]);
        check_fits(&adapter, &test_model::config(), "a").unwrap();
    }
}

#[test]
fn reads_what_peft_writes() {
    let fixtures = crate::platform::checkout().join("tests/fixtures");
    for folder in ["tiny-llama3/adapter", "tiny-llama3/adapter_slow", "tiny-qwen2/adapter"] {
        let base = fixtures.join(folder.split('/').next().unwrap());
        let (config, _) = open_weights(&base).unwrap();
        let loaded = read_adapter(&fixtures.join(folder), &config).unwrap();
        let expected = config.num_hidden_layers * loaded.adapter.config.target_modules.len();
        assert_eq!(loaded.adapter.factors.len(), expected);
        let mut file = SafetensorsFile::open(&fixtures.join(folder).join(WEIGHTS_FILE)).unwrap();
        let key = "base_model.model.model.layers.1.self_attn.v_proj.lora_B.weight";
        let factors = &loaded.adapter.factors[&(1, Projection::VProj)];
        assert_eq!(factors.lora_b, file.read_f32(key).unwrap());
        assert_eq!(file.shape(key).unwrap(), [factors.out_features, loaded.adapter.config.rank]);
    }
}

#[test]
fn tolerates_what_does_not_matter() {
    let loaded = read_with(&json!({})).unwrap();
    assert_eq!(loaded.adapter, test_model::adapter(2, &TARGETS));
    assert_eq!(loaded.base_model_name.as_deref(), Some("some/base"));
    assert_eq!(
        read_with(&json!({"target_modules": ["mlp.down_proj", "self_attn.q_proj"]})).unwrap().adapter,
        loaded.adapter
    );
    assert!(
        read_with(&json!({"init_lora_weights": "gaussian", "future_setting": {"a": 1}, "lora_dropout": 0})).is_ok()
    );
    assert!((read_with(&json!({"lora_alpha": 2.5})).unwrap().adapter.config.scale() - 1.25).abs() < 1e-12);
    let stabilised = read_with(&json!({"use_rslora": true})).unwrap().adapter.config;
    assert!((stabilised.scale() - 3.0 / 2.0f64.sqrt()).abs() < 1e-12, "alpha over the root of r");
}

#[test]
fn reads_all_linear_and_a_bare_model() {
    let adapter = test_model::adapter(2, &Projection::ALL);
    let (_, weights) = adapter_to_bytes(&adapter, "a", None, None).unwrap();
    let mut settings = settings_json();
    settings["target_modules"] = json!("all-linear");
    let read =
        |weights: Vec<u8>| adapter_from_bytes(settings.to_string().as_bytes(), weights, "a", &test_model::config());
    assert_eq!(read(weights.clone()).unwrap().adapter.factors, adapter.factors);
    // feature extraction: one `model.` fewer, the header's length kept by padding its end
    let header_bytes = usize::try_from(u64::from_le_bytes(weights[..8].try_into().unwrap())).unwrap();
    let header =
        String::from_utf8(weights[8..8 + header_bytes].to_vec()).unwrap().replace("model.model.model.", "model.model.");
    let bare = test_model::raw_file(&header, &weights[8 + header_bytes..]);
    assert_eq!(read(bare).unwrap().adapter.factors, adapter.factors);
}

#[test]
fn refuses_by_name_what_it_would_compute_wrongly() {
    for (changes, words) in [
        (json!({"peft_type": "IA3"}), "`peft_type` \"IA3\""),
        (json!({"peft_type": null}), "`peft_type`"),
        (json!({"use_dora": true}), "`use_dora`"),
        (json!({"fan_in_fan_out": true}), "`fan_in_fan_out`"),
        (json!({"modules_to_save": ["lm_head"]}), "`modules_to_save`"),
        (json!({"rank_pattern": {"q_proj": 4}}), "`rank_pattern`"),
        (json!({"alpha_pattern": {"q_proj": 4}}), "`alpha_pattern`"),
        (json!({"layers_to_transform": [0]}), "`layers_to_transform`"),
        (json!({"layers_to_transform": 0}), "`layers_to_transform`"),
        (json!({"lora_bias": true}), "`lora_bias`"),
        (json!({"bias": "all"}), "`bias` \"all\""),
        (json!({"init_lora_weights": "pissa_niter_4"}), "pissa_niter_4"),
        (json!({"target_modules": ".*q_proj"}), "pattern \".*q_proj\""),
        (json!({"target_modules": []}), "`target_modules` is []"),
        (json!({"target_modules": null}), "`target_modules` is null"),
        (json!({"target_modules": ["q_proj", "lm_head"]}), "\"lm_head\""),
        (json!({"target_modules": ["mlp.q_proj"]}), "\"mlp.q_proj\""),
        (json!({"target_modules": [3]}), "holds 3"),
        (json!({"r": 0}), "`r` is 0"),
        (json!({"r": 2.5}), "`r` is 2.5"),
        (json!({"r": null}), "`r` is null"),
        (json!({"lora_alpha": "x"}), "`lora_alpha`"),
        (json!({"lora_dropout": 1}), "`lora_dropout` is 1"),
    ] {
        let message = read_with(&changes).expect_err(&changes.to_string());
        assert!(message.contains(words) && message.contains("runs/a/adapter_config.json"), "{changes}: {message}");
    }
    let no_json = adapter_from_bytes(b"{", Vec::new(), "a", &test_model::config());
    assert!(no_json.is_err());
}

#[test]
fn an_adapter_of_another_model_is_told_apart() {
    let message = read_with(&json!({"r": 4})).unwrap_err();
    assert!(
        message.contains("layers.0.self_attn.q_proj.lora_A.weight` has shape [2, 6], and this model needs [4, 6]"),
        "{message}"
    );
    assert!(message.contains("adapter of another model (made for `some/base`)"), "{message}");
    assert!(
        read_with(&json!({"target_modules": ["q_proj", "up_proj"]}))
            .unwrap_err()
            .contains("up_proj.lora_A.weight` is missing")
    );
    let message = read_with(&json!({"target_modules": ["q_proj"]})).unwrap_err();
    assert!(message.contains("down_proj.lora_A.weight` has no place"), "{message}");

    let (settings, weights) = adapter_to_bytes(&test_model::adapter(2, &TARGETS), "a", None, None).unwrap();
    for (layers, words) in [
        (3, "layers.2.self_attn.q_proj.lora_A.weight` is missing"),
        (1, "layers.1.mlp.down_proj.lora_A.weight` has no place"),
    ] {
        let model = ModelConfig { num_hidden_layers: layers, ..test_model::config() };
        let message = adapter_from_bytes(&settings, weights.clone(), "a", &model).unwrap_err().to_string();
        assert!(message.contains(words), "{message}");
    }
    let wider = ModelConfig { intermediate_size: 12, ..test_model::config() };
    assert!(
        check_fits(&test_model::adapter(2, &TARGETS), &wider, "a")
            .unwrap_err()
            .to_string()
            .contains("`down_proj` of layer 0")
    );
    let shorter = ModelConfig { num_hidden_layers: 1, ..test_model::config() };
    assert!(check_fits(&test_model::adapter(2, &TARGETS), &shorter, "a").unwrap_err().to_string().contains("layer 1"));
}

#[test]
fn missing_files_and_nan_are_sentences() {
    let folder = crate::platform::scratch::folder().unwrap();
    let refusal = || read_adapter(folder.path(), &test_model::config()).unwrap_err().to_string();
    assert!(refusal().contains("adapter_config.json: is not there"));
    fs::write(folder.path().join(CONFIG_FILE), settings_json().to_string()).unwrap();
    assert!(refusal().contains("adapter_model.safetensors: is not there"));
    fs::write(folder.path().join("adapter_model.bin"), "").unwrap();
    assert!(refusal().contains("safe_serialization=True"));

    let mut adapter = test_model::adapter(2, &TARGETS);
    adapter.factors.get_mut(&(1, Projection::QProj)).unwrap().lora_a[3] = f32::NAN;
    let message = write_adapter(folder.path(), &adapter, None, None).unwrap_err().to_string();
    assert!(message.contains("layers.1.self_attn.q_proj.lora_A.weight` holds NaN at index 3"), "{message}");
    adapter.factors.get_mut(&(1, Projection::QProj)).unwrap().lora_a.pop();
    assert!(write_adapter(folder.path(), &adapter, None, None).unwrap_err().to_string().contains("layer 1"));
}

#[test]
fn full_disk_leaves_both_old_files() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("adapter");
    let old = test_model::adapter(2, &TARGETS);
    write_adapter(&path, &old, None, None).unwrap();
    let new = test_model::adapter(3, &TARGETS);
    let (settings, weights) = adapter_to_bytes(&new, "a", None, None).unwrap();
    for room in [10, weights.len() + settings.len() - 1] {
        let error = quota::with(room, || write_adapter(&path, &new, None, None)).unwrap_err().to_string();
        assert!(error.contains("make room"), "{error}");
        assert_eq!(read_adapter(&path, &test_model::config()).unwrap().adapter, old);
        assert_eq!(names_in(&path).len(), 2);
    }
}
