//! Paths, planes and distances between adapters: the mathematics, on plain numbers.
//!
//! Every point of a path or a plane is a linear combination of a few *anchors*: flat parameter vectors of adapters, and
//! random directions taken as further anchors. So a point is a vector of coefficients, and all geometry (lengths, angles,
//! projections) needs only the anchors' inner products, [`gram::Gram`], which are read from the device once. Whoever owns the
//! tensors turns coefficients into adapters.
//!
//! - [`path`]: line, polychain, Bezier, chain, great circle; [`barrier`]: what the losses along one say.
//! - [`plane`]: through three anchors, along two directions, by principal components; [`directions`]: random ones.
//! - [`similarity`]: distances of weights and of updates, angles between subspaces, CKA of features.
//! - [`refactor`]: combinations of updates `s B A` brought back to a given rank; ranks made equal.

pub mod barrier;
pub mod directions;
pub mod error;
pub mod gram;
pub mod matrix;
mod modules;
pub mod path;
pub mod plane;
pub mod refactor;
pub mod similarity;

#[cfg(test)]
mod samples;
