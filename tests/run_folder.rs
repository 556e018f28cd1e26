//! The run folder and the printed texts as a contract: files, headers, values, exit codes, and what depends on what.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::Duration;

use assert_cmd::{Command, cargo::cargo_bin_cmd};
use insta::assert_snapshot;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// Small enough to be done in no time, with all kinds of checks.
const SMALL: &str = r#"title = "small"
seed = 1
observables = ["imbalance", "u"]
[model]
kind = "product"
start = { u = 2.0, v = 0.5 }
[[noise]]
kind = "label"
[ladder]
step_sizes = [0.16, 0.08, 0.04, 0.02]
sigma = 0.3
sigma_factors = [0.5]
horizon = 0.05
records = 2
paths = 16
[expect]
regime = "degenerate"
order = 1.0
"#;

const OF_EVERY_RUN: [&str; 5] = [
    "diverged.csv",
    "manifest.json",
    "samples.csv.gz",
    "scenario.toml",
    "summary.csv",
];
const OF_VERIFY: [&str; 21] = [
    "bands.csv",
    "budget.csv",
    "checks.csv",
    "collapse.csv",
    "curve.csv",
    "density.csv",
    "diverged.csv",
    "ellipse.csv",
    "errors.csv",
    "exponents.csv",
    "manifest.json",
    "orders.csv",
    "plane.csv",
    "plots",
    "quantiles.csv",
    "report.html",
    "rungs.csv",
    "samples.csv.gz",
    "scenario.toml",
    "summary.csv",
    "verdict.json",
];

struct Home(TempDir);

impl Home {
    fn new() -> Self {
        let home = tempdir().unwrap();
        fs::write(home.path().join("small.toml"), SMALL).unwrap();
        Self(home)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `singlim ARGS`, which must not fail (exit code 2) nor take long.
    fn run(&self, args: &[&str]) -> Output {
        let mut command: Command = cargo_bin_cmd!("singlim");
        let output = command
            .current_dir(self.0.path())
            .env("COLUMNS", "100")
            .env("NO_COLOR", "1")
            .timeout(Duration::from_secs(60))
            .args(args)
            .output()
            .unwrap();
        let code = output.status.code();
        assert!(
            matches!(code, Some(0 | 1 | 3)),
            "{args:?} ends with {code:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output
    }

    fn text_of(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert!(
            output.stderr.is_empty(),
            "{args:?}: nothing on standard error"
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn read(&self, name: &str) -> String {
        let path = self.path(name);
        if name.ends_with(".gz") {
            let mut text = String::new();
            let file = fs::File::open(path).unwrap();
            flate2::read::GzDecoder::new(file)
                .read_to_string(&mut text)
                .unwrap();
            text
        } else {
            fs::read_to_string(path).unwrap()
        }
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    fn table(&self, name: &str) -> Table {
        Table::read(&self.read(name))
    }
}

/// A CSV file as typed.
struct Table {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl Table {
    fn read(text: &str) -> Self {
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let fields = |record: &csv::StringRecord| record.iter().map(String::from).collect();
        Self {
            header: fields(reader.headers().unwrap()),
            rows: reader
                .records()
                .map(|record| fields(&record.unwrap()))
                .collect(),
        }
    }

    fn get<'a>(&self, row: &'a [String], column: &str) -> &'a str {
        let at = self.header.iter().position(|name| name == column);
        &row[at.unwrap_or_else(|| panic!("column {column}"))]
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Numbers with more digits than six are rounded to six, so that snapshots hold on every machine.
fn rounded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find(|c: char| c.is_ascii_digit()) {
        out.push_str(&rest[..begin]);
        rest = &rest[begin..];
        let mut end = rest
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(rest.len());
        let tail = rest[end..].trim_start_matches('e');
        let signless = tail.trim_start_matches(['-', '+']);
        if rest[end..].starts_with('e') && signless.starts_with(|c: char| c.is_ascii_digit()) {
            let digits = signless
                .find(|c: char| !c.is_ascii_digit())
                .unwrap_or(signless.len());
            end = rest.len() - signless.len() + digits;
        }
        let number = &rest[..end];
        match number.parse::<f64>() {
            Ok(x) if number.contains(['.', 'e']) && number.len() > 8 => {
                // What is only rounding error is nowhere the same.
                out.push_str(&if x < 1e-12 {
                    "~0".into()
                } else {
                    format!("{x:.5e}")
                });
            }
            _ => out.push_str(number),
        }
        rest = &rest[end..];
    }
    out + rest
}

#[test]
fn rounding_touches_long_numbers_only() {
    assert_eq!(
        rounded("a1, 0.16 12345678901 -0.123456789,1.23456789e-5;x=2.5e0.1 0.00000000000000012"),
        "a1, 0.16 12345678901 -1.23457e-1,1.23457e-5;x=2.5e0.1 ~0"
    );
}

fn verified() -> Home {
    let home = Home::new();
    home.run(&["verify", "small.toml", "--out", "run", "--threads", "1"]);
    home
}

mod files {
    use super::*;

    #[test]
    fn a_verified_run_has_its_files_and_no_others() {
        assert_eq!(names(&verified().path("run")), OF_VERIFY);
    }

    #[test]
    fn scenario_toml_is_the_scenario_as_typed() {
        let home = Home::new();
        home.run(&[
            "verify",
            "small.toml",
            "--out",
            "run",
            "--set",
            "ladder.paths=9",
        ]);
        assert_eq!(home.read("run/scenario.toml"), SMALL);
    }

    #[test]
    fn manifest_json() {
        let mut manifest = verified().json("run/manifest.json");
        for (key, least) in [("wall_seconds", 0.0), ("path_steps_per_second", 1.0)] {
            assert!(manifest[key].as_f64().unwrap() >= least, "{key}");
            manifest[key] = json!("[measured]");
        }
        assert!(manifest["cpu_seconds"].is_null() || manifest["cpu_seconds"].is_f64());
        assert!(
            manifest["started"].as_str() <= manifest["ended"].as_str(),
            "RFC 3339 in order"
        );
        assert_eq!(manifest["machine"]["threads"], 1);
        assert!(manifest["machine"]["cores"].as_u64().unwrap() >= 1);
        assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
        for key in ["cpu_seconds", "started", "ended", "version"] {
            manifest[key] = json!("[measured]");
        }
        for key in ["system", "cores", "instruction_set"] {
            assert!(
                !manifest["machine"][key].is_null(),
                "the machine's {key} is named"
            );
            manifest["machine"][key] = json!("[machine]");
        }
        assert_snapshot!(serde_json::to_string_pretty(&manifest).unwrap());
    }

    #[test]
    fn summary_csv() {
        assert_snapshot!(rounded(&verified().read("run/summary.csv")));
    }

    #[test]
    fn samples_csv_gz() {
        assert_snapshot!(rounded(&verified().read("run/samples.csv.gz")));
    }

    #[test]
    fn checks_csv() {
        assert_snapshot!(rounded(&verified().read("run/checks.csv")));
    }

    #[test]
    fn verdict_json() {
        assert_snapshot!(rounded(&verified().read("run/verdict.json")));
    }

    #[test]
    fn diverged_csv() {
        assert_snapshot!(verified().read("run/diverged.csv"));
    }

    #[test]
    fn headers_are_exactly_these() {
        let home = verified();
        for (file, header) in [
            (
                "summary.csv",
                "process,level,step_size,sigma,iteration,slow_time,alpha_sigma2,alpha2_sigma2,observable,paths,mean,std_error,variance,q05,q50,q95",
            ),
            (
                "samples.csv.gz",
                "process,level,path,slow_time,observable,value",
            ),
            (
                "checks.csv",
                "name,observable,verdict,estimate,lower,upper,null,margin,p_value,p_difference,detail",
            ),
            ("diverged.csv", "level,step_size,sigma,path,iteration"),
            (
                "errors.csv",
                "observable,moment,level,step_size,sigma,slow_time,error,std_error,above_floor",
            ),
        ] {
            let text = home.read(&format!("run/{file}"));
            assert_eq!(text.lines().next(), Some(header), "{file}");
        }
    }

    #[test]
    fn checks_csv_and_verdict_json_say_the_same() {
        let home = verified();
        let table = home.table("run/checks.csv");
        let verdict = home.json("run/verdict.json");
        let checks = verdict["checks"].as_array().unwrap();
        assert_eq!(checks.len(), table.rows.len());
        let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for (check, row) in checks.iter().zip(&table.rows) {
            for key in ["name", "observable", "verdict", "detail"] {
                assert_eq!(word(&check[key]), table.get(row, key), "{key}");
            }
            let parsed = |column| table.get(row, column).parse::<f64>().ok();
            let interval = &check["interval"];
            let in_json = ["estimate", "null", "margin", "p_value"]
                .map(|key| (key, &check[key]))
                .into_iter()
                .chain(["lower", "upper"].map(|key| (key, &interval[key])));
            for (key, value) in in_json {
                // serde_json reads numbers to within the last bit.
                let same = match (value.as_f64(), parsed(key)) {
                    (Some(x), Some(y)) => (x - y).abs() <= 1e-15 * x.abs(),
                    (x, y) => x == y,
                };
                assert!(
                    same,
                    "{key} of {}: {value} against {:?}",
                    row[0],
                    parsed(key)
                );
            }
        }
    }
}

mod values {
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
}

mod manifest {
    use super::*;

    #[test]
    fn the_scenario_in_it_has_what_was_set() {
        let home = Home::new();
        home.run(&[
            "verify",
            "small.toml",
            "--out",
            "run",
            "--set",
            "ladder.paths=9",
            "--set",
            "noise.0.law=uniform",
            "--set",
            "margins.level=0.05",
        ]);
        let scenario = &home.json("run/manifest.json")["scenario"];
        assert_eq!(scenario["ladder"]["paths"], 9);
        assert_eq!(scenario["noise"][0]["law"], "uniform");
        assert_eq!(scenario["margins"]["level"], 0.05);
        assert_eq!(scenario["ladder"]["sigma"], 0.3, "the rest is as typed");
    }

    #[test]
    fn the_seed_in_it_repeats_the_run() {
        let home = Home::new();
        home.run(&["verify", "small.toml", "--out", "a", "--seed", "77"]);
        let manifest = home.json("a/manifest.json");
        assert_eq!(manifest["seed"], 77);
        assert_eq!(manifest["scenario"]["seed"], 77);
        let seed = format!("seed={}", manifest["seed"]);
        home.run(&["verify", "small.toml", "--out", "b", "--set", &seed]);
        for file in ["summary.csv", "samples.csv.gz", "verdict.json"] {
            assert_eq!(
                home.read(&format!("a/{file}")),
                home.read(&format!("b/{file}")),
                "{file}"
            );
        }
    }

    #[test]
    fn the_option_seed_wins_over_set() {
        let home = Home::new();
        home.run(&[
            "limit",
            "small.toml",
            "--out",
            "run",
            "--set",
            "seed=5",
            "--seed",
            "6",
        ]);
        assert_eq!(home.json("run/manifest.json")["seed"], 6);
    }
}

mod reproducibility {
    use super::*;

    /// Deterministic limit, stochastic limit, trivial regime.
    const NOISES: [&str; 3] = ["label", "sgld", "minibatch"];

    #[test]
    fn results_are_the_same_bits_for_any_number_of_threads() {
        let home = Home::new();
        for noise in NOISES {
            let set = format!("noise.0.kind={noise}");
            for threads in ["1", "2"] {
                let out = format!("{noise}-{threads}");
                home.run(&[
                    "verify",
                    "small.toml",
                    "--out",
                    &out,
                    "--threads",
                    threads,
                    "--set",
                    &set,
                    "--set",
                    "ladder.paths=40",
                    "--set",
                    "ladder.horizon=0.1",
                ]);
            }
            let files = names(&home.path(&format!("{noise}-1")));
            assert_eq!(files, names(&home.path(&format!("{noise}-2"))));
            // The manifest and the report tell the time; the plots are drawn from the tables.
            let told =
                |name: &&String| !["manifest.json", "report.html", "plots"].contains(&&***name);
            for file in files.iter().filter(told) {
                let bytes = |threads| {
                    fs::read(home.path(&format!("{noise}-{threads}")).join(file)).unwrap()
                };
                assert!(bytes("1") == bytes("2"), "{file} with {noise} noise");
            }
        }
    }

    #[test]
    fn another_seed_gives_other_samples() {
        let home = Home::new();
        for noise in NOISES {
            let set = format!("noise.0.kind={noise}");
            let samples = |seed: &str| {
                let out = format!("{noise}-{seed}");
                home.run(&[
                    "verify",
                    "small.toml",
                    "--out",
                    &out,
                    "--seed",
                    seed,
                    "--set",
                    &set,
                ]);
                home.table(&format!("{out}/samples.csv.gz"))
            };
            let (one, two) = (samples("1"), samples("2"));
            let differ = |process: &str| {
                let of = |table: &Table| {
                    let rows = table.rows.iter().filter(|row| row[0] == process);
                    rows.map(|row| row[5].clone()).collect::<Vec<_>>()
                };
                of(&one) != of(&two)
            };
            // Minibatch noise does not move iterates that begin on Γ.
            assert_eq!(differ("descent"), noise != "minibatch", "{noise}");
            assert_eq!(differ("limit"), noise == "sgld", "{noise}");
        }
    }
}

mod commands {
    use super::*;

    fn processes(home: &Home, file: &str) -> BTreeSet<String> {
        let table = home.table(file);
        table.rows.iter().map(|row| row[0].clone()).collect()
    }

    #[test]
    fn descend_makes_no_limit() {
        let home = Home::new();
        home.run(&["descend", "small.toml", "--out", "run"]);
        assert_eq!(names(&home.path("run")), OF_EVERY_RUN);
        for file in ["run/summary.csv", "run/samples.csv.gz"] {
            assert_eq!(
                processes(&home, file),
                BTreeSet::from(["descent".into()]),
                "{file}"
            );
        }
        assert_eq!(home.json("run/manifest.json")["command"], "descend");
    }

    #[test]
    fn limit_makes_no_descent() {
        let home = Home::new();
        home.run(&["limit", "small.toml", "--out", "run"]);
        assert_eq!(names(&home.path("run")), OF_EVERY_RUN);
        for file in ["run/summary.csv", "run/samples.csv.gz"] {
            assert_eq!(
                processes(&home, file),
                BTreeSet::from(["limit".into()]),
                "{file}"
            );
        }
        let manifest = home.json("run/manifest.json");
        assert_eq!(manifest["path_steps"], 0);
        assert!(manifest["path_steps_per_second"].is_null());
    }

    #[test]
    fn descend_and_limit_are_the_two_halves_of_verify() {
        let home = verified();
        home.run(&["descend", "small.toml", "--out", "descend"]);
        home.run(&["limit", "small.toml", "--out", "limit"]);
        let rows = |folder: &str| home.table(&format!("{folder}/samples.csv.gz")).rows;
        assert_eq!(rows("run"), [rows("descend"), rows("limit")].concat());
    }

    #[test]
    fn the_exit_code_is_that_of_the_verdict() {
        let home = Home::new();
        for (set, code, word) in [
            ("noise.0.kind=minibatch", 0, "pass"),
            ("expect.regime=trivial", 1, "rejected"),
            ("title=again", 3, "inconclusive"),
        ] {
            let sets = ["--set", "expect={}", "--set", set];
            let output = home.run(
                &[
                    &["verify", "small.toml", "--out", word, "--quiet"][..],
                    &sets,
                ]
                .concat(),
            );
            assert_eq!(output.status.code(), Some(code), "{set}");
            assert_eq!(
                home.json(&format!("{word}/verdict.json"))["verdict"],
                word,
                "{set}"
            );
        }
    }

    #[test]
    fn quiet_prints_nothing() {
        let home = Home::new();
        for command in ["verify", "descend", "limit", "predict", "check"] {
            let out = ["--out", command];
            let runs = !matches!(command, "predict" | "check");
            let output = home.run(
                &[
                    &[command, "small.toml", "--quiet"][..],
                    if runs { &out } else { &[] },
                ]
                .concat(),
            );
            assert!(output.stdout.is_empty(), "{command}");
            assert!(output.stderr.is_empty(), "{command}");
            assert_eq!(
                home.path(command).exists(),
                runs,
                "{command} makes a folder or not"
            );
        }
    }

    #[test]
    fn without_out_runs_are_numbered() {
        let home = Home::new();
        for _ in 0..3 {
            home.run(&["limit", "small.toml", "--quiet"]);
        }
        assert_eq!(
            names(&home.path("runs")),
            ["small", "small-2", "small-3"],
            "an earlier run is never touched"
        );
    }

    #[test]
    fn an_empty_folder_is_taken_and_missing_parents_are_made() {
        let home = Home::new();
        fs::create_dir(home.path("empty")).unwrap();
        home.run(&["verify", "small.toml", "--out", "empty"]);
        home.run(&["verify", "small.toml", "--out", "a/b/c"]);
        assert_eq!(names(&home.path("empty")), OF_VERIFY);
        assert_eq!(names(&home.path("a/b/c")), OF_VERIFY);
    }
}

mod force {
    use super::*;

    #[test]
    fn it_overwrites_and_leaves_no_temporary_files() {
        let home = verified();
        home.run(&[
            "verify",
            "small.toml",
            "--out",
            "run",
            "--force",
            "--seed",
            "9",
        ]);
        assert_eq!(names(&home.path("run")), OF_VERIFY);
        assert_eq!(home.json("run/manifest.json")["seed"], 9);
        home.run(&["verify", "small.toml", "--out", "fresh", "--seed", "9"]);
        for file in ["summary.csv", "samples.csv.gz", "checks.csv"] {
            let (again, fresh) = (format!("run/{file}"), format!("fresh/{file}"));
            assert_eq!(home.read(&again), home.read(&fresh), "{file} is all new");
        }
    }

    #[test]
    fn a_verdict_of_the_earlier_run_does_not_stay_beside_the_new_samples() {
        let home = verified();
        home.run(&["descend", "small.toml", "--out", "run", "--force"]);
        assert_eq!(names(&home.path("run")), OF_EVERY_RUN);
    }

    #[test]
    fn files_of_the_user_stay() {
        let home = verified();
        fs::write(home.path("run/notes.txt"), "mine").unwrap();
        home.run(&["verify", "small.toml", "--out", "run", "--force"]);
        assert_eq!(home.read("run/notes.txt"), "mine");
    }

    #[test]
    fn a_template_is_overwritten_only_with_it() {
        let home = Home::new();
        home.run(&["new", "product", "label", "--out", "new.toml"]);
        let label = home.read("new.toml");
        home.run(&["new", "product", "sgld", "--out", "new.toml", "--force"]);
        assert_ne!(label, home.read("new.toml"));
        home.run(&["check", "new.toml"]);
    }
}

mod texts {
    use super::*;

    #[test]
    fn list() {
        assert_snapshot!(Home::new().text_of(&["list"]));
    }

    #[test]
    fn predict() {
        assert_snapshot!(Home::new().text_of(&["predict", "small.toml"]));
    }

    #[test]
    fn new_product_label() {
        assert_snapshot!(Home::new().text_of(&["new", "product", "label"]));
    }

    #[test]
    fn check() {
        assert_snapshot!(Home::new().text_of(&["check", "small.toml"]), @"small.toml: valid");
    }

    #[test]
    fn help() {
        assert_snapshot!(Home::new().text_of(&["--help"]));
    }

    #[test]
    fn help_of_verify() {
        assert_snapshot!(Home::new().text_of(&["verify", "--help"]));
    }

    #[test]
    fn version() {
        let text = Home::new().text_of(&["--version"]);
        assert_eq!(text, format!("singlim {}\n", env!("CARGO_PKG_VERSION")));
    }

    #[test]
    fn verify_prints_the_verdict_and_where_the_run_is() {
        let home = Home::new();
        let text = home.text_of(&["verify", "small.toml", "--out", "run"]);
        let verdict = home.json("run/verdict.json");
        let line = format!(
            "\nINCONCLUSIVE: {}\n",
            verdict["sentence"].as_str().unwrap()
        );
        assert!(text.contains(&line), "{text}");
        assert!(
            text.trim_end().ends_with("report run/report.html"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}'), "no colours where no terminal is");
    }
}

mod valid_but_unusual {
    use super::*;

    #[test]
    fn a_cosine_schedule_that_falls_to_zero_can_be_corrected() {
        let home = Home::new();
        home.run(&[
            "verify",
            "small.toml",
            "--out",
            "run",
            "--set",
            "schedule.kind=cosine",
            "--set",
            "limit.corrected=true",
            "--set",
            "ladder.horizon=0.5",
        ]);
        // A corrected limit has no order, no time scale that is a power of α, and no curve for all rungs.
        let missing = ["curve.csv", "ellipse.csv", "exponents.csv", "orders.csv"];
        let expected: Vec<_> = OF_VERIFY
            .into_iter()
            .filter(|name| !missing.contains(name))
            .collect();
        assert_eq!(names(&home.path("run")), expected);
    }

    #[test]
    fn text_in_any_script_passes_through() {
        let home = Home::new();
        let title = "Rauschen, \"шум\", 雑音";
        let set = format!("title={title}");
        home.run(&["limit", "small.toml", "--out", "Läufe/一", "--set", &set]);
        assert_eq!(
            home.json("Läufe/一/manifest.json")["scenario"]["title"],
            title
        );
    }
}
