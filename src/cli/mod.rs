//! Commands and options, and what each command does with the library.

mod errors;
mod interrupt;
mod list;
mod log;
mod manual;
mod progress;
mod report;
mod resume;
mod simulate;
mod verify;

use std::error::Error;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use singlim::plan::{PlanOptions, plan_watched};
use singlim::predict::{Prediction, predict_watched};
use singlim::report::{
    Format, Sheet, plan_sheets, plan_text, prediction_sheets, prediction_text, sheet_of_csv,
    sheets_text, side_by_side,
};
use singlim::scenario::{Study, load, schema, template};

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
    after_help = "Exit codes: 0 pass, 1 rejected or a regression against --baseline, 2 error, 3 inconclusive (not enough power to say), 130 interrupted.\n\n\
Examples:\n  singlim new product label --out mine.toml    a scenario to start from\n  \
singlim plan mine.toml                       how long it will take, how many paths it needs\n  \
singlim verify mine.toml                     the verdict\n  \
singlim explain path                         what a check, a warning or an exit code means"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Log to standard error what is done: -v the steps, -vv the phases, -vvv everything
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    verbose: u8,
}

#[derive(Subcommand)]
enum Command {
    /// Simulate iterates and limit, compare them, give a verdict with its evidence
    Verify(Verify),
    /// What theory says, without simulating iterates
    #[command(after_help = PREDICT_EXAMPLES)]
    Predict(Predicting),
    /// How long to train before each noise shows, run time on this machine, paths needed; runs short pilots only
    #[command(after_help = PLAN_EXAMPLES)]
    Plan(Planning),
    /// Simulate the iterates only
    #[command(after_help = DESCEND_EXAMPLES)]
    Descend {
        #[command(flatten)]
        run: Run,
        /// Go on with the run that was interrupted in the folder --out
        #[arg(long, requires = "out")]
        resume: bool,
    },
    /// Simulate the limit process only
    #[command(after_help = LIMIT_EXAMPLES)]
    Limit {
        #[command(flatten)]
        run: Run,
        /// Go on with the run that was interrupted in the folder --out
        #[arg(long, requires = "out")]
        resume: bool,
    },
    /// Validate a scenario without running it
    #[command(after_help = "Example:\n  singlim check mine.toml --set ladder.paths=5000")]
    Check(Scenario),
    /// Put run folders side by side: one table of all means on both clocks, to plot noise against noise
    #[command(after_help = TABLE_EXAMPLES)]
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
        /// How it is written
        #[arg(long, value_enum, default_value = "csv")]
        format: FormatName,
    },
    /// Make the report of a run folder anew, or one page for several runs
    Report(Report),
    /// Draw one figure of a run folder, for a paper
    Plot(Plot),
    /// Print a commented scenario to start from
    #[command(
        after_help = "Examples:\n  singlim new product label --out mine.toml\n  singlim new perceptron dropout > network.toml"
    )]
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
    #[command(after_help = "Examples:\n  singlim list\n  singlim list --format markdown")]
    List {
        /// How it is printed
        #[arg(long, value_enum, default_value = "table")]
        format: FormatName,
    },
    /// What a check, a warning or an exit code means; without a name, all of them
    #[command(
        after_help = "Examples:\n  singlim explain\n  singlim explain law-w1\n  singlim explain 3"
    )]
    Explain {
        /// As printed; blanks may be hyphens
        name: Option<String>,
    },
    /// Print the JSON schema of scenarios, by which editors complete and check them
    #[command(
        after_help = "Example:\n  singlim schema > schema.json\nand as the first line of a scenario beside it\n  #:schema ./schema.json"
    )]
    Schema,
    /// Print the completion script for a shell
    #[command(
        after_help = "Examples:\n  singlim completions bash > ~/.local/share/bash-completion/completions/singlim\n  singlim completions zsh > \"${fpath[1]}/_singlim\""
    )]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write man pages, one for each command
    #[command(after_help = "Example:\n  singlim man ~/.local/share/man/man1")]
    Man {
        /// The folder to write them to
        folder: PathBuf,
    },
}

const PREDICT_EXAMPLES: &str = "Examples:\n  singlim predict scenarios/product-label-noise.toml\n  \
singlim predict mine.toml --set noise.0.kind=dropout\n  \
singlim predict mine.toml --format json | jq .rungs";
const PLAN_EXAMPLES: &str = "Examples:\n  singlim plan scenarios/penguins-long.toml\n  \
singlim plan mine.toml --iterations 10000    what a test of 10⁴ iterations misses\n  \
singlim plan scenarios/*.toml --format csv";
const DESCEND_EXAMPLES: &str =
    "Example:\n  singlim descend scenarios/sparse-recovery-dropout.toml --out runs/dropout";
const LIMIT_EXAMPLES: &str =
    "Example:\n  singlim limit scenarios/penguins-long.toml --out runs/limit";
const TABLE_EXAMPLES: &str = "Examples:\n  singlim table runs/sparse-* --out sparse-recovery.csv\n  \
singlim table runs/label runs/dropout --format markdown";

/// How tables are printed.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FormatName {
    Table,
    Json,
    Markdown,
    Csv,
}

impl FormatName {
    fn is_table(self) -> bool {
        self == Self::Table
    }

    fn format(self) -> Format {
        match self {
            Self::Table => Format::Table,
            Self::Json => Format::Json,
            Self::Markdown => Format::Markdown,
            Self::Csv => Format::Csv,
        }
    }

    fn print(self, sheets: &[Sheet]) -> Fallible<()> {
        // Into a file or a pipe: wide enough for any row.
        let width = (!std::io::IsTerminal::is_terminal(&std::io::stdout())).then_some(400);
        show(&sheets_text(sheets, self.format(), width))
    }
}

#[derive(Args)]
struct Predicting {
    #[command(flatten)]
    scenario: Scenario,
    /// How it is printed
    #[arg(long, value_enum, default_value = "table")]
    format: FormatName,
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
    /// How it is printed; the tables for programs have numbers in full, and csv has all of them in one of cells
    #[arg(long, value_enum, default_value = "table")]
    format: FormatName,
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

/// The run was asked to stop; what is kept, and how to go on.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Interrupted(String);

/// Parses the command line and runs it.
pub fn main() -> ExitCode {
    // clap's own usage errors exit with 2 as well.
    let cli = Cli::parse();
    let quiet = cli.command.is_quiet();
    progress::start(quiet);
    log::start(cli.verbose);
    interrupt::start(quiet);
    match run(cli.command) {
        Ok(code) => code,
        Err(error) => match error.downcast_ref::<Interrupted>() {
            Some(interrupted) => {
                eprintln!("interrupted: {interrupted}");
                interrupt::exit_code()
            }
            None => {
                errors::print(&*error, "");
                ExitCode::from(2)
            }
        },
    }
}

impl Command {
    fn is_quiet(&self) -> bool {
        match self {
            Self::Verify(call) => call.options.quiet,
            Self::Descend { run, .. } | Self::Limit { run, .. } => run.scenario.options.quiet,
            Self::Predict(predicting) => predicting.scenario.options.quiet,
            Self::Plan(planning) => planning.options.quiet,
            Self::Check(scenario) => scenario.options.quiet,
            _ => false,
        }
    }
}

/// Runs the prediction, which can take a while for networks.
fn predicted(study: &Study) -> Fallible<Prediction> {
    let prediction = predict_watched(study, &Bars)?;
    tracing::info!(
        scenario = study.source.name(),
        regime = %prediction.regime(),
        rank = prediction.rank,
        "limit derived"
    );
    Ok(prediction)
}

fn run(command: Command) -> Fallible<ExitCode> {
    match command {
        Command::Verify(options) => return verify(&options),
        Command::Descend { run, resume } => one_side(Side::Descend, &run, resume)?,
        Command::Limit { run, resume } => one_side(Side::Limit, &run, resume)?,
        Command::Predict(Predicting { scenario, format }) => {
            let (study, _) = scenario.study()?;
            let prediction = predicted(&study)?;
            match format {
                _ if scenario.options.quiet => (),
                FormatName::Table => show(&prediction_text(&study, &prediction))?,
                format => format.print(&prediction_sheets(&study, &prediction))?,
            }
        }
        Command::Plan(planning) => {
            let options = PlanOptions {
                iterations: planning.iterations,
                share: planning.share,
            };
            planning.options.start_threads()?;
            let mut plans = Vec::new();
            for (i, scenario) in planning.scenarios.iter().enumerate() {
                let (study, _) = planning.options.study(scenario)?;
                let prediction = predicted(&study)?;
                let plan = plan_watched(&study, &prediction, options, &Bars)?;
                if !planning.options.quiet && planning.format.is_table() {
                    let gap = if i > 0 { "\n" } else { "" };
                    let text = plan_text(&study, &prediction, &plan);
                    show(&format!("{gap}{}: {text}", scenario.display()))?;
                }
                plans.push((study, plan));
            }
            if !planning.options.quiet && !planning.format.is_table() {
                let plans: Vec<_> = plans.iter().map(|(study, plan)| (study, plan)).collect();
                planning.format.print(&plan_sheets(&plans))?;
            }
        }
        Command::Check(scenario) => {
            let (study, _) = scenario.study()?;
            predicted(&study)?;
            if !scenario.options.quiet {
                show(&format!("{}: valid\n", scenario.scenario.display()))?;
            }
        }
        Command::Table {
            runs,
            out,
            force,
            format,
        } => {
            let mut table = Vec::new();
            side_by_side(&runs, &mut table)?;
            let mut table = String::from_utf8(table)?;
            if format != FormatName::Csv {
                let sheet = sheet_of_csv("means", &table)?;
                table = sheets_text(&[sheet], format.format(), Some(400));
            }
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
                Some(path) => write_new(&path, &with_schema(&path, text), force)?,
            }
        }
        Command::List { format } => match format {
            FormatName::Table => show(&list::text())?,
            format => format.print(&[list::sheet()])?,
        },
        Command::Explain { name } => show(&manual::explanation(name.as_deref())?)?,
        Command::Schema => show(&schema())?,
        Command::Completions { shell } => show(&manual::completions(shell)?)?,
        Command::Man { folder } => {
            let count = manual::man_pages(&folder)?;
            show(&format!("wrote {count} pages to {}\n", folder.display()))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The scenario with the line by which editors find the schema, if there is one beside it.
fn with_schema(path: &Path, text: String) -> String {
    match path.parent() {
        Some(folder) if folder.join("schema.json").is_file() => {
            let mut lines: Vec<_> = text.lines().collect();
            lines.retain(|line| !line.starts_with("# For completion in editors:"));
            format!("#:schema ./schema.json\n{}\n", lines.join("\n"))
        }
        _ => text,
    }
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
    show(&format!("wrote {}\n", path.display()))
}

/// Prints, and takes a reader that has gone away (`| head`) for the end of the output.
fn show(text: &str) -> Fallible<()> {
    let mut out = std::io::stdout().lock();
    let written = progress::aside(|| out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    match written {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(format!("can't print: {error}").into())
        }
        _ => Ok(()),
    }
}

impl Options {
    /// As they are typed.
    fn words(&self) -> Vec<String> {
        let mut words = Vec::new();
        for setting in &self.set {
            words.extend(["--set".to_owned(), setting.clone()]);
        }
        if let Some(seed) = self.seed {
            words.extend(["--seed".to_owned(), seed.to_string()]);
        }
        if let Some(threads) = self.threads {
            words.extend(["--threads".to_owned(), threads.to_string()]);
        }
        words
    }

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
}
