//! The operations that carry the training: WGSL on the GPU, plain Rust on the CPU, one file each.
//!
//! Every file here holds the launch of one shader of `shaders/` (same name) and its twin in plain Rust. The twin *is* the CPU
//! implementation, and a test holds the two together. Layers:
//!
//! * [`Kernels`]: raw operations without gradients, for WebGPU (`webgpu.rs`) and for the CPU (`cpu.rs`);
//! * [`Differentiable`]: the same operations with their hand-written backward rules (`autodiff.rs`);
//! * the functions of this file: what the model calls, on `Tensor`.
//!
//! All matrices are row-major `f32`. `n` is a number of rows (`batch * seq`).

pub mod adamw;
mod autodiff;
pub mod causal_softmax;
pub mod causal_softmax_backward;
mod cpu;
pub mod gemm;
pub mod low_rank_add;
mod parallel;
pub mod rms_norm;
pub mod rms_norm_backward;
pub mod rope_merge;
pub mod rope_split;
pub mod softmax_grad;
pub mod softmax_stats;
pub mod swiglu;
pub mod swiglu_backward;
mod webgpu;

pub use adamw::AdamWStep;
pub use autodiff::Differentiable;

use burn::backend::{Dispatch, backend_extension, tensor::FloatTensor};
use burn::tensor::Tensor;

/// Sizes of one attention call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttentionShape {
    pub batch: usize,
    pub seq: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl AttentionShape {
    /// Query heads that share one key-value head.
    #[must_use]
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Columns of the joint projection: queries, keys and values side by side.
    #[must_use]
    pub fn qkv_columns(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Factor in front of the scores, `1 / sqrt(head_dim)`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // head sizes are small
    pub fn scale(&self) -> f32 {
        1.0 / (self.head_dim as f32).sqrt()
    }
}

/// Raw operations, without gradients.
#[backend_extension(Cube, Flex)]
pub trait Kernels: burn::backend::Backend {
    /// `x / rms(x) * w` per row; `x [n, d]`, `w [d]`.
    fn rms_norm_raw(x: FloatTensor<Self>, w: FloatTensor<Self>, eps: f32) -> FloatTensor<Self>;
    /// Gradient of [`Kernels::rms_norm_raw`] with respect to `x`.
    fn rms_norm_backward(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self>;
    /// `silu(gate) * up`; `gate_up [n, 2f]` holds both side by side; result `[n, f]`.
    fn swiglu_raw(gate_up: FloatTensor<Self>) -> FloatTensor<Self>;
    /// Gradient of [`Kernels::swiglu_raw`], `[n, 2f]`.
    fn swiglu_backward(gate_up: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self>;
    /// `x · op(w) + u · op(v)`: a frozen product plus a low-rank one.
    ///
    /// `x [n, i]`, `w [i, o]` (or `[o, i]` with `w_transposed`), `u [n, R]`, `v [k, R, o]` (or `[k, o, R]` with
    /// `v_transposed`). The `n` rows fall into `k` equal blocks, one for each adapter of the batch.
    fn matmul_low_rank(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        w_transposed: bool,
        u: FloatTensor<Self>,
        v: FloatTensor<Self>,
        v_transposed: bool,
    ) -> FloatTensor<Self>;
    /// Causal grouped-query attention with rotary positions: `qkv [batch*seq, qkv_columns]`, `table [>=seq, head_dim]`
    /// (cosines, then sines). Returns the context `[batch*seq, heads*head_dim]` and what the backward pass and the
    /// key-value cache need: rotated queries `[batch*kv, group*seq, head_dim]`, rotated keys and values
    /// `[batch*kv, seq, head_dim]`, probabilities `[batch*kv, group*seq, seq]`.
    #[allow(clippy::type_complexity)] // five tensors; the macro wants a tuple
    fn attention_raw(
        qkv: FloatTensor<Self>,
        table: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
    /// Gradient of [`Kernels::attention_raw`] with respect to `qkv`.
    fn attention_backward(
        grad: FloatTensor<Self>,
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        p: FloatTensor<Self>,
        table: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self>;
    /// Per row of `logits [n, c]`: largest logit, sum of `exp(logit - largest)`, and the target's logit (a very negative
    /// number when `target - offset` is not a column of this chunk). `targets [n]` are token ids as floats. Result `[n, 3]`.
    fn softmax_stats(logits: FloatTensor<Self>, targets: FloatTensor<Self>, offset: f32) -> FloatTensor<Self>;
    /// `(softmax - onehot) * weight` for a chunk of columns, given the log of the normaliser `lse [n]`. Result `[n, c]`.
    fn softmax_grad(
        logits: FloatTensor<Self>,
        lse: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        offset: f32,
    ) -> FloatTensor<Self>;
    /// One AdamW step on flat vectors; `grad_scale [1]` multiplies the gradient (clipping without a read-back).
    /// Returns the parameter and both moments.
    fn adamw(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        grad_scale: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>);
}

/// Root-mean-square normalisation with weight `w`; differentiable in both.
#[must_use]
pub fn rms_norm(x: Tensor<2>, w: Tensor<1>, eps: f32) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::rms_norm(x.into_dispatch(), w.into_dispatch(), eps))
}

/// `silu(gate) * up` for `gate_up [n, 2f]`.
#[must_use]
pub fn swiglu(gate_up: Tensor<2>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::swiglu(gate_up.into_dispatch()))
}

/// `x · w + (x · aᵀ) · bᵀ` with frozen `w [i, o]`, `a [k, R, i]`, `b [k, o, R]`; differentiable in `x`, `a` and `b`.
///
/// Neither the dense update `b·a` nor a gradient of the shape of `w` is ever built.
#[must_use]
pub fn lora_linear(x: Tensor<2>, w: Tensor<2>, a: Tensor<3>, b: Tensor<3>) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::lora_linear(
        x.into_dispatch(),
        w.into_dispatch(),
        a.into_dispatch(),
        b.into_dispatch(),
    ))
}

/// Causal grouped-query attention with rotary positions; see [`Kernels::attention_raw`]. Differentiable in `qkv`.
#[must_use]
pub fn attention(qkv: Tensor<2>, table: Tensor<2>, shape: AttentionShape) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::attention(qkv.into_dispatch(), table.into_dispatch(), shape))
}

/// As [`attention`], without gradients, together with the rotated keys and the values `[batch*kv, seq, head_dim]`.
#[must_use]
pub fn attention_with_cache(
    qkv: Tensor<2>,
    table: Tensor<2>,
    shape: AttentionShape,
) -> (Tensor<2>, Tensor<3>, Tensor<3>) {
    let (context, _, k, v, _) = Dispatch::attention_raw(qkv.into_dispatch(), table.into_dispatch(), shape);
    (Tensor::from_dispatch(context), Tensor::from_dispatch(k), Tensor::from_dispatch(v))
}

/// See [`Kernels::softmax_stats`].
#[must_use]
pub fn softmax_stats(logits: Tensor<2>, targets: Tensor<1>, offset: f32) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::softmax_stats(logits.into_dispatch(), targets.into_dispatch(), offset))
}

/// See [`Kernels::softmax_grad`].
#[must_use]
pub fn softmax_grad(
    logits: Tensor<2>,
    lse: Tensor<1>,
    targets: Tensor<1>,
    weights: Tensor<1>,
    offset: f32,
) -> Tensor<2> {
    Tensor::from_dispatch(Dispatch::softmax_grad(
        logits.into_dispatch(),
        lse.into_dispatch(),
        targets.into_dispatch(),
        weights.into_dispatch(),
        offset,
    ))
}

/// One AdamW step (Loshchilov and Hutter, arXiv 1711.05101) on flat vectors; returns parameter, first and second moment.
#[must_use]
pub fn adamw(
    param: Tensor<1>,
    grad: Tensor<1>,
    moments: (Tensor<1>, Tensor<1>),
    grad_scale: Tensor<1>,
    step: AdamWStep,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let (p, m, v) = Dispatch::adamw(
        param.into_dispatch(),
        grad.into_dispatch(),
        moments.0.into_dispatch(),
        moments.1.into_dispatch(),
        grad_scale.into_dispatch(),
        step,
    );
    (Tensor::from_dispatch(p), Tensor::from_dispatch(m), Tensor::from_dispatch(v))
}
