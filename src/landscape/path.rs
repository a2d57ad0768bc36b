//! Paths between adapters: which combination of the control points stands at `t`.
//!
//! Straight line (spec 7.2), polychain and Bezier curve with trained bends (Garipov et al., "Loss Surfaces, Mode Connectivity,
//! and Fast Ensembling of DNNs", arXiv 1802.10026; conventions of their `curves.py`), a chain through many checkpoints, and
//! the great circle between two directions. Control points are anchors: the first and last are the ends of the path.
//!
//! Only the line goes on beyond its ends, where it is the usual extrapolation; the other shapes mean nothing there, so `t` is
//! held inside `[0, 1]`. A `t` that is NaN gives NaN coefficients, a hole in the figure.

use super::error::LandscapeError;
use super::gram::Gram;
use std::collections::VecDeque;

/// Angles (in radians) below which, or this close to a half turn, two directions count as parallel.
const PARALLEL: f64 = 1e-6;

/// The shape of a path and what it needs to know of its control points.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    name: &'static str,
    shape: Shape,
}

#[derive(Clone, Debug, PartialEq)]
enum Shape {
    Line,
    Bezier {
        points: usize,
    },
    /// Piecewise linear; the `t` of each control point, from 0 to 1, never falling.
    Pieces {
        knots: Vec<f64>,
    },
    /// Angle between the two directions in radians, and the lengths of the two vectors.
    GreatCircle {
        angle: f64,
        lengths: [f64; 2],
    },
}

impl Path {
    /// `(1 - t) a + t b`, for every real `t`.
    #[must_use]
    pub fn line() -> Self {
        Self { name: "line", shape: Shape::Line }
    }

    /// Straight pieces through `points` control points, which stand at equal steps of `t`: the hat weights
    /// `max(0, 1 - |t (points - 1) - i|)`.
    ///
    /// # Errors
    /// Fewer than two points.
    pub fn poly_chain(points: usize) -> Result<Self, LandscapeError> {
        Ok(Self { name: "polychain", shape: Shape::Pieces { knots: even_knots("A polychain", points)? } })
    }

    /// Bezier curve of degree `points - 1`: weights `C(points - 1, i) t^i (1 - t)^(points - 1 - i)`.
    ///
    /// # Errors
    /// Fewer than two points.
    pub fn bezier(points: usize) -> Result<Self, LandscapeError> {
        at_least_two("A Bezier curve", points)?;
        Ok(Self { name: "bezier", shape: Shape::Bezier { points } })
    }

    /// Straight pieces through many adapters that were not trained as bends, such as all checkpoints of a run; as
    /// [`Self::poly_chain`], every piece takes the same share of `t`.
    ///
    /// # Errors
    /// Fewer than two points.
    pub fn chain(points: usize) -> Result<Self, LandscapeError> {
        Ok(Self { name: "chain", shape: Shape::Pieces { knots: even_knots("A chain", points)? } })
    }

    /// Straight pieces through all anchors, each with a share of `t` like its length, so that `t` runs at one speed. Where
    /// all anchors are one point, shares are equal.
    ///
    /// # Errors
    /// Fewer than two anchors.
    pub fn chain_by_length(anchors: &Gram) -> Result<Self, LandscapeError> {
        let points: Vec<Vec<f64>> =
            (0..anchors.anchors()).map(|index| anchors.anchor(index)).collect::<Result<_, _>>()?;
        let mut knots = even_knots("A chain", points.len())?;
        let lengths = arc_lengths(anchors, &points)?;
        let total = lengths.last().copied().unwrap_or(0.0);
        if total > 0.0 {
            // the last one is total / total, which is 1 exactly
            knots = lengths.iter().map(|length| length / total).collect();
        }
        Ok(Self { name: "chain", shape: Shape::Pieces { knots } })
    }

    /// Great circle between the directions of two anchors, with their lengths interpolated linearly (Shoemake 1985, for
    /// vectors of any length). The straight line where the two are nearly parallel.
    ///
    /// # Errors
    /// Not two anchors, one that is zero, or two that point in opposite directions.
    pub fn slerp(ends: &Gram) -> Result<Self, LandscapeError> {
        let mut lengths = [0.0; 2];
        for (anchor, length) in lengths.iter_mut().enumerate() {
            *length = ends.norm(&ends.anchor(anchor)?)?;
            if *length == 0.0 {
                return Err(LandscapeError::ZeroAnchor { anchor });
            }
        }
        if ends.anchors() != 2 {
            return Err(LandscapeError::Lengths { what: "Ends of a great circle", left: 2, right: ends.anchors() });
        }
        // half the chord between the unit vectors is the sine of half the angle, half their sum its cosine
        let unit = |sign: f64| ends.norm(&[1.0 / lengths[0], sign / lengths[1]]);
        let angle = 2.0 * unit(-1.0)?.atan2(unit(1.0)?);
        if std::f64::consts::PI - angle < PARALLEL {
            return Err(LandscapeError::Opposite);
        }
        Ok(Self { name: "slerp", shape: Shape::GreatCircle { angle, lengths } })
    }

    /// `line`, `polychain`, `bezier`, `chain` or `slerp`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Number of control points, both ends included.
    #[must_use]
    pub fn points(&self) -> usize {
        match &self.shape {
            Shape::Line | Shape::GreatCircle { .. } => 2,
            Shape::Bezier { points } => *points,
            Shape::Pieces { knots } => knots.len(),
        }
    }

    /// Whether `t` outside `[0, 1]` gives further points.
    #[must_use]
    pub fn extrapolates(&self) -> bool {
        self.shape == Shape::Line
    }

    /// The `t` at which the path goes through its control points, where it does: all of a chain's, the two ends otherwise.
    #[must_use]
    pub fn knots(&self) -> Vec<f64> {
        match &self.shape {
            Shape::Pieces { knots } => knots.clone(),
            _ => vec![0.0, 1.0],
        }
    }

    /// Coefficients over the control points at `t`. They sum to 1 except on a great circle, and at `t` = 0 and 1 are
    /// exactly the ends.
    #[must_use]
    pub fn coefficients(&self, t: f64) -> Vec<f64> {
        let inside = t.clamp(0.0, 1.0);
        match &self.shape {
            Shape::Line => vec![1.0 - t, t],
            Shape::Bezier { points } => bernstein(*points, inside),
            Shape::Pieces { knots } => hats(knots, inside),
            Shape::GreatCircle { angle, .. } if *angle < PARALLEL => vec![1.0 - inside, inside],
            Shape::GreatCircle { angle, lengths: [first, last] } => {
                let length = (1.0 - inside) * first + inside * last;
                let share = |part: f64| (part * angle).sin() / angle.sin();
                vec![length / first * share(1.0 - inside), length / last * share(inside)]
            }
        }
    }

    /// Where the bends stand before they are trained: evenly on the straight line, as coefficients over the two ends
    /// (`init_linear` of dnn-mode-connectivity). Empty without bends.
    #[must_use]
    pub fn straight_bends(&self) -> Vec<[f64; 2]> {
        let all = grid(self.points());
        let bends = all.get(1..all.len().saturating_sub(1)).unwrap_or_default();
        bends.iter().map(|t| [1.0 - t, *t]).collect()
    }
}

fn at_least_two(what: &'static str, found: usize) -> Result<(), LandscapeError> {
    if found < 2 { Err(LandscapeError::TooFewPoints { what, needed: 2, found }) } else { Ok(()) }
}

fn even_knots(what: &'static str, points: usize) -> Result<Vec<f64>, LandscapeError> {
    at_least_two(what, points)?;
    Ok(grid(points))
}

/// Bernstein polynomials by de Casteljau's recursion: no large binomials, and exact at both ends.
fn bernstein(points: usize, t: f64) -> Vec<f64> {
    let mut weights = vec![1.0];
    for degree in 1..points {
        weights.push(0.0);
        for at in (0..=degree).rev() {
            let from_below = if at > 0 { t * weights[at - 1] } else { 0.0 };
            weights[at] = (1.0 - t) * weights[at] + from_below;
        }
    }
    weights
}

/// Weights of the two neighbours in a piecewise linear chain; pieces without length are stepped over.
fn hats(knots: &[f64], t: f64) -> Vec<f64> {
    let mut weights = vec![0.0; knots.len()];
    let piece = knots.partition_point(|knot| *knot <= t).saturating_sub(1).min(knots.len() - 2);
    let width = knots[piece + 1] - knots[piece];
    let part = if width > 0.0 { (t - knots[piece]) / width } else { 1.0 };
    weights[piece] = 1.0 - part;
    weights[piece + 1] = part;
    weights
}

/// `points` equal steps over `[0, 1]` with exact ends; one point is 0.
#[must_use]
pub fn grid(points: usize) -> Vec<f64> {
    grid_between(0.0, 1.0, points)
}

/// `points` equal steps from `from` to `to` with exact ends; one point is `from`.
#[must_use]
pub fn grid_between(from: f64, to: f64, points: usize) -> Vec<f64> {
    let last = points.saturating_sub(1);
    let step = |at: usize| match at {
        at if at == last && last > 0 => to,
        at => from + (to - from) * (at as f64 / last.max(1) as f64),
    };
    (0..points).map(step).collect()
}

/// Length of the way along the sampled points up to each of them: 0 first, the whole length last.
///
/// `points` are coefficients over the anchors.
///
/// # Errors
/// More coefficients than anchors.
pub fn arc_lengths(anchors: &Gram, points: &[Vec<f64>]) -> Result<Vec<f64>, LandscapeError> {
    let mut total = 0.0;
    let mut lengths = Vec::with_capacity(points.len());
    lengths.extend(points.first().map(|_| 0.0));
    for pair in points.windows(2) {
        total += anchors.distance(&pair[0], &pair[1])?;
        lengths.push(total);
    }
    Ok(lengths)
}

/// Every index of a grid once, so ordered that a figure fills in evenly: both ends, the middle, the quarters, and so on.
#[must_use]
pub fn coarse_to_fine(count: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..count.min(1)).collect();
    if count > 1 {
        order.push(count - 1);
    }
    let mut gaps = VecDeque::from([(0, count.saturating_sub(1))]);
    while let Some((low, high)) = gaps.pop_front() {
        if high - low > 1 {
            let middle = usize::midpoint(low, high);
            order.push(middle);
            gaps.extend([(low, middle), (middle, high)]);
        }
    }
    order
}

#[cfg(test)]
mod tests;
