//! Computes a point of the unit circle from random bits, without tables, branches or libm.

/// Minimax coefficients of sin(2πr)/r in z = r² on |r| ≤ ⅛, by a Remez exchange in 240-bit arithmetic; relative error of
/// the sine 2^−37.7.
const SINE: [f64; 5] = [
    6.283_185_307_151,
    -41.341_702_150_554_76,
    81.605_203_807_118_95,
    -76.697_774_122_126_9,
    41.469_889_552_804_3,
];

/// Minimax coefficients of (cos(2πr) − 1)/r² in z = r² on |r| ≤ ⅛; absolute error of the cosine 2^−34.1.
const COSINE: [f64; 4] = [
    -19.739_208_693_655_794,
    64.939_326_471_689_24,
    -85.443_741_732_161_56,
    59.245_964_288_189_17,
];

/// (cos θ, sin θ) of a uniform angle θ, from one random word; each is within 2⁻³⁴ of the true value.
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
    let sine = r * SINE[..4]
        .iter()
        .rev()
        .fold(SINE[4], |sum, &c| sum.mul_add(z, c));
    let cosine = COSINE[..3]
        .iter()
        .rev()
        .fold(COSINE[3], |sum, &c| sum.mul_add(z, c))
        .mul_add(z, 1.0);

    let (first, second) = if word & 1 == 0 {
        (cosine, sine)
    } else {
        (sine, cosine)
    };
    (
        f64::from_bits(first.to_bits() ^ (word << 62 & SIGN)),
        f64::from_bits(second.to_bits() ^ (word << 61 & SIGN)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::f64::consts::TAU;

    const BOUND: f64 = 1.0 / (1u64 << 34) as f64;

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
