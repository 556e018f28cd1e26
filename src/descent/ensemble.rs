//! An ensemble of descents: blocks of eight paths in parallel, recorded at chosen iterations, divergences kept as data.

use rayon::prelude::*;

use super::blocks::Walkers;
use super::kernel::{
    BLOCKS, GradientAdded, Labels, ParametersAdded, ParametersMultiplied, SampleWeights, Several,
    Units, Wiring,
};
use super::rows::NoiseBuffer;
use super::side_by_side::SideBySide;
use crate::models::{AnyModel, Model, with_model};
use crate::noise::{Socket, Source};
use crate::random::{LaneStreams, PathStream, Streams};
use crate::scalar::{Baseline, Instructions, LANES, Paths, vectors};

/// A path counts as diverged when a parameter exceeds this multiple of 1 + max|w₀|, or is not finite.
const DIVERGED: f64 = 1e8;
/// Up to so many paths that do not fill a block are run one by one.
const SINGLES: usize = 2;
/// After so many steps it is checked whether a path has diverged.
const STRETCH: usize = 256;
/// Progress is told about every so many steps of a block; after every stretch where steps are long.
const STEPS_PER_REPORT: u64 = 1 << 14;

/// The step sizes of a descent.
#[derive(Clone, Copy)]
pub enum StepSizes<'a> {
    /// The same α at every iteration.
    Constant(f64),
    /// α_k of iteration k = 0, 1, …
    Schedule(&'a (dyn Fn(u64) -> f64 + Sync)),
}

impl StepSizes<'_> {
    /// Those of `steps` iterations from k on.
    fn write(self, k: u64, steps: usize, out: &mut Vec<f64>) {
        match self {
            Self::Constant(alpha) => out.resize(steps, alpha),
            Self::Schedule(at) => {
                out.clear();
                out.extend((k..k + steps as u64).map(at));
            }
        }
    }
}

/// What an ensemble of descents consists of.
#[derive(Clone, Copy)]
pub struct DescentPlan<'a> {
    /// w₀ (length m).
    pub start: &'a [f64],
    /// α.
    pub step_sizes: StepSizes<'a>,
    /// σ.
    pub sigma: f64,
    /// Number of paths.
    pub paths: usize,
    /// Number of the first of them: not 0 where an ensemble is extended.
    pub first_path: usize,
    /// After how many iterations to record (strictly increasing, at least one).
    pub record_at: &'a [u64],
    /// Number of values kept at a record.
    pub values_per_record: usize,
    /// Seed and level: together with the number of the path they name its stream.
    pub seed: u64,
    /// See `seed`.
    pub level: u32,
    /// A fault to be noticed: every block of eight paths is driven by the streams of the first.
    pub shared_streams: bool,
}

/// A path that left every bounded set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// Number of the path.
    pub path: usize,
    /// The iteration k after which w_k was found too large or not finite.
    pub iteration: u64,
}

/// What an ensemble left behind.
#[derive(Clone, Debug, PartialEq)]
pub struct DescentRun {
    /// `values[(path·records + record)·values_per_record + v]`; NaN from its divergence on for a diverged path.
    pub values: Vec<f64>,
    /// The diverged paths in order.
    pub diverged: Vec<Divergence>,
}

/// Fills the values kept of a path at a record: `(record, w, out)`.
pub type Observe<'a> = &'a (dyn Fn(usize, &[f64], &mut [f64]) + Sync);
/// Is told of n further path-steps and says whether to go on: once it does not, the run ends soon and its values mean nothing.
pub type Progress<'a> = &'a (dyn Fn(u64) -> bool + Sync);

/// Simulates the ensemble of a built-in model. Memory does not grow with the number of steps, and the result is the same bits
/// for any number of threads, and for any ensemble size as far as the paths go.
pub fn run_descent(
    model: &AnyModel,
    sources: &[Source],
    plan: &DescentPlan,
    observe: Observe,
    progress: Progress,
) -> DescentRun {
    match vectors() {
        Some(vectors) => with_model!(model, model => {
            run_with(model, vectors, sources, plan, observe, progress)
        }),
        // Not compiled for each model: such machines are rare, and slow anyhow.
        None => run_with(
            model,
            (Baseline, Baseline),
            sources,
            plan,
            observe,
            progress,
        ),
    }
}

/// As [`run_descent`], for any model. Compiles a hot loop for it where it is called.
pub fn run_descent_of<M: Model>(
    model: &M,
    sources: &[Source],
    plan: &DescentPlan,
    observe: Observe,
    progress: Progress,
) -> DescentRun {
    match vectors() {
        Some(vectors) => run_with(model, vectors, sources, plan, observe, progress),
        None => run_with(
            model,
            (Baseline, Baseline),
            sources,
            plan,
            observe,
            progress,
        ),
    }
}

/// With the instructions for blocks of paths and those for single ones.
fn run_with<M: Model, I: Instructions, J: Instructions>(
    model: &M,
    instructions: (I, J),
    sources: &[Source],
    plan: &DescentPlan,
    observe: Observe,
    progress: Progress,
) -> DescentRun {
    let sizes: Vec<_> = sources.iter().map(|source| source.size(model)).collect();
    let sizes = sizes.as_slice();
    let together = if M::SHORT_STEPS {
        BLOCKS
    } else {
        model.side_by_side().max(1)
    };
    let departure = |first, paths, alone| {
        let group = Group {
            model,
            instructions,
            noise: (sources, sizes),
            plan,
            first,
            paths,
        };
        if !M::SHORT_STEPS {
            return group.side_by_side(alone);
        }
        let several = Several::of(sources, sizes);
        let [source] = sources else {
            return group.in_turn(alone, several);
        };
        match source.mechanism.socket() {
            Socket::SampleWeights => group.in_turn(alone, SampleWeights),
            Socket::Labels => group.in_turn(alone, Labels),
            Socket::Units => group.in_turn(alone, Units),
            Socket::ParametersMultiplied => group.in_turn(alone, ParametersMultiplied),
            Socket::ParametersAdded => group.in_turn(alone, ParametersAdded),
            Socket::GradientAdded => group.in_turn(alone, GradientAdded),
            Socket::Formula => group.in_turn(alone, several),
        }
    };
    run_groups(plan, (I::LANES, together), observe, progress, &departure)
}

/// Some paths on their way, whatever their model, noise and number type: what is compiled once for all of them.
pub(super) trait Walk {
    /// Takes a step of each of these sizes.
    fn advance(&mut self, step_sizes: &[f64]);
    /// Remembers where everything is.
    fn keep(&mut self);
    /// Goes back to where everything was last kept.
    fn go_back(&mut self);
    /// Parameter i of a path.
    fn parameter(&self, path: usize, i: usize) -> f64;
    /// Whether all parameters of a path are finite and at most `bound`.
    fn is_bounded(&self, path: usize, bound: f64) -> bool;
    /// Makes all parameters of a path NaN, for good.
    fn silence(&mut self, path: usize);
}

/// Makes the paths from a number on, so many, alone or in lanes.
type Departure<'a> = &'a (dyn Fn(usize, usize, bool) -> Box<dyn Walk + 'a> + Sync);

/// Runs all paths: blocks of lanes, if there are any, up to `together` of them at once, and the paths left over one by one.
fn run_groups(
    plan: &DescentPlan,
    (lanes, together): (bool, usize),
    observe: Observe,
    progress: Progress,
    departure: Departure,
) -> DescentRun {
    let row = plan.record_at.len() * plan.values_per_record;
    let mut values = vec![f64::NAN; plan.paths * row];
    let left_over = plan.paths % LANES;
    let singles = match left_over {
        _ if !lanes => plan.paths,
        few @ ..=SINGLES => few,
        _ => 0,
    };
    let in_lanes = plan.paths - singles;
    let report_after = if together > 1 { STEPS_PER_REPORT } else { 1 };
    let singles_together = SINGLES.min(together);
    let together = in_lanes
        .div_ceil(LANES)
        .div_ceil(rayon::current_num_threads())
        .clamp(1, together);
    let mut groups = Vec::new();
    let mut first = 0;
    let mut left = values.as_mut_slice();
    while first < plan.paths {
        let alone = first >= in_lanes;
        let paths = if alone {
            singles_together.min(plan.paths - first)
        } else {
            (together * LANES).min(in_lanes - first)
        };
        let (mine, rest) = left.split_at_mut(paths * row);
        groups.push((first, paths, alone, mine));
        left = rest;
        first += paths;
    }
    let diverged = groups
        .into_par_iter()
        .flat_map_iter(|(first, paths, alone, values)| {
            let first = plan.first_path + first;
            let mut journey = Journey {
                walk: departure(first, paths, alone),
                plan,
                report_after,
                diverged_at: vec![None; paths],
                bound: DIVERGED * plan.start.iter().fold(1.0, |a, x| x.abs().max(a)),
            };
            journey.simulate(values, observe, progress);
            journey.divergences(first)
        })
        .collect();
    DescentRun { values, diverged }
}

/// Some paths from start to end.
struct Journey<'a> {
    walk: Box<dyn Walk + 'a>,
    plan: &'a DescentPlan<'a>,
    report_after: u64,
    /// For each path.
    diverged_at: Vec<Option<u64>>,
    bound: f64,
}

impl Journey<'_> {
    fn simulate(&mut self, values: &mut [f64], observe: Observe, progress: Progress) {
        let plan = self.plan;
        let paths = self.diverged_at.len() as u64;
        let (mut k, mut reported) = (0, 0);
        let mut step_sizes = Vec::new();
        for (record, &iteration) in plan.record_at.iter().enumerate() {
            while k < iteration {
                let steps = STRETCH.min(usize::try_from(iteration - k).unwrap_or(STRETCH));
                plan.step_sizes.write(k, steps, &mut step_sizes);
                self.walk.keep();
                self.walk.advance(&step_sizes);
                if (0..self.diverged_at.len()).any(|path| self.diverges(path)) {
                    self.walk.go_back();
                    for (step, size) in step_sizes.iter().enumerate() {
                        self.walk.advance(std::slice::from_ref(size));
                        self.note_divergence(k + step as u64 + 1);
                    }
                    self.silence();
                }
                k += steps as u64;
                if k - reported >= self.report_after {
                    if !progress((k - reported) * paths) {
                        return;
                    }
                    reported = k;
                }
            }
            self.observe(record, values, observe);
        }
        progress((k - reported) * paths);
    }

    /// Whether a path has left every bounded set and that has not been noted yet.
    fn diverges(&self, path: usize) -> bool {
        self.diverged_at[path].is_none() && !self.walk.is_bounded(path, self.bound)
    }

    /// Notes the paths that have diverged by the step that ends at `iteration`.
    fn note_divergence(&mut self, iteration: u64) {
        for path in 0..self.diverged_at.len() {
            if self.diverges(path) {
                self.diverged_at[path] = Some(iteration);
            }
        }
    }

    /// Diverged paths become NaN and stay so.
    fn silence(&mut self) {
        for (path, at) in self.diverged_at.iter().enumerate() {
            if at.is_some() {
                self.walk.silence(path);
            }
        }
    }

    fn observe(&self, record: usize, values: &mut [f64], observe: Observe) {
        let per_record = self.plan.values_per_record;
        let row = self.plan.record_at.len() * per_record;
        let mut point = vec![0.0; self.plan.start.len()];
        for path in (0..self.diverged_at.len()).filter(|&path| self.diverged_at[path].is_none()) {
            for (i, x) in point.iter_mut().enumerate() {
                *x = self.walk.parameter(path, i);
            }
            let from = path * row + record * per_record;
            observe(record, &point, &mut values[from..from + per_record]);
        }
    }

    fn divergences(self, first_path: usize) -> impl Iterator<Item = Divergence> {
        let paths = self.diverged_at.into_iter().enumerate();
        paths.filter_map(move |(path, at)| {
            at.map(|iteration| Divergence {
                path: first_path + path,
                iteration,
            })
        })
    }
}

/// What a few blocks of paths that are advanced together start from.
struct Group<'a, M, I, J> {
    model: &'a M,
    instructions: (I, J),
    noise: (&'a [Source], &'a [usize]),
    plan: &'a DescentPlan<'a>,
    first: usize,
    paths: usize,
}

impl<'a, M: Model, I: Instructions + 'a, J: Instructions + 'a> Group<'a, M, I, J> {
    /// Paths of a model with short steps.
    fn in_turn<W: Wiring + 'a>(self, alone: bool, wiring: W) -> Box<dyn Walk + 'a> {
        let (model, start, (wide, narrow)) = (self.model, self.plan.start, self.instructions);
        if I::LANES && !alone {
            let noise = self.noise_of_blocks::<LaneStreams>();
            Box::new(Walkers::new(model, wide, wiring, start, noise))
        } else {
            let noise = self.noise_of_blocks::<PathStream>();
            Box::new(Walkers::new(model, narrow, wiring, start, noise))
        }
    }

    /// Paths of a model with long steps.
    fn side_by_side(self, alone: bool) -> Box<dyn Walk + 'a> {
        let (model, start, wide) = (self.model, self.plan.start, self.instructions.0);
        if I::LANES && !alone {
            let noise = self.noise_of_blocks::<LaneStreams>();
            Box::new(SideBySide::new(model, wide, self.noise, start, noise))
        } else {
            let noise = self.noise_of_blocks::<PathStream>();
            Box::new(SideBySide::new(model, wide, self.noise, start, noise))
        }
    }

    /// One for each eight paths, or for each one.
    fn noise_of_blocks<R: Streams>(&self) -> Vec<NoiseBuffer<'a, R>> {
        let (plan, (sources, sizes)) = (self.plan, self.noise);
        let block = |number: usize| {
            let first = self.first + number * R::Draw::COUNT;
            let first = if plan.shared_streams {
                first % LANES
            } else {
                first
            };
            let streams = R::of(plan.seed, u64::from(plan.level), first as u64);
            NoiseBuffer::new(sources, sizes, plan.sigma, streams)
        };
        (0..self.paths.div_ceil(R::Draw::COUNT))
            .map(block)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Activation, Data, Perceptron, Product, Regression, Samples, Sphere};
    use crate::noise::{Mechanism, NoisyLoss};
    use crate::random::Law;
    use std::sync::Arc;

    const PRODUCT: AnyModel = AnyModel::Product(Product);

    fn source(mechanism: Mechanism, law: Law) -> Source {
        Source::new(mechanism, law)
    }

    fn run(
        model: &AnyModel,
        sources: &[Source],
        paths: usize,
        alpha: f64,
        record_at: &[u64],
    ) -> DescentRun {
        let m = model.dimension();
        let start: Vec<_> = [2.0, 0.5, 0.3, 0.1][..m].to_vec();
        let plan = DescentPlan {
            shared_streams: false,
            start: &start,
            step_sizes: StepSizes::Constant(alpha),
            sigma: 0.3,
            paths,
            first_path: 0,
            record_at,
            values_per_record: m,
            seed: 7,
            level: 2,
        };
        run_descent(
            model,
            sources,
            &plan,
            &|_, w, out| out.copy_from_slice(w),
            &|_| true,
        )
    }

    #[test]
    fn a_path_alone_has_the_bits_of_its_lane() {
        let models = [AnyModel::Product(Product), AnyModel::Sphere(Sphere::new(4))];
        for (model, mechanism) in models.iter().flat_map(|m| Mechanism::ALL.map(|n| (m, n))) {
            let sources = [source(mechanism, Law::Gaussian)];
            if NoisyLoss::new(model.clone(), sources.to_vec()).is_err() {
                continue;
            }
            let of = |paths| run(model, &sources, paths, 0.1, &[5, 700]).values;
            let (many, few, one) = (of(8), of(2), of(1));
            assert_eq!(few, many[..few.len()], "{mechanism}");
            assert_eq!(one, many[..one.len()], "{mechanism}");
            assert_eq!(of(9)[..many.len()], many);
        }
    }

    #[test]
    fn a_path_alone_has_the_bits_of_its_lane_with_several_sources() {
        let sources = [Mechanism::Label, Mechanism::Sgld, Mechanism::Dropconnect]
            .map(|mechanism| source(mechanism, Law::Gaussian));
        let of = |paths| run(&PRODUCT, &sources, paths, 0.1, &[5, 700]).values;
        let (many, two) = (of(8), of(2));
        assert_eq!(two, many[..two.len()]);
    }

    fn network() -> AnyModel {
        let numbers = |count, seed: f64| (0..count).map(move |i| (seed + 7.3 * i as f64).sin());
        let train = Samples {
            count: 7,
            inputs: numbers(14, 0.2).collect(),
            targets: numbers(7, 1.1).collect(),
        };
        let data = Arc::new(Data {
            features: 2,
            targets: 1,
            train,
            ..Data::default()
        });
        let perceptron = Perceptron::new(vec![2, 3, 1], Activation::Tanh, true);
        AnyModel::Perceptron(Regression::new(perceptron, data))
    }

    /// A formula, which takes a step of several blocks at once, with noise in three places.
    fn formula() -> (AnyModel, Vec<Source>) {
        let text = "observables = [\"norm\"]\n[model]\nkind = \"formula\"\nparameters = [\"u\", \"v\"]\nnoise = [\"e\"]\n\
            loss = \"0.5*(u*v - 1 - e)^2\"\nstart = [2.0, 0.5]\n\
            [ladder]\nstep_sizes = [0.04, 0.02, 0.01, 0.005]\nsigma = 0.1\nhorizon = 1.0\npaths = 100\n";
        let (spec, file) = crate::scenario::parse("test.toml", text, &[]).unwrap();
        let study = crate::scenario::Study::resolve(spec, file).unwrap();
        let model = study.noisy.model().clone();
        assert!(model.side_by_side() > 1);
        let mut sources = study.noisy.sources().to_vec();
        sources.push(source(Mechanism::Sgld, Law::Gaussian));
        sources.push(source(Mechanism::Dropconnect, Law::Bernoulli));
        (model, sources)
    }

    /// Ensembles of every remainder by the lanes, of a model with short steps, of a network and of a formula, with lanes and
    /// without, as on a machine that has no vectors.
    #[test]
    fn a_path_has_the_same_bits_in_an_ensemble_of_any_size_with_and_without_lanes() {
        let observe = |_, w: &[f64], out: &mut [f64]| out.copy_from_slice(w);
        let sources = || {
            let mechanisms = [Mechanism::Label, Mechanism::Dropconnect];
            Vec::from(mechanisms.map(|mechanism| source(mechanism, Law::Gaussian)))
        };
        for (model, sources) in [(PRODUCT, sources()), (network(), sources()), formula()] {
            let m = model.dimension();
            let start: Vec<_> = (0..m).map(|i| (2.0 + i as f64).sin()).collect();
            let of = |first_path, paths, lanes| {
                let plan = DescentPlan {
                    shared_streams: false,
                    start: &start,
                    step_sizes: StepSizes::Constant(0.05),
                    sigma: 0.1,
                    paths,
                    first_path,
                    record_at: &[5, 300],
                    values_per_record: m,
                    seed: 3,
                    level: 1,
                };
                if lanes {
                    return run_descent(&model, &sources, &plan, &observe, &|_| true);
                }
                let none = (Baseline, Baseline);
                run_with(&model, none, &sources, &plan, &observe, &|_| true)
            };
            let all = of(0, 24, true).values;
            for paths in 1..=19 {
                for (first, lanes) in [(0, true), (5, true), (0, false)] {
                    let run = of(first, paths, lanes);
                    let expected = &all[2 * m * first..2 * m * (first + paths)];
                    assert_eq!(run.values, expected, "{paths} paths from {first}, {lanes}");
                    assert!(run.diverged.is_empty());
                }
            }
        }
    }

    /// On one thread, where all blocks are side by side; also with paths that diverge.
    #[test]
    fn paths_side_by_side_have_the_bits_of_single_ones() {
        let (model, sources) = formula();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
        let pool = pool.unwrap();
        let bits = |run: &DescentRun| run.values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
        for alpha in [0.1, 0.45] {
            let of = |first_path, paths| {
                let plan = DescentPlan {
                    shared_streams: false,
                    start: &[2.0, 0.5],
                    step_sizes: StepSizes::Constant(alpha),
                    sigma: 0.3,
                    paths,
                    first_path,
                    record_at: &[5, 700],
                    values_per_record: 2,
                    seed: 7,
                    level: 2,
                };
                let observe = |_, w: &[f64], out: &mut [f64]| out.copy_from_slice(w);
                pool.install(|| run_descent(&model, &sources, &plan, &observe, &|_| true))
            };
            let alone: Vec<_> = (0..70).map(|path| of(path, 1)).collect();
            let diverged: Vec<_> = alone.iter().flat_map(|run| run.diverged.clone()).collect();
            assert_eq!(diverged.is_empty(), alpha == 0.1);
            let alone: Vec<_> = alone.iter().flat_map(bits).collect();
            for paths in [2, 8, 9, 10, 37, 64, 66, 70] {
                let run = of(0, paths);
                assert_eq!(bits(&run), alone[..4 * paths]);
                let expected = diverged.iter().filter(|d| d.path < paths);
                assert!(expected.eq(&run.diverged));
            }
        }
    }

    #[test]
    fn the_result_is_the_same_for_any_number_of_threads_and_any_ensemble_size() {
        let sources = [source(Mechanism::Label, Law::Gaussian)];
        let pool = |threads| {
            rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap()
        };
        let one = pool(1).install(|| run(&PRODUCT, &sources, 37, 0.1, &[5, 200]));
        let two = pool(3).install(|| run(&PRODUCT, &sources, 37, 0.1, &[5, 200]));
        assert_eq!(one, two);
        let fewer = run(&PRODUCT, &sources, 11, 0.1, &[5, 200]);
        assert_eq!(fewer.values, one.values[..11 * 4]);
    }

    #[test]
    fn no_two_paths_share_their_noise_within_a_block_across_blocks_or_across_levels() {
        let sources = [source(Mechanism::Label, Law::Gaussian)];
        let one_level = |level| {
            let plan = DescentPlan {
                shared_streams: false,
                start: &[2.0, 0.5],
                step_sizes: StepSizes::Constant(0.1),
                sigma: 0.3,
                paths: 40,
                first_path: 0,
                record_at: &[50],
                values_per_record: 2,
                seed: 7,
                level,
            };
            run_descent(
                &PRODUCT,
                &sources,
                &plan,
                &|_, w, out| out.copy_from_slice(w),
                &|_| true,
            )
            .values
        };
        let mut ends: Vec<u64> = [one_level(0), one_level(1)]
            .concat()
            .iter()
            .step_by(2)
            .map(|x| x.to_bits())
            .collect();
        ends.sort_unstable();
        ends.dedup();
        assert_eq!(ends.len(), 80);
    }

    #[test]
    fn where_one_records_does_not_change_the_paths() {
        let sources = [
            source(Mechanism::Dropconnect, Law::Uniform),
            source(Mechanism::Label, Law::Gaussian),
        ];
        let often = run(&PRODUCT, &sources, 8, 0.1, &[1, 2, 3, 65, 100, 130]);
        let once = run(&PRODUCT, &sources, 8, 0.1, &[130]);
        for path in 0..8 {
            assert_eq!(
                often.values[path * 12 + 10..path * 12 + 12],
                once.values[path * 2..path * 2 + 2]
            );
        }
    }

    /// The kernel against the definition, one path at a time, for every mechanism and law and for all at once.
    #[test]
    fn the_kernel_computes_gradient_descent_on_the_noisy_loss() {
        let mut cases: Vec<Vec<Source>> = Vec::new();
        for mechanism in Mechanism::ALL {
            for law in Law::ALL {
                cases.push(vec![source(mechanism, law)]);
            }
        }
        cases.push(Mechanism::ALL.map(|m| source(m, Law::Gaussian)).to_vec());
        let models = [AnyModel::Product(Product), AnyModel::Sphere(Sphere::new(4))];
        for (model, sources) in models
            .iter()
            .flat_map(|m| cases.iter().map(move |c| (m, c)))
        {
            let Ok(noisy) = NoisyLoss::new(model.clone(), sources.clone()) else {
                continue;
            };
            let (alpha, steps) = (0.05, 70);
            let m = model.dimension();
            let fast = run(model, sources, 8, alpha, &[steps]);
            let sizes: Vec<_> = sources.iter().map(|source| source.size(model)).collect();
            let mut noise = NoiseBuffer::new(sources, &sizes, 0.3, LaneStreams::new(7, 2, 0));
            let mut paths = vec![[2.0, 0.5, 0.3, 0.1][..m].to_vec(); LANES];
            for _ in 0..steps {
                let eta = noise.next(1);
                for (lane, w) in paths.iter_mut().enumerate() {
                    let eta: Vec<_> = eta.iter().map(|x| x.0[lane]).collect();
                    let mut gradient = vec![0.0; m];
                    noisy.gradient(w, &eta, &mut gradient);
                    for (x, g) in w.iter_mut().zip(gradient) {
                        *x -= alpha * g;
                    }
                }
            }
            for (fast, exact) in fast.values.iter().zip(paths.concat()) {
                // The kernel fuses multiplications with additions.
                assert!((fast - exact).abs() < 1e-13, "{sources:?}");
            }
        }
    }

    #[test]
    fn a_diverged_path_is_a_row_with_its_exact_step_and_the_others_go_on() {
        // α·λ_max ≈ 5 at the start: some paths escape.
        let sources = [source(Mechanism::Label, Law::Gaussian)];
        let each: Vec<u64> = (1..=150).collect();
        let run = run(&PRODUCT, &sources, 64, 1.15, &each);
        assert!(!run.diverged.is_empty(), "the case is meant to diverge");
        for path in 0..64 {
            let rows = &run.values[path * 300..(path + 1) * 300];
            let finite = rows
                .chunks(2)
                .take_while(|w| w.iter().all(|x| x.is_finite()))
                .count();
            let recorded = run.diverged.iter().find(|d| d.path == path);
            let expected = recorded.map_or(150, |d| d.iteration as usize - 1);
            assert_eq!(finite, expected, "path {path}: {recorded:?}");
        }
    }

    /// §9: any step w ← w − αg·(v, u) multiplies D = u² − v² by 1 − α²g² exactly.
    #[test]
    fn the_imbalance_identity_holds_on_every_path() {
        let alpha = 0.1;
        let each: Vec<u64> = (1..=40).collect();
        for mechanism in [Mechanism::Label, Mechanism::Minibatch, Mechanism::Dropout] {
            let run = run(
                &PRODUCT,
                &[source(mechanism, Law::Gaussian)],
                16,
                alpha,
                &each,
            );
            for path in run.values.chunks(80) {
                for step in path.windows(4).step_by(2) {
                    let (u, v, u2, v2) = (step[0], step[1], step[2], step[3]);
                    let g = (u - u2) / (alpha * v);
                    let predicted = (u * u - v * v) * (1.0 - alpha * alpha * g * g);
                    assert!((u2 * u2 - v2 * v2 - predicted).abs() < 1e-13, "{mechanism}");
                }
            }
        }
    }
}
