//! Schedules that freeze the evolution: the iterates end where the limit is at the freezing time, and not where a
//! constant step size would have brought them.

use super::{Check, Displacement, Evidence};
use crate::statistics::Outcome;

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    let Some(expected) = evidence.study.spec.expect.freezes else {
        return Vec::new();
    };
    let run = evidence.finest();
    let prediction = &evidence.prediction.levels[run.level.number as usize];
    let Some(freezing_time) = prediction.freezing_time else {
        let detail =
            "the schedule never freezes the evolution: slow time grows without bound".to_owned();
        return vec![Check::fact("freezing", !expected, detail)];
    };
    if !expected {
        let detail =
            format!("slow time never exceeds {freezing_time:.4}, but expect.freezes is false");
        return vec![Check::fact("freezing", false, detail)];
    }
    evidence
        .observables()
        .filter_map(|(observable, name)| Some(check(evidence, observable, freezing_time)?.on(name)))
        .collect()
}

fn check(evidence: &Evidence, observable: usize, freezing_time: f64) -> Option<Check> {
    let run = evidence.finest();
    let limit = evidence.limit_for(run);
    let displacement = Displacement::of(evidence, observable);
    if !displacement.moves {
        return None;
    }
    let start = limit.initial[observable];
    let mean_at = |time: f64| {
        limit
            .samples
            .moments(limit.record_at(time), observable, |x| x)
    };
    let frozen = mean_at(freezing_time);
    let unfrozen = mean_at(evidence.study.horizon());
    let last = run.compared[run.compared.len() - 1];
    let here = run.samples.moments(last, observable, |x| x);
    let margin = evidence.margins().freezing * (frozen.mean - start).abs();
    let std_error = here.std_error().hypot(frozen.std_error());
    let dof = here.count.saturating_sub(1).max(1) as f64;
    let test = match evidence.test(here.mean, std_error, Some(dof), frozen.mean, margin) {
        Ok(test) => test,
        Err(error) => return Some(Check::impossible("freezing", &error)),
    };
    // A freeze shows only if a constant step size would have led elsewhere.
    let visible = (unfrozen.mean - frozen.mean).abs() > 2.0 * margin;
    let outcome = if visible {
        test.outcome
    } else {
        Outcome::Inconclusive
    };
    let mut check = Check::tested(
        "freezing",
        &test,
        frozen.mean,
        margin,
        format!(
            "after {} iterations (slow time {:.4}, which never exceeds {freezing_time:.4}) against the limit at the freezing time; a constant step size would be at slow time {:.4} with {:.4}",
            run.iterations[last],
            run.slow_times[last],
            evidence.study.horizon(),
            unfrozen.mean
        ),
    );
    check.verdict = outcome;
    Some(check)
}
