//! The time scale: iterations until the iterates cross a threshold, against α and σ. The limit chooses the threshold
//! (a share of its displacement); the exponents are estimated from the iterates alone.

use nalgebra::DVector;

use super::{Check, Displacement, Evidence, Table};
use crate::scenario::{Arm, Schedule};
use crate::simulate::LevelRun;
use crate::statistics::{
    Crossing, Ellipse, Exponents, Interval, Outcome, StatisticsError, TimeScaleLaw, first_crossing,
    time_scale_exponents,
};

/// The fast phase counts as over when its slowest mode has decayed by e^−10.
const FAST_PHASE_DECAYS: f64 = 10.0;

pub(super) fn checks(evidence: &Evidence, tables: &mut Vec<Table>) -> Vec<Check> {
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
    exponent_checks(evidence, &reached, target, &threshold, tables)
        .into_iter()
        .map(|check| check.on(name))
        .collect()
}

/// What is followed along the iterations: the mean of an observable, or for stochastic limits, whose mean need not move, its
/// mean squared displacement.
pub(super) struct Followed {
    pub observable: usize,
    /// The observable where the limit starts.
    pub start: f64,
    pub squared: bool,
}

impl Followed {
    pub fn of(evidence: &Evidence, observable: usize) -> Self {
        Self {
            observable,
            start: evidence.limit_for(evidence.finest()).initial[observable],
            squared: !evidence.is_deterministic(),
        }
    }

    pub fn value(&self, x: f64) -> f64 {
        if self.squared {
            (x - self.start).powi(2)
        } else {
            x
        }
    }

    pub fn what(&self) -> &'static str {
        if self.squared {
            "mean squared displacement"
        } else {
            "mean"
        }
    }
}

/// The level of the ensemble mean whose first crossing defines the time scale.
struct Threshold {
    followed: Followed,
    level: f64,
    description: String,
}

impl Threshold {
    fn new(evidence: &Evidence, observable: usize) -> Self {
        let limit = evidence.limit_for(evidence.finest());
        let share = evidence.margins().share;
        let followed = Followed::of(evidence, observable);
        let last = evidence.last_limit_record(evidence.finest());
        let value = |x| followed.value(x);
        let end = limit.samples.moments(last, observable, value).mean;
        let begin = followed.value(followed.start);
        let level = begin + share * (end - begin);
        Self {
            level,
            description: format!(
                "iterations until the {} reaches {level:.4}, {share} of the way to the horizon",
                followed.what()
            ),
            followed,
        }
    }

    fn crossing(
        &self,
        evidence: &Evidence,
        run: &LevelRun,
    ) -> Result<Option<Crossing>, StatisticsError> {
        let followed = &self.followed;
        // Before the first record the ensemble counts as being where it lands on Γ.
        let mut k = vec![0.0];
        let mut mean = vec![followed.value(followed.start)];
        let mut std_error = vec![0.0];
        let settled = end_of_fast_phase(evidence, run);
        for (record, &iteration) in run.iterations.iter().enumerate() {
            if iteration as f64 >= settled {
                let value = |x| followed.value(x);
                let moments = run.samples.moments(record, followed.observable, value);
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
pub(super) fn end_of_fast_phase(evidence: &Evidence, run: &LevelRun) -> f64 {
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
    let followed = &threshold.followed;
    let value = |x| followed.value(x);
    let moments = run.samples.moments(last, followed.observable, value);
    let way = threshold.level - value(followed.start);
    let covered = (moments.mean - value(followed.start)) / way;
    let std_error = moments.std_error() / way.abs();
    // The share covered, against "at least all of it".
    let dof = moments.count.saturating_sub(1).max(1) as f64;
    let test = match evidence.test(covered, std_error, Some(dof), 1.0, f64::MIN_POSITIVE) {
        Ok(test) => test,
        Err(error) => return Check::impossible("time scale", &error),
    };
    let outcome = if test.interval.upper < 1.0 {
        Outcome::Rejected
    } else {
        Outcome::Inconclusive
    };
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
    check.interval = Some(test.interval);
    check.null = Some(1.0);
    check.p_difference = Some(if covered < 1.0 {
        test.p_difference
    } else {
        1.0
    });
    check
}

fn exponent_checks(
    evidence: &Evidence,
    reached: &[(&LevelRun, Crossing)],
    target: (f64, f64),
    threshold: &Threshold,
    tables: &mut Vec<Table>,
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
    let tested = |name: &str, fit: [f64; 2], degrees: Option<f64>, target: f64, detail: String| {
        match evidence.test(fit[0], fit[1], degrees, target, margin) {
            Ok(test) => {
                let mut check = Check::tested(name, &test, target, margin, detail);
                check.degrees_of_freedom = degrees;
                check
            }
            Err(error) => Check::impossible(name, &error),
        }
    };
    let points = |fit: &Exponents| {
        let of = |(run, crossing): &(&LevelRun, Crossing), std_error: &f64| {
            let level = run.level;
            let fitted = fit.iterations_at(level.step_size, level.sigma);
            [
                level.step_size,
                level.sigma,
                crossing.at,
                *std_error,
                fitted,
            ]
            .map(|x| x.to_string())
            .to_vec()
        };
        let rows = reached.iter().zip(&errors);
        Table {
            name: "exponents",
            header: vec!["step_size", "sigma", "iterations", "std_error", "fitted"],
            rows: rows.map(|(point, error)| of(point, error)).collect(),
        }
    };
    let fitted = |sigmas: &[f64], law| {
        time_scale_exponents(&step_sizes, sigmas, &iterations, &errors, level, law)
    };
    let fit = match fitted(&sigmas, TimeScaleLaw::Pure) {
        Ok(fit) => fit,
        // Where σ is tied to α along the whole design, only a + b·q can be measured.
        Err(StatisticsError::Collinear { .. }) => {
            let q = evidence.study.spec.ladder.sigma_exponent;
            let ones = vec![1.0; step_sizes.len()];
            let fit = match fitted(&ones, TimeScaleLaw::Pure) {
                Ok(fit) => fit,
                Err(error) => return vec![Check::impossible("time scale", &error)],
            };
            tables.push(points(&fit));
            let what = format!(
                "iterations ∝ α^−(a + b·{q}): σ is tied to α; add ladder.sigma_factors to separate a and b"
            );
            let checks = |fit: &Exponents| {
                vec![tested(
                    "exponent a + bq",
                    [fit.step_size, fit.step_size_std_error],
                    fit.error_degrees(),
                    target.0 + target.1 * q,
                    detail(&what),
                )]
            };
            let corrected = fitted(&ones, TimeScaleLaw::Corrected).ok();
            return agreed(checks(&fit), corrected.map(|fit| checks(&fit)));
        }
        Err(error) => return vec![Check::impossible("time scale", &error)],
    };
    tables.push(points(&fit));
    let other = if (target.0 - 1.0).abs() < (target.0 - 2.0).abs() {
        2.0
    } else {
        1.0
    };
    let checks = |fit: &Exponents| {
        let other_interval = Interval {
            lower: other - margin,
            upper: other + margin,
        };
        let apart = fit.step_size_interval.disjoint_from(&other_interval);
        let told = if apart {
            "told apart from"
        } else {
            "not told apart from"
        };
        let degrees = fit.error_degrees();
        let mut of_alpha = tested(
            "exponent of α",
            [fit.step_size, fit.step_size_std_error],
            degrees,
            target.0,
            detail(&format!("iterations ∝ α^−a, {told} a = {other}")),
        );
        if !apart && of_alpha.verdict == Outcome::Pass {
            of_alpha.verdict = Outcome::Inconclusive;
        }
        let mut checks = vec![of_alpha];
        if let (Some(sigma), Some(std_error)) = (fit.sigma, fit.sigma_std_error) {
            let detail = detail("iterations ∝ σ^−b");
            checks.push(tested(
                "exponent of σ",
                [sigma, std_error],
                degrees,
                target.1,
                detail,
            ));
        }
        match fit.ellipse(level) {
            Ok(None) => {}
            Ok(Some(ellipse)) => checks.push(joint_check(evidence, fit, &ellipse, target, other)),
            Err(error) => checks.push(Check::impossible("time scale (a, b)", &error)),
        }
        checks
    };
    if let Ok(Some(ellipse)) = fit.ellipse(level) {
        tables.push(ellipse_table(&ellipse));
    }
    let corrected = fitted(&sigmas, TimeScaleLaw::Corrected).ok();
    agreed(checks(&fit), corrected.map(|fit| checks(&fit)))
}

/// The checks of a pure power law, of which none rejects that a law with a term of first order in α would not reject as well: coarse step
/// sizes bend the curve, which few paths can't tell from another exponent.
fn agreed(mut pure: Vec<Check>, corrected: Option<Vec<Check>>) -> Vec<Check> {
    for (check, corrected) in pure.iter_mut().zip(corrected.into_iter().flatten()) {
        if check.verdict == Outcome::Rejected && corrected.verdict != Outcome::Rejected {
            check.verdict = Outcome::Inconclusive;
            check.detail += "; not rejected if a term of first order in α is allowed for";
        }
        if let (Some(p), Some(q)) = (check.p_difference, corrected.p_difference) {
            check.p_difference = Some(p.max(q));
        }
    }
    pure
}

/// Both exponents at once: the predicted pair against that of the other time scale, which has the same b.
///
/// It passes if both exponents are equivalent to their predictions (intersection–union) and the ellipse excludes the other
/// pair; it is rejected if the ellipse excludes the predicted pair with its margins.
fn joint_check(
    evidence: &Evidence,
    fit: &Exponents,
    ellipse: &Ellipse,
    target: (f64, f64),
    other: f64,
) -> Check {
    let margin = evidence.margins().exponent;
    let predicted = [target.0, target.1];
    let excluded = ellipse.classify([other, target.1], margin) == Outcome::Rejected;
    let within = |interval: Option<Interval>, target: f64| {
        interval.is_some_and(|interval| interval.inside(target - margin, target + margin))
    };
    let equivalent =
        within(Some(fit.step_size_interval), target.0) && within(fit.sigma_interval, target.1);
    let outcome = match ellipse.classify(predicted, margin) {
        Outcome::Rejected => Outcome::Rejected,
        _ if equivalent && excluded => Outcome::Pass,
        _ => Outcome::Inconclusive,
    };
    let power_law = match fit.p_value {
        Some(p) => format!(
            "lack of fit of one power law without interaction of α and σ: χ² = {:.1} on {} degrees of freedom, p = {p:.2e}",
            fit.chi_squared, fit.degrees_of_freedom
        ),
        None => "no degrees of freedom are left to test the power law".into(),
    };
    let mut check = Check::of(
        "time scale (a, b)",
        outcome,
        format!(
            "({:.3}, {:.3}) in iterations ∝ α^−a σ^−b, predicted ({}, {}) ± {margin}, the other time scale {}; the {:.0} % ellipse has half axes {:.3} and {:.3}, the longer at {:.0}° to the a axis; p of (1, 2): {:.2e}, of (2, 2): {:.2e}; {power_law}{}",
            ellipse.centre[0],
            ellipse.centre[1],
            predicted[0],
            predicted[1],
            if excluded { "excluded" } else { "not excluded" },
            100.0 * (1.0 - 2.0 * evidence.margins().level),
            ellipse.half_axes[0],
            ellipse.half_axes[1],
            ellipse.angle.to_degrees(),
            ellipse.p_value([1.0, 2.0]),
            ellipse.p_value([2.0, 2.0]),
            if fit.inflation > 1.0 {
                format!("; errors inflated by {:.2} for it", fit.inflation)
            } else {
                String::new()
            },
        ),
    );
    check.p_difference = Some(ellipse.p_rectangle(predicted, margin));
    check
}

fn ellipse_table(ellipse: &Ellipse) -> Table {
    let columns = [
        ("a", ellipse.centre[0]),
        ("b", ellipse.centre[1]),
        ("var_a", ellipse.variances[0]),
        ("var_b", ellipse.variances[1]),
        ("cov", ellipse.covariance),
        ("quantile", ellipse.quantile),
        ("half_axis_1", ellipse.half_axes[0]),
        ("half_axis_2", ellipse.half_axes[1]),
        ("angle", ellipse.angle),
        ("p_1_2", ellipse.p_value([1.0, 2.0])),
        ("p_2_2", ellipse.p_value([2.0, 2.0])),
    ];
    Table {
        name: "ellipse",
        header: columns.map(|(name, _)| name).to_vec(),
        rows: vec![columns.map(|(_, x)| x.to_string()).to_vec()],
    }
}
