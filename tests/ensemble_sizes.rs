//! A path has the same values in an ensemble of any size: every shipped scenario, by the program, iterates and limit.
//!
//! Eight paths run in lanes, and those that are left over in lanes half empty or one by one, so all remainders are tried that are
//! run in different ways.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use flate2::read::GzDecoder;

const LARGEST: usize = 16;
const SIZES: [usize; 4] = [10, 9, 3, 1];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All values of each path, as they are written.
fn paths(out: &Path) -> BTreeMap<usize, Vec<String>> {
    let file = std::fs::File::open(out.join("samples.csv.gz")).unwrap();
    let mut text = String::new();
    GzDecoder::new(file).read_to_string(&mut text).unwrap();
    let mut paths: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for row in csv::Reader::from_reader(text.as_bytes()).records() {
        let row = row.unwrap();
        assert_eq!(row.len(), 6);
        let path: usize = row[2].parse().unwrap();
        let value = format!("{} {} {} {} {}", &row[0], &row[1], &row[3], &row[4], &row[5]);
        paths.entry(path).or_default().push(value);
    }
    paths
}

/// The start of a scenario's coarsest rungs, with so many paths.
fn run(command: &str, scenario: &Path, horizon: f64, size: usize) -> BTreeMap<usize, Vec<String>> {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("run");
    Command::new(env!("CARGO_BIN_EXE_singlim"))
        .current_dir(root())
        .arg(command)
        .arg(scenario)
        .args(["--set", &format!("ladder.horizon={horizon}")])
        .args(["--set", "ladder.records=1"])
        .args(["--set", &format!("ladder.paths={size}")])
        .arg("--quiet")
        .arg("--out")
        .arg(&out)
        .assert()
        .success();
    paths(&out)
}

fn scenarios(folder: &str) -> Vec<(PathBuf, f64)> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let mut found: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
        .map(|path| {
            let text = std::fs::read_to_string(&path).unwrap();
            let table: toml::Table = text.parse().unwrap();
            let horizon = table["ladder"]["horizon"].as_float().unwrap();
            (path, horizon)
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    assert!(found.len() >= 10);
    found
}

fn same_in_any_size(command: &str, folder: &str) {
    for (scenario, horizon) in scenarios(folder) {
        let horizon = horizon / 200.0;
        let all = run(command, &scenario, horizon, LARGEST);
        assert_eq!(all.len(), LARGEST);
        for size in SIZES {
            let some = run(command, &scenario, horizon, size);
            assert_eq!(some.len(), size);
            for (path, values) in some {
                assert_eq!(values, all[&path], "{} {size}: {path}", scenario.display());
            }
        }
    }
}

#[test]
fn iterates_do_not_depend_on_the_size_of_the_ensemble() {
    same_in_any_size("descend", "scenarios");
}

#[test]
fn iterates_of_formulas_do_not_depend_on_the_size_of_the_ensemble() {
    same_in_any_size("descend", "scenarios/formulas");
}
