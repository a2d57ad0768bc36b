//! An adapter as a value: every LoRA factor of every layer packed into one flat vector.
//!
//! AdamW, the slow learner's average, interpolation, norms and distances are then single operations on one tensor. In the flat
//! vector projections that share an input (q, k, v; gate, up) form a *group*: their `lora_A` stand below one another as
//! `[R, in]` and their `lora_B` form a block-diagonal `[out, R]`, so that a group costs two thin products however many of its
//! projections are adapted. Entries outside the blocks are structural zeros: no value is stored in them, no gradient reaches
//! them, and they are counted in no figure.

use super::lora::{Factors, LoraConfig, PlainAdapter, Projection};
use super::{ModelConfig, ModelError};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use rand::{Rng, RngExt};
use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

/// Linear layers of a block that read the same input.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Group {
    QueryKeyValue,
    Output,
    GateUp,
    Down,
}

impl Group {
    /// The four groups of a block, in the order in which it uses them.
    pub const ALL: [Self; 4] = [Self::QueryKeyValue, Self::Output, Self::GateUp, Self::Down];

    /// The projections of the group, in the order of their columns.
    #[must_use]
    pub fn members(self) -> &'static [Projection] {
        match self {
            Self::QueryKeyValue => &[Projection::QProj, Projection::KProj, Projection::VProj],
            Self::Output => &[Projection::OProj],
            Self::GateUp => &[Projection::GateProj, Projection::UpProj],
            Self::Down => &[Projection::DownProj],
        }
    }
}

/// Offsets are multiples of this many floats: 256 bytes, the alignment WebGPU asks of a view into a buffer.
const ALIGNMENT: usize = 64;

/// One adapted projection inside a group.
#[derive(Clone, Debug)]
struct Member {
    projection: Projection,
    /// First row in the group's `lora_A`, and first column in its `lora_B`.
    rank_offset: usize,
    /// First row in the group's `lora_B`.
    out_offset: usize,
    out_features: usize,
}

/// Where one group of one layer lies in the flat vector.
#[derive(Clone, Debug)]
struct Slot {
    layer: usize,
    group: Group,
    a: Range<usize>,
    b: Range<usize>,
    rank: usize,
    in_features: usize,
    out_features: usize,
    members: Vec<Member>,
}

/// How the factors of a model's adapters lie in the flat vector; the same for all adapters with the same settings.
#[derive(Clone, Debug)]
pub struct AdapterLayout {
    config: LoraConfig,
    slots: Vec<Slot>,
    layers: usize,
    length: usize,
    parameters: usize,
}

impl AdapterLayout {
    /// Lays out adapters of `config` for a model.
    ///
    /// # Errors
    /// Rank 0, no target module, or settings that are not finite.
    pub fn new(model: &ModelConfig, config: &LoraConfig) -> Result<Self, ModelError> {
        let refuse = |what: &str| Err(ModelError::Adapter { where_: "settings".into(), what: what.into() });
        if config.rank == 0 {
            return refuse("`r` is 0: choose a rank of at least 1");
        }
        if config.target_modules.is_empty() {
            return refuse(
                "`target_modules` is empty: name at least one of q_proj, k_proj, v_proj, o_proj, gate_proj, up_proj, down_proj",
            );
        }
        if !config.lora_alpha.is_finite() || !(0.0..1.0).contains(&config.lora_dropout) {
            return refuse("`lora_alpha` must be a number and `lora_dropout` lie in [0, 1)");
        }
        let (mut slots, mut length, mut parameters) = (Vec::new(), 0, 0);
        for layer in 0..model.num_hidden_layers {
            for group in Group::ALL {
                let (mut members, mut rank, mut out_features, mut in_features) = (Vec::new(), 0, 0, 0);
                for &projection in group.members() {
                    let [out, input] = model.projection_shape(projection);
                    in_features = input;
                    if config.target_modules.contains(&projection) {
                        members.push(Member {
                            projection,
                            rank_offset: rank,
                            out_offset: out_features,
                            out_features: out,
                        });
                        rank += config.rank;
                        parameters += config.rank * (input + out);
                    }
                    out_features += out;
                }
                if members.is_empty() {
                    continue;
                }
                let a = length..length + rank * in_features;
                let b_start = a.end.next_multiple_of(ALIGNMENT);
                let b = b_start..b_start + rank * out_features;
                length = b.end.next_multiple_of(ALIGNMENT);
                slots.push(Slot { layer, group, a, b, rank, in_features, out_features, members });
            }
        }
        Ok(Self { config: config.clone(), slots, layers: model.num_hidden_layers, length, parameters })
    }

    /// As [`Self::new`], for an adapter that is to be trained: a rank above the model's width is refused as well. (Adapters that
    /// were added up, as O-LoRA's, may have one.)
    ///
    /// # Errors
    /// As [`Self::new`], and a rank above the model's width.
    pub fn to_train(model: &ModelConfig, config: &LoraConfig) -> Result<Self, ModelError> {
        let refuse = |what: &str| Err(ModelError::Adapter { where_: "settings".into(), what: what.into() });
        if config.rank > model.hidden_size {
            return refuse(&format!(
                "`r` is {}, more than the model's width of {}, where an update has full rank already: choose a smaller rank",
                config.rank, model.hidden_size
            ));
        }
        Self::new(model, config)
    }

    /// The settings the layout was made for.
    #[must_use]
    pub fn config(&self) -> &LoraConfig {
        &self.config
    }

    /// Length of the flat vector, structural zeros and padding included.
    #[must_use]
    pub fn length(&self) -> usize {
        self.length
    }

    /// Number of trainable parameters (what PEFT reports).
    #[must_use]
    pub fn parameters(&self) -> usize {
        self.parameters
    }

    /// 1 for every stored parameter of `lora_A`, `b_value` for every one of `lora_B`, 0 elsewhere.
    fn pattern(&self, b_value: f32) -> Vec<f32> {
        let mut pattern = vec![0.0; self.length];
        for slot in &self.slots {
            pattern[slot.a.clone()].fill(1.0);
            for member in &slot.members {
                for row in 0..member.out_features {
                    let start = slot.b.start + (member.out_offset + row) * slot.rank + member.rank_offset;
                    pattern[start..start + self.config.rank].fill(b_value);
                }
            }
        }
        pattern
    }

    /// 1 where the flat vector holds a parameter, 0 at structural zeros and padding; `[length]`.
    #[must_use]
    pub fn mask(&self) -> Vec<f32> {
        self.pattern(1.0)
    }
}

/// A LoRA adapter on a device: the layout and one flat vector `[layout.length()]`, outside any gradient tape.
#[derive(Clone, Debug)]
pub struct Adapter {
    layout: Arc<AdapterLayout>,
    flat: Tensor<1>,
    /// The layout's pattern with `lora_alpha / r` on `lora_B`: applied once for the whole vector.
    scale: Tensor<1>,
}

impl Adapter {
    /// A fresh adapter: `A ~ U(-1/sqrt(in), 1/sqrt(in))` (Kaiming uniform with a = sqrt 5, as PEFT), `B = 0`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)] // widths are far below 2^24
    pub fn init(layout: &Arc<AdapterLayout>, rng: &mut impl Rng, device: &Device) -> Self {
        let mut values = vec![0.0; layout.length];
        for slot in &layout.slots {
            let bound = 1.0 / (slot.in_features as f32).sqrt();
            for value in &mut values[slot.a.clone()] {
                *value = rng.random_range(-bound..bound);
            }
        }
        Self::from_values(layout, values, device)
    }

    /// An adapter from the values of its flat vector (a checkpoint).
    ///
    /// Values that are too few are completed with zeros.
    #[must_use]
    pub fn from_values(layout: &Arc<AdapterLayout>, mut values: Vec<f32>, device: &Device) -> Self {
        values.resize(layout.length, 0.0);
        #[allow(clippy::cast_possible_truncation)] // a scale near 1
        let pattern = layout.pattern(layout.config.scale() as f32);
        let vector = |values: Vec<f32>| Tensor::from_data(TensorData::new(values, [layout.length]), device);
        Self { layout: layout.clone(), flat: vector(values), scale: vector(pattern) }
    }

    /// An adapter read from a PEFT folder.
    ///
    /// # Errors
    /// A factor that is absent or whose size does not fit the model.
    pub fn from_plain(plain: &PlainAdapter, model: &ModelConfig, device: &Device) -> Result<Self, ModelError> {
        let layout = Arc::new(AdapterLayout::new(model, &plain.config)?);
        let mut values = vec![0.0; layout.length];
        for slot in &layout.slots {
            for member in &slot.members {
                let what = |what: String| ModelError::Adapter {
                    where_: format!("layer {}, {}", slot.layer, member.projection.name()),
                    what,
                };
                let factors = plain
                    .factors
                    .get(&(slot.layer, member.projection))
                    .ok_or_else(|| what("is absent: the adapter was made for another model".into()))?;
                let rank = plain.config.rank;
                let expected = (rank * slot.in_features, member.out_features * rank);
                if (factors.lora_a.len(), factors.lora_b.len()) != expected {
                    return Err(what(format!(
                        "has {} and {} numbers where this model needs {} and {}: the adapter was made for another model",
                        factors.lora_a.len(),
                        factors.lora_b.len(),
                        expected.0,
                        expected.1
                    )));
                }
                let start = slot.a.start + member.rank_offset * slot.in_features;
                values[start..start + expected.0].copy_from_slice(&factors.lora_a);
                for (row, line) in factors.lora_b.chunks_exact(rank).enumerate() {
                    let start = slot.b.start + (member.out_offset + row) * slot.rank + member.rank_offset;
                    values[start..start + rank].copy_from_slice(line);
                }
            }
        }
        Ok(Self::from_values(&layout, values, device))
    }

    /// The factors on the host, as PEFT stores them, from the values of the flat vector.
    #[must_use]
    pub fn plain(layout: &AdapterLayout, values: &[f32]) -> PlainAdapter {
        let rank = layout.config.rank;
        let mut factors = BTreeMap::new();
        for slot in &layout.slots {
            for member in &slot.members {
                let start = slot.a.start + member.rank_offset * slot.in_features;
                let lora_a = values[start..start + rank * slot.in_features].to_vec();
                let lora_b = (0..member.out_features)
                    .flat_map(|row| {
                        let start = slot.b.start + (member.out_offset + row) * slot.rank + member.rank_offset;
                        values[start..start + rank].iter().copied()
                    })
                    .collect();
                let (in_features, out_features) = (slot.in_features, member.out_features);
                factors.insert((slot.layer, member.projection), Factors { lora_a, lora_b, in_features, out_features });
            }
        }
        PlainAdapter { config: layout.config.clone(), factors }
    }

    /// The layout of the flat vector.
    #[must_use]
    pub fn layout(&self) -> &Arc<AdapterLayout> {
        &self.layout
    }

    /// The flat vector `[layout().length()]`.
    #[must_use]
    pub fn flat(&self) -> Tensor<1> {
        self.flat.clone()
    }

    /// The same adapter with other values.
    #[must_use]
    pub fn with_flat(&self, flat: Tensor<1>) -> Self {
        Self { flat, ..self.clone() }
    }

    /// `(1 - t) * self + t * other` on every factor: a point of the straight path between two adapters.
    #[must_use]
    pub fn lerp(&self, other: &Self, t: f64) -> Self {
        self.with_flat(self.flat.clone().mul_scalar(1.0 - t) + other.flat.clone().mul_scalar(t))
    }

    /// `sum_i coefficients_i * adapters_i` on every factor: a point of a path or a plane through several adapters of one layout.
    /// What has coefficient 0 is left out, so that a point at an end is that end to the bit. Without any it is zero.
    #[must_use]
    pub fn combine(&self, adapters: &[Self], coefficients: &[f64]) -> Self {
        let parts = adapters.iter().zip(coefficients).filter(|(_, coefficient)| **coefficient != 0.0);
        let mut sum: Option<Tensor<1>> = None;
        for (adapter, &coefficient) in parts {
            #[allow(clippy::float_cmp)] // exactly one of them, untouched
            let part = if coefficient == 1.0 { adapter.flat() } else { adapter.flat().mul_scalar(coefficient) };
            sum = Some(match sum {
                Some(sum) => sum + part,
                None => part,
            });
        }
        self.with_flat(sum.unwrap_or_else(|| self.flat.zeros_like()))
    }

    /// The factors as the model takes them. With `track` they are leaves of a gradient tape.
    #[must_use]
    pub fn vars(&self, track: bool) -> AdapterVars {
        AdapterVars::cut(&[self], track)
    }

    /// Several adapters of one layout for one pass: the rows of the batch fall into equal blocks, one for each.
    ///
    /// # Panics
    /// When `adapters` is empty or their layouts differ: a programming error.
    #[must_use]
    pub fn stack(adapters: &[&Self]) -> AdapterVars {
        AdapterVars::cut(adapters, false)
    }
}

/// The two factors of one group: `a [k, R, in]`, and `b [k, out, R]` already multiplied by `lora_alpha / r`.
#[derive(Clone, Debug)]
pub struct GroupVars {
    pub a: Tensor<3>,
    pub b: Tensor<3>,
}

/// The two factors of one adapted projection: `lora_A [r, in]` and `lora_B [out, r]`.
#[derive(Clone, Debug)]
pub struct ModuleFactors {
    pub a: Tensor<2>,
    pub b: Tensor<2>,
}

/// The factors of one or several adapters, ready for the model.
#[derive(Clone, Debug)]
pub struct AdapterVars {
    layout: Arc<AdapterLayout>,
    scale: Tensor<1>,
    /// What the model multiplies with: the leaves, and frozen updates beside them.
    groups: Vec<GroupVars>,
    /// The factors that gradients are taken for.
    leaves: Vec<GroupVars>,
    /// Index into `groups` by `layer * 4 + group`.
    index: Vec<Option<usize>>,
    adapters: usize,
}

impl AdapterVars {
    fn cut(adapters: &[&Adapter], track: bool) -> Self {
        let first = adapters[0];
        let (layout, count) = (&first.layout, adapters.len());
        let scaled: Vec<Tensor<1>> =
            adapters.iter().map(|adapter| adapter.flat.clone() * adapter.scale.clone()).collect();
        let mut index = vec![None; layout.layers * Group::ALL.len()];
        let mut groups = Vec::with_capacity(layout.slots.len());
        for (position, slot) in layout.slots.iter().enumerate() {
            let piece = |range: &Range<usize>, rows: usize| {
                let parts = scaled.iter().map(|flat| flat.clone().slice([range.clone()])).collect::<Vec<_>>();
                let joined = if count == 1 { parts.into_iter().next() } else { Some(Tensor::cat(parts, 0)) };
                let piece = joined.unwrap_or_else(|| scaled[0].clone()).reshape([count, rows, range.len() / rows]);
                if track { piece.autodiff().require_grad() } else { piece }
            };
            groups.push(GroupVars { a: piece(&slot.a, slot.rank), b: piece(&slot.b, slot.out_features) });
            index[slot.layer * Group::ALL.len() + slot.group as usize] = Some(position);
        }
        let leaves = groups.clone();
        Self { layout: layout.clone(), scale: first.scale.clone(), groups, leaves, index, adapters: count }
    }

    /// The same factors with the update of another adapter added to theirs: `W + B_frozen A_frozen + B A`. Gradients are taken
    /// for the own factors alone. Both must be adapters of one model and one number of blocks.
    #[must_use]
    pub fn beside(mut self, frozen: &Self) -> Self {
        for (own, other) in self.groups.iter_mut().zip(&frozen.groups) {
            let lift = |tensor: &Tensor<3>, like: &Tensor<3>| {
                if like.is_tracked() { tensor.clone().autodiff() } else { tensor.clone() }
            };
            own.a = Tensor::cat(vec![lift(&other.a, &own.a), own.a.clone()], 1);
            own.b = Tensor::cat(vec![lift(&other.b, &own.b), own.b.clone()], 2);
        }
        self
    }

    /// The same factors with each block's update multiplied by its weight.
    #[must_use]
    pub fn weighted(mut self, weights: &[f64]) -> Self {
        #[allow(clippy::cast_possible_truncation)] // weights near 1
        let weights: Vec<f32> = weights.iter().map(|weight| *weight as f32).collect();
        let count = weights.len();
        let weights = Tensor::<1>::from_data(TensorData::new(weights, [count]), &self.scale.device());
        for group in self.groups.iter_mut().chain(&mut self.leaves) {
            group.b = group.b.clone() * weights.clone().reshape([count, 1, 1]);
        }
        self
    }

    /// The own factors module by module, in the order of the layout, as they are trained (without `lora_alpha / r`); on the
    /// tape when they are.
    #[must_use]
    pub fn modules(&self) -> Vec<ModuleFactors> {
        let (rank, scale) = (self.layout.config.rank, self.layout.config.scale());
        let mut modules = Vec::new();
        for (slot, leaf) in self.layout.slots.iter().zip(&self.leaves) {
            for member in &slot.members {
                let ranks = member.rank_offset..member.rank_offset + rank;
                let outs = member.out_offset..member.out_offset + member.out_features;
                let a = leaf.a.clone().slice([0..1, ranks.clone(), 0..slot.in_features]);
                let b = leaf.b.clone().slice([0..1, outs, ranks]);
                modules.push(ModuleFactors {
                    a: a.reshape([rank, slot.in_features]),
                    b: b.reshape([member.out_features, rank]).div_scalar(scale),
                });
            }
        }
        modules
    }

    /// Number of adapters that share the batch.
    #[must_use]
    pub fn adapters(&self) -> usize {
        self.adapters
    }

    /// Dropout probability on the LoRA input, for training.
    #[must_use]
    pub fn dropout(&self) -> f64 {
        self.layout.config.lora_dropout
    }

    /// The factors of a group of a layer, if it is adapted.
    #[must_use]
    pub fn group(&self, layer: usize, group: Group) -> Option<&GroupVars> {
        let position = (*self.index.get(layer * Group::ALL.len() + group as usize)?)?;
        self.groups.get(position)
    }

    /// The gradient with respect to the flat vector, `[layout.length()]`, gathered from the tape of one backward pass.
    #[must_use]
    pub fn gradient(&self, gradients: &Gradients) -> Tensor<1> {
        let device = self.scale.device();
        let mut parts: Vec<Tensor<1>> = Vec::with_capacity(self.groups.len() * 2 + 2);
        let mut end = 0;
        for (slot, group) in self.layout.slots.iter().zip(&self.leaves) {
            for (range, leaf) in [(&slot.a, &group.a), (&slot.b, &group.b)] {
                if range.start > end {
                    parts.push(Tensor::zeros([range.start - end], &device));
                }
                parts.push(match leaf.grad(gradients) {
                    Some(gradient) => gradient.reshape([range.len()]),
                    None => Tensor::zeros([range.len()], &device),
                });
                end = range.end;
            }
        }
        if self.layout.length > end {
            parts.push(Tensor::zeros([self.layout.length - end], &device));
        }
        Tensor::cat(parts, 0) * self.scale.clone()
    }
}
