//! Adds the low-rank part of a LoRA layer to the frozen product: `out = base + u · v`, without a matrix in between.

use super::gemm::{MatrixView, Product, gemm};
use super::webgpu::{Rows, Shader};

/// `shaders/low_rank_add.wgsl`: buffers base, u, v, out, info `[rows, columns, rank, rows per adapter, v stride of columns,
/// v stride of ranks]`; one invocation an output.
pub(super) const SHADER: Shader =
    Shader::new("low_rank_add", include_str!("../../shaders/low_rank_add.wgsl"), Rows::PerInvocation);

/// The kernel in plain Rust, in place: `out [n, columns] += u [n, rank] · op(v)`, block by block of `n / adapters` rows;
/// `v` is `[adapters, rank, columns]`, or `[adapters, columns, rank]` when `v_transposed`.
pub fn twin(out: &mut [f32], u: &[f32], v: &[f32], sizes: LowRank) {
    let LowRank { rows, columns, rank, adapters, v_transposed } = sizes;
    let block = rows / adapters;
    for adapter in 0..adapters {
        let v = &v[adapter * rank * columns..][..rank * columns];
        let v = if v_transposed {
            MatrixView::new(v, columns, rank).transposed()
        } else {
            MatrixView::new(v, rank, columns)
        };
        let u = MatrixView::new(&u[adapter * block * rank..], block, rank);
        let out = &mut out[adapter * block * columns..][..block * columns];
        gemm(out, u, v, Product { accumulate: true, parallel: true });
    }
}

/// Sizes of a low-rank product.
#[derive(Clone, Copy, Debug)]
pub struct LowRank {
    pub rows: usize,
    pub columns: usize,
    pub rank: usize,
    /// Number of adapters that share the rows evenly.
    pub adapters: usize,
    pub v_transposed: bool,
}
