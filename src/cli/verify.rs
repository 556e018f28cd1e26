//! `verify`: one scenario or several, against a baseline if there is one, in stages if asked for, reported to CI systems.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::{ArgGroup, Args};
use singlim::derive::GeometryError;
use singlim::predict::Prediction;
use singlim::report::{
    Finished, Judged, OutputFile, RunFolder, RunRecord, budget_table, checks_table,
    comparison_text, junit, markdown, overall_sheet, overall_table, power_line, verdict_line,
    write_report,
};
use singlim::scenario::Study;
use singlim::simulate::{LevelRun, LimitRun, Simulation, are_complete, extend_limits};
use singlim::statistics::Outcome;
use singlim::verify::{
    Baseline, Comparison, Sequential, Stop, Verdict, illustrations, verify_watched,
};
use singlim::warning::Warning;

use super::progress::{Bars, has_colours, waiting};
use super::resume::{self, Parts, command_line, quoted};
use super::simulate::{Stopwatch, headline};
use super::{Fallible, FormatName, Interrupted, Options, errors, interrupt, predicted, show};

const EXAMPLES: &str = "Examples:
  singlim verify scenarios/product-label-noise.toml
  singlim verify mine.toml --set ladder.paths=5000 --out runs/more-paths
  singlim verify scenarios/*.toml --junit junit.xml --markdown summary.md --format json
  singlim verify mine.toml --baseline runs/mine        did anything change?
  singlim verify mine.toml --until-conclusive --budget 30m
  singlim verify mine.toml --out runs/mine --resume    after Ctrl-C";

#[derive(Args)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("outputs").args(["out", "junit", "markdown"]).multiple(true))]
pub struct Verify {
    /// The scenario files (TOML), verified one after the other
    #[arg(required = true, value_name = "SCENARIO")]
    scenarios: Vec<PathBuf>,
    #[command(flatten)]
    pub options: Options,
    /// The run folder; runs/SCENARIO by default, numbered if that exists. Of several scenarios each has its own below it
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write into a folder that is not empty, and over the files of --junit and --markdown
    #[arg(long, requires = "outputs")]
    force: bool,
    /// Write JUnit XML: a test suite for each scenario, a test case for each check; what is inconclusive counts as failed
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write a summary in Markdown, as for $GITHUB_STEP_SUMMARY
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Compare with an earlier verdict.json, run folder, or folder of run folders; scenarios are matched by name. An estimate
    /// that moved beyond the joint uncertainty, a check that got worse or vanished makes exit code 1
    #[arg(long, value_name = "PATH")]
    baseline: Vec<PathBuf>,
    /// Double the paths until the verdict is pass or rejected, at most for the time of --budget; each stage has a share of
    /// margins.level
    #[arg(long)]
    until_conclusive: bool,
    /// How long each scenario may take, as 90s, 10m or 1h30m; 10m by default. The first stage is run in any case
    #[arg(long, requires = "until_conclusive", value_name = "TIME", value_parser = budget)]
    budget: Option<Duration>,
    /// Go on with the run that was interrupted in the folder --out
    #[arg(long, requires = "out", conflicts_with = "force")]
    resume: bool,
    /// How the table of all scenarios is printed; with another than table it is all that is printed
    #[arg(long, value_enum, default_value = "table")]
    format: FormatName,
}

impl Verify {
    /// Whether text for people is printed.
    fn talks(&self) -> bool {
        !self.options.quiet && self.format.is_table()
    }
}

fn budget(text: &str) -> Result<Duration, String> {
    let parsed = text.parse::<jiff::SignedDuration>().ok();
    match parsed.and_then(|span| Duration::try_from(span).ok()) {
        Some(duration) if !duration.is_zero() => Ok(duration),
        _ => Err("must be a time above zero such as 90s, 10m or 1h30m".into()),
    }
}

/// A scenario that is ready to be run.
struct Job {
    /// Unique in the call.
    name: String,
    path: PathBuf,
    study: Study,
    prediction: Prediction,
    text: String,
    baseline: Option<Baseline>,
}

/// Verifies all scenarios of the call. Whatever is wrong with any of them is said before anything is computed.
pub fn verify(call: &Verify) -> Fallible<ExitCode> {
    call.options.start_threads()?;
    let baselines = Baseline::read_all(&call.baseline)?;
    let mut jobs: Vec<Job> = Vec::new();
    for path in &call.scenarios {
        let (study, text) = call.options.study(path)?;
        let prediction = predicted(&study)?;
        let taken: Vec<_> = jobs.iter().map(|job| job.name.as_str()).collect();
        jobs.push(Job {
            path: path.clone(),
            name: free_name(&study.source.name(), &taken),
            study,
            prediction,
            text,
            baseline: None,
        });
    }
    assign(baselines, &mut jobs)?;
    if call.resume && jobs.len() > 1 {
        return Err("--resume goes on with one run at a time; name its scenario alone".into());
    }
    let files = Files::claim(call)?;
    let folders = claim_folders(call, &jobs)?;
    let several = jobs.len() > 1;
    let mut all = Vec::new();
    let mut interrupted: Option<String> = None;
    for (i, (job, folder)) in jobs.iter().zip(&folders).enumerate() {
        if interrupted.is_some() || interrupt::is_requested() {
            folder.abandon();
            interrupted.get_or_insert_default();
            all.push(not_begun(job));
            continue;
        }
        if several && call.talks() {
            let gap = if i > 0 { "\n" } else { "" };
            show(&format!(
                "{gap}{} ({} of {})\n",
                job.name,
                i + 1,
                jobs.len()
            ))?;
        }
        let (begin, started) = (Instant::now(), jiff::Timestamp::now().to_string());
        let result = interrupt::listening(|| run(call, job, folder));
        let result = result.map(|(judged, early)| {
            interrupted = early;
            judged
        });
        let result = result.map_err(|error| {
            folder.abandon();
            if let Some(stopped) = error.downcast_ref::<Interrupted>() {
                interrupted = Some(stopped.to_string());
                return "interrupted".to_owned();
            }
            let of = if several {
                format!("{}: ", job.name)
            } else {
                String::new()
            };
            errors::print(&*error, &of);
            error.to_string()
        });
        all.push(Finished {
            name: job.name.clone(),
            started,
            seconds: begin.elapsed().as_secs_f64(),
            result,
        });
    }
    if several && call.talks() {
        let (width, colours) = screen();
        show(&format!("\n{}\n", overall_table(&all, width, colours)))?;
    }
    if !call.options.quiet && !call.format.is_table() {
        call.format.print(&[overall_sheet(&all)])?;
    }
    files.write(&all)?;
    if let Some(message) = interrupted {
        let message = message + &the_rest(call, &all);
        return Err(Interrupted(message.trim_start().into()).into());
    }
    Ok(ExitCode::from(exit_code(&all)))
}

const NOT_BEGUN: &str = "not begun: interrupted before";

fn not_begun(job: &Job) -> Finished {
    Finished {
        name: job.name.clone(),
        started: jiff::Timestamp::now().to_string(),
        seconds: 0.0,
        result: Err(NOT_BEGUN.into()),
    }
}

/// Which scenarios were not begun, in words.
fn the_rest(call: &Verify, all: &[Finished]) -> String {
    let begun = |finished: &Finished| {
        finished
            .result
            .as_ref()
            .err()
            .is_none_or(|e| e != NOT_BEGUN)
    };
    let left = call.scenarios.iter().zip(all).filter(|(_, f)| !begun(f));
    let left: Vec<_> = left
        .map(|(path, _)| quoted(&path.display().to_string()))
        .collect();
    if left.is_empty() {
        return String::new();
    }
    format!("\nnot begun: {}", left.join(" "))
}

/// The name, numbered if it is taken.
fn free_name(name: &str, taken: &[&str]) -> String {
    let mut free = name.to_owned();
    let mut number = 2;
    while taken.contains(&free.as_str()) {
        free = format!("{name}-{number}");
        number += 1;
    }
    free
}

/// Gives each scenario its baseline: the only one to the only scenario, several by name.
fn assign(baselines: Vec<Baseline>, jobs: &mut [Job]) -> Fallible<()> {
    if baselines.is_empty() {
        return Ok(());
    }
    if let ([job], 1) = (&mut *jobs, baselines.len()) {
        job.baseline = baselines.into_iter().next();
        return Ok(());
    }
    let known: Vec<_> = baselines.iter().map(Baseline::name).collect();
    for job in &mut *jobs {
        let mut own = baselines.iter().filter(|b| b.name() == job.name);
        job.baseline = own.next().cloned();
        if let (Some(one), Some(other)) = (&job.baseline, own.next()) {
            return Err(format!(
                "two baselines are of the scenario `{}`: {} and {}; give one of them",
                job.name,
                one.path.display(),
                other.path.display()
            )
            .into());
        }
    }
    if jobs.iter().all(|job| job.baseline.is_none()) {
        return Err(format!(
            "no baseline is of any of these scenarios; there are baselines of: {}",
            known.join(", ")
        )
        .into());
    }
    Ok(())
}

fn claim_folders(call: &Verify, jobs: &[Job]) -> Fallible<Vec<RunFolder>> {
    let mut folders: Vec<RunFolder> = Vec::new();
    for job in jobs {
        let claimed = match &call.out {
            Some(out) if call.resume => RunFolder::claim_unfinished(out),
            Some(out) if jobs.len() > 1 => RunFolder::claim(&out.join(&job.name), call.force),
            Some(out) => RunFolder::claim(out, call.force),
            None => RunFolder::claim_next(&job.name),
        };
        match claimed {
            Ok(folder) => folders.push(folder),
            Err(error) => {
                folders.iter().for_each(RunFolder::abandon);
                return Err(error.into());
            }
        }
    }
    Ok(folders)
}

/// The files for CI systems.
struct Files {
    junit: Option<OutputFile>,
    markdown: Option<OutputFile>,
}

impl Files {
    fn claim(call: &Verify) -> Fallible<Self> {
        if call.junit.is_some() && call.junit == call.markdown {
            return Err("--junit and --markdown name the same file".into());
        }
        let claim = |path: &Option<PathBuf>| {
            let file = path
                .as_ref()
                .map(|path| OutputFile::claim(path, call.force));
            file.transpose()
        };
        Ok(Self {
            junit: claim(&call.junit)?,
            markdown: claim(&call.markdown)?,
        })
    }

    fn write(&self, all: &[Finished]) -> Fallible<()> {
        if let Some(file) = &self.junit {
            file.write(&junit(all)?)?;
        }
        if let Some(file) = &self.markdown {
            file.write(&markdown(all))?;
        }
        Ok(())
    }
}

/// Width for tables, and whether they show colours.
fn screen() -> (Option<u16>, bool) {
    let terminal = std::io::stdout().is_terminal();
    let colours = has_colours(terminal);
    // Into a file or a pipe: wide enough for any row.
    ((!terminal).then_some(140), colours)
}

/// 2 if any scenario could not be run, else 1 if any is rejected or a step back, else 3 if any is inconclusive, else 0.
fn exit_code(all: &[Finished]) -> u8 {
    let code = |finished: &Finished| match &finished.result {
        Err(_) => 2,
        Ok(judged)
            if judged
                .comparison
                .as_ref()
                .is_some_and(Comparison::is_regression) =>
        {
            1
        }
        Ok(judged) => match judged.verdict.verdict {
            Outcome::Pass => 0,
            Outcome::Rejected => 1,
            Outcome::Inconclusive => 3,
        },
    };
    let codes: Vec<u8> = all.iter().map(code).collect();
    let worst = [2, 1, 3].into_iter().find(|code| codes.contains(code));
    worst.unwrap_or(0)
}

/// Both sides simulated and compared.
type Compared = (Vec<LevelRun>, Vec<LimitRun>, Verdict);

/// The verdict; and what to say if it was given early, because of Ctrl-C.
fn run(call: &Verify, job: &Job, folder: &RunFolder) -> Fallible<(Judged, Option<String>)> {
    let (study, prediction) = (&job.study, &job.prediction);
    let planned = resume::planned(study, prediction, folder, call.resume)?;
    let mut stopwatch = Stopwatch::start("verify", study);
    if call.talks() {
        show(&format!("{}\n", headline(study, prediction)))?;
    }
    let ((levels, limits, mut verdict), early) = if call.until_conclusive {
        let (compared, reason) = in_stages(call, job, folder, planned, &mut stopwatch)?;
        (compared, reason == Stop::Requested)
    } else {
        (at_once(call, job, folder, planned, &mut stopwatch)?, false)
    };
    if let Some(subject) = &mut verdict.subject {
        subject.name.clone_from(&job.name);
    }
    let comparison = job.baseline.as_ref().map(|b| Comparison::of(b, &verdict));
    verdict
        .tables
        .extend(comparison.as_ref().map(Comparison::table));
    let figures = illustrations(study, prediction, &levels, &limits);
    verdict.tables.extend(figures);
    let manifest = stopwatch.stop();
    let record = RunRecord {
        study,
        clock: prediction.clock,
        scenario_text: &job.text,
        levels: &levels,
        limits: &limits,
        verdict: Some(&verdict),
    };
    waiting("writing the run folder", || {
        folder.write(&record, &manifest)
    })?;
    if call.talks() {
        let (width, colours) = screen();
        let compared = comparison.as_ref().map(|c| comparison_text(c) + "\n");
        // Who passes needs no advice.
        let advice = match verdict.verdict {
            Outcome::Pass => "",
            _ => "`singlim explain CHECK` says what a check asks, and what helps\n",
        };
        show(&format!(
            "{}\n\n{}{}\n{}\n{advice}{}",
            checks_table(&verdict, width, colours),
            budget_table(&verdict, width),
            power_line(&verdict),
            verdict_line(&verdict),
            compared.unwrap_or_default(),
        ))?;
        if job.baseline.is_none() && !call.baseline.is_empty() {
            let scenario = job.name.clone();
            let warning = Warning::NoBaseline { scenario };
            show(&format!("warning: {}\n", warning.line()))?;
        }
    }
    // After the verdict is told: it does not depend on whether it can be drawn.
    let page = waiting("drawing the report", || write_report(folder.path()))?;
    if call.talks() {
        let steps = manifest.path_steps as f64;
        let rate = manifest.path_steps_per_second.unwrap_or(0.0);
        let (seconds, page) = (manifest.wall_seconds, page.display());
        show(&format!(
            "{steps:.2e} path-steps ({rate:.1e}/s), {seconds:.1} s, report {page}\n"
        ))?;
    }
    let early = early.then(|| {
        let place = folder.path().display();
        format!("{place} has the verdict of the stages that were complete; a run in another folder with a longer --budget begins with the same stages")
    });
    let judged = Judged {
        verdict,
        comparison,
        folder: folder.path().to_owned(),
    };
    Ok((judged, early))
}

/// The run was asked to stop: keeps what is done, and says how to go on.
fn stop<T>(
    call: &Verify,
    job: &Job,
    folder: &RunFolder,
    parts: (&[LevelRun], &[LimitRun]),
) -> Fallible<T> {
    let mut further = Vec::new();
    for baseline in &call.baseline {
        further.extend(["--baseline".to_owned(), baseline.display().to_string()]);
    }
    if call.until_conclusive {
        further.push("--until-conclusive".into());
    }
    if let Some(budget) = call.budget {
        further.extend(["--budget".to_owned(), format!("{}s", budget.as_secs_f64())]);
    }
    let again = command_line("verify", &[&job.path], &call.options, &further, folder);
    Err(Interrupted(resume::keep(&job.study, folder, parts, &again)?).into())
}

fn at_once(
    call: &Verify,
    job: &Job,
    folder: &RunFolder,
    (planned, mut limits): Parts,
    stopwatch: &mut Stopwatch,
) -> Fallible<Compared> {
    let (study, prediction) = (&job.study, &job.prediction);
    // The limit first: it is the shorter part, and the one that can fail.
    match extend_limits(study, prediction, &planned, &mut limits, &Bars) {
        Err(GeometryError::Cancelled) => return stop(call, job, folder, (&planned, &limits)),
        done => done?,
    }
    let levels = stopwatch.descend(study, prediction, planned, &Bars);
    if !are_complete(&levels) {
        return stop(call, job, folder, (&levels, &limits));
    }
    let simulation = Simulation::of(study, prediction, &levels, &limits, &Bars);
    if interrupt::is_requested() {
        return stop(call, job, folder, (&levels, &limits));
    }
    let verdict = verify_watched(study, prediction, &simulation, &Bars);
    Ok((levels, limits, verdict))
}

fn in_stages(
    call: &Verify,
    job: &Job,
    folder: &RunFolder,
    (levels, limits): Parts,
    stopwatch: &mut Stopwatch,
) -> Fallible<(Compared, Stop)> {
    const DEFAULT_BUDGET: Duration = Duration::from_secs(600);
    let budget = call.budget.unwrap_or(DEFAULT_BUDGET);
    let mut sequential = Sequential::from_parts(&job.study, &job.prediction, levels, limits);
    let reason: Stop = loop {
        let advanced = sequential.advance(&Bars).map(|_| ());
        match advanced {
            Ok(()) => (),
            // What the stages before found stands.
            Err(GeometryError::Cancelled) if !sequential.stages().is_empty() => {
                break Stop::Requested;
            }
            Err(GeometryError::Cancelled) => {
                let (levels, limits) = sequential.into_parts();
                return stop(call, job, folder, (&levels, &limits));
            }
            Err(error) => return Err(error.into()),
        }
        if let Some(stage) = sequential.stages().last().filter(|_| call.talks()) {
            show(&format!(
                "stage {}: {} paths on all rungs (× {}), level {:.5}: {}, {:.1} s\n",
                stage.number, stage.paths, stage.factor, stage.level, stage.verdict, stage.seconds
            ))?;
        }
        let left = budget.saturating_sub(Duration::from_secs_f64(stopwatch.seconds()));
        if let Some(stop) = sequential.stop(left) {
            break stop;
        }
    };
    let seconds = sequential.descent_seconds();
    let compared = sequential.finish(&reason).ok_or("no stage was run")?;
    stopwatch.descended(&compared.0, seconds);
    Ok((compared, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scenarios_of_one_name_are_numbered_whatever_the_others_are_called() {
        assert_eq!(free_name("s", &[]), "s");
        assert_eq!(free_name("s", &["t", "s"]), "s-2");
        assert_eq!(free_name("s", &["s", "s-2"]), "s-3");
    }

    #[test]
    fn budgets_are_times_with_units() {
        assert_eq!(budget("10m"), Ok(Duration::from_secs(600)));
        assert_eq!(budget("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(budget("90s"), Ok(Duration::from_secs(90)));
        for bad in ["10", "0s", "-3m", "soon", "", "1e400s"] {
            assert!(budget(bad).unwrap_err().contains("10m"), "{bad}");
        }
    }
}
