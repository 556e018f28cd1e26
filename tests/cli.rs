//! The command line as a tool: formats, completions, manuals, explanations, the schema, the log, Ctrl-C, what a terminal shows.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;
use tempfile::{TempDir, tempdir};

const SMALL: &str = r#"observables = ["imbalance", "u"]
[model]
kind = "product"
start = { u = 2.0, v = 0.5 }
[[noise]]
kind = "label"
[ladder]
step_sizes = [0.16, 0.08, 0.04, 0.02]
sigma = 0.3
horizon = 0.05
records = 5
paths = 16
"#;

fn home() -> TempDir {
    let home = tempdir().unwrap();
    fs::write(home.path().join("s.toml"), SMALL).unwrap();
    home
}

fn singlim(home: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(cargo_bin("singlim"));
    command.current_dir(home).args(args).env_remove("NO_COLOR");
    command
}

/// Standard output of a command that succeeds.
fn text(home: &Path, args: &[&str]) -> String {
    let output = singlim(home, args).output().unwrap();
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {message}");
    String::from_utf8(output.stdout).unwrap()
}

fn json(home: &Path, args: &[&str]) -> Value {
    serde_json::from_str(&text(home, args)).unwrap()
}

/// The README's first own scenario. A second in release mode, which tests are run in; a quarter of an hour without.
#[test]
fn what_new_writes_passes_as_it_is() {
    if cfg!(debug_assertions) {
        return;
    }
    let home = home();
    let new = ["new", "two-products", "dropout", "--out", "mine.toml"];
    text(home.path(), &new);
    let verify = ["verify", "mine.toml", "--quiet"];
    let output = singlim(home.path(), &verify).output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
}

mod formats {
    use super::*;

    fn rows(csv: &str) -> Vec<Vec<String>> {
        let mut reader = csv::Reader::from_reader(csv.as_bytes());
        let rows = reader.records().map(Result::unwrap);
        rows.map(|row| row.iter().map(str::to_owned).collect())
            .collect()
    }

    #[test]
    fn the_list_is_one_table_in_all_of_them() {
        let home = home();
        let list = json(home.path(), &["list", "--format", "json"]);
        let list = list.as_array().unwrap();
        let is = |row: &&Value, kind: &str, name: &str| row["kind"] == kind && row["name"] == name;
        assert!(list.iter().any(|row| is(&row, "noise", "anti-pgd")));
        assert!(
            list.iter()
                .any(|row| is(&row, "observable", "imbalance") && row["of"] == "product")
        );
        assert_eq!(
            rows(&text(home.path(), &["list", "--format", "csv"])).len(),
            list.len()
        );
        let markdown = text(home.path(), &["list", "--format", "markdown"]);
        assert_eq!(markdown.lines().count(), list.len() + 2);
        assert!(markdown.starts_with("| kind | of | name | meaning |\n| --- |"));
        assert!(text(home.path(), &["list"]).starts_with("models (model.kind)"));
    }

    #[test]
    fn a_prediction_is_several_tables_or_one_long_one() {
        let home = home();
        let all = json(home.path(), &["predict", "s.toml", "--format", "json"]);
        assert_eq!(all["study"][0]["regime"], "degenerate");
        assert_eq!(all["rungs"].as_array().unwrap().len(), 4);
        assert_eq!(all["rungs"][3]["step_size"], 0.02);
        assert_eq!(all["parameters"][0]["name"], "u");
        let long = rows(&text(
            home.path(),
            &["predict", "s.toml", "--format", "csv"],
        ));
        let found = long
            .iter()
            .find(|row| row[0] == "rungs" && row[1] == "4" && row[2] == "step_size");
        assert_eq!(found.unwrap()[3], "0.02");
        let markdown = text(home.path(), &["predict", "s.toml", "--format", "markdown"]);
        assert!(
            markdown.contains("### rungs\n\n| step_size | sigma |"),
            "{markdown}"
        );
        assert!(
            text(
                home.path(),
                &["predict", "s.toml", "--format", "json", "--quiet"]
            )
            .is_empty()
        );
    }

    #[test]
    fn a_verdict_is_a_row_a_scenario_and_nothing_else_is_printed() {
        let home = home();
        fs::write(home.path().join("t.toml"), SMALL).unwrap();
        let verify = |args: &[&str]| {
            let output = singlim(home.path(), &[&["verify"], args].concat())
                .output()
                .unwrap();
            // 16 paths have no power.
            assert_eq!(output.status.code(), Some(3));
            assert!(output.stderr.is_empty(), "no bars where no terminal is");
            String::from_utf8(output.stdout).unwrap()
        };
        let both: Value =
            serde_json::from_str(&verify(&["s.toml", "t.toml", "--format", "json"])).unwrap();
        assert_eq!(both[1]["scenario"], "t");
        assert_eq!(both[1]["verdict"], "inconclusive");
        assert!(both[1]["run_folder"].as_str().unwrap().ends_with("t"));
        let one = rows(&verify(&["s.toml", "--format", "csv"]));
        assert_eq!((one.len(), one[0][0].as_str()), (1, "s"));
        let markdown = verify(&["s.toml", "--format", "markdown"]);
        assert_eq!(markdown.lines().count(), 3);
        // The table of run folders side by side.
        let table = json(
            home.path(),
            &["table", "runs/s", "runs/t", "--format", "json"],
        );
        assert!(table[0]["mean"].is_number() && table[0]["process"] == "descent");
        let markdown = text(home.path(), &["table", "runs/s", "--format", "markdown"]);
        assert!(markdown.starts_with("| run | noise | process |"));
    }

    #[test]
    fn a_plan_has_rows_for_each_scenario() {
        let home = home();
        let plan = json(home.path(), &["plan", "s.toml", "--format", "json"]);
        assert_eq!(plan["waits"][0]["scenario"], "s");
        assert_eq!(plan["run_time"].as_array().unwrap().len(), 5);
        assert!(
            plan["noises"]
                .as_array()
                .unwrap()
                .iter()
                .any(|row| row["noise"] == "sgld")
        );
    }
}

mod manuals {
    use super::*;

    #[test]
    fn completions_for_every_shell_know_the_commands() {
        let home = home();
        for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
            let script = text(home.path(), &["completions", shell]);
            assert!(
                script.contains("until-conclusive") && script.contains("explain"),
                "{shell}"
            );
        }
    }

    #[test]
    fn there_is_a_man_page_for_each_command_with_its_examples() {
        let home = home();
        text(home.path(), &["man", "pages/man1"]);
        let page =
            |name: &str| fs::read_to_string(home.path().join("pages/man1").join(name)).unwrap();
        assert!(page("singlim.1").contains("singlim"));
        let verify = page("singlim-verify.1");
        assert!(
            verify.contains("Examples:") && verify.contains(".TH"),
            "{verify}"
        );
    }

    #[test]
    fn every_command_shows_an_example() {
        let home = home();
        for command in [
            "verify",
            "predict",
            "plan",
            "descend",
            "limit",
            "check",
            "table",
            "new",
            "list",
            "explain",
            "schema",
            "completions",
            "man",
        ] {
            let help = text(home.path(), &[command, "--help"]);
            assert!(help.contains(&format!("  singlim {command}")), "{help}");
        }
    }

    #[test]
    fn checks_warnings_and_exit_codes_are_explained() {
        let home = home();
        let all = text(home.path(), &["explain"]);
        for part in [
            "checks of a verdict",
            "mean square",
            "warnings",
            "piecewise-smooth",
            "exit code 3",
        ] {
            assert!(all.contains(part), "{part}: {all}");
        }
        assert!(
            text(home.path(), &["explain", "mean-square"]).starts_with("check: mean square\n\n")
        );
        assert!(text(home.path(), &["explain", "130"]).contains("Ctrl-C"));
        let output = singlim(home.path(), &["explain", "seperation"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("did you mean `separation`?"), "{message}");
    }

    #[test]
    fn a_warning_mentions_its_name() {
        let home = home();
        let text = text(
            home.path(),
            &["predict", "s.toml", "--set", "noise.0.kind=dropconnect"],
        );
        assert!(text.contains("(singlim explain biased-gradient)"), "{text}");
    }

    #[test]
    fn the_log_says_what_is_done_only_if_asked() {
        let home = home();
        let log = |args: &[&str]| {
            let output = singlim(home.path(), args).output().unwrap();
            String::from_utf8(output.stderr).unwrap()
        };
        assert_eq!(log(&["limit", "s.toml", "--out", "a"]), "");
        let said = log(&["descend", "s.toml", "--out", "b", "-v"]);
        assert!(
            said.contains("INFO limit derived") && said.contains("rung simulated"),
            "{said}"
        );
        assert!(!said.contains('\u{1b}'), "no colours where no terminal is");
    }

    #[test]
    fn a_mistyped_file_gets_the_nearest_one() {
        let home = home();
        fs::write(home.path().join("product-label.toml"), SMALL).unwrap();
        let output = singlim(home.path(), &["check", "product-lable.toml"])
            .output()
            .unwrap();
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(
            message.contains("did you mean product-label.toml?"),
            "{message}"
        );
    }
}

mod schema {
    use super::*;

    fn scenarios() -> Vec<std::path::PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
        let folders = [root.clone(), root.join("controls")];
        let files = folders
            .iter()
            .flat_map(|folder| fs::read_dir(folder).unwrap());
        let paths = files.map(|file| file.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|e| e == "toml"))
            .collect()
    }

    #[test]
    fn the_copy_beside_the_scenarios_is_current() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/schema.json");
        let copy = fs::read_to_string(path).unwrap_or_default();
        assert!(
            copy == singlim::scenario::schema(),
            "make it anew: cargo run -- schema > scenarios/schema.json"
        );
        assert_eq!(text(home().path(), &["schema"]), copy);
    }

    /// That they conform to it, and what it finds, is tested by `tests/schema.py`.
    #[test]
    fn every_shipped_scenario_names_it() {
        let all = scenarios();
        assert!(all.len() > 40);
        for path in all {
            let text = fs::read_to_string(&path).unwrap();
            let place = text
                .lines()
                .next()
                .unwrap()
                .strip_prefix("#:schema ")
                .unwrap();
            assert!(
                path.parent().unwrap().join(place).is_file(),
                "{}",
                path.display()
            );
        }
    }

    #[test]
    fn it_describes_every_key() {
        let schema: Value = serde_json::from_str(&singlim::scenario::schema()).unwrap();
        let mut keys = 0;
        let mut described = |properties: &Value| {
            for (key, property) in properties.as_object().into_iter().flatten() {
                assert!(property["description"].is_string(), "{key}: {property}");
                keys += 1;
            }
        };
        described(&schema["properties"]);
        for definition in schema["definitions"].as_object().unwrap().values() {
            described(&definition["properties"]);
        }
        assert!(keys > 60, "{keys}");
    }

    #[test]
    fn a_new_scenario_beside_it_names_it() {
        let home = home();
        text(home.path(), &["new", "product", "label", "--out", "a.toml"]);
        fs::write(home.path().join("schema.json"), singlim::scenario::schema()).unwrap();
        text(home.path(), &["new", "product", "label", "--out", "b.toml"]);
        let first = |name: &str| {
            let text = fs::read_to_string(home.path().join(name)).unwrap();
            text.lines().next().unwrap().to_owned()
        };
        assert!(first("a.toml").starts_with("# product"));
        assert_eq!(first("b.toml"), "#:schema ./schema.json");
        text(home.path(), &["check", "b.toml"]);
    }
}

#[cfg(unix)]
mod interruption {
    use super::*;

    /// A run of some seconds whose first rung is short.
    fn long(home: &Path, more: &[&str]) -> (Child, BufReader<std::process::ChildStderr>) {
        let horizon = if cfg!(debug_assertions) { 30 } else { 2000 };
        let horizon = format!("ladder.horizon={horizon}");
        let args = ["verify", "s.toml", "--set", &horizon, "-v"];
        let mut command = singlim(home, &[&args[..], more].concat());
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let errors = BufReader::new(child.stderr.take().unwrap());
        (child, errors)
    }

    fn until(errors: &mut impl BufRead, part: &str) -> String {
        let mut said = String::new();
        loop {
            let mut line = String::new();
            assert!(
                errors.read_line(&mut line).unwrap() > 0,
                "never said {part}: {said}"
            );
            said += &line;
            if line.contains(part) {
                return said;
            }
        }
    }

    fn interrupt(child: &Child) {
        let id = child.id().to_string();
        let status = Command::new("kill").args(["-INT", &id]).status();
        assert!(status.unwrap().success());
    }

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> = entries
            .map(|e| e.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// The last line that the program says is a command.
    fn command_in(said: &str) -> Vec<String> {
        let line = said
            .lines()
            .find(|line| line.starts_with("  singlim verify"));
        let line = line.unwrap_or_else(|| panic!("how to go on: {said}"));
        line.split_whitespace().skip(1).map(str::to_owned).collect()
    }

    #[test]
    fn the_rungs_that_are_done_are_kept_and_the_run_goes_on_to_the_same_bits() {
        let home = home();
        let (mut child, mut errors) = long(home.path(), &["--out", "run"]);
        until(&mut errors, "rung simulated");
        interrupt(&child);
        let said = until(&mut errors, "--resume");
        assert_eq!(child.wait().unwrap().code(), Some(130), "{said}");
        assert!(
            said.contains("stopping") && said.contains("are kept in run"),
            "{said}"
        );
        let kept = names(&home.path().join("run"));
        assert_eq!(kept, ["unfinished.bin", "unfinished.json"]);

        // With other settings it is refused, and nothing is lost.
        let other = ["verify", "s.toml", "--out", "run", "--resume"];
        let refused = singlim(home.path(), &other).output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("other settings"));
        assert_eq!(names(&home.path().join("run")), kept);

        let again = command_in(&said);
        let again: Vec<&str> = again.iter().map(String::as_str).collect();
        let resumed = singlim(home.path(), &again).output().unwrap();
        assert!(
            matches!(resumed.status.code(), Some(0 | 1 | 3)),
            "{resumed:?}"
        );
        let (mut child, _errors) = long(home.path(), &["--out", "whole", "--quiet"]);
        child.wait().unwrap();
        let files = names(&home.path().join("run"));
        assert_eq!(files, names(&home.path().join("whole")));
        // The report tells the times of the manifest, and the plots are made of the files compared.
        let rendered = ["manifest.json", "report.html", "plots"];
        for file in files
            .iter()
            .filter(|file| !rendered.contains(&file.as_str()))
        {
            let read = |folder: &str| fs::read(home.path().join(folder).join(file)).unwrap();
            assert!(read("run") == read("whole"), "{file}");
        }
    }

    #[test]
    fn the_second_ends_it_at_once_and_leaves_nothing_that_looks_like_a_run() {
        let home = home();
        let (mut child, mut errors) = long(home.path(), &["--out", "run"]);
        until(&mut errors, "rung simulated");
        interrupt(&child);
        until(&mut errors, "stopping");
        interrupt(&child);
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let manifest = home.path().join("run/manifest.json");
        assert!(!manifest.exists());
    }

    #[test]
    fn of_several_scenarios_those_that_were_done_are_reported() {
        let home = home();
        fs::write(home.path().join("first.toml"), SMALL).unwrap();
        fs::write(home.path().join("last.toml"), SMALL).unwrap();
        let horizon = if cfg!(debug_assertions) {
            "30.0"
        } else {
            "2000.0"
        };
        fs::write(
            home.path().join("long.toml"),
            SMALL.replace("0.05", horizon),
        )
        .unwrap();
        let mut command = singlim(
            home.path(),
            &[
                "verify",
                "first.toml",
                "long.toml",
                "last.toml",
                "--markdown",
                "summary.md",
                "-v",
            ],
        );
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        until(&mut errors, "judged");
        until(&mut errors, "rung simulated");
        interrupt(&child);
        let said = until(&mut errors, "not begun: last.toml");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        assert!(
            said.contains("verify long.toml") && said.contains("--out runs/long --resume"),
            "{said}"
        );
        assert!(home.path().join("runs/first/manifest.json").is_file());
        assert!(!home.path().join("runs/last").exists());
        let summary = fs::read_to_string(home.path().join("summary.md")).unwrap();
        assert!(
            summary.contains("inconclusive") && summary.contains("interrupted"),
            "{summary}"
        );
    }

    #[test]
    fn there_is_nothing_to_go_on_with_in_other_folders() {
        let home = home();
        fs::create_dir(home.path().join("empty")).unwrap();
        for (folder, part) in [
            ("empty", "no run was stopped there"),
            ("nowhere", "no run was stopped there"),
        ] {
            let args = ["verify", "s.toml", "--out", folder, "--resume"];
            let output = singlim(home.path(), &args).output().unwrap();
            assert_eq!(output.status.code(), Some(2));
            let message = String::from_utf8(output.stderr).unwrap();
            assert!(message.contains(part), "{message}");
        }
        assert!(!home.path().join("nowhere").exists());
    }
}

/// What is seen on a terminal, by `script`, which pretends to be one.
#[cfg(target_os = "linux")]
mod terminal {
    use super::*;

    /// None where there is no `script`.
    fn seen(home: &Path, no_color: bool, args: &str) -> Option<String> {
        let program = cargo_bin("singlim");
        let command = format!("{} {args}", program.display());
        let mut script = Command::new("script");
        script
            .args(["-qec", &command, "/dev/null"])
            .current_dir(home);
        script.env("TERM", "xterm-256color").env("COLUMNS", "100");
        if no_color {
            script.env("NO_COLOR", "1");
        } else {
            script.env_remove("NO_COLOR");
        }
        let output = script.stdin(Stdio::null()).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Timing the rungs takes a tenth of a second each, whatever the machine.
    #[test]
    fn planning_has_bars_with_time_left() {
        let home = home();
        let Some(drawn) = seen(home.path(), true, "plan s.toml") else {
            return;
        };
        for part in ["timing", "rungs/s", " left"] {
            assert!(drawn.contains(part), "no {part} in {drawn}");
        }
    }

    #[test]
    fn a_mistake_is_drawn_at_its_line_in_colour_unless_unwanted() {
        let home = home();
        fs::write(
            home.path().join("bad.toml"),
            SMALL.replace("sigma = 0.3", "sigmma = 0.3"),
        )
        .unwrap();
        let Some(drawn) = seen(home.path(), false, "check bad.toml") else {
            return;
        };
        for part in [
            "unknown key `sigmma`",
            "bad.toml:9:1",
            "sigmma = 0.3",
            "did you mean `sigma`?",
            "╭",
            "valid here",
        ] {
            assert!(drawn.contains(part), "no {part} in {drawn}");
        }
        assert!(drawn.contains("\u{1b}["), "{drawn}");
        let plain = seen(home.path(), true, "check bad.toml").unwrap();
        assert!(
            plain.contains("did you mean `sigma`?") && plain.contains('╭'),
            "{plain}"
        );
        assert!(!plain.contains("\u{1b}["), "{plain}");
    }

    #[test]
    fn a_long_phase_has_a_bar_with_rate_and_time_left_unless_quiet() {
        let home = home();
        let horizon = if cfg!(debug_assertions) { 10 } else { 500 };
        let args = format!("descend s.toml --set ladder.horizon={horizon}");
        let Some(drawn) = seen(home.path(), true, &args) else {
            return;
        };
        for part in ["iterates", "path-steps/s", " left", " %"] {
            assert!(drawn.contains(part), "no {part} in {drawn}");
        }
        // Cursor movements are no colours.
        let colours = drawn.split("\u{1b}[").skip(1).filter(|rest| {
            let code: String = rest.chars().take_while(|c| !c.is_alphabetic()).collect();
            rest[code.len()..].starts_with('m') && !matches!(code.as_str(), "" | "0")
        });
        assert_eq!(colours.count(), 0, "{drawn}");
        let quiet = seen(home.path(), false, &format!("{args} --quiet")).unwrap();
        assert!(quiet.trim().is_empty(), "{quiet}");
    }
}
