//! Intervals and tests against closed forms, full enumerations, published values, and races drawn at random.

use super::*;

#[track_caller]
fn close(found: f64, expected: f64, tolerance: f64) {
    assert!((found - expected).abs() <= tolerance, "found {found}, expected {expected}");
}

fn interval(values: &[f64]) -> Interval {
    Estimate::of(values).unwrap().interval.unwrap()
}

/// Normal values by the polar method of Box and Muller.
fn normal(rng: &mut ChaCha8Rng) -> f64 {
    let (u, v): (f64, f64) = (rng.random_range(f64::EPSILON..1.0), rng.random_range(0.0..1.0));
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

#[test]
fn intervals_of_few_values_are_known_in_closed_form() {
    assert_eq!(Estimate::of(&[]), None);
    assert_eq!(Estimate::of(&[0.5, f64::NAN]), None);
    assert_eq!(Estimate::of(&[0.5]), Some(Estimate { mean: 0.5, interval: None, n: 1 }));
    // of two values a quarter of the resamples is twice the lesser, of three a 27th: both are above the tail of a 40th
    assert_eq!(interval(&[0.75, 0.25]), Interval { low: 0.25, high: 0.75 });
    let three = interval(&[0.5, 0.125, 0.75]);
    close(three.low, 0.125, 1e-15);
    close(three.high, 0.75, 1e-15);
    assert_eq!(interval(&[0.5; 9]), Interval { low: 0.5, high: 0.5 });
}

#[test]
fn intervals_of_five_values_are_those_of_all_3125_resamples() {
    let values = [0.31, 0.42, 0.38, 0.55, 0.47];
    let mut means: Vec<f64> = (0..3125_usize)
        .map(|code| (0..5).map(|place| values[code / 5_usize.pow(place) % 5]).sum::<f64>() / 5.0)
        .collect();
    means.sort_unstable_by(f64::total_cmp);
    let found = interval(&values);
    // 10,000 resamples err by 0.16 % of probability; between the quantiles 2.0 % and 3.0 % lies a step of the distribution
    for (found, shares) in [(found.low, [0.02, 0.03]), (found.high, [0.97, 0.98])] {
        let [low, high] = shares.map(|share| quantile(&means, share));
        assert!((low - 1e-12..=high + 1e-12).contains(&found), "{found} is not in [{low}, {high}]");
    }
    // scipy 1.17.1, stats.bootstrap(method="percentile", n_resamples=200000), and numpy's quantiles of all resamples
    close(found.low, 0.356, 0.0021);
    close(found.high, 0.5, 0.0021);
    assert_eq!(interval(&values), found, "the same values give the same interval");
}

#[test]
fn quantiles_are_those_of_numpy() {
    // numpy.quantile([1, 2, 4, 8], [0, 0.1, 0.5, 0.975, 1])
    let found = [0.0, 0.1, 0.5, 0.975, 1.0].map(|share| quantile(&[1.0, 2.0, 4.0, 8.0], share));
    for (found, expected) in found.into_iter().zip([1.0, 1.3, 3.0, 7.7, 8.0]) {
        close(found, expected, 1e-12);
    }
}

#[test]
fn intervals_cover_the_true_mean_as_often_as_the_module_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut covered = |n: usize| {
        let races = 600;
        let hits = (0..races).filter(|_| {
            let values: Vec<f64> = (0..n).map(|_| 0.4 + 0.1 * normal(&mut rng)).collect();
            let Interval { low, high } = interval(&values);
            (low..=high).contains(&0.4)
        });
        hits.count() as f64 / f64::from(races)
    };
    // three standard errors of 600 races
    close(covered(3), 0.76, 0.055);
    close(covered(5), 0.84, 0.047);
    close(covered(10), 0.91, 0.037);
    close(covered(30), 0.93, 0.033);
}

#[test]
fn p_is_that_of_fisher_for_darwins_maize() {
    // The Design of Experiments, section 21: 863 of 2^15 sign choices give at least the sum 314
    let eighths_of_an_inch = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48].map(f64::from);
    assert_eq!(eighths_of_an_inch.iter().sum::<f64>(), 314.0);
    assert_eq!(sign_flip_p(&eighths_of_an_inch), Some(2.0 * 863.0 / 32_768.0));
}

#[test]
fn p_is_that_of_scipy() {
    // scipy 1.17.1, stats.permutation_test(permutation_type="samples", n_resamples=inf)
    for (differences, expected) in [
        (&[0.12, -0.03, 0.08, 0.15, 0.02, 0.07][..], 0.09375),
        (&[1.0, 2.0, 3.0, 4.0, -1.0], 0.1875),
        (&[0.021, -0.013, 0.034, 0.008, -0.002, 0.017, 0.029, 0.011, -0.006, 0.019], 0.046875),
    ] {
        close(sign_flip_p(differences).unwrap(), expected, 1e-15);
    }
}

#[test]
fn p_of_one_sign_is_the_smallest_there_is() {
    for n in 2..=EXACT_LIMIT {
        let differences: Vec<f64> = (1..=n).map(|index| 0.1 * index as f64).collect();
        close(sign_flip_p(&differences).unwrap(), smallest_p(n), 1e-15);
        let other: Vec<f64> = differences.iter().map(|difference| -difference).collect();
        assert_eq!(sign_flip_p(&differences), sign_flip_p(&other), "the test is two-sided");
    }
    assert_eq!((smallest_p(5), smallest_p(6), smallest_p(1), smallest_p(0)), (0.0625, 0.03125, 1.0, 1.0));
    assert_eq!((sign_flip_p(&[0.3]), sign_flip_p(&[]), sign_flip_p(&[0.1, f64::NAN])), (None, None, None));
    assert_eq!(sign_flip_p(&[0.0; 6]), Some(1.0), "no difference at all");
}

#[test]
fn ties_by_rounding_count_as_ties() {
    // 0.1 + 0.2 is not 0.3 in binary, yet -0.1 - 0.2 + 0.3 and its mirror image are no nearer to 0 than what was found
    assert_eq!(sign_flip_p(&[0.1, 0.2, -0.3]), Some(1.0));
    assert_eq!(sign_flip_p(&[0.1, 0.2, 0.3]), Some(0.25));
}

#[test]
fn drawn_signs_agree_with_the_normal_limit_beyond_twenty_differences() {
    // of 60 differences of one size the sum is 2 B - 60 with B binomial; 38 positive ones give the sum 16
    let differences: Vec<f64> = (0..60).map(|index| if index < 38 { 0.01 } else { -0.01 }).collect();
    let mut tail = 0.0;
    let mut term = 0.5_f64.powi(60); // C(60, 0) / 2^60
    for successes in 0..=22 {
        tail += term;
        term *= f64::from(60 - successes) / f64::from(successes + 1);
    }
    // three standard errors of 100,000 draws
    close(sign_flip_p(&differences).unwrap(), 2.0 * tail, 3.0 * (2.0 * tail / DRAWS as f64).sqrt());
    assert_eq!(sign_flip_p(&[0.5; 40]), Some(1.0 / 100_001.0), "never 0");
}

#[test]
fn under_no_difference_p_below_a_tenth_is_as_rare_as_it_says() {
    let mut rng = ChaCha8Rng::seed_from_u64(5);
    let races = 4000;
    let small = (0..races)
        .filter(|_| {
            let differences: Vec<f64> = (0..7).map(|_| normal(&mut rng)).collect();
            sign_flip_p(&differences).unwrap() <= 0.125
        })
        .count();
    // 0.125 is 8 of the 64 values that p takes with 7 seeds, each as probable
    close(small as f64 / f64::from(races), 0.125, 3.0 * (0.125 * 0.875 / f64::from(races)).sqrt());
}
