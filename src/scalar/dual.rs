//! Dual and hyper-dual numbers (crate `num-dual`) as scalars of a loss.

use num_dual::{Dual64, HyperDual64};

use super::{Chain, Scalar, elementary_functions, functions};

impl Chain<f64> for Dual64 {
    #[inline(always)]
    fn chain(self, value: f64, first: f64, _: f64) -> Self {
        Self::new(value, first * self.eps)
    }
}

impl Chain<f64> for HyperDual64 {
    #[inline(always)]
    fn chain(self, value: f64, first: f64, second: f64) -> Self {
        Self::new(
            value,
            first * self.eps1,
            first * self.eps2,
            first * self.eps1eps2 + second * self.eps1 * self.eps2,
        )
    }
}

macro_rules! derivative_scalar {
    ($type:ty: $($part:ident),+) => {
        impl Scalar for $type {
            elementary_functions!(f64);

            #[inline(always)]
            fn constant(x: f64) -> Self {
                Self::from(x)
            }

            #[inline(always)]
            fn step(self) -> Self {
                Self::from(functions::step(self.re))
            }

            #[inline(always)]
            fn is_zero(&self) -> bool {
                $(self.$part == 0.0)&&+
            }
        }
    };
}

derivative_scalar!(Dual64: re, eps);
derivative_scalar!(HyperDual64: re, eps1, eps2, eps1eps2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dual_and_hyper_dual_parts_are_the_first_and_second_derivative() {
        fn f<S: Scalar>(x: S) -> S {
            (x * x).exp() * x.sin() / x.cos()
        }
        let x = 0.7;
        let h = 1e-4;
        let first = (f(x + h) - f(x - h)) / (2.0 * h);
        let second = (f(x + h) - 2.0 * f(x) + f(x - h)) / (h * h);
        let dual = f(Dual64::new(x, 1.0));
        let hyper = f(HyperDual64::new(x, 1.0, 1.0, 0.0));
        assert!((dual.re - f(x)).abs() < 1e-15);
        assert!((dual.eps - first).abs() < 1e-6 * first.abs());
        assert!((hyper.eps1eps2 - second).abs() < 1e-5 * second.abs());
    }

    #[test]
    fn derivatives_of_the_activations_are_those_of_finite_differences() {
        fn check(
            f: fn(f64) -> f64,
            dual: fn(Dual64) -> Dual64,
            hyper: fn(HyperDual64) -> HyperDual64,
        ) {
            for i in -50..=50 {
                let x = 0.1 * f64::from(i) + 0.03;
                let h = 1e-3;
                let (a, b) = (f(x + h) - f(x - h), f(x + 2.0 * h) - f(x - 2.0 * h));
                let first = (8.0 * a - b) / (12.0 * h);
                let (a, b) = (f(x + h) + f(x - h), f(x + 2.0 * h) + f(x - 2.0 * h));
                let second = (16.0 * a - b - 30.0 * f(x)) / (12.0 * h * h);
                let one = dual(Dual64::new(x, 1.0));
                let two = hyper(HyperDual64::new(x, 1.0, 1.0, 0.0));
                assert_eq!((one.re, two.re), (f(x), f(x)));
                assert!((one.eps - first).abs() < 1e-9, "{x}: {} {first}", one.eps);
                assert_eq!((two.eps1, two.eps2), (one.eps, one.eps));
                assert!((two.eps1eps2 - second).abs() < 1e-7, "{x}: {two} {second}");
            }
        }
        check(Scalar::tanh, Scalar::tanh, Scalar::tanh);
        check(Scalar::erf, Scalar::erf, Scalar::erf);
        check(Scalar::softplus, Scalar::softplus, Scalar::softplus);
        check(Scalar::sigmoid, Scalar::sigmoid, Scalar::sigmoid);
    }

    #[test]
    fn the_second_derivative_follows_both_directions_and_the_mixed_part() {
        // ∂²f(x(s, t))/∂s∂t with x = 0.4 + 2s + 3t + 5st.
        let two = Scalar::sigmoid(HyperDual64::new(0.4, 2.0, 3.0, 5.0));
        let (s, c) = (functions::sigmoid(0.4), functions::sigmoid(-0.4));
        let expected = 5.0 * s * c + 6.0 * s * c * (c - s);
        assert!((two.eps1eps2 - expected).abs() < 1e-15);
    }

    #[test]
    fn slopes_keep_their_relative_accuracy_in_the_tails() {
        for x in [-30.0, -19.0, 19.0, 30.0f64] {
            // tanh′ → 4e^{−2|x|}, softplus″ = σ′ → e^{−|x|}.
            let tanh = Scalar::tanh(Dual64::new(x, 1.0)).eps;
            assert!((tanh / (4.0 * libm::exp(-2.0 * x.abs())) - 1.0).abs() < 1e-14);
            let sigmoid = Scalar::sigmoid(Dual64::new(x, 1.0)).eps;
            assert!((sigmoid / libm::exp(-x.abs()) - 1.0).abs() < 1e-7);
        }
        assert_eq!(Scalar::step(Dual64::new(2.0, 1.0)), Dual64::new(1.0, 0.0));
    }
}
