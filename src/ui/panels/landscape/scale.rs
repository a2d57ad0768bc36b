//! From a value on a plane to its colour and height, with round values for level lines and the legend.
//!
//! Losses have a logarithmic scale, clipped far from the median, so that one divergent corner does not flatten the rest;
//! brighter is better, for losses as for scores, as in the HTML report.

use crate::engine::landscape_report::PlaneReport;
use crate::ui::panels::paths::reading::digits;
use crate::ui::widgets::surface::field::MOST_LEVELS;

/// A loss beyond so many times the median is drawn like that.
const HIGHEST: f64 = 20.0;
/// A loss below this part of the median is zero for the eye.
const LOWEST: f64 = 1e-3;

/// What is shown of a plane.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantity {
    /// The score instead of the loss.
    pub score: bool,
    /// `None` for the mean over the tasks.
    pub task: Option<usize>,
}

impl Quantity {
    /// `[ys, xs]`; empty where the report does not have it.
    #[must_use]
    pub fn of(self, report: &PlaneReport) -> &[Option<f64>] {
        let (means, tasks) = if self.score {
            (&report.scores, &report.per_task_scores)
        } else {
            (&report.losses, &report.per_task_losses)
        };
        match self.task {
            None => means,
            Some(task) => tasks.get(task).map_or(&[], Vec::as_slice),
        }
    }

    /// In words.
    #[must_use]
    pub fn name(self, report: &PlaneReport) -> String {
        let what = if self.score { "score" } else { "loss" };
        match self.task.and_then(|task| report.tasks.get(task)) {
            Some(task) => format!("{what} of {task}"),
            None => format!("mean {what}"),
        }
    }

    /// A value of it.
    #[must_use]
    pub fn told(self, value: f64) -> String {
        if self.score { format!("{:.1} %", 100.0 * value) } else { digits(value) }
    }
}

/// A scale between the least and the greatest value that is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    pub log: bool,
    low_is_bright: bool,
    /// Values lie below `low` or above `high`.
    pub cut: [bool; 2],
}

impl Scale {
    /// `None` where no value is finite.
    #[must_use]
    pub fn new(values: &[Option<f64>], score: bool) -> Option<Self> {
        let mut known: Vec<f64> = values.iter().copied().flatten().filter(|value| value.is_finite()).collect();
        known.sort_by(f64::total_cmp);
        let (least, greatest, median) = (*known.first()?, *known.last()?, *known.get(known.len() / 2)?);
        let log = !score && least >= 0.0 && median > 0.0;
        let (low, high) =
            if log { (least.max(median * LOWEST), greatest.min(median * HIGHEST)) } else { (least, greatest) };
        Some(Self { low, high, log, low_is_bright: !score, cut: [least < low, greatest > high] })
    }

    /// Place between the least and the greatest value, in `[0, 1]`: the height.
    #[must_use]
    pub fn height(&self, value: f64) -> f64 {
        let scaled = |value: f64| if self.log { value.ln() } else { value };
        let span = scaled(self.high) - scaled(self.low);
        if span > 0.0 { (scaled(value.clamp(self.low, self.high)) - scaled(self.low)) / span } else { 0.5 }
    }

    /// Share of the palette, in `[0, 1]`.
    #[must_use]
    pub fn shade(&self, value: f64) -> f64 {
        if self.low_is_bright { 1.0 - self.height(value) } else { self.height(value) }
    }

    /// Round values inside the scale.
    #[must_use]
    pub fn levels(&self) -> Vec<f64> {
        let mut levels: Vec<f64> = if self.high <= self.low {
            Vec::new()
        } else if self.log && self.high / self.low > 8.0 {
            let decades = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
            let factors: &[f64] =
                if self.high / self.low < 40.0 { &[1.0, 1.5, 2.0, 3.0, 5.0, 7.0] } else { &[1.0, 2.0, 5.0] };
            decades.flat_map(|power| factors.iter().map(move |factor| factor * 10_f64.powi(power))).collect()
        } else {
            round_values(self.low, self.high, 9)
        };
        levels.retain(|level| *level > self.low && *level < self.high);
        levels.truncate(MOST_LEVELS);
        levels
    }
}

/// About so many multiples of 1, 2 or 5 times a power of ten between two values.
#[must_use]
pub fn round_values(low: f64, high: f64, about: usize) -> Vec<f64> {
    let rough = (high - low) / about.max(1) as f64;
    if !rough.is_finite() || rough <= 0.0 {
        return Vec::new();
    }
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0].into_iter().map(|part| part * power).find(|step| *step >= rough).unwrap_or(10.0 * power);
    let (first, last) = ((low / step).ceil() as i64, (high / step).floor() as i64);
    (first..=last).take(4 * about.max(1)).map(|mark| mark as f64 * step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_factors_of_a_loss_are_equal_heights_and_low_is_bright() {
        let scale = Scale::new(&[Some(0.1), None, Some(1.0), Some(10.0), Some(f64::NAN)], false).unwrap();
        assert_eq!([0.1, 1.0, 10.0].map(|loss| (scale.height(loss) * 1e9).round() / 1e9), [0.0, 0.5, 1.0]);
        assert_eq!((scale.shade(0.1), scale.shade(99.0)), (1.0, 0.0));
        assert_eq!(
            scale.levels().iter().map(|level| digits(*level)).collect::<Vec<_>>(),
            ["0.200", "0.500", "1.000", "2.000", "5.000"]
        );
        let scores = Scale::new(&[Some(0.25), Some(0.75)], true).unwrap();
        assert_eq!((scores.height(0.5), scores.shade(0.75), scores.log), (0.5, 1.0, false));
        assert!((4..=11).contains(&scores.levels().len()), "{:?}", scores.levels());
    }

    #[test]
    fn a_divergent_corner_is_cut_off_and_told() {
        let values = [Some(0.5), Some(1.0), Some(1.0), Some(2.0), Some(1e6)];
        let scale = Scale::new(&values, false).unwrap();
        assert_eq!((scale.low, scale.high, scale.cut), (0.5, 20.0, [false, true]));
        assert_eq!(scale.height(1e6), 1.0);
    }

    #[test]
    fn flat_negative_and_missing_values_have_scales_too() {
        let flat = Scale::new(&[Some(3.0), Some(3.0)], false).unwrap();
        assert!(flat.levels().is_empty() && flat.height(3.0) == 0.5);
        let negative = Scale::new(&[Some(-1.0), Some(0.0), Some(4.0)], false).unwrap();
        assert_eq!((negative.height(-1.0), negative.height(4.0), negative.log), (0.0, 1.0, false));
        let zero = Scale::new(&[Some(0.0), Some(1.0), Some(2.0)], false).unwrap();
        assert!(zero.height(0.0) == 0.0 && zero.height(0.01).is_finite() && zero.cut[0]);
        assert_eq!(Scale::new(&[None, Some(f64::INFINITY)], false), None);
        assert!(round_values(1.0, 1.0, 5).is_empty() && round_values(f64::NAN, 1.0, 5).is_empty());
    }
}
