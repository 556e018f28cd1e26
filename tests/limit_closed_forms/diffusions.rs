//! The rows whose limit is a diffusion: their laws against reference laws.

use super::weak_order::exact_step_cosine;
use super::*;

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
