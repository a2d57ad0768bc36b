//! An exponential average that follows a growing curve, point by point: what was averaged once is not averaged again.

use crate::ui::series::Series;

/// So few new points are fetched from the end of a series, which costs nothing however long it is.
const TAIL: usize = 4_096;

/// The average of one series, equal to [`Series::smoothed`].
#[derive(Debug, Default)]
pub(super) struct Smooth {
    window: f64,
    average: Option<f64>,
    /// The last point of the source that was taken in.
    end: Option<[f64; 2]>,
    curve: Series,
    gaps: usize,
}

fn same(a: [f64; 2], b: [f64; 2]) -> bool {
    a.map(f64::to_bits) == b.map(f64::to_bits)
}

/// The points from this place on, and one before.
fn tail(source: &Series, from: f64) -> Vec<[f64; 2]> {
    source.decimated(from, f64::INFINITY, usize::MAX / 4)
}

impl Smooth {
    /// Takes in what is new, at most `budget` points, which is lessened by what was taken. `true` when nothing is left.
    pub(super) fn follow(&mut self, source: &Series, window: f64, budget: &mut usize) -> bool {
        if self.window.to_bits() != window.to_bits() || !self.continues(source) {
            *self = Self { window, ..Self::default() };
        }
        let left = source.len().saturating_sub(self.curve.len());
        let count = left.min(*budget);
        *budget -= count;
        match self.end {
            Some([x, _]) if left <= TAIL => {
                let points = tail(source, x);
                for point in points.into_iter().filter(|point| point[0] > x).take(count) {
                    self.push(point);
                }
            }
            _ => {
                for point in source.points().skip(self.curve.len()).take(count) {
                    self.push(point);
                }
            }
        }
        count == left
    }

    /// Whether the source is what was taken in, and perhaps more. A resumed run takes steps back and makes them again.
    fn continues(&self, source: &Series) -> bool {
        let Some(end) = self.end else { return true };
        let Some(new) = source.len().checked_sub(self.curve.len()) else { return false };
        if new > TAIL {
            return source.nearest(end[0]).is_some_and(|point| same(point, end));
        }
        let points = tail(source, end[0]);
        let place = points.len().checked_sub(new + 1);
        place.and_then(|place| points.get(place)).is_some_and(|point| same(*point, end))
    }

    fn push(&mut self, [x, y]: [f64; 2]) {
        let keep = if self.window > 1.0 { 1.0 - 1.0 / self.window } else { 0.0 };
        self.end = Some([x, y]);
        if y.is_finite() {
            let average = self.average.map_or(y, |before| keep * before + (1.0 - keep) * y);
            self.average = Some(average);
            self.curve.push(x, average);
        } else {
            self.gaps += 1;
            self.curve.push(x, y);
        }
    }

    /// The average so far.
    pub(super) fn curve(&self) -> &Series {
        &self.curve
    }

    /// Values that were not finite.
    pub(super) fn gaps(&self) -> usize {
        self.gaps
    }
}
