//! Laws at the horizon: distances of the iterates' law to the limit's along the ladder, against their noise floor.

use super::{Check, Evidence, RESAMPLES, TAIL_RESAMPLES};
use crate::statistics::{
    Distance, DistanceEstimate, Outcome, StatisticsError, distance_to_reference,
    standard_deviation_with_error,
};

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    let mut checks = Vec::new();
    for (observable, name) in evidence.observables() {
        let limit = evidence.limit_for(evidence.finest());
        let reference = limit
            .samples
            .column(evidence.last_limit_record(evidence.finest()), observable);
        let Ok((sd, _)) = standard_deviation_with_error(&reference) else {
            continue;
        };
        if sd < 1e-9 {
            continue;
        }
        let margins = evidence.margins();
        checks.push(
            check(
                evidence,
                observable,
                "law W1",
                Distance::Wasserstein1,
                margins.law,
                sd,
            )
            .on(name),
        );
        checks.push(
            check(
                evidence,
                observable,
                "law KS",
                Distance::KolmogorovSmirnov,
                margins.ks,
                1.0,
            )
            .on(name),
        );
    }
    checks
}

/// The distance at the finest rung, in units of `unit`, is below the margin.
fn check(
    evidence: &Evidence,
    observable: usize,
    name: &str,
    distance: Distance,
    margin: f64,
    unit: f64,
) -> Check {
    let distances: Result<Vec<_>, StatisticsError> = evidence
        .ladder
        .iter()
        .map(|run| {
            measure(
                evidence,
                run,
                observable,
                distance,
                evidence.margins().level,
                RESAMPLES,
            )
        })
        .collect();
    let distances = match distances {
        Ok(distances) => distances,
        Err(error) => return Check::impossible(name, &error),
    };
    let finest = distances[distances.len() - 1];
    let mut interval = finest.interval;
    interval.lower /= unit;
    interval.upper /= unit;
    let outcome = if interval.upper < margin {
        Outcome::Pass
    } else if interval.lower >= margin {
        evidence.confirmed(Outcome::Rejected, |level| {
            let level = level.max(1.0 / TAIL_RESAMPLES as f64);
            let again = measure(
                evidence,
                evidence.finest(),
                observable,
                distance,
                level,
                TAIL_RESAMPLES,
            )?;
            let stands = again.interval.lower / unit >= margin;
            Ok(if stands {
                Outcome::Rejected
            } else {
                Outcome::Inconclusive
            })
        })
    } else {
        Outcome::Inconclusive
    };
    let along: Vec<_> = evidence
        .ladder
        .iter()
        .zip(&distances)
        .map(|(run, d)| {
            let (distance, floor) = (d.estimate / unit, d.floor / unit);
            format!(
                "α={}: {distance:.4} (noise floor {floor:.4})",
                run.level.step_size
            )
        })
        .collect();
    let unit_name = if unit == 1.0 {
        ""
    } else {
        ", in standard deviations of the limit"
    };
    Check::of(
        name,
        outcome,
        format!(
            "distance of the laws at the horizon{unit_name}: {}",
            along.join(", ")
        ),
    )
    .with(finest.estimate / unit, interval, 0.0, margin)
}

fn measure(
    evidence: &Evidence,
    run: &crate::simulate::LevelRun,
    observable: usize,
    distance: Distance,
    level: f64,
    resamples: usize,
) -> Result<DistanceEstimate, StatisticsError> {
    let limit = evidence.limit_for(run);
    let last = run.compared[run.compared.len() - 1];
    let sample = run.samples.column(last, observable);
    let reference = limit
        .samples
        .column(limit.record_at(run.slow_times[last]), observable);
    distance_to_reference(
        &sample,
        &reference,
        distance,
        level,
        resamples,
        evidence.study.spec.seed,
    )
}
