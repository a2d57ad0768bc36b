//! Tests of merging: against a product computed by hand, and against PEFT's `merge_and_unload`.

use super::*;
use crate::io::atomic::quota;
use crate::io::peft::read_adapter;
use crate::io::safetensors::{Dtype, ShardedFolder};
use crate::io::test_model::{self, names_in, weights, write_folder, write_sharded_folder, write_tensors};

fn all(_: usize, _: usize) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn adds_the_scaled_product_and_leaves_the_rest() {
    let folder = crate::platform::scratch::folder().unwrap();
    let (base, out) = (folder.path().join("base"), folder.path().join("out"));
    write_folder(&base, Dtype::F32);
    let adapter = test_model::adapter(2, &[Projection::KProj, Projection::UpProj]);
    let mut seen = Vec::new();
    let report = merge_adapter(&base, &adapter, &out, &mut |done, total| {
        seen.push((done, total));
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(report.merged_tensors, 4);
    assert_eq!(report.copied_files, ["config.json", "tokenizer.json"]);
    assert_eq!((seen.first(), seen.last(), seen.len()), (Some(&(1, 21)), Some(&(21, 21)), 21));
    let mut merged = ShardedFolder::open(&out).unwrap();
    for (name, shape, values) in weights(1) {
        let found = merged.read_f32(&name).unwrap();
        let layer = usize::from(name.contains("layers.1."));
        let projection =
            [Projection::KProj, Projection::UpProj].into_iter().find(|projection| name.contains(projection.name()));
        for (index, value) in found.iter().enumerate() {
            let mut expected = f64::from(values[index]);
            if let Some(projection) = projection {
                let factors = &adapter.factors[&(layer, projection)];
                let (row, column) = (index / shape[1], index % shape[1]);
                for k in 0..2 {
                    // alpha 3 over rank 2
                    expected +=
                        1.5 * f64::from(factors.lora_b[row * 2 + k]) * f64::from(factors.lora_a[k * shape[1] + column]);
                }
            }
            assert!((f64::from(*value) - expected).abs() < 1e-6, "{name} {index}: {value} against {expected}");
        }
    }
}

#[test]
fn equals_the_merge_of_peft() {
    let fixtures = crate::platform::checkout().join("tests/fixtures");
    for name in ["tiny-llama3", "tiny-qwen2"] {
        let base = fixtures.join(name);
        let (config, _) = open_weights(&base).unwrap();
        let adapter = read_adapter(&base.join("adapter"), &config).unwrap().adapter;
        let folder = crate::platform::scratch::folder().unwrap();
        merge_adapter(&base, &adapter, &folder.path().join("out"), &mut all).unwrap();
        let mut merged = ShardedFolder::open(&folder.path().join("out")).unwrap();
        let mut expected = SafetensorsFile::open(&base.join("adapter_expected.safetensors")).unwrap();
        let keys: Vec<_> = expected.names().into_iter().filter(|key| key.starts_with("merged/")).collect();
        assert!(!keys.is_empty());
        for key in keys {
            let tensor = key.strip_prefix("merged/").unwrap();
            let tensor = if tensor.ends_with(".weight") { tensor.to_owned() } else { format!("{tensor}.weight") };
            let (found, theirs) = (merged.read_f32(&tensor).unwrap(), expected.read_f32(&key).unwrap());
            assert_eq!(found.len(), theirs.len());
            let largest = found.iter().zip(&theirs).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest < 1e-6, "{name} {tensor}: {largest}");
        }
    }
}

#[test]
fn keeps_shards_types_and_untouched_bytes() {
    let folder = crate::platform::scratch::folder().unwrap();
    let (base, out) = (folder.path().join("base"), folder.path().join("out"));
    write_sharded_folder(&base, Dtype::BF16);
    for name in
        ["README.md", "pytorch_model.bin", "consolidated.safetensors", ".hidden", "pytorch_model.bin.index.json"]
    {
        fs::write(base.join(name), name).unwrap();
    }
    fs::create_dir(base.join("original")).unwrap();
    fs::create_dir(&out).unwrap();
    let adapter = test_model::adapter(1, &[Projection::VProj]);
    let report = merge_adapter(&base, &adapter, &out, &mut all).unwrap();
    assert_eq!(report.copied_files, ["README.md", "config.json", "model.safetensors.index.json", "tokenizer.json"]);
    assert_eq!(
        report.left_out_files,
        ["consolidated.safetensors", "pytorch_model.bin", "pytorch_model.bin.index.json"]
    );
    let (mut before, mut after) = (ShardedFolder::open(&base).unwrap(), ShardedFolder::open(&out).unwrap());
    let mut changed = Vec::new();
    for (name, ..) in weights(1) {
        assert_eq!(after.file_of(&name).unwrap().entry(&name), before.file_of(&name).unwrap().entry(&name));
        if before.read_f32(&name).unwrap() != after.read_f32(&name).unwrap() {
            changed.push(name);
        }
    }
    assert_eq!(changed, ["model.layers.0.self_attn.v_proj.weight", "model.layers.1.self_attn.v_proj.weight"]);
    assert_eq!(names_in(folder.path()), ["base", "out"]);
}

#[test]
fn whatever_fails_leaves_nothing_behind() {
    let folder = crate::platform::scratch::folder().unwrap();
    let (base, out) = (folder.path().join("base"), folder.path().join("out"));
    write_folder(&base, Dtype::F16);
    let adapter = test_model::adapter(1, &[Projection::VProj]);
    let cancelled = merge_adapter(&base, &adapter, &out, &mut |done, _| {
        if done == 5 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(cancelled, Err(IoError::Cancelled { .. })));
    assert_eq!(names_in(folder.path()), ["base"]);

    let full = quota::with(700, || merge_adapter(&base, &adapter, &out, &mut all)).unwrap_err().to_string();
    assert!(full.contains("make room"), "{full}");
    assert_eq!(names_in(folder.path()), ["base"]);

    let mut large = adapter.clone();
    large.factors.get_mut(&(1, Projection::VProj)).unwrap().lora_b.fill(1e5);
    let overflow = merge_adapter(&base, &large, &out, &mut all).unwrap_err().to_string();
    assert!(overflow.contains("layers.1.self_attn.v_proj.weight` holds") && overflow.contains("F16"), "{overflow}");
    assert_eq!(names_in(folder.path()), ["base"]);

    let mut foreign = adapter.clone();
    foreign.factors.get_mut(&(1, Projection::VProj)).unwrap().in_features = 7;
    assert!(merge_adapter(&base, &foreign, &out, &mut all).unwrap_err().to_string().contains("`v_proj` of layer 1"));

    let onto_itself = merge_adapter(&base, &adapter, &base, &mut all).unwrap_err().to_string();
    assert!(onto_itself.contains("exists already and is not empty"), "{onto_itself}");

    let mut damaged = weights(1);
    damaged.pop();
    write_tensors(&base.join("model.safetensors"), &damaged, Dtype::F16);
    assert!(
        merge_adapter(&base, &adapter, &out, &mut all).unwrap_err().to_string().contains("`lm_head.weight` is missing")
    );
    assert_eq!(names_in(folder.path()), ["base"]);
}
