//! Equivalence within a declared margin, by two one-sided tests.

use serde::{Deserialize, Serialize};

use super::summary::{bessel, central_moment, mean};
use super::{Interval, Outcome, StatisticsError, checks, tails};

/// The result of two one-sided tests.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Equivalence {
    /// The estimate that was tested.
    pub estimate: f64,
    /// Its 1 − 2·level confidence interval.
    pub interval: Interval,
    /// The larger of the two one-sided p-values; small speaks for equivalence.
    pub p_value: f64,
    /// p-value of |θ − `target`| ≤ `margin`: P(|T + margin/se| ≥ |θ̂ − target|/se), exact at the margin; small speaks for a
    /// difference.
    pub p_difference: f64,
    /// The verdict of [`classify`] on the interval.
    pub outcome: Outcome,
}

/// The verdict on "|θ − `target`| < `margin`" from an interval for θ.
///
/// `Pass` iff the interval lies inside (target − margin, target + margin), `Rejected` iff it lies
/// entirely outside, else `Inconclusive` — also when an end of the interval is NaN. With a
/// 1 − 2α interval both `Pass` and `Rejected` are wrong with probability at most α
/// (Schuirmann 1987; Tryon 2001 for the three-way rule).
pub fn classify(interval: Interval, target: f64, margin: f64) -> Outcome {
    let (lower, upper) = (target - margin, target + margin);
    if interval.inside(lower, upper) {
        Outcome::Pass
    } else if interval.upper <= lower || upper <= interval.lower {
        Outcome::Rejected
    } else {
        Outcome::Inconclusive
    }
}

/// Tests H₀: |θ − `target`| ≥ `margin` from an estimate θ̂ of θ and its standard error (TOST).
///
/// With T₋ = (θ̂ − target + margin)/se and T₊ = (θ̂ − target − margin)/se the p-value is
/// max(P(T > T₋), P(T < T₊)), T being Student's t with the degrees of freedom given, normal when
/// `None`. The interval is θ̂ ± t₁₋ₗₑᵥₑₗ·se. The margin must be declared before the data are seen.
///
/// A standard error of 0 is legal, for identities that hold exactly: then p is 0 or 1.
///
/// # Errors
///
/// A number that is not finite, a negative standard error, a margin or degrees of freedom not
/// greater than 0, a level outside (0, ½).
///
/// # Source
///
/// Schuirmann (1987), J. Pharmacokinet. Biopharm. 15, 657–680.
pub fn equivalence(
    estimate: f64,
    std_error: f64,
    degrees_of_freedom: Option<f64>,
    target: f64,
    margin: f64,
    level: f64,
) -> Result<Equivalence, StatisticsError> {
    checks::within(estimate.is_finite(), "estimate", estimate, "finite")?;
    checks::within(target.is_finite(), "target", target, "finite")?;
    let positive = "finite and greater than 0";
    checks::within(
        margin.is_finite() && margin > 0.0,
        "margin",
        margin,
        positive,
    )?;
    let legal = std_error.is_finite() && std_error >= 0.0;
    checks::within(legal, "standard error", std_error, "finite and at least 0")?;
    if let Some(degrees) = degrees_of_freedom {
        checks::within(
            degrees > 0.0,
            "degrees of freedom",
            degrees,
            "greater than 0",
        )?;
    }
    checks::level(level)?;

    let difference = estimate - target;
    let p_value = if std_error > 0.0 {
        let above_lower = tails::upper_tail((difference + margin) / std_error, degrees_of_freedom);
        let below_upper = tails::upper_tail((margin - difference) / std_error, degrees_of_freedom);
        above_lower.max(below_upper)
    } else if difference.abs() < margin {
        0.0
    } else {
        1.0
    };
    let p_difference = if std_error > 0.0 {
        let away = difference.abs();
        let beyond = |gap: f64| tails::upper_tail(gap / std_error, degrees_of_freedom);
        (beyond(away - margin) + beyond(away + margin)).min(1.0)
    } else if difference.abs() < margin {
        1.0
    } else {
        0.0
    };
    let half_width = match std_error {
        0.0 => 0.0,
        _ => tails::upper_quantile(level, degrees_of_freedom) * std_error,
    };
    let interval = Interval::around(estimate, half_width);
    Ok(Equivalence {
        estimate,
        interval,
        p_value,
        p_difference,
        outcome: classify(interval, target, margin),
    })
}

/// Tests H₀: |E a − E b| ≥ `margin` from two independent samples with unequal variances.
///
/// [`equivalence`] of x̄ₐ − x̄_b with target 0, se² = sₐ²/n + s_b²/m and the degrees of freedom of
/// Welch and Satterthwaite, se⁴/((sₐ²/n)²/(n − 1) + (s_b²/m)²/(m − 1)).
///
/// # Errors
///
/// Fewer than two values in a sample, and as [`equivalence`].
///
/// # Source
///
/// Welch (1947), Biometrika 34, 28–35.
pub fn welch(
    a: &[f64],
    b: &[f64],
    margin: f64,
    level: f64,
) -> Result<Equivalence, StatisticsError> {
    checks::finite("values of the first sample", a, 2)?;
    checks::finite("values of the second sample", b, 2)?;
    let (std_error, degrees_of_freedom) = standard_error_of_difference(a, b);
    equivalence(
        mean(a) - mean(b),
        std_error,
        degrees_of_freedom,
        0.0,
        margin,
        level,
    )
}

/// The standard error of x̄ₐ − x̄_b and its degrees of freedom, `None` when the error is 0.
///
/// Each sample has at least two values, all finite.
pub(super) fn standard_error_of_difference(a: &[f64], b: &[f64]) -> (f64, Option<f64>) {
    let variance = |x: &[f64]| central_moment(x, 2) * bessel(x.len());
    welch_satterthwaite([variance(a), variance(b)], [a.len(), b.len()])
}

/// The same from the variances and the sizes.
pub(super) fn welch_satterthwaite(variances: [f64; 2], sizes: [usize; 2]) -> (f64, Option<f64>) {
    let [from_a, from_b] = [0, 1].map(|side| variances[side] / sizes[side] as f64);
    let total = from_a + from_b;
    if total == 0.0 {
        return (0.0, None);
    }
    let (share_a, share_b) = (from_a / total, from_b / total);
    let inverse_degrees =
        share_a.powi(2) / (sizes[0] as f64 - 1.0) + share_b.powi(2) / (sizes[1] as f64 - 1.0);
    (total.sqrt(), Some(1.0 / inverse_degrees))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{
        assert_close, cases, normal, number, numbers, rarely_more_than,
    };

    #[test]
    fn equivalence_agrees_with_scipy() {
        for case in cases("equivalence") {
            let result = equivalence(
                number(&case["estimate"]),
                number(&case["std_error"]),
                case["degrees_of_freedom"].as_f64(),
                number(&case["target"]),
                number(&case["margin"]),
                number(&case["level"]),
            )
            .unwrap();
            assert_close(result.interval.lower, number(&case["lower"]), 1e-9);
            assert_close(result.interval.upper, number(&case["upper"]), 1e-9);
            assert_close(result.p_value, number(&case["p_value"]), 1e-9);
        }
    }

    #[test]
    fn welch_agrees_with_statsmodels() {
        for case in cases("welch") {
            let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
            let result = welch(&a, &b, number(&case["margin"]), number(&case["level"])).unwrap();
            assert_close(result.estimate, number(&case["estimate"]), 1e-11);
            assert_close(result.interval.lower, number(&case["lower"]), 1e-9);
            assert_close(result.interval.upper, number(&case["upper"]), 1e-9);
            assert_close(result.p_value, number(&case["p_value"]), 1e-9);
        }
    }

    /// Passing at the boundary has probability at most 5 %, and rejecting too; each count exceeds
    /// its bound with probability at most 10⁻⁶.
    #[test]
    fn at_the_boundary_of_the_margin_either_verdict_is_rare() {
        let (trials, level) = (4000, 0.05);
        let (mut passes, mut rejections) = (0, 0);
        for trial in 0..trials {
            let mut rng = stream(2, trial);
            let a = normal(&mut rng, 12, 0.5, 1.0);
            let b = normal(&mut rng, 40, 0.0, 0.5);
            match welch(&a, &b, 0.5, level).unwrap().outcome {
                Outcome::Pass => passes += 1,
                Outcome::Rejected => rejections += 1,
                Outcome::Inconclusive => {}
            }
        }
        // Welch's approximation is allowed half a percent.
        let allowed = rarely_more_than(trials as u64, level + 0.005);
        assert!(passes <= allowed, "{passes} passes");
        assert!(rejections <= allowed, "{rejections} rejections");
    }

    /// The margin and the planted difference less the margin are 4.5 standard errors, so the power is
    /// above 0.995; falling short of 0.95 has probability below 10⁻⁶.
    #[test]
    fn equal_means_pass_and_a_planted_difference_is_rejected() {
        let trials = 500;
        let (mut passes, mut rejections) = (0, 0);
        for trial in 0..trials {
            let mut rng = stream(3, trial);
            let a = normal(&mut rng, 260, 0.0, 1.0);
            let same = normal(&mut rng, 260, 0.0, 1.0);
            let shifted = normal(&mut rng, 260, 0.8, 1.0);
            let verdict = |b: &[f64]| welch(&a, b, 0.4, 0.05).unwrap().outcome;
            passes += usize::from(verdict(&same) == Outcome::Pass);
            rejections += usize::from(verdict(&shifted) == Outcome::Rejected);
        }
        assert!(passes * 100 >= 95 * trials, "{passes} passes");
        assert!(rejections * 100 >= 95 * trials, "{rejections} rejections");
    }

    #[test]
    fn exact_identities_need_no_standard_error() {
        let exact = equivalence(1.0, 0.0, None, 1.0, 1e-12, 0.05).unwrap();
        assert_eq!((exact.p_value, exact.outcome), (0.0, Outcome::Pass));
        let off = equivalence(1.5, 0.0, Some(3.0), 1.0, 0.5, 0.05).unwrap();
        assert_eq!((off.p_value, off.outcome), (1.0, Outcome::Rejected));
        let constant = welch(&[2.0; 4], &[2.0; 3], 0.1, 0.05).unwrap();
        assert_eq!((constant.estimate, constant.outcome), (0.0, Outcome::Pass));
    }

    #[test]
    fn an_undecided_interval_is_inconclusive() {
        let wide = Interval {
            lower: -3.0,
            upper: 3.0,
        };
        let unknown = Interval {
            lower: f64::NAN,
            upper: f64::NAN,
        };
        assert_eq!(classify(wide, 0.0, 1.0), Outcome::Inconclusive);
        assert_eq!(classify(unknown, 0.0, 1.0), Outcome::Inconclusive);
        assert_eq!(
            classify(
                Interval {
                    lower: 1.0,
                    upper: 3.0
                },
                0.0,
                1.0
            ),
            Outcome::Rejected
        );
    }

    #[test]
    fn illegal_inputs_are_errors_that_name_them() {
        let message =
            |result: Result<Equivalence, StatisticsError>| result.unwrap_err().to_string();
        assert_eq!(
            message(equivalence(0.0, 1.0, None, 0.0, 0.0, 0.05)),
            "margin is 0, but must be finite and greater than 0"
        );
        assert!(message(equivalence(f64::NAN, 1.0, None, 0.0, 1.0, 0.05)).contains("estimate"));
        assert!(message(equivalence(0.0, -1.0, None, 0.0, 1.0, 0.05)).contains("standard error"));
        assert!(message(equivalence(0.0, 1.0, Some(0.0), 0.0, 1.0, 0.05)).contains("degrees"));
        assert!(message(equivalence(0.0, 1.0, None, 0.0, 1.0, 0.5)).contains("level"));
        assert!(message(welch(&[1.0], &[1.0, 2.0], 1.0, 0.05)).contains("first sample"));
        assert!(message(welch(&[1.0, 2.0], &[1.0, f64::NAN], 1.0, 0.05)).contains("NaN"));
    }

    proptest! {
        #[test]
        fn the_interval_passes_exactly_when_the_p_value_is_below_the_level(
            estimate in -2.0..2.0_f64,
            std_error in 1e-3..1.0_f64,
            degrees in prop::option::of(0.5..1e5_f64),
            margin in 0.01..2.0_f64,
            level in 0.001..0.4_f64,
        ) {
            let result = equivalence(estimate, std_error, degrees, 0.1, margin, level).unwrap();
            prop_assume!((result.p_value - level).abs() > 1e-6);
            prop_assert_eq!(result.outcome == Outcome::Pass, result.p_value < level);
            // A rejection is the one-sided half of the p-value of a difference.
            let rejected = result.outcome == Outcome::Rejected;
            prop_assert!(!rejected || result.p_difference <= 2.0 * level + 1e-6);
            prop_assert!(rejected || result.p_difference >= level - 1e-6);
        }

        #[test]
        fn extreme_inputs_have_defined_results(
            estimate in prop::sample::select(vec![0.0, 1e-300, -1.0, 1e300]),
            log_error in -320.0..300.0_f64,
            log_degrees in prop::option::of(-2.0..15.0_f64),
            log_margin in -300.0..300.0_f64,
            log_level in -12.0..-0.31_f64,
        ) {
            let power = |log: f64| 10.0_f64.powf(log);
            let result = equivalence(
                estimate,
                power(log_error),
                log_degrees.map(power),
                0.0,
                power(log_margin),
                power(log_level),
            ).unwrap();
            prop_assert!((0.0..=1.0).contains(&result.p_value), "{result:?}");
            prop_assert!((0.0..=1.0).contains(&result.p_difference), "{result:?}");
            prop_assert!(result.interval.lower <= result.interval.upper, "{result:?}");
        }
    }
}
