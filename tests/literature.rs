//! The ten formulas of the book, as a user runs them: nine get their pass in full, one is held against fewer paths.
//!
//! Margins are so far from the estimates' noise that chance would tip a mean over less than once in 10⁶ seeds.

use std::collections::BTreeSet;
use std::path::PathBuf;

use assert_cmd::Command;
use serde_json::Value;

/// Standard errors in half of a 98 % interval, and between a safe estimate and the margin.
const HALF_INTERVAL: f64 = 2.326;
const SAFE: f64 = 5.2;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scenarios/formulas")
}

fn verify(name: &str, set: &[&str]) -> (Option<i32>, Value) {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("run");
    let mut command = Command::new(env!("CARGO_BIN_EXE_singlim"));
    command
        .arg("verify")
        .arg(folder().join(format!("{name}.toml")))
        .arg("--out")
        .arg(&out);
    for setting in set {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    let text = std::fs::read_to_string(out.join("verdict.json"))
        .unwrap_or_else(|_| panic!("{name}: {}", String::from_utf8_lossy(&output.stderr)));
    let page = std::fs::read_to_string(out.join("report.html")).unwrap();
    assert!(page.contains("<td>loss</td><td>L̂ = "), "{name}");
    (output.status.code(), serde_json::from_str(&text).unwrap())
}

fn passes(name: &str) {
    let (code, verdict) = verify(name, &[]);
    assert_eq!(code, Some(0), "{name}: {}", verdict["sentence"]);
    for check in verdict["checks"].as_array().unwrap() {
        if !check["name"].as_str().unwrap().starts_with("mean") {
            continue;
        }
        let number = |value: &Value| value.as_f64().unwrap();
        let interval = &check["interval"];
        let half = 0.5 * (number(&interval["upper"]) - number(&interval["lower"]));
        let needed = half * (1.0 + SAFE / HALF_INTERVAL);
        assert!(
            number(&check["margin"]) >= needed,
            "{name}: margin below {needed:.4}: {check}"
        );
    }
}

macro_rules! literature {
    ($($test:ident: $name:literal;)+) => {
        const PASSING: &[&str] = &[$($name),+];
        $(
            #[test]
            #[cfg_attr(debug_assertions, ignore = "takes minutes unless optimised")]
            fn $test() { passes($name) }
        )+
    };
}

literature! {
    label_noise_on_one_product: "label-noise";
    dropout_on_two_paths: "two-path-dropout";
    masks_on_a_circle: "circle-masks";
    anti_correlated_noise_in_a_widening_valley: "widening-valley";
    sparse_regression_with_a_diagonal_network: "sparse-regression";
    phase_retrieval_with_dropconnect: "phase-retrieval";
    a_neuron_with_label_noise: "neuron";
    completion_of_a_matrix: "matrix-completion";
    weight_noise_on_a_loss_that_does_not_see_the_scale: "scale-invariant";
}

/// The built-in twin of this one passes in full among the scenarios; here few paths say nothing against it.
#[test]
#[cfg_attr(debug_assertions, ignore = "takes minutes unless optimised")]
fn langevin_noise_in_a_valley() {
    let (code, verdict) = verify("valley-langevin", &["ladder.paths=4000"]);
    assert_ne!(code, Some(1), "{}", verdict["sentence"]);
    let exponent = |check: &&Value| check["name"] == "exponent of α" && check["verdict"] == "pass";
    assert!(
        verdict["checks"]
            .as_array()
            .unwrap()
            .iter()
            .any(|check| exponent(&check))
    );
}

/// Every one of them is run here, and shown in the book.
#[test]
fn no_formula_is_left_out() {
    let entries = std::fs::read_dir(folder()).unwrap();
    let files: BTreeSet<_> = entries
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension() == Some("toml".as_ref()))
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    let run = PASSING.iter().copied().chain(["valley-langevin"]);
    assert_eq!(files, run.map(str::to_owned).collect());
    let book = folder().join("../../docs/src/formulas.md");
    let book = std::fs::read_to_string(book).unwrap();
    for name in files {
        assert!(
            book.contains(&format!("`scenarios/formulas/{name}.toml`")),
            "the book lacks {name}"
        );
    }
}
