//! The training of a curve's bends as it is watched: now and then the losses along the curve as it lies, and how far it has
//! bent away from the chord.

use super::known::{Digest, digest, digests, training};
use super::{Look, Watch, gram};
use crate::engine::EngineError;
use crate::engine::control::Control;
use crate::engine::curve::{Bender, CurveSettings};
use crate::engine::evaluator::read;
use crate::engine::explorer::{Explorer, ExplorerSettings, Measured};
use crate::engine::landscape_report::CurveTraining;
use crate::engine::prepare::Prepared;
use crate::landscape::gram::Gram;
use crate::landscape::path::{Path, grid};
use crate::model::Adapter;
use crate::platform;
use std::ops::Range;

/// Points of the curve that are looked at in between, ends included, and examples of each task there: a glance.
const GLANCE_POINTS: usize = 7;
const GLANCE_EXAMPLES: usize = 8;
/// A glance is taken at most once in so many seconds, and at most this share of the time is spent on them.
const GLANCE_SECS: f64 = 0.5;
const GLANCE_SHARE: f64 = 0.2;
/// Losses that are kept of a whole training.
const LOSSES: usize = 200;
/// Points of the drawn outline.
const OUTLINE: usize = 25;

/// The curve as somebody sees it in between.
pub(super) struct Glance {
    pub ts: Vec<f64>,
    pub measured: Vec<Measured>,
    pub training: CurveTraining,
}

/// A curve at the end of its training, or where it was stopped.
pub(super) struct Bent {
    pub controls: Vec<Adapter>,
    pub training: CurveTraining,
}

/// Trains the bends between two adapters, from where an earlier training of the same was stopped. `show` is given what the
/// curve looks like in between, if somebody `watches`.
pub(super) async fn bend(
    prepared: &Prepared,
    (ends, curve): ([&Adapter; 2], &Path),
    (settings, look, watches): (&CurveSettings, &Look, bool),
    (watch, control): (&mut Watch<'_, '_>, &Control),
    show: &mut dyn FnMut(Glance),
) -> Result<Bent, EngineError> {
    let key = content(prepared, ends, curve, settings).await?;
    let mut bender = look.known.take_curve(&key).unwrap_or_else(|| Bender::new(ends, settings.clone()));
    let weights = |t: f64| curve.coefficients(t);
    let settings_of_glance =
        ExplorerSettings { examples: GLANCE_EXAMPLES.min(look.explorer.examples), scores: false, ..look.explorer };
    let explorer = Explorer::new(prepared, settings_of_glance)?.stopped_by(control);
    let every = settings.steps.div_ceil(LOSSES).max(1);
    let (mut last, mut cost) = (f64::NEG_INFINITY, 0.0);
    watch.phase("bending", "training the curve", settings.steps);
    watch.done = bender.steps();
    let mut go_on = !control.is_stopped();
    while go_on && bender.steps() < settings.steps {
        let loss = bender.advance(prepared, &weights)?;
        platform::yield_now().await;
        go_on = watch.advance(1);
        // Nobody who looks, nothing that is due: every loss that is read holds up the device.
        let due = watches && platform::now_secs() - last >= (cost / GLANCE_SHARE).max(GLANCE_SECS);
        if bender.steps() == 1 || bender.steps().is_multiple_of(every) || due {
            let value = f64::from(read(loss).await?.first().copied().unwrap_or(f32::NAN));
            bender.losses.push((bender.steps(), value.is_finite().then_some(value)));
        }
        if due && go_on && bender.steps() < settings.steps {
            let start = platform::now_secs();
            let controls = bender.controls();
            let ts = grid(GLANCE_POINTS);
            let points = |range: Range<usize>| {
                let points: Vec<Adapter> =
                    ts[range].iter().map(|&t| controls[0].combine(&controls, &weights(t))).collect();
                Adapter::stack(&points.iter().collect::<Vec<_>>())
            };
            let measured = explorer.measure(ts.len(), &points, &mut |_, _| !control.is_stopped()).await?;
            if measured.len() == ts.len() {
                let mut training = described(&controls, curve, &bender, settings).await?;
                training.examples = Some(settings_of_glance.examples);
                show(Glance { ts, measured, training });
            }
            last = platform::now_secs();
            cost = last - start;
        }
    }
    bender.check().await?;
    let controls = bender.controls();
    let training = described(&controls, curve, &bender, settings).await?;
    look.known.keep_curve(key, bender);
    Ok(Bent { controls, training })
}

/// What the trained bends depend on.
async fn content(
    prepared: &Prepared,
    ends: [&Adapter; 2],
    curve: &Path,
    settings: &CurveSettings,
) -> Result<Digest, EngineError> {
    let ends = digests(&ends.map(Clone::clone)).await?;
    let model = &prepared.model;
    let words = format!("{} {settings:?} {} {}", curve.name(), model.fingerprint, model.device_name);
    Ok(digest([words.as_bytes(), &ends[0], &ends[1], &training(prepared)]))
}

async fn described(
    controls: &[Adapter],
    curve: &Path,
    bender: &Bender,
    settings: &CurveSettings,
) -> Result<CurveTraining, EngineError> {
    let gram = gram(controls).await?;
    let outline: Vec<Vec<f64>> = grid(OUTLINE).into_iter().map(|t| curve.coefficients(t)).collect();
    let bends: Vec<Vec<f64>> =
        (1..controls.len().saturating_sub(1)).map(|bend| gram.anchor(bend)).collect::<Result<_, _>>()?;
    Ok(CurveTraining {
        done: bender.steps(),
        steps: settings.steps,
        losses: bender.losses.clone(),
        outline: beside_chord(&gram, &outline)?,
        bends: beside_chord(&gram, &bends)?,
        ..CurveTraining::default()
    })
}

/// The way along the chord from the first to the last anchor, and the distance from it, both in lengths of the chord. Nothing
/// where the ends are one point.
fn beside_chord(anchors: &Gram, points: &[Vec<f64>]) -> Result<Vec<[f64; 2]>, EngineError> {
    let last = anchors.anchors().saturating_sub(1);
    let mut chord = anchors.anchor(last)?;
    chord[0] -= 1.0;
    let length = anchors.norm(&chord)?;
    if length == 0.0 {
        return Ok(Vec::new());
    }
    let mut places = Vec::with_capacity(points.len());
    for point in points {
        let mut from_start = point.clone();
        from_start[0] -= 1.0;
        let along = anchors.inner(&from_start, &chord)? / (length * length);
        let beside: Vec<f64> = from_start.iter().zip(&chord).map(|(own, chord)| own - along * chord).collect();
        places.push([along, anchors.norm(&beside)? / length]);
    }
    Ok(places)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bend_lies_beside_the_chord_where_it_does() {
        // from (1, 1) to (5, 1), with a bend at (2, 4)
        let gram = Gram::of(&[&[1.0, 1.0], &[2.0, 4.0], &[5.0, 1.0]]).unwrap();
        let places = beside_chord(&gram, &[vec![0.0, 1.0, 0.0], vec![1.0], vec![0.0, 0.0, 1.0]]).unwrap();
        let expected = [[0.25, 0.75], [0.0, 0.0], [1.0, 0.0]];
        for (found, expected) in places.iter().zip(expected) {
            assert!((found[0] - expected[0]).abs() < 1e-12 && (found[1] - expected[1]).abs() < 1e-12, "{places:?}");
        }
        let point = Gram::of(&[&[1.0], &[2.0], &[1.0]]).unwrap();
        assert!(beside_chord(&point, &[vec![1.0, 0.0, 0.0]]).unwrap().is_empty());
    }
}
