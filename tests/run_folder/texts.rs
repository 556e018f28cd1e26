//! What is printed, as snapshots.

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
