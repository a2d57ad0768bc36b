//! What can be wrong with the points of a path, a plane or a comparison, each with the place and the way out.

use crate::model::lora::Projection;
use std::fmt;
use thiserror::Error;

/// One adapted module of a model; prints as `layer 3, q_proj`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Module {
    /// Index of the block, from 0.
    pub layer: usize,
    /// The linear layer inside the block.
    pub projection: Projection,
}

impl fmt::Display for Module {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "layer {}, {}", self.layer, self.projection.name())
    }
}

impl From<(usize, Projection)> for Module {
    fn from((layer, projection): (usize, Projection)) -> Self {
        Self { layer, projection }
    }
}

/// A fault in what a path, a plane or a comparison is to be made of. Anchors, rows and items are counted from 1 in the text.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LandscapeError {
    /// Inner products that are not a square table.
    #[error("{anchors} anchors need {} inner products, but {found} were given. Pass the whole square table, row by row.", anchors * anchors)]
    GramShape { anchors: usize, found: usize },

    /// An inner product that is NaN or infinite.
    #[error(
        "The inner product of anchors {} and {} is not a finite number. One of these adapters holds NaN or infinity; leave it out.",
        left + 1, right + 1
    )]
    GramNotFinite { left: usize, right: usize },

    /// A table that no set of vectors can have.
    #[error(
        "The inner products of anchors {} and {} contradict each other. Compute the whole table from one set of vectors.",
        left + 1, right + 1
    )]
    GramImpossible { left: usize, right: usize },

    /// More coefficients than anchors, or an anchor's number that does not exist.
    #[error(
        "A point names anchor {named}, but there are only {anchors}. Add its inner products, or drop the coefficient."
    )]
    NoSuchAnchor { named: usize, anchors: usize },

    /// Vectors or lists that belong together and differ in length.
    #[error("{what}: {left} entries on one side, {right} on the other. Both must come from the same layout or grid.")]
    Lengths { what: &'static str, left: usize, right: usize },

    /// Fewer points than the shape needs.
    #[error("{what} needs at least {needed} points, but {found} were given. Choose more adapters.")]
    TooFewPoints { what: &'static str, needed: usize, found: usize },

    /// A direction of a vector without length.
    #[error(
        "Anchor {} is zero, so it has no direction and no great circle starts there. Use the straight line instead.",
        anchor + 1
    )]
    ZeroAnchor { anchor: usize },

    /// Two anchors at opposite sides of the origin.
    #[error(
        "The two anchors point in opposite directions, so no single great circle joins them. Use the straight line."
    )]
    Opposite,

    /// Two of a plane's anchors are one point.
    #[error(
        "Anchors {} and {} are the same point, so no plane goes through the three. Choose three different adapters.",
        first + 1, second + 1
    )]
    EqualAnchors { first: usize, second: usize },

    /// Points on one line, or in one place, where a plane was asked for.
    #[error(
        "The given points lie on one line, so they span no plane. Choose another adapter, or look at the line as a path."
    )]
    Collinear,

    /// A direction of length zero.
    #[error("Direction {} is zero, so it spans no plane. Draw it again around a trained adapter.", which + 1)]
    ZeroDirection { which: usize },

    /// Factors that do not have the sizes or values they should.
    #[error("{module}: {what}. The adapter is damaged; load it again from its file.")]
    Factors { module: Module, what: String },

    /// Two adapters that do not adapt the same modules of the same model.
    #[error("{module}: {what}. Compare adapters with the same target modules, made for the same base model.")]
    Modules { module: Module, what: String },

    /// A fresh adapter as the centre of random directions.
    #[error(
        "Every lora_B of this adapter is zero, as in a fresh one, so filter-normalised directions vanish there. Choose a trained adapter as the centre."
    )]
    FreshAdapter,

    /// An adapter whose update is multiplied by something that cannot be divided by.
    #[error("Adapter {}: lora_alpha / r is {scale}, so its update cannot be rescaled. Correct `lora_alpha` and `r`.", adapter + 1)]
    Scale { adapter: usize, scale: String },

    /// A coefficient that is no number.
    #[error("The coefficient of adapter {} is not a finite number. Choose a point with finite coordinates.", adapter + 1)]
    Coefficient { adapter: usize },

    /// A rank that cannot be reached.
    #[error("Rank {wanted} was asked for, but {reason}.")]
    Rank { wanted: usize, reason: &'static str },

    /// Nothing to combine.
    #[error("No adapter was given. Choose at least one.")]
    NoAdapter,

    /// Features that cannot be compared.
    #[error("The features cannot be compared: {0}.")]
    Features(String),
}
