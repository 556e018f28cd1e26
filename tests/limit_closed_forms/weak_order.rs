//! The weak order of projected Euler–Maruyama, and a projection that does not have it.

use super::*;

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
pub(super) fn exact_step_cosine(n: usize, h: f64) -> f64 {
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
