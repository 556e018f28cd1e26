//! Verification in stages: looking again and again does not raise the rate of false rejections, and a fault is seen early.
//!
//! Small studies over many seeds. Each bound is a binomial quantile: a test fails by chance with probability below 1e-6.

use std::time::Duration;

use rayon::prelude::*;
use singlim::predict::predict;
use singlim::scenario::{Study, parse};
use singlim::simulate::Silent;
use singlim::statistics::Outcome;
use singlim::verify::{Sequential, Stop};
use statrs::distribution::{Binomial, DiscreteCDF};

/// The outcome and the number of stages of each of `runs` seeds.
fn outcomes(set: &[&str], stages: usize, runs: u64) -> Vec<(Outcome, usize)> {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/scenarios/product-label-noise.toml"
    );
    let text = std::fs::read_to_string(path).unwrap();
    let run = |seed: u64| {
        let mut overrides: Vec<String> = [
            "ladder.step_sizes=[0.08, 0.04, 0.02, 0.01]",
            "ladder.records=3",
            "ladder.paths=16",
        ]
        .iter()
        .chain(set)
        .map(|s| (*s).to_owned())
        .collect();
        overrides.push(format!("seed={}", 5000 + seed));
        let (spec, source) = parse("s", &text, &overrides).unwrap();
        let study = Study::resolve(spec, source).unwrap();
        let prediction = predict(&study).unwrap();
        let mut sequential = Sequential::new(&study, &prediction);
        for stage in 1..=stages {
            let outcome = sequential.advance(&Silent).unwrap().verdict;
            if outcome != Outcome::Inconclusive {
                assert_eq!(sequential.stop(Duration::MAX), Some(Stop::Settled));
                return (outcome, stage);
            }
        }
        (Outcome::Inconclusive, stages)
    };
    (0..runs).into_par_iter().map(run).collect()
}

/// The smallest count that a binomial variable exceeds with probability below 1e-6.
fn upper_bound(p: f64, n: u64) -> u64 {
    Binomial::new(p, n).unwrap().inverse_cdf(1.0 - 1e-6)
}

/// Margins far too small for the paths, so that all four looks are taken: the hardest case. Declared: 2·level = 2 %.
#[test]
fn a_true_theory_is_rejected_no_more_often_than_declared_however_often_one_looks() {
    let runs = 150;
    let found = outcomes(&["margins.mean=0.002"], 4, runs);
    let looked = found.iter().filter(|(_, stages)| *stages == 4).count();
    assert!(
        looked as u64 > runs / 2,
        "most runs take all looks: {looked}"
    );
    let rejected = found
        .iter()
        .filter(|(outcome, _)| *outcome == Outcome::Rejected);
    let rejected = rejected.count() as u64;
    assert!(
        rejected <= upper_bound(0.02, runs),
        "{rejected} of {runs} rejected"
    );
}

#[test]
fn a_fault_that_shows_is_rejected_at_an_early_stage() {
    let runs = 40;
    let found = outcomes(&["limit.drift_scale=1.5"], 3, runs);
    let missed = found
        .iter()
        .filter(|(outcome, _)| *outcome != Outcome::Rejected);
    let missed = missed.count() as u64;
    assert!(
        missed <= upper_bound(0.05, runs),
        "{missed} of {runs} missed"
    );
}
