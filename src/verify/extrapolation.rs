//! The error model: which powers of α the errors of a rung are made of, and the fit that takes them to α → 0.

use super::Evidence;
use crate::derive::{NoiseOrder, Regime};
use crate::predict::Prediction;
use crate::scenario::Study;
use crate::statistics::{LinearFit, StatisticsError, weighted_least_squares};

/// A fit whose χ² is less likely than this does not describe the coarsest rung.
const MISFIT: f64 = 1e-3;

/// A term of the predicted error of the mean, as a power of α along this ladder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ErrorTerm {
    pub name: &'static str,
    pub exponent: f64,
}

/// The terms of the predicted error with σ ∝ α^q put in.
pub(super) fn error_terms(study: &Study, prediction: &Prediction) -> Vec<ErrorTerm> {
    let q = study.spec.ladder.sigma_exponent;
    let term = |name, exponent| ErrorTerm { name, exponent };
    let mut terms = vec![term("α", 1.0), term("α²", 2.0)];
    match (prediction.regime(), prediction.noise_order) {
        (Regime::Trivial, _) => (),
        (Regime::NonDegenerate, _) => terms.push(term("σ²", 2.0 * q)),
        (Regime::Degenerate, NoiseOrder::Affine) => terms.push(term("ασ²", 1.0 + 2.0 * q)),
        (Regime::Degenerate, NoiseOrder::Multilinear) => terms.push(term("σ²", 2.0 * q)),
        (Regime::Degenerate, NoiseOrder::Curved) => {
            terms.push(term("σ²", 2.0 * q));
            terms.push(term("σ²/α", 2.0 * q - 1.0));
        }
    }
    terms
}

/// The error terms that do not vanish along the ladder; none where nothing is extrapolated.
pub(super) fn stuck_terms(evidence: &Evidence) -> Vec<ErrorTerm> {
    if evidence.study.spec.limit.corrected || evidence.prediction.regime() == Regime::Trivial {
        return Vec::new();
    }
    let mut terms = error_terms(evidence.study, evidence.prediction);
    terms.retain(|term| term.exponent <= 1e-9);
    terms
}

/// The two slowest vanishing powers of α among the error terms: the regressors of the extrapolation.
pub(crate) fn regressor_exponents(study: &Study, prediction: &Prediction) -> Vec<f64> {
    let terms = error_terms(study, prediction);
    let mut exponents: Vec<f64> = terms
        .iter()
        .map(|term| term.exponent)
        .filter(|&p| p > 1e-9)
        .collect();
    exponents.sort_by(f64::total_cmp);
    exponents.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    exponents.truncate(2);
    exponents
}

/// Coefficient `index` of a fit over the rungs (coarsest first). Where χ² says that the model does not hold, the standard
/// error is made to cover what the model leaves out: inflated by √(χ²/dof) (Birge 1932), and widened by how far the
/// coefficient moves when the coarsest rung is left out.
pub(super) fn fit_over_rungs(
    regressors: &[Vec<f64>],
    values: &[f64],
    std_errors: &[f64],
    index: usize,
) -> Result<(f64, f64, LinearFit), StatisticsError> {
    let fit = weighted_least_squares(regressors, values, std_errors)?;
    let estimate = fit.coefficients[index];
    let mut std_error = fit.std_error(index);
    if fit.p_value.is_some_and(|p| p < MISFIT) {
        let dof = fit.degrees_of_freedom.max(1) as f64;
        let finer: Vec<_> = regressors
            .iter()
            .map(|regressor| regressor[1..].to_vec())
            .collect();
        let without = weighted_least_squares(&finer, &values[1..], &std_errors[1..])?;
        let moved = without.coefficients[index] - estimate;
        std_error = (std_error * (fit.chi_squared / dof).sqrt()).hypot(moved);
    }
    Ok((estimate, std_error, fit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_that_does_not_hold_widens_the_error_enough_to_cover_the_truth() {
        // e = α + 40α³ has no constant term; the quadratic model finds one.
        let alphas = [0.32, 0.16, 0.08, 0.04f64];
        let values = alphas.map(|a| a + 40.0 * a.powi(3));
        let regressors = [
            vec![1.0; 4],
            alphas.to_vec(),
            alphas.map(|a| a * a).to_vec(),
        ];
        let tight = [1e-6; 4];
        let naive = weighted_least_squares(&regressors, &values, &tight).unwrap();
        assert!(naive.coefficients[0].abs() > 1e3 * naive.std_error(0));
        let (estimate, std_error, _) = fit_over_rungs(&regressors, &values, &tight, 0).unwrap();
        assert!(estimate.abs() < 2.0 * std_error, "{estimate} ± {std_error}");
        // Where the model holds, nothing is widened.
        let values = alphas.map(|a| 0.1 + a - a * a);
        let (estimate, std_error, fit) = fit_over_rungs(&regressors, &values, &tight, 0).unwrap();
        assert!((estimate - 0.1).abs() < 1e-12);
        assert_eq!(std_error, fit.std_error(0));
    }
}
