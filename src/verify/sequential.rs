//! Paths added in stages until the verdict is settled: each stage has a share of the level, so that looking again and again
//! does not raise the probability of a wrong conclusion.

use std::time::{Duration, Instant};

use super::{Check, Subject, Table, Verdict, verify_watched};
use crate::derive::GeometryError;
use crate::predict::Prediction;
use crate::scenario::Study;
use crate::simulate::{
    LevelRun, LimitRun, Monitor, Simulation, are_complete, enlarged, extend_limits, plan_levels,
    plan_limits, run_levels,
};
use crate::statistics::{Outcome, doublings_needed, stage_level, std_error_of};

/// What these checks find does not depend on the number of paths.
pub(super) const NOT_SAMPLED: [&str; 6] = [
    "ladder",
    "fast phase",
    "separation",
    "divergence",
    "limit paths",
    "error budget",
];
/// A standard error that is still above this share of its value after two doublings of the paths (½ by theory) is not made
/// of noise.
const SHRINKS_TO: f64 = 0.9;
/// The factor on the paths is 2^(stage − 1).
const MOST_STAGES: usize = 30;

/// One look at the evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// From 1.
    pub number: u32,
    /// How many times the scenario's paths.
    pub factor: usize,
    /// Paths on all rungs.
    pub paths: usize,
    /// Paths of the limit; 1 if it is deterministic.
    pub limit_paths: usize,
    /// Level of its tests.
    pub level: f64,
    /// What it found.
    pub verdict: Outcome,
    /// Wall time of this stage in seconds.
    pub seconds: f64,
}

/// Why no further stage is run.
#[derive(Clone, Debug, PartialEq)]
pub enum Stop {
    /// The verdict is pass or rejected.
    Settled,
    /// These checks would stay inconclusive with any number of paths.
    Structural(Vec<String>),
    /// The next stage would take so many seconds, and fewer are left.
    Budget {
        /// Predicted from the stages so far.
        next_seconds: f64,
    },
    /// The next stage would not fit in memory.
    Memory,
    /// Asked for.
    Requested,
}

/// A study that is verified in stages, each with twice the paths of the one before.
pub struct Sequential<'a> {
    declared: &'a Study,
    prediction: &'a Prediction,
    levels: Vec<LevelRun>,
    limits: Vec<LimitRun>,
    verdict: Option<Verdict>,
    stages: Vec<Stage>,
    /// The checks of each stage.
    history: Vec<Vec<Check>>,
    /// Seconds of simulation so far, those of the iterates among them, and of the last comparison.
    simulating: f64,
    descending: f64,
    comparing: f64,
}

impl<'a> Sequential<'a> {
    /// Nothing simulated yet.
    pub fn new(declared: &'a Study, prediction: &'a Prediction) -> Self {
        let levels = plan_levels(declared, prediction);
        let limits = plan_limits(declared, prediction, &levels);
        Self::from_parts(declared, prediction, levels, limits)
    }

    /// Of the first stage, these rungs and limits are there in part.
    pub fn from_parts(
        declared: &'a Study,
        prediction: &'a Prediction,
        levels: Vec<LevelRun>,
        limits: Vec<LimitRun>,
    ) -> Self {
        Self {
            declared,
            prediction,
            levels,
            limits,
            verdict: None,
            stages: Vec::new(),
            history: Vec::new(),
            simulating: 0.0,
            descending: 0.0,
            comparing: 0.0,
        }
    }

    /// The study of stage j: 2^(j−1) times the paths, at the level left for that stage.
    fn study_of(&self, stage: usize) -> Study {
        let factor = 1_usize.checked_shl(stage as u32 - 1).unwrap_or(usize::MAX);
        let mut study = enlarged(self.declared, factor);
        study.spec.margins.level = stage_level(self.declared.spec.margins.level, stage as u32);
        study
    }

    /// Runs the next stage: simulates its new paths and compares all.
    ///
    /// # Errors
    /// The limit can't be continued. If the monitor says to stop, [`GeometryError::Cancelled`]; everything is then as after
    /// the stage before, or of the first stage what is there.
    pub fn advance(&mut self, monitor: &dyn Monitor) -> Result<&Stage, GeometryError> {
        let kept: Vec<_> = self.levels.iter().map(|run| run.samples.paths).collect();
        let limits = if self.stages.is_empty() {
            Vec::new()
        } else {
            self.limits.clone()
        };
        if let Err(error) = self.run_stage(monitor) {
            if !self.stages.is_empty() {
                let levels = self.levels.iter_mut();
                levels
                    .zip(kept)
                    .for_each(|(run, paths)| run.truncate(paths));
                self.limits = limits;
            }
            return Err(error);
        }
        Ok(&self.stages[self.stages.len() - 1])
    }

    fn run_stage(&mut self, monitor: &dyn Monitor) -> Result<(), GeometryError> {
        let begin = Instant::now();
        let number = self.stages.len() + 1;
        let study = self.study_of(number);
        for (run, level) in self.levels.iter_mut().zip(&study.levels) {
            run.level = *level;
        }
        let prediction = self.prediction;
        extend_limits(&study, prediction, &self.levels, &mut self.limits, monitor)?;
        let descent = Instant::now();
        let levels = std::mem::take(&mut self.levels);
        self.levels = run_levels(&study, prediction, levels, monitor);
        self.descending += descent.elapsed().as_secs_f64();
        if !are_complete(&self.levels) {
            return Err(GeometryError::Cancelled);
        }
        let simulated = begin.elapsed();
        let simulation = Simulation::of(&study, prediction, &self.levels, &self.limits, monitor);
        if monitor.is_cancelled() {
            return Err(GeometryError::Cancelled);
        }
        let verdict = verify_watched(&study, prediction, &simulation, monitor);
        self.simulating += simulated.as_secs_f64();
        self.comparing = (begin.elapsed() - simulated).as_secs_f64();
        self.history.push(verdict.checks.clone());
        self.stages.push(Stage {
            number: number as u32,
            factor: 1 << (number - 1),
            paths: self.levels.iter().map(|run| run.samples.paths).sum(),
            limit_paths: self.limits.iter().map(|run| run.samples.paths).sum(),
            level: study.spec.margins.level,
            verdict: verdict.verdict,
            seconds: begin.elapsed().as_secs_f64(),
        });
        self.verdict = Some(verdict);
        Ok(())
    }

    /// The stages so far.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// The iterates and the limits so far.
    pub fn into_parts(self) -> (Vec<LevelRun>, Vec<LimitRun>) {
        (self.levels, self.limits)
    }

    /// Whether and why to stop after the stages so far, with so much of the budget left.
    pub fn stop(&self, budget_left: Duration) -> Option<Stop> {
        let last = self.stages.last()?;
        if last.verdict != Outcome::Inconclusive {
            return Some(Stop::Settled);
        }
        let levels: Vec<_> = self.stages.iter().map(|stage| stage.level).collect();
        let stuck = stuck(&self.history, &levels);
        if !stuck.is_empty() {
            return Some(Stop::Structural(stuck));
        }
        if self.stages.len() >= MOST_STAGES
            || self
                .study_of(self.stages.len() + 1)
                .fits_in_memory()
                .is_err()
        {
            return Some(Stop::Memory);
        }
        // As many new paths as there are, and twice as many to compare.
        let next_seconds = self.simulating + 2.0 * self.comparing;
        (next_seconds > budget_left.as_secs_f64()).then_some(Stop::Budget { next_seconds })
    }

    /// Seconds that the simulation of the iterates took so far.
    pub fn descent_seconds(&self) -> f64 {
        self.descending
    }

    /// The ensembles, and the verdict of the last stage with what led there; `None` before the first stage.
    pub fn finish(self, stop: &Stop) -> Option<(Vec<LevelRun>, Vec<LimitRun>, Verdict)> {
        let remedy = self.remedy(stop);
        let mut verdict = self.verdict?;
        verdict.sentence.push_str(&remedy);
        verdict.false_alarm_rate = 2.0 * self.declared.spec.margins.level;
        verdict.subject = Some(Subject::of(self.declared));
        verdict.tables.push(table(&self.stages));
        Some((self.levels, self.limits, verdict))
    }

    /// What else to do, in words; empty where the verdict is settled.
    fn remedy(&self, stop: &Stop) -> String {
        let why = match stop {
            Stop::Settled => return String::new(),
            Stop::Structural(checks) => {
                return format!(
                    "; more paths will not settle it: {}; the checks' details say what would",
                    checks.join(", ")
                );
            }
            Stop::Budget { next_seconds } => {
                format!("the next stage would take {} more", in_words(*next_seconds))
            }
            Stop::Memory => "the next stage would not fit in memory".into(),
            Stop::Requested => "stopped on request".into(),
        };
        let spent: f64 = self.stages.iter().map(|stage| stage.seconds).sum();
        let needed = match self.doublings_needed() {
            Some(doublings) => {
                let factor = 2_f64.powi(doublings as i32);
                let factor = if factor < 1e5 {
                    format!("{factor}")
                } else {
                    format!("{factor:.0e}")
                };
                format!(
                    "about {factor} × the paths would settle it, {} in all",
                    in_words(spent * 2_f64.powi(doublings as i32))
                )
            }
            None => "how many paths would settle it can't be told".into(),
        };
        format!("; {why}; {needed}")
    }

    /// Doublings after which every inconclusive check should be settled, if its estimate stays where it is.
    fn doublings_needed(&self) -> Option<u32> {
        let level = self.declared.spec.margins.level;
        let undecided = self
            .history
            .last()?
            .iter()
            .filter(|check| check.verdict == Outcome::Inconclusive);
        undecided
            .map(|check| {
                let (estimate, interval) = (check.estimate?, check.interval?);
                let away = (estimate - check.null?).abs();
                let to_the_edge = (away - check.margin.unwrap_or(0.0)).abs();
                let half_width = (interval.upper - estimate).max(estimate - interval.lower);
                doublings_needed(half_width, to_the_edge, level, self.stages.len() as u32)
            })
            .try_fold(None, |most: Option<u32>, needed| {
                Some(most.max(Some(needed?)))
            })?
    }
}

/// Names of the checks that stay inconclusive with any number of paths, judged from the checks of all stages so far.
fn stuck(history: &[Vec<Check>], levels: &[f64]) -> Vec<String> {
    let Some((last, earlier)) = history.split_last() else {
        return Vec::new();
    };
    // The stage with a quarter of the paths, and that with half of them.
    let quarter = earlier
        .len()
        .checked_sub(2)
        .map(|i| (&earlier[i], levels[i]));
    let half = earlier.last();
    let mut names: Vec<String> = Vec::new();
    for (i, check) in last.iter().enumerate() {
        if check.verdict != Outcome::Inconclusive {
            continue;
        }
        // A study asks the same questions at every stage, in the same order; if not, nothing is said.
        let same = |checks: &[Check]| {
            let other = checks.get(i).filter(|other| other.title() == check.title());
            (checks.len() == last.len())
                .then_some(other)
                .flatten()
                .cloned()
        };
        let is_stuck = NOT_SAMPLED.contains(&check.name.as_str())
            || match (check.estimate, check.interval) {
                (Some(estimate), Some(interval)) => {
                    let inside = match (check.null, check.margin) {
                        (Some(null), Some(margin)) => interval.inside(null - margin, null + margin),
                        _ => false,
                    };
                    let before = quarter.and_then(|(checks, level)| {
                        let other = same(checks)?;
                        Some(std_error_of(other.estimate?, other.interval?, level))
                    });
                    let now = std_error_of(estimate, interval, levels[earlier.len()]);
                    inside || before.is_some_and(|before| now > SHRINKS_TO * before)
                }
                _ => [half, quarter.map(|(checks, _)| checks)]
                    .iter()
                    .all(|checks| {
                        let before = checks.and_then(|checks| same(checks));
                        before.is_some_and(|before| before.detail == check.detail)
                    }),
            };
        if is_stuck && !names.contains(&check.title()) {
            names.push(check.title());
        }
    }
    names
}

fn table(stages: &[Stage]) -> Table {
    let row = |stage: &Stage| {
        vec![
            stage.number.to_string(),
            stage.factor.to_string(),
            stage.paths.to_string(),
            stage.limit_paths.to_string(),
            stage.level.to_string(),
            stage.verdict.to_string(),
            stage.seconds.to_string(),
        ]
    };
    Table {
        name: "stages",
        header: vec![
            "stage",
            "factor",
            "paths",
            "limit_paths",
            "level",
            "verdict",
            "seconds",
        ],
        rows: stages.iter().map(row).collect(),
    }
}

/// A number of seconds as a reader says it.
fn in_words(seconds: f64) -> String {
    match seconds {
        s if s < 100.0 => format!("{s:.1} s"),
        s if s < 6000.0 => format!("{:.0} min", s / 60.0),
        s if s < 3e5 => format!("{:.0} h", s / 3600.0),
        s => format!("{:.0} days", s / 86400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Interval;

    /// Says to stop in the second stage, after some of its path-steps.
    struct StopsAfter(std::sync::atomic::AtomicU64, u64);

    impl Monitor for StopsAfter {
        fn begin(&self, _: &str, _: &str, _: u64) {}
        fn advance(&self, units: u64) {
            self.0
                .fetch_add(units, std::sync::atomic::Ordering::Relaxed);
        }
        fn end(&self) {}
        fn is_cancelled(&self) -> bool {
            self.0.load(std::sync::atomic::Ordering::Relaxed) > self.1
        }
    }

    #[test]
    fn a_stage_that_is_stopped_leaves_everything_as_after_the_one_before() {
        let text = "observables = [\"imbalance\"]\n[model]\nkind = \"product\"\nstart = [2.0, 0.5]\n\
             [[noise]]\nkind = \"sgld\"\n[ladder]\nstep_sizes = [0.16, 0.08, 0.04, 0.02]\nsigma = 0.3\n\
             horizon = 0.05\nrecords = 2\npaths = 8\n";
        let (spec, source) = crate::scenario::parse("s.toml", text, &[]).unwrap();
        let study = Study::resolve(spec, source).unwrap();
        let prediction = crate::predict::predict(&study).unwrap();
        let monitor = StopsAfter(0.into(), u64::MAX);
        let mut sequential = Sequential::new(&study, &prediction);
        sequential.advance(&monitor).unwrap();
        let done = monitor.0.load(std::sync::atomic::Ordering::Relaxed);
        let (levels, limits) = (sequential.levels.clone(), sequential.limits.clone());
        for after in [1, done / 2] {
            let monitor = StopsAfter(0.into(), after);
            let error = sequential.advance(&monitor).unwrap_err();
            assert_eq!(error.to_string(), GeometryError::Cancelled.to_string());
            assert_eq!(format!("{levels:?}"), format!("{:?}", sequential.levels));
            assert_eq!(format!("{limits:?}"), format!("{:?}", sequential.limits));
        }
        assert_eq!(sequential.stages().len(), 1);
        let (_, _, verdict) = sequential.finish(&Stop::Requested).unwrap();
        assert!(verdict.sentence.contains("stopped on request"));
    }

    fn check(name: &str, half_width: f64) -> Check {
        let interval = Interval::around(0.0, half_width);
        Check::of(name, Outcome::Inconclusive, "the same".into()).with(0.0, interval, 0.0, 0.1)
    }

    #[test]
    fn an_interval_that_shrinks_as_noise_does_is_not_stuck_and_one_that_does_not_is() {
        let levels = [1, 2, 3].map(|stage| stage_level(0.01, stage));
        let stages = |widths: [f64; 3]| widths.map(|w| vec![check("mean", w)]);
        assert!(stuck(&stages([1.0, 0.8, 0.65]), &levels).is_empty());
        assert_eq!(stuck(&stages([1.0, 1.2, 1.3]), &levels), ["mean"]);
        assert!(stuck(&stages([1.0, 1.2, 1.3])[..2], &levels).is_empty());
    }

    #[test]
    fn what_was_not_sampled_is_stuck_at_once_and_what_could_not_be_computed_after_three_stages() {
        let without =
            |name: &str, detail: &str| vec![Check::of(name, Outcome::Inconclusive, detail.into())];
        let levels = [0.006, 0.002, 0.001];
        assert_eq!(stuck(&[without("ladder", "x")], &levels), ["ladder"]);
        let three = |last| {
            [
                without("order", "x"),
                without("order", "x"),
                without("order", last),
            ]
        };
        assert_eq!(stuck(&three("x"), &levels), ["order"]);
        assert!(stuck(&three("y"), &levels).is_empty());
        assert!(stuck(&three("x")[..2], &levels).is_empty());
        // Inside its margin and yet no pass: the reason is another one than noise.
        assert_eq!(
            stuck(&[vec![check("freezing", 0.05)]], &levels),
            ["freezing"]
        );
    }
}
