//! The hot loop: a stretch of noisy gradient steps for one block of eight paths.

use pulp::{Arch, NullaryFnOnce};

use crate::models::Model;
use crate::noise::{Plugs, Socket, Source};
use crate::random::{BatchSampler, LaneStreams};
use crate::scalar::{Lanes, Scalar};

/// How many steps' noise is drawn at once; even, so that pairs of normals are never split.
const STEPS_PER_DRAW: usize = 64;

/// Where one step's noise vector goes. Known at compile time for a single source, so that unused sockets cost nothing.
pub(super) trait Wiring: Copy + Send + Sync {
    fn plugs<'a>(&self, eta: &'a [Lanes]) -> Plugs<'a, Lanes>;
}

macro_rules! single_socket {
    ($($name:ident),+) => {
        $(
            /// All of η goes to this socket.
            #[derive(Clone, Copy)]
            pub(super) struct $name;

            impl Wiring for $name {
                #[inline(always)]
                fn plugs<'a>(&self, eta: &'a [Lanes]) -> Plugs<'a, Lanes> {
                    let mut plugs = Plugs::NONE;
                    plugs.plug(Socket::$name, eta);
                    plugs
                }
            }
        )+
    };
}

single_socket!(
    SampleWeights,
    Labels,
    Units,
    ParametersMultiplied,
    ParametersAdded,
    GradientAdded
);

/// Several sources: η is cut up at run time.
#[derive(Clone, Copy)]
pub(super) struct Several<'s> {
    pub sources: &'s [Source],
    pub sizes: &'s [usize],
}

impl Wiring for Several<'_> {
    #[inline(always)]
    fn plugs<'a>(&self, mut eta: &'a [Lanes]) -> Plugs<'a, Lanes> {
        let mut plugs = Plugs::NONE;
        for (source, &size) in self.sources.iter().zip(self.sizes) {
            let (mine, rest) = eta.split_at(size);
            plugs.plug(source.mechanism.socket(), mine);
            eta = rest;
        }
        plugs
    }
}

/// The noise of the next steps of a block: one row of d lanes a step.
pub(super) struct NoiseBuffer<'s> {
    sources: &'s [Source],
    sizes: &'s [usize],
    sigma: f64,
    /// One for each source with real minibatches, which remember where they are.
    samplers: Vec<Option<BatchSampler>>,
    streams: LaneStreams,
    rows: Vec<Lanes>,
    scratch: Vec<Lanes>,
    dimension: usize,
    used: usize,
}

impl<'s> NoiseBuffer<'s> {
    pub(super) fn new(
        sources: &'s [Source],
        sizes: &'s [usize],
        sigma: f64,
        streams: LaneStreams,
    ) -> Self {
        let dimension: usize = sizes.iter().sum();
        let largest = sizes.iter().max().copied().unwrap_or(0);
        Self {
            sources,
            sizes,
            sigma,
            samplers: sources
                .iter()
                .zip(sizes)
                .map(|(source, &size)| Some(BatchSampler::new(source.batch?, size)))
                .collect(),
            streams,
            rows: vec![Lanes::zero(); STEPS_PER_DRAW * dimension],
            scratch: vec![Lanes::zero(); STEPS_PER_DRAW * largest],
            dimension,
            used: STEPS_PER_DRAW,
        }
    }

    /// Between 1 and `wanted` further rows of noise, in order; each row is handed out once.
    pub(super) fn next(&mut self, wanted: u64) -> &[Lanes] {
        if self.used == STEPS_PER_DRAW {
            Arch::new().dispatch(Draw(self));
            self.used = 0;
        }
        let count = (STEPS_PER_DRAW - self.used).min(usize::try_from(wanted).unwrap_or(usize::MAX));
        let from = self.used * self.dimension;
        self.used += count;
        &self.rows[from..self.used * self.dimension]
    }

    #[inline(always)]
    fn draw(&mut self) {
        if let [source] = self.sources {
            let sampler = self.samplers[0].as_mut();
            fill(
                source,
                self.sigma,
                sampler,
                &mut self.streams,
                &mut self.rows,
            );
            return;
        }
        let mut offset = 0;
        for ((source, &size), sampler) in
            self.sources.iter().zip(self.sizes).zip(&mut self.samplers)
        {
            let drawn = &mut self.scratch[..STEPS_PER_DRAW * size];
            fill(
                source,
                self.sigma,
                sampler.as_mut(),
                &mut self.streams,
                drawn,
            );
            for (row, values) in self
                .rows
                .chunks_exact_mut(self.dimension)
                .zip(drawn.chunks_exact(size))
            {
                row[offset..offset + size].copy_from_slice(values);
            }
            offset += size;
        }
    }
}

/// Fills `out` with the noise of one source.
#[inline(always)]
fn fill(
    source: &Source,
    sigma: f64,
    sampler: Option<&mut BatchSampler>,
    streams: &mut LaneStreams,
    out: &mut [Lanes],
) {
    match sampler {
        Some(sampler) => sampler.fill(streams, out),
        None => source.law.fill(sigma * source.scale, streams, out),
    }
}

/// Advances eight paths by `step_sizes.len()` steps, with one row of `noise` (d lanes) a step.
///
/// A type rather than a closure, because only a small `call` that is forced inline takes on the instruction set that
/// `Arch` dispatches to: the loop is compiled for AVX-512, AVX2 and the baseline, and chosen at run time.
pub(super) struct Advance<'a, M: Model, W> {
    pub model: &'a M,
    pub wiring: W,
    pub w: &'a mut M::Vector<Lanes>,
    /// Working space of the size of `w`.
    pub point: &'a mut M::Vector<Lanes>,
    /// Working space of the size of `w`.
    pub gradient: &'a mut M::Vector<Lanes>,
    /// Working space of the model.
    pub scratch: &'a mut [Lanes],
    pub noise: &'a [Lanes],
    pub step_sizes: &'a [f64],
}

impl<M: Model, W: Wiring> NullaryFnOnce for Advance<'_, M, W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let dimension = self.noise.len() / self.step_sizes.len();
        // Copies on the stack: for models with a fixed number of parameters they stay in registers.
        let mut w = self.w.clone();
        let mut point = self.point.clone();
        let mut gradient = self.gradient.clone();
        for (eta, &step_size) in self.noise.chunks_exact(dimension).zip(self.step_sizes) {
            let plugs = self.wiring.plugs(eta);
            let alpha = Lanes::constant(step_size);
            point.as_mut().copy_from_slice(w.as_ref());
            plugs.perturb(point.as_mut());
            self.model.gradient(
                point.as_ref(),
                &plugs.injection,
                self.scratch,
                gradient.as_mut(),
            );
            plugs.finish(gradient.as_mut());
            for (x, &g) in w.as_mut().iter_mut().zip(gradient.as_ref()) {
                *x = *x - alpha * g;
            }
        }
        *self.w = w;
    }
}

impl<M: Model, W: Wiring> Advance<'_, M, W> {
    pub(super) fn run(self) {
        Arch::new().dispatch(self);
    }
}

/// Draws the next rows of noise; a type for the same reason as [`Advance`].
struct Draw<'b, 's>(&'b mut NoiseBuffer<'s>);

impl NullaryFnOnce for Draw<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.0.draw();
    }
}
