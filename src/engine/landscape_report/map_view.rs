//! Which part of a plane a map shows, where it lies in the picture, and its axes.
//!
//! Both axes have one scale, so that distances and angles are those of the plane.

use std::fmt::Write as _;

use super::{PlaneMark, PlaneReport, PlaneTrack};
use crate::engine::report_html::svg::{Axis, HALF, short_number, ticks};

/// The part of the plane that is shown, and where it lies in the picture.
pub struct View {
    pub x: Axis,
    pub y: Axis,
    pub width: f64,
    pub height: f64,
}

impl View {
    /// The grid, and what lies around it: adapters and tracks, up to half the grid's extent beyond each side.
    pub fn of(report: &PlaneReport, large: bool) -> Self {
        let marks = || report.anchors.iter().chain(report.tracks.iter().flat_map(drawable));
        let (mut x, mut y) = (
            extent(&edges(&report.xs), marks().map(|mark| mark.x)),
            extent(&edges(&report.ys), marks().map(|mark| mark.y)),
        );
        // a plane thin as a thread would not be seen
        let span = (x.1 - x.0).max(y.1 - y.0);
        for side in [&mut x, &mut y] {
            let lacking = (span / 8.0 - (side.1 - side.0)).max(0.0) / 2.0;
            *side = (side.0 - lacking, side.1 + lacking);
        }
        let (left, right, top, below) = if large { (52.0, HALF - 18.0, 8.0, 40.0) } else { (1.0, 239.0, 1.0, 1.0) };
        let tallest = if large { 470.0 } else { 250.0 };
        let scale = ((right - left) / (x.1 - x.0)).min(tallest / (y.1 - y.0));
        let (wide, tall) = (scale * (x.1 - x.0), scale * (y.1 - y.0));
        let left = f64::midpoint(left, right) - wide / 2.0;
        Self {
            x: Axis { low: x.0, high: x.1, from: left, to: left + wide, log: false },
            y: Axis { low: y.0, high: y.1, from: top + tall, to: top, log: false },
            width: if large { HALF } else { 240.0 },
            height: top + tall + below,
        }
    }
}

/// Ends of the grid, widened for marks that lie outside, but by no more than half of it on each side.
fn extent(edges: &[f64], marks: impl Iterator<Item = f64>) -> (f64, f64) {
    let (low, high) = (edges.first().copied().unwrap_or(0.0), edges.last().copied().unwrap_or(1.0));
    let span = high - low;
    let air = span * 0.03;
    marks.filter(|mark| mark.is_finite()).fold((low, high), |(from, to), mark| {
        let below = if mark < low { (mark - air).max(low - span / 2.0) } else { low };
        let above = if mark > high { (mark + air).min(high + span / 2.0) } else { high };
        (from.min(below), to.max(above))
    })
}

/// Borders of cells around ascending places: half-way between neighbours, and as far beyond the outer ones.
pub fn edges(places: &[f64]) -> Vec<f64> {
    let between = places.windows(2).map(|pair| f64::midpoint(pair[0], pair[1]));
    let (first, last) = (places.first().copied().unwrap_or(0.0), places.last().copied().unwrap_or(0.0));
    let step = |pair: Option<&[f64]>| pair.map_or(0.5, |pair| (pair[1] - pair[0]) / 2.0);
    let before = first - step(places.windows(2).next());
    let after = last + step(places.windows(2).last());
    std::iter::once(before).chain(between).chain([after]).collect()
}

/// Points of a track that have a place.
pub fn drawable(track: &PlaneTrack) -> impl Iterator<Item = &PlaneMark> {
    track.points.iter().filter(|mark| mark.x.is_finite() && mark.y.is_finite())
}

/// The largest distance of any track's point from the plane.
pub fn greatest_residual(report: &PlaneReport) -> f64 {
    let residuals = report.tracks.iter().flat_map(drawable).map(|mark| mark.residual);
    residuals.filter(|residual| residual.is_finite()).fold(0.0, f64::max)
}

/// Number of marks that lie beyond the shown part of the plane.
pub fn out_of_view(report: &PlaneReport) -> usize {
    let view = View::of(report, true);
    let inside = |mark: &&PlaneMark| {
        (view.x.low..=view.x.high).contains(&mark.x) && (view.y.low..=view.y.high).contains(&mark.y)
    };
    report
        .anchors
        .iter()
        .chain(report.tracks.iter().flat_map(|track| &track.points))
        .filter(|mark| !inside(mark))
        .count()
}

/// Ticks at the same distances on both axes, and their names.
pub fn axes(svg: &mut String, view: &View) {
    let (left, right, bottom, top) = (view.x.from, view.x.to, view.y.from, view.y.to);
    let span = (view.x.high - view.x.low).max(view.y.high - view.y.low);
    let step = ticks(0.0, span, 6, false).get(1).copied().unwrap_or(span);
    let places = |axis: Axis| -> Vec<f64> {
        let (first, last) = ((axis.low / step).ceil(), (axis.high / step).floor());
        (0..64).map(|index| first + f64::from(index)).take_while(|tick| *tick <= last).map(|tick| tick * step).collect()
    };
    for tick in places(view.x) {
        let at = view.x.at(tick);
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{at:.1} {bottom:.1}v4\"/><text class=\"tick x\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
            bottom + 15.0,
            short_number(tick)
        );
    }
    for tick in places(view.y) {
        let at = view.y.at(tick);
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{left:.1} {at:.1}h-4\"/><text class=\"tick y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            left - 6.0,
            at + 3.5,
            short_number(tick)
        );
    }
    let _ = writeln!(
        svg,
        "<rect class=\"frame\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>\n\
         <text class=\"label x\" x=\"{:.1}\" y=\"{:.1}\">first direction, L2 distance</text>\
         <text class=\"label y\" transform=\"translate({:.1} {:.1}) rotate(-90)\">{}</text>",
        right - left,
        bottom - top,
        f64::midpoint(left, right),
        bottom + 32.0,
        left - 38.0,
        f64::midpoint(bottom, top),
        // beside a thin map there is room for one word
        if bottom - top > 180.0 { "second direction, L2 distance" } else { "second" }
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_view_widens_for_marks_but_not_for_ever() {
        let places = vec![0.0, 1.0];
        let mut report = PlaneReport { xs: places.clone(), ys: places, ..PlaneReport::default() };
        let mark = |x, residual| PlaneMark { name: "m".into(), x, y: 0.5, residual };
        report.anchors = vec![mark(1.7, 0.0)];
        let view = View::of(&report, true);
        // the cells reach from -0.5 to 1.5; 3 % of air
        assert!((view.x.high - 1.76).abs() < 1e-12 && view.x.low == -0.5 && view.y.high == 1.5);
        assert_eq!(out_of_view(&report), 0);
        report.tracks =
            vec![PlaneTrack { name: "far".into(), points: vec![mark(0.0, 1.0), mark(50.0, 3.0), mark(f64::NAN, 9.0)] }];
        assert_eq!((View::of(&report, true).x.high, out_of_view(&report), greatest_residual(&report)), (2.5, 2, 3.0));
    }
}
