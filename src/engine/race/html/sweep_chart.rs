//! Numbers over the values of a setting: lines with bands of confidence, on a linear, a logarithmic or a worded axis.

use std::fmt::Write as _;

use crate::engine::race::statistics::Estimate;
use crate::engine::report_html::svg::{Axis, HALF, short_number, ticks};
use crate::engine::report_html::text::escape;

/// Spread of values beyond which equal steps on the axis are equal factors.
const LOGARITHMIC: f64 = 20.0;

/// The values of a setting as places on an axis.
pub struct Scale {
    /// Values as typed, in the order of the axis.
    pub values: Vec<String>,
    places: Vec<f64>,
    log: bool,
}

impl Scale {
    /// Numbers in ascending order; anything else in the order given, at equal distances.
    pub fn of(mut values: Vec<String>) -> Self {
        let number = |value: &String| value.parse::<f64>().ok().filter(|number| number.is_finite());
        if let Some(numbers) = values.iter().map(number).collect::<Option<Vec<f64>>>() {
            let mut numbered: Vec<(f64, String)> = numbers.into_iter().zip(values).collect();
            numbered.sort_by(|a, b| a.0.total_cmp(&b.0));
            let (places, values): (Vec<f64>, Vec<String>) = numbered.into_iter().unzip();
            let (low, high) = (places.first().copied().unwrap_or(0.0), places.last().copied().unwrap_or(0.0));
            return Self { values, log: low > 0.0 && high > LOGARITHMIC * low, places };
        }
        values.dedup();
        Self { places: (0..values.len()).map(|place| place as f64).collect(), values, log: false }
    }

    fn axis(&self, from: f64, to: f64) -> Axis {
        let (low, high) = (self.places.first().copied().unwrap_or(0.0), self.places.last().copied().unwrap_or(0.0));
        Axis { low, high, from, to, log: self.log }
    }
}

/// A line: one estimate for each value of the scale, `None` where there is none.
pub struct Line {
    pub name: String,
    /// Class that colours it.
    pub class: String,
    pub estimates: Vec<Option<Estimate>>,
}

/// Lines over a scale; estimates are shares of 1 and drawn in percent.
pub struct SweepChart<'a> {
    /// What the chart shows, for people who cannot see it.
    pub title: String,
    pub x_label: &'a str,
    pub y_label: String,
    pub scale: &'a Scale,
    pub lines: Vec<Line>,
}

const HEIGHT: f64 = 290.0;
/// Edges of the field between the axes.
pub const TOP: f64 = 12.0;
pub const LEFT: f64 = 52.0;
pub const RIGHT: f64 = HALF - 18.0;
pub const BOTTOM: f64 = HEIGHT - 40.0;

impl SweepChart<'_> {
    /// The chart as an `<svg>` element; `None` where no line has a point.
    pub fn to_svg(&self) -> Option<String> {
        if self.lines.iter().all(|line| line.estimates.iter().all(Option::is_none)) {
            return None;
        }
        let x = self.scale.axis(LEFT, RIGHT);
        let y = percent_axis(BOTTOM, TOP);
        let told = |line: &Line, value: &str, estimate: Estimate| {
            format!("{}, {} {value}: {}", line.name, self.x_label, in_words(estimate))
        };
        let words = self.lines.iter().flat_map(|line| {
            let values = self.scale.values.iter().zip(&line.estimates);
            values.filter_map(move |(value, estimate)| Some(told(line, value, (*estimate)?)))
        });
        let mut svg = open(&self.title, &words.collect::<Vec<_>>().join("; "));
        grid(&mut svg, y);
        let mut last = f64::MIN;
        for (value, place) in self.scale.values.iter().zip(&self.scale.places) {
            let at = x.at(*place);
            let _ = writeln!(svg, "<path class=\"axis\" d=\"M{at:.1} {BOTTOM}v4\"/>");
            // names that would cover the one before are left out
            let half = 3.3 * value.chars().count() as f64;
            if at - half > last {
                last = at + half + 4.0;
                let _ = writeln!(
                    svg,
                    "<text class=\"tick x\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                    BOTTOM + 16.0,
                    escape(value)
                );
            }
        }
        labels(&mut svg, self.x_label, &self.y_label);
        for line in &self.lines {
            let points: Vec<(f64, Option<Estimate>)> =
                self.scale.places.iter().map(|place| x.at(*place)).zip(line.estimates.iter().copied()).collect();
            // a line ends where a value has no estimate, and a new one begins after it
            for run in points.split(|(_, estimate)| estimate.is_none()) {
                let run: Vec<(f64, Estimate)> =
                    run.iter().filter_map(|(at, estimate)| Some((*at, (*estimate)?))).collect();
                svg.push_str(&stretch(&run, y, &line.class));
            }
            for ((at, estimate), value) in points.iter().zip(&self.scale.values) {
                if let Some(estimate) = estimate {
                    dot(&mut svg, &line.class, (*at, y.at(100.0 * estimate.mean)), &told(line, value, *estimate));
                }
            }
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }
}

/// A band with a line in its middle.
fn stretch(run: &[(f64, Estimate)], y: Axis, class: &str) -> String {
    let path = |points: &mut dyn Iterator<Item = (f64, f64)>| {
        points.fold(String::new(), |mut path, (at, value)| {
            let _ = write!(path, "{}{at:.1} {:.1}", if path.is_empty() { 'M' } else { 'L' }, y.at(100.0 * value));
            path
        })
    };
    if run.len() < 2 {
        return String::new();
    }
    let end = |estimate: &Estimate, high: bool| {
        estimate.interval.map_or(estimate.mean, |interval| if high { interval.high } else { interval.low })
    };
    let upper = run.iter().map(|(at, estimate)| (*at, end(estimate, true)));
    let lower = run.iter().rev().map(|(at, estimate)| (*at, end(estimate, false)));
    format!(
        "<path class=\"spread {class}\" d=\"{}Z\"/>\n<path class=\"line {class}\" d=\"{}\"/>\n",
        path(&mut upper.chain(lower)),
        path(&mut run.iter().map(|(at, estimate)| (*at, estimate.mean)))
    )
}

fn percent_axis(from: f64, to: f64) -> Axis {
    Axis { low: 0.0, high: 100.0, from, to, log: false }
}

/// The start of a picture, with its name and its numbers for people who cannot see it.
pub fn open(title: &str, words: &str) -> String {
    format!(
        "<svg class=\"chart sweep\" viewBox=\"0 0 {HALF} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n<desc>{}</desc>\n",
        escape(title),
        escape(words)
    )
}

/// Lines across at round values, and the x axis.
pub fn grid(svg: &mut String, y: Axis) {
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
}

/// Names of the two axes.
pub fn labels(svg: &mut String, x: &str, y: &str) {
    let _ = writeln!(
        svg,
        "<text class=\"label x\" x=\"{:.1}\" y=\"{:.1}\">{}</text><text class=\"label y\" transform=\"translate(11 {:.1}) rotate(-90)\">{}</text>",
        f64::midpoint(LEFT, RIGHT),
        HEIGHT - 6.0,
        escape(x),
        f64::midpoint(TOP, BOTTOM),
        escape(y)
    );
}

/// A dot that says under the pointer what it is.
pub fn dot(svg: &mut String, class: &str, (x, y): (f64, f64), told: &str) {
    let _ = writeln!(
        svg,
        "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3.2\"><title>{}</title></circle>",
        escape(told)
    );
}

/// `74.3 % [71.0, 77.2]`.
pub fn in_words(estimate: Estimate) -> String {
    let mean = format!("{:.1} %", 100.0 * estimate.mean);
    estimate.interval.map_or_else(
        || mean.clone(),
        |interval| format!("{mean} [{:.1}, {:.1}]", 100.0 * interval.low, 100.0 * interval.high),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::race::statistics::Interval;
    use crate::engine::report_html::tests::tag_counts;

    fn scale(values: &[&str]) -> Scale {
        Scale::of(values.iter().map(ToString::to_string).collect())
    }

    fn estimate(mean: f64) -> Estimate {
        Estimate { mean, interval: Some(Interval { low: mean - 0.1, high: mean + 0.1 }), n: 3 }
    }

    fn chart(scale: &Scale, estimates: Vec<Option<Estimate>>) -> Option<String> {
        let lines = vec![Line { name: "a<b".into(), class: "t0".into(), estimates }];
        SweepChart { title: "A \"sweep\"".into(), x_label: "rank", y_label: "%".into(), scale, lines }.to_svg()
    }

    #[test]
    fn numbers_are_sorted_and_far_spread_ones_lie_on_a_logarithmic_axis() {
        let wide = scale(&["100", "3", "10", "300"]);
        assert_eq!((wide.values.join(" "), wide.log), ("3 10 100 300".to_owned(), true));
        let x = wide.axis(0.0, 1.0);
        assert!((x.at(30.0) - 0.5).abs() < 1e-12, "30 is the geometric middle of 3 and 300");
        assert!(!scale(&["1", "20"]).log && scale(&["1", "20.5"]).log, "more than 20 times");
        assert!(!scale(&["0", "100"]).log && !scale(&["-1", "100"]).log, "no logarithm");
        let words = scale(&["logits", "last", "3"]);
        assert_eq!((words.values.join(" "), words.places), ("logits last 3".to_owned(), vec![0.0, 1.0, 2.0]));
    }

    #[test]
    fn line_and_band_go_through_means_and_interval_ends() {
        let scale = scale(&["0", "10"]);
        let svg = chart(&scale, [0.5, 0.8].map(estimate).map(Some).to_vec()).unwrap();
        // x from 52 to 497, y from 250 (0 %) to 12 (100 %)
        assert!(svg.contains("<path class=\"line t0\" d=\"M52.0 131.0L497.0 59.6\"/>"), "{svg}");
        assert!(svg.contains("d=\"M52.0 107.2L497.0 35.8L497.0 83.4L52.0 154.8Z\""), "{svg}");
        assert!(svg.contains("a&lt;b, rank 10: 80.0 % [70.0, 90.0]</title>") && svg.contains("A &quot;sweep&quot;"));
        tag_counts(&svg);
    }

    #[test]
    fn gaps_break_the_line_and_a_lone_point_is_a_dot() {
        let values = scale(&["1", "2", "3", "4"]);
        let svg = chart(&values, vec![Some(estimate(0.5)), None, Some(estimate(0.6)), Some(estimate(0.7))]).unwrap();
        assert_eq!((svg.matches("class=\"line").count(), svg.matches("<circle").count()), (1, 3));
        assert_eq!(chart(&values, vec![None; 4]), None);
        let one = scale(&["7"]);
        let svg = chart(&one, vec![Some(estimate(0.5))]).unwrap();
        assert!(!svg.contains("NaN") && svg.matches("<circle").count() == 1, "{svg}");
    }
}
