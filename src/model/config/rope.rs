//! Rotary position embeddings: the frequencies, and the two ways of stretching them that are supported.

use crate::model::ModelError;
use serde_json::{Value, json};

/// How the rotation frequencies are stretched for contexts longer than the pretraining's (`rope_scaling` of config.json).
#[derive(Clone, Debug, PartialEq)]
pub enum RopeScaling {
    /// All frequencies divided by `factor` (position interpolation, arXiv 2306.15595).
    Linear { factor: f64 },
    /// Llama 3.1 and later: low frequencies divided by `factor`, high ones kept, those between blended.
    Llama3 { factor: f64, low_freq_factor: f64, high_freq_factor: f64, original_max_position_embeddings: usize },
}

impl RopeScaling {
    /// The value of `rope_scaling` in config.json.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Linear { factor } => json!({ "rope_type": "linear", "factor": factor }),
            Self::Llama3 { factor, low_freq_factor, high_freq_factor, original_max_position_embeddings } => json!({
                "rope_type": "llama3",
                "factor": factor,
                "low_freq_factor": low_freq_factor,
                "high_freq_factor": high_freq_factor,
                "original_max_position_embeddings": original_max_position_embeddings,
            }),
        }
    }

    /// Refuses factors that would divide by zero or turn the frequencies around.
    pub(super) fn validate(&self, where_: &str) -> Result<(), ModelError> {
        let refuse = |what: String| Err(ModelError::Config { where_: where_.to_owned(), what });
        let positive = |number: f64| number.is_finite() && number > 0.0;
        let (Self::Linear { factor } | Self::Llama3 { factor, .. }) = self;
        if !positive(*factor) {
            return refuse(format!(
                "`factor` of the rope scaling is {factor}, and must be a number above 0; correct it."
            ));
        }
        if let Self::Llama3 { low_freq_factor, high_freq_factor, original_max_position_embeddings, .. } = self {
            if !positive(*low_freq_factor) || !positive(*high_freq_factor) || low_freq_factor >= high_freq_factor {
                return refuse(format!(
                    "the llama3 rope scaling has `low_freq_factor` {low_freq_factor} and `high_freq_factor` {high_freq_factor}, and the \
                     first must be above 0 and below the second; correct them."
                ));
            }
            if *original_max_position_embeddings == 0 {
                return refuse("`original_max_position_embeddings` of the rope scaling is 0; correct it.".to_owned());
            }
        }
        Ok(())
    }
}

/// See [`super::ModelConfig::inverse_frequencies`].
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // small integers; rounding to f32 is the purpose
pub(super) fn inverse_frequencies(head_dim: usize, theta: f64, scaling: Option<&RopeScaling>) -> Vec<f32> {
    (0..head_dim / 2)
        .map(|pair| {
            let frequency = theta.powf(-((2 * pair) as f64) / head_dim as f64);
            match scaling {
                None => frequency,
                Some(RopeScaling::Linear { factor }) => frequency / factor,
                Some(RopeScaling::Llama3 {
                    factor,
                    low_freq_factor,
                    high_freq_factor,
                    original_max_position_embeddings,
                }) => {
                    let turns_in_context = *original_max_position_embeddings as f64 * frequency / std::f64::consts::TAU;
                    // 0 at and below `low_freq_factor` turns (stretched), 1 from `high_freq_factor` turns on (kept)
                    let kept =
                        ((turns_in_context - low_freq_factor) / (high_freq_factor - low_freq_factor)).clamp(0.0, 1.0);
                    (1.0 - kept) * frequency / factor + kept * frequency
                }
            }
        })
        .map(|frequency| frequency as f32)
        .collect()
}
