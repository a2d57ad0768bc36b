//! What the tests of this folder share: random adapters and matrices, dense products, and the numbers of the numpy script.

use super::matrix::Matrix;
use crate::model::lora::{Factors, LoraConfig, PlainAdapter, Projection};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;

/// Uniform numbers in `[-1, 1)`.
pub(super) fn random_matrix(rows: usize, columns: usize, seed: u64) -> Matrix {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let columns = (0..columns).map(|_| (0..rows).map(|_| rng.random_range(-1.0..1.0)).collect()).collect();
    Matrix { rows, columns }
}

/// Two layers of the given projections, features between 4 and 7, factors uniform in `[-1, 1)`, scale 2.
pub(super) fn random_adapter(seed: u64, rank: usize, projections: &[Projection]) -> PlainAdapter {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draw = |count: usize| (0..count).map(|_| rng.random_range(-1.0_f32..1.0)).collect();
    let mut adapter = PlainAdapter {
        config: LoraConfig {
            rank,
            lora_alpha: 2.0 * rank as f64,
            target_modules: projections.to_vec(),
            ..LoraConfig::default()
        },
        factors: std::collections::BTreeMap::new(),
    };
    for layer in 0..2 {
        for (at, projection) in projections.iter().enumerate() {
            let (in_features, out_features) = (6 + at, 5 - at + layer);
            let factors = Factors {
                lora_a: draw(rank * in_features),
                lora_b: draw(out_features * rank),
                in_features,
                out_features,
            };
            adapter.factors.insert((layer, *projection), factors);
        }
    }
    adapter
}

/// All dense updates `s B A` of an adapter, one after the other, row by row, in f64.
pub(super) fn dense_updates(adapter: &PlainAdapter) -> Vec<f64> {
    let rank = adapter.config.rank;
    let mut dense = Vec::new();
    for factors in adapter.factors.values() {
        for out in 0..factors.out_features {
            for input in 0..factors.in_features {
                let sum: f64 = (0..rank)
                    .map(|r| {
                        f64::from(factors.lora_b[out * rank + r])
                            * f64::from(factors.lora_a[r * factors.in_features + input])
                    })
                    .sum();
                dense.push(adapter.config.scale() * sum);
            }
        }
    }
    dense
}

/// `tests/fixtures/landscape.json`, made by `tests/parity/landscape_fixtures.py`.
pub(super) fn fixture(case: &str) -> Value {
    let all: Value = serde_json::from_str(include_str!("../../tests/fixtures/landscape.json")).unwrap();
    let part = all[case].clone();
    assert!(!part.is_null(), "the fixture has no {case}");
    part
}

/// A list of numbers, or the data of a `{shape, data}` array.
pub(super) fn numbers(value: &Value) -> Vec<f64> {
    let list = if value.is_object() { &value["data"] } else { value };
    list.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The rows of a `{shape: [rows, columns], data}` array.
pub(super) fn rows(value: &Value) -> Vec<Vec<f64>> {
    let width = value["shape"][1].as_u64().unwrap() as usize;
    numbers(value).chunks(width).map(<[f64]>::to_vec).collect()
}

pub(super) fn singles(values: &[f64]) -> Vec<f32> {
    values.iter().map(|value| *value as f32).collect()
}

/// An adapter of the fixture: `{r, lora_alpha, modules: [{layer, projection, lora_a, lora_b}]}`.
pub(super) fn adapter(value: &Value) -> PlainAdapter {
    let rank = value["r"].as_u64().unwrap() as usize;
    let modules = value["modules"].as_array().unwrap();
    let factors = modules.iter().map(|module| {
        let projection = Projection::from_name(module["projection"].as_str().unwrap()).unwrap();
        let shape = |name: &str, at: usize| module[name]["shape"][at].as_u64().unwrap() as usize;
        let factors = Factors {
            lora_a: singles(&numbers(&module["lora_a"])),
            lora_b: singles(&numbers(&module["lora_b"])),
            in_features: shape("lora_a", 1),
            out_features: shape("lora_b", 0),
        };
        ((module["layer"].as_u64().unwrap() as usize, projection), factors)
    });
    let factors: std::collections::BTreeMap<_, _> = factors.collect();
    let mut target_modules: Vec<Projection> = factors.keys().map(|(_, projection)| *projection).collect();
    target_modules.sort_unstable();
    target_modules.dedup();
    let lora_alpha = value["lora_alpha"].as_f64().unwrap();
    PlainAdapter { config: LoraConfig { rank, lora_alpha, target_modules, ..LoraConfig::default() }, factors }
}

/// Fails unless the two agree to `limit`, relative to the larger of 1 and the expected size.
#[track_caller]
pub(super) fn close(found: f64, expected: f64, limit: f64) {
    let error = (found - expected).abs() / expected.abs().max(1.0);
    assert!(error <= limit, "found {found}, expected {expected}");
}

/// [`close`] for lists.
#[track_caller]
pub(super) fn all_close(found: &[f64], expected: &[f64], limit: f64) {
    assert_eq!(found.len(), expected.len(), "found {found:?}, expected {expected:?}");
    found.iter().zip(expected).for_each(|(found, expected)| close(*found, *expected, limit));
}
