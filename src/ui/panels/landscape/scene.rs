//! A plane made ready to be drawn: its values with what stands in for points that are still to be measured, scale, level lines
//! and height field. Made anew only when the plane grows or something else is shown of it.

use super::scale::{Quantity, Scale};
use crate::engine::landscape_report::{LevelLine, PlaneReport, level_lines};
use crate::ui::widgets::surface::field::{Height, HeightField};
use std::collections::VecDeque;
use std::sync::Arc;

/// What tells whether a scene is still that of a plane.
#[derive(Clone, Debug, PartialEq)]
pub struct Key {
    pub plane: u64,
    pub quantity: Quantity,
    size: [usize; 2],
    known: usize,
    unmeasured: usize,
    /// Nothing is still to be measured: what has no value is a hole.
    pub done: bool,
    /// Sum of the values: a plane that is measured anew has others.
    sum: f64,
}

impl Key {
    #[must_use]
    pub fn new(plane: u64, report: &PlaneReport, quantity: Quantity, done: bool) -> Self {
        let finite = || quantity.of(report).iter().copied().flatten().filter(|value| value.is_finite());
        let size = [report.xs.len(), report.ys.len()];
        let (known, unmeasured) = (finite().count(), report.unmeasured());
        Self { plane, quantity, size, known, unmeasured, done, sum: finite().sum() }
    }
}

/// See the module.
#[derive(Clone, Debug)]
pub struct Scene {
    pub key: Key,
    /// `[ys, xs]`; while a plane grows, and of one that was stopped, a point that is not measured has the value of the nearest
    /// one that is. A point that was measured and has no finite value is a hole.
    pub values: Vec<Option<f64>>,
    /// Whether the point was measured.
    pub measured: Vec<bool>,
    pub scale: Scale,
    pub levels: Vec<(f64, Vec<LevelLine>)>,
    pub field: Arc<HeightField>,
}

impl Scene {
    /// `None` while no value is known. The report is sound ([`PlaneReport::fault`]).
    #[must_use]
    pub fn new(key: Key, report: &PlaneReport) -> Option<Self> {
        let known = key.quantity.of(report);
        let scale = Scale::new(known, key.quantity.score)?;
        let measured: Vec<bool> = (0..known.len()).map(|index| report.is_measured(index)).collect();
        let values = filled(known, &measured, report.xs.len());
        let levels = scale.levels();
        let heights = values.iter().map(|value| {
            let value = (*value)?;
            let (height, shade) = (scale.height(value) as f32, scale.shade(value) as f32);
            Some(Height { height, shade, value: value as f32 })
        });
        let field = Arc::new(HeightField::new(&report.xs, &report.ys, heights.collect(), &levels));
        let line = |level: f64| (level, level_lines(&report.xs, &report.ys, &values, level));
        let levels = levels.into_iter().map(line).collect();
        Some(Self { key, values, measured, scale, levels, field })
    }

    /// Points that were measured and have no finite value.
    #[must_use]
    pub fn holes(&self) -> usize {
        self.values.iter().filter(|value| value.is_none()).count()
    }
}

/// Gives every point that was not measured the value of the nearest one that has one, by steps along the grid, around holes.
fn filled(known: &[Option<f64>], measured: &[bool], columns: usize) -> Vec<Option<f64>> {
    let mut values: Vec<Option<f64>> = known.iter().map(|value| value.filter(|value| value.is_finite())).collect();
    let mut next: VecDeque<usize> = (0..values.len()).filter(|index| values[*index].is_some()).collect();
    while let Some(index) = next.pop_front() {
        let value = values[index];
        let column = index % columns.max(1);
        let neighbours = [
            (column > 0).then(|| index - 1),
            (column + 1 < columns).then_some(index + 1),
            index.checked_sub(columns),
            Some(index + columns),
        ];
        for neighbour in neighbours.into_iter().flatten() {
            if values.get(neighbour).is_some_and(Option::is_none) && !measured[neighbour] {
                values[neighbour] = value;
                next.push_back(neighbour);
            }
        }
    }
    values
}

/// The grid point nearest to a place.
#[must_use]
pub fn nearest(report: &PlaneReport, x: f64, y: f64) -> Option<usize> {
    let nearest = |places: &[f64], place: f64| {
        let distance = |index: &usize| (places[*index] - place).abs();
        (0..places.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)))
    };
    Some(nearest(&report.ys, y)? * report.xs.len() + nearest(&report.xs, x)?)
}

/// The place of a grid point.
#[must_use]
pub fn place(report: &PlaneReport, index: usize) -> Option<[f64; 2]> {
    let columns = report.xs.len().max(1);
    Some([*report.xs.get(index % columns)?, *report.ys.get(index / columns)?])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(losses: Vec<Option<f64>>) -> PlaneReport {
        let scores = vec![None; losses.len()];
        PlaneReport { xs: vec![0.0, 1.0, 2.0], ys: vec![0.0, 2.0], losses, scores, ..PlaneReport::default() }
    }

    /// The points that have no value were not measured.
    fn growing(losses: Vec<Option<f64>>) -> PlaneReport {
        PlaneReport { measured: losses.iter().map(Option::is_some).collect(), ..report(losses) }
    }

    fn scene(report: &PlaneReport, done: bool) -> Option<Scene> {
        Scene::new(Key::new(1, report, Quantity::default(), done), report)
    }

    #[test]
    fn a_growing_plane_is_filled_and_a_finished_one_has_holes() {
        let losses = vec![Some(1.0), None, None, Some(2.0), None, Some(4.0)];
        let part = scene(&growing(losses.clone()), false).unwrap();
        assert_eq!(part.values, [1.0, 1.0, 4.0, 2.0, 2.0, 4.0].map(Some));
        assert_eq!(part.measured, [true, false, false, true, false, true]);
        assert_eq!((part.holes(), part.field.triangles().1.len()), (0, 12));
        let done = scene(&report(losses.clone()), true).unwrap();
        assert_eq!((done.holes(), done.field.triangles().1.len()), (3, 0));
        assert_ne!(part.key, done.key);
        // A NaN that was measured is a hole at once and takes no neighbour's colour, and what was not measured never is one.
        let mut broken = growing(losses);
        (broken.losses[4], broken.measured[4]) = (Some(f64::NAN), true);
        for done in [false, true] {
            let scene = scene(&broken, done).unwrap();
            assert_eq!((scene.values[4], scene.holes(), scene.values[1]), (None, 1, Some(1.0)), "done: {done}");
        }
    }

    #[test]
    fn nothing_known_is_no_scene() {
        assert!(scene(&report(vec![None, Some(f64::NAN), None, None, None, None]), false).is_none());
        assert!(scene(&report(vec![None; 6]), true).is_none());
    }

    #[test]
    fn places_and_grid_points_find_each_other() {
        let report = report(vec![Some(1.0); 6]);
        assert_eq!((nearest(&report, 1.4, 1.9), place(&report, 4)), (Some(4), Some([1.0, 2.0])));
        assert_eq!((nearest(&PlaneReport::default(), 0.0, 0.0), place(&report, 6)), (None, None));
    }
}
