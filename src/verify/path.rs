//! Whole paths: bands for the error of the mean that hold at all record times at once, and equivalence to the limit by them.

use nalgebra::DMatrix;

use super::mean::{Errors, Extrapolated};
use super::{Check, Evidence, TAIL_RESAMPLES, Table, resamples};
use crate::simulate::LevelRun;
use crate::statistics::{
    Band, Interval, Outcome, PathMeans, StatisticsError, classify, simultaneous_band,
};

/// The errors of a rung's mean against its limit, for each observable at each compared record, with the noise of its paths.
///
/// The limit counts as exact here: [`limit_noise`] is apart, as rungs may share it. Paths that diverged are left out.
pub(super) fn errors_of_paths(
    evidence: &Evidence,
    run: &LevelRun,
    observables: &[usize],
) -> Result<PathMeans, StatisticsError> {
    let columns = columns(observables, &run.compared);
    let limit = evidence.limit_for(run);
    let there: Vec<f64> = self::columns(observables, &evidence.limit_records(run))
        .into_iter()
        .map(|(record, o)| limit.samples.moments(record, o, |x| x).mean)
        .collect();
    let mut values = run.samples.complete_paths(&columns);
    for path in values.chunks_exact_mut(columns.len()) {
        for (value, there) in path.iter_mut().zip(&there) {
            *value -= there;
        }
    }
    PathMeans::new(&values, columns.len())
}

/// The noise of the limit's own means at the compared records of a rung, about zero.
pub(super) fn limit_noise(
    evidence: &Evidence,
    run: &LevelRun,
    observables: &[usize],
) -> Result<PathMeans, StatisticsError> {
    let columns = columns(observables, &evidence.limit_records(run));
    let samples = &evidence.limit_for(run).samples;
    if samples.paths == 1 {
        return PathMeans::exact(&vec![0.0; columns.len()]);
    }
    let mut values = samples.complete_paths(&columns);
    let means = PathMeans::new(&values, columns.len())?.means().to_vec();
    for path in values.chunks_exact_mut(columns.len()) {
        for (value, mean) in path.iter_mut().zip(&means) {
            *value -= mean;
        }
    }
    PathMeans::new(&values, columns.len())
}

/// (record, observable), the records of one observable after the other.
fn columns(observables: &[usize], records: &[usize]) -> Vec<(usize, usize)> {
    let of = |&o: &usize| records.iter().map(move |&record| (record, o));
    observables.iter().flat_map(of).collect()
}

/// The bands of all observables, as rows of `bands.csv`.
#[derive(Default)]
pub(super) struct Paths {
    rows: Vec<Vec<String>>,
}

impl Paths {
    /// The check "path" of one observable, where its errors were extrapolated; adds its bands to the table.
    pub fn add(
        &mut self,
        evidence: &Evidence,
        (observable, name): (usize, &str),
        errors: &[Errors],
        extrapolated: Option<Vec<Extrapolated>>,
        margin: f64,
    ) -> Option<Check> {
        let found = Bands::of(evidence, observable, errors, extrapolated.as_deref());
        match found {
            Err(error) => Some(Check::impossible("path", &error)),
            Ok(bands) => {
                self.rows
                    .extend(bands.rows(evidence, observable, name, errors));
                Some(check(&bands.extrapolated?, errors, margin))
            }
        }
    }

    pub fn table(self) -> Table {
        Table {
            name: "bands",
            header: vec![
                "observable",
                "rung",
                "slow_time",
                "error",
                "error_lower",
                "error_upper",
                "limit",
                "mean",
                "mean_lower",
                "mean_upper",
                "confidence",
            ],
            rows: self.rows,
        }
    }
}

/// The simultaneous bands of one observable over the record times.
struct Bands {
    /// Of the error and of the mean, rung by rung.
    rungs: Vec<(Band, Band)>,
    extrapolated: Option<Band>,
    confidence: f64,
}

impl Bands {
    fn of(
        evidence: &Evidence,
        observable: usize,
        errors: &[Errors],
        extrapolated: Option<&[Extrapolated]>,
    ) -> Result<Self, StatisticsError> {
        let level = evidence.margins().level;
        let seed = evidence.study.spec.seed;
        let runs = errors[0].rungs();
        let dof = Some(errors[0].degrees_of_freedom);
        let mut rungs = Vec::new();
        let mut covariances = Vec::new();
        for (rung, run) in runs.iter().enumerate() {
            let paths = errors_of_paths(evidence, run, &[observable])?;
            let limit = limit_noise(evidence, run, &[observable])?;
            let std_errors: Vec<f64> = errors.iter().map(|e| e.std_error(rung)).collect();
            let covariance = paths.covariance();
            let both = &covariance + limit.covariance();
            let of_rung = |std_errors: &[f64], covariance| {
                let errors: Vec<f64> = errors.iter().map(|e| e.errors[rung]).collect();
                simultaneous_band(
                    &errors,
                    std_errors,
                    covariance,
                    dof,
                    level,
                    resamples(level),
                    seed,
                )
            };
            rungs.push((
                of_rung(&std_errors, &both)?,
                of_rung(paths.std_errors(), &covariance)?,
            ));
            covariances.push(covariance);
        }
        let of_limit = limit_noise(evidence, evidence.finest(), &[observable])?.covariance();
        let band = |taken: &[Extrapolated]| {
            let estimates: Vec<f64> = taken.iter().map(|t| t.estimate).collect();
            let std_errors: Vec<f64> = taken.iter().map(|t| t.std_error).collect();
            let covariance = DMatrix::from_fn(taken.len(), taken.len(), |i, j| {
                let of_rungs = covariances.iter().enumerate();
                let weighted =
                    of_rungs.map(|(r, c)| taken[i].weights[r] * taken[j].weights[r] * c[(i, j)]);
                of_limit[(i, j)] + weighted.sum::<f64>()
            });
            simultaneous_band(
                &estimates,
                &std_errors,
                &covariance,
                dof,
                level,
                TAIL_RESAMPLES.max(resamples(level)),
                seed,
            )
        };
        Ok(Self {
            rungs,
            extrapolated: extrapolated.map(band).transpose()?,
            confidence: 1.0 - 2.0 * level,
        })
    }

    fn rows(
        &self,
        evidence: &Evidence,
        observable: usize,
        name: &str,
        errors: &[Errors],
    ) -> Vec<Vec<String>> {
        let number = |x: f64| format!("{x}");
        let mut rows = Vec::new();
        for (rung, ((error, mean), run)) in self.rungs.iter().zip(errors[0].rungs()).enumerate() {
            let limit = evidence.limit_for(run);
            let records = evidence.limit_records(run);
            for (at, errors) in errors.iter().enumerate() {
                let there = limit.samples.moments(records[at], observable, |x| x).mean;
                let (own, of_error) = (mean.intervals[at], error.intervals[at]);
                let numbers = [
                    errors.slow_times[rung],
                    errors.errors[rung],
                    of_error.lower,
                    of_error.upper,
                    there,
                    there + errors.errors[rung],
                    there + own.lower,
                    there + own.upper,
                    self.confidence,
                ];
                let mut row = vec![name.to_owned(), run.level.number.to_string()];
                row.extend(numbers.map(number));
                rows.push(row);
            }
        }
        if let Some(band) = &self.extrapolated {
            for (errors, (interval, estimate)) in errors
                .iter()
                .zip(band.intervals.iter().zip(band.estimates()))
            {
                let mut row = vec![name.to_owned(), "extrapolated".to_owned()];
                let time = errors.last_slow_time();
                row.extend([time, *estimate, interval.lower, interval.upper].map(number));
                row.extend(vec![String::new(); 4]);
                row.push(number(self.confidence));
                rows.push(row);
            }
        }
        rows
    }
}

/// The band of the extrapolated error within the margin at all record times, or beyond it at one.
fn check(band: &Band, errors: &[Errors], margin: f64) -> Check {
    let outcomes = band
        .intervals
        .iter()
        .map(|&interval| classify(interval, 0.0, margin));
    let verdict = Outcome::worst(outcomes);
    // A rejection is shown where it is clearest, anything else where the error is largest.
    let size = |at: &usize| {
        let (interval, estimate) = (band.intervals[*at], band.estimates()[*at]);
        match verdict {
            Outcome::Rejected => beyond(interval),
            _ => estimate.abs(),
        }
    };
    let worst = (0..errors.len())
        .max_by(|a, b| size(a).total_cmp(&size(b)))
        .unwrap_or(0);
    let mut check = Check::of(
        "path",
        verdict,
        format!(
            "error of the mean in the limit at all {} record times at once, worst at slow time {:.4}; sup-t critical value {:.3}",
            errors.len(),
            errors[worst].last_slow_time(),
            band.critical_value
        ),
    )
    .with(band.estimates()[worst], band.intervals[worst], 0.0, margin);
    check.p_value = Some(band.p_within(margin));
    check.p_difference = Some(band.p_beyond(margin));
    check
}

/// The smallest |x| in an interval.
fn beyond(interval: Interval) -> f64 {
    interval.lower.max(-interval.upper).max(0.0)
}
