//! Planes in weight space: axes, grids, and where an adapter lies on one.
//!
//! Through three anchors by Gram-Schmidt (spec 7.5; `plane.py` of dnn-mode-connectivity), along two directions (random ones,
//! spec 7.6), or by the principal components of many anchors. Axes and points are coefficients over the anchors, positions are
//! in distance units, so that a figure may have equal scales.
//!
//! The axes `u` and `v` are orthonormal. `dx` and `dy` are the lengths that `alpha` and `beta` count in: a point is
//! `origin + alpha dx u + beta dy v`, that is `(x, y) = (alpha dx, beta dy)`.

mod principal;

use super::error::LandscapeError;
use super::gram::{Gram, combined};
use super::path::{coarse_to_fine, grid_between};
use serde::{Deserialize, Serialize};

/// Points of a grid along each axis, unless asked otherwise (spec 7.5).
pub const DEFAULT_POINTS: usize = 21;
/// From where to where `alpha` and `beta` run on the plane of three anchors (spec 7.5).
pub const DEFAULT_RANGE: [f64; 2] = [-0.2, 1.2];
/// From where to where they run along random directions (spec 7.6).
pub const DIRECTION_RANGE: [f64; 2] = [-1.0, 1.0];

/// Anchors nearer than this share of their lengths are one point: f32 parameters differ by as much through rounding.
const EQUAL: f64 = 1e-7;
/// A second direction with a smaller share of its length outside the first is parallel to it.
const PARALLEL: f64 = 1e-6;

/// A plane through combinations of anchors, with orthonormal axes.
#[derive(Clone, Debug, PartialEq)]
pub struct Plane {
    anchors: Gram,
    origin: Vec<f64>,
    u: Vec<f64>,
    v: Vec<f64>,
    dx: f64,
    dy: f64,
    explained: Option<[f64; 2]>,
}

/// Where a point lies on a plane, and how far beside it, in the distance units of the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Along `u`.
    pub x: f64,
    /// Along `v`.
    pub y: f64,
    /// Distance from the plane.
    pub residual: f64,
    /// `residual` as a share of the distance from the plane's origin: 0 on the plane, 1 straight above the origin.
    pub share: f64,
}

impl Plane {
    /// Through three anchors `[w0, w1, w2]`, in the order of `plane.py`: `w0` is the origin, `w2` lies at `(dx, 0)`, `w1` at
    /// `((w1 - w0) . u, dy)`.
    ///
    /// # Errors
    /// No such anchor, two that are equal, or three on one line.
    pub fn through(anchors: &Gram, [w0, w1, w2]: [usize; 3]) -> Result<Self, LandscapeError> {
        let points = [anchors.anchor(w0)?, anchors.anchor(w1)?, anchors.anchor(w2)?];
        let names = [w0, w1, w2];
        for (left, right) in [(0, 1), (0, 2), (1, 2)] {
            let size = anchors.norm(&points[left])?.max(anchors.norm(&points[right])?);
            if anchors.distance(&points[left], &points[right])? <= EQUAL * size {
                return Err(LandscapeError::EqualAnchors { first: names[left], second: names[right] });
            }
        }
        let mut size = 0.0_f64;
        for point in &points {
            size = size.max(anchors.norm(point)?);
        }
        let [origin, first, second] = points;
        let directions = [combined(&second, -1.0, &origin), combined(&first, -1.0, &origin)];
        Self::spanned(anchors, directions, origin, size)
    }

    /// Through the anchor `centre` along two anchors that are directions. `alpha` counts whole first directions; `beta` counts
    /// the second direction less its part along the first, which for two random ones is nearly all of it.
    ///
    /// # Errors
    /// No such anchor, a direction that is zero, or two that are parallel.
    pub fn along(anchors: &Gram, centre: usize, directions: [usize; 2]) -> Result<Self, LandscapeError> {
        let [first, second] = [anchors.anchor(directions[0])?, anchors.anchor(directions[1])?];
        let mut size = 0.0_f64;
        for (which, direction) in [&first, &second].into_iter().enumerate() {
            let length = anchors.norm(direction)?;
            if length == 0.0 {
                return Err(LandscapeError::ZeroDirection { which });
            }
            size = size.max(length);
        }
        Self::spanned(anchors, [first, second], anchors.anchor(centre)?, size)
    }

    /// The plane that holds as much as possible of the spread of the anchors named in `members`, through their mean
    /// (principal components: eigenvectors of the centred inner products). `dx` and `dy` are the root-mean-square spreads
    /// along the axes. The last member lies on the side of `u` that the first does not, so that a run goes to the right.
    ///
    /// # Errors
    /// No such anchor, fewer than three members, or members on one line.
    pub fn principal(anchors: &Gram, members: &[usize]) -> Result<Self, LandscapeError> {
        principal::plane(anchors, members)
    }

    /// Gram-Schmidt: `u` along the first direction, `v` along what the second has beside it. `size` is the greatest length
    /// among the vectors that the directions are made of: their f32 parameters are rounded by a share of that.
    fn spanned(
        anchors: &Gram,
        [first, second]: [Vec<f64>; 2],
        origin: Vec<f64>,
        size: f64,
    ) -> Result<Self, LandscapeError> {
        let dx = anchors.norm(&first)?;
        let u = scaled(&first, 1.0 / dx);
        let beside = combined(&second, -anchors.inner(&second, &u)?, &u);
        let dy = anchors.norm(&beside)?;
        if dy.is_nan() || dy <= PARALLEL * anchors.norm(&second)? || dy <= EQUAL * size {
            return Err(LandscapeError::Collinear);
        }
        let v = scaled(&beside, 1.0 / dy);
        Ok(Self { anchors: anchors.clone(), origin, u, v, dx, dy, explained: None })
    }

    /// The anchors' inner products that the plane was made from.
    #[must_use]
    pub fn anchors(&self) -> &Gram {
        &self.anchors
    }

    /// Coefficients of the point `(0, 0)`.
    #[must_use]
    pub fn origin(&self) -> &[f64] {
        &self.origin
    }

    /// Coefficients of the two unit axes.
    #[must_use]
    pub fn axes(&self) -> [&[f64]; 2] {
        [&self.u, &self.v]
    }

    /// `[dx, dy]`, the lengths that `alpha` and `beta` count in.
    #[must_use]
    pub fn units(&self) -> [f64; 2] {
        [self.dx, self.dy]
    }

    /// Shares of the members' spread along `u` and `v`; only of a plane by principal components.
    #[must_use]
    pub fn explained(&self) -> Option<[f64; 2]> {
        self.explained
    }

    /// Shares of a motion that the two axes hold: of the squared distances of each way's points from the way's own mean, summed
    /// over all ways. `None` where nothing moves. A way is a list of anchors.
    ///
    /// # Errors
    /// No such anchor.
    pub fn share_of_motion(&self, ways: &[Vec<usize>]) -> Result<Option<[f64; 2]>, LandscapeError> {
        let (mut held, mut whole) = ([0.0; 2], 0.0);
        let mut size = 0.0_f64;
        for way in ways {
            let points: Vec<Vec<f64>> =
                way.iter().map(|index| self.anchors.anchor(*index)).collect::<Result<_, _>>()?;
            let share = 1.0 / way.len().max(1) as f64;
            let mean = points.iter().fold(vec![0.0; self.anchors.anchors()], |sum, point| combined(&sum, share, point));
            for point in &points {
                let offset = combined(point, -1.0, &mean);
                for (held, axis) in held.iter_mut().zip([&self.u, &self.v]) {
                    *held += self.anchors.inner(&offset, axis)?.powi(2);
                }
                whole += self.anchors.norm(&offset)?.powi(2);
                size = size.max(self.anchors.norm(point)?);
            }
        }
        // what moves by less than f32 can tell stands still
        let moves = whole > (EQUAL * size).powi(2);
        Ok(moves.then(|| held.map(|held| (held / whole).clamp(0.0, 1.0))))
    }

    /// Coefficients over the anchors of the point at `(x, y)`, in distance units.
    #[must_use]
    pub fn coefficients(&self, x: f64, y: f64) -> Vec<f64> {
        combined(&combined(&self.origin, x, &self.u), y, &self.v)
    }

    /// Where a combination of the anchors lies; an anchor's own coefficients are [`Gram::anchor`].
    ///
    /// # Errors
    /// More coefficients than anchors.
    pub fn position(&self, point: &[f64]) -> Result<Position, LandscapeError> {
        position(&self.anchors, self, point)
    }

    /// Where a vector lies that is none of the anchors, from its inner products with each of them and its squared length.
    ///
    /// # Errors
    /// A wrong number of products, or products that no vector has.
    pub fn position_of(&self, products: &[f64], squared_norm: f64) -> Result<Position, LandscapeError> {
        let extended = self.anchors.extended(products, squared_norm)?;
        position(&extended, self, &extended.anchor(self.anchors.anchors())?)
    }
}

/// In coefficients, not as a difference of squares: a point of the plane then has a residual of rounding size. Where anchors
/// depend on one another linearly it can still be 1e-8 of their length.
fn position(anchors: &Gram, plane: &Plane, point: &[f64]) -> Result<Position, LandscapeError> {
    let from_origin = combined(point, -1.0, &plane.origin);
    let x = anchors.inner(&from_origin, &plane.u)?;
    let y = anchors.inner(&from_origin, &plane.v)?;
    let beside = combined(&combined(&from_origin, -x, &plane.u), -y, &plane.v);
    let (residual, distance) = (anchors.norm(&beside)?, anchors.norm(&from_origin)?);
    let share = if distance > 0.0 { (residual / distance).min(1.0) } else { 0.0 };
    Ok(Position { x, y, residual, share })
}

fn scaled(vector: &[f64], factor: f64) -> Vec<f64> {
    vector.iter().map(|value| value * factor).collect()
}

/// The points of a plane at which something is measured, in distance units. Row by row: the point of column `i` and row `j`
/// has index `j * xs.len() + i`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlaneGrid {
    /// Places of the columns.
    pub xs: Vec<f64>,
    /// Places of the rows.
    pub ys: Vec<f64>,
}

impl PlaneGrid {
    /// `columns` times `rows` points with `alpha` and `beta` from `from` to `to`.
    #[must_use]
    pub fn new(plane: &Plane, columns: usize, rows: usize, [from, to]: [f64; 2]) -> Self {
        let axis = |unit: f64, points| scaled(&grid_between(from, to, points), unit);
        Self { xs: axis(plane.dx, columns), ys: axis(plane.dy, rows) }
    }

    /// The smallest grid that shows all positions, and `margin` (a share of the width) more on every side. An axis along
    /// which nothing spreads gets the other's width, or the plane's unit.
    #[must_use]
    pub fn covering(plane: &Plane, shown: &[Position], columns: usize, rows: usize, margin: f64) -> Self {
        let range = |place: fn(&Position) -> f64| {
            let places = shown.iter().map(place).filter(|place| place.is_finite());
            places.fold(None, |range: Option<[f64; 2]>, place| {
                let [low, high] = range.unwrap_or([place; 2]);
                Some([low.min(place), high.max(place)])
            })
        };
        let ranges = [range(|position| position.x), range(|position| position.y)].map(Option::unwrap_or_default);
        let widest = ranges.iter().map(|[low, high]| high - low).fold(0.0, f64::max);
        let axis = |[low, high]: [f64; 2], unit: f64, points| {
            let fallback = if widest > 0.0 { widest } else { unit };
            // what is 1e-9 of the other axis wide is rounding
            let (low, high) = if high - low > 1e-9 * fallback {
                (low, high)
            } else {
                let middle = f64::midpoint(low, high);
                (middle - fallback / 2.0, middle + fallback / 2.0)
            };
            let more = margin * (high - low);
            grid_between(low - more, high + more, points)
        };
        Self { xs: axis(ranges[0], plane.dx, columns), ys: axis(ranges[1], plane.dy, rows) }
    }

    /// Number of points.
    #[must_use]
    pub fn points(&self) -> usize {
        self.xs.len() * self.ys.len()
    }

    /// `(x, y)` of the point with this index; `None` beyond the last.
    #[must_use]
    pub fn place(&self, index: usize) -> Option<(f64, f64)> {
        let columns = self.xs.len().max(1);
        Some((*self.xs.get(index % columns)?, *self.ys.get(index / columns)?))
    }

    /// Every index once, corners first, then the middles, so that a figure fills in evenly and every stage is a grid.
    #[must_use]
    pub fn coarse_to_fine(&self) -> Vec<usize> {
        let (columns, rows) = (levels(self.xs.len()), levels(self.ys.len()));
        let mut order: Vec<usize> = (0..self.points()).collect();
        order.sort_by_key(|index| columns[index % columns.len()].max(rows[index / columns.len()]));
        order
    }
}

/// How many halvings of the axis come before each of its points: 0 at the ends, 1 in the middle, 2 at the quarters.
fn levels(count: usize) -> Vec<usize> {
    let mut levels = vec![0; count];
    for (turn, index) in coarse_to_fine(count).into_iter().enumerate().skip(2) {
        levels[index] = (turn - 1).ilog2() as usize + 1;
    }
    levels
}

#[cfg(test)]
mod tests;
