//! Generation with the key-value cache against the whole forward pass, in batches of prompts of different lengths; sampling.

use crate::oracle::{Fixture, close, cpu, random, text_batch, values, write_on};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use thalweg::model::generate::{Generation, Sampling, choose};
use thalweg::model::llama::Pass;
use thalweg::model::{Adapter, AdapterVars, Llama, PlainAdapter, SoftPrompt};

fn prompts(fixture: &Fixture) -> Vec<Vec<u32>> {
    let tokens = fixture.batch().tokens;
    [(0, 6), (3, 1), (5, 9), (21, 12), (2, 3)].map(|(from, length)| tokens[from..from + length].to_vec()).to_vec()
}

/// Logits of the token after a text, without a cache.
fn next_logits(model: &Llama, adapter: Option<&AdapterVars>, text: &[u32]) -> Vec<f32> {
    let hidden = model.forward(&text_batch(&[text.to_vec()], text.len()), Pass { adapter, ..Pass::default() }).last;
    values(model.logits(model.rows(hidden, &[text.len() as u32 - 1])))
}

#[test]
fn every_row_of_a_batch_is_continued_as_if_alone_and_as_if_without_a_cache() {
    for name in ["tiny-llama3", "tiny-qwen2", "tiny-qwen3", "tiny-mistral"] {
        let fixture = Fixture::open(name);
        let model = fixture.load(&cpu());
        let prompts = prompts(&fixture);
        let adapter = (name != "tiny-qwen3" && name != "tiny-mistral")
            .then(|| fixture.adapter("adapter", model.device()).vars(false));
        let adapter = adapter.as_ref();
        let steps = 8;
        let mut together = Generation::start(&model, Pass::of(adapter), &prompts, steps).unwrap();
        let mut alone: Vec<_> = prompts
            .iter()
            .map(|prompt| Generation::start(&model, Pass::of(adapter), std::slice::from_ref(prompt), steps).unwrap())
            .collect();
        let mut texts = prompts.clone();
        let (mut batched, mut single, mut whole) = (Vec::new(), Vec::new(), Vec::new());
        let sampling = Sampling::greedy(steps, Vec::new());
        for step in 0..=steps {
            let logits = values(together.logits());
            let next: Vec<u32> = logits
                .chunks_exact(fixture.config.vocab_size)
                .map(|row| choose(row, &sampling, &mut ChaCha8Rng::seed_from_u64(0)))
                .collect();
            batched.extend(logits);
            for (row, generation) in alone.iter_mut().enumerate() {
                single.extend(values(generation.logits()));
                whole.extend(next_logits(&model, adapter, &texts[row]));
                texts[row].push(next[row]);
                if step < steps {
                    generation.push(&[next[row]]);
                }
            }
            if step < steps {
                together.push(&next);
            }
        }
        close(&format!("{name} batch against single rows"), &batched, &single, 2e-5);
        close(&format!("{name} batch against the whole pass"), &batched, &whole, 2e-5);
    }
}

#[test]
fn rows_with_adapters_of_their_own_are_continued_as_if_alone() {
    let fixture = Fixture::open("tiny-llama3");
    let model = fixture.load(&cpu());
    let adapters = ["adapter", "adapter_slow"].map(|folder| fixture.adapter(folder, model.device()));
    let stacked = Adapter::stack(&[&adapters[0], &adapters[1]]);
    let prompts = prompts(&fixture)[..2].to_vec();
    let sampling = Sampling::greedy(10, Vec::new());
    let both = write_on(&model, Some(&stacked), &[prompts.clone(), prompts.clone()].concat(), &sampling, 0, 0);
    for (adapter, written) in adapters.iter().zip(both.chunks(2)) {
        assert_eq!(write_on(&model, Some(&adapter.vars(false)), &prompts, &sampling, 0, 0), written);
    }
    assert_ne!(both[..2], both[2..], "two adapters write two texts");
}

#[test]
fn a_seed_makes_sampled_text_repeatable() {
    let fixture = Fixture::open("tiny-llama3");
    let model = fixture.load(&cpu());
    let prompts = prompts(&fixture);
    let sampling = Sampling { temperature: 1.0, top_k: 40, top_p: 0.95, ..Sampling::greedy(12, Vec::new()) };
    let first = write_on(&model, None, &prompts, &sampling, 1, 0);
    assert_eq!(first, write_on(&model, None, &prompts, &sampling, 1, 0), "the same seed");
    assert_ne!(first, write_on(&model, None, &prompts, &sampling, 2, 0), "another seed");
    for (row, prompt) in prompts.iter().enumerate() {
        let alone = write_on(&model, None, std::slice::from_ref(prompt), &sampling, 1, row as u64);
        assert_eq!(alone[0], first[row], "row {row} alone");
    }
}

#[test]
fn sampled_shares_are_the_probabilities() {
    // probabilities 0.5, 0.25, 0.125, 0.125 at temperature 1; 16, 4, 1, 1 (of 22) at temperature 1/2
    let logits: Vec<f32> = [8.0_f32, 4.0, 2.0, 2.0].iter().map(|weight| weight.ln()).collect();
    let shares = |temperature: f32, top_k: usize, top_p: f32| {
        let sampling = Sampling { temperature, top_k, top_p, ..Sampling::greedy(1, Vec::new()) };
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut counts = [0_u16; 4];
        for _ in 0..20_000 {
            counts[choose(&logits, &sampling, &mut rng) as usize] += 1;
        }
        counts.map(|count| f32::from(count) / 20_000.0)
    };
    close("temperature 1", &shares(1.0, 0, 1.0), &[0.5, 0.25, 0.125, 0.125], 0.015);
    close("temperature 1/2", &shares(0.5, 0, 1.0), &[16.0 / 22.0, 4.0 / 22.0, 1.0 / 22.0, 1.0 / 22.0], 0.015);
    close("top 2", &shares(1.0, 2, 1.0), &[2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0], 0.015);
    close("top 0.6 of the mass", &shares(1.0, 0, 0.6), &[2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0], 0.015);
    close("greedy", &shares(0.0, 0, 1.0), &[1.0, 0.0, 0.0, 0.0], 0.0);
}

#[test]
fn impossible_prompts_are_refused() {
    let fixture = Fixture::open("tiny-qwen2");
    let model = fixture.load(&cpu());
    let refusal = |prompts: &[Vec<u32>], new: usize| match Generation::start(&model, Pass::default(), prompts, new) {
        Ok(_) => panic!("{prompts:?} with {new} more were accepted"),
        Err(error) => error.to_string(),
    };
    assert!(refusal(&[vec![1], vec![]], 3).contains("empty prompt"));
    assert!(refusal(&[], 3).contains("empty prompt"));
    assert!(refusal(&[vec![1; 60]], 5).contains("60 tokens"), "the table has 64 positions");
    assert!(Generation::start(&model, Pass::default(), &[vec![1; 60]], 4).is_ok());
}

/// Learned vectors before the prompt: what a cache continues is what a whole pass gives, for a prompt of its own and for a pool
/// from which every row takes others.
#[test]
fn learned_vectors_stand_before_every_row() {
    let fixture = Fixture::open("tiny-llama3");
    let model = fixture.load(&cpu());
    let d = fixture.config.hidden_size;
    let vectors = |count: usize, seed: u64| random(seed, [count, d], model.device());
    let pool = SoftPrompt::Pool { prompts: vectors(8, 2).reshape([4, 2, d]), top_k: 2 };
    for (what, prompt) in [("fixed", SoftPrompt::Fixed(vectors(3, 1))), ("pool", pool)] {
        let prompts = prompts(&fixture);
        let pass = Pass { prompt: Some(&prompt), ..Pass::default() };
        let mut together = Generation::start(&model, pass, &prompts, 4).unwrap();
        let mut texts = prompts.clone();
        let whole = |text: &[u32], pass: Pass<'_>| {
            // Nothing of it is an answer: a pool is asked with the whole text.
            let mut batch = text_batch(&[text.to_vec()], text.len());
            (batch.target_positions, batch.target_ids, batch.target_rows) = (Vec::new(), Vec::new(), Vec::new());
            let hidden = model.forward(&batch, pass).last;
            values(model.logits(model.rows(hidden, &[text.len() as u32 - 1])))
        };
        let vocab = fixture.config.vocab_size;
        for step in 0..4 {
            let logits = values(together.logits());
            let mut next = Vec::new();
            for (row, logits) in logits.chunks_exact(vocab).enumerate() {
                // A pool is asked with the prompt, before anything is written behind it.
                if matches!(prompt, SoftPrompt::Fixed(_)) || step == 0 {
                    close(&format!("{what} row {row} step {step}"), logits, &whole(&texts[row], pass), 2e-5);
                    let plain = whole(&texts[row], Pass::default());
                    assert!(largest(logits, &plain) > 1e-3, "{what}: the vectors act");
                }
                next.push(choose(logits, &Sampling::greedy(4, Vec::new()), &mut ChaCha8Rng::seed_from_u64(0)));
                texts[row].push(next[row]);
            }
            if step < 3 {
                together.push(&next);
            }
        }
    }
}

fn largest(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
}

/// Frozen adapters beside a trained one are the one adapter whose factors stand beside one another.
#[test]
fn adapters_beside_one_another_are_their_sum() {
    let fixture = Fixture::open("tiny-llama3");
    let model = fixture.load(&cpu());
    let plain = ["adapter", "adapter_slow"].map(|folder| fixture.plain_adapter(folder));
    let [first, second] = ["adapter", "adapter_slow"].map(|folder| fixture.adapter(folder, model.device()));
    let joined = PlainAdapter::concat(&plain).unwrap();
    let joined = Adapter::from_plain(&joined, &fixture.config, model.device()).unwrap();
    let batch = fixture.batch();
    let hidden = |vars: &AdapterVars| values(model.forward(&batch, Pass::of(Some(vars))).last);
    let beside = hidden(&second.vars(false).beside(&first.vars(false)));
    close("beside", &beside, &hidden(&joined.vars(false)), 2e-5);
    assert!(largest(&beside, &hidden(&second.vars(false))) > 1e-3, "the frozen one acts");
}

/// The choice from a pool does not look at the answer: another answer behind the same prompt takes the same prompts.
#[test]
fn a_pool_is_asked_without_the_answer() {
    let fixture = Fixture::open("tiny-llama3");
    let model = fixture.load(&cpu());
    let d = fixture.config.hidden_size;
    let pool = SoftPrompt::Pool { prompts: random(2, [6, 2, d], model.device()), top_k: 2 };
    let prompt = prompts(&fixture)[2].clone();
    let chosen = |answer: &[u32], answer_start: usize| {
        let mut batch = text_batch(&[[prompt.as_slice(), answer].concat()], prompt.len() + answer.len());
        let targets = batch.target_positions.iter().filter(|&&position| position as usize + 1 >= answer_start).count();
        let first = batch.target_positions.len() - targets;
        batch.target_positions.drain(..first);
        batch.target_ids.drain(..first);
        batch.target_rows.drain(..first);
        let hidden = model.forward(&batch, Pass { prompt: Some(&pool), ..Pass::default() });
        let choice = hidden.choice.unwrap();
        (values(choice.counts), values(choice.similarity)[0])
    };
    let (a, b): (Vec<u32>, Vec<u32>) = ((30..38).collect(), (50..58).collect());
    let asked = chosen(&a, prompt.len());
    assert_eq!(asked, chosen(&b, prompt.len()));
    // With every token a target the question would be the first token alone.
    assert_ne!(asked.1, chosen(&a, 1).1);
}
