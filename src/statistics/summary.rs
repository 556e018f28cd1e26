//! The mean, spread and quantiles of one sample, with their standard errors.

use serde::{Deserialize, Serialize};

use super::{StatisticsError, checks};

/// What one sample x₁ … xₙ looks like.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// n.
    pub count: usize,
    /// x̄ = Σ xᵢ/n.
    pub mean: f64,
    /// √(s²/n), the standard error of the mean; `None` when n = 1.
    pub std_error: Option<f64>,
    /// s² = Σ (xᵢ − x̄)²/(n − 1); `None` when n = 1.
    pub variance: Option<f64>,
    /// 5 % quantile.
    pub q05: f64,
    /// Median.
    pub q50: f64,
    /// 95 % quantile.
    pub q95: f64,
}

/// Summarises a sample.
///
/// Quantiles interpolate linearly between order statistics, at h = (n − 1)·q (Hyndman & Fan 1996,
/// type 7; numpy's default).
///
/// # Errors
///
/// An empty sample; a value that is not finite.
pub fn summarize(values: &[f64]) -> Result<Summary, StatisticsError> {
    checks::finite("sample values", values, 1)?;
    let count = values.len();
    let variance = (count > 1).then(|| central_moment(values, 2) * bessel(count));
    let sorted = sorted(values);
    Ok(Summary {
        count,
        mean: mean(values),
        std_error: variance.map(|variance| (variance / count as f64).sqrt()),
        variance,
        q05: quantile(&sorted, 0.05),
        q50: quantile(&sorted, 0.50),
        q95: quantile(&sorted, 0.95),
    })
}

/// The standard deviation s of a sample and its standard error.
///
/// By the delta method se(s) = se(s²)/(2s), with se(s²)² = (m₄ − s⁴·(n − 3)/(n − 1))/n and m₄ the
/// fourth central moment (Cramér 1946, §27.4), so heavy or light tails are accounted for; the
/// formula s/√(2(n − 1)) would hold for normal samples only. A constant sample has (0, 0).
///
/// # Errors
///
/// Fewer than two values; a value that is not finite.
pub fn standard_deviation_with_error(values: &[f64]) -> Result<(f64, f64), StatisticsError> {
    checks::finite("sample values", values, 2)?;
    let n = values.len() as f64;
    let variance = central_moment(values, 2) * bessel(values.len());
    if variance == 0.0 {
        return Ok((0.0, 0.0));
    }
    let fourth = central_moment(values, 4);
    let variance_of_variance = (fourth - variance.powi(2) * (n - 3.0) / (n - 1.0)) / n;
    let sd = variance.sqrt();
    Ok((sd, variance_of_variance.max(0.0).sqrt() / (2.0 * sd)))
}

/// The mean of a non-empty sample, exact for a constant one.
pub(super) fn mean(values: &[f64]) -> f64 {
    let origin = values[0];
    origin + values.iter().map(|value| value - origin).sum::<f64>() / values.len() as f64
}

/// Σ (xᵢ − x̄)ᵖ/n of a non-empty sample.
pub(super) fn central_moment(values: &[f64], power: i32) -> f64 {
    let mean = mean(values);
    values
        .iter()
        .map(|value| (value - mean).powi(power))
        .sum::<f64>()
        / values.len() as f64
}

/// n/(n − 1), which makes the second central moment of n ≥ 2 values unbiased.
pub(super) fn bessel(count: usize) -> f64 {
    count as f64 / (count as f64 - 1.0)
}

/// The values in increasing order.
pub(super) fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted
}

/// The type-7 quantile of a non-empty sorted sample, `probability` in [0, 1].
pub(super) fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let position = probability * (sorted.len() - 1) as f64;
    let below = position.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (position - below as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{
        assert_close, cases, normal, number, numbers, rarely_more_than,
    };

    #[test]
    fn summaries_agree_with_numpy_and_scipy() {
        for case in cases("summaries") {
            let values = numbers(&case["values"]);
            let summary = summarize(&values).unwrap();
            let quantiles = numbers(&case["quantiles"]);
            assert_eq!(summary.count, values.len());
            assert_close(summary.mean, number(&case["mean"]), 1e-12);
            assert_close(summary.variance.unwrap(), number(&case["variance"]), 1e-12);
            assert_close(
                summary.std_error.unwrap(),
                number(&case["std_error"]),
                1e-12,
            );
            assert_close(summary.q05, quantiles[0], 1e-12);
            assert_close(summary.q50, quantiles[1], 1e-12);
            assert_close(summary.q95, quantiles[2], 1e-12);
            assert_close(
                central_moment(&values, 4),
                number(&case["fourth_central_moment"]),
                1e-12,
            );
        }
    }

    #[test]
    fn the_error_of_the_variance_agrees_with_k_statistics_up_to_one_over_n() {
        for case in cases("summaries") {
            if let Some(reference) = case["variance_of_variance"].as_f64() {
                let values = numbers(&case["values"]);
                let (sd, std_error) = standard_deviation_with_error(&values).unwrap();
                assert_close(
                    (2.0 * sd * std_error).powi(2),
                    reference,
                    5.0 / values.len() as f64,
                );
            }
        }
    }

    /// False-alarm rate at most 10⁻⁶ where the interval covers with probability at least 0.92; the
    /// normal-theory formula, tried on the same samples, covers with probability about 0.7.
    #[test]
    fn the_error_of_the_standard_deviation_holds_for_heavy_tails() {
        let (trials, n) = (1000, 400);
        let sd_of_law = 2.0_f64.sqrt(); // of the Laplace law
        let (mut misses, mut misses_of_normal_theory) = (0, 0);
        for trial in 0..trials {
            let mut rng = stream(1, trial);
            let z = normal(&mut rng, 4 * n, 0.0, 1.0);
            // z₁z₂ + z₃z₄ has the Laplace law (Kotz et al. 2001, proposition 2.2.10).
            let values: Vec<f64> = z
                .as_chunks::<4>()
                .0
                .iter()
                .map(|z| z[0] * z[1] + z[2] * z[3])
                .collect();
            let (sd, std_error) = standard_deviation_with_error(&values).unwrap();
            misses += u64::from((sd - sd_of_law).abs() > 1.96 * std_error);
            let normal_theory = sd / (2.0 * (n as f64 - 1.0)).sqrt();
            misses_of_normal_theory += u64::from((sd - sd_of_law).abs() > 1.96 * normal_theory);
        }
        let allowed = rarely_more_than(trials as u64, 0.08);
        assert!(misses <= allowed, "{misses} misses");
        assert!(
            misses_of_normal_theory > allowed,
            "{misses_of_normal_theory} misses"
        );
    }

    #[test]
    fn one_value_has_a_mean_and_no_spread() {
        let summary = summarize(&[2.5]).unwrap();
        assert_eq!((summary.mean, summary.q05, summary.q95), (2.5, 2.5, 2.5));
        assert_eq!((summary.variance, summary.std_error), (None, None));
    }

    #[test]
    fn a_constant_sample_has_exactly_no_spread() {
        let constant = [0.1; 10];
        let summary = summarize(&constant).unwrap();
        assert_eq!((summary.mean, summary.variance), (0.1, Some(0.0)));
        assert_eq!(
            standard_deviation_with_error(&constant).unwrap(),
            (0.0, 0.0)
        );
    }

    #[test]
    fn empty_and_nonfinite_samples_are_errors() {
        assert_eq!(
            summarize(&[]).unwrap_err().to_string(),
            "0 sample values given, but at least 1 are needed; add more"
        );
        assert!(matches!(
            summarize(&[1.0, f64::NAN]),
            Err(StatisticsError::NotFinite { index: 1, .. })
        ));
        assert!(summarize(&[f64::INFINITY]).is_err());
        assert!(standard_deviation_with_error(&[1.0]).is_err());
    }
}
