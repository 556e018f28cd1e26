//! The battery for a law on two points: support, frequency, patterns of successive draws, correlation.

use singlim::scalar::LANES;

use super::continuous::in_groups;
use super::correlations::{self, Batch, Correlations};
use super::p_values;
use super::sources::Draws;
use super::table::Rows;

const ROWS: usize = 8190;
const BATCH: usize = ROWS * LANES;
/// So many successive draws make a pattern; a divisor of `ROWS`.
const PATTERN: usize = 13;

/// The lower and the upper point, and the probability of the upper.
#[derive(Clone, Copy)]
pub struct Points {
    pub low: f64,
    pub high: f64,
    pub p: f64,
}

#[derive(Clone)]
struct Sums {
    elsewhere: u64,
    /// How many upper ones with each sub-seed.
    high: Vec<u64>,
    patterns: Vec<u64>,
    correlations: Correlations,
}

impl Sums {
    fn new() -> Self {
        Self {
            elsewhere: 0,
            high: Vec::new(),
            patterns: vec![0; 1 << PATTERN],
            correlations: Correlations::default(),
        }
    }

    fn add(&mut self, points: Points, batch: &mut Batch) {
        let mut high = 0;
        for rows in batch.draws.chunks_exact(PATTERN) {
            for lane in 0..LANES {
                let mut pattern = 0;
                for row in rows {
                    let x = row.0[lane];
                    self.elsewhere += u64::from(x != points.low && x != points.high);
                    pattern = 2 * pattern + usize::from(x == points.high);
                }
                high += u64::from(pattern.count_ones());
                self.patterns[pattern] += 1;
            }
        }
        self.high.push(high);
        // The standardised two points, which the draws are if the support is right.
        let up = ((1.0 - points.p) / points.p).sqrt();
        let standard = |x| if x == points.high { up } else { -1.0 / up };
        batch.correlate(standard, &mut self.correlations);
    }

    fn merge(mut self, other: Self) -> Self {
        self.elsewhere += other.elsewhere;
        self.high.extend(other.high);
        self.patterns
            .iter_mut()
            .zip(other.patterns)
            .for_each(|(a, b)| *a += b);
        self.correlations.merge(&other.correlations);
        self
    }
}

/// Runs `draws` through the battery.
pub fn battery(name: &str, points: Points, draws: &Draws, wanted: f64) -> Rows {
    let batches = (wanted / BATCH as f64).ceil() as u64;
    let sums = in_groups(batches, |numbers| {
        let (mut sums, mut batch) = (Sums::new(), Batch::new(ROWS));
        for number in numbers {
            batch.draw(number, draws);
            sums.add(points, &mut batch);
        }
        sums
    });
    let sums = sums
        .into_iter()
        .reduce(Sums::merge)
        .unwrap_or_else(Sums::new);
    let n = (batches * BATCH as u64) as f64;
    let mut rows = Rows::new(name, n);
    let p = f64::from(u8::from(sums.elsewhere == 0));
    rows.add("support", format!("{} elsewhere", sums.elsewhere), p);
    let score =
        |count: f64, n: f64| (count - n * points.p) / (n * points.p * (1.0 - points.p)).sqrt();
    let z = score(sums.high.iter().sum::<u64>() as f64, n);
    rows.add("frequency", format!("{z:+.2} σ"), p_values::normal(z));
    let z: Vec<f64> = sums
        .high
        .iter()
        .map(|&count| score(count as f64, BATCH as f64))
        .collect();
    rows.add_squares("frequency by sub-seed", &z);
    let patterns = sums.patterns.iter().enumerate().map(|(pattern, &count)| {
        let ones = pattern.count_ones() as i32;
        let probability = points.p.powi(ones) * (1.0 - points.p).powi(PATTERN as i32 - ones);
        (count, probability)
    });
    let (score, p) = p_values::cells(patterns, n as u64 / PATTERN as u64);
    rows.add(
        "χ² of the 2¹³ patterns of 13 draws",
        format!("{score:+.2} σ"),
        p,
    );
    correlations::report(&[sums.correlations], &mut rows);
    rows
}
