//! Verification in stages: however often one looks, a wrong conclusion is as rare as declared, and a fault is seen early.
//!
//! The rates are counted over thousands of normal samples, judged as each stage judges a mean; that the program gives each
//! stage its share of the level and of the paths is shown on whole studies, a few. Each bound is a binomial quantile: a test
//! fails by chance with probability below 1e-6.

mod common;

use std::time::Duration;

use common::{rarely_fewer_than, rarely_more_than, study, verdict};
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;
use singlim::simulate::Silent;
use singlim::statistics::{Outcome, equivalence, stage_level};
use singlim::verify::{Sequential, Stop, Verdict};

const LEVEL: f64 = 0.01;
const RUNS: u64 = 20_000;
/// Values at the first look; each further look has twice as many.
const FIRST: u32 = 16;
const LOOKS: u32 = 6;

/// Whether H: |E x| < `margin` passes or is rejected, and at which look, for x normal with variance 1: one entry a run.
fn conclusions(mean: f64, margin: f64, level: fn(u32) -> f64) -> Vec<(Outcome, u32)> {
    let run = |seed: u64| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (mut count, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for look in 1..=LOOKS {
            while count < f64::from(FIRST << (look - 1)) {
                let z: f64 = StandardNormal.sample(&mut rng);
                count += 1.0;
                sum += z;
                squares += z * z;
            }
            let variance = (squares - sum * sum / count) / (count - 1.0);
            let (estimate, std_error) = (mean + sum / count, (variance / count).sqrt());
            let freedom = Some(count - 1.0);
            let test = equivalence(estimate, std_error, freedom, 0.0, margin, level(look)).unwrap();
            if test.outcome != Outcome::Inconclusive {
                return (test.outcome, look);
            }
        }
        (Outcome::Inconclusive, LOOKS)
    };
    (0..RUNS).into_par_iter().map(run).collect()
}

/// The level of a stage.
fn shared(look: u32) -> f64 {
    stage_level(LEVEL, look)
}

/// The mistake: every look has the whole level.
fn unshared(_: u32) -> f64 {
    LEVEL
}

fn count(conclusions: &[(Outcome, u32)], wanted: Outcome) -> u64 {
    let found = conclusions.iter().filter(|(outcome, _)| *outcome == wanted);
    found.count() as u64
}

/// A margin of nothing can't pass, so that all looks are taken: the hardest case. Declared: 2·level.
#[test]
fn a_true_theory_is_rejected_no_more_often_than_declared_however_often_one_looks() {
    let allowed = rarely_more_than(RUNS, 2.0 * LEVEL);
    let rejected = |level| count(&conclusions(0.0, 1e-9, level), Outcome::Rejected);
    let found = rejected(shared);
    assert!(found <= allowed, "{found} of {RUNS}, allowed {allowed}");
    let found = rejected(unshared);
    assert!(found > allowed, "{found}: looks that are not paid for");
}

/// On the edge of the margin either conclusion is wrong with probability at most the level.
#[test]
fn an_error_as_large_as_the_margin_passes_no_more_often_than_declared_however_often_one_looks() {
    let allowed = rarely_more_than(RUNS, LEVEL);
    for wrong in [Outcome::Pass, Outcome::Rejected] {
        let found = count(&conclusions(1.0, 1.0, shared), wrong);
        assert!(found <= allowed, "{found} times {wrong}, allowed {allowed}");
        let found = count(&conclusions(1.0, 1.0, unshared), wrong);
        assert!(found > allowed, "{found}: looks that are not paid for");
    }
}

/// At the fifth look of six the error is 8 standard errors outside, and 3.5 would do.
#[test]
fn an_error_beyond_the_margin_is_rejected_and_none_passes_before_the_last_look() {
    let enough = rarely_fewer_than(RUNS, 0.95);
    for (mean, right) in [(1.0, Outcome::Rejected), (0.0, Outcome::Pass)] {
        let mut found = conclusions(mean, 0.5, shared);
        found.retain(|(_, look)| *look < LOOKS);
        let found = count(&found, right);
        assert!(found >= enough, "{found} of {RUNS} are {right}");
    }
}

/// A study that is done in no time.
const SMALL: [&str; 5] = [
    "ladder.step_sizes=[0.08, 0.04, 0.02, 0.01]",
    "ladder.sigma_factors=[]",
    "ladder.records=1",
    "ladder.paths=16",
    "observables=[\"imbalance\"]",
];
/// A margin far too small for the paths.
const UNDECIDED: &str = "margins.mean=0.002";

/// So many stages of a study, or until it is settled: the outcome, the stages taken, and the verdict.
fn staged(set: &[&str], stages: usize, seed: u64) -> (Outcome, usize, Verdict) {
    let (study, prediction) = study("product-label-noise", &[&SMALL[..], set].concat(), seed);
    let mut sequential = Sequential::new(&study, &prediction);
    let mut outcome = Outcome::Inconclusive;
    while outcome == Outcome::Inconclusive && sequential.stages().len() < stages {
        outcome = sequential.advance(&Silent).unwrap().verdict;
    }
    let taken = sequential.stages().len();
    let stop = if outcome == Outcome::Inconclusive {
        Stop::Requested
    } else {
        assert_eq!(sequential.stop(Duration::MAX), Some(Stop::Settled));
        Stop::Settled
    };
    (outcome, taken, sequential.finish(&stop).unwrap().2)
}

#[test]
fn a_stage_finds_what_one_study_finds_with_all_its_paths_at_the_level_left_for_it() {
    for stages in 1..=2 {
        let (_, taken, found) = staged(&[UNDECIDED], stages, 7);
        assert_eq!(taken, stages);
        let level = stage_level(LEVEL, stages as u32);
        let set = [
            UNDECIDED,
            &format!("ladder.paths={}", 16 << (stages - 1)),
            &format!("margins.level={level}"),
        ];
        let whole = verdict("product-label-noise", &[&SMALL[..], &set].concat(), 7);
        assert_eq!(found.checks, whole.checks);
        assert_eq!(found.level, Some(level));
        assert_eq!(
            found.false_alarm_rate,
            2.0 * LEVEL,
            "of all stages together"
        );
    }
}

#[test]
fn studies_of_a_true_theory_are_rejected_as_rarely_in_the_program() {
    let runs = 30;
    let found: Vec<_> = (0..runs)
        .into_par_iter()
        .map(|seed| staged(&[UNDECIDED], 2, 5000 + seed))
        .collect();
    let looked = found.iter().filter(|(_, stages, _)| *stages == 2).count();
    assert!(looked as u64 > runs / 2, "most take both looks: {looked}");
    let rejected = found.iter().filter(|found| found.0 == Outcome::Rejected);
    let rejected = rejected.count() as u64;
    let allowed = rarely_more_than(runs, 2.0 * LEVEL);
    assert!(rejected <= allowed, "{rejected} of {runs} rejected");
}

#[test]
fn a_fault_that_shows_is_rejected_at_an_early_stage() {
    let runs = 40;
    let rejected = (0..runs)
        .into_par_iter()
        .filter(|seed| staged(&["limit.drift_scale=1.5"], 3, 5000 + seed).0 == Outcome::Rejected)
        .count() as u64;
    let enough = rarely_fewer_than(runs, 0.95);
    assert!(rejected >= enough, "{rejected} of {runs} rejected");
}
