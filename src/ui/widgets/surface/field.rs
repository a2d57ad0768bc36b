//! A height field: heights, colours and values on a grid with holes, as triangles for the shader and as places for what lies
//! on it.

use super::camera::{Point, normalised};

/// Most level lines; the shader has room for so many.
pub const MOST_LEVELS: usize = 16;
/// Height of the greatest value in the scene, whose floor reaches from -1 to 1 along its longer side.
pub const RELIEF: f32 = 0.62;
/// Numbers of one corner in the vertex buffer.
pub const CORNER_FLOATS: usize = 8;
/// Steps of a ray that looks whether the surface covers a place.
const RAY_STEPS: usize = 64;

/// What a grid point shows.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Height {
    /// In `[0, 1]`.
    pub height: f32,
    /// Colour as a share of the palette, in `[0, 1]`.
    pub shade: f32,
    /// What the level lines are drawn of.
    pub value: f32,
}

/// Heights on a grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct HeightField {
    /// Places of the columns in the scene (x, ascending) and of the rows (z, descending: rows go away from the front).
    xs: Vec<f32>,
    zs: Vec<f32>,
    /// `[rows, columns]`; `None` is a hole.
    heights: Vec<Option<Height>>,
    /// Values of the level lines.
    levels: Vec<f32>,
    /// Scene = (place - middle) * scale.
    middle: [f64; 2],
    scale: f64,
}

impl HeightField {
    /// `heights` is `[ys, xs]`. A grid that does not fit together is empty; a height that is not finite is a hole.
    #[must_use]
    pub fn new(xs: &[f64], ys: &[f64], heights: Vec<Option<Height>>, levels: &[f64]) -> Self {
        let (Some(&left), Some(&right), Some(&low), Some(&high)) = (xs.first(), xs.last(), ys.first(), ys.last())
        else {
            return Self::default();
        };
        let extent = (right - left).max(high - low);
        let ascending = |places: &[f64]| places.windows(2).all(|pair| pair[0] < pair[1]);
        let fits = heights.len() == xs.len() * ys.len() && ascending(xs) && ascending(ys);
        if !fits || !extent.is_finite() || extent <= 0.0 {
            return Self::default();
        }
        let (middle, scale) = ([f64::midpoint(left, right), f64::midpoint(low, high)], 2.0 / extent);
        let sound = |height: &Height| [height.height, height.shade, height.value].iter().all(|part| part.is_finite());
        Self {
            xs: xs.iter().map(|x| ((x - middle[0]) * scale) as f32).collect(),
            zs: ys.iter().map(|y| (-(y - middle[1]) * scale) as f32).collect(),
            heights: heights.into_iter().map(|height| height.filter(sound)).collect(),
            levels: Vec::new(),
            middle,
            scale,
        }
        .with_levels(levels)
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heights.is_empty()
    }

    /// The same heights with other level lines.
    #[must_use]
    pub fn with_levels(mut self, levels: &[f64]) -> Self {
        self.levels = levels.iter().take(MOST_LEVELS).map(|level| *level as f32).collect();
        self
    }

    #[must_use]
    pub fn levels(&self) -> &[f32] {
        &self.levels
    }

    /// Half the extent of the floor along x and z.
    #[must_use]
    pub fn reach(&self) -> [f32; 2] {
        [self.xs.last().copied().unwrap_or(1.0), self.zs.first().copied().unwrap_or(1.0)]
    }

    /// Columns and rows.
    #[must_use]
    pub fn size(&self) -> [usize; 2] {
        [self.xs.len(), self.zs.len()]
    }

    fn at(&self, column: usize, row: usize) -> Option<Height> {
        self.heights.get(row * self.xs.len() + column).copied().flatten()
    }

    /// A grid point in the scene; `None` for a hole.
    #[must_use]
    pub fn corner(&self, index: usize) -> Option<Point> {
        let columns = self.xs.len().max(1);
        let height = self.heights.get(index).copied().flatten()?;
        Some([*self.xs.get(index % columns)?, height.height * RELIEF, *self.zs.get(index / columns)?])
    }

    /// Along x and z in the scene, from a place on the plane.
    #[must_use]
    pub fn on_floor(&self, x: f64, y: f64) -> [f32; 2] {
        [((x - self.middle[0]) * self.scale) as f32, (-(y - self.middle[1]) * self.scale) as f32]
    }

    /// The place on the surface above or below a place on the plane; `None` beyond the grid and beside holes.
    #[must_use]
    pub fn place(&self, x: f64, y: f64) -> Option<Point> {
        let [x, z] = self.on_floor(x, y);
        Some([x, self.level_at(x, z)?, z])
    }

    /// Height of the surface in the scene, between the four corners around a place.
    fn level_at(&self, x: f32, z: f32) -> Option<f32> {
        let (column, right) = between(&self.xs, x, 1.0)?;
        let (row, up) = between(&self.zs, z, -1.0)?;
        let corner = |right: usize, up: usize| {
            let (column, row) = ((column + right).min(self.xs.len() - 1), (row + up).min(self.zs.len() - 1));
            self.at(column, row).map(|height| height.height)
        };
        let bottom = corner(0, 0)? * (1.0 - right) + corner(1, 0)? * right;
        let top = corner(0, 1)? * (1.0 - right) + corner(1, 1)? * right;
        Some((bottom * (1.0 - up) + top * up) * RELIEF)
    }

    /// Whether the surface stands between a place and the eye.
    #[must_use]
    pub fn covers(&self, place: Point, eye: Point) -> bool {
        // Above the greatest height nothing can stand in the way.
        let reach = if eye[1] > RELIEF && place[1] < RELIEF { (RELIEF - place[1]) / (eye[1] - place[1]) } else { 1.0 };
        (1..=RAY_STEPS).any(|step| {
            let share = reach * step as f32 / RAY_STEPS as f32;
            let [x, y, z] = [0, 1, 2].map(|axis| place[axis] + share * (eye[axis] - place[axis]));
            self.level_at(x, z).is_some_and(|level| level > y + 0.012)
        })
    }

    /// The direction away from the surface at a grid point, from the neighbours that are there.
    fn normal(&self, column: usize, row: usize) -> Point {
        let slope = |before: Option<(f32, f32)>, after: Option<(f32, f32)>, here: (f32, f32)| {
            let (before, after) = (before.unwrap_or(here), after.unwrap_or(here));
            let run = after.0 - before.0;
            if run == 0.0 { 0.0 } else { (after.1 - before.1) / run }
        };
        let height = |column: usize, row: usize| self.at(column, row).map(|height| height.height * RELIEF);
        let Some(here) = height(column, row) else { return [0.0, 1.0, 0.0] };
        let along_x = |column: usize| Some((*self.xs.get(column)?, height(column, row)?));
        let along_z = |row: usize| Some((*self.zs.get(row)?, height(column, row)?));
        let by_x = slope(column.checked_sub(1).and_then(along_x), along_x(column + 1), (self.xs[column], here));
        let by_z = slope(row.checked_sub(1).and_then(along_z), along_z(row + 1), (self.zs[row], here));
        normalised([-by_x, 1.0, -by_z])
    }

    /// Corners ([`CORNER_FLOATS`] each) and triangles for the shader. Cells beside a hole have none.
    #[must_use]
    pub fn triangles(&self) -> (Vec<f32>, Vec<u32>) {
        let [columns, rows] = self.size();
        let mut corners = Vec::with_capacity(self.heights.len() * CORNER_FLOATS);
        for row in 0..rows {
            for column in 0..columns {
                let Height { height, shade, value } = self.at(column, row).unwrap_or_default();
                corners.extend([self.xs[column], height * RELIEF, self.zs[row]]);
                corners.extend(self.normal(column, row));
                corners.extend([shade, value]);
            }
        }
        let mut triangles = Vec::with_capacity(self.heights.len() * 6);
        for row in 1..rows {
            for column in 1..columns {
                let cell = [(column - 1, row - 1), (column, row - 1), (column, row), (column - 1, row)];
                let [Some(a), Some(b), Some(c), Some(d)] = cell.map(|(column, row)| self.at(column, row)) else {
                    continue;
                };
                let [p, q, r, s] = cell.map(|(column, row)| (row * columns + column) as u32);
                // Cut along the diagonal whose ends are more alike: ridges and valleys stay whole.
                if (a.height - c.height).abs() <= (b.height - d.height).abs() {
                    triangles.extend([p, q, r, p, r, s]);
                } else {
                    triangles.extend([p, q, s, q, r, s]);
                }
            }
        }
        (corners, triangles)
    }
}

/// The interval of sorted places around one, and the share of it; `None` outside. `sign` is -1 for descending places.
fn between(places: &[f32], place: f32, sign: f32) -> Option<(usize, f32)> {
    let (first, last) = (sign * places.first()?, sign * places.last()?);
    let place = sign * place;
    if !(first..=last).contains(&place) {
        return None;
    }
    let after = places.partition_point(|known| sign * known <= place).clamp(1, places.len().max(2) - 1);
    let (from, to) = (sign * places[after - 1], sign * places.get(after).copied().unwrap_or(places[after - 1]));
    let share = if to > from { (place - from) / (to - from) } else { 0.0 };
    Some((after - 1, share.clamp(0.0, 1.0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 5 by 4 places over a slope that rises with x, with a hole.
    fn slope() -> HeightField {
        let (xs, ys) = ([0.0, 1.0, 2.0, 3.0, 4.0], [0.0, 1.0, 2.0, 3.0]);
        let heights = (0..20).map(|index| {
            let height = (index % 5) as f32 / 4.0;
            (index != 7).then_some(Height { height, shade: height, value: height * 10.0 })
        });
        HeightField::new(&xs, &ys, heights.collect(), &[2.5, 5.0])
    }

    #[test]
    fn a_hole_takes_its_cells_with_it() {
        let (corners, triangles) = slope().triangles();
        assert_eq!(corners.len(), 20 * CORNER_FLOATS);
        assert_eq!(triangles.len(), (12 - 4) * 6, "12 cells, four of them touch the hole");
        assert!(!triangles.contains(&7) && triangles.iter().all(|corner| *corner < 20));
        assert!(corners.iter().all(|number| number.is_finite()));
    }

    #[test]
    fn places_keep_the_plane_s_proportions() {
        let field = slope();
        assert_eq!(field.reach(), [1.0, 0.75]);
        assert_eq!(field.on_floor(0.0, 0.0), [-1.0, 0.75]);
        let place = field.place(3.5, 2.5).unwrap();
        assert!((place[0] - 0.75).abs() < 1e-6 && (place[1] - 0.875 * RELIEF).abs() < 1e-6, "{place:?}");
        assert_eq!(field.place(1.5, 1.2), None, "beside the hole");
        assert_eq!((field.place(-0.1, 1.0), field.place(1.0, f64::NAN)), (None, None));
        assert_eq!(field.place(4.0, 3.0).map(|place| place[1]), Some(RELIEF), "the last corner counts");
    }

    #[test]
    fn normals_lean_away_from_the_rise() {
        let (corners, _) = slope().triangles();
        let normal = &corners[13 * CORNER_FLOATS + 3..13 * CORNER_FLOATS + 6];
        let expected = normalised([-RELIEF / 2.0, 1.0, 0.0]);
        assert!(normal.iter().zip(expected).all(|(a, b)| (a - b).abs() < 1e-5), "{normal:?} {expected:?}");
    }

    #[test]
    fn a_ridge_covers_what_lies_behind_it() {
        let places = [0.0, 1.0, 2.0, 3.0, 4.0];
        let heights = (0..25).map(|index| {
            let height = if index / 5 == 1 { 1.0 } else { 0.0 };
            Some(Height { height, shade: 0.0, value: 0.0 })
        });
        let field = HeightField::new(&places, &places, heights.collect(), &[]);
        let behind = field.place(2.0, 2.6).unwrap();
        let low = [0.0, 0.4, 4.0];
        assert!(field.covers(behind, low), "the ridge stands between");
        assert!(!field.covers(behind, [0.0, 4.0, 0.5]), "from above it is seen");
        assert!(!field.covers(field.place(2.0, 0.1).unwrap(), low), "what lies before it is seen");
    }

    #[test]
    fn grids_that_do_not_fit_are_empty() {
        let one = Some(Height::default());
        assert!(HeightField::new(&[], &[], Vec::new(), &[]).is_empty());
        assert!(HeightField::new(&[1.0], &[2.0], vec![one], &[]).is_empty(), "no extent");
        assert!(HeightField::new(&[1.0, 0.0], &[0.0, 1.0], vec![one; 4], &[]).is_empty(), "descending");
        assert!(HeightField::new(&[0.0, 1.0], &[0.0, 1.0], vec![one; 3], &[]).is_empty());
        assert!(HeightField::new(&[0.0, f64::NAN], &[0.0, 1.0], vec![one; 4], &[]).is_empty());
        let bad = Some(Height { height: f32::NAN, ..Height::default() });
        let field = HeightField::new(&[0.0, 1.0], &[0.0, 1.0], vec![one, one, one, bad], &[]);
        assert!(field.triangles().1.is_empty() && field.corner(3).is_none() && field.corner(0).is_some());
        let line = HeightField::new(&[0.0, 1.0], &[0.5], vec![one; 2], &[]);
        assert!(line.triangles().1.is_empty() && line.place(0.5, 0.5).is_some());
    }
}
