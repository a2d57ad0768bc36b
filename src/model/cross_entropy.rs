//! Next-token cross-entropy over answer tokens only, in chunks of rows and of the vocabulary.
//!
//! Logits are computed only where a target is, in blocks that stay below the binding limit, and each block is turned into its
//! gradient at once: neither the logits of a whole batch nor their log-probabilities ever exist. The gradient with respect to
//! the hidden states is known when the loss is, so what goes on the tape is just `sum(hidden * gradient)`, whose derivative it is.

use super::llama::{Llama, int_tensor};
use crate::data::batch::Batch;
use crate::kernels;
use burn::tensor::{Tensor, TensorData};

/// Most logits in one block, in floats: 32 MiB, below every binding limit and near the cache of a CPU.
const BLOCK_FLOATS: usize = 8 * 1024 * 1024;

/// Which positions are predicted, what they should be, and how much each counts.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// Flat positions in `[batch * seq]` whose next token is a target.
    pub positions: Vec<u32>,
    /// Token ids to predict.
    pub ids: Vec<u32>,
    /// Weight of each target in the loss.
    pub weights: Vec<f32>,
}

impl Targets {
    /// Every target of a batch with the same weight, so that the loss is the mean over target tokens times `factor`.
    #[must_use]
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // counts are far below 2^24
    pub fn mean(batch: &Batch, factor: f64) -> Self {
        let weight = (factor / batch.target_ids.len().max(1) as f64) as f32;
        Self {
            positions: batch.target_positions.clone(),
            ids: batch.target_ids.clone(),
            weights: vec![weight; batch.target_ids.len()],
        }
    }
}

/// A loss ready for the backward pass.
#[derive(Clone, Debug)]
pub struct CrossEntropy {
    /// Scalar on the tape whose gradient is that of the loss (its own value means nothing).
    pub surrogate: Tensor<1>,
    /// Negative log-likelihood of each target, `[targets]`, off the tape.
    pub nll: Tensor<1>,
    /// Weighted sum of `nll`, `[1]`, off the tape: the value of the loss.
    pub value: Tensor<1>,
}

impl Llama {
    fn head(&self) -> &[Tensor<2>] {
        self.lm_head.as_deref().unwrap_or(&self.embed_tokens)
    }

    /// Rows of `hidden [n, hidden_size]` at the given flat positions.
    #[must_use]
    pub fn rows(&self, hidden: Tensor<2>, positions: &[u32]) -> Tensor<2> {
        let indices = positions.iter().map(|&p| i32::try_from(p).unwrap_or(i32::MAX)).collect();
        hidden.select(0, int_tensor(indices, &self.device))
    }

    /// Logits of some hidden rows, `[rows, vocab_size]`; on the tape when `rows` is.
    #[must_use]
    pub fn logits(&self, rows: Tensor<2>) -> Tensor<2> {
        let parts: Vec<_> =
            self.head().iter().map(|chunk| rows.clone().matmul(chunk.clone().swap_dims(0, 1))).collect();
        if parts.len() == 1 { parts.into_iter().next().unwrap_or(rows) } else { Tensor::cat(parts, 1) }
    }

    /// Negative log-likelihood of each target, `[targets]`, without gradients.
    #[must_use]
    pub fn nll(&self, hidden: Tensor<2>, positions: &[u32], ids: &[u32]) -> Tensor<1> {
        let targets = Targets { positions: positions.to_vec(), ids: ids.to_vec(), weights: Vec::new() };
        self.run(hidden.without_autodiff(), &targets, false).nll
    }

    /// The weighted cross-entropy of `hidden [n, hidden_size]` (on the tape) at the targets.
    ///
    /// When the head itself is trained (pre-training) its gradient is on the tape as well.
    #[must_use]
    pub fn cross_entropy(&self, hidden: Tensor<2>, targets: &Targets) -> CrossEntropy {
        let rows = self.rows(hidden, &targets.positions);
        let block =
            self.run(rows.clone().without_autodiff(), &Targets { positions: Vec::new(), ..targets.clone() }, true);
        let mut surrogate = (rows * block.d_hidden).sum();
        for (chunk, gradient) in self.head().iter().zip(block.d_head) {
            surrogate = surrogate + (chunk.clone() * gradient).sum();
        }
        CrossEntropy { surrogate, nll: block.nll, value: block.value }
    }

    /// Goes through the targets block by block. An empty `positions` says that `hidden` holds just the target rows.
    fn run(&self, hidden: Tensor<2>, targets: &Targets, gradients: bool) -> Block {
        let count = targets.ids.len();
        let rows = if targets.positions.is_empty() { hidden } else { self.rows(hidden, &targets.positions) };
        let d = self.config.hidden_size;
        let trained_head = gradients && self.head().iter().any(Tensor::is_tracked);
        let head: Vec<Tensor<2>> = self.head().iter().map(|chunk| chunk.clone().without_autodiff()).collect();
        let widest = head.iter().map(|chunk| chunk.dims()[0]).max().unwrap_or(1);
        let per_block = (BLOCK_FLOATS / widest).clamp(1, count.max(1));
        let (mut nll, mut d_hidden) = (Vec::new(), Vec::new());
        let mut d_head: Vec<Tensor<2>> = Vec::new();
        let floats = |values: Vec<f32>| {
            let length = values.len();
            Tensor::<1>::from_data(TensorData::new(values, [length]), &self.device)
        };
        for start in (0..count).step_by(per_block) {
            let end = (start + per_block).min(count);
            let size = end - start;
            let h = if size == count { rows.clone() } else { rows.clone().slice([start..end, 0..d]) };
            #[allow(clippy::cast_precision_loss)] // token ids are far below 2^24
            let ids = floats(targets.ids[start..end].iter().map(|&id| id as f32).collect());
            let logits: Vec<_> = head.iter().map(|chunk| h.clone().matmul(chunk.clone().swap_dims(0, 1))).collect();
            let (lse, target) = combine(&logits, &ids, size);
            nll.push(lse.clone() - target);
            if !gradients {
                continue;
            }
            let weights = floats(targets.weights[start..end].to_vec());
            let (mut gradient, mut offset) = (None, 0.0);
            for (index, (logits, chunk)) in logits.into_iter().zip(&head).enumerate() {
                let d_logits = kernels::softmax_grad(logits, lse.clone(), ids.clone(), weights.clone(), offset);
                if trained_head {
                    let part = d_logits.clone().swap_dims(0, 1).matmul(h.clone());
                    match d_head.get_mut(index) {
                        Some(sum) => *sum = sum.clone() + part,
                        None => d_head.push(part),
                    }
                }
                let part = d_logits.matmul(chunk.clone());
                gradient = Some(match gradient {
                    Some(sum) => part + sum,
                    None => part,
                });
                #[allow(clippy::cast_precision_loss)] // row numbers are far below 2^24
                {
                    offset += chunk.dims()[0] as f32;
                }
            }
            d_hidden.extend(gradient);
        }
        let join = |parts: Vec<Tensor<1>>| {
            if parts.is_empty() { Tensor::zeros([0], &self.device) } else { Tensor::cat(parts, 0) }
        };
        let nll = join(nll);
        let value = if targets.weights.is_empty() {
            Tensor::zeros([1], &self.device)
        } else {
            (nll.clone() * floats(targets.weights.clone())).sum()
        };
        let d_hidden =
            if d_hidden.is_empty() { Tensor::zeros([count, d], &self.device) } else { Tensor::cat(d_hidden, 0) };
        Block { nll, value, d_hidden, d_head }
    }
}

/// What one walk over the targets gives.
struct Block {
    nll: Tensor<1>,
    value: Tensor<1>,
    d_hidden: Tensor<2>,
    d_head: Vec<Tensor<2>>,
}

/// Log of the normaliser and the target's logit over all chunks of the vocabulary; `[rows]` each.
#[allow(clippy::cast_precision_loss)] // row numbers are far below 2^24
pub(super) fn combine(logits: &[Tensor<2>], ids: &Tensor<1>, rows: usize) -> (Tensor<1>, Tensor<1>) {
    let column = |stats: &Tensor<2>, index: usize| stats.clone().slice([0..rows, index..index + 1]).reshape([rows]);
    let mut offset = 0.0;
    let mut whole: Option<(Tensor<1>, Tensor<1>, Tensor<1>)> = None;
    for chunk in logits {
        let stats = kernels::softmax_stats(chunk.clone(), ids.clone(), offset);
        let (top, sum, target) = (column(&stats, 0), column(&stats, 1), column(&stats, 2));
        offset += chunk.dims()[1] as f32;
        whole = Some(match whole {
            None => (top, sum, target),
            Some((old_top, old_sum, old_target)) => {
                let highest = top.clone().max_pair(old_top.clone());
                let sum = sum * (top - highest.clone()).exp() + old_sum * (old_top - highest.clone()).exp();
                (highest, sum, target.max_pair(old_target))
            }
        });
    }
    let (top, sum, target) = whole.unwrap_or_else(|| (ids.zeros_like(), ids.ones_like(), ids.zeros_like()));
    (top + sum.log(), target)
}
