//! Random streams of what a scenario fixes once (data, start): named by a seed of their own, a purpose and a number.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

/// ChaCha8 with the key `seed` ‖ `purpose` ‖ 0…0 (8 + at most 24 bytes) and stream `number`: streams that differ in any of
/// the three are independent.
pub(super) fn stream(seed: u64, purpose: &[u8], number: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    let bytes = seed.to_le_bytes();
    for (k, &byte) in key.iter_mut().zip(bytes.iter().chain(purpose)) {
        *k = byte;
    }
    let mut random = ChaCha8Rng::from_seed(key);
    random.set_stream(number);
    random
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn seed_purpose_and_number_each_name_another_stream() {
        let first = |seed, purpose, number| stream(seed, purpose, number).next_u64();
        let here = first(1, b"data", 0);
        assert_eq!(here, first(1, b"data", 0));
        for other in [
            first(2, b"data", 0),
            first(1, b"start", 0),
            first(1, b"data", 1),
        ] {
            assert_ne!(here, other);
        }
    }
}
