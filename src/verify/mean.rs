//! Means and mean squared displacements: signed errors along the ladder, taken to α → 0, equivalent to the limit's.

use super::extrapolation::{Design, fit_over_rungs};
use super::{
    Check, Displacement, Evidence, NOISE_FLOOR, Place, RungError, Table, order, path, resamples,
};
use crate::scenario::Arm;
use crate::simulate::LevelRun;
use crate::statistics::{Outcome, PowerLaw, StatisticsError, power_law};

/// Standard errors are taken to be at least this share of the scale: rounding, and the tolerance of the limit.
pub(crate) const ROUNDING: f64 = 1e-8;

/// What of an observable o is averaged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Moment {
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
pub(super) struct Errors<'a> {
    moment: Moment,
    places: Vec<Place>,
    rungs: Vec<&'a LevelRun>,
    /// Of each rung; they differ by the rounding to whole iterations.
    pub slow_times: Vec<f64>,
    pub step_sizes: Vec<f64>,
    pub errors: Vec<f64>,
    std_errors: Vec<f64>,
    /// The standard error of the limit's own mean, common to all rungs; 0 where the limit is corrected rung by rung
    /// (then it is in `std_errors`) or deterministic.
    common: f64,
    /// Paths of the smallest ensemble less one: a cautious count for the standard error of the extrapolation.
    pub degrees_of_freedom: f64,
}

/// An error taken to the limit.
pub(super) struct Extrapolated {
    pub estimate: f64,
    /// Widened where the error model does not hold.
    pub std_error: f64,
    /// The estimate is the sum of the errors of the rungs with these weights.
    pub weights: Vec<f64>,
    fit: String,
}

impl<'a> Errors<'a> {
    fn at(
        evidence: &Evidence,
        rungs: &[&'a LevelRun],
        observable: usize,
        moment: Moment,
        record: usize,
        scale: f64,
    ) -> Self {
        let shared = evidence.limits.len() == 1;
        let mut errors = Errors {
            moment,
            places: Vec::new(),
            rungs: rungs.to_vec(),
            slow_times: Vec::new(),
            step_sizes: Vec::new(),
            errors: Vec::new(),
            std_errors: Vec::new(),
            common: 0.0,
            degrees_of_freedom: f64::INFINITY,
        };
        for run in rungs {
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
    pub fn std_error(&self, rung: usize) -> f64 {
        self.std_errors[rung].hypot(self.common)
    }

    fn is_above_floor(&self, rung: usize) -> bool {
        self.errors[rung].abs() >= NOISE_FLOOR * self.std_error(rung)
    }

    /// The error extrapolated to α → 0, and to σ → 0 where the design has rungs of σ.
    fn extrapolate(&self, design: &Design) -> Result<Extrapolated, StatisticsError> {
        let (estimate, std_error, fit) =
            fit_over_rungs(&design.regressors, &self.errors, &self.std_errors, 0)?;
        let terms: Vec<_> = design
            .names
            .iter()
            .zip(&fit.coefficients[1..])
            .map(|(name, c)| format!("{c:+.3e}·{name}"))
            .collect();
        let chi = fit
            .p_value
            .map_or(String::new(), |p| format!(", χ² p = {p:.2}"));
        Ok(Extrapolated {
            estimate,
            std_error: std_error
                .hypot(self.common)
                .hypot(design.unseen(&fit.coefficients)),
            weights: fit.weights.row(0).iter().copied().collect(),
            fit: format!("{}{chi}", terms.join(" ")),
        })
    }

    /// c·α^p along the ladder with an interval for p. The limit's own error is common to all rungs; it counts against each
    /// here.
    fn order(
        &self,
        evidence: &Evidence,
        level: f64,
        resamples: usize,
    ) -> Result<PowerLaw, StatisticsError> {
        let rungs = evidence.ladder.len();
        let std_errors: Vec<_> = (0..rungs).map(|rung| self.std_error(rung)).collect();
        let seed = evidence.study.spec.seed;
        power_law(
            &self.step_sizes[..rungs],
            &self.errors[..rungs],
            &std_errors,
            NOISE_FLOOR,
            level,
            resamples,
            seed,
        )
    }

    pub fn last_slow_time(&self) -> f64 {
        self.slow_times[self.rungs_of_ladder() - 1]
    }

    pub fn rungs(&self) -> &[&'a LevelRun] {
        &self.rungs
    }

    fn rungs_of_ladder(&self) -> usize {
        let arms = self.rungs.iter().map(|run| run.level.arm);
        arms.filter(|&arm| arm == Arm::StepSizes).count()
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
            let sigma = match self.rungs[i].level.arm {
                Arm::StepSizes => String::new(),
                Arm::Sigmas => format!(" σ={:.3}", self.rungs[i].level.sigma),
            };
            format!(
                "α={alpha}{sigma}: {error:+.2e}±{:.0e}{mark}",
                self.std_error(i)
            )
        };
        (0..self.errors.len())
            .map(rung)
            .collect::<Vec<_>>()
            .join(", ")
    }

    fn rows(&self, observable: &str) -> Vec<RungError> {
        let row = |i: usize| RungError {
            observable: observable.to_owned(),
            moment: self.moment.name(),
            level: self.rungs[i].level.number,
            step_size: self.step_sizes[i],
            sigma: self.rungs[i].level.sigma,
            slow_time: self.slow_times[i],
            error: self.errors[i],
            std_error: self.std_error(i),
            above_floor: self.is_above_floor(i),
        };
        (0..self.errors.len()).map(row).collect()
    }
}

pub(super) fn checks(
    evidence: &Evidence,
    rung_errors: &mut Vec<RungError>,
    tables: &mut Vec<Table>,
) -> Vec<Check> {
    let counts: Vec<_> = evidence
        .ladder
        .iter()
        .map(|run| run.compared.len())
        .collect();
    if counts.iter().any(|&count| count != counts[0]) {
        let detail = "on the coarsest rung several record times fall on one iteration; take fewer records or smaller step sizes";
        return vec![Check::of("mean", Outcome::Inconclusive, detail.into())];
    }
    let design = Design::of(evidence);
    for run in &design.rungs {
        let left = run.level.paths - run.diverged.len();
        if left < 2 {
            let detail = format!(
                "only {left} paths of step size {} are left, too few for a standard error",
                run.level.step_size
            );
            return vec![Check::of("mean", Outcome::Inconclusive, detail)];
        }
    }
    let corrected = evidence.study.spec.limit.corrected;
    let both = Design::both_arms(evidence).filter(|_| design.stuck.is_empty());
    let mut checks = Vec::new();
    let mut paths = path::Paths::default();
    let mut scales = Vec::new();
    for (observable, name) in evidence.observables() {
        let displacement = Displacement::of(evidence, observable);
        if displacement.scale == 0.0 {
            continue;
        }
        scales.push((observable, displacement.scale));
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
            let errors: Vec<_> = (0..counts[0])
                .map(|record| {
                    let scale = displacement.scale;
                    Errors::at(evidence, &design.rungs, observable, moment, record, scale)
                })
                .collect();
            let mut extrapolated = Vec::new();
            for (record, errors) in errors.iter().enumerate() {
                rung_errors.extend(errors.rows(name));
                if corrected {
                    let of_rungs = corrected_checks(evidence, errors, margin);
                    checks.extend(of_rungs.into_iter().map(|check| check.on(name)));
                    continue;
                }
                let taken = errors.extrapolate(&design);
                let mut check = extrapolated_check(evidence, errors, &taken, margin, displacement);
                let scale = displacement.scale;
                let by_both = both.as_ref().and_then(|both| {
                    Errors::at(evidence, &both.rungs, observable, moment, record, scale)
                        .extrapolate(both)
                        .ok()
                });
                if let Some(both) = by_both {
                    check.detail += &format!(
                        "; with the rungs of σ {:+.2e}±{:.0e}: {}",
                        both.estimate, both.std_error, both.fit
                    );
                }
                checks.push(check.on(name));
                extrapolated.push(taken);
            }
            if moment == Moment::Mean {
                let taken: Option<Vec<_>> = (!corrected)
                    .then(|| extrapolated.into_iter().collect::<Result<_, _>>().ok())
                    .flatten();
                let check = paths.add(evidence, (observable, name), &errors, taken, margin);
                checks.extend(check.map(|check| check.on(name)));
            }
        }
    }
    if checks.is_empty() {
        let detail = "none of the observables moves in the limit, so nothing can be compared; add one that does";
        checks.push(Check::of("mean", Outcome::Inconclusive, detail.into()));
    } else {
        tables.push(paths.table());
        let (check, table) = order::check(evidence, &design, &scales);
        checks.extend(check);
        tables.extend(table);
    }
    checks
}

/// The error extrapolated to α → 0 against zero.
fn extrapolated_check(
    evidence: &Evidence,
    errors: &Errors,
    extrapolated: &Result<Extrapolated, StatisticsError>,
    margin: f64,
    displacement: Displacement,
) -> Check {
    let name = errors.moment.name();
    let tested = extrapolated
        .as_ref()
        .map_err(Clone::clone)
        .and_then(|taken| {
            let dof = Some(errors.degrees_of_freedom);
            let test = evidence.test(taken.estimate, taken.std_error, dof, 0.0, margin)?;
            Ok((test, &taken.fit))
        });
    let (test, fit) = match tested {
        Ok(tested) => tested,
        Err(error) => return Check::impossible(name, &error),
    };
    let level = evidence.margins().level;
    let order = match errors.order(evidence, level, resamples(level)) {
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
    let detail = format!(
        "slow time {:.4}: error at α → 0; fit {fit}; {order}; {}{still}; displacement {:.4}",
        errors.last_slow_time(),
        errors.description(),
        displacement.scale
    );
    let mut check = Check::tested(name, &test, 0.0, margin, detail);
    check.degrees_of_freedom = Some(errors.degrees_of_freedom);
    check.place = errors.places.last().copied();
    check
}

/// A corrected limit holds at each step size by itself: the error of every rung against zero, nothing extrapolated.
fn corrected_checks(evidence: &Evidence, errors: &Errors, margin: f64) -> Vec<Check> {
    let name = format!("{} at finite α", errors.moment.name());
    let rung = |i: usize| {
        let dof = Some(errors.degrees_of_freedom);
        match evidence.test(errors.errors[i], errors.std_error(i), dof, 0.0, margin) {
            Err(error) => Check::impossible(&name, &error),
            Ok(test) => {
                let detail = format!(
                    "slow time {:.4}: error against the limit corrected for step size {}",
                    errors.slow_times[i], errors.step_sizes[i]
                );
                let mut check = Check::tested(&name, &test, 0.0, margin, detail);
                check.degrees_of_freedom = Some(errors.degrees_of_freedom);
                check.place = Some(errors.places[i]);
                check
            }
        }
    };
    (0..errors.errors.len()).map(rung).collect()
}
