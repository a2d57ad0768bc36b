//! One quantity along a path: its values, the chord between the ends, and where it rises highest above the chord.

use super::{PathPoint, PathReport, finite, mean};

/// How near to 0 or 1 a point counts as an end.
const AT_END: f64 = 1e-9;

/// A quantity over `t`, with holes.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// `(t, value)` in ascending order of `t`.
    pub points: Vec<(f64, Option<f64>)>,
    /// Values at `t = 0` and `t = 1`, where both were measured.
    pub chord: Option<(f64, f64)>,
}

impl Curve {
    /// The quantity at every point whose place is a number.
    pub fn of(report: &PathReport, quantity: impl Fn(&PathPoint) -> Option<f64>) -> Self {
        let points = report.points.iter().filter(|point| point.t.is_finite());
        let mut points: Vec<(f64, Option<f64>)> = points.map(|point| (point.t, finite(quantity(point)))).collect();
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let end = |t: f64| points.iter().find(|(at, _)| (at - t).abs() < AT_END).and_then(|(_, value)| *value);
        Self { chord: end(0.0).zip(end(1.0)), points }
    }

    pub fn task_loss(report: &PathReport, task: usize) -> Self {
        Self::of(report, |point| point.losses.get(task).copied().flatten())
    }

    /// In percent.
    pub fn task_score(report: &PathReport, task: usize) -> Self {
        Self::of(report, |point| point.scores.get(task).copied().flatten().map(|score| 100.0 * score))
    }

    pub fn mean_loss(report: &PathReport) -> Self {
        Self::of(report, |point| mean(&point.losses))
    }

    /// In percent.
    pub fn mean_score(report: &PathReport) -> Self {
        Self::of(report, |point| mean(&point.scores).map(|score| 100.0 * score))
    }

    /// Height of the chord at `t`.
    pub fn chord_at(&self, t: f64) -> Option<f64> {
        self.chord.map(|(first, last)| (1.0 - t) * first + t * last)
    }

    /// `(t, value)` of the point between the ends that lies highest above the chord, if one lies above it.
    pub fn peak(&self) -> Option<(f64, f64)> {
        let between = self.points.iter().filter(|(t, _)| (AT_END..=1.0 - AT_END).contains(t));
        let rises = between.filter_map(|(t, value)| Some((*t, (*value)?, (*value)? - self.chord_at(*t)?)));
        let highest = rises.filter(|(_, _, rise)| *rise > 0.0).max_by(|a, b| a.2.total_cmp(&b.2));
        highest.map(|(t, value, _)| (t, value))
    }

    /// The value measured nearest to `t`.
    pub fn nearest(&self, t: f64) -> Option<(f64, f64)> {
        let known = self.points.iter().filter_map(|(at, value)| Some((*at, (*value)?)));
        known.min_by(|a, b| (a.0 - t).abs().total_cmp(&(b.0 - t).abs()))
    }

    /// Number of points without a value.
    pub fn holes(&self) -> usize {
        self.points.iter().filter(|(_, value)| value.is_none()).count()
    }
}

/// `(t, name)` of the control points that lie on the path, found by their weight of 1; first and last where weights are lacking.
pub fn named_ends(report: &PathReport) -> Vec<(f64, String)> {
    let last = report.ends.len().saturating_sub(1);
    let place = |index: usize| {
        let alone = |point: &&PathPoint| {
            let weight = |(other, weight): (usize, &f64)| (weight - f64::from(u8::from(other == index))).abs() < 1e-6;
            point.coefficients.len() == report.ends.len() && point.coefficients.iter().enumerate().all(weight)
        };
        let end = if index == 0 { Some(0.0) } else { (index == last).then_some(1.0) };
        let assumed = end.filter(|end| report.points.iter().any(|point| (point.t - end).abs() < AT_END));
        report.points.iter().find(alone).map(|point| point.t).filter(|t| t.is_finite()).or(assumed)
    };
    (0..report.ends.len()).filter_map(|index| Some((place(index)?, report.ends[index].clone()))).collect()
}

/// `(t, arc length)` of the points, where it grows as it should; otherwise empty.
pub fn arc_lengths(report: &PathReport) -> Vec<(f64, f64)> {
    let lengths: Vec<(f64, f64)> = report.points.iter().map(|point| (point.t, point.arc_length)).collect();
    let grows = lengths.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1);
    let known = lengths.iter().all(|(t, length)| t.is_finite() && length.is_finite());
    if grows && known && lengths.len() > 1 && lengths[0].1 < lengths[lengths.len() - 1].1 {
        lengths
    } else {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(losses: &[(f64, Option<f64>)]) -> PathReport {
        let point = |(t, loss): &(f64, Option<f64>)| PathPoint {
            t: *t,
            coefficients: vec![1.0 - t, *t],
            arc_length: 2.0 * t,
            losses: vec![*loss],
            scores: vec![loss.map(|loss| 1.0 - loss)],
        };
        PathReport {
            ends: vec!["a".into(), "b".into()],
            points: losses.iter().map(point).collect(),
            ..PathReport::default()
        }
    }

    #[test]
    fn the_peak_is_measured_from_the_chord_and_not_from_the_ground() {
        // the loss itself is highest at the end, and higher at 0.75 than at 0.25
        let report =
            path(&[(0.0, Some(0.0)), (0.25, Some(0.5)), (0.5, Some(0.5)), (0.75, Some(0.8)), (1.0, Some(1.0))]);
        let curve = Curve::mean_loss(&report);
        assert_eq!((curve.chord, curve.peak()), (Some((0.0, 1.0)), Some((0.25, 0.5))));
        assert_eq!(curve.chord_at(0.25), Some(0.25));
        assert_eq!(Curve::mean_score(&report).nearest(0.3), Some((0.25, 50.0)));
    }

    #[test]
    fn without_both_ends_there_is_no_chord_and_no_peak() {
        let report = path(&[(0.0, None), (0.5, Some(f64::NAN)), (1.0, Some(1.0))]);
        let curve = Curve::mean_loss(&report);
        assert_eq!((curve.chord, curve.peak(), curve.holes()), (None, None, 2));
        // a valley: all of it lies below the chord
        assert_eq!(Curve::mean_loss(&path(&[(0.0, Some(1.0)), (0.5, Some(0.2)), (1.0, Some(1.0))])).peak(), None);
    }

    #[test]
    fn what_lies_beyond_the_ends_is_no_barrier() {
        let curve = Curve::mean_loss(&path(&[
            (-1.0, Some(9.0)),
            (0.0, Some(1.0)),
            (0.5, Some(1.5)),
            (1.0, Some(1.0)),
            (2.0, Some(9.0)),
        ]));
        assert_eq!(curve.peak(), Some((0.5, 1.5)));
    }

    #[test]
    fn control_points_are_found_by_their_weights() {
        let mut report = path(&[(-0.5, None), (0.0, None), (0.5, None), (1.0, None)]);
        assert_eq!(named_ends(&report), [(0.0, "a".to_owned()), (1.0, "b".to_owned())]);
        // of a Bezier curve with one bend only the ends lie on the path
        report.ends.insert(1, "bend".into());
        for point in &mut report.points {
            let t = point.t;
            point.coefficients = vec![(1.0 - t) * (1.0 - t), 2.0 * t * (1.0 - t), t * t];
        }
        assert_eq!(named_ends(&report), [(0.0, "a".to_owned()), (1.0, "b".to_owned())]);
    }

    #[test]
    fn arc_length_must_grow() {
        let mut report = path(&[(0.0, None), (0.5, None), (1.0, None)]);
        assert_eq!(arc_lengths(&report), [(0.0, 0.0), (0.5, 1.0), (1.0, 2.0)]);
        report.points[1].arc_length = 3.0;
        assert!(arc_lengths(&report).is_empty());
        report.points[1].arc_length = f64::NAN;
        assert!(arc_lengths(&report).is_empty());
    }
}
