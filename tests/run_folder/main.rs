//! The run folder and the printed texts as a contract: files, headers, values, exit codes, and what depends on what.

mod commands;
mod files;
mod force;
mod manifest;
mod reproducibility;
mod texts;
mod valid_but_unusual;
mod values;

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
