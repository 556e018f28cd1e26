//! The commands that simulate one side alone, and what they share with the verification.

use std::time::Instant;

use singlim::derive::GeometryError;
use singlim::predict::{Prediction, warnings};
use singlim::report::{Manifest, RunFolder, RunRecord};
use singlim::scenario::Study;
use singlim::simulate::{LevelRun, Monitor, are_complete, extend_limits, run_levels};

use super::interrupt::listening;
use super::progress::{Bars, waiting};
use super::resume::{self, Parts, command_line};
use super::{Fallible, Interrupted, Run, predicted, show};

/// What is simulated.
#[derive(Clone, Copy, PartialEq)]
pub enum Side {
    /// The iterates.
    Descend,
    /// The limit.
    Limit,
}

/// Simulates one side and writes its run folder.
pub fn one_side(side: Side, run: &Run, resume: bool) -> Fallible<()> {
    let (study, text) = run.scenario.study()?;
    let prediction = predicted(&study)?;
    let folder = match &run.out {
        Some(path) if resume => RunFolder::claim_unfinished(path)?,
        Some(path) => RunFolder::claim(path, run.force)?,
        None => RunFolder::claim_next(&study.source.name())?,
    };
    let planned = resume::planned(&study, &prediction, &folder, resume)?;
    let done =
        listening(|| simulate_and_write(side, run, &study, &prediction, planned, &folder, &text));
    if done.is_err() {
        folder.abandon();
    }
    done
}

fn simulate_and_write(
    side: Side,
    run: &Run,
    study: &Study,
    prediction: &Prediction,
    (planned, mut limits): Parts,
    folder: &RunFolder,
    text: &str,
) -> Fallible<()> {
    let options = &run.scenario.options;
    let command = match side {
        Side::Descend => "descend",
        Side::Limit => "limit",
    };
    let mut stopwatch = Stopwatch::start(command, study);
    if !options.quiet {
        show(&format!("{}\n", headline(study, prediction)))?;
    }
    let stop = |parts| {
        let again = command_line(command, &[&run.scenario.scenario], options, &[], folder);
        Err(Interrupted(resume::keep(study, folder, parts, &again)?).into())
    };
    let levels = match side {
        Side::Descend => {
            limits.clear();
            let levels = stopwatch.descend(study, prediction, planned, &Bars);
            if !are_complete(&levels) {
                return stop((&levels[..], &[]));
            }
            levels
        }
        Side::Limit => match extend_limits(study, prediction, &planned, &mut limits, &Bars) {
            Err(GeometryError::Cancelled) => return stop((&planned, &limits)),
            done => done.map(|()| Vec::new())?,
        },
    };
    let manifest = stopwatch.stop();
    let record = RunRecord {
        study,
        clock: prediction.clock,
        scenario_text: text,
        levels: &levels,
        limits: &limits,
        verdict: None,
    };
    waiting("writing the run folder", || {
        folder.write(&record, &manifest)
    })?;
    if !options.quiet {
        let (place, seconds) = (folder.path().display(), manifest.wall_seconds);
        show(&format!("wrote {place} in {seconds:.1} s\n"))?;
    }
    Ok(())
}

/// Makes the manifest of a run and measures its times.
pub struct Stopwatch {
    manifest: Manifest,
    begin: Instant,
    cpu_before: Option<f64>,
}

impl Stopwatch {
    /// The run begins.
    pub fn start(command: &str, study: &Study) -> Self {
        Self {
            manifest: Manifest::begin(command, &study.spec),
            begin: Instant::now(),
            cpu_before: cpu_seconds(),
        }
    }

    /// Simulates all iterates.
    pub fn descend(
        &mut self,
        study: &Study,
        prediction: &Prediction,
        planned: Vec<LevelRun>,
        monitor: &dyn Monitor,
    ) -> Vec<LevelRun> {
        let before: u64 = planned.iter().map(LevelRun::steps_done).sum();
        let begin = Instant::now();
        let levels = run_levels(study, prediction, planned, monitor);
        let seconds = begin.elapsed().as_secs_f64();
        self.descended(&levels, seconds);
        // Those of a run that was gone on with took no time here.
        let steps = self.manifest.path_steps - before;
        self.manifest.path_steps_per_second = Some(steps as f64 / seconds);
        levels
    }

    /// The iterates took so long.
    pub fn descended(&mut self, levels: &[LevelRun], seconds: f64) {
        self.manifest.path_steps = levels.iter().map(LevelRun::path_steps).sum();
        self.manifest.path_steps_per_second = Some(self.manifest.path_steps as f64 / seconds);
    }

    /// Wall time so far.
    pub fn seconds(&self) -> f64 {
        self.begin.elapsed().as_secs_f64()
    }

    /// The run ends.
    pub fn stop(mut self) -> Manifest {
        self.manifest.ended = jiff::Timestamp::now().to_string();
        self.manifest.wall_seconds = self.seconds();
        let spent = cpu_seconds().zip(self.cpu_before);
        self.manifest.cpu_seconds = spent.map(|(now, before)| now - before);
        self.manifest
    }
}

/// What is known before the simulation.
pub fn headline(study: &Study, prediction: &Prediction) -> String {
    let title = if study.spec.title.is_empty() {
        String::new()
    } else {
        format!("{}\n", study.spec.title)
    };
    let steps: Vec<_> = prediction
        .levels
        .iter()
        .map(|l| format!("{:.1e}", l.iterations as f64))
        .collect();
    let warnings: String = warnings(study, prediction)
        .iter()
        .map(|warning| format!("\nwarning: {}", warning.line()))
        .collect();
    format!(
        "{title}derived regime: {}; slow time {}; iterations per rung: {}{warnings}",
        prediction.regime(),
        prediction.clock.formula(),
        steps.join(", ")
    )
}

/// Processor time of all threads so far.
#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9)
}

#[cfg(not(unix))]
fn cpu_seconds() -> Option<f64> {
    None
}
