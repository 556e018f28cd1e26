//! Turns random words into pairs of independent normal numbers, eight at a time, branch-free.

use super::circle::random_point;
use super::logarithm::minus_two_ln;
use crate::scalar::{LANES, Lookup, each_of_lanes};

/// The Box–Muller pair (ρ cos θ, ρ sin θ) with ρ = σ √(−2 ln u) of each lane: two independent N(0, σ²) numbers from one word,
/// whose bits 31 to 62 give u on (0, 1) and whose other 32 give θ.
///
/// Source: G. E. P. Box & M. E. Muller, *A note on the generation of random normal deviates*, Ann. Math. Statist. 29 (1958).
/// u = (k + ½) 2⁻³² and θ lie on grids of 2³² points, and for σ = 1 each number is within 2⁻³¹ ρ of the formula evaluated exactly;
/// more digits would cost time in every step. What that does to the law of a number x:
///
/// * its distribution function moves by less than 4·10⁻¹⁰, which the distance of Kolmogorov & Smirnov would not show in 10¹⁸ draws;
/// * odd moments are exactly 0, all directions having their opposites; variance, fourth and sixth moment are off by less than
///   1e-10, 2e-9 and 3e-8 of themselves;
/// * the largest ρ is √(66 ln 2) σ = 6.76 σ. P(|x| > tσ) is off by 2e-6 of itself at t = 5 and by 1.3e-3 at t = 6; what should lie
///   beyond 6.76 σ, a weight of 1.3e-11, is missing, which shows in some 10¹² draws.
#[inline(always)]
pub(super) fn box_muller(
    lookup: impl Lookup,
    sigma: f64,
    words: [u64; LANES],
) -> [[f64; LANES]; 2] {
    let square = minus_two_ln(lookup, each_of_lanes!(lane => unit(words[lane])));
    let radius = each_of_lanes!(lane => sigma * square[lane].sqrt());
    random_point(radius, words)
}

/// (k + ½) 2⁻³² with k the bits 31 to 62 of a word.
#[inline(always)]
fn unit(word: u64) -> f64 {
    const ONE: u64 = 1f64.to_bits();
    /// The 32 bits below the point of a number in [1, 2).
    const TOP: u64 = (1 << 52) - (1 << 20);
    /// 1 − 2⁻³³.
    const BELOW_ONE: f64 = 1.0 - f64::EPSILON * (1u64 << 19) as f64;
    f64::from_bits(word >> 11 & TOP | ONE) - BELOW_ONE
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::Loads;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    /// The pair of one word.
    fn pair(sigma: f64, word: u64) -> (f64, f64) {
        let [[x, ..], [y, ..]] = box_muller(Loads, sigma, [word; LANES]);
        (x, y)
    }

    #[test]
    fn u_is_open_and_exact_at_both_ends_and_deaf_to_the_other_bits() {
        let step = 0.5f64.powi(32);
        assert_eq!(unit(0), step / 2.0);
        assert_eq!(unit(1 << 63 | 0x7fff_ffff), step / 2.0);
        assert_eq!(unit(1 << 31), 1.5 * step);
        assert_eq!(unit(1 << 62), 0.5 + step / 2.0);
        assert_eq!(unit(u64::MAX), 1.0 - step / 2.0);
    }

    #[test]
    fn the_tail_reaches_to_six_and_three_quarters_sigma() {
        let along = 1 << 30;
        let (far, _) = pair(1.0, along);
        assert!((6.76..6.77).contains(&far), "{far}");
        let (near, _) = pair(1.0, u64::MAX >> 32 << 31 | along);
        assert!(near > 0.0 && near < 1.6e-5, "{near}");
    }

    /// Sums over the grid of u, by numerical integration in blocks of it; the direction's part of a moment is exact to rounding.
    #[test]
    fn even_moments_of_the_radius_are_as_near_as_stated() {
        // Σ (−2 ln u)ⁿ over the 2³² points, of which all but the first 2²⁰ are as good as an integral: midpoints of cells in which the
        // integrand hardly bends. So the error is that of the first points.
        let first = 1u64 << 20;
        let h = 0.5f64.powi(32);
        for (n, bound) in [(1, 1e-10), (2, 2e-9), (3, 3e-8)] {
            // ∫₀ᵃ (−2 ln u)ⁿ du = a Σ_k n!/(n−k)! 2ᵏ (−2 ln a)^{n−k}
            let a = first as f64 * h;
            let (mut factor, mut exact) = (1.0, 0.0);
            for k in 0..=n {
                exact += factor * (-2.0 * a.ln()).powi(n - k);
                factor *= 2.0 * f64::from(n - k);
            }
            exact *= a;
            let sum: f64 = (0..first)
                .map(|k| {
                    let [square, ..] = minus_two_ln(Loads, [(k as f64 + 0.5) * h; LANES]);
                    square.powi(n) * h
                })
                .sum();
            let whole = [2.0, 8.0, 48.0][n as usize - 1];
            let error = ((sum - exact) / whole).abs();
            assert!(error < bound && error > 0.05 * bound, "{n}: {error:e}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn the_pair_is_the_textbook_one(word: u64, leading in 0u32..32, sigma in 0.1..10.0) {
            // Also with many leading zeros of u, far in the tail.
            let word = word & !((1u64 << 63) - (1u64 << (63 - leading)));
            let radius = sigma * (-2.0 * unit(word).ln()).sqrt();
            let turn = ((word & 0x7fff_ffff) as f64 + 0.5) / 2f64.powi(32) - 0.25;
            let (s, c) = (TAU * turn).sin_cos();
            let c = if word >> 63 == 1 { -c } else { c };
            let (x, y) = pair(sigma, word);
            let slack = radius * 0.5f64.powi(31);
            prop_assert!((x - radius * c).abs() <= slack && (y - radius * s).abs() <= slack);
        }
    }
}
