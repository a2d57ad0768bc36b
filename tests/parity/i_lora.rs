//! I-LoRA against a double-precision reference: cross-entropies, the consistency term in all its forms, totals, the gradient
//! into the fast learner; and the slow learner's interpolation against the formula.

use crate::oracle::{
    Fixture, GRADIENT, LOSS, batch, close, close_by_key, close_number, cpu, fixtures, flat_by_key, json,
};
use crate::oracle::{scalar, values};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use std::collections::BTreeMap;
use thalweg::continual::knobs::Knobs;
use thalweg::continual::{Method, Setup, StepContext, find};
use thalweg::data::batch::Batch;
use thalweg::io::SafetensorsFile;
use thalweg::model::{Adapter, Llama};

struct Case {
    said: Value,
    model: Llama,
    fast: Adapter,
    slow: Adapter,
    current: Batch,
    replay: Batch,
}

impl Case {
    fn open() -> Self {
        let said = json(&fixtures().join("i_lora.json"));
        let fixture = Fixture::open("tiny-llama3");
        let model = fixture.load(&cpu());
        let (fast, slow) =
            (fixture.adapter("adapter", model.device()), fixture.adapter("adapter_slow", model.device()));
        let (current, replay) = (batch(&said["current"]), batch(&said["replay"]));
        Self { said, model, fast, slow, current, replay }
    }

    /// The method with these settings, its two learners apart.
    fn method(&self, settings: &[(&str, &str)]) -> Box<dyn Method> {
        let entry = find("i_lora").unwrap();
        let given: BTreeMap<String, String> =
            settings.iter().map(|(name, value)| ((*name).to_string(), (*value).to_string())).collect();
        let knobs = Knobs::parse(&entry, None, &given).unwrap();
        let (adapter, mut rng) = (self.fast.clone(), ChaCha8Rng::seed_from_u64(0));
        let mut method = (entry.make)(Setup { adapter, model: &self.model, knobs: &knobs, rng: &mut rng }).unwrap();
        assert_eq!(method.state().keys().collect::<Vec<_>>(), ["long_term"]);
        method.restore(&BTreeMap::from([("long_term".to_string(), self.slow.flat())])).unwrap();
        method
    }

    fn context(&self, replay: bool) -> StepContext<'_> {
        StepContext {
            replay: replay.then_some(&self.replay),
            task: 1,
            want_replay_losses: true,
            ..StepContext::new(&self.model, &self.current)
        }
    }
}

#[test]
fn every_value_and_gradient_of_the_reference() {
    let case = Case::open();
    let mut gradients = SafetensorsFile::open(&fixtures().join("i_lora_gradients.safetensors")).unwrap();
    let mut compared = 0;
    for ce in ["mean_of_means", "pooled"] {
        for (features, feature) in [("last", "last_hidden"), ("all_layers", "all_layers"), ("logits", "logits")] {
            for side in ["symmetric", "one_sided"] {
                let key = format!("{ce}/{feature}/{side}");
                let mut method =
                    case.method(&[("ce", ce), ("features", features), ("consistency", side), ("gamma", "1")]);
                let result = method.gradient(&case.context(true)).unwrap();
                let term = |name: &str| {
                    let (_, value) = result.terms.iter().find(|(known, _)| *known == name).unwrap();
                    scalar(value.clone())
                };
                assert_eq!(result.terms[0].0, "total");
                close_number(&format!("{key} task"), term("task"), &case.said["ce_current"], LOSS);
                close_number(&format!("{key} replay"), term("replay"), &case.said["ce_replay"], LOSS);
                let consistency = &case.said["consistency"][format!("{feature}/{side}")];
                close_number(&format!("{key} consistency"), term("consistency"), consistency, LOSS);
                close_number(&format!("{key} total"), term("total"), &case.said["total"][&key], LOSS);
                if ce == "pooled" {
                    let pooled = term("total") - term("consistency");
                    close_number(&format!("{key} pooled"), pooled, &case.said["ce_pooled"], LOSS);
                }
                let gradient = flat_by_key(&case.fast, result.gradient);
                if ce == "mean_of_means" || key == "pooled/last_hidden/symmetric" {
                    close_by_key(&format!("{key} gradient"), &gradient, &mut gradients, &format!("{key}/"), GRADIENT);
                    compared += 1;
                }
                let (working, slow) = result.replay_nll.unwrap();
                let mean = |nll: &[f32]| nll.iter().sum::<f32>() / nll.len() as f32;
                close_number(&format!("{key} replayed"), mean(&values(working)), &case.said["ce_replay"], LOSS);
                let slow_vars = case.slow.vars(false);
                let pass = thalweg::model::llama::Pass { adapter: Some(&slow_vars), ..Default::default() };
                let hidden = case.model.forward(&case.replay, pass).last;
                let want = values(case.model.nll(hidden, &case.replay.target_positions, &case.replay.target_ids));
                close(&format!("{key} replayed, slow learner"), &values(slow.unwrap()), &want, 1e-6);
            }
        }
    }
    assert_eq!(compared, 7, "all gradients of the reference were compared");
}

#[test]
fn gamma_and_the_share_weigh_the_terms() {
    let case = Case::open();
    let [current, replay, consistency] =
        [&case.said["ce_current"], &case.said["ce_replay"], &case.said["consistency"]["last_hidden/symmetric"]]
            .map(|value| value.as_f64().unwrap());
    let total = |settings: &[(&str, &str)], replayed: bool| {
        let result = case.method(settings).gradient(&case.context(replayed)).unwrap();
        (scalar(result.terms[0].1.clone()), result.terms.len(), values(result.gradient))
    };
    let (got, terms, _) = total(&[("gamma", "0.25"), ("current_share", "0.8")], true);
    assert_eq!(terms, 4);
    close("weighted total", &[got], &[(0.8 * current + 0.2 * replay + 0.25 * consistency) as f32], LOSS);
    let (got, terms, plain) = total(&[("gamma", "0")], true);
    assert_eq!(terms, 3, "no consistency term without gamma");
    close("total without gamma", &[got], &[(0.5 * (current + replay)) as f32], LOSS);
    let (_, _, with) = total(&[("gamma", "1")], true);
    assert!(plain.iter().zip(&with).any(|(a, b)| (a - b).abs() > 1e-3), "the consistency term has a gradient");
    // before there is anything to replay, the loss is the task's alone
    let (got, terms, _) = total(&[("gamma", "1")], false);
    assert_eq!(terms, 2);
    close("total without replay", &[got], &[current as f32], LOSS);
}

#[test]
fn the_slow_learner_follows_by_the_formula() {
    let case = Case::open();
    let (fast, slow) = (values(case.fast.flat()), values(case.slow.flat()));
    // (settings, step over all tasks, weight of the slow learner's old value)
    type Setting = (&'static [(&'static str, &'static str)], u64, f64);
    let cases: [Setting; 6] = [
        (&[("lambda", "0.99")], 1, 0.5),
        (&[("lambda", "0.99")], 3, 0.75),
        (&[("lambda", "0.99")], 99, 0.99),
        (&[("lambda", "0.99")], 100_000, 0.99),
        (&[("lambda", "0.99"), ("clip", "false")], 1, 0.99),
        (&[("half_life_steps", "10"), ("clip", "false")], 7, 0.933_032_991_536_807_4),
    ];
    for (settings, step, lambda) in cases {
        let mut method = case.method(settings);
        method.after_step(step);
        let learners = method.learners(0);
        assert_eq!(
            learners.iter().map(|l| (l.name, l.headline)).collect::<Vec<_>>(),
            [("working", false), ("long_term", true)]
        );
        assert_eq!(values(learners[0].learnt.adapter().unwrap().flat()), fast, "the working learner stays");
        let want: Vec<f32> = slow
            .iter()
            .zip(&fast)
            .map(|(slow, fast)| (lambda * f64::from(*slow) + (1.0 - lambda) * f64::from(*fast)) as f32)
            .collect();
        let what = format!("slow learner after step {step}, lambda {lambda:.4}");
        close(&what, &values(learners[1].learnt.adapter().unwrap().flat()), &want, 1e-6);
    }
}
