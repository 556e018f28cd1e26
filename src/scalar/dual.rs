//! Dual and hyper-dual numbers (crate `num-dual`) as scalars of a loss.

use num_dual::{Dual64, DualNum, HyperDual64};

use super::Scalar;

macro_rules! derivative_scalar {
    ($type:ty: $($part:ident),+) => {
        impl Scalar for $type {
            #[inline(always)]
            fn constant(x: f64) -> Self {
                Self::from(x)
            }

            #[inline(always)]
            fn exp(self) -> Self {
                DualNum::exp(&self)
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
