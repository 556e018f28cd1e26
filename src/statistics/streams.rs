//! One random stream for each (seed, resample), so that threads cannot change a result.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

/// The stream of resample `index` under `seed`.
///
/// Both enter through a mixing of all bits: with `seed + index`, the seeds 42 and 43 would share all
/// streams but one.
pub(super) fn stream(seed: u64, index: usize) -> Xoshiro256PlusPlus {
    Xoshiro256PlusPlus::seed_from_u64(mix(mix(seed) ^ index as u64))
}

/// The output function of SplitMix64 (Steele, Lea & Flood 2014), a bijection of 64-bit words.
fn mix(word: u64) -> u64 {
    let word = word.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use rand::RngExt;

    use super::*;

    #[test]
    fn neighbouring_seeds_share_no_stream() {
        let first_words: HashSet<u64> = (0..20)
            .flat_map(|seed| (0..1000).map(move |index| stream(seed, index).random()))
            .collect();
        assert_eq!(first_words.len(), 20 * 1000);
    }

    #[test]
    fn streams_keep_their_values() {
        let words: [u64; 2] = stream(42, 7).random();
        assert_eq!(words, [17521142179037300447, 7381738658832221947]);
    }
}
