//! Commands and options, and what each command does with the library.

mod list;
mod progress;
mod report;
mod simulate;
mod verify;

use std::error::Error;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use singlim::plan::{PlanOptions, plan};
use singlim::predict::predict;
use singlim::report::{plan_text, prediction_text, side_by_side};
use singlim::scenario::{Study, load, template};
use singlim::simulate::{Monitor, Silent};

use progress::Bars;
use report::{Plot, Report, plot_one, report};
use simulate::{Side, one_side};
use verify::{Verify, verify};

/// Does noisy gradient descent converge to its predicted limit on the zero-loss manifold, and on the predicted time
/// scale?
#[derive(Parser)]
#[command(
    version,
    about,
    after_help = "Exit codes: 0 pass, 1 rejected or a regression against --baseline, 2 error, 3 inconclusive (not enough power to say).\nExample: singlim verify scenarios/product-label-noise.toml"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Simulate iterates and limit, compare them, give a verdict with its evidence
    Verify(Verify),
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
    /// Make the report of a run folder anew, or one page for several runs
    Report(Report),
    /// Draw one figure of a run folder, for a paper
    Plot(Plot),
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
        Command::Verify(options) => return verify(&options),
        Command::Descend(run) => one_side(Side::Descend, &run)?,
        Command::Limit(run) => one_side(Side::Limit, &run)?,
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
        Command::Report(options) => report(&options)?,
        Command::Plot(options) => plot_one(&options)?,
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

    fn monitor(&self) -> Box<dyn Monitor> {
        if !self.quiet && std::io::stderr().is_terminal() {
            Box::new(Bars::default())
        } else {
            Box::new(Silent)
        }
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
}
