//! Axes: linear and logarithmic values, where their ticks are and what is written at them.

use crate::ui::words;
use egui_plot::{GridInput, GridMark};

/// Distance of the finest ticks of a logarithmic axis, which carry no text.
const FINEST: f64 = 0.045;
/// Most decades that have a tick each.
const DECADES: f64 = 12.0;

/// How values are laid out along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Scale {
    Linear,
    /// The axis holds decimal logarithms.
    Log,
}

impl Scale {
    /// Where a value lies; `None` for one that has no place.
    pub(super) fn to_axis(self, value: f64) -> Option<f64> {
        let place = match self {
            Self::Linear => value,
            Self::Log if value > 0.0 => value.log10(),
            Self::Log => return None,
        };
        // Beyond that the height of an axis is no number any more.
        (place.abs() < 1e300).then_some(place)
    }

    /// Height of the axis when all values are one.
    pub(super) fn span_of_one_value(self, place: f64) -> f64 {
        match self {
            Self::Linear if place == 0.0 => 1.0,
            Self::Linear => place.abs() * 0.2,
            Self::Log => 0.4,
        }
    }

    /// What is written at a tick.
    pub(super) fn label(self, mark: GridMark) -> String {
        match self {
            Self::Linear => tick(mark.value, mark.step_size),
            Self::Log if mark.step_size == FINEST => String::new(),
            Self::Log => reading(10_f64.powf(mark.value)),
        }
    }
}

/// Ticks of a logarithmic axis: decades, and 2 to 9 between them; evenly spaced round values where less than a decade is
/// shown.
pub(super) fn log_marks(input: &GridInput) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    if !(low.is_finite() && high.is_finite() && low < high && high < 308.0 && low > -308.0) {
        return Vec::new();
    }
    if high - low < 0.8 {
        let (from, to) = (10_f64.powf(low), 10_f64.powf(high));
        let step = round_step((to - from) / 6.0);
        let closest = (to / (to - step).max(from)).log10();
        let first = (from / step).ceil();
        return (0..=16)
            .map(|index| (first + f64::from(index)) * step)
            .take_while(|value| *value <= to)
            .filter(|value| *value > 0.0)
            .map(|value| GridMark { value: value.log10(), step_size: closest })
            .collect();
    }
    let each = ((high - low) / DECADES).ceil().max(1.0);
    let first = (low / each).floor() as i64;
    let last = (high / each).ceil() as i64;
    let mut marks = Vec::new();
    for decade in first..=last {
        let decade = decade as f64 * each;
        marks.push(GridMark { value: decade, step_size: each });
        if each == 1.0 {
            for digit in 2..=9_u32 {
                let step_size = if digit == 2 || digit == 5 { 0.3 } else { FINEST };
                marks.push(GridMark { value: decade + f64::from(digit).log10(), step_size });
            }
        }
    }
    marks.retain(|mark| (low..=high).contains(&mark.value));
    marks
}

/// Ticks at round values, at least so many points apart.
pub(super) fn round_marks(input: &GridInput, apart: f64) -> Vec<GridMark> {
    let (low, high) = input.bounds;
    // The plot tells the width of the 8 points that it takes as the least distance of two lines.
    let step = round_step(input.base_step_size / 8.0 * apart);
    if !(low.is_finite() && high.is_finite() && step.is_finite() && step > 0.0 && (high - low) / step < 200.0) {
        return Vec::new();
    }
    let (first, last) = ((low / step).ceil(), (high / step).floor());
    let count = (last - first).max(-1.0) as i32;
    let value = |index: i32| (first + f64::from(index)) * step;
    (0..=count).map(|index| GridMark { value: value(index), step_size: step }).collect()
}

/// The nearest of 1, 2, 5 times a power of ten that is not below.
fn round_step(least: f64) -> f64 {
    let power = 10_f64.powf(least.log10().floor());
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|step| *step >= least).unwrap_or(10.0 * power)
}

/// A tick's value with as many digits as tell it from its neighbours.
fn tick(value: f64, step: f64) -> String {
    if value == 0.0 {
        return "0".into();
    }
    if value.abs() >= 1e6 || step.abs() < 1e-4 {
        let digits = (value.abs().log10().floor() - step.abs().log10().floor()).clamp(0.0, 6.0) as usize;
        return format!("{value:.digits$e}");
    }
    let decimals = (-step.abs().log10() - 1e-9).ceil().clamp(0.0, 6.0) as usize;
    format!("{value:.decimals$}")
}

/// A step on the axis; nothing between two steps.
pub(super) fn step_label(step: f64) -> String {
    if step < -0.5 || (step - step.round()).abs() > 1e-6 { String::new() } else { grouped(step) }
}

/// A whole number with its thousands apart: `1,000,000`.
#[must_use]
pub fn grouped(number: f64) -> String {
    if !number.is_finite() {
        return "unknown".into();
    }
    let text = words::grouped(format_args!("{:.0}", number.abs()));
    if number <= -0.5 { format!("-{text}") } else { text }
}

/// A value in about four digits.
#[must_use]
pub fn reading(value: f64) -> String {
    if !value.is_finite() {
        return "not finite".into();
    }
    if value == 0.0 {
        return "0".into();
    }
    let size = value.abs().log10().floor();
    if !(-4.0..6.0).contains(&size) {
        let text = format!("{value:.2e}");
        return text.split_once('e').map_or(text.clone(), |(digits, power)| format!("{}e{power}", trimmed(digits)));
    }
    trimmed(&format!("{value:.*}", (3.0 - size).clamp(0.0, 7.0) as usize)).to_string()
}

/// Without zeros at the end of the decimals.
fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}
