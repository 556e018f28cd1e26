//! Runs xoshiro256++ generators: eight in lockstep, one a lane, or one alone.

use super::seeding::stream_state;
use super::skip::ahead;
use crate::scalar::{LANES, Lanes, Paths, Single};

/// The random streams of as many paths as a scalar holds. A path has the same words whichever streams it is run with.
pub trait Streams: Clone + Send {
    /// One number for each path.
    type Draw: Paths;

    /// The streams of the paths from `first_path` on, of `level` under `seed`.
    fn of(seed: u64, level: u64, first_path: u64) -> Self;

    /// Fills `out` with a draw of each of the next words, in order. For speed the closure should be `#[inline(always)]`.
    fn fill_each(&mut self, out: &mut [Self::Draw], draw: impl Fn(u64) -> f64);

    /// Fills `out` with two draws of each of the next words, in order, made of eight words at a time: their first draws, and their
    /// second. Where the number of draws is odd, the last is the first of one more pair.
    fn fill_pairs(
        &mut self,
        out: &mut [Self::Draw],
        pairs: impl Fn([u64; LANES]) -> [[f64; LANES]; 2],
    );

    /// Takes one word for each path.
    fn each_word(&mut self, visit: impl FnMut(usize, u64));

    /// Passes over so many words of each path, in a time that does not grow with their number (some 0.1 ms a path).
    fn skip(&mut self, words: u64);
}

/// One step of xoshiro256++.
#[inline(always)]
pub(super) fn next_word([a, b, c, d]: &mut [u64; 4]) -> u64 {
    let word = a.wrapping_add(*d).rotate_left(23).wrapping_add(*a);
    let t = *b << 17;
    *c ^= *a;
    *d ^= *b;
    *b ^= *c;
    *a ^= *d;
    *c ^= t;
    *d = d.rotate_left(45);
    word
}

/// Eight xoshiro256++ generators; lane j is the stream of path `first_path + j`.
///
/// Source: D. Blackman & S. Vigna, *Scrambled linear pseudorandom number generators*, ACM TOMS 47
/// (2021). Period 2²⁵⁶ − 1, all 64 bits of a word usable.
///
/// A stream is a function of (seed, level, path) alone: a path gives the same words in whichever
/// lane, and beside whichever neighbours, it is run.
#[derive(Clone, Debug)]
pub struct LaneStreams {
    /// `state[w][j]` is word w of the generator in lane j.
    state: [[u64; LANES]; 4],
}

impl LaneStreams {
    /// The streams of paths `first_path`, …, `first_path + 7` (modulo 2⁶⁴) of `level` under `seed`.
    ///
    /// The state of each lane is Threefry-4×64-20 of the counter (seed, level, path), a bijection:
    /// different triples never start from the same state, and neighbouring ones start from
    /// unrelated points of the cycle, so that with n streams of L words an overlap of any two has
    /// probability below n² L / 2²⁵⁶.
    #[inline(always)]
    pub fn new(seed: u64, level: u64, first_path: u64) -> Self {
        let mut state = [[0; LANES]; 4];
        for j in 0..LANES {
            let path = first_path.wrapping_add(j as u64);
            let [a, b, c, d] = &mut state;
            [a[j], b[j], c[j], d[j]] = stream_state(seed, level, path);
        }
        Self { state }
    }

    /// The next 64 random bits of every lane.
    #[inline(always)]
    pub fn next_u64(&mut self) -> [u64; LANES] {
        let mut out = [0; LANES];
        for (j, word) in out.iter_mut().enumerate() {
            [*word] = self.lane_words(j);
        }
        out
    }

    /// The next uniform number on (0, 1) of every lane: (k + ½) 2⁻⁵² with k the top 52 bits of one
    /// word.
    ///
    /// Never 0 or 1, symmetric about ½, of mean exactly ½ and variance (1 − 2⁻¹⁰⁴)/12. The smallest
    /// value is 2⁻⁵³ and the largest 1 − 2⁻⁵³; every step is exact.
    #[inline(always)]
    pub fn uniform(&mut self) -> Lanes {
        Lanes(self.next_u64().map(open_unit))
    }

    /// The state of each path's generator: all there is to store for going on later with the next word.
    pub fn state(&self) -> [[u64; 4]; LANES] {
        std::array::from_fn(|j| self.state.map(|words| words[j]))
    }

    /// The streams that go on from a stored [`state`](Self::state), which may have been put together from those of other
    /// lanes. None where a generator is all zero, which no stream ever is: it would not move.
    pub fn from_state(state: [[u64; 4]; LANES]) -> Option<Self> {
        let state_of = |word: usize| state.map(|lane| lane[word]);
        (!state.contains(&[0; 4])).then(|| Self {
            state: std::array::from_fn(state_of),
        })
    }

    /// The next `N` words of all lanes.
    #[inline(always)]
    fn words<const N: usize>(&mut self) -> [[u64; LANES]; N] {
        let mut out = [[0; LANES]; N];
        for j in 0..LANES {
            for (words, word) in out.iter_mut().zip(self.lane_words::<N>(j)) {
                words[j] = word;
            }
        }
        out
    }

    /// The next `N` words of lane `j`.
    #[inline(always)]
    fn lane_words<const N: usize>(&mut self, j: usize) -> [u64; N] {
        let [sa, sb, sc, sd] = &mut self.state;
        let mut state = [sa[j], sb[j], sc[j], sd[j]];
        let mut out = [0; N];
        for word in &mut out {
            *word = next_word(&mut state);
        }
        [sa[j], sb[j], sc[j], sd[j]] = state;
        out
    }
}

impl Streams for LaneStreams {
    type Draw = Lanes;

    #[inline(always)]
    fn of(seed: u64, level: u64, first_path: u64) -> Self {
        Self::new(seed, level, first_path)
    }

    /// Each lane runs through the whole block before the next lane starts. That makes one loop over
    /// lanes with a body too long to be unrolled, which is the shape that LLVM turns into vector
    /// code; shorter loops are unrolled first, and then stay scalar.
    #[inline(always)]
    fn fill_each(&mut self, out: &mut [Lanes], draw: impl Fn(u64) -> f64) {
        let (blocks, rest) = out.as_chunks_mut::<BLOCK>();
        for block in blocks {
            for j in 0..LANES {
                let words: [u64; BLOCK] = self.lane_words(j);
                for (lanes, word) in block.iter_mut().zip(words) {
                    lanes.0[j] = draw(word);
                }
            }
        }
        for lanes in rest {
            *lanes = Lanes(self.next_u64().map(&draw));
        }
    }

    /// The words of some pairs first, in the shape of the loop above; the pairs of eight are vectors as they are.
    #[inline(always)]
    fn fill_pairs(&mut self, out: &mut [Lanes], pairs: impl Fn([u64; LANES]) -> [[f64; LANES]; 2]) {
        let (chunks, rest) = out.as_chunks_mut::<{ 2 * BLOCK }>();
        for chunk in chunks {
            let words = self.words::<BLOCK>();
            for (pair, word) in chunk.as_chunks_mut::<2>().0.iter_mut().zip(words) {
                let [first, second] = pairs(word);
                *pair = [Lanes(first), Lanes(second)];
            }
        }
        for draws in rest.chunks_mut(2) {
            let values = pairs(self.next_u64());
            for (draw, value) in draws.iter_mut().zip(values) {
                *draw = Lanes(value);
            }
        }
    }

    #[inline(always)]
    fn each_word(&mut self, mut visit: impl FnMut(usize, u64)) {
        for (j, word) in self.next_u64().into_iter().enumerate() {
            visit(j, word);
        }
    }

    fn skip(&mut self, words: u64) {
        let state = self.state().map(|lane| ahead(lane, words));
        self.state = std::array::from_fn(|word| state.map(|lane| lane[word]));
    }
}

/// One xoshiro256++ generator, the stream of one path.
#[derive(Clone, Debug)]
pub struct PathStream {
    state: [u64; 4],
}

/// How many words lanes take at once.
const BLOCK: usize = 4;

/// The same for a single stream, in vectors of eight.
const VECTORS: usize = 8;

impl Streams for PathStream {
    type Draw = Single;

    #[inline(always)]
    fn of(seed: u64, level: u64, path: u64) -> Self {
        let state = stream_state(seed, level, path);
        Self { state }
    }

    /// The words come one after the other; what is made of them is a loop that becomes vector code.
    #[inline(always)]
    fn fill_each(&mut self, out: &mut [Single], draw: impl Fn(u64) -> f64) {
        for chunk in out.chunks_mut(LANES * VECTORS) {
            let words = self.words(chunk.len());
            for (single, &word) in chunk.iter_mut().zip(words.as_flattened()) {
                *single = Single(draw(word));
            }
        }
    }

    /// The pairs of eight words are made side by side, and then put in order.
    #[inline(always)]
    fn fill_pairs(
        &mut self,
        out: &mut [Single],
        pairs: impl Fn([u64; LANES]) -> [[f64; LANES]; 2],
    ) {
        for chunk in out.chunks_mut(2 * LANES * VECTORS) {
            let count = chunk.len().div_ceil(2);
            let words = self.words(count);
            let mut values = [[[0.0; LANES]; VECTORS]; 2];
            for (i, &words) in words[..count.div_ceil(LANES)].iter().enumerate() {
                [values[0][i], values[1][i]] = pairs(words);
            }
            let [first, second] = values;
            let values = first.as_flattened().iter().zip(second.as_flattened());
            for (draws, (&first, &second)) in chunk.chunks_mut(2).zip(values) {
                for (draw, value) in draws.iter_mut().zip([first, second]) {
                    *draw = Single(value);
                }
            }
        }
    }

    #[inline(always)]
    fn each_word(&mut self, mut visit: impl FnMut(usize, u64)) {
        visit(0, next_word(&mut self.state));
    }

    fn skip(&mut self, words: u64) {
        self.state = ahead(self.state, words);
    }
}

impl PathStream {
    /// The next `count` words, before any others.
    #[inline(always)]
    fn words(&mut self, count: usize) -> [[u64; LANES]; VECTORS] {
        let mut words = [[0; LANES]; VECTORS];
        let mut state = self.state;
        for word in &mut words.as_flattened_mut()[..count] {
            *word = next_word(&mut state);
        }
        self.state = state;
        words
    }

    /// The state of the generator: all there is to store for going on later with the next word.
    pub fn state(&self) -> [u64; 4] {
        self.state
    }

    /// The stream that goes on from a stored [`state`](Self::state), also one of [`LaneStreams::state`]. None for all zeros,
    /// which no stream ever is: it would not move.
    pub fn from_state(state: [u64; 4]) -> Option<Self> {
        (state != [0; 4]).then_some(Self { state })
    }
}

/// (k + ½) 2⁻⁵² with k the top 52 bits of `word`: k fills the fraction of a number in [1, 2), since
/// the conversion of a `u64` to an `f64` has no vector instruction before AVX-512.
#[inline(always)]
pub(super) fn open_unit(word: u64) -> f64 {
    /// 1 − 2⁻⁵³.
    const BELOW_ONE: f64 = 1.0 - f64::EPSILON / 2.0;
    f64::from_bits(word >> 12 | 1f64.to_bits()) - BELOW_ONE
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// The reference generator, started from the state of (seed, level, path).
    fn reference(seed: u64, level: u64, path: u64) -> Xoshiro256PlusPlus {
        let mut bytes = [0; 32];
        for (chunk, word) in bytes.chunks_mut(8).zip(stream_state(seed, level, path)) {
            chunk.copy_from_slice(&word.to_le_bytes());
        }
        Xoshiro256PlusPlus::from_seed(bytes)
    }

    proptest! {
        #[test]
        fn each_lane_is_the_reference_generator(seed: u64, level: u64, path: u64) {
            let mut streams = LaneStreams::new(seed, level, path);
            let mut references: [_; LANES] =
                std::array::from_fn(|j| reference(seed, level, path.wrapping_add(j as u64)));
            for _ in 0..100 {
                prop_assert_eq!(streams.next_u64(), references.each_mut().map(Rng::next_u64));
            }
        }

        #[test]
        fn a_stream_depends_on_its_path_alone(
            seed: u64,
            level: u64,
            path: u64,
            shift in 0..LANES,
        ) {
            let mut here = LaneStreams::new(seed, level, path);
            let mut there = LaneStreams::new(seed, level, path.wrapping_sub(shift as u64));
            for _ in 0..20 {
                let (here, there) = (here.next_u64(), there.next_u64());
                prop_assert_eq!(&here[..LANES - shift], &there[shift..]);
            }
        }
    }

    proptest! {
        #[test]
        fn skipped_words_are_those_that_would_have_come(path: u64, words in 0u64..500) {
            let (mut lanes, mut alone) = (LaneStreams::new(3, 1, path), PathStream::of(3, 1, path));
            let (mut skipped, mut skipped_alone) = (lanes.clone(), alone.clone());
            for _ in 0..words {
                lanes.next_u64();
                alone.each_word(|_, _| ());
            }
            skipped.skip(words);
            skipped_alone.skip(words);
            prop_assert_eq!(skipped.next_u64(), lanes.next_u64());
            alone.each_word(|_, word| skipped_alone.each_word(|_, other| assert_eq!(word, other)));
        }

        #[test]
        fn a_stored_state_goes_on_in_lanes_and_alone(path: u64, words: u64) {
            let mut streams = LaneStreams::new(3, 1, path);
            streams.skip(words);
            let stored = serde_json::to_string(&streams.state()).unwrap();
            let state: [[u64; 4]; LANES] = serde_json::from_str(&stored).unwrap();
            let mut again = LaneStreams::from_state(state).unwrap();
            let mut alone = PathStream::from_state(state[5]).unwrap();
            prop_assert_eq!(alone.state(), state[5]);
            for _ in 0..20 {
                let word = streams.next_u64();
                prop_assert_eq!(word, again.next_u64());
                alone.each_word(|_, other| assert_eq!(word[5], other));
            }
        }
    }

    #[test]
    fn a_state_of_zeros_is_none() {
        let mut state = LaneStreams::new(1, 2, 3).state();
        state[7] = [0; 4];
        assert!(LaneStreams::from_state(state).is_none());
        assert!(PathStream::from_state([0; 4]).is_none());
    }

    #[test]
    fn a_lane_is_deaf_to_the_state_of_its_neighbours() {
        let start = LaneStreams::new(1, 2, 3);
        let mut disturbed = start.clone();
        for words in &mut disturbed.state {
            for (j, word) in words.iter_mut().enumerate() {
                if j != 5 {
                    *word = word.rotate_left(11) ^ 0x9e37_79b9_7f4a_7c15;
                }
            }
        }
        let mut start = start;
        for _ in 0..1000 {
            let (clean, disturbed) = (start.next_u64(), disturbed.next_u64());
            assert_eq!(clean[5], disturbed[5]);
            assert_ne!(clean[4], disturbed[4]);
        }
    }

    #[test]
    fn the_uniform_is_open_and_exact_at_both_ends() {
        let step = f64::EPSILON; // 2⁻⁵²
        assert_eq!(open_unit(0), step / 2.0);
        assert_eq!(open_unit(0xfff), step / 2.0);
        assert_eq!(open_unit(0x1000), 1.5 * step);
        assert_eq!(open_unit(u64::MAX), 1.0 - step / 2.0);
        assert_eq!(open_unit(1 << 63), 0.5 + step / 2.0);
    }

    proptest! {
        #[test]
        fn the_uniform_is_symmetric_about_one_half(word: u64) {
            prop_assert_eq!(open_unit(word) + open_unit(!word), 1.0);
        }
    }
}
