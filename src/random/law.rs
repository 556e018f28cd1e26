//! Names the laws a noise coordinate can have, and fills arrays with draws from them.

use super::gaussian::box_muller;
use super::streams::{Streams, open_unit};
use crate::scalar::{Lookup, WithLookup, run_on, widest};
use pulp::Arch;
use serde::{Deserialize, Serialize};

/// The law of one noise coordinate η: mean 0 and standard deviation σ, whichever it is.
///
/// The first three are σ times a law of unit variance; the shape of the Bernoulli mask changes with
/// σ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Law {
    /// η ~ N(0, σ²), by Box–Muller.
    Gaussian,
    /// η = ±σ, each with probability ½.
    Rademacher,
    /// η uniform on (−√3 σ, √3 σ).
    Uniform,
    /// 1 + η = B/p with B ~ Bernoulli(p) and p = 1/(1 + σ²): η = σ² with probability p, −1 otherwise.
    Bernoulli,
}

impl Law {
    /// Every law, in the order in which a listing shows them.
    pub const ALL: [Self; 4] = [
        Self::Gaussian,
        Self::Rademacher,
        Self::Uniform,
        Self::Bernoulli,
    ];

    /// The name by which a configuration file calls the law.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Gaussian => "gaussian",
            Self::Rademacher => "rademacher",
            Self::Uniform => "uniform",
            Self::Bernoulli => "bernoulli",
        }
    }

    /// What the law is, in one line.
    pub const fn formula(self) -> &'static str {
        match self {
            Self::Gaussian => "η ~ N(0, σ²)",
            Self::Rademacher => "η = ±σ, each with probability 1/2",
            Self::Uniform => "η uniform on (−√3 σ, √3 σ)",
            Self::Bernoulli => {
                "mask 1 + η = B/p, B ~ Bernoulli(p), p = 1/(1 + σ²): η = σ² with probability p, else −1"
            }
        }
    }

    /// How many draws the law makes at a time: 2 for Gaussian (the Box–Muller pair), 1 for the rest.
    ///
    /// Cutting an array into chunks whose lengths are multiples of this leaves every draw unchanged.
    pub const fn block(self) -> usize {
        match self {
            Self::Gaussian => 2,
            Self::Rademacher | Self::Uniform | Self::Bernoulli => 1,
        }
    }

    /// How many words of a stream `draws` draws take: one each, but for Gaussian one a pair.
    pub const fn words(self, draws: u64) -> u64 {
        draws.div_ceil(self.block() as u64)
    }

    /// Fills `out` with independent draws of η of mean 0 and standard deviation `sigma`, in each
    /// lane from that lane's stream. The loop is compiled for AVX-512 and AVX2, and chosen here.
    ///
    /// Guarantees:
    ///
    /// * One draw takes one word of each stream, in order. For Gaussian a pair takes one, of which the draws are the two
    ///   members. So chunks of [`block`](Self::block) draws, or multiples, can be filled apart with the same result. A
    ///   Gaussian `out` of odd length drops the last sine member, and the next fill starts from a fresh pair.
    /// * The same bits on every instruction set.
    /// * Support: Rademacher gives exactly ±`sigma`; uniform stays strictly inside ±√3 `sigma` and
    ///   is symmetric; Bernoulli gives exactly −1 or `sigma * sigma`, the latter with probability
    ///   p to within 2⁻⁵³, which bounds the relative error of the variance by 2⁻⁵³ (1 + σ²);
    ///   Gaussian stays inside ±6.77 `sigma`.
    ///
    /// `sigma` must be finite and not negative. With `sigma` = 0 every draw is ±0.
    pub fn fill<R: Streams>(self, sigma: f64, streams: &mut R, out: &mut [R::Draw]) {
        self.fill_on(widest(), sigma, streams, out);
    }

    /// As [`fill`](Self::fill), with these instructions: for tests.
    #[doc(hidden)]
    pub fn fill_on<R: Streams>(
        self,
        instructions: Arch,
        sigma: f64,
        streams: &mut R,
        out: &mut [R::Draw],
    ) {
        let law = self;
        run_on(
            instructions,
            Fill {
                law,
                sigma,
                streams,
                out,
            },
        );
    }
}

/// A fill, to be compiled for some instruction sets.
struct Fill<'a, R: Streams> {
    law: Law,
    sigma: f64,
    streams: &'a mut R,
    out: &'a mut [R::Draw],
}

impl<R: Streams> WithLookup for Fill<'_, R> {
    #[inline(always)]
    fn call(self, lookup: impl Lookup) {
        let Self {
            law,
            sigma,
            streams,
            out,
        } = self;
        match law {
            Law::Gaussian => streams.fill_pairs(
                out,
                #[inline(always)]
                |words| box_muller(lookup, sigma, words),
            ),
            Law::Rademacher => streams.fill_each(
                out,
                #[inline(always)]
                |word| f64::from_bits(sigma.to_bits() ^ (word & 1 << 63)),
            ),
            Law::Uniform => {
                let half_width = sigma * ROOT_3;
                streams.fill_each(
                    out,
                    #[inline(always)]
                    |word| half_width * (2.0 * open_unit(word) - 1.0),
                );
            }
            Law::Bernoulli => {
                let kept = sigma * sigma;
                let p = 1.0 / (1.0 + kept);
                streams.fill_each(
                    out,
                    #[inline(always)]
                    |word| if open_unit(word) < p { kept } else { -1.0 },
                );
            }
        }
    }
}

/// √3, correctly rounded.
const ROOT_3: f64 = 1.732_050_807_568_877_2;

#[cfg(test)]
mod tests {
    use super::super::streams::{LaneStreams, PathStream};
    use super::*;
    use crate::scalar::{LANES, Lanes, Loads, Single};
    use proptest::prelude::*;

    const ZERO: Lanes = Lanes([0.0; LANES]);

    fn bits(draws: &[Lanes]) -> Vec<u64> {
        draws
            .iter()
            .flat_map(|draw| draw.0.map(f64::to_bits))
            .collect()
    }

    fn filled(law: Law, sigma: f64, path: u64, n: usize) -> Vec<Lanes> {
        let mut out = vec![ZERO; n];
        law.fill(sigma, &mut LaneStreams::new(7, 1, path), &mut out);
        out
    }

    fn any_law() -> impl Strategy<Value = Law> {
        proptest::sample::select(Law::ALL.as_slice())
    }

    proptest! {
        #[test]
        fn draws_do_not_depend_on_the_chunks(
            law in any_law(),
            sigma in 0.0..4.0,
            cuts in proptest::collection::vec(0usize..20, 1..12),
        ) {
            let total = cuts.iter().sum::<usize>() * law.block();
            let whole = filled(law, sigma, 3, total);
            let mut pieces = vec![ZERO; total];
            let mut streams = LaneStreams::new(7, 1, 3);
            let mut rest = pieces.as_mut_slice();
            for cut in cuts {
                let (piece, tail) = rest.split_at_mut(cut * law.block());
                law.fill(sigma, &mut streams, piece);
                rest = tail;
            }
            prop_assert_eq!(bits(&whole), bits(&pieces));
        }

        #[test]
        fn draws_do_not_depend_on_the_lane(law in any_law(), shift in 0..LANES, n in 0usize..40) {
            let here = filled(law, 0.7, 100, n);
            let there = filled(law, 0.7, 100 - shift as u64, n);
            for (here, there) in here.iter().zip(&there) {
                prop_assert_eq!(&here.0[..LANES - shift], &there.0[shift..]);
            }
        }

        #[test]
        fn a_path_alone_has_the_draws_of_its_lane(law in any_law(), path in 0..1u64 << 40, cut in 0usize..200, n in 0usize..300) {
            let lanes = filled(law, 0.7, path, 2 * cut + n);
            let mut streams = PathStream::of(7, 1, path);
            let mut alone = vec![Single(0.0); 2 * cut + n];
            let (first, second) = alone.split_at_mut(2 * cut);
            law.fill(0.7, &mut streams, first);
            law.fill(0.7, &mut streams, second);
            for (alone, lanes) in alone.iter().zip(&lanes) {
                prop_assert_eq!(alone.0.to_bits(), lanes.0[0].to_bits());
            }
        }

        #[test]
        fn any_step_can_be_reached_by_skipping(law in any_law(), half in 0usize..40, n in 0usize..40) {
            let whole = filled(law, 0.7, 5, 2 * half + n);
            let mut streams = LaneStreams::new(7, 1, 5);
            streams.skip(law.words(2 * half as u64));
            let mut rest = vec![ZERO; n];
            law.fill(0.7, &mut streams, &mut rest);
            prop_assert_eq!(bits(&whole[2 * half..]), bits(&rest));
        }

        #[test]
        fn an_odd_gaussian_fill_drops_the_spare(n in 0usize..20) {
            let odd = filled(Law::Gaussian, 1.3, 5, 2 * n + 1);
            let even = filled(Law::Gaussian, 1.3, 5, 2 * n + 2);
            prop_assert_eq!(&odd[..], &even[..=2 * n]);
        }

        #[test]
        fn no_noise_gives_zero(law in any_law(), n in 0usize..40) {
            prop_assert!(filled(law, 0.0, 1, n).iter().all(|draw| *draw == ZERO));
        }
    }

    #[test]
    fn draws_are_the_transforms_of_the_words_in_order() {
        let mut streams = LaneStreams::new(7, 1, 9);
        let words: Vec<_> = (0..6).map(|_| streams.next_u64()).collect();
        for j in 0..LANES {
            let gaussian = filled(Law::Gaussian, 2.0, 9, 12);
            let rademacher = filled(Law::Rademacher, 2.0, 9, 6);
            for (pair, &words) in gaussian.as_chunks::<2>().0.iter().zip(&words) {
                let [x, y] = box_muller(Loads, 2.0, words);
                assert_eq!(pair.map(|draw| draw.0[j]), [x[j], y[j]]);
            }
            for (draw, words) in rademacher.iter().zip(&words) {
                let sign = if words[j] >> 63 == 0 { 2.0 } else { -2.0 };
                assert_eq!(draw.0[j], sign);
            }
        }
    }

    /// Pins the bits of 80 000 draws of each law, so that a platform or compiler which rounds
    /// otherwise, or a change of the stream, is seen.
    #[test]
    fn the_bits_are_the_recorded_ones() {
        let digest = |law| {
            bits(&filled(law, 0.8, 0, 10_000))
                .iter()
                .fold(0u64, |hash, &word| {
                    (hash.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15)
                })
        };
        assert_eq!(
            Law::ALL.map(digest),
            [
                14251412574341521391,
                7422567850429234706,
                8742751109240298512,
                11975701900749578084
            ]
        );
    }

    #[test]
    fn names_are_those_of_the_configuration() {
        for law in Law::ALL {
            let quoted = format!("\"{}\"", law.name());
            assert_eq!(serde_json::to_string(&law).unwrap(), quoted);
            assert_eq!(serde_json::from_str::<Law>(&quoted).unwrap(), law);
            assert!(!law.formula().is_empty() && !law.formula().contains('\n'));
        }
    }
}
