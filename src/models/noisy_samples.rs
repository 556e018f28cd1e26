//! The samples of a gradient of least squares, and what noise does to each.

use super::{Data, Injection};
use crate::scalar::Scalar;

/// N samples with q targets each; w and scratch are not its business.
#[derive(Clone, Copy, Debug)]
pub(super) struct NoisySamples<'a, S> {
    data: &'a Data,
    noise: Injection<'a, S>,
    /// U.
    units: usize,
    /// 1/N.
    share: S,
}

/// Some samples, of which the first few count: the others are there for the shape, and have no weight.
pub(super) type Chosen<const B: usize> = ([usize; B], usize);

impl<'a, S: Scalar> NoisySamples<'a, S> {
    /// All training samples, for a network with so many hidden units.
    #[inline(always)]
    pub(super) fn new(data: &'a Data, noise: Injection<'a, S>, units: usize) -> Self {
        let share = S::constant(1.0 / data.train.count as f64);
        Self {
            data,
            noise,
            units,
            share,
        }
    }

    /// x of sample i.
    #[inline(always)]
    pub(super) fn input(&self, i: usize) -> &'a [f64] {
        self.data
            .train
            .row(i, self.data.features, self.data.targets)
            .0
    }

    /// Whether units have other factors for each sample.
    #[inline(always)]
    pub(super) fn own_masks(&self) -> bool {
        self.noise.units.len() > self.units
    }

    /// The η of the units for sample i: shared, or its own.
    #[inline(always)]
    pub(super) fn units(&self, i: usize) -> &'a [S] {
        if self.own_masks() {
            &self.noise.units[i * self.units..(i + 1) * self.units]
        } else {
            self.noise.units
        }
    }

    /// The next samples from number `from` on, which moves on; none where none is left. A sample that no path of the block has
    /// chosen costs nothing.
    #[inline(always)]
    pub(super) fn choose<const B: usize>(&self, from: &mut usize) -> Option<Chosen<B>> {
        let (mut chosen, mut count) = ([0; B], 0);
        while *from < self.data.train.count && count < B {
            if !self.noise.weight(*from).is_zero() {
                chosen[count] = *from;
                count += 1;
            }
            *from += 1;
        }
        (count > 0).then_some((chosen, count))
    }

    /// ∂L̂/∂f_o of sample i with output f.
    #[inline(always)]
    pub(super) fn cotangent(&self, i: usize, o: usize, f: S) -> S {
        let q = self.data.targets;
        let r = f - S::constant(self.data.train.targets[i * q + o]);
        self.share * self.noise.weight(i) * self.noise.residual(i * q + o, r)
    }
}
