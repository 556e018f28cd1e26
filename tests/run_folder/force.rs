//! Folders that are there already: kept, or replaced on demand.

use super::*;

#[test]
fn it_overwrites_and_leaves_no_temporary_files() {
    let home = verified();
    home.run(&[
        "verify",
        "small.toml",
        "--out",
        "run",
        "--force",
        "--seed",
        "9",
    ]);
    assert_eq!(names(&home.path("run")), OF_VERIFY);
    assert_eq!(home.json("run/manifest.json")["seed"], 9);
    home.run(&["verify", "small.toml", "--out", "fresh", "--seed", "9"]);
    for file in ["summary.csv", "samples.csv.gz", "checks.csv"] {
        let (again, fresh) = (format!("run/{file}"), format!("fresh/{file}"));
        assert_eq!(home.read(&again), home.read(&fresh), "{file} is all new");
    }
}

#[test]
fn a_verdict_of_the_earlier_run_does_not_stay_beside_the_new_samples() {
    let home = verified();
    home.run(&["descend", "small.toml", "--out", "run", "--force"]);
    assert_eq!(names(&home.path("run")), OF_EVERY_RUN);
}

#[test]
fn files_of_the_user_stay() {
    let home = verified();
    fs::write(home.path("run/notes.txt"), "mine").unwrap();
    home.run(&["verify", "small.toml", "--out", "run", "--force"]);
    assert_eq!(home.read("run/notes.txt"), "mine");
}

#[test]
fn a_template_is_overwritten_only_with_it() {
    let home = Home::new();
    home.run(&["new", "product", "label", "--out", "new.toml"]);
    let label = home.read("new.toml");
    home.run(&["new", "product", "sgld", "--out", "new.toml", "--force"]);
    assert_ne!(label, home.read("new.toml"));
    home.run(&["check", "new.toml"]);
}
