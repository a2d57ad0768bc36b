//! Does a WebGPU device compute what the CPU device computes? Every kernel in odd shapes, one training step of every method and of
//! every form of I-LoRA, generated text. Any adapter will do, a software renderer such as lavapipe included.
//!
//! Without an adapter the tests say loudly that they tested nothing; with `THALWEG_REQUIRE_GPU=1` they fail instead.
//! `THALWEG_TEST_GPU` chooses an adapter by number or by a part of its name.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends by panicking")]
#![allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "sizes and token ids of tests are small"
)]

#[path = "../src/platform/checkout.rs"]
mod checkout;
#[path = "parity/oracle.rs"]
mod oracle;

use burn::tensor::{Device, Tensor};
use oracle::{Fixture, close, close_in_length, cpu, fixtures, greedy, json, random, scalar, tensor, values};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use thalweg::continual::knobs::Knobs;
use thalweg::continual::{Correction, Method, Reading, Setup, StepContext, TaskStart, find, register};
use thalweg::data::batch::Batch;
use thalweg::engine::config::TrainingConfig;
use thalweg::engine::device::{OpenDevice, adapters, open_adapter, pick};
use thalweg::engine::optimiser::AdamW;
use thalweg::kernels::{self, AdamWStep, AttentionShape};
use thalweg::model::{Adapter, AdapterLayout, LoraConfig, Projection};

/// The right to use the device: one test at a time, so that a slow renderer is not asked for everything at once.
struct Turn {
    _lock: MutexGuard<'static, ()>,
    started: f64,
}

impl Drop for Turn {
    fn drop(&mut self) {
        println!("{:.1} s on the device", thalweg::platform::now_secs() - self.started);
    }
}

/// The device, opened once for all tests.
fn gpu() -> Option<(&'static OpenDevice, Turn)> {
    static DEVICE: OnceLock<Option<OpenDevice>> = OnceLock::new();
    static TURN: Mutex<()> = Mutex::new(());
    let lock = TURN.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let device = DEVICE.get_or_init(|| {
        thalweg::platform::block_on(async {
            let found = adapters().await;
            if found.is_empty() {
                return None;
            }
            let chosen = pick(&found, std::env::var("THALWEG_TEST_GPU").ok().as_deref()).unwrap();
            Some(open_adapter(chosen).await.unwrap())
        })
        .unwrap()
    });
    match device {
        Some(device) => {
            println!("on {}", device.name);
            Some((device, Turn { _lock: lock, started: thalweg::platform::now_secs() }))
        }
        None if std::env::var("THALWEG_REQUIRE_GPU").is_ok_and(|value| value == "1") => {
            panic!("no WebGPU adapter was found, and THALWEG_REQUIRE_GPU is 1");
        }
        None => {
            eprintln!("!!! NOT TESTED: no WebGPU adapter was found, so nothing was compared with the CPU");
            None
        }
    }
}

/// Compares what `compute` gives on both devices, each output relative to its largest number.
fn same(what: &str, gpu: &OpenDevice, tolerance: f64, compute: impl Fn(&Device) -> Vec<Vec<f32>>) {
    let (want, got) = (compute(&cpu().device), compute(&gpu.device));
    assert_eq!(want.len(), got.len());
    for (index, (got, want)) in got.iter().zip(&want).enumerate() {
        let largest = want.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(largest > 0.0, "{what}: output {index} is all zero");
        close(&format!("{what}, output {index}"), got, want, tolerance * f64::from(largest.max(1.0)));
    }
}

/// Outputs of a differentiable kernel and the gradients of the leaves, for a random gradient of the output.
fn with_gradients(out: Tensor<2>, gradients_of: impl Fn(&burn::tensor::Gradients) -> Vec<Vec<f32>>) -> Vec<Vec<f32>> {
    let weights = random(99, out.dims(), &out.device().without_autodiff());
    let gradients = (out.clone() * weights).sum().backward();
    [vec![values(out)], gradients_of(&gradients)].concat()
}

fn leaf<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    random(seed, shape, device).autodiff().require_grad()
}

/// More rows than workgroups fit in one dimension of a launch.
const MANY: usize = 65_535 + 1_234;
/// More invocations than 65,535 workgroups of 256 hold.
const MANY_ELEMENTS: usize = 1 << 24;

#[test]
fn rms_norm() {
    let Some((gpu, _turn)) = gpu() else { return };
    for (rows, columns) in [(1, 1), (5, 7), (33, 65), (301, 129), (2, 1000), (MANY, 3)] {
        same(&format!("rms_norm {rows} x {columns}"), gpu, 1e-5, |device| {
            let (x, w) = (leaf(1, [rows, columns], device), leaf(2, [columns], device));
            with_gradients(kernels::rms_norm(x.clone(), w.clone(), 1e-3), |gradients| {
                let mut both = vec![values(x.grad(gradients).unwrap())];
                // The weight's gradient is one loop over the rows, and Mesa's llvmpipe ends a shader's loops after 65,535 turns
                // (LP_MAX_TGSI_LOOP_ITERATIONS): no sum over that many rows is right on it, burn's own included.
                if rows < MANY {
                    both.push(values(w.grad(gradients).unwrap()));
                }
                both
            })
        });
    }
}

#[test]
fn swiglu() {
    let Some((gpu, _turn)) = gpu() else { return };
    for (rows, columns) in [(1, 1), (5, 7), (200, 101), (MANY, 3)] {
        same(&format!("swiglu {rows} x {columns}"), gpu, 1e-5, |device| {
            let x = random(1, [rows, 2 * columns], device).mul_scalar(12.0).autodiff().require_grad();
            with_gradients(kernels::swiglu(x.clone()), |gradients| vec![values(x.grad(gradients).unwrap())])
        });
    }
}

#[test]
fn lora_linear() {
    let Some((gpu, _turn)) = gpu() else { return };
    for (k, block, input, rank, output) in [(3, 4, 9, 2, 13), (1, 150, 65, 8, 130)] {
        same(&format!("lora_linear {} x {input} to {output}, {k} of rank {rank}", k * block), gpu, 1e-5, |device| {
            let w = random(4, [input, output], device);
            let (x, a, b) = (
                leaf(1, [k * block, input], device),
                leaf(2, [k, rank, input], device),
                leaf(3, [k, output, rank], device),
            );
            with_gradients(kernels::lora_linear(x.clone(), w, a.clone(), b.clone()), |gradients| {
                vec![
                    values(x.grad(gradients).unwrap()),
                    values(a.grad(gradients).unwrap()),
                    values(b.grad(gradients).unwrap()),
                ]
            })
        });
    }
}

#[test]
fn attention() {
    let Some((gpu, _turn)) = gpu() else { return };
    // the last has more rows of scores than workgroups fit in one dimension
    for (batch, seq, heads, kv_heads, head_dim) in [(3, 7, 6, 2, 10), (2, 70, 3, 1, 34), (600, 15, 8, 2, 2)] {
        let shape = AttentionShape { batch, seq, heads, kv_heads, head_dim };
        same(&format!("attention {batch} x {seq}, {heads}:{kv_heads} heads of {head_dim}"), gpu, 1e-5, |device| {
            let table = random(7, [seq + 5, head_dim], device);
            let qkv = random(1, [batch * seq, shape.qkv_columns()], device).mul_scalar(2.0).autodiff().require_grad();
            let (context, k, v) = kernels::attention_with_cache(qkv.clone().without_autodiff(), table.clone(), shape);
            let trained = with_gradients(kernels::attention(qkv.clone(), table, shape), |gradients| {
                vec![values(qkv.grad(gradients).unwrap())]
            });
            [vec![values(context), values(k), values(v)], trained].concat()
        });
    }
}

#[test]
fn softmax_of_chunks() {
    let Some((gpu, _turn)) = gpu() else { return };
    for (rows, columns, offset) in [(1, 2, 0), (5, 101, 0), (7, 101, 40), (33, 1000, 517), (MANY, 3, 1)] {
        same(&format!("softmax {rows} x {columns} from {offset}"), gpu, 1e-5, |device| {
            let logits = random(1, [rows, columns], device).mul_scalar(9.0);
            // inside the chunk, before it and behind it
            let ids = (0..rows).map(|row| ((row * 37 + offset) % (columns + 2 * offset)) as f32).collect();
            let ids = tensor(ids, [rows], device);
            let stats = kernels::softmax_stats(logits.clone(), ids.clone(), offset as f32);
            // in the log, and a target that is not in the chunk as -1: the numbers have one size then
            let column = |index: usize| stats.clone().slice([0..rows, index..index + 1]);
            let stats = [values(column(0)), values(column(1).log()), values(column(2).clamp_min(-10.0))];
            let lse = (column(0) + column(1).log()).reshape([rows]);
            let weights = random(3, [rows], device);
            [stats.to_vec(), vec![values(kernels::softmax_grad(logits, lse, ids, weights, offset as f32))]].concat()
        });
    }
}

fn step_settings() -> AdamWStep {
    AdamWStep {
        learning_rate: 0.01,
        beta_1: 0.9,
        beta_2: 0.99,
        epsilon: 1e-6,
        weight_decay: 0.1,
        correction_1: 1.7,
        correction_2: 3.1,
    }
}

#[test]
fn adamw() {
    let Some((gpu, _turn)) = gpu() else { return };
    for count in [1, 5, 257, 20_011] {
        same(&format!("adamw {count}"), gpu, 1e-5, |device| {
            let vector = |seed| random(seed, [count], device);
            let moments = (vector(3), vector(4).abs());
            let scale = tensor(vec![0.3], [1], device);
            let (p, m, v) = kernels::adamw(vector(1), vector(2), moments, scale, step_settings());
            vec![values(p), values(m), values(v)]
        });
    }
}

#[test]
fn launches_of_more_elements_than_fit_in_one_dimension() {
    let Some((gpu, _turn)) = gpu() else { return };
    // The whole result would take long to make on the CPU: the first rows are compared, and the last ones, which the second
    // line of workgroups computes in part.
    let columns = 16;
    let rows = MANY_ELEMENTS / columns;
    let block = 64;
    let starts = [0, rows - block];
    let tile: Vec<f32> = oracle::noise(1, 8_191);
    let many =
        |shift: usize, count: usize| -> Vec<f32> { tile.iter().cycle().skip(shift).take(count).copied().collect() };
    let pieces = |out: &Tensor<2>, scale: usize| -> Vec<f32> {
        let columns = out.dims()[1];
        starts.iter().flat_map(|&s| values(out.clone().slice([s * scale..(s + block) * scale, 0..columns]))).collect()
    };
    let part = |whole: &[f32], width: usize| -> Vec<f32> {
        starts.iter().flat_map(|&s| whole[s * width..(s + block) * width].to_vec()).collect()
    };
    let few = starts.len() * block;
    let host = cpu().device;

    let (x, u) = (many(0, rows * 2), many(5, rows));
    let (w, v) = (oracle::noise(2, 2 * columns), oracle::noise(3, columns));
    let lora = |device: &Device, x: Vec<f32>, n: usize| {
        let a = tensor(vec![0.5, -0.25], [1, 1, 2], device);
        let b = tensor(v.clone(), [1, columns, 1], device);
        kernels::lora_linear(tensor(x, [n, 2], device), tensor(w.clone(), [2, columns], device), a, b)
    };
    let got = pieces(&lora(&gpu.device, x.clone(), rows), 1);
    close("low_rank_add, 2^24 outputs", &got, &values(lora(&host, part(&x, 2), few)), 1e-5);

    let logits = many(11, rows * columns);
    let gradient = |device: &Device, logits: Vec<f32>, u: Vec<f32>, n: usize| {
        let ids: Vec<f32> = (0..n).map(|row| (row % columns) as f32).collect();
        let vector = |values: Vec<f32>| tensor(values, [n], device);
        kernels::softmax_grad(tensor(logits, [n, columns], device), vector(u.clone()), vector(ids), vector(u), 0.0)
    };
    // every block starts at a multiple of the number of columns, so the targets of the pieces are those of the whole
    assert!(starts.iter().all(|start| start % columns == 0) && block % columns == 0);
    let got = pieces(&gradient(&gpu.device, logits.clone(), u.clone(), rows), 1);
    close("softmax_grad, 2^24 logits", &got, &values(gradient(&host, part(&logits, columns), part(&u, 1), few)), 1e-5);

    let gate_up = many(3, rows * columns);
    let gated = |device: &Device, x: Vec<f32>, n: usize| kernels::swiglu(tensor(x, [n, 2], device));
    let limit = gpu.max_binding_bytes;
    if limit >= MANY_ELEMENTS * 8 {
        let whole = [gate_up.clone(), gate_up.clone()].concat();
        let got = pieces(&gated(&gpu.device, whole.clone(), MANY_ELEMENTS), columns);
        close("swiglu, 2^24 outputs", &got, &values(gated(&host, part(&whole, 2 * columns), few * columns)), 1e-5);
    } else {
        eprintln!("swiglu with 2^24 outputs needs a binding of 128 MiB, and this adapter has {limit} bytes");
    }

    let updated = |device: &Device, p: Vec<f32>| {
        let n = p.len();
        let vector = |values: Vec<f32>| tensor(values, [n], device);
        let moments = (vector(p.clone()), vector(p.clone()).abs());
        let scale = tensor(vec![0.3], [1], device);
        kernels::adamw(vector(p.clone()), vector(p), moments, scale, step_settings()).0.reshape([n / columns, columns])
    };
    let got = pieces(&updated(&gpu.device, logits.clone()), 1);
    close("adamw, 2^24 parameters", &got, &values(updated(&host, part(&logits, columns))), 1e-5);
}

/// One training step of a method on a device: terms by name, gradient, gradient norm, parameters and slow learner after it.
struct Step {
    terms: Vec<(&'static str, f32)>,
    gradient: Vec<f32>,
    norm: f32,
    parameters: Vec<f32>,
    slow: Vec<f32>,
}

fn train_once(fixture: &Fixture, device: &OpenDevice, settings: &[(&str, &str)], batches: &[Batch; 2]) -> Step {
    // a tied or untied head in three chunks on both devices
    let chunk = fixture.config.vocab_size.div_ceil(3) * fixture.config.hidden_size * 4;
    let model = fixture.load_with(device, chunk);
    let lora = LoraConfig { rank: 3, lora_alpha: 6.0, lora_dropout: 0.0, target_modules: Projection::ALL.to_vec() };
    let layout = Arc::new(AdapterLayout::new(&fixture.config, &lora).unwrap());
    let mask = layout.mask();
    let adapter = |seed| {
        let values = oracle::noise(seed, layout.length()).iter().zip(&mask).map(|(v, m)| 0.3 * v * m).collect();
        Adapter::from_values(&layout, values, &device.device)
    };
    let entry = find("i_lora").unwrap();
    let given: BTreeMap<String, String> =
        settings.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
    let knobs = Knobs::parse(&entry, None, &given).unwrap();
    let setup = Setup { adapter: adapter(1), model: &model, knobs: &knobs, rng: &mut ChaCha8Rng::seed_from_u64(0) };
    let mut method: Box<dyn Method> = (entry.make)(setup).unwrap();
    method.restore(&BTreeMap::from([("long_term".to_string(), adapter(2).flat())])).unwrap();
    let [current, replay] = batches;
    let context = StepContext { replay: Some(replay), step: 3, task: 1, ..StepContext::new(&model, current) };
    let result = method.gradient(&context).unwrap();
    let training =
        TrainingConfig { epsilon: 1e-4, weight_decay: 0.01, max_grad_norm: 1.0, ..TrainingConfig::default() };
    let mut optimiser = AdamW::new(&method.parameters());
    let (parameters, norm) = optimiser.step(method.parameters(), result.gradient.clone(), 0.02, &training);
    method.set_parameters(parameters);
    method.after_step(3);
    Step {
        terms: result.terms.into_iter().map(|(name, value)| (name, scalar(value))).collect(),
        gradient: values(result.gradient),
        norm: scalar(norm),
        parameters: values(method.parameters()),
        slow: values(method.learners(0)[1].learnt.adapter().unwrap().flat()),
    }
}

/// The reference's batches with token ids that the model has.
fn batches(vocab_size: usize) -> [Batch; 2] {
    let said = json(&fixtures().join("i_lora.json"));
    ["current", "replay"].map(|name| {
        let mut batch = oracle::batch(&said[name]);
        batch.tokens.iter_mut().chain(&mut batch.target_ids).for_each(|id| *id %= vocab_size as u32);
        batch
    })
}

#[test]
fn one_training_step_of_every_form_of_i_lora() {
    let Some((gpu, _turn)) = gpu() else { return };
    for name in ["tiny-llama3", "tiny-qwen3"] {
        let fixture = Fixture::open(name);
        let batches = batches(fixture.config.vocab_size);
        for features in ["last", "all_layers", "logits"] {
            for (consistency, ce) in [("symmetric", "mean_of_means"), ("one_sided", "pooled")] {
                let settings = [("features", features), ("consistency", consistency), ("ce", ce)];
                let want = train_once(&fixture, &cpu(), &settings, &batches);
                let got = train_once(&fixture, gpu, &settings, &batches);
                let what = format!("{name} {features} {consistency}");
                assert_eq!(want.terms.len(), 4);
                for ((name, want), (_, got)) in want.terms.iter().zip(&got.terms) {
                    close(&format!("{what} {name}"), &[*got], &[*want], 1e-4 * f64::from(want.abs()));
                }
                close(&format!("{what} gradient norm"), &[got.norm], &[want.norm], 1e-4 * f64::from(want.norm));
                close_in_length(&format!("{what} gradient"), &got.gradient, &want.gradient, 1e-4);
                close_in_length(&format!("{what} parameters"), &got.parameters, &want.parameters, 1e-4);
                close_in_length(&format!("{what} slow learner"), &got.slow, &want.slow, 1e-4);
            }
        }
    }
}

/// What one step of a method in its second task gives: loss terms, the gradient after any projection, and the method's numbers.
fn second_task(
    name: &str,
    fixture: &Fixture,
    device: &OpenDevice,
    batches: &[Batch; 2],
) -> (Vec<(String, f32)>, Vec<f32>) {
    let model = fixture.load(device);
    let lora = LoraConfig { rank: 2, lora_alpha: 4.0, lora_dropout: 0.0, target_modules: Projection::ALL.to_vec() };
    let layout = Arc::new(AdapterLayout::new(&fixture.config, &lora).unwrap());
    let mut rng = ChaCha8Rng::seed_from_u64(3);
    let adapter = Adapter::init(&layout, &mut rng, &device.device);
    let entry = find(name).unwrap();
    let settings: &[(&str, &str)] = match name {
        "pp" => &[("length", "3"), ("bottleneck", "4")],
        "l2p" => &[("pool", "4"), ("length", "2"), ("top_k", "2")],
        "ewc" => &[("penalty", "2")],
        _ => &[],
    };
    let given: BTreeMap<String, String> =
        settings.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
    let knobs = Knobs::parse(&entry, None, &given).unwrap();
    let mut method = (entry.make)(Setup { adapter, model: &model, knobs: &knobs, rng: &mut rng }).unwrap();
    let [current, replay] = batches;
    let vocab = fixture.config.vocab_size;
    let stored = oracle::noise(9, replay.target_ids.len() * vocab);
    let stored = tensor(stored, [replay.target_ids.len(), vocab], &device.device);
    let moved = |flat: Tensor<1>, seed: u64| {
        let length = flat.dims()[0];
        let mask = if length == layout.length() { layout.mask() } else { vec![1.0; length] };
        let noise: Vec<f32> = oracle::noise(seed, length).iter().zip(&mask).map(|(v, m)| 0.2 * v * m).collect();
        flat + tensor(noise, [length], &device.device)
    };
    for task in 0..2 {
        method.begin_task(TaskStart { task, model: &model, rng: &mut rng }).unwrap();
        method.set_parameters(moved(method.parameters(), 20 + task as u64));
        if task == 0 {
            if method.end_examples() > 0 {
                method.observe(&model, replay, 0);
            }
            method.end_task(0, &model);
        }
    }
    let memories = [replay.clone(), current.clone()];
    let context = StepContext {
        replay: Some(replay),
        stored_logits: Some(&stored),
        memories: &memories,
        task: 1,
        task_step: 4,
        task_steps: 4,
        ..StepContext::new(&model, current)
    };
    let result = method.gradient(&context).unwrap();
    let gradient = match method.correct(result.gradient.clone(), &result.references) {
        Correction::Final(gradient) => gradient,
        Correction::Weigh(gram) => {
            let gram: Vec<f64> = values(gram).into_iter().map(f64::from).collect();
            let weights = method.weights(&gram).unwrap_or_default();
            let parts = result.references.iter().zip(weights).map(|(part, weight)| part.clone().mul_scalar(weight));
            parts.fold(result.gradient, |sum, part| sum + part)
        }
    };
    let mut numbers: Vec<(String, f32)> =
        result.terms.into_iter().map(|(name, value)| (name.to_string(), scalar(value))).collect();
    for (name, reading) in method.diagnostics() {
        let value = match reading {
            Reading::Value(value) => value as f32,
            Reading::OnDevice(value) => scalar(value),
        };
        numbers.push((name.to_string(), value));
    }
    (numbers, values(gradient))
}

#[test]
fn one_training_step_of_every_method() {
    let Some((gpu, _turn)) = gpu() else { return };
    let fixture = Fixture::open("tiny-llama3");
    let batches = batches(fixture.config.vocab_size);
    for entry in register().iter().filter(|entry| entry.name != "zero_shot") {
        let name = entry.name;
        let (want, want_gradient) = second_task(name, &fixture, &cpu(), &batches);
        let (got, gradient) = second_task(name, &fixture, gpu, &batches);
        assert_eq!(want.len(), got.len(), "{name}");
        for ((term, want), (_, got)) in want.iter().zip(&got) {
            close(&format!("{name} {term}"), &[*got], &[*want], 2e-4 * f64::from(want.abs().max(1e-3)));
        }
        close_in_length(&format!("{name} gradient"), &gradient, &want_gradient, 2e-4);
    }
}

#[test]
fn greedy_text_is_the_same() {
    let Some((gpu, _turn)) = gpu() else { return };
    for name in ["tiny-llama3", "tiny-qwen2", "tiny-qwen3", "tiny-mistral"] {
        let fixture = Fixture::open(name);
        let expected = &fixture.expected["greedy"];
        let prompt = oracle::integers(&expected["prompt"]);
        let rows = oracle::rows_of(&fixture.batch());
        // a batch of different lengths, with the fixture's own prompt among them
        let prompts = [vec![prompt], rows.iter().map(|row| row[..row.len() / 2].to_vec()).collect()].concat();
        let (want, got) =
            (greedy(&fixture.load(&cpu()), None, &prompts, 12), greedy(&fixture.load(gpu), None, &prompts, 12));
        assert_eq!(got[0], oracle::integers(&expected["tokens"]), "{name}: what transformers writes");
        assert_eq!(got, want, "{name}: what the CPU writes");
    }
}
