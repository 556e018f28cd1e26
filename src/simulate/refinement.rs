//! The limit run again on its first paths with other settings, driven by the same Brownian paths: with coarser time steps,
//! to learn the error of the integrator, and with a drift or a diffusion slightly wrong, to learn what would be noticed.

use nalgebra::DVector;

use super::limits::{Limit, Settings};
use super::{LevelRun, LimitRun, Monitor, Samples};
use crate::derive::project;
use crate::limit::Faults;
use crate::predict::Prediction;
use crate::scenario::{Arm, Study};

/// The relative error of drift or diffusion that is tried.
pub const TRIED_ERROR: f64 = 0.05;
/// The tolerance of the coarser Runge–Kutta run, in units of the limit's.
const COARSER_TOLERANCE: f64 = 32.0;
/// Paths of a stochastic limit that are run again: differences along one Brownian path scatter little.
const PATHS: usize = 1000;

/// What became of one limit under other settings; each run has the records of the limit. `None`: it could not be continued.
#[derive(Clone, Debug)]
pub struct Refinement {
    /// Two time steps in one, or a tolerance 32 times as large.
    pub coarser: Option<Samples>,
    /// The drift × (1 + [`TRIED_ERROR`]).
    pub faster: Option<Samples>,
    /// The Brownian part × (1 + [`TRIED_ERROR`]), where there is one.
    pub rougher: Option<Samples>,
    /// By how much a further projection on Γ moves each observable, at most.
    pub projection: Vec<f64>,
}

/// Runs every limit again; `levels` are the rungs that they are compared with.
pub fn refine_limits(
    study: &Study,
    prediction: &Prediction,
    levels: &[LevelRun],
    limits: &[LimitRun],
    monitor: &dyn Monitor,
) -> Vec<Refinement> {
    let stochastic = !prediction.is_deterministic();
    let runs = 2 + usize::from(stochastic);
    let records = |run: &LimitRun| runs * run.samples.paths.min(PATHS) * run.times.len();
    let records: usize = limits.iter().map(records).sum();
    monitor.begin("limit varied", "records", records as u64);
    let refine = |run: &LimitRun| {
        let first = levels.iter().find(|level| {
            let own = run.level.is_none_or(|number| number == level.level.number);
            level.level.arm == Arm::StepSizes && own
        })?;
        let mut limit = Limit::of(study, prediction, first);
        limit.paths = limit.paths.min(PATHS);
        let own = limit.settings();
        let vary = |settings: Settings| limit.values(&run.times, settings, monitor).ok();
        let with = |faults: Faults| vary(Settings { faults, ..own });
        let wrong = |scale: f64| scale * (1.0 + TRIED_ERROR);
        let faults = own.faults;
        Some(Refinement {
            coarser: vary(Settings {
                merged: 2,
                tolerance: COARSER_TOLERANCE * own.tolerance,
                ..own
            }),
            faster: with(Faults {
                drift_scale: wrong(faults.drift_scale),
                ..faults
            }),
            rougher: stochastic
                .then(|| {
                    with(Faults {
                        diffusion_scale: wrong(faults.diffusion_scale),
                        ..faults
                    })
                })
                .flatten(),
            projection: projection(study, prediction, run),
        })
    };
    let refined = limits.iter().filter_map(refine).collect();
    monitor.end();
    refined
}

/// max |o(π(W)) − o(W)| over the records of the first path, for each observable; infinite where π fails.
fn projection(study: &Study, prediction: &Prediction, run: &LimitRun) -> Vec<f64> {
    let width = study.observables.len();
    let mut largest = vec![0.0_f64; width];
    let (mut before, mut after) = (vec![0.0; width], vec![0.0; width]);
    for w in &run.first_path {
        study.observe(w, prediction.rank, &mut before);
        let point = DVector::from_column_slice(w);
        match project(&study.noisy, &point, prediction.rank) {
            Ok((landed, _)) => study.observe(landed.as_slice(), prediction.rank, &mut after),
            Err(_) => after.fill(f64::INFINITY),
        }
        for (o, largest) in largest.iter_mut().enumerate() {
            *largest = largest.max((after[o] - before[o]).abs());
        }
    }
    largest
}
