//! Seconds to predict slow time T by the limit against seconds to simulate it, as a function of α: `cargo bench --bench
//! limit_speed` prints the README's table.
//!
//! Both sides have as many paths as the scenario's finest rung; a deterministic limit is one curve. What would take longer than
//! `--seconds` is extrapolated from the path-steps per second of a shorter run, and marked ≈.

use std::time::Instant;

use clap::Parser;
use singlim::predict::predict;
use singlim::scenario::{self, Study};
use singlim::simulate::{LevelRun, Silent, plan_levels, run_levels, run_limits};

/// Scenario, what it is, and step sizes down to about 10⁻³.
const SCENARIOS: [(&str, &str, &str); 3] = [
    (
        "scenarios/product-label-noise.toml",
        "label noise on ½(uv − 1)²: a curve",
        "[0.032, 0.016, 0.008, 0.004, 0.002, 0.001]",
    ),
    (
        "scenarios/product-sgld.toml",
        "Langevin noise on ½(uv − 1)²: a diffusion",
        "[0.064, 0.032, 0.016, 0.008, 0.004, 0.002, 0.001]",
    ),
    (
        "scenarios/two-layer-label-noise.toml",
        "label noise on a two-layer perceptron: a curve",
        "[0.16, 0.08, 0.04, 0.02, 0.01, 0.005, 0.0025, 0.00125]",
    ),
];

#[derive(Parser)]
struct Options {
    /// The longest simulation that is run in full
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Measurements of the limit, of which the median is shown
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// What cargo passes
    #[arg(long, hide = true)]
    bench: bool,
}

fn seconds(f: impl FnOnce()) -> f64 {
    let begin = Instant::now();
    f();
    begin.elapsed().as_secs_f64()
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// The study of a scenario on other step sizes, each with the paths of its finest rung.
fn study(file: &str, step_sizes: &str) -> Study {
    let resolved = |set: &[String]| {
        let (spec, source, _) = scenario::load(file.as_ref(), set).expect("the scenario is there");
        Study::resolve(spec, source).expect("the scenario is valid")
    };
    let finest = resolved(&[]).ladder().last().map_or(1, |level| level.paths);
    resolved(&[
        format!("ladder.step_sizes={step_sizes}"),
        format!("ladder.paths={finest}"),
        "ladder.sigma_factors=[]".into(),
    ])
}

/// The same rung, ended after so many iterations and recorded then.
fn shortened(run: &LevelRun, iterations: u64) -> LevelRun {
    let mut short = run.clone();
    short.iterations = vec![iterations];
    short.slow_times = vec![0.0];
    short.compared = vec![0];
    short.settled = None;
    short.samples.records = 1;
    short
}

fn main() {
    let options = Options::parse();
    println!("{} threads\n", rayon::current_num_threads());
    println!("| limit | α | iterations to T | paths | simulated, s | by the limit, s | speed-up |");
    println!("|---|---|---|---|---|---|---|");
    for (file, title, step_sizes) in SCENARIOS {
        let study = study(file, step_sizes);
        let prediction = predict(&study).expect("the limit can be derived");
        let planned = plan_levels(&study, &prediction);
        let limit = || {
            let finest = &planned[planned.len() - 1..];
            run_limits(&study, &prediction, finest, &Silent).expect("the limit goes on");
        };
        let by_limit = median((0..options.repeats).map(|_| seconds(limit)).collect());
        for run in planned {
            let (level, path_steps) = (run.level, run.path_steps() as f64);
            let iterations = run.iterations.last().copied().unwrap_or(1);
            let simulate =
                |run| seconds(|| drop(run_levels(&study, &prediction, vec![run], &Silent)));
            let (mut some, mut taken) = (64.min(iterations), 0.0);
            while some < iterations && taken < 0.05 * options.seconds {
                taken = simulate(shortened(&run, some));
                if taken < 0.05 * options.seconds {
                    some = (4 * some).min(iterations);
                }
            }
            let expected = taken * iterations as f64 / some as f64;
            let (mark, simulated) = if some == iterations || expected <= options.seconds {
                ("", simulate(run))
            } else {
                ("≈ ", expected)
            };
            println!(
                "| {title} | {} | {:.1e} | {} | {mark}{simulated:.2} | {by_limit:.1e} | {mark}{:.0} |",
                level.step_size,
                path_steps / level.paths as f64,
                level.paths,
                simulated / by_limit
            );
        }
    }
}
