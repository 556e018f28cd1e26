//! Path-steps per second of the general engine on five works, and where the time goes: `cargo bench --bench works`.
//!
//! `-- --share` also says what part random numbers and arithmetic have; `-- --json FILE` writes the figures and
//! `-- --problem FILE` the data of the works, both for `benches/peers/run.sh`.

use std::hint::black_box;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Parser;
use pulp::{Arch, Simd, WithSimd};
use rayon::{ThreadPool, ThreadPoolBuilder};
use serde_json::{Value, json};
use singlim::descent::{DescentPlan, StepSizes, run_descent};
use singlim::integrators::{ItoEquation, ItoPlan, run_ito_ensemble};
use singlim::models::{
    Activation, AnyModel, Data, DiagonalNetwork, Model, Perceptron, Product, Regression, Samples,
};
use singlim::noise::{Mechanism, Source};
use singlim::random::{LaneStreams, Law};
use singlim::scalar::{LANES, Lanes, Scalar};
use singlim::scenario::{self, Study};

/// Paths of a large ensemble.
const PATHS: usize = 4096;

#[derive(Parser)]
struct Options {
    /// Say where the time goes
    #[arg(long)]
    share: bool,
    /// Measurements of each figure, of which the median is shown
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Length of a measurement
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// Write the figures, and the means that peers must agree with
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the data of the works and measure nothing
    #[arg(long, value_name = "FILE")]
    problem: Option<PathBuf>,
    /// What cargo passes
    #[arg(long, hide = true)]
    bench: bool,
}

/// An ensemble of so many paths after so many steps: the value of its check on every path.
type Ensemble = Box<dyn Fn(usize, u64) -> Vec<f64> + Sync>;

struct Work {
    name: &'static str,
    title: &'static str,
    /// Normal numbers a step.
    normals: usize,
    /// Multiplications with an addition a step, of the products with the data alone.
    multiply_adds: usize,
    /// Paths and steps of the mean that peers must agree with.
    check: (usize, u64),
    /// Parameters and data, for peers.
    problem: Value,
    run: Ensemble,
    /// The same with fewer features or units, so that all stays in the nearest cache, twice, and how many there are of these: in the
    /// first, in the second, in the work itself. None where all stays there anyhow.
    small: Option<([Ensemble; 2], [f64; 3])>,
}

fn ensemble(
    model: AnyModel,
    mechanism: Mechanism,
    (step_size, sigma): (f64, f64),
    start: Vec<f64>,
    check: impl Fn(&[f64]) -> f64 + Sync + 'static,
) -> Ensemble {
    let source = Source::new(mechanism, Law::Gaussian);
    Box::new(move |paths, steps| {
        let plan = DescentPlan {
            start: &start,
            step_sizes: StepSizes::Constant(step_size),
            sigma,
            paths,
            first_path: 0,
            record_at: &[steps],
            values_per_record: 1,
            seed: 1,
            level: 0,
            shared_streams: false,
        };
        let observe = |_, w: &[f64], out: &mut [f64]| out[0] = check(w);
        run_descent(&model, &[source], &plan, &observe, &|_| true).values
    })
}

/// dX = −θX dt + s dB in R².
struct OrnsteinUhlenbeck {
    rate: f64,
    strength: f64,
}

impl ItoEquation<2, 2> for OrnsteinUhlenbeck {
    #[inline(always)]
    fn drift<S: Scalar>(&self, x: &[S; 2]) -> [S; 2] {
        x.map(|x| S::constant(-self.rate) * x)
    }

    #[inline(always)]
    fn shock<S: Scalar>(&self, _: &[S; 2], xi: &[S; 2]) -> [S; 2] {
        xi.map(|xi| S::constant(self.strength) * xi)
    }
}

fn norm_squared(w: &[f64]) -> f64 {
    w.iter().map(|x| x * x).sum()
}

/// `count` standard normal numbers.
fn normals(count: usize, level: u64) -> Vec<f64> {
    let mut lanes = vec![Lanes::zero(); count.div_ceil(LANES)];
    Law::Gaussian.fill(1.0, &mut LaneStreams::new(1, level, 0), &mut lanes);
    lanes.iter().flat_map(|x| x.0).take(count).collect()
}

fn regression_problem(data: &Data, start: &[f64], step_size: f64, sigma: f64) -> Value {
    let rows = |values: &[f64], width: usize| -> Vec<Vec<f64>> {
        values.chunks(width).map(<[f64]>::to_vec).collect()
    };
    json!({
        "step_size": step_size, "sigma": sigma, "start": start,
        "inputs": rows(&data.train.inputs, data.features), "targets": data.train.targets,
    })
}

/// The diagonal network with so many features: its ensemble and its problem.
fn diagonal_network(features: usize) -> (Ensemble, Value) {
    let samples = 40;
    let inputs = normals(samples * features, 1);
    let sparse = |x: &[f64]| x[..5].iter().sum();
    let data = Arc::new(Data {
        features,
        targets: 1,
        train: Samples {
            count: samples,
            targets: inputs.chunks(features).map(sparse).collect(),
            inputs,
        },
        ..Data::default()
    });
    let start = vec![0.3; 2 * features];
    let problem = regression_problem(&data, &start, 1e-3, 0.1);
    let network = Regression::new(DiagonalNetwork::new(features, 2), data);
    let model = AnyModel::DiagonalNetwork(network);
    let run = ensemble(model, Mechanism::Label, (1e-3, 0.1), start, norm_squared);
    (run, problem)
}

/// The perceptron with so many hidden units.
fn perceptron(units: usize) -> (Ensemble, Value) {
    let (samples, features) = (16, 2);
    let data = Arc::new(Data {
        features,
        targets: 1,
        train: Samples {
            count: samples,
            inputs: normals(samples * features, 2),
            targets: normals(samples, 3).iter().map(|x| x.tanh()).collect(),
        },
        ..Data::default()
    });
    let network = Perceptron::new(vec![features, units, 1], Activation::Tanh, true);
    let network = Regression::new(network, data.clone());
    let start: Vec<f64> = normals(network.dimension(), 4)
        .iter()
        .zip(network.fan_in())
        .map(|(x, n)| x / (n as f64).sqrt())
        .collect();
    let problem = regression_problem(&data, &start, 0.01, 0.1);
    let model = AnyModel::Perceptron(network);
    let run = ensemble(model, Mechanism::Label, (0.01, 0.1), start, norm_squared);
    (run, problem)
}

fn works() -> Vec<Work> {
    let hyperbola = vec![2.0, 0.5];
    let imbalance = |w: &[f64]| w[0] * w[0] - w[1] * w[1];
    let product = json!({"step_size": 0.01, "sigma": 0.1, "start": hyperbola});
    let product_check = (PATHS, 2000);
    let (diagonal, diagonal_problem) = diagonal_network(100);
    let (perceptron_of_32, perceptron_problem) = perceptron(32);

    vec![
        Work {
            name: "W1",
            title: "product, label noise",
            normals: 1,
            multiply_adds: 3,
            check: product_check,
            problem: product.clone(),
            run: ensemble(
                AnyModel::Product(Product),
                Mechanism::Label,
                (0.01, 0.1),
                hyperbola.clone(),
                imbalance,
            ),
            small: None,
        },
        Work {
            name: "W2",
            title: "product, anti-PGD",
            normals: 2,
            multiply_adds: 3,
            check: product_check,
            problem: product,
            run: ensemble(
                AnyModel::Product(Product),
                Mechanism::AntiPgd,
                (0.01, 0.1),
                hyperbola,
                imbalance,
            ),
            small: None,
        },
        Work {
            name: "W3",
            title: "diagonal network, N = 40, d = 100, label noise",
            normals: 40,
            multiply_adds: 2 * 40 * 100,
            check: (512, 500),
            problem: diagonal_problem,
            run: diagonal,
            small: Some(([16, 40].map(|d| diagonal_network(d).0), [16.0, 40.0, 100.0])),
        },
        Work {
            name: "W4",
            title: "perceptron 2–32–1, tanh, biases in both layers, N = 16, label noise",
            normals: 16,
            // W x twice (forward and back), a·h twice.
            multiply_adds: 16 * 32 * (2 * 2 + 2),
            check: (512, 500),
            problem: perceptron_problem,
            run: perceptron_of_32,
            small: Some(([8, 16].map(|n| perceptron(n).0), [8.0, 16.0, 32.0])),
        },
        Work {
            name: "W5",
            title: "Euler–Maruyama of dX = −θX dt + s dB in R²",
            normals: 2,
            multiply_adds: 4,
            check: (10_000, 200),
            problem: json!({"rate": 1.0, "strength": 0.5, "time_step": 0.01, "start": [1.0, -0.5]}),
            run: Box::new(|paths, steps| {
                let plan = ItoPlan {
                    start: [1.0, -0.5],
                    time_step: 0.01,
                    paths,
                    first_path: 0,
                    record_at: &[steps],
                    seed: 1,
                    level: 0,
                };
                let equation = OrnsteinUhlenbeck {
                    rate: 1.0,
                    strength: 0.5,
                };
                let ends = run_ito_ensemble(&equation, &plan);
                ends.iter().map(|x| norm_squared(x)).collect()
            }),
            small: None,
        },
    ]
}

/// What a scenario trains: its data and its start, for the study by a script.
fn scenario_problem(file: &str) -> Value {
    let (spec, source, _) = scenario::load(file.as_ref(), &[]).expect("the scenario can be read");
    let study = Study::resolve(spec, source).expect("the scenario is valid");
    let AnyModel::Perceptron(model) = study.noisy.model() else {
        panic!("{file} trains no perceptron")
    };
    let ladder = &study.spec.ladder;
    regression_problem(
        model.data(),
        &study.start,
        ladder.step_sizes[0],
        ladder.sigma,
    )
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

/// Units of work a second: `f(n)` does n of them; as many as fill the time, as often as asked.
fn rates(options: &Options, mut f: impl FnMut(u64)) -> Vec<f64> {
    let mut seconds = |n| {
        let begin = Instant::now();
        f(n);
        begin.elapsed().as_secs_f64()
    };
    let mut n = 64;
    let mut taken = seconds(n);
    while taken < 0.05 {
        n *= 2;
        taken = seconds(n);
    }
    let n = ((n as f64 * options.seconds / taken) as u64).max(1);
    (0..options.repeats)
        .map(|_| n as f64 / seconds(n))
        .collect()
}

fn pool(threads: usize) -> ThreadPool {
    let pool = ThreadPoolBuilder::new().num_threads(threads).build();
    pool.expect("threads can be started")
}

fn path_steps(options: &Options, run: &Ensemble, pool: &ThreadPool, paths: usize) -> Vec<f64> {
    let rates = rates(options, |steps| {
        pool.install(|| black_box(run(paths, steps)));
    });
    rates.iter().map(|rate| rate * paths as f64).collect()
}

/// By the engine's generator, as many at a time as a block of W1 draws.
fn normals_per_second(options: &Options) -> f64 {
    let (mut streams, mut out) = (LaneStreams::new(1, 0, 0), [Lanes::zero(); 64]);
    let fills = rates(options, |n| {
        for _ in 0..n {
            Law::Gaussian.fill(1.0, &mut streams, black_box(&mut out));
        }
    });
    median(&fills) * (64 * LANES) as f64
}

/// Fused multiply-adds on twelve registers and no memory.
struct FusedPeak(u64);

impl WithSimd for FusedPeak {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> f64 {
        // Not known to the compiler, which would see that nothing changes.
        let [start, a, b] = black_box([1.0, 0.999, 0.001]).map(|x| simd.splat_f64s(x));
        let mut sums = [start; 12];
        for _ in 0..self.0 {
            for sum in &mut sums {
                *sum = simd.mul_add_f64s(*sum, a, b);
            }
        }
        sums.into_iter().map(|x| simd.reduce_sum_f64s(x)).sum()
    }
}

fn fused_per_second(options: &Options) -> f64 {
    struct LaneCount;
    impl WithSimd for LaneCount {
        type Output = usize;
        fn with_simd<S: Simd>(self, _: S) -> usize {
            S::F64_LANES
        }
    }
    let rounds = rates(options, |n| {
        black_box(Arch::new().dispatch(FusedPeak(n)));
    });
    median(&rounds) * (12 * Arch::new().dispatch(LaneCount)) as f64
}

/// What part of a step is spent on waiting for memory beyond the nearest cache: by how much it exceeds what two smaller ones let one
/// expect, time being linear in their size.
fn memory_share(options: &Options, work: &Work, rate: f64) -> f64 {
    let Some((small, [first, second, size])) = &work.small else {
        return 0.0;
    };
    let one = pool(1);
    let time = |run| 1.0 / median(&path_steps(options, run, &one, PATHS));
    let [low, high] = [time(&small[0]), time(&small[1])];
    let expected = low + (high - low) * (size - first) / (second - first);
    (1.0 - expected * rate).max(0.0)
}

fn show_shares(options: &Options, works: &[Work], one: &[f64]) {
    let (normals, fused) = (normals_per_second(options), fused_per_second(options));
    println!("\nOne thread: {normals:.2e} normals/s alone, peak {fused:.2e} multiply-adds/s");
    println!(
        "{:<5}{:>12}{:>12}{:>11}{:>11}{:>11}",
        "work", "ns a step", "normals", "products", "memory", "the rest"
    );
    for (work, &rate) in works.iter().zip(one) {
        let drawing = work.normals as f64 / normals * rate;
        let arithmetic = work.multiply_adds as f64 / fused * rate;
        let memory = memory_share(options, work, rate);
        println!(
            "{:<5}{:>12.3}{:>10.0} %{:>9.0} %{:>9.0} %{:>9.0} %",
            work.name,
            1e9 / rate,
            100.0 * drawing,
            100.0 * arithmetic,
            100.0 * memory,
            100.0 * (1.0 - drawing - arithmetic - memory).max(0.0),
        );
    }
}

/// Mean and standard error.
fn mean(values: &[f64]) -> [f64; 2] {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    [mean, (squares / (n * (n - 1.0))).sqrt()]
}

fn main() -> std::io::Result<()> {
    let options = Options::parse();
    let works = works();
    if let Some(file) = &options.problem {
        let mut all: serde_json::Map<String, Value> = works
            .into_iter()
            .map(|work| {
                let mut problem = work.problem;
                problem["paths"] = json!(work.check.0);
                problem["steps"] = json!(work.check.1);
                (work.name.into(), problem)
            })
            .collect();
        let name = "two-layer-dropout";
        all.insert(
            name.into(),
            scenario_problem(&format!("scenarios/{name}.toml")),
        );
        return std::fs::write(file, serde_json::to_string_pretty(&all)?);
    }
    let (one, two) = (pool(1), pool(2));
    let (mut figures, mut means) = (serde_json::Map::new(), serde_json::Map::new());
    let mut alone = Vec::new();
    println!("Path-steps a second, medians of {}", options.repeats);
    println!(
        "{:<5}{:>12}{:>12}{:>8}{:>13}",
        "work", "one thread", "two", "ratio", "single path"
    );
    for work in &works {
        let run = &work.run;
        let paths = if work.name == "W5" { 10_000 } else { PATHS };
        let large = path_steps(&options, run, &one, paths);
        let both = path_steps(&options, run, &two, paths);
        let single = path_steps(&options, run, &one, 1);
        let [a, b, c] = [&large, &both, &single].map(|rates| median(rates));
        let ratio = b / a;
        println!(
            "{:<5}{a:>12.2e}{b:>12.2e}{ratio:>8.2}{c:>13.2e}   {}",
            work.name, work.title
        );
        alone.push(a);
        figures.insert(
            work.name.into(),
            json!({"one": large, "two": both, "single": single}),
        );
        if options.json.is_some() {
            let values = one.install(|| run(work.check.0, work.check.1));
            means.insert(work.name.into(), json!(mean(&values)));
        }
    }
    if options.share {
        show_shares(&options, &works, &alone);
    }
    if let Some(file) = &options.json {
        let version = env!("CARGO_PKG_VERSION");
        let all = json!({"peer": "singlim", "version": version, "rates": figures, "means": means});
        std::fs::write(file, serde_json::to_string(&all)?)?;
    }
    Ok(())
}
