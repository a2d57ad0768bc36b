//! The kernels on the CPU: burn's Flex tensors in, the twins of the shaders and `gemm` inside, Flex tensors out.

use super::adamw::AdamWStep;
use super::gemm::{MatrixView, Product, gemm};
use super::low_rank_add::LowRank;
use super::{AttentionShape, Kernels};
use super::{
    adamw, causal_softmax, causal_softmax_backward, low_rank_add, rms_norm, rms_norm_backward, rope_merge, rope_split,
    softmax_grad, softmax_stats, swiglu, swiglu_backward,
};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Flex, TensorMetadata};
use burn::tensor::TensorData;
use burn_flex::FlexTensor;
use rayon::prelude::*;

const PARALLEL: Product = Product { accumulate: false, parallel: true };
const SERIAL: Product = Product { accumulate: false, parallel: false };

/// A tensor whose values can be read as one slice.
struct Dense(FlexTensor);

impl Dense {
    fn new(tensor: FlexTensor) -> Self {
        Self(if tensor.as_slice::<f32>().is_some() { tensor } else { tensor.to_contiguous() })
    }

    fn values(&self) -> &[f32] {
        self.0.as_slice().unwrap_or_default()
    }

    fn dims<const D: usize>(&self) -> [usize; D] {
        let shape = self.0.shape();
        std::array::from_fn(|i| shape[i])
    }

    /// A copy of the values, for writing.
    fn into_vec(self) -> Vec<f32> {
        self.values().to_vec()
    }
}

fn tensor(values: Vec<f32>, shape: &[usize]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape.to_vec()))
}

impl Kernels for Flex {
    fn rms_norm_raw(x: FloatTensor<Self>, w: FloatTensor<Self>, eps: f32) -> FloatTensor<Self> {
        let (x, w) = (Dense::new(x), Dense::new(w));
        let mut out = vec![0.0; x.values().len()];
        rms_norm::twin(x.values(), w.values(), eps, &mut out);
        tensor(out, &x.dims::<2>())
    }

    fn rms_norm_backward(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self> {
        let (x, w, grad) = (Dense::new(x), Dense::new(w), Dense::new(grad));
        let mut out = vec![0.0; x.values().len()];
        rms_norm_backward::twin(x.values(), w.values(), grad.values(), eps, &mut out);
        tensor(out, &x.dims::<2>())
    }

    fn swiglu_raw(gate_up: FloatTensor<Self>) -> FloatTensor<Self> {
        let gate_up = Dense::new(gate_up);
        let [n, columns] = gate_up.dims();
        let mut out = vec![0.0; n * columns / 2];
        swiglu::twin(gate_up.values(), columns / 2, &mut out);
        tensor(out, &[n, columns / 2])
    }

    fn swiglu_backward(gate_up: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let (gate_up, grad) = (Dense::new(gate_up), Dense::new(grad));
        let [n, f] = grad.dims();
        let mut out = vec![0.0; n * 2 * f];
        swiglu_backward::twin(gate_up.values(), f, grad.values(), &mut out);
        tensor(out, &[n, 2 * f])
    }

    fn matmul_low_rank(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        w_transposed: bool,
        u: FloatTensor<Self>,
        v: FloatTensor<Self>,
        v_transposed: bool,
    ) -> FloatTensor<Self> {
        let (x, w, u, v) = (Dense::new(x), Dense::new(w), Dense::new(u), Dense::new(v));
        let [rows, inner] = x.dims();
        let [w_rows, w_columns] = w.dims();
        let columns = if w_transposed { w_rows } else { w_columns };
        let mut out = vec![0.0; rows * columns];
        let weight = MatrixView::new(w.values(), w_rows, w_columns).transposed_if(w_transposed);
        gemm(&mut out, MatrixView::new(x.values(), rows, inner), weight, PARALLEL);
        let [_, rank] = u.dims();
        let [adapters, _, _] = v.dims();
        let sizes = LowRank { rows, columns, rank, adapters, v_transposed };
        low_rank_add::twin(&mut out, u.values(), v.values(), sizes);
        tensor(out, &[rows, columns])
    }

    fn attention_raw(
        qkv: FloatTensor<Self>,
        table: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let AttentionShape { batch, seq, heads, kv_heads, head_dim } = shape;
        let (qkv, table) = (Dense::new(qkv), Dense::new(table));
        let head = seq * head_dim;
        let split = |first: usize, count: usize, turn: bool| {
            let mut out = vec![0.0; batch * count * head];
            rope_split::twin(qkv.values(), table.values(), shape, first, count, turn, &mut out);
            out
        };
        let (q, k, v) = (split(0, heads, true), split(heads, kv_heads, true), split(heads + kv_heads, kv_heads, false));
        let mut p = vec![0.0; batch * heads * seq * seq];
        let mut mixed = vec![0.0; batch * heads * head];
        p.par_chunks_mut(seq * seq).zip(mixed.par_chunks_mut(head)).enumerate().for_each(|(index, (p, mixed))| {
            let kv = (index / shape.group()) * head;
            let keys = MatrixView::new(&k[kv..], seq, head_dim);
            gemm(p, MatrixView::new(&q[index * head..], seq, head_dim), keys.transposed(), SERIAL);
            pulp::Arch::new().dispatch(|| {
                for (t, row) in p.chunks_exact_mut(seq).enumerate() {
                    causal_softmax::twin_row(row, t, shape.scale());
                }
            });
            gemm(mixed, MatrixView::new(p, seq, seq), MatrixView::new(&v[kv..], seq, head_dim), SERIAL);
        });
        let mut context = vec![0.0; batch * heads * head];
        swap_heads(&mixed, shape, true, &mut context);
        let group = shape.group();
        (
            tensor(context, &[batch * seq, heads * head_dim]),
            tensor(q, &[batch * kv_heads, group * seq, head_dim]),
            tensor(k, &[batch * kv_heads, seq, head_dim]),
            tensor(v, &[batch * kv_heads, seq, head_dim]),
            tensor(p, &[batch * kv_heads, group * seq, seq]),
        )
    }

    fn attention_backward(
        grad: FloatTensor<Self>,
        q: FloatTensor<Self>,
        k: FloatTensor<Self>,
        v: FloatTensor<Self>,
        p: FloatTensor<Self>,
        table: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> FloatTensor<Self> {
        let AttentionShape { batch, seq, heads, kv_heads, head_dim } = shape;
        let (grad, q, k, v, p, table) =
            (Dense::new(grad), Dense::new(q), Dense::new(k), Dense::new(v), Dense::new(p), Dense::new(table));
        let (head, group) = (seq * head_dim, shape.group());
        let mut d_mixed = vec![0.0; batch * heads * head];
        swap_heads(grad.values(), shape, false, &mut d_mixed);
        let mut dq = vec![0.0; batch * heads * head];
        let mut dk = vec![0.0; batch * kv_heads * head];
        let mut dv = vec![0.0; batch * kv_heads * head];
        // One key-value head at a time with the query heads that share it, so that no two threads add to the same keys.
        dq.par_chunks_mut(group * head).zip(dk.par_chunks_mut(head)).zip(dv.par_chunks_mut(head)).enumerate().for_each(
            |(kv, ((dq, dk), dv))| {
                let keys = MatrixView::new(&k.values()[kv * head..], seq, head_dim);
                let values = MatrixView::new(&v.values()[kv * head..], seq, head_dim);
                let mut ds = vec![0.0; seq * seq];
                for g in 0..group {
                    let index = kv * group + g;
                    let p = &p.values()[index * seq * seq..][..seq * seq];
                    let d_out = MatrixView::new(&d_mixed[index * head..], seq, head_dim);
                    let onto = Product { accumulate: g > 0, parallel: false };
                    gemm(dv, MatrixView::new(p, seq, seq).transposed(), d_out, onto);
                    gemm(&mut ds, d_out, values.transposed(), SERIAL);
                    pulp::Arch::new().dispatch(|| {
                        for (row, p) in ds.chunks_exact_mut(seq).zip(p.chunks_exact(seq)) {
                            causal_softmax_backward::twin_row(p, row, shape.scale());
                        }
                    });
                    let scores = MatrixView::new(&ds, seq, seq);
                    gemm(&mut dq[g * head..][..head], scores, keys, SERIAL);
                    let queries = MatrixView::new(&q.values()[index * head..], seq, head_dim);
                    gemm(dk, scores.transposed(), queries, onto);
                }
            },
        );
        let mut out = vec![0.0; batch * seq * shape.qkv_columns()];
        rope_merge::twin(&dq, &dk, &dv, table.values(), shape, &mut out);
        tensor(out, &[batch * seq, shape.qkv_columns()])
    }

    fn softmax_stats(logits: FloatTensor<Self>, targets: FloatTensor<Self>, offset: f32) -> FloatTensor<Self> {
        let (logits, targets) = (Dense::new(logits), Dense::new(targets));
        let [n, columns] = logits.dims();
        let mut out = vec![0.0; n * 3];
        softmax_stats::twin(logits.values(), columns, targets.values(), offset, &mut out);
        tensor(out, &[n, 3])
    }

    fn softmax_grad(
        logits: FloatTensor<Self>,
        lse: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        offset: f32,
    ) -> FloatTensor<Self> {
        let (logits, lse, targets, weights) =
            (Dense::new(logits), Dense::new(lse), Dense::new(targets), Dense::new(weights));
        let mut out = vec![0.0; logits.values().len()];
        softmax_grad::twin(logits.values(), lse.values(), targets.values(), weights.values(), offset, &mut out);
        tensor(out, &logits.dims::<2>())
    }

    fn adamw(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        grad_scale: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let (grad, scale) = (Dense::new(grad), Dense::new(grad_scale));
        let [mut p, mut m, mut v] = [param, first, second].map(|t| Dense::new(t).into_vec());
        let scale = scale.values().first().copied().unwrap_or(1.0);
        adamw::twin(&mut p, grad.values(), &mut m, &mut v, scale, step);
        let shape = [p.len()];
        (tensor(p, &shape), tensor(m, &shape), tensor(v, &shape))
    }
}

/// `[batch, heads, seq, head_dim]` to `[batch, seq, heads, head_dim]` when `merge`, else the way back.
fn swap_heads(from: &[f32], shape: AttentionShape, merge: bool, to: &mut [f32]) {
    let AttentionShape { seq, heads, head_dim, .. } = shape;
    let (outer, inner) = if merge { (seq, heads) } else { (heads, seq) };
    super::parallel::rows(to, inner * head_dim, |first, chunk| {
        for (index, line) in chunk.chunks_exact_mut(inner * head_dim).enumerate() {
            let (row, o) = ((first + index) / outer, (first + index) % outer);
            for (i, to) in line.chunks_exact_mut(head_dim).enumerate() {
                to.copy_from_slice(&from[((row * inner + i) * outer + o) * head_dim..][..head_dim]);
            }
        }
    });
}
