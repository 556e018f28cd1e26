//! The tape of a formula against the hand-written kernel of the same loss, through the same engine:
//! `cargo bench --bench formula`. One thread, 1024 paths, the two in turn.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use rayon::ThreadPoolBuilder;
use singlim::descent::{DescentPlan, StepSizes, run_descent};
use singlim::models::{AnyModel, Data, DiagonalNetwork, Product, Regression, Samples};
use singlim::noise::{Mechanism, NoisyLoss, Source};
use singlim::random::Law;
use singlim::scenario::{Study, parse};

const PATHS: usize = 1024;
/// Pairs of measurements, of which the median ratio is shown.
const REPEATS: usize = 9;
const LARGEST_RATIO: f64 = 2.0;

/// Nanoseconds of a path-step, and the mean of |w|² over the paths.
fn measure(noisy: &NoisyLoss<AnyModel>, start: &[f64], step_size: f64, steps: u64) -> (f64, f64) {
    let plan = DescentPlan {
        start,
        step_sizes: StepSizes::Constant(step_size),
        sigma: 0.1,
        paths: PATHS,
        first_path: 0,
        record_at: &[steps],
        values_per_record: 1,
        seed: 1,
        level: 0,
        shared_streams: false,
    };
    let observe = |_, w: &[f64], out: &mut [f64]| out[0] = w.iter().map(|x| x * x).sum();
    let begin = Instant::now();
    let run = black_box(run_descent(
        noisy.model(),
        noisy.sources(),
        &plan,
        &observe,
        &|_| true,
    ));
    let nanoseconds = begin.elapsed().as_secs_f64() * 1e9;
    let mean = run.values.iter().sum::<f64>() / PATHS as f64;
    (nanoseconds / (PATHS as f64 * steps as f64), mean)
}

fn compare(
    title: &str,
    model: AnyModel,
    formula: &str,
    (start, step_size): (&[f64], f64),
    steps: u64,
) -> bool {
    let source = Source::new(Mechanism::Label, Law::Gaussian);
    let by_hand = NoisyLoss::new(model, vec![source]).expect("the model takes label noise");
    let ladder = "[ladder]\nstep_sizes = [0.04, 0.02, 0.01, 0.005]\nsigma = 0.1\nhorizon = 1.0\npaths = 100\n";
    let text = format!(
        "observables = [\"norm\"]\n[model]\nkind = \"formula\"\nstart = {start:?}\n{formula}\n{ladder}"
    );
    let (spec, source) = parse("bench.toml", &text, &[]).expect("the scenario can be read");
    let study = Study::resolve(spec, source).expect("the scenario is valid");
    let tape = study.noisy;
    let mut ratios = Vec::new();
    let (mut hand, mut other) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..REPEATS {
        let (a, mean) = measure(&by_hand, start, step_size, steps);
        let (b, same) = measure(&tape, start, step_size, steps);
        assert!(
            (mean - same).abs() < 1e-9 * mean.abs(),
            "{title}: {mean} against {same}"
        );
        ratios.push(b / a);
        (hand, other) = (hand.min(a), other.min(b));
    }
    ratios.sort_by(f64::total_cmp);
    let ratio = ratios[REPEATS / 2];
    println!("{title}: {hand:.2} ns by hand, {other:.2} ns by tape; ratio {ratio:.2}");
    ratio <= LARGEST_RATIO
}

fn main() {
    let pool = ThreadPoolBuilder::new().num_threads(1).build();
    let good = pool.expect("threads can be started").install(|| {
        let product = compare(
            "product, label noise",
            AnyModel::Product(Product),
            "parameters = [\"u\", \"v\"]\nnoise = [\"e\"]\nloss = \"0.5*(u*v - 1 - e)^2\"",
            (&[2.0, 0.5], 0.01),
            20_000,
        );
        let (samples, features) = (40, 100);
        let inputs: Vec<f64> = (0..samples * features)
            .map(|i| libm::sin(1.0 + 1.7 * f64::from(i)) * 1.4)
            .collect();
        let targets: Vec<f64> = inputs
            .chunks(features as usize)
            .map(|x| x[..5].iter().sum())
            .collect();
        let rows: Vec<_> = inputs.chunks(features as usize).collect();
        let formula = format!(
            "parameters = [\"u[1..100]\", \"v[1..100]\"]\nnoise = [\"e[1..40]\"]\n\
             loss = \"sum(i=1..40, (dot(X[i], b) - y[i] - e[i])^2)/80\"\n\
             [model.let]\n\"b[j=1..100]\" = \"u[j]^2 - v[j]^2\"\n\
             [model.constants]\nX = {rows:?}\ny = {targets:?}"
        );
        let data = Data {
            features: features as usize,
            targets: 1,
            train: Samples {
                count: samples as usize,
                inputs: inputs.clone(),
                targets: targets.clone(),
            },
            ..Data::default()
        };
        let network = compare(
            "diagonal network, d = 100, N = 40, label noise",
            AnyModel::DiagonalNetwork(Regression::new(
                DiagonalNetwork::new(100, 2),
                Arc::new(data),
            )),
            &formula,
            (&[0.3; 200], 1e-3),
            60,
        );
        product && network
    });
    if !good {
        eprintln!("the tape takes more than {LARGEST_RATIO} times as long as the kernel by hand");
        std::process::exit(1);
    }
}
