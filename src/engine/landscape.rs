//! Explorations between adapters: the points of a path or a plane, measured as `explorer` does, and told as a report.
//!
//! In reading order: this file, `anchors` (adapters, their layout and base model), `known` (what need not be measured again),
//! `path` (lines and curves), `bending` (how a curve is trained), `plane`, `similarity`, [`shelf`] (what was measured for a
//! window and can be looked at again), `command_line` (how a terminal repeats it).

mod anchors;
mod bending;
mod command_line;
mod known;
mod path;
mod plane;
pub mod shelf;
mod similarity;

pub use anchors::{Anchor, Base, read_anchors};
use anchors::{Found, base, check_bases, lay_out, read_all};
pub use command_line::quote;
pub use known::Known;
pub use path::{PathGround, PathRequest, PathShape, beside_path, explore_path};
pub use plane::{Curve, PlaneGround, PlaneRequest, PlaneShape, Track, explore_plane};
pub use similarity::explore_similarity;

use super::EngineError;
use super::control::Control;
use super::evaluator::read;
use super::explorer::{ExplorerSettings, Measured};
use super::prepare::Prepared;
use super::protocol::Event;
use super::run::Sink;
use crate::landscape::error::LandscapeError;
use crate::landscape::gram::Gram;
use crate::model::Adapter;
use crate::platform;
use std::path::Path;

impl From<LandscapeError> for EngineError {
    fn from(error: LandscapeError) -> Self {
        Self::Setting(error.to_string())
    }
}

/// What every exploration is made with.
#[derive(Clone, Debug)]
pub struct Look {
    pub title: String,
    pub seed: u64,
    pub explorer: ExplorerSettings,
    /// The command line that repeats it.
    pub command: String,
    /// What was measured before.
    pub known: Known,
}

/// The last `parts` parts of a path: `01-stance, long_term` of `RUN/adapters/01-stance/long_term`, and the run as well where
/// that would not tell two adapters apart.
fn name(folder: &Path, parts: usize) -> String {
    let parts = folder.components().rev().take(parts).map(|part| part.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = parts.filter(|part| part != "adapters").collect();
    parts.into_iter().rev().collect::<Vec<_>>().join(", ")
}

/// The inner products of adapters, from their values in double precision.
async fn gram(adapters: &[Adapter]) -> Result<Gram, EngineError> {
    let mut values = Vec::with_capacity(adapters.len());
    for adapter in adapters {
        values.push(read(adapter.flat()).await?);
    }
    Ok(Gram::of(&values.iter().map(Vec::as_slice).collect::<Vec<_>>())?)
}

/// Tells about progress and looks whether somebody wants it to stop.
struct Watch<'a, 'b> {
    control: &'a Control,
    emit: Sink<'b>,
    done: usize,
    total: usize,
}

impl Watch<'_, '_> {
    fn phase(&mut self, phase: &str, detail: &str, total: usize) {
        (self.emit)(Event::PhaseStarted { phase: phase.into(), detail: detail.into() });
        (self.done, self.total) = (0, total);
    }

    /// Counts `more` points (or steps); says whether to go on.
    fn advance(&mut self, more: usize) -> bool {
        self.done += more;
        let (done, total) = (self.done, self.total);
        (self.emit)(Event::EvaluationProgressed { run: 0, done, total });
        !self.control.is_stopped()
    }
}

/// What a report says of the tasks.
struct TaskNames {
    names: Vec<String>,
    metrics: Vec<String>,
    chance: Vec<Option<f64>>,
}

impl TaskNames {
    fn of(prepared: &Prepared) -> Self {
        let tasks = || prepared.tasks.iter().map(|task| &task.task);
        Self {
            names: tasks().map(|task| task.name.clone()).collect(),
            metrics: tasks().map(|task| task.metric.title().to_string()).collect(),
            chance: tasks().map(|task| Some(task.chance())).collect(),
        }
    }
}

/// One quantity of one task at every point.
fn column(points: &[Measured], task: usize, of: fn(&Measured) -> &Vec<Option<f64>>) -> Vec<Option<f64>> {
    points.iter().map(|point| of(point).get(task).copied().flatten()).collect()
}

/// Seconds since `start`, and the time it began.
fn clock() -> (f64, u64) {
    (platform::now_secs(), platform::unix_time_secs())
}
