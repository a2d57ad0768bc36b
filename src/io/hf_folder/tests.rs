//! Tests of whole model folders: what must be there, what is refused, and what the fingerprint tells apart.

use super::*;
use crate::io::safetensors::Dtype;
use crate::io::test_model::{config, weights, write_folder, write_sharded_folder, write_tensors};
use std::fs;

fn refusal(folder: &Path) -> String {
    HfFolder::open(folder).err().expect("must be refused").to_string()
}

#[test]
fn opens_a_whole_folder_and_reads_its_weights() {
    let folder = crate::platform::scratch::folder().unwrap();
    write_folder(folder.path(), Dtype::BF16);
    fs::write(folder.path().join("tokenizer_config.json"), "{}").unwrap();
    fs::write(folder.path().join("generation_config.json"), r#"{"eos_token_id": [9, 4, 2], "top_p": 0.9}"#).unwrap();
    let mut model = HfFolder::open(folder.path()).unwrap();
    assert_eq!(model.config, config());
    for (name, _, values) in weights(1) {
        assert_eq!(model.tensors.read_f32(&name).unwrap(), values);
    }
    assert_eq!(model.generation_eos_token_ids, [9, 4, 2]);
    assert_eq!(model.eos_token_ids(), [2, 4, 9]);
    assert_eq!(
        (model.tokenizer_json.as_slice(), model.tokenizer_config.as_deref()),
        (b"{}".as_slice(), Some(b"{}".as_slice()))
    );
    assert!(model.ignored_tensors.is_empty());
}

#[test]
fn opens_the_same_from_memory() {
    let folder = crate::platform::scratch::folder().unwrap();
    write_folder(folder.path(), Dtype::F16);
    let read = |name: &str| fs::read(folder.path().join(name)).unwrap();
    let parts = ModelParts {
        config_json: read("config.json").into(),
        safetensors: read("model.safetensors").into(),
        tokenizer_json: read("tokenizer.json").into(),
        tokenizer_config: None,
        generation_config: Some(b"{\"eos_token_id\": 3}".to_vec()),
    };
    let model = HfFolder::from_parts("embedded", parts).unwrap();
    assert_eq!(model.fingerprint, HfFolder::open(folder.path()).unwrap().fingerprint);
    assert_eq!(model.generation_eos_token_ids, [3]);
}

#[test]
fn each_missing_file_is_a_sentence_with_its_path() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path().join("model");
    assert!(refusal(&path).contains("is not there"), "{}", refusal(&path));
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
        write_folder(&path, Dtype::F32);
        fs::remove_file(path.join(name)).unwrap();
        let message = refusal(&path);
        assert!(message.contains(name) && message.contains(&path.display().to_string()), "{message}");
    }
    assert!(refusal(&path.join("config.json")).contains("is a file"));
    write_folder(&path, Dtype::F32);
    for (json, words) in [("{", "not valid JSON"), (r#"{"eos_token_id": "x"}"#, "eos_token_id")] {
        fs::write(path.join("generation_config.json"), json).unwrap();
        assert!(refusal(&path).contains(words) && refusal(&path).contains("generation_config.json"));
    }
}

#[test]
fn weights_of_another_model_are_refused_by_tensor() {
    let folder = crate::platform::scratch::folder().unwrap();
    let path = folder.path();
    write_folder(path, Dtype::F32);
    let file = path.join("model.safetensors");

    let without: Vec<_> = weights(1).into_iter().filter(|(name, ..)| !name.contains("layers.1.mlp")).collect();
    write_tensors(&file, &without, Dtype::F32);
    let message = refusal(path);
    assert!(message.contains("`model.layers.1.mlp.gate_proj.weight` is missing (3 of the 21 tensors"), "{message}");

    let headless: Vec<_> = weights(1).into_iter().filter(|(name, ..)| name != "lm_head.weight").collect();
    write_tensors(&file, &headless, Dtype::F32);
    assert!(refusal(path).contains("set `tie_word_embeddings` to true"), "{}", refusal(path));

    let mut misshapen = weights(1);
    misshapen
        .iter_mut()
        .filter(|(name, ..)| name == "model.layers.0.self_attn.k_proj.weight")
        .for_each(|(_, shape, _)| shape.reverse());
    write_tensors(&file, &misshapen, Dtype::F32);
    let message = refusal(path);
    assert!(message.contains("k_proj.weight` has shape [6, 2], but config.json asks for [2, 6]"), "{message}");
}

#[test]
fn a_type_that_cannot_be_read_is_refused_before_reading() {
    let folder = crate::platform::scratch::folder().unwrap();
    write_folder(folder.path(), Dtype::F32);
    let file = folder.path().join("model.safetensors");
    let bytes = fs::read(&file).unwrap();
    let place = bytes.windows(5).position(|five| five == b"\"F32\"").unwrap();
    let mut integers = bytes;
    integers[place..place + 5].copy_from_slice(b"\"I32\"");
    fs::write(&file, integers).unwrap();
    assert!(
        refusal(folder.path()).contains("is of type I32; supported are F32, F16 and BF16"),
        "{}",
        refusal(folder.path())
    );
}

#[test]
fn lists_ignored_tensors_but_not_harmless_ones() {
    let folder = crate::platform::scratch::folder().unwrap();
    write_folder(folder.path(), Dtype::F32);
    let mut tensors = weights(1);
    for name in ["score.weight", "model.layers.0.self_attn.rotary_emb.inv_freq"] {
        tensors.push((name.to_owned(), vec![1], vec![1.0]));
    }
    write_tensors(&folder.path().join("model.safetensors"), &tensors, Dtype::F32);
    assert_eq!(HfFolder::open(folder.path()).unwrap().ignored_tensors, ["score.weight"]);
}

#[test]
fn a_tied_head_may_be_stored_twice_but_not_differ() {
    let folder = crate::platform::scratch::folder().unwrap();
    write_folder(folder.path(), Dtype::F32);
    let tied = ModelConfig { tie_word_embeddings: true, ..config() };
    fs::write(folder.path().join("config.json"), tied.to_json()).unwrap();
    assert!(
        refusal(folder.path()).contains("`lm_head.weight` differs from `model.embed_tokens.weight`"),
        "{}",
        refusal(folder.path())
    );
    let mut tensors = weights(1);
    let last = tensors.len() - 1;
    tensors[last].2 = tensors[0].2.clone();
    write_tensors(&folder.path().join("model.safetensors"), &tensors, Dtype::F32);
    assert!(HfFolder::open(folder.path()).unwrap().ignored_tensors.is_empty());
}

#[test]
fn the_fingerprint_knows_weights_not_files() {
    let folder = crate::platform::scratch::folder().unwrap();
    let (one, shards, other) = (folder.path().join("one"), folder.path().join("shards"), folder.path().join("other"));
    write_folder(&one, Dtype::F16);
    write_sharded_folder(&shards, Dtype::F16);
    write_folder(&other, Dtype::F16);
    let mut changed = weights(1);
    changed[5].2[0] += 0.5;
    write_tensors(&other.join("model.safetensors"), &changed, Dtype::F16);
    let fingerprint = |folder: &Path| HfFolder::open(folder).unwrap().fingerprint;
    assert_eq!(fingerprint(&one).len(), 64);
    assert_eq!(fingerprint(&one), fingerprint(&shards));
    assert_ne!(fingerprint(&one), fingerprint(&other));
    assert_eq!(hexadecimal(&[0, 0xab, 0x7f]), "00ab7f");
}

/// The folders that transformers wrote for the parity tests (they have no tokenizer).
#[test]
fn reads_what_transformers_writes() {
    let fixtures = crate::platform::checkout().join("tests/fixtures");
    for name in ["tiny-llama3", "tiny-mistral", "tiny-qwen2", "tiny-qwen3"] {
        let (config, mut weights) = open_weights(&fixtures.join(name)).unwrap();
        check_tensors(&config, &mut weights).unwrap();
        assert_eq!(ignored_tensors(&config, &weights), Vec::<String>::new());
        let numbers: usize = weights.names().iter().map(|name| weights.read_f32(name).unwrap().len()).sum();
        assert_eq!(numbers as u64, config.parameter_count(), "{name}");
    }
}

#[test]
fn opens_the_real_models_where_they_are() {
    let models = crate::platform::checkout().join("../shared/data/models");
    if !models.exists() {
        eprintln!("SKIPPED: no real models at {}", models.display());
        return;
    }
    for (name, parameters) in [("stories260K", 260_032), ("babyllama-361", 0)] {
        let mut model = HfFolder::open(&models.join(name)).unwrap();
        if parameters > 0 {
            assert_eq!(model.config.parameter_count(), parameters);
        }
        let numbers: usize =
            expected_tensors(&model.config).iter().map(|(name, _)| model.tensors.read_f32(name).unwrap().len()).sum();
        assert_eq!(numbers as u64, model.config.parameter_count());
        assert_eq!(model.ignored_tensors, Vec::<String>::new());
    }
}
