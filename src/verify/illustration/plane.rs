//! Two-dimensional models in the plane of their parameters: the loss on a grid, Γ, the limit, and some paths of iterates.

use nalgebra::{DMatrix, DVector};

use super::{Table, has_one_curve, horizon};
use crate::derive::{Frame, project};
use crate::descent::{DescentPlan, StepSizes, run_descent};
use crate::limit::{EnsemblePlan, run_ensemble, run_flow};
use crate::models::{Injection, Model};
use crate::predict::Prediction;
use crate::scenario::{Arm, Study};
use crate::simulate::{LevelRun, LimitRun};

/// Points of the grid in either direction.
const GRID: usize = 61;
/// Records of a path.
const RECORDS: u32 = 240;
/// Paths of the iterates on a rung, and of a stochastic limit.
const PATHS: usize = 2;
/// Longer rungs are left out.
const MOST_ITERATIONS: u64 = 2_000_000;
/// Room around what is shown, as a share of its size.
const ROOM: f64 = 0.2;
/// Steps along Γ across the window.
const STEPS: f64 = 120.0;
/// The stream of the limit's paths shown here, apart from those that are compared.
const STREAM: u32 = u32::MAX - 1;

/// Level, path, slow time or iteration, and the point.
type Row = (Option<u32>, Option<usize>, Option<f64>, [f64; 2]);

/// `plane.csv`; none for models with more or fewer than two parameters.
pub fn table(
    study: &Study,
    prediction: &Prediction,
    levels: &[LevelRun],
    limits: &[LimitRun],
) -> Option<Table> {
    let start: [f64; 2] = study.start.as_slice().try_into().ok()?;
    let landing: [f64; 2] = prediction.landing.as_slice().try_into().ok()?;
    let limit = limit(study, prediction, levels, limits);
    let ladder: Vec<_> = levels
        .iter()
        .filter(|run| run.level.arm == Arm::StepSizes)
        .collect();
    let mut shown = vec![*ladder.first()?, *ladder.last()?];
    shown.dedup_by_key(|run| run.level.number);
    let iterates: Vec<Row> = shown
        .iter()
        .flat_map(|run| iterates(study, prediction, run))
        .collect();
    let points = || limit.iter().chain(&iterates).map(|row| row.3);
    let window = Window::around(points().chain([start, landing]));
    let names = study.noisy.model().parameter_names();
    let mut rows = Vec::new();
    let mut push = |kind: &str, (level, path, at, point): Row| {
        let text = |x: Option<String>| x.unwrap_or_default();
        rows.push(vec![
            kind.to_owned(),
            text(level.map(|level| level.to_string())),
            text(path.map(|path| path.to_string())),
            text(at.map(|at| at.to_string())),
            names[0].clone(),
            point[0].to_string(),
            names[1].clone(),
            point[1].to_string(),
            loss(study, &point).to_string(),
        ]);
    };
    push("start", (None, None, None, start));
    push("landing", (None, None, None, landing));
    for point in window.grid() {
        push("loss", (None, None, None, point));
    }
    for (branch, sign) in [1.0, -1.0].into_iter().enumerate() {
        for point in manifold(study, prediction, &window, sign) {
            push("manifold", (None, Some(branch), None, point));
        }
    }
    for row in limit {
        push("limit", row);
    }
    for row in iterates {
        push("iterates", row);
    }
    Some(Table {
        name: "plane",
        header: vec![
            "kind", "level", "path", "at", "x_name", "x", "y_name", "y", "loss",
        ],
        rows,
    })
}

fn loss(study: &Study, w: &[f64]) -> f64 {
    study.noisy.model().loss(w, &Injection::<f64>::NONE)
}

struct Window {
    lower: [f64; 2],
    upper: [f64; 2],
}

impl Window {
    /// With some room, and the same scale in both directions.
    fn around(points: impl Iterator<Item = [f64; 2]>) -> Self {
        let (mut lower, mut upper) = ([f64::INFINITY; 2], [f64::NEG_INFINITY; 2]);
        for point in points.filter(|point| point.iter().all(|x| x.is_finite())) {
            lower = [lower[0].min(point[0]), lower[1].min(point[1])];
            upper = [upper[0].max(point[0]), upper[1].max(point[1])];
        }
        let sizes = [0, 1].map(|i| upper[i] - lower[i]);
        let size = sizes[0].max(sizes[1]).max(0.1) * (1.0 + 2.0 * ROOM);
        let centre = [0, 1].map(|i| 0.5 * (lower[i] + upper[i]));
        Self {
            lower: centre.map(|c| c - 0.5 * size),
            upper: centre.map(|c| c + 0.5 * size),
        }
    }

    fn grid(&self) -> impl Iterator<Item = [f64; 2]> {
        let at = |i: usize, axis: usize| {
            let share = i as f64 / (GRID - 1) as f64;
            self.lower[axis] + share * (self.upper[axis] - self.lower[axis])
        };
        (0..GRID).flat_map(move |j| (0..GRID).map(move |i| [at(i, 0), at(j, 1)]))
    }

    fn contains(&self, point: &[f64; 2]) -> bool {
        (0..2).all(|i| self.lower[i] <= point[i] && point[i] <= self.upper[i])
    }
}

/// Γ from the landing point in one direction, until it leaves the window or closes.
fn manifold(study: &Study, prediction: &Prediction, window: &Window, sign: f64) -> Vec<[f64; 2]> {
    let step = (window.upper[0] - window.lower[0]) / STEPS;
    let landing = &prediction.landing;
    let mut points = Vec::new();
    let mut w = landing.clone();
    let mut along = match tangent(&prediction.frame) {
        Some(tangent) => tangent * sign,
        None => return points,
    };
    for i in 0..(8.0 * STEPS) as usize {
        let point = [w[0], w[1]];
        points.push(point);
        let closed = i > 4 && (&w - landing).norm() < step;
        if !window.contains(&point) || closed {
            break;
        }
        let Ok((next, frame)) = project(&study.noisy, &(&w + &along * step), prediction.rank)
        else {
            break;
        };
        let Some(turned) = tangent(&frame) else { break };
        along = if turned.dot(&along) < 0.0 {
            -turned
        } else {
            turned
        };
        w = next;
    }
    points
}

/// The tangent of a curve in the plane; none where Γ is a point or the plane.
fn tangent(frame: &Frame) -> Option<DVector<f64>> {
    let normal: &DMatrix<f64> = &frame.normal;
    (normal.ncols() == 1).then(|| DVector::from_vec(vec![-normal[(1, 0)], normal[(0, 0)]]))
}

/// The deterministic limit, or some paths of a stochastic one.
fn limit(
    study: &Study,
    prediction: &Prediction,
    levels: &[LevelRun],
    limits: &[LimitRun],
) -> Vec<Row> {
    let horizon = horizon(levels);
    let process = prediction.process(study);
    let times = |count: u32| -> Vec<f64> {
        (1..=count)
            .map(|i| horizon * f64::from(i) / f64::from(count))
            .collect()
    };
    if has_one_curve(prediction, limits) {
        let tolerance = study.spec.limit.tolerance;
        let flow = run_flow(
            &process,
            &prediction.landing,
            &times(80),
            tolerance,
            |_| 0.0,
            |_| true,
        );
        let row = |point: &crate::limit::FlowPoint| {
            (None, Some(0), Some(point.time), [point.w[0], point.w[1]])
        };
        return flow.map_or(Vec::new(), |points| points.iter().map(row).collect());
    }
    if prediction.is_deterministic() {
        return Vec::new();
    }
    let times = times(RECORDS);
    let plan = EnsemblePlan {
        paths: PATHS,
        first_path: 0,
        times: &times,
        time_step: study.limit_time_step(),
        merged: 1,
        seed: study.spec.seed,
        level: STREAM,
    };
    let keep = |_: usize, w: &DVector<f64>, _: &Frame| [w[0], w[1]];
    let paths = run_ensemble(&process, &prediction.landing, &plan, |_| 0.0, keep, || true);
    let mut rows = Vec::new();
    for (path, points) in paths.into_iter().enumerate() {
        let points = points.unwrap_or_default();
        rows.extend(
            points
                .into_iter()
                .zip(&times)
                .map(|(point, &t)| (None, Some(path), Some(t), point)),
        );
    }
    rows
}

/// The first paths of a rung: the very ones that are compared.
fn iterates(study: &Study, prediction: &Prediction, run: &LevelRun) -> Vec<Row> {
    let last = run.iterations.last().copied().unwrap_or(0);
    if last == 0 || last > MOST_ITERATIONS {
        return Vec::new();
    }
    let clock = prediction.level_clock(study, &run.level);
    let mut records: Vec<u64> = (1..=RECORDS)
        .map(|i| last * u64::from(i) / u64::from(RECORDS))
        // The first steps, in which they fall onto Γ.
        .chain((0..24).map(|i| 1.25f64.powi(i) as u64))
        .filter(|&k| 0 < k && k <= last)
        .collect();
    records.sort_unstable();
    records.dedup();
    let schedule = |k| clock.step_size(k);
    let plan = DescentPlan {
        start: &study.start,
        step_sizes: if clock.is_constant() {
            StepSizes::Constant(schedule(0))
        } else {
            StepSizes::Schedule(&schedule)
        },
        sigma: run.level.sigma,
        paths: PATHS,
        first_path: 0,
        record_at: &records,
        values_per_record: 2,
        seed: study.spec.seed,
        level: run.level.number,
        shared_streams: study.spec.ladder.shared_streams,
    };
    let keep = |_: usize, w: &[f64], out: &mut [f64]| out.copy_from_slice(&w[..2]);
    let (model, sources) = (study.noisy.model(), study.noisy.sources());
    let done = run_descent(model, sources, &plan, &keep, &|_| true);
    let mut rows = Vec::new();
    for path in 0..PATHS {
        for (record, &k) in records.iter().enumerate() {
            let at = 2 * (path * records.len() + record);
            let point = [done.values[at], done.values[at + 1]];
            if point.iter().all(|x| x.is_finite()) {
                rows.push((Some(run.level.number), Some(path), Some(k as f64), point));
            }
        }
    }
    rows
}
