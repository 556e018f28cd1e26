//! Least squares with a network on data: L = 1/(2N) Σᵢ |f(w, xᵢ) − yᵢ|², with noise in weights, labels and hidden units.

use std::sync::Arc;

use super::aligned::Aligned;
use super::noisy_samples::Chosen;
use super::{
    BLOCK, Data, Injection, LARGEST_BLOCK, LeastSquares, Model, ModelCard, Network, NoisySamples,
    SocketSizes,
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

    /// Some samples of a pass: their outputs, and the pullback of `cotangent`, given the number among these samples, the number of
    /// the output, and its value.
    #[inline(always)]
    fn samples<S: Scalar, const B: usize>(
        &self,
        w: &[S],
        samples: [usize; B],
        noisy: &NoisySamples<S>,
        scratch: &mut Scratch<S>,
        gradient: &mut [S],
        cotangent: impl Fn(usize, usize, S) -> S,
    ) {
        let q = self.network.outputs();
        let units = samples.map(|i| noisy.units(i));
        let x = samples.map(|i| noisy.input(i));
        let outputs = &mut scratch.output.as_chunks_mut().0[..q];
        self.network.forward(w, x, units, scratch.pass, outputs);
        let cotangents = scratch.cotangent.as_chunks_mut().0;
        for (o, (f, c)) in outputs.iter().zip(cotangents.iter_mut()).enumerate() {
            for b in 0..B {
                c[b] = cotangent(b, o, f[b]);
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
        (chosen, count): Chosen<B>,
        noisy: &NoisySamples<S>,
        scratch: &mut Scratch<S>,
        gradient: &mut [S],
    ) {
        self.samples(w, chosen, noisy, scratch, gradient, |b, o, f| {
            if b < count {
                noisy.cotangent(chosen[b], o, f)
            } else {
                S::zero()
            }
        });
    }

    /// Adds the gradient, B samples at a time; one at a time where a linear network has a mask for each.
    #[inline(always)]
    fn by_samples<S: Scalar, const B: usize>(
        &self,
        w: &[S],
        noisy: &NoisySamples<S>,
        scratch: &mut [S],
        gradient: &mut [S],
    ) {
        let mut scratch = Scratch::of(scratch, self.network.scratch(), self.network.outputs());
        let mut from = 0;
        if noisy.own_masks() && self.network.linear(scratch.pass).is_some() {
            while let Some(([i], _)) = noisy.choose(&mut from) {
                let units = noisy.units(i);
                self.network.begin(w, units, scratch.pass);
                self.some_samples(w, ([i], 1), noisy, &mut scratch, gradient);
                self.network.end(w, units, scratch.pass, gradient, false);
            }
            return;
        }
        let units = noisy.units(0);
        self.network.begin(w, units, scratch.pass);
        while let Some((chosen, count)) = noisy.choose::<B>(&mut from) {
            if const { B > BLOCK } && count <= BLOCK {
                let mut few = [0; BLOCK];
                few.copy_from_slice(&chosen[..BLOCK]);
                self.some_samples(w, (few, count), noisy, &mut scratch, gradient);
            } else {
                self.some_samples(w, (chosen, count), noisy, &mut scratch, gradient);
            }
        }
        self.network.end(w, units, scratch.pass, gradient, false);
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
    output: &'a mut [S],
    cotangent: &'a mut [S],
}

impl<'a, S> Scratch<'a, S> {
    #[inline(always)]
    fn of(all: &'a mut [S], pass: usize, outputs: usize) -> Self {
        let (pass, rest) = all.split_at_mut(pass);
        let (output, cotangent) =
            rest[..2 * LARGEST_BLOCK * outputs].split_at_mut(LARGEST_BLOCK * outputs);
        Self {
            pass,
            output,
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
        let noisy = NoisySamples::new(data, *noise, self.network.units());
        let mut scratch = vec![S::zero(); self.scratch()];
        let scratch = Scratch::of(&mut scratch, self.network.scratch(), q);
        let mut total = S::zero();
        for i in 0..data.train.count {
            let units = noisy.units(i);
            if i == 0 || noisy.own_masks() {
                self.network.begin(w, units, scratch.pass);
            }
            let (x, y) = data.train.row(i, data.features, q);
            let outputs = &mut scratch.output.as_chunks_mut().0[..q];
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
        let noisy = NoisySamples::new(&self.data, *noise, self.network.units());
        let linear = noise.weights.is_empty() && !noisy.own_masks();
        if linear && self.linear_gradient(w, noise, scratch, gradient) {
            return;
        }
        gradient.fill(S::zero());
        if S::ACROSS {
            self.by_samples::<S, LARGEST_BLOCK>(w, &noisy, scratch, gradient);
        } else {
            self.by_samples::<S, BLOCK>(w, &noisy, scratch, gradient);
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
        let noise = Injection {
            units,
            ..Injection::NONE
        };
        let noisy = NoisySamples::new(&self.data, noise, self.network.units());
        let (i, output) = (index / q, index % q);
        self.samples(w, [i], &noisy, &mut scratch, gradient, |_, o, _| {
            S::constant(if o == output { 1.0 } else { 0.0 })
        });
        self.network.end(w, units, scratch.pass, gradient, false);
        scratch.output[output] - S::constant(self.data.train.targets[index])
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
