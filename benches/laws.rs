//! The cost of energy distance and MMD: on the line from 10⁴ to 10⁶ values, and in R¹⁰ with 10⁴ points on either side, against a
//! plain double loop over all pairs on one thread in the same run.
//!
//! `cargo bench --bench laws`

use std::hint::black_box;
use std::time::Instant;

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use singlim::statistics::{Points, energy_distance, mmd_squared};

const DIMENSION: usize = 10;

fn normal(count: usize, shift: f64, stream: u64) -> Vec<f64> {
    let mut random = ChaCha8Rng::seed_from_u64(stream);
    let draw = |_| -> f64 {
        shift + <StandardNormal as Distribution<f64>>::sample(&StandardNormal, &mut random)
    };
    (0..count).map(draw).collect()
}

/// The median of three runs, in seconds.
fn seconds(mut run: impl FnMut()) -> f64 {
    let mut times: Vec<f64> = (0..3)
        .map(|_| {
            let begin = Instant::now();
            run();
            begin.elapsed().as_secs_f64()
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[1]
}

/// 2E|X − Y| − E|X − X′| − E|Y − Y′| as it stands.
fn double_loop(a: &[f64], b: &[f64], dimension: usize) -> f64 {
    let mean = |x: &[f64], y: &[f64]| {
        let mut sum = 0.0;
        for p in x.chunks_exact(dimension) {
            for q in y.chunks_exact(dimension) {
                let square: f64 = p.iter().zip(q).map(|(p, q)| (p - q).powi(2)).sum();
                sum += square.sqrt();
            }
        }
        sum / (x.len() * y.len()) as f64 * (dimension * dimension) as f64
    };
    2.0 * mean(a, b) - mean(a, a) - mean(b, b)
}

fn main() {
    println!("on the line, n values on either side:");
    println!("| n | energy distance | MMD² | double loop | energy distance / double loop |");
    println!("|---|---|---|---|---|");
    for n in [10_000, 100_000, 1_000_000] {
        let (a, b) = (normal(n, 0.0, 1), normal(n, 0.1, 2));
        let (x, y) = (Points::line(&a).unwrap(), Points::line(&b).unwrap());
        let energy = seconds(|| {
            let _ = black_box(energy_distance(x, y));
        });
        let mmd = seconds(|| {
            let _ = black_box(mmd_squared(x, y, 1.0));
        });
        let naive = (n <= 10_000).then(|| {
            seconds(|| {
                black_box(double_loop(&a, &b, 1));
            })
        });
        let text = naive.map_or("—".into(), |t| format!("{t:.3} s"));
        let ratio = naive.map_or("—".into(), |t| format!("{:.4}", energy / t));
        println!("| {n} | {energy:.4} s | {mmd:.4} s | {text} | {ratio} |");
    }
    let n = 10_000;
    let (a, b) = (normal(n * DIMENSION, 0.0, 3), normal(n * DIMENSION, 0.1, 4));
    let points = |values| Points::new(values, DIMENSION).unwrap();
    let (x, y) = (points(&a), points(&b));
    let energy = seconds(|| {
        let _ = black_box(energy_distance(x, y));
    });
    let mmd = seconds(|| {
        let _ = black_box(mmd_squared(x, y, 4.0));
    });
    let naive = seconds(|| {
        black_box(double_loop(&a, &b, DIMENSION));
    });
    println!(
        "\nin R^{DIMENSION}, {n} points on either side, {} threads:",
        rayon::current_num_threads()
    );
    println!(
        "energy distance {energy:.2} s ({:.2} of the double loop), MMD² {mmd:.2} s",
        energy / naive
    );
    let exact = double_loop(&a, &b, DIMENSION);
    let found = energy_distance(x, y).unwrap();
    assert!((found / exact - 1.0).abs() < 1e-9, "{found} {exact}");
}
