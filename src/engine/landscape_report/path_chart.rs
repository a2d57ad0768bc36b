//! A chart along a path: lines over `t` with their chords, holes as gaps, the control points named, the arc length below.
//!
//! It needs no script: a column at each point says under the pointer what was measured there.

use std::fmt::Write as _;

use super::curve::Curve;
use super::label_room::{LETTER, LabelRoom, cut};
use super::tables::decimals;
use crate::engine::report_html::svg::{Axis, HALF, short_number, ticks};
use crate::engine::report_html::text::escape;

/// A line of the chart.
#[derive(Clone, Debug)]
pub struct ChartLine {
    pub name: String,
    /// Classes that colour it and make it thick.
    pub class: String,
    pub curve: Curve,
}

/// Something said about one place of a line.
#[derive(Clone, Debug)]
pub struct Callout {
    pub class: String,
    pub t: f64,
    pub value: f64,
    /// Where a rise begins, e.g. on the chord.
    pub from: Option<f64>,
    pub text: String,
}

/// Lines over `t`.
#[derive(Clone, Debug, Default)]
pub struct PathChart {
    /// What the chart shows, for people who cannot see it.
    pub title: String,
    /// The same in numbers.
    pub words: String,
    pub y_label: String,
    /// Values are percentages: the axis stays within 0 and 100.
    pub percent: bool,
    pub lines: Vec<ChartLine>,
    /// `(t, arc length)` for the second axis; empty for none.
    pub arc: Vec<(f64, f64)>,
    /// Control points by their places.
    pub ends: Vec<(f64, String)>,
    pub marks: Vec<(f64, String)>,
    pub callouts: Vec<Callout>,
    /// A level to compare with, and its name.
    pub floor: Option<(f64, String)>,
}

const LEFT: f64 = 52.0;
const RIGHT: f64 = HALF - 18.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 296.0;
/// With more control points than these their numbers stand for their names.
pub const NAMED: usize = 4;

impl PathChart {
    /// The chart as an `<svg>` element; `None` where no line has a value.
    pub fn to_svg(&self) -> Option<String> {
        let places = self.places();
        let (x, y) = self.axes(&places)?;
        let height = BOTTOM + if self.arc.is_empty() { 36.0 } else { 62.0 };
        let mut svg = format!(
            "<svg class=\"chart along\" viewBox=\"0 0 {HALF} {height}\" role=\"img\" aria-label=\"{}\">\n<desc>{}</desc>\n",
            escape(&self.title),
            escape(&self.words)
        );
        let x_label = if self.arc.is_empty() { "t" } else { "t, and below it the length of the path so far" };
        grid(&mut svg, x, y);
        let _ = writeln!(
            svg,
            "<text class=\"label x\" x=\"{:.1}\" y=\"{:.1}\">{x_label}</text><text class=\"label y\" transform=\"translate(11 {:.1}) rotate(-90)\">{}</text>",
            f64::midpoint(LEFT, RIGHT),
            height - 5.0,
            f64::midpoint(TOP, BOTTOM),
            escape(&self.y_label)
        );
        self.arc_axis(&mut svg, x);
        self.names(&mut svg, x);
        // what lies beyond the axes is cut off at the frame
        let (width, tall) = (RIGHT - LEFT + 8.0, BOTTOM - TOP + 8.0);
        let (left, top) = (LEFT - 4.0, TOP - 4.0);
        let _ = writeln!(
            svg,
            "<svg x=\"{left}\" y=\"{top}\" width=\"{width}\" height=\"{tall}\" viewBox=\"{left} {top} {width} {tall}\">"
        );
        if let Some((value, _)) = &self.floor {
            let _ = writeln!(svg, "<path class=\"floor-line\" d=\"M{LEFT} {0:.1}H{RIGHT}\"/>", y.at(*value));
        }
        for line in &self.lines {
            draw(&mut svg, line, x, y);
        }
        svg.push_str("</svg>\n");
        self.say(&mut svg, x, y);
        self.columns(&mut svg, x, &places);
        svg.push_str("</svg>\n");
        Some(svg)
    }

    /// All different `t` in ascending order.
    fn places(&self) -> Vec<f64> {
        let mut places: Vec<f64> =
            self.lines.iter().flat_map(|line| line.curve.points.iter().map(|(t, _)| *t)).collect();
        places.sort_by(f64::total_cmp);
        places.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        places
    }

    /// Axes that hold the path between its ends; a line beyond them may add as much again before it is cut off.
    fn axes(&self, places: &[f64]) -> Option<(Axis, Axis)> {
        let values = |inside: bool| {
            let points = self.lines.iter().flat_map(|line| &line.curve.points);
            let chosen = points.filter(move |(t, _)| !inside || (-1e-9..=1.0 + 1e-9).contains(t));
            chosen.filter_map(|(_, value)| *value).fold(None, |ends: Option<(f64, f64)>, value| {
                let (low, high) = ends.unwrap_or((value, value));
                Some((low.min(value), high.max(value)))
            })
        };
        let all = values(false)?;
        let (mut low, mut high) = values(true).unwrap_or(all);
        let span = (high - low).max(high.abs() * 0.05);
        (low, high) = (low.min(all.0.max(low - span)), high.max(all.1.min(high + span)));
        for line in &self.lines {
            let chord = line.curve.chord.into_iter().flat_map(|(first, last)| [first, last]);
            chord.for_each(|end| (low, high) = (low.min(end), high.max(end)));
        }
        if let Some((value, _)) = &self.floor {
            low = low.min(*value);
        }
        // what lies beside a path need not lie between its values
        for callout in self.callouts.iter().filter(|callout| callout.from.is_none() && callout.value.is_finite()) {
            (low, high) = (low.min(callout.value), high.max(callout.value));
        }
        let air = ((high - low) * 0.08).max(if self.percent { 2.0 } else { high.abs() * 0.02 }).max(1e-9);
        let lowest = if low >= 0.0 { (low - air).max(0.0) } else { low - air };
        // room for a callout above the highest place
        let highest = high + air.max(0.11 * (high - lowest));
        let highest = if self.percent { highest.min(100.0_f64.max(high)) } else { highest };
        let (first, last) = (*places.first()?, *places.last()?);
        // a single point stands in the middle
        let (first, last) = if last > first { (first, last) } else { (first - 0.5, first + 0.5) };
        let x = Axis { low: first, high: last, from: LEFT, to: RIGHT, log: false };
        Some((x, Axis { low: lowest, high: highest, from: BOTTOM, to: TOP, log: false }))
    }

    /// Round lengths below the axis of `t`, where linear interpolation between the points puts them.
    fn arc_axis(&self, svg: &mut String, x: Axis) {
        let Some((_, total)) = self.arc.last() else { return };
        let line = BOTTOM + 27.0;
        let _ = writeln!(svg, "<path class=\"axis second\" d=\"M{LEFT} {line}H{RIGHT}\"/>");
        for length in ticks(0.0, *total, 5, false) {
            let Some(pair) = self.arc.windows(2).find(|pair| pair[1].1 >= length) else { continue };
            let ((t, from), (next, to)) = (pair[0], pair[1]);
            let share = if to > from { ((length - from) / (to - from)).clamp(0.0, 1.0) } else { 0.0 };
            let at = x.at(t + share * (next - t));
            let _ = writeln!(
                svg,
                "<path class=\"axis second\" d=\"M{at:.1} {line}v4\"/><text class=\"tick x\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                line + 15.0,
                short_number(length)
            );
        }
    }

    /// Names of the control points above the field, of further places inside it.
    fn names(&self, svg: &mut String, x: Axis) {
        let few = self.ends.len() <= NAMED;
        let letters = ((RIGHT - LEFT) / self.ends.len().max(1) as f64 / LETTER) as usize;
        for (index, (t, name)) in self.ends.iter().enumerate() {
            let at = x.at(*t);
            let side = if at < LEFT + 40.0 {
                "after"
            } else if at > RIGHT - 40.0 {
                "before"
            } else {
                "amid"
            };
            let name = if few { cut(name, letters) } else { (index + 1).to_string() };
            let _ = writeln!(
                svg,
                "<path class=\"end-rule\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/><text class=\"end-name {side}\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                TOP - 9.0,
                escape(&name)
            );
        }
        let mut room = LabelRoom::new([LEFT, TOP, RIGHT, BOTTOM]);
        for (t, name) in self.marks.iter().filter(|(t, _)| (x.low..=x.high).contains(t)) {
            let at = x.at(*t);
            let _ = writeln!(svg, "<path class=\"boundary\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/>");
            if let Some(place) = room.place((at, BOTTOM - 10.0), 4.0, name) {
                let _ = writeln!(
                    svg,
                    "<text class=\"callout faint\" text-anchor=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    place.anchor,
                    place.x,
                    place.y,
                    escape(name)
                );
            }
        }
    }

    /// The callouts, and the name of the floor, each where no line's name is yet.
    fn say(&self, svg: &mut String, x: Axis, y: Axis) {
        let mut room = LabelRoom::new([LEFT, TOP, RIGHT, BOTTOM]);
        for callout in &self.callouts {
            let at = (x.at(callout.t), y.at(callout.value.clamp(y.low, y.high)));
            room.take_mark(at, 5.0);
            let _ = write!(svg, "<g class=\"{}\">", callout.class);
            if let Some(from) = callout.from {
                let _ = write!(
                    svg,
                    "<path class=\"rise\" d=\"M{0:.1} {1:.1}V{2:.1}M{3:.1} {1:.1}h8M{3:.1} {2:.1}h8\"/>",
                    at.0,
                    y.at(from.clamp(y.low, y.high)),
                    at.1,
                    at.0 - 4.0
                );
            } else {
                let _ = write!(svg, "<circle class=\"ring\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"5\"/>", at.0, at.1);
            }
            if let Some(place) = room.place_above(at, 9.0, &callout.text) {
                let _ = write!(
                    svg,
                    "<text class=\"callout\" text-anchor=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    place.anchor,
                    place.x,
                    place.y,
                    escape(&callout.text)
                );
            }
            svg.push_str("</g>\n");
        }
        if let Some((value, name)) = &self.floor
            && let Some(place) = room.place((RIGHT, y.at(*value) - 8.0), 2.0, name)
        {
            let _ = writeln!(
                svg,
                "<text class=\"callout faint\" text-anchor=\"{}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                place.anchor,
                place.x,
                place.y,
                escape(name)
            );
        }
    }

    /// A column for each point that says its numbers.
    fn columns(&self, svg: &mut String, x: Axis, places: &[f64]) {
        for (index, t) in places.iter().enumerate() {
            let at = x.at(*t);
            let before = index.checked_sub(1).map_or(x.from, |before| f64::midpoint(x.at(places[before]), at));
            let after = places.get(index + 1).map_or(x.to, |after| f64::midpoint(x.at(*after), at));
            let mut told = format!("t = {}", short_number(*t));
            for line in &self.lines {
                let here = line.curve.points.iter().find(|(place, _)| (place - t).abs() < 1e-9);
                if let Some((_, value)) = here {
                    let value =
                        if self.percent { value.map(|value| format!("{value:.1} %")) } else { value.map(decimals) };
                    let _ = write!(told, "\n{}: {}", line.name, value.as_deref().unwrap_or("no finite value"));
                }
            }
            let _ = writeln!(
                svg,
                "<rect class=\"hit\" x=\"{before:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{}\"><title>{}</title></rect>",
                after - before,
                BOTTOM - TOP,
                escape(&told)
            );
        }
    }
}

/// Lines across at round values, both axes with their numbers.
fn grid(svg: &mut String, x: Axis, y: Axis) {
    for tick in ticks(y.low, y.high, 5, false) {
        let at = y.at(tick);
        let _ = writeln!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{RIGHT}\"/><text class=\"tick y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            LEFT - 6.0,
            at + 3.5,
            short_number(tick)
        );
    }
    let _ = writeln!(svg, "<path class=\"axis\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>");
    for tick in ticks(x.low, x.high, 5, false) {
        let at = x.at(tick);
        let _ = writeln!(
            svg,
            "<path class=\"axis\" d=\"M{at:.1} {BOTTOM}v4\"/><text class=\"tick x\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
            BOTTOM + 15.0,
            short_number(tick)
        );
    }
}

/// A line with its chord; a value between two holes is a dot.
fn draw(svg: &mut String, line: &ChartLine, x: Axis, y: Axis) {
    // far beyond the frame all places look the same
    let height = |value: f64| y.at(value).clamp(-1e4, 1e4);
    let (class, points) = (&line.class, &line.curve.points);
    if let Some((first, last)) = line.curve.chord {
        let d = format!("M{:.1} {:.1}L{:.1} {:.1}", x.at(0.0), height(first), x.at(1.0), height(last));
        let _ = writeln!(svg, "<path class=\"line chord {class}\" d=\"{d}\"/>");
    }
    for stretch in points.split(|(_, value)| value.is_none()) {
        let stretch: Vec<(f64, f64)> =
            stretch.iter().filter_map(|(t, value)| Some((x.at(*t), height((*value)?)))).collect();
        match stretch.as_slice() {
            [] => {}
            [(at, level)] => {
                let _ = writeln!(svg, "<circle class=\"dot {class}\" cx=\"{at:.1}\" cy=\"{level:.1}\" r=\"3\"/>");
            }
            [(at, level), rest @ ..] => {
                let mut d = format!("M{at:.1} {level:.1}");
                for (at, level) in rest {
                    let _ = write!(d, "L{at:.1} {level:.1}");
                }
                let _ = writeln!(svg, "<path class=\"line {class}\" d=\"{d}\"/>");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report_html::tests::tag_counts;

    fn line(points: &[(f64, Option<f64>)]) -> ChartLine {
        let ends = (points.first().and_then(|p| p.1), points.last().and_then(|p| p.1));
        let curve = Curve { points: points.to_vec(), chord: ends.0.zip(ends.1) };
        ChartLine { name: "a<b".into(), class: "t0".into(), curve }
    }

    #[test]
    fn a_line_breaks_at_a_hole_and_keeps_its_chord() {
        let points = [(0.0, Some(0.0)), (0.25, Some(100.0)), (0.5, None), (0.75, Some(50.0)), (1.0, Some(100.0))];
        let chart = PathChart { lines: vec![line(&points)], percent: true, ..PathChart::default() };
        let svg = chart.to_svg().unwrap();
        // x from 52 to 497, y from 296 (0 %) to 26 (100 %)
        assert!(svg.contains("class=\"line t0\" d=\"M52.0 296.0L163.2 26.0\""), "{svg}");
        assert!(svg.contains("class=\"line t0\" d=\"M385.8 161.0L497.0 26.0\""), "{svg}");
        assert!(svg.contains("class=\"line chord t0\" d=\"M52.0 296.0L497.0 26.0\""), "{svg}");
        assert!(svg.contains("<title>t = 0.5\na&lt;b: no finite value</title>"), "{svg}");
        assert_eq!(tag_counts(&svg)["rect"], 5, "a column for each point");
    }

    #[test]
    fn one_point_is_a_dot_and_none_is_no_chart() {
        let one = PathChart { lines: vec![line(&[(0.0, Some(2.0))])], ..PathChart::default() };
        let svg = one.to_svg().unwrap();
        assert!(svg.contains("<circle class=\"dot t0\" cx=\"274.5\""), "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
        let none = PathChart { lines: vec![line(&[(0.0, None)])], ..PathChart::default() };
        assert_eq!((none.to_svg(), PathChart::default().to_svg()), (None, None));
    }

    #[test]
    fn round_lengths_stand_where_the_path_has_them() {
        let mut chart = PathChart { lines: vec![line(&[(0.0, Some(1.0)), (1.0, Some(1.0))])], ..PathChart::default() };
        // the first half of t is 3 of the 4 units long
        chart.arc = vec![(0.0, 0.0), (0.5, 3.0), (1.0, 4.0)];
        let svg = chart.to_svg().unwrap();
        // lengths 1, 2, 3, 4 at t = 1/6, 1/3, 1/2, 1
        for at in ["126.2", "200.3", "274.5", "497.0"] {
            assert!(svg.contains(&format!("<path class=\"axis second\" d=\"M{at} 323v4\"/>")), "{at}: {svg}");
        }
    }

    #[test]
    fn an_explosion_beyond_the_ends_does_not_flatten_the_path() {
        let mut far =
            line(&[(-1.0, Some(1e9)), (0.0, Some(1.0)), (0.5, Some(2.0)), (1.0, Some(1.0)), (2.0, Some(5.0))]);
        far.curve.chord = Some((1.0, 1.0));
        let chart = PathChart { lines: vec![far], ..PathChart::default() };
        let (_, y) = chart.axes(&chart.places()).unwrap();
        // between the ends 1 to 2; one more unit is granted
        assert!(y.high > 3.0 && y.high < 3.3 && y.low > 0.8, "{} {}", y.low, y.high);
        assert!(chart.to_svg().unwrap().contains("M52.0 -10000.0L"));
    }
}
