//! Two ways to draw the noise of all errors anew: normal, and by resampling whole paths. Both know the correlations.

use rand_distr::{Distribution, StandardNormal};

use super::JointErrors;
use crate::statistics::PathMeans;
use crate::statistics::path_means::NormalVector;

impl JointErrors<'_> {
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

    /// By resampling whole paths.
    pub(super) fn resampled_noise(&self, rng: &mut impl rand::Rng) -> Vec<f64> {
        let paths: Vec<_> = self.rungs.iter().map(|r| r.paths.resampled(rng)).collect();
        let limits: Vec<_> = self.limits.iter().map(|l| l.resampled(rng)).collect();
        self.noise_scores(&paths, &limits)
    }
}

/// Normal noise with the covariances of the rungs and of the limits.
pub(super) struct ParametricNoise {
    paths: Vec<NormalVector>,
    limits: Vec<NormalVector>,
}

impl ParametricNoise {
    pub(super) fn new(errors: &JointErrors) -> Self {
        let normal = |means: &PathMeans| NormalVector::new(&means.covariance());
        Self {
            paths: errors.rungs.iter().map(|rung| normal(rung.paths)).collect(),
            limits: errors.limits.iter().map(normal).collect(),
        }
    }

    pub(super) fn draw(&self, errors: &JointErrors, rng: &mut impl rand::Rng) -> Vec<f64> {
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
