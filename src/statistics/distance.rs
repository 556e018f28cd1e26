//! Distances between one-dimensional laws: Wasserstein-1 and Kolmogorov–Smirnov.

use serde::{Deserialize, Serialize};

use super::summary::sorted;
use super::{StatisticsError, checks, tails};

/// A Kolmogorov–Smirnov statistic and its p-value.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct KolmogorovSmirnov {
    /// D, the largest difference between the two distribution functions.
    pub statistic: f64,
    /// P(D or larger) under equal laws, by Stephens' correction of the limit law.
    pub p_value: f64,
}

/// The Wasserstein-1 distance ∫ |Fₙ(x) − Gₘ(x)| dx of two samples of any sizes.
///
/// It is the least mean distance at which one can be moved onto the other (Vallender 1974), in the
/// units of the values. O((n + m)·log(n + m)).
///
/// # Errors
///
/// An empty sample; a value that is not finite.
pub fn wasserstein_1(a: &[f64], b: &[f64]) -> Result<f64, StatisticsError> {
    let pooled = Pooled::new(a, b, 1)?;
    Ok(pooled.shape(pooled.steps(), pooled.unit()).area)
}

/// Two-sample Kolmogorov–Smirnov test, D = supₓ |Fₙ(x) − Gₘ(x)|, ties included.
///
/// The p-value is Q((√e + 0.12 + 0.11/√e)·D) with e = nm/(n + m), Q(λ) = 2·Σₖ (−1)ᵏ⁻¹·exp(−2k²λ²)
/// the limit law (Stephens 1970); against the exact law of one sample it errs by at most 0.0014
/// where p < 0.1 and by 0.02 anywhere, from n = 5 on. With ties it is too large, so the test errs on the safe side.
/// Equal samples have D = 0 and p = 1.
///
/// # Errors
///
/// An empty sample; a value that is not finite.
pub fn kolmogorov_smirnov(a: &[f64], b: &[f64]) -> Result<KolmogorovSmirnov, StatisticsError> {
    let pooled = Pooled::new(a, b, 1)?;
    let (n, m) = (a.len() as f64, b.len() as f64);
    let height = pooled.shape(pooled.steps(), pooled.unit()).height;
    Ok(with_p_value(height, n * m / (n + m)))
}

/// One-sample Kolmogorov–Smirnov test, D = supₓ |Fₙ(x) − F(x)|, of a sample against the continuous
/// distribution function `cdf`.
///
/// The p-value is as in [`kolmogorov_smirnov`], with e = n. It holds for a law fixed beforehand, not
/// for one whose parameters were fitted to the same sample.
///
/// # Errors
///
/// An empty sample; a value that is not finite; a value of `cdf` outside [0, 1].
pub fn kolmogorov_smirnov_cdf(
    a: &[f64],
    cdf: impl Fn(f64) -> f64,
) -> Result<KolmogorovSmirnov, StatisticsError> {
    checks::finite("values of the sample", a, 1)?;
    let n = a.len() as f64;
    let mut statistic = 0.0_f64;
    for (index, at) in sorted(a).into_iter().enumerate() {
        let value = cdf(at);
        if !(0.0..=1.0).contains(&value) {
            return Err(StatisticsError::InvalidCdf { at, value });
        }
        let (before, after) = (index as f64 / n, (index + 1) as f64 / n);
        statistic = statistic.max(value - before).max(after - value);
    }
    Ok(with_p_value(statistic, n))
}

fn with_p_value(statistic: f64, effective_count: f64) -> KolmogorovSmirnov {
    let root = effective_count.sqrt();
    let p_value = tails::kolmogorov_tail((root + 0.12 + 0.11 / root) * statistic);
    KolmogorovSmirnov { statistic, p_value }
}

/// Two samples sorted together, on which any step function with jumps at their values is measured.
///
/// Jumps are whole multiples of 1/(nm), so that sums of them are exact and equal samples have a
/// distance of exactly 0.
pub(super) struct Pooled {
    /// All values in increasing order.
    pub(super) values: Vec<f64>,
    /// For each value, whether it is from the first sample.
    pub(super) from_first: Vec<bool>,
    sizes: (usize, usize),
}

/// Three sizes of a step function H that is 0 at both ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shape {
    /// ∫ |H(x)| dx.
    pub(super) area: f64,
    /// supₓ |H(x)|.
    pub(super) height: f64,
    /// ∫ H(x)² dx.
    pub(super) square: f64,
}

impl Pooled {
    /// Pools two samples of at least `needed` values each.
    pub(super) fn new(a: &[f64], b: &[f64], needed: usize) -> Result<Pooled, StatisticsError> {
        checks::finite("values of the first sample", a, needed)?;
        checks::finite("values of the second sample", b, needed)?;
        let first = a.iter().map(|value| (*value, true));
        let mut labelled: Vec<(f64, bool)> =
            first.chain(b.iter().map(|value| (*value, false))).collect();
        labelled.sort_unstable_by(|x, y| x.0.total_cmp(&y.0));
        let (values, from_first) = labelled.into_iter().unzip();
        Ok(Pooled {
            values,
            from_first,
            sizes: (a.len(), b.len()),
        })
    }

    /// nm.
    pub(super) fn unit(&self) -> f64 {
        self.sizes.0 as f64 * self.sizes.1 as f64
    }

    /// The jumps of Fₙ − Gₘ, in units of 1/(nm).
    pub(super) fn steps(&self) -> impl Iterator<Item = i64> {
        let (up, down) = (self.sizes.1 as i64, -(self.sizes.0 as i64));
        self.from_first
            .iter()
            .map(move |first| if *first { up } else { down })
    }

    /// The step function with the jumps given, one at each pooled value, in units of 1/`unit`.
    pub(super) fn shape(&self, steps: impl IntoIterator<Item = i64>, unit: f64) -> Shape {
        let (mut area, mut height, mut square) = (0.0, 0, 0.0);
        let mut sum: i64 = 0;
        for (neighbours, step) in self.values.windows(2).zip(steps) {
            sum += step;
            let width = neighbours[1] - neighbours[0];
            // Between equal values H is nowhere.
            if width > 0.0 {
                let size = sum.unsigned_abs() as f64;
                area += size * width;
                square += size * size * width;
                height = height.max(sum.unsigned_abs());
            }
        }
        Shape {
            area: area / unit,
            height: height as f64 / unit,
            square: square / (unit * unit),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::tails::upper_tail;
    use crate::statistics::testing::{
        assert_close, cases, normal, number, numbers, rarely_more_than,
    };

    fn normal_cdf(x: f64) -> f64 {
        upper_tail(-x, None)
    }

    #[test]
    fn two_sample_distances_agree_with_scipy() {
        for case in cases("two_samples") {
            let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
            assert_close(
                wasserstein_1(&a, &b).unwrap(),
                number(&case["wasserstein_1"]),
                1e-12,
            );
            let test = kolmogorov_smirnov(&a, &b).unwrap();
            assert_close(test.statistic, number(&case["statistic"]), 1e-12);
            assert_close(test.p_value, number(&case["p_stephens"]), 1e-10);
            if a.len() > 10 {
                assert!((test.p_value - number(&case["p_exact"])).abs() < 0.03);
            }
        }
    }

    #[test]
    fn one_sample_tests_agree_with_scipy() {
        for case in cases("one_sample_ks") {
            let test = kolmogorov_smirnov_cdf(&numbers(&case["values"]), normal_cdf).unwrap();
            // The normal distribution function of statrs has 10 digits.
            assert_close(test.statistic, number(&case["statistic"]), 1e-9);
            assert_close(test.p_value, number(&case["p_stephens"]), 1e-7);
            assert!((test.p_value - number(&case["p_exact"])).abs() < 0.02);
        }
    }

    /// The uniformity test fails by chance with probability 10⁻⁶.
    #[test]
    fn p_values_are_uniform_under_the_null_and_small_under_a_planted_shift() {
        let trials = 1500;
        let (mut one_sample, mut small, mut missed) = (Vec::new(), 0, 0);
        for trial in 0..trials {
            let mut rng = stream(12, trial);
            let a = normal(&mut rng, 97, 0.0, 1.0);
            let b = normal(&mut rng, 101, 0.0, 1.0);
            let shifted = normal(&mut rng, 101, 0.8, 1.0);
            one_sample.push(kolmogorov_smirnov_cdf(&a, normal_cdf).unwrap().p_value);
            small += u64::from(kolmogorov_smirnov(&a, &b).unwrap().p_value <= 0.05);
            missed += u64::from(kolmogorov_smirnov(&a, &shifted).unwrap().p_value > 0.05);
        }
        assert!(kolmogorov_smirnov_cdf(&one_sample, |p| p).unwrap().p_value > 1e-6);
        assert!(
            small <= rarely_more_than(trials as u64, 0.05),
            "{small} false alarms"
        );
        assert!(
            small >= trials as u64 / 50,
            "{small} alarms: the test has lost its size"
        );
        assert!(missed <= trials as u64 / 20, "{missed} shifts missed");
    }

    #[test]
    fn identical_samples_are_at_distance_exactly_zero_with_p_one() {
        let tied = [0.1, 0.1, 0.7, -3.0, 0.7, 0.2];
        let twice: Vec<f64> = tied.iter().chain(&tied).copied().collect();
        for other in [&tied[..], &twice[..]] {
            assert_eq!(wasserstein_1(&tied, other).unwrap(), 0.0);
            let test = kolmogorov_smirnov(&tied, other).unwrap();
            assert_eq!((test.statistic, test.p_value), (0.0, 1.0));
        }
        assert_eq!(
            kolmogorov_smirnov(&[0.0, -0.0], &[0.0]).unwrap().statistic,
            0.0
        );
    }

    #[test]
    fn disjoint_and_constant_samples_have_the_obvious_distances() {
        assert_eq!(wasserstein_1(&[1.0; 3], &[3.5; 7]).unwrap(), 2.5);
        assert_eq!(
            kolmogorov_smirnov(&[1.0; 3], &[3.5; 7]).unwrap().statistic,
            1.0
        );
        assert_eq!(
            kolmogorov_smirnov(&[1.0], &[1.0, 2.0]).unwrap().statistic,
            0.5
        );
        assert_eq!(
            kolmogorov_smirnov_cdf(&[0.5], |x| x).unwrap().statistic,
            0.5
        );
    }

    #[test]
    fn illegal_inputs_are_errors() {
        assert!(wasserstein_1(&[], &[1.0]).is_err());
        assert!(wasserstein_1(&[1.0], &[f64::NAN]).is_err());
        assert!(kolmogorov_smirnov(&[1.0], &[]).is_err());
        assert!(kolmogorov_smirnov_cdf(&[], |x| x).is_err());
        let error = kolmogorov_smirnov_cdf(&[2.0], |x| x).unwrap_err();
        assert_eq!(
            error,
            StatisticsError::InvalidCdf {
                at: 2.0,
                value: 2.0
            }
        );
        assert!(kolmogorov_smirnov_cdf(&[2.0], |_| f64::NAN).is_err());
    }

    fn sample() -> impl Strategy<Value = Vec<f64>> {
        // Halves are tied often; the rest rarely.
        let value = prop_oneof![
            (-8..8_i32).prop_map(|half| f64::from(half) / 2.0),
            -5.0..5.0_f64
        ];
        prop::collection::vec(value, 1..40)
    }

    proptest! {
        #[test]
        fn distances_are_symmetric(a in sample(), b in sample()) {
            prop_assert_eq!(wasserstein_1(&a, &b).unwrap(), wasserstein_1(&b, &a).unwrap());
            prop_assert_eq!(kolmogorov_smirnov(&a, &b), kolmogorov_smirnov(&b, &a));
        }

        #[test]
        fn distances_obey_the_triangle_inequality(a in sample(), b in sample(), c in sample()) {
            let w = |x: &[f64], y: &[f64]| wasserstein_1(x, y).unwrap();
            prop_assert!(w(&a, &c) <= w(&a, &b) + w(&b, &c) + 1e-12);
            let d = |x: &[f64], y: &[f64]| kolmogorov_smirnov(x, y).unwrap().statistic;
            prop_assert!(d(&a, &c) <= d(&a, &b) + d(&b, &c) + 1e-12);
        }

        #[test]
        fn wasserstein_1_ignores_a_common_shift_and_measures_a_relative_one(
            a in sample(),
            b in sample(),
            shift in -20.0..20.0_f64,
        ) {
            let moved = |x: &[f64]| -> Vec<f64> { x.iter().map(|x| x + shift).collect() };
            let common = wasserstein_1(&moved(&a), &moved(&b)).unwrap();
            prop_assert!((common - wasserstein_1(&a, &b).unwrap()).abs() < 1e-12);
            let relative = wasserstein_1(&a, &moved(&a)).unwrap();
            prop_assert!((relative - shift.abs()).abs() < 1e-12);
        }

        #[test]
        fn wasserstein_1_of_equal_sizes_pairs_the_sorted_values(
            pairs in prop::collection::vec((-5.0..5.0_f64, -5.0..5.0_f64), 1..40),
        ) {
            let (a, b): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
            let gaps = sorted(&a).into_iter().zip(sorted(&b)).map(|(a, b)| (a - b).abs());
            let paired = gaps.sum::<f64>() / a.len() as f64;
            prop_assert!((wasserstein_1(&a, &b).unwrap() - paired).abs() < 1e-12);
        }

        #[test]
        fn the_kolmogorov_smirnov_statistic_agrees_with_counting(a in sample(), b in sample()) {
            let share = |x: &[f64], at: f64| {
                x.iter().filter(|value| **value <= at).count() as f64 / x.len() as f64
            };
            let gaps = a.iter().chain(&b).map(|at| (share(&a, *at) - share(&b, *at)).abs());
            let naive = gaps.fold(0.0, f64::max);
            prop_assert!((kolmogorov_smirnov(&a, &b).unwrap().statistic - naive).abs() < 1e-12);
        }
    }
}
