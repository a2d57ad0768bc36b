//! Paths and planes that were measured for a window: asked for in plain data, told while they grow, and kept, so that a slider
//! can move along them afterwards.

use super::{
    Anchor, Look, PathGround, PathRequest, PathShape, PlaneGround, PlaneRequest, PlaneShape, Track, explore_path,
    explore_plane, named_anchors,
};
use crate::engine::EngineError;
use crate::engine::control::Control;
use crate::engine::curve::CurveSettings;
use crate::engine::evaluator::read;
use crate::engine::explorer::ExplorerSettings;
use crate::engine::landscape_report::{PathReport, PlaneReport};
use crate::engine::prepare::Prepared;
use crate::engine::protocol::{AdapterSource, Event, PathCommand, PlaneCommand};
use crate::engine::run::{Sink, written_adapters};
use crate::io::peft::read_adapter;
use crate::landscape::refactor::common_layout;
use crate::model::{Adapter, Overlay, PlainAdapter};
use crate::platform::{self, fs};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Points in one pass: few, so that a figure fills in while one looks (on a CPU more at once save a quarter of the time only).
const POINTS_AT_ONCE: usize = 4;
/// A growing figure is told at most once in so many seconds.
const TELL_SECS: f64 = 0.2;
/// Figures that are kept with their adapters; the oldest goes.
const KEPT: usize = 8;

/// What was asked, to find it again: a second look is free.
type Asked = (String, u64, String);

/// Figures of one kind with the adapters that they were measured with, by the front end's number.
struct Kept<Report, Ground>(BTreeMap<u64, (Asked, Report, Ground)>);

impl<Report, Ground> Default for Kept<Report, Ground> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<Report, Ground> Kept<Report, Ground> {
    fn ground(&self, id: u64) -> Option<&Ground> {
        self.0.get(&id).map(|(.., ground)| ground)
    }

    /// The same figure if it was asked for before, from now on under this number.
    fn again(&mut self, id: u64, asked: &Asked) -> Option<&Report> {
        let known = self.0.iter().find(|(_, (known, ..))| known == asked).map(|(key, _)| *key)?;
        let figure = self.0.remove(&known)?;
        self.0.insert(id, figure);
        self.0.get(&id).map(|(_, report, _)| report)
    }

    /// A figure that was stopped can be moved on as far as it goes, and is no answer to the same question.
    fn keep(&mut self, id: u64, asked: Asked, report: Report, ground: Ground, control: &Control) {
        let asked = if control.is_stopped() { Asked::default() } else { asked };
        if self.0.len() >= KEPT {
            self.0.pop_first();
        }
        self.0.insert(id, (asked, report, ground));
    }
}

/// What was measured.
#[derive(Default)]
pub struct Shelf {
    paths: Kept<PathReport, PathGround>,
    planes: Kept<PlaneReport, PlaneGround>,
}

impl Shelf {
    /// The point to lay over the model.
    ///
    /// # Errors
    /// A path or plane that is not there (any more).
    pub fn overlay(&self, source: &AdapterSource) -> Result<Overlay, EngineError> {
        match source {
            AdapterSource::OnPath { path, t } => {
                let ground = self.paths.ground(*path).ok_or_else(gone)?;
                Ok(ground.overlay(*t))
            }
            other => Ok(self.adapter(other)?.vars(false).into()),
        }
    }

    /// The point as one adapter.
    ///
    /// # Errors
    /// A path or plane that is not there (any more), or the product line, whose points are no adapters of its rank.
    pub fn adapter(&self, source: &AdapterSource) -> Result<Adapter, EngineError> {
        match source {
            AdapterSource::OnPath { path, t } => {
                let ground = self.paths.ground(*path).ok_or_else(gone)?;
                ground.adapter(*t).ok_or_else(|| {
                    EngineError::Setting(
                        "a point of the product line has twice the rank and cannot be used as one adapter: choose the line in the factors"
                            .into(),
                    )
                })
            }
            AdapterSource::OnPlane { plane, x, y } => {
                self.planes.ground(*plane).and_then(|ground| ground.adapter(*x, *y)).ok_or_else(gone)
            }
            _ => Err(EngineError::Setting("this is no point of a path or a plane".into())),
        }
    }

    /// Measures a path, or tells it again if the same was asked before.
    ///
    /// # Errors
    /// Adapters that do not fit together, or a device that fails.
    pub async fn measure_path(
        &mut self,
        id: u64,
        command: &PathCommand,
        prepared: &Prepared,
        seed: u64,
        control: &Control,
        emit: Sink<'_>,
    ) -> Result<(), EngineError> {
        let asked = (asked(command, &command.anchors, prepared)?, seed, prepared.model.fingerprint.clone());
        if let Some(report) = self.paths.again(id, &asked) {
            emit(Event::PathMeasured { id, report: Box::new(report.clone()), done: true });
            return Ok(());
        }
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
                learning_rate: 3e-3,
                seed,
                pad_multiple: 16,
            },
        };
        let anchors = self.anchors(&command.anchors, prepared).await?;
        let look = look(&command.anchors, "Path", (command.examples, command.scores), seed);
        let (grown, mut told) = (std::cell::RefCell::new(None::<PathReport>), 0.0);
        let mut keep = |report: PathReport| drop(grown.replace(Some(report)));
        let mut tell = |event: Event| {
            emit(event);
            let now = platform::now_secs();
            if now - told >= TELL_SECS
                && let Some(report) = grown.take()
            {
                told = now;
                emit(Event::PathMeasured { id, report: Box::new(report), done: false });
            }
        };
        let (report, ground) = explore_path(prepared, &anchors, &request, &look, control, &mut tell, &mut keep).await?;
        emit(Event::PathMeasured { id, report: Box::new(report.clone()), done: true });
        self.paths.keep(id, asked, report, ground, control);
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
        prepared: &Prepared,
        seed: u64,
        control: &Control,
        emit: Sink<'_>,
    ) -> Result<(), EngineError> {
        let asked = (asked(command, &command.anchors, prepared)?, seed, prepared.model.fingerprint.clone());
        if let Some(report) = self.planes.again(id, &asked) {
            emit(Event::PlaneMeasured { id, report: Box::new(report.clone()), done: true });
            return Ok(());
        }
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
        let tracks = command.tracks.iter().flat_map(|folder| tracks(Path::new(folder))).collect();
        let request = PlaneRequest { shape, points: command.side, tracks };
        let look = look(&command.anchors, "Plane", (command.examples, command.scores), seed);
        let (grown, mut told) = (std::cell::RefCell::new(None::<PlaneReport>), 0.0);
        let mut keep = |report: PlaneReport| drop(grown.replace(Some(report)));
        let mut tell = |event: Event| {
            emit(event);
            let now = platform::now_secs();
            if now - told >= TELL_SECS
                && let Some(report) = grown.take()
            {
                told = now;
                emit(Event::PlaneMeasured { id, report: Box::new(report), done: false });
            }
        };
        let explored = explore_plane(prepared, (&anchors, laying), &request, &look, control, &mut tell, &mut keep);
        let (report, ground) = explored.await?;
        emit(Event::PlaneMeasured { id, report: Box::new(report.clone()), done: true });
        self.planes.keep(id, asked, report, ground, control);
        Ok(())
    }

    async fn anchors(
        &self,
        sources: &[(String, AdapterSource)],
        prepared: &Prepared,
    ) -> Result<Vec<Anchor>, EngineError> {
        let model = &prepared.model.llama.config;
        let mut plain = Vec::with_capacity(sources.len());
        for (name, source) in sources {
            plain.push(match source {
                AdapterSource::Folder { path } => read_adapter(Path::new(path), model)?.adapter,
                AdapterSource::OnPath { .. } | AdapterSource::OnPlane { .. } => {
                    let adapter = self.adapter(source)?;
                    Adapter::plain(adapter.layout(), &read(adapter.flat()).await?)
                }
                AdapterSource::Base | AdapterSource::Live { .. } => {
                    return Err(EngineError::Setting(format!(
                        "`{name}` cannot be an end of a path or lay a plane: choose adapters from the folder of a run"
                    )));
                }
            });
        }
        let plain: Vec<PlainAdapter> = common_layout(&plain.iter().collect::<Vec<_>>())?;
        named_anchors(sources.iter().map(|(name, _)| name.clone()).collect(), plain, prepared)
    }
}

fn gone() -> EngineError {
    EngineError::Setting(
        "this path or plane is not in memory any more: measure it again, then look at its points".into(),
    )
}

/// What was asked, on which tasks, with the time stamps of the adapters' files: a folder whose content was replaced is another adapter.
fn asked(
    command: &impl serde::Serialize,
    anchors: &[(String, AdapterSource)],
    prepared: &Prepared,
) -> Result<String, EngineError> {
    let stamp = |path: &str| {
        let file = fs::metadata(Path::new(path).join("adapter_model.safetensors")).ok();
        file.map(|file| format!("{:?} {}", file.modified().ok(), file.len())).unwrap_or_default()
    };
    let mut text = serde_json::to_string(command).map_err(|error| EngineError::Setting(error.to_string()))?;
    for task in &prepared.tasks {
        text += &format!(" {} {} {} {}", task.task.name, task.task.source, task.train.len(), task.task.eval.len());
    }
    for (_, source) in anchors {
        if let AdapterSource::Folder { path } = source {
            text += &stamp(path);
        }
    }
    Ok(text)
}

fn look(anchors: &[(String, AdapterSource)], what: &str, (examples, scores): (usize, bool), seed: u64) -> Look {
    let names: Vec<&str> = anchors.iter().map(|(name, _)| name.as_str()).collect();
    Look {
        title: format!("{what}: {}", names.join(" - ")),
        seed,
        explorer: ExplorerSettings { examples, points_at_once: POINTS_AT_ONCE, scores },
        command: String::new(),
    }
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
