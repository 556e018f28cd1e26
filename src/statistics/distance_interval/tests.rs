//! Coverage, power and size of the distances on laws whose distance is known.

use super::norms::DIRECTIONS;
use super::*;
use crate::statistics::mmd::median_bandwidth;
use crate::statistics::streams::stream;
use crate::statistics::testing::{assert_same_on_any_threads, normal, rarely_more_than};
use crate::statistics::{
    energy_distance, kolmogorov_smirnov, mmd_squared, sliced_wasserstein_1, wasserstein_1,
};

const DISTANCES: [Distance; 5] = [
    Distance::Wasserstein1,
    Distance::KolmogorovSmirnov,
    Distance::Energy,
    Distance::MeanDiscrepancy,
    Distance::SlicedWasserstein1,
];
const TRIALS: usize = 500;
const LEVEL: f64 = 0.05;
const EFFORT: Effort = Effort {
    level: LEVEL,
    resamples: 100,
    permutations: 0,
    splits: 0,
};

fn compare(
    a: &[f64],
    b: &[f64],
    d: usize,
    distances: &[Distance],
    effort: Effort,
) -> Vec<DistanceEstimate> {
    let (a, b) = (Points::new(a, d).unwrap(), Points::new(b, d).unwrap());
    distances_to_reference(a, b, distances, effort, 14).unwrap()
}

/// √𝓔 of N(0, 1) and N(δ, s²): E|N(δ, v)| = √(2v/π)·exp(−δ²/(2v)) + δ·(1 − 2Φ(−δ/√v)).
fn energy_of_normals(shift: f64, sd: f64) -> f64 {
    let mean_size = |shift: f64, variance: f64| {
        let tail = tails::upper_tail(shift / variance.sqrt(), None);
        (2.0 * variance / std::f64::consts::PI).sqrt() * (-0.5 * shift * shift / variance).exp()
            + shift * (1.0 - 2.0 * tail)
    };
    let apart = mean_size(shift, 1.0 + sd * sd);
    (2.0 * apart - mean_size(0.0, 2.0) - mean_size(0.0, 2.0 * sd * sd))
        .max(0.0)
        .sqrt()
}

/// MMD of the same: E k of a N(δ, v) difference is h/√(h² + v)·exp(−δ²/(2(h² + v))).
fn mmd_of_normals(shift: f64, sd: f64, h: f64) -> f64 {
    let mean_kernel = |shift: f64, variance: f64| {
        let total = h * h + variance;
        h / total.sqrt() * (-0.5 * shift * shift / total).exp()
    };
    let cross = mean_kernel(shift, 1.0 + sd * sd);
    (mean_kernel(0.0, 2.0) + mean_kernel(0.0, 2.0 * sd * sd) - 2.0 * cross)
        .max(0.0)
        .sqrt()
}

/// On either side the interval misses with probability at most 6 % (5 % nominal, in large
/// samples); each count exceeds its bound with probability at most 10⁻⁶.
#[test]
fn intervals_cover_the_true_distance_of_equal_and_of_different_laws() {
    let allowed = rarely_more_than(TRIALS as u64, LEVEL + 0.01);
    let scale = (2.0 / std::f64::consts::PI).sqrt(); // E|Z|
    // sup |Φ(x) − Φ(x − 0.3)| = 2Φ(0.15) − 1; two scales have their largest gap where the
    // densities are equal, x² = 8·log(2)/3.
    for (shift, sd, wasserstein, kolmogorov) in [
        (0.0, 1.0, 0.0, 0.0),
        (0.3, 1.0, 0.3, 0.119_235_4),
        (3.0, 1.0, 3.0, 0.866_385_6),
        (0.0, 2.0, scale, 0.161_337_0),
    ] {
        let mut misses = [(0, 0); 5];
        for trial in 0..TRIALS {
            let mut rng = stream(13, trial);
            let a = normal(&mut rng, 80, 0.0, 1.0);
            let b = normal(&mut rng, 120, shift, sd);
            let (pa, pb) = (Points::line(&a).unwrap(), Points::line(&b).unwrap());
            let h = median_bandwidth(pa, pb, 0).unwrap();
            let truths = [
                wasserstein,
                kolmogorov,
                energy_of_normals(shift, sd),
                mmd_of_normals(shift, sd, h),
                wasserstein,
            ];
            let found = compare(&a, &b, 1, &DISTANCES, EFFORT);
            for ((found, truth), misses) in found.iter().zip(truths).zip(&mut misses) {
                misses.0 += u64::from(found.interval.upper < truth);
                misses.1 += u64::from(found.interval.lower > truth);
            }
        }
        for (distance, (below, above)) in DISTANCES.iter().zip(misses) {
            let at = format!("{distance:?}, shift {shift}, sd {sd}, of {TRIALS}");
            assert!(below <= allowed, "{at}: {below} too low");
            assert!(above <= allowed, "{at}: {above} too high");
        }
    }
}

/// As above, for N(0, I) and N(δ e₁, I) in the plane: the same energy and kernel integrals in two dimensions are
/// replaced by the sliced distance, whose truth is that of two points δ apart.
#[test]
fn intervals_of_the_sliced_distance_cover_it_in_the_plane() {
    let allowed = rarely_more_than(TRIALS as u64, LEVEL + 0.01);
    for shift in [0.0, 0.5] {
        let ends = [0.0, 0.0, shift, 0.0];
        let (from, to) = ends.split_at(2);
        let ends = (Points::new(from, 2).unwrap(), Points::new(to, 2).unwrap());
        let truth = sliced_wasserstein_1(ends.0, ends.1, DIRECTIONS, 14).unwrap();
        let (mut below, mut above) = (0, 0);
        for trial in 0..TRIALS {
            let mut rng = stream(23, trial);
            let a = normal(&mut rng, 160, 0.0, 1.0);
            let mut b = normal(&mut rng, 240, 0.0, 1.0);
            b.iter_mut().step_by(2).for_each(|x| *x += shift);
            let found = compare(&a, &b, 2, &DISTANCES[4..], EFFORT);
            below += u64::from(found[0].interval.upper < truth);
            above += u64::from(found[0].interval.lower > truth);
        }
        assert!(
            below <= allowed && above <= allowed,
            "{shift}: {below}, {above}"
        );
    }
}

/// The interval is not vacuous: a clear difference is bounded away from 0, and equal laws are
/// shown to be within a margin. The power is above 0.99 in each case.
#[test]
fn a_planted_difference_is_seen_and_equal_laws_are_shown_close() {
    let margins = [0.25, 0.13, 0.25, 0.15, 0.25];
    let (mut seen, mut close) = ([0; 5], [0; 5]);
    for trial in 0..100 {
        let mut rng = stream(15, trial);
        let a = normal(&mut rng, 1000, 0.0, 1.0);
        let same = normal(&mut rng, 1000, 0.0, 1.0);
        let shifted = normal(&mut rng, 1000, 0.4, 1.0);
        let found = compare(&a, &shifted, 1, &DISTANCES, EFFORT);
        for (found, seen) in found.iter().zip(&mut seen) {
            let consistent = (found.p_within(0.0) < LEVEL) == (found.interval.lower > 0.0);
            assert!(consistent, "{found:?}");
            *seen += usize::from(found.interval.lower > 0.0);
        }
        let found = compare(&a, &same, 1, &DISTANCES, EFFORT);
        for ((found, margin), close) in found.iter().zip(margins).zip(&mut close) {
            *close += usize::from(found.interval.upper < margin);
            let shown = found.p_beyond(margin);
            assert!(shown <= LEVEL || found.interval.upper >= margin, "{shown}");
        }
    }
    assert!(seen.iter().all(|&seen| seen >= 95), "{seen:?} of 100 seen");
    assert!(
        close.iter().all(|&close| close >= 95),
        "{close:?} of 100 shown close"
    );
}

/// P(p ≤ 0.05) ≤ 0.05 under equal laws; the shift of half a standard deviation has power above 0.99. Each count
/// exceeds its bound with probability at most 10⁻⁶.
#[test]
fn permutation_tests_have_their_size_on_the_line_and_on_paths() {
    let (trials, effort) = (
        400,
        Effort {
            permutations: 99,
            ..EFFORT
        },
    );
    let allowed = rarely_more_than(trials as u64, 0.05);
    for (d, distances) in [(1, &DISTANCES[..]), (4, &DISTANCES[2..])] {
        let (mut alarms, mut missed) = ([0; 5], [0; 5]);
        for trial in 0..trials {
            let mut rng = stream(24, trial);
            // Paths: sums of independent steps, so that their coordinates are dependent.
            let mut paths = |count: usize, shift: f64| -> Vec<f64> {
                let mut values = normal(&mut rng, count * d, 0.0, 1.0);
                for path in values.chunks_exact_mut(d) {
                    path[0] += shift;
                    for t in 1..d {
                        path[t] += path[t - 1];
                    }
                }
                values
            };
            let (a, b, c) = (paths(60, 0.0), paths(80, 0.0), paths(80, 1.5));
            for (i, found) in compare(&a, &b, d, distances, effort).iter().enumerate() {
                alarms[i] += u64::from(found.p_same.unwrap() <= 0.05);
            }
            for (i, found) in compare(&a, &c, d, distances, effort).iter().enumerate() {
                missed[i] += u64::from(found.p_same.unwrap() > 0.05);
            }
        }
        assert!(
            alarms.iter().all(|&count| count <= allowed),
            "{d}: {alarms:?} alarms"
        );
        assert!(
            missed.iter().all(|&count| count <= 20),
            "{d}: {missed:?} missed"
        );
    }
}

/// Standard normal coordinates in both samples, of correlation 0 and 0.8: no one coordinate tells, all distances in the
/// plane do. Their power is above 0.99; the two marginal tests have their size.
#[test]
fn a_wrong_dependence_is_seen_by_the_joint_distances_alone() {
    let (trials, effort) = (
        100,
        Effort {
            permutations: 99,
            ..EFFORT
        },
    );
    let (mut joint, mut marginal) = ([0; 3], 0);
    for trial in 0..trials {
        let mut rng = stream(25, trial);
        let a = normal(&mut rng, 400, 0.0, 1.0);
        let mut b = normal(&mut rng, 400, 0.0, 1.0);
        for pair in b.chunks_exact_mut(2) {
            pair[1] = 0.8 * pair[0] + 0.6 * pair[1];
        }
        for (found, joint) in compare(&a, &b, 2, &DISTANCES[2..], effort)
            .iter()
            .zip(&mut joint)
        {
            *joint += u64::from(found.p_same.unwrap() <= 0.05);
        }
        let second = |x: &[f64]| x.iter().skip(1).step_by(2).copied().collect::<Vec<_>>();
        let found = compare(&second(&a), &second(&b), 1, &DISTANCES[..1], effort);
        marginal += u64::from(found[0].p_same.unwrap() <= 0.05);
    }
    assert!(
        joint.iter().all(|&seen| seen >= 95),
        "{joint:?} of {trials} seen"
    );
    assert!(
        marginal <= rarely_more_than(trials as u64, 0.05),
        "{marginal}"
    );
}

/// The mean of 400 independent distances has a relative error of about 2 %, that of the floor from one reference
/// about 3 %.
#[test]
fn the_floor_is_the_mean_distance_of_independent_samples_of_one_law() {
    let (effort, trials) = (
        Effort {
            splits: 500,
            ..EFFORT
        },
        400,
    );
    for d in [1, 2] {
        let distances = if d == 1 {
            &DISTANCES[..]
        } else {
            &DISTANCES[2..]
        };
        let sample =
            |seed, trial, count: usize| normal(&mut stream(seed, trial), count * d, 0.0, 1.0);
        let found = compare(
            &sample(18, 0, 100),
            &sample(18, 1, 301),
            d,
            distances,
            effort,
        );
        let mut sums = [0.0; 5];
        for trial in 0..trials {
            let (a, b) = (sample(17, trial, 100), sample(19, trial, 301));
            for (i, found) in compare(&a, &b, d, distances, EFFORT).iter().enumerate() {
                sums[i] += found.estimate / trials as f64;
            }
        }
        for (found, expected) in found.iter().zip(sums) {
            let ratio = found.floor.unwrap() / expected;
            assert!((ratio - 1.0).abs() < 0.12, "{:?}: {ratio}", found.distance);
        }
    }
}

#[test]
fn estimates_are_the_plug_in_distances() {
    let (a, b) = ([0.0, 1.0, 5.0, 2.0], [0.5, 2.0]);
    let (pa, pb) = (Points::line(&a).unwrap(), Points::line(&b).unwrap());
    let found = compare(&a, &b, 1, &DISTANCES, EFFORT);
    let h = median_bandwidth(pa, pb, 14).unwrap();
    let expected = [
        wasserstein_1(&a, &b).unwrap(),
        kolmogorov_smirnov(&a, &b).unwrap().statistic,
        energy_distance(pa, pb).unwrap().sqrt(),
        mmd_squared(pa, pb, h).unwrap().sqrt(),
        sliced_wasserstein_1(pa, pb, DIRECTIONS, 14).unwrap(),
    ];
    assert_eq!(
        found.iter().map(|found| found.estimate).collect::<Vec<_>>(),
        expected
    );
    let found = compare(&a, &[0.5, 2.0, 1.0, 1.0], 2, &DISTANCES[2..4], EFFORT);
    let (pa, pb) = (
        Points::new(&a, 2).unwrap(),
        Points::new(&[0.5, 2.0, 1.0, 1.0], 2).unwrap(),
    );
    let energy = energy_distance(pa, pb).unwrap().sqrt();
    assert!((found[0].estimate - energy).abs() < 1e-15);
}

#[test]
fn degenerate_samples_have_defined_results() {
    let effort = Effort {
        permutations: 19,
        splits: 3,
        ..EFFORT
    };
    for (d, distances) in [(1, &DISTANCES[..]), (2, &DISTANCES[2..])] {
        let same = [1.0, 2.0, 2.0, 4.0];
        for found in compare(&same, &same, d, distances, effort) {
            assert_eq!((found.estimate, found.interval.lower), (0.0, 0.0));
            assert_eq!((found.p_same, found.p_within(0.1)), (Some(1.0), 1.0));
            assert!(found.interval.upper > 0.0 && found.floor.unwrap() > 0.0);
            assert!(found.p_beyond(1e9) < LEVEL);
        }
        let constant = [2.0; 8];
        for found in compare(&constant, &constant, d, distances, effort) {
            assert_eq!((found.estimate, found.floor), (0.0, Some(0.0)));
            assert_eq!(found.p_same, Some(1.0));
        }
        for found in compare(
            &[0.0, 1.0, 3.0, 1.0],
            &[0.5, 9.0, 9.0, 9.0],
            d,
            distances,
            effort,
        ) {
            assert!(found.interval.lower >= 0.0 && found.interval.upper.is_finite());
        }
    }
    let point = Interval {
        lower: 3.0,
        upper: 3.0,
    };
    let found = compare(&[2.0; 5], &[5.0; 5], 1, &DISTANCES[..1], effort);
    assert_eq!(found[0].interval, point);
    assert_eq!((found[0].p_beyond(3.0), found[0].p_beyond(3.5)), (1.0, 0.0));
    let found = compare(&[2.0; 5], &[2.0; 5], 1, &DISTANCES[..1], EFFORT);
    assert_eq!(
        found[0].interval,
        Interval {
            lower: 0.0,
            upper: 0.0
        }
    );
    assert_eq!((found[0].floor, found[0].p_same), (None, None));
}

#[test]
fn the_result_depends_on_the_seed_and_not_on_threads() {
    let mut rng = stream(22, 0);
    let (a, b) = (
        normal(&mut rng, 100, 0.0, 1.0),
        normal(&mut rng, 140, 0.5, 1.0),
    );
    let effort = Effort {
        permutations: 50,
        splits: 5,
        ..EFFORT
    };
    for d in [1, 2] {
        let distances = if d == 1 {
            &DISTANCES[..]
        } else {
            &DISTANCES[2..]
        };
        let of = |seed| {
            let (a, b) = (Points::new(&a, d).unwrap(), Points::new(&b, d).unwrap());
            distances_to_reference(a, b, distances, effort, seed).unwrap()
        };
        assert_same_on_any_threads(|| of(42));
        assert_ne!(of(42)[0].floor, of(43)[0].floor);
    }
}

#[test]
fn illegal_inputs_are_errors() {
    let error = |a: &[f64], b: &[f64], d, level, resamples| {
        let (a, b) = (Points::new(a, d).unwrap(), Points::new(b, d).unwrap());
        let effort = Effort {
            level,
            resamples,
            ..EFFORT
        };
        distances_to_reference(a, b, &DISTANCES[..1], effort, 0)
            .unwrap_err()
            .to_string()
    };
    let two = [0.0, 1.0];
    assert!(error(&[1.0], &two, 1, 0.05, 100).contains("1 points of the first sample"));
    assert!(error(&two, &two, 1, 0.7, 100).contains("level is 0.7"));
    assert!(error(&two, &two, 1, 0.01, 50).contains("50 resamples given, but at least 100"));
    let four = [0.0, 1.0, 2.0, 3.0];
    assert!(error(&four, &four, 2, 0.05, 100).contains("dimension is 2"));
}
