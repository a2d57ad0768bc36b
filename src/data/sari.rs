//! SARI: does a simplification keep, add and delete what the reference does (Xu et al. 2016, with one reference)?

use std::collections::HashMap;

use super::rouge::words;

/// SARI and its three parts, each in `[0, 1]` (papers multiply by 100).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sari {
    /// Mean of the three parts.
    pub score: f64,
    /// F1 of the n-grams kept from the source.
    pub keep: f64,
    /// F1 of the n-grams added to the source.
    pub add: f64,
    /// Precision of the n-grams deleted from the source.
    pub delete: f64,
}

/// Longest n-gram that is counted.
const ORDERS: usize = 4;

type Counts<'a> = HashMap<&'a [String], usize>;

/// SARI of `prediction` against one reference, each part averaged over n-grams of 1 to 4 [`words`].
///
/// A share of nothing counts as 1 ("nothing to add, and nothing was added"), as in the `evaluate` library that LLMCL uses.
#[must_use]
pub fn sari(source: &str, prediction: &str, reference: &str) -> Sari {
    let (source, prediction, reference) = (words(source), words(prediction), words(reference));
    let mut total = Sari { score: 0.0, keep: 0.0, add: 0.0, delete: 0.0 };
    for order in 1..=ORDERS {
        let (keep, add, delete) = parts(&count(&source, order), &count(&prediction, order), &count(&reference, order));
        total.keep += keep / to_float(ORDERS);
        total.add += add / to_float(ORDERS);
        total.delete += delete / to_float(ORDERS);
    }
    total.score = (total.keep + total.add + total.delete) / 3.0;
    total
}

fn count(words: &[String], order: usize) -> Counts<'_> {
    let mut counts = HashMap::new();
    for gram in words.windows(order) {
        *counts.entry(gram).or_insert(0) += 1;
    }
    counts
}

/// Keep F1, add F1 and delete precision of the n-grams of one order.
fn parts(source: &Counts<'_>, prediction: &Counts<'_>, reference: &Counts<'_>) -> (f64, f64, f64) {
    let times = |counts: &Counts<'_>, gram: &[String]| counts.get(gram).copied().unwrap_or(0);
    // Precisions are means over kinds of n-grams; the recall of keeping is over their occurrences.
    let (mut kept_kinds, mut kept_share, mut well_kept, mut should_keep) = (0, 0.0, 0, 0);
    let (mut deleted_kinds, mut deleted_share) = (0, 0.0);
    // Sorted, so that the sums come out the same to the last bit in every run.
    let mut grams: Vec<_> = source.iter().collect();
    grams.sort_unstable();
    for (gram, &in_source) in grams {
        let (in_prediction, in_reference) = (times(prediction, gram), times(reference, gram));
        should_keep += in_source.min(in_reference);
        let kept = in_source.min(in_prediction);
        if kept > 0 {
            let well = kept.min(in_reference);
            kept_kinds += 1;
            well_kept += well;
            kept_share += to_float(well) / to_float(kept);
        }
        let deleted = in_source.saturating_sub(in_prediction);
        if deleted > 0 {
            deleted_kinds += 1;
            deleted_share += to_float(deleted.saturating_sub(in_reference)) / to_float(deleted);
        }
    }
    let keep = f1(share(kept_share, kept_kinds), share(to_float(well_kept), should_keep));
    let new = |counts: &Counts<'_>| counts.keys().filter(|gram| !source.contains_key(*gram)).count();
    let right = prediction.keys().filter(|gram| !source.contains_key(*gram) && reference.contains_key(*gram)).count();
    let add = f1(share(to_float(right), new(prediction)), share(to_float(right), new(reference)));
    (keep, add, share(deleted_share, deleted_kinds))
}

fn share(part: f64, whole: usize) -> f64 {
    if whole == 0 { 1.0 } else { part / to_float(whole) }
}

fn f1(precision: f64, recall: f64) -> f64 {
    if precision + recall > 0.0 { 2.0 * precision * recall / (precision + recall) } else { 0.0 }
}

#[allow(clippy::cast_precision_loss)] // n-gram counts are far below 2^52
fn to_float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hand_computed_value() {
        // Source "a b", prediction "a c", reference "a d".
        // n = 1: keep {a}: F1 1. add {c} wanted {d}: 0. deleted {b}, not in the reference: 1.
        // n = 2: kept nothing, nothing to keep: 1. add {ac} wanted {ad}: 0. deleted {ab}: 1. n = 3, 4: nothing at all: 1.
        let sari = sari("a b", "a c", "a d");
        assert!((sari.keep - 1.0).abs() < 1e-12, "{sari:?}");
        assert!((sari.add - 0.5).abs() < 1e-12, "{sari:?}");
        assert!((sari.delete - 1.0).abs() < 1e-12, "{sari:?}");
        assert!((sari.score - 2.5 / 3.0).abs() < 1e-12, "{sari:?}");
    }

    #[test]
    fn deleting_what_the_reference_keeps_costs() {
        let sari = sari("a b", "a", "a b");
        // n = 1: precision of keeping 1, recall 1/2: F1 2/3; deleted b wrongly: 0. n = 2: ab to be kept and not kept:
        // precision of nothing 1, recall 0: F1 0; deleted ab wrongly: 0. n = 3, 4: 1 and 1.
        assert!((sari.keep - (2.0 / 3.0 + 0.0 + 1.0 + 1.0) / 4.0).abs() < 1e-12, "{sari:?}");
        assert!((sari.delete - 0.5).abs() < 1e-12, "{sari:?}");
    }
}
