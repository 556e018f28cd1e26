//! The trivial regime: after the fast phase nothing moves, on either clock.

use super::{Check, Displacement, Evidence};
use crate::simulate::LevelRun;
use crate::statistics::{Outcome, summarize};

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    let mut checks = Vec::new();
    for (observable, name) in evidence.observables() {
        let displacement = Displacement::of(evidence, observable);
        if displacement.scale == 0.0 {
            continue;
        }
        for run in &evidence.ladder {
            checks.push(check(evidence, run, observable, displacement.scale).on(name));
        }
    }
    if checks.is_empty() {
        checks.push(Check::of(
            "standstill",
            Outcome::Inconclusive,
            "none of the observables varies along Γ, so no movement could be seen; add one that does".into(),
        ));
    }
    checks
}

/// What is expected of a motion can't hold where nothing moves.
pub(super) fn expectations(evidence: &Evidence) -> Vec<Check> {
    let expect = &evidence.study.spec.expect;
    [
        ("exponents", expect.exponents.is_some()),
        ("order", expect.order.is_some()),
        ("freezing", expect.freezes == Some(true)),
    ]
    .into_iter()
    .filter(|(_, given)| *given)
    .map(|(name, _)| {
        Check::fact(
            name,
            false,
            format!("{name} are expected of a motion, but the regime is trivial: nothing moves"),
        )
    })
    .collect()
}

/// The mean displacement since the end of the fast phase, path by path, at the record where it is largest.
fn check(evidence: &Evidence, run: &LevelRun, observable: usize, scale: f64) -> Check {
    let Some(settled) = run.settled else {
        return Check::of(
            "standstill",
            Outcome::Inconclusive,
            "the fast phase was not recorded".into(),
        );
    };
    let margin = evidence.margins().mean * scale;
    let mut worst: Option<Check> = None;
    let mut smallest = 1.0_f64;
    for &record in &run.compared {
        let moved: Vec<_> = (0..run.samples.paths)
            .map(|path| {
                run.samples.value(path, record, observable)
                    - run.samples.value(path, settled, observable)
            })
            .filter(|x| x.is_finite())
            .collect();
        let tested = summarize(&moved).and_then(|summary| {
            let std_error = summary.std_error.unwrap_or(0.0);
            let dof = moved.len().saturating_sub(1).max(1) as f64;
            evidence.test(summary.mean, std_error, Some(dof), 0.0, margin)
        });
        let check = match tested {
            Err(error) => Check::impossible("standstill", &error),
            Ok(test) => {
                let alpha = run.level.step_size;
                let k = run.iterations[record];
                smallest = smallest.min(test.p_difference);
                let detail = format!(
                    "α={alpha}: mean displacement from iteration {} (end of the fast phase) to {k} (kασ² = {:.3}, kα²σ² = {:.3})",
                    run.iterations[settled],
                    k as f64 * alpha * run.level.sigma.powi(2),
                    k as f64 * alpha.powi(2) * run.level.sigma.powi(2),
                );
                Check::tested("standstill", &test, 0.0, margin, detail)
            }
        };
        let distance = |c: &Check| (c.verdict, c.estimate.unwrap_or(0.0).abs());
        if worst
            .as_ref()
            .is_none_or(|w| distance(&check) >= distance(w))
        {
            worst = Some(check);
        }
    }
    // The worst of all records was looked for.
    if let Some(check) = &mut worst {
        let tests = run.compared.len() as f64;
        check.p_difference = check.p_difference.map(|_| (smallest * tests).min(1.0));
    }
    worst.unwrap_or_else(|| {
        Check::of(
            "standstill",
            Outcome::Inconclusive,
            "no record after the fast phase".into(),
        )
    })
}
