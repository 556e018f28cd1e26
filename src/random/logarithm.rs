//! Computes −2 ln x of a positive normal number without tables, branches or libm.

use std::f64::consts::LN_2;

/// High bits of √½: the fraction is reduced to [√½, √2).
const ROOT_HALF: u64 = 0x3fe6_a09e_0000_0000;
/// Minimax coefficients of −2 ln(1 + f)/f on √½ − 1 ≤ f ≤ √2 − 1, by a Remez exchange in 240-bit arithmetic; relative error
/// 2^−35.8.
const L: [f64; 13] = [
    -1.999_999_999_971_915_6,
    1.000_000_000_588_148_6,
    -0.666_666_686_674_631_1,
    0.499_999_881_622_526_8,
    -0.399_997_622_892_516_56,
    0.333_338_867_343_823_23,
    -0.285_819_738_584_740_86,
    0.249_949_712_145_369_62,
    -0.220_101_680_906_388_01,
    0.198_456_942_125_728_6,
    -0.200_663_908_479_894_43,
    0.198_017_539_918_159_3,
    -0.107_258_389_142_826_5,
];

/// −2 ln `x` for a positive normal `x`, with a relative error below 2⁻³⁵.
///
/// x = 2ᵏ (1 + f) with 1 + f in [√½, √2), and −2 ln x = −2k ln 2 + f L(f). A polynomial without division, because divisions
/// and square roots share one slow unit of the processor, which the normal numbers need for the root; and no longer than
/// random numbers need, for every operation here is felt in a run. The result is garbage, not a panic, for zero, negative,
/// subnormal and non-finite `x`.
#[inline(always)]
pub(super) fn minus_two_ln(x: f64) -> f64 {
    const ONE: u64 = 1f64.to_bits();
    const FRACTION: u64 = (1 << 52) - 1;
    /// 2⁵², whose fraction field holds an integer.
    const SHIFT: f64 = (1u64 << 52) as f64;

    // Adding 1 − √½ carries into the exponent exactly when the fraction is √2 or more.
    let bits = x.to_bits().wrapping_add(ONE - ROOT_HALF);
    // The biased exponent is non-negative, so 2⁵² + it − (2⁵² + 1023) converts it exactly.
    let k = f64::from_bits(bits >> 52 | SHIFT.to_bits()) - (SHIFT + 1023.0);
    let f = f64::from_bits((bits & FRACTION).wrapping_add(ROOT_HALF)) - 1.0;
    // Even and odd powers apart: two chains, one multiplication more than Horner's scheme.
    let z = f * f;
    let mut even = L[12];
    let mut odd = L[11];
    for i in [10, 8, 6, 4, 2] {
        even = even.mul_add(z, L[i]);
        odd = odd.mul_add(z, L[i - 1]);
    }
    even = even.mul_add(z, L[0]);
    k.mul_add(-2.0 * LN_2, f * odd.mul_add(f, even))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn error(x: f64) -> f64 {
        let exact = -2.0 * x.ln();
        if exact == 0.0 {
            return minus_two_ln(x).abs();
        }
        ((minus_two_ln(x) - exact) / exact).abs()
    }

    const BOUND: f64 = 1.0 / (1u64 << 35) as f64;

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
                error(x) <= BOUND,
                "ln({x:e}): {:e} vs {:e}",
                -0.5 * minus_two_ln(x),
                x.ln()
            );
        }
    }

    #[test]
    fn the_logarithm_of_one_is_zero() {
        assert_eq!(minus_two_ln(1.0), 0.0);
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
