//! Commands and options, and what each command does with the library.

mod list;
mod progress;

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use clap::{Args, Parser, Subcommand};
use singlim::plan::{PlanOptions, plan};
use singlim::predict::{Prediction, predict, warnings};
use singlim::report::{
    Manifest, RunFolder, RunRecord, budget_table, checks_table, plan_text, power_line,
    prediction_text, side_by_side, verdict_line,
};
use singlim::scenario::{Study, load, template};
use singlim::simulate::{
    LevelRun, Monitor, Silent, Simulation, plan_levels, run_levels, run_limits,
};
use singlim::statistics::Outcome;
use singlim::verify::verify;

use progress::Bars;

/// Does noisy gradient descent converge to its predicted limit on the zero-loss manifold, and on the predicted time
/// scale?
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 pass, 1 rejected, 2 error, 3 inconclusive (not enough power to say).\nExample: singlim verify scenarios/product-label-noise.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Simulate iterates and limit, compare them, give a verdict with its evidence
    Verify(Run),
    /// What theory says, without simulating iterates
    Predict(Scenario),
    /// How long to train before each noise shows, run time on this machine, paths needed; runs short pilots only
    Plan(Planning),
    /// Simulate the iterates only
    Descend(Run),
    /// Simulate the limit process only
    Limit(Run),
    /// Validate a scenario without running it
    Check(Scenario),
    /// Put run folders side by side: one CSV table of all means on both clocks, to plot noise against noise
    Table {
        /// Folders that verify, descend or limit have written
        #[arg(required = true)]
        runs: Vec<PathBuf>,
        /// Write it to this file instead of the screen
        #[arg(long)]
        out: Option<PathBuf>,
        /// Overwrite the file if it exists
        #[arg(long, requires = "out")]
        force: bool,
    },
    /// Print a commented scenario to start from
    New {
        /// A model: see `singlim list`
        model: String,
        /// A noise: see `singlim list`
        noise: String,
        /// Write it to this file instead of the screen
        #[arg(long)]
        out: Option<PathBuf>,
        /// Overwrite the file if it exists
        #[arg(long, requires = "out")]
        force: bool,
    },
    /// Models, noises, laws, observables, integrators, with formulas and options
    List,
}

#[derive(Args)]
struct Scenario {
    /// The scenario file (TOML)
    scenario: PathBuf,
    #[command(flatten)]
    options: Options,
}

#[derive(Args)]
struct Planning {
    /// The scenario files (TOML), planned one after the other
    #[arg(required = true)]
    scenarios: Vec<PathBuf>,
    /// What would a test of this many iterations miss? A tenth of the way at the smallest step size by default
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=1_000_000_000_000_000))]
    iterations: Option<u64>,
    /// The share of the displacement that counts as shown, between 0 and 1; margins.share by default
    #[arg(long, value_parser = share)]
    share: Option<f64>,
    #[command(flatten)]
    options: Options,
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share < 1.0 => Ok(share),
        _ => Err("must be a number between 0 and 1".into()),
    }
}

#[derive(Args)]
struct Options {
    /// Override a field: --set ladder.paths=1000 --set noise.0.law=uniform
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Override the seed
    #[arg(long)]
    seed: Option<u64>,
    /// Threads to use; all cores by default. The results do not depend on it
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Print nothing but errors
    #[arg(long, short)]
    quiet: bool,
}

#[derive(Args)]
struct Run {
    #[command(flatten)]
    scenario: Scenario,
    /// The run folder; runs/SCENARIO by default, numbered if that exists
    #[arg(long)]
    out: Option<PathBuf>,
    /// Write into a folder that is not empty
    #[arg(long, requires = "out")]
    force: bool,
}

type Fallible<T> = Result<T, Box<dyn Error>>;

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    // clap's own usage errors exit with 2 as well.
    let cli = Cli::parse();
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> Fallible<ExitCode> {
    match command {
        Command::Verify(run) => return run_study("verify", &run),
        Command::Descend(run) => return run_study("descend", &run),
        Command::Limit(run) => return run_study("limit", &run),
        Command::Predict(scenario) => {
            let (study, _) = scenario.study()?;
            let prediction = predict(&study)?;
            if !scenario.options.quiet {
                show(&prediction_text(&study, &prediction))?;
            }
        }
        Command::Plan(planning) => {
            let options = PlanOptions {
                iterations: planning.iterations,
                share: planning.share,
            };
            planning.options.start_threads()?;
            for (i, scenario) in planning.scenarios.iter().enumerate() {
                let (study, _) = planning.options.study(scenario)?;
                let prediction = predict(&study)?;
                let plan = plan(&study, &prediction, options)?;
                if !planning.options.quiet {
                    let gap = if i > 0 { "\n" } else { "" };
                    let text = plan_text(&study, &prediction, &plan);
                    show(&format!("{gap}{}: {text}", scenario.display()))?;
                }
            }
        }
        Command::Check(scenario) => {
            let (study, _) = scenario.study()?;
            predict(&study)?;
            if !scenario.options.quiet {
                show(&format!("{}: valid\n", scenario.scenario.display()))?;
            }
        }
        Command::Table { runs, out, force } => {
            let mut table = Vec::new();
            side_by_side(&runs, &mut table)?;
            let table = String::from_utf8(table)?;
            match out {
                None => show(&table)?,
                Some(path) => write_new(&path, &table, force)?,
            }
        }
        Command::New {
            model,
            noise,
            out,
            force,
        } => {
            let text = template(&model, &noise)?;
            match out {
                None => show(&text)?,
                Some(path) => write_new(&path, &text, force)?,
            }
        }
        Command::List => show(&list::text())?,
    }
    Ok(ExitCode::SUCCESS)
}

fn write_new(path: &Path, text: &str, force: bool) -> Fallible<()> {
    let mut options = std::fs::OpenOptions::new();
    options
        .write(true)
        .create_new(!force)
        .create(force)
        .truncate(force);
    let mut file = options.open(path).map_err(|error| {
        let help = match error.kind() {
            std::io::ErrorKind::AlreadyExists => "; --force overwrites it",
            _ => "",
        };
        format!("can't write {}: {error}{help}", path.display())
    })?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

/// Prints, and takes a reader that has gone away (`| head`) for the end of the output.
fn show(text: &str) -> Fallible<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("can't print: {error}").into())
        }
        _ => Ok(()),
    }
}

impl Options {
    fn start_threads(&self) -> Fallible<()> {
        if let Some(threads) = self.threads {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(usize::from(threads));
            pool.build_global()
                .map_err(|error| format!("can't start {threads} threads: {error}"))?;
        }
        Ok(())
    }

    /// The study of a file, and its text.
    fn study(&self, scenario: &Path) -> Fallible<(Study, String)> {
        let (mut spec, source, text) = load(scenario, &self.set)?;
        spec.seed = self.seed.unwrap_or(spec.seed);
        Ok((Study::resolve(spec, source)?, text))
    }
}

impl Scenario {
    /// The study, and the text of its file.
    fn study(&self) -> Fallible<(Study, String)> {
        self.options.start_threads()?;
        self.options.study(&self.scenario)
    }

    fn name(&self) -> String {
        self.scenario
            .file_stem()
            .map_or("run".into(), |stem| stem.to_string_lossy().into_owned())
    }

    fn monitor(&self) -> Box<dyn Monitor> {
        if !self.options.quiet && std::io::stderr().is_terminal() {
            Box::new(Bars::default())
        } else {
            Box::new(Silent)
        }
    }
}

fn run_study(command: &str, run: &Run) -> Fallible<ExitCode> {
    let (study, text) = run.scenario.study()?;
    let prediction = predict(&study)?;
    let folder = match &run.out {
        Some(path) => RunFolder::claim(path, run.force)?,
        None => RunFolder::claim_next(&run.scenario.name())?,
    };
    let done = simulate_and_write(command, run, &study, &prediction, &folder, &text);
    if done.is_err() {
        folder.abandon();
    }
    done
}

fn simulate_and_write(
    command: &str,
    run: &Run,
    study: &Study,
    prediction: &Prediction,
    folder: &RunFolder,
    text: &str,
) -> Fallible<ExitCode> {
    let begin = Instant::now();
    let mut manifest = Manifest::begin(command, &study.spec);
    let quiet = run.scenario.options.quiet;
    if !quiet {
        show(&format!("{}\n", headline(study, prediction)))?;
    }
    let monitor = run.scenario.monitor();
    // The limit first: it is the shorter part, and the one that can fail.
    let planned = plan_levels(study, prediction);
    let limits = match command {
        "descend" => Vec::new(),
        _ => run_limits(study, prediction, &planned, &*monitor)?,
    };
    let levels = match command {
        "limit" => Vec::new(),
        _ => {
            let begin = Instant::now();
            let levels = run_levels(study, prediction, planned, &*monitor);
            manifest.path_steps = levels.iter().map(LevelRun::path_steps).sum();
            let rate = manifest.path_steps as f64 / begin.elapsed().as_secs_f64();
            manifest.path_steps_per_second = Some(rate);
            levels
        }
    };
    let simulation = (command == "verify")
        .then(|| Simulation::of(study, prediction, &levels, &limits, &*monitor));
    let verdict = simulation.map(|simulation| verify(study, prediction, &simulation));
    manifest.ended = jiff::Timestamp::now().to_string();
    manifest.wall_seconds = begin.elapsed().as_secs_f64();
    manifest.cpu_seconds = cpu_seconds();
    let record = RunRecord {
        study,
        clock: prediction.clock,
        scenario_text: text,
        levels: &levels,
        limits: &limits,
        verdict: verdict.as_ref(),
    };
    folder.write(&record, &manifest)?;
    let place = folder.path().display();
    let seconds = manifest.wall_seconds;
    let Some(verdict) = verdict else {
        if !quiet {
            show(&format!("wrote {place} in {seconds:.1} s\n"))?;
        }
        return Ok(ExitCode::SUCCESS);
    };
    if !quiet {
        let colours = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        // Into a file or a pipe: wide enough for any row.
        let width = (!std::io::stdout().is_terminal()).then_some(140);
        let steps = manifest.path_steps as f64;
        let rate = manifest.path_steps_per_second.unwrap_or(0.0);
        show(&format!(
            "{}\n\n{}{}\n{}\n{steps:.2e} path-steps ({rate:.1e}/s), {seconds:.1} s, run folder {place}\n",
            checks_table(&verdict, width, colours),
            budget_table(&verdict, width),
            power_line(&verdict),
            verdict_line(&verdict),
        ))?;
    }
    Ok(ExitCode::from(match verdict.verdict {
        Outcome::Pass => 0,
        Outcome::Rejected => 1,
        Outcome::Inconclusive => 3,
    }))
}

fn headline(study: &Study, prediction: &Prediction) -> String {
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
        .map(|warning| format!("\nwarning: {warning}"))
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
