//! Colours of a heat map: a ramp of even lightness steps, the map from values to it, and its legend.
//!
//! The ramp is viridis (van der Walt and Smith 2015): lightness grows evenly from end to end, so that equal steps look
//! equal, to people who see no difference of red and green too, and on a grey print. Brighter is better, for losses as for scores.

use std::fmt::Write as _;

use super::finite;
use crate::engine::report_html::svg::{HALF, short_number, ticks};
use crate::engine::report_html::text::escape;

/// Viridis at equal distances, as the authors' table has it.
const RAMP: [u32; 10] =
    [0x440154, 0x482878, 0x3e4989, 0x31688e, 0x26828e, 0x1f9e89, 0x35b779, 0x6ece58, 0xb5de2b, 0xfde725];
/// A map has this many different colours.
pub const SHADES: usize = 64;
/// A loss beyond so many times the median is drawn like that: one divergent corner is not to flatten the rest.
const HIGHEST: f64 = 20.0;
/// A loss below this part of the median is drawn like that: it is zero for the eye.
const LOWEST: f64 = 1e-3;

/// From values to colours.
#[derive(Clone, Debug, PartialEq)]
pub struct ColourScale {
    pub low: f64,
    pub high: f64,
    /// Equal factors look equal, rather than equal differences.
    log: bool,
    /// Small values are bright.
    low_is_bright: bool,
    /// How many values lie below `low` and above `high`.
    pub below: usize,
    pub above: usize,
}

impl ColourScale {
    /// Logarithmic, clipped far from the median; `None` where there is no value.
    pub fn of_losses<'v>(values: impl Iterator<Item = &'v Option<f64>>) -> Option<Self> {
        let mut known: Vec<f64> = values.copied().filter_map(finite).collect();
        known.sort_by(f64::total_cmp);
        let (least, greatest) = (*known.first()?, *known.last()?);
        let median = known[known.len() / 2];
        let log = median > 0.0;
        let (low, high) =
            if log { (least.max(median * LOWEST), greatest.min(median * HIGHEST)) } else { (least, greatest) };
        let below = known.iter().filter(|value| **value < low).count();
        let above = known.iter().filter(|value| **value > high).count();
        Some(Self { low, high, log, low_is_bright: true, below, above })
    }

    /// Linear from the least to the greatest.
    pub fn of_scores<'v>(values: impl Iterator<Item = &'v Option<f64>>) -> Option<Self> {
        let known = values.copied().filter_map(finite);
        let ends = known.fold(None, |ends: Option<(f64, f64)>, value| {
            let (low, high) = ends.unwrap_or((value, value));
            Some((low.min(value), high.max(value)))
        });
        ends.map(|(low, high)| Self { low, high, log: false, low_is_bright: false, below: 0, above: 0 })
    }

    /// Place of a value between the dark and the bright end, in `[0, 1]`.
    pub fn brightness(&self, value: f64) -> f64 {
        let scaled = |value: f64| if self.log { value.ln() } else { value };
        let span = scaled(self.high) - scaled(self.low);
        let value = value.clamp(self.low, self.high);
        let share = if span > 0.0 { (scaled(value) - scaled(self.low)) / span } else { 0.5 };
        if self.low_is_bright { 1.0 - share } else { share }
    }

    /// Number of the colour of a value.
    pub fn shade(&self, value: f64) -> usize {
        ((self.brightness(value) * SHADES as f64) as usize).min(SHADES - 1)
    }

    /// Round values for level lines: 5 to 15 of them, where the values differ.
    pub fn levels(&self) -> Vec<f64> {
        if self.high <= self.low {
            return Vec::new();
        }
        let inside = |levels: &mut Vec<f64>| levels.retain(|level| *level > self.low && *level < self.high);
        if self.log && self.high / self.low > 8.0 {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let factors: &[f64] =
                if self.high / self.low < 40.0 { &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0] } else { &[1.0, 2.0, 5.0] };
            let mut levels: Vec<f64> =
                decades.flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power))).collect();
            inside(&mut levels);
            return levels;
        }
        let mut levels = ticks(self.low, self.high, 8, false);
        inside(&mut levels);
        levels
    }

    /// A bar of the colours with the values of the level lines below it.
    pub fn legend(&self, name: &str, levels: &[f64], percent: bool) -> String {
        const BAR: (f64, f64) = (52.0, HALF - 18.0);
        let width = BAR.1 - BAR.0;
        // small values stand at the left, whether they are bright or not
        let place = |value: f64| {
            let share = self.brightness(value);
            BAR.0 + width * if self.low_is_bright { 1.0 - share } else { share }
        };
        let told = |value: f64| if percent { short_number(100.0 * value) } else { short_number(value) };
        let mut svg = format!(
            "<svg class=\"chart ramp\" viewBox=\"0 0 {HALF} 46\" role=\"img\" aria-label=\"Colours: {} from {} to {}\">\n",
            escape(name),
            told(self.low),
            told(self.high)
        );
        for shade in 0..SHADES {
            let at = if self.low_is_bright { SHADES - 1 - shade } else { shade };
            let step = width / SHADES as f64;
            let _ = writeln!(
                svg,
                "<rect x=\"{:.2}\" y=\"2\" width=\"{:.2}\" height=\"12\" fill=\"{}\"/>",
                BAR.0 + step * at as f64,
                // covers the seam to the next one
                if at + 1 < SHADES { step + 0.5 } else { step },
                colour(shade)
            );
        }
        let mark = |bound: &str, value: f64| format!("{bound}{}", told(value));
        let first = mark(if self.below > 0 { "≤ " } else { "" }, self.low);
        let last = mark(if self.above > 0 { "≥ " } else { "" }, self.high);
        let mut taken = vec![(BAR.0 - 10.0, BAR.0 + 6.5 * first.chars().count() as f64)];
        taken.push((BAR.1 - 6.5 * last.chars().count() as f64, BAR.1 + 10.0));
        let _ = write!(svg, "<text class=\"tick\" x=\"{:.1}\" y=\"27\">{first}</text>", BAR.0);
        let _ = writeln!(svg, "<text class=\"tick end-tick\" x=\"{:.1}\" y=\"27\">{last}</text>", BAR.1);
        for level in levels {
            let (at, text) = (place(*level), told(*level));
            let half = 3.2 * text.chars().count() as f64 + 2.0;
            let _ = writeln!(svg, "<path class=\"axis\" d=\"M{at:.1} 14v3\"/>");
            if taken.iter().all(|(from, to)| at + half < *from || at - half > *to) {
                taken.push((at - half, at + half));
                let _ = writeln!(svg, "<text class=\"tick x\" x=\"{at:.1}\" y=\"27\">{text}</text>");
            }
        }
        let _ = writeln!(
            svg,
            "<text class=\"label x\" x=\"{:.1}\" y=\"42\">{}</text>\n</svg>",
            f64::midpoint(BAR.0, BAR.1),
            escape(name)
        );
        svg
    }
}

/// The colour of a shade as `#rrggbb`, 0 the darkest.
pub fn colour(shade: usize) -> String {
    let [red, green, blue] = rgb(shade as f64 / (SHADES - 1) as f64);
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The ramp at a place in `[0, 1]`, between the table's colours.
fn rgb(place: f64) -> [u8; 3] {
    let place = place.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let index = (place as usize).min(RAMP.len() - 2);
    let share = place - index as f64;
    [16, 8, 0].map(|shift| {
        let part = |colour: u32| f64::from(colour >> shift & 0xff);
        (part(RAMP[index]) * (1.0 - share) + part(RAMP[index + 1]) * share).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// CIE 1976 lightness of an sRGB colour, from the standard's formulas.
    fn lightness(rgb: [u8; 3]) -> f64 {
        let linear = rgb.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        let luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
        116.0 * if luminance > 0.008856 { luminance.cbrt() } else { 7.787 * luminance + 16.0 / 116.0 } - 16.0
    }

    #[test]
    fn lightness_grows_evenly_along_the_ramp() {
        let steps: Vec<f64> = (0..=20).map(|i| lightness(rgb(f64::from(i) / 20.0))).collect();
        assert!((steps[0] - 15.0).abs() < 2.0 && (steps[20] - 91.0).abs() < 2.0, "{steps:?}");
        let mean = (steps[20] - steps[0]) / 20.0;
        for pair in steps.windows(2) {
            assert!(
                (pair[1] - pair[0] - mean).abs() < 0.45 * mean,
                "a step of {} where {mean} is even",
                pair[1] - pair[0]
            );
        }
        assert_eq!([colour(0), colour(SHADES - 1)], ["#440154", "#fde725"]);
    }

    #[test]
    fn equal_factors_of_the_loss_are_equal_steps_and_low_is_bright() {
        let scale = ColourScale::of_losses([Some(0.1), None, Some(1.0), Some(10.0), Some(f64::NAN)].iter()).unwrap();
        assert_eq!([0.1, 1.0, 10.0].map(|loss| (scale.brightness(loss) * 1e9).round() / 1e9), [1.0, 0.5, 0.0]);
        assert_eq!([0.1, 1.0, 10.0, 99.0].map(|loss| scale.shade(loss)), [63, 32, 0, 0]);
        assert_eq!(scale.levels(), [0.2, 0.5, 1.0, 2.0, 5.0]);
        assert_eq!((scale.below, scale.above), (0, 0));
        let scores = ColourScale::of_scores([Some(0.25), Some(0.75), None].iter()).unwrap();
        assert_eq!([0.25, 0.5, 0.75].map(|score| scores.brightness(score)), [0.0, 0.5, 1.0]);
    }

    #[test]
    fn far_from_the_median_losses_are_clipped_and_counted() {
        let values = [Some(1e-9), Some(1.0), Some(1.0), Some(2.0), Some(1e6), Some(1e7)];
        let scale = ColourScale::of_losses(values.iter()).unwrap();
        // the median is 2
        assert_eq!((scale.low, scale.high, scale.below, scale.above), (0.002, 40.0, 1, 2));
        let svg = scale.legend("mean <loss>", &[0.01, 1.0], false);
        assert!(svg.contains(">≤ 0.002<") && svg.contains(">≥ 40<") && svg.contains("mean &lt;loss&gt;"), "{svg}");
        // 1.0 lies at ln(500) / ln(20000) of the bar from 52 to 497
        let at = 52.0 + 445.0 * 500_f64.ln() / 20_000_f64.ln();
        assert!(svg.contains(&format!("x=\"{at:.1}\" y=\"27\">1<")), "{svg}");
    }

    #[test]
    fn flat_negative_and_missing_values_have_colours_too() {
        let flat = ColourScale::of_losses([Some(3.0), Some(3.0)].iter()).unwrap();
        assert!(flat.levels().is_empty() && flat.shade(3.0) == 32);
        let negative = ColourScale::of_losses([Some(-1.0), Some(0.0)].iter()).unwrap();
        assert_eq!([-1.0, 0.0].map(|loss| negative.brightness(loss)), [1.0, 0.0]);
        assert_eq!(ColourScale::of_losses([None, Some(f64::INFINITY)].iter()), None);
        assert_eq!(ColourScale::of_scores([None].iter()), None);
        let narrow = ColourScale::of_losses([Some(1.0), Some(1.4)].iter()).unwrap();
        assert!((4..=15).contains(&narrow.levels().len()), "{:?}", narrow.levels());
    }
}
