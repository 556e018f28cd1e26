//! Every shipped scenario as a user runs it: exit code, verdict, the reason of each control, and the README's table.
//!
//! The seeds are fixed and the results do not depend on the machine, so these tests do not flicker. How far a verdict is
//! from tipping over is tested too: at 5.2 standard errors from the edge of its margin, a mean check fails by chance
//! with probability below 1e-6 (but for one fit in a thousand whose χ² misleads, and which is then called inconclusive).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use assert_cmd::Command;
use serde_json::Value;

/// How many standard errors lie between the end of a 98 % interval and its centre, and between a safe estimate and the
/// margin.
const HALF_INTERVAL: f64 = 2.326;
const SAFE: f64 = 5.2;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

struct Outcome {
    code: i32,
    verdict: Value,
}

fn verify(scenario: &str, set: &[&str]) -> Outcome {
    let home = tempfile::tempdir().unwrap();
    let out = home.path().join("run");
    let mut command = Command::new(env!("CARGO_BIN_EXE_singlim"));
    command
        .current_dir(root())
        .arg("verify")
        .arg(scenario)
        .arg("--out")
        .arg(&out);
    for setting in set {
        command.args(["--set", setting]);
    }
    let output = command.output().unwrap();
    let code = output.status.code().unwrap();
    assert!(
        code != 2,
        "{scenario}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let verdict = std::fs::read_to_string(out.join("verdict.json")).unwrap();
    Outcome {
        code,
        verdict: serde_json::from_str(&verdict).unwrap(),
    }
}

fn checks(verdict: &Value) -> &Vec<Value> {
    verdict["checks"].as_array().unwrap()
}

fn rejected(verdict: &Value) -> BTreeSet<String> {
    let bad = checks(verdict)
        .iter()
        .filter(|check| check["verdict"] == "rejected");
    bad.map(|check| check["name"].as_str().unwrap().to_owned())
        .collect()
}

fn exponent(verdict: &Value, name: &str) -> String {
    match checks(verdict).iter().find(|check| check["name"] == name) {
        None => "—".into(),
        Some(check) => format!(
            "{:.2} [{:.2}, {:.2}]",
            check["estimate"].as_f64().unwrap(),
            check["interval"]["lower"].as_f64().unwrap(),
            check["interval"]["upper"].as_f64().unwrap()
        ),
    }
}

fn readme_row(scenario: &str, verdict: &Value) -> String {
    format!(
        "| `{scenario}` | {} | {} | {} | {} |",
        verdict["regime"].as_str().unwrap(),
        exponent(verdict, "exponent of α"),
        exponent(verdict, "exponent of σ"),
        verdict["verdict"].as_str().unwrap(),
    )
}

fn assert_in_readme(row: &str) {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(
        readme.contains(row),
        "the README's table should have the row\n{row}"
    );
}

/// A pass with margins so far from the estimates' noise that chance would tip it over less than once in 10⁶ seeds.
fn passes(scenario: &str) {
    let outcome = verify(scenario, &[]);
    assert_eq!(
        outcome.code, 0,
        "{scenario}: {}",
        outcome.verdict["sentence"]
    );
    assert_eq!(outcome.verdict["verdict"], "pass");
    assert_in_readme(&readme_row(scenario, &outcome.verdict));
    for check in checks(&outcome.verdict)
        .iter()
        .filter(|check| check["name"].as_str().unwrap().starts_with("mean"))
    {
        let number = |value: &Value| value.as_f64().unwrap();
        let half =
            0.5 * (number(&check["interval"]["upper"]) - number(&check["interval"]["lower"]));
        let needed = half * (1.0 + SAFE / HALF_INTERVAL);
        assert!(
            number(&check["margin"]) >= needed,
            "{scenario}: margin below {needed:.4}: {check}"
        );
    }
}

/// A control is rejected, and by the checks that its fault is about.
fn is_rejected_by(scenario: &str, reasons: &[&str]) {
    let outcome = verify(scenario, &[]);
    assert_eq!(
        outcome.code, 1,
        "{scenario}: {}",
        outcome.verdict["sentence"]
    );
    let found = rejected(&outcome.verdict);
    for reason in reasons {
        assert!(
            found.contains(*reason),
            "{scenario} should be rejected by {reason}, not by {found:?}"
        );
    }
    assert_in_readme(&readme_row(scenario, &outcome.verdict));
}

macro_rules! scenarios {
    ($($test:ident: $file:literal;)+) => {
        const PASSING: &[&str] = &[$($file),+];
        $(#[test] fn $test() { passes($file) })+
    };
}

macro_rules! controls {
    ($($test:ident: $file:literal by $reasons:expr;)+) => {
        const CONTROLS: &[&str] = &[$($file),+];
        $(#[test] fn $test() { is_rejected_by($file, &$reasons) })+
    };
}

macro_rules! inconclusive {
    ($($test:ident: $file:literal by $reasons:expr;)+) => {
        const INCONCLUSIVE: &[&str] = &[$($file),+];
        $(#[test] fn $test() { is_inconclusive_by($file, &$reasons) })+
    };
}

scenarios! {
    row_1_anti_pgd_on_the_product_converges: "scenarios/product-anti-pgd.toml";
    row_2_label_noise_on_the_product_converges: "scenarios/product-label-noise.toml";
    a_grid_in_alpha_and_sigma_measures_both_exponents_of_anti_pgd: "scenarios/product-anti-pgd-grid.toml";
    a_grid_in_alpha_and_sigma_measures_both_exponents_of_label_noise: "scenarios/product-label-noise-grid.toml";
    row_3_sgld_on_the_product_converges: "scenarios/product-sgld.toml";
    row_4_minibatch_noise_stands_still_on_both_clocks: "scenarios/product-minibatch.toml";
    row_5_dropconnect_on_one_unit_is_degenerate: "scenarios/product-dropconnect.toml";
    row_5_dropout_on_one_unit_is_degenerate: "scenarios/product-dropout.toml";
    row_6_dropconnect_on_two_units_converges: "scenarios/two-products-dropconnect.toml";
    row_7_dropout_on_two_units_converges: "scenarios/two-products-dropout.toml";
    row_8_gaussian_dropconnect_on_the_circle_converges: "scenarios/circle-dropconnect.toml";
    row_9_bernoulli_dropconnect_on_the_circle_converges: "scenarios/circle-bernoulli-dropconnect.toml";
    row_10_sgld_on_the_sphere_converges: "scenarios/sphere-sgld.toml";
    row_11_sgld_in_the_valley_converges: "scenarios/valley-sgld.toml";
    row_11_sgld_in_the_valley_converges_path_by_path: "scenarios/valley-sgld-coupled.toml";
    row_12_anti_pgd_in_the_widening_valley_converges: "scenarios/widening-valley-anti-pgd.toml";
    row_13_sgld_in_the_widening_valley_converges: "scenarios/widening-valley-sgld.toml";
    label_noise_at_large_steps_follows_the_corrected_limit: "scenarios/label-noise-corrected.toml";
    a_decaying_schedule_freezes_label_noise: "scenarios/label-noise-freezing.toml";
    label_noise_recovers_a_sparse_truth: "scenarios/sparse-recovery-label-noise.toml";
    minibatches_recover_nothing: "scenarios/sparse-recovery-minibatch.toml";
    plain_gradient_descent_recovers_nothing: "scenarios/sparse-recovery-gradient-descent.toml";
    dropout_on_a_diagonal_network_converges: "scenarios/sparse-recovery-dropout.toml";
    dropout_on_two_layers_takes_1_over_alpha_sigma_squared_steps: "scenarios/two-layer-dropout.toml";
    dropout_with_a_mask_for_each_sample_follows_the_same_flow: "scenarios/two-layer-dropout-per-sample.toml";
    label_noise_on_two_layers_takes_1_over_alpha_squared_sigma_squared_steps: "scenarios/two-layer-label-noise.toml";
    minibatches_on_two_layers_stand_still: "scenarios/two-layer-minibatch.toml";
    label_noise_on_minibatches_is_faster_by_n_over_b: "scenarios/two-layer-label-minibatch.toml";
    dropout_keeps_selecting_under_a_decaying_step_size: "scenarios/two-layer-dropout-freezing.toml";
    label_noise_on_two_layers_freezes_under_a_decaying_step_size: "scenarios/two-layer-label-noise-freezing.toml";
    anti_pgd_in_the_widening_valley_of_20_dimensions_converges: "scenarios/widening-valley-20-anti-pgd.toml";
    sgld_in_the_widening_valley_of_20_dimensions_converges: "scenarios/widening-valley-20-sgld.toml";
    label_noise_senses_a_matrix_of_low_rank: "scenarios/matrix-sensing-label-noise.toml";
    bernoulli_dropconnect_on_a_perceptron_is_non_local: "scenarios/perceptron-bernoulli-dropconnect.toml";
    penguins_over_a_medium_horizon_follow_the_limit: "scenarios/penguins-medium.toml";
    penguins_over_a_long_horizon_follow_the_limit: "scenarios/penguins-long.toml";
}

inconclusive! {
    penguins_over_a_short_horizon_show_nothing: "scenarios/penguins-short.toml" by ["fast phase", "separation"];
}

controls! {
    lyapunov_in_place_of_stein_is_rejected: "scenarios/controls/lyapunov-for-stein.toml" by ["mean at finite α"];
    a_drift_that_is_too_fast_is_rejected: "scenarios/controls/drift-too-fast.toml" by ["mean"];
    a_missing_ito_correction_is_rejected: "scenarios/controls/without-ito-correction.toml" by ["mean"];
    the_wrong_clock_is_rejected: "scenarios/controls/wrong-clock.toml" by ["mean", "time scale", "collapse"];
    the_local_regularizer_for_masks_is_rejected: "scenarios/controls/local-regularizer.toml" by ["mean"];
    the_wrong_regime_is_rejected: "scenarios/controls/wrong-regime.toml" by ["regime", "exponent of α"];
    a_drift_too_fast_in_sparse_recovery_is_rejected: "scenarios/controls/sparse-recovery-drift.toml" by ["mean"];
    the_wrong_regime_of_two_layers_is_rejected: "scenarios/controls/two-layer-wrong-regime.toml" by ["regime"];
    minibatches_left_out_of_the_limit_are_noticed: "scenarios/controls/two-layer-minibatch-ignored.toml" by ["mean"];
    a_freeze_that_does_not_come_is_rejected: "scenarios/controls/two-layer-freezing-expected.toml" by ["freezing"];
    anti_pgd_taken_for_plain_noise_is_rejected: "scenarios/controls/widening-valley-20-growing.toml" by ["mean"];
    the_local_regularizer_of_a_perceptron_is_rejected: "scenarios/controls/perceptron-local-regularizer.toml" by ["mean"];
    a_drift_too_fast_in_matrix_sensing_is_rejected: "scenarios/controls/matrix-sensing-drift.toml" by ["mean"];
    a_drift_too_fast_for_penguins_is_rejected: "scenarios/controls/penguins-drift.toml" by ["mean"];
}

/// A study that says itself that it can't tell, and why.
fn is_inconclusive_by(scenario: &str, reasons: &[&str]) {
    let outcome = verify(scenario, &[]);
    assert_eq!(
        outcome.code, 3,
        "{scenario}: {}",
        outcome.verdict["sentence"]
    );
    for reason in reasons {
        let found = |check: &&Value| check["name"] == *reason && check["verdict"] == "inconclusive";
        assert!(
            checks(&outcome.verdict).iter().any(|check| found(&check)),
            "{scenario} should be inconclusive by {reason}"
        );
    }
    assert_in_readme(&readme_row(scenario, &outcome.verdict));
}

fn toml_files(folder: &str) -> BTreeSet<String> {
    let entries = std::fs::read_dir(root().join(folder)).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let toml = paths.filter(|path| path.extension() == Some("toml".as_ref()));
    toml.map(|path| {
        format!(
            "{folder}/{}",
            Path::new(path.file_name().unwrap()).display()
        )
    })
    .collect()
}

#[test]
fn the_transcript_in_the_readme_is_what_the_program_prints() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_singlim"));
    command
        .current_dir(root())
        .args(["verify", "scenarios/product-label-noise.toml", "--out"]);
    let output = command.arg(home.path().join("run")).output().unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    // The last line tells the speed of the machine and the folder.
    let lines: Vec<_> = printed.trim_end().lines().collect();
    for line in &lines[..lines.len() - 1] {
        assert!(
            readme.contains(line.trim_end()),
            "the README lacks the line\n{line}"
        );
    }
}

#[test]
fn no_scenario_is_left_out() {
    let listed = |names: &[&str]| {
        names
            .iter()
            .map(|name| (*name).to_owned())
            .collect::<BTreeSet<_>>()
    };
    let verified = [PASSING, INCONCLUSIVE].concat();
    assert_eq!(toml_files("scenarios"), listed(&verified));
    assert_eq!(toml_files("scenarios/controls"), listed(CONTROLS));
}

/// Where the ellipse of (a, b) lies around one time scale, the other one is excluded, also when it is claimed.
#[test]
fn the_two_time_scales_are_told_apart_jointly() {
    for (scenario, rival) in [
        (
            "scenarios/product-anti-pgd-grid.toml",
            "expect.exponents=[2.0, 2.0]",
        ),
        (
            "scenarios/product-label-noise-grid.toml",
            "expect.exponents=[1.0, 2.0]",
        ),
    ] {
        let outcome = verify(scenario, &[rival, "ladder.paths=200"]);
        let found = rejected(&outcome.verdict);
        assert!(found.contains("time scale (a, b)"), "{scenario}: {found:?}");
        assert!(!found.contains("collapse"), "{scenario}: {found:?}");
    }
}

/// Faults that no control file plants, and smaller ones than the controls': the main scenario notices them all.
#[test]
fn smaller_faults_are_noticed_too() {
    for set in [
        &["limit.drift_scale=1.05"][..],
        &["limit.drift_scale=0.95"],
        &["limit.drift_scale=-1"],
        &["expect.regime=trivial"],
        &["expect.exponents=[1.0, 2.0]"],
        &["limit.ito_correction=false"],
    ] {
        let outcome = verify(
            "scenarios/product-label-noise.toml",
            &[set, &["ladder.paths=1000"]].concat(),
        );
        assert_eq!(outcome.code, 1, "{set:?}: {}", outcome.verdict["sentence"]);
    }
    let diffusion = &["limit.diffusion_scale=1.2", "ladder.paths=8000"];
    let outcome = verify("scenarios/product-sgld.toml", diffusion);
    assert_eq!(outcome.code, 1, "{}", outcome.verdict["sentence"]);
}

/// A limit that is driven the wrong way has the right law: only coupled paths tell.
#[test]
fn a_limit_driven_the_wrong_way_is_rejected_path_by_path_alone() {
    let set = ["limit.diffusion_scale=-1.0"];
    let outcome = verify("scenarios/valley-sgld-coupled.toml", &set);
    assert_eq!(outcome.code, 1, "{}", outcome.verdict["sentence"]);
    assert!(
        rejected(&outcome.verdict)
            .iter()
            .all(|name| name.starts_with("strong"))
    );
}

#[test]
fn a_study_with_too_few_paths_is_inconclusive_and_not_a_pass() {
    let set = [
        "ladder.paths=8",
        "ladder.step_sizes=[0.3, 0.21, 0.15, 0.1]",
        "margins.mean=0.001",
    ];
    let outcome = verify("scenarios/product-label-noise.toml", &set);
    assert_eq!(outcome.code, 3, "{}", outcome.verdict["sentence"]);
}

/// What `singlim new` writes is ready to run, and no theory that it states is rejected.
#[test]
fn every_template_runs_and_is_not_rejected() {
    let home = tempfile::tempdir().unwrap();
    let mut ran = 0;
    for model in [
        "product",
        "two-products",
        "circle",
        "sphere",
        "valley",
        "widening-valley",
        "diagonal-network",
        "deep-linear",
        "matrix-sensing",
        "perceptron",
    ] {
        for noise in [
            "minibatch",
            "label",
            "dropconnect",
            "dropout",
            "anti-pgd",
            "sgld",
        ] {
            let file = home.path().join(format!("{model}-{noise}.toml"));
            let mut new = Command::new(env!("CARGO_BIN_EXE_singlim"));
            if new
                .args(["new", model, noise, "--out"])
                .arg(&file)
                .output()
                .unwrap()
                .status
                .success()
            {
                let set = ["ladder.paths=32", "margins.mean=0.1"];
                let outcome = verify(file.to_str().unwrap(), &set);
                assert_ne!(
                    outcome.code, 1,
                    "{model} {noise}: {}",
                    outcome.verdict["sentence"]
                );
                ran += 1;
            }
        }
    }
    assert_eq!(ran, 55);
}

/// A check that the time scales are separate must not shield a wrong limit, however wrong it is.
#[test]
fn faults_on_a_network_are_noticed_however_large() {
    for fault in [
        "limit.clock=fast",
        "limit.drift_scale=1.3",
        "limit.drift_scale=5",
        "limit.drift_scale=20",
    ] {
        let set = ["ladder.paths=64", fault];
        let outcome = verify("scenarios/two-layer-label-noise.toml", &set);
        assert_eq!(outcome.code, 1, "{fault}: {}", outcome.verdict["sentence"]);
    }
}

/// Iterates that are still on their way to Γ differ from the limit, and that is no evidence against it.
#[test]
fn a_fast_phase_that_is_not_over_rejects_nothing() {
    let set = [
        "ladder.horizon=1.0",
        "ladder.records=5",
        "ladder.step_sizes=[0.06, 0.03, 0.015, 0.0075]",
        "ladder.paths=[128, 96, 64, 32]",
        "margins.mean=0.03",
    ];
    let outcome = verify("scenarios/penguins-medium.toml", &set);
    assert_eq!(outcome.code, 3, "{}", outcome.verdict["sentence"]);
}

/// Two noises at once, each in a socket of its own.
#[test]
fn several_noises_at_once_converge_to_their_joint_limit() {
    let home = tempfile::tempdir().unwrap();
    let text = std::fs::read_to_string(root().join("scenarios/product-anti-pgd.toml")).unwrap();
    let second = "[[noise]]\nkind = \"dropout\"\nlaw = \"rademacher\"\nscale = 0.7\n\n[ladder]";
    let file = home.path().join("two.toml");
    std::fs::write(&file, text.replace("[ladder]", second)).unwrap();
    let outcome = verify(file.to_str().unwrap(), &[]);
    assert_eq!(outcome.code, 0, "{}", outcome.verdict["sentence"]);
    let faulty = verify(file.to_str().unwrap(), &["limit.drift_scale=1.05"]);
    assert_eq!(faulty.code, 1, "{}", faulty.verdict["sentence"]);
}
