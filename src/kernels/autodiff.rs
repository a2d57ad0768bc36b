//! Backward rules of the kernels: what is kept from the forward pass, and which kernels the gradients call.
//!
//! Each rule computes only the gradients that somebody asked for: frozen weights cost nothing.

use super::{AttentionShape, Kernels};
use burn::backend::autodiff::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::wgpu::CubeBackend;
use burn::backend::{Flex, TensorMetadata, backend_extension};
use burn::tensor::Shape;

/// The kernels that take part in reverse-mode differentiation.
#[backend_extension(Autodiff, Cube, Flex)]
pub trait Differentiable: burn::backend::Backend {
    /// See [`super::rms_norm()`].
    fn rms_norm(x: FloatTensor<Self>, w: FloatTensor<Self>, eps: f32) -> FloatTensor<Self>;
    /// See [`super::swiglu()`].
    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self>;
    /// See [`super::lora_linear`].
    fn lora_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
    ) -> FloatTensor<Self>;
    /// See [`super::attention`].
    fn attention(qkv: FloatTensor<Self>, table: FloatTensor<Self>, shape: AttentionShape) -> FloatTensor<Self>;
}

macro_rules! without_gradients {
    ($backend:ty) => {
        impl Differentiable for $backend {
            fn rms_norm(x: FloatTensor<Self>, w: FloatTensor<Self>, eps: f32) -> FloatTensor<Self> {
                Self::rms_norm_raw(x, w, eps)
            }
            fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self> {
                Self::swiglu_raw(gate_up)
            }
            fn lora_linear(
                x: FloatTensor<Self>,
                w: FloatTensor<Self>,
                a: FloatTensor<Self>,
                b: FloatTensor<Self>,
            ) -> FloatTensor<Self> {
                let low = project_down::<Self>(x.clone(), a);
                Self::matmul_low_rank(x, w, false, low, b, true)
            }
            fn attention(qkv: FloatTensor<Self>, table: FloatTensor<Self>, shape: AttentionShape) -> FloatTensor<Self> {
                Self::attention_raw(qkv, table, shape).0
            }
        }
    };
}
without_gradients!(CubeBackend);
without_gradients!(Flex);

fn dims<B: Kernels, const D: usize>(tensor: &FloatTensor<B>) -> [usize; D] {
    let shape = tensor.shape();
    std::array::from_fn(|i| shape[i])
}

/// Cuts `[n, c]` into `[k, n/k, c]`: one block of rows for each adapter.
fn blocks<B: Kernels>(x: FloatTensor<B>, k: usize) -> FloatTensor<B> {
    let [n, c] = dims::<B, 2>(&x);
    B::float_reshape(x, Shape::from(vec![k, n / k, c]))
}

/// `x · aᵀ` block by block: `x [n, i]`, `a [k, R, i]`, result `[n, R]`.
fn project_down<B: Kernels>(x: FloatTensor<B>, a: FloatTensor<B>) -> FloatTensor<B> {
    let [k, rank, _] = dims::<B, 3>(&a);
    let [n, _] = dims::<B, 2>(&x);
    let low = B::float_matmul(blocks::<B>(x, k), B::float_swap_dims(a, 1, 2));
    B::float_reshape(low, Shape::from(vec![n, rank]))
}

/// `leftᵀ · right` block by block: `left [n, p]`, `right [n, q]`, result `[k, p, q]`.
fn outer<B: Kernels>(left: FloatTensor<B>, right: FloatTensor<B>, k: usize) -> FloatTensor<B> {
    B::float_matmul(B::float_swap_dims(blocks::<B>(left, k), 1, 2), blocks::<B>(right, k))
}

impl<B: Kernels, C: CheckpointStrategy> Differentiable for Autodiff<B, C> {
    fn rms_norm(x: FloatTensor<Self>, w: FloatTensor<Self>, eps: f32) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Rule;
        impl<B: Kernels> Backward<B, 2> for Rule {
            type State = (FloatTensor<B>, FloatTensor<B>, f32);
            fn backward(self, ops: Ops<Self::State, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [for_x, for_w] = ops.parents;
                let (x, w, eps) = ops.state;
                let grad = grads.consume::<B>(&ops.node);
                if let Some(node) = for_w {
                    let ones = B::float_ones(w.shape(), &w.device(), w.dtype().into());
                    let normed = B::rms_norm_raw(x.clone(), ones, eps);
                    let sum = B::float_sum_dim(B::float_mul(grad.clone(), normed), 0);
                    grads.register::<B>(node.id, B::float_reshape(sum, w.shape()));
                }
                if let Some(node) = for_x {
                    grads.register::<B>(node.id, B::rms_norm_backward(x, w, grad, eps));
                }
            }
        }
        match Rule.prepare::<C>([x.node(), w.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (x, w) = (x.into_primitive(), w.into_primitive());
                let out = B::rms_norm_raw(x.clone(), w.clone(), eps);
                prep.finish((x, w, eps), out)
            }
            OpsKind::UnTracked(prep) => prep.finish(B::rms_norm_raw(x.into_primitive(), w.into_primitive(), eps)),
        }
    }

    fn swiglu(gate_up: FloatTensor<Self>) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Rule;
        impl<B: Kernels> Backward<B, 1> for Rule {
            type State = FloatTensor<B>;
            fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [parent] = ops.parents;
                let grad = grads.consume::<B>(&ops.node);
                if let Some(node) = parent {
                    grads.register::<B>(node.id, B::swiglu_backward(ops.state, grad));
                }
            }
        }
        match Rule.prepare::<C>([gate_up.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let gate_up = gate_up.into_primitive();
                prep.finish(gate_up.clone(), B::swiglu_raw(gate_up))
            }
            OpsKind::UnTracked(prep) => prep.finish(B::swiglu_raw(gate_up.into_primitive())),
        }
    }

    fn lora_linear(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        a: FloatTensor<Self>,
        b: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Rule;
        impl<B: Kernels> Backward<B, 3> for Rule {
            // x, w, a, b and the low-rank projection x·aᵀ
            type State = [FloatTensor<B>; 5];
            fn backward(self, ops: Ops<Self::State, 3>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [for_x, for_a, for_b] = ops.parents;
                let [x, w, a, b, low] = ops.state;
                let grad = grads.consume::<B>(&ops.node);
                let [k, _, _] = dims::<B, 3>(&a);
                if let Some(node) = for_b {
                    grads.register::<B>(node.id, outer::<B>(grad.clone(), low, k));
                }
                if for_x.is_none() && for_a.is_none() {
                    return;
                }
                // d(x·aᵀ) = dy·b: the same product as the way down, with b in the place of aᵀ
                let d_low = project_down::<B>(grad.clone(), B::float_swap_dims(b, 1, 2));
                if let Some(node) = for_a {
                    grads.register::<B>(node.id, outer::<B>(d_low.clone(), x, k));
                }
                if let Some(node) = for_x {
                    grads.register::<B>(node.id, B::matmul_low_rank(grad, w, true, d_low, a, false));
                }
            }
        }
        match Rule.prepare::<C>([x.node(), a.node(), b.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let [x, w, a, b] = [x.into_primitive(), w.into_primitive(), a.into_primitive(), b.into_primitive()];
                let low = project_down::<B>(x.clone(), a.clone());
                let out = B::matmul_low_rank(x.clone(), w.clone(), false, low.clone(), b.clone(), true);
                prep.finish([x, w, a, b, low], out)
            }
            OpsKind::UnTracked(prep) => {
                let [x, w, a, b] = [x.into_primitive(), w.into_primitive(), a.into_primitive(), b.into_primitive()];
                let low = project_down::<B>(x.clone(), a);
                prep.finish(B::matmul_low_rank(x, w, false, low, b, true))
            }
        }
    }

    fn attention(qkv: FloatTensor<Self>, table: FloatTensor<Self>, shape: AttentionShape) -> FloatTensor<Self> {
        #[derive(Debug)]
        struct Rule;
        impl<B: Kernels> Backward<B, 1> for Rule {
            type State = ([FloatTensor<B>; 5], AttentionShape);
            fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
                let [parent] = ops.parents;
                let grad = grads.consume::<B>(&ops.node);
                let ([q, k, v, p, table], shape) = ops.state;
                if let Some(node) = parent {
                    grads.register::<B>(node.id, B::attention_backward(grad, q, k, v, p, table, shape));
                }
            }
        }
        match Rule.prepare::<C>([qkv.node()]).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let table = table.into_primitive();
                let (out, q, k, v, p) = B::attention_raw(qkv.into_primitive(), table.clone(), shape);
                prep.finish(([q, k, v, p, table], shape), out)
            }
            OpsKind::UnTracked(prep) => {
                prep.finish(B::attention_raw(qkv.into_primitive(), table.into_primitive(), shape).0)
            }
        }
    }
}
