//! The battery for a law with a density: distribution, moments, tails, correlation.

use rayon::prelude::*;
use singlim::scalar::LANES;
use statrs::function::erf::erfc;
use std::f64::consts::SQRT_2;

use super::correlations::{self, Batch, Correlations};
use super::p_values;
use super::sources::Draws;
use super::table::Rows;

/// Rows of eight draws with one sub-seed.
const ROWS: usize = 8192;
/// Draws with one sub-seed.
pub const BATCH: usize = ROWS * LANES;
/// Cells of equal probability of the χ².
const CELLS: usize = 10_000;
/// Finer ones, at whose edges the pooled distribution function is compared.
const FINE: usize = 4 * CELLS;

/// A law of mean 0 and variance 1.
#[derive(Clone, Copy)]
pub struct Shape {
    cdf: fn(f64) -> f64,
    /// Orthonormal polynomials of degree 1 to 8: they hold what the moments up to 8 do, without correlation.
    polynomials: fn(f64) -> [f64; 8],
    /// Variance of x².
    square_variance: f64,
    /// Points and the probability to be beyond them, on one side, with what they are called.
    tails: fn() -> [(&'static str, f64, f64); 3],
}

pub const NORMAL: Shape = Shape {
    cdf: |x| 0.5 * erfc(-x / SQRT_2),
    polynomials: |x| {
        // Hermite.
        let mut h = [0.0; 9];
        (h[0], h[1]) = (1.0, x);
        for k in 1..8 {
            h[k + 1] = x * h[k] - k as f64 * h[k - 1];
        }
        let mut factorial = 1.0f64;
        std::array::from_fn(|k| {
            factorial *= (k + 1) as f64;
            h[k + 1] / factorial.sqrt()
        })
    },
    square_variance: 2.0,
    tails: || {
        [("4σ", 4.0), ("5σ", 5.0), ("6σ", 6.0)].map(|(name, t)| (name, t, 0.5 * erfc(t / SQRT_2)))
    },
};

pub const UNIFORM: Shape = Shape {
    cdf: |x| 0.5 + x / (2.0 * 3f64.sqrt()),
    polynomials: |x| {
        // Legendre.
        let t = x / 3f64.sqrt();
        let mut p = [0.0; 9];
        (p[0], p[1]) = (1.0, t);
        for k in 1..8 {
            let n = k as f64;
            p[k + 1] = ((2.0 * n + 1.0) * t * p[k] - n * p[k - 1]) / (n + 1.0);
        }
        std::array::from_fn(|k| p[k + 1] * ((2 * k + 3) as f64).sqrt())
    },
    square_variance: 0.8,
    tails: || {
        [("1e-4", 1e-4), ("1e-5", 1e-5), ("1e-6", 1e-6)]
            .map(|(name, p)| (name, 3f64.sqrt() * (1.0 - 2.0 * p), p))
    },
};

#[derive(Clone)]
struct Sums {
    /// How many in each of the fine cells.
    cells: Vec<u64>,
    moments: [f64; 8],
    /// Beyond each point, left and right.
    tails: [[u64; 3]; 2],
    kolmogorov: Vec<f64>,
    anderson: Vec<f64>,
    itself: Correlations,
    square: Correlations,
}

impl Sums {
    fn new() -> Self {
        Self {
            cells: vec![0; FINE],
            moments: [0.0; 8],
            tails: [[0; 3]; 2],
            kolmogorov: Vec::new(),
            anderson: Vec::new(),
            itself: Correlations::default(),
            square: Correlations::default(),
        }
    }

    fn add(&mut self, shape: &Shape, batch: &mut Batch, work: &mut Sorter) {
        let edges = (shape.tails)();
        for row in &batch.draws {
            for x in row.0 {
                // Kept off 0 and 1, whose logarithms are asked for.
                let u = (shape.cdf)(x).clamp(1e-300, 1.0 - f64::EPSILON / 2.0);
                work.u.push(u);
                self.cells[(u * FINE as f64) as usize] += 1;
                for (sum, value) in self.moments.iter_mut().zip((shape.polynomials)(x)) {
                    *sum += value;
                }
                if x.abs() > edges[0].1 {
                    let side = usize::from(x > 0.0);
                    for (count, edge) in self.tails[side].iter_mut().zip(edges) {
                        *count += u64::from(x.abs() > edge.1);
                    }
                }
            }
        }
        let u = work.sorted();
        let distance = p_values::distance_of_sorted(u);
        self.kolmogorov
            .push(p_values::kolmogorov(distance, u.len() as f64));
        self.anderson
            .push(p_values::anderson_darling(p_values::a_squared_of_sorted(u)));
        work.u.clear();
        batch.correlate(|x| x, &mut self.itself);
        let scale = 1.0 / shape.square_variance.sqrt();
        batch.correlate(|x| (x * x - 1.0) * scale, &mut self.square);
    }

    fn merge(mut self, other: Self) -> Self {
        let add = |a: &mut u64, b: u64| *a += b;
        self.cells
            .iter_mut()
            .zip(other.cells)
            .for_each(|(a, b)| add(a, b));
        self.moments
            .iter_mut()
            .zip(other.moments)
            .for_each(|(a, b)| *a += b);
        let tails = self.tails.iter_mut().flatten();
        tails.zip(other.tails.concat()).for_each(|(a, b)| add(a, b));
        self.kolmogorov.extend(other.kolmogorov);
        self.anderson.extend(other.anderson);
        self.itself.merge(&other.itself);
        self.square.merge(&other.square);
        self
    }
}

/// Sorts numbers on (0, 1) that are nearly uniform, in a time proportional to their number.
struct Sorter {
    u: Vec<f64>,
    places: Vec<u32>,
    sorted: Vec<f64>,
}

impl Sorter {
    fn new() -> Self {
        Self {
            u: Vec::with_capacity(BATCH),
            places: vec![0; BATCH + 1],
            sorted: vec![0.0; BATCH],
        }
    }

    fn sorted(&mut self) -> &[f64] {
        let cell = |u: f64| (u * BATCH as f64) as usize;
        self.places.fill(0);
        for &u in &self.u {
            self.places[cell(u) + 1] += 1;
        }
        for i in 0..BATCH {
            self.places[i + 1] += self.places[i];
        }
        for &u in &self.u {
            let place = &mut self.places[cell(u)];
            self.sorted[*place as usize] = u;
            *place += 1;
        }
        // Each cell holds one number or a few, whose order is left to mend.
        let mut from = 0;
        for &to in &self.places[..BATCH] {
            if to - from > 1 {
                self.sorted[from as usize..to as usize].sort_unstable_by(f64::total_cmp);
            }
            from = to;
        }
        &self.sorted
    }
}

/// Runs `draws` through the battery.
pub fn battery(name: &str, shape: &Shape, draws: &Draws, wanted: f64) -> Rows {
    let batches = (wanted / BATCH as f64).ceil() as u64;
    let sums = in_groups(batches, |numbers| {
        let (mut sums, mut batch, mut sorter) = (Sums::new(), Batch::new(ROWS), Sorter::new());
        for number in numbers {
            batch.draw(number, draws);
            sums.add(shape, &mut batch, &mut sorter);
        }
        sums
    });
    let sums = sums
        .into_iter()
        .reduce(Sums::merge)
        .unwrap_or_else(Sums::new);
    report(name, shape, &sums, batches)
}

/// Groups of batches in parallel; the groups and their order don't depend on the number of threads, so that sums don't.
pub fn in_groups<T: Send>(batches: u64, run: impl Fn(std::ops::Range<u64>) -> T + Sync) -> Vec<T> {
    const GROUPS: u64 = 32;
    (0..GROUPS)
        .into_par_iter()
        .map(|g| run(g * batches / GROUPS..(g + 1) * batches / GROUPS))
        .collect()
}

fn report(name: &str, shape: &Shape, sums: &Sums, batches: u64) -> Rows {
    let n = (batches * BATCH as u64) as f64;
    let mut rows = Rows::new(name, n);
    pooled(sums, n, &mut rows);
    for (test, p_values) in [
        ("Kolmogorov–Smirnov by sub-seed", &sums.kolmogorov),
        ("Anderson–Darling by sub-seed", &sums.anderson),
    ] {
        let (distance, p) = p_values::uniformity(p_values);
        let found = format!("{} p-values, KS distance {distance:.4}", p_values.len());
        rows.add(test, found, p);
    }
    let cells = sums
        .cells
        .chunks(FINE / CELLS)
        .map(|cells| (cells.iter().sum(), 1.0 / CELLS as f64));
    let (score, p) = p_values::cells(cells, n as u64);
    rows.add("χ² of 10⁴ cells", format!("{score:+.2} σ"), p);
    let z = sums.moments.map(|sum| sum / n.sqrt());
    rows.add_squares("moments 1–8", &z);
    for (k, (edge, _, probability)) in (shape.tails)().into_iter().enumerate() {
        for (side, counts) in ["left", "right"].into_iter().zip(sums.tails) {
            let (count, mean) = (counts[k], n * probability);
            let found = format!("{count} of {mean:.1}");
            rows.add(
                &format!("beyond {edge}, {side}"),
                found,
                p_values::poisson(count, mean),
            );
        }
    }
    correlations::report(&[sums.itself.clone(), sums.square.clone()], &mut rows);
    rows
}

/// KS and Anderson–Darling of all draws, from the distribution function at the edges of the fine cells.
fn pooled(sums: &Sums, n: f64, rows: &mut Rows) {
    let (mut below, mut distance, mut a_squared) = (0, 0f64, 0.0);
    for (i, cell) in sums.cells[..FINE - 1].iter().enumerate() {
        below += cell;
        let f = (i + 1) as f64 / FINE as f64;
        let difference = below as f64 / n - f;
        distance = distance.max(difference.abs());
        a_squared += n * difference * difference / (f * (1.0 - f)) / FINE as f64;
    }
    let p = p_values::both_sides(p_values::kolmogorov(distance, n));
    rows.add(
        "Kolmogorov–Smirnov, pooled",
        format!("√n·D = {:.3}", distance * n.sqrt()),
        p,
    );
    let p = p_values::both_sides(p_values::anderson_darling(a_squared));
    rows.add(
        "Anderson–Darling, pooled",
        format!("A² = {a_squared:.3}"),
        p,
    );
}
