//! What each command writes, and how it ends.

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
