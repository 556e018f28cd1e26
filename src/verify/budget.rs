//! The error budget: what the claim is judged by (iterates against limit) beside the three errors that are ours: the time
//! discretisation of the limit, its distance from Γ, and Monte Carlo noise.

use serde::{Deserialize, Serialize};

use super::{Check, Evidence, Place, Table};
use crate::scenario::IntegratorKind;
use crate::simulate::Samples;
use crate::statistics::{Outcome, upper_quantile};

/// A systematic error beyond this share of the margin dominates the verdict.
const LARGEST_SHARE: f64 = 0.5;

/// The four errors of one comparison, in the units of the observable (squared for a mean square).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct BudgetRow {
    /// The observable.
    pub observable: String,
    /// "mean" or "mean square".
    pub moment: String,
    /// Slow time.
    pub slow_time: f64,
    /// Step size of the rung, where each is judged by itself.
    pub step_size: Option<f64>,
    /// Iterates less limit, extrapolated to α → 0 where the ladder is: the claim says 0.
    pub iterates: f64,
    /// Error of the limit by its finite time step, bounded; missing where the limit could not be run with a coarser one.
    pub discretisation: Option<f64>,
    /// By how much a further projection on Γ moves the observable.
    pub projection: f64,
    /// Half of the interval of `iterates`.
    pub monte_carlo: f64,
    /// How far `iterates` may be from 0.
    pub margin: f64,
}

impl BudgetRow {
    /// The share of the margin that time discretisation and projection take.
    pub fn systematic_share(&self) -> f64 {
        (self.discretisation.unwrap_or(f64::INFINITY) + self.projection) / self.margin
    }

    /// The largest of the four.
    pub fn largest(&self) -> &'static str {
        let errors = [
            ("iterates", self.iterates.abs()),
            (
                "discretisation",
                self.discretisation.unwrap_or(f64::INFINITY),
            ),
            ("projection", self.projection),
            ("monte carlo", self.monte_carlo),
        ];
        let largest = errors.iter().max_by(|a, b| a.1.total_cmp(&b.1));
        largest.map_or("", |(name, _)| name)
    }
}

/// One row for every comparison of a moment.
pub(super) fn rows(evidence: &Evidence, checks: &[Check]) -> Vec<BudgetRow> {
    checks
        .iter()
        .filter_map(|check| row(evidence, check))
        .collect()
}

fn row(evidence: &Evidence, check: &Check) -> Option<BudgetRow> {
    let place = check.place?;
    let (estimate, interval, margin) = (check.estimate?, check.interval?, check.margin?);
    let limit = &evidence.limits[place.limit];
    let refined = evidence.refined.get(place.limit)?;
    let start = limit.initial[place.observable];
    // A mean square of displacements up to the margin's unit moves by twice its root.
    let slope = if place.squared {
        let square = |x: f64| (x - start).powi(2);
        let moments = limit
            .samples
            .moments(place.record, place.observable, square);
        2.0 * moments.mean.sqrt()
    } else {
        1.0
    };
    Some(BudgetRow {
        observable: check.observable.clone()?,
        moment: if place.squared { "mean square" } else { "mean" }.into(),
        slow_time: limit.times[place.record],
        step_size: place.step_size,
        iterates: estimate - check.null?,
        discretisation: refined.coarser.as_ref().map(|coarser| {
            let (shift, std_error) = shift(&limit.samples, coarser, place, start);
            shift.abs() + upper_quantile(evidence.margins().level, None) * std_error
        }),
        projection: slope * refined.projection[place.observable],
        monte_carlo: 0.5 * (interval.upper - interval.lower),
        margin,
    })
}

/// Mean difference of a moment between a varied limit and the limit itself along the same paths, with its standard error.
pub(super) fn shift(limit: &Samples, varied: &Samples, place: Place, start: f64) -> (f64, f64) {
    let moment = |x: f64| {
        if place.squared {
            (x - start).powi(2)
        } else {
            x
        }
    };
    let value = |samples: &Samples, path: usize| {
        moment(samples.value(path, place.record, place.observable))
    };
    let differences = Samples {
        paths: varied.paths,
        records: 1,
        width: 1,
        values: (0..varied.paths)
            .map(|path| value(varied, path) - value(limit, path))
            .collect(),
    };
    let moments = differences.moments(0, 0, |x| x);
    (moments.mean, moments.std_error())
}

/// Charges the systematic errors to the checks they bear on: what would not hold with the margin narrowed (a pass) or
/// widened (a rejection) by them is inconclusive. Where they take more than half of a margin, that is a check of its own.
pub(super) fn charge(evidence: &Evidence, checks: &mut Vec<Check>) {
    for check in checks.iter_mut() {
        let Some(row) = row(evidence, check) else {
            continue;
        };
        let (Some(interval), Some(null)) = (check.interval, check.null) else {
            continue;
        };
        let shift = row.systematic_share() * row.margin;
        let holds = match check.verdict {
            Outcome::Pass => {
                let narrowed = row.margin - shift;
                interval.inside(null - narrowed, null + narrowed)
            }
            Outcome::Rejected => {
                let gap = (interval.lower - null).max(null - interval.upper);
                gap > row.margin + shift
            }
            Outcome::Inconclusive => true,
        };
        if !holds {
            check.verdict = Outcome::Inconclusive;
            let note = format!("; undecided for a systematic error of the limit of {shift:.1e}");
            check.detail.push_str(&note);
        }
    }
    let rows = rows(evidence, checks);
    let worst = |name: &str| {
        rows.iter()
            .filter(|row| row.observable == name)
            .max_by(|a, b| a.systematic_share().total_cmp(&b.systematic_share()))
    };
    let found: Vec<Check> = evidence
        .observables()
        .filter_map(|(_, name)| Some(check(evidence, worst(name)?)))
        .collect();
    checks.extend(found);
}

fn check(evidence: &Evidence, row: &BudgetRow) -> Check {
    let share = row.systematic_share();
    let holds = share <= LARGEST_SHARE;
    let remedy = if holds {
        String::new()
    } else if row.discretisation.is_none() {
        "; the limit could not be continued with a coarser time step".into()
    } else if row.discretisation >= Some(row.projection) {
        // Weak order 1.
        let discretisation = row.discretisation.unwrap_or(f64::INFINITY);
        let factor = 0.5 * LARGEST_SHARE * row.margin / discretisation;
        if evidence.prediction.integrator(evidence.study) == IntegratorKind::EulerMaruyama {
            let finer = evidence.study.limit_time_step() * factor;
            format!("; set limit.time_step to {finer:.1e} or a larger margin")
        } else {
            format!("; lower limit.tolerance by {factor:.1e}")
        }
    } else {
        "; the limit has left Γ".into()
    };
    let verdict = if holds {
        Outcome::Pass
    } else {
        Outcome::Inconclusive
    };
    let mut check = Check::of(
        "error budget",
        verdict,
        format!(
            "{} at slow time {:.4}: time discretisation {:.1e} and projection {:.1e} take {:.1} % of the margin {:.3e}{remedy}",
            row.moment,
            row.slow_time,
            row.discretisation.unwrap_or(f64::INFINITY),
            row.projection,
            100.0 * share,
            row.margin
        ),
    )
    .on(&row.observable);
    check.estimate = share.is_finite().then_some(share);
    check
}

/// `budget.csv`.
pub(super) fn table(rows: &[BudgetRow]) -> Table {
    let number = |x: f64| x.to_string();
    let maybe = |x: Option<f64>| x.map_or(String::new(), number);
    Table {
        name: "budget",
        header: vec![
            "observable",
            "moment",
            "slow_time",
            "step_size",
            "iterates_less_limit",
            "time_discretisation",
            "projection",
            "monte_carlo",
            "margin",
            "largest",
        ],
        rows: rows
            .iter()
            .map(|row| {
                vec![
                    row.observable.clone(),
                    row.moment.clone(),
                    number(row.slow_time),
                    maybe(row.step_size),
                    number(row.iterates),
                    maybe(row.discretisation),
                    number(row.projection),
                    number(row.monte_carlo),
                    number(row.margin),
                    row.largest().to_owned(),
                ]
            })
            .collect(),
    }
}
