//! Eight paths side by side: one AVX-512 register, two AVX2 registers, or eight plain numbers.

use std::ops::{Add, Div, Mul, Neg, Sub};
use std::sync::atomic::{Ordering, compiler_fence};

#[cfg(target_arch = "x86_64")]
use pulp::Arch;

use super::functions::{self, Numbers};
#[cfg(target_arch = "x86_64")]
use super::widest;
use super::{Eight, Function, Loads, Lookup, Paths, Scalar};

/// How many paths one [`Lanes`] holds.
pub const LANES: usize = 8;

/// One number of each of eight paths; all operations act lane by lane.
///
/// Written as loops over arrays, so that the compiler may use any vector width. Multiply-adds are fused exactly where
/// [`Scalar::mul_add`] says so, and no mathematical library of the system is called: the result of a lane does not depend on the
/// instruction set, on its position or on its neighbours, for all functions here (`tests/instruction_sets.rs`). Without
/// instructions for fused multiply-adds (before AVX2) they are emulated: the same bits, much slower.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(C, align(64))]
pub struct Lanes(pub [f64; LANES]);

/// The array of an expression for every lane, written out: loops over lanes would all have to be unrolled by the compiler,
/// which takes it minutes.
macro_rules! each_of_lanes {
    ($lane:ident => $value:expr) => {
        each_of_lanes!(@ $lane $value; 0 1 2 3 4 5 6 7)
    };
    (@ $lane:ident $value:expr; $($number:literal)+) => {
        [$({
            let $lane: usize = $number;
            $value
        }),+]
    };
}

macro_rules! lane_by_lane {
    ($trait:ident, $method:ident, $operator:tt) => {
        impl $trait for Lanes {
            type Output = Self;

            #[inline(always)]
            fn $method(self, other: Self) -> Self {
                Self(each_of_lanes!(lane => self.0[lane] $operator other.0[lane]))
            }
        }
    };
}

lane_by_lane!(Add, add, +);
lane_by_lane!(Sub, sub, -);
lane_by_lane!(Mul, mul, *);
lane_by_lane!(Div, div, /);

pub(crate) use each_of_lanes;

/// f of every lane.
macro_rules! each_lane {
    ($lanes:expr, $function:path) => {
        Lanes(each_of_lanes!(lane => $function($lanes.0[lane])))
    };
}

impl Neg for Lanes {
    type Output = Self;

    #[inline(always)]
    fn neg(self) -> Self {
        each_lane!(self, Neg::neg)
    }
}

impl Scalar for Lanes {
    #[inline(always)]
    fn constant(x: f64) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    fn exp(self) -> Self {
        functions::exp(Vectors([self])).0[0]
    }

    #[inline(always)]
    fn tanh(self) -> Self {
        tanh(Vectors([self])).0[0]
    }

    #[inline(always)]
    fn erf(self) -> Self {
        functions::erf(Vectors([self])).0[0]
    }

    #[inline(always)]
    fn softplus(self) -> Self {
        functions::softplus(Vectors([self])).0[0]
    }

    #[inline(always)]
    fn sigmoid(self) -> Self {
        functions::sigmoid(Vectors([self])).0[0]
    }

    #[inline(always)]
    fn step(self) -> Self {
        functions::step(Vectors([self])).0[0]
    }

    #[inline(always)]
    fn sin(self) -> Self {
        each_lane!(self, libm::sin)
    }

    #[inline(always)]
    fn cos(self) -> Self {
        each_lane!(self, libm::cos)
    }

    #[inline(always)]
    fn ln(self) -> Self {
        each_lane!(self, libm::log)
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        each_lane!(self, f64::sqrt)
    }

    #[inline(always)]
    fn tan(self) -> Self {
        each_lane!(self, libm::tan)
    }

    #[inline(always)]
    fn sinh(self) -> Self {
        each_lane!(self, libm::sinh)
    }

    #[inline(always)]
    fn cosh(self) -> Self {
        each_lane!(self, libm::cosh)
    }

    #[inline(always)]
    fn atan(self) -> Self {
        each_lane!(self, libm::atan)
    }

    #[inline(always)]
    fn abs(self) -> Self {
        each_lane!(self, f64::abs)
    }

    #[inline(always)]
    fn powf(self, p: f64) -> Self {
        Self(each_of_lanes!(lane => libm::pow(self.0[lane], p)))
    }

    /// A fence that is no instruction.
    #[inline(always)]
    fn element_done() {
        compiler_fence(Ordering::SeqCst);
    }

    #[inline(always)]
    fn mul_add(self, a: Self, b: Self) -> Self {
        Self(each_of_lanes!(lane => self.0[lane].mul_add(a.0[lane], b.0[lane])))
    }

    #[inline(always)]
    fn is_zero(&self) -> bool {
        self.0.iter().all(|&x| x == 0.0)
    }

    #[inline(always)]
    fn each<const K: usize>(function: Function, x: [Self; K]) -> [Self; K] {
        let x = Vectors(x);
        match function {
            Function::Exp => functions::exp(x).0,
            Function::Tanh => tanh(x).0,
            Function::Erf => functions::erf(x).0,
            Function::Softplus => functions::softplus(x).0,
            Function::Sigmoid => functions::sigmoid(x).0,
        }
    }
}

impl Paths for Lanes {
    const COUNT: usize = LANES;

    #[inline(always)]
    fn lane(&self, lane: usize) -> f64 {
        self.0[lane]
    }

    #[inline(always)]
    fn lane_mut(&mut self, lane: usize) -> &mut f64 {
        &mut self.0[lane]
    }
}

/// K vectors of lanes, taken through a function together. Loops in place throughout: what is passed as a value, also to
/// `array::from_fn`, may be left out of line, where there are no vectors.
#[derive(Clone, Copy)]
struct Vectors<const K: usize>([Lanes; K]);

macro_rules! vector_by_vector {
    ($($trait:ident, $method:ident, $operator:tt);+) => {
        $(
            impl<const K: usize> $trait for Vectors<K> {
                type Output = Self;

                #[inline(always)]
                fn $method(mut self, other: Self) -> Self {
                    for i in 0..K {
                        self.0[i] = self.0[i] $operator other.0[i];
                    }
                    self
                }
            }
        )+
    };
}

vector_by_vector!(Add, add, +; Sub, sub, -; Mul, mul, *; Div, div, /);

impl<const K: usize> Neg for Vectors<K> {
    type Output = Self;

    #[inline(always)]
    fn neg(mut self) -> Self {
        for x in &mut self.0 {
            *x = -*x;
        }
        self
    }
}

impl<const K: usize> Numbers for Vectors<K> {
    #[inline(always)]
    fn constant(x: f64) -> Self {
        Self([Lanes::constant(x); K])
    }

    #[inline(always)]
    fn mul_add(mut self, a: Self, b: Self) -> Self {
        for i in 0..K {
            self.0[i] = self.0[i].mul_add(a.0[i], b.0[i]);
        }
        self
    }

    #[inline(always)]
    fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        for x in &mut self.0 {
            *x = Lanes(each_of_lanes!(lane => f(x.0[lane])));
        }
        self
    }

    #[inline(always)]
    fn zip(mut self, other: Self, f: impl Fn(f64, f64) -> f64) -> Self {
        for i in 0..K {
            let (x, y) = (self.0[i], other.0[i]);
            self.0[i] = Lanes(each_of_lanes!(lane => f(x.0[lane], y.0[lane])));
        }
        self
    }

    #[inline(always)]
    fn pick(mut self, lookup: impl Lookup, table: &Eight) -> Self {
        for x in &mut self.0 {
            *x = Lanes(lookup.pick_of_eight(table, each_of_lanes!(lane => x.0[lane].to_bits())));
        }
        self
    }
}

/// tanh of K vectors, whose tables are looked up as this machine does it best, whatever the caller is compiled for.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn tanh<const K: usize>(x: Vectors<K>) -> Vectors<K> {
    match widest() {
        Arch::V4(simd) => functions::tanh(simd, x),
        Arch::V3(simd) => functions::tanh(simd, x),
        _ => tanh_by_loads(x),
    }
}

#[cfg(not(target_arch = "x86_64"))]
use tanh_by_loads as tanh;

/// Out of line on x86-64, where it would be one more copy in every loop, for machines of before 2013.
#[cfg_attr(target_arch = "x86_64", inline(never))]
#[cfg_attr(not(target_arch = "x86_64"), inline(always))]
fn tanh_by_loads<const K: usize>(x: Vectors<K>) -> Vectors<K> {
    functions::tanh(Loads, x)
}

#[cfg(test)]
mod tests {
    use super::super::{WithLookup, run_on};
    use super::*;
    use proptest::prelude::*;
    #[cfg(not(target_arch = "x86_64"))]
    use pulp::Arch;

    /// tanh with the tables looked up as an instruction set does it.
    struct TanhOn<'a>(&'a mut [Lanes]);

    impl WithLookup for TanhOn<'_> {
        #[inline(always)]
        fn call(self, lookup: impl Lookup) {
            for x in self.0 {
                [*x] = functions::tanh(lookup, Vectors([*x])).0;
            }
        }
    }

    #[test]
    fn tanh_has_the_same_bits_on_every_instruction_set() {
        let sets = [Some(Arch::Scalar), Some(Arch::new())].into_iter();
        #[cfg(target_arch = "x86_64")]
        let sets = sets.chain([pulp::x86::V3::try_new().map(Arch::V3)]);
        let x: Vec<_> = (-30_000..30_000)
            .map(|i| Lanes(each_of_lanes!(lane => 0.001 * f64::from(i) + 1e-4 * lane as f64)))
            .collect();
        for set in sets.flatten() {
            let mut y = x.clone();
            run_on(set, TanhOn(&mut y));
            for (x, y) in x.iter().zip(&y) {
                for (&x, &y) in x.0.iter().zip(&y.0) {
                    assert_eq!(y.to_bits(), Scalar::tanh(x).to_bits());
                    assert!((y - x.tanh()).abs() < 1e-15);
                }
            }
        }
    }

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

        #[test]
        fn every_lane_of_a_function_has_the_bits_of_f64(x in prop::array::uniform8(prop_oneof![-3.0..3.0f64, -800.0..800.0f64, any::<f64>()])) {
            for (together, alone) in [
                (Lanes(x).exp(), x.map(Scalar::exp)),
                (Lanes(x).tanh(), x.map(Scalar::tanh)),
                (Lanes(x).erf(), x.map(Scalar::erf)),
                (Lanes(x).softplus(), x.map(Scalar::softplus)),
                (Lanes(x).sigmoid(), x.map(Scalar::sigmoid)),
                (Lanes(x).step(), x.map(Scalar::step)),
                (Lanes(x).ln(), x.map(Scalar::ln)),
                (Lanes(x).sqrt(), x.map(Scalar::sqrt)),
                (Lanes(x).tan(), x.map(Scalar::tan)),
                (Lanes(x).sinh(), x.map(Scalar::sinh)),
                (Lanes(x).cosh(), x.map(Scalar::cosh)),
                (Lanes(x).atan(), x.map(Scalar::atan)),
                (Lanes(x).abs(), x.map(Scalar::abs)),
                (Lanes(x).powf(1.5), x.map(|x| Scalar::powf(x, 1.5))),
            ] {
                prop_assert_eq!(together.0.map(f64::to_bits), alone.map(f64::to_bits));
            }
        }
    }
}
