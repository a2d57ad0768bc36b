//! A curve of any number of points, drawn with as many as there are pixels.
//!
//! Points are kept with a pyramid of minima and maxima over 2, 4, 8, … of them, so that a million points are reduced to a
//! few thousand in the time that those few thousand take, and no peak is lost on the way.

/// Points in one cell of the pyramid's lowest level.
const CELL: usize = 16;

/// Smallest and largest value of a stretch of points, with the places where they are.
#[derive(Clone, Copy, Debug)]
struct Extent {
    low: usize,
    high: usize,
}

/// Values over ascending places. Values that are not finite leave gaps.
#[derive(Clone, Debug, Default)]
pub struct Series {
    xs: Vec<f64>,
    ys: Vec<f64>,
    /// `levels[k]` holds the extents of stretches of `CELL * 2^k` points; only complete stretches.
    levels: Vec<Vec<Extent>>,
}

impl Series {
    /// Appends a point. A place at or before the last one first drops everything from there on.
    pub fn push(&mut self, x: f64, y: f64) {
        if self.xs.last().is_some_and(|last| x <= *last) {
            self.truncate(self.xs.partition_point(|known| *known < x));
        }
        self.xs.push(x);
        self.ys.push(y);
        if self.xs.len().is_multiple_of(CELL) {
            let start = self.xs.len() - CELL;
            let extent = self.extent_of_points(start, self.xs.len());
            self.push_extent(0, extent);
        }
    }

    fn push_extent(&mut self, level: usize, extent: Extent) {
        if self.levels.len() <= level {
            self.levels.push(Vec::new());
        }
        self.levels[level].push(extent);
        let cells = &self.levels[level];
        if cells.len().is_multiple_of(2) {
            let merged = self.merge(cells[cells.len() - 2], cells[cells.len() - 1]);
            self.push_extent(level + 1, merged);
        }
    }

    fn truncate(&mut self, length: usize) {
        self.xs.truncate(length);
        self.ys.truncate(length);
        for (level, cells) in self.levels.iter_mut().enumerate() {
            cells.truncate(length / (CELL << level));
        }
    }

    fn extent_of_points(&self, from: usize, to: usize) -> Extent {
        (from + 1..to).fold(Extent { low: from, high: from }, |extent, index| {
            self.merge(extent, Extent { low: index, high: index })
        })
    }

    fn merge(&self, a: Extent, b: Extent) -> Extent {
        // A value that is not finite gives way to one that is.
        let pick = |a: usize, b: usize, smaller: bool| {
            let (first, second) = (self.ys[a], self.ys[b]);
            let second_wins =
                !first.is_finite() || second.is_finite() && (second < first) == smaller && second != first;
            if second_wins { b } else { a }
        };
        Extent { low: pick(a.low, b.low, true), high: pick(a.high, b.high, false) }
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.xs.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.xs.is_empty()
    }

    /// The last point.
    #[must_use]
    pub fn last(&self) -> Option<[f64; 2]> {
        Some([*self.xs.last()?, *self.ys.last()?])
    }

    /// All points.
    pub fn points(&self) -> impl Iterator<Item = [f64; 2]> + '_ {
        self.xs.iter().zip(&self.ys).map(|(x, y)| [*x, *y])
    }

    /// The point nearest to a place.
    #[must_use]
    pub fn nearest(&self, x: f64) -> Option<[f64; 2]> {
        let after = self.xs.partition_point(|known| *known < x);
        let candidates = [after.checked_sub(1), (after < self.xs.len()).then_some(after)];
        let index = candidates
            .into_iter()
            .flatten()
            .min_by(|a, b| (self.xs[*a] - x).abs().total_cmp(&(self.xs[*b] - x).abs()))?;
        Some([self.xs[index], self.ys[index]])
    }

    /// At most about `2 * columns` points of the stretch `from..=to`, in order: the least and the greatest value of each of
    /// `columns` equal parts, and one neighbour on each side so that a line reaches the edge.
    #[must_use]
    pub fn decimated(&self, from: f64, to: f64, columns: usize) -> Vec<[f64; 2]> {
        let first = self.xs.partition_point(|x| *x < from).saturating_sub(1);
        let last = (self.xs.partition_point(|x| *x <= to) + 1).min(self.xs.len());
        let (first, columns) = (first.min(last), columns.max(1));
        let count = last - first;
        let point = |index: usize| [self.xs[index], self.ys[index]];
        if count <= 2 * columns {
            return (first..last).map(point).collect();
        }
        let mut reduced = Vec::with_capacity(2 * columns + 2);
        reduced.push(point(first));
        for column in 0..columns {
            let (start, end) = (first + count * column / columns, first + count * (column + 1) / columns);
            let extent = self.extent(start, end);
            let (one, two) = (extent.low.min(extent.high), extent.low.max(extent.high));
            reduced.push(point(one));
            if two != one {
                reduced.push(point(two));
            }
        }
        reduced.push(point(last - 1));
        reduced.dedup_by(|b, a| a[0] == b[0]);
        reduced
    }

    /// Extent of the points `from..to`, from the largest complete cells inside; `from < to`.
    fn extent(&self, from: usize, to: usize) -> Extent {
        let mut extent = Extent { low: from, high: from };
        let mut at = from;
        while at < to {
            let level = (0..self.levels.len()).rev().find(|level| {
                let size = CELL << level;
                at.is_multiple_of(size) && at + size <= to && at / size < self.levels[*level].len()
            });
            match level {
                Some(level) => {
                    let size = CELL << level;
                    extent = self.merge(extent, self.levels[level][at / size]);
                    at += size;
                }
                None => {
                    extent = self.merge(extent, Extent { low: at, high: at });
                    at += 1;
                }
            }
        }
        extent
    }

    /// An exponential average over about `window` points, of what [`Self::decimated`] would draw: the raw curve is drawn
    /// behind it. A window of 1 or less changes nothing.
    #[must_use]
    pub fn smoothed(&self, window: f64) -> Self {
        let keep = if window > 1.0 { 1.0 - 1.0 / window } else { 0.0 };
        let mut smooth = Self::default();
        let mut average: Option<f64> = None;
        for [x, y] in self.points() {
            if y.is_finite() {
                average = Some(average.map_or(y, |before| keep * before + (1.0 - keep) * y));
            }
            smooth.push(x, if y.is_finite() { average.unwrap_or(y) } else { y });
        }
        smooth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_points_keep_their_peaks() {
        let mut series = Series::default();
        for step in 0..1_000_000_u32 {
            let peak = if step == 654_321 { 100.0 } else { 0.0 };
            series.push(f64::from(step), (f64::from(step) * 0.01).sin() + peak);
        }
        let drawn = series.decimated(0.0, 1e6, 800);
        assert!(drawn.len() <= 1_602, "{}", drawn.len());
        assert!(drawn.iter().any(|[x, y]| *x == 654_321.0 && *y > 98.0), "the peak is drawn");
        assert!(drawn.windows(2).all(|pair| pair[0][0] < pair[1][0]), "in order, none twice");
        let near = series.decimated(654_300.0, 654_400.0, 800);
        assert_eq!(near.len(), 103, "all points of a short stretch and a neighbour on each side");
    }

    #[test]
    fn every_stretch_has_its_true_extremes() {
        let mut series = Series::default();
        let value = |index: usize| if index % 37 == 5 { f64::NAN } else { ((index * 7919) % 1009) as f64 };
        for index in 0..3_000 {
            series.push(index as f64, value(index));
        }
        for (from, to) in [(0, 3_000), (1, 2), (15, 17), (16, 32), (5, 6), (100, 2_777), (2_990, 3_000)] {
            let extent = series.extent(from, to);
            let finite = || (from..to).map(value).filter(|y| y.is_finite());
            let (low, high) = (finite().fold(f64::INFINITY, f64::min), finite().fold(f64::NEG_INFINITY, f64::max));
            if low.is_finite() {
                assert_eq!((series.ys[extent.low], series.ys[extent.high]), (low, high), "{from}..{to}");
            } else {
                assert!(series.ys[extent.low].is_nan());
            }
        }
    }

    #[test]
    fn going_back_drops_what_followed() {
        let mut series = Series::default();
        for step in 1..=100 {
            series.push(f64::from(step), f64::from(step));
        }
        series.push(40.0, -1.0);
        assert_eq!((series.len(), series.last()), (40, Some([40.0, -1.0])));
        assert_eq!(series.nearest(39.4), Some([39.0, 39.0]));
        for step in 41..=64 {
            series.push(f64::from(step), 0.0);
        }
        let extent = series.extent(0, 64);
        assert_eq!((series.ys[extent.low], series.ys[extent.high]), (-1.0, 39.0));
    }

    #[test]
    fn smoothing_follows_and_keeps_a_constant() {
        let mut series = Series::default();
        for step in 0..50 {
            series.push(f64::from(step), if step < 10 { 0.0 } else { 1.0 });
        }
        let smooth = series.smoothed(5.0);
        assert_eq!(smooth.len(), 50);
        assert!((smooth.nearest(10.0).unwrap()[1] - 0.2).abs() < 1e-12);
        assert!(smooth.last().unwrap()[1] > 0.999);
        assert_eq!(series.smoothed(1.0).points().collect::<Vec<_>>(), series.points().collect::<Vec<_>>());
    }
}
