//! What an exploration of the loss landscape found, as plain data, and how it is told: CSV, JSON and one HTML page.
//!
//! A [`PathReport`] holds what was measured along a path between adapters, a [`PlaneReport`] what was measured on a grid
//! of a plane through adapters, a [`SimilarityReport`] how near adapters are to one another. Numbers that could not be measured are `None` and drawn as holes; a number that is not
//! finite is written as JSON's `null` and comes back as NaN or `None`, as in [`super::report`]. Losses are mean
//! cross-entropies in nats, scores are shares of 1, distances are L2 norms over all LoRA parameters.
//!
//! Definitions: chord and barrier by Entezari et al. (2022, arXiv 2110.06296), the other barrier by Frankle et al. (2020,
//! arXiv 1912.05671), planes by Garipov et al. (2018, arXiv 1802.10026).

mod colour;
mod csv;
mod curve;
mod heat_map;
mod label_room;
mod level_lines;
mod map_view;
mod page;
mod path;
mod path_chart;
mod picture;
mod plane;
mod similarity;
mod tables;

use serde::{Deserialize, Deserializer, Serialize};

pub use csv::{path_csv, plane_csv};
pub use level_lines::{LevelLine, level_lines};
pub use path::render_path;
pub use picture::path_svg;
pub use plane::render_plane;
pub use similarity::{
    Measure, ModulePair, PairTable, SimilarityReport, StateTable, modules_csv, render_similarity, similarity_csv,
};

/// A point of a path, with what was measured there.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PathPoint {
    /// Place on the path: 0 at its first end, 1 at its last; beyond them for a line that was extrapolated.
    #[serde(deserialize_with = "number")]
    pub t: f64,
    /// `[control points]` weights of the control points at `t`.
    #[serde(deserialize_with = "numbers")]
    pub coefficients: Vec<f64>,
    /// Length of the path from its first point to here; 0 at the first.
    #[serde(deserialize_with = "number")]
    pub arc_length: f64,
    /// `[tasks]`
    pub losses: Vec<Option<f64>>,
    /// `[tasks]`
    pub scores: Vec<Option<f64>>,
}

/// A named place on a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PathMark {
    pub name: String,
    #[serde(deserialize_with = "number")]
    pub t: f64,
}

/// An adapter that a path does not go through, where it is nearest to the path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PathBeside {
    pub name: String,
    /// Place on the path, of its measured points, that is nearest in all LoRA parameters.
    #[serde(deserialize_with = "number")]
    pub t: f64,
    /// Distance from there.
    #[serde(deserialize_with = "number")]
    pub distance: f64,
    /// `[tasks]` of the adapter itself.
    pub losses: Vec<Option<f64>>,
    /// `[tasks]`
    pub scores: Vec<Option<f64>>,
}

/// How far the loss of one task, or the mean over the tasks, rises along a path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BarrierLine {
    /// Name of the task; `None` for the mean over the tasks.
    pub task: Option<String>,
    /// Largest rise above the chord between the losses of the ends.
    pub entezari: Option<f64>,
    /// Largest rise above the mean of the losses of the ends.
    pub frankle: Option<f64>,
    /// Where on the path it rises so far above the chord.
    #[serde(default)]
    pub entezari_at: Option<f64>,
    /// Where it rises so far above the mean of the ends.
    #[serde(default)]
    pub frankle_at: Option<f64>,
    /// Whether some point had no loss, so that the true barrier may be higher.
    pub holes: bool,
}

/// How the bends of a curve were trained, and where the curve lies.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CurveTraining {
    /// Steps made, and steps to be made.
    pub done: usize,
    pub steps: usize,
    /// `(step, mean cross-entropy of its batch)` of some of the steps.
    pub losses: Vec<(usize, Option<f64>)>,
    /// The curve from end to end: the way along the chord, and the distance from it, in units of the chord's length.
    pub outline: Vec<[f64; 2]>,
    /// The same of the bends.
    pub bends: Vec<[f64; 2]>,
    /// While training goes on the path's points are measured on this many examples of each task only.
    pub examples: Option<usize>,
}

/// By how much the best point of a path beats the better of its ends in mean score.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GainLine {
    /// A difference of scores, as a share of 1; negative where no point between the ends reaches the better end.
    #[serde(deserialize_with = "number")]
    pub gain: f64,
    #[serde(deserialize_with = "number")]
    pub at_t: f64,
}

/// Losses and scores of every task along one path.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PathReport {
    pub title: String,
    pub model: String,
    pub device: String,
    pub seed: u64,
    /// `line`, `polychain`, `bezier`, `slerp`, `chain` or `product line`.
    pub kind: String,
    /// Names of the control points in order; the first and the last are the ends.
    pub ends: Vec<String>,
    pub marks: Vec<PathMark>,
    /// In ascending order of `t`.
    pub points: Vec<PathPoint>,
    pub tasks: Vec<String>,
    /// `[tasks]` name of each task's metric.
    pub metrics: Vec<String>,
    /// `[tasks]` score of guessing.
    pub chance: Vec<Option<f64>>,
    pub barriers: Vec<BarrierLine>,
    pub gain: Option<GainLine>,
    #[serde(default)]
    pub beside: Vec<PathBeside>,
    /// Points that were to be measured; 0 in a report of an earlier version.
    #[serde(default)]
    pub planned: usize,
    /// Of a curve with trained bends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub training: Option<CurveTraining>,
    pub examples_per_task: usize,
    /// The command line that repeats it.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Start, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    #[serde(deserialize_with = "number")]
    pub secs: f64,
    pub warnings: Vec<String>,
}

impl PathReport {
    /// Whether every point was measured and every step of a curve was made.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.points.len() >= self.planned
            && self
                .training
                .as_ref()
                .is_none_or(|training| training.done >= training.steps && training.examples.is_none())
    }
}

/// An adapter on a plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaneMark {
    pub name: String,
    #[serde(deserialize_with = "number")]
    pub x: f64,
    #[serde(deserialize_with = "number")]
    pub y: f64,
    /// Distance from the plane; 0 for an adapter that lies in it.
    #[serde(deserialize_with = "number")]
    pub residual: f64,
}

/// The way of a learner through training, projected onto a plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaneTrack {
    /// E.g. `fast learner` or `slow learner`.
    pub name: String,
    /// In the order of training; each is named after its place in it, e.g. `after law`, or has no name.
    pub points: Vec<PlaneMark>,
}

/// Losses and scores on a grid of a plane.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlaneReport {
    pub title: String,
    pub model: String,
    pub device: String,
    pub seed: u64,
    /// `three adapters`, `PCA` or `random directions`.
    pub kind: String,
    pub anchors: Vec<PlaneMark>,
    pub tracks: Vec<PlaneTrack>,
    /// Places of the columns in ascending order, in units of distance.
    #[serde(deserialize_with = "numbers")]
    pub xs: Vec<f64>,
    /// Places of the rows in ascending order, in units of distance.
    #[serde(deserialize_with = "numbers")]
    pub ys: Vec<f64>,
    /// `[ys, xs]`, mean over the tasks.
    pub losses: Vec<Option<f64>>,
    /// `[ys, xs]`, mean over the tasks.
    pub scores: Vec<Option<f64>>,
    /// `[tasks][ys, xs]`
    pub per_task_losses: Vec<Vec<Option<f64>>>,
    /// `[tasks][ys, xs]`
    pub per_task_scores: Vec<Vec<Option<f64>>>,
    pub tasks: Vec<String>,
    /// `[tasks]` name of each task's metric.
    pub metrics: Vec<String>,
    /// `[tasks]` score of guessing.
    pub chance: Vec<Option<f64>>,
    /// Share of the spread of the adapters that each of two principal directions holds.
    pub explained: Option<[f64; 2]>,
    /// Share of the squared motion along the tracks (or, without any, between the adapters) that each direction holds.
    #[serde(default)]
    pub share_of_motion: Option<[f64; 2]>,
    /// `[ys, xs]` whether the point was measured; empty where all were.
    #[serde(default)]
    pub measured: Vec<bool>,
    pub examples_per_task: usize,
    /// The command line that repeats it.
    pub command: String,
    /// Version of the program.
    pub version: String,
    /// Start, in seconds since 1970-01-01 UTC.
    pub started_unix: u64,
    #[serde(deserialize_with = "number")]
    pub secs: f64,
    pub warnings: Vec<String>,
}

impl PlaneReport {
    /// Whether this point was measured: then no value is a hole, else it is unknown.
    #[must_use]
    pub fn is_measured(&self, index: usize) -> bool {
        self.measured.get(index).copied().unwrap_or(true)
    }

    /// Points that were never measured, of a plane that was stopped.
    #[must_use]
    pub fn unmeasured(&self) -> usize {
        self.measured.iter().filter(|measured| !**measured).count()
    }

    /// What makes the grid impossible to draw, as a sentence; `None` for a sound one.
    #[must_use]
    pub fn fault(&self) -> Option<String> {
        let ascending = |places: &[f64]| {
            places.iter().all(|place| place.is_finite()) && places.windows(2).all(|pair| pair[0] < pair[1])
        };
        let points = self.xs.len() * self.ys.len();
        let lists = [&self.losses, &self.scores].into_iter().chain(&self.per_task_losses).chain(&self.per_task_scores);
        if points == 0 {
            Some("The plane has no point: evaluate at least one column and one row.".to_owned())
        } else if !ascending(&self.xs) || !ascending(&self.ys) {
            Some(
                "The places of the plane's columns and rows are not finite and ascending: evaluate it again."
                    .to_owned(),
            )
        } else if let Some(list) = lists.into_iter().find(|list| list.len() != points) {
            let (columns, rows, found) = (self.xs.len(), self.ys.len(), list.len());
            Some(format!(
                "The plane has {columns} columns and {rows} rows, but a list of {found} values: evaluate it again."
            ))
        } else if !self.measured.is_empty() && self.measured.len() != points {
            Some(format!(
                "The plane has {points} points, but a list of {} that were measured: evaluate it again.",
                self.measured.len()
            ))
        } else {
            None
        }
    }
}

/// A value that can be drawn.
fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// The mean, where there are values and all of them can be drawn: a mean over some of the tasks is another quantity.
fn mean(values: &[Option<f64>]) -> Option<f64> {
    let sum = values.iter().try_fold(0.0, |sum, value| Some(sum + finite(*value)?))?;
    (!values.is_empty()).then(|| sum / values.len() as f64)
}

/// JSON's `null` as NaN.
fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    Ok(Option::<f64>::deserialize(deserializer)?.unwrap_or(f64::NAN))
}

/// The same for a list.
fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let list = Vec::<Option<f64>>::deserialize(deserializer)?;
    Ok(list.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
}

#[cfg(test)]
mod sample;
#[cfg(test)]
mod tests;
