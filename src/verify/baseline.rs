//! A verdict against an earlier one: estimates that moved beyond their joint uncertainty, checks that changed or vanished.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Check, FORMAT, Table, Verdict};
use crate::statistics::{Change, Measured, change, holm};
use crate::warning::Warning;

/// An earlier verdict.
#[derive(Clone, Debug)]
pub struct Baseline {
    /// The file.
    pub path: PathBuf,
    /// What it says.
    pub verdict: Verdict,
}

/// Why there is no earlier verdict to compare with.
#[derive(Debug, thiserror::Error)]
pub enum BaselineError {
    /// The file can't be read.
    #[error(
        "can't read the baseline {path}: {source}; give a verdict.json, or a folder that `singlim verify` has written"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is something else.
    #[error("the baseline {path} is no verdict.json of singlim: {reason}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A later program wrote it.
    #[error(
        "the baseline {path} has layout {found} and was written by a newer singlim; this one reads layouts up to {FORMAT}: update singlim, or make the baseline anew"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its layout.
        found: u64,
    },
}

impl Baseline {
    /// Reads a `verdict.json`, or that of a run folder.
    ///
    /// # Errors
    /// The file can't be read, is no verdict, or a newer program's.
    pub fn read(path: &Path) -> Result<Self, BaselineError> {
        let path = if path.is_dir() {
            path.join("verdict.json")
        } else {
            path.to_owned()
        };
        let text = std::fs::read_to_string(&path).map_err(|source| BaselineError::Read {
            path: path.clone(),
            source,
        })?;
        let malformed = |error: serde_json::Error| BaselineError::Malformed {
            path: path.clone(),
            reason: error.to_string(),
        };
        let mut value: Value = serde_json::from_str(&text).map_err(malformed)?;
        match value["format"].as_u64() {
            Some(found) if found > u64::from(FORMAT) => Err(BaselineError::Newer { path, found }),
            _ => {
                // Not compared, and free to change.
                if let Some(fields) = value.as_object_mut() {
                    fields.remove("budget");
                    fields.remove("power");
                }
                let verdict = serde_json::from_value(value).map_err(malformed)?;
                Ok(Self { path, verdict })
            }
        }
    }

    /// Reads each of several paths; of a folder without a `verdict.json`, the run folders in it.
    ///
    /// # Errors
    /// As [`Baseline::read`]; a folder without any run.
    pub fn read_all(paths: &[PathBuf]) -> Result<Vec<Self>, BaselineError> {
        let mut all = Vec::new();
        for path in paths {
            let mut runs = Vec::new();
            if path.is_dir() && !path.join("verdict.json").exists() {
                let entries = std::fs::read_dir(path).map_err(|source| BaselineError::Read {
                    path: path.clone(),
                    source,
                })?;
                runs.extend(entries.flatten().map(|entry| entry.path()));
                runs.retain(|run| run.join("verdict.json").exists());
                runs.sort();
            }
            if runs.is_empty() {
                all.push(Self::read(path)?);
            }
            for run in runs {
                all.push(Self::read(&run)?);
            }
        }
        Ok(all)
    }

    /// Name of its scenario; that of the run folder if the verdict does not say.
    pub fn name(&self) -> String {
        let folder = || {
            let folder = self.path.parent()?.file_name()?;
            Some(folder.to_string_lossy().into_owned())
        };
        match &self.verdict.subject {
            Some(subject) => subject.name.clone(),
            None => folder().unwrap_or_default(),
        }
    }
}

/// What became of a check, from harmless to not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Finding {
    /// Nothing of note.
    Same,
    /// It was not asked before.
    New,
    /// Its verdict is better.
    Better,
    /// Its verdict is worse.
    Worse,
    /// It is not asked any more.
    Vanished,
    /// Its estimate moved beyond the joint uncertainty.
    Moved,
}

impl Finding {
    /// Whether it is a step back.
    pub fn is_regression(self) -> bool {
        self >= Self::Worse
    }
}

impl std::fmt::Display for Finding {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(match self {
            Self::Same => "same",
            Self::New => "new",
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Vanished => "vanished",
            Self::Moved => "moved",
        })
    }
}

/// One check then and now.
#[derive(Clone, Debug, PartialEq)]
pub struct CheckChange {
    /// Then.
    pub before: Option<Check>,
    /// Now.
    pub after: Option<Check>,
    /// Which of those of the same name on the same observable, from 1 in the order of the verdict.
    pub number: usize,
    /// The estimates' difference, where both have an interval.
    pub change: Option<Change>,
    /// Its p-value after Holm's procedure over all checks.
    pub adjusted: Option<f64>,
    /// What became of it.
    pub finding: Finding,
}

impl CheckChange {
    /// `mean of u`.
    pub fn title(&self) -> String {
        let check = self.after.as_ref().or(self.before.as_ref());
        check.map_or(String::new(), Check::title)
    }

    /// What happened, in words.
    pub fn sentence(&self) -> String {
        let verdict = |check: &Option<Check>| {
            check
                .as_ref()
                .map_or("none".into(), |check| check.verdict.to_string())
        };
        let (before, after) = (verdict(&self.before), verdict(&self.after));
        match (self.finding, &self.change, self.adjusted) {
            (Finding::Vanished, ..) => format!("is not checked any more; it was {before}"),
            (Finding::New, ..) => format!("was not checked before; it is {after}"),
            (Finding::Moved, Some(change), Some(adjusted)) => format!(
                "moved by {:.3e}, with a joint standard error of {:.1e} (Holm: p = {adjusted:.1e}); {before} then, {after} now",
                change.difference, change.std_error
            ),
            _ => format!("{before} then, {after} now"),
        }
    }
}

/// A verdict against its baseline.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The baseline's file.
    pub path: PathBuf,
    /// Every check of either.
    pub changes: Vec<CheckChange>,
    /// The probability with which any estimate is called moved by chance, at most.
    pub false_alarm_rate: f64,
    /// What else differs.
    pub notes: Vec<Warning>,
}

impl Comparison {
    /// Compares. Estimates have moved if |e₂ − e₁| is significant against √(se₁² + se₂²), by Holm's procedure over all checks
    /// at the verdict's false-alarm rate. With one seed for both runs the estimates share their random numbers; then the
    /// joint standard error is an upper bound, and the false-alarm rate too.
    pub fn of(baseline: &Baseline, now: &Verdict) -> Self {
        let then = &baseline.verdict;
        let levels = [then, now].map(|v| v.level.unwrap_or(0.5 * v.false_alarm_rate));
        let (mut before, after) = (numbered(&then.checks), numbered(&now.checks));
        let mut changes: Vec<CheckChange> = Vec::new();
        for (number, check) in after {
            let same = |(n, other): &(usize, &Check)| {
                *n == number && other.name == check.name && other.observable == check.observable
            };
            let found = before.iter().position(same).map(|at| before.remove(at).1);
            let finding = match found {
                None => Finding::New,
                Some(other) if check.verdict > other.verdict => Finding::Worse,
                Some(other) if check.verdict < other.verdict => Finding::Better,
                Some(_) => Finding::Same,
            };
            changes.push(CheckChange {
                before: found.cloned(),
                after: Some(check.clone()),
                number,
                change: found.and_then(|other| moved(other, check, levels)),
                adjusted: None,
                finding,
            });
        }
        changes.extend(before.into_iter().map(|(number, check)| CheckChange {
            before: Some(check.clone()),
            after: None,
            number,
            change: None,
            adjusted: None,
            finding: Finding::Vanished,
        }));
        let rate = now.false_alarm_rate;
        let tested: Vec<_> = changes
            .iter_mut()
            .filter(|change| change.change.is_some())
            .collect();
        let p_values: Vec<_> = tested
            .iter()
            .filter_map(|change| Some(change.change?.p_value))
            .collect();
        let adjusted = holm(&p_values).unwrap_or_default();
        for (change, adjusted) in tested.into_iter().zip(adjusted) {
            change.adjusted = Some(adjusted);
            if adjusted <= rate {
                change.finding = Finding::Moved;
            }
        }
        Self {
            path: baseline.path.clone(),
            changes,
            false_alarm_rate: rate,
            notes: notes(then, now),
        }
    }

    /// Whether anything is a step back: an estimate moved, a verdict is worse, a check vanished.
    pub fn is_regression(&self) -> bool {
        self.changes.iter().any(|c| c.finding.is_regression())
    }

    /// Those with a finding.
    pub fn findings(&self) -> impl Iterator<Item = &CheckChange> {
        self.changes
            .iter()
            .filter(|change| change.finding != Finding::Same)
    }

    /// In one sentence.
    pub fn sentence(&self) -> String {
        let count = |wanted: fn(Finding) -> bool| {
            let found = self.changes.iter().filter(|c| wanted(c.finding)).count();
            (found > 0).then_some(found)
        };
        let parts: Vec<String> = [
            (count(|f| f == Finding::Moved), "moved"),
            (count(|f| f == Finding::Worse), "got worse"),
            (count(|f| f == Finding::Vanished), "vanished"),
            (count(|f| f == Finding::Better), "got better"),
            (count(|f| f == Finding::New), "are new"),
        ]
        .iter()
        .filter_map(|(count, what)| Some(format!("{} {what}", (*count)?)))
        .collect();
        let found = if parts.is_empty() {
            "nothing changed".into()
        } else {
            parts.join(", ")
        };
        let word = if self.is_regression() {
            "REGRESSION"
        } else {
            "no regression"
        };
        format!(
            "{word} against {}: of {} checks {found} (false-alarm rate of moves at most {}, all checks together)",
            self.path.display(),
            self.changes.len(),
            self.false_alarm_rate
        )
    }

    /// All of it, as evidence beside the verdict.
    pub fn table(&self) -> Table {
        let number = |x: Option<f64>| {
            x.filter(|x| x.is_finite())
                .map_or(String::new(), |x| x.to_string())
        };
        let word = |check: &Option<Check>| {
            let verdict = check.as_ref().map(|check| check.verdict.to_string());
            verdict.unwrap_or_default()
        };
        let row = |c: &CheckChange| {
            let named = c.after.as_ref().or(c.before.as_ref());
            vec![
                named.map_or(String::new(), |check| check.name.clone()),
                named
                    .and_then(|check| check.observable.clone())
                    .unwrap_or_default(),
                c.number.to_string(),
                c.finding.to_string(),
                word(&c.before),
                word(&c.after),
                number(c.before.as_ref().and_then(|check| check.estimate)),
                number(c.after.as_ref().and_then(|check| check.estimate)),
                number(c.change.map(|change| change.difference)),
                number(c.change.map(|change| change.std_error)),
                number(c.change.map(|change| change.p_value)),
                number(c.adjusted),
            ]
        };
        Table {
            name: "baseline",
            header: vec![
                "name",
                "observable",
                "number",
                "finding",
                "verdict_before",
                "verdict_after",
                "estimate_before",
                "estimate_after",
                "difference",
                "std_error",
                "p_value",
                "p_holm",
            ],
            rows: self.changes.iter().map(row).collect(),
        }
    }
}

/// Each check with its number among those of the same name on the same observable, from 1.
fn numbered(checks: &[Check]) -> Vec<(usize, &Check)> {
    let number = |i: usize| {
        let check: &Check = &checks[i];
        let alike =
            |other: &&Check| other.name == check.name && other.observable == check.observable;
        (checks[..=i].iter().filter(alike).count(), check)
    };
    (0..checks.len()).map(number).collect()
}

/// None unless both have an estimate with an interval.
fn moved(before: &Check, after: &Check, levels: [f64; 2]) -> Option<Change> {
    let measured = |check: &Check, level| {
        Some(Measured {
            estimate: check.estimate?,
            interval: check.interval?,
            level,
        })
    };
    change(measured(before, levels[0])?, measured(after, levels[1])?).ok()
}

fn notes(then: &Verdict, now: &Verdict) -> Vec<Warning> {
    let (Some(before), Some(after)) = (&then.subject, &now.subject) else {
        return vec![Warning::BaselineUnnamed];
    };
    let mut notes = Vec::new();
    if before.name != after.name {
        let name = before.name.clone();
        notes.push(Warning::BaselineOfAnother { name });
    }
    let mut keys = Vec::new();
    changed_keys(&before.scenario, &after.scenario, "", &mut keys);
    keys.retain(|key| key != "seed");
    if before.seed == after.seed && keys.is_empty() {
        notes.push(Warning::SharedSeed { seed: after.seed });
    }
    if !keys.is_empty() {
        notes.push(Warning::ScenarioChanged { keys });
    }
    notes
}

/// Dotted names of the keys whose values differ; lists are compared as wholes.
fn changed_keys(before: &Value, after: &Value, prefix: &str, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(a), Value::Object(b)) => {
            let mut keys: Vec<_> = a.keys().chain(b.keys()).collect();
            keys.sort();
            keys.dedup();
            for key in keys {
                let name = if prefix.is_empty() {
                    key.clone()
                } else {
                    format!("{prefix}.{key}")
                };
                let value = |map: &serde_json::Map<String, Value>| map.get(key).cloned();
                let (a, b) = (value(a), value(b));
                changed_keys(&a.unwrap_or_default(), &b.unwrap_or_default(), &name, found);
            }
        }
        _ if !same_value(before, after) => found.push(prefix.to_owned()),
        _ => {}
    }
}

/// JSON text may round the last bit of a number.
fn same_value(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => match (a.as_f64(), b.as_f64()) {
            (Some(x), Some(y)) => (x - y).abs() <= 1e-15 * x.abs(),
            _ => a == b,
        },
        (Value::Array(x), Value::Array(y)) => {
            x.len() == y.len() && x.iter().zip(y).all(|(x, y)| same_value(x, y))
        }
        _ => a == b,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::derive::Regime;
    use crate::statistics::{Interval, Outcome};
    use crate::verify::Subject;
    use serde_json::json;

    /// Half-widths are those of a standard error of 0.1 at level 1 %.
    fn check(name: &str, verdict: Outcome, estimate: f64) -> Check {
        let interval = Interval::around(estimate, 0.232_634_787);
        Check::of(name, verdict, String::new())
            .with(estimate, interval, 0.0, 1.0)
            .on("u")
    }

    fn verdict(checks: Vec<Check>) -> Verdict {
        Verdict {
            verdict: Outcome::worst(checks.iter().map(|check| check.verdict)),
            regime: Regime::Degenerate,
            sentence: String::new(),
            false_alarm_rate: 0.02,
            planted_faults: Vec::new(),
            power: None,
            budget: Vec::new(),
            format: FORMAT,
            level: Some(0.01),
            subject: Some(Subject {
                name: "s".into(),
                seed: 1,
                scenario: json!({"seed": 1, "ladder": {"paths": 8, "sigma": 0.3}}),
            }),
            checks,
            errors: Vec::new(),
            tables: Vec::new(),
        }
    }

    fn compare(before: Vec<Check>, after: Vec<Check>) -> Comparison {
        let baseline = Baseline {
            path: "verdict.json".into(),
            verdict: verdict(before),
        };
        Comparison::of(&baseline, &verdict(after))
    }

    fn findings(comparison: &Comparison) -> Vec<Finding> {
        comparison.changes.iter().map(|c| c.finding).collect()
    }

    #[test]
    fn a_verdict_against_itself_is_the_same_in_all_checks() {
        use Outcome::{Inconclusive, Pass};
        let checks = vec![check("mean", Pass, 0.1), check("mean", Inconclusive, 0.9)];
        let comparison = compare(checks.clone(), checks);
        assert_eq!(findings(&comparison), [Finding::Same; 2]);
        assert!(!comparison.is_regression());
        assert_eq!(comparison.changes[1].change.unwrap().p_value, 1.0);
    }

    #[test]
    fn worse_vanished_and_moved_are_regressions_and_better_and_new_are_not() {
        use Outcome::{Inconclusive, Pass, Rejected};
        let compared = compare(
            vec![
                check("a", Pass, 0.0),
                check("b", Rejected, 0.0),
                check("c", Pass, 0.0),
                check("d", Pass, 0.0),
            ],
            vec![
                check("a", Inconclusive, 0.0),
                check("b", Pass, 0.0),
                check("c", Pass, 1.0),
                check("e", Pass, 0.0),
            ],
        );
        use Finding::{Better, Moved, New, Vanished, Worse};
        assert_eq!(findings(&compared), [Worse, Better, Moved, New, Vanished]);
        let regressions = |c: &Comparison| {
            c.changes
                .iter()
                .filter(|c| c.finding.is_regression())
                .count()
        };
        assert_eq!(regressions(&compared), 3);
        assert!(
            compared
                .sentence()
                .starts_with("REGRESSION against verdict.json: of 5 checks 1 moved")
        );
        assert_eq!(compared.table().rows.len(), 5);
        assert!(compared.table().rows.iter().all(|row| row.len() == 12));
    }

    /// 0.38 is 2.7 joint standard errors, p = 0.007: significant alone at 2 %, not among 20.
    #[test]
    fn a_move_is_judged_among_all_checks() {
        let alone = compare(
            vec![check("a", Outcome::Pass, 0.0)],
            vec![check("a", Outcome::Pass, 0.38)],
        );
        assert_eq!(findings(&alone), [Finding::Moved]);
        let many = |first: f64| {
            let estimates = std::iter::once(first).chain([0.0; 19]);
            estimates.map(|e| check("a", Outcome::Pass, e)).collect()
        };
        assert_eq!(
            findings(&compare(many(0.0), many(0.38))),
            [Finding::Same; 20]
        );
    }

    #[test]
    fn a_changed_scenario_is_said_key_by_key() {
        let now = verdict(Vec::new());
        let mut then = now.clone();
        assert!(
            notes(&then, &now)[0]
                .to_string()
                .contains("share their random numbers")
        );
        let subject = then.subject.as_mut().unwrap();
        subject.seed = 2;
        subject.scenario = json!({"seed": 2, "ladder": {"paths": 16, "records": 3, "sigma": 0.3}});
        let said = notes(&then, &now);
        assert_eq!(said.len(), 1);
        assert!(
            said[0]
                .to_string()
                .contains("ladder.paths, ladder.records changed"),
            "{said:?}"
        );
        then.subject = None;
        assert!(notes(&then, &now)[0].to_string().contains("does not say"));
    }

    #[test]
    fn verdicts_are_written_and_read_back_and_those_of_the_first_layout_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("verdict.json");
        let write = |value: &Value| std::fs::write(&path, value.to_string()).unwrap();
        let mut here = verdict(vec![check("a", Outcome::Pass, 0.0)]);
        here.checks[0].interval = Some(Interval {
            lower: 0.0,
            upper: f64::INFINITY,
        });
        let mut value = serde_json::to_value(&here).unwrap();
        write(&value);
        let read = Baseline::read(folder.path()).unwrap();
        assert_eq!(read.name(), "s");
        assert_eq!(read.verdict.checks[0].interval, None, "an open interval");
        for key in ["format", "level", "subject"] {
            value.as_object_mut().unwrap().remove(key);
        }
        write(&value);
        let read = Baseline::read(&path).unwrap();
        assert_eq!((read.verdict.format, read.verdict.level), (1, None));
        value["format"] = json!(99);
        write(&value);
        let refused = Baseline::read(&path).unwrap_err().to_string();
        assert!(
            refused.contains("layout 99") && refused.contains("newer"),
            "{refused}"
        );
    }
}
