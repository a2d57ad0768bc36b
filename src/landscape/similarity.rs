//! How near two adapters are: distances of flat vectors here, of updates, subspaces and features in the files below.
//!
//! Spec 7.7. The flat distance compares parameters, so two adapters with the same update `B A` and different factors are far
//! apart in it; [`updates`] compares `s B A` itself. [`angles`] compares which directions two adapters read and write,
//! [`cka`] what a model makes of the same inputs.

pub mod angles;
pub mod cka;
pub mod updates;

use super::error::LandscapeError;
use super::matrix::dot;
use crate::model::lora::PlainAdapter;

/// All factors one after the other, modules in the order of their places, `lora_A` before `lora_B`. Comparable between
/// adapters of one rank and the same modules.
#[must_use]
pub fn flat(adapter: &PlainAdapter) -> Vec<f32> {
    adapter.factors.values().flat_map(|factors| factors.lora_a.iter().chain(&factors.lora_b).copied()).collect()
}

/// Euclidean distance of two flat vectors, summed in f64.
///
/// # Errors
/// Different lengths.
pub fn l2_distance(left: &[f32], right: &[f32]) -> Result<f64, LandscapeError> {
    same_length(left, right)?;
    let difference: Vec<f64> = left.iter().zip(right).map(|(l, r)| f64::from(*l) - f64::from(*r)).collect();
    Ok(dot(&difference, &difference).sqrt())
}

/// Root mean square of the differences, `l2 / sqrt(n)`; `None` for empty vectors.
///
/// # Errors
/// Different lengths.
pub fn rms_distance(left: &[f32], right: &[f32]) -> Result<Option<f64>, LandscapeError> {
    let distance = l2_distance(left, right)?;
    Ok((!left.is_empty()).then(|| distance / (left.len() as f64).sqrt()))
}

/// Cosine of the angle between two flat vectors; `None` if one is zero.
///
/// # Errors
/// Different lengths.
pub fn cosine(left: &[f32], right: &[f32]) -> Result<Option<f64>, LandscapeError> {
    same_length(left, right)?;
    Ok(cosine_of(dot(left, right), dot(left, left), dot(right, right)))
}

/// From an inner product and two squared lengths.
fn cosine_of(product: f64, left_squared: f64, right_squared: f64) -> Option<f64> {
    let lengths = left_squared.sqrt() * right_squared.sqrt();
    (lengths > 0.0).then(|| (product / lengths).clamp(-1.0, 1.0))
}

fn same_length(left: &[f32], right: &[f32]) -> Result<(), LandscapeError> {
    if left.len() == right.len() {
        return Ok(());
    }
    Err(LandscapeError::Lengths { what: "Two flat vectors", left: left.len(), right: right.len() })
}

/// A symmetric measure between all pairs, `[items][items]`; each pair is measured once, and every item with itself.
///
/// # Errors
/// The first error of the measure.
pub fn pairwise<Item, Value: Clone, Error>(
    items: &[Item],
    mut measure: impl FnMut(&Item, &Item) -> Result<Value, Error>,
) -> Result<Vec<Vec<Value>>, Error> {
    let mut table: Vec<Vec<Value>> = Vec::with_capacity(items.len());
    for (row, left) in items.iter().enumerate() {
        let mut values: Vec<Value> = table.iter().map(|earlier| earlier[row].clone()).collect();
        for right in &items[row..] {
            values.push(measure(left, right)?);
        }
        table.push(values);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::super::samples::random_adapter;
    use super::*;
    use crate::model::lora::Projection::{QProj, VProj};

    #[test]
    fn flat_distances_worked_out_by_hand() {
        let (a, b) = ([1.0, 2.0, 3.0, 4.0], [1.0, 5.0, 3.0, 0.0]);
        assert_eq!((l2_distance(&a, &b).unwrap(), rms_distance(&a, &b).unwrap()), (5.0, Some(2.5)));
        assert_eq!(l2_distance(&a, &a).unwrap(), 0.0);
        // 20 / (sqrt(30) sqrt(35))
        assert!((cosine(&a, &b).unwrap().unwrap() - 20.0 / 1050.0_f64.sqrt()).abs() < 1e-15);
        assert_eq!(cosine(&[3.0, 4.0], &[-6.0, -8.0]).unwrap(), Some(-1.0));
        assert_eq!(cosine(&[0.0, 0.0], &[1.0, 1.0]).unwrap(), None);
        assert_eq!(rms_distance(&[], &[]).unwrap(), None);
        let refused = l2_distance(&a, &b[..3]).unwrap_err().to_string();
        assert!(refused.starts_with("Two flat vectors: 4 entries on one side, 3 on the other."), "{refused}");
    }

    /// In f32 the sum of a million small squares after a large one would not move, and the distance be off by 5e-9.
    #[test]
    fn long_vectors_are_summed_in_f64() {
        let mut long = vec![1e-3_f32; 1_000_000];
        long[0] = 1e4;
        let expected = (1e8 + 999_999.0 * f64::from(1e-3_f32).powi(2)).sqrt();
        assert!((l2_distance(&long, &vec![0.0; 1_000_000]).unwrap() / expected - 1.0).abs() < 1e-10);
    }

    #[test]
    fn flat_holds_every_factor_in_order() {
        let adapter = random_adapter(3, 2, &[QProj, VProj]);
        let all = flat(&adapter);
        let first = &adapter.factors[&(0, QProj)];
        assert_eq!(all.len(), adapter.factors.values().map(|f| 2 * (f.in_features + f.out_features)).sum::<usize>());
        assert_eq!(all[..12], first.lora_a);
        assert_eq!(all[12..22], first.lora_b);
        assert_eq!(all[22..36], adapter.factors[&(0, VProj)].lora_a);
    }

    #[test]
    fn a_table_of_pairs_is_symmetric_and_measured_once() {
        let mut calls = 0;
        let table = pairwise(&[1, 2, 4], |left, right| {
            calls += 1;
            if left * right > 99 { Err("large") } else { Ok(left * right) }
        });
        assert_eq!((table.unwrap(), calls), (vec![vec![1, 2, 4], vec![2, 4, 8], vec![4, 8, 16]], 6));
        assert_eq!(pairwise(&[1, 100], |l, r| if l * r > 99 { Err("large") } else { Ok(()) }), Err("large"));
    }
}
