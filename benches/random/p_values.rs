//! From a statistic to its p-value, small where it is too far from what chance gives, or too near.

use statrs::function::erf::erfc;
use statrs::function::gamma::{gamma_lr, gamma_ur};
use std::f64::consts::{PI, SQRT_2};

/// Of the probabilities to be at most, and at least, where it is.
fn two_sided(below: f64, above: f64) -> f64 {
    (2.0 * below.min(above)).clamp(0.0, 1.0)
}

/// Of a standard normal number.
pub fn normal(z: f64) -> f64 {
    erfc(z.abs() / SQRT_2)
}

/// Of χ² with so many degrees of freedom.
pub fn chi_squared(x: f64, freedom: f64) -> f64 {
    if !(x > 0.0 && x.is_finite()) {
        return 0.0;
    }
    let (a, x) = (freedom / 2.0, x / 2.0);
    two_sided(gamma_lr(a, x), gamma_ur(a, x))
}

/// Of the sum of squares of independent standard normal numbers.
pub fn sum_of_squares(z: &[f64]) -> (f64, f64) {
    let sum = z.iter().map(|z| z * z).sum();
    (sum, chi_squared(sum, z.len() as f64))
}

/// Of a Poisson number.
pub fn poisson(count: u64, mean: f64) -> f64 {
    let below = gamma_ur(count as f64 + 1.0, mean);
    let above = if count == 0 {
        1.0
    } else {
        gamma_lr(count as f64, mean)
    };
    two_sided(below, above)
}

/// Pearson's χ² of counts with the probability of each cell; cells of fewer than ten expected are taken as one. Gives χ² less
/// its degrees of freedom over its standard deviation, and the p-value.
pub fn cells(counts: impl Iterator<Item = (u64, f64)>, total: u64) -> (f64, f64) {
    let total = total as f64;
    let (mut sum, mut freedom, mut rare) = (0.0, -1.0, (0.0, 0.0));
    let mut add = |count: f64, mean: f64| {
        sum += (count - mean).powi(2) / mean;
        freedom += 1.0;
    };
    for (count, probability) in counts {
        let mean = probability * total;
        if mean < 10.0 {
            rare = (rare.0 + count as f64, rare.1 + mean);
        } else {
            add(count as f64, mean);
        }
    }
    if rare.1 > 0.0 {
        add(rare.0, rare.1);
    }
    if freedom < 1.0 {
        // Too few draws to tell anything.
        return (0.0, 1.0);
    }
    (
        (sum - freedom) / (2.0 * freedom).sqrt(),
        chi_squared(sum, freedom),
    )
}

/// The probability that sup |F_n − F| is at least `distance`: Kolmogorov's law with the terms of order n^(−1/2) and n^(−1).
///
/// Source: J. Vrbik, *Deriving CDF of Kolmogorov–Smirnov test statistic*, Applied Mathematics 11 (2020).
pub fn kolmogorov(distance: f64, n: f64) -> f64 {
    let x = n.sqrt() * distance;
    let x = x + 1.0 / (6.0 * n.sqrt()) + (x - 1.0) / (4.0 * n);
    if x < 0.2 {
        1.0
    } else if x < 1.0 {
        let term = |k: i32| (-f64::from(2 * k - 1).powi(2) * PI * PI / (8.0 * x * x)).exp();
        1.0 - (2.0 * PI).sqrt() / x * (1..6).map(term).sum::<f64>()
    } else {
        let term = |k: i32| (-2.0 * f64::from(k * k) * x * x).exp();
        2.0 * (1..8)
            .map(|k| if k % 2 == 1 { term(k) } else { -term(k) })
            .sum::<f64>()
    }
}

/// The probability that Anderson & Darling's A² of many numbers is at least `a`.
///
/// Source: G. & J. Marsaglia, *Evaluating the Anderson–Darling distribution*, J. Stat. Softw. 9 (2004), with errors of 2e-6. In the
/// tail its leading term √3 erfc √a, as A² is Σ z_j²/(j(j + 1)) in law; 5 % too small there.
pub fn anderson_darling(a: f64) -> f64 {
    let horner = |c: [f64; 6]| c.into_iter().rev().fold(0.0, |sum, c| sum * a + c);
    if a <= 0.05 {
        1.0
    } else if a < 2.0 {
        let c = [
            2.00012, 0.247105, -0.0649821, 0.0347962, -0.011672, 0.00168691,
        ];
        1.0 - (-1.2337141 / a).exp() / a.sqrt() * horner(c)
    } else if a < 8.0 {
        let c = [1.0776, -2.30695, 0.43424, -0.082433, 0.008056, -0.0003146];
        -(-horner(c).exp()).exp_m1()
    } else {
        3f64.sqrt() * erfc(a.sqrt())
    }
}

/// The distance of Kolmogorov & Smirnov of sorted numbers to the uniform law on (0, 1).
pub fn distance_of_sorted(u: &[f64]) -> f64 {
    let n = u.len() as f64;
    let at = |(i, &u): (usize, &f64)| (u - i as f64 / n).max((i + 1) as f64 / n - u);
    u.iter().enumerate().map(at).fold(0.0, f64::max)
}

/// A² of sorted numbers on (0, 1).
pub fn a_squared_of_sorted(u: &[f64]) -> f64 {
    let n = u.len();
    let term = |i: usize| (2 * i + 1) as f64 * (u[i] * (1.0 - u[n - 1 - i])).ln();
    -(n as f64) - (0..n).map(term).sum::<f64>() / n as f64
}

/// Kolmogorov's distance of p-values to uniformity, and the p-value of that.
pub fn uniformity(p_values: &[f64]) -> (f64, f64) {
    let mut sorted = p_values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    let distance = distance_of_sorted(&sorted);
    let above = kolmogorov(distance, sorted.len() as f64);
    (distance, two_sided(1.0 - above, above))
}

/// A p-value that is small on one side, made small on both.
pub fn both_sides(above: f64) -> f64 {
    two_sided(1.0 - above, above)
}

/// The functions above against tables, before anything is judged by them.
pub fn check_against_tables() {
    let near = |found: f64, table: f64, share: f64| {
        assert!(
            (found / table - 1.0).abs() < share,
            "{found} is not {table}"
        );
    };
    // Kolmogorov's limit, and the exact law at n = 100 (Miller 1956: 0.13403 at 5 %, 0.16081 at 1 %).
    near(kolmogorov(1.358_098_6e-6, 1e12), 0.05, 1e-4);
    near(kolmogorov(0.828e-6, 1e12), 0.5, 1e-2);
    near(kolmogorov(0.13403, 100.0), 0.05, 5e-3);
    near(kolmogorov(0.16081, 100.0), 0.01, 2e-2);
    // Anderson & Darling's limit (Lewis 1961): 1.933, 2.492 and 6.000 at 10, 5 and 0.1 %; 3.8781 at 1 % by Marsaglia.
    near(anderson_darling(0.774), 0.5, 2e-3);
    near(anderson_darling(1.933), 0.1, 2e-3);
    near(anderson_darling(2.492), 0.05, 2e-3);
    near(anderson_darling(3.8781), 0.01, 5e-3);
    near(anderson_darling(6.0), 0.001, 5e-2);
    near(anderson_darling(8.001), anderson_darling(7.999), 0.1);
    near(normal(1.959_963_985), 0.05, 1e-6);
    near(chi_squared(10_233.748_9, 10_000.0), 0.1, 1e-3);
    near(chi_squared(9_768.53, 10_000.0), 0.1, 1e-3);
    near(poisson(0, 5.0), 2.0 * (-5f64).exp(), 1e-9);
    near(poisson(10, 5.0), 2.0 * 0.031_828_057, 1e-6);
}
