//! Random directions around an adapter, filter-normalised, and how much of a motion a plane holds.
//!
//! Li et al., "Visualizing the Loss Landscape of Neural Nets" (arXiv 1712.09913; `net_plotter.py`, spec 7.6): a Gaussian
//! direction whose every *filter* (slice along the first dimension) is scaled to the length of the same slice of the weights.
//! For LoRA the slices are the rows of `lora_A [r, in]` and of `lora_B [out, r]`. Rows of zeros give zeros, so directions
//! around a fresh adapter, whose `lora_B` is all zero, would show nothing of it: it is refused.
//!
//! A random plane holds next to nothing of where training went; show it only together with [`share_of_motion`].

use super::error::LandscapeError;
use super::gram::combined;
use super::matrix::dot;
use super::modules::checked;
use super::plane::Plane;
use crate::model::lora::{Factors, PlainAdapter};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// A random direction around `centre`, with the sizes and settings of `centre`. Draw twice from one generator for the two
/// axes of a plane. Modules in the order of their places, `lora_A` before `lora_B`, row by row.
///
/// # Errors
/// A fresh adapter, or one that is damaged.
pub fn filter_normalised(centre: &PlainAdapter, rng: &mut ChaCha8Rng) -> Result<PlainAdapter, LandscapeError> {
    let rank = checked(centre)?.config.rank;
    if centre.factors.values().all(|factors| factors.lora_b.iter().all(|value| *value == 0.0)) {
        return Err(LandscapeError::FreshAdapter);
    }
    let mut normal = StandardNormal { rng, spare: None };
    let mut direction = |weights: &[f32], width: usize| -> Vec<f32> {
        weights.chunks(width.max(1)).flat_map(|row| normalised_row(row, &mut normal)).collect()
    };
    let factors = centre.factors.iter().map(|(place, own)| {
        let lora_a = direction(&own.lora_a, own.in_features);
        let lora_b = direction(&own.lora_b, rank);
        (*place, Factors { lora_a, lora_b, in_features: own.in_features, out_features: own.out_features })
    });
    Ok(PlainAdapter { config: centre.config.clone(), factors: factors.collect() })
}

/// Gaussian numbers, as long a vector as `row`. They are drawn for a row of zeros too, so that one row does not shift the rest.
fn normalised_row(row: &[f32], normal: &mut StandardNormal<'_>) -> Vec<f32> {
    let drawn: Vec<f64> = row.iter().map(|_| normal.draw()).collect();
    let length = dot(&drawn, &drawn).sqrt();
    let factor = if length > 0.0 { dot(row, row).sqrt() / length } else { 0.0 };
    drawn.iter().map(|value| (value * factor) as f32).collect()
}

/// Box-Muller over a generator: two numbers at a time.
struct StandardNormal<'a> {
    rng: &'a mut ChaCha8Rng,
    spare: Option<f64>,
}

impl StandardNormal<'_> {
    fn draw(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        // 1 - [0, 1) is never 0, whose logarithm is infinite
        let (u, v): (f64, f64) = (1.0 - self.rng.random_range(0.0..1.0), self.rng.random_range(0.0..1.0));
        let (radius, angle) = ((-2.0 * u.ln()).sqrt(), std::f64::consts::TAU * v);
        self.spare = Some(radius * angle.sin());
        radius * angle.cos()
    }
}

/// How much of a motion a plane holds: the squared displacements from the first point of the track, projected on the plane,
/// over the whole ones. 1 for a track parallel to the plane; `None` for one that does not move.
///
/// `track` are points as coefficients over the plane's anchors.
///
/// # Errors
/// More coefficients than anchors.
pub fn share_of_motion(plane: &Plane, track: &[Vec<f64>]) -> Result<Option<f64>, LandscapeError> {
    let Some((start, rest)) = track.split_first() else { return Ok(None) };
    let (anchors, [u, v]) = (plane.anchors(), plane.axes());
    let (mut held, mut whole) = (0.0, 0.0);
    for point in rest {
        let moved = combined(point, -1.0, start);
        held += anchors.inner(&moved, u)?.powi(2) + anchors.inner(&moved, v)?.powi(2);
        whole += anchors.norm(&moved)?.powi(2);
    }
    Ok((whole > 0.0).then(|| (held / whole).min(1.0)))
}

#[cfg(test)]
mod tests {
    use super::super::gram::Gram;
    use super::super::samples::{adapter, close, fixture, numbers, random_adapter};
    use super::*;
    use crate::model::lora::Projection::{self, QProj, VProj};
    use rand::SeedableRng as _;

    fn norms(values: &[f32], width: usize) -> Vec<f64> {
        values.chunks(width).map(|row| dot(row, row).sqrt()).collect()
    }

    /// Spec check 8.
    #[test]
    fn every_row_is_as_long_as_that_of_the_weights() {
        let centre = random_adapter(4, 3, &[QProj, VProj]);
        let direction = filter_normalised(&centre, &mut ChaCha8Rng::seed_from_u64(123)).unwrap();
        assert_eq!(direction.factors.len(), 4);
        for (place, own) in &centre.factors {
            let found = &direction.factors[place];
            for (drawn, weights, width) in
                [(&found.lora_a, &own.lora_a, own.in_features), (&found.lora_b, &own.lora_b, 3)]
            {
                assert_ne!(drawn, weights);
                for (drawn, weight) in norms(drawn, width).iter().zip(norms(weights, width)) {
                    assert!((drawn - weight).abs() < 1e-6 * weight, "{drawn} against {weight}");
                }
            }
        }
    }

    #[test]
    fn one_seed_one_direction_and_the_next_draw_another() {
        let centre = random_adapter(4, 2, &[QProj]);
        let draw = |rng: &mut ChaCha8Rng| filter_normalised(&centre, rng).unwrap();
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let (first, second) = (draw(&mut rng), draw(&mut rng));
        assert_eq!(first, draw(&mut ChaCha8Rng::seed_from_u64(5)));
        assert_ne!(first, second);
        assert_ne!(first, draw(&mut ChaCha8Rng::seed_from_u64(6)));
    }

    #[test]
    fn rows_of_zeros_stay_zero_and_move_no_other_row() {
        let whole = random_adapter(4, 2, &[QProj]);
        let mut holed = whole.clone();
        holed.factors.get_mut(&(0, QProj)).unwrap().lora_b[2..4].fill(0.0);
        let draw = |centre| filter_normalised(centre, &mut ChaCha8Rng::seed_from_u64(5)).unwrap();
        let (before, after) = (draw(&whole), draw(&holed));
        let rows = |adapter: &PlainAdapter| adapter.factors[&(0, QProj)].lora_b.clone();
        assert_eq!(rows(&after)[2..4], [0.0; 2]);
        assert_eq!(rows(&after)[4..], rows(&before)[4..]);
        assert_eq!(after.factors[&(1, QProj)], before.factors[&(1, QProj)]);
    }

    #[test]
    fn a_fresh_adapter_is_refused() {
        let mut fresh = random_adapter(4, 2, &[QProj]);
        fresh.factors.values_mut().for_each(|factors| factors.lora_b.fill(0.0));
        let refused = filter_normalised(&fresh, &mut ChaCha8Rng::seed_from_u64(1)).unwrap_err();
        assert_eq!(refused, LandscapeError::FreshAdapter);
        assert!(refused.to_string().contains("Choose a trained adapter as the centre."));
    }

    #[test]
    fn numbers_are_standard_normal() {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut normal = StandardNormal { rng: &mut rng, spare: None };
        let drawn: Vec<f64> = (0..200_000).map(|_| normal.draw()).collect();
        let moment = |power: i32| drawn.iter().map(|value| value.powi(power)).sum::<f64>() / drawn.len() as f64;
        // expected 0, 1, 0, 3; standard errors are 0.002, 0.003, 0.009, 0.022
        for (power, expected, limit) in [(1, 0.0, 0.01), (2, 1.0, 0.015), (3, 0.0, 0.04), (4, 3.0, 0.1)] {
            assert!((moment(power) - expected).abs() < limit, "moment {power} is {}", moment(power));
        }
        let beyond_two = drawn.iter().filter(|value| value.abs() > 2.0).count() as f64 / drawn.len() as f64;
        assert!((beyond_two - 0.0455).abs() < 0.002, "{beyond_two}");
        // neighbours come from one pair: they must not depend on one another
        let together = drawn.chunks(2).map(|pair| pair[0] * pair[1]).sum::<f64>() / 100_000.0;
        assert!(together.abs() < 0.015, "{together}");
    }

    #[test]
    fn the_share_of_a_motion_is_that_of_its_projection() {
        // plane: the first two coordinates through (0, 0, 7); the track goes 3 and 4 inside and 12 beside it
        let vectors: [&[f32]; 4] = [&[0.0, 0.0, 7.0], &[2.0, 0.0, 0.0], &[1.0, 5.0, 0.0], &[0.0, 0.0, 1.0]];
        let plane = Plane::along(&Gram::of(&vectors).unwrap(), 0, [1, 2]).unwrap();
        let inside = vec![0.0, 1.5 - 0.4, 0.8, 0.0];
        let share = |track: &[Vec<f64>]| share_of_motion(&plane, track).unwrap();
        close(share(&[vec![0.0, 0.0, 0.0, 5.0], vec![0.0, 1.1, 0.8, 5.0]]).unwrap(), 1.0, 1e-14);
        let mut both = inside;
        both[3] = 12.0;
        close(share(&[vec![0.0; 4], both.clone()]).unwrap(), 25.0 / 169.0, 1e-14);
        close(share(&[vec![0.0; 4], both, vec![0.0, 0.0, 0.0, 5.0]]).unwrap(), 25.0 / 194.0, 1e-14);
        assert_eq!((share(&[]), share(&[vec![1.0], vec![1.0]])), (None, None));
    }

    #[test]
    fn row_norms_equal_those_of_the_numpy_script() {
        let case = fixture("filter_norms");
        let centre = adapter(&case["adapter"]);
        let direction = filter_normalised(&centre, &mut ChaCha8Rng::seed_from_u64(123)).unwrap();
        for (module, expected) in
            case["adapter"]["modules"].as_array().unwrap().iter().zip(case["norms"].as_array().unwrap())
        {
            let projection = Projection::from_name(module["projection"].as_str().unwrap()).unwrap();
            let found = &direction.factors[&(module["layer"].as_u64().unwrap() as usize, projection)];
            let lengths = [norms(&found.lora_a, found.in_features), norms(&found.lora_b, centre.config.rank)];
            for (found, name) in lengths.iter().zip(["lora_a", "lora_b"]) {
                let expected = numbers(&expected[name]);
                assert_eq!(found.len(), expected.len());
                found.iter().zip(expected).for_each(|(found, expected)| close(*found, expected, 1e-6));
            }
        }
    }
}
