//! Scenarios that are valid, and that nobody would think of first.

use super::*;

#[test]
fn a_cosine_schedule_that_falls_to_zero_can_be_corrected() {
    let home = Home::new();
    home.run(&[
        "verify",
        "small.toml",
        "--out",
        "run",
        "--set",
        "schedule.kind=cosine",
        "--set",
        "limit.corrected=true",
        "--set",
        "ladder.horizon=0.5",
    ]);
    // A corrected limit has no order, no time scale that is a power of α, and no curve for all rungs.
    let missing = ["curve.csv", "ellipse.csv", "exponents.csv", "orders.csv"];
    let expected: Vec<_> = OF_VERIFY
        .into_iter()
        .filter(|name| !missing.contains(name))
        .collect();
    assert_eq!(names(&home.path("run")), expected);
}

#[test]
fn text_in_any_script_passes_through() {
    let home = Home::new();
    let title = "Rauschen, \"шум\", 雑音";
    let set = format!("title={title}");
    home.run(&["limit", "small.toml", "--out", "Läufe/一", "--set", &set]);
    assert_eq!(
        home.json("Läufe/一/manifest.json")["scenario"]["title"],
        title
    );
}
