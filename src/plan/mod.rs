//! Before anything is spent: how long each noise must be trained before it shows, what a shorter test would miss, how long
//! the run will take on this machine, and how many paths the declared margins need.

mod course;
mod noises;
mod paths;
mod pilot;

use crate::derive::{GeometryError, Regime};
use crate::monitor::{Monitor, Silent, phase};
use crate::predict::Prediction;
use crate::scenario::{Arm, IntegratorKind, Level, Study};
use crate::simulate::{LevelRun, plan_levels};
use crate::verify::{Displacement, ROUNDING, regressor_exponents};

pub use course::Course;
pub use noises::{Comparison, EARLY, NoiseFacts, NoisePlan, TwoClocks};
pub use paths::{Design, POWER, PathsNeeded, Question};
pub use pilot::{Pace, Spread};

use course::{Track, time_steps};

/// The late share: an effect that has all but shown.
pub const LATE: f64 = 0.9;
/// The fast phase is over when its slowest mode has decayed by e^−10.
const FAST_PHASE_DECAYS: f64 = 10.0;
/// A short test, unless another is asked for: this part of the iterations to the horizon.
const SHORT: u64 = 10;

/// What to plan for.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlanOptions {
    /// K of the short test; a tenth of the iterations to the horizon at the smallest step size by default.
    pub iterations: Option<u64>,
    /// The share of the displacement that counts as shown, in (0, 1); `margins.share` by default.
    pub share: Option<f64>,
}

/// The plan of a study.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The shares whose slow times are given: [`EARLY`], the one asked for, [`LATE`].
    pub shares: [f64; 3],
    /// K of the short test.
    pub test: u64,
    /// What the limit does to each observable.
    pub observables: Vec<ObservablePlan>,
    /// One for each level of the study.
    pub rungs: Vec<RungPlan>,
    /// The noises of the model side by side, that of the scenario first.
    pub noises: Vec<NoisePlan>,
    /// When noises on different clocks can be compared.
    pub two_clocks: Option<TwoClocks>,
    /// Seconds for the limit of `verify`; `None` where its integrator is not the one that was timed.
    pub limit_seconds: Option<f64>,
    /// Threads at work.
    pub threads: usize,
    /// Paths needed; `None` where nothing moves.
    pub paths: Option<PathsNeeded>,
    /// What they rest on.
    pub spread: Option<Spread>,
}

/// One observable in the limit (at the smallest step size, if the limit is corrected for it).
#[derive(Clone, Debug)]
pub struct ObservablePlan {
    /// Its name.
    pub name: String,
    /// How far it moves up to the horizon (root mean square, for a stochastic limit).
    pub displacement: Displacement,
    /// The slow times at which it first has moved by each of [`Plan::shares`]; `None` if it does not move.
    pub times: Option<[f64; 3]>,
}

/// One ensemble of iterates.
#[derive(Clone, Debug)]
pub struct RungPlan {
    /// The rung.
    pub level: Level,
    /// Its iterations in all.
    pub iterations: u64,
    /// Iterations until the fast phase is over: what moves before is no effect of the noise along Γ.
    pub fast_phase: u64,
    /// Slow time that is never exceeded, if the schedule freezes the evolution.
    pub freezing_time: Option<f64>,
    /// For each observable the iterations to each of [`Plan::shares`]; `None`: never.
    pub waits: Vec<[Option<u64>; 3]>,
    /// The slow time that the short test reaches.
    pub test_slow_time: f64,
    /// The share of each observable's displacement that it sees; `None` if the observable does not move.
    pub seen: Vec<Option<f64>>,
    /// How fast the iterates are.
    pub pace: Pace,
    /// Seconds that its ensemble will take.
    pub seconds: f64,
}

impl Plan {
    /// Whether the limit moves anything that is looked at.
    pub fn moves(&self) -> bool {
        self.observables.iter().any(|o| o.displacement.moves)
    }

    /// The expected seconds of `verify`, as far as they are simulation.
    pub fn seconds(&self) -> f64 {
        self.rungs.iter().map(|rung| rung.seconds).sum::<f64>() + self.limit_seconds.unwrap_or(0.0)
    }

    /// The rungs of the ladder of step sizes.
    pub fn ladder(&self) -> impl Iterator<Item = &RungPlan> {
        self.rungs
            .iter()
            .filter(|rung| rung.level.arm == Arm::StepSizes)
    }
}

/// Plans a study: follows its limit, runs short pilots of its iterates (some seconds in all), keeps nothing of them.
///
/// # Errors
/// The limit of the scenario's own noise can't be continued to the horizon.
pub fn plan(
    study: &Study,
    prediction: &Prediction,
    options: PlanOptions,
) -> Result<Plan, GeometryError> {
    plan_watched(study, prediction, options, &Silent)
}

/// As [`plan`]; the monitor is told how it gets on.
///
/// # Errors
/// As [`plan`].
pub fn plan_watched(
    study: &Study,
    prediction: &Prediction,
    options: PlanOptions,
    monitor: &dyn Monitor,
) -> Result<Plan, GeometryError> {
    let share = options.share.unwrap_or(study.spec.margins.share);
    let shares = [EARLY, share, LATE];
    let planned = plan_levels(study, prediction);
    let ladder: Vec<&LevelRun> = planned
        .iter()
        .filter(|run| run.level.arm == Arm::StepSizes)
        .collect();
    let finest = ladder[ladder.len() - 1];
    let last = |run: &LevelRun| run.iterations[run.iterations.len() - 1];
    let test = options.iterations.unwrap_or((last(finest) / SHORT).max(1));

    let courses = Courses::run(study, prediction, &ladder, monitor)?;
    let observables = observables(study, prediction, &courses, finest, shares);
    let paces: Vec<Pace> = phase(monitor, ("timing", "rungs", planned.len()), || {
        let measure = |run| {
            let pace = Pace::measure(study, prediction, run);
            monitor.advance(1);
            pace
        };
        planned.iter().map(measure).collect()
    });
    let rungs: Vec<RungPlan> = planned
        .iter()
        .zip(paces)
        .map(|(run, pace)| {
            let clock = prediction.level_clock(study, &run.level);
            let course = courses.of(run.level.step_size);
            let slowest = prediction.frame.eigenvalues[prediction.rank - 1];
            let test_slow_time = clock.slow_times(&[test])[0];
            let moving = |o: usize| course.filter(|_| observables[o].displacement.moves);
            let wait = |o: usize, share| {
                let time = moving(o)?.first_time(o, share)?;
                clock.iterations_until(time)
            };
            let seen = |o: usize| {
                let course = moving(o)?;
                Some((course.moved_at(o, test_slow_time) / course.total(o)).min(1.0))
            };
            let all = 0..observables.len();
            RungPlan {
                level: run.level,
                iterations: last(run),
                fast_phase: (FAST_PHASE_DECAYS / (run.level.step_size * slowest)).ceil() as u64,
                freezing_time: clock.freezing_time(),
                waits: all.clone().map(|o| shares.map(|s| wait(o, s))).collect(),
                test_slow_time,
                seen: all.map(seen).collect(),
                seconds: pace.seconds(run.level.paths, last(run), run.compared.len()),
                pace,
            }
        })
        .collect();

    let process = prediction.process(study);
    let own = NoisePlan {
        name: noises::name(study.noisy.sources()),
        own: true,
        found: Ok(noises::facts(
            study,
            prediction,
            &process,
            prediction.clock,
            |step_size| courses.of(step_size),
            share,
        )),
    };
    let mut noises = vec![own];
    noises.extend(noises::others(study, prediction, share, monitor));
    let two_clocks = noises::two_clocks(study, &noises);

    let limit_seconds = limit_seconds(study, prediction, &courses, &ladder);
    let mut plan = Plan {
        shares,
        test,
        observables,
        rungs,
        noises,
        two_clocks,
        limit_seconds,
        threads: rayon::current_num_threads(),
        paths: None,
        spread: None,
    };
    if prediction.regime() != Regime::Trivial {
        let paces: Vec<Pace> = plan.ladder().map(|rung| rung.pace).collect();
        let initial = &courses
            .of_finest()
            .map_or(Vec::new(), |c| c.initial.clone());
        let spread = Spread::measure(study, prediction, &ladder, &paces, initial, monitor);
        let design = design(study, prediction, &courses, &ladder, &spread);
        let present: Vec<usize> = ladder.iter().map(|run| run.level.paths).collect();
        plan.paths = design.paths_needed(&present);
        plan.spread = Some(spread);
    }
    Ok(plan)
}

/// The courses of the scenario's own limit: none where nothing moves, one for all rungs, or one for each if corrected.
struct Courses(Vec<(Option<f64>, Course)>);

impl Courses {
    fn run(
        study: &Study,
        prediction: &Prediction,
        ladder: &[&LevelRun],
        monitor: &dyn Monitor,
    ) -> Result<Self, GeometryError> {
        if prediction.regime() == Regime::Trivial {
            return Ok(Self(Vec::new()));
        }
        let corrected = study.spec.limit.corrected;
        let finest = ladder[ladder.len() - 1];
        let rungs = if corrected { ladder } else { &[finest] };
        let course = |run: &&LevelRun| {
            let clock = prediction.level_clock(study, &run.level);
            let last = run.iterations[run.iterations.len() - 1];
            let in_slow_time = clock.step_size_in_slow_time(last.max(1));
            let times: Vec<f64> = run.compared.iter().map(|&r| run.slow_times[r]).collect();
            let track = Track {
                process: prediction.process(study),
                start: if corrected {
                    &prediction.levels[run.level.number as usize].landing
                } else {
                    &prediction.landing
                },
                stochastic: !prediction.is_deterministic(),
                step_size_at: &|t| if corrected { in_slow_time(t) } else { 0.0 },
                times: &times,
                phase: "limit",
            };
            let course = Course::run(study, &track, monitor)?;
            Ok((corrected.then_some(run.level.step_size), course))
        };
        rungs.iter().map(course).collect::<Result<_, _>>().map(Self)
    }

    fn of(&self, step_size: f64) -> Option<&Course> {
        let own = self
            .0
            .iter()
            .find(|(of, _)| of.is_none_or(|a| a == step_size));
        own.map(|(_, course)| course)
    }

    fn of_finest(&self) -> Option<&Course> {
        self.0.last().map(|(_, course)| course)
    }
}

fn observables(
    study: &Study,
    prediction: &Prediction,
    courses: &Courses,
    finest: &LevelRun,
    shares: [f64; 3],
) -> Vec<ObservablePlan> {
    let one = |(o, (name, _)): (usize, &(String, _))| {
        let Some(course) = courses.of(finest.level.step_size) else {
            let displacement = Displacement {
                scale: 0.0,
                moves: false,
            };
            return ObservablePlan {
                name: name.clone(),
                displacement,
                times: None,
            };
        };
        let (total, start) = (course.total(o), course.initial[o]);
        let displacement = Displacement::from_square(study, prediction, o, start, total.powi(2));
        let time = |share| course.first_time(o, share);
        ObservablePlan {
            name: name.clone(),
            displacement,
            times: match shares.map(time) {
                [Some(a), Some(b), Some(c)] if displacement.moves => Some([a, b, c]),
                _ => None,
            },
        }
    };
    study.observables.iter().enumerate().map(one).collect()
}

/// The questions of the mean checks of `verify`, with the spread that the pilot found.
fn design(
    study: &Study,
    prediction: &Prediction,
    courses: &Courses,
    ladder: &[&LevelRun],
    spread: &Spread,
) -> Design {
    let finest = ladder[ladder.len() - 1];
    let corrected = study.spec.limit.corrected;
    let stochastic = !prediction.is_deterministic();
    let mut questions = Vec::new();
    let course = courses.of_finest().into_iter();
    let all = course.flat_map(|course| {
        let observables = study.observables.iter().enumerate();
        observables.map(move |(o, (name, _))| (course, o, name))
    });
    for (course, o, name_of_observable) in all {
        // The unit of the margins is the displacement at the slow times that are compared.
        let moved = finest
            .compared
            .iter()
            .map(|&record| course.moved_at(o, finest.slow_times[record]));
        let square = moved.fold(0.0, f64::max).powi(2);
        let start = course.initial[o];
        let displacement = Displacement::from_square(study, prediction, o, start, square);
        let scale = displacement.scale;
        if scale == 0.0 {
            continue;
        }
        let margins = paths::margins(&study.spec.margins, scale);
        let squares = stochastic && displacement.moves;
        for (moment, name) in ["mean", "mean square"].into_iter().enumerate() {
            if moment == 1 && !squares {
                continue;
            }
            let floor = ROUNDING * scale;
            for (record, &at) in finest.compared.iter().enumerate() {
                let of = |rung: usize| {
                    let records = &spread.deviations[rung];
                    records[record.min(records.len() - 1)][o][moment].max(floor)
                };
                let deviations: Vec<f64> = (0..ladder.len()).map(of).collect();
                questions.push(Question {
                    what: format!(
                        "{name} of {} at slow time {:.3}",
                        name_of_observable, finest.slow_times[at]
                    ),
                    observable: o,
                    // The limit spreads as the finest rung does.
                    limit_deviation: if stochastic {
                        deviations[deviations.len() - 1]
                    } else {
                        0.0
                    },
                    deviations,
                    margin: margins[moment],
                });
            }
        }
    }
    let step_sizes: Vec<f64> = ladder.iter().map(|run| run.level.step_size).collect();
    let exponents = regressor_exponents(study, prediction);
    let power = |p: &f64| step_sizes.iter().map(|a| a.powf(*p)).collect();
    Design {
        questions,
        regressors: exponents.iter().map(power).collect(),
        corrected,
        iterations: ladder
            .iter()
            .map(|run| run.iterations[run.iterations.len() - 1])
            .collect(),
        limit_paths: study.spec.limit.paths,
        level: study.spec.margins.level,
    }
}

/// From the time that the course took to that of the limit in `verify`.
fn limit_seconds(
    study: &Study,
    prediction: &Prediction,
    courses: &Courses,
    ladder: &[&LevelRun],
) -> Option<f64> {
    let Some(course) = courses.of_finest() else {
        return Some(0.0);
    };
    let runs = if study.spec.limit.corrected {
        ladder.len()
    } else {
        1
    };
    let euler = prediction.integrator(study) == IntegratorKind::EulerMaruyama;
    match (prediction.is_deterministic(), euler) {
        (true, false) => Some(course.seconds * runs as f64),
        (false, true) => {
            let steps = time_steps(&study.record_times, study.limit_time_step());
            Some(course.seconds * steps * (study.limit_paths() * runs) as f64)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::predict;
    use crate::scenario::load;

    fn planned(file: &str, set: &[&str]) -> (Study, Plan) {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("scenarios")
            .join(file);
        let set: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
        let (spec, source, _) = load(&path, &set).unwrap();
        let study = Study::resolve(spec, source).unwrap();
        let prediction = predict(&study).unwrap();
        let plan = plan(&study, &prediction, PlanOptions::default()).unwrap();
        (study, plan)
    }

    fn assert_close(actual: f64, expected: f64, tolerance: f64) {
        assert!(
            (actual / expected - 1.0).abs() < tolerance,
            "{actual} is not {expected}"
        );
    }

    /// D = D₀e^−t: a share s of 1 − e^−T is reached at t = −ln(1 − s(1 − e^−T)).
    fn share_of_decay(s: f64) -> f64 {
        -(1.0 - s * (1.0 - (-1.0f64).exp())).ln()
    }

    #[test]
    fn label_noise_shows_a_share_when_its_exponential_does_and_in_the_iterations_of_its_clock() {
        let (study, plan) = planned("product-label-noise.toml", &[]);
        let d = &plan.observables[0];
        assert_close(d.displacement.scale, 3.75 * (1.0 - (-1.0f64).exp()), 1e-6);
        for (time, share) in d.times.unwrap().into_iter().zip([0.1, 0.5, 0.9]) {
            assert_close(time, share_of_decay(share), 2e-3);
        }
        for rung in &plan.rungs {
            let unit = (rung.level.step_size * rung.level.sigma).powi(2);
            let half = rung.waits[0][1].unwrap() as f64;
            assert_close(half, share_of_decay(0.5) / unit, 5e-3);
        }
        // The short test at the finest rung is a tenth of the horizon.
        let finest = plan.ladder().last().unwrap();
        assert_eq!(plan.test, finest.iterations / 10);
        let seen = (1.0 - (-0.1f64).exp()) / (1.0 - (-1.0f64).exp());
        assert_close(finest.seen[0].unwrap(), seen, 5e-3);
        // At eight times the step size it reaches 64 times as far, beyond the horizon.
        assert_eq!(plan.rungs[0].seen[0], Some(1.0));
        assert_eq!(study.levels.len(), plan.rungs.len());
    }

    #[test]
    fn noises_of_the_product_have_the_rates_of_their_closed_forms() {
        let (_, plan) = planned("product-label-noise.toml", &[]);
        let of = |name: &str| {
            let noise = plan.noises.iter().find(|noise| noise.name == name);
            noise.unwrap().found.clone().unwrap()
        };
        assert!(plan.noises[0].own && plan.noises[0].name == "label");
        // At D₀ = 3.75: dD = −D dt, −2D dt, 2(D² + 4)^¼ dB.
        assert_close(of("label").drift, 3.75, 1e-4);
        assert_close(of("dropconnect").drift, 7.5, 1e-4);
        assert_close(of("anti-pgd").drift, 7.5, 1e-4);
        assert_close(
            of("sgld").brownian,
            2.0 * (3.75f64.powi(2) + 4.0).powf(0.25),
            1e-4,
        );
        assert_eq!(of("minibatch").regime, Regime::Trivial);
        assert_eq!(of("minibatch").waits[0], [None, None]);
        // anti-PGD: half of 1 − e^−2 on the fast clock.
        let half = -(1.0 - 0.5 * (1.0 - (-2.0f64).exp())).ln() / 2.0;
        assert_close(
            of("anti-pgd").waits[3][1].unwrap() as f64,
            half / (0.005 * 0.09),
            1e-2,
        );
        let clocks = plan.two_clocks.unwrap();
        assert_eq!(clocks.fast, ["anti-pgd"]);
        assert!(clocks.slow.contains(&"label".to_owned()));
        assert!(clocks.rungs[3].after > clocks.rungs[0].after);
    }

    /// The martingale dD = 2(D² + 4)^¼ dB has E(D − D₀)² ≈ 4√(D₀² + 4)·t at first, so half of the root mean square needs
    /// about a quarter of the time.
    #[test]
    fn langevin_noise_shows_half_of_its_root_mean_square_after_a_quarter_of_the_time() {
        let (study, plan) = planned("product-sgld.toml", &["ladder.paths=64"]);
        let half = plan.observables[0].times.unwrap()[1];
        let quarter = 0.25 * study.horizon();
        assert!((0.7..1.3).contains(&(half / quarter)), "{half} {quarter}");
    }

    #[test]
    fn under_a_freezing_schedule_half_of_the_way_is_never_covered() {
        let (_, plan) = planned("label-noise-freezing.toml", &[]);
        for rung in &plan.rungs {
            assert_close(rung.freezing_time.unwrap(), 0.4, 1e-2);
            // 10 % at slow time 0.105, 50 % at ln 2.
            assert!(rung.waits[0][0].is_some());
            assert_eq!(rung.waits[0][1], None);
        }
    }

    #[test]
    fn where_nothing_moves_nothing_will_ever_show() {
        let (_, plan) = planned("product-minibatch.toml", &[]);
        assert!(!plan.moves() && plan.paths.is_none());
        assert!(plan.rungs.iter().all(|rung| rung.waits[0] == [None; 3]));
        assert!(plan.noises.iter().any(|noise| noise.name == "label"));
    }
}
