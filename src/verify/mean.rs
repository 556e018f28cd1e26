//! Means: signed errors along the ladder, extrapolated to α → 0, equivalent to the limit; and the order of the errors.

use super::{Check, Displacement, Evidence, NOISE_FLOOR, RESAMPLES, RungError, TAIL_RESAMPLES};
use crate::derive::Regime;
use crate::statistics::{
    Equivalence, Interval, Outcome, PowerLaw, StatisticsError, classify, power_law,
    weighted_least_squares,
};

/// Standard errors are taken to be at least this share of the scale: rounding, and the tolerance of the limit.
const ROUNDING: f64 = 1e-8;

/// A term of the predicted error of the mean, as a power of α along this ladder.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct ErrorTerm {
    pub name: &'static str,
    pub exponent: f64,
}

/// The terms of the predicted error with σ ∝ α^q put in.
pub(super) fn error_terms(evidence: &Evidence) -> Vec<ErrorTerm> {
    let q = evidence.study.spec.ladder.sigma_exponent;
    let term = |name, exponent| ErrorTerm { name, exponent };
    let mut terms = vec![term("α", 1.0), term("α²", 2.0)];
    match evidence.prediction.regime() {
        Regime::NonDegenerate => terms.push(term("σ²", 2.0 * q)),
        Regime::Degenerate if evidence.prediction.affine_in_noise => {
            terms.push(term("ασ²", 1.0 + 2.0 * q));
        }
        Regime::Degenerate => {
            terms.push(term("σ²", 2.0 * q));
            terms.push(term("σ²/α", 2.0 * q - 1.0));
        }
        Regime::Trivial => (),
    }
    terms
}

/// The two slowest vanishing powers of α among the error terms: the regressors of the extrapolation.
fn regressor_exponents(evidence: &Evidence) -> Vec<f64> {
    let mut exponents: Vec<f64> = error_terms(evidence)
        .iter()
        .map(|term| term.exponent)
        .filter(|&exponent| exponent > 1e-9)
        .collect();
    exponents.sort_by(f64::total_cmp);
    exponents.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
    exponents.truncate(2);
    exponents
}

/// The errors of one observable at one record time, rung by rung.
struct Errors {
    /// Of each rung; they differ by the rounding to whole iterations.
    slow_times: Vec<f64>,
    step_sizes: Vec<f64>,
    errors: Vec<f64>,
    std_errors: Vec<f64>,
    /// The standard error of the limit's own mean, common to all rungs; 0 where the limit is corrected rung by rung
    /// (then it is in `std_errors`) or deterministic.
    common: f64,
    /// Paths of the smallest ensemble less one: a cautious count for the standard error of the extrapolation.
    degrees_of_freedom: f64,
}

impl Errors {
    fn at(evidence: &Evidence, observable: usize, record: usize, scale: f64) -> Self {
        let shared = evidence.limits.len() == 1;
        let mut errors = Errors {
            slow_times: Vec::new(),
            step_sizes: Vec::new(),
            errors: Vec::new(),
            std_errors: Vec::new(),
            common: 0.0,
            degrees_of_freedom: f64::INFINITY,
        };
        for run in &evidence.ladder {
            let at = run.compared[record.min(run.compared.len() - 1)];
            let limit = evidence.limit_for(run);
            let here = run.samples.moments(at, observable, |x| x);
            let there =
                limit
                    .samples
                    .moments(limit.record_at(run.slow_times[at]), observable, |x| x);
            let own = if shared { 0.0 } else { there.std_error() };
            let dof = here.count.saturating_sub(1).max(1) as f64;
            errors.degrees_of_freedom = errors.degrees_of_freedom.min(dof);
            errors.slow_times.push(run.slow_times[at]);
            errors.step_sizes.push(run.level.step_size);
            errors.errors.push(here.mean - there.mean);
            errors
                .std_errors
                .push(here.std_error().hypot(own).max(ROUNDING * scale));
            if shared {
                errors.common = there.std_error();
            }
        }
        errors
    }

    /// The error extrapolated to α → 0 with its standard error and a description of the fit.
    fn extrapolate(&self, exponents: &[f64]) -> Result<(f64, f64, String), StatisticsError> {
        let powers = |p: &f64| {
            self.step_sizes
                .iter()
                .map(|a| a.powf(*p))
                .collect::<Vec<_>>()
        };
        let mut regressors = vec![vec![1.0; self.step_sizes.len()]];
        regressors.extend(exponents.iter().map(powers));
        let fit = weighted_least_squares(&regressors, &self.errors, &self.std_errors)?;
        // Terms that were left out make χ² large; the standard error then grows with it (Birge 1932).
        let dof = fit.degrees_of_freedom.max(1) as f64;
        let inflation = (fit.chi_squared / dof).max(1.0).sqrt();
        let std_error = (fit.std_error(0) * inflation).hypot(self.common);
        let terms: Vec<_> = exponents
            .iter()
            .zip(&fit.coefficients[1..])
            .map(|(p, c)| format!("{c:+.3e}·α^{p}"))
            .collect();
        let chi = fit
            .p_value
            .map_or(String::new(), |p| format!(", χ² p = {p:.2}"));
        Ok((
            fit.coefficients[0],
            std_error,
            format!("{}{chi}", terms.join(" ")),
        ))
    }

    fn last_slow_time(&self) -> f64 {
        self.slow_times[self.slow_times.len() - 1]
    }

    fn under_floor(&self) -> Vec<String> {
        let rungs = self
            .step_sizes
            .iter()
            .zip(self.errors.iter().zip(&self.std_errors));
        rungs
            .filter(|(_, (e, se))| e.abs() < NOISE_FLOOR * *se)
            .map(|(a, _)| format!("{a}"))
            .collect()
    }

    fn rows(&self, evidence: &Evidence, observable: &str) -> Vec<RungError> {
        (0..self.errors.len())
            .map(|i| RungError {
                observable: observable.to_owned(),
                level: evidence.ladder[i].level.number,
                step_size: self.step_sizes[i],
                sigma: evidence.ladder[i].level.sigma,
                slow_time: self.slow_times[i],
                error: self.errors[i],
                std_error: self.std_errors[i].hypot(self.common),
                above_floor: self.errors[i].abs()
                    >= NOISE_FLOOR * self.std_errors[i].hypot(self.common),
            })
            .collect()
    }

    /// c·α^p with an interval for p.
    fn order(
        &self,
        evidence: &Evidence,
        level: f64,
        resamples: usize,
    ) -> Result<PowerLaw, StatisticsError> {
        // The limit's own error is common to all rungs; it counts against each here.
        let std_errors: Vec<_> = self
            .std_errors
            .iter()
            .map(|se| se.hypot(self.common))
            .collect();
        let seed = evidence.study.spec.seed;
        power_law(
            &self.step_sizes,
            &self.errors,
            &std_errors,
            NOISE_FLOOR,
            level,
            resamples,
            seed,
        )
    }

    /// How far the errors stand out of their noise: where an order is best measured.
    fn signal(&self) -> f64 {
        self.errors
            .iter()
            .zip(&self.std_errors)
            .map(|(e, se)| (e / se).powi(2))
            .sum()
    }
}

pub(super) fn checks(evidence: &Evidence, rung_errors: &mut Vec<RungError>) -> Vec<Check> {
    let exponents = regressor_exponents(evidence);
    let records = evidence
        .ladder
        .iter()
        .map(|run| run.compared.len())
        .max()
        .unwrap_or(0);
    let mut checks = Vec::new();
    let mut orders = Vec::new();
    for (observable, name) in evidence.observables() {
        let displacement = Displacement::of(evidence, observable);
        if displacement.scale == 0.0 {
            continue;
        }
        let margin = evidence.margins().mean * displacement.scale;
        let mut clearest: Option<Errors> = None;
        for record in 0..records {
            let errors = Errors::at(evidence, observable, record, displacement.scale);
            rung_errors.extend(errors.rows(evidence, name));
            checks.push(mean_check(evidence, &errors, &exponents, margin, displacement).on(name));
            if clearest
                .as_ref()
                .is_none_or(|best| errors.signal() > best.signal())
            {
                clearest = Some(errors);
            }
        }
        orders.extend(clearest.map(|errors| (name, errors)));
    }
    if checks.is_empty() {
        checks.push(Check::of(
            "mean",
            Outcome::Inconclusive,
            "none of the observables moves in the limit, so nothing can be compared; add one that does".into(),
        ));
    }
    if let (Some(expected), Some((name, errors))) =
        (evidence.study.spec.expect.order, orders.first())
    {
        checks.push(order_check(evidence, errors, expected).on(name));
    }
    checks
}

fn mean_check(
    evidence: &Evidence,
    errors: &Errors,
    exponents: &[f64],
    margin: f64,
    displacement: Displacement,
) -> Check {
    let tested = errors
        .extrapolate(exponents)
        .and_then(|(estimate, std_error, fit)| {
            Ok((
                evidence.equivalent(
                    estimate,
                    std_error,
                    Some(errors.degrees_of_freedom),
                    0.0,
                    margin,
                )?,
                fit,
            ))
        });
    let (
        Equivalence {
            estimate,
            interval,
            p_value,
            outcome,
        },
        fit,
    ) = match tested {
        Ok(tested) => tested,
        Err(error) => return Check::impossible("mean", &error),
    };
    let rungs: Vec<_> = errors
        .step_sizes
        .iter()
        .zip(errors.errors.iter().zip(&errors.std_errors))
        .map(|(a, (e, se))| format!("α={a}: {e:+.2e}±{se:.0e}"))
        .collect();
    let floor = errors.under_floor();
    let floor = match floor.len() {
        0 => String::new(),
        _ => format!("; noise floor at α = {}", floor.join(", ")),
    };
    let order = match errors.order(evidence, evidence.margins().level, RESAMPLES) {
        Ok(law) => format!(
            "{:+.3e}·α^p with p = {:.2} [{:.2}, {:.2}]",
            law.coefficient, law.exponent, law.exponent_interval.lower, law.exponent_interval.upper
        ),
        Err(_) => "c·α^p can't be told".into(),
    };
    let still = if displacement.moves {
        ""
    } else {
        "; the limit stands still, the scale is |P∇o||W(0)|"
    };
    let mut check = Check::of(
        "mean",
        outcome,
        format!(
            "slow time {:.4}: error at α → 0; fit {fit}; {order}; {}{floor}{still}; displacement {:.4}",
            errors.last_slow_time(),
            rungs.join(", "),
            displacement.scale
        ),
    )
    .with(estimate, interval, 0.0, margin);
    check.p_value = Some(p_value);
    check
}

fn order_check(evidence: &Evidence, errors: &Errors, expected: f64) -> Check {
    let margin = evidence.margins().order;
    match errors.order(evidence, evidence.margins().level, RESAMPLES) {
        Err(error) => Check::impossible("order", &error),
        Ok(law) => {
            let interval: Interval = law.exponent_interval;
            let strict = |level: f64| {
                let interval = errors
                    .order(evidence, level, TAIL_RESAMPLES)?
                    .exponent_interval;
                Ok(classify(interval, expected, margin))
            };
            Check::of(
                "order",
                evidence.confirmed(classify(interval, expected, margin), strict),
                format!(
                    "slow time {:.4}: error {:.3e}·α^{:.2}, {} of {} rungs above the noise floor",
                    errors.last_slow_time(),
                    law.coefficient,
                    law.exponent,
                    law.above_floor.iter().filter(|&&above| above).count(),
                    law.above_floor.len(),
                ),
            )
            .with(law.exponent, interval, expected, margin)
        }
    }
}
