//! Charts as SVG text: axes with round ticks, lines that may have gaps, bands for the tasks of the stream.
//!
//! Colours and fonts come from the page's style sheet through classes. Values that are not finite or absurdly large, and
//! on a logarithmic axis those not above zero, become gaps; a chart with nothing to draw is `None`.

use std::fmt::Write as _;

use super::escape;

/// A line of a chart.
#[derive(Clone, Debug, Default)]
pub struct Series {
    pub name: String,
    /// Class that colours it, e.g. `t3`.
    pub class: String,
    /// `(x, y)` in ascending order of `x`; a `y` that cannot be drawn breaks the line.
    pub points: Vec<(f64, f64)>,
    /// The measured values behind a smoothed line, drawn faintly.
    pub raw: Vec<(f64, f64)>,
    /// Dots at the points, for lines with few of them.
    pub dots: bool,
}

/// A stretch of the x axis that belongs to a task.
#[derive(Clone, Debug)]
pub struct Band {
    pub from: f64,
    pub to: f64,
    pub name: String,
    pub class: String,
}

/// A line chart with one x and one y axis.
#[derive(Clone, Debug, Default)]
pub struct LineChart {
    /// What the chart shows, for people who cannot see it.
    pub description: String,
    pub x_label: String,
    pub y_label: String,
    pub series: Vec<Series>,
    pub bands: Vec<Band>,
    pub log_y: bool,
    /// The y axis where the data are not to decide.
    pub y_range: Option<(f64, f64)>,
    /// The x axis where the data are not to decide.
    pub x_range: Option<(f64, f64)>,
    /// Ticks on whole numbers only.
    pub whole_x: bool,
    /// Names of the lines at their right ends.
    pub end_labels: bool,
    pub width: f64,
    pub height: f64,
}

/// Width of a chart as wide as the page's column; its unit is then about a CSS pixel.
pub const FULL: f64 = 1060.0;
/// Width of one of two charts side by side.
pub const HALF: f64 = 515.0;
const LEFT: f64 = 60.0;
const BOTTOM: f64 = 36.0;
/// Beyond this (and on a logarithmic axis below its inverse) a value counts as diverged: the axis would show nothing else.
const LARGEST: f64 = 1e30;

/// A linear or logarithmic map from values to places on the page.
#[derive(Clone, Copy)]
pub struct Axis {
    pub low: f64,
    pub high: f64,
    pub from: f64,
    pub to: f64,
    pub log: bool,
}

impl Axis {
    /// Place of a value.
    pub fn at(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.log { value.ln() } else { value };
        let span = scale(self.high) - scale(self.low);
        let share = if span > 0.0 { (scale(value) - scale(self.low)) / span } else { 0.5 };
        self.from + share * (self.to - self.from)
    }
}

impl LineChart {
    /// The chart as an `<svg>` element.
    pub fn to_svg(&self) -> Option<String> {
        let drawable = |y: f64| y.abs() < LARGEST && (!self.log_y || y > 1.0 / LARGEST);
        let values = || {
            self.series
                .iter()
                .flat_map(|s| s.points.iter().chain(&s.raw))
                .filter(|(x, y)| x.is_finite() && drawable(*y))
        };
        let (x_low, x_high) = self.x_range.or_else(|| bounds(values().map(|(x, _)| *x)))?;
        let (y_low, y_high) = bounds(values().map(|(_, y)| *y))?;
        let (y_low, y_high) = self.y_range.unwrap_or_else(|| padded(y_low, y_high, self.log_y));
        let right = self.width - if self.end_labels { 92.0 } else { 14.0 };
        let top = if self.bands.is_empty() { 12.0 } else { 26.0 };
        let bottom = self.height - BOTTOM;
        let x = Axis { low: x_low, high: x_high, from: LEFT, to: right, log: false };
        let y = Axis { low: y_low, high: y_high, from: bottom, to: top, log: self.log_y };

        let mut svg = format!(
            "<svg class=\"chart{}\" viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" \
             data-x=\"{x_low} {x_high} {LEFT} {right}\" data-y=\"{y_low} {y_high} {bottom} {top}\" data-log=\"{}\" \
             data-unit=\"{}\">\n",
            if self.width > HALF { " wide" } else { "" },
            self.width,
            self.height,
            escape(&self.description),
            self.log_y,
            escape(&self.x_label),
        );
        self.draw_bands(&mut svg, x, top, bottom);
        self.draw_axes(&mut svg, x, y);
        for series in &self.series {
            let raw = path(&thinned(&series.raw, x), x, y, drawable);
            if !raw.is_empty() {
                let _ = writeln!(svg, "<path class=\"raw {}\" d=\"{raw}\"/>", series.class);
            }
        }
        for series in &self.series {
            let points = thinned(&series.points, x);
            let line = path(&points, x, y, drawable);
            if !line.is_empty() {
                let name = escape(&series.name);
                let _ = writeln!(svg, "<path class=\"line {}\" data-name=\"{name}\" d=\"{line}\"/>", series.class);
            }
            for (px, py) in points.iter().filter(|(_, py)| series.dots && drawable(*py)) {
                let _ = writeln!(
                    svg,
                    "<circle class=\"dot {}\" cx=\"{:.1}\" cy=\"{:.1}\" r=\"3\"/>",
                    series.class,
                    x.at(*px),
                    y.at(*py)
                );
            }
        }
        if self.end_labels {
            self.draw_end_labels(&mut svg, y, right, (top, bottom), drawable);
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }

    fn draw_bands(&self, svg: &mut String, x: Axis, top: f64, bottom: f64) {
        for (index, band) in self.bands.iter().enumerate() {
            let (from, to) = (x.at(band.from.max(x.low)), x.at(band.to.min(x.high)));
            let _ = writeln!(
                svg,
                "<rect class=\"band {}\" x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"3\"/>",
                band.class,
                top - 5.0,
                (to - from).max(0.0)
            );
            if index > 0 {
                let _ = writeln!(svg, "<path class=\"boundary\" d=\"M{from:.1} {:.1}V{bottom:.1}\"/>", top - 5.0);
            }
            // about 7.2 units a letter with some air; fewer than three letters would name nothing
            let letters = fit((to - from) / 7.2);
            if letters >= 3 {
                let name: String = band.name.chars().take(letters).collect();
                let _ = writeln!(
                    svg,
                    "<text class=\"band-name\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    f64::midpoint(from, to),
                    top - 10.0,
                    escape(&name)
                );
            }
        }
    }

    fn draw_axes(&self, svg: &mut String, x: Axis, y: Axis) {
        let ticks = if self.log_y { log_ticks(y.low, y.high) } else { ticks(y.low, y.high, 5, false) };
        for tick in ticks {
            let at = y.at(tick);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{:.1} {at:.1}H{:.1}\"/><text class=\"tick y\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                x.from,
                x.to,
                x.from - 6.0,
                at + 3.5,
                short_number(tick)
            );
        }
        for tick in ticks_in(x, self.whole_x) {
            let at = x.at(tick);
            let _ = writeln!(
                svg,
                "<text class=\"tick x\" x=\"{at:.1}\" y=\"{:.1}\">{}</text><path class=\"axis\" d=\"M{at:.1} {:.1}v4\"/>",
                y.from + 16.0,
                short_number(tick),
                y.from
            );
        }
        let _ = writeln!(svg, "<path class=\"axis\" d=\"M{:.1} {:.1}H{:.1}\"/>", x.from, y.from, x.to);
        let _ = writeln!(
            svg,
            "<text class=\"label x\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            f64::midpoint(x.from, x.to),
            self.height - 4.0,
            escape(&self.x_label)
        );
        let _ = writeln!(
            svg,
            "<text class=\"label y\" transform=\"translate(11 {:.1}) rotate(-90)\">{}</text>",
            f64::midpoint(y.from, y.to),
            escape(&self.y_label)
        );
    }

    /// Names beside the last values, pushed apart so that none covers another.
    fn draw_end_labels(&self, svg: &mut String, y: Axis, right: f64, room: (f64, f64), drawable: impl Fn(f64) -> bool) {
        const LINE: f64 = 12.0;
        let mut labels: Vec<(f64, &Series)> = (self.series.iter())
            .filter_map(|series| Some((y.at(series.points.iter().rfind(|(_, y)| drawable(*y))?.1), series)))
            .collect();
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut lowest = room.0;
        for (at, _) in &mut labels {
            *at = at.max(lowest);
            lowest = *at + LINE;
        }
        let mut highest = room.1;
        for (at, series) in labels.iter_mut().rev() {
            *at = at.min(highest);
            highest = *at - LINE;
            let name: String = series.name.chars().take(14).collect();
            let _ = writeln!(
                svg,
                "<text class=\"end {}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                series.class,
                right + 6.0,
                *at + 3.5,
                escape(&name)
            );
        }
    }
}

/// Whole number of things that fit; 0 for anything that is not a sensible length.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // clamped first
fn fit(length: f64) -> usize {
    if length.is_finite() { length.clamp(0.0, 60.0) as usize } else { 0 }
}

fn bounds(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values.fold(None, |bounds, value| {
        let (low, high) = bounds.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    })
}

/// A little air around the data; a flat line gets an axis too.
fn padded(low: f64, high: f64, log: bool) -> (f64, f64) {
    if log {
        // seven decades show what matters; a stray zero-like value is not to flatten the rest
        let low = low.max(high * 1e-7);
        return if high / low < 1.5 { (low / 1.5, high * 1.5) } else { (low / 1.1, high * 1.1) };
    }
    let air = if high > low { (high - low) * 0.05 } else { (high.abs() * 0.1).max(0.5) };
    // quantities that are never negative keep zero as their floor
    let floor = if low >= 0.0 && low - air < 0.0 { 0.0 } else { low - air };
    (floor, high + air)
}

/// Round numbers inside `[low, high]`: multiples of 1, 2 or 5 times a power of ten, about `count` of them.
pub fn ticks(low: f64, high: f64, count: u32, whole: bool) -> Vec<f64> {
    let span = high - low;
    if !(span.is_finite() && span > 0.0) {
        return if low.is_finite() { vec![low] } else { Vec::new() };
    }
    let rough = span / f64::from(count.max(1));
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|digit| digit * power).into_iter().find(|step| *step >= rough * 0.999);
    let step = step.unwrap_or(power * 10.0).max(if whole { 1.0 } else { 0.0 });
    let first = (low / step - 1e-9).ceil();
    (0..=2 * count)
        .map(|index| (first + f64::from(index)) * step)
        .take_while(|tick| *tick <= high + step * 1e-9)
        .collect()
}

fn ticks_in(x: Axis, whole: bool) -> Vec<f64> {
    ticks(x.low, x.high, if whole || x.to - x.from > 600.0 { 12 } else { 6 }, whole)
}

/// Powers of ten inside `[low, high]`, with 2 and 5 between them where there are few.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let decades = (high / low).log10();
    if !decades.is_finite() || decades <= 0.0 {
        return Vec::new();
    }
    if decades < 0.7 {
        return ticks(low, high, 4, false);
    }
    let digits: &[f64] = if decades <= 2.5 { &[1.0, 2.0, 5.0] } else { &[1.0] };
    let stride = if decades > 8.0 { 2 } else { 1 };
    #[allow(clippy::cast_possible_truncation)] // exponents of finite f64
    let exponents = (low.log10().floor() as i32..=high.log10().ceil() as i32).step_by(stride);
    exponents
        .flat_map(|exponent| digits.iter().map(move |digit| digit * 10_f64.powi(exponent)))
        .filter(|tick| (low * 0.999..=high * 1.001).contains(tick))
        .collect()
}

/// A number as short as a tick needs it.
pub fn short_number(value: f64) -> String {
    let size = value.abs();
    if size == 0.0 {
        "0".to_owned()
    } else if (1e-3..1e5).contains(&size) {
        let digits = if size >= 100.0 {
            0
        } else if size >= 1.0 {
            2
        } else {
            4
        };
        let text = format!("{value:.digits$}");
        if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
    } else {
        format!("{value:.1e}").replace(".0e", "e")
    }
}

/// At most a first, least, greatest and last value for each unit of width, so that a long run stays a small file.
fn thinned(points: &[(f64, f64)], x: Axis) -> Vec<(f64, f64)> {
    const LIMIT: usize = 600;
    if points.len() <= LIMIT {
        return points.to_vec();
    }
    let column = |point: &(f64, f64)| x.at(point.0).floor();
    let mut kept = Vec::new();
    for run in points.chunk_by(|a, b| column(a).total_cmp(&column(b)).is_eq()) {
        let by_y = |a: &usize, b: &usize| run[*a].1.total_cmp(&run[*b].1);
        let mut indices = vec![0, run.len() - 1];
        indices.extend((0..run.len()).min_by(by_y));
        indices.extend((0..run.len()).max_by(by_y));
        indices.sort_unstable();
        indices.dedup();
        kept.extend(indices.into_iter().map(|index| run[index]));
    }
    kept
}

/// The `d` of a path through the points, with a new start after each one that cannot be drawn.
fn path(points: &[(f64, f64)], x: Axis, y: Axis, drawable: impl Fn(f64) -> bool) -> String {
    let mut text = String::new();
    let mut pen_down = false;
    for (px, py) in points {
        if !px.is_finite() || !drawable(*py) {
            pen_down = false;
            continue;
        }
        let at = y.at(py.clamp(y.low, y.high));
        let _ = write!(text, "{}{:.1} {at:.1}", if pen_down { 'L' } else { 'M' }, x.at(*px));
        pen_down = true;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(points: &[(f64, f64)], log_y: bool) -> LineChart {
        let series = Series { name: "a<b".into(), class: "t0".into(), points: points.to_vec(), ..Series::default() };
        LineChart {
            series: vec![series],
            log_y,
            width: 640.0,
            height: 200.0,
            x_label: "step".into(),
            ..LineChart::default()
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(ticks(0.0, 1.0, 5, false), [0.0, 0.2, 0.4, 0.600_000_000_000_000_1, 0.8, 1.0]);
        assert_eq!(ticks(0.0, 7.0, 4, true), [0.0, 2.0, 4.0, 6.0]);
        assert_eq!(ticks(1.0, 3.0, 8, true), [1.0, 2.0, 3.0]);
        assert_eq!(ticks(-1.5, 1.5, 4, false), [-1.0, 0.0, 1.0]);
        assert!(ticks(f64::NAN, 1.0, 5, false).is_empty());
        assert_eq!(log_ticks(0.5, 120.0), [0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0]);
        assert_eq!(log_ticks(1e-4, 10.0), [1e-4, 1e-3, 1e-2, 0.1, 1.0, 10.0]);
        assert!(log_ticks(1.0, 1.0).is_empty());
    }

    #[test]
    fn numbers_on_axes_are_short() {
        let numbers = [0.0, 0.2, 0.600_000_000_000_000_1, 5.0, 1500.0, 2e6, 1e-5, -0.25].map(short_number);
        assert_eq!(numbers, ["0", "0.2", "0.6", "5", "1500", "2e6", "1e-5", "-0.25"]);
    }

    #[test]
    fn a_line_goes_through_its_points_and_breaks_at_gaps() {
        let mut gap = chart(&[(0.0, 0.0), (1.0, 1.0), (2.0, f64::NAN), (3.0, 0.5), (4.0, 0.0)], false);
        gap.y_range = Some((0.0, 1.0));
        let svg = gap.to_svg().unwrap();
        // x from 60 to 626, y from 164 up to 12
        assert!(svg.contains("d=\"M60.0 164.0L201.5 12.0M484.5 88.0L626.0 164.0\""), "{svg}");
        assert!(svg.contains("data-name=\"a&lt;b\"") && !svg.contains("NaN"));
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        assert_eq!(chart(&[], false).to_svg(), None);
        assert_eq!(chart(&[(0.0, f64::NAN), (1.0, f64::INFINITY)], false).to_svg(), None);
        assert_eq!(chart(&[(0.0, 0.0), (1.0, -1.0)], true).to_svg(), None);
    }

    #[test]
    fn extreme_values_never_reach_the_page_as_nan() {
        for points in [
            vec![(0.0, 1.0)],
            vec![(0.0, f64::MAX), (1.0, f64::MIN)],
            vec![(0.0, 1e-300), (1.0, 1e300)],
            vec![(0.0, 3.0), (f64::INFINITY, 2.0), (1.0, 3.0)],
        ] {
            for log in [false, true] {
                let svg = chart(&points, log).to_svg().unwrap_or_default();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{points:?} {log}: {svg}");
            }
        }
    }

    #[test]
    fn long_lines_keep_their_peaks() {
        let mut points: Vec<(f64, f64)> = (0..50_000).map(|i| (f64::from(i), f64::from(i % 7))).collect();
        points[31_234].1 = 99.0;
        points[31_235].1 = -99.0;
        let x = Axis { low: 0.0, high: 50_000.0, from: 0.0, to: 500.0, log: false };
        let kept = thinned(&points, x);
        assert!(kept.len() < 2100 && kept.contains(&points[31_234]) && kept.contains(&points[31_235]));
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
    }
}
