//! Explorations between adapters: the points of a path or a plane, measured as `explorer` does, and told as a report.
//!
//! In reading order: this file (adapters as anchors), `path` (lines and curves), `plane`, `similarity`, [`shelf`] (what was measured and can be
//! looked at again).

mod path;
mod plane;
pub mod shelf;
mod similarity;

pub use path::{PathGround, PathRequest, PathShape, beside_path, explore_path};
pub use plane::{PlaneGround, PlaneRequest, PlaneShape, Track, explore_plane};
pub use similarity::explore_similarity;

use super::EngineError;
use super::control::Control;
use super::evaluator::read;
use super::explorer::{ExplorerSettings, Measured};
use super::prepare::Prepared;
use super::protocol::Event;
use super::run::Sink;
use crate::io::peft::read_adapter;
use crate::landscape::error::LandscapeError;
use crate::landscape::gram::Gram;
use crate::landscape::refactor::common_layout;
use crate::model::{Adapter, PlainAdapter};
use crate::platform;
use std::path::Path;

impl From<LandscapeError> for EngineError {
    fn from(error: LandscapeError) -> Self {
        Self::Setting(error.to_string())
    }
}

/// A named adapter that paths and planes go through.
#[derive(Clone, Debug)]
pub struct Anchor {
    pub name: String,
    pub adapter: Adapter,
    /// The same on the host.
    pub plain: PlainAdapter,
    /// Rank before it was filled up to the layout that all share.
    pub rank: usize,
    /// It notes that it was trained on other weights than the model's.
    pub other_base: bool,
}

/// What every exploration is made with.
#[derive(Clone, Debug)]
pub struct Look {
    pub title: String,
    pub seed: u64,
    pub explorer: ExplorerSettings,
    /// The command line that repeats it.
    pub command: String,
}

/// Reads adapters in PEFT's format and brings them to one layout: a smaller rank is filled up with zeros.
///
/// # Errors
/// What cannot be read, or adapters of other modules, with a sentence.
pub fn read_anchors(folders: &[&Path], prepared: &Prepared) -> Result<Vec<Anchor>, EngineError> {
    let mut read = Vec::with_capacity(folders.len());
    for folder in folders {
        read.push(read_adapter(folder, &prepared.model.llama.config)?);
    }
    let plain = common_layout(&read.iter().map(|loaded| &loaded.adapter).collect::<Vec<_>>())?;
    let short: Vec<String> = folders.iter().map(|folder| name(folder, 2)).collect();
    let twice = short.iter().enumerate().any(|(index, name)| short[..index].contains(name));
    let names = if twice { folders.iter().map(|folder| name(folder, 4)).collect() } else { short };
    let mut anchors = named_anchors(names, plain, prepared)?;
    for (anchor, loaded) in anchors.iter_mut().zip(&read) {
        anchor.rank = loaded.adapter.config.rank;
        anchor.other_base = loaded.base_fingerprint.as_ref().is_some_and(|base| *base != prepared.model.fingerprint);
    }
    Ok(anchors)
}

/// Adapters of one layout on the model's device.
fn named_anchors(
    names: Vec<String>,
    plain: Vec<PlainAdapter>,
    prepared: &Prepared,
) -> Result<Vec<Anchor>, EngineError> {
    let llama = &prepared.model.llama;
    let mut anchors: Vec<Anchor> = Vec::with_capacity(plain.len());
    for (name, plain) in names.into_iter().zip(plain) {
        let own = Adapter::from_plain(&plain, &llama.config, llama.device())?;
        // One layout for all, so that their flat vectors can be added.
        let adapter = match anchors.first() {
            Some(first) => first.adapter.with_flat(own.flat()),
            None => own,
        };
        let rank = plain.config.rank;
        anchors.push(Anchor { name, adapter, plain, rank, other_base: false });
    }
    Ok(anchors)
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
