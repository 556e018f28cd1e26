//! `singlim plan` as a user runs it: the headline, the tables, several scenarios, and whether its number of paths is right.

use std::path::PathBuf;

use assert_cmd::Command;
use assert_cmd::cargo::cargo_bin_cmd;
use serde_json::Value;

fn singlim() -> Command {
    let mut command = cargo_bin_cmd!("singlim");
    command.current_dir(PathBuf::from(env!("CARGO_MANIFEST_DIR")));
    command
}

fn plan(arguments: &[&str]) -> String {
    let output = singlim().arg("plan").args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The cells of the first line that begins with these words.
fn row<'a>(text: &'a str, begins: &str) -> Vec<&'a str> {
    let line = text.lines().find(|l| l.trim().starts_with(begins));
    let line = line.unwrap_or_else(|| panic!("no row `{begins}` in\n{text}"));
    line.split("  ")
        .map(str::trim)
        .filter(|cell| !cell.is_empty())
        .collect()
}

#[test]
fn label_noise_needs_the_iterations_of_its_closed_form_and_a_short_test_misses_most() {
    let text = plan(&[
        "scenarios/product-label-noise.toml",
        "--iterations",
        "5000",
        "--threads",
        "1",
    ]);
    // −ln(1 − ½(1 − e^−1))/(α²σ²) = 0.380/(0.005·0.3)² = 1.69e5.
    assert!(
        text.starts_with(
            "scenarios/product-label-noise.toml: At α = 0.005 the effect of label noise on imbalance needs 1.7e5 iterations to show 50 %; this scenario will take about "
        ),
        "{text}"
    );
    assert!(
        text.lines()
            .next()
            .unwrap()
            .ends_with("on this machine with 1 thread.")
    );
    assert!(text.contains("what a test of 5000 iterations sees and misses"));
    // 5000 iterations are slow time 0.01125: 1.8 % of 1 − e^−1.
    let finest = text.lines().filter(|l| l.trim().starts_with("α = 0.005"));
    let finest = finest.collect::<Vec<_>>();
    assert!(
        finest[0].contains("1.8 %") && finest[0].contains("98 %"),
        "{text}"
    );
    assert_eq!(
        row(&text, "minibatch")[..3],
        ["minibatch", "trivial", "none"]
    );
    assert_eq!(row(&text, "anti-pgd")[1..3], ["non-degenerate", "t = kασ²"]);
    assert!(
        text.contains("Compare anti-pgd (fast clock) with label, "),
        "{text}"
    );
    assert!(
        text.contains("the scenario's 4000, 4000, 4000, 4000 suffice"),
        "{text}"
    );
}

#[test]
fn minibatch_noise_will_never_show_anything() {
    let text = plan(&["scenarios/product-minibatch.toml"]);
    assert!(
        text.contains(
            "minibatch noise is trivial here: nothing will ever show, however long one trains"
        ),
        "{text}"
    );
    assert!(!text.contains("paths needed"), "{text}");
}

#[test]
fn two_scenarios_are_planned_in_turn_and_a_frozen_one_never_shows_half() {
    let text = plan(&[
        "scenarios/label-noise-freezing.toml",
        "scenarios/product-label-noise.toml",
        "--share",
        "0.2",
        "--set",
        "ladder.paths=100",
    ]);
    let (frozen, free) = text
        .split_once("\nscenarios/product-label-noise.toml: ")
        .unwrap();
    // 20 % of D₀ are gone at slow time 0.22, before the clock stops at 0.4; 90 % never.
    assert!(frozen.contains(" to show 20 %"), "{frozen}");
    let late = frozen.lines().find(|line| line.trim().starts_with("90 %"));
    assert_eq!(late.unwrap().matches("never").count(), 4, "{frozen}");
    assert!(free.starts_with("At α = 0.005"), "{free}");
    let text = plan(&["scenarios/label-noise-freezing.toml"]);
    assert!(
        text.contains("never shows 50 % of what a constant step size would show by slow time 40: the schedule freezes at slow time 0.4"),
        "{text}"
    );
    assert_eq!(plan(&["scenarios/product-label-noise.toml", "--quiet"]), "");
}

#[test]
fn bad_scenarios_and_shares_are_errors() {
    for (arguments, message) in [
        (vec!["scenarios/no-such.toml"], "no-such.toml"),
        (
            vec!["scenarios/product-sgld.toml", "--share", "1.5"],
            "between 0 and 1",
        ),
        (
            vec!["scenarios/product-sgld.toml", "--iterations", "0"],
            "0",
        ),
        (
            vec!["scenarios/product-sgld.toml", "--set", "ladder.horizon=-1"],
            "ladder.horizon",
        ),
        (vec![], "SCENARIOS"),
    ] {
        let output = singlim().arg("plan").args(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(errors.contains(message), "{errors}");
    }
}

/// With the planned number of paths the mean checks pass (the seed is fixed; any other fails with probability at most
/// 5 %); with a tenth of it the interval of the most demanding question is wider than its margin, whatever the seed.
#[test]
fn the_planned_number_of_paths_is_enough_and_a_tenth_of_it_is_not() {
    const SCENARIO: &str = "scenarios/product-label-noise.toml";
    const SET: [&str; 4] = [
        "--set",
        "ladder.step_sizes=[0.16, 0.08, 0.04, 0.02]",
        "--set",
        "margins.mean=0.005",
    ];
    let text = plan(&[&[SCENARIO], &SET[..]].concat());
    let line = text
        .lines()
        .find(|line| line.contains("the most is asked for by the mean"));
    let line = line.unwrap_or_else(|| panic!("{text}"));
    let needed: usize = line.split_whitespace().next().unwrap().parse().unwrap();
    let verdicts = |paths: usize| -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        let out = home.path().join("run");
        let output = singlim()
            .args(["verify", SCENARIO, "--quiet", "--set"])
            .arg(format!("ladder.paths={paths}"))
            .args(SET)
            .arg("--out")
            .arg(&out)
            .output()
            .unwrap();
        assert_ne!(output.status.code(), Some(2));
        let verdict = std::fs::read_to_string(out.join("verdict.json")).unwrap();
        let verdict: Value = serde_json::from_str(&verdict).unwrap();
        let checks = verdict["checks"].as_array().unwrap().iter();
        let means = checks.filter(|check| check["name"] == "mean");
        means
            .map(|check| check["verdict"].as_str().unwrap().to_owned())
            .collect()
    };
    let enough = verdicts(needed);
    assert!(
        enough.len() == 10 && enough.iter().all(|v| v == "pass"),
        "{needed}: {enough:?}"
    );
    let tenth = verdicts(needed / 10);
    assert!(tenth.iter().any(|v| v == "inconclusive"), "{tenth:?}");
    assert!(tenth.iter().all(|v| v != "rejected"), "{tenth:?}");
}
