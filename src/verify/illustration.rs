//! Tables that no check needs but a figure does: the rungs, the limit as a smooth curve, the noise-free fall onto Γ, the laws
//! at the horizon, and the plane of two-dimensional models.

mod laws;
mod plane;

use nalgebra::DVector;

use super::Table;
use crate::limit::run_flow;
use crate::predict::Prediction;
use crate::scenario::{Arm, Study};
use crate::simulate::{LevelRun, LimitRun};

/// Points of the limit's curve, evenly spaced in slow time and as many again in its logarithm.
const CURVE_POINTS: u32 = 24;
/// The curve begins at this share of the horizon.
const CURVE_RANGE: f64 = 4096.0;
/// The noise-free fall is followed until its slowest mode has decayed by e^−this ...
const FALL_DECAYS: f64 = 12.0;
/// ... or for this many iterations.
const FALL_ITERATIONS: u64 = 5_000;
/// A start nearer to Γ than this, relative to its size, does not fall.
const FALL_LEAST: f64 = 1e-3;

/// All tables for figures that the checks have not made already.
pub fn illustrations(
    study: &Study,
    prediction: &Prediction,
    levels: &[LevelRun],
    limits: &[LimitRun],
) -> Vec<Table> {
    let tables = [
        Some(rungs(prediction, levels)),
        curve(study, prediction, levels, limits),
        fall(study, prediction, levels),
        laws::densities(study, levels, limits),
        laws::quantiles(study, levels, limits),
        plane::table(study, prediction, levels, limits),
    ];
    tables.into_iter().flatten().collect()
}

/// What the rungs are: which arm they belong to, how long they are, and how long the fast phase is on them.
fn rungs(prediction: &Prediction, levels: &[LevelRun]) -> Table {
    let row = |run: &LevelRun| {
        let level = &run.level;
        let predicted = &prediction.levels[level.number as usize];
        let slowest = prediction.frame.smallest_eigenvalue();
        vec![
            level.number.to_string(),
            match level.arm {
                Arm::StepSizes => "step size".into(),
                Arm::Sigmas => "sigma".into(),
            },
            level.step_size.to_string(),
            level.sigma.to_string(),
            run.samples.paths.to_string(),
            predicted.iterations.to_string(),
            predicted.slow_time.to_string(),
            predicted.stability.to_string(),
            (1.0 / (level.step_size * slowest)).to_string(),
        ]
    };
    Table {
        name: "rungs",
        header: vec![
            "level",
            "arm",
            "step_size",
            "sigma",
            "paths",
            "iterations",
            "slow_time",
            "alpha_lambda_max",
            "fast_iterations",
        ],
        rows: levels.iter().map(row).collect(),
    }
}

/// The last slow time of all rungs.
fn horizon(levels: &[LevelRun]) -> f64 {
    let last = levels.iter().filter_map(|run| run.slow_times.last());
    last.copied().fold(0.0, f64::max)
}

/// A deterministic limit at more times than the iterates are compared at; none where each rung has a limit of its own.
fn curve(
    study: &Study,
    prediction: &Prediction,
    levels: &[LevelRun],
    limits: &[LimitRun],
) -> Option<Table> {
    if !has_one_curve(prediction, limits) {
        return None;
    }
    let horizon = horizon(levels);
    let share = |i: u32| f64::from(i) / f64::from(CURVE_POINTS);
    let even = (1..=CURVE_POINTS).map(|i| horizon * share(i));
    let early = (0..CURVE_POINTS).map(|i| horizon * CURVE_RANGE.powf(share(i) - 1.0));
    let mut times: Vec<f64> = even.chain(early).collect();
    times.sort_by(f64::total_cmp);
    let process = prediction.process(study);
    let tolerance = study.spec.limit.tolerance;
    let points = run_flow(
        &process,
        &prediction.landing,
        &times,
        tolerance,
        |_| 0.0,
        |_| true,
    )
    .ok()?;
    let mut values = vec![0.0; study.observables.len()];
    let mut rows = Vec::new();
    for point in points {
        study.observe(point.w.as_slice(), prediction.rank, &mut values);
        for ((name, _), value) in study.observables.iter().zip(&values) {
            rows.push(vec![
                point.time.to_string(),
                name.clone(),
                value.to_string(),
            ]);
        }
    }
    Some(Table {
        name: "curve",
        header: vec!["slow_time", "observable", "value"],
        rows,
    })
}

/// Whether all rungs are compared with the same deterministic curve.
fn has_one_curve(prediction: &Prediction, limits: &[LimitRun]) -> bool {
    prediction.is_deterministic() && matches!(limits, [limit] if limit.level.is_none())
}

/// Gradient descent without noise from a start off Γ: the fast phase, which is over before the first record.
fn fall(study: &Study, prediction: &Prediction, levels: &[LevelRun]) -> Option<Table> {
    let start = DVector::from_column_slice(&study.start);
    if (&start - &prediction.landing).norm() < FALL_LEAST * (1.0 + start.norm()) {
        return None;
    }
    let slowest = prediction.frame.smallest_eigenvalue();
    let mut rows = Vec::new();
    let mut values = vec![0.0; study.observables.len()];
    for level in levels
        .iter()
        .map(|run| &run.level)
        .filter(|level| level.arm == Arm::StepSizes)
    {
        let decays = FALL_DECAYS / (level.step_size * slowest);
        let last = (decays.ceil() as u64).clamp(1, FALL_ITERATIONS);
        let mut w = study.start.clone();
        let mut next = 1;
        for k in 1..=last {
            step(study, &mut w, level.step_size);
            if k < next && k < last {
                continue;
            }
            next = k + (k / 5).max(1);
            study.observe(&w, prediction.rank, &mut values);
            for ((name, _), value) in study.observables.iter().zip(&values) {
                rows.push(vec![
                    level.number.to_string(),
                    level.step_size.to_string(),
                    k.to_string(),
                    name.clone(),
                    value.to_string(),
                ]);
            }
        }
    }
    Some(Table {
        name: "fall",
        header: vec!["level", "step_size", "iteration", "observable", "value"],
        rows,
    })
}

/// w ← w − α∇L(w).
fn step(study: &Study, w: &mut [f64], step_size: f64) {
    let mut gradient = vec![0.0; w.len()];
    study.noisy.gradient(w, &[], &mut gradient);
    for (x, g) in w.iter_mut().zip(gradient) {
        *x -= step_size * g;
    }
}
