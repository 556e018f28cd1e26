//! How often the verdict itself is wrong: true theories that are rejected, planted faults that are not.
//!
//! Small studies over many seeds; `cargo bench --bench calibration` makes the full table of faults. Each bound is a binomial
//! quantile: a test fails by chance with probability below 1e-6.

mod common;

use common::faults::STUDIES;
use common::{FALSE_ALARM_OF_TEST, judge, rarely_fewer_than, rarely_more_than, study, verdict};
use rayon::prelude::*;
use singlim::simulate::{Silent, draw_limits, plan_levels, run_limits};
use singlim::statistics::{Outcome, kolmogorov_smirnov_cdf};
use singlim::verify::Verdict;
use statrs::distribution::{ContinuousCDF, Normal};

fn outcomes(scenario: &str, set: &[&str], runs: u64) -> Vec<Outcome> {
    (0..runs)
        .into_par_iter()
        .map(|seed| verdict(scenario, set, 1000 + seed).verdict)
        .collect()
}

fn count(outcomes: &[Outcome], wanted: Outcome) -> u64 {
    outcomes
        .iter()
        .filter(|&&outcome| outcome == wanted)
        .count() as u64
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
            rejected <= rarely_more_than(runs, 0.02),
            "{scenario}: {rejected} of {runs} rejected"
        );
    }
}

/// Draws of the limit itself in place of iterates, against draws of the limit.
fn null_runs(set: &[&str], runs: u64) -> Vec<Verdict> {
    (0..runs)
        .into_par_iter()
        .map(|seed| {
            let both = study("valley-sgld", set, 5000 + seed);
            let planned = plan_levels(&both.0, &both.1);
            let limits = run_limits(&both.0, &both.1, &planned, &Silent).unwrap();
            let levels = draw_limits(&both.0, &both.1, planned).unwrap();
            judge(&both, &levels, &limits)
        })
        .collect()
}

/// Uniformity is tested by Kolmogorov–Smirnov; each of the tests fails by chance with probability 1e-6. The same test on a
/// spread two fifths too large shows its power.
#[test]
fn null_runs_give_uniform_p_values_and_rejections_at_the_declared_rate() {
    let runs = 120;
    let small = [
        "ladder.records=2",
        "ladder.paths=150",
        "ladder.sigma_factors=[]",
        "limit.time_step=0.02",
    ];
    let strict = [
        "margins.mean=1e-6",
        "margins.square=1e-6",
        "margins.law=1e-6",
        "margins.ks=1e-6",
    ];
    let verdicts = null_runs(&[&small[..], &strict].concat(), runs);
    let rejected = verdicts
        .iter()
        .filter(|verdict| verdict.verdict == Outcome::Rejected);
    let rejected = rejected.count() as u64;
    assert!(
        rejected <= rarely_more_than(runs, 0.02),
        "{rejected} of {runs}"
    );
    // One p-value a run of each kind, two-sided: the mean at the last record, with margins of nothing.
    let normal = Normal::standard();
    let p_values = |verdicts: &[Verdict], name: &str, shrink: f64| -> Vec<f64> {
        let p = |verdict: &Verdict| {
            let mut checks = verdict.checks.iter().filter(|check| check.name == name);
            let check = checks.next_back().unwrap();
            let interval = check.interval.unwrap();
            let half = 0.5 * (interval.upper - interval.lower);
            // 149 degrees of freedom at level 0.01.
            let std_error = shrink * half / 2.3515;
            2.0 * normal.sf(check.estimate.unwrap().abs() / std_error)
        };
        verdicts.iter().map(p).collect()
    };
    let mut table = String::from("test,p_value\n");
    for name in ["mean", "mean square"] {
        let p = p_values(&verdicts, name, 1.0);
        table.extend(p.iter().map(|p| format!("{name},{p}\n")));
        let test = kolmogorov_smirnov_cdf(&p, |x| x).unwrap();
        assert!(test.p_value > FALSE_ALARM_OF_TEST, "{name}: {test:?}");
        let wrong = kolmogorov_smirnov_cdf(&p_values(&verdicts, name, 0.4), |x| x).unwrap();
        assert!(wrong.p_value < FALSE_ALARM_OF_TEST, "{name}: {wrong:?}");
    }
    for distance in ["KS", "energy", "MMD"] {
        let p: Vec<f64> = verdicts
            .iter()
            .filter_map(|verdict| permutation_p_value(verdict, distance))
            .collect();
        assert_eq!(p.len() as u64, runs, "{distance}");
        table.extend(p.iter().map(|p| format!("{distance},{p}\n")));
        // Permutation p-values are multiples of 1/(1 + B): uniform up to one step.
        let test = kolmogorov_smirnov_cdf(&p, |x| (x - 0.0025).max(0.0)).unwrap();
        assert!(test.p_value > FALSE_ALARM_OF_TEST, "{distance}: {test:?}");
    }
    // As `calibration.csv` in a run folder it becomes the figure p-values of its report.
    if let Some(file) = std::env::var_os("SINGLIM_CALIBRATION") {
        std::fs::write(file, table).unwrap();
    }
}

/// Of the first observable on the finest rung.
fn permutation_p_value(verdict: &Verdict, distance: &str) -> Option<f64> {
    let table = verdict.tables.iter().find(|table| table.name == "laws")?;
    let column = |name: &str| table.header.iter().position(|column| *column == name);
    let (kind, p) = (column("distance")?, column("p_same")?);
    let mut rows = table.rows.iter().filter(|row| row[kind] == distance);
    rows.next_back()?[p].parse().ok()
}

/// Faults are caught by fewer paths than the passing of a true theory needs.
const FEW: [&str; 1] = ["ladder.paths=400"];

#[test]
fn planted_faults_are_rejected_with_probability_095_and_more() {
    let runs = 40;
    for (study, fault) in [
        (1, "limit.drift_scale=1.05"),
        (1, "limit.clock=fast"),
        (1, "ladder.shared_streams=true"),
        (1, "ladder.late_labels=true"),
        (0, "limit.drift_scale=1.1"),
        (0, "expect.regime=degenerate"),
        (2, "limit.masks=local"),
    ] {
        let (name, scenario, set) = STUDIES[study];
        let found = outcomes(scenario, &[set, &FEW, &[fault]].concat(), runs);
        let rejected = count(&found, Outcome::Rejected);
        assert!(
            rejected >= rarely_fewer_than(runs, 0.95),
            "{name}, {fault}: {rejected} of {runs} rejected"
        );
    }
}

/// The run says which error of the drift it would have rejected with probability 0.95; planted, that error is rejected as
/// often, and half of it need not be.
#[test]
fn the_power_that_a_verdict_states_is_confirmed_by_a_planted_fault() {
    let runs = 40;
    for study in [0, 1] {
        let (name, scenario, set) = STUDIES[study];
        let small = verdict(scenario, &[set, &FEW].concat(), 999);
        let stated = small.power.unwrap().drift.unwrap();
        let fault = format!("limit.drift_scale={}", 1.0 + stated);
        let found = outcomes(scenario, &[set, &FEW, &[fault.as_str()]].concat(), runs);
        let rejected = count(&found, Outcome::Rejected);
        assert!(
            rejected >= rarely_fewer_than(runs, 0.95),
            "{name}, {fault}: {rejected} of {runs} rejected"
        );
        assert!(stated < 0.2, "{name}: {stated} is no power to speak of");
    }
}
