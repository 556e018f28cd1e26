//! σ fixed along the ladder leaves an error of order σ² in the non-degenerate regime: rungs of σ take it to σ → 0.

mod common;

use singlim::statistics::Outcome;
use singlim::verify::{Check, Verdict};

fn verdict(set: &[&str]) -> Verdict {
    let fixed = ["ladder.sigma_exponent=0", "ladder.sigma=0.15"];
    common::verdict("product-anti-pgd", &[&fixed, set].concat(), 1)
}

fn named<'a>(verdict: &'a Verdict, name: &'a str) -> impl Iterator<Item = &'a Check> {
    verdict.checks.iter().filter(move |c| c.name == name)
}

/// At the finest step size, where what the rungs of σ can't see is least.
const BOTH_ARMS: [&str; 2] = [
    "ladder.sigma_factors=[0.5, 0.7]",
    "ladder.sigma_step_size=0.01",
];

/// One fixed seed; the margins are seven standard errors of the worst mean and more.
#[test]
fn with_rungs_of_sigma_a_true_limit_passes_at_fixed_sigma() {
    let verdict = verdict(&BOTH_ARMS);
    assert_eq!(verdict.verdict, Outcome::Pass, "{:#?}", verdict.checks);
    assert_eq!(named(&verdict, "ladder").count(), 0);
    // The rungs of σ are among the errors that the checks rest on.
    assert!(verdict.errors.iter().any(|error| error.sigma < 0.1));
    assert!(named(&verdict, "order").all(|check| (check.estimate.unwrap() - 1.0).abs() < 0.2));
}

#[test]
fn with_rungs_of_sigma_a_wrong_drift_is_rejected_at_fixed_sigma() {
    let verdict = verdict(&[&BOTH_ARMS[..], &["limit.drift_scale=1.1"]].concat());
    assert_eq!(verdict.verdict, Outcome::Rejected);
    for name in ["mean", "path"] {
        let mut checks = named(&verdict, name);
        assert!(checks.any(|check| check.verdict == Outcome::Rejected));
    }
}

#[test]
fn without_rungs_of_sigma_the_ladder_can_neither_pass_nor_be_rejected() {
    for fault in ["limit.drift_scale=1", "limit.drift_scale=1.1"] {
        let verdict = verdict(&["ladder.sigma_factors=[]", "ladder.paths=500", fault]);
        assert_eq!(verdict.verdict, Outcome::Inconclusive);
        assert_eq!(named(&verdict, "ladder").count(), 1);
    }
}
