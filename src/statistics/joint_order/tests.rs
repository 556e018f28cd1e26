//! Joint fits against scipy; coverage, p-values and power on correlated ensembles.

use serde_json::Value;

use super::*;
use crate::statistics::streams::stream;
use crate::statistics::testing::{
    assert_close, assert_same_on_any_threads, normal, number, numbers, rarely_more_than,
};
use crate::statistics::{Outcome, classify, kolmogorov_smirnov_cdf, power_law};

const STEP_SIZES: [f64; 4] = [0.2, 0.1, 0.05, 0.025];
const PATHS: usize = 60;

fn reference(key: &str) -> Vec<Value> {
    let all: Value = serde_json::from_str(include_str!("../../../tests/reference/joint.json"))
        .expect("the reference file is JSON");
    all[key].as_array().expect("a list").clone()
}

/// Two paths with the given means and standard errors.
fn two_paths(means: &[f64], std_errors: &[f64]) -> PathMeans {
    let pairs = || means.iter().zip(std_errors);
    let values = pairs()
        .map(|(e, se)| e - se)
        .chain(pairs().map(|(e, se)| e + se));
    PathMeans::new(&values.collect::<Vec<_>>(), means.len()).unwrap()
}

#[test]
fn joint_fits_agree_with_scipy() {
    for case in reference("joint_orders") {
        let lists = |key: &str| -> Vec<Vec<f64>> {
            case[key].as_array().unwrap().iter().map(numbers).collect()
        };
        let (step_sizes, nuisance) = (numbers(&case["step_sizes"]), lists("nuisance"));
        let (errors, std_errors) = (lists("errors"), lists("std_errors"));
        let of_rung = |values: &[Vec<f64>], r| values.iter().map(|of| of[r]).collect::<Vec<_>>();
        let ensembles: Vec<_> = (0..step_sizes.len())
            .map(|r| two_paths(&of_rung(&errors, r), &of_rung(&std_errors, r)))
            .collect();
        let rungs: Vec<_> = step_sizes
            .iter()
            .zip(&ensembles)
            .map(|(&step_size, paths)| JointRung {
                step_size,
                paths,
                limit: 0,
            })
            .collect();
        let limits = [PathMeans::exact(&vec![0.0; errors.len()]).unwrap()];
        let floor = vec![0.0; errors.len()];
        let joint = JointErrors::new(&rungs, &limits, &floor, &nuisance).unwrap();
        let order = joint.order(3.0, 0.05, 100, 1).unwrap();
        assert_close(order.exponent, number(&case["exponent"]), 1e-6);
        assert_close(order.chi_squared, number(&case["chi_squared"]), 1e-6);
        assert_eq!(
            order.degrees_of_freedom as f64,
            number(&case["degrees_of_freedom"])
        );
        for (series, expected) in order.series.iter().zip(numbers(&case["coefficients"])) {
            assert_close(series.coefficient, expected, 1e-5);
        }
        if errors.len() == 1 {
            let alone = power_law(&step_sizes, &errors[0], &std_errors[0], 3.0, 0.05, 100, 1);
            assert_close(order.exponent, alone.unwrap().exponent, 1e-9);
        }
    }
}

/// Ensembles of correlated series: all series of a path share a half of its variance.
struct Ensembles {
    paths: Vec<PathMeans>,
    limits: Vec<PathMeans>,
}

/// Errors `coefficients[j]`·(αᵖ + `bend`[j]·α²), noise of unit variance times `noise`.
fn ensembles(order: f64, bend: [f64; 3], noise: f64, trial: usize) -> Ensembles {
    let coefficients = [1.0, -0.6, 0.1];
    let mut rng = stream(41, trial);
    let mut ensemble = |count: usize, mean: &dyn Fn(usize) -> f64| {
        let mut values = Vec::with_capacity(3 * count);
        for _ in 0..count {
            let z = normal(&mut rng, 4, 0.0, noise * 0.5_f64.sqrt());
            values.extend((0..3).map(|j| mean(j) + z[0] + z[1 + j]));
        }
        PathMeans::new(&values, 3).unwrap()
    };
    let limits = vec![ensemble(PATHS, &|_| 0.0)];
    let paths = STEP_SIZES
        .iter()
        .map(|a| {
            ensemble(PATHS, &|j| {
                coefficients[j] * (a.powf(order) + bend[j] * a * a)
            })
        })
        .collect();
    Ensembles { paths, limits }
}

fn with_errors<T>(ensembles: &Ensembles, f: impl FnOnce(&JointErrors) -> T) -> T {
    let rungs: Vec<_> = STEP_SIZES
        .iter()
        .zip(&ensembles.paths)
        .map(|(&step_size, paths)| JointRung {
            step_size,
            paths,
            limit: 0,
        })
        .collect();
    f(&JointErrors::new(&rungs, &ensembles.limits, &[1e-9; 3], &[]).unwrap())
}

fn order(ensembles: &Ensembles, resamples: usize) -> JointOrder {
    with_errors(ensembles, |errors| {
        errors.order(3.0, 0.05, resamples, 7).unwrap()
    })
}

/// The intervals miss the true order on either side with probability at most 6.5 % (5 % nominal), a wrong order is
/// rejected nearly always, and p-values are uniform though the errors are correlated within rungs and through the
/// limit; each count fails with probability at most 10⁻⁶, the Kolmogorov–Smirnov test too.
#[test]
fn intervals_cover_the_order_and_p_values_are_uniform_for_correlated_errors() {
    let trials = 500;
    let mut misses = [0; 4];
    let mut wrongly_passed = 0;
    let mut p_values = Vec::new();
    for trial in 0..trials {
        let fit = order(&ensembles(1.0, [0.0; 3], 0.1, trial), 199);
        for (at, interval) in [fit.parametric, fit.resampled].iter().enumerate() {
            misses[2 * at] += u64::from(interval.upper < 1.0);
            misses[2 * at + 1] += u64::from(interval.lower > 1.0);
        }
        // Between the steps of a permutation p-value, so that its law is continuous.
        let z = normal(&mut stream(42, trial), 1, 0.0, 1.0)[0];
        let jitter = 0.5 * libm::erfc(z / 2.0_f64.sqrt());
        p_values.push(fit.p_value.unwrap() - jitter / 200.0);
        if trial < 100 {
            let wrong = order(&ensembles(0.5, [0.0; 3], 0.1, trial), 40);
            let verdict = classify(wrong.resampled, 1.0, 0.25);
            wrongly_passed += u64::from(verdict != Outcome::Rejected);
        }
    }
    let allowed = rarely_more_than(trials as u64, 0.065);
    assert!(
        misses.iter().all(|&misses| misses <= allowed),
        "{misses:?} of {allowed}"
    );
    assert!(
        wrongly_passed <= rarely_more_than(100, 0.05),
        "{wrongly_passed}"
    );
    let uniform = kolmogorov_smirnov_cdf(&p_values, |x| x.clamp(0.0, 1.0)).unwrap();
    assert!(uniform.p_value > 1e-6, "{uniform:?}");
}

/// A χ² law with the nominal degrees of freedom would have p-values far from uniform here.
#[test]
fn the_goodness_of_fit_knows_of_the_correlations() {
    let fit = order(&ensembles(1.0, [0.0; 3], 0.1, 0), 400);
    assert_eq!(fit.degrees_of_freedom, 8);
    // Every error carries noise of the limit that is common to its series, and coefficients can take up part of it.
    assert!(
        fit.expected_chi_squared < 7.5,
        "{}",
        fit.expected_chi_squared
    );
}

#[test]
fn a_series_that_changes_sign_shows_in_the_goodness_of_fit() {
    let fit = order(&ensembles(1.0, [0.0, -12.0, 0.0], 0.01, 1), 400);
    assert!(fit.p_value.unwrap() < 0.005, "{:?}", fit.p_value);
    let own: Vec<_> = fit.series.iter().map(|series| series.exponent).collect();
    assert!((own[0].unwrap() - 1.0).abs() < 0.1, "{own:?}");
    assert!(own[1].is_none_or(|p| (p - 1.0).abs() > 0.5), "{own:?}");
    assert!(fit.series[0].p_value.unwrap() > 0.005);
    assert!(fit.series[1].p_value.unwrap() < 0.005);
}

#[test]
fn where_no_single_power_holds_the_cautious_interval_reaches_further() {
    let fit = order(&ensembles(1.0, [3.0; 3], 0.001, 2), 400);
    let (cautious, naive) = (fit.cautious(), fit.resampled);
    assert!(fit.p_value.unwrap() < 0.005);
    assert!(cautious.lower <= fit.without_coarsest.unwrap() && fit.exponent <= cautious.upper);
    assert!(cautious.upper - cautious.lower > 3.0 * (naive.upper - naive.lower));
    // Where it holds, it is that of the paths, or nearly.
    let fit = order(&ensembles(1.0, [0.0; 3], 0.001, 2), 400);
    let ratio =
        (fit.cautious().upper - fit.cautious().lower) / (fit.resampled.upper - fit.resampled.lower);
    assert!((1.0..2.5).contains(&ratio), "{ratio}");
}

#[test]
fn rungs_under_the_floor_are_named_in_units_of_the_observable() {
    let fit = order(&ensembles(1.0, [0.0; 3], 0.1, 3), 40);
    // Standard errors are 0.1·√(2/60) = 0.018.
    assert_eq!(fit.series[0].above_floor[..2], [true; 2]);
    assert!(!fit.series[0].above_floor[3]);
    assert_eq!(fit.series[2].above_floor, [false; 4]);
    assert_close(fit.series[0].noise_floor[0], 3.0 * 0.018, 0.3);
    let nothing = with_errors(&ensembles(1.0, [0.0; 3], 10.0, 3), |errors| {
        errors.order(3.0, 0.05, 40, 7)
    });
    assert!(matches!(
        nothing,
        Err(StatisticsError::BelowNoiseFloor { above: 0, .. })
    ));
}

#[test]
fn exact_identical_and_constant_samples_have_defined_results() {
    let exact = |step: &f64| PathMeans::exact(&[*step, -2.0 * step]).unwrap();
    let paths: Vec<_> = STEP_SIZES.iter().map(exact).collect();
    let ensembles = |paths: Vec<PathMeans>| Ensembles {
        paths,
        limits: vec![PathMeans::exact(&[0.0; 2]).unwrap()],
    };
    let fit = |ensembles: &Ensembles, floor: f64| {
        let rungs: Vec<_> = STEP_SIZES
            .iter()
            .zip(&ensembles.paths)
            .map(|(&step_size, paths)| JointRung {
                step_size,
                paths,
                limit: 0,
            })
            .collect();
        JointErrors::new(&rungs, &ensembles.limits, &[floor; 2], &[])
            .and_then(|errors| errors.order(3.0, 0.05, 40, 7))
    };
    assert_close(
        fit(&ensembles(paths.clone()), 1e-6).unwrap().exponent,
        1.0,
        1e-9,
    );
    let error = fit(&ensembles(paths), 0.0).unwrap_err().to_string();
    assert!(error.contains("standard errors is 0"), "{error}");
    let constant = vec![PathMeans::new(&[0.0; 20], 2).unwrap(); 4];
    assert!(matches!(
        fit(&ensembles(constant), 1e-6),
        Err(StatisticsError::BelowNoiseFloor { .. })
    ));
    let two = STEP_SIZES
        .iter()
        .map(|a| two_paths(&[*a, 2.0 * a], &[0.01 * a; 2]));
    assert!(fit(&ensembles(two.collect()), 1e-9).is_ok());
}

#[test]
fn the_result_depends_on_the_seed_and_not_on_threads() {
    let ensembles = ensembles(1.0, [0.0; 3], 0.1, 4);
    let fit = |seed| {
        with_errors(&ensembles, |errors| {
            let more = errors.resampled_exponents(50, seed);
            (errors.order(3.0, 0.05, 100, seed).unwrap(), more)
        })
    };
    assert_same_on_any_threads(|| fit(42));
    assert_ne!(fit(42).0.resampled, fit(43).0.resampled);
}

#[test]
fn illegal_inputs_are_errors() {
    let means = PathMeans::exact(&[0.1, 0.2]).unwrap();
    let rung = |step_size, limit| JointRung {
        step_size,
        paths: &means,
        limit,
    };
    let limits = [PathMeans::exact(&[0.0; 2]).unwrap()];
    let message = |rungs: &[JointRung], floors: &[f64], nuisance: &[Vec<f64>]| {
        JointErrors::new(rungs, &limits, floors, nuisance)
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let both = [rung(0.2, 0), rung(0.1, 0)];
    assert!(message(&both[..1], &[1.0; 2], &[]).contains("at least 2"));
    assert!(message(&both, &[1.0; 3], &[]).contains("means of a rung"));
    assert!(message(&[rung(0.2, 0), rung(0.1, 1)], &[1.0; 2], &[]).contains("limits"));
    assert!(message(&[rung(0.2, 0), rung(-0.1, 0)], &[1.0; 2], &[]).contains("step sizes"));
    assert!(message(&both, &[1.0; 2], &[vec![1.0]]).contains("nuisance"));
    let errors = JointErrors::new(&both, &limits, &[1e-3; 2], &[]).unwrap();
    assert!(errors.order(f64::NAN, 0.05, 100, 1).is_err());
    assert!(errors.order(3.0, 0.5, 100, 1).is_err());
    assert!(errors.order(3.0, 0.01, 99, 1).is_err());
}
