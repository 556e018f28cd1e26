//! Columns of numbers in a CSV file, with the line of every row; whatever is wrong is refused with its place.

use std::collections::HashMap;
use std::path::Path;

use super::FILE;
use crate::scenario::data::{MOST_VALUES, Result, fail};
use crate::scenario::load::nearest;

/// Cells that other programs write for a missing value.
const MISSING: [&str; 7] = ["", "na", "n/a", "nan", "null", "none", "?"];

/// The columns asked for, features before targets.
pub(super) struct Table {
    /// The path of the file.
    pub(super) shown: String,
    features: usize,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    line: usize,
    pub(super) values: Vec<f64>,
}

impl Table {
    pub(super) fn read(path: &Path, features: &[String], targets: &[String]) -> Result<Self> {
        let shown = path.display().to_string();
        let bytes = std::fs::read(path).or_else(|error| {
            fail(
                FILE,
                format!("can't read {shown}: {error}"),
                "the path is taken from the folder of the scenario",
            )
        })?;
        if let Err(error) = std::str::from_utf8(&bytes) {
            let line = line_of(&bytes, error.valid_up_to());
            let message = format!("{shown}:{line}: not text in UTF-8");
            return fail(
                FILE,
                message,
                "save the file as CSV with the encoding UTF-8",
            );
        }
        let mut reader = ::csv::ReaderBuilder::new()
            .flexible(true)
            .trim(::csv::Trim::All)
            .has_headers(false)
            .from_reader(bytes.as_slice());
        let mut records = reader.records();
        let mut next = || {
            records.next().transpose().or_else(|error| {
                let help = "the file must be comma-separated text";
                fail(FILE, format!("{shown}: {error}"), help)
            })
        };
        let line = |record: &::csv::StringRecord| {
            let byte = record.position().map_or(0, ::csv::Position::byte);
            line_of(&bytes, usize::try_from(byte).unwrap_or(usize::MAX))
        };
        let Some(header) = next()? else {
            let message = format!("{shown} is empty");
            return fail(
                FILE,
                message,
                "it needs a header of names and rows of numbers",
            );
        };
        let place = format!("{shown}:{}", line(&header));
        let header: Vec<&str> = header.iter().collect();
        check_header(&place, &header)?;
        let mut wanted = Vec::new();
        for (key, names) in [("data.features", features), ("data.targets", targets)] {
            for name in names {
                wanted.push(find(key, name, &header, &place)?);
            }
        }
        let mut rows = Vec::new();
        while let Some(record) = next()? {
            let place = format!("{shown}:{}", line(&record));
            if record.len() != header.len() {
                let message = format!(
                    "{place}: the row has {} cells, but the header has {}",
                    record.len(),
                    header.len()
                );
                let help =
                    "separate cells by commas, write numbers with a point, close every quote";
                return fail(FILE, message, help);
            }
            let values = wanted
                .iter()
                .map(|&i| number(&record[i], &place, header[i]))
                .collect::<Result<Vec<f64>>>()?;
            rows.push(Row {
                line: line(&record),
                values,
            });
            if (rows.len() * wanted.len()) as f64 > MOST_VALUES {
                let message = format!("{shown} has more than {MOST_VALUES:e} numbers");
                return fail(FILE, message, "take a part of it");
            }
        }
        if rows.is_empty() {
            let message = format!("{shown} has a header but no rows");
            return fail(FILE, message, "add rows of numbers below the header");
        }
        Ok(Self {
            shown,
            features: features.len(),
            rows,
        })
    }

    /// Refuses training rows that no function fits.
    pub(super) fn refuse_contradictions(&self, trained: &[bool]) -> Result<()> {
        let mut seen: HashMap<Vec<u64>, &Row> = HashMap::new();
        for (row, _) in self.rows.iter().zip(trained).filter(|(_, t)| **t) {
            let (inputs, targets) = row.values.split_at(self.features);
            // −0 + 0 = 0: the two zeros are the same input.
            let key = inputs.iter().map(|x| (x + 0.0).to_bits()).collect();
            let first = seen.entry(key).or_insert(row);
            if first.values[self.features..] != *targets {
                return fail(
                    "data.features",
                    format!(
                        "{}: lines {} and {} have the same features but different targets: no function fits both, so the loss has no zero",
                        self.shown, first.line, row.line
                    ),
                    "add a feature that tells them apart, or leave one of the rows out",
                );
            }
        }
        Ok(())
    }
}

/// The line, counted from 1, of the first byte from `byte` on that is no line end.
fn line_of(bytes: &[u8], byte: usize) -> usize {
    let blank = |b: &&u8| matches!(b, b'\n' | b'\r');
    let rest = bytes.get(byte..).unwrap_or_default();
    let to = byte + rest.iter().take_while(blank).count();
    let before = &bytes[..to.min(bytes.len())];
    before.iter().filter(|&&b| b == b'\n').count() + 1
}

fn check_header(place: &str, header: &[&str]) -> Result<()> {
    if header.iter().all(|name| name.parse::<f64>().is_ok()) {
        let message = format!("{place}: the first line has numbers, not names of columns");
        return fail(
            FILE,
            message,
            "put a header with the names of the columns above it",
        );
    }
    for (i, name) in header.iter().enumerate() {
        if let Some(first) = header[..i].iter().position(|other| other == name) {
            let message = format!(
                "{place}: the columns {} and {} are both named `{name}`",
                first + 1,
                i + 1
            );
            return fail(FILE, message, "give each column a name of its own");
        }
    }
    Ok(())
}

/// The position of a column.
fn find(key: &'static str, name: &str, header: &[&str], place: &str) -> Result<usize> {
    if let Some(i) = header.iter().position(|column| *column == name) {
        return Ok(i);
    }
    let help = match header {
        [all] if all.contains([';', '\t']) => "separate the cells by commas".to_owned(),
        _ => nearest(name, header),
    };
    fail(key, format!("{place}: there is no column `{name}`"), help)
}

/// The finite number in a cell.
fn number(cell: &str, place: &str, column: &str) -> Result<f64> {
    if MISSING.contains(&cell.to_lowercase().as_str()) {
        let what = if cell.is_empty() {
            "is empty".to_owned()
        } else {
            format!("is missing ({cell})")
        };
        return fail(
            FILE,
            format!("{place}: column `{column}` {what}"),
            "fill it in or delete the row: no row is left out silently",
        );
    }
    let refuse = |what: &str, help: &str| {
        let message = format!("{place}: column `{column}` is \"{cell}\", {what}");
        fail(FILE, message, help)
    };
    match cell.parse::<f64>() {
        Ok(x) if x.is_finite() => Ok(x),
        Ok(_) => refuse("not a finite number", "correct it or delete the row"),
        Err(_) => refuse(
            "not a number",
            "write numbers with a decimal point, and text as 0 and 1 or in a column that is not used",
        ),
    }
}
