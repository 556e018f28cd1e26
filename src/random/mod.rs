//! Draws the noise: independent random streams, eight in SIMD lanes or one alone, and the laws of one noise coordinate.
//!
//! | file | job |
//! |---|---|
//! | `seeding` | (seed, level, path) → 256-bit generator state, a Threefry bijection |
//! | `streams` | xoshiro256++ generators, eight in lockstep or one |
//! | `skip` | a generator moved ahead by any number of words |
//! | `logarithm`, `circle` | ln and a point in a random direction, without branches |
//! | `gaussian` | the Box–Muller pair, of one word |
//! | `law` | the laws a noise coordinate can have |
//! | `batch` | minibatches, as perturbations of the sample weights |
//!
//! **Reproducibility.** Everything here uses only integer operations and the correctly rounded operations of IEEE 754 (sum,
//! difference, product, quotient, square root, fused multiply-add), in an order fixed by the source, with no call into a
//! mathematical library. The same (seed, level, path) therefore gives the same bits on every instruction set (one without
//! fused multiply-adds, before AVX2 or the like, has to emulate them and is slow), and a path gives the same bits in
//! whichever lane it is run, or alone.
//!
//! `tests/instruction_sets.rs` runs laws, functions and gradients on every instruction set of the machine and compares the bits.
//!
//! **Random access.** Every law takes one word a draw, the Gaussian one a pair. So draw n of a path is [`Law::words`] of n into
//! its stream, and [`Streams::skip`] goes there at once (for the Gaussian law n must be even, the start of a pair). Several
//! sources of noise take turns, sixteen steps each, and a minibatch of B samples takes B words. What is to be stored in order to
//! go on later is the parameters with either n, even, or [`LaneStreams::state`] at such a point; with minibatches drawn without
//! replacement also the [`BatchSampler`], which remembers the order.
//!
//! **Proof.** Unit tests have the known answers (Threefry, xoshiro256++ and its jumps) and small samples;
//! `cargo bench --bench random -- --draws 1e9` has the battery at size, `--planted` its power.
//!
//! **Speed.** Every function on the hot path is `#[inline(always)]` and written over `[f64; 8]` and `[u64; 8]`, so it is compiled
//! for the instruction set of its caller. [`Law::fill`] chooses one by itself; [`BatchSampler::fill`] is to be called from inside a
//! function dispatched to AVX2 or AVX-512.

mod batch;
mod circle;
mod gaussian;
mod law;
mod logarithm;
mod seeding;
mod skip;
mod streams;

#[cfg(test)]
mod statistics;

pub use batch::{Batch, BatchSampler, Sampling};
pub use law::Law;
pub use streams::{LaneStreams, PathStream, Streams};
