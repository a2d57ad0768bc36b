//! Paths against closed forms, random anchors, and the numbers of `tests/parity/landscape_fixtures.py`.

use super::super::samples::{all_close, close, fixture, numbers, random_matrix, rows, singles};
use super::*;
use std::f64::consts::{FRAC_1_SQRT_2, PI};

/// The point that the coefficients mean.
fn point(coefficients: &[f64], anchors: &[Vec<f64>]) -> Vec<f64> {
    let mut sum = vec![0.0; anchors[0].len()];
    for (weight, anchor) in coefficients.iter().zip(anchors) {
        sum.iter_mut().zip(anchor).for_each(|(total, value)| *total += weight * value);
    }
    sum
}

fn random_anchors(count: usize, length: usize, seed: u64) -> Vec<Vec<f64>> {
    random_matrix(length, count, seed)
        .columns
        .iter()
        .map(|c| c.iter().map(|v| f64::from(*v as f32)).collect())
        .collect()
}

fn gram(anchors: &[Vec<f64>]) -> Gram {
    let vectors: Vec<Vec<f32>> = anchors.iter().map(|anchor| singles(anchor)).collect();
    Gram::of(&vectors.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
}

fn every_shape() -> Vec<Path> {
    let six = gram(&random_anchors(6, 10, 1));
    let two = gram(&random_anchors(2, 10, 2));
    let mut shapes = vec![Path::line(), Path::chain_by_length(&six).unwrap(), Path::slerp(&two).unwrap()];
    for points in [2, 3, 4, 9, 40] {
        shapes.extend([Path::bezier(points), Path::poly_chain(points), Path::chain(points)].map(Result::unwrap));
    }
    shapes
}

/// Spec check 6.
#[test]
fn ends_are_exact_and_coefficients_sum_to_one() {
    for path in every_shape() {
        for (t, end) in [(0.0, 0), (1.0, path.points() - 1)] {
            let coefficients = path.coefficients(t);
            assert_eq!(coefficients.len(), path.points());
            for (at, weight) in coefficients.iter().enumerate() {
                assert_eq!(*weight, f64::from(u8::from(at == end)), "{} with {} points", path.name(), path.points());
            }
        }
        if path.name() != "slerp" {
            for t in grid(61) {
                assert!((path.coefficients(t).iter().sum::<f64>() - 1.0).abs() < 1e-14, "{} at {t}", path.name());
            }
        }
    }
}

#[test]
fn three_points_meet_their_bend_as_they_should() {
    assert_eq!(Path::poly_chain(3).unwrap().coefficients(0.5), [0.0, 1.0, 0.0]);
    assert_eq!(Path::poly_chain(3).unwrap().coefficients(0.25), [0.5, 0.5, 0.0]);
    assert_eq!(Path::bezier(3).unwrap().coefficients(0.5), [0.25, 0.5, 0.25]);
    assert_eq!(Path::bezier(2).unwrap().coefficients(0.75), [0.25, 0.75]);
    assert_eq!(Path::bezier(4).unwrap().straight_bends(), [[1.0 - 1.0 / 3.0, 1.0 / 3.0], [1.0 - 2.0 / 3.0, 2.0 / 3.0]]);
    assert!(Path::line().straight_bends().is_empty());
}

/// With its bends on the line, evenly spaced, a curve is the line, at the line's speed.
#[test]
fn untrained_curves_are_the_line() {
    for path in [Path::bezier(5).unwrap(), Path::poly_chain(5).unwrap()] {
        for t in grid(26) {
            let mut over_ends = [0.0; 2];
            let mut control = vec![[1.0, 0.0]];
            control.extend(path.straight_bends());
            control.push([0.0, 1.0]);
            for (weight, place) in path.coefficients(t).iter().zip(&control) {
                over_ends = [over_ends[0] + weight * place[0], over_ends[1] + weight * place[1]];
            }
            all_close(&over_ends, &Path::line().coefficients(t), 1e-14);
        }
    }
}

#[test]
fn only_the_line_goes_on_beyond_its_ends() {
    assert_eq!(Path::line().coefficients(-0.5), [1.5, -0.5]);
    assert_eq!(Path::line().coefficients(2.0), [-1.0, 2.0]);
    for path in every_shape().iter().filter(|path| !path.extrapolates()) {
        assert_eq!(path.coefficients(-3.0), path.coefficients(0.0));
        assert_eq!(path.coefficients(1.5), path.coefficients(1.0));
    }
    assert!(every_shape().iter().all(|path| path.coefficients(f64::NAN).iter().any(|weight| weight.is_nan())));
}

#[test]
fn a_chain_by_length_runs_at_one_speed() {
    // pieces of length 3, 0 and 1
    let anchors = [vec![0.0, 0.0], vec![3.0, 0.0], vec![3.0, 0.0], vec![3.0, 1.0]];
    let path = Path::chain_by_length(&gram(&anchors)).unwrap();
    assert_eq!(path.knots(), [0.0, 0.75, 0.75, 1.0]);
    for (t, expected) in [(0.25, [1.0, 0.0]), (0.75, [3.0, 0.0]), (0.875, [3.0, 0.5]), (1.0, [3.0, 1.0])] {
        all_close(&point(&path.coefficients(t), &anchors), &expected, 1e-14);
    }
    let random = random_anchors(7, 12, 3);
    let path = Path::chain_by_length(&gram(&random)).unwrap();
    let sampled: Vec<Vec<f64>> = grid(1001).into_iter().map(|t| path.coefficients(t)).collect();
    let lengths = arc_lengths(&gram(&random), &sampled).unwrap();
    let total = lengths[1000];
    // a step that cuts a corner is a little shorter than the chain
    assert!(lengths.iter().zip(grid(1001)).all(|(length, t)| (length / total - t).abs() < 2e-3));
    // two equal ends at the last: the path still ends, and all in one place it stands
    let doubled = [vec![0.0], vec![1.0], vec![1.0]];
    assert_eq!(Path::chain_by_length(&gram(&doubled)).unwrap().coefficients(1.0), [0.0, 0.0, 1.0]);
    let same = [vec![2.0], vec![2.0], vec![2.0]];
    assert_eq!(Path::chain_by_length(&gram(&same)).unwrap().knots(), [0.0, 0.5, 1.0]);
}

#[test]
fn the_great_circle_turns_evenly_and_its_length_goes_straight() {
    let anchors = [vec![2.0, 0.0], vec![0.0, 4.0]];
    let path = Path::slerp(&gram(&anchors)).unwrap();
    all_close(&point(&path.coefficients(0.5), &anchors), &[3.0 * FRAC_1_SQRT_2, 3.0 * FRAC_1_SQRT_2], 1e-14);
    let random = random_anchors(2, 30, 5);
    let table = gram(&random);
    let path = Path::slerp(&table).unwrap();
    let [start, end] = [table.norm(&[1.0]).unwrap(), table.norm(&[0.0, 1.0]).unwrap()];
    let whole = (table.product(0, 1).unwrap() / (start * end)).acos();
    for t in grid(9) {
        let coefficients = path.coefficients(t);
        let length = table.norm(&coefficients).unwrap();
        close(length, (1.0 - t) * start + t * end, 1e-13);
        close(table.inner(&coefficients, &[1.0]).unwrap() / (length * start), (t * whole).cos(), 1e-13);
    }
}

#[test]
fn parallel_directions_give_the_line_and_opposite_ones_a_refusal() {
    let parallel = Path::slerp(&gram(&[vec![1.0, 2.0], vec![3.0, 6.0]])).unwrap();
    assert_eq!(parallel.coefficients(0.25), Path::line().coefficients(0.25));
    // just above the threshold the circle and the line differ by no more than the angle
    let near = Path::slerp(&Gram::new(2, &[1.0, 1.0, 1.0, 1.0 + 4e-12]).unwrap()).unwrap();
    all_close(&near.coefficients(0.3), &[0.7, 0.3], 1e-6);
    assert_eq!(Path::slerp(&gram(&[vec![1.0, 2.0], vec![-3.0, -6.0]])), Err(LandscapeError::Opposite));
    assert_eq!(Path::slerp(&gram(&[vec![1.0], vec![0.0]])), Err(LandscapeError::ZeroAnchor { anchor: 1 }));
    let three = [vec![1.0, 0.0], vec![0.0, 1.0], vec![1.0, 1.0]];
    assert!(Path::slerp(&gram(&three)).is_err() && Path::slerp(&gram(&three[..1])).is_err());
}

#[test]
fn too_few_points_are_refused() {
    for points in [0, 1] {
        assert!(Path::bezier(points).is_err() && Path::poly_chain(points).is_err() && Path::chain(points).is_err());
    }
    let one = Path::chain_by_length(&gram(&[vec![1.0]])).unwrap_err().to_string();
    assert!(one.starts_with("A chain needs at least 2 points, but 1 were given."), "{one}");
}

#[test]
fn grids_have_exact_ends_and_equal_steps() {
    for points in [2, 3, 21, 25, 26, 51, 61] {
        let ts = grid(points);
        assert_eq!(
            (ts[0].to_bits(), ts[points - 1].to_bits(), ts.len()),
            (0.0_f64.to_bits(), 1.0_f64.to_bits(), points)
        );
        assert!(ts.windows(2).all(|pair| (pair[1] - pair[0] - 1.0 / (points - 1) as f64).abs() < 1e-15));
    }
    assert_eq!((grid(0), grid(1)), (vec![], vec![0.0]));
    let wide = grid_between(-0.2, 1.2, 21);
    assert_eq!((wide[0], wide[20]), (-0.2, 1.2));
    close(wide[10], 0.5, 1e-15);
}

#[test]
fn a_quarter_circle_is_a_quarter_circle_long() {
    let path = Path::slerp(&gram(&[vec![1.0, 0.0], vec![0.0, 1.0]])).unwrap();
    let sampled: Vec<Vec<f64>> = grid(401).into_iter().map(|t| path.coefficients(t)).collect();
    let lengths = arc_lengths(&gram(&[vec![1.0, 0.0], vec![0.0, 1.0]]), &sampled).unwrap();
    assert_eq!((lengths[0], lengths.len()), (0.0, 401));
    close(lengths[400], PI / 2.0, 1e-5);
    close(lengths[200], PI / 4.0, 1e-5);
    assert!(arc_lengths(&gram(&[vec![1.0]]), &[]).unwrap().is_empty());
}

#[test]
fn refinement_visits_all_once_and_halves_the_gaps() {
    assert_eq!(coarse_to_fine(9), [0, 8, 4, 2, 6, 1, 3, 5, 7]);
    assert_eq!((coarse_to_fine(0), coarse_to_fine(1), coarse_to_fine(2)), (vec![], vec![0], vec![0, 1]));
    for count in [3, 21, 26, 61] {
        let order = coarse_to_fine(count);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..count).collect::<Vec<_>>());
        for seen in 2..=count {
            let mut drawn = order[..seen].to_vec();
            drawn.sort_unstable();
            let gaps: Vec<usize> = drawn.windows(2).map(|pair| pair[1] - pair[0]).collect();
            let (widest, narrowest) = (gaps.iter().max().unwrap(), gaps.iter().min().unwrap());
            assert!(*widest <= 2 * narrowest + 2, "after {seen} of {count}: gaps {gaps:?}");
        }
    }
}

#[test]
fn curves_equal_those_of_the_numpy_script() {
    let cases = fixture("paths");
    for case in cases.as_array().unwrap() {
        let control = rows(&case["control_points"]);
        let path = match case["kind"].as_str().unwrap() {
            "bezier" => Path::bezier(control.len()).unwrap(),
            "polychain" => Path::poly_chain(control.len()).unwrap(),
            "slerp" => Path::slerp(&gram(&control)).unwrap(),
            "chain" => Path::chain_by_length(&gram(&control)).unwrap(),
            other => panic!("{other}"),
        };
        let ts = numbers(&case["t"]);
        let mut sampled = Vec::new();
        for ((t, weights), expected) in ts.iter().zip(rows(&case["coefficients"])).zip(rows(&case["points"])) {
            let coefficients = path.coefficients(*t);
            all_close(&coefficients, &weights, 1e-8);
            all_close(&point(&coefficients, &control), &expected, 1e-8);
            sampled.push(coefficients);
        }
        all_close(&arc_lengths(&gram(&control), &sampled).unwrap(), &numbers(&case["arc_lengths"]), 1e-8);
    }
}
