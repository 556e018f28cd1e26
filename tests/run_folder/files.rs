//! Which files a run leaves, with their headers and a small run as snapshots.

use super::*;

#[test]
fn a_verified_run_has_its_files_and_no_others() {
    assert_eq!(names(&verified().path("run")), OF_VERIFY);
}

#[test]
fn scenario_toml_is_the_scenario_as_typed() {
    let home = Home::new();
    home.run(&[
        "verify",
        "small.toml",
        "--out",
        "run",
        "--set",
        "ladder.paths=9",
    ]);
    assert_eq!(home.read("run/scenario.toml"), SMALL);
}

#[test]
fn manifest_json() {
    let mut manifest = verified().json("run/manifest.json");
    for (key, least) in [("wall_seconds", 0.0), ("path_steps_per_second", 1.0)] {
        assert!(manifest[key].as_f64().unwrap() >= least, "{key}");
        manifest[key] = json!("[measured]");
    }
    assert!(manifest["cpu_seconds"].is_null() || manifest["cpu_seconds"].is_f64());
    assert!(
        manifest["started"].as_str() <= manifest["ended"].as_str(),
        "RFC 3339 in order"
    );
    assert_eq!(manifest["machine"]["threads"], 1);
    assert!(manifest["machine"]["cores"].as_u64().unwrap() >= 1);
    assert_eq!(manifest["version"], env!("CARGO_PKG_VERSION"));
    for key in ["cpu_seconds", "started", "ended", "version"] {
        manifest[key] = json!("[measured]");
    }
    for key in ["system", "cores", "instruction_set"] {
        assert!(
            !manifest["machine"][key].is_null(),
            "the machine's {key} is named"
        );
        manifest["machine"][key] = json!("[machine]");
    }
    assert_snapshot!(serde_json::to_string_pretty(&manifest).unwrap());
}

#[test]
fn summary_csv() {
    assert_snapshot!(rounded(&verified().read("run/summary.csv")));
}

#[test]
fn samples_csv_gz() {
    assert_snapshot!(rounded(&verified().read("run/samples.csv.gz")));
}

#[test]
fn checks_csv() {
    assert_snapshot!(rounded(&verified().read("run/checks.csv")));
}

#[test]
fn verdict_json() {
    assert_snapshot!(rounded(&verified().read("run/verdict.json")));
}

#[test]
fn diverged_csv() {
    assert_snapshot!(verified().read("run/diverged.csv"));
}

#[test]
fn headers_are_exactly_these() {
    let home = verified();
    for (file, header) in [
        (
            "summary.csv",
            "process,level,step_size,sigma,iteration,slow_time,alpha_sigma2,alpha2_sigma2,observable,paths,mean,std_error,variance,q05,q50,q95",
        ),
        (
            "samples.csv.gz",
            "process,level,path,slow_time,observable,value",
        ),
        (
            "checks.csv",
            "name,observable,verdict,estimate,lower,upper,null,margin,p_value,p_difference,detail",
        ),
        ("diverged.csv", "level,step_size,sigma,path,iteration"),
        (
            "errors.csv",
            "observable,moment,level,step_size,sigma,slow_time,error,std_error,above_floor",
        ),
    ] {
        let text = home.read(&format!("run/{file}"));
        assert_eq!(text.lines().next(), Some(header), "{file}");
    }
}

#[test]
fn checks_csv_and_verdict_json_say_the_same() {
    let home = verified();
    let table = home.table("run/checks.csv");
    let verdict = home.json("run/verdict.json");
    let checks = verdict["checks"].as_array().unwrap();
    assert_eq!(checks.len(), table.rows.len());
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    for (check, row) in checks.iter().zip(&table.rows) {
        for key in ["name", "observable", "verdict", "detail"] {
            assert_eq!(word(&check[key]), table.get(row, key), "{key}");
        }
        let parsed = |column| table.get(row, column).parse::<f64>().ok();
        let interval = &check["interval"];
        let in_json = ["estimate", "null", "margin", "p_value"]
            .map(|key| (key, &check[key]))
            .into_iter()
            .chain(["lower", "upper"].map(|key| (key, &interval[key])));
        for (key, value) in in_json {
            // serde_json reads numbers to within the last bit.
            let same = match (value.as_f64(), parsed(key)) {
                (Some(x), Some(y)) => (x - y).abs() <= 1e-15 * x.abs(),
                (x, y) => x == y,
            };
            assert!(
                same,
                "{key} of {}: {value} against {:?}",
                row[0],
                parsed(key)
            );
        }
    }
}
