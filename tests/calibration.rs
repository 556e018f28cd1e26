//! How often the verdict itself is wrong: true theories that are rejected, planted faults that are not.
//!
//! Small studies over many seeds. Each bound is a binomial quantile: a test fails by chance with probability below 1e-6.

use rayon::prelude::*;
use singlim::predict::predict;
use singlim::scenario::{Study, parse};
use singlim::simulate::{Silent, Simulation, run_both};
use singlim::statistics::Outcome;
use singlim::verify::verify;
use statrs::distribution::{Binomial, DiscreteCDF};

const FALSE_ALARM_OF_TEST: f64 = 1e-6;

fn outcomes(scenario: &str, set: &[&str], runs: u64) -> Vec<Outcome> {
    let path = format!("{}/scenarios/{scenario}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    (0..runs)
        .into_par_iter()
        .map(|seed| {
            let mut overrides: Vec<_> = set.iter().map(|s| (*s).to_owned()).collect();
            overrides.push(format!("seed={}", 1000 + seed));
            let (spec, source) = parse(scenario, &text, &overrides).unwrap();
            let study = Study::resolve(spec, source).unwrap();
            let prediction = predict(&study).unwrap();
            let (levels, limits) = run_both(&study, &prediction, &Silent).unwrap();
            let simulation = Simulation::of(&study, &prediction, &levels, &limits, &Silent);
            verify(&study, &prediction, &simulation).verdict
        })
        .collect()
}

fn count(outcomes: &[Outcome], wanted: Outcome) -> u64 {
    outcomes
        .iter()
        .filter(|&&outcome| outcome == wanted)
        .count() as u64
}

/// The smallest count that a binomial variable exceeds with probability below 1e-6.
fn upper_bound(p: f64, n: u64) -> u64 {
    Binomial::new(p, n)
        .unwrap()
        .inverse_cdf(1.0 - FALSE_ALARM_OF_TEST)
}

/// The largest count below which a binomial variable falls with probability below 1e-6.
fn lower_bound(p: f64, n: u64) -> u64 {
    Binomial::new(p, n)
        .unwrap()
        .inverse_cdf(FALSE_ALARM_OF_TEST)
}

const SMALL: [&str; 2] = [
    "ladder.step_sizes=[0.08, 0.04, 0.02, 0.01]",
    "ladder.records=3",
];

#[test]
fn a_true_theory_is_rejected_no_more_often_than_declared() {
    // Few paths and margins far too small for them: the hardest case for a false alarm. Declared: 2·level = 2 %.
    let runs = 200;
    for (scenario, paths, margin) in [
        (
            "product-label-noise",
            "ladder.paths=32",
            "margins.mean=0.002",
        ),
        ("product-anti-pgd", "ladder.paths=32", "margins.mean=0.002"),
        (
            "circle-bernoulli-dropconnect",
            "ladder.paths=64",
            "margins.mean=0.005",
        ),
    ] {
        let found = outcomes(scenario, &[&SMALL[..], &[paths, margin]].concat(), runs);
        let rejected = count(&found, Outcome::Rejected);
        assert!(
            rejected <= upper_bound(0.02, runs),
            "{scenario}: {rejected} of {runs} rejected"
        );
    }
}

#[test]
fn planted_faults_are_rejected_with_probability_095_and_more() {
    let runs = 60;
    for (scenario, fault) in [
        ("product-label-noise", "limit.drift_scale=1.2"),
        ("product-label-noise", "limit.drift_scale=1.05"),
        ("product-label-noise", "limit.clock=fast"),
        ("product-anti-pgd", "limit.drift_scale=1.1"),
        ("product-anti-pgd", "expect.regime=degenerate"),
        ("circle-bernoulli-dropconnect", "limit.masks=local"),
    ] {
        let found = outcomes(
            scenario,
            &[&SMALL[..], &["ladder.paths=400", fault]].concat(),
            runs,
        );
        let rejected = count(&found, Outcome::Rejected);
        assert!(
            rejected >= lower_bound(0.95, runs),
            "{scenario} {fault}: {rejected} of {runs} rejected"
        );
    }
}
