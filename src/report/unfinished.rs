//! The iterates of a run that was stopped, kept in its folder so that it can go on: bit by bit as if it had not been stopped.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::run_folder::{ReportError, RunFolder};
use crate::descent::Divergence;
use crate::scenario::Study;
use crate::simulate::LevelRun;

/// What is kept and of which study; written last, so that where it is, the values are whole.
const INDEX: &str = "unfinished.json";
/// The values of all rungs, 8 bytes each, the lowest first.
const VALUES: &str = "unfinished.bin";

#[derive(Serialize, Deserialize)]
struct Index {
    version: String,
    /// As resolved.
    scenario: serde_json::Value,
    rungs: Vec<Rung>,
}

#[derive(Serialize, Deserialize)]
struct Rung {
    paths: usize,
    values: usize,
    /// Path and iteration.
    diverged: Vec<(usize, u64)>,
}

impl RunFolder {
    /// Keeps what there is of the iterates.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn keep(&self, study: &Study, levels: &[LevelRun]) -> Result<(), ReportError> {
        self.remove(INDEX)?;
        self.file(VALUES, |out| {
            let mut values = levels.iter().flat_map(|run| &run.samples.values);
            values.try_for_each(|value| out.write_all(&value.to_le_bytes()))
        })?;
        let rung = |run: &LevelRun| Rung {
            paths: run.samples.paths,
            values: run.samples.values.len(),
            diverged: run.diverged.iter().map(|d| (d.path, d.iteration)).collect(),
        };
        let index = Index {
            version: env!("CARGO_PKG_VERSION").into(),
            scenario: serde_json::to_value(&study.spec).unwrap_or_default(),
            rungs: levels.iter().map(rung).collect(),
        };
        self.file(INDEX, |out| super::run_folder::json(out, &index))
    }

    /// Claims the folder of a run that was stopped.
    ///
    /// # Errors
    /// There is nothing to go on with, or the folder can't be written.
    pub fn claim_unfinished(path: &Path) -> Result<Self, ReportError> {
        if !path.join(INDEX).is_file() {
            let complete = path.join("manifest.json").is_file();
            return Err(ReportError::NotUnfinished {
                path: path.to_owned(),
                reason: if complete {
                    "its run is complete"
                } else {
                    "no run was stopped there"
                },
            });
        }
        Self::claim(path, true)
    }

    /// Fills the planned rungs with what was kept.
    ///
    /// # Errors
    /// The files can't be read, or are of another scenario or of another version of the program.
    pub fn kept(
        &self,
        study: &Study,
        mut planned: Vec<LevelRun>,
    ) -> Result<Vec<LevelRun>, ReportError> {
        let read = |name: &str| {
            let path = self.path().join(name);
            fs::read(&path).map_err(|source| ReportError::Read { path, source })
        };
        let fail = |reason| ReportError::NotUnfinished {
            path: self.path().to_owned(),
            reason,
        };
        let index: Index = serde_json::from_slice(&read(INDEX)?)
            .map_err(|_| fail("unfinished.json can't be understood"))?;
        if index.version != env!("CARGO_PKG_VERSION") {
            return Err(fail("another version of singlim made it"));
        }
        if index.scenario != serde_json::to_value(&study.spec).unwrap_or_default() {
            return Err(fail("it is of another scenario, or of other settings"));
        }
        let bytes = read(VALUES)?;
        let total: usize = index.rungs.iter().map(|rung| rung.values).sum();
        let fits = |(rung, run): (&Rung, &LevelRun)| {
            let samples = &run.samples;
            rung.values == rung.paths * samples.records * samples.width
                && rung.paths <= run.level.paths
        };
        if index.rungs.len() != planned.len()
            || bytes.len() != 8 * total
            || !index.rungs.iter().zip(&planned).all(fits)
        {
            return Err(fail("its files do not fit together"));
        }
        let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap_or_default());
        let mut numbers = bytes.chunks_exact(8).map(number);
        for (rung, run) in index.rungs.iter().zip(&mut planned) {
            run.samples.paths = rung.paths;
            run.samples.values = numbers.by_ref().take(rung.values).collect();
            let divergence = |&(path, iteration): &(_, _)| Divergence { path, iteration };
            run.diverged = rung.diverged.iter().map(divergence).collect();
        }
        Ok(planned)
    }

    /// Nothing is to go on with once the run is complete.
    ///
    /// # Errors
    /// A file can't be removed.
    pub(super) fn forget_unfinished(&self) -> Result<(), ReportError> {
        self.remove(INDEX)?;
        self.remove(VALUES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::predict::predict;
    use crate::scenario::parse;
    use crate::simulate::{Monitor, Silent, are_complete, plan_levels, run_levels};
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Says to stop after so many path-steps.
    struct StopsAfter(AtomicU64, u64);

    impl Monitor for StopsAfter {
        fn begin(&self, _: &str, _: &str, _: u64) {}
        fn advance(&self, units: u64) {
            self.0.fetch_add(units, Ordering::Relaxed);
        }
        fn end(&self) {}
        fn is_cancelled(&self) -> bool {
            self.0.load(Ordering::Relaxed) > self.1
        }
    }

    fn study(seed: u64) -> Study {
        let text = "observables = [\"imbalance\", \"u\"]\n[model]\nkind = \"product\"\nstart = [2.0, 0.5]\n\
             [[noise]]\nkind = \"label\"\n[ladder]\nstep_sizes = [0.16, 0.08, 0.04, 0.02]\nsigma = 0.3\n\
             horizon = 0.5\nrecords = 2\npaths = 19\n";
        let (spec, source) = parse("s.toml", text, &[format!("seed={seed}")]).unwrap();
        Study::resolve(spec, source).unwrap()
    }

    #[test]
    fn a_run_that_was_stopped_kept_and_gone_on_with_is_that_of_one_go() {
        let study = study(1);
        let prediction = predict(&study).unwrap();
        let planned = || plan_levels(&study, &prediction);
        let whole = run_levels(&study, &prediction, planned(), &Silent);
        let total: u64 = whole.iter().map(LevelRun::path_steps).sum();
        let monitor = StopsAfter(AtomicU64::new(0), total / 2);
        let part = run_levels(&study, &prediction, planned(), &monitor);
        assert!(!are_complete(&part));
        assert!(part[0].missing_paths() == 0 && part[3].samples.paths == 0);

        let home = tempfile::tempdir().unwrap();
        let folder = RunFolder::claim(home.path(), false).unwrap();
        assert!(RunFolder::claim_unfinished(home.path()).is_err());
        folder.keep(&study, &part).unwrap();
        let folder = RunFolder::claim_unfinished(home.path()).unwrap();
        let kept = folder.kept(&study, planned()).unwrap();
        assert_eq!(format!("{kept:?}"), format!("{part:?}"));
        let gone_on = run_levels(&study, &prediction, kept, &Silent);
        assert_eq!(format!("{gone_on:?}"), format!("{whole:?}"));
    }

    #[test]
    fn what_is_of_another_study_or_cut_short_is_refused() {
        let (study, other) = (study(1), study(2));
        let prediction = predict(&study).unwrap();
        let planned = || plan_levels(&study, &prediction);
        let home = tempfile::tempdir().unwrap();
        let folder = RunFolder::claim(home.path(), false).unwrap();
        let levels = run_levels(&study, &prediction, planned(), &Silent);
        folder.keep(&study, &levels).unwrap();
        let refused = |study: &Study| folder.kept(study, planned()).unwrap_err().to_string();
        assert!(refused(&other).contains("another scenario"));
        let bytes = fs::read(home.path().join(VALUES)).unwrap();
        fs::write(home.path().join(VALUES), &bytes[8..]).unwrap();
        assert!(refused(&study).contains("do not fit"));
    }
}
