//! Distances between the updates `s B A` of two adapters, without forming the dense product.
//!
//! These do not see the freedom `(B M, M^-1 A)` of the factors (spec 2 and 7.7). Frobenius inner products go through `r x r`
//! matrices, `<s B A, s' B' A'> = s s' sum_ij (B^T B')_ij (A A'^T)_ij`, in f64. A distance is taken of
//! `(B - B') A + B' (A - A')`, with the scales in the `B`s: for neighbours on a training track both terms are small, where
//! `|U|^2 + |U'|^2 - 2 <U, U'>` would lose their digits. Ranks may differ.

use super::super::error::LandscapeError;
use super::super::matrix::{Matrix, dot};
use super::super::modules::{checked, columns_of_b, paired, rows_of_a};
use super::cosine_of;
use crate::model::lora::{Factors, PlainAdapter, Projection};
use std::collections::BTreeMap;

/// `b a^T`, an update in factors: `b [out, r]`, `a [in, r]`.
struct Update {
    b: Matrix,
    a: Matrix,
}

impl Update {
    fn new(adapter: &PlainAdapter, factors: &Factors) -> Self {
        let config = &adapter.config;
        Self { b: columns_of_b(factors, config.rank, config.scale()), a: rows_of_a(factors) }
    }

    fn inner(&self, other: &Self) -> f64 {
        let (b, a) = (self.b.transposed_product(&other.b), self.a.transposed_product(&other.a));
        b.columns.iter().zip(&a.columns).map(|(b, a)| dot(b, a)).sum()
    }

    fn squared_distance(self, other: Self) -> f64 {
        let rank = self.a.columns.len().max(other.a.columns.len());
        let [own_b, own_a, other_b, other_a] = [self.b, self.a, other.b, other.a].map(|part| widened(part, rank));
        let first = Self { b: difference(&own_b, &other_b), a: own_a.clone() };
        let second = Self { b: other_b, a: difference(&own_a, &other_a) };
        let square = first.inner(&first) + 2.0 * first.inner(&second) + second.inner(&second);
        // rounding can leave it just below 0; NaN stays NaN
        if square < 0.0 { 0.0 } else { square }
    }
}

/// Columns of zeros added until there are `rank`.
fn widened(mut part: Matrix, rank: usize) -> Matrix {
    part.columns.resize(rank, vec![0.0; part.rows]);
    part
}

fn difference(left: &Matrix, right: &Matrix) -> Matrix {
    Matrix::from_fn(left.rows, left.columns.len(), |i, j| left.columns[j][i] - right.columns[j][i])
}

/// Frobenius norm of the adapter's whole update: the root of the sum over modules of `|s B A|^2`.
///
/// # Errors
/// A damaged adapter.
pub fn update_norm(adapter: &PlainAdapter) -> Result<f64, LandscapeError> {
    let factors = checked(adapter)?.factors.values();
    let square: f64 = factors
        .map(|factors| {
            let update = Update::new(adapter, factors);
            update.inner(&update)
        })
        .sum();
    Ok(square.max(0.0).sqrt())
}

/// Frobenius inner product of two updates, over all modules.
///
/// # Errors
/// A damaged adapter, or different modules.
pub fn update_inner(left: &PlainAdapter, right: &PlainAdapter) -> Result<f64, LandscapeError> {
    let pairs = paired(left, right)?;
    Ok(pairs.iter().map(|(_, own, other)| Update::new(left, own).inner(&Update::new(right, other))).sum())
}

/// Cosine of the angle between two updates; `None` if one is zero, as of a fresh adapter.
///
/// # Errors
/// A damaged adapter, or different modules.
pub fn update_cosine(left: &PlainAdapter, right: &PlainAdapter) -> Result<Option<f64>, LandscapeError> {
    let product = update_inner(left, right)?;
    Ok(cosine_of(product, update_norm(left)?.powi(2), update_norm(right)?.powi(2)))
}

/// Frobenius distance of two updates in every module.
///
/// # Errors
/// A damaged adapter, or different modules.
pub fn update_distances(
    left: &PlainAdapter,
    right: &PlainAdapter,
) -> Result<BTreeMap<(usize, Projection), f64>, LandscapeError> {
    let distance =
        |(place, own, other)| (place, Update::new(left, own).squared_distance(Update::new(right, other)).sqrt());
    Ok(paired(left, right)?.into_iter().map(distance).collect())
}

/// Frobenius distance of two whole updates: the root of the sum of squares over all modules.
///
/// # Errors
/// A damaged adapter, or different modules.
pub fn update_distance(left: &PlainAdapter, right: &PlainAdapter) -> Result<f64, LandscapeError> {
    Ok(update_distances(left, right)?.values().map(|distance| distance * distance).sum::<f64>().sqrt())
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{adapter, close, dense_updates, fixture, random_adapter};
    use super::*;
    use crate::model::lora::Projection::{OProj, QProj};

    fn dense_distance(left: &PlainAdapter, right: &PlainAdapter) -> f64 {
        let (l, r) = (dense_updates(left), dense_updates(right));
        l.iter().zip(&r).map(|(l, r)| (l - r).powi(2)).sum::<f64>().sqrt()
    }

    #[test]
    fn all_equals_the_dense_computation() {
        for seed in 0..10 {
            let (left, right) =
                (random_adapter(seed, 2, &[QProj, OProj]), random_adapter(seed + 50, 3, &[QProj, OProj]));
            let (l, r) = (dense_updates(&left), dense_updates(&right));
            let product: f64 = l.iter().zip(&r).map(|(l, r)| l * r).sum();
            let [l_norm, r_norm] = [&l, &r].map(|d| d.iter().map(|v| v * v).sum::<f64>().sqrt());
            close(update_norm(&left).unwrap(), l_norm, 1e-13);
            close(update_inner(&left, &right).unwrap(), product, 1e-12);
            close(update_cosine(&left, &right).unwrap().unwrap(), product / (l_norm * r_norm), 1e-13);
            close(update_distance(&left, &right).unwrap(), dense_distance(&left, &right), 1e-13);
            assert_eq!(update_distance(&left, &left).unwrap(), 0.0);
        }
    }

    #[test]
    fn the_freedom_of_the_factors_is_not_seen() {
        // powers of two, so that f32 holds the product exactly: columns of B doubled, rows of A halved, and exchanged
        let left = random_adapter(1, 2, &[QProj]);
        let mut turned = left.clone();
        for factors in turned.factors.values_mut() {
            let width = factors.in_features;
            factors.lora_a.rotate_left(width);
            factors.lora_a.iter_mut().for_each(|value| *value *= 0.5);
            factors.lora_b.chunks_mut(2).for_each(|row| {
                row.swap(0, 1);
                for value in row {
                    *value *= 2.0;
                }
            });
        }
        assert!(super::super::l2_distance(&super::super::flat(&left), &super::super::flat(&turned)).unwrap() > 1.0);
        assert!(update_distance(&left, &turned).unwrap() < 1e-7 * update_norm(&left).unwrap());
        close(update_cosine(&left, &turned).unwrap().unwrap(), 1.0, 1e-14);
    }

    #[test]
    fn neighbours_keep_their_digits() {
        let left = random_adapter(1, 3, &[QProj]);
        let mut near = left.clone();
        let factors = near.factors.get_mut(&(0, QProj)).unwrap();
        factors.lora_b[4] = f32::from_bits(factors.lora_b[4].to_bits() + 1);
        let (found, expected) = (update_distance(&left, &near).unwrap(), dense_distance(&left, &near));
        assert!((found / expected - 1.0).abs() < 1e-8, "{found} instead of {expected}");
        assert_eq!(update_distances(&left, &near).unwrap()[&(1, QProj)], 0.0);
    }

    #[test]
    fn scale_counts_and_a_fresh_adapter_has_no_direction() {
        let left = random_adapter(1, 2, &[QProj]);
        let mut louder = left.clone();
        louder.config.lora_alpha *= 3.0;
        close(update_distance(&left, &louder).unwrap(), 2.0 * update_norm(&left).unwrap(), 1e-13);
        let mut fresh = left.clone();
        fresh.factors.values_mut().for_each(|factors| factors.lora_b.fill(0.0));
        assert_eq!((update_norm(&fresh).unwrap(), update_cosine(&left, &fresh).unwrap()), (0.0, None));
        assert!(update_distance(&left, &random_adapter(1, 2, &[OProj])).is_err());
    }

    #[test]
    fn distances_equal_those_of_the_numpy_script() {
        let case = fixture("updates");
        let (left, right) = (adapter(&case["left"]), adapter(&case["right"]));
        let number = |name: &str| case[name].as_f64().unwrap();
        close(update_norm(&left).unwrap(), number("norm_left"), 1e-8);
        close(update_distance(&left, &right).unwrap(), number("distance"), 1e-8);
        close(update_inner(&left, &right).unwrap(), number("inner"), 1e-8);
        close(update_cosine(&left, &right).unwrap().unwrap(), number("cosine"), 1e-8);
    }
}
