//! The same bits on every instruction set of the machine: noise, functions in lanes, gradients, steps.
//!
//! Each work is compiled for the baseline, AVX2 and AVX-512 (as far as the processor has them), as the engine's loops are: steps in
//! lanes not for the baseline, but compared with paths one by one on it. The processor's own set is always among them.

use std::sync::Arc;

use pulp::{Arch, NullaryFnOnce};
use singlim::models::{
    Activation, Data, DiagonalNetwork, Injection, Model, Parameters, Perceptron, Product,
    Regression, Samples,
};
use singlim::random::{Batch, BatchSampler, LaneStreams, Law, PathStream, Sampling, Streams};
use singlim::scalar::{LANES, Lanes, Paths, Scalar};

fn sets() -> Vec<(&'static str, Arch)> {
    let mut sets = vec![("baseline", Arch::Scalar)];
    #[cfg(target_arch = "x86_64")]
    {
        sets.extend(pulp::x86::V3::try_new().map(|simd| ("AVX2", Arch::V3(simd))));
        sets.extend(pulp::x86::V4::try_new().map(|simd| ("AVX-512", Arch::V4(simd))));
    }
    sets.push(("the engine's choice", Arch::new()));
    sets
}

/// Asserts that a work, compiled for its caller's set, has the same bits on all.
fn same_bits<W: NullaryFnOnce<Output = Vec<f64>> + Clone>(what: &str, work: W) {
    on_each_set(what, |set| set.dispatch(work.clone()));
}

/// Asserts that a work has the same bits on all sets.
fn on_each_set(what: &str, work: impl Fn(Arch) -> Vec<f64>) {
    let mut known: Option<Vec<u64>> = None;
    for (name, set) in sets() {
        let bits: Vec<u64> = work(set).into_iter().map(f64::to_bits).collect();
        let known = known.get_or_insert_with(|| bits.clone());
        let different = bits.iter().zip(known.iter()).position(|(a, b)| a != b);
        assert_eq!(different, None, "{what} differs on {name}");
        assert!(bits.len() == known.len() && !bits.is_empty());
    }
}

fn numbers(lanes: &[Lanes]) -> Vec<f64> {
    lanes.iter().flat_map(|x| x.0).collect()
}

/// Draws of a law, of odd number.
fn draws<R: Streams>(law: Law, set: Arch, streams: &R) -> Vec<f64> {
    let mut out = vec![R::Draw::zero(); 40_999];
    law.fill_on(set, 0.7, &mut streams.clone(), &mut out);
    let lanes = |x: &R::Draw| (0..R::Draw::COUNT).map(|j| x.lane(j)).collect::<Vec<_>>();
    out.iter().flat_map(lanes).collect()
}

#[test]
fn every_law_draws_the_same_bits() {
    for law in Law::ALL {
        on_each_set(law.name(), |set| {
            draws(law, set, &LaneStreams::new(5, 2, 40))
        });
        on_each_set(law.name(), |set| draws(law, set, &PathStream::of(5, 2, 40)));
    }
}

/// Minibatches, as perturbations of the weights.
#[derive(Clone)]
struct Batches(Sampling);

impl NullaryFnOnce for Batches {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(self) -> Vec<f64> {
        let batch = Batch {
            size: 3,
            sampling: self.0,
        };
        let mut out = vec![Lanes::zero(); 10 * 200];
        let mut streams = LaneStreams::new(5, 2, 40);
        BatchSampler::new(batch, 10, LANES).fill(&mut streams, &mut out);
        numbers(&out)
    }
}

#[test]
fn every_sampling_draws_the_same_batches() {
    for sampling in [
        Sampling::WithReplacement,
        Sampling::WithoutReplacement,
        Sampling::Epochs,
    ] {
        same_bits("a minibatch", Batches(sampling));
    }
}

/// Arguments of all sizes, with the ends of the range of numbers.
fn arguments() -> Vec<Lanes> {
    let mut x = vec![Lanes::zero(); 3000];
    Law::Gaussian.fill(1.0, &mut LaneStreams::new(6, 0, 0), &mut x);
    for (i, x) in x.iter_mut().enumerate() {
        let size = 2f64.powi(i as i32 % 60 - 49);
        *x = *x * Lanes::constant(size);
    }
    let ends = [
        0.0,
        -0.0,
        f64::MAX,
        -f64::MAX,
        f64::INFINITY,
        -f64::INFINITY,
        5e-324,
        -745.1,
    ];
    x.push(Lanes(ends));
    x
}

macro_rules! function {
    ($name:ident, |$x:ident, $y:ident, $z:ident| $formula:expr) => {
        #[derive(Clone)]
        struct $name(Vec<Lanes>);

        impl NullaryFnOnce for $name {
            type Output = Vec<f64>;

            #[inline(always)]
            fn call(self) -> Vec<f64> {
                let mut out = self.0.clone();
                for (i, out) in out.iter_mut().enumerate() {
                    let $x = self.0[i];
                    let $y = self.0[(i + 1) % 3000];
                    let $z = self.0[(i + 7) % 3000];
                    *out = $formula;
                }
                // Which NaN it is depends on the processor, and so is no claim.
                let number = |x: f64| if x.is_nan() { 0.0 } else { x };
                numbers(&out).into_iter().map(number).collect()
            }
        }
    };
}

function!(Exp, |x, _y, _z| x.exp());
function!(Tanh, |x, _y, _z| x.tanh());
function!(Erf, |x, _y, _z| x.erf());
function!(Sigmoid, |x, _y, _z| x.sigmoid());
function!(Softplus, |x, _y, _z| x.softplus());
function!(Sin, |x, _y, _z| x.sin());
function!(Cos, |x, _y, _z| x.cos());
function!(MulAdd, |x, y, z| x.mul_add(y, z));
function!(TwoRoundings, |x, y, z| x * y + z);
function!(Arithmetic, |x, y, z| (x + y) / (z - x) * y - (-z).square());

#[test]
fn every_function_of_lanes_has_the_same_bits() {
    let x = arguments();
    same_bits("exp", Exp(x.clone()));
    same_bits("tanh", Tanh(x.clone()));
    same_bits("erf", Erf(x.clone()));
    same_bits("sigmoid", Sigmoid(x.clone()));
    same_bits("softplus", Softplus(x.clone()));
    same_bits("sin", Sin(x.clone()));
    same_bits("cos", Cos(x.clone()));
    same_bits("mul_add", MulAdd(x.clone()));
    same_bits("x·y + z", TwoRoundings(x.clone()));
    same_bits("arithmetic", Arithmetic(x));
}

/// What a compiler that fuses on its own, on one set and not on another, would do to the bits.
#[test]
fn a_fused_product_where_there_should_be_two_roundings_would_be_seen() {
    let x = arguments();
    let fused = Arch::new().dispatch(MulAdd(x.clone()));
    let rounded = Arch::new().dispatch(TwoRoundings(x));
    assert!(fused.iter().zip(&rounded).any(|(a, b)| a != b));
}

/// Steps w ← w − α∇L̂(w, η) with label noise, in lanes or alone; the noise is drawn with the engine's choice of instructions.
struct Steps<'a, M, R> {
    model: &'a M,
    start: &'a [f64],
    streams: R,
}

impl<M, R: Clone> Clone for Steps<'_, M, R> {
    fn clone(&self) -> Self {
        Self {
            streams: self.streams.clone(),
            ..*self
        }
    }
}

impl<M: Model, R: Streams> NullaryFnOnce for Steps<'_, M, R> {
    type Output = Vec<f64>;

    #[inline(always)]
    fn call(mut self) -> Vec<f64> {
        let mut w = self.model.zeros::<R::Draw>();
        let mut gradient = w.clone();
        for (w, &start) in w.as_mut().iter_mut().zip(self.start) {
            *w = R::Draw::constant(start);
        }
        let mut scratch = vec![R::Draw::zero(); self.model.scratch()];
        let mut eta = vec![R::Draw::zero(); self.model.sockets().labels];
        let mut out = Vec::new();
        for _ in 0..50 {
            Law::Gaussian.fill(0.3, &mut self.streams, &mut eta);
            let noise = Injection {
                labels: &eta,
                ..Injection::NONE
            };
            self.model
                .gradient(w.as_ref(), &noise, &mut scratch, gradient.as_mut());
            w.add_scaled(R::Draw::constant(-0.01), &gradient);
            for w in w.as_ref() {
                out.extend((0..R::Draw::COUNT).map(|j| w.lane(j)));
            }
        }
        out
    }
}

/// In lanes where the engine has them: not on an x86-64 without AVX2, where it runs paths one by one.
#[cfg(target_arch = "x86_64")]
fn in_lanes(set: Arch, work: impl NullaryFnOnce<Output = Vec<f64>>) -> Option<Vec<f64>> {
    match set {
        Arch::V3(simd) => Some(simd.vectorize(work)),
        Arch::V4(simd) => Some(simd.vectorize(work)),
        _ => None,
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn in_lanes(set: Arch, work: impl NullaryFnOnce<Output = Vec<f64>>) -> Option<Vec<f64>> {
    Some(set.dispatch(work))
}

fn steps<M: Model>(what: &str, model: &M, start: &[f64]) {
    // Eight paths one by one, then in the order of lanes.
    let one_by_one = |set: Arch| {
        let path = |lane| {
            let streams = PathStream::of(8, 0, 16 + lane);
            set.dispatch(Steps {
                model,
                start,
                streams,
            })
        };
        let paths: Vec<_> = (0..LANES as u64).map(path).collect();
        let numbers = 0..paths[0].len();
        numbers
            .flat_map(|i| paths.iter().map(move |path| path[i]))
            .collect()
    };
    on_each_set(what, |set| {
        let streams = LaneStreams::new(8, 0, 16);
        let together = in_lanes(
            set,
            Steps {
                model,
                start,
                streams,
            },
        );
        together.unwrap_or_else(|| one_by_one(Arch::Scalar))
    });
    on_each_set(what, one_by_one);
}

fn generic(count: usize, seed: f64) -> Vec<f64> {
    (0..count)
        .map(|i| libm::sin(1.0 + seed + 7.31 * i as f64 + 0.37 * (i * i % 997) as f64))
        .collect()
}

#[test]
fn descents_of_three_models_take_the_same_steps() {
    steps("the product", &Product, &[2.0, 0.5]);
    let data = |features, count| {
        let train = Samples {
            count,
            inputs: generic(count * features, 0.3),
            targets: generic(count, 1.7),
        };
        Arc::new(Data {
            features,
            targets: 1,
            train,
            ..Data::default()
        })
    };
    let diagonal = Regression::new(DiagonalNetwork::new(21, 2), data(21, 11));
    steps("the diagonal network", &diagonal, &[0.3; 42]);
    for activation in [Activation::Tanh, Activation::Gelu, Activation::Softplus] {
        let network = Perceptron::new(vec![3, 9, 1], activation, true);
        let model = Regression::new(network, data(3, 7));
        steps("a perceptron", &model, &generic(model.dimension(), 0.2));
    }
}
