//! Computes the natural logarithm of a positive normal number without tables, branches or libm.

/// High bits of √½: the fraction is reduced to [√½, √2).
const ROOT_HALF: u64 = 0x3fe6_a09e_0000_0000;
/// ln 2 to 42 bits after the point, so that k·`LN2_HIGH` is exact for every exponent k.
#[allow(clippy::approx_constant, clippy::excessive_precision)]
const LN2_HIGH: f64 = 0.693_147_180_559_890_3;
/// ln 2 − `LN2_HIGH`.
const LN2_LOW: f64 = 5.497_923_018_708_371e-14;

/// Minimax coefficients of L(z) = (2 atanh(√z)/√z − 2)/z on 0 ≤ z ≤ (3 − √8)², by a Remez exchange
/// in 200-bit arithmetic; relative error of the logarithm 2^−59.5.
const L: [f64; 7] = [
    0.666_666_666_666_673_4,
    0.399_999_999_994_146_8,
    0.285_714_287_423_873_56,
    0.222_221_985_732_063_75,
    0.181_835_643_251_820_3,
    0.153_140_505_722_380_14,
    0.147_959_495_308_480_24,
];

/// ln `x` for a positive normal `x`, within 1 ulp of the true value.
///
/// x = 2ᵏ m with m in [√½, √2), f = m − 1 and s = f/(2 + f) give
/// ln x = k ln 2 + f − (f²/2 − s (f²/2 + z L(z))), z = s², the arrangement of FreeBSD's `e_log.c`,
/// in which no digits cancel. The result is garbage, not a panic, for zero, negative, subnormal and
/// non-finite `x`.
#[inline(always)]
pub(super) fn ln(x: f64) -> f64 {
    const ONE: u64 = 1f64.to_bits();
    const FRACTION: u64 = (1 << 52) - 1;
    /// 2⁵², whose fraction field holds an integer.
    const SHIFT: f64 = (1u64 << 52) as f64;

    // Adding 1 − √½ carries into the exponent exactly when the fraction is √2 or more.
    let bits = x.to_bits().wrapping_add(ONE - ROOT_HALF);
    // The biased exponent is non-negative, so 2⁵² + it − (2⁵² + 1023) converts it exactly.
    let k = f64::from_bits(bits >> 52 | SHIFT.to_bits()) - (SHIFT + 1023.0);
    let m = f64::from_bits((bits & FRACTION).wrapping_add(ROOT_HALF));

    let f = m - 1.0;
    let s = f / (2.0 + f);
    let z = s * s;
    let w = z * z;
    let even = L[0] + w * (L[2] + w * (L[4] + w * L[6]));
    let odd = L[1] + w * (L[3] + w * L[5]);
    let half_square = 0.5 * f * f;
    let rest = s * (half_square + (z * even + w * odd)) + k * LN2_LOW;
    k * LN2_HIGH - ((half_square - rest) - f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Largest distance, in units in the last place, allowed between [`ln`] and [`f64::ln`].
    const ULPS: u64 = 1;

    fn distance(x: f64) -> u64 {
        // ln has one sign on each side of 1, so the bit patterns are ordered.
        ln(x).to_bits().abs_diff(x.ln().to_bits())
    }

    #[test]
    fn the_logarithm_is_right_on_a_dense_grid_and_at_the_ends() {
        let tiny = f64::EPSILON / 2.0;
        let ends = [tiny, 3.0 * tiny, 1.0 - tiny, 1.0 - 3.0 * tiny];
        let near_one = (1..=53).map(|e| 1.0 - 0.5f64.powi(e));
        let near_zero = (1..=1022).map(|e| 0.5f64.powi(e));
        let folds = (0..64).flat_map(|e| {
            let fold = std::f64::consts::SQRT_2 * 0.5f64.powi(e);
            (-8i64..=8).map(move |d| f64::from_bits(fold.to_bits().wrapping_add_signed(d)))
        });
        let n = if cfg!(debug_assertions) {
            20_000
        } else {
            1_000_000
        };
        let grid = (0..n).map(|i| (f64::from(i) + 0.5) / f64::from(n));
        let log_grid = (0..n).map(|i| (-36.7 * f64::from(i) / f64::from(n)).exp());
        let above = (0..n).map(|i| 1.0 + (f64::from(i) + 0.3) / f64::from(n));
        for x in ends
            .into_iter()
            .chain(near_one)
            .chain(near_zero)
            .chain(folds)
            .chain(grid)
            .chain(log_grid)
            .chain(above)
        {
            assert!(
                distance(x) <= ULPS,
                "ln({x:e}): {:e} vs {:e}",
                ln(x),
                x.ln()
            );
        }
    }

    #[test]
    fn the_logarithm_of_one_is_zero() {
        assert_eq!(ln(1.0), 0.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn the_logarithm_is_right_on_any_normal_number(
            x in proptest::num::f64::POSITIVE | proptest::num::f64::NORMAL,
        ) {
            let x = x.abs();
            prop_assume!(x.is_normal());
            prop_assert!(distance(x) <= ULPS, "ln({:e})", x);
        }

        #[test]
        fn the_logarithm_is_right_on_the_unit_interval(x in 1e-16..1.0) {
            prop_assert!(distance(x) <= ULPS, "ln({:e})", x);
        }
    }
}
