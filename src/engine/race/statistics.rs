//! How sure one can be of a mean over few runs: bootstrap intervals, and a test of paired differences that assumes nothing.
//!
//! **The unit is the seed.** Runs of one seed in several orders of the tasks share their data and the initial adapter, so they
//! are not independent; they are averaged first (`summary::seeds`), and everything here takes one number a seed.
//!
//! - Interval: percentile bootstrap of the mean (Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapter 13),
//!   95 %, 10,000 resamples, drawn from a fixed seed so that the same race gives the same report.
//!   With few seeds it is too narrow: for normal data it covers the true mean in 76 % of races with 3 seeds, 84 % with 5,
//!   91 % with 10 and 93 % with 30. One seed has no interval.
//! - Test: sign flips (Fisher 1935, The Design of Experiments, section 21). Were two methods alike, each seed's difference
//!   could as well have come out with the other sign; p is the share of all `2^n` choices of signs whose mean is at least as
//!   far from 0 as the one found. So the smallest p that `n` seeds can give is `2 / 2^n`, whatever the size of the effect.

use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Resamples of a bootstrap.
const RESAMPLES: usize = 10_000;
/// Part of the resampled means that lies outside the interval at each end.
const TAIL: f64 = 0.025;
/// Up to so many differences all sign choices are counted; beyond, [`DRAWS`] of them.
const EXACT_LIMIT: usize = 20;
const DRAWS: u64 = 100_000;
/// Seed of all draws here. It decides nothing about a race, only makes its report the same each time.
const SEED: u64 = 0x7468_616c_7765_6721;

/// Where the mean lies with 95 % confidence, as far as the bootstrap can tell.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub low: f64,
    pub high: f64,
}

/// A mean over seeds with its uncertainty; in the unit of its values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    pub mean: f64,
    /// `None` for a single seed.
    pub interval: Option<Interval>,
    /// Number of seeds.
    pub n: usize,
}

impl Estimate {
    /// Mean and interval of one value a seed; `None` without values, or if one of them is not finite.
    #[must_use]
    pub fn of(values: &[f64]) -> Option<Self> {
        if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
            return None;
        }
        Some(Self { mean: mean(values), interval: bootstrap(values), n: values.len() })
    }
}

/// A mean of paired differences, and how probable one as large is between methods that do not differ.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    pub difference: Estimate,
    /// Two-sided; `None` for a single pair, which can test nothing. Not corrected for the number of comparisons.
    pub p: Option<f64>,
}

impl PairedDifference {
    /// Of one difference a seed; `None` without any, or if one of them is not finite.
    #[must_use]
    pub fn of(differences: &[f64]) -> Option<Self> {
        Some(Self { difference: Estimate::of(differences)?, p: sign_flip_p(differences) })
    }
}

/// The smallest p that the sign-flip test of `n` differences can give.
#[must_use]
pub fn smallest_p(n: usize) -> f64 {
    (2.0 * 0.5_f64.powi(i32::try_from(n).unwrap_or(i32::MAX))).min(1.0)
}

/// Percentile bootstrap interval of the mean; `None` below two values.
fn bootstrap(values: &[f64]) -> Option<Interval> {
    if values.len() < 2 {
        return None;
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let mut means: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            (0..values.len()).map(|_| values[rng.random_range(0..values.len())]).sum::<f64>() / values.len() as f64
        })
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    Some(Interval { low: quantile(&means, TAIL), high: quantile(&means, 1.0 - TAIL) })
}

/// Quantile of ascending values, linear between the two nearest (type 7 of Hyndman & Fan 1996, the default of R and numpy).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = share * (sorted.len().saturating_sub(1)) as f64;
    let below = place.floor() as usize;
    let (low, high) = (sorted[below], sorted[(below + 1).min(sorted.len() - 1)]);
    low + (place - place.floor()) * (high - low)
}

/// Two-sided p of the mean difference under random signs; `None` below two differences, or if one is not finite.
///
/// Exact up to 20 differences. Beyond, 100,000 sign choices are drawn, and the one found counts as a further draw, so
/// that p is never 0 (Phipson & Smyth 2010, doi 10.2202/1544-6115.1585).
fn sign_flip_p(differences: &[f64]) -> Option<f64> {
    if differences.len() < 2 || differences.iter().any(|difference| !difference.is_finite()) {
        return None;
    }
    // sums that differ only by rounding are as large as each other
    let slack = 1e-12 * differences.iter().map(|difference| difference.abs()).sum::<f64>();
    let found = differences.iter().sum::<f64>().abs() - slack;
    let (first, rest) = differences.split_first()?;
    if differences.len() <= EXACT_LIMIT {
        // the mirror image of a choice of signs is as far from 0, so the first sign may stay
        let choices = 1_u32 << rest.len();
        let as_far = (0..choices).filter(|signs| flipped(*first, rest, *signs).abs() >= found).count();
        return Some(as_far as f64 / f64::from(choices));
    }
    let mut rng = ChaCha8Rng::seed_from_u64(SEED);
    let as_far = (0..DRAWS)
        .filter(|_| {
            let sum: f64 = differences.chunks(32).map(|part| flipped(0.0, part, rng.next_u32())).sum();
            sum.abs() >= found
        })
        .count();
    Some((1 + as_far) as f64 / (1 + DRAWS) as f64)
}

/// `first` plus up to 32 further values, each with its sign flipped where `signs` has a one.
fn flipped(first: f64, rest: &[f64], signs: u32) -> f64 {
    rest.iter()
        .enumerate()
        .fold(first, |sum, (bit, value)| if signs >> bit & 1 == 1 { sum - value } else { sum + value })
}

/// The mean of values of which there is at least one.
pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests;
