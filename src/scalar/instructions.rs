//! The instruction sets that hot loops are compiled for, and the choice among them at run time.

use pulp::NullaryFnOnce;

/// How a hot loop is run. Its `call` must be forced inline all the way down to take on an instruction set.
pub(crate) trait Instructions: Copy + Send + Sync {
    /// Runs `f`, compiled for these instructions.
    fn run<F: NullaryFnOnce>(self, f: F) -> F::Output;
}

/// Vectors with fused multiply-adds, as wide as the machine has them.
#[derive(Clone, Copy)]
pub(crate) struct Wide(vectors::Widest);

/// Vectors with fused multiply-adds, of at most 256 bits: for what does not fill wider ones, and compiles sooner.
#[derive(Clone, Copy)]
pub(crate) struct Narrow(vectors::Narrow);

/// What every machine of this kind has. On x86-64 it lacks fused multiply-adds, which are then emulated, slowly.
#[derive(Clone, Copy)]
pub(crate) struct Baseline;

/// Wide and narrow vectors; none where [`Baseline`] is all there is.
pub(crate) fn vectors() -> Option<(Wide, Narrow)> {
    let (wide, narrow) = vectors::available()?;
    Some((Wide(wide), Narrow(narrow)))
}

/// Runs `f` with the widest vectors there are.
pub(crate) fn run_wide<F: NullaryFnOnce>(f: F) -> F::Output {
    match vectors() {
        Some((wide, _)) => wide.run(f),
        None => Baseline.run(f),
    }
}

/// Runs `f` with vectors of at most 256 bits, for what is not worth more compiling.
pub(crate) fn run_narrow<F: NullaryFnOnce>(f: F) -> F::Output {
    match vectors() {
        Some((_, narrow)) => narrow.run(f),
        None => Baseline.run(f),
    }
}

impl Instructions for Wide {
    #[inline(always)]
    fn run<F: NullaryFnOnce>(self, f: F) -> F::Output {
        vectors::run_widest(self.0, f)
    }
}

impl Instructions for Narrow {
    #[inline(always)]
    fn run<F: NullaryFnOnce>(self, f: F) -> F::Output {
        vectors::run_narrow(self.0, f)
    }
}

impl Instructions for Baseline {
    /// Never inlined, so that there is one copy of each loop.
    #[inline(never)]
    fn run<F: NullaryFnOnce>(self, f: F) -> F::Output {
        f.call()
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    //! AVX-512 and AVX2.

    use pulp::NullaryFnOnce;
    use pulp::x86::{V3, V4};

    #[derive(Clone, Copy)]
    pub(super) enum Widest {
        V4(V4),
        V3(V3),
    }

    pub(super) type Narrow = V3;

    pub(super) fn available() -> Option<(Widest, Narrow)> {
        let narrow = V3::try_new()?;
        Some((V4::try_new().map_or(Widest::V3(narrow), Widest::V4), narrow))
    }

    #[inline(always)]
    pub(super) fn run_widest<F: NullaryFnOnce>(widest: Widest, f: F) -> F::Output {
        match widest {
            Widest::V4(simd) => simd.vectorize(f),
            Widest::V3(simd) => simd.vectorize(f),
        }
    }

    #[inline(always)]
    pub(super) fn run_narrow<F: NullaryFnOnce>(narrow: Narrow, f: F) -> F::Output {
        narrow.vectorize(f)
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod vectors {
    //! Whatever there is: NEON belongs to the baseline of 64-bit Arm.

    use pulp::{Arch, NullaryFnOnce};

    pub(super) type Widest = Arch;
    pub(super) type Narrow = Arch;

    pub(super) fn available() -> Option<(Widest, Narrow)> {
        Some((Arch::new(), Arch::new()))
    }

    #[inline(always)]
    pub(super) fn run_widest<F: NullaryFnOnce>(widest: Widest, f: F) -> F::Output {
        widest.dispatch(f)
    }

    #[inline(always)]
    pub(super) fn run_narrow<F: NullaryFnOnce>(narrow: Narrow, f: F) -> F::Output {
        narrow.dispatch(f)
    }
}
