//! Paths and planes that were measured for a window: asked for in plain data, told while they grow, and kept, so that a slider
//! can move along them afterwards.

use super::known::{Digest, digest, digests, training};
use super::{
    Anchor, Curve, Found, Known, Look, PathGround, PathRequest, PathShape, PlaneGround, PlaneRequest, PlaneShape,
    Track, base, command_line, explore_path, explore_plane, explore_similarity, lay_out,
};
use crate::engine::EngineError;
use crate::engine::config::ExperimentConfig;
use crate::engine::control::Control;
use crate::engine::curve::CurveSettings;
use crate::engine::evaluator::read;
use crate::engine::explorer::{Explorer, ExplorerSettings};
use crate::engine::landscape_report::{PathReport, PlaneReport};
use crate::engine::prepare::Prepared;
use crate::engine::protocol::{AdapterSource, Event, PathCommand, PlaneCommand, SimilarityCommand};
use crate::engine::run::{Sink, written_adapters};
use crate::landscape::path::grid;
use crate::model::{Adapter, Overlay, PlainAdapter};
use crate::platform::{self, fs};
use std::cell::Cell;
use std::collections::{BTreeMap, VecDeque};
use std::path::{Path, PathBuf};
use std::rc::Rc;

/// A growing figure is told at most once in so many seconds.
const TELL_SECS: f64 = 0.2;
/// Figures that are kept with their adapters; the oldest goes.
const KEPT: usize = 8;
/// Points of a path that are drawn on a plane.
const DRAWN: usize = 25;

/// The model that a figure was measured with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MeasuredModel {
    pub name: String,
    pub fingerprint: String,
    device: String,
}

impl MeasuredModel {
    fn of(prepared: &Prepared) -> Self {
        let model = &prepared.model;
        Self { name: model.name.clone(), fingerprint: model.fingerprint.clone(), device: model.device_name.clone() }
    }
}

/// One figure with the adapters that it was measured with.
struct Figure<Report, Ground> {
    /// What was asked, by content, to find it again; `None` for a figure that was stopped, which is no answer to the question.
    asked: Option<Digest>,
    model: MeasuredModel,
    report: Report,
    ground: Ground,
}

/// Figures of one kind. A front end that asks for the same again has two numbers for one figure.
struct Kept<Report, Ground> {
    figures: VecDeque<Rc<Figure<Report, Ground>>>,
    numbers: BTreeMap<u64, Rc<Figure<Report, Ground>>>,
}

impl<Report, Ground> Default for Kept<Report, Ground> {
    fn default() -> Self {
        Self { figures: VecDeque::new(), numbers: BTreeMap::new() }
    }
}

impl<Report, Ground> Kept<Report, Ground> {
    fn figure(&self, id: u64) -> Result<&Figure<Report, Ground>, EngineError> {
        self.numbers.get(&id).map(Rc::as_ref).ok_or_else(gone)
    }

    /// The same figure if it was asked for before, from now on under this number as well.
    fn again(&mut self, id: u64, asked: Digest) -> Option<&Report> {
        let known = self.figures.iter().find(|figure| figure.asked == Some(asked))?.clone();
        self.numbers.insert(id, known);
        self.numbers.get(&id).map(|figure| &figure.report)
    }

    fn keep(&mut self, id: u64, figure: Figure<Report, Ground>) {
        if self.figures.len() >= KEPT
            && let Some(oldest) = self.figures.pop_front()
        {
            self.numbers.retain(|_, figure| !Rc::ptr_eq(figure, &oldest));
        }
        let figure = Rc::new(figure);
        self.figures.push_back(figure.clone());
        self.numbers.insert(id, figure);
    }
}

/// A figure that is still being measured.
struct Growing<Report> {
    newest: Cell<Option<Report>>,
    told_secs: Cell<f64>,
}

impl<Report> Default for Growing<Report> {
    fn default() -> Self {
        Self { newest: Cell::new(None), told_secs: Cell::new(0.0) }
    }
}

impl<Report> Growing<Report> {
    fn keep(&self, report: Report) {
        self.newest.set(Some(report));
    }

    /// The newest state, where it was not told yet and the last one was told [`TELL_SECS`] ago.
    fn due(&self) -> Option<Report> {
        let now = platform::now_secs();
        if now - self.told_secs.get() < TELL_SECS {
            return None;
        }
        let report = self.newest.take()?;
        self.told_secs.set(now);
        Some(report)
    }
}

/// What was measured.
#[derive(Default)]
pub struct Shelf {
    paths: Kept<PathReport, PathGround>,
    planes: Kept<PlaneReport, PlaneGround>,
    known: Known,
}

impl Shelf {
    /// The point to lay over the model.
    ///
    /// # Errors
    /// A path or plane that is not there (any more), or was measured with another model.
    pub fn overlay(&self, source: &AdapterSource, prepared: &Prepared) -> Result<Overlay, EngineError> {
        let own = |model: &MeasuredModel| {
            (*model == MeasuredModel::of(prepared)).then_some(()).ok_or_else(|| {
                EngineError::Setting(
                    "this path or plane was measured with another model or on another device: measure it again".into(),
                )
            })
        };
        match source {
            AdapterSource::OnPath { path, t } => {
                let figure = self.paths.figure(*path)?;
                own(&figure.model)?;
                Ok(figure.ground.overlay(*t))
            }
            AdapterSource::OnPlane { plane, x, y } => {
                let figure = self.planes.figure(*plane)?;
                own(&figure.model)?;
                Ok(figure.ground.adapter(*x, *y).ok_or_else(gone)?.vars(false).into())
            }
            _ => Err(no_point()),
        }
    }

    /// The point as one adapter on the host, and the model that it belongs to. A point of the product line is factored anew.
    ///
    /// # Errors
    /// A path or plane that is not there (any more), or a device that fails.
    pub async fn point(&self, source: &AdapterSource) -> Result<(PlainAdapter, MeasuredModel), EngineError> {
        let (adapter, model) = match source {
            AdapterSource::OnPath { path, t } => {
                let figure = self.paths.figure(*path)?;
                if let Some(plain) = figure.ground.refactored(*t)? {
                    return Ok((plain, figure.model.clone()));
                }
                (figure.ground.adapter(*t), figure.model.clone())
            }
            AdapterSource::OnPlane { plane, x, y } => {
                let figure = self.planes.figure(*plane)?;
                (figure.ground.adapter(*x, *y), figure.model.clone())
            }
            _ => return Err(no_point()),
        };
        let adapter = adapter.ok_or_else(gone)?;
        Ok((Adapter::plain(adapter.layout(), &read(adapter.flat()).await?), model))
    }

    /// Measures a path, or tells it again if the same was asked before.
    ///
    /// # Errors
    /// Adapters that do not fit together, or a device that fails.
    pub async fn measure_path(
        &mut self,
        id: u64,
        command: &PathCommand,
        (prepared, experiment): (&Prepared, &ExperimentConfig),
        control: &Control,
        emit: Sink<'_>,
    ) -> Result<(), EngineError> {
        let shape = match command.shape.as_str() {
            "line" => PathShape::Line,
            "product" => PathShape::Product,
            "slerp" => PathShape::Slerp,
            "bezier" => PathShape::Bezier,
            "polychain" => PathShape::PolyChain,
            other => {
                return Err(EngineError::Setting(format!(
                    "`{other}` is no form of a path: use line, product, slerp, bezier or polychain"
                )));
            }
        };
        let request = PathRequest {
            shape,
            points: command.points,
            beyond: command.beyond,
            curve: CurveSettings {
                bends: command.bends.max(1),
                steps: command.steps,
                batch_size: 16,
                learning_rate: command.learning_rate,
                seed: experiment.seed,
                pad_multiple: 8,
            },
            watches: true,
        };
        if !(command.learning_rate.is_finite() && command.learning_rate > 0.0) {
            return Err(EngineError::Setting("the learning rate of a curve must be a number above 0".into()));
        }
        let anchors = self.anchors(&command.anchors, prepared).await?;
        let mut look = self.look((&command.anchors, "Path"), (command.examples, command.scores), experiment);
        look.command = command_line::path(command, experiment).unwrap_or_default();
        let asked = asked(command, &anchors, &[], (prepared, &look)).await?;
        if let Some(report) = self.paths.again(id, asked) {
            emit(Event::PathMeasured { id, report: Box::new(report.clone()), done: true });
            return Ok(());
        }
        let growing = Growing::default();
        let mut keep = |report: PathReport| growing.keep(report);
        let mut tell = |event: Event| {
            emit(event);
            if let Some(report) = growing.due() {
                emit(Event::PathMeasured { id, report: Box::new(report), done: false });
            }
        };
        let explored = explore_path(prepared, &anchors, &request, &look, control, &mut tell, &mut keep);
        let (report, ground) = Box::pin(explored).await?;
        emit(Event::PathMeasured { id, report: Box::new(report.clone()), done: true });
        let (asked, model) = (report.is_whole().then_some(asked), MeasuredModel::of(prepared));
        self.paths.keep(id, Figure { asked, model, report, ground });
        Ok(())
    }

    /// Measures a plane, or tells it again if the same was asked before.
    ///
    /// # Errors
    /// Adapters that lay no plane, or a device that fails.
    pub async fn measure_plane(
        &mut self,
        id: u64,
        command: &PlaneCommand,
        (prepared, experiment): (&Prepared, &ExperimentConfig),
        control: &Control,
        emit: Sink<'_>,
    ) -> Result<(), EngineError> {
        let shape = match command.shape.as_str() {
            "three adapters" => PlaneShape::Through,
            "PCA" => PlaneShape::Principal,
            "random directions" => PlaneShape::Random,
            other => {
                return Err(EngineError::Setting(format!(
                    "`{other}` is no plane: use three adapters, PCA or random directions"
                )));
            }
        };
        let laying = command.anchors.len();
        let all: Vec<(String, AdapterSource)> = command.anchors.iter().chain(&command.others).cloned().collect();
        let anchors = self.anchors(&all, prepared).await?;
        let tracks: Vec<Track> = command.tracks.iter().flat_map(|folder| tracks(Path::new(folder))).collect();
        let mut curves = Vec::with_capacity(command.curves.len());
        for (name, path) in &command.curves {
            curves.push(self.curve(name, *path).await?);
        }
        let mut look = self.look((&command.anchors, "Plane"), (command.examples, command.scores), experiment);
        look.command = command_line::plane(command, experiment).unwrap_or_default();
        let asked = asked(command, &anchors, &tracks, (prepared, &look)).await?;
        if let Some(report) = self.planes.again(id, asked) {
            emit(Event::PlaneMeasured { id, report: Box::new(report.clone()), done: true });
            return Ok(());
        }
        let request = PlaneRequest { shape, points: command.side, margin: command.margin, tracks, curves };
        let growing = Growing::default();
        let mut keep = |report: PlaneReport| growing.keep(report);
        let mut tell = |event: Event| {
            emit(event);
            if let Some(report) = growing.due() {
                emit(Event::PlaneMeasured { id, report: Box::new(report), done: false });
            }
        };
        let explored = explore_plane(prepared, (&anchors, laying), &request, &look, control, &mut tell, &mut keep);
        let (report, ground) = Box::pin(explored).await?;
        emit(Event::PlaneMeasured { id, report: Box::new(report.clone()), done: true });
        let (asked, model) = ((report.unmeasured() == 0).then_some(asked), MeasuredModel::of(prepared));
        self.planes.keep(id, Figure { asked, model, report, ground });
        Ok(())
    }

    /// Compares adapters with one another.
    ///
    /// # Errors
    /// Adapters that do not fit together, or a device that fails.
    pub async fn measure_similarity(
        &mut self,
        id: u64,
        command: &SimilarityCommand,
        (prepared, experiment): (&Prepared, &ExperimentConfig),
        control: &Control,
        emit: Sink<'_>,
    ) -> Result<(), EngineError> {
        let anchors = self.anchors(&command.adapters, prepared).await?;
        let mut look = self.look((&command.adapters, "Similarity"), (command.examples, false), experiment);
        look.command = command_line::similarity(command, experiment).unwrap_or_default();
        let report = explore_similarity(prepared, &anchors, command.features, &look, control, emit).await?;
        emit(Event::SimilarityMeasured { id, report: Box::new(report) });
        Ok(())
    }

    /// Points of a measured path, to be drawn on a plane; only its ends have names.
    async fn curve(&self, name: &str, path: u64) -> Result<Curve, EngineError> {
        let figure = self.paths.figure(path)?;
        let mut points = Vec::with_capacity(DRAWN);
        for (index, t) in grid(DRAWN).into_iter().enumerate() {
            let adapter = figure.ground.adapter(t).ok_or_else(|| {
                EngineError::Setting(
                    "the points of a product line have twice the rank and lie in no plane of factors: choose another path".into(),
                )
            })?;
            let end = index == 0 || index + 1 == DRAWN;
            let named = if end { format!("{name}, t = {t}") } else { String::new() };
            points.push((named, Adapter::plain(adapter.layout(), &read(adapter.flat()).await?)));
        }
        Ok(Curve { name: name.to_string(), points })
    }

    fn look(
        &self,
        (anchors, what): (&[(String, AdapterSource)], &str),
        (examples, scores): (usize, bool),
        experiment: &ExperimentConfig,
    ) -> Look {
        let names: Vec<&str> = anchors.iter().map(|(name, _)| name.as_str()).collect();
        Look {
            title: format!("{what}: {}", names.join(" - ")),
            seed: experiment.seed,
            // As many points in a pass as suit the device: on a CPU one, so that a figure fills in while one looks.
            explorer: ExplorerSettings { examples, points_at_once: 0, scores },
            command: String::new(),
            known: self.known.clone(),
        }
    }

    async fn anchors(
        &self,
        sources: &[(String, AdapterSource)],
        prepared: &Prepared,
    ) -> Result<Vec<Anchor>, EngineError> {
        let mut found = Vec::with_capacity(sources.len());
        for (name, source) in sources {
            found.push(match source {
                AdapterSource::Folder { path } => Found::read(name.clone(), Path::new(path), prepared)?,
                AdapterSource::OnPath { .. } | AdapterSource::OnPlane { .. } => {
                    let (plain, model) = self.point(source).await?;
                    let base = base(Some(&model.fingerprint), Some(model.name), &prepared.model.fingerprint);
                    Found { name: name.clone(), rank: plain.config.rank, plain, base }
                }
                AdapterSource::Base | AdapterSource::Live { .. } => {
                    return Err(EngineError::Setting(format!(
                        "`{name}` cannot be an end of a path or lay a plane: choose adapters from the folder of a run"
                    )));
                }
            });
        }
        lay_out(found, prepared)
    }
}

fn gone() -> EngineError {
    EngineError::Setting(
        "this path or plane is not in memory any more: measure it again, then look at its points".into(),
    )
}

fn no_point() -> EngineError {
    EngineError::Setting("this is no point of a path or a plane".into())
}

/// What was asked, by content: the command, the values of the adapters (a folder whose files were replaced is another adapter),
/// the tracks' files, the examples that are measured, those that bend a curve, the model and its device.
async fn asked(
    command: &impl serde::Serialize,
    anchors: &[Anchor],
    tracks: &[Track],
    (prepared, look): (&Prepared, &Look),
) -> Result<Digest, EngineError> {
    let words = serde_json::to_string(command).map_err(|error| EngineError::Setting(error.to_string()))?;
    let model = MeasuredModel::of(prepared);
    let place = format!("{} {} {} {}", model.name, model.fingerprint, model.device, look.seed);
    let adapters: Vec<Adapter> = anchors.iter().map(|anchor| anchor.adapter.clone()).collect();
    let explorer = Explorer::new(prepared, look.explorer)?;
    let mut contents = digests(&adapters).await?;
    contents.extend_from_slice(explorer.contents());
    contents.push(training(prepared));
    for folder in tracks.iter().flat_map(|track| &track.folders) {
        let files = ["adapter_config.json", "adapter_model.safetensors"].map(|name| fs::read(folder.join(name)));
        contents.push(digest(files.iter().map(|file| file.as_ref().map_or(&[][..], Vec::as_slice))));
    }
    let parts = [words.as_bytes(), place.as_bytes()];
    Ok(digest(parts.into_iter().chain(contents.iter().map(Digest::as_slice))))
}

/// The ways of a run's learners from task to task.
fn tracks(run: &Path) -> Vec<Track> {
    let name = run.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut tracks: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (_, learner, path) in written_adapters(run) {
        tracks.entry(learner).or_default().push(path.into());
    }
    tracks.into_iter().map(|(learner, folders)| Track { name: format!("{name}, {learner}"), folders }).collect()
}
