//! The number types a gradient is evaluated with: f64, eight paths at once, dual and hyper-dual numbers.
//!
//! A model writes its loss and its gradient once, generic over [`Scalar`]:
//!
//! | scalar | what the same gradient code then yields |
//! |---|---|
//! | `f64` | one gradient |
//! | [`Lanes`] | eight paths of the ensemble in one pass |
//! | [`Single`] | one of them, with the same bits |
//! | [`Dual64`] | a directional derivative: columns of H and of G |
//! | [`HyperDual64`] | a second directional derivative: `∂³L[a, b]` and ∂²_η ∇L̂ |

mod chain;
mod dual;
#[cfg(test)]
mod elementary_tests;
mod functions;
mod instructions;
mod lanes;
mod single;
mod slices;

use std::ops::{Add, Div, Mul, Neg, Sub};

pub(crate) use chain::{Chain, elementary_functions};
pub(crate) use instructions::{
    Baseline, Eight, Instructions, Loads, Lookup, Wide, WithLookup, run_narrow, run_on, run_wide,
    vectors, widest,
};
pub(crate) use lanes::each_of_lanes;
pub use lanes::{LANES, Lanes};
pub use num_dual::{Dual64, HyperDual64};
pub use single::Single;
pub(crate) use slices::{add_combined_rows, add_scaled, add_scaled_constants, dot, dot_constants};

/// A number that a loss can be computed with: a field with the elementary functions that the models use.
pub trait Scalar:
    Copy
    + Send
    + Sync
    + 'static
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Div<Output = Self>
    + Neg<Output = Self>
{
    /// Whether it is a plain number of a single path, so that vectors are filled by elements of a slice that follow one another.
    const ACROSS: bool = false;

    /// The constant `x`: every lane equal, every derivative zero.
    fn constant(x: f64) -> Self;
    /// eˣ.
    fn exp(self) -> Self;
    /// sin x, x in radians.
    fn sin(self) -> Self;
    /// cos x, x in radians.
    fn cos(self) -> Self;
    /// tanh x.
    fn tanh(self) -> Self;
    /// erf x = 2/√π ∫₀ˣ e^{−t²} dt.
    fn erf(self) -> Self;
    /// ln(1 + eˣ).
    fn softplus(self) -> Self;
    /// 1/(1 + e⁻ˣ).
    fn sigmoid(self) -> Self;
    /// 1 for x > 0, otherwise 0; its derivative counts as 0.
    fn step(self) -> Self;
    /// The natural logarithm of x > 0.
    fn ln(self) -> Self;
    /// √x of x ≥ 0.
    fn sqrt(self) -> Self;
    /// tan x, x in radians.
    fn tan(self) -> Self;
    /// sinh x.
    fn sinh(self) -> Self;
    /// cosh x.
    fn cosh(self) -> Self;
    /// The angle in (−π/2, π/2) with tangent x.
    fn atan(self) -> Self;
    /// |x|; its derivative at 0 counts as 0.
    fn abs(self) -> Self;
    /// xᵖ of x > 0 for a constant p.
    fn powf(self, p: f64) -> Self;
    /// Whether the number and all its derivatives, in all lanes, are 0.
    fn is_zero(&self) -> bool;

    /// The constant 0.
    #[inline(always)]
    fn zero() -> Self {
        Self::constant(0.0)
    }

    /// The constant 1.
    #[inline(always)]
    fn one() -> Self {
        Self::constant(1.0)
    }

    /// x².
    #[inline(always)]
    fn square(self) -> Self {
        self * self
    }

    /// Ends the body of a loop over a slice of scalars. Where a scalar fills a vector register as it is, the compiler must not
    /// take several elements at once instead, by gathers and scatters that are five times slower.
    #[inline(always)]
    fn element_done() {}

    /// x·a + b; the lanes of an ensemble round it once.
    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        self * a + b
    }

    /// The function of each of K numbers, with the bits of the one applied to each by itself; faster than that for lanes.
    #[inline(always)]
    fn each<const K: usize>(function: Function, x: [Self; K]) -> [Self; K] {
        let mut values = x;
        for x in &mut values {
            *x = x.function(function);
        }
        values
    }

    /// The function of x.
    #[inline(always)]
    fn function(self, function: Function) -> Self {
        match function {
            Function::Exp => self.exp(),
            Function::Tanh => self.tanh(),
            Function::Erf => self.erf(),
            Function::Softplus => self.softplus(),
            Function::Sigmoid => self.sigmoid(),
        }
    }
}

/// A function that [`Scalar::each`] applies to several numbers at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// eˣ.
    Exp,
    /// tanh x.
    Tanh,
    /// erf x.
    Erf,
    /// ln(1 + eˣ).
    Softplus,
    /// 1/(1 + e⁻ˣ).
    Sigmoid,
}

// The functions are this crate's own or come from `libm` (pure Rust), not from the system's C library, so that the same
// scenario and seed give the same bits on every machine.
impl Scalar for f64 {
    #[inline(always)]
    fn constant(x: f64) -> Self {
        x
    }

    #[inline(always)]
    fn exp(self) -> Self {
        functions::exp(self)
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        functions::tanh(instructions::Loads, self)
    }

    #[inline(always)]
    fn erf(self) -> Self {
        functions::erf(self)
    }

    #[inline(always)]
    fn softplus(self) -> Self {
        functions::softplus(self)
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        functions::sigmoid(self)
    }

    #[inline(always)]
    fn step(self) -> Self {
        functions::step(self)
    }

    #[inline(always)]
    fn sin(self) -> Self {
        libm::sin(self)
    }

    #[inline(always)]
    fn cos(self) -> Self {
        libm::cos(self)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        libm::log(self)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.sqrt()
    }

    #[inline(always)]
    fn tan(self) -> Self {
        libm::tan(self)
    }

    #[inline(always)]
    fn sinh(self) -> Self {
        libm::sinh(self)
    }

    #[inline(always)]
    fn cosh(self) -> Self {
        libm::cosh(self)
    }

    #[inline(always)]
    fn atan(self) -> Self {
        libm::atan(self)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.abs()
    }

    #[inline(always)]
    fn powf(self, p: f64) -> Self {
        libm::pow(self, p)
    }

    #[inline(always)]
    fn is_zero(&self) -> bool {
        *self == 0.0
    }
}

/// A scalar that holds one number of each of some paths.
pub trait Paths: Scalar {
    /// How many paths.
    const COUNT: usize;
    /// The number of path `lane` < COUNT.
    fn lane(&self, lane: usize) -> f64;
    /// The same, to be changed.
    fn lane_mut(&mut self, lane: usize) -> &mut f64;
}

/// Σ xᵢ² of a slice.
#[inline(always)]
pub fn sum_of_squares<S: Scalar>(values: &[S]) -> S {
    let mut sum = S::zero();
    for &value in values {
        sum = sum + value * value;
    }
    sum
}
