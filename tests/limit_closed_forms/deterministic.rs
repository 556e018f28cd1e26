//! The rows whose limit is a curve, and the correction for a finite step size.

use super::*;

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
