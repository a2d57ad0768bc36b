//! The estimate against what was measured, and against itself.

use super::*;
use crate::engine::config::TaskConfig;

/// A Llama shape with a tied embedding, as `engine::bench` makes them.
fn shape(sizes: [usize; 7]) -> ModelConfig {
    let [vocab, hidden, intermediate, layers, heads, kv_heads, positions] = sizes;
    let json = serde_json::json!({
        "model_type": "llama", "vocab_size": vocab, "hidden_size": hidden, "intermediate_size": intermediate,
        "num_hidden_layers": layers, "num_attention_heads": heads, "num_key_value_heads": kv_heads,
        "max_position_embeddings": positions, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
        "hidden_act": "silu", "bos_token_id": 1, "eos_token_id": 2,
    });
    ModelConfig::parse(json.to_string().as_bytes(), "shape").unwrap()
}

fn smollm2() -> ModelConfig {
    shape([49_152, 576, 1536, 30, 9, 3, 2048])
}

fn stories260k() -> ModelConfig {
    shape([512, 64, 172, 5, 8, 4, 512])
}

/// One step of a method as `thalweg bench` makes it: rank 8 on q and v, no scoring.
fn experiment(method: &str, batch: usize, length: usize) -> ExperimentConfig {
    let mut experiment = ExperimentConfig { methods: vec![MethodConfig::Name(method.into())], ..Default::default() };
    (experiment.training.batch_size, experiment.training.max_length) = (batch, length);
    experiment.evaluation.batch_size = 1;
    experiment
}

#[test]
fn the_estimate_is_near_what_was_measured() {
    // Peak memory of `thalweg bench`, README.md ("How fast, how correct"): SmolLM2-135M's shape, 4 x 128 tokens, 1.0 GiB on
    // both machines; stories260K's, 8 x 128 tokens, 64 and 65 MiB. About 25 MB of each are the process itself.
    const SMOLLM2_4_128: f64 = 1.0 * 1024.0 * 1024.0 * 1024.0;
    const STORIES_8_128: f64 = 64.0 * 1024.0 * 1024.0;
    // The prototype before our own kernels (notes of the first week): SmolLM2-135M's shape, 1 x 128 tokens.
    const PROTOTYPE_1_128: f64 = 919e6;
    let total = |config: &ModelConfig, batch| estimate(config, &experiment("seq", batch, 128), None).total() as f64;
    let process = 25e6;
    for (estimated, measured) in [
        (total(&smollm2(), 4) + process, SMOLLM2_4_128),
        (total(&stories260k(), 8) + process, STORIES_8_128),
        (total(&smollm2(), 1) + process, PROTOTYPE_1_128),
    ] {
        let ratio = estimated / measured;
        println!("estimated {:.0} MB, measured {:.0} MB: {ratio:.2}", estimated / 1e6, measured / 1e6);
        assert!((1.0 / 1.5..1.5).contains(&ratio), "estimated {estimated}, measured {measured}");
    }
}

#[test]
fn more_of_anything_needs_more() {
    let config = smollm2();
    let total = |change: &dyn Fn(&mut ExperimentConfig)| {
        let mut changed = experiment("i_lora", 4, 128);
        change(&mut changed);
        estimate(&config, &changed, None).total()
    };
    let grows = |change: &dyn Fn(&mut ExperimentConfig, usize)| {
        let totals: Vec<u64> = [1, 2, 4, 8, 16].map(|size| total(&|experiment| change(experiment, size))).to_vec();
        assert!(totals.is_sorted_by(|a, b| a < b), "{totals:?}");
    };
    grows(&|experiment, size| experiment.training.batch_size = size);
    grows(&|experiment, size| experiment.replay.batch_size = size);
    grows(&|experiment, size| experiment.training.max_length = 64 * size);
    grows(&|experiment, size| experiment.lora.rank = 4 * size);
    grows(&|experiment, size| experiment.lora.target_modules = Projection::ALL[..=size.ilog2() as usize].to_vec());
    grows(&|experiment, size| experiment.replay.capacity = 100 * size);
    grows(&|experiment, size| experiment.evaluation.batch_size = 500 * size);
}

#[test]
fn methods_cost_what_they_keep() {
    let config = stories260k();
    let of = |method: &str| estimate(&config, &experiment(method, 8, 128), None);
    let (seq, er, i_lora) = (of("seq"), of("er"), of("i_lora"));
    assert_eq!(i_lora.adapters, 2 * seq.adapters, "two learners");
    assert!(er.activations > seq.activations && er.buffer > 0 && seq.buffer == 0);
    assert_eq!(of("zero_shot").optimiser, 0);
    assert_eq!(of("one").adapters, 8 * seq.adapters, "one adapter a task");
    assert!(of("der").buffer > 10 * er.buffer, "logits are kept with the examples");
    let mut both = experiment("seq", 8, 128);
    both.methods.push(MethodConfig::Name("i_lora".into()));
    assert_eq!(estimate(&config, &both, None), i_lora, "the hungriest method counts");
}

#[test]
fn every_method_says_what_it_keeps() {
    for entry in crate::continual::register() {
        assert!(footprint(entry.name, 8).is_some(), "`{}` is not in `footprint`", entry.name);
    }
}

#[test]
fn known_examples_are_shorter_than_the_limit() {
    let (config, experiment) = (smollm2(), experiment("seq", 16, 1024));
    let (unknown, known) = (estimate(&config, &experiment, None), estimate(&config, &experiment, Some(40)));
    assert!(known.activations * 10 < unknown.activations);
    assert_eq!(estimate(&config, &experiment, Some(5000)), unknown, "and never longer");
}

#[test]
fn trainable_parameters_in_closed_form() {
    let (config, mut lora) = (stories260k(), LoraConfig { rank: 8, ..LoraConfig::default() });
    // q: 64 -> 64, v: 64 -> 4 heads of 8
    assert_eq!(trainable_parameters(&config, &lora), 5 * 8 * ((64 + 64) + (64 + 32)));
    lora.target_modules.push(Projection::QProj);
    assert_eq!(trainable_parameters(&config, &lora), 5 * 8 * (128 + 96), "a module that is named twice counts once");
    lora.target_modules = Projection::ALL.to_vec();
    let widths = 128 + 96 + 96 + 128 + 3 * (64 + 172);
    assert_eq!(trainable_parameters(&config, &lora), 5 * 8 * widths);
}

#[test]
fn what_does_not_fit_gets_settings_that_do() {
    let (config, experiment) = (smollm2(), experiment("seq", 16, 256));
    let needed = estimate(&config, &experiment, None).total();
    assert_eq!(too_large(&config, &experiment, None, needed * 2), None);
    let sentence = too_large(&config, &experiment, None, 2_000_000_000).unwrap();
    assert!(sentence.contains("2.0 GB are free") && sentence.contains("`training.batch_size` to 4"), "{sentence}");
    let mut mended = experiment.clone();
    mended.training.batch_size = 4;
    assert_eq!(too_large(&config, &mended, None, 2_000_000_000), None, "the advice holds");
    let sentence = too_large(&config, &experiment, None, 500_000_000).unwrap();
    assert!(sentence.contains("weights alone take 538 MB") && sentence.contains("smaller model"), "{sentence}");
}

#[test]
fn absurd_settings_do_not_overflow() {
    let mut experiment = experiment("derpp", usize::MAX, usize::MAX);
    (experiment.lora.rank, experiment.replay.capacity) = (usize::MAX, usize::MAX);
    (experiment.evaluation.batch_size, experiment.training.pad_multiple) = (usize::MAX, usize::MAX);
    experiment.tasks = vec![TaskConfig::Source(String::new()); 3];
    let needed = estimate(&smollm2(), &experiment, None).total();
    assert!(needed > 1_000_000_000_000);
    assert!(too_large(&smollm2(), &experiment, None, 1_000).is_some());
}
