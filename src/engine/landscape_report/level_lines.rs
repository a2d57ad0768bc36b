//! Level lines of a function on a rectangular grid, by marching squares.
//!
//! In each cell of four neighbours the line crosses the edges whose corners lie on different sides of the level, at the
//! place that linear interpolation gives; crossings are joined over the cells. Where opposite corners agree (a saddle) the
//! mean of the four decides which of them are connected. A cell with a hole at a corner has no line.
//! Lorensen and Cline (1987), in two dimensions.

use std::collections::BTreeMap;

use super::finite;

/// One connected piece of a level line.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LevelLine {
    /// `(x, y)` in order along the line, in the grid's coordinates.
    pub points: Vec<(f64, f64)>,
    /// Whether the last point is joined with the first.
    pub closed: bool,
}

/// All pieces on which `values`, `[ys, xs]` with holes, equals `level`.
///
/// A corner that equals the level counts as above it. Empty where the lists do not fit together.
#[must_use]
pub fn level_lines(xs: &[f64], ys: &[f64], values: &[Option<f64>], level: f64) -> Vec<LevelLine> {
    if values.len() != xs.len() * ys.len() || !level.is_finite() {
        return Vec::new();
    }
    let mut crossings = Crossings { xs, ys, values, level, places: BTreeMap::new(), joined: BTreeMap::new() };
    for row in 1..ys.len() {
        for column in 1..xs.len() {
            crossings.cell(column - 1, row - 1);
        }
    }
    crossings.lines()
}

/// Crossings by the edge of the grid they lie on: `2 * point` for the edge to the right of a point, one more for the edge above.
struct Crossings<'a> {
    xs: &'a [f64],
    ys: &'a [f64],
    values: &'a [Option<f64>],
    level: f64,
    places: BTreeMap<usize, (f64, f64)>,
    /// The one or two crossings that each is joined with.
    joined: BTreeMap<usize, Vec<usize>>,
}

impl Crossings<'_> {
    fn value(&self, column: usize, row: usize) -> Option<f64> {
        finite(self.values[row * self.xs.len() + column])
    }

    /// Joins the crossings on the edges of the cell whose lower left corner this is.
    fn cell(&mut self, column: usize, row: usize) {
        let corners = [(0, 0), (1, 0), (1, 1), (0, 1)].map(|(right, up)| self.value(column + right, row + up));
        let [Some(a), Some(b), Some(c), Some(d)] = corners else { return };
        let above = [a, b, c, d].map(|value| value >= self.level);
        let point = row * self.xs.len() + column;
        let (bottom, left) = (2 * point, 2 * point + 1);
        let (right, top) = (2 * (point + 1) + 1, 2 * (point + self.xs.len()));
        let middle_above = (a + b + c + d) / 4.0 >= self.level;
        // around the corner that stands alone, or straight through
        let around = [(left, bottom), (bottom, right), (right, top), (top, left)];
        let segments = match above {
            [true, false, true, false] if middle_above => vec![around[1], around[3]],
            [true, false, true, false] => vec![around[0], around[2]],
            [false, true, false, true] if middle_above => vec![around[0], around[2]],
            [false, true, false, true] => vec![around[1], around[3]],
            [p, q, r, s] if p == q && q == r && r == s => return,
            [p, q, r, s] if p == q && r == s => vec![(left, right)],
            [p, q, r, s] if p == s && q == r => vec![(bottom, top)],
            _ => {
                let alone =
                    (0..4).find(|corner| (0..4).all(|other| other == *corner || above[other] != above[*corner]));
                alone.map(|corner| around[corner]).into_iter().collect()
            }
        };
        for (from, to) in segments {
            for (edge, other) in [(from, to), (to, from)] {
                self.joined.entry(edge).or_default().push(other);
                let place = self.crossing(edge);
                self.places.insert(edge, place);
            }
        }
    }

    /// Where the level lies on an edge, whose ends are known to lie on different sides of it.
    fn crossing(&self, edge: usize) -> (f64, f64) {
        let (column, row) = (edge / 2 % self.xs.len(), edge / 2 / self.xs.len());
        let (right, up) = if edge.is_multiple_of(2) { (1, 0) } else { (0, 1) };
        let from = self.value(column, row).unwrap_or(self.level);
        let to = self.value(column + right, row + up).unwrap_or(self.level);
        let share = if from == to { 0.5 } else { ((self.level - from) / (to - from)).clamp(0.0, 1.0) };
        let between = |places: &[f64], at: usize, step: usize| places[at] + share * (places[at + step] - places[at]);
        (between(self.xs, column, right), between(self.ys, row, up))
    }

    /// Walks along the joins: first the lines that begin at a border or a hole, then the rings.
    fn lines(mut self) -> Vec<LevelLine> {
        let (ends, inner): (Vec<usize>, Vec<usize>) = self.joined.keys().partition(|edge| self.joined[edge].len() == 1);
        let mut lines = Vec::new();
        for start in ends.into_iter().chain(inner) {
            let mut line = LevelLine { points: vec![self.places[&start]], closed: false };
            let mut here = start;
            while let Some(next) = self.joined.get_mut(&here).and_then(Vec::pop) {
                if let Some(back) = self.joined.get_mut(&next) {
                    back.retain(|edge| *edge != here);
                }
                here = next;
                line.closed = here == start;
                if !line.closed {
                    line.points.push(self.places[&here]);
                }
            }
            if line.points.len() > 1 {
                lines.push(line);
            }
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Places from `-reach` to `reach`, and a function on their grid.
    fn sampled(count: usize, reach: f64, function: impl Fn(f64, f64) -> f64) -> (Vec<f64>, Vec<Option<f64>>) {
        let places: Vec<f64> = (0..count).map(|i| reach * (2.0 * i as f64 / (count - 1) as f64 - 1.0)).collect();
        let values =
            places.iter().flat_map(|y| places.iter().map(|x| Some(function(*x, *y))).collect::<Vec<_>>()).collect();
        (places, values)
    }

    #[test]
    fn a_plane_is_cut_in_a_straight_line_exactly() {
        let (places, values) = sampled(7, 3.0, |x, y| 2.0 * x + y);
        let lines = level_lines(&places, &places, &values, 0.5);
        assert_eq!((lines.len(), lines[0].closed), (1, false));
        for (x, y) in &lines[0].points {
            assert!((2.0 * x + y - 0.5).abs() < 1e-12, "({x}, {y}) is not on the line");
        }
        let heights: Vec<f64> = lines[0].points.iter().map(|(_, y)| *y).collect();
        let (low, high) = (heights[0].min(heights[heights.len() - 1]), heights[0].max(heights[heights.len() - 1]));
        assert_eq!((low, high), (-3.0, 3.0), "from border to border");
    }

    #[test]
    fn a_cone_has_circles() {
        let (places, values) = sampled(41, 2.0, f64::hypot);
        for radius in [0.5, 1.0, 1.7] {
            let lines = level_lines(&places, &places, &values, radius);
            assert_eq!((lines.len(), lines[0].closed), (1, true), "one ring of radius {radius}");
            for (x, y) in &lines[0].points {
                // linear interpolation of a cone errs by at most h^2 / (8 r)
                assert!((x.hypot(*y) - radius).abs() <= 0.01 / (8.0 * 0.4), "({x}, {y}) at radius {radius}");
            }
            let points = &lines[0].points;
            let length: f64 = (0..points.len())
                .map(|i| (points[i], points[(i + 1) % points.len()]))
                .map(|((x, y), (u, v))| (x - u).hypot(y - v))
                .sum();
            assert!(
                (length / (std::f64::consts::TAU * radius) - 1.0).abs() < 0.01,
                "the ring is traced once, {length}"
            );
        }
        assert_eq!(level_lines(&places, &places, &values, 2.4).len(), 4, "four arcs cut off by the corners");
        assert!(level_lines(&places, &places, &values, 9.0).is_empty());
    }

    #[test]
    fn a_saddle_has_two_branches_on_the_right_sides() {
        let (places, values) = sampled(20, 2.0, |x, y| x * y);
        // x y = 0.3 lies in the first and third quadrant, x y = -0.3 in the others; product of each branch is constant
        for level in [0.3, -0.3] {
            let lines = level_lines(&places, &places, &values, level);
            assert_eq!((lines.len(), lines[0].closed, lines[1].closed), (2, false, false), "level {level}");
            for line in &lines {
                let side = line.points[0].0.signum();
                for (x, y) in &line.points {
                    // on an edge x y is linear: the crossing is exact
                    assert!((x * y - level).abs() < 1e-12 && x.signum() == side, "({x}, {y})");
                }
            }
        }
    }

    #[test]
    fn in_a_saddle_cell_the_mean_of_the_corners_decides() {
        let places = [0.0, 1.0];
        // the high corners at (0, 0) and (1, 1) are connected at a low level and apart at a high one
        let values = [Some(1.0), Some(0.0), Some(0.0), Some(1.0)];
        let sides = |level: f64| -> Vec<bool> {
            // whether both ends of a piece lie on the same side of the diagonal x + y = 1
            let lines = level_lines(&places, &places, &values, level);
            assert_eq!(lines.len(), 2);
            lines.iter().map(|line| line.points.iter().map(|(x, y)| x + y - 1.0).product::<f64>() > 0.0).collect()
        };
        assert_eq!(sides(0.75), [true, true], "each piece goes around a high corner");
        assert_eq!(sides(0.25), [false, false], "each piece goes around a low corner and crosses the diagonal");
    }

    #[test]
    fn a_hole_opens_a_ring_and_damage_draws_nothing() {
        let (places, mut values) = sampled(11, 1.0, f64::hypot);
        assert!(level_lines(&places, &places, &values, 0.5)[0].closed);
        values[5 * 11 + 8] = None;
        let lines = level_lines(&places, &places, &values, 0.5);
        assert_eq!((lines.len(), lines[0].closed), (1, false));
        values[5 * 11 + 2] = Some(f64::NAN);
        assert_eq!(level_lines(&places, &places, &values, 0.5).len(), 2);
        assert!(level_lines(&places, &places, &values[1..], 0.5).is_empty());
        assert!(level_lines(&places[..1], &places[..1], &values[..1], 0.5).is_empty());
        assert!(level_lines(&places, &places, &values, f64::NAN).is_empty());
    }
}
