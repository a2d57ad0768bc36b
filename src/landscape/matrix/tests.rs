//! Decompositions against what they must give back, and values known in closed form.

use super::super::samples::random_matrix;
use super::*;

#[track_caller]
fn near(left: &Matrix, right: &Matrix, limit: f64) {
    assert_eq!((left.rows, left.columns.len()), (right.rows, right.columns.len()));
    let worst = left.columns.iter().flatten().zip(right.columns.iter().flatten());
    let worst = worst.map(|(l, r)| (l - r).abs()).fold(0.0, f64::max);
    assert!(worst < limit, "the matrices differ by {worst}");
}

fn identity(size: usize) -> Matrix {
    Matrix::from_fn(size, size, |i, j| f64::from(u8::from(i == j)))
}

fn diagonal(values: &[f64]) -> Matrix {
    Matrix::from_fn(values.len(), values.len(), |i, j| if i == j { values[i] } else { 0.0 })
}

#[test]
fn lanes_and_tail_of_an_inner_product_all_count() {
    for length in [0, 1, 7, 8, 9, 31] {
        let left: Vec<f32> = (0..length).map(|i| i as f32 + 1.0).collect();
        let right: Vec<f64> = (0..length).map(|i| 2.0 * f64::from(i) - 3.0).collect();
        let plain: f64 = left.iter().zip(&right).map(|(l, r)| f64::from(*l) * r).sum();
        assert_eq!(dot(&left, &right), plain, "integers are exact, length {length}");
    }
}

#[test]
fn qr_gives_back_the_matrix_also_when_columns_repeat() {
    let mut repeated = random_matrix(9, 4, 3);
    repeated.columns[2] = repeated.columns[0].clone();
    repeated.columns[3] = vec![0.0; 9];
    // already almost triangular: a reflection of the wrong sign would lose its digits
    let noise = random_matrix(6, 3, 11);
    let upright = Matrix::from_fn(6, 3, |i, j| f64::from(u8::from(i == j)) + 1e-9 * noise.columns[j][i]);
    for matrix in [random_matrix(40, 6, 1), random_matrix(3, 7, 2), repeated, random_matrix(5, 5, 4), upright] {
        let (q, r) = matrix.qr();
        near(&q.product(&r), &matrix, 1e-13);
        near(&q.transposed_product(&q), &identity(q.columns.len()), 1e-14);
        assert!((0..r.columns.len()).all(|j| r.columns[j].iter().skip(j + 1).all(|below| *below == 0.0)));
    }
}

#[test]
fn svd_gives_back_the_matrix_and_known_values() {
    for matrix in [random_matrix(12, 5, 5), random_matrix(4, 9, 6), random_matrix(6, 6, 7)] {
        let Svd { left, values, right } = matrix.svd();
        near(&left.product(&diagonal(&values)).product(&right.transposed()), &matrix, 1e-12);
        near(&left.transposed_product(&left), &identity(values.len()), 1e-12);
        near(&right.transposed_product(&right), &identity(values.len()), 1e-12);
        assert!(values.is_sorted_by(|a, b| a >= b));
    }
    // [[3, 0], [4, 5]] has singular values sqrt(45) and sqrt(5)
    let known = Matrix { rows: 2, columns: vec![vec![3.0, 4.0], vec![0.0, 5.0]] }.svd().values;
    assert!((known[0] - 45.0_f64.sqrt()).abs() < 1e-14 && (known[1] - 5.0_f64.sqrt()).abs() < 1e-14);
}

#[test]
fn a_basis_has_as_many_columns_as_the_matrix_has_rank() {
    let thin = random_matrix(20, 2, 8);
    let mixed = thin.product(&random_matrix(2, 5, 9));
    let basis = mixed.basis(1e-9);
    assert_eq!(basis.columns.len(), 2);
    near(&basis.product(&basis.transposed_product(&mixed)), &mixed, 1e-12);
    assert_eq!(Matrix::from_fn(4, 3, |_, _| 0.0).basis(1e-9).columns.len(), 0);
}

#[test]
fn eigenvalues_of_known_matrices() {
    // second difference matrix: 2 - 2 cos(k pi / (n + 1))
    let count = 9;
    let matrix = Matrix::from_fn(count, count, |i, j| match i.abs_diff(j) {
        0 => 2.0,
        1 => -1.0,
        _ => 0.0,
    });
    let (values, vectors) = matrix.symmetric_eigen();
    for (at, value) in values.iter().enumerate() {
        let angle = std::f64::consts::PI * (count - at) as f64 / (count + 1) as f64;
        assert!((value - (2.0 - 2.0 * angle.cos())).abs() < 1e-13);
    }
    near(&matrix.product(&vectors), &vectors.product(&diagonal(&values)), 1e-13);
    near(&vectors.transposed_product(&vectors), &identity(count), 1e-13);
    assert_eq!(Matrix::from_fn(3, 3, |_, _| 0.0).symmetric_eigen().0, [0.0; 3]);
}

#[test]
fn a_nan_ends_every_decomposition() {
    let broken = Matrix::from_fn(4, 3, |i, j| if i == j { f64::NAN } else { 1.0 });
    assert!(broken.svd().values.iter().any(|value| value.is_nan()));
    assert!(broken.qr().1.columns[0][0].is_nan());
    let (values, _) = Matrix::from_fn(3, 3, |_, _| f64::NAN).symmetric_eigen();
    assert!(values.iter().all(|value| value.is_nan()));
}
