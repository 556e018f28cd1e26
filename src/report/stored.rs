//! A run folder as it was left on disk: all that a figure or a report may look at.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};

use super::{Manifest, ReportError};
use crate::models::CARDS;
use crate::verify::Verdict;

/// Why no figure or report can be made.
#[derive(Debug, thiserror::Error)]
pub enum StoredError {
    /// A run folder without one of its files, or with one that can't be read.
    #[error(
        "can't read {path}: {reason}; is it a run folder of `singlim verify`, `descend` or `limit`?"
    )]
    Read {
        /// The file.
        path: PathBuf,
        /// What went wrong.
        reason: String,
    },
    /// A figure that there is not.
    #[error("there is no figure `{name}`; there are: {}{}", .known.join(", "), did_you_mean(.name, .known))]
    NoFigure {
        /// As asked for.
        name: String,
        /// All names.
        known: Vec<&'static str>,
    },
    /// A figure whose data this run has not.
    #[error("the run {run} has no data for the figure `{name}` ({needs}); it has: {}", .there.join(", "))]
    NotInRun {
        /// The run folder.
        run: PathBuf,
        /// The figure.
        name: String,
        /// What the figure is made of.
        needs: &'static str,
        /// The figures that can be drawn.
        there: Vec<&'static str>,
    },
    /// An image that could not be made.
    #[error("can't draw the figure `{0}` as an image: {1}")]
    Image(String, String),
    /// Something can't be written.
    #[error(transparent)]
    Write(#[from] ReportError),
}

impl StoredError {
    /// There is no figure of that name.
    pub(super) fn no_figure(name: &str) -> Self {
        Self::NoFigure {
            name: name.to_owned(),
            known: super::figures::names(),
        }
    }
}

fn did_you_mean(name: &str, known: &[&'static str]) -> String {
    let near = known
        .iter()
        .map(|other| (strsim::jaro_winkler(name, other), other))
        .max_by(|a, b| a.0.total_cmp(&b.0));
    match near {
        Some((likeness, other)) if likeness > 0.7 => format!("; did you mean `{other}`?"),
        _ => String::new(),
    }
}

/// A run folder: the manifest, the verdict if it has one, and the tables.
#[derive(Debug)]
pub struct StoredRun {
    /// The folder.
    pub path: PathBuf,
    /// Its name, unless the verdict knows the scenario's.
    pub name: String,
    /// `manifest.json`.
    pub manifest: Manifest,
    /// `verdict.json`; none of a run that simulated one side only.
    pub verdict: Option<Verdict>,
    tables: HashMap<&'static str, StoredTable>,
}

/// The tables that are read; each may be missing.
const READ: &[&str] = &[
    "bands",
    "calibration",
    "collapse",
    "curve",
    "density",
    "ellipse",
    "errors",
    "exponents",
    "fall",
    "laws",
    "orders",
    "plane",
    "quantiles",
    "rungs",
    "summary",
];

impl StoredRun {
    /// Reads a folder. Tables that are not there are empty.
    ///
    /// # Errors
    /// There is no manifest or no summary, or a file is damaged.
    pub fn read(path: &Path) -> Result<Self, StoredError> {
        let manifest: Manifest = json(&path.join("manifest.json"))?;
        let verdict = path.join("verdict.json");
        let verdict: Option<Verdict> = if verdict.exists() {
            Some(json(&verdict)?)
        } else {
            None
        };
        let mut tables = HashMap::new();
        for &name in READ {
            let file = path.join(format!("{name}.csv"));
            if file.exists() || name == "summary" {
                tables.insert(name, StoredTable::read(&file)?);
            }
        }
        let folder = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let folder = folder.file_name().unwrap_or(path.as_os_str());
        Ok(Self {
            name: folder.to_string_lossy().into_owned(),
            path: path.to_owned(),
            manifest,
            verdict,
            tables,
        })
    }

    /// A run of a made-up scenario with these tables.
    #[cfg(test)]
    pub fn made_up(tables: HashMap<&'static str, StoredTable>) -> Self {
        let manifest = serde_json::json!({
            "program": "singlim", "version": "0", "command": "verify", "seed": 1, "scenario": {"noise": [{"kind": "label"}]},
            "machine": {"system": "", "cores": 1, "threads": 1, "instruction_set": ""}, "started": "", "ended": "",
            "wall_seconds": 1.0, "path_steps": 1,
        });
        Self {
            path: "made-up".into(),
            name: "made-up".into(),
            manifest: serde_json::from_value(manifest).expect("a manifest"),
            verdict: None,
            tables,
        }
    }

    /// A table without its ending; an empty one where there is none.
    pub fn table(&self, name: &str) -> &StoredTable {
        static NONE: StoredTable = StoredTable {
            header: Vec::new(),
            rows: Vec::new(),
        };
        self.tables.get(name).unwrap_or(&NONE)
    }

    /// A field of the scenario as resolved, by the names on the way to it.
    pub fn scenario(&self, keys: &[&str]) -> Option<&serde_json::Value> {
        keys.iter()
            .try_fold(&self.manifest.scenario, |value, key| value.get(key))
    }

    /// The noise in words, as `label` or `dropout (bernoulli) + minibatch of 8`.
    pub fn noise(&self) -> String {
        let of = |noise: &serde_json::Value| {
            let word = |key: &str| noise.get(key).and_then(|value| value.as_str());
            let law = match (
                noise.get("batch_size").and_then(|b| b.as_u64()),
                word("law"),
            ) {
                (Some(size), _) => format!(" of {size}"),
                (None, None | Some("gaussian")) => String::new(),
                (None, Some(law)) => format!(" ({law})"),
            };
            format!("{}{law}", word("kind").unwrap_or("?"))
        };
        let noises = self.scenario(&["noise"]).and_then(|noise| noise.as_array());
        let noises = noises.into_iter().flatten().map(of);
        noises.collect::<Vec<_>>().join(" + ")
    }

    /// The formula of the loss: that of the model, or the one that the scenario states.
    pub fn loss(&self) -> String {
        let value = |key| self.scenario(&["model", key]);
        let word = |key| value(key).and_then(|word| word.as_str());
        if let Some(formula) = word("loss") {
            return format!("L̂ = {formula}");
        }
        if let Some(residuals) = value("residuals").and_then(|list| list.as_array()) {
            let residuals: Vec<_> = residuals.iter().filter_map(|r| r.as_str()).collect();
            return format!("L̂ = 1/(2N) Σ r², r = {}", residuals.join(", "));
        }
        let kind = word("kind").unwrap_or("?");
        let card = CARDS.iter().find(|card| card.name == kind);
        card.map_or_else(
            || kind.to_owned(),
            |card| format!("{}: {}", card.name, card.formula),
        )
    }

    /// The scenario's title, or its name.
    pub fn title(&self) -> &str {
        let title = self.scenario(&["title"]).and_then(|title| title.as_str());
        title
            .filter(|title| !title.is_empty())
            .unwrap_or(&self.name)
    }

    /// The observables in the order of the scenario.
    pub fn observables(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for row in self.table("summary").rows() {
            let name = row.text("observable");
            if !names.iter().any(|other| other == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// The formula of the slow clock that the limit is claimed to run on.
    pub fn clock(&self) -> String {
        let rows = self.table("collapse").rows();
        let mut claimed = rows.filter(|row| row.text("clock") == "claimed");
        claimed
            .next()
            .map_or_else(String::new, |row| row.text("formula").to_owned())
    }

    /// The confidence of the intervals, as 0.98.
    pub fn confidence(&self) -> f64 {
        let level = self.verdict.as_ref().and_then(|verdict| verdict.level);
        let margins = self.scenario(&["margins", "level"]);
        1.0 - 2.0 * level.or(margins.and_then(|x| x.as_f64())).unwrap_or(0.01)
    }
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, StoredError> {
    let fail = |reason: String| StoredError::Read {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| fail(error.to_string()))
}

/// A CSV table.
#[derive(Debug, Default)]
pub struct StoredTable {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
}

impl StoredTable {
    fn read(path: &Path) -> Result<Self, StoredError> {
        let file = std::fs::File::open(path).map_err(|error| unreadable(path, &error))?;
        Self::parse(file).map_err(|error| unreadable(path, &error))
    }

    /// Parses CSV.
    ///
    /// # Errors
    /// It can't be read, or rows have different numbers of fields.
    pub fn parse(text: impl io::Read) -> Result<Self, csv::Error> {
        let mut reader = csv::Reader::from_reader(text);
        let fields = |record: &csv::StringRecord| record.iter().map(String::from).collect();
        let header = fields(reader.headers()?);
        let rows = reader
            .records()
            .map(|record| Ok(fields(&record?)))
            .collect::<Result<_, csv::Error>>()?;
        Ok(Self { header, rows })
    }

    /// All rows.
    pub fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|fields| Row {
            header: &self.header,
            fields,
        })
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }
}

fn unreadable(path: &Path, error: &dyn std::error::Error) -> StoredError {
    StoredError::Read {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    header: &'a [String],
    fields: &'a [String],
}

impl<'a> Row<'a> {
    /// A field; empty where the column is missing.
    pub fn text(&self, column: &str) -> &'a str {
        let at = self.header.iter().position(|name| name == column);
        at.and_then(|at| self.fields.get(at))
            .map_or("", String::as_str)
    }

    /// A number; none where the field is empty or not finite.
    pub fn number(&self, column: &str) -> Option<f64> {
        self.text(column)
            .parse()
            .ok()
            .filter(|x: &f64| x.is_finite())
    }

    /// Several numbers, if all are there.
    pub fn numbers<const N: usize>(&self, columns: [&str; N]) -> Option<[f64; N]> {
        let mut numbers = [0.0; N];
        for (number, column) in numbers.iter_mut().zip(columns) {
            *number = self.number(column)?;
        }
        Some(numbers)
    }

    /// The number of a rung.
    pub fn level(&self, column: &str) -> Option<usize> {
        self.text(column).parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_give_fields_by_column_and_numbers_where_there_are() {
        let table = StoredTable::parse("a,b,c\n1,,x\n2.5,3e4,y\n".as_bytes()).unwrap();
        let rows: Vec<_> = table.rows().collect();
        assert_eq!(rows[0].number("a"), Some(1.0));
        assert_eq!(rows[0].number("b"), None);
        assert_eq!(rows[0].text("c"), "x");
        assert_eq!(rows[0].text("none"), "");
        assert_eq!(rows[1].numbers(["a", "b"]), Some([2.5, 3e4]));
        assert_eq!(rows[0].numbers(["a", "b"]), None);
        assert!(StoredTable::parse("a,b\n1\n".as_bytes()).is_err());
    }

    #[test]
    fn a_folder_that_is_no_run_says_which_file_is_missing() {
        let home = tempfile::tempdir().unwrap();
        let error = StoredRun::read(home.path()).unwrap_err().to_string();
        assert!(
            error.contains("manifest.json") && error.contains("run folder"),
            "{error}"
        );
    }
}
