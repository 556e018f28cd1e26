//! Computes a point of the unit circle from random bits, without tables, branches or libm.

/// Minimax coefficients of sin(2πr)/r in z = r² on |r| ≤ ⅛, by a Remez exchange in 220-bit arithmetic; relative error of
/// the sine 2^−47.6.
const SINE: [f64; 6] = [
    6.283_185_307_179_558,
    -41.341_702_240_271_33,
    81.605_249_181_219_15,
    -76.705_834_054_041_7,
    42.055_539_755_005_53,
    -14.915_811_458_674_247,
];

/// Minimax coefficients of (cos(2πr) − 1)/r² in z = r² on |r| ≤ ⅛; absolute error of the cosine 2^−43.9.
const COSINE: [f64; 5] = [
    -19.739_208_801_999_14,
    64.939_393_859_671_71,
    -85.456_769_153_672_34,
    60.238_456_502_412_04,
    -26.064_525_303_974_687,
];

/// (cos θ, sin θ) of a uniform angle θ, from one random word; each is within 2⁻⁴³ of the true value.
///
/// The top 52 bits give an angle 2πr with r = (k − 2⁵¹) 2⁻⁵⁴ in [−⅛, ⅛), an eighth of a turn to either side of 0. The three
/// lowest bits swap the two numbers, and set the sign of the first and of the second: together that covers the circle
/// evenly.
#[inline(always)]
pub(super) fn random_direction(word: u64) -> (f64, f64) {
    const QUARTER: f64 = 0.25;
    const SIGN: u64 = 1 << 63;

    let r = f64::from_bits(word >> 12 | QUARTER.to_bits()) - 0.375;
    let z = r * r;
    let w = z * z;
    let sine = r * w.mul_add(
        w.mul_add(z.mul_add(SINE[5], SINE[4]), z.mul_add(SINE[3], SINE[2])),
        z.mul_add(SINE[1], SINE[0]),
    );
    let high = w.mul_add(
        z.mul_add(COSINE[4], COSINE[3]),
        z.mul_add(COSINE[2], COSINE[1]),
    );
    let cosine = z.mul_add(high.mul_add(z, COSINE[0]), 1.0);

    let (c, s) = (cosine.to_bits(), sine.to_bits());
    let swap = (c ^ s) & (word & 1).wrapping_neg();
    (
        f64::from_bits(c ^ swap ^ (word << 62 & SIGN)),
        f64::from_bits(s ^ swap ^ (word << 61 & SIGN)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    const BOUND: f64 = 1.0 / (1u64 << 43) as f64;

    /// By std, on the angle that the word stands for.
    fn reference(word: u64) -> (f64, f64) {
        let r = ((word >> 12) as f64 - 2f64.powi(51)) * 0.5f64.powi(54);
        let (s, c) = (TAU * r).sin_cos();
        let (a, b) = if word & 1 == 1 { (s, c) } else { (c, s) };
        let sign = |bit: u64| if word >> bit & 1 == 1 { -1.0 } else { 1.0 };
        (sign(1) * a, sign(2) * b)
    }

    fn is_right(word: u64) -> bool {
        let ((a, b), (a0, b0)) = (random_direction(word), reference(word));
        (a - a0).abs() <= BOUND
            && (b - b0).abs() <= BOUND
            && (a * a + b * b - 1.0).abs() <= 3.0 * BOUND
    }

    #[test]
    fn the_direction_is_right_on_a_dense_grid_and_at_the_ends() {
        let n = if cfg!(debug_assertions) {
            1 << 12
        } else {
            1 << 18
        };
        for k in 0..=n {
            let angle = ((k as f64 / n as f64 * 2f64.powi(52)) as u64).min((1 << 52) - 1);
            for low in 0..8 {
                assert!(is_right(angle << 12 | low), "{angle} {low}");
            }
        }
    }

    /// The eight copies of an arc of an eighth of a turn to either side of 0, [−⅛, ⅛), cover the circle twice.
    #[test]
    fn the_eight_symmetries_cover_the_circle_evenly() {
        let steps = 1000;
        let mut hits = [0; 8];
        for k in 0..steps {
            let angle = ((k as f64 + 0.5) / f64::from(steps) * 2f64.powi(52)) as u64;
            for low in 0..8 {
                let (c, s) = random_direction(angle << 12 | low);
                let turn = s.atan2(c) / TAU + 1.0;
                hits[(8.0 * turn) as usize % 8] += 1;
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
