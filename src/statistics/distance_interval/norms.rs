//! The distances of all draws (the samples themselves, resamples, permutations, halves), each family computed at once.

use rayon::prelude::*;

use super::Distance;
use crate::statistics::distance::Pooled;
use crate::statistics::gauss_transform::GaussTransform;
use crate::statistics::mmd::{self, median_bandwidth};
use crate::statistics::pairs::{Kernel, quadratic_forms};
use crate::statistics::permutation::{Draw, Labels, Weights};
use crate::statistics::sliced::Slices;
use crate::statistics::{Points, StatisticsError};

/// Directions of the sliced distance.
pub(super) const DIRECTIONS: usize = 32;

/// Two samples and the measures on their points whose norms are sought.
pub(super) struct Samples<'a> {
    pub(super) sample: Points<'a>,
    pub(super) reference: Points<'a>,
    pub(super) draws: &'a [(Draw, usize)],
    pub(super) seed: u64,
}

/// The sliced distance of each draw, and the mean variance of the projections of either sample.
#[derive(Default)]
pub(super) struct Sliced {
    pub(super) norms: Vec<f64>,
    pub(super) variances: [f64; 2],
}

impl Samples<'_> {
    /// The norms of each draw, by sorting.
    pub(super) fn on_the_line(
        &self,
        distances: &[Distance],
    ) -> Result<Vec<Vec<f64>>, StatisticsError> {
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
    pub(super) fn in_space(
        &self,
        distances: &[Distance],
    ) -> Result<Vec<Vec<f64>>, StatisticsError> {
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

    /// The sliced distances of each draw.
    pub(super) fn sliced(&self) -> Sliced {
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
