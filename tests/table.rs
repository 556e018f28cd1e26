//! `singlim table`: run folders side by side, on both clocks.

use std::path::Path;

use assert_cmd::cargo::cargo_bin_cmd;
use tempfile::tempdir;

fn descend(home: &Path, name: &str, set: &[&str]) {
    let scenario = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/two-layer-dropout.toml");
    let mut command = cargo_bin_cmd!("singlim");
    command.current_dir(home).arg("descend").arg(scenario);
    for setting in [
        "ladder.paths=8",
        "ladder.horizon=0.1",
        "ladder.sigma_factors=[]",
    ]
    .iter()
    .chain(set)
    {
        command.args(["--set", setting]);
    }
    command.args(["--out", name, "--quiet"]).assert().success();
}

#[test]
fn the_table_has_every_mean_of_every_run_on_both_clocks() {
    let home = tempdir().unwrap();
    descend(home.path(), "a", &[]);
    descend(home.path(), "b", &["noise.0.kind=label"]);
    let mut table = cargo_bin_cmd!("singlim");
    let table = table.current_dir(home.path()).args(["table", "a", "b"]);
    let printed = String::from_utf8(table.assert().success().get_output().stdout.clone()).unwrap();
    let mut reader = csv::Reader::from_reader(printed.as_bytes());
    let header = reader.headers().unwrap().clone();
    let at = |name: &str| header.iter().position(|column| column == name).unwrap();
    let rows: Vec<_> = reader.records().map(Result::unwrap).collect();
    for (run, noise) in [("a", "dropout"), ("b", "label")] {
        let of_run: Vec<_> = rows.iter().filter(|row| &row[at("run")] == run).collect();
        let summary = std::fs::read_to_string(home.path().join(run).join("summary.csv")).unwrap();
        assert_eq!(of_run.len(), summary.lines().count() - 1);
        for row in of_run {
            assert_eq!(&row[at("noise")], noise);
            let number = |name: &str| row[at(name)].parse::<f64>().unwrap();
            let steps = number("iteration") * number("sigma").powi(2);
            let (fast, slow) = (
                steps * number("step_size"),
                steps * number("step_size").powi(2),
            );
            assert!((number("alpha_sigma2") - fast).abs() < 1e-9 * fast);
            assert!((number("alpha2_sigma2") - slow).abs() < 1e-9 * slow);
        }
    }
}

#[test]
fn what_is_no_run_folder_is_named_and_nothing_is_written() {
    let home = tempdir().unwrap();
    let mut table = cargo_bin_cmd!("singlim");
    let args = ["table", "nothing", "--out", "table.csv"];
    let failed = table.current_dir(home.path()).args(args).assert().code(2);
    let message = String::from_utf8(failed.get_output().stderr.clone()).unwrap();
    assert!(message.contains("nothing/manifest.json"), "{message}");
    assert!(!home.path().join("table.csv").exists());
}
