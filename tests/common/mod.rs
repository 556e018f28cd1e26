//! A whole study in one call and the counts that chance allows, for the tests of verdicts.
#![allow(dead_code, reason = "each test program uses its own share of this")]

pub mod faults;

use singlim::predict::{Prediction, predict};
use singlim::scenario::{Study, parse};
use singlim::simulate::{LevelRun, LimitRun, Silent, Simulation, run_both};
use singlim::verify::{Verdict, verify};
use statrs::distribution::{Binomial, DiscreteCDF};

/// With what probability a test of rates fails by chance, at most.
pub const FALSE_ALARM_OF_TEST: f64 = 1e-6;

/// The count that Binomial(`trials`, `probability`) exceeds with probability below [`FALSE_ALARM_OF_TEST`].
pub fn rarely_more_than(trials: u64, probability: f64) -> u64 {
    let law = Binomial::new(probability, trials).unwrap();
    law.inverse_cdf(1.0 - FALSE_ALARM_OF_TEST)
}

/// The count that Binomial(`trials`, `probability`) falls below with probability below [`FALSE_ALARM_OF_TEST`].
pub fn rarely_fewer_than(trials: u64, probability: f64) -> u64 {
    let law = Binomial::new(probability, trials).unwrap();
    law.inverse_cdf(FALSE_ALARM_OF_TEST)
}

/// A shipped scenario with fields overridden.
pub fn study(scenario: &str, set: &[&str], seed: u64) -> (Study, Prediction) {
    let path = format!("{}/scenarios/{scenario}.toml", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(path).unwrap();
    let mut overrides: Vec<String> = set.iter().map(|s| (*s).to_owned()).collect();
    overrides.push(format!("seed={seed}"));
    let (spec, source) = parse(scenario, &text, &overrides).unwrap();
    let study = Study::resolve(spec, source).unwrap();
    let prediction = predict(&study).unwrap();
    (study, prediction)
}

/// The verdict on both sides.
pub fn judge(
    (study, prediction): &(Study, Prediction),
    levels: &[LevelRun],
    limits: &[LimitRun],
) -> Verdict {
    let simulation = Simulation::of(study, prediction, levels, limits, &Silent);
    verify(study, prediction, &simulation)
}

/// The verdict on a shipped scenario with fields overridden.
pub fn verdict(scenario: &str, set: &[&str], seed: u64) -> Verdict {
    let both = study(scenario, set, seed);
    let (levels, limits) = run_both(&both.0, &both.1, &Silent).unwrap();
    judge(&both, &levels, &limits)
}
