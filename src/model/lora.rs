//! What a LoRA adapter is, in plain numbers: its configuration and its two factors per projection.
//!
//! Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models" (arXiv 2106.09685): a frozen weight `W [out, in]` gets
//! `y = W x + (lora_alpha / r) B A x` with `A [r, in]` and `B [out, r]`. Names are PEFT's.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The seven linear layers of a Llama block, by their Hugging Face names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Projection {
    QProj,
    KProj,
    VProj,
    OProj,
    GateProj,
    UpProj,
    DownProj,
}

impl Projection {
    /// All seven, in the order in which a block uses them.
    pub const ALL: [Self; 7] =
        [Self::QProj, Self::KProj, Self::VProj, Self::OProj, Self::GateProj, Self::UpProj, Self::DownProj];

    /// Hugging Face module name, such as `q_proj`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::QProj => "q_proj",
            Self::KProj => "k_proj",
            Self::VProj => "v_proj",
            Self::OProj => "o_proj",
            Self::GateProj => "gate_proj",
            Self::UpProj => "up_proj",
            Self::DownProj => "down_proj",
        }
    }

    /// The block's part that holds it: `self_attn` or `mlp`.
    #[must_use]
    pub fn parent(self) -> &'static str {
        match self {
            Self::QProj | Self::KProj | Self::VProj | Self::OProj => "self_attn",
            Self::GateProj | Self::UpProj | Self::DownProj => "mlp",
        }
    }

    /// The projection with this Hugging Face name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|projection| projection.name() == name)
    }
}

/// Settings of an adapter, with the names (and file keys) of PEFT's `LoraConfig`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LoraConfig {
    /// Rank `r` of the update.
    #[serde(rename = "r")]
    pub rank: usize,
    /// Scaling numerator; the update is multiplied by `lora_alpha / r`.
    pub lora_alpha: f64,
    /// Dropout probability on the LoRA input, in training only.
    pub lora_dropout: f64,
    /// The projections that get an adapter.
    pub target_modules: Vec<Projection>,
}

impl Default for LoraConfig {
    /// Rank 8, alpha 16, no dropout, on `q_proj` and `v_proj`: the setting attributed to the paper (spec section 3).
    fn default() -> Self {
        Self {
            rank: 8,
            lora_alpha: 16.0,
            lora_dropout: 0.0,
            target_modules: vec![Projection::QProj, Projection::VProj],
        }
    }
}

impl LoraConfig {
    /// The factor `lora_alpha / r` in front of `B A x`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // ranks are tiny
    pub fn scale(&self) -> f64 {
        self.lora_alpha / self.rank as f64
    }
}

/// The two factors of one projection, row-major as PEFT stores them.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// `lora_A.weight`, `[r, in]`.
    pub lora_a: Vec<f32>,
    /// `lora_B.weight`, `[out, r]`.
    pub lora_b: Vec<f32>,
    pub in_features: usize,
    pub out_features: usize,
}

/// A whole adapter on the host, as it is read from and written to files.
#[derive(Clone, Debug, PartialEq)]
pub struct PlainAdapter {
    pub config: LoraConfig,
    /// Factors by (layer, projection).
    pub factors: BTreeMap<(usize, Projection), Factors>,
}
