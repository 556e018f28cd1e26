//! Are the two time scales separate on this ladder: how far does the limit move while the iterates relax to Γ, and have
//! they got there when they are first compared with it? Where not, a difference that this explains is no evidence.

use nalgebra::DVector;

use super::{Check, Displacement, Evidence};
use crate::derive::Regime;
use crate::limit::{Faults, LimitProcess};
use crate::scenario::{Clock, LevelClock};
use crate::simulate::LevelRun;
use crate::statistics::Outcome;

/// Beyond this share of the way within one relaxation time, an error is no longer a power series in α of which the first
/// terms tell the rest.
const LARGEST_LAG: f64 = 0.3;

/// What was found.
pub(super) struct Separation {
    /// "fast phase" and "separation", where they apply.
    pub checks: Vec<Check>,
    /// For each observable, by how much iterates that lag behind or have not arrived may differ from the limit; none where
    /// the time scales are separate.
    pub explained: Option<Vec<f64>>,
}

impl Separation {
    /// Judges by the derived regime on its own clock, whatever limit or clock the scenario claims.
    pub fn of(evidence: &Evidence) -> Self {
        if evidence.prediction.regime() == Regime::Trivial {
            return Self {
                checks: Vec::new(),
                explained: None,
            };
        }
        let lag = Lag::of(evidence);
        let arrival = Arrival::of(evidence);
        let checks: Vec<Check> = [
            arrival.as_ref().map(|arrival| arrival.check(evidence)),
            lag.as_ref().and_then(|lag| lag.check(evidence)),
        ]
        .into_iter()
        .flatten()
        .collect();
        let separate = checks.iter().all(|check| check.verdict == Outcome::Pass);
        let explained = |observable| {
            lag.as_ref().map_or(0.0, |lag| lag.moved(observable))
                + arrival
                    .as_ref()
                    .map_or(0.0, |a| a.missing(evidence, observable))
        };
        let count = evidence.study.observables.len();
        Self {
            checks,
            explained: (!separate).then(|| (0..count).map(explained).collect()),
        }
    }

    /// Whether a rejection stands: the iterates differ from the limit by more than margin and lag together.
    pub fn lets_stand(&self, check: &Check, observable: usize) -> bool {
        let Some(explained) = &self.explained else {
            return true;
        };
        match (
            check.name.as_str(),
            check.interval,
            check.null,
            check.margin,
        ) {
            ("mean" | "mean at finite α" | "path", Some(interval), Some(null), Some(margin)) => {
                let gap = (interval.lower - null).max(null - interval.upper);
                gap > margin + 2.0 * explained[observable]
            }
            _ => false,
        }
    }
}

/// How far the limit moves while the slowest mode of the fast phase relaxes, on the coarsest rung.
struct Lag {
    slowest: f64,
    step_size: f64,
    /// 1/(α λ_min).
    iterations: f64,
    /// The movement of each observable at its initial speed in that time.
    moved: Vec<f64>,
}

impl Lag {
    fn of(evidence: &Evidence) -> Option<Self> {
        if !evidence.is_deterministic() {
            return None;
        }
        let slowest = evidence.prediction.frame.smallest_eigenvalue();
        let level = evidence.ladder[0].level;
        let clock = evidence.prediction.clock_of_regime();
        let schedule = &evidence.study.schedule;
        let unit = LevelClock::new(schedule, clock, level.step_size, level.sigma).unit();
        let iterations = 1.0 / (level.step_size * slowest);
        let moved = speeds(evidence)
            .into_iter()
            .map(|speed| speed * iterations * unit);
        Some(Self {
            slowest,
            step_size: level.step_size,
            iterations,
            moved: moved.collect(),
        })
    }

    fn moved(&self, observable: usize) -> f64 {
        self.moved[observable]
    }

    fn check(&self, evidence: &Evidence) -> Option<Check> {
        let (share, observable) = evidence
            .observables()
            .filter_map(|(observable, name)| {
                let displacement = Displacement::of(evidence, observable);
                let share = self.moved[observable] / displacement.scale;
                displacement.moves.then_some((share, name))
            })
            .max_by(|a, b| a.0.total_cmp(&b.0))?;
        let separate = share <= LARGEST_LAG;
        let mut check = Check::of(
            "separation",
            outcome(separate),
            format!(
                "while the slowest mode (λ = {:.2e}) relaxes by a factor e in {:.0} iterations at α = {}, the limit moves {observable} by {:.0} % of its way{}",
                self.slowest,
                self.iterations,
                self.step_size,
                100.0 * share,
                if separate {
                    ""
                } else {
                    ": the time scales are not separate there, and errors can't be extrapolated; take a smaller σ"
                }
            ),
        );
        check.estimate = Some(share);
        Some(check)
    }
}

/// How much of the way to Γ is left at the first compared record, on the rung where it is most.
struct Arrival {
    slowest: f64,
    /// λ_min Σ α_k up to that record.
    decays: f64,
    iteration: u64,
    step_size: f64,
    start: DVector<f64>,
}

impl Arrival {
    /// None for a start on Γ.
    fn of(evidence: &Evidence) -> Option<Self> {
        let start = DVector::from_column_slice(&evidence.study.start);
        let landing = &evidence.prediction.landing;
        if (&start - landing).norm() <= 1e-6 * (1.0 + start.norm()) {
            return None;
        }
        let slowest = evidence.prediction.frame.smallest_eigenvalue();
        let decays = |run: &&LevelRun| {
            let (level, first) = (run.level, run.iterations[run.compared[0]]);
            // Σ α_k: slow time on the fast clock with σ = 1.
            let own = evidence.prediction.level_clock(evidence.study, &level);
            let sum = own.counting(Clock::Fast).slow_times(&[first])[0] / level.sigma.powi(2);
            (sum * slowest, first, level.step_size)
        };
        let (decays, iteration, step_size) = evidence
            .ladder
            .iter()
            .map(decays)
            .min_by(|a, b| a.0.total_cmp(&b.0))?;
        Some(Self {
            slowest,
            decays,
            iteration,
            step_size,
            start,
        })
    }

    /// What is left of the observable's way to Γ.
    fn missing(&self, evidence: &Evidence, observable: usize) -> f64 {
        let value = |w: &DVector<f64>| value(evidence, observable, w);
        let way = (value(&self.start) - value(&evidence.prediction.landing)).abs();
        way * (-self.decays).exp()
    }

    /// The slowest mode must have decayed below a tenth of the margin.
    fn check(&self, evidence: &Evidence) -> Check {
        let needed = (10.0 / evidence.margins().mean).ln();
        let over = self.decays >= needed;
        let mut check = Check::of(
            "fast phase",
            outcome(over),
            format!(
                "at the first record compared, iteration {} at α = {}, the slowest mode (λ = {:.2e}) has decayed by e^−{:.1}; e^−{needed:.1} is asked for{}",
                self.iteration,
                self.step_size,
                self.slowest,
                self.decays,
                if over {
                    ""
                } else {
                    ": the iterates are still on their way to Γ; take later records, a smaller σ or a start on Γ"
                }
            ),
        );
        check.estimate = Some(self.decays);
        check
    }
}

fn outcome(good: bool) -> Outcome {
    if good {
        Outcome::Pass
    } else {
        Outcome::Inconclusive
    }
}

fn value(evidence: &Evidence, observable: usize, w: &DVector<f64>) -> f64 {
    let (study, rank) = (evidence.study, evidence.prediction.rank);
    let (_, function) = &study.observables[observable];
    function.value(&study.noisy, w.as_slice(), rank, study.faults.masks)
}

/// |d o(W(t))/dt| at t = 0 of each observable in the derived limit, by central differences along its drift.
fn speeds(evidence: &Evidence) -> Vec<f64> {
    let prediction = evidence.prediction;
    let w = &prediction.landing;
    let process = LimitProcess {
        faults: Faults::default(),
        ..prediction.process(evidence.study)
    };
    let drift = process.coefficients(w, &prediction.frame, 0.0).drift;
    let h = 1e-5 * (1.0 + w.norm()) / drift.norm().max(f64::MIN_POSITIVE);
    let (up, down) = (w + &drift * h, w - &drift * h);
    (0..evidence.study.observables.len())
        .map(|o| ((value(evidence, o, &up) - value(evidence, o, &down)) / (2.0 * h)).abs())
        .collect()
}
