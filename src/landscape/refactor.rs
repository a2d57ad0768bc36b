//! Combinations of updates `s B A` as an adapter of a given rank, and adapters of different rank brought to one.
//!
//! Interpolating factors is not interpolating updates (spec 2): `sum_i c_i s_i B_i A_i` has a rank of up to the sum of all
//! ranks. Its best approximation of a given rank is the truncated SVD (Eckart & Young 1936), found without the dense matrix:
//! QR of the stacked `B`s and of the stacked `A`s, SVD of the small core between. The factors are balanced, each with the root
//! of the singular values, as `B^T B = A A^T`.

use super::error::LandscapeError;
use super::matrix::{Matrix, Svd, dot};
use super::modules::{checked, columns_of_b, paired, rows_of_a};
use crate::model::lora::{Factors, LoraConfig, PlainAdapter, Projection};
use std::collections::BTreeMap;

/// A combination of updates as an adapter, and what was lost by its rank.
#[derive(Clone, Debug, PartialEq)]
pub struct Refactored {
    /// Balanced factors; `lora_alpha / r` is that of the first adapter.
    pub adapter: PlainAdapter,
    /// Frobenius norm of what was cut off, over that of the whole combination, all modules together; 0 if nothing was.
    pub relative_error: f64,
    /// The same in every module.
    pub module_errors: BTreeMap<(usize, Projection), f64>,
}

/// The best adapter of rank `rank` for `sum_i c_i s_i B_i A_i`. Ranks and scales of the adapters may differ; modules may not.
///
/// A rank of the sum of all ranks, or of a module's width, loses nothing. Coefficients may be negative or larger than 1.
///
/// # Errors
/// No adapter, rank 0, a coefficient that is not finite, damaged adapters, or adapters of different modules or models.
pub fn combine_updates(terms: &[(f64, &PlainAdapter)], rank: usize) -> Result<Refactored, LandscapeError> {
    let ((_, first), _) = terms.split_first().ok_or(LandscapeError::NoAdapter)?;
    if rank == 0 {
        return Err(LandscapeError::Rank {
            wanted: 0,
            reason: "an update of rank 0 has no factors; choose at least 1",
        });
    }
    for (adapter, (coefficient, term)) in terms.iter().enumerate() {
        if !coefficient.is_finite() {
            return Err(LandscapeError::Coefficient { adapter });
        }
        finite_scale(adapter, term)?;
        paired(first, term)?;
    }
    let scale = usable_scale(first);
    let config = LoraConfig { rank, lora_alpha: scale * rank as f64, ..first.config.clone() };
    let (mut factors, mut module_errors, mut lost, mut whole) = (BTreeMap::new(), BTreeMap::new(), 0.0, 0.0);
    for place in first.factors.keys() {
        let Svd { left, values, right } = module_svd(terms, *place);
        let squares = |values: &[f64]| dot(values, values);
        let (cut, all) = (squares(values.get(rank..).unwrap_or_default()), squares(&values));
        module_errors.insert(*place, share(cut, all));
        lost += cut;
        whole += all;
        factors.insert(*place, balanced(&left, &values, &right, rank, scale));
    }
    Ok(Refactored { adapter: PlainAdapter { config, factors }, relative_error: share(lost, whole), module_errors })
}

/// Root of the share that was cut off.
fn share(cut: f64, all: f64) -> f64 {
    if all > 0.0 { (cut / all).sqrt() } else { 0.0 }
}

/// SVD of one module's combination: `left [out, k]`, `right [in, k]`.
fn module_svd(terms: &[(f64, &PlainAdapter)], place: (usize, Projection)) -> Svd {
    let own = terms.iter().filter_map(|(c, adapter)| Some((*c, *adapter, adapter.factors.get(&place)?)));
    let (mut b, mut a) = (Matrix { rows: 0, columns: Vec::new() }, Matrix { rows: 0, columns: Vec::new() });
    for (coefficient, adapter, factors) in own {
        (b.rows, a.rows) = (factors.out_features, factors.in_features);
        let scale = coefficient * adapter.config.scale();
        b.columns.extend(columns_of_b(factors, adapter.config.rank, scale).columns);
        a.columns.extend(rows_of_a(factors).columns);
    }
    let ((q_b, r_b), (q_a, r_a)) = (b.qr(), a.qr());
    let core = r_b.product(&r_a.transposed()).svd();
    Svd { left: q_b.product(&core.left), values: core.values, right: q_a.product(&core.right) }
}

/// `B = U sqrt(S / |s|)`, `A = sqrt(S / |s|) V^T`, the sign of `s` in `B`; zeros where the rank is larger than the SVD.
fn balanced(left: &Matrix, values: &[f64], right: &Matrix, rank: usize, scale: f64) -> Factors {
    let weight = |r: usize| (values[r] / scale.abs()).sqrt();
    let used = rank.min(values.len());
    let (in_features, out_features) = (right.rows, left.rows);
    let mut lora_a = vec![0.0; rank * in_features];
    let mut lora_b = vec![0.0; out_features * rank];
    for r in 0..used {
        for (value, direction) in lora_a[r * in_features..(r + 1) * in_features].iter_mut().zip(&right.columns[r]) {
            *value = (weight(r) * direction) as f32;
        }
        for (row, direction) in left.columns[r].iter().enumerate() {
            lora_b[row * rank + r] = (weight(r).copysign(scale) * direction) as f32;
        }
    }
    Factors { lora_a, lora_b, in_features, out_features }
}

/// The same update in factors of a larger rank: rows of zeros below `lora_A`, columns of zeros beside `lora_B`, and
/// `lora_alpha` raised so that `lora_alpha / r` stays.
///
/// # Errors
/// A smaller rank than the adapter's, or a damaged adapter.
pub fn pad_rank(adapter: &PlainAdapter, rank: usize) -> Result<PlainAdapter, LandscapeError> {
    let own = checked(adapter)?.config.rank;
    if rank < own {
        let reason = "the adapter has a larger one; combine_updates cuts a rank down and says what is lost";
        return Err(LandscapeError::Rank { wanted: rank, reason });
    }
    if rank == own {
        return Ok(adapter.clone());
    }
    let config = LoraConfig { rank, lora_alpha: adapter.config.scale() * rank as f64, ..adapter.config.clone() };
    let factors = adapter.factors.iter().map(|(place, narrow)| {
        let mut wide = narrow.clone();
        wide.lora_a.resize(rank * narrow.in_features, 0.0);
        wide.lora_b = narrow
            .lora_b
            .chunks(own)
            .flat_map(|row| row.iter().copied().chain(std::iter::repeat_n(0.0, rank - own)))
            .collect();
        (*place, wide)
    });
    Ok(PlainAdapter { config, factors: factors.collect() })
}

/// The adapters with one rank (the largest) and one `lora_alpha / r` (the first one's; another goes into `lora_B`), so that
/// their flat vectors share a layout and may be added. No update changes. Dropout and the order of targets are the first one's.
///
/// # Errors
/// No adapter, damaged ones, different modules or models, or a `lora_alpha` of 0 beside others.
pub fn common_layout(adapters: &[&PlainAdapter]) -> Result<Vec<PlainAdapter>, LandscapeError> {
    let first = adapters.first().ok_or(LandscapeError::NoAdapter)?;
    let rank = adapters.iter().map(|adapter| adapter.config.rank).max().unwrap_or_default();
    let scale = first.config.scale();
    let brought = adapters.iter().enumerate().map(|(at, adapter)| {
        paired(first, adapter)?;
        let own = finite_scale(at, adapter)?;
        let mut wide = pad_rank(adapter, rank)?;
        if own != scale {
            if scale == 0.0 {
                return Err(LandscapeError::Scale { adapter: 0, scale: scale.to_string() });
            }
            let factor = own / scale;
            let values = wide.factors.values_mut().flat_map(|factors| &mut factors.lora_b);
            values.for_each(|value| *value = (f64::from(*value) * factor) as f32);
        }
        // to the bit the same for all, whatever a rank's rounding made of it
        wide.config = LoraConfig { rank, lora_alpha: scale * rank as f64, ..first.config.clone() };
        Ok(wide)
    });
    let mut brought = brought.collect::<Result<Vec<_>, _>>()?;
    if first.config.rank == rank {
        for adapter in &mut brought {
            adapter.config.lora_alpha = first.config.lora_alpha;
        }
    }
    Ok(brought)
}

fn finite_scale(adapter: usize, of: &PlainAdapter) -> Result<f64, LandscapeError> {
    let scale = checked(of)?.config.scale();
    if scale.is_finite() { Ok(scale) } else { Err(LandscapeError::Scale { adapter, scale: scale.to_string() }) }
}

/// The adapter's scale, or 1 if that is 0, with which no other update could be written.
fn usable_scale(adapter: &PlainAdapter) -> f64 {
    match adapter.config.scale() {
        0.0 => 1.0,
        scale => scale,
    }
}

#[cfg(test)]
mod tests;
