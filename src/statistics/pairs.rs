//! Quadratic forms of kernels over all pairs of points, for many signed weights at once.
//!
//! Σᵢⱼ wᵢ wⱼ k(xᵢ, xⱼ) for each of B weight vectors: each kernel value is computed once, used for all B, and forgotten, so
//! that B permutations cost N²B/2 multiplications and no N×N matrix. Blocks of rows are shared among threads; within one,
//! loops have fixed lengths and become vector code for the machine at hand, with the same bits on each.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use super::Points;
use super::permutation::Weights;
use crate::scalar::{Scalar, run_wide};

/// Points of a block.
const BLOCK: usize = 64;
/// Weight vectors that are summed side by side.
const LANES: usize = 16;
/// Weight vectors in one sweep; more are done in further sweeps, so that the working memory is bounded.
const SWEEP: usize = 512;
/// A form below this share of its largest kernel value is rounding, and 0.
const ROUNDING: f64 = 1e-14;

/// A kernel that is positive definite on signed measures of mass zero.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kernel {
    /// −|x − y|: its form is the energy distance.
    Distance,
    /// exp(−|x − y|²/(2h²)), h the bandwidth: its form is the squared maximum mean discrepancy.
    Gaussian(f64),
}

/// The forms `[kernel][weights]` on the points of `a` and then those of `b`; weights have mass zero.
pub(super) fn quadratic_forms(
    a: Points,
    b: Points,
    kernels: &[Kernel],
    weights: &[Weights],
) -> Vec<Vec<f64>> {
    let points = Blocks::new(a, b);
    let mut forms = vec![Vec::with_capacity(weights.len()); kernels.len()];
    for sweep in weights.chunks(SWEEP) {
        let table = points.table(sweep);
        let partial: Vec<Vec<Vec<f64>>> = (0..points.count)
            .into_par_iter()
            .map(|block| {
                kernels
                    .iter()
                    .map(|&kernel| {
                        run_wide(RowBlock {
                            points: &points,
                            kernel,
                            table: &table,
                            block,
                        })
                    })
                    .collect()
            })
            .collect();
        for (k, forms) in forms.iter_mut().enumerate() {
            let sums = (0..sweep.len()).map(|w| {
                let sum: f64 = partial.iter().map(|block| block[k][w]).sum();
                if sum > ROUNDING * points.scale(kernels[k]) {
                    sum
                } else {
                    0.0
                }
            });
            forms.extend(sums);
        }
    }
    forms
}

/// Points in blocks, the coordinates of a block one after the other; the last block is filled up with points of weight 0.
struct Blocks {
    /// `coordinates[block·d + c][i]`.
    coordinates: Vec<[f64; BLOCK]>,
    dimension: usize,
    /// Number of blocks.
    count: usize,
    /// The largest distance of two points, or up to √d times that.
    extent: f64,
}

/// `rows[i]`: the weights of point i, in groups.
struct Table {
    rows: Vec<[f64; LANES]>,
    groups: usize,
}

impl Blocks {
    fn new(a: Points, b: Points) -> Self {
        let dimension = a.dimension();
        let count = (a.count() + b.count()).div_ceil(BLOCK);
        let mut coordinates = vec![[0.0; BLOCK]; count * dimension];
        let mut bounds = vec![(f64::INFINITY, f64::NEG_INFINITY); dimension];
        for (i, row) in a.rows().chain(b.rows()).enumerate() {
            for (c, &x) in row.iter().enumerate() {
                coordinates[i / BLOCK * dimension + c][i % BLOCK] = x;
                bounds[c] = (bounds[c].0.min(x), bounds[c].1.max(x));
            }
        }
        let squares = bounds.iter().map(|(low, high)| (high - low).powi(2));
        Self {
            coordinates,
            dimension,
            count,
            extent: squares.sum::<f64>().sqrt(),
        }
    }

    fn scale(&self, kernel: Kernel) -> f64 {
        match kernel {
            Kernel::Distance => self.extent,
            Kernel::Gaussian(_) => 1.0,
        }
    }

    fn table(&self, weights: &[Weights]) -> Table {
        let groups = weights.len().div_ceil(LANES);
        let mut rows = vec![[0.0; LANES]; self.count * BLOCK * groups];
        for (w, weights) in weights.iter().enumerate() {
            for (i, &step) in weights.steps.iter().enumerate() {
                rows[i * groups + w / LANES][w % LANES] = step as f64 / weights.unit;
            }
        }
        Table { rows, groups }
    }
}

/// The share of the pairs (i, j), i in a block and j in it or a later one, in the forms of one kernel.
///
/// A type rather than a closure, because only a `call` that is forced inline takes on the instruction set that `Arch`
/// dispatches to.
struct RowBlock<'a> {
    points: &'a Blocks,
    kernel: Kernel,
    table: &'a Table,
    block: usize,
}

impl NullaryFnOnce for RowBlock<'_> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let (d, groups) = (self.points.dimension, self.table.groups);
        let own = &self.points.coordinates[self.block * d..][..d];
        let rows = |block: usize| &self.table.rows[block * BLOCK * groups..][..BLOCK * groups];
        // potential[i·groups + g]: Σⱼ k(xᵢ, xⱼ) wⱼ.
        let mut potential = vec![[0.0; LANES]; BLOCK * groups];
        let mut kernel = [[0.0; BLOCK]; BLOCK];
        for block in self.block..self.points.count {
            let other = &self.points.coordinates[block * d..][..d];
            // Each pair of two blocks counts twice.
            let factor = if block == self.block { 1.0 } else { 2.0 };
            for (j, kernel) in kernel.iter_mut().enumerate() {
                let mut squares = [0.0; BLOCK];
                for (own, other) in own.iter().zip(other) {
                    for i in 0..BLOCK {
                        let apart = own[i] - other[j];
                        squares[i] += apart * apart;
                    }
                }
                match self.kernel {
                    Kernel::Distance => {
                        for i in 0..BLOCK {
                            kernel[i] = -factor * squares[i].sqrt();
                        }
                    }
                    Kernel::Gaussian(bandwidth) => {
                        let rate = -0.5 / (bandwidth * bandwidth);
                        for i in 0..BLOCK {
                            kernel[i] = factor * Scalar::exp(rate * squares[i]);
                        }
                    }
                }
            }
            accumulate(&kernel, rows(block), groups, &mut potential);
        }
        let mut forms = vec![0.0; groups * LANES];
        for (row, potential) in rows(self.block)
            .chunks_exact(groups)
            .zip(potential.chunks_exact(groups))
        {
            for (g, (weights, potential)) in row.iter().zip(potential).enumerate() {
                for lane in 0..LANES {
                    forms[g * LANES + lane] += weights[lane] * potential[lane];
                }
            }
        }
        forms
    }
}

/// potential[i] += Σⱼ kernel[j][i]·weights[j], four points at a time so that the sums stay in registers.
#[inline(always)]
fn accumulate(
    kernel: &[[f64; BLOCK]; BLOCK],
    weights: &[[f64; LANES]],
    groups: usize,
    potential: &mut [[f64; LANES]],
) {
    for group in 0..groups {
        for i in (0..BLOCK).step_by(4) {
            let mut sums = [[0.0; LANES]; 4];
            for (j, kernel) in kernel.iter().enumerate() {
                let weights = &weights[j * groups + group];
                for (q, sums) in sums.iter_mut().enumerate() {
                    for lane in 0..LANES {
                        sums[lane] += kernel[i + q] * weights[lane];
                    }
                }
            }
            for (q, sums) in sums.iter().enumerate() {
                for lane in 0..LANES {
                    potential[(i + q) * groups + group][lane] += sums[lane];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::permutation::{Draw, Labels};
    use crate::statistics::streams::stream;
    use crate::statistics::testing::{assert_same_on_any_threads, normal};

    const KERNELS: [Kernel; 2] = [Kernel::Distance, Kernel::Gaussian(1.3)];

    fn value(kernel: Kernel, x: &[f64], y: &[f64]) -> f64 {
        let square: f64 = x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum();
        match kernel {
            Kernel::Distance => -square.sqrt(),
            Kernel::Gaussian(h) => (-0.5 * square / (h * h)).exp(),
        }
    }

    /// Counts on either side of the sizes of blocks, groups and sweeps.
    #[test]
    fn forms_agree_with_the_double_sum() {
        for (n, m, d, draws) in [
            (1, 1, 2, 1),
            (40, 24, 3, 17),
            (70, 61, 1, 16),
            (5, 130, 4, 513),
        ] {
            let mut rng = stream(41, n);
            let (a, b) = (
                normal(&mut rng, n * d, 0.0, 1.0),
                normal(&mut rng, m * d, 0.5, 1.0),
            );
            let labels = Labels::blocks(n, m);
            let weights: Vec<_> = (0..draws)
                .map(|i| labels.draw(Draw::Noise, 42, i))
                .collect();
            let (a, b) = (Points::new(&a, d).unwrap(), Points::new(&b, d).unwrap());
            let forms = quadratic_forms(a, b, &KERNELS, &weights);
            let rows: Vec<_> = a.rows().chain(b.rows()).collect();
            for (kernel, forms) in KERNELS.iter().zip(&forms) {
                assert_eq!(forms.len(), draws);
                for (weights, form) in weights.iter().zip(forms) {
                    let mut sum = 0.0;
                    for (x, &w) in rows.iter().zip(&weights.steps) {
                        for (y, &v) in rows.iter().zip(&weights.steps) {
                            sum += (w * v) as f64 * value(*kernel, x, y);
                        }
                    }
                    sum /= weights.unit * weights.unit;
                    assert!((sum - form).abs() < 1e-12, "{sum} and {form}");
                }
            }
        }
    }

    #[test]
    fn forms_are_the_same_on_any_threads() {
        let x = normal(&mut stream(43, 0), 900, 0.0, 1.0);
        let labels = Labels::blocks(100, 200);
        let weights: Vec<_> = (0..20)
            .map(|i| labels.draw(Draw::Permutation, 44, i))
            .collect();
        let (a, b) = x.split_at(300);
        let (a, b) = (Points::new(a, 3).unwrap(), Points::new(b, 3).unwrap());
        assert_same_on_any_threads(|| quadratic_forms(a, b, &KERNELS, &weights));
    }
}
