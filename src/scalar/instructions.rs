//! The instruction sets that hot loops are compiled for, and the choice among them at run time.

use std::sync::OnceLock;

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
    /// The same with the number in the lowest three bits.
    fn pick_of_eight(self, table: &Eight, index: [u64; LANES]) -> [f64; LANES];
    /// ⌊log₂ x⌋ of positive normal numbers.
    fn exponent(self, x: [f64; LANES]) -> [f64; LANES];
}

/// Eight numbers to be looked up, and the lower and the upper halves of their bits.
pub(crate) struct Eight {
    whole: [f64; 8],
    #[cfg(target_arch = "x86_64")]
    halves: [[u32; 8]; 2],
}

impl Eight {
    pub(super) const fn new(whole: [f64; 8]) -> Self {
        Self {
            whole,
            #[cfg(target_arch = "x86_64")]
            halves: halves(&whole),
        }
    }

    /// The entry with the number in the lowest three bits of the index.
    #[inline(always)]
    pub(super) fn entry(&self, index: u64) -> f64 {
        self.whole[(index & 7) as usize]
    }
}

#[cfg(target_arch = "x86_64")]
const fn halves(numbers: &[f64; 8]) -> [[u32; 8]; 2] {
    let mut halves = [[0; 8]; 2];
    let mut i = 0;
    while i < 8 {
        let bits = numbers[i].to_bits();
        halves[0][i] = bits as u32;
        halves[1][i] = (bits >> 32) as u32;
        i += 1;
    }
    halves
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
    fn pick_of_eight(self, table: &Eight, index: [u64; LANES]) -> [f64; LANES] {
        each_of_lanes!(lane => table.entry(index[lane]))
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
    fn pick_of_eight(self, table: &Eight, index: [u64; LANES]) -> [f64; LANES] {
        let (table, index) = (pulp::cast(table.whole), pulp::cast(index));
        pulp::cast(self.avx512f._mm512_permutexvar_pd(index, table))
    }

    #[inline(always)]
    fn exponent(self, x: [f64; LANES]) -> [f64; LANES] {
        pulp::cast(self.avx512f._mm512_getexp_pd(pulp::cast(x)))
    }
}

/// As [`Loads`], but for eight entries, which permutations of their halves find sooner.
#[cfg(target_arch = "x86_64")]
impl Lookup for pulp::x86::V3 {
    #[inline(always)]
    fn pick(self, table: &[f64; 16], index: [u64; LANES]) -> [f64; LANES] {
        Loads.pick(table, index)
    }

    #[inline(always)]
    fn pick_of_eight(self, table: &Eight, index: [u64; LANES]) -> [f64; LANES] {
        let [low, high] = table.halves;
        let (low, high) = (pulp::cast(low), pulp::cast(high));
        let mut found: [[f64; LANES / 2]; 2] = [[0.0; LANES / 2]; 2];
        let index: [[u64; LANES / 2]; 2] = pulp::cast(index);
        for (found, index) in found.iter_mut().zip(index) {
            let index = pulp::cast(index);
            let lower = self.avx2._mm256_permutevar8x32_epi32(low, index);
            let index = self.avx2._mm256_slli_epi64::<32>(index);
            let upper = self.avx2._mm256_permutevar8x32_epi32(high, index);
            *found = pulp::cast(self.avx2._mm256_blend_epi32::<0b1010_1010>(lower, upper));
        }
        pulp::cast(found)
    }

    #[inline(always)]
    fn exponent(self, x: [f64; LANES]) -> [f64; LANES] {
        Loads.exponent(x)
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

/// The instructions of this machine, looked for once.
#[inline(always)]
pub(crate) fn widest() -> Arch {
    static WIDEST: OnceLock<Arch> = OnceLock::new();
    *WIDEST.get_or_init(Arch::new)
}

/// Does a work with these instructions.
pub(crate) fn run_on<W: WithLookup>(instructions: Arch, work: W) {
    match instructions {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(simd) => simd.vectorize(Looking(simd, work)),
        #[cfg(target_arch = "x86_64")]
        Arch::V3(simd) => simd.vectorize(Looking(simd, work)),
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
