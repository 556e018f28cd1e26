//! Several runs in one table: each mean at each record, on both clocks, ready to be plotted noise by noise.

use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;

/// Why runs can't be put side by side.
#[derive(Debug, thiserror::Error)]
pub enum TableError {
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
    /// The table can't be written.
    #[error("can't write the table: {0}")]
    Write(#[from] csv::Error),
    /// As above, at the end.
    #[error("can't write the table: {0}")]
    Flush(#[from] std::io::Error),
}

/// What the table needs of a manifest.
#[derive(Deserialize)]
struct Manifest {
    scenario: Scenario,
}

#[derive(Deserialize)]
struct Scenario {
    #[serde(default)]
    noise: Vec<Noise>,
}

#[derive(Deserialize)]
struct Noise {
    kind: String,
    law: String,
    batch_size: Option<usize>,
}

/// A row of `summary.csv`; numbers are handed on as they stand.
#[derive(Deserialize)]
struct Row {
    process: String,
    level: String,
    step_size: String,
    sigma: String,
    iteration: String,
    slow_time: String,
    alpha_sigma2: String,
    alpha2_sigma2: String,
    observable: String,
    paths: String,
    mean: String,
    std_error: String,
}

/// The columns of the table.
pub const COLUMNS: [&str; 14] = [
    "run",
    "noise",
    "process",
    "level",
    "step_size",
    "sigma",
    "iteration",
    "slow_time",
    "alpha_sigma2",
    "alpha2_sigma2",
    "observable",
    "paths",
    "mean",
    "std_error",
];

/// Writes the table of the run folders to `out` as CSV: `alpha_sigma2` is Σ α_k σ² and `alpha2_sigma2` Σ α_k² σ² up to the
/// iteration, both empty for the limit, which knows its own slow time only.
///
/// # Errors
/// A folder that is no run folder, a table that can't be written.
pub fn side_by_side(runs: &[PathBuf], out: impl Write) -> Result<(), TableError> {
    // Everything is read before anything is written.
    let tables: Vec<_> = runs.iter().map(|run| read(run)).collect::<Result<_, _>>()?;
    let mut table = csv::Writer::from_writer(out);
    table.write_record(COLUMNS)?;
    for (run, (noise, rows)) in runs.iter().zip(tables) {
        let name = run.file_name().unwrap_or(run.as_os_str()).to_string_lossy();
        for row in rows {
            table.write_record([
                &*name,
                &noise,
                &row.process,
                &row.level,
                &row.step_size,
                &row.sigma,
                &row.iteration,
                &row.slow_time,
                &row.alpha_sigma2,
                &row.alpha2_sigma2,
                &row.observable,
                &row.paths,
                &row.mean,
                &row.std_error,
            ])?;
        }
    }
    table.flush()?;
    Ok(())
}

fn read(run: &Path) -> Result<(String, Vec<Row>), TableError> {
    let fail = |path: &Path, reason: String| TableError::Read {
        path: path.to_owned(),
        reason,
    };
    let path = run.join("manifest.json");
    let text = std::fs::read_to_string(&path).map_err(|error| fail(&path, error.to_string()))?;
    let manifest: Manifest =
        serde_json::from_str(&text).map_err(|error| fail(&path, error.to_string()))?;
    let noise = manifest.scenario.noise.iter().map(|noise| {
        let law = match (noise.batch_size, noise.law.as_str()) {
            (Some(size), _) => format!(" of {size}"),
            (None, "gaussian") => String::new(),
            (None, law) => format!(" ({law})"),
        };
        format!("{}{law}", noise.kind)
    });
    let noise = noise.collect::<Vec<_>>().join(" + ");
    let path = run.join("summary.csv");
    let bad = |error: csv::Error| fail(&path, error.to_string());
    let mut reader = csv::Reader::from_path(&path).map_err(bad)?;
    let rows = reader
        .deserialize()
        .collect::<Result<_, _>>()
        .map_err(bad)?;
    Ok((noise, rows))
}
