//! Tests the laws and the streams as random numbers: moments, distribution, tails, independence.
//!
//! Seeds are fixed, so a test that passes once always passes; the stated false-alarm rate is the
//! probability, over seeds, that a correct generator would have failed. Every test asserts its power
//! too: the same check has to reject a planted error. Sample sizes shrink without optimisation.

use super::{LaneStreams, Law};
use crate::scalar::{LANES, Lanes};
use statrs::distribution::{ContinuousCDF, Normal};

/// Optimised builds take the full sample.
const fn sample(full: usize) -> usize {
    if cfg!(debug_assertions) {
        full / 64
    } else {
        full
    }
}

/// `n` draws (a multiple of 8192) of all lanes.
fn draws(law: Law, sigma: f64, seed: u64, n: usize) -> Vec<f64> {
    let mut out = Vec::with_capacity(n);
    each_block(law, sigma, seed, n, |block| {
        out.extend(block.iter().flat_map(|draw| draw.0));
    });
    out
}

/// Passes `n` draws (a multiple of 8192) to `visit`, 8192 at a time.
fn each_block(law: Law, sigma: f64, seed: u64, n: usize, mut visit: impl FnMut(&[Lanes])) {
    let mut streams = LaneStreams::new(seed, 0, 0);
    let mut block = vec![Lanes([0.0; LANES]); 1024];
    for _ in 0..n / 8192 {
        law.fill(sigma, &mut streams, &mut block);
        visit(&block);
    }
}

/// Standardised errors of the first four raw moments of `xs`, given the first eight true ones.
fn moment_scores(xs: &[f64], truth: [f64; 8]) -> [f64; 4] {
    let mut sums = [0.0; 4];
    for &x in xs {
        let square = x * x;
        for (sum, power) in sums
            .iter_mut()
            .zip([x, square, x * square, square * square])
        {
            *sum += power;
        }
    }
    let n = xs.len() as f64;
    std::array::from_fn(|k| {
        let variance = truth[2 * k + 1] - truth[k] * truth[k];
        (sums[k] / n - truth[k]) / (variance / n).sqrt()
    })
}

/// Four scores within 5.5: false alarm 4 · 3.8e-8 = 1.5e-7.
fn moments_fit(xs: &[f64], truth: [f64; 8]) -> bool {
    moment_scores(xs, truth)
        .iter()
        .all(|score| score.abs() < 5.5)
}

/// The distance of Kolmogorov & Smirnov, sup |F_n − F|, of `xs`, which it sorts.
fn ks_distance(xs: &mut [f64], cdf: impl Fn(f64) -> f64) -> f64 {
    xs.sort_unstable_by(f64::total_cmp);
    let n = xs.len() as f64;
    let mut distance = 0f64;
    for (i, &x) in xs.iter().enumerate() {
        let f = cdf(x);
        distance = distance.max(f - i as f64 / n).max((i + 1) as f64 / n - f);
    }
    distance
}

/// Whether a distance is below the bound of Dvoretzky, Kiefer, Wolfowitz & Massart,
/// P(√n D > t) ≤ 2 exp(−2t²), at false alarm 1e-7: t = 2.9.
fn ks_fits(distance: f64, n: usize) -> bool {
    distance * (n as f64).sqrt() < (2e7f64.ln() / 2.0).sqrt()
}

/// Whether a binomial count of small mean μ is within the Chernoff bound,
/// count ln(count/μ) − (count − μ) ≤ ln(2/α), at false alarm α = 1e-7.
fn count_fits(count: usize, mean: f64) -> bool {
    let count = count as f64;
    let log = if count > 0.0 {
        (count / mean).ln()
    } else {
        0.0
    };
    count * log - (count - mean) <= 2e7f64.ln()
}

/// E X^k, k = 1, …, 8, of N(0, 1), of ±1, and of the uniform law of unit variance.
const NORMAL: [f64; 8] = [0.0, 1.0, 0.0, 3.0, 0.0, 15.0, 0.0, 105.0];
const UNIFORM: [f64; 8] = [0.0, 1.0, 0.0, 1.8, 0.0, 27.0 / 7.0, 0.0, 9.0];

/// 1.7·10⁷ draws; false alarm 1.5e-7. Power: a mean off by 20/√n, a variance off by 40/√n, the positive
/// numbers stretched and the negative ones shrunk (skewness), and two scales mixed at fixed variance
/// (kurtosis).
#[test]
fn gaussian_moments_are_those_of_the_standard_normal() {
    let n = sample(1 << 24);
    let xs = draws(Law::Gaussian, 1.0, 11, n);
    let fits = |error: &dyn Fn(usize, f64) -> f64| {
        let planted: Vec<f64> = xs.iter().enumerate().map(|(i, &x)| error(i, x)).collect();
        moments_fit(&planted, NORMAL)
    };
    let e = 20.0 / (n as f64).sqrt();
    assert!(fits(&|_, x| x), "{:?}", moment_scores(&xs, NORMAL));
    assert!(!fits(&|_, x| x + e));
    assert!(!fits(&|_, x| x * (1.0 + e)));
    assert!(!fits(&|_, x| x + e * (x * x - 1.0)));
    assert!(!fits(&|i, x| {
        let e = 2.0 * e.sqrt();
        x * (1.0 + if i % 2 == 0 { e } else { -e }) / (1.0 + e * e).sqrt()
    }));
}

/// 1.7·10⁷ draws; false alarm 1e-7. Power: 20/√n of shift or of stretch.
#[test]
fn gaussian_draws_follow_the_normal_distribution_function() {
    let n = sample(1 << 24);
    let normal = Normal::standard();
    let mut xs = draws(Law::Gaussian, 1.0, 12, n);
    assert!(ks_fits(ks_distance(&mut xs, |x| normal.cdf(x)), n));
    let e = 20.0 / (n as f64).sqrt();
    let m = n / 8;
    let mut part: Vec<f64> = xs.iter().step_by(8).copied().collect();
    assert!(!ks_fits(
        ks_distance(&mut part, |x| normal.cdf(x + 3.0 * e)),
        m
    ));
    assert!(!ks_fits(
        ks_distance(&mut part, |x| normal.cdf(x * (1.0 + 6.0 * e))),
        m
    ));
}

/// 2.7·10⁸ draws, six counts; false alarm 6e-7. About 77 draws fall beyond 5σ on each side. Power: a
/// tail cut at 5σ, thinned to a third or doubled is rejected at the full size.
#[test]
fn gaussian_tails_have_the_normal_weight() {
    let n = sample(1 << 28);
    let mut beyond = [[0usize; 3]; 2];
    each_block(Law::Gaussian, 1.0, 13, n, |block| {
        for draw in block {
            // Lane by lane counts, in integers, so that the loop vectorises.
            for x in draw.0 {
                if x.abs() > 3.0 {
                    for (count, level) in
                        beyond[usize::from(x < 0.0)].iter_mut().zip([3.0, 4.0, 5.0])
                    {
                        *count += usize::from(x.abs() > level);
                    }
                }
            }
        }
    });
    // 1 − Φ(3), 1 − Φ(4), 1 − Φ(5).
    let weights = [
        1.349_898_031_630_095e-3,
        3.167_124_183_311_992e-5,
        2.866_515_718_791_94e-7,
    ];
    for side in beyond {
        for (count, weight) in side.into_iter().zip(weights) {
            let mean = weight * n as f64;
            assert!(count_fits(count, mean), "{count} against {mean}");
        }
    }
    if n == 1 << 28 {
        let mean = weights[2] * n as f64;
        assert!(!count_fits(0, mean));
        assert!(!count_fits((mean / 3.0) as usize, mean));
        assert!(!count_fits((2.0 * mean) as usize, mean));
    }
}

/// Both members of a pair, and neighbouring pairs, of one lane: Σxy/√n and Σ(x²−1)(y²−1)/(2√n)
/// within 5.5; six scores, false alarm 2.3e-7. Power: pairs whose radius ρ is
/// replaced by ρ^1.1, which are dependent through their squares.
#[test]
fn gaussian_pairs_are_independent() {
    let n = sample(1 << 23);
    let xs = draws(Law::Gaussian, 1.0, 14, n);
    let scores = |pairs: &mut dyn Iterator<Item = (f64, f64)>| {
        let (mut count, mut product, mut squares) = (0.0f64, 0.0, 0.0);
        for (x, y) in pairs {
            count += 1.0;
            product += x * y;
            squares += (x * x - 1.0) * (y * y - 1.0) / 2.0;
        }
        [product / count.sqrt(), squares / count.sqrt()]
    };
    let fits = |scores: [f64; 2]| scores.iter().all(|score| score.abs() < 5.5);
    // Draw i of lane j is xs[8 i + j].
    let rows = |i: usize, shift: usize| {
        let xs = &xs;
        (0..LANES).map(move |j| (xs[LANES * i + j], xs[LANES * (i + shift) + j]))
    };
    let steps = n / LANES;
    let within = scores(&mut (0..steps).step_by(2).flat_map(|i| rows(i, 1)));
    let across = scores(&mut (1..steps - 1).step_by(2).flat_map(|i| rows(i, 1)));
    let radii = scores(&mut (0..steps - 2).step_by(4).flat_map(|i| rows(i, 2)));
    assert!(
        fits(within) && fits(across) && fits(radii),
        "{within:?} {across:?} {radii:?}"
    );
    let planted = scores(
        &mut (0..steps)
            .step_by(2)
            .flat_map(|i| rows(i, 1))
            .map(|(x, y)| {
                let stretch = (x * x + y * y).powf(0.05);
                (x * stretch, y * stretch)
            }),
    );
    assert!(!fits(planted), "{planted:?}");
}

/// Moments and distribution of 1.7·10⁷ draws; false alarm 2.5e-7. Power: as for the Gaussian law.
#[test]
fn uniform_draws_follow_the_uniform_law() {
    let n = sample(1 << 24);
    let mut xs = draws(Law::Uniform, 1.0, 15, n);
    let edge = 3f64.sqrt();
    let cdf = |x: f64| ((x + edge) / (2.0 * edge)).clamp(0.0, 1.0);
    assert!(xs.iter().all(|x| x.abs() < edge));
    assert!(
        moments_fit(&xs, UNIFORM),
        "{:?}",
        moment_scores(&xs, UNIFORM)
    );
    assert!(ks_fits(ks_distance(&mut xs, cdf), n));
    let e = 20.0 / (n as f64).sqrt();
    let stretched: Vec<f64> = xs.iter().map(|x| x * (1.0 + e)).collect();
    assert!(!moments_fit(&stretched, UNIFORM));
    assert!(!ks_fits(ks_distance(&mut xs, |x| cdf(x + e)), n));
}

/// Score of a count of successes among `n` of probability `p`.
fn binomial_score(count: usize, n: usize, p: f64) -> f64 {
    (count as f64 - n as f64 * p) / (n as f64 * p * (1.0 - p)).sqrt()
}

/// Frequency of + within 5.5 standard deviations: false alarm 3.8e-8 for each σ. Power: 0.5 + 10/√n.
#[test]
fn rademacher_draws_are_exactly_two_points_of_equal_weight() {
    let n = sample(1 << 22);
    for (seed, sigma) in [(21, 1.0), (22, 0.3), (23, 7.5)] {
        let xs = draws(Law::Rademacher, sigma, seed, n);
        assert!(xs.iter().all(|&x| x == sigma || x == -sigma));
        let plus = xs.iter().filter(|&&x| x > 0.0).count();
        assert!(binomial_score(plus, n, 0.5).abs() < 5.5);
        let planted = plus + (10.0 * (n as f64).sqrt()) as usize;
        assert!(binomial_score(planted, n, 0.5).abs() > 5.5);
        // Runs in one lane: a sign repeats with probability ½.
        let repeats = xs.windows(LANES + 1).filter(|w| w[0] == w[LANES]).count();
        assert!(binomial_score(repeats, n - LANES, 0.5).abs() < 5.5);
    }
}

/// Frequency of the kept mask, p = 1/(1 + σ²), within 5.5 standard deviations: false alarm 3.8e-8 for
/// each σ. Power: p off by 12 of them.
#[test]
fn bernoulli_draws_are_exactly_two_points_with_the_stated_frequency() {
    let n = sample(1 << 22);
    for (seed, sigma) in [(31, 1.0f64), (32, 0.5), (33, 0.1), (34, 3.0)] {
        let p = 1.0 / (1.0 + sigma * sigma);
        let xs = draws(Law::Bernoulli, sigma, seed, n);
        assert!(xs.iter().all(|&x| x == -1.0 || x == sigma * sigma));
        let kept = xs.iter().filter(|&&x| x > 0.0).count();
        assert!(binomial_score(kept, n, p).abs() < 5.5);
        let off = p - 12.0 * (p * (1.0 - p) / n as f64).sqrt();
        assert!(binomial_score(kept, n, off).abs() > 5.5);
        // Mean 0 and variance σ²: exact for the two points and p, up to rounding.
        let mean = p * sigma * sigma - (1.0 - p);
        let variance = p * sigma.powi(4) + (1.0 - p);
        assert!(mean.abs() < 1e-15 && (variance / sigma.powi(2) - 1.0).abs() < 1e-14);
    }
}

/// Correlation of the uniforms of two streams, at the same step and one step apart, within 5.5/√n:
/// 3 neighbours · 3 lags · 3.8e-8, false alarm 3.5e-7. Power: two streams on one cycle, one step
/// apart, which is what seeding by seed + path would risk.
#[test]
fn neighbouring_streams_are_distinct_and_uncorrelated() {
    let n = sample(1 << 21);
    let sequence = |seed, level, path| -> Vec<f64> {
        let mut streams = LaneStreams::new(seed, level, path);
        (0..n / LANES).flat_map(|_| streams.uniform().0).collect()
    };
    let score = |xs: &[f64], ys: &[f64]| {
        let sum: f64 = xs
            .iter()
            .zip(ys)
            .map(|(x, y)| 12.0 * (x - 0.5) * (y - 0.5))
            .sum();
        sum / (xs.len().min(ys.len()) as f64).sqrt()
    };
    let lags = |xs: &[f64], ys: &[f64]| [score(xs, ys), score(&xs[8..], ys), score(xs, &ys[8..])];
    let here = sequence(5, 3, 1000);
    // Path 1001 shifts the eight lanes by one, so lane j meets its neighbour j + 1.
    for (seed, level, path) in [(6, 3, 1000), (5, 4, 1000), (5, 3, 1001)] {
        let there = sequence(seed, level, path);
        assert!(here.iter().zip(&there).all(|(x, y)| x != y));
        assert!(lags(&here, &there).iter().all(|score| score.abs() < 5.5));
    }
    assert!(
        lags(&here, &here[8..])
            .iter()
            .any(|score| score.abs() > 5.5)
    );
}

/// The first draw of path 0, 1, 2, … is uniform and uncorrelated from path to path: false alarm
/// 1e-7 + 3.8e-8. Power: a shift by 20/√n.
#[test]
fn first_draws_are_uniform_across_paths() {
    let n = sample(1 << 20);
    let mut firsts: Vec<f64> = (0..n as u64)
        .step_by(LANES)
        .flat_map(|path| LaneStreams::new(1, 0, path).uniform().0)
        .collect();
    let product: f64 = firsts
        .windows(2)
        .map(|w| 12.0 * (w[0] - 0.5) * (w[1] - 0.5))
        .sum();
    assert!(product.abs() / (n as f64).sqrt() < 5.5);
    assert!(ks_fits(ks_distance(&mut firsts, |x| x), n));
    let e = 20.0 / (n as f64).sqrt();
    assert!(!ks_fits(ks_distance(&mut firsts, |x| (x + e).min(1.0)), n));
}
