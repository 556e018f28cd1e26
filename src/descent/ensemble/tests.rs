//! Ensembles: the same bits in any size, lane and thread; divergence; records.

use super::*;
use crate::models::{
    Activation, Data, Injection, ModelCard, Perceptron, Product, Regression, Samples, SocketSizes,
    Sphere,
};
use crate::noise::{Mechanism, NoisyLoss};
use crate::random::{Batch, Law, Sampling};
use crate::scalar::Scalar;
use std::sync::Arc;

const PRODUCT: AnyModel = AnyModel::Product(Product);

fn source(mechanism: Mechanism, law: Law) -> Source {
    Source::new(mechanism, law)
}

fn run(
    model: &AnyModel,
    sources: &[Source],
    paths: usize,
    alpha: f64,
    record_at: &[u64],
) -> DescentRun {
    let m = model.dimension();
    let start: Vec<_> = [2.0, 0.5, 0.3, 0.1][..m].to_vec();
    let plan = DescentPlan {
        shared_streams: false,
        start: &start,
        step_sizes: StepSizes::Constant(alpha),
        sigma: 0.3,
        paths,
        first_path: 0,
        record_at,
        values_per_record: m,
        seed: 7,
        level: 2,
    };
    run_descent(
        model,
        sources,
        &plan,
        &|_, w, out| out.copy_from_slice(w),
        &|_| true,
    )
}

#[test]
fn a_path_alone_has_the_bits_of_its_lane() {
    let models = [AnyModel::Product(Product), AnyModel::Sphere(Sphere::new(4))];
    for (model, mechanism) in models.iter().flat_map(|m| Mechanism::ALL.map(|n| (m, n))) {
        let sources = [source(mechanism, Law::Gaussian)];
        if NoisyLoss::new(model.clone(), sources.to_vec()).is_err() {
            continue;
        }
        let of = |paths| run(model, &sources, paths, 0.1, &[5, 700]).values;
        let (many, few, one) = (of(8), of(2), of(1));
        assert_eq!(few, many[..few.len()], "{mechanism}");
        assert_eq!(one, many[..one.len()], "{mechanism}");
        assert_eq!(of(9)[..many.len()], many);
    }
}

#[test]
fn a_path_alone_has_the_bits_of_its_lane_with_several_sources() {
    let sources = [Mechanism::Label, Mechanism::Sgld, Mechanism::Dropconnect]
        .map(|mechanism| source(mechanism, Law::Gaussian));
    let of = |paths| run(&PRODUCT, &sources, paths, 0.1, &[5, 700]).values;
    let (many, two) = (of(8), of(2));
    assert_eq!(two, many[..two.len()]);
}

fn network() -> AnyModel {
    let numbers = |count, seed: f64| (0..count).map(move |i| (seed + 7.3 * i as f64).sin());
    let train = Samples {
        count: 7,
        inputs: numbers(14, 0.2).collect(),
        targets: numbers(7, 1.1).collect(),
    };
    let data = Arc::new(Data {
        features: 2,
        targets: 1,
        train,
        ..Data::default()
    });
    let perceptron = Perceptron::new(vec![2, 3, 1], Activation::Tanh, true);
    AnyModel::Perceptron(Regression::new(perceptron, data))
}

/// A formula, which takes a step of several blocks at once, with noise in three places.
fn formula() -> (AnyModel, Vec<Source>) {
    let text = "observables = [\"norm\"]\n[model]\nkind = \"formula\"\nparameters = [\"u\", \"v\"]\nnoise = [\"e\"]\n\
        loss = \"0.5*(u*v - 1 - e)^2\"\nstart = [2.0, 0.5]\n\
        [ladder]\nstep_sizes = [0.04, 0.02, 0.01, 0.005]\nsigma = 0.1\nhorizon = 1.0\npaths = 100\n";
    let (spec, file) = crate::scenario::parse("test.toml", text, &[]).unwrap();
    let study = crate::scenario::Study::resolve(spec, file).unwrap();
    let model = study.noisy.model().clone();
    assert!(model.side_by_side() > 1);
    let mut sources = study.noisy.sources().to_vec();
    sources.push(source(Mechanism::Sgld, Law::Gaussian));
    sources.push(source(Mechanism::Dropconnect, Law::Bernoulli));
    (model, sources)
}

/// Ensembles of every remainder by the lanes, of a model with short steps, of a network and of a formula, with lanes and
/// without, as on a machine that has no vectors.
#[test]
fn a_path_has_the_same_bits_in_an_ensemble_of_any_size_with_and_without_lanes() {
    let observe = |_, w: &[f64], out: &mut [f64]| out.copy_from_slice(w);
    let sources = || {
        let mechanisms = [Mechanism::Label, Mechanism::Dropconnect];
        Vec::from(mechanisms.map(|mechanism| source(mechanism, Law::Gaussian)))
    };
    for (model, sources) in [(PRODUCT, sources()), (network(), sources()), formula()] {
        let m = model.dimension();
        let start: Vec<_> = (0..m).map(|i| (2.0 + i as f64).sin()).collect();
        let of = |first_path, paths, lanes| {
            let plan = DescentPlan {
                shared_streams: false,
                start: &start,
                step_sizes: StepSizes::Constant(0.05),
                sigma: 0.1,
                paths,
                first_path,
                record_at: &[5, 300],
                values_per_record: m,
                seed: 3,
                level: 1,
            };
            if lanes {
                return run_descent(&model, &sources, &plan, &observe, &|_| true);
            }
            let none = (Baseline, Baseline);
            run_with(&model, none, &sources, &plan, &observe, &|_| true)
        };
        let all = of(0, 24, true).values;
        for paths in 1..=19 {
            for (first, lanes) in [(0, true), (5, true), (0, false)] {
                let run = of(first, paths, lanes);
                let expected = &all[2 * m * first..2 * m * (first + paths)];
                assert_eq!(run.values, expected, "{paths} paths from {first}, {lanes}");
                assert!(run.diverged.is_empty());
            }
        }
    }
}

/// On one thread a group of paths takes over the working space of the one before: its minibatches, and what is left of paths
/// that have all diverged, must not show. Whole groups against such that begin alone.
#[test]
fn a_path_does_not_depend_on_the_paths_before_it() {
    let observe = |_, w: &[f64], out: &mut [f64]| out.copy_from_slice(w);
    let epochs = || {
        let mut batch = source(Mechanism::Minibatch, Law::Gaussian);
        batch.batch = Some(Batch {
            size: 3,
            sampling: Sampling::Epochs,
        });
        vec![batch, source(Mechanism::Label, Law::Gaussian)]
    };
    let product = || vec![source(Mechanism::Label, Law::Gaussian)];
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let one = one.unwrap();
    for (model, sources) in [(PRODUCT, product()), (network(), epochs()), formula()] {
        let m = model.dimension();
        let start: Vec<_> = (0..m).map(|i| (2.0 + i as f64).sin()).collect();
        for (alpha, diverges) in [(0.05, false), (50.0, true)] {
            let of = |first_path, paths| {
                let plan = DescentPlan {
                    shared_streams: false,
                    start: &start,
                    step_sizes: StepSizes::Constant(alpha),
                    sigma: 0.1,
                    paths,
                    first_path,
                    record_at: &[1, 300],
                    values_per_record: m,
                    seed: 3,
                    level: 1,
                };
                one.install(|| run_descent(&model, &sources, &plan, &observe, &|_| true))
            };
            let bits =
                |run: &DescentRun| -> Vec<u64> { run.values.iter().map(|x| x.to_bits()).collect() };
            let group = LANES
                * if model.side_by_side() > 1 {
                    model.side_by_side()
                } else {
                    BLOCKS
                };
            let all = of(0, 5 * group);
            assert_eq!(!all.diverged.is_empty(), diverges, "{alpha}");
            let parts: Vec<_> = (0..5).map(|part| of(part * group, group)).collect();
            assert_eq!(bits(&all), parts.iter().flat_map(bits).collect::<Vec<_>>());
            let diverged: Vec<_> = parts.into_iter().flat_map(|part| part.diverged).collect();
            assert_eq!(all.diverged, diverged);
        }
    }
}

/// w ← −η w: log |w| is a random walk, which leaves every bound and comes back.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Line;

impl Model for Line {
    type Vector<S: Scalar> = [S; 1];
    fn zeros<S: Scalar>(&self) -> [S; 1] {
        [S::zero()]
    }
    fn parameter_names(&self) -> Vec<String> {
        vec!["w".into()]
    }
    fn sockets(&self) -> SocketSizes {
        SocketSizes {
            weights: 1,
            ..SocketSizes::default()
        }
    }
    fn loss<S: Scalar>(&self, w: &[S], noise: &Injection<S>) -> S {
        S::constant(0.5) * noise.weight(0) * w[0].square()
    }
    fn gradient<S: Scalar>(&self, w: &[S], noise: &Injection<S>, _: &mut [S], g: &mut [S]) {
        g[0] = noise.weight(0) * w[0];
    }
    fn card(&self) -> &'static ModelCard {
        Product::CARD
    }
    fn observe(&self, _: usize, _: &[f64]) -> f64 {
        f64::NAN
    }
}

#[test]
fn a_path_that_comes_back_has_not_diverged_whoever_is_beside_it() {
    let observe = |_, w: &[f64], out: &mut [f64]| out[0] = w[0];
    let sources = [source(Mechanism::Minibatch, Law::Gaussian)];
    let of = |first_path, paths| {
        let plan = DescentPlan {
            shared_streams: false,
            start: &[1.0],
            step_sizes: StepSizes::Constant(1.0),
            sigma: 1.8,
            paths,
            first_path,
            record_at: &[1000, 5000],
            values_per_record: 1,
            seed: 3,
            level: 1,
        };
        run_descent_of(&Line, &sources, &plan, &observe, &|_| true)
    };
    let all = of(0, 256);
    assert!(!all.diverged.is_empty());
    let parts: Vec<_> = (0..32).map(|part| of(8 * part, 8)).collect();
    let bits = |run: &DescentRun| -> Vec<u64> { run.values.iter().map(|x| x.to_bits()).collect() };
    assert_eq!(bits(&all), parts.iter().flat_map(bits).collect::<Vec<_>>());
    let diverged: Vec<_> = parts.into_iter().flat_map(|part| part.diverged).collect();
    assert_eq!(all.diverged, diverged);
}

/// On one thread, where all blocks are side by side; also with paths that diverge.
#[test]
fn paths_side_by_side_have_the_bits_of_single_ones() {
    let (model, sources) = formula();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build();
    let pool = pool.unwrap();
    let bits = |run: &DescentRun| run.values.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    for alpha in [0.1, 0.45] {
        let of = |first_path, paths| {
            let plan = DescentPlan {
                shared_streams: false,
                start: &[2.0, 0.5],
                step_sizes: StepSizes::Constant(alpha),
                sigma: 0.3,
                paths,
                first_path,
                record_at: &[5, 700],
                values_per_record: 2,
                seed: 7,
                level: 2,
            };
            let observe = |_, w: &[f64], out: &mut [f64]| out.copy_from_slice(w);
            pool.install(|| run_descent(&model, &sources, &plan, &observe, &|_| true))
        };
        let alone: Vec<_> = (0..70).map(|path| of(path, 1)).collect();
        let diverged: Vec<_> = alone.iter().flat_map(|run| run.diverged.clone()).collect();
        assert_eq!(diverged.is_empty(), alpha == 0.1);
        let alone: Vec<_> = alone.iter().flat_map(bits).collect();
        for paths in [2, 8, 9, 10, 37, 64, 66, 70] {
            let run = of(0, paths);
            assert_eq!(bits(&run), alone[..4 * paths]);
            let expected = diverged.iter().filter(|d| d.path < paths);
            assert!(expected.eq(&run.diverged));
        }
    }
}

#[test]
fn the_result_is_the_same_for_any_number_of_threads_and_any_ensemble_size() {
    let sources = [source(Mechanism::Label, Law::Gaussian)];
    let pool = |threads| {
        rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap()
    };
    let one = pool(1).install(|| run(&PRODUCT, &sources, 37, 0.1, &[5, 200]));
    let two = pool(3).install(|| run(&PRODUCT, &sources, 37, 0.1, &[5, 200]));
    assert_eq!(one, two);
    let fewer = run(&PRODUCT, &sources, 11, 0.1, &[5, 200]);
    assert_eq!(fewer.values, one.values[..11 * 4]);
}

#[test]
fn no_two_paths_share_their_noise_within_a_block_across_blocks_or_across_levels() {
    let sources = [source(Mechanism::Label, Law::Gaussian)];
    let one_level = |level| {
        let plan = DescentPlan {
            shared_streams: false,
            start: &[2.0, 0.5],
            step_sizes: StepSizes::Constant(0.1),
            sigma: 0.3,
            paths: 40,
            first_path: 0,
            record_at: &[50],
            values_per_record: 2,
            seed: 7,
            level,
        };
        run_descent(
            &PRODUCT,
            &sources,
            &plan,
            &|_, w, out| out.copy_from_slice(w),
            &|_| true,
        )
        .values
    };
    let mut ends: Vec<u64> = [one_level(0), one_level(1)]
        .concat()
        .iter()
        .step_by(2)
        .map(|x| x.to_bits())
        .collect();
    ends.sort_unstable();
    ends.dedup();
    assert_eq!(ends.len(), 80);
}

#[test]
fn where_one_records_does_not_change_the_paths() {
    let sources = [
        source(Mechanism::Dropconnect, Law::Uniform),
        source(Mechanism::Label, Law::Gaussian),
    ];
    let often = run(&PRODUCT, &sources, 8, 0.1, &[1, 2, 3, 65, 100, 130]);
    let once = run(&PRODUCT, &sources, 8, 0.1, &[130]);
    for path in 0..8 {
        assert_eq!(
            often.values[path * 12 + 10..path * 12 + 12],
            once.values[path * 2..path * 2 + 2]
        );
    }
}

/// The kernel against the definition, one path at a time, for every mechanism and law and for all at once.
#[test]
fn the_kernel_computes_gradient_descent_on_the_noisy_loss() {
    let mut cases: Vec<Vec<Source>> = Vec::new();
    for mechanism in Mechanism::ALL {
        for law in Law::ALL {
            cases.push(vec![source(mechanism, law)]);
        }
    }
    cases.push(Mechanism::ALL.map(|m| source(m, Law::Gaussian)).to_vec());
    let models = [AnyModel::Product(Product), AnyModel::Sphere(Sphere::new(4))];
    for (model, sources) in models
        .iter()
        .flat_map(|m| cases.iter().map(move |c| (m, c)))
    {
        let Ok(noisy) = NoisyLoss::new(model.clone(), sources.clone()) else {
            continue;
        };
        let (alpha, steps) = (0.05, 70);
        let m = model.dimension();
        let fast = run(model, sources, 8, alpha, &[steps]);
        let sizes: Vec<_> = sources.iter().map(|source| source.size(model)).collect();
        let mut noise = NoiseBuffer::new(sources, &sizes, 0.3, LaneStreams::new(7, 2, 0));
        let mut paths = vec![[2.0, 0.5, 0.3, 0.1][..m].to_vec(); LANES];
        for _ in 0..steps {
            let eta = noise.next(1);
            for (lane, w) in paths.iter_mut().enumerate() {
                let eta: Vec<_> = eta.iter().map(|x| x.0[lane]).collect();
                let mut gradient = vec![0.0; m];
                noisy.gradient(w, &eta, &mut gradient);
                for (x, g) in w.iter_mut().zip(gradient) {
                    *x -= alpha * g;
                }
            }
        }
        for (fast, exact) in fast.values.iter().zip(paths.concat()) {
            // The kernel fuses multiplications with additions.
            assert!((fast - exact).abs() < 1e-13, "{sources:?}");
        }
    }
}

#[test]
fn a_diverged_path_is_a_row_with_its_exact_step_and_the_others_go_on() {
    // α·λ_max ≈ 5 at the start: some paths escape.
    let sources = [source(Mechanism::Label, Law::Gaussian)];
    let each: Vec<u64> = (1..=150).collect();
    let run = run(&PRODUCT, &sources, 64, 1.15, &each);
    assert!(!run.diverged.is_empty(), "the case is meant to diverge");
    for path in 0..64 {
        let rows = &run.values[path * 300..(path + 1) * 300];
        let finite = rows
            .chunks(2)
            .take_while(|w| w.iter().all(|x| x.is_finite()))
            .count();
        let recorded = run.diverged.iter().find(|d| d.path == path);
        let expected = recorded.map_or(150, |d| d.iteration as usize - 1);
        assert_eq!(finite, expected, "path {path}: {recorded:?}");
    }
}

/// §9: any step w ← w − αg·(v, u) multiplies D = u² − v² by 1 − α²g² exactly.
#[test]
fn the_imbalance_identity_holds_on_every_path() {
    let alpha = 0.1;
    let each: Vec<u64> = (1..=40).collect();
    for mechanism in [Mechanism::Label, Mechanism::Minibatch, Mechanism::Dropout] {
        let run = run(
            &PRODUCT,
            &[source(mechanism, Law::Gaussian)],
            16,
            alpha,
            &each,
        );
        for path in run.values.chunks(80) {
            for step in path.windows(4).step_by(2) {
                let (u, v, u2, v2) = (step[0], step[1], step[2], step[3]);
                let g = (u - u2) / (alpha * v);
                let predicted = (u * u - v * v) * (1.0 - alpha * alpha * g * g);
                assert!((u2 * u2 - v2 * v2 - predicted).abs() < 1e-13, "{mechanism}");
            }
        }
    }
}
