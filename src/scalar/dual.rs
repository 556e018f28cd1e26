//! Dual and hyper-dual numbers (crate `num-dual`) as scalars of a loss.

use std::f64::consts::FRAC_2_SQRT_PI;

use num_dual::{Dual64, DualNum, HyperDual64};

use super::{Scalar, functions};

/// f of a number with derivatives, given f, f′ and f″ at its real part.
trait Chain: Sized {
    fn chain(self, value: f64, first: f64, second: f64) -> Self;
}

impl Chain for Dual64 {
    #[inline(always)]
    fn chain(self, value: f64, first: f64, _: f64) -> Self {
        Self::new(value, first * self.eps)
    }
}

impl Chain for HyperDual64 {
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
            #[inline(always)]
            fn constant(x: f64) -> Self {
                Self::from(x)
            }

            #[inline(always)]
            fn exp(self) -> Self {
                let value = functions::exp(self.re);
                self.chain(value, value, value)
            }

            #[inline(always)]
            fn tanh(self) -> Self {
                let value = functions::tanh(self.re);
                // 1 − tanh² = 4σ(2x)σ(−2x), which does not cancel in the tails.
                let x = 2.0 * self.re;
                let first = 4.0 * functions::sigmoid(x) * functions::sigmoid(-x);
                self.chain(value, first, -2.0 * value * first)
            }

            #[inline(always)]
            fn erf(self) -> Self {
                let first = FRAC_2_SQRT_PI * functions::exp(-self.re * self.re);
                self.chain(functions::erf(self.re), first, -2.0 * self.re * first)
            }

            #[inline(always)]
            fn softplus(self) -> Self {
                let (up, down) = (functions::sigmoid(self.re), functions::sigmoid(-self.re));
                self.chain(functions::softplus(self.re), up, up * down)
            }

            #[inline(always)]
            fn sigmoid(self) -> Self {
                let (up, down) = (functions::sigmoid(self.re), functions::sigmoid(-self.re));
                self.chain(up, up * down, up * down * (down - up))
            }

            #[inline(always)]
            fn step(self) -> Self {
                Self::from(functions::step(self.re))
            }

            #[inline(always)]
            fn sin(self) -> Self {
                DualNum::sin(&self)
            }

            #[inline(always)]
            fn cos(self) -> Self {
                DualNum::cos(&self)
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
}
