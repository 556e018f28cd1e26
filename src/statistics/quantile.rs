//! Quantiles of a sample, and the band in which all quantiles of its law lie at once.

/// The quantile of `probability` ∈ [0, 1] of increasing values: x₍ₖ₎ with k = ⌈np⌉, at least 1. NaN of no values.
pub fn quantile(sorted: &[f64], probability: f64) -> f64 {
    let n = sorted.len();
    let rank = (n as f64 * probability).ceil().max(1.0) as usize;
    sorted
        .get(rank.min(n).wrapping_sub(1))
        .copied()
        .unwrap_or(f64::NAN)
}

/// Between which values the quantile of the law lies, with probability at least 1 − `error` for all probabilities at once.
///
/// By the inequality of Dvoretzky, Kiefer and Wolfowitz (Massart 1990): |F_n − F| ≤ ε everywhere, ε = √(ln(2/error)/2n), so
/// that the p-quantile lies between the sample's quantiles of p − ε and p + ε; an end beyond the sample is `None`.
pub fn quantile_band(sorted: &[f64], probability: f64, error: f64) -> (Option<f64>, Option<f64>) {
    let slack = ((2.0 / error).ln() / (2.0 * sorted.len() as f64)).sqrt();
    let (below, above) = (probability - slack, probability + slack);
    (
        (below > 0.0).then(|| quantile(sorted, below)),
        (above < 1.0).then(|| quantile(sorted, above)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_order_statistics() {
        let values = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(quantile(&values, 0.0), 1.0);
        assert_eq!(quantile(&values, 0.25), 1.0);
        assert_eq!(quantile(&values, 0.26), 2.0);
        assert_eq!(quantile(&values, 1.0), 4.0);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_band_is_that_of_dvoretzky_kiefer_and_wolfowitz() {
        let values: Vec<f64> = (1..=1000).map(f64::from).collect();
        // ε = √(ln(100)/2000) = 0.04799.
        assert_eq!(
            quantile_band(&values, 0.5, 0.02),
            (Some(453.0), Some(548.0))
        );
        assert_eq!(quantile_band(&values, 0.02, 0.02).0, None);
        assert_eq!(quantile_band(&values, 0.98, 0.02).1, None);
    }
}
