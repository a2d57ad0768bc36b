//! The kernels on WebGPU: how a WGSL file becomes a launch, and the raw operations composed of such launches.

use super::adamw::AdamWStep;
use super::{AttentionShape, Kernels};
use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::wgpu::{CubeBackend, CubeTensor, KernelSource, SourceKernel, SourceTemplate, into_contiguous};
use burn::tensor::Shape;
use cubecl::prelude::KernelId;
use cubecl::server::KernelArguments;
use cubecl::{CubeCount, CubeDim};

/// How the elements of a launch are spread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rows {
    /// One workgroup of 64 invocations for each row.
    PerWorkgroup,
    /// One invocation for each element, 256 to a workgroup.
    PerInvocation,
}

/// One WGSL file with its launch geometry.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shader {
    name: &'static str,
    source: &'static str,
    rows: Rows,
}

/// WebGPU allows 65,535 workgroups in one dimension; more go into the second.
const MAX_WORKGROUPS: u32 = 65_535;

impl Shader {
    pub(super) const fn new(name: &'static str, source: &'static str, rows: Rows) -> Self {
        Self { name, source, rows }
    }

    /// Launches `count` rows or elements on `buffers` (all contiguous), with `info` as the last buffer.
    fn launch(self, count: usize, buffers: &[&CubeTensor], info: &[u32]) {
        let Some(first) = buffers.first() else { return };
        if count == 0 {
            return;
        }
        let size = match self.rows {
            Rows::PerWorkgroup => 64,
            Rows::PerInvocation => 256,
        };
        let count = as_u32(count);
        let groups = if self.rows == Rows::PerWorkgroup { count } else { count.div_ceil(size) };
        let across = groups.min(MAX_WORKGROUPS);
        let info = first.client.create_from_slice(bytemuck::cast_slice(info));
        let mut bindings: Vec<_> = buffers.iter().map(|tensor| tensor.handle.clone().binding()).collect();
        bindings.push(info.binding());
        first.client.launch(
            Box::new(SourceKernel::new(self, CubeDim::new_1d(size))),
            CubeCount::Static(across, groups.div_ceil(across), 1),
            KernelArguments::new().with_buffers(bindings),
        );
    }
}

impl KernelSource for Shader {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(self.source)
    }

    fn id(&self) -> KernelId {
        KernelId::new::<Self>().info(self.name)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// Sizes on the GPU are 32-bit; a tensor beyond that fails to be allocated long before.
fn as_u32(value: usize) -> u32 {
    u32::try_from(value).unwrap_or(u32::MAX)
}

fn empty(like: &CubeTensor, shape: &[usize]) -> CubeTensor {
    let shape = Shape::from(shape.to_vec());
    let buffer = like.client.empty(shape.num_elements() * like.dtype.size());
    CubeTensor::new_contiguous(like.client.clone(), like.device.clone(), shape, buffer, like.dtype)
}

fn dims<const D: usize>(tensor: &CubeTensor) -> [usize; D] {
    let shape = tensor.shape();
    std::array::from_fn(|i| shape[i])
}

fn attention_info(shape: AttentionShape) -> [u32; 5] {
    [shape.batch, shape.seq, shape.heads, shape.kv_heads, shape.head_dim].map(as_u32)
}

impl Kernels for CubeBackend {
    fn rms_norm_raw(x: FloatTensor<Self>, w: FloatTensor<Self>, eps: f32) -> FloatTensor<Self> {
        let (x, w) = (into_contiguous(x), into_contiguous(w));
        let [n, d] = dims(&x);
        let out = empty(&x, &[n, d]);
        super::rms_norm::SHADER.launch(n, &[&x, &w, &out], &[as_u32(n), as_u32(d), eps.to_bits()]);
        out
    }

    fn rms_norm_backward(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        eps: f32,
    ) -> FloatTensor<Self> {
        let (x, w, grad) = (into_contiguous(x), into_contiguous(w), into_contiguous(grad));
        let [n, d] = dims(&x);
        let out = empty(&x, &[n, d]);
        super::rms_norm_backward::SHADER.launch(n, &[&x, &w, &grad, &out], &[as_u32(n), as_u32(d), eps.to_bits()]);
        out
    }

    fn swiglu_raw(gate_up: FloatTensor<Self>) -> FloatTensor<Self> {
        let gate_up = into_contiguous(gate_up);
        let [n, columns] = dims(&gate_up);
        let f = columns / 2;
        let out = empty(&gate_up, &[n, f]);
        super::swiglu::SHADER.launch(n * f, &[&gate_up, &out], &[as_u32(n), as_u32(f)]);
        out
    }

    fn swiglu_backward(gate_up: FloatTensor<Self>, grad: FloatTensor<Self>) -> FloatTensor<Self> {
        let (gate_up, grad) = (into_contiguous(gate_up), into_contiguous(grad));
        let [n, f] = dims(&grad);
        let out = empty(&gate_up, &[n, 2 * f]);
        super::swiglu_backward::SHADER.launch(n * f, &[&gate_up, &grad, &out], &[as_u32(n), as_u32(f)]);
        out
    }

    fn matmul_low_rank(
        x: FloatTensor<Self>,
        w: FloatTensor<Self>,
        w_transposed: bool,
        u: FloatTensor<Self>,
        v: FloatTensor<Self>,
        v_transposed: bool,
    ) -> FloatTensor<Self> {
        let w = if w_transposed { Self::float_swap_dims(w, 0, 1) } else { w };
        let base = into_contiguous(Self::float_matmul(x, w));
        let (u, v) = (into_contiguous(u), into_contiguous(v));
        let [n, columns] = dims(&base);
        let [_, rank] = dims(&u);
        let [adapters, _, _] = dims(&v);
        let out = empty(&base, &[n, columns]);
        let strides = if v_transposed { [rank, 1] } else { [1, columns] };
        let info = [n, columns, rank, n / adapters, strides[0], strides[1]].map(as_u32);
        super::low_rank_add::SHADER.launch(n * columns, &[&base, &u, &v, &out], &info);
        out
    }

    fn attention_raw(
        qkv: FloatTensor<Self>,
        table: FloatTensor<Self>,
        shape: AttentionShape,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let AttentionShape { batch, seq, heads, kv_heads, head_dim } = shape;
        let (qkv, table) = (into_contiguous(qkv), into_contiguous(table));
        let q = empty(&qkv, &[batch * kv_heads, shape.group() * seq, head_dim]);
        let k = empty(&qkv, &[batch * kv_heads, seq, head_dim]);
        let v = empty(&qkv, &[batch * kv_heads, seq, head_dim]);
        let pairs = batch * seq * shape.qkv_columns() / 2;
        super::rope_split::SHADER.launch(pairs, &[&qkv, &table, &q, &k, &v], &attention_info(shape));
        let scores = into_contiguous(Self::float_matmul(q.clone(), Self::float_swap_dims(k.clone(), 1, 2)));
        let rows = batch * heads * seq;
        let p = empty(&scores, &[batch * kv_heads, shape.group() * seq, seq]);
        let info = [as_u32(rows), as_u32(seq), shape.scale().to_bits()];
        super::causal_softmax::SHADER.launch(rows, &[&scores, &p], &info);
        let context = Self::float_matmul(p.clone(), v.clone());
        let context = Self::float_reshape(context, Shape::from(vec![batch, heads, seq, head_dim]));
        let context = into_contiguous(Self::float_swap_dims(context, 1, 2));
        (Self::float_reshape(context, Shape::from(vec![batch * seq, heads * head_dim])), q, k, v, p)
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
        let grad = Self::float_reshape(grad, Shape::from(vec![batch, seq, heads, head_dim]));
        let grad = into_contiguous(Self::float_swap_dims(grad, 1, 2));
        let grad = Self::float_reshape(grad, Shape::from(vec![batch * kv_heads, shape.group() * seq, head_dim]));
        let dv = into_contiguous(Self::float_matmul(Self::float_swap_dims(p.clone(), 1, 2), grad.clone()));
        let dp = into_contiguous(Self::float_matmul(grad, Self::float_swap_dims(v, 1, 2)));
        let ds = empty(&dp, &[batch * kv_heads, shape.group() * seq, seq]);
        let rows = batch * heads * seq;
        let info = [as_u32(rows), as_u32(seq), shape.scale().to_bits()];
        super::causal_softmax_backward::SHADER.launch(rows, &[&p, &dp, &ds], &info);
        let dq = into_contiguous(Self::float_matmul(ds.clone(), k));
        let dk = into_contiguous(Self::float_matmul(Self::float_swap_dims(ds, 1, 2), q));
        let table = into_contiguous(table);
        let out = empty(&dq, &[batch * seq, shape.qkv_columns()]);
        let pairs = batch * seq * shape.qkv_columns() / 2;
        super::rope_merge::SHADER.launch(pairs, &[&dq, &dk, &dv, &table, &out], &attention_info(shape));
        out
    }

    fn softmax_stats(logits: FloatTensor<Self>, targets: FloatTensor<Self>, offset: f32) -> FloatTensor<Self> {
        let (logits, targets) = (into_contiguous(logits), into_contiguous(targets));
        let [n, columns] = dims(&logits);
        let out = empty(&logits, &[n, 3]);
        super::softmax_stats::SHADER.launch(n, &[&logits, &targets, &out], &chunk_info(n, columns, offset));
        out
    }

    fn softmax_grad(
        logits: FloatTensor<Self>,
        lse: FloatTensor<Self>,
        targets: FloatTensor<Self>,
        weights: FloatTensor<Self>,
        offset: f32,
    ) -> FloatTensor<Self> {
        let (logits, lse) = (into_contiguous(logits), into_contiguous(lse));
        let (targets, weights) = (into_contiguous(targets), into_contiguous(weights));
        let [n, columns] = dims(&logits);
        let out = empty(&logits, &[n, columns]);
        let buffers = [&logits, &lse, &targets, &weights, &out];
        super::softmax_grad::SHADER.launch(n * columns, &buffers, &chunk_info(n, columns, offset));
        out
    }

    fn adamw(
        param: FloatTensor<Self>,
        grad: FloatTensor<Self>,
        first: FloatTensor<Self>,
        second: FloatTensor<Self>,
        grad_scale: FloatTensor<Self>,
        step: AdamWStep,
    ) -> (FloatTensor<Self>, FloatTensor<Self>, FloatTensor<Self>) {
        let [param, grad, first, second, grad_scale] = [param, grad, first, second, grad_scale].map(into_contiguous);
        let [n] = dims(&param);
        let (p, m, v) = (empty(&param, &[n]), empty(&param, &[n]), empty(&param, &[n]));
        let mut info = vec![as_u32(n)];
        info.extend(step.bits());
        super::adamw::SHADER.launch(n, &[&param, &grad, &first, &second, &grad_scale, &p, &m, &v], &info);
        (p, m, v)
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // offsets are whole numbers below 2^24
fn chunk_info(rows: usize, columns: usize, offset: f32) -> [u32; 3] {
    [as_u32(rows), as_u32(columns), offset as u32]
}
