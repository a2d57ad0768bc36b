//! Random weights: the start of pre-training, and models of any shape for measurements.

use super::ModelError;
use super::config::{ModelConfig, expected_tensors};
use super::loader::TensorSource;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A source of normally distributed weights: standard deviation 0.02, and `0.02 / sqrt(2 layers)` for the two matrices that
/// write into the residual stream (Radford et al., GPT-2); norm weights 1, biases 0.
pub struct RandomWeights {
    tensors: Vec<(String, Vec<usize>)>,
    layers: usize,
    rng: ChaCha8Rng,
}

impl RandomWeights {
    /// The same weights for the same seed.
    #[must_use]
    pub fn new(config: &ModelConfig, seed: u64) -> Self {
        Self {
            tensors: expected_tensors(config),
            layers: config.num_hidden_layers,
            rng: ChaCha8Rng::seed_from_u64(seed),
        }
    }
}

impl TensorSource for RandomWeights {
    fn names(&self) -> Vec<String> {
        self.tensors.iter().map(|(name, _)| name.clone()).collect()
    }

    fn shape(&self, name: &str) -> Option<Vec<usize>> {
        self.tensors.iter().find(|(known, _)| known == name).map(|(_, shape)| shape.clone())
    }

    #[allow(clippy::cast_precision_loss)] // layer counts are small
    fn read_f32(&mut self, name: &str) -> Result<Vec<f32>, ModelError> {
        let shape = self.shape(name).ok_or_else(|| ModelError::Tensor {
            where_: "random weights".into(),
            tensor: name.into(),
            what: "is not part of this architecture".into(),
        })?;
        let count = shape.iter().product();
        if name.ends_with("norm.weight") {
            return Ok(vec![1.0; count]);
        }
        if name.rsplit('.').next() == Some("bias") {
            return Ok(vec![0.0; count]);
        }
        let residual = name.ends_with("o_proj.weight") || name.ends_with("down_proj.weight");
        let deviation = if residual { 0.02 / (2.0 * self.layers as f32).sqrt() } else { 0.02 };
        // Box-Muller; the pair's second number is thrown away, this is no hot path.
        let mut normal = || {
            let (u, v): (f32, f32) = (self.rng.random_range(f32::EPSILON..1.0), self.rng.random_range(0.0..1.0));
            (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
        };
        Ok((0..count).map(|_| normal() * deviation).collect())
    }
}
