//! The kernels on the CPU against the same formulas written with burn's own operations, values and gradients alike.

use crate::oracle::{close, cpu, noise, random, tensor, values};
use burn::tensor::{Device, Tensor, activation};
use thalweg::engine::config::TrainingConfig;
use thalweg::engine::optimiser::AdamW;
use thalweg::kernels::{self, AttentionShape};

/// A leaf of a gradient tape.
fn leaf<const D: usize>(seed: u64, shape: [usize; D], device: &Device) -> Tensor<D> {
    random(seed, shape, device).autodiff().require_grad()
}

/// Output and gradients of `sum(output * noise)`, for one way of computing something from leaves.
fn run<const A: usize, const B: usize, const C: usize>(
    leaves: (Tensor<A>, Tensor<B>, Tensor<C>),
    compute: impl Fn(Tensor<A>, Tensor<B>, Tensor<C>) -> Tensor<2>,
) -> [Vec<f32>; 4] {
    let (a, b, c) = leaves;
    let out = compute(a.clone(), b.clone(), c.clone());
    let weights = random(99, out.dims(), &out.device().without_autodiff());
    let gradients = (out.clone() * weights).sum().backward();
    // a frozen input has none
    let of = |gradient: Option<Vec<f32>>| gradient.unwrap_or_default();
    [
        values(out),
        of(a.grad(&gradients).map(values)),
        of(b.grad(&gradients).map(values)),
        of(c.grad(&gradients).map(values)),
    ]
}

/// Compares output and gradients, relative to the size of the largest expected number.
fn same(what: &str, got: &[Vec<f32>; 4], want: &[Vec<f32>; 4], gradients: usize) {
    assert_eq!(want.iter().skip(1).filter(|values| !values.is_empty()).count(), gradients, "{what}: gradients");
    for (name, (got, want)) in ["output", "gradient 1", "gradient 2", "gradient 3"].iter().zip(got.iter().zip(want)) {
        if want.is_empty() {
            assert!(got.is_empty(), "{what}: {name} of a frozen input");
            continue;
        }
        let largest = want.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
        assert!(largest > 1e-3, "{what}: {name} is all but zero");
        close(&format!("{what} {name}"), got, want, 3e-6 * f64::from(largest.max(1.0)));
    }
}

fn plain_rms_norm(x: Tensor<2>, w: Tensor<1>, eps: f64) -> Tensor<2> {
    let mean = (x.clone() * x.clone()).mean_dim(1);
    x / mean.add_scalar(eps).sqrt() * w.unsqueeze::<2>()
}

#[test]
fn rms_norm() {
    let device = cpu().device;
    for (rows, columns) in [(1, 1), (5, 7), (3, 33), (301, 129), (2, 1000)] {
        let leaves = || (leaf(1, [rows, columns], &device), leaf(2, [columns], &device), leaf(3, [1], &device));
        let got = run(leaves(), |x, w, _| kernels::rms_norm(x, w, 1e-3));
        let want = run(leaves(), |x, w, _| plain_rms_norm(x, w, 1e-3));
        same(&format!("rms_norm {rows} x {columns}"), &got, &want, 2);
    }
    // a frozen weight, as the model has it
    let leaves = || (leaf(1, [5, 7], &device), random(2, [7], &device), random(3, [1], &device));
    let got = run(leaves(), |x, w, _| kernels::rms_norm(x, w, 1e-3));
    same("rms_norm, frozen weight", &got, &run(leaves(), |x, w, _| plain_rms_norm(x, w, 1e-3)), 1);
    // the gradient of the weight alone
    let leaves = || (random(1, [5, 7], &device), leaf(2, [7], &device), random(3, [1], &device));
    let got = run(leaves(), |x, w, _| kernels::rms_norm(x, w, 1e-3));
    same("rms_norm, weight only", &got, &run(leaves(), |x, w, _| plain_rms_norm(x, w, 1e-3)), 1);
}

#[test]
fn swiglu() {
    let device = cpu().device;
    for (rows, columns) in [(1, 1), (5, 7), (200, 101)] {
        // wide enough for both tails of the sigmoid
        let leaves = || {
            let x = random(1, [rows, 2 * columns], &device).mul_scalar(12.0).autodiff().require_grad();
            (x, random(2, [1], &device), random(3, [1], &device))
        };
        let got = run(leaves(), |x, _, _| kernels::swiglu(x));
        let want = run(leaves(), |x, _, _| {
            let gate = x.clone().slice([0..rows, 0..columns]);
            activation::silu(gate) * x.slice([0..rows, columns..2 * columns])
        });
        same(&format!("swiglu {rows} x {columns}"), &got, &want, 1);
    }
}

#[test]
fn lora_linear_with_one_and_with_several_adapters() {
    let device = cpu().device;
    for (adapters, block, input, rank, output) in
        [(1, 7, 5, 3, 11), (3, 4, 9, 2, 13), (1, 150, 65, 8, 130), (3, 61, 70, 5, 33)]
    {
        let rows = adapters * block;
        let w = random(4, [input, output], &device);
        let plain = |x: Tensor<2>, a: Tensor<3>, b: Tensor<3>| {
            let parts = (0..adapters)
                .map(|k| {
                    let x = x.clone().slice([k * block..(k + 1) * block, 0..input]);
                    let a = a.clone().slice([k..k + 1, 0..rank, 0..input]).reshape([rank, input]);
                    let b = b.clone().slice([k..k + 1, 0..output, 0..rank]).reshape([output, rank]);
                    x.clone().matmul(w.clone()) + x.matmul(a.swap_dims(0, 1)).matmul(b.swap_dims(0, 1))
                })
                .collect();
            Tensor::cat(parts, 0)
        };
        let name = format!("lora_linear {rows} x {input} to {output}, {adapters} of rank {rank}");
        let (a, b) = ([adapters, rank, input], [adapters, output, rank]);
        let leaves = || (leaf(1, [rows, input], &device), leaf(2, a, &device), leaf(3, b, &device));
        let got = run(leaves(), |x, a, b| kernels::lora_linear(x, w.clone(), a, b));
        same(&name, &got, &run(leaves(), plain), 3);
        // the first layer of the model: no gradient into its input
        let leaves = || (random(1, [rows, input], &device), leaf(2, a, &device), leaf(3, b, &device));
        let got = run(leaves(), |x, a, b| kernels::lora_linear(x, w.clone(), a, b));
        same(&format!("{name}, fixed input"), &got, &run(leaves(), plain), 2);
        // a frozen adapter under layers that learn
        let leaves = || (leaf(1, [rows, input], &device), random(2, a, &device), random(3, b, &device));
        let got = run(leaves(), |x, a, b| kernels::lora_linear(x, w.clone(), a, b));
        same(&format!("{name}, fixed adapter"), &got, &run(leaves(), plain), 1);
    }
}

/// Attention head by head, row by row, as the papers write it.
fn plain_attention(qkv: &Tensor<2>, table: &Tensor<2>, shape: AttentionShape) -> Tensor<2> {
    let AttentionShape { batch, seq, heads, kv_heads, head_dim: dim } = shape;
    let half = dim / 2;
    let (cos, sin) = (table.clone().slice([0..seq, 0..half]), table.clone().slice([0..seq, half..dim]));
    let hidden: Vec<f32> = (0..seq * seq).map(|i| if i % seq > i / seq { -1e30 } else { 0.0 }).collect();
    let mask = tensor(hidden, [seq, seq], &table.device());
    let mut rows = Vec::new();
    for row in 0..batch {
        let head = |index: usize| qkv.clone().slice([row * seq..(row + 1) * seq, index * dim..(index + 1) * dim]);
        let turned = |index: usize| {
            let (low, high) = (head(index).slice([0..seq, 0..half]), head(index).slice([0..seq, half..dim]));
            let first = low.clone() * cos.clone() - high.clone() * sin.clone();
            Tensor::cat(vec![first, high * cos.clone() + low * sin.clone()], 1)
        };
        let outputs = (0..heads).map(|h| {
            let shared = h * kv_heads / heads;
            let scores = turned(h).matmul(turned(heads + shared).swap_dims(0, 1)).div_scalar((dim as f32).sqrt());
            activation::softmax(scores + mask.clone(), 1).matmul(head(heads + kv_heads + shared))
        });
        rows.push(Tensor::cat(outputs.collect(), 1));
    }
    Tensor::cat(rows, 0)
}

/// Cosines and sines of some angles, for more positions than are used.
fn angles(positions: usize, head_dim: usize, device: &Device) -> Tensor<2> {
    let half = head_dim / 2;
    let turn = noise(7, half);
    let values = (0..positions)
        .flat_map(|t| {
            let angle = |i: usize| t as f32 * turn[i];
            (0..half).map(move |i| angle(i).cos()).chain((0..half).map(move |i| angle(i).sin())).collect::<Vec<_>>()
        })
        .collect();
    tensor(values, [positions, head_dim], device)
}

#[test]
fn attention() {
    let device = cpu().device;
    for (batch, seq, heads, kv_heads, head_dim) in
        [(3, 7, 6, 2, 10), (1, 1, 1, 1, 2), (2, 5, 4, 4, 6), (2, 130, 3, 1, 34), (5, 33, 8, 2, 16)]
    {
        let shape = AttentionShape { batch, seq, heads, kv_heads, head_dim };
        let table = angles(seq + 5, head_dim, &device);
        let leaves = || {
            let qkv = random(1, [batch * seq, shape.qkv_columns()], &device).mul_scalar(2.0);
            (qkv.autodiff().require_grad(), random(2, [1], &device), random(3, [1], &device))
        };
        let got = run(leaves(), |qkv, _, _| kernels::attention(qkv, table.clone(), shape));
        let want = run(leaves(), |qkv, _, _| plain_attention(&qkv, &table, shape));
        same(&format!("attention {batch} x {seq}, {heads}:{kv_heads} heads of {head_dim}"), &got, &want, 1);
        let qkv = leaves().0.without_autodiff();
        let (context, k, v) = kernels::attention_with_cache(qkv.clone(), table.clone(), shape);
        assert_eq!(values(context), got[0], "the cache's attention is the same");
        assert_eq!((k.dims(), v.dims()), ([batch * kv_heads, seq, head_dim], [batch * kv_heads, seq, head_dim]));
        // the values, untouched: row 0, last head
        let from = (heads + 2 * kv_heads - 1) * head_dim;
        let last = v.slice([kv_heads - 1..kv_heads, 0..seq, 0..head_dim]).reshape([seq, head_dim]);
        assert_eq!(values(last), values(qkv.slice([0..seq, from..from + head_dim])));
    }
}

#[test]
fn adamw_with_clipping_and_decay() {
    let device = cpu().device;
    // shorter and longer than what one thread takes
    for count in [5, 20_011] {
        let training = TrainingConfig {
            learning_rate: 3e-3,
            beta_1: 0.85,
            beta_2: 0.98,
            epsilon: 1e-7,
            weight_decay: 0.1,
            max_grad_norm: 1.0,
            ..TrainingConfig::default()
        };
        let mut parameters = random(1, [count], &device);
        let mut optimiser = AdamW::new(&parameters);
        let mut p: Vec<f64> = values(parameters.clone()).into_iter().map(f64::from).collect();
        let (mut m, mut v) = (vec![0.0_f64; count], vec![0.0_f64; count]);
        for step in 1..=6 {
            // the norm is above 1 in some steps and below it in others
            let gradient: Vec<f32> = noise(10 + step, count)
                .into_iter()
                .map(|g| if step % 2 == 0 { g * 0.9 / (count as f32).sqrt() } else { g * 3.0 })
                .collect();
            let rate = 3e-3 / step as f64;
            let (next, norm) = optimiser.step(parameters, tensor(gradient.clone(), [count], &device), rate, &training);
            parameters = next;
            let length = gradient.iter().map(|g| f64::from(*g).powi(2)).sum::<f64>().sqrt();
            assert_eq!(length > 1.0, step % 2 == 1, "step {step} is clipped or not");
            close(&format!("gradient norm of {count}, step {step}"), &values(norm), &[length as f32], 1e-5 * length);
            let clip = (1.0 / (length + 1e-6)).min(1.0);
            let power = i32::try_from(step).unwrap();
            for i in 0..count {
                let g = f64::from(gradient[i]) * clip;
                m[i] = 0.85 * m[i] + 0.15 * g;
                v[i] = 0.98 * v[i] + 0.02 * g * g;
                p[i] -= rate * 0.1 * p[i];
                let (m, v) = (m[i] / (1.0 - 0.85_f64.powi(power)), v[i] / (1.0 - 0.98_f64.powi(power)));
                p[i] -= rate * m / (v.sqrt() + 1e-7);
            }
        }
        let rounded = |values: &[f64]| values.iter().map(|value| *value as f32).collect::<Vec<_>>();
        close(&format!("adamw of {count}"), &values(parameters), &rounded(&p), 2e-6);
        close(&format!("first moment of {count}"), &values(optimiser.first), &rounded(&m), 1e-6);
        close(&format!("second moment of {count}"), &values(optimiser.second), &rounded(&v), 1e-6);
        assert_eq!(optimiser.steps, 6);
    }
}
