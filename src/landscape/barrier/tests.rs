//! Barriers against closed forms, holes, and the numbers of `tests/parity/landscape_fixtures.py`.

use super::super::path::grid;
use super::super::samples::{close, fixture, numbers};
use super::*;
use serde_json::Value;

fn all(values: impl IntoIterator<Item = f64>) -> Vec<Option<f64>> {
    values.into_iter().map(Some).collect()
}

/// Spec check 9, first half: to the bit, whatever the value.
#[test]
fn identical_ends_have_no_barrier() {
    for value in [0.1, 2.3, 1e-7, 7.0 / 3.0] {
        let ts = grid(61);
        let found = barrier(&ts, &vec![Some(value); 61]).unwrap();
        let zero = Some(0.0);
        assert_eq!((found.entezari, found.interior, found.frankle, found.holes), (zero, zero, zero, 0));
        assert_eq!(chord(&ts, &vec![Some(value); 61]).unwrap(), vec![Some(value); 61]);
    }
}

/// Spec check 9, second half.
#[test]
fn both_forms_agree_when_the_ends_do() {
    let ts = grid(21);
    for height in [0.7, -0.3] {
        let values = all(ts.iter().map(|t| 1.5 + height * 4.0 * t * (1.0 - t)));
        let found = barrier(&ts, &values).unwrap();
        assert_eq!(found.entezari, found.frankle);
        close(found.entezari.unwrap(), f64::max(height, 0.0), 1e-15);
        let shallowest = if height > 0.0 { height } else { height * 4.0 * 0.05 * 0.95 };
        close(found.interior.unwrap(), shallowest, 1e-14);
        assert_eq!(found.entezari_at, Some(if height > 0.0 { 0.5 } else { 0.0 }));
    }
}

#[test]
fn unequal_ends_part_the_two_forms() {
    let ts = [0.0, 0.25, 0.5, 0.75, 1.0];
    let found = barrier(&ts, &all([1.0, 2.0, 3.0, 4.0, 3.0])).unwrap();
    // the chord at 3/4 is 2.5, the mean of the ends 2
    assert_eq!((found.entezari, found.entezari_at), (Some(1.5), Some(0.75)));
    assert_eq!((found.frankle, found.frankle_at), (Some(2.0), Some(0.75)));
    assert_eq!(chord(&ts, &all([1.0, 0.0, 0.0, 0.0, 3.0])).unwrap(), all([1.0, 1.5, 2.0, 2.5, 3.0]));
    // a straight slope: no barrier over the chord, half the fall over the mean
    let slope = barrier(&ts, &all([4.0, 3.0, 2.0, 1.0, 0.0])).unwrap();
    assert_eq!((slope.entezari, slope.frankle, slope.frankle_at), (Some(0.0), Some(2.0), Some(0.0)));
}

#[test]
fn what_lies_beyond_the_ends_does_not_count() {
    let ts = [-0.5, 0.0, 0.5, 1.0, 1.5];
    let found = barrier(&ts, &all([99.0, 1.0, 1.25, 1.0, 99.0])).unwrap();
    assert_eq!((found.entezari, found.holes), (Some(0.25), 0));
    let best = gain(&ts, &all([99.0, 0.5, 0.75, 0.25, 99.0])).unwrap().unwrap();
    assert_eq!((best.gain, best.at), (0.25, 0.5));
    let outside = barrier(&ts, &[None, Some(1.0), Some(1.0), Some(1.0), Some(f64::NAN)]).unwrap();
    assert_eq!(outside.holes, 0);
    assert_eq!(chord(&ts, &all([0.0, 1.0, 0.0, 3.0, 0.0])).unwrap(), all([0.0, 1.0, 2.0, 3.0, 4.0]));
}

#[test]
fn holes_are_counted_inside_and_silence_at_the_ends() {
    let ts = grid(5);
    let inside = [Some(1.0), Some(f64::NAN), Some(1.5), None, Some(1.0)];
    let found = barrier(&ts, &inside).unwrap();
    assert_eq!((found.entezari, found.holes), (Some(0.5), 2));
    assert_eq!(gain(&ts, &inside).unwrap().unwrap().holes, 2);
    let at_end = [Some(f64::INFINITY), Some(1.0), Some(1.0), Some(1.0), Some(1.0)];
    let found = barrier(&ts, &at_end).unwrap();
    assert_eq!((found.entezari, found.interior, found.frankle, found.holes), (None, None, None, 1));
    assert_eq!(gain(&ts, &at_end).unwrap(), None);
    assert!(chord(&ts, &at_end).unwrap().iter().all(Option::is_none));
    // only the ends: no inside
    let two = barrier(&[0.0, 1.0], &all([1.0, 2.0])).unwrap();
    assert_eq!((two.entezari, two.interior), (Some(0.0), None));
    assert_eq!(gain(&[0.0, 1.0], &all([1.0, 2.0])).unwrap(), None);
    assert!(barrier(&ts, &inside[..4]).is_err());
}

#[test]
fn samples_may_come_in_any_order() {
    let (ts, values) = ([0.5, 1.0, 0.0], [Some(3.0), Some(1.0), Some(2.0)]);
    assert_eq!(barrier(&ts, &values).unwrap().entezari, Some(1.5));
}

#[test]
fn a_gain_is_negative_where_no_inside_point_is_better() {
    let best = gain(&grid(4), &all([0.5, 0.25, 0.375, 0.75])).unwrap().unwrap();
    assert_eq!(best, Gain { gain: -0.375, at: 2.0 / 3.0, holes: 0 });
}

#[test]
fn the_mean_over_tasks_has_a_hole_where_a_task_has_one() {
    let curves = [all([1.0, 2.0, 3.0]), vec![Some(3.0), None, Some(1.0)]];
    assert_eq!(mean_over_tasks(&curves).unwrap(), [Some(2.0), None, Some(2.0)]);
    assert!(mean_over_tasks(&[]).is_err());
    assert!(mean_over_tasks(&[all([1.0]), all([1.0, 2.0])]).is_err());
}

#[test]
fn averages_along_the_curve_weigh_by_distance() {
    // the long way lies between values 0 and 4
    let found = statistics(&all([0.0, 4.0, 0.0]), &[0.0, 3.0, 4.0]).unwrap();
    assert_eq!((found.min, found.max, found.mean), (Some(0.0), Some(4.0), Some(4.0 / 3.0)));
    assert_eq!(found.arc_length_mean, Some(2.0));
    let uneven = statistics(&all([1.0, 1.0, 5.0]), &[0.0, 3.0, 4.0]).unwrap();
    assert_eq!(uneven.arc_length_mean, Some(1.5));
    let still = statistics(&all([2.0, 4.0]), &[0.0, 0.0]).unwrap();
    assert_eq!(still.arc_length_mean, Some(3.0));
    let hole = statistics(&[Some(1.0), None, Some(3.0)], &[0.0, 1.0, 2.0]).unwrap();
    assert_eq!(
        (hole.min, hole.max, hole.mean, hole.arc_length_mean, hole.holes),
        (Some(1.0), Some(3.0), None, None, 1)
    );
    let nothing = statistics(&[], &[]).unwrap();
    assert_eq!((nothing.min, nothing.mean, nothing.arc_length_mean), (None, None, None));
    assert!(statistics(&[None], &[]).is_err());
}

#[test]
fn numbers_equal_those_of_the_numpy_script() {
    let case = fixture("barriers");
    let ts = numbers(&case["t"]);
    let curve = |value: &Value| -> Vec<Option<f64>> { value.as_array().unwrap().iter().map(Value::as_f64).collect() };
    let tasks: Vec<Vec<Option<f64>>> = case["losses"].as_array().unwrap().iter().map(curve).collect();
    let mut curves = tasks.clone();
    curves.push(mean_over_tasks(&tasks).unwrap());
    let expected = case["expected"].as_array().unwrap();
    assert_eq!(curves.len(), expected.len());
    for (values, expected) in curves.iter().zip(expected) {
        let found = barrier(&ts, values).unwrap();
        let averages = statistics(values, &numbers(&case["arc_lengths"])).unwrap();
        let best = gain(&ts, values).unwrap();
        for (name, found) in [
            ("entezari", found.entezari),
            ("entezari_at", found.entezari_at),
            ("interior", found.interior),
            ("frankle", found.frankle),
            ("gain", best.map(|best| best.gain)),
            ("gain_at", best.map(|best| best.at)),
            ("mean", averages.mean),
            ("arc_length_mean", averages.arc_length_mean),
            ("max", averages.max),
        ] {
            match expected[name].as_f64() {
                Some(expected) => close(found.unwrap(), expected, 1e-8),
                None => assert_eq!(found, None, "{name}"),
            }
        }
        assert_eq!(Some(found.holes as u64), expected["holes"].as_u64());
    }
}
