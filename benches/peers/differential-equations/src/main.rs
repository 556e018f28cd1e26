//! W5 with the crate differential-equations: paths of dX = −θX dt + s dB in R² by its Euler method.
//!
//! `peer-differential-equations PATHS STEPS SECONDS REPEATS` prints as JSON the mean of |X|² after STEPS steps with its
//! standard error, then path-steps per second on one thread, on two, and of one path.

use std::hint::black_box;
use std::time::Instant;

use differential_equations::prelude::*;
use differential_equations::sde::solve_sde;
use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use rayon::prelude::*;

const RATE: f64 = 1.0;
const STRENGTH: f64 = 0.5;
const TIME_STEP: f64 = 0.01;
const START: [f64; 2] = [1.0, -0.5];

struct OrnsteinUhlenbeck {
    random: Xoshiro256PlusPlus,
}

impl SDE<f64, [f64; 2]> for OrnsteinUhlenbeck {
    fn drift(&self, _: f64, x: &[f64; 2], out: &mut [f64; 2]) {
        *out = x.map(|x| -RATE * x);
    }

    fn diffusion(&self, _: f64, _: &[f64; 2], out: &mut [f64; 2]) {
        *out = [STRENGTH; 2];
    }

    fn noise(&mut self, time_step: f64, out: &mut [f64; 2]) {
        let scale = time_step.sqrt();
        for x in out {
            let normal: f64 = StandardNormal.sample(&mut self.random);
            *x = scale * normal;
        }
    }
}

/// Keeps nothing along the way.
struct Last([f64; 2]);

impl Solout<f64, [f64; 2]> for Last {
    fn solout<I: Interpolation<f64, [f64; 2]> + ?Sized>(
        &mut self,
        _: f64,
        _: f64,
        x: &[f64; 2],
        _: &[f64; 2],
        _: &mut I,
        _: &mut Solution<f64, [f64; 2]>,
    ) -> ControlFlag<f64, [f64; 2]> {
        self.0 = *x;
        ControlFlag::Continue
    }
}

/// |X|² at the end of one path.
fn path(number: u64, steps: u64) -> f64 {
    let random = Xoshiro256PlusPlus::seed_from_u64(number);
    let mut process = OrnsteinUhlenbeck { random };
    let mut method = ExplicitRungeKutta::euler(TIME_STEP).max_steps(usize::MAX);
    let mut last = Last(START);
    let end = steps as f64 * TIME_STEP;
    solve_sde(&mut method, &mut process, 0.0, end, &START, &mut last)
        .expect("fixed steps are taken");
    last.0.iter().map(|x| x * x).sum()
}

fn ensemble(paths: u64, steps: u64) -> Vec<f64> {
    (0..paths).into_par_iter().map(|i| path(i, steps)).collect()
}

fn rates(threads: usize, paths: u64, seconds: f64, repeats: usize) -> Vec<f64> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
    let pool = pool.expect("threads can be started");
    let time = |steps| {
        let begin = Instant::now();
        pool.install(|| black_box(ensemble(paths, steps)));
        begin.elapsed().as_secs_f64()
    };
    let mut steps = 64;
    let mut taken = time(steps);
    while taken < 0.05 {
        steps *= 2;
        taken = time(steps);
    }
    let steps = ((steps as f64 * seconds / taken) as u64).max(1);
    (0..repeats)
        .map(|_| (steps * paths) as f64 / time(steps))
        .collect()
}

fn main() {
    let arguments: Vec<f64> = std::env::args()
        .skip(1)
        .filter_map(|x| x.parse().ok())
        .collect();
    let [paths, steps, seconds, repeats] = arguments[..] else {
        eprintln!("usage: peer-differential-equations PATHS STEPS SECONDS REPEATS");
        std::process::exit(2);
    };
    let (paths, repeats) = (paths as u64, repeats as usize);
    let one = rates(1, paths, seconds, repeats);
    let two = rates(2, paths, seconds, repeats);
    let single = rates(1, 1, seconds, repeats);
    let values = ensemble(paths, steps as u64);
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|x| (x - mean).powi(2)).sum();
    let error = (squares / (n * (n - 1.0))).sqrt();
    println!(
        r#"{{"peer": "differential-equations", "version": "0.7.0", "means": {{"W5": [{mean}, {error}]}},
"rates": {{"W5": {{"one": {one:?}, "two": {two:?}, "single": {single:?}}}}}}}"#
    );
}
