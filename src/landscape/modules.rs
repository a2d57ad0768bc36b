//! Whether adapters are whole and adapt the same modules, and their factors as matrices, for all that is computed from them.

use super::error::{LandscapeError, Module};
use super::matrix::Matrix;
use crate::model::lora::{Factors, PlainAdapter, Projection};

/// The adapter's modules with their factors; all of them have the sizes that rank and features say and hold finite values.
pub(super) fn checked(adapter: &PlainAdapter) -> Result<&PlainAdapter, LandscapeError> {
    let rank = adapter.config.rank;
    if rank == 0 {
        return Err(LandscapeError::Rank {
            wanted: 0,
            reason: "an update of rank 0 has no factors; choose at least 1",
        });
    }
    for (place, factors) in &adapter.factors {
        let wrong = |what: String| LandscapeError::Factors { module: Module::from(*place), what };
        for (name, values, rows, columns) in [
            ("lora_A", &factors.lora_a, rank, factors.in_features),
            ("lora_B", &factors.lora_b, factors.out_features, rank),
        ] {
            if values.len() != rows * columns {
                let found = values.len();
                return Err(wrong(format!("{name} has {found} values where [{rows}, {columns}] was expected")));
            }
            if values.iter().any(|value| !value.is_finite()) {
                return Err(wrong(format!("{name} holds NaN or infinity")));
            }
        }
    }
    Ok(adapter)
}

/// `(module, factors of left, factors of right)` of two whole adapters with the same modules of the same sizes.
#[allow(clippy::type_complexity)] // three plain columns, named above
pub(super) fn paired<'a>(
    left: &'a PlainAdapter,
    right: &'a PlainAdapter,
) -> Result<Vec<((usize, Projection), &'a Factors, &'a Factors)>, LandscapeError> {
    let (left, right) = (checked(left)?, checked(right)?);
    let refuse = |place, what: String| LandscapeError::Modules { module: Module::from(place), what };
    if let Some(extra) = right.factors.keys().find(|place| !left.factors.contains_key(place)) {
        return Err(refuse(*extra, "the second adapter adapts it and the first does not".into()));
    }
    let pair = |(place, own): (&(usize, Projection), &'a Factors)| {
        let other = right
            .factors
            .get(place)
            .ok_or_else(|| refuse(*place, "the first adapter adapts it and the second does not".into()))?;
        let sizes = |factors: &Factors| (factors.in_features, factors.out_features);
        if sizes(own) != sizes(other) {
            let [(in_1, out_1), (in_2, out_2)] = [own, other].map(sizes);
            return Err(refuse(
                *place,
                format!("the weight is [{out_1}, {in_1}] in one and [{out_2}, {in_2}] in the other"),
            ));
        }
        Ok((*place, own, other))
    };
    left.factors.iter().map(pair).collect()
}

/// `A^T [in, r]`: its columns are the rows of `lora_A`.
pub(super) fn rows_of_a(factors: &Factors) -> Matrix {
    let rows = factors.lora_a.chunks(factors.in_features.max(1));
    Matrix { rows: factors.in_features, columns: rows.map(|row| row.iter().map(|v| f64::from(*v)).collect()).collect() }
}

/// `scale * B [out, r]`, by columns.
pub(super) fn columns_of_b(factors: &Factors, rank: usize, scale: f64) -> Matrix {
    Matrix::from_fn(factors.out_features, rank, |out, r| scale * f64::from(factors.lora_b[out * rank + r]))
}

#[cfg(test)]
mod tests {
    use super::super::samples::random_adapter;
    use super::*;
    use crate::model::lora::Projection::{QProj, VProj};

    #[test]
    fn adapters_of_one_kind_pair_up_whatever_their_rank() {
        let (left, right) = (random_adapter(1, 2, &[QProj, VProj]), random_adapter(2, 3, &[QProj, VProj]));
        let pairs = paired(&left, &right).unwrap();
        assert_eq!(pairs.len(), left.factors.len());
        assert!(
            pairs.iter().all(|(place, own, other)| left.factors[place] == **own && right.factors[place] == **other)
        );
    }

    #[test]
    fn refusals_say_where_and_what() {
        let (q, both) = (random_adapter(1, 2, &[QProj]), random_adapter(1, 2, &[QProj, VProj]));
        let more = paired(&q, &both).unwrap_err().to_string();
        assert!(more.starts_with("layer 0, v_proj: the second adapter adapts it and the first does not."), "{more}");
        assert!(paired(&both, &q).unwrap_err().to_string().contains("the second does not"));

        let mut wider = q.clone();
        let factors = wider.factors.get_mut(&(1, QProj)).unwrap();
        factors.in_features += 1;
        factors.lora_a.extend([0.0; 2]);
        let sizes = paired(&q, &wider).unwrap_err().to_string();
        assert!(sizes.starts_with("layer 1, q_proj: the weight is ["), "{sizes}");

        let mut cut = q.clone();
        cut.factors.get_mut(&(0, QProj)).unwrap().lora_b.pop();
        assert!(checked(&cut).unwrap_err().to_string().contains("lora_B has "));
        let mut broken = q.clone();
        broken.factors.get_mut(&(0, QProj)).unwrap().lora_a[1] = f32::NAN;
        assert!(checked(&broken).unwrap_err().to_string().contains("lora_A holds NaN"));
        let mut none = q;
        none.config.rank = 0;
        assert!(matches!(checked(&none), Err(LandscapeError::Rank { .. })));
    }
}
