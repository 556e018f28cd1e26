//! One path alone, with the rounding of a lane.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{Function, LANES, Lanes, Paths, Scalar, each_of_lanes, functions};

/// A number of a single path. As `f64`, but x·a + b is rounded once, as [`super::Lanes`] does, so that a path has the same
/// bits whether it runs alone or in a lane.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(transparent)]
pub struct Single(pub f64);

macro_rules! operator {
    ($trait:ident, $method:ident, $operator:tt) => {
        impl $trait for Single {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(self.0 $operator other.0)
            }
        }
    };
}

operator!(Add, add, +);
operator!(Sub, sub, -);
operator!(Mul, mul, *);
operator!(Div, div, /);

impl Neg for Single {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        Self(-self.0)
    }
}

macro_rules! functions {
    ($($name:ident = $function:path),+) => {
        $(
            #[inline(always)]
            fn $name(self) -> Self {
                Self($function(self.0))
            }
        )+
    };
}

impl Scalar for Single {
    const ACROSS: bool = true;

    functions!(
        exp = functions::exp,
        tanh = Scalar::tanh,
        erf = functions::erf,
        softplus = functions::softplus,
        sigmoid = functions::sigmoid,
        step = functions::step,
        sin = libm::sin,
        cos = libm::cos,
        ln = libm::log,
        sqrt = f64::sqrt,
        tan = libm::tan,
        sinh = libm::sinh,
        cosh = libm::cosh,
        atan = libm::atan,
        abs = f64::abs
    );

    #[inline(always)]
    fn powf(self, p: f64) -> Self {
        Self(libm::pow(self.0, p))
    }

    #[inline(always)]
    fn constant(x: f64) -> Self {
        Self(x)
    }

    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        Self(self.0.mul_add(a.0, b.0))
    }

    #[inline(always)]
    fn is_zero(&self) -> bool {
        self.0 == 0.0
    }

    /// As lanes, as far as there are eight.
    #[inline(always)]
    fn each<const K: usize>(function: Function, mut x: [Self; K]) -> [Self; K] {
        let (vectors, rest) = x.as_chunks_mut::<LANES>();
        for x in vectors {
            let values = Lanes(each_of_lanes!(lane => x[lane].0)).function(function);
            *x = each_of_lanes!(lane => Self(values.0[lane]));
        }
        for x in rest {
            *x = x.function(function);
        }
        x
    }
}

impl Paths for Single {
    const COUNT: usize = 1;

    #[inline(always)]
    fn lane(&self, _: usize) -> f64 {
        self.0
    }

    #[inline(always)]
    fn lane_mut(&mut self, _: usize) -> &mut f64 {
        &mut self.0
    }
}
