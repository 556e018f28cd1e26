//! A stochastic limit: an ensemble of Euler–Maruyama paths on Γ with projection, one random stream a path.

use nalgebra::DVector;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::LimitProcess;
use super::lanes::{self, Seeds, Walk};
use crate::derive::{Frame, GeometryError, project};
use crate::integrators::euler_maruyama_step;
use crate::models::{AnyModel, Model};
use crate::scalar::LANES;

/// How many steps of a block are taken at once.
const STRETCH: usize = 64;

/// What an ensemble of the limit consists of.
#[derive(Clone, Debug)]
pub struct EnsemblePlan<'a> {
    /// Number of paths.
    pub paths: usize,
    /// Number of the first of them: not 0 where an ensemble is extended.
    pub first_path: usize,
    /// Slow times to record at (increasing, ≥ 0).
    pub times: &'a [f64],
    /// The largest time step Δt > 0.
    pub time_step: f64,
    /// How many time steps are taken as one, driven by the same Brownian path: 1, or 2 to learn what Δt does.
    pub merged: usize,
    /// Seed and level: together with the number of the path they name its stream.
    pub seed: u64,
    /// See `seed`.
    pub level: u32,
}

/// The step size at a slow time.
type StepSizeAt<'a> = &'a (dyn Fn(f64) -> f64 + Sync);
/// What is kept of a path at a record: `(path, w, frame)`.
type Record<'a, T> = &'a (dyn Fn(usize, &DVector<f64>, &Frame) -> T + Sync);

/// Simulates W′ = π(W + b Δt + B √Δt ξ) (weak order 1) from `start` ∈ Γ for a built-in model.
///
/// `record(path, w, frame)` is called at every record time and returns what is kept; the result is one row a path,
/// `times.len()` entries each, or the error at which the path ended. `goes_on` is asked again and again; where it says no, the
/// paths end with [`GeometryError::Cancelled`]. Results do not depend on the number of threads, nor on how many paths there are.
///
/// Degenerate limits of closed-form losses with up to eight parameters run eight paths at once, the others one by one; each path has its own
/// random numbers, the same either way.
pub fn run_ensemble<T: Send>(
    process: &LimitProcess<AnyModel>,
    start: &DVector<f64>,
    plan: &EnsemblePlan,
    step_size_at: impl Fn(f64) -> f64 + Sync,
    record: impl Fn(usize, &DVector<f64>, &Frame) -> T + Sync,
    goes_on: impl Fn() -> bool + Sync,
) -> Vec<Result<Vec<T>, GeometryError>> {
    let seeds = Seeds {
        seed: plan.seed,
        level: plan.level,
    };
    let on_manifold = project(process.noisy, start, process.rank);
    let departure = match &on_manifold {
        Ok(start) => lanes::departure(process, start, seeds),
        Err(_) => None,
    };
    let Some(departure) = departure else {
        return run_ensemble_of(process, start, plan, step_size_at, record, goes_on);
    };
    let end = plan.first_path + plan.paths;
    (plan.first_path..end)
        .into_par_iter()
        .step_by(LANES)
        .flat_map_iter(|first| {
            let paths = LANES.min(end - first);
            let mut walk = departure(first, paths);
            let rows = run_block(
                &mut *walk,
                plan,
                (first, paths),
                &step_size_at,
                &record,
                &goes_on,
            );
            let redo =
                |path| run_path(process, start, plan, path, &step_size_at, &record, &goes_on);
            let row = |(lane, row)| {
                // A path that fails in its lane fails by itself too, and then says why.
                if walk.has_failed(lane) {
                    redo(first + lane)
                } else {
                    row
                }
            };
            rows.into_iter().enumerate().map(row).collect::<Vec<_>>()
        })
        .collect()
}

/// As [`run_ensemble`], for any model, path by path.
pub fn run_ensemble_of<M: Model, T: Send>(
    process: &LimitProcess<M>,
    start: &DVector<f64>,
    plan: &EnsemblePlan,
    step_size_at: impl Fn(f64) -> f64 + Sync,
    record: impl Fn(usize, &DVector<f64>, &Frame) -> T + Sync,
    goes_on: impl Fn() -> bool + Sync,
) -> Vec<Result<Vec<T>, GeometryError>> {
    (plan.first_path..plan.first_path + plan.paths)
        .into_par_iter()
        .map(|path| run_path(process, start, plan, path, &step_size_at, &record, &goes_on))
        .collect()
}

/// The records of up to eight paths; those of a path that fails on the way are of no use from there on.
fn run_block<T>(
    walk: &mut dyn Walk,
    plan: &EnsemblePlan,
    (first, paths): (usize, usize),
    step_size_at: StepSizeAt,
    record: Record<T>,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Vec<Result<Vec<T>, GeometryError>> {
    let mut rows: Vec<_> = (0..paths)
        .map(|_| Vec::with_capacity(plan.times.len()))
        .collect();
    let mut now = 0.0;
    let mut step_sizes = [0.0; STRETCH];
    for &time in plan.times {
        let steps = ((time - now) / plan.time_step).ceil() as usize;
        let dt = (time - now) / steps as f64;
        let mut step = 0;
        while step < steps {
            let merged = plan.merged.min(steps - step);
            let count = ((steps - step) / merged).min(STRETCH);
            if !goes_on() {
                return (0..paths).map(|_| Err(GeometryError::Cancelled)).collect();
            }
            for (i, step_size) in step_sizes[..count].iter_mut().enumerate() {
                *step_size = step_size_at(now + (step + i * merged) as f64 * dt);
            }
            walk.advance(&step_sizes[..count], dt, merged);
            step += count * merged;
        }
        now = time;
        for (lane, row) in rows.iter_mut().enumerate() {
            if !walk.has_failed(lane) {
                let (w, frame) = walk.state(lane);
                row.push(record(first + lane, &w, &frame));
            }
        }
    }
    rows.into_iter().map(Ok).collect()
}

fn run_path<M: Model, T>(
    process: &LimitProcess<M>,
    start: &DVector<f64>,
    plan: &EnsemblePlan,
    path: usize,
    step_size_at: StepSizeAt,
    record: Record<T>,
    goes_on: &(dyn Fn() -> bool + Sync),
) -> Result<Vec<T>, GeometryError> {
    let mut random = path_stream(plan.seed, plan.level, path);
    let (mut w, mut frame) = project(process.noisy, start, process.rank)?;
    let mut now = 0.0;
    let mut row = Vec::with_capacity(plan.times.len());
    for &time in plan.times {
        let steps = ((time - now) / plan.time_step).ceil() as usize;
        let dt = (time - now) / steps as f64;
        let mut step = 0;
        while step < steps {
            if !goes_on() {
                return Err(GeometryError::Cancelled);
            }
            let merged = plan.merged.min(steps - step);
            let at = now + step as f64 * dt;
            let coefficients = process.coefficients(&w, &frame, step_size_at(at));
            let mut normals = vec![0.0; coefficients.normals()];
            for _ in 0..merged {
                let draw = |sum: &mut f64| *sum += random.sample::<f64, _>(StandardNormal);
                normals.iter_mut().for_each(draw);
            }
            let root = (merged as f64).sqrt();
            let mut normals = normals.into_iter().map(|sum| sum / root);
            let shock = coefficients.shock(&frame, || normals.next().unwrap_or_default());
            let moved = euler_maruyama_step(&w, &coefficients.drift, &shock, dt * merged as f64);
            let landed = process.land_from(&frame, &moved);
            (w, frame) = landed.map_err(|error| error.at_time(at))?;
            step += merged;
        }
        now = time;
        row.push(record(path, &w, &frame));
    }
    Ok(row)
}

/// ChaCha8 keyed by (seed, level, "limit"), on the stream of that path: independent of every other path and level.
pub(super) fn path_stream(seed: u64, level: u32, path: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&level.to_le_bytes());
    key[12..17].copy_from_slice(b"limit");
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(path as u64);
    random
}
