//! The ensemble of a stochastic limit with few parameters, eight paths at once: the same scheme, and the same random
//! numbers, as path by path.
//!
//! `algebra` has the eigenvectors of eight small matrices, `equation` a step of the process on Γ.

mod algebra;
mod equation;

use nalgebra::{DMatrix, DVector};
use pulp::NullaryFnOnce;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;
use rand_distr::StandardNormal;

use super::LimitProcess;
use super::ensemble::path_stream;
use crate::derive::{Frame, Regime};
use crate::models::{AnyModel, Model};
use crate::scalar::{Instructions, LANES, Lanes, Scalar, Wide, vectors};
use equation::{Equation, Points, Range, Step, Work};

/// Eight paths on their way, whatever their model: what is compiled once for all of them.
pub(super) trait Walk {
    /// Takes a step with each of these α, each of `merged` time steps `dt`.
    fn advance(&mut self, step_sizes: &[f64], dt: f64, merged: usize);
    /// Whether a path can't be continued.
    fn has_failed(&self, lane: usize) -> bool;
    /// W of a path and its frame.
    fn state(&self, lane: usize) -> (DVector<f64>, Frame);
}

/// Makes the paths from a number on, eight or fewer.
pub(super) type Departure<'a> = Box<dyn Fn(usize, usize) -> Box<dyn Walk + 'a> + Sync + 'a>;

/// What names the random streams of an ensemble.
#[derive(Clone, Copy)]
pub(super) struct Seeds {
    pub seed: u64,
    pub level: u32,
}

/// How to run `process` in lanes from a point of Γ with its frame; none where it has too many parameters, or is no
/// degenerate limit of a closed-form loss.
pub(super) fn departure<'a>(
    process: &'a LimitProcess<AnyModel>,
    start: &'a (DVector<f64>, Frame),
    seeds: Seeds,
) -> Option<Departure<'a>> {
    if process.regime != Regime::Degenerate {
        return None;
    }
    match process.noisy.model() {
        AnyModel::Product(model) => depart::<_, 2>(model, process, start, seeds),
        AnyModel::Circle(model) => depart::<_, 2>(model, process, start, seeds),
        AnyModel::Valley(model) => depart::<_, 2>(model, process, start, seeds),
        AnyModel::TwoProducts(model) => depart::<_, 4>(model, process, start, seeds),
        AnyModel::Sphere(model) if model.dimension() <= 4 => {
            depart::<_, 4>(model, process, start, seeds)
        }
        AnyModel::Sphere(model) => depart::<_, 8>(model, process, start, seeds),
        AnyModel::WideningValley(model) if model.dimension() <= 4 => {
            depart::<_, 4>(model, process, start, seeds)
        }
        AnyModel::WideningValley(model) => depart::<_, 8>(model, process, start, seeds),
        // In the row space of their Jacobian, or interpreted.
        AnyModel::Formula(_)
        | AnyModel::DiagonalNetwork(_)
        | AnyModel::DeepLinear(_)
        | AnyModel::MatrixSensing(_)
        | AnyModel::Perceptron(_) => None,
    }
}

fn depart<'a, M: Model, const D: usize>(
    model: &'a M,
    process: &'a LimitProcess<AnyModel>,
    (w, frame): &'a (DVector<f64>, Frame),
    seeds: Seeds,
) -> Option<Departure<'a>> {
    let (m, rank) = (w.len(), process.rank);
    // Without vectors, path by path is as fast.
    let (instructions, _) = vectors()?;
    let fits = m <= D && 0 < rank && rank < m && frame.rows.is_none() && model.scratch() == 0;
    fits.then(|| {
        let walk = move |first: usize, paths: usize| -> Box<dyn Walk + 'a> {
            let equation = Equation::<M, D>::new(model, process);
            let stream = |lane| path_stream(seeds.seed, seeds.level, first + lane);
            Box::new(Walkers {
                points: start::<D>(w, frame, paths),
                random: (0..paths).map(stream).collect(),
                instructions,
                work: equation.work(),
                equation,
                dimension: m,
                rank,
            })
        };
        Box::new(walk) as Departure
    })
}

/// So many paths at w; the lanes beyond them stand still.
fn start<const D: usize>(w: &DVector<f64>, frame: &Frame, paths: usize) -> Points<D> {
    let zero = [Lanes::zero(); D];
    let mut points = Points {
        w: zero,
        range: Range {
            normal: [zero; D],
            eigenvalues: [Lanes::one(); D],
        },
        failed: Lanes(std::array::from_fn(
            |lane| if lane < paths { 0.0 } else { 1.0 },
        )),
    };
    for (to, &x) in points.w.iter_mut().zip(w.iter()) {
        *to = Lanes::constant(x);
    }
    let range = &mut points.range;
    for (to, &x) in range.eigenvalues.iter_mut().zip(frame.eigenvalues.iter()) {
        *to = Lanes::constant(x);
    }
    for (to, column) in range.normal.iter_mut().zip(frame.normal.column_iter()) {
        for (to, &x) in to.iter_mut().zip(column.iter()) {
            *to = Lanes::constant(x);
        }
    }
    points
}

/// Eight paths, compiled for one model.
struct Walkers<'a, M, const D: usize> {
    equation: Equation<'a, M, D>,
    points: Points<D>,
    work: Work<D>,
    random: Vec<ChaCha8Rng>,
    instructions: Wide,
    dimension: usize,
    rank: usize,
}

impl<M: Model, const D: usize> Walk for Walkers<'_, M, D> {
    fn advance(&mut self, step_sizes: &[f64], dt: f64, merged: usize) {
        let time = dt * merged as f64;
        self.instructions.run(Stretch {
            walkers: self,
            step_sizes,
            merged,
            time,
            root: time.sqrt(),
        });
    }

    fn has_failed(&self, lane: usize) -> bool {
        self.points.failed.0[lane] != 0.0
    }

    fn state(&self, lane: usize) -> (DVector<f64>, Frame) {
        let Points { w, range, .. } = &self.points;
        let of = |x: &Lanes| x.0[lane];
        let frame = Frame {
            normal: DMatrix::from_fn(self.dimension, self.rank, |i, j| of(&range.normal[j][i])),
            eigenvalues: DVector::from_fn(self.rank, |i, _| of(&range.eigenvalues[i])),
            rows: None,
        };
        (DVector::from_fn(self.dimension, |i, _| of(&w[i])), frame)
    }
}

/// Some steps, compiled for the instruction set of the machine.
struct Stretch<'a, 'b, M, const D: usize> {
    walkers: &'a mut Walkers<'b, M, D>,
    step_sizes: &'a [f64],
    merged: usize,
    time: f64,
    root: f64,
}

impl<M: Model, const D: usize> NullaryFnOnce for Stretch<'_, '_, M, D> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let walkers = self.walkers;
        for &step_size in self.step_sizes {
            walkers.equation.prepare(&walkers.points, &mut walkers.work);
            draw(
                &mut walkers.random,
                &walkers.points.failed,
                &mut walkers.work,
                self.merged,
            );
            let step = Step {
                time: self.time,
                root: self.root,
                step_size,
            };
            walkers
                .equation
                .step(&mut walkers.points, &walkers.work, step);
        }
    }
}

/// Draws the normal numbers of a step, in each lane from its own stream and as many as that path needs; those of merged
/// steps are added up.
fn draw<const D: usize>(
    random: &mut [ChaCha8Rng],
    failed: &Lanes,
    work: &mut Work<D>,
    merged: usize,
) {
    let root = (merged as f64).sqrt();
    for (lane, random) in random.iter_mut().enumerate().take(LANES) {
        if failed.0[lane] != 0.0 {
            continue;
        }
        for normal in &mut work.normals {
            normal.0[lane] = 0.0;
        }
        // All columns have their number, also those that are normal where the path is, unless all of them are.
        let along = work.kept.iter().any(|kept| kept.0[lane] != 0.0);
        let first = if along { 0 } else { work.kept.len() };
        for _ in 0..merged {
            for normal in &mut work.normals[first..] {
                normal.0[lane] += random.sample::<f64, _>(StandardNormal);
            }
        }
        if merged > 1 {
            for normal in &mut work.normals {
                normal.0[lane] /= root;
            }
        }
    }
}

#[cfg(test)]
mod tests;
