//! One order of convergence for many series at once: eᵣⱼ = cⱼ·αᵣᵖ over rungs r and series j, whose errors are correlated.

use rand_distr::{Distribution, StandardNormal};
use rayon::prelude::*;

use super::exponent_search::ExponentSearch;
use super::path_means::NormalVector;
use super::streams::stream;
use super::summary::{mean, quantile, sorted};
use super::{Interval, PathMeans, StatisticsError, checks};

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

/// eᵣⱼ = cⱼ·αᵣᵖ with one p for all series.
#[derive(Clone, Debug, PartialEq)]
pub struct JointOrder {
    /// p̂.
    pub exponent: f64,
    /// Its 1 − 2·level interval by parametric bootstrap: right if the model holds.
    pub parametric: Interval,
    /// Its 1 − 2·level interval by resampling whole paths: right also where the model is an approximation.
    pub resampled: Interval,
    /// X² = Σ ((eᵣⱼ − ĉⱼ·αᵣᵖ)/seᵣⱼ)². It has no χ² law, as errors are correlated.
    pub chi_squared: f64,
    /// What X² is on average if the model holds.
    pub expected_chi_squared: f64,
    /// Number of errors less number of parameters.
    pub degrees_of_freedom: usize,
    /// P(X² or larger) if the model holds, by parametric bootstrap; `None` with no degrees of freedom.
    pub p_value: Option<f64>,
    /// p̂ without the rungs of the largest step size; `None` where too few are left.
    pub without_coarsest: Option<f64>,
    /// p̂ of all resamples of paths, increasing.
    pub resampled_exponents: Vec<f64>,
    /// Each series by itself.
    pub series: Vec<SeriesOrder>,
}

/// One series of a [`JointOrder`] with an exponent of its own.
#[derive(Clone, Debug, PartialEq)]
pub struct SeriesOrder {
    /// ĉⱼ of the joint model.
    pub coefficient: f64,
    /// The exponent of this series alone; `None` where the best one is at −4 or 8.
    pub exponent: Option<f64>,
    /// As of the joint model.
    pub parametric: Interval,
    /// As of the joint model.
    pub resampled: Interval,
    /// Of the fit to this series alone.
    pub chi_squared: f64,
    /// Of the fit to this series alone.
    pub degrees_of_freedom: usize,
    /// Of the fit to this series alone.
    pub p_value: Option<f64>,
    /// floor·seᵣⱼ for each rung, in the units of the series: smaller errors are noise.
    pub noise_floor: Vec<f64>,
    /// Whether each rung's error is at least that.
    pub above_floor: Vec<bool>,
}

impl JointOrder {
    /// An interval for p that allows for a model which does not quite hold: that of resampled paths, stretched about p̂ by
    /// √(X²/E X²) where that exceeds 1 (Birge 1932), cut at the ends −4 and 8 of the range searched, and widened to what p̂ is
    /// without the coarsest rungs.
    pub fn cautious(&self) -> Interval {
        let stretch = (self.chi_squared / self.expected_chi_squared)
            .sqrt()
            .max(1.0);
        let without = self.without_coarsest.unwrap_or(self.exponent);
        let end = |end: f64| ExponentSearch::clamp(self.exponent + (end - self.exponent) * stretch);
        Interval {
            lower: end(self.resampled.lower).min(without),
            upper: end(self.resampled.upper).max(without),
        }
    }
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

    /// Scores from what is drawn for each rung and each limit.
    fn noise_scores(&self, paths: &[Vec<f64>], limits: &[Vec<f64>]) -> Vec<f64> {
        let rungs = self.rungs.len();
        (0..self.errors.len())
            .map(|i| {
                let (j, r) = (i / rungs, i % rungs);
                (paths[r][j] - limits[self.rungs[r].limit][j]) / self.std_errors[i]
            })
            .collect()
    }

    fn resampled_noise(&self, rng: &mut impl rand::Rng) -> Vec<f64> {
        let paths: Vec<_> = self.rungs.iter().map(|r| r.paths.resampled(rng)).collect();
        let limits: Vec<_> = self.limits.iter().map(|l| l.resampled(rng)).collect();
        self.noise_scores(&paths, &limits)
    }
}

/// Normal noise with the covariances of the rungs and of the limits.
struct ParametricNoise {
    paths: Vec<NormalVector>,
    limits: Vec<NormalVector>,
}

impl ParametricNoise {
    fn new(errors: &JointErrors) -> Self {
        let normal = |means: &PathMeans| NormalVector::new(&means.covariance());
        Self {
            paths: errors.rungs.iter().map(|rung| normal(rung.paths)).collect(),
            limits: errors.limits.iter().map(normal).collect(),
        }
    }

    fn draw(&self, errors: &JointErrors, rng: &mut impl rand::Rng) -> Vec<f64> {
        let mut draw_all = |laws: &[NormalVector]| -> Vec<Vec<f64>> {
            laws.iter()
                .map(|law| law.draw(rng).as_slice().to_vec())
                .collect()
        };
        let (paths, limits) = (draw_all(&self.paths), draw_all(&self.limits));
        let mut scores = errors.noise_scores(&paths, &limits);
        for (i, score) in scores.iter_mut().enumerate() {
            let rounding: f64 = StandardNormal.sample(rng);
            *score += rounding * errors.rounding[i] / errors.std_errors[i];
        }
        scores
    }
}

fn sum(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a + b).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::statistics::testing::{
        assert_close, assert_same_on_any_threads, normal, number, numbers, rarely_more_than,
    };
    use crate::statistics::{Outcome, classify, kolmogorov_smirnov_cdf, power_law};

    const STEP_SIZES: [f64; 4] = [0.2, 0.1, 0.05, 0.025];
    const PATHS: usize = 60;

    fn reference(key: &str) -> Vec<Value> {
        let all: Value = serde_json::from_str(include_str!("../../tests/reference/joint.json"))
            .expect("the reference file is JSON");
        all[key].as_array().expect("a list").clone()
    }

    /// Two paths with the given means and standard errors.
    fn two_paths(means: &[f64], std_errors: &[f64]) -> PathMeans {
        let pairs = || means.iter().zip(std_errors);
        let values = pairs()
            .map(|(e, se)| e - se)
            .chain(pairs().map(|(e, se)| e + se));
        PathMeans::new(&values.collect::<Vec<_>>(), means.len()).unwrap()
    }

    #[test]
    fn joint_fits_agree_with_scipy() {
        for case in reference("joint_orders") {
            let lists = |key: &str| -> Vec<Vec<f64>> {
                case[key].as_array().unwrap().iter().map(numbers).collect()
            };
            let (step_sizes, nuisance) = (numbers(&case["step_sizes"]), lists("nuisance"));
            let (errors, std_errors) = (lists("errors"), lists("std_errors"));
            let of_rung =
                |values: &[Vec<f64>], r| values.iter().map(|of| of[r]).collect::<Vec<_>>();
            let ensembles: Vec<_> = (0..step_sizes.len())
                .map(|r| two_paths(&of_rung(&errors, r), &of_rung(&std_errors, r)))
                .collect();
            let rungs: Vec<_> = step_sizes
                .iter()
                .zip(&ensembles)
                .map(|(&step_size, paths)| JointRung {
                    step_size,
                    paths,
                    limit: 0,
                })
                .collect();
            let limits = [PathMeans::exact(&vec![0.0; errors.len()]).unwrap()];
            let floor = vec![0.0; errors.len()];
            let joint = JointErrors::new(&rungs, &limits, &floor, &nuisance).unwrap();
            let order = joint.order(3.0, 0.05, 100, 1).unwrap();
            assert_close(order.exponent, number(&case["exponent"]), 1e-6);
            assert_close(order.chi_squared, number(&case["chi_squared"]), 1e-6);
            assert_eq!(
                order.degrees_of_freedom as f64,
                number(&case["degrees_of_freedom"])
            );
            for (series, expected) in order.series.iter().zip(numbers(&case["coefficients"])) {
                assert_close(series.coefficient, expected, 1e-5);
            }
            if errors.len() == 1 {
                let alone = power_law(&step_sizes, &errors[0], &std_errors[0], 3.0, 0.05, 100, 1);
                assert_close(order.exponent, alone.unwrap().exponent, 1e-9);
            }
        }
    }

    /// Ensembles of correlated series: all series of a path share a half of its variance.
    struct Ensembles {
        paths: Vec<PathMeans>,
        limits: Vec<PathMeans>,
    }

    /// Errors `coefficients[j]`·(αᵖ + `bend`[j]·α²), noise of unit variance times `noise`.
    fn ensembles(order: f64, bend: [f64; 3], noise: f64, trial: usize) -> Ensembles {
        let coefficients = [1.0, -0.6, 0.1];
        let mut rng = stream(41, trial);
        let mut ensemble = |count: usize, mean: &dyn Fn(usize) -> f64| {
            let mut values = Vec::with_capacity(3 * count);
            for _ in 0..count {
                let z = normal(&mut rng, 4, 0.0, noise * 0.5_f64.sqrt());
                values.extend((0..3).map(|j| mean(j) + z[0] + z[1 + j]));
            }
            PathMeans::new(&values, 3).unwrap()
        };
        let limits = vec![ensemble(PATHS, &|_| 0.0)];
        let paths = STEP_SIZES
            .iter()
            .map(|a| {
                ensemble(PATHS, &|j| {
                    coefficients[j] * (a.powf(order) + bend[j] * a * a)
                })
            })
            .collect();
        Ensembles { paths, limits }
    }

    fn with_errors<T>(ensembles: &Ensembles, f: impl FnOnce(&JointErrors) -> T) -> T {
        let rungs: Vec<_> = STEP_SIZES
            .iter()
            .zip(&ensembles.paths)
            .map(|(&step_size, paths)| JointRung {
                step_size,
                paths,
                limit: 0,
            })
            .collect();
        f(&JointErrors::new(&rungs, &ensembles.limits, &[1e-9; 3], &[]).unwrap())
    }

    fn order(ensembles: &Ensembles, resamples: usize) -> JointOrder {
        with_errors(ensembles, |errors| {
            errors.order(3.0, 0.05, resamples, 7).unwrap()
        })
    }

    /// The intervals miss the true order on either side with probability at most 6.5 % (5 % nominal), a wrong order is
    /// rejected nearly always, and p-values are uniform though the errors are correlated within rungs and through the
    /// limit; each count fails with probability at most 10⁻⁶, the Kolmogorov–Smirnov test too.
    #[test]
    fn intervals_cover_the_order_and_p_values_are_uniform_for_correlated_errors() {
        let trials = 500;
        let mut misses = [0; 4];
        let mut wrongly_passed = 0;
        let mut p_values = Vec::new();
        for trial in 0..trials {
            let fit = order(&ensembles(1.0, [0.0; 3], 0.1, trial), 199);
            for (at, interval) in [fit.parametric, fit.resampled].iter().enumerate() {
                misses[2 * at] += u64::from(interval.upper < 1.0);
                misses[2 * at + 1] += u64::from(interval.lower > 1.0);
            }
            // Between the steps of a permutation p-value, so that its law is continuous.
            let z = normal(&mut stream(42, trial), 1, 0.0, 1.0)[0];
            let jitter = 0.5 * libm::erfc(z / 2.0_f64.sqrt());
            p_values.push(fit.p_value.unwrap() - jitter / 200.0);
            if trial < 100 {
                let wrong = order(&ensembles(0.5, [0.0; 3], 0.1, trial), 40);
                let verdict = classify(wrong.resampled, 1.0, 0.25);
                wrongly_passed += u64::from(verdict != Outcome::Rejected);
            }
        }
        let allowed = rarely_more_than(trials as u64, 0.065);
        assert!(
            misses.iter().all(|&misses| misses <= allowed),
            "{misses:?} of {allowed}"
        );
        assert!(
            wrongly_passed <= rarely_more_than(100, 0.05),
            "{wrongly_passed}"
        );
        let uniform = kolmogorov_smirnov_cdf(&p_values, |x| x.clamp(0.0, 1.0)).unwrap();
        assert!(uniform.p_value > 1e-6, "{uniform:?}");
    }

    /// A χ² law with the nominal degrees of freedom would have p-values far from uniform here.
    #[test]
    fn the_goodness_of_fit_knows_of_the_correlations() {
        let fit = order(&ensembles(1.0, [0.0; 3], 0.1, 0), 400);
        assert_eq!(fit.degrees_of_freedom, 8);
        // Every error carries noise of the limit that is common to its series, and coefficients can take up part of it.
        assert!(
            fit.expected_chi_squared < 7.5,
            "{}",
            fit.expected_chi_squared
        );
    }

    #[test]
    fn a_series_that_changes_sign_shows_in_the_goodness_of_fit() {
        let fit = order(&ensembles(1.0, [0.0, -12.0, 0.0], 0.01, 1), 400);
        assert!(fit.p_value.unwrap() < 0.005, "{:?}", fit.p_value);
        let own: Vec<_> = fit.series.iter().map(|series| series.exponent).collect();
        assert!((own[0].unwrap() - 1.0).abs() < 0.1, "{own:?}");
        assert!(own[1].is_none_or(|p| (p - 1.0).abs() > 0.5), "{own:?}");
        assert!(fit.series[0].p_value.unwrap() > 0.005);
        assert!(fit.series[1].p_value.unwrap() < 0.005);
    }

    #[test]
    fn where_no_single_power_holds_the_cautious_interval_reaches_further() {
        let fit = order(&ensembles(1.0, [3.0; 3], 0.001, 2), 400);
        let (cautious, naive) = (fit.cautious(), fit.resampled);
        assert!(fit.p_value.unwrap() < 0.005);
        assert!(cautious.lower <= fit.without_coarsest.unwrap() && fit.exponent <= cautious.upper);
        assert!(cautious.upper - cautious.lower > 3.0 * (naive.upper - naive.lower));
        // Where it holds, it is that of the paths, or nearly.
        let fit = order(&ensembles(1.0, [0.0; 3], 0.001, 2), 400);
        let ratio = (fit.cautious().upper - fit.cautious().lower)
            / (fit.resampled.upper - fit.resampled.lower);
        assert!((1.0..2.5).contains(&ratio), "{ratio}");
    }

    #[test]
    fn rungs_under_the_floor_are_named_in_units_of_the_observable() {
        let fit = order(&ensembles(1.0, [0.0; 3], 0.1, 3), 40);
        // Standard errors are 0.1·√(2/60) = 0.018.
        assert_eq!(fit.series[0].above_floor[..2], [true; 2]);
        assert!(!fit.series[0].above_floor[3]);
        assert_eq!(fit.series[2].above_floor, [false; 4]);
        assert_close(fit.series[0].noise_floor[0], 3.0 * 0.018, 0.3);
        let nothing = with_errors(&ensembles(1.0, [0.0; 3], 10.0, 3), |errors| {
            errors.order(3.0, 0.05, 40, 7)
        });
        assert!(matches!(
            nothing,
            Err(StatisticsError::BelowNoiseFloor { above: 0, .. })
        ));
    }

    #[test]
    fn exact_identical_and_constant_samples_have_defined_results() {
        let exact = |step: &f64| PathMeans::exact(&[*step, -2.0 * step]).unwrap();
        let paths: Vec<_> = STEP_SIZES.iter().map(exact).collect();
        let ensembles = |paths: Vec<PathMeans>| Ensembles {
            paths,
            limits: vec![PathMeans::exact(&[0.0; 2]).unwrap()],
        };
        let fit = |ensembles: &Ensembles, floor: f64| {
            let rungs: Vec<_> = STEP_SIZES
                .iter()
                .zip(&ensembles.paths)
                .map(|(&step_size, paths)| JointRung {
                    step_size,
                    paths,
                    limit: 0,
                })
                .collect();
            JointErrors::new(&rungs, &ensembles.limits, &[floor; 2], &[])
                .and_then(|errors| errors.order(3.0, 0.05, 40, 7))
        };
        assert_close(
            fit(&ensembles(paths.clone()), 1e-6).unwrap().exponent,
            1.0,
            1e-9,
        );
        let error = fit(&ensembles(paths), 0.0).unwrap_err().to_string();
        assert!(error.contains("standard errors is 0"), "{error}");
        let constant = vec![PathMeans::new(&[0.0; 20], 2).unwrap(); 4];
        assert!(matches!(
            fit(&ensembles(constant), 1e-6),
            Err(StatisticsError::BelowNoiseFloor { .. })
        ));
        let two = STEP_SIZES
            .iter()
            .map(|a| two_paths(&[*a, 2.0 * a], &[0.01 * a; 2]));
        assert!(fit(&ensembles(two.collect()), 1e-9).is_ok());
    }

    #[test]
    fn the_result_depends_on_the_seed_and_not_on_threads() {
        let ensembles = ensembles(1.0, [0.0; 3], 0.1, 4);
        let fit = |seed| {
            with_errors(&ensembles, |errors| {
                let more = errors.resampled_exponents(50, seed);
                (errors.order(3.0, 0.05, 100, seed).unwrap(), more)
            })
        };
        assert_same_on_any_threads(|| fit(42));
        assert_ne!(fit(42).0.resampled, fit(43).0.resampled);
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let means = PathMeans::exact(&[0.1, 0.2]).unwrap();
        let rung = |step_size, limit| JointRung {
            step_size,
            paths: &means,
            limit,
        };
        let limits = [PathMeans::exact(&[0.0; 2]).unwrap()];
        let message = |rungs: &[JointRung], floors: &[f64], nuisance: &[Vec<f64>]| {
            JointErrors::new(rungs, &limits, floors, nuisance)
                .map(|_| ())
                .unwrap_err()
                .to_string()
        };
        let both = [rung(0.2, 0), rung(0.1, 0)];
        assert!(message(&both[..1], &[1.0; 2], &[]).contains("at least 2"));
        assert!(message(&both, &[1.0; 3], &[]).contains("means of a rung"));
        assert!(message(&[rung(0.2, 0), rung(0.1, 1)], &[1.0; 2], &[]).contains("limits"));
        assert!(message(&[rung(0.2, 0), rung(-0.1, 0)], &[1.0; 2], &[]).contains("step sizes"));
        assert!(message(&both, &[1.0; 2], &[vec![1.0]]).contains("nuisance"));
        let errors = JointErrors::new(&both, &limits, &[1e-3; 2], &[]).unwrap();
        assert!(errors.order(f64::NAN, 0.05, 100, 1).is_err());
        assert!(errors.order(3.0, 0.5, 100, 1).is_err());
        assert!(errors.order(3.0, 0.01, 99, 1).is_err());
    }
}
