//! Turns two random words into two independent normal numbers, branch-free.

use super::circle::random_direction;
use super::logarithm::minus_two_ln;
use super::streams::open_unit;

/// The Box–Muller pair (ρ cos θ, ρ sin θ) with ρ = σ √(−2 ln u): two independent N(0, σ²) numbers, u on (0, 1) taken from
/// the word `radius` and θ from the word `angle`.
///
/// Source: G. E. P. Box & M. E. Muller, *A note on the generation of random normal deviates*, Ann. Math. Statist. 29 (1958).
/// For σ = 1 each number is within 2⁻³³ ρ of the formula evaluated exactly, 10⁻¹⁰ of the radius. That moves the distribution
/// function by less than 10⁻¹⁰, which 10¹⁹ draws would not show; more digits would cost time in every step. With u on the grid (k + ½) 2⁻⁵² the largest radius is √(106 ln 2) σ = 8.57 σ; P(ρ > tσ) is
/// off by at most 2⁻⁵³ in absolute terms: by 3e-11 of itself at t = 5, by 9e-3 of itself at t = 8.
#[inline(always)]
pub(super) fn box_muller(sigma: f64, radius: u64, angle: u64) -> (f64, f64) {
    let radius = sigma * minus_two_ln(open_unit(radius)).sqrt();
    let (first, second) = random_direction(angle);
    (radius * first, radius * second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_tail_reaches_beyond_eight_sigma() {
        let along = 1 << 63;
        let (far, _) = box_muller(1.0, 0, along);
        assert!((8.57..8.58).contains(&far), "{far}");
        let (near, _) = box_muller(1.0, u64::MAX, along);
        assert!(near > 0.0 && near < 1.5e-8, "{near}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn the_pair_lies_in_its_direction_at_the_textbook_radius(
            word: u64,
            shift in 0..64,
            angle: u64,
            sigma in 0.1..10.0,
        ) {
            let word = word >> shift;
            let radius = sigma * (-2.0 * open_unit(word).ln()).sqrt();
            let (x, y) = box_muller(sigma, word, angle);
            let (c, s) = random_direction(angle);
            let slack = radius * 0.5f64.powi(33);
            prop_assert!((x - radius * c).abs() <= slack && (y - radius * s).abs() <= slack);
        }
    }
}
