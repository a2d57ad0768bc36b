//! Planes through adapters: by three of them, by the principal components of many, or along random directions.

use super::known::{digests, point, survey};
use super::{Anchor, Base, Found, Look, TaskNames, Watch, check_bases, clock, column, gram, lay_out, read_all};
use crate::engine::EngineError;
use crate::engine::control::Control;
use crate::engine::explorer::{Explorer, Measured};
use crate::engine::landscape_report::{PlaneMark, PlaneReport, PlaneTrack};
use crate::engine::prepare::Prepared;
use crate::engine::run::Sink;
use crate::landscape::barrier::mean_over_tasks;
use crate::landscape::directions::filter_normalised;
use crate::landscape::plane::{DIRECTION_RANGE, Plane, PlaneGrid, Position};
use crate::model::{Adapter, PlainAdapter};
use crate::platform;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
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

/// A path that is drawn on a plane: some of its points, in their order. A point without a name is a part of the way only.
#[derive(Clone, Debug)]
pub struct Curve {
    pub name: String,
    pub points: Vec<(String, PlainAdapter)>,
}

/// What is asked of a plane.
#[derive(Clone, Debug)]
pub struct PlaneRequest {
    pub shape: PlaneShape,
    /// Points along each side.
    pub points: usize,
    /// How far the grid goes beyond the adapters, as a share of their extent. Along random directions it has its own range.
    pub margin: f64,
    pub tracks: Vec<Track>,
    pub curves: Vec<Curve>,
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
    check(request, laying)?;
    let Laid { vectors, plane, grid, anchors, tracks, share_of_motion, mut warnings } =
        lay(prepared, (anchors, laying), request, look).await?;
    let order = grid.coarse_to_fine();
    let places: Vec<Vec<f64>> =
        order.iter().filter_map(|&index| grid.place(index)).map(|(x, y)| plane.coefficients(x, y)).collect();
    let contents = digests(&vectors).await?;
    let points: Vec<_> = places.iter().map(|coefficients| point("factors", &contents, coefficients)).collect();
    let make = |turns: &[usize]| {
        let points: Vec<Adapter> = turns.iter().map(|&turn| vectors[0].combine(&vectors, &places[turn])).collect();
        Adapter::stack(&points.iter().collect::<Vec<_>>())
    };
    let tasks = TaskNames::of(prepared);
    let count = tasks.names.len();
    let model = &prepared.model;
    let report = |slots: &[Option<Measured>], warnings: Vec<String>| -> Result<PlaneReport, EngineError> {
        let measured: Vec<Measured> = slots.iter().map(|slot| slot.clone().unwrap_or_default()).collect();
        let losses: Vec<_> = (0..count).map(|task| column(&measured, task, |point| &point.losses)).collect();
        let scores: Vec<_> = (0..count).map(|task| column(&measured, task, |point| &point.scores)).collect();
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
            anchors: anchors.clone(),
            tracks: tracks.clone(),
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
            share_of_motion,
            measured: slots.iter().map(Option::is_some).collect(),
            examples_per_task: look.explorer.examples,
            command: look.command.clone(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            started_unix,
            secs: platform::now_secs() - start,
            warnings,
        })
    };
    let explorer = Explorer::new(prepared, look.explorer)?.stopped_by(control);
    watch.phase("measuring", "plane", order.len());
    let mut slots: Vec<Option<Measured>> = vec![None; order.len()];
    let mut tell = |part: &[(usize, Measured)]| {
        for (turn, measured) in part {
            slots[order[*turn]] = Some(measured.clone());
        }
        if let Ok(report) = report(&slots, Vec::new()) {
            partial(report);
        }
        watch.advance(part.len())
    };
    let found = survey(&explorer, (&look.known, prepared), (&points, &make), &mut tell).await?;
    if found < order.len() {
        warnings.push(format!("stopped after {found} of {} points", order.len()));
    }
    let report = report(&slots, warnings)?;
    Ok((report, PlaneGround { vectors, plane }))
}

/// Whether such a plane can be laid by so many adapters.
fn check(request: &PlaneRequest, laying: usize) -> Result<(), EngineError> {
    if request.points < 2 {
        return Err(EngineError::Setting("a plane needs at least two points along each side".into()));
    }
    if !(request.margin.is_finite() && request.margin >= 0.0) {
        return Err(EngineError::Setting("the margin of a plane must be a number of at least 0".into()));
    }
    let enough = match request.shape {
        PlaneShape::Through => laying == 3,
        PlaneShape::Principal => laying >= 3,
        PlaneShape::Random => laying == 1,
    };
    if enough {
        return Ok(());
    }
    Err(EngineError::Setting(format!(
        "{laying} adapters do not lay such a plane: give three, three or more with --pca, or one with --random"
    )))
}

/// A plane with what is shown on it, before anything is measured.
struct Laid {
    /// What the points are combined of.
    vectors: Vec<Adapter>,
    plane: Plane,
    grid: PlaneGrid,
    anchors: Vec<PlaneMark>,
    tracks: Vec<PlaneTrack>,
    share_of_motion: Option<[f64; 2]>,
    warnings: Vec<String>,
}

async fn lay(
    prepared: &Prepared,
    (anchors, laying): (&[Anchor], usize),
    request: &PlaneRequest,
    look: &Look,
) -> Result<Laid, EngineError> {
    let (anchors, tracks) = with_tracks(anchors, request, prepared)?;
    let on_tracks = tracks.iter().flat_map(|track| &track.points);
    let mut warnings = check_bases(anchors.iter().chain(on_tracks), prepared)?;
    let mut vectors: Vec<Adapter> = anchors.iter().map(|anchor| anchor.adapter.clone()).collect();
    let shown = vectors.len();
    if request.shape == PlaneShape::Random {
        vectors.extend(random_directions(&anchors[0], look.seed, prepared)?);
    }
    let mut next = vectors.len();
    for track in &tracks {
        vectors.extend(track.points.iter().map(|point| point.adapter.clone()));
    }
    let gram = gram(&vectors).await?;
    let plane = match request.shape {
        PlaneShape::Through => Plane::through(&gram, [0, 1, 2])?,
        PlaneShape::Principal => Plane::principal(&gram, &(0..laying).collect::<Vec<_>>())?,
        PlaneShape::Random => Plane::along(&gram, 0, [shown, shown + 1])?,
    };
    let position = |index: usize| -> Result<Position, EngineError> { Ok(plane.position(&gram.anchor(index)?)?) };
    let mark = |(anchor, at): (&Anchor, &Position)| PlaneMark {
        name: anchor.name.clone(),
        x: at.x,
        y: at.y,
        residual: at.residual,
    };
    let mut all: Vec<Position> = (0..shown).map(position).collect::<Result<_, _>>()?;
    let marks = anchors.iter().zip(&all).map(mark).collect();
    let (mut ways, mut moved) = (Vec::with_capacity(tracks.len()), Vec::new());
    for track in &tracks {
        let members: Vec<usize> = (next..next + track.points.len()).collect();
        next += track.points.len();
        let places = members.iter().copied().map(position).collect::<Result<Vec<_>, _>>()?;
        ways.push(PlaneTrack {
            name: track.name.clone(),
            points: track.points.iter().zip(&places).map(mark).collect(),
        });
        all.extend(places);
        if track.trained {
            moved.push(members);
        }
    }
    // Without a track the adapters themselves are what moved.
    let moved = if moved.is_empty() { vec![(0..shown).collect()] } else { moved };
    let share_of_motion = plane.share_of_motion(&moved)?;
    if request.shape == PlaneShape::Random && share_of_motion.is_none() {
        warnings.push(
            "what share of the motion of training these random directions hold is not known: show the track of a run, or another adapter, on the plane"
                .into(),
        );
    }
    let (points, margin) = (request.points, request.margin);
    let grid = match request.shape {
        PlaneShape::Through if tracks.is_empty() && shown == 3 => {
            PlaneGrid::new(&plane, points, points, [-margin, 1.0 + margin])
        }
        PlaneShape::Random => PlaneGrid::new(&plane, points, points, DIRECTION_RANGE),
        _ => PlaneGrid::covering(&plane, &all, points, points, margin),
    };
    Ok(Laid { vectors, plane, grid, anchors: marks, tracks: ways, share_of_motion, warnings })
}

/// A track or a curve whose points have the plane's layout.
struct Way {
    name: String,
    points: Vec<Anchor>,
    /// The way of a training, not of a path that was measured.
    trained: bool,
}

/// Reads the tracks and brings all that is on the plane to one layout: the anchors are padded too where a track has a larger
/// rank. Where they have that layout already they stay as they are.
fn with_tracks(
    anchors: &[Anchor],
    request: &PlaneRequest,
    prepared: &Prepared,
) -> Result<(Vec<Anchor>, Vec<Way>), EngineError> {
    if request.tracks.is_empty() && request.curves.is_empty() {
        return Ok((anchors.to_vec(), Vec::new()));
    }
    let mut found: Vec<Found> = anchors.iter().map(Found::from).collect();
    let mut named = Vec::new();
    for track in &request.tracks {
        let folders: Vec<&Path> = track.folders.iter().map(PathBuf::as_path).collect();
        let points = read_all(&folders, prepared)?;
        named.push((track.name.clone(), points.len(), true));
        found.extend(points);
    }
    for curve in &request.curves {
        named.push((curve.name.clone(), curve.points.len(), false));
        found.extend(curve.points.iter().map(|(name, plain)| Found {
            name: name.clone(),
            rank: plain.config.rank,
            plain: plain.clone(),
            base: Base::Same,
        }));
    }
    let mut all = lay_out(found, prepared)?;
    let mut rest = all.split_off(anchors.len());
    let same = all.iter().zip(anchors).all(|(new, old)| new.plain.config == old.plain.config);
    let mut ways = Vec::with_capacity(named.len());
    for (name, count, trained) in named {
        let after = rest.split_off(count.min(rest.len()));
        let points = std::mem::replace(&mut rest, after);
        ways.push(Way { name, points, trained });
    }
    Ok((if same { anchors.to_vec() } else { all }, ways))
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
