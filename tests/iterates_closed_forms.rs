//! Tests the iterates alone, without derived limit, against the closed forms of the theory, extrapolated to α → 0.
//!
//! Each claim is made at two step sizes, α and α/2, on the clock of its regime: with σ² ∝ α where t = kασ², with σ fixed
//! (label noise, SGLD) or σ ∝ α (noise that is not quadratic, so σ² ≪ α) where t = kα²σ². The bias is then of order α,
//! and 2·fine − coarse of order α². The extrapolated mean must lie within 5.3 standard errors plus a declared share, at
//! most 2 %, of the displacement for the remainder of order α². False alarms: 1.2e-7 for a normal mean, 2.5e-7 for
//! Student's law at the 256 paths that are the fewest used, at most three claims a test, so below 1e-6 for each test.
//! Everywhere a closed form with a planted error fails by the same criterion.

use singlim::descent::{DescentPlan, StepSizes, run_descent};
use singlim::models::{AnyModel, Circle, Product, Sphere, TwoProducts, WideningValley};

use singlim::noise::{Mechanism, Source};
use singlim::random::Law;

const SIGMAS: f64 = 5.3;

/// Which slow time: kασ² or kα²σ².
#[derive(Clone, Copy)]
enum Clock {
    Fast,
    Slow,
}

/// How one claim is simulated at its larger step size.
#[derive(Clone, Copy)]
struct Design {
    clock: Clock,
    time: f64,
    step_size: f64,
    sigma: f64,
    /// σ at α/2 over σ at α: 1 where σ is fixed, √½ for σ² ∝ α, ½ for σ ∝ α.
    sigma_ratio: f64,
    paths: usize,
}

#[derive(Clone, Copy, Debug)]
struct Estimate {
    mean: f64,
    se: f64,
}

impl Estimate {
    fn of(values: impl Iterator<Item = f64> + Clone) -> Self {
        let n = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / n;
        let variance = values.map(|x| (x - mean).powi(2)).sum::<f64>() / (n - 1.0);
        let se = (variance / n).sqrt();
        assert!(se.is_finite(), "a path diverged");
        Self { mean, se }
    }

    /// 2·fine − coarse: the value at α → 0 up to order α².
    fn extrapolated(coarse: Self, fine: Self) -> Self {
        Self {
            mean: 2.0 * fine.mean - coarse.mean,
            se: (4.0 * fine.se.powi(2) + coarse.se.powi(2)).sqrt(),
        }
    }

    /// The criterion of this file: within 5.3 standard errors and `share` of the displacement `expected` − `start`.
    fn agrees(self, expected: f64, start: f64, share: f64) -> bool {
        assert!(share <= 0.02);
        (self.mean - expected).abs() < SIGMAS * self.se + share * (expected - start).abs()
    }
}

/// Mean of each of `observe`'s values over an ensemble after `steps` iterations.
fn means<const K: usize>(
    model: &AnyModel,
    (mechanism, law): (Mechanism, Law),
    start: &[f64],
    (step_size, sigma, steps): (f64, f64, u64),
    (paths, level): (usize, u32),
    observe: impl Fn(&[f64]) -> [f64; K] + Sync,
) -> [Estimate; K] {
    let source = Source::new(mechanism, law);
    let plan = DescentPlan {
        shared_streams: false,
        start,
        step_sizes: StepSizes::Constant(step_size),
        sigma,
        paths,
        first_path: 0,
        record_at: &[steps],
        values_per_record: K,
        seed: 2024,
        level,
    };
    let run = run_descent(
        model,
        &[source],
        &plan,
        &|_, w, out| out.copy_from_slice(&observe(w)),
        &|_| true,
    );
    assert!(run.diverged.is_empty(), "{:?}", run.diverged);
    std::array::from_fn(|i| Estimate::of(run.values.iter().skip(i).step_by(K).copied()))
}

/// Mean of each of `observe`'s values at the design's slow time, extrapolated to α → 0.
fn limit_of<const K: usize>(
    model: &AnyModel,
    noise: (Mechanism, Law),
    start: &[f64],
    design: Design,
    observe: impl Fn(&[f64]) -> [f64; K] + Sync,
) -> [Estimate; K] {
    let rung = |level: u32| {
        let step_size = design.step_size / f64::from(1 << level);
        let sigma = design.sigma * design.sigma_ratio.powi(level as i32);
        let unit = match design.clock {
            Clock::Fast => step_size * sigma * sigma,
            Clock::Slow => (step_size * sigma).powi(2),
        };
        let steps = (design.time / unit).round();
        assert!((steps * unit / design.time - 1.0).abs() < 1e-9, "{steps}");
        let point = (step_size, sigma, steps as u64);
        means(model, noise, start, point, (design.paths, level), &observe)
    };
    let (coarse, fine) = (rung(0), rung(1));
    std::array::from_fn(|i| Estimate::extrapolated(coarse[i], fine[i]))
}

fn imbalance(w: &[f64]) -> f64 {
    w[0] * w[0] - w[1] * w[1]
}

/// S² − 4.
fn excess(w: &[f64]) -> f64 {
    (w[0] * w[0] + w[1] * w[1]).powi(2) - 4.0
}

/// ln tan ψ, ψ = 2·angle(u).
fn log_tan_psi(w: &[f64]) -> f64 {
    (2.0 * w[0] * w[1] / (w[0] * w[0] - w[1] * w[1])).ln()
}

/// ln(r/(1 − r)), r = 4p(1 − p), p = a₁b₁/(a₁b₁ + a₂b₂).
fn log_odds_of_mixing(w: &[f64]) -> f64 {
    let p = w[0] * w[1] / (w[0] * w[1] + w[2] * w[3]);
    let r = 4.0 * p * (1.0 - p);
    (r / (1.0 - r)).ln()
}

/// On uv = 1: D₀ = 1.6² − 0.625².
const PRODUCT: AnyModel = AnyModel::Product(Product);
const PRODUCT_START: [f64; 2] = [1.6, 0.625];
const PRODUCT_D0: f64 = 1.6 * 1.6 - 0.625 * 0.625;

/// D and S² − 4 contract at `rate` and 2·`rate`, and not at 1.2 times that.
fn assert_hyperbola_row(mechanism: Mechanism, rate: f64, design: Design, share: f64) {
    let noise = (mechanism, Law::Gaussian);
    let found = limit_of(&PRODUCT, noise, &PRODUCT_START, design, |w| {
        [imbalance(w), excess(w)]
    });
    let t = design.time;
    for (estimate, start, power) in [
        (found[0], PRODUCT_D0, 1.0),
        (found[1], PRODUCT_D0.powi(2), 2.0),
    ] {
        let exact = |rate: f64| start * (-power * rate * t).exp();
        assert!(
            estimate.agrees(exact(rate), start, share),
            "{mechanism}: {estimate:?} against {}",
            exact(rate)
        );
        assert!(!estimate.agrees(exact(1.2 * rate), start, share));
        assert!(!estimate.agrees(start, start, share));
    }
}

#[test]
fn row_1_anti_pgd_on_the_product_contracts_the_imbalance_at_rate_2_on_the_fast_clock() {
    let design = Design {
        clock: Clock::Fast,
        time: 0.25,
        step_size: 0.02,
        sigma: 0.1,
        sigma_ratio: 0.5f64.sqrt(),
        paths: 1024,
    };
    assert_hyperbola_row(Mechanism::AntiPgd, 2.0, design, 0.01);
}

/// Label noise on the product: σ is fixed, and the mean error is c₁α + c₂ασ².
const LABEL: Design = Design {
    clock: Clock::Slow,
    time: 0.5,
    step_size: 0.05,
    sigma: 0.4,
    sigma_ratio: 1.0,
    paths: 2048,
};

#[test]
fn row_2_label_noise_on_the_product_contracts_the_imbalance_at_rate_1_on_the_slow_clock() {
    assert_hyperbola_row(Mechanism::Label, 1.0, LABEL, 0.01);
}

#[test]
fn row_2_on_the_wrong_clock_moves_only_by_an_order_alpha_share() {
    // After slow time T of the fast clock, k = T/(ασ²), the slow clock shows αT only.
    let (time, sigma) = (0.5, 0.4);
    let share = |step_size: f64, level| {
        let steps = (time / (step_size * sigma * sigma)).round() as u64;
        let point = (step_size, sigma, steps);
        let noise = (Mechanism::Label, Law::Gaussian);
        let [d] = means(&PRODUCT, noise, &PRODUCT_START, point, (4096, level), |w| {
            [imbalance(w)]
        });
        let moved = 1.0 - d.mean / PRODUCT_D0;
        (moved, d.se / PRODUCT_D0)
    };
    let expected = |alpha: f64| 1.0 - (-alpha * time).exp();
    let (coarse, fine) = (share(0.05, 0), share(0.025, 1));
    for ((moved, se), alpha) in [(coarse, 0.05), (fine, 0.025)] {
        // The finite step size divides the rate by 1 − αS/2 ≥ 0.92 (α = 0.05, S₀ = 2.95); transients are of order α².
        let bound = SIGMAS * se + 0.15 * expected(alpha);
        assert!((moved - expected(alpha)).abs() < bound, "{moved} {alpha}");
        // Rejected: the closed form of row 2 read on the fast clock.
        assert!((moved - (1.0 - (-time).exp())).abs() > bound);
    }
    // It vanishes with α: half the step size, half the share (order 1 at least: the ratio lies in [1.7, 2.4]).
    let ratio = coarse.0 / fine.0;
    let se = ratio * ((coarse.1 / coarse.0).powi(2) + (fine.1 / fine.0).powi(2)).sqrt();
    assert!(SIGMAS * se < 0.25, "{se}");
    assert!((ratio - 2.0).abs() < 0.15 + SIGMAS * se, "{ratio}");
}

#[test]
fn row_4_minibatch_noise_on_the_product_moves_nothing_after_the_fast_phase() {
    let noise = |mechanism| (mechanism, Law::Gaussian);
    let last = |mechanism, start: &[f64], steps| {
        let point = (0.1, 0.5, steps);
        let source = Source::new(mechanism, noise(mechanism).1);
        let plan = DescentPlan {
            shared_streams: false,
            start,
            step_sizes: StepSizes::Constant(point.0),
            sigma: point.1,
            paths: 64,
            first_path: 0,
            record_at: &[point.2],
            values_per_record: 2,
            seed: 2024,
            level: 0,
        };
        let copy = |_: usize, w: &[f64], out: &mut [f64]| out.copy_from_slice(w);
        run_descent(&PRODUCT, &[source], &plan, &copy, &|_| true).values
    };
    // On Γ: not by one bit. Slow times at the end: kασ² = 2500 and kα²σ² = 250.
    let on: Vec<_> = [2.0, 0.5].repeat(64);
    assert_eq!(last(Mechanism::Minibatch, &[2.0, 0.5], 100_000), on);
    // Off Γ: the fast phase (1000 steps) ends on Γ, and there each path stays.
    let early = last(Mechanism::Minibatch, &[1.8, 0.9], 1_000);
    let late = last(Mechanism::Minibatch, &[1.8, 0.9], 100_000);
    for (before, after) in early.chunks(2).zip(late.chunks(2)) {
        assert!((after[0] * after[1] - 1.0).abs() < 1e-12);
        assert!((after[0] - before[0]).abs() + (after[1] - before[1]).abs() < 1e-12);
    }
    // Planted: label noise of the same size does move, within 1000 steps.
    let moved = last(Mechanism::Label, &[2.0, 0.5], 1_000);
    let d: f64 = moved.chunks(2).map(imbalance).sum::<f64>() / 64.0;
    assert!(d < 0.5 * 3.75, "{d}");
}

/// Not quadratic in η: σ ∝ α, so that σ²/α is of order α as well. σ = α keeps c₄σ²/α small.
const QUARTIC: Design = Design {
    clock: Clock::Slow,
    time: 0.25,
    step_size: 0.05,
    sigma: 0.05,
    sigma_ratio: 0.5,
    paths: 256,
};

#[test]
fn row_5_dropconnect_of_one_unit_contracts_the_imbalance_at_rate_2_on_the_slow_clock() {
    assert_hyperbola_row(Mechanism::Dropconnect, 2.0, QUARTIC, 0.015);
}

#[test]
fn row_5_dropout_of_one_unit_contracts_the_imbalance_at_rate_1_on_the_slow_clock() {
    assert_hyperbola_row(Mechanism::Dropout, 1.0, QUARTIC, 0.015);
}

fn assert_two_products_row(mechanism: Mechanism, rate: f64, time: f64) {
    // Balanced and on Γ: p = 0.1, r = 0.36.
    let (first, second) = (0.1f64.sqrt(), 0.9f64.sqrt());
    let w0 = [first, first, second, second];
    let design = Design {
        clock: Clock::Fast,
        time,
        step_size: 0.02,
        sigma: 0.1,
        sigma_ratio: 0.5f64.sqrt(),
        paths: 1024,
    };
    let noise = (mechanism, Law::Gaussian);
    let [found] = limit_of(
        &AnyModel::TwoProducts(TwoProducts),
        noise,
        &w0,
        design,
        |w| [log_odds_of_mixing(w)],
    );
    let start = (0.36f64 / 0.64).ln();
    // ṙ = rate·r(1 − r): the log-odds of r grow at the constant rate.
    let exact = |rate: f64| start + rate * time;
    assert!(found.agrees(exact(rate), start, 0.01), "{found:?}");
    assert!(!found.agrees(exact(1.2 * rate), start, 0.01));
    // Planted: the rate of the other masks (parameters 4, units 2).
    assert!(!found.agrees(exact(6.0 - rate), start, 0.01));
}

#[test]
fn row_6_dropconnect_on_two_balanced_products_mixes_at_rate_4_on_the_fast_clock() {
    assert_two_products_row(Mechanism::Dropconnect, 4.0, 0.25);
}

#[test]
fn row_7_dropout_on_two_balanced_products_mixes_at_rate_2_on_the_fast_clock() {
    assert_two_products_row(Mechanism::Dropout, 2.0, 0.5);
}

/// On the unit circle: ψ = 0.4.
fn circle_start() -> [f64; 2] {
    [0.2f64.cos(), 0.2f64.sin()]
}

#[test]
fn row_8_gaussian_dropconnect_on_the_circle_multiplies_tan_psi_by_e_to_the_8t() {
    let design = Design {
        clock: Clock::Fast,
        time: 0.1,
        step_size: 0.01,
        sigma: 0.05,
        sigma_ratio: 0.5f64.sqrt(),
        paths: 1024,
    };
    let noise = (Mechanism::Dropconnect, Law::Gaussian);
    let w0 = circle_start();
    let [found] = limit_of(&AnyModel::Circle(Circle), noise, &w0, design, |w| {
        [log_tan_psi(w)]
    });
    let start = log_tan_psi(&w0);
    let exact = |rate: f64| start + rate * design.time;
    assert!(
        found.agrees(exact(8.0), start, 0.01),
        "{found:?} {}",
        exact(8.0)
    );
    assert!(!found.agrees(exact(9.6), start, 0.01));
    // Planted: the non-local rate of Bernoulli masks.
    assert!(!found.agrees(exact(2.0), start, 0.01));
}

#[test]
fn row_9_bernoulli_dropconnect_on_the_circle_has_the_non_local_rate_2_and_not_the_local_8() {
    let design = Design {
        clock: Clock::Fast,
        time: 0.4,
        step_size: 0.02,
        sigma: 0.1,
        sigma_ratio: 0.5f64.sqrt(),
        paths: 4096,
    };
    let noise = (Mechanism::Dropconnect, Law::Bernoulli);
    let w0 = circle_start();
    let [found] = limit_of(&AnyModel::Circle(Circle), noise, &w0, design, |w| {
        [log_tan_psi(w)]
    });
    let start = log_tan_psi(&w0);
    let exact = |rate: f64| start + rate * design.time;
    assert!(
        found.agrees(exact(2.0), start, 0.015),
        "{found:?} {}",
        exact(2.0)
    );
    assert!(!found.agrees(exact(2.4), start, 0.015));
    assert!(!found.agrees(exact(8.0), start, 0.015));
}

#[test]
fn row_10_sgld_on_the_sphere_is_brownian_motion_on_the_slow_clock() {
    for n in [2, 4] {
        let rate = (n - 1) as f64 / 2.0;
        let design = Design {
            clock: Clock::Slow,
            time: 0.6 / rate,
            step_size: 0.05,
            sigma: 0.8,
            sigma_ratio: 1.0,
            paths: 24_576,
        };
        let mut w0 = vec![0.0; n];
        (w0[0], w0[n - 1]) = (0.6, 0.8);
        let noise = (Mechanism::Sgld, Law::Gaussian);
        let [found] = limit_of(&AnyModel::Sphere(Sphere::new(n)), noise, &w0, design, |w| {
            [w.iter().zip(&w0).map(|(x, y)| x * y).sum()]
        });
        let exact = |rate: f64| (-rate * design.time).exp();
        assert!(
            found.agrees(exact(rate), 1.0, 0.01),
            "n = {n}: {found:?} {}",
            exact(rate)
        );
        assert!(
            !found.agrees(exact(1.2 * rate), 1.0, 0.01),
            "n = {n}: {found:?}"
        );
    }
}

#[test]
fn row_12_anti_pgd_in_the_widening_valley_shrinks_u_at_rate_1_on_the_fast_clock() {
    let design = Design {
        clock: Clock::Fast,
        time: 0.5,
        step_size: 0.04,
        sigma: 0.1,
        sigma_ratio: 0.5f64.sqrt(),
        paths: 1024,
    };
    let w0 = [1.0, -0.5, 0.7, 0.0];
    let noise = (Mechanism::AntiPgd, Law::Gaussian);
    let found = limit_of(
        &AnyModel::WideningValley(WideningValley::new(3)),
        noise,
        &w0,
        design,
        |w| [w[0], w[1], w[2]],
    );
    for (estimate, u0) in found.into_iter().zip(w0) {
        let exact = |rate: f64| u0 * (-rate * design.time).exp();
        assert!(
            estimate.agrees(exact(1.0), u0, 0.01),
            "{estimate:?} {}",
            exact(1.0)
        );
        assert!(!estimate.agrees(exact(1.2), u0, 0.01));
    }
}

#[test]
fn row_13_sgld_in_the_widening_valley_grows_the_squared_radius_by_d_minus_1_on_the_slow_clock() {
    let d = 5;
    let design = Design {
        clock: Clock::Slow,
        time: 0.5,
        step_size: 0.05,
        sigma: 0.5,
        sigma_ratio: 1.0,
        paths: 16_384,
    };
    let w0 = [1.0, 0.5, -0.5, 0.4, 0.2, 0.0];
    let squared = |w: &[f64]| w[..d].iter().map(|x| x * x).sum::<f64>();
    let start = squared(&w0);
    let noise = (Mechanism::Sgld, Law::Gaussian);
    let model = AnyModel::WideningValley(WideningValley::new(d));
    let [found] = limit_of(&model, noise, &w0, design, |w| [squared(w)]);
    let exact = |dimension: f64| start + dimension * design.time;
    assert!(
        found.agrees(exact(4.0), start, 0.01),
        "{found:?} {}",
        exact(4.0)
    );
    assert!(!found.agrees(exact(4.8), start, 0.01), "{found:?}");
    // Planted: free Brownian motion, without the drift towards the flat part.
    assert!(!found.agrees(exact(5.0), start, 0.01));
}

/// Var D_t for dD = 2·√`speed`·(D² + 4)^{1/4} dB: the second moment of the Fokker–Planck equation ∂_t p = ∂²_D(a p),
/// a = 2√(D² + 4)·`speed`, by explicit finite volumes; the grid conserves mass and mean.
fn variance_of_row_3(d0: f64, time: f64, speed: f64) -> f64 {
    let (half, spacing) = (800, 0.05);
    let at = |i: usize| d0 + (i as f64 - f64::from(half)) * spacing;
    let n = 2 * half as usize + 1;
    let rate: Vec<_> = (0..n)
        .map(|i| 2.0 * speed * (at(i).powi(2) + 4.0).sqrt() / (spacing * spacing))
        .collect();
    // Stable below dt·2a/h² = 1 at |D| ≤ 45.
    let steps = (time * 2.1 * rate[n - 1].max(rate[0])).ceil();
    let dt = time / steps;
    let mut p = vec![0.0; n];
    p[half as usize] = 1.0;
    let mut next = p.clone();
    for _ in 0..steps as u64 {
        for i in 1..n - 1 {
            let gained = rate[i - 1] * p[i - 1] + rate[i + 1] * p[i + 1];
            next[i] = p[i] + dt * (gained - 2.0 * rate[i] * p[i]);
        }
        std::mem::swap(&mut p, &mut next);
    }
    p.iter()
        .enumerate()
        .map(|(i, p)| p * (at(i) - d0).powi(2))
        .sum()
}

#[test]
fn row_3_sgld_on_the_product_diffuses_the_imbalance_as_a_martingale_on_the_slow_clock() {
    let design = Design {
        clock: Clock::Slow,
        time: 0.25,
        step_size: 0.05,
        sigma: 0.4,
        sigma_ratio: 1.0,
        paths: 65_536,
    };
    let noise = (Mechanism::Sgld, Law::Gaussian);
    let d0 = PRODUCT_D0;
    let found = limit_of(&PRODUCT, noise, &PRODUCT_START, design, |w| {
        [imbalance(w), (imbalance(w) - d0).powi(2)]
    });
    assert!(found[0].agrees(d0, d0, 0.0), "{:?} {d0}", found[0]);
    let exact = |speed| variance_of_row_3(d0, design.time, speed);
    let spread = found[1];
    assert!(
        spread.agrees(exact(1.0), 0.0, 0.01),
        "{spread:?} {}",
        exact(1.0)
    );
    assert!(
        !spread.agrees(exact(1.2), 0.0, 0.01),
        "{spread:?} {}",
        exact(1.2)
    );
}
