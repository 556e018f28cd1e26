//! Limits of networks against independent derivations: the dense machinery of any loss, finite differences, closed forms
//! where the widths make them exact, and the exact mean over all batches.

use std::sync::Arc;

use nalgebra::{DMatrix, DVector};
use singlim::derive::{
    Covariance, Frame, GeometryError, Jacobian, Masks, Regime, flow_map, noise_order, project,
    rank_on_manifold, regime_near, regularizer_gradient, regularizer_value,
};
use singlim::limit::{Faults, LimitProcess, run_flow};
use singlim::models::{
    Activation, Data, DeepLinear, DiagonalNetwork, Injection, MatrixSensing, Model, ModelCard,
    Network, Perceptron, Product, Regression, Samples, SocketSizes,
};
use singlim::noise::{Mechanism, NoisyLoss, Source};
use singlim::random::{Batch, Law, Sampling};
use singlim::scalar::Scalar;

/// A model that hides that it is a sum of squares: its limit is derived by dense m×m linear algebra from ∇L̂ alone.
#[derive(Clone)]
struct Opaque<M>(M);

impl<M: Model> Model for Opaque<M> {
    type Vector<S: Scalar> = M::Vector<S>;
    fn zeros<S: Scalar>(&self) -> Self::Vector<S> {
        self.0.zeros()
    }
    fn parameter_names(&self) -> Vec<String> {
        self.0.parameter_names()
    }
    fn sockets(&self) -> SocketSizes {
        self.0.sockets()
    }
    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        self.0.loss(w, noise)
    }
    fn scratch(&self) -> usize {
        self.0.scratch()
    }
    fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, scratch: &mut [S], g: &mut [S]) {
        self.0.gradient(w, noise, scratch, g)
    }
    fn card(&self) -> &'static ModelCard {
        self.0.card()
    }
    fn observe(&self, index: usize, w: &[f64]) -> f64 {
        self.0.observe(index, w)
    }
}

/// Numbers without a pattern, in (−1, 1).
fn generic(count: usize, seed: f64) -> Vec<f64> {
    (0..count)
        .map(|i| (1.0 + seed + 7.31 * i as f64 + 0.37 * (i * i) as f64).sin())
        .collect()
}

fn regression<F: Network>(network: F, samples: usize) -> Regression<F> {
    let (features, targets) = (network.inputs(), network.outputs());
    let train = Samples {
        count: samples,
        inputs: generic(samples * features, 0.3),
        targets: generic(samples * targets, 1.7),
    };
    let data = Data {
        features,
        targets,
        train,
        ..Data::default()
    };
    Regression::new(network, Arc::new(data))
}

/// A point of Γ, its rank and its frame.
fn on_manifold<M: Model>(noisy: &NoisyLoss<M>, start: &[f64]) -> (DVector<f64>, usize, Frame) {
    let start = DVector::from_column_slice(start);
    let landed = flow_map(noisy, &start).unwrap();
    let rank = rank_on_manifold(noisy, &landed).unwrap();
    let (w, _) = project(noisy, &landed, rank).unwrap();
    let frame = Frame::at(noisy, &w, rank).unwrap();
    (w, rank, frame)
}

fn source(mechanism: Mechanism, law: Law, per_sample: bool) -> Source {
    Source {
        scale: 0.8,
        per_sample,
        ..Source::new(mechanism, law)
    }
}

/// Every noise that a model with data takes.
fn noises(dense: bool) -> Vec<Source> {
    let mut all = Vec::new();
    for mechanism in Mechanism::ALL {
        for law in [Law::Gaussian, Law::Bernoulli] {
            if law == Law::Bernoulli && !mechanism.socket().is_multiplied() {
                continue;
            }
            all.push(source(mechanism, law, false));
            if mechanism == Mechanism::Dropout && !dense {
                all.push(source(mechanism, law, true));
            }
        }
    }
    all
}

fn sigma_of<M: Model>(noisy: &NoisyLoss<M>, w: &DVector<f64>, frame: &Frame) -> DMatrix<f64> {
    let noise = Covariance::at(noisy, w, frame, Masks::NonLocal);
    let m = w.len();
    let mut sigma =
        &noise.columns * noise.columns.transpose() + DMatrix::identity(m, m) * noise.isotropic;
    if let (Some(k), Some(rows)) = (&noise.residual, &frame.rows) {
        let n = rows.jacobian.shape.samples as f64;
        sigma += &rows.jacobian.transposed * k * rows.jacobian.transposed.transpose() / (n * n);
    }
    sigma
}

/// Everything that is derived in the row space of J against the same from the dense Hessian and ∇L̂.
fn row_space_agrees_with_dense<F: Network>(network: F, samples: usize, start: &[f64]) {
    let model = regression(network, samples);
    for source in noises(true) {
        let name = format!(
            "{} {} {:?}",
            model.card().name,
            source.mechanism,
            source.law
        );
        let noisy = NoisyLoss::new(model.clone(), vec![source]).unwrap();
        let dense = NoisyLoss::new(Opaque(model.clone()), vec![source]).unwrap();
        let (w, rank, frame) = on_manifold(&noisy, start);
        let (there, dense_rank, dense_frame) = on_manifold(&dense, start);
        assert!((&w - there).norm() < 1e-7, "{name}: the same landing point");
        assert_eq!(rank, dense_rank, "{name}");
        assert!(rank < w.len());
        let close = |a: &DVector<f64>, b: &DVector<f64>, what: &str| {
            let error = (a - b).norm();
            assert!(
                error < 1e-7 * (1.0 + b.norm()),
                "{name}, {what}: {error:.1e} of {:.1e}",
                b.norm()
            );
        };
        close(&frame.eigenvalues, &dense_frame.eigenvalues, "eigenvalues");
        let x = DVector::from_vec(generic(w.len(), 4.4));
        close(
            &frame.tangent_part(&x),
            &dense_frame.tangent_part(&x),
            "projector",
        );
        let reg = |masks| {
            let own = regularizer_gradient(&noisy, &w, &frame, masks).gradient;
            let other = regularizer_gradient(&dense, &w, &dense_frame, masks).gradient;
            (frame.tangent_part(&own), dense_frame.tangent_part(&other))
        };
        for masks in [Masks::NonLocal, Masks::Local] {
            let (own, other) = reg(masks);
            close(&own, &other, "P∇Reg");
            let own = regularizer_value(&noisy, &w, masks);
            let other = regularizer_value(&dense, &w, masks);
            assert!(
                (own - other).abs() < 1e-7 * (1.0 + other),
                "{name}: Reg {own} {other}"
            );
        }
        let (own, other) = (
            sigma_of(&noisy, &w, &frame),
            sigma_of(&dense, &w, &dense_frame),
        );
        assert!(
            (&own - &other).norm() < 1e-7 * (1.0 + other.norm()),
            "{name}: Σ"
        );
        let regime = regime_near(&noisy, &w, rank, Masks::NonLocal)
            .unwrap()
            .regime;
        assert_eq!(
            regime,
            regime_near(&dense, &w, rank, Masks::NonLocal)
                .unwrap()
                .regime,
            "{name}"
        );
        assert_eq!(noise_order(&noisy, &w), noise_order(&dense, &w), "{name}");
        for regime in [Regime::NonDegenerate, Regime::Degenerate] {
            let faults = Faults::default();
            let a = LimitProcess {
                noisy: &noisy,
                regime,
                rank,
                faults,
            };
            let b = LimitProcess {
                noisy: &dense,
                regime,
                rank,
                faults,
            };
            for alpha in [0.0, 0.3 / frame.largest_eigenvalue()] {
                let (own, other) = (a.drift(&w, alpha).unwrap(), b.drift(&w, alpha).unwrap());
                close(&own, &other, &format!("{regime} drift at α = {alpha:.3}"));
            }
        }
    }
}

fn diagonal_start(d: usize) -> Vec<f64> {
    generic(2 * d, 2.2).iter().map(|x| 0.6 + 0.3 * x).collect()
}

#[test]
fn the_row_space_of_diagonal_networks_agrees_with_dense_linear_algebra() {
    row_space_agrees_with_dense(DiagonalNetwork::new(5, 2), 3, &diagonal_start(5));
    row_space_agrees_with_dense(DiagonalNetwork::new(4, 3), 2, &diagonal_start(4));
}

#[test]
fn the_row_space_of_matrix_chains_agrees_with_dense_linear_algebra() {
    row_space_agrees_with_dense(DeepLinear::new(vec![3, 2, 2]), 2, &generic(10, 0.1));
    row_space_agrees_with_dense(MatrixSensing::new(vec![2, 3, 2]), 3, &generic(12, 0.9));
    // More residuals than the rank: the same rows twice.
    row_space_agrees_with_dense(DeepLinear::new(vec![2, 4, 1]), 2, &generic(12, 0.5));
}

#[test]
fn the_row_space_of_perceptrons_agrees_with_dense_linear_algebra() {
    for activation in [Activation::Tanh, Activation::Gelu, Activation::Softplus] {
        let network = Perceptron::new(vec![2, 5, 1], activation, true);
        row_space_agrees_with_dense(network.clone(), 3, &generic(network.dimension(), 0.2));
    }
    let two_outputs = Perceptron::new(vec![2, 3, 3, 2], Activation::Tanh, false);
    row_space_agrees_with_dense(
        two_outputs.clone(),
        2,
        &generic(two_outputs.dimension(), 0.6),
    );
}

/// P∇ of a function by central differences.
fn tangent_slope(
    frame: &Frame,
    w: &DVector<f64>,
    f: impl Fn(&DVector<f64>) -> f64,
) -> DVector<f64> {
    let h = 1e-5;
    let slope = DVector::from_fn(w.len(), |i, _| {
        let mut moved = w.clone();
        moved[i] += h;
        let up = f(&moved);
        moved[i] -= 2.0 * h;
        (up - f(&moved)) / (2.0 * h)
    });
    frame.tangent_part(&slope)
}

#[test]
fn label_noise_is_the_flow_of_minus_a_quarter_of_tr_h_over_n_and_anti_pgd_of_minus_half_of_it() {
    let model = regression(Perceptron::new(vec![2, 5, 1], Activation::Tanh, true), 4);
    let start = generic(model.dimension(), 0.2);
    let trace = |w: &DVector<f64>| Jacobian::at(&model, w).unwrap().trace();
    for (mechanism, regime, factor) in [
        (Mechanism::Label, Regime::Degenerate, 0.25 / 4.0),
        (Mechanism::AntiPgd, Regime::NonDegenerate, 0.5),
    ] {
        let noisy =
            NoisyLoss::new(model.clone(), vec![Source::new(mechanism, Law::Gaussian)]).unwrap();
        let (w, rank, frame) = on_manifold(&noisy, &start);
        assert_eq!(
            regime_near(&noisy, &w, rank, Masks::NonLocal)
                .unwrap()
                .regime,
            regime
        );
        let faults = Faults::default();
        let process = LimitProcess {
            noisy: &noisy,
            regime,
            rank,
            faults,
        };
        let found = process.coefficients(&w, &frame, 0.0);
        let expected = tangent_slope(&frame, &w, trace) * -factor;
        let error = (&found.drift - &expected).norm();
        assert!(error < 1e-7 * expected.norm(), "{mechanism}: {error:.1e}");
        assert_eq!(found.brownian_norm(&frame), 0.0);
    }
}

#[test]
fn reg_of_a_network_has_the_gradient_of_its_value_along_the_manifold() {
    let model = regression(Perceptron::new(vec![2, 4, 1], Activation::Gelu, true), 3);
    let start = generic(model.dimension(), 0.2);
    for source in noises(false) {
        let noisy = NoisyLoss::new(model.clone(), vec![source]).unwrap();
        let (w, _, frame) = on_manifold(&noisy, &start);
        for masks in [Masks::NonLocal, Masks::Local] {
            let reg = regularizer_gradient(&noisy, &w, &frame, masks).gradient;
            let expected = tangent_slope(&frame, &w, |w| regularizer_value(&noisy, w, masks));
            let error = (frame.tangent_part(&reg) - &expected).norm();
            assert!(error < 1e-7, "{source:?} {masks:?}: {error:.1e}");
        }
    }
}

/// A mask for each sample has the same mean effect as a shared one, but independent effects on the samples.
#[test]
fn masks_for_each_sample_have_the_reg_of_the_shared_mask_and_another_sigma() {
    let model = regression(Perceptron::new(vec![2, 4, 1], Activation::Tanh, true), 3);
    let start = generic(model.dimension(), 0.2);
    let [shared, own] = [false, true].map(|per_sample| {
        let source = source(Mechanism::Dropout, Law::Gaussian, per_sample);
        NoisyLoss::new(model.clone(), vec![source]).unwrap()
    });
    let (w, _, frame) = on_manifold(&shared, &start);
    let reg = |noisy| {
        frame.tangent_part(&regularizer_gradient(noisy, &w, &frame, Masks::NonLocal).gradient)
    };
    assert!((reg(&shared) - reg(&own)).norm() < 1e-12);
    assert_eq!(own.noise_dimension(), 12);
    let k = |noisy| {
        Covariance::at(noisy, &w, &frame, Masks::NonLocal)
            .residual
            .unwrap()
    };
    let (shared, own) = (k(&shared), k(&own));
    assert!(shared[(0, 1)].abs() > 1e-3 && own[(0, 1)] == 0.0);
    assert!((shared[(0, 0)] - own[(0, 0)]).abs() < 1e-12);
}

/// Σ of label noise with minibatches, against the mean over all batches of Ĝ Ĝᵀ.
#[test]
fn minibatches_multiply_the_covariance_of_the_labels_as_the_mean_over_all_batches_says() {
    let samples = 4;
    let model = regression(DiagonalNetwork::new(5, 2), samples);
    let label = Source::new(Mechanism::Label, Law::Gaussian);
    for sampling in [
        Sampling::WithoutReplacement,
        Sampling::WithReplacement,
        Sampling::Epochs,
    ] {
        let batch = Batch { size: 2, sampling };
        let minibatch = Source {
            batch: Some(batch),
            ..Source::new(Mechanism::Minibatch, Law::Gaussian)
        };
        let noisy = NoisyLoss::new(model.clone(), vec![minibatch, label]).unwrap();
        let (w, _, frame) = on_manifold(&noisy, &diagonal_start(5));
        let derived = sigma_of(&noisy, &w, &frame);
        let mut expected = DMatrix::zeros(w.len(), w.len());
        let mut batches = 0.0;
        for a in 0..samples {
            for b in 0..samples {
                if a == b && sampling != Sampling::WithReplacement {
                    continue;
                }
                batches += 1.0;
                for c in 0..samples {
                    let mut eta = vec![-1.0; samples];
                    eta[a] += 2.0;
                    eta[b] += 2.0;
                    eta.extend(vec![0.0; samples]);
                    // ∇L̂ is affine in the labels: a difference gives the column of G exactly.
                    let mut quiet = vec![0.0; w.len()];
                    noisy.gradient(w.as_slice(), &eta, &mut quiet);
                    eta[samples + c] = 1.0;
                    let mut loud = vec![0.0; w.len()];
                    noisy.gradient(w.as_slice(), &eta, &mut loud);
                    let column = DVector::from_vec(loud) - DVector::from_vec(quiet);
                    expected += &column * column.transpose();
                }
            }
        }
        expected /= batches;
        let error = (&derived - &expected).norm();
        assert!(error < 1e-10 * expected.norm(), "{sampling:?}: {error:.1e}");
    }
}

#[test]
fn minibatches_alone_move_nothing_and_leave_the_clock_of_other_noises_alone() {
    let model = regression(DiagonalNetwork::new(5, 2), 3);
    let minibatch = Source {
        batch: Some(Batch {
            size: 1,
            sampling: Sampling::WithoutReplacement,
        }),
        ..Source::new(Mechanism::Minibatch, Law::Gaussian)
    };
    for (more, expected) in [
        (None, Regime::Trivial),
        (Some(Mechanism::Label), Regime::Degenerate),
        (Some(Mechanism::Dropout), Regime::NonDegenerate),
    ] {
        let mut sources = vec![minibatch];
        sources.extend(more.map(|mechanism| Source::new(mechanism, Law::Gaussian)));
        let noisy = NoisyLoss::new(model.clone(), sources).unwrap();
        let (w, rank, _) = on_manifold(&noisy, &diagonal_start(5));
        let found = regime_near(&noisy, &w, rank, Masks::NonLocal).unwrap();
        assert_eq!(found.regime, expected, "{found:?}");
    }
}

/// One hidden unit, one sample: the product model.
#[test]
fn a_deep_linear_network_of_one_unit_has_the_limits_of_the_product_model() {
    let data = Data {
        features: 1,
        targets: 1,
        train: Samples {
            count: 1,
            inputs: vec![1.0],
            targets: vec![1.0],
        },
        ..Data::default()
    };
    let network = Regression::new(DeepLinear::new(vec![1, 1, 1]), Arc::new(data));
    for mechanism in Mechanism::ALL {
        for law in [Law::Gaussian, Law::Bernoulli] {
            let source = Source::new(mechanism, law);
            let Ok(of_network) = NoisyLoss::new(network.clone(), vec![source]) else {
                continue;
            };
            let of_product = NoisyLoss::new(Product, vec![source]).unwrap();
            let w = DVector::from_vec(vec![2.0, 0.5]);
            for regime in [Regime::NonDegenerate, Regime::Degenerate] {
                let faults = Faults::default();
                let a = LimitProcess {
                    noisy: &of_network,
                    regime,
                    rank: 1,
                    faults,
                };
                let b = LimitProcess {
                    noisy: &of_product,
                    regime,
                    rank: 1,
                    faults,
                };
                for alpha in [0.0, 0.1] {
                    let error = (a.drift(&w, alpha).unwrap() - b.drift(&w, alpha).unwrap()).norm();
                    assert!(error < 1e-11, "{mechanism} {law:?} {regime}: {error:.1e}");
                }
            }
        }
    }
}

#[test]
fn labels_that_the_network_can_not_fit_are_refused_with_the_smallest_loss() {
    // The same input twice with targets 0 and 1: the smallest loss is 1/8.
    let data = Data {
        features: 1,
        targets: 1,
        train: Samples {
            count: 2,
            inputs: vec![1.0, 1.0],
            targets: vec![0.0, 1.0],
        },
        ..Data::default()
    };
    let network = Regression::new(DeepLinear::new(vec![1, 1, 1]), Arc::new(data));
    let noisy =
        NoisyLoss::new(network, vec![Source::new(Mechanism::Label, Law::Gaussian)]).unwrap();
    let error = flow_map(&noisy, &DVector::from_vec(vec![1.0, 0.3])).unwrap_err();
    let GeometryError::NoZero { loss, .. } = &error else {
        panic!("{error}");
    };
    assert!((loss - 0.125).abs() < 1e-6, "{error}");
    assert!(error.to_string().contains("1.25"), "{error}");
}

/// y₂ = 0 makes anti-PGD shrink u₂ = v₂ = ½e^{−2t}, and with them the second singular value of J, to a share of 10⁻⁶ of the
/// first, 2, at t = ½ ln(10⁶/√2).
#[test]
fn a_rank_that_is_lost_on_the_way_is_reported_with_its_slow_time() {
    let data = Data {
        features: 2,
        targets: 1,
        train: Samples {
            count: 2,
            inputs: vec![1.0, 0.0, 0.0, 1.0],
            targets: vec![1.0, 0.0],
        },
        ..Data::default()
    };
    let model = Regression::new(DiagonalNetwork::new(2, 2), Arc::new(data));
    let source = Source::new(Mechanism::AntiPgd, Law::Gaussian);
    let noisy = NoisyLoss::new(model, vec![source]).unwrap();
    let start = DVector::from_vec(vec![1.09f64.sqrt(), 0.5, 0.3, 0.5]);
    let process = LimitProcess {
        noisy: &noisy,
        regime: Regime::NonDegenerate,
        rank: 2,
        faults: Faults::default(),
    };
    assert!(run_flow(&process, &start, &[6.5], 1e-9, |_| 0.0, |_| true).is_ok());
    let error = run_flow(&process, &start, &[20.0], 1e-9, |_| 0.0, |_| true).unwrap_err();
    let GeometryError::OnTheWay { time, error } = error else {
        panic!("{error}");
    };
    assert!(matches!(*error, GeometryError::RankChange { rank: 2, .. }));
    let expected = 0.5 * (1e6 / 2f64.sqrt()).ln();
    assert!((time - expected).abs() < 0.3, "{time} against {expected}");
}
