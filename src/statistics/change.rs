//! Has an estimate moved between two measurements?

use serde::{Deserialize, Serialize};

use super::sequential::std_error_of;
use super::{Interval, StatisticsError, checks, tails};

/// Differences below this share of the values are rounding.
const ROUNDING: f64 = 1e-9;

/// An estimate with its interval at a one-sided level.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// The estimate.
    pub estimate: f64,
    /// Its interval.
    pub interval: Interval,
    /// The level of the interval.
    pub level: f64,
}

/// The difference of two estimates.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// Later less earlier.
    pub difference: f64,
    /// √(se₁² + se₂²).
    pub std_error: f64,
    /// Two-sided p-value of "nothing has moved".
    pub p_value: f64,
}

/// z = (e₂ − e₁)/√(se₁² + se₂²), referred to the normal law; standard errors from the intervals.
///
/// For independent measurements. If they share random numbers, estimates are positively correlated and the joint standard
/// error is an upper bound, so that the p-value errs upwards. A difference within rounding has p-value 1, and one of two
/// values without any uncertainty 0.
///
/// # Errors
///
/// An estimate or interval that is not finite, a level outside (0, ½).
pub fn change(before: Measured, after: Measured) -> Result<Change, StatisticsError> {
    let mut std_errors = [0.0; 2];
    for (measured, std_error) in [before, after].iter().zip(&mut std_errors) {
        checks::level(measured.level)?;
        let (estimate, interval) = (measured.estimate, measured.interval);
        let values = [estimate, interval.lower, interval.upper];
        checks::finite("estimate and interval", &values, 3)?;
        *std_error = std_error_of(estimate, interval, measured.level);
    }
    let difference = after.estimate - before.estimate;
    let std_error = std_errors[0].hypot(std_errors[1]);
    let rounding = ROUNDING * before.estimate.abs().max(after.estimate.abs());
    let p_value = if difference.abs() <= rounding {
        1.0
    } else {
        (2.0 * tails::upper_tail(difference.abs() / std_error, None)).min(1.0)
    };
    Ok(Change {
        difference,
        std_error,
        p_value,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{assert_close, normal, number, numbers, rarely_more_than};

    fn measured(estimate: f64, half_width: f64, level: f64) -> Measured {
        Measured {
            estimate,
            interval: Interval::around(estimate, half_width),
            level,
        }
    }

    /// scipy's `norm`; see tests/reference/change.py.
    #[test]
    fn p_values_are_those_of_the_normal_difference() {
        let text = include_str!("../../tests/reference/change.json");
        let cases: Vec<serde_json::Value> = serde_json::from_str(text).unwrap();
        for case in cases {
            let side = |key: &str| {
                let values = numbers(&case[key]);
                measured(values[0], values[1], values[2])
            };
            let change = change(side("before"), side("after")).unwrap();
            assert_close(change.std_error, number(&case["std_error"]), 1e-10);
            let p = number(&case["p_value"]);
            assert!((change.p_value / p - 1.0).abs() < 1e-8, "{change:?} {p}");
        }
    }

    #[test]
    fn equal_estimates_have_p_value_1_and_certain_differences_0() {
        let p = |a, b| change(a, b).unwrap().p_value;
        assert_eq!(p(measured(2.0, 0.1, 0.01), measured(2.0, 0.1, 0.01)), 1.0);
        assert_eq!(p(measured(2.0, 0.0, 0.01), measured(2.0, 0.0, 0.01)), 1.0);
        assert_eq!(p(measured(0.0, 0.0, 0.01), measured(0.0, 0.0, 0.01)), 1.0);
        assert_eq!(p(measured(2.0, 0.0, 0.01), measured(2.1, 0.0, 0.01)), 0.0);
    }

    /// At rate 5 %, over 2000 pairs of estimates that did not move; a move of 4 joint standard errors is missed with
    /// probability 0.02. Each count exceeds its bound with probability at most 10⁻⁶.
    #[test]
    fn false_alarms_are_as_declared_and_moves_are_seen() {
        let (mut alarms, mut seen) = (0, 0);
        for trial in 0..2000 {
            let z = normal(&mut stream(31, trial), 2, 0.0, 1.0);
            // z at 1 % times the standard errors 1 and 2.
            let before = measured(z[0], 2.326_347_874, 0.01);
            let after = |moved: f64| measured(2.0 * z[1] + moved, 2.0 * 2.326_347_874, 0.01);
            alarms += u64::from(change(before, after(0.0)).unwrap().p_value <= 0.05);
            let moved = after(4.0 * 5.0_f64.sqrt());
            seen += u64::from(change(before, moved).unwrap().p_value <= 0.05);
        }
        assert!(alarms <= rarely_more_than(2000, 0.05), "{alarms} of 2000");
        assert!(
            2000 - seen <= rarely_more_than(2000, 0.021),
            "{seen} of 2000"
        );
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let good = measured(1.0, 0.1, 0.01);
        for bad in [
            measured(f64::NAN, 0.1, 0.01),
            measured(1.0, f64::INFINITY, 0.01),
            measured(1.0, 0.1, 0.0),
            measured(1.0, 0.1, 0.5),
        ] {
            assert!(change(good, bad).is_err() && change(bad, good).is_err());
        }
    }
}
