//! When a noisy curve first reaches a level.

use serde::{Deserialize, Serialize};

use super::{StatisticsError, checks};

/// Where a curve first reaches a level.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Crossing {
    /// The abscissa of the crossing.
    pub at: f64,
    /// Its standard error; infinite when the curve is flat there and uncertain.
    pub std_error: f64,
}

/// The first x at which the piecewise linear curve through (xᵢ, meanᵢ) reaches `level`, coming from
/// mean₀ on either side.
///
/// The standard error is that of the interpolated mean over the slope of the segment (delta method).
/// The means of two neighbouring points are taken to err together, as means over the same paths do:
/// the error is interpolated like the mean, which bounds it for any correlation. It holds as long as
/// it is short against the segment and the curve does not come close to the level elsewhere.
/// `None` when the level is never reached.
///
/// # Errors
///
/// Fewer than two points, lengths that differ, numbers that are not finite, x not strictly
/// increasing, a negative standard error.
pub fn first_crossing(
    x: &[f64],
    mean: &[f64],
    std_error: &[f64],
    level: f64,
) -> Result<Option<Crossing>, StatisticsError> {
    checks::finite("points", x, 2)?;
    checks::one_per_point("means", mean, x.len())?;
    checks::one_per_point("standard errors", std_error, x.len())?;
    checks::within(level.is_finite(), "level", level, "finite")?;
    for (index, pair) in x.windows(2).enumerate() {
        let [previous, value] = [pair[0], pair[1]];
        if value <= previous {
            return Err(StatisticsError::NotIncreasing {
                index: index + 1,
                previous,
                value,
            });
        }
    }
    for error in std_error {
        checks::within(*error >= 0.0, "standard error", *error, "at least 0")?;
    }

    let reached = |value: f64| {
        if mean[0] <= level {
            value >= level
        } else {
            value <= level
        }
    };
    if mean[0] == level {
        return Ok(Some(interpolate(x, mean, std_error, level, 1)));
    }
    let end = mean.iter().position(|value| reached(*value));
    Ok(end.map(|end| interpolate(x, mean, std_error, level, end)))
}

/// The crossing of `level` in the segment that ends at point `end`.
fn interpolate(x: &[f64], mean: &[f64], std_error: &[f64], level: f64, end: usize) -> Crossing {
    let start = end - 1;
    let rise = mean[end] - mean[start];
    let share = if rise == 0.0 {
        0.0
    } else {
        (level - mean[start]) / rise
    };
    let error = (1.0 - share) * std_error[start] + share * std_error[end];
    let width = x[end] - x[start];
    Crossing {
        at: x[start] + share * width,
        std_error: if error == 0.0 {
            0.0
        } else {
            error * width / rise.abs()
        },
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{assert_close, normal, rarely_more_than};

    fn at(x: &[f64], mean: &[f64], level: f64) -> Option<f64> {
        first_crossing(x, mean, &vec![0.1; x.len()], level)
            .unwrap()
            .map(|crossing| crossing.at)
    }

    #[test]
    fn the_first_of_several_crossings_is_found_from_either_side() {
        let x = [0.0, 1.0, 3.0, 4.0];
        assert_eq!(at(&x, &[0.0, 1.0, 5.0, 0.0], 3.0), Some(2.0));
        assert_eq!(at(&x, &[5.0, 4.0, 0.0, 9.0], 2.0), Some(2.0));
        assert_eq!(at(&x, &[0.0, 1.0, 2.0, 3.0], 3.0), Some(4.0));
        assert_eq!(at(&x, &[0.0, 1.0, 1.0, 1.0], 1.0), Some(1.0));
        assert_eq!(at(&x, &[0.0, 1.0, 2.0, 3.0], 3.5), None);
    }

    #[test]
    fn a_curve_that_starts_at_the_level_reaches_it_at_once() {
        let start = |mean: &[f64], error: f64| {
            first_crossing(&[2.0, 4.0], mean, &[error, error], 1.0)
                .unwrap()
                .unwrap()
        };
        assert_eq!(
            start(&[1.0, 2.0], 0.1),
            Crossing {
                at: 2.0,
                std_error: 0.2
            }
        );
        assert_eq!(
            start(&[1.0, 1.0], 0.1),
            Crossing {
                at: 2.0,
                std_error: f64::INFINITY
            }
        );
        assert_eq!(
            start(&[1.0, 1.0], 0.0),
            Crossing {
                at: 2.0,
                std_error: 0.0
            }
        );
    }

    /// Means over the same paths, so with correlated errors: coverage at least 0.94 (0.95 nominal),
    /// false-alarm rate at most 10⁻⁶; an error half as large is caught.
    #[test]
    fn the_standard_error_covers_the_crossing_of_the_true_curve() {
        let x: Vec<f64> = (0..=20).map(|i| f64::from(i) / 10.0).collect();
        let (paths, trials) = (100, 1000);
        let truth = 0.73; // of the mean curve 1 − x at level 0.27
        let (mut misses, mut misses_of_half) = (0, 0);
        for trial in 0..trials {
            let rates = normal(&mut stream(23, trial), paths, 1.0, 0.3);
            let on_paths = |x: f64| rates.iter().map(move |rate| 1.0 - rate * x);
            let mean: Vec<f64> = x
                .iter()
                .map(|x| on_paths(*x).sum::<f64>() / paths as f64)
                .collect();
            let std_error: Vec<f64> = x.iter().map(|x| x * 0.3 / (paths as f64).sqrt()).collect();
            let crossing = first_crossing(&x, &mean, &std_error, 0.27)
                .unwrap()
                .unwrap();
            let miss = (crossing.at - truth).abs() / crossing.std_error;
            misses += u64::from(miss > 1.96);
            misses_of_half += u64::from(miss > 0.98);
        }
        let allowed = rarely_more_than(trials as u64, 0.06);
        assert!(misses <= allowed, "{misses} misses");
        assert!(
            misses_of_half > allowed,
            "{misses_of_half} misses at half the error"
        );
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let error = |x: &[f64], mean: &[f64], errors: &[f64]| {
            first_crossing(x, mean, errors, 0.5)
                .unwrap_err()
                .to_string()
        };
        assert!(error(&[0.0], &[0.0], &[0.0]).contains("at least 2"));
        assert!(error(&[0.0, 1.0], &[0.0], &[0.0, 0.0]).contains("1 means"));
        assert!(error(&[0.0, 0.0], &[0.0, 1.0], &[0.0, 0.0]).contains("sort the points"));
        assert!(error(&[0.0, 1.0], &[0.0, f64::NAN], &[0.0, 0.0]).contains("NaN"));
        assert!(error(&[0.0, 1.0], &[0.0, 1.0], &[0.0, -1.0]).contains("-1"));
        assert!(first_crossing(&[0.0, 1.0], &[0.0, 1.0], &[0.0, 0.0], f64::NAN).is_err());
    }

    proptest! {
        #[test]
        fn on_a_line_the_crossing_solves_for_x(
            slope in prop_oneof![-5.0..-0.2_f64, 0.2..5.0_f64],
            share in 0.01..0.99_f64,
            error in 0.0..1.0_f64,
        ) {
            let x = [0.0, 0.4, 1.0, 1.5, 3.0];
            let mean = x.map(|x| 2.0 + slope * x);
            let level = 2.0 + slope * 3.0 * share;
            let crossing = first_crossing(&x, &mean, &[error; 5], level).unwrap().unwrap();
            assert_close(crossing.at, 3.0 * share, 1e-10);
            assert_close(crossing.std_error, error / slope.abs(), 1e-10);
        }
    }
}
