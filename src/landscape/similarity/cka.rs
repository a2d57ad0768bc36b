//! Linear centred kernel alignment: how alike two models represent the same inputs.
//!
//! Kornblith et al., "Similarity of Neural Network Representations Revisited" (arXiv 1905.00414), spec 7.7. For centred
//! features `X [n, p]`, `Y [n, q]` of the same `n` examples: `|Y^T X|^2 / (|X^T X| |Y^T Y|)`, which is
//! `<K, L> / (|K| |L|)` with `K = X X^T`, `L = Y Y^T`, all norms Frobenius. The first form costs `n (p^2 + q^2 + 2 p q) / 2`,
//! the second `n^2 (p + q) / 2`; the cheaper one is taken. 1: equal up to rotation and scale. With few examples for the width,
//! unrelated features look alike too: use 500 or more.

use super::super::error::LandscapeError;
use super::super::matrix::{Matrix, dot};
use super::pairwise;

/// Features spread less than this share of their size are one constant and rounding.
const CONSTANT: f64 = 1e-12;

/// What a model made of `n` examples, with the mean over the examples taken off every feature.
#[derive(Clone, Debug, PartialEq)]
pub struct Features {
    /// `[examples, width]`, a column a feature.
    centred: Matrix,
}

impl Features {
    /// From `[examples, width]`, row by row: such as the hidden state of each example's last token.
    ///
    /// # Errors
    /// Fewer than two examples, rows of different lengths, or values that are not finite.
    pub fn new(values: &[f32], examples: usize) -> Result<Self, LandscapeError> {
        let refuse = |why: String| Err(LandscapeError::Features(why));
        if examples < 2 {
            return refuse(format!("{examples} examples say nothing about likeness; take 500 or more"));
        }
        if values.is_empty() || !values.len().is_multiple_of(examples) {
            return refuse(format!("{} values are no table of {examples} rows", values.len()));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let row = at / (values.len() / examples);
            return refuse(format!("example {} has NaN or infinity among its features; leave it out", row + 1));
        }
        let width = values.len() / examples;
        let mut centred = Matrix::from_fn(examples, width, |row, column| f64::from(values[row * width + column]));
        let size = centred.norm();
        for column in &mut centred.columns {
            let mean = column.iter().sum::<f64>() / examples as f64;
            for value in column {
                *value -= mean;
            }
        }
        if centred.norm() <= CONSTANT * size {
            centred.columns.iter_mut().for_each(|column| column.fill(0.0));
        }
        Ok(Self { centred })
    }

    /// Number of examples.
    #[must_use]
    pub fn examples(&self) -> usize {
        self.centred.rows
    }

    /// Number of features.
    #[must_use]
    pub fn width(&self) -> usize {
        self.centred.columns.len()
    }
}

/// Linear CKA of two sets of features of the same examples, in `[0, 1]`; `None` if one does not vary at all.
///
/// # Errors
/// Different numbers of examples.
pub fn linear_cka(left: &Features, right: &Features) -> Result<Option<f64>, LandscapeError> {
    let (n, p, q) = (left.examples() as f64, left.width() as f64, right.width() as f64);
    if n * (p + q) < p * p + q * q + 2.0 * p * q { example_form(left, right) } else { feature_form(left, right) }
}

/// Linear CKA between all pairs, `[items][items]`. What only one item has a part in is computed once.
///
/// # Errors
/// Different numbers of examples.
pub fn linear_cka_matrix(items: &[Features]) -> Result<Vec<Vec<Option<f64>>>, LandscapeError> {
    let width: usize = items.iter().map(Features::width).sum();
    let (n, count) = (items.first().map_or(0, Features::examples) as f64, items.len() as f64);
    // all pairs of columns against one kernel an item and n^2 products a pair
    if n * width as f64 + n * count * count < (width as f64).powi(2) {
        let kernels: Vec<Matrix> = items.iter().map(kernel).collect();
        return pairwise(&kernels, alignment);
    }
    let own: Vec<f64> = items.iter().map(|item| squared_products(&item.centred, &item.centred).sqrt()).collect();
    let places: Vec<usize> = (0..items.len()).collect();
    pairwise(&places, |left, right| {
        same_examples(items[*left].examples(), items[*right].examples())?;
        let product = if left == right {
            own[*left].powi(2)
        } else {
            squared_products(&items[*left].centred, &items[*right].centred)
        };
        Ok(ratio(product, own[*left], own[*right]))
    })
}

/// `|Y^T X|^2 / (|X^T X| |Y^T Y|)`.
fn feature_form(left: &Features, right: &Features) -> Result<Option<f64>, LandscapeError> {
    same_examples(left.examples(), right.examples())?;
    let product = squared_products(&left.centred, &right.centred);
    let own = |features: &Features| squared_products(&features.centred, &features.centred).sqrt();
    Ok(ratio(product, own(left), own(right)))
}

/// `<K, L> / (|K| |L|)`.
fn example_form(left: &Features, right: &Features) -> Result<Option<f64>, LandscapeError> {
    alignment(&kernel(left), &kernel(right))
}

/// `X X^T [n, n]`.
fn kernel(features: &Features) -> Matrix {
    let examples = features.centred.transposed();
    let mut table = Matrix::from_fn(examples.columns.len(), examples.columns.len(), |_, _| 0.0);
    for i in 0..examples.columns.len() {
        for j in 0..=i {
            let product = dot(&examples.columns[i], &examples.columns[j]);
            (table.columns[i][j], table.columns[j][i]) = (product, product);
        }
    }
    table
}

fn alignment(left: &Matrix, right: &Matrix) -> Result<Option<f64>, LandscapeError> {
    same_examples(left.rows, right.rows)?;
    let product = left.columns.iter().zip(&right.columns).map(|(left, right)| dot(left, right)).sum();
    Ok(ratio(product, left.norm(), right.norm()))
}

/// `|X^T Y|^2`.
fn squared_products(left: &Matrix, right: &Matrix) -> f64 {
    let columns = left.columns.iter().flat_map(|x| right.columns.iter().map(move |y| dot(x, y)));
    columns.map(|product| product * product).sum()
}

fn ratio(product: f64, left: f64, right: f64) -> Option<f64> {
    (left > 0.0 && right > 0.0).then(|| (product / left / right).clamp(0.0, 1.0))
}

fn same_examples(left: usize, right: usize) -> Result<(), LandscapeError> {
    if left == right {
        return Ok(());
    }
    Err(LandscapeError::Features(format!(
        "one side has {left} examples and the other {right}; give both the same inputs"
    )))
}

#[cfg(test)]
mod tests {
    use super::super::super::samples::{close, fixture, numbers, random_matrix, singles};
    use super::*;

    fn features(matrix: &Matrix) -> Features {
        Features::new(&singles(&matrix.transposed().columns.concat()), matrix.rows).unwrap()
    }

    #[test]
    fn both_forms_agree_and_the_table_with_them() {
        let items: Vec<Features> =
            [(12, 1), (5, 2), (30, 3)].map(|(width, seed)| features(&random_matrix(20, width, seed))).into();
        let wide: Vec<Features> =
            [(40, 4), (50, 5)].map(|(width, seed)| features(&random_matrix(20, width, seed))).into();
        let narrow: Vec<Features> =
            [(3, 6), (4, 7), (2, 8)].map(|(width, seed)| features(&random_matrix(20, width, seed))).into();
        for items in [items, wide, narrow] {
            let table = linear_cka_matrix(&items).unwrap();
            for (i, left) in items.iter().enumerate() {
                for (j, right) in items.iter().enumerate() {
                    let by_feature = feature_form(left, right).unwrap().unwrap();
                    close(example_form(left, right).unwrap().unwrap(), by_feature, 1e-13);
                    close(linear_cka(left, right).unwrap().unwrap(), by_feature, 1e-13);
                    close(table[i][j].unwrap(), by_feature, 1e-13);
                    if i == j {
                        close(by_feature, 1.0, 1e-14);
                    }
                }
            }
        }
    }

    #[test]
    fn turning_scaling_and_moving_change_nothing_and_one_column_is_a_squared_correlation() {
        let base = random_matrix(30, 6, 1);
        let (frame, _) = random_matrix(6, 6, 2).qr();
        let mut turned = base.product(&frame);
        turned.columns.iter_mut().flatten().for_each(|value| *value = 3.0 * *value + 7.0);
        close(linear_cka(&features(&base), &features(&turned)).unwrap().unwrap(), 1.0, 1e-6);
        // (1, 2, 3) and (1, 2, 6): correlation 5 / sqrt(2 * 14)
        let [left, right] = [[1.0, 2.0, 3.0], [1.0, 2.0, 6.0]].map(|values| Features::new(&values, 3).unwrap());
        close(linear_cka(&left, &right).unwrap().unwrap(), 25.0 / 28.0, 1e-14);
    }

    #[test]
    fn features_that_say_nothing_are_named() {
        let constant = Features::new(&[0.1; 12], 4).unwrap();
        let varied = features(&random_matrix(4, 3, 1));
        assert_eq!(linear_cka(&constant, &varied).unwrap(), None);
        assert_eq!(linear_cka_matrix(&[constant, varied.clone()]).unwrap()[0], [None, None]);
        let other = features(&random_matrix(5, 3, 1));
        let refused = linear_cka(&varied, &other).unwrap_err().to_string();
        assert!(refused.contains("one side has 4 examples and the other 5"), "{refused}");
        assert!(linear_cka_matrix(&[varied, other]).is_err());
        let message = |values: &[f32], examples| Features::new(values, examples).unwrap_err().to_string();
        assert!(message(&[1.0], 1).contains("1 examples say nothing"));
        assert!(message(&[1.0; 5], 2).contains("5 values are no table of 2 rows"));
        assert!(message(&[1.0, 2.0, 3.0, f32::NAN], 2).contains("example 2 has NaN"));
        assert!(message(&[], 2).contains("0 values"));
    }

    #[test]
    fn numbers_equal_those_of_the_numpy_script() {
        for case in fixture("cka").as_array().unwrap() {
            let side = |name: &str| {
                let examples = case[name]["shape"][0].as_u64().unwrap() as usize;
                Features::new(&singles(&numbers(&case[name])), examples).unwrap()
            };
            let (left, right) = (side("x"), side("y"));
            let expected = |name: &str| case[name].as_f64().unwrap();
            close(feature_form(&left, &right).unwrap().unwrap(), expected("feature_form"), 1e-8);
            close(example_form(&left, &right).unwrap().unwrap(), expected("hsic_form"), 1e-8);
            close(linear_cka(&left, &right).unwrap().unwrap(), expected("feature_form"), 1e-8);
        }
    }
}
