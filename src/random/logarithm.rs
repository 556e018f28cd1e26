//! Computes the natural logarithm of a positive normal number without tables, branches or libm.

use std::f64::consts::LN_2;

/// High bits of √½: the fraction is reduced to [√½, √2).
const ROOT_HALF: u64 = 0x3fe6_a09e_0000_0000;
/// Minimax coefficients of (ln(1 + f) − f)/f² on √½ − 1 ≤ f ≤ √2 − 1, by a Remez exchange in 220-bit arithmetic; relative
/// error of the logarithm 2^−45.9.
const L: [f64; 16] = [
    -0.500_000_000_000_717_1,
    0.333_333_333_333_898_1,
    -0.249_999_999_728_772_32,
    0.199_999_999_630_512_32,
    -0.166_666_696_278_532_28,
    0.142_857_200_196_789_2,
    -0.124_998_590_613_802_93,
    0.111_107_541_251_871_39,
    -0.100_033_210_251_313_26,
    0.091_016_678_931_800_2,
    -0.082_958_152_370_351,
    0.075_270_537_939_301_34,
    -0.072_699_790_346_434_23,
    0.078_698_771_636_059_89,
    -0.071_532_056_072_968_1,
    0.032_075_897_546_398_22,
];

/// ln `x` for a positive normal `x`, with a relative error below 2⁻⁴⁵.
///
/// x = 2ᵏ (1 + f) with 1 + f in [√½, √2), and ln x = k ln 2 + f + f² L(f). A polynomial without division, because divisions
/// and square roots share one slow unit of the processor, which the normal numbers need for the root. The result is
/// garbage, not a panic, for zero, negative, subnormal and non-finite `x`.
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
    let f = f64::from_bits((bits & FRACTION).wrapping_add(ROOT_HALF)) - 1.0;

    let pair = |i: usize| f.mul_add(L[i + 1], L[i]);
    let f2 = f * f;
    let four = |i: usize| f2.mul_add(pair(i + 2), pair(i));
    let f4 = f2 * f2;
    let f8 = f4 * f4;
    let rest = f8.mul_add(f4.mul_add(four(12), four(8)), f4.mul_add(four(4), four(0)));
    k.mul_add(LN_2, f2.mul_add(rest, f))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(x: f64) -> f64 {
        let exact = x.ln();
        if exact == 0.0 {
            return ln(x).abs();
        }
        ((ln(x) - exact) / exact).abs()
    }

    const BOUND: f64 = 1.0 / (1u64 << 45) as f64;

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
            assert!(error(x) <= BOUND, "ln({x:e}): {:e} vs {:e}", ln(x), x.ln());
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
            prop_assert!(error(x) <= BOUND, "ln({:e})", x);
        }

        #[test]
        fn the_logarithm_is_right_on_the_unit_interval(x in 1e-16..1.0) {
            prop_assert!(error(x) <= BOUND, "ln({:e})", x);
        }
    }
}
