//! One order of convergence for many series at once: eᵣⱼ = cⱼ·αᵣᵖ over rungs r and series j, whose errors are correlated.

mod noise;
mod result;

use rayon::prelude::*;

use super::exponent_search::ExponentSearch;
use super::streams::stream;
use super::summary::{mean, quantile, sorted};
use super::{Interval, PathMeans, StatisticsError, checks};
use noise::ParametricNoise;
pub use result::{JointOrder, SeriesOrder};

/// A rung of the ladder: the paths at one step size, and the limit that they are compared with.
#[derive(Clone, Copy, Debug)]
pub struct JointRung<'a> {
    /// α.
    pub step_size: f64,
    /// The means of all series.
    pub paths: &'a PathMeans,
    /// Which limit; rungs with the same limit share its error.
    pub limit: usize,
}

/// Signed errors of the means of all series on all rungs, with all that is known of their noise.
///
/// eᵣⱼ = x̄ᵣⱼ − ȳⱼ, the means of rung r and of its limit. The series of one rung are correlated, as they come from the same
/// paths, and the rungs are, where their limit is an ensemble.
#[derive(Debug)]
pub struct JointErrors<'a> {
    rungs: &'a [JointRung<'a>],
    limits: &'a [PathMeans],
    series: usize,
    /// Series after series, one for each rung.
    errors: Vec<f64>,
    std_errors: Vec<f64>,
    /// What the standard errors have beyond the noise of paths and limits.
    rounding: Vec<f64>,
    nuisance: &'a [Vec<f64>],
}

/// What one resample gives: the exponents and χ² of the joint fit and of each series.
struct Refit {
    joint: (f64, f64),
    series: Vec<(f64, f64)>,
}

impl<'a> JointErrors<'a> {
    /// `smallest_std_errors` (one for each series) stand for rounding, where the noise is less; `nuisance` are further
    /// error terms with free coefficients for each series, each given by its value on every rung, such as σ² where σ varies.
    ///
    /// # Errors
    /// No limit for a rung, numbers of series that differ, fewer than two rungs, step sizes not greater than 0, standard
    /// errors that are 0, numbers that are not finite.
    pub fn new(
        rungs: &'a [JointRung<'a>],
        limits: &'a [PathMeans],
        smallest_std_errors: &[f64],
        nuisance: &'a [Vec<f64>],
    ) -> Result<Self, StatisticsError> {
        let step_sizes: Vec<f64> = rungs.iter().map(|rung| rung.step_size).collect();
        checks::finite("step sizes", &step_sizes, 2)?;
        checks::positive("step sizes", &step_sizes, rungs.len())?;
        let series = smallest_std_errors.len();
        checks::finite("smallest standard errors", smallest_std_errors, 1)?;
        for rung in rungs {
            if rung.limit >= limits.len() {
                return Err(StatisticsError::TooFew {
                    what: "limits",
                    given: limits.len(),
                    needed: rung.limit + 1,
                });
            }
            let limit = &limits[rung.limit];
            checks::one_per_point("means of a rung", rung.paths.means(), series)?;
            checks::one_per_point("means of a limit", limit.means(), series)?;
        }
        for term in nuisance {
            checks::one_per_point("values of a nuisance term", term, rungs.len())?;
        }
        let mut joint = Self {
            rungs,
            limits,
            series,
            errors: Vec::new(),
            std_errors: Vec::new(),
            rounding: Vec::new(),
            nuisance,
        };
        for (j, smallest) in smallest_std_errors.iter().enumerate() {
            for rung in rungs {
                let limit = &limits[rung.limit];
                let noise = rung.paths.std_errors()[j].hypot(limit.std_errors()[j]);
                let std_error = noise.max(*smallest);
                joint.errors.push(rung.paths.means()[j] - limit.means()[j]);
                joint.std_errors.push(std_error);
                joint
                    .rounding
                    .push((std_error.powi(2) - noise.powi(2)).max(0.0).sqrt());
            }
        }
        let count = joint.errors.len();
        checks::positive("standard errors", &joint.std_errors, count)?;
        checks::finite("error / standard error", &joint.scores(), 0)?;
        Ok(joint)
    }

    /// Fits the joint model by minimising Σ ((eᵣⱼ − cⱼ·αᵣᵖ)/seᵣⱼ)² over all cⱼ and p ∈ [−4, 8].
    ///
    /// The weights treat the errors as independent, which costs little efficiency and needs no inverse of an estimated
    /// covariance; intervals and the p-value of X² come from two bootstraps that know the correlations (working
    /// independence, Liang & Zeger 1986). The parametric one refits ĉⱼ·αᵣᵖ plus normal noise with the covariance of a
    /// rung's means and the noise of the limit, common to its rungs. The other resamples whole paths of each rung and of
    /// the limit (Efron & Tibshirani 1993, §8.6), in blocks; see [`PathMeans`]. Intervals are those of percentiles. The
    /// p-value is (1 + #{X²* ≥ X²})/(1 + `resamples`).
    ///
    /// `floor` is in standard errors; `level` is one-sided.
    ///
    /// # Errors
    /// [`BelowNoiseFloor`](StatisticsError::BelowNoiseFloor) when fewer than two step sizes have an error above the floor;
    /// [`NoPowerLaw`](StatisticsError::NoPowerLaw) when the best exponent is at −4 or 8; an illegal floor or level, fewer
    /// than 1/level resamples.
    pub fn order(
        &self,
        floor: f64,
        level: f64,
        resamples: usize,
        seed: u64,
    ) -> Result<JointOrder, StatisticsError> {
        let legal = floor.is_finite() && floor >= 0.0;
        checks::within(legal, "noise floor", floor, "finite and at least 0")?;
        checks::level(level)?;
        checks::resamples(resamples, level)?;
        let rungs = self.rungs.len();
        let scores = self.scores();
        self.stands_out(&scores, floor)?;

        let search = self.search();
        let projected = search.projected(&scores);
        let exponent = search.best_exponent(&projected, 0..self.series);
        let joint_fit: Vec<_> = (0..self.series)
            .map(|j| search.at(exponent, &projected, j))
            .collect();
        let chi_squared = joint_fit.iter().map(|fit| fit.chi_squared).sum();
        let parameters = 1 + search.nuisance_terms();
        let degrees_of_freedom = (self.series * rungs).saturating_sub(self.series * parameters + 1);
        if ExponentSearch::is_edge(exponent) {
            return Err(StatisticsError::NoPowerLaw {
                exponent,
                chi_squared,
                degrees_of_freedom,
            });
        }
        let own: Vec<_> = (0..self.series)
            .map(|j| {
                let exponent = search.best_exponent(&projected, j..j + 1);
                (exponent, search.at(exponent, &projected, j))
            })
            .collect();

        let fitted: Vec<f64> = joint_fit
            .iter()
            .flat_map(|fit| fit.fitted.clone())
            .collect();
        let own_fitted: Vec<f64> = own.iter().flat_map(|(_, fit)| fit.fitted.clone()).collect();
        let noise = ParametricNoise::new(self);
        let (modelled, resampled): (Vec<Refit>, Vec<Refit>) = (0..resamples)
            .into_par_iter()
            .map(|resample| {
                let noise = noise.draw(self, &mut stream(seed, 2 * resample));
                let paths = self.resampled_noise(&mut stream(seed, 2 * resample + 1));
                (
                    self.refit(&search, &sum(&fitted, &noise), &sum(&own_fitted, &noise)),
                    self.refit(&search, &sum(&scores, &paths), &sum(&scores, &paths)),
                )
            })
            .unzip();

        let interval = |exponents: Vec<f64>| {
            let exponents = sorted(&exponents);
            Interval {
                lower: quantile(&exponents, level),
                upper: quantile(&exponents, 1.0 - level),
            }
        };
        let tail = |dof: usize, chi_squared: f64, drawn: &[f64]| {
            let larger = drawn.iter().filter(|&&x| x >= chi_squared).count();
            (dof > 0).then(|| (1 + larger) as f64 / (1 + drawn.len()) as f64)
        };
        let series = own
            .iter()
            .zip(&joint_fit)
            .enumerate()
            .map(|(j, ((exponent, fit), joint))| {
                let of = |refits: &[Refit]| refits.iter().map(|refit| refit.series[j].0).collect();
                let drawn: Vec<f64> = modelled.iter().map(|refit| refit.series[j].1).collect();
                let std_errors = &self.std_errors[j * rungs..][..rungs];
                let above = |r: usize| scores[j * rungs + r].abs() >= floor;
                let dof = rungs.saturating_sub(parameters + 1);
                SeriesOrder {
                    coefficient: joint.coefficient,
                    exponent: (!ExponentSearch::is_edge(*exponent)).then_some(*exponent),
                    parametric: interval(of(&modelled)),
                    resampled: interval(of(&resampled)),
                    chi_squared: fit.chi_squared,
                    degrees_of_freedom: dof,
                    p_value: tail(dof, fit.chi_squared, &drawn),
                    noise_floor: std_errors.iter().map(|se| floor * se).collect(),
                    above_floor: (0..rungs).map(above).collect(),
                }
            })
            .collect();
        let drawn: Vec<f64> = modelled.iter().map(|refit| refit.joint.1).collect();
        let joint = |refits: &[Refit]| refits.iter().map(|refit| refit.joint.0).collect::<Vec<_>>();
        Ok(JointOrder {
            exponent,
            parametric: interval(joint(&modelled)),
            resampled: interval(joint(&resampled)),
            chi_squared,
            expected_chi_squared: mean(&drawn),
            degrees_of_freedom,
            p_value: tail(degrees_of_freedom, chi_squared, &drawn),
            without_coarsest: self.without_coarsest(),
            resampled_exponents: sorted(&joint(&resampled)),
            series,
        })
    }

    /// p̂ of the joint model on `resamples` further resamples of whole paths.
    pub fn resampled_exponents(&self, resamples: usize, seed: u64) -> Vec<f64> {
        let search = self.search();
        let scores = self.scores();
        (0..resamples)
            .into_par_iter()
            .map(|resample| {
                let noise = self.resampled_noise(&mut stream(seed, 2 * resample + 1));
                let drawn = search.projected(&sum(&scores, &noise));
                search.best_exponent(&drawn, 0..self.series)
            })
            .collect()
    }

    fn scores(&self) -> Vec<f64> {
        let pairs = self.errors.iter().zip(&self.std_errors);
        pairs.map(|(e, se)| e / se).collect()
    }

    fn search(&self) -> ExponentSearch {
        let step_sizes: Vec<f64> = self.rungs.iter().map(|rung| rung.step_size).collect();
        ExponentSearch::new(&step_sizes, &self.std_errors, self.nuisance)
    }

    fn stands_out(&self, scores: &[f64], floor: f64) -> Result<(), StatisticsError> {
        let rungs = self.rungs.len();
        let is_above = |r: &usize| scores.chunks(rungs).any(|scores| scores[*r].abs() >= floor);
        let above = (0..rungs).filter(is_above).map(|r| self.rungs[r].step_size);
        let mut distinct = sorted(&above.collect::<Vec<_>>());
        distinct.dedup();
        if distinct.len() < 2 {
            return Err(StatisticsError::BelowNoiseFloor {
                above: distinct.len(),
                floor,
            });
        }
        Ok(())
    }

    fn without_coarsest(&self) -> Option<f64> {
        let steps = self.rungs.iter().map(|rung| rung.step_size);
        let coarsest = steps.fold(0.0, f64::max);
        let finer: Vec<usize> = (0..self.rungs.len())
            .filter(|&r| self.rungs[r].step_size < coarsest)
            .collect();
        let step_sizes: Vec<f64> = finer.iter().map(|&r| self.rungs[r].step_size).collect();
        let mut distinct = sorted(&step_sizes);
        distinct.dedup();
        if distinct.len() < 2 {
            return None;
        }
        let of_finer = |values: &[f64]| -> Vec<f64> {
            let series = values.chunks(self.rungs.len());
            series.flat_map(|of| finer.iter().map(|&r| of[r])).collect()
        };
        let nuisance: Vec<_> = self.nuisance.iter().map(|term| of_finer(term)).collect();
        let search = ExponentSearch::new(&step_sizes, &of_finer(&self.std_errors), &nuisance);
        let scores = search.projected(&of_finer(&self.scores()));
        Some(search.best_exponent(&scores, 0..self.series))
    }

    fn refit(&self, search: &ExponentSearch, joint: &[f64], own: &[f64]) -> Refit {
        let (joint, own) = (search.projected(joint), search.projected(own));
        let exponent = search.best_exponent(&joint, 0..self.series);
        let fits = (0..self.series).map(|j| search.at(exponent, &joint, j).chi_squared);
        Refit {
            joint: (exponent, fits.sum()),
            series: (0..self.series)
                .map(|j| {
                    let exponent = search.best_exponent(&own, j..j + 1);
                    (exponent, search.at(exponent, &own, j).chi_squared)
                })
                .collect(),
        }
    }
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}
#[cfg(test)]
mod tests;
