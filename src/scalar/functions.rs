//! Exponential, tanh, sigmoid, softplus and error function without branches or libm.
//!
//! Straight lines of IEEE operations, fused multiply-adds among them, selects, and tables of eight numbers: eight calls side by
//! side become vector code, and the bits are the same on every machine and at every vector width. Each takes every x, with ±∞
//! and NaN.

use std::f64::consts::{LN_2, LOG2_E};
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{Eight, Lookup};

/// ln 2 to 42 bits after the point, so that k·`LN2_HIGH` is exact for every exponent k.
const LN2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fefa_3800);
/// ln 2 − `LN2_HIGH`.
const LN2_LOW: f64 = 5.497_923_018_708_371e-14;

/// Minimax coefficients of (eʳ − 1 − r − r²/2)/r³ on |r| ≤ ½ ln 2, by a Remez exchange in 240-bit arithmetic; relative
/// error of eʳ − 1 2^−61.
const EXP: [f64; 10] = [
    0.166_666_666_666_666_77,
    0.041_666_666_666_666_69,
    0.008_333_333_333_322_155,
    0.001_388_888_888_887_065_5,
    0.000_198_412_698_849_804_63,
    2.480_158_735_518_345e-5,
    2.755_724_523_237_671_8e-6,
    2.755_724_629_637_98e-7,
    2.510_871_509_783_635e-8,
    2.092_355_923_202_049e-9,
];

/// Minimax coefficients of (2 atanh(√z)/√z − 2)/z on 0 ≤ z ≤ (3 − √8)²; relative error of the logarithm 2^−59.
const LOG: [f64; 7] = [
    0.666_666_666_666_673_4,
    0.399_999_999_994_145_4,
    0.285_714_287_424_328_14,
    0.222_221_985_672_903_52,
    0.181_835_646_882_099_6,
    0.153_140_400_244_107_5,
    0.147_960_665_141_056_05,
];

/// ln 2/16, half the logarithm of 2 to the power 1/8, and its reciprocal.
const STEP: f64 = 0.043_321_698_784_996_58;
const STEPS_PER_UNIT: f64 = 23.083_120_654_223_414;

/// The bits of Tⱼ, 2^{j/8} rounded to twelve bits after the point, less j·2⁴⁹: adding i·2⁴⁹ gives those of 2^{(i−j)/8}Tⱼ for
/// every i with j in its lowest three bits.
const POWERS: Eight = {
    let mut powers = [
        1.0,
        1.090_576_171_875,
        1.189_208_984_375,
        1.296_875,
        1.414_306_640_625,
        1.542_236_328_125,
        1.681_884_765_625,
        1.833_984_375,
    ];
    let mut j = 0;
    while j < 8 {
        let bits: u64 = f64::to_bits(powers[j]);
        powers[j] = f64::from_bits(bits - ((j as u64) << 49));
        j += 1;
    }
    Eight::new(powers)
};

/// ½ ln Tⱼ − j·[`STEP`].
const OFFSETS: Eight = Eight::new([
    0.0,
    3.137_853_139_090_127e-5,
    7.859_736_063_128_974e-7,
    1.366_586_347_329_231_9e-5,
    3.290_704_865_388_852e-5,
    8.268_164_695_436_247e-6,
    2.733_172_694_658_463_7e-5,
    -6.464_410_598_501_065e-6,
]);

/// Minimax coefficients of (tanh(√z)/√z − 1)/z on 0 ≤ z ≤ 0.02172², by a Remez exchange in 240-bit arithmetic; relative error of
/// tanh 2^−56.
const TANH: [f64; 3] = [
    -0.333_333_333_332_912_2,
    0.133_333_327_915_800_46,
    -0.053_948_441_448_889_24,
];

/// Minimax coefficients of erf(√z)/√z − 1 on 0 ≤ z ≤ 1; error 2^−57.
const ERF: [f64; 12] = [
    0.128_379_167_095_512_56,
    -0.376_126_389_031_835_5,
    0.112_837_916_709_452_52,
    -0.026_866_170_643_276_04,
    0.005_223_977_607_422_297,
    -0.000_854_832_598_965_322_1,
    0.000_120_552_953_195_141_12,
    -1.492_474_464_978_405_1e-5,
    1.644_751_756_625_23e-6,
    -1.620_917_542_066_020_7e-7,
    1.372_297_548_866_775_8e-8,
    -7.801_189_580_708_701e-10,
];

/// Minimax coefficients of e^{x²} erfc(x) in s = 1/(x + 3) − `ERFC_CENTRE` on 1 ≤ x ≤ 6, weighted with e^{−x²}; error of
/// erf 2^−57.
const ERFC: [f64; 12] = [
    0.206_061_517_266_907_83,
    2.204_995_004_898_654_6,
    10.207_092_839_776_918,
    37.592_640_754_941_13,
    105.716_825_837_064_26,
    204.406_501_314_535_97,
    176.301_517_220_599,
    -304.413_510_301_746_04,
    -1_020.746_878_159_032_2,
    -10.748_148_773_111_824,
    5_435.090_246_898_268,
    -5_515.699_405_633_823,
];
const ERFC_CENTRE: f64 = 0.179_687_5;

/// Some f64 side by side, on which every operation acts one by one: a number, or several vectors of lanes.
///
/// A function here is a chain of thirty operations, each of which waits for the one before. Applied to four vectors at once, operation
/// by operation, it keeps the processor busy where the chains of one vector after the other do not.
pub(super) trait Numbers:
    Copy
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// All of them x.
    fn constant(x: f64) -> Self;
    /// x·a + b, rounded once.
    fn mul_add(self, a: Self, b: Self) -> Self;
    /// f of each.
    fn map(self, f: impl Fn(f64) -> f64) -> Self;
    /// f of each with its counterpart.
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self;
    /// For each, the entry of a table with the number in the lowest three of its bits.
    fn pick(self, lookup: impl Lookup, table: &Eight) -> Self;
}

impl Numbers for f64 {
    #[inline(always)]
    fn constant(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        self.mul_add(a, b)
    }

    #[inline(always)]
    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        f(self)
    }

    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        f(self, other)
    }

    #[inline(always)]
    fn pick(self, _: impl Lookup, table: &Eight) -> Self {
        table.entry(self.to_bits())
    }
}

/// |x|.
#[inline(always)]
fn abs<X: Numbers>(x: X) -> X {
    x.map(f64::abs)
}

/// x, or `bound` where x is greater; NaN remains.
#[inline(always)]
fn at_most<X: Numbers>(x: X, bound: f64) -> X {
    x.map(|x| if x > bound { bound } else { x })
}

/// x, or `bound` where x is less; NaN remains.
#[inline(always)]
fn at_least<X: Numbers>(x: X, bound: f64) -> X {
    x.map(|x| if x < bound { bound } else { x })
}

/// |x| with the sign of `sign`.
#[inline(always)]
fn copysign<X: Numbers>(x: X, sign: X) -> X {
    x.zip(sign, f64::copysign)
}

/// `yes` where `condition` holds for x, otherwise `no`, both of them computed: as an `if` the compiler may make it a branch
/// again.
#[inline(always)]
fn select<X: Numbers>(x: X, condition: impl Fn(f64) -> bool, yes: X, no: X) -> X {
    let keep = |x: f64, when: bool| {
        let mask = u64::from(when).wrapping_neg();
        f64::from_bits(x.to_bits() & mask)
    };
    let yes = yes.zip(x, |yes, x| keep(yes, condition(x)));
    let no = no.zip(x, |no, x| keep(no, !condition(x)));
    yes.zip(no, |yes, no| f64::from_bits(yes.to_bits() | no.to_bits()))
}

/// c₀ + c₁x. A function and not a closure, as are the others: only a function can be forced inline.
#[inline(always)]
fn two<X: Numbers>(c: &[f64], x: X) -> X {
    x.mul_add(X::constant(c[1]), X::constant(c[0]))
}

/// c₀ + c₁x + c₂x² + c₃x³ with z = x².
#[inline(always)]
fn four<X: Numbers>(c: &[f64], x: X, z: X) -> X {
    z.mul_add(two(&c[2..], x), two(c, x))
}

/// Σ cᵢxⁱ for twelve coefficients.
#[inline(always)]
fn polynomial<X: Numbers>(c: &[f64; 12], x: X) -> X {
    let z = x * x;
    let w = z * z;
    w.mul_add(
        w.mul_add(four(&c[8..], x, z), four(&c[4..], x, z)),
        four(c, x, z),
    )
}

/// 1.5 · 2⁵²: adding it rounds to an integer, left in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// (p, `ROUND` + k) with eˣ = 2ᵏ(1 + p) and |p| < 0.42, for |x| ≤ 750; p keeps its relative accuracy as x → 0.
#[inline(always)]
fn reduced_exp<X: Numbers>(x: X) -> (X, X) {
    let rounded = x.mul_add(X::constant(LOG2_E), X::constant(ROUND));
    let k = rounded - X::constant(ROUND);
    // x − k·LN2_HIGH is exact.
    let high = k.mul_add(X::constant(-LN2_HIGH), x);
    let low = k * X::constant(LN2_LOW);
    let r = high - low;
    let z = r * r;
    let w = z * z;
    let rest = w.mul_add(
        w.mul_add(two(&EXP[8..], r), four(&EXP[4..], r, z)),
        four(&EXP, r, z),
    );
    let p = high - (-z).mul_add(r.mul_add(rest, X::constant(0.5)), low);
    (p, rounded)
}

/// 2ᵏ for −1023 < k < 1024, given `ROUND` + k.
#[inline(always)]
fn power_of_two<X: Numbers>(rounded: X) -> X {
    rounded.map(|k| f64::from_bits(k.to_bits().wrapping_sub(ROUND.to_bits() - 1023) << 52))
}

/// eˣ, within 1 ulp.
#[inline(always)]
pub(super) fn exp<X: Numbers>(x: X) -> X {
    // Beyond the two ends the result is ∞ and 0 anyhow.
    let (p, rounded) = reduced_exp(at_least(at_most(x, 710.0), -746.0));
    // 2ᵏ in two factors, so that only the last product can overflow, or round to a subnormal.
    let twice_biased = |k: f64| k.to_bits().wrapping_sub(ROUND.to_bits() - 2046);
    let first = rounded.map(|k| f64::from_bits(twice_biased(k) >> 1 << 52));
    let second = rounded.map(|k| {
        let exponent = twice_biased(k);
        f64::from_bits(exponent.wrapping_sub(exponent >> 1) << 52)
    });
    (X::constant(1.0) + p) * first * second
}

/// tanh x, within 3 ulp, odd to the bit.
///
/// e^{2|x|} = s e^{2r}, s = 2^{k/8} up to a rounding that makes it a short number, and |r| ≤ 0.0217 as its logarithm tells; then
/// tanh |x| = (s − 1 + (s + 1) tanh r)/(s + 1 + (s − 1) tanh r), in which s ± 1 are exact where they matter.
#[inline(always)]
pub(super) fn tanh<X: Numbers>(lookup: impl Lookup, x: X) -> X {
    let one = X::constant(1.0);
    // tanh 19.1 rounds to 1.
    let size = at_most(abs(x), 19.1);
    let rounded = size.mul_add(X::constant(STEPS_PER_UNIT), X::constant(ROUND));
    let k = rounded - X::constant(ROUND);
    let r = k.mul_add(X::constant(-STEP), size) - rounded.pick(lookup, &OFFSETS);
    let s = rounded.pick(lookup, &POWERS).zip(rounded, |power, k| {
        f64::from_bits(power.to_bits().wrapping_add(k.to_bits() << 49))
    });
    let z = r * r;
    let series = X::constant(TANH[2])
        .mul_add(z, X::constant(TANH[1]))
        .mul_add(z, X::constant(TANH[0]));
    let t = (r * z).mul_add(series, r);
    let (less, more) = (s - one, s + one);
    copysign(more.mul_add(t, less) / less.mul_add(t, more), x)
}

/// 1/(1 + e⁻ˣ), within 2 ulp.
#[inline(always)]
pub(super) fn sigmoid<X: Numbers>(x: X) -> X {
    let one = X::constant(1.0);
    let e = exp(-abs(x));
    select(x, |x| x < 0.0, e, one) / (one + e)
}

/// ln(1 + eˣ) = max(x, 0) + ln(1 + e^{−|x|}), within 2 ulp.
#[inline(always)]
pub(super) fn softplus<X: Numbers>(x: X) -> X {
    let e = exp(-abs(x));
    // 1 + e or (1 + e)/2, whichever is nearer to 1, is 1 + f.
    let far = |e: f64| e > 0.414;
    let f = select(e, far, X::constant(0.5) * (e - X::constant(1.0)), e);
    let s = f / (X::constant(2.0) + f);
    let z = s * s;
    let w = z * z;
    let even = w.mul_add(
        w.mul_add(two(&[LOG[4], LOG[6]], w), X::constant(LOG[2])),
        X::constant(LOG[0]),
    );
    let odd = w.mul_add(two(&[LOG[3], LOG[5]], w), X::constant(LOG[1]));
    // 2 atanh s = f − s(f − 2(atanh s − s)/s), in which the error of s hardly counts.
    let logarithm = (-s).mul_add((-z).mul_add(z.mul_add(odd, even), f), f);
    let positive = x.map(|x| if x > 0.0 { x } else { 0.0 });
    positive + (logarithm + select(e, far, X::constant(LN_2), X::constant(0.0)))
}

/// erf x, within 2 ulp: x + x·P(x²) below 1, 1 − e^{−x²}Q(1/(x + 3)) above.
#[inline(always)]
pub(super) fn erf<X: Numbers>(x: X) -> X {
    // erf 6 rounds to 1.
    let size = at_most(abs(x), 6.0);
    let square = size * size;
    let near = size.mul_add(polynomial(&ERF, square), size);
    let (p, rounded) = reduced_exp(-square);
    let decay = (X::constant(1.0) + p) * power_of_two(rounded);
    let centred = X::constant(1.0) / (size + X::constant(3.0)) - X::constant(ERFC_CENTRE);
    let far = (-decay).mul_add(polynomial(&ERFC, centred), X::constant(1.0));
    copysign(select(size, |x| x < 1.0, near, far), x)
}

/// 1 for x > 0, otherwise 0.
#[inline(always)]
pub(super) fn step<X: Numbers>(x: X) -> X {
    x.map(|x| if x > 0.0 { 1.0 } else { 0.0 })
}

#[cfg(test)]
mod tests {
    use super::super::Loads;
    use super::*;

    /// A number of twice the precision, high + low.
    #[derive(Clone, Copy)]
    struct Double(f64, f64);

    fn sum(a: f64, b: f64) -> Double {
        let s = a + b;
        let t = s - a;
        Double(s, (a - (s - t)) + (b - t))
    }

    impl Double {
        fn plus(self, other: Self) -> Self {
            let Self(high, low) = sum(self.0, other.0);
            sum(high, low + self.1 + other.1)
        }

        fn times(self, other: Self) -> Self {
            let high = self.0 * other.0;
            let low = self.0.mul_add(other.0, -high);
            sum(high, low + (self.0 * other.1 + self.1 * other.0))
        }

        fn over(self, other: Self) -> Self {
            let first = self.0 / other.0;
            let rest = self.plus(other.times(Self(-first, 0.0)));
            sum(first, rest.0 / other.0)
        }

        fn scaled(self, factor: f64) -> Self {
            Self(self.0 * factor, self.1 * factor)
        }
    }

    const LN2: Double = Double(LN_2, 2.319_046_813_846_299_6e-17);

    /// e^{x} − 1 for |x| ≤ 0.35 by its series on x/16, then four times (1 + p)² − 1 = p(p + 2).
    fn exp_minus_one(x: Double) -> Double {
        let x = x.scaled(1.0 / 16.0);
        let mut p = Double(0.0, 0.0);
        for n in (1..=14).rev() {
            p = p
                .plus(Double(1.0, 0.0))
                .times(x)
                .over(Double(f64::from(n), 0.0));
        }
        for _ in 0..4 {
            p = p.times(p.plus(Double(2.0, 0.0)));
        }
        p
    }

    /// (eˣ − 1 at the reduced x, k).
    fn reduced(x: Double) -> (Double, i32) {
        let k = (x.0 / LN_2).round();
        (exp_minus_one(x.plus(LN2.times(Double(-k, 0.0)))), k as i32)
    }

    /// eˣ·2^{−k} and k.
    fn exp_parts(x: Double) -> (Double, i32) {
        let (p, k) = reduced(x);
        (p.plus(Double(1.0, 0.0)), k)
    }

    fn power_of_two(k: i32) -> f64 {
        2f64.powi(k)
    }

    /// e^{−|x|}, correct to twice the precision unless it is subnormal.
    fn decay(x: f64) -> Double {
        let (m, k) = exp_parts(Double(-x.abs(), 0.0));
        m.scaled(power_of_two(k))
    }

    fn exp_reference(x: f64) -> f64 {
        let (m, k) = exp_parts(Double(x, 0.0));
        m.0 * power_of_two(k / 2) * power_of_two(k - k / 2)
    }

    fn tanh_reference(x: f64) -> f64 {
        let (p, k) = reduced(Double(-2.0 * x.abs(), 0.0));
        let scale = power_of_two(k);
        let e = p.scaled(scale).plus(sum(scale, -1.0));
        e.over(e.plus(Double(2.0, 0.0))).0.abs().copysign(x)
    }

    fn sigmoid_reference(x: f64) -> f64 {
        let e = decay(x);
        let top = if x < 0.0 { e } else { Double(1.0, 0.0) };
        top.over(e.plus(Double(1.0, 0.0))).0
    }

    /// ln(1 + e) by one Newton step y ← y + (1 + e)/e^y − 1 from libm's value.
    fn softplus_reference(x: f64) -> f64 {
        let e = decay(x);
        let y = libm::log1p(e.0);
        // (e − (e^y − 1))/e^y, the difference of the two small numbers to twice the precision.
        let (p, k) = reduced(Double(y, 0.0));
        let scale = power_of_two(k);
        let expm1 = p.scaled(scale).plus(sum(scale, -1.0));
        let rest = e.plus(expm1.scaled(-1.0));
        let correction = rest.over(expm1.plus(Double(1.0, 0.0)));
        let logarithm = Double(y, 0.0).plus(correction);
        logarithm.plus(Double(x.max(0.0), 0.0)).0
    }

    /// 2/√π e^{−x²} Σ 2ⁿx^{2n+1}/(2n+1)!!, in which nothing cancels.
    fn erf_reference(x: f64) -> f64 {
        const FACTOR: Double = Double(std::f64::consts::FRAC_2_SQRT_PI, 1.533_545_961_316_588e-17);
        let size = Double(x.abs().min(6.5), 0.0);
        let square = size.times(size);
        let (mut term, mut total, mut n) = (size, size, 0.0);
        while term.0 > 1e-34 * total.0 {
            n += 1.0;
            term = term
                .times(square)
                .scaled(2.0)
                .over(Double(2.0 * n + 1.0, 0.0));
            total = total.plus(term);
        }
        let (m, k) = exp_parts(square.scaled(-1.0));
        let value = FACTOR.times(total).times(m.scaled(power_of_two(k)));
        value.0.copysign(x)
    }

    /// Distance in units in the last place.
    fn distance(a: f64, b: f64) -> u64 {
        if a == b {
            0
        } else {
            a.to_bits().abs_diff(b.to_bits())
        }
    }

    /// The largest distance over `count` points of [−end, end], half of them equally spaced, half in equal ratios down
    /// to 10^−300.
    fn largest(function: fn(f64) -> f64, reference: fn(f64) -> f64, end: f64, count: i32) -> u64 {
        let count = if cfg!(debug_assertions) {
            count / 100
        } else {
            count
        };
        let quarter = count / 4;
        (0..quarter)
            .flat_map(|i| {
                let share = (f64::from(i) + 0.5) / f64::from(quarter);
                [end * share, end * libm::exp(-690.0 * share * share)]
            })
            .flat_map(|x| [x, -x])
            .map(|x| distance(function(x), reference(x)))
            .max()
            .unwrap_or(0)
    }

    const POINTS: i32 = 1_000_000;

    #[test]
    fn the_exponential_is_within_one_ulp() {
        let worst = largest(exp, exp_reference, 708.0, POINTS);
        assert!(worst <= 1, "{worst}");
    }

    fn tanh(x: f64) -> f64 {
        super::tanh(Loads, x)
    }

    #[test]
    fn the_hyperbolic_tangent_is_within_three_ulp_and_odd() {
        for end in [25.0, 1.0, 0.05] {
            let worst = largest(tanh, tanh_reference, end, POINTS);
            assert!(worst <= 3, "{worst}");
        }
        for i in 0..10_000 {
            let x = f64::from(i) * 0.002;
            assert_eq!(tanh(-x).to_bits(), (-tanh(x)).to_bits());
        }
    }

    #[test]
    fn the_tables_of_the_hyperbolic_tangent_are_those_of_their_formulas() {
        for j in 0..8 {
            let t = (2f64.powf(j as f64 / 8.0) * 4096.0).round() / 4096.0;
            assert_eq!(POWERS.entry(j).to_bits() + (j << 49), t.to_bits());
            let offset = 0.5 * t.ln() - j as f64 * STEP;
            assert!((OFFSETS.entry(j) - offset).abs() < 1e-16);
        }
    }

    #[test]
    fn the_sigmoid_is_within_two_ulp() {
        let worst = largest(sigmoid, sigmoid_reference, 40.0, POINTS);
        assert!(worst <= 2, "{worst}");
        assert!(largest(sigmoid, sigmoid_reference, 700.0, POINTS) <= 2);
    }

    #[test]
    fn softplus_is_within_two_ulp() {
        let worst = largest(softplus, softplus_reference, 40.0, POINTS);
        assert!(worst <= 2, "{worst}");
        assert!(largest(softplus, softplus_reference, 650.0, POINTS) <= 2);
    }

    #[test]
    fn the_error_function_is_within_two_ulp() {
        let worst = largest(erf, erf_reference, 6.5, POINTS);
        assert!(worst <= 2, "{worst}");
    }

    #[test]
    fn limits_and_not_a_number_are_kept() {
        let (inf, nan) = (f64::INFINITY, f64::NAN);
        let huge = f64::MAX;
        for (function, below, at_zero, above) in [
            (exp as fn(f64) -> f64, 0.0, 1.0, inf),
            (tanh, -1.0, 0.0, 1.0),
            (sigmoid, 0.0, 0.5, 1.0),
            (erf, -1.0, 0.0, 1.0),
            (step, 0.0, 0.0, 1.0),
        ] {
            assert_eq!(function(-inf), below);
            assert_eq!(function(-huge), below);
            assert_eq!(function(0.0), at_zero);
            assert_eq!(function(huge), above);
            assert_eq!(function(inf), above);
        }
        assert_eq!((softplus(-inf), softplus(0.0)), (0.0, LN_2));
        assert_eq!((softplus(huge), softplus(inf)), (huge, inf));
        for function in [exp, tanh, sigmoid, softplus, erf] {
            assert!(function(nan).is_nan());
        }
        assert!(tanh(-0.0).is_sign_negative() && erf(-0.0).is_sign_negative());
        assert_eq!((tanh(5e-324), erf(-5e-324)), (5e-324, -5e-324));
    }

    #[test]
    fn the_exponential_overflows_and_underflows_where_it_must() {
        assert_eq!(exp(709.782_712_893_384), libm::exp(709.782_712_893_384));
        assert_eq!(exp(709.782_712_893_385), f64::INFINITY);
        assert_eq!(exp(-745.2), 0.0);
        for i in 0..4_000 {
            let x = -708.0 - 0.01 * f64::from(i);
            assert!(distance(exp(x), libm::exp(x)) <= 1, "{x}");
        }
    }
}
