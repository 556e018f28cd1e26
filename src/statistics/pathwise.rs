//! Differences along paired paths on several rungs: their root mean square, its order, and what is left at step size 0.
//!
//! The rungs share their paths, so that nothing here treats them as independent: paths are averaged over or resampled
//! as a whole, all rungs of a path together.

use rand::RngExt;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::fit::weighted_least_squares;
use super::streams::stream;
use super::summary::{bessel, central_moment, mean, quantile, sorted};
use super::{Interval, StatisticsError, checks, tails};

/// Relative standard errors are taken to be at least this, so that constant differences have finite weights.
const LEAST_RELATIVE_ERROR: f64 = 1e-6;

/// ε = (E d²)^½ of a sample of differences.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct RootMeanSquare {
    /// ε̂ = (Σ dᵢ²/n)^½.
    pub estimate: f64,
    /// se(ε̂²)/(2ε̂), by the delta method; 0 where all differences are 0.
    pub std_error: f64,
}

/// The root mean square of a sample of differences with its standard error.
///
/// # Errors
///
/// Fewer than two differences; one that is not finite, nor its square.
pub fn root_mean_square(differences: &[f64]) -> Result<RootMeanSquare, StatisticsError> {
    let squares = squares(differences)?;
    let (estimate, error_of_square) = (mean(&squares).sqrt(), error_of_mean(&squares));
    let std_error = match estimate {
        0.0 => 0.0,
        _ => error_of_square / (2.0 * estimate),
    };
    Ok(RootMeanSquare {
        estimate,
        std_error,
    })
}

/// p in (E d²)^½ ∝ α^p.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PathwiseOrder {
    /// p̂.
    pub exponent: f64,
    /// Its standard error, the standard deviation over the resamples.
    pub std_error: f64,
    /// The 1 − 2·level percentile interval.
    pub interval: Interval,
}

impl PathwiseOrder {
    /// p-value of H₀: p ≤ `value`, by the normal law.
    pub fn p_at_most(&self, value: f64) -> f64 {
        p_at_most(self.exponent, self.std_error, None, value)
    }

    /// p-value of H₀: p ≥ `value`, by the normal law.
    pub fn p_at_least(&self, value: f64) -> f64 {
        p_at_most(-self.exponent, self.std_error, None, -value)
    }
}

/// Fits log E d² = c + 2p·log α by weighted least squares, and resamples whole paths (Efron & Tibshirani 1993, §8).
///
/// `differences` holds a row for each step size, with one difference for each path, the same path at the same place in
/// all rows. The mean squares M are unbiased and positive, and their logarithms have the standard errors se(M)/M, which
/// are the weights, in the resamples too.
///
/// # Errors
///
/// Fewer than two rungs or paths, rows of different lengths, numbers that are not finite, step sizes not greater than 0
/// or all the same, a rung whose differences are all 0 (in a resample too), a level outside (0, ½), fewer than 1/level
/// resamples.
pub fn pathwise_order(
    step_sizes: &[f64],
    differences: &[Vec<f64>],
    level: f64,
    resamples: usize,
    seed: u64,
) -> Result<PathwiseOrder, StatisticsError> {
    let rungs = rungs(step_sizes, differences)?;
    checks::level(level)?;
    checks::resamples(resamples, level)?;
    let relative: Vec<f64> = rungs
        .iter()
        .map(|squares| (error_of_mean(squares) / mean(squares)).max(LEAST_RELATIVE_ERROR))
        .collect();
    // The coefficient of log α is linear in log M; its weights are the same in all resamples.
    let logs: Vec<f64> = step_sizes.iter().map(|alpha| alpha.ln()).collect();
    let regressors = [vec![1.0; logs.len()], logs];
    let weights = linear_weights(&regressors, &relative, 1)?;
    let order = |means: Vec<f64>| -> Result<f64, StatisticsError> {
        checks::positive("mean squares", &means, means.len())?;
        let terms = weights.iter().zip(means).map(|(weight, m)| weight * m.ln());
        Ok(0.5 * terms.sum::<f64>())
    };
    let exponent = order(rungs.iter().map(|squares| mean(squares)).collect())?;
    let paths = rungs[0].len();
    let resampled: Result<Vec<f64>, StatisticsError> = (0..resamples)
        .into_par_iter()
        .map(|resample| {
            let mut rng = stream(seed, resample);
            let mut sums = vec![0.0; rungs.len()];
            for _ in 0..paths {
                let path = rng.random_range(0..paths);
                for (sum, squares) in sums.iter_mut().zip(&rungs) {
                    *sum += squares[path];
                }
            }
            order(sums.iter().map(|sum| sum / paths as f64).collect())
        })
        .collect();
    let resampled = resampled?;
    let spread = central_moment(&resampled, 2) * bessel(resampled.len());
    let resampled = sorted(&resampled);
    Ok(PathwiseOrder {
        exponent,
        std_error: spread.sqrt(),
        interval: Interval {
            lower: quantile(&resampled, level),
            upper: quantile(&resampled, 1.0 - level),
        },
    })
}

/// For each path a number whose mean is what E d² extrapolates to at α → 0.
///
/// E d² = c₀ + c₁α + c₂α² is fitted to the mean squares by weighted least squares; ĉ₀ is linear in them, so it is the
/// mean of the same combination of each path's d², and has the standard error of that mean. `differences` as in
/// [`pathwise_order`].
///
/// # Errors
///
/// Fewer than three rungs, fewer than two paths, rows of different lengths, numbers that are not finite, step sizes not
/// greater than 0 or too few different ones, a rung whose differences are all 0.
pub fn squares_at_zero(
    step_sizes: &[f64],
    differences: &[Vec<f64>],
) -> Result<Vec<f64>, StatisticsError> {
    let rungs = rungs(step_sizes, differences)?;
    let errors: Vec<f64> = rungs
        .iter()
        .map(|squares| error_of_mean(squares).max(LEAST_RELATIVE_ERROR * mean(squares)))
        .collect();
    let powers = [0, 1, 2].map(|p| step_sizes.iter().map(|alpha| alpha.powi(p)).collect());
    let weights = linear_weights(&powers, &errors, 0)?;
    let at = |path: usize| weights.iter().zip(&rungs).map(|(w, r)| w * r[path]).sum();
    Ok((0..rungs[0].len()).map(at).collect())
}

/// Where the mean of a sample lies with respect to a bound.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct BoundedMean {
    /// x̄.
    pub estimate: f64,
    /// Its 1 − 2·level interval.
    pub interval: Interval,
    /// p-value of H₀: the mean is at least the bound.
    pub p_at_least: f64,
    /// p-value of H₀: the mean is at most the bound.
    pub p_at_most: f64,
}

/// Student's one-sample tests of the mean of `values` against `bound`, in both directions.
///
/// A constant sample has p-values of 0 and 1, both 1 at the bound itself.
///
/// # Errors
///
/// Fewer than two values, a number that is not finite, a level outside (0, ½).
pub fn bounded_mean(
    values: &[f64],
    bound: f64,
    level: f64,
) -> Result<BoundedMean, StatisticsError> {
    checks::finite("values", values, 2)?;
    checks::within(bound.is_finite(), "bound", bound, "finite")?;
    checks::level(level)?;
    let (estimate, std_error) = (mean(values), error_of_mean(values));
    let degrees = Some(values.len() as f64 - 1.0);
    let half_width = tails::upper_quantile(level, degrees) * std_error;
    Ok(BoundedMean {
        estimate,
        interval: Interval::around(estimate, half_width),
        p_at_least: p_at_most(-estimate, std_error, degrees, -bound),
        p_at_most: p_at_most(estimate, std_error, degrees, bound),
    })
}

/// p-value of "at most `bound`".
fn p_at_most(estimate: f64, std_error: f64, degrees: Option<f64>, bound: f64) -> f64 {
    if std_error > 0.0 {
        tails::upper_tail((estimate - bound) / std_error, degrees)
    } else if estimate > bound {
        0.0
    } else {
        1.0
    }
}

/// The squares of each rung's differences.
fn rungs(step_sizes: &[f64], differences: &[Vec<f64>]) -> Result<Vec<Vec<f64>>, StatisticsError> {
    checks::positive("step sizes", step_sizes, differences.len())?;
    let Some(first) = differences.first() else {
        return Err(StatisticsError::TooFew {
            what: "rungs",
            given: 0,
            needed: 2,
        });
    };
    let rungs: Result<Vec<_>, _> = differences
        .iter()
        .map(|row| {
            checks::one_per_point("differences of a rung", row, first.len())?;
            squares(row)
        })
        .collect();
    let rungs = rungs?;
    let means: Vec<f64> = rungs.iter().map(|squares| mean(squares)).collect();
    checks::positive("mean squares", &means, means.len())?;
    Ok(rungs)
}

fn squares(differences: &[f64]) -> Result<Vec<f64>, StatisticsError> {
    checks::finite("differences", differences, 2)?;
    let squares: Vec<f64> = differences.iter().map(|d| d * d).collect();
    checks::finite("squared differences", &squares, 2)?;
    Ok(squares)
}

/// s/√n of at least two values.
fn error_of_mean(values: &[f64]) -> f64 {
    (central_moment(values, 2) * bessel(values.len()) / values.len() as f64).sqrt()
}

/// The a with coefficient `index` = Σ aᵢ yᵢ in the weighted least squares fit of y on the regressors.
fn linear_weights(
    regressors: &[Vec<f64>],
    std_errors: &[f64],
    index: usize,
) -> Result<Vec<f64>, StatisticsError> {
    let unit = |i: usize| {
        let mut values = vec![0.0; std_errors.len()];
        values[i] = 1.0;
        Ok(weighted_least_squares(regressors, &values, std_errors)?.coefficients[index])
    };
    (0..std_errors.len()).map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::testing::{
        assert_close, assert_same_on_any_threads, normal, number, numbers, rarely_more_than,
    };

    const STEP_SIZES: [f64; 4] = [0.08, 0.04, 0.02, 0.01];

    fn cases() -> Vec<serde_json::Value> {
        let text = include_str!("../../tests/reference/pathwise.json");
        serde_json::from_str(text).expect("the reference file is a list")
    }

    fn rows(value: &serde_json::Value) -> Vec<Vec<f64>> {
        value.as_array().unwrap().iter().map(numbers).collect()
    }

    /// Differences with ε² = floor² + α^2p whose rungs share a part of their noise.
    fn planted(seed: usize, paths: usize, order: f64, floor: f64) -> Vec<Vec<f64>> {
        let mut rng = stream(5, seed);
        let shared = normal(&mut rng, paths, 0.0, 1.0);
        let left = normal(&mut rng, paths, 0.0, floor);
        STEP_SIZES
            .iter()
            .map(|alpha| {
                let own = normal(&mut rng, paths, 0.0, 1.0);
                let noise = shared.iter().zip(own).map(|(s, o)| 0.6 * s + 0.8 * o);
                let scaled = noise.map(|x| alpha.powf(order) * x);
                scaled.zip(&left).map(|(x, l)| x + l).collect()
            })
            .collect()
    }

    #[test]
    fn estimates_and_p_values_agree_with_numpy_and_scipy() {
        for case in cases() {
            let (alphas, differences) = (numbers(&case["step_sizes"]), rows(&case["differences"]));
            for (row, expected) in differences.iter().zip(rows(&case["root_mean_squares"])) {
                let found = root_mean_square(row).unwrap();
                assert_close(found.estimate, expected[0], 1e-12);
                assert_close(found.std_error, expected[1], 1e-12);
            }
            let order = pathwise_order(&alphas, &differences, 0.05, 20, 1).unwrap();
            assert_close(order.exponent, number(&case["order"]), 1e-9);
            let at_zero = squares_at_zero(&alphas, &differences).unwrap();
            let bound = number(&case["bound"]);
            let test = bounded_mean(&at_zero, bound, 0.05).unwrap();
            assert_close(test.estimate, number(&case["square_at_zero"]), 1e-8);
            assert_close(test.p_at_most, number(&case["p_at_most"]), 1e-6);
            assert_close(test.p_at_least, number(&case["p_at_least"]), 1e-6);
            let interval = numbers(&case["interval"]);
            assert_close(test.interval.lower, interval[0], 1e-7);
            assert_close(test.interval.upper, interval[1], 1e-7);
        }
    }

    /// 300 ladders of 100 paths. The interval covers with probability at least 0.93 in truth (nominal 0.96): false alarm
    /// at most 10⁻⁶. Power: an order of ½ is told from ⅔ in nine ladders of ten.
    #[test]
    fn the_interval_of_the_order_covers_although_rungs_share_their_paths() {
        let trials = 300;
        let (mut misses, mut blind) = (0, 0);
        for trial in 0..trials {
            let differences = planted(trial, 100, 0.5, 0.0);
            let order = pathwise_order(&STEP_SIZES, &differences, 0.02, 200, 1).unwrap();
            misses += u64::from(!order.interval.contains(0.5));
            blind += u64::from(order.interval.contains(2.0 / 3.0));
        }
        assert!(misses <= rarely_more_than(300, 0.07), "{misses} misses");
        assert!(blind <= 30, "{blind} intervals hold 2/3");
    }

    /// 300 ladders each. Level: a floor of nothing is taken for one with probability at most 0.03 (nominal 0.02), false
    /// alarm at most 10⁻⁶. Power: a floor of half the finest rung's error is noticed in nearly all.
    #[test]
    fn a_floor_under_the_differences_is_noticed_and_none_is_invented() {
        let lower = |trial: usize, floor: f64| {
            let differences = planted(trial, 400, 0.5, floor);
            let at_zero = squares_at_zero(&STEP_SIZES, &differences).unwrap();
            bounded_mean(&at_zero, 0.0, 0.02).unwrap().interval.lower
        };
        let found = |floor: f64| (0..300).filter(|&trial| lower(trial, floor) > 0.0).count() as u64;
        assert!(found(0.0) <= rarely_more_than(300, 0.03));
        assert!(found(0.2) >= 290, "{}", found(0.2));
    }

    #[test]
    fn the_same_bits_on_any_number_of_threads() {
        let differences = planted(1, 60, 0.5, 0.0);
        assert_same_on_any_threads(|| pathwise_order(&STEP_SIZES, &differences, 0.05, 50, 3));
    }

    #[test]
    fn exact_powers_are_found_exactly_and_leave_nothing_at_zero() {
        let differences: Vec<_> = STEP_SIZES.map(|alpha: f64| vec![alpha.sqrt(); 5]).to_vec();
        let order = pathwise_order(&STEP_SIZES, &differences, 0.05, 20, 3).unwrap();
        assert!((order.exponent - 0.5).abs() < 1e-12 && order.std_error < 1e-12);
        let at_zero = squares_at_zero(&STEP_SIZES, &differences).unwrap();
        assert!(at_zero.iter().all(|square| square.abs() < 1e-12));
    }

    #[test]
    fn useless_differences_are_errors_not_panics() {
        let order = |rows: &[Vec<f64>]| pathwise_order(&STEP_SIZES, rows, 0.05, 20, 1);
        let zeros = vec![vec![0.0; 4]; 4];
        for rows in [
            vec![],
            zeros.clone(),
            vec![vec![]; 4],
            vec![vec![1.0]; 4],
            vec![vec![1.0, f64::NAN]; 4],
            vec![vec![1e200, 1.0]; 4],
            vec![vec![1.0; 2], vec![1.0; 3], vec![1.0; 2], vec![1.0; 2]],
            vec![vec![1.0; 2]; 3],
        ] {
            assert!(order(&rows).is_err(), "{rows:?}");
            assert!(squares_at_zero(&STEP_SIZES, &rows).is_err(), "{rows:?}");
        }
        // All but one path agree exactly: some resample has no difference left.
        let mut rare = zeros;
        rare.iter_mut().for_each(|row| row[0] = 1.0);
        assert!(order(&rare).is_err());
        let same = [0.1; 4];
        assert!(pathwise_order(&same, &vec![vec![1.0, 2.0]; 4], 0.05, 20, 1).is_err());
        assert!(squares_at_zero(&same, &vec![vec![1.0, 2.0]; 4]).is_err());
        assert!(root_mean_square(&[1.0]).is_err());
        assert!(root_mean_square(&[1.0, f64::INFINITY]).is_err());
        assert_eq!(root_mean_square(&[0.0, 0.0]).unwrap().std_error, 0.0);
        assert!(bounded_mean(&[], 0.0, 0.05).is_err());
        assert!(bounded_mean(&[1.0, 2.0], f64::NAN, 0.05).is_err());
        let constant = bounded_mean(&[1.0, 1.0], 1.0, 0.05).unwrap();
        assert_eq!((constant.p_at_most, constant.p_at_least), (1.0, 1.0));
        assert_eq!(bounded_mean(&[1.0, 1.0], 0.5, 0.05).unwrap().p_at_most, 0.0);
    }
}
