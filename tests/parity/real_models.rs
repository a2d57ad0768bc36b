//! Two trained models, when they are there, against a double-precision forward pass: likelihoods of texts, logits, greedy text.

use crate::checkout::checkout;
use crate::oracle::{LOGITS, close, cpu, greedy, integers, json, load, text_batch, values};
use thalweg::data::tokenizer::Tokenizer;
use thalweg::io::HfFolder;
use thalweg::model::generate::Generation;
use thalweg::model::llama::Pass;

fn as_the_reference_says(name: &str) {
    let folder = checkout().join("../shared/data/models").join(name);
    if !folder.exists() {
        eprintln!("!!! NOT TESTED: {} is not there, so {name} was not compared with its reference", folder.display());
        return;
    }
    let reference = json(&folder.join("reference.json"));
    let mut opened = HfFolder::open(&folder).unwrap();
    let tokenizer = Tokenizer::from_bytes(&opened.tokenizer_json, opened.tokenizer_config.as_deref(), name).unwrap();
    let bos = tokenizer.bos_id().unwrap();
    let model = load(&mut opened, &cpu(), 256, usize::MAX);

    let texts = reference["nll"].as_array().unwrap();
    let rows: Vec<Vec<u32>> = texts
        .iter()
        .map(|text| [vec![bos], tokenizer.encode(text["text"].as_str().unwrap()).unwrap()].concat())
        .collect();
    let batch = text_batch(&rows, rows.iter().map(Vec::len).max().unwrap());
    let hidden = model.forward(&batch, Pass::default()).last;
    let nll = values(model.nll(hidden, &batch.target_positions, &batch.target_ids));
    let mut total = 0.0;
    for (row, text) in texts.iter().enumerate() {
        let mine = batch.target_rows.iter().zip(&nll).filter(|(r, _)| **r as usize == row);
        let losses: Vec<f64> = mine.map(|(_, nll)| f64::from(*nll)).collect();
        assert_eq!(losses.len() as u64, text["tokens"].as_u64().unwrap(), "{name}: tokens of text {row}");
        let (sum, want) = (losses.iter().sum::<f64>(), text["sum_nll"].as_f64().unwrap());
        close(&format!("{name} nll of text {row}"), &[sum as f32], &[want as f32], 2e-5 * want);
        total += sum;
    }
    let want = reference["total"]["sum_nll"].as_f64().unwrap();
    close(&format!("{name} total nll"), &[total as f32], &[want as f32], 2e-5 * want);

    for (number, case) in reference["generation"].as_array().unwrap().iter().enumerate() {
        let prompt = integers(&case["ids"]);
        let encoded = tokenizer.encode(case["prompt"].as_str().unwrap()).unwrap();
        assert_eq!([vec![bos], encoded].concat(), prompt, "{name}: prompt {number}");
        let logits =
            values(Generation::start(&model, Pass::default(), std::slice::from_ref(&prompt), 0).unwrap().logits());
        let top: Vec<(usize, f32)> = case["top5"]
            .as_array()
            .unwrap()
            .iter()
            .map(|pair| (usize::try_from(pair[0].as_u64().unwrap()).unwrap(), pair[1].as_f64().unwrap() as f32))
            .collect();
        let got: Vec<f32> = top.iter().map(|(id, _)| logits[*id]).collect();
        let want: Vec<f32> = top.iter().map(|(_, logit)| *logit).collect();
        close(&format!("{name} top 5 of prompt {number}"), &got, &want, LOGITS);
        let higher = logits.iter().filter(|logit| **logit > got[4]).count();
        assert_eq!(higher, 4, "{name}: there are others among the top 5 of prompt {number}");
        let want = integers(&case["greedy_64"]);
        assert_eq!(greedy(&model, None, &[prompt], want.len()), [want], "{name}: greedy text of prompt {number}");
    }
}

#[test]
fn stories_260k() {
    as_the_reference_says("stories260K");
}

#[test]
fn babyllama_361() {
    as_the_reference_says("babyllama-361");
}
