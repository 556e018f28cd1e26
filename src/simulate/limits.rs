//! The limit at the record times of the iterates: one curve or ensemble for all rungs, or one a rung if corrected.

use std::cell::Cell;

use nalgebra::DVector;

use rayon::current_num_threads;

use super::{LevelRun, Monitor, Samples, Silent};
use crate::derive::{Frame, GeometryError, PointEvidence, evidence_at};
use crate::limit::{EnsemblePlan, Faults, FlowPoint, run_ensemble, run_flow};
use crate::predict::Prediction;
use crate::scalar::LANES;
use crate::scenario::{Arm, IntegratorKind, Study};

/// Times closer than this share of the horizon are one time.
const SAME_TIME: f64 = 1e-12;
/// How many paths of an ensemble are looked at for regime and eigenvalues.
const WITNESSES: usize = 16;
/// An ensemble is run in batches, so that what is finished can be kept if the run is stopped: at most so many ...
const MOST_BATCHES: usize = 32;
/// ... of at least so many paths for each thread, so that none waits for long.
const BATCH_PATHS: usize = 16 * LANES;
/// Streams of draws that stand in for iterates, beyond those of all rungs.
const DRAWS: u32 = 1 << 31;

/// The limit for all rungs, or for one.
#[derive(Clone, Debug)]
pub struct LimitRun {
    /// The rung that it is corrected for; `None`: the plain limit, for all.
    pub level: Option<u32>,
    /// Slow times (increasing).
    pub times: Vec<f64>,
    /// The observables at W(0).
    pub initial: Vec<f64>,
    /// One path for a deterministic limit.
    pub samples: Samples,
    /// Regularizer and noise along the way.
    pub evidence: Vec<PointEvidence>,
    /// The largest λ_max along the way.
    pub largest_eigenvalue: f64,
    /// The smallest eigenvalue of H on its range along the way.
    pub smallest_eigenvalue: f64,
    /// The largest condition number of J, √(λ_max/λ_min), along the way.
    pub condition: f64,
    /// The parameters at each time; of the first path of an ensemble.
    pub first_path: Vec<Vec<f64>>,
    /// Paths that could not be continued, with the reason of the first.
    pub failed: (usize, Option<GeometryError>),
}

/// What is looked at along the limit to judge whether the theory applies there.
struct Witness {
    evidence: PointEvidence,
    largest_eigenvalue: f64,
    smallest_eigenvalue: f64,
}

impl LimitRun {
    fn take(&mut self, witness: &Witness) {
        let (largest, smallest) = (witness.largest_eigenvalue, witness.smallest_eigenvalue);
        self.evidence.push(witness.evidence);
        self.largest_eigenvalue = self.largest_eigenvalue.max(largest);
        self.smallest_eigenvalue = self.smallest_eigenvalue.min(smallest);
        self.condition = self.condition.max((largest / smallest).sqrt());
    }

    /// An error if no path could be continued.
    fn goes_on(&self) -> Result<(), GeometryError> {
        match &self.failed {
            (count, Some(error)) if *count == self.samples.paths => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// The record of a slow time.
    pub fn record_at(&self, time: f64) -> usize {
        let after = self.times.partition_point(|&t| t < time);
        let last = self.times.len() - 1;
        let near = |i: &usize| (self.times[(*i).min(last)] - time).abs();
        let candidates = [after.saturating_sub(1), after.min(last)];
        if near(&candidates[0]) < near(&candidates[1]) {
            candidates[0]
        } else {
            candidates[1]
        }
    }
}

/// Simulates the limit; the plain one is returned as a single run, the corrected one as a run for each step size.
///
/// # Errors
/// The limit can't be continued: the rank of H changes, or a number is not finite. [`GeometryError::Cancelled`] if the
/// monitor says to stop.
pub fn run_limits(
    study: &Study,
    prediction: &Prediction,
    levels: &[LevelRun],
    monitor: &dyn Monitor,
) -> Result<Vec<LimitRun>, GeometryError> {
    let mut limits = plan_limits(study, prediction, levels);
    extend_limits(study, prediction, levels, &mut limits, monitor)?;
    Ok(limits)
}

/// The limits with the times that the rungs ask for, nothing simulated yet.
pub fn plan_limits(study: &Study, prediction: &Prediction, levels: &[LevelRun]) -> Vec<LimitRun> {
    let euler = prediction.integrator(study) == IntegratorKind::EulerMaruyama;
    // A curve costs little at further times, so it is there for the rungs of σ too.
    let ladder: Vec<_> = levels
        .iter()
        .filter(|run| run.level.arm == Arm::StepSizes || (!euler && !study.spec.limit.corrected))
        .collect();
    let jobs: Vec<Vec<&LevelRun>> = if study.spec.limit.corrected {
        ladder.iter().map(|&run| vec![run]).collect()
    } else {
        vec![ladder]
    };
    let planned = |job: &Vec<&LevelRun>| {
        Limit::of(study, prediction, job[0]).nothing_yet(all_times(study, prediction, job))
    };
    jobs.iter().map(planned).collect()
}

/// Simulates the paths that the limits of a study still lack; the result is that of one run with so many paths, bit by
/// bit. A deterministic limit has one path.
///
/// # Errors
/// As [`run_limits`]. If the monitor says to stop, the limits have what was finished until then.
pub fn extend_limits(
    study: &Study,
    prediction: &Prediction,
    levels: &[LevelRun],
    limits: &mut [LimitRun],
    monitor: &dyn Monitor,
) -> Result<(), GeometryError> {
    let limit_of = |run: &LimitRun| {
        let rung = run.level.map_or(0, |number| number as usize);
        Limit::of(study, prediction, &levels[rung])
    };
    let missing = |run: &LimitRun| {
        let paths = limit_of(run).paths.saturating_sub(run.samples.paths);
        paths * run.times.len()
    };
    let missing: usize = limits.iter().map(missing).sum();
    monitor.begin("limit", "records", missing as u64);
    let extended = limits
        .iter_mut()
        .try_for_each(|run| limit_of(run).extend(run, monitor));
    monitor.end();
    extended
}

/// The step size at a slow time.
type StepSizeAt<'a> = Box<dyn Fn(f64) -> f64 + Sync + 'a>;

/// A limit that is about to be run.
pub(super) struct Limit<'a> {
    study: &'a Study,
    prediction: &'a Prediction,
    euler: bool,
    /// How many it shall have.
    pub paths: usize,
    /// With the seed it names the random streams.
    stream: u32,
    start: &'a DVector<f64>,
    /// The rung that it is corrected for, and how its step size goes with slow time.
    corrected: Option<(u32, StepSizeAt<'a>)>,
}

/// In which way a limit is run.
#[derive(Clone, Copy)]
pub(super) struct Settings {
    pub faults: Faults,
    /// Time steps of Euler–Maruyama that are taken as one.
    pub merged: usize,
    /// Tolerance of Runge–Kutta.
    pub tolerance: f64,
}

/// What is kept of a path at a record: the observables; of some paths, what they witness; of the first, the parameters.
type Record = (Vec<f64>, Option<Witness>, Option<Vec<f64>>);

impl<'a> Limit<'a> {
    /// The limit that a rung is compared with.
    pub fn of(study: &'a Study, prediction: &'a Prediction, run: &LevelRun) -> Self {
        let euler = prediction.integrator(study) == IntegratorKind::EulerMaruyama;
        let clock = prediction.level_clock(study, &run.level);
        let iterations = run.iterations.last().copied().unwrap_or(1).max(1);
        let number = run.level.number;
        let corrected = study.spec.limit.corrected;
        Self {
            study,
            prediction,
            euler,
            paths: if euler { study.limit_paths() } else { 1 },
            stream: if corrected { number } else { u32::MAX },
            start: if corrected {
                &prediction.levels[number as usize].landing
            } else {
                &prediction.landing
            },
            corrected: corrected.then(|| {
                let in_slow_time = clock.step_size_in_slow_time(iterations);
                (number, Box::new(in_slow_time) as Box<_>)
            }),
        }
    }

    pub fn settings(&self) -> Settings {
        Settings {
            faults: self.study.faults,
            merged: 1,
            tolerance: self.study.spec.limit.tolerance,
        }
    }

    fn observe(&self, w: &[f64]) -> Vec<f64> {
        let mut values = vec![0.0; self.study.observables.len()];
        self.study.observe(w, self.prediction.rank, &mut values);
        values
    }

    fn witness(&self, w: &DVector<f64>, frame: &Frame) -> Witness {
        Witness {
            evidence: evidence_at(&self.study.noisy, w, frame, self.study.faults.masks),
            largest_eigenvalue: frame.largest_eigenvalue(),
            smallest_eigenvalue: frame.smallest_eigenvalue(),
        }
    }

    /// All records of some paths, path by path; the monitor is told of each.
    fn rows(
        &self,
        (first_path, paths): (usize, usize),
        times: &[f64],
        settings: Settings,
        keep: impl Fn(usize, &DVector<f64>, &Frame) -> Record + Sync,
        monitor: &dyn Monitor,
    ) -> Vec<Result<Vec<Record>, GeometryError>> {
        let mut process = self.prediction.process(self.study);
        process.faults = settings.faults;
        let step_size_at = |t: f64| self.corrected.as_ref().map_or(0.0, |(_, at)| at(t));
        if !self.euler {
            let tolerance = settings.tolerance;
            let told = Cell::new(0);
            let tell = |reached: usize| monitor.advance((reached - told.replace(reached)) as u64);
            let goes_on = |now: f64| {
                tell(times.partition_point(|&time| time <= now).max(told.get()));
                !monitor.is_cancelled()
            };
            let points = run_flow(
                &process,
                self.start,
                times,
                tolerance,
                step_size_at,
                goes_on,
            );
            tell(times.len());
            let keep = |point: &FlowPoint| keep(0, &point.w, &point.frame);
            return vec![points.map(|points| points.iter().map(keep).collect())];
        }
        let plan = EnsemblePlan {
            paths,
            first_path,
            times,
            time_step: self.study.limit_time_step(),
            merged: settings.merged,
            seed: self.study.spec.seed,
            level: self.stream,
        };
        let keep = |path: usize, w: &DVector<f64>, frame: &Frame| {
            monitor.advance(1);
            keep(path, w, frame)
        };
        let goes_on = || !monitor.is_cancelled();
        run_ensemble(&process, self.start, &plan, step_size_at, keep, goes_on)
    }

    /// The observables alone; the error is that of the first path where all fail.
    pub fn values(
        &self,
        times: &[f64],
        settings: Settings,
        monitor: &dyn Monitor,
    ) -> Result<Samples, GeometryError> {
        let keep = |_: usize, w: &DVector<f64>, _: &Frame| (self.observe(w.as_slice()), None, None);
        let mut run = self.nothing_yet(times.to_vec());
        let rows = self.rows((0, self.paths), times, settings, keep, monitor);
        self.collect(&mut run, rows)?;
        run.goes_on()?;
        Ok(run.samples)
    }

    fn extend(&self, run: &mut LimitRun, monitor: &dyn Monitor) -> Result<(), GeometryError> {
        let keep = |path: usize, w: &DVector<f64>, frame: &Frame| {
            let seen = (path < WITNESSES).then(|| self.witness(w, frame));
            let first = (path == 0).then(|| w.as_slice().to_vec());
            (self.observe(w.as_slice()), seen, first)
        };
        let missing = |run: &LimitRun| self.paths.saturating_sub(run.samples.paths);
        let least = BATCH_PATHS * current_num_threads();
        let batch = missing(run).div_ceil(MOST_BATCHES).max(least);
        // Whole blocks.
        let batch = batch.next_multiple_of(LANES);
        while missing(run) > 0 {
            let paths = (run.samples.paths, missing(run).min(batch));
            let rows = self.rows(paths, &run.times, self.settings(), keep, monitor);
            self.collect(run, rows)?;
        }
        run.goes_on()
    }

    fn nothing_yet(&self, times: Vec<f64>) -> LimitRun {
        LimitRun {
            level: self.corrected.as_ref().map(|(number, _)| *number),
            initial: self.observe(self.start.as_slice()),
            samples: Samples {
                paths: 0,
                records: times.len(),
                width: self.study.observables.len(),
                values: Vec::new(),
            },
            evidence: Vec::new(),
            largest_eigenvalue: 0.0,
            smallest_eigenvalue: f64::INFINITY,
            condition: 1.0,
            first_path: Vec::new(),
            failed: (0, None),
            times,
        }
    }

    /// Adds paths to a run; none of them if they were stopped on the way.
    fn collect(
        &self,
        run: &mut LimitRun,
        rows: Vec<Result<Vec<Record>, GeometryError>>,
    ) -> Result<(), GeometryError> {
        if rows
            .iter()
            .any(|row| matches!(row, Err(GeometryError::Cancelled)))
        {
            return Err(GeometryError::Cancelled);
        }
        run.samples.paths += rows.len();
        for row in rows {
            match row {
                Ok(records) => {
                    for (values, seen, first) in records {
                        run.samples.values.extend(values);
                        if let Some(witness) = seen {
                            run.take(&witness);
                        }
                        run.first_path.extend(first);
                    }
                }
                Err(error) => {
                    let missing = run.samples.records * run.samples.width;
                    run.samples.values.extend(vec![f64::NAN; missing]);
                    run.failed = (run.failed.0 + 1, run.failed.1.take().or(Some(error)));
                }
            }
        }
        Ok(())
    }
}

/// Iterates that are none: draws of the limit itself at the record times of each rung, independent of those that
/// [`run_limits`] makes. A comparison of the two has nothing to find, which shows how often it finds something.
///
/// # Errors
/// The limit can't be continued.
pub fn draw_limits(
    study: &Study,
    prediction: &Prediction,
    planned: Vec<LevelRun>,
) -> Result<Vec<LevelRun>, GeometryError> {
    let draw = |mut run: LevelRun| {
        let mut limit = Limit::of(study, prediction, &run);
        limit.paths = run.level.paths;
        limit.stream = DRAWS + run.level.number;
        run.samples = limit.values(&run.slow_times, limit.settings(), &Silent)?;
        Ok(run)
    };
    planned.into_iter().map(draw).collect()
}

/// The slow times of all records that are compared, the horizon at constant step size, and freezing times.
fn all_times(study: &Study, prediction: &Prediction, levels: &[&LevelRun]) -> Vec<f64> {
    let mut times = Vec::new();
    for run in levels {
        times.extend(run.compared.iter().map(|&record| run.slow_times[record]));
        if study.spec.expect.freezes.is_some() {
            times.extend(prediction.levels[run.level.number as usize].freezing_time);
            times.push(study.horizon());
        }
    }
    times.sort_by(f64::total_cmp);
    let horizon = times.last().copied().unwrap_or(0.0);
    times.dedup_by(|a, b| (*a - *b).abs() <= SAME_TIME * horizon);
    times
}
