//! Inner products of the anchors: all that lengths, angles and projections of their combinations need.
//!
//! A point is its coefficients over the anchors; coefficients that are left off at the end are 0. Lengths are taken of
//! differences of coefficients, so a point's distance to itself is 0 exactly.
//!
//! Precision: a distance between near anchors is a small difference of large products. In f64 that costs nothing that an f32
//! parameter holds. If products come from f32 sums of a device, move the origin first: take the products of
//! `anchor - first anchor` (the first row and column are then 0). Planes through anchors and arc lengths do not notice, since
//! the coefficients of their points sum to 1; only [`super::path::Path::slerp`] needs the true origin.

use super::error::LandscapeError;
use super::matrix::dot;

/// How far two entries that should be equal may lie apart, relative to the lengths of their anchors: sums in f32 do.
const ASYMMETRY: f64 = 1e-4;

/// The anchors' inner products, `[anchors][anchors]`, symmetric.
#[derive(Clone, Debug, PartialEq)]
pub struct Gram {
    anchors: usize,
    /// Row by row.
    products: Vec<f64>,
}

impl Gram {
    /// From the whole table, row by row: `products[i * anchors + j]` is anchor `i` times anchor `j`.
    ///
    /// # Errors
    /// A wrong number of products, one that is not finite, or a table that no vectors can have: not symmetric, a negative
    /// square, or a product larger than the two lengths allow.
    pub fn new(anchors: usize, products: &[f64]) -> Result<Self, LandscapeError> {
        if products.len() != anchors * anchors {
            return Err(LandscapeError::GramShape { anchors, found: products.len() });
        }
        if let Some(at) = products.iter().position(|product| !product.is_finite()) {
            return Err(LandscapeError::GramNotFinite { left: at / anchors, right: at % anchors });
        }
        let mut symmetric = products.to_vec();
        for left in 0..anchors {
            for right in 0..=left {
                let (one, other) = (products[left * anchors + right], products[right * anchors + left]);
                let scale = (products[left * anchors + left] * products[right * anchors + right]).sqrt();
                let mean = f64::midpoint(one, other);
                // `scale` is NaN when one square is negative; then nothing is smaller
                let possible = (one - other).abs() <= ASYMMETRY * scale && mean.abs() <= (1.0 + ASYMMETRY) * scale;
                if !possible || products[left * anchors + left] < 0.0 {
                    return Err(LandscapeError::GramImpossible { left, right });
                }
                symmetric[left * anchors + right] = mean;
                symmetric[right * anchors + left] = mean;
            }
        }
        Ok(Self { anchors, products: symmetric })
    }

    /// From the anchors themselves, summed in f64.
    ///
    /// # Errors
    /// Vectors of different lengths, or with a value that is not finite.
    pub fn of(vectors: &[&[f32]]) -> Result<Self, LandscapeError> {
        let length = vectors.first().map_or(0, |first| first.len());
        if let Some(other) = vectors.iter().find(|vector| vector.len() != length) {
            return Err(LandscapeError::Lengths { what: "The anchors' vectors", left: length, right: other.len() });
        }
        let products: Vec<f64> = vectors.iter().flat_map(|left| vectors.iter().map(|right| dot(left, right))).collect();
        Self::new(vectors.len(), &products)
    }

    /// Number of anchors.
    #[must_use]
    pub fn anchors(&self) -> usize {
        self.anchors
    }

    /// Anchor `left` times anchor `right`; `None` when there is no such anchor.
    #[must_use]
    pub fn product(&self, left: usize, right: usize) -> Option<f64> {
        (left < self.anchors && right < self.anchors).then(|| self.products[left * self.anchors + right])
    }

    /// The same anchors and one more, given by its inner products with them and with itself.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn extended(&self, products: &[f64], squared_norm: f64) -> Result<Self, LandscapeError> {
        if products.len() != self.anchors {
            return Err(LandscapeError::Lengths {
                what: "Inner products with the anchors",
                left: self.anchors,
                right: products.len(),
            });
        }
        let anchors = self.anchors + 1;
        let mut all = Vec::with_capacity(anchors * anchors);
        for (row, product) in products.iter().enumerate() {
            all.extend_from_slice(&self.products[row * self.anchors..(row + 1) * self.anchors]);
            all.push(*product);
        }
        all.extend_from_slice(products);
        all.push(squared_norm);
        Self::new(anchors, &all)
    }

    /// The coefficients of anchor `index` alone.
    ///
    /// # Errors
    /// No such anchor.
    pub fn anchor(&self, index: usize) -> Result<Vec<f64>, LandscapeError> {
        let mut coefficients = vec![0.0; self.anchors];
        *coefficients
            .get_mut(index)
            .ok_or(LandscapeError::NoSuchAnchor { named: index + 1, anchors: self.anchors })? = 1.0;
        Ok(coefficients)
    }

    /// Inner product of two combinations.
    ///
    /// # Errors
    /// More coefficients than anchors.
    pub fn inner(&self, left: &[f64], right: &[f64]) -> Result<f64, LandscapeError> {
        let named = left.len().max(right.len());
        if named > self.anchors {
            return Err(LandscapeError::NoSuchAnchor { named, anchors: self.anchors });
        }
        let rows = self.products.chunks_exact(self.anchors.max(1));
        Ok(left
            .iter()
            .zip(rows)
            .filter(|(weight, _)| **weight != 0.0)
            .map(|(weight, row)| weight * dot(right, &row[..right.len()]))
            .sum())
    }

    /// Length of a combination.
    ///
    /// # Errors
    /// More coefficients than anchors.
    pub fn norm(&self, combination: &[f64]) -> Result<f64, LandscapeError> {
        // rounding can leave a square just below 0; NaN stays NaN
        let square = self.inner(combination, combination)?;
        Ok(if square < 0.0 { 0.0 } else { square.sqrt() })
    }

    /// Euclidean distance between two combinations.
    ///
    /// # Errors
    /// More coefficients than anchors.
    pub fn distance(&self, left: &[f64], right: &[f64]) -> Result<f64, LandscapeError> {
        self.norm(&combined(left, -1.0, right))
    }
}

/// `left + weight * right`, the shorter one continued by zeros.
pub(super) fn combined(left: &[f64], weight: f64, right: &[f64]) -> Vec<f64> {
    let at = |side: &[f64], index: usize| side.get(index).copied().unwrap_or(0.0);
    (0..left.len().max(right.len())).map(|index| at(left, index) + weight * at(right, index)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f32; 3] = [1.0, 2.0, 2.0];
    const B: [f32; 3] = [0.0, 3.0, -4.0];

    #[test]
    fn lengths_and_products_of_combinations_are_those_of_the_vectors() {
        let gram = Gram::of(&[&A, &B]).unwrap();
        assert_eq!((gram.product(0, 0), gram.product(0, 1), gram.product(1, 1)), (Some(9.0), Some(-2.0), Some(25.0)));
        assert_eq!(gram.product(2, 0), None);
        assert_eq!(gram.norm(&[0.0, 1.0]).unwrap(), 5.0);
        // 2a - b = (2, 1, 8), a + b = (1, 5, -2): product -9
        assert_eq!(gram.inner(&[2.0, -1.0], &[1.0, 1.0]).unwrap(), -9.0);
        assert_eq!(gram.norm(&[2.0, -1.0]).unwrap(), 69.0_f64.sqrt());
        assert_eq!(gram.distance(&[1.0], &[0.0, 1.0]).unwrap(), 38.0_f64.sqrt());
        assert_eq!(gram.distance(&[0.1, 0.7], &[0.1, 0.7]).unwrap(), 0.0);
        assert_eq!(gram.anchor(1).unwrap(), [0.0, 1.0]);
    }

    #[test]
    fn a_further_anchor_is_as_if_it_had_been_there() {
        let c: [f32; 3] = [1.0, 0.0, -1.0];
        let extended = Gram::of(&[&A, &B]).unwrap().extended(&[-1.0, 4.0], 2.0).unwrap();
        assert_eq!(extended, Gram::of(&[&A, &B, &c]).unwrap());
    }

    #[test]
    fn what_no_vectors_have_is_refused() {
        let refused = |count, table: &[f64]| Gram::new(count, table).unwrap_err();
        assert_eq!(refused(2, &[1.0; 3]), LandscapeError::GramShape { anchors: 2, found: 3 });
        assert_eq!(refused(2, &[1.0, 0.0, f64::NAN, 1.0]), LandscapeError::GramNotFinite { left: 1, right: 0 });
        assert_eq!(refused(2, &[1.0, 0.5, 0.1, 1.0]), LandscapeError::GramImpossible { left: 1, right: 0 });
        assert_eq!(refused(2, &[1.0, 3.0, 3.0, 1.0]), LandscapeError::GramImpossible { left: 1, right: 0 });
        assert_eq!(refused(1, &[-1.0]), LandscapeError::GramImpossible { left: 0, right: 0 });
        assert!(matches!(Gram::of(&[&A, &B[..2]]), Err(LandscapeError::Lengths { left: 3, right: 2, .. })));
        let broken = Gram::of(&[&A, &[f32::INFINITY, 0.0, 0.0]]).unwrap_err().to_string();
        assert!(broken.contains("anchors 1 and 2") && broken.ends_with("leave it out."), "{broken}");
        let gram = Gram::of(&[&A]).unwrap();
        assert!(gram.norm(&[1.0, 0.0]).is_err() && gram.anchor(1).is_err());
        assert_eq!(Gram::new(0, &[]).unwrap().norm(&[]).unwrap(), 0.0);
    }

    #[test]
    fn a_table_with_the_rounding_of_f32_is_made_symmetric() {
        let gram = Gram::new(2, &[1.0, 0.500001, 0.5, 1.0]).unwrap();
        assert_eq!(gram.product(0, 1), gram.product(1, 0));
    }
}
