//! How small a standard error must be for an equivalence test to pass when the two sides are equal.

use super::tails::upper_quantile;

/// How many standard errors a margin must be wide, for the test of [`equivalence`](super::equivalence) at `level` to miss
/// with probability `miss` at most, if the estimate's mean is the target: t₁₋ₗₑᵥₑₗ + z₁₋ₘᵢₛₛ/₂, with the degrees of
/// freedom of the test. Both probabilities lie in (0, ½).
///
/// The test passes iff |θ̂ − target| < margin − t·se, and |θ̂ − target| < z₁₋ₘᵢₛₛ/₂·se but with probability `miss`.
pub fn margin_in_standard_errors(level: f64, miss: f64, degrees_of_freedom: Option<f64>) -> f64 {
    upper_quantile(level, degrees_of_freedom) + upper_quantile(0.5 * miss, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::normal;
    use crate::statistics::{Outcome, equivalence};

    /// The bound is four standard deviations of a binomial count away.
    #[test]
    fn a_margin_of_this_width_is_missed_as_often_as_asked_for() {
        let margin = margin_in_standard_errors(0.01, 0.05, None);
        assert!((margin - (2.326_348 + 1.959_964)).abs() < 1e-5);
        let estimates = normal(&mut stream(9, 0), 4000, 0.0, 1.0);
        let passes = estimates
            .iter()
            .filter(|&&estimate| {
                let test = equivalence(estimate, 1.0, None, 0.0, margin, 0.01).unwrap();
                test.outcome == Outcome::Pass
            })
            .count();
        assert!((passes as f64 - 3800.0).abs() < 4.0 * 13.8, "{passes}");
        assert!(margin_in_standard_errors(0.01, 0.05, Some(10.0)) > margin);
    }
}
