//! Computes points in a random direction from the origin, eight at a time, without branches or libm.

use crate::scalar::{LANES, each_of_lanes};

/// Minimax coefficients of sin(2πr)/r in z = r² on |r| ≤ ¼, by a Remez exchange in 240-bit arithmetic; absolute error of the
/// sine 2^−36.1.
const SINE: [f64; 6] = [
    6.283_185_306_487_547,
    -41.341_701_929_780_86,
    81.605_209_431_438_07,
    -76.703_667_830_953_45,
    41.999_989_763_131_71,
    -14.337_023_791_290_195,
];

/// Minimax coefficients of (cos(2πr) − 1)/r² in z = r² on |r| ≤ ¼; absolute error of the cosine 2^−31.9.
const COSINE: [f64; 5] = [
    -19.739_208_624_348_226,
    64.939_353_595_599_33,
    -85.453_830_683_557_31,
    60.148_204_427_600_56,
    -25.006_793_266_987_51,
];

/// (ρ cos θ, ρ sin θ) of each lane for a uniform angle θ from the lowest 31 bits and the highest bit of its word; each number is
/// within 2^−31.9 ρ of the true value.
///
/// The 31 bits k give an angle 2πr of the right half of the circle, r = (k + ½) 2⁻³² − ¼, and the highest bit says whether it is
/// mirrored to the left: 2³² directions, evenly spaced, of which none lies on an axis.
#[inline(always)]
pub(super) fn random_point(radius: [f64; LANES], word: [u64; LANES]) -> [[f64; LANES]; 2] {
    const HALF: u64 = 0.5f64.to_bits();
    /// The 31 bits below the point of a number in [½, 1).
    const TOP: u64 = (1 << 52) - (1 << 21);
    /// ¾ − 2⁻³³.
    const CENTRE: f64 = 0.75 - f64::EPSILON * (1u64 << 19) as f64;
    const SIGN: u64 = 1 << 63;

    let r = each_of_lanes!(lane => f64::from_bits(word[lane] << 21 & TOP | HALF) - CENTRE);
    let z = each_of_lanes!(lane => r[lane] * r[lane]);
    let [s0, s1, s2, s3, s4, s5] = SINE;
    let sine = each_of_lanes!(lane => {
        let z = z[lane];
        s5.mul_add(z, s4).mul_add(z, s3).mul_add(z, s2).mul_add(z, s1).mul_add(z, s0)
    });
    let [c0, c1, c2, c3, c4] = COSINE;
    let cosine = each_of_lanes!(lane => {
        let z = z[lane];
        c4.mul_add(z, c3).mul_add(z, c2).mul_add(z, c1).mul_add(z, c0).mul_add(z, 1.0)
    });
    [
        each_of_lanes!(lane => {
            let right = radius[lane] * cosine[lane];
            f64::from_bits(right.to_bits() ^ (word[lane] & SIGN))
        }),
        each_of_lanes!(lane => radius[lane] * r[lane] * sine[lane]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    const BOUND: f64 = 2.3283064e-10; // 2⁻³²

    fn direction(word: u64) -> (f64, f64) {
        let [[x, ..], [y, ..]] = random_point([1.0; LANES], [word; LANES]);
        (x, y)
    }

    /// By std, on the angle that the word stands for.
    fn reference(word: u64) -> (f64, f64) {
        let r = ((word & 0x7fff_ffff) as f64 + 0.5) / 2f64.powi(32) - 0.25;
        let (s, c) = (TAU * r).sin_cos();
        (if word >> 63 == 1 { -c } else { c }, s)
    }

    fn is_right(word: u64) -> bool {
        let ((x, y), (x0, y0)) = (direction(word), reference(word));
        (x - x0).abs() <= 1.07 * BOUND
            && (y - y0).abs() <= 0.059 * BOUND
            && (x * x + y * y - 1.0).abs() <= 2.5 * BOUND
    }

    #[test]
    fn the_direction_is_right_on_a_dense_grid_and_at_the_ends() {
        let n = if cfg!(debug_assertions) {
            1u64 << 12
        } else {
            1 << 20
        };
        for k in 0..=n {
            let angle = (k * (1 << 31) / n).min((1 << 31) - 1);
            for others in [0, 1 << 63, (1 << 63) - (1 << 31)] {
                assert!(is_right(angle | others), "{angle} {others}");
            }
        }
    }

    /// As many in each eighth of a turn, and all with their mirror images.
    #[test]
    fn the_directions_cover_the_circle_evenly_and_symmetrically() {
        let steps = 1000;
        let mut hits = [0; 8];
        for k in 0..4 * steps {
            let angle = (k as f64 / f64::from(4 * steps) * 2f64.powi(31)) as u64;
            for sign in [0, 1 << 63] {
                let (x, y) = direction(angle | sign);
                hits[(8.0 * (y.atan2(x) / TAU + 1.0)) as usize % 8] += 1;
                assert_eq!((-x, y), direction(angle | sign ^ 1 << 63));
                assert_eq!((x, -y), direction(angle ^ 0x7fff_ffff | sign));
            }
        }
        assert_eq!(hits, [steps; 8]);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn the_direction_is_right_on_any_word(word: u64) {
            prop_assert!(is_right(word), "{:x}", word);
        }
    }
}
