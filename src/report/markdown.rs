//! A summary in Markdown, for the page on which a CI system shows a run.

use std::fmt::Write;

use super::Finished;
use super::finished::numbered;
use super::table::{estimate_text, predicted_text, rows, verdict_line};

/// The summary of all scenarios: an overall table, then each verdict with its checks, and what moved since the baseline.
pub fn markdown(all: &[Finished]) -> String {
    let mut text = String::from("## singlim\n\n");
    row(
        &mut text,
        ["scenario", "regime", "verdict", "seconds", "decided by"],
    );
    row(&mut text, ["---"; 5]);
    for finished in all {
        let regime = match &finished.result {
            Ok(judged) => judged.verdict.regime.to_string(),
            Err(_) => String::new(),
        };
        let cells = [
            plain(&finished.name),
            regime,
            format!("**{}**", finished.word()),
            format!("{:.1}", finished.seconds),
            plain(&finished.decided_by()),
        ];
        row(&mut text, cells.each_ref().map(String::as_str));
    }
    for finished in all {
        let _ = write!(text, "\n### {}\n\n", plain(&finished.name));
        match &finished.result {
            Err(error) => {
                let _ = writeln!(text, "ERROR: {}", plain(error));
            }
            Ok(judged) => {
                let _ = writeln!(text, "{}\n", plain(&verdict_line(&judged.verdict)));
                checks(&mut text, finished);
                changes(&mut text, finished);
            }
        }
    }
    text
}

fn checks(text: &mut String, finished: &Finished) {
    let Ok(judged) = &finished.result else { return };
    let count = judged.verdict.checks.len();
    let _ = writeln!(text, "<details><summary>{count} checks</summary>\n");
    row(
        text,
        [
            "check",
            "observable",
            "estimate [interval]",
            "predicted ± margin",
            "verdict",
        ],
    );
    row(text, ["---"; 5]);
    for (check, count) in rows(&judged.verdict.checks) {
        let name = match count {
            1 => check.name.clone(),
            _ => format!("{} (worst of {count})", check.name),
        };
        let cells = [
            plain(&name),
            plain(check.observable.as_deref().unwrap_or_default()),
            estimate_text(check),
            predicted_text(check),
            check.verdict.to_string(),
        ];
        row(text, cells.each_ref().map(String::as_str));
    }
    text.push_str("\n</details>\n");
}

fn changes(text: &mut String, finished: &Finished) {
    let Ok(judged) = &finished.result else { return };
    let Some(comparison) = &judged.comparison else {
        return;
    };
    let _ = writeln!(text, "\n{}", plain(&comparison.sentence()));
    for note in &comparison.notes {
        let _ = writeln!(text, "\nWarning: {}", plain(&note.line()));
    }
    if comparison.findings().next().is_none() {
        return;
    }
    text.push('\n');
    row(text, ["check", "finding", "what happened"]);
    row(text, ["---"; 3]);
    for change in comparison.findings() {
        let cells = [
            plain(&numbered(change)),
            change.finding.to_string(),
            plain(&change.sentence()),
        ];
        row(text, cells.each_ref().map(String::as_str));
    }
}

fn row<const N: usize>(text: &mut String, cells: [&str; N]) {
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// Text that Markdown takes for text, in a cell of a table too.
fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '|' | '*' | '_' | '`' | '\\' | '[' | ']' | '#' | '~' => {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_in_names_and_messages_stays_text() {
        let all = [Finished {
            name: "a|b_c".into(),
            started: String::new(),
            seconds: 2.0,
            result: Err("<img> | *x*\nsecond line".into()),
        }];
        let text = markdown(&all);
        assert!(
            text.contains("| a\\|b\\_c |  | **error** | 2.0 | &lt;img> \\| \\*x\\* |\n"),
            "{text}"
        );
        assert!(
            text.contains("ERROR: &lt;img> \\| \\*x\\* second line\n"),
            "{text}"
        );
    }
}
