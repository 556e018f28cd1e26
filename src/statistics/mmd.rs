//! The maximum mean discrepancy of two laws with a Gaussian kernel.

use rand::seq::index::sample;

use super::distance::Pooled;
use super::gauss_transform::GaussTransform;
use super::pairs::{Kernel, quadratic_forms};
use super::permutation::{Draw, Labels};
use super::streams::stream;
use super::summary::sorted;
use super::{Points, StatisticsError, checks, points};

/// In more than one dimension the median is that of this many points, drawn at random from both samples.
const POINTS_FOR_MEDIAN: usize = 1000;
/// Squares below this are rounding of the fast Gauss transform, and 0.
pub(super) const ROUNDING: f64 = 1e-13;

/// MMD² = E k(X, X′) + E k(Y, Y′) − 2 E k(X, Y) ≥ 0 of two samples, k(x, y) = exp(−|x − y|²/(2h²)), h the `bandwidth`.
///
/// The squared distance of the mean embeddings of the laws, 0 iff they are equal; all pairs count, each point with itself
/// too (the V-statistic). On the line by a fast Gauss transform, after sorting, in O(N) and up to 10⁻¹²; in ℝᵈ O(N²d),
/// in parallel by blocks, nothing of size N² being stored.
///
/// # Errors
///
/// An empty sample; two dimensions; a bandwidth that is not finite and greater than 0.
///
/// # Source
///
/// Gretton, Borgwardt, Rasch, Schölkopf & Smola (2012), J. Mach. Learn. Res. 13, 723–773.
pub fn mmd_squared(a: Points, b: Points, bandwidth: f64) -> Result<f64, StatisticsError> {
    points::check_pair(a, b, 1)?;
    let legal = bandwidth.is_finite() && bandwidth > 0.0;
    checks::within(legal, "bandwidth", bandwidth, "finite and greater than 0")?;
    if a.dimension() == 1 {
        let pooled = Pooled::new(a.values(), b.values(), 1)?;
        let steps: Vec<i64> = pooled.steps().collect();
        let square =
            GaussTransform::new(&pooled.values, bandwidth).quadratic_form(&steps, pooled.unit());
        return Ok(if square > ROUNDING { square } else { 0.0 });
    }
    let observed = Labels::blocks(a.count(), b.count()).draw(Draw::Observed, 0, 0);
    let kernels = [Kernel::Gaussian(bandwidth)];
    Ok(quadratic_forms(a, b, &kernels, &[observed])[0][0])
}

/// The median of the distances between any two points of both samples together: the usual bandwidth.
///
/// The lower median of those that are not 0; 1 if all points are equal. On the line exact, in O(N log N); in ℝᵈ it is that
/// of 1000 points, drawn at random under `seed` where there are more, and so off by some percent, which the distance
/// hardly feels. It depends on the pooled points alone, so that permutation tests remain exact.
///
/// # Errors
///
/// An empty sample; two dimensions.
///
/// # Source
///
/// Gretton et al. (2012), section 8.
pub fn median_bandwidth(a: Points, b: Points, seed: u64) -> Result<f64, StatisticsError> {
    points::check_pair(a, b, 1)?;
    if a.dimension() == 1 {
        return Ok(median_of_differences(&sorted(
            &[a.values(), b.values()].concat(),
        )));
    }
    let rows: Vec<&[f64]> = a.rows().chain(b.rows()).collect();
    let count = rows.len().min(POINTS_FOR_MEDIAN);
    let mut chosen = sample(&mut stream(seed, usize::MAX), rows.len(), count).into_vec();
    chosen.sort_unstable();
    let distance = |x: &[f64], y: &[f64]| {
        let squares = x.iter().zip(y).map(|(x, y)| (x - y) * (x - y));
        squares.sum::<f64>().sqrt()
    };
    let mut distances = Vec::with_capacity(count * count / 2);
    for (i, &x) in chosen.iter().enumerate() {
        let later = chosen[i + 1..].iter();
        distances.extend(
            later
                .map(|&y| distance(rows[x], rows[y]))
                .filter(|d| *d > 0.0),
        );
    }
    if distances.is_empty() {
        return Ok(1.0);
    }
    let middle = (distances.len() - 1) / 2;
    Ok(*distances.select_nth_unstable_by(middle, f64::total_cmp).1)
}

/// The lower median of the differences xⱼ − xᵢ > 0 of sorted values, by bisection over the numbers it may be.
fn median_of_differences(sorted: &[f64]) -> f64 {
    // How many pairs are no further apart than this; the values within reach of one move up with it.
    let within = |distance: f64| -> u64 {
        let mut end = 0;
        let mut count = 0;
        for (i, &x) in sorted.iter().enumerate() {
            while end < sorted.len() && sorted[end] - x <= distance {
                end += 1;
            }
            count += (end - i - 1) as u64;
        }
        count
    };
    let pairs = sorted.len() as u64 * (sorted.len() as u64 - 1) / 2;
    let ties = within(0.0);
    if ties == pairs {
        return 1.0;
    }
    let wanted = ties + (pairs - ties).div_ceil(2);
    // Positive numbers are ordered as their bits are.
    let (mut below, mut at) = (0_u64, f64::MAX.to_bits());
    while at - below > 1 {
        let middle = below + (at - below) / 2;
        if within(f64::from_bits(middle)) >= wanted {
            at = middle;
        } else {
            below = middle;
        }
    }
    f64::from_bits(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::testing::{assert_close, law_cases, normal, number, numbers};

    #[test]
    fn discrepancies_and_bandwidths_agree_with_the_references() {
        for case in law_cases() {
            let d = case["dimension"].as_u64().unwrap() as usize;
            let (a, b) = (numbers(&case["a"]), numbers(&case["b"]));
            let (a, b) = (Points::new(&a, d).unwrap(), Points::new(&b, d).unwrap());
            let bandwidth = median_bandwidth(a, b, 1).unwrap();
            assert_close(bandwidth, number(&case["median"]), 1e-12);
            let square = mmd_squared(a, b, bandwidth).unwrap();
            assert!((square - number(&case["mmd_squared"])).abs() < 1e-12);
        }
    }

    #[test]
    fn identical_and_constant_samples_are_at_distance_exactly_zero() {
        let values = [0.3, 1.0, -2.0, 0.3, 5.0, 1.0];
        for d in [1, 2, 3] {
            let points = Points::new(&values, d).unwrap();
            let bandwidth = median_bandwidth(points, points, 2).unwrap();
            assert_eq!(mmd_squared(points, points, bandwidth).unwrap(), 0.0);
            let constant = Points::new(&[0.7; 6], d).unwrap();
            assert_eq!(median_bandwidth(constant, constant, 2).unwrap(), 1.0);
            assert_eq!(mmd_squared(constant, constant, 1.0).unwrap(), 0.0);
        }
    }

    #[test]
    fn the_median_of_many_ties_is_that_of_the_other_distances() {
        let (a, b) = ([0.0; 8], [0.0, 3.0]);
        let (a, b) = (Points::line(&a).unwrap(), Points::line(&b).unwrap());
        assert_eq!(median_bandwidth(a, b, 3).unwrap(), 3.0);
    }

    /// The subsample's median is off by 2 % in standard deviations of its own.
    #[test]
    fn the_bandwidth_in_the_plane_is_near_the_median_of_all_distances() {
        let x = normal(&mut stream(51, 0), 12_000, 0.0, 1.0);
        let (a, b) = x.split_at(4_000);
        let (a, b) = (Points::new(a, 2).unwrap(), Points::new(b, 2).unwrap());
        let bandwidth = median_bandwidth(a, b, 4).unwrap();
        // |X − X′|² is 2χ² on two degrees of freedom, of median 4 log 2.
        let truth = (4.0 * 2.0_f64.ln()).sqrt();
        assert!((bandwidth / truth - 1.0).abs() < 0.15, "{bandwidth}");
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let line = Points::line(&[1.0, 2.0]).unwrap();
        let empty = Points::line(&[]).unwrap();
        assert!(mmd_squared(line, empty, 1.0).is_err());
        assert!(median_bandwidth(empty, line, 0).is_err());
        for bandwidth in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(mmd_squared(line, line, bandwidth).is_err());
        }
    }
}
