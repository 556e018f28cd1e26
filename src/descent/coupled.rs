//! Eight paths on every rung of a ladder at once, all driven by the noise of the finest.
//!
//! One step of size α = qα′ takes as much slow time α²σ² as q² steps of size α′. With η = (1/q) Σ η′ over these q² steps,
//! which is N(0, σ²) like each η′ and independent from one coarse step to the next, both rungs feel the same sum
//! αη = Σ α′η′, and each rung by itself is an ordinary descent. −Σ αη is a Brownian motion in slow time, known at the
//! steps of the finest rung.

use super::kernel::{Advance, BLOCKS, Several, Work, starting};
use super::rows::NoiseBuffer;
use crate::models::{AnyModel, Model, with_model};
use crate::noise::Source;
use crate::random::{LaneStreams, PathStream, Streams};
use crate::scalar::{Baseline, Instructions, LANES, Lanes, Paths, Scalar, vectors};

/// Names the random streams of coupled paths; the levels of a ladder are numbered from 0 and never get here.
const STREAM_LEVEL: u64 = u32::MAX as u64;

/// What a block of coupled paths consists of.
#[derive(Clone, Copy)]
pub struct CoupledPlan<'a> {
    /// w₀ (length m).
    pub start: &'a [f64],
    /// α of each rung in descending order, each a whole multiple of the next.
    pub step_sizes: &'a [f64],
    /// σ, that of all rungs.
    pub sigma: f64,
    /// Names the random streams together with the number of the path.
    pub seed: u64,
    /// Number of the first of the eight paths.
    pub first_path: usize,
}

/// Eight paths on every rung at w₀. `sources` must be Gaussian, and `sizes` are those of their vectors.
pub fn coupled_rungs<'a>(
    model: &'a AnyModel,
    sources: &'a [Source],
    sizes: &'a [usize],
    plan: &CoupledPlan,
) -> Box<dyn Coupled + 'a> {
    let noise = (sources, sizes);
    match vectors() {
        Some((wide, _)) => with_model!(model, model => {
            Box::new(Rungs::<_, LaneStreams, _>::new(model, wide, noise, plan, 0))
        }),
        None => Box::new(Apart::new(model, noise, plan)),
    }
}

/// Eight paths on every rung, whatever their model.
pub trait Coupled {
    /// Takes `steps` steps of the finest rung, and on the others all steps whose noise is complete. Returns −Σ αη over
    /// these steps for each of the d coordinates of the noise.
    fn advance(&mut self, steps: u64) -> &[Lanes];

    /// The parameters of one path on one rung; not finite where it has diverged.
    fn parameters(&self, rung: usize, lane: usize) -> Vec<f64>;
}

/// As many paths as there are in a draw on every rung, somewhere along their way.
struct Rungs<'a, M: Model, R: Streams, I> {
    model: &'a M,
    instructions: I,
    wiring: Several<'a>,
    noise: NoiseBuffer<'a, R>,
    dimension: usize,
    rungs: Vec<RungOf<M, R>>,
    work: Work<M::Vector<R::Draw>, R::Draw>,
    driven: Vec<R::Draw>,
    step_sizes: Vec<f64>,
}

/// A rung of some paths of a model.
type RungOf<M, R> = Rung<<M as Model>::Vector<<R as Streams>::Draw>, <R as Streams>::Draw>;

struct Rung<V, S> {
    step_size: f64,
    /// From the noise of the next finer rung; of the finest one none.
    coarsening: Option<Coarsening<S>>,
    /// The parameters of the paths.
    w: V,
    /// The noise of the steps to be taken next.
    rows: Vec<S>,
}

impl<'a, M: Model, R: Streams, I: Instructions> Rungs<'a, M, R, I> {
    /// The paths of the plan from number `lane` on.
    fn new(
        model: &'a M,
        instructions: I,
        (sources, sizes): (&'a [Source], &'a [usize]),
        plan: &CoupledPlan,
        lane: usize,
    ) -> Self {
        let dimension = sizes.iter().sum();
        let streams = R::of(plan.seed, STREAM_LEVEL, (plan.first_path + lane) as u64);
        let finer = plan.step_sizes.iter().skip(1).map(Some).chain([None]);
        let rungs = plan
            .step_sizes
            .iter()
            .zip(finer)
            .map(|(&size, finer)| Rung {
                step_size: size,
                coarsening: finer.map(|finer| Coarsening::new((size / finer).round(), dimension)),
                w: starting(model, plan.start, 1),
                rows: Vec::new(),
            });
        Self {
            model,
            instructions,
            wiring: Several::of(sources, sizes),
            noise: NoiseBuffer::new(sources, sizes, plan.sigma, streams),
            dimension,
            rungs: rungs.collect(),
            work: Work::new(model, 1),
            driven: vec![R::Draw::zero(); dimension],
            step_sizes: Vec::new(),
        }
    }

    /// As [`Coupled::advance`]; leaves −Σ αη in `driven`.
    fn take(&mut self, steps: u64) {
        self.driven.fill(R::Draw::zero());
        let finest = self.rungs.len() - 1;
        let mut left = steps;
        while left > 0 {
            let rows = self.noise.next(usize::try_from(left).unwrap_or(usize::MAX));
            left -= (rows.len() / self.dimension) as u64;
            for row in rows.chunks_exact(self.dimension) {
                for (sum, &eta) in self.driven.iter_mut().zip(row) {
                    *sum = *sum + eta;
                }
            }
            let own = &mut self.rungs[finest].rows;
            own.clear();
            own.extend_from_slice(rows);
            for coarse in (0..finest).rev() {
                let (before, after) = self.rungs.split_at_mut(coarse + 1);
                let (rung, finer) = (&mut before[coarse], &after[0]);
                let coarsening = rung.coarsening.as_mut();
                rung.rows.clear();
                if let Some(coarsening) = coarsening {
                    coarsening.push(&finer.rows, &mut rung.rows);
                }
            }
            for rung in &mut self.rungs {
                let steps = rung.rows.len() / self.dimension;
                self.step_sizes.clear();
                self.step_sizes.resize(steps, rung.step_size);
                let mut together = [const { None }; BLOCKS];
                together[0] = Some((&mut rung.w, rung.rows.as_slice()));
                self.instructions.run(Advance {
                    model: self.model,
                    wiring: self.wiring,
                    dimension: self.dimension,
                    together,
                    work: &mut self.work,
                    step_sizes: &self.step_sizes,
                });
            }
        }
        let factor = R::Draw::constant(-self.rungs[finest].step_size);
        for sum in &mut self.driven {
            *sum = factor * *sum;
        }
    }

    fn parameters_of(&self, rung: usize, lane: usize) -> Vec<f64> {
        let w = self.rungs[rung].w.as_ref();
        w.iter().map(|x| x.lane(lane)).collect()
    }
}

impl<M: Model, I: Instructions> Coupled for Rungs<'_, M, LaneStreams, I> {
    fn advance(&mut self, steps: u64) -> &[Lanes] {
        self.take(steps);
        &self.driven
    }

    fn parameters(&self, rung: usize, lane: usize) -> Vec<f64> {
        self.parameters_of(rung, lane)
    }
}

/// The same eight paths one by one, for machines without vectors: loops over lanes are not compiled for them.
struct Apart<'a, M: Model> {
    paths: Vec<Rungs<'a, M, PathStream, Baseline>>,
    driven: Vec<Lanes>,
}

impl<'a, M: Model> Apart<'a, M> {
    fn new(model: &'a M, noise: (&'a [Source], &'a [usize]), plan: &CoupledPlan) -> Self {
        let path = |lane| Rungs::new(model, Baseline, noise, plan, lane);
        Self {
            paths: (0..LANES).map(path).collect(),
            driven: vec![Lanes::zero(); noise.1.iter().sum()],
        }
    }
}

impl<M: Model> Coupled for Apart<'_, M> {
    fn advance(&mut self, steps: u64) -> &[Lanes] {
        for (lane, path) in self.paths.iter_mut().enumerate() {
            path.take(steps);
            for (all, own) in self.driven.iter_mut().zip(&path.driven) {
                *all.lane_mut(lane) = own.lane(0);
            }
        }
        &self.driven
    }

    fn parameters(&self, rung: usize, lane: usize) -> Vec<f64> {
        self.paths[lane].parameters_of(rung, 0)
    }
}

/// Makes η = (1/q) Σ η′ of each q² rows η′.
struct Coarsening<S> {
    share: S,
    parts: u64,
    sum: Vec<S>,
    summed: u64,
}

impl<S: Scalar> Coarsening<S> {
    fn new(q: f64, dimension: usize) -> Self {
        Self {
            share: S::constant(1.0 / q),
            parts: (q * q) as u64,
            sum: vec![S::zero(); dimension],
            summed: 0,
        }
    }

    /// Appends the rows that `finer` completes to `rows`; keeps the rest for the next time.
    fn push(&mut self, finer: &[S], rows: &mut Vec<S>) {
        for row in finer.chunks_exact(self.sum.len()) {
            for (sum, &eta) in self.sum.iter_mut().zip(row) {
                *sum = *sum + eta;
            }
            self.summed += 1;
            if self.summed == self.parts {
                rows.extend(self.sum.iter().map(|&sum| self.share * sum));
                self.sum.fill(S::zero());
                self.summed = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::Product;
    use crate::noise::Mechanism;
    use crate::random::Law;

    const PRODUCT: AnyModel = AnyModel::Product(Product);
    const SOURCES: [Source; 2] = [
        Source {
            mechanism: Mechanism::Sgld,
            law: Law::Gaussian,
            scale: 1.0,
            batch: None,
            per_sample: false,
        },
        Source {
            mechanism: Mechanism::Label,
            law: Law::Gaussian,
            scale: 0.5,
            batch: None,
            per_sample: false,
        },
    ];
    const SIZES: [usize; 2] = [2, 1];

    fn coarse_rows(q: f64, fine: usize, first_path: u64) -> Vec<Lanes> {
        let streams = LaneStreams::new(3, STREAM_LEVEL, first_path);
        let mut noise = NoiseBuffer::new(&SOURCES, &SIZES, 0.4, streams);
        let mut coarsening = Coarsening::new(q, 3);
        let (mut rows, mut left) = (Vec::new(), fine as u64);
        while left > 0 {
            let drawn = noise.next(left.min(7) as usize);
            left -= drawn.len() as u64 / 3;
            coarsening.push(drawn, &mut rows);
        }
        rows
    }

    /// 32 000 coarse rows for each q; variance, correlation of neighbours and of coordinates at 6 standard errors: false
    /// alarm below 20 · 2e-9. Planted: a mean in place of the sum over q has another variance.
    #[test]
    fn coarse_noise_has_the_variance_of_fine_noise_and_is_independent_from_step_to_step() {
        for q in [2.0, 3.0] {
            let rows = coarse_rows(q, 4000 * (q * q) as usize, 0);
            assert_eq!(rows.len(), 3 * 4000);
            let values = |coordinate: usize| -> Vec<f64> {
                let of = rows.iter().skip(coordinate).step_by(3);
                (0..LANES)
                    .flat_map(|lane| of.clone().map(move |x| x.0[lane]))
                    .collect()
            };
            let near = |products: Vec<f64>, exact: f64, square: f64| {
                let n = products.len() as f64;
                let mean = products.iter().sum::<f64>() / n;
                (mean - exact).abs() < 6.0 * square / n.sqrt()
            };
            for (coordinate, sd) in [(0, 0.4), (1, 0.4), (2, 0.2)] {
                let (x, variance) = (values(coordinate), f64::powi(sd, 2));
                let squares = |scale: f64| x.iter().map(|x| (scale * x).powi(2)).collect();
                let spread = variance * 2f64.sqrt();
                assert!(near(x.clone(), 0.0, sd) && near(squares(1.0), variance, spread));
                assert!(!near(squares(1.0 / q), variance, spread));
                let neighbours = x.windows(2).map(|pair| pair[0] * pair[1]).collect();
                assert!(near(neighbours, 0.0, variance));
            }
            let (x, y) = (values(0), values(1));
            assert!(near(
                x.iter().zip(y).map(|(x, y)| x * y).collect(),
                0.0,
                0.16
            ));
        }
    }

    /// Every rung feels the same −Σ αη, to rounding, and takes as many steps as fit.
    #[test]
    fn all_rungs_share_one_brownian_path() {
        let step_sizes = [0.12, 0.06, 0.02];
        let plan = CoupledPlan {
            start: &[2.0, 0.5],
            step_sizes: &step_sizes,
            sigma: 0.4,
            seed: 3,
            first_path: 8,
        };
        let mut rungs = coupled_rungs(&PRODUCT, &SOURCES, &SIZES, &plan);
        let mut driven = [Lanes::zero(); 3];
        for _ in 0..10 {
            for (sum, &part) in driven.iter_mut().zip(rungs.advance(36)) {
                *sum = *sum + part;
            }
        }
        for (q, alpha) in [(6.0, 0.12), (3.0, 0.06), (1.0, 0.02)] {
            let rows = coarse_rows(q, 360, 8);
            assert_eq!(rows.len(), 3 * 360 / (q * q) as usize);
            for (i, &driven) in driven.iter().enumerate() {
                for lane in 0..LANES {
                    let of = rows.iter().skip(i).step_by(3);
                    let sum: f64 = of.map(|x| -alpha * x.0[lane]).sum();
                    assert!((sum - driven.0[lane]).abs() < 1e-13);
                }
            }
        }
    }

    /// Against the definition, one path at a time.
    #[test]
    fn each_rung_is_a_descent_with_its_noise() {
        let step_sizes = [0.04, 0.02];
        let plan = CoupledPlan {
            start: &[2.0, 0.5],
            step_sizes: &step_sizes,
            sigma: 0.4,
            seed: 3,
            first_path: 0,
        };
        let mut rungs = coupled_rungs(&PRODUCT, &SOURCES, &SIZES, &plan);
        for steps in [1, 2, 60, 37] {
            rungs.advance(steps);
        }
        for (rung, q) in [(0, 2.0), (1, 1.0)] {
            for lane in 0..LANES {
                let [mut u, mut v] = [2.0, 0.5];
                for eta in coarse_rows(q, 100, 0).chunks(3) {
                    let eta: Vec<_> = eta.iter().map(|x| x.0[lane]).collect();
                    let residual = u * v - 1.0 - eta[2];
                    let step = [residual * v + eta[0], residual * u + eta[1]];
                    u -= step_sizes[rung] * step[0];
                    v -= step_sizes[rung] * step[1];
                }
                let found = rungs.parameters(rung, lane);
                assert!((found[0] - u).abs() < 1e-12 && (found[1] - v).abs() < 1e-12);
            }
        }
    }

    #[test]
    fn paths_one_by_one_have_the_bits_of_their_lanes() {
        let plan = CoupledPlan {
            start: &[2.0, 0.5],
            step_sizes: &[0.04, 0.02],
            sigma: 0.4,
            seed: 3,
            first_path: 16,
        };
        let mut together = coupled_rungs(&PRODUCT, &SOURCES, &SIZES, &plan);
        let mut apart = Apart::new(&PRODUCT, (&SOURCES, &SIZES), &plan);
        for steps in [3, 130, 1] {
            assert_eq!(together.advance(steps), apart.advance(steps));
            for (rung, lane) in (0..2).flat_map(|rung| (0..LANES).map(move |lane| (rung, lane))) {
                assert_eq!(
                    together.parameters(rung, lane),
                    apart.parameters(rung, lane)
                );
            }
        }
    }
}
