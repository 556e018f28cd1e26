//! Tests the derived limit alone, without iterates: every closed form of the theory, the finite-step correction, and
//! the weak order of the projected Euler–Maruyama scheme.
//!
//! Deterministic limits are compared to a relative error of 1e-7. Statistical assertions use 5.3 standard errors (false
//! alarm 1.2e-7 each) or the Kolmogorov–Smirnov distance 2.85/√n (1.8e-7 each), so that each test has a false alarm below
//! 1e-6. Each test also shows that a planted error is rejected by its own criterion.

use nalgebra::DVector;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};
use singlim::derive::{Frame, Masks, Regime, flow_map, rank_on_manifold, regime_near};
use singlim::limit::{EnsemblePlan, Faults, LimitProcess, run_ensemble, run_flow};
use singlim::models::{
    AnyModel, Circle, Product, Profile, Sphere, TwoProducts, Valley, WideningValley,
};
use singlim::noise::{Mechanism, NoisyLoss, Source};
use singlim::random::Law;
use statrs::distribution::{ChiSquared, ContinuousCDF, Discrete, Poisson};

/// Largest relative error of a deterministic limit; the integrator runs at 1e-11 and the landing point is good to 1e-9.
const FLOW_ERROR: f64 = 1e-7;
/// Two-sided false alarm 1.2e-7 for a normal mean.
const SIGMAS: f64 = 5.3;
/// √n times the Kolmogorov distance exceeds this with probability below 2e^{−2·2.85²} = 1.8e-7.
const KOLMOGOROV: f64 = 2.85;

/// A noisy loss with the point of Γ on which its start lands.
struct Landed {
    noisy: NoisyLoss<AnyModel>,
    regime: Regime,
    start: DVector<f64>,
    rank: usize,
}

/// Finds landing point and rank, and asserts the regime and the rank.
fn land(model: AnyModel, (mechanism, law): (Mechanism, Law), w0: &[f64], regime: Regime) -> Landed {
    let source = Source::new(mechanism, law);
    let noisy = NoisyLoss::new(model, vec![source]).unwrap();
    let start = flow_map(&noisy, &DVector::from_column_slice(w0)).unwrap();
    let rank = rank_on_manifold(&noisy, &start).unwrap();
    assert_eq!(rank, 1);
    let found = regime_near(&noisy, &start, rank, Masks::NonLocal).unwrap();
    assert_eq!(found.regime, regime, "{found:?}");
    Landed {
        noisy,
        regime,
        start,
        rank,
    }
}

impl Landed {
    fn process(&self, faults: Faults) -> LimitProcess<'_, AnyModel> {
        LimitProcess {
            noisy: &self.noisy,
            regime: self.regime,
            rank: self.rank,
            faults,
        }
    }

    /// The largest relative error of `observe` along the deterministic limit against `exact`.
    fn worst(
        &self,
        faults: Faults,
        step_size: f64,
        times: &[f64],
        observe: impl Fn(&DVector<f64>) -> f64,
        exact: impl Fn(f64) -> f64,
    ) -> f64 {
        let process = self.process(faults);
        let found = regime_near(&self.noisy, &self.start, self.rank, faults.masks).unwrap();
        assert!(!found.is_stochastic());
        let points =
            run_flow(&process, &self.start, times, 1e-11, |_| step_size, |_| true).unwrap();
        assert_eq!(points.len(), times.len());
        points
            .iter()
            .map(|p| (observe(&p.w) / exact(p.time) - 1.0).abs())
            .fold(0.0, f64::max)
    }

    /// `observe` follows `exact` along the limit, and a drift of 1.2 times the size does not.
    fn assert_follows(
        &self,
        times: &[f64],
        observe: impl Fn(&DVector<f64>) -> f64,
        exact: impl Fn(f64) -> f64,
    ) {
        let error = self.worst(Faults::default(), 0.0, times, &observe, &exact);
        assert!(error < FLOW_ERROR, "relative error {error:.1e}");
        let faster = Faults {
            drift_scale: 1.2,
            ..Faults::default()
        };
        let error = self.worst(faster, 0.0, times, &observe, &exact);
        assert!(error > 1e-2, "a rate of 1.2 times the size: {error:.1e}");
    }

    /// `observe` of an ensemble of the stochastic limit: one row of `times.len()` values a path.
    fn sample<T: Send>(
        &self,
        faults: Faults,
        (paths, time_step, seed): (usize, f64, u64),
        times: &[f64],
        observe: impl Fn(&DVector<f64>) -> T + Sync,
    ) -> Vec<Vec<T>> {
        let plan = EnsemblePlan {
            paths,
            first_path: 0,
            times,
            time_step,
            merged: 1,
            seed,
            level: 0,
        };
        run_ensemble(
            &self.process(faults),
            &self.start,
            &plan,
            |_| 0.0,
            |_, w, _| observe(w),
            || true,
        )
        .into_iter()
        .map(|row| row.unwrap())
        .collect()
    }
}

fn column(rows: &[Vec<f64>], index: usize) -> Vec<f64> {
    rows.iter().map(|row| row[index]).collect()
}

/// Mean and its standard error.
fn mean_of(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
    (mean, (variance / n).sqrt())
}

/// Whether a mean agrees with `expected` within 5.3 standard errors and the declared `bias` of the scheme.
fn agrees(values: &[f64], expected: f64, bias: f64) -> bool {
    let (mean, se) = mean_of(values);
    (mean - expected).abs() < SIGMAS * se + bias
}

/// sup |F_n − F|.
fn kolmogorov_distance(values: &[f64], cdf: impl Fn(f64) -> f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len() as f64;
    sorted.iter().enumerate().fold(0.0, |worst: f64, (i, &x)| {
        let f = cdf(x);
        worst.max(f - i as f64 / n).max((i + 1) as f64 / n - f)
    })
}

/// Whether a sample has the law `cdf`, up to a declared `bias` of the scheme's distribution function.
fn has_law(values: &[f64], cdf: impl Fn(f64) -> f64, bias: f64) -> bool {
    kolmogorov_distance(values, cdf) < KOLMOGOROV / (values.len() as f64).sqrt() + bias
}

fn imbalance(w: &DVector<f64>) -> f64 {
    w[0] * w[0] - w[1] * w[1]
}

fn excess(w: &DVector<f64>) -> f64 {
    w.norm_squared().powi(2) - 4.0
}

/// tan ψ, ψ = 2·angle(u).
fn tan_psi(w: &DVector<f64>) -> f64 {
    2.0 * w[0] * w[1] / (w[0] * w[0] - w[1] * w[1])
}

/// r = 4p(1 − p), p = a₁b₁.
fn mixing(w: &DVector<f64>) -> f64 {
    let p = w[0] * w[1];
    4.0 * p * (1.0 - p)
}

/// The solution of ṙ = rate·r(1 − r).
fn logistic(r0: f64, exponent: f64) -> f64 {
    let odds = r0 / (1.0 - r0) * exponent.exp();
    odds / (1.0 + odds)
}

const TIMES: [f64; 4] = [0.05, 0.2, 0.5, 1.2];
/// Off Γ; the gradient flow keeps D₀ = 4.48.
const PRODUCT_START: [f64; 2] = [2.3, 0.9];
const PRODUCT_D0: f64 = 2.3 * 2.3 - 0.9 * 0.9;

fn assert_hyperbola_row(noise: Mechanism, regime: Regime, rate: f64) {
    let landed = land(
        AnyModel::Product(Product),
        (noise, Law::Gaussian),
        &PRODUCT_START,
        regime,
    );
    landed.assert_follows(&TIMES, imbalance, |t| PRODUCT_D0 * (-rate * t).exp());
    landed.assert_follows(&TIMES, excess, |t| {
        PRODUCT_D0.powi(2) * (-2.0 * rate * t).exp()
    });
}

#[test]
fn row_1_anti_pgd_on_the_product_contracts_the_imbalance_at_rate_2() {
    assert_hyperbola_row(Mechanism::AntiPgd, Regime::NonDegenerate, 2.0);
}

#[test]
fn row_2_label_noise_on_the_product_contracts_the_imbalance_at_rate_1() {
    assert_hyperbola_row(Mechanism::Label, Regime::Degenerate, 1.0);
}

#[test]
fn row_4_minibatch_noise_on_the_product_moves_nothing_on_either_clock() {
    let noise = (Mechanism::Minibatch, Law::Gaussian);
    let landed = land(
        AnyModel::Product(Product),
        noise,
        &PRODUCT_START,
        Regime::Trivial,
    );
    let frame = Frame::at(&landed.noisy, &landed.start, landed.rank).unwrap();
    // The equations of all regimes, not only of the one found: nothing is zero by decree.
    for regime in [Regime::Trivial, Regime::NonDegenerate, Regime::Degenerate] {
        let process = LimitProcess {
            regime,
            ..landed.process(Faults::default())
        };
        for step_size in [0.0, 0.1] {
            let found = process.coefficients(&landed.start, &frame, step_size);
            assert!(found.drift.norm() < 1e-12, "{regime}: {}", found.drift);
            let brownian = found.brownian_norm(&frame);
            assert!(brownian < 1e-12, "{regime}: {brownian:.1e}");
        }
    }
    let error = landed.worst(Faults::default(), 0.0, &[1.0, 50.0], imbalance, |_| {
        PRODUCT_D0
    });
    assert!(error < FLOW_ERROR, "{error:.1e}");
    // The criterion sees a noise that does move.
    let moving = land(
        AnyModel::Product(Product),
        (Mechanism::Label, Law::Gaussian),
        &PRODUCT_START,
        Regime::Degenerate,
    );
    let found = moving
        .process(Faults::default())
        .coefficients(&moving.start, &frame, 0.0);
    assert!(found.drift.norm() > 0.1);
}

#[test]
fn row_5_dropconnect_and_dropout_of_one_unit_move_only_on_the_slow_clock_at_rates_2_and_1() {
    for (mechanism, rate) in [(Mechanism::Dropconnect, 2.0), (Mechanism::Dropout, 1.0)] {
        assert_hyperbola_row(mechanism, Regime::Degenerate, rate);
        let noise = (mechanism, Law::Gaussian);
        let landed = land(
            AnyModel::Product(Product),
            noise,
            &PRODUCT_START,
            Regime::Degenerate,
        );
        let fast = LimitProcess {
            regime: Regime::NonDegenerate,
            ..landed.process(Faults::default())
        };
        let drift = fast.drift(&landed.start, 0.0).unwrap();
        assert!(drift.norm() < 1e-12, "{mechanism} on kασ²: {drift}");
    }
}

fn assert_two_products_row(mechanism: Mechanism, rate: f64) {
    // Balanced and off Γ; the gradient flow keeps a₁ : a₂.
    let (first, second): (f64, f64) = (0.4, 1.1);
    let noise = (mechanism, Law::Gaussian);
    let w0 = [first, first, second, second];
    let landed = land(
        AnyModel::TwoProducts(TwoProducts),
        noise,
        &w0,
        Regime::NonDegenerate,
    );
    let p = first * first / (first * first + second * second);
    let r0 = 4.0 * p * (1.0 - p);
    let times = [0.05, 0.2, 0.5, 0.8];
    landed.assert_follows(&times, mixing, |t| logistic(r0, rate * t));
    let w = &run_flow(
        &landed.process(Faults::default()),
        &landed.start,
        &times,
        1e-11,
        |_| 0.0,
        |_| true,
    )
    .unwrap()[3]
        .w;
    assert!(
        (w[0] - w[1]).abs() + (w[2] - w[3]).abs() < 1e-9,
        "balance is kept: {w}"
    );
}

#[test]
fn row_6_dropconnect_on_two_balanced_products_mixes_logistically_at_rate_4() {
    assert_two_products_row(Mechanism::Dropconnect, 4.0);
}

#[test]
fn row_7_dropout_on_two_balanced_products_mixes_logistically_at_rate_2() {
    assert_two_products_row(Mechanism::Dropout, 2.0);
}

/// Off the unit circle; the gradient flow keeps the angle.
const CIRCLE_START: [f64; 2] = [1.2, 0.2];
const CIRCLE_TAN: f64 = 2.0 * 1.2 * 0.2 / (1.2 * 1.2 - 0.2 * 0.2);

#[test]
fn row_8_gaussian_dropconnect_on_the_circle_multiplies_tan_psi_by_e_to_the_8t() {
    let noise = (Mechanism::Dropconnect, Law::Gaussian);
    let landed = land(
        AnyModel::Circle(Circle),
        noise,
        &CIRCLE_START,
        Regime::NonDegenerate,
    );
    landed.assert_follows(&[0.02, 0.1, 0.25, 0.4], tan_psi, |t| {
        CIRCLE_TAN * (8.0 * t).exp()
    });
}

#[test]
fn row_9_bernoulli_dropconnect_on_the_circle_is_non_local_e_to_the_2t_instead_of_8t() {
    let noise = (Mechanism::Dropconnect, Law::Bernoulli);
    let landed = land(
        AnyModel::Circle(Circle),
        noise,
        &CIRCLE_START,
        Regime::NonDegenerate,
    );
    let times = [0.05, 0.2, 0.4];
    let non_local = |t: f64| CIRCLE_TAN * (2.0 * t).exp();
    let local = |t: f64| CIRCLE_TAN * (8.0 * t).exp();
    landed.assert_follows(&times, tan_psi, non_local);
    let as_if_gaussian = Faults {
        masks: Masks::Local,
        ..Faults::default()
    };
    let worst =
        |faults, exact: &dyn Fn(f64) -> f64| landed.worst(faults, 0.0, &times, tan_psi, exact);
    assert!(worst(as_if_gaussian, &local) < FLOW_ERROR);
    assert!(worst(as_if_gaussian, &non_local) > 1.0);
    assert!(worst(Faults::default(), &local) > 0.5);
}

#[test]
fn row_12_anti_pgd_in_the_widening_valley_shrinks_u_at_rate_1() {
    let noise = (Mechanism::AntiPgd, Law::Gaussian);
    // The gradient flow keeps the direction of u and |u|² − v².
    let w0 = [1.0, 0.5, -0.7, 0.3];
    let landed = land(
        AnyModel::WideningValley(WideningValley::new(3)),
        noise,
        &w0,
        Regime::NonDegenerate,
    );
    let squared: f64 = 1.0 + 0.25 + 0.49;
    let shrunk = ((squared - 0.09) / squared).sqrt();
    for (i, &u0) in w0[..3].iter().enumerate() {
        landed.assert_follows(&TIMES, |w| w[i], |t| u0 * shrunk * (-t).exp());
    }
}

/// Ḋ = −rate·D/(1 − αS/2), Ṡ = −rate·(S² − 4)/S/(1 − αS/2) by the classical Runge–Kutta method in 20 000 steps.
fn corrected_hyperbola(d0: f64, rate: f64, alpha: f64, time: f64) -> [f64; 2] {
    let slope = |[d, s]: [f64; 2]| {
        let rate = rate / (1.0 - alpha * s / 2.0);
        [-rate * d, -rate * (s * s - 4.0) / s]
    };
    let ahead = |x: [f64; 2], k: [f64; 2], h: f64| [x[0] + h * k[0], x[1] + h * k[1]];
    let steps = 20_000;
    let h = time / f64::from(steps);
    let mut x = [d0, (d0 * d0 + 4.0).sqrt()];
    for _ in 0..steps {
        let k1 = slope(x);
        let k2 = slope(ahead(x, k1, h / 2.0));
        let k3 = slope(ahead(x, k2, h / 2.0));
        let k4 = slope(ahead(x, k3, h));
        for i in 0..2 {
            x[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
        }
    }
    x
}

#[test]
fn at_a_finite_step_size_the_rates_of_rows_1_and_2_are_divided_by_one_minus_half_alpha_s() {
    for (mechanism, regime, rate) in [
        (Mechanism::AntiPgd, Regime::NonDegenerate, 2.0),
        (Mechanism::Label, Regime::Degenerate, 1.0),
    ] {
        let noise = (mechanism, Law::Gaussian);
        let landed = land(AnyModel::Product(Product), noise, &PRODUCT_START, regime);
        // αλ_max up to 0.98 at the start, where λ_max = S₀ = 4.91.
        for alpha in [0.02, 0.2] {
            let exact = |t| corrected_hyperbola(PRODUCT_D0, rate, alpha, t);
            let none = Faults::default();
            let error = landed.worst(none, alpha, &TIMES, imbalance, |t| exact(t)[0]);
            assert!(
                error < FLOW_ERROR,
                "{mechanism} D at α = {alpha}: {error:.1e}"
            );
            let sum = |w: &DVector<f64>| w.norm_squared();
            let error = landed.worst(none, alpha, &TIMES, sum, |t| exact(t)[1]);
            assert!(
                error < FLOW_ERROR,
                "{mechanism} S at α = {alpha}: {error:.1e}"
            );
            // Planted: the plain limit in place of the corrected one.
            let plain = landed.worst(none, 0.0, &TIMES, imbalance, |t| exact(t)[0]);
            assert!(plain > 1e-2, "{mechanism} at α = {alpha}: {plain:.1e}");
        }
    }
}

/// The law of dD = 2(D² + 4)^{1/4} dB at one time: its distribution function on an equidistant grid.
struct DiffusionLaw {
    left: f64,
    spacing: f64,
    cdf: Vec<f64>,
}

impl DiffusionLaw {
    /// The Fokker–Planck equation ∂_t p = ∂²_D(a p), a = 2√(D² + 4)·`speed`, integrated once in D:
    /// ∂_t F = ∂_D(a ∂_D F), from the step at `d0`.
    ///
    /// Finite volumes on D₀ ± 70; four implicit Euler steps, then Crank–Nicolson.
    fn solve(d0: f64, time: f64, speed: f64, spacing: f64) -> Self {
        let half = (70.0 / spacing).round() as usize;
        let n = 2 * half + 1;
        let left = d0 - half as f64 * spacing;
        let conductance = |i: usize| {
            let d = left + (i as f64 + 0.5) * spacing;
            2.0 * speed * (d * d + 4.0).sqrt() / (spacing * spacing)
        };
        let mut f: Vec<f64> = (0..n)
            .map(|i| match i.cmp(&half) {
                std::cmp::Ordering::Less => 0.0,
                std::cmp::Ordering::Equal => 0.5,
                std::cmp::Ordering::Greater => 1.0,
            })
            .collect();
        let steps = 400;
        let dt = time / f64::from(steps);
        // Each of the first two steps is cut into two implicit Euler steps (Rannacher), against the jump at the start.
        for step in 0..steps {
            if step < 2 {
                for _ in 0..2 {
                    theta_step(&mut f, dt / 2.0, 1.0, conductance);
                }
            } else {
                theta_step(&mut f, dt, 0.5, conductance);
            }
        }
        Self {
            left,
            spacing,
            cdf: f,
        }
    }

    fn at(&self, d: f64) -> f64 {
        let position = ((d - self.left) / self.spacing).clamp(0.0, (self.cdf.len() - 2) as f64);
        let i = (position.floor() as usize).min(self.cdf.len() - 2);
        let share = (position - i as f64).clamp(0.0, 1.0);
        self.cdf[i] + share * (self.cdf[i + 1] - self.cdf[i])
    }

    fn mean_of(&self, f: impl Fn(f64) -> f64) -> f64 {
        self.cdf
            .windows(2)
            .enumerate()
            .map(|(i, pair)| f(self.left + (i as f64 + 0.5) * self.spacing) * (pair[1] - pair[0]))
            .sum()
    }
}

/// One θ-step of ∂_t F = ∂(a ∂F) with the ends held, by the Thomas algorithm.
fn theta_step(f: &mut [f64], dt: f64, theta: f64, conductance: impl Fn(usize) -> f64) {
    let n = f.len();
    let mut right = f.to_vec();
    for i in 1..n - 1 {
        let flow = conductance(i) * (f[i + 1] - f[i]) - conductance(i - 1) * (f[i] - f[i - 1]);
        right[i] += dt * (1.0 - theta) * flow;
    }
    let mut ratio = vec![0.0; n];
    for i in 1..n - 1 {
        let (below, above) = (dt * theta * conductance(i - 1), dt * theta * conductance(i));
        let pivot = 1.0 + below + above - below * ratio[i - 1];
        ratio[i] = above / pivot;
        right[i] = (right[i] + below * right[i - 1]) / pivot;
    }
    f[n - 1] = right[n - 1];
    for i in (1..n - 1).rev() {
        f[i] = right[i] + ratio[i] * f[i + 1];
    }
}

#[test]
fn the_reference_law_of_row_3_is_a_martingale_with_the_right_second_moment() {
    let (d0, time, gap) = (2.43, 0.5, 0.005);
    let law = |t| DiffusionLaw::solve(d0, t, 1.0, 0.02);
    let now = law(time);
    assert!((now.mean_of(|d| d) - d0).abs() < 1e-6);
    // d E[D²]/dt = 4 E√(D² + 4), by a central difference.
    let square = |law: &DiffusionLaw| law.mean_of(|d| d * d);
    let slope = (square(&law(time + gap)) - square(&law(time - gap))) / (2.0 * gap);
    let expected = 4.0 * now.mean_of(|d| (d * d + 4.0).sqrt());
    assert!((slope / expected - 1.0).abs() < 1e-4, "{slope} {expected}");
    // Independent of the grid to a small part of what the tests below resolve.
    let finer = DiffusionLaw::solve(d0, time, 1.0, 0.01);
    for d in [-4.0, -1.0, 0.5, 2.43, 4.0, 8.0] {
        assert!((now.at(d) - finer.at(d)).abs() < 1e-4);
    }
}

#[test]
fn row_3_sgld_on_the_product_diffuses_the_imbalance_with_the_law_of_the_fokker_planck_equation() {
    // Off Γ; the gradient flow keeps D₀ = 2.43.
    let noise = (Mechanism::Sgld, Law::Gaussian);
    let landed = land(
        AnyModel::Product(Product),
        noise,
        &[1.8, 0.9],
        Regime::Degenerate,
    );
    let d0 = 1.8 * 1.8 - 0.9 * 0.9;
    let times = [0.1, 0.5];
    let sample =
        |faults, paths, seed| landed.sample(faults, (paths, 0.0125, seed), &times, imbalance);
    let rows = sample(Faults::default(), 16_000, 31);
    // Declared weak bias of the scheme: Δt/4 of the distribution function, 3e-3 against the 2.3e-2 of the bound.
    let bias = 0.0125 / 4.0;
    for (i, &t) in times.iter().enumerate() {
        let d = column(&rows, i);
        let law = DiffusionLaw::solve(d0, t, 1.0, 0.02);
        assert!(agrees(&d, d0, bias), "a martingale: {:?}", mean_of(&d));
        let squares: Vec<_> = d.iter().map(|d| d * d).collect();
        let second = law.mean_of(|d| d * d);
        assert!(
            agrees(&squares, second, bias * (second - d0 * d0)),
            "t = {t}: {:?} against {second}",
            mean_of(&squares)
        );
        assert!(has_law(&d, |x| law.at(x), bias), "t = {t}");
        // Planted: a diffusion coefficient of 1.2 times the size.
        let faster = DiffusionLaw::solve(d0, t, 1.44, 0.02);
        assert!(!has_law(&d, |x| faster.at(x), bias));
        let faster = faster.mean_of(|d| d * d);
        assert!(!agrees(&squares, faster, bias * (faster - d0 * d0)));
    }
    // Planted: no Itô correction. D is no martingale then.
    let without = Faults {
        ito_correction: false,
        ..Faults::default()
    };
    let d = column(&sample(without, 5_000, 32), 1);
    assert!(!agrees(&d, d0, bias), "{:?}", mean_of(&d));
}

/// Steps taken by each path of [`step_cosine`].
const STEPS: usize = 10;

/// Mean and standard error of the cosine ⟨W′, W⟩ between successive steps of length h on the sphere in R⁴.
fn step_cosine(landed: &Landed, faults: Faults, h: f64, paths: usize) -> (f64, f64) {
    let times: Vec<_> = (1..=STEPS).map(|k| k as f64 * h).collect();
    // A little more than h, so that rounding can't make two steps of one.
    let rows = landed.sample(faults, (paths, 1.01 * h, 101), &times, Clone::clone);
    let mut cosines = Vec::with_capacity(paths * STEPS);
    for row in rows {
        let mut before = &landed.start;
        for w in &row {
            cosines.push(before.dot(w));
            before = w;
        }
    }
    mean_of(&cosines)
}

/// E 1/√(1 + hR²), R² ~ χ²_{n−1}, by Simpson's rule: by what one step of the scheme multiplies E⟨W, ·⟩ on the sphere
/// in Rⁿ, exactly.
fn exact_step_cosine(n: usize, h: f64) -> f64 {
    let (cells, end) = (4000, 14.0);
    let width = end / f64::from(cells);
    let integral = |f: &dyn Fn(f64) -> f64| -> f64 {
        let weighted = |r: f64| r.powi(n as i32 - 2) * (-r * r / 2.0).exp() * f(r);
        (0..cells)
            .map(|i| {
                let a = f64::from(i) * width;
                weighted(a) + 4.0 * weighted(a + width / 2.0) + weighted(a + width)
            })
            .sum()
    };
    integral(&|r| 1.0 / (1.0 + h * r * r).sqrt()) / integral(&|_| 1.0)
}

/// The error at time 1 of E⟨W₁, W₀⟩ and its standard error, from the mean of the step's cosine: by isotropy
/// E⟨W_k, W_0⟩ is exactly the k-th power of it.
fn error_at_time_one((cosine, se): (f64, f64), h: f64) -> (f64, f64) {
    let steps = 1.0 / h;
    (
        cosine.powf(steps) - (-1.5f64).exp(),
        steps * cosine.powf(steps - 1.0) * se,
    )
}

/// log₂ of the ratio of the errors at h and h/2, with its standard error.
fn order_of((coarse, coarse_se): (f64, f64), (fine, fine_se): (f64, f64)) -> (f64, f64) {
    let se = ((coarse_se / coarse).powi(2) + (fine_se / fine).powi(2)).sqrt();
    ((coarse / fine).log2(), se / std::f64::consts::LN_2)
}

#[test]
fn projected_euler_maruyama_on_the_sphere_has_weak_order_one_and_the_exact_limit() {
    let noise = (Mechanism::Sgld, Law::Gaussian);
    let landed = land(
        AnyModel::Sphere(Sphere::new(4)),
        noise,
        &[0.6, 0.0, 0.0, 0.8],
        Regime::Degenerate,
    );
    let (h, paths) = (0.05, 12_000);
    let measured = |faults: fn(f64) -> Faults, paths| {
        [h, h / 2.0].map(|h| error_at_time_one(step_cosine(&landed, faults(h), h, paths), h))
    };
    let exact = [h, h / 2.0].map(|h| error_at_time_one((exact_step_cosine(4, h), 0.0), h));
    let right = measured(|_| Faults::default(), paths);
    // Each step size agrees with the exact recursion of the scheme ...
    for (measured, exact) in right.iter().zip(exact) {
        assert!((measured.0 - exact.0).abs() < SIGMAS * measured.1);
    }
    // ... the rate is 1, and ½ is excluded ...
    let rate_is_one = |errors: [(f64, f64); 2]| {
        let (order, se) = order_of(errors[0], errors[1]);
        let expected = order_of(exact[0], exact[1]).0;
        (expected - 1.0).abs() < 0.1
            && (order - expected).abs() < SIGMAS * se
            && order - SIGMAS * se > 0.5
    };
    assert!(rate_is_one(right), "{:?}", order_of(right[0], right[1]));
    // ... and the extrapolated limit is that of Brownian motion; the remainder of order h² is 1 % of 1 − e^{−3/2}.
    let limit_is_exact = |errors: [(f64, f64); 2]| {
        let limit = 2.0 * errors[1].0 - errors[0].0;
        let se = (4.0 * errors[1].1.powi(2) + errors[0].1.powi(2)).sqrt();
        limit.abs() < SIGMAS * se + 0.01 * (1.0 - (-1.5f64).exp())
    };
    assert!(limit_is_exact(right), "{right:?}");
    // Planted: steps of (1 − √h) times the size have weak order ½; steps of 0.9 times the size have another limit.
    let half_order = measured(
        |h| Faults {
            diffusion_scale: 1.0 - h.sqrt(),
            ..Faults::default()
        },
        paths / 4,
    );
    assert!(
        !rate_is_one(half_order),
        "{:?}",
        order_of(half_order[0], half_order[1])
    );
    let wrong_limit = measured(
        |_| Faults {
            diffusion_scale: 0.9,
            ..Faults::default()
        },
        paths / 4,
    );
    assert!(!limit_is_exact(wrong_limit), "{wrong_limit:?}");
}

/// Euler–Maruyama on the sphere in R⁴ that returns to it by moving the last coordinate only: the planted error.
fn fixed_coordinate_sample(
    start: &DVector<f64>,
    h: f64,
    steps: usize,
    paths: usize,
) -> Vec<DVector<f64>> {
    let mut random = ChaCha8Rng::seed_from_u64(9);
    (0..paths)
        .map(|_| {
            let mut w = start.clone();
            for _ in 0..steps {
                let xi = DVector::from_fn(4, |_, _| StandardNormal.sample(&mut random));
                let tangent: DVector<f64> = &xi - &w * w.dot(&xi);
                w += tangent * h.sqrt();
                let others = w.rows(0, 3).norm_squared();
                w[3] = (1.0 - others).max(0.0).sqrt().copysign(w[3]);
                w.normalize_mut();
            }
            w
        })
        .collect()
}

#[test]
fn projected_euler_maruyama_keeps_the_mean_direction_and_projecting_along_a_coordinate_does_not() {
    let noise = (Mechanism::Sgld, Law::Gaussian);
    let landed = land(
        AnyModel::Sphere(Sphere::new(4)),
        noise,
        &[0.6, 0.0, 0.0, 0.8],
        Regime::Degenerate,
    );
    let (h, steps, paths) = (0.025, 10, 10_000);
    let time = h * steps as f64;
    let rows = landed.sample(
        Faults::default(),
        (paths, 1.01 * h, 102),
        &[time],
        Clone::clone,
    );
    // h·10/(1.01·h) rounds up to 10 steps.
    let right: Vec<_> = rows.into_iter().map(|mut row| row.remove(0)).collect();
    let planted = fixed_coordinate_sample(&landed.start, h, steps, paths);
    let shrink = exact_step_cosine(4, h).powi(steps as i32);
    let along = |sample: &[DVector<f64>], i: usize| -> bool {
        let values: Vec<_> = sample.iter().map(|w| w[i]).collect();
        agrees(&values, shrink * landed.start[i], 0.0)
    };
    for i in 0..4 {
        assert!(along(&right, i), "E W = m(h)^k W₀ in coordinate {i}");
    }
    assert!(!along(&planted, 0) && !along(&planted, 3));
}

#[test]
fn row_10_sgld_on_the_sphere_is_brownian_motion_in_every_dimension() {
    for n in [2, 3, 5] {
        let noise = (Mechanism::Sgld, Law::Gaussian);
        // Off the sphere; the gradient flow is radial.
        let mut w0 = vec![0.5; n];
        w0[0] = -0.9;
        let landed = land(
            AnyModel::Sphere(Sphere::new(n)),
            noise,
            &w0,
            Regime::Degenerate,
        );
        let direction = DVector::from_vec(w0).normalize();
        assert!((&landed.start - &direction).norm() < 1e-9);
        let rate = (n - 1) as f64 / 2.0;
        let dt = 0.05 / (n + 2) as f64;
        // Up to E⟨W_t, W_0⟩ = e^{−0.3} and e^{−0.9}.
        let steps = [12 * (n + 2) / (n - 1), 36 * (n + 2) / (n - 1)];
        let times = steps.map(|k| k as f64 * dt);
        let plan = (4_000, 1.0001 * dt, 77);
        let rows = landed.sample(Faults::default(), plan, &times, |w| w.dot(&direction));
        for (i, &t) in times.iter().enumerate() {
            let cosines = column(&rows, i);
            let exact = |rate: f64| (-rate * t).exp();
            let scheme = exact_step_cosine(n, dt).powi(steps[i] as i32);
            assert!(agrees(&cosines, scheme, 0.0), "n = {n}, t = {t}");
            // A step multiplies by 1 − rΔt + ⅜(n²−1)Δt² + …, so the rate r is too slow by the share (n + 2)Δt/2: 2.5 %.
            let bias = 0.025 * rate * t * exact(rate);
            assert!((scheme - exact(rate)).abs() < bias);
            assert!(agrees(&cosines, exact(rate), bias), "n = {n}, t = {t}");
        }
        // Planted: a rate of 1.2 times the size.
        let late = column(&rows, 1);
        let planted = (-1.2 * rate * times[1]).exp();
        let bias = 0.025 * 1.2 * rate * times[1] * planted;
        assert!(!agrees(&late, planted, bias), "n = {n}");
    }
}

/// E(cos X, sin X) after each of `records` steps of X′ = X − `strength`/4·cos X Δt + √Δt ξ, by quadrature on the
/// circle: exact for the scheme, up to rounding, as the wrapped normal kernel is resolved.
fn circle_law(strength: f64, x0: f64, dt: f64, records: &[usize]) -> Vec<[f64; 2]> {
    let n = 256;
    let width = std::f64::consts::TAU / n as f64;
    let kernel = |from: f64, to: f64| -> f64 {
        let mean = from - strength / 4.0 * from.cos() * dt;
        (-2..=2)
            .map(|turn| {
                let z = to - mean + std::f64::consts::TAU * f64::from(turn);
                (-z * z / (2.0 * dt)).exp() / (std::f64::consts::TAU * dt).sqrt()
            })
            .sum()
    };
    let grid: Vec<_> = (0..n)
        .map(|i| i as f64 * width - std::f64::consts::PI)
        .collect();
    let matrix = nalgebra::DMatrix::from_fn(n, n, |to, from| width * kernel(grid[from], grid[to]));
    let mut density = DVector::from_fn(n, |to, _| kernel(x0, grid[to]));
    let mut step = 1;
    records
        .iter()
        .map(|&record| {
            while step < record {
                density = &matrix * &density;
                step += 1;
            }
            let mean = |f: fn(f64) -> f64| -> f64 {
                width
                    * density
                        .iter()
                        .zip(&grid)
                        .map(|(p, &x)| p * f(x))
                        .sum::<f64>()
            };
            [mean(f64::cos), mean(f64::sin)]
        })
        .collect()
}

/// I₁(κ)/I₀(κ) by the power series.
fn bessel_ratio(kappa: f64) -> f64 {
    let (mut zeroth, mut first, mut term) = (0.0, 0.0, 1.0);
    for j in 0..60 {
        let j = f64::from(j);
        zeroth += term;
        first += term * kappa / 2.0 / (j + 1.0);
        term *= (kappa / 2.0).powi(2) / (j + 1.0).powi(2);
    }
    first / zeroth
}

#[test]
fn row_11_sgld_in_the_exp_sine_valley_has_the_von_mises_law_in_the_long_run() {
    let c = 2.0;
    let noise = (Mechanism::Sgld, Law::Gaussian);
    // The flow from (x₀, y₀) ends where ∫dx/cos x has moved by −c·y₀²/4 (gd⁻¹ is the inverse Gudermannian).
    let (x0, y0) = (-0.4f64, 0.3f64);
    let landed = land(
        AnyModel::Valley(Valley::new(Profile::ExpSine, c)),
        noise,
        &[x0, y0],
        Regime::Degenerate,
    );
    let x = (x0.tan().asinh() - c * y0 * y0 / 4.0).sinh().atan();
    assert!((landed.start[0] - x).abs() < 1e-8 && landed.start[1].abs() < 1e-10);

    // dX = −¼ c cos X dt + dB has density ∝ e^{−(c/2) sin x}: κ = c/2, centred at −π/2.
    let closed = [0.0, -bessel_ratio(c / 2.0)];
    let dt = 0.1;
    let (short, long) = (4, 200);
    let times = [short as f64 * dt, long as f64 * dt];
    let rows = landed.sample(Faults::default(), (6_000, 1.001 * dt, 55), &times, |w| w[0]);
    let scheme = circle_law(c, x, dt, &[short, long]);
    let fine = circle_law(c, x, dt / 4.0, &[4 * short, 4 * long]);
    let finer = circle_law(c, x, dt / 8.0, &[8 * short, 8 * long]);
    let faster = circle_law(1.2 * c, x, dt, &[short, long]);
    let still = circle_law(0.0, x, dt, &[short, long]);
    for (i, f) in [f64::cos as fn(f64) -> f64, f64::sin]
        .into_iter()
        .enumerate()
    {
        // The law without time step, by extrapolation; in the long run it is von Mises.
        let limit = |record: usize| 2.0 * finer[record][i] - fine[record][i];
        assert!(
            (limit(1) - closed[i]).abs() < 1e-4,
            "{fine:?} {finer:?} {closed:?}"
        );
        for (record, law) in scheme.iter().enumerate() {
            let image: Vec<_> = rows.iter().map(|row| f(row[record])).collect();
            assert!(agrees(&image, law[i], 0.0));
            // The bias of the scheme is known, and small: 2 % of E sin X in the long run.
            let exact = if record == 1 { closed[i] } else { limit(0) };
            let bias = (law[i] - limit(record)).abs();
            assert!(bias < 0.012, "{bias}");
            assert!(agrees(&image, exact, bias));
        }
    }
    let sines: Vec<_> = rows.iter().map(|row| row[1].sin()).collect();
    assert!(!agrees(&sines, faster[1][1], 0.0) && !agrees(&sines, still[1][1], 0.0));
    let early: Vec<_> = rows.iter().map(|row| row[0].sin()).collect();
    assert!(!agrees(&early, still[0][1], 0.0));
}

/// The distribution function of a noncentral χ² with `freedom` degrees: a Poisson mixture of central ones.
fn noncentral_chi_squared(freedom: f64, noncentrality: f64, x: f64) -> f64 {
    let weights = Poisson::new(noncentrality / 2.0).unwrap();
    (0..80)
        .map(|j| {
            let law = ChiSquared::new(freedom + 2.0 * j as f64).unwrap();
            weights.pmf(j) * law.cdf(x)
        })
        .sum()
}

#[test]
fn row_13_sgld_in_the_widening_valley_makes_the_radius_a_bessel_process_of_dimension_d_minus_1() {
    let d = 4;
    let noise = (Mechanism::Sgld, Law::Gaussian);
    // The flow keeps |u|² − v²: it lands at |u|² = 1.5 + 0.09 − 0.09.
    let w0 = [1.0, 0.5, -0.5, 0.3, 0.3];
    let landed = land(
        AnyModel::WideningValley(WideningValley::new(d)),
        noise,
        &w0,
        Regime::Degenerate,
    );
    let squared = |w: &DVector<f64>| w.rows(0, d).norm_squared();
    assert!((squared(&landed.start) - 1.5).abs() < 1e-8);
    let (dt, times) = (0.01, [0.1, 0.5]);
    let rows = landed.sample(Faults::default(), (10_000, dt, 13), &times, squared);
    for (i, &t) in times.iter().enumerate() {
        let r2 = column(&rows, i);
        let freedom = (d - 1) as f64;
        // E|U|² of the scheme is larger by ¼Δt ∫E|U|⁻² dt, and E|U|⁻² < 1 here (it decreases from 0.67).
        let bias = 0.25 * dt * t;
        assert!(agrees(&r2, 1.5 + freedom * t, bias), "{:?}", mean_of(&r2));
        assert!(!agrees(&r2, 1.5 + d as f64 * t, bias));
        let scaled: Vec<_> = r2.iter().map(|x| x / t).collect();
        let law = |freedom: f64| move |x| noncentral_chi_squared(freedom, 1.5 / t, x);
        assert!(has_law(&scaled, law(freedom), dt / 4.0), "t = {t}");
        if i == 1 {
            // Planted: the radius of Brownian motion in R^d, without the drift.
            assert!(!has_law(&scaled, law(d as f64), dt / 4.0));
        }
    }
    let without = Faults {
        ito_correction: false,
        ..Faults::default()
    };
    let free = column(
        &landed.sample(without, (3_000, 0.05, 14), &times, squared),
        1,
    );
    assert!(!agrees(&free, 1.5 + 3.0 * 0.5, 0.0) && agrees(&free, 1.5 + 4.0 * 0.5, 0.0));
}
