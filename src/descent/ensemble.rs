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
/// After so many steps, and at records, it is checked whether a path has diverged: one that has come back by then has not.
const STRETCH: usize = 256;
/// The same for models whose blocks are advanced together, a step of which takes nanoseconds.
const STRETCH_OF_SHORT_STEPS: usize = 1024;
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

impl DescentPlan<'_> {
    /// The streams of block `number` of those that begin with path `first`.
    pub(super) fn streams<R: Streams>(&self, first: usize, number: usize) -> R {
        let first = first + number * R::Draw::COUNT;
        let first = if self.shared_streams {
            first % LANES
        } else {
            first
        };
        R::of(self.seed, u64::from(self.level), first as u64)
    }
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
    /// Begins anew, with the paths from a number on.
    fn depart(&mut self, plan: &DescentPlan, first: usize);
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
fn run_groups<'a>(
    plan: &DescentPlan,
    (lanes, together): (bool, usize),
    observe: Observe,
    progress: Progress,
    departure: Departure<'a>,
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
    let (stretch, report_after) = if together > 1 {
        (STRETCH_OF_SHORT_STEPS, STEPS_PER_REPORT)
    } else {
        (STRETCH, 1)
    };
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
    // What one group leaves behind is the working space of the next.
    let journey = |left: &mut Option<(usize, bool, Box<dyn Walk + 'a>)>, group| {
        let (first, paths, alone, values): (_, _, _, &mut [f64]) = group;
        let first = plan.first_path + first;
        let (.., walk) = match left.take() {
            Some((count, single, mut walk)) if (count, single) == (paths, alone) => {
                walk.depart(plan, first);
                left.insert((paths, alone, walk))
            }
            _ => left.insert((paths, alone, departure(first, paths, alone))),
        };
        let mut journey = Journey {
            walk: walk.as_mut(),
            plan,
            stretch,
            report_after,
            diverged_at: vec![None; paths],
            bound: DIVERGED * plan.start.iter().fold(1.0, |a, x| x.abs().max(a)),
        };
        journey.simulate(values, observe, progress);
        journey.divergences(first)
    };
    let diverged = groups
        .into_par_iter()
        .map_init(|| None, journey)
        .flatten_iter()
        .collect();
    DescentRun { values, diverged }
}

/// Some paths from start to end.
struct Journey<'a, 'w> {
    walk: &'a mut (dyn Walk + 'w),
    plan: &'a DescentPlan<'a>,
    stretch: usize,
    report_after: u64,
    /// For each path.
    diverged_at: Vec<Option<u64>>,
    bound: f64,
}

impl Journey<'_, '_> {
    fn simulate(&mut self, values: &mut [f64], observe: Observe, progress: Progress) {
        let plan = self.plan;
        let paths = self.diverged_at.len() as u64;
        let (mut k, mut reported) = (0, 0);
        let mut step_sizes = Vec::new();
        for (record, &iteration) in plan.record_at.iter().enumerate() {
            while k < iteration {
                let left = usize::try_from(iteration - k).unwrap_or(self.stretch);
                let steps = self.stretch.min(left);
                plan.step_sizes.write(k, steps, &mut step_sizes);
                self.walk.keep();
                self.walk.advance(&step_sizes);
                let out: Vec<_> = (0..self.diverged_at.len())
                    .filter(|&path| self.diverges(path))
                    .collect();
                if !out.is_empty() {
                    self.walk.go_back();
                    for (step, size) in step_sizes.iter().enumerate() {
                        self.walk.advance(std::slice::from_ref(size));
                        self.note_divergence(&out, k + step as u64 + 1);
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

    /// Notes which of some paths have diverged by the step that ends at `iteration`.
    fn note_divergence(&mut self, paths: &[usize], iteration: u64) {
        for &path in paths {
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

    fn divergences(&self, first_path: usize) -> Vec<Divergence> {
        let paths = self.diverged_at.iter().enumerate();
        let diverged = paths.filter_map(|(path, &at)| {
            at.map(|iteration| Divergence {
                path: first_path + path,
                iteration,
            })
        });
        diverged.collect()
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
            let streams = plan.streams(self.first, number);
            NoiseBuffer::new(sources, sizes, plan.sigma, streams)
        };
        (0..self.paths.div_ceil(R::Draw::COUNT))
            .map(block)
            .collect()
    }
}

#[cfg(test)]
mod tests;
