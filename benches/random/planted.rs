//! Weak generators: each must be caught, and each test must catch one.

use singlim::random::{Law, PathStream, Streams};
use singlim::scalar::{LANES, Lanes};

use super::continuous::{self, NORMAL, UNIFORM};
use super::sources::{self, Draws, Stream, Words};
use super::table::{self, Digits, LEVEL, Row, Rows};
use super::two_points::{self, Points};
use super::words;

/// Size of most; the figures that need more say so.
const DRAWS: f64 = 1e7;
const MANY: f64 = 1e8;

fn law(law: Law, stream: Stream, out: &mut [Lanes]) {
    sources::engine(law, 1.0)(stream, out);
}

/// The engine's normal numbers, each changed.
fn changed(change: impl Fn(f64) -> f64 + Sync) -> impl Fn(Stream, &mut [Lanes]) + Sync {
    move |stream, out| {
        law(Law::Gaussian, stream, out);
        for row in out {
            *row = Lanes(row.0.map(&change));
        }
    }
}

/// The engine's draws of a law, each changed in the light of the one before in its lane.
fn chained(
    kind: Law,
    change: impl Fn(f64, f64) -> f64 + Sync,
) -> impl Fn(Stream, &mut [Lanes]) + Sync {
    move |stream, out| {
        law(kind, stream, out);
        for t in (1..out.len()).rev() {
            let before = out[t - 1];
            for (x, before) in out[t].0.iter_mut().zip(before.0) {
                *x = change(*x, before);
            }
        }
    }
}

/// A word that goes with the bits of a draw, to decide by.
fn hash(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}

/// True once in `n` times.
fn once_in(n: u64, x: f64) -> bool {
    hash(x.to_bits()).is_multiple_of(n)
}

fn normals() -> Vec<Rows> {
    let run = |name: &str, draws: &Draws, size| continuous::battery(name, &NORMAL, draws, size);
    let cut = |edge: f64| {
        changed(move |x| {
            if x.abs() > edge {
                0.9 * edge * x.signum()
            } else {
                x
            }
        })
    };
    let shared = |share: fn(Stream) -> Stream| {
        move |stream, out: &mut [Lanes]| law(Law::Gaussian, share(stream), out)
    };
    vec![
        run("scaled by 1 + 1e-3", &changed(|x| 1.001 * x), MANY),
        run("shifted by 1e-3", &changed(|x| x + 0.001), MANY),
        run("cut at 5σ", &cut(5.0), MANY),
        run("cut at 4σ", &cut(4.0), DRAWS),
        run(
            "one in 10⁵ three times too large",
            &changed(|x| if once_in(100_000, x) { 3.0 * x } else { x }),
            MANY,
        ),
        run(
            "ripples of 2e-5",
            &changed(|x| x + 2e-5 * (3000.0 * x).sin()),
            DRAWS,
        ),
        run(
            "rounded to 2⁻⁶",
            &changed(|x| (64.0 * x).round() / 64.0),
            DRAWS,
        ),
        run("too even", &too_even, DRAWS),
        run(
            "0.003 of the one before added",
            &chained(Law::Gaussian, |x, before| x + 0.003 * before),
            DRAWS,
        ),
        run(
            "size by the one before",
            &chained(Law::Gaussian, |x, before| {
                x * (1.0 + 0.003 * (before * before - 1.0))
            }),
            DRAWS,
        ),
        run("lane 3 has the stream of lane 2", &lane_shared, DRAWS),
        run("lane 3 is lane 2 one step on", &lane_shifted, DRAWS),
        run(
            "all blocks have the streams of the first",
            &shared(|s| Stream {
                path: s.path % 8,
                ..s
            }),
            DRAWS,
        ),
        run(
            "the level is ignored",
            &shared(|s| Stream { level: 0, ..s }),
            DRAWS,
        ),
        run(
            "only even seeds",
            &shared(|s| Stream {
                seed: s.seed & !1,
                ..s
            }),
            DRAWS,
        ),
        run("paths one step apart on one cycle", &one_cycle, DRAWS),
    ]
}

/// Permuted strata in place of independent numbers.
fn too_even(stream: Stream, out: &mut [Lanes]) {
    law(Law::Uniform, stream, out);
    let n = (out.len() * LANES) as f64;
    let normal = statrs::distribution::Normal::standard();
    for (t, row) in out.iter_mut().enumerate() {
        for (j, x) in row.0.iter_mut().enumerate() {
            // Half of the way to a stratified sample.
            let u = 0.5 + *x / 12f64.sqrt();
            let stratum = ((t * LANES + j) as f64 * 40_503.0) % n;
            let u = (stratum + u.clamp(0.001, 0.999)) / n;
            *x = statrs::distribution::ContinuousCDF::inverse_cdf(&normal, u);
        }
    }
}

fn lane_shared(stream: Stream, out: &mut [Lanes]) {
    law(Law::Gaussian, stream, out);
    out.iter_mut().for_each(|row| row.0[3] = row.0[2]);
}

fn lane_shifted(stream: Stream, out: &mut [Lanes]) {
    law(Law::Gaussian, stream, out);
    for t in 1..out.len() {
        out[t].0[3] = out[t - 1].0[2];
    }
}

/// Where a path starts on the cycle is its number.
fn one_cycle(stream: Stream, out: &mut [Lanes]) {
    let mut streams = Stream { path: 0, ..stream }.lanes();
    streams.skip(Law::Gaussian.words(2 * (stream.path / 8)));
    Law::Gaussian.fill(1.0, &mut streams, out);
    // Steps in pairs, as normal numbers come in pairs: one step of the pair's first members.
    for t in 0..out.len() / 2 {
        out[t] = out[2 * t];
    }
    let half = out.len() / 2;
    let mut rest = Stream {
        seed: !stream.seed,
        ..stream
    };
    rest.path += 1 << 20;
    law(Law::Gaussian, rest, &mut out[half..]);
}

fn others() -> Vec<Rows> {
    let sign = Points {
        low: -1.0,
        high: 1.0,
        p: 0.5,
    };
    let flat = |name: &str, size, draws: &Draws| continuous::battery(name, &UNIFORM, draws, size);
    let signs = |name: &str, draws: &Draws| two_points::battery(name, sign, draws, DRAWS);
    vec![
        flat(
            "uniform, 1e-5 of it moved from the right end",
            DRAWS,
            &|stream, out| {
                let moved = |x: f64| {
                    if x > 3f64.sqrt() * (1.0 - 2e-5) {
                        0.9 * x
                    } else {
                        x
                    }
                };
                law(Law::Uniform, stream, out);
                out.iter_mut().for_each(|row| row.0 = row.0.map(moved));
            },
        ),
        flat("uniform, rounded to 2⁻⁸", MANY, &|stream, out| {
            let rounded = |x: f64| (x * 256.0).round() / 256.0;
            law(Law::Uniform, stream, out);
            out.iter_mut().for_each(|row| row.0 = row.0.map(rounded));
        }),
        signs("signs, one in 500 made positive", &|stream, out| {
            law(Law::Gaussian, stream, out);
            let draw = |x: f64| if once_in(500, x) { 1.0 } else { x.signum() };
            out.iter_mut().for_each(|row| row.0 = row.0.map(draw));
        }),
        signs("signs, one in 10⁶ is 0", &|stream, out| {
            law(Law::Gaussian, stream, out);
            let draw = |x: f64| {
                if once_in(1_000_000, x) {
                    0.0
                } else {
                    x.signum()
                }
            };
            out.iter_mut().for_each(|row| row.0 = row.0.map(draw));
        }),
        signs("signs, one in 100 repeated", &chained_signs(1)),
        signs(
            "signs, one in 50 the product of two before",
            &chained_signs(2),
        ),
        signs("signs in equal numbers", &|stream, out| {
            law(Law::Rademacher, stream, out);
            for pair in out.as_chunks_mut::<2>().0 {
                pair[1] = Lanes(pair[0].0.map(|x| -x));
            }
        }),
        signs("signs, the streams of the first block", &|stream, out| {
            law(
                Law::Rademacher,
                Stream {
                    path: 0,
                    level: 0,
                    seed: stream.seed / 2,
                },
                out,
            );
        }),
        signs("signs, lane 3 is lane 2", &|stream, out| {
            law(Law::Rademacher, stream, out);
            out.iter_mut().for_each(|row| row.0[3] = row.0[2]);
        }),
    ]
}

/// Signs, some of them the product of so many before.
fn chained_signs(before: usize) -> impl Fn(Stream, &mut [Lanes]) + Sync {
    move |stream, out| {
        law(Law::Gaussian, stream, out);
        let signs: Vec<Lanes> = out
            .iter()
            .map(|row| Lanes(row.0.map(f64::signum)))
            .collect();
        let often = if before == 1 { 100 } else { 50 };
        for (t, row) in out.iter_mut().enumerate().skip(before) {
            for (j, x) in row.0.iter_mut().enumerate() {
                *x = if once_in(often, *x) {
                    (1..=before).map(|k| signs[t - k].0[j]).product()
                } else {
                    signs[t].0[j]
                };
            }
        }
        for row in &mut out[..before] {
            row.0 = row.0.map(f64::signum);
        }
    }
}

/// The engine's words, each changed in the light of the one before.
fn spoilt(change: impl Fn(u64, u64) -> u64 + Sync) -> impl Fn(u64, &mut [u64]) + Sync {
    move |batch, out| {
        let mut stream = PathStream::of(batch, 0, 0);
        let mut before = 0;
        for out in out {
            stream.each_word(|_, word| *out = change(word, before));
            before = *out;
        }
    }
}

/// A generator with one word of state, or more.
fn generator<S>(
    start: impl Fn(u64) -> S + Sync,
    next: impl Fn(&mut S) -> u64 + Sync,
) -> impl Fn(u64, &mut [u64]) + Sync {
    move |batch, out| {
        let mut state = start(hash(batch + 1));
        out.iter_mut().for_each(|out| *out = next(&mut state));
    }
}

/// The linear engine of xoshiro256.
fn xoshiro_step(s: &mut [u64; 4]) {
    let t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = s[3].rotate_left(45);
}

fn weak_words() -> Vec<Rows> {
    let run = |name: &str, words: &Words| words::battery(name, words, DRAWS);
    let four = |seed: u64| [seed, hash(seed), hash(seed + 1), hash(seed + 2)];
    vec![
        run(
            "LCG modulo 2⁶⁴",
            &generator(
                |seed| seed,
                |s| {
                    *s = s.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                    *s
                },
            ),
        ),
        run(
            "counter times the golden ratio",
            &generator(
                |seed| seed,
                |s| {
                    *s = s.wrapping_add(0x9e37_79b9_7f4a_7c15);
                    *s
                },
            ),
        ),
        run(
            "xoshiro256+, whose lowest bit is linear",
            &generator(four, |s| {
                let word = s[0].wrapping_add(s[3]);
                xoshiro_step(s);
                word
            }),
        ),
        run(
            "xoshiro256 without scrambler",
            &generator(four, |s| {
                xoshiro_step(s);
                s[0]
            }),
        ),
        run(
            "bit 17 set once in 100 words",
            &spoilt(|word, _| word | u64::from(hash(word).is_multiple_of(100)) << 17),
        ),
        run(
            "one word in 64 is the one before, rotated",
            &spoilt(|word, before| {
                if hash(word).is_multiple_of(64) {
                    before.rotate_left(29)
                } else {
                    word
                }
            }),
        ),
        run(
            "one bit in 2048 is its neighbour's",
            &spoilt(|word, _| {
                let mask = |k: u64| hash(word.wrapping_add(k << 40));
                let rare = (0..11).map(mask).fold(u64::MAX, |a, b| a & b);
                word ^ (word ^ word << 1) & rare
            }),
        ),
        run(
            "one word in 64 starts and ends as the one before",
            &spoilt(|word, before| {
                let ends = 0xffc0_0000_0000_03ff;
                if hash(word).is_multiple_of(64) {
                    word & !ends | before & ends
                } else {
                    word
                }
            }),
        ),
        run("words of one block in all batches", &|_, out| {
            sources::one_stream(0, out)
        }),
    ]
}

/// Runs all; prints which was caught by which test, and which test caught which.
pub fn every_fault_is_caught() -> bool {
    let faults: Vec<Rows> = [normals(), others(), weak_words()]
        .into_iter()
        .flatten()
        .collect();
    println!(
        "Every weak generator, and the test that sees it best. Holm over its battery at level {LEVEL:.0e}.\n"
    );
    let worst = |rows: &Rows| {
        rows.rows
            .iter()
            .min_by(|a, b| a.p.total_cmp(&b.p))
            .cloned()
            .expect("a test")
    };
    let caught = |rows: &Rows| table::rejects(&rows.rows);
    let header = ["weak generator", "draws", "smallest p", "of", "caught"];
    table::print(
        &header,
        faults.iter().map(|rows| {
            let worst = worst(rows);
            let caught = if caught(rows) { "yes" } else { "NO" };
            vec![
                rows.generator.clone(),
                format!("{:.0e}", rows.draws),
                format!("{:.1}", Digits(worst.p)),
                worst.test,
                caught.into(),
            ]
        }),
    );

    println!("Every test, and the weak generators that it catches by itself at p ≤ {LEVEL:.0e}.\n");
    let all: Vec<&Row> = faults.iter().flat_map(|rows| &rows.rows).collect();
    let mut tests: Vec<&str> = Vec::new();
    for row in &all {
        if !tests.contains(&row.test.as_str()) {
            tests.push(&row.test);
        }
    }
    let catches = |test: &str| -> Vec<&str> {
        let mine = all.iter().filter(|row| row.test == test && row.p <= LEVEL);
        mine.map(|row| row.generator.as_str()).collect()
    };
    table::print(
        &["test", "catches", "the first"],
        tests.iter().map(|test| {
            let catches = catches(test);
            let first = catches.first().copied().unwrap_or("NONE");
            vec![test.to_string(), catches.len().to_string(), first.into()]
        }),
    );
    let missed = faults.iter().filter(|rows| !caught(rows)).count();
    let idle = tests.iter().filter(|test| catches(test).is_empty()).count();
    let word = if missed + idle == 0 { "PASS" } else { "FAILED" };
    println!(
        "{word}: {} weak generators, {missed} missed; {} tests, {idle} without power",
        faults.len(),
        tests.len()
    );
    missed + idle == 0
}
