//! Moves a xoshiro256++ generator ahead by any number of words, in the time of some thousand.

use super::streams::next_word;

/// The characteristic polynomial of a step, less its x²⁵⁶: bit i of word w is the coefficient of x^{64w + i} over GF(2). By
/// Berlekamp & Massey from the words of one bit.
const POLYNOMIAL: [u64; 4] = [
    0x9d11_6f2b_b0f0_f001,
    0x0280_002b_cefd_1a5e,
    0x04b4_edcf_2625_9f85,
    0x0003_c03c_3f3e_cb19,
];

/// The state `words` steps on: x^words modulo the polynomial, applied to the step.
pub(super) fn ahead(mut state: [u64; 4], words: u64) -> [u64; 4] {
    let power = power_of_x(words);
    let mut sum = [0; 4];
    for word in power {
        for i in 0..64 {
            if word >> i & 1 == 1 {
                add(&mut sum, state);
            }
            next_word(&mut state);
        }
    }
    sum
}

/// a + b.
fn add(a: &mut [u64; 4], b: [u64; 4]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a ^= b;
    }
}

/// x·a.
fn times_x([a, b, c, d]: [u64; 4]) -> [u64; 4] {
    let mut product = [a << 1, b << 1 | a >> 63, c << 1 | b >> 63, d << 1 | c >> 63];
    if d >> 63 == 1 {
        add(&mut product, POLYNOMIAL);
    }
    product
}

/// a·b.
fn product(a: [u64; 4], b: [u64; 4]) -> [u64; 4] {
    let mut product = [0; 4];
    for word in a.into_iter().rev() {
        for i in (0..64).rev() {
            product = times_x(product);
            if word >> i & 1 == 1 {
                add(&mut product, b);
            }
        }
    }
    product
}

/// xⁿ.
fn power_of_x(n: u64) -> [u64; 4] {
    let mut power = [1, 0, 0, 0];
    for i in (0..64 - n.leading_zeros()).rev() {
        power = product(power, power);
        if n >> i & 1 == 1 {
            power = times_x(power);
        }
    }
    power
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The constants of `jump` (2¹²⁸ words) and `long_jump` (2¹⁹²) in Vigna's xoshiro256plusplus.c.
    #[test]
    fn the_polynomial_gives_the_published_jumps() {
        let squared = |power, times| (0..times).fold(power, |p, _| product(p, p));
        let jump = squared([2, 0, 0, 0], 128);
        let published = [
            0x180e_c6d3_3cfd_0aba,
            0xd5a6_1266_f0c9_392c,
            0xa958_2618_e03f_c9aa,
            0x39ab_dc45_29b1_661c,
        ];
        assert_eq!(jump, published);
        let published = [
            0x76e1_5d3e_fefd_cbbf,
            0xc500_4e44_1c52_2fb3,
            0x7771_0069_854e_e241,
            0x3910_9bb0_2acb_e635,
        ];
        assert_eq!(squared(jump, 64), published);
    }

    #[test]
    fn every_number_of_words_up_to_a_thousand_is_skipped() {
        let start = [1, 2, 3, 4];
        let mut state = start;
        for words in 0..1000 {
            assert_eq!(ahead(start, words), state, "{words}");
            next_word(&mut state);
        }
    }

    #[test]
    fn far_skips_add_up() {
        let start = [5, 6, 7, 8];
        let (far, near) = (u64::MAX - 12_345, 12_345);
        assert_eq!(ahead(ahead(start, far), near), ahead(start, u64::MAX));
        assert_ne!(ahead(start, far), ahead(start, u64::MAX));
    }
}
