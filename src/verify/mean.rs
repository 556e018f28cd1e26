//! Means and mean squared displacements: signed errors along the ladder, taken to α → 0, equivalent to the limit's.

use super::extrapolation::{fit_over_rungs, regressor_exponents};
use super::{
    Check, Displacement, Evidence, NOISE_FLOOR, Place, RESAMPLES, RungError, TAIL_RESAMPLES,
};
use crate::scenario::Schedule;
use crate::statistics::{Outcome, PowerLaw, StatisticsError, classify, power_law};

/// Standard errors are taken to be at least this share of the scale: rounding, and the tolerance of the limit.
pub(crate) const ROUNDING: f64 = 1e-8;

/// What of an observable o is averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    /// E o.
    Mean,
    /// E (o − o(W(0)))², of stochastic limits: sees a wrong diffusion that leaves the means alone.
    Square { start: f64 },
}

impl Moment {
    fn of(self, x: f64) -> f64 {
        match self {
            Self::Mean => x,
            Self::Square { start } => (x - start).powi(2),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Mean => "mean",
            Self::Square { .. } => "mean square",
        }
    }
}

/// The errors of one moment of one observable at one record time, rung by rung, coarsest first.
struct Errors {
    moment: Moment,
    places: Vec<Place>,
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
    fn at(
        evidence: &Evidence,
        observable: usize,
        moment: Moment,
        record: usize,
        scale: f64,
    ) -> Self {
        let shared = evidence.limits.len() == 1;
        let mut errors = Errors {
            moment,
            places: Vec::new(),
            slow_times: Vec::new(),
            step_sizes: Vec::new(),
            errors: Vec::new(),
            std_errors: Vec::new(),
            common: 0.0,
            degrees_of_freedom: f64::INFINITY,
        };
        for run in &evidence.ladder {
            let at = run.compared[record];
            let limit = evidence.limit_for(run);
            let limit_record = limit.record_at(run.slow_times[at]);
            let here = run.samples.moments(at, observable, |x| moment.of(x));
            let there = limit
                .samples
                .moments(limit_record, observable, |x| moment.of(x));
            let own = if shared { 0.0 } else { there.std_error() };
            let dof = here.count.saturating_sub(1).max(1) as f64;
            errors.degrees_of_freedom = errors.degrees_of_freedom.min(dof);
            let squared = matches!(moment, Moment::Square { .. });
            errors
                .places
                .push(evidence.place(run, at, observable, squared));
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

    /// The standard error of a rung's error, the limit's share in it.
    fn std_error(&self, rung: usize) -> f64 {
        self.std_errors[rung].hypot(self.common)
    }

    fn is_above_floor(&self, rung: usize) -> bool {
        self.errors[rung].abs() >= NOISE_FLOOR * self.std_error(rung)
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
        let (estimate, std_error, fit) =
            fit_over_rungs(&regressors, &self.errors, &self.std_errors, 0)?;
        let terms: Vec<_> = exponents
            .iter()
            .zip(&fit.coefficients[1..])
            .map(|(p, c)| format!("{c:+.3e}·α^{p}"))
            .collect();
        let chi = fit
            .p_value
            .map_or(String::new(), |p| format!(", χ² p = {p:.2}"));
        Ok((
            estimate,
            std_error.hypot(self.common),
            format!("{}{chi}", terms.join(" ")),
        ))
    }

    /// c·α^p with an interval for p. The limit's own error is common to all rungs; it counts against each here.
    fn order(
        &self,
        evidence: &Evidence,
        level: f64,
        resamples: usize,
    ) -> Result<PowerLaw, StatisticsError> {
        let std_errors: Vec<_> = (0..self.errors.len())
            .map(|rung| self.std_error(rung))
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

    fn last_slow_time(&self) -> f64 {
        self.slow_times[self.slow_times.len() - 1]
    }

    /// The errors in words, rungs under the noise floor marked.
    fn description(&self) -> String {
        let rung = |i: usize| {
            let mark = if self.is_above_floor(i) {
                ""
            } else {
                " (noise floor)"
            };
            let (alpha, error) = (self.step_sizes[i], self.errors[i]);
            format!("α={alpha}: {error:+.2e}±{:.0e}{mark}", self.std_error(i))
        };
        (0..self.errors.len())
            .map(rung)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn rows(&self, evidence: &Evidence, observable: &str) -> Vec<RungError> {
        let row = |i: usize| RungError {
            observable: observable.to_owned(),
            moment: self.moment.name(),
            level: evidence.ladder[i].level.number,
            step_size: self.step_sizes[i],
            sigma: evidence.ladder[i].level.sigma,
            slow_time: self.slow_times[i],
            error: self.errors[i],
            std_error: self.std_error(i),
            above_floor: self.is_above_floor(i),
        };
        (0..self.errors.len()).map(row).collect()
    }
}

pub(super) fn checks(evidence: &Evidence, rung_errors: &mut Vec<RungError>) -> Vec<Check> {
    let counts: Vec<_> = evidence
        .ladder
        .iter()
        .map(|run| run.compared.len())
        .collect();
    if counts.iter().any(|&count| count != counts[0]) {
        let detail = "on the coarsest rung several record times fall on one iteration; take fewer records or smaller step sizes";
        return vec![Check::of("mean", Outcome::Inconclusive, detail.into())];
    }
    for run in &evidence.ladder {
        let left = run.level.paths - run.diverged.len();
        if left < 2 {
            let detail = format!(
                "only {left} paths of step size {} are left, too few for a standard error",
                run.level.step_size
            );
            return vec![Check::of("mean", Outcome::Inconclusive, detail)];
        }
    }
    let mut checks = Vec::new();
    let mut clearest: Option<(&str, Errors)> = None;
    for (observable, name) in evidence.observables() {
        let displacement = Displacement::of(evidence, observable);
        if displacement.scale == 0.0 {
            continue;
        }
        let margins = evidence.margins();
        let start = evidence.limit_for(evidence.finest()).initial[observable];
        let mut questions = vec![(Moment::Mean, margins.mean * displacement.scale)];
        if !evidence.is_deterministic() && displacement.moves {
            questions.push((
                Moment::Square { start },
                margins.square * displacement.scale.powi(2),
            ));
        }
        for (moment, margin) in questions {
            for record in 0..counts[0] {
                let errors = Errors::at(evidence, observable, moment, record, displacement.scale);
                rung_errors.extend(errors.rows(evidence, name));
                if evidence.study.spec.limit.corrected {
                    checks.extend(
                        corrected_checks(evidence, &errors, margin)
                            .into_iter()
                            .map(|c| c.on(name)),
                    );
                } else {
                    checks
                        .push(extrapolated_check(evidence, &errors, margin, displacement).on(name));
                }
                let clearer = |(_, best): &(&str, Errors)| errors.signal() > best.signal();
                if observable == 0
                    && moment == Moment::Mean
                    && clearest.as_ref().is_none_or(clearer)
                {
                    clearest = Some((name, errors));
                }
            }
        }
    }
    if checks.is_empty() {
        let detail = "none of the observables moves in the limit, so nothing can be compared; add one that does";
        checks.push(Check::of("mean", Outcome::Inconclusive, detail.into()));
    }
    if let (Some(expected), Some((name, errors))) = (evidence.study.spec.expect.order, clearest) {
        checks.push(order_check(evidence, &errors, expected).on(name));
    }
    checks
}

/// The error extrapolated to α → 0 against zero.
fn extrapolated_check(
    evidence: &Evidence,
    errors: &Errors,
    margin: f64,
    displacement: Displacement,
) -> Check {
    let name = errors.moment.name();
    let exponents = regressor_exponents(evidence.study, evidence.prediction);
    let tested = errors
        .extrapolate(&exponents)
        .and_then(|(estimate, std_error, fit)| {
            let dof = Some(errors.degrees_of_freedom);
            Ok((
                evidence.equivalent(estimate, std_error, dof, 0.0, margin)?,
                fit,
            ))
        });
    let (test, fit) = match tested {
        Ok(tested) => tested,
        Err(error) => return Check::impossible(name, &error),
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
        name,
        test.outcome,
        format!(
            "slow time {:.4}: error at α → 0; fit {fit}; {order}; {}{still}; displacement {:.4}",
            errors.last_slow_time(),
            errors.description(),
            displacement.scale
        ),
    )
    .with(test.estimate, test.interval, 0.0, margin);
    check.p_value = Some(test.p_value);
    check.p_difference = Some(test.p_difference);
    check.place = errors.places.last().copied();
    check
}

/// A corrected limit holds at each step size by itself: the error of every rung against zero, nothing extrapolated.
fn corrected_checks(evidence: &Evidence, errors: &Errors, margin: f64) -> Vec<Check> {
    let name = format!("{} at finite α", errors.moment.name());
    let rung = |i: usize| {
        let dof = Some(errors.degrees_of_freedom);
        match evidence.equivalent(errors.errors[i], errors.std_error(i), dof, 0.0, margin) {
            Err(error) => Check::impossible(&name, &error),
            Ok(test) => {
                let detail = format!(
                    "slow time {:.4}: error against the limit corrected for step size {}",
                    errors.slow_times[i], errors.step_sizes[i]
                );
                let mut check = Check::of(&name, test.outcome, detail).with(
                    test.estimate,
                    test.interval,
                    0.0,
                    margin,
                );
                check.p_value = Some(test.p_value);
                check.p_difference = Some(test.p_difference);
                check.place = Some(errors.places[i]);
                check
            }
        }
    };
    (0..errors.errors.len()).map(rung).collect()
}

fn order_check(evidence: &Evidence, errors: &Errors, expected: f64) -> Check {
    if matches!(evidence.study.schedule, Schedule::PolynomialInSteps { .. }) {
        let detail = "with schedule.decay_steps each rung runs on a curve of its own; use decay_time to compare rungs";
        return Check::of("order", Outcome::Inconclusive, detail.into());
    }
    let margin = evidence.margins().order;
    match errors.order(evidence, evidence.margins().level, RESAMPLES) {
        Err(error) => Check::impossible("order", &error),
        Ok(law) => {
            let interval = law.exponent_interval;
            let strict = |level: f64| {
                let level = level.max(1.0 / TAIL_RESAMPLES as f64);
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
