//! The chunked cross-entropy and the chunked embedding against burn's log-softmax and plain look-up.

use crate::oracle::{Fixture, close, cpu, noise, random, tensor, values};
use burn::tensor::{Int, Tensor, TensorData, activation};
use thalweg::model::random::RandomWeights;
use thalweg::model::trainable::WeightVisitor;
use thalweg::model::{Llama, LlamaOptions, ModelConfig, Targets, TensorSource};

/// A model of which only embedding and head matter.
fn config(vocab_size: usize, hidden_size: usize, tied: bool) -> ModelConfig {
    ModelConfig {
        vocab_size,
        hidden_size,
        intermediate_size: 4,
        num_hidden_layers: 1,
        num_attention_heads: 1,
        num_key_value_heads: 1,
        head_dim: 4,
        tie_word_embeddings: tied,
        eos_token_ids: Vec::new(),
        bos_token_id: None,
        pad_token_id: None,
        ..Fixture::open("tiny-llama3").config
    }
}

fn load(config: &ModelConfig, max_binding_bytes: usize) -> Llama {
    let mut weights = RandomWeights::new(config, 3);
    Llama::load(config, &mut weights, &cpu().device, LlamaOptions { max_seq: 8, max_binding_bytes }).unwrap()
}

/// Makes every weight a leaf and keeps the matrices: embedding chunks first, head chunks last.
struct Leaves(Vec<Tensor<2>>);

impl WeightVisitor for Leaves {
    fn vector(&mut self, weight: &mut Tensor<1>) {
        *weight = weight.clone().autodiff().require_grad();
    }

    fn matrix(&mut self, weight: &mut Tensor<2>) {
        *weight = weight.clone().autodiff().require_grad();
        self.0.push(weight.clone());
    }
}

/// Targets at some rows of `count`, in ascending order, with weights that differ.
fn targets(count: usize, step: usize, vocab_size: usize) -> Targets {
    let positions: Vec<u32> = (0..count).step_by(step).map(|row| row as u32).collect();
    let length = positions.len();
    // the first and the last token of the vocabulary are among them
    let ids = (0..length).map(|i| if i == 0 { vocab_size - 1 } else { (i - 1) * 7919 % vocab_size } as u32).collect();
    Targets { positions, ids, weights: noise(6, length).into_iter().map(|w| w + 1.5).collect() }
}

/// Losses, their weighted sum, and the gradients into hidden states and head, by burn's own operations.
fn composed(hidden: &Tensor<2>, head: &Tensor<2>, targets: &Targets) -> (Vec<f32>, f32, Vec<f32>, Vec<f32>) {
    let device = hidden.device().without_autodiff();
    let count = targets.ids.len();
    let int = |values: &[u32]| {
        let values: Vec<i32> = values.iter().map(|value| i32::try_from(*value).unwrap()).collect();
        Tensor::<1, Int>::from_data(TensorData::new(values, [count]), &device)
    };
    let (hidden, head) = (hidden.clone().autodiff().require_grad(), head.clone().autodiff().require_grad());
    let logits = hidden.clone().select(0, int(&targets.positions)).matmul(head.clone().swap_dims(0, 1));
    let picked = activation::log_softmax(logits, 1).gather(1, int(&targets.ids).reshape([count, 1]).autodiff());
    let nll = picked.reshape([count]).neg();
    let value = (nll.clone() * tensor(targets.weights.clone(), [count], &device)).sum();
    let gradients = value.backward();
    let (d_hidden, d_head) = (hidden.grad(&gradients).unwrap(), head.grad(&gradients).unwrap());
    (values(nll), values(value)[0], values(d_hidden), values(d_head))
}

fn compare(what: &str, config: &ModelConfig, max_binding_bytes: usize, rows: usize, step: usize) -> usize {
    let mut model = load(config, max_binding_bytes);
    let device = model.device().clone();
    let mut leaves = Leaves(Vec::new());
    // several units of logits between tokens, so that the normaliser is not trivial
    let hidden = random(5, [rows, config.hidden_size], &device).mul_scalar(100.0);
    let targets = targets(rows, step, config.vocab_size);
    let name = if config.tie_word_embeddings { "model.embed_tokens.weight" } else { "lm_head.weight" };
    let head = model.export().into_iter().find(|weight| weight.name == name).unwrap();
    let head = head.values.reshape([config.vocab_size, config.hidden_size]);
    let (nll, value, d_hidden, d_head) = composed(&hidden, &head, &targets);

    // a frozen head
    let tracked = hidden.clone().autodiff().require_grad();
    let loss = model.cross_entropy(tracked.clone(), &targets);
    close(&format!("{what} losses"), &values(loss.nll), &nll, 1e-5);
    close(&format!("{what} weighted sum"), &values(loss.value), &[value], 1e-6 * f64::from(value));
    let gradient = values(tracked.grad(&loss.surrogate.backward()).unwrap());
    close(&format!("{what} gradient into hidden states"), &gradient, &d_hidden, 1e-6);
    let plain = model.nll(hidden.clone(), &targets.positions, &targets.ids);
    close(&format!("{what} losses without gradients"), &values(plain), &nll, 1e-5);

    // a head that is trained, as in pre-training
    model.visit(&mut leaves);
    let tracked = hidden.autodiff().require_grad();
    let loss = model.cross_entropy(tracked.clone(), &targets);
    let gradients = loss.surrogate.backward();
    close(&format!("{what} gradient, trained head"), &values(tracked.grad(&gradients).unwrap()), &d_hidden, 1e-6);
    let row_bytes = 4 * config.hidden_size;
    let chunks = config.vocab_size.div_ceil(max_binding_bytes / row_bytes);
    let head: Vec<f32> = if config.tie_word_embeddings {
        leaves.0[..chunks].iter().flat_map(|chunk| values(chunk.grad(&gradients).unwrap())).collect()
    } else {
        leaves.0[leaves.0.len() - chunks..].iter().flat_map(|chunk| values(chunk.grad(&gradients).unwrap())).collect()
    };
    let largest = d_head.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
    close(&format!("{what} gradient into the head"), &head, &d_head, 1e-6 * f64::from(largest));
    chunks
}

#[test]
fn one_chunk_and_one_block() {
    assert_eq!(compare("cross-entropy 101", &config(101, 12, false), 1 << 20, 37, 3), 1);
    assert_eq!(compare("tied cross-entropy 101", &config(101, 12, true), 1 << 20, 37, 1), 1);
}

#[test]
fn a_vocabulary_in_many_chunks() {
    // 7 rows of 12 numbers each; the last chunk is shorter than the others
    assert_eq!(compare("chunked cross-entropy 101", &config(101, 12, false), 7 * 12 * 4 + 5, 37, 3), 15);
    assert_eq!(compare("chunked tied cross-entropy 101", &config(101, 12, true), 40 * 12 * 4, 37, 2), 3);
}

#[test]
fn many_blocks_of_rows() {
    // blocks hold 8 Mi logits: 83 rows of this vocabulary in one chunk, 166 in two
    assert_eq!(compare("blocked cross-entropy 100003", &config(100_003, 4, false), usize::MAX, 190, 1), 1);
    assert_eq!(compare("blocked and chunked 100003", &config(100_003, 4, true), 50_002 * 16, 190, 1), 2);
}

#[test]
fn the_embedding_gives_the_rows_of_the_file() {
    let config = config(101, 12, true);
    let want = RandomWeights::new(&config, 3).read_f32("model.embed_tokens.weight").unwrap();
    let tokens = [0, 100, 6, 7, 13, 14, 0, 55, 98, 97, 50];
    let want: Vec<f32> = tokens.iter().flat_map(|&t| want[t as usize * 12..][..12].to_vec()).collect();
    for limit in [usize::MAX, 50 * 48, 7 * 48, 48] {
        let model = load(&config, limit);
        close(&format!("embedding in chunks of {limit} bytes"), &values(model.embed(&tokens)), &want, 0.0);
    }
    let mut weights = RandomWeights::new(&config, 3);
    let options = LlamaOptions { max_seq: 8, max_binding_bytes: 47 };
    let error = Llama::load(&config, &mut weights, &cpu().device, options).unwrap_err();
    assert!(error.to_string().contains("one embedding row takes 48 bytes"), "{error}");
}

#[test]
fn no_target_at_all_is_a_loss_of_nothing() {
    let model = load(&config(101, 12, false), usize::MAX);
    let hidden = random(5, [6, 12], model.device()).autodiff().require_grad();
    let none = Targets { positions: Vec::new(), ids: Vec::new(), weights: Vec::new() };
    let loss = model.cross_entropy(hidden, &none);
    assert_eq!((values(loss.nll), values(loss.value)), (Vec::new(), vec![0.0]));
}
