//! Refactoring against dense products, norms, and the numbers of `tests/parity/landscape_fixtures.py`.

use super::super::samples::{adapter, all_close, close, dense_updates, fixture, numbers, random_adapter, rows};
use super::*;
use crate::model::lora::Projection::{QProj, VProj};

fn norm(values: &[f64]) -> f64 {
    values.iter().map(|value| value * value).sum::<f64>().sqrt()
}

fn sum(terms: &[(f64, &PlainAdapter)]) -> Vec<f64> {
    let mut total = vec![0.0; dense_updates(terms[0].1).len()];
    for (coefficient, adapter) in terms {
        total.iter_mut().zip(dense_updates(adapter)).for_each(|(total, value)| *total += coefficient * value);
    }
    total
}

fn difference(left: &[f64], right: &[f64]) -> f64 {
    norm(&left.iter().zip(right).map(|(l, r)| l - r).collect::<Vec<_>>())
}

#[test]
fn enough_rank_loses_nothing_and_less_loses_what_is_said() {
    for seed in 0..8 {
        let (left, mut right) =
            (random_adapter(seed, 2, &[QProj, VProj]), random_adapter(seed + 100, 3, &[QProj, VProj]));
        right.config.lora_alpha = -1.5; // another scale, of another sign
        for terms in [[(0.3, &left), (0.7, &right)], [(1.4, &right), (-0.4, &left)]] {
            let whole = sum(&terms);
            for rank in [1, 2, 3, 4, 5, 9] {
                let found = combine_updates(&terms, rank).unwrap();
                let error = difference(&dense_updates(&found.adapter), &whole) / norm(&whole);
                assert!(
                    (error - found.relative_error).abs() < 1e-6,
                    "rank {rank}: {error} and {}",
                    found.relative_error
                );
                assert_eq!(found.relative_error < 1e-12, rank >= 5, "rank {rank}: {}", found.relative_error);
                assert_eq!(found.adapter.config.rank, rank);
                close(found.adapter.config.scale(), terms[0].1.config.scale(), 1e-14);
                checked(&found.adapter).unwrap();
            }
        }
    }
}

/// No rank-1 update that random search finds is nearer.
#[test]
fn the_approximation_is_the_best_one() {
    let (left, right) = (random_adapter(1, 2, &[QProj]), random_adapter(2, 2, &[QProj]));
    let terms = [(0.5, &left), (0.5, &right)];
    let whole = sum(&terms);
    let best = combine_updates(&terms, 1).unwrap().adapter;
    let reached = difference(&dense_updates(&best), &whole);
    let (mut nearest, mut tried) = (f64::INFINITY, 0);
    for seed in 0..300 {
        let mut other = best.clone();
        let noise = random_adapter(seed, 1, &[QProj]);
        for (own, random) in other.factors.values_mut().zip(noise.factors.values()) {
            let values = own.lora_a.iter_mut().chain(&mut own.lora_b);
            values.zip(random.lora_a.iter().chain(&random.lora_b)).for_each(|(value, noise)| *value += 0.02 * noise);
        }
        nearest = nearest.min(difference(&dense_updates(&other), &whole));
        tried += 1;
    }
    assert!(nearest > reached && tried == 300, "{nearest} is nearer than {reached}");
}

#[test]
fn ends_give_the_update_of_the_end_and_factors_are_balanced() {
    let (left, right) = (random_adapter(3, 2, &[QProj]), random_adapter(4, 2, &[QProj]));
    let end = combine_updates(&[(1.0, &left), (0.0, &right)], 2).unwrap();
    all_close(&dense_updates(&end.adapter), &dense_updates(&left), 1e-6);
    assert!(end.relative_error < 1e-12);
    for factors in end.adapter.factors.values() {
        let (a, b) = (rows_of_a(factors), columns_of_b(factors, 2, 1.0));
        let (a, b) = (a.transposed_product(&a), b.transposed_product(&b));
        for (a, b) in a.columns.iter().zip(&b.columns) {
            all_close(a, b, 1e-6);
        }
        assert!(a.columns[0][1].abs() < 1e-6 && a.columns[0][0] >= a.columns[1][1]);
    }
}

#[test]
fn what_cancels_and_what_never_was_is_zero() {
    let left = random_adapter(3, 2, &[QProj]);
    let nothing = combine_updates(&[(0.0, &left)], 2).unwrap();
    assert!(dense_updates(&nothing.adapter).iter().all(|value| *value == 0.0));
    assert_eq!(nothing.relative_error, 0.0);
    let mut silent = left.clone();
    silent.config.lora_alpha = 0.0;
    let with_silent = combine_updates(&[(1.0, &silent), (1.0, &left)], 2).unwrap();
    all_close(&dense_updates(&with_silent.adapter), &dense_updates(&left), 1e-6);
}

#[test]
fn refusals_name_the_adapter_or_the_module() {
    let left = random_adapter(3, 2, &[QProj]);
    assert_eq!(combine_updates(&[], 2), Err(LandscapeError::NoAdapter));
    assert!(matches!(combine_updates(&[(1.0, &left)], 0), Err(LandscapeError::Rank { wanted: 0, .. })));
    assert_eq!(combine_updates(&[(1.0, &left), (f64::NAN, &left)], 1), Err(LandscapeError::Coefficient { adapter: 1 }));
    let other = random_adapter(3, 2, &[VProj]);
    let message = combine_updates(&[(0.5, &left), (0.5, &other)], 2).unwrap_err().to_string();
    assert!(message.starts_with("layer 0, v_proj:") && message.contains("same target modules"), "{message}");
    let mut loud = left.clone();
    loud.config.lora_alpha = f64::INFINITY;
    let message = combine_updates(&[(0.5, &left), (0.5, &loud)], 2).unwrap_err().to_string();
    assert!(message.starts_with("Adapter 2: lora_alpha / r is inf"), "{message}");
}

#[test]
fn padding_and_a_common_layout_change_no_update() {
    let (small, mut large) = (random_adapter(3, 2, &[QProj, VProj]), random_adapter(4, 5, &[QProj, VProj]));
    let padded = pad_rank(&small, 5).unwrap();
    assert_eq!(dense_updates(&padded), dense_updates(&small));
    assert_eq!((padded.config.rank, padded.config.lora_alpha), (5, 10.0));
    assert_eq!(pad_rank(&small, 2).unwrap(), small);
    assert!(pad_rank(&large, 4).unwrap_err().to_string().contains("the adapter has a larger one"));

    large.config.lora_alpha = 2.5; // scale 0.5 beside 2
    large.config.lora_dropout = 0.3;
    for pair in [[&small, &large], [&large, &small]] {
        let brought = common_layout(&pair).unwrap();
        assert_eq!(brought[0].config, brought[1].config);
        assert_eq!(brought[0].config.lora_dropout, pair[0].config.lora_dropout);
        assert_eq!(brought[0].config.scale(), pair[0].config.scale());
        for (found, given) in brought.iter().zip(pair) {
            all_close(&dense_updates(found), &dense_updates(given), 1e-6);
            checked(found).unwrap();
        }
    }
    assert_eq!(common_layout(&[&small]).unwrap(), vec![small.clone()]);
    assert_eq!(common_layout(&[]), Err(LandscapeError::NoAdapter));
    let mut silent = small.clone();
    silent.config.lora_alpha = 0.0;
    assert!(matches!(common_layout(&[&silent, &small]), Err(LandscapeError::Scale { adapter: 0, .. })));
    assert!(common_layout(&[&silent, &silent]).is_ok());
    assert!(common_layout(&[&small, &random_adapter(4, 2, &[QProj])]).is_err());
}

/// Spec 2: mixing factors leaves out the cross terms that mixing updates does not have.
#[test]
fn mixing_factors_is_not_mixing_updates() {
    let (left, right) = (random_adapter(3, 2, &[QProj]), random_adapter(4, 2, &[QProj]));
    let by_update = combine_updates(&[(0.5, &left), (0.5, &right)], 4).unwrap().adapter;
    let mut by_factor = left.clone();
    for (own, other) in by_factor.factors.values_mut().zip(right.factors.values()) {
        own.lora_a.iter_mut().zip(&other.lora_a).for_each(|(a, b)| *a = f32::midpoint(*a, *b));
        own.lora_b.iter_mut().zip(&other.lora_b).for_each(|(a, b)| *a = f32::midpoint(*a, *b));
    }
    let mean = sum(&[(0.5, &left), (0.5, &right)]);
    assert!(difference(&dense_updates(&by_update), &mean) < 1e-5);
    assert!(difference(&dense_updates(&by_factor), &mean) > 0.5);
}

#[test]
fn errors_and_updates_equal_those_of_the_numpy_script() {
    let case = fixture("refactor");
    let adapters: Vec<PlainAdapter> = case["adapters"].as_array().unwrap().iter().map(adapter).collect();
    let coefficients = numbers(&case["coefficients"]);
    let terms: Vec<(f64, &PlainAdapter)> = coefficients.iter().copied().zip(&adapters).collect();
    for expected in case["ranks"].as_array().unwrap() {
        let rank = expected["rank"].as_u64().unwrap() as usize;
        let found = combine_updates(&terms, rank).unwrap();
        close(found.relative_error, expected["relative_error"].as_f64().unwrap(), 1e-8);
        let by_module: Vec<f64> = found.module_errors.values().copied().collect();
        all_close(&by_module, &numbers(&expected["module_errors"]), 1e-8);
        let updates: Vec<f64> = expected["updates"].as_array().unwrap().iter().flat_map(rows).flatten().collect();
        all_close(&dense_updates(&found.adapter), &updates, 1e-6);
    }
}
