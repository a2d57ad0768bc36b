//! What a path's numbers say: curves with their holes, the chord between the ends, the highest rise above it, and the values
//! at one place.

use crate::engine::landscape_report::{PathPoint, PathReport};

/// A value that can be drawn.
fn finite(value: Option<f64>) -> Option<f64> {
    value.filter(|value| value.is_finite())
}

/// One curve of a report: a task's, or the mean over the tasks, of losses or of scores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quantity {
    /// `None` for the mean over the tasks.
    pub task: Option<usize>,
    /// The score instead of the loss.
    pub score: bool,
}

impl Quantity {
    pub const MEAN_LOSS: Self = Self { task: None, score: false };
    pub const MEAN_SCORE: Self = Self { task: None, score: true };

    /// Its value at a point; a mean needs the values of all tasks, as a mean of some is another quantity.
    #[must_use]
    pub fn at(self, point: &PathPoint) -> Option<f64> {
        let values = if self.score { &point.scores } else { &point.losses };
        match self.task {
            Some(task) => finite(values.get(task).copied().flatten()),
            None => {
                let sum = values.iter().try_fold(0.0, |sum, value| Some(sum + finite(*value)?))?;
                (!values.is_empty()).then(|| sum / values.len() as f64)
            }
        }
    }
}

/// The pieces of a curve between its holes, and the places of the holes.
#[must_use]
pub fn pieces(report: &PathReport, quantity: Quantity) -> (Vec<Vec<[f64; 2]>>, Vec<f64>) {
    let (mut pieces, mut holes): (Vec<Vec<[f64; 2]>>, Vec<f64>) = (vec![Vec::new()], Vec::new());
    for point in report.points.iter().filter(|point| point.t.is_finite()) {
        match (quantity.at(point), pieces.last_mut()) {
            (Some(value), Some(piece)) => piece.push([point.t, value]),
            (None, _) => {
                holes.push(point.t);
                pieces.push(Vec::new());
            }
            (Some(_), None) => {}
        }
    }
    pieces.retain(|piece| !piece.is_empty());
    (pieces, holes)
}

/// Values at `t` = 0 and 1 exactly, where the chord begins and ends.
#[must_use]
pub fn chord(report: &PathReport, quantity: Quantity) -> Option<[f64; 2]> {
    let at = |t: f64| report.points.iter().find(|point| point.t == t).and_then(|point| quantity.at(point));
    Some([at(0.0)?, at(1.0)?])
}

/// The largest rise above the chord, by Entezari et al.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rise {
    pub t: f64,
    pub height: f64,
    pub value: f64,
    /// The chord at that place.
    pub chord: f64,
    /// The largest rise above the mean of the ends, by Frankle et al., and where.
    pub frankle: Option<(f64, f64)>,
    /// Some point has no value, so that the true barrier may be higher.
    pub holes: bool,
}

/// The barrier of a loss, as the report has it: never negative, and `None` while an end is not measured.
#[must_use]
pub fn rise(report: &PathReport, quantity: Quantity) -> Option<Rise> {
    let task = quantity.task.map(|task| report.tasks.get(task)).unwrap_or_default();
    let line = report.barriers.iter().filter(|_| !quantity.score && quantity.task.is_some() == task.is_some());
    let line = line.into_iter().find(|line| line.task.as_ref() == task)?;
    let (height, t) = (finite(line.entezari)?, finite(line.entezari_at)?);
    let [start, end] = chord(report, quantity)?;
    let chord = start + t * (end - start);
    let frankle = finite(line.frankle).zip(finite(line.frankle_at));
    Some(Rise { t, height, value: chord + height, chord, frankle, holes: line.holes })
}

/// A value between the measured points on both sides; `None` beside a hole and beyond the path.
#[must_use]
pub fn value_at(report: &PathReport, quantity: Quantity, t: f64) -> Option<f64> {
    let after = report.points.partition_point(|point| point.t < t);
    let next = report.points.get(after)?;
    if next.t == t {
        return quantity.at(next);
    }
    let before = report.points.get(after.checked_sub(1)?)?;
    let (low, high) = (quantity.at(before)?, quantity.at(next)?);
    let share = (t - before.t) / (next.t - before.t);
    Some(low + share * (high - low))
}

/// First and last place of a path.
#[must_use]
pub fn range(report: &PathReport) -> [f64; 2] {
    let ts = || report.points.iter().map(|point| point.t).filter(|t| t.is_finite());
    [ts().fold(0.0, f64::min), ts().fold(1.0, f64::max)]
}

/// Length from end to end.
#[must_use]
pub fn length(report: &PathReport) -> Option<f64> {
    let at = |t: f64| report.points.iter().find(|point| point.t == t).map(|point| point.arc_length);
    let length = at(1.0)? - at(0.0)?;
    (length.is_finite() && length > 0.0).then_some(length)
}

/// The kind of a path in words.
#[must_use]
pub fn kind_name(kind: &str) -> &str {
    match kind {
        "line" => "Straight line",
        "bezier" => "Bezier curve",
        "polychain" => "Polygonal chain",
        "slerp" => "Great circle",
        "chain" => "Chain of straight lines",
        "product" => "Product line",
        other => other,
    }
}

/// A loss with three or four digits that mean something.
#[must_use]
pub fn digits(value: f64) -> String {
    let size = value.abs();
    if !value.is_finite() {
        "no value".into()
    } else if size >= 1e5 || (size > 0.0 && size < 1e-3) {
        format!("{value:.1e}")
    } else if size >= 100.0 {
        format!("{value:.1}")
    } else if size >= 10.0 {
        format!("{value:.2}")
    } else {
        format!("{value:.3}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::landscape_report::BarrierLine;

    /// Two tasks, five points and one beyond the end; task 1 has a hole.
    fn report() -> PathReport {
        let point = |t: f64, losses: [f64; 2]| PathPoint {
            t,
            arc_length: 3.0 * t,
            losses: losses.map(Some).to_vec(),
            scores: vec![Some(0.5), Some(1.0)],
            ..PathPoint::default()
        };
        let points = [
            point(0.0, [1.0, 3.0]),
            point(0.25, [2.0, 4.0]),
            point(0.5, [5.0, 4.0]),
            point(0.75, [2.0, f64::NAN]),
            point(1.0, [2.0, 1.0]),
            point(1.25, [99.0, 99.0]),
        ];
        let line = |task: Option<&str>, height: f64, holes: bool| BarrierLine {
            task: task.map(String::from),
            entezari: Some(height),
            entezari_at: Some(0.5),
            frankle: Some(height + 0.25),
            frankle_at: Some(0.75),
            holes,
        };
        let barriers = vec![line(None, 2.75, true), line(Some("a"), 3.5, false)];
        let tasks = vec!["a".into(), "b".into()];
        PathReport { points: points.to_vec(), tasks, barriers, ..PathReport::default() }
    }

    #[test]
    fn the_barrier_is_the_reports_and_stands_on_the_chord() {
        let report = report();
        let mean = rise(&report, Quantity::MEAN_LOSS).unwrap();
        assert_eq!((mean.t, mean.value, mean.chord, mean.height, mean.holes), (0.5, 4.5, 1.75, 2.75, true));
        let first = rise(&report, Quantity { task: Some(0), score: false }).unwrap();
        assert_eq!((first.t, first.height, first.holes), (0.5, 3.5, false), "of the task");
        assert_eq!(mean.frankle, Some((3.0, 0.75)));
        assert_eq!(rise(&report, Quantity { task: Some(1), score: false }), None, "the report has none");
        assert_eq!(rise(&report, Quantity { task: Some(9), score: false }), None, "no such task");
        assert_eq!(rise(&report, Quantity::MEAN_SCORE), None, "a barrier is one of losses");
        let mut open = report.clone();
        open.points[0].losses[1] = None;
        assert_eq!(rise(&open, Quantity::MEAN_LOSS), None, "an end is missing");
        let flat = PathReport { points: Vec::new(), ..PathReport::default() };
        assert_eq!((rise(&flat, Quantity::MEAN_LOSS), range(&flat)), (None, [0.0, 1.0]));
    }

    #[test]
    fn holes_cut_a_curve() {
        let report = report();
        let (pieces, holes) = pieces(&report, Quantity::MEAN_LOSS);
        assert_eq!((pieces.len(), pieces[0].len(), pieces[1].len(), holes), (2, 3, 2, vec![0.75]));
        assert_eq!(value_at(&report, Quantity::MEAN_LOSS, 0.125), Some(2.5));
        assert_eq!(value_at(&report, Quantity::MEAN_LOSS, 0.6), None, "beside a hole");
        assert_eq!(value_at(&report, Quantity::MEAN_LOSS, 1.0), Some(1.5));
        assert_eq!(value_at(&report, Quantity::MEAN_SCORE, 9.0), None);
        assert_eq!((range(&report), length(&report)), ([0.0, 1.25], Some(3.0)));
    }

    #[test]
    fn numbers_have_digits_that_mean_something() {
        let told = [0.0, 0.01234, 12.345, 123.45, 2e6, 4e-5, f64::NAN].map(digits);
        assert_eq!(told, ["0.000", "0.012", "12.35", "123.5", "2.0e6", "4.0e-5", "no value"]);
    }
}
