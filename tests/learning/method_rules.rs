//! The interpolation and the consistency term: spec/i-lora.md section 10, checks 1 to 4.

use super::stream::{bits, config, flat, learner, method, prepare, train, trajectory, without_dropout};
use burn::tensor::{Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::BTreeMap;
use std::sync::Arc;
use thalweg::continual::knobs::Knobs;
use thalweg::continual::{Method, Setup, StepContext, TaskStart, find};
use thalweg::data::batch::Batch;
use thalweg::engine::prepare::Prepared;
use thalweg::model::{Adapter, AdapterLayout, LoraConfig};

/// `min(1 - 1/(k+1), lambda)`, or lambda itself without the clip.
fn lambda_at(k: usize, lambda: f64, clip: bool) -> f64 {
    if clip { lambda.min(1.0 - 1.0 / (k as f64 + 1.0)) } else { lambda }
}

/// Check 1, and the second half of check 3: the formula holds with the step counted over all tasks.
#[test]
fn each_step_leaves_the_slow_learner_where_the_formula_says() {
    let _alone = without_dropout();
    for (lambda, clip) in [(0.8, true), (0.8, false)] {
        let (shown, switch) = (lambda.to_string(), clip.to_string());
        let config = config(method("i_lora", &[("lambda", &shown), ("clip", &switch)]));
        let mut old: Option<Vec<f32>> = None;
        let mut steps = 0;
        train(&config, &prepare(&config), |trainer, report| {
            steps += 1;
            let (fast, slow) = (learner(trainer, "working"), learner(trainer, "long_term"));
            let weight = lambda_at(steps, lambda, clip);
            if let Some(old) = &old {
                for ((old, fast), slow) in old.iter().zip(&fast).zip(&slow) {
                    let expected = weight * f64::from(*old) + (1.0 - weight) * f64::from(*fast);
                    assert!((f64::from(*slow) - expected).abs() < 1e-6, "step {steps}: {slow} for {expected}");
                }
                assert_ne!(&slow, old, "the average moves");
                assert_ne!(slow, fast, "and lags behind");
            }
            if let Some(report) = report {
                let told = report.diagnostics.iter().find(|(name, _)| name == "lambda").unwrap().1;
                assert!((told - weight).abs() < 1e-12, "step {steps} of all tasks: {told} for {weight}");
            }
            old = Some(slow);
        });
        assert_eq!(steps, 24);
    }
}

/// Check 2, the ends of lambda.
#[test]
fn lambda_0_copies_and_lambda_1_never_moves() {
    let _alone = without_dropout();
    let copying = config(method("i_lora", &[("lambda", "0")]));
    train(&copying, &prepare(&copying), |trainer, _| {
        assert_eq!(bits(&learner(trainer, "working")), bits(&learner(trainer, "long_term")));
    });
    let frozen = config(method("i_lora", &[("lambda", "1"), ("clip", "false")]));
    let prepared = prepare(&frozen);
    let start = learner(&thalweg::engine::trainer::Trainer::new(&frozen, &prepared).unwrap(), "long_term");
    train(&frozen, &prepared, |trainer, _| {
        assert_eq!(bits(&start), bits(&learner(trainer, "long_term")));
        assert_ne!(start, learner(trainer, "working"), "the fast learner learns");
    });
}

/// Check 2, the ends of gamma.
#[test]
fn without_consistency_the_fast_learner_is_er_and_with_an_empty_buffer_it_is_seq() {
    let _alone = without_dropout();
    let fast = trajectory(&config(method("i_lora", &[("gamma", "0")])), "working");
    let er = trajectory(&config(method("er", &[])), "model");
    let seq = trajectory(&config(method("seq", &[])), "model");
    for step in 0..24 {
        assert_eq!(bits(&fast[step]), bits(&er[step]), "step {}", step + 1);
        // Nothing can be replayed in the first task, where the current one is excluded.
        let same = bits(&fast[step]) == bits(&seq[step]);
        assert_eq!(same, step < 8, "step {}", step + 1);
    }
    let tied = trajectory(&config(method("i_lora", &[("gamma", "1")])), "working");
    assert_eq!(bits(&tied[7]), bits(&seq[7]), "no replay, no consistency term");
    assert_ne!(tied[9], fast[9], "from the second task on the term acts");
}

/// Settings that make gradients in several parts of the network.
fn method_on(
    prepared: &Prepared,
    settings: &[(&str, &str)],
    preset: Option<&str>,
) -> (Box<dyn Method>, Arc<AdapterLayout>) {
    let llama = &prepared.model.llama;
    let lora = LoraConfig {
        rank: 3,
        lora_alpha: 6.0,
        target_modules: thalweg::model::Projection::ALL.to_vec(),
        ..LoraConfig::default()
    };
    let layout = Arc::new(AdapterLayout::new(&llama.config, &lora).unwrap());
    let adapter = Adapter::init(&layout, &mut ChaCha8Rng::seed_from_u64(1), llama.device());
    let entry = find("i_lora").unwrap();
    let given = settings.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
    let knobs = Knobs::parse(&entry, preset, &given).unwrap();
    let setup = Setup { adapter, model: llama, knobs: &knobs, rng: &mut ChaCha8Rng::seed_from_u64(2) };
    ((entry.make)(setup).unwrap(), layout)
}

fn vector(prepared: &Prepared, values: &[f32]) -> Tensor<1> {
    Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), prepared.model.llama.device())
}

fn host(tensor: Tensor<1>) -> Vec<f32> {
    tensor.into_data().try_into_vec::<f32>().unwrap()
}

/// Check 3, the first half: what is left of the start after S steps is the product of all `lambda_k`.
#[test]
fn what_survives_is_the_product_of_all_weights() {
    let _alone = without_dropout();
    let config = config(method("i_lora", &[]));
    let prepared = prepare(&config);
    for (lambda, clip) in [(0.9, true), (0.97, true), (0.9, false)] {
        let (shown, switch) = (lambda.to_string(), clip.to_string());
        let (mut method, layout) = method_on(&prepared, &[("lambda", &shown), ("clip", &switch)], None);
        method.set_parameters(vector(&prepared, &vec![0.0; layout.length()]));
        method
            .restore(&BTreeMap::from([("long_term".to_string(), vector(&prepared, &vec![1.0; layout.length()]))]))
            .unwrap();
        let mut expected = 1.0;
        for k in 1..=40 {
            method.after_step(k as u64);
            expected *= lambda_at(k, lambda, clip);
            let learners = method.learners(0);
            let slow = flat(learners[1].learnt.adapter().unwrap());
            assert!(slow.iter().all(|value| (f64::from(*value) - expected).abs() < 1e-6), "{lambda} {clip} step {k}");
            // Check 1: the update leaves the fast learner as it was.
            assert!(
                flat(learners[0].learnt.adapter().unwrap()).iter().all(|value| value.to_bits() == 0),
                "the fast learner moved"
            );
            // a boundary in the middle, which must not restart the count
            if k == 20 {
                method.end_task(0, &prepared.model.llama);
                let rng = &mut ChaCha8Rng::seed_from_u64(3);
                method.begin_task(TaskStart { task: 1, model: &prepared.model.llama, rng }).unwrap();
            }
        }
        // Once 1 - 1/(k+1) passes lambda, the closed form: the running mean's 1/(m+1), then powers of lambda.
        let bound =
            if clip { (1..1_000_000).find(|k| 1.0 - 1.0 / (f64::from(*k) + 1.0) > lambda).unwrap() - 1 } else { 0 };
        let closed = lambda.powi(40 - bound) / (f64::from(bound) + 1.0);
        assert!((closed / expected - 1.0).abs() < 1e-9, "{closed} {expected}");
    }
}

fn random(length: usize, scale: f32, mask: &[f32], seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    (0..length).map(|i| rng.random_range(-scale..scale) * mask[i]).collect()
}

fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// A method between two known learners, and batches to look at.
struct Bench {
    prepared: Arc<Prepared>,
    method: Box<dyn Method>,
    fast: Vec<f32>,
    slow: Vec<f32>,
    mask: Vec<f32>,
}

impl Bench {
    fn new(settings: &[(&str, &str)], preset: Option<&str>) -> Self {
        let prepared = prepare(&config(method("i_lora", &[])));
        let (method, layout) = method_on(&prepared, settings, preset);
        let mask = layout.mask();
        let (fast, slow) = (random(mask.len(), 0.2, &mask, 2), random(mask.len(), 0.2, &mask, 3));
        Self { prepared, method, fast, slow, mask }
    }

    fn batch(&self, task: usize, examples: std::ops::Range<usize>, pad: u32, multiple: usize) -> Batch {
        let rows: Vec<_> = self.prepared.tasks[task].train[examples].iter().collect();
        Batch::from_encoded(&rows, pad, multiple).unwrap()
    }

    /// Named loss terms and the gradient with the learners at these places.
    fn at(
        &mut self,
        fast: &[f32],
        slow: &[f32],
        current: &Batch,
        replay: &Batch,
    ) -> (BTreeMap<&'static str, f64>, Vec<f32>) {
        self.method.set_parameters(vector(&self.prepared, fast));
        self.method.restore(&BTreeMap::from([("long_term".to_string(), vector(&self.prepared, slow))])).unwrap();
        let context =
            StepContext { replay: Some(replay), task: 1, ..StepContext::new(&self.prepared.model.llama, current) };
        let result = self.method.gradient(&context).unwrap();
        let terms = result.terms.into_iter().map(|(name, value)| (name, f64::from(host(value)[0]))).collect();
        (terms, host(result.gradient))
    }
}

fn moved(from: &[f32], direction: &[f32], by: f32) -> Vec<f32> {
    from.iter().zip(direction).map(|(value, along)| value + by * along).collect()
}

/// Check 4: the gradient is that of the fast learner alone, for every kind of consistency term.
#[test]
fn the_gradient_is_the_fast_learners_alone_and_matches_finite_differences() {
    let _alone = without_dropout();
    type Kind = (&'static [(&'static str, &'static str)], Option<&'static str>);
    let kinds: [Kind; 5] = [
        (&[("gamma", "20")], None),
        (&[("gamma", "20"), ("features", "all_layers")], None),
        (&[("gamma", "5"), ("features", "logits"), ("ce", "pooled")], None),
        (&[("gamma", "20")], Some("released_code")),
        (&[("gamma", "0")], None),
    ];
    for (settings, preset) in kinds {
        let mut bench = Bench::new(settings, preset);
        let (current, replay) = (bench.batch(1, 0..4, 0, 8), bench.batch(0, 0..4, 0, 8));
        let (fast, slow, mask) = (bench.fast.clone(), bench.slow.clone(), bench.mask.clone());
        let (terms, gradient) = bench.at(&fast, &slow, &current, &replay);
        let norm = dot(&gradient, &gradient).sqrt();
        assert_eq!(gradient.len(), fast.len(), "one gradient, for the fast learner");
        assert!(gradient.iter().zip(&mask).all(|(g, mask)| *mask != 0.0 || *g == 0.0), "structural zeros stay");
        for seed in 10..14 {
            // Half of the direction along the gradient, so that the change stands out of the rounding, half at random.
            let noise = random(fast.len(), 1.0, &mask, seed);
            let length = dot(&noise, &noise).sqrt();
            let direction: Vec<f32> = gradient
                .iter()
                .zip(&noise)
                .map(|(g, r)| (0.5 * f64::from(*g) / norm + 0.86 * f64::from(*r) / length) as f32)
                .collect();
            let step = 0.01;
            let ahead = bench.at(&moved(&fast, &direction, step), &slow, &current, &replay).0["total"];
            let behind = bench.at(&moved(&fast, &direction, -step), &slow, &current, &replay).0["total"];
            let (measured, computed) = ((ahead - behind) / (2.0 * f64::from(step)), dot(&gradient, &direction));
            assert!((measured / computed - 1.0).abs() < 0.01, "{settings:?} {preset:?}: {measured} for {computed}");
        }
        // The loss does depend on the slow learner, unless gamma is 0, yet no gradient goes there.
        let other = moved(&slow, &random(slow.len(), 1.0, &mask, 20), 0.02);
        let (there, _) = bench.at(&fast, &other, &current, &replay);
        let gap = (there["total"] - terms["total"]).abs();
        if settings.contains(&("gamma", "0")) {
            assert!(gap == 0.0 && !terms.contains_key("consistency"));
        } else {
            assert!(gap > 1e-4, "{settings:?}: {gap}");
            assert!(terms["consistency"] > 1e-4);
        }
    }
}

/// Check 4: when both learners are one, the term is zero and adds nothing to the gradient.
#[test]
fn two_equal_learners_are_not_pulled() {
    let _alone = without_dropout();
    let mut with = Bench::new(&[("gamma", "100")], None);
    let mut without = Bench::new(&[("gamma", "0")], None);
    let (current, replay) = (with.batch(1, 0..4, 0, 8), with.batch(0, 4..8, 0, 8));
    let same = with.fast.clone();
    let (terms, tied) = with.at(&same, &same, &current, &replay);
    let (_, free) = without.at(&same, &same, &current, &replay);
    assert!(terms["consistency"] < 1e-9, "{}", terms["consistency"]);
    let norm = dot(&free, &free).sqrt();
    let gap: Vec<f32> = tied.iter().zip(&free).map(|(a, b)| a - b).collect();
    assert!(dot(&gap, &gap).sqrt() < 1e-3 * norm);
}

/// Check 4: longer padding, and other tokens in it, change neither losses nor gradient.
#[test]
fn pads_contribute_nothing() {
    let _alone = without_dropout();
    for settings in [[("gamma", "20"), ("features", "last")], [("gamma", "20"), ("features", "all_layers")]] {
        let mut bench = Bench::new(&settings, None);
        let (fast, slow) = (bench.fast.clone(), bench.slow.clone());
        let short = (bench.batch(1, 0..4, 0, 1), bench.batch(0, 0..4, 0, 1));
        let long = (bench.batch(1, 0..4, 7, 64), bench.batch(0, 0..4, 9, 64));
        assert!(long.0.seq > short.0.seq && long.1.seq > short.1.seq && short.0.lengths != [short.0.seq; 4]);
        let (terms, gradient) = bench.at(&fast, &slow, &short.0, &short.1);
        for (current, replay) in [(&long.0, &long.1), (&short.0, &long.1), (&long.0, &short.1)] {
            let (padded, other) = bench.at(&fast, &slow, current, replay);
            for (name, value) in &terms {
                assert!((padded[name] - value).abs() < 1e-5 * value.abs().max(1.0), "{name}: {} {value}", padded[name]);
            }
            let gap: Vec<f32> = gradient.iter().zip(&other).map(|(a, b)| a - b).collect();
            assert!(dot(&gap, &gap).sqrt() < 1e-4 * dot(&gradient, &gradient).sqrt());
        }
    }
}
