//! Computes the cosine and sine of a fraction of a turn without tables, branches or libm.

/// Minimax coefficients of sin(2πr)/r − 6 in z = r² on |r| ≤ ⅛, by a Remez exchange in 200-bit
/// arithmetic; relative error of the sine 2^−58.
const SINE: [f64; 7] = [
    0.283_185_307_179_586_45,
    -41.341_702_240_399_634,
    81.605_249_275_945_44,
    -76.705_859_703_315_17,
    42.058_684_902_057_045,
    -15.093_797_505_303_286,
    3.780_726_171_884_582_6,
];

/// Minimax coefficients of (cos(2πr) − 1)/r² in z = r² on |r| ≤ ⅛; absolute error of the cosine
/// 2^−64.7.
const COSINE: [f64; 7] = [
    -19.739_208_802_178_716,
    64.939_394_022_668_01,
    -85.456_817_206_540_05,
    60.244_641_331_611_58,
    -26.426_251_140_420_31,
    7.903_101_637_533_337,
    -1.697_020_070_911_502_6,
];

/// (cos 2πx, sin 2πx) for |x| ≤ 2²⁰, within 1.5 ulp of the true values when x is a multiple of 2⁻⁵³ in
/// [0, 1], as every uniform is.
///
/// x is reduced exactly to r = x − q/4, |r| ≤ ⅛, with q = round(4x); the quadrant q mod 4 then swaps
/// the pair and sets its signs. The leading 2π of the sine is split as 6 + 0.283…: 6r is exact and
/// carries most of the value, so the rounding of the rest hardly shows.
#[inline(always)]
pub(super) fn cos_sin_turn(x: f64) -> (f64, f64) {
    /// 1.5 · 2⁵²: adding it rounds to an integer, left in the low bits.
    const ROUND: f64 = 6_755_399_441_055_744.0;

    let rounded = 4.0 * x + ROUND;
    let quadrant = rounded.to_bits();
    let r = x - 0.25 * (rounded - ROUND);

    let z = r * r;
    let w = z * z;
    let odd = SINE[1] + w * (SINE[3] + w * SINE[5]);
    let even = SINE[0] + w * (SINE[2] + w * (SINE[4] + w * SINE[6]));
    let sine = 6.0 * r + r * (even + z * odd);
    let odd = COSINE[1] + w * (COSINE[3] + w * COSINE[5]);
    let even = w * (COSINE[2] + w * (COSINE[4] + w * COSINE[6]));
    let cosine = 1.0 + z * (COSINE[0] + (z * odd + even));

    // Quadrants 0, 1, 2, 3: (c, s), (−s, c), (−c, −s), (s, −c).
    let (c, s) = (cosine.to_bits(), sine.to_bits());
    let swap = (c ^ s) & (quadrant & 1).wrapping_neg();
    let cosine_sign = (quadrant.wrapping_add(1) & 2) << 62;
    let sine_sign = (quadrant & 2) << 62;
    (
        f64::from_bits(c ^ swap ^ cosine_sign),
        f64::from_bits(s ^ swap ^ sine_sign),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    /// Largest distance, in units in the last place, allowed from the correctly rounded value.
    const ULPS: u64 = 2;

    /// cos 2πx and sin 2πx by std on the exactly reduced angle 2πr, carried to twice the precision.
    fn reference(x: f64) -> (f64, f64) {
        /// 2π − `TAU`.
        const TAU_LOW: f64 = 2.449_293_598_294_706_4e-16;
        let q = (4.0 * x).round();
        let r = x - 0.25 * q;
        let high = TAU * r;
        let low = r.mul_add(TAU, -high) + TAU_LOW * r;
        let s = high.sin() + low * high.cos();
        let c = high.cos() - low * high.sin();
        match q.rem_euclid(4.0) as u8 {
            0 => (c, s),
            1 => (-s, c),
            2 => (-c, -s),
            _ => (s, -c),
        }
    }

    fn distance(x: f64) -> u64 {
        let apart = |a: f64, b: f64| {
            if a == b {
                0
            } else {
                a.to_bits().abs_diff(b.to_bits())
            }
        };
        let ((c, s), (c0, s0)) = (cos_sin_turn(x), reference(x));
        apart(c, c0).max(apart(s, s0))
    }

    #[test]
    fn the_circle_is_right_on_a_dense_grid_and_at_the_ends() {
        let tiny = f64::EPSILON / 2.0;
        let eighths = (0..=8).flat_map(|i| {
            let x = f64::from(i) / 8.0;
            (-9..=9).map(move |d| x + f64::from(d) * tiny)
        });
        let shrinking = (1..=52).flat_map(|e| {
            let d = 0.5f64.powi(e);
            [
                d,
                0.25 + d,
                0.25 - d,
                0.5 - d,
                0.5 + d,
                0.75 - d,
                0.75 + d,
                1.0 - d,
            ]
        });
        let n = if cfg!(debug_assertions) {
            20_000
        } else {
            2_000_000
        };
        let grid = (0..n).map(|i| (f64::from(i) + 0.5) / f64::from(n));
        for x in eighths.chain(shrinking).chain(grid) {
            if (0.0..=1.0).contains(&x) {
                assert!(
                    distance(x) <= ULPS,
                    "{x:e}: {:?} vs {:?}",
                    cos_sin_turn(x),
                    reference(x)
                );
            }
        }
    }

    #[test]
    fn quarter_turns_are_exact() {
        for (x, pair) in [
            (0.0, (1.0, 0.0)),
            (0.25, (0.0, 1.0)),
            (0.5, (-1.0, 0.0)),
            (0.75, (0.0, -1.0)),
            (1.0, (1.0, 0.0)),
        ] {
            assert_eq!(cos_sin_turn(x), pair);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn the_circle_is_right_on_any_uniform(k in 0..1u64 << 52) {
            let x = (k as f64 + 0.5) * f64::EPSILON;
            prop_assert!(distance(x) <= ULPS, "{:e}", x);
        }

        #[test]
        fn the_circle_is_right_on_any_angle(x in -8.0..8.0) {
            prop_assert!(distance(x) <= ULPS, "{:e}", x);
        }
    }
}
