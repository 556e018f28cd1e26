//! The tables of a report: checks, error budget, power, and where it all comes from.

use std::fmt::Write;

use super::super::table::{estimate_text, predicted_text, rows, short};
use super::{badge, text, unbroken};
use crate::explain::explain;
use crate::report::stored::StoredRun;
use crate::verify::{BudgetRow, Check, Verdict};

/// A table with a caption; cells are HTML.
pub fn table(caption: &str, header: &[&str], rows: &[Vec<String>]) -> String {
    let mut html = format!("<div class=\"scroll\"><table><caption>{caption}</caption><thead><tr>");
    for name in header {
        let _ = write!(html, "<th scope=\"col\">{name}</th>");
    }
    html += "</tr></thead><tbody>";
    for row in rows {
        html += "<tr>";
        for cell in row {
            let _ = write!(html, "<td>{cell}</td>");
        }
        html += "</tr>";
    }
    html + "</tbody></table></div>\n"
}

/// All checks: those of one kind on one observable in a row, and every single one below it.
pub fn checks(verdict: &Verdict) -> String {
    let row = |check: &Check, count: usize| {
        let name = if count > 1 {
            format!("{} (worst of {count})", check.name)
        } else {
            check.name.clone()
        };
        vec![
            badge(check.verdict),
            text(&name),
            text(check.observable.as_deref().unwrap_or_default()),
            unbroken(&estimate_text(check)),
            unbroken(&predicted_text(check)),
            check.p_value.map_or(String::new(), short),
            check.p_difference.map_or(String::new(), short),
            format!(
                "<details><summary>how</summary><p>{}</p>{}</details>",
                text(explain(&check.name).map_or("", |topic| topic.text)),
                text(&check.detail)
            ),
        ]
    };
    let header = [
        "verdict",
        "check",
        "observable",
        "estimate [interval]",
        "predicted ± margin",
        "p (no agreement)",
        "p (no difference)",
        "detail",
    ];
    let summary: Vec<Vec<String>> = rows(&verdict.checks)
        .into_iter()
        .map(|(check, count)| row(check, count))
        .collect();
    let every: Vec<Vec<String>> = verdict.checks.iter().map(|check| row(check, 1)).collect();
    let mut html =
        String::from("<section aria-labelledby=\"checks\"><h2 id=\"checks\">Checks</h2>\n");
    html += &table(
        "One row for each kind of check and observable. A check passes if its interval lies within the margin: then p (no \
         agreement), for an error as large as the margin, is small. A small p (no difference), for no error at all, speaks \
         against the claim.",
        &header,
        &summary,
    );
    if every.len() > summary.len() {
        let _ = write!(
            html,
            "<details class=\"every\"><summary>All {} checks one by one</summary>",
            every.len()
        );
        html += &table("Every check.", &header, &every);
        html += "</details>";
    }
    html + "</section>\n"
}

/// The four errors of each comparison.
pub fn budget(verdict: &Verdict) -> String {
    if verdict.budget.is_empty() {
        return String::new();
    }
    let row = |row: &BudgetRow| {
        vec![
            text(&format!("{} of {}", row.moment, row.observable)),
            short(row.slow_time),
            row.step_size.map_or("→ 0".into(), short),
            short(row.iterates),
            row.discretisation.map_or("unknown".into(), short),
            short(row.projection),
            short(row.monte_carlo),
            short(row.margin),
            text(row.largest()),
        ]
    };
    let rows: Vec<Vec<String>> = verdict.budget.iter().map(row).collect();
    let table = table(
        "The error that the claim is judged by, beside the three that are the program's own. A claim is judged only if the \
         latter are small beside the margin.",
        &[
            "comparison",
            "slow time",
            "α",
            "iterates − limit",
            "time discretisation",
            "projection",
            "Monte Carlo",
            "margin",
            "largest",
        ],
        &rows,
    );
    format!(
        "<section aria-labelledby=\"budget\"><h2 id=\"budget\">Error budget</h2>\n{table}</section>\n"
    )
}

/// How wrong the theory would have to be for the run to notice.
pub fn power(verdict: &Verdict) -> String {
    let Some(power) = verdict.power else {
        return String::new();
    };
    let percent = |x: Option<f64>| match x {
        Some(x) => format!("{} %", short(100.0 * x)),
        None => "none up to 100 % would be noticed, or it has no part here".into(),
    };
    let rows = [
        ("drift", percent(power.drift)),
        ("diffusion", percent(power.diffusion)),
        (
            "time exponent",
            power.exponent.map_or("not measured".into(), short),
        ),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    let caption = format!(
        "The smallest error of the theory that this run would have rejected with probability {}.",
        power.probability
    );
    let table = table(&caption, &["what is wrong", "by how much"], &rows);
    format!("<section aria-labelledby=\"power\"><h2 id=\"power\">Power</h2>\n{table}</section>\n")
}

/// The scenario and the machine.
pub fn provenance(run: &StoredRun) -> String {
    let manifest = &run.manifest;
    let machine = &manifest.machine;
    let rows = [
        (
            "program",
            format!("{} {}", manifest.program, manifest.version),
        ),
        ("command", manifest.command.clone()),
        ("loss", run.loss()),
        ("noise", run.noise()),
        ("seed", manifest.seed.to_string()),
        (
            "machine",
            format!(
                "{}, {} of {} cores, {}",
                machine.system, machine.threads, machine.cores, machine.instruction_set
            ),
        ),
        ("started", manifest.started.clone()),
        ("wall time", format!("{:.1} s", manifest.wall_seconds)),
        ("path-steps", format!("{:.3e}", manifest.path_steps as f64)),
    ];
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), text(&value)])
        .collect();
    let mut html = String::from("<section aria-labelledby=\"run\"><h2 id=\"run\">The run</h2>\n");
    html += &table("Where these numbers come from.", &["", ""], &rows);
    if let Ok(scenario) = std::fs::read_to_string(run.path.join("scenario.toml")) {
        let _ = write!(
            html,
            "<details><summary>The scenario</summary><pre>{}</pre></details>",
            text(&scenario)
        );
    }
    html + "</section>\n"
}
