//! How far a sample's law is from a reference's: an interval, the floor that noise alone gives, and p-values.
//!
//! The distance D = ‖Fₙ − Gₘ‖ of two samples is biased upwards: it is positive when the laws are
//! equal. A percentile bootstrap doubles that bias, as resampling adds the noise a second time, and
//! its lower end exceeds 0 nearly always. Both ends here hold for any two laws, equal ones included,
//! with d = ‖F − G‖ the distance sought:
//!
//! * Lower: |D − d| ≤ ‖N‖ with N = (Fₙ − F) − (Gₘ − G), by the triangle inequality, and the law of
//!   ‖N‖ is that of ‖(Fₙ* − Fₙ) − (Gₘ* − Gₘ)‖ under resampling, whether or not F = G (Giné & Zinn
//!   1990). So the lower end is D less the 1 − level quantile of the latter, or 0 if that is negative.
//! * Upper, for the energy distance and the maximum mean discrepancy: by the same inequality, D plus
//!   that quantile.
//! * Upper, for the others: d is attained by a witness, d = E f(X) − E f(Y) with f 1-Lipschitz (Wasserstein-1;
//!   Kantorovich & Rubinstein 1958; sliced: the mean over directions θ of 1-Lipschitz functions of ⟨θ, x⟩) or ± the
//!   indicator of a half-line (Kolmogorov–Smirnov), fixed by
//!   the laws. D is at least what that witness gives on the samples, so D undershoots d by more than
//!   t₁₋ₗₑᵥₑₗ standard errors of a difference of two means with probability at most level. No
//!   1-Lipschitz f varies more than x itself (sliced: than the mean over θ of the variances of ⟨θ, x⟩), and no
//!   indicator more than ½; with these the error
//!   needs no knowledge of the witness. So the upper end is D plus t₁₋ₗₑᵥₑₗ times that error.
//!
//! The lower end is sharp when the laws are equal, the upper end of a witness when one is a shift of the other (for
//! Kolmogorov–Smirnov, when the largest difference is at their medians); elsewhere the interval covers
//! more often than 1 − 2·level. Both hold in the limit of large samples. The upper end inherits the
//! weakness of Welch's interval for skewed laws: with 20 and 20 exponential values, of means 1 and 4,
//! it misses with probability 0.12 at level 0.05; with 80 and 120 values 0.07, with 500 and 500 0.05.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::distance::Pooled;
use super::equivalence::welch_satterthwaite;
use super::gauss_transform::GaussTransform;
use super::mmd::{self, median_bandwidth};
use super::pairs::{Kernel, quadratic_forms};
use super::permutation::{Draw, Labels, Weights, permutation_p_value, share_at_least};
use super::sliced::Slices;
use super::summary::{bessel, central_moment, mean, quantile, sorted};
use super::{Interval, Points, StatisticsError, checks, points, tails};

/// Directions of the sliced distance.
const DIRECTIONS: usize = 32;

/// A distance between two laws.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Distance {
    /// ∫ |F − G| dx, in the units of the values; see [`wasserstein_1`](super::wasserstein_1). On the line only.
    #[serde(rename = "wasserstein-1")]
    Wasserstein1,
    /// sup |F − G|, between 0 and 1; see [`kolmogorov_smirnov`](super::kolmogorov_smirnov). On the line only.
    KolmogorovSmirnov,
    /// √𝓔, in the square root of the units of the values; see [`energy_distance`](super::energy_distance).
    Energy,
    /// MMD, between 0 and √2, with the median bandwidth; see [`mmd_squared`](super::mmd_squared).
    MeanDiscrepancy,
    /// The mean over 32 random directions, in the units of the values; see
    /// [`sliced_wasserstein_1`](super::sliced_wasserstein_1).
    #[serde(rename = "sliced-wasserstein-1")]
    SlicedWasserstein1,
}

/// How many resamples a comparison takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Effort {
    /// Of the intervals: each end misses with probability at most this.
    pub level: f64,
    /// Bootstrap resamples, for the intervals: at least 1/level.
    pub resamples: usize,
    /// Random permutations, for the p-values of equal laws; may be 0.
    pub permutations: usize,
    /// Random splits of the reference into halves, for the floors; may be 0.
    pub splits: usize,
}

/// The distance of two samples, and what it says of the distance of their laws.
#[derive(Clone, Debug, PartialEq)]
pub struct DistanceEstimate {
    /// Which.
    pub distance: Distance,
    /// D, the distance of the two samples; biased upwards, by about `floor` when the laws are equal.
    pub estimate: f64,
    /// The interval for the distance of the laws: it misses on either side with probability at most
    /// `level`.
    pub interval: Interval,
    /// The mean distance of two random halves of the reference, times √(1/n + 1/m)/√(1/⌊m/2⌋ + 1/⌈m/2⌉): what noise alone
    /// gives for samples of these sizes. `None` without splits.
    pub floor: Option<f64>,
    /// The permutation p-value of equal laws: small values say that they differ, by however little. `None` without
    /// permutations.
    pub p_same: Option<f64>,
    /// ‖N*‖ of each resample.
    noise: Vec<f64>,
    /// The standard error of the witness, with its degrees of freedom, of a distance that has one.
    witness: Option<(f64, Option<f64>)>,
}

impl DistanceEstimate {
    /// The p-value of "d ≥ `margin`": small values show the laws to be within the margin. It is at most the level where the
    /// interval's upper end is less than the margin.
    pub fn p_beyond(&self, margin: f64) -> f64 {
        match self.witness {
            Some((0.0, _)) => f64::from(u8::from(self.estimate >= margin)),
            Some((std_error, degrees_of_freedom)) => {
                tails::upper_tail((margin - self.estimate) / std_error, degrees_of_freedom)
            }
            None => share_at_least(&self.noise, margin - self.estimate),
        }
    }

    /// The p-value of "d ≤ `margin`": small values show the laws to be further apart.
    ///
    /// (1 + #{‖N*‖ ≥ D − margin})/(1 + B) among the B resamples, so at least 1/(1 + B).
    pub fn p_within(&self, margin: f64) -> f64 {
        share_at_least(&self.noise, self.estimate - margin)
    }
}

/// Estimates distances between the laws of `sample` and `reference`, all from the same resamples.
///
/// Both samples are of independent points. The interval [D − q, D + u], cut at 0 and at the largest possible value, has
/// for q the 1 − level quantile of the bootstrapped noise; u is q for the energy distance and the maximum mean
/// discrepancy, and t₁₋ₗₑᵥₑₗ times the error of a difference of means for the others: Welch's for Wasserstein-1,
/// ½·√(1/n + 1/m) for Kolmogorov–Smirnov. It is valid in large samples for any two laws with finite variances, equal
/// ones included; the opening of this file says why. Permutations move whole points.
///
/// With B resamples of all kinds together the time is O(N·(B + log N)) on the line, N = n + m, and O(N²·(B + d)) in ℝᵈ,
/// or O(N·(B + log N)) for the sliced distance, shared among threads.
///
/// # Errors
///
/// Fewer than two points in a sample, two dimensions, a level outside (0, ½), fewer than 1/level resamples; more than one
/// dimension for a distance on the line.
pub fn distances_to_reference(
    sample: Points,
    reference: Points,
    distances: &[Distance],
    effort: Effort,
    seed: u64,
) -> Result<Vec<DistanceEstimate>, StatisticsError> {
    points::check_pair(sample, reference, 2)?;
    checks::level(effort.level)?;
    checks::resamples(effort.resamples, effort.level)?;
    let on_line = [Distance::Wasserstein1, Distance::KolmogorovSmirnov];
    checks::within(
        sample.dimension() == 1 || !distances.iter().any(|distance| on_line.contains(distance)),
        "dimension",
        sample.dimension() as f64,
        "1 for the Wasserstein-1 and the Kolmogorov-Smirnov distance",
    )?;

    let of = |draw, count| (0..count).map(move |index| (draw, index));
    let draws: Vec<(Draw, usize)> = of(Draw::Observed, 1)
        .chain(of(Draw::Noise, effort.resamples))
        .chain(of(Draw::Permutation, effort.permutations))
        .chain(of(Draw::Halves, effort.splits))
        .collect();
    let samples = Samples {
        sample,
        reference,
        draws: &draws,
        seed,
    };
    let mut sliced = Sliced::default();
    if distances.contains(&Distance::SlicedWasserstein1) {
        sliced = samples.sliced();
    }
    let others: Vec<Distance> = distances
        .iter()
        .copied()
        .filter(|distance| *distance != Distance::SlicedWasserstein1)
        .collect();
    let norms = if sample.dimension() == 1 {
        samples.on_the_line(&others)?
    } else {
        samples.in_space(&others)?
    };

    let (n, m) = (sample.count(), reference.count());
    let scale_of_halves = Labels::blocks(n, m).scale_of_halves();
    let estimate = |&distance: &Distance| {
        let (norms, witness) = match distance {
            Distance::SlicedWasserstein1 => {
                let witness = welch_satterthwaite(sliced.variances, [n, m]);
                (sliced.norms.clone(), Some(witness))
            }
            _ => {
                let place = others.iter().position(|other| *other == distance);
                let norms = place.map_or(Vec::new(), |place| {
                    norms.iter().map(|norms| norms[place]).collect()
                });
                let witness = match distance {
                    Distance::Wasserstein1 => {
                        let variance =
                            |x: Points| central_moment(x.values(), 2) * bessel(x.count());
                        let variances = [variance(sample), variance(reference)];
                        Some(welch_satterthwaite(variances, [n, m]))
                    }
                    Distance::KolmogorovSmirnov => {
                        Some((0.5 * (1.0 / n as f64 + 1.0 / m as f64).sqrt(), None))
                    }
                    _ => None,
                };
                (norms, witness)
            }
        };
        let largest = match distance {
            Distance::KolmogorovSmirnov => 1.0,
            Distance::MeanDiscrepancy => std::f64::consts::SQRT_2,
            _ => f64::INFINITY,
        };
        let (estimate, rest) = (norms[0], &norms[1..]);
        let (noise, rest) = rest.split_at(effort.resamples);
        let (permuted, halves) = rest.split_at(effort.permutations);
        let reach = quantile(&sorted(noise), 1.0 - effort.level);
        let undershoot = witness.map_or(reach, |(std_error, degrees_of_freedom)| {
            tails::upper_quantile(effort.level, degrees_of_freedom) * std_error
        });
        DistanceEstimate {
            distance,
            estimate,
            interval: Interval {
                lower: (estimate - reach).max(0.0),
                upper: (estimate + undershoot).min(largest),
            },
            floor: (!halves.is_empty()).then(|| mean(halves) * scale_of_halves),
            p_same: (!permuted.is_empty()).then(|| permutation_p_value(estimate, permuted)),
            noise: noise.to_vec(),
            witness,
        }
    };
    Ok(distances.iter().map(estimate).collect())
}

/// Two samples and the measures on their points whose norms are sought.
struct Samples<'a> {
    sample: Points<'a>,
    reference: Points<'a>,
    draws: &'a [(Draw, usize)],
    seed: u64,
}

/// The sliced distance of each draw, and the mean variance of the projections of either sample.
#[derive(Default)]
struct Sliced {
    norms: Vec<f64>,
    variances: [f64; 2],
}

impl Samples<'_> {
    /// The norms of each draw, by sorting.
    fn on_the_line(&self, distances: &[Distance]) -> Result<Vec<Vec<f64>>, StatisticsError> {
        let pooled = Pooled::new(self.sample.values(), self.reference.values(), 2)?;
        let labels = Labels::new(pooled.from_first.iter().copied());
        let transform = if distances.contains(&Distance::MeanDiscrepancy) {
            let bandwidth = median_bandwidth(self.sample, self.reference, self.seed)?;
            Some(GaussTransform::new(&pooled.values, bandwidth))
        } else {
            None
        };
        let norms = |&(draw, index): &(Draw, usize)| {
            let Weights { steps, unit } = labels.draw(draw, self.seed, index);
            let shape = pooled.shape(steps.iter().copied(), unit);
            let norm = |distance: &Distance| match distance {
                Distance::Wasserstein1 | Distance::SlicedWasserstein1 => shape.area,
                Distance::KolmogorovSmirnov => shape.height,
                Distance::Energy => (2.0 * shape.square).sqrt(),
                Distance::MeanDiscrepancy => {
                    let square = transform
                        .as_ref()
                        .map_or(0.0, |transform| transform.quadratic_form(&steps, unit));
                    if square > mmd::ROUNDING {
                        square.sqrt()
                    } else {
                        0.0
                    }
                }
            };
            distances.iter().map(norm).collect()
        };
        Ok(self.draws.par_iter().map(norms).collect())
    }

    /// The norms of each draw, by sums over pairs.
    fn in_space(&self, distances: &[Distance]) -> Result<Vec<Vec<f64>>, StatisticsError> {
        if distances.is_empty() {
            return Ok(Vec::new());
        }
        let bandwidth = median_bandwidth(self.sample, self.reference, self.seed)?;
        let kernels: Vec<Kernel> = distances
            .iter()
            .map(|distance| match distance {
                Distance::MeanDiscrepancy => Kernel::Gaussian(bandwidth),
                _ => Kernel::Distance,
            })
            .collect();
        let labels = Labels::blocks(self.sample.count(), self.reference.count());
        let weights: Vec<Weights> = self
            .draws
            .par_iter()
            .map(|&(draw, index)| labels.draw(draw, self.seed, index))
            .collect();
        let forms = quadratic_forms(self.sample, self.reference, &kernels, &weights);
        let norms = |draw: usize| forms.iter().map(|forms| forms[draw].sqrt()).collect();
        Ok((0..self.draws.len()).map(norms).collect())
    }

    fn sliced(&self) -> Sliced {
        let slices = Slices::new(self.sample, self.reference, DIRECTIONS, self.seed);
        let labels = Labels::blocks(self.sample.count(), self.reference.count());
        let norm =
            |&(draw, index): &(Draw, usize)| slices.distance(&labels.draw(draw, self.seed, index));
        Sliced {
            norms: self.draws.par_iter().map(norm).collect(),
            variances: slices.variances(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{assert_same_on_any_threads, normal, rarely_more_than};
    use crate::statistics::{
        energy_distance, kolmogorov_smirnov, mmd_squared, sliced_wasserstein_1, wasserstein_1,
    };

    const DISTANCES: [Distance; 5] = [
        Distance::Wasserstein1,
        Distance::KolmogorovSmirnov,
        Distance::Energy,
        Distance::MeanDiscrepancy,
        Distance::SlicedWasserstein1,
    ];
    const TRIALS: usize = 500;
    const LEVEL: f64 = 0.05;
    const EFFORT: Effort = Effort {
        level: LEVEL,
        resamples: 100,
        permutations: 0,
        splits: 0,
    };

    fn compare(
        a: &[f64],
        b: &[f64],
        d: usize,
        distances: &[Distance],
        effort: Effort,
    ) -> Vec<DistanceEstimate> {
        let (a, b) = (Points::new(a, d).unwrap(), Points::new(b, d).unwrap());
        distances_to_reference(a, b, distances, effort, 14).unwrap()
    }

    /// √𝓔 of N(0, 1) and N(δ, s²): E|N(δ, v)| = √(2v/π)·exp(−δ²/(2v)) + δ·(1 − 2Φ(−δ/√v)).
    fn energy_of_normals(shift: f64, sd: f64) -> f64 {
        let mean_size = |shift: f64, variance: f64| {
            let tail = tails::upper_tail(shift / variance.sqrt(), None);
            (2.0 * variance / std::f64::consts::PI).sqrt() * (-0.5 * shift * shift / variance).exp()
                + shift * (1.0 - 2.0 * tail)
        };
        let apart = mean_size(shift, 1.0 + sd * sd);
        (2.0 * apart - mean_size(0.0, 2.0) - mean_size(0.0, 2.0 * sd * sd))
            .max(0.0)
            .sqrt()
    }

    /// MMD of the same: E k of a N(δ, v) difference is h/√(h² + v)·exp(−δ²/(2(h² + v))).
    fn mmd_of_normals(shift: f64, sd: f64, h: f64) -> f64 {
        let mean_kernel = |shift: f64, variance: f64| {
            let total = h * h + variance;
            h / total.sqrt() * (-0.5 * shift * shift / total).exp()
        };
        let cross = mean_kernel(shift, 1.0 + sd * sd);
        (mean_kernel(0.0, 2.0) + mean_kernel(0.0, 2.0 * sd * sd) - 2.0 * cross)
            .max(0.0)
            .sqrt()
    }

    /// On either side the interval misses with probability at most 6 % (5 % nominal, in large
    /// samples); each count exceeds its bound with probability at most 10⁻⁶.
    #[test]
    fn intervals_cover_the_true_distance_of_equal_and_of_different_laws() {
        let allowed = rarely_more_than(TRIALS as u64, LEVEL + 0.01);
        let scale = (2.0 / std::f64::consts::PI).sqrt(); // E|Z|
        // sup |Φ(x) − Φ(x − 0.3)| = 2Φ(0.15) − 1; two scales have their largest gap where the
        // densities are equal, x² = 8·log(2)/3.
        for (shift, sd, wasserstein, kolmogorov) in [
            (0.0, 1.0, 0.0, 0.0),
            (0.3, 1.0, 0.3, 0.119_235_4),
            (3.0, 1.0, 3.0, 0.866_385_6),
            (0.0, 2.0, scale, 0.161_337_0),
        ] {
            let mut misses = [(0, 0); 5];
            for trial in 0..TRIALS {
                let mut rng = stream(13, trial);
                let a = normal(&mut rng, 80, 0.0, 1.0);
                let b = normal(&mut rng, 120, shift, sd);
                let (pa, pb) = (Points::line(&a).unwrap(), Points::line(&b).unwrap());
                let h = median_bandwidth(pa, pb, 0).unwrap();
                let truths = [
                    wasserstein,
                    kolmogorov,
                    energy_of_normals(shift, sd),
                    mmd_of_normals(shift, sd, h),
                    wasserstein,
                ];
                let found = compare(&a, &b, 1, &DISTANCES, EFFORT);
                for ((found, truth), misses) in found.iter().zip(truths).zip(&mut misses) {
                    misses.0 += u64::from(found.interval.upper < truth);
                    misses.1 += u64::from(found.interval.lower > truth);
                }
            }
            for (distance, (below, above)) in DISTANCES.iter().zip(misses) {
                let at = format!("{distance:?}, shift {shift}, sd {sd}, of {TRIALS}");
                assert!(below <= allowed, "{at}: {below} too low");
                assert!(above <= allowed, "{at}: {above} too high");
            }
        }
    }

    /// As above, for N(0, I) and N(δ e₁, I) in the plane: the same energy and kernel integrals in two dimensions are
    /// replaced by the sliced distance, whose truth is that of two points δ apart.
    #[test]
    fn intervals_of_the_sliced_distance_cover_it_in_the_plane() {
        let allowed = rarely_more_than(TRIALS as u64, LEVEL + 0.01);
        for shift in [0.0, 0.5] {
            let ends = [0.0, 0.0, shift, 0.0];
            let (from, to) = ends.split_at(2);
            let ends = (Points::new(from, 2).unwrap(), Points::new(to, 2).unwrap());
            let truth = sliced_wasserstein_1(ends.0, ends.1, DIRECTIONS, 14).unwrap();
            let (mut below, mut above) = (0, 0);
            for trial in 0..TRIALS {
                let mut rng = stream(23, trial);
                let a = normal(&mut rng, 160, 0.0, 1.0);
                let mut b = normal(&mut rng, 240, 0.0, 1.0);
                b.iter_mut().step_by(2).for_each(|x| *x += shift);
                let found = compare(&a, &b, 2, &DISTANCES[4..], EFFORT);
                below += u64::from(found[0].interval.upper < truth);
                above += u64::from(found[0].interval.lower > truth);
            }
            assert!(
                below <= allowed && above <= allowed,
                "{shift}: {below}, {above}"
            );
        }
    }

    /// The interval is not vacuous: a clear difference is bounded away from 0, and equal laws are
    /// shown to be within a margin. The power is above 0.99 in each case.
    #[test]
    fn a_planted_difference_is_seen_and_equal_laws_are_shown_close() {
        let margins = [0.25, 0.13, 0.25, 0.15, 0.25];
        let (mut seen, mut close) = ([0; 5], [0; 5]);
        for trial in 0..100 {
            let mut rng = stream(15, trial);
            let a = normal(&mut rng, 1000, 0.0, 1.0);
            let same = normal(&mut rng, 1000, 0.0, 1.0);
            let shifted = normal(&mut rng, 1000, 0.4, 1.0);
            let found = compare(&a, &shifted, 1, &DISTANCES, EFFORT);
            for (found, seen) in found.iter().zip(&mut seen) {
                let consistent = (found.p_within(0.0) < LEVEL) == (found.interval.lower > 0.0);
                assert!(consistent, "{found:?}");
                *seen += usize::from(found.interval.lower > 0.0);
            }
            let found = compare(&a, &same, 1, &DISTANCES, EFFORT);
            for ((found, margin), close) in found.iter().zip(margins).zip(&mut close) {
                *close += usize::from(found.interval.upper < margin);
                let shown = found.p_beyond(margin);
                assert!(shown <= LEVEL || found.interval.upper >= margin, "{shown}");
            }
        }
        assert!(seen.iter().all(|&seen| seen >= 95), "{seen:?} of 100 seen");
        assert!(
            close.iter().all(|&close| close >= 95),
            "{close:?} of 100 shown close"
        );
    }

    /// P(p ≤ 0.05) ≤ 0.05 under equal laws; the shift of half a standard deviation has power above 0.99. Each count
    /// exceeds its bound with probability at most 10⁻⁶.
    #[test]
    fn permutation_tests_have_their_size_on_the_line_and_on_paths() {
        let (trials, effort) = (
            400,
            Effort {
                permutations: 99,
                ..EFFORT
            },
        );
        let allowed = rarely_more_than(trials as u64, 0.05);
        for (d, distances) in [(1, &DISTANCES[..]), (4, &DISTANCES[2..])] {
            let (mut alarms, mut missed) = ([0; 5], [0; 5]);
            for trial in 0..trials {
                let mut rng = stream(24, trial);
                // Paths: sums of independent steps, so that their coordinates are dependent.
                let mut paths = |count: usize, shift: f64| -> Vec<f64> {
                    let mut values = normal(&mut rng, count * d, 0.0, 1.0);
                    for path in values.chunks_exact_mut(d) {
                        path[0] += shift;
                        for t in 1..d {
                            path[t] += path[t - 1];
                        }
                    }
                    values
                };
                let (a, b, c) = (paths(60, 0.0), paths(80, 0.0), paths(80, 1.5));
                for (i, found) in compare(&a, &b, d, distances, effort).iter().enumerate() {
                    alarms[i] += u64::from(found.p_same.unwrap() <= 0.05);
                }
                for (i, found) in compare(&a, &c, d, distances, effort).iter().enumerate() {
                    missed[i] += u64::from(found.p_same.unwrap() > 0.05);
                }
            }
            assert!(
                alarms.iter().all(|&count| count <= allowed),
                "{d}: {alarms:?} alarms"
            );
            assert!(
                missed.iter().all(|&count| count <= 20),
                "{d}: {missed:?} missed"
            );
        }
    }

    /// Standard normal coordinates in both samples, of correlation 0 and 0.8: no one coordinate tells, all distances in the
    /// plane do. Their power is above 0.99; the two marginal tests have their size.
    #[test]
    fn a_wrong_dependence_is_seen_by_the_joint_distances_alone() {
        let (trials, effort) = (
            100,
            Effort {
                permutations: 99,
                ..EFFORT
            },
        );
        let (mut joint, mut marginal) = ([0; 3], 0);
        for trial in 0..trials {
            let mut rng = stream(25, trial);
            let a = normal(&mut rng, 400, 0.0, 1.0);
            let mut b = normal(&mut rng, 400, 0.0, 1.0);
            for pair in b.chunks_exact_mut(2) {
                pair[1] = 0.8 * pair[0] + 0.6 * pair[1];
            }
            for (found, joint) in compare(&a, &b, 2, &DISTANCES[2..], effort)
                .iter()
                .zip(&mut joint)
            {
                *joint += u64::from(found.p_same.unwrap() <= 0.05);
            }
            let second = |x: &[f64]| x.iter().skip(1).step_by(2).copied().collect::<Vec<_>>();
            let found = compare(&second(&a), &second(&b), 1, &DISTANCES[..1], effort);
            marginal += u64::from(found[0].p_same.unwrap() <= 0.05);
        }
        assert!(
            joint.iter().all(|&seen| seen >= 95),
            "{joint:?} of {trials} seen"
        );
        assert!(
            marginal <= rarely_more_than(trials as u64, 0.05),
            "{marginal}"
        );
    }

    /// The mean of 400 independent distances has a relative error of about 2 %, that of the floor from one reference
    /// about 3 %.
    #[test]
    fn the_floor_is_the_mean_distance_of_independent_samples_of_one_law() {
        let (effort, trials) = (
            Effort {
                splits: 500,
                ..EFFORT
            },
            400,
        );
        for d in [1, 2] {
            let distances = if d == 1 {
                &DISTANCES[..]
            } else {
                &DISTANCES[2..]
            };
            let sample =
                |seed, trial, count: usize| normal(&mut stream(seed, trial), count * d, 0.0, 1.0);
            let found = compare(
                &sample(18, 0, 100),
                &sample(18, 1, 301),
                d,
                distances,
                effort,
            );
            let mut sums = [0.0; 5];
            for trial in 0..trials {
                let (a, b) = (sample(17, trial, 100), sample(19, trial, 301));
                for (i, found) in compare(&a, &b, d, distances, EFFORT).iter().enumerate() {
                    sums[i] += found.estimate / trials as f64;
                }
            }
            for (found, expected) in found.iter().zip(sums) {
                let ratio = found.floor.unwrap() / expected;
                assert!((ratio - 1.0).abs() < 0.12, "{:?}: {ratio}", found.distance);
            }
        }
    }

    #[test]
    fn estimates_are_the_plug_in_distances() {
        let (a, b) = ([0.0, 1.0, 5.0, 2.0], [0.5, 2.0]);
        let (pa, pb) = (Points::line(&a).unwrap(), Points::line(&b).unwrap());
        let found = compare(&a, &b, 1, &DISTANCES, EFFORT);
        let h = median_bandwidth(pa, pb, 14).unwrap();
        let expected = [
            wasserstein_1(&a, &b).unwrap(),
            kolmogorov_smirnov(&a, &b).unwrap().statistic,
            energy_distance(pa, pb).unwrap().sqrt(),
            mmd_squared(pa, pb, h).unwrap().sqrt(),
            sliced_wasserstein_1(pa, pb, DIRECTIONS, 14).unwrap(),
        ];
        assert_eq!(
            found.iter().map(|found| found.estimate).collect::<Vec<_>>(),
            expected
        );
        let found = compare(&a, &[0.5, 2.0, 1.0, 1.0], 2, &DISTANCES[2..4], EFFORT);
        let (pa, pb) = (
            Points::new(&a, 2).unwrap(),
            Points::new(&[0.5, 2.0, 1.0, 1.0], 2).unwrap(),
        );
        let energy = energy_distance(pa, pb).unwrap().sqrt();
        assert!((found[0].estimate - energy).abs() < 1e-15);
    }

    #[test]
    fn degenerate_samples_have_defined_results() {
        let effort = Effort {
            permutations: 19,
            splits: 3,
            ..EFFORT
        };
        for (d, distances) in [(1, &DISTANCES[..]), (2, &DISTANCES[2..])] {
            let same = [1.0, 2.0, 2.0, 4.0];
            for found in compare(&same, &same, d, distances, effort) {
                assert_eq!((found.estimate, found.interval.lower), (0.0, 0.0));
                assert_eq!((found.p_same, found.p_within(0.1)), (Some(1.0), 1.0));
                assert!(found.interval.upper > 0.0 && found.floor.unwrap() > 0.0);
                assert!(found.p_beyond(1e9) < LEVEL);
            }
            let constant = [2.0; 8];
            for found in compare(&constant, &constant, d, distances, effort) {
                assert_eq!((found.estimate, found.floor), (0.0, Some(0.0)));
                assert_eq!(found.p_same, Some(1.0));
            }
            for found in compare(
                &[0.0, 1.0, 3.0, 1.0],
                &[0.5, 9.0, 9.0, 9.0],
                d,
                distances,
                effort,
            ) {
                assert!(found.interval.lower >= 0.0 && found.interval.upper.is_finite());
            }
        }
        let point = Interval {
            lower: 3.0,
            upper: 3.0,
        };
        let found = compare(&[2.0; 5], &[5.0; 5], 1, &DISTANCES[..1], effort);
        assert_eq!(found[0].interval, point);
        assert_eq!((found[0].p_beyond(3.0), found[0].p_beyond(3.5)), (1.0, 0.0));
        let found = compare(&[2.0; 5], &[2.0; 5], 1, &DISTANCES[..1], EFFORT);
        assert_eq!(
            found[0].interval,
            Interval {
                lower: 0.0,
                upper: 0.0
            }
        );
        assert_eq!((found[0].floor, found[0].p_same), (None, None));
    }

    #[test]
    fn the_result_depends_on_the_seed_and_not_on_threads() {
        let mut rng = stream(22, 0);
        let (a, b) = (
            normal(&mut rng, 100, 0.0, 1.0),
            normal(&mut rng, 140, 0.5, 1.0),
        );
        let effort = Effort {
            permutations: 50,
            splits: 5,
            ..EFFORT
        };
        for d in [1, 2] {
            let distances = if d == 1 {
                &DISTANCES[..]
            } else {
                &DISTANCES[2..]
            };
            let of = |seed| {
                let (a, b) = (Points::new(&a, d).unwrap(), Points::new(&b, d).unwrap());
                distances_to_reference(a, b, distances, effort, seed).unwrap()
            };
            assert_same_on_any_threads(|| of(42));
            assert_ne!(of(42)[0].floor, of(43)[0].floor);
        }
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let error = |a: &[f64], b: &[f64], d, level, resamples| {
            let (a, b) = (Points::new(a, d).unwrap(), Points::new(b, d).unwrap());
            let effort = Effort {
                level,
                resamples,
                ..EFFORT
            };
            distances_to_reference(a, b, &DISTANCES[..1], effort, 0)
                .unwrap_err()
                .to_string()
        };
        let two = [0.0, 1.0];
        assert!(error(&[1.0], &two, 1, 0.05, 100).contains("1 points of the first sample"));
        assert!(error(&two, &two, 1, 0.7, 100).contains("level is 0.7"));
        assert!(error(&two, &two, 1, 0.01, 50).contains("50 resamples given, but at least 100"));
        let four = [0.0, 1.0, 2.0, 3.0];
        assert!(error(&four, &four, 2, 0.05, 100).contains("dimension is 2"));
    }
}
