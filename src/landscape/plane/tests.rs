//! Planes against vectors written out, random anchors, and the numbers of `tests/parity/landscape_fixtures.py`.

use super::super::samples::{all_close, close, fixture, numbers, random_matrix, rows, singles};
use super::*;

fn gram(vectors: &[Vec<f32>]) -> Gram {
    Gram::of(&vectors.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap()
}

fn random_vectors(count: usize, length: usize, seed: u64) -> Vec<Vec<f32>> {
    random_matrix(length, count, seed).columns.iter().map(|column| singles(column)).collect()
}

/// The vector that the coefficients mean.
fn vector(coefficients: &[f64], anchors: &[Vec<f32>]) -> Vec<f64> {
    (0..anchors[0].len())
        .map(|at| coefficients.iter().zip(anchors).map(|(weight, anchor)| weight * f64::from(anchor[at])).sum())
        .collect()
}

fn product(left: &[f64], right: &[f64]) -> f64 {
    left.iter().zip(right).map(|(l, r)| l * r).sum()
}

/// Spec check 7, on the vectors themselves.
#[test]
fn axes_are_orthonormal_and_the_three_anchors_lie_where_they_should() {
    for seed in 0..20 {
        let anchors = random_vectors(4, 30, seed);
        let plane = Plane::through(&gram(&anchors), [2, 0, 3]).unwrap();
        let [u, v] = plane.axes().map(|axis| vector(axis, &anchors));
        close(product(&u, &u), 1.0, 1e-13);
        close(product(&v, &v), 1.0, 1e-13);
        close(product(&u, &v), 0.0, 1e-13);
        let offset = |which: usize| -> Vec<f64> {
            anchors[which].iter().zip(&anchors[2]).map(|(a, b)| f64::from(*a) - f64::from(*b)).collect()
        };
        let [dx, dy] = plane.units();
        close(dx, product(&offset(3), &offset(3)).sqrt(), 1e-13);
        for (which, place) in [(2, [0.0, 0.0]), (3, [dx, 0.0]), (0, [product(&offset(0), &u), dy])] {
            let found = plane.position(&plane.anchors().anchor(which).unwrap()).unwrap();
            all_close(&[found.x, found.y], &place, 1e-13);
            assert!(found.residual < 1e-13, "an anchor of the plane lies {} beside it", found.residual);
            all_close(
                &vector(&plane.coefficients(found.x, found.y), &anchors),
                &vector(&plane.anchors().anchor(which).unwrap(), &anchors),
                1e-13,
            );
        }
        // Pythagoras for the anchor that is not on it
        let outside = plane.position(&[0.0, 1.0]).unwrap();
        let squared = product(&offset(1), &offset(1));
        close(outside.x.powi(2) + outside.y.powi(2) + outside.residual.powi(2), squared, 1e-12);
        close(outside.share, outside.residual / squared.sqrt(), 1e-12);
        assert_eq!(plane.explained(), None);
    }
}

#[test]
fn a_vector_outside_the_anchors_is_placed_from_its_products() {
    let all = random_vectors(4, 25, 77);
    let products: Vec<f64> = gram(&all)
        .anchor(3)
        .map(|last| (0..3).map(|at| gram(&all).inner(&last, &gram(&all).anchor(at).unwrap()).unwrap()).collect())
        .unwrap();
    let within = Plane::through(&gram(&all), [0, 1, 2]).unwrap().position(&[0.0, 0.0, 0.0, 1.0]).unwrap();
    let plane = Plane::through(&gram(&all[..3]), [0, 1, 2]).unwrap();
    let without = plane.position_of(&products, gram(&all).product(3, 3).unwrap()).unwrap();
    all_close(
        &[without.x, without.y, without.residual, without.share],
        &[within.x, within.y, within.residual, within.share],
        1e-12,
    );
    assert!(plane.position_of(&products[..2], 1.0).is_err());
}

#[test]
fn a_hand_made_plane() {
    // origin (1, 1, 0), w2 two to the right, w1 one to the right and three up; a point four above
    let anchors = [vec![1.0, 1.0, 0.0], vec![2.0, 4.0, 0.0], vec![3.0, 1.0, 0.0], vec![1.0, 4.0, 4.0]];
    let plane = Plane::through(&gram(&anchors), [0, 1, 2]).unwrap();
    assert_eq!(plane.units(), [2.0, 3.0]);
    let above = plane.position(&[0.0, 0.0, 0.0, 1.0]).unwrap();
    all_close(&[above.x, above.y, above.residual, above.share], &[0.0, 3.0, 4.0, 0.8], 1e-14);
    all_close(&vector(&plane.coefficients(1.0, 3.0), &anchors), &[2.0, 4.0, 0.0], 1e-14);
    let at_origin = plane.position(&[1.0]).unwrap();
    assert_eq!((at_origin.residual, at_origin.share), (0.0, 0.0));
}

#[test]
fn points_without_a_plane_are_refused() {
    let line: Vec<Vec<f32>> = [0.0, 1.0, 3.0].iter().map(|t| vec![1.0 + t, 2.0 - t, 0.5 * t]).collect();
    assert_eq!(Plane::through(&gram(&line), [0, 1, 2]), Err(LandscapeError::Collinear));
    assert_eq!(Plane::principal(&gram(&line), &[0, 1, 2]), Err(LandscapeError::Collinear));
    // a long line far from the origin, rounded to f32
    let far: Vec<Vec<f32>> = [0.0_f32, 0.37, 1.0]
        .iter()
        .map(|t| (0..50).map(|i| 3.0 + (i as f32).sin() + t * (i as f32).cos()).collect())
        .collect();
    assert_eq!(Plane::through(&gram(&far), [0, 1, 2]), Err(LandscapeError::Collinear));
    let twice = [vec![1.0, 0.0], vec![0.0, 1.0], vec![1.0, 0.0]];
    let error = Plane::through(&gram(&twice), [0, 1, 2]).unwrap_err();
    assert_eq!(error, LandscapeError::EqualAnchors { first: 0, second: 2 });
    assert!(error.to_string().starts_with("Anchors 1 and 3 are the same point"), "{error}");
    assert!(matches!(
        Plane::through(&gram(&twice), [0, 1, 1]),
        Err(LandscapeError::EqualAnchors { first: 1, second: 1 })
    ));
    assert!(Plane::through(&gram(&twice), [0, 1, 9]).is_err());
    let same = vec![vec![1.0, 2.0]; 4];
    assert_eq!(Plane::principal(&gram(&same), &[0, 1, 2, 3]), Err(LandscapeError::Collinear));
    assert!(matches!(Plane::principal(&gram(&twice), &[0, 1]), Err(LandscapeError::TooFewPoints { .. })));
    assert!(matches!(Plane::principal(&gram(&twice), &[0, 1, 5]), Err(LandscapeError::NoSuchAnchor { .. })));
    let zero = [vec![1.0, 1.0], vec![1.0, 0.0], vec![0.0, 0.0], vec![-2.0, 0.0]];
    assert_eq!(Plane::along(&gram(&zero), 0, [1, 2]), Err(LandscapeError::ZeroDirection { which: 1 }));
    assert_eq!(Plane::along(&gram(&zero), 0, [1, 3]), Err(LandscapeError::Collinear));
}

#[test]
fn nearly_collinear_anchors_still_give_orthogonal_axes() {
    let mut anchors = random_vectors(3, 40, 8);
    anchors[1] = anchors[0].iter().zip(&anchors[2]).map(|(a, b)| 0.5 * a + 0.5 * b).collect();
    anchors[1][7] += 1e-3;
    let plane = Plane::through(&gram(&anchors), [0, 1, 2]).unwrap();
    let [u, v] = plane.axes().map(|axis| vector(axis, &anchors));
    close(product(&u, &v), 0.0, 1e-10);
    close(product(&v, &v), 1.0, 1e-9);
}

#[test]
fn along_directions_alpha_counts_whole_ones() {
    let anchors = random_vectors(3, 20, 12);
    let plane = Plane::along(&gram(&anchors), 0, [1, 2]).unwrap();
    let [dx, dy] = plane.units();
    all_close(&plane.coefficients(-dx, 0.0), &[1.0, -1.0, 0.0], 1e-14);
    let up = plane.coefficients(0.0, dy);
    all_close(&[up[0], up[2]], &[1.0, 1.0], 1e-14);
    let overlap = gram(&anchors).product(1, 2).unwrap() / gram(&anchors).product(1, 1).unwrap();
    close(up[1], -overlap, 1e-14);
}

#[test]
fn principal_axes_of_a_rectangle_are_its_sides() {
    // corners of a 6 x 2 rectangle around (1, 1, 1), and an outsider that has no say
    let corner = |x: f32, y: f32| vec![1.0 + x, 1.0 + y, 1.0];
    let anchors = [corner(-3.0, -1.0), corner(-3.0, 1.0), vec![1.0, 1.0, 6.0], corner(3.0, -1.0), corner(3.0, 1.0)];
    let plane = Plane::principal(&gram(&anchors), &[0, 1, 3, 4]).unwrap();
    let [first, second] = plane.explained().unwrap();
    close(first, 0.9, 1e-13);
    close(second, 0.1, 1e-13);
    all_close(&plane.units(), &[3.0, 1.0], 1e-13);
    for (which, place) in [(0, [-3.0, -1.0]), (1, [-3.0, 1.0]), (3, [3.0, -1.0]), (4, [3.0, 1.0])] {
        let found = plane.position(&plane.anchors().anchor(which).unwrap()).unwrap();
        all_close(&[found.x, found.y], &place, 1e-12);
        // four anchors of a plane depend on one another: the root of rounding
        assert!(found.residual < 1e-7, "{}", found.residual);
    }
    let outside = plane.position(&plane.anchors().anchor(2).unwrap()).unwrap();
    all_close(&[outside.x, outside.y, outside.residual, outside.share], &[0.0, 0.0, 5.0, 1.0], 1e-12);
    let [u, v] = plane.axes().map(|axis| vector(axis, &anchors));
    all_close(&[u, v].concat(), &[1.0, 0.0, 0.0, 0.0, 1.0, 0.0], 1e-12);
}

#[test]
fn the_default_grid_is_that_of_the_paper() {
    let plane = Plane::through(&gram(&random_vectors(3, 10, 3)), [0, 1, 2]).unwrap();
    let grid = PlaneGrid::new(&plane, DEFAULT_POINTS, DEFAULT_POINTS, DEFAULT_RANGE);
    let [dx, dy] = plane.units();
    assert_eq!((grid.points(), grid.xs[0], grid.ys[20]), (441, -0.2 * dx, 1.2 * dy));
    assert_eq!(grid.place(21 * 3 + 5), Some((grid.xs[5], grid.ys[3])));
    assert_eq!(grid.place(441), None);
}

#[test]
fn a_grid_covers_what_it_is_to_show() {
    let plane = Plane::through(&gram(&random_vectors(3, 10, 3)), [0, 1, 2]).unwrap();
    let at = |x: f64, y: f64| Position { x, y, residual: 0.0, share: 0.0 };
    let grid = PlaneGrid::covering(&plane, &[at(-1.0, 2.0), at(3.0, 4.0), at(f64::NAN, 3.0)], 5, 3, 0.25);
    assert_eq!((grid.xs, grid.ys), (vec![-2.0, -0.5, 1.0, 2.5, 4.0], vec![1.5, 3.0, 4.5]));
    let flat = PlaneGrid::covering(&plane, &[at(0.0, 1.0), at(2.0, 1.0)], 2, 2, 0.0);
    assert_eq!((flat.xs, flat.ys), (vec![0.0, 2.0], vec![0.0, 2.0]));
    let empty = PlaneGrid::covering(&plane, &[], 2, 2, 0.0);
    let [dx, dy] = plane.units();
    assert_eq!((empty.xs, empty.ys), (vec![-dx / 2.0, dx / 2.0], vec![-dy / 2.0, dy / 2.0]));
}

#[test]
fn refinement_goes_from_corners_to_neighbours_grid_by_grid() {
    let grid = PlaneGrid { xs: vec![0.0; 5], ys: vec![0.0; 3] };
    let order = grid.coarse_to_fine();
    assert_eq!(order[..4], [0, 4, 10, 14]);
    assert_eq!(order[4..9], [2, 5, 7, 9, 12], "then the 3 x 3 grid");
    let mut sorted = order;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..15).collect::<Vec<_>>());
    assert_eq!(levels(9), [0, 3, 2, 3, 1, 3, 2, 3, 0]);
    let single = PlaneGrid { xs: vec![0.0], ys: vec![] };
    assert!(single.coarse_to_fine().is_empty());
    assert_eq!(PlaneGrid { xs: vec![0.0], ys: vec![0.0, 1.0] }.coarse_to_fine(), [0, 1]);
}

#[test]
fn planes_equal_those_of_the_numpy_script() {
    for case in fixture("planes").as_array().unwrap() {
        let vectors = rows(&case["anchors"]);
        let anchors: Vec<Vec<f32>> = vectors.iter().map(|row| singles(row)).collect();
        let plane = match case["kind"].as_str().unwrap() {
            "three" => Plane::through(&gram(&anchors), [0, 1, 2]).unwrap(),
            _ => Plane::principal(&gram(&anchors), &(0..anchors.len()).collect::<Vec<_>>()).unwrap(),
        };
        for (axis, name) in plane.axes().into_iter().zip(["u", "v"]) {
            all_close(&vector(axis, &anchors), &numbers(&case[name]), 1e-8);
        }
        all_close(&vector(plane.origin(), &anchors), &numbers(&case["origin"]), 1e-8);
        for (which, expected) in rows(&case["positions"]).iter().enumerate() {
            let found = plane.position(&plane.anchors().anchor(which).unwrap()).unwrap();
            all_close(&[found.x, found.y, found.residual], expected, 1e-8);
        }
        if case["kind"] == "three" {
            all_close(&plane.units(), &numbers(&case["units"]), 1e-8);
            let grid = PlaneGrid::new(&plane, 3, 3, DEFAULT_RANGE);
            for (index, expected) in rows(&case["grid_points"]).iter().enumerate() {
                let (x, y) = grid.place(index).unwrap();
                all_close(&vector(&plane.coefficients(x, y), &anchors), expected, 1e-8);
            }
        } else {
            all_close(&plane.explained().unwrap(), &numbers(&case["explained"]), 1e-8);
        }
    }
}

/// Three checkpoints near one another and far from the origin: their f32 parameters are rounded by a share of the adapter's
/// length, and that is no second direction, however large it is beside the small steps.
#[test]
fn the_rounding_of_long_adapters_is_no_second_direction() {
    let [base, step] = [11, 12].map(|seed| random_vectors(1, 4000, seed).remove(0));
    let at = |t: f32| -> Vec<f32> { base.iter().zip(&step).map(|(base, step)| base + 1e-5 * t * step).collect() };
    let vectors = [at(0.0), at(0.37), at(1.0)];
    let gram = gram(&vectors);
    let beside = Plane::through(&gram, [0, 1, 2]);
    assert_eq!(beside.err(), Some(LandscapeError::Collinear));
    assert_eq!(Plane::principal(&gram, &[0, 1, 2]).err(), Some(LandscapeError::Collinear));
}

#[test]
fn the_share_of_motion_is_that_of_the_squared_steps() {
    // the plane of the first two coordinates; a way that goes 3 and 4 inside it and 12 out of it
    let vectors: Vec<Vec<f32>> =
        vec![vec![0.0, 0.0, 0.0], vec![0.0, 1.0, 0.0], vec![1.0, 0.0, 0.0], vec![5.0, 5.0, 5.0], vec![8.0, 9.0, 17.0]];
    let plane = Plane::through(&gram(&vectors), [0, 1, 2]).unwrap();
    let [x, y] = plane.share_of_motion(&[vec![3, 4]]).unwrap().unwrap();
    all_close(&[x, y], &[9.0 / 169.0, 16.0 / 169.0], 1e-12);
    // a second way inside the plane; each way is seen from its own mean
    let [x, y] = plane.share_of_motion(&[vec![3, 4], vec![0, 2]]).unwrap().unwrap();
    all_close(&[x, y], &[5.0 / 85.0, 8.0 / 85.0], 1e-12);
    assert_eq!(plane.share_of_motion(&[vec![3]]).unwrap(), None);
    assert_eq!(plane.share_of_motion(&[]).unwrap(), None);
    assert!(plane.share_of_motion(&[vec![9]]).is_err());
    // of the members of a plane by principal components it is what the components explain
    let anchors = random_vectors(5, 20, 3);
    let plane = Plane::principal(&gram(&anchors), &[0, 1, 2, 3, 4]).unwrap();
    all_close(&plane.share_of_motion(&[(0..5).collect()]).unwrap().unwrap(), &plane.explained().unwrap(), 1e-10);
}
