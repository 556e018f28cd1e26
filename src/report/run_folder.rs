//! The run folder: files with a fixed layout, each written under a temporary name and renamed when complete.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use serde::{Deserialize, Serialize};
use tempfile::NamedTempFile;

use super::atomic::write_atomically;
use super::figure_names;
use crate::scenario::{Clock, LevelClock, ScenarioSpec, Study};
use crate::simulate::{LevelRun, LimitRun};
use crate::statistics::summarize;
use crate::verify::{Check, RungError, TABLES, Verdict};

/// Why a run can't be written.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The folder holds an earlier run.
    #[error("{0} is not empty; choose another --out, or overwrite it with --force")]
    Exists(PathBuf),
    /// The file holds something.
    #[error("{0} is not empty; choose another file, or overwrite it with --force")]
    FileExists(PathBuf),
    /// There is nothing to go on with.
    #[error(
        "can't go on with {path}: {reason}; leave --resume out to begin anew in another folder"
    )]
    NotUnfinished {
        /// The folder.
        path: PathBuf,
        /// Why not.
        reason: &'static str,
    },
    /// A file can't be read.
    #[error("can't read {path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder can't be made or written.
    #[error("can't write to {path}: {source}")]
    Write {
        /// Which file or folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// `manifest.json`: what was run, where, and how long it took.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// "singlim".
    pub program: String,
    /// Version of the program.
    pub version: String,
    /// The command: verify, descend or limit.
    pub command: String,
    /// The scenario as resolved: with defaults and `--set` filled in.
    pub scenario: serde_json::Value,
    /// The seed.
    pub seed: u64,
    /// The machine.
    pub machine: Machine,
    /// RFC 3339.
    pub started: String,
    /// RFC 3339.
    pub ended: String,
    /// Seconds from start to end.
    pub wall_seconds: f64,
    /// Processor seconds of all threads; missing where the system does not tell.
    pub cpu_seconds: Option<f64>,
    /// Steps of all paths of the iterates.
    pub path_steps: u64,
    /// Path-steps per wall second of the simulation of the iterates.
    pub path_steps_per_second: Option<f64>,
}

/// The machine of a run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Machine {
    /// Operating system and architecture.
    pub system: String,
    /// Processor cores available.
    pub cores: usize,
    /// Threads used.
    pub threads: usize,
    /// Widest vector instructions that the engine uses here.
    pub instruction_set: String,
}

impl Machine {
    /// This machine.
    pub fn here() -> Self {
        Self {
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            threads: rayon::current_num_threads(),
            instruction_set: match pulp::Arch::new() {
                #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
                pulp::Arch::V4(_) => "AVX-512",
                #[cfg(any(target_arch = "x86", target_arch = "x86_64"))]
                pulp::Arch::V3(_) => "AVX2",
                _ => "baseline",
            }
            .into(),
        }
    }
}

impl Manifest {
    /// The manifest of a study that is about to run.
    pub fn begin(command: &str, spec: &ScenarioSpec) -> Self {
        Self {
            program: env!("CARGO_PKG_NAME").into(),
            version: env!("CARGO_PKG_VERSION").into(),
            command: command.into(),
            scenario: serde_json::to_value(spec).unwrap_or_default(),
            seed: spec.seed,
            machine: Machine::here(),
            started: jiff::Timestamp::now().to_string(),
            ended: String::new(),
            wall_seconds: 0.0,
            cpu_seconds: None,
            path_steps: 0,
            path_steps_per_second: None,
        }
    }
}

/// What a run left behind; parts that a command does not make are empty.
pub struct RunRecord<'a> {
    /// The study.
    pub study: &'a Study,
    /// The clock of its slow time.
    pub clock: Clock,
    /// The scenario's text as given.
    pub scenario_text: &'a str,
    /// Iterates.
    pub levels: &'a [LevelRun],
    /// Limits.
    pub limits: &'a [LimitRun],
    /// The verdict.
    pub verdict: Option<&'a Verdict>,
}

/// A folder that is known to be writable.
#[derive(Debug)]
pub struct RunFolder {
    path: PathBuf,
}

impl RunFolder {
    /// Claims a folder before any computing: it is made if it does not exist, and must be empty unless `force`.
    ///
    /// # Errors
    /// The folder is not empty, or can't be made or written.
    pub fn claim(path: &Path, force: bool) -> Result<Self, ReportError> {
        let fail = |source| ReportError::Write {
            path: path.to_owned(),
            source,
        };
        std::fs::create_dir_all(path).map_err(fail)?;
        if !force && std::fs::read_dir(path).map_err(fail)?.next().is_some() {
            return Err(ReportError::Exists(path.to_owned()));
        }
        NamedTempFile::new_in(path).map_err(fail)?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Claims the first unused of `runs/NAME`, `runs/NAME-2`, …
    ///
    /// # Errors
    /// As [`RunFolder::claim`].
    pub fn claim_next(name: &str) -> Result<Self, ReportError> {
        let base = Path::new("runs").join(name);
        let numbered = (2..).map(|i| Path::new("runs").join(format!("{name}-{i}")));
        let free = std::iter::once(base)
            .chain(numbered)
            .find(|path| !path.exists());
        Self::claim(&free.unwrap_or_else(|| PathBuf::from("runs")), false)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes all files; `manifest.json` comes last, so that a folder with a manifest is complete.
    ///
    /// # Errors
    /// A file can't be written; the files of an earlier run that were not yet replaced are left as they were.
    pub fn write(&self, record: &RunRecord, manifest: &Manifest) -> Result<(), ReportError> {
        // Of an earlier run nothing may stay beside the new files, the manifest least of all.
        self.remove("manifest.json")?;
        if record.verdict.is_none() {
            for name in ["checks.csv", "errors.csv", "verdict.json"] {
                self.remove(name)?;
            }
        }
        for name in TABLES {
            self.remove(&format!("{name}.csv"))?;
        }
        self.remove("report.html")?;
        for name in figure_names() {
            self.remove(&format!("plots/{name}.svg"))?;
            self.remove(&format!("plots/{name}.png"))?;
        }
        // Files of others in it stay, and so does it then.
        let _ = std::fs::remove_dir(self.path.join("plots"));
        self.file("scenario.toml", |out| {
            out.write_all(record.scenario_text.as_bytes())
        })?;
        self.file("summary.csv", |out| summary(out, record))?;
        self.file("samples.csv.gz", |out| {
            let mut gz = GzEncoder::new(out, Compression::fast());
            samples(&mut gz, record)?;
            gz.finish().map(|_| ())
        })?;
        self.file("diverged.csv", |out| diverged(out, record))?;
        if let Some(verdict) = record.verdict {
            self.file("checks.csv", |out| checks(out, verdict))?;
            self.file("errors.csv", |out| errors(out, verdict))?;
            for evidence in &verdict.tables {
                self.file(&format!("{}.csv", evidence.name), |out| {
                    let mut csv = csv::Writer::from_writer(out);
                    csv.write_record(&evidence.header)?;
                    for row in &evidence.rows {
                        csv.write_record(row)?;
                    }
                    csv.flush()
                })?;
            }
            self.file("verdict.json", |out| json(out, verdict))?;
        }
        self.file("manifest.json", |out| json(out, manifest))?;
        self.forget_unfinished()
    }

    pub(super) fn remove(&self, name: &str) -> Result<(), ReportError> {
        let path = self.path.join(name);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(ReportError::Write { path, source })
            }
            _ => Ok(()),
        }
    }

    /// Gives the folder back if nothing was written into it.
    pub fn abandon(&self) {
        // Removes empty folders only.
        let _ = std::fs::remove_dir(&self.path);
    }

    pub(super) fn file(
        &self,
        name: &str,
        content: impl FnOnce(&mut BufWriter<&NamedTempFile>) -> io::Result<()>,
    ) -> Result<(), ReportError> {
        write_atomically(&self.path.join(name), content)
    }
}

pub(super) fn json(out: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer_pretty(&mut *out, value)?;
    writeln!(out)
}

fn number(x: f64) -> String {
    if x.is_finite() {
        format!("{x}")
    } else {
        String::new()
    }
}

fn maybe(x: Option<f64>) -> String {
    x.map_or(String::new(), number)
}

fn summary(out: &mut impl Write, record: &RunRecord) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
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
        "variance",
        "q05",
        "q50",
        "q95",
    ])?;
    let mut row = |head: [String; 8], name: &str, column: &[f64]| -> io::Result<()> {
        let s = summarize(column).ok();
        let [
            process,
            level,
            step_size,
            sigma,
            iteration,
            slow_time,
            clock_1,
            clock_2,
        ] = head;
        csv.write_record([
            process,
            level,
            step_size,
            sigma,
            iteration,
            slow_time,
            clock_1,
            clock_2,
            name.to_owned(),
            column.len().to_string(),
            maybe(s.as_ref().map(|s| s.mean)),
            maybe(s.as_ref().and_then(|s| s.std_error)),
            maybe(s.as_ref().and_then(|s| s.variance)),
            maybe(s.as_ref().map(|s| s.q05)),
            maybe(s.as_ref().map(|s| s.q50)),
            maybe(s.as_ref().map(|s| s.q95)),
        ])?;
        Ok(())
    };
    for run in record.levels {
        let times = |clock| {
            let schedule = &record.study.schedule;
            LevelClock::new(schedule, clock, run.level.step_size, run.level.sigma)
                .slow_times(&run.iterations)
        };
        let clocks = times(Clock::Fast).into_iter().zip(times(Clock::Slow));
        for (at, (fast, slow)) in clocks.enumerate() {
            for (i, (name, _)) in record.study.observables.iter().enumerate() {
                let head = [
                    "descent".to_owned(),
                    run.level.number.to_string(),
                    number(run.level.step_size),
                    number(run.level.sigma),
                    run.iterations[at].to_string(),
                    number(run.slow_times[at]),
                    number(fast),
                    number(slow),
                ];
                if run.is_taken(at, i) {
                    row(head, name, &run.samples.column(at, i))?;
                }
            }
        }
    }
    for limit in record.limits {
        let level = limit.level.map_or(String::new(), |level| level.to_string());
        let empty = String::new;
        for (i, (name, _)) in record.study.observables.iter().enumerate() {
            let head = [
                "limit".into(),
                level.clone(),
                empty(),
                empty(),
                empty(),
                number(0.0),
                empty(),
                empty(),
            ];
            row(head, name, &limit.initial[i..=i])?;
        }
        for (at, time) in limit.times.iter().enumerate() {
            for (i, (name, _)) in record.study.observables.iter().enumerate() {
                let head = [
                    "limit".into(),
                    level.clone(),
                    empty(),
                    empty(),
                    empty(),
                    number(*time),
                    empty(),
                    empty(),
                ];
                row(head, name, &limit.samples.column(at, i))?;
            }
        }
    }
    csv.flush()
}

fn samples(out: &mut impl Write, record: &RunRecord) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record([
        "process",
        "level",
        "path",
        "slow_time",
        "observable",
        "value",
    ])?;
    let names = &record.study.observables;
    let mut write = |process: &str, level: &str, path: usize, time: f64, name: &str, x: f64| {
        csv.write_record([
            process,
            level,
            &path.to_string(),
            &number(time),
            name,
            &number(x),
        ])
    };
    for run in record.levels {
        let level = run.level.number.to_string();
        for path in 0..run.samples.paths {
            for &at in run.settled.iter().chain(&run.compared) {
                for (i, (name, _)) in names.iter().enumerate() {
                    write(
                        "descent",
                        &level,
                        path,
                        run.slow_times[at],
                        name,
                        run.samples.value(path, at, i),
                    )?;
                }
            }
        }
    }
    for limit in record.limits {
        let level = limit.level.map_or(String::new(), |level| level.to_string());
        for path in 0..limit.samples.paths {
            for (at, &time) in limit.times.iter().enumerate() {
                for (i, (name, _)) in names.iter().enumerate() {
                    write(
                        "limit",
                        &level,
                        path,
                        time,
                        name,
                        limit.samples.value(path, at, i),
                    )?;
                }
            }
        }
    }
    csv.flush()
}

/// A CSV table: the header, then a record for each row.
fn table<const N: usize>(
    out: &mut impl Write,
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> io::Result<()> {
    let mut csv = csv::Writer::from_writer(out);
    csv.write_record(header)?;
    for row in rows {
        csv.write_record(row)?;
    }
    csv.flush()
}

fn diverged(out: &mut impl Write, record: &RunRecord) -> io::Result<()> {
    let header = ["level", "step_size", "sigma", "path", "iteration"];
    let rows = record.levels.iter().flat_map(|run| {
        run.diverged.iter().map(|divergence| {
            [
                run.level.number.to_string(),
                number(run.level.step_size),
                number(run.level.sigma),
                divergence.path.to_string(),
                divergence.iteration.to_string(),
            ]
        })
    });
    table(out, header, rows)
}

fn errors(out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
    let header = [
        "observable",
        "moment",
        "level",
        "step_size",
        "sigma",
        "slow_time",
        "error",
        "std_error",
        "above_floor",
    ];
    let row = |rung: &RungError| {
        [
            rung.observable.clone(),
            rung.moment.to_owned(),
            rung.level.to_string(),
            number(rung.step_size),
            number(rung.sigma),
            number(rung.slow_time),
            number(rung.error),
            number(rung.std_error),
            rung.above_floor.to_string(),
        ]
    };
    table(out, header, verdict.errors.iter().map(row))
}

fn checks(out: &mut impl Write, verdict: &Verdict) -> io::Result<()> {
    let header = [
        "name",
        "observable",
        "verdict",
        "estimate",
        "lower",
        "upper",
        "null",
        "margin",
        "p_value",
        "p_difference",
        "detail",
    ];
    let row = |check: &Check| {
        [
            check.name.clone(),
            check.observable.clone().unwrap_or_default(),
            check.verdict.to_string(),
            maybe(check.estimate),
            maybe(check.interval.map(|i| i.lower)),
            maybe(check.interval.map(|i| i.upper)),
            maybe(check.null),
            maybe(check.margin),
            maybe(check.p_value),
            maybe(check.p_difference),
            check.detail.clone(),
        ]
    };
    table(out, header, verdict.checks.iter().map(row))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_with_something_in_it_is_not_claimed_without_force() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("run");
        let folder = RunFolder::claim(&path, false).unwrap();
        folder
            .file("manifest.json", |out| out.write_all(b"{}"))
            .unwrap();
        assert!(matches!(
            RunFolder::claim(&path, false),
            Err(ReportError::Exists(_))
        ));
        assert!(RunFolder::claim(&path, true).is_ok());
        assert_eq!(std::fs::read(path.join("manifest.json")).unwrap(), b"{}");
    }

    #[test]
    fn a_file_that_fails_while_it_is_written_leaves_the_last_good_one() {
        let home = tempfile::tempdir().unwrap();
        let folder = RunFolder::claim(home.path(), false).unwrap();
        folder
            .file("checks.csv", |out| out.write_all(b"good"))
            .unwrap();
        let broken = folder.file("checks.csv", |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert!(broken.unwrap_err().to_string().contains("disk full"));
        assert_eq!(
            std::fs::read(home.path().join("checks.csv")).unwrap(),
            b"good"
        );
        assert_eq!(
            std::fs::read_dir(home.path()).unwrap().count(),
            1,
            "no temporary file is left"
        );
    }
}
