//! Spread around a deterministic limit: it vanishes with σ√α (√α for masks), measured along the ladder.

use nalgebra::DVector;

use super::displacement::slope;
use super::{Check, Evidence};
use crate::derive::{Frame, diffusion_columns, normal_covariance};
use crate::random::Law;
use crate::statistics::{
    Equivalence, Outcome, StatisticsError, standard_deviation_with_error, weighted_least_squares,
};

/// The predicted normal fluctuations must make up this share of the spread for its rate to be two-sided.
const LEADING_SHARE: f64 = 0.3;

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    evidence
        .observables()
        .filter_map(|(observable, name)| Some(check(evidence, observable)?.on(name)))
        .collect()
}

/// The exponent of the standard deviation at the horizon as a power of σ√α, or √α for masks.
///
/// A slower rate is rejected. A faster one is expected of observables that are blind to the leading fluctuations (normal
/// to Γ with covariance ασ²X); where these should show, a faster rate means that the ladder mixes orders: inconclusive.
fn check(evidence: &Evidence, observable: usize) -> Option<Check> {
    let measured: Result<Vec<_>, StatisticsError> = evidence
        .ladder
        .iter()
        .map(|run| {
            let last = run.compared[run.compared.len() - 1];
            standard_deviation_with_error(&run.samples.column(last, observable))
        })
        .collect();
    let measured = match measured {
        Ok(measured) => measured,
        Err(error) => return Some(Check::impossible("spread", &error)),
    };
    let vanishing = measured.iter().filter(|(sd, _)| *sd < 1e-12).count();
    if vanishing == measured.len() {
        return None;
    }
    if vanishing > 0 {
        let detail = format!("{vanishing} rungs have no spread at all, so that it has no rate");
        return Some(Check::of("spread", Outcome::Inconclusive, detail));
    }
    let masks = evidence
        .study
        .noisy
        .sources()
        .iter()
        .any(|source| source.law == Law::Bernoulli);
    let rate = |run: &crate::simulate::LevelRun| {
        let level = run.level;
        let sigma = if masks { 1.0 } else { level.sigma };
        sigma * level.step_size.sqrt()
    };
    let rates: Vec<_> = evidence.ladder.iter().map(|run| rate(run)).collect();
    let fit = match fit_rate(evidence, &rates, &measured) {
        Ok(fit) => fit,
        Err(error) => return Some(Check::impossible("spread", &error)),
    };
    let interval = fit.interval;
    let leading = predicted_share(evidence, observable, measured[measured.len() - 1].0);
    let margin = evidence.margins().spread;
    let two_sided = leading >= LEADING_SHARE;
    // A spread of mixed orders looks faster on a finite ladder: that says nothing against the theory.
    let outcome = match fit.outcome {
        Outcome::Rejected => Outcome::Rejected,
        _ if interval.lower <= 1.0 - margin => Outcome::Inconclusive,
        _ if two_sided && interval.upper >= 1.0 + margin => Outcome::Inconclusive,
        _ => Outcome::Pass,
    };
    let law = if masks { "√α" } else { "σ√α" };
    let along: Vec<_> = evidence
        .ladder
        .iter()
        .zip(&measured)
        .map(|(run, (sd, _))| format!("α={}: {sd:.2e}", run.level.step_size))
        .collect();
    let sides = if two_sided {
        ""
    } else {
        " or faster (the observable is blind to the leading fluctuations)"
    };
    Some(
        Check::of(
            if two_sided {
                "spread"
            } else {
                "spread (or faster)"
            },
            outcome,
            format!(
                "standard deviation at the horizon ∝ ({law})^p, p = 1 predicted{sides}; {}",
                along.join(", ")
            ),
        )
        .with(fit.estimate, interval, 1.0, margin),
    )
}

/// p in sd = c·rate^p·e^(c₁α), tested for equivalence to 1; e^(c₁α) takes up the next order in α, and standard errors are
/// inflated where the fit is not exact (Birge 1932).
fn fit_rate(
    evidence: &Evidence,
    rates: &[f64],
    measured: &[(f64, f64)],
) -> Result<Equivalence, StatisticsError> {
    let step_sizes = evidence
        .ladder
        .iter()
        .map(|run| run.level.step_size)
        .collect();
    let logs = rates.iter().map(|rate| rate.ln()).collect();
    let values: Vec<_> = measured.iter().map(|(sd, _)| sd.ln()).collect();
    let errors: Vec<_> = measured
        .iter()
        .map(|(sd, se)| (se / sd).max(1e-9))
        .collect();
    let fit = weighted_least_squares(
        &[vec![1.0; rates.len()], logs, step_sizes],
        &values,
        &errors,
    )?;
    let dof = fit.degrees_of_freedom.max(1) as f64;
    let inflation = (fit.chi_squared / dof).max(1.0).sqrt();
    let std_error = fit.std_error(1) * inflation;
    let margin = evidence.margins().spread;
    let mut test = evidence.equivalent(fit.coefficients[1], std_error, None, 1.0, margin)?;
    // Only a slower rate speaks against the theory.
    if test.outcome == Outcome::Rejected && test.estimate > 1.0 {
        test.outcome = Outcome::Inconclusive;
    }
    Ok(test)
}

/// √(ασ² ∇oᵀXV∇o) at the end of the limit, against the spread that the finest rung shows.
fn predicted_share(evidence: &Evidence, observable: usize, spread: f64) -> f64 {
    let run = evidence.finest();
    let limit = evidence.limit_for(run);
    let w = DVector::from_column_slice(&limit.first_path[evidence.last_limit_record(run)]);
    let noisy = &evidence.study.noisy;
    // A schedule may have made the step size small by then.
    let clock = evidence.prediction.level_clock(evidence.study, &run.level);
    let step_size = clock.step_size(run.iterations[run.iterations.len() - 1]);
    let Ok(frame) = Frame::at(noisy, &w, evidence.prediction.rank) else {
        return 0.0;
    };
    let columns = diffusion_columns(noisy, &w, evidence.study.faults.masks);
    let normal = frame.normal.tr_mul(&slope(evidence, &w, observable));
    let covariance = normal_covariance(&frame, &columns, step_size);
    let variance = (normal.transpose() * covariance * &normal)[(0, 0)];
    (step_size * run.level.sigma.powi(2) * variance)
        .max(0.0)
        .sqrt()
        / spread
}
