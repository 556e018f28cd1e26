//! The error model: which powers of α and σ the errors of a rung are made of, and the fit that takes them to α → 0 (and
//! to σ → 0, where the ladder alone can't).

use super::Evidence;
use crate::derive::{NoiseOrder, Regime};
use crate::predict::Prediction;
use crate::scenario::{Arm, Level, Study};
use crate::simulate::LevelRun;
use crate::statistics::{LinearFit, StatisticsError, weighted_least_squares};

/// A fit whose χ² is less likely than this does not describe the coarsest rung.
const MISFIT: f64 = 1e-3;

/// A term α^a σ^b of the predicted error of the mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ErrorTerm {
    pub name: &'static str,
    /// a.
    pub step_size_power: f64,
    /// b.
    pub sigma_power: f64,
    /// a + bq: the power of α along a ladder with σ ∝ α^q.
    pub exponent: f64,
}

impl ErrorTerm {
    pub fn at(&self, level: &Level) -> f64 {
        level.step_size.powf(self.step_size_power) * level.sigma.powf(self.sigma_power)
    }

    fn is_stuck(&self) -> bool {
        self.exponent <= 1e-9
    }
}

/// The terms of the predicted error.
pub(super) fn error_terms(study: &Study, prediction: &Prediction) -> Vec<ErrorTerm> {
    let q = study.spec.ladder.sigma_exponent;
    let term = |name, step_size_power, sigma_power| ErrorTerm {
        name,
        step_size_power,
        sigma_power,
        exponent: step_size_power + sigma_power * q,
    };
    let mut terms = vec![term("α", 1.0, 0.0), term("α²", 2.0, 0.0)];
    match (prediction.regime(), prediction.noise_order) {
        (Regime::Trivial, _) => (),
        (Regime::NonDegenerate, _) => terms.push(term("σ²", 0.0, 2.0)),
        (Regime::Degenerate, NoiseOrder::Affine) => terms.push(term("ασ²", 1.0, 2.0)),
        (Regime::Degenerate, NoiseOrder::Multilinear) => terms.push(term("σ²", 0.0, 2.0)),
        (Regime::Degenerate, NoiseOrder::Curved) => {
            terms.push(term("σ²", 0.0, 2.0));
            terms.push(term("σ²/α", -1.0, 2.0));
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
    terms.retain(ErrorTerm::is_stuck);
    terms
}

/// The two slowest vanishing powers of α among the error terms: the regressors of the extrapolation along the ladder.
pub(crate) fn regressor_exponents(study: &Study, prediction: &Prediction) -> Vec<f64> {
    let terms = error_terms(study, prediction);
    let mut exponents: Vec<f64> = terms
        .iter()
        .filter(|term| !term.is_stuck())
        .map(|term| term.exponent)
        .collect();
    exponents.sort_by(f64::total_cmp);
    exponents.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    exponents.truncate(2);
    exponents
}

/// The rungs that an extrapolation rests on, and what it takes their errors to be made of.
///
/// A term that the rungs of σ tell is measured at their step size alone: how its coefficient changes with α (terms such as
/// ασ² beside σ²) no such design can see. The change is allowed for, see [`Design::unseen`].
pub(super) struct Design<'a> {
    /// Coarsest first; the rungs of σ, where they take part, come last.
    pub rungs: Vec<&'a LevelRun>,
    /// The constant, which is the error in the limit, then the error terms.
    pub regressors: Vec<Vec<f64>>,
    /// Of the error terms.
    pub names: Vec<String>,
    /// Terms that do not vanish along the ladder, but are told apart by the rungs of σ.
    pub stuck: Vec<ErrorTerm>,
}

impl<'a> Design<'a> {
    /// The ladder, or both arms where the ladder leaves a term stuck that they can tell.
    pub fn of(evidence: &Evidence<'a>) -> Self {
        let both = (!stuck_terms(evidence).is_empty()).then(|| Self::both_arms(evidence));
        both.flatten().unwrap_or_else(|| Self::ladder(evidence))
    }

    fn ladder(evidence: &Evidence<'a>) -> Self {
        let rungs = evidence.ladder.clone();
        let exponents = regressor_exponents(evidence.study, evidence.prediction);
        let powers = |p: &f64| rungs.iter().map(|r| r.level.step_size.powf(*p)).collect();
        let mut regressors = vec![vec![1.0; rungs.len()]];
        regressors.extend(exponents.iter().map(powers));
        Self {
            rungs,
            regressors,
            names: exponents.iter().map(|p| format!("α^{p}")).collect(),
            stuck: Vec::new(),
        }
    }

    /// How far the extrapolation may be off because the coefficients of stuck terms vary with α: each term's part in the error
    /// of the finest rung times α_σ/α₀, α_σ being the step size of the rungs of σ and α₀ the largest one. That is the change
    /// on the way from α_σ to 0 if on the coarsest rung it is as large as the term itself.
    pub fn unseen(&self, coefficients: &[f64]) -> f64 {
        let of = |arm| {
            self.rungs
                .iter()
                .rev()
                .find(move |run| run.level.arm == arm)
        };
        let (Some(finest), Some(sigmas)) = (of(Arm::StepSizes), of(Arm::Sigmas)) else {
            return 0.0;
        };
        let share = sigmas.level.step_size / self.rungs[0].level.step_size;
        let part = |term: &ErrorTerm| {
            let at = self.names.iter().position(|name| name == term.name);
            at.map_or(0.0, |at| {
                (coefficients[at + 1] * term.at(&finest.level)).abs()
            })
        };
        share * self.stuck.iter().map(part).fold(0.0, f64::max)
    }

    /// All rungs with all error terms in α and σ; none where the rungs of σ are not there, not compared at the same times
    /// with the same limit, or too few to tell the terms apart.
    pub fn both_arms(evidence: &Evidence<'a>) -> Option<Self> {
        let rungs: Vec<_> = evidence.levels.iter().collect();
        let count = rungs[0].compared.len();
        let comparable = rungs.iter().any(|run| run.level.arm == Arm::Sigmas)
            && rungs.iter().all(|run| run.compared.len() == count)
            && !evidence.study.spec.limit.corrected
            && evidence.limits.iter().all(|limit| limit.samples.paths == 1);
        if !comparable {
            return None;
        }
        let mut terms = error_terms(evidence.study, evidence.prediction);
        if terms.len() + 1 >= rungs.len() {
            terms.retain(|term| term.name != "α²");
        }
        let mut regressors = vec![vec![1.0; rungs.len()]];
        regressors.extend(
            terms
                .iter()
                .map(|term| rungs.iter().map(|run| term.at(&run.level)).collect()),
        );
        let ones = vec![1.0; rungs.len()];
        weighted_least_squares(&regressors, &ones, &ones).ok()?;
        Some(Self {
            rungs,
            regressors,
            names: terms.iter().map(|term| term.name.to_owned()).collect(),
            stuck: stuck_terms(evidence),
        })
    }
}

/// The terms that keep the limit from being reached: stuck along the ladder, and not told by the rungs of σ either.
pub(super) fn unidentified_terms(evidence: &Evidence) -> Vec<ErrorTerm> {
    let mut stuck = stuck_terms(evidence);
    if !stuck.is_empty() && Design::both_arms(evidence).is_some() {
        stuck.clear();
    }
    stuck
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
