//! Data collapse: the trajectories of all rungs fall onto one curve in the claimed slow time, rather than on the other clock.

use super::time_scale::{Followed, end_of_fast_phase};
use super::{Check, Displacement, Evidence, TAIL_RESAMPLES, Table, resamples};
use crate::scenario::{Clock, Schedule};
use crate::simulate::LevelRun;
use crate::statistics::{Collapse, Curves, Outcome, Score, collapse};

/// Names the random streams of the bootstrap.
const SEED: u64 = 0x636f_6c6c;

/// The check, where the clocks can be compared, and the table of all trajectories on both clocks.
pub(super) fn checks(evidence: &Evidence, tables: &mut Vec<Table>) -> Vec<Check> {
    match compare(evidence) {
        Ok((check, table)) => {
            tables.push(table);
            vec![check]
        }
        Err(reason) => {
            let mut row = vec![String::new(); HEADER.len()];
            row[HEADER.len() - 1] = reason;
            tables.push(table(vec![row]));
            Vec::new()
        }
    }
}

/// Err with the reason where the claimed clock says nothing of a collapse, or the trajectories have no time in common.
fn compare(evidence: &Evidence) -> Result<(Check, Table), String> {
    const OBSERVABLE: usize = 0;
    if evidence.study.spec.limit.corrected {
        return Err(
            "at step sizes that need a corrected limit the rungs do not share one curve".into(),
        );
    }
    if matches!(evidence.study.schedule, Schedule::PolynomialInSteps { .. }) {
        return Err("with schedule.decay_steps each rung runs on a curve of its own".into());
    }
    let displacement = Displacement::of(evidence, OBSERVABLE);
    if !displacement.moves {
        return Err("the limit does not move the first observable".into());
    }
    let followed = Followed::of(evidence, OBSERVABLE);
    // Mean squares are in units of the squared displacement.
    let scale = displacement
        .scale
        .powi(if followed.squared { 2 } else { 1 });
    let claimed = evidence.prediction.clock;
    let rival = match claimed {
        Clock::Fast => Clock::Slow,
        Clock::Slow => Clock::Fast,
    };
    let (records, curves): (Vec<_>, Vec<_>) = evidence
        .levels
        .iter()
        .map(|run| after_fast_phase(evidence, run, &followed, [claimed, rival]))
        .unzip();
    if let Some(short) =
        (records.iter().zip(evidence.levels)).find(|(records, _)| records.len() < 2)
    {
        let level = short.1.level;
        return Err(format!(
            "the fast phase lasts until the horizon at α = {}, σ = {:.3}",
            level.step_size, level.sigma
        ));
    }
    let level = evidence.margins().level;
    let seed = evidence.study.spec.seed ^ SEED;
    let name = &evidence.study.observables[OBSERVABLE].0;
    let at = |resamples| collapse(&curves, scale, level, resamples, seed);
    // Only a rejection needs p-values further out in the tail.
    let reversed = |found: &Collapse| found.comparison.is_some_and(|c| c.interval.upper < 0.0);
    let found = at(resamples(level)).and_then(|found| {
        if reversed(&found) {
            at(TAIL_RESAMPLES.max(resamples(level)))
        } else {
            Ok(found)
        }
    });
    let found = match found {
        Ok(found) => found,
        Err(error) => {
            let check = Check::impossible("collapse", &error).on(name);
            return Ok((check, table(Vec::new())));
        }
    };
    let Some(comparison) = found.comparison else {
        return Err(format!(
            "after the fast phase the rungs have no time in common: in {} {}, in {} {}",
            claimed.formula(),
            described(found.scores[0].as_ref()),
            rival.formula(),
            described(found.scores[1].as_ref()),
        ));
    };
    let outcome = if comparison.interval.lower > 0.0 {
        Outcome::Pass
    } else if comparison.interval.upper < 0.0 {
        Outcome::Rejected
    } else {
        Outcome::Inconclusive
    };
    let mut check = Check::of(
        "collapse",
        outcome,
        detail(&found, &followed, claimed, rival),
    )
    .on(name);
    check.estimate = Some(comparison.estimate);
    check.interval = Some(comparison.interval);
    check.null = Some(0.0);
    check.p_value = Some(comparison.p_first);
    check.p_difference = Some(comparison.p_second);
    let mut rows = Vec::new();
    for (i, clock) in [claimed, rival].into_iter().enumerate() {
        for ((run, records), curves) in evidence.levels.iter().zip(&records).zip(&curves) {
            let on_clock = [["claimed", "other"][i], clock.formula()];
            let times = &curves.times[i];
            rows.extend(rows_of(evidence, run, records, times, on_clock, &followed));
        }
    }
    Ok((check, table(rows)))
}

fn detail(found: &Collapse, followed: &Followed, claimed: Clock, rival: Clock) -> String {
    format!(
        "distance between the {} trajectories of all rungs, as a share of what the limit covers (0: they collapse; squared standard errors subtracted): in {} {}; in {} {}; the estimate is by how much the second is larger before that subtraction",
        followed.what(),
        claimed.formula(),
        described(found.scores[0].as_ref()),
        rival.formula(),
        described(found.scores[1].as_ref()),
    )
}

fn described(score: Option<&Score>) -> String {
    match score {
        None => "no score".into(),
        Some(score) => format!(
            "{:.4} [{:.4}, {:.4}] at times {:.3e} to {:.3e}{}",
            score.estimate,
            score.interval.lower,
            score.interval.upper,
            score.overlap.lower,
            score.overlap.upper,
            if score.pairs < 1.0 {
                format!(
                    " that {:.0} % of the pairs of rungs share",
                    100.0 * score.pairs
                )
            } else {
                String::new()
            }
        ),
    }
}

/// The records of a rung after the fast phase, and what its paths do there on two clocks.
fn after_fast_phase(
    evidence: &Evidence,
    run: &LevelRun,
    followed: &Followed,
    clocks: [Clock; 2],
) -> (Vec<usize>, Curves) {
    let settled = end_of_fast_phase(evidence, run);
    let clock = evidence.prediction.level_clock(evidence.study, &run.level);
    let times = clocks.map(|counted| clock.counting(counted).slow_times(&run.iterations));
    let mut records: Vec<usize> = Vec::new();
    for (record, &iteration) in run.iterations.iter().enumerate() {
        // When a schedule has frozen the evolution, slow time stands still.
        let later = |&last: &usize| times.iter().all(|times| times[record] > times[last]);
        if iteration as f64 >= settled && records.last().is_none_or(later) {
            records.push(record);
        }
    }
    let mut values = Vec::with_capacity(run.samples.paths * records.len());
    for path in 0..run.samples.paths {
        let at = |&record: &usize| {
            let x = run.samples.value(path, record, followed.observable);
            followed.value(x)
        };
        // Diverged paths are counted elsewhere.
        if records.iter().all(|record| at(record).is_finite()) {
            values.extend(records.iter().map(at));
        }
    }
    let times = times.map(|times| records.iter().map(|&record| times[record]).collect());
    (records, Curves { times, values })
}

/// The trajectory of one rung on one clock.
fn rows_of(
    evidence: &Evidence,
    run: &LevelRun,
    records: &[usize],
    times: &[f64],
    clock: [&str; 2],
    followed: &Followed,
) -> Vec<Vec<String>> {
    let limit = evidence.limit_for(run);
    let value = |x| followed.value(x);
    let row = |(&record, time): (&usize, &f64)| {
        let o = followed.observable;
        let moments = run.samples.moments(record, o, value);
        let of_limit = run.compared.contains(&record).then(|| {
            let at = limit.record_at(run.slow_times[record]);
            limit.samples.moments(at, o, value).mean.to_string()
        });
        vec![
            clock[0].to_owned(),
            clock[1].to_owned(),
            run.level.step_size.to_string(),
            run.level.sigma.to_string(),
            time.to_string(),
            moments.mean.to_string(),
            moments.std_error().to_string(),
            of_limit.unwrap_or_default(),
            String::new(),
        ]
    };
    records.iter().zip(times).map(row).collect()
}

const HEADER: [&str; 9] = [
    "clock",
    "formula",
    "step_size",
    "sigma",
    "slow_time",
    "mean",
    "std_error",
    "limit_mean",
    "note",
];

fn table(rows: Vec<Vec<String>>) -> Table {
    Table {
        name: "collapse",
        header: HEADER.to_vec(),
        rows,
    }
}
