//! The four small models against transformers: logits, hidden states, losses, greedy text; pads and chunks change nothing.

use crate::oracle::{
    Fixture, LOGITS, LOSS, close, close_number, cpu, floats, greedy, integers, real_positions, rows_of,
};
use crate::oracle::{text_batch, values};
use thalweg::data::batch::Batch;
use thalweg::model::Targets;
use thalweg::model::llama::Pass;

fn as_transformers_say(name: &'static str, max_binding_bytes: usize) {
    let fixture = Fixture::open(name);
    let model = fixture.load_with(&cpu(), max_binding_bytes);
    let (batch, expected) = (fixture.batch(), &fixture.expected);
    let hidden = model.forward(&batch, Pass::default()).last;
    let real = model.rows(hidden.clone(), &real_positions(&batch));
    close(&format!("{name} final hidden"), &values(real.clone()), &floats(&expected["final_hidden"]), LOGITS);
    close(&format!("{name} logits"), &values(model.logits(real)), &floats(&expected["logits"]), LOGITS);
    let nll = values(model.nll(hidden.clone(), &batch.target_positions, &batch.target_ids));
    close(&format!("{name} target nll"), &nll, &floats(&expected["target_nll"]), LOSS);
    let loss = model.cross_entropy(hidden, &Targets::mean(&batch, 1.0));
    close_number(&format!("{name} mean nll"), values(loss.value)[0], &expected["mean_nll"], LOSS);
    let prompt = integers(&expected["greedy"]["prompt"]);
    let want = integers(&expected["greedy"]["tokens"]);
    assert_eq!(greedy(&model, None, &[prompt], want.len()), [want], "{name}: greedy text");
}

#[test]
fn tiny_llama3() {
    as_transformers_say("tiny-llama3", usize::MAX);
}

#[test]
fn tiny_qwen2() {
    as_transformers_say("tiny-qwen2", usize::MAX);
}

#[test]
fn tiny_qwen3() {
    as_transformers_say("tiny-qwen3", usize::MAX);
}

#[test]
fn tiny_mistral() {
    as_transformers_say("tiny-mistral", usize::MAX);
}

#[test]
fn embedding_and_head_in_many_chunks_give_the_same() {
    // 36 numbers a row: 7 of 97 rows a chunk (tied head); 40 numbers a row: 3 of 101 rows (a head of its own)
    as_transformers_say("tiny-qwen3", 7 * 36 * 4 + 3);
    as_transformers_say("tiny-llama3", 3 * 40 * 4);
}

#[test]
fn all_hidden_states_are_those_of_transformers() {
    let fixture = Fixture::open("tiny-llama3");
    let model = fixture.load(&cpu());
    let batch = fixture.batch();
    let hidden = model.forward(&batch, Pass { keep_layers: true, ..Pass::default() });
    assert_eq!(hidden.layers.len(), fixture.config.num_hidden_layers + 1);
    let row = usize::try_from(fixture.expected["all_hidden"]["row"].as_u64().unwrap()).unwrap();
    let positions: Vec<u32> = (0..batch.lengths[row]).map(|t| (row * batch.seq + t) as u32).collect();
    let got: Vec<f32> = hidden.layers.iter().flat_map(|layer| values(model.rows(layer.clone(), &positions))).collect();
    close("tiny-llama3 all hidden", &got, &floats(&fixture.expected["all_hidden"]["hidden_states"]), LOGITS);
    let without = model.forward(&batch, Pass::default());
    assert!(without.layers.is_empty() && values(without.last) == values(hidden.last), "keeping layers changes nothing");
}

#[test]
fn what_the_pads_hold_and_how_many_there_are_changes_nothing() {
    for name in ["tiny-llama3", "tiny-qwen2", "tiny-qwen3", "tiny-mistral"] {
        let fixture = Fixture::open(name);
        let model = fixture.load(&cpu());
        let batch = fixture.batch();
        let rows = rows_of(&batch);
        let real = |batch: &Batch| {
            let hidden = model.forward(batch, Pass::default()).last;
            values(model.rows(hidden, &real_positions(batch)))
        };
        let want = real(&batch);
        let mut other_pads = batch.clone();
        for (row, &length) in batch.lengths.iter().enumerate() {
            other_pads.tokens[row * batch.seq + length..(row + 1) * batch.seq].fill(17);
        }
        assert_ne!(other_pads.tokens, batch.tokens);
        close(&format!("{name} with other pads"), &real(&other_pads), &want, 1e-6);
        close(&format!("{name} with more pads"), &real(&text_batch(&rows, 40)), &want, 1e-5);
        let alone: Vec<f32> =
            rows.iter().flat_map(|row| real(&text_batch(std::slice::from_ref(row), row.len()))).collect();
        close(&format!("{name} row by row"), &alone, &want, 1e-5);
    }
}
