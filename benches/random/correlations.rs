//! Correlation within a stream, between lanes, and with the streams of other paths, levels and seeds.

use pulp::{Arch, NullaryFnOnce};
use singlim::scalar::{LANES, Lanes};

use super::sources::{Draws, Stream};
use super::table::Rows;

/// Within a stream, up to so many draws apart.
const LAGS: usize = 8;

/// A sum of products of numbers of mean 0 and variance 1, and how many they were.
#[derive(Clone, Copy, Default)]
struct Score {
    sum: f64,
    count: f64,
}

impl Score {
    fn add(&mut self, a: &[Lanes], b: &[Lanes]) {
        self.sum += Arch::new().dispatch(Products(a, b));
        self.count += (a.len().min(b.len()) * LANES) as f64;
    }

    fn z(self) -> f64 {
        self.sum / self.count.sqrt()
    }
}

/// Σ ab.
struct Products<'a>(&'a [Lanes], &'a [Lanes]);

impl NullaryFnOnce for Products<'_> {
    type Output = f64;

    #[inline(always)]
    fn call(self) -> f64 {
        let mut sums = [[0.0f64; LANES]; 4];
        // Four at a time, in sums of their own: else each would wait for the one before.
        for (a, b) in self.0.chunks(4).zip(self.1.chunks(4)) {
            for ((sums, a), b) in sums.iter_mut().zip(a).zip(b) {
                for ((sum, a), b) in sums.iter_mut().zip(a.0).zip(b.0) {
                    *sum += a * b;
                }
            }
        }
        sums.iter().flatten().sum()
    }
}

/// All correlations of one function of the draws.
#[derive(Clone, Default)]
pub struct Correlations {
    serial: [Score; LAGS],
    /// Lane j with lane j + r, at the same step and one step later.
    lanes: [[Score; LANES - 1]; 2],
    /// With another path, level and seed: at the same step, one before, one after.
    others: [[Score; 3]; 3],
}

impl Correlations {
    /// Adds a batch of `x`, and of the same from other paths, levels and seeds.
    fn add(&mut self, x: &[Lanes], others: [&[Lanes]; 3]) {
        for (lag, score) in self.serial.iter_mut().enumerate() {
            score.add(x, &x[lag + 1..]);
        }
        for r in 1..LANES {
            let mut turned = x.to_vec();
            for row in &mut turned {
                row.0.rotate_left(r);
            }
            // At the same step the pairs of j and j + r are those of 8 − r too.
            if r < LANES / 2 {
                self.lanes[0][r - 1].add(x, &turned);
            }
            self.lanes[1][r - 1].add(x, &turned[1..]);
        }
        for (scores, y) in self.others.iter_mut().zip(others) {
            scores[0].add(x, y);
            scores[1].add(x, &y[1..]);
            scores[2].add(&x[1..], y);
        }
    }

    pub fn merge(&mut self, other: &Self) {
        let scores = |c: &Self| {
            let lanes = c.lanes.into_iter().flatten();
            let others = c.others.into_iter().flatten();
            c.serial
                .into_iter()
                .chain(lanes)
                .chain(others)
                .collect::<Vec<_>>()
        };
        let theirs = scores(other);
        let mine = self.serial.iter_mut();
        let mine = mine.chain(self.lanes.iter_mut().flatten());
        let mine = mine.chain(self.others.iter_mut().flatten());
        for (mine, theirs) in mine.zip(theirs) {
            mine.sum += theirs.sum;
            mine.count += theirs.count;
        }
    }
}

/// The rows of `functions` of the same draws, taken together.
pub fn report(functions: &[Correlations], rows: &mut Rows) {
    let mut add = |test: &str, scores: &dyn Fn(&Correlations) -> Vec<Score>| {
        let z: Vec<f64> = functions
            .iter()
            .flat_map(scores)
            .filter(|score| score.count > 0.0)
            .map(Score::z)
            .collect();
        rows.add_squares(test, &z);
    };
    add("correlation within a stream", &|c| c.serial.to_vec());
    add("correlation of lanes", &|c| c.lanes.concat());
    let others = ["of paths", "of levels", "of seeds"];
    for (k, other) in others.into_iter().enumerate() {
        add(&format!("correlation {other}"), &|c| c.others[k].to_vec());
    }
}

/// Draws of one batch, with those of other paths, levels and seeds.
pub struct Batch {
    pub draws: Vec<Lanes>,
    others: [Vec<Lanes>; 3],
    function: [Vec<Lanes>; 4],
}

impl Batch {
    pub fn new(rows: usize) -> Self {
        let zero = || vec![Lanes([0.0; LANES]); rows];
        Self {
            draws: zero(),
            others: [zero(), zero(), zero()],
            function: [zero(), zero(), zero(), zero()],
        }
    }

    /// Draws batch `number`, of a seed of its own.
    pub fn draw(&mut self, number: u64, draws: &Draws) {
        let own = Stream {
            seed: number,
            level: 0,
            path: 0,
        };
        draws(own, &mut self.draws);
        let others = [
            Stream { path: 8, ..own },
            Stream { level: 1, ..own },
            Stream {
                seed: number + 1,
                ..own
            },
        ];
        for (stream, out) in others.into_iter().zip(&mut self.others) {
            draws(stream, out);
        }
    }

    /// Adds the correlations of a function of the draws, of mean 0 and variance 1.
    pub fn correlate(&mut self, function: impl Fn(f64) -> f64, into: &mut Correlations) {
        let [other_path, other_level, other_seed] = &self.others;
        let all = [&self.draws, other_path, other_level, other_seed];
        for (out, x) in self.function.iter_mut().zip(all) {
            for (out, x) in out.iter_mut().zip(x) {
                *out = Lanes(x.0.map(&function));
            }
        }
        let [own, path, level, seed] = &self.function;
        into.add(own, [path, level, seed]);
    }
}
