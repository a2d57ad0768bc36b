//! Small dense matrices in f64: Householder QR, singular values and eigenvalues by Jacobi rotations.
//!
//! For the thin factors of LoRA (thousands of rows, tens of columns) and Gram matrices of at most some hundred anchors.
//! Jacobi's methods are slow for large matrices, but short, and accurate for small singular values: Golub & Van Loan, "Matrix
//! Computations", 4th edition, sections 5.2, 8.5 and 8.6.

/// Rotations stop when a pair of columns is this close to orthogonal, relative to their lengths.
const ORTHOGONAL: f64 = 1e-14;
/// Sweeps over all pairs before giving up; ten are plenty in practice.
const MAX_SWEEPS: usize = 60;

/// Inner product in f64. Eight running sums, so that the compiler can use vector instructions; same order on every machine.
pub(super) fn dot<L: Copy + Into<f64>, R: Copy + Into<f64>>(left: &[L], right: &[R]) -> f64 {
    let mut sums = [0.0_f64; 8];
    let (lefts, rights) = (left.chunks_exact(8), right.chunks_exact(8));
    let tail: f64 = lefts.remainder().iter().zip(rights.remainder()).map(|(l, r)| (*l).into() * (*r).into()).sum();
    for (l, r) in lefts.zip(rights) {
        for lane in 0..8 {
            sums[lane] += l[lane].into() * r[lane].into();
        }
    }
    sums.iter().sum::<f64>() + tail
}

/// A matrix as its columns, each of `rows` entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Matrix {
    pub rows: usize,
    pub columns: Vec<Vec<f64>>,
}

/// `left * diag(values) * right^T`, values falling; `left` and `right` have orthonormal columns where the value is not 0.
pub struct Svd {
    pub left: Matrix,
    pub values: Vec<f64>,
    pub right: Matrix,
}

impl Matrix {
    /// The entry in `row`, `column` from a function.
    pub fn from_fn(rows: usize, columns: usize, entry: impl Fn(usize, usize) -> f64) -> Self {
        Self { rows, columns: (0..columns).map(|j| (0..rows).map(|i| entry(i, j)).collect()).collect() }
    }

    /// `self^T`.
    pub fn transposed(&self) -> Self {
        Self::from_fn(self.columns.len(), self.rows, |i, j| self.columns[i][j])
    }

    /// `self * other`.
    pub fn product(&self, other: &Self) -> Self {
        let columns = other.columns.iter().map(|weights| {
            let mut sum = vec![0.0; self.rows];
            for (column, weight) in self.columns.iter().zip(weights) {
                sum.iter_mut().zip(column).for_each(|(total, value)| *total += weight * value);
            }
            sum
        });
        Self { rows: self.rows, columns: columns.collect() }
    }

    /// `self^T * other`.
    pub fn transposed_product(&self, other: &Self) -> Self {
        Self::from_fn(self.columns.len(), other.columns.len(), |i, j| dot(&self.columns[i], &other.columns[j]))
    }

    /// Frobenius norm.
    pub fn norm(&self) -> f64 {
        self.columns.iter().map(|column| dot(column, column)).sum::<f64>().sqrt()
    }

    /// Thin QR by Householder reflections: `q [rows, k]` with orthonormal columns whatever the rank, `r [k, columns]` upper
    /// triangular, `k` the smaller of rows and columns.
    pub fn qr(&self) -> (Self, Self) {
        let (rows, count) = (self.rows, self.columns.len());
        let k = rows.min(count);
        let mut work = self.columns.clone();
        let mut reflections: Vec<Vec<f64>> = Vec::with_capacity(k);
        for j in 0..k {
            let mut reflection = work[j][j..].to_vec();
            let length = dot(&reflection, &reflection).sqrt();
            reflection[0] += length.copysign(reflection[0]);
            let own = dot(&reflection, &reflection).sqrt();
            if own > 0.0 {
                for value in &mut reflection {
                    *value /= own;
                }
            }
            work[j..].iter_mut().for_each(|column| reflect(&mut column[j..], &reflection));
            reflections.push(reflection);
        }
        let r = Self::from_fn(k, count, |i, j| if i <= j { work[j][i] } else { 0.0 });
        let mut q = Self::from_fn(rows, k, |i, j| f64::from(u8::from(i == j)));
        for (j, reflection) in reflections.iter().enumerate().rev() {
            q.columns.iter_mut().for_each(|column| reflect(&mut column[j..], reflection));
        }
        (q, r)
    }

    /// Singular value decomposition by one-sided Jacobi; `min(rows, columns)` values.
    pub fn svd(&self) -> Svd {
        if self.rows < self.columns.len() {
            let Svd { left, values, right } = self.transposed().svd();
            return Svd { left: right, values, right: left };
        }
        let count = self.columns.len();
        let mut work = self.columns.clone();
        let mut right: Vec<Vec<f64>> = Self::from_fn(count, count, |i, j| f64::from(u8::from(i == j))).columns;
        for _ in 0..MAX_SWEEPS {
            let mut rotated = false;
            for p in 0..count {
                for q in p + 1..count {
                    let (pp, qq, pq) = (dot(&work[p], &work[p]), dot(&work[q], &work[q]), dot(&work[p], &work[q]));
                    // not `<=`: a NaN must not turn round and round
                    if pq.abs() > ORTHOGONAL * (pp * qq).sqrt() && pq != 0.0 {
                        rotated = true;
                        let (cosine, sine) = rotation(pp, qq, pq);
                        turn(&mut work, p, q, cosine, sine);
                        turn(&mut right, p, q, cosine, sine);
                    }
                }
            }
            if !rotated {
                break;
            }
        }
        let lengths: Vec<f64> = work.iter().map(|column| dot(column, column).sqrt()).collect();
        let order = falling(&lengths);
        let unit = |at: usize| match lengths[at] {
            length if length > 0.0 => work[at].iter().map(|value| value / length).collect(),
            _ => vec![0.0; self.rows],
        };
        Svd {
            left: Self { rows: self.rows, columns: order.iter().map(|&at| unit(at)).collect() },
            values: order.iter().map(|&at| lengths[at]).collect(),
            right: Self { rows: count, columns: order.iter().map(|&at| right[at].clone()).collect() },
        }
    }

    /// Orthonormal basis of the span of the columns; directions below `tolerance` times the largest singular value are noise.
    pub fn basis(&self, tolerance: f64) -> Self {
        let (q, r) = self.qr();
        let Svd { left, values, .. } = r.svd();
        let largest = values.first().copied().unwrap_or(0.0);
        let rank = values.iter().take_while(|value| **value > tolerance * largest).count();
        q.product(&Self { rows: left.rows, columns: left.columns[..rank].to_vec() })
    }

    /// Eigenvalues (falling) and eigenvectors (as columns) of a symmetric matrix, by cyclic Jacobi.
    pub fn symmetric_eigen(&self) -> (Vec<f64>, Self) {
        let count = self.columns.len();
        let mut work = self.columns.clone();
        let mut vectors = Self::from_fn(count, count, |i, j| f64::from(u8::from(i == j))).columns;
        let negligible = f64::EPSILON * self.norm();
        for _ in 0..MAX_SWEEPS {
            let mut rotated = false;
            for p in 0..count {
                for q in p + 1..count {
                    // turning such a pair would change no eigenvalue by a bit
                    if work[p][q].abs() > 1e-3 * negligible / (count as f64) {
                        rotated = true;
                        let (cosine, sine) = rotation(work[p][p], work[q][q], work[p][q]);
                        turn(&mut work, p, q, cosine, sine);
                        for column in &mut work {
                            let (a, b) = (column[p], column[q]);
                            column[p] = cosine * a - sine * b;
                            column[q] = sine * a + cosine * b;
                        }
                        (work[p][q], work[q][p]) = (0.0, 0.0);
                        turn(&mut vectors, p, q, cosine, sine);
                    }
                }
            }
            if !rotated {
                break;
            }
        }
        let values: Vec<f64> = (0..count).map(|i| work[i][i]).collect();
        let order = falling(&values);
        let sorted = order.iter().map(|&at| vectors[at].clone()).collect();
        (order.iter().map(|&at| values[at]).collect(), Self { rows: count, columns: sorted })
    }
}

/// `x - 2 v (v . x)` for a unit vector `v` (or a zero one, which leaves `x` alone).
fn reflect(x: &mut [f64], v: &[f64]) {
    let along = 2.0 * dot(x, v);
    x.iter_mut().zip(v).for_each(|(value, part)| *value -= along * part);
}

/// Cosine and sine that make `pq` zero, the smaller of the two angles.
fn rotation(pp: f64, qq: f64, pq: f64) -> (f64, f64) {
    let zeta = (qq - pp) / (2.0 * pq);
    let tangent = 1.0_f64.copysign(zeta) / (zeta.abs() + zeta.hypot(1.0));
    let cosine = 1.0 / tangent.hypot(1.0);
    (cosine, cosine * tangent)
}

/// Columns `p < q` become `cosine p - sine q` and `sine p + cosine q`.
fn turn(columns: &mut [Vec<f64>], p: usize, q: usize, cosine: f64, sine: f64) {
    let (before, from_q) = columns.split_at_mut(q);
    for (a, b) in before[p].iter_mut().zip(&mut from_q[0]) {
        (*a, *b) = (cosine * *a - sine * *b, sine * *a + cosine * *b);
    }
}

/// Indices in the order of falling values; ties in the order of the indices.
fn falling(values: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*b].total_cmp(&values[*a]));
    order
}

#[cfg(test)]
mod tests;
