//! A stochastic limit: an ensemble of Euler–Maruyama paths on Γ with projection, one random stream a path.

use nalgebra::DVector;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;
use rayon::prelude::*;

use super::LimitProcess;
use crate::derive::{Frame, GeometryError, project};
use crate::integrators::euler_maruyama_step;
use crate::models::Model;

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

/// Simulates W′ = π(W + b Δt + B √Δt ξ) (weak order 1) from `start` ∈ Γ.
///
/// `record(path, w, frame)` is called at every record time and returns what is kept; the result is one row a path,
/// `times.len()` entries each, or the error at which the path ended. `goes_on` is asked before each step; where it says no
/// the path ends with [`GeometryError::Cancelled`].
/// Results do not depend on the number of threads.
pub fn run_ensemble<M: Model, T: Send>(
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

fn run_path<M: Model, T>(
    process: &LimitProcess<M>,
    start: &DVector<f64>,
    plan: &EnsemblePlan,
    path: usize,
    step_size_at: &impl Fn(f64) -> f64,
    record: &impl Fn(usize, &DVector<f64>, &Frame) -> T,
    goes_on: &impl Fn() -> bool,
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
            (w, frame) = process.land(&moved).map_err(|error| error.at_time(at))?;
            step += merged;
        }
        now = time;
        row.push(record(path, &w, &frame));
    }
    Ok(row)
}

/// ChaCha8 keyed by (seed, level, "limit"), on the stream of that path: independent of every other path and level.
fn path_stream(seed: u64, level: u32, path: usize) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&level.to_le_bytes());
    key[12..17].copy_from_slice(b"limit");
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(path as u64);
    random
}
