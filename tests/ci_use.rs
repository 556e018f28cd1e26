//! `verify` as a CI system calls it: several scenarios, JUnit XML and Markdown, a baseline, stages under a budget.

use std::fs;
use std::path::PathBuf;
use std::process::Output;
use std::time::Duration;

use assert_cmd::cargo::cargo_bin_cmd;
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

/// Done in no time, inconclusive with so few paths, rejected with a planted fault.
const SMALL: &str = r#"title = "small"
seed = 1
observables = ["imbalance"]
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
"#;

/// Nothing moves: passes with few paths.
fn passing() -> String {
    SMALL.replace("\"label\"", "\"minibatch\"")
}

struct Home(TempDir);

impl Home {
    fn new(scenarios: &[(&str, &str)]) -> Self {
        let home = Self(tempdir().unwrap());
        for (name, text) in scenarios {
            home.write(name, text);
        }
        home
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn json(&self, name: &str) -> Value {
        serde_json::from_str(&self.read(name)).unwrap()
    }

    fn run(&self, args: &[&str]) -> (i32, Output) {
        let output = cargo_bin_cmd!("singlim")
            .current_dir(self.0.path())
            .env("NO_COLOR", "1")
            .timeout(Duration::from_secs(60))
            .args(args)
            .output()
            .unwrap();
        (output.status.code().expect("an exit code"), output)
    }

    /// Exit code and standard output.
    fn verify(&self, args: &[&str]) -> (i32, String) {
        let (code, output) = self.run(&[&["verify"], args].concat());
        (code, String::from_utf8(output.stdout).unwrap())
    }
}

fn stdout_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "no {part:?} in\n{text}");
    }
}

/// The values of an attribute of all elements of a name, by a parser that refuses what is not XML.
fn attributes(xml: &str, element: &str, attribute: &str) -> Vec<String> {
    let mut reader = Reader::from_str(xml);
    let mut values = Vec::new();
    loop {
        match reader.read_event().expect("well-formed") {
            Event::Start(tag) | Event::Empty(tag) if tag.name().as_ref() == element => {
                let found = tag.try_get_attribute(attribute).unwrap();
                values.extend(
                    found.map(|a| quick_xml::escape::unescape(&a.value).unwrap().into_owned()),
                );
            }
            Event::Eof => return values,
            _ => {}
        }
    }
}

mod several {
    use super::*;

    #[test]
    fn each_has_its_folder_and_all_are_in_one_table() {
        let home = Home::new(&[("a.toml", &passing()), ("b.toml", SMALL)]);
        let (code, text) = home.verify(&["a.toml", "b.toml", "--out", "runs-of-ci"]);
        assert_eq!(code, 3, "inconclusive is worse than pass: {text}");
        for name in ["a", "b"] {
            assert!(
                home.path(&format!("runs-of-ci/{name}/verdict.json"))
                    .exists()
            );
            let verdict = home.json(&format!("runs-of-ci/{name}/verdict.json"));
            assert_eq!(verdict["subject"]["name"], name);
        }
        let table = &text[text.rfind("scenario").unwrap()..];
        stdout_has(table, &["regime", "verdict", "seconds", "decided by"]);
        let row = |name: &str| {
            let line = table
                .lines()
                .find(|line| line.trim_start().starts_with(name));
            line.unwrap().to_owned()
        };
        stdout_has(&row("a "), &["trivial", "pass"]);
        stdout_has(
            &row("b "),
            &["degenerate", "inconclusive", "mean of imbalance"],
        );
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst() {
        let wrong = SMALL.replace(
            "[ladder]",
            "[expect]\nregime = \"non-degenerate\"\n[ladder]",
        );
        let home = Home::new(&[
            ("a.toml", &passing()),
            ("b.toml", SMALL),
            ("c.toml", &wrong),
        ]);
        let quiet = |files: &[&str], out: &str| {
            let (code, text) = home.verify(&[files, &["--out", out, "--quiet"]].concat());
            assert_eq!(text, "", "--quiet prints nothing");
            code
        };
        assert_eq!(quiet(&["a.toml", "a.toml"], "1"), 0);
        assert_eq!(quiet(&["a.toml", "b.toml"], "2"), 3);
        assert_eq!(quiet(&["c.toml", "b.toml", "a.toml"], "3"), 1);
    }

    #[test]
    fn scenarios_of_one_name_do_not_collide() {
        let home = Home::new(&[("x/s.toml", &passing()), ("y/s.toml", &passing())]);
        let (code, _) = home.verify(&["x/s.toml", "y/s.toml", "--out", "out"]);
        assert_eq!(code, 0);
        assert!(home.path("out/s/manifest.json").exists());
        assert!(home.path("out/s-2/manifest.json").exists());
        home.verify(&["x/s.toml", "y/s.toml"]);
        assert!(home.path("runs/s").exists() && home.path("runs/s-2").exists());
    }

    /// The target y = 0 of the second sample makes anti-PGD shrink the parameters that fit it, until H loses rank.
    const FAILING: &str = r#"observables = ["u1"]
[model]
kind = "diagonal-network"
dimension = 2
start = [1.0440306508910551, 0.5, 0.3, 0.5]
[data]
file = "d.csv"
features = ["a", "b"]
targets = ["y"]
[[noise]]
kind = "anti-pgd"
[ladder]
step_sizes = [0.16, 0.08, 0.04, 0.02]
sigma = 0.9
horizon = 20.0
records = 2
paths = 8
"#;

    #[test]
    fn one_that_fails_while_it_runs_does_not_keep_the_others_from_running() {
        let home = Home::new(&[("a.toml", FAILING), ("b.toml", &passing())]);
        home.write("d.csv", "a,b,y\n1,0,1\n0,1,0\n");
        assert_eq!(home.run(&["check", "a.toml"]).0, 0);
        let args = [
            "a.toml",
            "b.toml",
            "--out",
            "out",
            "--junit",
            "junit.xml",
            "--markdown",
            "m.md",
        ];
        let (code, output) = home.run(&[&["verify"], &args[..]].concat());
        let message = String::from_utf8(output.stderr).unwrap();
        assert_eq!(code, 2, "{message}");
        assert!(
            message.starts_with("error: a: ") && message.contains("rank"),
            "{message}"
        );
        assert!(home.path("out/b/verdict.json").exists());
        assert!(!home.path("out/a").exists(), "no empty folder stays");
        let text = String::from_utf8(output.stdout).unwrap();
        let table = &text[text.rfind("scenario").unwrap()..];
        stdout_has(table, &["error", "pass"]);
        let xml = home.read("junit.xml");
        assert_eq!(attributes(&xml, "testsuites", "errors"), ["1"]);
        assert_eq!(attributes(&xml, "error", "type"), ["error"]);
        stdout_has(&home.read("m.md"), &["| a |  | **error** |", "ERROR: "]);
    }
}

mod reports {
    use super::*;

    #[test]
    fn junit_has_a_suite_a_scenario_and_a_case_a_check() {
        let nasty = SMALL.replace("\"small\"", "\"<small> & \\\"quoted\\\" \\u0001\"");
        let home = Home::new(&[("a&b.toml", &nasty), ("b.toml", &passing())]);
        let (code, _) =
            home.verify(&["a&b.toml", "b.toml", "--out", "out", "--junit", "junit.xml"]);
        assert_eq!(code, 3);
        let xml = home.read("junit.xml");
        assert_eq!(attributes(&xml, "testsuite", "name"), ["a&b", "b"]);
        let (a, b) = (
            home.json("out/a&b/verdict.json"),
            home.json("out/b/verdict.json"),
        );
        let checks = |verdict: &Value| verdict["checks"].as_array().unwrap().clone();
        let all = [checks(&a), checks(&b)].concat();
        assert_eq!(attributes(&xml, "testcase", "name").len(), all.len());
        assert_eq!(
            attributes(&xml, "testsuites", "tests"),
            [all.len().to_string()]
        );
        let undecided = all
            .iter()
            .filter(|c| c["verdict"] == "inconclusive")
            .count();
        assert!(undecided > 0);
        let kinds = attributes(&xml, "failure", "type");
        assert_eq!(kinds, vec!["inconclusive"; undecided]);
        assert_eq!(
            attributes(&xml, "testsuites", "failures"),
            [undecided.to_string()]
        );
        let mut names = attributes(&xml, "testcase", "name");
        names.truncate(checks(&a).len());
        names.sort();
        names.dedup();
        assert_eq!(names.len(), checks(&a).len(), "names are unique");
    }

    #[test]
    fn markdown_has_the_verdicts_and_the_checks() {
        let home = Home::new(&[("a.toml", SMALL), ("b.toml", &passing())]);
        // As a CI system leaves it: there, and empty.
        home.write("summary.md", "");
        home.verify(&[
            "a.toml",
            "b.toml",
            "--out",
            "out",
            "--markdown",
            "summary.md",
        ]);
        let text = home.read("summary.md");
        stdout_has(
            &text,
            &[
                "## singlim",
                "| a | degenerate | **inconclusive** |",
                "### b",
                "PASS: ",
                "| standstill",
            ],
        );
        let width = |line: &str| line.replace("\\|", "").matches('|').count();
        let tables = text.lines().filter(|line| line.starts_with('|'));
        assert!(tables.clone().all(|line| width(line) == 6), "{text}");
    }

    #[test]
    fn files_of_an_earlier_run_are_overwritten_only_with_force() {
        let home = Home::new(&[("b.toml", &passing())]);
        let args = ["b.toml", "--junit", "junit.xml", "--markdown", "summary.md"];
        assert_eq!(home.verify(&args).0, 0);
        home.write("junit.xml", "old");
        assert_eq!(home.verify(&args).0, 2);
        assert_eq!(home.read("junit.xml"), "old");
        assert_eq!(home.verify(&[&args[..], &["--force"]].concat()).0, 0);
        assert!(home.read("junit.xml").starts_with("<?xml"));
    }
}

mod baseline {
    use super::*;

    fn with_baseline() -> Home {
        let home = Home::new(&[("s.toml", &passing())]);
        assert_eq!(home.verify(&["s.toml", "--out", "old"]).0, 0);
        home
    }

    /// Puts something else into the baseline.
    fn doctored(change: impl Fn(&mut Value)) -> Home {
        let home = with_baseline();
        let mut verdict = home.json("old/verdict.json");
        change(&mut verdict);
        home.write("old/verdict.json", &verdict.to_string());
        home
    }

    #[test]
    fn the_same_run_again_is_no_regression() {
        let home = with_baseline();
        let (code, text) = home.verify(&["s.toml", "--out", "new", "--baseline", "old"]);
        assert_eq!(code, 0, "{text}");
        stdout_has(
            &text,
            &["no regression against old/verdict.json", "upper bound"],
        );
        let table = home.read("new/baseline.csv");
        assert!(table.starts_with("name,observable,number,finding,verdict_before,verdict_after,"));
        assert!(
            table.lines().skip(1).all(|line| line.contains(",same,")),
            "{table}"
        );
        // A later run without a baseline leaves none.
        home.verify(&["s.toml", "--out", "new", "--force"]);
        assert!(!home.path("new/baseline.csv").exists());
    }

    #[test]
    fn another_seed_is_no_regression_and_another_scenario_is_named() {
        let home = with_baseline();
        let again = ["s.toml", "--baseline", "old/verdict.json", "--quiet"];
        assert_eq!(home.verify(&[&again[..], &["--seed", "2"]].concat()).0, 0);
        let (_, text) = home.verify(&["s.toml", "--baseline", "old", "--set", "ladder.records=3"]);
        stdout_has(
            &text,
            &["the scenario is not the baseline's: ladder.records changed"],
        );
    }

    #[test]
    fn an_estimate_that_moved_is_a_regression_though_the_verdict_passes() {
        let home = doctored(|verdict| {
            let checks = verdict["checks"].as_array_mut().unwrap();
            let check = checks
                .iter_mut()
                .find(|c| c["name"] == "standstill")
                .unwrap();
            for key in ["/estimate", "/interval/lower", "/interval/upper"] {
                let moved = check.pointer(key).unwrap().as_f64().unwrap() + 0.01;
                *check.pointer_mut(key).unwrap() = json!(moved);
            }
        });
        let args = [
            "s.toml",
            "--out",
            "new",
            "--baseline",
            "old",
            "--junit",
            "j.xml",
            "--markdown",
            "m.md",
        ];
        let (code, text) = home.verify(&args);
        assert_eq!(code, 1, "{text}");
        stdout_has(
            &text,
            &[
                "REGRESSION",
                "standstill of imbalance (1): moved by",
                "PASS",
            ],
        );
        assert!(home.read("new/baseline.csv").contains(",moved,"));
        assert_eq!(
            attributes(&home.read("j.xml"), "failure", "type"),
            ["regression"]
        );
        stdout_has(&home.read("m.md"), &["REGRESSION", "| moved |"]);
    }

    #[test]
    fn a_check_that_got_worse_or_vanished_is_a_regression_and_a_better_one_is_not() {
        let set = |name: &'static str, verdict: &'static str| {
            doctored(move |whole| {
                let checks = whole["checks"].as_array_mut().unwrap();
                let check = checks.iter_mut().find(|c| c["name"] == name).unwrap();
                check["verdict"] = json!(verdict);
            })
        };
        let code = |home: &Home| {
            home.verify(&["s.toml", "--out", "new", "--baseline", "old", "--quiet"])
                .0
        };
        assert_eq!(code(&set("divergence", "rejected")), 0, "better");
        let vanished = doctored(|whole| {
            let checks = whole["checks"].as_array_mut().unwrap();
            let mut check = checks[0].clone();
            check["name"] = json!("something else");
            checks.push(check);
        });
        assert_eq!(code(&vanished), 1, "vanished");
        let passed_once = doctored(|_| ());
        passed_once.write(
            "s.toml",
            &passing().replace("[ladder]", "[expect]\norder = 1.0\n[ladder]"),
        );
        assert_eq!(code(&passed_once), 1, "worse than before");
    }

    #[test]
    fn baselines_of_several_scenarios_are_found_by_name_in_a_folder_of_runs() {
        let home = Home::new(&[("a.toml", &passing()), ("b.toml", &passing())]);
        assert_eq!(home.verify(&["a.toml", "b.toml", "--out", "old"]).0, 0);
        let (code, text) = home.verify(&["b.toml", "a.toml", "--out", "new", "--baseline", "old"]);
        assert_eq!(code, 0, "{text}");
        stdout_has(
            &text,
            &["against old/a/verdict.json", "against old/b/verdict.json"],
        );
        home.write("c.toml", &passing());
        let (code, text) = home.verify(&["a.toml", "c.toml", "--baseline", "old"]);
        assert_eq!(code, 0);
        stdout_has(&text, &["no baseline is of the scenario `c`"]);
    }

    #[test]
    fn a_baseline_of_the_first_layout_can_be_read() {
        let home = doctored(|verdict| {
            for key in ["format", "level", "subject", "budget", "power"] {
                verdict.as_object_mut().unwrap().remove(key);
            }
        });
        let (code, text) = home.verify(&["s.toml", "--out", "new", "--baseline", "old"]);
        assert_eq!(code, 0, "{text}");
        stdout_has(&text, &["does not say which scenario"]);
    }
}

mod stages {
    use super::*;

    #[test]
    fn a_verdict_that_is_clear_at_once_needs_one_stage() {
        let home = Home::new(&[("s.toml", &passing())]);
        let (code, text) = home.verify(&["s.toml", "--out", "run", "--until-conclusive"]);
        assert_eq!(code, 0, "{text}");
        stdout_has(&text, &["stage 1: ", "(× 1), level 0.00608: pass"]);
        assert!(!text.contains("stage 2"), "{text}");
        let stages = home.read("run/stages.csv");
        assert_eq!(
            stages.lines().next(),
            Some("stage,factor,paths,limit_paths,level,verdict,seconds")
        );
        assert_eq!(stages.lines().count(), 2);
        let verdict = home.json("run/verdict.json");
        assert_eq!(verdict["false_alarm_rate"], 0.02, "the declared one");
        let level = verdict["level"].as_f64().unwrap();
        assert!((level - 0.006_079_271).abs() < 1e-8, "{level}");
    }

    #[test]
    fn a_fault_that_shows_stops_early_and_is_rejected() {
        let wrong = SMALL.replace("[ladder]", "[limit]\ndrift_scale = -1.0\n[ladder]");
        let home = Home::new(&[("s.toml", &wrong)]);
        let (code, text) = home.verify(&[
            "s.toml",
            "--out",
            "run",
            "--until-conclusive",
            "--budget",
            "30s",
            "--set",
            "ladder.horizon=0.5",
        ]);
        assert_eq!(code, 1, "{text}");
        assert!(home.read("run/stages.csv").lines().count() <= 5);
    }

    /// So short a budget allows the first stage only; how much more would be needed is said.
    #[test]
    fn without_a_verdict_when_the_budget_ends_it_is_said_what_would_be_needed() {
        let home = Home::new(&[("s.toml", SMALL)]);
        let args = [
            "s.toml",
            "--out",
            "run",
            "--until-conclusive",
            "--budget",
            "1ms",
        ];
        let (code, text) = home.verify(&args);
        assert_eq!(code, 3, "{text}");
        stdout_has(&text, &["the next stage would take"]);
        assert!(
            text.contains("× the paths would settle it") || text.contains("can't be told"),
            "{text}"
        );
        assert_eq!(home.read("run/stages.csv").lines().count(), 2);
    }

    /// The two looks share their streams: the second is bit by bit a run with twice the paths, at its own level.
    #[test]
    fn the_last_stage_is_a_run_with_so_many_paths() {
        let home = Home::new(&[("s.toml", SMALL)]);
        let args = [
            "s.toml",
            "--out",
            "run",
            "--until-conclusive",
            "--budget",
            "1s",
            "--quiet",
        ];
        home.verify(&args);
        let stages = home.read("run/stages.csv");
        let factor: usize = stages
            .lines()
            .last()
            .unwrap()
            .split(',')
            .nth(1)
            .unwrap()
            .parse()
            .unwrap();
        let paths = format!("ladder.paths={}", 16 * factor);
        home.verify(&["s.toml", "--out", "once", "--set", &paths, "--quiet"]);
        assert_eq!(home.read("run/summary.csv"), home.read("once/summary.csv"));
    }

    #[test]
    fn what_no_number_of_paths_can_settle_is_not_tried() {
        // With fixed σ an error term of dropout does not vanish along the ladder.
        let home = Home::new(&[(
            "s.toml",
            &SMALL
                .replace("kind = \"label\"", "kind = \"dropout\"\n")
                .replace("sigma_factors = [0.5]\n", ""),
        )]);
        let (code, text) = home.verify(&[
            "s.toml",
            "--out",
            "run",
            "--until-conclusive",
            "--budget",
            "20s",
        ]);
        assert_eq!(code, 3, "{text}");
        stdout_has(&text, &["more paths will not settle it: ladder"]);
        assert_eq!(home.read("run/stages.csv").lines().count(), 2);
    }
}
