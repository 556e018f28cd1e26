//! What became of each scenario of a call, and all of them in one table.

use std::fmt::Write;
use std::path::PathBuf;

use comfy_table::{Attribute, Cell, Color};

use super::table::{colour, plain_table};
use crate::statistics::Outcome;
use crate::verify::{Comparison, Verdict};

/// A scenario that was run.
#[derive(Debug)]
pub struct Finished {
    /// Its name, unique in the call.
    pub name: String,
    /// When it began, RFC 3339.
    pub started: String,
    /// Wall time in seconds.
    pub seconds: f64,
    /// The verdict, or why there is none.
    pub result: Result<Judged, String>,
}

/// A scenario with a verdict.
#[derive(Debug)]
pub struct Judged {
    /// The verdict.
    pub verdict: Verdict,
    /// Against an earlier one, where one was given.
    pub comparison: Option<Comparison>,
    /// The run folder.
    pub folder: PathBuf,
}

impl Finished {
    /// "pass", "inconclusive", "rejected" or "error".
    pub fn word(&self) -> String {
        match &self.result {
            Ok(judged) => judged.verdict.verdict.to_string(),
            Err(_) => "error".into(),
        }
    }

    /// What decided: the error, the first check with the worst verdict, the first step back.
    pub fn decided_by(&self) -> String {
        let judged = match &self.result {
            Err(error) => return error.lines().next().unwrap_or_default().to_owned(),
            Ok(judged) => judged,
        };
        let verdict = &judged.verdict;
        let mut reasons = Vec::new();
        if verdict.verdict != Outcome::Pass {
            let worst = verdict.checks.iter().find(|c| c.verdict == verdict.verdict);
            reasons.extend(worst.map(|check| check.title()));
        }
        let step_back = judged.comparison.as_ref().and_then(|comparison| {
            let mut changes = comparison.changes.iter();
            changes.find(|change| change.finding.is_regression())
        });
        reasons.extend(
            step_back.map(|change| format!("regression: {} {}", change.title(), change.finding)),
        );
        reasons.join("; ")
    }
}

/// The table of all scenarios of a call.
pub fn overall_table(all: &[Finished], width: Option<u16>, colours: bool) -> String {
    let mut table = plain_table(width);
    if colours {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(["scenario", "regime", "verdict", "seconds", "decided by"]);
    for finished in all {
        let (regime, colour) = match &finished.result {
            Ok(judged) => (
                judged.verdict.regime.to_string(),
                colour(judged.verdict.verdict),
            ),
            Err(_) => (String::new(), Color::Red),
        };
        table.add_row([
            Cell::new(&finished.name),
            Cell::new(regime),
            Cell::new(finished.word())
                .fg(colour)
                .add_attribute(Attribute::Bold),
            Cell::new(format!("{:.1}", finished.seconds)),
            Cell::new(finished.decided_by()),
        ]);
    }
    table.to_string()
}

/// The comparison with a baseline: its sentence, notes and findings, a line each.
pub fn comparison_text(comparison: &Comparison) -> String {
    let mut text = comparison.sentence();
    for note in &comparison.notes {
        let _ = write!(text, "\nwarning: {}", note.line());
    }
    for change in comparison.findings() {
        let _ = write!(text, "\n{}: {}", numbered(change), change.sentence());
    }
    text
}

/// `mean of u (2)`.
pub(super) fn numbered(change: &crate::verify::CheckChange) -> String {
    format!("{} ({})", change.title(), change.number)
}
