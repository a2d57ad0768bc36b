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

impl PlainAdapter {
    /// One adapter whose update is the sum of the given ones (of one model, one scale, and the same modules): their factors
    /// stand beside one another along the rank. `None` without an adapter.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // a few adapters
    pub fn concat(adapters: &[Self]) -> Option<Self> {
        let (first, rest) = adapters.split_first()?;
        if rest.is_empty() {
            return Some(first.clone());
        }
        let count = adapters.len();
        let config = LoraConfig {
            rank: first.config.rank * count,
            lora_alpha: first.config.lora_alpha * count as f64,
            ..first.config.clone()
        };
        let rank = first.config.rank.max(1);
        let factors = first.factors.iter().map(|(place, own)| {
            let parts: Vec<&Factors> = adapters.iter().filter_map(|adapter| adapter.factors.get(place)).collect();
            let lora_a = parts.iter().flat_map(|part| part.lora_a.iter().copied()).collect();
            let lora_b = (0..own.out_features)
                .flat_map(|row| {
                    parts.iter().flat_map(move |part| part.lora_b[row * rank..(row + 1) * rank].iter().copied())
                })
                .collect();
            (*place, Factors { lora_a, lora_b, in_features: own.in_features, out_features: own.out_features })
        });
        Some(Self { config, factors: factors.collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `B A` of one module, `[out, in]`.
    fn update(factors: &Factors, rank: usize) -> Vec<f32> {
        let (out, input) = (factors.out_features, factors.in_features);
        (0..out * input)
            .map(|at| {
                (0..rank).map(|r| factors.lora_b[at / input * rank + r] * factors.lora_a[r * input + at % input]).sum()
            })
            .collect()
    }

    #[test]
    fn adapters_beside_one_another_add_their_updates() {
        let make = |seed: f32| PlainAdapter {
            config: LoraConfig { rank: 2, lora_alpha: 6.0, ..LoraConfig::default() },
            factors: BTreeMap::from([(
                (0, Projection::QProj),
                Factors {
                    lora_a: (0..6).map(|i| seed + i as f32).collect(),
                    lora_b: (0..8).map(|i| seed - 0.5 * i as f32).collect(),
                    in_features: 3,
                    out_features: 4,
                },
            )]),
        };
        let parts = [make(0.5), make(-1.0), make(2.0)];
        let joined = PlainAdapter::concat(&parts).unwrap();
        assert_eq!((joined.config.rank, joined.config.scale().to_bits()), (6, parts[0].config.scale().to_bits()));
        let place = (0, Projection::QProj);
        let sum: Vec<f32> =
            (0..12).map(|at| parts.iter().map(|part| update(&part.factors[&place], 2)[at]).sum()).collect();
        assert_eq!(update(&joined.factors[&place], 6), sum);
        assert_eq!(PlainAdapter::concat(&parts[..1]).unwrap(), parts[0]);
        assert!(PlainAdapter::concat(&[]).is_none());
    }
}
