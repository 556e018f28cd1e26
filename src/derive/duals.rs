//! Dual and hyper-dual numbers over any scalar: exact derivatives of eight paths at once.

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::scalar::{Chain, Scalar, elementary_functions};

/// x + Σᵢ aᵢ εᵢ with εᵢ εⱼ = 0: a number with its derivatives in N directions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Duals<S, const N: usize> {
    pub re: S,
    pub eps: [S; N],
}

/// x + a ε₁ + b ε₂ + c ε₁ε₂ with ε₁² = ε₂² = 0: a number with its second derivative in two directions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HyperDual<S> {
    pub re: S,
    pub eps1: S,
    pub eps2: S,
    pub eps1eps2: S,
}

impl<S: Scalar, const N: usize> Chain<S> for Duals<S, N> {
    #[inline(always)]
    fn chain(self, value: S, first: S, _: S) -> Self {
        Self {
            re: value,
            eps: self.eps.map(|x| first * x),
        }
    }
}

impl<S: Scalar> Chain<S> for HyperDual<S> {
    #[inline(always)]
    fn chain(self, value: S, first: S, second: S) -> Self {
        Self {
            re: value,
            eps1: first * self.eps1,
            eps2: first * self.eps2,
            eps1eps2: first.mul_add(self.eps1eps2, second * self.eps1 * self.eps2),
        }
    }
}

impl<S: Scalar, const N: usize> Add for Duals<S, N> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self {
            re: self.re + other.re,
            eps: std::array::from_fn(|i| self.eps[i] + other.eps[i]),
        }
    }
}

impl<S: Scalar, const N: usize> Sub for Duals<S, N> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self {
            re: self.re - other.re,
            eps: std::array::from_fn(|i| self.eps[i] - other.eps[i]),
        }
    }
}

impl<S: Scalar, const N: usize> Mul for Duals<S, N> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        Self {
            re: self.re * other.re,
            eps: std::array::from_fn(|i| self.re.mul_add(other.eps[i], self.eps[i] * other.re)),
        }
    }
}

impl<S: Scalar, const N: usize> Div for Duals<S, N> {
    type Output = Self;

    #[inline(always)]
    #[expect(clippy::suspicious_arithmetic_impl, reason = "the quotient rule")]
    fn div(self, other: Self) -> Self {
        let re = self.re / other.re;
        Self {
            re,
            eps: std::array::from_fn(|i| (self.eps[i] - re * other.eps[i]) / other.re),
        }
    }
}

impl<S: Scalar, const N: usize> Neg for Duals<S, N> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self {
            re: -self.re,
            eps: self.eps.map(|x| -x),
        }
    }
}

impl<S: Scalar> Add for HyperDual<S> {
    type Output = Self;

    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self {
            re: self.re + other.re,
            eps1: self.eps1 + other.eps1,
            eps2: self.eps2 + other.eps2,
            eps1eps2: self.eps1eps2 + other.eps1eps2,
        }
    }
}

impl<S: Scalar> Sub for HyperDual<S> {
    type Output = Self;

    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl<S: Scalar> Mul for HyperDual<S> {
    type Output = Self;

    #[inline(always)]
    fn mul(self, other: Self) -> Self {
        let outer = self.re.mul_add(other.eps1eps2, self.eps1eps2 * other.re);
        Self {
            re: self.re * other.re,
            eps1: self.re.mul_add(other.eps1, self.eps1 * other.re),
            eps2: self.re.mul_add(other.eps2, self.eps2 * other.re),
            eps1eps2: self
                .eps1
                .mul_add(other.eps2, self.eps2.mul_add(other.eps1, outer)),
        }
    }
}

impl<S: Scalar> Div for HyperDual<S> {
    type Output = Self;

    #[inline(always)]
    fn div(self, other: Self) -> Self {
        let value = S::one() / other.re;
        let first = -(value * value);
        let second = S::constant(-2.0) * value * first;
        self * other.chain(value, first, second)
    }
}

impl<S: Scalar> Neg for HyperDual<S> {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self {
            re: -self.re,
            eps1: -self.eps1,
            eps2: -self.eps2,
            eps1eps2: -self.eps1eps2,
        }
    }
}

impl<S: Scalar, const N: usize> Scalar for Duals<S, N> {
    elementary_functions!(S);

    #[inline(always)]
    fn constant(x: f64) -> Self {
        Self::of(S::constant(x))
    }

    #[inline(always)]
    fn step(self) -> Self {
        Self::of(self.re.step())
    }

    #[inline(always)]
    fn is_zero(&self) -> bool {
        self.re.is_zero() && self.eps.iter().all(S::is_zero)
    }
}

impl<S: Scalar> Scalar for HyperDual<S> {
    elementary_functions!(S);

    #[inline(always)]
    fn constant(x: f64) -> Self {
        Self::of(S::constant(x))
    }

    #[inline(always)]
    fn step(self) -> Self {
        Self::of(self.re.step())
    }

    #[inline(always)]
    fn is_zero(&self) -> bool {
        self.re.is_zero() && self.eps1.is_zero() && self.eps2.is_zero() && self.eps1eps2.is_zero()
    }
}

impl<S: Scalar, const N: usize> Duals<S, N> {
    /// A constant.
    #[inline(always)]
    pub(crate) fn of(re: S) -> Self {
        Self {
            re,
            eps: [S::zero(); N],
        }
    }
}

impl<S: Scalar> HyperDual<S> {
    /// A constant.
    #[inline(always)]
    pub(crate) fn of(re: S) -> Self {
        Self::along(re, S::zero(), S::zero())
    }

    /// re + a ε₁ + b ε₂.
    #[inline(always)]
    pub(crate) fn along(re: S, eps1: S, eps2: S) -> Self {
        Self {
            re,
            eps1,
            eps2,
            eps1eps2: S::zero(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scalar::{Dual64, HyperDual64};
    use proptest::prelude::*;

    /// All operations and functions in one.
    fn formula<S: Scalar>(x: S, y: S) -> S {
        let smooth = x.tanh() * y.erf() + (x - y).softplus() / (y.sigmoid() + S::one());
        let positive = S::one() + x.square();
        let further =
            positive.ln() * positive.sqrt() + positive.powf(1.7) * (x * S::constant(0.5)).tan();
        let smooth = smooth + further + x.sinh() * y.cosh() + (x * y).atan() + x.abs();
        smooth - (x * y).sin() * x.cos().mul_add(y, -(x / (y.square() + S::one())).exp()) + x.step()
    }

    proptest! {
        #[test]
        fn derivatives_are_those_of_num_dual(
            x in prop::array::uniform4(-1.5..1.5f64),
            y in prop::array::uniform4(-1.5..1.5f64),
        ) {
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-12 * (1.0 + b.abs());
            let dual = |x: [f64; 4]| Duals { re: x[0], eps: [x[1], x[2]] };
            let two = formula(dual(x), dual(y));
            for i in 0..2 {
                let one = formula(Dual64::new(x[0], x[i + 1]), Dual64::new(y[0], y[i + 1]));
                prop_assert!(close(two.re, one.re) && close(two.eps[i], one.eps));
            }
            let hyper = |x: [f64; 4]| HyperDual { re: x[0], eps1: x[1], eps2: x[2], eps1eps2: x[3] };
            let mine = formula(hyper(x), hyper(y));
            let hyper = |x: [f64; 4]| HyperDual64::new(x[0], x[1], x[2], x[3]);
            let theirs = formula(hyper(x), hyper(y));
            prop_assert!(close(mine.eps1, theirs.eps1) && close(mine.eps2, theirs.eps2));
            prop_assert!(close(mine.eps1eps2, theirs.eps1eps2), "{} {}", mine.eps1eps2, theirs.eps1eps2);
        }
    }

    #[test]
    fn a_number_is_zero_only_with_its_derivatives() {
        assert!(Duals::<f64, 2>::zero().is_zero() && HyperDual::<f64>::zero().is_zero());
        assert!(
            !Duals {
                re: 0.0,
                eps: [0.0, 1.0]
            }
            .is_zero()
        );
        assert!(!HyperDual::along(0.0, 0.0, 1.0).is_zero());
    }
}
