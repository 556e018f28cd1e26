//! What is tested: the engine's laws and words, and the ziggurat of rand_distr beside them.

use rand::SeedableRng;
use rand_distr::{Distribution, StandardNormal};
use rand_xoshiro::Xoshiro256PlusPlus;
use singlim::random::{LaneStreams, Law, PathStream, Streams};
use singlim::scalar::{LANES, Lanes};

/// Which streams: those of eight paths, from `path` on.
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    pub seed: u64,
    pub level: u64,
    pub path: u64,
}

impl Stream {
    pub fn lanes(self) -> LaneStreams {
        LaneStreams::new(self.seed, self.level, self.path)
    }
}

/// Fills rows with the first draws of eight streams.
pub type Draws = dyn Fn(Stream, &mut [Lanes]) + Sync;

/// Fills a slice with words, of the batch of this number.
pub type Words = dyn Fn(u64, &mut [u64]) + Sync;

/// The engine's draws of a law.
pub fn engine(law: Law, sigma: f64) -> impl Fn(Stream, &mut [Lanes]) + Sync {
    move |stream, out| law.fill(sigma, &mut stream.lanes(), out)
}

/// rand_distr's normal numbers, each stream a generator seeded as that crate's users do.
pub fn ziggurat(stream: Stream, out: &mut [Lanes]) {
    for lane in 0..LANES {
        let path = stream.path + lane as u64;
        let seed = (stream.seed * 64 + stream.level) * 64 + path;
        let mut generator = Xoshiro256PlusPlus::seed_from_u64(seed);
        for row in out.iter_mut() {
            row.0[lane] = StandardNormal.sample(&mut generator);
        }
    }
}

/// The engine's words with their bits in reverse order, as uniform numbers of unit variance: so the lowest bits are tested like
/// the highest, which the uniform law uses.
pub fn reversed(stream: Stream, out: &mut [Lanes]) {
    let mut streams = stream.lanes();
    for row in out {
        *row = Lanes(streams.next_u64().map(|word| {
            let top = (word.reverse_bits() >> 12) as f64 + 0.5;
            3f64.sqrt() * (top * 0.5f64.powi(51) - 1.0)
        }));
    }
}

/// Words of one stream.
pub fn one_stream(batch: u64, out: &mut [u64]) {
    let mut stream = PathStream::of(batch, 0, batch % 7);
    for out in out {
        stream.each_word(|_, word| *out = word);
    }
}

/// Words of eight neighbouring streams in turn.
pub fn eight_in_turn(batch: u64, out: &mut [u64]) {
    let mut streams = LaneStreams::new(batch, 1, batch % 7);
    for out in out.as_chunks_mut::<LANES>().0 {
        *out = streams.next_u64();
    }
}

/// The first word of one path after the other: what the seeding alone makes of successive numbers.
pub fn first_words(batch: u64, out: &mut [u64]) {
    let mut path = batch * out.len() as u64;
    for out in out.as_chunks_mut::<LANES>().0 {
        *out = LaneStreams::new(1, 2, path).next_u64();
        path += LANES as u64;
    }
}

/// rand_xoshiro's generator, from a state of the engine's.
pub fn reference(state: [u64; 4]) -> Xoshiro256PlusPlus {
    let mut bytes = [0; 32];
    for (bytes, word) in bytes.chunks_mut(8).zip(state) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    Xoshiro256PlusPlus::from_seed(bytes)
}
