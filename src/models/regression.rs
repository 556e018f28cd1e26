//! Least squares with a network on data: L = 1/(2N) Σᵢ |f(w, xᵢ) − yᵢ|², with noise in weights, labels and hidden units.

use std::sync::Arc;

use super::aligned::Aligned;
use super::{
    BLOCK, Data, Injection, LARGEST_BLOCK, LeastSquares, Model, ModelCard, Network, SocketSizes,
};
use crate::scalar::Scalar;

/// L̂ = 1/(2N) Σᵢ (1+η_w,i) |f(w, xᵢ; units) − yᵢ − η_y,i|²; the unit factors are shared by the samples or one set each.
#[derive(Clone, Debug)]
pub struct Regression<F> {
    network: F,
    data: Arc<Data>,
    /// The training inputs, feature by feature (n₀×N), of a network that is linear in them; otherwise empty, as is the next.
    by_feature: Aligned,
    /// The same, sample by sample (N×n₀).
    by_sample: Aligned,
}

impl<F: PartialEq> PartialEq for Regression<F> {
    fn eq(&self, other: &Self) -> bool {
        self.network == other.network && self.data == other.data
    }
}

impl<F: Network> Regression<F> {
    /// Joins a network and data; inputs and targets must have the lengths that the network has.
    pub fn new(network: F, data: Arc<Data>) -> Self {
        debug_assert_eq!(network.inputs(), data.features);
        debug_assert_eq!(network.outputs(), data.targets);
        let (features, train) = (data.features, &data.train);
        let entry = |i: usize, j: usize| train.inputs[i * features + j];
        let mut scratch = vec![0.0; network.scratch()];
        let count = match network.linear(&mut scratch) {
            Some(_) => train.count,
            None => 0,
        };
        let by_feature = Aligned::new(features, count, |j, i| entry(i, j));
        let by_sample = Aligned::new(count, features, entry);
        Self {
            network,
            data,
            by_feature,
            by_sample,
        }
    }

    /// The network without the data.
    pub fn network(&self) -> &F {
        &self.network
    }

    /// The data.
    pub fn data(&self) -> &Data {
        &self.data
    }

    /// The η of the units for sample i: shared, or its own.
    #[inline(always)]
    fn units<'a, S: Scalar>(&self, units: &'a [S], sample: usize) -> &'a [S] {
        let u = self.network.units();
        if units.len() > u {
            &units[sample * u..(sample + 1) * u]
        } else {
            units
        }
    }

    /// Some samples of a pass: output less target, and the pullback of `cotangent` of it, given the number among these
    /// samples, that of the output, and the difference.
    #[inline(always)]
    fn samples<S: Scalar, const B: usize>(
        &self,
        w: &[S],
        samples: [usize; B],
        units: &[S],
        scratch: &mut Scratch<S>,
        gradient: &mut [S],
        cotangent: impl Fn(usize, usize, S) -> S,
    ) {
        let (q, data) = (self.network.outputs(), &self.data);
        let units = samples.map(|i| self.units(units, i));
        let x = samples.map(|i| data.train.row(i, data.features, q).0);
        let y = samples.map(|i| data.train.row(i, data.features, q).1);
        let residuals = scratch.residual.as_chunks_mut().0;
        self.network
            .forward(w, x, units, scratch.pass, &mut residuals[..q]);
        let cotangents = scratch.cotangent.as_chunks_mut().0;
        for (o, (r, c)) in residuals[..q]
            .iter_mut()
            .zip(cotangents.iter_mut())
            .enumerate()
        {
            for b in 0..B {
                r[b] = r[b] - S::constant(y[b][o]);
                c[b] = cotangent(b, o, r[b]);
            }
        }
        self.network
            .backward(w, x, &cotangents[..q], scratch.pass, gradient);
    }

    /// The gradient of a network that is linear in x, with all samples in one matrix product there and one back; false,
    /// and nothing done, for any other.
    #[inline(always)]
    fn linear_gradient<S: Scalar>(
        &self,
        w: &[S],
        noise: &Injection<S>,
        scratch: &mut [S],
        gradient: &mut [S],
    ) -> bool {
        let (q, data) = (self.network.outputs(), &self.data);
        let (features, samples) = (data.features, data.train.count);
        let (pass, outputs) = scratch.split_at_mut(self.network.scratch());
        let outputs = &mut outputs[..q * samples];
        if self.network.linear(pass).is_none() {
            return false;
        }
        self.network.begin(w, noise.units, pass);
        let share = S::constant(1.0 / samples as f64);
        if let Some((end_to_end, pulled)) = self.network.linear(pass) {
            outputs.fill(S::zero());
            for o in 0..q {
                let outputs = &mut outputs[o * samples..(o + 1) * samples];
                let row = o * features..(o + 1) * features;
                self.by_feature
                    .add_combined(outputs, &end_to_end[row.clone()]);
                let targets = data.train.targets.iter().skip(o).step_by(q);
                let outputs_and_targets = outputs.iter_mut().zip(targets);
                if noise.labels.is_empty() {
                    for (f, &y) in outputs_and_targets {
                        *f = share * (*f - S::constant(y));
                        S::element_done();
                    }
                } else {
                    let labels = noise.labels[o..].iter().step_by(q);
                    for ((f, &y), &eta) in outputs_and_targets.zip(labels) {
                        *f = share * (*f - (S::constant(y) + eta));
                        S::element_done();
                    }
                }
                self.by_sample.add_combined(&mut pulled[row], outputs);
            }
        }
        self.network.end(w, noise.units, pass, gradient, true);
        true
    }

    /// Adds what the first `count` of some samples contribute. The others are there for the shape, and have no weight.
    #[inline(always)]
    fn some_samples<S: Scalar, const B: usize>(
        &self,
        w: &[S],
        (chosen, count): ([usize; B], usize),
        noise: &Injection<S>,
        scratch: &mut Scratch<S>,
        gradient: &mut [S],
    ) {
        let q = self.network.outputs();
        let share = S::constant(1.0 / self.data.train.count as f64);
        self.samples(w, chosen, noise.units, scratch, gradient, |b, o, r| {
            let i = chosen[b];
            if b < count {
                share * noise.weight(i) * noise.residual(i * q + o, r)
            } else {
                S::zero()
            }
        });
    }

    /// Adds the gradient, B samples at a time.
    #[inline(always)]
    fn by_samples<S: Scalar, const B: usize>(
        &self,
        w: &[S],
        noise: &Injection<S>,
        scratch: &mut [S],
        gradient: &mut [S],
    ) {
        let (q, samples) = (self.network.outputs(), self.data.train.count);
        let share = S::constant(1.0 / samples as f64);
        let own_masks = noise.units.len() > self.network.units();
        let mut scratch = Scratch::of(scratch, self.network.scratch(), q);
        let masks_apart = own_masks && self.network.linear(scratch.pass).is_some();
        if !masks_apart {
            self.network.begin(w, noise.units, scratch.pass);
        }
        let (mut chosen, mut count) = ([0; B], 0);
        for i in 0..samples {
            // A sample that no path of the block has chosen costs nothing.
            if noise.weight(i).is_zero() {
                continue;
            }
            if masks_apart {
                let units = self.units(noise.units, i);
                self.network.begin(w, units, scratch.pass);
                self.samples(w, [i], noise.units, &mut scratch, gradient, |_, o, r| {
                    share * noise.weight(i) * noise.residual(i * q + o, r)
                });
                self.network.end(w, units, scratch.pass, gradient, false);
                continue;
            }
            chosen[count] = i;
            count += 1;
            if count == B {
                count = 0;
                self.some_samples(w, (chosen, B), noise, &mut scratch, gradient);
            }
        }
        if const { B > BLOCK } && (1..=BLOCK).contains(&count) {
            let mut few = [0; BLOCK];
            few.copy_from_slice(&chosen[..BLOCK]);
            self.some_samples(w, (few, count), noise, &mut scratch, gradient);
        } else if count > 0 {
            self.some_samples(w, (chosen, count), noise, &mut scratch, gradient);
        }
        if !masks_apart {
            self.network
                .end(w, noise.units, scratch.pass, gradient, false);
        }
    }

    /// 1/(2·count) Σ |f − y|² over some rows, without noise.
    pub fn mean_square(&self, w: &[f64], rows: &super::Samples) -> f64 {
        let (q, n) = (self.network.outputs(), self.data.features);
        let mut pass = vec![0.0; self.network.scratch()];
        let mut output = vec![[0.0]; q];
        self.network.begin(w, &[], &mut pass);
        let mut total = 0.0;
        for i in 0..rows.count {
            let (x, y) = rows.row(i, n, q);
            self.network.forward(w, [x], [&[]], &mut pass, &mut output);
            total += output
                .iter()
                .zip(y)
                .map(|([f], y)| (f - y).powi(2))
                .sum::<f64>();
        }
        total / (2.0 * rows.count as f64)
    }
}

/// The working space of a gradient, cut into its parts.
struct Scratch<'a, S> {
    pass: &'a mut [S],
    residual: &'a mut [S],
    cotangent: &'a mut [S],
}

impl<'a, S> Scratch<'a, S> {
    #[inline(always)]
    fn of(all: &'a mut [S], pass: usize, outputs: usize) -> Self {
        let (pass, rest) = all.split_at_mut(pass);
        let (residual, cotangent) =
            rest[..2 * LARGEST_BLOCK * outputs].split_at_mut(LARGEST_BLOCK * outputs);
        Self {
            pass,
            residual,
            cotangent,
        }
    }
}

impl<F: Network> Model for Regression<F> {
    const SHORT_STEPS: bool = false;

    type Vector<S: Scalar> = Vec<S>;

    fn zeros<S: Scalar>(&self) -> Vec<S> {
        vec![S::zero(); self.network.dimension()]
    }

    fn parameter_names(&self) -> Vec<String> {
        self.network.parameter_names()
    }

    fn dimension(&self) -> usize {
        self.network.dimension()
    }

    fn fan_in(&self) -> Vec<usize> {
        self.network.fan_in()
    }

    fn sockets(&self) -> SocketSizes {
        let samples = self.data.train.count;
        SocketSizes {
            weights: samples,
            labels: samples * self.network.outputs(),
            units: self.network.units(),
            ..SocketSizes::default()
        }
    }

    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        let (q, data) = (self.network.outputs(), &self.data);
        let mut scratch = vec![S::zero(); self.scratch()];
        let scratch = Scratch::of(&mut scratch, self.network.scratch(), q);
        let mut total = S::zero();
        for i in 0..data.train.count {
            let units = self.units(noise.units, i);
            if i == 0 || noise.units.len() > self.network.units() {
                self.network.begin(w, units, scratch.pass);
            }
            let (x, y) = data.train.row(i, data.features, q);
            let outputs = &mut scratch.residual.as_chunks_mut().0[..q];
            self.network.forward(w, [x], [units], scratch.pass, outputs);
            for (o, (&[f], &y)) in outputs.iter().zip(y).enumerate() {
                let r = noise.residual(i * q + o, f - S::constant(y));
                total = total + noise.weight(i) * r.square();
            }
        }
        total * S::constant(0.5 / data.train.count as f64)
    }

    fn scratch(&self) -> usize {
        self.network.scratch()
            + self.data.train.count.max(2 * LARGEST_BLOCK) * self.network.outputs()
    }

    #[inline(always)]
    fn gradient<S: Scalar>(
        &self,
        w: &[S],
        noise: &Injection<S>,
        scratch: &mut [S],
        gradient: &mut [S],
    ) {
        let own_masks = noise.units.len() > self.network.units();
        if noise.weights.is_empty()
            && !own_masks
            && self.linear_gradient(w, noise, scratch, gradient)
        {
            return;
        }
        gradient.fill(S::zero());
        if S::ACROSS {
            self.by_samples::<S, LARGEST_BLOCK>(w, noise, scratch, gradient);
        } else {
            self.by_samples::<S, BLOCK>(w, noise, scratch, gradient);
        }
    }

    fn least_squares(&self) -> Option<LeastSquares> {
        Some(LeastSquares {
            samples: self.data.train.count,
            outputs: self.network.outputs(),
        })
    }

    #[inline(always)]
    fn residual<S: Scalar>(
        &self,
        index: usize,
        w: &[S],
        units: &[S],
        scratch: &mut [S],
        gradient: &mut [S],
    ) -> S {
        let q = self.network.outputs();
        let mut scratch = Scratch::of(scratch, self.network.scratch(), q);
        gradient.fill(S::zero());
        self.network.begin(w, units, scratch.pass);
        self.samples(w, [index / q], units, &mut scratch, gradient, |_, o, _| {
            S::constant(if o == index % q { 1.0 } else { 0.0 })
        });
        self.network.end(w, units, scratch.pass, gradient, false);
        scratch.residual[index % q]
    }

    fn scaled_units(&self) -> (Vec<Option<usize>>, usize) {
        self.network.scaled_units()
    }

    fn is_smooth(&self) -> bool {
        self.network.is_smooth()
    }

    fn test_loss(&self, w: &[f64]) -> Option<f64> {
        (self.data.test.count > 0).then(|| self.mean_square(w, &self.data.test))
    }

    fn card(&self) -> &'static ModelCard {
        self.network.card()
    }

    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        self.network.observe(index, w, &self.data)
    }
}
