//! Logarithm, roots, powers and the circular and hyperbolic functions: accuracy on plain numbers, derivatives on dual ones.

use super::{Dual64, HyperDual64, Scalar};

/// Distance in units in the last place of two numbers of one sign.
fn distance(a: f64, b: f64) -> u64 {
    a.to_bits().abs_diff(b.to_bits())
}

/// Points of both sizes and signs.
fn points() -> impl Iterator<Item = f64> {
    (1..4000).flat_map(|i| {
        let t = f64::from(i) / 4000.0;
        [
            20.0 * t,
            -20.0 * t,
            libm::exp(-60.0 * t),
            libm::exp(60.0 * t),
        ]
    })
}

/// The system's functions are another implementation: both within an ulp or so of the truth.
#[test]
fn values_are_those_of_another_implementation_within_two_ulp() {
    let check = |name: &str, ours: fn(f64) -> f64, system: fn(f64) -> f64, from: f64, to: f64| {
        for x in points().filter(|x| (from..=to).contains(x)) {
            let (a, b) = (ours(x), system(x));
            assert!(distance(a, b) <= 2, "{name} {x:e}: {a:e} against {b:e}");
        }
    };
    check("ln", Scalar::ln, f64::ln, 0.0, f64::MAX);
    check("sqrt", Scalar::sqrt, f64::sqrt, 0.0, f64::MAX);
    check("tan", Scalar::tan, f64::tan, -20.0, 20.0);
    check("sinh", Scalar::sinh, f64::sinh, -20.0, 20.0);
    check("cosh", Scalar::cosh, f64::cosh, -20.0, 20.0);
    check("atan", Scalar::atan, f64::atan, -1e30, 1e30);
    check("abs", Scalar::abs, f64::abs, -1e30, 1e30);
    check(
        "x^1.5",
        |x| Scalar::powf(x, 1.5),
        |x| x.powf(1.5),
        0.0,
        1e30,
    );
    check(
        "x^-0.3",
        |x| Scalar::powf(x, -0.3),
        |x| x.powf(-0.3),
        0.0,
        1e30,
    );
}

#[test]
fn derivatives_are_those_of_finite_differences() {
    fn check(
        f: fn(f64) -> f64,
        dual: fn(Dual64) -> Dual64,
        hyper: fn(HyperDual64) -> HyperDual64,
        from: f64,
    ) {
        for i in 0..40 {
            let (x, h) = (from + 0.045 * f64::from(i) + 0.013, 1e-3);
            let (a, b) = (f(x + h) - f(x - h), f(x + 2.0 * h) - f(x - 2.0 * h));
            let first = (8.0 * a - b) / (12.0 * h);
            let (a, b) = (f(x + h) + f(x - h), f(x + 2.0 * h) + f(x - 2.0 * h));
            let second = (16.0 * a - b - 30.0 * f(x)) / (12.0 * h * h);
            let one = dual(Dual64::new(x, 1.0));
            let two = hyper(HyperDual64::new(x, 1.0, 1.0, 0.0));
            assert_eq!((one.re, two.re), (f(x), f(x)));
            assert!(
                (one.eps - first).abs() < 1e-7 * (1.0 + first.abs()),
                "{x}: {} {first}",
                one.eps
            );
            assert_eq!((two.eps1, two.eps2), (one.eps, one.eps));
            assert!(
                (two.eps1eps2 - second).abs() < 1e-4 * (1.0 + second.abs()),
                "{x}: {two} {second}"
            );
        }
    }
    check(Scalar::ln, Scalar::ln, Scalar::ln, 0.2);
    check(Scalar::sqrt, Scalar::sqrt, Scalar::sqrt, 0.2);
    check(Scalar::tan, Scalar::tan, Scalar::tan, -0.8);
    check(Scalar::sinh, Scalar::sinh, Scalar::sinh, -0.9);
    check(Scalar::cosh, Scalar::cosh, Scalar::cosh, -0.9);
    check(Scalar::atan, Scalar::atan, Scalar::atan, -0.9);
    check(Scalar::abs, Scalar::abs, Scalar::abs, 0.1);
    check(
        |x| Scalar::powf(x, 2.5),
        |x| Scalar::powf(x, 2.5),
        |x| Scalar::powf(x, 2.5),
        0.2,
    );
}
