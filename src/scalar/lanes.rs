//! Eight paths side by side: one AVX-512 register, two AVX2 registers, or eight plain numbers.

use std::array;
use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{Scalar, functions};

/// How many paths one [`Lanes`] holds.
pub const LANES: usize = 8;

/// One number of each of eight paths; all operations act lane by lane.
///
/// Written as loops over arrays without fused multiply-adds, so that the compiler may use any vector width and the
/// result of a lane does not depend on the instruction set, on its position or on its neighbours.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Lanes(pub [f64; LANES]);

macro_rules! lane_by_lane {
    ($trait:ident, $method:ident, $operator:tt) => {
        impl $trait for Lanes {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(array::from_fn(|lane| self.0[lane] $operator other.0[lane]))
            }
        }
    };
}

lane_by_lane!(Add, add, +);
lane_by_lane!(Sub, sub, -);
lane_by_lane!(Mul, mul, *);
lane_by_lane!(Div, div, /);

impl Neg for Lanes {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(self.0.map(|x| -x))
    }
}

impl Scalar for Lanes {
    #[inline(always)]
    fn constant(x: f64) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    fn exp(self) -> Self {
        Self(self.0.map(functions::exp))
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        Self(self.0.map(functions::tanh))
    }

    #[inline(always)]
    fn erf(self) -> Self {
        Self(self.0.map(functions::erf))
    }

    #[inline(always)]
    fn softplus(self) -> Self {
        Self(self.0.map(functions::softplus))
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        Self(self.0.map(functions::sigmoid))
    }

    #[inline(always)]
    fn step(self) -> Self {
        Self(self.0.map(functions::step))
    }

    #[inline(always)]
    fn sin(self) -> Self {
        Self(self.0.map(libm::sin))
    }

    #[inline(always)]
    fn cos(self) -> Self {
        Self(self.0.map(libm::cos))
    }

    #[inline(always)]
    fn is_zero(&self) -> bool {
        self.0.iter().all(|&x| x == 0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_lane_computes_what_f64_computes(a in prop::array::uniform8(-9.0..9.0f64), b in prop::array::uniform8(0.5..9.0f64)) {
            fn formula<S: Scalar>(x: S, y: S) -> S {
                (x * y - x / y + (-x).exp() + y.sin() * y.cos()).square()
            }
            let together = formula(Lanes(a), Lanes(b));
            for lane in 0..LANES {
                prop_assert_eq!(together.0[lane], formula(a[lane], b[lane]));
            }
        }
    }
}
