//! Many tests at once: Holm's step-down procedure, which keeps the probability of any false rejection below one rate.

use super::{StatisticsError, checks};

/// Holm's adjusted p-values: hypothesis i is rejected at family-wise rate r iff its adjusted p-value is at most r.
///
/// With p₍₁₎ ≤ … ≤ p₍ₘ₎ the adjusted p₍ᵢ₎ is min(1, max over j ≤ i of (m − j + 1)·p₍ⱼ₎). The probability of rejecting
/// any true hypothesis is at most r, whatever the dependence of the tests; it is never less powerful than Bonferroni's
/// m·pᵢ. Given in the order of the input; none for none.
///
/// # Errors
///
/// A p-value that is not in [0, 1].
///
/// # Source
///
/// Holm (1979), Scand. J. Statist. 6, 65–70.
pub fn holm(p_values: &[f64]) -> Result<Vec<f64>, StatisticsError> {
    for &p in p_values {
        checks::within((0.0..=1.0).contains(&p), "p-value", p, "between 0 and 1")?;
    }
    let count = p_values.len();
    let mut order: Vec<usize> = (0..count).collect();
    order.sort_by(|&i, &j| p_values[i].total_cmp(&p_values[j]));
    let mut adjusted = vec![0.0; count];
    let mut largest = 0.0_f64;
    for (rank, &i) in order.iter().enumerate() {
        largest = largest.max((count - rank) as f64 * p_values[i]).min(1.0);
        adjusted[i] = largest;
    }
    Ok(adjusted)
}

#[cfg(test)]
mod tests {
    use rand::RngExt;

    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::rarely_more_than;

    /// statsmodels 0.15, `multipletests(p, method="holm")[1]`; see tests/reference/holm.py.
    #[test]
    fn adjusted_p_values_agree_with_statsmodels() {
        let cases: Vec<serde_json::Value> =
            serde_json::from_str(include_str!("../../tests/reference/holm.json")).unwrap();
        for case in cases {
            let numbers = |key: &str| -> Vec<f64> {
                let list = case[key].as_array().unwrap();
                list.iter().map(|x| x.as_f64().unwrap()).collect()
            };
            for (found, expected) in holm(&numbers("p")).unwrap().iter().zip(numbers("adjusted")) {
                assert!((found - expected).abs() < 1e-12, "{found} {expected}");
            }
        }
    }

    /// Under 20 true hypotheses any rejection has probability at most 5 %; the bound is exceeded by chance with 1e-6. One
    /// false hypothesis among them is still found.
    #[test]
    fn any_false_rejection_is_as_rare_as_declared_and_a_true_one_is_made() {
        let trials = 4000;
        let (mut alarms, mut found) = (0, 0);
        for trial in 0..trials {
            let mut rng = stream(91, trial);
            let mut p: Vec<f64> = (0..20).map(|_| rng.random()).collect();
            alarms += u64::from(holm(&p).unwrap().iter().any(|&q| q <= 0.05));
            p[7] *= 1e-4;
            found += u64::from(holm(&p).unwrap()[7] <= 0.05);
        }
        assert!(alarms <= rarely_more_than(trials as u64, 0.05), "{alarms}");
        assert!(
            alarms >= trials as u64 / 40,
            "{alarms}: the procedure has lost its size"
        );
        assert_eq!(found, trials as u64);
    }

    #[test]
    fn the_ends_are_defined_and_illegal_values_are_errors() {
        assert!(holm(&[]).unwrap().is_empty());
        assert_eq!(holm(&[0.3]).unwrap(), [0.3]);
        assert_eq!(holm(&[0.0, 1.0, 0.0]).unwrap(), [0.0, 1.0, 0.0]);
        assert_eq!(holm(&[0.2; 4]).unwrap(), [0.8; 4]);
        assert!(holm(&[0.5, f64::NAN]).is_err() && holm(&[-0.1]).is_err());
    }
}
