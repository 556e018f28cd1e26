//! The order of convergence: one power of α for the errors of all observables at all record times.

use super::extrapolation::{Design, ErrorTerm};
use super::mean::ROUNDING;
use super::path::{errors_of_paths, limit_noise};
use super::{Check, Evidence, NOISE_FLOOR, TAIL_RESAMPLES, Table, resamples};
use crate::scenario::Schedule;
use crate::simulate::LevelRun;
use crate::statistics::{
    Interval, JointErrors, JointOrder, JointRung, Outcome, SeriesOrder, StatisticsError, classify,
};

/// A goodness of fit less likely than this says that the errors follow no single power.
const MISFIT: f64 = 0.01;

/// The joint order against `expect.order`, where that is given, and what each series says.
///
/// `scales` are the observables with the scales of their errors. Where the ladder leaves a term stuck and the rungs of σ tell
/// it, they take part, with that term's coefficient free for each series.
pub(super) fn check(
    evidence: &Evidence,
    design: &Design,
    scales: &[(usize, f64)],
) -> (Option<Check>, Option<Table>) {
    let expected = evidence.study.spec.expect.order;
    if matches!(evidence.study.schedule, Schedule::PolynomialInSteps { .. }) {
        let detail = "with schedule.decay_steps each rung runs on a curve of its own; use decay_time to compare rungs";
        let check = Check::of("order", Outcome::Inconclusive, detail.into());
        return (expected.map(|_| check), None);
    }
    // An error of a corrected limit has no predicted order.
    if evidence.study.spec.limit.corrected && expected.is_none() {
        return (None, None);
    }
    let rungs: &[&LevelRun] = if design.stuck.is_empty() {
        &evidence.ladder
    } else {
        &design.rungs
    };
    let judged = with_errors(evidence, rungs, &design.stuck, scales, |errors| {
        let level = evidence.margins().level;
        let fit = errors.order(
            NOISE_FLOOR,
            level,
            resamples(level),
            evidence.study.spec.seed,
        )?;
        let series = Series::all(evidence, scales);
        let check = expected.map(|expected| judge(evidence, errors, &fit, &series, expected));
        Ok((check, table(rungs, &series, &fit)))
    });
    match judged {
        Ok((check, table)) => (check, Some(table)),
        Err(error) => (expected.map(|_| Check::impossible("order", &error)), None),
    }
}

/// One observable at one record time.
struct Series<'a> {
    observable: &'a str,
    slow_time: f64,
}

impl<'a> Series<'a> {
    /// In the order of the series of [`with_errors`].
    fn all(evidence: &Evidence<'a>, scales: &[(usize, f64)]) -> Vec<Self> {
        let run = evidence.finest();
        let of = |&(o, _): &(usize, f64)| {
            let observable = evidence.study.observables[o].0.as_str();
            run.compared.iter().map(move |&record| Self {
                observable,
                slow_time: run.slow_times[record],
            })
        };
        scales.iter().flat_map(of).collect()
    }
}

fn with_errors<T>(
    evidence: &Evidence,
    rungs: &[&LevelRun],
    stuck: &[ErrorTerm],
    scales: &[(usize, f64)],
    f: impl FnOnce(&JointErrors) -> Result<T, StatisticsError>,
) -> Result<T, StatisticsError> {
    let observables: Vec<usize> = scales.iter().map(|&(observable, _)| observable).collect();
    let paths = rungs
        .iter()
        .map(|run| errors_of_paths(evidence, run, &observables))
        .collect::<Result<Vec<_>, _>>()?;
    let own_limits = evidence.limits.len() > 1;
    let limits = if own_limits {
        let noise = |run: &&LevelRun| limit_noise(evidence, run, &observables);
        rungs.iter().map(noise).collect::<Result<Vec<_>, _>>()?
    } else {
        vec![limit_noise(evidence, evidence.finest(), &observables)?]
    };
    let joint: Vec<_> = rungs
        .iter()
        .zip(&paths)
        .enumerate()
        .map(|(number, (run, paths))| JointRung {
            step_size: run.level.step_size,
            paths,
            limit: if own_limits { number } else { 0 },
        })
        .collect();
    let records = evidence.finest().compared.len();
    let smallest: Vec<f64> = scales
        .iter()
        .flat_map(|(_, scale)| vec![ROUNDING * scale; records])
        .collect();
    let nuisance: Vec<Vec<f64>> = stuck
        .iter()
        .map(|term| rungs.iter().map(|run| term.at(&run.level)).collect())
        .collect();
    f(&JointErrors::new(&joint, &limits, &smallest, &nuisance)?)
}

fn judge(
    evidence: &Evidence,
    errors: &JointErrors,
    fit: &JointOrder,
    series: &[Series],
    expected: f64,
) -> Check {
    let margin = evidence.margins().order;
    let allowed = Interval::around(expected, margin);
    let misfit = fit.p_value.is_some_and(|p| p < MISFIT);
    let interval = if misfit {
        fit.cautious()
    } else {
        fit.resampled
    };
    let mut verdict = classify(interval, expected, margin);
    let mut detail = format!(
        "one order p for {} series (observable × record time); {}; parametric bootstrap [{:.3}, {:.3}]; resampled paths [{:.3}, {:.3}]; rungs above the noise floor: {}",
        series.len(),
        goodness(fit.chi_squared, fit.degrees_of_freedom, fit.p_value),
        fit.parametric.lower,
        fit.parametric.upper,
        fit.resampled.lower,
        fit.resampled.upper,
        above(fit),
    );
    if misfit {
        let others: Vec<_> = fit
            .series
            .iter()
            .zip(series)
            .filter(|(of, _)| departs(of, &allowed))
            .map(|(of, series)| {
                let order = of.exponent.map_or("none".into(), |p| format!("{p:.2}"));
                format!("{} at {:.4}: {order}", series.observable, series.slow_time)
            })
            .collect();
        detail += "; no single power fits, so the interval is widened to the order without the coarsest rung";
        if !others.is_empty() {
            detail += &format!("; orders of their own: {}", others.join(", "));
        }
        if verdict == Outcome::Rejected || !others.is_empty() {
            verdict = Outcome::Inconclusive;
        }
    }
    let mut check =
        Check::of("order", verdict, detail).with(fit.exponent, interval, expected, margin);
    if !misfit {
        let further;
        let exponents = if verdict == Outcome::Rejected {
            further = errors.resampled_exponents(TAIL_RESAMPLES, evidence.study.spec.seed);
            &further
        } else {
            &fit.resampled_exponents
        };
        let share = |count: usize| (1 + count) as f64 / (1 + exponents.len()) as f64;
        let at_most = exponents.iter().filter(|&&p| p <= allowed.upper).count();
        let at_least = exponents.iter().filter(|&&p| p >= allowed.lower).count();
        check.p_difference = Some(share(at_most.min(at_least)));
        let outside = exponents.len() - at_most.min(at_least);
        check.p_value = Some(share(outside));
    }
    check
}

/// A series that stands out of its noise and has an order of its own outside the margin.
fn departs(series: &SeriesOrder, allowed: &Interval) -> bool {
    series.above_floor.iter().filter(|&&above| above).count() >= 2
        && series.resampled.disjoint_from(allowed)
}

fn goodness(chi_squared: f64, degrees_of_freedom: usize, p_value: Option<f64>) -> String {
    let p = p_value.map_or(String::new(), |p| format!(", p = {p:.3}"));
    format!("χ² {chi_squared:.1} ({degrees_of_freedom} degrees of freedom{p})")
}

/// How many of all errors stand above the floor.
fn above(fit: &JointOrder) -> String {
    let flags = || fit.series.iter().flat_map(|series| &series.above_floor);
    format!(
        "{} of {}",
        flags().filter(|&&above| above).count(),
        flags().count()
    )
}

fn table(rungs: &[&LevelRun], series: &[Series], fit: &JointOrder) -> Table {
    let number = |x: f64| format!("{x}");
    let maybe = |x: Option<f64>| x.map_or(String::new(), number);
    let intervals = |a: Interval, b: Interval| [a.lower, a.upper, b.lower, b.upper].map(number);
    let mut rows = Vec::new();
    for (of, series) in fit.series.iter().zip(series) {
        let mut row = vec![
            series.observable.to_owned(),
            number(series.slow_time),
            maybe(of.exponent),
        ];
        row.extend(intervals(of.parametric, of.resampled));
        row.push(number(of.chi_squared));
        row.push(of.degrees_of_freedom.to_string());
        row.push(maybe(of.p_value));
        let above = rungs
            .iter()
            .zip(&of.above_floor)
            .filter(|(_, above)| **above);
        let names: Vec<_> = above.map(|(run, _)| run.level.number.to_string()).collect();
        row.push(names.join(" "));
        let largest = of.noise_floor.iter().copied().fold(0.0, f64::max);
        row.push(number(largest));
        row.push(number(of.coefficient));
        rows.push(row);
    }
    let mut joint = vec!["joint".to_owned(), String::new(), number(fit.exponent)];
    joint.extend(intervals(fit.parametric, fit.resampled));
    joint.push(number(fit.chi_squared));
    joint.push(fit.degrees_of_freedom.to_string());
    joint.push(maybe(fit.p_value));
    joint.extend([String::new(), String::new(), String::new()]);
    rows.push(joint);
    Table {
        name: "orders",
        header: vec![
            "observable",
            "slow_time",
            "order",
            "parametric_lower",
            "parametric_upper",
            "resampled_lower",
            "resampled_upper",
            "chi_squared",
            "degrees_of_freedom",
            "p_value",
            "levels_above_floor",
            "noise_floor",
            "joint_coefficient",
        ],
        rows,
    }
}
