//! The few points of a long curve that are drawn, kept until the curve or the view changes.
//!
//! While a run goes on its curve grows by a point now and then, and by far less than the width of a pixel. Such points are
//! hung onto what is known; all is reduced anew only when they are a pixel's worth.

use super::axis::Scale;
use crate::ui::series::Series;

/// What was reduced, in full.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Basis {
    len: usize,
    last: [f64; 2],
    steps: [f64; 2],
    columns: usize,
    /// How many points it gave.
    drawn: usize,
}

/// What the present points show.
#[derive(Debug, PartialEq)]
struct Seen {
    len: usize,
    last: Option<[u64; 2]>,
    steps: [u64; 2],
    columns: usize,
}

/// Reduced points of one series.
#[derive(Debug, Default)]
pub(super) struct Drawn {
    basis: Option<Basis>,
    seen: Option<Seen>,
    points: Vec<[f64; 2]>,
}

impl Drawn {
    /// Reduces the series to about two points a column, if anything changed.
    pub(super) fn update(&mut self, series: &Series, steps: [f64; 2], columns: usize) {
        let last = series.last().map(|point| point.map(f64::to_bits));
        let seen = Seen { len: series.len(), last, steps: steps.map(f64::to_bits), columns };
        if self.seen.as_ref() == Some(&seen) {
            return;
        }
        self.seen = Some(seen);
        if let Some(basis) = self.basis.filter(|basis| basis.carries(series, steps, columns)) {
            self.points.truncate(basis.drawn);
            let from = self.points.last().map_or(steps[0], |point| point[0]);
            let new = series.decimated(from, steps[1], 1);
            self.points.extend(new.into_iter().filter(|point| point[0] > from));
            return;
        }
        self.points = series.decimated(steps[0], steps[1], columns);
        let drawn = self.points.len();
        self.basis = series.last().map(|last| Basis { len: series.len(), last, steps, columns, drawn });
    }

    /// Least and greatest value on the axis among these steps.
    pub(super) fn extent(&self, [from, to]: [f64; 2], scale: Scale) -> Option<[f64; 2]> {
        let values = |inside: bool| {
            self.points
                .iter()
                .filter(move |[x, _]| !inside || (from..=to).contains(x))
                .filter_map(move |[_, y]| scale.to_axis(*y))
                .map(|value| [value, value])
                .reduce(|a, b| [a[0].min(b[0]), a[1].max(b[1])])
        };
        // Between two points there is still the line that joins them.
        values(true).or_else(|| values(false))
    }

    /// Whether there is more than a point a column.
    pub(super) fn is_dense(&self) -> bool {
        self.basis.is_some_and(|basis| self.points.len() > basis.columns * 3 / 2)
    }

    /// Pieces without a gap. What a logarithmic axis cannot show (0 and below) lies on its floor.
    pub(super) fn stretches(&self, scale: Scale, floor: f64) -> Vec<Vec<[f64; 2]>> {
        let mut pieces: Vec<Vec<[f64; 2]>> = Vec::new();
        let mut open = false;
        for [x, y] in &self.points {
            if !y.is_finite() {
                open = false;
                continue;
            }
            let point = [*x, scale.to_axis(*y).unwrap_or(floor)];
            match pieces.last_mut() {
                Some(piece) if open => piece.push(point),
                _ => pieces.push(vec![point]),
            }
            open = true;
        }
        pieces
    }
}

impl Basis {
    /// Whether the series only went on, and by less than a column of the view.
    fn carries(&self, series: &Series, [from, to]: [f64; 2], columns: usize) -> bool {
        let same = |point: [f64; 2]| point.map(f64::to_bits) == self.last.map(f64::to_bits);
        let growth = to - self.steps[1];
        // A short series is drawn point by point, which costs nothing.
        self.len > 4 * columns
            && self.columns == columns
            && self.steps[0] == from
            && growth >= 0.0
            && growth * columns as f64 <= to - from
            && series.len() >= self.len
            && series.nearest(self.last[0]).is_some_and(same)
    }
}
