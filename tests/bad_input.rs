//! Every kind of mistake in a scenario or on the command line: exit code 2 at once, a message that names place and
//! remedy, and nothing written or lost.

use std::fs;
use std::path::Path;
use std::time::Duration;

use assert_cmd::{Command, cargo::cargo_bin_cmd};
use tempfile::{TempDir, tempdir};

/// A scenario without a mistake; the cases below put one in. Its lines are counted from 1 in the messages.
const GOOD: &str = r#"title = "good"
seed = 1
observables = ["imbalance", "u"]
[model]
kind = "product"
start = { u = 2.0, v = 0.5 }
[[noise]]
kind = "label"
law = "gaussian"
scale = 1.0
[ladder]
step_sizes = [0.16, 0.08, 0.04, 0.02]
sigma = 0.3
sigma_factors = [0.5, 0.7]
horizon = 0.05
records = 5
paths = 16
"#;

/// No refusal takes this long, even on a busy machine.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Words of the implementation that tell a user nothing.
const JARGON: [&str; 4] = ["panicked", "untagged", "Spec", "backtrace"];

fn singlim(home: &Path) -> Command {
    let mut command = cargo_bin_cmd!("singlim");
    command.current_dir(home).timeout(AT_ONCE);
    command
}

fn home_with(scenario: &str) -> TempDir {
    let home = tempdir().unwrap();
    fs::write(home.path().join("s.toml"), scenario).unwrap();
    home
}

/// All files below a folder, with their contents.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.display().to_string();
        if path.is_dir() {
            all.push((format!("{name}/"), Vec::new()));
            all.extend(contents(&path));
        } else {
            all.push((name, fs::read(&path).unwrap()));
        }
    }
    all.sort();
    all
}

/// Runs a command that must be refused; the message must hold all `parts`. Returns the message.
fn refused(case: &str, home: &Path, args: &[&str], parts: &[&str]) -> String {
    let before = contents(home);
    let output = singlim(home).args(args).output().unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert_eq!(
        output.status.code(),
        Some(2),
        "{case}: `{}` must exit with 2 at once (no code: it was killed): {message}",
        args.join(" ")
    );
    for part in parts {
        assert!(
            message.contains(part),
            "{case}: no {part:?} in the message:\n{message}"
        );
    }
    for jargon in JARGON {
        assert!(!message.contains(jargon), "{case}: {jargon:?} in {message}");
    }
    assert!(
        message.starts_with("error: "),
        "{case}: begins like an error: {message}"
    );
    assert!(
        output.stdout.is_empty(),
        "{case}: nothing but the error is printed"
    );
    assert_eq!(
        contents(home),
        before,
        "{case}: nothing is written and nothing lost"
    );
    message
}

/// A scenario with a mistake is refused by `verify` and in the same words by `check`.
fn refused_scenario(case: &str, from: &str, to: &str, parts: &[&str]) {
    assert!(GOOD.contains(from), "{case}: {from:?} is in the scenario");
    let home = home_with(&GOOD.replacen(from, to, 1));
    let said = refused(
        case,
        home.path(),
        &["verify", "s.toml", "--out", "out"],
        parts,
    );
    let checked = refused(case, home.path(), &["check", "s.toml"], parts);
    assert_eq!(said, checked, "{case}: verify and check agree");
}

#[test]
fn the_scenario_without_a_mistake_is_valid() {
    let home = home_with(GOOD);
    singlim(home.path())
        .args(["check", "s.toml"])
        .assert()
        .success();
}

/// One test for each mistake: what is replaced by what, and the parts of the message.
macro_rules! mistakes_in_the_scenario {
    ($($name:ident: $from:expr => $to:expr, $parts:expr;)*) => {
        mod scenario {
            $(#[test]
            fn $name() {
                super::refused_scenario(stringify!($name), $from, $to, &$parts);
            })*
        }
    };
}

mistakes_in_the_scenario! {
    // Not TOML.
    malformed_value: "sigma = 0.3" => "sigma = 0.3 0.4", ["s.toml:13:"];
    malformed_header: "[model]" => "[model", ["s.toml:4:"];
    unclosed_list: "0.04, 0.02]" => "0.04, 0.02", ["s.toml:13:1", "missing comma between array elements"];
    unclosed_string: "\"label\"" => "\"label", ["s.toml:8:"];
    file_cut_short: "paths = 16\n" => "paths", ["s.toml:17:"];
    key_twice: "paths = 16" => "paths = 16\npaths = 17", ["s.toml:18:1", "duplicate key"];
    section_twice: "paths = 16" => "paths = 16\n[ladder]", ["s.toml:18:", "duplicate key"];

    // Keys.
    unknown_key: "sigma = 0.3" => "sigmma = 0.3", ["s.toml:13:1", "unknown key `sigmma`", "did you mean `sigma`?"];
    unknown_section: "[ladder]" => "[lader]", ["s.toml:11:", "unknown key `lader`", "did you mean `ladder`?"];
    unknown_key_far_from_all: "seed = 1" => "zzz = 1", ["s.toml:2:1", "unknown key `zzz`", "valid here: title, seed"];
    missing_key: "sigma = 0.3\n" => "", ["s.toml:11:", "`sigma`"];
    missing_section: "[model]\nkind = \"product\"\nstart = { u = 2.0, v = 0.5 }" => "", ["s.toml", "`model`"];
    single_noise_section: "[[noise]]" => "[noise]", ["s.toml:7:", "[[noise]]"];

    // Types.
    text_for_a_number: "sigma = 0.3" => "sigma = \"0.3\"", ["s.toml:13:9", "string \"0.3\""];
    number_for_a_list: "[0.16, 0.08, 0.04, 0.02]" => "0.16", ["s.toml:12:14"];
    text_for_observables: "[\"imbalance\", \"u\"]" => "\"u\"", ["s.toml:3:15"];
    negative_seed: "seed = 1" => "seed = -1", ["s.toml:2:8", "-1"];
    fractional_seed: "seed = 1" => "seed = 1.5", ["s.toml:2:8", "1.5"];
    negative_paths: "paths = 16" => "paths = -1", ["s.toml:17:9", "paths"];
    fractional_paths: "paths = 16" => "paths = 8.5", ["s.toml:17:9", "paths"];
    negative_records: "records = 5" => "records = -3", ["s.toml:16:11", "records"];
    number_for_a_section: "[ladder]" => "[limit]\nmasks = 3\n[ladder]", ["s.toml:12:9"];

    // Numbers that are not finite, not positive, or too large to compute with.
    sigma_nan: "sigma = 0.3" => "sigma = nan", ["s.toml:13:9", "ladder.sigma must be a positive number", "NaN"];
    sigma_infinite: "sigma = 0.3" => "sigma = inf", ["s.toml:13:9", "ladder.sigma must be a positive number", "inf"];
    sigma_zero: "sigma = 0.3" => "sigma = 0.0", ["s.toml:13:9", "ladder.sigma must be a positive number, not 0"];
    sigma_negative: "sigma = 0.3" => "sigma = -0.3", ["s.toml:13:9", "ladder.sigma must be a positive number, not -0.3"];
    sigma_so_small_that_iterations_overflow: "sigma = 0.3" => "sigma = 1e-9", ["s.toml", "iterations"];
    sigma_so_large_that_its_square_overflows: "sigma = 0.3" => "sigma = 1e200", ["s.toml:13:9", "sigma"];
    horizon_nan: "horizon = 0.05" => "horizon = nan", ["s.toml:15:11", "ladder.horizon must be a positive number"];
    horizon_infinite: "horizon = 0.05" => "horizon = inf", ["s.toml:15:11", "ladder.horizon must be a positive number"];
    horizon_zero: "horizon = 0.05" => "horizon = 0.0", ["s.toml:15:11", "ladder.horizon must be a positive number"];
    horizon_so_long_that_iterations_overflow: "horizon = 0.05" => "horizon = 1e300", ["s.toml", "iterations"];
    horizon_so_long_that_a_decaying_schedule_can_not_be_summed:
        "horizon = 0.05\nrecords = 5\npaths = 16\n" => "horizon = 1e12\nrecords = 5\npaths = 16\n[schedule]\nkind = \"cosine\"\n", ["s.toml", "iterations"];
    sigma_exponent_negative: "sigma = 0.3" => "sigma = 0.3\nsigma_exponent = -1.0", ["s.toml:14:", "ladder.sigma_exponent must be at least 0, not -1"];
    sigma_exponent_nan: "sigma = 0.3" => "sigma = 0.3\nsigma_exponent = nan", ["s.toml:14:", "ladder.sigma_exponent"];
    sigma_exponent_that_makes_sigma_vanish: "sigma = 0.3" => "sigma = 0.3\nsigma_exponent = 400.0", ["s.toml", "sigma_exponent"];
    sigma_factor_one: "[0.5, 0.7]" => "[1.0]", ["s.toml:14:", "ladder.sigma_factors must be positive and differ from 1, not 1"];
    sigma_factor_nan: "[0.5, 0.7]" => "[nan]", ["s.toml:14:", "ladder.sigma_factors"];
    sigma_factor_out_of_range: "[0.5, 0.7]" => "[1e-9]", ["s.toml:14:18", "sigma_factors must lie between"];
    sigma_factor_twice: "[0.5, 0.7]" => "[0.5, 0.5]", ["s.toml:14:", "sigma_factors"];
    sigma_step_size_off_the_ladder: "sigma = 0.3" => "sigma = 0.3\nsigma_step_size = 0.07", ["s.toml:14:19", "ladder.sigma_step_size 0.07 is not one of ladder.step_sizes"];
    sigma_grid_without_factors: "sigma_factors = [0.5, 0.7]" => "sigma_grid = true", ["s.toml:14:", "ladder.sigma_grid needs ladder.sigma_factors", "add sigma_factors"];
    sigma_grid_at_one_step_size: "sigma = 0.3" => "sigma = 0.3\nsigma_grid = true\nsigma_step_size = 0.04", ["s.toml:14:14", "ladder.sigma_grid varies σ at every step size", "remove one"];
    sigma_grid_not_a_boolean: "sigma = 0.3" => "sigma = 0.3\nsigma_grid = 2", ["s.toml:14:14", "sigma_grid"];
    noise_scale_zero: "scale = 1.0" => "scale = 0.0", ["s.toml:10:9", "noise.scale must be a positive number"];
    noise_scale_infinite: "scale = 1.0" => "scale = inf", ["s.toml:10:9", "noise.scale must be a positive number"];
    noise_scale_whose_square_overflows: "scale = 1.0" => "scale = 1e200", ["s.toml:10:9", "scale"];

    // Step sizes.
    step_size_negative: "0.04, 0.02]" => "0.04, -0.02]", ["s.toml:12:14", "step sizes must be positive numbers, not -0.02"];
    step_size_zero: "0.04, 0.02]" => "0.04, 0.0]", ["s.toml:12:14", "step sizes must be positive numbers, not 0"];
    step_size_nan: "0.04, 0.02]" => "0.04, nan]", ["s.toml:12:14", "step sizes must be positive numbers, not NaN"];
    step_sizes_too_few: "[0.16, 0.08, 0.04, 0.02]" => "[0.16, 0.08, 0.04]", ["s.toml:12:14", "3 step sizes are too few", "at least four"];
    step_sizes_not_geometric: "0.04, 0.02]" => "0.04, 0.03]", ["s.toml:12:14", "not geometric: 0.04 / 0.03", "fixed factor"];
    step_size_twice: "0.08, 0.04" => "0.08, 0.08", ["s.toml:12:14", "0.08 stands twice"];
    step_size_unstable: "[0.16, 0.08, 0.04, 0.02]" => "[0.8, 0.4, 0.2, 0.1]", ["s.toml:12:", "step size 0.8 is unstable: α·λ_max = 3.400 ≥ 2", "largest stable step size there is 0.4706"];

    // Coupled paths.
    coupling_without_a_brownian_part: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"label\"\n[coupling]\n[ladder]", ["s.toml:9:", "only sgld noise", "kind = \"sgld\""];
    coupling_of_too_few_paths: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"gaussian\"\nscale = 1.0\n[coupling]\npaths = 7\n[ladder]", ["s.toml:12:9", "coupling.paths must be at least 8"];
    coupling_without_margin: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"gaussian\"\nscale = 1.0\n[coupling]\nmargin = 0.0\n[ladder]", ["s.toml:12:10", "coupling.margin must be a positive number"];
    coupling_of_a_law_whose_sums_differ: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"uniform\"\nscale = 1.0\n[coupling]\npaths = 16\n[ladder]", ["s.toml:9:7", "uniform", "set law = \"gaussian\""];
    coupling_of_minibatches: "observables = [\"imbalance\", \"u\"]\n[model]\nkind = \"product\"\nstart = { u = 2.0, v = 0.5 }\n[[noise]]\nkind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "observables = [\"norm\"]\n[model]\nkind = \"diagonal-network\"\ndimension = 4\nstart = { u = 0.7, v = 0.5 }\n[data]\nsamples = 2\ntruth = \"dense\"\n[[noise]]\nkind = \"sgld\"\n[[noise]]\nkind = \"minibatch\"\nbatch_size = 1\n[coupling]\n[ladder]", ["s.toml:15:14", "minibatches", "remove batch_size"];
    coupling_with_a_schedule: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"gaussian\"\nscale = 1.0\n[coupling]\npaths = 16\n[schedule]\nkind = \"cosine\"\n[ladder]", ["s.toml:14:8", "constant", "remove [schedule]"];
    coupling_with_the_corrected_limit: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"gaussian\"\nscale = 1.0\n[coupling]\npaths = 16\n[limit]\ncorrected = true\n[ladder]", ["s.toml:14:13", "plain limit", "remove limit.corrected"];
    coupling_with_the_wrong_clock: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"gaussian\"\nscale = 1.0\n[coupling]\npaths = 16\n[limit]\nclock = \"fast\"\n[ladder]", ["s.toml:14:9", "t = kα²σ²", "remove limit.clock"];
    coupling_with_a_time_step_below_the_finest_steps: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"gaussian\"\nscale = 1.0\n[coupling]\ntime_step = 1e-6\n[ladder]", ["s.toml:12:13", "coupling.time_step must lie between the slow time 3.600e-5"];
    coupling_with_a_time_step_beyond_the_horizon: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"gaussian\"\nscale = 1.0\n[coupling]\ntime_step = 0.05\n[ladder]", ["s.toml:12:13", "a fiftieth 1.000e-3 of the horizon"];
    coupling_unknown_key: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\nlaw = \"gaussian\"\nscale = 1.0\n[coupling]\npath = 16\n[ladder]", ["s.toml:12:1", "unknown key `path`", "did you mean `paths`?"];
    order_of_coupled_paths_without_coupling: "paths = 16\n" =>
        "paths = 16\n[expect]\nstrong_order = 0.5\n", ["s.toml:19:16", "no section [coupling]", "add [coupling]"];
    coupling_of_step_sizes_that_are_no_multiples: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]\nstep_sizes = [0.16, 0.08, 0.04, 0.02]\nsigma = 0.3" =>
        "kind = \"sgld\"\n[coupling]\n[ladder]\nstep_sizes = [0.16, 0.08, 0.04, 0.0201]\nsigma = 0.3", ["s.toml:11:14", "whole multiple of the next, but 0.04 / 0.0201 = 1.9900", "halve the step size"];
    coupling_with_sigma_tied_to_the_step_size: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]\nstep_sizes = [0.16, 0.08, 0.04, 0.02]\nsigma = 0.3" =>
        "kind = \"sgld\"\n[coupling]\n[ladder]\nstep_sizes = [0.16, 0.08, 0.04, 0.02]\nsigma = 0.3\nsigma_exponent = 0.5", ["s.toml:13:18", "σ must be the same on all rungs", "remove ladder.sigma_exponent"];
    coupling_in_a_regime_without_a_brownian_part: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n[ladder]" =>
        "kind = \"sgld\"\n[[noise]]\nkind = \"anti-pgd\"\n[coupling]\n[ladder]", ["s.toml:11:", "the non-degenerate limit here has none", "remove [coupling]"];

    // Records and paths.
    records_none: "records = 5" => "records = 0", ["s.toml:16:11", "at least one record"];
    records_empty: "records = 5" => "records = []", ["s.toml:16:11", "record times"];
    records_not_increasing: "records = 5" => "records = [0.01, 0.03, 0.02]", ["s.toml:16:11", "record times must increase"];
    records_beyond_the_horizon: "records = 5" => "records = [0.01, 0.06]", ["s.toml:16:11", "between 0 and the horizon 0.05"];
    records_at_zero: "records = 5" => "records = [0.0, 0.01]", ["s.toml:16:11", "between 0 and the horizon 0.05"];
    records_nan: "records = 5" => "records = [0.01, nan]", ["s.toml:16:11", "record times"];
    records_beyond_memory: "records = 5" => "records = 1000000000000000", ["s.toml:16:11", "records"];
    paths_too_few: "paths = 16" => "paths = 7", ["s.toml:17:9", "7 paths are too few", "at least 8"];
    paths_of_a_wrong_number_of_rungs: "paths = 16" => "paths = [8, 8, 8]", ["s.toml:17:9", "3 numbers of paths for 4 step sizes"];
    paths_beyond_memory: "paths = 16" => "paths = 1000000000000000000", ["s.toml:17:9", "paths"];

    // Observables.
    observables_none: "[\"imbalance\", \"u\"]" => "[]", ["s.toml", "no observables", "imbalance"];
    observable_unknown: "\"imbalance\"" => "\"imbalanse\"", ["s.toml:3:16", "unknown observable `imbalanse`", "did you mean `imbalance`?"];
    observable_twice: "\"imbalance\"" => "\"u\"", ["s.toml:3:21", "observable `u` is named twice"];

    // Model and start.
    model_unknown: "\"product\"" => "\"prodct\"", ["s.toml:5:8", "unknown model `prodct`", "did you mean `product`?"];
    model_option_of_another_model: "kind = \"product\"" => "kind = \"product\"\ndimension = 3", ["s.toml:6:13", "model `product` has no option `dimension`"];
    dimension_too_small: "kind = \"product\"" => "kind = \"sphere\"\ndimension = 1", ["s.toml:6:13", "between 2 and 1000, not 1"];
    dimension_too_large: "kind = \"product\"" => "kind = \"sphere\"\ndimension = 100000", ["s.toml:6:13", "between 2 and 1000, not 100000"];
    profile_unknown: "kind = \"product\"" => "kind = \"valley\"\nprofile = \"exp-sin\"", ["s.toml:6:11", "unknown profile `exp-sin`", "did you mean `exp-sine`?"];
    strength_infinite: "kind = \"product\"" => "kind = \"valley\"\nstrength = inf", ["s.toml:6:12", "strength must be finite"];
    strength_negative: "kind = \"product\"" => "kind = \"valley\"\nprofile = \"quadratic\"\nstrength = -1.0", ["s.toml:7:12", "at least 0"];
    start_of_a_wrong_dimension: "{ u = 2.0, v = 0.5 }" => "[2.0, 0.5, 1.0]", ["s.toml:6:9", "3 numbers", "2 parameters: u, v"];
    start_with_a_parameter_missing: "{ u = 2.0, v = 0.5 }" => "{ u = 2.0 }", ["s.toml:6:9", "`v`"];
    start_with_a_stranger: "v = 0.5" => "w = 0.5", ["s.toml:6:9", "no parameter `w`", "u, v"];
    start_nan: "v = 0.5" => "v = nan", ["s.toml:6:9", "start of `v` is NaN"];
    start_infinite: "{ u = 2.0, v = 0.5 }" => "[inf, 0.5]", ["s.toml:6:9", "start of `u` is inf"];
    start_of_a_wrong_type: "{ u = 2.0, v = 0.5 }" => "\"here\"", ["s.toml:6:9", "start"];
    start_at_a_saddle: "{ u = 2.0, v = 0.5 }" => "[0.0, 0.0]", ["s.toml:6:", "does not reach zero", "change the start"];
    start_that_flows_into_a_saddle: "{ u = 2.0, v = 0.5 }" => "[1.0, -1.0]", ["s.toml:6:", "does not reach zero", "change the start"];
    start_too_large_to_compute_with: "{ u = 2.0, v = 0.5 }" => "[1e200, 1e200]", ["s.toml:6:", "not finite", "start"];
    start_from_which_the_largest_step_explodes: "{ u = 2.0, v = 0.5 }" => "[20.0, 20.0]", ["s.toml", "step size"];

    start_random_of_zero: "{ u = 2.0, v = 0.5 }" => "{ random = 0.0 }", ["s.toml:6:9", "positive number, not 0", "N(0, s²/fan-in)"];
    start_random_with_a_mistyped_seed: "{ u = 2.0, v = 0.5 }" => "{ random = 1.0, sed = 2 }", ["s.toml:6:9", "{ random = s, seed = n }"];
    start_random_with_a_fractional_seed: "{ u = 2.0, v = 0.5 }" => "{ random = 1.0, seed = 2.5 }", ["s.toml:6:9", "whole n"];
    start_random_of_a_wrong_type: "{ u = 2.0, v = 0.5 }" => "{ random = \"big\" }", ["s.toml:6:9", "{ random = number, seed = number }"];
    start_constant_infinite: "{ u = 2.0, v = 0.5 }" => "{ constant = inf }", ["s.toml:6:9", "start of `u` is inf"];
    start_constant_and_more: "{ u = 2.0, v = 0.5 }" => "{ constant = 1.0, u = 2.0 }", ["s.toml:6:9", "{ constant = c }"];
    start_by_a_group_that_is_not_there: "{ u = 2.0, v = 0.5 }" => "{ u = 2.0, v = 0.5, z = 1.0 }", ["s.toml:6:9", "no parameter `z`", "u, v"];

    // Data: the section as typed.
    data_key_unknown: "[ladder]" => "[data]\nsampels = 3\n[ladder]", ["s.toml:12:1", "unknown key `sampels`", "did you mean `samples`?"];
    data_truth_unknown: "[ladder]" => "[data]\nsamples = 3\ntruth = \"spars\"\n[ladder]", ["s.toml:13:9", "unknown value `spars`", "did you mean `sparse`?"];
    data_design_unknown: "[ladder]" => "[data]\nsamples = 3\ndesign = \"entry\"\n[ladder]", ["s.toml:13:10", "unknown value `entry`", "gaussian, entries"];
    data_samples_negative: "[ladder]" => "[data]\nsamples = -3\n[ladder]", ["s.toml:12:11", "-3"];
    data_seed_fractional: "[ladder]" => "[data]\nseed = 1.5\n[ladder]", ["s.toml:12:8", "1.5"];
    data_features_not_a_list: "[ladder]" => "[data]\nfeatures = \"a\"\n[ladder]", ["s.toml:12:12"];
    data_twice: "[ladder]" => "[[data]]\nsamples = 3\n[[data]]\n[ladder]", ["s.toml:11:", "[data]"];

    // Noise.
    noise_none: "[[noise]]\nkind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n" => "", ["s.toml", "there is no noise", "[[noise]]"];
    noise_unknown: "\"label\"" => "\"labels\"", ["s.toml:8:8", "unknown value `labels`", "did you mean `label`?"];
    law_unknown: "\"gaussian\"" => "\"gauss\"", ["s.toml:9:7", "unknown value `gauss`", "did you mean `gaussian`?"];
    noise_without_a_socket: "kind = \"product\"\nstart = { u = 2.0, v = 0.5 }\n[[noise]]\nkind = \"label\"" => "kind = \"circle\"\nstart = [1.0, 0.0]\n[[noise]]\nkind = \"dropout\"",
        ["s.toml:8:8", "no hidden units for 'dropout' noise", "it takes: minibatch, label, dropconnect"];
    mask_on_added_noise: "\"gaussian\"" => "\"bernoulli\"", ["s.toml:8:8", "'label' noise is added, not multiplied", "use gaussian"];
    socket_twice: "[ladder]" => "[[noise]]\nkind = \"label\"\n[ladder]", ["s.toml:12:8", "two noises enter by the labels", "`scale`"];

    // Schedule.
    schedule_unknown: "[ladder]" => "[schedule]\nkind = \"cosin\"\n[ladder]", ["s.toml:12:8", "unknown value `cosin`", "did you mean `cosine`?"];
    schedule_option_of_another_kind: "[ladder]" => "[schedule]\nkind = \"cosine\"\ngamma = 0.5\n[ladder]", ["s.toml:13:9", "`gamma` belongs to the polynomial schedule", "schedule.kind = \"polynomial\""];
    schedule_without_gamma: "[ladder]" => "[schedule]\nkind = \"polynomial\"\n[ladder]", ["s.toml", "needs schedule.gamma"];
    schedule_without_decay: "[ladder]" => "[schedule]\nkind = \"polynomial\"\ngamma = 0.5\n[ladder]", ["s.toml", "schedule.decay_time", "schedule.decay_steps"];
    schedule_with_two_decays: "[ladder]" => "[schedule]\nkind = \"polynomial\"\ngamma = 0.5\ndecay_time = 1.0\ndecay_steps = 9.0\n[ladder]", ["s.toml", "one of schedule.decay_time and schedule.decay_steps"];
    gamma_negative: "[ladder]" => "[schedule]\nkind = \"polynomial\"\ngamma = -0.5\ndecay_time = 1.0\n[ladder]", ["s.toml:13:9", "schedule.gamma must be a positive number, not -0.5"];
    decay_time_infinite: "[ladder]" => "[schedule]\nkind = \"polynomial\"\ngamma = 0.5\ndecay_time = inf\n[ladder]", ["s.toml:14:14", "schedule.decay_time must be a positive number"];
    pieces_missing: "[ladder]" => "[schedule]\nkind = \"piecewise\"\n[ladder]", ["s.toml", "schedule.pieces"];
    pieces_not_from_zero: "[ladder]" => "[schedule]\nkind = \"piecewise\"\npieces = [[0.1, 1.0]]\n[ladder]", ["s.toml:13:10", "begin at 0", "example"];
    pieces_with_a_factor_of_zero: "[ladder]" => "[schedule]\nkind = \"piecewise\"\npieces = [[0.0, 1.0], [0.1, 0.0]]\n[ladder]", ["s.toml:13:10", "factors in (0, 1]"];
    pieces_from_nan: "[ladder]" => "[schedule]\nkind = \"piecewise\"\npieces = [[0.0, 1.0], [nan, 0.5]]\n[ladder]", ["s.toml:13:10", "increase in time"];
    pieces_of_three_numbers: "[ladder]" => "[schedule]\nkind = \"piecewise\"\npieces = [[0.0, 1.0, 0.5]]\n[ladder]", ["s.toml:13:", "pieces"];
    floor_of_one: "[ladder]" => "[schedule]\nkind = \"cosine\"\nfloor = 1.0\n[ladder]", ["s.toml:13:9", "schedule.floor must lie in [0, 1), not 1"];
    floor_nan: "[ladder]" => "[schedule]\nkind = \"cosine\"\nfloor = nan\n[ladder]", ["s.toml:13:9", "schedule.floor"];

    // Limit.
    integrator_unknown: "[ladder]" => "[limit]\nintegrator = \"rk4\"\n[ladder]", ["s.toml:12:14", "unknown value `rk4`", "runge-kutta, euler-maruyama"];
    tolerance_zero: "[ladder]" => "[limit]\ntolerance = 0.0\n[ladder]", ["s.toml:12:13", "limit.tolerance must be a positive number"];
    tolerance_below_rounding: "[ladder]" => "[limit]\ntolerance = 1e-300\n[ladder]", ["s.toml:12:13", "limit.tolerance"];
    time_step_negative: "[ladder]" => "[limit]\ntime_step = -0.1\n[ladder]", ["s.toml:12:13", "limit.time_step must be a positive number"];
    time_step_beyond_patience: "[ladder]" => "[limit]\nintegrator = \"euler-maruyama\"\ntime_step = 1e-18\n[ladder]", ["s.toml:13:13", "limit.time_step"];
    time_step_longer_than_the_horizon: "[ladder]" => "[limit]\nintegrator = \"euler-maruyama\"\ntime_step = 100.0\n[ladder]", ["s.toml:13:13", "limit.time_step"];
    time_step_of_another_integrator: "[ladder]" => "[limit]\nintegrator = \"runge-kutta\"\ntime_step = 0.1\n[ladder]", ["s.toml:12:14", "limit.time_step", "limit.tolerance"];
    limit_paths_too_few: "[ladder]" => "[limit]\npaths = 7\n[ladder]", ["s.toml:12:9", "limit.paths must be at least 8"];
    limit_paths_beyond_memory: "[ladder]" => "[limit]\nintegrator = \"euler-maruyama\"\npaths = 1000000000000000000\n[ladder]", ["s.toml:13:9", "paths"];
    limit_paths_of_another_integrator: "[ladder]" => "[limit]\nintegrator = \"runge-kutta\"\npaths = 100\n[ladder]", ["s.toml", "limit.paths"];
    runge_kutta_on_a_stochastic_limit: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n" => "kind = \"sgld\"\n[limit]\nintegrator = \"runge-kutta\"\n", ["s.toml:10:14", "Brownian part", "euler-maruyama"];
    drift_scale_nan: "[ladder]" => "[limit]\ndrift_scale = nan\n[ladder]", ["s.toml:12:", "limit.drift_scale must be finite"];
    diffusion_scale_infinite: "[ladder]" => "[limit]\ndiffusion_scale = inf\n[ladder]", ["s.toml:12:", "limit.diffusion_scale must be finite"];
    clock_unknown: "[ladder]" => "[limit]\nclock = \"medium\"\n[ladder]", ["s.toml:12:9", "unknown value `medium`", "fast, slow"];
    local_masks_without_a_mask: "[ladder]" => "[limit]\nmasks = \"local\"\n[ladder]", ["s.toml", "limit.masks", "bernoulli"];

    // Networks, their data and their noises.
    batch_size_of_another_noise: "kind = \"label\"\n" => "kind = \"label\"\nbatch_size = 2\n", ["s.toml", "batch_size is of minibatch noise"];
    batch_size_without_data: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n" => "kind = \"minibatch\"\nbatch_size = 1\n", ["s.toml", "needs a model with data"];
    batch_size_with_a_law: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n" => "kind = \"minibatch\"\nlaw = \"uniform\"\nbatch_size = 1\n", ["s.toml", "law and scale have no effect"];
    sampling_without_batch_size: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n" => "kind = \"minibatch\"\nsampling = \"epochs\"\n", ["s.toml", "sampling needs batch_size"];
    sampling_unknown: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n" => "kind = \"minibatch\"\nbatch_size = 1\nsampling = \"epoch\"\n", ["s.toml", "unknown value `epoch`", "epochs"];
    per_sample_without_data: "kind = \"label\"\nlaw = \"gaussian\"\nscale = 1.0\n" => "kind = \"dropout\"\nper_sample = true\n", ["s.toml", "can't be drawn per sample"];
    network_without_data: "kind = \"product\"\n" => "kind = \"perceptron\"\nwidths = [2, 3, 1]\n", ["s.toml", "needs data", "[data]"];
    data_without_network: "[ladder]" => "[data]\nsamples = 3\ntruth = \"dense\"\n[ladder]", ["s.toml", "model `product` takes no data"];
    widths_of_another_model: "kind = \"product\"\n" => "kind = \"product\"\nwidths = [2, 1]\n", ["s.toml", "has no option `widths`"];

    // Expectations and margins.
    regime_unknown: "[ladder]" => "[expect]\nregime = \"slow\"\n[ladder]", ["s.toml:12:10", "unknown value `slow`", "non-degenerate, degenerate, trivial"];
    exponents_nan: "[ladder]" => "[expect]\nexponents = [nan, 2.0]\n[ladder]", ["s.toml:12:", "expect.exponents"];
    exponents_three: "[ladder]" => "[expect]\nexponents = [1.0, 2.0, 3.0]\n[ladder]", ["s.toml:12:", "exponents"];
    order_nan: "[ladder]" => "[expect]\norder = nan\n[ladder]", ["s.toml:12:", "expect.order"];
    order_negative: "[ladder]" => "[expect]\norder = -1.0\n[ladder]", ["s.toml:12:", "expect.order"];
    margin_negative: "[ladder]" => "[margins]\nmean = -0.1\n[ladder]", ["s.toml:12:", "margins.mean must be a positive number, not -0.1"];
    margin_nan: "[ladder]" => "[margins]\nlaw = nan\n[ladder]", ["s.toml:12:", "margins.law must be a positive number"];
    margin_unknown: "[ladder]" => "[margins]\nmeann = 0.1\n[ladder]", ["s.toml:12:1", "unknown key `meann`", "did you mean `mean`?"];
    level_of_one_half: "[ladder]" => "[margins]\nlevel = 0.5\n[ladder]", ["s.toml:12:", "margins.level must lie between 0 and 0.5"];
    level_below_rounding: "[ladder]" => "[margins]\nlevel = 1e-300\n[ladder]", ["s.toml:12:", "margins.level"];
    share_of_one: "[ladder]" => "[margins]\nshare = 1.0\n[ladder]", ["s.toml:12:", "margins.share must lie between 0 and 1"];
    exponent_margin_too_wide: "[ladder]" => "[margins]\nexponent = 0.5\n[ladder]", ["s.toml:12:", "margins.exponent must be below 0.5"];
}

/// One test for each mistake: the arguments, and the parts of the message. `s.toml` is valid; `run` is not empty.
macro_rules! mistakes_on_the_command_line {
    ($($name:ident: $args:expr, $parts:expr;)*) => {
        mod command_line {
            $(#[test]
            fn $name() {
                let home = super::home_with(super::GOOD);
                super::furnish(home.path());
                super::refused(stringify!($name), home.path(), &$args, &$parts);
            })*
        }
    };
}

fn furnish(home: &Path) {
    fs::create_dir(home.join("run")).unwrap();
    fs::write(home.join("run/notes.txt"), "mine").unwrap();
    fs::write(home.join("not-text.toml"), b"\xff\xfe").unwrap();
    fs::write(home.join("empty.toml"), b"").unwrap();
    fs::write(home.join("run.toml"), GOOD).unwrap();
    fs::write(home.join("other.json"), r#"{"verdict": "pass"}"#).unwrap();
    fs::write(home.join("newer.json"), r#"{"format": 99}"#).unwrap();
    for name in ["a", "b", "s"] {
        let verdict = format!(
            r#"{{"verdict": "pass", "regime": "trivial", "sentence": "", "false_alarm_rate": 0.02, "planted_faults": [],
            "checks": [], "subject": {{"name": "{name}", "seed": 1, "scenario": {{}}}}}}"#
        );
        let file = if name == "s" {
            "of-s.json".into()
        } else {
            format!("{name}.json")
        };
        fs::write(home.join(file), verdict).unwrap();
    }
}

mistakes_on_the_command_line! {
    unknown_command: ["frobnicate"], ["unrecognized subcommand 'frobnicate'", "--help"];
    mistyped_command: ["verfy", "s.toml"], ["'verify'"];
    no_scenario: ["verify"], ["<SCENARIO>"];
    two_scenarios: ["descend", "s.toml", "s.toml"], ["unexpected argument 's.toml'"];
    second_scenario_that_does_not_exist: ["verify", "s.toml", "nope.toml", "--out", "out"], ["nope.toml", "can't read"];
    second_scenario_that_is_bad: ["verify", "s.toml", "empty.toml", "--out", "out", "--junit", "junit.xml"], ["empty.toml", "observables"];
    out_of_several_below_a_file: ["verify", "s.toml", "s.toml", "--out", "s.toml"], ["can't write to s.toml/s"];
    out_of_several_is_not_empty: ["verify", "s.toml", "run.toml", "--out", "."], ["run is not empty", "--force"];
    force_of_nothing: ["verify", "s.toml", "--force"], ["--out", "--junit", "--markdown"];
    junit_over_a_file: ["verify", "s.toml", "--out", "out", "--junit", "s.toml"], ["s.toml is not empty", "--force"];
    junit_over_a_folder: ["verify", "s.toml", "--out", "out", "--junit", "run", "--force"], ["can't write to run", "directory"];
    junit_in_a_folder_that_is_not_there: ["verify", "s.toml", "--out", "out", "--junit", "nowhere/j.xml"], ["can't write to nowhere/j.xml"];
    markdown_over_a_file: ["verify", "s.toml", "--out", "out", "--markdown", "run/notes.txt"], ["run/notes.txt is not empty", "--force"];
    junit_and_markdown_in_one_file: ["verify", "s.toml", "--out", "out", "--junit", "x", "--markdown", "x"], ["--junit and --markdown name the same file"];
    baseline_that_does_not_exist: ["verify", "s.toml", "--out", "out", "--baseline", "nope.json"], ["can't read the baseline nope.json", "singlim verify"];
    baseline_folder_without_a_verdict: ["verify", "s.toml", "--out", "out", "--baseline", "run"], ["can't read the baseline run/verdict.json"];
    baseline_that_is_not_json: ["verify", "s.toml", "--out", "out", "--baseline", "s.toml"], ["the baseline s.toml is no verdict.json"];
    baseline_that_is_another_json: ["verify", "s.toml", "--out", "out", "--baseline", "other.json"], ["the baseline other.json is no verdict.json", "missing field"];
    baseline_of_a_newer_program: ["verify", "s.toml", "--out", "out", "--baseline", "newer.json"], ["the baseline newer.json has layout 99", "newer singlim"];
    baselines_of_other_scenarios: ["verify", "s.toml", "--out", "out", "--baseline", "a.json", "--baseline", "b.json"], ["no baseline is of any of these scenarios", "of: a, b"];
    two_baselines_of_one_scenario: ["verify", "s.toml", "--out", "out", "--baseline", "of-s.json", "--baseline", "of-s.json"], ["two baselines are of the scenario `s`"];
    budget_without_stages: ["verify", "s.toml", "--out", "out", "--budget", "10m"], ["--until-conclusive"];
    budget_without_a_unit: ["verify", "s.toml", "--out", "out", "--until-conclusive", "--budget", "10"], ["--budget", "10m"];
    budget_of_nothing: ["verify", "s.toml", "--out", "out", "--until-conclusive", "--budget", "0s"], ["--budget", "above zero"];
    unknown_option: ["verify", "s.toml", "--sed", "3"], ["'--sed'", "'--seed'"];
    option_of_another_command: ["check", "s.toml", "--out", "x"], ["'--out'"];
    no_threads: ["verify", "s.toml", "--threads", "0"], ["--threads", "0"];
    more_threads_than_the_system_has: ["verify", "s.toml", "--threads", "65535", "--out", "out"], ["threads"];
    seed_negative: ["verify", "s.toml", "--seed=-1"], ["'-1'", "--seed"];
    seed_fractional: ["verify", "s.toml", "--seed", "1.5"], ["'1.5'", "--seed"];
    file_that_does_not_exist: ["verify", "nope.toml", "--out", "out"], ["nope.toml", "can't read", "singlim new MODEL NOISE"];
    folder_in_place_of_a_file: ["verify", "run", "--out", "out"], ["run: can't read the scenario", "directory"];
    file_that_is_not_text: ["verify", "not-text.toml", "--out", "out"], ["not-text.toml", "UTF-8"];
    empty_file: ["verify", "empty.toml", "--out", "out"], ["empty.toml", "observables"];
    out_below_a_file: ["verify", "s.toml", "--out", "s.toml/out"], ["can't write to s.toml/out"];
    out_is_a_file: ["verify", "s.toml", "--out", "s.toml"], ["can't write to s.toml"];
    out_is_not_empty: ["verify", "s.toml", "--out", "run"], ["run is not empty", "--force", "--out"];
    out_is_not_empty_for_descend: ["descend", "s.toml", "--out", "run"], ["run is not empty", "--force"];
    out_is_not_empty_for_limit: ["limit", "s.toml", "--out", "run"], ["run is not empty", "--force"];
    out_below_a_file_with_force: ["verify", "s.toml", "--out", "s.toml/out", "--force"], ["can't write to s.toml/out"];
    set_without_a_value: ["verify", "s.toml", "--out", "out", "--set", "ladder.paths"], ["--set ladder.paths", "key=value", "ladder.paths=1000"];
    set_of_an_unknown_key: ["verify", "s.toml", "--out", "out", "--set", "ladder.pathz=9"], ["unknown key `pathz`", "did you mean `paths`?"];
    set_of_an_unknown_section: ["verify", "s.toml", "--out", "out", "--set", "lader.paths=9"], ["unknown key `lader`", "did you mean `ladder`?"];
    set_of_no_key: ["verify", "s.toml", "--out", "out", "--set", "=9"], ["key=value"];
    set_of_a_noise_that_is_not_there: ["verify", "s.toml", "--out", "out", "--set", "noise.3.law=uniform"], ["noise.3", "1 entries"];
    set_of_all_noises_at_once: ["verify", "s.toml", "--out", "out", "--set", "noise.law=uniform"], ["noise.0"];
    set_below_a_value: ["verify", "s.toml", "--out", "out", "--set", "model.kind.x=1"], ["`kind` is a value, not a section"];
    set_of_a_bad_value: ["verify", "s.toml", "--out", "out", "--set", "ladder.sigma=-1"], ["ladder.sigma must be a positive number, not -1"];
    set_of_a_wrong_type: ["verify", "s.toml", "--out", "out", "--set", "ladder.sigma=big"], ["\"big\""];
    set_of_a_section: ["verify", "s.toml", "--out", "out", "--set", "ladder=1"], ["ladder"];
    predict_of_a_bad_scenario: ["predict", "s.toml", "--set", "ladder.sigma=nan"], ["ladder.sigma must be a positive number"];
    descend_of_a_bad_scenario: ["descend", "s.toml", "--out", "out", "--set", "ladder.sigma=nan"], ["ladder.sigma must be a positive number"];
    limit_of_a_bad_scenario: ["limit", "s.toml", "--out", "out", "--set", "ladder.sigma=nan"], ["ladder.sigma must be a positive number"];
    quiet_does_not_hide_errors: ["verify", "s.toml", "--out", "out", "--quiet", "--set", "ladder.sigma=nan"], ["ladder.sigma must be a positive number"];
    force_does_not_force_a_bad_scenario: ["verify", "s.toml", "--out", "run", "--force", "--set", "ladder.sigma=nan"], ["ladder.sigma must be a positive number"];
    new_of_an_unknown_model: ["new", "prodct", "label"], ["unknown model `prodct`", "did you mean `product`?"];
    new_of_an_unknown_noise: ["new", "product", "lable"], ["unknown noise `lable`", "did you mean `label`?"];
    new_of_a_noise_without_a_socket: ["new", "sphere", "dropout"], ["no hidden units", "it takes: minibatch"];
    new_without_a_noise: ["new", "product"], ["<NOISE>"];
    new_over_an_existing_file: ["new", "product", "label", "--out", "s.toml"], ["can't write s.toml", "--force"];
    new_over_a_folder: ["new", "product", "label", "--out", "run", "--force"], ["can't write run"];
    new_into_a_folder_that_is_not_there: ["new", "product", "label", "--out", "nowhere/x.toml"], ["can't write nowhere/x.toml"];
}

#[test]
fn the_remedy_is_one_that_helps() {
    let home = home_with(GOOD);
    furnish(home.path());
    let message = refused(
        "new into a folder that is not there",
        home.path(),
        &["new", "product", "label", "--out", "nowhere/x.toml"],
        &["nowhere/x.toml"],
    );
    assert!(
        !message.contains("--force"),
        "--force does not make folders: {message}"
    );
}

#[test]
fn the_line_is_shown_with_a_mark_beneath() {
    let home = home_with(&GOOD.replace("sigma = 0.3", "sigma = -0.3"));
    let message = refused(
        "negative sigma",
        home.path(),
        &["verify", "s.toml", "--out", "out"],
        &["\n13 | sigma = -0.3\n   |         ^"],
    );
    assert!(message.starts_with("error: s.toml:13:9: "), "{message}");
}

#[test]
fn lines_are_counted_alike_with_windows_line_ends() {
    let text = GOOD
        .replace("sigma = 0.3", "sigma = -0.3")
        .replace('\n', "\r\n");
    let home = home_with(&text);
    refused(
        "windows line ends",
        home.path(),
        &["check", "s.toml"],
        &["s.toml:13:9"],
    );
}

#[test]
fn any_seed_is_taken_or_refused_in_its_own_words() {
    let home = home_with(GOOD);
    let output = singlim(home.path())
        .args(["check", "s.toml", "--seed", &u64::MAX.to_string()])
        .output()
        .unwrap();
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() || (message.contains("--seed") && !message.contains("string")),
        "{message}"
    );
}

#[test]
fn a_mistake_after_set_is_not_blamed_on_a_line_that_is_not_in_the_file() {
    let home = home_with(GOOD);
    let message = refused(
        "--set of a wrong type",
        home.path(),
        &["check", "s.toml", "--set", "model.dimension=many"],
        &["--set"],
    );
    assert!(
        !message.contains("s.toml:") || message.contains("after --set"),
        "{message}"
    );
}
