//! Checks on the run itself: the regime, the stability of the step sizes, paths that diverged, the design of the ladder.

use super::{Check, Evidence};
use crate::derive::{PointEvidence, Regime, RegimeEvidence};
use crate::noise::Source;
use crate::random::Law;
use crate::simulate::LevelRun;
use crate::statistics::Outcome;

/// Diverged iterates: beyond this share of a rung the study is rejected, up to it it is inconclusive.
const DIVERGED_SHARE: f64 = 0.01;
/// Paths that end in the value of another: more than rounding brings about.
const LARGEST_TWIN_SHARE: f64 = 0.01;
/// Limit paths that could not be continued: up to this share is an inconvenience, beyond it a wrong setting.
const FAILED_SHARE: f64 = 0.001;

pub(super) fn checks(evidence: &Evidence) -> Vec<Check> {
    let mut checks = vec![regime(evidence), stability(evidence), divergence(evidence)];
    checks.extend(independence(evidence));
    checks.extend(failed_limit_paths(evidence));
    checks.extend(ladder_reaches_the_limit(evidence));
    checks
}

/// The derived regime holds along the limit path and is the expected one.
fn regime(evidence: &Evidence) -> Check {
    let derived = evidence.prediction.evidence;
    let along: Vec<PointEvidence> = evidence
        .limits
        .iter()
        .flat_map(|limit| limit.evidence.clone())
        .collect();
    let found = RegimeEvidence::over(&along);
    let changes = found.points > 0
        && found.regime != derived.regime
        && !(derived.regime == Regime::NonDegenerate && found.regime != Regime::NonDegenerate);
    let expected = evidence.study.spec.expect.regime;
    let mut detail = format!(
        "derived {}: |P∇Reg| {:.1e} and |G| {:.1e} of their scales near the start, {:.1e} and {:.1e} along the limit ({} points, zero below {:.0e})",
        derived.regime,
        derived.largest.regularizer,
        derived.largest.noise,
        found.largest.regularizer,
        found.largest.noise,
        derived.points + found.points,
        derived.tolerance,
    );
    if let Some(expected) = expected {
        detail = format!("expected {expected}, {detail}");
    }
    if changes {
        detail = format!(
            "the regime changes along the limit to {}; {detail}",
            found.regime
        );
    }
    Check::fact(
        "regime",
        !changes && expected.is_none_or(|e| e == derived.regime),
        detail,
    )
}

/// α·λ_max < 2 all along the limit.
fn stability(evidence: &Evidence) -> Check {
    let largest = evidence
        .limits
        .iter()
        .map(|limit| limit.largest_eigenvalue)
        .fold(0.0, f64::max);
    let conditions = evidence.limits.iter().map(|limit| limit.condition);
    let condition = conditions.fold(1.0, f64::max);
    let step_size = evidence.ladder[0].level.step_size;
    let product = step_size * largest;
    let mut check = Check::fact(
        "stability",
        product < 2.0,
        format!(
            "α·λ_max along the limit is at most {product:.3} at the largest step size {step_size}; 2 is unstable; the condition number of J is up to {condition:.1e}"
        ),
    );
    check.estimate = Some(product);
    check
}

fn divergence(evidence: &Evidence) -> Check {
    let paths: usize = evidence.levels.iter().map(|run| run.level.paths).sum();
    let diverged: usize = evidence.levels.iter().map(|run| run.diverged.len()).sum();
    let first = evidence.levels.iter().find(|run| !run.diverged.is_empty());
    let detail = match first {
        None => format!("none of {paths} paths diverged"),
        Some(run) => format!(
            "{diverged} of {paths} paths diverged, the first of step size {} at iteration {}; see diverged.csv; take smaller step sizes or a smaller σ",
            run.level.step_size, run.diverged[0].iteration
        ),
    };
    // A few paths that blow up say something of the step size; many say that the limit does not hold here.
    let share_of = |run: &LevelRun| run.diverged.len() as f64 / run.level.paths as f64;
    let share = evidence.levels.iter().map(share_of).fold(0.0, f64::max);
    let verdict = match diverged {
        0 => Outcome::Pass,
        _ if share <= DIVERGED_SHARE => Outcome::Inconclusive,
        _ => Outcome::Rejected,
    };
    let mut check = Check::of("divergence", verdict, detail);
    check.estimate = Some(diverged as f64);
    check
}

/// No two paths of a rung end in the same value: streams that paths share would make every standard error too small.
/// Only where noise of a continuous law moves the paths apart.
fn independence(evidence: &Evidence) -> Option<Check> {
    let continuous = |source: &Source| {
        source.batch.is_none() && matches!(source.law, Law::Gaussian | Law::Uniform)
    };
    let sources = evidence.study.noisy.sources();
    if evidence.prediction.regime() == Regime::Trivial || !sources.iter().all(continuous) {
        return None;
    }
    let levels = evidence.levels.iter();
    let worst = levels.filter_map(|run| Some((twins(run)?, run)));
    let (share, run) = worst.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (share > LARGEST_TWIN_SHARE).then(|| {
        let detail = format!(
            "{:.0} % of the paths of step size {} end in exactly the value of another: they share random numbers",
            100.0 * share,
            run.level.step_size
        );
        Check::fact("independence", false, detail)
    })
}

/// The share of paths that end in exactly the value of another; none where the values differ by no more than rounding.
fn twins(run: &LevelRun) -> Option<f64> {
    let mut ends = run.samples.column(run.iterations.len() - 1, 0);
    ends.sort_by(f64::total_cmp);
    let (first, last) = (ends.first()?, ends.last()?);
    let twins = ends.windows(2).filter(|pair| pair[0] == pair[1]).count();
    (last - first > 1e-9 * last.abs()).then_some(twins as f64 / ends.len() as f64)
}

fn failed_limit_paths(evidence: &Evidence) -> Option<Check> {
    let failed: usize = evidence.limits.iter().map(|limit| limit.failed.0).sum();
    let paths: usize = evidence
        .limits
        .iter()
        .map(|limit| limit.samples.paths)
        .sum();
    let reason = evidence
        .limits
        .iter()
        .find_map(|limit| limit.failed.1.as_ref())?;
    let detail = format!("{failed} of {paths} limit paths could not be continued: {reason}");
    let tolerable = (failed as f64) <= FAILED_SHARE * paths as f64;
    let verdict = if tolerable {
        Outcome::Pass
    } else {
        Outcome::Inconclusive
    };
    Some(Check::of("limit paths", verdict, detail))
}

/// Along the ladder every predicted error term must tend to zero, or be told by the rungs of σ, or agreement with the limit
/// can't be shown.
fn ladder_reaches_the_limit(evidence: &Evidence) -> Option<Check> {
    let stuck: Vec<_> = super::extrapolation::unidentified_terms(evidence)
        .iter()
        .map(|term| term.name)
        .collect();
    if stuck.is_empty() {
        return None;
    }
    let q = evidence.study.spec.ladder.sigma_exponent;
    Some(Check::of(
        "ladder",
        Outcome::Inconclusive,
        format!(
            "with σ ∝ α^{q} the error term {} does not vanish along the ladder, so the limit is not approached; set ladder.sigma_exponent to {}, or for a deterministic limit add ladder.sigma_factors",
            stuck.join(", "),
            if evidence.prediction.regime() == Regime::Degenerate {
                "1"
            } else {
                "0.5"
            }
        ),
    ))
}
