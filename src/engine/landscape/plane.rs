//! Planes through adapters: by three of them, by the principal components of many, or along random directions.

use super::{Anchor, Look, TaskNames, Watch, clock, column, gram, read_anchors};
use crate::engine::EngineError;
use crate::engine::control::Control;
use crate::engine::explorer::{Explorer, Measured};
use crate::engine::landscape_report::{PlaneMark, PlaneReport, PlaneTrack};
use crate::engine::prepare::Prepared;
use crate::engine::run::Sink;
use crate::landscape::barrier::mean_over_tasks;
use crate::landscape::directions::filter_normalised;
use crate::landscape::plane::{DEFAULT_RANGE, DIRECTION_RANGE, Plane, PlaneGrid, Position};
use crate::model::Adapter;
use crate::platform;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// How a plane is laid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlaneShape {
    /// Through three anchors.
    Through,
    /// Holding most of what the anchors differ by.
    Principal,
    /// Along two filter-normalised random directions from the one anchor.
    Random,
}

/// The way of a learner from task to task: folders of its adapters in their order.
#[derive(Clone, Debug)]
pub struct Track {
    pub name: String,
    pub folders: Vec<PathBuf>,
}

/// What is asked of a plane.
#[derive(Clone, Debug)]
pub struct PlaneRequest {
    pub shape: PlaneShape,
    /// Points along each side.
    pub points: usize,
    pub tracks: Vec<Track>,
}

/// Where the points of a measured plane are.
pub struct PlaneGround {
    vectors: Vec<Adapter>,
    plane: Plane,
}

impl PlaneGround {
    /// The point at these coordinates.
    #[must_use]
    pub fn adapter(&self, x: f64, y: f64) -> Option<Adapter> {
        Some(self.vectors.first()?.combine(&self.vectors, &self.plane.coefficients(x, y)))
    }
}

/// Measures a plane, coarse to fine; `partial` is given what is known after each pass. The first anchors lay it (three, all, or one, by its shape); all are shown on it.
///
/// # Errors
/// Anchors on one line, too few of them, or a device that fails. After a stop the report holds what was measured.
pub async fn explore_plane(
    prepared: &Prepared,
    (anchors, laying): (&[Anchor], usize),
    request: &PlaneRequest,
    look: &Look,
    control: &Control,
    emit: Sink<'_>,
    partial: &mut dyn FnMut(PlaneReport),
) -> Result<(PlaneReport, PlaneGround), EngineError> {
    let (start, started_unix) = clock();
    let mut watch = Watch { control, emit, done: 0, total: 0 };
    if request.points < 2 {
        return Err(EngineError::Setting("a plane needs at least two points along each side".into()));
    }
    let needed = match request.shape {
        PlaneShape::Through => laying == 3,
        PlaneShape::Principal => laying >= 3,
        PlaneShape::Random => laying == 1,
    };
    if !needed {
        return Err(EngineError::Setting(format!(
            "{laying} adapters do not lay such a plane: give three, three or more with --pca, or one with --random"
        )));
    }
    let tracks = read_tracks(&request.tracks, &anchors[0].adapter, prepared)?;
    let mut vectors: Vec<Adapter> = anchors.iter().map(|anchor| anchor.adapter.clone()).collect();
    let shown = vectors.len();
    if request.shape == PlaneShape::Random {
        vectors.extend(random_directions(&anchors[0], look.seed, prepared)?);
    }
    let base = vectors.len();
    for (_, points) in &tracks {
        vectors.extend(points.iter().map(|point| point.adapter.clone()));
    }
    let gram = gram(&vectors).await?;
    let plane = match request.shape {
        PlaneShape::Through => Plane::through(&gram, [0, 1, 2])?,
        PlaneShape::Principal => Plane::principal(&gram, &(0..laying).collect::<Vec<_>>())?,
        PlaneShape::Random => Plane::along(&gram, 0, [shown, shown + 1])?,
    };
    let position = |index: usize| -> Result<Position, EngineError> { Ok(plane.position(&gram.anchor(index)?)?) };
    let marks: Vec<Position> = (0..shown).map(position).collect::<Result<_, _>>()?;
    let mut ways = Vec::with_capacity(tracks.len());
    let mut next = base;
    for (_, points) in &tracks {
        ways.push((next..next + points.len()).map(position).collect::<Result<Vec<_>, _>>()?);
        next += points.len();
    }
    let grid = match request.shape {
        PlaneShape::Through if tracks.is_empty() && shown == 3 => {
            PlaneGrid::new(&plane, request.points, request.points, DEFAULT_RANGE)
        }
        PlaneShape::Random => PlaneGrid::new(&plane, request.points, request.points, DIRECTION_RANGE),
        _ => {
            let all: Vec<Position> = marks.iter().chain(ways.iter().flatten()).copied().collect();
            PlaneGrid::covering(&plane, &all, request.points, request.points, 0.2)
        }
    };
    let order = grid.coarse_to_fine();
    let points = |range: Range<usize>| {
        let points: Vec<Adapter> = order[range]
            .iter()
            .filter_map(|&index| grid.place(index))
            .map(|(x, y)| vectors[0].combine(&vectors, &plane.coefficients(x, y)))
            .collect();
        Adapter::stack(&points.iter().collect::<Vec<_>>())
    };
    let tasks = TaskNames::of(prepared);
    let count = tasks.names.len();
    let mark = |name: &str, at: &Position| PlaneMark { name: name.into(), x: at.x, y: at.y, residual: at.residual };
    let model = &prepared.model;
    let report = |measured: &[Measured], warnings: Vec<String>| -> Result<PlaneReport, EngineError> {
        let losses: Vec<_> = (0..count).map(|task| column(measured, task, |point| &point.losses)).collect();
        let scores: Vec<_> = (0..count).map(|task| column(measured, task, |point| &point.scores)).collect();
        let ways = tracks.iter().zip(&ways).map(|((name, points), way)| PlaneTrack {
            name: name.clone(),
            points: points.iter().zip(way).map(|(point, at)| mark(&point.name, at)).collect(),
        });
        Ok(PlaneReport {
            title: look.title.clone(),
            model: model.name.clone(),
            device: model.device_name.clone(),
            seed: look.seed,
            kind: match request.shape {
                PlaneShape::Through => "three adapters".into(),
                PlaneShape::Principal => "PCA".into(),
                PlaneShape::Random => "random directions".into(),
            },
            anchors: anchors.iter().zip(&marks).map(|(anchor, at)| mark(&anchor.name, at)).collect(),
            tracks: ways.collect(),
            losses: mean_over_tasks(&losses)?,
            scores: mean_over_tasks(&scores)?,
            per_task_losses: losses,
            per_task_scores: scores,
            xs: grid.xs.clone(),
            ys: grid.ys.clone(),
            tasks: tasks.names.clone(),
            metrics: tasks.metrics.clone(),
            chance: tasks.chance.clone(),
            explained: plane.explained(),
            examples_per_task: look.explorer.examples,
            command: look.command.clone(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            started_unix,
            secs: platform::now_secs() - start,
            warnings,
        })
    };
    let explorer = Explorer::new(prepared, look.explorer)?;
    watch.phase("measuring", "plane", order.len());
    let mut measured = vec![Measured::default(); order.len()];
    let mut tell = |first: usize, part: &[Measured]| {
        for (&index, point) in order[first..].iter().zip(part) {
            measured[index] = point.clone();
        }
        if let Ok(report) = report(&measured, Vec::new()) {
            partial(report);
        }
        watch.advance(part.len())
    };
    let found = explorer.measure(order.len(), &points, &mut tell).await?.len();
    let mut warnings = Vec::new();
    if found < order.len() {
        warnings.push(format!("stopped after {found} of {} points", order.len()));
    }
    let report = report(&measured, warnings)?;
    Ok((report, PlaneGround { vectors, plane }))
}

/// The adapters of every track, which must have the layout and the scale of the plane's.
fn read_tracks(
    tracks: &[Track],
    plane: &Adapter,
    prepared: &Prepared,
) -> Result<Vec<(String, Vec<Anchor>)>, EngineError> {
    let read = |track: &Track| {
        let folders: Vec<&Path> = track.folders.iter().map(PathBuf::as_path).collect();
        let points = read_anchors(&folders, prepared)?;
        let same = |point: &Anchor| {
            let (own, plane) = (point.adapter.layout().config(), plane.layout().config());
            (own.rank, &own.target_modules, own.lora_alpha.to_bits())
                == (plane.rank, &plane.target_modules, plane.lora_alpha.to_bits())
        };
        if points.iter().all(same) {
            return Ok((track.name.clone(), points));
        }
        Err(EngineError::Setting(format!(
            "the track `{}` has adapters of another rank, scale or other modules than the plane: give runs with the same LoRA settings",
            track.name
        )))
    };
    tracks.iter().map(read).collect()
}

/// Two directions whose rows are as long as the centre's.
fn random_directions(centre: &Anchor, seed: u64, prepared: &Prepared) -> Result<Vec<Adapter>, EngineError> {
    let (mut rng, llama) = (ChaCha8Rng::seed_from_u64(seed), &prepared.model.llama);
    let mut direction = || -> Result<Adapter, EngineError> {
        let plain = filter_normalised(&centre.plain, &mut rng)?;
        let direction = Adapter::from_plain(&plain, &llama.config, llama.device())?;
        Ok(centre.adapter.with_flat(direction.flat()))
    };
    Ok(vec![direction()?, direction()?])
}
