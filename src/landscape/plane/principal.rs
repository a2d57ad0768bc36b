//! The plane of principal components of some anchors, from their inner products alone.
//!
//! With the members' mean `m` and their centred inner products `K`, an eigenvector `w` of `K` with eigenvalue `s` is the axis
//! `sum_i w_i (a_i - m) / sqrt(s)`, and `s / trace(K)` the share of the squared spread along it.

use super::super::error::LandscapeError;
use super::super::gram::Gram;
use super::super::matrix::Matrix;
use super::Plane;

/// A second spread smaller than this share of the first is rounding: the members lie on one line. (Squared lengths.)
const FLAT: f64 = 1e-12;

pub(super) fn plane(anchors: &Gram, members: &[usize]) -> Result<Plane, LandscapeError> {
    let count = members.len();
    if count < 3 {
        return Err(LandscapeError::TooFewPoints { what: "A plane by principal components", needed: 3, found: count });
    }
    let mut origin = vec![0.0; anchors.anchors()];
    for member in members {
        // an anchor named twice counts twice
        *origin
            .get_mut(*member)
            .ok_or(LandscapeError::NoSuchAnchor { named: member + 1, anchors: anchors.anchors() })? +=
            1.0 / count as f64;
    }
    let offsets: Vec<Vec<f64>> = members
        .iter()
        .map(|member| {
            let mut offset: Vec<f64> = origin.iter().map(|share| -share).collect();
            offset[*member] += 1.0;
            offset
        })
        .collect();
    let mut columns = vec![vec![0.0; count]; count];
    for i in 0..count {
        for j in 0..=i {
            let product = anchors.inner(&offsets[i], &offsets[j])?;
            (columns[i][j], columns[j][i]) = (product, product);
        }
    }
    let centred = Matrix { rows: count, columns };
    let total: f64 = (0..count).map(|i| centred.columns[i][i]).sum();
    let size = members.iter().filter_map(|member| anchors.product(*member, *member)).fold(0.0, f64::max);
    let (spreads, vectors) = centred.symmetric_eigen();
    // nearer together than f32 can tell, or no second dimension but its rounding
    let rounding = super::EQUAL * super::EQUAL * size;
    if spreads[0] <= rounding || spreads[1] <= rounding || spreads[1] <= FLAT * spreads[0] {
        return Err(LandscapeError::Collinear);
    }
    let axis = |which: usize| {
        let weights = &vectors.columns[which];
        let factor = sign(weights) / spreads[which].sqrt();
        (0..anchors.anchors())
            .map(|at| factor * offsets.iter().zip(weights).map(|(offset, weight)| weight * offset[at]).sum::<f64>())
            .collect::<Vec<f64>>()
    };
    let spread = |which: usize| (spreads[which] / count as f64).sqrt();
    Ok(Plane {
        anchors: anchors.clone(),
        origin,
        u: axis(0),
        v: axis(1),
        dx: spread(0),
        dy: spread(1),
        explained: Some([spreads[0] / total, spreads[1] / total]),
    })
}

/// An eigenvector's sign means nothing; this one puts the last member above the first, or, where these two are level, the
/// member that is farthest out above the mean. (The members' coordinates are multiples of `weights`.)
fn sign(weights: &[f64]) -> f64 {
    let rise = weights.last().zip(weights.first()).map_or(0.0, |(last, first)| last - first);
    let farthest = weights.iter().copied().fold(0.0, |far: f64, next| if next.abs() > far.abs() { next } else { far });
    1.0_f64.copysign(if rise.abs() > 1e-6 * farthest.abs() { rise } else { farthest })
}
