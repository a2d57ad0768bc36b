//! What every method of the register owes: it differs from plain fine-tuning where its paper says so and nowhere else, its
//! gradient is that of the loss it reports, it shows that it acts, and it is scored with what it has learnt for a task.

use super::stream::{bits, config, method, prepare, train, without_dropout};
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use thalweg::continual::knobs::Knobs;
use thalweg::continual::{Learnt, Method, Setup, StepContext, TaskStart, find, register};
use thalweg::data::batch::Batch;
use thalweg::engine::prepare::Prepared;
use thalweg::engine::trainer::Trainer;
use thalweg::model::{Adapter, AdapterLayout, LoraConfig, Projection};

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

/// What the headline learner has learnt for a task, as numbers.
fn learnt(trainer: &Trainer, task: usize) -> Vec<f32> {
    let learner = trainer.learners(task).into_iter().find(|learner| learner.headline).unwrap();
    match learner.learnt {
        Learnt::Base => Vec::new(),
        Learnt::Adapters(adapters) => adapters.iter().flat_map(|adapter| host(adapter.flat())).collect(),
        Learnt::Prompt(prompt) => host(prompt.vectors()),
    }
}

/// Settings that let a method act in the few small steps of the tiny stream.
fn acting(name: &str) -> Vec<(&'static str, &'static str)> {
    match name {
        "ewc" => vec![("penalty", "10000"), ("fisher_examples", "10")],
        "gem" => vec![("memory_batch", "4")],
        "pp" => vec![("length", "3"), ("bottleneck", "8")],
        "l2p" => vec![("pool", "4"), ("length", "2"), ("top_k", "2")],
        _ => Vec::new(),
    }
}

/// Check 11. `acts` names a number that the method reports and that shows that it acts.
#[test]
fn every_method_differs_from_seq_and_shows_why() {
    let _alone = without_dropout();
    // Large steps, so that in 24 of them the tasks come to disagree.
    let fast = |name: &str, settings: &[(&str, &str)]| {
        let mut config = config(method(name, settings));
        config.training.learning_rate = 0.03;
        config
    };
    let seq = fast("seq", &[]);
    let prepared = prepare(&seq);
    let mut plain = Vec::new();
    train(&seq, &prepared, |trainer, _| plain.push(learnt(trainer, 0)));
    let from_the_second_task = ["er", "a_gem", "gem", "ewc", "lwf", "mc_sgd"];
    for entry in register() {
        let name = entry.name;
        if ["seq", "zero_shot"].contains(&name) {
            continue;
        }
        let config = fast(name, &acting(name));
        let (mut steps, mut last) = (Vec::new(), BTreeMap::new());
        let trainer = train(&config, &prepared, |trainer, report| {
            steps.push(learnt(trainer, trainer.position().task.min(2)));
            if let Some(report) = report {
                last.extend(report.diagnostics.clone());
                last.extend(report.losses.iter().map(|(name, value)| (name.clone(), f64::from(*value))));
                last.extend(report.learner_distance.map(|distance| ("learner_distance".into(), f64::from(distance))));
            }
        });
        assert_eq!(trainer.buffer().is_some(), entry.replays, "{name}: the register says whether it keeps a buffer");
        last.insert("buffer".into(), trainer.buffer().map_or(0.0, |buffer| buffer.len() as f64));
        assert_eq!(steps.len(), 24, "{name}");
        if from_the_second_task.contains(&name) {
            for step in 0..8 {
                assert_eq!(
                    bits(&steps[step]),
                    bits(&plain[step]),
                    "{name} is seq in the first task, step {}",
                    step + 1
                );
            }
        }
        assert!(bits(&steps[23]) != bits(&plain[23]), "{name} ends elsewhere than seq");
        let acts: &[&str] = match name {
            "er" => &["buffer", "replay"],
            "der" => &["buffer", "logit_distance"],
            "derpp" => &["buffer", "logit_distance", "replay"],
            "a_gem" | "gem" => &["buffer", "gradients_held_against_memory", "gradients_projected"],
            "ewc" => &["fisher_mean", "penalty"],
            "lwf" => &["distillation"],
            "o_lora" => &["frozen_adapters", "overlap"],
            "l2p" => &["prompts_used", "similarity"],
            "pp" => &["prompt_vectors"],
            "mc_sgd" => &["buffer", "line_to_old", "line_to_new", "distance_to_old", "distance_to_new"],
            "i_lora" => &["buffer", "consistency", "learner_distance"],
            "one" => &["adapters"],
            "mtl" => &["total"],
            other => panic!("say here what shows that `{other}` acts"),
        };
        eprintln!("{name}: {last:?}");
        for number in acts {
            assert!(last.get(*number).is_some_and(|value| *value > 0.0), "{name}: {number} in {last:?}");
        }
    }
}

/// GEM and A-GEM see several tasks' memories; with gradient accumulation the whole step's gradient is held against them.
#[test]
fn projections_hold_the_whole_step() {
    let _alone = without_dropout();
    for name in ["a_gem", "gem"] {
        let mut config = config(method(name, &acting(name)));
        config.training.gradient_accumulation = 2;
        let mut held = 0.0;
        train(&config, &prepare(&config), |_, report| {
            if let Some(report) = report {
                let number = |name: &str| report.diagnostics.iter().find(|(known, _)| known == name).unwrap().1;
                held = number("gradients_held_against_memory");
                assert!(number("gradients_projected") <= held);
            }
        });
        assert_eq!(held, 16.0, "{name}: once for each step of the second and third task");
    }
}

/// Methods that isolate parameters answer for each task with what they learnt for it, and for a later task with what there is.
#[test]
fn each_task_is_answered_with_what_was_learnt_for_it() {
    let _alone = without_dropout();
    for (name, grows) in [("one", false), ("o_lora", true), ("pp", true)] {
        let config = config(method(name, &acting(name)));
        let mut at_end: Vec<Vec<f32>> = Vec::new();
        let trainer = train(&config, &prepare(&config), |trainer, _| {
            let position = trainer.position();
            if position.task_step == 8 {
                at_end.push(learnt(trainer, position.task));
            }
        });
        for task in 0..3 {
            let now = learnt(&trainer, task);
            if name == "o_lora" {
                // All adapters together, whatever the task.
                assert_eq!(now.len(), 3 * at_end[0].len());
                let length = at_end[0].len();
                assert_eq!(bits(&now[task * length..(task + 1) * length]), bits(&at_end[task][task * length..]));
            } else {
                assert_eq!(bits(&now), bits(&at_end[task]), "{name}: task {task}");
            }
        }
        assert_eq!(at_end[2].len() > at_end[0].len(), grows, "{name}");
        assert_ne!(at_end[0], at_end[1]);
    }
    let config = config(method("one", &[]));
    let prepared = prepare(&config);
    let trainer = Trainer::new(&config, &prepared).unwrap();
    assert!(matches!(trainer.learners(1)[0].learnt, Learnt::Base), "a later task has no adapter yet");
}

/// A method in its second task, between points that are neither zero nor equal, and everything that a step needs.
struct Scene {
    prepared: Arc<Prepared>,
    method: Box<dyn Method>,
    current: Batch,
    replay: Batch,
    stored: Tensor<2>,
}

impl Scene {
    fn new(name: &str, settings: &[(&str, &str)]) -> Self {
        let prepared = prepare(&config(method("seq", &[])));
        let llama = &prepared.model.llama;
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let lora =
            LoraConfig { rank: 2, lora_alpha: 4.0, target_modules: Projection::ALL.to_vec(), ..LoraConfig::default() };
        let layout = Arc::new(AdapterLayout::new(&llama.config, &lora).unwrap());
        let adapter = Adapter::init(&layout, &mut rng, llama.device());
        let entry = find(name).unwrap();
        let given = settings.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
        let knobs = Knobs::parse(&entry, None, &given).unwrap();
        let setup = Setup { adapter, model: llama, knobs: &knobs, rng: &mut rng };
        let mut method = (entry.make)(setup).unwrap();
        let batch = |task: usize, rows: std::ops::Range<usize>| {
            let rows: Vec<_> = prepared.tasks[task].train[rows].iter().collect();
            Batch::from_encoded(&rows, 0, 8).unwrap()
        };
        let (current, replay) = (batch(1, 0..4), batch(0, 0..4));
        let moved = |flat: Tensor<1>, rng: &mut ChaCha8Rng| {
            let noise: Vec<f32> = (0..flat.dims()[0]).map(|_| rng.random_range(-0.1..0.1)).collect();
            let noise = Tensor::from_data(TensorData::new(noise, [flat.dims()[0]]), &flat.device());
            // structural zeros stay
            flat.clone() + noise * mask(&flat, &layout)
        };
        method.begin_task(TaskStart { task: 0, model: llama, rng: &mut rng }).unwrap();
        method.set_parameters(moved(method.parameters(), &mut rng));
        for (index, example) in prepared.tasks[0].train[..method.end_examples().min(5)].iter().enumerate() {
            method.observe(llama, &Batch::from_encoded(&[example], 0, 8).unwrap(), index);
        }
        method.end_task(0, llama);
        method.begin_task(TaskStart { task: 1, model: llama, rng: &mut rng }).unwrap();
        method.set_parameters(moved(method.parameters(), &mut rng));
        let vocab = llama.config.vocab_size;
        let logits: Vec<f32> = (0..replay.target_ids.len() * vocab).map(|_| rng.random_range(-1.0..1.0)).collect();
        let stored = Tensor::from_data(TensorData::new(logits, [replay.target_ids.len(), vocab]), llama.device());
        let mut scene = Self { prepared, method, current, replay, stored };
        // MC-SGD's second stage begins between two points: let it, then leave the middle.
        scene.look();
        let flat = moved(scene.method.parameters(), &mut rng);
        scene.method.set_parameters(flat);
        scene
    }

    /// The loss that the method reports, and its gradient.
    fn look(&mut self) -> (f64, Vec<f32>) {
        let context = StepContext {
            replay: Some(&self.replay),
            stored_logits: Some(&self.stored),
            step: 20,
            task: 1,
            task_step: 10,
            task_steps: 10,
            ..StepContext::new(&self.prepared.model.llama, &self.current)
        };
        let result = self.method.gradient(&context).unwrap();
        let (name, total) = result.terms.into_iter().next().unwrap();
        assert_eq!(name, "total");
        (f64::from(host(total)[0]), host(result.gradient))
    }
}

/// 1 where a parameter is; prompts have no other places.
fn mask(flat: &Tensor<1>, layout: &AdapterLayout) -> Tensor<1> {
    let length = flat.dims()[0];
    let mask = if length == layout.length() { layout.mask() } else { vec![1.0; length] };
    Tensor::from_data(TensorData::new(mask, [length]), &flat.device())
}

/// Along random directions the reported loss changes as the gradient says (central differences).
#[test]
fn every_gradient_is_that_of_the_reported_loss() {
    let _alone = without_dropout();
    let cases: [(&str, &[(&str, &str)]); 16] = [
        ("seq", &[]),
        ("er", &[]),
        ("er", &[("ce", "pooled")]),
        ("der", &[("alpha", "2")]),
        ("derpp", &[("alpha", "2"), ("beta", "0.7")]),
        ("ewc", &[("penalty", "3"), ("fisher_examples", "5")]),
        ("ewc", &[("penalty", "3"), ("fisher_examples", "5"), ("variant", "online")]),
        ("lwf", &[("weight", "3")]),
        ("o_lora", &[("orthogonality", "0.5"), ("shrinkage", "0.1")]),
        ("l2p", &[("pool", "4"), ("length", "2"), ("top_k", "2"), ("pull", "0.5")]),
        ("pp", &[("length", "3"), ("bottleneck", "8")]),
        ("pp", &[("length", "3"), ("bottleneck", "0")]),
        ("mc_sgd", &[("points", "3")]),
        ("i_lora", &[("gamma", "0.5")]),
        ("one", &[]),
        ("mtl", &[]),
    ];
    for (name, settings) in cases {
        let mut scene = Scene::new(name, settings);
        let flat = host(scene.method.parameters());
        let (_, gradient) = scene.look();
        assert!(gradient.iter().any(|value| *value != 0.0), "{name}: there is a gradient");
        let length = gradient.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
        let mut rng = ChaCha8Rng::seed_from_u64(11);
        for direction in 0..3 {
            // Mostly along the gradient, where the change is largest against rounding, and a part across it.
            let step: Vec<f32> = gradient
                .iter()
                .map(|value| {
                    let across = if *value == 0.0 { 0.0 } else { rng.random_range(-1.0..1.0) };
                    value / length as f32 + 0.5 * across / (gradient.len() as f32).sqrt()
                })
                .collect();
            let expected: f64 = gradient.iter().zip(&step).map(|(g, d)| f64::from(*g) * f64::from(*d)).sum();
            let mut at = |size: f32| {
                let moved: Vec<f32> = flat.iter().zip(&step).map(|(value, d)| value + size * d).collect();
                let device = scene.prepared.model.llama.device().clone();
                scene.method.set_parameters(Tensor::from_data(TensorData::new(moved, [flat.len()]), &device));
                scene.look().0
            };
            let size = 4e-3;
            let measured = (at(size) - at(-size)) / (2.0 * f64::from(size));
            let off = (measured - expected).abs() / expected.abs();
            eprintln!(
                "{name} {settings:?} {direction}: measured {measured:.6}, gradient says {expected:.6}, {off:.1e} off"
            );
            assert!(off < 0.02, "{name} {settings:?}: {measured} is not {expected}");
        }
    }
}
