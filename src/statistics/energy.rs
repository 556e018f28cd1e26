//! The energy distance of two laws.

use super::distance::Pooled;
use super::pairs::{Kernel, quadratic_forms};
use super::permutation::{Draw, Labels};
use super::{Points, StatisticsError, points};

/// The energy distance 𝓔 = 2 E|X − Y| − E|X − X′| − E|Y − Y′| ≥ 0 of two samples, |·| being Euclid's norm.
///
/// It is 0 iff the laws are equal; X′, Y′ are independent copies, and all pairs count, each point with itself too
/// (the V-statistic), so that it is that of the empirical laws. In the units of the coordinates, which the caller brings
/// to one scale. On the line 𝓔 = 2 ∫ (F − G)² dx, by sorting in O(N log N), N = n + m; in ℝᵈ O(N²d), in parallel by
/// blocks, nothing of size N² being stored.
///
/// Normalisations: `dcor.energy_distance` is 𝓔; `scipy.stats.energy_distance` is √𝓔, which is a metric (of laws with
/// means), and so are the estimates of [`distances_to_reference`](super::distances_to_reference); hyppo's statistic is
/// another one altogether.
///
/// # Errors
///
/// An empty sample; two dimensions.
///
/// # Source
///
/// Székely & Rizzo (2013), J. Stat. Plan. Inference 143, 1249–1272.
pub fn energy_distance(a: Points, b: Points) -> Result<f64, StatisticsError> {
    points::check_pair(a, b, 1)?;
    if a.dimension() == 1 {
        let pooled = Pooled::new(a.values(), b.values(), 1)?;
        return Ok(2.0 * pooled.shape(pooled.steps(), pooled.unit()).square);
    }
    let observed = Labels::blocks(a.count(), b.count()).draw(Draw::Observed, 0, 0);
    Ok(quadratic_forms(a, b, &[Kernel::Distance], &[observed])[0][0])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::statistics::testing::{assert_close, law_cases, number, numbers};

    #[test]
    fn energy_distances_agree_with_dcor_and_scipy() {
        for case in law_cases() {
            let d = case["dimension"].as_u64().unwrap() as usize;
            let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
            let (a, b) = (Points::new(&a, d).unwrap(), Points::new(&b, d).unwrap());
            let energy = energy_distance(a, b).unwrap();
            assert_close(energy, number(&case["energy_dcor"]), 1e-10);
            if d == 1 {
                assert_close(energy.sqrt(), number(&case["energy_scipy"]), 1e-10);
            }
        }
    }

    #[test]
    fn identical_and_constant_samples_are_at_distance_exactly_zero() {
        let values = [0.3, 1.0, -2.0, 0.3, 5.0, 1.0];
        for d in [1, 2, 3] {
            let points = Points::new(&values, d).unwrap();
            assert_eq!(energy_distance(points, points).unwrap(), 0.0);
            let (constant, more) = ([0.7; 12], [0.7; 6]);
            let (a, b) = (Points::new(&constant, d), Points::new(&more, d));
            assert_eq!(energy_distance(a.unwrap(), b.unwrap()).unwrap(), 0.0);
        }
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let line = Points::line(&[1.0, 2.0]).unwrap();
        assert!(energy_distance(line, Points::line(&[]).unwrap()).is_err());
        assert!(energy_distance(line, Points::new(&[1.0, 2.0], 2).unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn on_a_line_in_the_plane_the_sum_over_pairs_is_the_sorted_one(
            a in prop::collection::vec(-5.0..5.0_f64, 1..90),
            b in prop::collection::vec(-5.0..5.0_f64, 1..40),
        ) {
            // (3x, 4x) has 5 times the distances of x.
            let plane = |x: &[f64]| x.iter().flat_map(|x| [3.0 * x, 4.0 * x]).collect::<Vec<_>>();
            let (pa, pb) = (plane(&a), plane(&b));
            let slow = energy_distance(Points::new(&pa, 2).unwrap(), Points::new(&pb, 2).unwrap());
            let fast = energy_distance(Points::line(&a).unwrap(), Points::line(&b).unwrap());
            prop_assert!((slow.unwrap() - 5.0 * fast.unwrap()).abs() < 1e-11);
        }
    }
}
