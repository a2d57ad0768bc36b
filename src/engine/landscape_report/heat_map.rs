//! A heat map of a plane: cells coloured by value, level lines, holes hatched, adapters and training tracks on it.
//!
//! Both axes have one scale, so that distances and angles are those of the plane.

use std::fmt::Write as _;

use super::colour::{ColourScale, SHADES, colour};
use super::label_room::{LabelRoom, cut};
use super::map_view::{View, axes, drawable, edges, greatest_residual};
use super::tables::decimals;
use super::{PlaneMark, PlaneReport, PlaneTrack, finite, level_lines};
use crate::engine::report_html::svg::short_number;
use crate::engine::report_html::text::escape;

/// Up to this many cells each says its value under the pointer; beyond, the page would become slow.
const TELLING: usize = 2600;
/// Tracks are told apart by so many colours and shapes.
const LOOKS: usize = 4;

/// One map.
pub struct HeatMap<'a> {
    /// What it shows, for people who cannot see it.
    pub title: String,
    /// The same in numbers.
    pub words: String,
    pub report: &'a PlaneReport,
    /// `[ys, xs]`
    pub values: &'a [Option<f64>],
    pub scale: &'a ColourScale,
    pub levels: &'a [f64],
    /// Values are shares of 1 and told in percent.
    pub percent: bool,
    /// With axes, names and values under the pointer; a small one has only the marks.
    pub large: bool,
}

impl HeatMap<'_> {
    /// The map as an `<svg>` element.
    pub fn to_svg(&self) -> String {
        let view = View::of(self.report, self.large);
        let mut svg = format!(
            "<svg class=\"chart map{}\" viewBox=\"0 0 {:.1} {:.1}\" role=\"img\" aria-label=\"{}\">\n<desc>{}</desc>\n",
            if self.large { "" } else { " small-map" },
            view.width,
            view.height,
            escape(&self.title),
            escape(&self.words)
        );
        if self.large {
            axes(&mut svg, &view);
        }
        self.cells(&mut svg, &view);
        let mut room = LabelRoom::new([view.x.from, view.y.to, view.x.to, view.y.from]);
        for mark in self.report.anchors.iter().chain(self.report.tracks.iter().flat_map(|track| &track.points)) {
            room.take_mark((view.x.at(mark.x), view.y.at(mark.y)), 5.0);
        }
        let _ = writeln!(
            svg,
            "<svg x=\"{0:.1}\" y=\"{1:.1}\" width=\"{2:.1}\" height=\"{3:.1}\" viewBox=\"{0:.1} {1:.1} {2:.1} {3:.1}\">",
            view.x.from,
            view.y.to,
            view.x.to - view.x.from,
            view.y.from - view.y.to
        );
        let longest = self.level_lines(&mut svg, &view);
        self.tracks(&mut svg, &view);
        self.anchors(&mut svg, &view, &mut room);
        // on a thin map they would cover it
        if self.large && view.y.from - view.y.to > 120.0 {
            self.level_names(&mut svg, longest, &mut room);
        }
        svg.push_str("</svg>\n</svg>\n");
        svg
    }

    /// The coloured cells, each reaching half-way to its neighbours.
    fn cells(&self, svg: &mut String, view: &View) {
        let (columns, rows) = (edges(&self.report.xs), edges(&self.report.ys));
        let area = |row: usize, from: usize, to: usize| {
            [view.x.at(columns[from]), view.y.at(rows[row + 1]), view.x.at(columns[to]), view.y.at(rows[row])]
        };
        let shade = |value: Option<f64>| finite(value).map(|value| self.scale.shade(value));
        let telling = self.large && self.values.len() <= TELLING;
        let mut holes = String::new();
        let mut shades = vec![String::new(); SHADES];
        svg.push_str("<g class=\"cells\">\n");
        let width = self.report.xs.len().max(1);
        for (row, values) in self.values.chunks(width).enumerate() {
            let mut from = 0;
            let known: Vec<(Option<f64>, bool)> = (values.iter().enumerate())
                .map(|(column, value)| (*value, self.report.is_measured(row * width + column)))
                .collect();
            // neighbours of one colour are one rectangle, unless each has its value to tell
            for stretch in known.chunk_by(|a, b| !telling && shade(a.0) == shade(b.0) && a.1 == b.1) {
                let [left, top, right, bottom] = area(row, from, from + stretch.len());
                let (value, measured) = stretch[0];
                let shade = shade(value);
                // what was never measured is left blank
                if shade.is_none() && measured {
                    hatch(&mut holes, [left, top, right, bottom]);
                }
                if telling {
                    let nothing = if measured { "no finite value" } else { "not measured" };
                    let told = finite(value).map_or_else(|| nothing.to_owned(), |value| self.told(value));
                    let class = if measured { "class=\"hole\"" } else { "fill=\"none\"" };
                    let paint = shade.map_or_else(|| class.to_owned(), |shade| format!("fill=\"{}\"", colour(shade)));
                    let place = (decimals(self.report.xs[from]), decimals(self.report.ys[row]));
                    let _ = writeln!(
                        svg,
                        "<rect x=\"{left:.2}\" y=\"{top:.2}\" width=\"{:.2}\" height=\"{:.2}\" {paint}><title>({}, {}): {told}</title></rect>",
                        right - left,
                        bottom - top,
                        place.0,
                        place.1
                    );
                } else if let Some(shade) = shade {
                    let _ = write!(shades[shade], "M{left:.2} {top:.2}H{right:.2}V{bottom:.2}H{left:.2}Z");
                }
                from += stretch.len();
            }
        }
        for (shade, d) in shades.iter().enumerate().filter(|(_, d)| !d.is_empty()) {
            let _ = writeln!(svg, "<path fill=\"{}\" d=\"{d}\"/>", colour(shade));
        }
        svg.push_str("</g>\n");
        if !holes.is_empty() {
            let _ = writeln!(svg, "<path class=\"hatch\" d=\"{holes}\"/>");
        }
    }

    fn told(&self, value: f64) -> String {
        if self.percent { format!("{:.1} %", 100.0 * value) } else { decimals(value) }
    }

    /// Draws the level lines; returns each level with the places of its longest piece.
    fn level_lines(&self, svg: &mut String, view: &View) -> Vec<(f64, Vec<(f64, f64)>)> {
        let mut longest = Vec::new();
        for level in self.levels {
            let lines = level_lines(&self.report.xs, &self.report.ys, self.values, *level);
            let mut d = String::new();
            for line in &lines {
                for (index, (x, y)) in line.points.iter().enumerate() {
                    let _ =
                        write!(d, "{}{:.1} {:.1}", if index == 0 { 'M' } else { 'L' }, view.x.at(*x), view.y.at(*y));
                }
                d.push_str(if line.closed { "Z" } else { "" });
            }
            if !d.is_empty() {
                let ground = if self.scale.brightness(*level) > 0.55 { "on-bright" } else { "on-dark" };
                let _ = writeln!(svg, "<path class=\"level {ground}\" d=\"{d}\"/>");
            }
            if let Some(line) = lines.into_iter().max_by_key(|line| line.points.len()) {
                longest.push((*level, line.points.into_iter().map(|(x, y)| (view.x.at(x), view.y.at(y))).collect()));
            }
        }
        longest
    }

    /// The values of the level lines, where there is room on their longest pieces.
    fn level_names(&self, svg: &mut String, longest: Vec<(f64, Vec<(f64, f64)>)>, room: &mut LabelRoom) {
        for (level, places) in longest {
            let text = if self.percent { short_number(100.0 * level) } else { short_number(level) };
            // a little below the line's middle is its baseline
            let tries = [2, 3, 5, 7, 11].map(|part| places.get(places.len() / part).copied());
            let free = tries.into_iter().flatten().find_map(|at| room.place((at.0, at.1 + 7.0), 3.0, &text));
            if let Some(place) = free {
                let ground = if self.scale.brightness(level) > 0.55 { "on-bright" } else { "on-dark" };
                let _ = writeln!(
                    svg,
                    "<text class=\"level-name {ground}\" text-anchor=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{text}</text>",
                    place.anchor, place.x, place.y
                );
            }
        }
    }

    /// Training tracks; a stretch far out of the plane is faint.
    fn tracks(&self, svg: &mut String, view: &View) {
        let farthest = greatest_residual(self.report);
        let opacity =
            |residual: f64| if farthest > 0.0 { 1.0 - 0.7 * (residual / farthest).clamp(0.0, 1.0) } else { 1.0 };
        for (index, track) in self.report.tracks.iter().enumerate() {
            let _ = writeln!(svg, "<g class=\"track track-{}\">", index % LOOKS);
            let at = |mark: &PlaneMark| (view.x.at(mark.x), view.y.at(mark.y));
            let points: Vec<&PlaneMark> = drawable(track).collect();
            for pair in points.windows(2) {
                let ((x, y), (u, v)) = (at(pair[0]), at(pair[1]));
                let faint = opacity(f64::midpoint(pair[0].residual, pair[1].residual));
                let _ = writeln!(
                    svg,
                    "<g opacity=\"{faint:.2}\"><path class=\"casing\" d=\"M{x:.1} {y:.1}L{u:.1} {v:.1}\"/><path class=\"way\" d=\"M{x:.1} {y:.1}L{u:.1} {v:.1}\"/></g>"
                );
            }
            for mark in points {
                let (x, y) = at(mark);
                let name = if mark.name.is_empty() { String::new() } else { format!(", {}", mark.name) };
                let told = format!(
                    "{}{name}: ({}, {}), {} out of the plane",
                    track.name,
                    decimals(mark.x),
                    decimals(mark.y),
                    decimals(mark.residual)
                );
                let _ = writeln!(
                    svg,
                    "<path class=\"stop\" opacity=\"{:.2}\" d=\"{}\"><title>{}</title></path>",
                    opacity(mark.residual),
                    shape(index, (x, y), if self.large { 3.4 } else { 1.8 }),
                    escape(&told)
                );
            }
            svg.push_str("</g>\n");
        }
    }

    /// Adapters as crosses in circles; hollow where they lie off the plane.
    fn anchors(&self, svg: &mut String, view: &View, room: &mut LabelRoom) {
        let reach = (view.x.high - view.x.low).hypot(view.y.high - view.y.low);
        for mark in self.report.anchors.iter().filter(|mark| mark.x.is_finite() && mark.y.is_finite()) {
            let (x, y) = (view.x.at(mark.x), view.y.at(mark.y));
            let off = mark.residual > 1e-3 * reach;
            let told = format!(
                "{}: ({}, {}), {} out of the plane",
                mark.name,
                decimals(mark.x),
                decimals(mark.y),
                decimals(mark.residual)
            );
            let _ = writeln!(
                svg,
                "<circle class=\"anchor{}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{}\"><title>{}</title></circle>",
                if off { " off" } else { "" },
                if self.large { 5.0 } else { 2.8 },
                escape(&told)
            );
            let name = cut(&mark.name, 24);
            if self.large
                && let Some(place) = room.place((x, y), 8.0, &name)
            {
                let _ = writeln!(
                    svg,
                    "<text class=\"anchor-name\" text-anchor=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    place.anchor,
                    place.x,
                    place.y,
                    escape(&name)
                );
            }
        }
    }
}

/// Names of the tracks with the looks that the map gives them, as a legend.
pub fn track_legend(tracks: &[PlaneTrack]) -> String {
    let mut html = String::from("<ul class=\"legend\">");
    for (index, track) in tracks.iter().enumerate() {
        let _ = write!(
            html,
            "<li><svg class=\"key track track-{}\" viewBox=\"0 0 34 12\" aria-hidden=\"true\"><path class=\"casing\" d=\"M2 6H32\"/><path class=\"way\" d=\"M2 6H32\"/><path class=\"stop\" d=\"{}\"/></svg><span>{}</span></li>",
            index % LOOKS,
            shape(index, (17.0, 6.0), 3.6),
            escape(&track.name)
        );
    }
    html + "</ul>\n"
}

/// A small square, diamond, triangle or flat bar around a place: the shape of a track's stops.
fn shape(track: usize, (x, y): (f64, f64), r: f64) -> String {
    match track % LOOKS {
        0 => format!("M{:.1} {:.1}h{:.1}v{2:.1}h-{2:.1}z", x - 0.9 * r, y - 0.9 * r, 1.8 * r),
        1 => format!(
            "M{x:.1} {:.1}L{:.1} {y:.1}L{x:.1} {:.1}L{:.1} {y:.1}z",
            y - 1.2 * r,
            x + 1.2 * r,
            y + 1.2 * r,
            x - 1.2 * r
        ),
        2 => format!("M{x:.1} {:.1}L{:.1} {2:.1}L{:.1} {2:.1}z", y - 1.2 * r, x + 1.1 * r, y + 0.9 * r),
        _ => format!("M{:.1} {:.1}h{:.1}v{:.1}h-{2:.1}z", x - 1.2 * r, y - 0.5 * r, 2.4 * r, r),
    }
}

/// Diagonal strokes through a rectangle, in line with those of its neighbours.
fn hatch(d: &mut String, [left, top, right, bottom]: [f64; 4]) {
    const GAP: f64 = 6.0;
    let mut diagonal = ((left + top) / GAP).ceil() * GAP;
    while diagonal < right + bottom {
        let (from, to) = ((diagonal - bottom).max(left), (diagonal - top).min(right));
        let _ = write!(d, "M{from:.1} {:.1}L{to:.1} {:.1}", diagonal - from, diagonal - to);
        diagonal += GAP;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report_html::tests::tag_counts;

    fn report(xs: &[f64], ys: &[f64], values: &[Option<f64>]) -> PlaneReport {
        PlaneReport { xs: xs.to_vec(), ys: ys.to_vec(), losses: values.to_vec(), ..PlaneReport::default() }
    }

    fn map(report: &PlaneReport, large: bool, levels: &[f64]) -> String {
        let scale = ColourScale::of_losses(report.losses.iter()).unwrap();
        let (title, words) = ("a<b".to_owned(), String::new());
        HeatMap { title, words, report, values: &report.losses, scale: &scale, levels, percent: false, large }.to_svg()
    }

    #[test]
    fn cells_reach_half_way_and_both_axes_have_one_scale() {
        let report = report(&[0.0, 2.0], &[0.0, 1.0], &[Some(1.0), Some(2.0), None, Some(4.0)]);
        let view = View::of(&report, true);
        // 4 by 2 units in 445 wide
        assert_eq!((view.x.low, view.x.high, view.y.low, view.y.high), (-1.0, 3.0, -0.5, 1.5));
        assert_eq!((view.x.at(1.0) - view.x.at(0.0), view.y.at(0.0) - view.y.at(1.0)), (111.25, 111.25));
        let svg = map(&report, true, &[]);
        let lowest = format!(
            "<rect x=\"52.00\" y=\"119.25\" width=\"222.50\" height=\"111.25\" fill=\"{}\"><title>(0, 0): 1.000</title></rect>",
            colour(63)
        );
        assert!(svg.contains(&lowest), "{lowest}\n{svg}");
        assert!(
            svg.contains("class=\"hole\"><title>(0, 1.000): no finite value</title>")
                && svg.contains("class=\"hatch\"")
        );
        assert_eq!(tag_counts(&svg)["svg"], 2);
        assert!(svg.contains("a&lt;b"));
    }

    #[test]
    fn what_was_never_measured_is_blank_and_no_hole() {
        let mut report = report(&[0.0, 2.0], &[0.0, 1.0], &[Some(1.0), Some(2.0), None, None]);
        report.measured = vec![true, true, false, true];
        let svg = map(&report, true, &[]);
        assert!(svg.contains("fill=\"none\"><title>(0, 1.000): not measured</title>"), "{svg}");
        assert!(svg.contains("class=\"hole\"><title>(2.000, 1.000): no finite value</title>"), "{svg}");
        // the same where neighbours are joined
        let places: Vec<f64> = (0..60).map(f64::from).collect();
        let mut large = self::report(&places, &places, &vec![Some(1.0); 3600]);
        large.losses[3550..].fill(None);
        large.measured = (0..3600).map(|index| index < 3550).collect();
        assert!(!map(&large, true, &[]).contains("class=\"hatch\""));
    }

    #[test]
    fn a_large_grid_joins_neighbours_of_one_colour() {
        let places: Vec<f64> = (0..60).map(f64::from).collect();
        let mut report = report(&places, &places, &vec![Some(1.0); 3600]);
        report.losses[59] = Some(2.0);
        report.losses[30] = None;
        let svg = map(&report, true, &[]);
        // 59 full rows, and in the first the stretches before and after the hole
        assert!(!svg.contains("<title>(") && svg.contains("class=\"hatch\""));
        let fill = |shade: usize| {
            svg.split(&format!("<path fill=\"{}\" d=\"", colour(shade))).nth(1).unwrap().split('"').next().unwrap()
        };
        assert_eq!((fill(63).matches('M').count(), fill(0).matches('M').count()), (61, 1));
    }

    #[test]
    fn a_small_map_has_the_same_colours_and_no_words() {
        let report = report(&[0.0, 1.0], &[0.0, 1.0], &[Some(1.0), Some(2.0), None, Some(4.0)]);
        let svg = map(&report, false, &[]);
        for shade in [63, 32, 0] {
            assert!(svg.contains(&colour(shade)), "{shade}: {svg}");
        }
        assert!(!svg.contains("<rect") && !svg.contains("<text") && svg.contains("class=\"hatch\""));
    }

    #[test]
    fn hatching_stays_inside_and_continues_across_cells() {
        let (mut one, mut two, mut both) = (String::new(), String::new(), String::new());
        hatch(&mut one, [0.0, 0.0, 12.0, 12.0]);
        hatch(&mut two, [12.0, 0.0, 24.0, 12.0]);
        hatch(&mut both, [0.0, 0.0, 24.0, 12.0]);
        assert_eq!(one, "M0.0 0.0L0.0 0.0M0.0 6.0L6.0 0.0M0.0 12.0L12.0 0.0M6.0 12.0L12.0 6.0");
        assert!(two.contains("M12.0 6.0L18.0 0.0") && both.contains("M6.0 12.0L18.0 0.0"), "{two} {both}");
    }

    #[test]
    fn what_is_far_from_the_plane_is_faint() {
        let mut report = report(&[0.0, 1.0], &[0.0, 1.0], &[Some(1.0); 4]);
        let mark = |x, residual| PlaneMark { name: "m".into(), x, y: 0.5, residual };
        let points = vec![mark(0.0, 1.0), mark(50.0, 3.0), mark(f64::NAN, 9.0)];
        report.tracks = vec![PlaneTrack { name: "far".into(), points }];
        let svg = map(&report, true, &[]);
        // midway between the residuals 1 and 3 of at most 3
        assert!(svg.contains("<g opacity=\"0.53\">") && !svg.contains("NaN"), "{svg}");
    }

    #[test]
    fn one_point_is_one_cell() {
        let svg = map(&report(&[3.0], &[4.0], &[Some(0.5)]), true, &[0.5]);
        assert!(svg.contains("(3.000, 4.000): 0.500") && !svg.contains("NaN") && !svg.contains("level "), "{svg}");
    }
}
