//! Turns random words into pairs of independent normal numbers, eight at a time, branch-free.

use super::circle::random_point;
use super::logarithm::minus_two_ln;
use super::streams::Pairs;
use crate::scalar::{LANES, Lookup, each_of_lanes};

/// The Box–Muller pair (ρ cos θ, ρ sin θ) with ρ = σ √(−2 ln u) of each lane: two independent N(0, σ²) numbers from one word,
/// whose bits 31 to 62 give u on (0, 1) and whose other 32 give θ.
///
/// Source: G. E. P. Box & M. E. Muller, *A note on the generation of random normal deviates*, Ann. Math. Statist. 29 (1958).
/// For σ = 1 each number is within 2⁻³¹ ρ of the formula evaluated exactly, and u = (k + ½) 2⁻³² and θ lie on grids of 2³² points:
/// together they move the distribution function by less than 4·10⁻¹⁰, which 10¹⁸ draws would not show. More digits would cost
/// time in every step. The largest radius is √(66 ln 2) σ = 6.76 σ; P(ρ > tσ) is off by at most 2⁻³³, by 3e-5 of itself at t = 5
/// and 8e-3 of itself at t = 6. Odd moments are exactly 0, all directions having their opposites.
pub(super) struct BoxMuller<L> {
    /// How logarithms are looked up.
    pub lookup: L,
    pub sigma: f64,
}

impl<L: Lookup> Pairs for BoxMuller<L> {
    #[inline(always)]
    fn of(&self, words: [u64; LANES]) -> [[f64; LANES]; 2] {
        let u = each_of_lanes!(lane => unit(words[lane]));
        let square = minus_two_ln(self.lookup, u);
        let radius = each_of_lanes!(lane => self.sigma * square[lane].sqrt());
        random_point(radius, words)
    }
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
        let lookup = Loads;
        let [[x, ..], [y, ..]] = BoxMuller { lookup, sigma }.of([word; LANES]);
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
