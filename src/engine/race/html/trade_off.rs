//! The trade-off that a setting governs: what is learnt against what is kept, a path through the setting's values.

use std::fmt::Write as _;

use super::sweep_chart::{BOTTOM, LEFT, RIGHT, Scale, TOP, dot, grid, in_words, labels, open};
use crate::engine::race::statistics::Estimate;
use crate::engine::report_html::svg::{Axis, short_number, ticks};
use crate::engine::report_html::text::escape;

/// What is learnt against what is kept, a path through the values of the setting.
pub struct TradeOff<'a> {
    pub title: String,
    pub setting: &'a str,
    pub scale: &'a Scale,
    pub paths: Vec<TradeOffPath>,
}

/// Name, class, and for each value of the scale `(kept, plasticity)`.
pub type TradeOffPath = (String, String, Vec<Option<(Estimate, Estimate)>>);

impl TradeOff<'_> {
    /// The picture as an `<svg>` element; `None` where there is nothing to draw.
    pub fn to_svg(&self) -> Option<String> {
        if self.paths.iter().all(|(_, _, points)| points.iter().all(Option::is_none)) {
            return None;
        }
        let points = || self.paths.iter().flat_map(|(_, _, points)| points.iter().flatten());
        let x = fitted_axis(points().map(|(kept, _)| kept), LEFT, RIGHT);
        let y = fitted_axis(points().map(|(_, plasticity)| plasticity), BOTTOM, TOP);
        let words: Vec<String> = self.paths.iter().flat_map(|path| self.told(path)).flatten().collect();
        let mut svg = open(&self.title, &words.join("; "));
        grid(&mut svg, y);
        for tick in ticks(x.low, x.high, 5, false) {
            let at = x.at(tick);
            let _ = writeln!(
                svg,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{BOTTOM}\"/><text class=\"tick x\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
                BOTTOM + 16.0,
                short_number(tick)
            );
        }
        labels(&mut svg, "kept: 100 − forgetting, %", "learnt: plasticity, %");
        let mut named: Vec<(f64, f64)> = Vec::new();
        for path in &self.paths {
            self.draw(&mut svg, path, x, y, &mut named);
        }
        svg.push_str("</svg>\n");
        Some(svg)
    }

    /// What each dot of a path says.
    fn told(&self, (name, _, points): &TradeOffPath) -> Vec<Option<String>> {
        let told = |(point, value): (&Option<(Estimate, Estimate)>, &String)| {
            let (kept, plasticity) = (*point)?;
            let text =
                format!("{name} {} {value}: keeps {}, learns {}", self.setting, in_words(kept), in_words(plasticity));
            Some(text.trim().to_owned())
        };
        points.iter().zip(&self.scale.values).map(told).collect()
    }

    /// One path; `named` are the places that already carry the value of the setting, where no second one fits.
    fn draw(&self, svg: &mut String, path: &TradeOffPath, x: Axis, y: Axis, named: &mut Vec<(f64, f64)>) {
        let (_, class, points) = path;
        let mut line = String::new();
        let mut dots = String::new();
        for ((point, value), told) in points.iter().zip(&self.scale.values).zip(self.told(path)) {
            let (Some((kept, plasticity)), Some(told)) = (point, told) else { continue };
            let (at, height) = (x.at(100.0 * kept.mean), y.at(100.0 * plasticity.mean));
            let _ = write!(line, "{}{at:.1} {height:.1}", if line.is_empty() { 'M' } else { 'L' });
            if let (Some(across), Some(up)) = (kept.interval, plasticity.interval) {
                let _ = writeln!(
                    dots,
                    "<path class=\"cross {class}\" d=\"M{:.1} {height:.1}H{:.1}M{at:.1} {:.1}V{:.1}\"/>",
                    x.at(100.0 * across.low),
                    x.at(100.0 * across.high),
                    y.at(100.0 * up.low),
                    y.at(100.0 * up.high)
                );
            }
            dot(&mut dots, class, (at, height), &told);
            if named.iter().all(|(other, level)| (at - other).abs() > 34.0 || (height - level).abs() > 12.0) {
                named.push((at, height));
                // towards the inside of the picture
                let (side, shift) = if at > f64::midpoint(LEFT, RIGHT) { ("before", -7.0) } else { ("after", 7.0) };
                let _ = writeln!(
                    dots,
                    "<text class=\"point-name {side}\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                    at + shift,
                    height + 14.0,
                    escape(value)
                );
            }
        }
        let _ = write!(svg, "<path class=\"line {class}\" d=\"{line}\"/>\n{dots}");
    }
}

/// An axis in percent that just holds the estimates with their intervals, with some air, within 0 and 100.
fn fitted_axis<'e>(estimates: impl Iterator<Item = &'e Estimate>, from: f64, to: f64) -> Axis {
    let ends = estimates.flat_map(|estimate| {
        let (low, high) =
            estimate.interval.map_or((estimate.mean, estimate.mean), |interval| (interval.low, interval.high));
        [low, high]
    });
    let (low, high) = ends.fold((f64::MAX, f64::MIN), |(low, high), end| (low.min(end), high.max(end)));
    let air = ((high - low) * 0.12).max(0.02);
    Axis { low: ((low - air) * 100.0).max(0.0), high: ((high + air) * 100.0).min(100.0), from, to, log: false }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::race::statistics::Interval;
    use crate::engine::report_html::tests::tag_counts;

    #[test]
    fn a_trade_off_runs_through_its_values_in_order() {
        let scale = Scale::of(vec!["3".into(), "30".into()]);
        let estimate =
            |mean: f64| Estimate { mean, interval: Some(Interval { low: mean - 0.1, high: mean + 0.1 }), n: 3 };
        let point = |kept, learnt| Some((estimate(kept), estimate(learnt)));
        let paths = vec![(String::new(), "t0".into(), vec![point(0.0, 1.0), point(1.0, 0.0)])];
        let svg = TradeOff { title: "x".into(), setting: "rank", scale: &scale, paths }.to_svg().unwrap();
        // both axes hold 0 to 100 %
        assert!(svg.contains("d=\"M52.0 12.0L497.0 250.0\""), "{svg}");
        assert!(svg.contains("<title>rank 30: keeps 100.0 % [90.0, 110.0], learns 0.0 %"), "{svg}");
        tag_counts(&svg);
    }

    #[test]
    fn the_axes_hold_what_there_is_and_no_more() {
        let at = |mean| Estimate { mean, interval: None, n: 1 };
        let axis = fitted_axis([at(0.5), at(0.75)].iter(), 0.0, 1.0);
        assert!((axis.low - 47.0).abs() < 1e-9 && (axis.high - 78.0).abs() < 1e-9, "12 % of air at both ends");
        let paths = vec![(String::new(), "t0".to_owned(), vec![None])];
        let scale = Scale::of(vec!["3".into()]);
        assert_eq!(TradeOff { title: "x".into(), setting: "rank", scale: &scale, paths }.to_svg(), None);
    }
}
