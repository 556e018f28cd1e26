//! One page for several runs: verdicts and exponents in a table, and their noises side by side.

use super::super::table::{estimate_text, short};
use super::tables::table;
use super::{badge, figure_html, text, unbroken, whole};
use crate::report::figures::{Figure, settled};
use crate::report::stored::StoredRun;
use crate::statistics::Outcome;

/// The page; figures are those of [`crate::report::figures::noises`].
pub fn comparison_page(runs: &[StoredRun], figures: &[Figure]) -> String {
    let verdicts: Vec<Outcome> = runs
        .iter()
        .filter_map(|run| Some(run.verdict.as_ref()?.verdict))
        .collect();
    let count = |outcome| {
        verdicts
            .iter()
            .filter(|&&verdict| verdict == outcome)
            .count()
    };
    let mut parts = Vec::new();
    for outcome in [Outcome::Pass, Outcome::Rejected, Outcome::Inconclusive] {
        if count(outcome) > 0 {
            parts.push(format!("{} {}", count(outcome), badge(outcome)));
        }
    }
    let without = runs.len() - verdicts.len();
    if without > 0 {
        parts.push(format!("{without} without a verdict"));
    }
    let title = format!("{} runs side by side", runs.len());
    let mut body = format!(
        "<header><p class=\"kind\">singlim comparison</p><h1>{title}</h1><p class=\"verdict\">{}</p></header>\n<main>\n",
        parts.join(" · ")
    );
    body += "<section aria-labelledby=\"runs\"><h2 id=\"runs\">Runs</h2>\n";
    let rows: Vec<Vec<String>> = runs.iter().map(row).collect();
    body += &table(
        "Exponents are those of the iterations ∝ α⁻ᵃ σ⁻ᵇ, with their intervals.",
        &[
            "run",
            "noise",
            "regime",
            "verdict",
            "a",
            "b",
            "drift error it would notice",
            "title",
        ],
        &rows,
    );
    body += "</section>\n<section aria-labelledby=\"figures\"><h2 id=\"figures\">Noises side by side</h2>\n";
    if figures.is_empty() {
        body += "<p>The runs have no observable in common.</p>";
    }
    for (number, figure) in figures.iter().enumerate() {
        body += &figure_html(figure, number + 1);
    }
    body += "</section>\n";
    let ends: Vec<Vec<String>> = settled(runs)
        .into_iter()
        .map(|end| {
            vec![
                text(&end.observable),
                text(&end.run),
                short(end.iterations),
                format!(
                    "{} [{}, {}]",
                    short(end.mean),
                    short(end.ends.0),
                    short(end.ends.1)
                ),
            ]
        })
        .collect();
    if !ends.is_empty() {
        body += "<section aria-labelledby=\"ends\"><h2 id=\"ends\">Where they end</h2>\n";
        body += &table(
            "The last mean of each run, with its interval.",
            &["observable", "run", "iterations", "mean [interval]"],
            &ends,
        );
        body += "</section>\n";
    }
    body += "</main>\n";
    whole(&title, &body)
}

fn row(run: &StoredRun) -> Vec<String> {
    let verdict = run.verdict.as_ref();
    let exponent = |name: &str| {
        let checks = verdict.into_iter().flat_map(|verdict| &verdict.checks);
        let mut own = checks.filter(|check| check.name == name);
        let found = own.next().map_or(String::new(), estimate_text);
        unbroken(&found)
    };
    let drift = verdict.and_then(|verdict| verdict.power?.drift);
    vec![
        text(&run.name),
        text(&run.noise()),
        verdict.map_or(String::new(), |verdict| verdict.regime.to_string()),
        verdict.map_or("—".into(), |verdict| badge(verdict.verdict)),
        exponent("exponent of α"),
        exponent("exponent of σ"),
        drift.map_or(String::new(), |drift| format!("{} %", short(100.0 * drift))),
        text(run.title()),
    ]
}
