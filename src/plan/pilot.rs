//! Short runs of the real iterates: how fast they are on this machine, and how widely the observables spread.

use std::time::Instant;

use crate::monitor::{Monitor, Silent, phase};
use crate::predict::Prediction;
use crate::scalar::LANES;
use crate::scenario::{Level, Study};
use crate::simulate::{LevelRun, Samples, run_levels};
use crate::verify::Rate;

/// A timing this long is good to some percent.
const TIMING_SECONDS: f64 = 0.12;
const FIRST_STEPS: u64 = 200;
/// Paths of a pilot of the spread, where they are cheap: a standard deviation is good to 5 % (9 % with the fewer).
const PATHS: usize = 256;
const FEWER_PATHS: usize = 64;
/// What the pilots of the spread may take on one rung, and in all.
const RUNG_SECONDS: f64 = 1.0;
const ALL_SECONDS: f64 = 3.0;

/// The ensemble of a rung with other records or paths.
fn ensemble(level: &Level, paths: usize, iterations: Vec<u64>, compared: Vec<usize>) -> LevelRun {
    LevelRun {
        level: Level { paths, ..*level },
        slow_times: vec![0.0; iterations.len()],
        samples: Samples {
            paths: 0,
            records: iterations.len(),
            width: 0,
            values: Vec::new(),
        },
        diverged: Vec::new(),
        iterations,
        compared,
        settled: None,
    }
}

fn run(study: &Study, prediction: &Prediction, planned: LevelRun) -> LevelRun {
    let width = study.observables.len();
    let mut run = run_levels(study, prediction, vec![planned], &Silent).remove(0);
    run.samples.width = width;
    run
}

/// How fast the iterates of a rung are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    /// Iterations a second of a block of eight paths, with as many blocks at work as there will be.
    pub block_steps: f64,
    /// Blocks that are at work at a time.
    pub blocks_at_once: usize,
    /// Seconds to take all observables of one path once.
    pub observation: f64,
}

impl Pace {
    /// Measures it.
    pub(super) fn measure(study: &Study, prediction: &Prediction, planned: &LevelRun) -> Self {
        let blocks = planned.level.paths.div_ceil(LANES);
        let blocks_at_once = blocks.min(rayon::current_num_threads());
        let mut steps = FIRST_STEPS;
        let seconds = loop {
            let short = ensemble(&planned.level, blocks_at_once * LANES, vec![steps], vec![]);
            let begin = Instant::now();
            run(study, prediction, short);
            let seconds = begin.elapsed().as_secs_f64();
            if seconds >= 0.5 * TIMING_SECONDS {
                break seconds;
            }
            let factor = (TIMING_SECONDS / seconds.max(1e-6)).clamp(2.0, 50.0);
            steps = (steps as f64 * factor) as u64;
        };
        let mut values = vec![0.0; study.observables.len()];
        let (mut count, begin) = (0, Instant::now());
        while count == 0 || (begin.elapsed().as_secs_f64() < 0.005 && count < 1000) {
            study.observe(prediction.landing.as_slice(), prediction.rank, &mut values);
            count += 1;
        }
        Self {
            block_steps: steps as f64 / seconds,
            blocks_at_once,
            observation: begin.elapsed().as_secs_f64() / f64::from(count),
        }
    }

    /// Path-steps a second.
    pub fn path_steps(&self) -> f64 {
        self.block_steps * (self.blocks_at_once * LANES) as f64
    }

    /// Seconds that an ensemble will take.
    pub fn seconds(&self, paths: usize, iterations: u64, records: usize) -> f64 {
        let rounds = paths.div_ceil(LANES).div_ceil(self.blocks_at_once) as f64;
        let observing = (paths * records) as f64 * self.observation / self.blocks_at_once as f64;
        rounds * iterations as f64 / self.block_steps + observing
    }
}

/// The standard deviations of the observables on the rungs of the ladder.
#[derive(Clone, Debug)]
pub struct Spread {
    /// `[rung][record][observable]`: of o, and of (o − o(W(0)))².
    pub deviations: Vec<Vec<Vec<[f64; 2]>>>,
    /// Rungs that were measured; the finer ones are scaled by the derived rate.
    pub measured: usize,
    /// Where it was too long to the horizon, the share of its iterations that was measured.
    pub shortened: Option<f64>,
}

impl Spread {
    /// Measures as many rungs, from the coarsest on, as can be had in a few seconds.
    pub(super) fn measure(
        study: &Study,
        prediction: &Prediction,
        ladder: &[&LevelRun],
        paces: &[Pace],
        initial: &[f64],
        monitor: &dyn Monitor,
    ) -> Self {
        phase(monitor, ("pilots", "rungs", ladder.len()), || {
            Self::of(study, prediction, ladder, paces, initial, monitor)
        })
    }

    fn of(
        study: &Study,
        prediction: &Prediction,
        ladder: &[&LevelRun],
        paces: &[Pace],
        initial: &[f64],
        monitor: &dyn Monitor,
    ) -> Self {
        let rate = Rate::slowest(study, prediction);
        let mut spread = Self {
            deviations: Vec::new(),
            measured: 0,
            shortened: None,
        };
        let begin = Instant::now();
        for (rung, planned) in ladder.iter().enumerate() {
            let records: Vec<u64> = planned
                .compared
                .iter()
                .map(|&r| planned.iterations[r])
                .collect();
            let horizon = records[records.len() - 1];
            let cost = |paths, iterations| paces[rung].seconds(paths, iterations, records.len());
            let left = RUNG_SECONDS.min(ALL_SECONDS - begin.elapsed().as_secs_f64());
            let affordable = [PATHS, FEWER_PATHS]
                .into_iter()
                .find(|&paths| cost(paths, horizon) <= left);
            let (paths, iterations) = match affordable {
                Some(paths) => (paths, records.clone()),
                None if rung == 0 => {
                    let most = (horizon as f64 * RUNG_SECONDS / cost(FEWER_PATHS, horizon)) as u64;
                    spread.shortened = Some(most as f64 / horizon as f64);
                    let mut known: Vec<_> = records.iter().copied().filter(|&k| k < most).collect();
                    known.push(most.max(1));
                    (FEWER_PATHS, known)
                }
                None => {
                    spread.scale_from_the_last(ladder, |run| match prediction.is_deterministic() {
                        true => rate.at(&run.level),
                        false => 1.0,
                    });
                    break;
                }
            };
            let count = iterations.len();
            let run = run(
                study,
                prediction,
                ensemble(&planned.level, paths, iterations, (0..count).collect()),
            );
            let at = |record: usize| {
                // Beyond what was measured: as at its end.
                let record = record.min(count - 1);
                let of = |o: usize| {
                    let sd = |f: &dyn Fn(f64) -> f64| {
                        run.samples.moments(record, o, f).variance().sqrt()
                    };
                    [sd(&|x| x), sd(&|x| (x - initial[o]).powi(2))]
                };
                (0..initial.len()).map(of).collect()
            };
            spread.deviations.push((0..records.len()).map(at).collect());
            spread.measured += 1;
            monitor.advance(1);
        }
        spread
    }

    fn scale_from_the_last(&mut self, ladder: &[&LevelRun], rate: impl Fn(&LevelRun) -> f64) {
        let last = self.measured - 1;
        for run in &ladder[self.measured..] {
            let factor = rate(run) / rate(ladder[last]);
            let mut scaled = self.deviations[last].clone();
            for pair in scaled.iter_mut().flatten() {
                *pair = pair.map(|sd| sd * factor);
            }
            self.deviations.push(scaled);
        }
    }
}
