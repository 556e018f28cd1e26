//! The manifest: what is needed to run the same again.

use super::*;

#[test]
fn the_scenario_in_it_has_what_was_set() {
    let home = Home::new();
    home.run(&[
        "verify",
        "small.toml",
        "--out",
        "run",
        "--set",
        "ladder.paths=9",
        "--set",
        "noise.0.law=uniform",
        "--set",
        "margins.level=0.05",
    ]);
    let scenario = &home.json("run/manifest.json")["scenario"];
    assert_eq!(scenario["ladder"]["paths"], 9);
    assert_eq!(scenario["noise"][0]["law"], "uniform");
    assert_eq!(scenario["margins"]["level"], 0.05);
    assert_eq!(scenario["ladder"]["sigma"], 0.3, "the rest is as typed");
}

#[test]
fn the_seed_in_it_repeats_the_run() {
    let home = Home::new();
    home.run(&["verify", "small.toml", "--out", "a", "--seed", "77"]);
    let manifest = home.json("a/manifest.json");
    assert_eq!(manifest["seed"], 77);
    assert_eq!(manifest["scenario"]["seed"], 77);
    let seed = format!("seed={}", manifest["seed"]);
    home.run(&["verify", "small.toml", "--out", "b", "--set", &seed]);
    for file in ["summary.csv", "samples.csv.gz", "verdict.json"] {
        assert_eq!(
            home.read(&format!("a/{file}")),
            home.read(&format!("b/{file}")),
            "{file}"
        );
    }
}

#[test]
fn the_option_seed_wins_over_set() {
    let home = Home::new();
    home.run(&[
        "limit",
        "small.toml",
        "--out",
        "run",
        "--set",
        "seed=5",
        "--seed",
        "6",
    ]);
    assert_eq!(home.json("run/manifest.json")["seed"], 6);
}
