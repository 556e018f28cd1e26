//! Turns (seed, level, path) into the 256-bit starting state of one generator.

/// The fixed key: the first 256 bits of the fraction of π, so that nothing is hidden in it.
const KEY: [u64; 4] = [
    0x243f_6a88_85a3_08d3,
    0x1319_8a2e_0370_7344,
    0xa409_3822_299f_31d0,
    0x082e_fa98_ec4e_6c89,
];

/// Fourth counter word: the next 64 bits of π. It sets these blocks apart from any other use of the
/// same key, and keeps the all-zero state out of reach (see [`stream_state`]).
const DOMAIN: u64 = 0x4528_21e6_38d0_1377;

/// Rotations of the two mixes of round r mod 8 (Salmon et al. 2011, Threefry-4×64 = Threefish-256).
const ROTATIONS: [[(u32, u32); 4]; 2] = [
    [(14, 16), (52, 57), (23, 40), (5, 37)],
    [(25, 33), (46, 12), (58, 22), (32, 32)],
];

/// Skein's key-schedule parity word.
const PARITY: u64 = 0x1BD1_1BDA_A9FC_1A22;

/// The xoshiro256++ state from which the stream of (`seed`, `level`, `path`) starts:
/// Threefry-4×64-20 of the counter (`seed`, `level`, `path`, π-digits) under a fixed key.
///
/// * **Never shared.** Threefry is a bijection of 256-bit blocks for a fixed key, so two different
///   triples never start from the same state. This is a theorem, where a hash of the triple, or a
///   SplitMix64 chain, makes a collision only improbable.
/// * **Never shifted.** Twenty rounds pass BigCrush on counters that differ in one bit (Salmon,
///   Moraes, Dror & Shaw, *Parallel random numbers: as easy as 1, 2, 3*, SC 2011): neighbouring
///   seeds, levels and paths, and multiples or permutations of them, land at unrelated points of
///   the one cycle of length 2²⁵⁶ − 1. For n streams of L words each, the probability that any two
///   overlap is then at most n² L / 2²⁵⁶: for n = 2⁶⁰ paths of 2⁴⁰ words, 2⁻⁹⁶.
/// * **Never zero.** The one block that maps to the all-zero state, from which xoshiro would not
///   move, has a fourth word other than the one used here (asserted in the tests).
#[inline(always)]
pub(super) fn stream_state(seed: u64, level: u64, path: u64) -> [u64; 4] {
    threefry(KEY, [seed, level, path, DOMAIN])
}

/// Key schedule of the four words and their parity.
#[inline(always)]
fn schedule(key: [u64; 4]) -> [u64; 5] {
    let [a, b, c, d] = key;
    [a, b, c, d, PARITY ^ a ^ b ^ c ^ d]
}

/// Threefry-4×64 with 20 rounds: a bijection of `block` for each `key`.
#[inline(always)]
fn threefry(key: [u64; 4], block: [u64; 4]) -> [u64; 4] {
    let k = schedule(key);
    let [even, odd] = ROTATIONS;
    let x = inject(k, 0, block);
    let x = inject(k, 1, four_rounds(even, x));
    let x = inject(k, 2, four_rounds(odd, x));
    let x = inject(k, 3, four_rounds(even, x));
    let x = inject(k, 4, four_rounds(odd, x));
    inject(k, 5, four_rounds(even, x))
}

/// Adds the subkey of `group`. Spelled out, as is [`four_rounds`], so that a loop over lanes has no
/// inner loop and becomes vector code.
#[inline(always)]
fn inject(k: [u64; 5], group: usize, x: [u64; 4]) -> [u64; 4] {
    [
        x[0].wrapping_add(k[group % 5]),
        x[1].wrapping_add(k[(group + 1) % 5]),
        x[2].wrapping_add(k[(group + 2) % 5]),
        x[3].wrapping_add(k[(group + 3) % 5])
            .wrapping_add(group as u64),
    ]
}

/// Four rounds: the even ones mix words (0, 1) and (2, 3), the odd ones (0, 3) and (2, 1).
#[inline(always)]
fn four_rounds(by: [(u32, u32); 4], x: [u64; 4]) -> [u64; 4] {
    let [a, b, c, d] = x;
    let ((a, b), (c, d)) = (mix(by[0].0, a, b), mix(by[0].1, c, d));
    let ((a, d), (c, b)) = (mix(by[1].0, a, d), mix(by[1].1, c, b));
    let ((a, b), (c, d)) = (mix(by[2].0, a, b), mix(by[2].1, c, d));
    let ((a, d), (c, b)) = (mix(by[3].0, a, d), mix(by[3].1, c, b));
    [a, b, c, d]
}

/// Threefish's mix: add, rotate, exclusive-or.
#[inline(always)]
fn mix(by: u32, x: u64, y: u64) -> (u64, u64) {
    let sum = x.wrapping_add(y);
    (sum, y.rotate_left(by) ^ sum)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    /// The inverse of [`threefry`], undone step by step.
    fn unthreefry(key: [u64; 4], block: [u64; 4]) -> [u64; 4] {
        let key = schedule(key);
        let mut x = block;
        for round in (0..20usize).rev() {
            if round % 4 == 3 {
                let group = round / 4 + 1;
                x[3] = x[3].wrapping_sub(group as u64);
                for (i, word) in x.iter_mut().enumerate() {
                    *word = word.wrapping_sub(key[(group + i) % 5]);
                }
            }
            let (left, right) = ROTATIONS[round / 4 % 2][round % 4];
            let (p, q) = if round % 2 == 0 { (1, 3) } else { (3, 1) };
            x[p] = (x[p] ^ x[0]).rotate_right(left);
            x[0] = x[0].wrapping_sub(x[p]);
            x[q] = (x[q] ^ x[2]).rotate_right(right);
            x[2] = x[2].wrapping_sub(x[q]);
        }
        for (word, k) in x.iter_mut().zip(key) {
            *word = word.wrapping_sub(k);
        }
        x
    }

    /// The three vectors for `threefry4x64 20` in `tests/kat_vectors` of Random123.
    #[test]
    fn threefry_gives_the_published_known_answers() {
        assert_eq!(
            threefry([0; 4], [0; 4]),
            [
                0x0921_8ebd_e6c8_5537,
                0x5594_1f52_66d8_6105,
                0x4bd2_5e16_2824_34dc,
                0xee29_ec84_6bd2_e40b
            ]
        );
        assert_eq!(
            threefry([u64::MAX; 4], [u64::MAX; 4]),
            [
                0x29c2_4097_942b_ba1b,
                0x0371_bbfb_0f6f_4e11,
                0x3c23_1ffa_33f8_3a1c,
                0xcd29_113f_de32_d168
            ]
        );
        assert_eq!(
            threefry(
                [
                    0x4528_21e6_38d0_1377,
                    0xbe54_66cf_34e9_0c6c,
                    0xbe54_66cf_34e9_0c6c,
                    0xc0ac_29b7_c97c_50dd
                ],
                KEY
            ),
            [
                0xa7e8_fde5_9165_1bd9,
                0xbaaf_d0c3_0138_319b,
                0x84a5_c1a7_29e6_85b9,
                0x901d_406c_cebc_1ba4
            ]
        );
    }

    #[test]
    fn no_triple_starts_from_the_zero_state() {
        let preimage = unthreefry(KEY, [0; 4]);
        assert_eq!(threefry(KEY, preimage), [0; 4]);
        assert_ne!(preimage[3], DOMAIN);
    }

    proptest! {
        #[test]
        fn threefry_is_a_bijection(key: [u64; 4], block: [u64; 4]) {
            prop_assert_eq!(unthreefry(key, threefry(key, block)), block);
            prop_assert_eq!(threefry(key, unthreefry(key, block)), block);
        }
    }

    #[test]
    fn neighbouring_triples_share_no_state_word() {
        let mut words = HashSet::new();
        for seed in 0..32 {
            for level in 0..32 {
                for path in 0..32 {
                    // 131072 words: two coincide with probability 2³⁴/2⁶⁵ < 1e-9.
                    for word in stream_state(seed, level, path) {
                        assert!(words.insert(word), "({seed}, {level}, {path})");
                    }
                }
            }
        }
    }

    /// Flipping one input bit flips each of the 256 state bits with probability ½.
    /// Over n = 192·64 flips and 256 bits: the total is within 5.5 standard deviations
    /// (false alarm 4e-8), and each output bit within 6.5 (256 · 8e-11 = 2e-8).
    #[test]
    fn one_input_bit_flips_half_of_the_state() {
        let mut flips = [0u32; 256];
        for base in 0..64u64 {
            let triple = [base, base / 7, 3 * base];
            let start = stream_state(triple[0], triple[1], triple[2]);
            for bit in 0..192 {
                let mut other = triple;
                other[bit / 64] ^= 1 << (bit % 64);
                let state = stream_state(other[0], other[1], other[2]);
                for (i, count) in flips.iter_mut().enumerate() {
                    *count += u32::from((state[i / 64] ^ start[i / 64]) >> (i % 64) & 1 == 1);
                }
            }
        }
        let n = 192.0 * 64.0;
        let deviation = |count: f64, n: f64| (count - n / 2.0) / (n / 4.0).sqrt();
        for count in flips {
            assert!(deviation(count.into(), n).abs() < 6.5);
        }
        let total: u32 = flips.iter().sum();
        assert!(deviation(total.into(), n * 256.0).abs() < 5.5);
    }
}
