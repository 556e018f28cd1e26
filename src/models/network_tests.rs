//! What holds of every network, and where two of them coincide.

use std::sync::Arc;

use proptest::prelude::*;

use super::{
    Activation, AnyModel, Data, DeepLinear, DiagonalNetwork, Injection, MatrixSensing, Model,
    Network, Perceptron, Product, Regression, Samples,
};
use crate::descent::{DescentPlan, StepSizes, run_descent};
use crate::noise::{Mechanism, Source};
use crate::random::{Batch, Law, Sampling};
use crate::scalar::{Dual64, LANES};

/// Enough numbers for every test below.
const NUMBERS: usize = 4_000;
/// More than a block of samples that are taken together, and no multiple of it.
const SAMPLES: usize = 11;

/// Numbers handed out one after another.
struct Numbers<'a>(&'a [f64]);

impl Numbers<'_> {
    fn take(&mut self, count: usize) -> Vec<f64> {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken.to_vec()
    }
}

fn numbers() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-1.2..1.2f64, NUMBERS)
}

fn regression<F: Network>(network: F, numbers: &mut Numbers) -> Regression<F> {
    let data = Data {
        features: network.inputs(),
        targets: network.outputs(),
        train: Samples {
            count: SAMPLES,
            inputs: numbers.take(SAMPLES * network.inputs()),
            targets: numbers.take(SAMPLES * network.outputs()),
        },
        ..Data::default()
    };
    Regression::new(network, Arc::new(data))
}

/// Runs a generic check on every kind of network, in several shapes.
macro_rules! every_network {
    ($check:ident, $values:expr) => {
        for (features, depth) in [(1, 2), (3, 2), (5, 3), (2, 4)] {
            $check(DiagonalNetwork::new(features, depth), $values)?;
        }
        for widths in [vec![3, 2], vec![1, 1, 1], vec![3, 2, 4], vec![2, 5, 3, 2]] {
            $check(DeepLinear::new(widths.clone()), $values)?;
            $check(MatrixSensing::new(widths), $values)?;
        }
        for (_, activation) in Activation::ALL {
            $check(Perceptron::new(vec![2, 1], activation, true), $values)?;
            $check(Perceptron::new(vec![2, 5, 1], activation, true), $values)?;
            $check(
                Perceptron::new(vec![3, 4, 3, 2], activation, false),
                $values,
            )?;
            $check(
                Perceptron::new(vec![1, 3, 2, 4, 1], activation, true),
                $values,
            )?;
        }
    };
}

type Checked = Result<(), TestCaseError>;

fn gradient(model: &impl Model, w: &[f64], noise: &Injection<f64>) -> Vec<f64> {
    let mut scratch = vec![f64::NAN; model.scratch()];
    let mut gradient = vec![f64::NAN; w.len()];
    model.gradient(w, noise, &mut scratch, &mut gradient);
    gradient
}

fn residual(model: &impl Model, j: usize, w: &[f64], units: &[f64]) -> (f64, Vec<f64>) {
    let mut scratch = vec![f64::NAN; model.scratch()];
    let mut gradient = vec![f64::NAN; w.len()];
    let r = model.residual(j, w, units, &mut scratch, &mut gradient);
    (r, gradient)
}

fn dual(x: &[f64]) -> Vec<Dual64> {
    x.iter().map(|&x| Dual64::from(x)).collect()
}

/// ∂ᵢ of the loss by dual numbers.
fn slopes(model: &impl Model, w: &[f64], [weights, labels, units]: [&[f64]; 3]) -> Vec<f64> {
    let (weights, labels, units) = (dual(weights), dual(labels), dual(units));
    let noise = Injection {
        weights: &weights,
        labels: &labels,
        units: &units,
        ..Injection::NONE
    };
    (0..w.len())
        .map(|i| {
            let mut point = dual(w);
            point[i].eps = 1.0;
            model.loss(&point, &noise).eps
        })
        .collect()
}

fn close(a: &[f64], b: &[f64], tolerance: f64) -> bool {
    let size = 1.0 + b.iter().fold(0.0f64, |size, b| size.max(b.abs()));
    a.len() == b.len()
        && a.iter()
            .zip(b)
            .all(|(a, b)| (a - b).abs() <= tolerance * size)
}

fn gradient_is_the_derivative(network: impl Network, values: &[f64]) -> Checked {
    let mut numbers = Numbers(values);
    let model = regression(network, &mut numbers);
    let sizes = model.sockets();
    let w = numbers.take(model.dimension());
    let weights = numbers.take(sizes.weights);
    let labels = numbers.take(sizes.labels);
    let shared = numbers.take(sizes.units);
    let own = numbers.take(SAMPLES * sizes.units);
    let none: &[f64] = &[];
    for noise in [
        [none; 3],
        [&weights, none, none],
        [none, &labels, none],
        [none, none, &shared],
        [none, none, &own],
        [&weights, &labels, &own],
    ] {
        let injection = Injection {
            weights: noise[0],
            labels: noise[1],
            units: noise[2],
            ..Injection::NONE
        };
        let written = gradient(&model, &w, &injection);
        let derivative = slopes(&model, &w, noise);
        prop_assert!(
            close(&written, &derivative, 1e-12),
            "{:?}: {:?} against {:?}",
            model.network(),
            written,
            derivative
        );
    }
    Ok(())
}

fn residuals_make_the_loss(network: impl Network, values: &[f64]) -> Checked {
    let mut numbers = Numbers(values);
    let model = regression(network, &mut numbers);
    let w = numbers.take(model.dimension());
    let units = numbers.take(model.sockets().units);
    for units in [&[], &units[..]] {
        let noise = Injection {
            units,
            ..Injection::NONE
        };
        let residuals = model.least_squares().map_or(0, |shape| shape.residuals());
        let (mut loss, mut pulled) = (0.0, vec![0.0; w.len()]);
        for j in 0..residuals {
            let (r, slope) = residual(&model, j, &w, units);
            loss += 0.5 * r * r / SAMPLES as f64;
            for (pulled, slope) in pulled.iter_mut().zip(&slope) {
                *pulled += r * slope / SAMPLES as f64;
            }
            let h = 1e-5;
            let differences: Vec<f64> = (0..w.len())
                .map(|i| {
                    let at = |x: f64| {
                        let mut point = w.clone();
                        point[i] += x;
                        residual(&model, j, &point, units).0
                    };
                    (8.0 * (at(h) - at(-h)) - (at(2.0 * h) - at(-2.0 * h))) / (12.0 * h)
                })
                .collect();
            // A kink of ReLU within reach of the differences is no fault of the gradient.
            let kink = format!("{:?}", model.network()).contains("Relu");
            prop_assert!(
                kink || close(&slope, &differences, 1e-8),
                "{:?}: {:?} against {:?}",
                model.network(),
                slope,
                differences
            );
        }
        prop_assert!((loss - model.loss(&w, &noise)).abs() <= 1e-13 * (1.0 + loss));
        prop_assert!(close(&gradient(&model, &w, &noise), &pulled, 1e-13));
        if units.is_empty() {
            let mean = model.mean_square(&w, &model.data().train);
            prop_assert!((mean - loss).abs() <= 1e-13 * (1.0 + loss));
        }
    }
    Ok(())
}

/// As one of the built-in models, whose hot loops the library has compiled anyhow.
trait BuiltIn: Network {
    fn any(model: Regression<Self>) -> AnyModel;
}

macro_rules! built_in {
    ($($network:ident),+) => {
        $(impl BuiltIn for $network {
            fn any(model: Regression<Self>) -> AnyModel {
                AnyModel::$network(model)
            }
        })+
    };
}

built_in!(DiagonalNetwork, DeepLinear, MatrixSensing, Perceptron);

/// After one long step, which shows the last bit of the gradient, and after a few short ones. On machines without lanes both are
/// paths one by one, and alike.
fn lanes_compute_what_a_single_path_computes(network: impl BuiltIn, values: &[f64]) -> Checked {
    let mut numbers = Numbers(values);
    let model = BuiltIn::any(regression(network, &mut numbers));
    let start = numbers.take(model.dimension());
    let source = |mechanism| Source::new(mechanism, Law::Gaussian);
    let some_samples = Source {
        batch: Some(Batch {
            size: 3,
            sampling: Sampling::WithoutReplacement,
        }),
        ..source(Mechanism::Minibatch)
    };
    let own_masks = Source {
        per_sample: true,
        ..source(Mechanism::Dropout)
    };
    for mut sources in [
        vec![source(Mechanism::Minibatch), own_masks],
        vec![some_samples, source(Mechanism::Label)],
        vec![source(Mechanism::Label), source(Mechanism::Dropout)],
        vec![source(Mechanism::AntiPgd)],
    ] {
        sources.retain(|source| source.size(&model) > 0);
        let run = |(step_size, steps), first_path, paths| {
            let plan = DescentPlan {
                start: &start,
                step_sizes: StepSizes::Constant(step_size),
                sigma: 0.5,
                paths,
                first_path,
                record_at: &[steps],
                values_per_record: start.len(),
                seed: 5,
                level: 0,
                shared_streams: false,
            };
            let observe = |_, w: &[f64], out: &mut [f64]| out.copy_from_slice(w);
            run_descent(&model, &sources, &plan, &observe, &|_| true).values
        };
        for course in [(1024.0, 1), (1e-3, 3)] {
            let together = run(course, 0, LANES);
            prop_assert!(together.iter().all(|x| x.is_finite()));
            for (lane, of_lane) in together.chunks(start.len()).enumerate() {
                prop_assert_eq!(of_lane, run(course, lane, 1));
            }
        }
    }
    Ok(())
}

fn lists_have_their_lengths(network: impl Network, _: &[f64]) -> Checked {
    prop_assert_eq!(network.parameter_names().len(), network.dimension());
    prop_assert_eq!(network.fan_in().len(), network.dimension());
    let mut names = network.parameter_names();
    names.sort();
    names.dedup();
    prop_assert_eq!(names.len(), network.dimension());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn the_gradient_of_every_network_is_the_derivative_of_the_noisy_loss(values in numbers()) {
        every_network!(gradient_is_the_derivative, &values);
    }

    #[test]
    fn the_residuals_of_every_network_make_its_loss_and_gradient(values in numbers()) {
        every_network!(residuals_make_the_loss, &values);
    }

    #[test]
    fn a_lane_of_every_network_computes_what_a_single_path_computes(values in numbers()) {
        every_network!(lanes_compute_what_a_single_path_computes, &values);
    }

    #[test]
    fn two_scalar_layers_are_the_product_model(a in -2.0..2.0f64, b in -2.0..2.0f64, eta in -1.0..1.0f64) {
        // Product is ½(ab − 1)² = the network at x = y = 1, with its unit's Dropout.
        let one = Samples { count: 1, inputs: vec![1.0], targets: vec![1.0] };
        let data = Data { features: 1, targets: 1, train: one, ..Data::default() };
        let network = Regression::new(DeepLinear::new(vec![1, 1, 1]), Arc::new(data));
        for units in [&[][..], &[eta]] {
            let noise = Injection { units, ..Injection::NONE };
            prop_assert!((network.loss(&[a, b], &noise) - Product.loss(&[a, b], &noise)).abs() < 1e-13);
            prop_assert!(close(&gradient(&network, &[a, b], &noise), &gradient(&Product, &[a, b], &noise), 1e-14));
        }
    }

    #[test]
    fn the_diagonal_network_of_depth_two_is_a_tied_deep_linear_one(values in numbers()) {
        // Σ xⱼuⱼ² = W₂W₁x with W₁ = diag(u), W₂ = u; by the tie ∂/∂uⱼ = ∂/∂W₁ⱼⱼ + ∂/∂W₂ⱼ.
        let d = 3;
        let mut numbers = Numbers(&values);
        let diagonal = regression(DiagonalNetwork::new(d, 2), &mut numbers);
        let linear = Regression::new(DeepLinear::new(vec![d, d, 1]), Arc::new(diagonal.data().clone()));
        let (u, eta) = (numbers.take(d), numbers.take(d));
        let mut w = u.clone();
        w.extend([0.0; 3]);
        let mut tied = vec![0.0; d * d];
        for j in 0..d {
            tied[j * d + j] = u[j];
        }
        tied.extend(&u);
        let masks = [eta.clone(), vec![0.0; d]].concat();
        let (mine, theirs) = (
            Injection { units: &masks, ..Injection::NONE },
            Injection { units: &eta, ..Injection::NONE },
        );
        prop_assert!((diagonal.loss(&w, &mine) - linear.loss(&tied, &theirs)).abs() < 1e-13);
        let (mine, theirs) = (gradient(&diagonal, &w, &mine), gradient(&linear, &tied, &theirs));
        let summed: Vec<f64> = (0..d).map(|j| theirs[j * d + j] + theirs[d * d + j]).collect();
        prop_assert!(close(&mine[..d], &summed, 1e-13));
        prop_assert!(mine[d..].iter().all(|&g| g == 0.0));
    }

    #[test]
    fn sensing_a_single_entry_reads_the_product_of_the_matrices(values in numbers()) {
        let widths = vec![2, 4, 3];
        let (sensing, linear) = (MatrixSensing::new(widths.clone()), DeepLinear::new(widths));
        let w = &values[..sensing.dimension()];
        let mut scratch = vec![f64::NAN; sensing.scratch()];
        for column in 0..2 {
            let mut x = [0.0; 2];
            x[column] = 1.0;
            let mut image = [[f64::NAN]; 3];
            linear.begin(w, &[], &mut scratch);
            linear.forward(w, [&x], [&[]], &mut scratch, &mut image);
            for (row, [image]) in image.into_iter().enumerate() {
                let mut probe = [0.0; 6];
                probe[2 * row + column] = 1.0;
                let mut entry = [[f64::NAN]];
                sensing.begin(w, &[], &mut scratch);
                sensing.forward(w, [&probe], [&[]], &mut scratch, &mut entry);
                prop_assert!((entry[0][0] - image).abs() < 1e-14);
            }
        }
    }

    #[test]
    fn a_perceptron_is_its_formula(values in prop::collection::vec(-2.0..2.0f64, 9)) {
        // f = c·(1+η)φ(a₁x₁ + a₂x₂ + b) + e.
        let [a1, a2, b, c, e, x1, x2, eta, _] = values[..] else { return Ok(()) };
        let a = a1 * x1 + a2 * x2 + b;
        for (name, activation) in Activation::ALL {
            let z = match activation {
                Activation::Tanh => a.tanh(),
                Activation::Gelu => 0.5 * a * (1.0 + libm::erf(a / 2f64.sqrt())),
                Activation::Softplus => a.exp().ln_1p(),
                Activation::Relu => a.max(0.0),
            };
            let network = Perceptron::new(vec![2, 1, 1], activation, true);
            let mut scratch = vec![f64::NAN; network.scratch()];
            let mut f = [[f64::NAN]];
            network.begin(&values[..5], &[eta], &mut scratch);
            network.forward(&values[..5], [&[x1, x2]], [&[eta]], &mut scratch, &mut f);
            prop_assert!((f[0][0] - (c * (1.0 + eta) * z + e)).abs() < 1e-13, "{}", name);
        }
    }
}

#[test]
fn names_are_unique_and_as_many_as_parameters() -> Checked {
    every_network!(lists_have_their_lengths, &[]);
    Ok(())
}

#[test]
fn relu_has_slope_zero_at_zero() {
    let network = Perceptron::new(vec![1, 1, 1], Activation::Relu, false);
    let numbers: Vec<f64> = (0..2 * SAMPLES).map(|i| i as f64).collect();
    let model = regression(network, &mut Numbers(&numbers));
    assert_eq!(gradient(&model, &[0.0, 1.0], &Injection::NONE), [0.0, 0.0]);
    assert!(
        Activation::ALL
            .iter()
            .all(|(name, kind)| kind.is_smooth() == (*name != "relu"))
    );
}
