//! Draws a second of each law on one thread, the ziggurat of rand_distr beside them.

use std::hint::black_box;
use std::time::Instant;

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use singlim::random::{LaneStreams, Law};
use singlim::scalar::{LANES, Lanes};

use super::table;

const ROWS: usize = 512;
/// Of so many short measurements the fastest counts: on a busy machine it is the one that was not interrupted.
const REPEATS: usize = 200;

/// Seconds a draw.
fn seconds(mut fill: impl FnMut(&mut [Lanes])) -> f64 {
    let mut out = vec![Lanes([0.0; LANES]); ROWS];
    let (begin, mut draws) = (Instant::now(), 0);
    while begin.elapsed().as_secs_f64() < 0.001 {
        for _ in 0..20 {
            fill(black_box(&mut out));
        }
        draws += 20 * ROWS * LANES;
    }
    begin.elapsed().as_secs_f64() / draws as f64
}

fn ziggurat() -> impl FnMut(&mut [Lanes]) {
    let mut state = Xoshiro256PlusPlus::seed_from_u64(1);
    move |out| {
        // A copy in registers: through a reference it takes twice the time.
        let mut generator = state.clone();
        for row in out {
            for x in &mut row.0 {
                *x = StandardNormal.sample(&mut generator);
            }
        }
        state = generator;
    }
}

/// Prints the table; each round measures all in turn, so that a busy machine slows all alike.
pub fn print() {
    let mut times = vec![Vec::new(); Law::ALL.len() + 1];
    let mut streams = LaneStreams::new(1, 0, 0);
    let mut peer = ziggurat();
    for _ in 0..REPEATS {
        for (law, times) in Law::ALL.into_iter().zip(&mut times) {
            let fill = |out: &mut [Lanes]| {
                let streams = &mut streams;
                // Known at run time only, as in the engine.
                let (law, sigma) = black_box((law, 1.0));
                law.fill(sigma, streams, out);
            };
            times.push(seconds(fill));
        }
        times[Law::ALL.len()].push(seconds(&mut peer));
    }
    let best: Vec<f64> = times
        .into_iter()
        .map(|times| times.into_iter().fold(f64::INFINITY, f64::min))
        .collect();
    let names = Law::ALL
        .map(Law::name)
        .into_iter()
        .chain(["ziggurat of rand_distr"]);
    let line = |(name, &time): (&str, &f64)| {
        vec![
            name.to_string(),
            format!("{:.2e}", 1.0 / time),
            format!("{:.2}", best[0] / time),
        ]
    };
    let header = ["law", "draws/s, one thread", "of the Gaussian law"];
    table::print(&header, names.zip(&best).map(line));
    for (name, &time) in Law::ALL.map(Law::name).into_iter().zip(&best).skip(1) {
        let word = if time < best[0] {
            "cheaper"
        } else {
            "NOT cheaper"
        };
        println!("{name} is {word} than gaussian.");
    }
    println!();
}
