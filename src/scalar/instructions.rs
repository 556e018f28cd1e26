//! The instruction sets that hot loops are compiled for, and the choice among them at run time.

use pulp::{Arch, NullaryFnOnce};

use super::LANES;
use super::lanes::each_of_lanes;

/// How a hot loop is run. Its `call` must be forced inline all the way down to take on an instruction set.
pub(crate) trait Instructions: Copy + Send + Sync {
    /// Whether loops over lanes are compiled for them. Where they are not, paths are run one by one, to the same bits.
    const LANES: bool = true;

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
    /// A fifth of the time of a build, for machines of before 2013 that are slow anyhow.
    const LANES: bool = false;

    /// Never inlined, so that there is one copy of each loop.
    #[inline(never)]
    fn run<F: NullaryFnOnce>(self, f: F) -> F::Output {
        f.call()
    }
}

/// What vectors can do by one instruction where the compiler does not find it. The same numbers on every machine.
pub(crate) trait Lookup: Copy {
    /// For every lane, the entry of a table with the number in the lowest four bits of the index.
    fn pick(self, table: &[f64; 16], index: [u64; LANES]) -> [f64; LANES];
    /// ⌊log₂ x⌋ of positive normal numbers.
    fn exponent(self, x: [f64; LANES]) -> [f64; LANES];
}

/// A hot loop that uses [`Lookup`].
pub(crate) trait WithLookup {
    /// Does the work. Must be forced inline.
    fn call(self, lookup: impl Lookup);
}

/// Loads from memory, one for each lane.
#[derive(Clone, Copy)]
pub(crate) struct Loads;

impl Lookup for Loads {
    #[inline(always)]
    fn pick(self, table: &[f64; 16], index: [u64; LANES]) -> [f64; LANES] {
        each_of_lanes!(lane => table[(index[lane] & 15) as usize])
    }

    #[inline(always)]
    fn exponent(self, x: [f64; LANES]) -> [f64; LANES] {
        /// 2⁵², whose fraction field holds an integer: 2⁵² + the biased exponent − (2⁵² + 1023) converts it exactly.
        const SHIFT: f64 = (1u64 << 52) as f64;
        each_of_lanes!(lane => {
            f64::from_bits(x[lane].to_bits() >> 52 | SHIFT.to_bits()) - (SHIFT + 1023.0)
        })
    }
}

#[cfg(target_arch = "x86_64")]
impl Lookup for pulp::x86::V4 {
    #[inline(always)]
    fn pick(self, table: &[f64; 16], index: [u64; LANES]) -> [f64; LANES] {
        let [low, high]: [[f64; LANES]; 2] = pulp::cast(*table);
        let (low, high, index) = (pulp::cast(low), pulp::cast(high), pulp::cast(index));
        pulp::cast(self.avx512f._mm512_permutex2var_pd(low, index, high))
    }

    #[inline(always)]
    fn exponent(self, x: [f64; LANES]) -> [f64; LANES] {
        pulp::cast(self.avx512f._mm512_getexp_pd(pulp::cast(x)))
    }
}

/// A work with the way to look up.
struct Looking<L, W>(L, W);

impl<L: Lookup, W: WithLookup> NullaryFnOnce for Looking<L, W> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.1.call(self.0);
    }
}

/// Does a work with these instructions.
pub(crate) fn run_on<W: WithLookup>(instructions: Arch, work: W) {
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(simd) => simd.vectorize(Looking(simd, work)),
        #[cfg(target_arch = "x86_64")]
        Arch::V3(simd) => simd.vectorize(Looking(Loads, work)),
        // On x86-64 it would compile a loop for AVX-512 too.
        #[cfg(target_arch = "x86_64")]
        _ => Looking(Loads, work).call(),
        #[cfg(not(target_arch = "x86_64"))]
        other => other.dispatch(Looking(Loads, work)),
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
