//! What the losses along a path say: its chord, its barrier in two forms, the gain over the ends, averages.
//!
//! With `L(t)` on `[0, 1]` (spec 7.3):
//! - Entezari et al. (arXiv 2110.06296): `max L(t) - [(1-t) L(0) + t L(1)]`;
//! - Frankle et al. (arXiv 1912.05671): `max L(t) - (L(0) + L(1)) / 2`, "stable" below 2 % error;
//! - gain: `max A(t)` inside minus the better end, for a score that should be large.
//!
//! Maxima run over all samples of `[0, 1]`, ends included, so a barrier by Entezari is never below 0; that the inside lies
//! below the chord altogether, the effect I-LoRA rests on, is seen from [`Barrier::interior`], which then is negative. Samples
//! outside `[0, 1]` (an extrapolated line) count in none of these numbers.
//!
//! A sample that is missing or not finite is a *hole*. A hole at an end leaves nothing to compare with. A hole inside could
//! hide any height: barriers are then lower bounds, and `holes` says so.

use super::error::LandscapeError;
use serde::{Deserialize, Serialize};

/// The height (in error, a share of 1) below which Frankle et al. call a pair of networks stable.
pub const FRANKLE_STABLE_ERROR: f64 = 0.02;

/// Heights of one curve over its chord and over the mean of its ends. `None` where an end is a hole.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Barrier {
    /// Largest excess over the chord; never negative.
    pub entezari: Option<f64>,
    /// The `t` of that excess; the smallest such.
    pub entezari_at: Option<f64>,
    /// Largest excess over the chord strictly between the ends: negative if the path dips everywhere. `None` also if nothing
    /// was measured there.
    pub interior: Option<f64>,
    /// Largest excess over the mean of the two ends; equals `entezari` if the ends are equal.
    pub frankle: Option<f64>,
    /// The `t` of that excess; the smallest such.
    pub frankle_at: Option<f64>,
    /// Samples of `[0, 1]` that are holes; if not 0, the heights are lower bounds.
    pub holes: usize,
}

/// How much better than both ends a path gets inside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// Largest score strictly inside minus the larger score of the ends; negative if no inside point is better.
    pub gain: f64,
    /// The `t` of the largest score inside; the smallest such.
    pub at: f64,
    /// Samples of `[0, 1]` that are holes; if not 0, the gain is a lower bound.
    pub holes: usize,
}

/// What `eval_curve.py` of dnn-mode-connectivity prints for one quantity along a curve.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Statistics {
    /// Smallest measured value.
    pub min: Option<f64>,
    /// Largest measured value.
    pub max: Option<f64>,
    /// Mean over the samples; `None` with a hole.
    pub mean: Option<f64>,
    /// Mean over the curve: trapezoids whose width is the distance between neighbours; `None` with a hole. The plain mean if
    /// the curve has no length.
    pub arc_length_mean: Option<f64>,
    /// Number of holes.
    pub holes: usize,
}

/// One sample inside `[0, 1]`.
struct Sample {
    t: f64,
    value: f64,
}

/// The measured samples of `[0, 1]` in the given order, and how many there are holes.
fn samples(ts: &[f64], values: &[Option<f64>]) -> Result<(Vec<Sample>, usize), LandscapeError> {
    if ts.len() != values.len() {
        return Err(LandscapeError::Lengths { what: "Samples of a path", left: ts.len(), right: values.len() });
    }
    let inside: Vec<(f64, Option<f64>)> = ts
        .iter()
        .zip(values)
        .filter(|(t, _)| (0.0..=1.0).contains(*t))
        .map(|(t, value)| (*t, measured(*value)))
        .collect();
    let found: Vec<Sample> = inside.iter().filter_map(|(t, value)| Some(Sample { t: *t, value: (*value)? })).collect();
    let holes = inside.len() - found.len();
    Ok((found, holes))
}

fn measured(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// Values at `t` = 0 and 1 exactly.
fn ends(samples: &[Sample]) -> Option<[f64; 2]> {
    let at = |t: f64| samples.iter().find(|sample| sample.t == t).map(|sample| sample.value);
    Some([at(0.0)?, at(1.0)?])
}

/// `(1 - t) L(0) + t L(1)`, written so that equal ends give a constant and the ends are met exactly.
fn chord_at([start, end]: [f64; 2], t: f64) -> f64 {
    if t == 1.0 { end } else { start + t * (end - start) }
}

/// The first of the largest: `(value, t)`.
fn highest(heights: impl Iterator<Item = (f64, f64)>) -> Option<(f64, f64)> {
    heights.reduce(|best, next| if next.0 > best.0 { next } else { best })
}

/// The straight line between the values at `t` = 0 and 1, at every `t`, also outside; all `None` if an end is a hole.
///
/// # Errors
/// Lists of different lengths.
pub fn chord(ts: &[f64], values: &[Option<f64>]) -> Result<Vec<Option<f64>>, LandscapeError> {
    let ends = ends(&samples(ts, values)?.0);
    Ok(ts.iter().map(|t| ends.map(|ends| chord_at(ends, *t))).collect())
}

/// The barrier of one curve: a task's losses, or their mean ([`mean_over_tasks`]). Any order of samples.
///
/// # Errors
/// Lists of different lengths.
pub fn barrier(ts: &[f64], values: &[Option<f64>]) -> Result<Barrier, LandscapeError> {
    let (samples, holes) = samples(ts, values)?;
    let nothing = Barrier { entezari: None, entezari_at: None, interior: None, frankle: None, frankle_at: None, holes };
    let Some(ends) = ends(&samples) else { return Ok(nothing) };
    let middle = f64::midpoint(ends[0], ends[1]);
    let over_chord = |sample: &Sample| (sample.value - chord_at(ends, sample.t), sample.t);
    let entezari = highest(samples.iter().map(over_chord));
    let interior = highest(samples.iter().filter(|sample| sample.t > 0.0 && sample.t < 1.0).map(over_chord));
    let frankle = highest(samples.iter().map(|sample| (sample.value - middle, sample.t)));
    Ok(Barrier {
        entezari: entezari.map(|(height, _)| height),
        entezari_at: entezari.map(|(_, t)| t),
        interior: interior.map(|(height, _)| height),
        frankle: frankle.map(|(height, _)| height),
        frankle_at: frankle.map(|(_, t)| t),
        holes,
    })
}

/// The gain of one curve of scores (larger is better), usually the mean over tasks. `None` if an end or all of the inside was
/// not measured.
///
/// # Errors
/// Lists of different lengths.
pub fn gain(ts: &[f64], scores: &[Option<f64>]) -> Result<Option<Gain>, LandscapeError> {
    let (samples, holes) = samples(ts, scores)?;
    let inside = samples.iter().filter(|sample| sample.t > 0.0 && sample.t < 1.0);
    let best = highest(inside.map(|sample| (sample.value, sample.t)));
    Ok(ends(&samples).zip(best).map(|(ends, (score, at))| Gain { gain: score - ends[0].max(ends[1]), at, holes }))
}

/// Mean over tasks at every point, from one curve per task. A point where a task is a hole is a hole: a mean over fewer tasks
/// would be a mean of something else.
///
/// # Errors
/// Curves of different lengths, or none.
pub fn mean_over_tasks(curves: &[Vec<Option<f64>>]) -> Result<Vec<Option<f64>>, LandscapeError> {
    let points = curves.first().map(Vec::len).ok_or(LandscapeError::TooFewPoints {
        what: "A mean over tasks",
        needed: 1,
        found: 0,
    })?;
    if let Some(other) = curves.iter().find(|curve| curve.len() != points) {
        return Err(LandscapeError::Lengths { what: "Curves of two tasks", left: points, right: other.len() });
    }
    let at = |point: usize| {
        let sum = curves.iter().try_fold(0.0, |sum, curve| Some(sum + measured(curve[point])?))?;
        Some(sum / curves.len() as f64)
    };
    Ok((0..points).map(at).collect())
}

/// Ends aside, what is reported of a quantity along a curve (spec 7.4). `arc_lengths` as [`super::path::arc_lengths`] gives
/// them: the way up to every sample.
///
/// # Errors
/// Lists of different lengths.
pub fn statistics(values: &[Option<f64>], arc_lengths: &[f64]) -> Result<Statistics, LandscapeError> {
    if values.len() != arc_lengths.len() {
        let (left, right) = (values.len(), arc_lengths.len());
        return Err(LandscapeError::Lengths { what: "Values and arc lengths", left, right });
    }
    let found: Vec<f64> = values.iter().filter_map(|value| measured(*value)).collect();
    let holes = values.len() - found.len();
    let whole = holes == 0 && !found.is_empty();
    let mean = whole.then(|| found.iter().sum::<f64>() / found.len() as f64);
    let length = arc_lengths.last().zip(arc_lengths.first()).map_or(0.0, |(last, first)| last - first);
    let trapezoids = |values: &[f64]| {
        let areas = values.windows(2).zip(arc_lengths.windows(2));
        areas.map(|(value, way)| f64::midpoint(value[0], value[1]) * (way[1] - way[0])).sum::<f64>() / length
    };
    Ok(Statistics {
        min: found.iter().copied().reduce(f64::min),
        max: found.iter().copied().reduce(f64::max),
        mean,
        arc_length_mean: if length > 0.0 { whole.then(|| trapezoids(&found)) } else { mean },
        holes,
    })
}

#[cfg(test)]
mod tests;
