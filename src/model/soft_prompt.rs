//! Soft prompts: learned vectors that stand in front of the embedded tokens of every row.
//!
//! Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning" (arXiv 2104.08691): the same vectors for all rows.
//! Wang et al., "Learning to Prompt for Continual Learning" (arXiv 2112.08654): each row takes the prompts of a pool whose keys
//! lie nearest to its own embedding. Here a prompt's key is the mean of its vectors and a row's query the mean of its tokens'
//! embeddings (spec section 5). The choice is made on the device: nothing is read back.

use burn::tensor::{Tensor, TensorData};

/// Learned vectors in front of the tokens.
#[derive(Clone, Debug)]
pub enum SoftPrompt {
    /// The same for all rows, `[length, hidden_size]`.
    Fixed(Tensor<2>),
    /// For each row the `top_k` most similar prompts of a pool `[pool, length, hidden_size]`, the most similar first.
    Pool { prompts: Tensor<3>, top_k: usize },
}

/// What the rows of a batch took from a pool.
#[derive(Clone, Debug)]
pub struct Choice {
    /// Mean cosine similarity between the rows' queries and the keys of their prompts, `[1]`; on the tape when the pool is.
    pub similarity: Tensor<1>,
    /// How many rows took each prompt, `[pool]`.
    pub counts: Tensor<1>,
}

/// Added to norms, so that a prompt of zeros has similarity 0 instead of NaN.
const TINY: f64 = 1e-8;

impl SoftPrompt {
    /// Number of vectors in front of a row.
    #[must_use]
    pub fn length(&self) -> usize {
        match self {
            Self::Fixed(vectors) => vectors.dims()[0],
            Self::Pool { prompts, top_k } => (*top_k).min(prompts.dims()[0]) * prompts.dims()[1],
        }
    }

    /// Number of learned values.
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.shape().iter().product()
    }

    /// Shape of the learned values: `[length, hidden_size]` or `[pool, length, hidden_size]`.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Fixed(vectors) => vectors.dims().to_vec(),
            Self::Pool { prompts, .. } => prompts.dims().to_vec(),
        }
    }

    /// The learned vectors one after the other, `[vectors, hidden_size]`.
    #[must_use]
    pub fn vectors(&self) -> Tensor<2> {
        match self {
            Self::Fixed(vectors) => vectors.clone(),
            Self::Pool { prompts, .. } => {
                let [pool, length, d] = prompts.dims();
                prompts.clone().reshape([pool * length, d])
            }
        }
    }

    /// Puts the vectors before the rows of `x [batch * seq, hidden_size]`. A pool is asked with the first `lengths[row]` places of
    /// each row: its prompt, without the answer.
    /// Result `[batch * (length + seq), hidden_size]`.
    #[must_use]
    pub fn prepend(&self, x: Tensor<2>, lengths: &[usize], seq: usize) -> (Tensor<2>, Option<Choice>) {
        let (batch, d, length) = (lengths.len(), x.dims()[1], self.length());
        let (vectors, choice) = match self {
            Self::Fixed(vectors) => (vectors.clone().reshape([1, length, d]).repeat_dim(0, batch), None),
            Self::Pool { prompts, top_k } => {
                let query = mean_of_tokens(x.clone(), lengths, seq);
                let (vectors, choice) = choose(prompts, (*top_k).min(prompts.dims()[0]), query);
                (vectors, Some(choice))
            }
        };
        let rows = x.reshape([batch, seq, d]);
        // Frozen embeddings join the tape of the learned vectors, where there is one.
        let rows = if vectors.is_tracked() { rows.autodiff() } else { rows };
        (Tensor::cat(vec![vectors, rows], 1).reshape([batch * (length + seq), d]), choice)
    }
}

/// Mean embedding of each row's tokens, `[batch, hidden_size]`.
#[allow(clippy::cast_precision_loss)] // lengths are far below 2^24
fn mean_of_tokens(x: Tensor<2>, lengths: &[usize], seq: usize) -> Tensor<2> {
    let (batch, d) = (lengths.len(), x.dims()[1]);
    let shares: Vec<f32> = lengths
        .iter()
        .flat_map(|&length| (0..seq).map(move |t| if t < length { 1.0 / length as f32 } else { 0.0 }))
        .collect();
    let shares = Tensor::<1>::from_data(TensorData::new(shares, [batch * seq]), &x.device()).reshape([batch, 1, seq]);
    shares.matmul(x.reshape([batch, seq, d])).reshape([batch, d])
}

/// Rows of length 1.
fn normalised(rows: Tensor<2>) -> Tensor<2> {
    let norms = (rows.clone() * rows.clone()).sum_dim(1).add_scalar(TINY * TINY).sqrt();
    rows / norms
}

/// The prompts that each query takes, `[batch, top_k * length, hidden_size]`.
#[allow(clippy::cast_precision_loss)] // small counts
fn choose(prompts: &Tensor<3>, top_k: usize, query: Tensor<2>) -> (Tensor<3>, Choice) {
    let [pool, length, d] = prompts.dims();
    let batch = query.dims()[0];
    let keys = prompts.clone().sum_dim(1).div_scalar(length as f64).reshape([pool, d]);
    let similarity = normalised(query).matmul(normalised(keys).swap_dims(0, 1));
    // A prompt's rank is the number of prompts before it: the more similar ones, and equal ones that stand earlier.
    let value = similarity.clone().without_autodiff();
    let device = value.device();
    let (own, other) = (value.clone().reshape([batch, pool, 1]), value.reshape([batch, 1, pool]));
    let earlier: Vec<f32> = (0..pool).flat_map(|j| (0..pool).map(move |k| f32::from(u8::from(k < j)))).collect();
    let earlier = Tensor::<1>::from_data(TensorData::new(earlier, [pool * pool]), &device).reshape([1, pool, pool]);
    let before = other.clone().greater(own.clone()).float() + other.equal(own).float() * earlier;
    let rank = before.sum_dim(2).reshape([batch, 1, pool]);
    let places: Vec<f32> = (0..top_k).map(|place| place as f32).collect();
    let places = Tensor::<1>::from_data(TensorData::new(places, [top_k]), &device).reshape([1, top_k, 1]);
    // [batch, top_k, pool], one 1 in each row of the last dimension
    let taken = rank.repeat_dim(1, top_k).equal(places.repeat_dim(0, batch).repeat_dim(2, pool)).float();
    let counts = taken.clone().reshape([batch * top_k, pool]).sum_dim(0).reshape([pool]);
    let by_row = taken.clone().sum_dim(1).reshape([batch, pool]);
    let mean = (similarity * by_row).sum().div_scalar((batch * top_k) as f64);
    let vectors = taken.reshape([batch * top_k, pool]).matmul(prompts.clone().reshape([pool, length * d]));
    (vectors.reshape([batch, top_k * length, d]), Choice { similarity: mean, counts })
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn tensor(values: &[f32]) -> Tensor<1> {
        Tensor::from_data(TensorData::new(values.to_vec(), [values.len()]), &Device::flex())
    }

    fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
        tensor.into_data().try_into_vec::<f32>().unwrap()
    }

    #[test]
    fn fixed_vectors_stand_before_every_row() {
        let prompt = SoftPrompt::Fixed(tensor(&[9.0, 8.0, 7.0, 6.0]).reshape([2, 2]));
        let (x, choice) = prompt.prepend(tensor(&[1.0, 2.0, 3.0, 4.0]).reshape([2, 2]), &[1, 1], 1);
        assert_eq!(host(x), [9.0, 8.0, 7.0, 6.0, 1.0, 2.0, 9.0, 8.0, 7.0, 6.0, 3.0, 4.0]);
        assert!(choice.is_none());
        assert_eq!((prompt.length(), prompt.parameters()), (2, 4));
    }

    #[test]
    fn each_row_takes_the_most_similar_prompts_and_pads_do_not_ask() {
        // Three prompts of one vector along the axes; the first row's two tokens lean to y then x, its pad to z.
        let pool = tensor(&[2.0, 0.0, 0.0, 0.0, 0.5, 0.0, 0.0, 0.0, 1.0]).reshape([3, 1, 3]);
        let prompt = SoftPrompt::Pool { prompts: pool, top_k: 2 };
        let rows = tensor(&[
            0.0, 3.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 100.0, // row 1: two tokens and a pad
            0.0, 0.0, 1.0, 0.2, 0.0, 1.0, 0.0, 0.0, 0.0, // row 2
        ])
        .reshape([6, 3]);
        let (x, choice) = prompt.prepend(rows, &[2, 2], 3);
        let x = host(x);
        assert_eq!(x[..6], [0.0, 0.5, 0.0, 2.0, 0.0, 0.0]);
        assert_eq!(x[15..21], [0.0, 0.0, 1.0, 2.0, 0.0, 0.0]);
        let choice = choice.unwrap();
        assert_eq!(host(choice.counts), [2.0, 1.0, 1.0]);
        let (a, b) = ((0.25_f32 + 4.0).sqrt(), (0.01_f32 + 1.0).sqrt());
        let expected = (2.0 / a + 0.5 / a + 1.0 / b + 0.1 / b) / 4.0;
        assert!((host(choice.similarity)[0] - expected).abs() < 1e-6);
    }

    #[test]
    fn equal_similarities_are_taken_in_the_pools_order() {
        let pool = tensor(&[1.0, 0.0, 1.0, 0.0, 1.0, 0.0]).reshape([3, 1, 2]);
        let (x, choice) =
            SoftPrompt::Pool { prompts: pool, top_k: 5 }.prepend(tensor(&[1.0, 0.0]).reshape([1, 2]), &[1], 1);
        assert_eq!(x.dims(), [4, 2], "no more prompts than the pool has");
        assert_eq!(host(choice.unwrap().counts), [1.0; 3]);
    }
}
