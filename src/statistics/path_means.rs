//! The means of several series over one ensemble of paths, with the noise that whole paths put into all of them at once.

use nalgebra::{DMatrix, DVector};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};

use super::{StatisticsError, checks};

/// Paths are resampled in at most this many blocks.
const BLOCKS: usize = 512;

/// x̄ⱼ = Σᵢ xᵢⱼ/n for series j over paths i, and how they vary together.
///
/// A series is one number of each path: an observable at a record time, say. Values of one path are correlated, paths are
/// independent, so only whole paths may be resampled. They are grouped, in their order, into at most 512 blocks of equal
/// size (up to one path), and blocks take the part of paths: the block bootstrap of independent data, whose blocks have the
/// same covariance of the mean as paths have. Correlations have the degrees of freedom of the blocks; variances are those
/// of the paths.
#[derive(Clone, Debug, PartialEq)]
pub struct PathMeans {
    means: Vec<f64>,
    std_errors: Vec<f64>,
    /// Block by block, one entry a series: what the block adds to the mean's deviation when it is drawn once more than the
    /// others. The squares of a series sum to its squared standard error.
    deviations: Vec<f64>,
}

impl PathMeans {
    /// From the values of all paths, one path after the other, `series` numbers each.
    ///
    /// # Errors
    /// No series, fewer than two paths, a path that is not complete, a value that is not finite.
    pub fn new(values: &[f64], series: usize) -> Result<Self, StatisticsError> {
        checks::within(series > 0, "number of series", 0.0, "at least 1")?;
        checks::finite("values of the paths", values, 2 * series)?;
        let paths = values.len() / series;
        if paths * series != values.len() {
            return Err(StatisticsError::LengthMismatch {
                what: "values of the paths",
                given: values.len(),
                expected: paths * series,
            });
        }
        // Relative to the first path, which makes the means of constant series exact.
        let origin = &values[..series];
        let mut means = vec![0.0; series];
        for path in values.chunks_exact(series) {
            for ((mean, x), origin) in means.iter_mut().zip(path).zip(origin) {
                *mean += x - origin;
            }
        }
        for (mean, origin) in means.iter_mut().zip(origin) {
            *mean = origin + *mean / paths as f64;
        }

        let blocks = paths.min(BLOCKS);
        let mut deviations = vec![0.0; blocks * series];
        let mut squares = vec![0.0; series];
        for (path, values) in values.chunks_exact(series).enumerate() {
            let block = path * blocks / paths;
            for j in 0..series {
                let away = values[j] - means[j];
                deviations[block * series + j] += away;
                squares[j] += away * away;
            }
        }
        let n = paths as f64;
        let std_errors: Vec<f64> = squares
            .iter()
            .map(|sum| (sum / (n - 1.0) / n).sqrt())
            .collect();
        for j in 0..series {
            let length = (0..blocks)
                .map(|block| deviations[block * series + j].powi(2))
                .sum::<f64>()
                .sqrt();
            let scale = if length > 0.0 {
                std_errors[j] / length
            } else {
                0.0
            };
            for block in 0..blocks {
                deviations[block * series + j] *= scale;
            }
        }
        Ok(Self {
            means,
            std_errors,
            deviations,
        })
    }

    /// Values that are known exactly, such as those of a deterministic limit.
    ///
    /// # Errors
    /// No value, or one that is not finite.
    pub fn exact(values: &[f64]) -> Result<Self, StatisticsError> {
        checks::finite("exact values", values, 1)?;
        Ok(Self {
            means: values.to_vec(),
            std_errors: vec![0.0; values.len()],
            deviations: Vec::new(),
        })
    }

    /// x̄ⱼ.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// √(s²ⱼ/n); 0 of what is exact.
    pub fn std_errors(&self) -> &[f64] {
        &self.std_errors
    }

    /// The covariance of the means of all series.
    pub fn covariance(&self) -> DMatrix<f64> {
        let series = self.means.len();
        let blocks = self.deviations.len() / series;
        let deviations = DMatrix::from_column_slice(series, blocks, &self.deviations);
        &deviations * deviations.transpose()
    }

    /// The deviation x̄* − x̄ when as many blocks are drawn with replacement as there are (Efron 1979).
    pub(super) fn resampled(&self, rng: &mut impl rand::Rng) -> Vec<f64> {
        let series = self.means.len();
        let blocks = self.deviations.len() / series;
        let mut deviation = vec![0.0; series];
        for _ in 0..blocks {
            let block = rng.random_range(0..blocks);
            let drawn = &self.deviations[block * series..][..series];
            for (sum, x) in deviation.iter_mut().zip(drawn) {
                *sum += x;
            }
        }
        deviation
    }
}

/// Draws from N(0, C) for a covariance C, singular ones included.
///
/// With Gaussian multipliers g, a resampled mean Σ_b g_b d_b of the deviations d_b of blocks has exactly this law, C being
/// their covariance: this is the multiplier bootstrap (van der Vaart & Wellner 1996, §2.9), at a cost that does not grow
/// with the blocks.
pub(super) struct NormalVector {
    /// R with RRᵀ = C.
    root: DMatrix<f64>,
}

impl NormalVector {
    pub(super) fn new(covariance: &DMatrix<f64>) -> Self {
        let scales = DVector::from_iterator(
            covariance.nrows(),
            covariance.diagonal().iter().map(|v| v.max(0.0).sqrt()),
        );
        let correlation = DMatrix::from_fn(covariance.nrows(), covariance.ncols(), |i, j| {
            let scale = scales[i] * scales[j];
            if scale > 0.0 {
                covariance[(i, j)] / scale
            } else {
                0.0
            }
        });
        let eigen = correlation.symmetric_eigen();
        let mut root = eigen.eigenvectors;
        for (mut column, value) in root.column_iter_mut().zip(&eigen.eigenvalues) {
            column *= value.max(0.0).sqrt();
        }
        for (mut row, scale) in root.row_iter_mut().zip(&scales) {
            row *= *scale;
        }
        Self { root }
    }

    pub(super) fn draw(&self, rng: &mut impl rand::Rng) -> DVector<f64> {
        let z = DVector::from_fn(self.root.ncols(), |_, _| StandardNormal.sample(rng));
        &self.root * z
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{assert_close, normal};

    /// Two series with correlation 0.8 and standard deviations 1 and 2.
    fn correlated(paths: usize, seed: u64) -> Vec<f64> {
        let z = normal(&mut stream(seed, 0), 2 * paths, 0.0, 1.0);
        z.as_chunks::<2>()
            .0
            .iter()
            .flat_map(|z| [z[0], 5.0 + 2.0 * (0.8 * z[0] + 0.6 * z[1])])
            .collect()
    }

    #[test]
    fn single_paths_give_the_sample_covariance_exactly() {
        let values = [1.0, 2.0, 3.0, -1.0, 2.0, 5.0, 6.0, 0.0];
        let means = PathMeans::new(&values, 2).unwrap();
        assert_eq!(means.means(), [3.0, 1.5]);
        // numpy.cov of the four paths is [[14/3, −3], [−3, 7]], over n = 4.
        let covariance = means.covariance();
        assert_close(covariance[(0, 0)], 14.0 / 12.0, 1e-12);
        assert_close(covariance[(0, 1)], -0.75, 1e-12);
        assert_close(covariance[(1, 1)], 21.0 / 12.0, 1e-12);
        assert_close(means.std_errors()[1], (21.0_f64 / 12.0).sqrt(), 1e-12);
    }

    /// With 512 blocks a correlation of 0.8 has a standard error of 0.016; five of them are allowed.
    #[test]
    fn blocks_keep_the_variances_exactly_and_the_correlations_nearly() {
        for paths in [3000, 5121] {
            let means = PathMeans::new(&correlated(paths, 31), 2).unwrap();
            let covariance = means.covariance();
            assert_close(covariance[(1, 1)], means.std_errors()[1].powi(2), 1e-12);
            let correlation = covariance[(0, 1)] / (covariance[(0, 0)] * covariance[(1, 1)]).sqrt();
            assert!((correlation - 0.8).abs() < 0.08, "{correlation}");
        }
    }

    /// 4000 draws: variances have a relative error of 2.2 %; five of them are allowed.
    #[test]
    fn resampled_and_multiplied_means_have_the_covariance_of_the_means() {
        let means = PathMeans::new(&correlated(3000, 32), 2).unwrap();
        let covariance = means.covariance();
        let multiplied = NormalVector::new(&covariance);
        let mut rng = stream(33, 0);
        let mut sums = [[0.0; 3]; 2];
        let draws = 4000;
        for _ in 0..draws {
            let resampled = means.resampled(&mut rng);
            let multiplied = multiplied.draw(&mut rng);
            for (sum, x) in sums.iter_mut().zip([&resampled[..], multiplied.as_slice()]) {
                sum[0] += x[0] * x[0];
                sum[1] += x[0] * x[1];
                sum[2] += x[1] * x[1];
            }
        }
        for sum in sums {
            for (sum, at) in sum.iter().zip([(0, 0), (0, 1), (1, 1)]) {
                assert_close(sum / f64::from(draws), covariance[at], 0.11);
            }
        }
    }

    #[test]
    fn constant_and_exact_series_have_no_noise() {
        let constant = PathMeans::new(&[0.1; 30], 3).unwrap();
        assert_eq!(constant.means(), [0.1; 3]);
        assert_eq!(constant.std_errors(), [0.0; 3]);
        let exact = PathMeans::exact(&[1.0, 2.0]).unwrap();
        let mut rng = stream(34, 0);
        assert_eq!(exact.resampled(&mut rng), [0.0; 2]);
        for means in [&constant, &exact] {
            let draw = NormalVector::new(&means.covariance()).draw(&mut rng);
            assert!(draw.iter().all(|x| *x == 0.0));
        }
    }

    #[test]
    fn illegal_inputs_are_errors() {
        let message =
            |values: &[f64], series| PathMeans::new(values, series).unwrap_err().to_string();
        assert!(message(&[1.0], 0).contains("number of series"));
        assert!(message(&[1.0, 2.0], 2).contains("at least 4"));
        assert!(message(&[1.0; 5], 2).contains("5 values of the paths"));
        assert!(message(&[1.0, f64::NAN], 1).contains("NaN"));
        assert!(PathMeans::exact(&[]).is_err());
    }
}
