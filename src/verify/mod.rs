//! The comparison: from the two simulated sides to checks with three outcomes, and from these to the verdict.

mod baseline;
mod budget;
mod collapse;
mod conduct;
mod coupled;
mod displacement;
mod extrapolation;
mod freezing;
mod illustration;
mod law;
mod mean;
mod order;
mod path;
mod power;
mod separation;
mod sequential;
mod spread;
mod standstill;
mod time_scale;

use serde::{Deserialize, Serialize};

use crate::derive::Regime;
use crate::predict::Prediction;
use crate::scenario::{Arm, MarginsSpec, Study};
use crate::simulate::{CoupledRun, LevelRun, LimitRun, Monitor, Refinement, Silent, Simulation};
use crate::statistics::{Equivalence, Interval, Outcome, StatisticsError, equivalence, holm};

pub use baseline::{Baseline, BaselineError, CheckChange, Comparison, Finding};
pub use budget::BudgetRow;
pub use displacement::Displacement;
pub(crate) use displacement::slope;
pub(crate) use extrapolation::regressor_exponents;
pub use illustration::illustrations;
pub(crate) use mean::ROUNDING;
pub use power::Power;
use separation::Separation;
pub use sequential::{Sequential, Stage, Stop};
pub(crate) use spread::Rate;

/// Signals below this many standard errors are noise: such a rung does not drive a slope.
pub const NOISE_FLOOR: f64 = 3.0;
/// Resamples of every bootstrap.
const RESAMPLES: usize = 1000;
/// Resamples of a rejection that is to be confirmed, further out in the tail; it reaches no level below their inverse.
const TAIL_RESAMPLES: usize = 10_000;

/// Resamples of a bootstrap at a level: ten in either tail, where their number allows it.
fn resamples(level: f64) -> usize {
    let ten_in_tail = (10.0 / level).ceil() as usize;
    let one_in_tail = (1.0 / level).ceil() as usize;
    ten_in_tail
        .clamp(RESAMPLES, TAIL_RESAMPLES)
        .max(one_in_tail)
}

/// The layout of `verdict.json`: raised when an older program would misread it.
const FORMAT: u32 = 2;

/// The layout before it was numbered.
fn first_format() -> u32 {
    1
}

/// One question and its answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Check {
    /// What is checked.
    pub name: String,
    /// On which observable, where it is about one.
    pub observable: Option<String>,
    /// The answer.
    pub verdict: Outcome,
    /// The estimate.
    pub estimate: Option<f64>,
    /// Its interval, of confidence 1 − 2·level.
    #[serde(default, deserialize_with = "interval_if_finite")]
    pub interval: Option<Interval>,
    /// The value that the theory says; the least value that it allows where there is no margin.
    pub null: Option<f64>,
    /// How far from `null` still counts as agreement.
    pub margin: Option<f64>,
    /// p-value of "further away than the margin"; small values speak for the theory.
    pub p_value: Option<f64>,
    /// p-value of "no further away than the margin"; small values speak against the theory. Holm's procedure over all checks
    /// decides on rejections.
    pub p_difference: Option<f64>,
    /// Degrees of freedom of the interval; missing for that of the normal law or of a bootstrap.
    #[serde(default)]
    pub degrees_of_freedom: Option<f64>,
    /// Everything else, in words.
    pub detail: String,
    /// What it compares, where it is a moment of an observable.
    #[serde(skip)]
    place: Option<Place>,
}

/// Which moment of which observable is compared, and with which record of which limit.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Place {
    observable: usize,
    /// Whether it is the mean squared displacement rather than the mean.
    squared: bool,
    /// Position among the limits.
    limit: usize,
    /// Record of that limit.
    record: usize,
    /// Where each rung is judged by itself.
    step_size: Option<f64>,
}

/// JSON has no infinities: an interval with an open end is read as none.
fn interval_if_finite<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Interval>, D::Error> {
    #[derive(Deserialize)]
    struct Ends {
        lower: Option<f64>,
        upper: Option<f64>,
    }
    let ends = Option::<Ends>::deserialize(deserializer)?;
    Ok(ends.and_then(|ends| {
        Some(Interval {
            lower: ends.lower?,
            upper: ends.upper?,
        })
    }))
}

impl Check {
    /// `mean of u`, or the name alone.
    pub fn title(&self) -> String {
        match &self.observable {
            Some(observable) => format!("{} of {observable}", self.name),
            None => self.name.clone(),
        }
    }

    /// A check that is about facts rather than estimates.
    pub fn fact(name: &str, holds: bool, detail: String) -> Self {
        let verdict = if holds {
            Outcome::Pass
        } else {
            Outcome::Rejected
        };
        Self::of(name, verdict, detail)
    }

    fn of(name: &str, verdict: Outcome, detail: String) -> Self {
        Self {
            name: name.to_owned(),
            observable: None,
            verdict,
            estimate: None,
            interval: None,
            null: None,
            margin: None,
            p_value: None,
            p_difference: None,
            degrees_of_freedom: None,
            detail,
            place: None,
        }
    }

    fn on(mut self, observable: &str) -> Self {
        self.observable = Some(observable.to_owned());
        self
    }

    fn with(mut self, estimate: f64, interval: Interval, null: f64, margin: f64) -> Self {
        self.estimate = Some(estimate);
        self.interval = Some(interval);
        self.null = Some(null);
        self.margin = Some(margin);
        self
    }

    /// An equivalence test with a declared margin.
    fn tested(name: &str, test: &Equivalence, null: f64, margin: f64, detail: String) -> Self {
        let mut check =
            Self::of(name, test.outcome, detail).with(test.estimate, test.interval, null, margin);
        check.p_value = Some(test.p_value);
        check.p_difference = Some(test.p_difference);
        check
    }

    /// A statistic that could not be computed says nothing either way.
    fn impossible(name: &str, error: &StatisticsError) -> Self {
        Self::of(name, Outcome::Inconclusive, error.to_string())
    }
}

/// The answer of a whole study.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verdict {
    /// Rejected if any check is, else inconclusive if any is.
    pub verdict: Outcome,
    /// The derived regime.
    pub regime: Regime,
    /// In one sentence.
    pub sentence: String,
    /// The probability with which a true theory is rejected, at most: 2·level, shared among all checks.
    pub false_alarm_rate: f64,
    /// Faults that were planted in the limit on purpose; empty for a study of the theory itself.
    pub planted_faults: Vec<String>,
    /// How wrong the theory would have to be for this run to notice.
    pub power: Option<Power>,
    /// Layout of the file.
    #[serde(default = "first_format")]
    pub format: u32,
    /// Level of the intervals: margins.level, or what the stage had of it.
    #[serde(default)]
    pub level: Option<f64>,
    /// What was studied.
    #[serde(default)]
    pub subject: Option<Subject>,
    /// All checks.
    pub checks: Vec<Check>,
    /// The errors that the comparisons of moments are made of.
    #[serde(default)]
    pub budget: Vec<BudgetRow>,
    /// The signed errors of the means that the checks rest on; in `errors.csv` rather than `verdict.json`.
    #[serde(skip)]
    pub errors: Vec<RungError>,
    /// Further evidence, each table a CSV file of its own beside `verdict.json`.
    #[serde(skip)]
    pub tables: Vec<Table>,
}

/// What a verdict is about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// The scenario's name: that of its file.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// The scenario as resolved.
    pub scenario: serde_json::Value,
}

impl Subject {
    /// That of a study.
    pub fn of(study: &Study) -> Self {
        Self {
            name: study.source.name(),
            seed: study.spec.seed,
            scenario: serde_json::to_value(&study.spec).unwrap_or_default(),
        }
    }
}

/// A table of evidence. Numbers are written in full; what is missing is an empty field.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// File name without its ending: one of [`TABLES`].
    pub name: &'static str,
    /// Names of the columns.
    pub header: Vec<&'static str>,
    /// The rows.
    pub rows: Vec<Vec<String>>,
}

/// The names of all tables that a verdict may come with; a run removes those that an earlier one left.
pub const TABLES: &[&str] = &[
    "bands",
    "baseline",
    "budget",
    "collapse",
    coupled::TABLE,
    "curve",
    "density",
    "ellipse",
    "exponents",
    "fall",
    "laws",
    "orders",
    "plane",
    "quantiles",
    "rungs",
    "stages",
];

/// The signed error of a moment of one observable at one record time on one rung of the ladder.
#[derive(Clone, Debug, PartialEq)]
pub struct RungError {
    /// The observable.
    pub observable: String,
    /// "mean" or "mean square" (of the displacement).
    pub moment: &'static str,
    /// Number of the rung.
    pub level: u32,
    /// α.
    pub step_size: f64,
    /// σ.
    pub sigma: f64,
    /// Slow time.
    pub slow_time: f64,
    /// Moment of the iterates less that of the limit.
    pub error: f64,
    /// Its standard error.
    pub std_error: f64,
    /// Whether it stands out of its noise by [`NOISE_FLOOR`] standard errors.
    pub above_floor: bool,
}

/// Everything a check looks at.
pub(crate) struct Evidence<'a> {
    study: &'a Study,
    prediction: &'a Prediction,
    /// Rungs of the ladder in descending order of step size.
    ladder: Vec<&'a LevelRun>,
    /// All rungs.
    levels: &'a [LevelRun],
    limits: &'a [LimitRun],
    /// The same limits under other settings.
    refined: &'a [Refinement],
    /// Iterates and limit on the same Brownian paths, where the scenario asks for them.
    coupled: Option<&'a CoupledRun>,
}

impl<'a> Evidence<'a> {
    /// The limit for a rung.
    fn limit_for(&self, run: &LevelRun) -> &'a LimitRun {
        let own = self
            .limits
            .iter()
            .find(|limit| limit.level == Some(run.level.number));
        own.unwrap_or(&self.limits[self.limits.len() - 1])
    }

    /// Where a rung's record is compared with its limit.
    fn place(&self, run: &LevelRun, record: usize, observable: usize, squared: bool) -> Place {
        let limit = self.limit_for(run);
        Place {
            observable,
            squared,
            limit: self
                .limits
                .iter()
                .position(|other| std::ptr::eq(other, limit))
                .unwrap_or(0),
            record: limit.record_at(run.slow_times[record]),
            step_size: limit.level.map(|_| run.level.step_size),
        }
    }

    /// The records of the limit at which a rung is compared with it.
    fn limit_records(&self, run: &LevelRun) -> Vec<usize> {
        let limit = self.limit_for(run);
        let compared = run.compared.iter();
        compared
            .map(|&record| limit.record_at(run.slow_times[record]))
            .collect()
    }

    /// The record of the limit at the end of a rung.
    fn last_limit_record(&self, run: &LevelRun) -> usize {
        self.limit_for(run)
            .record_at(run.slow_times[run.slow_times.len() - 1])
    }

    /// [`equivalence`] at the level of one test.
    fn test(
        &self,
        estimate: f64,
        std_error: f64,
        degrees_of_freedom: Option<f64>,
        target: f64,
        margin: f64,
    ) -> Result<Equivalence, StatisticsError> {
        let level = self.margins().level;
        equivalence(
            estimate,
            std_error,
            degrees_of_freedom,
            target,
            margin,
            level,
        )
    }

    fn margins(&self) -> &'a MarginsSpec {
        &self.study.spec.margins
    }

    fn finest(&self) -> &'a LevelRun {
        self.ladder[self.ladder.len() - 1]
    }

    fn observables(&self) -> impl Iterator<Item = (usize, &'a str)> {
        self.study
            .observables
            .iter()
            .enumerate()
            .map(|(i, (name, _))| (i, name.as_str()))
    }

    /// Whether the scenario expects another regime than the derived one.
    fn is_unexpected(&self) -> bool {
        let expected = self.study.spec.expect.regime;
        expected.is_some_and(|expected| expected != self.prediction.regime())
    }

    fn is_deterministic(&self) -> bool {
        self.prediction.is_deterministic()
    }
}

/// Compares iterates and limit, and on coupled paths where there are any.
pub fn verify(study: &Study, prediction: &Prediction, simulation: &Simulation) -> Verdict {
    verify_watched(study, prediction, simulation, &Silent)
}

/// [`verify`], which tells the monitor how it gets on. Some seconds at most: it is not stopped on the way.
pub fn verify_watched(
    study: &Study,
    prediction: &Prediction,
    simulation: &Simulation,
    monitor: &dyn Monitor,
) -> Verdict {
    monitor.begin("checks", "steps", STEPS);
    let verdict = judge(study, prediction, simulation, &|| monitor.advance(1));
    monitor.end();
    tracing::info!(verdict = %verdict.verdict, checks = verdict.checks.len(), "judged");
    verdict
}

/// How often [`judge`] tells that a step is done.
const STEPS: u64 = 6;

fn judge(
    study: &Study,
    prediction: &Prediction,
    simulation: &Simulation,
    step: &dyn Fn(),
) -> Verdict {
    let (levels, limits) = (simulation.levels, simulation.limits);
    let evidence = Evidence {
        study,
        prediction,
        ladder: levels
            .iter()
            .filter(|run| run.level.arm == Arm::StepSizes)
            .collect(),
        levels,
        limits,
        refined: &simulation.refined,
        coupled: simulation.coupled.as_ref(),
    };
    let mut checks = conduct::checks(&evidence);
    let mut errors = Vec::new();
    let mut tables = Vec::new();
    if prediction.regime() == Regime::Trivial {
        checks.extend(standstill::checks(&evidence));
        checks.extend(standstill::expectations(&evidence));
    } else {
        checks.extend(mean::checks(&evidence, &mut errors, &mut tables));
        step();
        if evidence.is_deterministic() {
            checks.extend(spread::checks(&evidence));
        } else {
            let (law_checks, laws) = law::compare(&evidence);
            checks.extend(law_checks);
            tables.push(laws);
        }
        step();
        checks.extend(time_scale::checks(&evidence, &mut tables));
        step();
        checks.extend(collapse::checks(&evidence, &mut tables));
        step();
        checks.extend(freezing::checks(&evidence));
        checks.extend(coupled::checks(&evidence, &mut tables));
        step();
    }
    let false_alarm_rate = 2.0 * study.spec.margins.level;
    keep_significant(&mut checks, false_alarm_rate);
    // Neither a ladder that does not approach the limit nor one on which the time scales mix can speak against it, but for
    // differences beyond what that explains.
    let separation = Separation::of(&evidence);
    let stuck = !extrapolation::stuck_terms(&evidence).is_empty();
    let unidentified = !extrapolation::unidentified_terms(&evidence).is_empty();
    for check in &mut checks {
        let conduct = ["regime", "stability", "divergence"].contains(&check.name.as_str());
        let off_the_limit = match check.name.as_str() {
            "mean" | "mean square" | "path" | "order" => unidentified,
            "law W1" | "law KS" | "joint law" | "freezing" => stuck,
            _ => false,
        };
        let of = check.observable.as_deref();
        let observable = evidence.observables().find(|(_, name)| Some(*name) == of);
        let stands = conduct
            || separation.explained.is_none()
            || observable.is_some_and(|(o, _)| separation.lets_stand(check, o));
        if check.verdict == Outcome::Rejected && (!stands || off_the_limit) {
            check.verdict = Outcome::Inconclusive;
        }
    }
    checks.extend(separation.checks);
    let power = (prediction.regime() != Regime::Trivial)
        .then(|| Power::of(&evidence, &checks, false_alarm_rate));
    budget::charge(&evidence, &mut checks);
    let budget = budget::rows(&evidence, &checks);
    tables.push(budget::table(&budget));
    step();
    let verdict = Outcome::worst(checks.iter().map(|check| check.verdict));
    Verdict {
        verdict,
        regime: prediction.regime(),
        sentence: sentence(verdict, &evidence, &checks),
        false_alarm_rate,
        planted_faults: planted_faults(study, prediction),
        format: FORMAT,
        level: Some(study.spec.margins.level),
        subject: Some(Subject::of(study)),
        power,
        checks,
        budget,
        errors,
        tables,
    }
}

/// Of the differences that were found, only those stand that Holm's procedure over all tests keeps: then a true theory is
/// rejected with probability at most `rate`, however many checks there are. A pass needs no such correction: all checks
/// must pass (intersection–union).
fn keep_significant(checks: &mut [Check], rate: f64) {
    let p_values: Vec<f64> = checks
        .iter()
        .filter_map(|check| check.p_difference)
        // One that is not a number says nothing.
        .map(|p| if p.is_nan() { 1.0 } else { p })
        .collect();
    let count = p_values.len();
    let mut adjusted = holm(&p_values).unwrap_or(vec![1.0; count]).into_iter();
    for check in checks.iter_mut().filter(|c| c.p_difference.is_some()) {
        let adjusted = adjusted.next().unwrap_or(1.0);
        if check.verdict == Outcome::Rejected && adjusted > rate {
            check.verdict = Outcome::Inconclusive;
            let note = format!(
                "; a difference by itself, but not among {count} tests (Holm: p = {adjusted:.2})"
            );
            check.detail.push_str(&note);
        }
    }
}

fn sentence(verdict: Outcome, evidence: &Evidence, checks: &[Check]) -> String {
    let regime = evidence.prediction.regime();
    let clock = evidence.prediction.clock.formula();
    let count = checks.len();
    let mut worst: Vec<&Check> = checks.iter().filter(|c| c.verdict == verdict).collect();
    // What no number of paths helps comes first: it may be why the others can't tell.
    worst.sort_by_key(|check| !sequential::NOT_SAMPLED.contains(&check.name.as_str()));
    let worst: Vec<String> =
        worst
            .into_iter()
            .map(Check::title)
            .fold(Vec::new(), |mut names, name| {
                if !names.contains(&name) {
                    names.push(name);
                }
                names
            });
    match (verdict, regime) {
        (Outcome::Pass, Regime::Trivial) => format!(
            "after the fast phase the iterates stand still on both clocks, as the trivial regime says ({count} checks)"
        ),
        (Outcome::Pass, _) => format!(
            "the iterates converge to the derived {regime} limit in slow time {clock}, within the declared margins ({count} checks)"
        ),
        (Outcome::Rejected, _) if evidence.is_unexpected() => format!(
            "the regime was expected to be another one, but the noise is {regime}, in slow time {clock}: {}",
            worst.join(", ")
        ),
        (Outcome::Rejected, _) => format!(
            "the iterates do not do what the claimed {regime} limit in slow time {clock} says: {}",
            worst.join(", ")
        ),
        (Outcome::Inconclusive, _) => format!(
            "this run can't tell whether the iterates converge to the {regime} limit in slow time {clock}: {}",
            worst.join(", ")
        ),
    }
}

/// The faults that a scenario plants in its limit, or in its iterates.
pub fn planted_faults(study: &Study, prediction: &Prediction) -> Vec<String> {
    let mut faults = Vec::new();
    let planted = study.faults;
    if planted.drift_scale != 1.0 {
        faults.push(format!("limit.drift_scale = {}", planted.drift_scale));
    }
    if planted.diffusion_scale != 1.0 {
        faults.push(format!(
            "limit.diffusion_scale = {}",
            planted.diffusion_scale
        ));
    }
    if !planted.ito_correction {
        faults.push("limit.ito_correction = false".into());
    }
    if !planted.projection {
        faults.push("limit.projection = false".into());
    }
    if study.spec.ladder.late_labels {
        faults.push("ladder.late_labels = true".into());
    }
    if study.spec.ladder.shared_streams {
        faults.push("ladder.shared_streams = true".into());
    }
    if planted.lyapunov {
        faults.push("limit.lyapunov = true".into());
    }
    if planted.masks == crate::derive::Masks::Local {
        faults.push("limit.masks = \"local\"".into());
    }
    if let Some(clock) = study
        .spec
        .limit
        .clock
        .filter(|&clock| clock != prediction.clock_of_regime())
    {
        faults.push(format!(
            "limit.clock = {:?}",
            format!("{clock:?}").to_lowercase()
        ));
    }
    faults
}
