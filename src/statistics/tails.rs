//! Tail probabilities and quantiles of the laws that tests refer to.

use std::f64::consts::PI;

use statrs::distribution::{ChiSquared, ContinuousCDF, Normal, StudentsT};

/// From this many degrees of freedom on, Student's t quantiles are expanded about the normal ones,
/// as those of statrs lose digits (at 10⁶ degrees of freedom, only 5 are left) ...
const EXPANSION_FROM: f64 = 1e3;
/// ... and from this many on, its tail probabilities are the normal ones up to 10⁻⁷.
const NORMAL_FROM: f64 = 1e7;

/// P(T > t): T is Student's t with the degrees of freedom given (positive), normal when `None`.
pub(super) fn upper_tail(t: f64, degrees_of_freedom: Option<f64>) -> f64 {
    match student(degrees_of_freedom, NORMAL_FROM) {
        Some(law) => law.sf(t),
        None => Normal::standard().sf(t),
    }
}

/// The t with P(T > t) = `probability`; T is Student's t with the degrees of freedom given (positive), normal when `None`.
pub fn upper_quantile(probability: f64, degrees_of_freedom: Option<f64>) -> f64 {
    // By symmetry; the lower tail keeps its digits where 1 − `probability` would round.
    if let Some(law) = student(degrees_of_freedom, EXPANSION_FROM) {
        return -law.inverse_cdf(probability);
    }
    let z = -Normal::standard().inverse_cdf(probability);
    let per_degree = degrees_of_freedom.map_or(0.0, |degrees| 1.0 / degrees);
    // Abramowitz & Stegun (1964), 26.7.5, to third order.
    let first = (z.powi(3) + z) / 4.0;
    let second = (5.0 * z.powi(5) + 16.0 * z.powi(3) + 3.0 * z) / 96.0;
    let third = (3.0 * z.powi(7) + 19.0 * z.powi(5) + 17.0 * z.powi(3) - 15.0 * z) / 384.0;
    z + per_degree * (first + per_degree * (second + per_degree * third))
}

/// Student's t, unless it is to be replaced by the normal law or an expansion about it.
fn student(degrees_of_freedom: Option<f64>, replaced_from: f64) -> Option<StudentsT> {
    let degrees_of_freedom = degrees_of_freedom.filter(|degrees| *degrees < replaced_from)?;
    StudentsT::new(0.0, 1.0, degrees_of_freedom).ok()
}

/// P(χ² ≥ `value`) at the degrees of freedom given; `None` when there are none to test with.
pub(super) fn chi_squared_tail(value: f64, degrees_of_freedom: usize) -> Option<f64> {
    ChiSquared::new(degrees_of_freedom as f64)
        .ok()
        .map(|law| law.sf(value))
}

/// The limit law of the Kolmogorov–Smirnov statistic, Q(λ) = 2·Σₖ₌₁ (−1)ᵏ⁻¹·exp(−2k²λ²).
///
/// For small λ the series is summed in its dual form, 1 − √(2π)/λ·Σₖ exp(−(2k−1)²π²/(8λ²)), which
/// converges there (Kolmogorov 1933; Marsaglia, Tsang & Wang 2003). Both have a fixed number of
/// terms, so there is no loop that might not end at λ = 0.
pub(super) fn kolmogorov_tail(lambda: f64) -> f64 {
    if lambda < 0.04 {
        return 1.0; // to double precision, and exactly at 0
    }
    let terms = (1..=8).map(f64::from);
    let tail = if lambda < 1.18 {
        let dual = |k: f64| (-((2.0 * k - 1.0) * PI / lambda).powi(2) / 8.0).exp();
        1.0 - (2.0 * PI).sqrt() / lambda * terms.map(dual).sum::<f64>()
    } else {
        let sign = |k: f64| if k % 2.0 == 1.0 { 2.0 } else { -2.0 };
        terms
            .map(|k| sign(k) * (-2.0 * (k * lambda).powi(2)).exp())
            .sum()
    };
    tail.clamp(0.0, 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::testing::{assert_close, numbers, reference};

    #[test]
    fn quantiles_agree_with_scipy() {
        for row in reference()["normal_quantiles"].as_array().unwrap() {
            let row = numbers(row);
            assert_close(upper_quantile(row[0], None), row[1], 1e-10);
        }
        for row in reference()["student_quantiles"].as_array().unwrap() {
            let row = numbers(row);
            assert_close(upper_quantile(row[0], Some(row[1])), row[2], 1e-8);
        }
    }

    #[test]
    fn tails_agree_with_scipy() {
        for row in reference()["student_tails"].as_array().unwrap() {
            let row = numbers(row);
            assert_close(upper_tail(row[0], Some(row[1])), row[2], 1e-8);
        }
        for row in reference()["chi_squared_tails"].as_array().unwrap() {
            let row = numbers(row);
            assert_close(
                chi_squared_tail(row[0], row[1] as usize).unwrap(),
                row[2],
                1e-10,
            );
        }
        for row in reference()["kolmogorov"].as_array().unwrap() {
            let row = numbers(row);
            assert_close(kolmogorov_tail(row[0]), row[1], 1e-12);
        }
    }

    #[test]
    fn ends_are_defined() {
        assert_eq!(kolmogorov_tail(0.0), 1.0);
        assert_eq!(kolmogorov_tail(1e-300), 1.0);
        assert_eq!(kolmogorov_tail(1e3), 0.0);
        assert_eq!(chi_squared_tail(3.0, 0), None);
        assert_eq!(chi_squared_tail(0.0, 2), Some(1.0));
        assert_eq!(chi_squared_tail(1e12, 2), Some(0.0));
        assert_eq!(upper_tail(f64::INFINITY, Some(3.0)), 0.0);
        assert_eq!(upper_tail(f64::NEG_INFINITY, None), 1.0);
        assert_eq!(
            upper_quantile(0.05, Some(f64::INFINITY)),
            upper_quantile(0.05, None)
        );
    }
}
