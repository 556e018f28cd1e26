//! Draws minibatches of samples for paths side by side, as perturbations of the sample weights.

use nalgebra::DMatrix;
use serde::{Deserialize, Serialize};

use super::streams::Streams;
use crate::scalar::{Paths, Scalar};

/// How the samples of a step are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// B independent uniform choices: a sample can be in a batch more than once.
    WithReplacement,
    /// A uniform set of B different samples, drawn afresh at every step.
    WithoutReplacement,
    /// Passes through the samples in random order: ⌊N/B⌋ batches of B different samples, no sample in two of them, then
    /// a new order. The N mod B samples left at the end of a pass are not used in it.
    Epochs,
}

/// Batches of B out of N samples.
///
/// A batch that holds sample i c_i times gives it the weight 1 + η_i = (N/B) c_i, so that the gradient of
/// 1/N Σᵢ (1 + η_i) ℓ_i is that of the mean of ℓ over the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Batch {
    /// B ≥ 1.
    pub size: usize,
    /// How the samples of a step are chosen.
    pub sampling: Sampling,
}

impl Batch {
    /// Whether such batches can be drawn from N = `samples`: N ≥ 1 and B ≥ 1, and B ≤ N unless drawn with replacement.
    pub fn fits(self, samples: usize) -> bool {
        let repeats = self.sampling == Sampling::WithReplacement;
        samples >= 1 && self.size >= 1 && (repeats || self.size <= samples)
    }

    /// Var η_i at one step, the same for every i: (N−1)/B with replacement, (N−B)/B without, or in epochs.
    ///
    /// `self` must [fit](Self::fits).
    pub fn variance(self, samples: usize) -> f64 {
        let left = match self.sampling {
            Sampling::WithReplacement => samples - 1,
            Sampling::WithoutReplacement | Sampling::Epochs => samples - self.size,
        };
        left as f64 / self.size as f64
    }

    /// Cov η at one step (N×N): Var η_i on the diagonal and −Var η_i/(N−1) off it, as Ση_i = 0 and all samples are alike.
    ///
    /// Between steps η is uncorrelated, except in epochs: there two of the ⌊N/B⌋ steps of the same pass have
    /// Cov(η_i, η'_j) = (1/(N−1)) (1 − N δ_ij).
    pub fn covariance(self, samples: usize) -> DMatrix<f64> {
        let variance = self.variance(samples);
        DMatrix::from_fn(samples, samples, |i, j| {
            if i == j {
                variance
            } else {
                -variance / (samples - 1) as f64
            }
        })
    }
}

/// Draws the batches of some paths, step after step.
///
/// Without replacement, and in epochs, each path keeps an order of the samples which a Fisher–Yates shuffle renews as far
/// as it is used: step b of a pass brings the places bB, …, (b+1)B − 1 to rest, and these are its batch. Whatever order
/// a pass starts from, the result is uniform and independent of what was drawn before.
#[derive(Clone, Debug)]
pub struct BatchSampler {
    batch: Batch,
    samples: usize,
    /// Lane j's order is `order[j·N..(j+1)·N]`; empty with replacement.
    order: Vec<u32>,
    /// How many places of the present pass have come to rest.
    settled: usize,
}

impl BatchSampler {
    /// Begins anew.
    pub fn restart(&mut self) {
        for (place, sample) in self.order.iter_mut().zip((0..self.samples as u32).cycle()) {
            *place = sample;
        }
        self.settled = 0;
    }

    /// A sampler for `paths` paths of batches out of N = `samples` < 2³², which they must [fit](Batch::fits).
    pub fn new(batch: Batch, samples: usize, paths: usize) -> Self {
        debug_assert!(batch.fits(samples), "{batch:?} out of {samples}");
        let order = match batch.sampling {
            Sampling::WithReplacement => Vec::new(),
            Sampling::WithoutReplacement | Sampling::Epochs => (0..paths)
                .flat_map(|_| (0..samples).map(|i| i as u32))
                .collect(),
        };
        Self {
            batch,
            samples,
            order,
            settled: 0,
        }
    }

    /// Fills rows of N lanes, one row a step, with η_i = (N/B) c_i − 1; the length of `out` is a multiple of N.
    ///
    /// Guarantees:
    ///
    /// * A step takes B words of each stream. A lane's draws depend on its own words alone, and on its earlier draws by
    ///   this sampler; rows can be filled apart with the same result.
    /// * η_i is exactly −1 for a sample that is not in the batch; for the others it is right to rounding.
    /// * A uniform choice among n is ⌊n·word/2⁶⁴⌋: each has probability 1/n to within 2⁻⁶⁴.
    /// * The same bits on every instruction set.
    #[inline(always)]
    pub fn fill<R: Streams>(&mut self, streams: &mut R, out: &mut [R::Draw]) {
        for row in out.chunks_exact_mut(self.samples) {
            row.fill(R::Draw::constant(-1.0));
            if self.batch.sampling == Sampling::WithReplacement {
                self.independent(streams, row);
            } else {
                self.shuffled(streams, row);
            }
        }
    }

    /// N/B, the weight of a sample that is once in the batch.
    #[inline(always)]
    fn weight(&self) -> f64 {
        self.samples as f64 / self.batch.size as f64
    }

    /// Adds B independent choices of a sample to a row of −1.
    #[inline(always)]
    fn independent<R: Streams>(&self, streams: &mut R, row: &mut [R::Draw]) {
        let weight = self.weight();
        for _ in 0..self.batch.size {
            streams.each_word(|j, word| {
                *row[below(row.len(), word)].lane_mut(j) += weight;
            });
        }
    }

    /// Adds the samples that come to rest in the next B places to a row of −1.
    #[inline(always)]
    fn shuffled<R: Streams>(&mut self, streams: &mut R, row: &mut [R::Draw]) {
        let (n, eta) = (row.len(), self.weight() - 1.0);
        let afresh = self.batch.sampling == Sampling::WithoutReplacement;
        if afresh || self.settled + self.batch.size > n {
            self.settled = 0;
        }
        for place in self.settled..self.settled + self.batch.size {
            streams.each_word(|j, word| {
                let order = &mut self.order[j * n..(j + 1) * n];
                let chosen = place + below(n - place, word);
                order.swap(place, chosen);
                *row[order[place] as usize].lane_mut(j) = eta;
            });
        }
        self.settled += self.batch.size;
    }
}

/// ⌊n·word/2⁶⁴⌋: uniform on 0, …, n − 1.
#[inline(always)]
fn below(n: usize, word: u64) -> usize {
    ((n as u128 * u128::from(word)) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::super::streams::LaneStreams;
    use super::*;
    use crate::scalar::{LANES, Lanes};
    use proptest::prelude::*;

    const ALL: [Sampling; 3] = [
        Sampling::WithReplacement,
        Sampling::WithoutReplacement,
        Sampling::Epochs,
    ];

    fn streams(path: u64) -> LaneStreams {
        LaneStreams::new(11, 2, path)
    }

    fn rows(batch: Batch, samples: usize, path: u64, steps: usize) -> Vec<Lanes> {
        let mut out = vec![Lanes([f64::NAN; LANES]); steps * samples];
        BatchSampler::new(batch, samples, LANES).fill(&mut streams(path), &mut out);
        out
    }

    /// The counts c_i of one lane, step by step.
    fn counts(batch: Batch, samples: usize, out: &[Lanes], lane: usize) -> Vec<Vec<f64>> {
        let ratio = samples as f64 / batch.size as f64;
        out.chunks(samples)
            .map(|row| {
                row.iter()
                    .map(|eta| {
                        let count = ((1.0 + eta.0[lane]) / ratio).round();
                        assert!((count * ratio - 1.0 - eta.0[lane]).abs() < 1e-13);
                        assert!(count > 0.0 || eta.0[lane] == -1.0);
                        count
                    })
                    .collect()
            })
            .collect()
    }

    fn any_batch() -> impl Strategy<Value = (Batch, usize)> {
        (proptest::sample::select(ALL.as_slice()), 1usize..30).prop_flat_map(
            |(sampling, samples)| {
                let most = if sampling == Sampling::WithReplacement {
                    2 * samples
                } else {
                    samples
                };
                (1..=most).prop_map(move |size| (Batch { size, sampling }, samples))
            },
        )
    }

    proptest! {
        #[test]
        fn every_batch_has_its_size_and_no_sample_twice_without_replacement(
            (batch, samples) in any_batch(),
            path: u64,
        ) {
            let out = rows(batch, samples, path, 7);
            for lane in 0..LANES {
                for row in counts(batch, samples, &out, lane) {
                    prop_assert_eq!(row.iter().sum::<f64>(), batch.size as f64);
                    let most = row.iter().copied().fold(0.0, f64::max);
                    prop_assert!(batch.sampling == Sampling::WithReplacement || most == 1.0);
                }
            }
        }

        #[test]
        fn a_pass_uses_no_sample_twice_and_all_of_them_where_the_size_divides_their_number(
            size in 1usize..8,
            whole in 1usize..6,
            rest in 0usize..8,
            path: u64,
        ) {
            let (batch, rest) = (Batch { size, sampling: Sampling::Epochs }, rest % size);
            let samples = size * whole + rest;
            let out = rows(batch, samples, path, 3 * whole);
            for lane in 0..LANES {
                for pass in counts(batch, samples, &out, lane).chunks(whole) {
                    let total: Vec<f64> = (0..samples).map(|i| pass.iter().map(|row| row[i]).sum()).collect();
                    prop_assert!(total.iter().all(|&c| c <= 1.0));
                    prop_assert_eq!(total.iter().sum::<f64>(), (size * whole) as f64);
                }
            }
            if rest == 0 {
                for pass in out.chunks(whole * samples) {
                    for i in 0..samples {
                        for lane in 0..LANES {
                            prop_assert_eq!(pass.iter().skip(i).step_by(samples).map(|eta| eta.0[lane]).sum::<f64>(), 0.0);
                        }
                    }
                }
            }
        }

        #[test]
        fn draws_do_not_depend_on_the_lane((batch, samples) in any_batch(), shift in 0..LANES) {
            let here = rows(batch, samples, 100, 9);
            let there = rows(batch, samples, 100 - shift as u64, 9);
            for (here, there) in here.iter().zip(&there) {
                prop_assert_eq!(&here.0[..LANES - shift], &there.0[shift..]);
            }
        }

        #[test]
        fn draws_do_not_depend_on_the_chunks(
            (batch, samples) in any_batch(),
            cuts in proptest::collection::vec(0usize..7, 1..8),
        ) {
            let whole = rows(batch, samples, 3, cuts.iter().sum());
            let (mut sampler, mut streams) = (BatchSampler::new(batch, samples, LANES), streams(3));
            let mut pieces = Vec::new();
            for cut in cuts {
                let mut piece = vec![Lanes([f64::NAN; LANES]); cut * samples];
                sampler.fill(&mut streams, &mut piece);
                pieces.extend(piece);
            }
            prop_assert_eq!(whole, pieces);
        }

        #[test]
        fn the_whole_set_is_no_noise_without_replacement(samples in 1usize..30) {
            for sampling in [Sampling::WithoutReplacement, Sampling::Epochs] {
                let batch = Batch { size: samples, sampling };
                prop_assert!(rows(batch, samples, 1, 3).iter().all(|eta| eta.0 == [0.0; LANES]));
                prop_assert_eq!(batch.variance(samples), 0.0);
            }
        }
    }

    #[test]
    fn a_single_sample_is_no_noise() {
        for sampling in ALL {
            for size in [1, 3] {
                let batch = Batch { size, sampling };
                if batch.fits(1) {
                    assert!(rows(batch, 1, 1, 5).iter().all(|x| x.0[0].abs() < 1e-15));
                    assert_eq!(batch.covariance(1), DMatrix::zeros(1, 1));
                }
            }
        }
    }

    #[test]
    fn only_batches_that_can_be_drawn_fit() {
        let fits = |size, sampling, samples| Batch { size, sampling }.fits(samples);
        assert!(fits(9, Sampling::WithReplacement, 4) && fits(4, Sampling::Epochs, 4));
        assert!(!fits(5, Sampling::Epochs, 4) && !fits(5, Sampling::WithoutReplacement, 4));
        assert!(!fits(0, Sampling::WithReplacement, 4) && !fits(1, Sampling::WithReplacement, 0));
    }

    /// Whether the means of η_i, η_i η_j and η_i η'_j agree with theory to within 6 standard errors, for η, η' two steps
    /// of the same pass.
    fn agrees(pairs: &[[Vec<f64>; 2]], within: &DMatrix<f64>, between: &DMatrix<f64>) -> bool {
        let n = within.nrows();
        let close = |exact: f64, value: &dyn Fn(&[Vec<f64>; 2]) -> f64| {
            let count = pairs.len() as f64;
            let mean = pairs.iter().map(value).sum::<f64>() / count;
            let square = pairs.iter().map(|x| value(x).powi(2)).sum::<f64>() / count;
            let error = ((square - mean * mean).max(0.0) / count).sqrt();
            (mean - exact).abs() <= 6.0 * error + 1e-12
        };
        (0..n).all(|i| {
            close(0.0, &|x| x[0][i])
                && close(0.0, &|x| x[1][i])
                && (0..n).all(|j| {
                    close(within[(i, j)], &|x| x[0][i] * x[0][j])
                        && close(within[(i, j)], &|x| x[1][i] * x[1][j])
                        && close(between[(i, j)], &|x| x[0][i] * x[1][j])
                })
        })
    }

    /// 85 means of 160 000 independent pairs of steps, for each kind of sampling, at 6 standard errors: false alarm below
    /// 3 · 85 · 2e-9 = 6e-7. Planted: the covariance of another kind of sampling is found out.
    #[test]
    fn mean_and_covariance_are_the_exact_ones_within_a_step_and_between_steps() {
        let (samples, size) = (5, 2);
        let draw = |sampling| {
            let batch = Batch { size, sampling };
            let out = rows(batch, samples, 5, 40_000);
            let lane = |lane: usize| {
                let eta = |row: &[Lanes]| row.iter().map(|x| x.0[lane]).collect();
                out.chunks(2 * samples)
                    .map(move |pair| [eta(&pair[..samples]), eta(&pair[samples..])])
                    .collect::<Vec<[Vec<f64>; 2]>>()
            };
            (0..LANES).flat_map(lane).collect::<Vec<_>>()
        };
        let covariance = |sampling| Batch { size, sampling }.covariance(samples);
        let zero = DMatrix::zeros(samples, samples);
        let n = samples as f64;
        let in_a_pass = DMatrix::from_fn(samples, samples, |i, j| {
            (1.0 - if i == j { n } else { 0.0 }) / (n - 1.0)
        });
        for (sampling, other, between) in [
            (Sampling::WithReplacement, Sampling::Epochs, &zero),
            (
                Sampling::WithoutReplacement,
                Sampling::WithReplacement,
                &zero,
            ),
            (Sampling::Epochs, Sampling::WithReplacement, &in_a_pass),
        ] {
            let pairs = draw(sampling);
            assert!(
                agrees(&pairs, &covariance(sampling), between),
                "{sampling:?}"
            );
            assert!(!agrees(&pairs, &covariance(other), between));
            let wrong = if sampling == Sampling::Epochs {
                &zero
            } else {
                &in_a_pass
            };
            assert!(!agrees(&pairs, &covariance(sampling), wrong));
        }
    }

    /// The three pairs out of three samples, and the six ways through them one by one, in 80 000 draws each: 9 counts
    /// within 6 standard deviations, false alarm below 9 · 2e-9.
    #[test]
    fn all_sets_and_all_orders_are_equally_frequent() {
        for (size, steps, sampling, kinds) in [
            (2, 1, Sampling::WithoutReplacement, 3),
            (1, 3, Sampling::Epochs, 6),
        ] {
            let batch = Batch { size, sampling };
            let out = rows(batch, 3, 8, 10_000 * steps);
            let mut seen = std::collections::HashMap::new();
            for lane in 0..LANES {
                for pass in counts(batch, 3, &out, lane).chunks(steps) {
                    let key: Vec<_> = pass.concat().iter().map(|&c| c as u8).collect();
                    *seen.entry(key).or_insert(0.0) += 1.0;
                }
            }
            assert_eq!(seen.len(), kinds);
            let (n, p) = (80_000.0, 1.0 / kinds as f64);
            for count in seen.values() {
                assert!((count - n * p).abs() < 6.0 * (n * p * (1.0 - p)).sqrt());
            }
        }
    }

    #[test]
    fn names_are_those_of_the_configuration() {
        let batch: Batch =
            serde_json::from_str(r#"{"size": 8, "sampling": "without-replacement"}"#).unwrap();
        assert_eq!((batch.size, batch.sampling), (8, ALL[1]));
        assert_eq!(
            serde_json::to_string(&ALL[0]).unwrap(),
            "\"with-replacement\""
        );
        assert_eq!(serde_json::to_string(&ALL[2]).unwrap(), "\"epochs\"");
    }
}
