//! Euler–Maruyama for an ensemble of paths of an Itô equation, in lanes.

use pulp::NullaryFnOnce;
use rayon::prelude::*;

use crate::random::{LaneStreams, Law, PathStream, Streams};
use crate::scalar::{LANES, Paths, Scalar, run_wide};

/// dX = b(X) dt + B(X) dW in R^M with W in R^D (Itô), written once for all scalars.
pub trait ItoEquation<const M: usize, const D: usize>: Sync {
    /// b(x).
    fn drift<S: Scalar>(&self, x: &[S; M]) -> [S; M];

    /// B(x) ξ.
    fn shock<S: Scalar>(&self, x: &[S; M], xi: &[S; D]) -> [S; M];
}

/// What an ensemble of an Itô equation in R^M consists of.
#[derive(Clone, Copy, Debug)]
pub struct ItoPlan<'a, const M: usize> {
    /// X(0).
    pub start: [f64; M],
    /// h > 0.
    pub time_step: f64,
    /// Number of paths.
    pub paths: usize,
    /// Number of the first of them: not 0 where an ensemble is extended.
    pub first_path: usize,
    /// After how many steps to record (strictly increasing).
    pub record_at: &'a [u64],
    /// Seed and level: together with the number of the path they name its stream.
    pub seed: u64,
    /// See `seed`.
    pub level: u32,
}

/// How many steps' noise is drawn at once: a multiple of what the Gaussian law draws together.
const STEPS_PER_DRAW: usize = 32;
/// How many blocks of lanes take their steps in turn, so that one need not wait for its last operation.
const BLOCKS: usize = 4;
/// Up to so many paths that do not fill a block are run one by one.
const SINGLES: usize = 2;

/// X′ = X + b(X) h + B(X) √h ξ (weak order 1) for all paths: `result[path·records + record]`.
///
/// The state stays in registers, and nothing is allocated, checked or called through a pointer between the records. The result is the same
/// bits for any number of threads, any ensemble size and any instruction set, provided that the equation uses correctly
/// rounded operations.
pub fn run_ito_ensemble<E, const M: usize, const D: usize>(
    equation: &E,
    plan: &ItoPlan<M>,
) -> Vec<[f64; M]>
where
    E: ItoEquation<M, D>,
{
    let records = plan.record_at.len();
    let mut values = vec![[f64::NAN; M]; plan.paths * records];
    if records == 0 {
        return values;
    }
    values
        .par_chunks_mut(BLOCKS * LANES * records)
        .enumerate()
        .for_each(|(chunk, values)| {
            let first = plan.first_path + chunk * BLOCKS * LANES;
            run_chunk(equation, plan, first, values);
        });
    values
}

/// The paths of one chunk: all blocks side by side where it is full, else block by block, and a few left over alone.
fn run_chunk<E, const M: usize, const D: usize>(
    equation: &E,
    plan: &ItoPlan<M>,
    first: usize,
    values: &mut [[f64; M]],
) where
    E: ItoEquation<M, D>,
{
    let records = plan.record_at.len();
    if values.len() == BLOCKS * LANES * records {
        return run_group::<E, LaneStreams, M, D, BLOCKS>(equation, plan, first, values);
    }
    for (block, values) in values.chunks_mut(LANES * records).enumerate() {
        let first = first + block * LANES;
        if values.len() / records > SINGLES {
            run_group::<E, LaneStreams, M, D, 1>(equation, plan, first, values);
            continue;
        }
        for (path, values) in values.chunks_mut(records).enumerate() {
            run_group::<E, PathStream, M, D, 1>(equation, plan, first + path, values);
        }
    }
}

fn run_group<E, R, const M: usize, const D: usize, const B: usize>(
    equation: &E,
    plan: &ItoPlan<M>,
    first: usize,
    values: &mut [[f64; M]],
) where
    E: ItoEquation<M, D>,
    R: Streams,
{
    let count = R::Draw::COUNT;
    let block = |block| Block {
        x: plan.start.map(R::Draw::constant),
        xi: [[R::Draw::zero(); D]; STEPS_PER_DRAW],
        streams: R::of(plan.seed, plan.level.into(), (first + block * count) as u64),
    };
    let mut group: Group<R, M, D, B> = Group {
        blocks: std::array::from_fn(block),
        used: STEPS_PER_DRAW,
    };
    let records = plan.record_at.len();
    let mut now = 0;
    for (record, &step) in plan.record_at.iter().enumerate() {
        run_wide(Advance {
            equation,
            group: &mut group,
            steps: step - now,
            time_step: plan.time_step,
        });
        now = step;
        for (path, row) in values.chunks_mut(records).enumerate() {
            let block = &group.blocks[path / count];
            row[record] = block.x.map(|x| x.lane(path % count));
        }
    }
}

/// Eight paths, or one, with the noise of their next steps.
struct Block<R: Streams, const M: usize, const D: usize> {
    x: [R::Draw; M],
    /// √h ξ.
    xi: [[R::Draw; D]; STEPS_PER_DRAW],
    streams: R,
}

/// Blocks that take their steps in turn.
struct Group<R: Streams, const M: usize, const D: usize, const B: usize> {
    blocks: [Block<R, M, D>; B],
    /// How many steps' noise has been used.
    used: usize,
}

/// Some steps of a group, compiled for the instruction set of the machine.
struct Advance<'a, E, R: Streams, const M: usize, const D: usize, const B: usize> {
    equation: &'a E,
    group: &'a mut Group<R, M, D, B>,
    steps: u64,
    time_step: f64,
}

impl<E, R, const M: usize, const D: usize, const B: usize> NullaryFnOnce
    for Advance<'_, E, R, M, D, B>
where
    E: ItoEquation<M, D>,
    R: Streams,
{
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let root = self.time_step.sqrt();
        let h = R::Draw::constant(self.time_step);
        let blocks = &mut self.group.blocks;
        let mut left = self.steps;
        while left > 0 {
            if self.group.used == STEPS_PER_DRAW {
                for block in blocks.iter_mut() {
                    let xi = block.xi.as_flattened_mut();
                    Law::Gaussian.fill(root, &mut block.streams, xi);
                }
                self.group.used = 0;
            }
            let from = self.group.used;
            let to = STEPS_PER_DRAW.min(from.saturating_add(left as usize));
            let mut x: [_; B] = std::array::from_fn(|b| blocks[b].x);
            for k in from..to {
                for (x, block) in x.iter_mut().zip(blocks.iter()) {
                    let drift = self.equation.drift(x);
                    let shock = self.equation.shock(x, &block.xi[k % STEPS_PER_DRAW]);
                    *x = std::array::from_fn(|i| drift[i].mul_add(h, x[i] + shock[i]));
                    R::Draw::element_done();
                }
            }
            for (block, x) in blocks.iter_mut().zip(x) {
                block.x = x;
            }
            left -= (to - from) as u64;
            self.group.used = to;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use nalgebra::{Matrix2, Vector2};

    /// dX = A X dt + B dW in R²: a spiral, driven by noise that is not isotropic.
    struct Linear {
        a: Matrix2<f64>,
        b: Matrix2<f64>,
    }

    fn times<S: Scalar>(a: &Matrix2<f64>, x: &[S; 2]) -> [S; 2] {
        std::array::from_fn(|i| S::constant(a[(i, 1)]).mul_add(x[1], S::constant(a[(i, 0)]) * x[0]))
    }

    impl ItoEquation<2, 2> for Linear {
        fn drift<S: Scalar>(&self, x: &[S; 2]) -> [S; 2] {
            times(&self.a, x)
        }

        fn shock<S: Scalar>(&self, _: &[S; 2], xi: &[S; 2]) -> [S; 2] {
            times(&self.b, xi)
        }
    }

    fn spiral() -> Linear {
        Linear {
            a: Matrix2::new(-0.6, -1.1, 1.4, -0.3),
            b: Matrix2::new(0.7, 0.0, 0.4, 0.5),
        }
    }

    fn plan<'a>(paths: usize, record_at: &'a [u64]) -> ItoPlan<'a, 2> {
        ItoPlan {
            start: [1.0, -0.5],
            time_step: 0.05,
            paths,
            first_path: 0,
            record_at,
            seed: 3,
            level: 1,
        }
    }

    impl Linear {
        /// Mean and covariance of the scheme after n steps.
        fn law(&self, plan: &ItoPlan<2>, n: u64) -> (Vector2<f64>, Matrix2<f64>) {
            let step = Matrix2::identity() + self.a * plan.time_step;
            let (mut mean, mut covariance) = (Vector2::from(plan.start), Matrix2::zeros());
            for _ in 0..n {
                mean = step * mean;
                covariance = step * covariance * step.transpose()
                    + self.b * self.b.transpose() * plan.time_step;
            }
            (mean, covariance)
        }
    }

    /// Two means, two variances and a covariance within 5.7 standard errors of a Gaussian law: false alarm below 5 · 1.2e-8.
    fn agrees(values: &[[f64; 2]], mean: Vector2<f64>, covariance: Matrix2<f64>) -> bool {
        let n = values.len() as f64;
        let average = |f: &dyn Fn(&[f64; 2]) -> f64| values.iter().map(f).sum::<f64>() / n;
        let centred = |x: &[f64; 2], i: usize| x[i] - mean[i];
        (0..2).all(|i| {
            let error = average(&|x| centred(x, i)).abs();
            error < 5.7 * (covariance[(i, i)] / n).sqrt()
        }) && [(0, 0), (1, 1), (0, 1)].iter().all(|&(i, j)| {
            let product = average(&|x| centred(x, i) * centred(x, j));
            let (c, v) = (covariance[(i, j)], covariance[(i, i)] * covariance[(j, j)]);
            (product - c).abs() < 5.7 * ((v + c * c) / n).sqrt()
        })
    }

    #[test]
    fn the_law_is_exactly_that_of_the_scheme_and_a_wrong_drift_or_noise_is_noticed() {
        let (records, paths) = ([1, 7, 40], 200_000);
        let plan = plan(paths, &records);
        let equation = spiral();
        let values = run_ito_ensemble(&equation, &plan);
        for (record, &n) in records.iter().enumerate() {
            let at: Vec<_> = values.iter().skip(record).step_by(3).copied().collect();
            let (mean, covariance) = equation.law(&plan, n);
            assert!(agrees(&at, mean, covariance), "{n} steps");
        }
        // Planted: 3 % of the drift, 3 % of the noise, its direction, and the Itô process in place of the scheme.
        let at: Vec<_> = values.iter().skip(2).step_by(3).copied().collect();
        let planted = |a: f64, b: Matrix2<f64>| {
            let Linear { a: drift, .. } = spiral();
            Linear { a: drift * a, b }.law(&plan, 40)
        };
        for (mean, covariance) in [
            planted(1.03, equation.b),
            planted(1.0, equation.b * 1.03),
            planted(1.0, equation.b.transpose()),
        ] {
            assert!(!agrees(&at, mean, covariance));
        }
        let fine = ItoPlan {
            time_step: plan.time_step / 64.0,
            ..plan
        };
        let (mean, covariance) = equation.law(&fine, 40 * 64);
        assert!(!agrees(&at, mean, covariance));
    }

    #[test]
    fn a_path_has_the_same_bits_alone_in_any_ensemble_and_at_any_number_of_threads() {
        let pool = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.unwrap()
        };
        let records = [3, 16, 50];
        let run = |paths| run_ito_ensemble(&spiral(), &plan(paths, &records));
        let all = pool(1).install(|| run(77));
        assert_eq!(pool(3).install(|| run(77)), all);
        for paths in [1, 2, 5, 8, 33, 64] {
            assert_eq!(run(paths), all[..3 * paths]);
        }
        let later = ItoPlan {
            first_path: 37,
            ..plan(40, &records)
        };
        assert_eq!(run_ito_ensemble(&spiral(), &later), all[3 * 37..]);
        let mut ends: Vec<_> = all.iter().map(|x| x[0].to_bits()).collect();
        ends.sort_unstable();
        ends.dedup();
        assert_eq!(ends.len(), 3 * 77, "no two paths share their noise");
    }

    #[test]
    fn where_one_records_does_not_change_the_paths() {
        let often = run_ito_ensemble(&spiral(), &plan(40, &[1, 2, 3, 65, 100, 130]));
        let once = run_ito_ensemble(&spiral(), &plan(40, &[130]));
        for (often, once) in often.chunks(6).zip(&once) {
            assert_eq!(often[5], *once);
        }
        assert!(run_ito_ensemble(&spiral(), &plan(40, &[])).is_empty());
    }
}
