//! Principal angles between what two adapters read (row spaces of `lora_A`) or write (column spaces of `lora_B`).
//!
//! Small angles are taken from sines and large ones from cosines, since either loses its digits at its own end: Björck &
//! Golub, "Numerical Methods for Computing Angles Between Linear Subspaces" (1973), as scipy's `subspace_angles`.

use super::super::error::LandscapeError;
use super::super::matrix::Matrix;
use super::super::modules::{columns_of_b, paired, rows_of_a};
use crate::model::lora::{PlainAdapter, Projection};
use std::collections::BTreeMap;

/// Directions weaker than this share of the strongest are rounding of f32, not part of the subspace.
const NOISE: f64 = 1e-6;

/// The subspace that is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subspace {
    /// Directions of the input that the update looks at, in `[in]`.
    RowsOfA,
    /// Directions of the output that it moves, in `[out]`.
    ColumnsOfB,
}

/// Principal angles in radians, from the smallest to the largest, in every module; as many as the smaller of the two
/// subspaces has dimensions, so none for the `lora_B` of a fresh adapter. 0 is a shared direction, `pi / 2` an orthogonal one.
///
/// # Errors
/// A damaged adapter, or different modules.
pub fn principal_angles(
    left: &PlainAdapter,
    right: &PlainAdapter,
    subspace: Subspace,
) -> Result<BTreeMap<(usize, Projection), Vec<f64>>, LandscapeError> {
    let pairs = paired(left, right)?;
    let angles = pairs.into_iter().map(|(place, own, other)| {
        let (own, other) = match subspace {
            Subspace::RowsOfA => (rows_of_a(own), rows_of_a(other)),
            Subspace::ColumnsOfB => {
                (columns_of_b(own, left.config.rank, 1.0), columns_of_b(other, right.config.rank, 1.0))
            }
        };
        (place, between(&own.basis(NOISE), &other.basis(NOISE)))
    });
    Ok(angles.collect())
}

/// Angles between the spans of two orthonormal bases of one space, rising.
fn between(left: &Matrix, right: &Matrix) -> Vec<f64> {
    // the larger space first: what of the smaller one lies outside it has the sines as singular values
    if left.columns.len() < right.columns.len() {
        return between(right, left);
    }
    let shared = left.transposed_product(right);
    let inside = left.product(&shared);
    let outside = Matrix::from_fn(right.rows, right.columns.len(), |i, j| right.columns[j][i] - inside.columns[j][i]);
    let cosines = shared.svd().values;
    let mut sines = outside.svd().values;
    sines.reverse();
    let angle = |(cosine, sine): (&f64, &f64)| {
        if cosine * cosine >= 0.5 { sine.min(1.0).asin() } else { cosine.min(1.0).acos() }
    };
    cosines.iter().zip(&sines).map(angle).collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{adapter, all_close, fixture, numbers, random_adapter, random_matrix};
    use super::*;
    use crate::model::lora::Projection::QProj;
    use std::f64::consts::FRAC_PI_2;

    #[test]
    fn angles_that_were_put_in_come_out() {
        // columns e1, e2 against cos e1 + sin e3, cos' e2 + sin' e4, in a turned frame
        for given in [[1e-9, 0.3], [0.2, 1.2], [1.0, FRAC_PI_2], [0.0, 1e-5]] {
            let (frame, _) = random_matrix(8, 8, 3).qr();
            let side = |angles: [f64; 2]| {
                let flat = Matrix::from_fn(8, 2, |i, j| match i {
                    _ if i == j => angles[j].cos(),
                    _ if i == j + 2 => angles[j].sin(),
                    _ => 0.0,
                });
                frame.product(&flat)
            };
            let found = between(&side([0.0; 2]), &side(given));
            found.iter().zip(given).for_each(|(found, given)| {
                assert!((found - given).abs() < 1e-14, "{found} instead of {given}");
            });
        }
    }

    #[test]
    fn a_mixed_basis_spans_the_same_space() {
        let left = random_adapter(5, 3, &[QProj]);
        let mut mixed = left.clone();
        for factors in mixed.factors.values_mut() {
            let width = factors.in_features;
            let (first, rest) = factors.lora_a.split_at_mut(width);
            first.iter_mut().zip(&rest[..width]).for_each(|(a, b)| *a += 2.0 * b);
        }
        let same = principal_angles(&left, &mixed, Subspace::RowsOfA).unwrap();
        assert!(same.values().flatten().all(|angle| *angle < 1e-6), "{same:?}");
        assert_eq!(same[&(0, QProj)].len(), 3);
        let other = random_adapter(6, 2, &[QProj]);
        let apart = principal_angles(&left, &other, Subspace::RowsOfA).unwrap();
        assert_eq!(apart, principal_angles(&other, &left, Subspace::RowsOfA).unwrap());
        assert!(apart.values().all(|angles| angles.len() == 2 && angles[0] <= angles[1] && angles[1] > 0.1));
    }

    #[test]
    fn a_space_without_directions_has_no_angles() {
        let left = random_adapter(5, 2, &[QProj]);
        let mut fresh = left.clone();
        fresh.factors.values_mut().for_each(|factors| factors.lora_b.fill(0.0));
        let angles = principal_angles(&left, &fresh, Subspace::ColumnsOfB).unwrap();
        assert!(angles.values().all(Vec::is_empty));
        assert_eq!(angles.len(), 2);
    }

    #[test]
    fn angles_equal_those_of_numpy() {
        let case = fixture("updates");
        let (left, right) = (adapter(&case["left"]), adapter(&case["right"]));
        for (name, subspace) in [("angles_a", Subspace::RowsOfA), ("angles_b", Subspace::ColumnsOfB)] {
            let found = principal_angles(&left, &right, subspace).unwrap();
            let expected = case[name].as_array().unwrap();
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.values().zip(expected) {
                all_close(found, &numbers(expected), 1e-7);
            }
        }
    }
}
