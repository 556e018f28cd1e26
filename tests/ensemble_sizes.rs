//! A path has the same values in an ensemble of any size: the iterates of every shipped scenario, by the program.
//!
//! Eight paths run in lanes, and those that are left over in lanes half empty or one by one, so all remainders are tried that are
//! run in different ways.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use flate2::read::GzDecoder;

const LARGEST: usize = 16;
const SIZES: [usize; 4] = [8, 9, 10, 11];

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
        let value = format!(
            "{} {} {} {} {}",
            &row[0], &row[1], &row[3], &row[4], &row[5]
        );
        paths.entry(path).or_default().push(value);
    }
    paths
}

/// The beginning of a scenario, with so many paths, the most of them on one thread.
fn run(scenario: &Scenario, size: usize) -> BTreeMap<usize, Vec<String>> {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("run");
    let settings = scenario.settings.iter().flat_map(|s| ["--set", s]);
    Command::new(env!("CARGO_BIN_EXE_singlim"))
        .current_dir(root())
        .arg("descend")
        .arg(&scenario.path)
        .args(settings)
        .args(["--set", &format!("ladder.paths={size}")])
        .args(["--threads", if size == LARGEST { "1" } else { "2" }])
        .arg("--quiet")
        .arg("--out")
        .arg(&out)
        .assert()
        .success();
    paths(&out)
}

struct Scenario {
    path: PathBuf,
    settings: Vec<String>,
}

impl Scenario {
    /// The first hundredth of its time.
    fn beginning(path: PathBuf) -> Self {
        let text = std::fs::read_to_string(&path).unwrap();
        let table: toml::Table = text.parse().unwrap();
        let horizon = table["ladder"]["horizon"].as_float().unwrap() / 100.0;
        let mut settings = vec![
            format!("ladder.horizon={horizon}"),
            "ladder.records=1".into(),
        ];
        if table
            .get("limit")
            .is_some_and(|limit| limit.get("time_step").is_some())
        {
            settings.push(format!("limit.time_step={}", horizon / 100.0));
        }
        Self { path, settings }
    }
}

fn same_in_any_size(folder: &str) {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let scenarios: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "toml")
        })
        .map(Scenario::beginning)
        .collect();
    assert!(scenarios.len() >= 10);
    for scenario in scenarios {
        let all = run(&scenario, LARGEST);
        assert_eq!(all.len(), LARGEST);
        for size in SIZES {
            let some = run(&scenario, size);
            assert_eq!(some.len(), size);
            for (path, values) in some {
                let name = scenario.path.display();
                assert_eq!(values, all[&path], "{name}, {size} paths: {path}");
            }
        }
    }
}

#[test]
fn iterates_do_not_depend_on_the_size_of_the_ensemble() {
    same_in_any_size("scenarios");
}

#[test]
fn iterates_of_formulas_do_not_depend_on_the_size_of_the_ensemble() {
    same_in_any_size("scenarios/formulas");
}
