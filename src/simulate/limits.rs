//! The limit at the record times of the iterates: one curve or ensemble for all rungs, or one a rung if corrected.

use nalgebra::DVector;

use super::{LevelRun, Monitor, Samples};
use crate::derive::{Frame, GeometryError, PointEvidence, evidence_at};
use crate::limit::{EnsemblePlan, run_ensemble, run_flow};
use crate::predict::Prediction;
use crate::scenario::{Arm, IntegratorKind, Study};

/// Times closer than this share of the horizon are one time.
const SAME_TIME: f64 = 1e-12;
/// How many paths of an ensemble are looked at for regime and eigenvalues.
const WITNESSES: usize = 16;

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
/// The limit can't be continued: the rank of H changes, or a number is not finite.
pub fn run_limits(
    study: &Study,
    prediction: &Prediction,
    levels: &[LevelRun],
    monitor: &dyn Monitor,
) -> Result<Vec<LimitRun>, GeometryError> {
    let euler = prediction.integrator(study) == IntegratorKind::EulerMaruyama;
    let ladder: Vec<_> = levels
        .iter()
        .filter(|run| run.level.arm == Arm::StepSizes)
        .collect();
    let jobs: Vec<Vec<&LevelRun>> = if study.spec.limit.corrected {
        ladder.iter().map(|&run| vec![run]).collect()
    } else {
        vec![ladder]
    };
    let paths = if euler { study.limit_paths() } else { 1 };
    monitor.begin("limit", "paths", (paths * jobs.len()) as u64);
    let runs = jobs
        .iter()
        .map(|job| run_limit(study, prediction, job, euler, paths, monitor))
        .collect();
    monitor.end();
    runs
}

fn run_limit(
    study: &Study,
    prediction: &Prediction,
    levels: &[&LevelRun],
    euler: bool,
    paths: usize,
    monitor: &dyn Monitor,
) -> Result<LimitRun, GeometryError> {
    let corrected = study.spec.limit.corrected;
    let of_level = &prediction.levels[levels[0].level.number as usize];
    let (start, level) = if corrected {
        (&of_level.landing, Some(levels[0].level.number))
    } else {
        (&prediction.landing, None)
    };
    let times = all_times(study, prediction, levels);
    let iterations = levels[0].iterations.last().copied().unwrap_or(1);
    let clock = prediction.level_clock(study, &levels[0].level);
    let in_slow_time = clock.step_size_in_slow_time(iterations.max(1));
    let step_size_at = |t: f64| if corrected { in_slow_time(t) } else { 0.0 };
    let process = prediction.process(study);
    let width = study.observables.len();
    let observe = |w: &[f64]| {
        let mut values = vec![0.0; width];
        study.observe(w, prediction.rank, &mut values);
        values
    };
    let mut run = LimitRun {
        level,
        initial: observe(start.as_slice()),
        samples: Samples {
            paths,
            records: times.len(),
            width,
            values: Vec::new(),
        },
        evidence: Vec::new(),
        largest_eigenvalue: 0.0,
        smallest_eigenvalue: f64::INFINITY,
        condition: 1.0,
        first_path: Vec::new(),
        failed: (0, None),
        times,
    };
    let witness = |w: &DVector<f64>, frame: &Frame| Witness {
        evidence: evidence_at(&study.noisy, w, frame, study.faults.masks),
        largest_eigenvalue: frame.largest_eigenvalue(),
        smallest_eigenvalue: frame.smallest_eigenvalue(),
    };
    if !euler {
        let tolerance = study.spec.limit.tolerance;
        let points = run_flow(&process, start, &run.times, tolerance, step_size_at)?;
        monitor.advance(1);
        for point in &points {
            run.samples.values.extend(observe(point.w.as_slice()));
            run.first_path.push(point.w.as_slice().to_vec());
            run.take(&witness(&point.w, &point.frame));
        }
        return Ok(run);
    }
    let time_step = study.limit_time_step();
    let plan = EnsemblePlan {
        paths,
        times: &run.times,
        time_step,
        seed: study.spec.seed,
        level: level.map_or(u32::MAX, |number| number),
    };
    let record = |path: usize, w: &DVector<f64>, frame: &Frame| {
        let seen = (path < WITNESSES).then(|| witness(w, frame));
        let first = (path == 0).then(|| w.as_slice().to_vec());
        (observe(w.as_slice()), seen, first)
    };
    let rows = run_ensemble(&process, start, &plan, step_size_at, record, || {
        monitor.advance(1)
    });
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
                run.samples
                    .values
                    .extend(vec![f64::NAN; run.times.len() * width]);
                run.failed = (run.failed.0 + 1, run.failed.1.or(Some(error)));
            }
        }
    }
    if let (count, Some(error)) = &run.failed
        && *count == paths
    {
        return Err(error.clone());
    }
    Ok(run)
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
