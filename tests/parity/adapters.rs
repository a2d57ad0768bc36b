//! LoRA adapters against PEFT and torch's AdamW: logits, loss, the gradient of every factor, three optimiser steps, merging,
//! files; and several adapters in one pass.

use crate::oracle::{
    Fixture, GRADIENT, LOGITS, LOSS, PARAMETER, Scratch, by_key, close, close_by_key, close_number, cpu,
};
use crate::oracle::{flat_by_key, floats, load, open_without_tokenizer, real_positions, rows_of, text_batch, values};
use burn::tensor::Tensor;
use std::ops::ControlFlow;
use thalweg::data::batch::Batch;
use thalweg::engine::config::TrainingConfig;
use thalweg::engine::optimiser::AdamW;
use thalweg::io::merge::merge_adapter;
use thalweg::io::peft::{read_adapter, write_adapter};
use thalweg::model::llama::Pass;
use thalweg::model::{Adapter, AdapterVars, Llama, Targets, TensorSource};

const WITH_ADAPTERS: [&str; 2] = ["tiny-llama3", "tiny-qwen2"];

fn real_logits(model: &Llama, batch: &Batch, adapter: Option<&AdapterVars>) -> Vec<f32> {
    let hidden = model.forward(batch, Pass { adapter, ..Pass::default() }).last;
    values(model.logits(model.rows(hidden, &real_positions(batch))))
}

/// Mean loss and its gradient with respect to the flat vector.
fn loss_and_gradient(model: &Llama, batch: &Batch, adapter: &Adapter) -> (f32, Tensor<1>) {
    let vars = adapter.vars(true);
    let hidden = model.forward(batch, Pass { dropout: true, ..Pass::of(Some(&vars)) }).last;
    let loss = model.cross_entropy(hidden, &Targets::mean(batch, 1.0));
    (values(loss.value)[0], vars.gradient(&loss.surrogate.backward()))
}

#[test]
fn logits_loss_and_gradients_are_those_of_peft() {
    for name in WITH_ADAPTERS {
        let fixture = Fixture::open(name);
        let (model, batch) = (fixture.load(&cpu()), fixture.batch());
        let mut expected = fixture.adapter_expected();
        let adapter = fixture.adapter("adapter", model.device());
        let want = expected.read_f32("logits").unwrap();
        close(
            &format!("{name} adapted logits"),
            &real_logits(&model, &batch, Some(&adapter.vars(false))),
            &want,
            LOGITS,
        );
        let (loss, gradient) = loss_and_gradient(&model, &batch, &adapter);
        close_number(&format!("{name} adapted loss"), loss, &fixture.expected["adapter"]["loss"], LOSS);
        let outside: Vec<f32> =
            values(gradient.clone()).iter().zip(adapter.layout().mask()).map(|(g, mask)| g * (1.0 - mask)).collect();
        assert!(outside.iter().all(|g| *g == 0.0), "{name}: a gradient where no parameter is");
        let gradient = flat_by_key(&adapter, gradient);
        close_by_key(&format!("{name} gradient"), &gradient, &mut expected, "gradient/", GRADIENT);
    }
}

#[test]
fn three_steps_of_adamw_are_those_of_torch() {
    for name in WITH_ADAPTERS {
        let fixture = Fixture::open(name);
        let (model, batch) = (fixture.load(&cpu()), fixture.batch());
        let (said, settings) = (&fixture.expected["adapter"], &fixture.expected["adapter"]["adamw"]);
        let number = |value: &serde_json::Value| value.as_f64().unwrap();
        let training = TrainingConfig {
            learning_rate: number(&settings["lr"]),
            beta_1: number(&settings["betas"][0]),
            beta_2: number(&settings["betas"][1]),
            epsilon: number(&settings["eps"]),
            weight_decay: number(&settings["weight_decay"]),
            max_grad_norm: 0.0,
            ..TrainingConfig::default()
        };
        let mut adapter = fixture.adapter("adapter", model.device());
        let mut optimiser = AdamW::new(&adapter.flat());
        let mut losses = Vec::new();
        for _ in 0..settings["steps"].as_u64().unwrap() {
            let (loss, gradient) = loss_and_gradient(&model, &batch, &adapter);
            losses.push(loss);
            let (flat, norm) = optimiser.step(adapter.flat(), gradient.clone(), training.learning_rate, &training);
            let length = values(gradient).iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            close(&format!("{name} gradient norm"), &values(norm), &[length as f32], 1e-5 * length);
            adapter = adapter.with_flat(flat);
        }
        close(&format!("{name} losses before the steps"), &losses, &floats(&said["losses"]), LOSS);
        let after = flat_by_key(&adapter, adapter.flat());
        close_by_key(
            &format!("{name} after 3 steps"),
            &after,
            &mut fixture.adapter_expected(),
            "after_step_3/",
            PARAMETER,
        );
    }
}

#[test]
fn a_merged_folder_is_the_adapted_model() {
    for name in WITH_ADAPTERS {
        let fixture = Fixture::open(name);
        let scratch = Scratch::new();
        let merged_folder = scratch.0.join("merged");
        let plain = fixture.plain_adapter("adapter");
        let report =
            merge_adapter(&fixture.folder, &plain, &merged_folder, &mut |_, _| ControlFlow::Continue(())).unwrap();
        assert_eq!(report.merged_tensors, plain.factors.len(), "{name}");
        let mut opened = open_without_tokenizer(&merged_folder);
        let mut expected = fixture.adapter_expected();
        let weight = fixture.expected["adapter"]["merged_weight"].as_str().unwrap();
        let want = expected.read_f32(&format!("merged/{weight}")).unwrap();
        close(&format!("{name} merged weight"), &opened.tensors.read_f32(weight).unwrap(), &want, 1e-6);
        let model = load(&mut opened, &cpu(), 64, usize::MAX);
        let row = rows_of(&fixture.batch()).remove(0);
        let got = real_logits(&model, &text_batch(std::slice::from_ref(&row), row.len()), None);
        close(&format!("{name} merged logits"), &got, &expected.read_f32("merged_logits_row_0").unwrap(), LOGITS);
    }
}

#[test]
fn an_adapter_survives_files_and_the_device_bit_for_bit() {
    for name in WITH_ADAPTERS {
        let fixture = Fixture::open(name);
        let scratch = Scratch::new();
        let adapter = fixture.adapter("adapter", &cpu().device);
        let plain = Adapter::plain(adapter.layout(), &values(adapter.flat()));
        assert_eq!(plain, fixture.plain_adapter("adapter"), "{name}: on the device and back");
        write_adapter(&scratch.0, &plain, Some(name), None).unwrap();
        let back = read_adapter(&scratch.0, &fixture.config).unwrap();
        assert_eq!((back.adapter, back.base_model_name.as_deref()), (plain.clone(), Some(name)));
        let mut ours = thalweg::io::SafetensorsFile::open(&scratch.0.join("adapter_model.safetensors")).unwrap();
        close_by_key(&format!("{name} written keys"), &by_key(&plain), &mut ours, "", 0.0);
    }
}

#[test]
fn several_adapters_in_one_batch_are_as_each_alone() {
    for name in WITH_ADAPTERS {
        let fixture = Fixture::open(name);
        let (model, batch) = (fixture.load(&cpu()), fixture.batch());
        let first = fixture.adapter("adapter", model.device());
        let second = if name == "tiny-llama3" {
            fixture.adapter("adapter_slow", model.device())
        } else {
            first.with_flat(first.flat().mul_scalar(-0.5))
        };
        let middle = first.lerp(&second, 0.25);
        let third = {
            let (a, b) = (values(first.flat()), values(second.flat()));
            let want: Vec<f32> = a.iter().zip(&b).map(|(a, b)| 0.75 * a + 0.25 * b).collect();
            close(&format!("{name} a quarter of the way"), &values(middle.flat()), &want, 1e-6);
            middle
        };
        let stacked = Adapter::stack(&[&first, &second, &third]);
        assert_eq!(stacked.adapters(), 3);
        let rows = rows_of(&batch);
        let together = text_batch(&[rows.clone(), rows.clone(), rows].concat(), batch.seq);
        let got = real_logits(&model, &together, Some(&stacked));
        let single: Vec<Vec<f32>> = [&first, &second, &third]
            .into_iter()
            .map(|adapter| real_logits(&model, &batch, Some(&adapter.vars(false))))
            .collect();
        assert!(single[0].iter().zip(&single[1]).any(|(a, b)| (a - b).abs() > 0.1), "{name}: the adapters differ");
        close(&format!("{name} three adapters in one batch"), &got, &single.concat(), 1e-5);
    }
}
