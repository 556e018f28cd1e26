//! Names the laws a noise coordinate can have, and fills arrays with draws from them.

use super::gaussian::box_muller;
use super::streams::{LaneStreams, open_unit};
use crate::scalar::Lanes;
use serde::{Deserialize, Serialize};

/// The law of one noise coordinate η: mean 0 and standard deviation σ, whichever it is.
///
/// The first three are σ times a law of unit variance; the shape of the Bernoulli mask changes with
/// σ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
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

    /// Fills `out` with independent draws of η of mean 0 and standard deviation `sigma`, in each
    /// lane from that lane's stream.
    ///
    /// Guarantees:
    ///
    /// * One draw takes one word of each stream, in order. For Gaussian a pair takes two: the
    ///   first gives the radius, the second the angle, and the draws are the cosine and the sine
    ///   member. So chunks of [`block`](Self::block) draws, or multiples, can be filled apart with
    ///   the same result. A Gaussian `out` of odd length drops the last sine member, and the next
    ///   fill starts from a fresh pair.
    /// * The same bits on every instruction set.
    /// * Support: Rademacher gives exactly ±`sigma`; uniform stays strictly inside ±√3 `sigma` and
    ///   is symmetric; Bernoulli gives exactly −1 or `sigma * sigma`, the latter with probability
    ///   p to within 2⁻⁵³, which bounds the relative error of the variance by 2⁻⁵³ (1 + σ²);
    ///   Gaussian stays inside ±8.58 `sigma`.
    ///
    /// `sigma` must be finite and not negative. With `sigma` = 0 every draw is ±0.
    #[inline(always)]
    pub fn fill(self, sigma: f64, streams: &mut LaneStreams, out: &mut [Lanes]) {
        match self {
            Self::Gaussian => streams.fill_blocks(out, |[radius, angle]| {
                let (cosine, sine) = box_muller(sigma, open_unit(radius), open_unit(angle));
                [cosine, sine]
            }),
            Self::Rademacher => each(streams, out, |word| {
                f64::from_bits(sigma.to_bits() ^ (word & 1 << 63))
            }),
            Self::Uniform => {
                let half_width = sigma * ROOT_3;
                each(streams, out, |word| {
                    half_width * (2.0 * open_unit(word) - 1.0)
                });
            }
            Self::Bernoulli => {
                let kept = sigma * sigma;
                let p = 1.0 / (1.0 + kept);
                each(
                    streams,
                    out,
                    |word| {
                        if open_unit(word) < p { kept } else { -1.0 }
                    },
                );
            }
        }
    }
}

/// √3, correctly rounded.
const ROOT_3: f64 = 1.732_050_807_568_877_2;

/// Fills `out` by a law that makes one draw of one word: four at a time for speed, then singly, so
/// that exactly `out.len()` words of each stream are taken.
#[inline(always)]
fn each(streams: &mut LaneStreams, out: &mut [Lanes], draw: impl Fn(u64) -> f64) {
    let whole = out.len() / 4 * 4;
    let (blocks, rest) = out.split_at_mut(whole);
    streams.fill_blocks::<4>(blocks, |words| words.map(&draw));
    streams.fill_blocks::<1>(rest, |words| words.map(&draw));
}
