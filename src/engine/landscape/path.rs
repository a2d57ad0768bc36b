//! Paths between adapters: straight in the factors or in the updates, along the great circle, or along a trained curve.

use super::bending::{Bent, Glance, bend};
use super::known::{digests, point, survey};
use super::{Anchor, Look, TaskNames, Watch, check_bases, clock, column, gram};
use crate::engine::EngineError;
use crate::engine::control::Control;
use crate::engine::curve::CurveSettings;
use crate::engine::explorer::{Explorer, Measured};
use crate::engine::landscape_report::{
    BarrierLine, CurveTraining, GainLine, PathBeside, PathMark, PathPoint, PathReport,
};
use crate::engine::prepare::Prepared;
use crate::engine::run::Sink;
use crate::landscape::barrier::{barrier, gain, mean_over_tasks};
use crate::landscape::path::{Path, arc_lengths, coarse_to_fine, grid, grid_between};
use crate::landscape::refactor::combine_updates;
use crate::landscape::similarity::updates::update_distance;
use crate::model::{Adapter, AdapterVars, Overlay, PlainAdapter};
use crate::platform;
use std::ops::Range;

/// The form of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathShape {
    /// Straight in the factors; through all anchors when there are more than two.
    Line,
    /// Straight in the updates `B A`: `(1 - t) B_a A_a + t B_b A_b`, which has twice the rank and is never multiplied out.
    Product,
    Slerp,
    /// With trained bends.
    Bezier,
    PolyChain,
}

/// What is asked of a path.
#[derive(Clone, Debug)]
pub struct PathRequest {
    pub shape: PathShape,
    /// Points, ends included.
    pub points: usize,
    /// How far a straight line goes on beyond its ends, as a share of it.
    pub beyond: f64,
    /// For [`PathShape::Bezier`] and [`PathShape::PolyChain`].
    pub curve: CurveSettings,
    /// Somebody watches the bends being trained: the curve is looked at now and then while it bends.
    pub watches: bool,
}

/// Where the points of a measured path are.
pub struct PathGround {
    shape: PathShape,
    /// Ends and bends.
    controls: Vec<Adapter>,
    /// The two ends of a product line on the host.
    plain: Vec<PlainAdapter>,
    path: Path,
}

impl PathGround {
    /// The point at `t`, to lay over the model.
    #[must_use]
    pub fn overlay(&self, t: f64) -> Overlay {
        factors_at(self.shape, &self.controls, &[self.path.coefficients(t)]).into()
    }

    /// The point at `t` as one adapter; `None` on the product line, whose points have twice the rank.
    #[must_use]
    pub fn adapter(&self, t: f64) -> Option<Adapter> {
        let first = self.controls.first().filter(|_| self.shape != PathShape::Product)?;
        Some(first.combine(&self.controls, &self.path.coefficients(t)))
    }

    /// The point at `t` on a product line as an adapter: its update factored anew by a singular value decomposition, with the sum
    /// of both ranks, so that nothing is lost. `None` on other paths.
    ///
    /// # Errors
    /// A `t` that is not finite.
    pub fn refactored(&self, t: f64) -> Result<Option<PlainAdapter>, EngineError> {
        let (PathShape::Product, [a, b]) = (self.shape, self.plain.as_slice()) else { return Ok(None) };
        let weights = self.path.coefficients(t);
        let terms: Vec<(f64, &PlainAdapter)> = weights.into_iter().zip([a, b]).collect();
        Ok(Some(combine_updates(&terms, a.config.rank + b.config.rank)?.adapter))
    }
}

/// Measures a path through the anchors: its ends first, then halfway between what is there. `partial` is given what is known
/// after each pass.
///
/// # Errors
/// A form that does not go with so many anchors, or a device that fails. After a stop the report holds what was measured.
pub async fn explore_path(
    prepared: &Prepared,
    anchors: &[Anchor],
    request: &PathRequest,
    look: &Look,
    control: &Control,
    emit: Sink<'_>,
    partial: &mut dyn FnMut(PathReport),
) -> Result<(PathReport, PathGround), EngineError> {
    let (start, started_unix) = clock();
    let two = <&[Anchor; 2]>::try_from(anchors).ok();
    if request.points < 2 || anchors.len() < 2 {
        return Err(EngineError::Setting("a path needs at least two adapters and two points".into()));
    }
    if two.is_none() && request.shape != PathShape::Line {
        return Err(EngineError::Setting(format!(
            "this form of a path joins two adapters, and {} were given: give two, or choose `line`, which goes through all",
            anchors.len()
        )));
    }
    let mut watch = Watch { control, emit, done: 0, total: 0 };
    let mut warnings = check_bases(anchors.iter(), prepared)?;
    let mut training = None;
    let mut names: Vec<String> = anchors.iter().map(|anchor| anchor.name.clone()).collect();
    let mut controls: Vec<Adapter> = anchors.iter().map(|anchor| anchor.adapter.clone()).collect();
    let path = match (request.shape, two) {
        (PathShape::Slerp, Some(_)) => Path::slerp(&gram(&controls).await?)?,
        (PathShape::Bezier | PathShape::PolyChain, Some([first, last])) => {
            let points = request.curve.bends + 2;
            let curve =
                if request.shape == PathShape::Bezier { Path::bezier(points)? } else { Path::poly_chain(points)? };
            for bend in 1..=request.curve.bends {
                names.insert(bend, format!("bend {bend}"));
            }
            let tasks = TaskNames::of(prepared);
            let mut show = |glance: Glance| {
                let lengths = vec![0.0; glance.ts.len()];
                let coefficients: Vec<Vec<f64>> = glance.ts.iter().map(|&t| curve.coefficients(t)).collect();
                let measured: Vec<Option<Measured>> = glance.measured.into_iter().map(Some).collect();
                let along = Along { ts: &glance.ts, coefficients: &coefficients, lengths: &lengths };
                let outcome = Outcome { names: &names, marks: &[], tasks: &tasks, training: Some(glance.training) };
                let name = curve.name();
                if let Ok(report) = outcome.report(prepared, look, (name, started_unix, start), &along, &measured) {
                    partial(report);
                }
            };
            let ends = [&first.adapter, &last.adapter];
            let asked = (&request.curve, look, request.watches);
            let bent = Box::pin(bend(prepared, (ends, &curve), asked, (&mut watch, control), &mut show)).await?;
            let Bent { controls: bent, training: told } = bent;
            if told.done < told.steps {
                warnings.push(format!("the curve was stopped after {} of {} steps", told.done, told.steps));
            }
            (controls, training) = (bent, Some(told));
            curve
        }
        (_, Some(_)) => Path::line(),
        (_, None) => Path::chain_by_length(&gram(&controls).await?)?,
    };
    // The adapters that a chain goes through, and its trained corners, are measured, and shown, wherever they stand: a straight
    // piece is highest or lowest there as often as anywhere.
    let cornered = two.is_none() || request.shape == PathShape::PolyChain;
    let knots = if cornered { path.knots() } else { Vec::new() };
    let mut ts = if path.extrapolates() && request.beyond > 0.0 {
        grid_between(-request.beyond, 1.0 + request.beyond, request.points)
    } else {
        grid(request.points)
    };
    // The ends stay on the grid: chords and barriers start there.
    ts.extend([0.0, 1.0].iter().chain(&knots));
    ts.sort_by(f64::total_cmp);
    ts.dedup();
    let coefficients: Vec<Vec<f64>> = ts.iter().map(|&t| path.coefficients(t)).collect();
    let order = coarse_to_fine(ts.len());
    let lengths = match (request.shape, two) {
        // The way is straight in the updates, so its length is their distance.
        (PathShape::Product, Some([a, b])) => {
            let whole = update_distance(&a.plain, &b.plain)?;
            let from = ts.first().copied().unwrap_or_default();
            ts.iter().map(|t| (t - from) * whole).collect()
        }
        _ => arc_lengths(&gram(&controls).await?, &coefficients)?,
    };
    let marks: Vec<PathMark> = names.iter().zip(knots).map(|(name, t)| PathMark { name: name.clone(), t }).collect();
    let tasks = TaskNames::of(prepared);
    let kind = if request.shape == PathShape::Product { "product line" } else { path.name() };
    let along = Along { ts: &ts, coefficients: &coefficients, lengths: &lengths };
    let outcome = Outcome { names: &names, marks: &marks, tasks: &tasks, training };
    let explorer = Explorer::new(prepared, look.explorer)?.stopped_by(control);
    let kind_of_point = if request.shape == PathShape::Product { "product" } else { "factors" };
    let contents = digests(&controls).await?;
    let points: Vec<_> = order.iter().map(|&index| point(kind_of_point, &contents, &coefficients[index])).collect();
    let make = |turns: &[usize]| {
        let places: Vec<Vec<f64>> = turns.iter().map(|&turn| coefficients[order[turn]].clone()).collect();
        factors_at(request.shape, &controls, &places)
    };
    watch.phase("measuring", kind, ts.len());
    let mut slots: Vec<Option<Measured>> = vec![None; ts.len()];
    let when = (kind, started_unix, start);
    let mut tell = |part: &[(usize, Measured)]| {
        for (turn, measured) in part {
            slots[order[*turn]] = Some(measured.clone());
        }
        // A part without both ends has no chord yet and is not told.
        if let Ok(report) = outcome.report(prepared, look, when, &along, &slots) {
            partial(report);
        }
        watch.advance(part.len())
    };
    let measured = survey(&explorer, (&look.known, prepared), (&points, &make), &mut tell).await?;
    if measured < ts.len() {
        warnings.push(format!("stopped after {measured} of {} points", ts.len()));
    }
    let mut report = outcome.report(prepared, look, when, &along, &slots)?;
    report.warnings = warnings;
    let plain = if request.shape == PathShape::Product {
        anchors.iter().map(|a| a.plain.clone()).collect()
    } else {
        Vec::new()
    };
    Ok((report, PathGround { shape: request.shape, controls, plain, path }))
}

/// The points of a path, in ascending order of `t`.
struct Along<'a> {
    ts: &'a [f64],
    coefficients: &'a [Vec<f64>],
    lengths: &'a [f64],
}

/// What a report says besides the points.
struct Outcome<'a> {
    names: &'a [String],
    marks: &'a [PathMark],
    tasks: &'a TaskNames,
    training: Option<CurveTraining>,
}

impl Outcome<'_> {
    /// What is known of the points so far. `when` is the kind of the path, when it was begun, and the clock at that time.
    fn report(
        &self,
        prepared: &Prepared,
        look: &Look,
        (kind, started_unix, start): (&str, u64, f64),
        along: &Along<'_>,
        slots: &[Option<Measured>],
    ) -> Result<PathReport, EngineError> {
        let (model, tasks) = (&prepared.model, self.tasks);
        let known: Vec<usize> = (0..slots.len()).filter(|&index| slots[index].is_some()).collect();
        let at: Vec<f64> = known.iter().map(|&index| along.ts[index]).collect();
        let measured: Vec<Measured> = known.iter().filter_map(|&index| slots[index].clone()).collect();
        let judged = judge(&at, &measured, &tasks.names)?;
        let points = known.iter().zip(measured).map(|(&index, measured)| PathPoint {
            t: along.ts[index],
            coefficients: along.coefficients[index].clone(),
            arc_length: along.lengths[index],
            losses: measured.losses,
            scores: measured.scores,
        });
        Ok(PathReport {
            title: look.title.clone(),
            model: model.name.clone(),
            device: model.device_name.clone(),
            seed: look.seed,
            kind: kind.into(),
            ends: self.names.to_vec(),
            marks: self.marks.to_vec(),
            points: points.collect(),
            tasks: tasks.names.clone(),
            metrics: tasks.metrics.clone(),
            chance: tasks.chance.clone(),
            barriers: judged.barriers,
            gain: judged.gain,
            beside: Vec::new(),
            planned: along.ts.len(),
            training: self.training.clone(),
            examples_per_task: look.explorer.examples,
            command: look.command.clone(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            started_unix,
            secs: platform::now_secs() - start,
            warnings: Vec::new(),
        })
    }
}

/// Where adapters that a measured path does not go through are nearest to it, with their own values. On the product line, whose
/// points have other factors, they have no place.
///
/// # Errors
/// Adapters of another layout, or a device that fails.
pub async fn beside_path(
    prepared: &Prepared,
    ground: &PathGround,
    report: &PathReport,
    also: &[Anchor],
    look: &Look,
    control: &Control,
) -> Result<Vec<PathBeside>, EngineError> {
    if also.is_empty() || ground.shape == PathShape::Product {
        return Ok(Vec::new());
    }
    let controls = ground.controls.len();
    let adapters: Vec<Adapter> = also.iter().map(|anchor| anchor.adapter.clone()).collect();
    let gram = gram(&[ground.controls.as_slice(), &adapters].concat()).await?;
    let points = |range: Range<usize>| Adapter::stack(&adapters[range].iter().collect::<Vec<_>>());
    let explorer = Explorer::new(prepared, look.explorer)?.stopped_by(control);
    let measured = explorer.measure(also.len(), &points, &mut |_, _| !control.is_stopped()).await?;
    let mut places = Vec::with_capacity(also.len());
    for (index, (anchor, measured)) in also.iter().zip(measured).enumerate() {
        let own = gram.anchor(controls + index)?;
        let mut nearest = (0.0, f64::INFINITY);
        for point in &report.points {
            let distance = gram.distance(&point.coefficients, &own)?;
            if distance < nearest.1 {
                nearest = (point.t, distance);
            }
        }
        places.push(PathBeside {
            name: anchor.name.clone(),
            t: nearest.0,
            distance: nearest.1,
            losses: measured.losses,
            scores: measured.scores,
        });
    }
    Ok(places)
}

/// The factors of some points, one block each. Of the product line a point is both adapters, each with its weight.
fn factors_at(shape: PathShape, controls: &[Adapter], coefficients: &[Vec<f64>]) -> AdapterVars {
    if let (PathShape::Product, [a, b]) = (shape, controls) {
        let stacked = |adapter: &Adapter, index: usize| {
            let weights: Vec<f64> = coefficients.iter().map(|point| point[index]).collect();
            Adapter::stack(&vec![adapter; weights.len()]).weighted(&weights)
        };
        return stacked(a, 0).beside(&stacked(b, 1));
    }
    let points: Vec<Adapter> =
        coefficients.iter().map(|coefficients| controls[0].combine(controls, coefficients)).collect();
    Adapter::stack(&points.iter().collect::<Vec<_>>())
}

/// What the values along a path say.
struct Judged {
    barriers: Vec<BarrierLine>,
    gain: Option<GainLine>,
}

fn judge(ts: &[f64], measured: &[Measured], tasks: &[String]) -> Result<Judged, EngineError> {
    let losses: Vec<_> = (0..tasks.len()).map(|task| column(measured, task, |point| &point.losses)).collect();
    let scores: Vec<_> = (0..tasks.len()).map(|task| column(measured, task, |point| &point.scores)).collect();
    let line = |task: Option<&String>, values: &[Option<f64>]| -> Result<BarrierLine, EngineError> {
        let barrier = barrier(ts, values)?;
        Ok(BarrierLine {
            task: task.cloned(),
            entezari: barrier.entezari,
            frankle: barrier.frankle,
            entezari_at: barrier.entezari_at,
            frankle_at: barrier.frankle_at,
            holes: barrier.holes > 0,
        })
    };
    let mut barriers = vec![line(None, &mean_over_tasks(&losses)?)?];
    for (task, losses) in tasks.iter().zip(&losses) {
        barriers.push(line(Some(task), losses)?);
    }
    let gain = gain(ts, &mean_over_tasks(&scores)?)?;
    Ok(Judged { barriers, gain: gain.map(|gain| GainLine { gain: gain.gain, at_t: gain.at }) })
}
