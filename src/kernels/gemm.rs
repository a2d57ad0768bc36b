//! Matrix product on the CPU: a bounds-checked door to the `gemm` crate, which takes raw pointers.
//!
//! burn's own `matmul` allocates its result; here a product may be *added* to a matrix that is there already, which saves one
//! pass over memory for each LoRA projection.

use super::parallel;

/// A strided view of a matrix inside a slice; strides are in elements.
#[derive(Clone, Copy, Debug)]
pub struct MatrixView<'a> {
    data: &'a [f32],
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl<'a> MatrixView<'a> {
    /// A row-major `[rows, columns]` matrix that fills the start of `data`.
    ///
    /// # Panics
    /// When `data` is too short: a programming error, not an input error.
    #[must_use]
    pub fn new(data: &'a [f32], rows: usize, columns: usize) -> Self {
        assert!(data.len() >= rows * columns, "matrix {rows}x{columns} in a slice of {}", data.len());
        Self { data, rows, columns, row_stride: columns, column_stride: 1 }
    }

    /// The transpose, without moving anything.
    #[must_use]
    pub fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }

    /// Transposed when `yes`.
    #[must_use]
    pub fn transposed_if(self, yes: bool) -> Self {
        if yes { self.transposed() } else { self }
    }
}

/// How a product meets what the result already holds, and how many threads it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Product {
    /// Add to the result instead of overwriting it.
    pub accumulate: bool,
    /// Use the thread pool (worth it above some 10^5 multiplications).
    pub parallel: bool,
}

/// `out = lhs · rhs`, or `out += lhs · rhs`; `out` is row-major `[lhs.rows, rhs.columns]`.
///
/// # Panics
/// When the sizes do not fit each other.
pub fn gemm(out: &mut [f32], lhs: MatrixView<'_>, rhs: MatrixView<'_>, product: Product) {
    let (m, n, k) = (lhs.rows, rhs.columns, lhs.columns);
    assert_eq!(k, rhs.rows, "inner sizes of a product");
    assert!(out.len() >= m * n, "result of {m}x{n} in a slice of {}", out.len());
    if m == 0 || n == 0 {
        return;
    }
    let threads = if product.parallel && m * n * k > 64 * 64 * 32 {
        parallel::gemm_parallelism()
    } else {
        gemm::Parallelism::None
    };
    let stride = |value: usize| isize::try_from(value).unwrap_or(isize::MAX);
    // SAFETY: the three slices live through the call, `out` is borrowed mutably and so overlaps neither input, and the
    // assertions above and in `MatrixView::new` keep every index `row * row_stride + column * column_stride` inside its slice.
    #[allow(unsafe_code)]
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            stride(n),
            product.accumulate,
            lhs.data.as_ptr(),
            stride(lhs.column_stride),
            stride(lhs.row_stride),
            rhs.data.as_ptr(),
            stride(rhs.column_stride),
            stride(rhs.row_stride),
            1.0,
            1.0,
            false,
            false,
            false,
            threads,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn naive(lhs: &MatrixView<'_>, rhs: &MatrixView<'_>) -> Vec<f32> {
        let at = |v: &MatrixView<'_>, r: usize, c: usize| v.data[r * v.row_stride + c * v.column_stride];
        (0..lhs.rows * rhs.columns)
            .map(|i| (0..lhs.columns).map(|k| at(lhs, i / rhs.columns, k) * at(rhs, k, i % rhs.columns)).sum())
            .collect()
    }

    #[test]
    fn products_of_odd_sizes_and_transposes_match_the_definition() {
        let a: Vec<f32> = (0..7 * 13).map(|i| (i as f32 * 0.37).sin()).collect();
        let b: Vec<f32> = (0..13 * 5).map(|i| (i as f32 * 0.61).cos()).collect();
        for (ta, tb) in [(false, false), (true, false), (false, true), (true, true)] {
            let lhs = if ta { MatrixView::new(&a, 13, 7).transposed() } else { MatrixView::new(&a, 7, 13) };
            let rhs = if tb { MatrixView::new(&b, 5, 13).transposed() } else { MatrixView::new(&b, 13, 5) };
            let want = naive(&lhs, &rhs);
            let mut got = vec![1.0; 35];
            gemm(&mut got, lhs, rhs, Product { accumulate: true, parallel: true });
            for (g, w) in got.iter().zip(&want) {
                assert!((g - (w + 1.0)).abs() < 1e-5, "{g} is not {w} + 1 (transposes {ta} {tb})");
            }
        }
    }
}
