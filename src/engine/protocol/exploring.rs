//! What is asked of the loss landscape: paths, planes, comparisons, and the marks of examples at a point.

use super::AdapterSource;
use serde::{Deserialize, Serialize};

/// Learning rate of a curve's bends, unless asked otherwise.
pub const CURVE_LEARNING_RATE: f64 = 0.01;

/// What is asked of a path between adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathCommand {
    /// Names for people and where the adapters are, in order.
    pub anchors: Vec<(String, AdapterSource)>,
    /// `line`, `product`, `slerp`, `bezier` or `polychain`.
    pub shape: String,
    pub points: usize,
    /// How far a straight line goes on beyond its ends, as a share of it.
    pub beyond: f64,
    /// Trained bends of a curve, steps of their training, and its learning rate.
    pub bends: usize,
    pub steps: usize,
    pub learning_rate: f64,
    /// Scored examples of each task.
    pub examples: usize,
    /// Measure the tasks' metrics as well as the losses.
    pub scores: bool,
}

/// What is asked of a plane through adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaneCommand {
    /// `three adapters`, `PCA` or `random directions`.
    pub shape: String,
    pub anchors: Vec<(String, AdapterSource)>,
    /// Other adapters to be projected.
    pub others: Vec<(String, AdapterSource)>,
    /// Run folders whose training tracks are projected.
    pub tracks: Vec<String>,
    /// Measured paths that are drawn on it: a name for people and the path's number.
    pub curves: Vec<(String, u64)>,
    /// Points along each side.
    pub side: usize,
    /// How far the grid goes beyond the adapters, as a share of their extent. Random directions have their own range.
    pub margin: f64,
    pub examples: usize,
    pub scores: bool,
}

/// What is asked of a comparison of adapters.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SimilarityCommand {
    pub adapters: Vec<(String, AdapterSource)>,
    /// Compare what the model makes of the tasks' examples too, by linear CKA.
    pub features: bool,
    /// Examples of each task for that.
    pub examples: usize,
}

/// One scored example as a learner answered it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MarkedExample {
    pub task: usize,
    /// Index among the task's scored examples.
    pub example: usize,
    pub prompt: String,
    pub answer: String,
    pub prediction: String,
    /// In `[0, 1]`.
    pub score: f64,
}
