//! The hot loop: a stretch of noisy gradient steps for blocks of eight paths, or for single ones.

use pulp::NullaryFnOnce;

use crate::models::{Model, Parameters};
use crate::noise::{Plugs, Socket, Source};
#[cfg(doc)]
use crate::scalar::Instructions;
use crate::scalar::Scalar;

/// Where one step's noise vector goes. Known at compile time for a single source, so that unused sockets cost nothing.
pub(super) trait Wiring: Copy + Send + Sync {
    fn plugs<'a, S: Scalar>(&self, eta: &'a [S]) -> Plugs<'a, S>;

    /// [`Plugs::moves_parameters`]. Where it is not known at compile time, w can't be held in registers.
    fn moves_parameters<S: Scalar>(&self, plugs: &Plugs<S>) -> bool;
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

                #[inline(always)]
                fn moves_parameters<S: Scalar>(&self, _: &Plugs<S>) -> bool {
                    Socket::$name.moves_parameters()
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

impl<'s> Several<'s> {
    /// For a block by itself.
    pub(super) fn of(sources: &'s [Source], sizes: &'s [usize]) -> Self {
        Self {
            sources,
            sizes,
            side_by_side: 1,
        }
    }
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

    #[inline(always)]
    fn moves_parameters<S: Scalar>(&self, plugs: &Plugs<S>) -> bool {
        plugs.moves_parameters()
    }
}

/// w₀ for every path of a block, or of some blocks side by side.
pub(super) fn starting<M: Model, S: Scalar>(
    model: &M,
    start: &[f64],
    side_by_side: usize,
) -> M::Vector<S> {
    let mut w = model.zeros::<S>().side_by_side(side_by_side);
    restart(w.as_mut(), start, side_by_side);
    w
}

/// Makes w the start again.
pub(super) fn restart<S: Scalar>(w: &mut [S], start: &[f64], side_by_side: usize) {
    for (paths, &x) in w.chunks_exact_mut(side_by_side).zip(start) {
        paths.fill(S::constant(x));
    }
}

/// Working space of a step, with any content.
#[derive(Clone)]
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

/// How many blocks of paths [`Advance`] takes together at most.
pub(super) const BLOCKS: usize = 8;

/// Each block's parameters with its rows of noise, d numbers a step.
pub(super) type Together<'b, V, S> = [Option<(&'b mut V, &'b [S])>; BLOCKS];

/// Advances some blocks by `step_sizes.len()` steps, a step of each in turn: where a step is a chain of a few operations, the processor
/// works on one block while the next operation of another has to wait.
///
/// A type rather than a closure, because only a small `call` that is forced inline takes on the [`Instructions`] that it is run
/// with: the loop is compiled for AVX-512 and AVX2, and chosen at run time.
pub(super) struct Advance<'a, 'b, M: Model, W, S: Scalar> {
    pub model: &'a M,
    pub wiring: W,
    /// d.
    pub dimension: usize,
    pub together: Together<'b, M::Vector<S>, S>,
    pub work: &'a mut Work<M::Vector<S>, S>,
    pub step_sizes: &'a [f64],
}

impl<M: Model, W: Wiring, S: Scalar> NullaryFnOnce for Advance<'_, '_, M, W, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self {
            model,
            wiring,
            dimension: d,
            mut together,
            work,
            step_sizes,
        } = self;
        let with = (model, wiring);
        if !M::Vector::<S>::FIXED {
            for (k, &step_size) in step_sizes.iter().enumerate() {
                for (w, rows) in together.iter_mut().flatten() {
                    let eta = &rows[k * d..(k + 1) * d];
                    step(with, eta, w, work, S::constant(-step_size));
                }
            }
            return;
        }
        // Copies on the stack, which stay in registers.
        let mut work = work.clone();
        if let [Some((place, rows)), None, ..] = &mut together {
            // Nothing else to do while a step waits for the one before: its parameters need not go through memory.
            let mut w = place.clone();
            for (eta, &step_size) in rows.chunks_exact(d).zip(step_sizes) {
                step(with, eta, &mut w, &mut work, S::constant(-step_size));
            }
            **place = w;
            return;
        }
        for (k, &step_size) in step_sizes.iter().enumerate() {
            let minus_alpha = S::constant(-step_size);
            for slot in &mut together {
                let Some((w, rows)) = slot else { break };
                let eta = &rows[k * d..(k + 1) * d];
                step(with, eta, w, &mut work, minus_alpha);
            }
        }
    }
}

/// w ← w − α ∇L̂(w, η).
///
/// Of several blocks in turn w stays in memory: in registers throughout, the compiler makes vectors across parameters and
/// shuffles them.
#[inline(always)]
fn step<M: Model, S: Scalar>(
    (model, wiring): (&M, impl Wiring),
    eta: &[S],
    w: &mut M::Vector<S>,
    work: &mut Work<M::Vector<S>, S>,
    minus_alpha: S,
) {
    let plugs = wiring.plugs(eta);
    let Work {
        point,
        gradient,
        scratch,
    } = work;
    let at = if wiring.moves_parameters(&plugs) {
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
