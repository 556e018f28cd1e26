//! Simultaneous bands: intervals for all entries of a vector of means that hold together.

use nalgebra::DMatrix;
use rand_distr::{ChiSquared, Distribution};
use rayon::prelude::*;

use super::path_means::NormalVector;
use super::streams::stream;
use super::summary::{quantile, sorted};
use super::{Interval, StatisticsError, checks, tails};

/// Intervals θ̂ⱼ ± c·sⱼ that cover all θⱼ at once with probability 1 − 2·level.
#[derive(Clone, Debug, PartialEq)]
pub struct Band {
    /// The interval of each entry.
    pub intervals: Vec<Interval>,
    /// c.
    pub critical_value: f64,
    estimates: Vec<f64>,
    std_errors: Vec<f64>,
    /// Resampled suprema, increasing.
    suprema: Vec<f64>,
}

/// The band of sup|t|: c is the 1 − 2·level quantile of maxⱼ |Tⱼ|.
///
/// T is a Student vector of the given degrees of freedom (normal where `None`) with the correlations of `covariance`, that of
/// the estimates. For means over paths this is the multiplier bootstrap over whole paths: with Gaussian multipliers a
/// resampled vector of means is exactly normal with the covariance over the paths (van der Vaart & Wellner 1996, §2.9;
/// Montiel Olea & Plagborg-Møller 2019 for sup-t bands). A common χ² in the denominators makes up for estimated variances,
/// so that one entry alone has Student's interval. c is never below that.
///
/// `std_errors` are sⱼ: they may exceed the roots of the diagonal of `covariance`, to allow for more than noise.
///
/// # Errors
/// No estimate, numbers of entries that differ, numbers that are not finite, a negative standard error, degrees of freedom
/// not greater than 0, an illegal level, fewer than 1/level resamples.
pub fn simultaneous_band(
    estimates: &[f64],
    std_errors: &[f64],
    covariance: &DMatrix<f64>,
    degrees_of_freedom: Option<f64>,
    level: f64,
    resamples: usize,
    seed: u64,
) -> Result<Band, StatisticsError> {
    let count = estimates.len();
    checks::finite("estimates", estimates, 1)?;
    checks::one_per_point("standard errors", std_errors, count)?;
    for &std_error in std_errors {
        checks::within(std_error >= 0.0, "standard error", std_error, "at least 0")?;
    }
    checks::one_per_point(
        "entries of the covariance",
        covariance.as_slice(),
        count * count,
    )?;
    if let Some(degrees) = degrees_of_freedom {
        let range = "greater than 0";
        checks::within(degrees > 0.0, "degrees of freedom", degrees, range)?;
    }
    checks::level(level)?;
    checks::resamples(resamples, level)?;

    let scales: Vec<f64> = covariance.diagonal().iter().map(|v| v.sqrt()).collect();
    let law = NormalVector::new(covariance);
    let chi_squared = degrees_of_freedom
        .filter(|degrees| degrees.is_finite())
        .and_then(|degrees| Some((ChiSquared::new(degrees).ok()?, degrees)));
    let suprema: Vec<f64> = (0..resamples)
        .into_par_iter()
        .map(|resample| {
            let mut rng = stream(seed, resample);
            let draw = law.draw(&mut rng);
            let shrink = chi_squared.map_or(1.0, |(law, degrees)| {
                let square: f64 = law.sample(&mut rng);
                (square / degrees).sqrt()
            });
            let scores = draw.iter().zip(&scales).filter(|(_, scale)| **scale > 0.0);
            scores.map(|(x, scale)| x.abs() / scale).fold(0.0, f64::max) / shrink
        })
        .collect();
    let suprema = sorted(&suprema);
    let pointwise = tails::upper_quantile(level, degrees_of_freedom);
    let critical_value = quantile(&suprema, 1.0 - 2.0 * level).max(pointwise);
    let interval = |(estimate, std_error): (&f64, &f64)| {
        let half_width = if *std_error == 0.0 {
            0.0
        } else {
            critical_value * std_error
        };
        Interval::around(*estimate, half_width)
    };
    Ok(Band {
        intervals: estimates.iter().zip(std_errors).map(interval).collect(),
        critical_value,
        estimates: estimates.to_vec(),
        std_errors: std_errors.to_vec(),
        suprema,
    })
}

impl Band {
    /// θ̂ⱼ.
    pub fn estimates(&self) -> &[f64] {
        &self.estimates
    }

    /// p-value of H₀: |θⱼ| ≤ `margin` for all j, adjusted for looking at all of them: (1 + #{sup|T| ≥ x})/(1 + resamples)
    /// with x = maxⱼ (|θ̂ⱼ| − margin)/sⱼ.
    pub fn p_beyond(&self, margin: f64) -> f64 {
        let distance = |(estimate, std_error): (&f64, &f64)| {
            in_standard_errors(estimate.abs() - margin, *std_error)
        };
        let distances = self.estimates.iter().zip(&self.std_errors).map(distance);
        self.tail(distances.fold(f64::NEG_INFINITY, f64::max))
    }

    /// p-value of H₀: |θⱼ| ≥ `margin` for some j, adjusted likewise: x = minⱼ (margin − |θ̂ⱼ|)/sⱼ.
    pub fn p_within(&self, margin: f64) -> f64 {
        let distance = |(estimate, std_error): (&f64, &f64)| {
            in_standard_errors(margin - estimate.abs(), *std_error)
        };
        let distances = self.estimates.iter().zip(&self.std_errors).map(distance);
        self.tail(distances.fold(f64::INFINITY, f64::min))
    }

    fn tail(&self, x: f64) -> f64 {
        if x <= 0.0 {
            return 1.0;
        }
        let smaller = self.suprema.partition_point(|&supremum| supremum < x);
        (1 + self.suprema.len() - smaller) as f64 / (1 + self.suprema.len()) as f64
    }
}

/// x/s; with no noise it is infinite either way, at 0 counting as not beyond.
fn in_standard_errors(x: f64, std_error: f64) -> f64 {
    if std_error > 0.0 {
        x / std_error
    } else if x > 0.0 {
        f64::INFINITY
    } else {
        f64::NEG_INFINITY
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::statistics::PathMeans;
    use crate::statistics::testing::{
        assert_close, assert_same_on_any_threads, normal, number, rarely_more_than,
    };

    fn equally_correlated(count: usize, correlation: f64) -> DMatrix<f64> {
        DMatrix::from_fn(count, count, |i, j| if i == j { 1.0 } else { correlation })
    }

    /// With 40 000 resamples a 98 % quantile of |t| has a standard error of about 1 %, five of them are allowed.
    #[test]
    fn critical_values_agree_with_integrals_by_scipy() {
        let all: Value =
            serde_json::from_str(include_str!("../../tests/reference/joint.json")).unwrap();
        for case in all["critical_values"].as_array().unwrap() {
            let count = number(&case["count"]) as usize;
            let covariance = equally_correlated(count, number(&case["correlation"]));
            let (zero, one) = (vec![0.0; count], vec![1.0; count]);
            let degrees = case["degrees_of_freedom"].as_f64();
            let level = number(&case["level"]);
            let band =
                simultaneous_band(&zero, &one, &covariance, degrees, level, 40_000, 1).unwrap();
            assert_close(band.critical_value, number(&case["critical_value"]), 0.05);
        }
    }

    /// Six records of a random walk, `paths` of them, the means 0 but for a planted difference at the last record.
    fn walk(paths: usize, planted: f64, trial: usize) -> PathMeans {
        let steps = normal(&mut stream(51, trial), 6 * paths, 0.0, 1.0);
        let mut values = Vec::with_capacity(steps.len());
        for steps in steps.chunks(6) {
            let mut at = 0.0;
            for step in steps {
                at += step;
                values.push(at);
            }
            *values.last_mut().unwrap() += planted;
        }
        PathMeans::new(&values, 6).unwrap()
    }

    fn band(means: &PathMeans, paths: usize, resamples: usize) -> Band {
        let dof = Some(paths as f64 - 1.0);
        let (estimates, std_errors) = (means.means(), means.std_errors());
        simultaneous_band(
            estimates,
            std_errors,
            &means.covariance(),
            dof,
            0.05,
            resamples,
            3,
        )
        .unwrap()
    }

    /// The band misses somewhere with probability at most 11.5 % (10 % nominal), and is narrower than Bonferroni's. Each
    /// count fails with probability at most 10⁻⁶.
    #[test]
    fn bands_cover_correlated_records_at_once_and_beat_bonferroni() {
        let trials = 1000;
        let mut missed = 0;
        for trial in 0..trials {
            let band = band(&walk(25, 0.0, trial), 25, 400);
            missed += u64::from(
                band.intervals
                    .iter()
                    .any(|interval| !interval.contains(0.0)),
            );
            // p ≤ 2·level is the same statement as the band missing 0, with a margin of 0.
            if band.p_beyond(0.0) <= 0.09 {
                assert!(
                    band.intervals
                        .iter()
                        .any(|interval| !interval.contains(0.0))
                );
            }
        }
        assert!(
            missed <= rarely_more_than(trials as u64, 0.115),
            "{missed} of {trials}"
        );
        let simultaneous = band(&walk(2000, 0.0, 0), 2000, 4000).critical_value;
        let bonferroni = tails::upper_quantile(0.05 / 6.0, None);
        let pointwise = tails::upper_quantile(0.05, None);
        assert!(
            simultaneous < 0.95 * bonferroni,
            "{simultaneous} {bonferroni}"
        );
        assert!(simultaneous > 1.1 * pointwise, "{simultaneous} {pointwise}");
    }

    /// The planted difference is 6 standard errors beyond the margin: power above 0.99.
    #[test]
    fn a_planted_difference_at_one_record_is_seen_and_none_is_shown() {
        let (margin, planted) = (0.6, 1.6);
        for trial in 0..20 {
            let far = band(&walk(250, planted, trial), 250, 1000);
            assert!(far.p_beyond(margin) < 0.01, "{}", far.p_beyond(margin));
            assert!(far.intervals[5].lower > margin);
            let near = band(&walk(250, 0.0, trial), 250, 1000);
            assert_eq!(near.p_beyond(margin), 1.0);
            assert!(near.p_within(1.0) < 0.01);
        }
    }

    #[test]
    fn exact_entries_and_wider_standard_errors_have_their_intervals() {
        let covariance = DMatrix::from_diagonal(&nalgebra::DVector::from_vec(vec![1.0, 0.0]));
        let of = |std_errors: &[f64]| {
            simultaneous_band(&[1.0, 2.0], std_errors, &covariance, None, 0.05, 100, 4).unwrap()
        };
        let exact = of(&[1.0, 0.0]);
        assert_eq!(
            exact.intervals[1],
            Interval {
                lower: 2.0,
                upper: 2.0
            }
        );
        assert_eq!(
            (exact.p_beyond(2.0), exact.p_beyond(1.9)),
            (1.0, 1.0 / 101.0)
        );
        assert_eq!(exact.p_within(2.0), 1.0);
        let wider = of(&[3.0, 0.5]);
        let width = |band: &Band, j: usize| band.intervals[j].upper - band.intervals[j].lower;
        assert_close(width(&wider, 0), 3.0 * width(&exact, 0), 1e-12);
        assert!(width(&wider, 1) >= 2.0 * 0.5 * 1.6448);
        let nothing = DMatrix::zeros(2, 2);
        let band = simultaneous_band(&[0.0; 2], &[0.0; 2], &nothing, None, 0.05, 100, 4).unwrap();
        assert_eq!(band.p_within(1.0), 1.0 / 101.0);
    }

    #[test]
    fn the_result_depends_on_the_seed_and_not_on_threads() {
        let means = walk(30, 0.0, 1);
        let of = |seed| {
            let (estimates, std_errors) = (means.means(), means.std_errors());
            let covariance = means.covariance();
            simultaneous_band(
                estimates,
                std_errors,
                &covariance,
                Some(29.0),
                0.05,
                200,
                seed,
            )
            .unwrap()
        };
        assert_same_on_any_threads(|| of(42));
        assert_ne!(of(42), of(43));
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let covariance = equally_correlated(2, 0.5);
        let message = |estimates: &[f64], std_errors: &[f64], dof, level, resamples| {
            simultaneous_band(estimates, std_errors, &covariance, dof, level, resamples, 1)
                .unwrap_err()
                .to_string()
        };
        let two = [1.0; 2];
        assert!(message(&[], &[], None, 0.05, 100).contains("estimates"));
        assert!(message(&[f64::NAN, 1.0], &two, None, 0.05, 100).contains("NaN"));
        assert!(message(&two, &[1.0, -1.0], None, 0.05, 100).contains("standard error is -1"));
        assert!(message(&[1.0; 3], &[1.0; 3], None, 0.05, 100).contains("covariance"));
        assert!(message(&two, &two, Some(0.0), 0.05, 100).contains("degrees"));
        assert!(message(&two, &two, None, 0.5, 100).contains("level"));
        assert!(message(&two, &two, None, 0.01, 50).contains("resamples"));
    }
}
