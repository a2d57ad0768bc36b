//! Points between adapters against PEFT's weighted adapters, merged and evaluated by transformers; linear CKA against numpy.
//!
//! `peft_paths.py` beside this file says which of PEFT's combinations mean what: its `cat` is the straight line of the updates,
//! its `linear` takes roots of the weights and is our straight line of the factors for the weights `(1-t)^2` and `t^2`.

use crate::oracle::{Fixture, LOSS, batch, close, cpu, fixtures, floats, integers, json, largest_difference, values};
use serde_json::Value;
use thalweg::data::batch::Batch;
use thalweg::landscape::refactor::combine_updates;
use thalweg::landscape::similarity::cka::{Features, linear_cka};
use thalweg::model::{Adapter, AdapterVars, Llama, Pass};

/// What the landscape promises against merged models; the comparisons here stay far below it.
const PROMISED: f64 = 1e-4;

struct Scene {
    said: Value,
    batch: Batch,
    model: Llama,
    first: Adapter,
    second: Adapter,
    fixture: Fixture,
}

fn scene() -> Scene {
    let said = json(&fixtures().join("peft_paths.json"));
    let fixture = Fixture::open("tiny-llama3");
    assert_eq!(said["model"], fixture.name);
    let model = fixture.load(&cpu());
    let adapter = |name: &str| fixture.adapter(said[name].as_str().unwrap(), model.device());
    let (first, second) = (adapter("first"), adapter("second"));
    Scene { batch: batch(&said["batch"]), model, first, second, fixture, said }
}

impl Scene {
    /// Losses of the targets under each of the adapters that share the pass.
    fn nll(&self, vars: &AdapterVars) -> Vec<f32> {
        let batch = self.batch.repeat(vars.adapters()).unwrap();
        let pass = Pass { rows: Some(&batch.target_positions), ..Pass::of(Some(vars)) };
        values(self.model.nll(self.model.forward(&batch, pass).last, &[], &batch.target_ids))
    }

    /// The places that a part of the fixture has, with the losses there.
    fn points(&self, part: &str) -> (Vec<f64>, Vec<f32>) {
        let points = self.said[part].as_object().unwrap();
        assert_eq!(points.len(), 4);
        (points.keys().map(|t| t.parse().unwrap()).collect(), points.values().flat_map(floats).collect())
    }
}

#[test]
fn the_line_of_the_factors_is_pefts_linear_with_squared_weights() {
    let scene = scene();
    let (ts, want) = scene.points("linear_of_squares");
    let points: Vec<Adapter> = ts.iter().map(|&t| scene.first.lerp(&scene.second, t)).collect();
    let together = scene.nll(&Adapter::stack(&points.iter().collect::<Vec<_>>()));
    close("line, all points in one pass, against PEFT's merged models", &together, &want, LOSS.min(PROMISED));
    // Merged here, one model after the other.
    let merged: Vec<f32> = points
        .iter()
        .flat_map(|point| {
            let model = scene.model.merged(&point.vars(false)).unwrap();
            let hidden = model.forward(&scene.batch, Pass::default()).last;
            values(model.nll(hidden, &scene.batch.target_positions, &scene.batch.target_ids))
        })
        .collect();
    close("line, merged here", &merged, &want, LOSS);
    assert!(scene.model.merged(&Adapter::stack(&[&scene.first, &scene.second])).is_none());
    // With the weights as they stand PEFT goes another way: the roots do not sum to 1.
    let said = &scene.said["linear_as_it_stands"];
    let t = said["t"].as_f64().unwrap();
    let roots = [(1.0 - t).sqrt(), t.sqrt()];
    let peft = scene.first.combine(&[scene.first.clone(), scene.second.clone()], &roots);
    close("PEFT's linear as it stands", &scene.nll(&peft.vars(false)), &floats(&said["nll"]), LOSS);
    let line = scene.nll(&scene.first.lerp(&scene.second, t).vars(false));
    assert!(largest_difference(&line, &floats(&said["nll"])) > 100.0 * PROMISED, "the two are told apart");
}

#[test]
fn the_line_of_the_updates_is_pefts_cat_and_cut_to_a_rank_its_svd() {
    let scene = scene();
    let (ts, want) = scene.points("cat");
    let weighted =
        |adapter: &Adapter, weights: Vec<f64>| Adapter::stack(&vec![adapter; weights.len()]).weighted(&weights);
    let first = weighted(&scene.first, ts.iter().map(|t| 1.0 - t).collect());
    let line = first.beside(&weighted(&scene.second, ts.clone()));
    close("product line, all points in one pass, against PEFT's cat", &scene.nll(&line), &want, LOSS);
    let (svd, plain) = (&scene.said["svd"], |name: &str| scene.fixture.plain_adapter(name));
    let (t, rank) = (svd["t"].as_f64().unwrap(), usize::try_from(svd["rank"].as_u64().unwrap()).unwrap());
    let (a, b) = (plain("adapter"), plain("adapter_slow"));
    let cut = combine_updates(&[(1.0 - t, &a), (t, &b)], rank).unwrap();
    assert!(cut.relative_error > 0.1, "something is cut off");
    let cut = Adapter::from_plain(&cut.adapter, &scene.fixture.config, scene.model.device()).unwrap();
    close(
        "updates cut to one adapter's rank, against PEFT's svd",
        &scene.nll(&cut.vars(false)),
        &floats(&svd["nll"]),
        LOSS,
    );
}

#[test]
fn cka_of_the_hidden_states_is_numpys_of_transformers() {
    let scene = scene();
    let positions = integers(&scene.said["cka"]["positions"]);
    let features = |adapter: &Adapter| -> Vec<Features> {
        let vars = adapter.vars(false);
        let pass = Pass { rows: Some(&positions), keep_layers: true, ..Pass::of(Some(&vars)) };
        let states = scene.model.forward(&scene.batch, pass).layers;
        states.into_iter().map(|state| Features::new(&values(state), scene.batch.batch).unwrap()).collect()
    };
    let (left, right) = (features(&scene.first), features(&scene.second));
    assert_eq!(left.len(), scene.fixture.config.num_hidden_layers + 1);
    let found = left.iter().zip(&right).map(|(left, right)| linear_cka(left, right).unwrap().unwrap() as f32);
    close("CKA by state", &found.collect::<Vec<_>>(), &floats(&scene.said["cka"]["values"]), 1e-5);
}

/// Asking for some rows alone changes none of them.
#[test]
fn asked_rows_are_those_of_the_whole_pass() {
    let scene = scene();
    let vars = Adapter::stack(&[&scene.first, &scene.second]);
    let batch = scene.batch.repeat(2).unwrap();
    let rows = Some(batch.target_positions.as_slice());
    let (whole, asked) = (Pass { keep_layers: true, ..Pass::of(Some(&vars)) }, Pass::of(Some(&vars)));
    let whole = scene.model.forward(&batch, whole);
    let asked = scene.model.forward(&batch, Pass { keep_layers: true, rows, ..asked });
    assert_eq!(asked.layers.len(), whole.layers.len());
    for (whole, asked) in whole.layers.into_iter().zip(asked.layers) {
        let want = values(scene.model.rows(whole, &batch.target_positions));
        close("asked rows", &values(asked), &want, 1e-6);
    }
}
