//! Spread around a deterministic limit: it vanishes at least as fast as derived, measured along the ladder.

use nalgebra::DVector;

use super::displacement::slope;
use super::extrapolation::fit_over_rungs;
use super::{Check, Evidence};
use crate::derive::{Covariance, Frame, NoiseOrder, Regime, normal_covariance};
use crate::predict::Prediction;
use crate::random::Law;
use crate::scenario::{Level, Study};
use crate::statistics::{Equivalence, Outcome, StatisticsError, standard_deviation_with_error};

/// The slowest rate at which the fluctuations vanish, as a function of α and σ.
///
/// Normal to Γ they are σ√α. Along Γ, over a fixed slow time: √α if single steps of the non-degenerate regime have a
/// tangential part of first order (P G ≠ 0, or masks); σ if the degenerate regime has tangential noise of second order;
/// else σ√α.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Rate {
    SigmaRootAlpha,
    RootAlpha,
    Sigma,
}

impl Rate {
    pub(crate) fn slowest(study: &Study, prediction: &Prediction) -> Self {
        let found = prediction.evidence;
        let masks = study
            .noisy
            .sources()
            .iter()
            .any(|source| source.law == Law::Bernoulli);
        let curved = prediction.noise_order == NoiseOrder::Curved;
        match found.regime {
            Regime::NonDegenerate if masks || found.largest.brownian > found.tolerance => {
                Self::RootAlpha
            }
            Regime::Degenerate if curved => Self::Sigma,
            _ => Self::SigmaRootAlpha,
        }
    }

    pub(crate) fn at(self, level: &Level) -> f64 {
        match self {
            Self::SigmaRootAlpha => level.sigma * level.step_size.sqrt(),
            Self::RootAlpha => level.step_size.sqrt(),
            Self::Sigma => level.sigma,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::SigmaRootAlpha => "σ√α",
            Self::RootAlpha => "√α",
            Self::Sigma => "σ",
        }
    }
}

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    evidence
        .observables()
        .filter_map(|(observable, name)| Some(check(evidence, observable)?.on(name)))
        .collect()
}

/// The exponent p of the standard deviation at the horizon as a power of the slowest rate: at least 1 − margin.
///
/// A faster rate is no fault: an observable may be blind to the slowest fluctuations, and a ladder may mix orders.
fn check(evidence: &Evidence, observable: usize) -> Option<Check> {
    const NAME: &str = "spread";
    let measure = |run: &&crate::simulate::LevelRun| {
        let last = run.compared[run.compared.len() - 1];
        standard_deviation_with_error(&run.samples.column(last, observable))
    };
    let measured: Result<Vec<_>, StatisticsError> = evidence.ladder.iter().map(measure).collect();
    let measured = match measured {
        Ok(measured) => measured,
        Err(error) => return Some(Check::impossible(NAME, &error)),
    };
    let vanishing = measured.iter().filter(|(sd, _)| *sd < 1e-12).count();
    if vanishing == measured.len() {
        return None;
    }
    if vanishing > 0 {
        let detail = format!("{vanishing} rungs have no spread at all, so that it has no rate");
        return Some(Check::of(NAME, Outcome::Inconclusive, detail));
    }
    let rate = Rate::slowest(evidence.study, evidence.prediction);
    let rates: Vec<_> = evidence
        .ladder
        .iter()
        .map(|run| rate.at(&run.level))
        .collect();
    if (rates[0] / rates[rates.len() - 1]).ln().abs() < 1e-9 {
        let detail = "σ is fixed, and so is the spread that it predicts along Γ; set ladder.sigma_exponent to 1";
        return Some(Check::of(NAME, Outcome::Inconclusive, detail.into()));
    }
    let margin = evidence.margins().spread;
    let fit = match fit_rate(evidence, &rates, &measured, margin) {
        Ok(fit) => fit,
        Err(error) => return Some(Check::impossible(NAME, &error)),
    };
    let outcome = match fit.outcome {
        Outcome::Rejected if fit.estimate < 1.0 => Outcome::Rejected,
        _ if fit.interval.lower > 1.0 - margin => Outcome::Pass,
        _ => Outcome::Inconclusive,
    };
    let along: Vec<_> = evidence
        .ladder
        .iter()
        .zip(&measured)
        .map(|(run, (sd, _))| format!("α={}: {sd:.2e}", run.level.step_size))
        .collect();
    let share = normal_share(evidence, observable, measured[measured.len() - 1].0);
    let detail = format!(
        "standard deviation at the horizon ∝ ({})^p, p at least 1 predicted; {}; the fluctuations normal to Γ predict {share:.2} of it at the finest rung",
        rate.name(),
        along.join(", ")
    );
    let mut check = Check::of(NAME, outcome, detail);
    check.estimate = Some(fit.estimate);
    check.interval = Some(fit.interval);
    // A lower bound: it has no margin on the other side.
    check.null = Some(1.0 - margin);
    check.p_difference = Some(if fit.estimate < 1.0 {
        fit.p_difference
    } else {
        1.0
    });
    Some(check)
}

/// p in sd = c·rate^p·e^(c₁α): e^(c₁α) takes up the next order in α.
fn fit_rate(
    evidence: &Evidence,
    rates: &[f64],
    measured: &[(f64, f64)],
    margin: f64,
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
    let regressors = [vec![1.0; rates.len()], logs, step_sizes];
    let (estimate, std_error, _) = fit_over_rungs(&regressors, &values, &errors, 1)?;
    evidence.test(estimate, std_error, None, 1.0, margin)
}

/// √(ασ² ∇oᵀVXVᵀ∇o) at the end of the limit, against the spread that the finest rung shows; NaN off Γ.
fn normal_share(evidence: &Evidence, observable: usize, spread: f64) -> f64 {
    let run = evidence.finest();
    let limit = evidence.limit_for(run);
    let w = DVector::from_column_slice(&limit.first_path[evidence.last_limit_record(run)]);
    let noisy = &evidence.study.noisy;
    // A schedule may have made the step size small by then.
    let clock = evidence.prediction.level_clock(evidence.study, &run.level);
    let step_size = clock.step_size(run.iterations[run.iterations.len() - 1]);
    let Ok(frame) = Frame::at(noisy, &w, evidence.prediction.rank) else {
        return f64::NAN;
    };
    let noise = Covariance::at(noisy, &w, &frame, evidence.study.faults.masks);
    let normal = frame.normal.tr_mul(&slope(
        evidence.study,
        evidence.prediction.rank,
        &w,
        observable,
    ));
    let covariance = normal_covariance(&frame, &noise, step_size);
    let variance = (normal.transpose() * covariance * &normal)[(0, 0)];
    (step_size * run.level.sigma.powi(2) * variance)
        .max(0.0)
        .sqrt()
        / spread
}
