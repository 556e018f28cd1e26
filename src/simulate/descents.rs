//! The ensembles of iterates of all rungs, and where along the iterations they are recorded.

use super::{Monitor, Samples};
use crate::derive::Regime;
use crate::descent::{DescentPlan, Divergence, StepSizes, run_descent};
use crate::predict::Prediction;
use crate::scalar::LANES;
use crate::scenario::{Clock, Level, LevelClock, Study};

/// How many further records the measurement of the time scale gets, spread evenly in log k ...
const CLOCK_RECORDS: u32 = 36;
/// ... over this factor before the horizon.
const CLOCK_RANGE: f64 = 4096.0;
/// A rung is run in batches of paths, at most so many ...
const MOST_BATCHES: usize = 32;
/// ... of at least so many steps times parameters, so that what is finished can be kept if the run is stopped, ...
const BATCH_WORK: f64 = 2e9;
/// ... and of at least so many paths for each thread, so that none waits for long.
const BATCH_PATHS: usize = 4 * 8 * LANES;
/// The fast phase is over when its slowest mode has decayed by e^−30.
const FAST_PHASE_DECAYS: f64 = 30.0;

/// The ensemble of one rung.
#[derive(Clone, Debug)]
pub struct LevelRun {
    /// The rung.
    pub level: Level,
    /// Iterations of the records (increasing).
    pub iterations: Vec<u64>,
    /// Their slow times.
    pub slow_times: Vec<f64>,
    /// The records at which all observables are compared; at the others only the first observable was taken.
    pub compared: Vec<usize>,
    /// The record after the fast phase; only in the trivial regime, where displacements are counted from it.
    pub settled: Option<usize>,
    /// All values.
    pub samples: Samples,
    /// Diverged paths.
    pub diverged: Vec<Divergence>,
}

impl LevelRun {
    /// The fault: what is compared at a record becomes what was found at the one before. `values` of some paths.
    fn label_late(&self, values: &mut [f64]) {
        let Samples { records, width, .. } = self.samples;
        for path in values.chunks_mut((records * width).max(1)) {
            for pair in self.compared.windows(2).rev() {
                let [from, to] = [pair[0] * width, pair[1] * width];
                path.copy_within(from..from + width, to);
            }
        }
    }

    /// Iterations times paths.
    pub fn path_steps(&self) -> u64 {
        self.steps_of(self.level.paths)
    }

    /// Iterations times the paths that are simulated.
    pub fn steps_done(&self) -> u64 {
        self.steps_of(self.samples.paths)
    }

    fn steps_of(&self, paths: usize) -> u64 {
        let iterations = self.iterations.last().copied().unwrap_or(0);
        iterations.saturating_mul(paths as u64)
    }

    /// Keeps the first paths only.
    pub fn truncate(&mut self, paths: usize) {
        let kept = paths.min(self.samples.paths);
        let Samples { records, width, .. } = self.samples;
        self.samples.values.truncate(kept * records * width);
        self.samples.paths = kept;
        self.diverged.retain(|divergence| divergence.path < kept);
        self.level.paths = paths;
    }

    /// Paths that are asked for and not yet simulated.
    pub fn missing_paths(&self) -> usize {
        self.level.paths.saturating_sub(self.samples.paths)
    }

    /// Whether an observable was taken at a record: all where it is compared, only the first one elsewhere.
    pub fn is_taken(&self, record: usize, observable: usize) -> bool {
        observable == 0 || self.compared.contains(&record) || self.settled == Some(record)
    }
}

/// Simulates the paths that the rungs still lack: all of them for rungs as planned by [`plan_levels`], the further ones for
/// rungs whose `level.paths` was raised. Either way the result is that of one run with so many paths, bit by bit. If the
/// monitor says to stop, the paths finished until then are kept; [`are_complete`] tells.
pub fn run_levels(
    study: &Study,
    prediction: &Prediction,
    planned: Vec<LevelRun>,
    monitor: &dyn Monitor,
) -> Vec<LevelRun> {
    monitor.begin(
        "iterates",
        "path-steps",
        planned
            .iter()
            .map(|run| run.steps_of(run.missing_paths()))
            .sum(),
    );
    let run = |planned| run_level(study, prediction, planned, monitor);
    let runs = planned.into_iter().map(run).collect();
    monitor.end();
    runs
}

/// Whether all rungs have all their paths.
pub fn are_complete(runs: &[LevelRun]) -> bool {
    runs.iter().all(|run| run.missing_paths() == 0)
}

/// The rungs with their record times, nothing simulated yet: all that the limit needs to know of the iterates.
pub fn plan_levels(study: &Study, prediction: &Prediction) -> Vec<LevelRun> {
    let plan = |level: &Level| {
        let records = Records::plan(study, prediction, level);
        let clock = prediction.level_clock(study, level);
        LevelRun {
            level: *level,
            slow_times: clock.slow_times(&records.iterations),
            samples: Samples {
                paths: 0,
                records: records.iterations.len(),
                width: study.observables.len(),
                values: Vec::new(),
            },
            diverged: Vec::new(),
            iterations: records.iterations,
            compared: records.compared,
            settled: records.settled,
        }
    };
    study.levels.iter().map(plan).collect()
}

struct Records {
    iterations: Vec<u64>,
    compared: Vec<usize>,
    settled: Option<usize>,
}

impl Records {
    fn plan(study: &Study, prediction: &Prediction, level: &Level) -> Self {
        let clock = prediction.level_clock(study, level);
        let (mut compared, mut further, mut settled) = (Vec::new(), Vec::new(), None);
        compared.extend(study.record_times.iter().map(|&t| clock.iterations(t)));
        let horizon = clock.iterations(study.horizon());
        if prediction.regime() == Regime::Trivial {
            let slowest = prediction.frame.eigenvalues[prediction.rank - 1];
            let end = (FAST_PHASE_DECAYS / (level.step_size * slowest)).ceil() as u64;
            let fast = LevelClock::new(&study.schedule, Clock::Fast, level.step_size, level.sigma);
            compared.extend(study.record_times.iter().map(|&t| fast.iterations(t)));
            compared.retain(|&k| k > end);
            compared.push(horizon.max(2 * end));
            further.push(end);
            settled = Some(end);
        } else {
            further.extend((0..CLOCK_RECORDS).map(|i| {
                let share = f64::from(i) / f64::from(CLOCK_RECORDS);
                (horizon as f64 * CLOCK_RANGE.powf(share - 1.0)).ceil() as u64
            }));
        }
        let mut iterations: Vec<_> = compared.iter().copied().chain(further).collect();
        iterations.sort_unstable();
        iterations.dedup();
        let position = |k: &u64| iterations.binary_search(k).ok();
        let mut compared: Vec<_> = compared.iter().filter_map(position).collect();
        compared.sort_unstable();
        compared.dedup();
        Self {
            settled: settled.as_ref().and_then(position),
            compared,
            iterations,
        }
    }
}

fn run_level(
    study: &Study,
    prediction: &Prediction,
    mut run: LevelRun,
    monitor: &dyn Monitor,
) -> LevelRun {
    let begun = run.samples.paths;
    let work = run.steps_of(run.missing_paths()) as f64 * study.noisy.dimension() as f64;
    let batches = ((work / BATCH_WORK) as usize).clamp(1, MOST_BATCHES);
    let least = BATCH_PATHS * rayon::current_num_threads();
    let batch = run.missing_paths().div_ceil(batches).max(least);
    // Whole blocks.
    let batch = batch.next_multiple_of(8 * LANES);
    while run.missing_paths() > 0 && !monitor.is_cancelled() {
        let paths = run.missing_paths().min(batch);
        run_paths(study, prediction, &mut run, paths, monitor);
    }
    if run.samples.paths > begun {
        tracing::info!(
            step_size = run.level.step_size,
            sigma = run.level.sigma,
            paths = run.samples.paths - begun,
            diverged = run.diverged.len(),
            "rung simulated"
        );
    }
    run
}

/// Adds so many paths to a rung; none if the monitor says to stop on the way.
fn run_paths(
    study: &Study,
    prediction: &Prediction,
    planned: &mut LevelRun,
    paths: usize,
    monitor: &dyn Monitor,
) {
    let level = planned.level;
    let clock = prediction.level_clock(study, &level);
    let width = study.observables.len();
    // Costly observables only where they are compared.
    let full: Vec<bool> = (0..planned.iterations.len())
        .map(|record| planned.is_taken(record, width))
        .collect();
    let schedule = |k| clock.step_size(k);
    let plan = DescentPlan {
        start: &study.start,
        step_sizes: if clock.is_constant() {
            StepSizes::Constant(schedule(0))
        } else {
            StepSizes::Schedule(&schedule)
        },
        sigma: level.sigma,
        paths,
        first_path: planned.samples.paths,
        record_at: &planned.iterations,
        values_per_record: width,
        seed: study.spec.seed,
        level: level.number,
        shared_streams: study.spec.ladder.shared_streams,
    };
    let observe = |record: usize, w: &[f64], out: &mut [f64]| {
        let count = if full[record] { width } else { 1 };
        study.observe(w, prediction.rank, &mut out[..count]);
    };
    let progress = |steps| {
        monitor.advance(steps);
        !monitor.is_cancelled()
    };
    let (model, sources) = (study.noisy.model(), study.noisy.sources());
    let run = run_descent(model, sources, &plan, &observe, &progress);
    // Whether it got to its end can't be told, so what was under way is left off.
    if monitor.is_cancelled() {
        return;
    }
    let mut values = run.values;
    if study.spec.ladder.late_labels {
        planned.label_late(&mut values);
    }
    planned.samples.values.extend(values);
    planned.samples.paths += paths;
    planned.diverged.extend(run.diverged);
}
