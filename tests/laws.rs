//! The laws of a stochastic limit in a whole study: right ones pass, a wrong diffusion is rejected, and the table says why.

mod common;

use singlim::statistics::Outcome;
use singlim::verify::{Check, Table, Verdict};

/// Langevin noise on the product model, small; the limit has more paths than the iterates.
fn study(set: &[&str]) -> Verdict {
    let small = [
        "ladder.step_sizes=[0.08, 0.056, 0.0392, 0.02744]",
        "ladder.sigma_factors=[]",
        "ladder.records=3",
        "ladder.paths=3000",
        "limit.paths=4000",
        "limit.time_step=0.01",
    ];
    common::verdict("product-sgld", &[&small, set].concat(), 1)
}

fn laws(verdict: &Verdict) -> Vec<&Check> {
    let laws = verdict.checks.iter();
    laws.filter(|check| check.name.contains("law")).collect()
}

fn table(verdict: &Verdict) -> &Table {
    verdict
        .tables
        .iter()
        .find(|table| table.name == "laws")
        .unwrap()
}

/// One field of the row that is told by its first columns.
fn field(table: &Table, key: [&str; 4], column: &str) -> String {
    let at = |name: &str| table.header.iter().position(|h| *h == name).unwrap();
    let columns = ["level", "law", "observable", "distance"].map(at);
    let row = table
        .rows
        .iter()
        .find(|row| columns.iter().zip(key).all(|(&c, key)| row[c] == key))
        .unwrap_or_else(|| panic!("no row {key:?}"));
    row[at(column)].clone()
}

#[test]
fn the_right_laws_pass_and_the_table_has_all_distances_on_every_rung() {
    let verdict = study(&[]);
    let checks = laws(&verdict);
    assert_eq!(checks.len(), 5);
    for check in checks {
        assert_eq!(check.verdict, Outcome::Pass, "{check:?}");
        assert!(check.p_value.unwrap() < 0.01, "{check:?}");
        assert!(check.p_difference.unwrap() > 0.01, "{check:?}");
    }
    let table = table(&verdict);
    // Four rungs: four distances of two observables and three of both; two paths.
    assert_eq!(table.rows.len(), 4 * (2 * 4 + 3) + 2);
    for row in &table.rows {
        assert_eq!(row.len(), table.header.len());
        let number = |column: &str| -> f64 {
            let at = table.header.iter().position(|h| *h == column).unwrap();
            row[at].parse().unwrap()
        };
        assert!(number("lower") <= number("estimate") && number("estimate") < number("upper"));
        assert!(number("floor") > 0.0);
        assert!((0.005..=1.0).contains(&number("p_same")));
    }
    for (law, observable, distance, n, m, paths) in [
        ("horizon", "imbalance", "MMD", "3000", "4000", "all"),
        ("horizon", "joint", "sliced W1", "3000", "4000", "all"),
        ("horizon", "joint", "energy", "1000", "1000", "first 1000"),
        ("path", "u", "energy", "1000", "1000", "first 1000"),
    ] {
        let get = |column| field(table, ["3", law, observable, distance], column);
        assert_eq!([get("n"), get("m"), get("paths")], [n, m, paths]);
    }
}

#[test]
fn a_diffusion_that_is_too_strong_is_rejected_by_each_law_and_by_the_joint_one() {
    let verdict = study(&[
        "limit.diffusion_scale=1.3",
        "ladder.paths=6000",
        "limit.paths=6000",
    ]);
    assert_eq!(verdict.verdict, Outcome::Rejected);
    for check in laws(&verdict) {
        if check.name == "law KS" {
            continue; // 0.06, its margin, is about what this fault makes.
        }
        assert_eq!(check.verdict, Outcome::Rejected, "{check:?}");
        assert!(check.p_difference.unwrap() < 1e-3, "{check:?}");
        assert!(check.p_value.unwrap() > 0.99, "{check:?}");
    }
    let table = table(&verdict);
    for key in [
        ["3", "horizon", "imbalance", "energy"],
        ["3", "horizon", "joint", "MMD"],
        ["3", "path", "imbalance", "energy"],
    ] {
        assert_eq!(field(table, key, "p_same"), "0.005", "{key:?}");
    }
}

#[test]
fn one_observable_has_no_joint_law_and_too_few_paths_reject_nothing() {
    let verdict = study(&["observables=[\"u\"]", "ladder.paths=8", "limit.paths=8"]);
    let checks = laws(&verdict);
    assert_eq!(checks.len(), 2);
    assert!(
        checks
            .iter()
            .all(|check| check.verdict == Outcome::Inconclusive)
    );
    assert_eq!(table(&verdict).rows.len(), 4 * 4 + 1);
    assert_eq!(
        field(table(&verdict), ["0", "horizon", "u", "W1"], "n"),
        "8"
    );
}
