//! The numbers in the files: what they are, and that they agree with one another.

use super::*;

#[test]
fn missing_values_are_empty_fields() {
    let home = verified();
    let summary = home.table("run/summary.csv");
    let mut limits = 0;
    for row in &summary.rows {
        if summary.get(row, "process") == "limit" {
            limits += 1;
            for column in [
                "level",
                "step_size",
                "sigma",
                "iteration",
                "std_error",
                "variance",
            ] {
                assert_eq!(
                    summary.get(row, column),
                    "",
                    "{column} of the deterministic limit"
                );
            }
        }
    }
    assert!(limits > 0);
    let checks = home.table("run/checks.csv");
    let regime = checks.rows.iter().find(|row| row[0] == "regime").unwrap();
    for column in [
        "observable",
        "estimate",
        "lower",
        "upper",
        "null",
        "margin",
        "p_value",
    ] {
        assert_eq!(checks.get(regime, column), "", "{column} of a fact");
    }
}

#[test]
fn no_field_is_nan_or_infinite() {
    let home = verified();
    for file in ["summary.csv", "samples.csv.gz", "checks.csv"] {
        for row in home.table(&format!("run/{file}")).rows {
            for field in row {
                let x: Result<f64, _> = field.parse();
                assert!(x.is_err() || x.unwrap().is_finite(), "{field} in {file}");
            }
        }
    }
}

#[test]
fn the_summary_is_that_of_the_samples() {
    let home = verified();
    let (summary, samples) = (
        home.table("run/summary.csv"),
        home.table("run/samples.csv.gz"),
    );
    let key = |table: &Table, row: &[String]| {
        ["process", "level", "slow_time", "observable"]
            .map(|column| table.get(row, column).to_owned())
    };
    let mut matched = BTreeSet::new();
    for row in &summary.rows {
        let values: Vec<f64> = samples
            .rows
            .iter()
            .filter(|sample| key(&samples, sample) == key(&summary, row))
            .map(|sample| samples.get(sample, "value").parse().unwrap())
            .collect();
        if values.is_empty() {
            continue; // A record for the time scale, or W(0).
        }
        matched.insert(key(&summary, row));
        assert_eq!(
            summary.get(row, "paths"),
            values.len().to_string(),
            "{row:?}"
        );
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let told: f64 = summary.get(row, "mean").parse().unwrap();
        assert!(
            (mean - told).abs() <= 1e-12 * (1.0 + mean.abs()),
            "{mean} {told}"
        );
    }
    let all: BTreeSet<_> = samples.rows.iter().map(|row| key(&samples, row)).collect();
    assert_eq!(matched, all, "every sample is in the summary");
}

#[test]
fn the_limit_begins_at_slow_time_zero_at_the_start() {
    let home = verified();
    let summary = home.table("run/summary.csv");
    let limit: Vec<_> = summary
        .rows
        .iter()
        .filter(|row| row[0] == "limit")
        .collect();
    assert_eq!(
        (
            summary.get(limit[0], "slow_time"),
            summary.get(limit[0], "observable")
        ),
        ("0", "imbalance")
    );
    let imbalance: f64 = summary.get(limit[0], "mean").parse().unwrap();
    assert!((imbalance - 3.75).abs() < 1e-9);
}

#[test]
fn diverged_paths_are_rows_and_are_counted() {
    let home = Home::new();
    let output = home.run(&[
        "verify",
        "small.toml",
        "--out",
        "run",
        "--set",
        "ladder.sigma=5",
        "--set",
        "ladder.horizon=1e3",
        "--set",
        "ladder.sigma_factors=[]",
    ]);
    assert_eq!(
        output.status.code(),
        Some(1),
        "a diverging ensemble is rejected"
    );
    let diverged = home.table("run/diverged.csv");
    assert!(!diverged.rows.is_empty(), "the case is meant to diverge");
    let ends: Vec<(String, u64)> = diverged
        .rows
        .iter()
        .map(|row| {
            (
                diverged.get(row, "level").into(),
                diverged.get(row, "iteration").parse().unwrap(),
            )
        })
        .collect();
    let unique: BTreeSet<_> = diverged.rows.iter().map(|row| (&row[0], &row[3])).collect();
    assert_eq!(unique.len(), ends.len(), "a path diverges once");

    let summary = home.table("run/summary.csv");
    for row in summary.rows.iter().filter(|row| row[0] == "descent") {
        let k: u64 = summary.get(row, "iteration").parse().unwrap();
        let gone = ends
            .iter()
            .filter(|(level, end)| *level == row[1] && *end <= k)
            .count();
        let left = 16 - gone;
        assert_eq!(summary.get(row, "paths"), left.to_string(), "{row:?}");
        let empty = |column| summary.get(row, column).is_empty();
        assert_eq!(empty("mean"), left < 1, "{row:?}");
        assert_eq!(empty("std_error"), left < 2, "{row:?}");
        assert_eq!(empty("variance"), left < 2, "{row:?}");
    }
    let samples = home.table("run/samples.csv.gz");
    let empty = samples
        .rows
        .iter()
        .filter(|row| samples.get(row, "value").is_empty());
    assert!(
        empty.count() > 0,
        "values after a divergence are empty fields"
    );

    let verdict = home.json("run/verdict.json");
    let checks = verdict["checks"].as_array().unwrap();
    let check = checks
        .iter()
        .find(|check| check["name"] == "divergence")
        .unwrap();
    assert_eq!(check["verdict"], "rejected");
    assert_eq!(check["estimate"], ends.len() as f64);
    let told = format!("{} of 64 paths diverged", ends.len());
    assert!(
        check["detail"].as_str().unwrap().starts_with(&told),
        "{check}"
    );
}

#[test]
fn a_record_that_no_path_reached_is_a_row_of_zero_paths_and_empty_values() {
    let home = Home::new();
    home.run(&[
        "descend",
        "small.toml",
        "--out",
        "run",
        "--set",
        "ladder.sigma=50",
        "--set",
        "ladder.horizon=1e5",
        "--set",
        "ladder.sigma_factors=[]",
    ]);
    let diverged = home.table("run/diverged.csv");
    let level = "0";
    let gone = diverged.rows.iter().filter(|row| row[0] == level).count();
    assert_eq!(gone, 16, "the case is meant to lose every path of a rung");
    let summary = home.table("run/summary.csv");
    let last = summary.rows.iter().rfind(|row| row[1] == level).unwrap();
    assert_eq!(
        (summary.get(last, "paths"), summary.get(last, "mean")),
        ("0", "")
    );
    let time: f64 = summary.get(last, "slow_time").parse().unwrap();
    assert!(
        (time - 1e5).abs() < 100.0,
        "the record at the horizon is there"
    );
}
