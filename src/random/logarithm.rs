//! Computes −2 ln x of numbers below 1, eight at a time, without branches or libm.

use std::f64::consts::LN_2;

use crate::scalar::{LANES, Lookup, each_of_lanes};

/// 1/cᵢ for a number cᵢ near each sixteenth of [1, 2): its middle, but 2, its upper end, for the last.
const RECIPROCAL: [f64; 16] = [
    0.969_696_969_696_969_7,
    0.914_285_714_285_714_3,
    0.864_864_864_864_864_9,
    0.820_512_820_512_820_5,
    0.780_487_804_878_048_8,
    0.744_186_046_511_627_9,
    0.711_111_111_111_111_1,
    0.680_851_063_829_787_2,
    0.653_061_224_489_795_9,
    0.627_450_980_392_156_9,
    0.603_773_584_905_660_4,
    0.581_818_181_818_181_8,
    0.561_403_508_771_929_8,
    0.542_372_881_355_932_2,
    0.524_590_163_934_426_3,
    0.5,
];

/// −2 ln cᵢ.
const MINUS_TWO_LN: [f64; 16] = [
    -0.061_543_317_333_507_32,
    -0.179_224_317_379_374_33,
    -0.290_364_019_688_995_67,
    -0.395_651_486_659_839_85,
    -0.495_672_327_809_162_4,
    -0.590_928_425_787_671_8,
    -0.681_853_173_941_186_4,
    -0.768_823_397_820_664_1,
    -0.852_168_790_621_800_3,
    -0.932_179_459_849_198_5,
    -1.009_112_021_504_790_6,
    -1.083_194_564_865_488_8,
    -1.154_630_730_069_647_2,
    -1.223_603_082_211_985_9,
    -1.290_275_922_747_169_4,
    -2.0 * LN_2,
];

/// Minimax coefficients of −2 ln(1 + f)/f on |f| ≤ 1/32, by a Remez exchange in 240-bit arithmetic; relative error 2^−31.58.
const SERIES: [f64; 5] = [
    -2.000_000_000_006_939,
    0.999_999_900_557_827_1,
    -0.666_666_524_582_156_3,
    0.500_407_213_177_986_6,
    -0.400_407_259_221_934,
];

/// −2 ln x of each lane, for normal x with 0 < x < 1, with a relative error below 2^−31.5.
///
/// x = 2ᵏ cᵢ (1 + f) with i the first four bits after the point and |f| ≤ 1/32, and −2 ln x = −2k ln 2 − 2 ln cᵢ + f S(f). Below 1
/// the first two terms cancel exactly, cᵢ being 2 and k −1, so that the result keeps its relative accuracy as x → 1. No division,
/// for divisions and square roots share one slow unit of the processor, which the normal numbers need for the root; and no more
/// digits than random numbers need, for every operation here is felt in a run. Garbage, not a panic, for other x.
#[inline(always)]
pub(super) fn minus_two_ln(lookup: impl Lookup, x: [f64; LANES]) -> [f64; LANES] {
    const ONE: u64 = 1f64.to_bits();
    const FRACTION: u64 = (1 << 52) - 1;

    let k = lookup.exponent(x);
    let i = each_of_lanes!(lane => x[lane].to_bits() >> 48);
    let reciprocal = lookup.pick(&RECIPROCAL, i);
    let of_c = lookup.pick(&MINUS_TWO_LN, i);
    let f = each_of_lanes!(lane => {
        let fraction = f64::from_bits(x[lane].to_bits() & FRACTION | ONE);
        fraction.mul_add(reciprocal[lane], -1.0)
    });
    let [c0, c1, c2, c3, c4] = SERIES;
    each_of_lanes!(lane => {
        let f = f[lane];
        let series = c4.mul_add(f, c3).mul_add(f, c2).mul_add(f, c1).mul_add(f, c0);
        series.mul_add(f, k[lane].mul_add(-2.0 * LN_2, of_c[lane]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::Loads;
    use proptest::prelude::*;

    fn relative_error(x: f64) -> f64 {
        let [found, ..] = minus_two_ln(Loads, [x; LANES]);
        let exact = -2.0 * x.ln();
        ((found - exact) / exact).abs()
    }

    fn is_right(x: f64) -> bool {
        relative_error(x) < 0.5f64.powf(31.5)
    }

    #[test]
    fn the_logarithm_is_right_on_a_dense_grid_and_at_the_ends() {
        let tiny = f64::EPSILON / 2.0;
        let ends = [tiny, 3.0 * tiny, 1.0 - tiny, 1.0 - 3.0 * tiny];
        let near_one = (1..=53).map(|e| 1.0 - 0.5f64.powi(e));
        let near_zero = (1..=1022).map(|e| 0.5f64.powi(e));
        // Where one entry of the table ends and the next begins.
        let seams = (0..16 * 64).flat_map(|s: i32| {
            let seam = f64::from(16 + s % 16) / 32.0 * 0.5f64.powi(s / 16);
            (-8i64..=8).map(move |d| f64::from_bits(seam.to_bits().wrapping_add_signed(d)))
        });
        let n = if cfg!(debug_assertions) {
            20_000
        } else {
            1_000_000
        };
        let grid = (0..n).map(|i| (f64::from(i) + 0.5) / f64::from(n));
        let log_grid = (1..n).map(|i| (-36.7 * f64::from(i) / f64::from(n)).exp());
        for x in ends
            .into_iter()
            .chain(near_one)
            .chain(near_zero)
            .chain(seams)
            .chain(grid)
            .chain(log_grid)
        {
            assert!(is_right(x), "ln({x:e}): {:e}", relative_error(x));
        }
    }

    #[test]
    fn the_table_is_that_of_its_formula() {
        for i in 0..15 {
            let c = 1.0 + (i as f64 + 0.5) / 16.0;
            assert!((RECIPROCAL[i] * c - 1.0).abs() <= f64::EPSILON);
            assert!((MINUS_TWO_LN[i] + 2.0 * c.ln()).abs() <= 4.0 * f64::EPSILON);
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]
        #[test]
        fn the_logarithm_is_right_on_the_unit_interval(x in 1e-16..1.0) {
            prop_assert!(is_right(x), "ln({:e})", x);
        }
    }
}
