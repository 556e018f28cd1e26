//! A guard against losses of speed that needs no quiet machine: instructions a path-step of the works W1–W4, and a draw of each law,
//! counted by valgrind, within 15 % of the recorded ones. `cargo bench --bench counts`; `-- --record` records.
//!
//! Valgrind (3.19 to 3.25) knows no AVX-512, so what is counted is the AVX2 path. Each item runs twice, with more steps and with
//! fewer, and the difference leaves the start-up out. The values have to be the same bits as without valgrind, on the
//! processor's own instruction set: whole ensembles compared across sets.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use clap::Parser;
use pulp::Arch;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use serde::{Deserialize, Serialize};
use singlim::descent::{DescentPlan, StepSizes, run_descent};
use singlim::models::{
    Activation, AnyModel, Data, DiagonalNetwork, Model, Perceptron, Product, Regression, Samples,
};
use singlim::noise::{Mechanism, Source};
use singlim::random::{LaneStreams, Law};
use singlim::scalar::{LANES, Lanes};

/// How far a figure may be from the recorded one.
const TOLERANCE: f64 = 0.15;
const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/counts/counts.json");

#[derive(Parser)]
struct Options {
    /// Record the figures in place of comparing
    #[arg(long)]
    record: bool,
    /// Do the work of this item, and print what came out
    #[arg(long, hide = true)]
    item: Option<String>,
    /// So many steps of it
    #[arg(long, hide = true, default_value_t = 0)]
    steps: u64,
    /// What cargo passes
    #[arg(long, hide = true)]
    bench: bool,
}

/// What is counted: name, fewer and more steps, and path-steps or draws a step.
const ITEMS: [(&str, u64, u64, usize); 9] = [
    ("W1", 256, 2304, 64),
    ("W2", 256, 2304, 64),
    ("W3", 16, 80, 8),
    ("W4", 16, 80, 8),
    ("gaussian", 10, 60, 512 * LANES),
    ("rademacher", 10, 60, 512 * LANES),
    ("uniform", 10, 60, 512 * LANES),
    ("bernoulli", 10, 60, 512 * LANES),
    ("ziggurat of rand_distr", 10, 60, 512 * LANES),
];

#[derive(Serialize, Deserialize)]
struct Figures {
    /// What pulp finds under valgrind.
    instruction_set: String,
    /// A path-step or a draw.
    instructions: BTreeMap<String, f64>,
}

fn instruction_set() -> String {
    let name = format!("{:?}", Arch::new());
    name.split('(').next().unwrap_or_default().to_string()
}

/// Numbers that look random, of any kind.
fn generic(count: usize, seed: f64) -> Vec<f64> {
    (0..count)
        .map(|i| (1.0 + seed + 7.31 * i as f64 + 0.37 * (i * i % 9973) as f64).sin())
        .collect()
}

fn data(features: usize, count: usize) -> Arc<Data> {
    let inputs = generic(count * features, 0.3);
    Arc::new(Data {
        features,
        targets: 1,
        train: Samples {
            count,
            targets: generic(count, 1.7),
            inputs,
        },
        ..Data::default()
    })
}

/// The values at the end of an ensemble.
fn descend(
    model: AnyModel,
    mechanism: Mechanism,
    start: &[f64],
    paths: usize,
    steps: u64,
) -> Vec<f64> {
    let plan = DescentPlan {
        start,
        step_sizes: StepSizes::Constant(0.001),
        sigma: 0.1,
        paths,
        first_path: 0,
        record_at: &[steps],
        values_per_record: 1,
        seed: 1,
        level: 0,
        shared_streams: false,
    };
    let observe = |_, w: &[f64], out: &mut [f64]| out[0] = w.iter().sum();
    let source = Source::new(mechanism, Law::Gaussian);
    run_descent(&model, &[source], &plan, &observe, &|_| true).values
}

fn draw(law: Law, steps: u64) -> Vec<f64> {
    let mut out = vec![Lanes([0.0; LANES]); 512];
    let mut streams = LaneStreams::new(1, 0, 0);
    for _ in 0..steps {
        law.fill(1.0, &mut streams, &mut out);
    }
    out.iter().flat_map(|row| row.0).collect()
}

fn ziggurat(steps: u64) -> Vec<f64> {
    let mut generator = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut out = vec![0.0; 512 * LANES];
    for _ in 0..steps {
        out.fill_with(|| StandardNormal.sample(&mut generator));
    }
    out
}

/// Does the work of an item.
fn work(item: &str, steps: u64, paths: usize) -> Vec<f64> {
    let product = |mechanism| {
        descend(
            AnyModel::Product(Product),
            mechanism,
            &[2.0, 0.5],
            paths,
            steps,
        )
    };
    match item {
        "W1" => product(Mechanism::Label),
        "W2" => product(Mechanism::AntiPgd),
        "W3" => {
            let model = Regression::new(DiagonalNetwork::new(100, 2), data(100, 40));
            let model = AnyModel::DiagonalNetwork(model);
            descend(model, Mechanism::Label, &[0.3; 200], paths, steps)
        }
        "W4" => {
            let network = Perceptron::new(vec![2, 32, 1], Activation::Tanh, true);
            let model = Regression::new(network, data(2, 16));
            let start = generic(model.dimension(), 0.2);
            descend(
                AnyModel::Perceptron(model),
                Mechanism::Label,
                &start,
                paths,
                steps,
            )
        }
        _ => match Law::ALL.into_iter().find(|law| law.name() == item) {
            Some(law) => draw(law, steps),
            None => ziggurat(steps),
        },
    }
}

/// What an item leaves behind, in one line: the instruction set, and a digest of the values.
fn print_result(item: &str, steps: u64) {
    // No second thread, whose waiting would be counted.
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .use_current_thread();
    pool.build_global().expect("the thread is there");
    let paths = ITEMS
        .iter()
        .find(|(name, ..)| *name == item)
        .map_or(8, |item| item.3);
    let digest = work(item, steps, paths).into_iter().fold(0u64, |hash, x| {
        (hash.rotate_left(5) ^ x.to_bits()).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    });
    println!("{} {digest:016x}", instruction_set());
}

/// What a run printed, and how many instructions it took if they were counted.
struct Run {
    set: String,
    digest: String,
    instructions: f64,
}

fn run(item: &str, steps: u64, counted: bool) -> Result<Run, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = if counted {
        let mut command = Command::new("valgrind");
        command
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(program);
        command
    } else {
        Command::new(program)
    };
    let output = command
        .args(["--item", item, "--steps", &steps.to_string()])
        .output()
        .map_err(|error| {
            format!(
                "valgrind can't be started ({error}); install it, e.g. apt-get install valgrind"
            )
        })?;
    let (out, err) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    let (set, digest) = out
        .trim()
        .split_once(' ')
        .ok_or_else(|| format!("{item} failed:\n{err}"))?;
    let collected = err
        .lines()
        .find_map(|line| line.split("Collected :").nth(1)?.trim().parse().ok());
    if counted && collected.is_none() {
        return Err(format!("no count in what valgrind says:\n{err}"));
    }
    Ok(Run {
        set: set.into(),
        digest: digest.into(),
        instructions: collected.unwrap_or(f64::NAN),
    })
}

/// Counts all items; also whether all values were the same bits with valgrind and without.
fn measure() -> Result<(Figures, bool), String> {
    let (mut instructions, mut set, mut same) = (BTreeMap::new(), String::new(), true);
    for (item, fewer, more, a_step) in ITEMS {
        let (short, long) = (run(item, fewer, true)?, run(item, more, true)?);
        let alone = run(item, more, false)?;
        if alone.digest != long.digest {
            println!(
                "{item} has other bits on {} than on {}",
                alone.set, long.set
            );
            same = false;
        }
        let steps = (more - fewer) as f64 * a_step as f64;
        instructions.insert(
            item.to_string(),
            (long.instructions - short.instructions) / steps,
        );
        set = long.set;
    }
    if same {
        println!(
            "The same bits on {set} (counted) and on {} (this processor)\n",
            instruction_set()
        );
    }
    let figures = Figures {
        instruction_set: set,
        instructions,
    };
    Ok((figures, same))
}

fn check(record: bool) -> Result<bool, String> {
    let path = Path::new(RECORDED);
    let (now, mut good) = measure()?;
    if record {
        let text = serde_json::to_string_pretty(&now).map_err(|error| error.to_string())?;
        std::fs::write(path, text + "\n").map_err(|error| error.to_string())?;
        println!("recorded in {RECORDED}");
        return Ok(good);
    }
    let text = std::fs::read_to_string(path).map_err(|error| format!("{RECORDED}: {error}"))?;
    let then: Figures =
        serde_json::from_str(&text).map_err(|error| format!("{RECORDED}: {error}"))?;
    if then.instruction_set != now.instruction_set {
        let (then, now) = (then.instruction_set, now.instruction_set);
        return Err(format!(
            "the figures are those of {then}, but valgrind has {now} here"
        ));
    }
    println!(
        "{:<24}{:>12}{:>12}{:>9}",
        "instructions", "recorded", "now", "change"
    );
    for (item, ..) in ITEMS {
        let figure =
            |figures: &Figures| figures.instructions.get(item).copied().unwrap_or(f64::NAN);
        let (before, after) = (figure(&then), figure(&now));
        let change = after / before - 1.0;
        let fits = change.abs() <= TOLERANCE;
        let word = if fits { "" } else { "   FAILED" };
        println!(
            "{item:<24}{before:>12.2}{after:>12.2}{:>8.1} %{word}",
            100.0 * change
        );
        good &= fits;
    }
    for law in Law::ALL.into_iter().skip(1) {
        let of = |name: &str| now.instructions.get(name).copied().unwrap_or(f64::NAN);
        if of(law.name()) >= of("gaussian") {
            println!("{} is not cheaper than gaussian", law.name());
            good = false;
        }
    }
    if !good {
        println!(
            "Slower? Find out why. Meant to be, or faster: cargo bench --bench counts -- --record"
        );
    }
    Ok(good)
}

fn main() -> ExitCode {
    let options = Options::parse();
    if let Some(item) = &options.item {
        print_result(item, options.steps);
        return ExitCode::SUCCESS;
    }
    match check(options.record) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::from(2)
        }
    }
}
