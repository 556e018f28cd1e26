//! The proof of the random numbers at size: `cargo bench --bench random -- --draws 1e9`.
//!
//! Every law and the raw words pass through a battery of tests; all p-values stand in one table, and Holm's procedure over all of
//! them gives the verdict at level 1e-6: exit code 1 if the engine is rejected. The ziggurat of rand_distr passes through the
//! same battery in the same run. `-- --planted` shows the power instead: weak generators, each of which must be caught, so that
//! every test catches one.
//!
//! | file | job |
//! |---|---|
//! | `sources` | what is tested |
//! | `continuous`, `two_points`, `words` | the batteries |
//! | `correlations` | correlation within and between streams |
//! | `planted` | weak generators |
//! | `p_values`, `table` | from statistics to a verdict |
//! | `speed` | draws a second |

mod continuous;
mod correlations;
mod p_values;
mod planted;
mod sources;
mod speed;
mod table;
mod two_points;
mod words;

use std::process::ExitCode;
use std::time::Instant;

use clap::Parser;
use rand::Rng;
use singlim::random::{LaneStreams, Law, PathStream, Streams};
use singlim::scalar::LANES;

use continuous::{NORMAL, UNIFORM};
use table::Row;
use two_points::Points;

#[derive(Parser)]
struct Options {
    /// Draws of each law, and raw words
    #[arg(long, default_value_t = 1e8)]
    draws: f64,
    /// Show the power against weak generators instead
    #[arg(long)]
    planted: bool,
    /// Threads; the figures don't depend on them
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// What cargo passes
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    let options = Options::parse();
    p_values::check_against_tables();
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(options.threads)
        .build();
    let pool = pool.expect("threads can be started");
    let begin = Instant::now();
    let good = pool.install(|| {
        if options.planted {
            planted::every_fault_is_caught()
        } else {
            prove(options.draws)
        }
    });
    println!(
        "{:.0} s on {} threads",
        begin.elapsed().as_secs_f64(),
        options.threads
    );
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Tests the engine, and the peer beside it; whether the engine passes.
fn prove(draws: f64) -> bool {
    speed::print();
    let engine = engine(draws);
    let peer = continuous::battery("rand_distr ziggurat", &NORMAL, &sources::ziggurat, draws).rows;
    table::print_tests(&engine);
    println!("The peer, for comparison:\n");
    table::print_tests(&peer);
    table::print_summary(&[engine.clone(), peer].concat());
    let (rejected, tests) = (table::rejects(&engine), engine.len());
    let word = if rejected { "REJECTED" } else { "PASS" };
    println!(
        "{word}: {tests} tests of the engine, Holm at level {:.0e}",
        table::LEVEL
    );
    !rejected
}

fn engine(draws: f64) -> Vec<Row> {
    let law = |law| sources::engine(law, 1.0);
    let half = Points {
        low: -1.0,
        high: 1.0,
        p: 0.5,
    };
    let mask = Points {
        low: -1.0,
        high: 0.25,
        p: 0.8,
    };
    let words = |name: &str, words: &sources::Words| words::battery(name, words, draws);
    let rows = [
        continuous::battery("gaussian", &NORMAL, &law(Law::Gaussian), draws),
        continuous::battery("uniform", &UNIFORM, &law(Law::Uniform), draws),
        two_points::battery("rademacher", half, &law(Law::Rademacher), draws),
        two_points::battery(
            "bernoulli σ = ½",
            mask,
            &sources::engine(Law::Bernoulli, 0.5),
            draws,
        ),
        continuous::battery("words, bits reversed", &UNIFORM, &sources::reversed, draws),
        words("words, one stream", &sources::one_stream),
        words("words, eight streams in turn", &sources::eight_in_turn),
        words("words, first of each stream", &sources::first_words),
    ];
    let mut rows: Vec<Row> = rows.into_iter().flat_map(|rows| rows.rows).collect();
    rows.push(same_words(draws));
    rows
}

/// A known answer at size: lanes and single streams give the same words, and so does rand_xoshiro's generator from the same state.
fn same_words(draws: f64) -> Row {
    let mut different = 0;
    let words = (draws / 100.0) as u64;
    let mut lanes = LaneStreams::new(1, 2, 3);
    let mut alone: [PathStream; LANES] =
        std::array::from_fn(|j| PathStream::of(1, 2, 3 + j as u64));
    let mut peers = lanes.state().map(sources::reference);
    for _ in 0..words / LANES as u64 {
        let drawn = lanes.next_u64();
        for (j, word) in drawn.into_iter().enumerate() {
            alone[j].each_word(|_, other| different += u64::from(word != other));
            different += u64::from(word != peers[j].next_u64());
        }
    }
    Row {
        generator: "words, lanes, alone, rand_xoshiro".into(),
        test: "the same words".into(),
        draws: words as f64,
        found: format!("{different} differ"),
        p: f64::from(u8::from(different == 0)),
    }
}
