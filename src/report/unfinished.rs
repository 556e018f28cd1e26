//! Iterates and limits of a run that was stopped, kept in its folder so that it can go on: bit by bit as if it had not been
//! stopped.

use std::fs;
use std::io::Write;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::run_folder::{ReportError, RunFolder};
use crate::derive::PointEvidence;
use crate::descent::Divergence;
use crate::random::{Law, PathStream, Streams};
use crate::scalar::{Scalar, Single};
use crate::scenario::Study;
use crate::simulate::{LevelRun, LimitRun};

/// What is kept and of which study; written last, so that where it is, the values are whole.
const INDEX: &str = "unfinished.json";
/// The values of all rungs, then the numbers of all limits, 8 bytes each, the lowest first.
const VALUES: &str = "unfinished.bin";

#[derive(Serialize, Deserialize)]
struct Index {
    version: String,
    /// Of [`fingerprint`].
    #[serde(default)]
    build: Vec<u64>,
    /// As resolved.
    scenario: serde_json::Value,
    rungs: Vec<Rung>,
    limits: Vec<Limit>,
}

#[derive(Serialize, Deserialize)]
struct Rung {
    paths: usize,
    values: usize,
    /// Path and iteration.
    diverged: Vec<(usize, u64)>,
}

/// How many numbers of each kind a limit has.
#[derive(Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
struct Limit {
    paths: usize,
    values: usize,
    evidence: usize,
    first_path: usize,
}

/// The bits of the first numbers of every law and of every function that is this crate's own: builds of one version may differ in
/// them, and a run must not mix them.
fn fingerprint() -> Vec<u64> {
    let draws = |law: Law| {
        let mut out = [Single(0.0); 4];
        law.fill(1.0, &mut PathStream::of(1, 0, 0), &mut out);
        out
    };
    let x = Single(0.7);
    let functions = [x.exp(), x.tanh(), x.erf(), x.softplus(), x.sigmoid()];
    let numbers = Law::ALL.into_iter().flat_map(draws).chain(functions);
    numbers.map(|x| x.0.to_bits()).collect()
}

/// Eigenvalues and condition number.
const EXTREMES: usize = 3;

impl Limit {
    /// A limit some of whose paths could not be continued begins anew: why they could not is not kept.
    fn of(run: &LimitRun) -> Self {
        if run.samples.paths == 0 || run.failed.0 > 0 {
            return Self::default();
        }
        Self {
            paths: run.samples.paths,
            values: run.samples.values.len(),
            evidence: run.evidence.len(),
            first_path: run.first_path.iter().map(Vec::len).sum(),
        }
    }

    fn numbers(self) -> usize {
        match self.paths {
            0 => 0,
            _ => self.values + 3 * self.evidence + self.first_path + EXTREMES,
        }
    }

    fn fits(self, study: &Study, run: &LimitRun) -> bool {
        let records = run.samples.records;
        self == Self::default()
            || (self.values == self.paths * records * run.samples.width
                && self.first_path == records * study.noisy.dimension())
    }

    /// All that was found on the paths of a limit.
    fn write(run: &LimitRun) -> impl Iterator<Item = f64> {
        let kept = Self::of(run).paths > 0;
        let evidence = run.evidence.iter();
        let evidence = evidence.flat_map(|e| [e.regularizer, e.noise, e.brownian]);
        let values = run.samples.values.iter().copied().chain(evidence);
        values
            .chain(run.first_path.iter().flatten().copied())
            .chain([
                run.largest_eigenvalue,
                run.smallest_eigenvalue,
                run.condition,
            ])
            .filter(move |_| kept)
    }

    /// The other way.
    fn read(self, run: &mut LimitRun, numbers: &mut impl Iterator<Item = f64>) {
        if self.paths == 0 {
            return;
        }
        let mut take = |count: usize| -> Vec<f64> { numbers.by_ref().take(count).collect() };
        run.samples.paths = self.paths;
        run.samples.values = take(self.values);
        let evidence = |three: &[f64]| PointEvidence {
            regularizer: three[0],
            noise: three[1],
            brownian: three[2],
        };
        run.evidence = take(3 * self.evidence)
            .chunks_exact(3)
            .map(evidence)
            .collect();
        let length = (self.first_path / run.samples.records.max(1)).max(1);
        let first_path = take(self.first_path);
        run.first_path = first_path.chunks(length).map(<[f64]>::to_vec).collect();
        if let [largest, smallest, condition] = take(EXTREMES)[..] {
            run.largest_eigenvalue = largest;
            run.smallest_eigenvalue = smallest;
            run.condition = condition;
        }
    }
}

impl RunFolder {
    /// Keeps what there is of the iterates and of the limits.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn keep(
        &self,
        study: &Study,
        levels: &[LevelRun],
        limits: &[LimitRun],
    ) -> Result<(), ReportError> {
        self.remove(INDEX)?;
        self.file(VALUES, |out| {
            let values = levels.iter().flat_map(|run| &run.samples.values).copied();
            let mut numbers = values.chain(limits.iter().flat_map(Limit::write));
            numbers.try_for_each(|number| out.write_all(&number.to_le_bytes()))
        })?;
        let rung = |run: &LevelRun| Rung {
            paths: run.samples.paths,
            values: run.samples.values.len(),
            diverged: run.diverged.iter().map(|d| (d.path, d.iteration)).collect(),
        };
        let index = Index {
            version: env!("CARGO_PKG_VERSION").into(),
            build: fingerprint(),
            scenario: serde_json::to_value(&study.spec).unwrap_or_default(),
            rungs: levels.iter().map(rung).collect(),
            limits: limits.iter().map(Limit::of).collect(),
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

    /// Fills the planned rungs and limits with what was kept.
    ///
    /// # Errors
    /// The files can't be read, or are of another scenario or of another version of the program.
    pub fn kept(
        &self,
        study: &Study,
        levels: &mut [LevelRun],
        limits: &mut [LimitRun],
    ) -> Result<(), ReportError> {
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
        if index.build != fingerprint() {
            return Err(fail(
                "another build of singlim made it, with other random numbers or functions",
            ));
        }
        if index.scenario != serde_json::to_value(&study.spec).unwrap_or_default() {
            return Err(fail("it is of another scenario, or of other settings"));
        }
        let bytes = read(VALUES)?;
        let total = index.rungs.iter().map(|rung| rung.values).sum::<usize>()
            + index
                .limits
                .iter()
                .map(|limit| limit.numbers())
                .sum::<usize>();
        let fits = |(rung, run): (&Rung, &LevelRun)| {
            let samples = &run.samples;
            rung.values == rung.paths * samples.records * samples.width
                && rung.paths <= run.level.paths
        };
        let limit_fits = |(limit, run): (&Limit, &LimitRun)| limit.fits(study, run);
        // Who descends only neither keeps limits nor wants any.
        let fit = [0, limits.len()].contains(&index.limits.len()) || limits.is_empty();
        if index.rungs.len() != levels.len()
            || !fit
            || bytes.len() != 8 * total
            || !index.rungs.iter().zip(&*levels).all(fits)
            || !index.limits.iter().zip(&*limits).all(limit_fits)
        {
            return Err(fail("its files do not fit together"));
        }
        let number = |bytes: &[u8]| f64::from_le_bytes(bytes.try_into().unwrap_or_default());
        let mut numbers = bytes.chunks_exact(8).map(number);
        for (rung, run) in index.rungs.iter().zip(levels) {
            run.samples.paths = rung.paths;
            run.samples.values = numbers.by_ref().take(rung.values).collect();
            let divergence = |&(path, iteration): &(_, _)| Divergence { path, iteration };
            run.diverged = rung.diverged.iter().map(divergence).collect();
        }
        for (limit, run) in index.limits.iter().zip(limits) {
            limit.read(run, &mut numbers);
        }
        Ok(())
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
    use crate::derive::GeometryError;
    use crate::predict::predict;
    use crate::scenario::parse;
    use crate::simulate::{
        Monitor, Silent, are_complete, extend_limits, plan_levels, plan_limits, run_levels,
        run_limits,
    };
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
        study_of("label", "", seed)
    }

    fn study_of(noise: &str, limit: &str, seed: u64) -> Study {
        let text = format!(
            "observables = [\"imbalance\", \"u\"]\n[model]\nkind = \"product\"\nstart = [2.0, 0.5]\n\
             [[noise]]\nkind = \"{noise}\"\n[ladder]\nstep_sizes = [0.16, 0.08, 0.04, 0.02]\nsigma = 0.3\n\
             horizon = 0.5\nrecords = 2\npaths = 19\n{limit}"
        );
        let (spec, source) = parse("s.toml", &text, &[format!("seed={seed}")]).unwrap();
        Study::resolve(spec, source).unwrap()
    }

    /// Several limits, each for a rung, of which the first are whole; and one of many paths, of which the first are there.
    #[test]
    fn limits_that_were_stopped_go_on_to_those_of_one_go() {
        for (noise, more) in [
            ("label", "[limit]\ncorrected = true\n"),
            ("sgld", "[limit]\npaths = 2000\n"),
        ] {
            let study = study_of(noise, more, 1);
            let prediction = predict(&study).unwrap();
            let levels = plan_levels(&study, &prediction);
            let planned = || plan_limits(&study, &prediction, &levels);
            let whole = run_limits(&study, &prediction, &levels, &Silent).unwrap();
            let records: usize = whole
                .iter()
                .map(|run| run.samples.paths * run.times.len())
                .sum();
            let mut part = planned();
            let monitor = StopsAfter(AtomicU64::new(0), records as u64 / 2);
            // On one thread, whose batches are shorter than half of the paths.
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(1)
                .build()
                .unwrap();
            let stopped =
                pool.install(|| extend_limits(&study, &prediction, &levels, &mut part, &monitor));
            assert_eq!(stopped.unwrap_err(), GeometryError::Cancelled);
            let paths = |runs: &[LimitRun]| runs.iter().map(|run| run.samples.paths).sum::<usize>();
            assert!(paths(&part) > 0 && paths(&part) < paths(&whole), "{noise}");

            let home = tempfile::tempdir().unwrap();
            let folder = RunFolder::claim(home.path(), false).unwrap();
            folder.keep(&study, &levels, &part).unwrap();
            let mut kept = planned();
            folder.kept(&study, &mut levels.clone(), &mut kept).unwrap();
            assert_eq!(format!("{kept:?}"), format!("{part:?}"));
            extend_limits(&study, &prediction, &levels, &mut kept, &Silent).unwrap();
            assert_eq!(format!("{kept:?}"), format!("{whole:?}"));
        }
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
        folder.keep(&study, &part, &[]).unwrap();
        let folder = RunFolder::claim_unfinished(home.path()).unwrap();
        let mut kept = planned();
        folder.kept(&study, &mut kept, &mut []).unwrap();
        assert_eq!(format!("{kept:?}"), format!("{part:?}"));
        let gone_on = run_levels(&study, &prediction, kept, &Silent);
        assert_eq!(format!("{gone_on:?}"), format!("{whole:?}"));

        // Another build refuses to go on.
        let path = home.path().join(INDEX);
        let mut index: Index = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        index.build[0] ^= 1;
        fs::write(&path, serde_json::to_vec(&index).unwrap()).unwrap();
        let refused = folder.kept(&study, &mut planned(), &mut []).unwrap_err();
        assert!(refused.to_string().contains("another build"));
    }

    #[test]
    fn what_is_of_another_study_or_cut_short_is_refused() {
        let (study, other) = (study(1), study(2));
        let prediction = predict(&study).unwrap();
        let planned = || plan_levels(&study, &prediction);
        let home = tempfile::tempdir().unwrap();
        let folder = RunFolder::claim(home.path(), false).unwrap();
        let levels = run_levels(&study, &prediction, planned(), &Silent);
        folder.keep(&study, &levels, &[]).unwrap();
        let refused = |study: &Study| {
            let refusal = folder.kept(study, &mut planned(), &mut []);
            refusal.unwrap_err().to_string()
        };
        assert!(refused(&other).contains("another scenario"));
        let bytes = fs::read(home.path().join(VALUES)).unwrap();
        fs::write(home.path().join(VALUES), &bytes[8..]).unwrap();
        assert!(refused(&study).contains("do not fit"));
    }
}
