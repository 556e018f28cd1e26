//! The battery for raw 64-bit words: bits, runs, gaps, pairs, collisions, birthday spacings, matrix ranks, Hamming weights.
//!
//! The tests are those of Knuth, Marsaglia, L'Ecuyer & Simard (TestU01) and Blackman & Vigna (HWD), each on the highest and on the
//! lowest bits where it looks at some bits only.

use super::continuous::in_groups;
use super::p_values;
use super::sources::Words;
use super::table::Rows;

/// Words of a batch; every test starts afresh in each.
const BATCH: usize = 1 << 18;
/// Hamming weights are compared up to so many words apart.
const LAGS: usize = 8;
/// A visit of a byte to 0 comes once in 256 words; so many gaps between visits are taken from a batch.
const GAPS: usize = 512;
const BALLS: usize = 1 << 14;
const URNS: u64 = 1 << 20;
const BIRTHDAYS: usize = 1 << 14;
const DAYS: u32 = 40;
const RANK: usize = 512;

/// The same test on the highest and on the lowest bits.
const ENDS: [&str; 2] = ["highest", "lowest"];

#[derive(Clone)]
struct Sums {
    /// Position and value of each byte.
    bytes: Vec<u64>,
    /// Neighbouring bits that differ.
    changes: u64,
    weights: [f64; LAGS],
    /// Three classes of weight, of eight successive words.
    signatures: Vec<u64>,
    gaps: [Vec<u64>; 2],
    pairs: [Vec<u64>; 2],
    collisions: [u64; 2],
    spacings: [u64; 2],
    /// Full rank, one less, fewer: of matrices of whole words, of highest bits, of lowest bits.
    ranks: [[u64; 3]; 3],
}

impl Sums {
    fn new() -> Self {
        Self {
            bytes: vec![0; 8 * 256],
            changes: 0,
            weights: [0.0; LAGS],
            signatures: vec![0; 6561],
            gaps: [vec![0; 1 << 13], vec![0; 1 << 13]],
            pairs: [vec![0; 1 << 16], vec![0; 1 << 16]],
            collisions: [0; 2],
            spacings: [0; 2],
            ranks: [[0; 3]; 3],
        }
    }

    fn add(&mut self, words: &[u64]) {
        self.add_bits(words);
        self.add_weights(words);
        for end in 0..2 {
            // The 40 bits, 10 or 8 of the end that is looked at, lowest first.
            let bits = |word: u64, count: u32| {
                if end == 0 {
                    word >> (64 - count)
                } else {
                    word & ((1 << count) - 1)
                }
            };
            add_gaps(words.iter().map(|&word| bits(word, 8)), &mut self.gaps[end]);
            for pair in words.as_chunks::<2>().0 {
                self.pairs[end][(bits(pair[0], 8) << 8 | bits(pair[1], 8)) as usize] += 1;
            }
            for throw in words.chunks(2 * BALLS).skip(end).step_by(4) {
                let urns = throw.as_chunks::<2>().0.iter();
                let urns = urns.map(|pair| bits(pair[0], 10) << 10 | bits(pair[1], 10));
                self.collisions[end] += collisions(urns);
            }
            for year in words.chunks(BIRTHDAYS).skip(2 * end).step_by(8) {
                self.spacings[end] += equal_spacings(year.iter().map(|&word| bits(word, DAYS)));
            }
            let row = |words: &[u64]| words.iter().fold(0, |row, &word| row << 1 | bits(word, 1));
            let matrix: Vec<u64> = words.chunks(64).map(row).collect();
            self.add_rank(1 + end, matrix);
        }
        for matrix in words.chunks(RANK * RANK / 64).step_by(16) {
            self.add_rank(0, matrix.to_vec());
        }
    }

    fn add_bits(&mut self, words: &[u64]) {
        let mut last = words[0] << 63;
        for &word in words {
            for (position, byte) in word.to_le_bytes().into_iter().enumerate() {
                self.bytes[position * 256 + usize::from(byte)] += 1;
            }
            self.changes += u64::from((word ^ (word << 1 | last >> 63)).count_ones());
            last = word;
        }
    }

    fn add_weights(&mut self, words: &[u64]) {
        let score = |word: &u64| (f64::from(word.count_ones()) - 32.0) / 4.0;
        let scores: Vec<f64> = words.iter().map(score).collect();
        for (lag, sum) in self.weights.iter_mut().enumerate() {
            let later = &scores[lag + 1..];
            *sum += scores.iter().zip(later).map(|(a, b)| a * b).sum::<f64>();
        }
        for words in words.as_chunks::<8>().0 {
            let signature = words.iter().fold(0, |signature, word| {
                3 * signature + class_of(word.count_ones())
            });
            self.signatures[signature] += 1;
        }
    }

    fn add_rank(&mut self, kind: usize, matrix: Vec<u64>) {
        let missing = RANK - rank(matrix);
        self.ranks[kind][missing.min(2)] += 1;
    }

    fn merge(mut self, other: Self) -> Self {
        let add = |mine: &mut [u64], theirs: &[u64]| {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        };
        add(&mut self.bytes, &other.bytes);
        self.changes += other.changes;
        self.weights
            .iter_mut()
            .zip(other.weights)
            .for_each(|(a, b)| *a += b);
        add(&mut self.signatures, &other.signatures);
        for end in 0..2 {
            add(&mut self.gaps[end], &other.gaps[end]);
            add(&mut self.pairs[end], &other.pairs[end]);
        }
        add(&mut self.collisions, &other.collisions);
        add(&mut self.spacings, &other.spacings);
        for kind in 0..3 {
            add(&mut self.ranks[kind], &other.ranks[kind]);
        }
        self
    }
}

/// Few, about half or many ones.
fn class_of(ones: u32) -> usize {
    usize::from(ones > 30) + usize::from(ones > 33)
}

/// Adds the lengths of the first gaps between visits to 0.
fn add_gaps(bytes: impl Iterator<Item = u64>, gaps: &mut [u64]) {
    let visits = bytes
        .enumerate()
        .filter(|(_, byte)| *byte == 0)
        .map(|(at, _)| at);
    let mut last = None;
    for at in visits.take(GAPS + 1) {
        if let Some(last) = last.replace(at) {
            gaps[(at - last - 1).min(gaps.len() - 1)] += 1;
        }
    }
}

/// Balls that fall into an urn where there is one already.
fn collisions(urns: impl Iterator<Item = u64>) -> u64 {
    let mut taken = vec![0u64; (URNS / 64) as usize];
    let mut collisions = 0;
    for urn in urns {
        let (word, bit) = ((urn / 64) as usize, urn % 64);
        collisions += taken[word] >> bit & 1;
        taken[word] |= 1 << bit;
    }
    collisions
}

/// Spacings between birthdays around the year, less the different ones among them.
fn equal_spacings(days: impl Iterator<Item = u64>) -> u64 {
    let mut days: Vec<u64> = days.collect();
    days.sort_unstable();
    let around = days[0] + (1 << DAYS) - days[days.len() - 1];
    let mut spacings: Vec<u64> = days.windows(2).map(|days| days[1] - days[0]).collect();
    spacings.push(around);
    spacings.sort_unstable();
    spacings
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .count() as u64
}

/// The rank over GF(2) of a square matrix of 512 bits a row.
fn rank(mut matrix: Vec<u64>) -> usize {
    let rows = matrix.as_chunks_mut::<{ RANK / 64 }>().0;
    let mut rank = 0;
    for column in 0..RANK {
        let bit = |row: &[u64; RANK / 64]| row[column / 64] >> (column % 64) & 1;
        let Some(pivot) = (rank..rows.len()).find(|&i| bit(&rows[i]) == 1) else {
            continue;
        };
        rows.swap(rank, pivot);
        let (done, below) = rows.split_at_mut(rank + 1);
        for row in below {
            let mask = bit(row).wrapping_neg();
            for (a, b) in row.iter_mut().zip(done[rank]) {
                *a ^= b & mask;
            }
        }
        rank += 1;
    }
    rank
}

/// Runs `words` through the battery.
pub fn battery(name: &str, words: &Words, wanted: f64) -> Rows {
    let batches = (wanted / BATCH as f64).ceil() as u64;
    let sums = in_groups(batches, |numbers| {
        let (mut sums, mut batch) = (Sums::new(), vec![0; BATCH]);
        for number in numbers {
            words(number, &mut batch);
            sums.add(&batch);
        }
        sums
    });
    let sums = sums
        .into_iter()
        .reduce(Sums::merge)
        .unwrap_or_else(Sums::new);
    report(name, &sums, batches as f64)
}

fn report(name: &str, sums: &Sums, batches: f64) -> Rows {
    let n = batches * BATCH as f64;
    let mut rows = Rows::new(name, n);
    let ones = |position: usize, bit: usize| {
        let values = sums.bytes[position * 256..(position + 1) * 256]
            .iter()
            .enumerate();
        values
            .filter(|(value, _)| value >> bit & 1 == 1)
            .map(|(_, &count)| count)
            .sum::<u64>() as f64
    };
    let binomial = |count: f64, n: f64| (count - n / 2.0) / (n / 4.0).sqrt();
    let bits: Vec<f64> = (0..64).map(|i| binomial(ones(i / 8, i % 8), n)).collect();
    rows.add_squares("frequency of each bit", &bits);
    // The eight positions are independent, each with 255 degrees of freedom.
    let mean = n / 256.0;
    let sum: f64 = sums
        .bytes
        .iter()
        .map(|&count| (count as f64 - mean).powi(2) / mean)
        .sum();
    let found = format!("χ²(2040) = {sum:.1}");
    rows.add(
        "frequency of bytes",
        found,
        p_values::chi_squared(sum, 2040.0),
    );
    // The first bit of a batch has no neighbour, and is compared with itself.
    let z = binomial(sums.changes as f64, 64.0 * n - batches);
    rows.add("runs of bits", format!("{z:+.2} σ"), p_values::normal(z));
    let lags: Vec<f64> = sums
        .weights
        .iter()
        .enumerate()
        .map(|(lag, sum)| sum / (n - batches * (lag + 1) as f64).sqrt())
        .collect();
    rows.add_squares("Hamming weights, correlation", &lags);
    let (score, p) = signatures(&sums.signatures, n);
    rows.add(
        "Hamming weights, 3⁸ signatures",
        format!("{score:+.2} σ"),
        p,
    );
    for (end, name) in ENDS.into_iter().enumerate() {
        let (score, p) = gaps(&sums.gaps[end]);
        rows.add(&format!("gaps, {name} byte"), format!("{score:+.2} σ"), p);
        let cells = sums.pairs[end].iter().map(|&count| (count, 1.0 / 65536.0));
        let (score, p) = p_values::cells(cells, (n / 2.0) as u64);
        rows.add(
            &format!("pairs of {name} bytes"),
            format!("{score:+.2} σ"),
            p,
        );
        let throws = batches * (BATCH / BALLS / 8) as f64;
        let (mean, variance) = collision_moments();
        let z = (sums.collisions[end] as f64 - throws * mean) / (throws * variance).sqrt();
        let found = format!("{} of {:.1}", sums.collisions[end], throws * mean);
        rows.add(
            &format!("collisions, {name} bits"),
            found,
            p_values::normal(z),
        );
        let years = batches * (BATCH / BIRTHDAYS / 8) as f64;
        let m = BIRTHDAYS as f64;
        let mean = years * m * (m - 1.0).powi(2) / 4.0 / 2f64.powi(DAYS as i32);
        let found = format!("{} of {mean:.1}", sums.spacings[end]);
        let p = p_values::poisson(sums.spacings[end], mean);
        rows.add(&format!("birthday spacings, {name} bits"), found, p);
    }
    for (kind, name) in ["words", "highest bits", "lowest bits"]
        .into_iter()
        .enumerate()
    {
        let counts = sums.ranks[kind];
        let total = counts.iter().sum();
        let none: f64 = (1..60).map(|i| 1.0 - 0.5f64.powi(i)).product();
        let probabilities = [none, 2.0 * none, 1.0 - 3.0 * none];
        let (_, p) = p_values::cells(counts.into_iter().zip(probabilities), total);
        let found = format!("{total} of 512 × 512: {counts:?}");
        rows.add(&format!("matrix rank, {name}"), found, p);
    }
    rows
}

fn signatures(counts: &[u64], n: f64) -> (f64, f64) {
    let mut classes = [0.0; 3];
    let mut probability = 0.5f64.powi(64);
    for ones in 0..=64u32 {
        classes[class_of(ones)] += probability;
        probability *= f64::from(64 - ones) / f64::from(ones + 1);
    }
    let of = |mut signature: usize| {
        let mut probability = 1.0;
        for _ in 0..8 {
            probability *= classes[signature % 3];
            signature /= 3;
        }
        probability
    };
    let cells = counts
        .iter()
        .enumerate()
        .map(|(signature, &count)| (count, of(signature)));
    p_values::cells(cells, (n / 8.0) as u64)
}

fn gaps(counts: &[u64]) -> (f64, f64) {
    let stay = 255.0f64 / 256.0;
    let last = counts.len() - 1;
    let cells = counts.iter().enumerate().map(|(gap, &count)| {
        let here = if gap == last { 1.0 } else { 1.0 - stay };
        (count, stay.powi(gap as i32) * here)
    });
    p_values::cells(cells, counts.iter().sum())
}

/// Mean and variance of the collisions of one throw: balls less occupied urns.
fn collision_moments() -> (f64, f64) {
    let (k, m) = (URNS as f64, BALLS as f64);
    let empty = k * (m * (-1.0 / k).ln_1p()).exp();
    // E N(N − 1) − (E N)² + E N of the empty urns N, without the cancellation of the first two.
    let square = empty * empty;
    let ratio = (m * (-1.0 / (k - 1.0).powi(2)).ln_1p()).exp_m1();
    let variance = square * ratio - square * (1.0 + ratio) / k + empty;
    (m - k + empty, variance)
}
