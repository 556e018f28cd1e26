//! Data from a CSV file: columns by name, split at random, every cell that is not a number refused with its line.

mod table;

use std::path::Path;

use super::{Result, choose, fail};
use crate::models::{Data, Samples};
use crate::scenario::DataSpec;
use crate::scenario::stream::stream;
use table::Table;

const FILE: &str = "data.file";

/// Reads the data of a section with `file`; its path is taken from `folder`, that of the scenario.
///
/// The file is comma-separated text in UTF-8 with a header of column names and as many cells in every row; blanks around
/// cells and empty lines are skipped. Columns that are neither feature nor target may hold anything.
///
/// `train` rows, chosen at random by `seed`, are trained on and the others held out, both in the order of the file. With
/// `standardise` each column becomes (x − μ)/s with the mean μ and the standard deviation s (divisor N) of its training
/// rows.
///
/// # Errors
/// A key missing, out of range or without meaning here; a column that is not there; anything wrong with the file, with its
/// line; training rows with equal inputs and unequal targets, which no function fits.
pub fn read(spec: &DataSpec, folder: &Path) -> Result<Data> {
    if !spec.is_from_file()? {
        return fail("data.samples", "the data are not read from a file", "");
    }
    let name = spec.file.as_deref().unwrap_or_default();
    let features = columns("data.features", spec.features.as_deref(), &[])?;
    let targets = columns("data.targets", spec.targets.as_deref(), features)?;
    let table = Table::read(&folder.join(name), features, targets)?;
    let count = table.rows.len();
    let train = spec.train.unwrap_or(count);
    if train == 0 || train > count {
        return fail(
            "data.train",
            format!(
                "data.train must lie between 1 and {count}, the rows of {}, not {train}",
                table.shown
            ),
            "leave it out to train on all rows",
        );
    }
    let mut trained = vec![false; count];
    for row in choose(&mut stream(spec.seed, b"split", 0), count, train) {
        trained[row] = true;
    }
    table.refuse_contradictions(&trained)?;
    let mut rows: Vec<Vec<f64>> = table.rows.iter().map(|row| row.values.clone()).collect();
    if spec.standardise.unwrap_or(false) {
        for (column, name) in features.iter().chain(targets).enumerate() {
            standardise(&mut rows, column, &trained).or_else(|message| {
                fail(
                    "data.standardise",
                    format!("{}: column `{name}` {message}", table.shown),
                    "leave the column out, or standardise = false",
                )
            })?;
        }
    }
    let part = |wanted: bool| {
        let chosen = || {
            rows.iter()
                .zip(&trained)
                .filter(move |(_, t)| **t == wanted)
        };
        let cells = |(row, _): (&Vec<f64>, &bool)| row.clone();
        Samples {
            count: chosen().count(),
            inputs: chosen()
                .map(cells)
                .flat_map(|row| row[..features.len()].to_vec())
                .collect(),
            targets: chosen()
                .map(cells)
                .flat_map(|row| row[features.len()..].to_vec())
                .collect(),
        }
    };
    Ok(Data {
        features: features.len(),
        targets: targets.len(),
        train: part(true),
        test: part(false),
        truth: Vec::new(),
    })
}

/// The rows of some columns of a CSV file, or of all of them.
///
/// # Errors
/// As [`read`], for the file.
pub fn rows(path: &Path, wanted: Option<&[String]>) -> Result<Vec<Vec<f64>>> {
    let table = match wanted {
        Some(names) => Table::read(path, names, &[])?,
        None => {
            let mut reader = ::csv::ReaderBuilder::new()
                .trim(::csv::Trim::All)
                .from_path(path)
                .or_else(|error| {
                    fail(FILE, format!("can't read {}: {error}", path.display()), "")
                })?;
            let header = reader
                .headers()
                .or_else(|error| fail(FILE, format!("{}: {error}", path.display()), ""))?;
            let names: Vec<String> = header.iter().map(String::from).collect();
            Table::read(path, &names, &[])?
        }
    };
    Ok(table.rows.into_iter().map(|row| row.values).collect())
}

/// The names of a key, none of them twice and none among the `others`.
fn columns<'a>(
    key: &'static str,
    names: Option<&'a [String]>,
    others: &[String],
) -> Result<&'a [String]> {
    let Some(names) = names else {
        return fail(
            "data",
            format!("data from a file need {key}"),
            "give a list of names of columns",
        );
    };
    if names.is_empty() {
        return fail(key, format!("{key} is empty"), "name at least one column");
    }
    for (i, name) in names.iter().enumerate() {
        if names[..i].contains(name) {
            return fail(key, format!("column `{name}` is named twice"), "");
        }
        if others.contains(name) {
            let message = format!("column `{name}` is both a feature and a target");
            return fail(key, message, "");
        }
    }
    Ok(names)
}

/// Shifts and scales a column by mean and standard deviation of its training rows; what is wrong with it otherwise.
fn standardise(
    rows: &mut [Vec<f64>],
    column: usize,
    trained: &[bool],
) -> std::result::Result<(), String> {
    let values: Vec<f64> = rows
        .iter()
        .zip(trained)
        .filter(|(_, t)| **t)
        .map(|(row, _)| row[column])
        .collect();
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let square = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let deviation = square.sqrt();
    let largest = values.iter().fold(0.0, |a: f64, x| a.max(x.abs()));
    if !deviation.is_finite() {
        return Err(format!(
            "reaches {largest:e}: its standard deviation is not a finite number"
        ));
    }
    if deviation <= 1e-12 * largest {
        return Err(format!(
            "is constant ({}) in the {n} training rows: it can't be scaled to standard deviation 1",
            values[0]
        ));
    }
    for row in rows {
        row[column] = (row[column] - mean) / deviation;
    }
    Ok(())
}
#[cfg(test)]
mod tests;
