//! The order at which signed errors vanish with the step size, as an interval.

use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::exponent_search::ExponentSearch;
use super::streams::stream;
use super::summary::{quantile, sorted};
use super::{Interval, StatisticsError, checks, tails};

/// e = c·αᵖ fitted to signed errors.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PowerLaw {
    /// ĉ, with the sign of the errors.
    pub coefficient: f64,
    /// p̂.
    pub exponent: f64,
    /// The 1 − 2·level interval for p, by parametric bootstrap.
    pub exponent_interval: Interval,
    /// For each error, whether it stands out of its noise: |eᵢ| ≥ floor·seᵢ.
    pub above_floor: Vec<bool>,
    /// χ² = Σ ((eᵢ − ĉ·αᵢᵖ)/seᵢ)²; a large one says that the errors follow no single power.
    pub chi_squared: f64,
    /// Number of errors less two.
    pub degrees_of_freedom: usize,
    /// P(χ² or larger) if the power law holds; `None` with no degrees of freedom.
    pub p_value: Option<f64>,
}

/// Fits eᵢ = c·αᵢᵖ to signed errors by minimising Σ ((eᵢ − c·αᵢᵖ)/seᵢ)² over c and p ∈ [−4, 8].
///
/// All rungs take part, those under the noise floor too: their weights keep them from driving the
/// slope, as a line through log|eᵢ| would let them, and their signs count. For a given p the best c
/// is linear, which leaves a search over p alone. The interval for p is the percentile interval
/// of refits to eᵢ* ~ N(ĉ·αᵢᵖ, seᵢ²) (Efron & Tibshirani 1993, §6.5); a refit that ends at −4 or 8
/// stays in it.
///
/// `floor` is in standard errors, e.g. 3; `level` is one-sided.
///
/// # Errors
///
/// [`BelowNoiseFloor`](StatisticsError::BelowNoiseFloor) when fewer than two step sizes have an
/// error above the floor; [`NoPowerLaw`](StatisticsError::NoPowerLaw) when the best exponent is at
/// −4 or 8; fewer than two rungs, lengths that differ, numbers that are not finite, step sizes or
/// standard errors not greater than 0, fewer than 1/level resamples.
pub fn power_law(
    step_sizes: &[f64],
    errors: &[f64],
    std_errors: &[f64],
    floor: f64,
    level: f64,
    resamples: usize,
    seed: u64,
) -> Result<PowerLaw, StatisticsError> {
    let count = errors.len();
    checks::finite("errors", errors, 2)?;
    checks::positive("step sizes", step_sizes, count)?;
    checks::positive("standard errors", std_errors, count)?;
    checks::within(
        floor.is_finite() && floor >= 0.0,
        "noise floor",
        floor,
        "finite and at least 0",
    )?;
    checks::level(level)?;
    checks::resamples(resamples, level)?;
    let scores: Vec<f64> = errors
        .iter()
        .zip(std_errors)
        .map(|(e, se)| e / se)
        .collect();
    checks::finite("error / standard error", &scores, 0)?;

    let above_floor: Vec<bool> = scores.iter().map(|score| score.abs() >= floor).collect();
    let standing_out = (0..count)
        .filter(|i| above_floor[*i])
        .map(|i| step_sizes[i]);
    let mut distinct = sorted(&standing_out.collect::<Vec<f64>>());
    distinct.dedup();
    if distinct.len() < 2 {
        return Err(StatisticsError::BelowNoiseFloor {
            above: distinct.len(),
            floor,
        });
    }

    let search = ExponentSearch::new(step_sizes, std_errors, &[]);
    let exponent = search.best_exponent(&scores, 0..1);
    let best = search.at(exponent, &scores, 0);
    let degrees_of_freedom = count - 2;
    if ExponentSearch::is_edge(exponent) {
        let chi_squared = best.chi_squared;
        return Err(StatisticsError::NoPowerLaw {
            exponent,
            chi_squared,
            degrees_of_freedom,
        });
    }

    let exponents: Vec<f64> = (0..resamples)
        .into_par_iter()
        .map(|resample| {
            let mut rng = stream(seed, resample);
            let mut redraw = |fitted: &f64| {
                let noise: f64 = StandardNormal.sample(&mut rng);
                fitted + noise
            };
            let redrawn: Vec<f64> = best.fitted.iter().map(&mut redraw).collect();
            search.best_exponent(&redrawn, 0..1)
        })
        .collect();
    let exponents = sorted(&exponents);
    Ok(PowerLaw {
        coefficient: best.coefficient,
        exponent,
        exponent_interval: Interval {
            lower: quantile(&exponents, level),
            upper: quantile(&exponents, 1.0 - level),
        },
        above_floor,
        chi_squared: best.chi_squared,
        degrees_of_freedom,
        p_value: tails::chi_squared_tail(best.chi_squared, degrees_of_freedom),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::testing::{
        assert_close, assert_same_on_any_threads, cases, normal, number, numbers, rarely_more_than,
    };
    use crate::statistics::{Outcome, classify};

    const STEP_SIZES: [f64; 5] = [0.2, 0.1, 0.05, 0.025, 0.0125];

    #[test]
    fn fits_agree_with_scipy_curve_fit() {
        for case in cases("power_laws") {
            let law = power_law(
                &numbers(&case["step_sizes"]),
                &numbers(&case["errors"]),
                &numbers(&case["std_errors"]),
                3.0,
                0.158_655_254, // one standard deviation of the normal law
                4000,
                5,
            )
            .unwrap();
            assert_close(law.coefficient, number(&case["coefficient"]), 1e-6);
            assert_close(law.exponent, number(&case["exponent"]), 1e-7);
            assert!((law.chi_squared - number(&case["chi_squared"])).abs() < 1e-9);
            assert_eq!(law.p_value.is_some(), case["p_value"].is_f64());
            if let (Some(p_value), Some(expected)) = (law.p_value, case["p_value"].as_f64()) {
                assert_close(p_value, expected, 1e-8);
            }
            let width = law.exponent_interval.upper - law.exponent_interval.lower;
            assert_close(width / 2.0, number(&case["exponent_std_error"]), 0.1);
        }
    }

    fn rungs(order: f64, trial: usize) -> (Vec<f64>, [f64; 5]) {
        let std_errors = [0.006, 0.005, 0.004, 0.003, 0.003];
        let noise = normal(&mut stream(6, trial), 5, 0.0, 1.0);
        let errors = (0..5).map(|i| -0.8 * STEP_SIZES[i].powf(order) + std_errors[i] * noise[i]);
        (errors.collect(), std_errors)
    }

    /// The interval misses the true order on either side with probability at most 6 % (5 % nominal),
    /// and a wrong order is rejected nearly always; each count fails with probability at most 10⁻⁶.
    #[test]
    fn intervals_cover_the_true_order_and_exclude_a_wrong_one() {
        let trials = 600;
        let (mut below, mut above, mut wrongly_passed) = (0, 0, 0);
        for trial in 0..trials {
            let (errors, std_errors) = rungs(1.0, trial);
            let law = power_law(&STEP_SIZES, &errors, &std_errors, 3.0, 0.05, 300, 7).unwrap();
            below += u64::from(law.exponent_interval.upper < 1.0);
            above += u64::from(law.exponent_interval.lower > 1.0);
            let (errors, std_errors) = rungs(0.5, trial);
            let law = power_law(&STEP_SIZES, &errors, &std_errors, 3.0, 0.05, 100, 7).unwrap();
            let verdict = classify(law.exponent_interval, 1.0, 0.25);
            wrongly_passed += u64::from(verdict != Outcome::Rejected);
        }
        let allowed = rarely_more_than(trials as u64, 0.06);
        assert!(
            below <= allowed && above <= allowed,
            "{below} below, {above} above"
        );
        assert!(
            wrongly_passed <= allowed,
            "{wrongly_passed} of order ½ not rejected as order 1"
        );
    }

    #[test]
    fn a_rung_under_the_floor_is_flagged_and_does_not_drive_the_slope() {
        let mut errors: Vec<f64> = STEP_SIZES.iter().map(|step| step * step).collect();
        let std_errors = [1e-4, 1e-4, 1e-4, 1e-4, 1e-4];
        errors[4] = -2.5e-4; // α² is 1.6e-4 there: the sign is lost in the noise
        let law = power_law(&STEP_SIZES, &errors, &std_errors, 3.0, 0.05, 200, 8).unwrap();
        assert_eq!(law.above_floor, [true, true, true, true, false]);
        assert!((law.exponent - 2.0).abs() < 0.02, "{}", law.exponent);
        // log|e| would have seen a clean −2.5e-4 and an order of about 1.8.
        assert!(law.p_value.unwrap() < 0.01, "the outlier still shows in χ²");
    }

    #[test]
    fn a_growing_error_has_a_negative_order() {
        let errors: Vec<f64> = STEP_SIZES.iter().map(|step| 0.01 / step).collect();
        let law = power_law(&STEP_SIZES, &errors, &[1e-3; 5], 3.0, 0.05, 200, 9).unwrap();
        assert_close(law.exponent, -1.0, 1e-9);
        assert_eq!(
            classify(law.exponent_interval, 1.0, 0.25),
            Outcome::Rejected
        );
    }

    #[test]
    fn two_rungs_above_the_floor_are_needed() {
        let errors = [0.1, 0.001, 0.001, -0.001, 0.0];
        let result = power_law(&STEP_SIZES, &errors, &[0.01; 5], 3.0, 0.05, 200, 10);
        assert_eq!(
            result,
            Err(StatisticsError::BelowNoiseFloor {
                above: 1,
                floor: 3.0
            })
        );
        let twice_the_same = power_law(&[0.1, 0.1], &[0.2, 0.2], &[0.01; 2], 3.0, 0.05, 200, 10);
        assert_eq!(
            twice_the_same,
            Err(StatisticsError::BelowNoiseFloor {
                above: 1,
                floor: 3.0
            })
        );
    }

    #[test]
    fn errors_that_change_sign_follow_no_power_law() {
        let result = power_law(&[0.2, 0.1], &[0.2, -0.1], &[0.01; 2], 3.0, 0.05, 200, 11);
        assert!(
            matches!(result, Err(StatisticsError::NoPowerLaw { exponent, .. }) if exponent > 7.9)
        );
        let nothing = power_law(&[0.2, 0.1], &[0.0, 0.0], &[0.01; 2], 0.0, 0.05, 200, 11);
        assert!(matches!(nothing, Err(StatisticsError::NoPowerLaw { .. })));
    }

    #[test]
    fn the_interval_depends_on_the_seed_and_not_on_threads() {
        let (errors, std_errors) = rungs(1.0, 0);
        let fit =
            |seed| power_law(&STEP_SIZES, &errors, &std_errors, 3.0, 0.05, 200, seed).unwrap();
        assert_same_on_any_threads(|| fit(42));
        assert_ne!(fit(42).exponent_interval, fit(43).exponent_interval);
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let fit = |steps: &[f64], errors: &[f64], ses: &[f64], floor, level, resamples| {
            power_law(steps, errors, ses, floor, level, resamples, 0)
                .unwrap_err()
                .to_string()
        };
        let two = [0.2, 0.1];
        assert!(fit(&[0.1], &[0.1], &[0.1], 3.0, 0.05, 200).contains("at least 2"));
        assert!(
            fit(&[0.2, 0.0], &two, &two, 3.0, 0.05, 200).contains("entry 1 of the step sizes is 0")
        );
        assert!(
            fit(&two, &two, &[0.1, 0.0], 3.0, 0.05, 200)
                .contains("entry 1 of the standard errors is 0")
        );
        assert!(fit(&two, &[0.1, f64::NAN], &two, 3.0, 0.05, 200).contains("NaN"));
        assert!(fit(&two, &two, &two, f64::NAN, 0.05, 200).contains("noise floor"));
        assert!(fit(&two, &two, &two, 3.0, 0.0, 200).contains("level"));
        assert!(fit(&two, &two, &two, 3.0, 0.05, 19).contains("at least 20"));
        assert!(fit(&two, &[1e300, 1e300], &[1e-300; 2], 3.0, 0.05, 200).contains("inf"));
    }

    proptest! {
        #[test]
        fn noiseless_errors_give_back_their_power(
            coefficient in prop::sample::select(vec![-1e100, -3.0, 1e-9, 0.7]),
            exponent in -3.9..7.9_f64,
            ratio in 1.5..20.0_f64,
        ) {
            let step_sizes: Vec<f64> = (0..4).map(|rung| 0.3 * ratio.powi(-rung)).collect();
            let errors: Vec<f64> =
                step_sizes.iter().map(|step| coefficient * step.powf(exponent)).collect();
            let std_errors: Vec<f64> = errors.iter().map(|error| 1e-3 * error.abs()).collect();
            let law = power_law(&step_sizes, &errors, &std_errors, 3.0, 0.05, 20, 0).unwrap();
            prop_assert!((law.exponent - exponent).abs() < 1e-9);
            prop_assert!((law.coefficient / coefficient - 1.0).abs() < 1e-7);
            prop_assert!(law.exponent_interval.contains(exponent));
        }
    }
}
