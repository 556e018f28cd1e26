//! The noises that a model has sockets for, side by side: regime, clock, first motion, and how long each has to be trained.

use super::course::{Course, Track};
use crate::derive::{GeometryError, Regime, regime_near};
use crate::limit::{Faults, LimitProcess};
use crate::models::AnyModel;
use crate::monitor::Monitor;
use crate::noise::{Mechanism, NoisyLoss, Source};
use crate::predict::Prediction;
use crate::random::Law;
use crate::scenario::{Clock, Study};
use crate::verify::slope;

/// The early share, below which nobody would call an effect shown.
pub const EARLY: f64 = 0.1;

/// What one noise does on the scenario's model.
#[derive(Clone, Debug)]
pub struct NoisePlan {
    /// The mechanisms, joined by +.
    pub name: String,
    /// Whether it is the noise of the scenario.
    pub own: bool,
    /// What was derived, or why nothing could be.
    pub found: Result<NoiseFacts, String>,
}

/// What was derived of a noise.
#[derive(Clone, Debug)]
pub struct NoiseFacts {
    /// The regime.
    pub regime: Regime,
    /// The slow clock.
    pub clock: Clock,
    /// |∇o·b| of the first observable at the landing point: its drift per slow time.
    pub drift: f64,
    /// |Bᵀ∇o|: its standard deviation per root of slow time.
    pub brownian: f64,
    /// How far it is moved by the slow time of the scenario's horizon, on the clock of this noise; 0 if within rounding.
    pub total: f64,
    /// For each step size the iterations to [`EARLY`] and to the share asked for of that; `None`: never.
    pub waits: Vec<[Option<u64>; 2]>,
}

/// When noises on different clocks can be compared, at one step size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// α.
    pub step_size: f64,
    /// Iterations before which the slowest noise has shown less than [`EARLY`].
    pub early: Option<u64>,
    /// Iterations after which every noise has shown the share asked for.
    pub after: Option<u64>,
}

/// The noises of a model on both clocks.
#[derive(Clone, Debug, PartialEq)]
pub struct TwoClocks {
    /// Those in slow time kασ².
    pub fast: Vec<String>,
    /// Those in slow time kα²σ².
    pub slow: Vec<String>,
    /// One for each step size.
    pub rungs: Vec<Comparison>,
}

/// The name of the noise of a loss.
pub(super) fn name(sources: &[Source]) -> String {
    let names: Vec<_> = sources.iter().map(|s| s.mechanism.to_string()).collect();
    names.join(" + ")
}

/// Every noise that the model has a socket for but that of the scenario, each alone: as the scenario has it where it is
/// one of several there, else Gaussian of standard deviation σ.
pub(super) fn others(
    study: &Study,
    prediction: &Prediction,
    share: f64,
    monitor: &dyn Monitor,
) -> Vec<NoisePlan> {
    let model = study.noisy.model();
    let sources = study.noisy.sources();
    let candidates = Mechanism::EVERY.into_iter().filter(|m| {
        m.socket().size(model) > 0 && !matches!(sources, [only] if only.mechanism == *m)
    });
    candidates
        .map(|mechanism| {
            let given = sources.iter().find(|s| s.mechanism == mechanism);
            let source = given
                .copied()
                .unwrap_or(Source::new(mechanism, Law::Gaussian));
            let found = NoisyLoss::new(model.clone(), vec![source])
                .map_err(|error| error.to_string())
                .and_then(|noisy| {
                    other(study, prediction, &noisy, share, monitor)
                        .map_err(|error| error.to_string())
                });
            NoisePlan {
                name: mechanism.to_string(),
                own: false,
                found,
            }
        })
        .collect()
}

fn other(
    study: &Study,
    prediction: &Prediction,
    noisy: &NoisyLoss<AnyModel>,
    share: f64,
    monitor: &dyn Monitor,
) -> Result<NoiseFacts, GeometryError> {
    // Γ and the landing point are those of L: the noise has no part in them.
    let (landing, rank) = (&prediction.landing, prediction.rank);
    let faults = Faults::default();
    let evidence = regime_near(noisy, landing, rank, faults.masks)?;
    let process = LimitProcess {
        noisy,
        regime: evidence.regime,
        rank,
        faults,
    };
    let clock = match evidence.regime {
        Regime::NonDegenerate => Clock::Fast,
        Regime::Degenerate | Regime::Trivial => Clock::Slow,
    };
    let course = match evidence.regime {
        Regime::Trivial => None,
        _ => Some(Course::run(
            study,
            &Track {
                process: process.clone(),
                start: landing,
                stochastic: evidence.is_stochastic(),
                step_size_at: &|_| 0.0,
                times: &[],
                phase: &format!("limit of {}", name(noisy.sources())),
            },
            monitor,
        )?),
    };
    Ok(facts(
        study,
        prediction,
        &process,
        clock,
        |_| course.as_ref(),
        share,
    ))
}

/// The facts of a noise whose limit has these courses, by step size.
pub(super) fn facts<'a>(
    study: &Study,
    prediction: &Prediction,
    process: &LimitProcess<AnyModel>,
    clock: Clock,
    course_of: impl Fn(f64) -> Option<&'a Course>,
    share: f64,
) -> NoiseFacts {
    let first = |w| slope(study, process.rank, w, 0);
    let landing = &prediction.landing;
    let coefficients = process.coefficients(landing, &prediction.frame, 0.0);
    let along = first(landing);
    let columns = coefficients.diffusion.tr_mul(&along).norm();
    let isotropic = coefficients.isotropic * prediction.frame.tangent_part(&along).norm();
    // A displacement within rounding is none.
    let still = |course: &Course| course.total(0) <= 1e-9 * (1.0 + course.initial[0].abs());
    let moving = |step_size| course_of(step_size).filter(|course| !still(course));
    let waits = study.ladder().map(|level| {
        let counts = prediction.level_clock(study, level).counting(clock);
        let wait = |share| counts.iterations_until(moving(level.step_size)?.first_time(0, share)?);
        [wait(EARLY), wait(share)]
    });
    NoiseFacts {
        regime: process.regime,
        clock,
        drift: coefficients.drift.dot(&along).abs(),
        brownian: columns.hypot(isotropic),
        total: study
            .ladder()
            .last()
            .and_then(|level| moving(level.step_size))
            .map_or(0.0, |course| course.total(0)),
        waits: waits.collect(),
    }
}

/// When the noises can be compared; `None` where all that move do so on one clock.
pub(super) fn two_clocks(study: &Study, noises: &[NoisePlan]) -> Option<TwoClocks> {
    let moving: Vec<(&str, &NoiseFacts)> = noises
        .iter()
        .filter_map(|noise| Some((noise.name.as_str(), noise.found.as_ref().ok()?)))
        .filter(|(_, facts)| facts.total > 0.0)
        .collect();
    let on = |clock| -> Vec<String> {
        let these = moving.iter().filter(|(_, facts)| facts.clock == clock);
        these.map(|(name, _)| (*name).to_owned()).collect()
    };
    let (fast, slow) = (on(Clock::Fast), on(Clock::Slow));
    if fast.is_empty() || slow.is_empty() {
        return None;
    }
    // Never is later than any number.
    let latest = |rung: usize, which: usize| -> Option<u64> {
        let waits = moving.iter().map(|(_, facts)| facts.waits[rung][which]);
        waits.collect::<Option<Vec<_>>>()?.into_iter().max()
    };
    let rungs = study.ladder().enumerate().map(|(rung, level)| Comparison {
        step_size: level.step_size,
        early: latest(rung, 0),
        after: latest(rung, 1),
    });
    Some(TwoClocks {
        fast,
        slow,
        rungs: rungs.collect(),
    })
}
