//! The hot loop: a stretch of noisy gradient steps for blocks of eight paths, or for single ones.

use pulp::{Arch, NullaryFnOnce};

use crate::models::{Model, Parameters};
use crate::noise::{Plugs, Socket, Source};
use crate::random::{BatchSampler, Streams};
#[cfg(doc)]
use crate::scalar::Instructions;
use crate::scalar::{Lanes, Paths, Scalar};

/// How many steps' noise is drawn at once, a multiple of what any law draws together.
pub(super) const STEPS_PER_DRAW: usize = 16;

/// Where one step's noise vector goes. Known at compile time for a single source, so that unused sockets cost nothing.
pub(super) trait Wiring: Copy + Send + Sync {
    fn plugs<'a, S: Scalar>(&self, eta: &'a [S]) -> Plugs<'a, S>;
}

macro_rules! single_socket {
    ($($name:ident),+) => {
        $(
            /// All of η goes to this socket.
            #[derive(Clone, Copy)]
            pub(super) struct $name;

            impl Wiring for $name {
                #[inline(always)]
                fn plugs<'a, S: Scalar>(&self, eta: &'a [S]) -> Plugs<'a, S> {
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
    /// How many blocks of paths are side by side.
    pub side_by_side: usize,
}

impl Wiring for Several<'_> {
    #[inline(always)]
    fn plugs<'a, S: Scalar>(&self, mut eta: &'a [S]) -> Plugs<'a, S> {
        let mut plugs = Plugs::NONE;
        for (source, &size) in self.sources.iter().zip(self.sizes) {
            let (mine, rest) = eta.split_at(size * self.side_by_side);
            plugs.plug(source.mechanism.socket(), mine);
            eta = rest;
        }
        plugs
    }
}

/// Where the noise of the next steps comes from: one row of d numbers of each path a step.
pub(super) trait Rows {
    /// One number of each path.
    type Draw: Paths;

    /// d.
    fn dimension(&self) -> usize;

    /// Between 1 and `wanted` further rows, in order; each row is handed out once.
    fn next(&mut self, wanted: usize) -> &[Self::Draw];
}

/// Rows that are known already.
#[derive(Clone)]
pub(super) struct Given {
    pub rows: Vec<Lanes>,
    pub dimension: usize,
    /// How many numbers have been handed out.
    pub used: usize,
}

impl Given {
    /// Sets the next rows.
    pub(super) fn set(&mut self, write: impl FnOnce(&mut Vec<Lanes>)) {
        self.used = 0;
        self.rows.clear();
        write(&mut self.rows);
    }
}

impl Rows for Given {
    type Draw = Lanes;

    fn dimension(&self) -> usize {
        self.dimension
    }

    #[inline(always)]
    fn next(&mut self, wanted: usize) -> &[Lanes] {
        let from = self.used;
        self.used += wanted * self.dimension;
        &self.rows[from..self.used]
    }
}

/// Rows that are drawn as they are needed.
pub(super) struct NoiseBuffer<'s, R: Streams> {
    sources: &'s [Source],
    sizes: &'s [usize],
    sigma: f64,
    /// One for each source with real minibatches, which remember where they are.
    samplers: Vec<Option<BatchSampler>>,
    streams: R,
    rows: Vec<R::Draw>,
    scratch: Vec<R::Draw>,
    dimension: usize,
    used: usize,
}

impl<R: Streams> Clone for NoiseBuffer<'_, R> {
    fn clone(&self) -> Self {
        Self {
            samplers: self.samplers.clone(),
            streams: self.streams.clone(),
            rows: self.rows.clone(),
            scratch: self.scratch.clone(),
            ..*self
        }
    }

    /// Takes no new memory: paths are kept every few hundred steps.
    fn clone_from(&mut self, other: &Self) {
        self.samplers.clone_from(&other.samplers);
        self.streams.clone_from(&other.streams);
        self.rows.copy_from_slice(&other.rows);
        self.used = other.used;
    }
}

impl<'s, R: Streams> NoiseBuffer<'s, R> {
    pub(super) fn new(sources: &'s [Source], sizes: &'s [usize], sigma: f64, streams: R) -> Self {
        let dimension: usize = sizes.iter().sum();
        let largest = sizes.iter().max().copied().unwrap_or(0);
        Self {
            sources,
            sizes,
            sigma,
            samplers: sources
                .iter()
                .zip(sizes)
                .map(|(source, &size)| Some(BatchSampler::new(source.batch?, size, R::Draw::COUNT)))
                .collect(),
            streams,
            rows: vec![R::Draw::zero(); STEPS_PER_DRAW * dimension],
            scratch: vec![R::Draw::zero(); STEPS_PER_DRAW * largest],
            dimension,
            used: STEPS_PER_DRAW,
        }
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

impl<R: Streams> Rows for NoiseBuffer<'_, R> {
    type Draw = R::Draw;

    fn dimension(&self) -> usize {
        self.dimension
    }

    #[inline(always)]
    fn next(&mut self, wanted: usize) -> &[R::Draw] {
        if self.used == STEPS_PER_DRAW {
            Arch::new().dispatch(Draw(self));
            self.used = 0;
        }
        let from = self.used;
        self.used = from + wanted.min(STEPS_PER_DRAW - from);
        &self.rows[from * self.dimension..self.used * self.dimension]
    }
}

/// Fills `out` with the noise of one source.
#[inline(always)]
fn fill<R: Streams>(
    source: &Source,
    sigma: f64,
    sampler: Option<&mut BatchSampler>,
    streams: &mut R,
    out: &mut [R::Draw],
) {
    match sampler {
        Some(sampler) => sampler.fill(streams, out),
        None => source.law.fill(sigma * source.scale, streams, out),
    }
}

/// Eight paths, or one, and their noise; or several times as many [side by side](Model::side_by_side).
#[derive(Clone)]
pub(super) struct Block<V, R> {
    pub w: V,
    pub noise: R,
}

impl<V: Parameters<R::Draw>, R: Rows> Block<V, R> {
    /// All paths at `start`.
    pub(super) fn new<M: Model<Vector<R::Draw> = V>>(
        model: &M,
        side_by_side: usize,
        start: &[f64],
        noise: R,
    ) -> Self {
        let mut w = model.zeros::<R::Draw>().side_by_side(side_by_side);
        for (paths, &x) in w.as_mut().chunks_exact_mut(side_by_side).zip(start) {
            paths.fill(R::Draw::constant(x));
        }
        Self { w, noise }
    }
}

/// Working space of a step, with any content.
pub(super) struct Work<V, S> {
    point: V,
    gradient: V,
    scratch: Vec<S>,
}

impl<V: Parameters<S>, S: Scalar> Work<V, S> {
    pub(super) fn new<M: Model<Vector<S> = V>>(model: &M, side_by_side: usize) -> Self {
        let zeros = model.zeros::<S>().side_by_side(side_by_side);
        Self {
            point: zeros.clone(),
            gradient: zeros,
            scratch: vec![S::zero(); side_by_side * model.scratch()],
        }
    }
}

/// How many blocks [`Advance`] takes together at most.
pub(super) const BLOCKS: usize = 8;

/// Advances up to [`BLOCKS`] blocks by `step_sizes.len()` steps, a step of each in turn: where a step is a chain of a few operations,
/// the processor works on one block while the next operation of another has to wait.
///
/// A type rather than a closure, because only a small `call` that is forced inline takes on the [`Instructions`] that it is run
/// with: the loop is compiled for AVX-512 and AVX2, and chosen at run time.
pub(super) struct Advance<'a, M: Model, W, R: Rows> {
    pub model: &'a M,
    pub wiring: W,
    pub blocks: &'a mut [Block<M::Vector<R::Draw>, R>],
    pub work: &'a mut Work<M::Vector<R::Draw>, R::Draw>,
    pub step_sizes: &'a [f64],
}

/// Each block's parameters with the rows of noise that it takes next.
type Together<'b, V, S> = [(Option<&'b mut V>, &'b [S]); BLOCKS];

impl<M: Model, W: Wiring, R: Rows> NullaryFnOnce for Advance<'_, M, W, R> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let (model, wiring) = (self.model, self.wiring);
        let dimension = self.blocks[0].noise.dimension();
        // Copies on the stack: for models with a fixed number of parameters they stay in registers.
        let (mut point, mut gradient) = (self.work.point.clone(), self.work.gradient.clone());
        let mut left = self.step_sizes;
        while !left.is_empty() {
            let mut together: Together<M::Vector<R::Draw>, R::Draw> =
                [const { (None, &[]) }; BLOCKS];
            let mut steps = 0;
            for (slot, block) in together.iter_mut().zip(self.blocks.iter_mut()) {
                let rows = block.noise.next(left.len());
                steps = rows.len() / dimension;
                *slot = (Some(&mut block.w), rows);
            }
            let (now, later) = left.split_at(steps);
            left = later;
            for (k, &step_size) in now.iter().enumerate() {
                let minus_alpha = R::Draw::constant(-step_size);
                for (w, rows) in &mut together {
                    let Some(w) = w else { break };
                    step(
                        model,
                        &wiring.plugs(&rows[k * dimension..(k + 1) * dimension]),
                        w,
                        (&mut point, &mut gradient),
                        &mut self.work.scratch,
                        minus_alpha,
                    );
                }
            }
        }
    }
}

/// w ← w − α ∇L̂(w, η).
///
/// w stays in memory: in registers throughout, the compiler makes vectors across parameters and shuffles them.
#[inline(always)]
fn step<M: Model, S: Scalar>(
    model: &M,
    plugs: &Plugs<S>,
    w: &mut M::Vector<S>,
    (point, gradient): (&mut M::Vector<S>, &mut M::Vector<S>),
    scratch: &mut [S],
    minus_alpha: S,
) {
    let at = if plugs.moves_parameters() {
        point.as_mut().copy_from_slice(w.as_ref());
        plugs.perturb(point.as_mut());
        point.as_ref()
    } else {
        w.as_ref()
    };
    model.gradient(at, &plugs.injection, scratch, gradient.as_mut());
    plugs.finish(gradient.as_mut());
    w.add_scaled(minus_alpha, gradient);
}

/// Draws the next rows of noise; a type for the same reason as [`Advance`].
struct Draw<'b, 's, R: Streams>(&'b mut NoiseBuffer<'s, R>);

impl<R: Streams> NullaryFnOnce for Draw<'_, '_, R> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.0.draw();
    }
}
