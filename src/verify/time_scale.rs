//! The time scale: iterations until the iterates cross a threshold, against α and σ. The limit chooses the threshold
//! (a share of its displacement); the exponents are estimated from the iterates alone.

use nalgebra::DVector;

use super::{Check, Displacement, Evidence};
use crate::scenario::{Arm, Schedule};
use crate::simulate::LevelRun;
use crate::statistics::{
    Crossing, Exponents, Interval, Outcome, StatisticsError, classify, equivalence, first_crossing,
    time_scale_exponents,
};

/// The fast phase counts as over when its slowest mode has decayed by e^−10.
const FAST_PHASE_DECAYS: f64 = 10.0;

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    let expected = evidence
        .study
        .spec
        .expect
        .exponents
        .as_ref()
        .map(|e| (e[0], e[1]));
    // At step sizes that need a corrected limit the time scale is no power of α.
    if evidence.study.spec.limit.corrected && expected.is_none() {
        return Vec::new();
    }
    let claimed = match evidence.study.spec.limit.clock {
        Some(clock) => Some((f64::from(clock.power()), 2.0)),
        None => evidence.prediction.regime().exponents(),
    };
    let Some(target) = expected.or(claimed) else {
        return Vec::new();
    };
    let (observable, name) = (0, evidence.study.observables[0].0.as_str());
    let displacement = Displacement::of(evidence, observable);
    if !displacement.moves {
        let detail = "the limit does not move the first observable, so it has no time scale; put one that moves first";
        return vec![Check::of("time scale", Outcome::Inconclusive, detail.into()).on(name)];
    }
    if matches!(evidence.study.schedule, Schedule::PolynomialInSteps { .. }) {
        let detail = "with schedule.decay_steps each rung runs on a curve of its own; use decay_time to compare rungs";
        return vec![Check::of("time scale", Outcome::Inconclusive, detail.into()).on(name)];
    }
    let threshold = Threshold::new(evidence, observable);
    let mut reached = Vec::new();
    let mut missed = Vec::new();
    for run in evidence.levels {
        match threshold.crossing(evidence, run) {
            Ok(Some(crossing)) if crossing.at < end_of_fast_phase(evidence, run).max(2.0) => {
                let detail = format!(
                    "at α = {}, σ = {:.3} the share of the way is covered before the fast phase ends: the time scales are not separate; take a smaller σ or a start on the manifold",
                    run.level.step_size, run.level.sigma
                );
                return vec![Check::of("time scale", Outcome::Inconclusive, detail).on(name)];
            }
            Ok(Some(crossing)) => reached.push((run, crossing)),
            Ok(None) => missed.push(run),
            Err(error) => return vec![Check::impossible("time scale", &error).on(name)],
        }
    }
    if let Some(&any) = missed.first() {
        // The finest rung speaks for the theory; a coarse one may fall short by its own error alone.
        let finest = missed
            .iter()
            .find(|run| run.level == evidence.finest().level);
        let mut check = never_crossed(evidence, &threshold, finest.unwrap_or(&any), missed.len());
        if finest.is_none() && check.verdict == Outcome::Rejected {
            check.verdict = Outcome::Inconclusive;
        }
        return vec![check.on(name)];
    }
    exponent_checks(evidence, &reached, target, &threshold)
        .into_iter()
        .map(|check| check.on(name))
        .collect()
}

/// The level of the ensemble mean whose first crossing defines the time scale.
struct Threshold {
    observable: usize,
    start: f64,
    level: f64,
    /// Follow E(o − o₀)² instead of E o: for stochastic limits, whose mean need not move.
    squared: bool,
    description: String,
}

impl Threshold {
    fn new(evidence: &Evidence, observable: usize) -> Self {
        let limit = evidence.limit_for(evidence.finest());
        let share = evidence.margins().share;
        let start = limit.initial[observable];
        let last = evidence.last_limit_record(evidence.finest());
        let squared = !evidence.is_deterministic();
        let level = if squared {
            share
                * limit
                    .samples
                    .moments(last, observable, |x| (x - start).powi(2))
                    .mean
        } else {
            start + share * (limit.samples.value(0, last, observable) - start)
        };
        let what = if squared {
            "mean squared displacement"
        } else {
            "mean"
        };
        Self {
            observable,
            start,
            level,
            squared,
            description: format!(
                "iterations until the {what} reaches {level:.4}, {share} of the way to the horizon"
            ),
        }
    }

    fn value(&self, x: f64) -> f64 {
        if self.squared {
            (x - self.start).powi(2)
        } else {
            x
        }
    }

    fn crossing(
        &self,
        evidence: &Evidence,
        run: &LevelRun,
    ) -> Result<Option<Crossing>, StatisticsError> {
        // Before the first record the ensemble counts as being where it lands on Γ.
        let mut k = vec![0.0];
        let mut mean = vec![self.value(self.start)];
        let mut std_error = vec![0.0];
        let settled = end_of_fast_phase(evidence, run);
        for (record, &iteration) in run.iterations.iter().enumerate() {
            if iteration as f64 >= settled {
                let moments = run
                    .samples
                    .moments(record, self.observable, |x| self.value(x));
                if moments.count >= 2 {
                    k.push(iteration as f64);
                    mean.push(moments.mean);
                    std_error.push(moments.std_error());
                }
            }
        }
        first_crossing(&k, &mean, &std_error, self.level)
    }
}

/// The iteration at which the slowest mode of the fast phase has decayed; 0 for a start on Γ.
fn end_of_fast_phase(evidence: &Evidence, run: &LevelRun) -> f64 {
    let start = DVector::from_column_slice(&evidence.study.start);
    let landing = &evidence.prediction.landing;
    if (&start - landing).norm() <= 1e-6 * (1.0 + start.norm()) {
        return 0.0;
    }
    let slowest = evidence.prediction.frame.eigenvalues[evidence.prediction.rank - 1];
    FAST_PHASE_DECAYS / (run.level.step_size * slowest)
}

/// A rung that never crosses: significantly short of the threshold is a wrong clock, else it is noise.
fn never_crossed(
    evidence: &Evidence,
    threshold: &Threshold,
    run: &LevelRun,
    count: usize,
) -> Check {
    let last = run.iterations.len() - 1;
    let moments = run
        .samples
        .moments(last, threshold.observable, |x| threshold.value(x));
    let start = threshold.value(threshold.start);
    let covered = (moments.mean - start) / (threshold.level - start);
    let std_error = moments.std_error() / (threshold.level - start).abs();
    // The share covered, against "at least all of it".
    let dof = moments.count.saturating_sub(1).max(1) as f64;
    let at = |level| equivalence(covered, std_error, Some(dof), 1.0, f64::MIN_POSITIVE, level);
    let interval = match at(evidence.margins().level) {
        Ok(test) => test.interval,
        Err(error) => return Check::impossible("time scale", &error),
    };
    let short = |interval: Interval| {
        if interval.upper < 1.0 {
            Outcome::Rejected
        } else {
            Outcome::Inconclusive
        }
    };
    let outcome = evidence.confirmed(short(interval), |level| Ok(short(at(level)?.interval)));
    let arm = if run.level.arm == Arm::StepSizes {
        "α"
    } else {
        "σ"
    };
    let mut check = Check::of(
        "time scale",
        outcome,
        format!(
            "{}: {count} rungs never get there; at the end of the horizon ({} iterations at α = {}, σ = {:.3}, {arm} arm) the estimate is the share of the way that was covered",
            threshold.description, run.iterations[last], run.level.step_size, run.level.sigma
        ),
    );
    check.estimate = Some(covered);
    check.interval = Some(interval);
    check.null = Some(1.0);
    check
}

fn exponent_checks(
    evidence: &Evidence,
    reached: &[(&LevelRun, Crossing)],
    target: (f64, f64),
    threshold: &Threshold,
) -> Vec<Check> {
    let level = evidence.margins().level;
    let margin = evidence.margins().exponent;
    let step_sizes: Vec<_> = reached.iter().map(|(run, _)| run.level.step_size).collect();
    let sigmas: Vec<_> = reached.iter().map(|(run, _)| run.level.sigma).collect();
    let iterations: Vec<_> = reached.iter().map(|(_, crossing)| crossing.at).collect();
    let errors: Vec<_> = reached
        .iter()
        .map(|(_, crossing)| crossing.std_error.max(1e-9 * crossing.at))
        .collect();
    let counts: Vec<_> = reached
        .iter()
        .map(|(run, crossing)| {
            format!(
                "({}, {:.3}): {:.0}",
                run.level.step_size, run.level.sigma, crossing.at
            )
        })
        .collect();
    let detail = |what: &str| {
        format!(
            "{what}; {}; at (α, σ): {}",
            threshold.description,
            counts.join(", ")
        )
    };
    let at = |level| time_scale_exponents(&step_sizes, &sigmas, &iterations, &errors, level);
    let fit = match at(level) {
        Ok(fit) => fit,
        Err(StatisticsError::Collinear { .. }) => {
            return vec![combined_check(
                evidence,
                &step_sizes,
                &iterations,
                &errors,
                target,
                &detail,
            )];
        }
        Err(error) => return vec![Check::impossible("time scale", &error)],
    };
    let other = if (target.0 - 1.0).abs() < (target.0 - 2.0).abs() {
        2.0
    } else {
        1.0
    };
    let other_interval = Interval {
        lower: other - margin,
        upper: other + margin,
    };
    let apart = fit.step_size_interval.disjoint_from(&other_interval);
    let of_alpha = |fit: &Exponents| classify(fit.step_size_interval, target.0, margin);
    let outcome = match of_alpha(&fit) {
        Outcome::Pass if !apart => Outcome::Inconclusive,
        outcome => evidence.confirmed(outcome, |level| Ok(of_alpha(&at(level)?))),
    };
    let told = if apart {
        "told apart from"
    } else {
        "not told apart from"
    };
    let what = format!("iterations ∝ α^−a, {told} a = {other}");
    let mut checks = vec![Check::of("exponent of α", outcome, detail(&what)).with(
        fit.step_size,
        fit.step_size_interval,
        target.0,
        margin,
    )];
    if let (Some(sigma), Some(interval)) = (fit.sigma, fit.sigma_interval) {
        let of_sigma = |fit: &Exponents| {
            let interval = fit.sigma_interval;
            interval.map_or(Outcome::Inconclusive, |i| classify(i, target.1, margin))
        };
        let outcome = evidence.confirmed(of_sigma(&fit), |level| Ok(of_sigma(&at(level)?)));
        checks.push(
            Check::of("exponent of σ", outcome, detail("iterations ∝ σ^−b"))
                .with(sigma, interval, target.1, margin),
        );
    }
    checks
}

/// Where σ is tied to α along the whole design, only a + b·q can be measured.
fn combined_check(
    evidence: &Evidence,
    step_sizes: &[f64],
    iterations: &[f64],
    errors: &[f64],
    target: (f64, f64),
    detail: &dyn Fn(&str) -> String,
) -> Check {
    let q = evidence.study.spec.ladder.sigma_exponent;
    let margin = evidence.margins().exponent;
    let ones = vec![1.0; step_sizes.len()];
    let at = |level| time_scale_exponents(step_sizes, &ones, iterations, errors, level);
    match at(evidence.margins().level) {
        Err(error) => Check::impossible("time scale", &error),
        Ok(fit) => {
            let predicted = target.0 + target.1 * q;
            let judged = |fit: &Exponents| classify(fit.step_size_interval, predicted, margin);
            let outcome = evidence.confirmed(judged(&fit), |level| Ok(judged(&at(level)?)));
            let what = format!(
                "iterations ∝ α^−(a + b·{q}): σ is tied to α; add ladder.sigma_factors to separate a and b"
            );
            Check::of("exponent a + bq", outcome, detail(&what)).with(
                fit.step_size,
                fit.step_size_interval,
                predicted,
                margin,
            )
        }
    }
}
