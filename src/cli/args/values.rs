//! Values that can be checked by themselves, with a sentence for each that cannot be meant.

use crate::continual;
use crate::engine::device::DeviceChoice;

pub(super) fn device(text: &str) -> Result<String, String> {
    DeviceChoice::parse(text).map(|_| text.trim().to_string()).map_err(|error| error.to_string())
}

pub(super) fn method(text: &str) -> Result<String, String> {
    continual::find(text.trim()).map(|entry| entry.name.to_string()).map_err(|error| error.to_string())
}

fn whole(text: &str, least: usize) -> Result<usize, String> {
    text.parse()
        .ok()
        .filter(|count| *count >= least)
        .ok_or_else(|| format!("must be a whole number of at least {least}"))
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    whole(text, 1)
}

pub(super) fn at_least_two(text: &str) -> Result<usize, String> {
    whole(text, 2)
}

fn number<T: std::str::FromStr>(text: &str, fits: impl Fn(&T) -> bool, expected: &str) -> Result<T, String> {
    text.parse().ok().filter(fits).ok_or_else(|| format!("must be {expected}"))
}

pub(super) fn temperature(text: &str) -> Result<f32, String> {
    number(text, |value: &f32| value.is_finite() && *value >= 0.0, "a number of at least 0")
}

pub(super) fn probability(text: &str) -> Result<f32, String> {
    number(text, |value: &f32| *value > 0.0 && *value <= 1.0, "a number above 0, at most 1")
}

pub(super) fn share(text: &str) -> Result<f64, String> {
    number(text, |value: &f64| (0.0..=1.0).contains(value), "a number from 0 to 1")
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    number(text, |value: &f64| *value > 0.0 && *value <= 3600.0, "a number above 0, at most 3600")
}
