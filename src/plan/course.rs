//! How far a limit has moved each observable by each slow time: what a share of the effect is a share of.

use std::cell::Cell;
use std::time::Instant;

use nalgebra::DVector;

use crate::derive::{Frame, GeometryError};
use crate::limit::{EnsemblePlan, LimitProcess, run_ensemble, run_flow};
use crate::models::AnyModel;
use crate::monitor::{Monitor, phase};
use crate::scenario::Study;

/// Times of a course: as many, spread evenly in log t ...
const POINTS: u32 = 120;
/// ... over this factor before the horizon.
const RANGE: f64 = 1e4;
/// Paths of a stochastic course where a step is cheap: the root mean square is good to 4 %.
const PATHS: usize = 400;
const FEWEST_PATHS: usize = 32;
/// Dimension times rank from which paths are saved.
const CHEAP: usize = 100;
/// Time steps to the horizon of a stochastic course, where the scenario takes more.
const STEPS: f64 = 100.0;
/// A pilot has a stream of its own.
const PILOT_LEVEL: u32 = u32::MAX - 1;

/// The displacement of each observable along a limit.
#[derive(Clone, Debug)]
pub struct Course {
    /// Slow times (increasing), the last one the horizon.
    pub times: Vec<f64>,
    /// `moved[observable][time]`: |o(W(t)) − o(W(0))|; the root mean square of it for a stochastic limit.
    pub moved: Vec<Vec<f64>>,
    /// o(W(0)).
    pub initial: Vec<f64>,
    /// Seconds that a step of one path took, all threads at work; of a deterministic limit, seconds in all.
    pub seconds: f64,
}

/// What a course runs along.
pub(super) struct Track<'a> {
    pub process: LimitProcess<'a, AnyModel>,
    pub start: &'a DVector<f64>,
    pub stochastic: bool,
    /// The α of the finite-step-size correction at a slow time; 0 for the plain limit.
    pub step_size_at: &'a (dyn Fn(f64) -> f64 + Sync),
    /// Further times that are wanted.
    pub times: &'a [f64],
    /// What the monitor is told that this is.
    pub phase: &'a str,
}

impl Course {
    /// Follows the limit to the study's horizon.
    pub(super) fn run(
        study: &Study,
        track: &Track,
        monitor: &dyn Monitor,
    ) -> Result<Self, GeometryError> {
        let horizon = study.horizon();
        let spread =
            (0..POINTS).map(|i| horizon * RANGE.powf(f64::from(i) / f64::from(POINTS - 1) - 1.0));
        let mut times: Vec<f64> = spread.chain(track.times.iter().copied()).collect();
        times.retain(|&t| t > 0.0 && t <= horizon);
        times.push(horizon);
        times.sort_by(f64::total_cmp);
        times.dedup_by(|a, b| (*a - *b).abs() <= 1e-12 * horizon);
        let rank = track.process.rank;
        let observe = |w: &[f64]| {
            let mut values = vec![0.0; study.observables.len()];
            study.observe(w, rank, &mut values);
            values
        };
        let initial = observe(track.start.as_slice());
        let begin = Instant::now();
        let mut steps = 1.0;
        let rows: Vec<Vec<Vec<f64>>> = if track.stochastic {
            let size = track.start.len() * rank;
            let paths = (PATHS * CHEAP / size.max(CHEAP)).max(FEWEST_PATHS);
            let plan = EnsemblePlan {
                paths,
                first_path: 0,
                times: &times,
                time_step: study.limit_time_step().max(horizon / STEPS),
                merged: 1,
                seed: study.spec.seed,
                level: PILOT_LEVEL,
            };
            steps = paths as f64 * time_steps(&times, plan.time_step);
            let record = |_: usize, w: &DVector<f64>, _: &Frame| {
                monitor.advance(1);
                observe(w.as_slice())
            };
            let records = (track.phase, "records", paths * times.len());
            let step_size_at = track.step_size_at;
            let rows = phase(monitor, records, || {
                let (process, start) = (&track.process, track.start);
                run_ensemble(process, start, &plan, step_size_at, record, || true)
            });
            let mut whole = Vec::new();
            let mut reason = None;
            for row in rows {
                match row {
                    Ok(row) => whole.push(row),
                    Err(error) => reason = Some(error),
                }
            }
            match reason {
                Some(error) if whole.is_empty() => return Err(error),
                _ => whole,
            }
        } else {
            let tolerance = study.spec.limit.tolerance;
            let told = Cell::new(0);
            let tell = |now: f64| {
                let reached = times.partition_point(|&time| time <= now);
                monitor.advance((reached - told.replace(reached)) as u64);
                true
            };
            let step_size_at = track.step_size_at;
            let points = phase(monitor, (track.phase, "records", times.len()), || {
                let (process, start) = (&track.process, track.start);
                run_flow(process, start, &times, tolerance, step_size_at, tell)
            })?;
            vec![points.iter().map(|p| observe(p.w.as_slice())).collect()]
        };
        let moved = (0..initial.len())
            .map(|o| {
                let square = |t: usize| {
                    let away = rows.iter().map(|row| (row[t][o] - initial[o]).powi(2));
                    away.sum::<f64>() / rows.len() as f64
                };
                (0..times.len()).map(|t| square(t).sqrt()).collect()
            })
            .collect();
        Ok(Self {
            times,
            moved,
            initial,
            seconds: begin.elapsed().as_secs_f64() / steps,
        })
    }

    /// The largest displacement of an observable up to the horizon.
    pub fn total(&self, observable: usize) -> f64 {
        self.moved[observable].iter().copied().fold(0.0, f64::max)
    }

    /// The displacement of an observable at a slow time, linear between the times known; the last one beyond the horizon.
    pub fn moved_at(&self, observable: usize, time: f64) -> f64 {
        let moved = &self.moved[observable];
        let right = self.times.partition_point(|&t| t < time);
        if right == self.times.len() {
            return moved[right - 1];
        }
        let (before, from) = match right {
            0 => (0.0, 0.0),
            _ => (self.times[right - 1], moved[right - 1]),
        };
        from + (time - before) / (self.times[right] - before) * (moved[right] - from)
    }

    /// The slow time at which an observable has first moved by `share` of its total; `None` if it does not move.
    pub fn first_time(&self, observable: usize, share: f64) -> Option<f64> {
        let moved = &self.moved[observable];
        let wanted = share * self.total(observable);
        let right = moved.iter().position(|&x| x >= wanted && x > 0.0)?;
        let (before, from) = match right {
            0 => (0.0, 0.0),
            _ => (self.times[right - 1], moved[right - 1]),
        };
        let rise = moved[right] - from;
        let part = if rise > 0.0 {
            (wanted - from) / rise
        } else {
            1.0
        };
        Some(before + part * (self.times[right] - before))
    }
}

/// How many time steps a path takes that stops at each of `times`.
pub(super) fn time_steps(times: &[f64], longest: f64) -> f64 {
    let before = [0.0].into_iter().chain(times.iter().copied());
    times
        .iter()
        .zip(before)
        .map(|(t, b)| ((t - b) / longest).ceil())
        .sum()
}
